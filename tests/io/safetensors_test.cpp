// Writing and reading safetensors: values, types, order, sharded directories, Python's view of the file.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <random>

#include "io/safetensors_reader.h"
#include "io/safetensors_writer.h"
#include "tensor/half.h"
#include "tests/io/io_test_support.h"

namespace smallmind {
namespace {

namespace fs = std::filesystem;
using test::Bytes;
using test::ScratchDirectory;

std::vector<float> numbers(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

std::vector<float> read(const StoredTensor& tensor) {
  std::vector<float> out(static_cast<std::size_t>(tensor.elements()));
  read_f32(tensor, out);
  return out;
}

Bytes written(std::span<const TensorToWrite> tensors) {
  Bytes bytes;
  write_safetensors(test::sink_into(bytes), tensors);
  return bytes;
}

TEST(Safetensors, RoundTrip) {
  const std::vector<float> big = numbers(100'003, 1);  // several pieces and a rest
  const std::vector<float> small = numbers(6, 2);
  const std::vector<TensorToWrite> tensors{
      tensor_in_memory("h.0.w", DType::f32, {100'003}, big),
      tensor_in_memory("b \"quoted\" \xc3\xa9", DType::f16, {2, 3}, small),
      tensor_in_memory("a", DType::bf16, {3, 2}, small),
      tensor_in_memory("scalar", DType::f32, {}, std::span(small).first(1)),
      tensor_in_memory("empty", DType::f32, {0, 5}, {})};
  const Bytes file = written(tensors);
  const SafetensorsContent content = parse_safetensors(test::view(file), "x");
  const TensorSource source("x", {}, content.tensors, content.metadata);
  EXPECT_EQ(source.metadata().at("format"), "pt");
  EXPECT_EQ(read(source.at("h.0.w")), big);
  EXPECT_EQ(read(source.at("scalar")), std::vector<float>{small[0]});
  EXPECT_EQ(source.at("empty").shape, (std::vector<std::int64_t>{0, 5}));
  const std::vector<float> f16 = read(source.at("b \"quoted\" \xc3\xa9"));
  const std::vector<float> bf16 = read(source.at("a"));
  for (std::size_t i = 0; i < small.size(); ++i) {
    EXPECT_EQ(f16[i], f16_to_f32(f32_to_f16(small[i])));
    EXPECT_EQ(bf16[i], bf16_to_f32(f32_to_bf16(small[i])));
  }
  EXPECT_EQ(source.find("h.0"), nullptr);
  EXPECT_REFUSED(source.at("h.0"), "h.0 expected, none found");
}

TEST(Safetensors, SameBytesInAnyOrderAndAligned) {
  const std::vector<float> values = numbers(9, 3);
  std::vector<TensorToWrite> tensors{tensor_in_memory("z", DType::f16, {3}, std::span(values).first(3)),
                                     tensor_in_memory("y", DType::f32, {9}, values),
                                     tensor_in_memory("x", DType::f16, {1}, std::span(values).first(1)),
                                     tensor_in_memory("w", DType::f32, {1}, std::span(values).first(1))};
  const Bytes file = written(tensors);
  std::reverse(tensors.begin(), tensors.end());
  EXPECT_EQ(written(tensors), file);
  std::uint64_t header = 0;
  std::memcpy(&header, file.data(), 8);
  EXPECT_EQ(header % 8, 0u);
  for (const StoredTensor& tensor : parse_safetensors(test::view(file), "x").tensors) {
    const auto offset = reinterpret_cast<const char*>(tensor.data.data()) - file.data();
    EXPECT_EQ(static_cast<std::size_t>(offset) % dtype_size(tensor.type), 0u) << tensor.name;
  }
}

TEST(Safetensors, TransposedTensor) {
  const std::vector<float> values = numbers(300 * 70, 4);  // more than one piece
  const std::vector<TensorToWrite> tensors{transposed_in_memory("t", DType::f32, 300, 70, values)};
  const Bytes file = written(tensors);
  const StoredTensor tensor = parse_safetensors(test::view(file), "x").tensors.at(0);
  EXPECT_EQ(tensor.shape, (std::vector<std::int64_t>{70, 300}));
  const std::vector<float> out = read(tensor);
  for (std::size_t r = 0; r < 300; ++r) {
    for (std::size_t c = 0; c < 70; ++c) ASSERT_EQ(out[c * 300 + r], values[r * 70 + c]);
  }
}

TEST(Safetensors, NamesTwiceAreOurBug) {
  const std::vector<TensorToWrite> twice{tensor_in_memory("a", DType::f32, {0}, {}),
                                         tensor_in_memory("a", DType::f16, {0}, {})};
  EXPECT_THROW(written(twice), Error);
  const std::vector<TensorToWrite> reserved{tensor_in_memory("__metadata__", DType::f32, {0}, {})};
  EXPECT_THROW(written(reserved), Error);
}

TEST(Safetensors, RandomRoundTripsAreByteIdentical) {
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::vector<float>> values;
    std::vector<TensorToWrite> tensors;
    const auto count = random() % 6;
    for (unsigned i = 0; i < count; ++i) {
      std::vector<std::int64_t> shape;
      std::int64_t elements = 1;
      for (auto n = random() % 4; n > 0; --n) {
        shape.push_back(static_cast<std::int64_t>(random() % 5));
        elements *= shape.back();
      }
      const DType type = std::array{DType::f32, DType::f16, DType::bf16}[random() % 3];
      values.push_back(numbers(static_cast<std::size_t>(elements), static_cast<unsigned>(random())));
      tensors.push_back(tensor_in_memory("t" + std::to_string(i), type, shape, values.back()));
    }
    const Bytes first = written(tensors);
    const SafetensorsContent content = parse_safetensors(test::view(first), "x");
    std::vector<TensorToWrite> again;
    for (const StoredTensor& tensor : content.tensors) {
      values.push_back(read(tensor));
      again.push_back(tensor_in_memory(tensor.name, tensor.type, tensor.shape, values.back()));
    }
    ASSERT_EQ(written(again), first);
  }
}

class Sharded : public ::testing::Test {
 protected:
  void put_shard(const std::string& file, const std::vector<std::string>& names) {
    std::vector<TensorToWrite> tensors;
    for (const std::string& name : names) tensors.push_back(tensor_in_memory(name, DType::f32, {2}, values_));
    write_safetensors(dir_ / file, tensors);
  }
  void put_index(const Bytes& weight_map) {
    test::put_file(dir_ / "model.safetensors.index.json", "{\"weight_map\":" + weight_map + "}");
  }
  TensorSource open() { return open_safetensors(dir_.path()); }

  ScratchDirectory dir_;
  std::vector<float> values_{1.5f, -2.0f};
};

TEST_F(Sharded, TwoShards) {
  put_shard("m-1.safetensors", {"a", "b"});
  put_shard("m-2.safetensors", {"c"});
  put_index(R"({"a":"m-1.safetensors","b":"m-1.safetensors","c":"m-2.safetensors"})");
  TensorSource source = open();
  const TensorSource moved = std::move(source);
  EXPECT_EQ(moved.tensors().size(), 3u);
  EXPECT_EQ(read(moved.at("c")), values_);
  EXPECT_EQ(read(open_safetensors(dir_ / "model.safetensors.index.json").at("a")), values_);
}

TEST_F(Sharded, WhatTheIndexSaysMustHold) {
  put_shard("m-1.safetensors", {"a", "b"});
  put_index(R"({"a":"m-1.safetensors","b":"m-2.safetensors"})");
  EXPECT_REFUSED(open(), "maps to m-2.safetensors");
  put_shard("m-2.safetensors", {"b"});
  EXPECT_REFUSED(open(), "maps to m-2.safetensors");  // b is in both
  put_index(R"({"a":"m-1.safetensors"})");
  EXPECT_REFUSED(open(), "maps to no file");
  put_index(R"({"a":"m-1.safetensors","b":"m-1.safetensors","c":"m-1.safetensors"})");
  EXPECT_REFUSED(open(), "3 tensors in m-1.safetensors expected, 2 found");
  put_index(R"({"a":"m-1.safetensors","b":"m-1.safetensors","c":"m-9.safetensors"})");
  EXPECT_REFUSED(open(), "m-9.safetensors");
  put_index("{}");
  EXPECT_REFUSED(open(), "at least one tensor");
  put_index("[]");
  EXPECT_REFUSED(open(), "weight_map");
  put_index(R"({"a":1})");
  EXPECT_REFUSED(open(), "file name");
  put_index(R"({"a":"m-1.safetensors","\u0061":"m-1.safetensors"})");
  EXPECT_NE(test::refusal([&] { open(); }), "accepted");
}

TEST_F(Sharded, NoWayOutOfTheDirectory) {
  ScratchDirectory outside;
  write_safetensors(outside / "s.safetensors", std::vector{tensor_in_memory("a", DType::f32, {2}, values_)});
  const std::string name = (outside / "s.safetensors").string();
  put_index("{\"a\":\"" + name + "\"}");
  EXPECT_REFUSED(open(), "beside the index");
  put_index("{\"a\":\"../" + outside.path().filename().string() + "/s.safetensors\"}");
  EXPECT_REFUSED(open(), "beside the index");
  put_index(R"({"a":"..\\s.safetensors"})");
  EXPECT_REFUSED(open(), "beside the index");
  put_index(R"({"a":".."})");
  EXPECT_REFUSED(open(), "beside the index");
  fs::create_symlink(name, dir_ / "link.safetensors");
  put_index(R"({"a":"link.safetensors"})");
  EXPECT_REFUSED(open(), "leads to");
  put_shard("real.safetensors", {"a"});
  fs::create_symlink("real.safetensors", dir_ / "inside.safetensors");
  put_index(R"({"a":"inside.safetensors"})");
  EXPECT_EQ(open().tensors().size(), 1u);
  put_index(R"({"a":"pytorch_model-1.bin"})");
  EXPECT_REFUSED(open(), "pickles");
}

TEST_F(Sharded, WhatIsNoModel) {
  EXPECT_REFUSED(open(), "neither found");
  test::put_file(dir_ / "pytorch_model.bin", "\x80\x02}");
  EXPECT_REFUSED(open(), "pickles");
  EXPECT_REFUSED(open_safetensors(dir_ / "pytorch_model.bin"), "save_pretrained");
  EXPECT_REFUSED(open_safetensors(dir_ / "none.safetensors"), "none.safetensors");
  EXPECT_REFUSED(open_safetensors("/dev/zero"), "/dev/zero");
  fs::create_symlink("loop.safetensors", dir_ / "loop.safetensors");
  EXPECT_REFUSED(open_safetensors(dir_ / "loop.safetensors"), "loop");
}

// Python reads the file with nothing but its standard library and gets the same numbers.
TEST_F(Sharded, PythonReadsIt) {
  if (!fs::exists("/usr/bin/python3")) GTEST_SKIP() << "skipped: no /usr/bin/python3";
  const std::vector<float> values = numbers(12, 6);
  write_safetensors(dir_ / "p.safetensors", std::vector{tensor_in_memory("w", DType::f32, {3, 4}, values),
                                                        tensor_in_memory("h", DType::f16, {12}, values),
                                                        tensor_in_memory("b", DType::bf16, {2, 6}, values)});
  const std::string script = std::string(SM_SOURCE_DIR) + "/tests/io/read_safetensors.py";
  const std::string out = (dir_ / "out").string();
  const std::string command =
      "/usr/bin/python3 " + script + " " + (dir_ / "p.safetensors").string() + " > " + out;
  ASSERT_EQ(std::system(command.c_str()), 0);
  std::ifstream in(out);
  std::string name;
  std::size_t count = 0;
  while (in >> name >> count) {
    ASSERT_EQ(count, values.size());
    for (const float value : values) {
      double found = 0;
      in >> found;
      const float expected = name == "w"   ? value
                             : name == "h" ? f16_to_f32(f32_to_f16(value))
                                           : bf16_to_f32(f32_to_bf16(value));
      EXPECT_EQ(static_cast<float>(found), expected) << name;
    }
  }
  EXPECT_EQ(name, "w");  // the last by name
}

}  // namespace
}  // namespace smallmind
