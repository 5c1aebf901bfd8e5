// The vector contract of the kernels, over AVX-512 (F, BW, DQ, VL): 16 floats in one register.
//
// scalar/vec.h, avx2/vec.h, neon/vec.h and this file declare the same names, so that generic/*.inl and simple
// kernels are written once; what one of the four gains, all need (`make test-neon` compiles the one that
// others do not). Floats and words also take the operators + - * / and + - ^ >> of the compiler's vector
// types. All is in an anonymous namespace and inline: an ISA object may not export what it was compiled with.
//
// - Vec, Mask, Words, Doubles: kWidth floats; a bit or lane each; kWidth uint32; kWidth doubles.
// - load, store: unaligned. load_n, store_n: only the first n lanes, 0 <= n < kWidth; load_n fills the others
//   with 0 or a given value, store_n leaves them alone.
// - load_f16, load_bf16: kWidth 16-bit values, widened exactly.
// - min(a, b), max(a, b): b where either is NaN, so what must survive goes second.
// - mul_add: a * b + c; neg_mul_add: c - a * b; fused where the ISA has FMA. round: ties to even.
// - scale_by_power(p, n): p * 2^n for p in [0.5, 2], n integral in [-126, 128], a normal result or NaN; where
//   kScaleUnderflows, for any n and result.
// - lookup(table, t): table[i] of 16 or 32 floats, i the low four or five bits of t's representation; where
//   kFastLookup, at the price of an addition, and scale_by_power then takes any n and scales by 2^floor(n).
// - add_shifted(p, t): the sum of the representations of p and of t, shifted left by 18 bits.
// - interleave, deinterleave: 2 kWidth values in order, first then second, to and from those of even and odd
//   place.
// - sum, maximum: of the lanes, by halves: (i, i + kWidth/2) first, in this order on every call.
// - add_to, add_square_to: Doubles += Vec and += Vec * Vec, in double.
// - multiply_wide: 32 x 32 -> 64 bits. transpose_counters, counter_offsets: see generic/dropout.inl.
#pragma once

#include <immintrin.h>

#include "kernels/kernels.h"

