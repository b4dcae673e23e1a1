"""The interactive page, in a browser: what it says is what the other commands say of the same
recording, whatever is chosen on it; it asks nothing of a network, and nothing in a name is run."""

import os
import random
import re
import sqlite3
import time
from collections import Counter

import browser as browsers
import harness
import interpreters
import native_library
import pytest
import sanitized
from harness import BUILD, run

HEAPLINE = BUILD / "heapline"
BYTES_MAX = 5_000_000

# Some lines that hold much at different times, in threads and in functions of a module.
PROGRAM = """
    import json, threading, time

    def texts(count, length):
        return [("%d " % number) * length for number in range(count)]

    def tables(count):
        return [json.loads('{"row": [%d, 2, 3]}' % number) for number in range(count)]

    def deep(levels, kept):
        if levels:
            deep(levels - 1, kept)
        kept.append(bytearray(3000 + levels))

    def work(kept):
        kept.append(texts(300, 40))
        deep(30, kept)

    kept = []
    early = texts(900, 60)
    time.sleep(0.02)
    kept.append(tables(800))
    threads = [threading.Thread(target=work, args=(kept,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    del early
    time.sleep(0.02)
    kept.append(texts(200, 30))
    time.sleep(0.1)  # so that moments near the end are none of the teardown, where frees lie close
"""

TWO_PROCESSES = """
    import multiprocessing

    def child(count):
        global kept
        kept = [bytearray(4000) for _ in range(count)]

    if __name__ == "__main__":
        mine = [bytearray(5000) for _ in range(200)]
        process = multiprocessing.get_context("spawn").Process(target=child, args=(300,))
        process.start()
        process.join()
"""


def html(*arguments, status=0):
    return run([HEAPLINE, "html", *arguments], check=status)


def record(folder, source, name="run", *arguments, options=()):
    program = harness.Program.write(folder, source, f"{name}.py")
    python = interpreters.find("debian").path
    return harness.record(
        [python, program, *arguments], folder / f"{name}.heapline", options, cwd=folder
    )


def page_of(recording, folder, *options, name="page.html"):
    file = folder / name
    html("-o", file, *options, recording.file)
    assert file.stat().st_size <= BYTES_MAX
    return file


@pytest.fixture(scope="module")
def browser():
    absent = browsers.missing()
    if absent:
        pytest.skip(f"not at hand: {absent}")
    if run([HEAPLINE, "html", "-o", "-", "/dev/null"]).err.find("without the page") >= 0:
        pytest.skip("this heapline was built without the page")
    browser = browsers.Browser()
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def recording(folder):
    return record(folder, PROGRAM)


@pytest.fixture(scope="module")
def page(recording, folder):
    return page_of(recording, folder)


@pytest.fixture(scope="module")
def native(folder):
    """A recording with native frames; see native_library.LIBRARIES."""
    libraries = folder / "libraries"
    libraries.mkdir()
    return native_library.record_libraries(libraries)


@pytest.fixture(scope="module")
def native_page(native, folder):
    return page_of(native, folder, name="native.html")


def number(text):
    """A whole number as the page prints it, thousands apart."""
    digits = re.sub(r"\D", "", text)
    return (-1 if text.startswith("−") else 1) * int(digits) if digits else 0


ROWS = """
    [...document.querySelectorAll(".table tbody tr")].map((row) =>
        [...row.cells].filter((cell) => cell.title).map((cell) => cell.title))
"""
FOOT = """
    [...document.querySelectorAll(".table tfoot td")].map((cell) => cell.title).filter(Boolean)
"""


def rows(browser):
    return [tuple(map(number, row)) for row in browser("evaluate", ROWS)]


def sums(browser):
    return tuple(map(number, browser("evaluate", FOOT)))


def quiet(browser):
    """Nothing on the console, nothing thrown, nothing asked for."""
    assert browser("noise") == []


def assert_rows(shown, expected):
    """The first rows are the report's; of those that are as large as the last one, some."""
    last = shown[-1][0]
    larger = [row for row in expected if row[0] > last]
    assert Counter(row for row in shown if row[0] > last) == Counter(larger)
    assert len(shown) >= min(40, len(expected))


