// Recordings with known numbers: intervals at given nanoseconds, written by the recorder's own parts, one
// tick being one nanosecond.
#pragma once

#include <deque>
#include <filesystem>
#include <string_view>

#include "profiler/event_ring.h"
#include "profiler/record_writer.h"

namespace smallmind {

class SyntheticRecording {
 public:
  explicit SyntheticRecording(const std::filesystem::path& path) : writer_(path) { clock(0); }

  std::size_t thread(std::string_view name) {
    const auto number = static_cast<std::uint32_t>(threads_.size());
    Thread& thread = threads_.emplace_back();
    thread.ring = std::make_unique<EventRing>(std::size_t{1} << 16, kStart);
    thread.stream.thread = number;
    writer_.chunk(record::Chunk::thread, number, name);
    return number;
  }

  // In the order of the ends on each thread; name: a literal.
  void zone(std::size_t thread, const char* name, const ZoneWork& work, std::uint64_t begin,
            std::uint64_t end, const ThreadCounters& taken = {}) {
    Thread& mine = threads_[thread];
    KnownSite& site = mine.sites->find(name, ZoneTraits::of(work), static_cast<std::int64_t>(work.flops),
                                       static_cast<std::int64_t>(work.bytes));
    mine.ring->push(sink_memory(), site, kStart + begin, kStart + end, thread_counters - taken);
    if (mine.ring->peek().size() < 4096) return;
    writer_.drain(*mine.ring, mine.stream);
    writer_.flush();
  }

  void memory(std::uint64_t at, int category, std::int64_t bytes) {
    writer_.words(record::Chunk::memory, 0, kStart + at, category, bytes);
  }

  void section(std::string_view name, std::string_view json) { writer_.section(name, json); }

  // cut: without what ends a recording in order.
  void finish(std::uint64_t end, bool cut = false, std::uint64_t dropped = 0) {
    for (Thread& thread : threads_) writer_.drain(*thread.ring, thread.stream);
    clock(end);
    writer_.flush();
    if (cut) return;
    for (const Thread& thread : threads_)
      writer_.words(record::Chunk::life, thread.stream.thread, end, thread.ring->events(), dropped, 1);
    writer_.chunk(record::Chunk::end, 0, "");
    writer_.flush();
  }

 private:
  static constexpr std::uint64_t kStart = 1'000'000;
  struct Thread {
    std::unique_ptr<EventRing> ring;
    std::unique_ptr<SiteTable> sites = std::make_unique<SiteTable>();
    StreamState stream;
  };

  void clock(std::uint64_t at) { writer_.words(record::Chunk::clock, 0, kStart + at, 5'000 + at); }

  RecordWriter writer_;
  std::deque<Thread> threads_;
};

}  // namespace smallmind
