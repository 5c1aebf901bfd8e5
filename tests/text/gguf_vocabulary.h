// The vocabulary and merges of a GGUF file: just enough of its metadata (version 3, little-endian) to test
// tokenizers with the vocabularies of shared/. Files are trusted here; io/ holds the reader for others.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "text/bpe_tokenizer.h"
#include "text/byte_level.h"

namespace smallmind::test {

inline std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

class GgufStrings {
 public:
  explicit GgufStrings(const std::string& path) : bytes_(read_file(path)) {
    at_ = 4 + 4 + 8;  // magic, version, tensor count
    for (auto count = number<uint64_t>(); count > 0; --count) {
      const std::string key = string();
      value(key, number<uint32_t>());
    }
  }
  std::map<std::string, std::vector<std::string>> strings;

 private:
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  std::string string() {
    const auto size = number<uint64_t>();
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  void value(const std::string& key, uint32_t type) {
    constexpr size_t kSizes[] = {1, 1, 2, 2, 4, 4, 4,
                                 1, 0, 0, 8, 8, 8};  // of types 0..12; 8 is string, 9 array
    if (type == 8) {
      strings[key].push_back(string());
    } else if (type == 9) {
      const auto element = number<uint32_t>();
      for (auto count = number<uint64_t>(); count > 0; --count) value(key, element);
    } else {
      at_ += kSizes[type];
    }
  }
  std::string bytes_;
  size_t at_ = 0;
};

// The byte-level BPE of the file; its last token is the end of text, as in GPT-2.
inline std::unique_ptr<BpeTokenizer> gguf_bpe(const std::string& path, std::string_view pattern) {
  GgufStrings file(path);
  const auto& tokens = file.strings["tokenizer.ggml.tokens"];
  std::unordered_map<std::string, int32_t> ids;
  Vocabulary vocabulary;
  for (const std::string& token : tokens) {
    const bool special = token == kEndOfText;
    ids[token] = vocabulary.add(special ? token : from_byte_level(token).value(),
                                special ? TokenKind::special : TokenKind::normal);
  }
  std::vector<Merge> merges;
  for (const std::string& merge : file.strings["tokenizer.ggml.merges"]) {
    const size_t space = merge.find(' ');
    const std::string left = merge.substr(0, space);
    const std::string right = merge.substr(space + 1);
    merges.push_back({ids.at(left), ids.at(right), ids.at(left + right)});
  }
  return std::make_unique<BpeTokenizer>(std::move(vocabulary), std::move(merges),
                                        BpeOptions{.pattern = std::string(pattern)});
}

}  // namespace smallmind::test
