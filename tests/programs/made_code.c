/*
 * A library that makes code while the program runs, and tells debuggers of it as LLVM does: it
 * loads relocatable objects (made_object.c) and keeps them in the list of the JIT interface.
 */
#include <elf.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define OBJECTS_MAX 64
#define AREA_BYTES  (UINT64_C(1) << 16)

#ifdef LOCAL
#define SCOPE static
#else
#define SCOPE
#endif

struct entry {
    struct entry *next, *previous;
    const char *object;
    uint64_t bytes;
};

enum { NOTHING, REGISTER, UNREGISTER };

SCOPE struct {
    uint32_t version, action;
    struct entry *relevant, *first;
} __jit_debug_descriptor __attribute__((used)) = {.version = 1};

SCOPE __attribute__((noinline, used)) void __jit_debug_register_code(void)
{
    __asm__ volatile("" ::: "memory");
}

static struct entry entries[OBJECTS_MAX];
static char *area;

static void insert(struct entry *entry)
{
    entry->previous = NULL;
    entry->next = __jit_debug_descriptor.first;
    if (entry->next)
        entry->next->previous = entry;
    __jit_debug_descriptor.first = __jit_debug_descriptor.relevant = entry;
    __jit_debug_descriptor.action = REGISTER;
    __jit_debug_register_code();
}

static void take_out(struct entry *entry)
{
    if (entry->next)
        entry->next->previous = entry->previous;
    if (entry->previous)
        entry->previous->next = entry->next;
    else
        __jit_debug_descriptor.first = entry->next;
    __jit_debug_descriptor.relevant = entry;
    __jit_debug_descriptor.action = UNREGISTER;
    __jit_debug_register_code();
}

static char *read_file(const char *path, uint64_t *bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        abort();
    fseek(file, 0, SEEK_END);
    *bytes = (uint64_t)ftell(file);
    rewind(file);
    char *text = malloc(*bytes);
    if (fread(text, 1, *bytes, file) != *bytes)
        abort();
    fclose(file);
    return text;
}

static Elf64_Shdr *section_at(char *object, uint32_t number)
{
    return (Elf64_Shdr *)(void *)(object + ((Elf64_Ehdr *)(void *)object)->e_shoff) + number;
}

static Elf64_Sym *symbol_at(char *object, const Elf64_Shdr *table, uint64_t number)
{
    return (Elf64_Sym *)(void *)(object + table->sh_offset) + number;
}

/* Relocations relative to where they stand are all that there are. */
static void relocate(char *object, const Elf64_Shdr *section)
{
    const Elf64_Rela *list = (const Elf64_Rela *)(const void *)(object + section->sh_offset);
    const Elf64_Shdr *target = section_at(object, section->sh_info);
    for (uint64_t i = 0; i < section->sh_size / sizeof *list && target->sh_addr; i++) {
        const Elf64_Sym *symbol =
            symbol_at(object, section_at(object, section->sh_link), ELF64_R_SYM(list[i].r_info));
        uint64_t place = target->sh_addr + list[i].r_offset;
        uint64_t value = section_at(object, symbol->st_shndx)->sh_addr + symbol->st_value;
        int32_t distance = (int32_t)(value + (uint64_t)list[i].r_addend - place);
        memcpy((void *)place, &distance, sizeof distance);
    }
}

/* Puts the object's contents to the beginning of the area. */
static void load(char *object)
{
    uint32_t count = ((const Elf64_Ehdr *)(const void *)object)->e_shnum;
    uint64_t at = (uint64_t)area;
    for (uint32_t i = 0; i < count; i++) {
        Elf64_Shdr *section = section_at(object, i);
        if (!(section->sh_flags & SHF_ALLOC) || !section->sh_size)
            continue;
        at = (at + 63) / 64 * 64;
        section->sh_addr = at;
        memcpy((void *)at, object + section->sh_offset, section->sh_size);
        at += section->sh_size;
    }
    for (uint32_t i = 0; i < count; i++)
        if (section_at(object, i)->sh_type == SHT_RELA)
            relocate(object, section_at(object, i));
}

/* Loads an object where the one before was, and tells of it. Returns the area. */
void *made_load(const char *path, int number)
{
    struct entry *entry = &entries[number];
    if (!area)
        area = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *object = read_file(path, &entry->bytes);
    entry->object = object;
    load(object);
    insert(entry);
    return area;
}

void made_unload(int number)
{
    take_out(&entries[number]);
    free((char *)entries[number].object);
}

/* Calls the function that the latest object begins with. */
void *made_call(size_t size)
{
    union {
        char *data;
        void *(*code)(void *(*)(size_t), size_t);
    } made = {.data = area};
    void *volatile block = made.code(malloc, size);
    return block;
}

/* --- a list that does not stand still --- */

static volatile int is_over;
static pthread_t thread;

static void *change(void *path)
{
    static struct entry entry;
    while (!is_over) {
        char *object =
            mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct entry *another = malloc(sizeof *another);
        memcpy(object, entries[0].object, entries[0].bytes);
        *another = (struct entry){.object = object, .bytes = AREA_BYTES};
        entry = (struct entry){.object = (const char *)8, .bytes = UINT64_MAX};
        insert(&entry);
        insert(another);
        take_out(another);
        take_out(&entry);
        memset(another, 0xff, sizeof *another);
        free(another);
        munmap(object, AREA_BYTES);
    }
    return path;
}

void made_begin_changes(void)
{
    pthread_create(&thread, NULL, change, NULL);
}

void made_end_changes(void)
{
    is_over = 1;
    pthread_join(thread, NULL);
}
