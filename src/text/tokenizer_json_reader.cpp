// Reads tokenizer.json from untrusted bytes: a parse with a limit of depth and of values, then a walk in
// which every field is checked for its type before it is used. What would change ids and is not supported is
// refused, never ignored.
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json.h"
#include "text/bpe_tokenizer.h"
#include "text/byte_level.h"
#include "text/char_tokenizer.h"
#include "text/tokenizer_json.h"

namespace smallmind {
namespace {

using Json = nlohmann::json;

constexpr JsonLimits kLimits{.bytes = size_t{128} << 20,
                             .depth = 32,
                             .values = 6'000'000};  // a million tokens with their merges as pairs

class Reader {
 public:
  explicit Reader(std::string_view where) : where_(where) {}

  std::unique_ptr<Tokenizer> read(const Json& root) {
    const Json& model = field(root, "model", Json::value_t::object);
    read_model_options(model);
    if (const Json* normalizer = optional_field(root, "normalizer")) {
      const Json nothing = {{"type", "Sequence"}, {"normalizers", Json::array()}};
      if (*normalizer != nothing) refuse("normalizer", "null", *normalizer);
    }
    const Json& merges = field(model, "merges", Json::value_t::array);
    const Json* pre_tokenizer = optional_field(root, "pre_tokenizer");
    const bool is_char = pre_tokenizer == nullptr && merges.empty();
    read_pre_tokenizer(pre_tokenizer);
    read_vocabulary(root, field(model, "vocab", Json::value_t::object), !is_char);
    options_.bos = bos(optional_field(root, "post_processor"));
    if (is_char) return std::make_unique<CharTokenizer>(std::move(vocabulary_), options_.bos);
    return std::make_unique<BpeTokenizer>(std::move(vocabulary_), read_merges(merges), std::move(options_));
  }

 private:
  [[noreturn]] void refuse(std::string_view name, std::string_view expected, const Json& found) {
    std::string text = found.dump(-1, ' ', true, Json::error_handler_t::replace);
    if (text.size() > 100) text = text.substr(0, 100) + "...";
    fail_input("[{}] {} in \"{}\" expected, {} found", where_, expected, name, text);
  }

  const Json& field(const Json& parent, const char* name, Json::value_t type) {
    const auto at = parent.is_object() ? parent.find(name) : parent.end();
    if (!parent.is_object() || at == parent.end())
      fail_input("[{}] a field \"{}\" expected, none found", where_, name);
    if (at->type() != type) refuse(name, Json(type).type_name(), *at);
    return *at;
  }

  // Null when absent or null in the file.
  const Json* optional_field(const Json& parent, const char* name) {
    const auto at = parent.find(name);
    return at == parent.end() || at->is_null() ? nullptr : &*at;
  }

  bool flag(const Json& parent, const char* name, bool otherwise) {
    return find_json_bool(parent, name, where_).value_or(otherwise);
  }

  std::string type_of(const Json& object) { return json_string(object, "type", where_); }

  void read_model_options(const Json& model) {
    const Json* type = optional_field(model, "type");  // files of 2020 lack it
    if (type != nullptr && *type != "BPE") refuse("model.type", "BPE", *type);
    for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      const Json* affix = optional_field(model, name);
      const bool empty =
          affix == nullptr || (affix->is_string() && affix->get_ref<const std::string&>().empty());
      if (!empty) refuse(name, "null", *affix);
    }
    const Json* dropout = optional_field(model, "dropout");
    if (dropout != nullptr && *dropout != 0) refuse("dropout", "null", *dropout);
    if (flag(model, "byte_fallback", false)) refuse("byte_fallback", "false", true);
    options_.ignore_merges = flag(model, "ignore_merges", false);
  }

  void read_pre_tokenizer(const Json* pre_tokenizer) {
    options_.pattern.clear();
    if (pre_tokenizer == nullptr) return;
    if (type_of(*pre_tokenizer) != "Sequence") {
      read_byte_level(*pre_tokenizer);
      return;
    }
    const Json& steps = field(*pre_tokenizer, "pretokenizers", Json::value_t::array);
    if (steps.empty() || steps.size() > 2) refuse("pretokenizers", "Split and ByteLevel", steps);
    read_byte_level(steps.back());
    if (steps.size() == 1) return;
    const Json& split = steps.front();
    if (type_of(split) != "Split" || !options_.pattern.empty()) {
      refuse("pretokenizers", "Split and a ByteLevel without use_regex", steps);
    }
    const Json& pattern = field(split, "pattern", Json::value_t::object);
    options_.pattern = json_string(pattern, "Regex", where_);
    const Json* behavior = optional_field(split, "behavior");
    if (behavior == nullptr || *behavior != "Isolated") refuse("behavior", "Isolated", split);
    if (flag(split, "invert", false)) refuse("invert", "false", true);
  }

  void read_byte_level(const Json& step) {
    if (type_of(step) != "ByteLevel") refuse("pre_tokenizer", "ByteLevel", step);
    if (flag(step, "add_prefix_space", true)) refuse("add_prefix_space", "false", step);
    if (flag(step, "use_regex", true)) options_.pattern = kGpt2Pattern;
  }

  struct Entry {
    const std::string* text = nullptr;
    TokenKind kind = TokenKind::normal;
  };

