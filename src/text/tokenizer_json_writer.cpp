// Writes tokenizer.json as text, field by field, in id order with a token or merge per line: readable, the
// same bytes every time, and linear in the size of the vocabulary.
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "text/bpe_tokenizer.h"
#include "text/byte_level.h"
#include "text/char_tokenizer.h"
#include "text/tokenizer_json.h"

namespace smallmind {
namespace {

std::string json_quoted(std::string_view text) {
  return nlohmann::json(text).dump();
}

// How the file writes the token: control tokens and characters as they are, byte-level tokens in GPT-2's
// alphabet.
std::string file_form(const Vocabulary& vocabulary, int32_t id, bool byte_level) {
  const bool plain = !byte_level || vocabulary.kind(id) != TokenKind::normal;
  return plain ? std::string(vocabulary.bytes(id)) : to_byte_level(vocabulary.bytes(id));
}

std::string added_tokens(const Vocabulary& vocabulary) {
  std::string out;
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    if (vocabulary.kind(id) == TokenKind::normal) continue;
    out += fmt::format(
        "{}\n    {{\"id\": {}, \"content\": {}, \"single_word\": false, \"lstrip\": false, \"rstrip\": "
        "false, "
        "\"normalized\": false, \"special\": {}}}",
        out.empty() ? "" : ",", id, json_quoted(vocabulary.bytes(id)),
        vocabulary.kind(id) == TokenKind::special);
  }
  return out.empty() ? "[]" : "[" + out + "\n  ]";
}

std::string byte_level_json(bool use_regex) {
  return fmt::format(
      R"({{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": {}}})",
      use_regex);
}

std::string pre_tokenizer(const BpeTokenizer* bpe) {
  if (bpe == nullptr) return "null";
  if (bpe->pattern() == kGpt2Pattern) return byte_level_json(true);
  if (bpe->pattern().empty()) return byte_level_json(false);
  return fmt::format(
      "{{\"type\": \"Sequence\", \"pretokenizers\": [\n    {{\"type\": \"Split\", \"pattern\": {{\"Regex\": "
      "{}}}, "
      "\"behavior\": \"Isolated\", \"invert\": false}},\n    {}\n  ]}}",
      json_quoted(bpe->pattern()), byte_level_json(false));
}

// Puts the tokenizer's beginning-of-text token in front of a text; absent where it has none or uses its
// end-of-text token.
std::string post_processor(const Tokenizer& tokenizer) {
  const auto bos = tokenizer.bos_id();
  if (!bos || bos == tokenizer.eos_id()) return "null";
  const std::string name = json_quoted(tokenizer.token_bytes(*bos));
  return fmt::format(
      "{{\"type\": \"TemplateProcessing\",\n    \"single\": [{{\"SpecialToken\": {{\"id\": {0}, \"type_id\": "
      "0}}}}, "
      "{{\"Sequence\": {{\"id\": \"A\", \"type_id\": 0}}}}],\n    \"pair\": [{{\"Sequence\": {{\"id\": "
      "\"A\", "
      "\"type_id\": 0}}}}, {{\"Sequence\": {{\"id\": \"B\", \"type_id\": 1}}}}],\n    \"special_tokens\": "
      "{{{0}: "
      "{{\"id\": {0}, \"ids\": [{1}], \"tokens\": [{0}]}}}}}}",
      name, *bos);
}

std::string vocab(const Vocabulary& vocabulary, bool byte_level) {
  std::string out = "{";
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    out += fmt::format("{}\n      {}: {}", id == 0 ? "" : ",",
                       json_quoted(file_form(vocabulary, id, byte_level)), id);
  }
  return out + "\n    }";
}

std::string merges(const BpeTokenizer* bpe) {
  if (bpe == nullptr || bpe->merges().empty()) return "[]";
  std::string out = "[";
  for (const Merge& m : bpe->merges()) {
    const std::string pair =
        file_form(bpe->vocabulary(), m.left, true) + " " + file_form(bpe->vocabulary(), m.right, true);
    out += fmt::format("{}\n      {}", out.size() == 1 ? "" : ",", json_quoted(pair));
  }
  return out + "\n    ]";
}

}  // namespace

std::string tokenizer_to_json(const Tokenizer& tokenizer) {
  const auto* bpe = dynamic_cast<const BpeTokenizer*>(&tokenizer);
  SM_CHECK(bpe != nullptr || dynamic_cast<const CharTokenizer*>(&tokenizer) != nullptr,
           "[tokenizer.json] a char or bpe tokenizer expected, {} found", tokenizer.kind());
  std::string out = "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n";
  out +=
      fmt::format("  \"added_tokens\": {},\n  \"normalizer\": null,\n", added_tokens(tokenizer.vocabulary()));
  out += fmt::format("  \"pre_tokenizer\": {},\n  \"post_processor\": {},\n  \"decoder\": {},\n",
                     pre_tokenizer(bpe), post_processor(tokenizer),
                     bpe != nullptr ? byte_level_json(true) : R"({"type": "Fuse"})");
  out += fmt::format(
      "  \"model\": {{\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": null,\n    "
      "\"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n    \"fuse_unk\": false,\n   "
      " "
      "\"byte_fallback\": false,\n    \"ignore_merges\": {},\n",
      bpe != nullptr && bpe->ignore_merges());
  out += "    \"vocab\": " + vocab(tokenizer.vocabulary(), bpe != nullptr) + ",\n";
  return out + "    \"merges\": " + merges(bpe) + "\n  }\n}\n";
}

}  // namespace smallmind
