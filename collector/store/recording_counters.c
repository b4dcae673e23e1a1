/*
 * Writing counters.
 *
 * Every counter is looked at, which costs little; packing and writing cost, and are for what has
 * changed: a digest of each chunk, and of each line's sums, is kept in the book. Lines are numbered
 * in the order in which counters come to them, which stays the same as counters come to be. A
 * digest has 64 bits and a secret of the book's: that two contents have the same one does not
 * happen.
 */
#include "collector/store/recording_counters.h"

#include "collector/base/index.h"
#include "collector/book/book_reader.h"

struct line_sums {
    uint32_t location;
    uint8_t allocator;
    struct counter_row sums;
};

/* One pass over a process's counters. */
struct counter_pass {
    struct recording_database *database;
    struct chunk_writer *chunk;
    const struct stacks *stacks;
    struct process *process;
    struct book_walk walk;
    uint32_t rows; /* in the chunks before the one at hand */
    struct index by_line;
    struct vector lines; /* struct line_sums; element 0 unused */
    uint32_t line_count;
};

static bool fail_for_memory(struct counter_pass *pass, struct origin origin)
{
    return recording_database_fail(pass->database, "memory is short", origin);
}

/* --- what has changed --------------------------------------------------------------------------
 */

static uint64_t digest_row(const struct hash_seed *seed, uint64_t digest,
                           const struct counter_row *row)
{
    const uint64_t values[] = {
        (uint64_t)row->node << 32 | row->thread,
        (uint64_t)row->allocator << 8 | row->size_class,
        row->allocations,
        row->allocated_bytes,
        row->peak_blocks,
        row->peak_bytes,
        row->end_blocks,
        row->end_bytes,
        row->leaked_blocks,
        row->leaked_bytes,
        row->temporary_blocks,
        row->temporary_bytes,
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        digest = hash_number(seed, digest + values[i]);
    return digest;
}

/* Is this the first time that element `number` has this digest? Notes it. False, too, when memory
 * is short, which `failed` says. */
static bool is_news(struct vector *digests, uint32_t number, uint64_t digest, bool *failed)
{
    digest |= 1; /* 0: it was never written */
    *failed = !vector_reserve(digests, (size_t)number + 1, sizeof digest);
    uint64_t *known = digests->data;
    if (*failed || known[number] == digest)
        return false;
    known[number] = digest;
    return true;
}

/* --- sums by line ------------------------------------------------------------------------------
 */

static bool add_to_line(struct counter_pass *pass, const struct counter_row *row)
{
    uint32_t location = stack_tree_node(&pass->stacks->tree, row->node)->location;
    uint32_t *at = index_at(&pass->by_line, (uint64_t)location << 8 | row->allocator);
    if (!at)
        return fail_for_memory(pass, ORIGIN_HERE);
    if (!*at) {
        uint32_t count = pass->line_count + 1;
        if (!vector_reserve(&pass->lines, (size_t)count + 1, sizeof(struct line_sums)))
            return fail_for_memory(pass, ORIGIN_HERE);
        ((struct line_sums *)pass->lines.data)[count] =
            (struct line_sums){.location = location, .allocator = row->allocator};
        *at = pass->line_count = count;
    }
    counter_row_add(&((struct line_sums *)pass->lines.data)[*at].sums, row);
    return true;
}

static bool put_line(struct counter_pass *pass, const struct line_sums *line)
{
    const struct counter_row *sums = &line->sums;
    return RECORDING_PUT(pass->database, LINE_TOTAL, line_total,
                         .process = pass->process->peer.number, .location = line->location,
                         .allocator = line->allocator, .allocations = sums->allocations,
                         .allocated_bytes = sums->allocated_bytes, .peak_blocks = sums->peak_blocks,
                         .peak_bytes = sums->peak_bytes, .end_blocks = sums->end_blocks,
                         .end_bytes = sums->end_bytes, .leaked_blocks = sums->leaked_blocks,
                         .leaked_bytes = sums->leaked_bytes);
}

static bool write_lines(struct counter_pass *pass)
{
    struct recorded *recorded = &pass->process->book.recorded;
    const struct line_sums *lines = pass->lines.data;
    for (uint32_t i = 1; i <= pass->line_count; i++) {
        bool failed;
        uint64_t digest = digest_row(&recorded->seed, lines[i].location, &lines[i].sums);
        bool changed = is_news(&recorded->lines, i, digest, &failed);
        if (failed)
            return fail_for_memory(pass, ORIGIN_HERE);
        if (changed && !put_line(pass, &lines[i]))
            return false;
    }
    return true;
}

/* --- chunks ------------------------------------------------------------------------------------
 */

/* Looks at the rows of the chunk that begins where the walk is. */
static bool look_at_chunk(struct counter_pass *pass, struct book_walk *walk, uint32_t *rows,
                          uint64_t *digest)
{
    struct counter_row row;
    bool inherited, done = true;
    *digest = *rows = 0;
    while (done && *rows < CHUNK_ROWS && book_walk_next(walk, &row, &inherited)) {
        *digest = digest_row(&pass->process->book.recorded.seed, *digest, &row);
        done = inherited || add_to_line(pass, &row);
        ++*rows;
    }
    return done;
}

static bool put_chunk(struct counter_pass *pass, uint32_t rows)
{
    struct book_walk walk = pass->walk;
    struct counter_row row;
    bool inherited;
    for (uint32_t i = 0; i < rows && book_walk_next(&walk, &row, &inherited); i++)
        chunk_add_counter(pass->chunk, &row);
    struct store_blob packed;
    return recording_database_pack(pass->database, pass->chunk, &packed, ORIGIN_HERE) &&
           RECORDING_PUT(pass->database, COUNTER_CHUNK, counter_chunk,
                         .process = pass->process->peer.number, .first = pass->rows, .count = rows,
                         .data = packed);
}

/* The chunk at hand; *more: there is one behind it. */
static bool write_chunk(struct counter_pass *pass, bool *more)
{
    struct book_walk behind = pass->walk;
    uint32_t rows;
    uint64_t digest;
    bool failed = false;
    if (!look_at_chunk(pass, &behind, &rows, &digest))
        return false;
    *more = rows == CHUNK_ROWS;
    bool changed = rows && is_news(&pass->process->book.recorded.chunks, pass->rows / CHUNK_ROWS,
                                   digest, &failed);
    if (failed)
        return fail_for_memory(pass, ORIGIN_HERE);
    if (changed && !put_chunk(pass, rows))
        return false;
    pass->walk = behind;
    pass->rows += rows;
    return true;
}

bool recording_counters_write(struct recording_database *database, struct chunk_writer *chunk,
                              const struct stacks *stacks, struct process *process)
{
    struct counter_pass pass = {
        .database = database,
        .chunk = chunk,
        .stacks = stacks,
        .process = process,
        .walk = {.book = &process->book},
    };
    if (!process->book.recorded.chunks.data)
        process->book.recorded.seed = hash_seed_new();
    bool done = index_init(&pass.by_line) || fail_for_memory(&pass, ORIGIN_HERE);
    for (bool more = true; done && more;)
        done = write_chunk(&pass, &more);
    done = done && write_lines(&pass);
    index_deinit(&pass.by_line);
    vector_deinit(&pass.lines);
    return done;
}
