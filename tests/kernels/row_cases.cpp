// The cases of row_cases.h. References are written from the formulas of kernels.h, not from the kernels.
#include "row_cases.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>

#include "base/random.h"
#include "tensor/half.h"

namespace smallmind::row_cases {
namespace {

constexpr Index kGuard = 32;
constexpr float kGuardValue = -12345.0f;
constexpr double kPi = 3.14159265358979323846;

// Uniform in [-3, 3), reproducible, cheap.
float value(std::uint32_t seed, Index i) {
  std::uint64_t x = (static_cast<std::uint64_t>(seed) << 40) + static_cast<std::uint64_t>(i) + 1;
  x *= 0x9E3779B97F4A7C15u;
  x ^= x >> 29;
  x *= 0xBF58476D1CE4E5B9u;
  return static_cast<float>(x >> 40) * (6.0f * 0x1p-24f) - 3.0f;
}

// n floats at a chosen distance from a 64-byte boundary, between guards.
class Buffer {
 public:
  Buffer(Index n, Index shift) : n_(n), storage_(static_cast<std::size_t>(n + 2 * kGuard + 32), kGuardValue) {
    const auto address = reinterpret_cast<std::uintptr_t>(storage_.data() + kGuard);
    start_ = kGuard + static_cast<Index>((64 - address % 64) % 64 / sizeof(float)) + shift;
  }
  Buffer(Index n, Index shift, std::uint32_t seed) : Buffer(n, shift) {
    for (Index i = 0; i < n; ++i) data()[i] = value(seed, i);
  }
  ~Buffer() {
    for (Index i = 0; i < static_cast<Index>(storage_.size()); ++i) {
      if (i >= start_ && i < start_ + n_) continue;
      if (storage_[static_cast<std::size_t>(i)] != kGuardValue)
        ADD_FAILURE() << "wrote at " << i - start_ << " of " << n_;
    }
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  float* data() { return storage_.data() + start_; }
  void append_to(std::vector<float>& all) { all.insert(all.end(), data(), data() + n_); }

 private:
  Index n_, start_;
  std::vector<float> storage_;
};

using Unary = void (*KernelTable::*)(const float*, Index, float*) noexcept;
using Binary = void (*KernelTable::*)(const float*, const float*, Index, float*) noexcept;
using Gradient = void (*KernelTable::*)(const float*, const float*, Index, float*, bool) noexcept;

double phi(double x) {
  return std::exp(-0.5 * x * x) / std::sqrt(2 * kPi);
}
double cumulative(double x) {
  return 0.5 * std::erfc(-x / std::sqrt(2.0));
}
double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}
double gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / kPi) * (x + 0.044715 * x * x * x)));
}
double gelu_tanh_slope(double x) {
  const double t = std::tanh(std::sqrt(2 / kPi) * (x + 0.044715 * x * x * x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * std::sqrt(2 / kPi) * (1 + 3 * 0.044715 * x * x);
}

Case unary(const char* name, Unary entry, double (*f)(double), double relative = 1e-6,
           double absolute = 2e-7) {
  return {name,
          [=](const KernelTable& t, Index n, Index shift) {
            Buffer x(n, shift, 1), out(n, (shift + 1) % 16);
            (t.*entry)(x.data(), n, out.data());
            std::vector<float> all;
            out.append_to(all);
            (t.*entry)(x.data(), n, x.data());  // in place
            x.append_to(all);
            return all;
          },
          [=](Index n) {
            std::vector<double> all;
            for (int copy = 0; copy < 2; ++copy) {
              for (Index i = 0; i < n; ++i) all.push_back(f(static_cast<double>(value(1, i))));
            }
            return all;
          },
          relative,
          absolute,
          0};
}

Case binary(const char* name, Binary entry, double (*f)(double, double)) {
  return {name,
          [=](const KernelTable& t, Index n, Index shift) {
            Buffer a(n, shift, 1), b(n, (shift + 3) % 16, 2), out(n, (shift + 1) % 16);
            (t.*entry)(a.data(), b.data(), n, out.data());
            std::vector<float> all;
            out.append_to(all);
            (t.*entry)(a.data(), b.data(), n, b.data());
            b.append_to(all);
            return all;
          },
          [=](Index n) {
            std::vector<double> all;
            for (int copy = 0; copy < 2; ++copy) {
              for (Index i = 0; i < n; ++i) {
                all.push_back(f(static_cast<double>(value(1, i)), static_cast<double>(value(2, i))));
              }
            }
            return all;
          },
          1e-6,
          1e-6,
          0};
}

// dx = dout f'(x), overwritten and accumulated.
Case gradient(const char* name, Gradient entry, double (*slope)(double)) {
  return {name,
          [=](const KernelTable& t, Index n, Index shift) {
            Buffer dout(n, shift, 1), x(n, (shift + 5) % 16, 2), dx(n, (shift + 2) % 16, 3), over(n, shift);
            (t.*entry)(dout.data(), x.data(), n, over.data(), false);
            (t.*entry)(dout.data(), x.data(), n, dx.data(), true);
            std::vector<float> all;
            over.append_to(all);
            dx.append_to(all);
            return all;
          },
          [=](Index n) {
            std::vector<double> all;
            for (int copy = 0; copy < 2; ++copy) {
              for (Index i = 0; i < n; ++i) {
                const double d = static_cast<double>(value(1, i)) * slope(static_cast<double>(value(2, i)));
                all.push_back(copy == 0 ? d : static_cast<double>(value(3, i)) + d);
              }
            }
            return all;
          },
          1e-6,
          2e-6,
          0};
}

void add_elementwise(std::vector<Case>& list) {
  list.push_back(unary("gelu_tanh", &KernelTable::gelu_tanh, gelu_tanh));
  list.push_back(unary("gelu_erf", &KernelTable::gelu_erf, [](double x) { return x * cumulative(x); }));
  list.push_back(unary("silu", &KernelTable::silu, [](double x) { return x * sigmoid(x); }));
  list.push_back(unary(
      "relu", &KernelTable::relu, [](double x) { return x > 0 ? x : 0; }, 0, 0));
  list.push_back(unary(
      "exp", &KernelTable::exp, [](double x) { return std::exp(x); }, 3e-7, 0));
  list.push_back(unary(
      "tanh", &KernelTable::tanh, [](double x) { return std::tanh(x); }, 5e-7, 0));
  list.push_back(unary(
      "erf", &KernelTable::erf, [](double x) { return std::erf(x); }, 5e-7, 0));
  list.push_back(binary("add", &KernelTable::add, [](double a, double b) { return a + b; }));
  list.push_back(binary("mul", &KernelTable::mul, [](double a, double b) { return a * b; }));
  list.push_back(
      binary("swiglu", &KernelTable::swiglu, [](double g, double u) { return g * sigmoid(g) * u; }));
  list.push_back(binary("stream_add", &KernelTable::stream_add, [](double a, double b) { return a + b; }));
  list.push_back(unary(
      "stream_copy", &KernelTable::stream_copy, [](double x) { return x; }, 0, 0));
  list.push_back(gradient("gelu_tanh_backward", &KernelTable::gelu_tanh_backward, gelu_tanh_slope));
  list.push_back(
      gradient("relu_backward", &KernelTable::relu_backward, [](double x) { return x > 0 ? 1.0 : 0.0; }));
  list.push_back(gradient("gelu_erf_backward", &KernelTable::gelu_erf_backward,
                          [](double x) { return cumulative(x) + x * phi(x); }));
  list.push_back({"swiglu_backward",
                  [](const KernelTable& t, Index n, Index shift) {
                    Buffer d(n, shift, 1), g(n, (shift + 1) % 16, 2), u(n, (shift + 2) % 16, 3);
                    Buffer dg(n, shift, 4), du(n, (shift + 3) % 16, 5), over_g(n, shift), over_u(n, shift);
                    t.swiglu_backward(d.data(), g.data(), u.data(), n, dg.data(), du.data(), true);
                    t.swiglu_backward(d.data(), g.data(), u.data(), n, over_g.data(), over_u.data(), false);
                    std::vector<float> all;
                    for (Buffer* b : {&dg, &du, &over_g, &over_u}) b->append_to(all);
                    return all;
                  },
                  [](Index n) {
                    std::vector<double> dg, du, over_g, over_u;
                    for (Index i = 0; i < n; ++i) {
                      const double d = static_cast<double>(value(1, i)), g = static_cast<double>(value(2, i));
                      const double s = sigmoid(g);
                      over_g.push_back(d * static_cast<double>(value(3, i)) * (s + g * s * (1 - s)));
                      over_u.push_back(d * g * s);
                      dg.push_back(static_cast<double>(value(4, i)) + over_g.back());
                      du.push_back(static_cast<double>(value(5, i)) + over_u.back());
                    }
                    for (const auto* part : {&du, &over_g, &over_u})
                      dg.insert(dg.end(), part->begin(), part->end());
                    return dg;
                  },
                  1e-6, 3e-6, 0});
  list.push_back({"scale and axpy",
                  [](const KernelTable& t, Index n, Index shift) {
                    Buffer x(n, shift, 1), y(n, (shift + 1) % 16, 2), out(n, (shift + 2) % 16);
                    t.scale(x.data(), 1.7f, n, out.data());
                    t.axpy(-0.3f, x.data(), n, y.data());
                    std::vector<float> all;
                    out.append_to(all);
                    y.append_to(all);
                    return all;
                  },
                  [](Index n) {
                    std::vector<double> all;
                    for (Index i = 0; i < n; ++i) all.push_back(1.7f * static_cast<double>(value(1, i)));
                    for (Index i = 0; i < n; ++i) {
                      all.push_back(static_cast<double>(value(2, i)) -
                                    0.3f * static_cast<double>(value(1, i)));
                    }
                    return all;
                  },
                  1e-6, 1e-6, 0});
  list.push_back({"dropout",
                  [](const KernelTable& t, Index n, Index shift) {
                    Buffer x(n, shift, 1), out(n, (shift + 1) % 16);
                    t.dropout(x.data(), n, 0.7f, 0x123456789ABCDEFu, (5ull << 32) | 9,
                              static_cast<std::uint64_t>(shift), out.data());
                    std::vector<float> all(1, static_cast<float>(shift));
                    out.append_to(all);
                    return all;
                  },
                  nullptr, 0, 0,
                  0});  // the draws depend on the shift: DropoutDrawsEqualRandomStream has the reference
  list.push_back({"stream_update",
                  [](const KernelTable& t, Index n, Index shift) {
                    Buffer x(n, shift, 1);
                    t.stream_update(x.data(), n);
                    std::vector<float> all;
                    x.append_to(all);
                    return all;
                  },
                  [](Index n) {
                    std::vector<double> all;
                    for (Index i = 0; i < n; ++i) all.push_back(static_cast<double>(value(1, i)) + 1);
                    return all;
                  },
                  1e-6, 1e-6, 0});
}

Case update3_case() {
  return {"stream_update3",
          [](const KernelTable& t, Index n, Index shift) {
            Buffer x(n, shift, 1), a(n, (shift + 1) % 16, 2), b(n, (shift + 2) % 16, 3),
                c(n, (shift + 3) % 16, 4);
            t.stream_update3(x.data(), n, a.data(), b.data(), c.data());
            std::vector<float> all;
            for (Buffer* buffer : {&a, &b, &c}) buffer->append_to(all);
            return all;
          },
          [](Index n) {
            std::vector<double> all;
            for (const int seed : {2, 3, 4})
              for (Index i = 0; i < n; ++i) all.push_back(static_cast<double>(value(seed, i)));
            return all;
          },
          0,
          0,
          0};
}

void add_reductions(std::vector<Case>& list) {
  list.push_back({"dot, sum_squares, stream_read, stream_read_ahead, stream_read_quarters, stream_read2",
                  [](const KernelTable& t, Index n, Index shift) {
                    Buffer a(n, shift, 1), b(n, (shift + 3) % 16, 2);
                    return std::vector<float>{
                        t.dot(a.data(), b.data(), n),        static_cast<float>(t.sum_squares(a.data(), n)),
                        t.stream_read(a.data(), n),          t.stream_read_ahead(a.data(), n),
                        t.stream_read_quarters(a.data(), n), t.stream_read2(a.data(), b.data(), n)};
                  },
                  [](Index n) {
                    std::vector<double> all(6, 0.0);
                    for (Index i = 0; i < n; ++i) {
                      const double a = static_cast<double>(value(1, i));
                      all[0] += a * static_cast<double>(value(2, i));
                      all[1] += a * a;
                      all[2] += a;
                      all[3] += a;
                      all[4] += a;
                      all[5] += a + static_cast<double>(value(2, i));
                    }
                    return all;
                  },
                  1e-6, 1e-6, 2e-7});
  list.push_back({"column_sums",
                  [](const KernelTable& t, Index n, Index shift) {
                    Buffer x(7 * (n + 3), shift, 1), sums(n, (shift + 1) % 16, 2);
                    t.column_sums(x.data(), n + 3, 7, n, sums.data());
                    std::vector<float> all;
                    sums.append_to(all);
                    return all;
                  },
                  [](Index n) {
                    std::vector<double> all;
                    for (Index j = 0; j < n; ++j) {
                      all.push_back(static_cast<double>(value(2, j)));
                      for (Index i = 0; i < 7; ++i)
                        all.back() += static_cast<double>(value(1, i * (n + 3) + j));
                    }
                    return all;
                  },
                  1e-6, 2e-6, 0});
}

constexpr Index kRows = 3;
constexpr float kEps = 1e-5f;

struct NormReference {
  std::vector<double> out, mean, rstd, dx, dweight, dbias;
};

// Rows of x at stride n + 3 (seed 1), weight (2), bias (3), dout contiguous (4), previous dx (5), dweight
// (6), dbias (7).
NormReference norm_reference(Index n, bool layer) {
  NormReference r;
  const auto at = [](std::uint32_t seed, Index i) { return static_cast<double>(value(seed, i)); };
  for (Index j = 0; j < n; ++j) r.dweight.push_back(at(6, j));
  for (Index j = 0; j < n; ++j) r.dbias.push_back(at(7, j));
  const double count = static_cast<double>(n);
  for (Index i = 0; i < kRows; ++i) {
    const auto x = [&](Index j) { return at(1, i * (n + 3) + j); };
    double mean = 0, variance = 0, g_mean = 0, gh_mean = 0;
    for (Index j = 0; j < n && layer; ++j) mean += x(j) / count;
    for (Index j = 0; j < n; ++j) variance += (x(j) - mean) * (x(j) - mean) / count;
    const double rstd = 1 / std::sqrt(variance + static_cast<double>(kEps));
    for (Index j = 0; j < n; ++j) {
      const double h = (x(j) - mean) * rstd, g = at(4, i * n + j) * at(2, j);
      r.out.push_back(h * at(2, j) + (layer ? at(3, j) : 0));
      g_mean += layer ? g / count : 0;
      gh_mean += g * h / count;
    }
    for (Index j = 0; j < n; ++j) {
      const double h = (x(j) - mean) * rstd, d = at(4, i * n + j);
      r.dx.push_back(rstd * (d * at(2, j) - g_mean - h * gh_mean));
      r.dweight[static_cast<std::size_t>(j)] += d * h;
      r.dbias[static_cast<std::size_t>(j)] += d;
    }
    r.mean.push_back(mean);
    r.rstd.push_back(rstd);
  }
  return r;
}

std::vector<float> run_norm(const KernelTable& t, Index n, Index shift, bool layer) {
  Buffer x(kRows * (n + 3), shift, 1), weight(n, (shift + 1) % 16, 2), bias(n, (shift + 2) % 16, 3);
  Buffer out(kRows * n, (shift + 3) % 16), mean(kRows, 0), rstd(kRows, 1);
  Buffer dout(kRows * n, (shift + 4) % 16, 4), dx(kRows * n, (shift + 5) % 16, 5), over(kRows * n, shift);
  Buffer dweight(n, shift, 6), dbias(n, shift, 7);
  std::vector<float> all;
  if (layer) {
    t.layer_norm(x.data(), n + 3, weight.data(), bias.data(), kEps, kRows, n, out.data(), n, mean.data(),
                 rstd.data());
    if (n == 0) return all;
    t.layer_norm_backward(dout.data(), x.data(), n + 3, weight.data(), mean.data(), rstd.data(), kRows, n,
                          over.data(), false, nullptr, nullptr);
    t.layer_norm_backward(dout.data(), x.data(), n + 3, weight.data(), mean.data(), rstd.data(), kRows, n,
                          dx.data(), true, dweight.data(), dbias.data());
  } else {
    t.rms_norm(x.data(), n + 3, weight.data(), kEps, kRows, n, out.data(), n, rstd.data());
    if (n == 0) return all;
    t.rms_norm_backward(dout.data(), x.data(), n + 3, weight.data(), rstd.data(), kRows, n, over.data(),
                        false, nullptr);
    t.rms_norm_backward(dout.data(), x.data(), n + 3, weight.data(), rstd.data(), kRows, n, dx.data(), true,
                        dweight.data());
  }
  for (Buffer* b : {&out, &rstd, &over, &dx, &dweight}) b->append_to(all);
  if (layer) mean.append_to(all);
  if (layer) dbias.append_to(all);
  return all;
}

Case norm(const char* name, bool layer) {
  return {name,
          [=](const KernelTable& t, Index n, Index shift) { return run_norm(t, n, shift, layer); },
          [=](Index n) {
            std::vector<double> all;
            if (n == 0) return all;
            const NormReference r = norm_reference(n, layer);
            std::vector<double> added = r.dx;
            for (Index i = 0; i < kRows * n; ++i)
              added[static_cast<std::size_t>(i)] += static_cast<double>(value(5, i));
            for (const auto* part : {&r.out, &r.rstd, &r.dx, &std::as_const(added), &r.dweight}) {
              all.insert(all.end(), part->begin(), part->end());
            }
            if (layer) all.insert(all.end(), r.mean.begin(), r.mean.end());
            if (layer) all.insert(all.end(), r.dbias.begin(), r.dbias.end());
            return all;
          },
          2e-5,
          1e-4,
          0};  // rstd reaches 316 in a row of one element, where the gradient cancels
}

// h = a + b must have the bits of add, and the rest those of the plain norm over h; both in place in a.
Case residual_norm_case() {
  return {"add_layer_norm, add_rms_norm",
          [](const KernelTable& t, Index n, Index shift) {
            std::vector<float> all;
            for (const bool layer : {true, false}) {
              Buffer a(kRows * n, shift, 1), b(kRows * n, (shift + 1) % 16, 8), sum(kRows * n, 0);
              Buffer weight(n, (shift + 2) % 16, 2), bias(n, shift, 3);
              Buffer out(kRows * n, (shift + 3) % 16), mean(kRows, 0), rstd(kRows, 1);
              Buffer plain(kRows * n, (shift + 3) % 16), plain_mean(kRows, 0), plain_rstd(kRows, 1);
              t.add(a.data(), b.data(), kRows * n, sum.data());
              if (layer) {
                t.layer_norm(sum.data(), n, weight.data(), bias.data(), kEps, kRows, n, plain.data(), n,
                             plain_mean.data(), plain_rstd.data());
                t.add_layer_norm(a.data(), b.data(), weight.data(), bias.data(), kEps, kRows, n, a.data(),
                                 out.data(), mean.data(), rstd.data());
              } else {
                t.rms_norm(sum.data(), n, weight.data(), kEps, kRows, n, plain.data(), n, plain_rstd.data());
                t.add_rms_norm(a.data(), b.data(), weight.data(), kEps, kRows, n, a.data(), out.data(),
                               rstd.data());
              }
              const std::pair<Buffer*, Buffer*> pairs[] = {
                  {&a, &sum}, {&out, &plain}, {&rstd, &plain_rstd}, {&mean, &plain_mean}};
              for (const auto& [fused, composed] : pairs) {
                std::vector<float> f, c;
                fused->append_to(f);
                composed->append_to(c);
                for (std::size_t i = 0; i < f.size(); ++i) {
                  const bool untouched = f[i] == kGuardValue && c[i] == kGuardValue;
                  all.push_back(untouched || n == 0 ? 0.0f : f[i] - c[i]);
                }
              }
            }
            return all;
          },
          [](Index n) {
            return std::vector<double>(static_cast<std::size_t>(2 * (2 * kRows * n + 2 * kRows)), 0.0);
          },
          0,
          0,
          0};
}

Case softmax_case() {
  return {"softmax",
          [](const KernelTable& t, Index n, Index shift) {
            Buffer x(kRows * (n + 5), shift, 1), out(kRows * n, (shift + 1) % 16);
            t.softmax(x.data(), n + 5, kRows, n, out.data(), n);
            std::vector<float> all;
            out.append_to(all);
            return all;
          },
          [](Index n) {
            std::vector<double> all;
            for (Index i = 0; i < kRows; ++i) {
              double total = 0;
              for (Index j = 0; j < n; ++j) total += std::exp(static_cast<double>(value(1, i * (n + 5) + j)));
              for (Index j = 0; j < n; ++j)
                all.push_back(std::exp(static_cast<double>(value(1, i * (n + 5) + j))) / total);
            }
            return all;
          },
          1e-6,
          0,
          0};
}

// n columns of a block of 7 rows; the first row is far above the others.
Case column_softmax_case() {
  constexpr Index kBlock = 7;
  static const auto at = [](Index n, Index i, Index j) {
    return static_cast<double>(value(4, i * (n + 5) + j)) + (i == 0 ? 20.0 : 0.0);
  };
  return {"column_softmax",
          [](const KernelTable& t, Index n, Index shift) {
            std::vector<float> all;
            Buffer x(kBlock * (n + 5), shift), tops(n, 0), sums(n, (shift + 1) % 16);
            for (Index i = 0; i < kBlock; ++i) {
              for (Index j = 0; j < n + 5; ++j) x.data()[i * (n + 5) + j] = static_cast<float>(at(n, i, j));
            }
            t.column_softmax(x.data(), n + 5, kBlock, n, tops.data(), sums.data());
            for (Buffer* b : {&x, &tops, &sums}) b->append_to(all);
            return all;
          },
          [](Index n) {
            std::vector<double> x, tops, sums;
            for (Index j = 0; j < n; ++j) {
              double top = at(n, 0, j), sum = 0;
              for (Index i = 0; i < kBlock; ++i) top = std::max(top, at(n, i, j));
              for (Index i = 0; i < kBlock; ++i) sum += std::exp(at(n, i, j) - top);
              tops.push_back(top);
              sums.push_back(sum);
            }
            for (Index i = 0; i < kBlock; ++i) {
              for (Index j = 0; j < n + 5; ++j)
                x.push_back(j < n ? std::exp(at(n, i, j) - tops[static_cast<std::size_t>(j)]) : at(n, i, j));
            }
            x.insert(x.end(), tops.begin(), tops.end());
            x.insert(x.end(), sums.begin(), sums.end());
            return x;
          },
          4e-6,
          1e-6,
          0};
}

// Row 0 aims at the last class, row 1 is ignored, row 2 aims at the first.
Case cross_entropy_case() {
  return {"cross_entropy",
          [](const KernelTable& t, Index n, Index shift) {
            std::vector<float> all;
            if (n == 0) return all;
            Buffer x(kRows * (n + 5), shift, 1), losses(kRows, 0), lse(kRows, 1),
                dx(kRows * n, (shift + 1) % 16);
            const std::int32_t targets[kRows] = {static_cast<std::int32_t>(n - 1), -1, 0};
            t.cross_entropy(x.data(), n + 5, targets, kRows, n, losses.data(), lse.data());
            t.cross_entropy_backward(x.data(), n + 5, targets, lse.data(), 0.25f, kRows, n, dx.data(), n);
            for (Buffer* b : {&losses, &lse, &dx}) b->append_to(all);
            t.cross_entropy_backward(x.data(), n + 5, targets, lse.data(), 0.25f, kRows, n, x.data(), n + 5);
            x.append_to(all);
            return all;
          },
          [](Index n) {
            std::vector<double> losses, lses, dx, in_place;
            for (Index i = 0; i < kRows && n > 0; ++i) {
              const auto x = [&](Index j) { return static_cast<double>(value(1, i * (n + 5) + j)); };
              double total = 0;
              for (Index j = 0; j < n; ++j) total += std::exp(x(j));
              const Index target = i == 0 ? n - 1 : i == 1 ? -1 : 0;
              lses.push_back(std::log(total));
              losses.push_back(target < 0 ? 0.0 : lses.back() - x(target));
              for (Index j = 0; j < n; ++j) {
                dx.push_back(target < 0 ? 0.0 : 0.25 * (std::exp(x(j)) / total - (j == target ? 1 : 0)));
                in_place.push_back(dx.back());
              }
              for (Index j = n; j < n + 5; ++j) in_place.push_back(x(j));
            }
            for (const auto* part : {&lses, &dx, &in_place})
              losses.insert(losses.end(), part->begin(), part->end());
            return losses;
          },
          1e-6,
          1e-6,
          0};
}

Case rope_case() {
  return {"rope",
          [](const KernelTable& t, Index n, Index shift) {
            Buffer x(3 * 2 * n, shift, 1), c(n, (shift + 1) % 16, 2), s(n, (shift + 2) % 16, 3),
                out(3 * 2 * n, shift);
            t.rope(x.data(), 3, 2 * n, c.data(), s.data(), 1.0f, out.data());
            t.rope(x.data(), 3, 2 * n, c.data(), s.data(), -1.0f, x.data());
            std::vector<float> all;
            out.append_to(all);
            x.append_to(all);
            return all;
          },
          [](Index n) {
            std::vector<double> all;
            for (const double direction : {1.0, -1.0}) {
              for (Index h = 0; h < 3; ++h) {
                for (Index part = 0; part < 2; ++part) {
                  for (Index j = 0; j < n; ++j) {
                    const double a = static_cast<double>(value(1, h * 2 * n + j));
                    const double b = static_cast<double>(value(1, h * 2 * n + n + j));
                    const double c = static_cast<double>(value(2, j)),
                                 s = direction * static_cast<double>(value(3, j));
                    all.push_back(part == 0 ? a * c - b * s : b * c + a * s);
                  }
                }
              }
            }
            return all;
          },
          1e-6,
          2e-6,
          0};
}

Case rope_interleaved_case() {
  return {"rope_interleaved",
          [](const KernelTable& t, Index n, Index shift) {
            Buffer x(3 * 2 * n, shift, 1), c(n, (shift + 1) % 16, 2), s(n, (shift + 2) % 16, 3),
                out(3 * 2 * n, shift);
            t.rope_interleaved(x.data(), 3, 2 * n, c.data(), s.data(), 1.0f, out.data());
            t.rope_interleaved(x.data(), 3, 2 * n, c.data(), s.data(), -1.0f, x.data());
            std::vector<float> all;
            out.append_to(all);
            x.append_to(all);
            return all;
          },
          [](Index n) {
            std::vector<double> all;
            for (const double direction : {1.0, -1.0}) {
              for (Index pair = 0; pair < 3 * n; ++pair) {
                const double a = static_cast<double>(value(1, 2 * pair));
                const double b = static_cast<double>(value(1, 2 * pair + 1));
                const double c = static_cast<double>(value(2, pair % n));
                const double s = direction * static_cast<double>(value(3, pair % n));
                all.push_back(a * c - b * s);
                all.push_back(b * c + a * s);
              }
            }
            return all;
          },
          1e-6,
          2e-6,
          0};
}

// A table of 5 rows at stride n + 3, of which row 2 is named three times.
constexpr std::int32_t kIds[] = {2, 0, 4, 2, 2, 1};

Case gather_case() {
  return {"gather_rows, scatter_add_rows",
          [](const KernelTable& t, Index n, Index shift) {
            Buffer table(5 * (n + 3), shift, 1), out(6 * n, (shift + 1) % 16);
            Buffer x(6 * (n + 5), (shift + 2) % 16, 2);
            t.gather_rows(table.data(), n + 3, kIds, 6, n, out.data());
            t.scatter_add_rows(x.data(), n + 5, kIds, 6, n / 3, n, table.data(), n + 3);
            std::vector<float> all;
            out.append_to(all);
            table.append_to(all);
            return all;
          },
          [](Index n) {
            std::vector<double> all, table;
            for (Index i = 0; i < 5 * (n + 3); ++i) table.push_back(static_cast<double>(value(1, i)));
            for (const std::int32_t id : kIds) {
              for (Index j = 0; j < n; ++j) all.push_back(table[static_cast<std::size_t>(id * (n + 3) + j)]);
            }
            for (Index i = 0; i < 6; ++i) {
              for (Index j = n / 3; j < n; ++j)
                table[static_cast<std::size_t>(kIds[i] * (n + 3) + j)] +=
                    static_cast<double>(value(2, i * (n + 5) + j));
            }
            all.insert(all.end(), table.begin(), table.end());
            return all;
          },
          0,
          2e-6,
          0};
}

Case log_sum_exp_case() {
  return {"log_sum_exp",
          [](const KernelTable& t, Index n, Index shift) {
            Buffer x(kRows * (n + 5), shift, 1), out(kRows, (shift + 1) % 16);
            std::vector<float> all;
            if (n == 0) return all;
            t.log_sum_exp(x.data(), n + 5, kRows, n, out.data());
            out.append_to(all);
            return all;
          },
          [](Index n) {
            std::vector<double> all;
            for (Index i = 0; i < kRows && n > 0; ++i) {
              double total = 0;
              for (Index j = 0; j < n; ++j) total += std::exp(static_cast<double>(value(1, i * (n + 5) + j)));
              all.push_back(std::log(total));
            }
            return all;
          },
          1e-6,
          1e-6,
          0};
}

constexpr AdamWArgs kAdamW{1e-2f, 0.9f, 0.99f, 1e-8f, 0.1f, 0.5f, 1 - 0.9f * 0.9f, 1 - 0.99f * 0.99f};

Case adamw_case() {
  return {
      "adamw",
      [](const KernelTable& t, Index n, Index shift) {
        Buffer g(n, shift, 1), p(n, (shift + 1) % 16, 2), m(n, (shift + 2) % 16, 3),
            v(n, (shift + 3) % 16, 4);
        for (Index i = 0; i < n; ++i) v.data()[i] = v.data()[i] * v.data()[i] + 0.01f;
        t.adamw(kAdamW, g.data(), n, p.data(), m.data(), v.data());
        std::vector<float> all;
        for (Buffer* b : {&p, &m, &v}) b->append_to(all);
        return all;
      },
      [](Index n) {
        std::vector<double> p, m, v;
        const auto wide = [](float x) { return static_cast<double>(x); };
        for (Index i = 0; i < n; ++i) {
          const float v0 = value(4, i) * value(4, i) + 0.01f;
          const double g = wide(value(1, i)) * wide(kAdamW.gradient_scale);
          m.push_back(wide(kAdamW.beta1) * wide(value(3, i)) + (1 - wide(kAdamW.beta1)) * g);
          v.push_back(wide(kAdamW.beta2) * wide(v0) + (1 - wide(kAdamW.beta2)) * g * g);
          const double root = std::sqrt(v.back() / wide(kAdamW.bias_correction2)) + wide(kAdamW.epsilon);
          const double old = wide(value(2, i));
          p.push_back(old - wide(kAdamW.learning_rate) * (m.back() / wide(kAdamW.bias_correction1) / root +
                                                          wide(kAdamW.weight_decay) * old));
        }
        for (const auto* part : {&m, &v}) p.insert(p.end(), part->begin(), part->end());
        return p;
      },
      1e-6,
      1e-6,
      0};
}

Case convert_case() {
  const auto bits = [](Index i) { return static_cast<std::uint16_t>((i * 40503 + 77) % 65536); };
  const auto finite = [](std::uint16_t b) { return (b & 0x7c00u) != 0x7c00u && (b & 0x7f80u) != 0x7f80u; };
  return {"f16_to_f32, bf16_to_f32",
          [=](const KernelTable& t, Index n, Index shift) {
            std::vector<std::uint16_t> halves(static_cast<std::size_t>(n + shift));
            for (Index i = 0; i < n; ++i)
              halves[static_cast<std::size_t>(i + shift)] = finite(bits(i)) ? bits(i) : 0;
            Buffer a(n, shift), b(n, (shift + 1) % 16);
            t.f16_to_f32(halves.data() + shift, n, a.data());
            t.bf16_to_f32(halves.data() + shift, n, b.data());
            std::vector<float> all;
            a.append_to(all);
            b.append_to(all);
            return all;
          },
          [=](Index n) {
            std::vector<double> all;
            for (Index i = 0; i < n; ++i) {
              const int h = finite(bits(i)) ? bits(i) : 0;
              const int exponent = h >> 10 & 31, fraction = h & 1023;
              const double magnitude =
                  std::ldexp(exponent == 0 ? fraction : 1024 + fraction, std::max(exponent, 1) - 25);
              all.push_back(h & 0x8000 ? -magnitude : magnitude);
            }
            for (Index i = 0; i < n; ++i) {
              const std::uint32_t h = finite(bits(i)) ? bits(i) : 0;
              all.push_back(static_cast<double>(std::bit_cast<float>(h << 16)));
            }
            return all;
          },
          0,
          0,
          0};
}

}  // namespace

const std::vector<Case>& cases() {
  static const std::vector<Case> list = [] {
    std::vector<Case> all;
    add_elementwise(all);
    add_reductions(all);
    all.push_back(norm("layer_norm", true));
    all.push_back(norm("rms_norm", false));
    all.push_back(residual_norm_case());
    all.push_back(softmax_case());
    all.push_back(cross_entropy_case());
    all.push_back(column_softmax_case());
    all.push_back(rope_case());
    all.push_back(rope_interleaved_case());
    all.push_back(gather_case());
    all.push_back(log_sum_exp_case());
    all.push_back(adamw_case());
    all.push_back(update3_case());
    all.push_back(convert_case());
    return all;
  }();
  return list;
}

}  // namespace smallmind::row_cases
