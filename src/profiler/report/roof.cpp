// See roof.h.
#include "profiler/report/roof.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>

#include "base/error.h"
#include "base/json.h"
#include "profiler/duration_histogram.h"

namespace smallmind {
namespace {

using Passes = OpTableOptions::Passes;

// An op on one layer. Weights are told apart by their shape (n, k); the rows that come, the phase of a
// forward pass and the keys that attention has seen change from call to call, while the data stay nearly the
// same.
using ReuseKey = std::tuple<std::string_view, ZoneKind, Phase, int, std::int32_t, std::int32_t>;

ReuseKey reuse_key(const ZoneSite& site) {
  const ZoneWork& work = site.work;
  const bool forward = work.phase == Phase::prefill || work.phase == Phase::decode;
  return {site.name,
          work.kind,
          forward ? Phase::forward : work.phase,
          work.layer,
          site.name == "attention" ? 0 : work.shape[1],
          work.shape[2]};
}

// Bytes of different keys touched since a key was touched the last time, itself included (Olken's stack
// distance): a Fenwick tree over the moments of the keys' last touches, renumbered when it is full.
class StackDistance {
 public:
  explicit StackDistance(std::size_t keys) : moment_(keys, 0), bytes_(keys, 0), tree_(2 * keys + 1024, 0) {}

  // -1 for the first touch.
  double touch(std::size_t key, double bytes) {
    if (now_ + 1 == tree_.size()) renumber();
    double distance = -1;
    if (moment_[key] != 0) {
      distance = sum(now_) - sum(moment_[key]) + bytes;
      add(moment_[key], -bytes_[key]);
    }
    moment_[key] = ++now_;
    bytes_[key] = bytes;
    add(now_, bytes);
    return distance;
  }

 private:
  void add(std::size_t at, double bytes) {
    for (; at < tree_.size(); at += at & (~at + 1)) tree_[at] += bytes;
  }
  double sum(std::size_t to) const {
    double total = 0;
    for (; to > 0; to -= to & (~to + 1)) total += tree_[to];
    return total;
  }
  void renumber() {
    std::vector<std::size_t> order;
    for (std::size_t key = 0; key < moment_.size(); ++key)
      if (moment_[key] != 0) order.push_back(key);
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return moment_[a] < moment_[b]; });
    std::fill(tree_.begin(), tree_.end(), 0.0);
    now_ = 0;
    for (const std::size_t key : order) {
      moment_[key] = ++now_;
      add(now_, bytes_[key]);
    }
  }

  std::vector<std::size_t> moment_;  // of each key's last touch; 0: none
  std::vector<double> bytes_;
  std::vector<double> tree_;
  std::size_t now_ = 0;
};

// Several weights of a layer may have one shape (keys and values): the first, second... execution within one
// visit of a layer are different data.
constexpr std::size_t kTwins = 8;

class LayerVisit {
 public:
  explicit LayerVisit(std::size_t keys) : visit_(keys, 0), seen_(keys, 0) {}

  // For each interval, at its end: another layer, or a zone around all layers, ends a visit.
  void enter(int layer) {
    if (layer == layer_) return;
    layer_ = layer;
    ++now_;
  }

  std::size_t twin(std::size_t key) {
    if (layer_ < 0) return 0;
    if (visit_[key] != now_) {
      visit_[key] = now_;
      seen_[key] = 0;
    }
    return std::min(seen_[key]++, kTwins - 1);
  }

 private:
  std::vector<std::uint64_t> visit_;
  std::vector<std::size_t> seen_;
  std::uint64_t now_ = 0;
  int layer_ = -1;
};

bool is_work(ZoneKind kind) noexcept {
  return kind == ZoneKind::op || kind == ZoneKind::zone;
}

// Which pass an interval lies in: -1 none, else its repeat.
class PassFinder {
 public:
  explicit PassFinder(const Recording& recording) {
    for (const RecordedPass& pass : recording.passes())
      if (pass.begin < pass.end && (passes_.empty() || pass.begin >= passes_.back().end))
        passes_.push_back(pass);
  }
  int repeat_of(const ZoneEvent& event) const {
    const auto pass = std::lower_bound(passes_.begin(), passes_.end(), event.begin,
                                       [](const RecordedPass& p, std::uint64_t at) { return p.end <= at; });
    return pass != passes_.end() && pass->begin <= event.begin && event.end <= pass->end ? pass->repeat : -1;
  }

 private:
  std::vector<RecordedPass> passes_;
};

double bandwidth_of(const BandwidthRoof& roof, Stream stream) noexcept {
  switch (stream) {
    case Stream::read:
      return roof.read;
    case Stream::copy:
      return roof.copy;
    case Stream::update:
      return roof.update;
    case Stream::add:
      return roof.add;
  }
  return roof.read;
}

