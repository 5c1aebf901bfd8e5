// Arithmetic on sizes that come from files or users: it throws Error (bad_input) where it would overflow.
// `what` names the quantity in the error: "[safetensors] shape of 'wte'".
#pragma once

#include <concepts>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace smallmind {

template <std::integral T>
T checked_add(T a, T b, std::string_view what) {
  T sum;
  if (__builtin_add_overflow(a, b, &sum)) [[unlikely]]
    fail_input("{}: a sum within {} bits expected, {} + {} found", what, sizeof(T) * 8, a, b);
  return sum;
}

template <std::integral T>
T checked_mul(T a, T b, std::string_view what) {
  T product;
  if (__builtin_mul_overflow(a, b, &product)) [[unlikely]]
    fail_input("{}: a product within {} bits expected, {} x {} found", what, sizeof(T) * 8, a, b);
  return product;
}

// The same number in another integer type.
template <std::integral To, std::integral From>
To checked_cast(From value, std::string_view what) {
  if (!std::in_range<To>(value)) [[unlikely]]
    fail_input("{}: a number within {} bits expected, {} found", what, sizeof(To) * 8, value);
  return static_cast<To>(value);
}

}  // namespace smallmind
