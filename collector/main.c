/*
 * heaplined: reads its options and runs one private session, or the daemon.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "collector/base/log.h"
#include "collector/base/text.h"
#include "collector/daemon/daemon.h"
#include "collector/daemon/runs.h"
#include "collector/session/session.h"
#include "collector/symbols/debug_file.h"
#include "handshake.h"
#include "ring.h"
#include "size.h"

#define PATIENCE_ENVIRONMENT  "HEAPLINE_PATIENCE"
#define PATIENCE_MS_DEFAULT   5000u
#define PATIENCE_MS_DOWNLOADS 300000u
#define PROCESSES_MAX_DEFAULT 1000u
#define TOKEN_BYTES_MIN       8u

static const char usage[] =
    "Usage: heaplined --listen ADDRESS... --output FOLDER [options]\n"
    "       heaplined --private LISTENER CONTROL --output FILE [options] -- COMMAND [ARG...]\n"
    "\n"
    "Collects what traced processes send and writes recordings. The second form is what heapline "
    "run\n"
    "starts.\n"
    "\n"
    "  --listen ADDRESS            unix:PATH or tcp:HOST:PORT; may be given again\n"
    "  --output FOLDER|FILE        where the recordings are put; the recording\n"
    "  --token-file FILE           its first line is the secret that TCP peers must know (or the\n"
    "                              variable HEAPLINE_TOKEN)\n"
    "  --all-users                 root's daemon: processes of a run that other users own, too\n"
    "  --max-processes N           connected at a time (1000)\n"
    "  --max-runs N                that go on at a time (256)\n"
    "  --quota SIZE                what all recordings in FOLDER may take on disk\n"
    "  --session-memory SIZE       address space that a run's collector may have\n"
    "  --private LISTENER CONTROL  descriptors of the listening socket and of the one to heapline "
    "run\n"
    "  --beside LISTENER           with --private: another listening socket, which is a file\n"
    "  --force                     replace FILE when it exists\n"
    "  --overflow block|drop       what a program does that finds no room: wait (default) or drop\n"
    "  --max-frames N              keep the innermost N frames of a stack\n"
    "  --no-history                keep sums, not every event\n"
    "  --no-children               only COMMAND's own process, none that it starts\n"
    "  --resident-ms N             look at all that is resident each N milliseconds\n"
    "  --debuginfod                with native frames: ask the servers in DEBUGINFOD_URLS for "
    "debug\n"
    "                              information that is not here\n"
    "  --help, --version\n"
    "\n"
    "HEAPLINE_PATIENCE: milliseconds that a program waits for a silent collector (5000; with\n"
    "--debuginfod 300000).\n";

enum {
    OPTION_PRIVATE = 256,
    OPTION_BESIDE,
    OPTION_LISTEN,
    OPTION_OUTPUT,
    OPTION_TOKEN_FILE,
    OPTION_ALL_USERS,
    OPTION_MAX_PROCESSES,
    OPTION_MAX_RUNS,
    OPTION_QUOTA,
    OPTION_SESSION_MEMORY,
    OPTION_FORCE,
    OPTION_OVERFLOW,
    OPTION_FRAMES,
    OPTION_NO_HISTORY,
    OPTION_NO_CHILDREN,
    OPTION_DEBUGINFOD,
    OPTION_RESIDENT,
    OPTION_HELP,
    OPTION_VERSION
};

static const struct option long_options[] = {
    {"private", required_argument, NULL, OPTION_PRIVATE},
    {"beside", required_argument, NULL, OPTION_BESIDE},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"output", required_argument, NULL, OPTION_OUTPUT},
    {"token-file", required_argument, NULL, OPTION_TOKEN_FILE},
    {"all-users", no_argument, NULL, OPTION_ALL_USERS},
    {"max-processes", required_argument, NULL, OPTION_MAX_PROCESSES},
    {"max-runs", required_argument, NULL, OPTION_MAX_RUNS},
    {"quota", required_argument, NULL, OPTION_QUOTA},
    {"session-memory", required_argument, NULL, OPTION_SESSION_MEMORY},
    {"force", no_argument, NULL, OPTION_FORCE},
    {"overflow", required_argument, NULL, OPTION_OVERFLOW},
    {"max-frames", required_argument, NULL, OPTION_FRAMES},
    {"no-history", no_argument, NULL, OPTION_NO_HISTORY},
    {"no-children", no_argument, NULL, OPTION_NO_CHILDREN},
    {"debuginfod", no_argument, NULL, OPTION_DEBUGINFOD},
    {"resident-ms", required_argument, NULL, OPTION_RESIDENT},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {0},
};

static int fail_usage(const char *what, const char *value)
{
    log_complain(what, value, " (see heaplined --help)");
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

/* A collector that waits for a server is not silent for want of anything. */
static void read_patience(struct session_options *options)
{
    uint64_t usual = options->downloads ? PATIENCE_MS_DOWNLOADS : PATIENCE_MS_DEFAULT;
    uint64_t milliseconds = usual;
    const char *text = getenv(PATIENCE_ENVIRONMENT);
    if (text && !read_number(text, UINT32_MAX, &milliseconds))
        milliseconds = usual;
    options->patience_ns = milliseconds * 1000000u;
}

