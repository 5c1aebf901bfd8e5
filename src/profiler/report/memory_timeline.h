// Memory over time from a recording's samples and its zones; see MemoryReport in report.h.
#pragma once

#include "profiler/report/report.h"

namespace smallmind {

// points: at most so many moments.
MemoryReport make_memory_report(const Recording& recording, std::size_t points = 1000);

}  // namespace smallmind
