// A tokenizer for a training run: one per character, a byte-level BPE learned from the data, or one that
// exists.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "text/tokenizer.h"
#include "train/documents.h"

namespace smallmind {

struct TokenizerChoice {
  std::string kind = "bpe";  // "char", "bpe", or the path of a tokenizer.json or a directory that has one
  std::int32_t vocab_size = 1024;  // bpe: with the 256 bytes and the end of text
  int threads = 1;
};

// Reads the documents once where it has to learn, in bounded memory. progress sees tokens made and wanted.
// Throws as read_documents, BpeTrainer and load_tokenizer do.
std::unique_ptr<Tokenizer> make_tokenizer(
    const TokenizerChoice& choice, const std::vector<SourceFile>& files, const std::string& field,
    const std::function<void(std::int32_t, std::int32_t)>& progress = {});

}  // namespace smallmind
