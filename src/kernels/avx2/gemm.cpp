// f32 products with AVX2 and FMA: generic/gemm.inl over 8-lane vectors.
//
// Tile: 6 rows x 16 columns = 12 accumulators, 2 vectors of B, 1 broadcast of A: 15 of 16 registers. 12 FMAs
// take 6 cycles on two units, need 8 loads of the 12 that two ports give, and cover latency 5 (10 chains).
// Four rows of 24 columns would do as well from L1, but read one and a half times as much of B from L2.
#include <immintrin.h>

#include "kernels/kernels.h"
#include "kernels/overrides.h"

namespace smallmind {
namespace {

alignas(64) constexpr std::int32_t kMaskLanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

struct Vec {
  using Reg = __m256;
  using Mask = __m256i;
  static constexpr Index kLanes = 8;
  static constexpr int kRegisters = 16;
  static Mask mask(Index lanes) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMaskLanes + 8 - lanes));
  }
  static Reg zero() { return _mm256_setzero_ps(); }
  static Reg load(const float* p) { return _mm256_loadu_ps(p); }
  static Reg load(const float* p, Mask mask) { return _mm256_maskload_ps(p, mask); }
  static Reg load_f16(const std::uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static Reg load_bf16(const std::uint16_t* p) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
  }
  static Reg broadcast(const float* p) { return _mm256_broadcast_ss(p); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }
  // As the instruction: from the intrinsic GCC 12 takes three forms, lets accumulators change places between
  // steps of k and keeps one of 12 in memory.
  static Reg fma_in_place(Reg a, Reg b, Reg c) {
    asm("vfmadd231ps %2, %1, %0" : "+x"(c) : "x"(a), "x"(b));
    return c;
  }
  static Reg add(Reg a, Reg b) { return _mm256_add_ps(a, b); }
  static void store(float* p, Reg x) { _mm256_storeu_ps(p, x); }
  static void store(float* p, Mask mask, Reg x) { _mm256_maskstore_ps(p, mask, x); }
};

constexpr int kPanelVectors = 2;
constexpr int kTileRows = 6;
constexpr int kStepsAtOnce = 2;
constexpr int kPanelsAtOnce[kTileRows + 1] = {1, 4, 3, 2, 1, 1, 1};  // indexed by rows
constexpr Index kPoorRows = 4;
constexpr Index kBlockK = 384;  // a slab of A takes 9 KiB of L1
constexpr Index kBlockKCopied = 384;
constexpr Index kBlockFloats = 320 * 1024 / 4;  // of B: five eighths of an L2 of 512 KiB
constexpr Index kFarBytes = 20 * 1024;          // asked for ahead of use: 80 GB/s times the 250 ns of memory
constexpr Index kFewRowsBytes = 1024;           // likewise where the core reads as fast as it can
constexpr Index kNearBytes = 0;  // likewise of a block that waits in L2, which the core follows by itself

// out[c * out_stride + r] = in[r * stride + c] for 8 x 8; rows and columns beyond the given ones read as
// zero, and only `columns` vectors are written.
void transpose_square(const float* in, Index stride, Index rows, Index columns, float* out,
                      Index out_stride) noexcept {
  const __m256i mask = Vec::mask(columns);
  __m256 r[8], t[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i)
    r[i] = i < rows ? _mm256_maskload_ps(in + i * stride, mask) : _mm256_setzero_ps();
#pragma GCC unroll 8
  for (int i = 0; i < 8; i += 4) {  // 4 x 4 blocks inside the 128-bit lanes
    const __m256 ab_lo = _mm256_unpacklo_ps(r[i], r[i + 1]), ab_hi = _mm256_unpackhi_ps(r[i], r[i + 1]);
    const __m256 cd_lo = _mm256_unpacklo_ps(r[i + 2], r[i + 3]),
                 cd_hi = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);
    t[i] = _mm256_shuffle_ps(ab_lo, cd_lo, 0x44);
    t[i + 1] = _mm256_shuffle_ps(ab_lo, cd_lo, 0xEE);
    t[i + 2] = _mm256_shuffle_ps(ab_hi, cd_hi, 0x44);
    t[i + 3] = _mm256_shuffle_ps(ab_hi, cd_hi, 0xEE);
  }
#pragma GCC unroll 8
  for (int j = 0; j < 4; ++j) {  // the 2 x 2 matrix of lanes
    r[j] = _mm256_permute2f128_ps(t[j], t[j + 4], 0x20);
    r[j + 4] = _mm256_permute2f128_ps(t[j], t[j + 4], 0x31);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    if (i < columns) _mm256_storeu_ps(out + i * out_stride, r[i]);
  }
}

#include "kernels/generic/gemm.inl"

}  // namespace

void override_avx2_gemm(KernelTable& table) noexcept {
  table.panel_width = kPanel;
  table.pack_panels = pack_panels;
  table.slab_rows = kTileRows;
  table.block_floats = kBlockFloats;
  table.gemm = gemm;
}

}  // namespace smallmind
