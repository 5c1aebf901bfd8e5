// Writes the chunks of a recording (record_format.h) with write(2), each as a whole, so that the file is
// readable at any moment. A failed write (a full disk) ends the writing, not the work: error() says why.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "profiler/event_ring.h"
#include "profiler/record_format.h"

namespace smallmind {

// What one thread's stream is written with; one per thread and recording.
struct StreamState {
  std::uint32_t thread = 0;
  std::uint64_t last_end = 0;  // ticks
  std::uint64_t events = 0;
};

// Thread safety: one thread at a time.
class RecordWriter {
 public:
  // Replaces a file of that name. Throws Error (bad_input) with the path and the system's reason.
  explicit RecordWriter(const std::filesystem::path& path);
  ~RecordWriter();
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;

  void chunk(record::Chunk type, std::uint32_t thread, std::string_view payload);
  template <typename... Words>
  void words(record::Chunk type, std::uint32_t thread, Words... values) {
    const std::uint64_t list[] = {static_cast<std::uint64_t>(values)...};
    chunk(type, thread, {reinterpret_cast<const char*>(list), sizeof(list)});
  }
  void section(std::string_view name, std::string_view json);
  // Writes what the ring holds, with the names that are new, and frees it.
  void drain(EventRing& ring, StreamState& state);

  std::uint64_t bytes() const noexcept { return written_; }
  const std::string& error() const noexcept { return error_; }  // empty: none

 private:
  void note(std::span<const std::uint64_t> words, StreamState& state);
  void write_all(std::initializer_list<std::span<const std::byte>> parts);

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t written_ = 0;
  std::string error_;
  std::unordered_set<std::uint64_t> names_;  // already in the file
  std::vector<std::uint64_t> joined_;        // what lies across the end of a ring
};

}  // namespace smallmind
