"""Many blocks that stay: what the collector needs for each live block."""

import sys


class Record:
    __slots__ = ("name", "value")

    def __init__(self, number):
        self.name = "record %d" % number
        self.value = number * 0.5


def main(loops):
    records = [Record(number) for number in range(loops)]
    assert len(records) == loops


main(int(sys.argv[1]))
