// Threaded products: values against double, and the same bits for every number of threads and rows.
#include "nn/matmul.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/dispatch.h"

namespace smallmind {
namespace {

enum class Form { forward, dx, dw, packed };
constexpr Form kForms[] = {Form::forward, Form::dx, Form::dw, Form::packed};

std::vector<float> random_floats(Index count, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& x : values) x = uniform(generator);
  return values;
}

struct Shape {
  Index m, n, k;
};

// A product of one of the forms, contiguous operands.
struct Case {
  Shape shape;
  Form form;
  std::vector<float> a, b, c, bias;

  Case(Shape s, Form f)
      : shape(s),
        form(f),
        a(random_floats(s.m * s.k, 1)),
        b(random_floats(s.k * s.n, 2)),
        c(random_floats(s.m * s.n, 3)),
        bias(random_floats(s.n, 4)) {}

  bool b_transposed() const { return form == Form::forward || form == Form::packed; }
  Index a_row_stride() const { return form == Form::dw ? 1 : shape.k; }
  Index a_k_stride() const { return form == Form::dw ? shape.m : 1; }
  Index b_k_stride() const { return b_transposed() ? 1 : shape.n; }
  Index b_n_stride() const { return b_transposed() ? shape.k : 1; }

  // Rows [first, first + rows) of C, which start from what c holds.
  std::vector<float> run(ThreadPool& pool, bool accumulate, bool with_bias, Index first = 0,
                         Index rows = -1) const {
    std::vector<float> out = c;
    const KernelTable& table = kernels();
    const Product product{.m = rows < 0 ? shape.m : rows,
                          .n = shape.n,
                          .k = shape.k,
                          .a = a.data() + first * a_row_stride(),
                          .a_row_stride = a_row_stride(),
                          .a_k_stride = a_k_stride(),
                          .c = out.data() + first * shape.n,
                          .c_stride = shape.n,
                          .bias = with_bias ? bias.data() : nullptr,
                          .accumulate = accumulate};
    const float nan = std::numeric_limits<float>::quiet_NaN();  // scratch must be written before it is read
    if (form == Form::packed) {
      std::vector<float> panels(packed_bytes(table, shape.k, shape.n) / sizeof(float), nan);
      pack_matrix(pool, table, b.data(), b_k_stride(), b_n_stride(), shape.k, shape.n, panels.data());
      matmul_packed(pool, table, product, {panels.data()});
    } else {
      const Index floats = matmul_scratch_floats(pool, table, product, b_n_stride());
      std::vector<float> scratch(static_cast<std::size_t>(floats), nan);
      matmul(pool, table, product, b.data(), b_k_stride(), b_n_stride(), scratch.data());
    }
    return out;
  }

  void check(ThreadPool& pool, bool accumulate, bool with_bias) const {
    const std::vector<float> out = run(pool, accumulate, with_bias);
    for (Index i = 0; i < shape.m; ++i) {
      for (Index j = 0; j < shape.n; ++j) {
        const auto at = static_cast<std::size_t>(i * shape.n + j);
        double sum = accumulate ? double{c[at]} : 0.0, magnitude = std::abs(sum) + 1;
        for (Index p = 0; p < shape.k; ++p) {
          const double x = double{a[static_cast<std::size_t>(i * a_row_stride() + p * a_k_stride())]} *
                           double{b[static_cast<std::size_t>(p * b_k_stride() + j * b_n_stride())]};
          sum += x;
          magnitude += std::abs(x);
        }
        if (with_bias) sum += double{bias[static_cast<std::size_t>(j)]};
        ASSERT_NEAR(out[at], sum, static_cast<double>(shape.k + 2) * 0x1p-24 * magnitude)
            << shape.m << " x " << shape.n << " x " << shape.k << ", form " << static_cast<int>(form) << ", "
            << pool.size() << " threads, at " << i << ", " << j;
      }
    }
  }
};

bool same_bits(const std::vector<float>& x, const std::vector<float>& y) {
  return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size() * sizeof(float)) == 0;
}

