/*
 * The report for people: what ran, how much it held and when, what has to be known about the
 * recording, and a table of rows with the source line below each place.
 *
 * No line is wider than the output. Sentences are wrapped, places are shortened in the middle,
 * source lines and commands cut at the end, and very deep stacks lose the middle of their frames.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/utf8.h"
#include "viewer/format/ending_text.h"
#include "viewer/format/missing_names.h"
#include "viewer/format/names.h"
#include "viewer/format/report.h"
#include "viewer/format/table.h"
#include "viewer/question/key_name.h"
#include "viewer/recording/command_line.h"
#include "viewer/recording/endings.h"
#include "viewer/recording/source.h"

/* Of a deeper stack the outer and the inner half of so many frames are shown. */
#define STACK_FRAMES_MAX 40u
/* Frees of unknown blocks are normal (a few at start and shutdown) up to a part of all frees. */
#define UNMATCHED_NORMAL  1000u
#define UNMATCHED_DIVISOR 20u
/* So many processes are named that have something to be said of. */
#define PROCESSES_MAX 5u
/* So many libraries whose names are missing. */
#define LIBRARIES_MAX 3u

/* The layout of the figures above the table. */
#define FIGURE_NAME    "12"
#define FIGURE_SIZE    "9"
#define FIGURE_COLUMNS (2u + 12u + 9u)

struct page {
    FILE *stream;
    size_t width;
    struct colours colours;
    struct recording *recording;
    const struct answer *answer;
    struct sources sources;
    struct table table;
};

/* --- what ran --- */

static void page_sentence(const struct page *page, const char *colour, size_t indent,
                          const char *format, ...) __attribute__((format(printf, 4, 5)));

static void page_sentence(const struct page *page, const char *colour, size_t indent,
                          const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    CLEANUP(cleanup_free) char *text = memory_print_list(format, arguments);
    va_end(arguments);
    fputs(colour, page->stream);
    print_wrapped(page->stream, page->width, indent, text);
    fputs(*colour ? page->colours.plain : "", page->stream);
}

static void page_print_process(const struct page *page, const struct process *process)
{
    CLEANUP(cleanup_free) char *ending = ending_text(page->recording, process);
    CLEANUP(cleanup_free) char *python = process->python ? utf8_escape(process->python) : NULL;
    const char *name = python ? "Python " : "no Python seen";
    if (isnan(process->ended))
        page_sentence(page, "", 0, "%s%s, process %" PRId64 ", %s", name, python ? python : "",
                      process->pid, ending);
    else
        page_sentence(page, "", 0, "%s%s, process %" PRId64 ", %s after %s", name,
                      python ? python : "", process->pid, ending,
                      seconds_format(process->ended).text);
}

static void page_print_run(const struct page *page)
{
    const struct answer *answer = page->answer;
    CLEANUP(cleanup_free) char *command = name_of_command(page->recording->run.command);
    fputs(page->colours.strong, page->stream);
    print_cut(page->stream, page->width, command);
    fputs(page->colours.plain, page->stream);
    if (answer->process_count == 1)
        page_print_process(page, &page->recording->processes[answer->processes[0]]);
    else if (answer->process_count)
        page_sentence(page, "", 0,
                      answer->peak.is_known ? "%zu processes, added up"
                                            : "%zu processes; each one's own peak, added up: that "
                                              "of the sum is not known",
                      answer->process_count);
}

/* "peak        12.3 MiB in 45 blocks, after 0.9 s" */
static void page_print_figure(const struct page *page, const char *name, uint64_t bytes,
                              const char *rest)
{
    fprintf(page->stream, "  %-" FIGURE_NAME "s%s%" FIGURE_SIZE "s%s", name, page->colours.number,
            size_format(bytes).text, page->colours.plain);
    print_cut(page->stream, page->width - FIGURE_COLUMNS, rest);
}

static void page_print_held(const struct page *page, const char *name, uint64_t bytes,
                            uint64_t blocks, const char *when)
{
    char rest[128];
    snprintf(rest, sizeof rest, " in %" PRIu64 " blocks%s", blocks, when);
    page_print_figure(page, name, bytes, rest);
}

