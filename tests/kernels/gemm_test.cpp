// pack_panels and gemm of every instruction set against a double-precision loop, and the bit-for-bit
// promises.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/dispatch.h"
#include "tensor/half.h"

namespace smallmind {
namespace {

constexpr float kGuard = 12345.5F;  // stands around everything that must not be written

std::vector<float> random_floats(Index count, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& x : values) x = uniform(generator);
  return values;
}

// x W^T, dout W and dout^T x; B is packed, used in place, or copied as it is read.
enum class Form { nt, nt_copied, nn, nn_in_place, nn_copied, tn, tn_in_place, tn_copied };
constexpr Form kForms[] = {Form::nt,        Form::nt_copied, Form::nn,          Form::nn_in_place,
                           Form::nn_copied, Form::tn,        Form::tn_in_place, Form::tn_copied};

// One product with operands at odd addresses, odd strides and guards after each row of C. In memory nothing
// lies after the last element of B, so that reading beyond a row in place is caught by the address sanitizer.
struct Case {
  Index m, n, k;
  Form form = Form::nt;
  bool accumulate = false, bias = false;
  Index offset = 0;   // misaligns everything
  Index padding = 3;  // of every stride
  unsigned seed = 1;
  DType type = DType::f32;  // of the packed B
  bool residual = false;

  Index a_row_stride() const { return transposed_a() ? 1 : k + padding; }
  Index a_k_stride() const { return transposed_a() ? m + padding : 1; }
  Index b_k_stride() const { return transposed_b() ? 1 : n + padding; }
  Index b_n_stride() const { return transposed_b() ? k + padding : 1; }
  Index c_stride() const { return n + padding; }
  bool transposed_a() const { return form >= Form::tn; }
  bool transposed_b() const { return form <= Form::nt_copied; }
  bool copied() const {
    return form == Form::nt_copied || form == Form::nn_copied || form == Form::tn_copied;
  }
  bool in_place() const { return form == Form::nn_in_place || form == Form::tn_in_place || copied(); }
  Index a_floats() const {
    return m * k == 0 ? offset : offset + (m - 1) * a_row_stride() + (k - 1) * a_k_stride() + 1;
  }
  Index b_floats() const {
    return n * k == 0 ? offset : offset + (k - 1) * b_k_stride() + (n - 1) * b_n_stride() + 1;
  }

  std::string text() const {
    return std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k) + ", form " +
           std::to_string(static_cast<int>(form)) + ", accumulate " + std::to_string(accumulate) + ", bias " +
           std::to_string(bias) + ", offset " + std::to_string(offset) + ", " + dtype_name(type) +
           ", residual " + std::to_string(residual);
  }
  // An element of B as it is stored.
  float stored(float x) const {
    return type == DType::f16    ? f16_to_f32(f32_to_f16(x))
           : type == DType::bf16 ? bf16_to_f32(f32_to_bf16(x))
                                 : x;
  }
};

struct Operands {
  std::vector<float> a, b, c, bias, residual;
  explicit Operands(const Case& t)
      : a(random_floats(t.a_floats(), t.seed)),
        b(random_floats(t.b_floats(), t.seed + 1)),
        c(random_floats(t.offset + t.m * t.c_stride(), t.seed + 2)),
        bias(random_floats(t.offset + t.n, t.seed + 3)),
        residual(random_floats(t.offset + t.m * (t.n + 1), t.seed + 4)) {
    for (float& x : b) x = t.stored(x);
    for (Index i = 0; i < t.m; ++i) {
      for (Index j = t.n; j < t.c_stride(); ++j)
        c[static_cast<std::size_t>(t.offset + i * t.c_stride() + j)] = kGuard;
    }
  }
};

// A packed panel in 16 bits.
std::vector<std::uint16_t> halves(const std::vector<float>& values, DType type) {
  std::vector<std::uint16_t> out;
  for (const float x : values) out.push_back(type == DType::f16 ? f32_to_f16(x) : f32_to_bf16(x));
  return out;
}