const Shape kShapes[] = {{1, 1, 1},      {1, 129, 67},   {2, 50, 300},   {7, 97, 31},    {8, 64, 64},
                         {13, 301, 129}, {16, 127, 128}, {33, 200, 53},  {64, 128, 130}, {131, 530, 64},
                         {300, 61, 47},  {67, 67, 67},   {24, 1030, 150}};

TEST(Matmul, MatchesDoubleForEveryFormAndThreadCount) {
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    for (const Form form : kForms) {
      for (const Shape& shape : kShapes) {
        const Case product(shape, form);
        product.check(pool, form == Form::dw, form == Form::forward || form == Form::packed);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(Matmul, BiasAndAccumulationTogether) {
  ThreadPool pool(2);
  for (const Form form : kForms) Case({50, 200, 100}, form).check(pool, true, true);
}

TEST(Matmul, BitsDoNotDependOnTheThreadCount) {
  ThreadPool one(1);
  for (const Form form : kForms) {
    for (const Shape shape : {Shape{1, 700, 300}, Shape{65, 600, 700}, Shape{300, 500, 200}}) {
      const Case product(shape, form);
      const std::vector<float> want = product.run(one, true, true);
      for (const int threads : {2, 3, 7}) {
        ThreadPool pool(threads);
        EXPECT_TRUE(same_bits(product.run(pool, true, true), want))
            << "form " << static_cast<int>(form) << ", " << threads << " threads, M = " << shape.m;
      }
    }
  }
}

TEST(Matmul, RowBitsDoNotDependOnM) {
  ThreadPool one(1), three(3);
  for (const Form form : {Form::forward, Form::dx, Form::packed}) {
    const Case product({65, 310, 520}, form);
    const std::vector<float> want = product.run(one, false, true);
    for (Index m = 1; m <= 65; ++m) {
      const Index first = (m * 5) % (66 - m);
      const std::vector<float> got = product.run(m % 2 == 0 ? one : three, false, true, first, m);
      const auto begin = static_cast<std::size_t>(first * product.shape.n);
      ASSERT_EQ(std::memcmp(got.data() + begin, want.data() + begin,
                            static_cast<std::size_t>(m * product.shape.n) * sizeof(float)),
                0)
          << "M = " << m;
    }
  }
}

// Far larger than the scratch, in k (50,257 as in the gradient of the logits) and in n.
TEST(Matmul, LargeMatrices) {
  ThreadPool one(1), two(2);
  const Index scratch_limit = Index{4} << 20;
  const Case deep({25, 100, 50257}, Form::dx), wide({25, 9000, 600}, Form::forward);
  for (const Case* product : {&deep, &wide}) {
    const Product shape{.m = product->shape.m, .n = product->shape.n, .k = product->shape.k};
    EXPECT_LE(matmul_scratch_floats(one, kernels(), shape, product->b_n_stride()), scratch_limit);
    EXPECT_LT(scratch_limit, shape.n * shape.k);
    const std::vector<float> out = product->run(one, true, true);
    EXPECT_TRUE(same_bits(out, product->run(two, true, true)));
  }
  deep.check(two, true, true);
  const Case tall({9000, 50, 60}, Form::dw), broad({30, 5000, 8000}, Form::dw);
  tall.check(two, true, true);
  EXPECT_TRUE(same_bits(broad.run(one, true, true), broad.run(two, true, true)));
}

TEST(Matmul, EmptyProducts) {
  ThreadPool pool(2);
  for (const Form form : kForms) {
    Case({0, 20, 30}, form).check(pool, true, true);
    Case({5, 0, 30}, form).check(pool, true, true);
    Case({5, 20, 0}, form).check(pool, false, true);
    Case({50, 200, 0}, form).check(pool, true, false);
  }
}

}  // namespace
}  // namespace smallmind