def held(report):
    names = ("bytes", "blocks", "allocated_bytes", "allocations")
    return [tuple(row[name] for name in names) for row in report["rows"]]


# --- what it opens with ---


def test_the_first_screen(browser, page, recording):
    """How much at the peak, when, which lines, what is leaked."""
    browser.open(page)
    totals, view = recording.totals, recording.report()["view"]
    blocks = [view["blocks"], totals["end_blocks"], totals["leaked_blocks"], totals["allocations"]]
    assert list(map(number, browser("texts", ".figure-detail"))) == blocks
    assert f"after {totals['peak_time']:.3f} s" in browser("texts", ".figure-name")[0]
    browser("look", "wide=table")
    assert_rows([row[:4] for row in rows(browser)], held(recording.report()))
    assert sums(browser)[:2] == (totals["peak_bytes"], view["blocks"])
    quiet(browser)


def test_nothing_is_asked_for(page):
    """The policy allows no request at all, and nothing to run but what the page has."""
    text = page.read_text()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy and "http" not in policy
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", text)


def test_moments_with_names(browser, page, recording):
    browser.open(page, "#wide=table")
    for at, figure in (("end", 2), ("exit", 3)):
        browser("click", f".figure:nth-child({figure})")
        assert f"at={at}" in browser("fragment")
        assert_rows([row[:4] for row in rows(browser)], held(recording.report(at)))


def test_options_choose_what_opens(browser, recording, folder):
    page = page_of(recording, folder, "--at", "end", "--include", "run.py", "--allocator", "object", name="end.html")
    browser.open(page)
    expected = recording.report("end", "line", "--include", "run.py", "--allocator", "object")["view"]
    assert sums(browser)[:2] == (expected["bytes"], expected["blocks"])
    page = page_of(recording, folder, "--between", "20%", "60%", name="span.html")
    browser.open(page)
    view = harness.report(recording.file, "--between", "20%", "60%", "-n", "0")["view"]
    shown = browser("evaluate", FOOT)
    assert [number(shown[0]), number(shown[2])] == [view["bytes"], view["freed_bytes"]]


# --- choosing from the timeline ---


def moment(browser):
    """The time that has been chosen."""
    return re.search(r"at=([\d.]+)", browser("fragment"))[1]


def test_a_click_chooses_a_moment(browser, page, recording):
    """What the page holds then is what heapline report --at says, to the byte."""
    browser.open(page, "#wide=table")
    for part in (0.2, 0.45, 0.7, 0.93):
        browser("clickAt", ".u-over", part, 0.5)
        expected = recording.report(f"{moment(browser)}s")
        assert sums(browser)[:2] == (expected["view"]["bytes"], expected["view"]["blocks"])
        assert_rows([row[:4] for row in rows(browser)], held(expected))
    quiet(browser)


PROCESSES_THAT_END = """
    import os, time
    for number in range(4):
        pid = os.fork()
        if pid == 0:
            held = [bytearray(10_000 + number) for _ in range(300)]
            time.sleep(0.1)
            more = [bytearray(20_000 + number) for _ in range(100)]
            del held[:100]
            time.sleep(0.1)
            os._exit(0)
        os.waitpid(pid, 0)
        time.sleep(0.1)
"""


@pytest.mark.parametrize("options", [(), ("--no-history",)], ids=["history", "slices"])
def test_processes_that_have_ended_hold_nothing(browser, folder, options):
    """At moments and in spans over their ends."""
    ended = record(folder, PROCESSES_THAT_END, f"ended{len(options)}", options=options)
    browser.open(page_of(ended, folder, name=f"ended{len(options)}.html"), "#wide=table")
    for part in (0.1, 0.22, 0.4, 0.6, 0.8, 0.97):
        browser("clickAt", ".u-over", part, 0.5)
        expected = ended.report(f"{moment(browser)}s")
        assert expected["view"]["bytes"] < 8_000_000
        if not options:
            assert sums(browser)[:2] == (expected["view"]["bytes"], expected["view"]["blocks"])
        assert sums(browser)[0] < 8_000_000
    for part in ((0.1, 0.6), (0.2, 0.95), (0.5, 0.75)) if not options else ():
        browser("drag", ".u-over", *part)
        assert_span(browser, ended)
    quiet(browser)


