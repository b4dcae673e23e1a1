/*
 * Keys for rows.
 *
 * For all groupings but stacks, the things are sorted by what they are called and numbered in that
 * order; neighbours that compare equal share a key (two code objects of the same name on the same
 * line, say). So the order of the keys is the order of the names, and a table of plain arrays is
 * all that counting needs.
 *
 * Stacks are too many to be sorted. A stack's key is its node; nodes that look the same to the
 * reader (the same frames by line) share the smallest one. As parents come before their children,
 * one pass with a hash table of (key of the parent, key of the line) finds them. Compilers call
 * different files the same in different modules: who must know the module asks by code.
 */
#include "viewer/question/grouping.h"

#include <stdlib.h>
#include <string.h>

#include "allocators.h"
#include "hash.h"
#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"

#define NO_KEY GROUPING_NO_KEY

/* How the names of the files of CPython's import system begin: <frozen importlib._bootstrap> and
 * <frozen importlib._bootstrap_external>. */
#define IMPORT_SYSTEM "<frozen importlib._bootstrap"

const char *const allocator_names[] = {ALLOCATOR_NAMES NULL};

uint64_t size_class_least(unsigned size_class)
{
    return size_class < 2 ? size_class : (UINT64_C(1) << (size_class - 2)) + 1;
}

uint64_t size_class_most(unsigned size_class)
{
    if (size_class < 2)
        return size_class;
    return size_class < 64 ? UINT64_C(1) << (size_class - 1) : INT64_MAX;
}

/* Strings of which one may be NULL, which comes first. */
static int compare_strings(const char *a, const char *b)
{
    return a != b && a && b ? strcmp(a, b) : (a != NULL) - (b != NULL);
}

/* Compares two things of a recording: what qsort_r() wants. */
typedef int compare_things(const void *a, const void *b, void *recording);

static const struct frame *frame_of(const void *thing, const void *recording)
{
    const struct recording *of = recording;
    return &of->symbols.frames[*(const uint32_t *)thing];
}

static int compare_files(const void *a, const void *b, void *recording)
{
    return compare_strings(frame_of(a, recording)->file, frame_of(b, recording)->file);
}

static int compare_functions(const void *a, const void *b, void *recording)
{
    return compare_files(a, b, recording)
               ?: compare_strings(frame_of(a, recording)->function,
                                  frame_of(b, recording)->function);
}

static int compare_modules(const void *a, const void *b, void *recording)
{
    return compare_strings(frame_module(frame_of(a, recording)),
                           frame_module(frame_of(b, recording)));
}

static int compare_packages(const void *a, const void *b, void *recording)
{
    return compare_strings(frame_of(a, recording)->package, frame_of(b, recording)->package);
}

static int compare_source_lines(const void *a, const void *b, void *recording)
{
    return compare_files(a, b, recording)
               ?: ORDER(frame_of(a, recording)->line, frame_of(b, recording)->line);
}

static int compare_lines(const void *a, const void *b, void *recording)
{
    return compare_source_lines(a, b, recording) ?: compare_functions(a, b, recording);
}

/* The modules' order is that of their numbers. */
static int compare_code(const void *a, const void *b, void *recording)
{
    return compare_lines(a, b, recording)
               ?: ORDER(frame_of(a, recording)->module, frame_of(b, recording)->module);
}

static int compare_threads(const void *a, const void *b, void *recording)
{
    const struct thread *threads = ((const struct recording *)recording)->symbols.threads;
    const struct thread *one = &threads[*(const uint32_t *)a];
    const struct thread *other = &threads[*(const uint32_t *)b];
    return compare_strings(one->name, other->name)
               ?: ORDER(one->tid, other->tid) ?: ORDER(one->process, other->process);
}

static int compare_allocators(const void *a, const void *b, void *recording)
{
    (void)recording;
    return strcmp(allocator_names[*(const uint32_t *)a], allocator_names[*(const uint32_t *)b]);
}

