"""Whether a model exported to GGUF continues in llama.cpp as it does here.

    python3 bench/baselines/export_vs_llama_cpp.py RUN --text "ROMEO:" [--program build/release/smallmind] [--type f32]

The text's ids go to llama.cpp (llama_cpp_check.mjs), which continues them greedily by 32 tokens. SmallMind computes the
logits of the same ids; at every position whose two best logits differ by more than 0.02 its best token must be
llama.cpp's, and at 24 of 32 at least whatever the difference. llama.cpp must also cut the text into the same ids.
Prints one JSON document. Exit status 0: equal; 1: not; 77: skipped, since Node or its packages are not installed.
"""
import argparse
import array
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SURE = 0.02
LEAST_EQUAL = 0.75
SKIPPED = 77


def run(command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def two_best(row):
    best = max(range(len(row)), key=row.__getitem__)
    second = max(value for i, value in enumerate(row) if i != best)
    return best, row[best] - second


def our_logits(program, model, ids, folder):
    ids_file, out = os.path.join(folder, "ids.json"), os.path.join(folder, "logits.f32")
    with open(ids_file, "w") as file:
        json.dump(ids, file)
    run([program, "inspect", model, "--logits", ids_file, "--out", out])
    values = array.array("f")
    with open(out, "rb") as file:
        values.frombytes(file.read())
    width = len(values) // len(ids)
    return [values[i * width:(i + 1) * width] for i in range(len(ids))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--program", default=os.path.join(HERE, "../../build/release/smallmind"))
    parser.add_argument("--text", default="ROMEO:")
    parser.add_argument("--ids", help="the text's ids, comma-separated; by default smallmind tokenize gives them")
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--type", default="f32")
    args = parser.parse_args()
    if shutil.which("node") is None or not os.path.isdir(os.path.join(HERE, "node_modules", "node-llama-cpp")):
        print("skipped: node or its package node-llama-cpp is not installed", file=sys.stderr)
        return SKIPPED
    if args.ids:
        ids = [int(i) for i in args.ids.split(",")]
    else:
        ids = json.loads(run([args.program, "tokenize", args.model, args.text, "--json"]))["ids"]
    with tempfile.TemporaryDirectory() as folder:
        gguf = os.path.join(folder, "model.gguf")
        run([args.program, "export", args.model, gguf, "--type", args.type])
        theirs = json.loads(run(["node", os.path.join(HERE, "llama_cpp_check.mjs"), gguf, "--ids",
                                 ",".join(map(str, ids)), "--tokens", str(args.tokens), "--text", args.text]))
        rows = our_logits(args.program, args.model, ids + theirs["greedy"][:-1], folder)[len(ids) - 1:]
    best = [two_best(row) for row in rows]
    equal = [ours == id for (ours, _), id in zip(best, theirs["greedy"])]
    wrong = [i for i, (_, margin) in enumerate(best) if not equal[i] and margin > SURE]
    good = (len(equal) == args.tokens and not wrong and sum(equal) >= LEAST_EQUAL * args.tokens
            and theirs["text_ids"] == ids)
    print(json.dumps({"equal": sum(equal), "of": args.tokens, "sure_but_different": wrong,
                      "same_tokens_of_text": theirs["text_ids"] == ids, "good": good}))
    return 0 if good else 1


try:
    sys.exit(main())
except subprocess.CalledProcessError as error:
    sys.exit(SKIPPED if error.returncode == SKIPPED else 1)
