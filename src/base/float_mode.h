// Flush-to-zero and denormals-are-zero for the calling thread, for the life of one object.
//
// A denormal operand costs some 150 cycles per instruction on many x86 cores, and the tails of softmax,
// Adam's second moments and decayed gradients are full of them. FTZ (bit 15 of MXCSR) flushes results, DAZ
// (bit 6) flushes operands. Workers of the ThreadPool hold one for life; Exec holds one around its work, so
// that the caller's mode comes back. On other architectures the object does nothing.
#pragma once

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace smallmind {

class FlushDenormals {
 public:
#if defined(__SSE2__)
  static constexpr unsigned kBits = 0x8000u | 0x0040u;

  FlushDenormals() noexcept : saved_(_mm_getcsr()) {
    _mm_setcsr(saved_ | kBits);
  }
  // Only the two mode bits go back: exception flags that the work raised stay raised, as after any
  // arithmetic.
  ~FlushDenormals() {
    _mm_setcsr((_mm_getcsr() & ~kBits) | (saved_ & kBits));
  }
  static bool active() noexcept {
    return (_mm_getcsr() & kBits) == kBits;
  }
#else
  FlushDenormals() noexcept {}
  ~FlushDenormals() {}
  static bool active() noexcept {
    return false;
  }
#endif
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

#if defined(__SSE2__)
 private:
  unsigned saved_;
#endif
};

}  // namespace smallmind
