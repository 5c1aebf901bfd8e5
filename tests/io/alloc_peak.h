// The largest single allocation since an AllocationPeak was made: a parser must not trust a size before it
// compared it with the file. The counting operator new is in alloc_peak.cpp.
#pragma once

#include <cstddef>

namespace smallmind::test {

class AllocationPeak {
 public:
  AllocationPeak() noexcept;
  std::size_t largest() const noexcept;
};

}  // namespace smallmind::test
