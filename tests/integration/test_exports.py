"""What heapline export writes, opened by the programs that it is for: each must find exactly the
numbers that heapline report gives."""

import collections
import csv
import io
import json
import re
import shutil
import sqlite3
import subprocess

import consumers
import harness
import native_library
import pytest
from harness import BUILD, TESTS, run
from profile_proto import Profile

NO_FRAME = "(no Python frame)"
OTHER = "(other)"

# All that is in a recording: processes, threads, allocators, freed and kept blocks, and names that
# are made to break whoever prints them.
SOURCE = r"""
    import mmap, os, sys, threading

    NAMES = [
        'quote"', "back\\slash", "semi;colon 12", "new\nline\r", "tab\t, comma", "bell\a escape\x1b[31m",
        "\u202eright to left\u200f", "</script><!--", "long" + "x" * 10_000, "d\u00e9j\u00e0 \U0001f9e0",
        "no UTF-8 \udcff", "%s%n", "<b>&amp;", "=1+1", "{}[]", "'",
    ]

    def make(count):
        return [bytes(1000) for _ in range(count)]

    def odd(name):
        space = {}
        exec(compile("def f(): return bytes(4000)", f"/made/{name}.py", "exec"), space)
        code = space["f"].__code__
        if hasattr(code, "co_qualname"):
            code = code.replace(co_qualname=name)
        return type(odd)(code.replace(co_name=name), {})()

    def churn():
        for _ in range(300):
            make(3)
        kept.append(make(40))

    kept = [make(50)]
    mapped = mmap.mmap(-1, 300_000)
    kept += [odd(name) for name in NAMES]
    thread = threading.Thread(target=churn)
    thread.start()
    thread.join()
    if len(sys.argv) == 1:
        child = os.posix_spawn(sys.executable, [sys.executable, "-I", "-S", __file__, "child"], os.environ)
        assert os.waitpid(child, 0)[1] == 0
        kept.append(make(200))
"""


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    """The recording of SOURCE."""
    folder = tmp_path_factory.mktemp("rich")
    source = harness.Program.write(folder, SOURCE)
    command = ["/usr/bin/python3", "-I", "-S", source]
    recording = harness.record(command, folder / "run.heapline", cwd=folder)
    harness.assert_complete(recording)
    return recording


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    """A recording with native frames; see native_library.LIBRARIES."""
    recording = native_library.record_libraries(tmp_path_factory.mktemp("native"))
    harness.assert_complete(recording)
    return recording


