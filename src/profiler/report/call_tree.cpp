// See call_tree.h. The walk goes from outer to inner intervals with a stack of those that hold the present
// one, so its state is as deep as the hierarchy and the tree as large as the number of different paths.
#include "profiler/report/call_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

namespace smallmind {
namespace {

// What is nested deeper counts for the interval that holds it there; no program of ours nests 20 deep.
constexpr std::size_t kMostDepth = 200;

// Frames that differ only in layer or shape are one.
std::vector<std::uint32_t> frame_of_sites(const Recording& recording) {
  std::map<std::tuple<std::string_view, ZoneKind, Phase, bool>, std::uint32_t> frames;
  std::vector<std::uint32_t> frame_of_site;
  for (const ZoneSite& site : recording.sites()) {
    const bool cold = site.work.kind == ZoneKind::pass && site.work.layer == 0;
    const auto next = static_cast<std::uint32_t>(frames.size());
    frame_of_site.push_back(
        frames.emplace(std::tuple(std::string_view(site.name), site.work.kind, site.work.phase, cold), next)
            .first->second);
  }
  return frame_of_site;
}

class TreeBuilder {
 public:
  TreeBuilder(const Recording& recording, CallTree& tree)
      : recording_(recording), tree_(tree), frame_of_site_(frame_of_sites(recording)) {}

  void walk(std::size_t thread) {
    const RecordedThread& life = recording_.threads()[thread];
    const std::size_t root = tree_.nodes.size();
    tree_.roots.push_back(root);
    CallNode& node = tree_.nodes.emplace_back();
    children_.emplace_back();
    node.name = life.name;
    node.calls = 1;
    node.inclusive = node.exclusive = static_cast<std::int64_t>(life.end - life.begin);
    open_.assign(1, {0, root});
    EventCursor events = recording_.events(thread, EventOrder::outer_first);
    while (const ZoneEvent* event = events.next()) {
      while (open_.size() > 1 && event->begin < open_.back().begin) open_.pop_back();
      if (open_.size() > kMostDepth) continue;
      const std::size_t outer = open_.back().node;
      const std::size_t inner = child(outer, event->site);
      const auto ticks = static_cast<std::int64_t>(event->end - event->begin);
      tree_.nodes[outer].exclusive -= ticks;
      CallNode& mine = tree_.nodes[inner];
      ++mine.calls;
      mine.inclusive += ticks;
      mine.exclusive += ticks;
      mine.heap_allocations += event->heap_allocations;
      mine.heap_bytes += event->heap_bytes;
      open_.push_back({event->begin, inner});
    }
    // A thread may be older than its first whole interval; its root must hold them all.
    CallNode& thread_node = tree_.nodes[root];
    if (thread_node.exclusive < 0) {
      thread_node.inclusive -= thread_node.exclusive;
      thread_node.exclusive = 0;
    }
  }

 private:
  struct Open {
    std::uint64_t begin;
    std::size_t node;
  };

  std::size_t child(std::size_t node, std::uint32_t site) {
    const std::uint32_t frame = frame_of_site_[site];
    for (const auto& [key, place] : children_[node])
      if (key == frame) return place;
    const std::size_t place = tree_.nodes.size();
    children_[node].emplace_back(frame, place);
    tree_.nodes[node].children.push_back(place);
    const ZoneSite& what = recording_.sites()[site];
    CallNode& fresh = tree_.nodes.emplace_back();
    children_.emplace_back();
    fresh.name = what.name;
    fresh.kind = what.work.kind;
    fresh.phase = what.work.phase;
    fresh.cold = what.work.kind == ZoneKind::pass && what.work.layer == 0;
    return place;
  }

  const Recording& recording_;
  CallTree& tree_;
  std::vector<std::uint32_t> frame_of_site_;
  std::vector<std::vector<std::pair<std::uint32_t, std::size_t>>> children_;  // (frame, node) of each node
  std::vector<Open> open_;
};

// A name as a flame graph tool takes it: ';' parts frames, a line end parts paths.
std::string frame_text(std::string text) {
  for (char& c : text)
    if (c == ';' || c == '\n' || c == '\r') c = '_';
  return text;
}

void fold(const CallTree& tree, std::size_t place, const std::string& prefix, Phase outer, std::string& out) {
  const CallNode& node = tree.nodes[place];
  const std::string path = prefix + frame_text(call_label(node, outer));
  const double nanoseconds = 1e9 * tree.seconds(node.exclusive);
  if (node.exclusive > 0) out += fmt::format("{} {}\n", path, std::llround(nanoseconds));
  const Phase phase = node.phase == Phase::none ? outer : node.phase;
  for (const std::size_t child : node.children) fold(tree, child, path + ";", phase, out);
}

}  // namespace

CallTree make_call_tree(const Recording& recording) {
  CallTree tree;
  tree.tick = recording.seconds(1);
  TreeBuilder builder(recording, tree);
  for (std::size_t t = 0; t < recording.threads().size(); ++t) builder.walk(t);
  for (CallNode& node : tree.nodes)
    std::stable_sort(node.children.begin(), node.children.end(), [&](std::size_t a, std::size_t b) {
      return tree.nodes[a].inclusive > tree.nodes[b].inclusive;
    });
  return tree;
}

std::string call_label(const CallNode& node, Phase outer) {
  switch (node.kind) {
    case ZoneKind::pass:
      return node.name + (node.cold ? " (cold)" : " (warm)");
    case ZoneKind::wait:
    case ZoneKind::idle:
      return "(" + node.name + ")";
    case ZoneKind::zone:
    case ZoneKind::op:
    case ZoneKind::share:
      break;
  }
  if (node.phase == Phase::none || node.phase == outer) return node.name;
  return node.name + " [" + phase_name(node.phase) + "]";
}

std::string folded_stacks(const CallTree& tree) {
  std::string out;
  for (const std::size_t root : tree.roots) fold(tree, root, "", Phase::none, out);
  return out;
}

}  // namespace smallmind
