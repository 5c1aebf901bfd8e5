// Chrome trace events (the "Trace Event Format", complete events "X"), one thread after the other, each by
// the begin of its events; an event that holds another one comes first and ends no earlier.
//
// The recording knows ends, inner events first. To put them in the order of their begins in bounded memory,
// the longest events, few, are found first and kept; a shorter one waits until the stream's ends are a limit
// past its begin: whatever holds it has come by then, and no earlier begin can follow.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <iterator>
#include <nlohmann/json.hpp>
#include <queue>

#include "base/json.h"
#include "profiler/report/memory_timeline.h"
#include "profiler/report/render.h"

namespace smallmind {
namespace {

constexpr std::uint64_t kMostLong = 65536;

std::string json_string(std::string_view text) {
  return json_text(nlohmann::json(std::string(text)));
}

struct Item {
  std::uint64_t begin, end, order;  // order: of its end among the thread's events
  std::uint32_t site;

  // Later begins last; of equal begins what holds the other first.
  bool operator>(const Item& other) const noexcept {
    if (begin != other.begin) return begin > other.begin;
    return end != other.end ? end < other.end : order < other.order;
  }
};

constexpr const char* kind_name(ZoneKind kind) noexcept {
  constexpr std::array<const char*, kZoneKinds> kNames = {"zone", "op", "pass", "share", "wait", "idle"};
  return kNames[static_cast<std::size_t>(kind)];
}

// What is the same for all events of a site.
std::string constant_part(const ZoneSite& site) {
  const ZoneWork& work = site.work;
  std::string text =
      fmt::format(R"("name":{},"cat":"{}","args":{{)", json_string(site.name), kind_name(work.kind));
  const char* comma = "";
  const auto add = [&](std::string_view key, const std::string& value) {
    text += fmt::format(R"({}"{}":{})", comma, key, value);
    comma = ",";
  };
  if (work.phase != Phase::none) add("phase", fmt::format("\"{}\"", phase_name(work.phase)));
  if (work.layer >= 0) add(work.kind == ZoneKind::pass ? "repeat" : "layer", fmt::format("{}", work.layer));
  if (work.shape[0] != 0)
    add(work.kind == ZoneKind::pass ? "tokens" : "shape",
        work.kind == ZoneKind::pass ? fmt::format("{}", work.shape[0])
                                    : fmt::format("[{},{},{}]", work.shape[0], work.shape[1], work.shape[2]));
  if (work.flops > 0) add("flops", fmt::format("{:.0f}", work.flops));
  if (work.bytes > 0) add("bytes", fmt::format("{:.0f}", work.bytes));
  return text + "}";
}

class TraceWriter {
 public:
  TraceWriter(const Recording& recording, const ReportSink& sink) : recording_(recording), sink_(sink) {
    for (const ZoneSite& site : recording.sites()) constants_.push_back(constant_part(site));
  }

  void write() {
    out_ =
        "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"
        "{\"ph\":\"M\",\"pid\":1,\"tid\":0,\"name\":\"process_name\",\"args\":{\"name\":\"smallmind\"}}";
    for (std::size_t t = 0; t < recording_.threads().size(); ++t) {
      fmt::format_to(
          std::back_inserter(out_),
          ",\n{{\"ph\":\"M\",\"pid\":1,\"tid\":{0},\"name\":\"thread_name\",\"args\":{{\"name\":{1}}}}}"
          ",\n{{\"ph\":\"M\",\"pid\":1,\"tid\":{0},\"name\":\"thread_sort_index\",\"args\":{{\"sort_index\":{"
          "0}}}}}",
          t + 1, json_string(recording_.threads()[t].name));
    }
    for (std::size_t t = 0; t < recording_.threads().size(); ++t) write_thread(t);
    write_memory();
    out_ += "\n]}\n";
    sink_(out_);
  }

 private:
  std::uint64_t nanoseconds(std::uint64_t ticks) const {
    return static_cast<std::uint64_t>(1e9 * recording_.seconds(ticks));
  }

