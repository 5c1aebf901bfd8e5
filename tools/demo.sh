#!/usr/bin/env bash
# The demo: trains a small model on the bundled stories for about a minute, shows where the time went, and lets it write.
set -euo pipefail
smallmind=${1:?usage: demo.sh PROGRAM}
cd "$(dirname "$0")/.."

"$smallmind" train data/stories.txt --tokenizer bpe --vocab-size 1024 --arch gpt2 --layers 4 --heads 4 --width 128 \
  --context 64 --batch 16 --steps 2000 --lr 3e-3 --warmup 50 --eval-every 250 --save-every 0 --force --out run-demo \
  --profile run-demo.smprof

echo
echo "What it writes:"
"$smallmind" generate run-demo --prompt "Once upon a time, " --tokens 250 --temperature 0.8 --seed 7

cat <<END

Try next:
  $smallmind generate run-demo --prompt "One rainy morning, " --tokens 200 --seed 1
  $smallmind train YOUR-TEXT.txt --out run1
  $smallmind inspect run-demo
  $smallmind profile report run-demo.smprof
  $smallmind export run-demo model.gguf
  $smallmind bench --preset small
  $smallmind doctor
END
