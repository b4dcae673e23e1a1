/*
 * Where debuggers look: /usr/lib/debug/.build-id by build-id, then the name in .gnu_debuglink
 * beside the module, in .debug beside it, and below /usr/lib/debug. Names in links are as little
 * trusted as any other path of the traced process.
 */
#include "collector/symbols/debug_file.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/system/root_file.h"

#define DEBUG_FOLDER    "/usr/lib/debug"
#define PATH_BYTES      (4096 + 1024 + 256)
#define CHECK_BYTES_MAX ((size_t)64 << 20) /* of a file whose checksum is computed */

#define DOWNLOAD_LIBRARY "libdebuginfod.so.1"

/* What a file has to be. */
struct wanted {
    const struct build_id *id;
    bool has_check;
    uint32_t check;
};

/* The reflected CRC-32 that .gnu_debuglink uses. */
static uint32_t checksum_add(uint32_t sum, const uint8_t *bytes, size_t count)
{
    static uint32_t table[256];
    if (!table[1])
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t value = i;
            for (int bit = 0; bit < 8; bit++)
                value = value >> 1 ^ (value & 1 ? 0xedb88320u : 0);
            table[i] = value;
        }
    sum = ~sum;
    for (size_t i = 0; i < count; i++)
        sum = sum >> 8 ^ table[(sum ^ bytes[i]) & 255];
    return ~sum;
}

static bool has_checksum(int file, uint32_t expected)
{
    static uint8_t bytes[64 * 1024];
    uint32_t sum = 0;
    ssize_t got;
    size_t at = 0;
    while (at < CHECK_BYTES_MAX && (got = pread(file, bytes, sizeof bytes, (off_t)at)) > 0) {
        sum = checksum_add(sum, bytes, (size_t)got);
        at += (size_t)got;
    }
    return sum == expected;
}

static bool is_wanted(int file, const struct wanted *wanted)
{
    struct elf_facts facts;
    if (!elf_facts_read(file, &facts))
        return false;
    if (wanted->id->size)
        return build_id_is_same(&facts.build_id, wanted->id);
    return wanted->has_check && has_checksum(file, wanted->check);
}

/* Opens a path where it is what is wanted. */
static int open_in(int root, const char *path, const struct wanted *wanted, const char **note)
{
    struct stat status;
    int file = root_file_open(root, path, &status);
    if (file < 0 || is_wanted(file, wanted))
        return file;
    close(file);
    *note = "a debug file that was found is of another build";
    return -1;
}

static int open_by_id(int root, const struct wanted *wanted, const char **note)
{
    char path[sizeof DEBUG_FOLDER + 32 + 2 * BUILD_ID_BYTES_MAX], id[2 * BUILD_ID_BYTES_MAX + 1];
    if (wanted->id->size < 2 || !build_id_text(wanted->id, id))
        return -1;
    snprintf(path, sizeof path, "%s/.build-id/%.2s/%s.debug", DEBUG_FOLDER, id, id + 2);
    /* A path that no peer can choose: it is looked for here too. */
    int file = open_in(root, path, wanted, note);
    return file >= 0 ? file : open_in(root_own(), path, wanted, note);
}

/* The part of a path before its last slash. */
static int folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (int)(slash - path) : 0;
}

static int open_by_link(int root, const char *module, const struct elf_facts *facts,
                        const struct wanted *wanted, const char **note)
{
    static const struct {
        const char *before, *behind;
    } candidates[] = {{"", ""}, {"", "/.debug"}, {DEBUG_FOLDER, ""}};
    char path[PATH_BYTES];
    int file = -1;
    if (!facts->debug_link[0] || strchr(facts->debug_link, '/'))
        return -1;
    for (size_t i = 0; file < 0 && i < sizeof candidates / sizeof *candidates; i++)
        if (snprintf(path, sizeof path, "%s%.*s%s/%s", candidates[i].before, folder_length(module),
                     module, candidates[i].behind, facts->debug_link) < PATH_BYTES)
            file = open_in(root, path, wanted, note);
    return file;
}

