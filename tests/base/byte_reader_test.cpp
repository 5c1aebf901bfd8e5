// The reader's bounds and texts, and the checked arithmetic.
#include "base/byte_reader.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/checked.h"

namespace smallmind {
namespace {

template <class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_input);
    return e.what();
  }
  return "no error";
}

std::vector<std::byte> bytes(std::initializer_list<int> values) {
  std::vector<std::byte> list;
  for (const int v : values) list.push_back(static_cast<std::byte>(v));
  return list;
}

TEST(ByteReader, ReadsLittleEndian) {
  const auto data = bytes({0x01, 0x02, 0x03, 0x04, 'a', 'b', 0xFF, 0x00, 0x00, 0x80, 0x3F});
  ByteReader reader(data, "test", "file.bin");
  EXPECT_EQ(reader.read<std::uint32_t>("magic"), 0x04030201u);
  EXPECT_EQ(reader.read_string(2, "name"), "ab");
  EXPECT_EQ(reader.read<std::int8_t>("small"), -1);
  EXPECT_EQ(reader.read<float>("one"), 1.0f);
  EXPECT_EQ(reader.remaining(), 0u);
  reader.seek(4, "start");
  EXPECT_EQ(reader.offset(), 4u);
}

TEST(ByteReader, NamesWhatIsMissingAndWhere) {
  const auto data = bytes({1, 2, 3, 4, 5});
  ByteReader reader(data, "gguf", "m.gguf");
  reader.skip(2, "head");
  EXPECT_EQ(error_of([&] { reader.read<std::uint64_t>("tensor count"); }),
            "[gguf] 8 bytes of 'tensor count' expected, 3 left (m.gguf, byte 2)");
  EXPECT_EQ(error_of([&] { reader.read_bytes(~0ull, "data"); }),
            "[gguf] 18446744073709551615 bytes of 'data' expected, 3 left (m.gguf, byte 2)");
  EXPECT_NE(error_of([&] { reader.seek(6, "data"); }), "no error");
  EXPECT_EQ(reader.offset(), 2u) << "a failed read moves nothing";
  EXPECT_EQ(error_of([&] { reader.fail("version 3 expected, 9 found"); }),
            "[gguf] version 3 expected, 9 found (m.gguf, byte 2)");
}

TEST(ByteReader, CountsAreCheckedAgainstTheBytesLeft) {
  const auto data = bytes({3, 0, 9, 9, 9, 9, 9, 9});
  ByteReader good(data, "t", "f");
  EXPECT_EQ(good.read_count<std::uint16_t>(2, "pairs"), 3);
  ByteReader bad(data, "t", "f");
  EXPECT_NE(error_of([&] { bad.read_count<std::uint16_t>(3, "triples"); }), "no error");
}

TEST(ByteReader, Aligns) {
  const std::vector<std::byte> data(40);
  ByteReader reader(data, "t", "f");
  reader.align(32, "padding");
  EXPECT_EQ(reader.offset(), 0u);
  reader.skip(1, "x");
  reader.align(32, "padding");
  EXPECT_EQ(reader.offset(), 32u);
  reader.skip(1, "x");
  EXPECT_NE(error_of([&] { reader.align(32, "padding"); }), "no error");
}

TEST(Checked, ThrowsWhereItWouldOverflow) {
  EXPECT_EQ(checked_mul<std::int64_t>(3, 5, "x"), 15);
  EXPECT_EQ(error_of([] { checked_mul<std::uint64_t>(1ull << 33, 1ull << 33, "[t] shape"); }),
            "[t] shape: a product within 64 bits expected, 8589934592 x 8589934592 found");
  EXPECT_NE(error_of([] { checked_add<std::int64_t>(INT64_MAX, 1, "x"); }), "no error");
  EXPECT_EQ((checked_cast<int, std::uint64_t>(7, "x")), 7);
  EXPECT_NE(error_of([] { checked_cast<int, std::uint64_t>(1ull << 31, "x"); }), "no error");
  EXPECT_NE(error_of([] { checked_cast<std::uint64_t>(-1, "x"); }), "no error");
}

}  // namespace
}  // namespace smallmind