  void read_vocabulary(const Json& root, const Json& vocab, bool byte_level) {
    std::vector<Entry> entries(vocab.size());
    const auto put = [&](const Json& id, const std::string& text, TokenKind kind) {
      if (!id.is_number_unsigned() || id.get<uint64_t>() >= INT32_MAX) refuse("vocab", "ids from 0", id);
      const auto i = id.get<size_t>();
      if (i >= entries.size()) fail_input("[{}] ids without holes expected, id {} found", where_, i);
      if (entries[i].text != nullptr && *entries[i].text != text) {
        fail_input("[{}] one token per id expected, two found for id {}", where_, i);
      }
      entries[i] = {&text, kind};
    };
    if (const Json* added = optional_field(root, "added_tokens")) {
      if (!added->is_array()) refuse("added_tokens", "an array", *added);
      size_t outside = 0;
      for (const Json& token : *added) {
        outside +=
            !vocab.contains(field(token, "content", Json::value_t::string).get_ref<const std::string&>());
      }
      entries.resize(vocab.size() + outside);
      for (const Json& token : *added) {
        for (const char* name : {"single_word", "lstrip", "rstrip"}) {
          if (flag(token, name, false)) refuse("added_tokens", fmt::format("no {}", name), token);
        }
        put(field(token, "id", Json::value_t::number_unsigned),
            field(token, "content", Json::value_t::string).get_ref<const std::string&>(),
            flag(token, "special", false) ? TokenKind::special : TokenKind::added);
      }
    }
    for (const auto& [text, id] : vocab.items()) {
      const bool in_range = id.is_number_unsigned() && id.get<uint64_t>() < entries.size();
      put(id, text, in_range ? entries[id.get<size_t>()].kind : TokenKind::normal);
      ids_.emplace(text, id.get<int32_t>());
    }
    for (size_t id = 0; id < entries.size(); ++id) add_token(id, entries[id], byte_level);
  }

  void add_token(size_t id, const Entry& entry, bool byte_level) {
    if (entry.text == nullptr) fail_input("[{}] ids without holes expected, id {} is missing", where_, id);
    if (!byte_level || entry.kind != TokenKind::normal) {
      vocabulary_.add(*entry.text, entry.kind);
      return;
    }
    const std::optional<std::string> bytes = from_byte_level(*entry.text);
    if (!bytes) fail_input("[{}] a byte-level token expected, \"{}\" found (id {})", where_, *entry.text, id);
    vocabulary_.add(*bytes, entry.kind);
  }

  int32_t merge_part(const std::string& text, size_t rank) {
    const auto at = ids_.find(text);
    if (at == ids_.end())
      fail_input("[{}] a token of the vocabulary expected, \"{}\" found (merge {})", where_, text, rank);
    return at->second;
  }

  std::vector<Merge> read_merges(const Json& merges) {
    std::vector<Merge> out;
    out.reserve(merges.size());
    for (const Json& merge : merges) {
      std::string left;
      std::string right;
      if (merge.is_string()) {
        const auto& text = merge.get_ref<const std::string&>();
        const size_t space = text.find(' ');
        if (space == std::string::npos) refuse("merges", "two tokens", merge);
        left = text.substr(0, space);
        right = text.substr(space + 1);
      } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
        left = merge[0].get<std::string>();
        right = merge[1].get<std::string>();
      } else {
        refuse("merges", "\"a b\" or [\"a\", \"b\"]", merge);
      }
      const size_t rank = out.size();
      out.push_back({merge_part(left, rank), merge_part(right, rank), merge_part(left + right, rank)});
    }
    return out;
  }

  // The control token that a template puts first; the template may be one step of a Sequence.
  std::optional<int32_t> bos(const Json* processor) {
    if (processor == nullptr || !processor->is_object()) return std::nullopt;
    if (const Json* steps = optional_field(*processor, "processors"); steps != nullptr && steps->is_array()) {
      for (const Json& step : *steps) {
        if (step.is_object() && !step.contains("processors")) {
          if (const auto id = bos(&step)) return id;
        }
      }
    }
    const Json* single = optional_field(*processor, "single");
    if (single == nullptr || !single->is_array() || single->empty() || !single->front().is_object())
      return std::nullopt;
    const Json* first = optional_field(single->front(), "SpecialToken");
    if (first == nullptr) return std::nullopt;
    return vocabulary_.added_id(field(*first, "id", Json::value_t::string).get_ref<const std::string&>());
  }

  std::string where_;
  BpeOptions options_;
  Vocabulary vocabulary_;
  std::unordered_map<std::string, int32_t> ids_;  // by the form of the file
};

}  // namespace

std::unique_ptr<Tokenizer> tokenizer_from_json(std::string_view json, std::string_view where) {
  const Json root = parse_json(json, where, kLimits);
  return Reader(where).read(root);
}

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& path) {
  std::filesystem::path file = path;
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    file = path / "tokenizer.json";
    for (const char* name : {"latest/tokenizer.json", "best/tokenizer.json"}) {
      if (std::filesystem::exists(path / "tokenizer.json", error)) break;
      if (std::filesystem::exists(path / name, error)) file = path / name;
    }
  }
  const Json root = read_json_file(file.string(), kLimits);
  return Reader(file.string()).read(root);
}

void save_tokenizer(const Tokenizer& tokenizer, const std::filesystem::path& file) {
  write_file_atomically(file, tokenizer_to_json(tokenizer));
}

}  // namespace smallmind
