// AdamW over all parameters of a model, with clipping by the global norm (Loshchilov, Hutter 2019; the bias
// correction and the place of epsilon are torch.optim.AdamW's).
//
//   norm = sqrt(sum g^2);  g *= min(1, clip / (norm + 1e-6));  p *= 1 - lr decay;  m = b1 m + (1-b1) g;
//   v = b2 v + (1-b2) g^2;  p -= lr (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + eps)
// Matrices decay; vectors (norms, biases) do not. Work is cut into blocks by the parameters' shapes and the
// norm is summed block by block in order, so the result is the same bits for any number of threads. Moments
// lie in one block of memory each, like Model::values().
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "tensor/buffer.h"

namespace smallmind {

struct AdamWSettings {
  float beta1 = 0.9f;
  float beta2 = 0.99f;
  float epsilon = 1e-8f;
  float weight_decay = 0.1f;
  float clip = 1.0f;  // 0: gradients are not clipped

  bool operator==(const AdamWSettings&) const = default;
  void validate() const;  // throws Error (usage), naming the field
};

class AdamW {
 public:
  // The model must have gradients, and outlive the optimizer. Takes memory for both moments.
  AdamW(Model& model, const AdamWSettings& settings);

  // Global norm of the gradients; NaN or infinity where one of them is. No allocation.
  double gradient_norm(ThreadPool& pool, const KernelTable& kernels);

  // One update with the present gradients, whose norm is `norm`. No allocation.
  void update(ThreadPool& pool, const KernelTable& kernels, float learning_rate, double norm);

  // Sets all gradients to zero.
  void zero_gradients(ThreadPool& pool);

  std::int64_t updates() const noexcept { return updates_; }  // t
  void set_updates(std::int64_t updates) noexcept { updates_ = updates; }
  std::span<float> first_moments() const noexcept { return {m_.as<float>(), floats_}; }
  std::span<float> second_moments() const noexcept { return {v_.as<float>(), floats_}; }

 private:
  struct Block {
    std::int64_t offset, size;
    bool decays;
  };
  template <typename F>
  void for_blocks(ThreadPool& pool, F&& f);

  Model* model_;
  AdamWSettings settings_;
  std::vector<Block> blocks_;
  std::vector<double> sums_;  // of squares, per block
  std::size_t floats_;
  Buffer m_, v_;
  std::int64_t updates_ = 0;
};

}  // namespace smallmind
