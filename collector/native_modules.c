/*
 * A mapping names a file by path, device and inode. The path is opened in the process's own root
 * and counts when the inode is the mapping's; devices are not compared, for btrfs and overlayfs
 * show another one in the mappings than in the file's status. A file without a name is had through
 * /proc/PID/map_files, which only a privileged collector may open, or /proc/PID/exe.
 */
#include "native_modules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "root_file.h"
#include "text.h"

#define DELETED " (deleted)"

enum {
    SEED_FILE = 11,
    SEED_PATH,
};

bool native_modules_init(struct native_modules *modules)
{
    *modules = (struct native_modules){.count = 1};
    return vector_reserve(&modules->list, 1, sizeof(struct native_module *)) &&
           index_init(&modules->by_identity);
}

static struct native_module *module_free(struct native_module *module)
{
    if (!module)
        return NULL;
    if (module->file >= 0)
        close(module->file);
    debug_files_close(&module->debug);
    free(module->path);
    free(module);
    return NULL;
}

void native_modules_deinit(struct native_modules *modules)
{
    for (uint32_t i = 1; i < modules->count; i++)
        module_free(native_modules_get(modules, i));
    vector_deinit(&modules->list);
    index_deinit(&modules->by_identity);
}

/* --- the file of a mapping -----------------------------------------------------------------------
 */

/* What was opened, when it is the mapping's file, as far as that is known. */
static int checked(int file, const struct stat *status, const struct native_mapping *mapping)
{
    if (file < 0 || !mapping->inode || status->st_ino == mapping->inode)
        return file;
    close(file);
    return -1;
}

static int open_path(int root, const struct native_mapping *mapping, struct stat *status)
{
    return checked(root_file_open(root, mapping->path, status), status, mapping);
}

/* In the mappings a line feed in a name is written as \012. */
static int open_escaped_path(int root, const struct native_mapping *mapping, struct stat *status)
{
    struct native_mapping plain = *mapping;
    if (!strstr(mapping->path, "\\012") || !(plain.path = strdup(mapping->path)))
        return -1;
    for (char *at; (at = strstr(plain.path, "\\012"));) {
        *at = '\n';
        memmove(at + 1, at + 4, strlen(at + 4) + 1);
    }
    int file = open_path(root, &plain, status);
    free(plain.path);
    return file;
}

static int open_link(int pid, const struct native_mapping *mapping, struct stat *status)
{
    char link[96];
    snprintf(link, sizeof link, "/proc/%d/map_files/%llx-%llx", pid,
             (unsigned long long)mapping->start, (unsigned long long)mapping->end);
    int file = checked(root_file_open_link(link, status), status, mapping);
    if (file < 0) {
        snprintf(link, sizeof link, "/proc/%d/exe", pid);
        file = checked(root_file_open_link(link, status), status, mapping);
    }
    return file;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length > end_length && strcmp(text + length - end_length, end) == 0;
}

static int open_file(int pid, int root, const struct native_mapping *mapping,
                     struct native_module *module, struct stat *status)
{
    int file = open_path(root, mapping, status);
    if (file < 0)
        file = open_escaped_path(root, mapping, status);
    if (file >= 0)
        return file;
    module->is_deleted = ends_with(mapping->path, DELETED);
    return open_link(pid, mapping, status);
}

/* --- identity ------------------------------------------------------------------------------------
 */

static void set_status(struct native_module *module, const struct stat *status)
{
    module->device = status->st_dev;
    module->inode = status->st_ino;
    module->size = (uint64_t)status->st_size;
    module->changed = status->st_mtim;
}

static bool is_same(const struct native_module *one, const struct native_module *other)
{
    if ((one->file < 0) != (other->file < 0))
        return false;
    bool same_file = one->device == other->device && one->inode == other->inode &&
                     one->size == other->size && one->changed.tv_sec == other->changed.tv_sec &&
                     one->changed.tv_nsec == other->changed.tv_nsec;
    return same_file && (one->file >= 0 || strcmp(one->path, other->path) == 0);
}

