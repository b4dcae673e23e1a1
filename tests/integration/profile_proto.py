"""Reads a profile of pprof's, by the wire format alone: a second opinion beside pprof's own."""

import collections
import gzip

Sample = collections.namedtuple("Sample", "stack values labels")
Mapping = collections.namedtuple("Mapping", "file build_id start limit functions files lines inlines")


def varint(data, at):
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, at


def fields(data):
    """{field: [value…]}, a value being a number or bytes."""
    found, at = collections.defaultdict(list), 0
    while at < len(data):
        tag, at = varint(data, at)
        value, at = varint(data, at)
        if tag & 7 == 2:
            value, at = data[at : at + value], at + value
        else:
            assert tag & 7 == 0
        found[tag >> 3].append(value)
    return found


def numbers(packed):
    found, at = [], 0
    while at < len(packed):
        number, at = varint(packed, at)
        found.append(number)
    return found


class Profile:
    """`samples` have stacks of (function, file, line, address), the innermost frame first;
    `mapping_of` has the mapping of each address."""

    def __init__(self, file):
        profile = fields(gzip.decompress(file.read_bytes()))
        self.strings = [text.decode() for text in profile[6]]
        self.types = [self._type(value) for value in profile[1]]
        self.period_type, self.period = self._type(profile[11][0]), profile[12][0]
        self.default_type = self.strings[profile[14][0]]
        self.time_nanos, self.duration_nanos = profile[9][0], sum(profile[10])
        self.comments = [self.strings[number] for number in profile[13]]
        mappings = {m[1][0]: self._mapping(m) for m in map(fields, profile[3])}
        self.mappings = list(mappings.values())
        assert len(mappings) == len(profile[3])
        functions = {f[1][0]: f for f in map(fields, profile[5])}
        locations = {location[1][0]: location for location in map(fields, profile[4])}
        assert len(functions) == len(profile[5]) and len(locations) == len(profile[4])
        self.mapping_of = {location[3][0]: mappings[location[2][0]] for location in locations.values()}
        assert len(self.mapping_of) == len(locations)
        frames = {number: self._frame(location, functions) for number, location in locations.items()}
        self.samples = [self._sample(fields(sample), frames) for sample in profile[2]]

    def _type(self, value):
        value = fields(value)
        return self.strings[value[1][0]], self.strings[value[2][0]]

    def _text(self, message, field):
        return self.strings[message[field][0]] if message[field] else ""

    def _mapping(self, mapping):
        flags = (bool(mapping[field]) for field in (7, 8, 9, 10))
        return Mapping(self._text(mapping, 5), self._text(mapping, 6), mapping[2][0], mapping[3][0], *flags)

    def _frame(self, location, functions):
        (line,) = map(fields, location[4])
        function = functions[line[1][0]]
        number = line[2][0] if line[2] else 0
        return self._text(function, 2), self._text(function, 4), number, location[3][0]

    def _sample(self, sample, frames):
        labels = {}
        for label in map(fields, sample[3]):
            labels[self._text(label, 1)] = label[3][0] if label[3] else self._text(label, 2)
        return Sample(tuple(frames[n] for n in numbers(sample[1][0])), tuple(numbers(sample[2][0])), labels)
