/*
 * LLVM's variable is a local symbol where LLVM is part of a library (llvmlite's), so the loader
 * does not know it: it is looked for in the symbol table of the module's file, once for each
 * module, when code has been met that no module has. In a process without such code no file is
 * opened.
 *
 * The program changes a list at any time, under a lock of its own, and a module with a list may be
 * unloaded: whatever is in one is copied (memory_copy.h), and ends may be anywhere. The file may be
 * another one by now: a variable counts only when it lies in its module.
 *
 * A list that has changed says so in the variable, which names the entry that was changed last; or
 * the first entry is another one in the memory of one that has been taken out, which is looked at
 * whenever the reader's clock has moved, for it takes a system call. The variable is looked at
 * before every stack with made code, and read as it stands: who unloads libraries waits until
 * nobody does. Who asks reads without a lock what was noted: at worst it is taken for changed. A
 * list that cannot be copied, because the kernel copies nothing here, is none.
 */
#include "preload/native/debugger_lists.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/base/memory.h"
#include "preload/base/memory_copy.h"
#include "preload/base/shim.h"
#include "preload/carrier/ring_writer.h"
#include "preload/native/native_modules.h"
#include "wire.h"

#define LISTS_MAX    16u
#define SEARCHED_MAX 1024u
#define ENTRIES_MAX  65536u /* of a list; it may be a ring by chance */
#define SECTIONS_MAX 4096u
#define BUFFER_BYTES 65536u
/* Who looks has been left by a jump if it takes longer. */
#define UNLOADING_WAITS 10000u
#define VARIABLE        "__jit_debug_descriptor"
#define VERSION         1u

struct variable {
    uint32_t version, action;
    uintptr_t relevant, first;
};

/* How a list begins. */
struct beginning {
    struct variable variable;
    struct debugger_entry first;
    bool is_sound; /* there is a first entry */
};

static struct list {
    uintptr_t at;            /* where its variable is, */
    const void *start, *end; /* and its module */
    struct beginning noted;
} lists[LISTS_MAX];
static _Atomic unsigned lists_count;

/* What has been searched stays so, also when modules are announced anew. */
static struct searched {
    const void *start, *end;
    uint64_t name; /* hashed */
} searched[SEARCHED_MAX];
static unsigned searched_count;
static _Atomic uint32_t announcements; /* of modules, that are searched */

static _Atomic unsigned looking;   /* so many threads read variables as they stand, */
static _Atomic unsigned unloading; /* which none does that begins while so many unload libraries */
static _Atomic uint32_t clock_looked_at;

/* --- the symbol table of a file --- */

struct file {
    int descriptor;
    ElfW(Shdr) symbols, names;
    unsigned char *buffer;
};

static bool read_at(const struct file *file, void *to, uint64_t offset, size_t bytes)
{
    return offset <= INT64_MAX &&
           syscall(SYS_pread64, file->descriptor, to, bytes, offset) == (long)bytes;
}

static bool read_section(const struct file *file, const ElfW(Ehdr) * header, uint32_t number,
                         ElfW(Shdr) * section)
{
    return number < header->e_shnum &&
           read_at(file, section, header->e_shoff + (uint64_t)number * sizeof *section,
                   sizeof *section);
}

