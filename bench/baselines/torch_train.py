"""A model built from our config.json in PyTorch, and nanoGPT's training loop around it: the rival of `smallmind train`.

    /usr/bin/python3 torch_train.py RUN/best/config.json [--batch 12] [--context 64] [--steps 50] [--threads 1] [--json]

gpt2 and llama as nanoGPT writes them: nn.Linear, attention as two products and a masked softmax (PyTorch 1.13 has no
public fused one), AdamW with decay on matrices, gradients clipped at 1.0, batches sliced at random from one array of
ids. --serve keeps the process alive: each line "N" on standard input runs N steps and prints their seconds, so that
another program can let it take turns. Timed is everything in the loop.
"""
import argparse
import json
import math
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


def attention(q, k, v, mask):
    """q (B, H, T, K), k and v the same after repetition; returns (B, T, D)."""
    scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
    out = F.softmax(scores.masked_fill(mask, float("-inf")), dim=-1) @ v
    return out.transpose(1, 2).contiguous().flatten(2)


def heads(x, count):
    return x.view(x.size(0), x.size(1), count, -1).transpose(1, 2)


class Gpt2Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, self.n_head = c["n_embd"], c["n_head"]
        self.ln_1, self.ln_2 = (nn.LayerNorm(d, eps=c["layer_norm_epsilon"]) for _ in range(2))
        self.c_attn, self.c_proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.c_fc, self.mlp_proj = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, h, mask, _):
        q, k, v = (heads(t, self.n_head) for t in self.c_attn(self.ln_1(h)).split(h.size(-1), dim=2))
        h = h + self.c_proj(attention(q, k, v, mask))
        return h + self.mlp_proj(F.gelu(self.c_fc(self.ln_2(h)), approximate="tanh"))


class RmsNorm(nn.Module):
    def __init__(self, d, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(d)), eps

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


class LlamaLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, f, self.n_head, self.n_kv = (c["hidden_size"], c["intermediate_size"], c["num_attention_heads"],
                                        c["num_key_value_heads"])
        kv = d // self.n_head * self.n_kv
        self.norm_1, self.norm_2 = (RmsNorm(d, c["rms_norm_eps"]) for _ in range(2))
        self.q, self.k, self.v, self.o = (nn.Linear(d, n, bias=False) for n in (d, kv, kv, d))
        self.gate, self.up = (nn.Linear(d, f, bias=False) for _ in range(2))
        self.down = nn.Linear(f, d, bias=False)

    def forward(self, h, mask, angles):
        cos, sin = angles

        def rope(x):
            a, b = x.chunk(2, -1)
            return x * cos + torch.cat((-b, a), -1) * sin

        x = self.norm_1(h)
        q, k, v = rope(heads(self.q(x), self.n_head)), rope(heads(self.k(x), self.n_kv)), heads(self.v(x), self.n_kv)
        if self.n_kv != self.n_head:
            k, v = (t.repeat_interleave(self.n_head // self.n_kv, dim=1) for t in (k, v))
        h = h + self.o(attention(q, k, v, mask))
        x = self.norm_2(h)
        return h + self.down(F.silu(self.gate(x)) * self.up(x))


class Model(nn.Module):
    def __init__(self, c, context):
        super().__init__()
        gpt2 = c["model_type"] == "gpt2"
        d, layers = (c["n_embd"], c["n_layer"]) if gpt2 else (c["hidden_size"], c["num_hidden_layers"])
        self.wte = nn.Embedding(c["vocab_size"], d)
        self.wpe = nn.Embedding(c["n_positions"], d) if gpt2 else None
        self.layers = nn.ModuleList((Gpt2Layer if gpt2 else LlamaLayer)(c) for _ in range(layers))
        self.norm = nn.LayerNorm(d, eps=c["layer_norm_epsilon"]) if gpt2 else RmsNorm(d, c["rms_norm_eps"])
        self.head = nn.Linear(d, c["vocab_size"], bias=False)
        if c.get("tie_word_embeddings", gpt2):
            self.head.weight = self.wte.weight
        self.register_buffer("mask", torch.ones(context, context, dtype=torch.bool).triu(1))
        self.angles = None
        if not gpt2:
            half = d // c["num_attention_heads"] // 2
            turn = torch.outer(torch.arange(context), c.get("rope_theta", 10000.0) ** (-torch.arange(half) / half))
            self.angles = tuple(torch.cat((t, t), -1) for t in (turn.cos(), turn.sin()))
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02)

    def forward(self, ids, targets):
        h = self.wte(ids)
        if self.wpe is not None:
            h = h + self.wpe(torch.arange(ids.size(1)))
        for layer in self.layers:
            h = layer(h, self.mask, self.angles)
        logits = self.head(self.norm(h))
        return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))


class Loop:
    def __init__(self, config, batch, context, foreach):
        torch.manual_seed(1)
        self.batch, self.context = batch, context
        self.model = Model(config, context)
        groups = [{"params": [p for p in self.model.parameters() if p.dim() == 2], "weight_decay": 0.1},
                  {"params": [p for p in self.model.parameters() if p.dim() != 2], "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), foreach=foreach)
        self.ids = torch.randint(config["vocab_size"], (1_000_000,))

    def step(self):
        starts = torch.randint(len(self.ids) - self.context - 1, (self.batch,)).tolist()
        x = torch.stack([self.ids[i:i + self.context] for i in starts])
        y = torch.stack([self.ids[i + 1:i + 1 + self.context] for i in starts])
        loss = self.model(x, y)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss.item()

    def run(self, steps):
        started = time.perf_counter()
        for _ in range(steps):
            self.step()
        return time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--context", type=int, default=64)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--foreach", action="store_true", help="AdamW on lists of tensors")
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    with open(options.config) as file:
        config = json.load(file)
    loop = Loop(config, options.batch, options.context, options.foreach or None)
    loop.run(3)  # warm-up
    if options.serve:
        print("ready", flush=True)
        for line in sys.stdin:
            print(loop.run(int(line)), flush=True)
        return
    seconds = loop.run(options.steps)
    rate = options.steps * options.batch * options.context / seconds
    parameters = sum(p.numel() for p in loop.model.parameters())
    print(json.dumps({"tokens_per_second": rate, "parameters": parameters, "threads": options.threads})
          if options.json else f"{rate:.0f} tokens/s, {parameters} parameters, {options.threads} threads")


if __name__ == "__main__":
    main()
