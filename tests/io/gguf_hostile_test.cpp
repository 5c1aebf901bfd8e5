// Broken and hostile GGUF files are refused with a text that names what is wrong, without large allocations.
#include <gtest/gtest.h>

#include <chrono>

#include "io/gguf_reader.h"
#include "tests/io/alloc_peak.h"
#include "tests/io/io_test_support.h"

namespace smallmind {
namespace {

using test::Bytes;
using test::little;
using test::view;

constexpr std::uint64_t kHuge = std::uint64_t{1} << 63;

GgufContent parse(const Bytes& file) {
  return parse_gguf(view(file), "x.gguf");
}

Bytes text(const Bytes& s) {
  return little<std::uint64_t>(s.size()) + s;
}

Bytes head(std::uint64_t tensors, std::uint64_t pairs, std::uint32_t version = 3) {
  return "GGUF" + little(version) + little(tensors) + little(pairs);
}

Bytes pair(const Bytes& key, std::uint32_t type, const Bytes& value) {
  return text(key) + little(type) + value;
}

Bytes one_pair(std::uint32_t type, const Bytes& value) {
  return head(0, 1) + pair("k", type, value);
}

struct Row {
  Bytes name = "t";
  std::vector<std::uint64_t> sizes{8};
  std::uint32_t type = 0;
  std::uint64_t offset = 0;
};

Bytes row(const Row& r) {
  Bytes bytes = text(r.name) + little(static_cast<std::uint32_t>(r.sizes.size()));
  for (const std::uint64_t n : r.sizes) bytes += little(n);
  return bytes + little(r.type) + little(r.offset);
}

Bytes with_tensors(const std::vector<Row>& rows, std::size_t data, const Bytes& pairs = "",
                   std::uint64_t pair_count = 0) {
  Bytes bytes = head(rows.size(), pair_count) + pairs;
  for (const Row& r : rows) bytes += row(r);
  bytes.resize((bytes.size() + 31) / 32 * 32);
  return bytes + Bytes(data, 'x');
}

TEST(GgufHostile, Header) {
  EXPECT_EQ(parse(head(0, 0)).tensors.size(), 0u);
  EXPECT_EQ(parse(head(0, 0, 2)).version, 2u);
  for (std::size_t size = 0; size < 24; ++size) EXPECT_REFUSED(parse(head(0, 0).substr(0, size)), "expected");
  EXPECT_REFUSED(parse("GGML" + head(0, 0).substr(4)), "GGUF");
  for (const std::uint32_t version : {0u, 1u, 4u, 0xffffffffu})
    EXPECT_REFUSED(parse(head(0, 0, version)), "version 2 or 3");
  EXPECT_REFUSED(parse(head(0, 0, 0x03000000u)), "big-endian");
}

TEST(GgufHostile, Counts) {
  test::AllocationPeak peak;
  for (const std::uint64_t count : {kHuge, ~std::uint64_t{0}, ~std::uint64_t{0} / 384, std::uint64_t{1}}) {
    EXPECT_REFUSED(parse(head(count, 0)), "tensors");
    EXPECT_REFUSED(parse(head(0, count)), "pairs");
  }
  EXPECT_LT(peak.largest(), 10'000u);
}

TEST(GgufHostile, AMillionPairsAreRefusedFast) {
  Bytes file = head(0, 1'000'000);
  for (int i = 0; i < 1'000'000; ++i) file += pair(std::to_string(i), 0, "x");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_REFUSED(parse(file), "at most 65536 key-value pairs");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST(GgufHostile, Keys) {
  const auto keyed = [](const Bytes& key) { return head(0, 1) + pair(key, 0, "x"); };
  EXPECT_EQ(parse(keyed(Bytes(65535, 'k'))).metadata.size(), 1u);
  EXPECT_REFUSED(parse(keyed("") + Bytes(9, 'x')), "key of 1 to 65535");
  EXPECT_REFUSED(parse(keyed(Bytes(65536, 'k'))), "key of 1 to 65535");
  EXPECT_REFUSED(parse(keyed(Bytes("a\0b", 3))), "NUL");
  EXPECT_REFUSED(parse(keyed("\xff")), "UTF-8");
  EXPECT_REFUSED(parse(keyed("\xed\xa0\x80")), "UTF-8");
  EXPECT_REFUSED(parse(head(0, 1) + little(~std::uint64_t{0}) + "kkkkkkkkkk"), "bytes of 'key'");
  EXPECT_REFUSED(parse(head(0, 1) + little(std::uint64_t{11}) + "kkkkkkkkkk"), "bytes of 'key'");
  EXPECT_REFUSED(parse(head(0, 2) + pair("a", 0, "x") + pair("a", 0, "y")), "found twice");
}

TEST(GgufHostile, Values) {
  EXPECT_EQ(parse(one_pair(7, "\1")).metadata.size(), 1u);
  EXPECT_REFUSED(parse(one_pair(7, "\2")), "boolean");
  EXPECT_REFUSED(parse(one_pair(13, "12345678")), "value type");
  EXPECT_REFUSED(parse(one_pair(0xffffffffu, "12345678")), "value type");
  EXPECT_REFUSED(parse(one_pair(8, little(kHuge) + "xx")), "string value");
  EXPECT_REFUSED(parse(one_pair(8, little(std::uint64_t{3}) + "xx")), "string value");
  EXPECT_REFUSED(parse(one_pair(10, "1234567")), "value");
}

TEST(GgufHostile, Arrays) {
  const auto array = [](std::uint32_t type, std::uint64_t count, const Bytes& rest) {
    return one_pair(9, little(type) + little(count) + rest);
  };
  EXPECT_EQ(parse(array(7, 2, Bytes("\0\1", 2))).metadata.size(), 1u);
  EXPECT_REFUSED(parse(array(7, 2, Bytes("\0\2", 2))), "booleans");
  EXPECT_REFUSED(parse(array(13, 0, "")), "type 13");
  EXPECT_REFUSED(parse(array(4, 2, "1234567")), "array elements");
  Bytes nested;
  for (int i = 0; i < 100'000; ++i) nested += little(9u) + little(std::uint64_t{1});
  EXPECT_REFUSED(parse(one_pair(9, nested)), "type 9");
  test::AllocationPeak peak;
  EXPECT_REFUSED(parse(array(10, kHuge / 4, "x")), "array elements");
  EXPECT_REFUSED(parse(array(7, 1'000'000'000, Bytes(1000, '\0'))), "array elements");
  EXPECT_REFUSED(parse(array(8, 1'000'000'000, Bytes(1000, '\0'))), "array elements");
  EXPECT_REFUSED(parse(array(8, 3, text("a") + text("b") + little(kHuge))), "array string");
  EXPECT_LT(peak.largest(), 10'000u);
}

TEST(GgufHostile, Alignment) {
  const auto aligned = [](std::uint32_t type, const Bytes& value) {
    return head(0, 1) + pair("general.alignment", type, value);
  };
  EXPECT_EQ(parse(aligned(4, little(1u << 20))).alignment, 1u << 20);
  for (const std::uint32_t bad : {0u, 3u, 1u << 21, 1u << 31})
    EXPECT_REFUSED(parse(aligned(4, little(bad))), "power of two");
  EXPECT_REFUSED(parse(aligned(5, little(32u))), "power of two");
  EXPECT_REFUSED(parse(aligned(8, text("32"))), "power of two");
}

TEST(GgufHostile, Shapes) {
  EXPECT_EQ(parse(with_tensors({{}}, 32)).tensors.size(), 1u);
  const auto shaped = [](std::vector<std::uint64_t> sizes) {
    return with_tensors({{.sizes = std::move(sizes)}}, 32);
  };
  EXPECT_REFUSED(parse(shaped({})), "dimensions");
  EXPECT_REFUSED(parse(shaped({1, 1, 1, 1, 1})), "dimensions");
  EXPECT_REFUSED(parse(shaped({0})), "dimensions from 1");
  EXPECT_REFUSED(parse(shaped({~std::uint64_t{0}})), "dimensions from 1");
  EXPECT_REFUSED(parse(shaped({(std::uint64_t{1} << 42) + 1})), "dimensions from 1");
  EXPECT_REFUSED(parse(shaped({1u << 31, 1u << 31, 1u << 31})), "elements");
  EXPECT_REFUSED(parse(shaped({std::uint64_t{1} << 42, 1u << 21})), "bytes of tensor");
  Bytes many = head(1, 0) + text("t") + little(0xffffffffu) + Bytes(64, '\1');
  EXPECT_REFUSED(parse(many), "dimensions");
}

TEST(GgufHostile, TypesAndNames) {
  for (const std::uint32_t type : {31u, 43u, 0xfffffff0u, 0xffffffffu})
    EXPECT_REFUSED(parse(with_tensors({{.type = type}}, 32)), "is of type");
  EXPECT_REFUSED(parse(with_tensors({{}, {.offset = 32}}, 64)), "found twice");
  EXPECT_REFUSED(parse(with_tensors({{.name = ""}}, 32)), "tensor name");
}

TEST(GgufHostile, Offsets) {
  EXPECT_EQ(parse(with_tensors({{}, {.name = "u", .offset = 32}}, 64)).tensors.size(), 2u);
  for (const std::uint64_t offset :
       {std::uint64_t{0}, std::uint64_t{31}, std::uint64_t{64}, ~std::uint64_t{31}}) {
    EXPECT_REFUSED(parse(with_tensors({{}, {.name = "u", .offset = offset}}, 64)), "no hole, no overlap");
  }
  EXPECT_REFUSED(parse(with_tensors({{}}, 31)), "32 bytes of 't' expected, 31 left");
  EXPECT_REFUSED(parse(with_tensors({{.sizes = {std::uint64_t{1} << 42, 1u << 19}}}, 32)), "bytes of 't'");
}

TEST(GgufHostile, EveryTruncationIsRefused) {
  const Bytes file = with_tensors(
      {{}, {.name = "u", .offset = 32}}, 64,
      pair("k", 8, text("v")) + pair("l", 9, little(8u) + little(std::uint64_t{1}) + text("w")), 2);
  ASSERT_EQ(parse(file).metadata.size(), 2u);
  for (std::size_t size = 0; size < file.size(); ++size)
    EXPECT_REFUSED(parse(file.substr(0, size)), "expected");
}

TEST(GgufHostile, EveryByteChangedIsHandled) {
  const Bytes file = with_tensors({{}, {.name = "u", .offset = 32}}, 64, pair("k", 8, text("v")), 1);
  for (std::size_t at = 0; at < file.size() - 64; ++at) {
    for (int value = 0; value < 256; ++value) {
      Bytes changed = file;
      changed[at] = static_cast<char>(value);
      try {
        for (const StoredTensor& tensor : parse(changed).tensors) {
          EXPECT_EQ(tensor.data.size(),
                    static_cast<std::size_t>(tensor.elements()) * dtype_size(tensor.type));
        }
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), ErrorCode::bad_input);
      }
    }
  }
}

}  // namespace
}  // namespace smallmind
