"""Text: split, join, replace, a regular expression, counting words in dictionaries."""

import re
import sys

WORD = re.compile(r"[a-z]+[0-9]*")


def make_text(lines):
    words = ("memory", "line", "peak", "stack", "python", "frame", "block", "leak")
    return "\n".join(
        " ".join("%s%d" % (words[(line * place) % 8], (line + place) % 97) for place in range(1, 12))
        for line in range(lines)
    )


def count_words(text):
    counts = {}
    for line in text.split("\n"):
        for word in line.split(" "):
            key = word.strip().lower()
            counts[key] = counts.get(key, 0) + 1
    return counts


def main(loops):
    text = make_text(1000)
    for _ in range(loops):
        counts = count_words(text)
        found = WORD.findall(text)
        shouted = ",".join(word.upper() for word in found).replace("PEAK", "TOP")
        assert len(shouted) and sum(counts.values()) == len(found)


main(int(sys.argv[1]))
