// exp, tanh, erf and what is built on them, per vector. Included after an ISA's vec.h; see kernels.h for the
// bounds.
//
// Polynomials are minimax fits (Remez exchange, then coefficients rounded to f32); each says its range and
// error. Everything is branch-free: both sides of a select are computed. NaN passes through; no intermediate
// depends on the rounding mode of denormals, because results below 2^-126 of exp are zero by definition.
#pragma once

namespace smallmind {
namespace {

constexpr float kExpLow = -0x1.5d589ep6f;  // -87.33654: the least float whose exp is a normal number
constexpr float kExpHigh = 0x1.62e42ep6f;  // 88.72283: the greatest float whose exp is finite
constexpr float kInfinity = __builtin_inff();

template <int kCount>
[[gnu::always_inline]] inline Vec polynomial(Vec x, const float (&coefficients)[kCount]) {
  Vec y = set(coefficients[kCount - 1]);
#pragma GCC unroll 16
  for (int i = kCount - 2; i >= 0; --i) y = mul_add(y, x, set(coefficients[i]));
  return y;
}

// e^x for x <= kExpHigh. x = n ln 2 + r, |r| <= ln 2 / 2; e^r = 1 + r + r^2 Q(r), Q of degree 4, relative
// error 3e-9. ln 2 is split in two (Cody and Waite): n times the first part, 16 bits, is exact without FMA.
[[gnu::always_inline]] inline Vec exp_bounded(Vec x) {
  constexpr float kQ[] = {0x1.fffffcp-2f, 0x1.55549p-3f, 0x1.5558f4p-5f, 0x1.123a6ap-7f, 0x1.6a2352p-10f};
  const Vec clamped = max(set(kExpLow), x);
  const Vec n = round(clamped * set(0x1.715476p0f));
  const Vec r = neg_mul_add(n, set(0x1.7f7d1cp-20f), neg_mul_add(n, set(0x1.62e4p-1f), clamped));
  const Vec p = mul_add(r * r, polynomial(r, kQ), r) + set(1.0f);
  return select(less(x, set(kExpLow)), zero(), scale_by_power(p, n));
}

[[gnu::always_inline]] inline Vec exp(Vec x) {
  return select(less(set(kExpHigh), x), set(kInfinity), exp_bounded(min(set(kExpHigh), x)));
}

// |x| < 0.625: x + x^3 P(x^2), relative error 2e-10; else 1 - 2 / (e^2|x| + 1), which is 1 from |x| = 10 on.
[[gnu::always_inline]] inline Vec tanh(Vec x) {
  constexpr float kP[] = {-0x1.555554p-2f, 0x1.111044p-3f,  -0x1.b9e792p-5f,
                          0x1.633bfp-6f,   -0x1.0a613cp-7f, 0x1.12fad8p-9f};
  const Vec a = abs(x);
  const Vec square = x * x;
  const Vec small = mul_add(a * square, polynomial(square, kP), a);
  const Vec e = exp_bounded(min(set(20.0f), a + a));
  const Vec large = set(1.0f) - set(2.0f) / (e + set(1.0f));
  return copysign(select(less(a, set(0.625f)), small, large), x);
}

// -ln erfc(z) for z >= 0 as z R(z), R of degree 9: the error of erfc that follows is 4e-10 / (z (1 + z)) up
// to z = 4.2. Beyond, R keeps growing and erfc underflows to 0.
[[gnu::always_inline]] inline Vec minus_log_erfc(Vec z) {
  constexpr float kR[] = {0x1.20dd76p+0f,   0x1.45f3p-1f,    0x1.a4f4cep-4f,   -0x1.394286p-6f,
                          -0x1.08cf9ep-12f, 0x1.d87f76p-10f, -0x1.869c0ap-11f, 0x1.6496f6p-13f,
                          -0x1.723c82p-16f, 0x1.550faap-20f};
  return z * polynomial(z, kR);
}

// |x| < 1: x P(x^2), error 2e-9; else 1 - erfc(|x|), which is 1 from |x| = 4 on.
[[gnu::always_inline]] inline Vec erf(Vec x) {
  constexpr float kP[] = {0x1.20dd74p+0f, -0x1.81273cp-2f,  0x1.ce2cb8p-4f, -0x1.b7f41ep-6f,
                          0x1.53d9fep-8f, -0x1.a299fcp-11f, 0x1.456664p-14f};
  const Vec a = abs(x);
  const Vec small = a * polynomial(x * x, kP);
  const Vec large = set(1.0f) - exp_bounded(zero() - minus_log_erfc(min(set(4.0f), a)));
  return copysign(select(less(a, set(1.0f)), small, large), x);
}

// s = 1 / (1 + e^-x) and 1 - s = e^-x s, which 1 - s in f32 would round away; below x = -87 their values there.
struct Sigmoid {
  Vec value, complement;
};

[[gnu::always_inline]] inline Sigmoid sigmoid(Vec x) {
  const Vec e = exp_bounded(zero() - max(set(-87.0f), x));
  const Vec s = set(1.0f) / (set(1.0f) + e);
  return {s, e * s};
}

[[gnu::always_inline]] inline Vec silu(Vec x) {
  const Vec bounded = max(set(-87.0f), x);
  return bounded / (set(1.0f) + exp_bounded(zero() - bounded));
}

// 0.5 x (1 + tanh u) = x / (1 + e^-2u), u = sqrt(2/pi) (x + 0.044715 x^3), which cancels nowhere.
constexpr float kGeluA = 0x1.988454p0f;   // 2 sqrt(2/pi) = 1.5957691
constexpr float kGeluB = 0x1.2444bcp-4f;  // 2 sqrt(2/pi) 0.044715 = 0.0713548

[[gnu::always_inline]] inline Vec gelu_tanh(Vec x) {
  const Vec bounded = max(set(-30.0f), x);  // gelu(-30) is 0 in f32, and infinities never meet
  const Vec two_u = bounded * mul_add(bounded * bounded, set(kGeluB), set(kGeluA));
  return bounded / (set(1.0f) + exp_bounded(zero() - max(set(-87.0f), two_u)));
}

// d/dx of x s(2u) = s + x s (1 - s) (2u)'.
[[gnu::always_inline]] inline Vec gelu_tanh_slope(Vec x) {
  const Vec bounded = min(set(30.0f), max(set(-30.0f), x));
  const Vec square = bounded * bounded;
  const Sigmoid s = sigmoid(bounded * mul_add(square, set(kGeluB), set(kGeluA)));
  const Vec two_u_slope = mul_add(square, set(3.0f * kGeluB), set(kGeluA));
  return mul_add(bounded * s.value * s.complement, two_u_slope, s.value);
}

// 0.5 x (1 + erf(x / sqrt 2)) = max(x, 0) - 0.5 |x| erfc(|x| / sqrt 2), which cancels nowhere.
constexpr float kSqrtHalf = 0x1.6a09e6p-1f;

[[gnu::always_inline]] inline Vec gelu_erf(Vec x) {
  const Vec a = min(set(30.0f), abs(x));
  const Vec erfc = exp_bounded(zero() - minus_log_erfc(a * set(kSqrtHalf)));
  return neg_mul_add(a * set(0.5f), erfc, max(zero(), x));
}

// Phi(x) + x phi(x), Phi from erfc as above, phi(x) = e^(-x^2/2) / sqrt(2 pi).
[[gnu::always_inline]] inline Vec gelu_erf_slope(Vec x) {
  const Vec bounded = min(set(30.0f), max(set(-30.0f), x));
  const Vec half_erfc = set(0.5f) * exp_bounded(zero() - minus_log_erfc(abs(bounded) * set(kSqrtHalf)));
  const Vec cumulative = select(less(bounded, zero()), half_erfc, set(1.0f) - half_erfc);
  const Vec density = set(0x1.988454p-2f) * exp_bounded(bounded * bounded * set(-0.5f));
  return mul_add(bounded, density, cumulative);
}

}  // namespace
}  // namespace smallmind
