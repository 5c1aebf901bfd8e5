// The vector contract of the kernels (described in avx512/vec.h) over AVX2, FMA and F16C: 8 floats in one
// register.
#pragma once

#include <immintrin.h>

#include "kernels/kernels.h"

namespace smallmind {
namespace {

using Vec = __m256;
using Mask = __m256;
using Words = std::uint32_t __attribute__((vector_size(32)));
struct Doubles {
  __m256d low, high;
};
constexpr Index kWidth = 8;
constexpr bool kScaleUnderflows = false;
constexpr bool kFastLookup = false;

// Read at kLaneMask + 8 - n: n lanes of ones, then zeros.
constexpr std::int32_t kLaneMask[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
inline __m256i first_lanes(Index n) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kLaneMask + kWidth - n));
}

inline Vec zero() {
  return _mm256_setzero_ps();
}
inline Vec set(float x) {
  return _mm256_set1_ps(x);
}
inline Vec load(const float* p) {
  return _mm256_loadu_ps(p);
}
inline Vec load_n(const float* p, Index n) {
  return _mm256_maskload_ps(p, first_lanes(n));
}
inline Vec load_n(const float* p, Index n, float fill) {
  return _mm256_blendv_ps(set(fill), load_n(p, n), _mm256_castsi256_ps(first_lanes(n)));
}
inline void store(float* p, Vec x) {
  _mm256_storeu_ps(p, x);
}
inline void store_n(float* p, Vec x, Index n) {
  _mm256_maskstore_ps(p, first_lanes(n), x);
}
inline Vec load_f16(const std::uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Vec load_bf16(const std::uint16_t* p) {
  const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
}

inline Vec mul_add(Vec a, Vec b, Vec c) {
  return _mm256_fmadd_ps(a, b, c);
}
inline Vec neg_mul_add(Vec a, Vec b, Vec c) {
  return _mm256_fnmadd_ps(a, b, c);
}
inline Vec min(Vec a, Vec b) {
  return _mm256_min_ps(a, b);
}
inline Vec max(Vec a, Vec b) {
  return _mm256_max_ps(a, b);
}
inline Vec sqrt(Vec x) {
  return _mm256_sqrt_ps(x);
}
inline Vec abs(Vec x) {
  return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
}
inline Vec copysign(Vec magnitude, Vec sign) {
  const __m256 bit = _mm256_set1_ps(-0.0f);
  return _mm256_or_ps(_mm256_and_ps(bit, sign), _mm256_andnot_ps(bit, magnitude));
}
inline Vec round(Vec x) {
  return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// The conversion of a NaN is 0x80000000, which the shift drops.
inline Vec scale_by_power(Vec p, Vec n) {
  const __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), exponent));
}

inline Vec lookup(const float (&table)[16], Vec t) {
  return _mm256_i32gather_ps(table, _mm256_and_si256(_mm256_castps_si256(t), _mm256_set1_epi32(15)), 4);
}
inline Vec lookup(const float (&table)[32], Vec t) {
  return _mm256_i32gather_ps(table, _mm256_and_si256(_mm256_castps_si256(t), _mm256_set1_epi32(31)), 4);
}
inline Vec add_shifted(Vec p, Vec t) {
  return _mm256_castsi256_ps(
      _mm256_add_epi32(_mm256_castps_si256(p), _mm256_slli_epi32(_mm256_castps_si256(t), 18)));
}
inline void interleave(Vec even, Vec odd, Vec& first, Vec& second) {
  const __m256 low = _mm256_unpacklo_ps(even, odd), high = _mm256_unpackhi_ps(even, odd);
  first = _mm256_permute2f128_ps(low, high, 0x20);
  second = _mm256_permute2f128_ps(low, high, 0x31);
}
inline void deinterleave(Vec first, Vec second, Vec& even, Vec& odd) {
  const __m256 low = _mm256_permute2f128_ps(first, second, 0x20);
  const __m256 high = _mm256_permute2f128_ps(first, second, 0x31);
  even = _mm256_shuffle_ps(low, high, 0x88);
  odd = _mm256_shuffle_ps(low, high, 0xDD);
}

inline Mask less(Vec a, Vec b) {
  return _mm256_cmp_ps(a, b, _CMP_LT_OQ);
}
inline Vec select(Mask m, Vec yes, Vec no) {
  return _mm256_blendv_ps(no, yes, m);
}

inline float sum(Vec x) {
  const __m128 b = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
inline float maximum(Vec x) {
  const __m128 b = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}

inline Doubles zero_doubles() {
  return {_mm256_setzero_pd(), _mm256_setzero_pd()};
}
inline void add_to(Doubles& total, Vec x) {
  total.low = _mm256_add_pd(total.low, _mm256_cvtps_pd(_mm256_castps256_ps128(x)));
  total.high = _mm256_add_pd(total.high, _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)));
}
inline void add_square_to(Doubles& total, Vec x) {
  const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(x));
  const __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
  total.low = _mm256_fmadd_pd(low, low, total.low);
  total.high = _mm256_fmadd_pd(high, high, total.high);
}
inline double sum(const Doubles& x) {
  const __m256d b = _mm256_add_pd(x.low, x.high);
  const __m128d c = _mm_add_pd(_mm256_castpd256_pd128(b), _mm256_extractf128_pd(b, 1));
  return _mm_cvtsd_f64(_mm_add_sd(c, _mm_unpackhi_pd(c, c)));
}

inline Words set_words(std::uint32_t x) {
  return Words{} + x;
}
inline Words is_less(Words a, Words b) {
  return reinterpret_cast<Words>(a < b) & 1u;
}  // 1 or 0
inline Vec to_float(Words x) {
  return _mm256_cvtepi32_ps(reinterpret_cast<__m256i>(x));
}  // x < 2^31
inline void multiply_wide(Words a, std::uint32_t b, Words& high, Words& low) {
  const __m256i x = reinterpret_cast<__m256i>(a);
  const __m256i factor = _mm256_set1_epi32(static_cast<int>(b));
  const __m256i even = _mm256_mul_epu32(x, factor);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), factor);
  low = reinterpret_cast<Words>(_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA));
  high = reinterpret_cast<Words>(_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA));
}
inline Words counter_offsets() {
  return Words{0, 2, 4, 6, 1, 3, 5, 7};
}
inline void transpose_counters(Words w[4]) {
  const __m256i a = reinterpret_cast<__m256i>(w[0]), b = reinterpret_cast<__m256i>(w[1]);
  const __m256i c = reinterpret_cast<__m256i>(w[2]), d = reinterpret_cast<__m256i>(w[3]);
  const __m256i ab_low = _mm256_unpacklo_epi32(a, b), ab_high = _mm256_unpackhi_epi32(a, b);
  const __m256i cd_low = _mm256_unpacklo_epi32(c, d), cd_high = _mm256_unpackhi_epi32(c, d);
  w[0] = reinterpret_cast<Words>(_mm256_unpacklo_epi64(ab_low, cd_low));
  w[1] = reinterpret_cast<Words>(_mm256_unpackhi_epi64(ab_low, cd_low));
  w[2] = reinterpret_cast<Words>(_mm256_unpacklo_epi64(ab_high, cd_high));
  w[3] = reinterpret_cast<Words>(_mm256_unpackhi_epi64(ab_high, cd_high));
}

}  // namespace
}  // namespace smallmind
