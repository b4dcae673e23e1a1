/*
 * The clock is asked at every step, which are thousands at most, so that the line is there in time;
 * it is written four times a second.
 */
#include "viewer/progress.h"

#include <stdio.h>
#include <unistd.h>

#define FIRST_MS    1000
#define INTERVAL_MS 250

static void set_next(struct progress *progress, long milliseconds)
{
    clock_gettime(CLOCK_MONOTONIC, &progress->next);
    progress->next.tv_nsec += milliseconds % 1000 * 1000000;
    progress->next.tv_sec += milliseconds / 1000 + progress->next.tv_nsec / 1000000000;
    progress->next.tv_nsec %= 1000000000;
}

static bool is_due(const struct progress *progress)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec != progress->next.tv_sec ? now.tv_sec > progress->next.tv_sec
                                               : now.tv_nsec >= progress->next.tv_nsec;
}

void progress_init(struct progress *progress, const char *command)
{
    *progress = (struct progress){.command = command, .is_silent = !isatty(STDERR_FILENO)};
    set_next(progress, FIRST_MS);
}

void progress_deinit(struct progress *progress)
{
    if (progress->is_shown)
        fputs("\r\033[K", stderr);
}

static void show(struct progress *progress)
{
    if (progress->is_silent || !is_due(progress))
        return;
    double share = progress->whole ? (double)progress->done / (double)progress->whole : 0;
    fprintf(stderr, "\r%s: %s, %.0f %%\033[K", progress->command, progress->doing,
            100 * (share < 1 ? share : 1));
    fflush(stderr);
    progress->is_shown = true;
    set_next(progress, INTERVAL_MS);
}

void progress_begin(struct progress *progress, const char *doing, uint64_t whole)
{
    progress->doing = doing;
    progress->done = 0;
    progress->whole = whole;
    show(progress);
}

void progress_step(struct progress *progress, uint64_t steps)
{
    progress->done += steps;
    show(progress);
}
