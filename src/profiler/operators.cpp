// See operators.h.
#include "profiler/operators.h"

#include "nn/ops/common.h"

namespace smallmind {
namespace {

std::shared_ptr<Arrays> arrays(std::initializer_list<Index> floats) {
  return std::make_shared<Arrays>(floats);
}

using Unary = void (*KernelTable::*)(const float*, Index, float*) noexcept;
using Binary = void (*KernelTable::*)(const float*, const float*, Index, float*) noexcept;

RowOperator unary(const char* name, Index n, OpCost cost, Unary kernel) {
  const auto a = arrays({n, n});
  return {name, cost, a, n, kElementGrain, [a, kernel](const KernelTable& t, Index begin, Index end) {
            (t.*kernel)((*a)[0] + begin, end - begin, (*a)[1] + begin);
          }};
}

RowOperator binary(const char* name, Index n, Binary kernel) {
  const auto a = arrays({n, n, n});
  return {name, add_cost(n), a, n, kElementGrain, [a, kernel](const KernelTable& t, Index begin, Index end) {
            (t.*kernel)((*a)[0] + begin, (*a)[1] + begin, end - begin, (*a)[2] + begin);
          }};
}

}  // namespace

RowOperator gelu_tanh_operator(Index elements) {
  return unary("gelu_tanh", elements, gelu_cost(elements), &KernelTable::gelu_tanh);
}

RowOperator gelu_erf_operator(Index elements) {
  return unary("gelu_erf", elements, gelu_cost(elements), &KernelTable::gelu_erf);
}

RowOperator relu_operator(Index elements) {
  return unary("relu", elements, relu_cost(elements), &KernelTable::relu);
}

RowOperator add_operator(Index elements) {
  return binary("add", elements, &KernelTable::add);
}

RowOperator mul_operator(Index elements) {
  return binary("mul", elements, &KernelTable::mul);
}

RowOperator dot_operator(Index n) {
  const auto a = arrays({n, n});
  return {"dot", dot_cost(n), a, n, kElementGrain, [a](const KernelTable& t, Index begin, Index end) {
            volatile float sink = t.dot((*a)[0] + begin, (*a)[1] + begin, end - begin);
            static_cast<void>(sink);
          }};
}

RowOperator broadcast_operator(Index rows, Index cols) {
  const auto a = arrays({rows * cols, cols, rows * cols});
  return {"broadcast_add",
          elementwise_cost(rows * cols, 1, 2),
          a,
          rows,
          row_grain(cols),
          [a, cols](const KernelTable& t, Index begin, Index end) {
            for (Index i = begin; i < end; ++i) t.add((*a)[0] + i * cols, (*a)[1], cols, (*a)[2] + i * cols);
          }};
}

RowOperator softmax_operator(Index rows, Index cols) {
  const auto a = arrays({rows * cols, rows * cols});
  return {"softmax",
          softmax_cost(rows * cols),
          a,
          rows,
          row_grain(cols),
          [a, cols](const KernelTable& t, Index begin, Index end) {
            t.softmax((*a)[0] + begin * cols, cols, end - begin, cols, (*a)[1] + begin * cols, cols);
          }};
}

RowOperator layer_norm_operator(Index rows, Index cols) {
  const auto a = arrays({rows * cols, cols, cols, rows * cols});
  return {"layer_norm",
          layer_norm_cost(rows * cols),
          a,
          rows,
          row_grain(cols),
          [a, cols](const KernelTable& t, Index begin, Index end) {
            t.layer_norm((*a)[0] + begin * cols, cols, (*a)[1], (*a)[2], 1e-5f, end - begin, cols,
                         (*a)[3] + begin * cols, cols, nullptr, nullptr);
          }};
}

RowOperator adamw_operator(Index n) {
  const auto a = arrays({n, n, n, n});
  for (Index i = 0; i < n; ++i) (*a)[3][i] = (*a)[3][i] * (*a)[3][i];  // second moments are not negative
  return {"adamw", adamw_cost(n), a, n, kElementGrain, [a](const KernelTable& t, Index begin, Index end) {
            t.adamw(kBenchAdamW, (*a)[0] + begin, end - begin, (*a)[1] + begin, (*a)[2] + begin,
                    (*a)[3] + begin);
          }};
}

}  // namespace smallmind
