// Attention of every instruction set against a naive double-precision one: values, log_sum_exp, gradients,
// masks, extremes, strides and alignment; and the promise that a row's bits do not depend on the rows that
// share its call.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/dispatch.h"

namespace smallmind {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kGuard = -77.25f;  // what lies between rows must stay

// A (rows, cols) matrix with its own stride and a misaligned start; the gaps hold kGuard.
class Matrix {
 public:
  Matrix(Index rows, Index cols, Index gap = 0, Index offset = 0)
      : rows_(rows),
        cols_(cols),
        stride_(cols + gap),
        offset_(offset),
        values_(static_cast<std::size_t>(offset + rows * stride_ + 1), kGuard) {}

  float* data() { return values_.data() + offset_; }
  Index stride() const { return stride_; }
  float& at(Index i, Index j) { return values_[static_cast<std::size_t>(offset_ + i * stride_ + j)]; }
  void fill(float value) {
    for (Index i = 0; i < rows_; ++i) {
      for (Index j = 0; j < cols_; ++j) at(i, j) = value;
    }
  }
  void fill_normal(std::mt19937& random, float deviation = 1.0f) {
    std::normal_distribution<float> normal(0.0f, deviation);
    for (Index i = 0; i < rows_; ++i) {
      for (Index j = 0; j < cols_; ++j) at(i, j) = normal(random);
    }
  }
  bool gaps_intact() const {
    for (std::size_t e = 0; e < values_.size(); ++e) {
      const Index from_start = static_cast<Index>(e) - offset_;
      const bool inside = from_start >= 0 && from_start < rows_ * stride_ && from_start % stride_ < cols_;
      if (!inside && values_[e] != kGuard) return false;
    }
    return true;
  }

 private:
  Index rows_, cols_, stride_, offset_;
  std::vector<float> values_;
};

// Everything of one head over T positions; all rows with the same gap and misalignment.
struct Head {
  Head(Index t, Index k, Index gap, Index offset, unsigned seed, float deviation = 1.0f)
      : T(t),
        K(k),
        form{1.0f / std::sqrt(static_cast<float>(k))},
        q(t, k, gap, offset),
        k_rows(t, k, gap, offset),
        v(t, k, gap, offset),
        out(t, k, gap, offset),
        dout(t, k, gap, offset),
        dq(t, k, gap, offset),
        dk(t, k, gap, offset),
        dv(t, k, gap, offset),
        log_sum_exp(static_cast<std::size_t>(t)),
        panels(static_cast<std::size_t>((t + kKeyPanel - 1) / kKeyPanel * kKeyPanel * k), kNan) {
    std::mt19937 random(seed);
    for (Matrix* m : {&q, &k_rows, &v}) m->fill_normal(random, deviation);
    dout.fill_normal(random);
  }

  void forward(const KernelTable& table, Index first, Index rows, Matrix& to) {
    table.attention_forward({.rows = rows,
                             .first_position = first,
                             .head_width = K,
                             .form = form,
                             .q = &q.at(first, 0),
                             .q_stride = q.stride(),
                             .key_panels = panels.data(),
                             .v = v.data(),
                             .v_stride = v.stride(),
                             .out = &to.at(first, 0),
                             .out_stride = to.stride(),
                             .log_sum_exp = log_sum_exp.data() + first});
  }
  void forward(const KernelTable& table) {
    table.pack_keys(k_rows.data(), k_rows.stride(), T, K, 0, panels.data());
    forward(table, 0, T, out);
  }
  void backward(const KernelTable& table, bool accumulate = false) {
    std::vector<float> scratch(static_cast<std::size_t>(table.attention_backward_scratch(T, K)), kNan);
    table.attention_backward({.rows = T,
                              .head_width = K,
                              .form = form,
                              .q = q.data(),
                              .k = k_rows.data(),
                              .v = v.data(),
                              .out = out.data(),
                              .dout = dout.data(),
                              .q_stride = q.stride(),
                              .k_stride = k_rows.stride(),
                              .v_stride = v.stride(),
                              .out_stride = out.stride(),
                              .dout_stride = dout.stride(),
                              .log_sum_exp = log_sum_exp.data(),
                              .dq = dq.data(),
                              .dk = dk.data(),
                              .dv = dv.data(),
                              .dq_stride = dq.stride(),
                              .dk_stride = dk.stride(),
                              .dv_stride = dv.stride(),
                              .accumulate = accumulate,
                              .scratch = scratch.data()});
  }

