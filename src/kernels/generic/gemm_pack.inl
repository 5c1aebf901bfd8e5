// Packing B(k, n) into panels [panel][k][kPanel], the last one padded with zeros. A part of gemm.inl, which
// defines what it uses; transpose_square() is the instruction set's own.

// One panel of a B whose rows are contiguous: vectors are copied.
void pack_rows(const float* b, Index k_stride, Index k, Index columns, float* out) noexcept {
  Vec::Mask masks[kPanelVectors];
  for (Index v = 0; v < kPanelVectors; ++v) masks[v] = Vec::mask(max(0, min(kLanes, columns - v * kLanes)));
  for (Index p = 0; p < k; ++p) {
#pragma GCC unroll 8
    for (Index v = 0; v < kPanelVectors; ++v) {
      const float* from = b + p * k_stride + v * kLanes;
      __builtin_prefetch(from + kPanel, 0, 2);
      Vec::store(out + p * kPanel + v * kLanes,
                 columns == kPanel ? Vec::load(from) : Vec::load(from, masks[v]));
    }
  }
}

// One panel of a B whose columns are contiguous (the transpose of a row-major weight): squares are turned in
// registers, in as many streams of reads as prefetchers follow.
void pack_columns(const float* b, Index n_stride, Index k, Index columns, float* out) noexcept {
  for (Index v = 0; v < kPanelVectors; ++v) {
    const Index rows = max(0, min(kLanes, columns - v * kLanes));
    for (Index p = 0; p < k; p += kLanes) {
      transpose_square(b + v * kLanes * n_stride + p, n_stride, rows, min(kLanes, k - p),
                       out + p * kPanel + v * kLanes, kPanel);
    }
  }
}

void pack_panels(const float* b, Index k_stride, Index n_stride, Index k, Index n, float* panels) noexcept {
  for (Index j = 0; j < n; j += kPanel) {
    float* out = panels + j * k;
    const float* from = b + j * n_stride;
    const Index columns = min(kPanel, n - j);
    if (n_stride == 1) {
      pack_rows(from, k_stride, k, columns, out);
    } else if (k_stride == 1) {
      pack_columns(from, n_stride, k, columns, out);
    } else {
      for (Index p = 0; p < k; ++p) {
        for (Index c = 0; c < kPanel; ++c)
          out[p * kPanel + c] = c < columns ? from[p * k_stride + c * n_stride] : 0.0F;
      }
    }
  }
}
