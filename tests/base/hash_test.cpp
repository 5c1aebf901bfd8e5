// The checksum against the reference's published value, and its cutting into pieces.
#include "base/hash.h"

#include <gtest/gtest.h>

#include <string>

namespace smallmind {
namespace {

TEST(Hash, OfNothingIsTheReferenceValue) {
  EXPECT_EQ(hash_hex(""), "99aa06d3014798d86001c324468d497f");  // XXH3_128bits, seed 0, length 0
}

TEST(Hash, DoesNotDependOnPieces) {
  const std::string text(100'000, 'x');
  Hash hash;
  for (std::size_t at = 0; at < text.size(); at += 777) hash.update(std::string_view(text).substr(at, 777));
  EXPECT_EQ(hash.hex(), hash_hex(text));
  hash.update("y");
  EXPECT_NE(hash.hex(), hash_hex(text));
}

TEST(Hash, FieldsAreKeptApart) {
  Hash a, b;
  a.update_field("ab");
  a.update_field("c");
  b.update_field("a");
  b.update_field("bc");
  EXPECT_NE(a.hex(), b.hex());
}

}  // namespace
}  // namespace smallmind
