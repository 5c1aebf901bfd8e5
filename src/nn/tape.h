// Tape: the list of recorded ops, newest first, in one block of memory of its own.
//
// A node is {backward function, copy of the op's saved struct, previous node}. Gradient slots of activations
// live here too. The block is reserved address space: only the pages that are written cost memory, and a step
// that overflows it is an error that names the limit. It is real memory even in a dry run, because backward
// is measured as well.
#pragma once

#include <algorithm>
#include <concepts>
#include <new>
#include <span>
#include <type_traits>

#include "nn/op.h"
#include "tensor/arena.h"
#include "tensor/tensor.h"

namespace smallmind {

class Exec;

template <typename T>
concept Recordable = std::is_trivially_copyable_v<T> && requires(const T& saved, Exec& exec) {
  { T::kOp } -> std::convertible_to<Op>;
  { saved.backward(exec) } -> std::same_as<void>;
};

class Tape {
  using Index = std::int64_t;

 public:
  static constexpr std::size_t kBytes = std::size_t{16}
                                        << 20;  // some 100 layers of 100 ops of 800 bytes, and token ids

  explicit Tape(bool recording) : arena_(recording ? kBytes : 0) {}

  template <typename T>
  void push(const T& saved) {
    auto* copy = new (arena_.allocate(sizeof(T))) T(saved);
    last_ = new (arena_.allocate(sizeof(Node))) Node{
        [](const void* state, Exec& exec) { static_cast<const T*>(state)->backward(exec); }, copy, last_};
  }

  // A copy of a small array that backward needs: token ids, segments.
  template <typename T>
  const T* keep(std::span<const T> values) {
    T* copy = arena_.allocate_array<T>(static_cast<Index>(values.size()));
    std::copy(values.begin(), values.end(), copy);
    return copy;
  }

  GradSlot* make_slot(Index rows, Index cols, int scope) {
    return new (arena_.allocate(sizeof(GradSlot))) GradSlot{nullptr, rows, cols, scope, false};
  }

  void walk_back(Exec& exec) const {
    for (const Node* node = last_; node != nullptr; node = node->previous) node->backward(node->saved, exec);
  }

  void clear() noexcept {
    arena_.rewind(0);
    last_ = nullptr;
  }

 private:
  struct Node {
    void (*backward)(const void* saved, Exec& exec);
    const void* saved;
    const Node* previous;
  };

  Arena arena_;
  const Node* last_ = nullptr;
};

}  // namespace smallmind
