// Reports of recordings with known numbers.
#include "profiler/report/report.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "base/error.h"
#include "profiler/recorder.h"
#include "profiler/report/render.h"
#include "tensor/buffer.h"
#include "tests/base/temp_folder.h"
#include "tests/profiler/synthetic_recording.h"

namespace smallmind {
namespace {

using nlohmann::json;

constexpr std::uint64_t kUs = 1000, kMs = 1000 * kUs;

Roofline known_roofline() {
  Roofline roofline;
  roofline.isa = "avx2";
  roofline.threads = 2;
  roofline.compute = {{1, 100}, {2, 200}};
  for (const int threads : {1, 2})
    for (const auto& [level, footprint, rate] : {std::tuple(MemoryLevel::l2, std::int64_t{1} << 20, 100.0),
                                                 {MemoryLevel::l3, std::int64_t{16} << 20, 50.0},
                                                 {MemoryLevel::memory, std::int64_t{1} << 30, 10.0}})
      roofline.bandwidths.push_back(
          {level, threads, footprint, rate * threads, 0.8 * rate * threads, rate * threads, rate * threads});
  return roofline;
}

ZoneWork pass(const char*, Phase phase, int repeat, int tokens) {
  return {.phase = phase, .layer = repeat, .shape = {tokens, 0, 0}, .kind = ZoneKind::pass};
}

constexpr ZoneWork kForward{.phase = Phase::decode};
constexpr ZoneWork kLinear{.phase = Phase::decode,
                           .layer = 3,
                           .flops = 1e6,
                           .bytes = 4e6,
                           .shape = {1, 1000, 1000},
                           .kind = ZoneKind::op};
constexpr ZoneWork kGelu{.phase = Phase::decode,
                         .layer = 3,
                         .flops = 2e5,
                         .bytes = 1e6,
                         .shape = {125000, 0, 0},
                         .kind = ZoneKind::op};
constexpr ZoneWork kShare{.phase = Phase::decode, .layer = 3, .kind = ZoneKind::share};

// A cold pass of 2 ms and three warm ones of 1 ms, with a worker that helps with the product. In a warm pass:
// linear 600 us, of which 100 us wait, gelu 200 us, forward 200 us of its own.
std::filesystem::path write_known(const TempFolder& folder, bool cut = false, std::uint64_t dropped = 0) {
  const std::filesystem::path path = folder.path() / "known.smprof";
  SyntheticRecording recording(path);
  const std::size_t worker = recording.thread("worker"), main = recording.thread("main");
  recording.section("environment", R"({"cpu": "Test CPU", "isa": "avx2"})");
  recording.section("workload", R"({"name": "known", "repeats": 3})");
  recording.section("roofline", roofline_section(known_roofline()));
  recording.memory(0, 0, 1000);
  recording.memory(2 * kMs, 2, 500);
  recording.memory(3 * kMs, 2, 100);
  recording.zone(main, "linear", kLinear, 100 * kUs, 1100 * kUs);
  recording.zone(main, "forward", kForward, 0, 2 * kMs);
  recording.zone(main, "decode", pass("decode", Phase::decode, 0, 1), 0, 2 * kMs);
  std::uint64_t idle_from = 0;
  for (int repeat = 1; repeat <= 3; ++repeat) {
    const std::uint64_t at = static_cast<std::uint64_t>(repeat + 1) * kMs;
    recording.zone(worker, "idle", {.kind = ZoneKind::idle}, idle_from, at + 110 * kUs);
    recording.zone(worker, "linear", kShare, at + 110 * kUs, at + 500 * kUs);
    idle_from = at + 500 * kUs;
    recording.zone(main, "join", {.kind = ZoneKind::wait}, at + 500 * kUs, at + 600 * kUs);
    recording.zone(main, "linear", kLinear, at + 100 * kUs, at + 700 * kUs);
    recording.zone(main, "gelu", kGelu, at + 700 * kUs, at + 900 * kUs,
                   {.heap_allocations = 2, .heap_bytes = 64});
    recording.zone(main, "forward", kForward, at, at + kMs, {.heap_allocations = 2, .heap_bytes = 64});
    recording.zone(main, "decode", pass("decode", Phase::decode, repeat, 1), at, at + kMs,
                   {.heap_allocations = 2, .heap_bytes = 64});
  }
  recording.finish(5 * kMs, cut, dropped);
  return path;
}

const ReportRow& row(const ReportTable& table, std::string_view name) {
  for (const ReportRow& candidate : table.rows)
    if (candidate.op.name == name) return candidate;
  throw std::runtime_error("no row " + std::string(name));
}

bool says(const Report& report, std::string_view words) {
  for (const Insight& insight : report.insights)
    if (insight.text.find(words) != std::string::npos) return true;
  return false;
}

TEST(Report, HasTheNumbersOfTheRecording) {
  const TempFolder folder;
  const Report report = make_report(Recording::open(write_known(folder)));
  EXPECT_EQ(report.workload, "known");
  EXPECT_EQ(report.pool_threads, 2);
  EXPECT_EQ(report.main.part, "warm");
  EXPECT_NEAR(report.main.wall, 3e-3, 1e-9);
  const ReportRow& linear = row(report.main, "linear");
  EXPECT_EQ(linear.op.calls, 3);
  EXPECT_NEAR(linear.op.exclusive, 1.5e-3, 1e-9);
  EXPECT_NEAR(linear.op.inclusive, 1.8e-3, 1e-9);
  EXPECT_NEAR(linear.op.share, 1.17e-3, 1e-9);
  EXPECT_NEAR(linear.wall_share, 0.5, 1e-6);
  EXPECT_NEAR(linear.op.gflops(), 3e6 / 1.8e-3 * 1e-9, 1e-6);
  EXPECT_NEAR(row(report.main, "gelu").op.exclusive, 0.6e-3, 1e-9);
  EXPECT_NEAR(row(report.main, "forward").op.exclusive, 0.6e-3, 1e-9);
  EXPECT_EQ(row(report.main, "gelu").op.heap_allocations, 6u);
  EXPECT_EQ(row(report.main, "forward").op.heap_allocations, 0u);
  double wall_share = 0;
  for (const ReportRow& r : report.main.rows) wall_share += r.wall_share;
  EXPECT_NEAR(wall_share, 0.9, 1e-6);  // and 10 % of waits
  ASSERT_TRUE(report.cold.has_value());
  EXPECT_NEAR(row(*report.cold, "linear").op.exclusive, 1e-3, 1e-9);
  EXPECT_EQ(report.main.threads.front().name, "main");  // callers first
}

TEST(Report, FindsTheRoofThatBinds) {
  const TempFolder folder;
  const Report report = make_report(Recording::open(write_known(folder)));
  // Between two products 4 MB of weights and 1 MB of gelu's are touched: more than twice the 1 MiB of L2.
  const RoofUse& linear = row(report.main, "linear").roof;
  EXPECT_NEAR(static_cast<double>(linear.footprint), 5e6, 0.02 * 5e6);
  EXPECT_EQ(linear.bound, RoofBound::l3);
  EXPECT_EQ(linear.threads, 2);
  EXPECT_NEAR(linear.share, 3 * 4e6 / 100e9 / 1.8e-3, 1e-6);
  const RoofUse& gelu = row(report.main, "gelu").roof;
  EXPECT_EQ(gelu.stream, Stream::copy);
  EXPECT_EQ(gelu.threads, 1);
  // The first one finds its operands nowhere nearer than in memory.
  EXPECT_NEAR(gelu.share, (1e6 / 8e9 + 2 * 1e6 / 40e9) / 0.6e-3, 1e-6);
  EXPECT_LT(row(report.main, "forward").roof.share, 0);
}

TEST(Report, SumsPhasesLayersAndPasses) {
  const TempFolder folder;
  const Report report = make_report(Recording::open(write_known(folder)));
  ASSERT_EQ(report.phases.size(), 1u);
  EXPECT_EQ(report.phases[0].phase, Phase::decode);
  EXPECT_NEAR(report.phases[0].exclusive, 2.7e-3, 1e-9);
  EXPECT_NEAR(report.phases[0].caller_wait, 0.3e-3, 1e-9);
  ASSERT_EQ(report.layers.size(), 1u);
  EXPECT_EQ(report.layers[0].layer, 3);
  EXPECT_NEAR(report.layers[0].exclusive, 2.1e-3, 1e-9);
  ASSERT_EQ(report.passes.size(), 1u);
  EXPECT_NEAR(report.passes[0].cold.value_or(0), 2e-3, 1e-9);
  EXPECT_NEAR(report.passes[0].centre(), 1e-3, 1e-9);
  EXPECT_NEAR(report.passes[0].tokens_per_second(), 1000, 1e-3);
  EXPECT_TRUE(says(report, "first decode took 2.0 times"));
}

TEST(Report, FollowsMemory) {
  const TempFolder folder;
  const MemoryReport memory = make_report(Recording::open(write_known(folder))).memory;
  ASSERT_EQ(memory.categories.size(), 2u);
  EXPECT_EQ(memory.peak, 1500);
  EXPECT_NEAR(memory.peak_at, 2e-3, 1e-9);
  EXPECT_EQ(memory.categories[1].peak, 500);
  EXPECT_EQ(memory.categories[1].last, 100);
  EXPECT_EQ(memory.bytes.back(), (std::vector<std::int64_t>{1000, 100}));
  EXPECT_EQ(memory.heap_allocations, 6u);
}

TEST(Report, HoldsTheMemoryOfItsRecorder) {
  const TempFolder folder;
  const std::filesystem::path path = folder.path() / "memory.smprof";
  const Buffer weights(std::size_t{6} << 20, MemoryCategory::weights);
  Recorder recorder(path);
  { const Zone zone("work"); }
  Buffer cache(std::size_t{4} << 20, MemoryCategory::kv_cache);
  const Buffer moved = std::move(cache);  // takes its category along
  recorder.stop();
  const MemoryReport memory = make_report(Recording::open(path)).memory;
  std::map<std::string, std::int64_t> last;
  for (const MemoryCategoryRow& row : memory.categories) last[row.name] = row.last;
  EXPECT_EQ(last["weights"], 6 << 20);
  EXPECT_EQ(last["KV cache"], 4 << 20);
}

TEST(Report, SaysWhatIsWrongWithARecording) {
  const TempFolder folder;
  const Report cut = make_report(Recording::open(write_known(folder, true)));
  EXPECT_FALSE(cut.complete);
  EXPECT_TRUE(says(cut, "cut short"));
  EXPECT_NEAR(row(cut.main, "linear").op.exclusive, 1.5e-3, 1e-9);
  const Report dropped = make_report(Recording::open(write_known(folder, false, 7)));
  EXPECT_TRUE(says(dropped, "14 events"));  // of two threads
}

TEST(Report, ReadsAFileThatLostItsEnd) {
  const TempFolder folder;
  const std::filesystem::path path = write_known(folder);
  const auto whole = std::filesystem::file_size(path);
  for (std::uintmax_t size = whole - 8; size > whole / 2; size -= 72) {
    std::filesystem::resize_file(path, size);
    std::string text;
    try {
      const Recording recording = Recording::open(path);
      for (const ReportFormat format : {ReportFormat::text, ReportFormat::html, ReportFormat::trace})
        render_report(recording, format, {}, [&](std::string_view part) { text += part; });
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_input);
      continue;
    }
    EXPECT_NE(text.find("cut short"), std::string::npos);
  }
}

TEST(Insights, NameWaitsWithTheirNumbers) {
  Report report;
  report.pool_threads = 2;
  report.main.part = "warm";
  report.main.wall = 1;
  report.phases = {{.phase = Phase::decode, .exclusive = 0.69, .caller_wait = 0.31}};
  report.insights = find_insights(report);
  EXPECT_TRUE(says(report, "decode spends 31 % of its time in barriers"));
  EXPECT_TRUE(says(report, "try 1 thread"));
  report.phases[0].caller_wait = 0.05;
  report.insights = find_insights(report);
  EXPECT_FALSE(says(report, "barriers"));
}

TEST(Insights, ARoofThatIsExceededIsWrong) {
  const TempFolder folder;
  Report report = make_report(Recording::open(write_known(folder)));
  EXPECT_EQ(beyond_roof(report), nullptr);
  report.main.rows.front().roof = {.share = 1.1, .bound = RoofBound::compute, .threads = 2};
  EXPECT_EQ(beyond_roof(report), &report.main.rows.front());
  std::string text;
  for (const Insight& insight : find_insights(report)) {
    text += insight.text + "\n";
    EXPECT_FALSE(insight.level == InsightLevel::good && insight.text.find(" takes ") != std::string::npos)
        << insight.text;
  }
  EXPECT_NE(text.find("must be wrong"), std::string::npos) << text;
  EXPECT_NE(text.find("doctor --fresh"), std::string::npos) << text;
  report.main.rows.front().roof.bound = RoofBound::l2;  // may come from L1 instead
  EXPECT_EQ(beyond_roof(report), nullptr);
}

TEST(JsonReport, KeepsItsContract) {
  const TempFolder folder;
  const json document = json::parse(json_report(make_report(Recording::open(write_known(folder)))));
  EXPECT_EQ(document["workload"], "known");
  EXPECT_NEAR(document["wall_seconds"].get<double>(), 5e-3, 1e-8);
  EXPECT_EQ(document["threads"], 2);
  EXPECT_EQ(document["environment"]["cpu"], "Test CPU");
  EXPECT_TRUE(document["memory"].is_object());
  const json& zone = document["zones"][0];
  EXPECT_EQ(zone["name"], "linear");
  EXPECT_EQ(zone["phase"], "decode");
  EXPECT_EQ(zone["calls"], 3);
  EXPECT_NEAR(zone["exclusive_ms"].get<double>(), 1.5, 1e-4);
  EXPECT_NEAR(zone["inclusive_ms"].get<double>(), 1.8, 1e-4);
  EXPECT_NEAR(zone["gflops"].get<double>(), 1.66667, 1e-4);
  EXPECT_NEAR(zone["gbps"].get<double>(), 6.66667, 1e-4);
  EXPECT_NEAR(zone["roofline_share"].get<double>(), 0.0666667, 1e-6);
  EXPECT_EQ(zone["roofline_bound"], "L3");
  for (const char* key : {"heap_allocations", "heap_bytes"})
    EXPECT_TRUE(zone[key].is_number_integer()) << key;
}

TEST(TextReport, ShowsAllTables) {
  const TempFolder folder;
  const Report report = make_report(Recording::open(write_known(folder)));
  const std::string text = text_report(report), markdown = markdown_report(report);
  for (const char* title : {"Profile of known", "Findings", "Measured work", "Hot paths by exclusive time",
                            "Hot paths by inclusive time", "Cold passes", "Phases", "Layers",
                            "Top allocators", "Most called", "Call hierarchy", "Threads", "Memory"}) {
    EXPECT_NE(text.find(title), std::string::npos) << title;
    EXPECT_NE(markdown.find(std::string("# ") + title), std::string::npos) << title;
  }
  EXPECT_NE(text.find("L3 read"), std::string::npos);
  EXPECT_NE(markdown.find("| linear | decode | 3 | 1.500 |"), std::string::npos);
}

TEST(FoldedStacks, AddUpToTheThreads) {
  const TempFolder folder;
  const Recording recording = Recording::open(write_known(folder));
  const CallTree tree = make_call_tree(recording);
  std::map<std::string, std::int64_t> by_thread, by_leaf;
  std::istringstream lines(folded_stacks(tree));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t space = line.rfind(' ');
    const std::string path = line.substr(0, space);
    const std::int64_t value = std::stoll(line.substr(space + 1));
    by_thread[path.substr(0, path.find(';'))] += value;
    by_leaf[path.substr(path.rfind(';') + 1)] += value;
  }
  EXPECT_EQ(by_thread["main"], 5'000'000);
  EXPECT_EQ(by_leaf["linear"], 1'000'000 + 3 * 500'000);
  EXPECT_EQ(by_leaf["(join)"], 300'000);
  EXPECT_EQ(by_leaf["linear [decode]"], 3 * 390'000);  // the worker's
}

constexpr const char* kNames[] = {"a", "b", "c", "d\"\\", "e"};

// Random nesting, as deep as it comes, so many intervals that the writer cannot keep them all.
std::filesystem::path write_random(const TempFolder& folder, int top_level) {
  const std::filesystem::path path = folder.path() / "random.smprof";
  SyntheticRecording recording(path);
  std::mt19937 random(1);
  const auto fill = [&](auto& self, std::size_t thread, std::uint64_t begin, std::uint64_t end,
                        int depth) -> void {
    std::uint64_t at = begin;
    while (depth < 6 && end - at > 4 && random() % 4 != 0) {
      // Inner intervals may begin and end with the outer one.
      const std::uint64_t from = at + (random() % 2) * (random() % 3),
                          to = from + 1 + random() % (end - from);
      self(self, thread, from, to, depth + 1);
      at = to;
    }
    recording.zone(thread, kNames[random() % 5], {.flops = static_cast<double>(random() % 3)}, begin, end);
  };
  std::uint64_t last = 0;
  for (const char* name : {"first", "second"}) {
    const std::size_t thread = recording.thread(name);
    std::uint64_t at = 0;
    for (int i = 0; i < top_level; ++i) {
      const std::uint64_t to = at + 5 + random() % 20'000;
      fill(fill, thread, at, to, 0);
      at = to + random() % 3;
    }
    last = std::max(last, at);
  }
  recording.finish(last);
  return path;
}

TEST(Trace, IsStrictlyNestedAndInOrder) {
  const TempFolder folder;
  const Recording recording = Recording::open(write_random(folder, 6000));
  ASSERT_GT(recording.event_count(), 2u * 70'000);  // more than the writer keeps per thread
  std::string text;
  std::size_t largest = 0;
  render_report(recording, ReportFormat::trace, {}, [&](std::string_view part) {
    largest = std::max(largest, part.size());
    text += part;
  });
  EXPECT_LT(largest, std::size_t{1} << 18);  // streamed
  const json trace = json::parse(text);
  struct Lane {
    double last = -1;
    std::vector<std::pair<double, double>> open;
    std::uint64_t events = 0;
  };
  std::map<int, Lane> lanes;
  int named = 0;
  const auto ns = [](const json& microseconds) { return std::round(1e3 * microseconds.get<double>()); };
  for (const json& event : trace["traceEvents"]) {
    if (event["ph"] == "M") named += event["name"] == "thread_name";
    if (event["ph"] != "X") continue;
    Lane& lane = lanes[event["tid"].get<int>()];
    const double begin = ns(event["ts"]), end = begin + ns(event["dur"]);
    ASSERT_GE(begin, lane.last);
    ASSERT_GE(end, begin);
    while (!lane.open.empty() && lane.open.back().second <= begin) lane.open.pop_back();
    if (!lane.open.empty()) {
      ASSERT_LE(end, lane.open.back().second);
      ASSERT_GE(begin, lane.open.back().first);
    }
    lane.open.emplace_back(begin, end);
    lane.last = begin;
    ++lane.events;
  }
  EXPECT_EQ(named, 2);
  ASSERT_EQ(lanes.size(), 2u);
  for (std::size_t t = 0; t < 2; ++t)
    EXPECT_EQ(lanes[static_cast<int>(t) + 1].events, recording.threads()[t].events);
}

TEST(Lanes, KeepTimeAndBudget) {
  const TempFolder folder;
  const Recording recording = Recording::open(write_random(folder, 2000));
  const std::vector<LaneView> views = make_lane_views(recording, 6000);
  ASSERT_EQ(views.size(), 1u);  // no passes
  EXPECT_LT(views[0].spans.size(), 6000u);
  EXPECT_GT(views[0].spans.size(), 200u);
  std::uint64_t intervals = 0;
  const LaneSpan* before = nullptr;
  for (const LaneSpan& span : views[0].spans) {
    intervals += span.count;
    EXPECT_LE(span.begin, span.end);
    EXPECT_LE(span.cover, 1.001F);
    if (before != nullptr && before->thread == span.thread && before->depth == span.depth) {
      EXPECT_LE(before->begin, span.begin);
    }
    before = &span;
  }
  EXPECT_EQ(intervals, recording.event_count());
  const Recording known = Recording::open(write_known(folder));
  EXPECT_EQ(make_lane_views(known).size(), 3u);  // everything, a cold pass and a warm one
}

TEST(HtmlReport, HoldsItsDataSafely) {
  const TempFolder folder;
  const std::filesystem::path path = folder.path() / "hostile.smprof";
  {
    SyntheticRecording recording(path);
    const std::size_t thread = recording.thread("</script><script>alert(1)</script>");
    recording.section("workload", R"({"name": "<img src=x>"})");
    recording.zone(thread, "<!--", {}, 0, kMs);
    recording.finish(kMs);
  }
  const std::filesystem::path out = folder.path() / "page.html";
  write_report(Recording::open(path), ReportFormat::html, {}, out);
  std::ifstream file(out, std::ios::binary);
  const std::string page((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(page.find("alert(1)</script>"), std::string::npos);
  EXPECT_EQ(page.find("<img src=x>"), std::string::npos);
  const std::string mark = R"(<script id="data" type="application/json">)";
  const std::size_t begin = page.find(mark) + mark.size();
  const json data = json::parse(page.substr(begin, page.find("</script>", begin) - begin));
  EXPECT_EQ(data["workload"], "<img src=x>");
  EXPECT_EQ(data["lanes"][0]["title"], "whole recording");
}

TEST(Report, RefusesSectionsThatAreNoJson) {
  const TempFolder folder;
  for (const char* text : {"{", "[1]", "3"}) {
    const std::filesystem::path path = folder.path() / "section.smprof";
    SyntheticRecording recording(path);
    recording.thread("main");
    recording.section("roofline", text);
    recording.finish(kMs);
    EXPECT_THROW(make_report(Recording::open(path)), Error) << text;
  }
}

TEST(Roofline, SurvivesItsSection) {
  const Roofline roofline = known_roofline();
  const Roofline again = parse_roofline_section(roofline_section(roofline), "test");
  EXPECT_EQ(again.threads, 2);
  ASSERT_EQ(again.bandwidths.size(), roofline.bandwidths.size());
  EXPECT_EQ(again.bandwidths[1].level, MemoryLevel::l3);
  EXPECT_EQ(again.bandwidths[1].copy, roofline.bandwidths[1].copy);
  EXPECT_EQ(again.fma_gflops(1), 100);
}

}  // namespace
}  // namespace smallmind
