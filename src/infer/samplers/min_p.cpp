// Min-p: tokens of at least p times the probability of the most probable one stay (Nguyen et al.,
// arXiv:2407.01082).
#include <algorithm>

#include "infer/samplers/candidates.h"

namespace smallmind {

void keep_min_p(float p, Candidates& candidates) {
  std::erase_if(candidates.items,
                [p](const Candidate& c) { return c.weight < p; });  // the largest weight is 1
  candidates.total = 0;
  for (const Candidate& c : candidates.items) candidates.total += static_cast<double>(c.weight);
}

}  // namespace smallmind
