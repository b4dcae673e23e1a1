/*
 * A process that reads symbols for us.
 *
 * The files are the traced processes' and may have been made to harm whoever reads them, so a
 * *worker* does: it may crash, hang (its computing time for a question is limited) or run out of
 * memory, and no more than its answers are lost. Workers come from a *keeper*, which was forked
 * when this was started, while we were still small, and never reads anything itself. Both end when
 * our sockets close.
 *
 * Questions are answered in their order. One thread, and none other at the start.
 */
#ifndef HEAPLINE_COLLECTOR_SYMBOL_PROCESS_H
#define HEAPLINE_COLLECTOR_SYMBOL_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collector/symbols/module_reader.h"
#include "collector/symbols/native_symbol.h"

struct symbol_process {
    pid_t keeper_pid;
    int keeper; /* socket; -1: there is no keeper */
    int worker; /* socket; -1: there is no worker */
};

enum symbol_answer_kind {
    SYMBOL_ANSWER_NONE, /* not yet */
    SYMBOL_ANSWER_GONE, /* there is no worker any more: it died of the first open question */
    SYMBOL_ANSWER,
};

struct symbol_answer {
    enum symbol_answer_kind kind;
    bool has_dwarf;               /* the module has debug information that can be read */
    struct native_symbol *symbol; /* the caller's; null: memory was short, or it made no sense */
};

/* Forks the keeper. False: it cannot; the others then do nothing. */
bool symbol_process_start(struct symbol_process *process);
void symbol_process_stop(struct symbol_process *process);

/* Starts a worker; true when there is one already. */
bool symbol_process_hire(struct symbol_process *process);
/* Lets the worker go, with all its open questions. */
void symbol_process_dismiss(struct symbol_process *process);
/* Gives the worker a module's files, under a number; they stay the caller's as well. */
bool symbol_process_open(struct symbol_process *process, uint32_t module,
                         const struct module_files *files, enum module_depth depth);
/* Asks what is at an address of an open module. Both of these never wait; false: not now. */
bool symbol_process_ask(struct symbol_process *process, uint32_t module, uint64_t address);
/* The answer to the first open question; waits for it at most so long (-1: as long as it takes). */
struct symbol_answer symbol_process_answer(struct symbol_process *process, int wait_ms);

#endif
