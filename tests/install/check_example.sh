#!/usr/bin/env bash
# Installs the build into a folder of its own, builds examples/generate against it with find_package(SmallMind), trains a
# model of three steps with the installed program, and lets the example write with it.
#   check_example.sh SOURCE_DIR BUILD_DIR CXX_COMPILER
set -euo pipefail
source_dir=$1 build_dir=$2 compiler=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build_dir" --prefix "$work/prefix" >"$work/install.log"
cmake -S "$source_dir/examples/generate" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" \
  -DCMAKE_CXX_COMPILER="$compiler" >"$work/configure.log" || { cat "$work/configure.log"; exit 1; }
cmake --build "$work/build" >"$work/build.log" || { cat "$work/build.log"; exit 1; }

head -c 20000 "$source_dir/data/stories.txt" >"$work/text.txt"
"$work/prefix/bin/smallmind" train "$work/text.txt" --tokenizer char --layers 1 --heads 2 --width 32 --context 32 \
  --batch 2 --steps 3 --out "$work/run" --quiet
text=$("$work/build/generate" "$work/run" "The " 20)
[ "${#text}" -gt 4 ] || { echo "the example wrote nothing: '$text'"; exit 1; }
! "$work/build/generate" "$work/nowhere" "The " 20 2>"$work/error.txt" || { echo "a missing model went unnoticed"; exit 1; }
grep -q nowhere "$work/error.txt"
echo "the example wrote: $text"
