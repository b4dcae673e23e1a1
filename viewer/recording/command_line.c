/*
 * A word that has anything but plain letters is put between quotation marks.
 */
#include "viewer/recording/command_line.h"

#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/utf8.h"

static bool word_is_plain(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=./,:@%";
    return *word && !word[strspn(word, plain)];
}

char *name_of_word(const char *word)
{
    CLEANUP(cleanup_free) char *escaped = utf8_escape(word);
    if (word_is_plain(escaped))
        return memory_copy(escaped);
    char *quoted = memory_new(strlen(escaped) + 1, 4), *out = quoted;
    *out++ = '\'';
    for (const char *at = escaped; *at; at++)
        out = *at == '\'' ? stpcpy(out, "'\\''") : (*out = *at, out + 1);
    *out = '\'';
    return quoted;
}

char *name_of_command(const json_t *command)
{
    char *line = memory_copy("");
    for (size_t i = 0; i < json_array_size(command); i++) {
        CLEANUP(cleanup_free) char *before = line;
        CLEANUP(cleanup_free)
        char *word = name_of_word(json_string_value(json_array_get(command, i)));
        line = memory_print("%s%s%s", before, i ? " " : "", word);
    }
    return line;
}
