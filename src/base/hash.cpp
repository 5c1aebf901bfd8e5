// A thin cover over libxxhash, so that its header stays in one file.
#include "base/hash.h"

#include <fmt/core.h>
#include <xxhash.h>

#include <cstdint>
#include <new>

#include "base/error.h"

namespace smallmind {

struct Hash::State {
  XXH3_state_t* xxh = XXH3_createState();

  State() {
    if (xxh == nullptr) fail_input("[hash] memory for a checksum expected, none left");
    XXH3_128bits_reset(xxh);
  }
  ~State() { XXH3_freeState(xxh); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Hash::Hash() : state_(std::make_unique<State>()) {}
Hash::~Hash() = default;

void Hash::update(std::span<const std::byte> bytes) noexcept {
  XXH3_128bits_update(state_->xxh, bytes.data(), bytes.size());
}

void Hash::update(std::string_view text) noexcept {
  XXH3_128bits_update(state_->xxh, text.data(), text.size());
}

void Hash::update_field(std::string_view text) noexcept {
  const std::uint64_t size = text.size();
  XXH3_128bits_update(state_->xxh, &size, sizeof(size));
  update(text);
}

std::string Hash::hex() const {
  const XXH128_hash_t sum = XXH3_128bits_digest(state_->xxh);
  return fmt::format("{:016x}{:016x}", sum.high64, sum.low64);
}

std::string hash_hex(std::string_view text) {
  Hash hash;
  hash.update(text);
  return hash.hex();
}

}  // namespace smallmind
