// The cases: small odd shapes, every branch of each backward. See op_cases.h.
#include "tests/support/op_cases.h"

#include <cmath>
#include <numbers>

#include "base/random.h"

namespace smallmind::test {
namespace {

using Inputs = std::vector<Matrix>;
using Tensors = std::vector<Tensor>;
using Params = std::vector<Param>;

// What a case's batch points to; static, because the cases outlive the function that makes them.
const std::vector<std::int32_t> kTokens = {2, 0, 4, 2, 1, 3, 3};
const std::vector<Segment> kSegments = {{0, 4, 0, 0}, {4, 3, 0, 1}};
const TokenBatch kBatch{kTokens, kSegments};

Matrix map2(const Matrix& a, const Matrix& b, double (*f)(double, double)) {
  Matrix out = a;
  for (std::size_t i = 0; i < out.values.size(); ++i) out.values[i] = f(a.values[i], b.values[i]);
  return out;
}

double plus(double a, double b) {
  return a + b;
}
double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}
double gelu_erf(double x) {
  return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2));
}
double gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

Matrix map(const Matrix& x, double (*f)(double)) {
  Matrix out = x;
  for (double& value : out.values) value = f(value);
  return out;
}

Matrix linear_reference(const Matrix& x, const Matrix& w, const Matrix* b) {
  Matrix y = zeros(x.rows, w.rows);
  for (Index i = 0; i < x.rows; ++i)
    for (Index o = 0; o < w.rows; ++o) {
      double sum = b == nullptr ? 0 : b->at(0, o);
      for (Index p = 0; p < x.cols; ++p) sum += x.at(i, p) * w.at(o, p);
      y.at(i, o) = sum;
    }
  return y;
}

Matrix norm_reference(const Matrix& x, const Matrix& w, const Matrix* b, double eps, bool centred) {
  Matrix out = x;
  for (Index i = 0; i < x.rows; ++i) {
    double mean = 0, square = 0;
    for (Index j = 0; centred && j < x.cols; ++j) mean += x.at(i, j) / static_cast<double>(x.cols);
    for (Index j = 0; j < x.cols; ++j) square += std::pow(x.at(i, j) - mean, 2) / static_cast<double>(x.cols);
    for (Index j = 0; j < x.cols; ++j)
      out.at(i, j) =
          (x.at(i, j) - mean) / std::sqrt(square + eps) * w.at(0, j) + (b == nullptr ? 0 : b->at(0, j));
  }
  return out;
}

Matrix rope_reference(const Matrix& x, Index heads, double theta, bool interleaved = false) {
  const Index width = x.cols / heads, half = width / 2;
  Matrix out = x;
  for (const Segment& s : kSegments)
    for (Index i = 0; i < s.rows; ++i)
      for (Index h = 0; h < heads; ++h)
        for (Index j = 0; j < half; ++j) {
          const double angle = static_cast<double>(s.position + i) *
                               std::pow(theta, -2.0 * static_cast<double>(j) / static_cast<double>(width));
          const Index row = s.first_row + i;
          const Index a = h * width + (interleaved ? 2 * j : j), b = a + (interleaved ? 1 : half);
          out.at(row, a) = x.at(row, a) * std::cos(angle) - x.at(row, b) * std::sin(angle);
          out.at(row, b) = x.at(row, a) * std::sin(angle) + x.at(row, b) * std::cos(angle);
        }
  return out;
}

Matrix attention_reference(const Matrix& q, const Matrix& k, const Matrix& v, const AttentionShape& shape) {
  Matrix out = zeros(q.rows, q.cols);
  const Index width = shape.head_width;
  for (const Segment& s : kSegments)
    for (Index h = 0; h < shape.heads; ++h)
      for (Index i = 0; i < s.rows; ++i) {
        const Index kv = h / (shape.heads / shape.kv_heads) * width, row = s.first_row + i;
        std::vector<double> p;
        double sum = 0;
        for (Index j = 0; j <= i; ++j) {
          double score = 0;
          for (Index d = 0; d < width; ++d) score += q.at(row, h * width + d) * k.at(s.first_row + j, kv + d);
          score /= std::sqrt(static_cast<double>(width));
          const auto cap = static_cast<double>(shape.soft_cap);
          if (cap > 0) score = cap * std::tanh(score / cap);
          const bool hidden = shape.window > 0 && j <= i - shape.window;
          p.push_back(hidden ? 0.0 : std::exp(score));
          sum += p.back();
        }
        for (Index j = 0; j <= i; ++j)
          for (Index d = 0; d < width; ++d)
            out.at(row, h * width + d) +=
                p[static_cast<std::size_t>(j)] / sum * v.at(s.first_row + j, kv + d);
      }
  return out;
}

