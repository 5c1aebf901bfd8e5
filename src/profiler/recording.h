// A recording file in memory: what record_format.h describes, checked and made easy to walk.
//
//   const Recording recording = Recording::open("run.smprof");
//   for (std::size_t t = 0; t < recording.threads().size(); ++t)
//     for (EventCursor events = recording.events(t); const ZoneEvent* e = events.next();)
//       use(recording.sites()[e->site], recording.seconds(e->end - e->begin));
//
// The file is mapped and events are decoded on the way, so that a recording may be larger than memory. It is
// hostile input: everything is checked once, when it is opened. A file that was cut short is taken as far as
// it goes (complete() tells).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/zone.h"

namespace smallmind {

// What stands behind an event.
struct ZoneSite {
  std::string name;
  ZoneWork work;                  // kind, phase, layer, shape, flops, bytes
  std::uint64_t arena_bytes = 0;  // taken from arenas inside, inner zones included
};

// One interval of a thread. Times are ticks since the recording began.
struct ZoneEvent {
  std::uint32_t site = 0;  // of Recording::sites()
  std::uint64_t begin = 0, end = 0;
  std::uint64_t heap_allocations = 0, heap_bytes = 0;  // inside, inner zones included
};

struct RecordedThread {
  std::string name;
  std::uint64_t begin = 0, end = 0;  // ticks: when it was there. The first thread is that of the recorder.
  std::uint64_t events = 0, dropped = 0;
  double cpu_seconds = 0;  // by the system's clock of the thread; 0 in a file that was cut short
};

// One repeat of a measured piece of work (ZoneKind::pass).
struct RecordedPass {
  std::string name;
  int repeat = 0;  // 0: cold
  Phase phase = Phase::none;
  double tokens = 0;                 // what it handled; 0: nothing countable
  std::uint64_t begin = 0, end = 0;  // ticks
  std::size_t thread = 0;
};

struct MemorySample {
  std::uint64_t ticks = 0;
  int category = 0;  // MemoryCategory
  std::int64_t bytes = 0;
};

class Recording;

// inner_first: in the order of their ends, as they were recorded; inner intervals come before those that hold
// them. outer_first: from the last end to the first; what holds an interval comes before it, so a stack of
// those that still hold the present one is all the state that a walk over the hierarchy needs.
enum class EventOrder : std::uint8_t { inner_first, outer_first };

// Decodes one thread's events, a chunk at a time.
class EventCursor {
 public:
  const ZoneEvent* next();  // null at the end; valid until the next call

 private:
  friend class Recording;
  EventCursor(const Recording& recording, std::size_t thread, EventOrder order);
  bool next_chunk();
  void decode(std::size_t chunk);

  const Recording* recording_;
  std::size_t thread_;
  EventOrder order_;
  std::size_t chunks_left_;
  std::vector<std::uint32_t> places_;  // the site at each place of the thread's table, before the next chunk
  std::vector<ZoneEvent> block_;       // the present chunk's events, in the order wanted
  std::size_t next_ = 0;
};

// Immutable; may be read by several threads.
class Recording {
 public:
  // Throws Error{bad_input} with the file's name and the byte offset.
  static Recording open(const std::filesystem::path& path);
  // bytes: aligned to 8, and outlive the object. name: for errors.
  static Recording parse(std::span<const std::byte> bytes, std::string_view name);

  ~Recording();
  Recording(Recording&&) noexcept;
  Recording& operator=(Recording&&) noexcept;

  bool complete() const noexcept { return complete_; }  // it was ended by stop(), not by a crash
  const std::vector<ZoneSite>& sites() const noexcept { return sites_; }
  const std::vector<RecordedThread>& threads() const noexcept { return threads_; }
  EventCursor events(std::size_t thread, EventOrder order = EventOrder::inner_first) const {
    return EventCursor(*this, thread, order);
  }
  // In the order of their beginning.
  const std::vector<RecordedPass>& passes() const noexcept { return passes_; }
  const std::vector<MemorySample>& memory() const noexcept { return memory_; }
  // JSON texts by name; not parsed yet, and as little trusted as the rest of the file.
  const std::map<std::string, std::string>& sections() const noexcept { return sections_; }

  std::uint64_t ticks() const noexcept { return end_ticks_ - start_ticks_; }  // from begin to end
  double seconds(std::uint64_t ticks) const noexcept { return static_cast<double>(ticks) * tick_; }
  double wall_seconds() const noexcept { return seconds(ticks()); }
  std::uint64_t event_count() const noexcept;
  std::uint64_t dropped() const noexcept;

 private:
  friend class EventCursor;
  friend class RecordingParser;
  struct EventChunk {
    std::uint64_t base;  // ticks since the beginning
    std::span<const std::uint64_t> words;
    std::size_t first_definition;
  };
  // A site at a place of the thread's table, and the one that it took the place of.
  struct Definition {
    std::uint32_t place, site, former;
  };
  struct Stream {
    std::vector<EventChunk> chunks;
    std::vector<Definition> definitions;
    std::vector<std::uint32_t> places;  // at the end
  };
  Recording();

  struct Storage;  // the mapped file
  std::unique_ptr<Storage> storage_;
  bool complete_ = false;
  std::uint64_t start_ticks_ = 0, end_ticks_ = 0;
  double tick_ = 1e-9;  // seconds
  std::vector<ZoneSite> sites_;
  std::vector<RecordedThread> threads_;
  std::vector<Stream> streams_;
  std::vector<RecordedPass> passes_;
  std::vector<MemorySample> memory_;
  std::map<std::string, std::string> sections_;
};

}  // namespace smallmind
