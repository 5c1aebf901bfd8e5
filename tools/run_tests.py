"""Runs ctest in a build folder and ends with one line: `N passed, N failed, N skipped`.

Counted are the cases of the gtest programs (they write results/NAME.xml) and each other ctest entry as one. A program
that failed without a failed case in its file (a crash, a time-out) counts as one failure. Further arguments go to ctest.
"""
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

SKIP_REASONS = ("SKIP_RETURN_CODE", "SKIP_REGULAR_EXPRESSION", "Disabled")


def count_gtest(path):
    """(passed, failed, skipped) of a gtest XML file, None where there is none that can be read."""
    try:
        suites = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError):
        return None
    counts = [0, 0, 0]
    for case in suites.iter("testcase"):
        failed = case.find("failure") is not None
        skipped = case.find("skipped") is not None or case.get("status") == "notrun"
        counts[1 if failed else 2 if skipped else 0] += 1
    return counts


def count_entry(entry, results):
    """(passed, failed, skipped) of one ctest entry."""
    status = entry.get("status")
    if status == "run":
        outcome = 0
    elif status == "disabled":
        outcome = 2
    else:
        skipped = entry.find("skipped")
        message = skipped.get("message", "") if skipped is not None else ""
        outcome = 2 if any(reason in message for reason in SKIP_REASONS) else 1
    counts = count_gtest(os.path.join(results, entry.get("name") + ".xml")) if outcome < 2 else None
    if counts is None:
        counts = [0, 0, 0]
        counts[outcome] = 1
    elif outcome == 1 and counts[1] == 0:
        counts[1] = 1
    return counts


def main():
    build, *extra = sys.argv[1:]
    results = os.path.join(build, "results")
    report = os.path.abspath(os.path.join(build, "ctest.xml"))
    shutil.rmtree(results, ignore_errors=True)
    os.makedirs(results)
    if os.path.exists(report):
        os.remove(report)
    jobs = str(len(os.sched_getaffinity(0)))
    status = subprocess.run(["ctest", "--test-dir", build, "-j", jobs, "--output-on-failure", "--output-junit", report,
                             *extra]).returncode
    totals = [0, 0, 0]
    if os.path.exists(report):
        for entry in ElementTree.parse(report).getroot().iter("testcase"):
            totals = [a + b for a, b in zip(totals, count_entry(entry, results))]
    passed, failed, skipped = totals
    if status != 0 and failed == 0 or passed == 0:
        failed += 1  # ctest itself failed, or nothing ran
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
