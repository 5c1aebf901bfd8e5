// Products: the three forms of a Linear layer on plain operands, and with the weight packed once.
//
// Shapes are M x N x K of C(m, n). Roofs: multiply-adds; for M = 1 the stream that reads the weight; for M =
// 8 the lesser of both.
#include <fmt/format.h>

#include <array>
#include <chrono>

#include "nn/matmul.h"
#include "profiler/kernel_bench/spec.h"
#include "profiler/statistics.h"

namespace smallmind {
namespace {

enum class Form { forward, dx, dw, packed };

const char* form_name(Form form) {
  switch (form) {
    case Form::forward:
      return "x W^T";
    case Form::dx:
      return "dout W";
    case Form::dw:
      return "dout^T x";
    case Form::packed:
      break;
  }
  return "packed";
}

struct Shape {
  Index m, n, k;
};

// Operands, scratch or panels of one product.
struct Operands {
  Operands(const BenchContext& context, Form form, Shape s)
      : arrays{s.m * s.k, s.n * s.k, s.m * s.n},
        b_k_stride(form == Form::forward || form == Form::packed ? 1 : s.n),
        b_n_stride(b_k_stride == 1 ? s.k : 1),
        product{.m = s.m,
                .n = s.n,
                .k = s.k,
                .a = arrays[0],
                .a_row_stride = form == Form::dw ? 1 : s.k,
                .a_k_stride = form == Form::dw ? s.m : 1,
                .c = arrays[2],
                .c_stride = s.n,
                .accumulate = form == Form::dw} {
    const std::size_t bytes = form == Form::packed
                                  ? packed_bytes(context.kernels, s.k, s.n)
                                  : sizeof(float) * static_cast<std::size_t>(matmul_scratch_floats(
                                                        context.pool, context.kernels, product, b_n_stride));
    scratch = Buffer(std::max(bytes, std::size_t{2} << 20));
    if (form == Form::packed)
      pack_matrix(context.pool, context.kernels, arrays[1], b_k_stride, b_n_stride, s.k, s.n,
                  scratch.as<float>());
  }

