/*
 * Eight bytes of each page are asked for; what is aligned to eight lies in one.
 */
#include "preload/base/readable.h"

#include <stddef.h>
#include <stdint.h>

#include "preload/base/shim.h"
#include "preload/base/signals.h"

/* A null mask is none, of which the kernel reads nothing. */
static bool is_word_readable(const void *address)
{
    uintptr_t word = (uintptr_t)address & ~(uintptr_t)7;
    return word && signals_can_read((const void *)word);
}

static bool is_at_page(const void *address)
{
    return (uintptr_t)address % SHIM_PAGE_BYTES == 0;
}

bool readable_text(const char *text)
{
    if (!is_word_readable(text))
        return false;
    while (*text++)
        if (is_at_page(text) && !is_word_readable(text))
            return false;
    return true;
}

/* The pointer itself, which need not be aligned. */
static bool is_entry_readable(char *const *entry)
{
    return is_word_readable(entry) && is_word_readable((const char *)entry + sizeof *entry - 1);
}

bool readable_texts(char *const *texts)
{
    if (!texts)
        return true;
    for (; is_entry_readable(texts); texts++) {
        if (!*texts)
            return true;
        if (!readable_text(*texts))
            return false;
    }
    return false;
}
