/*
 * The clock is asked at every step, which are thousands at most, so that the line is there in time;
 * it is written four times a second.
 */
#include "viewer/base/progress.h"

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

/* How much of the outermost part is done, 0 to 1: each part is one step of the one around it. */
static double share_done(const struct progress *progress)
{
    double share = 0;
    unsigned level = progress->depth < PROGRESS_LEVELS ? progress->depth : PROGRESS_LEVELS;
    while (level--) {
        const struct progress_part *part = &progress->parts[level];
        share = part->whole ? ((double)part->done + share) / (double)part->whole : 0;
        share = share < 1 ? share : 1;
    }
    return share;
}

static void progress_show(struct progress *progress)
{
    char percent[16] = "";
    if (progress->is_silent || !progress->depth || !is_due(progress))
        return;
    if (progress->parts[0].whole)
        snprintf(percent, sizeof percent, ", %.0f %%", 100 * share_done(progress));
    fprintf(stderr, "\r%s: %s%s\033[K", progress->command, progress->doing, percent);
    progress->is_shown = true;
    set_next(progress, INTERVAL_MS);
}

/* What comes next may be shown at once in its place. */
static void progress_hide(struct progress *progress)
{
    if (!progress->is_shown)
        return;
    fputs("\r\033[K", stderr);
    progress->is_shown = false;
    set_next(progress, 0);
}

void progress_begin(struct progress *progress, const char *doing, uint64_t whole)
{
    if (!progress)
        return;
    if (!progress->depth)
        progress->doing = doing;
    if (progress->depth < PROGRESS_LEVELS)
        progress->parts[progress->depth] = (struct progress_part){0, whole};
    progress->depth++;
    progress_show(progress);
}

void progress_step(struct progress *progress, uint64_t steps)
{
    if (!progress)
        return;
    if (progress->depth && progress->depth <= PROGRESS_LEVELS)
        progress->parts[progress->depth - 1].done += steps;
    progress_show(progress);
}

void progress_end(struct progress *progress)
{
    if (!progress)
        return;
    progress->depth--;
    if (progress->depth)
        progress_step(progress, 1);
    else
        progress_hide(progress);
}

void progress_silence(struct progress *progress)
{
    if (!progress)
        return;
    progress_hide(progress);
    progress->is_silent = true;
}