  Arrays arrays;
  Index b_k_stride, b_n_stride;
  Product product;
  Buffer scratch;
};

using ReadStream = float (*)(const float* x, Index n) noexcept;

// Reads the packed weight as plainly as can be: one range of panels per thread.
void read_weight(ThreadPool& pool, const Operands& o, Index floats, ReadStream read) {
  pool.run([&](int t) {
    const Index begin = floats * t / pool.size(), end = floats * (t + 1) / pool.size();
    volatile float sink = read(o.scratch.as<float>() + begin, end - begin);
    static_cast<void>(sink);
  });
}

// Which of the ways to read is fastest depends on where the weight lies and on the CPU.
ReadStream fastest_read(const BenchContext& context, const Operands& o, Index floats) {
  using Clock = std::chrono::steady_clock;
  constexpr int kTries = 15;
  const std::array<ReadStream, 3> reads = {context.kernels.stream_read, context.kernels.stream_read_ahead,
                                           context.kernels.stream_read_quarters};
  std::array<std::vector<double>, reads.size()> seconds;
  for (int i = 0; i < kTries; ++i)
    for (std::size_t way = 0; way < reads.size(); ++way) {
      const auto begin = Clock::now();
      read_weight(context.pool, o, floats, reads[way]);
      seconds[way].push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    }
  std::size_t fastest = 0;
  for (std::size_t way = 1; way < reads.size(); ++way)
    if (median(seconds[way]) < median(seconds[fastest])) fastest = way;
  return reads[fastest];
}

Roof read_roof(const BenchContext& context, const std::shared_ptr<Operands>& o, Index floats) {
  return {"read", false, 4.0 * static_cast<double>(floats),
          [&pool = context.pool, o, floats, read = fastest_read(context, *o, floats)] {
            read_weight(pool, *o, floats, read);
          }};
}

enum class Limit { fma, read, lesser };

KernelWork product_work(const BenchContext& context, Form form, Shape s, Limit limit) {
  const auto o = std::make_shared<Operands>(context, form, s);
  KernelWork work;
  work.cost = product_cost(s.m, s.n, s.k);
  work.in_flops = limit != Limit::read;
  if (limit != Limit::read) work.roofs.push_back(fma_roof(context));
  if (limit != Limit::fma) work.roofs.push_back(read_roof(context, o, s.n * s.k));
  if (form == Form::packed)
    work.run = [&pool = context.pool, &kernels = context.kernels, o] {
      matmul_packed(pool, kernels, o->product, {o->scratch.data()});
    };
  else
    work.run = [&pool = context.pool, &kernels = context.kernels, o] {
      matmul(pool, kernels, o->product, o->arrays[1], o->b_k_stride, o->b_n_stride, o->scratch.as<float>());
    };
  const RivalProduct same{form == Form::dw, o->b_n_stride != 1, form == Form::dw, s.m, s.n, s.k,
                          o->arrays[0],     o->arrays[1],       o->arrays[2]};
  work.rivals = context.rivals.plain(same, context.pool.size());
  if (form == Form::packed)
    for (RivalRun& run : context.rivals.packed(same, context.pool.size()))
      work.rivals.push_back(std::move(run));
  return work;
}

KernelSpec product_spec(std::vector<std::string> groups, Form form, Shape s, Limit limit,
                        std::vector<std::string> targets, double best_then = 0) {
  return {std::move(groups),
          "product",
          form_name(form),
          fmt::format("{}x{}x{}", s.m, s.n, s.k),
          std::move(targets),
          best_then,
          [=](const BenchContext& context) { return product_work(context, form, s, limit); }};
}

void add_square(std::vector<KernelSpec>& list) {
  // GFLOP/s of the earlier program on four cores.
  const auto best_then = [](Form form, Index s) {
    if (form != Form::dx) return 0.0;
    return s == 512 ? 51.8 : s == 1024 ? 68.4 : s == 2048 ? 79.4 : 0.0;
  };
  for (const Index s : {128, 256, 512, 1024, 2048})
    for (const Form form : {Form::forward, Form::dx, Form::dw}) {
      std::vector<std::string> groups = {"square"};
      if (s == 512 && form == Form::dx) groups.emplace_back("simd");
      list.push_back(product_spec(std::move(groups), form, {s, s, s}, Limit::fma,
                                  {s == 128 ? "plain 128^3" : "plain square", "oneDNN, one thread",
                                   s <= 512 ? "oneDNN, to 512^3" : "oneDNN, above 512^3"},
                                  best_then(form, s)));
    }
  for (const Index s : {128, 256, 512, 1024, 2048})
    list.push_back(product_spec({"packed"}, Form::packed, {s, s, s}, Limit::fma,
                                {s == 128 ? "packed 128^3" : "packed square"}));
}

void add_layers(std::vector<KernelSpec>& list) {
  constexpr Index kTokens = 2048;
  for (const Index d : {128, 256, 384, 768})
    for (const auto& [in, out] :
         {std::pair{d, 3 * d}, std::pair{d, d}, std::pair{d, 4 * d}, std::pair{4 * d, d}}) {
      const std::vector<std::string> groups = {"layers", fmt::format("layers{}", d)};
      const auto add = [&](Form form, Shape s) {
        list.push_back(product_spec(groups, form, s, Limit::fma, {"layer products"}));
      };
      add(Form::forward, {kTokens, out, in});
      add(Form::dx, {kTokens, in, out});
      add(Form::dw, {out, in, kTokens});
    }
}

void add_skinny(std::vector<KernelSpec>& list) {
  for (const auto& [n, k] : {std::pair{768, 768}, std::pair{3072, 768}, std::pair{3072, 3072}})
    list.push_back(product_spec({"skinny"}, Form::packed, {1, n, k}, Limit::read, {"M = 1"}));
  for (const auto& [n, k] : {std::pair{768, 768}, std::pair{3072, 768}, std::pair{3072, 3072}})
    list.push_back(product_spec({"skinny"}, Form::packed, {8, n, k}, Limit::lesser, {"M = 8"}));
  for (const auto& [n, k] : {std::pair{3072, 768}, std::pair{768, 3072}})
    list.push_back(product_spec({"skinny"}, Form::packed, {64, n, k}, Limit::fma, {"M = 64"}));
}

}  // namespace

std::vector<KernelSpec> product_specs() {
  std::vector<KernelSpec> list;
  add_square(list);
  add_layers(list);
  add_skinny(list);
  return list;
}

}  // namespace smallmind
