// What the roofline is measured with: the plainest loops over the same vectors, ordinary loads and stores.
#pragma once

#include "kernels/generic/loops.inl"

namespace smallmind {
namespace {

// Each chain needs its previous result, so enough of them must be in flight: latency 4 x 2 per cycle = 8 on
// current cores, 10 where the latency is 5; 12 chains and two operands still fit into 16 registers. x -> x f
// + (1 - f) stays near 1.
[[gnu::flatten]] double fma_flops_n(Index iterations) noexcept {
  constexpr int kChains = 12;
  const volatile float opaque = 0.999f;  // the compiler must not know the operands
  const Vec factor = set(opaque), term = set(1.0f - opaque);
  Vec chain[kChains];
  for (int c = 0; c < kChains; ++c) chain[c] = set(1.0f + 0.01f * static_cast<float>(c));
  for (Index i = 0; i < iterations; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) chain[c] = mul_add(chain[c], factor, term);
  }
  Vec total = zero();
  for (int c = 0; c < kChains; ++c) total = total + chain[c];
  volatile float sink = sum(total);
  static_cast<void>(sink);
  return 2.0 * kChains * static_cast<double>(kWidth) * static_cast<double>(iterations);
}

// Eight lines a turn: from L3 the fewer instructions between loads, the more loads are in flight. The
// hardware's prefetchers stop at every 4 KiB page, so prefetching 32 lines ahead may read faster: on a Zen 5
// 4 to 12 % where L3 holds the array, but 10 to 20 % slower from memory and from L2.
template <bool kAhead>
[[gnu::always_inline]] inline float read_stream(const float* x, Index n) noexcept {
  constexpr Index kSums = 8, kAheadFloats = 32 * 16;
  Vec sums[kSums];
  for (Vec& each : sums) each = zero();
  Index i = 0;
  for (; i + kSums * kWidth <= n; i += kSums * kWidth) {
#pragma GCC unroll 8
    for (Index j = 0; j < kSums; ++j) {
      if constexpr (kAhead) __builtin_prefetch(x + i + j * kWidth + kAheadFloats);
      sums[j] = sums[j] + load(x + i + j * kWidth);
    }
  }
  for (; i + kWidth <= n; i += kWidth) sums[0] = sums[0] + load(x + i);
  if (i < n) sums[1] = sums[1] + load_n(x + i, n - i);
  return sum(((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7])));
}

[[gnu::flatten]] float stream_read_n(const float* x, Index n) noexcept {
  return read_stream<false>(x, n);
}
[[gnu::flatten]] float stream_read_ahead_n(const float* x, Index n) noexcept {
  return read_stream<true>(x, n);
}

// More of the core's prefetchers at work: on a Zen 3 7 % faster from L3 and 15 to 40 % from memory.
[[gnu::flatten]] float stream_read_quarters_n(const float* x, Index n) noexcept {
  const Index quarter = n / 4;
  Vec sums[4][2];
  for (auto& pair : sums) pair[0] = pair[1] = zero();
  Index i = 0;
  for (; i + 2 * kWidth <= quarter; i += 2 * kWidth) {
#pragma GCC unroll 4
    for (Index q = 0; q < 4; ++q) {
      sums[q][0] = sums[q][0] + load(x + q * quarter + i);
      sums[q][1] = sums[q][1] + load(x + q * quarter + i + kWidth);
    }
  }
  Vec total = zero();
  for (auto& pair : sums) total = total + (pair[0] + pair[1]);
  float rest = 0;
  for (Index q = 0; q < 4; ++q) rest += read_stream<false>(x + q * quarter + i, quarter - i);
  return sum(total) + (rest + read_stream<false>(x + 4 * quarter, n - 4 * quarter));
}

void stream_copy_n(const float* x, Index n, float* out) noexcept {
  map(x, n, out, [](Vec v) { return v; });
}

void stream_update_n(float* x, Index n) noexcept {
  map(x, n, x, [](Vec v) { return v + set(1.0f); });
}

void stream_add_n(const float* a, const float* b, Index n, float* out) noexcept {
  map(a, b, n, out, [](Vec u, Vec v) { return u + v; });
}

[[gnu::flatten]] float stream_read2_n(const float* x, const float* y, Index n) noexcept {
  Vec a = zero(), b = zero(), c = zero(), d = zero();
  Index i = 0;
  for (; i + 2 * kWidth <= n; i += 2 * kWidth) {
    a = a + load(x + i);
    b = b + load(y + i);
    c = c + load(x + i + kWidth);
    d = d + load(y + i + kWidth);
  }
  if (i + kWidth <= n) {
    a = a + load(x + i);
    b = b + load(y + i);
    i += kWidth;
  }
  if (i < n) c = c + load_n(x + i, n - i) + load_n(y + i, n - i);
  return sum((a + b) + (c + d));
}

[[gnu::flatten]] void stream_update3_n(const float* x, Index n, float* a, float* b, float* c) noexcept {
  const volatile float opaque = 0.0f;  // the compiler must not know that nothing changes
  const Vec factor = set(opaque);
  Index i = 0;
  for (; i + 2 * kWidth <= n;
       i += 2 * kWidth) {  // whole pairs of lines per array: 3 % faster than single ones
    const Index j = i + kWidth;
    const Vec t = load(x + i) * factor, later = load(x + j) * factor;
    const Vec a0 = load(a + i) + t, b0 = load(b + i) + t, c0 = load(c + i) + t;
    const Vec a1 = load(a + j) + later, b1 = load(b + j) + later, c1 = load(c + j) + later;
    store(a + i, a0);
    store(a + j, a1);
    store(b + i, b0);
    store(b + j, b1);
    store(c + i, c0);
    store(c + j, c1);
  }
  for (; i < n; i += kWidth) {
    const Index count = n - i < kWidth ? n - i : kWidth;
    const auto change = [=](float* to) {
      if (count == kWidth) return store(to, load(to) + load(x + i) * factor);
      store_n(to, load_n(to, count) + load_n(x + i, count) * factor, count);
    };
    change(a + i);
    change(b + i);
    change(c + i);
  }
}

void install_peak(KernelTable& table) noexcept {
  table.fma_flops = fma_flops_n;
  table.stream_read = stream_read_n;
  table.stream_read_ahead = stream_read_ahead_n;
  table.stream_read_quarters = stream_read_quarters_n;
  table.stream_copy = stream_copy_n;
  table.stream_update = stream_update_n;
  table.stream_add = stream_add_n;
  table.stream_read2 = stream_read2_n;
  table.stream_update3 = stream_update3_n;
}

}  // namespace
}  // namespace smallmind
