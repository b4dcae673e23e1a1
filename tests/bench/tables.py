"""Results as tables: for the terminal and as a Markdown section."""

import statistics

import bars
from figures import Measured, geometric_mean

MEBIBYTE = 1024 * 1024
MISSING = "–"


def _number(value, form="{:.2f}"):
    return MISSING if value is None or value != value else form.format(value)


def _times(value):
    return _number(value, "{:.2f}×")


def _share(value):
    return _number(value, "{:.2f}")


def _mebibytes(value):
    return _number(None if value is None else value / MEBIBYTE, "{:.1f}")


SLOWDOWN_COLUMNS = (
    # heading, contestant it needs, value of one program, form
    ("heapline", "heapline", lambda one: one.slowdown("heapline"), _times),
    ("its target", "heapline", lambda one: one.slowdown("heapline", "target_seconds"), _times),
    ("its CPU", "heapline", lambda one: one.slowdown("heapline", "cpu_seconds"), _times),
    ("no history", "heapline-sums", lambda one: one.slowdown("heapline-sums"), _times),
    ("native", "heapline-native", lambda one: one.slowdown("heapline-native"), _times),
    ("its target", "heapline-native", lambda one: one.slowdown("heapline-native", "target_seconds"), _times),
    ("its CPU", "heapline-native", lambda one: one.slowdown("heapline-native", "cpu_seconds"), _times),
    ("over TCP", "heapline-tcp", lambda one: one.slowdown("heapline-tcp"), _times),
    ("its target", "heapline-tcp", lambda one: one.slowdown("heapline-tcp", "target_seconds"), _times),
    ("tracemalloc", "tracemalloc", lambda one: one.slowdown("tracemalloc"), _times),
    ("memray", "memray", lambda one: one.slowdown("memray"), _times),
    ("memray, objects on", "memray-full", lambda one: one.slowdown("memray-full"), _times),
    ("memray, native", "memray-native", lambda one: one.slowdown("memray-native"), _times),
    ("overhead ratio", "memray-full", lambda one: one.overhead_ratio(), _share),
    ("overhead ratio, native", "memray-native", lambda one: one.native_overhead_ratio(), _share),
    ("file ratio", "memray-full", lambda one: one.file_ratio(), _share),
)

FIGURE_COLUMNS = (
    ("events, million", lambda one: one.events / 1e6, _number),
    ("stacks", lambda one: one.figures["stacks"], lambda value: _number(value, "{:,}")),
    ("target +MiB", lambda one: one.extra_resident(), _mebibytes),
    ("ring MiB", lambda one: one.figures["target"]["peak_shared"], _mebibytes),
    ("collector ns/event", lambda one: one.collector_nanoseconds(), lambda value: _number(value, "{:.0f}")),
    ("collector MiB", lambda one: one.figures["collector"]["peak_private"], _mebibytes),
    ("blocks at peak", lambda one: one.figures["peak_blocks"], lambda value: _number(value, "{:,}")),
    ("history B/event", lambda one: one.history_bytes_an_event(), _number),
    ("recording MiB", lambda one: one.figures["recording_bytes"], _mebibytes),
    ("report, s", lambda one: one.figures["report_seconds"], _number),
    ("lost", lambda one: one.figures["lost_events"], lambda value: _number(value, "{:,}")),
)

BAR_HEADINGS = ["figure", "bar", "measured", "verdict"]


def _slowdown_table(programs):
    present = {key for one in programs for key in one.samples}
    columns = [column for column in SLOWDOWN_COLUMNS if column[1] in present]
    headings = ["program", "bare, s", *(heading for heading, *_ in columns)]
    rows = [
        [one.name, _number(one.median("bare")), *(form(value(one)) for _, _, value, form in columns)]
        for one in programs
    ]
    for title, group in _groups(programs):
        means = [form(geometric_mean(map(value, group))) for _, _, value, form in columns]
        rows.append([f"geometric mean, {title}", "", *means])
    return headings, rows


def _groups(programs):
    compared = [one for one in programs if one.compared]
    groups = [(origin, [one for one in compared if one.origin == origin]) for origin in ("pyperformance", "own")]
    groups = [(title, group) for title, group in groups if group]
    return groups + [("all", compared)] if len(groups) > 1 else groups


def _figure_table(programs):
    rows = [
        [one.name, *(form(value(one)) for _, value, form in FIGURE_COLUMNS)]
        for one in programs
        if one.figures
    ]
    return ["program", *(heading for heading, *_ in FIGURE_COLUMNS)], rows


def _tables(programs):
    yield "Slowdown over bare (whole command, medians)", *_slowdown_table(programs)
    headings, rows = _figure_table(programs)
    if rows:
        yield "Memory, collector, report (one observed run each)", headings, rows
    rows = [list(row) for row in bars.judge(programs)]
    if rows:
        yield "Bars", BAR_HEADINGS, rows


def _plain(headings, rows):
    widths = [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]

    def line(row):
        first, *others = (f"{cell:<{width}}" if place == 0 else f"{cell:>{width}}"
                          for place, (cell, width) in enumerate(zip(row, widths)))
        return "  ".join([first, *others]).rstrip()

    return "\n".join(map(line, [headings, *rows]))


def _pipes(headings, rows):
    rule = ["---", *["---:"] * (len(headings) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [headings, rule, *rows])


def _session_lines(results):
    session = results["session"]
    yield (f"{session['started']} UTC, {session['processor']}, {session['cores']} cores, "
           f"{session['memory']}, Linux {session['kernel']}, load {session['load']:.2f}")
    yield f"{session['rounds']} rounds in turn; {session['heapline']}"
    for title, command in session["commands"].items():
        yield f"{title}: `{command}`"


def _version_line(version, one):
    return f"Python {version}: " + ", ".join(f"{name} {number}" for name, number in one["versions"].items())


def _spread_line(programs):
    spreads = [one.spread(key) for one in programs for key in one.samples if one.compared]
    worst = max(spreads, default=0.0)
    return f"(slowest − fastest) / median of the rounds: median {statistics.median(spreads or [0]):.1%}, worst {worst:.1%}"


def _render(results, heading, table, item):
    yield from (item.format(line) for line in _session_lines(results))
    for version, one in results["interpreters"].items():
        programs = [Measured(name, facts) for name, facts in one["programs"].items()]
        yield heading.format(_version_line(version, one))
        yield _spread_line(programs)
        for title, headings, rows in _tables(programs):
            yield f"\n{title}\n"
            yield table(headings, rows)


def text(results):
    return "\n".join(_render(results, "\n== {}", _plain, "{}"))


def markdown(results):
    lines = _render(results, "\n### {}\n", _pipes, "- {}")
    return f"\n## {results['session']['started'].split()[0]}\n\n" + "\n".join(lines) + "\n"


def progress(name, facts):
    """One line while the session goes on."""
    one = Measured(name, facts)
    slowdowns = (f"{key} {_times(one.slowdown(key))}" for key in one.samples if key != "bare")
    return f"{name}: bare {_number(one.median('bare'))} s, " + ", ".join(slowdowns)
