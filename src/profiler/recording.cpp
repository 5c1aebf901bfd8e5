// The parser and the cursor; see recording.h. The parser walks every event once, so that the cursor, which
// walks them again, need not doubt anything.
#include "profiler/recording.h"

#include <algorithm>
#include <bit>
#include <unordered_map>

#include "base/byte_reader.h"
#include "base/error.h"
#include "profiler/record_format.h"
#include "tensor/mapped_file.h"

namespace smallmind {

using record::Chunk;
using record::Escape;

namespace {

constexpr std::uint64_t kMostTicks = std::uint64_t{1} << 62;  // sums of two cannot overflow
constexpr std::uint32_t kUndefined = ~std::uint32_t{0};
constexpr std::size_t kMostThreads = 1 << 16;

// What an event word says, without its site.
struct Decoded {
  std::uint32_t tag;
  std::size_t extra;  // words that follow
};

Decoded decode(std::uint64_t word) noexcept {
  const auto tag = static_cast<std::uint32_t>(word >> record::kTagShift);
  const std::size_t extra = tag < record::kFirstEscape ? 0 : record::extra_words(static_cast<Escape>(tag));
  return {tag, extra};
}

}  // namespace

struct Recording::Storage {
  MappedFile file;
};

Recording::Recording() = default;
Recording::~Recording() = default;
Recording::Recording(Recording&&) noexcept = default;
Recording& Recording::operator=(Recording&&) noexcept = default;

class RecordingParser {
 public:
  RecordingParser(Recording& recording, std::span<const std::byte> bytes, std::string_view name)
      : out_(recording), in_(bytes, "recording", name) {}

  void parse() {
    if (in_.read_string(6, "magic") != record::kMagic) in_.fail("a recording expected, other bytes found");
    if (const auto version = in_.read<std::uint16_t>("version"); version != record::kVersion)
      in_.fail(fmt::format("a recording of version {} expected, {} found", record::kVersion, version));
    while (!out_.complete_ && in_.remaining() >= sizeof(record::ChunkHeader)) {
      const auto header = in_.read<record::ChunkHeader>("chunk");
      if (header.bytes > in_.remaining()) break;  // cut short
      const auto payload = in_.read_bytes(header.bytes, "chunk");
      in_.skip(std::min<std::size_t>((8 - header.bytes % 8) % 8, in_.remaining()), "padding");
      chunk(header, payload);
    }
    finish();
  }

 private:
  struct State {  // of a thread's stream
    std::uint64_t last_end = 0;
    std::uint64_t first_begin = kMostTicks;
    bool has_life = false;
  };

  void chunk(const record::ChunkHeader& header, std::span<const std::byte> payload) {
    ByteReader in(payload, "recording", "a chunk");
    switch (static_cast<Chunk>(header.type)) {
      case Chunk::string: {
        const auto id = in.read<std::uint64_t>("name");
        names_.emplace(id, in.read_string(in.remaining(), "name"));
        break;
      }
      case Chunk::thread:
        thread(header.thread, in.read_string(in.remaining(), "thread"));
        break;
      case Chunk::events:
        events(header.thread, in);
        break;
      case Chunk::section: {
        const auto length = in.read<std::uint64_t>("section");
        const std::string name(in.read_string(length, "section"));
        out_.sections_[name] = in.read_string(in.remaining(), "section");
        break;
      }
      case Chunk::clock:
        clock(in);
        break;
      case Chunk::memory:
        memory(in);
        break;
      case Chunk::life:
        life(header.thread, in);
        break;
      case Chunk::end:
        out_.complete_ = true;
        break;
    }
  }

  void thread(std::uint32_t number, std::string_view name) {
    if (number != states_.size() || number >= kMostThreads)
      in_.fail(fmt::format("thread {} expected, {} found", states_.size(), number));
    states_.emplace_back();
    out_.threads_.push_back({.name = std::string(name)});
    out_.streams_.emplace_back();
  }

  State& known_thread(std::uint32_t number) {
    if (number >= states_.size())
      in_.fail(fmt::format("one of {} threads expected, {} found", states_.size(), number));
    return states_[number];
  }