  Index T, K;
  AttentionForm form;
  Matrix q, k_rows, v, out, dout, dq, dk, dv;
  std::vector<float> log_sum_exp;
  std::vector<float> panels;
};

using Doubles = std::vector<double>;

// The textbook: P in full, in double.
struct Reference {
  explicit Reference(Head& h)
      : T(static_cast<std::size_t>(h.T)),
        K(static_cast<std::size_t>(h.K)),
        out(T * K),
        log_sum_exp(T),
        dq(T * K),
        dk(T * K),
        dv(T * K) {
    const double scale = static_cast<double>(h.form.scale);
    for (Index i = 0; i < h.T; ++i) {
      Doubles slopes;
      const Doubles p = probabilities(h, i, slopes);
      for (Index j = first_key(h, i); j <= i; ++j) {
        for (Index d = 0; d < h.K; ++d)
          entry(out, i, d) += p[static_cast<std::size_t>(j)] * static_cast<double>(h.v.at(j, d));
      }
      double delta = 0;
      for (Index d = 0; d < h.K; ++d) delta += static_cast<double>(h.dout.at(i, d)) * entry(out, i, d);
      for (Index j = first_key(h, i); j <= i; ++j) {
        double dp = 0;
        for (Index d = 0; d < h.K; ++d)
          dp += static_cast<double>(h.dout.at(i, d)) * static_cast<double>(h.v.at(j, d));
        const double pj = p[static_cast<std::size_t>(j)];
        const double ds = scale * slopes[static_cast<std::size_t>(j)] * pj * (dp - delta);
        for (Index d = 0; d < h.K; ++d) {
          entry(dv, j, d) += pj * static_cast<double>(h.dout.at(i, d));
          entry(dk, j, d) += ds * static_cast<double>(h.q.at(i, d));
          entry(dq, i, d) += ds * static_cast<double>(h.k_rows.at(j, d));
        }
      }
    }
  }
  static Index first_key(const Head& h, Index i) {
    return h.form.window > 0 ? std::max<Index>(0, i - h.form.window + 1) : 0;
  }
  // Of the keys 0 .. i, 0 where the window hides them; slopes: d logit / d score.
  Doubles probabilities(Head& h, Index i, Doubles& slopes) {
    Doubles s(static_cast<std::size_t>(i + 1));
    slopes.assign(s.size(), 1.0);
    double top = -std::numeric_limits<double>::infinity(), sum = 0;
    for (Index j = 0; j <= i; ++j) {
      const auto at = static_cast<std::size_t>(j);
      for (Index d = 0; d < h.K; ++d)
        s[at] += static_cast<double>(h.q.at(i, d)) * static_cast<double>(h.k_rows.at(j, d));
      s[at] *= static_cast<double>(h.form.scale);
      if (h.form.soft_cap > 0) {
        const double t = std::tanh(s[at] / static_cast<double>(h.form.soft_cap));
        s[at] = static_cast<double>(h.form.soft_cap) * t;
        slopes[at] = 1 - t * t;
      }
      if (j < first_key(h, i)) s[at] = -std::numeric_limits<double>::infinity();
      top = std::max(top, s[at]);
    }
    for (double& x : s) sum += x = std::exp(x - top);
    for (double& x : s) x /= sum;
    log_sum_exp[static_cast<std::size_t>(i)] = top + std::log(sum);
    return s;
  }
  double& entry(Doubles& x, Index i, Index d) {
    return x[static_cast<std::size_t>(i) * K + static_cast<std::size_t>(d)];
  }

