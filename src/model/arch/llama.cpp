// Llama: RMSNorm, rotary positions, grouped-query attention, SwiGLU; biases only where the configuration says
// so.
//
//   h = tok[t];  per layer: h += o(attention(rope(q(n1(h))), rope(k(n1(h))), v(n1(h)))),  h +=
//   down(swiglu(gate(n2(h)), up(n2(h)))); norm(h)
// Touvron et al. 2023; grouped heads: Ainslie et al. 2023. Initialisation N(0, 0.02), residual projections
// over sqrt(2 L).
#include <cmath>

#include "model/arch/arch.h"

namespace smallmind {
namespace {

struct Layer {
  Param attn_norm, attn_q, attn_q_bias, attn_k, attn_k_bias, attn_v, attn_v_bias, attn_output,
      attn_output_bias;
  Param ffn_norm, ffn_gate, ffn_gate_bias, ffn_up, ffn_up_bias, ffn_down, ffn_down_bias;
};

Layer make_layer(const ModelConfig& c, std::int64_t l) {
  const float residual = 0.02f / std::sqrt(2.0f * static_cast<float>(c.layers));
  const std::int64_t q = c.heads * c.head_width, kv = c.kv_heads * c.head_width;
  const auto bias = [l](bool exists, const char* name, std::int64_t size) {
    return exists ? vector(block(l, name), size, Init::zero()) : Param{};
  };
  return {vector(block(l, "attn_norm.weight"), c.width, Init::one()),
          matrix(block(l, "attn_q.weight"), q, c.width, 0.02f),
          bias(c.attention_bias, "attn_q.bias", q),
          matrix(block(l, "attn_k.weight"), kv, c.width, 0.02f),
          bias(c.attention_bias, "attn_k.bias", kv),
          matrix(block(l, "attn_v.weight"), kv, c.width, 0.02f),
          bias(c.attention_bias, "attn_v.bias", kv),
          matrix(block(l, "attn_output.weight"), c.width, q, residual),
          bias(c.attention_bias, "attn_output.bias", c.width),
          vector(block(l, "ffn_norm.weight"), c.width, Init::one()),
          matrix(block(l, "ffn_gate.weight"), c.ffn, c.width, 0.02f),
          bias(c.mlp_bias, "ffn_gate.bias", c.ffn),
          matrix(block(l, "ffn_up.weight"), c.ffn, c.width, 0.02f),
          bias(c.mlp_bias, "ffn_up.bias", c.ffn),
          matrix(block(l, "ffn_down.weight"), c.width, c.ffn, residual),
          bias(c.mlp_bias, "ffn_down.bias", c.width)};
}

class Llama final : public Model {
 public:
  explicit Llama(const ModelConfig& c)
      : Model(c),
        rope_(c.context, c.head_width, static_cast<double>(c.rope_theta),
              c.rope_interleaved ? RopeLayout::interleaved : RopeLayout::halves),
        tok_embd_(matrix("token_embd.weight", c.vocab, c.width, 0.02f)),
        output_norm_(vector("output_norm.weight", c.width, Init::one())) {
    for (std::int64_t l = 0; l < c.layers; ++l) layers_.push_back(make_layer(c, l));
    if (!c.tied) output_ = matrix("output.weight", c.vocab, c.width, 0.02f);
  }

  const Param& head() const override { return config().tied ? tok_embd_ : output_; }

 private:
  Norm last_norm() const override { return {output_norm_, nullptr, config().norm_eps}; }

  Tensor hidden(Exec& ex, const TokenBatch& batch, KvCache* cache) const override {
    const ModelConfig& c = config();
    const AttentionShape shape{c.heads, c.kv_heads, c.head_width};
    const float p = ex.recording() ? c.dropout : 0.0f;
    Tensor h = dropout(ex, embedding(ex, tok_embd_, batch), p);  // (N, D)
    for (std::int64_t l = 0; l < c.layers; ++l) {
      const Layer& w = layers_[static_cast<std::size_t>(l)];
      const Scope scope(ex);
      Tensor a = rms_norm(ex, h, w.attn_norm, c.norm_eps);
      const Tensor q = rope(ex, linear(ex, a, w.attn_q, w.attn_q_bias), rope_, c.heads, batch);  // (N, H*K)
      const Tensor k =
          rope(ex, linear(ex, a, w.attn_k, w.attn_k_bias), rope_, c.kv_heads, batch);  // (N, G*K)
      const Tensor v = linear(ex, a, w.attn_v, w.attn_v_bias);
      a = attention(ex, q, k, v, shape, batch, cache, l);
      h = add_projection(ex, h, a, w.attn_output, w.attn_output_bias, p);

      Tensor f = rms_norm(ex, h, w.ffn_norm, c.norm_eps);
      const Tensor gate = linear(ex, f, w.ffn_gate, w.ffn_gate_bias);  // (N, F)
      f = swiglu(ex, gate, linear(ex, f, w.ffn_up, w.ffn_up_bias));
      h = add_projection(ex, h, f, w.ffn_down, w.ffn_down_bias, p);
    }
    return h;
  }

  void each_param(const std::function<void(Param&)>& f) override {
    f(tok_embd_);
    for (Layer& w : layers_)
      for (Param* p : {&w.attn_norm, &w.attn_q, &w.attn_q_bias, &w.attn_k, &w.attn_k_bias, &w.attn_v,
                       &w.attn_v_bias, &w.attn_output, &w.attn_output_bias, &w.ffn_norm, &w.ffn_gate,
                       &w.ffn_gate_bias, &w.ffn_up, &w.ffn_up_bias, &w.ffn_down, &w.ffn_down_bias})
        if (p->exists()) f(*p);
    f(output_norm_);
    if (!config().tied) f(output_);
  }

  RopeTable rope_;
  Param tok_embd_, output_norm_, output_;
  std::vector<Layer> layers_;
};

}  // namespace

std::unique_ptr<Model> make_llama(const ModelConfig& config) {
  return std::make_unique<Llama>(config);
}

}  // namespace smallmind
