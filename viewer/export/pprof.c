/*
 * A profile for pprof (profile.proto of github.com/google/pprof), gzipped.
 *
 * A sample is a stack in a process, a thread and an allocator, which are its labels. Everything
 * refers by number to tables; messages may stand in any order, so strings are written where they
 * are first needed, and locations and functions at the end, those alone that stand in a sample.
 *
 * Mappings are the modules that native code is of, with their build-ids, and before them one for
 * all that is Python's, which pprof takes for the program. Viewers that tell locations apart by
 * address alone get made-up ones, each out of its mapping's range. All mappings say that functions
 * are known, so that nobody looks for more in a binary that may be gone, or finds other names at
 * addresses that are none of its own.
 *
 * Names are final: with a system name equal to it, pprof would take a name with :: for C++ and
 * shorten it; so there is none. A call that a compiler has inlined is a location like any other:
 * the recording does not tell them apart.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"
#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"
#include "viewer/base/size.h"
#include "viewer/export/export.h"
#include "viewer/export/gzip.h"
#include "viewer/export/protobuf.h"
#include "viewer/format/names.h"
#include "viewer/question/key_name.h"
#include "viewer/question/row.h"
#include "viewer/recording/command_line.h"

enum profile_field {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_MAPPING = 3,
    PROFILE_LOCATION = 4,
    PROFILE_FUNCTION = 5,
    PROFILE_STRING = 6,
    PROFILE_TIME_NANOS = 9,
    PROFILE_DURATION_NANOS = 10,
    PROFILE_PERIOD_TYPE = 11,
    PROFILE_PERIOD = 12,
    PROFILE_COMMENT = 13,
    PROFILE_DEFAULT_SAMPLE_TYPE = 14,
};

enum value_type_field {
    VALUE_TYPE_TYPE = 1,
    VALUE_TYPE_UNIT = 2,
};

enum sample_field {
    SAMPLE_LOCATION = 1,
    SAMPLE_VALUE = 2,
    SAMPLE_LABEL = 3,
};

enum label_field {
    LABEL_KEY = 1,
    LABEL_STRING = 2,
    LABEL_NUMBER = 3,
};

enum mapping_field {
    MAPPING_ID = 1,
    MAPPING_START = 2,
    MAPPING_LIMIT = 3,
    MAPPING_FILE = 5,
    MAPPING_BUILD_ID = 6,
    MAPPING_HAS_FUNCTIONS = 7,
    MAPPING_HAS_FILES = 8,
    MAPPING_HAS_LINES = 9,
    MAPPING_HAS_INLINES = 10,
};

enum location_field {
    LOCATION_ID = 1,
    LOCATION_MAPPING = 2,
    LOCATION_ADDRESS = 3,
    LOCATION_LINE = 4,
};

enum line_field {
    LINE_FUNCTION = 1,
    LINE_NUMBER = 2,
};

enum function_field {
    FUNCTION_ID = 1,
    FUNCTION_NAME = 2,
    FUNCTION_FILE = 4,
};

#define NANOSECONDS_EACH 1e9
#define VALUE_COUNT      4u
#define DEFAULT_VALUE    3u

/* A mapping's range begins and ends at a page. */
#define PAGE_BYTES UINT64_C(0x1000)

/* Python's; those of modules follow by their numbers, which begin with 1. */
#define MAPPING_OF_PYTHON 0u

/* Numbers in the string table. */
struct strings {
    uint32_t count;
    uint32_t process, thread, allocator; /* keys of labels */
    uint32_t *threads;                   /* their values; 0: not yet there */
    uint32_t allocators[WIRE_ALLOCATOR_COUNT];
    uint32_t *files; /* by file id */
};

/* What is said of a module's locations. */
struct mapping {
    uint32_t number;       /* in the file */
    uint32_t count;        /* of its locations */
    uint64_t start, limit; /* its addresses */
    uint64_t next;         /* of the next location */
    bool has_files, has_lines;
};

/* What one stack, process, thread and allocator have: a sample of the profile. */
struct stack_sum {
    uint32_t key, process, thread;
    uint8_t allocator;
    struct row row;
};

struct stack_sums {
    struct stack_sum *list;
    size_t count;
};

