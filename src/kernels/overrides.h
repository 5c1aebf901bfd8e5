// The functions through which the ISA folders fill the kernel table: override_<isa>_<file> sets the entries
// that <isa>/<file>.cpp implements. Only dispatch.cpp calls them, and only after CPUID has named the
// instruction set, because their own code is compiled for it.
//
// - rows: everything of generic/rows.inl: norms, elementwise, reductions, softmax, RoPE, AdamW, storage types
//   and peaks.
// - gemm: pack_panels, gemm and panel_width.
// - attention: pack_keys, attention_forward and attention_backward with its scratch.
#pragma once

#include "kernels/kernels.h"

namespace smallmind {

void override_scalar_gemm(KernelTable& table) noexcept;
void override_scalar_rows(KernelTable& table) noexcept;
void override_scalar_attention(KernelTable& table) noexcept;

void override_avx2_gemm(KernelTable& table) noexcept;
void override_avx2_rows(KernelTable& table) noexcept;
void override_avx2_attention(KernelTable& table) noexcept;

void override_avx512_gemm(KernelTable& table) noexcept;
void override_avx512_rows(KernelTable& table) noexcept;
void override_avx512_attention(KernelTable& table) noexcept;

void override_neon_gemm(KernelTable& table) noexcept;
void override_neon_rows(KernelTable& table) noexcept;
void override_neon_attention(KernelTable& table) noexcept;

}  // namespace smallmind
