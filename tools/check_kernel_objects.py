"""Objects of the ISA folders leak nothing.

A weak or inline symbol compiled with AVX-512 flags may be the copy that the linker keeps for the whole program, and a
static initialiser runs before CPUID is asked: both end in an illegal instruction on older CPUs. So every object below
FOLDER/{avx2,avx512,...}/ may define as global only functions smallmind::override_NAME(...), and holds no .init_array.
"""
import glob
import os
import re
import subprocess

import house

PORTABLE = {"scalar", "generic"}
ALLOWED = re.compile(r"^smallmind::(?:\w+::)*override_\w+\(")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def check_object(path, problems):
    name = os.path.join(os.path.basename(os.path.dirname(path)), os.path.basename(path))
    for line in run("nm", "--demangle", "--defined-only", path).splitlines():
        kind, symbol = line.split(None, 2)[1:]
        if kind in "wWvVu":
            problems.append(f"{name}: weak or inline symbol {symbol}")
        elif kind.isupper() and not (kind == "T" and ALLOWED.match(symbol)):
            problems.append(f"{name}: global symbol {symbol} ({kind})")
    for section in (".init_array", ".ctors"):
        if re.search(r"\s" + re.escape(section), run("readelf", "--sections", "--wide", path)):
            problems.append(f"{name}: static initialiser ({section})")


def main():
    options = house.arguments(__doc__, ("folder", dict(help="objects of src/kernels in the build folder")))
    objects = [o for o in sorted(glob.glob(os.path.join(options.folder, "**", "*.o"), recursive=True))
               if os.path.dirname(o) != options.folder and not PORTABLE & set(os.path.relpath(o, options.folder).split("/"))]
    problems = []
    for path in objects:
        check_object(path, problems)
    house.finish("kernel objects", problems, len(objects))


if __name__ == "__main__":
    main()