/* Of several processes: what was held together, and what each held when it ended itself. */
static void page_print_run_end(const struct page *page)
{
    const struct totals *totals = &page->answer->totals;
    char who[96];
    snprintf(who, sizeof who, ", of %zu process%s, when the run ended", totals->run_end.processes,
             totals->run_end.processes == 1 ? "" : "es");
    page_print_held(page, "held at end", totals->run_end.bytes, totals->run_end.blocks, who);
    page_print_held(page, "at own ends", totals->sums.end_bytes, totals->sums.end_blocks,
                    ", each process's own, added up");
}

/* Where much of what was asked for was never touched, memory comes first. */
static void page_print_touched(const struct page *page)
{
    const struct totals *totals = &page->answer->totals;
    char when[64] = "", rest[192], error[64] = "";
    if (!isnan(totals->touched_time))
        snprintf(when, sizeof when, ", after %s", seconds_format(totals->touched_time).text);
    if (totals->touched_error > totals->touched_bytes / 100)
        snprintf(error, sizeof error, ", or up to %s more",
                 size_format(totals->touched_error).text);
    snprintf(rest, sizeof rest, " touched in %" PRIu64 " blocks%s%s", totals->touched_blocks, when,
             error);
    page_print_figure(page, "peak", totals->touched_bytes, rest);
}

static void page_print_figures(const struct page *page)
{
    const struct totals *totals = &page->answer->totals;
    const struct sums *sums = &totals->sums;
    bool is_one = page->answer->process_count == 1;
    char when[64] = "", counts[128];
    if (!isnan(totals->peak_time))
        snprintf(when, sizeof when, ", after %s", seconds_format(totals->peak_time).text);
    snprintf(counts, sizeof counts, " in %" PRIu64 " allocations, %" PRIu64 " freed",
             sums->allocations, totals->frees);
    if (totals_part(totals))
        page_print_touched(page);
    page_print_held(page, totals_part(totals) ? "asked for" : "peak", sums->peak_bytes,
                    sums->peak_blocks, when);
    if (is_one)
        page_print_held(page, "held at end", sums->end_bytes, sums->end_blocks, "");
    else
        page_print_run_end(page);
    page_print_held(page, "leaked", sums->leaked_bytes, sums->leaked_blocks,
                    is_one ? "" : ", each process's own, added up");
    page_print_figure(page, "allocated", sums->allocated_bytes, counts);
}

/* --- what has to be known --- */

/* A sentence about each process of which something is so, as far as they can all be read. */
struct process_note {
    bool (*is_so)(const struct process *process);
    const char *of_one, *of_more; /* behind its number, or theirs */
};

static bool stacks_are_unreadable(const struct process *process)
{
    return !process->python_stacks;
}

static bool end_is_unseen(const struct process *process)
{
    return !process->end_seen;
}

static void page_note_processes(const struct page *page, const struct process_note *note)
{
    const struct answer *answer = page->answer;
    size_t count = 0;
    for (size_t i = 0; i < answer->process_count; i++) {
        const struct process *process = &page->recording->processes[answer->processes[i]];
        if (note->is_so(process) && count++ < PROCESSES_MAX)
            page_sentence(page, page->colours.warning, 2, "! Process %" PRId64 "%s", process->pid,
                          note->of_one);
    }
    if (count > PROCESSES_MAX)
        page_sentence(page, page->colours.warning, 2, "! … and %zu more process%s%s",
                      count - PROCESSES_MAX, count - PROCESSES_MAX == 1 ? "" : "es", note->of_more);
}

static void page_note_what_is_missing(const struct page *page)
{
    static const struct process_note unreadable = {
        stacks_are_unreadable,
        ": its Python stacks cannot be read, what it allocated is counted without a place.",
        ": likewise.",
    };
    static const struct process_note unfinished = {
        end_is_unseen,
        " never reached the end of its program: 'end' is its last moment.",
        " never did.",
    };
    const struct query *query = &page->answer->query;
    page_note_processes(page, &unreadable);
    if (query->at.kind == MOMENT_END && !query->between)
        page_note_processes(page, &unfinished);
}

