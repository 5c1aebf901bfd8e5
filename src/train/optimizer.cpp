// Blocks, norm and update; see optimizer.h.
#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/float_mode.h"
#include "base/zone.h"
#include "nn/op.h"

namespace smallmind {
namespace {

constexpr std::int64_t kBlockFloats = 16384;  // 4 streams of 64 KiB: they fit the second-level cache

}  // namespace

void AdamWSettings::validate() const {
  const auto check = [](bool good, const char* field, float value) {
    if (!good) fail_usage("[optimizer] a meaningful {} expected, {} given", field, value);
  };
  check(beta1 >= 0 && beta1 < 1, "beta1 (from 0 to below 1)", beta1);
  check(beta2 >= 0 && beta2 < 1, "beta2 (from 0 to below 1)", beta2);
  check(epsilon > 0 && epsilon < 1, "epsilon", epsilon);
  check(weight_decay >= 0 && weight_decay < 1, "weight decay (from 0 to below 1)", weight_decay);
  check(clip >= 0, "clipping norm", clip);
}

AdamW::AdamW(Model& model, const AdamWSettings& settings)
    : model_(&model),
      settings_(settings),
      floats_(model.values().size()),
      m_(floats_ * sizeof(float), MemoryCategory::moments),
      v_(floats_ * sizeof(float), MemoryCategory::moments) {
  settings.validate();
  SM_CHECK(model.gradients().size() == floats_, "[optimizer] a model with gradients expected");
  model.visit([&](const Param& param) {
    const std::int64_t begin = param.data - model.values().data();
    for (std::int64_t at = 0; at < param.size(); at += kBlockFloats)
      blocks_.push_back({begin + at, std::min(kBlockFloats, param.size() - at), param.is_matrix()});
  });
  sums_.resize(blocks_.size());
}

template <typename F>
void AdamW::for_blocks(ThreadPool& pool, F&& f) {
  const std::size_t count = blocks_.size(), parts = static_cast<std::size_t>(pool.size());
  const FlushDenormals flush;  // as in the pool's workers: else the bits would depend on who does a block
  pool.run([&](int thread) {
    const auto part = static_cast<std::size_t>(thread);
    for (std::size_t i = count * part / parts; i < count * (part + 1) / parts; ++i) f(i, blocks_[i]);
  });
}

double AdamW::gradient_norm(ThreadPool& pool, const KernelTable& kernels) {
  const Zone zone("gradient_norm", {.phase = Phase::optimizer,
                                    .flops = 2.0 * static_cast<double>(floats_),
                                    .bytes = 4.0 * static_cast<double>(floats_)});
  const float* gradients = model_->gradients().data();
  for_blocks(pool, [&](std::size_t i, const Block& block) {
    sums_[i] = kernels.sum_squares(gradients + block.offset, block.size);
  });
  double sum = 0;
  for (const double each : sums_) sum += each;
  return std::sqrt(sum);
}

void AdamW::update(ThreadPool& pool, const KernelTable& kernels, float learning_rate, double norm) {
  const OpCost cost = adamw_cost(static_cast<std::int64_t>(floats_));
  const Zone zone("adamw", {.phase = Phase::optimizer,
                            .flops = static_cast<double>(cost.flops),
                            .bytes = static_cast<double>(cost.bytes)});
  const auto clip = static_cast<double>(settings_.clip);
  const double scale = clip > 0 ? std::min(1.0, clip / (norm + 1e-6)) : 1.0;
  const auto t = static_cast<double>(++updates_);
  AdamWArgs args{
      .learning_rate = learning_rate,
      .beta1 = settings_.beta1,
      .beta2 = settings_.beta2,
      .epsilon = settings_.epsilon,
      .weight_decay = 0.0f,
      .gradient_scale = static_cast<float>(scale),
      .bias_correction1 = static_cast<float>(1.0 - std::pow(static_cast<double>(settings_.beta1), t)),
      .bias_correction2 = static_cast<float>(1.0 - std::pow(static_cast<double>(settings_.beta2), t))};
  float *const values = model_->values().data(), *const gradients = model_->gradients().data();
  for_blocks(pool, [&](std::size_t, const Block& block) {
    AdamWArgs mine = args;
    mine.weight_decay = block.decays ? settings_.weight_decay : 0.0f;
    kernels.adamw(mine, gradients + block.offset, block.size, values + block.offset,
                  m_.as<float>() + block.offset, v_.as<float>() + block.offset);
  });
}

void AdamW::zero_gradients(ThreadPool& pool) {
  const Zone zone("zero_gradients", {.phase = Phase::optimizer, .bytes = 4.0 * static_cast<double>(floats_)});
  float* gradients = model_->gradients().data();
  for_blocks(pool, [&](std::size_t, const Block& block) {
    std::memset(gradients + block.offset, 0, static_cast<std::size_t>(block.size) * sizeof(float));
  });
}

}  // namespace smallmind
