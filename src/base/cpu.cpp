// CPUID and sysfs; see cpu.h.
#include "base/cpu.h"

#include <array>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/cgroup.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace smallmind {
namespace {

struct Registers {
  std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(std::uint32_t leaf, std::uint32_t subleaf) noexcept {
  Registers r;
#if defined(__x86_64__)
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx,
                    &r.edx);  // leaves zeros where the leaf does not exist
#else
  (void)leaf, (void)subleaf;
#endif
  return r;
}

constexpr bool bit(std::uint64_t word, int index) noexcept {
  return (word >> index & 1) != 0;
}

// "48K", "1024K", "32M" as sysfs writes it; 0 when it is something else.
std::int64_t parse_cache_size(std::string_view text) noexcept {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value < 0) return 0;
  if (end == text.data() + text.size()) return value;
  return *end == 'K' ? value << 10 : *end == 'M' ? value << 20 : value;
}

void note_cache(CacheSizes& sizes, int level, std::int64_t bytes, int cpus) noexcept {
  if (level == 1) sizes.l1d = bytes;
  if (level == 2) sizes.l2 = bytes;
  if (level == 3) sizes.l3 = bytes, sizes.l3_cpus = cpus;
}

CacheSizes caches_from_sysfs(const std::filesystem::path& root) {
  CacheSizes sizes;
  for (int index = 0; index < 8; ++index) {
    const auto folder = root / "sys/devices/system/cpu/cpu0/cache" / ("index" + std::to_string(index));
    const std::string type = read_small_file(folder / "type");
    if (type != "Data" && type != "Unified") continue;
    const std::string level = read_small_file(folder / "level");
    if (level.size() != 1) continue;
    const auto sharers = parse_cpu_list(read_small_file(folder / "shared_cpu_list"));
    note_cache(sizes, level[0] - '0', parse_cache_size(read_small_file(folder / "size")),
               static_cast<int>(sharers.size()));
  }
  return sizes;
}

// Both leaves have the same layout: eax = type (1 data, 3 unified), level, sharers - 1; sizes as (x + 1)
// products.
CacheSizes caches_from_cpuid() noexcept {
  CacheSizes sizes;
  for (const std::uint32_t leaf : {4u, 0x8000001Du}) {
    for (std::uint32_t index = 0; index < 8; ++index) {
      const Registers r = cpuid(leaf, index);
      const std::uint32_t type = r.eax & 31;
      if (type == 0) break;
      if (type == 2) continue;
      const std::int64_t ways = (r.ebx >> 22) + 1, partitions = (r.ebx >> 12 & 1023) + 1;
      const std::int64_t line = (r.ebx & 4095) + 1, sets = std::int64_t{r.ecx} + 1;
      note_cache(sizes, static_cast<int>(r.eax >> 5 & 7), ways * partitions * line * sets,
                 static_cast<int>((r.eax >> 14 & 4095) + 1));
    }
    if (sizes.l1d != 0) break;
  }
  return sizes;
}

}  // namespace

CpuidWords read_cpuid() noexcept {
  CpuidWords words;
  words.leaf1_ecx = cpuid(1, 0).ecx;
  const Registers leaf7 = cpuid(7, 0);
  words.leaf7_ebx = leaf7.ebx;
  words.leaf7_ecx = leaf7.ecx;
  words.leaf7_edx = leaf7.edx;
  if (leaf7.eax >= 1) words.leaf7_1_eax = cpuid(7, 1).eax;
#if defined(__x86_64__)
  if (bit(words.leaf1_ecx, 27)) {  // OSXSAVE: xgetbv may be executed
    std::uint32_t low = 0, high = 0;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    words.xcr0 = std::uint64_t{high} << 32 | low;
  }
#endif
  return words;
}

CpuFeatures decode_features(const CpuidWords& w) noexcept {
  const bool ymm = (w.xcr0 & 0x6) == 0x6;
  const bool zmm = (w.xcr0 & 0xE6) == 0xE6;
  const bool tile = (w.xcr0 & 0x60000) == 0x60000;
  CpuFeatures f;
  f.sse42 = bit(w.leaf1_ecx, 20);
  f.fma = ymm && bit(w.leaf1_ecx, 12);
  f.f16c = ymm && bit(w.leaf1_ecx, 29);
  f.avx2 = ymm && bit(w.leaf7_ebx, 5);
  f.avxvnni = ymm && bit(w.leaf7_1_eax, 4);
  f.avx512f = zmm && bit(w.leaf7_ebx, 16);
  f.avx512dq = zmm && bit(w.leaf7_ebx, 17);
  f.avx512bw = zmm && bit(w.leaf7_ebx, 30);
  f.avx512vl = zmm && bit(w.leaf7_ebx, 31);
  f.avx512vnni = zmm && bit(w.leaf7_ecx, 11);
  f.avx512bf16 = zmm && bit(w.leaf7_1_eax, 5);
  f.avx512fp16 = zmm && bit(w.leaf7_edx, 23);
  f.amx_tile = tile && bit(w.leaf7_edx, 24);
  f.amx_int8 = tile && bit(w.leaf7_edx, 25);
  f.amx_bf16 = tile && bit(w.leaf7_edx, 22);
  return f;
}

CpuFeatures cpu_features() noexcept {
  return decode_features(read_cpuid());
}

std::string CpuFeatures::to_string() const {
  const std::pair<bool, const char*> list[] = {{sse42, "sse4.2"},
                                               {avx2, "avx2"},
                                               {fma, "fma"},
                                               {f16c, "f16c"},
                                               {avxvnni, "avxvnni"},
                                               {avx512f, "avx512f"},
                                               {avx512bw, "avx512bw"},
                                               {avx512dq, "avx512dq"},
                                               {avx512vl, "avx512vl"},
                                               {avx512vnni, "avx512vnni"},
                                               {avx512bf16, "avx512bf16"},
                                               {avx512fp16, "avx512fp16"},
                                               {amx_tile, "amx-tile"},
                                               {amx_int8, "amx-int8"},
                                               {amx_bf16, "amx-bf16"}};
  std::string text;
  for (const auto& [present, name] : list) {
    if (!present) continue;
    if (!text.empty()) text += ' ';
    text += name;
  }
  return text;
}

std::string cpu_model() {
  std::array<char, 49> name{};
  if (cpuid(0x80000000u, 0).eax >= 0x80000004u) {
    for (std::uint32_t i = 0; i < 3; ++i) {
      const Registers r = cpuid(0x80000002u + i, 0);
      std::memcpy(name.data() + 16 * i, &r, sizeof r);
    }
  }
  std::string_view text = name.data();
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text.empty() ? "unknown CPU" : std::string(text);
}

CacheSizes cache_sizes(const std::filesystem::path& root) {
  const CacheSizes sizes = caches_from_sysfs(root);
  return sizes.l1d != 0 ? sizes : caches_from_cpuid();
}

}  // namespace smallmind
