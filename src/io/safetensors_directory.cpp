// Opening safetensors: a file, or a directory whose model.safetensors.index.json says
//   {"metadata": {...}, "weight_map": {"tensor name": "model-00001-of-00002.safetensors", ...}}
// Each shard must lie beside its index, with symbolic links resolved, and hold exactly the tensors mapped to
// it.
#include <map>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/error.h"
#include "base/json.h"
#include "io/archive_check.h"
#include "io/safetensors_reader.h"

namespace smallmind {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIndexName = "model.safetensors.index.json";
constexpr std::string_view kIndexEnding = ".safetensors.index.json";
constexpr std::size_t kMaxIndexBytes = 100'000'000;

using WeightMap = std::map<std::string, std::string>;  // tensor -> shard

WeightMap read_weight_map(const fs::path& index) {
  const nlohmann::json object = read_json_file(index.string(), {.bytes = kMaxIndexBytes, .depth = 8});
  if (!object.is_object() || !object.contains("weight_map") || !object.at("weight_map").is_object()) {
    fail_input("[safetensors] an object \"weight_map\" expected, none found ({})", index.string());
  }
  WeightMap map;
  for (const auto& [tensor, shard] : object.at("weight_map").items()) {
    if (!shard.is_string())
      fail_input("[safetensors] a file name for tensor {} expected ({})", tensor, index.string());
    map.emplace(tensor, shard.get<std::string>());
  }
  if (map.empty())
    fail_input("[safetensors] at least one tensor in weight_map expected ({})", index.string());
  return map;
}

fs::path shard_path(const fs::path& directory, const std::string& shard, const fs::path& index) {
  refuse_pickle_name(shard);
  const bool plain = shard.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos &&
                     shard.ends_with(".safetensors");
  if (!plain)
    fail_input("[safetensors] a .safetensors file beside the index expected, \"{}\" found ({})", shard,
               index.string());
  std::error_code error;
  fs::path real = fs::canonical(directory / shard, error);
  if (error) fail_input("[safetensors] shard {} expected, {} ({})", shard, error.message(), index.string());
  if (real.parent_path() != fs::canonical(directory)) {
    fail_input("[safetensors] shards inside {} expected, {} leads to {}; copy the file there",
               directory.string(), shard, real.string());
  }
  return real;
}

TensorSource open_file(const fs::path& path) {
  refuse_pickle_name(path.string());
  std::vector<MappedFile> files;
  files.emplace_back(path);
  SafetensorsContent content = parse_safetensors(files.back().bytes(), files.back().path());
  return TensorSource(path.string(), std::move(files), std::move(content.tensors),
                      std::move(content.metadata));
}

TensorSource open_sharded(const fs::path& index) {
  const WeightMap map = read_weight_map(index);
  const fs::path directory = index.has_parent_path() ? index.parent_path() : fs::path(".");
  std::map<std::string, std::size_t> shards;  // name -> mapped tensors
  for (const auto& [tensor, shard] : map) ++shards[shard];
  std::vector<MappedFile> files;
  std::vector<StoredTensor> tensors;
  std::map<std::string, std::string> metadata;
  for (const auto& [shard, count] : shards) {
    files.emplace_back(shard_path(directory, shard, index));
    SafetensorsContent content = parse_safetensors(files.back().bytes(), files.back().path());
    for (StoredTensor& tensor : content.tensors) {
      const auto at = map.find(tensor.name);
      if (at == map.end() || at->second != shard) {
        fail_input(
            "[safetensors] tensors of {} that the index maps to it expected, {} found, which it maps to {} "
            "({})",
            shard, tensor.name, at == map.end() ? "no file" : at->second, index.string());
      }
      tensors.push_back(std::move(tensor));
    }
    if (content.tensors.size() != count) {
      fail_input("[safetensors] {} tensors in {} expected, {} found ({})", count, shard,
                 content.tensors.size(), index.string());
    }
    metadata.merge(content.metadata);
  }
  return TensorSource(index.string(), std::move(files), std::move(tensors), std::move(metadata));
}

TensorSource open_directory(const fs::path& directory) {
  if (fs::exists(directory / kIndexName)) return open_sharded(directory / kIndexName);
  if (fs::exists(directory / "model.safetensors")) return open_file(directory / "model.safetensors");
  for (const char* pickle : {"pytorch_model.bin", "pytorch_model.bin.index.json", "consolidated.00.pth"}) {
    if (fs::exists(directory / pickle)) refuse_pickle_name((directory / "pytorch_model.bin").string());
  }
  fail_input("[safetensors] model.safetensors or {} expected, neither found ({})", kIndexName,
             directory.string());
}

}  // namespace

TensorSource open_safetensors(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return open_directory(path);
  if (path.filename().string().ends_with(kIndexEnding)) return open_sharded(path);
  return open_file(path);
}

}  // namespace smallmind