  void clock(ByteReader& in) {
    const auto ticks = in.read<std::uint64_t>("clock");
    const auto ns = in.read<std::int64_t>("clock");
    if (clocks_++ == 0) {
      out_.start_ticks_ = out_.end_ticks_ = ticks;
      first_ns_ = ns;
    }
    if (ticks < out_.end_ticks_ || ticks - out_.start_ticks_ >= kMostTicks || ns < first_ns_ || ns < 0 ||
        first_ns_ < 0)
      in_.fail("a clock that goes forward expected, one that goes back found");
    out_.end_ticks_ = ticks;
    last_ns_ = ns;
  }

  std::uint64_t since_start(std::uint64_t ticks) const {
    if (clocks_ == 0 || ticks < out_.start_ticks_ || ticks - out_.start_ticks_ >= kMostTicks)
      in_.fail("a time after the recording's beginning expected, one before it found");
    return ticks - out_.start_ticks_;
  }

  void memory(ByteReader& in) {
    const std::uint64_t ticks = since_start(in.read<std::uint64_t>("memory"));
    const auto category = in.read<std::uint64_t>("memory");
    if (category > 255) in_.fail(fmt::format("a category of memory expected, {} found", category));
    out_.memory_.push_back({ticks, static_cast<int>(category), in.read<std::int64_t>("memory")});
  }

  void life(std::uint32_t number, ByteReader& in) {
    State& state = known_thread(number);
    RecordedThread& thread = out_.threads_[number];
    thread.cpu_seconds = 1e-9 * static_cast<double>(in.read<std::int64_t>("cpu time"));
    in.skip(sizeof(std::uint64_t), "events");  // counted here
    thread.dropped = in.read<std::uint64_t>("dropped");
    if (in.read<std::uint64_t>("alive") == 0) thread.end = state.last_end;
    state.has_life = true;
  }

  void events(std::uint32_t number, ByteReader& in) {
    State& state = known_thread(number);
    if (clocks_ == 0) in_.fail("a clock before the first event expected, none found");
    const auto raw = in.read_bytes(in.remaining() / 8 * 8, "events");
    const std::span words(reinterpret_cast<const std::uint64_t*>(raw.data()), raw.size() / 8);
    Recording::Stream& stream = out_.streams_[number];
    stream.chunks.push_back({state.last_end, words, stream.definitions.size()});
    for (std::size_t i = 0; i < words.size(); ++i) {
      const auto [tag, extra] = decode(words[i]);
      if (extra > words.size() - i - 1) in_.fail("a whole event expected, a part of one found");
      if (tag < record::kSites)
        interval(number, tag, words[i] >> record::kDurationBits & record::kMostDelta,
                 words[i] & record::kMostDuration);
      else if (tag < 2 * record::kSites)
        two_intervals(number, tag - record::kSites, record::TwoIntervals::of(words[i]));
      else
        escape(number, static_cast<Escape>(tag), words.subspan(i, extra + 1));
      i += extra;
    }
  }

  void escape(std::uint32_t number, Escape kind, std::span<const std::uint64_t> words) {
    const std::uint64_t low = words[0] & record::kLowMask;
    switch (kind) {
      case Escape::define:
        define(number, low, words.subspan(1));
        break;
      case Escape::wide:
        interval(number, low, words[1], words[2]);
        break;
      case Escape::taken:
        break;
      case Escape::dropped:
        reported_drops_ += low;
        break;
      default:
        in_.fail(fmt::format("an event expected, the tag {} found", static_cast<std::uint32_t>(kind)));
    }
  }

