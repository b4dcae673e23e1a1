/*
 * From a point in native code (native_modules.h) to names: functions, those inlined into them,
 * files and lines.
 *
 * Reading is done by a process of its own (symbol_process.h), so it never keeps the caller: ask for
 * points as they appear, let native_symbols_work() move things now and then, and take the results
 * at the end. Results are kept, one for each point that occurs, also when the module is another one
 * by then. What is not known stays unknown. One thread, and none other at the start.
 */
#ifndef HEAPLINE_COLLECTOR_NATIVE_SYMBOLS_H
#define HEAPLINE_COLLECTOR_NATIVE_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/base/index.h"
#include "collector/base/vector.h"
#include "collector/symbols/native_modules.h"
#include "collector/symbols/native_symbol.h"
#include "collector/symbols/symbol_process.h"

struct native_symbols {
    struct native_modules *modules;
    bool download;
    char *cache_folder; /* null: none */
    struct symbol_process process;
    struct vector results; /* struct point_result, element 0 unused */
    uint32_t count;
    struct index by_point;
    struct vector states; /* struct module_state, by the module's number */
    uint32_t state_count;
    struct vector questions; /* uint32_t, numbers of results, in the order of asking */
    uint32_t asked, sent, answered;
    bool is_second_try; /* the worker was lost before a question was sent */
};

/* The modules must outlive it. `cache_folder` (see symbol_cache.h) may be null; `download`: debug
 * information that is nowhere is asked of the servers in DEBUGINFOD_URLS. Forks: call it while the
 * process is small. False: no memory. */
bool native_symbols_init(struct native_symbols *symbols, struct native_modules *modules,
                         const char *cache_folder, bool download);
/* Writes the cache and ends the other process. */
void native_symbols_deinit(struct native_symbols *symbols);

/* Asks for what is at a point, unless that is known or asked for already. False: no memory. */
bool native_symbols_ask(struct native_symbols *symbols, struct native_point point);

/* Sends what was asked and takes what has been answered; waits for an answer at most so long (-1:
 * as long as it takes). False: nothing is open any more. */
bool native_symbols_work(struct native_symbols *symbols, int wait_ms);

/* What is at a point; null: that is not known yet. It lives as long as `symbols`. */
const struct native_symbol *native_symbols_get(const struct native_symbols *symbols,
                                               struct native_point point);

#endif
