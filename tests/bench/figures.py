"""What follows from the measurements of one program."""

import math
import statistics

NOT_KNOWN = float("nan")


def geometric_mean(values):
    known = [value for value in values if value is not None and value > 0]
    return math.exp(statistics.fmean(map(math.log, known))) if known else NOT_KNOWN


class Measured:
    """One program under one interpreter."""

    def __init__(self, name, facts):
        self.name = name
        self.origin = facts["origin"]
        self.compared = facts["compared"]
        self.samples = facts["samples"]
        self.figures = facts["figures"]

    def _values(self, contestant, field):
        return [sample[field] for sample in self.samples.get(contestant, ())]

    def median(self, contestant, field="seconds"):
        values = self._values(contestant, field)
        return statistics.median(values) if values else NOT_KNOWN

    def spread(self, contestant):
        values = self._values(contestant, "seconds")
        return (max(values) - min(values)) / statistics.median(values)

    def slowdown(self, contestant, field="seconds"):
        return self.median(contestant, field) / self.median("bare", field)

    def extra_milliseconds(self, contestant, field="seconds"):
        return 1000 * (self.median(contestant, field) - self.median("bare", field))

    def _overhead_ratio(self, own, other):
        overhead = self.slowdown(other) - 1
        return (self.slowdown(own) - 1) / overhead if overhead > 0 else NOT_KNOWN

    def overhead_ratio(self):
        """heapline's overhead as a part of memray's with every object recorded."""
        return self._overhead_ratio("heapline", "memray-full")

    def native_overhead_ratio(self):
        """The same with the native frames."""
        return self._overhead_ratio("heapline-native", "memray-native")

    @property
    def events(self):
        return self.figures["events"]

    def extra_resident(self):
        """Bytes that the target has more than bare, the ring left out."""
        return self.figures["target"]["peak_private"] - self.figures["bare"]["peak_private"]

    def collector_nanoseconds(self):
        return self.figures["collector"]["cpu_seconds"] / self.events * 1e9 if self.events else NOT_KNOWN

    def history_bytes_an_event(self):
        known = self.events and "history_bytes" in self.figures
        return self.figures["history_bytes"] / self.events if known else NOT_KNOWN

    def output_bytes(self, contestant):
        """The file that the contestant left, of the last round."""
        sizes = [one.get("output_bytes") for one in self.samples.get(contestant, ())]
        return sizes[-1] if sizes and sizes[-1] else NOT_KNOWN

    def file_ratio(self):
        """heapline's file as a part of memray's with every object recorded."""
        return self.output_bytes("heapline") / self.output_bytes("memray-full")

    def collector_surplus(self, base, per_block):
        """Bytes of the collector beyond what a base and its live blocks account for."""
        return self.figures["collector"]["peak_private"] - base - per_block * self.figures["peak_blocks"]
