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

PackedWeights::PackedWeights(Model& model, ThreadPool& pool, const KernelTable& table) {
  Index floats = 0;
  model.visit([&](Param& param) {
    if (!is_multiplied(model, param)) return;
    SM_CHECK(param.panels == nullptr, "[packed_weights] {} is packed already", param.name);
    params_.push_back(&param);
    floats += packed_floats(table, param.cols, param.rows);
  });
  panels_ = Buffer(static_cast<std::size_t>(floats) * sizeof(float));
  float* to = panels_.as<float>();
  for (Param* param : params_) {
    pack_matrix(pool, table, param->data, 1, param->cols, param->cols, param->rows, to);
    param->panels = to;
    to += packed_floats(table, param->cols, param->rows);
  }
}

PackedWeights::~PackedWeights() {
  for (Param* param : params_) param->panels = nullptr;
}

}  // namespace smallmind
