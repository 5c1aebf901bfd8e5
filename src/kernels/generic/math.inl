// exp, tanh, erf and what is built on them, per vector. Included after an ISA's vec.h; kernels.h states the
// bounds.
//
// Polynomials are minimax fits (Remez exchange, coefficients then rounded to f32); each says its range and
// error. Every function is free of branches: both sides of a select are computed. NaN passes through. The
// activations use 2^t with the factor log2(e) folded into their constants: its error grows with |t|, that is
// where the result vanishes. exp itself reduces its argument in two steps and keeps 2 ulp everywhere.
#pragma once

#include "kernels/generic/pieces.inl"

namespace smallmind {
namespace {

constexpr float kInfinity = __builtin_inff();
constexpr float kLog2E = 0x1.715476p0f;
constexpr float kLog2ERest = 0x1.4ae0cp-26f;  // what kLog2E lacks

template <int kCount>
[[gnu::always_inline]] inline Vec polynomial(Vec x, const float (&coefficients)[kCount]) {
  Vec y = set(coefficients[kCount - 1]);
#pragma GCC unroll 16
  for (int i = kCount - 2; i >= 0; --i) y = mul_add(y, x, set(coefficients[i]));
  return y;
}

// 2^(k/32), correctly rounded; `offset` lacks the k that add_shifted adds to the fraction.
struct RootsOfTwo {
  float value[32], offset[32];
  constexpr RootsOfTwo() : value{}, offset{} {
    constexpr double kRoots[5] = {0x1.059b0d3158574p+0, 0x1.0b5586cf9890fp+0, 0x1.172b83c7d517bp+0,
                                  0x1.306fe0a31b715p+0, 0x1.6a09e667f3bcdp+0};  // 2^(1/32) ... 2^(1/2)
    for (std::uint32_t k = 0; k < 32; ++k) {
      double product = 1.0;
      for (std::uint32_t b = 0; b < 5; ++b) product *= (k >> b & 1) != 0 ? kRoots[b] : 1.0;
      value[k] = static_cast<float>(product);
      offset[k] = __builtin_bit_cast(float, __builtin_bit_cast(std::uint32_t, value[k]) - (k << 18));
    }
  }
};
alignas(64) constexpr RootsOfTwo kRootsOfTwo;

// Adding this rounds x to n/32: the low five bits of the sum are n mod 32, and n's integer part lies above
// them.
constexpr float kInSteps = 0x1.8p18f;

// 2^(x factor - c) where kFastLookup, shift = kInSteps - c and c is a multiple of 1/32 below 2^17. What the
// steps leave, u in [-1/64, 1/64], needs degree 2 for a relative error of 6e-8: five multiplications, where a
// polynomial on [-1/2, 1/2] takes nine. The result must be below 2^128; at 2^-127 it is 0, and in between
// wrong by less than 2^-127.
[[gnu::always_inline]] inline Vec exp2_by_lookup(Vec x, Vec factor, Vec shift) {
  const Vec shifted = mul_add(x, factor, shift);
  const Vec minus_u = neg_mul_add(x, factor, shifted - shift);
  const Vec q = mul_add(minus_u, set(0x1.ebfbep-3f), set(-0x1.62e584p-1f));
  const Vec root = add_shifted(lookup(kRootsOfTwo.offset, shifted), shifted);
  return mul_add(root * minus_u, q, root);
}

// e^x. x = n ln 2 + r, |r| <= ln 2 / 2; e^r by degree 6, relative error 2e-9. ln 2 is split in two (Cody and
// Waite): n times the first part, 16 bits, is exact without FMA. Below ln 2^-126 the result is zero (with
// AVX-512 the denormal number, unless the thread flushes those).
[[gnu::always_inline]] inline Vec exp(Vec x) {
  constexpr float kP[] = {1.0f,           1.0f,           0x1.fffffcp-2f, 0x1.555418p-3f,
                          0x1.555826p-5f, 0x1.12682ep-7f, 0x1.6ae69p-10f};
  constexpr float kLow =
      kScaleUnderflows ? -110.0f : -0x1.5d589ep6f;  // -87.33654: the least with a normal result
  constexpr float kHigh = 0x1.62e42ep6f;            // 88.72283: the greatest with a finite one
  const Vec bounded = min(set(kHigh), max(set(kLow), x));
  if constexpr (kFastLookup) {  // at 89 the scaling gives infinity by itself: no float is near the border
    const Vec within = min(set(89.0f), max(set(kLow), x)), shift = set(kInSteps);
    const Vec shifted = mul_add(within, set(kLog2E), shift);
    const Vec n = shifted - shift;
    const Vec minus_u = neg_mul_add(within, set(kLog2ERest), neg_mul_add(within, set(kLog2E), n));
    const Vec q = mul_add(minus_u, set(-0x1.c6b08ep-5f), set(0x1.ebfbep-3f));  // degree 3: 2e-10
    const Vec root = lookup(kRootsOfTwo.value, shifted);
    return scale_by_power(mul_add(root * minus_u, mul_add(minus_u, q, set(-0x1.62e43p-1f)), root), n);
  }
  const Vec n = round(bounded * set(kLog2E));
  const Vec r = neg_mul_add(n, set(0x1.7f7d1cp-20f), neg_mul_add(n, set(0x1.62e4p-1f), bounded));
  const Vec y = select(less(set(kHigh), x), set(kInfinity), scale_by_power(polynomial(r, kP), n));
  return kScaleUnderflows ? y : select(less(x, set(kLow)), zero(), y);
}

// 2^t for t <= 127, by degree 6 on [-0.5, 0.5], relative error 2e-9. Below -126 as exp.
[[gnu::always_inline]] inline Vec exp2(Vec t) {
  constexpr float kP[] = {1.0f,          0x1.62e43p-1f,  0x1.ebfbdcp-3f, 0x1.c6aee6p-5f,
                          0x1.3b2d5p-7f, 0x1.5f3f3p-10f, 0x1.41fb2ep-13f};
  constexpr float kLow = kScaleUnderflows ? -160.0f : -126.0f;
  if constexpr (kFastLookup) {
    return exp2_by_lookup(max(set(-127.0f), t), set(1.0f), set(kInSteps));
  }
  const Vec bounded = max(set(kLow), t);
  const Vec n = round(bounded);
  const Vec y = scale_by_power(polynomial(bounded - n, kP), n);
  return kScaleUnderflows ? y : select(less(t, set(kLow)), zero(), y);
}

constexpr float kLeastExponent = -0x1.601e68p+6f;  // -127 ln 2: exp2_by_lookup gives 0 here

// e^x for x <= 87, relative error (2 + |x|) 2^-23: for weights like softmax's, which are small where the
// error is not.
[[gnu::always_inline]] inline Vec exp_bounded(Vec x) {
  if constexpr (kFastLookup) {
    return exp2_by_lookup(max(set(kLeastExponent), x), set(kLog2E), set(kInSteps));
  }
  return exp2(x * set(kLog2E));
}

// |x| < 0.55: x + x^3 P(x^2), relative error 1e-9; else 1 - 2 / (e^2|x| + 1), which is 1 from |x| = 10 on.
[[gnu::always_inline]] inline Vec tanh(Vec x) {
  if constexpr (kFastLookup) return copysign(evaluate(kTanhPieces, magnitude_within(kTanhPieces, x)), x);
  constexpr float kP[] = {-0x1.55554cp-2f, 0x1.110d3cp-3f, -0x1.b92bf4p-5f, 0x1.595832p-6f, -0x1.9bc2f4p-8f};
  const Vec a = abs(x);
  const Vec square = x * x;
  const Vec small = mul_add(a * square, polynomial(square, kP), a);
  const Vec e = exp2(min(set(30.0f), a * set(2.0f * kLog2E)));
  const Vec large = set(1.0f) - set(2.0f) / (e + set(1.0f));
  return copysign(select(less(a, set(0.55f)), small, large), x);
}

// erfc(z), z >= 0, as 2^(z R(z)), R of degree 7: absolute error 4e-8 / (1 + z) for z <= 4.2, and 0 soon
// after.
[[gnu::always_inline]] inline Vec erfc(Vec z) {
  constexpr float kR[] = {-0x1.a0beb4p+0f, -0x1.d63812p-1f,  -0x1.304adcp-3f, 0x1.d2984cp-6f,
                          -0x1.10b7ep-10f, -0x1.5aa7c4p-10f, 0x1.9bcb78p-12f, -0x1.4577f4p-15f};
  return exp2(z * polynomial(z, kR));
}

// |x| < 1: x P(x^2), error 2e-9; else 1 - erfc(|x|), which is 1 from |x| = 4 on.
[[gnu::always_inline]] inline Vec erf(Vec x) {
  if constexpr (kFastLookup) return copysign(evaluate(kErfPieces, magnitude_within(kErfPieces, x)), x);
  constexpr float kP[] = {0x1.20dd74p+0f, -0x1.81273cp-2f,  0x1.ce2cb8p-4f, -0x1.b7f41ep-6f,
                          0x1.53d9fep-8f, -0x1.a299fcp-11f, 0x1.456664p-14f};
  const Vec a = abs(x);
  const Vec small = a * polynomial(x * x, kP);
  const Vec large = set(1.0f) - erfc(min(set(4.0f), a));
  return copysign(select(less(a, set(1.0f)), small, large), x);
}

// s = 1 / (1 + 2^-t) for t >= -126, and 1 - s = 2^-t s, which a subtraction in f32 would round away.
struct Sigmoid {
  Vec value, complement;
};

[[gnu::always_inline]] inline Sigmoid sigmoid(Vec minus_t) {
  const Vec e = exp2(minus_t);
  const Vec s = set(1.0f) / (set(1.0f) + e);
  return {s, e * s};
}

// max(x, 0) - |x| f(|x|)
template <int kDegree>
[[gnu::always_inline]] inline Vec rectifier_less(const Pieces<kDegree>& f, Vec x) {
  const Vec a = magnitude_within(f, x);
  return neg_mul_add(a, evaluate(f, a), max(zero(), x));
}

// f(|x|) for x < 0, 1 - f(|x|) else
template <int kDegree>
[[gnu::always_inline]] inline Vec step_less(const Pieces<kDegree>& f, Vec x) {
  const Vec y = evaluate(f, magnitude_within(f, x));
  return select(less(x, zero()), y, set(1.0f) - y);
}

constexpr float kSiluLow = -87.0f;  // silu(-87) is -1e-36: what lies below gets the same

[[gnu::always_inline]] inline Vec silu(Vec x) {
  const Vec bounded = max(set(kSiluLow), x);
  return bounded / (set(1.0f) + exp2(bounded * set(-kLog2E)));
}

// 0.5 x (1 + tanh u) = x / (1 + e^-2u), u = sqrt(2/pi) (x + 0.044715 x^3), which cancels nowhere.
constexpr float kGeluEnd = 10.0f;              // 2^-t stays below 2^126; gelu(-10) is -1e-37
constexpr float kGeluA = 0x1.26aec2p+1f;       // 2 sqrt(2/pi) log2(e)
constexpr float kGeluB = 0x1.a5a7dp-4f;        // kGeluA * 0.044715
constexpr float kGeluSlopeA = 0x1.988454p0f;   // 2 sqrt(2/pi)
constexpr float kGeluSlopeB = 0x1.b6676cp-3f;  // 3 * kGeluSlopeA * 0.044715

[[gnu::always_inline]] inline Vec gelu_tanh(Vec x) {
  if constexpr (kFastLookup) return rectifier_less(kGeluTanhPieces, x);
  const Vec bounded = max(set(-kGeluEnd), x);
  const Vec minus_t = bounded * mul_add(bounded * bounded, set(-kGeluB), set(-kGeluA));
  return bounded / (set(1.0f) + exp2(minus_t));
}

// d/dx of x s(2u) = s + x s (1 - s) (2u)'.
[[gnu::always_inline]] inline Vec gelu_tanh_slope(Vec x) {
  if constexpr (kFastLookup) return step_less(kGeluTanhSlopePieces, x);
  const Vec bounded = min(set(kGeluEnd), max(set(-kGeluEnd), x));
  const Vec square = bounded * bounded;
  const Sigmoid s = sigmoid(bounded * mul_add(square, set(-kGeluB), set(-kGeluA)));
  const Vec two_u_slope = mul_add(square, set(kGeluSlopeB), set(kGeluSlopeA));
  return mul_add(bounded * s.value * s.complement, two_u_slope, s.value);
}

// 0.5 x (1 + erf(x / sqrt 2)) = max(x, 0) - 0.5 |x| erfc(|x| / sqrt 2), which cancels nowhere.
constexpr float kSqrtHalf = 0x1.6a09e6p-1f;
constexpr float kGeluErfEnd = 30.0f;  // erfc is 0 there

[[gnu::always_inline]] inline Vec gelu_erf(Vec x) {
  if constexpr (kFastLookup) return rectifier_less(kGeluErfPieces, x);
  const Vec a = min(set(kGeluErfEnd), abs(x));
  return neg_mul_add(a * set(0.5f), erfc(a * set(kSqrtHalf)), max(zero(), x));
}

// Phi(x) + x phi(x), Phi from erfc as above, phi(x) = e^(-x^2/2) / sqrt(2 pi).
[[gnu::always_inline]] inline Vec gelu_erf_slope(Vec x) {
  if constexpr (kFastLookup) return step_less(kGeluErfSlopePieces, x);
  const Vec bounded = min(set(kGeluErfEnd), max(set(-kGeluErfEnd), x));
  const Vec half_erfc = set(0.5f) * erfc(abs(bounded) * set(kSqrtHalf));
  const Vec cumulative = select(less(bounded, zero()), half_erfc, set(1.0f) - half_erfc);
  const Vec density = set(0x1.988454p-2f) * exp2(bounded * bounded * set(-0.5f * kLog2E));
  return mul_add(bounded, density, cumulative);
}

}  // namespace
}  // namespace smallmind