Matrix columns(const Matrix& m, Index begin, Index count) {
  Matrix out = zeros(m.rows, count);
  for (Index i = 0; i < m.rows; ++i)
    for (Index j = 0; j < count; ++j) out.at(i, j) = m.at(i, begin + j);
  return out;
}

void add_table_cases(std::vector<OpCase>& cases) {
  cases.push_back({Op::embedding,
                   "embedding",
                   {},
                   {random_matrix(5, 9, 1)},
                   [](Exec& ex, const Tensors&, const Params& p) { return embedding(ex, p[0], kBatch); },
                   [](const Inputs&, const Inputs& p) {
                     Matrix out = zeros(7, 9);
                     for (Index i = 0; i < 7; ++i)
                       for (Index j = 0; j < 9; ++j)
                         out.at(i, j) = p[0].at(kTokens[static_cast<std::size_t>(i)], j);
                     return out;
                   }});
  cases.push_back(
      {Op::embedding,
       "embedding with positions",
       {},
       {random_matrix(5, 9, 2), random_matrix(6, 9, 3)},
       [](Exec& ex, const Tensors&, const Params& p) { return embedding(ex, p[0], p[1], kBatch); },
       [](const Inputs&, const Inputs& p) {
         Matrix out = zeros(7, 9);
         for (const Segment& s : kSegments)
           for (Index i = 0; i < s.rows; ++i)
             for (Index j = 0; j < 9; ++j)
               out.at(s.first_row + i, j) = p[0].at(kTokens[static_cast<std::size_t>(s.first_row + i)], j) +
                                            p[1].at(s.position + i, j);
         return out;
       }});
}

void add_product_cases(std::vector<OpCase>& cases) {
  cases.push_back({Op::linear,
                   "linear",
                   {random_matrix(7, 9, 4)},
                   {random_matrix(11, 9, 5)},
                   [](Exec& ex, const Tensors& x, const Params& p) { return linear(ex, x[0], p[0]); },
                   [](const Inputs& x, const Inputs& p) { return linear_reference(x[0], p[0], nullptr); }});
  cases.push_back({Op::linear,
                   "linear with bias",
                   {random_matrix(18, 35, 6)},
                   {random_matrix(67, 35, 7), random_matrix(1, 67, 8)},
                   [](Exec& ex, const Tensors& x, const Params& p) { return linear(ex, x[0], p[0], p[1]); },
                   [](const Inputs& x, const Inputs& p) { return linear_reference(x[0], p[0], &p[1]); }});
  cases.push_back({Op::linear,
                   "linear of a part, twice",
                   {random_matrix(5, 12, 9)},
                   {random_matrix(6, 8, 10)},
                   [](Exec& ex, const Tensors& x, const Params& p) {
                     return add(ex, linear(ex, x[0].columns(0, 8), p[0]),
                                linear(ex, x[0].columns(4, 8), p[0]));
                   },
                   [](const Inputs& x, const Inputs& p) {
                     return map2(linear_reference(columns(x[0], 0, 8), p[0], nullptr),
                                 linear_reference(columns(x[0], 4, 8), p[0], nullptr), plus);
                   }});
  cases.push_back({Op::add,
                   "add",
                   {random_matrix(3, 17, 11), random_matrix(3, 17, 12)},
                   {},
                   [](Exec& ex, const Tensors& x, const Params&) { return add(ex, x[0], x[1]); },
                   [](const Inputs& x, const Inputs&) { return map2(x[0], x[1], plus); }});
  cases.push_back({Op::add,
                   "add to itself",
                   {random_matrix(3, 17, 13)},
                   {},
                   [](Exec& ex, const Tensors& x, const Params&) { return add(ex, x[0], x[0]); },
                   [](const Inputs& x, const Inputs&) { return map2(x[0], x[0], plus); }});
}

