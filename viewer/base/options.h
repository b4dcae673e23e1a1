/*
 * Command-line options: one table says how a command's options are spelt, read and explained.
 *
 * The usual spellings are read: --name VALUE, --name=VALUE, -n VALUE, -nVALUE, -qf, and "--" before
 * what is no option even if it looks like one. No state outside struct options.
 */
#ifndef HEAPLINE_VIEWER_BASE_OPTIONS_H
#define HEAPLINE_VIEWER_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct option_spec {
    char letter;          /* '\0': none */
    const char *name;     /* without the dashes */
    const char *argument; /* what its value is called in the help; NULL: it takes none; in brackets
                           * ("[=N]"): it may have one, only behind "=", else `value` is NULL */
    const char *help;     /* may have several lines */
    int id;               /* above 0 */
};

/* The words that an option's value can be, for completion. Those of a value that is written out in
 * the help ("block|drop") need none. */
struct option_words {
    int id;                            /* 0: the end of the list */
    const char *const *words;          /* NULL-terminated; NULL: `word` tells them */
    const char *(*word)(size_t index); /* NULL behind the last one */
};

/* A command's options, as others than the command itself see them. */
struct option_table {
    const struct option_spec *specs;
    size_t spec_count;
    const struct option_words *words; /* of options of its own; NULL: none */
};

/* The table of an array of specs. */
#define OPTION_TABLE(specs, words)                                                                 \
    {                                                                                              \
        specs, sizeof specs / sizeof *specs, words                                                 \
    }

/* What options_next() returns beside the ids. */
enum {
    OPTIONS_END = 0,
    OPTIONS_OPERAND = -1, /* `value` is an argument that is no option */
    OPTIONS_WRONG = -2,   /* a message has been printed */
};

struct options {
    const char *command; /* "heapline run": begins the messages */
    const struct option_spec *specs;
    size_t spec_count;
    char **arguments;     /* what has not been read yet, NULL-terminated; not owned */
    bool stop_at_operand; /* the first operand ends the options and stays in `arguments` */

    const char *value;   /* of the option or operand just returned; from `arguments` */
    const char *cluster; /* the rest of "-qf"; starts as NULL */
    bool operands_only;  /* after "--"; starts as false */
};

int options_next(struct options *options);

/* The option that `word` spells and whose value is in the next argument; NULL when there is none.
 * For completion, so nothing is said about what is wrong. */
const struct option_spec *options_awaiting(const struct option_table *table, const char *word);

/* The option of this name, `length` characters long; NULL when there is none. */
const struct option_spec *options_named(const struct option_table *table, const char *name,
                                        size_t length);

/* Says on stderr what is wrong, and where help is. Returns OPTIONS_WRONG. */
int options_wrong(const struct options *options, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Prints the table as a help text's "Options:" part. */
void options_help(FILE *stream, const struct option_spec *specs, size_t spec_count);

/* Reads a whole decimal number in [least, most]. */
bool options_number(const char *text, int64_t least, int64_t most, int64_t *number);

/* The position of `word` in a NULL-terminated list; -1 when it is not there. */
int options_choice(const char *const *choices, const char *word);

#endif
