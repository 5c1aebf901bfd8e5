"""Every check of the house must report its fixture: a check that cannot fail checks nothing.

Usage: house_test.py BUILD [unittest arguments]
"""
import json
import os
import shlex
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIXTURES = os.path.join(ROOT, "tests", "house", "fixtures")
BUILD = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else os.path.join(ROOT, "build", "release")


def tool(name, *arguments):
    result = subprocess.run([sys.executable, os.path.join(ROOT, "tools", name), *arguments],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return result.returncode, result.stdout


def fixture(*names):
    return os.path.join(FIXTURES, *names)


def compile_command(source, target):
    """The build's own command for a fixture, writing to target."""
    with open(os.path.join(BUILD, "compile_commands.json")) as file:
        entry = next(e for e in json.load(file) if os.path.samefile(e["file"], source))
    words = [w for w in shlex.split(entry["command"]) if "ccache" not in w]
    words[words.index("-o") + 1] = target
    return words, entry["directory"]


def build_object(source, target):
    words, folder = compile_command(source, target)
    return subprocess.run(words, cwd=folder, capture_output=True, text=True)


class ChecksFindTheirFixtures(unittest.TestCase):
    def assert_reports(self, outcome, *texts):
        status, output = outcome
        self.assertEqual(status, 1, output)
        for text in texts:
            self.assertIn(text, output)

    def test_layers(self):
        self.assert_reports(tool("check_layers.py", "--root", fixture("layers")), "base may not include train",
                            "train may not include infer", "does not start with a layer", "kernels names quant",
                            "infer may not depend on its sibling train", "leak.h:1: a public header may not include")

    def test_sizes(self):
        self.assert_reports(tool("check_sizes.py", "--root", fixture("sizes")), "long.cpp: 601 lines, at most 600",
                            "longish.cpp: warning: 500 lines", "long.h: 251 lines, at most 250", "2 problems")

    def test_format(self):
        self.assert_reports(tool("check_format.py", "--root", fixture("format")), "ugly.cpp")

    def test_words(self):
        self.assert_reports(tool("check_words.py", "--root", fixture("words")), "a note to oneself",
                            "notes.cpp:2", "page.md:1: /tmp/l", "the host of a package registry")

    def test_empty_tree(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assert_reports(tool("check_format.py", "--root", folder), "nothing to check")

    def test_kernel_objects(self):
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "avx9"))
            target = os.path.join(folder, "avx9", "kernel.o")
            subprocess.run(["c++", "-O1", "-c", fixture("kernels", "leaky.cpp"), "-o", target], check=True)
            self.assert_reports(tool("check_kernel_objects.py", folder), "weak or inline symbol float smallmind::twice",
                                "global symbol smallmind::helper(float)", "global symbol smallmind::table",
                                "static initialiser")
            subprocess.run(["c++", "-O1", "-c", fixture("kernels", "clean.cpp"), "-o", target], check=True)
            status, output = tool("check_kernel_objects.py", folder)
            self.assertEqual(status, 0, output)

    def test_tidy(self):
        self.assert_reports(tool("run_clang_tidy.py", BUILD, fixture("tidy", "long_function.cpp")),
                            "readability-function-size")
        self.assert_reports(tool("run_clang_tidy.py", BUILD, fixture("tidy", "bugprone.cpp")),
                            "bugprone-integer-division")
        status, output = tool("run_clang_tidy.py", BUILD, fixture("tidy", "clean.cpp"))
        self.assertEqual(status, 0, output)

    def test_warnings_are_errors(self):
        with tempfile.TemporaryDirectory() as folder:
            target = os.path.join(folder, "fixture.o")
            for name, flag in (("conversion", "-Werror=float-conversion"), ("shadow", "-Werror=shadow")):
                result = build_object(fixture("warnings", name + ".cpp"), target)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn(flag, result.stderr)
            result = build_object(fixture("warnings", "clean.cpp"), target)
            self.assertEqual(result.returncode, 0, result.stderr)

    def test_test_counts(self):
        """A failing, a skipped and a crashing test end up in the last line and in the exit status."""
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "CTestTestfile.cmake"), "w") as file:
                file.write('add_test(good "/bin/true")\nadd_test(bad "/bin/false")\n'
                           'add_test(crash "/bin/sh" "-c" "kill -SEGV $$")\nadd_test(absent "/nonexistent/program")\n'
                           'add_test(skip "/bin/sh" "-c" "exit 77")\n'
                           'set_tests_properties(skip PROPERTIES SKIP_RETURN_CODE 77)\n')
            status, output = tool("run_tests.py", folder)
            self.assertEqual(status, 1)
            self.assertEqual(output.splitlines()[-1], "1 passed, 3 failed, 1 skipped")
            status, output = tool("run_tests.py", folder, "-R", "good")
            self.assertEqual((status, output.splitlines()[-1]), (0, "1 passed, 0 failed, 0 skipped"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
