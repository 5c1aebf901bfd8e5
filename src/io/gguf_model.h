// A whole gpt2 or llama model as the GGUF file that llama.cpp expects: its keys, its tensor names, its
// layouts.
//
//   token_embd.weight (V, D)   position_embd.weight (T, D, gpt2)   output_norm.weight/.bias (D) output.weight
//   (V, D, untied) blk.N.attn_norm, ffn_norm  gpt2: attn_qkv (3D, D)   llama: attn_q (HK, D), attn_k, attn_v
//   (GK, D)   attn_output (D, HK) blk.N.ffn_up, ffn_down; llama also ffn_gate
// llama.cpp rotates neighbouring pairs (2i, 2i+1) of a llama head, Hugging Face and SmallMind rotate halves
// (i, i+K/2): the rows of attn_q and attn_k are reordered on the way out. Vectors, norms and positions stay
// f32 in an f16 file.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "io/gguf.h"
#include "io/model_config.h"
#include "io/tensor_writing.h"

namespace smallmind {

// Token kinds of tokenizer.ggml.token_type.
enum class GgufToken : std::int32_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6
};

// A byte-level BPE vocabulary; tokens and merges are in GPT-2's printable alphabet of bytes ("Ġ" is a space).
// A vocabulary of single characters is one without merges, or, where characters have several bytes, with the
// merges that join the bytes of each character: llama.cpp looks up whole symbols only, after merging.
struct GgufVocabulary {
  std::string pre = "gpt-2";        // pre-tokenizer: gpt-2, llama-bpe, smollm ...
  std::vector<std::string> tokens;  // by id
  std::vector<GgufToken> types;     // as many as tokens
  std::vector<std::string> merges;  // "a b", by rank
};

struct GgufTensorShape {
  std::string name;
  std::vector<std::int64_t> shape;

  bool operator==(const GgufTensorShape&) const = default;
};

// The tensors of such a model, in the order of the file. The config must be valid.
std::vector<GgufTensorShape> gguf_tensor_shapes(const ModelConfig& config);

// The file's key-value pairs; type is that of the matrices. A vocabulary shorter than config.vocab is filled
// up with unused tokens. Throws bad_input if GGUF cannot express the model: gpt2 with the exact GELU, or more
// tokens than rows.
GgufMetadata gguf_model_metadata(const ModelConfig& config, const std::string& name,
                                 const GgufVocabulary& vocabulary, DType type);

// Writes the model. tensors: exactly those of gguf_tensor_shapes, in any order, in rotate-half order; their
// type is ignored, type (f32, f16 or bf16) is that of the matrices. Throws bad_input as above, internal for a
// missing, unknown or misshapen tensor.
void write_gguf_model(const std::filesystem::path& path, const ModelConfig& config, const std::string& name,
                      const GgufVocabulary& vocabulary, std::vector<TensorToWrite> tensors, DType type);

// The same to a sink.
void write_gguf_model(const ByteSink& sink, const ModelConfig& config, const std::string& name,
                      const GgufVocabulary& vocabulary, std::vector<TensorToWrite> tensors, DType type);

}  // namespace smallmind
