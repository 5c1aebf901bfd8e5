// compare_probe OUT MODEL PASSES [OPERATION FACTOR]: records warm passes of prompts on one thread, in which
// every kernel call of one operation takes FACTOR times as long. The truth is then known, and a comparison of
// recordings can be held against it (compare_power.py).
//
// The slow-down sits in a copy of the kernel table: the kernels of products and attention look at the zone
// that they run in and spin where it is the operation's.
#include <fmt/core.h>

#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/zone.h"
#include "infer/packed_weights.h"
#include "infer/session.h"
#include "model/presets.h"
#include "profiler/environment.h"
#include "profiler/recorder.h"

namespace smallmind {
namespace {

std::string_view slow_operation;
double slow_factor = 1;

// The kernel at kMember, slowed down.
template <auto kMember>
struct Slowed;
template <typename Args, void (*KernelTable::*kMember)(const Args&) noexcept>
struct Slowed<kMember> {
  static inline void (*original)(const Args&) noexcept = nullptr;

  static void call(const Args& args) noexcept {
    const std::uint64_t begin = zone_ticks();
    original(args);
    const Zone* zone = Zone::open();
    if (zone == nullptr || zone->site().name != slow_operation) return;
    const std::uint64_t end = zone_ticks();
    const auto until = end + static_cast<std::uint64_t>((slow_factor - 1) * static_cast<double>(end - begin));
    while (zone_ticks() < until) {
    }
  }
  static void install(KernelTable& table) noexcept {
    original = table.*kMember;
    table.*kMember = &call;
  }
};

void record(const char* out, std::string_view name, int passes) {
  constexpr int kPromptsPerPass = 5;
  const std::unique_ptr<Model> model = make_model(preset(name));
  model->allocate(false);
  model->initialise(1);
  KernelTable table = kernels();
  Slowed<&KernelTable::gemm>::install(table);
  Slowed<&KernelTable::attention_forward>::install(table);
  ThreadPool pool(1);
  const PackedWeights packed(*model, pool, DType::f32, table);
  const std::vector<std::int32_t> prompt(static_cast<std::size_t>(model->config().context), 1);
  Session session(*model, pool, {}, table);
  Recorder recorder(out);
  recorder.section("environment", environment_json("", "", 1));
  for (int repeat = 0; repeat <= passes; ++repeat) {
    const Zone pass("prompt",
                    {.phase = Phase::prefill, .layer = repeat, .shape = {1}, .kind = ZoneKind::pass});
    for (int i = 0; i < kPromptsPerPass; ++i) {
      session.reset();
      session.prefill(prompt);
    }
  }
  recorder.stop();
}

}  // namespace
}  // namespace smallmind

int main(int argc, char** argv) {
  using namespace smallmind;
  if (argc != 4 && argc != 6) {
    fmt::print(stderr, "usage: compare_probe OUT MODEL PASSES [OPERATION FACTOR]\n");
    return 1;
  }
  if (argc == 6) {
    slow_operation = argv[4];
    slow_factor = std::atof(argv[5]);
  }
  try {
    record(argv[1], argv[2], std::atoi(argv[3]));
    return 0;
  } catch (const Error& e) {
    fmt::print(stderr, "compare_probe: {}\n", e.what());
    return static_cast<int>(e.code());
  }
}
