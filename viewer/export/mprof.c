/*
 * The text that memory_profiler's mprof writes and `mprof plot` reads: a line with the command,
 * then resident memory in MiB and the time as Unix seconds; of processes beside the first with
 * their number.
 */
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/export/export.h"
#include "viewer/recording/command_line.h"
#include "viewer/recording/samples.h"

#define MEBIBYTE (1024.0 * 1024.0)

static bool write_process(FILE *stream, struct recording *recording, size_t process)
{
    CLEANUP(samples_deinit) struct samples samples;
    if (!samples_init(&samples, recording, process))
        return false;
    for (size_t i = 0; i < samples.count; i++) {
        const struct sample *sample = &samples.list[i];
        if (sample->resident < 0)
            continue;
        if (process)
            fprintf(stream, "CHLD %zu ", process - 1);
        else
            fputs("MEM ", stream);
        fprintf(stream, "%.6f %.4f\n", (double)sample->resident / MEBIBYTE,
                recording->run.started + sample->time);
    }
    return true;
}

bool export_mprof(FILE *stream, struct recording *recording, const struct query *query)
{
    CLEANUP(cleanup_free) char *command = name_of_command(recording->run.command);
    fprintf(stream, "CMDLINE %s\n", command);
    for (size_t i = 0; i < recording->process_count; i++)
        if (query_wants_process(query, &recording->processes[i]) &&
            !write_process(stream, recording, i))
            return false;
    return true;
}