  void define(std::uint32_t number, std::uint64_t place, std::span<const std::uint64_t> words) {
    const auto name = names_.find(words[0]);
    if (name == names_.end() || place >= record::kSites)
      in_.fail(fmt::format("a known name at one of {} places expected, name {} at {} found", record::kSites,
                           words[0], place));
    const std::uint64_t kind = words[1] & 0xff, phase = words[1] >> 8 & 0xff;
    if (kind >= kZoneKinds || phase >= kPhases)
      in_.fail(fmt::format("a kind and a phase expected, {} and {} found", kind, phase));
    std::string key(reinterpret_cast<const char*>(words.data() + 1), 5 * sizeof(std::uint64_t));
    key += name->second;
    const auto [entry, fresh] = site_index_.emplace(std::move(key), out_.sites_.size());
    if (fresh) {
      const double flops = std::bit_cast<double>(words[3]), bytes = std::bit_cast<double>(words[4]);
      if (!(flops >= 0 && flops < 1e30 && bytes >= 0 && bytes < 1e30))
        in_.fail("amounts of work expected, other numbers found");
      ZoneWork work = ZoneTraits{words[1], words[2]}.work();
      work.flops = flops;
      work.bytes = bytes;
      out_.sites_.push_back({name->second, work, words[5]});
    }
    const auto site = static_cast<std::uint32_t>(entry->second);
    Recording::Stream& stream = out_.streams_[number];
    stream.places.resize(record::kSites, kUndefined);
    stream.definitions.push_back({static_cast<std::uint32_t>(place), site, stream.places[place]});
    stream.places[place] = site;
  }

  void two_intervals(std::uint32_t number, std::uint64_t place, const record::TwoIntervals& two) {
    const auto& places = out_.streams_[number].places;
    const bool share = place < places.size() && places[place] != kUndefined &&
                       out_.sites_[places[place]].work.kind == ZoneKind::share;
    interval(number, 0, two.before + two.wait, two.wait);
    interval(number, place, two.after, share ? two.after : two.sum());
  }

  void interval(std::uint32_t number, std::uint64_t place, std::uint64_t delta, std::uint64_t duration) {
    State& state = states_[number];
    const Recording::Stream& stream = out_.streams_[number];
    if (place >= stream.places.size() || stream.places[place] == kUndefined)
      in_.fail(fmt::format("a site that was defined expected, {} found", place));
    if (delta >= kMostTicks || state.last_end + delta >= kMostTicks)
      in_.fail("an end of an event within the recording expected, a later one found");
    state.last_end += delta;
    const std::uint64_t begin = state.last_end - std::min(duration, state.last_end);
    state.first_begin = std::min(state.first_begin, begin);
    ++out_.threads_[number].events;
    const ZoneSite& site = out_.sites_[stream.places[place]];
    if (site.work.kind == ZoneKind::pass)
      out_.passes_.push_back({site.name, site.work.layer, site.work.phase,
                              static_cast<double>(std::max(site.work.shape[0], 0)), begin, state.last_end,
                              number});
  }

  void finish() {
    if (clocks_ == 0) in_.fail("a clock expected, none found");
    const std::uint64_t clock_ticks = out_.ticks();
    for (const State& state : states_)
      out_.end_ticks_ = std::max(out_.end_ticks_, out_.start_ticks_ + state.last_end);
    if (clock_ticks > 0 && last_ns_ > first_ns_)
      out_.tick_ = 1e-9 * static_cast<double>(last_ns_ - first_ns_) / static_cast<double>(clock_ticks);
    for (std::size_t t = 0; t < states_.size(); ++t) {
      RecordedThread& thread = out_.threads_[t];
      thread.begin = t == 0 ? 0 : std::min(states_[t].first_begin, out_.ticks());
      if (thread.end == 0) thread.end = out_.ticks();
      thread.begin = std::min(thread.begin, thread.end);
    }
    std::stable_sort(out_.passes_.begin(), out_.passes_.end(),
                     [](const auto& a, const auto& b) { return a.begin < b.begin; });
  }