void add_fused_product_cases(std::vector<OpCase>& cases) {
  cases.push_back(
      {Op::linear_gelu,
       "linear_gelu by tanh",
       {random_matrix(18, 35, 40)},
       {random_matrix(67, 35, 41, 0.2), random_matrix(1, 67, 42)},
       [](Exec& ex, const Tensors& x, const Params& p) {
         return linear_gelu(ex, x[0], p[0], p[1], GeluForm::tanh);
       },
       [](const Inputs& x, const Inputs& p) { return map(linear_reference(x[0], p[0], &p[1]), gelu_tanh); }});
  cases.push_back({Op::linear_gelu,
                   "linear_gelu by erf, beside a residual",
                   {random_matrix(5, 21, 43)},
                   {random_matrix(21, 21, 44, 0.2)},
                   [](Exec& ex, const Tensors& x, const Params& p) {
                     return add(ex, linear_gelu(ex, x[0], p[0], Param{}, GeluForm::erf), x[0]);
                   },
                   [](const Inputs& x, const Inputs& p) {
                     return map2(map(linear_reference(x[0], p[0], nullptr), gelu_erf), x[0], plus);
                   }});
  cases.push_back(
      {Op::linear_add,
       "linear_add",
       {random_matrix(18, 35, 45), random_matrix(18, 67, 46)},
       {random_matrix(67, 35, 47), random_matrix(1, 67, 48)},
       [](Exec& ex, const Tensors& x, const Params& p) { return linear_add(ex, x[0], p[0], p[1], x[1]); },
       [](const Inputs& x, const Inputs& p) {
         return map2(linear_reference(x[0], p[0], &p[1]), x[1], plus);
       }});
  cases.push_back(
      {Op::linear_add,
       "linear_add to its own input",
       {random_matrix(5, 21, 49)},
       {random_matrix(21, 21, 50)},
       [](Exec& ex, const Tensors& x, const Params& p) { return linear_add(ex, x[0], p[0], Param{}, x[0]); },
       [](const Inputs& x, const Inputs& p) {
         return map2(linear_reference(x[0], p[0], nullptr), x[0], plus);
       }});
}

void add_normed_product_cases(std::vector<OpCase>& cases) {
  cases.push_back({Op::norm_linear,
                   "norm_linear",
                   {random_matrix(7, 19, 51)},
                   {random_matrix(1, 19, 52), random_matrix(1, 19, 53), random_matrix(23, 19, 54),
                    random_matrix(1, 23, 55)},
                   [](Exec& ex, const Tensors& x, const Params& p) {
                     return norm_linear(ex, x[0], {p[0], &p[1], 1e-5f}, p[2], p[3]);
                   },
                   [](const Inputs& x, const Inputs& p) {
                     return linear_reference(norm_reference(x[0], p[0], &p[1], 1e-5, true), p[2], &p[3]);
                   }});
  cases.push_back({Op::norm_linear,
                   "norm_linear of RMSNorm, without a bias",
                   {random_matrix(7, 19, 74)},
                   {random_matrix(1, 19, 75), random_matrix(23, 19, 76)},
                   [](Exec& ex, const Tensors& x, const Params& p) {
                     return norm_linear(ex, x[0], {p[0], nullptr, 1e-5f}, p[1]);
                   },
                   [](const Inputs& x, const Inputs& p) {
                     return linear_reference(norm_reference(x[0], p[0], nullptr, 1e-5, false), p[1], nullptr);
                   }});
  cases.push_back({Op::norm_linear_gelu,
                   "norm_linear_gelu",
                   {random_matrix(7, 19, 56)},
                   {random_matrix(1, 19, 57), random_matrix(1, 19, 58), random_matrix(23, 19, 59, 0.2),
                    random_matrix(1, 23, 60)},
                   [](Exec& ex, const Tensors& x, const Params& p) {
                     return norm_linear_gelu(ex, x[0], {p[0], &p[1], 1e-5f}, p[2], p[3], GeluForm::erf);
                   },
                   [](const Inputs& x, const Inputs& p) {
                     return map(linear_reference(norm_reference(x[0], p[0], &p[1], 1e-5, true), p[2], &p[3]),
                                gelu_erf);
                   }});
}

