/*
 * Native symbols of any file. What reads it may die of it, in its own process; every question must
 * be answered all the same. The corpus are the libraries of tests/programs/native, compiled without
 * libc so that they are small: DWARF 5, compressed DWARF 4, and C++.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/symbols/native_symbols.h"
#include "collector/system/root_file.h"
#include "driver.h"
#include "failing.h"
#include "native_places.h"

#define STEP 3 /* bytes between the addresses asked for */

/* Makes the file `path`, a template as for mkstemp(). */
static int file_of(char *path, const uint8_t *data, size_t size)
{
    int file = mkstemp(path);
    if (file < 0 || write(file, data, size) != (ssize_t)size)
        abort();
    return file;
}

/* All texts are there to the end. */
static void check_symbol(const struct native_symbol *symbol)
{
    if (symbol->count == 0)
        abort();
    for (uint32_t i = 0; i < symbol->count; i++) {
        const struct native_call *call = &symbol->calls[i];
        if ((call->function && strlen(call->function) > 65536) ||
            (call->file && strlen(call->file) > 65536))
            abort();
    }
}

/* Asks for what is at each place; when nothing fails each has an answer. */
static void ask_all(struct native_symbols *symbols, const char *path, size_t size, bool fails)
{
    const struct native_mapping mapping = {.start = 0x10000, .path = path};
    uint32_t number = native_modules_add(symbols->modules, getpid(), root_own(), &mapping);
    const struct native_module *module = native_modules_get(symbols->modules, number);
    for (uint64_t at = 0; module && at < 0x10000 && at < size; at += STEP) {
        struct native_point place = {.module = number};
        if (!native_place_offset(module, 0, 0, at, &place.offset))
            continue;
        const struct native_symbol *symbol = native_place_symbol(symbols, place);
        if (symbol)
            check_symbol(symbol);
        else if (!fails)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct native_modules modules;
    struct native_symbols symbols;
    char path[] = "/tmp/heapline-fuzz-XXXXXX";
    int file = file_of(path, data, size);
    if (!native_modules_init(&modules) || !native_symbols_init(&symbols, &modules, NULL, false))
        abort();
    ask_all(&symbols, path, size, failing_begin(data, size));
    failing_end();
    native_symbols_deinit(&symbols);
    native_modules_deinit(&modules);
    close(file);
    unlink(path);
    return 0;
}
