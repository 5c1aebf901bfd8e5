// One or more gradient-check cases for every op of nn/op.h, with the op's formula in double.
#pragma once

#include <vector>

#include "tests/support/gradcheck.h"

namespace smallmind::test {

std::vector<OpCase> op_cases();

}  // namespace smallmind::test
