"""Files stay readable: a source of more than 450 lines is named, more than 600 fail; a header of more than 250 fails.

Tests are free of the limits; the length of functions is clang-tidy's (readability-function-size).
"""
import statistics

import house

SOURCE_WARN, SOURCE_MAX, HEADER_MAX = 450, 600, 250
FOLDERS = ("src/", "include/", "examples/", "bench/", "fuzz/")


def main():
    root = house.arguments(__doc__).root
    problems, sizes = [], []
    for name in house.project_files(root, house.CPP, FOLDERS):
        lines = len(house.read_lines(root, name))
        header = name.endswith(".h")
        limit = HEADER_MAX if header else SOURCE_MAX
        if lines > limit:
            problems.append(f"{name}: {lines} lines, at most {limit} allowed")
        elif lines > SOURCE_WARN:
            print(f"{name}: warning: {lines} lines, more than {SOURCE_WARN}")
        if not header:
            sizes.append(lines)
    print(f"median source file: {statistics.median(sizes or [0]):.0f} lines")
    house.finish("sizes", problems, len(sizes))


if __name__ == "__main__":
    main()
