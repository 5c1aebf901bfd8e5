// The kernel benchmark's frame: what it runs, what a row says, how shares and targets are judged. Speeds are
// not judged here.
#include "profiler/kernel_bench.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "base/error.h"
#include "kernels/dispatch.h"
#include "profiler/kernel_bench/spec.h"
#include "profiler/kernel_bench/targets.h"

#ifdef __SANITIZE_ADDRESS__
// oneDNN keeps 72 bytes of its own for ever.
extern "C" const char* __lsan_default_suppressions();
const char* __lsan_default_suppressions() {
  return "leak:libdnnl";
}
#endif

namespace smallmind {
namespace {

void spin(double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < end) {
  }
}

KernelResult row(double share, const char* target = "plain square", int threads = 1) {
  KernelResult result;
  result.kernel = "product";
  result.shape = "256x256x256";
  result.threads = threads;
  result.value = 100;
  result.roof = "fma";
  result.roofline_share = share;
  result.targets = {target};
  return result;
}

TEST(KernelBench, EveryRowOfAGroupRunsWithOneAndAllThreads) {
  std::vector<std::string> seen;
  const KernelBenchReport report =
      run_kernel_bench({.groups = {"attention"}, .threads = 2, .seconds = 0.001, .rivals = false},
                       [&](const KernelResult& r) { seen.push_back(r.form); });
  ASSERT_EQ(report.results.size(), 6u);
  ASSERT_EQ(seen.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    const KernelResult& r = report.results[i];
    EXPECT_EQ(r.kernel, "attention");
    EXPECT_EQ(r.threads, i % 2 == 0 ? 1 : 2);
    EXPECT_GT(r.value, 0);
    EXPECT_TRUE(r.rivals.empty());
    if (i < 4) {
      EXPECT_EQ(r.unit, "GFLOP/s");
      EXPECT_EQ(r.roof, "fma");
      EXPECT_GT(r.roofline_share, 0);
    } else {
      EXPECT_EQ(r.unit, "MiB");
      EXPECT_TRUE(r.roof.empty());
    }
  }
  for (const auto& [name, status] : report.rivals) EXPECT_EQ(status.rfind("skipped", 0), 0u) << name;
}

TEST(KernelBench, EveryGroupHasRowsAndEveryTargetIsUsed) {
  std::vector<KernelSpec> all = product_specs();
  for (const auto& more : {row_specs(), attention_specs(), loss_specs(), model_specs()})
    all.insert(all.end(), more.begin(), more.end());
  for (const KernelGroup& group : kernel_bench_groups()) {
    const bool used = std::any_of(all.begin(), all.end(), [&](const KernelSpec& spec) {
      return std::find(spec.groups.begin(), spec.groups.end(), group.name) != spec.groups.end();
    });
    EXPECT_TRUE(used) << group.name;
  }
  for (const KernelSpec& spec : all)
    for (const std::string& name : spec.targets)
      EXPECT_TRUE(std::any_of(kernel_targets().begin(), kernel_targets().end(), [&](const Target& target) {
        return name == target.name;
      })) << name;
}

TEST(KernelBench, RefusesUnknownGroups) {
  EXPECT_THROW(run_kernel_bench({.groups = {"nonsense"}}, [](const KernelResult&) {}), Error);
}

TEST(KernelBench, AWorkFasterThanItsRoofFails) {
  // The roof claims that the work cannot take less than 0.4 ms; the work takes 0.2 ms.
  KernelWork work;
  work.cost = {1000, 1000};
  work.run = [] { spin(0.2e-3); };
  work.roofs.push_back({"slow", true, 1000.0, [] { spin(0.4e-3); }});
  ThreadPool pool(1);
  CoreWatch cores(pool);
  const RivalLibraries none(false);
  KernelResult result = timed({pool, cores, kernels(), none, 0.005}, work);
  EXPECT_NEAR(result.roofline_share, 2, 0.5);
  EXPECT_EQ(result.roof, "slow");
  result.disturbed = false;
  result.alone = 1;
  try {
    check_roofs({row(0.9), result});
    FAIL() << "a share of 2 must fail";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::internal);
    EXPECT_NE(std::string(e.what()).find("roof is wrong"), std::string::npos) << e.what();
  }
  result.alone = 0;
  EXPECT_NO_THROW(check_roofs({result})) << "shared cores prove nothing";
  EXPECT_NO_THROW(check_roofs({row(1.02)}));
  EXPECT_THROW(check_roofs({row(1.03)}), Error);
}

