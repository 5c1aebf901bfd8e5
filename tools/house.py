"""What the checks of the house share: the list of the project's files and the way problems are reported."""
import argparse
import os
import subprocess
import sys

FIXTURES = "tests/house/fixtures/"  # files that must fail a check; no check reads them unless --root points there
SKIPPED_FOLDERS = {".git", "build", "node_modules", "__pycache__"}
CPP = (".cpp", ".h", ".inl")


def project_root():
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def arguments(description, *options):
    """Parses --root and the given (name, keyword arguments) options."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--root", default=project_root(), help="the tree to check")
    for name, keywords in options:
        parser.add_argument(name, **keywords)
    return parser.parse_args()


def project_files(root, suffixes=None, under=("",)):
    """Paths relative to root of the files that git tracks or would track; all files where root is no git tree."""
    command = ["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        names = []
        for folder, folders, files in os.walk(root):
            folders[:] = [f for f in folders if f not in SKIPPED_FOLDERS]
            names += [os.path.relpath(os.path.join(folder, f), root) for f in files]
    return sorted(n for n in names
                  if not n.startswith(FIXTURES) and n.startswith(tuple(under))
                  and (suffixes is None or n.endswith(tuple(suffixes))) and os.path.isfile(os.path.join(root, n)))


def read_lines(root, name):
    with open(os.path.join(root, name), encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


def finish(check, problems, checked):
    """Prints the problems and exits: 0 without any, else 1. A check that looked at nothing fails as well."""
    for problem in problems:
        print(problem)
    if not checked:
        problems = ["nothing to check"]
        print("nothing to check")
    print(f"{check}: {checked} checked, {len(problems)} problems")
    sys.exit(1 if problems else 0)
