// How far an op is from what the machine can do, and which roof binds it.
//
//   least = sum over calls of max(FLOPs / peak, bytes / bandwidth(footprint));  share = least / measured
//
// The footprint decides the level, for each call: what its thread touched since the op's last execution on
// the same layer, itself included, must fit into a cache for the op to find its operands there. It is the sum
// of the bytes that different ops declare (a stack distance), so data that two ops share count twice. An op
// that never ran before reads from memory. The bandwidth is that of the stream with the op's mix of reads and
// writes, for the threads that worked on it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "machine/roofline.h"
#include "profiler/op_table.h"
#include "profiler/recording.h"

namespace smallmind {

enum class RoofBound : std::uint8_t { unknown, compute, l2, l3, memory };

const char* bound_name(RoofBound bound) noexcept;  // "compute", "L2", "L3", "memory"; "" for unknown

struct RoofUse {
  double share = -1;  // of the roof; below 0: not known
  RoofBound bound = RoofBound::unknown;
  Stream stream = Stream::read;
  int threads = 1;
  std::int64_t footprint = -1;  // bytes, median; -1: never executed twice, or nothing declared
  double least = 0;             // seconds that the calls need at the least
};

const char* stream_name(Stream stream) noexcept;  // "read", "copy", "update", "add"

// The mix of reads and writes of an op, by its name and direction.
Stream stream_of(std::string_view op, Phase phase) noexcept;

// Calls of each site in each part of a recording, by the level that its operands came from.
class RoofModel {
 public:
  // In one walk over the callers' intervals; `roofline` outlives the object.
  RoofModel(const Recording& recording, const Roofline& roofline);

  // For a row of make_op_table() with these options. threads: of the pool.
  RoofUse use(const OpRow& row, const OpTableOptions& options, int threads) const;

 private:
  // [cold, warm, other][1 thread, all threads][level]
  using Calls = std::array<std::array<std::array<std::int64_t, 3>, 2>, 3>;
  void count(const Recording& recording, const std::vector<std::size_t>& key_of_site, std::size_t keys);
  std::int64_t calls(std::size_t site, OpTableOptions::Passes part, bool all_threads,
                     std::size_t level) const noexcept;

  // GB/s of one or of all threads.
  double level_bandwidth(MemoryLevel level, Stream stream, int threads) const;

  const Recording* recording_;
  const Roofline* roofline_;
  std::vector<Calls> calls_;
  std::vector<std::int64_t> footprints_;
  std::map<std::pair<std::string_view, Phase>, std::vector<std::size_t>> sites_of_;
};

// The roofline as the recording's section "roofline", and back. parse throws Error{bad_input}.
std::string roofline_section(const Roofline& roofline);
Roofline parse_roofline_section(std::string_view text, std::string_view file);

}  // namespace smallmind
