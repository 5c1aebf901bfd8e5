// Attention and the fused loss against the FMA peak, as training runs them: recorded, forward and backward.
//
//   ops_bench [loss | attention | all] [threads]
//
// FLOPs are the compulsory ones: 6 N V D of the loss (three products); of attention 4 K per unmasked pair
// forward and 10 K backward (five products), T(T+1)/2 pairs. The peak is sampled in alternation with the
// work, on the same threads; "median" divides the medians, "best" the fastest samples.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/thread_pool.h"
#include "kernels/dispatch.h"
#include "nn/ops.h"
#include "tensor/buffer.h"

namespace smallmind {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Samples {
  std::vector<double> seconds;
  double best() const { return *std::min_element(seconds.begin(), seconds.end()); }
  double median() {
    const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
    std::nth_element(seconds.begin(), middle, seconds.end());
    return *middle;
  }
};

double seconds_per_flop(ThreadPool& pool) {
  std::vector<double> flops(static_cast<std::size_t>(pool.size()));
  const double start = now();
  pool.run([&](int t) { flops[static_cast<std::size_t>(t)] = kernels().fma_flops(60000); });
  const double elapsed = now() - start;
  double sum = 0;
  for (const double x : flops) sum += x;
  return elapsed / sum;
}

void fill(float* x, Index n, std::uint64_t seed) {
  const RandomStream random(seed, 0, 1);
  for (Index i = 0; i < n; ++i) x[i] = random.uniform(static_cast<std::uint64_t>(i)) - 0.5F;
}

void report(const std::string& what, ThreadPool& pool, double flops, Samples& work, Samples& peak) {
  fmt::print("{:44} {} thr  {:8.3f} ms  {:6.1f} GFLOP/s  {:5.1f} % of peak (best {:5.1f} %)\n", what,
             pool.size(), work.median() * 1e3, flops / work.median() * 1e-9,
             100 * flops * peak.median() / work.median(), 100 * flops * peak.best() / work.best());
}

// Runs `step` (one recorded forward; returns the output) and its backward for a while.
template <class F>
void measure(const std::string& what, ThreadPool& pool, double forward_flops, double backward_flops, F&& step,
             const std::vector<float>& dout) {
  Exec dry = Exec::measuring(pool, kernels(), true);
  {
    const Step scope(dry);
    const Tensor out = step(dry);
    dry.backward(out, dout.data());
  }
  Exec ex(pool, kernels(), true, dry.memory());
  Samples forward, backward, both, peak;
  const double begin = now();
  while (now() - begin < 1.0 || both.seconds.size() < 5) {
    peak.seconds.push_back(seconds_per_flop(pool));
    const Step scope(ex);
    const double t0 = now();
    const Tensor out = step(ex);
    const double t1 = now();
    ex.backward(out, dout.data());
    const double t2 = now();
    forward.seconds.push_back(t1 - t0);
    backward.seconds.push_back(t2 - t1);
    both.seconds.push_back(t2 - t0);
  }
  if (forward_flops > 0) {
    report(what + " forward", pool, forward_flops, forward, peak);
    report(what + " backward", pool, backward_flops, backward, peak);
  } else {
    report(what, pool, backward_flops, both, peak);
  }
}

struct FloatBuffer {
  explicit FloatBuffer(Index n) : b(static_cast<std::size_t>(n) * sizeof(float)) {}
  float* data() { return b.as<float>(); }
  Buffer b;
};

void loss(ThreadPool& pool, Index rows, Index width, Index vocab) {
  FloatBuffer h(rows * width), w(vocab * width), dw(vocab * width);
  fill(h.data(), rows * width, 1);
  fill(w.data(), vocab * width, 2);
  std::vector<std::int32_t> targets(static_cast<std::size_t>(rows));
  for (Index i = 0; i < rows; ++i)
    targets[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i * 7919 % vocab);
  const Param head{.name = "head", .rows = vocab, .cols = width, .data = w.data(), .grad = dw.data()};
  const double flops =
      6.0 * static_cast<double>(rows) * static_cast<double>(width) * static_cast<double>(vocab);
  measure(fmt::format("loss N {} D {} V {}", rows, width, vocab), pool, 0, flops,
          [&](Exec& ex) {
            Tensor x{h.data(), rows, width, width, nullptr, 0};
            x.grad = ex.make(rows, width).grad;
            return linear_cross_entropy(ex, x, head, targets);
          },
          {1.0F});
}

void attention(ThreadPool& pool, Index batch, Index time, Index heads, Index kv_heads, Index width) {
  const Index rows = batch * time, cols = (heads + 2 * kv_heads) * width;
  std::vector<float> qkv(static_cast<std::size_t>(rows * cols)),
      dout(static_cast<std::size_t>(rows * heads * width));
  fill(qkv.data(), rows * cols, 3);
  fill(dout.data(), rows * heads * width, 4);
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(rows));
  std::vector<Segment> segments;
  for (Index b = 0; b < batch; ++b) segments.push_back({b * time, time, 0, b});
  const double pairs = static_cast<double>(batch * heads) * static_cast<double>(time * (time + 1)) / 2;
  const double k = static_cast<double>(width);
  measure(
      fmt::format("attention B {} T {} H {} G {} K {}", batch, time, heads, kv_heads, width), pool,
      4 * k * pairs, 10 * k * pairs,
      [&](Exec& ex) {
        Tensor x{qkv.data(), rows, cols, cols, nullptr, 0};
        x.grad = ex.make(rows, cols).grad;
        return attention(ex, x.columns(0, heads * width), x.columns(heads * width, kv_heads * width),
                         x.columns((heads + kv_heads) * width, kv_heads * width), {heads, kv_heads, width},
                         {tokens, segments}, nullptr, 0);
      },
      dout);
}

}  // namespace
}  // namespace smallmind

int main(int argc, char** argv) {
  using namespace smallmind;
  const std::string group = argc > 1 ? argv[1] : "all";
  const int threads = argc > 2 ? std::atoi(argv[2]) : 0;
  for (const int count : threads > 0 ? std::vector<int>{threads} : std::vector<int>{1, 2}) {
    ThreadPool pool(count);
    if (group != "attention") {
      for (const Index width : {128, 256, 384, 768}) {
        loss(pool, 2048, width, 512);
        loss(pool, 2048, width, 50257);
      }
    }
    if (group != "loss") {
      attention(pool, 1, 1024, 8, 8, 64);
      attention(pool, 1, 1024, 8, 2, 64);
      attention(pool, 12, 64, 6, 6, 64);
      attention(pool, 16, 128, 8, 8, 32);
      attention(pool, 16, 64, 4, 4, 32);
    }
  }
}
