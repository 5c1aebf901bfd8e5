// tokenizer.json, the one-file format of Hugging Face's `tokenizers`: written so that their library gives our
// ids, and read.
//
// Written and read:
//   bpe   model BPE (byte-level vocabulary, merges as "a b" or as ["a", "b"], ignore_merges), pre_tokenizer
//   ByteLevel (GPT-2's
//         pattern) or Split by a regular expression followed by ByteLevel (Llama 3), decoder ByteLevel;
//   char  model BPE whose vocabulary holds single characters and whose merges are empty, no pre_tokenizer,
//   decoder Fuse. Their
//         library drops a character that the vocabulary lacks, ours refuses it.
// added_tokens carry the control tokens. A template post_processor tells the beginning-of-text token; it is
// not applied. Refused with an error that names the field: normalizers, other models and pre-tokenizers, ids
// with holes.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "text/tokenizer.h"

namespace smallmind {

// The whole file for a CharTokenizer or BpeTokenizer; the same bytes for the same tokenizer.
std::string tokenizer_to_json(const Tokenizer& tokenizer);

// Reads what is described above from untrusted text; `where` names it in errors. Throws bad_input.
std::unique_ptr<Tokenizer> tokenizer_from_json(std::string_view json,
                                               std::string_view where = "tokenizer.json");

// `path` is the file, or a directory that holds a tokenizer.json. Files above 256 MiB are refused. Throws
// bad_input.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& path);

// Writes the file whole or not at all.
void save_tokenizer(const Tokenizer& tokenizer, const std::filesystem::path& file);

}  // namespace smallmind
