// What the CPU is: instruction sets that both the CPU and the operating system support, the model's name,
// cache sizes.
//
// A feature counts only if the system saves its registers (XCR0 by xgetbv): AVX needs bits 1-2, AVX-512 bits
// 5-7 too, AMX bits 17-18. AMX additionally needs a permission call (arch_prctl) before use; that is left to
// who uses it. Source: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace smallmind {

struct CpuFeatures {
  bool sse42 = false;
  bool avx2 = false;
  bool fma = false;
  bool f16c = false;
  bool avxvnni = false;  // the 256-bit form, without AVX-512
  bool avx512f = false;
  bool avx512bw = false;
  bool avx512dq = false;
  bool avx512vl = false;
  bool avx512vnni = false;
  bool avx512bf16 = false;
  bool avx512fp16 = false;
  bool amx_tile = false;
  bool amx_int8 = false;
  bool amx_bf16 = false;

  // The names of what is present, separated by blanks.
  std::string to_string() const;
};

// Raw CPUID words, so that decoding can be tested for CPUs that are not here.
struct CpuidWords {
  std::uint32_t leaf1_ecx = 0;
  std::uint32_t leaf7_ebx = 0, leaf7_ecx = 0, leaf7_edx = 0;
  std::uint32_t leaf7_1_eax = 0;
  std::uint64_t xcr0 = 0;  // 0 when the system does not use xsave
};

CpuidWords read_cpuid() noexcept;  // all zero off x86
CpuFeatures decode_features(const CpuidWords& words) noexcept;

// The features of the running CPU.
CpuFeatures cpu_features() noexcept;

// "AMD EPYC 9B45 128-Core Processor", or "unknown CPU".
std::string cpu_model();

// Bytes of one cache of each level as CPU 0 sees it; 0 means not known. l3_cpus: logical CPUs that share the
// L3.
struct CacheSizes {
  std::int64_t l1d = 0;
  std::int64_t l2 = 0;
  std::int64_t l3 = 0;
  int l3_cpus = 0;
};

// From sysfs below root, from CPUID (leaf 4 or 0x8000001D) where sysfs says nothing.
CacheSizes cache_sizes(const std::filesystem::path& root = "/");

}  // namespace smallmind