RoofBound bound_of(MemoryLevel level) noexcept {
  switch (level) {
    case MemoryLevel::l2:
      return RoofBound::l2;
    case MemoryLevel::l3:
      return RoofBound::l3;
    case MemoryLevel::memory:
      break;
  }
  return RoofBound::memory;
}

}  // namespace

const char* bound_name(RoofBound bound) noexcept {
  constexpr std::array<const char*, 5> kNames = {"", "compute", "L2", "L3", "memory"};
  return kNames[static_cast<std::size_t>(bound)];
}

const char* stream_name(Stream stream) noexcept {
  constexpr std::array<const char*, 4> kNames = {"read", "copy", "update", "add"};
  return kNames[static_cast<std::size_t>(stream)];
}

Stream stream_of(std::string_view op, Phase phase) noexcept {
  constexpr std::array<std::string_view, 3> kTwoReads = {"add", "swiglu", "linear_add"};
  constexpr std::array<std::string_view, 7> kOneRead = {"gelu",    "layer_norm", "rms_norm", "rope",
                                                        "dropout", "embedding",  "softmax"};
  constexpr std::array<std::string_view, 2> kInPlace = {"adamw", "zero_gradients"};
  const auto in = [&](const auto& list) { return std::find(list.begin(), list.end(), op) != list.end(); };
  if (in(kInPlace)) return Stream::update;
  if (op != "linear_add" && in(kTwoReads)) return Stream::add;
  if (in(kOneRead)) return phase == Phase::backward ? Stream::add : Stream::copy;
  return Stream::read;
}

RoofModel::RoofModel(const Recording& recording, const Roofline& roofline)
    : recording_(&recording),
      roofline_(&roofline),
      calls_(recording.sites().size(), Calls{}),
      footprints_(recording.sites().size(), -1) {
  std::map<ReuseKey, std::size_t> keys;
  std::vector<std::size_t> key_of_site;
  for (std::size_t i = 0; i < recording.sites().size(); ++i) {
    const ZoneSite& site = recording.sites()[i];
    key_of_site.push_back(keys.emplace(reuse_key(site), keys.size()).first->second);
    if (is_work(site.work.kind)) sites_of_[{site.name, site.work.phase}].push_back(i);
  }
  count(recording, key_of_site, keys.size());
}

void RoofModel::count(const Recording& recording, const std::vector<std::size_t>& key_of_site,
                      std::size_t keys) {
  const PassFinder passes(recording);
  std::vector<DurationHistogram> distances(keys);
  for (std::size_t t = 0; t < recording.threads().size(); ++t) {
    StackDistance stack(keys * kTwins);
    LayerVisit visit(keys);
    std::optional<std::uint64_t> last_begin;  // of the last interval that touched something
    EventCursor events = recording.events(t);
    while (const ZoneEvent* event = events.next()) {
      const ZoneSite& site = recording.sites()[event->site];
      if (!is_work(site.work.kind)) continue;
      const std::size_t key = key_of_site[event->site];
      visit.enter(site.work.layer);
      double distance = -1;
      // A zone that declares the sum of what is inside it touches nothing more.
      if (site.work.bytes > 0 && !(last_begin && *last_begin >= event->begin)) {
        last_begin = event->begin;
        distance = stack.touch(key * kTwins + visit.twin(key), site.work.bytes);
        if (distance >= 0) distances[key].add(static_cast<std::uint64_t>(std::min(distance, 1e18)));
      }
      const auto bytes = static_cast<std::int64_t>(distance < 0 ? 1e18 : std::min(distance, 1e18));
      const int repeat = passes.repeat_of(*event);
      auto& calls = calls_[event->site][repeat < 0 ? 2 : repeat == 0 ? 0 : 1];
      for (const bool all : {false, true})
        ++calls[all]
               [static_cast<std::size_t>(roofline_->bandwidth(bytes, all ? roofline_->threads : 1).level)];
    }
  }
  for (std::size_t i = 0; i < footprints_.size(); ++i) {
    const DurationHistogram& found = distances[key_of_site[i]];
    if (found.count() > 0) footprints_[i] = static_cast<std::int64_t>(found.quantile(0.5));
  }
}

std::int64_t RoofModel::calls(std::size_t site, Passes part, bool all_threads,
                              std::size_t level) const noexcept {
  const Calls& calls = calls_[site];
  if (part != Passes::all) return calls[part == Passes::cold ? 0 : 1][all_threads][level];
  return calls[0][all_threads][level] + calls[1][all_threads][level] + calls[2][all_threads][level];
}

