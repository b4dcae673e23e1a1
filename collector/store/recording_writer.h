/*
 * Writing the recording (schema/store.sql).
 *
 * A snapshot is one transaction that brings the file up to date; between snapshots nothing is open.
 * When SQLite fails (disk full, file gone) the transaction is undone, writer->database.trouble says
 * why, and nothing more is written: what was committed stays readable. Where another program has
 * locked the file, writing is put off: nothing has been written then, all is kept, and the caller
 * asks again. One thread at a time.
 */
#ifndef HEAPLINE_COLLECTOR_RECORDING_WRITER_H
#define HEAPLINE_COLLECTOR_RECORDING_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "chunk.h"
#include "collector/python/packages.h"
#include "collector/store/recording_database.h"
#include "collector/store/recording_file.h"
#include "collector/store/recording_sources.h"
#include "collector/stream/process.h"

struct recording_writer {
    struct recording_file file;
    const char *path; /* the caller's */
    struct recording_database database;
    struct chunk_writer chunk;
    struct packages packages;
    struct recording_sources sources;
    /* Written so far. */
    uint32_t files, codes, locations, nodes;
    struct vector modules; /* struct written_module, by the module's number */
    uint32_t module_count;
    uint64_t peak_epoch; /* the sum of both peaks' */
    bool has_peak;
    uint32_t absences[ABSENCE_KINDS]; /* as they are in the file */
};

enum recording_outcome {
    RECORDING_WRITTEN,
    RECORDING_PUT_OFF, /* another program has locked the file */
    RECORDING_FAILED,  /* for good: writer->database.trouble */
};

struct recorded_run {
    const char *command; /* JSON */
    const char *directory;
    double started;
    bool keeps_history;
    pid_t main_pid; /* 0: unknown */
};

/* Creates the file (recording_file.h) and its tables. With `force` an existing one is replaced that
 * nobody writes. The path must stay. False: writer->database.trouble says why; there is then no new
 * file. */
bool recording_create(struct recording_writer *writer, const char *path, bool force,
                      const struct recorded_run *run);

/* What is written in between comes into the file as a whole, or not at all: sums and histories of
 * processes that refer to each other. False when it cannot be written, or not yet. */
bool recording_begin(struct recording_writer *writer);
bool recording_commit(struct recording_writer *writer);

/* Brings codes, nodes and one process up to date, its history too. The process is final when it has
 * ended. */
enum recording_outcome recording_snapshot(struct recording_writer *writer, struct run *run,
                                          struct process *process,
                                          const struct recorded_run *about);

/* Writes only what grows: codes, nodes, threads and the history that waits. */
enum recording_outcome recording_append(struct recording_writer *writer, struct run *run,
                                        struct process *process);

/* Brings the run's peak up to date. Right after snapshots of all its processes: where they stood
 * must be in the file. */
bool recording_peak(struct recording_writer *writer, struct run *run,
                    struct process *const *processes, unsigned count);

/* Brings the rows of processes up to date whose ending has become known after they were written. */
void recording_put_late_endings(struct recording_writer *writer, struct endings *endings);

/* Who is missing. */
void recording_put_absences(struct recording_writer *writer, const struct absences *absences);

/* Gives memory back that is needed for writing only. */
void recording_rest(struct recording_writer *writer);

/* The last word on the run. `trouble` may be null. */
bool recording_complete(struct recording_writer *writer, double seconds, bool complete,
                        const char *trouble);

/* From now on whoever has locked the file is waited for, half a minute in all: what then cannot be
 * written fails. With `may_tell` a line on stderr says after a second that it waits. */
void recording_be_patient(struct recording_writer *writer, bool may_tell);

/* Is the file no longer where it was made? Then `text` says what has become of it. */
bool recording_is_gone(const struct recording_writer *writer, char *text, size_t size);

/* Closes the file and leaves it as one file, without a journal beside it. False: a program that
 * reads it keeps a part of it in the WAL beside it. */
bool recording_close(struct recording_writer *writer);

#endif