  std::size_t T, K;
  Doubles out, log_sum_exp, dq, dk, dv;
};

// Largest |got - expected|, relative to the largest |expected|, or to 0.1 where all are small: ds is a
// difference that vanishes for one key.
double worst(Matrix& got, const Doubles& expected, Index rows, Index cols) {
  double difference = 0, largest = 0.1;
  for (Index i = 0; i < rows; ++i) {
    for (Index d = 0; d < cols; ++d) {
      const double e = expected[static_cast<std::size_t>(i * cols + d)];
      const double gap = std::abs(static_cast<double>(got.at(i, d)) - e);
      difference = gap <= difference ? difference : gap;  // a NaN stays
      largest = std::max(largest, std::abs(e));
    }
  }
  return difference / largest;
}

class Attention : public ::testing::TestWithParam<std::string> {
 protected:
  const KernelTable& table() { return kernels_for(GetParam()); }
};

TEST_P(Attention, PacksKeysIntoPanels) {
  for (const Index width : {1, 3, 4, 31, 64}) {
    for (const auto& [first, count] : {std::pair<Index, Index>{0, 50}, {5, 1}, {3, 29}, {16, 16}, {47, 2}}) {
      Matrix keys(count, width, 2, 1);
      std::mt19937 random(1);
      keys.fill_normal(random);
      std::vector<float> panels(static_cast<std::size_t>(64 * width), kGuard);
      table().pack_keys(keys.data(), keys.stride(), count, width, first, panels.data());
      for (Index s = 0; s < 64; ++s) {
        for (Index d = 0; d < width; ++d) {
          const float expected = s >= first && s < first + count ? keys.at(s - first, d) : kGuard;
          ASSERT_EQ(panels[static_cast<std::size_t>((s / 16 * width + d) * 16 + s % 16)], expected)
              << s << " " << d;
        }
      }
    }
  }
}

TEST_P(Attention, EqualsTheTextbook) {
  for (const Index width : {1, 2, 7, 8, 16, 24, 31, 32, 33, 48, 64, 65, 80, 128, 200, 256}) {
    for (const Index length : {1, 2, 5, 15, 16, 17, 48, 49, 63, 64, 65, 130, 200}) {
      if (width > 65 && length > 65) continue;
      Head h(length, width, length % 3, width % 4, static_cast<unsigned>(length * 1000 + width));
      for (Matrix* m : {&h.dq, &h.dk, &h.dv}) m->fill(kNan);  // overwritten
      h.forward(table());
      h.backward(table());
      Reference expected(h);
      SCOPED_TRACE("T " + std::to_string(length) + " K " + std::to_string(width));
      ASSERT_LE(worst(h.out, expected.out, length, width), 2e-6);
      ASSERT_LE(worst(h.dv, expected.dv, length, width), 5e-6);
      ASSERT_LE(worst(h.dq, expected.dq, length, width), 3e-5);
      ASSERT_LE(worst(h.dk, expected.dk, length, width), 3e-5);
      for (std::size_t i = 0; i < h.log_sum_exp.size(); ++i) {
        ASSERT_NEAR(h.log_sum_exp[i], expected.log_sum_exp[i],
                    2e-6 * std::max(1.0, std::abs(expected.log_sum_exp[i])));
      }
      for (const Matrix* m : {&h.out, &h.dq, &h.dk, &h.dv}) ASSERT_TRUE(m->gaps_intact());
    }
  }
}

TEST_P(Attention, LongSequence) {
  Head h(1024, 64, 0, 0, 5);
  h.dk.fill(0.0f);
  h.dv.fill(0.0f);
  h.forward(table());
  h.backward(table());
  Reference expected(h);
  EXPECT_LE(worst(h.out, expected.out, 1024, 64), 2e-6);
  EXPECT_LE(worst(h.dq, expected.dq, 1024, 64), 1e-5);
  EXPECT_LE(worst(h.dk, expected.dk, 1024, 64), 1e-5);
  EXPECT_LE(worst(h.dv, expected.dv, 1024, 64), 5e-6);
}

TEST_P(Attention, GradientsAccumulateInKeysAndValuesOnly) {
  Head once(70, 20, 0, 0, 9);
  once.forward(table());
  once.dk.fill(0.0f);
  once.dv.fill(0.0f);
  once.dq.fill(3.0f);
  once.backward(table());
  Head twice = once;
  twice.backward(table(), true);
  for (Index i = 0; i < 70; ++i) {
    for (Index d = 0; d < 20; ++d) {
      ASSERT_EQ(twice.dq.at(i, d), once.dq.at(i, d));
      ASSERT_NEAR(twice.dk.at(i, d), 2 * once.dk.at(i, d), 1e-5f);
      ASSERT_NEAR(twice.dv.at(i, d), 2 * once.dv.at(i, d), 1e-5f);
    }
  }
}

// Large scores saturate the softmax: one key takes everything, and nothing overflows. Zero scores give the
// mean.
TEST_P(Attention, ExtremeScores) {
  for (const float size : {0.0f, 30.0f, 1000.0f}) {
    Head h(100, 32, 0, 0, 3, size);
    std::mt19937 random(4);
    h.v.fill_normal(random);
    h.dk.fill(0.0f);
    h.dv.fill(0.0f);
    h.forward(table());
    h.backward(table());
    Reference expected(h);
    // A score of 1e6 has an ulp of 0.06, so at size 1000 only a saturated row can be exact.
    EXPECT_LE(worst(h.out, expected.out, 100, 32), size > 100 ? 0.05 : 2e-4) << size;
    for (Index i = 0; i < 100; ++i) {
      for (Index d = 0; d < 32; ++d) {
        ASSERT_TRUE(std::isfinite(h.out.at(i, d)) && std::isfinite(h.dq.at(i, d)) &&
                    std::isfinite(h.dk.at(i, d)) && std::isfinite(h.dv.at(i, d)));
      }
    }
  }
}

constexpr AttentionForm kForms[] = {{0.2f, 0, 1},    {0.2f, 0, 7},    {0.2f, 0, 64},   {0.2f, 0, 100},
                                    {0.2f, 0, 5000}, {0.2f, 2.5f, 0}, {0.5f, 1.5f, 33}};

TEST_P(Attention, WindowsAndSoftCapsEqualTheTextbook) {
  for (const AttentionForm& form : kForms) {
    for (const auto& [length, width] : {std::pair<Index, Index>{1, 8}, {63, 16}, {200, 24}, {330, 65}}) {
      SCOPED_TRACE("W " + std::to_string(form.window) + " cap " + std::to_string(form.soft_cap) + " T " +
                   std::to_string(length));
      Head h(length, width, 1, 1, static_cast<unsigned>(length + form.window));
      h.form = form;
      for (Matrix* m : {&h.dq, &h.dk, &h.dv}) m->fill(kNan);  // overwritten
      h.forward(table());
      h.backward(table());
      Reference expected(h);
      ASSERT_LE(worst(h.out, expected.out, length, width), 3e-6);
      ASSERT_LE(worst(h.dv, expected.dv, length, width), 1e-5);
      ASSERT_LE(worst(h.dq, expected.dq, length, width), 5e-5);
      ASSERT_LE(worst(h.dk, expected.dk, length, width), 5e-5);
      for (std::size_t i = 0; i < h.log_sum_exp.size(); ++i)
        ASSERT_NEAR(h.log_sum_exp[i], expected.log_sum_exp[i], 1e-5);
      for (const Matrix* m : {&h.out, &h.dq, &h.dk, &h.dv}) ASSERT_TRUE(m->gaps_intact());
    }
  }
}

// Beyond one span of keys, with and without a window that hides whole spans: the textbook's values, the same
// bits for a row alone, and the same bits where attention_span has computed the parts.
TEST_P(Attention, SpansOfALongCache) {
  const Index length = 2 * kAttentionSpan + 70, width = 16;
  for (const AttentionForm& form :
       {AttentionForm{0.25f}, {0.25f, 0, 90}, {0.25f, 0, 600}, {0.25f, 3.0f, 700}}) {
    SCOPED_TRACE(form.window);
    Head h(length, width, 0, 0, 77);
    h.form = form;
    h.forward(table());
    Reference expected(h);
    ASSERT_LE(worst(h.out, expected.out, length, width), 3e-6);
    Matrix out(length, width);
    for (const Index row : {Index{0}, kAttentionSpan - 1, kAttentionSpan, kAttentionSpan + 100,
                            2 * kAttentionSpan - 1, 2 * kAttentionSpan, length - 1}) {
      const auto same = [&] {
        return std::memcmp(&out.at(row, 0), &h.out.at(row, 0),
                           static_cast<std::size_t>(width) * sizeof(float)) == 0;
      };
      h.forward(table(), row, 1, out);
      ASSERT_TRUE(same()) << row;
      std::vector<float> partials(static_cast<std::size_t>(3 * (width + 2)), kNan);
      const AttentionArgs args = {.rows = 1,
                                  .first_position = row,
                                  .head_width = width,
                                  .form = form,
                                  .q = &h.q.at(row, 0),
                                  .q_stride = h.q.stride(),
                                  .key_panels = h.panels.data(),
                                  .v = h.v.data(),
                                  .v_stride = h.v.stride(),
                                  .out = &out.at(row, 0),
                                  .out_stride = out.stride(),
                                  .log_sum_exp = nullptr,
                                  .position_step = 0,
                                  .partials = partials.data()};
      const Index low = Reference::first_key(h, row) / kAttentionSpan;
      for (Index span = row / kAttentionSpan; span >= low; --span) table().attention_span(args, span);
      out.fill(kNan);
      table().attention_forward(args);
      ASSERT_TRUE(same()) << row;
    }
  }
}

// Query heads that share K and V, each at the last position: one call for all of them.
TEST_P(Attention, AGroupOfHeadsAtOnePosition) {
  const Index length = 600, width = 24, heads = 7;
  for (const AttentionForm& form : {AttentionForm{0.2f}, {0.2f, 2.0f, 100}}) {
    Head h(length, width, 0, 0, 5);
    h.form = form;
    h.forward(table());
    Matrix out(heads, width, 2), expected(heads, width);
    AttentionArgs args = {.rows = heads,
                          .first_position = length - 1,
                          .head_width = width,
                          .form = form,
                          .q = &h.q.at(0, 0),  // any rows serve as queries
                          .q_stride = h.q.stride(),
                          .key_panels = h.panels.data(),
                          .v = h.v.data(),
                          .v_stride = h.v.stride(),
                          .out = out.data(),
                          .out_stride = out.stride(),
                          .log_sum_exp = nullptr,
                          .position_step = 0};
    table().attention_forward(args);
    args.rows = 1;
    for (Index i = 0; i < heads; ++i) {
      args.q = &h.q.at(i, 0);
      args.out = &expected.at(i, 0);
      table().attention_forward(args);
      ASSERT_EQ(
          std::memcmp(&out.at(i, 0), &expected.at(i, 0), static_cast<std::size_t>(width) * sizeof(float)), 0);
    }
    EXPECT_TRUE(out.gaps_intact());
  }
}

// The causal mask is exact: what stands after a query, NaN included, changes no bit of it.
TEST_P(Attention, FutureKeysChangeNothing) {
  Head h(90, 24, 0, 0, 11);
  h.forward(table());
  for (const Index cut : {0, 1, 15, 16, 40, 63, 64, 70}) {
    Head other = h;
    for (Index i = cut + 1; i < 90; ++i) {
      for (Index d = 0; d < 24; ++d) other.k_rows.at(i, d) = other.v.at(i, d) = kNan;
    }
    table().pack_keys(other.k_rows.data(), other.k_rows.stride(), 90, 24, 0, other.panels.data());
    Matrix out(90, 24);
    other.forward(table(), 0, cut + 1, out);
    for (Index i = 0; i <= cut; ++i)
      ASSERT_EQ(std::memcmp(&out.at(i, 0), &h.out.at(i, 0), 24 * sizeof(float)), 0) << i;
  }
}

// Decoding row by row, and any cut of the rows into calls, give the bits of the whole.
TEST_P(Attention, BitsDoNotDependOnTheRowsOfTheCall) {
  for (const Index width : {5, 16, 32, 64, 72, 100}) {
    for (const AttentionForm& form :
         {AttentionForm{0.2f}, {0.2f, 0, 50}, {0.2f, 2.0f, 0}, {0.2f, 2.0f, 130}}) {
      const Index length = 300;
      Head h(length, width, 1, 1, static_cast<unsigned>(width));
      h.form = form;
      h.forward(table());
      for (const Index step : {1, 2, 3, 4, 5, 6, 7, 47, 64, 97}) {
        Matrix out(length, width, 3, 2);
        for (Index first = 0; first < length; first += step)
          h.forward(table(), first, std::min(step, length - first), out);
        for (Index i = 0; i < length; ++i) {
          ASSERT_EQ(
              std::memcmp(&out.at(i, 0), &h.out.at(i, 0), static_cast<std::size_t>(width) * sizeof(float)), 0)
              << "K " << width << " W " << form.window << " step " << step << " row " << i;
        }
      }
    }
  }
}

// sum(out * dout) has dq, dk, dv as its derivatives: central differences in a few directions.
TEST_P(Attention, GradientIsTheDerivative) {
  Head h(40, 12, 0, 0, 21);
  h.dk.fill(0.0f);
  h.dv.fill(0.0f);
  h.forward(table());
  h.backward(table());
  const auto loss = [&] {
    Reference r(h);
    double sum = 0;
    for (Index i = 0; i < 40; ++i) {
      for (Index d = 0; d < 12; ++d) sum += r.entry(r.out, i, d) * static_cast<double>(h.dout.at(i, d));
    }
    return sum;
  };
  const auto check = [&](Matrix& x, Matrix& dx, Index i, Index d) {
    const float kept = x.at(i, d), up = kept + 1e-3f, down = kept - 1e-3f;
    x.at(i, d) = up;
    const double high = loss();
    x.at(i, d) = down;
    const double low = loss();
    x.at(i, d) = kept;
    const double expected = (high - low) / (static_cast<double>(up) - static_cast<double>(down));
    EXPECT_NEAR(static_cast<double>(dx.at(i, d)), expected, 1e-4) << i << " " << d;
  };
  for (const Index i : {0, 1, 17, 39}) {
    for (const Index d : {0, 11}) {
      check(h.q, h.dq, i, d);
      check(h.k_rows, h.dk, i, d);
      check(h.v, h.dv, i, d);
    }
  }
}

TEST_P(Attention, AgreesWithScalar) {
  for (const Index width : {9, 32, 64}) {
    Head h(150, width, 0, 3, 31);
    h.dk.fill(0.0f);
    h.dv.fill(0.0f);
    Head scalar = h;
    h.forward(table());
    h.backward(table());
    scalar.forward(kernels_for("scalar"));
    scalar.backward(kernels_for("scalar"));
    for (Index i = 0; i < 150; ++i) {
      for (Index d = 0; d < width; ++d) {
        ASSERT_NEAR(h.out.at(i, d), scalar.out.at(i, d), 2e-6f);
        ASSERT_NEAR(h.dq.at(i, d), scalar.dq.at(i, d), 5e-6f);
        ASSERT_NEAR(h.dk.at(i, d), scalar.dk.at(i, d), 2e-5f);
        ASSERT_NEAR(h.dv.at(i, d), scalar.dv.at(i, d), 2e-5f);
      }
    }
  }
}

// Memory is O(T): the scratch of the gradient grows by one float per position.
TEST_P(Attention, ScratchGrowsLinearly) {
  const Index at_1k = table().attention_backward_scratch(1024, 64),
              at_4k = table().attention_backward_scratch(4096, 64);
  EXPECT_EQ(at_4k - at_1k, 3072);
  EXPECT_LT(at_1k * static_cast<Index>(sizeof(float)), 128 * 1024);
}

std::vector<std::string> isas() {
  std::vector<std::string> names;
  for (const std::string_view name : available_isas()) names.emplace_back(name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(EveryIsa, Attention, ::testing::ValuesIn(isas()),
                         [](const auto& p) { return p.param; });

}  // namespace
}  // namespace smallmind
