"""Training speed of smallmind against PyTorch on a model of the same config.json, in turns.

    /usr/bin/python3 bench/baselines/train_vs_torch.py --data TEXT [--blocks 9] [--json] [-- FLAGS OF smallmind train]

Without flags: nanoGPT's CPU recipe (4 layers, 4 heads, width 128, context 64, batch 12, characters). First a short trial
finds the best setting of each side: PyTorch over both OpenBLAS builds (OPENBLAS_CORETYPE=SkylakeX),
ATEN_CPU_CAPABILITY=avx512 and default, 1 and 2 threads, both AdamW loops; ours over 1 and 2 threads. Then the sides take
turns in blocks with pauses; blocks that others disturbed are void (turns.py). The verdict is the median of the ratios.
"""
import argparse
import glob
import itertools
import json
import os
import subprocess
import sys
import tempfile

import turns

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RECIPE = ["--tokenizer", "char", "--arch", "gpt2", "--layers", "4", "--heads", "4", "--width", "128", "--context", "64",
          "--batch", "12", "--lr", "1e-3", "--dropout", "0"]


def openblas_builds():
    """{name: library folder} of Debian's OpenBLAS builds; the system's choice where there is none."""
    found = {os.path.basename(f): f for f in glob.glob("/usr/lib/*/openblas-*") if glob.glob(f + "/libblas.so.3")}
    return found or {"system": ""}


class Torch:
    """One PyTorch process with one setting; run(n) makes n steps and gives tokens/s."""

    def __init__(self, config, batch, context, library, capability, threads, foreach):
        env = dict(os.environ, OPENBLAS_CORETYPE="SkylakeX", OMP_NUM_THREADS=str(threads),
                   OPENBLAS_NUM_THREADS=str(threads), LD_LIBRARY_PATH=library)
        if capability != "default":
            env["ATEN_CPU_CAPABILITY"] = capability
        command = ["/usr/bin/python3", os.path.join(HERE, "torch_train.py"), config, "--serve", "--batch", str(batch),
                   "--context", str(context), "--threads", str(threads)] + (["--foreach"] if foreach else [])
        self.tokens = batch * context
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError("PyTorch did not start")

    def run(self, steps):
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return steps * self.tokens / float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Ours:
    """`smallmind train` in a scratch folder; run(n) trains n steps anew and gives tokens/s as it reports."""

    def __init__(self, program, data, flags, folder):
        self.command = [program, "train", data, *flags]
        self.folder, self.runs = folder, 0

    def run(self, steps, threads):
        self.runs += 1
        out = os.path.join(self.folder, f"run{self.runs}")
        result = subprocess.run(self.command + ["--steps", str(steps), "--threads", str(threads), "--quiet", "--json",
                                                "--out", out], capture_output=True, text=True)
        if result.returncode:
            sys.exit(f"smallmind train failed:\n{result.stderr}")
        return json.loads(result.stdout)["tokens_per_second"]

    def config(self):
        return os.path.join(self.folder, "run1", "best", "config.json")


def flag(flags, name, default):
    return int(flags[flags.index(name) + 1]) if name in flags else default


def best_torch(config, batch, context, seconds):
    """(rate, setting) of the fastest setting in a short trial of each."""
    trials = []
    settings = itertools.product(sorted(openblas_builds().items()), ("avx512", "default"), (1, 2), (False, True))
    for (name, library), capability, threads, foreach in settings:
        torch = Torch(config, batch, context, library, capability, threads, foreach)
        torch.run(2)
        rate = torch.run(2)
        # Two threads that wait for one another can be 40 times slower here: such a setting needs no longer trial.
        if not trials or rate > max(trials, key=lambda t: t[0])[0] / 3:
            steps = max(3, int(rate / (batch * context) * seconds / 3))
            rate = max(torch.run(steps) for _ in range(3))
        torch.close()
        setting = {"openblas": name, "aten": capability, "threads": threads, "foreach": foreach}
        trials.append((rate, setting))
        print(f"trial torch {rate:9.0f} tokens/s  {setting}", file=sys.stderr)
    return max(trials, key=lambda t: t[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smallmind", default=os.path.join(ROOT, "build", "release", "smallmind"))
    parser.add_argument("--data", default=os.path.join(ROOT, "data", "stories.txt"))
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a block")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("flags", nargs="*", help="flags of smallmind train, after --")
    options = parser.parse_args()
    flags = options.flags or RECIPE
    batch, context = flag(flags, "--batch", 12), flag(flags, "--context", 64)
    if subprocess.run(["/usr/bin/python3", "-c", "import torch"], capture_output=True).returncode:
        print("skipped: python3-torch is not installed (make rivals)")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(options.smallmind, options.data, flags, folder)
        ours.run(3, 1)
        trials = [(ours.run(200, threads), threads) for threads in (1, 2)]
        rate, threads = max(trials)
        our_steps = max(10, int(rate / (batch * context) * options.seconds))
        torch_rate, setting = best_torch(ours.config(), batch, context, options.seconds / 2)
        torch = Torch(ours.config(), batch, context, openblas_builds()[setting["openblas"]], setting["aten"],
                      setting["threads"], setting["foreach"])
        torch_steps = max(5, int(torch_rate / (batch * context) * options.seconds))
        rounds, void = turns.alternate([lambda: ours.run(our_steps, threads), lambda: torch.run(torch_steps)],
                                       options.blocks, pids=[torch.process.pid])
        torch.close()
    if not rounds:
        sys.exit(f"all {void} rounds were disturbed by other programs")
    result = {"ratio": turns.summary([a / b for a, b in rounds]), "void_rounds": void,
              "smallmind": {**turns.summary([a for a, _ in rounds]), "threads": threads},
              "torch": {**turns.summary([b for _, b in rounds]), **setting}}
    if options.json:
        print(json.dumps(result))
    else:
        for name in ("smallmind", "torch", "ratio"):
            print(f"{name:10} median {result[name]['median']:.2f} (quartiles {result[name]['q1']:.2f} .. "
                  f"{result[name]['q3']:.2f})")
        print(f"{len(rounds)} rounds, {void} void; torch: {setting}; smallmind: {threads} threads")


if __name__ == "__main__":
    main()