TEST(KernelBench, TheSlowestRoofBinds) {
  KernelWork work;
  work.cost = {1000, 2000};
  work.run = [] { spin(0.4e-3); };
  work.roofs.push_back({"fma", true, 1000.0, [] { spin(0.1e-3); }});
  work.roofs.push_back({"read", false, 1000.0, [] { spin(0.1e-3); }});  // 2000 bytes: 0.2 ms
  ThreadPool pool(1);
  CoreWatch cores(pool);
  const Measurement m = measure(work, cores, 0.005);
  EXPECT_EQ(m.roof, "read");
  EXPECT_NEAR(m.share, 0.5, 0.15);
}

TEST(KernelBench, RivalsAndPreparationAreNotPartOfTheWork) {
  int prepared = 0, ran = 0;
  KernelWork work;
  work.cost = {1000, 1000};
  work.prepare = [&] {
    ++prepared;
    spin(2e-3);
  };
  work.run = [&] {
    ++ran;
    spin(0.2e-3);
  };
  work.rivals.push_back({"other", [] {}, [] { spin(0.6e-3); }});
  ThreadPool pool(1);
  CoreWatch cores(pool);
  const Measurement m = measure(work, cores, 0.002);
  EXPECT_EQ(prepared, ran);
  EXPECT_NEAR(m.seconds, 0.2e-3, 0.1e-3);
  ASSERT_EQ(m.rival_seconds.size(), 1u);
  EXPECT_NEAR(m.rival_seconds[0].second, 0.6e-3, 0.2e-3);
}

TEST(KernelBench, RowsAreJudgedByTheTable) {
  EXPECT_EQ(judge(row(0.88)).text, "pass");
  const Verdict miss = judge(row(0.87));
  EXPECT_TRUE(miss.stated);
  EXPECT_FALSE(miss.passed);
  EXPECT_EQ(miss.text, "miss: share 0.87 < 0.88");
  KernelResult fast = row(0, "oneDNN, to 512^3", 2);
  EXPECT_FALSE(judge(fast).stated) << "no rival, no verdict";
  fast.rivals = {{"onednn", 90}};
  EXPECT_EQ(judge(fast).text, "miss: against onednn 1.11 < 1.20");
  fast.threads = 1;
  EXPECT_FALSE(judge(fast).stated) << "stated for two threads";
  KernelResult memory = row(0, "attention memory");
  memory.value = 2.5;
  EXPECT_FALSE(judge(memory).passed);
  EXPECT_FALSE(judge(row(0.5, "nothing")).stated);
}

TEST(KernelBench, MeansAreGeometric) {
  const auto means = judge_together({row(0.80, "layer products"), row(0.98, "layer products")});
  ASSERT_EQ(means.size(), 1u);
  EXPECT_EQ(means[0].first, "layer products, geometric mean of 2 rows with one thread");
  EXPECT_TRUE(means[0].second.passed) << means[0].second.text;
  EXPECT_NE(means[0].second.text.find("0.885"), std::string::npos) << means[0].second.text;
}

// What is measured as a rival computes the same product.
TEST(Rivals, ComputeTheSameProduct) {
  const RivalLibraries rivals(true);
  constexpr Index kM = 5, kN = 7, kK = 3;
  std::vector<float> a(kM * kK), b(kK * kN);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 5) - 2;
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i % 7) - 3;
  bool any = false;
  for (const auto& [ta, tb, accumulate] :
       {std::tuple{false, true, false}, std::tuple{false, false, false}, std::tuple{true, false, true}}) {
    std::vector<float> c(kM * kN), expected(c.size(), accumulate ? 1.0f : 0.0f);
    for (Index i = 0; i < kM; ++i)
      for (Index j = 0; j < kN; ++j)
        for (Index p = 0; p < kK; ++p)
          expected[static_cast<std::size_t>(i * kN + j)] +=
              a[static_cast<std::size_t>(ta ? p * kM + i : i * kK + p)] *
              b[static_cast<std::size_t>(tb ? j * kK + p : p * kN + j)];
    const RivalProduct product{ta, tb, accumulate, kM, kN, kK, a.data(), b.data(), c.data()};
    std::vector<RivalRun> runs = rivals.plain(product, 2);
    if (!ta)
      for (RivalRun& run : rivals.packed(product, 1)) runs.push_back(std::move(run));
    for (const RivalRun& run : runs) {
      any = true;
      std::fill(c.begin(), c.end(), accumulate ? 1.0f : 0.0f);
      run.select();
      run.run();
      EXPECT_EQ(c, expected) << run.name;
    }
  }
  if (!any) GTEST_SKIP() << "skipped: neither OpenBLAS nor oneDNN is installed";
}

}  // namespace
}  // namespace smallmind
