// The vector contract of the kernels (described in avx512/vec.h) with one lane: plain C++ for any CPU. What
// it gives is the truth that the other instruction sets are tested against. Where the CPU has no FMA, mul_add
// rounds twice.
#pragma once

#include "kernels/kernels.h"
#include "tensor/half.h"

namespace smallmind {
namespace {

using Vec = float;
using Mask = bool;
using Words = std::uint32_t;
using Doubles = double;
constexpr Index kWidth = 1;
constexpr bool kScaleUnderflows = false;
constexpr bool kFastLookup = false;

inline Vec zero() {
  return 0.0f;
}
inline Vec set(float x) {
  return x;
}
inline Vec load(const float* p) {
  return *p;
}
inline Vec load_n(const float*, Index) {
  return 0.0f;
}
inline Vec load_n(const float*, Index, float fill) {
  return fill;
}
inline void store(float* p, Vec x) {
  *p = x;
}
inline void store_n(float*, Vec, Index) {}
inline Vec load_f16(const std::uint16_t* p) {
  return f16_to_f32(*p);
}
inline Vec load_bf16(const std::uint16_t* p) {
  return bf16_to_f32(*p);
}

inline Vec mul_add(Vec a, Vec b, Vec c) {
#ifdef __FP_FAST_FMAF
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}
inline Vec neg_mul_add(Vec a, Vec b, Vec c) {
  return mul_add(-a, b, c);
}
inline Vec min(Vec a, Vec b) {
  return a < b ? a : b;
}
inline Vec max(Vec a, Vec b) {
  return a > b ? a : b;
}
inline Vec sqrt(Vec x) {
  return __builtin_sqrtf(x);
}
inline Vec abs(Vec x) {
  return __builtin_fabsf(x);
}
inline Vec copysign(Vec magnitude, Vec sign) {
  return __builtin_copysignf(magnitude, sign);
}
inline Vec round(Vec x) {
  return __builtin_rintf(x);
}
inline Vec scale_by_power(Vec p, Vec n) {
  const std::int32_t power = n == n ? static_cast<std::int32_t>(n) : 0;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(p) + (static_cast<std::uint32_t>(power) << 23));
}

inline Vec lookup(const float (&table)[16], Vec t) {
  return table[std::bit_cast<std::uint32_t>(t) & 15];
}
inline Vec lookup(const float (&table)[32], Vec t) {
  return table[std::bit_cast<std::uint32_t>(t) & 31];
}
inline Vec add_shifted(Vec p, Vec t) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(p) + (std::bit_cast<std::uint32_t>(t) << 18));
}
inline void interleave(Vec even, Vec odd, Vec& first, Vec& second) {
  first = even;
  second = odd;
}
inline void deinterleave(Vec first, Vec second, Vec& even, Vec& odd) {
  even = first;
  odd = second;
}

inline Mask less(Vec a, Vec b) {
  return a < b;
}
inline Vec select(Mask m, Vec yes, Vec no) {
  return m ? yes : no;
}
inline float sum(Vec x) {
  return x;
}
inline float maximum(Vec x) {
  return x;
}

inline Doubles zero_doubles() {
  return 0.0;
}
inline void add_to(Doubles& total, Vec x) {
  total += static_cast<double>(x);
}
inline void add_square_to(Doubles& total, Vec x) {
  total += static_cast<double>(x) * static_cast<double>(x);
}
inline double sum(const Doubles& x) {
  return x;
}

inline Words set_words(std::uint32_t x) {
  return x;
}
inline Words is_less(Words a, Words b) {
  return a < b ? 1u : 0u;
}
inline Vec to_float(Words x) {
  return static_cast<float>(x);
}
inline void multiply_wide(Words a, std::uint32_t b, Words& high, Words& low) {
  const std::uint64_t product = std::uint64_t{a} * b;
  high = static_cast<std::uint32_t>(product >> 32);
  low = static_cast<std::uint32_t>(product);
}
inline Words counter_offsets() {
  return 0;
}
inline void transpose_counters(Words*) {}

}  // namespace
}  // namespace smallmind
