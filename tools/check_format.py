"""All C++ files are as clang-format writes them. --fix rewrites them instead."""
import shutil
import subprocess
import sys

import house


def main():
    options = house.arguments(__doc__, ("--fix", dict(action="store_true", help="format the files in place")))
    program = shutil.which("clang-format-14") or shutil.which("clang-format")
    if not program:
        print("skipped: clang-format is not installed")
        sys.exit(77)
    files = house.project_files(options.root, house.CPP)
    if options.fix:
        sys.exit(subprocess.run([program, "-i", *files], cwd=options.root).returncode)
    result = subprocess.run([program, "--dry-run", "-Werror", *files], cwd=options.root, capture_output=True, text=True)
    first = {line.split(":")[0]: line for line in reversed(result.stderr.splitlines()) if "error:" in line}
    problems = sorted(first.values())  # one a file
    if result.returncode and not problems:
        problems = [result.stderr.strip() or "clang-format failed"]
    house.finish("format", problems, len(files))


if __name__ == "__main__":
    main()