struct pprof {
    struct gzip gzip;
    struct recording *recording;
    const struct answer *answer;
    struct strings strings;
    struct protobuf inner, message, outer; /* what is being built: each is a field of the next */
    bool *lines;                           /* by key by line: does it stand in a sample? */
    struct mapping *mappings;              /* by module; MAPPING_OF_PYTHON */
};

/* --- the parts of messages --- */

/* Writes the fields of the profile that have been built. */
static void put_fields(struct pprof *pprof)
{
    gzip_write(&pprof->gzip, pprof->outer.bytes, pprof->outer.size);
    protobuf_clear(&pprof->outer);
}

static void put_field(struct pprof *pprof, uint32_t field, uint64_t number)
{
    protobuf_number(&pprof->outer, field, number);
    put_fields(pprof);
}

/* The message that has been built. */
static void put_message(struct pprof *pprof, uint32_t field)
{
    protobuf_message(&pprof->outer, field, &pprof->message);
    protobuf_clear(&pprof->message);
    put_fields(pprof);
}

/* The inner message that has been built. */
static void add_message(struct pprof *pprof, uint32_t field)
{
    protobuf_message(&pprof->message, field, &pprof->inner);
    protobuf_clear(&pprof->inner);
}

/* Its number. */
static uint32_t put_string(struct pprof *pprof, const char *text)
{
    protobuf_text(&pprof->outer, PROFILE_STRING, text);
    put_fields(pprof);
    return pprof->strings.count++;
}

/* --- what is counted --- */

static void take_counter(void *context, const struct counted *counted)
{
    struct stack_sums *sums = context;
    sums->list = memory_room(sums->list, sums->count, sizeof *sums->list);
    sums->list[sums->count++] = (struct stack_sum){
        .key = counted->key,
        .process = (uint32_t)counted->process,
        .thread = counted->counter->thread,
        .allocator = (uint8_t)counted->counter->allocator,
        .row = *counted->row,
    };
}

static int compare_sums(const void *a, const void *b)
{
    const struct stack_sum *one = a, *other = b;
    return ORDER(one->key, other->key)
               ?: ORDER(one->process, other->process)
               ?: ORDER(one->thread, other->thread)
               ?: ORDER(one->allocator, other->allocator);
}

static bool is_nothing(const struct row *row)
{
    return !row->bytes && !row->blocks && !row->allocated_bytes && !row->allocations;
}

/* Sums what differs in the size of the blocks alone. */
static void sums_merge(struct stack_sums *sums)
{
    size_t kept = 0;
    if (sums->count)
        qsort(sums->list, sums->count, sizeof *sums->list, compare_sums);
    for (size_t i = 0; i < sums->count; i++) {
        const struct stack_sum *sum = &sums->list[i];
        if (is_nothing(&sum->row))
            continue;
        if (kept && !compare_sums(&sums->list[kept - 1], sum))
            row_add(&sums->list[kept - 1].row, &sum->row);
        else
            sums->list[kept++] = *sum;
    }
    sums->count = kept;
}

/* --- samples --- */

static void put_value_type(struct pprof *pprof, uint32_t field, uint32_t type, uint32_t unit)
{
    protobuf_number(&pprof->message, VALUE_TYPE_TYPE, type);
    protobuf_number(&pprof->message, VALUE_TYPE_UNIT, unit);
    put_message(pprof, field);
}

/* The order in which heap profiles have them. */
static void put_types(struct pprof *pprof)
{
    static const char *const names[VALUE_COUNT] = {"alloc_objects", "alloc_space", "inuse_objects",
                                                   "inuse_space"};
    uint32_t numbers[VALUE_COUNT];
    uint32_t units[] = {put_string(pprof, "count"), put_string(pprof, "bytes")};
    for (unsigned i = 0; i < VALUE_COUNT; i++)
        numbers[i] = put_string(pprof, names[i]);
    for (unsigned i = 0; i < VALUE_COUNT; i++)
        put_value_type(pprof, PROFILE_SAMPLE_TYPE, numbers[i], units[i % 2]);
    put_value_type(pprof, PROFILE_PERIOD_TYPE, put_string(pprof, "space"), units[1]);
    put_field(pprof, PROFILE_PERIOD, 1);
    put_field(pprof, PROFILE_DEFAULT_SAMPLE_TYPE, numbers[DEFAULT_VALUE]);
}