static int compare_size_classes(const void *a, const void *b, void *recording)
{
    (void)recording;
    return ORDER(*(const uint32_t *)a, *(const uint32_t *)b);
}

static int compare_processes(const void *a, const void *b, void *recording)
{
    const struct process *processes = ((const struct recording *)recording)->processes;
    const struct process *one = &processes[*(const uint32_t *)a];
    const struct process *other = &processes[*(const uint32_t *)b];
    return ORDER(one->pid, other->pid) ?: ORDER(one->id, other->id);
}

static void grouping_sort(struct grouping *grouping, size_t thing_count, compare_things *compare)
{
    void *recording = (void *)(uintptr_t)grouping->recording;
    uint32_t *things = memory_new(thing_count, sizeof *things);
    for (size_t i = 0; i < thing_count; i++)
        things[i] = (uint32_t)i;
    qsort_r(things, thing_count, sizeof *things, compare, recording);
    grouping->keys = memory_new(thing_count, sizeof *grouping->keys);
    grouping->members = memory_new(thing_count, sizeof *grouping->members);
    for (size_t i = 0; i < thing_count; i++) {
        if (i == 0 || compare(&things[i - 1], &things[i], recording))
            grouping->members[grouping->key_count++] = things[i];
        grouping->keys[things[i]] = grouping->key_count - 1;
    }
    free(things);
}

/* The smallest node with this parent and line; NO_KEY marks free slots. */
static uint32_t *stack_slot(uint32_t *slots, size_t mask, const struct hash_seed *seed,
                            const struct grouping *grouping, uint32_t parent, uint32_t line)
{
    const struct stacks *stacks = &grouping->recording->stacks;
    uint64_t hash = hash_number(seed, (uint64_t)parent << 32 | line);
    for (size_t at = hash & mask;; at = (at + 1) & mask) {
        uint32_t node = slots[at];
        if (node == NO_KEY || (grouping->keys[stacks->parent[node]] == parent &&
                               grouping->line_keys[stacks->location[node]] == line))
            return &slots[at];
    }
}

static void grouping_init_stacks(struct grouping *grouping, compare_things *compare)
{
    const struct stacks *stacks = &grouping->recording->stacks;
    struct grouping lines = {.recording = grouping->recording};
    grouping_sort(&lines, grouping->recording->symbols.frame_count, compare);
    grouping->line_keys = lines.keys;
    free(lines.members);
    grouping->key_count = (uint32_t)stacks->count;
    grouping->keys = memory_new(stacks->count, sizeof *grouping->keys);
    const struct hash_seed seed = hash_seed_new();
    size_t capacity = 16;
    while (capacity < stacks->count * 2)
        capacity *= 2;
    uint32_t *slots = memory_resize(NULL, capacity, sizeof *slots);
    memset(slots, 0xff, capacity * sizeof *slots);
    for (uint32_t node = 1; node < stacks->count; node++) {
        uint32_t *slot =
            stack_slot(slots, capacity - 1, &seed, grouping, grouping->keys[stacks->parent[node]],
                       grouping->line_keys[stacks->location[node]]);
        if (*slot == NO_KEY)
            *slot = node;
        grouping->keys[node] = *slot;
    }
    free(slots);
}

/* Does an inner frame take the blame from an outer one? Between the program and the library that it
 * calls stands the interpreter's own native code. */
static bool takes_blame(const struct frame *outer, const struct frame *inner, bool seen_program)
{
    bool may_pass = outer->module || !seen_program;
    return frame_is_of(outer, "program") ||
           (may_pass && frame_is_platform(outer) && !frame_is_platform(inner));
}

