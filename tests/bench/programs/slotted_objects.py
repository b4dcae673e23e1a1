"""Small slotted objects, floats and integers in a tight loop: the highest rate of events."""

import sys


class Point:
    __slots__ = ("x", "y", "weight")

    def __init__(self, x, y, weight):
        self.x = x
        self.y = y
        self.weight = weight

    def moved(self, dx, dy):
        return Point(self.x + dx, self.y + dy, self.weight + 1)


def main(loops):
    total = 0.0
    for _ in range(loops):
        points = [Point(number * 0.5, number * 1.5, number + 1000) for number in range(1000)]
        for _ in range(5):
            points = [point.moved(1.25, -0.75) for point in points]
        total += sum(point.x * point.y for point in points)
    assert total


main(int(sys.argv[1]))
