// How far an op is from what the machine can do, and which roof binds it.
//
//   least = sum over calls of max(FLOPs / peak, bytes / bandwidth(footprint));  share = least / measured
//
// The footprint decides the level: what its thread touched between two executions of the op on the same
// layer, itself included, must fit into a cache for the op to find its operands there. It is the sum of the
// bytes that different ops declare (a stack distance), so data that two ops share count twice; nine of ten
// executions found no more than it. An op that ran once reads from memory. The bandwidth is that of the
// stream with the op's mix of reads and writes, for the threads that worked on it.
#pragma once

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
  std::int64_t footprint = -1;  // bytes; -1: never executed twice, or nothing declared
  double least = 0;             // seconds that the calls need at the least
};

const char* stream_name(Stream stream) noexcept;  // "read", "copy", "update", "add"

// The mix of reads and writes of an op, by its name and direction.
Stream stream_of(std::string_view op, Phase phase) noexcept;

// Calls of each site in each part of a recording, and the sites' footprints.
class RoofModel {
 public:
  // In one walk over the callers' intervals.
  explicit RoofModel(const Recording& recording);

  // Bytes; -1 where not known.
  std::int64_t footprint(std::size_t site) const noexcept { return footprints_[site]; }
  std::int64_t calls(std::size_t site, OpTableOptions::Passes part) const noexcept;

  // For a row of make_op_table() with these options. threads: of the pool.
  RoofUse use(const OpRow& row, const OpTableOptions& options, const Roofline& roofline, int threads) const;

 private:
  struct SiteCalls {
    std::int64_t cold = 0, warm = 0, other = 0;
  };

  const Recording* recording_;
  std::vector<SiteCalls> calls_;
  std::vector<std::int64_t> footprints_;
  std::map<std::pair<std::string_view, Phase>, std::vector<std::size_t>> sites_of_;
};

// The roofline as the recording's section "roofline", and back. parse throws Error{bad_input}.
std::string roofline_section(const Roofline& roofline);
Roofline parse_roofline_section(std::string_view text, std::string_view file);

}  // namespace smallmind
