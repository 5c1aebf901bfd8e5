// Model: parameters' memory, initialisation, and the register of architectures; see model.h.
#include "model/model.h"

#include <algorithm>

#include "base/random.h"
#include "model/arch/arch.h"
#include "model/arch_registry.h"  // written by the build from the names of arch/*.cpp

namespace smallmind {
namespace {

constexpr std::int64_t kPadding = 16;              // floats: a parameter starts at a multiple of 64 bytes
constexpr std::uint32_t kInitStream = 0x494e4954;  // keeps these draws apart from dropout's and the sampler's

std::int64_t padded(std::int64_t floats) {
  return (floats + kPadding - 1) / kPadding * kPadding;
}

}  // namespace

Tensor Model::forward(Exec& ex, const TokenBatch& batch, KvCache* cache) const {
  if (cache != nullptr && !ex.measuring()) cache->check_fits(batch);
  const Tensor h = hidden(ex, batch, cache);
  if (cache != nullptr && !ex.measuring()) cache->advance(batch);
  return h;
}

void Model::visit(const std::function<void(Param&)>& f) {
  each_param(f);
}

void Model::visit(const std::function<void(const Param&)>& f) const {
  const_cast<Model*>(this)->each_param([&](Param& param) { f(param); });  // f sees them const
}

std::int64_t Model::parameter_count() const {
  std::int64_t count = 0;
  visit([&](const Param& param) { count += param.size(); });
  return count;
}

void Model::allocate(bool gradients) {
  std::int64_t floats = 0;
  visit([&](const Param& param) { floats += padded(param.size()); });
  padded_floats_ = static_cast<std::size_t>(floats);
  values_ = Buffer(padded_floats_ * sizeof(float), MemoryCategory::weights);
  gradients_ = gradients ? Buffer(padded_floats_ * sizeof(float), MemoryCategory::gradients) : Buffer();
  std::int64_t offset = 0;
  visit([&](Param& param) {
    param.data = values_.as<float>() + offset;
    param.grad = gradients ? gradients_.as<float>() + offset : nullptr;
    offset += padded(param.size());
  });
}

void Model::initialise(std::uint64_t seed) {
  std::uint64_t place = 0;
  visit([&](Param& param) {
    const RandomStream random(seed, place++, kInitStream);
    for (std::int64_t i = 0; i < param.size(); ++i)
      param.data[i] = param.init.kind == Init::Kind::constant
                          ? param.init.value
                          : param.init.value * random.normal(static_cast<std::uint64_t>(i));
  });
}

std::unique_ptr<Model> make_model(const ModelConfig& config) {
  config.validate();
  for (const Architecture& architecture : kArchitectures)
    if (config.arch == architecture.name) return architecture.make(config);
  std::string known;
  for (const std::string_view name : known_architectures())
    known += (known.empty() ? "" : ", ") + std::string(name);
  fail_input("[model] an architecture of {} expected, \"{}\" found", known, config.arch);
}

std::vector<std::string_view> known_architectures() {
  std::vector<std::string_view> names;
  for (const Architecture& architecture : kArchitectures) names.emplace_back(architecture.name);
  return names;
}

TokenBatch training_batch(std::span<const std::int32_t> tokens, std::int64_t batch,
                          std::vector<Segment>& segments) {
  const auto rows = static_cast<std::int64_t>(tokens.size());
  SM_CHECK(batch > 0 && rows % batch == 0, "[model] a multiple of {} tokens expected, {} given", batch, rows);
  segments.resize(static_cast<std::size_t>(batch));
  for (std::int64_t b = 0; b < batch; ++b)
    segments[static_cast<std::size_t>(b)] = {b * (rows / batch), rows / batch, 0, b};
  return {tokens, segments};
}

}  // namespace smallmind