  // The least power of two of ticks that at most kMostLong events reach, and those events by their begin.
  std::vector<Item> long_events(std::size_t thread, std::uint64_t& limit) const {
    std::array<std::uint64_t, 65> widths{};
    for (EventCursor events = recording_.events(thread); const ZoneEvent* e = events.next();)
      ++widths[static_cast<std::size_t>(std::bit_width(e->end - e->begin))];
    std::uint64_t count = 0;
    std::size_t width = widths.size();
    while (width > 0 && count + widths[width - 1] <= kMostLong) count += widths[--width];
    limit = width == 0 ? 0 : std::uint64_t{1} << std::min<std::size_t>(width, 63);
    std::vector<Item> items;
    std::uint64_t order = 0;
    for (EventCursor events = recording_.events(thread); const ZoneEvent* e = events.next(); ++order)
      if (e->end - e->begin >= limit) items.push_back({e->begin, e->end, order, e->site});
    std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return b > a; });
    return items;
  }

  void write_thread(std::size_t thread) {
    std::uint64_t limit = 0;
    const std::vector<Item> longs = long_events(thread, limit);
    auto next_long = longs.begin();
    std::priority_queue<Item, std::vector<Item>, std::greater<>> shorts;
    open_ends_.clear();
    // Everything that begins before `until`.
    const auto flush = [&](std::uint64_t until) {
      while (true) {
        const bool has_long = next_long != longs.end() && next_long->begin < until;
        const bool has_short = !shorts.empty() && shorts.top().begin < until;
        if (!has_long && !has_short) return;
        if (has_short && (!has_long || *next_long > shorts.top())) {
          emit(thread, shorts.top());
          shorts.pop();
        } else {
          emit(thread, *next_long++);
        }
      }
    };
    std::uint64_t order = 0;
    for (EventCursor events = recording_.events(thread); const ZoneEvent* e = events.next(); ++order) {
      if (e->end - e->begin < limit) shorts.push({e->begin, e->end, order, e->site});
      if (e->end > limit) flush(e->end - limit);
    }
    flush(~std::uint64_t{0});
  }

  void emit(std::size_t thread, const Item& item) {
    std::uint64_t end = item.end;
    while (!open_ends_.empty() && open_ends_.back() <= item.begin) open_ends_.pop_back();
    // A worker's interval may be taken over by another pool's; a viewer needs strict nesting.
    if (!open_ends_.empty()) end = std::min(end, open_ends_.back());
    open_ends_.push_back(end);
    const std::uint64_t begin_ns = nanoseconds(item.begin), length_ns = nanoseconds(end) - begin_ns;
    fmt::format_to(std::back_inserter(out_),
                   ",\n{{\"ph\":\"X\",\"pid\":1,\"tid\":{},\"ts\":{}.{:03},\"dur\":{}.{:03},{}}}", thread + 1,
                   begin_ns / 1000, begin_ns % 1000, length_ns / 1000, length_ns % 1000,
                   constants_[item.site]);
    if (out_.size() >= 1 << 16) {
      sink_(out_);
      out_.clear();
    }
  }

  void write_memory() {
    const MemoryReport memory = make_memory_report(recording_, 10'000);
    for (std::size_t i = 0; i < memory.times.size(); ++i) {
      fmt::format_to(std::back_inserter(out_),
                     ",\n{{\"ph\":\"C\",\"pid\":1,\"name\":\"memory\",\"ts\":{:.3f},\"args\":{{",
                     1e6 * memory.times[i]);
      for (std::size_t c = 0; c < memory.categories.size(); ++c)
        fmt::format_to(std::back_inserter(out_), "{}{}:{}", c == 0 ? "" : ",",
                       json_string(memory.categories[c].name), memory.bytes[i][c]);
      out_ += "}}";
    }
  }

  const Recording& recording_;
  const ReportSink& sink_;
  std::vector<std::string> constants_;
  std::vector<std::uint64_t> open_ends_;
  std::string out_;
};

}  // namespace

void write_trace(const Recording& recording, const ReportSink& sink) {
  TraceWriter(recording, sink).write();
}

}  // namespace smallmind
