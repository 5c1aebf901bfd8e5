// Writing, checking and reading of one checkpoint; see checkpoint.h.
#include "train/checkpoint.h"

#include <nlohmann/json.hpp>

#include <cmath>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "io/hf_config.h"
#include "io/safetensors_reader.h"
#include "io/safetensors_writer.h"
#include "model/loader.h"
#include "tensor/mapped_file.h"
#include "text/tokenizer_json.h"

namespace smallmind {
namespace {

namespace fs_std = std::filesystem;
using nlohmann::json;

constexpr const char* kStateFile = "trainer_state.json";
constexpr std::int64_t kVersion = 1;

// Writes the files of a checkpoint and keeps their sums.
class Files {
 public:
  Files(fs_std::path directory, const FileSystem& fs) : directory_(std::move(directory)), fs_(fs) {}

  void write_text(const char* name, std::string_view text) {
    AtomicFile file(directory_ / name, fs_, static_cast<std::int64_t>(text.size()));
    file.append(text);
    file.commit();
    sums_[name] = {{"bytes", text.size()}, {"xxh3", hash_hex(text)}};
  }

  void write_tensors(const char* name, const std::vector<TensorToWrite>& tensors) {
    std::int64_t expected = 0;
    for (const TensorToWrite& tensor : tensors) expected += static_cast<std::int64_t>(tensor.bytes());
    AtomicFile file(directory_ / name, fs_, expected);
    Hash hash;
    write_safetensors(
        [&](std::span<const std::byte> bytes) {
          hash.update(bytes);
          file.append(bytes);
        },
        tensors);
    sums_[name] = {{"bytes", file.size()}, {"xxh3", hash.hex()}};
    file.commit();
  }

  const json& sums() const { return sums_; }

 private:
  fs_std::path directory_;
  const FileSystem& fs_;
  json sums_ = json::object();
};

std::vector<TensorToWrite> moments(const Model& model, const AdamW& optimizer) {
  std::vector<TensorToWrite> tensors;
  model.visit([&](const Param& param) {
    const auto begin = static_cast<std::size_t>(param.data - model.values().data());
    const auto size = static_cast<std::size_t>(param.size());
    for (const auto& [prefix, block] :
         {std::pair{"m.", optimizer.first_moments()}, std::pair{"v.", optimizer.second_moments()}})
      tensors.push_back(tensor_in_memory(prefix + param.name, DType::f32, {param.rows, param.cols},
                                         block.subspan(begin, size)));
  });
  return tensors;
}

json window_json(const SpikeWindow& window) {
  return {{"count", window.count()}, {"values", window.count() == 0 ? json::array() : json(window.values())}};
}

SpikeWindow window_from(const json& object, std::string_view where) {
  SpikeWindow window;
  const std::int64_t count = json_int(object, "count", where);
  if (count == 0) return window;
  std::array<double, SpikeWindow::kSize> values{};
  const auto it = object.find("values");
  if (count < 0 || it == object.end() || !it->is_array() || it->size() != values.size())
    fail_input("[checkpoint] a window of {} numbers expected ({})", values.size(), where);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(*it)[i].is_number()) fail_input("[checkpoint] numbers in a window expected ({})", where);
    values[i] = (*it)[i].get<double>();
  }
  window.restore(count, values);
  return window;
}

std::string state_text(const TrainerState& state, const json& sums) {
  json object = {{"format", "smallmind trainer state"},
                 {"version", kVersion},
                 {"step", state.step},
                 {"updates", state.updates},
                 {"train_loss", state.train_loss},
                 {"val_loss", state.val_loss ? json(*state.val_loss) : json()},
                 {"best_step", state.best_step},
                 {"best_val_loss", state.best_val_loss},
                 {"lr_scale", state.lr_scale},
                 {"skipped", state.skipped},
                 {"rollbacks", state.rollbacks},
                 {"loss_window", window_json(state.loss_window)},
                 {"norm_window", window_json(state.norm_window)},
                 {"settings", json::parse(settings_to_json(state.identity.settings))},
                 {"data_path", state.data_path},
                 {"field", state.field},
                 {"data_hash", state.identity.data_hash},
                 {"tokenizer_hash", state.identity.tokenizer_hash},
                 {"files", sums}};
  object["checksum"] = hash_hex(json_text(object));
  return json_text(object, 1) + "\n";
}

json read_state_json(const fs_std::path& directory) {
  const std::string where = (directory / kStateFile).string();
  json object = read_json_file(where);
  const std::string expected = json_string(object, "checksum", where);
  object.erase("checksum");
  if (const std::string found = hash_hex(json_text(object)); found != expected)
    fail_input("[checkpoint] checksum {} expected, {} found ({})", expected, found, where);
  if (const std::int64_t version = json_int(object, "version", where); version != kVersion)
    fail_input("[checkpoint] version {} expected, {} found ({})", kVersion, version, where);
  return object;
}