def test_dragging_chooses_a_span(browser, page, recording):
    """Kept, freed and allocated in it are what heapline report --between says."""
    browser.open(page, "#wide=table")
    for part in ((0.1, 0.6), (0.5, 0.95), (0.9, 0.3)):
        browser("drag", ".u-over", *part)
        assert_span(browser, recording)
    browser("click", ".choice button:text-is('freed')")
    assert_span(browser, recording)
    quiet(browser)


def assert_span(browser, recording):
    first, last = re.search(r"from=([\d.]+)&to=([\d.]+)", browser("fragment")).groups()
    report = harness.report(recording.file, "--between", f"{first}s", f"{last}s", "-n", "0")
    names = ("bytes", "blocks", "freed_bytes", "freed_blocks", "net_bytes", "allocated_bytes", "allocations")
    shown = rows(browser)
    lead = 2 if "what=freed" in browser("fragment") else 0  # the column that rows are sorted by
    expected = [tuple(row[name] for name in names) for row in report["rows"]]
    turn = lambda row: row[lead:] + row[:lead]
    assert_rows([turn(row) for row in shown], [turn(row) for row in expected])
    assert sums(browser)[:5] == tuple(report["view"][name] for name in names[:5])


def test_the_keyboard_moves_the_moment(browser, page, recording):
    browser.open(page)
    browser("press", ".handle", "ArrowLeft")
    earlier = float(moment(browser))
    assert earlier < recording.totals["peak_time"]
    assert browser("evaluate", "document.querySelector('.handle').getAttribute('aria-valuenow')") == f"{earlier:.3f}"
    browser("press", ".handle", "Shift+PageDown")
    assert "from=" in browser("fragment")
    browser("press", ".handle", "Escape")
    assert browser("fragment") == ""


# --- the flame graph ---


def whole_of(browser):
    return browser("text", ".crumb-sum")


def test_zoom_and_back(browser, page):
    browser.open(page)
    everything = whole_of(browser)
    browser("clickAt", ".flame-scroller", 0.1, 30 / 440)
    first = browser("fragment")
    browser("clickAt", ".flame-scroller", 0.1, 50 / 440)
    second = browser("fragment")
    assert "zoom=" in first and "zoom=" in second and first != second
    assert len(browser("texts", ".crumb")) == 3
    browser("back")
    assert browser("fragment") == first
    browser("click", ".crumb")
    assert whole_of(browser) == everything and "zoom=" not in browser("fragment")
    browser("back")
    assert browser("fragment") == first
    browser("back")
    assert "zoom=" not in browser("fragment")
    quiet(browser)


def test_the_flame_graph_adds_up(browser, page):
    """However stacks are turned, merged, split or hidden, nothing goes missing."""
    browser.open(page)
    everything = whole_of(browser)
    for name in range(1, 6):
        browser("click", f".flame .tick:nth-child({name})")
        assert whole_of(browser) == everything, name
    for split in ("thread", "allocator"):
        browser("select", "select[aria-label='Split stacks']", split)
        assert whole_of(browser) == everything, split
    quiet(browser)


def test_the_keyboard_walks_through_frames(browser, page):
    browser.open(page)
    said = "document.querySelector('[role=status]').textContent"
    browser("press", ".flame-scroller", "ArrowDown")
    outer = browser("evaluate", said)
    browser("press", ".flame-scroller", "ArrowDown")
    inner = browser("evaluate", said)
    assert "%" in outer and outer != inner
    browser("press", ".flame-scroller", "Enter")
    assert "zoom=" in browser("fragment")
    for _ in range(2):
        browser("press", ".flame-scroller", "Escape")
    assert "zoom=" not in browser("fragment")
    browser("press", ".flame-scroller", "ArrowUp")
    assert browser("evaluate", said) == outer


def test_a_tooltip_tells_all(browser, page):
    browser.open(page)
    browser("clickAt", ".flame-scroller", 0.02, 30 / 440)
    browser("hoverAt", ".flame-scroller", 0.02, 50 / 440)
    shown = browser("text", ".tooltip")
    assert re.search(r"\S+:\d+\n", shown) and "total" in shown and "own" in shown