/* The file's table of symbols with that of their names; the loader's where it has no other. */
static bool find_symbols(struct file *file)
{
    ElfW(Ehdr) header;
    ElfW(Shdr) section;
    if (!read_at(file, &header, 0, sizeof header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_shentsize != sizeof section || header.e_shnum > SECTIONS_MAX)
        return false;
    file->symbols.sh_type = SHT_NULL;
    for (uint32_t i = 0; i < header.e_shnum && file->symbols.sh_type != SHT_SYMTAB; i++)
        if (read_section(file, &header, i, &section) &&
            (section.sh_type == SHT_SYMTAB || section.sh_type == SHT_DYNSYM))
            file->symbols = section;
    return file->symbols.sh_type != SHT_NULL && file->symbols.sh_entsize == sizeof(ElfW(Sym)) &&
           read_section(file, &header, file->symbols.sh_link, &file->names);
}

/* Where the variable's name stands among the names. */
static bool find_name(const struct file *file, uint64_t *offset)
{
    static const char name[] = VARIABLE;
    for (uint64_t at = 0; at < file->names.sh_size; at += BUFFER_BYTES - sizeof name) {
        uint64_t left = file->names.sh_size - at;
        size_t bytes = left < BUFFER_BYTES ? left : BUFFER_BYTES;
        if (!read_at(file, file->buffer, file->names.sh_offset + at, bytes))
            return false;
        const unsigned char *found = memmem(file->buffer, bytes, name, sizeof name);
        if (found) {
            *offset = at + (uint64_t)(found - file->buffer);
            return true;
        }
    }
    return false;
}

/* The value of the symbol whose name stands there; 0: there is none. */
static uint64_t find_value(const struct file *file, uint64_t name)
{
    const size_t most = BUFFER_BYTES / sizeof(ElfW(Sym));
    uint64_t count = file->symbols.sh_size / sizeof(ElfW(Sym));
    for (uint64_t at = 0; at < count; at += most) {
        const ElfW(Sym) *symbols = (const ElfW(Sym) *)(const void *)file->buffer;
        size_t some = count - at < most ? count - at : most;
        if (!read_at(file, file->buffer, file->symbols.sh_offset + at * sizeof *symbols,
                     some * sizeof *symbols))
            return 0;
        for (size_t i = 0; i < some; i++)
            if (symbols[i].st_name == name && symbols[i].st_shndx != SHN_UNDEF)
                return symbols[i].st_value;
    }
    return 0;
}

static uint64_t find_variable(const char *path)
{
    struct file file = {.buffer = memory_map(BUFFER_BYTES)};
    uint64_t name, value = 0;
    if (!file.buffer)
        return 0;
    file.descriptor = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file.descriptor >= 0) {
        if (find_symbols(&file) && find_name(&file, &name))
            value = find_value(&file, name);
        syscall(SYS_close, file.descriptor);
    }
    memory_unmap(file.buffer, BUFFER_BYTES);
    return value;
}

/* --- modules --- */

/* Notes that a module is searched. False: it has been before, or there is no room to note it. */
static bool note_searched(const struct dl_find_object *object, const char *path)
{
    struct searched module = {.start = object->dlfo_map_start,
                              .end = object->dlfo_map_end,
                              .name = UINT64_C(0xcbf29ce484222325)};
    for (; *path; path++)
        module.name = (module.name ^ (unsigned char)*path) * UINT64_C(0x100000001b3);
    for (unsigned i = 0; i < searched_count; i++)
        if (memcmp(&searched[i], &module, sizeof module) == 0)
            return false;
    if (searched_count == SEARCHED_MAX)
        return false;
    searched[searched_count++] = module;
    return true;
}

static void add_list(const struct dl_find_object *object, uintptr_t at)
{
    unsigned count = atomic_load_explicit(&lists_count, memory_order_relaxed);
    if (at < (uintptr_t)object->dlfo_map_start || at >= (uintptr_t)object->dlfo_map_end ||
        at % _Alignof(struct variable) || count == LISTS_MAX)
        return;
    lists[count] =
        (struct list){.at = at, .start = object->dlfo_map_start, .end = object->dlfo_map_end};
    atomic_store_explicit(&lists_count, count + 1, memory_order_release);
}

static void search_module(uintptr_t start)
{
    char *path = memory_map(WIRE_MODULE_PATH_MAX + 1);
    struct dl_find_object object;
    struct link_map map;
    if (!path)
        return;
    if (_dl_find_object((void *)start, &object) == 0 &&
        memory_copy(&map, (uintptr_t)object.dlfo_link_map, sizeof map)) {
        if (!memory_copy_text(path, (uintptr_t)map.l_name, WIRE_MODULE_PATH_MAX))
            strcpy(path, "/proc/self/exe");
        uint64_t value = note_searched(&object, path) ? find_variable(path) : 0;
        if (value)
            add_list(&object, map.l_addr + value);
    }
    memory_unmap(path, WIRE_MODULE_PATH_MAX + 1);
}

/* --- lists --- */