  Recording& out_;
  ByteReader in_;
  std::vector<State> states_;
  std::unordered_map<std::uint64_t, std::string> names_;
  std::unordered_map<std::string, std::size_t> site_index_;
  std::uint64_t clocks_ = 0, reported_drops_ = 0;
  std::int64_t first_ns_ = 0, last_ns_ = 0;
};

Recording Recording::parse(std::span<const std::byte> bytes, std::string_view name) {
  SM_CHECK(reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 == 0,
           "[recording] bytes aligned to 8 expected");
  Recording recording;
  RecordingParser(recording, bytes, name).parse();
  return recording;
}

Recording Recording::open(const std::filesystem::path& path) {
  auto storage = std::make_unique<Storage>(Storage{MappedFile(path, Access::sequential)});
  Recording recording = parse(storage->file.bytes(), path.string());
  recording.storage_ = std::move(storage);
  return recording;
}

std::uint64_t Recording::event_count() const noexcept {
  std::uint64_t count = 0;
  for (const RecordedThread& thread : threads_) count += thread.events;
  return count;
}

std::uint64_t Recording::dropped() const noexcept {
  std::uint64_t count = 0;
  for (const RecordedThread& thread : threads_) count += thread.dropped;
  return count;
}

EventCursor::EventCursor(const Recording& recording, std::size_t thread, EventOrder order)
    : recording_(&recording), thread_(thread), order_(order) {
  SM_CHECK(thread < recording.streams_.size(), "[recording] one of {} threads expected, {} asked for",
           recording.streams_.size(), thread);
  const Recording::Stream& stream = recording.streams_[thread];
  chunks_left_ = stream.chunks.size();
  places_ = stream.places;
  if (order == EventOrder::inner_first) std::fill(places_.begin(), places_.end(), kUndefined);
}

const ZoneEvent* EventCursor::next() {
  while (next_ == block_.size())
    if (!next_chunk()) return nullptr;
  return &block_[next_++];
}

bool EventCursor::next_chunk() {
  if (chunks_left_ == 0) return false;
  const Recording::Stream& stream = recording_->streams_[thread_];
  if (order_ == EventOrder::inner_first) {
    decode(stream.chunks.size() - chunks_left_--);
    return true;
  }
  const std::size_t chunk = --chunks_left_;
  const std::size_t first = stream.chunks[chunk].first_definition;
  const std::size_t last = chunk + 1 < stream.chunks.size() ? stream.chunks[chunk + 1].first_definition
                                                            : stream.definitions.size();
  const auto undo = [&] {
    for (std::size_t i = last; i > first; --i)
      places_[stream.definitions[i - 1].place] = stream.definitions[i - 1].former;
  };
  undo();
  decode(chunk);
  undo();
  std::reverse(block_.begin(), block_.end());
  return true;
}

void EventCursor::decode(std::size_t chunk) {
  const Recording::Stream& stream = recording_->streams_[thread_];
  const auto& [base, words, first_definition] = stream.chunks[chunk];
  std::size_t definition = first_definition;
  std::uint64_t last_end = base;
  block_.clear();
  next_ = 0;
  ZoneEvent event;
  const auto add = [&](std::uint64_t place, std::uint64_t delta, std::uint64_t duration) {
    last_end += delta;
    event.site = places_[place];
    event.end = last_end;
    event.begin = last_end - std::min(duration, last_end);
    block_.push_back(event);
    event = {};
  };
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto [tag, extra] = smallmind::decode(words[i]);
    std::uint64_t delta = words[i] >> record::kDurationBits & record::kMostDelta;
    std::uint64_t duration = words[i] & record::kMostDuration, place = tag;
    if (tag >= record::kSites && tag < 2 * record::kSites) {
      const record::TwoIntervals two = record::TwoIntervals::of(words[i]);
      place -= record::kSites;
      const bool share = recording_->sites_[places_[place]].work.kind == ZoneKind::share;
      add(0, two.before + two.wait, two.wait);
      add(place, two.after, share ? two.after : two.sum());
      continue;
    }
    if (tag >= record::kFirstEscape) {
      const auto escape = static_cast<Escape>(tag);
      if (escape == Escape::define) {
        places_[stream.definitions[definition].place] = stream.definitions[definition].site;
        ++definition;
      } else if (escape == Escape::taken) {
        event.heap_allocations = words[i] & record::kLowMask;
        event.heap_bytes = words[i + 1];
      } else if (escape == Escape::wide) {
        place = words[i] & record::kLowMask;
        delta = words[i + 1];
        duration = words[i + 2];
      }
      i += extra;
      if (escape != Escape::wide) continue;
    }
    add(place, delta, duration);
  }
}

}  // namespace smallmind
