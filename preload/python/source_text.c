/*
 * linecache.cache[name] is (size, None, lines, name) where there is no file: what has one has the
 * time of its last change instead of None, and the collector reads it. From 3.14 on what is typed
 * stands in a second dictionary, by (name, function, first line).
 *
 * It may be put there after the first code of that name has run, and be replaced: so it is looked
 * for with every code. A text that has been sent is remembered by a hash of it; whoever forgets one
 * sends it again, and the collector then sees that it is the same. Only for a path that begins at
 * the root, of which most name a file, the same path is not looked for twice in a row.
 *
 * Where a code is announced in an allocation in which the interpreter may not be asked, the hash of
 * its file's name waits for the next one in which it may.
 *
 * One thread at a time sends, under a lock: the parts of a text must not be mixed, nor left half
 * sent by a jump. Interpreters with a lock each do so side by side, and for the last code of one
 * there is no later time.
 */
#include "preload/python/source_text.h"

#include <string.h>

#include "preload/base/lock.h"
#include "preload/carrier/fragments.h"
#include "preload/python/python_layout.h"
#include "preload/python/python_objects.h"
#include "wire.h"

/* Hashes that are remembered. */
#define TOLD 256u
/* Of a longer text the hash is that of where its lines lie. */
#define HASHED_BYTES_MAX (UINT64_C(64) << 10)
/* Names that wait. */
#define WAITING 16u
/* linecache's tuple. */
#define ENTRY_ITEMS 4
#define ENTRY_TIME  1
#define ENTRY_LINES 2
/* The key of what was typed. */
#define KEY_ITEMS 3
#define KEY_NAME  0

struct source_text {
    struct fragments fragments;
    struct wire_text head;
    uint32_t piece_head;
    struct python_text name, piece;
    uintptr_t lines; /* a list */
    intptr_t count, next;
    bool has_begun, is_at_head;
};

static _Atomic uint64_t told[TOLD];
static _Atomic uint64_t waiting[WAITING]; /* 0: none */
static _Atomic uint64_t missed;           /* hash of the path that was looked for last, in vain */
static struct lock sending;

static uint64_t hash_mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static uint64_t hash_text(uint64_t hash, const struct python_text *text)
{
    hash = hash_mix(hash, text->bytes);
    for (uint64_t at = 0; at < text->bytes; at += sizeof hash) {
        uint64_t word = 0, left = text->bytes - at;
        memcpy(&word, text->data + at, left < sizeof word ? left : sizeof word);
        hash = hash_mix(hash, word);
    }
    return hash;
}

/* --- looking for it --- */

/* What is looked for. */
struct sought {
    uint64_t hash;           /* of the name */
    struct python_text name; /* without data: not known, and found with it */
};

/* The name, or a tuple with it. */
static bool is_key(uintptr_t key, void *context)
{
    struct sought *sought = context;
    struct python_text text;
    if (!python_text_read(key, &text) &&
        !python_text_read(python_objects_tuple_item(key, KEY_ITEMS, KEY_NAME), &text))
        return false;
    if (sought->name.data)
        return python_text_equals(&text, &sought->name);
    if (hash_text(1, &text) != sought->hash)
        return false;
    sought->name = text;
    return true;
}

/* The list of its lines; 0: none. */
static uintptr_t find_lines(struct sought *sought)
{
    static const char *const dictionaries[] = {"cache", "_interactive_cache"};
    static struct python_finding finding;
    for (unsigned i = 0; i < sizeof dictionaries / sizeof *dictionaries; i++) {
        uintptr_t cache = python_objects_dictionary("linecache", dictionaries[i], &finding);
        uintptr_t entry = cache ? python_objects_value(cache, is_key, sought) : 0;
        uintptr_t time = python_objects_tuple_item(entry, ENTRY_ITEMS, ENTRY_TIME);
        if (time && python_objects_is_none(time))
            return python_objects_tuple_item(entry, ENTRY_ITEMS, ENTRY_LINES);
    }
    return 0;
}

/* How much there is to send; false: too much, or something that is no string. */
static bool measure_text(struct source_text *text)
{
    uint64_t bytes = sizeof text->piece_head + text->name.bytes;
    text->count = python_objects_list_size(text->lines);
    if (text->count <= 0 || text->count > (intptr_t)(WIRE_TEXT_BYTES_MAX / sizeof text->piece_head))
        return false;
    for (intptr_t i = 0; i < text->count; i++) {
        struct python_text line;
        if (!python_text_read(python_objects_list_item(text->lines, i), &line))
            return false;
        bytes += sizeof text->piece_head + line.bytes;
        if (bytes > WIRE_TEXT_BYTES_MAX)
            return false;
    }
    text->head.bytes = (uint32_t)bytes;
    return true;
}