def test_search_counts_each_stack_once(browser, page, recording):
    """What matches has the share that heapline report --cumulative gives the function."""
    browser.open(page)
    browser("fill", "input[type=search]", "deep")
    found = browser("text", ".found")
    program = recording.file.with_suffix(".py")
    report = recording.report("peak", "function", "--cumulative")
    (row,) = [row for row in report["rows"] if row["function"] == "deep" and row["file"] == str(program)]
    share = 100 * row["bytes"] / report["view"]["bytes"]
    assert found.replace("\u202f", "").startswith(f"{share:.1f}%")
    assert "search=deep" in browser("fragment")
    browser("fill", "input[type=search]", "/(unclosed/")
    assert "expression" in browser("text", ".found").lower()
    quiet(browser)


# --- the table ---


def test_rows_by_something_else(browser, page, recording):
    browser.open(page)
    for by in ("function", "file", "package", "allocator", "thread"):
        browser("look", f"wide=table&by={by}")
        assert_rows([row[:4] for row in rows(browser)], held(recording.report("peak", by)))
    for by in ("line", "function", "file"):
        browser("look", f"wide=table&by={by}&cumulative=1")
        report = recording.report("peak", by, "--cumulative")
        assert_rows([row[:4] for row in rows(browser)], held(report))


def test_sorting(browser, page):
    browser.open(page, "#wide=table")
    browser("click", ".table th button:text('allocations')")
    values = [row[3] for row in rows(browser)]
    assert values == sorted(values, reverse=True) and "sort=allocations" in browser("fragment")
    browser("click", ".table th button:text('allocations')")
    values = [row[3] for row in rows(browser)]
    assert values == sorted(values)
    assert browser("evaluate", "document.querySelector('th[aria-sort]').getAttribute('aria-sort')") == "ascending"


# --- native frames ---

NATIVE_GROUPS = ("module", "line", "function", "file", "package")


def names(browser):
    """{what a row is called: what it holds}"""
    return dict(zip(browser("texts", ".table tbody .name-line > :first-child"), (row[0] for row in rows(browser))))


def choices(browser, label):
    return browser("evaluate", f"[...document.querySelector(\"select[aria-label='{label}']\").options].map((one) => one.value)")


def test_rows_by_module(browser, native, native_page):
    """Those of heapline report --by module, with its names and to the byte, at any moment."""
    browser.open(native_page)
    assert "module" in choices(browser, "Rows are") and "module" in choices(browser, "Colours")
    for at in ("peak", "end", "exit"):
        browser("look", f"wide=table&by=module&at={at}")
        report = native.report(at, "module")
        assert [row[:4] for row in rows(browser)] == sorted(held(report), key=lambda row: -row[0])
        short = lambda path: path.rpartition("/")[2] if path else "no Python frame"
        shown = names(browser)
        assert shown == {short(row["module"]): row["bytes"] for row in report["rows"]}
        assert {name: shown[name] for name in native_library.LIBRARIES} == {
            name: size for name, (_, size) in native_library.LIBRARIES.items()
        }
    paths = browser("evaluate", "[...document.querySelectorAll('.table .name-line')].map((line) => line.title)")
    assert set(filter(None, paths)) == {row["module"] for row in native.report("exit", "module")["rows"]} - {None}
    ((started, ended, length),) = native.sql("SELECT process.started, end_time, seconds FROM process, run")
    part = lambda share: (started + share * (ended - started)) / length
    browser("clickAt", ".u-over", part(0.5), 0.5)
    assert_rows([row[:4] for row in rows(browser)], held(native.report(f"{moment(browser)}s", "module")))
    browser("drag", ".u-over", part(0.25), part(1))
    first, last = re.search(r"from=([\d.]+)&to=([\d.]+)", browser("fragment")).groups()
    span = harness.report(native.file, "--between", f"{first}s", f"{last}s", "-n", "0", "--by", "module")
    keys = ("bytes", "blocks", "freed_bytes", "freed_blocks", "net_bytes", "allocated_bytes", "allocations")
    assert_rows(rows(browser), [tuple(row[key] for key in keys) for row in span["rows"]])
    quiet(browser)


