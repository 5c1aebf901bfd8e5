// Storage types to f32: binary16 and bfloat16, both exact.
#pragma once

namespace smallmind {
namespace {

template <typename Load>
[[gnu::flatten]] inline void widen(const std::uint16_t* x, Index n, float* out, Load load_half) {
  Index i = 0;
  for (; i + kWidth <= n; i += kWidth) store(out + i, load_half(x + i));
  if (i < n) {
    std::uint16_t tail[kWidth] = {};
    for (Index j = 0; j < n - i; ++j) tail[j] = x[i + j];
    store_n(out + i, load_half(tail), n - i);
  }
}

void f16_to_f32_n(const std::uint16_t* x, Index n, float* out) noexcept {
  widen(x, n, out, [](const std::uint16_t* p) { return load_f16(p); });
}

void bf16_to_f32_n(const std::uint16_t* x, Index n, float* out) noexcept {
  widen(x, n, out, [](const std::uint16_t* p) { return load_bf16(p); });
}

void install_convert(KernelTable& table) noexcept {
  table.f16_to_f32 = f16_to_f32_n;
  table.bf16_to_f32 = bf16_to_f32_n;
}

}  // namespace
}  // namespace smallmind
