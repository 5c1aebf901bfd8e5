// Smooth functions of one argument a >= 0 as 16 polynomials, for instruction sets whose vec.h says
// kFastLookup: a table of 16 floats is one register, and choosing one per lane costs as much as an addition.
// A function then takes 15 to 20 instructions without a division; through 2^t it takes 25 and a division.
//
// Piece k covers a / h in [k - 1/2, k + 1/2] and is a polynomial in r = a / h - k; the last piece is
// constant, the function's value at infinity, and arguments beyond it are moved there. The compiler computes
// the coefficients: it interpolates in double at the Chebyshev nodes of each piece, so there is no list of
// numbers to get wrong.
#pragma once

namespace smallmind {
namespace {

namespace at_compile_time {

// e^x for |x| < 700, error some 1e-13: ten squarings of e^(x/1024).
constexpr double exp(double x) {
  const double y = x / 1024;
  double term = 1, sum = 1;
  for (int i = 1; i < 14; ++i) {
    term *= y / i;
    sum += term;
  }
  for (int i = 0; i < 10; ++i) sum *= sum;
  return sum;
}

// erf(z) = 2 z / sqrt(pi) e^(-z^2) (1 + 2 z^2 / 3 + (2 z^2)^2 / (3 5) + ...): all terms have one sign
constexpr double erf(double z) {
  double term = z, sum = z;
  for (int i = 1; i < 120; ++i) {
    term *= 2 * z * z / (2 * i + 1);
    sum += term;
  }
  return 1.1283791670955126 * exp(-z * z) * sum;
}

constexpr double tanh(double x) {
  return 1 - 2 / (exp(2 * x) + 1);
}

constexpr double cosine(double x) {  // |x| <= pi
  double term = 1, sum = 1;
  for (int i = 1; i < 14; ++i) {
    term *= -x * x / ((2 * i - 1) * (2 * i));
    sum += term;
  }
  return sum;
}

constexpr double kPi = 3.141592653589793;
constexpr double kRootTwoOverPi = 0.7978845608028654;

// 1 - s(2u), u = sqrt(2/pi) (a + 0.044715 a^3): what gelu_tanh(a) lacks of a, divided by a
constexpr double gelu_tanh_lack(double a) {
  return 1 / (1 + exp(2 * kRootTwoOverPi * (a + 0.044715 * a * a * a)));
}
constexpr double gelu_tanh_lack_slope(double a) {  // of a times the above
  const double s = gelu_tanh_lack(a);
  return s - a * s * (1 - s) * 2 * kRootTwoOverPi * (1 + 3 * 0.044715 * a * a);
}
constexpr double gelu_erf_lack(double a) {
  return 0.5 * (1 - erf(a * 0.7071067811865476));
}
constexpr double gelu_erf_lack_slope(double a) {
  return gelu_erf_lack(a) - 0.5 * a * kRootTwoOverPi * exp(-0.5 * a * a);
}
}  // namespace at_compile_time

template <int kDegree>
struct Pieces {
  float coefficient[kDegree + 1][16];
  float per_width, last;  // 1 / h, and the argument that stands for all of the last piece

  // f over [0, end], `beyond` after it
  constexpr Pieces(double (*f)(double), double end, double beyond)
      : coefficient{}, per_width{static_cast<float>(14.5 / end)}, last{static_cast<float>(15 / 14.5 * end)} {
    const double h = 1.0 / static_cast<double>(per_width);
    for (int k = 0; k < 15; ++k) fit(k, h, f);
    coefficient[0][15] = static_cast<float>(beyond);
  }

 private:
  // Newton's divided differences through the nodes, then their products multiplied out.
  constexpr void fit(int k, double h, double (*f)(double)) {
    double node[kDegree + 1] = {}, difference[kDegree + 1] = {}, power[kDegree + 1] = {};
    for (int i = 0; i <= kDegree; ++i) {
      node[i] = 0.5 * at_compile_time::cosine(at_compile_time::kPi * (2 * i + 1) / (2 * kDegree + 2));
      difference[i] = f(h * (k + node[i]));
    }
    for (int order = 1; order <= kDegree; ++order) {
      for (int i = kDegree; i >= order; --i)
        difference[i] = (difference[i] - difference[i - 1]) / (node[i] - node[i - order]);
    }
    for (int i = kDegree; i >= 0; --i) {
      for (int p = kDegree; p > 0; --p) power[p] = power[p - 1] - node[i] * power[p];
      power[0] = difference[i] - node[i] * power[0];
    }
    for (int p = 0; p <= kDegree; ++p) coefficient[p][k] = static_cast<float>(power[p]);
  }
};

// The function at a >= 0, bounded by `last`; a NaN gives NaN.
template <int kDegree>
[[gnu::always_inline]] inline Vec evaluate(const Pieces<kDegree>& f, Vec a) {
  const Vec shift = set(0x1.8p23f), factor = set(f.per_width);
  const Vec shifted = mul_add(a, factor, shift);  // its low four bits are the index
  const Vec minus_r = neg_mul_add(a, factor, shifted - shift);
  Vec y = lookup(f.coefficient[kDegree], shifted);
#pragma GCC unroll 8
  for (int p = kDegree - 1; p >= 0; --p) y = neg_mul_add(y, minus_r, lookup(f.coefficient[p], shifted));
  return y;
}

template <int kDegree>
[[gnu::always_inline]] inline Vec magnitude_within(const Pieces<kDegree>& f, Vec x) {
  return min(set(f.last), abs(x));
}

// Errors: 2e-8 absolute for those multiplied by a; tanh and erf 2e-8 relative.
alignas(64) constexpr Pieces<5> kGeluTanhPieces(at_compile_time::gelu_tanh_lack, 5.3, 0);
alignas(64) constexpr Pieces<6> kGeluTanhSlopePieces(at_compile_time::gelu_tanh_lack_slope, 5.9, 0);
alignas(64) constexpr Pieces<5> kGeluErfPieces(at_compile_time::gelu_erf_lack, 5.7, 0);
alignas(64) constexpr Pieces<6> kGeluErfSlopePieces(at_compile_time::gelu_erf_lack_slope, 6.0, 0);
alignas(64) constexpr Pieces<8> kTanhPieces(at_compile_time::tanh, 9.1, 1);
alignas(64) constexpr Pieces<7> kErfPieces(at_compile_time::erf, 4.0, 1);

}  // namespace
}  // namespace smallmind
