// The attention op over a cache: prefill equals single decodes bit for bit in every form and with any number
// of threads, also where long caches are cut among threads; its FLOPs; its memory.
#include <gtest/gtest.h>

#include <cstring>

#include "base/random.h"
#include "kernels/dispatch.h"
#include "nn/ops.h"

namespace smallmind {
namespace {

std::vector<float> normal(Index n, std::uint64_t seed) {
  const RandomStream random(seed, 0, 3);
  std::vector<float> x(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = random.normal(i);
  return x;
}

// One sequence over a cache, fed in passes of any number of rows.
class Sequence {
 public:
  Sequence(const AttentionShape& shape, Index capacity, int threads)
      : shape_(shape),
        q_(normal(capacity * shape.heads * shape.head_width, 1)),
        k_(normal(capacity * shape.kv_heads * shape.head_width, 2)),
        v_(normal(capacity * shape.kv_heads * shape.head_width, 3)),
        pool_(threads),
        cache_(1, 1, capacity, shape.kv_heads, shape.head_width),
        tokens_(static_cast<std::size_t>(capacity)) {}

  // Attends `rows` further rows; their results.
  std::vector<float> feed(Index rows) {
    std::vector<float> result;
    const auto run = [&](Exec& ex) {
      const Step step(ex);
      // A dry run knows the rows, but not how long the cache has grown.
      const Segment segment{0, rows, ex.measuring() ? 0 : cache_.length(0), 0};
      const TokenBatch batch{std::span(tokens_).first(static_cast<std::size_t>(rows)), {&segment, 1}};
      const Tensor out = attention(ex, view(q_, shape_.heads, segment), view(k_, shape_.kv_heads, segment),
                                   view(v_, shape_.kv_heads, segment), shape_, batch, &cache_, 0);
      if (ex.measuring()) return;
      result.assign(out.data, out.data + out.size());
      cache_.advance(batch);
    };
    Exec dry = Exec::measuring(pool_, kernels(), false);
    run(dry);
    Exec ex(pool_, kernels(), false, dry.memory());
    run(ex);
    return result;
  }

 private:
  Tensor view(std::vector<float>& all, Index heads, const Segment& segment) const {
    const Index cols = heads * shape_.head_width;
    return {all.data() + segment.position * cols, segment.rows, cols, cols, nullptr, 0};
  }

  AttentionShape shape_;
  std::vector<float> q_, k_, v_;
  ThreadPool pool_;
  KvCache cache_;
  std::vector<std::int32_t> tokens_;
};

constexpr AttentionShape kShapes[] = {
    {2, 2, 16}, {4, 1, 24}, {6, 2, 8, 40, 0}, {4, 1, 16, 0, 2.0f}, {3, 1, 16, 600, 1.5f}};

TEST(AttentionOverACache, PrefillEqualsSingleDecodes) {
  constexpr Index kLength = 150;
  for (const AttentionShape& shape : kShapes) {
    SCOPED_TRACE(shape.window);
    const std::vector<float> whole = Sequence(shape, kLength, 1).feed(kLength);
    for (const int threads : {1, 3}) {
      Sequence sequence(shape, kLength, threads);
      std::vector<float> rows = sequence.feed(37);
      for (Index i = 37; i < kLength; ++i) {
        const std::vector<float> row = sequence.feed(1);
        rows.insert(rows.end(), row.begin(), row.end());
      }
      ASSERT_EQ(std::memcmp(rows.data(), whole.data(), whole.size() * sizeof(float)), 0) << threads;
    }
  }
}

// Beyond kAttentionSpan positions the threads share a head: by rows in a prompt, by spans in a decode step.
TEST(AttentionOverACache, LongCachesAreCutWithoutChangingABit) {
  constexpr Index kLength = 2 * kAttentionSpan + 200;
  for (const AttentionShape& shape : kShapes) {
    SCOPED_TRACE(shape.window);
    const std::vector<float> whole = Sequence(shape, kLength, 1).feed(kLength);
    for (const int threads : {1, 2, 5}) {
      Sequence sequence(shape, kLength, threads);
      std::vector<float> rows = sequence.feed(kAttentionSpan - 5);
      for (const Index count : {Index{10}, Index{1}, kAttentionSpan, Index{1}, Index{150}}) {
        const std::vector<float> next = sequence.feed(count);
        rows.insert(rows.end(), next.begin(), next.end());
      }
      ASSERT_EQ(std::memcmp(rows.data(), whole.data(), rows.size() * sizeof(float)), 0) << threads;
    }
  }
}

TEST(Attention, CountsVisiblePairsOnly) {
  ThreadPool pool(1);
  const auto flops = [&](Index rows, Index position, Index window) {
    Exec ex = Exec::measuring(pool, kernels(), false);
    const Step step(ex);
    const std::vector<std::int32_t> tokens(static_cast<std::size_t>(rows));
    const Segment segment{0, rows, position, 0};
    const Tensor q{nullptr, rows, 3 * 8, 24, nullptr, 0}, k{nullptr, rows, 8, 8, nullptr, 0};
    attention(ex, q, k, k, {3, 1, 8, window}, {tokens, {&segment, 1}}, nullptr, 0);
    return ex.cost().flops;
  };
  for (const Index rows : {1, 2, 9, 20}) {
    for (const Index position : {0, 3, 30}) {
      for (const Index window : {0, 1, 5, 20, 100}) {
        Index pairs = 0;
        for (Index i = 0; i < rows; ++i)
          pairs += window == 0 ? position + i + 1 : std::min(window, position + i + 1);
        EXPECT_EQ(flops(rows, position, window), 3 * 4 * 8 * pairs)
            << rows << " " << position << " " << window;
      }
    }
  }
}

// T 1024, 8 heads, K 64: what forward and backward take besides q, k, v, the result and their gradients.
TEST(Attention, ExtraMemoryIsBelow2MiB) {
  constexpr Index kRows = 1024, kWidth = 512;
  for (const int threads : {1, 2, 4}) {
    ThreadPool pool(threads);
    Exec ex = Exec::measuring(pool, kernels(), true);
    const Step step(ex);
    const std::vector<std::int32_t> tokens(kRows);
    const Segment segment{0, kRows, 0, 0};
    const Tensor qkv = ex.make(kRows, 3 * kWidth);
    const Tensor out =
        attention(ex, qkv.columns(0, kWidth), qkv.columns(kWidth, kWidth), qkv.columns(2 * kWidth, kWidth),
                  {8, 8, 64}, {tokens, {&segment, 1}}, nullptr, 0);
    const float unread = 0;
    ex.backward(out, &unread);
    const std::size_t theirs = 2 * (3 + 1) * kRows * kWidth * sizeof(float);
    EXPECT_LT(ex.memory().total() - theirs, std::size_t{2} << 20) << threads << " threads";
  }
}

}  // namespace
}  // namespace smallmind
