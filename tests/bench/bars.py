"""The bars that the figures are held against."""

from catalog import HELLO_WORLD
from figures import geometric_mean

MEBIBYTE = 1024 * 1024
MILLION_STACKS = ("async_generators", "distinct_stacks")
FEWEST_EVENTS = 1_000_000  # below, starting and ending the collector is what is measured
COLLECTOR_BASE = 16 * MEBIBYTE
COLLECTOR_PER_BLOCK = 40


def _row(figure, bar, measured, met):
    return figure, bar, measured, "met" if met else "MISSED"


def _worst(programs, value):
    """The program with the largest value, and the value; none when nothing is known."""
    known = [(value(one), one.name) for one in programs]
    return max(((number, name) for number, name in known if number == number), default=None)


def _worst_row(figure, bar, programs, value, limit, form):
    worst = _worst(programs, value)
    if worst is None:
        return []
    number, name = worst
    return [_row(figure, bar, f"{form.format(number)} ({name})", number <= limit)]


def _slowdowns(programs):
    mean = geometric_mean(one.slowdown("heapline") for one in programs)
    yield _row("slowdown, geometric mean", "≤ 1.5×", f"{mean:.2f}×", mean <= 1.5)
    for name, limit in (("deep_stack", 2.5), ("around_calls", 2.5), *((name, 2.0) for name in MILLION_STACKS)):
        chosen = [one for one in programs if one.name == name]
        yield from _worst_row(f"slowdown, {name}", f"≤ {limit}×", chosen,
                              lambda one: one.slowdown("heapline"), limit, "{:.2f}×")


def _beside_memray(programs):
    ratios = [one.overhead_ratio() for one in programs if "memray-full" in one.samples]
    ratios = [ratio for ratio in ratios if ratio == ratio]
    if not ratios:
        return
    within = sum(ratio <= 1 / 3 for ratio in ratios)
    yield _row("overhead ≤ ⅓ of memray's", "9 in 10", f"{within} of {len(ratios)}", within >= 0.9 * len(ratios))
    yield from _worst_row("overhead beside memray's, each", "≤ 0.75", programs,
                          lambda one: one.overhead_ratio(), 0.75, "{:.2f}")


def _history(programs):
    sizes = [one.history_bytes_an_event() for one in programs if one.figures]
    if any(size == size for size in sizes):
        mean = geometric_mean(sizes)
        yield _row("history, bytes an event, geometric mean", "≤ 0.5", f"{mean:.2f}", mean <= 0.5)
    yield from _worst_row("file beside memray's", "≤ 1", programs, lambda one: one.file_ratio(), 1, "{:.2f}")
    if any("heapline-sums" in one.samples for one in programs):
        mean = geometric_mean(one.slowdown("heapline") for one in programs)
        without = geometric_mean(one.slowdown("heapline-sums") for one in programs)
        cost = mean - without
        yield _row("slowdown by the history, of the means", "≤ 0.05", f"{cost:+.2f}", cost <= 0.05)


def _native(programs):
    chosen = [one for one in programs if "heapline-native" in one.samples]
    if chosen:
        mean = geometric_mean(one.slowdown("heapline-native") for one in chosen)
        yield _row("slowdown with --native, geometric mean", "≤ 2.2×", f"{mean:.2f}×", mean <= 2.2)
    ratios = [one.native_overhead_ratio() for one in chosen if "memray-native" in one.samples]
    if ratios:
        mean, within = geometric_mean(ratios), sum(ratio <= 1 / 3 for ratio in ratios)
        yield _row("overhead with --native beside memray --native, geometric mean", "≤ ⅓",
                   f"{mean:.2f} (≤ ⅓ in {within} of {len(ratios)})", mean <= 1 / 3)


def _hello_world(programs):
    for one in programs:
        if one.name == HELLO_WORLD and "heapline" in one.samples:
            whole = one.extra_milliseconds("heapline")
            own = one.extra_milliseconds("heapline", "target_seconds")
            yield _row("hello world, whole", "≤ +40 ms", f"{whole:+.1f} ms", whole <= 40)
            yield _row("hello world, the shim's share", "≤ +10 ms", f"{own:+.1f} ms", own <= 10)


def _resources(programs):
    def collector_time(one):
        return one.collector_nanoseconds()

    busy = [one for one in programs if one.events >= FEWEST_EVENTS]
    usual = [one for one in busy if one.name not in MILLION_STACKS]
    stacks = [one for one in busy if one.name in MILLION_STACKS]
    yield from _worst_row("target's extra memory", "≤ 8 MiB", programs,
                          lambda one: one.extra_resident() / MEBIBYTE, 8, "{:.1f} MiB")
    yield from _worst_row("ring", "≤ 8 MiB", programs,
                          lambda one: one.figures["target"]["peak_shared"] / MEBIBYTE, 8, "{:.1f} MiB")
    yield from _worst_row("collector CPU an event", "≤ 60 ns", usual, collector_time, 60, "{:.0f} ns")
    yield from _worst_row("the same, a million stacks", "≤ 150 ns", stacks, collector_time, 150, "{:.0f} ns")
    yield from _worst_row("collector memory beyond 16 MiB + 40 B a block", "≤ 0 MiB", programs,
                          lambda one: one.collector_surplus(COLLECTOR_BASE, COLLECTOR_PER_BLOCK) / MEBIBYTE,
                          0, "{:+.1f} MiB")
    yield from _worst_row("report", "≤ 0.2 s", programs, lambda one: one.figures["report_seconds"], 0.2, "{:.2f} s")


def judge(programs):
    """Rows of (figure, bar, measured, verdict) for what was measured."""
    compared = [one for one in programs if one.compared and "heapline" in one.samples]
    rows = []
    if compared:
        rows += _slowdowns(compared)
        rows += _beside_memray(compared)
        rows += _history(compared)
    rows += _native([one for one in programs if one.compared])
    rows += _hello_world(programs)
    rows += _resources([one for one in programs if one.figures])
    return rows
