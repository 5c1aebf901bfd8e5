// f32 products with NEON: generic/gemm.inl over 4-lane vectors.
//
// Tile: 8 rows x 12 columns = 24 accumulators, 3 vectors of B, 1 value of A: 28 of 32 registers. 24 FMAs need
// 11 loads, and cover latency 4 on two units and on four.
#include <arm_neon.h>

#include "kernels/kernels.h"
#include "kernels/overrides.h"

namespace smallmind {
namespace {

struct Vec {
  using Reg = float32x4_t;
  using Mask = Index;  // NEON has no masks: the number of lanes, moved one by one below 4
  static constexpr Index kLanes = 4;
  static constexpr int kRegisters = 32;
  static Mask mask(Index lanes) { return lanes; }
  static Reg zero() { return vdupq_n_f32(0.0F); }
  static Reg load(const float* p) { return vld1q_f32(p); }
  static Reg load(const float* p, Mask mask) {
    if (mask == kLanes) return load(p);
    Reg x = zero();
    if (mask > 0) x = vld1q_lane_f32(p, x, 0);
    if (mask > 1) x = vld1q_lane_f32(p + 1, x, 1);
    if (mask > 2) x = vld1q_lane_f32(p + 2, x, 2);
    return x;
  }
  static Reg load_f16(const std::uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
  static Reg load_bf16(const std::uint16_t* p) {
    return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(vld1_u16(p)), 16));
  }
  static Reg broadcast(const float* p) { return vld1q_dup_f32(p); }
  static Reg fma(Reg a, Reg b, Reg c) { return vfmaq_f32(c, a, b); }
  static Reg fma_in_place(Reg a, Reg b, Reg c) { return fma(a, b, c); }
  static Reg add(Reg a, Reg b) { return vaddq_f32(a, b); }
  static void store(float* p, Reg x) { vst1q_f32(p, x); }
  static void store(float* p, Mask mask, Reg x) {
    if (mask == kLanes) return store(p, x);
    if (mask > 0) vst1q_lane_f32(p, x, 0);
    if (mask > 1) vst1q_lane_f32(p + 1, x, 1);
    if (mask > 2) vst1q_lane_f32(p + 2, x, 2);
  }
};

constexpr int kPanelVectors = 3;
constexpr int kTileRows = 8;
constexpr int kStepsAtOnce = 1;
constexpr int kPanelsAtOnce[kTileRows + 1] = {1, 4, 3, 2, 2, 1, 1, 1, 1};  // indexed by rows
constexpr Index kPoorRows = 0;
constexpr Index kBlockK = 384;  // a slab of A takes 12 KiB of L1
constexpr Index kBlockKCopied = 384;
constexpr Index kBlockFloats = 256 * 1024 / 4;  // of B: half of an L2 of 512 KiB
constexpr Index kFarBytes = 20 * 1024;          // asked for ahead of use: 80 GB/s times the 250 ns of memory
constexpr Index kFewRowsBytes = kFarBytes;
constexpr Index kNearBytes = 3 * 1024;  // likewise of a block that waits in L2

// out[c * out_stride + r] = in[r * stride + c] for 4 x 4; rows and columns beyond the given ones read as
// zero, and only `columns` vectors are written.
void transpose_square(const float* in, Index stride, Index rows, Index columns, float* out,
                      Index out_stride) noexcept {
  float32x4_t r[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) r[i] = i < rows ? Vec::load(in + i * stride, columns) : Vec::zero();
  const auto pairs = [](float32x4_t x) { return vreinterpretq_f64_f32(x); };
  const float64x2_t ab_even = pairs(vtrn1q_f32(r[0], r[1])), ab_odd = pairs(vtrn2q_f32(r[0], r[1]));
  const float64x2_t cd_even = pairs(vtrn1q_f32(r[2], r[3])), cd_odd = pairs(vtrn2q_f32(r[2], r[3]));
  const float64x2_t turned[4] = {vtrn1q_f64(ab_even, cd_even), vtrn1q_f64(ab_odd, cd_odd),
                                 vtrn2q_f64(ab_even, cd_even), vtrn2q_f64(ab_odd, cd_odd)};
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    if (i < columns) vst1q_f32(out + i * out_stride, vreinterpretq_f32_f64(turned[i]));
  }
}

#include "kernels/generic/gemm.inl"

}  // namespace

void override_neon_gemm(KernelTable& table) noexcept {
  table.panel_width = kPanel;
  table.pack_panels = pack_panels;
  table.slab_rows = kTileRows;
  table.block_floats = kBlockFloats;
  table.gemm = gemm;
}

}  // namespace smallmind
