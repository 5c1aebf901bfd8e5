"""How good is text that a model wrote after learning a corpus?

    check_story_quality.py GENERATED CORPUS [--json] [--max-sentences 50]

Prints the share of words that the corpus knows, the share of sentences that the corpus does not contain (what is
copied is not written) and the corpus' gzip -9 ratio (a high one means that the corpus repeats itself). Exit status 1
where less than 95 % of the words are known, less than half of the sentences are new, or the ratio is above 5.
"""
import argparse
import gzip
import json
import re
import sys

WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")
SENTENCE_END = re.compile(r"(?<=[.!?])\"?\s+|(?<=[.!?]\")\s+|\n+")


def sentences(text):
    """Whole sentences, spaces and quotation marks evened out; what is cut off at the end does not count."""
    found = []
    for piece in SENTENCE_END.split(text):
        piece = " ".join(piece.replace('"', " ").split())
        if piece and piece[-1] in ".!?":
            found.append(piece)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generated")
    parser.add_argument("corpus")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--max-sentences", type=int, default=50, help="how many of the generated sentences are judged")
    options = parser.parse_args()
    with open(options.generated, encoding="utf-8", errors="replace") as file:
        generated = sentences(file.read())[: options.max_sentences]
    with open(options.corpus, "rb") as file:
        corpus_bytes = file.read()
    corpus = corpus_bytes.decode("utf-8")
    vocabulary = {word.lower() for word in WORD.findall(corpus)}
    known_sentences = set(sentences(corpus))
    words = [word.lower() for sentence in generated for word in WORD.findall(sentence)]
    result = {"sentences": len(generated), "words": len(words),
              "known_words": sum(w in vocabulary for w in words) / max(1, len(words)),
              "novel_sentences": sum(s not in known_sentences for s in generated) / max(1, len(generated)),
              "gzip_ratio": len(corpus_bytes) / len(gzip.compress(corpus_bytes, 9)),
              "corpus_words": len(vocabulary),
              "corpus_unique_sentences": len(known_sentences) / max(1, len(sentences(corpus)))}
    good = (result["words"] > 0 and result["known_words"] >= 0.95 and result["novel_sentences"] >= 0.5
            and result["gzip_ratio"] <= 5)
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:24} {value if isinstance(value, int) else round(value, 3)}")
        print("good" if good else "not good enough")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
