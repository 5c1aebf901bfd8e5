// f32 products with AVX-512: generic/gemm.inl over 16-lane vectors.
//
// Tile: 8 rows x 48 columns = 24 accumulators, 3 vectors of B, 1 broadcast of A: 28 of 32 registers. 24 FMAs
// take 12 cycles on two units and need 11 loads of the 24 that two load ports give; 24 chains cover the 8
// that latency 4 asks for. The stream of B is 192 bytes in 12 cycles, a quarter of what L2 delivers.
#include <immintrin.h>

#include "kernels/kernels.h"
#include "kernels/overrides.h"

namespace smallmind {
namespace {

struct Vec {
  using Reg = __m512;
  using Mask = __mmask16;
  static constexpr Index kLanes = 16;
  static constexpr int kRegisters = 32;
  static Mask mask(Index lanes) { return static_cast<Mask>((1U << lanes) - 1U); }
  static Reg zero() { return _mm512_setzero_ps(); }
  static Reg load(const float* p) { return _mm512_loadu_ps(p); }
  static Reg load(const float* p, Mask mask) { return _mm512_maskz_loadu_ps(mask, p); }
  static Reg load_f16(const std::uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static Reg load_bf16(const std::uint16_t* p) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
  }
  static Reg broadcast(const float* p) { return _mm512_set1_ps(*p); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm512_fmadd_ps(a, b, c); }
  static Reg fma_in_place(Reg a, Reg b, Reg c) { return fma(a, b, c); }
  static Reg add(Reg a, Reg b) { return _mm512_add_ps(a, b); }
  static void store(float* p, Reg x) { _mm512_storeu_ps(p, x); }
  static void store(float* p, Mask mask, Reg x) { _mm512_mask_storeu_ps(p, mask, x); }
};

constexpr int kPanelVectors = 3;
constexpr int kTileRows = 8;
constexpr int kStepsAtOnce = 1;
constexpr int kPanelsAtOnce[kTileRows + 1] = {1, 4, 2, 2, 2, 1, 1, 1, 1};  // indexed by rows
constexpr Index kPoorRows = 0;
constexpr Index kBlockK = 512;                  // a slab of A takes 16 KiB of L1
constexpr Index kBlockKCopied = 384;            // 12 KiB, beside the lines that are copied
constexpr Index kBlockFloats = 640 * 1024 / 4;  // of B: five eighths of an L2 of 1 MiB
constexpr Index kFarBytes = 20 * 1024;          // asked for ahead of use: 80 GB/s times the 250 ns of memory
constexpr Index kFewRowsBytes = 1024;  // likewise where the core reads as fast as it can: just the next lines
constexpr Index kNearBytes = 3 * 1024;  // likewise of a block that waits in L2

// out[c * out_stride + r] = in[r * stride + c] for 16 x 16; rows and columns beyond the given ones read as
// zero, and only `columns` vectors are written.
void transpose_square(const float* in, Index stride, Index rows, Index columns, float* out,
                      Index out_stride) noexcept {
  const __mmask16 mask = Vec::mask(columns);
  __m512 r[16], t[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i)
    r[i] = i < rows ? _mm512_maskz_loadu_ps(mask, in + i * stride) : _mm512_setzero_ps();
#pragma GCC unroll 16
  for (int i = 0; i < 16; i += 4) {  // 4 x 4 blocks inside the 128-bit lanes
    const __m512 ab_lo = _mm512_unpacklo_ps(r[i], r[i + 1]), ab_hi = _mm512_unpackhi_ps(r[i], r[i + 1]);
    const __m512 cd_lo = _mm512_unpacklo_ps(r[i + 2], r[i + 3]),
                 cd_hi = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);
    t[i] = _mm512_shuffle_ps(ab_lo, cd_lo, 0x44);
    t[i + 1] = _mm512_shuffle_ps(ab_lo, cd_lo, 0xEE);
    t[i + 2] = _mm512_shuffle_ps(ab_hi, cd_hi, 0x44);
    t[i + 3] = _mm512_shuffle_ps(ab_hi, cd_hi, 0xEE);
  }
#pragma GCC unroll 16
  for (int j = 0; j < 4; ++j) {  // the 4 x 4 matrix of lanes
    const __m512 p = _mm512_shuffle_f32x4(t[j], t[j + 4], 0x88),
                 q = _mm512_shuffle_f32x4(t[j], t[j + 4], 0xDD);
    const __m512 u = _mm512_shuffle_f32x4(t[j + 8], t[j + 12], 0x88),
                 w = _mm512_shuffle_f32x4(t[j + 8], t[j + 12], 0xDD);
    r[j] = _mm512_shuffle_f32x4(p, u, 0x88);
    r[j + 8] = _mm512_shuffle_f32x4(p, u, 0xDD);
    r[j + 4] = _mm512_shuffle_f32x4(q, w, 0x88);
    r[j + 12] = _mm512_shuffle_f32x4(q, w, 0xDD);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) {
    if (i < columns) _mm512_storeu_ps(out + i * out_stride, r[i]);
  }
}

#include "kernels/generic/gemm.inl"

}  // namespace

void override_avx512_gemm(KernelTable& table) noexcept {
  table.panel_width = kPanel;
  table.pack_panels = pack_panels;
  table.slab_rows = kTileRows;
  table.block_floats = kBlockFloats;
  table.gemm = gemm;
}

}  // namespace smallmind
