// Decoding of CPUID words of CPUs that are not here, and sane answers for the one that is.
#include "base/cpu.h"

#include <gtest/gtest.h>

namespace smallmind {
namespace {

TEST(Cpu, FeaturesNeedTheSystemsSupport) {
  CpuidWords words;
  words.leaf1_ecx = 1u << 12 | 1u << 20 | 1u << 29;
  words.leaf7_ebx = 1u << 5 | 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
  words.leaf7_ecx = 1u << 11;
  words.leaf7_edx = 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25;
  words.leaf7_1_eax = 1u << 4 | 1u << 5;

  EXPECT_EQ(decode_features(words).to_string(), "sse4.2");
  words.xcr0 = 0x7;
  EXPECT_EQ(decode_features(words).to_string(), "sse4.2 avx2 fma f16c avxvnni");
  words.xcr0 = 0xE7;
  const CpuFeatures f = decode_features(words);
  EXPECT_TRUE(f.avx512f && f.avx512bw && f.avx512dq && f.avx512vl && f.avx512vnni && f.avx512bf16 &&
              f.avx512fp16);
  EXPECT_FALSE(f.amx_tile || f.amx_int8 || f.amx_bf16);
  words.xcr0 = 0x602E7;
  EXPECT_TRUE(decode_features(words).amx_tile);
  EXPECT_EQ(decode_features(CpuidWords{}).to_string(), "");
}

TEST(Cpu, AgreesWithTheCompilersRuntime) {
#if defined(__x86_64__)
  const CpuFeatures f = cpu_features();
  EXPECT_EQ(f.sse42, __builtin_cpu_supports("sse4.2") != 0);
  EXPECT_EQ(f.avx2, __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ(f.fma, __builtin_cpu_supports("fma") != 0);
  EXPECT_EQ(f.avx512f, __builtin_cpu_supports("avx512f") != 0);
  EXPECT_EQ(f.avx512vnni, __builtin_cpu_supports("avx512vnni") != 0);
  EXPECT_EQ(f.avx512bf16, __builtin_cpu_supports("avx512bf16") != 0);
#else
  GTEST_SKIP() << "skipped: not an x86 CPU";
#endif
}

TEST(Cpu, CachesFromSysfsAndCpuidAreSane) {
  EXPECT_FALSE(cpu_model().empty());
  for (const char* root : {"/", "/nowhere"}) {  // the second has no sysfs, so CPUID answers
    const CacheSizes sizes = cache_sizes(root);
#if defined(__x86_64__)
    EXPECT_GE(sizes.l1d, 8 << 10) << root;
    EXPECT_LE(sizes.l1d, 1 << 20) << root;
    EXPECT_GE(sizes.l2, sizes.l1d) << root;
#endif
    EXPECT_GE(sizes.l3_cpus, 0) << root;
  }
}

}  // namespace
}  // namespace smallmind
