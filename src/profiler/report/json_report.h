// The report as a JSON value, for those who add to it. Include in .cpp files only: it is a heavy header.
#pragma once

#include <nlohmann/json.hpp>

#include "profiler/report/report.h"

namespace smallmind {

nlohmann::ordered_json report_json(const Report& report);

}  // namespace smallmind
