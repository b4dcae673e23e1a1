/*
 * Reading the common arguments.
 */
#include "viewer/cli/arguments.h"

#include "viewer/base/memory.h"
#include "viewer/base/printable.h"

bool form_option_take(struct form *form, int option)
{
    switch (option) {
    case FORM_OPTION_JSON:
        return form->json = true;
    case FORM_OPTION_CSV:
        return form->csv = true;
    case FORM_OPTION_NO_COLOR:
        return form->no_color = true;
    case FORM_OPTION_HELP:
        return form->help = true;
    default:
        return false;
    }
}

bool form_check(const struct form *form, const struct options *options)
{
    if (form->json && form->csv)
        return options_wrong(options, "--json or --csv, not both"), false;
    if (form->csv)
        printable_stdout();
    return true;
}

bool arguments_pid(const struct options *options, int64_t **pids, size_t *count)
{
    int64_t pid;
    if (!options_number(options->value, 1, INT32_MAX, &pid)) {
        options_wrong(options, "--pid needs a number, not '%s'", options->value);
        return false;
    }
    *pids = memory_room(*pids, *count, sizeof **pids);
    (*pids)[(*count)++] = pid;
    return true;
}

bool arguments_limit(const struct options *options, size_t *limit)
{
    int64_t number;
    if (!options_number(options->value, 0, INT32_MAX, &number)) {
        options_wrong(options, "--limit needs a number, not '%s'", options->value);
        return false;
    }
    *limit = (size_t)number;
    return true;
}
