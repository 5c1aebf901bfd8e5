// See lanes.h. A view with more intervals than its budget keeps those that last at least its limit, which is
// the smallest power of two of ticks with which they fit, and gathers the rest in blocks of that length.
#include "profiler/report/lanes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <tuple>

namespace smallmind {
namespace {

constexpr std::size_t kMostDepth = 24;
constexpr std::size_t kMostPassViews = 8;

// A view in the making.
struct Drawing {
  LaneView view;
  std::size_t budget = 0;
  std::array<std::uint64_t, 65> durations{};  // intervals by the width of their length in bits
  std::uint64_t limit = 0;                    // ticks
  struct Block {
    LaneSpan span;
    std::uint64_t covered = 0, longest = 0;
  };
  std::map<std::pair<std::size_t, std::size_t>, Block> open;  // by thread and depth

  bool holds(const ZoneEvent& event) const { return event.end > view.begin && event.begin < view.end; }

  void choose_limit(std::size_t threads) {
    std::uint64_t kept = 0;
    for (const std::uint64_t count : durations) kept += count;
    if (kept <= budget) return;
    for (std::size_t width = 0; width < 62; ++width) {
      kept -= durations[width];
      limit = std::uint64_t{1} << width;
      const std::uint64_t blocks = (view.end - view.begin) / limit * threads * 2;  // two levels of short ones
      if (kept + blocks <= budget) return;
    }
  }

  void draw(const ZoneEvent& event, std::size_t thread, std::size_t depth) {
    const std::uint64_t begin = std::max(event.begin, view.begin), end = std::min(event.end, view.end);
    const LaneSpan span{begin, end, event.site, static_cast<std::uint16_t>(thread),
                        static_cast<std::uint16_t>(depth)};
    if (event.end - event.begin >= limit) {
      view.spans.push_back(span);
      return;
    }
    // Intervals of a depth come from the last to the first.
    Block& block = open[{thread, depth}];
    if (block.span.end != 0 && begin / limit != block.span.begin / limit) close(block);
    if (block.span.end == 0) {
      block.span = span;
      block.span.count = 0;
    }
    block.span.begin = begin;
    block.covered += end - begin;
    ++block.span.count;
    if (end - begin >= block.longest) {
      block.longest = end - begin;
      block.span.site = event.site;
    }
  }

  void close(Block& block) {
    const std::uint64_t length = block.span.end - block.span.begin;
    if (block.span.count > 1 && length > 0)
      block.span.cover = static_cast<float>(static_cast<double>(block.covered) / static_cast<double>(length));
    view.spans.push_back(block.span);
    block = {};
  }

