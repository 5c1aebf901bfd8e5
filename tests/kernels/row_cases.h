// One list of all row kernels for the tests: how to run an entry at a length and a misalignment, and the same
// in double.
//
// Inputs are a fixed function of (seed, index); every output buffer has guards on both sides, whose damage is
// reported.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kernels/kernels.h"

namespace smallmind::row_cases {

struct Case {
  std::string name;
  // Runs the entry on length n, every pointer `shift` floats away from 64-byte alignment; returns all outputs
  // in a row.
  std::function<std::vector<float>(const KernelTable&, Index n, Index shift)> run;
  // The same outputs from plain loops in double.
  std::function<std::vector<double>(Index n)> reference;
  // |difference| <= absolute + relative |expected| + per_element n, against both scalar and double.
  double relative, absolute, per_element;
};

const std::vector<Case>& cases();

}  // namespace smallmind::row_cases
