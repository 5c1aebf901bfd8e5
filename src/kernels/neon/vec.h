// The vector contract of the kernels (described in avx512/vec.h) over NEON of AArch64: 4 floats in one
// register.
//
// Every AArch64 has these instructions, FMA and the conversion of binary16 included, so nothing is asked of
// the CPU. NEON has no masked loads or stores: load_n and store_n move 1 to 3 lanes one by one and touch
// nothing beyond.
#pragma once

#include <arm_neon.h>

#include "kernels/kernels.h"

namespace smallmind {
namespace {

using Vec = float32x4_t;
using Mask = uint32x4_t;
using Words = std::uint32_t __attribute__((vector_size(16)));
struct Doubles {
  float64x2_t low, high;
};
constexpr Index kWidth = 4;
constexpr bool kScaleUnderflows = false;
constexpr bool kFastLookup = false;

inline Vec zero() {
  return vdupq_n_f32(0.0f);
}
inline Vec set(float x) {
  return vdupq_n_f32(x);
}
inline Vec load(const float* p) {
  return vld1q_f32(p);
}
inline Vec load_n(const float* p, Index n, float fill) {
  Vec x = set(fill);
  if (n > 0) x = vld1q_lane_f32(p, x, 0);
  if (n > 1) x = vld1q_lane_f32(p + 1, x, 1);
  if (n > 2) x = vld1q_lane_f32(p + 2, x, 2);
  return x;
}
inline Vec load_n(const float* p, Index n) {
  return load_n(p, n, 0.0f);
}
inline void store(float* p, Vec x) {
  vst1q_f32(p, x);
}
inline void store_n(float* p, Vec x, Index n) {
  if (n > 0) vst1q_lane_f32(p, x, 0);
  if (n > 1) vst1q_lane_f32(p + 1, x, 1);
  if (n > 2) vst1q_lane_f32(p + 2, x, 2);
}
inline Vec load_f16(const std::uint16_t* p) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
inline Vec load_bf16(const std::uint16_t* p) {
  return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(vld1_u16(p)), 16));
}

inline Vec mul_add(Vec a, Vec b, Vec c) {
  return vfmaq_f32(c, a, b);
}
inline Vec neg_mul_add(Vec a, Vec b, Vec c) {
  return vfmsq_f32(c, a, b);
}
// Compare and select: fmin and fmax give a NaN for either operand, fminnm and fmaxnm for neither.
inline Vec min(Vec a, Vec b) {
  return vbslq_f32(vcltq_f32(a, b), a, b);
}
inline Vec max(Vec a, Vec b) {
  return vbslq_f32(vcgtq_f32(a, b), a, b);
}
inline Vec sqrt(Vec x) {
  return vsqrtq_f32(x);
}
inline Vec abs(Vec x) {
  return vabsq_f32(x);
}
inline Vec copysign(Vec magnitude, Vec sign) {
  return vbslq_f32(vdupq_n_u32(0x80000000u), sign, magnitude);
}
inline Vec round(Vec x) {
  return vrndnq_f32(x);
}
// The conversion of a NaN is 0.
inline Vec scale_by_power(Vec p, Vec n) {
  const int32x4_t exponent = vshlq_n_s32(vcvtnq_s32_f32(n), 23);
  return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(p), exponent));
}

template <int kCount>
inline Vec lookup(const float (&table)[kCount], Vec t) {
  const uint32x4_t i = vandq_u32(vreinterpretq_u32_f32(t), vdupq_n_u32(kCount - 1));
  const float lanes[4] = {table[vgetq_lane_u32(i, 0)], table[vgetq_lane_u32(i, 1)],
                          table[vgetq_lane_u32(i, 2)], table[vgetq_lane_u32(i, 3)]};
  return load(lanes);
}
inline Vec add_shifted(Vec p, Vec t) {
  return vreinterpretq_f32_u32(
      vaddq_u32(vreinterpretq_u32_f32(p), vshlq_n_u32(vreinterpretq_u32_f32(t), 18)));
}
inline void interleave(Vec even, Vec odd, Vec& first, Vec& second) {
  first = vzip1q_f32(even, odd);
  second = vzip2q_f32(even, odd);
}
inline void deinterleave(Vec first, Vec second, Vec& even, Vec& odd) {
  even = vuzp1q_f32(first, second);
  odd = vuzp2q_f32(first, second);
}

