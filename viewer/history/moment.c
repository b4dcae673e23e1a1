/*
 * Reading moments and placing them in a run.
 */
#include "viewer/history/moment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/base/options.h"
#include "viewer/base/size.h"

const char *const moment_names[] = {
    [MOMENT_PEAK] = "peak",
    [MOMENT_END] = "end",
    [MOMENT_EXIT] = "exit",
    [MOMENT_TOUCHED] = "touched-peak",
    [MOMENT_RESIDENT] = "resident-peak",
    [MOMENT_SELECTION] = "selection-peak",
    NULL,
};

/* The length of a run as it is printed may be more than it is, and be given back. */
#define ROUNDED_SHORT 0.001
#define ROUNDED_LONG  0.1

/* A run whose command was its last process ends with it, and that is noticed so much later. */
#define END_NOTICED 0.1

static const struct unit {
    const char *name;
    double seconds;
} units[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"min", 60}, {"h", 3600}};

static bool parse_unit(const char *unit, struct moment *moment)
{
    moment->is_share = strcmp(unit, "%") == 0;
    if (moment->is_share)
        return moment->value <= 100;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(unit, units[i].name) != 0)
            continue;
        moment->value *= units[i].seconds;
        return true;
    }
    return false;
}

bool moment_parse(const char *text, struct moment *moment)
{
    int name = options_choice(moment_names, text);
    *moment = (struct moment){.text = text};
    if (name >= 0) {
        moment->kind = (enum moment_kind)name;
        return true;
    }
    /* strtod() would also read signs, hexadecimal numbers and names of no number. */
    size_t digits = strspn(text, "0123456789.");
    char *rest;
    moment->kind = MOMENT_TIME;
    moment->value = strtod(text, &rest);
    return digits && (size_t)(rest - text) == digits && parse_unit(rest, moment);
}

const char *moment_text(const struct moment *moment)
{
    return moment->text ? moment->text : moment_names[moment->kind];
}

double run_length(const struct recording *recording)
{
    double seconds = recording->run.seconds;
    for (size_t i = 0; isnan(recording->run.seconds) && i < recording->process_count; i++) {
        const struct process *process = &recording->processes[i];
        seconds = fmax(seconds, fmax(process->ended, process->end_time));
    }
    return isnan(seconds) ? 0 : seconds;
}

bool moment_events(const struct moment *moment, const struct process *process, uint64_t *events)
{
    switch (moment->kind) {
    case MOMENT_PEAK:
        *events = process->peak_events;
        return true;
    case MOMENT_END:
        *events = process->end_events;
        return true;
    case MOMENT_EXIT:
        *events = process->events;
        return true;
    case MOMENT_TOUCHED:
        *events = process->touched.events;
        return true;
    case MOMENT_RESIDENT:
    case MOMENT_SELECTION:
    case MOMENT_TIME:
        break;
    }
    return false;
}

bool moment_seconds(const struct moment *moment, struct recording *recording, double *seconds)
{
    double length = run_length(recording);
    *seconds = moment->is_share ? length * moment->value / 100 : moment->value;
    if (*seconds <= length + (length < 10 ? ROUNDED_SHORT : ROUNDED_LONG)) {
        *seconds = fmin(*seconds, length);
        return true;
    }
    return database_refuse(&recording->database, "%s is after the end of the run, which took %s",
                           moment_text(moment), seconds_format(length).text);
}

/* When the last of the processes ended; those of which it is not known do not count. */
static double last_end(const struct recording *recording)
{
    double last = 0;
    for (size_t i = 0; i < recording->process_count; i++)
        last = fmax(last, recording->processes[i].ended);
    return last;
}

bool process_is_gone(const struct recording *recording, size_t process, double seconds)
{
    double ended = recording->processes[process].ended, length = run_length(recording);
    if (isnan(ended) || seconds <= ended)
        return false;
    if (length - ended > END_NOTICED && seconds < length - ROUNDED_SHORT)
        return true;
    return ended < last_end(recording);
}

bool moment_is_after(const struct moment *moment, struct recording *recording, size_t process)
{
    double seconds;
    return moment->kind == MOMENT_TIME && moment_seconds(moment, recording, &seconds) &&
           process_is_gone(recording, process, seconds);
}
