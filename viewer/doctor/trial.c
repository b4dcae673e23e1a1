/*
 * The proof: `heapline run` records a program that does nothing, and the recording is looked at.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/size.h"
#include "viewer/doctor/child.h"
#include "viewer/doctor/doctor.h"
#include "viewer/recording/loading.h"

#define TRIAL_SUBJECT "trial"

/* What heapline said, without the line's end: the first line, which names the reason. */
static int first_line(const char *text)
{
    return (int)strcspn(text, "\n");
}

static void examine_process(struct findings *findings, const struct recording *recording)
{
    const struct process *process = &recording->processes[0];
    uint64_t lost = recording_lost_events(recording);
    if (!process->python_stacks)
        findings_add(findings, FINDING_PROBLEM, TRIAL_SUBJECT,
                     "use CPython 3.8 to 3.15 with the GIL",
                     "recorded, but the stacks of Python %s cannot be read",
                     process->python ? process->python : "?");
    else if (!process->sums.allocations || lost || recording->run.trouble)
        findings_add(findings, FINDING_PROBLEM, TRIAL_SUBJECT, NULL,
                     "not everything was recorded: %s",
                     recording->run.trouble ? recording->run.trouble : "events were lost");
    else
        findings_add(findings, FINDING_OK, TRIAL_SUBJECT, NULL,
                     "recorded Python %s: %s allocations, peak %s",
                     process->python ? process->python : "?",
                     count_format(process->sums.allocations).text,
                     size_format(process->sums.peak_bytes).text);
}

static void examine_recording(struct findings *findings, const char *file)
{
    CLEANUP(recording_deinit) struct recording recording;
    if (!recording_init(&recording, file, NULL))
        findings_add(findings, FINDING_PROBLEM, TRIAL_SUBJECT, NULL, "%s",
                     recording_problem(&recording));
    else if (!recording.process_count)
        findings_add(findings, FINDING_PROBLEM, TRIAL_SUBJECT,
                     "see what is said of Python above; a wrapper may clear LD_PRELOAD: name the "
                     "Python itself",
                     "Python ran, but was not recorded");
    else
        examine_process(findings, &recording);
}

/* Does it, in a folder that is there already. */
static void try_in(struct findings *findings, char *const *command, const char *file)
{
    const char *const before[] = {"/proc/self/exe", "run", "-q", "-o", file, "--", NULL};
    CLEANUP(cleanup_free) char **words = child_words(before, command, "pass");
    struct child_end end;
    if (!child_run(&end, words, true, findings->progress, "recording a program"))
        findings_add(findings, FINDING_PROBLEM, TRIAL_SUBJECT, NULL, "cannot run heapline: %s",
                     strerror(errno));
    else if (WIFSIGNALED(end.status))
        findings_add(findings, FINDING_PROBLEM, TRIAL_SUBJECT,
                     "where a seccomp filter is in force, allow what is refused above",
                     "killed: %s", strsignal(WTERMSIG(end.status)));
    else if (end.status)
        findings_add(findings, FINDING_PROBLEM, TRIAL_SUBJECT, NULL, "ended with status %d: %.*s",
                     WEXITSTATUS(end.status), first_line(end.output), end.output);
    else
        examine_recording(findings, file);
}

void doctor_try(struct findings *findings, char *const *command)
{
    const char *parent = getenv("TMPDIR");
    CLEANUP(cleanup_free)
    char *folder = memory_print("%s/heapline-doctor-XXXXXX", parent && *parent ? parent : "/tmp");
    if (!mkdtemp(folder)) {
        findings_add(findings, FINDING_PROBLEM, TRIAL_SUBJECT,
                     "set TMPDIR to a folder that can be used", "cannot make the folder %s: %s",
                     folder, strerror(errno));
        return;
    }
    CLEANUP(cleanup_free) char *file = memory_print("%s/trial.heapline", folder);
    try_in(findings, command, file);
    unlink(file);
    rmdir(folder);
}