@pytest.fixture(scope="module")
def without_history(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slices")
    source = harness.Program.write(folder, "kept = [bytes(1000) for _ in range(100)]")
    command = ["/usr/bin/python3", "-I", "-S", source]
    return harness.record(command, folder / "run.heapline", ["--no-history"], cwd=folder)


@pytest.fixture
def export(tmp_path):
    """export(format, file, *options): the file that it has written."""

    def export(format, file, *options, name=None):
        output = tmp_path / (name or f"export.{format}")
        command = [BUILD / "heapline", "export", "--format", format, "-o", output, *options, file]
        assert run(command, check=0)[1:] == ("", "")
        return output

    return export


def stacks_of(recording, *options):
    """[(frames, row)], frames being ((function, file, line)…), the innermost last; and the report."""
    report = harness.report(recording.file, "--by", "stack", "-n", "0", *options)
    found = []
    for row in report["rows"]:
        frames = tuple((f["function"], f["file"], f["line"]) for f in row["stack"])
        found.append((frames or ((NO_FRAME, None, None),), row))
    return found, report


def escaped(text):
    """As heapline writes out what would break a line, or the text around it."""

    def escape(match):
        code = ord(match[0])
        return "\\" + "abtnvfr"[code - 7] if 7 <= code <= 13 else "\\u{%x}" % code

    return re.sub("[\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]", escape, text)


def label(frame):
    function, file, line = frame
    if file is None:
        return function
    return f"{escaped(function)} ({escaped(file)}:{line})" if line else f"{escaped(function)} ({escaped(file)})"


def with_lines(stacks):
    """As formats have them that say nothing of a line that is not known."""
    return [(tuple((*frame[:2], frame[2] or None) for frame in frames), row) for frames, row in stacks]


def sums_by_frame(stacks, value):
    """{frame: [its own, with all that it called]}"""
    sums = collections.defaultdict(lambda: [0, 0])
    for frames, row in stacks:
        sums[frames[-1]][0] += row[value]
        for frame in set(frames):
            sums[frame][1] += row[value]
    return {frame: both for frame, both in sums.items() if both[1]}


MOMENTS = [(), ("--at", "end"), ("--at", "50%"), ("--between", "0s", "end"), ("--temporary",)]
FILTERS = [("--include", "program.py"), ("--exclude", "program.py"), ("--allocator", "mmap")]


# --- speedscope ----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [*MOMENTS, *FILTERS], ids=" ".join)
def test_speedscope(rich, export, options):
    assert_speedscope(rich, export, options)


def assert_speedscope(recording, export, options=()):
    (group,) = consumers.speedscope(export("speedscope", recording.file, *options))
    stacks, report = stacks_of(recording, *options)
    assert len(group["profiles"]) == 2 and group["name"].startswith("/usr/bin/python3 -I -S ")
    for profile, value in zip(group["profiles"], ("bytes", "allocated_bytes")):
        total = sum(row[value] for _, row in stacks)
        assert (profile["weight"], profile["total"], profile["unit"]) == (total, total, "bytes")
        frames = {tuple(frame[:3]): frame[3:] for frame in profile["frames"]}
        assert len(frames) == len(profile["frames"])
        assert frames == sums_by_frame(with_lines(stacks), value)
    assert group["profiles"][0]["weight"] == report["view"]["bytes"]


def test_speedscope_s_own_schema(rich, export):
    """The names that its schema knows, and no others, and those that it wants."""
    profile = json.loads(export("speedscope", rich.file).read_text())
    assert profile["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert set(profile) <= {"$schema", "shared", "profiles", "name", "activeProfileIndex", "exporter"}
    for part in profile["profiles"]:
        assert set(part) == {"type", "name", "unit", "startValue", "endValue", "samples", "weights"}
        assert len(part["samples"]) == len(part["weights"])
        assert part["endValue"] - part["startValue"] == sum(part["weights"])
    assert all(set(frame) <= {"name", "file", "line"} for frame in profile["shared"]["frames"])


# --- folded stacks -------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--between", "10%", "end"), FILTERS[0]], ids=" ".join)
def test_folded(rich, export, options):
    assert_folded(rich, export, options)


def test_folded_in_speedscope(rich, export):
    """Folded stacks as who draws flame graphs reads them: a frame is what stands between semicolons."""
    (group,) = consumers.speedscope(export("folded", rich.file))
    (profile,) = group["profiles"]
    stacks, report = stacks_of(rich)
    assert profile["weight"] == report["view"]["bytes"]
    named = [(tuple(label(frame).replace(";", "\\u{3b}") for frame in frames), row) for frames, row in stacks]
    assert {name: sums for name, _, _, *sums in profile["frames"]} == sums_by_frame(named, "bytes")


def assert_folded(recording, export, options=()):
    file = export("folded", recording.file, *options)
    wanted = collections.Counter()
    stacks, _ = stacks_of(recording, *options)
    for frames, row in stacks:
        wanted[";".join(label(frame).replace(";", "\\u{3b}") for frame in frames)] += row["bytes"]
    lines = file.read_text().split("\n")
    assert lines.pop() == ""
    found = dict(line.rsplit(" ", 1) for line in lines)
    assert len(found) == len(lines)
    assert {stack: int(number) for stack, number in found.items()} == {k: v for k, v in wanted.items() if v}
    (group,) = consumers.speedscope(file)
    assert group["profiles"][0]["weight"] == sum(wanted.values())


# --- pprof ---------------------------------------------------------------------------------------

VALUES = {"alloc_objects": "allocations", "alloc_space": "allocated_bytes", "inuse_objects": "blocks", "inuse_space": "bytes"}


def pprof_top(file, index, *options):
    """{name: (flat, cumulative)} and the total as `pprof -top` prints them."""
    command = [consumers.pprof(), "-top", "-unit=B", "-nodecount=0", "-nodefraction=0", "-edgefraction=0"]
    out = run([*command, f"-sample_index={index}", *options, file], check=0).out
    total = int(re.search(r"Total samples = (\d+)", out)[1])
    rows = re.findall(r"^ *(\d+)B? +\S+% +\S+% +(\d+)B? +\S+% {2}(.*)$", out, re.M)
    return {name: (int(flat), int(cumulative)) for flat, cumulative, name in rows}, total


@pytest.mark.parametrize("options", [(), ("--at", "end"), ("--temporary",)], ids=" ".join)
def test_pprof_top(rich, export, options):
    file = export("pprof", rich.file, *options)
    stacks, report = stacks_of(rich, *options)
    for index, value in VALUES.items():
        printed, total = pprof_top(file, index)
        functions = [([frame[:1] for frame in frames], row) for frames, row in stacks]
        wanted = {name: tuple(sums) for (name,), sums in sums_by_frame(functions, value).items()}
        plain = {name for name in wanted if name.isprintable() and len(name) < 1000}
        assert len(plain) >= len(wanted) - 8
        assert {name: printed[name] for name in plain} == {name: wanted[name] for name in plain}
        assert total == sum(row[value] for _, row in stacks)
    assert pprof_top(file, "inuse_space")[1] == report["view"]["bytes"]


def test_pprof_lines_and_labels(rich, export):
    file = export("pprof", rich.file, "--at", "end")
    program = rich.process["command"][-1]
    lines, _ = pprof_top(file, "inuse_space", "-lines")
    own = collections.Counter()
    for name, (flat, _) in lines.items():
        if f" {program}:" in name:
            own[int(name.rsplit(":", 1)[1])] += flat
    assert +own == {line: sums.bytes for line, sums in rich.per_line(program, "end").items() if sums.bytes}
    for process in rich.report()["processes"]:
        pid = process["pid"]
        printed, _ = pprof_top(file, "inuse_space", f"-tagfocus=process={pid}")
        held = harness.report(rich.file, "--at", "end", "--pid", pid)["view"]["bytes"]
        assert sum(flat for flat, _ in printed.values()) == held
    tags = run([consumers.pprof(), "-tags", file], check=0).out
    assert re.findall(r"^ (\w+): Total", tags, re.M) == ["allocator", "process", "thread"]


@pytest.mark.parametrize("options", [*MOMENTS, *FILTERS], ids=" ".join)
def test_every_sample_of_pprof(rich, export, options):
    profile = Profile(export("pprof", rich.file, *options))
    stacks, report = stacks_of(rich, *options)
    (mapping,) = profile.mappings
    assert mapping.file == "/usr/bin/python3" and mapping.build_id == ""
    assert [name for name, _ in profile.types] == list(VALUES) and profile.default_type == "inuse_space"
    assert [unit for _, unit in profile.types] == ["count", "bytes"] * 2
    assert (profile.period_type, profile.period) == (("space", "bytes"), 1)
    found = collections.defaultdict(lambda: [0] * 4)
    for sample in profile.samples:
        frames = tuple((name, file or None, line or None) for name, file, line, _ in reversed(sample.stack))
        found[frames] = [a + b for a, b in zip(found[frames], sample.values)]
    wanted = {frames: [row[value] for value in VALUES.values()] for frames, row in stacks}
    assert found == {frames: values for frames, values in wanted.items() if any(values)}
    # What has the same stack and labels is one sample.
    alike = {(tuple(sample.stack), tuple(sorted(sample.labels.items()))) for sample in profile.samples}
    assert len(alike) == len(profile.samples)
    for name, key in (("process", "pid"), ("thread", "thread"), ("allocator", "allocator")):
        by = collections.Counter()
        for sample in profile.samples:
            by[sample.labels[name]] += sample.values[3]
        rows = harness.report(rich.file, "--by", name, "-n", "0", *options)["rows"]
        held = collections.Counter()
        for row in rows:
            held[row[key] or str(row["tid"])] += row["bytes"]
        assert +by == +held
    started = rich.sql("SELECT started, seconds FROM run")[0]
    assert (profile.time_nanos, profile.duration_nanos) == pytest.approx([s * 1e9 for s in started])
    addresses = {frame[3]: frame[:3] for sample in profile.samples for frame in sample.stack}
    assert len(set(addresses.values())) == len(addresses)
    assert profile.comments[0].startswith("/usr/bin/python3") and len(profile.comments) in (2, 3)


def native_samples(recording):
    """{stack: [allocations, bytes allocated]} from the events, a stack being ((function, file, line,
    module)…), the innermost frame first."""
    query = """
        SELECT stack, parent, stacks.function, stacks.file, stacks.line, module.path AS module
        FROM stacks LEFT JOIN location ON location.id = stacks.location LEFT JOIN code ON code.id = code
             LEFT JOIN file ON file.id = code.file LEFT JOIN module ON module.id = file.module
        ORDER BY stack"""
    frames = {}
    for row in run([BUILD / "heapline", "sql", "--json", recording.file, query], check=0).json:
        frame = (row["function"], row["file"], row["line"] or None, row["module"])
        frames[row["stack"]] = (frame, *frames.get(row["parent"], ()))
    frames[0] = ((NO_FRAME, None, None, None),)
    query = "SELECT stack, count(*), sum(size) FROM events WHERE kind = 'allocation' GROUP BY stack"
    found = collections.defaultdict(lambda: [0, 0])
    for row in run([BUILD / "heapline", "sql", "--json", recording.file, query], check=0).json:
        sums = found[frames[row["stack"]]]
        sums[0] += row["count(*)"]
        sums[1] += row["sum(size)"]
    return dict(found)


def test_native_frames_of_pprof(native, export):
    """Each in the mapping of its module, those too that have everything else in common."""
    profile = Profile(export("pprof", native.file))
    python = profile.mappings[0]
    assert (python.file, python.build_id) == ("/usr/bin/python3", "")
    found = collections.defaultdict(lambda: [0, 0])
    for sample in profile.samples:
        stack = []
        for function, file, line, address in sample.stack:
            mapping = profile.mapping_of[address]
            stack.append((function, file or None, line or None, None if mapping is python else mapping.file))
        sums = found[tuple(stack)]
        sums[0] += sample.values[0]
        sums[1] += sample.values[1]
    wanted = native_samples(native)
    assert found == wanted
    hidden = {stack[0][3] for stack in wanted if stack[0][0] == "hidden"}
    assert hidden == {str(native.file.with_name(name)) for name in ("libone.so", "libtwo.so", "libplain.so")}


def test_mappings_of_pprof(native, export):
    """One for each module that stands in a sample, with its build-id and what is known of it."""
    profile = Profile(export("pprof", native.file))
    frames = {frame for stack in native_samples(native) for frame in stack}
    python, *modules = profile.mappings
    assert sorted(mapping.file for mapping in modules) == sorted({frame[3] for frame in frames} - {None})
    for mapping in modules:
        own = [frame for frame in frames if frame[3] == mapping.file]
        assert mapping.functions and mapping.files == any(frame[1] != frame[3] for frame in own)
        assert mapping.lines == mapping.inlines == any(frame[2] for frame in own)
        if mapping.file.endswith("libplain.so"):
            assert mapping.build_id == ""
        else:
            assert mapping.build_id == native_library.build_id(mapping.file)
    assert python.functions and python.files and python.lines
    libraries = {mapping.file.rpartition("/")[2]: mapping[4:] for mapping in modules}
    assert libraries["libone.so"] == (True, True, True, True)
    assert libraries["libbare.so"] == (True, False, False, False)
    ranges = [(mapping.start, mapping.limit) for mapping in profile.mappings]
    assert all(start < limit for start, limit in ranges)
    assert all(before[1] <= after[0] for before, after in zip(ranges, ranges[1:]))
    assert all(mapping.start <= address < mapping.limit for address, mapping in profile.mapping_of.items())


def test_pprof_looks_for_no_binary(export, tmp_path):
    """It asks no tool for names, and misses nothing, whether the libraries are there or not."""
    recording = native_library.record_libraries(tmp_path)
    file = export("pprof", recording.file)
    tools, asked = tmp_path / "tools", tmp_path / "asked"
    tools.mkdir()
    for name in ("addr2line", "llvm-symbolizer", "nm", "llvm-nm", "objdump", "llvm-objdump"):
        (tools / name).write_text(f'#!/bin/sh\n[ "$*" = --version ] || echo "$0 $*" >>{asked}\nexit 1\n')
        (tools / name).chmod(0o755)
    environment = harness.environment(PATH=f"{tools}:/usr/bin:/bin", HOME=tmp_path)
    before = None
    for _ in range(2):
        printed = []
        for view in (["-top"], ["-top", "-lines"], ["-traces"], ["-raw"]):
            ran = run([consumers.pprof(), *view, "-nodecount=0", file], environment, check=0)
            assert ran.err == "" and not asked.exists()
            printed.append(ran.out)
        assert all("libbare.so+0x" in out and "hidden" in out for out in printed)
        assert before in (None, printed)
        before = printed
        for library in native_library.LIBRARIES:
            (tmp_path / library).unlink(missing_ok=True)


# --- DHAT ----------------------------------------------------------------------------------------


def lives(recording):
    """By process and stack: {(pid, stack): [most bytes, blocks then, µs lived]} from the events."""
    pids = dict(recording.sql("SELECT id, pid FROM process"))
    ended = {pid: round(ended * 1e6) for pid, ended in recording.sql("SELECT pid, ended FROM process")}
    query = "SELECT process, stack, kind, size, cast(round(time * 1e6) AS INTEGER) FROM events ORDER BY process, sequence"
    command = [BUILD / "heapline", "sql", "--csv", recording.file, query]
    found = {}
    held = collections.defaultdict(lambda: [0, 0])
    for process, stack, kind, size, time in list(csv.reader(io.StringIO(run(command, check=0).out)))[1:]:
        key = pids[int(process)], int(stack)
        sign = -1 if kind == "free" else 1
        held[key][0] += sign * int(size)
        held[key][1] += sign
        most = found.setdefault(key, [0, 0, 0])
        most[2] += sign * (ended[key[0]] - int(time))
        if held[key][0] > most[0]:
            most[:2] = held[key]
    return found


def frames_of_stacks(recording):
    """{number: frames} of all stacks, as DHAT has them, without addresses."""
    query = "SELECT stack, parent, file, line, function FROM stacks ORDER BY stack"
    frames = {0: ()}
    for row in run([BUILD / "heapline", "sql", "--json", recording.file, query], check=0).json:
        frames[row["stack"]] = (label((row["function"], row["file"], row["line"])), *frames[row["parent"]])
    frames[0] = (NO_FRAME,)
    return frames


def dhat(file):
    script = "/usr/libexec/valgrind/dh_view.js"
    return run(["node", harness.PROGRAMS / "consumers/dhat.js", script, file], check=0).json


def without_address(frame):
    return re.sub("^0x[0-9A-F]+: ", "", frame)


def test_dhat(rich, export):
    shown = dhat(export("dhat", rich.file))
    totals, view = rich.totals, rich.report()["view"]
    at_end = rich.report("end")["view"]
    assert shown["root"]["totalBytes"] == totals["allocated_bytes"]
    assert shown["root"]["totalBlocks"] == totals["allocations"]
    assert (shown["root"]["atTGmaxBytes"], shown["root"]["atTGmaxBlocks"]) == (view["bytes"], view["blocks"])
    assert (shown["root"]["atTEndBytes"], shown["root"]["atTEndBlocks"]) == (at_end["bytes"], at_end["blocks"])
    assert f"At t-gmax: {view['bytes']:,} bytes (100%) in {view['blocks']:,} blocks" in shown["page"]
    names = frames_of_stacks(rich)
    wanted = {}
    for (pid, stack), values in lives(rich).items():
        key = (*names[stack], str(pid))
        assert key not in wanted
        wanted[key] = values
    found = {}
    for leaf in shown["leaves"]:
        *frames, process = map(without_address, leaf["frames"])
        key = (*frames, re.match(r"process (\d+): /usr/bin/python3 ", process)[1])
        found[key] = [leaf["maxBytes"], leaf["maxBlocks"], leaf["totalLifetimes"]]
    assert found == wanted


def test_dhat_of_one_process_at_a_moment(rich, export):
    pid = rich.process["pid"]
    assert_dhat(rich, export, ("--pid", pid, "--at", "end", "--exclude", "program.py"))


def assert_dhat(recording, export, options):
    """Of one process at its end."""
    pid = recording.process["pid"]
    file = export("dhat", recording.file, *options)
    shown = dhat(file)
    stacks, report = stacks_of(recording, *options)
    wanted = {tuple(label(frame) for frame in reversed(frames)): row for frames, row in stacks}
    for leaf in shown["leaves"]:
        row = wanted.pop(tuple(map(without_address, leaf["frames"])))
        assert (leaf["totalBytes"], leaf["totalBlocks"]) == (row["allocated_bytes"], row["allocations"])
        assert (leaf["atTGmaxBytes"], leaf["atTGmaxBlocks"]) == (row["bytes"], row["blocks"])
        assert (leaf["atTEndBytes"], leaf["atTEndBlocks"]) == (row["bytes"], row["blocks"])
        assert leaf["maxBytes"] >= row["bytes"]
    assert not wanted
    data = json.loads(file.read_text())
    assert (data["pid"], data["bklt"], data["bkacc"], data["mode"]) == (pid, True, False, "heap")
    assert data["tg"] == round(report["view"]["time"] * 1e6)


def test_dhat_has_what_its_readers_must_find(rich, export):
    """The fields that the format makes mandatory where lifetimes are known, and no others; from these the
    Firefox Profiler makes its tracks, and of frames it takes the text as it is."""
    data = json.loads(export("dhat", rich.file).read_text())
    numbers = {"dhatFileVersion", "tuth", "pid", "te", "tg"}
    texts = {"mode", "verb", "tu", "Mtu", "cmd"}
    assert set(data) == numbers | texts | {"bklt", "bkacc", "pps", "ftbl"}
    assert all(type(data[name]) is int for name in numbers) and all(type(data[name]) is str for name in texts)
    assert data["dhatFileVersion"] == 2 and data["ftbl"][0] == "[root]"
    for point in data["pps"]:
        sums = [point[name] for name in ("tb", "tbk", "tl", "mb", "mbk", "gb", "gbk", "eb", "ebk")]
        assert len(point) == 10 and all(type(number) is int and number >= 0 for number in sums)
        assert point["fs"] and all(0 < frame < len(data["ftbl"]) for frame in point["fs"])
    without = {frame for frame in data["ftbl"][1:] if not re.match(r"0x[0-9A-F]+: .", frame)}
    assert {re.sub(r"process \d+: .*", "a process", frame) for frame in without} <= {OTHER, NO_FRAME, "a process"}
    assert len(set(data["ftbl"])) == len(data["ftbl"])
    totals, view = rich.totals, rich.report()["view"]
    tracks = [sum(point[name] for point in data["pps"]) for name in ("tb", "gb", "eb")]
    assert tracks == [totals["allocated_bytes"], view["bytes"], rich.report("end")["view"]["bytes"]]


def test_dhat_without_history(without_history, export):
    file = export("dhat", without_history.file)
    data = json.loads(file.read_text())
    assert data["bklt"] is False and "tg" not in data
    assert all(set(point) == {"tb", "tbk", "fs"} for point in data["pps"])
    shown = dhat(file)
    assert shown["root"]["totalBytes"] == without_history.totals["allocated_bytes"]
    assert "t-gmax" not in shown["page"]


# --- over time -----------------------------------------------------------------------------------


def test_chrome(rich, export):
    trace = json.loads(export("chrome", rich.file).read_text())
    timeline = run([BUILD / "heapline", "timeline", "--json", rich.file], check=0).json
    counters = collections.defaultdict(list)
    names = {}
    for event in trace["traceEvents"]:
        if event["ph"] == "M":
            assert event["name"] == "process_name"
            names[event["pid"]] = event["args"]["name"]
        else:
            assert event["ph"] == "C" and isinstance(event["ts"], int)
            assert all(isinstance(value, int) and value >= 0 for value in event["args"].values())
            counters[event["pid"], event["name"]].append((event["ts"], event["args"]))
    assert len(names) == 2 and all(name.startswith("/usr/bin/python3") for name in names.values())
    for process in timeline["processes"]:
        samples = process["samples"]
        times = [round(sample["time"] * 1e6) for sample in samples]
        for name, wanted in (
            ("heap", [{a: s[a] for a in ("malloc", "raw", "mem", "object", "mmap")} for s in samples]),
            ("resident", [{"bytes": s["resident"]} for s in samples if s["resident"] is not None]),
            ("heap, at most", [{"bytes": s["most_bytes"]} for s in samples]),
        ):
            *track, last = counters[process["pid"], name]
            assert [value for _, value in track] == wanted
            assert set(last[1].values()) == {0}  # its end
            if name == "heap":
                assert [time for time, _ in track] == times
            assert last[0] >= times[-1]
        assert max(value["bytes"] for _, value in counters[process["pid"], "heap, at most"]) == process["peak_bytes"]


def test_mprof_plot(rich, export, tmp_path):
    """mprof itself reads the file and draws it."""
    file = export("mprof", rich.file, name="mprofile_1.dat")
    env = consumers.packages(*consumers.MPROF)
    read = "import json, mprof, sys; print(json.dumps(mprof.read_mprofile_file(sys.argv[1])))"
    profile = run([consumers.PYTHON, "-c", read, file], env, check=0).json
    resident = rich.sql("SELECT resident FROM sample WHERE process = 1 AND resident NOT NULL ORDER BY time")
    assert profile["mem_usage"] == pytest.approx([size / 2**20 for (size,) in resident], abs=1e-6)
    assert profile["cmd_line"].startswith("/usr/bin/python3") and len(profile["children"]) == 1
    plot = tmp_path / "plot.svg"
    command = [consumers.PYTHON, "-m", "mprof", "plot", "--backend", "Agg", "-o", plot, file]
    assert run(command, env, check=0)
    assert "<svg" in plot.read_text()


# --- tables and statistics -----------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--between", "10%", "90%"), ("--by", "stack"), ("--by", "thread")], ids=" ".join)
def test_csv(rich, export, options):
    rows = list(csv.DictReader(export("csv", rich.file, *options).open(newline="")))
    report = harness.report(rich.file, "-n", "0", *options)
    if "stack" not in options:
        text = [{key: "" if value is None else str(value) for key, value in row.items()} for row in report["rows"]]
        assert rows == text
    assert sum(int(row["bytes"]) for row in rows) == report["view"]["bytes"]
    command = [BUILD / "heapline", "report", "--csv", "-n", "0", *options, rich.file]
    printed = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True).stdout
    assert export("csv", rich.file, *options).read_bytes() == printed


def keys_of(value):
    """The names of a JSON value at all levels; of a list those of its first element."""
    if isinstance(value, list):
        return [keys_of(value[0])] if value else []
    if isinstance(value, dict):
        return {key: keys_of(inner) for key, inner in value.items()}
    return None


@pytest.mark.parametrize("options", [(), ("--between", "10%", "end"), ("--include", "program.py")], ids=" ".join)
def test_memray_statistics(rich, export, options):
    assert assert_memray(rich, export, options)["metadata"]["has_native_traces"] is False


def assert_memray(recording, export, options=()):
    """Returns what was exported."""
    stats = json.loads(export("memray", recording.file, *options).read_text())
    stacks, report = stacks_of(recording, *options)
    assert stats["total_num_allocations"] == sum(row["allocations"] for _, row in stacks)
    assert stats["total_bytes_allocated"] == sum(row["allocated_bytes"] for _, row in stacks)
    sizes = harness.report(recording.file, "--by", "size", "-n", "0", *options)["rows"]
    wanted = {(row["size_min"], row["size_max"]): row["allocations"] for row in sizes if row["allocations"]}
    bins = {(b["min_bytes"], b["max_bytes"]): b["count"] for b in stats["allocation_size_histogram"]}
    assert {bin: count for bin, count in bins.items() if count} == wanted
    assert [least for least, _ in bins][1:] == [most + 1 for _, most in bins][:-1]
    names = {"malloc": "MALLOC", "mmap": "MMAP", "raw": "PYMALLOC_RAW", "mem": "PYMALLOC_MEM", "object": "PYMALLOC_OBJECT"}
    allocators = harness.report(recording.file, "--by", "allocator", *options)["rows"]
    assert stats["allocator_type_distribution"] == {
        names[row["allocator"]]: row["allocations"] for row in allocators if row["allocations"]
    }
    for value, key, name in (("allocated_bytes", "size", "size"), ("allocations", "count", "count")):
        sums = collections.Counter()
        for frames, row in stacks:
            function, file, line = frames[-1]
            sums[f"{function}:{file}:{line}" if file else "<stack trace unavailable>"] += row[value]
        top = {entry["location"]: entry[key] for entry in stats[f"top_allocations_by_{name}"]}
        assert sorted(top.values()) == sorted(sums.values())[-10:]
        assert all(sums[location] == number for location, number in top.items())
    assert sum(m["total_bytes"] for m in stats["top_modules_by_allocation_size"]) == stats["total_bytes_allocated"]
    assert stats["metadata"]["peak_memory"] == report["totals"]["peak_bytes"]
    assert stats["metadata"]["pid"] == recording.process["pid"]
    return stats


def test_memray_s_own_names(rich, export, program, tmp_path):
    """The keys are those that memray writes."""
    env = consumers.packages(*consumers.MEMRAY)
    source = program("kept = [bytes(1000) for _ in range(100)]")
    memray = [consumers.PYTHON, "-m", "memray"]
    run([*memray, "run", "-q", "-o", tmp_path / "run.bin", source], env, check=0)
    run([*memray, "stats", "--json", "-o", tmp_path / "stats.json", tmp_path / "run.bin"], env, check=0)
    theirs = json.loads((tmp_path / "stats.json").read_text())
    ours = json.loads(export("memray", rich.file).read_text())
    theirs["allocator_type_distribution"] = ours["allocator_type_distribution"] = None
    assert keys_of(ours) == keys_of(theirs)
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?\+00:00"
    for name in ("start_time", "end_time"):
        assert re.fullmatch(stamp, ours["metadata"][name]) and re.fullmatch(stamp, theirs["metadata"][name])


# --- native frames -------------------------------------------------------------------------------


def test_native_frames_of_stacks(native, export):
    """Functions, files and lines; a function without a name is an offset in its library."""
    frames = {frame for stack, _ in stacks_of(native)[0] for frame in stack}
    source, bare = (str(native.file.with_name(name)) for name in ("library.c", "libbare.so"))
    (offset,) = [frame for frame in frames if frame[0].startswith("libbare.so+0x")]
    assert offset[1:] == (bare, 0) and ("allocate", bare, 0) in frames
    (hidden,) = [frame for frame in frames if frame[0] == "hidden"]
    assert hidden[1] == source and hidden[2] > 0
    assert_speedscope(native, export)
    assert_folded(native, export)
    assert_dhat(native, export, ("--at", "end"))
    folded = export("folded", native.file, "--at", "end").read_text()
    assert f"allocate ({bare});{offset[0]} ({bare}) 700001\n" in folded
    assert f";hidden ({source}:{hidden[2]}) 1500003\n" in folded


def test_native_frames_of_tables(native, export):
    source, bare = (str(native.file.with_name(name)) for name in ("library.c", "libbare.so"))
    rows = list(csv.DictReader(export("csv", native.file, "--at", "end").open(newline="")))
    assert [row["bytes"] for row in rows if row["file"] == source and row["function"] == "hidden"] == ["1500003"]
    held = [row for row in rows if row["file"] == bare and row["function"].startswith("libbare.so+0x")]
    assert [(row["line"], row["bytes"], row["blocks"]) for row in held] == [("0", "700001", "1")]
    stacks = list(csv.DictReader(export("csv", native.file, "--at", "end", "--by", "stack").open(newline="")))
    wanted = collections.Counter()
    for frames, row in stacks_of(native, "--at", "end")[0]:
        names = [f"{file}:{line} {function}" if line else f"{file} {function}" for function, file, line in frames]
        wanted["" if frames[0][0] == NO_FRAME else ";".join(names)] += row["bytes"]
    assert {row["stack"]: int(row["bytes"]) for row in stacks} == wanted and len(stacks) == len(wanted)
    modules = csv.DictReader(export("csv", native.file, "--at", "end", "--by", "module").open(newline=""))
    held = {row["module"]: int(row["bytes"]) for row in modules}
    for name, (_, size) in native_library.LIBRARIES.items():
        assert held[str(native.file.with_name(name))] == size


def test_native_frames_of_statistics(native, export):
    """Neither the interpreter nor the C library is whose allocations they are."""
    stats = assert_memray(native, export)
    assert stats["metadata"]["has_native_traces"] is True
    assert {entry["module"] for entry in stats["top_modules_by_allocation_size"]} == {"program", "<root>"}
    packages = dict(native.sql("SELECT path, package FROM file"))
    wanted = collections.Counter()
    for frames, row in stacks_of(native)[0]:
        own = any(file and packages[file] not in ("stdlib", "system") for _, file, _ in frames)
        wanted["program" if own else "<root>"] += row["allocated_bytes"]
    assert {e["module"]: e["total_bytes"] for e in stats["top_modules_by_allocation_size"]} == wanted
    load = "import json, sys, tracemalloc; s = tracemalloc.Snapshot.load(sys.argv[1]).statistics('lineno')\n"
    load += "print(json.dumps([[t.traceback[0].filename, t.traceback[0].lineno, t.size, t.count] for t in s]))"
    file = export("tracemalloc", native.file, "--at", "end")
    found = {(name, line): (size, count) for name, line, size, count in run([consumers.PYTHON, "-c", load, file], check=0).json}
    sums = collections.defaultdict(lambda: (0, 0))
    for row in harness.report(native.file, "--at", "end", "-n", "0")["rows"]:
        key = (row["file"] or "<unknown>", row["line"] or 0)
        sums[key] = (sums[key][0] + row["bytes"], sums[key][1] + row["blocks"])
    assert found == {key: value for key, value in sums.items() if value[1]}


# --- all of them ---------------------------------------------------------------------------------

FORMATS = ("pprof", "speedscope", "dhat", "folded", "csv", "tracemalloc", "memray", "chrome", "mprof")


def opened(format, file):
    """Opens it as its consumer does; fails where that does."""
    if format == "pprof":
        samples = Profile(file).samples
        return samples, pprof_top(file, "inuse_space")[1] if samples else 0
    if format == "speedscope":
        return consumers.speedscope(file)
    if format == "dhat":
        return dhat(file)
    if format == "tracemalloc":
        load = "import sys, tracemalloc; print(len(tracemalloc.Snapshot.load(sys.argv[1]).traces))"
        return run([consumers.PYTHON, "-c", load, file], check=0).json
    return json.loads(file.read_text()) if format in ("memray", "chrome") else file.read_text()


@pytest.fixture(scope="module")
def nothing(tmp_path_factory):
    """A run without Python, and one that has no process, for none has said hello yet."""
    folder = tmp_path_factory.mktemp("nothing")
    plain, empty = folder / "plain.heapline", folder / "empty.heapline"
    harness.record(["/bin/true"], plain)
    harness.record(["/usr/bin/python3", "-I", "-S", "-c", "pass"], empty)
    with sqlite3.connect(empty) as database:
        tables = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        for (table,) in tables:
            if table not in ("run", "allocator"):
                database.execute(f"DELETE FROM {table}")
        database.execute("UPDATE run SET seconds = NULL, complete = 0")
    return plain, empty


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_in_it(format, export, nothing, rich):
    plain, empty = nothing
    for file, *options in ([empty], [plain], [rich.file, "--pid", "999999999"]):
        opened(format, export(format, file, *options))


def test_a_run_that_goes_on(export, program, tmp_path):
    """What it has come to is exported, while it is recorded."""
    source = program("""
        import sys
        kept = [bytes(5000) for _ in range(1000)]  #: kept
        print("there", flush=True)
        sys.stdin.readline()
    """)
    file = tmp_path / "run.heapline"
    running = harness.start(harness.heapline_run(["/usr/bin/python3", "-I", "-S", source], file))
    assert running.stdout.readline() == "there\n"
    recording = harness.Recording(file)
    while recording.line(source, "kept").blocks < 1000:
        recording = harness.Recording(file)
    for format in FORMATS:
        opened(format, export(format, file))
    _, total = opened("pprof", export("pprof", file))
    assert total >= 1000 * 5000
    running.communicate("\n")


@pytest.mark.across("recording")
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("recording", sorted((TESTS / "data").glob("format-*.heapline")), ids=lambda file: file.stem)
def test_older_recordings(format, export, recording):
    opened(format, export(format, recording))


@pytest.mark.parametrize("format", sorted(set(FORMATS) - {"chrome", "mprof"}))
def test_damaged_counters(format, rich, tmp_path):
    """It is said, and nothing is left that looks like an export."""
    file, output = tmp_path / "run.heapline", tmp_path / "output"
    shutil.copy(rich.file, file)
    with sqlite3.connect(file) as database:
        database.execute("UPDATE counter_chunk SET data = zeroblob(length(data))")
    failed = run([BUILD / "heapline", "export", "--format", format, "-o", output, file], check=1)
    assert "damaged" in failed.err and failed.out == "" and not output.exists()


def test_damaged_history(rich, tmp_path):
    file, output = tmp_path / "run.heapline", tmp_path / "output"
    shutil.copy(rich.file, file)
    with sqlite3.connect(file) as database:
        database.execute("DELETE FROM history_chunk WHERE process = 1 AND first_event > 0")
    failed = run([BUILD / "heapline", "export", "--format", "dhat", "-o", output, file], check=1)
    assert re.search(r"ends after \d+ of its \d+ events", failed.err) and not output.exists()


def test_a_large_tree_is_folded(export, program, tmp_path):
    """More stacks than browsers take: the remainder is called so, and all sums stay what they are."""
    source = program("""
        def walk(depth, number):
            kept.append(bytes(100))
            if depth < 16:
                (left if number & 1 else right)(depth + 1, number >> 1)
        def left(depth, number):
            walk(depth, number)
        def right(depth, number):
            walk(depth, number)
        kept = []
        for number in range(1 << 15):
            walk(0, number)
    """)
    recording = harness.record(["/usr/bin/python3", "-I", "-S", source], tmp_path / "run.heapline")
    assert recording.sql("SELECT max(first + count) FROM node_chunk")[0][0] > 100_000
    file = export("speedscope", recording.file)
    (group,) = consumers.speedscope(file)
    shown = harness.run([harness.BUILD / "heapline", "report", "--json", recording.file], check=0).json
    view, totals = shown["view"], recording.totals
    for profile, total in zip(group["profiles"], (view["bytes"], totals["allocated_bytes"])):
        assert profile["weight"] == total and 10_000 < profile["nodes"] <= 50_000
        others = [frame for frame in profile["frames"] if frame[0] == OTHER]
        assert len(others) == 1 and others[0][3] > 0
    shown = dhat(export("dhat", recording.file))
    assert shown["root"]["totalBytes"] == totals["allocated_bytes"]
    assert shown["root"]["atTGmaxBytes"] == view["bytes"]
    assert len(shown["leaves"]) <= 50_000
    rest = [leaf for leaf in shown["leaves"] if leaf["frames"][0] == OTHER]
    assert rest and all(leaf["maxBytes"] >= leaf["atTGmaxBytes"] for leaf in rest)
    whole = Profile(export("pprof", recording.file))
    assert sum(sample.values[3] for sample in whole.samples) == view["bytes"]
    assert len(whole.samples) > 90_000


def test_wrong_usage(rich, tmp_path):
    command = [BUILD / "heapline", "export"]
    helped = run([*command, "--help"], check=0).out
    assert all(re.search(rf"^  {name} ", helped, re.M) for name in FORMATS)
    unknown = run([*command, "--format", "x", "-o", "x", rich.file], check=2).err
    assert all(name in unknown for name in FORMATS)
    for format, *options in (
        ("dhat", "--between", "0s", "end"), ("dhat", "--temporary"), ("chrome", "--at", "end"), ("chrome", "--include", "x"),
        ("memray", "--at", "end"), ("memray", "--temporary"), ("pprof", "--by", "line"), ("folded", "--blame", "import"),
    ):
        assert run([*command, "--format", format, "-o", tmp_path / "x", *options, rich.file], check=2).err
        assert not (tmp_path / "x").exists()


def test_what_is_not_to_be_written_over(rich, tmp_path):
    """The recording; and a device to which writing fails is not removed, by whatever name."""
    command = [BUILD / "heapline", "export", "--format", "folded", "-o"]
    before = rich.file.read_bytes()
    assert "the recording itself" in run([*command, rich.file, rich.file], check=1).err
    assert rich.file.read_bytes() == before
    device = tmp_path / "device"
    device.symlink_to("/dev/full")
    assert "disk" in run([*command, device, rich.file], check=1).err
    assert device.is_char_device()