/* The first line of the file; null when it is no secret. */
static const char *read_token(const char *path)
{
    static char token[HELLO_TOKEN_MAX + 2];
    FILE *file = fopen(path, "re");
    bool read = file && fgets(token, sizeof token, file);
    if (file)
        fclose(file);
    if (!read)
        return NULL;
    token[strcspn(token, "\r\n")] = 0;
    return token;
}

static int read_listen(struct daemon_options *options)
{
    if (options->listen_count == DAEMON_LISTENERS_MAX)
        return fail_usage("too many addresses to listen at: ", optarg);
    options->listen[options->listen_count++] = optarg;
    return -1;
}

/* Options of the daemon alone. */
static int read_daemon_option(int option, struct daemon_options *options)
{
    uint64_t number;
    switch (option) {
    case OPTION_LISTEN:
        return read_listen(options);
    case OPTION_TOKEN_FILE:
        options->token = read_token(optarg);
        return options->token ? -1 : fail_usage("cannot read a secret from ", optarg);
    case OPTION_ALL_USERS:
        options->all_users = geteuid() == 0;
        return options->all_users ? -1 : fail_usage("--all-users is for root's daemon", "");
    case OPTION_MAX_PROCESSES:
    case OPTION_MAX_RUNS:
        if (!read_number(optarg, option == OPTION_MAX_RUNS ? RUNS_MAX : UINT32_MAX, &number) ||
            number == 0)
            return fail_usage("a limit needs a number from 1 on that is not too large, not ",
                              optarg);
        *(option == OPTION_MAX_RUNS ? &options->runs_max : &options->processes_max) =
            (uint32_t)number;
        return -1;
    case OPTION_QUOTA:
        return size_parse(optarg, &options->quota)
                   ? -1
                   : fail_usage("--quota needs a size, not ", optarg);
    default:
        return size_parse(optarg, &options->session_memory)
                   ? -1
                   : fail_usage("--session-memory needs a size, not ", optarg);
    }
}

/* Options of a session, the daemon's too. */
static int read_session_option(int option, struct session_options *options)
{
    uint64_t number;
    switch (option) {
    case OPTION_OUTPUT:
        options->output = optarg;
        return -1;
    case OPTION_FORCE:
        options->force = true;
        return -1;
    case OPTION_BESIDE:
        if (!read_number(optarg, INT32_MAX, &number))
            return fail_usage("--beside needs a descriptor, not ", optarg);
        options->beside = (int)number;
        return -1;
    case OPTION_OVERFLOW:
        return read_overflow(optarg, &options->overflow)
                   ? -1
                   : fail_usage("--overflow is block or drop, not ", optarg);
    case OPTION_FRAMES:
        if (!read_number(optarg, UINT32_MAX, &number))
            return fail_usage("--max-frames needs a number, not ", optarg);
        options->frames_max = (uint32_t)number;
        return -1;
    case OPTION_RESIDENT:
        if (!read_number(optarg, UINT32_MAX, &number))
            return fail_usage("--resident-ms needs a number, not ", optarg);
        options->resident_every_ns = number * 1000000u;
        return -1;
    case OPTION_NO_HISTORY:
        options->keeps_history = false;
        return -1;
    case OPTION_DEBUGINFOD:
        options->downloads = true;
        return -1;
    default:
        options->no_children = true;
        return -1;
    }
}

