// The reader under attack: files cut at every place and bytes that were never written by a recorder.
#include "profiler/recording.h"

#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "profiler/op_table.h"
#include "profiler/record_format.h"
#include "profiler/record_writer.h"
#include "tests/base/temp_folder.h"

namespace smallmind {
namespace {

// Bytes at an address that is a multiple of 8.
class Bytes {
 public:
  explicit Bytes(std::string_view text) : words_((text.size() + 7) / 8), size_(text.size()) {
    text.copy(reinterpret_cast<char*>(words_.data()), text.size());
  }
  std::span<const std::byte> span() const { return std::as_bytes(std::span(words_)).first(size_); }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t size_;
};

std::string small_file(const std::filesystem::path& path) {
  {
    RecordWriter writer(path);
    writer.words(record::Chunk::clock, 0, 1000, 50);
    writer.section("environment", "{}");
    for (std::uint32_t t = 0; t < 2; ++t) {
      writer.chunk(record::Chunk::thread, t, t == 0 ? "main" : "sm-1");
      EventRing ring(256, 1000);
      const auto sites = std::make_unique<SiteTable>();
      StreamState state{t};
      for (std::uint64_t i = 0; i < 12; ++i) {
        const bool pass = i == 11;
        KnownSite& site = sites->find(
            pass ? "pass" : "op",
            ZoneTraits::of({.layer = static_cast<int>(i % 3), .kind = pass ? ZoneKind::pass : ZoneKind::op}),
            10, 0);
        ThreadCounters before = thread_counters;
        before.heap_allocations -= i % 2;
        before.heap_bytes -= 64 * (i % 2);
        ring.push(sink_memory(), site, pass ? 1000 : 1000 + 100 * i, 1050 + 100 * i, before);
        if (i % 5 != 4) continue;
        writer.drain(ring, state);
        writer.flush();
      }
      writer.drain(ring, state);
      writer.flush();
    }
    writer.words(record::Chunk::memory, 0, 1500, 2, 4096);
    writer.words(record::Chunk::clock, 0, 3000, 2050);
    for (std::uint32_t t = 0; t < 2; ++t) writer.words(record::Chunk::life, t, 900, 12, 0, t == 0);
    writer.chunk(record::Chunk::end, 0, "");
  }
  return read_whole_file(path);
}

void walk(const Recording& recording) {
  for (std::size_t t = 0; t < recording.threads().size(); ++t)
    for (const EventOrder order : {EventOrder::inner_first, EventOrder::outer_first}) {
      EventCursor events = recording.events(t, order);
      while (const ZoneEvent* event = events.next()) {
        ASSERT_LT(event->site, recording.sites().size());
        ASSERT_LE(event->begin, event->end);
      }
    }
  make_op_table(recording, {.by_layer = true, .by_shape = true});
  for_each_pass(recording, {}, [](const RecordedPass&, const OpTable&) {});
}

TEST(RecordingTest, ReadsWhatWasWritten) {
  const TempFolder folder;
  const Bytes bytes(small_file(folder.path() / "a"));
  const Recording recording = Recording::parse(bytes.span(), "a");
  EXPECT_TRUE(recording.complete());
  EXPECT_EQ(recording.threads().size(), 2u);
  EXPECT_EQ(recording.threads()[0].name, "main");
  EXPECT_EQ(recording.threads()[1].events, 12u);
  EXPECT_EQ(recording.threads()[1].end, 1150u) << "it ended with its last event";
  EXPECT_EQ(recording.threads()[0].end, 2000u);
  EXPECT_NEAR(recording.threads()[0].cpu_seconds, 900e-9, 1e-15);
  EXPECT_NEAR(recording.wall_seconds(), 2000e-9, 1e-15);
  ASSERT_EQ(recording.memory().size(), 1u);
  EXPECT_EQ(recording.memory()[0].bytes, 4096);
  EXPECT_EQ(recording.memory()[0].ticks, 500u);
  const OpTable table = make_op_table(recording);
  EXPECT_EQ(table.find("op", Phase::none)->calls, 22);
  EXPECT_EQ(table.find("op", Phase::none)->heap_allocations, 10u);
  EXPECT_EQ(table.find("op", Phase::none)->heap_bytes, 640u);
  walk(recording);
}

TEST(RecordingTest, AFileThatWasCutIsReadUpToItsLastWholeChunk) {
  const TempFolder folder;
  const std::string whole = small_file(folder.path() / "a");
  std::uint64_t most = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes bytes(std::string_view(whole).substr(0, size));
    if (size < 8 + 16 + 16) {  // no clock yet
      EXPECT_THROW(Recording::parse(bytes.span(), "cut"), Error) << size;
      continue;
    }
    const Recording recording = Recording::parse(bytes.span(), "cut");
    EXPECT_FALSE(recording.complete());
    EXPECT_GE(recording.event_count(), most);
    most = recording.event_count();
    walk(recording);
  }
  EXPECT_EQ(most, 24u);
}

TEST(RecordingTest, AnyDamageIsRefusedOrHarmless) {
  const TempFolder folder;
  const std::string whole = small_file(folder.path() / "a");
  std::mt19937_64 random(1);
  int refused = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = whole;
    for (int n = 0; n < 3; ++n) damaged[random() % damaged.size()] = static_cast<char>(random());
    try {
      const Bytes bytes(damaged);
      walk(Recording::parse(bytes.span(), "damaged"));
    } catch (const Error& e) {
      ASSERT_EQ(e.code(), ErrorCode::bad_input) << e.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(RecordingTest, OtherFilesAreRefusedWithAReason) {
  for (const std::string_view text : {"", "SMPROF", "GGUF....", "SMPROF\x02\0aaaaaaaaaaaaaaaaaaaaaaaa"}) {
    const Bytes bytes(text);
    EXPECT_THROW(Recording::parse(bytes.span(), "other"), Error) << text;
  }
}

TEST(DurationHistogramTest, QuantilesAreWithinTheWidthOfABucket) {
  DurationHistogram histogram;
  for (std::uint64_t i = 1; i <= 100000; ++i) histogram.add(i);
  EXPECT_EQ(histogram.least(), 1u);
  EXPECT_EQ(histogram.most(), 100000u);
  for (const double q : {0.01, 0.5, 0.95, 0.999})
    EXPECT_NEAR(static_cast<double>(histogram.quantile(q)), q * 100000, 0.017 * q * 100000) << q;
  EXPECT_EQ(histogram.quantile(1.0), 100000u);
  EXPECT_EQ(DurationHistogram().quantile(0.5), 0u);
}

}  // namespace
}  // namespace smallmind
