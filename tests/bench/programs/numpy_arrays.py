"""numpy arrays made, combined and dropped: few and large blocks, much arithmetic."""

import sys

import numpy


def main(loops):
    generator = numpy.random.default_rng(7)
    square = generator.random((300, 300))
    total = 0.0
    for _ in range(loops):
        shifted = square * 1.5 + 0.25
        product = shifted @ square.T
        ordered = numpy.sort(product, axis=1)
        total += float(ordered[:, ::3].sum())
        pieces = [numpy.arange(size, dtype=numpy.float64) for size in range(0, 2000, 20)]
        total += float(numpy.concatenate(pieces).mean())
    assert total > 0


main(int(sys.argv[1]))