/* What each process held at an end of its own makes no moment of them all. */
static void page_note_own_ends(const struct page *page)
{
    const struct query *query = &page->answer->query;
    bool is_end = query->at.kind == MOMENT_END || query->at.kind == MOMENT_EXIT;
    if (is_end && !query->between && !query->temporary && page->answer->process_count > 1)
        page_sentence(page, "", 2,
                      "What each process held at its own %s is added up: it was not all there at "
                      "one time.",
                      query->at.kind == MOMENT_END ? "end" : "exit");
}

static bool ended_as_usual(const struct page *page, const struct process *process)
{
    if (process->ending.refused)
        return false;
    /* Of a single process the heading says it. */
    return page->answer->process_count == 1 ? process->ending.kind != ENDING_KILLED
                                            : !ending_is_remarkable(process);
}

static void page_note_ending(const struct page *page, const struct process *process)
{
    CLEANUP(cleanup_free) char *note = ending_note(page->recording, process, "Process");
    CLEANUP(cleanup_free) char *command = ending_command(page->recording, process);
    if (command && page->answer->query.at.kind != MOMENT_EXIT)
        page_sentence(page, page->colours.warning, 2, "! %s. What that was: %s", note, command);
    else
        page_sentence(page, page->colours.warning, 2, "! %s.", note);
}

static void page_note_endings(const struct page *page)
{
    const struct answer *answer = page->answer;
    size_t count = 0;
    for (size_t i = 0; i < answer->process_count; i++) {
        const struct process *process = &page->recording->processes[answer->processes[i]];
        if (!ended_as_usual(page, process) && count++ < PROCESSES_MAX)
            page_note_ending(page, process);
    }
    if (count > PROCESSES_MAX)
        page_sentence(
            page, page->colours.warning, 2,
            "! %zu more processes did not end with status 0; heapline processes shows all.",
            count - PROCESSES_MAX);
}

/* No history was kept. */
static void page_note_slices(const struct page *page)
{
    const struct answer *answer = page->answer;
    if (answer->process_count > 1)
        page_sentence(page, "", 2,
                      "Recorded with --no-history: of each process as of its last slice of time "
                      "before that%s.",
                      answer->query.between ? ", and net" : "");
    else if (answer->query.between)
        page_sentence(
            page, "", 2,
            "Recorded with --no-history: from the slice of time that ended after %s to the "
            "one after %s, and net: what a line freed and allocated again is not seen.",
            seconds_format(answer->from_time).text, seconds_format(answer->time).text);
    else
        page_sentence(page, "", 2,
                      "Recorded with --no-history: as of the slice of time that ended after %s.",
                      seconds_format(answer->time).text);
}

static void page_note_missing_names(const struct page *page)
{
    const struct module *modules[LIBRARIES_MAX];
    size_t count = missing_names(page->answer, modules, LIBRARIES_MAX);
    for (size_t i = 0; i < count && i < LIBRARIES_MAX; i++) {
        CLEANUP(cleanup_free) char *name = name_of_module(&page->recording->symbols, modules[i]);
        CLEANUP(cleanup_free) char *note = utf8_escape(modules[i]->note);
        page_sentence(page, "", 2, "Names are missing for %s: %s.", name, note);
    }
    if (count > LIBRARIES_MAX)
        page_sentence(page, "", 2, "Names are missing for %zu more libraries; --json has all.",
                      count - LIBRARIES_MAX);
}

/* A part's own peak is at another time than that of all. */
static void page_note_selection(const struct page *page)
{
    const struct query *query = &page->answer->query;
    bool is_of_peak = query->at.kind == MOMENT_PEAK || query->at.kind == MOMENT_TOUCHED;
    if (is_of_peak && !query->between && !query->temporary && query_selects_blocks(query))
        page_sentence(
            page, "", 2,
            "The moment is that at which most was held in all; --at selection-peak is when "
            "most was held of what is selected.");
}

