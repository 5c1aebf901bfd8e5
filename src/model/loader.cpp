// Loading and naming of whole models; see loader.h.
#include "model/loader.h"

#include <cmath>

#include "io/hf_config.h"
#include "io/safetensors_reader.h"
#include "model/tensor_names.h"

namespace smallmind {
namespace {

std::vector<std::int64_t> stored_shape(const Param& param, const HfName& name) {
  if (!param.is_matrix()) return {param.cols};
  if (name.transposed) return {param.cols, param.rows};
  return {param.rows, param.cols};
}

// Some writers leave the base model's prefix out ("h.0.attn..." rather than "transformer.h.0.attn...").
const StoredTensor& find_tensor(const TensorSource& source, const std::string& name) {
  if (source.find(name) == nullptr)
    for (const std::string_view prefix : {"transformer.", "model."})
      if (name.starts_with(prefix) && source.find(name.substr(prefix.size())) != nullptr)
        return source.at(name.substr(prefix.size()));
  return source.at(name);
}

void load_param(Param& param, const HfName& name, const TensorSource& source, std::vector<float>& staging) {
  const StoredTensor& stored = find_tensor(source, name.name);
  const std::vector<std::int64_t> expected = stored_shape(param, name);
  if (stored.shape != expected)
    fail_input("[loader] {}: {} of shape {} expected, {} found", source.where(), stored.name,
               shape_text(expected), shape_text(stored.shape));
  const std::span<float> values(param.data, static_cast<std::size_t>(param.size()));
  if (!name.transposed) return read_f32(stored, values);
  staging.resize(values.size());
  read_f32(stored, staging);
  for (std::int64_t in = 0; in < param.cols; ++in)
    for (std::int64_t out = 0; out < param.rows; ++out)
      param.data[out * param.cols + in] = staging[static_cast<std::size_t>(in * param.rows + out)];
}

void check_finite(const Param& param, const std::string& where) {
  for (std::int64_t i = 0; i < param.size(); ++i)
    if (!std::isfinite(param.data[i]))
      fail_input("[loader] {}: finite weights expected, {} has {} at element {}", where, param.name,
                 param.data[i], i);
}

}  // namespace

std::filesystem::path resolve_model_directory(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    fail_input("[loader] a model directory expected, {} does not exist", path.string());
  for (const std::filesystem::path& candidate : {path, path / "best", path / "latest"})
    if (std::filesystem::exists(candidate / "config.json", ignored)) return candidate;
  fail_input("[loader] {}: config.json, best/config.json or latest/config.json expected, none found",
             path.string());
}

std::unique_ptr<Model> load_model(const std::filesystem::path& directory, const LoadOptions& options) {
  std::unique_ptr<Model> model = make_model(read_hf_config(directory));
  const TensorSource source = open_safetensors(directory);
  model->allocate(options.gradients);
  load_values(*model, source, options);
  return model;
}

void load_values(Model& model, const TensorSource& source, const LoadOptions& options) {
  std::vector<float> staging;
  model.visit([&](Param& param) {
    load_param(param, hf_name(model.config().arch, param.name), source, staging);
    if (options.check_tensors) check_finite(param, source.where());
  });
}

std::vector<TensorToWrite> hf_tensors(const Model& model, DType type) {
  std::vector<TensorToWrite> tensors;
  model.visit([&](const Param& param) {
    const HfName name = hf_name(model.config().arch, param.name);
    const std::span<const float> values(param.data, static_cast<std::size_t>(param.size()));
    if (name.transposed)
      tensors.push_back(transposed_in_memory(name.name, type, param.rows, param.cols, values));
    else
      tensors.push_back(tensor_in_memory(name.name, type, stored_shape(param, name), values));
  });
  return tensors;
}

}  // namespace smallmind
