// Attention at the vector width of this folder's vec.h. A tile of 6 x 16 floats: 12 of the 16 registers
// accumulate.
#include "kernels/overrides.h"

// clang-format off
#include "kernels/avx2/vec.h"
// clang-format on

namespace smallmind {
namespace {
constexpr int kTileVectors = 2;
}
}  // namespace smallmind

// clang-format off
#include "kernels/generic/math.inl"
#include "kernels/generic/attention_tile.inl"
#include "kernels/generic/attention_pack.inl"
#include "kernels/generic/attention.inl"
#include "kernels/generic/attention_backward.inl"
// clang-format on

namespace smallmind {

void override_avx2_attention(KernelTable& table) noexcept {
  install_attention(table);
}

}  // namespace smallmind
