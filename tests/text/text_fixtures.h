// Small tokenizers and random texts that the tests of the text layer share.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "text/bpe_tokenizer.h"
#include "text/byte_level.h"

namespace smallmind::test {

inline Vocabulary byte_vocabulary() {
  Vocabulary vocabulary;
  for (const uint8_t byte : bytes_in_unicode_order()) {
    vocabulary.add(std::string(1, static_cast<char>(byte)), TokenKind::normal);
  }
  return vocabulary;
}

// The bytes, "th", "the", " the", "aa", "aaaa", runs of spaces, and the end of text.
inline std::unique_ptr<BpeTokenizer> small_bpe(std::string_view pattern) {
  Vocabulary vocabulary = byte_vocabulary();
  std::vector<Merge> merges;
  const auto id_of = [&](std::string_view bytes) {
    for (int32_t id = 0; id < vocabulary.size(); ++id) {
      if (vocabulary.bytes(id) == bytes) return id;
    }
    return -1;
  };
  const auto merge = [&](std::string_view left, std::string_view right) {
    const int32_t l = id_of(left);
    const int32_t r = id_of(right);
    merges.push_back({l, r, vocabulary.add(std::string(left) + std::string(right), TokenKind::normal)});
  };
  merge("t", "h");
  merge("th", "e");
  merge(" ", "the");
  merge("a", "a");
  merge("aa", "aa");
  merge(" ", " ");
  merge("  ", "  ");
  merge("\n", "\n");
  merge("\xC3", "\xA9");
  vocabulary.add(kEndOfText, TokenKind::special);
  return std::make_unique<BpeTokenizer>(std::move(vocabulary), std::move(merges),
                                        BpeOptions{.pattern = std::string(pattern)});
}

inline std::string random_bytes(std::mt19937& random, size_t size, std::string_view alphabet) {
  std::string text;
  for (size_t i = 0; i < size; ++i) text.push_back(alphabet[random() % alphabet.size()]);
  return text;
}

}  // namespace smallmind::test