RoofUse RoofModel::use(const OpRow& row, const OpTableOptions& options, int threads) const {
  RoofUse use;
  use.stream = stream_of(row.name, row.phase);
  // Below a few per cent the workers were called for another shape of the row, or hardly.
  use.threads = row.share > 0.02 * row.inclusive ? threads : 1;
  const auto sites = sites_of_.find({row.name, row.phase});
  if (sites == sites_of_.end() || row.inclusive <= 0) return use;
  std::array<double, 5> least{};  // by bound
  double most_bytes = 0;
  for (const std::size_t i : sites->second) {
    const ZoneWork& work = recording_->sites()[i].work;
    if (work.kind != row.kind || (work.flops <= 0 && work.bytes <= 0)) continue;
    if ((options.by_layer && work.layer != row.layer) || (options.by_shape && work.shape != row.shape))
      continue;
    const double compute = 1e-9 * work.flops / roofline_->fma_gflops(use.threads);
    for (std::size_t level = 0; level < 3; ++level) {
      const auto count = static_cast<double>(calls(i, options.passes, use.threads > 1, level));
      if (count == 0) continue;
      const double memory =
          1e-9 * work.bytes / level_bandwidth(static_cast<MemoryLevel>(level), use.stream, use.threads);
      const RoofBound bound =
          compute >= memory ? RoofBound::compute : bound_of(static_cast<MemoryLevel>(level));
      least[static_cast<std::size_t>(bound)] += count * std::max(compute, memory);
      if (count * work.bytes < most_bytes) continue;
      most_bytes = count * work.bytes;
      use.footprint = footprints_[i];
    }
  }
  for (std::size_t i = 1; i < least.size(); ++i) {
    use.least += least[i];
    if (least[i] > least[static_cast<std::size_t>(use.bound)]) use.bound = static_cast<RoofBound>(i);
  }
  if (use.bound != RoofBound::unknown) use.share = use.least / row.inclusive;
  return use;
}

double RoofModel::level_bandwidth(MemoryLevel level, Stream stream, int threads) const {
  for (const BandwidthRoof& roof : roofline_->bandwidths)
    if (roof.level == level && (roof.threads > 1) == (threads > 1)) return bandwidth_of(roof, stream);
  return bandwidth_of(roofline_->bandwidth(INT64_MAX / 4, threads), stream);
}

std::string roofline_section(const Roofline& roofline) {
  using nlohmann::ordered_json;
  ordered_json compute = ordered_json::array(), bandwidth = ordered_json::array();
  for (const ComputeRoof& roof : roofline.compute)
    compute.push_back({{"threads", roof.threads}, {"fma_gflops", roof.gflops}});
  for (const BandwidthRoof& roof : roofline.bandwidths)
    bandwidth.push_back({{"level", level_name(roof.level)},
                         {"threads", roof.threads},
                         {"footprint_bytes", roof.footprint},
                         {"read_gbps", roof.read},
                         {"copy_gbps", roof.copy},
                         {"update_gbps", roof.update},
                         {"add_gbps", roof.add}});
  const ordered_json object = {{"isa", roofline.isa},
                               {"threads", roofline.threads},
                               {"disturbed", roofline.disturbed},
                               {"compute", compute},
                               {"bandwidth", bandwidth}};
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Roofline parse_roofline_section(std::string_view text, std::string_view file) {
  const nlohmann::json object = parse_json(text, file, {.bytes = 1 << 20, .depth = 8, .values = 100'000});
  const auto rate = [&](const nlohmann::json& row, const char* key) {
    const double value = json_number(row, key, file);
    if (!(value > 1e-3 && value < 1e7)) fail_input("[report] a rate expected, {} found ({})", value, file);
    return value;
  };
  const auto rows = [&](const char* key) -> const nlohmann::json& {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_array() || found->empty())
      fail_input("[report] a list \"{}\" of roofs expected, none found ({})", key, file);
    return *found;
  };
  const auto threads_of = [&](const nlohmann::json& row) {
    return static_cast<int>(std::clamp<std::int64_t>(json_int(row, "threads", file), 1, 1 << 16));
  };
  if (!object.is_object()) fail_input("[report] a roofline expected, another value found ({})", file);
  Roofline roofline;
  roofline.isa = json_string(object, "isa", file);
  roofline.threads = threads_of(object);
  roofline.disturbed = json_bool(object, "disturbed", file);
  for (const nlohmann::json& row : rows("compute"))
    roofline.compute.push_back({threads_of(row), rate(row, "fma_gflops")});
  for (const nlohmann::json& row : rows("bandwidth")) {
    const std::string level = json_string(row, "level", file);
    MemoryLevel which = MemoryLevel::memory;
    if (level == level_name(MemoryLevel::l2)) which = MemoryLevel::l2;
    if (level == level_name(MemoryLevel::l3)) which = MemoryLevel::l3;
    roofline.bandwidths.push_back({which, threads_of(row), json_int(row, "footprint_bytes", file),
                                   rate(row, "read_gbps"), rate(row, "copy_gbps"), rate(row, "update_gbps"),
                                   rate(row, "add_gbps")});
  }
  return roofline;
}

}  // namespace smallmind
