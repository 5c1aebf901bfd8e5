// See memory_plan.h.
#include "train/memory_plan.h"

#include "base/error.h"

namespace smallmind {
namespace {

constexpr std::int64_t kProgramBytes = std::int64_t{16} << 20;  // code, stacks, tokenizer, buffers of files

std::vector<MemoryPlan::Row> weight_rows(std::int64_t parameters) {
  return {{"parameters", parameters}, {"gradients", parameters}, {"moments (2)", 2 * parameters}};
}

std::string row_text(const char* what, std::int64_t bytes) {
  return fmt::format("  {:<28}{:>12.1f} MiB\n", what, static_cast<double>(bytes) / 1048576.0);
}

}  // namespace

std::int64_t MemoryPlan::total() const noexcept {
  std::int64_t sum = 0;
  for (const Row& row : rows) sum += row.bytes;
  return sum;
}

std::string MemoryPlan::text() const {
  std::string text;
  for (const Row& row : rows) text += row_text(row.what, row.bytes);
  return text + row_text("total", total());
}

void MemoryPlan::check(std::optional<std::int64_t> limit) const {
  if (!limit || total() <= *limit) return;
  fail_input(
      "[memory] at most {:.1f} MiB expected, {:.1f} MiB needed (a smaller batch with --accumulate needs "
      "less):\n{}",
      static_cast<double>(*limit) / 1048576.0, static_cast<double>(total()) / 1048576.0, text());
}

MemoryPlan plan_weights(const ModelConfig& config) {
  const auto parameters = config.parameter_count() * static_cast<std::int64_t>(sizeof(float));
  return {weight_rows(parameters)};
}

MemoryPlan plan_memory(const Model& model, const PassNeeds& training, const PassNeeds& evaluation) {
  const auto parameters = static_cast<std::int64_t>(model.values().size_bytes());
  const auto bytes = [](std::size_t size) { return static_cast<std::int64_t>(size); };
  const ExecMemory& m = training.memory;
  MemoryPlan plan{weight_rows(parameters)};
  plan.rows.insert(plan.rows.end(),
                   {{"activations", bytes(m.activations)},
                    {"gradients of activations", bytes(m.total() - m.activations - m.scratch)},
                    {"scratch", bytes(m.scratch)},
                    {"evaluation", bytes(evaluation.memory.total())},
                    {"program", kProgramBytes}});
  return plan;
}

}  // namespace smallmind