void add_norm_cases(std::vector<OpCase>& cases) {
  cases.push_back(
      {Op::layer_norm,
       "layer_norm",
       {random_matrix(6, 21, 14)},
       {random_matrix(1, 21, 15), random_matrix(1, 21, 16)},
       [](Exec& ex, const Tensors& x, const Params& p) { return layer_norm(ex, x[0], p[0], p[1], 1e-5f); },
       [](const Inputs& x, const Inputs& p) { return norm_reference(x[0], p[0], &p[1], 1e-5, true); }});
  cases.push_back({Op::layer_norm,
                   "layer_norm beside a residual",
                   {random_matrix(6, 21, 17)},
                   {random_matrix(1, 21, 18), random_matrix(1, 21, 19)},
                   [](Exec& ex, const Tensors& x, const Params& p) {
                     return add(ex, x[0], layer_norm(ex, x[0], p[0], p[1], 1e-5f));
                   },
                   [](const Inputs& x, const Inputs& p) {
                     return map2(x[0], norm_reference(x[0], p[0], &p[1], 1e-5, true), plus);
                   }});
  cases.push_back(
      {Op::rms_norm,
       "rms_norm",
       {random_matrix(6, 21, 20)},
       {random_matrix(1, 21, 21)},
       [](Exec& ex, const Tensors& x, const Params& p) { return rms_norm(ex, x[0], p[0], 1e-6f); },
       [](const Inputs& x, const Inputs& p) { return norm_reference(x[0], p[0], nullptr, 1e-6, false); }});
  cases.push_back({Op::rms_norm,
                   "rms_norm beside a residual",
                   {random_matrix(6, 21, 22)},
                   {random_matrix(1, 21, 23)},
                   [](Exec& ex, const Tensors& x, const Params& p) {
                     return add(ex, x[0], rms_norm(ex, x[0], p[0], 1e-6f));
                   },
                   [](const Inputs& x, const Inputs& p) {
                     return map2(x[0], norm_reference(x[0], p[0], nullptr, 1e-6, false), plus);
                   }});
}

// Both results matter to the gradient: the test sees sum + normed, or one of them alone.
Matrix add_norm_reference(const Inputs& x, const Inputs& p, bool layer) {
  const Matrix sum = map2(x[0], x[1], plus);
  return map2(sum, norm_reference(sum, p[0], layer ? &p[1] : nullptr, 1e-5, layer), plus);
}

void add_residual_norm_cases(std::vector<OpCase>& cases) {
  cases.push_back({Op::add_layer_norm,
                   "add_layer_norm, both results",
                   {random_matrix(6, 21, 61), random_matrix(6, 21, 62)},
                   {random_matrix(1, 21, 63), random_matrix(1, 21, 64)},
                   [](Exec& ex, const Tensors& x, const Params& p) {
                     const ResidualNorm r = add_layer_norm(ex, x[0], x[1], p[0], p[1], 1e-5f);
                     return add(ex, r.sum, r.normed);
                   },
                   [](const Inputs& x, const Inputs& p) { return add_norm_reference(x, p, true); }});
  cases.push_back({Op::add_layer_norm,
                   "add_layer_norm, the norm alone",
                   {random_matrix(6, 21, 65), random_matrix(6, 21, 66)},
                   {random_matrix(1, 21, 67), random_matrix(1, 21, 68)},
                   [](Exec& ex, const Tensors& x, const Params& p) {
                     return add_layer_norm(ex, x[0], x[1], p[0], p[1], 1e-5f).normed;
                   },
                   [](const Inputs& x, const Inputs& p) {
                     return norm_reference(map2(x[0], x[1], plus), p[0], &p[1], 1e-5, true);
                   }});
  cases.push_back({Op::add_rms_norm,
                   "add_rms_norm, both results",
                   {random_matrix(6, 21, 69), random_matrix(6, 21, 70)},
                   {random_matrix(1, 21, 71)},
                   [](Exec& ex, const Tensors& x, const Params& p) {
                     const ResidualNorm r = add_rms_norm(ex, x[0], x[1], p[0], 1e-5f);
                     return add(ex, r.sum, r.normed);
                   },
                   [](const Inputs& x, const Inputs& p) { return add_norm_reference(x, p, false); }});
  cases.push_back({Op::add_rms_norm,
                   "add_rms_norm of a tensor and itself",
                   {random_matrix(6, 21, 72)},
                   {random_matrix(1, 21, 73)},
                   [](Exec& ex, const Tensors& x, const Params& p) {
                     return add_rms_norm(ex, x[0], x[0], p[0], 1e-5f).normed;
                   },
                   [](const Inputs& x, const Inputs& p) {
                     return norm_reference(map2(x[0], x[0], plus), p[0], nullptr, 1e-5, false);
                   }});
}

