// XXH3 with 128 bits over a stream of bytes: names of cached files and checksums of what lies on disk.
//
// It notices every flipped or missing byte with probability 1 - 2^-128 at the speed of memory; it is no
// defence against somebody who wants two files of one sum. Algorithm: https://github.com/Cyan4973/xxHash
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace smallmind {

class Hash {
 public:
  Hash();  // throws Error (bad_input) without memory for the state
  ~Hash();
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;

  void update(std::span<const std::byte> bytes) noexcept;
  void update(std::string_view text) noexcept;
  // A text with its length in front, so that ("ab", "c") and ("a", "bc") differ.
  void update_field(std::string_view text) noexcept;

  // The sum of what came so far: 32 hexadecimal digits.
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The sum of one text.
std::string hash_hex(std::string_view text);

}  // namespace smallmind
