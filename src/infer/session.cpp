// Forward passes over the KV cache; see session.h.
#include "infer/session.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/zone.h"

namespace smallmind {
namespace {

SessionOptions checked(SessionOptions options, const ModelConfig& config) {
  if (options.context == 0) options.context = config.context;
  if (options.context < 1 || options.context > config.context)
    fail_usage("[session] a context of 1 to {} (the model's) expected, {} given", config.context,
               options.context);
  if (options.sequences < 1)
    fail_usage("[session] at least 1 sequence expected, {} given", options.sequences);
  if (options.batch_rows < options.sequences)
    fail_usage("[session] a batch of at least one row for each of {} sequences expected, {} given",
               options.sequences, options.batch_rows);
  options.batch_rows = std::min(options.batch_rows, options.sequences * options.context);
  return options;
}

KvCache make_cache(const ModelConfig& c, const SessionOptions& options) {
  return KvCache(c.layers, options.sequences, options.context, c.kv_heads, c.head_width);
}

}  // namespace

Session::Session(const Model& model, ThreadPool& pool, const SessionOptions& options,
                 const KernelTable& table)
    : model_(model),
      cache_(make_cache(model.config(), checked(options, model.config()))),
      tokens_(static_cast<std::size_t>(checked(options, model.config()).batch_rows)),
      segments_(static_cast<std::size_t>(options.sequences)),
      exec_(pool, table, false, measure(pool, table)) {}

// The largest batch and, since a product may choose another way for few rows, the smallest.
ExecMemory Session::measure(ThreadPool& pool, const KernelTable& table) {
  Exec dry = Exec::measuring(pool, table, false);
  const Index sequences = cache_.sequences(), rows = batch_rows();
  for (const Index each : {Index{1}, (rows + sequences - 1) / sequences}) {
    Step step(dry);
    Index first = 0, count = 0;
    for (; count < sequences && first < rows; ++count) {
      const Index here = std::min(each, rows - first);
      segments_[static_cast<std::size_t>(count)] = {first, here, 0, count};
      first += here;
    }
    run(dry, {std::span(tokens_).first(static_cast<std::size_t>(first)),
              std::span(segments_).first(static_cast<std::size_t>(count))});
  }
  return dry.memory();
}

// (segments, V): logits of the last row of each segment.
Tensor Session::run(Exec& ex, const TokenBatch& batch) {
  const Tensor hidden = model_.forward(ex, batch, &cache_);  // (N, D)
  const auto count = static_cast<Index>(batch.segments.size());
  if (count == hidden.rows) return model_.logits(ex, hidden);  // one row of each: the last
  const Tensor last = ex.make(count, hidden.cols);
  for (Index i = 0; i < count && !ex.measuring(); ++i) {
    const Segment& segment = batch.segments[static_cast<std::size_t>(i)];
    std::memcpy(last.row(i), hidden.row(segment.first_row + segment.rows - 1),
                static_cast<std::size_t>(hidden.cols) * sizeof(float));
  }
  return model_.logits(ex, last);
}

std::span<const float> Session::forward(std::span<const SessionInput> inputs) {
  if (inputs.empty() || inputs.size() > segments_.size())
    fail_usage("[session] 1 to {} sequences per pass expected, {} given", segments_.size(), inputs.size());
  Index rows = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto [sequence, tokens] = inputs[i];
    const auto count = static_cast<Index>(tokens.size());
    if (sequence < 0 || sequence >= cache_.sequences())
      fail_usage("[session] a sequence below {} expected, {} given", cache_.sequences(), sequence);
    if (count == 0) fail_usage("[session] a token of sequence {} expected, none given", sequence);
    if (rows + count > batch_rows())
      fail_usage("[session] at most {} tokens per pass expected, {} given", batch_rows(), rows + count);
    for (std::size_t j = 0; j < i; ++j)
      if (inputs[j].sequence == sequence)
        fail_usage("[session] each sequence once expected, {} given twice", sequence);
    std::copy(tokens.begin(), tokens.end(), tokens_.begin() + rows);
    segments_[i] = {rows, count, length(sequence), sequence};
    rows += count;
  }
  const Phase phase = rows == static_cast<Index>(inputs.size()) ? Phase::decode : Phase::prefill;
  const Zone zone("forward", {.phase = phase});
  exec_.set_phase(phase);
  Step step(exec_);
  const Tensor logits = run(exec_, {std::span(tokens_).first(static_cast<std::size_t>(rows)),
                                    std::span(segments_).first(inputs.size())});
  return {logits.data, static_cast<std::size_t>(logits.size())};
}

std::span<const float> Session::prefill(std::span<const std::int32_t> tokens, Index sequence) {
  if (tokens.size() > static_cast<std::size_t>(context() - length(sequence)))
    fail_usage("[session] at most {} more tokens expected in a context of {}, {} given",
               context() - length(sequence), context(), tokens.size());
  std::span<const float> logits;
  do {
    const std::size_t count = std::min(tokens.size(), tokens_.size());
    const SessionInput input{sequence, tokens.first(count)};
    logits = forward({&input, 1});
    tokens = tokens.subspan(count);
  } while (!tokens.empty());
  return logits;
}

}  // namespace smallmind