/* Sees to it that the strings of the sample's labels are there. */
static void need_strings(struct pprof *pprof, const struct stack_sum *sum)
{
    struct strings *strings = &pprof->strings;
    const struct thread *thread = &pprof->recording->symbols.threads[sum->thread];
    if (!strings->threads[sum->thread]) {
        CLEANUP(cleanup_free) char *tid = memory_print("%lld", (long long)thread->tid);
        strings->threads[sum->thread] = put_string(pprof, *thread->name ? thread->name : tid);
    }
    if (!strings->allocators[sum->allocator])
        strings->allocators[sum->allocator] = put_string(pprof, allocator_names[sum->allocator]);
}

static void add_label(struct pprof *pprof, uint32_t key, enum label_field field, uint64_t value)
{
    protobuf_number(&pprof->inner, LABEL_KEY, key);
    protobuf_number(&pprof->inner, field, value);
    add_message(pprof, SAMPLE_LABEL);
}

/* Locations are numbered by key by line, from 1. */
static void add_stack(struct pprof *pprof, uint32_t node)
{
    const struct grouping *grouping = &pprof->answer->grouping;
    size_t depth;
    CLEANUP(cleanup_free)
    uint32_t *path = stacks_path(&pprof->recording->stacks, node, &depth);
    CLEANUP(cleanup_free) uint64_t *numbers = memory_new(depth + 1, sizeof *numbers);
    numbers[0] = grouping->line_keys[0] + UINT64_C(1); /* no frame */
    for (size_t i = 0; i < depth; i++)
        numbers[i] = grouping->line_keys[path[depth - 1 - i]] + UINT64_C(1);
    size_t count = depth ? depth : 1;
    for (size_t i = 0; i < count; i++)
        pprof->lines[numbers[i] - 1] = true;
    protobuf_numbers(&pprof->message, SAMPLE_LOCATION, numbers, count);
}

/* A process is a number, so that pprof's own -tagfocus=process=1234 means it. */
static void put_sample(struct pprof *pprof, const struct stack_sum *sum)
{
    const struct strings *strings = &pprof->strings;
    const struct row *row = &sum->row;
    const uint64_t values[VALUE_COUNT] = {row->allocations, row->allocated_bytes, row->blocks,
                                          row->bytes};
    uint64_t pid = (uint64_t)pprof->recording->processes[sum->process].pid;
    need_strings(pprof, sum);
    add_stack(pprof, sum->key);
    protobuf_numbers(&pprof->message, SAMPLE_VALUE, values, VALUE_COUNT);
    add_label(pprof, strings->process, LABEL_NUMBER, pid);
    add_label(pprof, strings->thread, LABEL_STRING, strings->threads[sum->thread]);
    add_label(pprof, strings->allocator, LABEL_STRING, strings->allocators[sum->allocator]);
    put_message(pprof, PROFILE_SAMPLE);
}

static void put_samples(struct pprof *pprof, const struct stack_sums *sums)
{
    struct strings *strings = &pprof->strings;
    strings->process = put_string(pprof, "process");
    strings->thread = put_string(pprof, "thread");
    strings->allocator = put_string(pprof, "allocator");
    strings->threads = memory_new(pprof->recording->symbols.thread_count, sizeof *strings->threads);
    for (size_t i = 0; i < sums->count; i++)
        put_sample(pprof, &sums->list[i]);
    free(strings->threads);
}

/* --- what samples refer to --- */

static struct mapping *mapping_of(const struct pprof *pprof, const struct frame *frame)
{
    size_t module = frame->module ? (size_t)(frame->module - pprof->recording->symbols.modules)
                                  : MAPPING_OF_PYTHON;
    return &pprof->mappings[module];
}

static void put_location(struct pprof *pprof, uint32_t key, uint32_t function,
                         const struct frame *frame)
{
    struct mapping *mapping = mapping_of(pprof, frame);
    protobuf_number(&pprof->inner, LINE_FUNCTION, function + UINT64_C(1));
    protobuf_number(&pprof->inner, LINE_NUMBER, (uint64_t)(int64_t)frame->line);
    protobuf_number(&pprof->message, LOCATION_ID, key + UINT64_C(1));
    protobuf_number(&pprof->message, LOCATION_MAPPING, mapping->number);
    protobuf_number(&pprof->message, LOCATION_ADDRESS, mapping->next);
    mapping->next += EXPORT_ADDRESS_STEP;
    add_message(pprof, LOCATION_LINE);
    put_message(pprof, PROFILE_LOCATION);
}

