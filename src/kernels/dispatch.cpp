// Builds the tables of the instruction sets that this CPU can run and chooses one for the process.
//
// Each table is a copy of the one below it with the entries replaced that the ISA does better: scalar -> avx2
// -> avx512, on AArch64 scalar -> neon. Nothing compiled for an ISA runs before CPUID (and the operating
// system's XCR0, which cpu_features reads too) has confirmed every feature that the folder's flags allow the
// compiler to use.
#include "kernels/dispatch.h"

#include <array>
#include <cstdlib>
#include <string>

#include "base/cpu.h"
#include "base/error.h"
#include "kernels/overrides.h"

namespace smallmind {
namespace {

// x86-64-v2 is what the whole program is compiled for; the flags of the folders stand in src/CMakeLists.txt.
bool runs_scalar(const CpuFeatures&) noexcept {
  return true;
}

#if defined(__aarch64__)
bool runs_neon(const CpuFeatures&) noexcept {
  return true;  // part of every AArch64
}
#else
bool runs_avx2(const CpuFeatures& cpu) noexcept {
  return cpu.avx2 && cpu.fma && cpu.f16c;
}

bool runs_avx512(const CpuFeatures& cpu) noexcept {
  return runs_avx2(cpu) && cpu.avx512f && cpu.avx512bw && cpu.avx512dq && cpu.avx512vl;
}
#endif

void override_scalar(KernelTable& table) noexcept {
  override_scalar_rows(table);
  override_scalar_attention(table);
  override_scalar_gemm(table);
}

#if defined(__aarch64__)
void override_neon(KernelTable& table) noexcept {
  override_neon_rows(table);
  override_neon_attention(table);
  override_neon_gemm(table);
}
#else
void override_avx2(KernelTable& table) noexcept {
  override_avx2_rows(table);
  override_avx2_attention(table);
  override_avx2_gemm(table);
}

void override_avx512(KernelTable& table) noexcept {
  override_avx512_rows(table);
  override_avx512_attention(table);
  override_avx512_gemm(table);
}
#endif

struct Isa {
  const char* name;
  bool (*supported)(const CpuFeatures&) noexcept;
  void (*override_entries)(KernelTable&) noexcept;
};

constexpr std::array kIsas {
  Isa{"scalar", runs_scalar, override_scalar},
#if defined(__aarch64__)
      Isa{"neon", runs_neon, override_neon},
#else
      Isa{"avx2", runs_avx2, override_avx2}, Isa{"avx512", runs_avx512, override_avx512},
#endif
};

struct Tables {
  std::array<KernelTable, kIsas.size()> table{};
  std::size_t count = 0;  // the first `count` tables can run here

  Tables() noexcept {
    const CpuFeatures cpu = cpu_features();
    while (count < kIsas.size() && kIsas[count].supported(cpu)) {
      if (count > 0) table[count] = table[count - 1];
      kIsas[count].override_entries(table[count]);
      table[count].isa = kIsas[count].name;
      ++count;
    }
  }
};

const Tables& tables() noexcept {
  static const Tables instance;
  return instance;
}

const KernelTable& choose() {
  const char* forced = std::getenv("SMALLMIND_ISA");
  if (forced != nullptr && *forced != '\0') return kernels_for(forced);
  return tables().table[tables().count - 1];
}

}  // namespace

const KernelTable& kernels() {
  static const KernelTable& chosen = choose();
  return chosen;
}

const KernelTable& kernels_for(std::string_view isa) {
  const Tables& all = tables();
  for (std::size_t i = 0; i < all.count; ++i) {
    if (isa == all.table[i].isa) return all.table[i];
  }
  std::string names;
  for (std::size_t i = 0; i < all.count; ++i) names += std::string(i == 0 ? "" : ", ") + all.table[i].isa;
  fail_input("[SMALLMIND_ISA] one of the instruction sets that this CPU runs ({}) expected, \"{}\" found",
             names, isa);
}

std::vector<std::string_view> available_isas() {
  const Tables& all = tables();
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < all.count; ++i) names.emplace_back(all.table[i].isa);
  return names;
}

}  // namespace smallmind
