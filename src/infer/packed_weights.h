// The weights of a model as panels for its products, made once: decoding then reads each weight once per
// token, in order; as f16 or bf16 it then reads half the bytes.
//
// While it lives, linear() reads the panels; training the model meanwhile would not be seen. The model keeps
// its own values (the embedding reads them), so this doubles the memory of its matrices.
#pragma once

#include <vector>

#include "base/thread_pool.h"
#include "kernels/dispatch.h"
#include "model/model.h"
#include "tensor/buffer.h"

namespace smallmind {

class PackedWeights {
 public:
  // At most one per model at a time (Error{internal} otherwise); the model must outlive it. `table` must be
  // the one that the model is then run with: panels have its width. Weights are rounded to `type`: f32, f16
  // or bf16.
  PackedWeights(Model& model, ThreadPool& pool, DType type = DType::f32,
                const KernelTable& table = kernels());
  ~PackedWeights();
  PackedWeights(const PackedWeights&) = delete;
  PackedWeights& operator=(const PackedWeights&) = delete;

  std::size_t bytes() const noexcept { return panels_.size(); }

 private:
  std::vector<Param*> params_;
  Buffer panels_;
};

}  // namespace smallmind
