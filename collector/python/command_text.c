/*
 * Going through the options as CPython does (Python/getopt.c): letters may stand together, -c and
 * those that take a value have it right behind them or in the next word, and the first word that
 * is no option is the program's.
 */
#include "collector/python/command_text.h"

#include <jansson.h>
#include <string.h>

#define WITH_VALUE      "WXQ"
#define LONG_WITH_VALUE "--check-hash-based-pycs"

/* The value of the option at `letter`: the word's rest, or the next word. */
static const char *value_at(const char *letter, const json_t *words, size_t *word)
{
    return letter[1] ? letter + 1 : json_string_value(json_array_get(words, ++*word));
}

static const char *find_text(const json_t *words)
{
    for (size_t i = 1; i < json_array_size(words); i++) {
        const char *word = json_string_value(json_array_get(words, i));
        if (!word || word[0] != '-' || !word[1])
            return NULL;
        if (word[1] == '-') {
            i += strcmp(word, LONG_WITH_VALUE) == 0;
            continue;
        }
        for (const char *letter = word + 1; *letter; letter++) {
            if (*letter == 'm')
                return NULL;
            if (*letter == 'c')
                return value_at(letter, words, &i);
            if (strchr(WITH_VALUE, *letter)) {
                value_at(letter, words, &i);
                break;
            }
        }
    }
    return NULL;
}

char *command_text(const char *command)
{
    json_t *words = json_loads(command, 0, NULL);
    const char *text = words ? find_text(words) : NULL;
    char *copy = text ? strdup(text) : NULL;
    json_decref(words);
    return copy;
}
