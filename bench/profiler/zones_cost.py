"""What zones cost that nobody watches: instructions per decoded token with zones compiled in against none.

    python3 bench/profiler/zones_cost.py build/release build/nozones

The second build is configured with -DSMALLMIND_ZONES=OFF; both need the target budget_probe. Counted by callgrind with
the AVX2 kernels on one thread. Fails where the ratio exceeds 1.003 for small or 1.001 for medium.
"""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "budgets"))
import budget_test  # noqa: E402

LIMITS = {"small": 1.003, "medium": 1.001}
TOKENS = 20


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    failed = False
    for preset, limit in LIMITS.items():
        on, off = (budget_test.instructions(os.path.join(build, "tests", "budgets", "budget_probe"), "decode", preset,
                                            TOKENS)["instructions"] for build in sys.argv[1:])
        failed |= on / off > limit
        print(f"decode {preset}: {on:,} instructions a token with zones, {off:,} without: {on / off:.4f} (limit {limit})")
    sys.exit(failed)


if __name__ == "__main__":
    main()
