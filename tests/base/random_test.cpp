// Philox against the known answers that its authors publish (Random123, kat_vectors), and the streams'
// distributions.
#include "base/random.h"

#include <gtest/gtest.h>

#include <set>

namespace smallmind {
namespace {

using Words = std::array<std::uint32_t, 4>;

TEST(Philox, KnownAnswers) {
  EXPECT_EQ(Philox::block(0, 0, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox::block(~0ull, ~0ull, ~0ull), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  // counter 243f6a88 85a308d3 13198a2e 03707344, key a4093822 299f31d0: the digits of pi
  EXPECT_EQ(Philox::block(0x299f31d0a4093822ull, 0x0370734413198a2eull, 0x85a308d3243f6a88ull),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, IsAPureFunctionOfItsFourNumbers) {
  const RandomStream a(7, 3, 5);
  EXPECT_EQ(a.bits(11), RandomStream(7, 3, 5).bits(11));
  EXPECT_EQ(a.bits(11), a.block(2)[3]);
  std::set<std::uint32_t> distinct{a.bits(11), a.bits(12), RandomStream(8, 3, 5).bits(11),
                                   RandomStream(7, 4, 5).bits(11), RandomStream(7, 3, 6).bits(11)};
  EXPECT_EQ(distinct.size(), 5u);
  EXPECT_THROW(RandomStream(0, std::uint64_t{1} << 32, 0), Error);
}

TEST(RandomStream, UniformHasTheMomentsOfAUniform) {
  const RandomStream stream(1, 0, 0);
  double sum = 0, squares = 0;
  constexpr int kCount = 100000;
  for (int i = 0; i < kCount; ++i) {
    const double u = stream.uniform(static_cast<std::uint64_t>(i));
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
    squares += u * u;
  }
  EXPECT_NEAR(sum / kCount, 0.5, 0.005);  // 5 standard errors of 0.29 / sqrt(1e5)
  EXPECT_NEAR(squares / kCount, 1.0 / 3, 0.005);
  EXPECT_EQ(RandomStream::to_uniform(0xFFFFFFFFu), 1.0f - 0x1p-24f);
}

TEST(RandomStream, NormalHasTheMomentsOfANormal) {
  const RandomStream stream(2, 0, 0);
  constexpr int kCount = 200000;
  double moments[5] = {}, neighbours = 0, before = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = stream.normal(static_cast<std::uint64_t>(i));
    double power = 1;
    for (double& moment : moments) moment += power / kCount, power *= x;
    neighbours += before * x / kCount;
    before = x;
  }
  EXPECT_NEAR(moments[1], 0, 0.012);
  EXPECT_NEAR(moments[2], 1, 0.016);
  EXPECT_NEAR(moments[3], 0, 0.05);
  EXPECT_NEAR(moments[4], 3, 0.12);
  EXPECT_NEAR(neighbours, 0, 0.012) << "the sine and the cosine of a pair must be independent";
}

TEST(RandomStream, BelowStaysBelow) {
  const RandomStream stream(3, 0, 0);
  int counts[6] = {};
  for (std::uint64_t i = 0; i < 6000; ++i) {
    const std::uint32_t die = stream.below(i, 6);
    ASSERT_LT(die, 6u);
    ++counts[die];
  }
  for (const int count : counts) EXPECT_NEAR(count, 1000, 150);
  EXPECT_EQ(stream.below(1, 1), 0u);
}

}  // namespace
}  // namespace smallmind