static void page_print_notes(const struct page *page)
{
    const struct run *run = &page->recording->run;
    const struct totals *totals = &page->answer->totals;
    const char *colour = page->colours.warning;
    uint64_t lost = recording_lost_events(page->recording);
    if (isnan(run->seconds))
        page_sentence(page, colour, 2,
                      "! Still being recorded or cut short: this is what was "
                      "known when it was last written.");
    if (lost)
        page_sentence(page, colour, 2,
                      "! %" PRIu64 " events were lost: sizes and counts are not exact.", lost);
    if (run->trouble && (!lost || json_object_size(run->absences))) {
        CLEANUP(cleanup_free) char *trouble = utf8_escape(run->trouble);
        page_sentence(page, colour, 2, "! Not everything was recorded: %s", trouble);
    } else if (!run->complete && !lost && !isnan(run->seconds)) {
        page_sentence(page, colour, 2, "! Not everything was recorded.");
    }
    if (page->answer->by_slices)
        page_note_slices(page);
    page_note_own_ends(page);
    page_note_what_is_missing(page);
    page_note_endings(page);
    if (totals->unmatched_frees > UNMATCHED_NORMAL + totals->frees / UNMATCHED_DIVISOR)
        page_sentence(page, colour, 2,
                      "! %" PRIu64 " frees were of blocks from before the recording began.",
                      totals->unmatched_frees);
    page_note_missing_names(page);
    page_note_selection(page);
}

/* --- rows --- */

static struct table_cells row_cells(const struct page *page, const struct row *row)
{
    enum sort sort = page->answer->query.sort;
    if (page->answer->query.between)
        return (struct table_cells){{size_format_change(row->freed_bytes, row->bytes),
                                     size_format(row->bytes), count_format(row->blocks),
                                     size_format(row->freed_bytes),
                                     count_format(row->freed_blocks)}};
    struct table_cells cells = {{size_format(row->bytes), count_format(row->blocks),
                                 share_format(row->bytes, page->answer->view.bytes)}};
    if (sort == SORT_ALLOCATED || sort == SORT_ALLOCATIONS) {
        struct table_cells more = {{size_format(row->allocated_bytes),
                                    count_format(row->allocations), cells.cells[0], cells.cells[1],
                                    cells.cells[2]}};
        return more;
    }
    return cells;
}

static void fit_rows(struct page *page)
{
    for (size_t i = 0; i < page->answer->row_count; i++) {
        struct table_cells cells = row_cells(page, &page->answer->rows[i]);
        table_fit(&page->table, &cells);
    }
    struct table_cells cells = row_cells(page, &page->answer->view);
    table_fit(&page->table, &cells);
    table_arrange(&page->table);
}

static void page_set_up_table(struct page *page)
{
    enum sort sort = page->answer->query.sort;
    struct table *table = &page->table;
    *table = (struct table){.stream = page->stream, .width = page->width, .colours = page->colours};
    if (page->answer->query.between) {
        static const struct table_column columns[] = {
            {"net", false, 0},   {"kept", false, 0},  {"blocks", true, 0},
            {"freed", false, 0}, {"blocks", true, 0},
        };
        memcpy(table->columns, columns, sizeof columns);
        table->column_count = sizeof columns / sizeof *columns;
        fit_rows(page);
        return;
    }
    if (sort == SORT_ALLOCATED || sort == SORT_ALLOCATIONS) {
        table->columns[table->column_count++] = (struct table_column){.title = "allocated"};
        table->columns[table->column_count++] = (struct table_column){.title = "times"};
        table->columns[table->column_count] = (struct table_column){.dispensable = true};
    }
    table->columns[table->column_count++].title = "size";
    table->columns[table->column_count++] = (struct table_column){"blocks", true, 0};
    table->columns[table->column_count++] = (struct table_column){"share", true, 0};
    fit_rows(page);
}

static void page_print_source(struct page *page, const struct frame *frame)
{
    if (!frame->file)
        return;
    CLEANUP(cleanup_free) char *line = sources_line(&page->sources, frame->file_id, frame->line);
    if (!line || !*line)
        return;
    CLEANUP(cleanup_free) char *escaped = utf8_escape(line);
    CLEANUP(cleanup_free) char *indented = memory_print("  %s", escaped);
    table_print_more(&page->table, page->colours.faint, indented);
}

static const struct frame *page_frame(const struct page *page, uint32_t node)
{
    return &page->recording->symbols.frames[page->recording->stacks.location[node]];
}

