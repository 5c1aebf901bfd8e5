// Other libraries for the same products, opened at run time through their C interfaces: OpenBLAS (both builds
// of Debian) and oneDNN 2 (its sgemm, and its matmul with weights packed once). Absent ones are skipped.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/kernels.h"
#include "profiler/kernel_bench/sampler.h"

namespace smallmind {

// C(m, n) = op(A) op(B) [+ C], row-major: A is (m, k), or (k, m) where transposed; B is (k, n), or (n, k).
struct RivalProduct {
  bool a_transposed, b_transposed, accumulate;
  Index m, n, k;
  const float *a, *b;
  float* c;
};

class RivalLibraries {
 public:
  // enabled false: none is opened. OpenBLAS 0.3.21 does not know recent CPUs and falls to its slowest
  // kernels, so on a CPU with AVX-512 it is told that this is SkylakeX, whatever the environment says: a
  // rival should be at its best.
  explicit RivalLibraries(bool enabled);
  ~RivalLibraries();

  // The product by every library that is there. The operands must outlive what is returned.
  std::vector<RivalRun> plain(const RivalProduct& product, int threads) const;
  // The same with B packed beforehand, where a library can.
  std::vector<RivalRun> packed(const RivalProduct& product, int threads) const;
  // Name and version, or "skipped: why".
  const std::vector<std::pair<std::string, std::string>>& status() const { return status_; }

 private:
  struct Blas;
  struct OneDnn;
  std::vector<Blas> blas_;
  std::shared_ptr<const OneDnn> onednn_;
  std::vector<std::pair<std::string, std::string>> status_;
};

}  // namespace smallmind
