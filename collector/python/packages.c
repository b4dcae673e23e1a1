/*
 * Metadata of installed distributions: *.dist-info folders (RECORD lists every file, top_level.txt
 * some have, METADATA knows the name) and *.egg-info ones (top_level.txt, PKG-INFO). See PyPA's
 * "Recording installed projects".
 */
#include "collector/python/packages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/base/index.h"
#include "collector/system/root_file.h"

/* A longer file of metadata is not read. */
#define METADATA_BYTES_MAX ((size_t)16 << 20)
/* Nor is more metadata than this read in all, nor more folders. */
#define ALL_BYTES_MAX ((size_t)512 << 20)
#define FOLDERS_MAX   256u

/* A name in a folder and whose it is: a top-level module or package, or, as several distributions
 * may share such a one, a package or module in it ("google/auth"). */
struct installed_name {
    char *name;
    char *distribution;
};

struct package_folder {
    char *path;                  /* up to and with "site-packages" */
    struct installed_name *list; /* number 0 is not used */
    uint32_t count;
    struct index by_name;
    size_t *bytes_read; /* of all folders */
};

static void folder_deinit(struct package_folder *folder)
{
    for (uint32_t i = 1; i < folder->count; i++) {
        free(folder->list[i].name);
        free(folder->list[i].distribution);
    }
    free(folder->list);
    free(folder->path);
    index_deinit(&folder->by_name);
}

void packages_deinit(struct packages *packages)
{
    for (size_t i = 0; i < packages->count; i++)
        folder_deinit(&packages->folders[i]);
    free(packages->folders);
    *packages = (struct packages){0};
}

/* The key under which a name stands, or would stand. Another name of the same hash moves on to the
 * next one. */
static uint64_t key_of(const struct package_folder *folder, const char *name, size_t length)
{
    uint64_t key = index_key(&folder->by_name, 0, name, length);
    for (uint32_t number; (number = index_find(&folder->by_name, key)); key++)
        if (strncmp(folder->list[number].name, name, length) == 0 &&
            !folder->list[number].name[length])
            break;
    return key;
}

/* Of two distributions with the same name the first one stays. */
static void add_name(struct package_folder *folder, const char *name, size_t length,
                     const char *distribution)
{
    uint64_t key = key_of(folder, name, length);
    if (!length || index_find(&folder->by_name, key))
        return;
    struct installed_name *grown = realloc(folder->list, (folder->count + 1) * sizeof *grown);
    if (!grown)
        return;
    folder->list = grown;
    struct installed_name added = {strndup(name, length), strdup(distribution)};
    uint32_t *number = added.name && added.distribution ? index_at(&folder->by_name, key) : NULL;
    if (number) {
        *number = folder->count;
        folder->list[folder->count++] = added;
        return;
    }
    free(added.name);
    free(added.distribution);
}

/* The length of a module's name in its file's: up to the first dot. */
static size_t module_length(const char *name, size_t length)
{
    const char *dot = memchr(name, '.', length);
    return dot ? (size_t)(dot - name) : length;
}

static char *read_metadata(struct package_folder *folder, int root, const char *info,
                           const char *name)
{
    char *path, *text = NULL;
    size_t bytes = 0;
    if (*folder->bytes_read >= ALL_BYTES_MAX ||
        asprintf(&path, "%s/%s/%s", folder->path, info, name) < 0)
        return NULL;
    text = root_file_read(root, path, METADATA_BYTES_MAX, &bytes);
    *folder->bytes_read += text ? bytes : 0;
    free(path);
    return text;
}

/* The value of the line "Name: …"; else what stands before the first dash of the folder's name. */
static char *distribution_name(const char *metadata, const char *info)
{
    const char *line = metadata ? strstr(metadata, "Name: ") : NULL;
    if (line && (line == metadata || line[-1] == '\n'))
        return strndup(line + 6, strcspn(line + 6, "\r\n"));
    return strndup(info, strcspn(info, "-"));
}

/* Lines of top_level.txt are module names. */
static void add_top_levels(struct package_folder *folder, const char *text,
                           const char *distribution)
{
    while (*text) {
        size_t length = strcspn(text, "\r\n");
        add_name(folder, text, length, distribution);
        text += length + strspn(text + length, "\r\n");
    }
}

/* The length of the first or the first two parts of a path, without a file's ending; 0: there are
 * not so many. */
static size_t parts_length(const char *path, size_t length, unsigned parts)
{
    size_t part = 0;
    for (size_t at = 0; at <= length; at++) {
        if (at < length && path[at] != '/')
            continue;
        if (--parts == 0)
            return at < length ? at : part + module_length(path + part, length - part);
        part = at + 1;
    }
    return 0;
}

/* Lines of RECORD begin with a path below the folder; names in folders of their own (scripts,
 * metadata, caches) are no modules. */
static void add_record(struct package_folder *folder, const char *text, const char *distribution)
{
    while (*text) {
        size_t line = strcspn(text, "\n"), length = strcspn(text, ",\n");
        size_t first = parts_length(text, length, 1);
        bool is_module = first && text[0] != '.' && text[0] != '"' &&
                         (first < 5 || strncmp(text + first - 5, "-info", 5) != 0) &&
                         strncmp(text, "__pycache__/", 12) != 0;
        if (is_module) {
            add_name(folder, text, first, distribution);
            add_name(folder, text, parts_length(text, length, 2), distribution);
        }
        text += line + (text[line] == '\n');
    }
}

