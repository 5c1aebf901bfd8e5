// GGUF: write -> read -> write is byte for byte the same, llama.cpp's own files are read, models get
// llama.cpp's layouts.
#include <gtest/gtest.h>

#include <array>
#include <random>

#include "io/gguf_model.h"
#include "io/gguf_reader.h"
#include "io/gguf_writer.h"
#include "tests/io/io_test_support.h"

namespace smallmind {
namespace {

namespace fs = std::filesystem;
using test::Bytes;

Bytes written(const GgufMetadata& metadata, std::span<const TensorToWrite> tensors) {
  Bytes bytes;
  write_gguf(test::sink_into(bytes), metadata, tensors);
  return bytes;
}

std::vector<float> read(const StoredTensor& tensor) {
  std::vector<float> out(static_cast<std::size_t>(tensor.elements()));
  read_f32(tensor, out);
  return out;
}

// Writes again what was read.
Bytes rewritten(const GgufContent& content) {
  std::vector<std::vector<float>> values;
  std::vector<TensorToWrite> tensors;
  for (const StoredTensor& tensor : content.tensors) {
    values.push_back(read(tensor));
    tensors.push_back(tensor_in_memory(tensor.name, tensor.type, tensor.shape, values.back()));
  }
  return written(content.metadata, tensors);
}

GgufMetadata every_type() {
  GgufArray bytes{GgufType::u8, {std::byte{1}, std::byte{2}, std::byte{3}}, {}};
  return {{"a", std::uint8_t{200}},
          {"b", std::int8_t{-3}},
          {"c", std::uint16_t{60000}},
          {"d", std::int16_t{-3}},
          {"e", 4000000000u},
          {"f", -5},
          {"g", 1.5f},
          {"h", true},
          {"i", "text \xc3\xa9"},
          {"j", gguf_array(std::vector<std::string>{"x", "", "y z"})},
          {"k", ~std::uint64_t{0}},
          {"l", std::int64_t{-1}},
          {"m", 2.5},
          {"n", std::move(bytes)},
          {"o", gguf_array(std::vector<std::string>{})}};
}

TEST(Gguf, EveryTypeComesBack) {
  const Bytes file = written(every_type(), {});
  const GgufContent content = parse_gguf(test::view(file), "x.gguf");
  EXPECT_EQ(content.metadata, every_type());
  EXPECT_EQ(rewritten(content), file);
  EXPECT_EQ(gguf_text(*gguf_find(content.metadata, "j")), "[string x 3]");
  EXPECT_EQ(gguf_text(*gguf_find(content.metadata, "h")), "true");
  EXPECT_EQ(gguf_find(content.metadata, "zz"), nullptr);
}

TEST(Gguf, TensorsAreReversedAndAligned) {
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  const std::vector<TensorToWrite> tensors{tensor_in_memory("w", DType::f16, {2, 3}, values),
                                           tensor_in_memory("b", DType::f32, {6}, values)};
  const Bytes file = written({{"general.alignment", 64u}}, tensors);
  const GgufContent content = parse_gguf(test::view(file), "x.gguf");
  ASSERT_EQ(content.tensors.size(), 2u);
  EXPECT_EQ(content.alignment, 64u);
  EXPECT_EQ(content.tensors[0].shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(read(content.tensors[0]), values);
  EXPECT_EQ(read(content.tensors[1]), values);
  for (const StoredTensor& tensor : content.tensors) {
    EXPECT_EQ((reinterpret_cast<const char*>(tensor.data.data()) - file.data()) % 64, 0);
  }
  EXPECT_EQ(file.size() % 64, 0u);
  // The first size in the table is the fastest one: 3 columns.
  const auto row = file.find("w", file.find("general.alignment") + 20);
  EXPECT_EQ(file.substr(row + 1, 12), test::little(2u) + test::little(std::uint64_t{3}));
}

TEST(Gguf, RandomRoundTripsAreByteIdentical) {
  std::mt19937 random(11);
  const auto pick = [&random](std::uint32_t n) { return static_cast<std::uint32_t>(random()) % n; };
  for (int round = 0; round < 300; ++round) {
    const GgufMetadata all = every_type();
    GgufMetadata metadata;
    for (const auto& pair : all) {
      if (pick(2) == 0) metadata.push_back(pair);
    }
    if (pick(2) == 0) metadata.emplace_back("general.alignment", 1u << pick(10));
    std::vector<std::vector<float>> values;
    std::vector<TensorToWrite> tensors;
    for (std::uint32_t i = pick(5); i > 0; --i) {
      std::vector<std::int64_t> shape;
      std::int64_t elements = 1;
      for (std::uint32_t n = 1 + pick(4); n > 0; --n) {
        shape.push_back(1 + pick(5));
        elements *= shape.back();
      }
      values.emplace_back(static_cast<std::size_t>(elements));
      for (float& value : values.back()) value = static_cast<float>(pick(1000)) - 500.0f;
      const DType type = std::array{DType::f32, DType::f16, DType::bf16}[pick(3)];
      tensors.push_back(tensor_in_memory("t" + std::to_string(i), type, shape, values.back()));
    }
    const Bytes first = written(metadata, tensors);
    ASSERT_EQ(rewritten(parse_gguf(test::view(first), "x")), first);
  }
}

TEST(Gguf, LlamaCppsFilesRoundTrip) {
  const fs::path dir = fs::path(SM_SHARED_DIR) / "data" / "reference";
  if (!fs::exists(dir)) GTEST_SKIP() << "skipped: no " << dir;
  for (const char* name : {"gpt2-f32.gguf", "llama-f32.gguf", "llama-f16.gguf", "llama-bf16.gguf"}) {
    const Bytes file = test::file_bytes(dir / name);
    const GgufContent content = parse_gguf(test::view(file), name);
    EXPECT_TRUE(rewritten(content) == file) << name;
    const ModelConfig config = gguf_config(content, name);
    EXPECT_EQ(config.layers, 2);
    EXPECT_EQ(config.width, 256);
    EXPECT_EQ(config.vocab, 512);
    EXPECT_EQ(config.kv_heads, config.arch == "gpt2" ? 8 : 2);
    const TensorSource source = open_gguf(dir / name);
    EXPECT_EQ(source.metadata().at("general.architecture"), config.arch);
    for (const GgufTensorShape& tensor : gguf_tensor_shapes(config))
      EXPECT_EQ(source.at(tensor.name).shape, tensor.shape) << tensor.name;
    EXPECT_EQ(source.tensors().size(), gguf_tensor_shapes(config).size());
  }
  EXPECT_REFUSED(open_gguf(dir / "llama-q8_0.gguf"), "of type 8");
}

TEST(Gguf, VocabularyFiles) {
  const fs::path dir = fs::path(SM_SHARED_DIR) / "data" / "vocab";
  if (!fs::exists(dir)) GTEST_SKIP() << "skipped: no " << dir;
  const Bytes file = test::file_bytes(dir / "ggml-vocab-gpt-2.gguf");
  const GgufContent content = parse_gguf(test::view(file), "vocab");
  EXPECT_EQ(std::get<GgufArray>(*gguf_find(content.metadata, "tokenizer.ggml.tokens")).size(), 50257u);
  EXPECT_EQ(std::get<GgufArray>(*gguf_find(content.metadata, "tokenizer.ggml.merges")).size(), 50000u);
}

ModelConfig tiny(const char* arch) {
  ModelConfig c;
  c.arch = arch;
  c.vocab = 5;
  c.context = 8;
  c.width = 8;
  c.layers = 1;
  c.heads = 2;
  c.kv_heads = 2;
  c.head_width = 4;
  c.ffn = 12;
  c.bos = c.eos = 0;
  if (c.arch == "llama") {
    c.kv_heads = 1;
    c.attention_bias = true;
    c.activation = Activation::silu;
  }
  return c;
}

GgufVocabulary tiny_vocabulary() {
  return {"gpt-2",
          {"<|endoftext|>", "a", "b", "\xc4\xa0"},
          {GgufToken::control, GgufToken::normal, GgufToken::normal, GgufToken::normal},
          {}};
}

struct Weights {
  std::vector<std::vector<float>> values;  // 0, 1, 2 ... in each tensor
  std::vector<TensorToWrite> tensors;
};

Weights counting(const ModelConfig& config) {
  Weights weights;
  for (const GgufTensorShape& tensor : gguf_tensor_shapes(config)) {
    TensorToWrite sized{tensor.name, DType::f32, tensor.shape, nullptr};
    auto& values = weights.values.emplace_back(static_cast<std::size_t>(sized.elements()));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    weights.tensors.push_back(tensor_in_memory(tensor.name, DType::f32, tensor.shape, values));
  }
  return weights;
}

Bytes model_file(const ModelConfig& config, DType type) {
  Bytes bytes;
  write_gguf_model(test::sink_into(bytes), config, "tiny", tiny_vocabulary(), counting(config).tensors, type);
  return bytes;
}

TEST(GgufModel, Gpt2InF16) {
  ModelConfig config = tiny("gpt2");
  const Bytes file = model_file(config, DType::f16);
  const GgufContent content = parse_gguf(test::view(file), "x");
  EXPECT_EQ(gguf_config(content, "x"), config);
  std::map<std::string, StoredTensor> by_name;
  for (const StoredTensor& tensor : content.tensors) by_name.emplace(tensor.name, tensor);
  EXPECT_EQ(by_name.at("blk.0.attn_qkv.weight").type, DType::f16);
  EXPECT_EQ(by_name.at("token_embd.weight").type, DType::f16);
  EXPECT_EQ(by_name.at("blk.0.attn_qkv.bias").type, DType::f32);
  EXPECT_EQ(by_name.at("blk.0.ffn_norm.weight").type, DType::f32);
  EXPECT_EQ(by_name.at("position_embd.weight").type, DType::f32);
  EXPECT_EQ(by_name.count("output.weight"), 0u);
  EXPECT_EQ(by_name.at("blk.0.attn_qkv.weight").shape, (std::vector<std::int64_t>{24, 8}));
  EXPECT_EQ(gguf_text(*gguf_find(content.metadata, "general.file_type")), "1");
  EXPECT_EQ(gguf_text(*gguf_find(content.metadata, "tokenizer.ggml.merges")), "[string x 0]");
  EXPECT_EQ(gguf_text(*gguf_find(content.metadata, "tokenizer.ggml.add_bos_token")), "false");
  const auto& tokens = std::get<GgufArray>(*gguf_find(content.metadata, "tokenizer.ggml.tokens"));
  EXPECT_EQ(tokens.strings, (std::vector<std::string>{"<|endoftext|>", "a", "b", "\xc4\xa0", "[PAD4]"}));
  const auto& types = std::get<GgufArray>(*gguf_find(content.metadata, "tokenizer.ggml.token_type"));
  EXPECT_EQ(types, gguf_array(std::vector<std::int32_t>{3, 1, 1, 1, 5}));
}

TEST(GgufModel, LlamaRotatesNeighbours) {
  const ModelConfig config = tiny("llama");
  const Bytes file = model_file(config, DType::f32);
  const GgufContent content = parse_gguf(test::view(file), "x");
  ModelConfig stored = config;
  stored.rope_interleaved = true;
  EXPECT_EQ(gguf_config(content, "x"), stored);
  // Rows that are in the file's order already are written as they are.
  const Bytes as_stored = model_file(stored, DType::f32);
  for (const StoredTensor& tensor : parse_gguf(test::view(as_stored), "y").tensors) {
    const std::vector<float> values = read(tensor);
    for (std::size_t i = 1; i < values.size(); ++i) EXPECT_EQ(values[i], values[0] + static_cast<float>(i));
  }
  for (const StoredTensor& tensor : content.tensors) {
    const std::vector<float> out = read(tensor);
    const std::int64_t columns = tensor.shape.size() == 2 ? tensor.shape[1] : 1;
    const bool rotated =
        tensor.name.find("attn_q.") != std::string::npos || tensor.name.find("attn_k.") != std::string::npos;
    for (std::int64_t i = 0; i < tensor.elements(); ++i) {
      const std::int64_t row = i / columns;
      const std::int64_t pairs[] = {0, 2, 1, 3};  // a head of width 4: rows 0 1 2 3 become 0 2 1 3
      const std::int64_t source = rotated ? row / 4 * 4 + pairs[row % 4] : row;
      ASSERT_EQ(out[static_cast<std::size_t>(i)], static_cast<float>(source * columns + i % columns))
          << tensor.name;
    }
  }
}

TEST(GgufModel, WhatGgufCannotSay) {
  ModelConfig exact = tiny("gpt2");
  exact.activation = Activation::gelu_erf;
  EXPECT_REFUSED(model_file(exact, DType::f32), "gelu_erf");
  ModelConfig few = tiny("gpt2");
  few.vocab = 3;
  EXPECT_REFUSED(model_file(few, DType::f32), "at most 3 tokens");
  const ModelConfig config = tiny("gpt2");
  Weights weights = counting(config);
  weights.tensors.pop_back();
  Bytes bytes;
  EXPECT_THROW(
      write_gguf_model(test::sink_into(bytes), config, "t", tiny_vocabulary(), weights.tensors, DType::f32),
      Error);
  weights = counting(config);
  weights.tensors[0].shape = {8, 5};
  EXPECT_THROW(
      write_gguf_model(test::sink_into(bytes), config, "t", tiny_vocabulary(), weights.tensors, DType::f32),
      Error);
}

TEST(GgufModel, ConfigRefusals) {
  const GgufContent good = parse_gguf(
      test::view(written(gguf_model_metadata(tiny("llama"), "t", tiny_vocabulary(), DType::f32), {})), "x");
  EXPECT_EQ(gguf_config(good, "x").width, 8);
  const auto with = [&good](const char* key, GgufValue value) {
    GgufContent content;
    content.metadata = good.metadata;
    for (auto& pair : content.metadata) {
      if (pair.first == key) pair.second = std::move(value);
    }
    return content;
  };
  const auto without = [&good](const char* key) {
    GgufContent content;
    for (const auto& pair : good.metadata) {
      if (pair.first != key) content.metadata.push_back(pair);
    }
    return content;
  };
  EXPECT_REFUSED(gguf_config(with("general.architecture", "mamba"), "x"), "mamba");
  EXPECT_REFUSED(gguf_config(without("general.architecture"), "x"), "general.architecture");
  EXPECT_REFUSED(gguf_config(without("llama.block_count"), "x"), "llama.block_count");
  EXPECT_REFUSED(gguf_config(with("llama.block_count", "two"), "x"), "llama.block_count");
  EXPECT_REFUSED(gguf_config(with("llama.block_count", 1000000000u), "x"), "layers");
  EXPECT_REFUSED(gguf_config(with("llama.attention.head_count", 0u), "x"), "heads");
  EXPECT_REFUSED(gguf_config(with("llama.attention.head_count_kv", 3u), "x"), "kv_heads");
  EXPECT_REFUSED(gguf_config(with("llama.attention.key_length", 3u), "x"), "dimension_count");
  EXPECT_REFUSED(gguf_config(with("llama.rope.dimension_count", 8u), "x"), "dimension_count");
  EXPECT_REFUSED(gguf_config(with("llama.context_length", 1u << 31), "x"), "context");
  EXPECT_REFUSED(
      gguf_config(with("llama.attention.layer_norm_rms_epsilon", std::numeric_limits<float>::quiet_NaN()),
                  "x"),
      "norm_eps");
  EXPECT_REFUSED(gguf_config(with("llama.attention.layer_norm_rms_epsilon", 1e-5), "x"), "f32");
  EXPECT_REFUSED(gguf_config(with("tokenizer.ggml.eos_token_id", 5u), "x"), "eos");
}

}  // namespace
}  // namespace smallmind
