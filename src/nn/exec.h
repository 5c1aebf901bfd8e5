// Exec: what every op needs to run: kernels, threads, memory, and perhaps a tape.
//
// Modes. *Measuring*: ops only move arena pointers, which gives the exact bytes that a batch shape needs
// before anything runs. *Inference*: ops run; a Scope rewinds what a layer made; residuals update in place.
// *Recording*: the same kernels; each op appends {backward function, saved struct} to the tape, and
// backward() walks it from the end.
//
// Memory while recording: activations stay until the next Step. Gradients of activations are made during
// backward, in arenas that alternate per Scope: those of layer l are dropped when layer l is done, while the
// gradient of its input, which belongs to the scope below, lives in the other arena. No heap, no
// std::function.
//
// Reductions have an order fixed by the shape, never by the thread count. Thread safety: one Exec per thread
// of control.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <type_traits>

#include "base/float_mode.h"
#include "base/thread_pool.h"
#include "base/zone.h"
#include "kernels/kernels.h"
#include "nn/op.h"
#include "nn/tape.h"
#include "tensor/arena.h"
#include "tensor/tensor.h"

namespace smallmind {

// The bytes of each arena of an Exec, as measured by a dry run.
struct ExecMemory {
  std::size_t activations = 0;
  std::size_t scratch = 0;
  std::array<std::size_t, 3> gradients{};  // outside of scopes, even scopes, odd scopes

  std::size_t total() const noexcept {
    return activations + scratch + gradients[0] + gradients[1] + gradients[2];
  }
};

// Where an op's backward writes its contribution to an input's gradient.
struct GradTarget {
  bool wanted = false;    // false: nobody needs this gradient
  float* data = nullptr;  // (rows, cols) at `stride`
  Index stride = 0;
  bool accumulate = false;  // add to what is there rather than overwrite

  explicit operator bool() const noexcept { return wanted; }
};

class Exec {
 public:
  // A dry run: nothing is computed, memory() tells what a real one needs.
  static Exec measuring(ThreadPool& pool, const KernelTable& kernels, bool recording) {
    return Exec(pool, kernels, recording);
  }
  Exec(ThreadPool& pool, const KernelTable& kernels, bool recording, const ExecMemory& memory);

  bool measuring() const noexcept { return activations_.measuring(); }
  bool recording() const noexcept { return recording_; }
  const KernelTable& kernels() const noexcept { return *kernels_; }
  ThreadPool& pool() const noexcept { return *pool_; }
  ExecMemory memory() const noexcept;             // the peaks so far
  OpCost cost() const noexcept { return cost_; }  // of a dry run: the sum over the ops of the last step
  void set_phase(Phase phase) noexcept { phase_ = phase; }  // what the profiler calls this work

  // ---- for ops: forward
  Tensor make(Index rows,
              Index cols);  // an activation: lives to the end of the Scope, or of the step while recording
  template <typename T>
  T* save(Index count) {
    return activations_.allocate_array<T>(count);
  }  // for backward; same lifetime
  float* scratch(Index floats) {
    return scratch_.allocate_array<float>(floats);
  }  // until the op's ScratchScope ends

  // Runs f(begin, end) or f(part, begin, end) over [0, count) cut into one range of multiples of `grain` per
  // thread; inline when one grain is all there is. Parts are numbered from 0 and below pool().size(). Nothing
  // while measuring.
  template <typename F>
  void parallel(Index count, Index grain, F&& f) {
    if (measuring() || count <= 0) return;
    const Index grains = (count + grain - 1) / grain;
    const Index parts = pool_->size();
    const auto part = [&](int index, Index begin, Index end) {
      if constexpr (std::invocable<F&, int, Index, Index>)
        f(index, begin, end);
      else
        f(begin, end);
    };
    if (grains == 1 || parts == 1) return part(0, 0, count);
    pool_->run([&](int thread) {
      const Index begin = grains * thread / parts * grain;
      const Index end = grains * (thread + 1) / parts * grain;
      if (begin < end) part(thread, begin, end < count ? end : count);
    });
  }

