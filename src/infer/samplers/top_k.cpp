// Top-k: only the k most probable tokens stay (Fan et al., arXiv:1805.04833).
#include <algorithm>

#include "infer/samplers/candidates.h"

namespace smallmind {

void keep_top_k(int k, Candidates& candidates) {
  auto& items = candidates.items;
  if (static_cast<std::size_t>(k) >= items.size()) return;
  std::nth_element(items.begin(), items.begin() + k, items.end(), ranks_before);
  items.resize(static_cast<std::size_t>(k));
  std::sort(items.begin(), items.end(), ranks_before);  // nth_element leaves an order of its own choosing
}

}  // namespace smallmind
