"""Performance regressions as counts, which a noisy machine cannot blur: what a token and a training step may cost.

Usage: budget_test.py PROBE counts|instructions|refusal
       budget_test.py PROBE update        writes what is measured now to budgets.json; look at the difference

counts        heap allocations, arena bytes, declared FLOPs and bytes
instructions  per token or step, counted by valgrind's callgrind with the AVX2 kernels (it knows no AVX-512), as the
              difference of two runs of different length
refusal       the check itself: a budget that is 5 % too small must be reported

A count above its budget by more than its margin fails; so does one that is below it by more than the margin: then the
budget is to be lowered, or the next regression would hide in the gap.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

BUDGETS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "budgets.json")
# (workload, preset, tokens or steps)
WORKLOADS = [("decode", "small", 20), ("decode", "medium", 20), ("train", "small", 1), ("train", "medium", 1)]
NOT_INSTRUCTIONS = "train_medium"  # half a billion vector instructions a step are minutes under valgrind
# Compilers, C libraries and alignments differ a little in what they execute; formulas and sizes do not.
MARGINS = {"instructions": 0.03, "arena_bytes": 0.01, "heap_allocations": 0.0, "flops": 0.0, "bytes": 0.0}


def probe(program, workload, preset, count):
    environment = {**os.environ, "SMALLMIND_ISA": "avx2"}
    result = subprocess.run([program, workload, preset, str(count)], env=environment, check=True, capture_output=True,
                            text=True)
    return json.loads(result.stdout)


def instructions_of_run(program, workload, preset, count):
    with tempfile.TemporaryDirectory() as folder:
        result = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", program, workload,
                                 preset, str(count)], env={**os.environ, "SMALLMIND_ISA": "avx2"}, capture_output=True,
                                text=True)
    found = re.search(r"Collected : (\d+)", result.stderr)
    if result.returncode != 0 or not found:
        raise RuntimeError(f"callgrind counts expected, got: {result.stderr[-500:]}")
    return int(found.group(1))


def instructions(program, workload, preset, count):
    if f"{workload}_{preset}" == NOT_INSTRUCTIONS:
        return {}
    first, all_of_them = (instructions_of_run(program, workload, preset, n) for n in (0, count))
    return {"instructions": (all_of_them - first) // count}


def faults(name, measured, budgets):
    """What is wrong with the measured counts, as lines of text."""
    lines = []
    for key, value in measured.items():
        budget, margin = budgets[name][key], MARGINS[key]
        if value > budget * (1 + margin):
            lines.append(f"{name}: {key} {value:,} exceeds the budget {budget:,} by more than {100 * margin:g} %")
        elif value < budget * (1 - margin):
            lines.append(f"{name}: {key} {value:,} is below the budget {budget:,} by more than {100 * margin:g} %: "
                         "lower the budget (budget_test.py PROBE update)")
    return lines


def has_avx2():
    with open("/proc/cpuinfo") as file:
        return " avx2 " in file.read()


def main():
    program, kind = sys.argv[1:]
    if not has_avx2():
        print("skipped: the budgets hold for the AVX2 kernels, which this CPU lacks")
        sys.exit(77)
    if kind in ("instructions", "update") and not shutil.which("valgrind"):
        print("skipped: valgrind is not installed")
        sys.exit(77)
    if kind == "update":
        table = {f"{w}_{p}": {**probe(program, w, p, n), **instructions(program, w, p, n)} for w, p, n in WORKLOADS}
        with open(BUDGETS, "w") as file:
            file.write(json.dumps(table, indent=2) + "\n")
        return
    with open(BUDGETS) as file:
        budgets = json.load(file)
    measure = instructions if kind == "instructions" else probe
    if kind == "refusal":
        workload, preset, count = WORKLOADS[0]
        name = f"{workload}_{preset}"
        for key, value in budgets[name].items():
            tight = {name: {**budgets[name], key: value * 0.95 if value else -1}}
            loose = {name: {**budgets[name], key: value * 1.05 if value else 1}}
            assert len(faults(name, budgets[name], tight)) == 1 and len(faults(name, budgets[name], loose)) == 1, key
        assert not faults(name, budgets[name], budgets)
        assert probe(program, workload, preset, count)["flops"] > probe(program, workload, preset, 1)["flops"]
        return
    found = []
    for workload, preset, count in WORKLOADS:
        measured = measure(program, workload, preset, count)
        print(f"{workload} {preset}: {measured}")
        found += faults(f"{workload}_{preset}", measured, budgets)
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
