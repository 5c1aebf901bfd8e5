// JSON from files that nobody trusts, on top of nlohmann's parser: bounded size, depth and count, no
// duplicate keys (RFC 8259 leaves their meaning open, and two readers of one file must not see two things),
// numbers the same in every locale. Include <nlohmann/json.hpp> only in the .cpp that touches values: it
// costs seconds per translation unit.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace smallmind {

struct JsonLimits {
  std::size_t bytes = std::size_t{256} << 20;
  int depth = 64;
  std::size_t values = 16'000'000;  // each takes 16 bytes and more, however short its text
};

// file names the source in errors: "[json] a value expected, '}' found (config.json, byte 17)". Throws Error
// (bad_input).
nlohmann::json parse_json(std::string_view text, std::string_view file, const JsonLimits& limits = {});

// Reads and parses a regular file.
nlohmann::json read_json_file(const std::string& path, const JsonLimits& limits = {});

// indent < 0 writes one line. Bytes that are not UTF-8 become U+FFFD; NaN and infinity become null.
std::string json_text(const nlohmann::json& value, int indent = -1);

// Members of an object with their type checked; throw Error (bad_input) naming file and key. An integer is
// one that was written without a fraction or exponent and fits. The find_ forms give nothing where the key is
// absent or null.
std::int64_t json_int(const nlohmann::json& object, const char* key, std::string_view file);
double json_number(const nlohmann::json& object, const char* key, std::string_view file);
bool json_bool(const nlohmann::json& object, const char* key, std::string_view file);
std::string json_string(const nlohmann::json& object, const char* key, std::string_view file);
std::optional<std::int64_t> find_json_int(const nlohmann::json& object, const char* key,
                                          std::string_view file);
std::optional<double> find_json_number(const nlohmann::json& object, const char* key, std::string_view file);
std::optional<bool> find_json_bool(const nlohmann::json& object, const char* key, std::string_view file);
std::optional<std::string> find_json_string(const nlohmann::json& object, const char* key,
                                            std::string_view file);

}  // namespace smallmind