/* Finds, parents first, whose frame is to blame for each stack. */
static void find_blamed(struct grouping *grouping)
{
    const struct stacks *stacks = &grouping->recording->stacks;
    const struct frame *frames = grouping->recording->symbols.frames;
    CLEANUP(cleanup_free) bool *seen = memory_new(stacks->count, sizeof *seen);
    grouping->blamed = memory_new(stacks->count, sizeof *grouping->blamed);
    for (uint32_t node = 1; node < stacks->count; node++) {
        uint32_t parent = stacks->parent[node], location = stacks->location[node];
        uint32_t outer = grouping->blamed[parent];
        bool is_program = frame_is_of(&frames[location], "program");
        seen[node] = seen[parent] || is_program;
        bool begins =
            is_program || !parent || takes_blame(&frames[outer], &frames[location], seen[parent]);
        grouping->blamed[node] = begins ? location : outer;
    }
}

/* --- what imports cost --- */

/* What is known of each stack while imports are looked for; see find_imported(). */
struct importing {
    uint32_t *call;   /* the node of the import's outermost frame in the import system, 0: none */
    uint32_t *module; /* location of the module's frame that the import has led to, 0: none yet */
    uint32_t *loaded; /* by call: location of the first module's frame below it */
};

static bool is_import_system(const struct frame *frame)
{
    return frame->file && !strncmp(frame->file, IMPORT_SYSTEM, strlen(IMPORT_SYSTEM));
}

static bool is_module(const struct frame *frame)
{
    return frame->function && !strcmp(frame->function, "<module>");
}

/* A module of the program is no import's end: what counts is what it imports in turn. */
static void look_for_import(const struct grouping *grouping, struct importing *importing,
                            uint32_t node)
{
    const struct stacks *stacks = &grouping->recording->stacks;
    const struct frame *frames = grouping->recording->symbols.frames;
    uint32_t parent = stacks->parent[node], location = stacks->location[node];
    const struct frame *frame = &frames[location];
    bool below = parent && is_import_system(&frames[stacks->location[parent]]);
    uint32_t module = importing->module[parent], call = importing->call[parent];
    bool is_over = module && !frame_is_of(&frames[module], "program");
    if (!is_over && is_import_system(frame) && !below) {
        call = node;
        module = 0;
    } else if (!is_over && below && is_module(frame)) {
        module = location;
        if (!importing->loaded[call])
            importing->loaded[call] = location;
    }
    importing->call[node] = call;
    importing->module[node] = module;
}

/* Finds which module's import each stack is part of. What the import system itself allocates,
 * before the module's own frame is there, belongs to the module that it then runs; that of a module
 * without frames (in C), to the import system. Stacks without an import are left out. */
static void find_imported(struct grouping *grouping)
{
    const struct stacks *stacks = &grouping->recording->stacks;
    struct importing importing = {
        .call = memory_new(stacks->count, sizeof *importing.call),
        .module = memory_new(stacks->count, sizeof *importing.module),
        .loaded = memory_new(stacks->count, sizeof *importing.loaded),
    };
    for (uint32_t node = 1; node < stacks->count; node++)
        look_for_import(grouping, &importing, node);
    grouping->blamed = memory_new(stacks->count, sizeof *grouping->blamed);
    grouping->blamed[0] = NO_KEY;
    for (uint32_t node = 1; node < stacks->count; node++) {
        uint32_t call = importing.call[node], module = importing.module[node];
        if (!module)
            module = importing.loaded[call] ? importing.loaded[call] : stacks->location[call];
        grouping->blamed[node] = call ? module : NO_KEY;
    }
    free(importing.call);
    free(importing.module);
    free(importing.loaded);
}

/* Finds the innermost Python frame of each stack. */
static void find_python(struct grouping *grouping)
{
    const struct stacks *stacks = &grouping->recording->stacks;
    const struct frame *frames = grouping->recording->symbols.frames;
    grouping->blamed = memory_new(stacks->count, sizeof *grouping->blamed);
    for (uint32_t node = 1; node < stacks->count; node++) {
        uint32_t location = stacks->location[node];
        grouping->blamed[node] =
            frame_is_python(&frames[location]) ? location : grouping->blamed[stacks->parent[node]];
    }
}

