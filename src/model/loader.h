// From files to models and back: Hugging Face directories (config.json + safetensors).
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "io/tensor_source.h"
#include "io/tensor_writing.h"
#include "model/model.h"

namespace smallmind {

struct LoadOptions {
  bool gradients = false;      // memory for training
  bool check_tensors = false;  // refuse NaN and infinity, naming the tensor
};

// The directory that holds config.json: `path` itself, or a training run's `best`, else its `latest`.
// Throws Error{bad_input} saying what was looked for.
std::filesystem::path resolve_model_directory(const std::filesystem::path& path);

// Reads DIRECTORY/config.json and its safetensors. Every parameter must be there with its exact shape. Throws
// bad_input, naming file and tensor.
std::unique_ptr<Model> load_model(const std::filesystem::path& directory, const LoadOptions& options = {});

// Copies the values of `source` (Hugging Face names and orientation) into the model's parameters.
void load_values(Model& model, const TensorSource& source, const LoadOptions& options = {});

// The model's parameters under Hugging Face's names and orientation, to be written. The values stay the
// model's, which must outlive the writing.
std::vector<TensorToWrite> hf_tensors(const Model& model, DType type = DType::f32);

}  // namespace smallmind
