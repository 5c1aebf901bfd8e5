"""clang-tidy over the sources of src/ (or the given files), all cores, every finding an error.

A file that was clean is not read again until it, a project header that it reaches, its compile command, a .clang-tidy
or clang-tidy itself changes: BUILD/tidy-cache holds one empty file per clean key.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

import house

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
EXTRA = ["--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-ignored-optimization-argument"]


def reachable(path, roots, seen):
    """All project files that path includes, itself first."""
    if path in seen:
        return seen
    seen[path] = open(path, "rb").read()
    for name in INCLUDE.findall(seen[path].decode("utf-8", "replace")):
        for root in [os.path.dirname(path), *roots]:
            target = os.path.normpath(os.path.join(root, name))
            if os.path.isfile(target):
                reachable(target, roots, seen)
                break
    return seen


def key_of(entry, roots, base):
    digest = hashlib.sha256(base)
    digest.update(entry.get("command", "").encode())
    for path, content in sorted(reachable(entry["file"], roots, {}).items()):
        digest.update(path.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()


def tidy(program, build, path):
    result = subprocess.run([program, "-p", build, "--quiet", "--warnings-as-errors=*", *EXTRA, path],
                            capture_output=True, text=True)
    return result.returncode, result.stdout + ("" if result.returncode == 0 else result.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("files", nargs="*", help="default: every source of src/ in the compile commands")
    options = parser.parse_args()
    program = shutil.which("clang-tidy-14") or shutil.which("clang-tidy")
    if not program:
        print("skipped: clang-tidy is not installed")
        sys.exit(77)
    root = house.project_root()
    with open(os.path.join(options.build, "compile_commands.json")) as file:
        entries = {os.path.abspath(entry["file"]): entry for entry in json.load(file)}
    wanted = [os.path.abspath(f) for f in options.files] or [f for f in entries if f.startswith(root + "/src/")]
    cache = os.path.join(options.build, "tidy-cache")
    os.makedirs(cache, exist_ok=True)
    base = subprocess.run([program, "--version"], capture_output=True).stdout
    for name in house.project_files(root):
        if os.path.basename(name) == ".clang-tidy":
            base += name.encode() + open(os.path.join(root, name), "rb").read()
    roots = [os.path.join(root, "src"), os.path.join(root, "include"), root]
    keys = {path: os.path.join(cache, key_of(entries[path], roots, base)) for path in wanted}
    todo = [path for path in wanted if not os.path.exists(keys[path])]
    todo.sort(key=os.path.getsize, reverse=True)
    started, failed = time.time(), 0
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        jobs = {pool.submit(tidy, program, options.build, path): path for path in todo}
        for job in concurrent.futures.as_completed(jobs):
            status, text = job.result()
            if status == 0:
                open(keys[jobs[job]], "w").close()
            else:
                failed += 1
                print(text.strip())
    print(f"clang-tidy: {len(wanted)} files, {len(todo)} read in {time.time() - started:.0f} s, {failed} with findings")
    sys.exit(1 if failed or not wanted else 0)


if __name__ == "__main__":
    main()
