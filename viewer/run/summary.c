/*
 * Reads the new recording and says what most people want to know first.
 */
#include "viewer/run/summary.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/size.h"
#include "viewer/base/terminal.h"
#include "viewer/base/utf8.h"
#include "viewer/format/ending_text.h"
#include "viewer/format/names.h"
#include "viewer/format/resident_text.h"
#include "viewer/question/answer.h"
#include "viewer/recording/command_line.h"
#include "viewer/recording/loading.h"
#include "viewer/recording/source.h"
#include "viewer/run/message.h"

/* What "heapline: " and the words around a name take of a line. */
#define PREFIX_COLUMNS 12u
#define TOP_COLUMNS    46u
/* So many processes that did not end as usual are named. */
#define ENDINGS_MAX 3u

/* Much of what was asked for was never touched. */
static void print_parted(struct recording *recording, const struct answer *answer)
{
    const struct totals *totals = &answer->totals;
    char when[64] = "";
    if (!isnan(totals->touched_time))
        snprintf(when, sizeof when, " after %s", seconds_format(totals->touched_time).text);
    run_say("peak %s of memory that was touched%s; %s were asked for",
            size_format(totals->touched_bytes).text, when,
            size_format(totals->sums.peak_bytes).text);
    if (!totals->largest_location)
        return;
    const struct frame *frame = &recording->symbols.frames[totals->largest_location];
    CLEANUP(cleanup_free)
    char *place = name_of_frame(recording, frame, GROUP_BY_LINE, TOP_COLUMNS);
    run_say("  a block of %s had %s that nobody touched", place,
            size_format(totals->largest_untouched).text);
}

static void print_sizes(struct recording *recording, const struct answer *answer)
{
    const struct sums *sums = &answer->totals.sums;
    char when[64] = "", whose[64] = "";
    if (!isnan(answer->totals.peak_time))
        snprintf(when, sizeof when, " after %s", seconds_format(answer->totals.peak_time).text);
    uint64_t end = sums->end_bytes;
    if (answer->process_count > 1) {
        end = answer->totals.run_end.bytes;
        snprintf(whose, sizeof whose, " in all (%zu processes%s)", answer->process_count,
                 answer->peak.is_known ? "" : ", each one's own peak");
    }
    if (totals_part(&answer->totals)) {
        print_parted(recording, answer);
        run_say("held at end %s, leaked %s%s", size_format(end).text,
                size_format(sums->leaked_bytes).text, whose);
        return;
    }
    run_say("peak %s%s, held at end %s, leaked %s%s", size_format(sums->peak_bytes).text, when,
            size_format(end).text, size_format(sums->leaked_bytes).text, whose);
}

static void print_top_line(struct recording *recording, const struct answer *answer)
{
    if (!answer->row_count || !answer->rows[0].bytes)
        return;
    size_t width = terminal_columns(STDERR_FILENO);
    const struct row *row = &answer->rows[0];
    const struct frame *frame = grouping_frame(&answer->grouping, row->key);
    CLEANUP(cleanup_free)
    char *place = name_of_frame(recording, frame, GROUP_BY_LINE,
                                width > 2 * TOP_COLUMNS ? width - TOP_COLUMNS : TOP_COLUMNS);
    run_say("top line at the peak: %s, %s (%s)", place, size_format(row->bytes).text,
            share_format(row->bytes, answer->view.bytes).text);
    if (!frame->file)
        return;
    CLEANUP(sources_deinit) struct sources sources;
    sources_init(&sources, recording);
    CLEANUP(cleanup_free) char *line = sources_line(&sources, frame->file_id, frame->line);
    if (!line || !*line)
        return;
    CLEANUP(cleanup_free) char *escaped = utf8_escape(line);
    CLEANUP(cleanup_free) char *cut = utf8_cut_end(escaped, width - PREFIX_COLUMNS);
    run_say("  %s", cut);
}

static void print_ending(const struct recording *recording, const struct process *process,
                         const char *note)
{
    run_say("%s", note);
    CLEANUP(cleanup_free) char *command = ending_command(recording, process);
    if (command)
        run_say("  what that was: %s", command);
}

static void print_endings(const struct recording *recording)
{
    size_t count = 0;
    for (size_t i = 0; i < recording->process_count; i++) {
        const struct process *process = &recording->processes[i];
        CLEANUP(cleanup_free) char *note = ending_note(recording, process, "process");
        if (note && count++ < ENDINGS_MAX)
            print_ending(recording, process, note);
    }
    if (count > ENDINGS_MAX)
        run_say("%zu more processes did not end with status 0; heapline processes shows all",
                count - ENDINGS_MAX);
}

static void print_losses(const struct recording *recording, const char *trouble)
{
    uint64_t lost = recording_lost_events(recording);
    if (lost && !*trouble)
        run_say("%s events were lost; sizes and counts are not exact", count_format(lost).text);
    else if (recording->run.trouble && !*trouble)
        run_say("not everything was recorded: %s", recording->run.trouble);
    for (size_t i = 0; i < recording->process_count; i++)
        if (!recording->processes[i].python_stacks) {
            run_say("the Python stacks of process %s cannot be read: what it allocated is counted "
                    "without a place",
                    count_format((uint64_t)recording->processes[i].pid).text);
            return;
        }
}

/* Where something is known to be missing, that is why, and the guesses would mislead. */
static void print_nothing(const struct recording *recording, const char *trouble)
{
    if (*trouble) {
        run_say("nothing was recorded"); /* that has been said */
        return;
    }
    if (recording->run.trouble) {
        run_say("nothing was recorded: %s", recording->run.trouble);
        return;
    }
    run_say("nothing was recorded: no Python process took part. Likely reasons: the command runs "
            "no Python, or a program is");
    run_say("statically linked or setuid, or starts Python with a cleared environment (without "
            "LD_PRELOAD)");
}

static void print_resident(struct recording *recording, const char *name)
{
    CLEANUP(cleanup_free) char *text = resident_summary(recording);
    if (text)
        run_say("%s: heapline resident %s", text, name);
}

static void print_recording(const char *file, const char *trouble)
{
    CLEANUP(recording_deinit) struct recording recording;
    if (!recording_init(&recording, file, NULL)) {
        run_say("%s", recording_problem(&recording));
        return;
    }
    struct query query;
    query_init(&query);
    query.limit = 1;
    CLEANUP(answer_deinit) struct answer answer;
    if (!answer_init(&answer, &recording, &query)) {
        run_say("%s", recording_problem(&recording));
        return;
    }
    if (!recording.process_count) {
        print_nothing(&recording, trouble);
        return;
    }
    print_sizes(&recording, &answer);
    CLEANUP(cleanup_free) char *name = name_of_word(file);
    print_top_line(&recording, &answer);
    print_resident(&recording, name);
    print_endings(&recording);
    print_losses(&recording, trouble);
    run_say("recorded in %s; next: heapline report %s", name, name);
}

void summary_print(const char *file, const char *trouble)
{
    pid_t child = fork();
    if (child == 0) {
        print_recording(file, trouble);
        _exit(0);
    }
    if (child > 0)
        waitpid(child, NULL, 0);
}
