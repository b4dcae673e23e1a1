/*
 * A process says a path and the build-id of what it has loaded from there. The path is opened in
 * the process's own root, and the file counts when its build-id is that one. What has no build-id
 * counts when its inode is that of the mapping in /proc/PID/maps; devices are not compared, for
 * btrfs and overlayfs show another one in the mappings than in the file's status. Where the process
 * is gone by then, only a file that has not been changed since the run began is believed.
 *
 * Where the path leads to another file, or nowhere, the kernel may know another path. A file
 * without a name is had through /proc/PID/map_files, which only a privileged collector may open, or
 * /proc/PID/exe.
 */
#include "collector/symbols/native_modules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/base/text.h"
#include "collector/system/memory_map.h"
#include "collector/system/root_file.h"

#define DELETED " (deleted)"

enum {
    SALT_FILE,
    SALT_PATH,
};

bool native_modules_init(struct native_modules *modules)
{
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    *modules = (struct native_modules){.count = 1, .files_max = limit.rlim_cur / 4 * 3};
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

/* --- paths ---------------------------------------------------------------------------------------
 */

/* Where the last part of a path begins that has been written up to `end`. */
static char *last_part(char *path, char *end)
{
    while (end > path && *--end != '/')
        ;
    return end;
}

/* Takes ".", ".." and empty parts out of an absolute path, in place. */
static void simplify_path(char *path)
{
    char *out = path;
    for (const char *in = path; *in;) {
        const char *part = in + strspn(in, "/");
        size_t length = strcspn(part, "/");
        in = part + length;
        if (length == 0 || (length == 1 && part[0] == '.'))
            continue;
        if (length == 2 && memcmp(part, "..", 2) == 0) {
            out = last_part(path, out);
            continue;
        }
        *out++ = '/';
        memmove(out, part, length);
        out += length;
    }
    *out = 0;
}

/* The path in UTF-8, as short as it is without a look at links. */
static char *shown_path(const char *path)
{
    char *plain = strdup(path), *text = NULL;
    if (plain) {
        simplify_path(plain);
        text = text_from_bytes(plain);
    }
    free(plain);
    return text;
}

/* --- identity ------------------------------------------------------------------------------------
 */

/* Takes back what was set from a file. */
static void forget_file(struct native_module *module)
{
    if (module->file >= 0)
        close(module->file);
    module->file = -1;
    module->kind = NATIVE_MODULE_FILE;
    module->device = module->inode = module->size = 0;
    module->changed = (struct timespec){0};
    module->facts = (struct elf_facts){0};
}

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
    return same_file &&
           (one->file >= 0 || (strcmp(one->path, other->path) == 0 &&
                               build_id_is_same(&one->facts.build_id, &other->facts.build_id)));
}

static uint64_t identity_key(const struct native_modules *modules,
                             const struct native_module *module)
{
    const struct index *index = &modules->by_identity;
    const uint64_t numbers[] = {module->device, module->inode, module->size,
                                (uint64_t)module->changed.tv_sec,
                                (uint64_t)module->changed.tv_nsec};
    return module->file >= 0 ? index_key(index, SALT_FILE, numbers, sizeof numbers)
                             : index_key(index, SALT_PATH, module->path, strlen(module->path));
}

/* The number of a module that is the same, else 0 and the key that a new one gets: another one of
 * the same hash moves it on to the next. */
static uint32_t find_same(const struct native_modules *modules, const struct native_module *module,
                          uint64_t *key)
{
    uint32_t number;
    for (*key = identity_key(modules, module); (number = index_find(&modules->by_identity, *key));
         ++*key)
        if (is_same(native_modules_get(modules, number), module))
            return number;
    return 0;
}

/* --- the file of a mapping -----------------------------------------------------------------------
 */

