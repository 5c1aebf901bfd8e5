// f32 products against the machine's limit, through nn/matmul with real threads.
//
//   gemm_bench [group [threads [isa]]]     groups: square, packed, train, skinny, half, all,
//   or FORM,M,N,K[,SECONDS] with FORM 0 x W^T, 1 dout W, 2 dout^T x, 3 packed f32, 4 f16, 5 bf16
//
// Each line interleaves samples of the product with samples of its roof on the same threads: the FMA peak, or
// for skinny products a plain read stream of B's footprint. "best" divides the fastest samples of both,
// "median" the medians; on a machine with neighbours the best is the kernel's own number. Packing of B counts
// where it happens.
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/dispatch.h"
#include "nn/matmul.h"
#include "tensor/buffer.h"

namespace smallmind {
namespace {

// With one thread the CPU time of the thread is measured, so that a neighbour on the core costs nothing but
// its cache misses.
double now(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Seconds per call over at least half a millisecond.
template <class F>
double time_of(clockid_t clock, F&& f) {
  const double start = now(clock);
  int calls = 0;
  double elapsed = 0;
  do {
    f();
    ++calls;
    elapsed = now(clock) - start;
  } while (elapsed < 0.5e-3);
  return elapsed / calls;
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

enum class Form { forward, dx, dw, packed, packed_f16, packed_bf16 };
constexpr Form kForms[] = {Form::forward, Form::dx,         Form::dw,
                           Form::packed,  Form::packed_f16, Form::packed_bf16};
constexpr const char* kNames[] = {"x W^T", "dout W", "dout^T x", "packed", "pack f16", "pack bf16"};

class Bench {
 public:
  Bench(int threads, const KernelTable& table)
      : pool_(threads), table_(table), clock_(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC) {
    for (Buffer* b : {&a_, &b_, &c_, &scratch_}) {
      for (std::size_t i = 0; i < b->size() / sizeof(float); ++i) {
        b->as<float>()[i] = static_cast<float>((i * 2654435761U) % 1000) / 1000.0F - 0.5F;
      }
    }
  }

  // The product of a Linear layer's form as C(m, n) with a sum over k.
  void run(Form form, Index m, Index n, Index k, double budget = 0.3) {
    const bool packed = form >= Form::packed, b_transposed = form == Form::forward || packed;
    const DType type = form == Form::packed_f16    ? DType::f16
                       : form == Form::packed_bf16 ? DType::bf16
                                                   : DType::f32;
    const Index bytes = static_cast<Index>(dtype_size(type));
    const Index b_k_stride = b_transposed ? 1 : n, b_n_stride = b_transposed ? k : 1;
    const Product p{.m = m,
                    .n = n,
                    .k = k,
                    .a = a_.as<float>(),
                    .a_row_stride = form == Form::dw ? 1 : k,
                    .a_k_stride = form == Form::dw ? m : 1,
                    .c = c_.as<float>(),
                    .c_stride = n,
                    .accumulate = form == Form::dw};
    float* panels = scratch_.as<float>();
    const bool skinny = m <= 16;
    if (packed) pack_matrix(pool_, table_, b_.as<float>(), b_k_stride, b_n_stride, k, n, panels, type);
    const auto product = [&] {
      if (packed) {
        matmul_packed(pool_, table_, p, {panels, type});
      } else {
        matmul(pool_, table_, p, b_.as<float>(), b_k_stride, b_n_stride, panels);
      }
    };
    Samples work, peak, stream;
    const double flops = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
    product();
    const double start = now(CLOCK_MONOTONIC);
    while (now(CLOCK_MONOTONIC) - start < budget || work.seconds.size() < 5) {
      peak.seconds.push_back(seconds_per_flop());
      work.seconds.push_back(time_of(clock_, product));
      if (skinny) stream.seconds.push_back(time_of(clock_, [&] { read(panels, n * k * bytes / 4); }));
    }
    const double fma = peak.best(), memory = skinny ? stream.best() : 0;
    fmt::print("{:9} {:5} x {:5} x {:5}  {} thr  {:7.1f} GFLOP/s  {:5.1f} % of peak (median {:5.1f} %)",
               kNames[static_cast<int>(form)], m, n, k, pool_.size(), flops / work.best() * 1e-9,
               100 * flops * fma / work.best(), 100 * flops * peak.median() / work.median());
    if (skinny) {
      fmt::print("  {:6.1f} GB/s: {:5.1f} % of the stream (median {:5.1f} %)",
                 1e-9 * static_cast<double>(n * k * bytes) / work.best(), 100 * memory / work.best(),
                 100 * stream.median() / work.median());
    }
    fmt::print("\n");
    std::fflush(stdout);
  }

 private:
  double seconds_per_flop() {
    constexpr Index kIterations = 30000;
    std::vector<double> flops(static_cast<std::size_t>(pool_.size()));
    pool_.run([](int) {});  // a worker may have gone to sleep
    const double start = now(clock_);
    pool_.run([&](int t) { flops[static_cast<std::size_t>(t)] = table_.fma_flops(kIterations); });
    const double elapsed = now(clock_) - start;
    double sum = 0;
    for (const double x : flops) sum += x;
    return elapsed / sum;
  }

  void read(const float* x, Index n) {
    pool_.run([&](int t) {
      const Index begin = n * t / pool_.size(), end = n * (t + 1) / pool_.size();
      volatile float sink = table_.stream_read(x + begin, end - begin);
      static_cast<void>(sink);
    });
  }

  ThreadPool pool_;
  const KernelTable& table_;
  clockid_t clock_;
  Buffer a_{std::size_t{64} << 20}, b_{std::size_t{64} << 20}, c_{std::size_t{64} << 20},
      scratch_{std::size_t{64} << 20};
};

void run_groups(const std::string& group, Bench& bench) {
  const bool all = group == "all";
  if (all || group == "square") {
    for (const Index s : {128, 256, 512, 1024, 2048}) {
      for (const Form form : {Form::forward, Form::dx, Form::dw}) bench.run(form, s, s, s);
    }
  }
  if (all || group == "packed") {
    for (const Index s : {128, 256, 512, 1024, 2048}) bench.run(Form::packed, s, s, s);
    bench.run(Form::packed, 64, 3072, 768);
    bench.run(Form::packed, 64, 768, 3072);
  }
  if (all || group == "train") {
    for (const Index tokens : {768, 2048}) {
      for (const Index d : {128, 256, 384, 768}) {
        for (const auto& [in, out] :
             {std::pair{d, 3 * d}, std::pair{d, d}, std::pair{d, 4 * d}, std::pair{4 * d, d}}) {
          bench.run(Form::forward, tokens, out, in);
          bench.run(Form::dx, tokens, in, out);
          bench.run(Form::dw, out, in, tokens);
        }
      }
    }
  }
  if (all || group == "skinny") {
    for (const Index m : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 17, 24, 32})
      bench.run(Form::packed, m, 3072, 768);
    for (const Index m : {1, 8}) {
      for (const auto& [n, k] :
           {std::pair{128, 128}, std::pair{384, 128}, std::pair{512, 128}, std::pair{128, 512},
            std::pair{256, 256}, std::pair{1024, 256}, std::pair{768, 768}, std::pair{3072, 3072}}) {
        bench.run(Form::packed, m, n, k);
      }
    }
  }
  if (all || group == "half") {
    for (const Form form : {Form::packed_f16, Form::packed_bf16}) {
      for (const Index m : {1, 2, 4, 8, 64}) {
        for (const auto& [n, k] : {std::pair{768, 768}, std::pair{3072, 768}, std::pair{3072, 3072}})
          bench.run(form, m, n, k);
      }
    }
  }
  long long form = 0, m = 0, n = 0, k = 0;
  double seconds = 0.3;
  if (std::sscanf(group.c_str(), "%lld,%lld,%lld,%lld,%lf", &form, &m, &n, &k, &seconds) >= 4)
    bench.run(kForms[form], m, n, k, seconds);
}

}  // namespace
}  // namespace smallmind

int main(int argc, char** argv) {
  using namespace smallmind;
  const std::string group = argc > 1 ? argv[1] : "all";
  const int threads = argc > 2 ? std::atoi(argv[2]) : 0;
  const KernelTable& table = argc > 3 ? kernels_for(argv[3]) : kernels();
  for (const int t : threads > 0 ? std::vector<int>{threads} : std::vector<int>{1, 2}) {
    Bench bench(t, table);
    run_groups(group, bench);
  }
}
