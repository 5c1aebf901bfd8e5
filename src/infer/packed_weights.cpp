// Packs every matrix that a product reads; see packed_weights.h.
#include "infer/packed_weights.h"

#include "base/error.h"
#include "nn/matmul.h"

namespace smallmind {
namespace {

// Tables of embeddings are looked up, not multiplied, but for a tied head.
bool is_multiplied(const Model& model, const Param& param) {
  if (!param.is_matrix()) return false;
  const bool table = param.name == "token_embd.weight" || param.name == "position_embd.weight";
  return !table || &param == &model.head();
}

}  // namespace

PackedWeights::PackedWeights(Model& model, ThreadPool& pool, DType type, const KernelTable& table) {
  std::size_t bytes = 0;
  const auto size = [&](const Param& param) {  // each begins on a cache line
    return (packed_bytes(table, param.cols, param.rows, type) + 63) / 64 * 64;
  };
  model.visit([&](Param& param) {
    if (!is_multiplied(model, param)) return;
    SM_CHECK(!param.panels, "[packed_weights] {} is packed already", param.name);
    params_.push_back(&param);
    bytes += size(param);
  });
  panels_ = Buffer(bytes, MemoryCategory::weights);
  std::byte* to = panels_.data();
  for (Param* param : params_) {
    pack_matrix(pool, table, param->data, 1, param->cols, param->cols, param->rows, to, type);
    param->panels = {to, type};
    to += size(*param);
  }
}

PackedWeights::~PackedWeights() {
  for (Param* param : params_) param->panels = {};
}

}  // namespace smallmind
