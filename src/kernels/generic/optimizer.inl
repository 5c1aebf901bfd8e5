// AdamW (Loshchilov and Hutter, 2019) in one pass: 16 bytes read and 12 written per parameter.
//   g = gradient * gradient_scale;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
//   p = p (1 - lr decay) - lr (m / c1) / (sqrt(v / c2) + epsilon)
// 1/c1 goes into the step and 1/sqrt(c2) beside the root, in double, so that one division is left.
#pragma once

namespace smallmind {
namespace {

struct AdamWFactors {
  Vec scale, beta1, one_minus_beta1, beta2, one_minus_beta2, decay, step, root_factor, epsilon;
};

[[gnu::always_inline]] inline void adamw_vec(const AdamWFactors& f, Vec gradient, Vec& p, Vec& m, Vec& v) {
  const Vec g = gradient * f.scale;
  m = mul_add(f.beta1, m, f.one_minus_beta1 * g);
  v = mul_add(f.beta2, v, f.one_minus_beta2 * g * g);
  p = neg_mul_add(f.step, m / mul_add(sqrt(v), f.root_factor, f.epsilon), p * f.decay);
}

[[gnu::flatten]] void adamw_n(const AdamWArgs& args, const float* gradient, Index n, float* parameter,
                              float* m, float* v) noexcept {
  const double rate = static_cast<double>(args.learning_rate);
  const AdamWFactors f{
      set(args.gradient_scale),
      set(args.beta1),
      set(1.0f - args.beta1),
      set(args.beta2),
      set(1.0f - args.beta2),
      set(static_cast<float>(1.0 - rate * static_cast<double>(args.weight_decay))),
      set(static_cast<float>(rate / static_cast<double>(args.bias_correction1))),
      set(static_cast<float>(1.0 / __builtin_sqrt(static_cast<double>(args.bias_correction2)))),
      set(args.epsilon),
  };
  Index i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    Vec p = load(parameter + i), m1 = load(m + i), v1 = load(v + i);
    adamw_vec(f, load(gradient + i), p, m1, v1);
    store(parameter + i, p);
    store(m + i, m1);
    store(v + i, v1);
  }
  if (const Index rest = n - i; rest > 0) {
    Vec p = load_n(parameter + i, rest), m1 = load_n(m + i, rest), v1 = load_n(v + i, rest);
    adamw_vec(f, load_n(gradient + i, rest), p, m1, v1);
    store_n(parameter + i, p, rest);
    store_n(m + i, m1, rest);
    store_n(v + i, v1, rest);
  }
}

void install_optimizer(KernelTable& table) noexcept {
  table.adamw = adamw_n;
}

}  // namespace
}  // namespace smallmind
