// A bounds-checked little-endian reader over bytes that nobody trusts: the only way in for file formats.
//
// Every read names what it wants; a read beyond the end throws Error (bad_input):
//   "[gguf] 8 bytes of 'tensor count' expected, 3 left (model.gguf, byte 16)".
// It owns nothing, allocates only for errors and read_string's caller, and is a value type: a copy is a
// bookmark.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/error.h"

namespace smallmind {

static_assert(std::endian::native == std::endian::little, "the file formats are read as they lie in memory");

class ByteReader {
 public:
  // where: the format ("gguf"), file: the file's name; both must outlive the reader.
  ByteReader(std::span<const std::byte> bytes, std::string_view where, std::string_view file) noexcept
      : bytes_(bytes), where_(where), file_(file) {}

  std::size_t offset() const noexcept { return offset_; }
  std::size_t size() const noexcept { return bytes_.size(); }
  std::size_t remaining() const noexcept { return bytes_.size() - offset_; }

  // An integer, float or trivially copyable struct of little-endian fields.
  template <class T>
  T read(std::string_view what) {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T> && !std::is_same_v<T, bool>);
    T value;
    std::memcpy(&value, read_bytes(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  // The next `count` bytes, as a view into the source. count is 64 bits wide so that a file's own count needs
  // no cast.
  std::span<const std::byte> read_bytes(std::uint64_t count, std::string_view what) {
    if (count > remaining()) [[unlikely]]
      fail_input("[{}] {} bytes of '{}' expected, {} left ({}, byte {})", where_, count, what, remaining(),
                 file_, offset_);
    const auto bytes = bytes_.subspan(offset_, static_cast<std::size_t>(count));
    offset_ += static_cast<std::size_t>(count);
    return bytes;
  }

  // The next `count` bytes as text, as a view into the source; the encoding is not checked.
  std::string_view read_string(std::uint64_t count, std::string_view what) {
    const auto bytes = read_bytes(count, what);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  // A list's length, refused unless `count` elements of at least `least_bytes` each can follow: check before
  // allocating.
  template <std::unsigned_integral Count>
  Count read_count(std::size_t least_bytes, std::string_view what) {
    const std::size_t at = offset_;
    const Count count = read<Count>(what);
    if (least_bytes != 0 && count > remaining() / least_bytes) [[unlikely]]
      fail_input("[{}] at most {} of '{}' expected in the {} bytes left, {} found ({}, byte {})", where_,
                 remaining() / least_bytes, what, remaining(), count, file_, at);
    return count;
  }

  void skip(std::uint64_t count, std::string_view what) { read_bytes(count, what); }

  // Skips to the next multiple of `alignment` (a power of two).
  void align(std::size_t alignment, std::string_view what) {
    SM_CHECK(std::has_single_bit(alignment), "[{}] a power of two expected, alignment {} found", where_,
             alignment);
    skip((alignment - offset_ % alignment) % alignment, what);
  }

  void seek(std::uint64_t offset, std::string_view what) {
    if (offset > bytes_.size()) [[unlikely]]
      fail_input("[{}] an offset of '{}' within {} bytes expected, {} found ({}, byte {})", where_, what,
                 bytes_.size(), offset, file_, offset_);
    offset_ = static_cast<std::size_t>(offset);
  }

  // Throws with the reader's place: fail("a version of 2 or 3 expected, 7 found").
  [[noreturn]] void fail(std::string_view text) const {
    fail_input("[{}] {} ({}, byte {})", where_, text, file_, offset_);
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t offset_ = 0;
  std::string_view where_;
  std::string_view file_;
};

}  // namespace smallmind