/* Fills the options. Returns -1 to go on, else the exit status. */
static int read_options(int count, char **words, struct daemon_options *options)
{
    int status = -1, option;
    opterr = 0; /* getopt would print a word as it is */
    for (const char *word = words[optind];
         status < 0 && (option = getopt_long(count, words, "+", long_options, NULL)) != -1;
         word = words[optind]) {
        switch (option) {
        case OPTION_PRIVATE:
            if (!read_private(count, words, &options->session))
                return fail_usage("--private needs two descriptors", "");
            break;
        case OPTION_BESIDE:
        case OPTION_OUTPUT:
        case OPTION_FORCE:
        case OPTION_OVERFLOW:
        case OPTION_FRAMES:
        case OPTION_NO_HISTORY:
        case OPTION_NO_CHILDREN:
        case OPTION_DEBUGINFOD:
        case OPTION_RESIDENT:
            status = read_session_option(option, &options->session);
            break;
        case OPTION_HELP:
            fputs(usage, stdout);
            return 0;
        case OPTION_VERSION:
            puts("heaplined " HEAPLINE_VERSION);
            return 0;
        case '?':
            return fail_usage("not an option, or not one with its value: ", word);
        default:
            status = read_daemon_option(option, options);
        }
    }
    return status;
}

/* Every process takes a few descriptors, and every library. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The arguments behind the options, which the kernel has put one behind the other. */
static int run_private(struct session_options *options, char **command)
{
    char **last = command, *list, *out;
    size_t bytes = 1;
    for (; *last; last++)
        bytes += strlen(*last) + 1;
    list = out = malloc(bytes);
    for (last = command; list && *last; last++)
        out = stpcpy(out, *last) + 1;
    char *json = list ? text_list_to_json(list, bytes - 1) : NULL;
    char *folder = getcwd(NULL, 0); /* none when it has been removed */
    options->key = getenv(ENVIRONMENT_RUN);
    options->command = json;
    options->directory = folder ? folder : "";
    int status = json ? session_run(options) : fail_usage("no memory", "");
    free(list);
    free(json);
    free(folder);
    return status;
}

static int run_daemon(struct daemon_options *options)
{
    if (!options->token)
        options->token = getenv(ENVIRONMENT_TOKEN);
    if (options->token &&
        (strlen(options->token) < TOKEN_BYTES_MIN || strlen(options->token) > HELLO_TOKEN_MAX))
        return fail_usage("a secret has from 8 to 256 bytes", "");
    const char *trouble = options->session.downloads ? debug_files_download_trouble() : NULL;
    if (trouble)
        return fail_usage(trouble, "");
    char *folder = realpath(options->session.output, NULL);
    if (!folder)
        return fail_usage("no such folder: ", options->session.output);
    options->folder = folder;
    int status = daemon_run(options);
    free(folder);
    return status;
}

int main(int count, char **words)
{
    struct daemon_options options = {
        .processes_max = PROCESSES_MAX_DEFAULT,
        .runs_max = RUNS_MAX,
        .session =
            {.listener = -1, .beside = -1, .control = -1, .handover = -1, .keeps_history = true},
    };
    int status = read_options(count, words, &options);
    if (status >= 0)
        return status;
    read_patience(&options.session);
    raise_descriptor_limit();
    if (options.session.output && options.session.listener >= 0 && !options.listen_count)
        return run_private(&options.session, words + optind);
    if (options.session.output && options.session.listener < 0)
        return run_daemon(&options);
    return fail_usage("--output is needed, with --listen or with --private", "");
}
