// The row kernels of generic/ at the vector width of this folder's vec.h, which must come first.
#include "kernels/neon/vec.h"

#include "kernels/generic/rows.inl"
#include "kernels/overrides.h"

namespace smallmind {

void override_neon_rows(KernelTable& table) noexcept {
  install_rows(table);
}

}  // namespace smallmind
