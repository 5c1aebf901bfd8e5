"""Words that must not stand in the project: paths of one machine, hosts of package registries, notes to oneself."""
import re

import house

EVERYWHERE = [
    (re.compile(r"(?<![\w./])/(?:work|home|Users)/\w"), "a path of one machine"),
    (re.compile(r"\b(?:registry|proxy|static|files|deb)\.(?:[a-z0-9-]+\.)+(?:org|com|io|net)\b|\bpypi\.[a-z]+\b"),
     "the host of a package registry"),
]
DOCS = [(re.compile(r"(?<![\w./])/tmp/\w"), "a path of one machine")]
SOURCE = [(re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b"), "a note to oneself")]
SELF = "tools/check_words.py"
BINARY = (".safetensors", ".png", ".gguf", ".bin")


def main():
    root = house.arguments(__doc__).root
    problems = []
    files = [f for f in house.project_files(root) if f != SELF and not f.endswith(BINARY)]
    for name in files:
        rules = EVERYWHERE + (DOCS if name.endswith(".md") else [])
        rules += SOURCE if name.endswith(house.CPP) else []
        for number, line in enumerate(house.read_lines(root, name), 1):
            for pattern, what in rules:
                match = pattern.search(line)
                if match:
                    problems.append(f"{name}:{number}: {match.group(0)}: {what}")
    house.finish("words", problems, len(files))


if __name__ == "__main__":
    main()