def test_native_rows_by_anything(browser, native, native_page):
    """A line that is in three libraries is one line, whatever tells them apart otherwise."""
    browser.open(native_page)
    assert "frames in stacks are shown" not in browser("text", ".about-body")  # none is folded
    for by in NATIVE_GROUPS:
        browser("look", f"wide=table&by={by}&at=end")
        assert_rows([row[:4] for row in rows(browser)], held(native.report("end", by)))
    for by in NATIVE_GROUPS[:-1]:
        browser("look", f"wide=table&by={by}&cumulative=1")
        assert_rows([row[:4] for row in rows(browser)], held(native.report("peak", by, "--cumulative")))
    browser("look", "wide=table&at=end&search=hidden")
    (hidden,) = [row for row in native.report("end", "line")["rows"] if row["function"] == "hidden"]
    assert [row[:2] for row in rows(browser)] == [(hidden["bytes"], 3)] and hidden["bytes"] == 1_500_003
    quiet(browser)


@pytest.mark.parametrize("option", ["include", "exclude"])
def test_filters_know_libraries(browser, native, native_page, option):
    browser.open(native_page)
    for pattern in ("libtwo.so", "library.c", "*/lib*.so"):
        browser("look", f"wide=table&by=module&at=end&{option}={pattern}")
        report = native.report("end", "module", f"--{option}", pattern)
        assert_rows([row[:4] for row in rows(browser)], held(report))
        assert sums(browser)[0] == report["view"]["bytes"] > 0


def test_search_knows_libraries(browser, native, native_page):
    browser.open(native_page, "#at=end")
    browser("fill", "input[type=search]", "libtwo.so")
    report = native.report("end", "module", "--cumulative")
    (row,) = [row for row in report["rows"] if (row["module"] or "").endswith("/libtwo.so")]
    share = f"{100 * row['bytes'] / report['view']['bytes']:.1f}"
    assert browser("text", ".found").replace("\u202f", "").startswith(f"{share}% in 2 lines")


def test_a_native_frame_says_its_library(browser, native_page):
    browser.open(native_page, "#at=end&colours=module&inverted=1")
    told = set()
    for part in range(40):
        browser("hoverAt", ".flame-scroller", (part + 0.5) / 40, 30 / 440)
        shown = browser("text", ".tooltip")
        if shown.startswith("hidden\n"):
            told.add(shown.split("\n")[2])
    assert told == {"libone.so", "libtwo.so", "libplain.so"}
    quiet(browser)


def test_python_alone_has_no_modules(browser, page, recording):
    """As files are its modules, there is nothing to choose; and what an address asks for is shown."""
    browser.open(page, "#wide=table&by=module&colours=module")
    assert "module" not in choices(browser, "Rows are") + choices(browser, "Colours")
    assert_rows([row[:4] for row in rows(browser)], held(recording.report("peak", "module")))
    quiet(browser)


def test_modules_that_changed(browser, native, folder):
    """Between two runs."""
    other = native_library.record_libraries(native.file.parent, "other", more=1000)
    file = folder / "modules.html"
    html("-o", file, native.file, other.file)
    diff = [HEAPLINE, "diff", "--at", "end", "-n", "0", "--json"]
    for by in ("module", "function", "line"):
        changes = run([*diff, "--by", by, native.file, other.file], check=0).json
        browser.open(file, f"#by={by}&wide=table&at=end")
        assert sums(browser)[1:3] == (changes["old"]["bytes"], changes["new"]["bytes"])
        wanted = [(row["bytes_change"], row["bytes"], row["blocks_change"]) for row in changes["rows"]]
        shown = [(row[0], row[2], row[3]) for row in rows(browser)]
        assert Counter(row for row in shown if row[0]) == Counter(row for row in wanted if row[0])
    browser("look", "by=module&wide=table&at=end")
    changed = names(browser)
    assert {changed[name] for name in native_library.LIBRARIES} == {1000}
    quiet(browser)


# --- the source ---