static void put_function(struct pprof *pprof, uint32_t key, const struct frame *frame)
{
    uint32_t *file = &pprof->strings.files[frame->file_id];
    if (frame->file && !*file)
        *file = put_string(pprof, frame->file);
    uint32_t name = put_string(pprof, frame->function ? frame->function : NAME_OF_NO_FRAME);
    protobuf_number(&pprof->message, FUNCTION_ID, key + UINT64_C(1));
    protobuf_number(&pprof->message, FUNCTION_NAME, name);
    protobuf_number(&pprof->message, FUNCTION_FILE, frame->file ? *file : 0);
    put_message(pprof, PROFILE_FUNCTION);
}

/* Functions are numbered by key by function, from 1. */
static void put_locations(struct pprof *pprof)
{
    const struct symbols *symbols = &pprof->recording->symbols;
    const uint32_t *line_keys = pprof->answer->grouping.line_keys;
    CLEANUP(grouping_deinit) struct grouping functions;
    grouping_init(&functions, pprof->recording, GROUP_BY_FUNCTION, BLAME_NONE);
    CLEANUP(cleanup_free) bool *seen = memory_new(functions.key_count, sizeof *seen);
    pprof->strings.files = memory_new(symbols->file_count + 1, sizeof *pprof->strings.files);
    for (uint32_t i = 0; i < symbols->frame_count; i++) {
        bool *needed = &pprof->lines[line_keys[i]];
        if (!*needed)
            continue;
        *needed = false; /* equal ones are one */
        uint32_t function = functions.keys[i];
        put_location(pprof, line_keys[i], function, &symbols->frames[i]);
        if (!seen[function])
            put_function(pprof, function, &symbols->frames[i]);
        seen[function] = true;
    }
    free(pprof->strings.files);
}

/* --- mappings --- */

/* Where a file of native code is not known the module stands for it. */
static bool has_file(const struct frame *frame)
{
    return frame->file && (!frame->module || strcmp(frame->file, frame->module->path) != 0);
}

/* Looks at what stands in a sample. */
static void count_locations(struct pprof *pprof)
{
    const struct symbols *symbols = &pprof->recording->symbols;
    const uint32_t *line_keys = pprof->answer->grouping.line_keys;
    CLEANUP(cleanup_free) bool *seen = memory_new(symbols->frame_count, sizeof *seen);
    for (size_t i = 0; i < symbols->frame_count; i++) {
        const struct frame *frame = &symbols->frames[i];
        struct mapping *mapping = mapping_of(pprof, frame);
        if (!pprof->lines[line_keys[i]])
            continue;
        mapping->count += !seen[line_keys[i]];
        mapping->has_files |= has_file(frame);
        mapping->has_lines |= frame->line > 0;
        seen[line_keys[i]] = true;
    }
}

/* Python's is there also when nothing is in it: the first one is the program. */
static void lay_out_mappings(struct pprof *pprof)
{
    uint64_t next = EXPORT_ADDRESS_FIRST;
    uint32_t number = 0;
    size_t modules = pprof->recording->symbols.module_count;
    for (size_t i = MAPPING_OF_PYTHON; i == MAPPING_OF_PYTHON || i < modules; i++) {
        struct mapping *mapping = &pprof->mappings[i];
        if (i != MAPPING_OF_PYTHON && !mapping->count)
            continue;
        mapping->number = ++number;
        mapping->start = mapping->next = next;
        next += (mapping->count * EXPORT_ADDRESS_STEP / PAGE_BYTES + 1) * PAGE_BYTES;
        mapping->limit = next;
    }
}

