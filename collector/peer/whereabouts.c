/*
 * Commands and folders of arrivals.
 */
#include "collector/peer/whereabouts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/base/text.h"
#include "collector/system/proc.h"

#define COMMAND_BYTES_MAX 65536u

/* The words of a process's command line, of which `words` has COMMAND_BYTES_MAX bytes. A program
 * that gives itself a title writes it over them and clears the rest. */
static size_t read_words(pid_t pid, char *words)
{
    size_t bytes = proc_read(pid, "cmdline", words, COMMAND_BYTES_MAX);
    size_t first = strlen(words) + 1, at = first;
    while (at < bytes && !words[at])
        at++;
    return at >= bytes && bytes > first ? first : bytes;
}

char *whereabouts_read_title(pid_t pid)
{
    char *words = malloc(COMMAND_BYTES_MAX), *title = NULL;
    size_t bytes = words ? read_words(pid, words) : 0;
    if (bytes)
        title = text_list_to_json(words, bytes);
    free(words);
    return title;
}

static void ask_kernel(struct whereabouts *whereabouts, pid_t pid)
{
    char path[64], folder[4096];
    whereabouts->bytes = read_words(pid, whereabouts->words);
    snprintf(path, sizeof path, "/proc/%d/cwd", (int)pid);
    ssize_t length = readlink(path, folder, sizeof folder - 1);
    folder[length > 0 ? length : 0] = 0;
    whereabouts->folder = strdup(length > 0 ? folder : "/");
}

static void believe_hello(struct whereabouts *whereabouts, const struct arrival *arrival)
{
    static const char argument[] = "argument=";
    size_t prefix = sizeof argument - 1;
    const char *folder = arrival_detail(arrival, "folder");
    char *end = whereabouts->words; /* all details together are shorter */
    for (const char *at = NULL;
         (at = hello_next_detail(arrival->details, arrival->hello.details, at));)
        if (strncmp(at, argument, prefix) == 0)
            end = stpcpy(end, at + prefix) + 1;
    whereabouts->bytes = (size_t)(end - whereabouts->words);
    whereabouts->folder = strdup(folder && *folder ? folder : "/");
}

bool whereabouts_init(struct whereabouts *whereabouts, const struct arrival *arrival)
{
    *whereabouts = (struct whereabouts){.words = malloc(COMMAND_BYTES_MAX)};
    _Static_assert(HELLO_DETAILS_MAX < COMMAND_BYTES_MAX, "details fit");
    if (!whereabouts->words)
        return false;
    whereabouts->words[0] = 0; /* there may be none */
    if (arrival->peer.pid && arrival->hello.carrier != HELLO_RUN)
        ask_kernel(whereabouts, arrival->peer.pid);
    else
        believe_hello(whereabouts, arrival);
    whereabouts->command = text_list_to_json(whereabouts->words, whereabouts->bytes);
    return whereabouts->command && whereabouts->folder;
}

void whereabouts_deinit(struct whereabouts *whereabouts)
{
    free(whereabouts->words);
    free(whereabouts->command);
    free(whereabouts->folder);
}