void grouping_init(struct grouping *grouping, const struct recording *recording, enum group_by by,
                   enum blame blame)
{
    *grouping = (struct grouping){.recording = recording, .by = by};
    const struct symbols *symbols = &recording->symbols;
    switch (by) {
    case GROUP_BY_LINE:
        grouping_sort(grouping, symbols->frame_count, compare_lines);
        break;
    case GROUP_BY_FILE:
        grouping_sort(grouping, symbols->frame_count, compare_files);
        break;
    case GROUP_BY_FUNCTION:
        grouping_sort(grouping, symbols->frame_count, compare_functions);
        break;
    case GROUP_BY_MODULE:
        grouping_sort(grouping, symbols->frame_count, compare_modules);
        break;
    case GROUP_BY_STACK:
        grouping_init_stacks(grouping, compare_lines);
        break;
    case GROUP_BY_CODE:
        grouping_init_stacks(grouping, compare_code);
        break;
    case GROUP_BY_SOURCE_LINE:
        grouping_sort(grouping, symbols->frame_count, compare_source_lines);
        if (blame == BLAME_PYTHON)
            find_python(grouping);
        break;
    case GROUP_BY_PACKAGE:
        grouping_sort(grouping, symbols->frame_count, compare_packages);
        if (blame == BLAME_CALLED)
            find_blamed(grouping);
        else if (blame == BLAME_IMPORT)
            find_imported(grouping);
        break;
    case GROUP_BY_THREAD:
        grouping_sort(grouping, symbols->thread_count, compare_threads);
        break;
    case GROUP_BY_ALLOCATOR:
        grouping_sort(grouping, WIRE_ALLOCATOR_COUNT, compare_allocators);
        break;
    case GROUP_BY_SIZE:
        grouping_sort(grouping, CHUNK_SIZE_CLASSES + 1, compare_size_classes);
        break;
    case GROUP_BY_PROCESS:
        grouping_sort(grouping, recording->process_count, compare_processes);
        break;
    }
}

void grouping_deinit(struct grouping *grouping)
{
    free(grouping->keys);
    free(grouping->members);
    free(grouping->line_keys);
    free(grouping->blamed);
}

static uint32_t key_of_blamed(const struct grouping *grouping, uint32_t node)
{
    if (!grouping->blamed)
        return grouping->keys[grouping->recording->stacks.location[node]];
    uint32_t location = grouping->blamed[node];
    return location == NO_KEY ? GROUPING_NO_KEY : grouping->keys[location];
}

uint32_t grouping_key(const struct grouping *grouping, size_t process,
                      const struct counter_row *row)
{
    switch (grouping->by) {
    case GROUP_BY_LINE:
    case GROUP_BY_FILE:
    case GROUP_BY_FUNCTION:
    case GROUP_BY_MODULE:
        return grouping->keys[grouping->recording->stacks.location[row->node]];
    case GROUP_BY_STACK:
    case GROUP_BY_CODE:
        return grouping->keys[row->node];
    case GROUP_BY_PACKAGE:
    case GROUP_BY_SOURCE_LINE:
        return key_of_blamed(grouping, row->node);
    case GROUP_BY_THREAD:
        return grouping->keys[row->thread];
    case GROUP_BY_ALLOCATOR:
        return grouping->keys[row->allocator];
    case GROUP_BY_SIZE:
        return grouping->keys[row->size_class];
    case GROUP_BY_PROCESS:
        return grouping->keys[process];
    }
    return NO_KEY;
}

int grouping_compare(const struct grouping *grouping, uint32_t a, uint32_t b)
{
    const uint32_t *location = grouping->recording->stacks.location, *line = grouping->line_keys;
    int order = group_by_is_stack(grouping->by) ? ORDER(line[location[a]], line[location[b]]) : 0;
    return order ?: ORDER(a, b);
}
