// Loops over contiguous elements: whole vectors, then one masked vector. Included after an ISA's vec.h.
//
// flatten inlines the whole body, however large, so that constants stay in registers. Loads come before
// stores, so out may equal an input. Four vectors a turn let the compiler interleave four chains of dependent
// instructions: a GELU is one of 50 cycles, of which the schedulers hold too few to fill the pipes.
#pragma once

namespace smallmind {
namespace {

// out[i] = f(x[i])
template <typename F>
[[gnu::flatten]] inline void map(const float* x, Index n, float* out, F f) {
  Index i = 0;
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
    const Vec a = load(x + i), b = load(x + i + kWidth);
    const Vec c = load(x + i + 2 * kWidth), d = load(x + i + 3 * kWidth);
    const Vec fa = f(a), fb = f(b), fc = f(c), fd = f(d);
    store(out + i, fa);
    store(out + i + kWidth, fb);
    store(out + i + 2 * kWidth, fc);
    store(out + i + 3 * kWidth, fd);
  }
  for (; i + kWidth <= n; i += kWidth) store(out + i, f(load(x + i)));
  if (i < n) store_n(out + i, f(load_n(x + i, n - i)), n - i);
}

// out[i] = f(a[i], b[i])
template <typename F>
[[gnu::flatten]] inline void map(const float* a, const float* b, Index n, float* out, F f) {
  Index i = 0;
  for (; i + kWidth <= n; i += kWidth) store(out + i, f(load(a + i), load(b + i)));
  if (i < n) store_n(out + i, f(load_n(a + i, n - i), load_n(b + i, n - i)), n - i);
}

// out[i] = f(a[i], b[i]) or, where accumulate, out[i] += f(a[i], b[i])
template <typename F>
[[gnu::flatten]] inline void map_gradient(const float* a, const float* b, Index n, float* out,
                                          bool accumulate, F f) {
  if (!accumulate) return map(a, b, n, out, f);
  Index i = 0;
  for (; i + kWidth <= n; i += kWidth) store(out + i, load(out + i) + f(load(a + i), load(b + i)));
  if (i < n) store_n(out + i, load_n(out + i, n - i) + f(load_n(a + i, n - i), load_n(b + i, n - i)), n - i);
}

}  // namespace
}  // namespace smallmind
