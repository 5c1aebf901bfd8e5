"""Hugging Face's GPT2 and Llama in plain PyTorch, and safetensors files with struct and json alone.

A model is its config.json (a dict) and {tensor name: tensor} in Hugging Face's names and orientation: GPT2's Conv1D
weights are (in, out), all Linear weights (out, in). Formulas: transformers' modeling_gpt2 and modeling_llama (RoPE in the
rotate-half form). Nothing here is fast; dtype follows the weights, so float64 weights give reference values.
"""
import json
import math
import struct

import torch
import torch.nn.functional as F

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
          "I32": torch.int32}


def read_safetensors(path):
    """{name: tensor}. The file: u64 length of the header, a JSON header, then the tensors' bytes."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        body = bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        dtype = DTYPES[entry["dtype"]]
        flat = torch.frombuffer(body[begin:end], dtype=dtype) if end > begin else torch.empty(0, dtype=dtype)
        tensors[name] = flat.reshape(entry["shape"])
    return tensors


def write_safetensors(path, tensors):
    """Writes {name: tensor} as F32, in the order of the names."""
    header, chunks, offset = {}, [], 0
    for name in sorted(tensors):
        values = tensors[name].detach().to(torch.float32).contiguous()
        chunk = struct.pack(f"<{values.numel()}f", *values.flatten().tolist())
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [offset, offset + len(chunk)]}
        chunks.append(chunk)
        offset += len(chunk)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(chunks))


def rms_norm(x, w, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * w


def rope(x, positions, theta):
    """x (B, H, T, K); the halves x[:K/2], x[K/2:] are the pairs that turn by position * theta^(-2i/K)."""
    half = x.shape[-1] // 2
    frequency = theta ** (-torch.arange(half, dtype=x.dtype) / half)
    angle = positions.to(x.dtype)[:, None] * frequency  # (T, K/2)
    cos, sin = angle.cos(), angle.sin()
    a, b = x[..., :half], x[..., half:]
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


def causal_attention(q, k, v):
    """q (B, H, T, K); k, v (B, G, T, K), each kv head serves H/G query heads. Returns (B, H, T, K)."""
    repeat = q.shape[1] // k.shape[1]
    k, v = (t.repeat_interleave(repeat, dim=1) for t in (k, v))
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    mask = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool).triu(1)
    return scores.masked_fill(mask, -math.inf).softmax(-1) @ v


def gelu_tanh(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x.pow(3))))


def split_heads(x, heads):
    return x.view(*x.shape[:2], heads, -1).transpose(1, 2)


def merge_heads(x):
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], -1)


def gpt2_logits(w, config, tokens):
    """tokens (B, T) -> logits (B, T, V)."""
    eps, heads, prefix = config["layer_norm_epsilon"], config["n_head"], "transformer."
    activation = gelu_tanh if config["activation_function"] == "gelu_new" else F.gelu

    def conv1d(x, name):
        out = x @ w[name + ".weight"]
        return out + w[name + ".bias"] if name + ".bias" in w else out

    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w.get(name + ".bias"), eps)

    h = w[prefix + "wte.weight"][tokens] + w[prefix + "wpe.weight"][: tokens.shape[1]]
    for layer in range(config["n_layer"]):
        at = f"{prefix}h.{layer}."
        q, k, v = (split_heads(t, heads) for t in conv1d(norm(h, at + "ln_1"), at + "attn.c_attn").chunk(3, -1))
        h = h + conv1d(merge_heads(causal_attention(q, k, v)), at + "attn.c_proj")
        h = h + conv1d(activation(conv1d(norm(h, at + "ln_2"), at + "mlp.c_fc")), at + "mlp.c_proj")
    head = w[prefix + "wte.weight"] if config.get("tie_word_embeddings", True) else w["lm_head.weight"]
    return F.linear(norm(h, prefix + "ln_f"), head)


def llama_logits(w, config, tokens):
    """tokens (B, T) -> logits (B, T, V)."""
    eps, heads, prefix = config["rms_norm_eps"], config["num_attention_heads"], "model."
    kv_heads = config.get("num_key_value_heads") or heads
    theta = config.get("rope_theta", 10000.0)
    positions = torch.arange(tokens.shape[1])

    def linear(x, name):
        return F.linear(x, w[name + ".weight"], w.get(name + ".bias"))

    h = w[prefix + "embed_tokens.weight"][tokens]
    for layer in range(config["num_hidden_layers"]):
        at = f"{prefix}layers.{layer}."
        a = rms_norm(h, w[at + "input_layernorm.weight"], eps)
        q = rope(split_heads(linear(a, at + "self_attn.q_proj"), heads), positions, theta)
        k = rope(split_heads(linear(a, at + "self_attn.k_proj"), kv_heads), positions, theta)
        v = split_heads(linear(a, at + "self_attn.v_proj"), kv_heads)
        h = h + linear(merge_heads(causal_attention(q, k, v)), at + "self_attn.o_proj")
        a = rms_norm(h, w[at + "post_attention_layernorm.weight"], eps)
        h = h + linear(F.silu(linear(a, at + "mlp.gate_proj")) * linear(a, at + "mlp.up_proj"), at + "mlp.down_proj")
    head = w[prefix + "embed_tokens.weight"] if config.get("tie_word_embeddings") else w["lm_head.weight"]
    return F.linear(rms_norm(h, w[prefix + "norm.weight"], eps), head)


def logits(weights, config, tokens):
    return {"gpt2": gpt2_logits, "llama": llama_logits}[config["model_type"]](weights, config, tokens)