/* Notes how a list begins now. False: it cannot be read. */
static bool note_beginning(struct list *list)
{
    struct beginning now = {0};
    if (!memory_copy(&now.variable, list->at, sizeof now.variable))
        return false;
    now.is_sound = now.variable.version == VERSION && now.variable.first &&
                   memory_copy(&now.first, now.variable.first, sizeof now.first);
    list->noted = now;
    return true;
}

static bool has_moved(const struct list *list)
{
    return memcmp((const void *)list->at, &list->noted.variable, sizeof list->noted.variable) != 0;
}

static bool has_other_entry(const struct list *list)
{
    struct debugger_entry first;
    return list->noted.is_sound && memory_copy(&first, list->noted.variable.first, sizeof first) &&
           memcmp(&first, &list->noted.first, sizeof first) != 0;
}

/* Once for each time that the clock has. */
static bool has_clock_moved(void)
{
    uint32_t clock = atomic_load_explicit(&ring_writer.reader->clock, memory_order_relaxed);
    return clock != atomic_exchange_explicit(&clock_looked_at, clock, memory_order_relaxed);
}

static bool has_any(bool (*is_it)(const struct list *list))
{
    unsigned count = atomic_load_explicit(&lists_count, memory_order_acquire);
    for (unsigned i = 0; i < count; i++)
        if (is_it(&lists[i]))
            return true;
    return false;
}

bool debugger_lists_have_changed(void)
{
    if (shim_is_sealed())
        return false;
    if (atomic_load_explicit(&announcements, memory_order_relaxed) !=
        native_modules_announcements())
        return true;
    if (!atomic_load_explicit(&lists_count, memory_order_relaxed))
        return false;
    atomic_fetch_add(&looking, 1);
    bool changed = !atomic_load(&unloading) && has_any(has_moved);
    atomic_fetch_sub(&looking, 1);
    return changed || (has_clock_moved() && has_any(has_other_entry));
}

void debugger_lists_begin_unloading(void)
{
    atomic_fetch_add(&unloading, 1);
    for (unsigned i = 0; i < UNLOADING_WAITS && atomic_load(&looking); i++)
        sched_yield();
}

void debugger_lists_end_unloading(void)
{
    atomic_fetch_sub(&unloading, 1);
}

void debugger_lists_reset(void)
{
    atomic_store(&looking, 0);
    atomic_store(&unloading, 0);
}

static bool is_loaded(const void *start, const void *end)
{
    struct dl_find_object object;
    return _dl_find_object((void *)start, &object) == 0 && object.dlfo_map_start == start &&
           object.dlfo_map_end == end;
}

static bool is_list_loaded(struct list *list)
{
    return is_loaded(list->start, list->end);
}

/* Leaves out the lists for which `stays` is not true. */
static void keep_lists(bool (*stays)(struct list *list))
{
    unsigned count = atomic_load(&lists_count), kept = 0;
    for (unsigned i = 0; i < count; i++)
        if (stays(&lists[i]))
            lists[kept++] = lists[i];
    atomic_store(&lists_count, kept);
}

void debugger_lists_forget_unloaded(void)
{
    unsigned count = searched_count;
    keep_lists(is_list_loaded);
    searched_count = 0;
    for (unsigned i = 0; i < count; i++)
        if (is_loaded(searched[i].start, searched[i].end))
            searched[searched_count++] = searched[i];
}

void debugger_lists_renew(void)
{
    uint32_t now = native_modules_announcements();
    if (shim_is_sealed())
        return;
    if (now != atomic_load_explicit(&announcements, memory_order_relaxed))
        native_modules_go(search_module);
    atomic_store_explicit(&announcements, now, memory_order_relaxed);
    keep_lists(note_beginning);
}

void debugger_lists_go(bool (*is_it)(const struct debugger_entry *entry, void *context),
                       void *context)
{
    struct debugger_entry entry;
    for (unsigned i = 0; i < atomic_load_explicit(&lists_count, memory_order_relaxed); i++) {
        uintptr_t at = lists[i].noted.is_sound ? lists[i].noted.variable.first : 0;
        for (unsigned seen = 0; at && seen < ENTRIES_MAX; seen++, at = entry.next)
            if (!memory_copy(&entry, at, sizeof entry))
                break;
            else if (is_it(&entry, context))
                return;
    }
}