static uint64_t identity_hash(const struct native_module *module)
{
    const uint64_t numbers[] = {module->device, module->inode, module->size,
                                (uint64_t)module->changed.tv_sec,
                                (uint64_t)module->changed.tv_nsec};
    return module->file >= 0 ? hash_bytes(SEED_FILE, numbers, sizeof numbers)
                             : hash_bytes(SEED_PATH, module->path, strlen(module->path));
}

/* The number of a module that is the same, else 0 and the key that a new one gets: another one of
 * the same hash moves it on to the next. */
static uint32_t find_same(const struct native_modules *modules, const struct native_module *module,
                          uint64_t *key)
{
    uint32_t number;
    for (*key = identity_hash(module); (number = index_find(&modules->by_identity, *key)); ++*key)
        if (is_same(native_modules_get(modules, number), module))
            return number;
    return 0;
}

/* --- new modules ---------------------------------------------------------------------------------
 */

static char *shown_path(const struct native_mapping *mapping, bool is_deleted)
{
    size_t length = strlen(mapping->path) - (is_deleted ? strlen(DELETED) : 0);
    char *bytes = strndup(mapping->path, length);
    char *text = bytes ? text_from_bytes(bytes) : NULL;
    free(bytes);
    return text;
}

static void set_file(struct native_module *module, int pid, int root,
                     const struct native_mapping *mapping)
{
    struct stat status;
    module->file = open_file(pid, root, mapping, module, &status);
    module->path = shown_path(mapping, module->is_deleted);
    if (module->file >= 0) {
        set_status(module, &status);
    } else {
        module->device = makedev(mapping->device_major, mapping->device_minor);
        module->inode = mapping->inode;
        module->kind = NATIVE_MODULE_RAW;
        module->note = "its file could not be opened";
    }
}

static struct native_module *module_new(int pid, int root, const struct native_mapping *mapping)
{
    struct native_module *module = calloc(1, sizeof *module);
    if (!module)
        return NULL;
    module->file = module->debug.own = module->debug.shared = -1;
    if (mapping->path[0] == '/') {
        set_file(module, pid, root, mapping);
    } else if (strcmp(mapping->path, "[vdso]") == 0) {
        module->kind = NATIVE_MODULE_VDSO;
        module->path = strdup(mapping->path);
    } else {
        module->kind = NATIVE_MODULE_ANONYMOUS;
        module->path = strdup("[anonymous]");
    }
    return module->path ? module : module_free(module);
}

/* What is read once it is known that the module is new. */
static void read_file(struct native_module *module, int root, const char *path)
{
    if (module->file < 0)
        return;
    if (!elf_facts_read(module->file, &module->facts)) {
        module->kind = NATIVE_MODULE_RAW;
        module->note = "its file is no ELF file";
        return;
    }
    debug_files_find(root, path, &module->facts, &module->debug);
    module->note = module->debug.note;
}

uint32_t native_modules_add(struct native_modules *modules, int pid, int root,
                            const struct native_mapping *mapping)
{
    uint64_t key;
    struct native_module *module = module_new(pid, root, mapping);
    if (!module)
        return 0;
    uint32_t number = find_same(modules, module, &key);
    uint32_t *value = NULL;
    if (!number && vector_reserve(&modules->list, modules->count + 1, sizeof module))
        value = index_at(&modules->by_identity, key);
    if (!value) {
        module_free(module);
        return number;
    }
    read_file(module, root, mapping->path);
    *value = number = modules->count++;
    ((struct native_module **)modules->list.data)[number] = module;
    return number;
}

bool native_module_has_changed(const struct native_module *module)
{
    struct stat status;
    struct native_module now = *module;
    if (module->file < 0)
        return false;
    if (fstat(module->file, &status) != 0)
        return true;
    set_status(&now, &status);
    return !is_same(module, &now);
}

bool native_module_offset(const struct native_module *module, const struct native_mapping *mapping,
                          uint64_t address, uint64_t *offset)
{
    uint64_t within = address - mapping->start;
    switch (module->kind) {
    case NATIVE_MODULE_FILE:
        return elf_facts_address(&module->facts, within + mapping->offset, offset);
    case NATIVE_MODULE_RAW:
        *offset = within + mapping->offset;
        return true;
    case NATIVE_MODULE_VDSO:
        *offset = within;
        return true;
    default:
        *offset = address;
        return true;
    }
}
