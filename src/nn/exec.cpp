// Exec, Step and Scope; see exec.h.
#include "nn/exec.h"

#include <cstring>

namespace smallmind {

// Recorded where a scope begins: backward reaches it when the scope's last op is done.
struct ScopeBegin {
  int scope;

  void backward(Exec& ex) const {
    ex.gradients_[static_cast<std::size_t>(1 + scope % 2)].rewind(0);
    ex.scope_ = 0;
  }
};

// Recorded where a scope ends: backward enters it here.
struct ScopeEnd {
  int scope;

  void backward(Exec& ex) const { ex.scope_ = scope; }
};

namespace {

std::size_t gradient_arena(int scope) {
  return scope == 0 ? 0 : static_cast<std::size_t>(1 + scope % 2);
}

}  // namespace

Exec::Exec(ThreadPool& pool, const KernelTable& kernels, bool recording)
    : pool_(&pool), kernels_(&kernels), recording_(recording), tape_(recording) {}

Exec::Exec(ThreadPool& pool, const KernelTable& kernels, bool recording, const ExecMemory& memory)
    : pool_(&pool),
      kernels_(&kernels),
      recording_(recording),
      activations_(memory.activations, MemoryCategory::activations),
      scratch_(memory.scratch),
      gradients_{Arena(memory.gradients[0], MemoryCategory::gradients),
                 Arena(memory.gradients[1], MemoryCategory::gradients),
                 Arena(memory.gradients[2], MemoryCategory::gradients)},
      tape_(recording) {}

ExecMemory Exec::memory() const noexcept {
  return {activations_.peak(),
          scratch_.peak(),
          {gradients_[0].peak(), gradients_[1].peak(), gradients_[2].peak()}};
}

Tensor Exec::make(Index rows, Index cols) {
  Tensor tensor{activations_.allocate_array<float>(rows * cols), rows, cols, cols, nullptr, 0};
  if (recording_) tensor.grad = tape_.make_slot(rows, cols, scope_);
  return tensor;
}

float* Exec::gradient_slot(const Tensor& whole, bool& fresh) {
  GradSlot& slot = *whole.grad;
  fresh = !slot.touched;
  if (fresh) {
    slot.data = gradients_[gradient_arena(slot.scope)].allocate_array<float>(slot.rows * slot.cols);
    slot.touched = true;
  }
  return slot.data;
}

GradTarget Exec::gradient_of(const Tensor& input) {
  if (input.grad == nullptr) return {};
  bool fresh = false;
  float* data = gradient_slot(input, fresh);
  const GradSlot& slot = *input.grad;
  const bool part = input.cols != slot.cols;
  // Contributions to a part would leave the rest undefined, so the whole starts at zero.
  if (fresh && part && data != nullptr)
    std::memset(data, 0, static_cast<std::size_t>(slot.rows * slot.cols) * sizeof(float));
  return {true, data == nullptr ? nullptr : data + input.grad_column, slot.cols, part || !fresh};
}

Tensor Exec::incoming(const Tensor& output) const noexcept {
  if (output.grad == nullptr || !output.grad->touched) return {};
  return {output.grad->data, output.rows, output.cols, output.cols, nullptr, 0};
}

void Exec::backward(const Tensor& output, const float* dout) {
  SM_CHECK(recording_, "[exec] backward needs an Exec that records");
  const GradTarget seed = gradient_of(output);
  if (!measuring()) std::memcpy(seed.data, dout, static_cast<std::size_t>(output.size()) * sizeof(float));
  const Phase forward_phase = phase_;
  phase_ = Phase::backward;
  tape_.walk_back(*this);
  phase_ = forward_phase;
  scope_ = 0;
}

Step::Step(Exec& ex) {
  ex.activations_.rewind(0);
  ex.scratch_.rewind(0);
  for (Arena& arena : ex.gradients_) arena.rewind(0);
  ex.tape_.clear();
  ex.scopes_ = ex.scope_ = 0;
  ex.dropout_sites_ = 0;
  ex.cost_ = {};
}

Scope::Scope(Exec& exec) : exec_(exec), mark_(exec.activations_.used()) {
  SM_CHECK(exec.scope_ == 0, "[exec] scopes do not nest");
  exec.scope_ = ++exec.scopes_;
  if (exec.recording_) exec.tape_.push(ScopeBegin{exec.scope_});
}

Scope::~Scope() {
  if (exec_.recording_) exec_.tape_.push(ScopeEnd{exec_.scope_});
  exec_.scope_ = 0;
  if (!exec_.recording_) exec_.activations_.rewind(mark_);
}

}  // namespace smallmind