  // ---- for ops: recording. T is a trivially copyable struct with `static constexpr Op kOp` and
  // `void backward(Exec&) const`, so that an op without a backward cannot be recorded.
  template <Recordable T>
  void record(const T& saved) {
    if (recording_) tape_.push(saved);
  }
  // A copy of token ids or segments for backward; they are there in a dry run, too. Null where nothing
  // records.
  template <typename T>
  const T* keep(std::span<const T> values) {
    return recording_ ? tape_.keep(values) : nullptr;
  }
  GradTarget gradient_of(const Tensor& input);  // where to contribute
  float* gradient_slot(const Tensor& whole,
                       bool& fresh);  // the whole slot, not zero-filled; for ops that write all of it
  Tensor incoming(const Tensor& output) const noexcept;  // dout, or rows == 0 where no gradient arrived

  // Draws of this step: dropout sites take numbered streams in the order in which they run.
  void set_random(std::uint64_t seed, std::uint64_t step) noexcept {
    seed_ = seed;
    step_ = step;
  }
  std::uint64_t seed() const noexcept { return seed_; }
  std::uint64_t next_stream() noexcept { return (step_ << 32) | dropout_sites_++; }

  // Walks the tape from its end. `dout` (rows, cols of `output`) is the gradient to begin with; for a loss,
  // one number. Parameters' gradients accumulate.
  void backward(const Tensor& output, const float* dout);

 private:
  friend class Step;
  friend class OpZone;
  friend class Scope;
  friend class ScratchScope;
  friend struct ScopeBegin;
  friend struct ScopeEnd;
  Exec(ThreadPool& pool, const KernelTable& kernels, bool recording);  // measuring

  ThreadPool* pool_;
  const KernelTable* kernels_;
  bool recording_;
  Arena activations_, scratch_;
  std::array<Arena, 3> gradients_;
  Tape tape_;
  int scopes_ = 0;  // scopes begun in this step
  int scope_ = 0;   // the present one; 0 outside
  std::uint64_t seed_ = 0, step_ = 0, dropout_sites_ = 0;
  OpCost cost_;
  Phase phase_ = Phase::none;
};

// One forward pass, with its backward if it records: rewinds all arenas, empties the tape, and flushes
// denormals to zero in the calling thread until the end (workers always do).
class Step {
 public:
  explicit Step(Exec& exec);

 private:
  FlushDenormals flush_;
};

// One layer. Without a tape, what is made inside is dropped at the end. While recording nothing is dropped,
// but the gradients of what was made inside are, as soon as backward has left the scope. Scopes do not nest.
class Scope {
 public:
  explicit Scope(Exec& exec);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Exec& exec_;
  std::size_t mark_;
};

// Marks one op for the profiler. In a dry run it adds the op's cost to the step's. Ops that decode a
// token give a function that returns the cost: nobody should pay for sums that nobody asks for.
class OpZone {
 public:
  template <std::invocable Cost>
  OpZone(Exec& exec, Op op, const Cost& cost)
      : zone_(op_name(op), [&]() noexcept { return says(exec, cost()); }) {
    if (exec.measuring()) exec.cost_ = exec.cost_ + cost();
  }
  OpZone(Exec& exec, Op op, const OpCost& cost) : OpZone(exec, op, [&]() noexcept { return cost; }) {}

 private:
  [[gnu::always_inline]] static ZoneSays says(const Exec& exec, const OpCost& cost) noexcept {
    const ZoneTraits traits = ZoneTraits::of({.phase = exec.phase_,
                                              .layer = exec.scope_ - 1,
                                              .shape = {cost.shape[0], cost.shape[1], cost.shape[2]},
                                              .kind = ZoneKind::op});
    return {traits, cost.flops, cost.bytes};
  }

  Zone zone_;
};

// Rewinds the scratch of one op.
class ScratchScope {
 public:
  explicit ScratchScope(Exec& exec) : arena_(exec.scratch_), mark_(arena_.used()) {}
  ~ScratchScope() { arena_.rewind(mark_); }
  ScratchScope(const ScratchScope&) = delete;
  ScratchScope& operator=(const ScratchScope&) = delete;

 private:
  Arena& arena_;
  std::size_t mark_;
};

}  // namespace smallmind
