// Writes the chunks of a recording (record_format.h) with writev(2). Chunks are collected and written
// together by flush(), the events straight from the rings, because a call costs more than its bytes: 15 to 50
// us where the copying of 64 KiB takes 20. A failed write (a full disk) ends the writing, not the work:
// error() says why.
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
  std::size_t names = 0;  // how many of the ring's are in the file
};

// Thread safety: one thread at a time.
class RecordWriter {
 public:
  // Replaces a file of that name. Throws Error (bad_input) with the path and the system's reason.
  explicit RecordWriter(const std::filesystem::path& path);
  ~RecordWriter();
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;

  // What these collect is in the file after flush().
  void chunk(record::Chunk type, std::uint32_t thread, std::string_view payload);
  template <typename... Words>
  void words(record::Chunk type, std::uint32_t thread, Words... values) {
    const std::uint64_t list[] = {static_cast<std::uint64_t>(values)...};
    chunk(type, thread, {reinterpret_cast<const char*>(list), sizeof(list)});
  }
  void section(std::string_view name, std::string_view json);
  // What the ring holds, with the names that are new. flush() frees it: until then no second time. The ring
  // must live until then.
  void drain(EventRing& ring, StreamState& state);
  void flush();
  bool empty() const noexcept { return pieces_.empty(); }  // nothing collected

  std::uint64_t bytes() const noexcept { return written_; }
  const std::string& error() const noexcept { return error_; }  // empty: none

 private:
  // Bytes in a ring, or, without a pointer, the next ones of small_.
  struct Piece {
    const void* at;
    std::size_t bytes;
  };
  struct Drained {
    EventRing* ring;
    std::size_t words;
  };

  void small(std::span<const std::byte> bytes);

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t written_ = 0;
  std::string error_;
  std::unordered_set<std::uint64_t> names_;  // already in the file
  std::vector<std::byte> small_;
  std::vector<Piece> pieces_;
  std::vector<Drained> drained_;
};

}  // namespace smallmind