  LaneView finish() {
    for (auto& [place, block] : open)
      if (block.span.end != 0) close(block);
    std::sort(view.spans.begin(), view.spans.end(), [](const LaneSpan& a, const LaneSpan& b) {
      return std::tie(a.thread, a.depth, a.begin) < std::tie(b.thread, b.depth, b.begin);
    });
    return std::move(view);
  }
};

// f(event, depth) for every interval of a thread, from the last end to the first.
template <typename F>
void walk(const Recording& recording, std::size_t thread, F&& f) {
  std::vector<std::uint64_t> open;  // begins of what holds the present interval
  EventCursor events = recording.events(thread, EventOrder::outer_first);
  while (const ZoneEvent* event = events.next()) {
    while (!open.empty() && event->begin < open.back()) open.pop_back();
    if (open.size() < kMostDepth) {
      f(*event, open.size());
      open.push_back(event->begin);
    }
  }
}

// The cold pass and one in the middle of the warm ones for each name.
std::vector<LaneView> pass_views(const Recording& recording) {
  std::map<std::string, std::vector<const RecordedPass*>> by_name;
  std::vector<std::string> names;
  for (const RecordedPass& pass : recording.passes()) {
    if (pass.begin >= pass.end) continue;
    if (by_name[pass.name].empty()) names.push_back(pass.name);
    by_name[pass.name].push_back(&pass);
  }
  std::vector<LaneView> views;
  const auto add = [&](const RecordedPass& pass) {
    views.push_back(
        {pass.repeat == 0 ? pass.name + ", cold" : fmt::format("{}, repeat {}", pass.name, pass.repeat),
         pass.begin,
         pass.end,
         {}});
  };
  for (const std::string& name : names) {
    const std::vector<const RecordedPass*>& passes = by_name[name];
    if (views.size() + 2 > kMostPassViews) break;
    add(*passes.front());
    if (passes.size() > 1) add(*passes[1 + (passes.size() - 1) / 2]);
  }
  return views;
}

std::string detail_of(const ZoneSite& site) {
  const ZoneWork& work = site.work;
  constexpr std::array<const char*, kZoneKinds> kKinds = {"zone",           "op",   "pass",
                                                          "worker's share", "wait", "idle"};
  std::string text = kKinds[static_cast<std::size_t>(work.kind)];
  if (work.phase != Phase::none) text += std::string(", ") + phase_name(work.phase);
  if (work.kind == ZoneKind::pass)
    return text + fmt::format(", repeat {}, {} tokens", work.layer, work.shape[0]);
  if (work.layer >= 0) text += fmt::format(", layer {}", work.layer);
  if (work.shape[1] != 0)
    text += fmt::format(", {}x{}x{}", work.shape[0], work.shape[1], work.shape[2]);
  else if (work.shape[0] != 0)
    text += fmt::format(", {} elements", work.shape[0]);
  if (work.flops > 0) text += fmt::format(", {:.4g} MFLOP", 1e-6 * work.flops);
  if (work.bytes > 0) text += fmt::format(", {:.4g} MB", 1e-6 * work.bytes);
  return text;
}

}  // namespace

std::vector<LaneLabel> number_labels(const Recording& recording, std::vector<LaneView>& views) {
  std::map<std::uint32_t, std::uint32_t> numbers;
  std::vector<LaneLabel> labels;
  for (LaneView& view : views)
    for (LaneSpan& span : view.spans) {
      const auto [entry, fresh] = numbers.emplace(span.site, static_cast<std::uint32_t>(labels.size()));
      if (fresh) {
        const ZoneSite& site = recording.sites()[span.site];
        labels.push_back({site.name, detail_of(site), site.work.kind});
      }
      span.site = entry->second;
    }
  return labels;
}

std::vector<LaneView> make_lane_views(const Recording& recording, std::size_t budget) {
  std::vector<LaneView> views = pass_views(recording);
  views.insert(views.begin(), {"whole recording", 0, recording.ticks(), {}});
  std::vector<Drawing> drawings(views.size());
  for (std::size_t i = 0; i < views.size(); ++i) {
    drawings[i].view = std::move(views[i]);
    drawings[i].budget = i == 0 ? budget / 3 : budget * 2 / 3 / (views.size() - 1);
  }
  const std::size_t threads = recording.threads().size();
  const auto for_drawings = [&](auto&& f) {
    for (std::size_t t = 0; t < threads; ++t)
      walk(recording, t, [&](const ZoneEvent& event, std::size_t depth) {
        for (Drawing& drawing : drawings)
          if (drawing.holds(event)) f(drawing, event, t, depth);
      });
  };
  for_drawings([](Drawing& drawing, const ZoneEvent& event, std::size_t, std::size_t) {
    ++drawing.durations[static_cast<std::size_t>(std::bit_width(event.end - event.begin))];
  });
  for (Drawing& drawing : drawings) drawing.choose_limit(threads);
  for_drawings([](Drawing& drawing, const ZoneEvent& event, std::size_t t, std::size_t depth) {
    drawing.draw(event, t, depth);
  });
  std::vector<LaneView> finished;
  for (Drawing& drawing : drawings) finished.push_back(drawing.finish());
  return finished;
}

}  // namespace smallmind
