-- The recording: one SQLite file a run, written by the collector, read by the viewer and by anyone
-- who opens it with sqlite3. Times are seconds from the run's start, sizes are bytes.
--
-- Whoever only wants answers asks the views at the end (lines, functions, files, modules,
-- allocators, sample, processes). What holds the stacks are two tables of compressed chunks, described in chunk.h.

PRAGMA application_id = 1213221966; -- 'HPLN'
PRAGMA user_version = 7;            -- STORE_FORMAT in store.h

CREATE TABLE run (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    heapline  TEXT NOT NULL,              -- version of the collector
    command   TEXT NOT NULL,              -- JSON array
    directory TEXT NOT NULL,              -- where the command was started
    started   REAL NOT NULL,              -- Unix time
    history   INTEGER NOT NULL,           -- 0: recorded with --no-history
    seconds   REAL,                       -- null while the run goes on
    complete  INTEGER NOT NULL DEFAULT 0, -- 1: the collector finished and lost nothing
    trouble   TEXT                        -- what could not be recorded, null when nothing
) STRICT;

CREATE TABLE process (
    id              INTEGER PRIMARY KEY,
    pid             INTEGER NOT NULL,
    parent_pid      INTEGER,          -- that of the parent in the recording (lineage), else the
                                      -- kernel's; null for the process that heapline run started
    command         TEXT NOT NULL,    -- JSON array; the title that it gave itself, if it did
    directory       TEXT NOT NULL,
    python          TEXT,             -- '3.12.1', null while unknown
    python_stacks   INTEGER NOT NULL, -- 0: this Python's stacks cannot be read
    started         REAL NOT NULL,
    ended           REAL,             -- null when it lived on, or the recording was cut short
    exit_status     INTEGER,          -- null when unknown or killed by a signal
    signal          INTEGER,          -- null when none or unknown
    peak_bytes      INTEGER NOT NULL, peak_blocks   INTEGER NOT NULL, peak_time REAL,
    peak_events     INTEGER NOT NULL, -- events of the history up to the peak
    end_bytes       INTEGER NOT NULL, end_blocks    INTEGER NOT NULL, end_time  REAL,
    end_events      INTEGER NOT NULL,
    end_seen        INTEGER NOT NULL, -- 1: the program's own code ended and teardown began
    leaked_bytes    INTEGER NOT NULL, leaked_blocks INTEGER NOT NULL,
    allocations     INTEGER NOT NULL,
    frees           INTEGER NOT NULL, -- of blocks whose allocation was recorded
    allocated_bytes INTEGER NOT NULL,
    events          INTEGER NOT NULL, -- in all
    unmatched_frees INTEGER NOT NULL, -- of blocks allocated before the recording began
    lost_events     INTEGER NOT NULL  -- dropped, damaged or refused
) STRICT;

-- What was lost of a process, and why: lost_events is the sum. Reasons are those of damage.h; one that
-- has not occurred has no row. Not in formats before 5.
CREATE TABLE damage (
    process INTEGER NOT NULL REFERENCES process,
    reason  TEXT NOT NULL,
    times   INTEGER NOT NULL,
    PRIMARY KEY (process, reason)
) STRICT, WITHOUT ROWID;

-- What more is known of how a process ended, and what memory it was refused. Recordings from before
-- there was this table know nothing of it.
CREATE TABLE ending (
    process            INTEGER PRIMARY KEY REFERENCES process,
    core_dumped        INTEGER NOT NULL, -- 1: the signal that killed it left a core
    out_of_memory      INTEGER NOT NULL, -- 1: that signal came from the kernel's OOM killer
    refused            INTEGER NOT NULL, -- allocations that failed
    most_refused_bytes INTEGER NOT NULL, -- the largest of them
    collector_bytes    INTEGER NOT NULL, -- when it was killed so: what the collector held under the
                                         -- same limit, 0 otherwise; older recordings have it not
    executed           INTEGER NOT NULL  -- 1: another program took its place; older ones have it not
) STRICT;

