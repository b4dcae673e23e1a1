/*
 * The answers of the process that reads symbols, which a file may have taken over: any bytes in its
 * place, in packets whose lengths stand before them. What is taken for a symbol can be packed and
 * comes back the same.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/symbols/symbol_process.h"
#include "driver.h"
#include "failing.h"

/* An empty name comes back as none. */
static bool is_same_text(const char *one, const char *other)
{
    return strcmp(one ? one : "", other ? other : "") == 0;
}

static void check_symbol(const struct native_symbol *symbol)
{
    static uint8_t packed[NATIVE_SYMBOL_BYTES_MAX];
    if (symbol->count == 0 || symbol->count > NATIVE_CALLS_MAX)
        abort();
    const uint8_t *at = packed, *end = native_symbol_pack(packed, symbol);
    struct native_symbol *again = native_symbol_unpack(&at, end);
    if (!again || again->count != symbol->count || at != end)
        abort();
    for (uint32_t i = 0; i < symbol->count; i++)
        if (again->calls[i].line != symbol->calls[i].line ||
            !is_same_text(again->calls[i].function, symbol->calls[i].function) ||
            !is_same_text(again->calls[i].file, symbol->calls[i].file))
            abort();
    native_symbol_free(again);
}

/* Takes what has been sent; false: the worker is gone. */
static bool take_answer(struct symbol_process *process, const uint8_t *data, size_t size)
{
    failing_begin(data, size);
    struct symbol_answer answer = symbol_process_answer(process, 0);
    failing_end();
    if (answer.symbol)
        check_symbol(answer.symbol);
    native_symbol_free(answer.symbol);
    return answer.kind != SYMBOL_ANSWER_GONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0)
        abort();
    struct symbol_process process = {.keeper = -1, .worker = ends[0]};
    bool is_there = true;
    for (size_t at = 0; is_there && at + 2 <= size;) {
        uint16_t wanted;
        memcpy(&wanted, data + at, sizeof wanted);
        at += sizeof wanted;
        size_t count = wanted < size - at ? wanted : size - at;
        if (send(ends[1], data + at, count, MSG_NOSIGNAL) != (ssize_t)count)
            abort();
        is_there = take_answer(&process, data, size);
        at += count;
    }
    close(ends[1]);
    if (is_there && take_answer(&process, data, size))
        abort();
    symbol_process_stop(&process);
    return 0;
}