void verify_file(const fs_std::path& path, const json& sum) {
  const std::string where = path.string();
  const MappedFile file(path, Access::sequential);
  const std::int64_t bytes = json_int(sum, "bytes", where);
  if (static_cast<std::int64_t>(file.size()) != bytes)
    fail_input("[checkpoint] {} bytes expected, {} found ({})", bytes, file.size(), where);
  Hash hash;
  hash.update(file.bytes());
  if (const std::string expected = json_string(sum, "xxh3", where); hash.hex() != expected)
    fail_input("[checkpoint] checksum {} expected, {} found ({})", expected, hash.hex(), where);
}

}  // namespace

void write_checkpoint(const fs_std::path& target, const Model& model, const AdamW& optimizer,
                      const Tokenizer& tokenizer, const TrainerState& state, const FileSystem& fs) {
  AtomicDirectory directory(target, fs);
  Files files(directory.path(), fs);
  files.write_text("config.json", hf_config_json(model.config()));
  files.write_text("generation_config.json", generation_config_json(model.config(), {}));
  files.write_text("tokenizer.json", tokenizer_to_json(tokenizer));
  files.write_tensors("model.safetensors", hf_tensors(model));
  files.write_tensors("optimizer.safetensors", moments(model, optimizer));
  const json sums = files.sums();
  files.write_text(kStateFile, state_text(state, sums));
  directory.commit();
}

TrainerState read_trainer_state(const fs_std::path& directory) {
  const std::string where = (directory / kStateFile).string();
  const json object = read_state_json(directory);
  TrainerState state;
  state.step = json_int(object, "step", where);
  state.updates = json_int(object, "updates", where);
  state.train_loss = find_json_number(object, "train_loss", where).value_or(std::nan(""));
  state.val_loss = find_json_number(object, "val_loss", where);
  state.best_step = json_int(object, "best_step", where);
  state.best_val_loss = find_json_number(object, "best_val_loss", where).value_or(0);
  state.lr_scale = json_number(object, "lr_scale", where);
  state.skipped = json_int(object, "skipped", where);
  state.rollbacks = json_int(object, "rollbacks", where);
  state.loss_window = window_from(object.value("loss_window", json()), where);
  state.norm_window = window_from(object.value("norm_window", json()), where);
  state.data_path = json_string(object, "data_path", where);
  state.field = json_string(object, "field", where);
  state.identity = {read_hf_config(directory),
                    settings_from_json(json_text(object.value("settings", json())), where),
                    json_string(object, "data_hash", where), json_string(object, "tokenizer_hash", where)};
  if (state.step < 0 || state.updates < 0 || state.updates > state.step)
    fail_input("[checkpoint] steps and updates that go together expected, {} and {} found ({})", state.step,
               state.updates, where);
  return state;
}

void verify_checkpoint(const fs_std::path& directory) {
  const json object = read_state_json(directory);
  for (const char* name : {"config.json", "generation_config.json", "tokenizer.json", "model.safetensors",
                           "optimizer.safetensors"}) {
    const auto files = object.find("files");
    if (files == object.end() || !files->contains(name))
      fail_input("[checkpoint] a checksum of {} expected, none found ({})", name,
                 (directory / kStateFile).string());
    verify_file(directory / name, (*files)[name]);
  }
}

void load_checkpoint(const fs_std::path& directory, Model& model, AdamW& optimizer) {
  load_values(model, open_safetensors(directory / "model.safetensors"));
  const TensorSource source = open_safetensors(directory / "optimizer.safetensors");
  model.visit([&](Param& param) {
    const auto begin = static_cast<std::size_t>(param.data - model.values().data());
    const auto size = static_cast<std::size_t>(param.size());
    for (const auto& [prefix, block] :
         {std::pair{"m.", optimizer.first_moments()}, std::pair{"v.", optimizer.second_moments()}}) {
      const StoredTensor& stored = source.at(prefix + param.name);
      if (stored.elements() != param.size())
        fail_input("[checkpoint] {} of {} elements expected, {} found ({})", stored.name, param.size(),
                   stored.elements(), source.where());
      read_f32(stored, block.subspan(begin, size));
    }
  });
  optimizer.set_updates(json_int(read_state_json(directory), "updates", kStateFile));
}

std::string tokenizer_hash(const Tokenizer& tokenizer) {
  return hash_hex(tokenizer_to_json(tokenizer));
}

}  // namespace smallmind
