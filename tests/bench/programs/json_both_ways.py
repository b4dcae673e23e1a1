"""JSON written and read back: dictionaries, lists, strings and numbers made in C."""

import json
import sys


def make_document(records):
    return [
        {
            "id": number,
            "name": "record %d" % number,
            "tags": ["tag%d" % (number % step) for step in (3, 5, 7)],
            "position": {"x": number * 0.5, "y": number * 0.25},
            "parent": None if number % 4 == 0 else number // 4,
            "open": number % 2 == 0,
        }
        for number in range(records)
    ]


def main(loops):
    document = make_document(2000)
    for _ in range(loops):
        text = json.dumps(document)
        assert len(json.loads(text)) == len(document)


main(int(sys.argv[1]))
