// Model: one transformer for training and inference alike.
//
// A model is ordinary code: forward() is a loop over layers that calls the ops of nn/ops.h; there is no graph
// and no second model. It declares its parameters once, in visit(); loading, saving, counting,
// initialisation, optimiser and packing all walk that. Architectures are one file each in arch/.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/model_config.h"
#include "nn/ops.h"
#include "tensor/buffer.h"

namespace smallmind {

class Model {
 public:
  virtual ~Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const ModelConfig& config() const noexcept { return config_; }

  // The hidden rows (N, D) after the last layer, before the last norm. With a cache, keys and values of the
  // rows are appended to it and its lengths advance. Throws Error{usage} for tokens or positions that the
  // model does not have.
  Tensor forward(Exec& ex, const TokenBatch& batch, KvCache* cache) const;

  // Hidden rows to logits, (n, D) -> (n, V): the last norm and the head. Apart from forward(), so that nobody
  // computes logits that nobody reads.
  Tensor logits(Exec& ex, const Tensor& hidden) const { return norm_linear(ex, hidden, last_norm(), head()); }

  // Mean cross-entropy of the rows' next tokens; negative targets do not count. The logits are never held at
  // once; while recording, the value is there after Exec::backward().
  Loss loss(Exec& ex, const Tensor& hidden, std::span<const std::int32_t> targets) const {
    return linear_cross_entropy(ex, norm(ex, hidden, last_norm()), head(), targets);
  }

  // Calls f for each parameter, in the order of the file formats; a tied head is visited once.
  void visit(const std::function<void(Param&)>& f);
  void visit(const std::function<void(const Param&)>& f) const;
  std::int64_t parameter_count() const;

  // Takes memory for all values (and gradients), one contiguous block each in visit order, zero-filled.
  void allocate(bool gradients);
  // The blocks as flat arrays; parameters are padded to 64 bytes, the padding stays zero.
  std::span<float> values() const noexcept { return {values_.as<float>(), padded_floats_}; }
  std::span<float> gradients() const noexcept {
    return {gradients_.as<float>(), gradients_.data() == nullptr ? 0 : padded_floats_};
  }

  // Fresh weights, each element a pure function of (seed, parameter's place, element). Needs allocate().
  void initialise(std::uint64_t seed);

  virtual const Param& head() const = 0;

 protected:
  explicit Model(const ModelConfig& config) : config_(config) {}
  virtual Norm last_norm() const = 0;
  virtual Tensor hidden(Exec& ex, const TokenBatch& batch, KvCache* cache) const = 0;
  virtual void each_param(const std::function<void(Param&)>& f) = 0;

 private:
  ModelConfig config_;
  Buffer values_, gradients_;
  std::size_t padded_floats_ = 0;
};

// Builds the model that config.arch names, without memory for its parameters. Throws Error{bad_input} for an
// unknown architecture or a shape that cannot be.
std::unique_ptr<Model> make_model(const ModelConfig& config);

// The architectures that this build knows, e.g. "gpt2", "llama".
std::vector<std::string_view> known_architectures();

// Batch of one training window per sequence: tokens (B, T), position 0 first. `segments` is storage for B
// segments.
TokenBatch training_batch(std::span<const std::int32_t> tokens, std::int64_t batch,
                          std::vector<Segment>& segments);

}  // namespace smallmind
