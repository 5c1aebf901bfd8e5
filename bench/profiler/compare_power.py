"""How often `smallmind profile compare` is right: pairs of sides whose truth is known.

Usage: compare_power.py --program SMALLMIND --probe COMPARE_PROBE [--pairs 20] [--blocks 24] [--passes 15] [--model small]
                        [--operation linear_gelu] [--factor 1.1] [--keep DIR]

Each pair records A and B in turns, block by block, each block a process of its own. In the first half of the pairs
both sides are the same: no operation may be reported. In the second half one operation of B is slowed down: it must be
the first that is reported. Prints one JSON document. --keep leaves the first pair of both kinds in DIR as a/, b/, slow/.
"""
import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time


def record(options, path, slowed):
    command = [options.probe, path, options.model, str(options.passes)]
    if slowed:
        command += [options.operation, str(options.factor)]
    subprocess.run(command, check=True)


def record_pair(options, folder, slowed):
    sides = [os.path.join(folder, name) for name in ("a", "b")]
    for side in sides:
        os.makedirs(side)
    for block in range(options.blocks):
        # A B, B A, A B, ...: neither side is always the first.
        for which in ((0, 1) if block % 2 == 0 else (1, 0)):
            record(options, os.path.join(sides[which], f"{block}.smprof"), slowed and which == 1)
            time.sleep(0.02)
    return sides


def compare(options, sides):
    result = subprocess.run([options.program, "profile", "compare", *sides, "--json"], check=True, capture_output=True,
                            text=True)
    return json.loads(result.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--probe", required=True)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--blocks", type=int, default=24)
    parser.add_argument("--passes", type=int, default=15)
    parser.add_argument("--model", default="small")
    parser.add_argument("--operation", default="linear_gelu")
    parser.add_argument("--factor", type=float, default=1.1)
    parser.add_argument("--keep")
    options = parser.parse_args()
    quiet, named, estimates, shares, detectable, wrong = 0, 0, [], [], [], []
    for slowed in (False, True):
        for pair in range(options.pairs):
            with tempfile.TemporaryDirectory() as folder:
                sides = record_pair(options, folder, slowed)
                document = compare(options, sides)
                if options.keep and pair == 0:
                    for side, name in zip(sides, ("a", "b")):
                        target = "slow" if slowed and name == "b" else name
                        if not slowed or name == "b":
                            shutil.copytree(side, os.path.join(options.keep, target), dirs_exist_ok=True)
            judged = [op for op in document["ops"] if op["verdict"] in ("faster", "slower")]
            detectable.append(document["detectable_change"])
            right = not judged
            if slowed:
                right = bool(judged) and judged[0]["name"] == options.operation and judged[0]["verdict"] == "slower"
            if not right:
                wrong.append({"reported": [(op["name"], op["change"], op["p_value"]) for op in judged[:3]],
                              "operation": [op for op in document["ops"] if op["name"] == options.operation]})
            if not slowed:
                quiet += right
                continue
            named += right
            op = max((op for op in document["ops"] if op["name"] == options.operation), key=lambda op: op["share"])
            estimates.append(op["change"])
            shares.append(op["share"])
    print(json.dumps({"pairs": options.pairs, "same_without_report": quiet, "slowed_named_first": named,
                      "operation": options.operation, "share": sorted(shares)[len(shares) // 2],
                      "change_median": sorted(estimates)[len(estimates) // 2],
                      "detectable_median": sorted(detectable)[len(detectable) // 2], "wrong": wrong}))


if __name__ == "__main__":
    main()