/* The file that a process has loaded is looked for. */
struct search {
    const struct native_modules *modules;
    int pid, root;
    const struct native_mapping *told;
    struct memory_mapping kernel;  /* what the kernel says, */
    bool asked_kernel, has_kernel; /* when it was asked, and knew a file */
    bool saw_another;              /* a path led to a file that is not the one */
    struct native_module *module;  /* to be filled */
    const char *path;              /* where its file was */
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Is it the same name, but for the kernel's mark for deleted files, which /proc/PID/exe has too? */
static bool has_same_name(const char *told, const char *path)
{
    const char *one = base_name(told), *other = base_name(path);
    size_t length = strlen(other);
    return strncmp(one, other, length) == 0 && (!one[length] || strcmp(one + length, DELETED) == 0);
}

static void ask_kernel(struct search *search)
{
    if (!search->asked_kernel)
        search->has_kernel = memory_map_find(search->pid, search->told->start, &search->kernel) &&
                             search->kernel.inode;
    search->asked_kernel = true;
}

static bool is_later(const struct timespec *time, const struct timespec *than)
{
    return time->tv_sec > than->tv_sec ||
           (time->tv_sec == than->tv_sec && time->tv_nsec > than->tv_nsec);
}

/* Is an opened file the one that was loaded? */
static bool is_wanted(struct search *search, const struct stat *status,
                      const struct elf_facts *facts)
{
    const struct timespec *since = &search->modules->since;
    if (search->told->id.size)
        return build_id_is_same(&facts->build_id, &search->told->id);
    ask_kernel(search);
    if (search->has_kernel)
        return status->st_ino == search->kernel.inode;
    return !since->tv_sec || !is_later(&status->st_ctim, since);
}

static bool take_file(struct search *search, int file, const struct stat *status, const char *path)
{
    struct native_module *module = search->module;
    uint64_t key;
    if (file < 0)
        return false;
    module->file = file;
    set_status(module, status);
    const struct native_module *known =
        native_modules_get(search->modules, find_same(search->modules, module, &key));
    if (!known && !elf_facts_read(file, &module->facts))
        module->kind = NATIVE_MODULE_RAW;
    if (is_wanted(search, status, known ? &known->facts : &module->facts)) {
        search->path = path;
        return true;
    }
    forget_file(module);
    return false;
}

static bool take_path(struct search *search, const char *path)
{
    struct stat status;
    int file = root_file_open(search->root, path, &status);
    bool is_it = take_file(search, file, &status, path);
    search->saw_another |= file >= 0 && !is_it;
    return is_it;
}

static bool take_link(struct search *search, const char *link)
{
    struct stat status;
    return take_file(search, root_file_open_link(link, &status), &status, search->kernel.path);
}

/* Through what the kernel knows of the mapping. Another program may have taken the process's place
 * by now: without a build-id the names must be the same. */
static bool take_mapped(struct search *search)
{
    const struct memory_mapping *kernel = &search->kernel;
    char link[96];
    ask_kernel(search);
    bool is_same = search->has_kernel && has_same_name(search->told->path, kernel->path);
    if (!search->has_kernel || (!is_same && !search->told->id.size))
        return false;
    search->module->is_deleted = is_same && kernel->is_deleted;
    if (!kernel->is_deleted && take_path(search, kernel->path))
        return true;
    snprintf(link, sizeof link, "/proc/%d/map_files/%llx-%llx", search->pid,
             (unsigned long long)kernel->start, (unsigned long long)kernel->end);
    if (take_link(search, link))
        return true;
    snprintf(link, sizeof link, "/proc/%d/exe", search->pid);
    return take_link(search, link);
}

static const char *note_of_absent(const struct search *search)
{
    if (search->root == ROOT_NONE)
        return "its file cannot be seen from here";
    if (search->module->is_deleted)
        return "its file was deleted or replaced after it was loaded";
    if (search->saw_another)
        return "its file is another one than was loaded";
    return "its file could not be opened";
}

static void set_file(struct search *search)
{
    struct native_module *module = search->module;
    const struct native_mapping *told = search->told;
    search->path = told->path;
    if (!take_path(search, told->path) && !take_mapped(search)) {
        module->kind = NATIVE_MODULE_RAW;
        module->note = note_of_absent(search);
        module->inode = search->has_kernel ? search->kernel.inode : 0;
        module->facts.build_id = told->id;
        search->path = module->is_deleted ? search->kernel.path : told->path;
    }
    module->path = shown_path(search->path);
}

/* --- new modules ---------------------------------------------------------------------------------
 */

static void set_module(struct search *search)
{
    struct native_module *module = search->module;
    const char *path = search->told->path;
    if (path[0] == '/') {
        set_file(search);
        return;
    }
    bool is_vdso = strcmp(path, "[vdso]") == 0;
    module->kind = is_vdso ? NATIVE_MODULE_VDSO : NATIVE_MODULE_ANONYMOUS;
    module->path = strdup(is_vdso ? path : "[anonymous]");
}

/* What is read once it is known that the module is new. */
static void find_debug_files(struct native_module *module, int root, const char *path)
{
    if (module->file < 0)
        return;
    if (module->kind == NATIVE_MODULE_RAW) {
        module->note = "its file is no ELF file";
        return;
    }
    debug_files_find(root, path, &module->facts, &module->debug);
    module->note = module->debug.note;
}

/* Processes, too, need descriptors. */
static void leave_file(struct native_module *module, const struct native_mapping *told)
{
    forget_file(module);
    module->kind = NATIVE_MODULE_RAW;
    module->facts.build_id = told->id;
    module->note = "too many files of native code are open";
}

/* Gives the module its number; 0 when memory is short. */
static uint32_t keep_module(struct native_modules *modules, struct native_module *module,
                            uint64_t key)
{
    uint32_t *value = NULL;
    if (vector_reserve(&modules->list, (size_t)modules->count + 1, sizeof module))
        value = index_at(&modules->by_identity, key);
    if (!value)
        return 0;
    *value = modules->count++;
    ((struct native_module **)modules->list.data)[*value] = module;
    modules->files += (module->file >= 0) + (module->debug.own >= 0) + (module->debug.shared >= 0);
    return *value;
}

uint32_t native_modules_add(struct native_modules *modules, int pid, int root,
                            const struct native_mapping *mapping)
{
    struct native_module *module = calloc(1, sizeof *module);
    struct search search = {
        .modules = modules, .pid = pid, .root = root, .told = mapping, .module = module};
    uint64_t key;
    uint32_t number = 0;
    if (!module)
        return 0;
    module->file = module->debug.own = module->debug.shared = -1;
    set_module(&search);
    if (module->path && !(number = find_same(modules, module, &key)) && module->file >= 0 &&
        modules->files >= modules->files_max) {
        leave_file(module, mapping);
        number = find_same(modules, module, &key);
    }
    if (module->path && !number) {
        module->is_ours = root_is_own(root);
        find_debug_files(module, root, search.path);
        if ((number = keep_module(modules, module, key)))
            return number;
    }
    module_free(module);
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
