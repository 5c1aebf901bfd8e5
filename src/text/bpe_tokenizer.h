// Byte-level byte-pair encoding as in GPT-2 and Llama 3: a pre-tokenizer cuts the text, each piece starts as
// its bytes and is merged by rank. Every byte is a token, so any input has ids and decode(encode(x)) == x for
// all bytes, valid UTF-8 or not.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/bpe_merge.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"

namespace smallmind {

struct BpeOptions {
  std::string pattern{kGpt2Pattern};  // of the pre-tokenizer; empty: the whole text is one piece
  bool ignore_merges = false;  // a piece that is a token becomes that token, whatever the merges (Llama 3)
  std::optional<int32_t> bos = std::nullopt;
};

class BpeTokenizer final : public Tokenizer {
 public:
  // Throws bad_input when one of the 256 bytes has no token, or the bytes of a merge's result are not those
  // of its parts.
  BpeTokenizer(Vocabulary vocabulary, std::vector<Merge> merges, const BpeOptions& options = {});

  std::string_view kind() const override { return "bpe"; }
  const std::vector<Merge>& merges() const { return table_.merges(); }
  const std::string& pattern() const { return pretokenizer_.pattern(); }
  bool ignore_merges() const { return ignore_merges_; }

 protected:
  void encode_plain(std::string_view text, std::vector<int32_t>& ids) const override;

 private:
  void encode_piece(std::string_view piece, std::vector<int32_t>& ids) const;

  MergeTable table_;
  Pretokenizer pretokenizer_;
  bool ignore_merges_;
  std::array<int32_t, 256> byte_ids_;
  std::vector<uint32_t> lengths_;                               // bytes of each token
  std::unordered_map<std::string_view, int32_t> whole_pieces_;  // only with ignore_merges
};

}  // namespace smallmind
