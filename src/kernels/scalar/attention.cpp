// Attention at the vector width of this folder's vec.h. One lane: the compiler keeps what it can of a tile of
// 6 x 4.
#include "kernels/overrides.h"

// clang-format off
#include "kernels/scalar/vec.h"
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

void override_scalar_attention(KernelTable& table) noexcept {
  install_attention(table);
}

}  // namespace smallmind