// Runs rows [first, end) of the product; the whole product is first = 0, end = m.
void run(const KernelTable& table, const Case& t, Operands& o, Index first, Index end) {
  const Index width = table.panel_width;
  std::vector<float> packed;
  std::vector<std::uint16_t> narrow;
  const float* b = o.b.data() + t.offset;
  GemmArgs args{};
  if (t.in_place()) {
    args.b = b;
    args.b_panel_stride = width * t.b_n_stride();
    args.b_k_stride = t.b_k_stride();
    args.b_n_stride = t.b_n_stride();
  } else {
    packed.assign(static_cast<std::size_t>((t.n + width - 1) / width * width * t.k), kGuard);
    table.pack_panels(b, t.b_k_stride(), t.b_n_stride(), t.k, t.n, packed.data());
    args.b = packed.data();
    if (t.type != DType::f32) {
      narrow = halves(packed, t.type);
      args.b = narrow.data();
      args.b_type = t.type;
    }
    args.b_panel_stride = t.k * width;
    args.b_k_stride = width;
  }
  args.m = end - first;
  args.n = t.n;
  args.k = t.k;
  args.a = o.a.data() + t.offset + first * t.a_row_stride();
  args.a_row_stride = t.a_row_stride();
  args.a_k_stride = t.a_k_stride();
  std::vector<float> scratch;
  if (t.copied()) {
    scratch.assign(static_cast<std::size_t>(table.block_floats), std::numeric_limits<float>::quiet_NaN());
    args.b_scratch = scratch.data();
  }
  args.c = o.c.data() + t.offset + first * t.c_stride();
  args.c_stride = t.c_stride();
  args.bias = t.bias ? o.bias.data() + t.offset : nullptr;
  args.accumulate = t.accumulate;
  if (t.residual) {
    args.residual = o.residual.data() + t.offset + first * (t.n + 1);
    args.residual_stride = t.n + 1;
  }
  table.gemm(args);
}

// The error bound of a chain of k FMAs: (k + 2) * 2^-24 * sum |a||b|.
void check(const KernelTable& table, const Case& t) {
  Operands o(t);
  const Operands before = o;
  run(table, t, o, 0, t.m);
  for (Index i = 0; i < t.m; ++i) {
    const float* row = o.c.data() + t.offset + i * t.c_stride();
    const float* old = before.c.data() + t.offset + i * t.c_stride();
    for (Index j = 0; j < t.n; ++j) {
      double sum = t.accumulate ? double{old[j]} : 0.0, magnitude = std::abs(sum) + 1;
      for (Index p = 0; p < t.k; ++p) {
        const double x = o.a[static_cast<std::size_t>(t.offset + i * t.a_row_stride() + p * t.a_k_stride())];
        const double w = o.b[static_cast<std::size_t>(t.offset + p * t.b_k_stride() + j * t.b_n_stride())];
        sum += x * w;
        magnitude += std::abs(x * w);
      }
      if (t.bias) sum += double{o.bias[static_cast<std::size_t>(t.offset + j)]};
      if (t.residual) sum += double{o.residual[static_cast<std::size_t>(t.offset + i * (t.n + 1) + j)]};
      const double bound = static_cast<double>(t.k + 2) * 0x1p-24 * magnitude;
      ASSERT_NEAR(row[j], sum, bound) << table.isa << ": " << t.text() << ", at " << i << ", " << j;
    }
    for (Index j = t.n; j < t.c_stride(); ++j) ASSERT_EQ(row[j], kGuard) << table.isa << ": " << t.text();
  }
}

