// Attention at the vector width of this folder's vec.h. A tile of 6 x 64 floats: 24 of the 32 registers
// accumulate.
#include "kernels/overrides.h"

// clang-format off
#include "kernels/avx512/vec.h"
// clang-format on

namespace smallmind {
namespace {
constexpr int kTileVectors = 4;
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

void override_avx512_attention(KernelTable& table) noexcept {
  install_attention(table);
}

}  // namespace smallmind