def test_a_row_shows_its_source(browser, page, recording):
    browser.open(page)
    browser("fill", "input[type=search]", "texts")
    browser("click", ".table tbody .link")
    browser("evaluate", "document.querySelector('#source').scrollIntoView()")
    browser("waitFor", "document.querySelector('.code-line[aria-current] .line-text')")
    assert '("%d " % number) * length' in browser("text", ".code-line[aria-current] .line-text")
    browser("waitFor", "document.querySelector('.stack-list')")
    assert "texts" in browser("texts", ".frames li")[0]
    assert "line=4" in browser("fragment")
    quiet(browser)


# --- processes, two runs ---


@pytest.fixture(scope="module")
def two(folder):
    return record(folder, TWO_PROCESSES, "two")


def test_source_where_memory_is_native_code_s(browser, folder):
    """Lines of Python have hardly any for themselves, and C has no source here: the file opens that called for most."""
    below = record(folder, PROGRAM, "below", options=["--native"])
    browser.open(page_of(below, folder, name="below.html"), height=2400)
    path = "document.querySelector('.source-panel .path').textContent"
    browser("waitFor", f"{path} !== ''")
    assert browser("evaluate", path) == str(folder / "below.py")
    browser("waitFor", "document.querySelectorAll('.source-panel .code-line').length > 10")
    quiet(browser)


def test_processes(browser, two, folder):
    """All together, and each with its own peak."""
    page = page_of(two, folder, name="two.html")
    browser.open(page, "#wide=table")
    report = two.report()
    assert sums(browser)[:2] == (report["view"]["bytes"], report["view"]["blocks"])
    assert len(browser("texts", ".processes tbody tr")) == len(report["processes"])
    child = max(report["processes"][1:], key=lambda process: process["peak_bytes"])
    browser("click", f".processes .link:text('{child['pid']}')")
    own = two.report("peak", "line", "--pid", str(child["pid"]))
    assert_rows([row[:4] for row in rows(browser)], held(own))
    browser("clickAt", ".u-over", 0.8, 0.5)
    assert sums(browser)[0] == two.report(f"{moment(browser)}s", "line", "--pid", str(child["pid"]))["view"]["bytes"]
    quiet(browser)


def test_of_the_environment_only_what_matters(browser, folder):
    """What changes how memory is used is shown; nothing else is even in the recording."""
    program = harness.Program.write(folder, "kept = [bytes(1000)]\n", "settings.py")
    python = interpreters.find("debian").path
    environment = harness.environment(MALLOC_ARENA_MAX="2", API_TOKEN="open-sesame-123")
    run_of = harness.record([python, program], folder / "settings.heapline", env=environment)
    page = page_of(run_of, folder, name="settings.html")
    browser.open(page)
    assert "MALLOC_ARENA_MAX=2" in browser("texts", ".environment code")
    for file in (run_of.file, page):
        assert b"open-sesame-123" not in file.read_bytes() and b"API_TOKEN" not in file.read_bytes()


def test_what_changed_between_two_runs(browser, recording, folder):
    """The same program, with more of everything."""
    more = folder / "more"
    more.mkdir()
    program = recording.file.with_suffix(".py")
    text = program.read_text()
    program.write_text(text.replace("range(count)", "range(2 * count)"))
    python = interpreters.find("debian").path
    other = harness.record([python, program], more / "run.heapline", cwd=folder)
    program.write_text(text)
    file = folder / "diff.html"
    html("-o", file, recording.file, other.file)
    diff = [HEAPLINE, "diff", "--by", "function", "-n", "0", "--json", recording.file, other.file]
    changes = run(diff, check=0).json
    browser.open(file, "#by=function&wide=table")
    assert sums(browser)[1:3] == (changes["old"]["bytes"], changes["new"]["bytes"])
    largest = [(row["bytes_change"], row["bytes"], row["blocks_change"]) for row in changes["rows"][:5]]
    assert [(row[0], row[2], row[3]) for row in rows(browser)[:5]] == largest
    for compared in ("before", "grown", "shrunk"):
        browser("click", f".choice button:text-is('{compared}')")
        assert f"compared={compared}" in browser("fragment")
    quiet(browser)


# --- how it looks ---