static void add_distribution(struct package_folder *folder, int root, const char *info)
{
    bool is_egg = strstr(info, ".egg-info");
    char *metadata = read_metadata(folder, root, info, is_egg ? "PKG-INFO" : "METADATA");
    char *distribution = distribution_name(metadata, info);
    char *record = read_metadata(folder, root, info, is_egg ? "top_level.txt" : "RECORD");
    if (!record && !is_egg) {
        record = read_metadata(folder, root, info, "top_level.txt");
        is_egg = true;
    }
    if (distribution && record && is_egg)
        add_top_levels(folder, record, distribution);
    else if (distribution && record)
        add_record(folder, record, distribution);
    free(metadata);
    free(distribution);
    free(record);
}

static bool has_ending(const char *name, const char *ending)
{
    size_t length = strlen(name), ending_length = strlen(ending);
    return length > ending_length && !strcmp(name + length - ending_length, ending);
}

static void read_folder(struct package_folder *folder, int root)
{
    DIR *stream = root_folder_open(root, folder->path);
    if (!stream)
        return;
    for (struct dirent *entry; (entry = readdir(stream));)
        if (has_ending(entry->d_name, ".dist-info") || has_ending(entry->d_name, ".egg-info"))
            add_distribution(folder, root, entry->d_name);
    closedir(stream);
}

/* What is known of a folder; read when it is met for the first time. */
static struct package_folder *folder_of(struct packages *packages, int root, const char *path,
                                        size_t length)
{
    for (size_t i = 0; i < packages->count; i++)
        if (strncmp(packages->folders[i].path, path, length) == 0 &&
            !packages->folders[i].path[length])
            return &packages->folders[i];
    if (packages->count >= FOLDERS_MAX)
        return NULL;
    struct package_folder *grown =
        realloc(packages->folders, (packages->count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    packages->folders = grown;
    struct package_folder *folder = &grown[packages->count];
    *folder = (struct package_folder){
        .path = strndup(path, length), .count = 1, .bytes_read = &packages->bytes_read};
    if (!folder->path || !index_init(&folder->by_name)) {
        free(folder->path);
        return NULL;
    }
    packages->count++;
    read_folder(folder, root);
    return folder;
}

/* Where, in a path, what is installed begins: behind "/site-packages/"; null: nowhere. */
static const char *installed_part(const char *path)
{
    static const char *const folders[] = {"/site-packages/", "/dist-packages/"};
    const char *last = NULL;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        for (const char *at = path; (at = strstr(at, folders[i])); at++)
            if (!last || at + strlen(folders[i]) > last)
                last = at + strlen(folders[i]);
    return last;
}

static bool is_stdlib(const char *path)
{
    const char *at = strstr(path, "/lib/python");
    return strncmp(path, "<frozen ", 8) == 0 ||
           (at && at[11] >= '0' && at[11] <= '9' && strchr(at + 11, '/'));
}

/* Is it the interpreter: python3.12, libpython3.12.so.1.0? */
static bool is_interpreter(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    name += strncmp(name, "lib", 3) == 0 ? 3 : 0;
    return strncmp(name, "python", 6) == 0 && (!name[6] || strchr("0123456789.-", name[6]));
}

static bool is_system(const char *path)
{
    static const char *const folders[] = {"/lib", "/usr/lib", "/usr/local/lib"};
    static const char *const widths[] = {"/", "32/", "64/", "x32/"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        size_t length = strlen(folders[i]);
        for (size_t j = 0; j < sizeof widths / sizeof *widths; j++)
            if (strncmp(path, folders[i], length) == 0 &&
                strncmp(path + length, widths[j], strlen(widths[j])) == 0)
                return true;
    }
    return strcmp(path, "[vdso]") == 0;
}

/* Whose a path below the folder is: by its first two parts, else by the first. */
static const struct installed_name *find_name(const struct package_folder *folder, const char *path)
{
    for (unsigned parts = 2; folder && parts > 0; parts--) {
        size_t length = parts_length(path, strlen(path), parts);
        uint32_t number = length ? index_find(&folder->by_name, key_of(folder, path, length)) : 0;
        if (number)
            return &folder->list[number];
    }
    return NULL;
}

/* What is installed at `installed` in a path. */
static char *find_distribution(struct packages *packages, int root, const char *path,
                               const char *installed)
{
    struct package_folder *folder = folder_of(packages, root, path, (size_t)(installed - path) - 1);
    const struct installed_name *found = find_name(folder, installed);
    return found ? strdup(found->distribution)
                 : strndup(installed, parts_length(installed, strlen(installed), 1));
}

char *packages_find(struct packages *packages, int root, const char *path)
{
    const char *installed = installed_part(path);
    if (installed)
        return find_distribution(packages, root, path, installed);
    return strdup(is_stdlib(path) ? "stdlib" : "program");
}

char *packages_find_native(struct packages *packages, int root, const char *path)
{
    const char *installed = installed_part(path);
    if (installed)
        return find_distribution(packages, root, path, installed);
    if (is_stdlib(path) || is_interpreter(path))
        return strdup("stdlib");
    return strdup(is_system(path) ? "system" : "program");
}