void add_activation_cases(std::vector<OpCase>& cases) {
  cases.push_back({Op::gelu,
                   "gelu by tanh",
                   {random_matrix(4, 19, 24, 2.0)},
                   {},
                   [](Exec& ex, const Tensors& x, const Params&) { return gelu(ex, x[0], GeluForm::tanh); },
                   [](const Inputs& x, const Inputs&) { return map(x[0], gelu_tanh); }});
  cases.push_back(
      {Op::gelu,
       "gelu by erf, beside a residual",
       {random_matrix(4, 19, 25, 2.0)},
       {},
       [](Exec& ex, const Tensors& x, const Params&) { return add(ex, gelu(ex, x[0], GeluForm::erf), x[0]); },
       [](const Inputs& x, const Inputs&) { return map2(map(x[0], gelu_erf), x[0], plus); }});
  const auto swiglu_reference = [](const Inputs& x, const Inputs&) {
    return map2(x[0], x[1], [](double gate, double up) { return gate * sigmoid(gate) * up; });
  };
  cases.push_back({Op::swiglu,
                   "swiglu",
                   {random_matrix(4, 19, 26), random_matrix(4, 19, 27)},
                   {},
                   [](Exec& ex, const Tensors& x, const Params&) { return swiglu(ex, x[0], x[1]); },
                   swiglu_reference});
}

void add_position_cases(std::vector<OpCase>& cases) {
  static const RopeTable table(8, 6, 100.0);
  cases.push_back({Op::rope,
                   "rope",
                   {random_matrix(7, 18, 28)},
                   {},
                   [](Exec& ex, const Tensors& x, const Params&) { return rope(ex, x[0], table, 3, kBatch); },
                   [](const Inputs& x, const Inputs&) { return rope_reference(x[0], 3, 100.0); }});
  static const RopeTable neighbours(8, 6, 100.0, RopeLayout::interleaved);
  cases.push_back(
      {Op::rope,
       "rope of interleaved pairs",
       {random_matrix(7, 18, 60)},
       {},
       [](Exec& ex, const Tensors& x, const Params&) { return rope(ex, x[0], neighbours, 3, kBatch); },
       [](const Inputs& x, const Inputs&) { return rope_reference(x[0], 3, 100.0, true); }});
  cases.push_back(
      {Op::rope,
       "rope beside a residual",
       {random_matrix(7, 18, 29)},
       {},
       [](Exec& ex, const Tensors& x, const Params&) {
         return add(ex, rope(ex, x[0], table, 3, kBatch), x[0]);
       },
       [](const Inputs& x, const Inputs&) { return map2(rope_reference(x[0], 3, 100.0), x[0], plus); }});
  cases.push_back(
      {Op::dropout,
       "dropout",
       {random_matrix(7, 18, 30)},
       {},
       [](Exec& ex, const Tensors& x, const Params&) { return add(ex, dropout(ex, x[0], 0.25f), x[0]); },
       [](const Inputs& x, const Inputs&) {
         Matrix out = x[0];
         const RandomStream draws(5, 3, 0);  // the seed, step and site of the check
         for (std::size_t i = 0; i < out.values.size(); ++i)
           out.values[i] += draws.uniform(i) < 0.75f ? x[0].values[i] / 0.75 : 0.0;
         return out;
       }});
}