@pytest.mark.parametrize("width, dark", [(1280, False), (390, True)], ids=["wide-light", "narrow-dark"])
def test_every_width_and_both_themes(browser, page, native_page, folder, width, dark):
    """Nothing is wider than the window, colours are the theme's, and axe finds nothing serious."""
    for name, shown, fragment in (("python", page, ""), ("native", native_page, "#by=module&colours=module")):
        browser.open(shown, fragment, width=width, dark=dark, bypass=True)
        assert browser("evaluate", "document.documentElement.scrollWidth") == width
        ground = browser("evaluate", "getComputedStyle(document.documentElement).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 128) == dark
        browser("screenshot", folder / f"{name}-{width}-{'dark' if dark else 'light'}.png", True)
        serious = [found for found in browser("axe") if found[1] in ("serious", "critical")]
        assert serious == []


# --- bad input ---

NAMES = (
    "</script><script>document.title='run'</script>",
    "<img src=x onerror=document.title='run'>",
    "<!--<script>",
    "quotes \"'` and & <b>",
    "two\nlines",
    "control\x01\x1b[31m",
    "right\u202eto left",
    "long" * 2500,
)

ODD_PROGRAM = """
    import sys
    kept = []
    for name in %r:
        space = {}
        exec(compile("def f(kept):\\n    kept.append(bytes(50_000))\\n", name, "exec"), space)
        function = space["f"]
        function.__code__ = function.__code__.replace(co_name=name)
        function(kept)
"""


def test_names_are_shown_and_not_run(browser, folder):
    odd = record(folder, ODD_PROGRAM % (NAMES,), "odd", "</script>", "two\nlines", b"\xff\xfe", "\u202e" * 3, "long" * 2500)
    page = page_of(odd, folder, name="odd.html")
    browser.open(page)
    for fragment in ("", "wide=table&by=file", "inverted=1&by=function", "search=script"):
        browser("look", fragment)
        quiet(browser)
        assert browser("evaluate", "document.title").startswith("heapline: ")
        assert browser("evaluate", "document.querySelectorAll('img, b > b').length") == 0
        assert browser("evaluate", "document.scripts.length") == 2
    browser("look", "by=file")
    names = "\n".join(browser("texts", ".table .name"))
    for part in ("</script><script>", "onerror=", "two\\nlines", "\\u{1}", "right\\u{202e}to left", "bytes left out"):
        assert part in names, part
    assert "\u202e" not in browser("evaluate", "document.body.innerText")


def test_a_file_that_is_not_utf8(browser, folder):
    script = os.fsencode(folder) + b"/bad\xff.py"
    with open(script, "w") as stream:
        stream.write("kept = [bytes(1000) for _ in range(100)]\n")
    python = interpreters.find("debian").path
    odd = harness.record([python, os.fsdecode(script)], folder / "bad.heapline")
    browser.open(page_of(odd, folder, name="bad.html"))
    assert "bad" in browser("text", ".runs") and "program" not in browser("text", ".runs")
    quiet(browser)


@pytest.mark.parametrize("command", [["true"], ["sh", "-c", "exit 3"]])
def test_no_python(browser, folder, command):
    odd = folder / f"{command[0]}.heapline"
    run([HEAPLINE, "run", "-q", "-f", "-o", odd, *command])
    page = folder / "none.html"
    html("-o", page, odd)
    browser.open(page)
    assert "nothing to show" in browser("text", ".empty")
    quiet(browser)


def test_a_run_that_goes_on(browser, folder, tmp_path):
    """It is shown as far as it is, and says so."""
    file, page = tmp_path / "live.heapline", tmp_path / "live.html"
    source = "import sys\nkept = bytes(20_000_000)\nsys.stdin.readline()\n"
    python = interpreters.find("debian").path
    process = harness.start(harness.heapline_run([python, "-c", source], file))
    deadline = time.monotonic() + harness.TIME_LIMIT
    while not file.exists() or peak_so_far(file) < 20_000_000:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    html("-o", page, file)
    process.communicate("\n")
    browser.open(page)
    assert "still going" in browser("text", ".warnings")
    assert re.fullmatch(r"(19|2\d)\.\d MiB", browser("text", ".figure-value"))
    quiet(browser)


def peak_so_far(file):
    """What the recording that is being written tells; it may not be there as a whole yet."""
    ran = run([HEAPLINE, "report", "--json", file])
    return ran.json["totals"]["peak_bytes"] if ran.status == 0 else 0


def test_without_history(browser, folder):
    """Moments are those of slices; of a span only net changes are known, and it says so."""
    plain = record(folder, PROGRAM, "slices", options=("--no-history",))
    page = page_of(plain, folder, name="slices.html")
    browser.open(page, "#wide=table")
    assert_rows([row[:4] for row in rows(browser)], held(plain.report()))
    browser("drag", ".u-over", 0.2, 0.9)
    assert "net" in browser("text", ".chosen-text")
    browser("clickAt", ".u-over", 0.97, 0.5)
    assert sums(browser)[0] == plain.report(f"{moment(browser)}s")["view"]["bytes"]
    quiet(browser)


MANY_STACKS = """
    class Node:
        pass

    def walk(level):
        node = Node()
        if level:
            left = walk(level - 1)
            right = walk(level - 1)
        return node

    walk(15)
"""


def test_many_stacks_are_folded(browser, folder):
    """Sums by line stay what they are, and what is left out has a name."""
    many = record(folder, MANY_STACKS, "many")
    page = page_of(many, folder, name="many.html")
    browser.open(page, "#wide=table&what=allocated")
    expected = {row[2:] for row in held(many.report())}
    assert {row[2:4] for row in rows(browser)[:10]} <= expected
    browser("fill", "input[type=search]", "other")
    assert "0 lines" not in browser("text", ".found")
    assert "folded" in browser("text", ".about-body")
    quiet(browser)


# --- the command ---


def test_wrong_usage(recording, tmp_path):
    for arguments in (
        [recording.file],
        ["-o"],
        ["-o", tmp_path / "x", recording.file, recording.file, recording.file],
        ["-o", tmp_path / "x", "--between", "1s", recording.file],
        ["-o", tmp_path / "x", "--at", "never", recording.file],
        ["-o", tmp_path / "x", "--between", "0%", "50%", recording.file, recording.file],
    ):
        assert run([HEAPLINE, "html", *arguments]).status == 2, arguments
    assert not (tmp_path / "x").exists()


def test_standard_output(page, recording):
    assert html("-o", "-", recording.file).out == page.read_text()


def test_damage_takes_no_page_away(recording, tmp_path):
    bad, page = tmp_path / "bad.heapline", tmp_path / "page.html"
    bad.write_bytes(recording.file.read_bytes())
    with sqlite3.connect(bad) as database:
        database.execute("UPDATE history_chunk SET summary = zeroblob(20)")
    database.close()
    page.write_text("mine")
    ran = html("-o", page, bad, status=1)
    assert str(bad) in ran.err and page.read_text() == "mine"
    html("-o", tmp_path / "no" / "page.html", recording.file, status=1)
    device = tmp_path / "device"
    device.symlink_to("/dev/full")
    assert "disk" in html("-o", device, recording.file, status=1).err
    assert device.is_char_device()
    before = recording.file.read_bytes()
    assert "the recording itself" in html("-o", recording.file, recording.file, status=1).err
    assert recording.file.read_bytes() == before


@pytest.mark.parametrize("build", ["plain", "asan"])
def test_damaged_at_random(recording, tmp_path, build):
    """A message and status 1, or a page, and nothing else."""
    heapline = (BUILD if build == "plain" else sanitized.build_of(build)) / "heapline"
    whole = recording.file.read_bytes()
    bad, page = tmp_path / "bad.heapline", tmp_path / "page.html"
    numbers = random.Random(build)
    environment = harness.environment(**harness.SANITIZER_OPTIONS)
    for _ in range(40 if build == "plain" else 5):  # seconds each under ASan, and other damage than plain
        data = bytearray(whole)
        for _ in range(3):
            at = numbers.randrange(len(data))
            data[at : at + 200] = numbers.randbytes(len(data[at : at + 200]))
        bad.write_bytes(data)
        ran = run([heapline, "html", "-o", page, bad], env=environment)
        assert ran.status in (0, 1), ran
        assert len(ran.err.splitlines()) == ran.status, ran