inline Mask less(Vec a, Vec b) {
  return vcltq_f32(a, b);
}
inline Vec select(Mask m, Vec yes, Vec no) {
  return vbslq_f32(m, yes, no);
}

inline float sum(Vec x) {
  const float32x2_t b = vadd_f32(vget_low_f32(x), vget_high_f32(x));
  return vpadds_f32(b);
}
inline float maximum(Vec x) {
  const float32x2_t low = vget_low_f32(x), high = vget_high_f32(x);
  const float32x2_t b = vbsl_f32(vcgt_f32(low, high), low, high);
  const float first = vget_lane_f32(b, 0), second = vget_lane_f32(b, 1);
  return first > second ? first : second;
}

inline Doubles zero_doubles() {
  return {vdupq_n_f64(0.0), vdupq_n_f64(0.0)};
}
inline void add_to(Doubles& total, Vec x) {
  total.low = vaddq_f64(total.low, vcvt_f64_f32(vget_low_f32(x)));
  total.high = vaddq_f64(total.high, vcvt_high_f64_f32(x));
}
inline void add_square_to(Doubles& total, Vec x) {
  const float64x2_t low = vcvt_f64_f32(vget_low_f32(x)), high = vcvt_high_f64_f32(x);
  total.low = vfmaq_f64(total.low, low, low);
  total.high = vfmaq_f64(total.high, high, high);
}
inline double sum(const Doubles& x) {
  return vpaddd_f64(vaddq_f64(x.low, x.high));
}

inline Words set_words(std::uint32_t x) {
  return Words{} + x;
}
inline Words is_less(Words a, Words b) {
  return reinterpret_cast<Words>(a < b) & 1u;
}  // 1 or 0
inline Vec to_float(Words x) {
  return vcvtq_f32_u32(reinterpret_cast<uint32x4_t>(x));
}
inline void multiply_wide(Words a, std::uint32_t b, Words& high, Words& low) {
  const uint32x4_t x = reinterpret_cast<uint32x4_t>(a);
  const uint32x4_t first = vreinterpretq_u32_u64(vmull_n_u32(vget_low_u32(x), b));
  const uint32x4_t second = vreinterpretq_u32_u64(vmull_high_n_u32(x, b));
  low = reinterpret_cast<Words>(vuzp1q_u32(first, second));
  high = reinterpret_cast<Words>(vuzp2q_u32(first, second));
}
inline Words counter_offsets() {
  return Words{0, 1, 2, 3};
}
inline void transpose_counters(Words w[4]) {
  const uint32x4_t a = reinterpret_cast<uint32x4_t>(w[0]), b = reinterpret_cast<uint32x4_t>(w[1]);
  const uint32x4_t c = reinterpret_cast<uint32x4_t>(w[2]), d = reinterpret_cast<uint32x4_t>(w[3]);
  const auto pairs = [](uint32x4_t x) { return vreinterpretq_u64_u32(x); };
  const uint64x2_t ab_low = pairs(vzip1q_u32(a, b)), ab_high = pairs(vzip2q_u32(a, b));
  const uint64x2_t cd_low = pairs(vzip1q_u32(c, d)), cd_high = pairs(vzip2q_u32(c, d));
  w[0] = reinterpret_cast<Words>(vzip1q_u64(ab_low, cd_low));
  w[1] = reinterpret_cast<Words>(vzip2q_u64(ab_low, cd_low));
  w[2] = reinterpret_cast<Words>(vzip1q_u64(ab_high, cd_high));
  w[3] = reinterpret_cast<Words>(vzip2q_u64(ab_high, cd_high));
}

}  // namespace
}  // namespace smallmind
