"""Writes PyTorch's golden values to tests/golden/ (run with Debian's python3-torch; the files are committed).

gpt2/ and llama/: a tiny model as a Hugging Face directory (config.json, model.safetensors), reference.json with one
batch, the losses of ten training steps, the first step's gradient norm and the optimizer's settings, and
reference.safetensors with the first logits and gradients ("grad." + name). ops.json: inputs and outputs of single ops.
All is computed in float64 from weights that float32 holds exactly, so the values are the truth for a float32 program.
"""
import argparse
import json
import os

import torch
import torch.nn.functional as F

import torch_reference as reference

STEPS = 10
OPTIMIZER = {"name": "adamw", "lr": 1e-3, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.1, "clip_norm": 1.0,
             "decayed": "tensors of two dimensions"}
GPT2 = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 65, "n_positions": 16, "n_ctx": 16,
        "n_embd": 32, "n_layer": 2, "n_head": 4, "n_inner": None, "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
        "tie_word_embeddings": False, "torch_dtype": "float32"}
LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 65, "max_position_embeddings": 16,
         "hidden_size": 32, "intermediate_size": 88, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
         "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": False, "torch_dtype": "float32"}


def shapes_gpt2(c):
    d, v = c["n_embd"], c["vocab_size"]
    shapes = {"transformer.wte.weight": (v, d), "transformer.wpe.weight": (c["n_positions"], d), "lm_head.weight": (v, d)}
    norms = ["transformer.ln_f"]
    for layer in range(c["n_layer"]):
        at = f"transformer.h.{layer}."
        norms += [at + "ln_1", at + "ln_2"]
        for name, fan_in, fan_out in (("attn.c_attn", d, 3 * d), ("attn.c_proj", d, d), ("mlp.c_fc", d, 4 * d),
                                      ("mlp.c_proj", 4 * d, d)):
            shapes[at + name + ".weight"], shapes[at + name + ".bias"] = (fan_in, fan_out), (fan_out,)
    for name in norms:
        shapes[name + ".weight"] = shapes[name + ".bias"] = (d,)
    return shapes


def shapes_llama(c):
    d, v, f = c["hidden_size"], c["vocab_size"], c["intermediate_size"]
    kv = d // c["num_attention_heads"] * c["num_key_value_heads"]
    shapes = {"model.embed_tokens.weight": (v, d), "lm_head.weight": (v, d), "model.norm.weight": (d,)}
    for layer in range(c["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        shapes.update({at + "input_layernorm.weight": (d,), at + "post_attention_layernorm.weight": (d,),
                       at + "self_attn.q_proj.weight": (d, d), at + "self_attn.k_proj.weight": (kv, d),
                       at + "self_attn.v_proj.weight": (kv, d), at + "self_attn.o_proj.weight": (d, d),
                       at + "mlp.gate_proj.weight": (f, d), at + "mlp.up_proj.weight": (f, d),
                       at + "mlp.down_proj.weight": (d, f)})
    return shapes


def random_weights(shapes):
    """Float32 values in float64: large enough that attention, gates and biases all matter to the losses."""
    weights = {}
    for name in sorted(shapes):
        w = torch.randn(shapes[name]) * (0.15 if len(shapes[name]) == 2 else 0.1)
        if len(shapes[name]) == 1 and name.endswith("weight"):
            w = 1 + w
        weights[name] = w.to(torch.float64).requires_grad_()
    return weights


def train(weights, config, inputs, targets):
    """(losses, gradient norm, logits, gradients): the last three of the first step."""
    decayed = [w for w in weights.values() if w.dim() == 2]
    others = [w for w in weights.values() if w.dim() != 2]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": OPTIMIZER["weight_decay"]},
                                   {"params": others, "weight_decay": 0.0}], lr=OPTIMIZER["lr"],
                                  betas=(OPTIMIZER["beta1"], OPTIMIZER["beta2"]), eps=OPTIMIZER["eps"])
    losses = []
    for step in range(STEPS):
        logits = reference.logits(weights, config, inputs)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            first_logits = logits.detach().clone()
            gradients = {"grad." + name: w.grad.clone() for name, w in weights.items()}
        norm = torch.nn.utils.clip_grad_norm_(list(weights.values()), OPTIMIZER["clip_norm"])
        if step == 0:
            first_norm = norm.item()
        optimizer.step()
        losses.append(loss.item())
    return losses, first_norm, first_logits, gradients


