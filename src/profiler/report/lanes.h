// Time lines of the threads, small enough for a page: long intervals as they are, the many short ones of a
// stretch of time as one block with the share of it that they cover.
//
// The whole recording is one view; the cold and a warm pass of each measured work are views of their own, in
// which single ops can be seen.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "profiler/recording.h"

namespace smallmind {

struct LaneSpan {
  std::uint64_t begin = 0, end = 0;  // ticks since the recording began
  std::uint32_t site = 0;            // of a block: the site that took most of it
  std::uint16_t thread = 0, depth = 0;
  float cover = 1;          // share of the span that intervals cover; 1 for an interval
  std::uint32_t count = 1;  // intervals
};

struct LaneView {
  std::string title;
  std::uint64_t begin = 0, end = 0;  // ticks
  std::vector<LaneSpan> spans;       // by thread, depth and begin
};

// What a span is, for those who draw it.
struct LaneLabel {
  std::string name, detail;  // "linear"; "op, decode, layer 3, 1x768x768, 1.2 MFLOP, 2.4 MB"
  ZoneKind kind = ZoneKind::zone;
};

// Gives the sites of all spans numbers from 0 on, in the order of their first use, and their labels.
std::vector<LaneLabel> number_labels(const Recording& recording, std::vector<LaneView>& views);

// Views of at most about `budget` spans, the first a third of it. Two walks over the recording.
std::vector<LaneView> make_lane_views(const Recording& recording, std::size_t budget = 100'000);

}  // namespace smallmind
