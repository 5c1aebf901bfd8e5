"""Includes go downward only.

The sm_layer lines of src/CMakeLists.txt are the picture of the architecture: `#include "x/..."` in a file of layer y
is legal only where x is y or one of the layers below y. The siblings train, infer and compress never see one another,
each layer names only layers declared above it, and public headers (include/smallmind/) include no layer at all.
"""
import re

import house

LAYER = re.compile(r"^\s*sm_layer\(([^)]*)\)", re.MULTILINE)
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
SIBLINGS = {"train", "infer", "compress"}


def read_layers(text, problems):
    """{layer: every layer below it}."""
    below = {}
    for name, *deps in (match.split() for match in LAYER.findall(text)):
        closure = set()
        for dep in deps:
            if dep not in below:
                problems.append(f"src/CMakeLists.txt: {name} names {dep}, which is not declared above it")
            closure |= {dep} | below.get(dep, set())
        if name in SIBLINGS and closure & SIBLINGS:
            problems.append(f"src/CMakeLists.txt: {name} may not depend on its sibling {min(closure & SIBLINGS)}")
        below[name] = closure
    return below


def check_file(root, name, below, problems):
    folder, layer = name.split("/")[:2]
    public = folder == "include"
    if not public and layer not in below:
        problems.append(f"{name}: src/{layer} is not declared by sm_layer")
        return
    for number, line in enumerate(house.read_lines(root, name), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match.group(1).split("/")[0]
        where = f"{name}:{number}: "
        if target == "smallmind":
            # The exception type crosses every layer and the public API alike.
            if match.group(1) != "smallmind/error.h" and not public and not {"train", "infer"} <= below[layer]:
                problems.append(where + f"{layer} lies below the public API and may not include it")
        elif public:
            problems.append(where + f'a public header may not include "{match.group(1)}"')
        elif target not in below:
            problems.append(where + f'"{match.group(1)}" does not start with a layer')
        elif target != layer and target not in below[layer]:
            problems.append(where + f"{layer} may not include {target}")


def main():
    root = house.arguments(__doc__).root
    problems = []
    below = read_layers("\n".join(house.read_lines(root, "src/CMakeLists.txt")), problems)
    files = [f for f in house.project_files(root, house.CPP, ("src/", "include/")) if f.count("/") >= 2]
    for name in files:
        check_file(root, name, below, problems)
    house.finish("layers", problems, len(files))


if __name__ == "__main__":
    main()