/* Prints the frames of one stack, outermost first, the numbers beside the first one. */
static void page_print_stack(struct page *page, const struct row *row)
{
    const struct stacks *stacks = &page->recording->stacks;
    struct table_cells cells = row_cells(page, row);
    size_t depth = stacks_depth(stacks, row->key);
    size_t hidden = depth > STACK_FRAMES_MAX ? depth - STACK_FRAMES_MAX : 0;
    CLEANUP(cleanup_free) uint32_t *nodes = memory_new(depth + 1, sizeof *nodes);
    uint32_t node = row->key;
    for (size_t i = depth; i-- > 0; node = stacks->parent[node])
        nodes[i] = node;
    for (size_t i = 0; i < depth || i == 0; i++) {
        CLEANUP(cleanup_free)
        char *name = name_of_frame(page->recording, page_frame(page, nodes[i]), GROUP_BY_LINE,
                                   page->table.text_width);
        if (i == 0)
            table_print_row(&page->table, &cells, name);
        else
            table_print_more(&page->table, "", name);
        if (hidden && i + 1 == STACK_FRAMES_MAX / 2) {
            CLEANUP(cleanup_free) char *gap = memory_print("… %zu more frames", hidden);
            table_print_more(&page->table, page->colours.faint, gap);
            i += hidden;
        }
    }
    page_print_source(page, page_frame(page, row->key));
}

static void page_print_row(struct page *page, const struct row *row)
{
    const struct grouping *grouping = &page->answer->grouping;
    if (grouping->by == GROUP_BY_STACK) {
        page_print_stack(page, row);
        return;
    }
    struct table_cells cells = row_cells(page, row);
    bool is_place = group_by_is_place(grouping->by);
    const struct frame *frame = is_place ? grouping_frame(grouping, row->key) : NULL;
    CLEANUP(cleanup_free)
    char *name = is_place
                     ? name_of_frame(page->recording, frame, grouping->by, page->table.text_width)
                     : name_of_key(grouping, row->key);
    table_print_row(&page->table, &cells, name);
    if (grouping->by == GROUP_BY_LINE)
        page_print_source(page, frame);
}

static void page_print_rest(const struct page *page)
{
    const struct answer *answer = page->answer;
    if (answer->rows_omitted && answer->query.cumulative)
        page_sentence(page, "", 2, "… %zu more rows (-n 0 shows all)", answer->rows_omitted);
    else if (answer->rows_omitted && answer->query.between)
        page_sentence(page, "", 2, "… %zu more rows: %s (-n 0 shows all)", answer->rows_omitted,
                      size_format_change(answer->omitted.freed_bytes, answer->omitted.bytes).text);
    else if (answer->rows_omitted)
        page_sentence(page, "", 2, "… %zu more rows: %s in %" PRIu64 " blocks (-n 0 shows all)",
                      answer->rows_omitted, size_format(answer->omitted.bytes).text,
                      answer->omitted.blocks);
    struct table_cells cells = row_cells(page, &answer->view);
    table_print_row(&page->table, &cells,
                    answer->query.cumulative ? "total (rows overlap)" : "total");
}

static void page_print_heading(const struct page *page)
{
    const struct query *query = &page->answer->query;
    CLEANUP(cleanup_free) char *when = name_of_view(page->recording, query);
    page_sentence(page, page->colours.strong, 0, "%s, by %s%s%s", when, group_names[query->by],
                  query->cumulative              ? ", with all that it called"
                  : query->blame == BLAME_CALLED ? ", for what the program called"
                  : query->blame == BLAME_IMPORT ? ", for what was imported"
                                                 : "",
                  query_is_filtered(query) ? " (filtered)" : "");
}

void report_print_text(FILE *stream, struct recording *recording, const struct answer *answer,
                       size_t width, struct colours colours)
{
    struct page page = {
        .stream = stream,
        .width = width,
        .colours = colours,
        .recording = recording,
        .answer = answer,
    };
    page_print_run(&page);
    if (answer->process_count)
        page_print_figures(&page);
    else
        page_sentence(&page, "", 0, "No Python process was recorded.");
    page_print_notes(&page);
    if (!answer->row_count) {
        page_sentence(&page, "", 0, "There is no row to show.");
        return;
    }
    fputc('\n', stream);
    page_print_heading(&page);
    sources_init(&page.sources, recording);
    page_set_up_table(&page);
    table_print_titles(&page.table, group_names[answer->query.by]);
    for (size_t i = 0; i < answer->row_count; i++)
        page_print_row(&page, &answer->rows[i]);
    page_print_rest(&page);
    sources_deinit(&page.sources);
}