namespace smallmind {
namespace {

using Vec = __m512;
using Mask = __mmask16;
using Words = std::uint32_t __attribute__((vector_size(64)));
struct Doubles {
  __m512d low, high;
};
constexpr Index kWidth = 16;
constexpr bool kScaleUnderflows = true;
constexpr bool kFastLookup = true;

inline Mask first_lanes(Index n) {
  return static_cast<Mask>((1u << n) - 1u);
}

inline Vec zero() {
  return _mm512_setzero_ps();
}
inline Vec set(float x) {
  return _mm512_set1_ps(x);
}
inline Vec load(const float* p) {
  return _mm512_loadu_ps(p);
}
inline Vec load_n(const float* p, Index n) {
  return _mm512_maskz_loadu_ps(first_lanes(n), p);
}
inline Vec load_n(const float* p, Index n, float fill) {
  return _mm512_mask_loadu_ps(set(fill), first_lanes(n), p);
}
inline void store(float* p, Vec x) {
  _mm512_storeu_ps(p, x);
}
inline void store_n(float* p, Vec x, Index n) {
  _mm512_mask_storeu_ps(p, first_lanes(n), x);
}
inline Vec load_f16(const std::uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline Vec load_bf16(const std::uint16_t* p) {
  const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

inline Vec mul_add(Vec a, Vec b, Vec c) {
  return _mm512_fmadd_ps(a, b, c);
}
inline Vec neg_mul_add(Vec a, Vec b, Vec c) {
  return _mm512_fnmadd_ps(a, b, c);
}
inline Vec min(Vec a, Vec b) {
  return _mm512_min_ps(a, b);
}
inline Vec max(Vec a, Vec b) {
  return _mm512_max_ps(a, b);
}
inline Vec sqrt(Vec x) {
  return _mm512_sqrt_ps(x);
}
inline Vec abs(Vec x) {
  return _mm512_abs_ps(x);
}
inline Vec copysign(Vec magnitude, Vec sign) {  // ternary logic 0xCA: first ? second : third, bit by bit
  const __m512i bit = _mm512_set1_epi32(static_cast<int>(0x80000000u));
  return _mm512_castsi512_ps(
      _mm512_ternarylogic_epi32(bit, _mm512_castps_si512(sign), _mm512_castps_si512(magnitude), 0xCA));
}
inline Vec round(Vec x) {
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline Vec scale_by_power(Vec p, Vec n) {
  return _mm512_scalef_ps(p, n);
}

inline Vec lookup(const float (&table)[16], Vec t) {
  return _mm512_permutexvar_ps(_mm512_castps_si512(t), load(table));
}
inline Vec lookup(const float (&table)[32], Vec t) {
  return _mm512_permutex2var_ps(load(table), _mm512_castps_si512(t), load(table + 16));
}
inline Vec add_shifted(Vec p, Vec t) {
  return _mm512_castsi512_ps(
      _mm512_add_epi32(_mm512_castps_si512(p), _mm512_slli_epi32(_mm512_castps_si512(t), 18)));
}
inline void interleave(Vec even, Vec odd, Vec& first, Vec& second) {
  const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  first = _mm512_permutex2var_ps(even, low, odd);
  second = _mm512_permutex2var_ps(even, _mm512_add_epi32(low, _mm512_set1_epi32(8)), odd);
}
inline void deinterleave(Vec first, Vec second, Vec& even, Vec& odd) {
  const __m512i evens = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  even = _mm512_permutex2var_ps(first, evens, second);
  odd = _mm512_permutex2var_ps(first, _mm512_or_epi32(evens, _mm512_set1_epi32(1)), second);
}

inline Mask less(Vec a, Vec b) {
  return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}
inline Vec select(Mask m, Vec yes, Vec no) {
  return _mm512_mask_blend_ps(m, no, yes);
}

inline float sum(Vec x) {
  const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
inline float maximum(Vec x) {
  const __m256 a = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  const __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}

inline Doubles zero_doubles() {
  return {_mm512_setzero_pd(), _mm512_setzero_pd()};
}
inline void add_to(Doubles& total, Vec x) {
  total.low = _mm512_add_pd(total.low, _mm512_cvtps_pd(_mm512_castps512_ps256(x)));
  total.high = _mm512_add_pd(total.high, _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)));
}
inline void add_square_to(Doubles& total, Vec x) {
  const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(x));
  const __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1));
  total.low = _mm512_fmadd_pd(low, low, total.low);
  total.high = _mm512_fmadd_pd(high, high, total.high);
}
inline double sum(const Doubles& x) {
  const __m512d a = _mm512_add_pd(x.low, x.high);
  const __m256d b = _mm256_add_pd(_mm512_castpd512_pd256(a), _mm512_extractf64x4_pd(a, 1));
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
  return _mm512_cvtepi32_ps(reinterpret_cast<__m512i>(x));
}  // x < 2^31
inline void multiply_wide(Words a, std::uint32_t b, Words& high, Words& low) {
  const __m512i x = reinterpret_cast<__m512i>(a);
  const __m512i factor = _mm512_set1_epi32(static_cast<int>(b));
  const __m512i even = _mm512_mul_epu32(x, factor);
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(x, 32), factor);
  low = reinterpret_cast<Words>(_mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32)));
  high = reinterpret_cast<Words>(_mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd));
}
inline Words counter_offsets() {
  return Words{0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
}
inline void transpose_counters(Words w[4]) {
  const __m512i a = reinterpret_cast<__m512i>(w[0]), b = reinterpret_cast<__m512i>(w[1]);
  const __m512i c = reinterpret_cast<__m512i>(w[2]), d = reinterpret_cast<__m512i>(w[3]);
  const __m512i ab_low = _mm512_unpacklo_epi32(a, b), ab_high = _mm512_unpackhi_epi32(a, b);
  const __m512i cd_low = _mm512_unpacklo_epi32(c, d), cd_high = _mm512_unpackhi_epi32(c, d);
  w[0] = reinterpret_cast<Words>(_mm512_unpacklo_epi64(ab_low, cd_low));
  w[1] = reinterpret_cast<Words>(_mm512_unpackhi_epi64(ab_low, cd_low));
  w[2] = reinterpret_cast<Words>(_mm512_unpacklo_epi64(ab_high, cd_high));
  w[3] = reinterpret_cast<Words>(_mm512_unpackhi_epi64(ab_high, cd_high));
}

}  // namespace
}  // namespace smallmind