class Gemm : public testing::TestWithParam<std::string_view> {
 protected:
  const KernelTable& table() const { return kernels_for(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Isas, Gemm, testing::ValuesIn(available_isas()),
                         [](const auto& p) { return std::string(p.param); });

TEST_P(Gemm, EveryFormAndEdge) {
  const Index sizes[] = {1, 2, 3, 5, 7, 8, 9, 13, 16, 17, 31, 33, 47, 48, 49, 64, 67, 97};
  unsigned seed = 0;
  for (const Form form : kForms) {
    for (const Index m : sizes) {
      for (const Index n : sizes) {
        const Index k = sizes[seed % std::size(sizes)];
        ++seed;
        check(table(), {m, n, k, form, seed % 2 == 0, seed % 3 == 0, static_cast<Index>(seed % 5), 3, seed});
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(Gemm, EverySizeUpTo67AndAround128) {
  for (const Form form : kForms) {
    for (Index s = 1; s <= 67; ++s) {
      check(table(),
            {s, 67 - s / 2, s, form, s % 2 == 0, s % 3 == 0, s % 4, s % 5, static_cast<unsigned>(s)});
    }
    for (Index s = 127; s <= 130; ++s) check(table(), {s, s, s, form, s % 2 == 0, s % 2 != 0, s % 4, 1, 7});
    if (HasFatalFailure()) return;
  }
}

TEST_P(Gemm, BlocksOfKAndOfPanels) {
  for (const Form form : kForms) {
    check(table(), {19, 1201, 523, form, true, true, 1, 5, 3});
    check(table(), {65, 210, 1031, form, false, true, 0, 0, 4});
    check(table(), {3, 257, 1500, form, true, true, 3, 2, 5});
    if (HasFatalFailure()) return;
  }
}

TEST_P(Gemm, WeightsOf16Bits) {
  unsigned seed = 0;
  for (const DType type : {DType::f16, DType::bf16}) {
    for (Index m = 1; m <= 19; ++m) {
      for (const Index n : {1, 7, 8, 16, 33, 47, 48, 49, 100, 193, 301}) {
        const Index k = 1 + (seed * 29) % 131, offset = static_cast<Index>(seed % 5);
        ++seed;
        check(table(),
              {m, n, k, Form::nt, seed % 2 == 0, seed % 3 == 0, offset, 3, seed, type, seed % 5 == 0});
        if (HasFatalFailure()) return;
      }
    }
    check(table(), {70, 300, 1031, Form::nn, false, true, 0, 0, 4, type, true});
    check(table(), {3, 257, 1500, Form::nt, true, true, 3, 2, 5, type, true});
  }
}

TEST_P(Gemm, ARowOf16BitsDoesNotDependOnM) {
  for (const DType type : {DType::f16, DType::bf16}) {
    const Case whole{65, 197, 601, Form::nt, false, true, 1, 3, 11, type, true};
    const Operands fresh(whole);
    Operands all = fresh;
    run(table(), whole, all, 0, whole.m);
    for (Index m = 1; m < whole.m; ++m) {
      Operands some = fresh;
      const Index first = (m * 7) % (whole.m - m + 1), begin = whole.offset + first * whole.c_stride();
      run(table(), whole, some, first, first + m);
      ASSERT_EQ(std::memcmp(some.c.data() + begin, all.c.data() + begin,
                            static_cast<std::size_t>(m * whole.c_stride()) * sizeof(float)),
                0)
          << "M = " << m;
    }
  }
}

// The fused product has the bits of the product, then add, then the activation.
TEST_P(Gemm, EpiloguesEqualTheirOwnKernels) {
  for (const Form form : kForms) {
    for (const Index m : {1, 3, 8, 9, 50}) {
      const Case plain{m, 397, 601, form, form >= Form::tn, true, 1, 0, 23};
      Case fused = plain;
      fused.residual = true;
      Operands want(plain), got(fused);
      run(table(), plain, want, 0, m);
      run(table(), fused, got, 0, m);
      for (Index i = 0; i < m; ++i) {
        float* row = want.c.data() + plain.offset + i * plain.c_stride();
        table().add(row, want.residual.data() + plain.offset + i * (plain.n + 1), plain.n, row);
      }
      ASSERT_EQ(std::memcmp(want.c.data(), got.c.data(), want.c.size() * sizeof(float)), 0) << fused.text();
    }
  }
}

// Beside C, and in place of it.
TEST_P(Gemm, ActivationsEqualTheirOwnKernels) {
  const Index n = 397, k = 601;
  for (const auto activation : {table().gelu_tanh, table().gelu_erf}) {
    for (const Index m : {1, 3, 8, 9, 50}) {
      const std::vector<float> a = random_floats(m * k, 1), b = random_floats(k * n, 2);
      std::vector<float> before(static_cast<std::size_t>(m * n)), c = before, want = before, got = before;
      GemmArgs args{m, n,       k,    a.data(), k, 1, b.data(), table().panel_width, n, before.data(),
                    n, nullptr, false};
      table().gemm(args);
      activation(before.data(), m * n, want.data());
      args.c = c.data();
      args.activation = activation;
      args.activated = got.data();
      args.activated_stride = n;
      table().gemm(args);
      ASSERT_EQ(std::memcmp(c.data(), before.data(), c.size() * sizeof(float)), 0) << "M = " << m;
      ASSERT_EQ(std::memcmp(got.data(), want.data(), c.size() * sizeof(float)), 0) << "M = " << m;
      args.activated = c.data();
      table().gemm(args);
      ASSERT_EQ(std::memcmp(c.data(), want.data(), c.size() * sizeof(float)), 0) << "M = " << m;
    }
  }
}

TEST_P(Gemm, AResidualMayBeCItselfInOneSlab) {
  for (Index m = 1; m <= table().slab_rows; ++m) {
    const Case t{m, 397, 1601, Form::nt, false, true, 1, 0, 31};
    Operands apart(t), in_place(t);
    apart.residual = apart.c;
    std::vector<float> panels(static_cast<std::size_t>((t.n + table().panel_width) * t.k));
    table().pack_panels(apart.b.data() + t.offset, 1, t.k, t.k, t.n, panels.data());
    GemmArgs args{m,
                  t.n,
                  t.k,
                  apart.a.data(),
                  t.k,
                  1,
                  panels.data(),
                  t.k * table().panel_width,
                  table().panel_width,
                  apart.c.data(),
                  t.n,
                  apart.bias.data(),
                  false};
    args.residual = apart.residual.data();
    args.residual_stride = t.n;
    table().gemm(args);
    args.c = in_place.c.data();
    args.residual = args.c;
    table().gemm(args);
    EXPECT_EQ(std::memcmp(apart.c.data(), in_place.c.data(), apart.c.size() * sizeof(float)), 0)
        << "M = " << m;
  }
}

TEST_P(Gemm, PanelsAreLaidOutAndPaddedAsDocumented) {
  const Index width = table().panel_width, k = 19;
  for (const Index n : {width - 1, width, width + 1, 3 * width - 5}) {
    for (const bool transposed : {false, true}) {
      const Index panels = (n + width - 1) / width;
      const std::vector<float> b = random_floats(k * n, 5);
      const Index k_stride = transposed ? 1 : n, n_stride = transposed ? k : 1;
      std::vector<float> packed(static_cast<std::size_t>(panels * width * k + 1), kGuard);
      table().pack_panels(b.data(), k_stride, n_stride, k, n, packed.data());
      for (Index q = 0, at = 0; q < panels; ++q) {
        for (Index p = 0; p < k; ++p) {
          for (Index j = q * width; j < (q + 1) * width; ++j, ++at) {
            const float want = j < n ? b[static_cast<std::size_t>(p * k_stride + j * n_stride)] : 0.0F;
            ASSERT_EQ(packed[static_cast<std::size_t>(at)], want) << "panel " << q << ", row " << p;
          }
        }
      }
      EXPECT_EQ(packed.back(), kGuard);
    }
  }
}

TEST_P(Gemm, RowBitsDoNotDependOnM) {
  for (const Form form : kForms) {
    for (const bool accumulate : {false, true}) {
      const Case whole{65, 197, 601, form, accumulate, true, 1, 3, 11};
      const Operands fresh(whole);
      Operands all = fresh;
      run(table(), whole, all, 0, whole.m);
      for (Index m = 1; m < whole.m; ++m) {
        Operands some = fresh;
        const Index first = (m * 7) % (whole.m - m + 1);
        run(table(), whole, some, first, first + m);
        const Index begin = whole.offset + first * whole.c_stride();
        ASSERT_EQ(std::memcmp(some.c.data() + begin, all.c.data() + begin,
                              static_cast<std::size_t>(m * whole.c_stride()) * sizeof(float)),
                  0)
            << "M = " << m;
      }
    }
  }
}

TEST_P(Gemm, BitsDoNotDependOnPackingOrOnCutsOfNAndK) {
  const Case packed{21, 300, 700, Form::nn, false, true, 0, 0, 13};
  Case in_place = packed;
  in_place.form = Form::nn_in_place;
  Operands one(packed), two(packed), three(packed);
  run(table(), packed, one, 0, packed.m);
  run(table(), in_place, two, 0, packed.m);
  EXPECT_EQ(std::memcmp(one.c.data(), two.c.data(), one.c.size() * sizeof(float)), 0);
  const Index width = table().panel_width;
  for (Index j = 0; j < packed.n; j += 2 * width) {  // in columns, and each in two pieces of k
    const Index columns = std::min(2 * width, packed.n - j);
    table().gemm({packed.m, columns, 300, three.a.data(), packed.k, 1, three.b.data() + j, width, packed.n,
                  three.c.data() + j, packed.n, nullptr, false});
    table().gemm({packed.m, columns, 400, three.a.data() + 300, packed.k, 1,
                  three.b.data() + 300 * packed.n + j, width, packed.n, three.c.data() + j, packed.n,
                  three.bias.data() + j, true});
  }
  EXPECT_EQ(std::memcmp(one.c.data(), three.c.data(), one.c.size() * sizeof(float)), 0);
}

TEST_P(Gemm, InfinitiesAndNansReachTheirOwnOutputsOnly) {
  const float infinity = std::numeric_limits<float>::infinity(),
              nan = std::numeric_limits<float>::quiet_NaN();
  for (const Form form : kForms) {
    const Case t{19, 103, 37, form, false, false, 1, 3, 17};
    Operands o(t);
    o.a[static_cast<std::size_t>(t.offset + 4 * t.a_row_stride() + 11 * t.a_k_stride())] = nan;
    o.b[static_cast<std::size_t>(t.offset + 5 * t.b_k_stride() + 102 * t.b_n_stride())] = infinity;
    run(table(), t, o, 0, t.m);
    for (Index i = 0; i < t.m; ++i) {
      for (Index j = 0; j < t.n; ++j) {
        const float c = o.c[static_cast<std::size_t>(t.offset + i * t.c_stride() + j)];
        if (i == 4) {
          EXPECT_TRUE(std::isnan(c)) << i << ", " << j;
        } else if (j == 102) {
          EXPECT_TRUE(std::isinf(c)) << i << ", " << j;
        } else {
          EXPECT_TRUE(std::isfinite(c)) << i << ", " << j;
        }
      }
    }
  }
}

TEST_P(Gemm, ZeroSizes) {
  for (const Form form : kForms) {
    for (const bool accumulate : {false, true}) {
      check(table(), {5, 50, 0, form, accumulate, true, 1, 2, 19});
      check(table(), {9, 50, 0, form, accumulate, false, 1, 2, 19});
      check(table(), {0, 50, 7, form, accumulate, true, 0, 2, 19});
      check(table(), {7, 0, 7, form, accumulate, true, 0, 2, 19});
    }
  }
}

}  // namespace
}  // namespace smallmind
