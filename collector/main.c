/*
 * heaplined: reads its options and runs one session.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring.h"
#include "session.h"

#define PATIENCE_ENVIRONMENT "HEAPLINE_PATIENCE"
#define PATIENCE_MS_DEFAULT  5000u

static const char usage[] =
    "Usage: heaplined --private LISTENER CONTROL --output FILE [options] -- COMMAND [ARG...]\n"
    "\n"
    "Collects what traced processes send and writes the recording FILE. heapline run starts it.\n"
    "\n"
    "  --private LISTENER CONTROL  descriptors of the listening socket and of the one to heapline "
    "run\n"
    "  --output FILE               the recording\n"
    "  --force                     replace FILE when it exists\n"
    "  --overflow block|drop       what a program does that finds no room: wait (default) or drop\n"
    "  --max-frames N              keep the innermost N frames of a stack\n"
    "  --no-history                keep sums, not every event\n"
    "  --no-children               only COMMAND's own process, none that it starts\n"
    "  --help, --version\n"
    "\n"
    "HEAPLINE_PATIENCE: milliseconds that a program waits for a silent collector (5000).\n";

enum {
    OPTION_PRIVATE = 256,
    OPTION_OUTPUT,
    OPTION_FORCE,
    OPTION_OVERFLOW,
    OPTION_FRAMES,
    OPTION_NO_HISTORY,
    OPTION_NO_CHILDREN,
    OPTION_HELP,
    OPTION_VERSION
};

static const struct option long_options[] = {
    {"private", required_argument, NULL, OPTION_PRIVATE},
    {"output", required_argument, NULL, OPTION_OUTPUT},
    {"force", no_argument, NULL, OPTION_FORCE},
    {"overflow", required_argument, NULL, OPTION_OVERFLOW},
    {"max-frames", required_argument, NULL, OPTION_FRAMES},
    {"no-history", no_argument, NULL, OPTION_NO_HISTORY},
    {"no-children", no_argument, NULL, OPTION_NO_CHILDREN},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {0},
};

static int fail(const char *what, const char *value)
{
    fprintf(stderr, "heaplined: %s%s (see heaplined --help)\n", what, value);
    return 2;
}

/* A whole number of at most `most`; false when `text` is none. */
static bool read_number(const char *text, uint64_t most, uint64_t *number)
{
    char *end;
    *number = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && *number <= most;
}

static bool read_overflow(const char *text, uint32_t *overflow)
{
    *overflow = strcmp(text, "drop") == 0 ? RING_OVERFLOW_DROP : RING_OVERFLOW_BLOCK;
    return *overflow == RING_OVERFLOW_DROP || strcmp(text, "block") == 0;
}

/* The two descriptors of --private: its own value and the word after it. */
static bool read_private(int count, char **words, struct session_options *options)
{
    uint64_t listener, control;
    if (optind >= count || !read_number(optarg, INT32_MAX, &listener) ||
        !read_number(words[optind++], INT32_MAX, &control))
        return false;
    options->listener = (int)listener;
    options->control = (int)control;
    return true;
}

static void read_patience(struct session_options *options)
{
    uint64_t milliseconds = PATIENCE_MS_DEFAULT;
    const char *text = getenv(PATIENCE_ENVIRONMENT);
    if (text && !read_number(text, UINT32_MAX, &milliseconds))
        milliseconds = PATIENCE_MS_DEFAULT;
    options->patience_ns = milliseconds * 1000000u;
}

/* Fills the options. Returns -1 to go on, else the exit status. */
static int read_options(int count, char **words, struct session_options *options)
{
    uint64_t number;
    for (int option; (option = getopt_long(count, words, "+", long_options, NULL)) != -1;) {
        switch (option) {
        case OPTION_PRIVATE:
            if (!read_private(count, words, options))
                return fail("--private needs two descriptors", "");
            break;
        case OPTION_OUTPUT:
            options->output = optarg;
            break;
        case OPTION_FORCE:
            options->force = true;
            break;
        case OPTION_OVERFLOW:
            if (!read_overflow(optarg, &options->overflow))
                return fail("--overflow is block or drop, not ", optarg);
            break;
        case OPTION_FRAMES:
            if (!read_number(optarg, UINT32_MAX, &number))
                return fail("--max-frames needs a number, not ", optarg);
            options->frames_max = (uint32_t)number;
            break;
        case OPTION_NO_HISTORY:
            options->keeps_history = false;
            break;
        case OPTION_NO_CHILDREN:
            options->no_children = true;
            break;
        case OPTION_HELP:
            fputs(usage, stdout);
            return 0;
        case OPTION_VERSION:
            puts("heaplined " HEAPLINE_VERSION);
            return 0;
        default:
            return 2; /* getopt has said what is wrong */
        }
    }
    return -1;
}

int main(int count, char **words)
{
    struct session_options options = {.listener = -1, .control = -1, .keeps_history = true};
    int status = read_options(count, words, &options);
    if (status >= 0)
        return status;
    if (options.listener < 0 || !options.output)
        return fail("--private and --output are needed", "");
    options.command = words + optind;
    read_patience(&options);
    return session_run(&options);
}
