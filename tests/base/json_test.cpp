// What parse_json takes, what it refuses and where it says the error is.
#include "base/json.h"

#include <gtest/gtest.h>

#include <clocale>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "tests/base/temp_folder.h"

namespace smallmind {
namespace {

using nlohmann::json;

std::string error_of(std::string_view text, const JsonLimits& limits = {}) {
  try {
    parse_json(text, "f.json", limits);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_input);
    return e.what();
  }
  return "no error";
}

TEST(Json, ParsesWhatNlohmannParses) {
  const std::string text =
      R"({"a": [1, -2, 3.5, true, null, "x\u00e9", {}], "b": {"c": {"d": []}}, "e": 18446744073709551615})";
  EXPECT_EQ(parse_json(text, "f"), json::parse(text));
  EXPECT_EQ(parse_json("7", "f"), json(7));
  EXPECT_EQ(json_text(parse_json(text, "f")), json::parse(text).dump());
}

TEST(Json, RefusesDuplicatesDepthSizeAndRubbish) {
  EXPECT_EQ(error_of(R"({"a": 1, "b": {"a": 2, "a": 3}})"),
            "[json] distinct keys expected, 'a' found twice (f.json, byte 26)");
  EXPECT_EQ(error_of(R"([{"a": 1}, {"a": 1}])"), "no error");
  const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_EQ(error_of(nested(64)), "no error");
  EXPECT_EQ(error_of(nested(65)), "[json] at most 64 levels expected, more found (f.json, byte 65)");
  EXPECT_NE(error_of(std::string(5'000'000, '[')), "no error");
  EXPECT_NE(error_of("[1,2,3]", {.bytes = 6}), "no error");
  EXPECT_EQ(error_of("[1,2,3]", {.values = 4}), "no error");
  EXPECT_EQ(error_of("[1,2,3]", {.values = 3}),
            "[json] at most 3 values expected, more found (f.json, byte 7)");
  for (const char* bad : {"", "{", "[1,]", "{\"a\":}", "nul", "1 2", "\"\xff\"", "1e999", "NaN", "{\"a\" 1}",
                          "\"\\ud800\"", "[1"})
    EXPECT_NE(error_of(bad), "no error") << bad;
  EXPECT_NE(error_of("[1, x]").find("(f.json, byte 5)"), std::string::npos) << error_of("[1, x]");
}

TEST(Json, TypedMembersCheckTheirTypes) {
  const json object =
      parse_json(R"({"i": 3, "f": 2.5, "b": false, "s": "t", "n": null, "big": 9223372036854775808})", "f");
  EXPECT_EQ(json_int(object, "i", "f"), 3);
  EXPECT_EQ(json_number(object, "i", "f"), 3.0);
  EXPECT_EQ(json_number(object, "f", "f"), 2.5);
  EXPECT_EQ(json_bool(object, "b", "f"), false);
  EXPECT_EQ(json_string(object, "s", "f"), "t");
  EXPECT_FALSE(find_json_int(object, "n", "f").has_value());
  EXPECT_FALSE(find_json_string(object, "absent", "f").has_value());
  EXPECT_THROW(json_int(object, "absent", "f"), Error);
  EXPECT_THROW(json_int(object, "f", "f"), Error);
  EXPECT_THROW(json_int(object, "big", "f"), Error);
  EXPECT_THROW(json_string(object, "i", "f"), Error);
  EXPECT_THROW(json_bool(object, "i", "f"), Error);
  EXPECT_THROW(json_int(json::array(), "i", "f"), Error);
}

TEST(Json, NumbersAreTheSameInEveryLocale) {
  const std::string former = std::setlocale(LC_ALL, nullptr);
  if (std::setlocale(LC_ALL, "de_DE.UTF-8") == nullptr) GTEST_SKIP() << "skipped: no locale de_DE.UTF-8 here";
  EXPECT_EQ(parse_json("1.5", "f").get<double>(), 1.5);
  EXPECT_EQ(json_text(json(1234567.25)), "1234567.25");
  std::setlocale(LC_ALL, former.c_str());
}

TEST(Json, ReadsFiles) {
  const TempFolder folder;
  EXPECT_EQ(read_json_file(folder.write("a.json", "[1]").string()), json::parse("[1]"));
  EXPECT_THROW(read_json_file(folder.path().string()), Error);
  EXPECT_THROW(read_json_file((folder.path() / "absent").string()), Error);
  EXPECT_THROW(read_json_file((folder.path() / "a.json").string(), {.bytes = 2}), Error);
  EXPECT_EQ(json_text(json("\xff")), "\"\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace smallmind
