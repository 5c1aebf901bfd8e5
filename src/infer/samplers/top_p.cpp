// Top-p, the nucleus: the fewest most probable tokens whose probabilities sum to at least p (Holtzman et al.,
// arXiv:1904.09751).
#include <algorithm>

#include "infer/samplers/candidates.h"

namespace smallmind {

void keep_top_p(float p, Candidates& candidates) {
  auto& items = candidates.items;
  const double wanted = static_cast<double>(p) * candidates.total;
  double sum = 0;
  std::size_t kept = 0;
  // Sorting 50,000 candidates takes milliseconds and the nucleus is mostly small, so ranks are made 256, 512,
  // ... at a time.
  for (std::size_t ranked = 0, step = 256; ranked < items.size() && (sum < wanted || kept == 0); step *= 2) {
    const std::size_t end = std::min(items.size(), ranked + step);
    const auto at = [&](std::size_t i) { return items.begin() + static_cast<std::ptrdiff_t>(i); };
    if (end < items.size()) std::nth_element(at(ranked), at(end), items.end(), ranks_before);
    std::sort(at(ranked), at(end), ranks_before);
    for (; kept < end && (sum < wanted || kept == 0); ++kept) sum += static_cast<double>(items[kept].weight);
    ranked = end;
  }
  items.resize(kept);
  candidates.total = sum;
}

}  // namespace smallmind