void add_attention_cases(std::vector<OpCase>& cases) {
  static constexpr AttentionShape kFull{3, 3, 5}, kGrouped{4, 2, 6};
  cases.push_back({Op::attention,
                   "attention over a fused qkv",
                   {random_matrix(7, 45, 31)},
                   {},
                   [](Exec& ex, const Tensors& x, const Params&) {
                     return attention(ex, x[0].columns(0, 15), x[0].columns(15, 15), x[0].columns(30, 15),
                                      kFull, kBatch, nullptr, 0);
                   },
                   [](const Inputs& x, const Inputs&) {
                     return attention_reference(columns(x[0], 0, 15), columns(x[0], 15, 15),
                                                columns(x[0], 30, 15), kFull);
                   }});
  cases.push_back(
      {Op::attention,
       "grouped attention",
       {random_matrix(7, 24, 32), random_matrix(7, 12, 33), random_matrix(7, 12, 34)},
       {},
       [](Exec& ex, const Tensors& x, const Params&) {
         return attention(ex, x[0], x[1], x[2], kGrouped, kBatch, nullptr, 0);
       },
       [](const Inputs& x, const Inputs&) { return attention_reference(x[0], x[1], x[2], kGrouped); }});
  static constexpr AttentionShape kWindow{4, 2, 6, 2, 0}, kCapped{4, 2, 6, 3, 1.5f};
  for (const AttentionShape* shape : {&kWindow, &kCapped})
    cases.push_back(
        {Op::attention,
         shape == &kWindow ? "attention in a window" : "soft-capped attention in a window",
         {random_matrix(7, 24, 38), random_matrix(7, 12, 39), random_matrix(7, 12, 40)},
         {},
         [shape](Exec& ex, const Tensors& x, const Params&) {
           return attention(ex, x[0], x[1], x[2], *shape, kBatch, nullptr, 0);
         },
         [shape](const Inputs& x, const Inputs&) { return attention_reference(x[0], x[1], x[2], *shape); }});
}

Matrix cross_entropy_reference(const Matrix& logits, const std::vector<std::int32_t>& targets) {
  Matrix loss = zeros(1, 1);
  double count = 0;
  for (Index i = 0; i < logits.rows; ++i) {
    const Index target = targets[static_cast<std::size_t>(i)];
    if (target < 0) continue;
    double sum = 0;
    for (Index j = 0; j < logits.cols; ++j) sum += std::exp(logits.at(i, j));
    loss.at(0, 0) += std::log(sum) - logits.at(i, target);
    count += 1;
  }
  loss.at(0, 0) /= count;
  return loss;
}

void add_loss_cases(std::vector<OpCase>& cases) {
  static const std::vector<std::int32_t> targets = {3, -1, 0, 12, 5};
  cases.push_back({Op::cross_entropy,
                   "cross_entropy",
                   {random_matrix(5, 13, 35, 3.0)},
                   {},
                   [](Exec& ex, const Tensors& x, const Params&) { return cross_entropy(ex, x[0], targets); },
                   [](const Inputs& x, const Inputs&) { return cross_entropy_reference(x[0], targets); }});
  // The head is also read as an embedding: its gradient has two sources, as where they are tied. 83 rows of
  // the vocabulary are three blocks.
  static const std::vector<std::int32_t> far = {82, -1, 0, 40, 31, 32, 64};
  cases.push_back(
      {Op::linear_cross_entropy,
       "linear_cross_entropy with a tied head",
       {random_matrix(7, 9, 36)},
       {random_matrix(83, 9, 37)},
       [](Exec& ex, const Tensors& x, const Params& p) {
         return linear_cross_entropy(ex, add(ex, x[0], embedding(ex, p[0], kBatch)), p[0], far).output();
       },
       [](const Inputs& x, const Inputs& p) {
         Matrix h = x[0];
         for (Index i = 0; i < 7; ++i)
           for (Index d = 0; d < 9; ++d) h.at(i, d) += p[0].at(kTokens[static_cast<std::size_t>(i)], d);
         return cross_entropy_reference(linear_reference(h, p[0], nullptr), far);
       }});
}

}  // namespace

std::vector<OpCase> op_cases() {
  std::vector<OpCase> cases;
  add_table_cases(cases);
  add_product_cases(cases);
  add_fused_product_cases(cases);
  add_normed_product_cases(cases);
  add_residual_norm_cases(cases);
  add_norm_cases(cases);
  add_activation_cases(cases);
  add_position_cases(cases);
  add_attention_cases(cases);
  add_loss_cases(cases);
  return cases;
}

}  // namespace smallmind::test
