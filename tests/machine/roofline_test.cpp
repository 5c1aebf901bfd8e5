// The roofline: sane numbers, the choice of a roof, and a cache that survives anything.
#include "machine/roofline.h"

#include <gtest/gtest.h>

#include "kernels/dispatch.h"
#include "tests/base/temp_folder.h"

namespace smallmind {
namespace {

constexpr RooflineEffort kQuick{.samples = 3, .sample_seconds = 0.0003, .patience = 3};

Roofline example() {
  Roofline roofline;
  roofline.compute = {{1, 100}, {4, 390}};
  for (const auto& [level, footprint] :
       {std::pair{MemoryLevel::l2, 1 << 20}, {MemoryLevel::l3, 16 << 20}, {MemoryLevel::memory, 128 << 20}})
    for (const int threads : {1, 4}) {
      const double base = 100.0 / (1 + static_cast<int>(level)) * threads;
      roofline.bandwidths.push_back({level, threads, footprint, base, base / 2, base / 3, base / 4});
    }
  return roofline;
}

TEST(Roofline, MeasuresSaneNumbers) {
  ThreadPool pool(2);
  const CacheSizes caches{.l1d = 32 << 10, .l2 = 256 << 10, .l3 = 4 << 20, .l3_cpus = 2};
  const Roofline roofline = measure_roofline(pool, kernels(), caches, kQuick);
  ASSERT_EQ(roofline.compute.size(), 2u);
  ASSERT_EQ(roofline.bandwidths.size(), 6u);
  EXPECT_EQ(roofline.isa, kernels().isa);
  for (const ComputeRoof& roof : roofline.compute) {
    EXPECT_GT(roof.gflops, 0.1);
    EXPECT_LT(roof.gflops, 1e5);
  }
  for (const BandwidthRoof& roof : roofline.bandwidths) {
    EXPECT_GT(roof.footprint, 0);
    for (const double gbps : {roof.read, roof.copy, roof.update, roof.add}) {
      EXPECT_GT(gbps, 0.05);
      EXPECT_LT(gbps, 1e5);
    }
  }
  EXPECT_NE(roofline_text(roofline).find("GFLOP/s with 2 threads"), std::string::npos)
      << roofline_text(roofline);
}

TEST(Roofline, AMissingLevelIsLeftOut) {
  ThreadPool pool(1);
  const Roofline roofline =
      measure_roofline(pool, kernels(), {}, {.samples = 1, .sample_seconds = 0.0001, .patience = 1});
  ASSERT_EQ(roofline.bandwidths.size(), 2u);
  EXPECT_EQ(roofline.bandwidths[0].level, MemoryLevel::l2);
  EXPECT_EQ(roofline.bandwidths[1].level, MemoryLevel::memory);
}

TEST(Roofline, ChoosesTheRoofByFootprintAndThreads) {
  const Roofline roofline = example();
  EXPECT_EQ(roofline.fma_gflops(1), 100);
  EXPECT_EQ(roofline.fma_gflops(3), 390);
  EXPECT_EQ(roofline.bandwidth(1000, 1).level, MemoryLevel::l2);
  EXPECT_EQ(roofline.bandwidth(2 << 20, 4).level, MemoryLevel::l2);
  EXPECT_EQ(roofline.bandwidth(3 << 20, 4).level, MemoryLevel::l3);
  EXPECT_EQ(roofline.bandwidth(3 << 20, 4).threads, 4);
  EXPECT_EQ(roofline.bandwidth(std::int64_t{1} << 40, 1).level, MemoryLevel::memory);
  EXPECT_EQ(roofline.read_gbps(1000, 1), 100);
}

TEST(RooflineCache, ReturnsWhatWasSaved) {
  const TempFolder folder;
  const auto directory = folder.path() / "new" / "smallmind";
  EXPECT_FALSE(load_roofline(directory, "key").has_value());
  save_roofline(directory, "key", example());
  const auto loaded = load_roofline(directory, "key");
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->compute[1].gflops, 390);
  ASSERT_EQ(loaded->bandwidths.size(), 6u);
  EXPECT_EQ(loaded->bandwidths[3].add, example().bandwidths[3].add);
  EXPECT_EQ(loaded->bandwidths[3].level, MemoryLevel::l3);
  EXPECT_FALSE(load_roofline(directory, "another machine").has_value());
}

TEST(RooflineCache, ForgetsWhatWasExceeded) {
  const TempFolder folder;
  save_roofline(folder.path(), "this machine", example());
  save_roofline(folder.path(), "another", example());
  forget_roofline(folder.path(), "this machine");
  forget_roofline(folder.path(), "never seen");
  EXPECT_FALSE(load_roofline(folder.path(), "this machine"));
  EXPECT_TRUE(load_roofline(folder.path(), "another"));
}

TEST(RooflineCache, IgnoresBrokenFiles) {
  const TempFolder folder;
  save_roofline(folder.path(), "key", example());
  const auto file = std::filesystem::directory_iterator(folder.path())->path();
  const std::string good = read_whole_file(file);
  const std::string name = file.filename().string();
  for (std::size_t cut = 0; cut + 2 < good.size(); cut += 13) {
    folder.write(name, good.substr(0, cut));
    EXPECT_FALSE(load_roofline(folder.path(), "key").has_value()) << cut;
  }
  for (const char* bad : {"[]", "{\"key\":\"key\"}", "{\"key\":\"key\",\"fma\":[],\"bandwidth\":[]}",
                          "{\"key\":\"key\",\"fma\":[[1,-5]],\"bandwidth\":[[0,1,1,1,1,1,1]]}",
                          "{\"key\":\"key\",\"fma\":[[1,5]],\"bandwidth\":[[7,1,1,1,1,1,1]]}",
                          "{\"key\":\"key\",\"fma\":[[1,\"x\"]],\"bandwidth\":[[0,1,1,1,1,1,1]]}"}) {
    folder.write(name, bad);
    EXPECT_FALSE(load_roofline(folder.path(), "key").has_value()) << bad;
  }
  folder.write(name, good);
  EXPECT_TRUE(load_roofline(folder.path(), "key").has_value());
}

TEST(RooflineCache, APlaceThatCannotBeWrittenIsNoError) {
  const TempFolder folder;
  const auto blocked = folder.write("file", "") / "smallmind";
  save_roofline(blocked, "key", example());
  EXPECT_FALSE(load_roofline(blocked, "key").has_value());
}

TEST(RooflineCache, KeysTellThreadsAndTablesApart) {
  EXPECT_NE(roofline_key(1, "avx2"), roofline_key(2, "avx2"));
  EXPECT_NE(roofline_key(1, "avx2"), roofline_key(1, "scalar"));
}

}  // namespace
}  // namespace smallmind
