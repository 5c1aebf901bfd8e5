"""Writes data/stories.txt: about a megabyte of small stories, the text that the demo learns.

    python3 tools/make_stories.py [--bytes 1000000] [--seed 1] [--out data/stories.txt]

A story has a hero, a friend, a thing and places, and follows one of ten plots (tools/story_plots.py): beats in order,
each beat one of several sentences. A sentence is a template: [a|b|c] is one of the alternatives at random, {key} a fact
of this story (hero, thing, ...) or a word drawn from a table. Paragraphs end with a newline, stories with a blank line.
The numbers come from a generator of our own (SplitMix64), so every Python writes the same bytes.
"""
import argparse
import os
import re

import story_plots as plots

INNERMOST = re.compile(r"\[([^\[\]]*)\]")
SLOT = re.compile(r"\{(\w+)\}")
MASK = (1 << 64) - 1


class Random:
    """SplitMix64 (Steele, Lea and Flood 2014)."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return ((z ^ (z >> 31)) >> 11) % n

    def choice(self, items):
        return items[self.below(len(items))]


class Deck:
    """Draws the items of a list in shuffled rounds: no plot, beat or word dominates."""

    def __init__(self, random, items):
        self.random, self.items, self.left = random, items, []

    def draw(self):
        if not self.left:
            self.left = list(self.items)
            for i in range(len(self.left) - 1, 0, -1):
                j = self.random.below(i + 1)
                self.left[i], self.left[j] = self.left[j], self.left[i]
        return self.left.pop()


class Writer:
    def __init__(self, seed):
        self.random = Random(seed)
        self.decks = {}

    def draw(self, key, items):
        if key not in self.decks:
            self.decks[key] = Deck(self.random, items)
        return self.decks[key].draw()

    def facts(self):
        """What stays the same in one story. The friend never shares the hero's pronoun."""
        girl = self.random.below(2) == 0
        he, him, his = ("she", "her", "her") if girl else ("he", "him", "his")
        names = ("girl_name", "boy_name") if girl else ("boy_name", "girl_name")
        hero, other = (self.draw(n, plots.WORDS[n]) for n in names)
        animal = self.draw("animal", plots.WORDS["animal"])
        named_friend = self.random.below(2) == 0
        facts = {"hero": hero, "he": he, "him": him, "his": his, "child": "girl" if girl else "boy",
                 "animal": animal, "friend": other if named_friend else "the " + animal,
                 "afriend": other if named_friend else f"a {self.draw('size', plots.WORDS['size'])} {animal}",
                 "other": other, "o_he": "he" if girl else "she", "o_his": "his" if girl else "her"}
        for key in ("thing", "color", "adj", "place", "home", "family", "food", "neighbor", "plant", "contest", "made", "fear",
                    "body"):
            facts[key] = self.draw(key, plots.WORDS[key])
        facts["place2"] = facts["place"]
        while facts["place2"] == facts["place"]:
            facts["place2"] = self.draw("place", plots.WORDS["place"])
        return facts

    def slot(self, key, facts):
        if key == "h":  # the hero, by name or pronoun
            return facts["hero"] if self.random.below(5) < 2 else facts["he"]
        if key in facts:
            return facts[key]
        if key.startswith("any_"):  # a word of a table that also is a fact, drawn anew
            key = key[4:]
        return self.draw(key, plots.WORDS[key])

    def sentence(self, template, facts):
        text = template
        while "[" in text:
            text = INNERMOST.sub(lambda match: self.random.choice(match.group(1).split("|")), text, count=1)
        while "{" in text:
            text = SLOT.sub(lambda match: self.slot(match.group(1), facts), text, count=1)
        text = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
        text = re.sub(r"(^|[.!?] \"?|^\")([a-z])", lambda match: match.group(1) + match.group(2).upper(), text)
        return text

    def story(self):
        facts = self.facts()
        name = self.draw("plot", sorted(plots.PLOTS))
        paragraphs = []
        for paragraph in (plots.OPENINGS, *plots.PLOTS[name], plots.ENDINGS):
            sentences = []
            for beat in paragraph:
                if beat is plots.EXTRA and self.random.below(2):
                    continue
                key = id(beat)
                sentences.append(self.sentence(self.draw(key, beat), facts))
            paragraphs.append(" ".join(sentences))
        return "\n".join(paragraphs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--bytes", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default=os.path.join(root, "data", "stories.txt"))
    options = parser.parse_args()
    writer, stories, size = Writer(options.seed), [], 0
    while size < options.bytes:
        stories.append(writer.story() + "\n")
        size += len(stories[-1]) + 1
    with open(options.out, "w", encoding="ascii", newline="\n") as file:
        file.write("\n".join(stories))


if __name__ == "__main__":
    main()
