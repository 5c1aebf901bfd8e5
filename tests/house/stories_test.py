"""The bundled text is what its generator writes, byte for byte, and varied enough; the quality check can fail."""
import filecmp
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CORPUS = os.path.join(ROOT, "data", "stories.txt")


def tool(name, *arguments):
    return subprocess.run([sys.executable, os.path.join(ROOT, "tools", name), *arguments], capture_output=True, text=True)


class Stories(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "text.txt")

    def tearDown(self):
        self.folder.cleanup()

    def judge(self, text):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)
        return tool("check_story_quality.py", self.path, CORPUS)

    def test_committed_text_is_the_generated_one(self):
        self.assertEqual(tool("make_stories.py", "--out", self.path).returncode, 0)
        self.assertTrue(filecmp.cmp(self.path, CORPUS, shallow=False))

    def test_other_stories_of_the_generator_are_good(self):
        tool("make_stories.py", "--out", self.path, "--seed", "7", "--bytes", "20000")
        result = tool("check_story_quality.py", self.path, CORPUS)
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_copied_text_is_not_good(self):
        with open(CORPUS, encoding="utf-8") as file:
            result = self.judge(file.read(5000))
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertIn("novel_sentences          0.0", result.stdout)

    def test_unknown_words_are_not_good(self):
        result = self.judge("The glorp wumbled a frindle. " * 10)
        self.assertEqual(result.returncode, 1, result.stdout)

    def test_empty_text_is_not_good(self):
        self.assertEqual(self.judge("").returncode, 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
