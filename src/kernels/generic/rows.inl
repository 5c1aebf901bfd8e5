// All kernels that differ between instruction sets only in the width of a vector. Each ISA's rows.cpp
// includes its vec.h, then this file, and exports one function that calls install_rows.
#pragma once

#include "kernels/generic/column_softmax.inl"
#include "kernels/generic/convert.inl"
#include "kernels/generic/dropout.inl"
#include "kernels/generic/elementwise.inl"
#include "kernels/generic/gather.inl"
#include "kernels/generic/loops.inl"
#include "kernels/generic/math.inl"
#include "kernels/generic/norm.inl"
#include "kernels/generic/optimizer.inl"
#include "kernels/generic/peak.inl"
#include "kernels/generic/reduce.inl"
#include "kernels/generic/rope.inl"
#include "kernels/generic/softmax.inl"

namespace smallmind {
namespace {

void install_rows(KernelTable& table) noexcept {
  install_elementwise(table);
  install_dropout(table);
  install_reduce(table);
  install_norm(table);
  install_softmax(table);
  install_column_softmax(table);
  install_rope(table);
  install_gather(table);
  install_optimizer(table);
  install_convert(table);
  install_peak(table);
}

}  // namespace
}  // namespace smallmind
