"""Writes the seed files of the corpora: small valid files of every kind, and the classic attacks on each format.

    python3 fuzz/make_corpus.py

The files are part of the project; run this after changing a seed here. Files that a fuzzer found are added by hand.
"""
import json
import os
import struct

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def put(kind, name, data):
    os.makedirs(os.path.join(HERE, kind), exist_ok=True)
    with open(os.path.join(HERE, kind, name), "wb") as file:
        file.write(data)


def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def text(value):
    value = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(value)) + value


def pair(key, kind, value):
    return text(key) + struct.pack("<I", kind) + value


def gguf(pairs=(), tensors=(), data=b"", version=3, counts=None):
    n_tensors, n_pairs = counts or (len(tensors), len(pairs))
    head = b"GGUF" + struct.pack("<IQQ", version, n_tensors, n_pairs) + b"".join(pairs)
    for name, sizes, kind, offset in tensors:
        head += text(name) + struct.pack("<I", len(sizes)) + struct.pack(f"<{len(sizes)}Q", *sizes)
        head += struct.pack("<IQ", kind, offset)
    return head + b"\0" * (-len(head) % 32) + data


def strings(values):
    return struct.pack("<IQ", 8, len(values)) + b"".join(text(value) for value in values)


def write_safetensors():
    two = {"__metadata__": {"format": "pt"}, "a": entry(), "b": entry("BF16", (2, 3), (8, 20))}
    put("safetensors", "two", safetensors(two, b"x" * 20))
    put("safetensors", "scalar", safetensors({"s": entry("F16", (), (0, 2))}, b"xx"))
    put("safetensors", "empty_tensor", safetensors({"e": entry("U8", (0, 5), (0, 0))}))
    put("safetensors", "no_tensors", safetensors(b"{}      "))
    put("safetensors", "escapes", safetensors(b'{"\\u0061\\ud83d\\ude00":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"x"))
    put("safetensors", "twice_by_escape", safetensors(b'{"__metadata__":{"a":"1","\\u0061":"2"}}'))
    put("safetensors", "overlap", safetensors({"a": entry(), "b": entry(offsets=(4, 12))}, b"x" * 12))
    put("safetensors", "hole", safetensors({"a": entry(), "b": entry(offsets=(9, 17))}, b"x" * 17))
    put("safetensors", "overflow", safetensors({"a": entry(shape=(2**32, 2**32))}, b"x" * 8))
    put("safetensors", "huge_header", struct.pack("<Q", 2**64 - 1) + b"{}")
    put("safetensors", "deep", safetensors(b'{"a":' + b"[" * 400 + b"]" * 400 + b"}"))
    put("safetensors", "numbers", safetensors(b'{"a":{"dtype":"U8","shape":[1e3,-1,1.0,18446744073709551616],"data_offsets":[0,1]}}', b"x"))
    put("safetensors", "zip", safetensors({"z": entry("U8", (22,), (0, 22))}, b"PK\5\6" + b"\0" * 18))
    put("safetensors", "pickle", b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x05hello\x94.")


def write_gguf():
    every = [pair(f"k{kind}", kind, b"\1" * size) for kind, size in
             enumerate((1, 1, 2, 2, 4, 4, 4, 1)) if kind not in (8, 9)]
    every += [pair("k8", 8, text("text")), pair("k9", 9, strings(["a", "bc"])), pair("k10", 10, b"\1" * 8),
              pair("numbers", 9, struct.pack("<IQ3i", 5, 3, 1, 2, 3))]
    put("gguf", "every_type", gguf(every))
    put("gguf", "two_tensors", gguf([pair("general.alignment", 4, struct.pack("<I", 32))],
                                    [("w", (3, 2), 1, 0), ("b", (8,), 0, 32)], b"x" * 64))
    whole = {"context_length": 8, "embedding_length": 8, "block_count": 1, "feed_forward_length": 12,
             "attention.head_count": 2, "vocab_size": 4}
    for arch in ("gpt2", "llama"):
        pairs = [pair("general.architecture", 8, text(arch))]
        pairs += [pair(f"{arch}.{key}", 4, struct.pack("<I", value)) for key, value in whole.items()]
        pairs += [pair("tokenizer.ggml.tokens", 9, strings(["a", "b", "c", "d"]))]
        put("gguf", arch, gguf(pairs))
    put("gguf", "version_2", gguf(version=2))
    put("gguf", "big_endian", gguf(version=3 << 24))
    put("gguf", "many_tensors", gguf(counts=(2**63, 0)))
    put("gguf", "many_pairs", gguf(counts=(0, 2**64 - 1)))
    put("gguf", "long_string", gguf([pair("k", 8, struct.pack("<Q", 2**63))]))
    put("gguf", "long_array", gguf([pair("k", 9, struct.pack("<IQ", 10, 2**61 + 1))]))
    put("gguf", "nested", gguf([pair("k", 9, struct.pack("<IQ", 9, 1) * 200)]))
    put("gguf", "alignment_0", gguf([pair("general.alignment", 4, b"\0" * 4)], [("w", (8,), 0, 0)], b"x" * 32))
    put("gguf", "overflow", gguf([], [("w", (2**31, 2**31, 2**31), 0, 0)], b"x" * 32))
    put("gguf", "overlap", gguf([], [("w", (8,), 0, 0), ("b", (8,), 0, 0)], b"x" * 32))


def write_configs():
    gpt2 = {"model_type": "gpt2", "vocab_size": 65, "n_positions": 64, "n_embd": 128, "n_layer": 4, "n_head": 4,
            "n_inner": None, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new", "resid_pdrop": 0.1,
            "eos_token_id": 0, "tie_word_embeddings": True}
    llama = {"model_type": "llama", "vocab_size": 65, "max_position_embeddings": 64, "hidden_size": 128,
             "intermediate_size": 344, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2,
             "head_dim": 32, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "hidden_act": "silu",
             "rope_parameters": {"rope_type": "default", "rope_theta": 5e5}, "eos_token_id": [1, 2]}
    put("hf_config", "gpt2", json.dumps(gpt2).encode())
    put("hf_config", "llama", json.dumps(llama, indent=1).encode())
    put("hf_config", "huge", json.dumps({**gpt2, "n_embd": 2**62, "n_layer": 10**9}).encode())
    put("hf_config", "no_heads", json.dumps({**llama, "num_attention_heads": 0}).encode())
    put("hf_config", "deep", b'{"model_type":' + b"[" * 300 + b"]" * 300 + b"}")


def chunk(kind, payload, thread=0):
    return struct.pack("<IIQ", kind, thread, len(payload)) + payload + b"\0" * (-len(payload) % 8)


def words(kind, *values, thread=0):
    return chunk(kind, struct.pack(f"<{len(values)}Q", *values), thread)


def define(place, name, kind=1, phase=0, layer=0, shape=(0, 0, 0)):
    head = kind | phase << 8 | (layer & 0xffff) << 16 | (shape[0] & 0xffffffff) << 32
    return [0xfff << 52 | place, name, head, shape[1] | shape[2] << 32, 0x4024 << 48, 0, 64]


def interval(place, delta, duration):
    return place << 52 | delta << 27 | duration


def two_intervals(place, before, wait, after):
    return (2040 + place) << 52 | before << 34 | wait << 17 | after


def write_recordings():
    def events(*values, thread=0):
        return words(3, *values, thread=thread)

    head = b"SMPROF" + struct.pack("<H", 2) + words(5, 1000, 0)
    names = chunk(1, struct.pack("<Q", 7) + b"op") + chunk(1, struct.pack("<Q", 8) + b"pass")
    threads = chunk(2, b"main") + chunk(2, b"sm-1", thread=1)
    some = events(*define(3, 7), interval(3, 50, 20), 0xffd << 52 | 2, 640, interval(3, 60, 20),
                  *define(5, 8, kind=2, shape=(9, 0, 0)), interval(5, 10, 115))
    more = events(*define(3, 8, kind=3), interval(3, 50, 20), 0xffe << 52 | 3, 1 << 40, 1 << 30, 0xffc << 52 | 5, thread=1)
    tail = words(6, 1500, 2, 4096) + words(5, 2000 + (1 << 41), 1 << 30) + words(7, 900, 3, 0, 1) + chunk(8, b"")
    put("recording", "whole", head + names + threads + some + more + tail)
    put("recording", "section", head + chunk(4, struct.pack("<Q", 4) + b"name{}") + tail)
    put("recording", "no_clock", b"SMPROF" + struct.pack("<H", 2) + names + threads + some)
    put("recording", "unknown_name", head + threads + events(*define(3, 9), interval(3, 1, 1)))
    put("recording", "undefined", head + names + threads + events(interval(3, 1, 1)))
    put("recording", "late", head + names + threads + events(*define(3, 7), 0xffe << 52 | 3, 2**63, 2**63))
    wait = define(0, 7, kind=4)
    put("recording", "two_intervals", head + names + threads + events(
        *wait, *define(3, 7), two_intervals(3, 20, 30, 5), *define(3, 8, kind=3), two_intervals(3, 0, 30, 5)) + tail)
    put("recording", "two_without_wait", head + names + threads + events(*define(3, 7), two_intervals(3, 20, 30, 5)))
    put("recording", "two_undefined", head + names + threads + events(*wait, two_intervals(2039, 20, 30, 5)))
    put("recording", "half_event", head + names + threads + events(*define(3, 7)[:4]))
    put("recording", "huge_chunk", head + struct.pack("<IIQ", 3, 0, 2**64 - 1))
    put("recording", "thread_9", head + names + chunk(2, b"x", thread=9) + some)
    put("recording", "overlapping_passes", head + names + threads + events(
        *define(5, 8, kind=2), interval(5, 50, 50), interval(5, 0, 60), interval(5, 10, 5)))


write_safetensors()
write_gguf()
write_configs()
write_recordings()
