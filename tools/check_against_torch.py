"""Our logits against Hugging Face's formulas, computed in PyTorch from the files of a run.

    /usr/bin/python3 tools/check_against_torch.py RUN [--smallmind build/release/smallmind] [--json]

Reads RUN/best (or RUN itself) with struct and json alone: config.json and model.safetensors. For
sequences of random ids `smallmind inspect RUN --logits IDS.json --out FILE` writes the logits of all positions as raw
little-endian float32 (length x V). PyTorch computes in float64. Exit status 1 where any logit differs by
more than 1e-5 x max(1, the largest |logit|).
"""
import argparse
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

LIMIT = 1e-5


def our_logits(program, run, sequence):
    with tempfile.TemporaryDirectory() as folder:
        ids, out = os.path.join(folder, "ids.json"), os.path.join(folder, "logits.f32")
        with open(ids, "w") as file:
            json.dump(sequence, file)
        subprocess.run([program, "inspect", run, "--logits", ids, "--out", out], check=True, stdout=subprocess.DEVNULL)
        with open(out, "rb") as file:
            return file.read()


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--smallmind", default=os.path.join(root, "build", "release", "smallmind"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        import torch
        import torch_reference as reference
    except ImportError:
        print("skipped: python3-torch is not installed (make rivals)")
        sys.exit(77)

    model = options.run if os.path.exists(os.path.join(options.run, "config.json")) else os.path.join(options.run, "best")
    with open(os.path.join(model, "config.json")) as file:
        config = json.load(file)
    weights = {name: w.to(torch.float64)
               for name, w in reference.read_safetensors(os.path.join(model, "model.safetensors")).items()}
    context = config.get("n_positions") or config["max_position_embeddings"]
    draw = random.Random(options.seed)
    sequences = [[draw.randrange(config["vocab_size"]) for _ in range(length)]
                 for length in (1, min(7, context), min(33, context), min(256, context))]
    raw = b"".join(our_logits(options.smallmind, options.run, sequence) for sequence in sequences)
    ours = torch.tensor(struct.unpack(f"<{len(raw) // 4}f", raw), dtype=torch.float64).view(-1, config["vocab_size"])
    with torch.no_grad():
        theirs = torch.cat([reference.logits(weights, config, torch.tensor([s]))[0] for s in sequences])
    if ours.shape != theirs.shape:
        sys.exit(f"{tuple(theirs.shape)} logits expected, {tuple(ours.shape)} written")
    difference, largest = (ours - theirs).abs().max().item(), theirs.abs().max().item()
    good = difference <= LIMIT * max(1.0, largest)
    result = {"rows": ours.shape[0], "max_difference": difference, "max_logit": largest, "within_limit": good}
    print(json.dumps(result) if options.json else
          f"{ours.shape[0]} rows, largest difference {difference:.3g}, largest |logit| {largest:.3g}: "
          + ("good" if good else "too far apart"))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