/* libdebuginfod is loaded only where it is asked for: it brings a whole HTTP client. */
static int open_download(const struct wanted *wanted)
{
    void *library = wanted->id->size ? dlopen(DOWNLOAD_LIBRARY, RTLD_NOW) : NULL;
    if (!library)
        return -1;
    void *(*begin)(void) = (void *(*)(void))dlsym(library, "debuginfod_begin");
    void (*end)(void *) = (void (*)(void *))dlsym(library, "debuginfod_end");
    int (*find)(void *, const unsigned char *, int, char **) =
        (int (*)(void *, const unsigned char *, int, char **))dlsym(library,
                                                                    "debuginfod_find_debuginfo");
    void *client = begin && end && find ? begin() : NULL;
    int file = client ? find(client, wanted->id->bytes, wanted->id->size, NULL) : -1;
    if (client)
        end(client);
    if (file >= 0 && !is_wanted(file, wanted)) {
        close(file);
        return -1;
    }
    return file < 0 ? -1 : file;
}

/* The link is absolute, or relative to the folder of the file that has it. */
static int open_shared(int root, const char *module, const struct elf_facts *facts,
                       const char **note)
{
    const struct wanted wanted = {.id = &facts->alternate_id};
    char path[PATH_BYTES];
    if (!wanted.id->size)
        return -1;
    int file = open_by_id(root, &wanted, note);
    bool is_absolute = facts->alternate_link[0] == '/';
    if (file < 0 && snprintf(path, sizeof path, "%.*s%s%s", is_absolute ? 0 : folder_length(module),
                             module, is_absolute ? "" : "/", facts->alternate_link) < PATH_BYTES)
        file = open_in(root, path, &wanted, note);
    return file;
}

/* The shared part of the file that has `facts`. */
static void find_shared(int root, const char *module, const struct elf_facts *facts,
                        struct debug_files *files)
{
    if (!facts->alternate_link[0])
        return;
    files->shared = open_shared(root, module, facts, &files->note);
    files->is_unusable = files->shared < 0;
    if (files->is_unusable)
        files->note = "the file that its debug information is shared in was not found";
}

void debug_files_find(int root, const char *path, const struct elf_facts *facts,
                      struct debug_files *files)
{
    const struct wanted wanted = {&facts->build_id, facts->debug_link[0] != 0,
                                  facts->debug_link_check};
    struct elf_facts own_facts = *facts;
    *files = (struct debug_files){.own = -1, .shared = -1};
    if (!facts->has_dwarf) {
        files->own = open_by_id(root, &wanted, &files->note);
        if (files->own < 0)
            files->own = open_by_link(root, path, facts, &wanted, &files->note);
        if (files->own < 0 || !elf_facts_read(files->own, &own_facts)) {
            if (!files->note)
                files->note = facts->debug_link[0]
                                  ? "the file with its debug information was not found"
                                  : "it has no debug information";
            return;
        }
        files->note = NULL;
    }
    find_shared(root, path, &own_facts, files);
}

/* In a child: whoever asks is to stay small. */
static bool has_download_library(void)
{
    int status = 1;
    pid_t child = fork();
    if (child == 0)
        _exit(dlopen(DOWNLOAD_LIBRARY, RTLD_NOW) ? 0 : 1);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return child > 0 && status == 0;
}

const char *debug_files_download_trouble(void)
{
    const char *servers = getenv("DEBUGINFOD_URLS");
    if (!servers || !servers[strspn(servers, " ")])
        return "no servers are named for debug information; set DEBUGINFOD_URLS";
    if (!has_download_library())
        return DOWNLOAD_LIBRARY
            " is missing, which asks servers for debug information; Debian has it "
            "in libdebuginfod1";
    return NULL;
}

void debug_files_download(const struct elf_facts *facts, struct debug_files *files)
{
    const struct wanted wanted = {.id = &facts->build_id};
    struct elf_facts own_facts;
    files->own = open_download(&wanted);
    if (files->own >= 0 && elf_facts_read(files->own, &own_facts)) {
        files->note = NULL;
        find_shared(root_own(), "", &own_facts, files);
    }
}

void debug_files_close(struct debug_files *files)
{
    if (files->own >= 0)
        close(files->own);
    if (files->shared >= 0)
        close(files->shared);
    files->own = files->shared = -1;
}
