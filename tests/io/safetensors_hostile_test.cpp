// Broken and hostile safetensors files are refused with a text that names what is wrong, without large
// allocations.
#include <gtest/gtest.h>

#include "io/safetensors_reader.h"
#include "tests/io/alloc_peak.h"
#include "tests/io/io_test_support.h"

namespace smallmind {
namespace {

using test::Bytes;
using test::little;
using test::view;

Bytes with_header(const Bytes& header, const Bytes& data = "") {
  return little<std::uint64_t>(header.size()) + header + data;
}

SafetensorsContent parse(const Bytes& file) {
  return parse_safetensors(view(file), "x.safetensors");
}

Bytes one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

const Bytes kGood = with_header(one("F32", "[2]", "[0,8]"), Bytes(8, '\1'));

TEST(SafetensorsHostile, HeaderLength) {
  EXPECT_EQ(parse(kGood).tensors.size(), 1u);
  EXPECT_REFUSED(parse(""), "8 bytes");
  EXPECT_REFUSED(parse("1234567"), "8 bytes");
  EXPECT_REFUSED(parse(little<std::uint64_t>(0)), "header");
  EXPECT_REFUSED(parse(little<std::uint64_t>(7) + "{}"), "inside the file");
  EXPECT_REFUSED(parse(little<std::uint64_t>(~0ull) + "{}"), "at most 100000000");
  EXPECT_REFUSED(parse(little<std::uint64_t>(100'000'001) + "{}"), "at most 100000000");
  EXPECT_REFUSED(parse(little<std::uint64_t>(100'000'000) + "{}"), "inside the file");
}

TEST(SafetensorsHostile, HeaderEnds) {
  EXPECT_EQ(parse(with_header("{}")).tensors.size(), 0u);
  EXPECT_EQ(parse(with_header("{}      ")).tensors.size(), 0u);
  EXPECT_REFUSED(parse(with_header("{} x")), "from '{' to '}'");
  EXPECT_REFUSED(parse(with_header("{}\n")), "from '{' to '}'");
  EXPECT_REFUSED(parse(with_header(" {}")), "from '{' to '}'");
  EXPECT_REFUSED(parse(with_header("\xef\xbb\xbf{}")), "from '{' to '}'");
  EXPECT_REFUSED(parse(with_header("{}{}")), "JSON");
  EXPECT_REFUSED(parse(with_header("{\"a\":}")), "JSON");
  EXPECT_REFUSED(parse(with_header("{\"a\":1}")), "a number");
  EXPECT_REFUSED(parse(with_header("[]")), "from '{' to '}'");
}

TEST(SafetensorsHostile, Names) {
  const auto named = [](const Bytes& name) {
    return with_header("{\"" + name + R"(":{"dtype":"U8","shape":[],"data_offsets":[0,1]}})", "x");
  };
  EXPECT_EQ(parse(named("\xc3\xa9")).tensors[0].name, "\xc3\xa9");
  EXPECT_EQ(parse(named("\\u00e9\\ud83d\\ude00")).tensors[0].name, "\xc3\xa9\xf0\x9f\x98\x80");
  EXPECT_REFUSED(parse(named("\xff")), "JSON");
  EXPECT_REFUSED(parse(named("\xc0\x80")), "JSON");
  EXPECT_REFUSED(parse(named("\xed\xa0\x80")), "JSON");
  EXPECT_REFUSED(parse(named("\\ud800")), "JSON");
  EXPECT_REFUSED(parse(named("\\udc00x")), "JSON");
  EXPECT_REFUSED(parse(named("a\\u0000b")), "NUL");
  EXPECT_REFUSED(parse(named(Bytes("a\0b", 3))), "JSON");
}

TEST(SafetensorsHostile, DuplicateKeys) {
  const Bytes entry = R"({"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  EXPECT_REFUSED(parse(with_header("{\"a\":" + entry + ",\"a\":" + entry + "}")), "found twice");
  EXPECT_REFUSED(parse(with_header("{\"a\":" + entry + ",\"\\u0061\":" + entry + "}")), "found twice");
  EXPECT_REFUSED(parse(with_header(R"({"__metadata__":{},"__metadata__":{}})")), "found twice");
  EXPECT_REFUSED(parse(with_header(R"({"__metadata__":{"k":"1","\u006b":"2"}})")), "found twice");
  EXPECT_REFUSED(parse(with_header(R"({"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})")),
                 "found twice");
}

TEST(SafetensorsHostile, DepthKeysAndNumbers) {
  EXPECT_REFUSED(parse(with_header("{\"a\":" + Bytes(100'000, '[') + Bytes(100'000, ']') + "}")), "a list");
  Bytes objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"dtype\":";
  EXPECT_REFUSED(parse(with_header("{\"a\":" + objects + "1" + Bytes(100'001, '}'))), "an object");
  const auto offsets = [](const Bytes& text) { return with_header(one("U8", "[1]", text), "x"); };
  EXPECT_EQ(parse(offsets("[0,1]")).tensors.size(), 1u);
  for (const char* number : {"1e400", "1.0", "1e0", "18446744073709551616"}) {
    EXPECT_NE(test::refusal([&] { parse(offsets("[0," + Bytes(number) + "]")); }), "accepted") << number;
  }
  EXPECT_REFUSED(parse(offsets("[0,-1]")), "negative");
  EXPECT_REFUSED(parse(offsets("[-0,1]")), "");
  EXPECT_REFUSED(parse(offsets("[0,true]")), "boolean");
  EXPECT_REFUSED(parse(offsets("[0,null]")), "null");
  EXPECT_REFUSED(parse(offsets("[0,\"1\"]")), "a string");
  EXPECT_REFUSED(parse(offsets("[0]")), "two data_offsets");
  EXPECT_REFUSED(parse(offsets("[0,1,1]")), "two data_offsets");
  EXPECT_REFUSED(parse(offsets("{}")), "an object");
}

TEST(SafetensorsHostile, MoreKeysThanTheLimit) {
  Bytes header = "{";
  for (int i = 0; i < 262'145; ++i) {
    header +=
        (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  }
  EXPECT_REFUSED(parse(with_header(header + "}")), "at most 262144 tensors");
}

TEST(SafetensorsHostile, Ranges) {
  const auto two = [](const Bytes& a, const Bytes& b, std::size_t data) {
    return with_header(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + a +
                           R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + b + "}}",
                       Bytes(data, 'x'));
  };
  EXPECT_EQ(parse(two("[4,8]", "[0,4]", 8)).tensors[0].name, "b");
  EXPECT_REFUSED(parse(two("[4,0]", "[4,8]", 8)), "offsets inside");
  EXPECT_REFUSED(parse(two("[0,4]", "[2,6]", 6)), "no hole, no overlap");
  EXPECT_REFUSED(parse(two("[0,4]", "[0,4]", 4)), "no hole, no overlap");
  EXPECT_REFUSED(parse(two("[0,4]", "[5,9]", 9)), "no hole, no overlap");
  EXPECT_REFUSED(parse(two("[1,5]", "[5,9]", 9)), "no hole, no overlap");
  EXPECT_REFUSED(parse(two("[0,4]", "[4,8]", 9)), "cover");
  EXPECT_REFUSED(parse(two("[0,4]", "[4,8]", 7)), "offsets inside");
  EXPECT_REFUSED(parse(two("[0,4]", "[18446744073709551612,18446744073709551615]", 8)), "offsets inside");
}

TEST(SafetensorsHostile, ShapesAndTypes) {
  EXPECT_REFUSED(parse(with_header(one("F32", "[3]", "[0,8]"), Bytes(8, 'x'))), "12 bytes expected");
  EXPECT_REFUSED(parse(with_header(one("F16", "[2]", "[0,8]"), Bytes(8, 'x'))), "4 bytes expected");
  EXPECT_REFUSED(parse(with_header(one("F4", "[2]", "[0,8]"), Bytes(8, 'x'))), "F4 found");
  EXPECT_REFUSED(parse(with_header(one("f32", "[2]", "[0,8]"), Bytes(8, 'x'))), "f32 found");
  EXPECT_REFUSED(parse(with_header(one("F32", "[4294967296,4294967296]", "[0,8]"), Bytes(8, 'x'))), "2^64");
  EXPECT_REFUSED(parse(with_header(one("F32", "[4611686018427387904]", "[0,0]"))), "2^64");
  EXPECT_REFUSED(parse(with_header(one("F32", "[9223372036854775808]", "[0,0]"))), "2^63");
  Bytes many = "1";
  for (int i = 0; i < 64; ++i) many += ",1";
  EXPECT_REFUSED(parse(with_header(one("U8", "[" + many + "]", "[0,1]"), "x")), "64 numbers");
  EXPECT_REFUSED(parse(with_header(R"({"a":{"dtype":"U8","shape":[0]}})")), "2 of them found");
  EXPECT_REFUSED(parse(with_header(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}})")),
                 "\"x\" found");
}

TEST(SafetensorsHostile, ScalarsAndEmptyTensorsAreFine) {
  EXPECT_EQ(parse(with_header(one("F32", "[]", "[0,4]"), Bytes(4, 'x'))).tensors[0].elements(), 1);
  EXPECT_EQ(parse(with_header(one("F32", "[0]", "[0,0]"))).tensors[0].elements(), 0);
  EXPECT_EQ(parse(with_header(one("F32", "[7,0,3]", "[0,0]"))).tensors[0].elements(), 0);
}

TEST(SafetensorsHostile, Metadata) {
  EXPECT_EQ(parse(with_header(R"({"__metadata__":{"format":"pt"}})")).metadata.at("format"), "pt");
  EXPECT_REFUSED(parse(with_header(R"({"__metadata__":{"format":1}})")), "a number");
  EXPECT_REFUSED(parse(with_header(R"({"__metadata__":{"format":null}})")), "null");
  EXPECT_REFUSED(parse(with_header(R"({"__metadata__":{"format":{}}})")), "an object");
  EXPECT_REFUSED(parse(with_header(R"({"__metadata__":[]})")), "a list");
  EXPECT_REFUSED(parse(with_header(R"({"__metadata__":"x"})")), "a string");
}

Bytes end_record(std::uint32_t directory_bytes, const Bytes& comment, std::uint16_t comment_length) {
  return Bytes("PK\5\6") + Bytes(8, '\0') + little(directory_bytes) + Bytes(4, '\0') +
         little(comment_length) + comment;
}

TEST(SafetensorsHostile, ZipPolyglots) {
  const auto holding = [](const Bytes& data) {
    return with_header(
        one("U8", "[" + std::to_string(data.size()) + "]", "[0," + std::to_string(data.size()) + "]"), data);
  };
  const Bytes directory = Bytes("PK\1\2") + Bytes(42, 'd');
  EXPECT_EQ(parse(holding("PK\5\6 in the middle of weights, far from a fitting record")).tensors.size(), 1u);
  EXPECT_REFUSED(parse(holding(end_record(0, "", 0))), "zip archive");
  EXPECT_REFUSED(parse(holding(end_record(0, Bytes(65535, 'c'), 65535))), "zip archive");
  EXPECT_REFUSED(parse(holding("entry" + directory + end_record(46, "trailing bytes that lie", 3))),
                 "zip archive");
  EXPECT_REFUSED(parse("PK\3\4" + Bytes(100, 'z')), "zip archive");
}

TEST(SafetensorsHostile, Pickles) {
  EXPECT_REFUSED(parse(Bytes("\x80\x02}q\x00X\x05\x00\x00\x00hello", 14)), "pickle");
  EXPECT_REFUSED(parse("\x80\x04\x95\x10weights"), "save_pretrained");
  const Bytes header_of_640 = with_header("{}" + Bytes(0x0280 - 2, ' '));
  ASSERT_EQ(header_of_640.substr(0, 2), "\x80\x02");
  EXPECT_EQ(parse(header_of_640).tensors.size(), 0u);
}

TEST(SafetensorsHostile, EveryTruncationIsRefused) {
  for (std::size_t size = 0; size < kGood.size(); ++size) {
    EXPECT_NE(test::refusal([&] { parse(kGood.substr(0, size)); }), "accepted") << size;
  }
}

// No single byte changed may crash; what is still accepted must be consistent.
TEST(SafetensorsHostile, EveryByteChangedIsHandled) {
  for (std::size_t at = 0; at < kGood.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      Bytes changed = kGood;
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

TEST(SafetensorsHostile, RefusalsAllocateLittle) {
  const Bytes huge_shape = with_header(one("F32", "[1000000000,1000000000]", "[0,4000000000000000000]"));
  test::AllocationPeak peak;
  EXPECT_NE(test::refusal([&] { parse(little<std::uint64_t>(99'999'999) + "{}"); }), "accepted");
  EXPECT_NE(test::refusal([&] { parse(huge_shape); }), "accepted");
  EXPECT_LT(peak.largest(), 100'000u);
}

}  // namespace
}  // namespace smallmind
