// Helpers of the file format tests: bytes by hand, a sink into memory, the text of a refusal.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "io/tensor_writing.h"

namespace smallmind::test {

using Bytes = std::string;  // any bytes; a string for its literals and operators

inline std::span<const std::byte> view(const Bytes& bytes) {
  return std::as_bytes(std::span(bytes));
}

inline ByteSink sink_into(Bytes& out) {
  return [&out](std::span<const std::byte> bytes) {
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
}

template <typename T>
Bytes little(T value) {
  Bytes bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

// Runs body and returns its bad_input error's text, or "accepted".
template <typename Body>
std::string refusal(Body body) {
  try {
    body();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_input) << e.what();
    return e.what();
  }
  return "accepted";
}

inline Bytes file_bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void put_file(const std::filesystem::path& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// An empty directory that is removed at the end of the test.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "smallmind-io-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

#define EXPECT_REFUSED(body, words)                                                        \
  do {                                                                                     \
    const std::string refused_text = ::smallmind::test::refusal([&] { (void)(body); });    \
    EXPECT_NE(refused_text.find(words), std::string::npos) << "refusal: " << refused_text; \
    EXPECT_NE(refused_text, "accepted");                                                   \
  } while (false)

}  // namespace smallmind::test
