"""The program runs on a CPU of 2008 (x86-64-v2, no AVX): qemu-x86_64 -cpu Nehalem starts it and trains three steps.

Usage: old_cpu_test.py PROGRAM
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main():
    qemu = shutil.which("qemu-x86_64")
    if not qemu:
        print("skipped: qemu-user is not installed (make rivals)")
        sys.exit(77)
    os.environ.pop("SMALLMIND_ISA", None)  # the old CPU chooses for itself, whatever the other tests are forced to
    command = [qemu, "-cpu", "Nehalem", os.path.abspath(sys.argv[1])]
    version = subprocess.run([*command, "--version"], check=True, capture_output=True, text=True).stdout
    assert "scalar" in version, version
    with tempfile.TemporaryDirectory() as folder:
        text = os.path.join(folder, "text.txt")
        with open(os.path.join(ROOT, "data", "stories.txt")) as source, open(text, "w") as target:
            target.write(source.read(20000))
        result = subprocess.run([*command, "train", text, "--tokenizer", "char", "--layers", "1", "--heads", "2",
                                 "--width", "16", "--context", "16", "--batch", "2", "--steps", "3", "--quiet", "--json",
                                 "--out", os.path.join(folder, "run")], check=True, capture_output=True, text=True).stdout
        document = json.loads(result)
        assert document["steps"] == 3 and 1 < document["train_loss"] < 10, document


if __name__ == "__main__":
    main()
