// Pickle: 0x80, then the protocol 2..5. Zip: a record "PK\5\6" of 22 bytes and a comment of at most 65,535
// bytes at the end of the file, which says where the central directory ("PK\1\2" entries) begins. Readers
// differ in whether the comment must reach the end, so that either a fitting comment or a central directory
// counts as a zip archive.
#include "io/archive_check.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/error.h"

namespace smallmind {
namespace {

constexpr std::size_t kEndRecordBytes = 22;
constexpr std::size_t kMaxComment = 65535;

bool has_at(std::span<const std::byte> file, std::size_t at, std::string_view signature) {
  return at <= file.size() && file.size() - at >= signature.size() &&
         std::memcmp(file.data() + at, signature.data(), signature.size()) == 0;
}

template <typename T>
T read_at(std::span<const std::byte> file, std::size_t at) {
  T value;
  std::memcpy(&value, file.data() + at, sizeof value);
  return value;
}

bool is_end_record(std::span<const std::byte> file, std::size_t at) {
  if (!has_at(file, at, "PK\5\6")) return false;
  const std::size_t comment = read_at<std::uint16_t>(file, at + 20);
  if (at + kEndRecordBytes + comment == file.size()) return true;
  const std::size_t directory_bytes = read_at<std::uint32_t>(file, at + 12);
  return directory_bytes > 0 && directory_bytes <= at && has_at(file, at - directory_bytes, "PK\1\2");
}

bool is_zip(std::span<const std::byte> file) {
  if (has_at(file, 0, "PK\3\4") || has_at(file, 0, "PK\5\6")) return true;
  if (file.size() < kEndRecordBytes) return false;
  const std::size_t last = file.size() - kEndRecordBytes;
  const std::size_t first = last > kMaxComment ? last - kMaxComment : 0;
  for (std::size_t at = last + 1; at-- > first;) {
    if (is_end_record(file, at)) return true;
  }
  return false;
}

constexpr const char* kAdvice =
    "convert it to safetensors where it came from, for example with save_pretrained(safe_serialization=True)";

}  // namespace

void refuse_pickle_and_zip(std::span<const std::byte> file, std::string_view where) {
  if (file.size() >= 2 && file[0] == std::byte{0x80} && file[1] >= std::byte{2} && file[1] <= std::byte{5}) {
    // 80 02 00 00 00 00 00 00 is also a safetensors header of 640 bytes; a pickle has no zeros there.
    if (file.size() < 8 ||
        !std::all_of(file.begin() + 4, file.begin() + 8, [](std::byte b) { return b == std::byte{0}; })) {
      fail_input("[model file] a file without code expected, a Python pickle found; {} ({})", kAdvice, where);
    }
  }
  if (is_zip(file))
    fail_input("[model file] a file without code expected, a zip archive found; {} ({})", kAdvice, where);
}

void refuse_pickle_name(std::string_view where) {
  for (const std::string_view ending : {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"}) {
    if (where.ends_with(ending)) {
      fail_input(
          "[model file] .safetensors or .gguf expected, {} files are Python pickles, which run code when "
          "loaded; {} ({})",
          ending, kAdvice, where);
    }
  }
}

}  // namespace smallmind
