// pack_keys: rows of keys -> panels of 16 positions, [S/16][K][16] (attention_tile.inl's B). Keys come one by
// one while decoding, in fours where a position is a multiple of four, and as whole panels where a vector
// holds 16.

namespace smallmind {
namespace {

typedef float Quad __attribute__((vector_size(16)));

// Transposes keys k .. k + 3 of a panel, four components at a time: one shuffle per two elements instead of a
// scattered store each.
void pack_quads(const float* keys, Index stride, Index head_width, float* panel) {
  for (Index d = 0; d + 4 <= head_width; d += 4) {
    Quad r[4];
    for (int i = 0; i < 4; ++i) __builtin_memcpy(&r[i], keys + i * stride + d, sizeof(Quad));
    const Quad a = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5),
               b = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
    const Quad e = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7),
               f = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
    const Quad t[4] = {__builtin_shufflevector(a, b, 0, 1, 4, 5), __builtin_shufflevector(a, b, 2, 3, 6, 7),
                       __builtin_shufflevector(e, f, 0, 1, 4, 5), __builtin_shufflevector(e, f, 2, 3, 6, 7)};
    for (int i = 0; i < 4; ++i) __builtin_memcpy(panel + (d + i) * kKeyPanel, &t[i], sizeof(Quad));
  }
  for (Index d = head_width / 4 * 4; d < head_width; ++d) {
    for (Index i = 0; i < 4; ++i) panel[d * kKeyPanel + i] = keys[i * stride + d];
  }
}

// Transposes a whole panel, 16 components at a time, where a vector holds 16: 64 shuffles for 256 elements,
// half of what quads take. First pairs, then quads of rows are interleaved within the 128-bit lanes; then the
// 4 x 4 matrix of lanes is transposed.
template <class V>
void pack_panel(const float* keys, Index stride, Index head_width, float* panel) {
  for (Index d = 0; d < head_width; d += 16, panel += 16 * kKeyPanel) {
    V r[16], t[16];
    for (int i = 0; i < 16; ++i) __builtin_memcpy(&r[i], keys + i * stride + d, sizeof(V));
    for (int i = 0; i < 16; i += 2) {
      t[i] =
          __builtin_shufflevector(r[i], r[i + 1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
      t[i + 1] =
          __builtin_shufflevector(r[i], r[i + 1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
    }
    for (int i = 0; i < 16; i += 4) {
      for (int j = 0; j < 2; ++j) {
        const V a = t[i + j], b = t[i + j + 2];
        r[i + 2 * j] =
            __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
        r[i + 2 * j + 1] =
            __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
      }
    }
    for (int j = 0; j < 4; ++j) {
      const V a =
          __builtin_shufflevector(r[j], r[j + 4], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
      const V b =
          __builtin_shufflevector(r[j], r[j + 4], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
      const V c = __builtin_shufflevector(r[j + 8], r[j + 12], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24,
                                          25, 26, 27);
      const V e = __builtin_shufflevector(r[j + 8], r[j + 12], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28,
                                          29, 30, 31);
      t[j] = __builtin_shufflevector(a, c, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
      t[j + 8] = __builtin_shufflevector(a, c, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
      t[j + 4] = __builtin_shufflevector(b, e, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
      t[j + 12] = __builtin_shufflevector(b, e, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    }
    for (int i = 0; i < 16; ++i) __builtin_memcpy(panel + i * kKeyPanel, &t[i], sizeof(V));
  }
}

void pack_keys(const float* keys, Index stride, Index count, Index head_width, Index first,
               float* panels) noexcept {
  Index i = 0;
  while (i < count) {
    const Index position = first + i;
    float* panel = panels + position / kKeyPanel * kKeyPanel * head_width + position % kKeyPanel;
    if constexpr (kWidth == 16) {
      if (position % 16 == 0 && i + 16 <= count && head_width % 16 == 0) {
        pack_panel<Vec>(keys + i * stride, stride, head_width, panel);
        i += 16;
        continue;
      }
    }
    if (position % 4 == 0 && i + 4 <= count) {
      pack_quads(keys + i * stride, stride, head_width, panel);
      i += 4;
    } else {
      for (Index d = 0; d < head_width; ++d) panel[d * kKeyPanel] = keys[i * stride + d];
      i += 1;
    }
  }
}

}  // namespace
}  // namespace smallmind
