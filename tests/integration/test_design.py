"""What design.py wants of each kind of cross."""

import collections

import design
import interpreters
import pytest

NAMES = list(interpreters.NAMES)


def times(cells, side):
    return collections.Counter(cell[side] for cell in cells)


@pytest.mark.parametrize("parameters", [2, 3, 4, 5, 8, 14, 30])
def test_every_parameter_and_every_interpreter(parameters):
    cells = design.cells_of_plain(NAMES, parameters, "test", set())
    assert all(times(cells, 1)[number] >= 3 for number in range(parameters))
    assert all(times(cells, 0)[name] >= (2 if parameters > 4 else 1) for name in NAMES)
    if parameters > 5:
        assert len(cells) < len(NAMES) * parameters / 2


def test_without_parameters():
    several = [design.cells_of_plain(NAMES, 1, f"test {number}", set()) for number in range(100)]
    assert {len(cells) for cells in several} == {4}
    wanted = times((cell for cells in several for cell in cells), 0)
    assert all(wanted[name] > 15 for name in NAMES)


@pytest.mark.parametrize("parameters", [1, 2, 5, 14])
def test_the_check_edition(parameters):
    cells = design.cells_of_check(NAMES, parameters, "test", set())
    assert len(times(cells, 0)) >= 3 and set(times(cells, 0)) <= set(design.SHAPES)
    assert set(times(cells, 1)) == set(range(0, parameters, 3))
    assert design.cells_of_check([None], parameters, "test", set()) == {(None, n) for n in range(0, parameters, 3)}


def test_what_is_on_one():
    cells = design.cells_of_plain(NAMES, 20, "test", {"one_interpreter"})
    assert len(cells) == 20 and set(times(cells, 0)) == set(NAMES)


def test_two_of_one_version_share_the_tests():
    for name in NAMES:
        turns = [design.is_turn_of(name, f"test {number}") for number in range(100)]
        alike = [other for other in NAMES if design.kind_of(other) == design.kind_of(name)]
        assert all(turns) if len(alike) == 1 else 20 < sum(turns) < 80
        for number in range(100):
            assert sum(design.is_turn_of(other, f"test {number}") for other in alike) == 1


@pytest.mark.parametrize("count", range(1, 12))
def test_a_circle_has_everybody_once(count):
    assert sorted(design.circle(NAMES[:count], "test")) == sorted(NAMES[:count])