static uint64_t hash_lines(const struct source_text *text, uint64_t hash)
{
    for (intptr_t i = 0; i < text->count; i++) {
        struct python_text line;
        python_text_read(python_objects_list_item(text->lines, i), &line);
        hash = text->head.bytes <= HASHED_BYTES_MAX
                   ? hash_text(hash, &line)
                   : hash_mix(hash_mix(hash, line.bytes), (uintptr_t)line.data);
    }
    return hash;
}

/* --- sending it --- */

/* The head, then of the name and of each line its own head and its characters. */
static struct part next_part(struct fragments *fragments)
{
    struct source_text *text = (struct source_text *)fragments;
    if (!text->has_begun) {
        text->has_begun = true;
        text->piece = text->name;
        return (struct part){(const unsigned char *)&text->head, sizeof text->head};
    }
    text->is_at_head = !text->is_at_head;
    if (text->is_at_head) {
        text->piece_head = (uint32_t)(text->piece.width >> 1) << WIRE_TEXT_PIECE_WIDTH_SHIFT |
                           (uint32_t)text->piece.bytes;
        return (struct part){(const unsigned char *)&text->piece_head, sizeof text->piece_head};
    }
    struct part part = {text->piece.data, (uint32_t)text->piece.bytes};
    if (text->next < text->count)
        python_text_read(python_objects_list_item(text->lines, text->next++), &text->piece);
    return part;
}

static bool send_text(struct source_text *text)
{
    text->fragments.next_part = next_part;
    text->fragments.left = (uint32_t)sizeof text->head + text->head.bytes;
    return fragments_send(&text->fragments,
                          wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_TEXT << WIRE_MARK_SHIFT,
                          WIRE_TEXT_BEGIN_BIT);
}

/* Unless it is known. */
static void tell_text(struct source_text *text, uint64_t hash)
{
    _Atomic uint64_t *known = &told[hash % TOLD];
    if (atomic_load_explicit(known, memory_order_relaxed) == hash)
        return;
    lock_take(&sending);
    if (send_text(text))
        atomic_store_explicit(known, hash, memory_order_relaxed);
    lock_release(&sending);
}

/* False: there is none. */
static bool look_up(struct sought *sought)
{
    struct source_text text = {.lines = find_lines(sought)};
    text.name = sought->name;
    if (!text.lines || !measure_text(&text))
        return false;
    tell_text(&text, hash_lines(&text, sought->hash));
    return true;
}

static void look_for_waiting(void)
{
    for (unsigned i = 0; i < WAITING; i++) {
        struct sought sought = {.hash = atomic_load_explicit(&waiting[i], memory_order_relaxed)};
        if (!sought.hash)
            continue;
        atomic_store_explicit(&waiting[i], 0, memory_order_relaxed);
        look_up(&sought);
    }
}

/* When there is no more room one of them is lost. */
static void let_wait(uint64_t hash)
{
    unsigned at = 0;
    while (at < WAITING && atomic_load_explicit(&waiting[at], memory_order_relaxed) &&
           atomic_load_explicit(&waiting[at], memory_order_relaxed) != hash)
        at++;
    atomic_store_explicit(&waiting[at < WAITING ? at : hash % WAITING], hash, memory_order_relaxed);
}

void source_text_tell(uintptr_t code)
{
    struct sought sought;
    struct python_asking asking;
    uintptr_t file = *(const uintptr_t *)(code + python_layout.at.code_file);
    if (!python_text_read(file, &sought.name) || !sought.name.bytes)
        return;
    bool is_path = sought.name.data[0] == '/';
    sought.hash = hash_text(1, &sought.name);
    if (is_path && atomic_load_explicit(&missed, memory_order_relaxed) == sought.hash)
        return;
    if (!python_objects_begin(&asking)) {
        let_wait(sought.hash);
        return;
    }
    if (!look_up(&sought) && is_path)
        atomic_store_explicit(&missed, sought.hash, memory_order_relaxed);
    look_for_waiting();
    python_objects_end(&asking);
}

void source_text_forget(void)
{
    for (unsigned i = 0; i < TOLD; i++)
        atomic_store_explicit(&told[i], 0, memory_order_relaxed);
    for (unsigned i = 0; i < WAITING; i++)
        atomic_store_explicit(&waiting[i], 0, memory_order_relaxed);
    atomic_store_explicit(&missed, 0, memory_order_relaxed);
}

void source_text_lock(void)
{
    lock_take(&sending);
}

void source_text_unlock(void)
{
    lock_release(&sending);
}
