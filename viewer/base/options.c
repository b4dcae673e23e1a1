/*
 * Reads command-line options after a table.
 *
 * A small reader of our own and not getopt_long(): that one accepts abbreviations that change their
 * meaning with every new option, cannot say which word was wrong, and keeps a second table for the
 * help. What is wrong is said once on stderr, with the option that was probably meant.
 */
#include "viewer/base/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/closest.h"
#include "viewer/base/memory.h"
#include "viewer/base/say.h"

const struct option_spec *options_named(const struct option_table *table, const char *name,
                                        size_t length)
{
    for (size_t i = 0; i < table->spec_count; i++)
        if (!strncmp(table->specs[i].name, name, length) && !table->specs[i].name[length])
            return &table->specs[i];
    return NULL;
}

static const struct option_spec *options_lettered(const struct option_table *table, char letter)
{
    for (size_t i = 0; i < table->spec_count; i++)
        if (table->specs[i].letter == letter)
            return &table->specs[i];
    return NULL;
}

static struct option_table options_table(const struct options *options)
{
    return (struct option_table){.specs = options->specs, .spec_count = options->spec_count};
}

static bool takes_next(const struct option_spec *spec)
{
    return spec->argument && *spec->argument != '[';
}

const struct option_spec *options_awaiting(const struct option_table *table, const char *word)
{
    const struct option_spec *spec = NULL;
    if (word[0] != '-' || !word[1])
        return NULL;
    if (word[1] == '-') {
        spec = options_named(table, word + 2, strlen(word + 2));
        return spec && takes_next(spec) ? spec : NULL;
    }
    for (const char *letter = word + 1; *letter; letter++) {
        spec = options_lettered(table, *letter);
        if (!spec || spec->argument)
            return spec && takes_next(spec) && !letter[1] ? spec : NULL;
    }
    return NULL;
}

int options_wrong(const struct options *options, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    CLEANUP(cleanup_free) char *text = memory_print_list(format, arguments);
    va_end(arguments);
    say(options->command, "%s; see '%s --help'", text, options->command);
    return OPTIONS_WRONG;
}

static int options_unknown(const struct options *options, const char *name, size_t length)
{
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)length, name);
    struct closest closest = {.word = word};
    for (size_t i = 0; i < options->spec_count; i++)
        closest_offer(&closest, options->specs[i].name);
    if (closest.best)
        return options_wrong(options, "there is no option --%s, did you mean --%s?", word,
                             closest.best);
    return options_wrong(options, "there is no option --%s", word);
}

/* The value that stands in the next argument. */
static int options_take_value(struct options *options, const struct option_spec *spec)
{
    if (!*options->arguments)
        return options_wrong(options, "--%s needs a value: %s", spec->name, spec->argument);
    options->value = *options->arguments++;
    return spec->id;
}

static int options_next_long(struct options *options, const char *name)
{
    size_t length = strcspn(name, "=");
    const struct option_table table = options_table(options);
    const struct option_spec *spec = options_named(&table, name, length);
    if (!spec)
        return options_unknown(options, name, length);
    bool has_value = name[length] == '=';
    if (takes_next(spec) && !has_value)
        return options_take_value(options, spec);
    if (!spec->argument && has_value)
        return options_wrong(options, "--%s takes no value", spec->name);
    options->value = has_value ? name + length + 1 : NULL;
    return spec->id;
}

static int options_next_letter(struct options *options)
{
    char letter = *options->cluster++;
    const char *rest = options->cluster;
    if (!*rest)
        options->cluster = NULL;
    const struct option_table table = options_table(options);
    const struct option_spec *spec = options_lettered(&table, letter);
    if (!spec)
        return options_wrong(options, "there is no option -%c", letter);
    if (!spec->argument)
        return spec->id;
    options->cluster = NULL;
    if (!*rest)
        return options_take_value(options, spec);
    options->value = rest;
    return spec->id;
}

static int options_next_operand(struct options *options)
{
    if (options->stop_at_operand)
        return OPTIONS_END;
    options->value = *options->arguments++;
    return OPTIONS_OPERAND;
}

int options_next(struct options *options)
{
    options->value = NULL;
    if (options->cluster)
        return options_next_letter(options);
    const char *argument = *options->arguments;
    if (!argument)
        return OPTIONS_END;
    if (options->operands_only || argument[0] != '-' || !argument[1])
        return options_next_operand(options);
    options->arguments++;
    if (argument[1] != '-') {
        options->cluster = argument + 1;
        return options_next_letter(options);
    }
    if (argument[2])
        return options_next_long(options, argument + 2);
    options->operands_only = true;
    return options_next(options);
}

void options_help(FILE *stream, const struct option_spec *specs, size_t spec_count)
{
    fputs("\nOptions:\n", stream);
    for (size_t i = 0; i < spec_count; i++) {
        char spelling[64];
        const struct option_spec *spec = &specs[i];
        snprintf(spelling, sizeof spelling, "%c%c%c --%s%s%s", spec->letter ? '-' : ' ',
                 spec->letter ? spec->letter : ' ', spec->letter ? ',' : ' ', spec->name,
                 spec->argument && *spec->argument != '[' ? " " : "",
                 spec->argument ? spec->argument : "");
        fprintf(stream, "  %-28s", spelling);
        for (const char *line = spec->help; *line;) {
            size_t length = strcspn(line, "\n");
            fprintf(stream, "%*s%.*s\n", line == spec->help ? 1 : 31, "", (int)length, line);
            line += length + (line[length] == '\n');
        }
    }
}

bool options_number(const char *text, int64_t least, int64_t most, int64_t *number)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || *end || text[strspn(text, "0123456789")] || !*text || value < least ||
        value > most)
        return false;
    *number = value;
    return true;
}

int options_choice(const char *const *choices, const char *word)
{
    for (int i = 0; choices[i]; i++)
        if (!strcmp(choices[i], word))
            return i;
    return -1;
}