static void put_mapping(struct pprof *pprof, const struct mapping *mapping, const char *file,
                        const char *build_id)
{
    uint32_t file_string = put_string(pprof, file);
    uint32_t id_string = build_id ? put_string(pprof, build_id) : 0;
    struct protobuf *message = &pprof->message;
    protobuf_number(message, MAPPING_ID, mapping->number);
    protobuf_number(message, MAPPING_START, mapping->start);
    protobuf_number(message, MAPPING_LIMIT, mapping->limit);
    protobuf_number(message, MAPPING_FILE, file_string);
    protobuf_number(message, MAPPING_BUILD_ID, id_string);
    protobuf_number(message, MAPPING_HAS_FUNCTIONS, 1);
    protobuf_number(message, MAPPING_HAS_FILES, mapping->has_files);
    protobuf_number(message, MAPPING_HAS_LINES, mapping->has_lines);
    protobuf_number(message, MAPPING_HAS_INLINES, mapping->has_lines);
    put_message(pprof, PROFILE_MAPPING);
}

static void put_mappings(struct pprof *pprof)
{
    const struct recording *recording = pprof->recording;
    const struct symbols *symbols = &recording->symbols;
    const char *program = json_string_value(json_array_get(recording->run.command, 0));
    put_mapping(pprof, &pprof->mappings[MAPPING_OF_PYTHON], program ? program : "", NULL);
    for (size_t i = MAPPING_OF_PYTHON + 1; i < symbols->module_count; i++)
        if (pprof->mappings[i].count)
            put_mapping(pprof, &pprof->mappings[i], symbols->modules[i].path,
                        symbols->modules[i].build_id);
}

/* --- what is said of it --- */

/* Takes the text over. */
static void put_comment(struct pprof *pprof, char *text)
{
    put_field(pprof, PROFILE_COMMENT, put_string(pprof, text));
    free(text);
}

static void put_comments(struct pprof *pprof)
{
    struct recording *recording = pprof->recording;
    const struct answer *answer = pprof->answer;
    CLEANUP(cleanup_free) char *view = name_of_view(recording, &answer->query);
    uint64_t lost = recording_lost_events(recording);
    put_comment(pprof, name_of_command(recording->run.command));
    put_comment(pprof, memory_print("inuse: %s%s", view,
                                    query_is_filtered(&answer->query) ? " (filtered)" : ""));
    if (!isnan(answer->time))
        put_comment(pprof,
                    memory_print("that is %s after the start", seconds_format(answer->time).text));
    if (answer->by_slices)
        put_comment(pprof, memory_copy("as of the last slice before: no history was kept"));
    if (!answer->peak.is_known)
        put_comment(pprof, memory_copy("peak: each process's own"));
    if (lost)
        put_comment(pprof, memory_print("%llu events were lost", (unsigned long long)lost));
    if (isnan(recording->run.seconds))
        put_comment(pprof, memory_copy("the run goes on, or its recording was cut short"));
}

static void put_profile(struct pprof *pprof, const struct stack_sums *sums)
{
    put_string(pprof, "");
    put_types(pprof);
    put_samples(pprof, sums);
    count_locations(pprof);
    lay_out_mappings(pprof);
    put_locations(pprof);
    put_mappings(pprof);
    put_field(pprof, PROFILE_TIME_NANOS,
              (uint64_t)(pprof->recording->run.started * NANOSECONDS_EACH));
    put_field(pprof, PROFILE_DURATION_NANOS,
              (uint64_t)(run_length(pprof->recording) * NANOSECONDS_EACH));
    put_comments(pprof);
}

static void put_file(FILE *stream, struct recording *recording, const struct answer *answer,
                     const struct stack_sums *sums)
{
    struct pprof pprof = {
        .recording = recording,
        .answer = answer,
        .lines = memory_new(recording->symbols.frame_count, sizeof *pprof.lines),
        .mappings = memory_new(recording->symbols.module_count + 1, sizeof *pprof.mappings),
    };
    gzip_init(&pprof.gzip, stream);
    put_profile(&pprof, sums);
    gzip_finish(&pprof.gzip);
    protobuf_deinit(&pprof.inner);
    protobuf_deinit(&pprof.message);
    protobuf_deinit(&pprof.outer);
    free(pprof.lines);
    free(pprof.mappings);
}

bool export_pprof(FILE *stream, struct recording *recording, const struct query *query)
{
    struct stack_sums sums = {0};
    CLEANUP(answer_deinit) struct answer answer;
    bool good = export_ask_stacks(&answer, recording, query, GROUP_BY_CODE, take_counter, &sums);
    if (good) {
        sums_merge(&sums);
        put_file(stream, recording, &answer, &sums);
    }
    free(sums.list);
    return good;
}
