// GPT-2: learned positions, LayerNorm before each part, fused qkv, GELU; biases everywhere but in the head.
//
//   h = tok[t] + pos[p];  per layer: h += proj(attention(qkv(ln1(h)))),  h += down(gelu(up(ln2(h)))); ln_f(h)
// Radford et al., "Language Models are Unsupervised Multitask Learners", 2019. Initialisation as there: N(0,
// 0.02), projections into the residual stream scaled by 1/sqrt(2 L).
#include <cmath>

#include "model/arch/arch.h"

namespace smallmind {
namespace {

struct Layer {
  Param attn_norm, attn_norm_bias, attn_qkv, attn_qkv_bias, attn_output, attn_output_bias;
  Param ffn_norm, ffn_norm_bias, ffn_up, ffn_up_bias, ffn_down, ffn_down_bias;
};

Layer make_layer(const ModelConfig& c, std::int64_t l) {
  const float residual = 0.02f / std::sqrt(2.0f * static_cast<float>(c.layers));
  return {vector(block(l, "attn_norm.weight"), c.width, Init::one()),
          vector(block(l, "attn_norm.bias"), c.width, Init::zero()),
          matrix(block(l, "attn_qkv.weight"), 3 * c.width, c.width, 0.02f),
          vector(block(l, "attn_qkv.bias"), 3 * c.width, Init::zero()),
          matrix(block(l, "attn_output.weight"), c.width, c.width, residual),
          vector(block(l, "attn_output.bias"), c.width, Init::zero()),
          vector(block(l, "ffn_norm.weight"), c.width, Init::one()),
          vector(block(l, "ffn_norm.bias"), c.width, Init::zero()),
          matrix(block(l, "ffn_up.weight"), c.ffn, c.width, 0.02f),
          vector(block(l, "ffn_up.bias"), c.ffn, Init::zero()),
          matrix(block(l, "ffn_down.weight"), c.width, c.ffn, residual),
          vector(block(l, "ffn_down.bias"), c.width, Init::zero())};
}

class Gpt2 final : public Model {
 public:
  explicit Gpt2(const ModelConfig& c)
      : Model(c),
        tok_embd_(matrix("token_embd.weight", c.vocab, c.width, 0.02f)),
        pos_embd_(matrix("position_embd.weight", c.context, c.width, 0.02f)),
        output_norm_(vector("output_norm.weight", c.width, Init::one())),
        output_norm_bias_(vector("output_norm.bias", c.width, Init::zero())) {
    for (std::int64_t l = 0; l < c.layers; ++l) layers_.push_back(make_layer(c, l));
    if (!c.tied) output_ = matrix("output.weight", c.vocab, c.width, 0.02f);
  }

  const Param& head() const override { return config().tied ? tok_embd_ : output_; }

 private:
  Norm last_norm() const override { return {output_norm_, &output_norm_bias_, config().norm_eps}; }

  Tensor hidden(Exec& ex, const TokenBatch& batch, KvCache* cache) const override {
    const ModelConfig& c = config();
    const AttentionShape shape{c.heads, c.heads, c.head_width};
    const GeluForm form = c.activation == Activation::gelu_erf ? GeluForm::erf : GeluForm::tanh;
    Tensor h = embedding(ex, tok_embd_, pos_embd_, batch);  // (N, D)
    h = dropout(ex, h, training_dropout(ex));
    for (std::int64_t l = 0; l < c.layers; ++l) {
      const Layer& w = layers_[static_cast<std::size_t>(l)];
      const Scope scope(ex);
      const Tensor qkv = norm_linear(ex, h, {w.attn_norm, &w.attn_norm_bias, c.norm_eps}, w.attn_qkv,
                                     w.attn_qkv_bias);  // (N, 3D)
      const Tensor a = attention(ex, qkv.columns(0, c.width), qkv.columns(c.width, c.width),
                                 qkv.columns(2 * c.width, c.width), shape, batch, cache, l);
      h = add_projection(ex, h, a, w.attn_output, w.attn_output_bias, training_dropout(ex));

      const Tensor f = norm_linear_gelu(ex, h, {w.ffn_norm, &w.ffn_norm_bias, c.norm_eps}, w.ffn_up,
                                        w.ffn_up_bias, form);  // (N, F)
      h = add_projection(ex, h, f, w.ffn_down, w.ffn_down_bias, training_dropout(ex));
    }
    return h;
  }

  float training_dropout(const Exec& ex) const { return ex.recording() ? config().dropout : 0.0f; }

  void each_param(const std::function<void(Param&)>& f) override {
    f(tok_embd_);
    f(pos_embd_);
    for (Layer& w : layers_)
      for (Param* p : {&w.attn_norm, &w.attn_norm_bias, &w.attn_qkv, &w.attn_qkv_bias, &w.attn_output,
                       &w.attn_output_bias, &w.ffn_norm, &w.ffn_norm_bias, &w.ffn_up, &w.ffn_up_bias,
                       &w.ffn_down, &w.ffn_down_bias})
        f(*p);
    f(output_norm_);
    f(output_norm_bias_);
    if (!config().tied) f(output_);
  }

  Param tok_embd_, pos_embd_, output_norm_, output_norm_bias_, output_;
  std::vector<Layer> layers_;
};

}  // namespace

std::unique_ptr<Model> make_gpt2(const ModelConfig& config) {
  return std::make_unique<Gpt2>(config);
}

}  // namespace smallmind
