// oneDNN 2.x through dlopen; see onednn.cpp.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "profiler/kernel_bench/rivals.h"

namespace smallmind {

class OneDnnLibrary {
 public:
  // Nothing where libdnnl.so.2 is absent.
  static std::optional<OneDnnLibrary> open();

  std::string version() const;
  // dnnl_sgemm on the operands as they are.
  RivalRun plain(const RivalProduct& product, int threads) const;
  // The matmul primitive with B in the layout that it prefers, packed here. Nothing where it refuses.
  std::optional<RivalRun> packed(const RivalProduct& product, int threads) const;

 private:
  struct Functions;
  std::shared_ptr<const Functions> functions_;
};

}  // namespace smallmind