def export_model(folder, config, shapes):
    os.makedirs(folder, exist_ok=True)
    weights = random_weights(shapes)
    inputs, targets = (torch.randint(config["vocab_size"], (4, 16)) for _ in range(2))
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file, indent=2)
        file.write("\n")
    reference.write_safetensors(os.path.join(folder, "model.safetensors"), weights)
    losses, norm, logits, gradients = train(weights, config, inputs, targets)
    reference.write_safetensors(os.path.join(folder, "reference.safetensors"), {"logits": logits, **gradients})
    with open(os.path.join(folder, "reference.json"), "w") as file:
        json.dump({"inputs": inputs.tolist(), "targets": targets.tolist(), "losses": losses, "gradient_norm": norm,
                   "optimizer": OPTIMIZER}, file, indent=1)
        file.write("\n")
    print(f"{folder}: losses {losses[0]:.6f} .. {losses[-1]:.6f}, gradient norm {norm:.6f}")


def rounded(values):
    if isinstance(values, list):
        return [rounded(v) for v in values]
    return values if isinstance(values, int) else float(f"{values:.9g}")


def case(function, dout=None, **inputs):
    """Inputs, output and (for a given dout) the gradients of function(**inputs), shapes beside flat values."""
    tensors = {name: x.to(torch.float64).requires_grad_() for name, x in inputs.items() if torch.is_floating_point(x)}
    out = function(*{**inputs, **tensors}.values())
    if dout is None:
        dout = torch.randn(out.shape)
    out.backward(dout.to(torch.float64))
    entries = {**inputs, "dout": dout, "out": out, **{"d" + name: x.grad for name, x in tensors.items()}}
    return {name: {"shape": list(x.shape), "values": rounded(x.flatten().tolist())} for name, x in entries.items()}


def export_ops(path):
    points = torch.cat((torch.linspace(-12, 12, 97), torch.tensor([-100.0, -1e-3, 1e-3, 0.5, 40.0, 100.0])))
    ones = torch.ones_like(points)
    ops = {
        "gelu_tanh": case(reference.gelu_tanh, ones, x=points),
        "gelu_erf": case(F.gelu, ones, x=points),
        "silu": case(F.silu, ones, x=points),
        "swiglu": case(lambda gate, up: F.silu(gate) * up, gate=torch.randn(3, 9), up=torch.randn(3, 9)),
        "softmax": case(lambda x: x.softmax(-1), x=torch.randn(4, 19) * 5),
        "layer_norm": case(lambda x, w, b: F.layer_norm(x, (19,), w, b, 1e-5), x=torch.randn(4, 19) + 2,
                           w=torch.randn(19), b=torch.randn(19)),
        "rms_norm": case(lambda x, w: reference.rms_norm(x, w, 1e-5), x=torch.randn(4, 19) + 2, w=torch.randn(19)),
        "linear": case(F.linear, input=torch.randn(5, 7), weight=torch.randn(6, 7), bias=torch.randn(6)),
        "cross_entropy": case(lambda logits, targets: F.cross_entropy(logits, targets), torch.ones(()),
                              logits=torch.randn(6, 19) * 3, targets=torch.randint(19, (6,))),
        "rope": {"theta": 10000.0, "layout": "x (B, H, T, K), position t of row t, halves rotated",
                 **case(lambda x: reference.rope(x, torch.arange(7), 10000.0), x=torch.randn(1, 2, 7, 8))},
        "attention": {"layout": "q (B, H, T, K), k and v (B, G, T, K), causal, scores / sqrt(K)",
                      **case(reference.causal_attention, q=torch.randn(2, 4, 7, 8), k=torch.randn(2, 2, 7, 8),
                             v=torch.randn(2, 2, 7, 8))},
    }
    with open(path, "w") as file:
        json.dump(ops, file, separators=(",", ":"))
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--out", default=os.path.join(here, "tests", "golden"))
    options = parser.parse_args()
    torch.manual_seed(1337)
    torch.set_num_threads(1)
    export_model(os.path.join(options.out, "gpt2"), GPT2, shapes_gpt2(GPT2))
    export_model(os.path.join(options.out, "llama"), LLAMA, shapes_llama(LLAMA))
    export_ops(os.path.join(options.out, "ops.json"))


if __name__ == "__main__":
    main()