-- Who is missing from the recording, or is there in part, and why: 'unheard' (never said hello),
-- 'too_many', 'no_memory' (of the collector), 'own_limit' (no room under its own),
-- 'daemon_limit', 'inheritance' (it is there without what it was forked with), 'went_on' (it is
-- there up to the recording's end). Recordings from before there was this table know nothing of
-- them.
CREATE TABLE absence (
    reason    TEXT PRIMARY KEY,
    processes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Whose child a process is, where that is in the recording too: also where a program that is not
-- recorded, such as a shell, stands between, or its parent had ended when it began. Recordings from
-- before there was this table know nothing of it.
CREATE TABLE lineage (
    process INTEGER PRIMARY KEY REFERENCES process,
    parent  INTEGER NOT NULL REFERENCES process -- its id, which is smaller
) STRICT;

-- Where the largest of the allocations that failed was asked for. Processes of which that is not known
-- have no row, and recordings from before there was this table know nothing of it.
CREATE TABLE refusal (
    process  INTEGER PRIMARY KEY REFERENCES process,
    location INTEGER NOT NULL REFERENCES location
) STRICT;

-- What a forked process was forked with: what its parent held after so many of its events. Not in
-- formats before 4.
CREATE TABLE inheritance (
    process     INTEGER PRIMARY KEY REFERENCES process,
    parent      INTEGER NOT NULL REFERENCES process, -- its id, which is smaller
    events      INTEGER NOT NULL, -- of the parent's history up to the fork
    first_block INTEGER NOT NULL  -- number of its own first block: smaller ones are its parent's
) STRICT;

-- The environment variables that change how a process uses memory, as they were when its program
-- began; no others are kept. Recordings from before there was this table know nothing of them.
CREATE TABLE setting (
    process INTEGER NOT NULL REFERENCES process,
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (process, name)
) STRICT, WITHOUT ROWID;

-- name is what Python calls it, else the kernel. Of threads that ended and hold nothing those of one
-- name, or whose names differ in numbers alone (a star is in their place), may have a row in common: tid is the
-- first one's.
CREATE TABLE thread (
    id      INTEGER PRIMARY KEY,
    process INTEGER NOT NULL REFERENCES process,
    tid     INTEGER NOT NULL,
    name    TEXT NOT NULL
) STRICT;

-- Programs and libraries that code was executed of. Not in formats 1 and 2, as is file.module.
CREATE TABLE module (
    id       INTEGER PRIMARY KEY,
    path     TEXT NOT NULL, -- as the process saw it
    build_id TEXT,          -- in hexadecimal, null without
    note     TEXT           -- why names may be missing or say less than they could, null when not
) STRICT;

-- Of native code it is a source file as the compiler was told, of which different modules have
-- different ones under the same path; or the module's own path where that is not known.
CREATE TABLE file (
    id      INTEGER PRIMARY KEY,
    path    TEXT NOT NULL,
    package TEXT NOT NULL,    -- 'stdlib', 'program', 'system' (libraries of the operating system),
                              -- or the distribution that installed it, or its module
    module  INTEGER REFERENCES module -- null: Python's source
) STRICT;

-- The file's text as it was when the program ran. Of native code only what has not been changed
-- since the module was made.
CREATE TABLE source (
    file  INTEGER PRIMARY KEY REFERENCES file,
    bytes INTEGER NOT NULL,
    text  BLOB NOT NULL -- zstd
) STRICT;

CREATE TABLE code (
    id         INTEGER PRIMARY KEY,
    file       INTEGER NOT NULL REFERENCES file,
    name       TEXT NOT NULL,
    first_line INTEGER NOT NULL
) STRICT;

-- A line of a code object. Location 0 does not exist: it stands for "no Python frame".
CREATE TABLE location (
    id   INTEGER PRIMARY KEY,
    code INTEGER NOT NULL REFERENCES code,
    line INTEGER NOT NULL
) STRICT;

-- The tree of stacks: node n is (parent node, location); node 0 is the empty stack.
CREATE TABLE node_chunk (
    first INTEGER PRIMARY KEY, -- first node of the chunk
    count INTEGER NOT NULL,
    data  BLOB NOT NULL        -- see chunk.h
) STRICT;

-- What was counted, by (process, node, thread, allocator, size class). Where the thread is another
-- process's, the blocks are inherited, and no part of its sums: then peak, end and leaked are what
-- it had freed by then of what its parent held in that counter at the fork (table inheritance).
-- What it has freed nothing of has no row. Before format 4 such rows say what it held.
CREATE TABLE counter_chunk (
    process INTEGER NOT NULL REFERENCES process,
    first   INTEGER NOT NULL,
    count   INTEGER NOT NULL,
    data    BLOB NOT NULL,     -- see chunk.h
    PRIMARY KEY (process, first)
) STRICT, WITHOUT ROWID;

-- Every event in order; see history.h. What is beyond the process's events is not complete yet.
CREATE TABLE history_chunk (
    process     INTEGER NOT NULL REFERENCES process,
    first_event INTEGER NOT NULL,
    events      INTEGER NOT NULL,
    first_block INTEGER NOT NULL,
    started_us  INTEGER NOT NULL, -- microseconds from the run's start
    ended_us    INTEGER NOT NULL,
    summary     BLOB NOT NULL,
    lifetimes   BLOB NOT NULL,
    data        BLOB NOT NULL,    -- last: what stands behind it would be read through it
    PRIMARY KEY (process, first_event)
) STRICT, WITHOUT ROWID;
CREATE INDEX history_time ON history_chunk (process, started_us, first_event);

-- What every counter of the process holds before an event that begins a chunk; see chunk.h. Of what
-- is inherited, by how much less than at the fork: modulo 2^64. The last part of a checkpoint is the
-- first with less than 4096 rows.
CREATE TABLE checkpoint_chunk (
    process INTEGER NOT NULL REFERENCES process,
    event   INTEGER NOT NULL,
    first   INTEGER NOT NULL, -- row
    count   INTEGER NOT NULL,
    data    BLOB NOT NULL,
    PRIMARY KEY (process, event, first)
) STRICT, WITHOUT ROWID;

-- Without history: what has happened to every counter in slices of time; see chunk.h. A slice may
-- have several parts; the last one has less than 4096 rows.
CREATE TABLE slice_chunk (
    process INTEGER NOT NULL REFERENCES process,
    event   INTEGER NOT NULL, -- events of the process up to the slice's end
    time    REAL NOT NULL,    -- of its end
    first   INTEGER NOT NULL, -- row
    count   INTEGER NOT NULL,
    data    BLOB NOT NULL,
    PRIMARY KEY (process, event, first)
) STRICT, WITHOUT ROWID;

-- Memory over time, in even slices. What the kernel does not say is null. Formats before 5 have one
-- table, `sample`, with a column for each allocator, as the view of that name below has.
CREATE TABLE sample_total (
    process      INTEGER NOT NULL REFERENCES process,
    time         REAL NOT NULL,    -- end of the slice
    most_bytes   INTEGER NOT NULL, -- live bytes in all, the most in the slice
    resident     INTEGER,          -- RSS
    proportional INTEGER,          -- PSS
    swapped      INTEGER,
    PRIMARY KEY (process, time)
) STRICT, WITHOUT ROWID;

-- Live bytes by allocator at the end of the slice; an allocator that held nothing has no row.
CREATE TABLE sample_part (
    process   INTEGER NOT NULL REFERENCES process,
    time      REAL NOT NULL,
    allocator INTEGER NOT NULL REFERENCES allocator,
    bytes     INTEGER NOT NULL,
    PRIMARY KEY (process, time, allocator)
) STRICT, WITHOUT ROWID;

-- The most that all processes held together, the first time: the maximum over time of the sum.
-- Written with the processes' rows about once a second and at the end; recordings of older versions
-- do not have these two tables.
CREATE TABLE run_peak (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    bytes  INTEGER NOT NULL, blocks INTEGER NOT NULL,
    time   REAL NOT NULL
) STRICT;

-- Where the processes that lived then stood: the sums of what they held are the peak.
CREATE TABLE run_peak_process (
    process INTEGER PRIMARY KEY REFERENCES process,
    events  INTEGER NOT NULL, -- events of its history up to then
    bytes   INTEGER NOT NULL, blocks INTEGER NOT NULL
) STRICT;

-- What of its memory a process had *touched* at most: all that it held but what large blocks (of 1 MiB or
-- more) had not in memory. Not in formats before 6, as the tables below that say the same of samples,
-- of counters and of the run.
CREATE TABLE touched (
    process       INTEGER PRIMARY KEY REFERENCES process,
    peak_bytes    INTEGER NOT NULL, peak_blocks INTEGER NOT NULL,
    peak_time     REAL,
    peak_events   INTEGER NOT NULL, -- events of the history up to then
    error_bytes   INTEGER NOT NULL, -- by how much it may have been more between two looks
    hidden        INTEGER NOT NULL, -- 1: nobody could look, everything counts as touched
    largest_bytes INTEGER NOT NULL, -- the most that a block had untouched when it went, or at the end
    largest_location INTEGER REFERENCES location -- where that one was allocated
) STRICT;

-- What every counter of the process had touched at that peak, as a checkpoint_chunk; a process whose peak
-- that is too, with nothing untouched, has no rows. What is apart (files, reserved address space) has none.
CREATE TABLE touched_chunk (
    process INTEGER NOT NULL REFERENCES process,
    first   INTEGER NOT NULL, -- row
    count   INTEGER NOT NULL,
    data    BLOB NOT NULL,
    PRIMARY KEY (process, first)
) STRICT, WITHOUT ROWID;

-- The most that was touched in a slice of sample_total, where that is not most_bytes.
CREATE TABLE touched_sample (
    process    INTEGER NOT NULL REFERENCES process,
    time       REAL NOT NULL,
    most_bytes INTEGER NOT NULL,
    PRIMARY KEY (process, time)
) STRICT, WITHOUT ROWID;

-- As run_peak and run_peak_process.
CREATE TABLE run_touched (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    bytes  INTEGER NOT NULL, blocks INTEGER NOT NULL,
    time   REAL NOT NULL
) STRICT;
CREATE TABLE run_touched_process (
    process INTEGER PRIMARY KEY REFERENCES process,
    events  INTEGER NOT NULL,
    bytes   INTEGER NOT NULL, blocks INTEGER NOT NULL
) STRICT;

-- What counters held untouched where their process stood at the run's peak of what was touched, by the
-- counter's number in the process, from 1 on.
CREATE TABLE untouched (
    process INTEGER NOT NULL REFERENCES process,
    counter INTEGER NOT NULL,
    bytes   INTEGER NOT NULL,
    PRIMARY KEY (process, counter)
) STRICT, WITHOUT ROWID;

-- A look at all that was resident of a process, at a moment: 'end', 'peak' (near it) or 'asked'. Not in
-- formats before 7, as the four tables below that say what was found.
CREATE TABLE survey (
    process       INTEGER NOT NULL REFERENCES process,
    number        INTEGER NOT NULL, -- 1 at the end, 2 near the peak, 3 and more: asked for, in order
    moment        TEXT NOT NULL,
    time          REAL NOT NULL,
    events        INTEGER NOT NULL, -- of the process's history up to then
    rss_bytes     INTEGER NOT NULL, -- as the kernel said
    shared_bytes  INTEGER,          -- of it with other processes; null where the process is no
                                    -- one's parent or child here, and it was not asked
    proportional_bytes INTEGER,     -- PSS, as sampled last
    huge_bytes    INTEGER NOT NULL, -- of it in huge pages
    hugetlb_bytes INTEGER NOT NULL, -- reserved huge pages, which are no part of it
    PRIMARY KEY (process, number)
) STRICT, WITHOUT ROWID;

-- What it was made of: rows that add up to it, but for what is not known. Kinds are those of
-- resident.h.
CREATE TABLE resident_row (
    process       INTEGER NOT NULL REFERENCES process,
    survey        INTEGER NOT NULL, -- number
    kind          TEXT NOT NULL,
    name          TEXT NOT NULL,    -- the file or heap that it is of, '' without
    bytes         INTEGER NOT NULL,
    shared_bytes  INTEGER NOT NULL, -- of them with other processes, as above
    swapped_bytes INTEGER NOT NULL, -- beside them
    blocks        INTEGER NOT NULL, -- or mappings
    PRIMARY KEY (process, survey, kind, name)
) STRICT, WITHOUT ROWID;

-- Arenas of pymalloc and heaps of the C library, 'arena' and 'heap', in order of number.
CREATE TABLE region (
    process        INTEGER NOT NULL REFERENCES process,
    survey         INTEGER NOT NULL,
    number         INTEGER NOT NULL,
    kind           TEXT NOT NULL,
    address        INTEGER NOT NULL,
    bytes          INTEGER NOT NULL,
    resident_bytes INTEGER NOT NULL,
    used_bytes     INTEGER NOT NULL, -- by live blocks
    blocks         INTEGER NOT NULL,
    lines          INTEGER NOT NULL, -- that have blocks in it
    PRIMARY KEY (process, survey, number)
) STRICT, WITHOUT ROWID;

-- What lines have in a region that only some have blocks in.
CREATE TABLE holder (
    process  INTEGER NOT NULL REFERENCES process,
    survey   INTEGER NOT NULL,
    region   INTEGER NOT NULL, -- number
    location INTEGER NOT NULL,
    blocks   INTEGER NOT NULL,
    bytes    INTEGER NOT NULL,
    PRIMARY KEY (process, survey, region, location)
) STRICT, WITHOUT ROWID;

-- What of the blocks that a process was forked with lies in pages that are its own by then, by the line that
-- had allocated them.
CREATE TABLE copied (
    process  INTEGER NOT NULL REFERENCES process,
    survey   INTEGER NOT NULL,
    location INTEGER NOT NULL,
    blocks   INTEGER NOT NULL,
    bytes    INTEGER NOT NULL,
    PRIMARY KEY (process, survey, location)
) STRICT, WITHOUT ROWID;

-- The same sums by innermost location and allocator, for people and for SQL.
CREATE TABLE line_total (
    process         INTEGER NOT NULL REFERENCES process,
    location        INTEGER NOT NULL,
    allocator       INTEGER NOT NULL,
    allocations     INTEGER NOT NULL,
    allocated_bytes INTEGER NOT NULL,
    peak_blocks     INTEGER NOT NULL, peak_bytes   INTEGER NOT NULL,
    end_blocks      INTEGER NOT NULL, end_bytes    INTEGER NOT NULL,
    leaked_blocks   INTEGER NOT NULL, leaked_bytes INTEGER NOT NULL,
    PRIMARY KEY (process, location, allocator)
) STRICT, WITHOUT ROWID;

CREATE TABLE allocator (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL
) STRICT;
INSERT INTO allocator VALUES @ALLOCATORS@; -- those of allocators.h

CREATE VIEW lines AS
SELECT process.pid, file.path AS file, location.line, code.name AS function,
       allocator.name AS allocator,
       total.peak_bytes, total.peak_blocks, total.end_bytes, total.end_blocks,
       total.leaked_bytes, total.leaked_blocks, total.allocations, total.allocated_bytes,
       module.path AS module
FROM line_total AS total
     JOIN process ON process.id = total.process
     JOIN allocator ON allocator.id = total.allocator
     LEFT JOIN location ON location.id = total.location
     LEFT JOIN code ON code.id = location.code
     LEFT JOIN file ON file.id = code.file
     LEFT JOIN module ON module.id = file.module;

CREATE VIEW functions AS
SELECT pid, file, function,
       sum(peak_bytes) AS peak_bytes, sum(peak_blocks) AS peak_blocks,
       sum(end_bytes) AS end_bytes, sum(end_blocks) AS end_blocks,
       sum(leaked_bytes) AS leaked_bytes, sum(leaked_blocks) AS leaked_blocks,
       sum(allocations) AS allocations, sum(allocated_bytes) AS allocated_bytes
FROM lines GROUP BY pid, file, function;

CREATE VIEW files AS
SELECT pid, file,
       sum(peak_bytes) AS peak_bytes, sum(peak_blocks) AS peak_blocks,
       sum(end_bytes) AS end_bytes, sum(end_blocks) AS end_blocks,
       sum(leaked_bytes) AS leaked_bytes, sum(leaked_blocks) AS leaked_blocks,
       sum(allocations) AS allocations, sum(allocated_bytes) AS allocated_bytes
FROM lines GROUP BY pid, file;

-- A Python module is a file.
CREATE VIEW modules AS
SELECT pid, ifnull(module, file) AS module,
       sum(peak_bytes) AS peak_bytes, sum(peak_blocks) AS peak_blocks,
       sum(end_bytes) AS end_bytes, sum(end_blocks) AS end_blocks,
       sum(leaked_bytes) AS leaked_bytes, sum(leaked_blocks) AS leaked_blocks,
       sum(allocations) AS allocations, sum(allocated_bytes) AS allocated_bytes
FROM lines GROUP BY 1, 2;

CREATE VIEW allocators AS
SELECT pid, allocator,
       sum(peak_bytes) AS peak_bytes, sum(peak_blocks) AS peak_blocks,
       sum(end_bytes) AS end_bytes, sum(end_blocks) AS end_blocks,
       sum(leaked_bytes) AS leaked_bytes, sum(leaked_blocks) AS leaked_blocks,
       sum(allocations) AS allocations, sum(allocated_bytes) AS allocated_bytes
FROM lines GROUP BY pid, allocator;

CREATE VIEW sample AS
SELECT total.process, total.time,
       ifnull(sum(bytes) FILTER (WHERE name = 'malloc'), 0) AS malloc,
       ifnull(sum(bytes) FILTER (WHERE name = 'raw'), 0) AS raw,
       ifnull(sum(bytes) FILTER (WHERE name = 'mem'), 0) AS mem,
       ifnull(sum(bytes) FILTER (WHERE name = 'object'), 0) AS object,
       ifnull(sum(bytes) FILTER (WHERE name = 'mmap'), 0) AS mmap,
       ifnull(sum(bytes) FILTER (WHERE name = 'file'), 0) AS file,
       ifnull(sum(bytes) FILTER (WHERE name = 'reserved'), 0) AS reserved,
       most_bytes, resident, proportional, swapped
FROM sample_total AS total
     LEFT JOIN sample_part AS part ON part.process = total.process AND part.time = total.time
     LEFT JOIN allocator ON allocator.id = part.allocator
GROUP BY total.process, total.time;

CREATE VIEW processes AS
SELECT pid, parent_pid, command, python, started, ended, exit_status, signal,
       peak_bytes, peak_time, end_bytes, leaked_bytes,
       allocations, frees, allocated_bytes, unmatched_frees, lost_events
FROM process;
