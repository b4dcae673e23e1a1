/*
 * Native symbols of small libraries, compiled here in several ways, mapped into this process and
 * found again through its mappings: exact functions, files and lines. And what must not be
 * believed: other builds' debug files, files that were changed, deleted, cut, or are no ELF at all.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#include "collector/symbols/demangle.h"
#include "collector/symbols/native_symbols.h"
#include "collector/symbols/symbol_cache.h"
#include "collector/system/root_file.h"
#include "mapped_place.h"
#include "native_places.h"

#define C_SOURCE    NATIVE_SOURCES "/library.c"
#define CPP_SOURCE  NATIVE_SOURCES "/library.cpp"
#define RUST_SOURCE NATIVE_SOURCES "/library.rs"
#define CAPTURES    8

typedef void capture_function(void);

static char folder[] = "/tmp/heapline-symbols-XXXXXX";

struct reader {
    int root;
    struct native_modules modules;
    struct native_symbols symbols;
};

static void reader_init(struct reader *reader, int root, const char *cache)
{
    assert_true(native_modules_init(&reader->modules));
    assert_true(native_symbols_init(&reader->symbols, &reader->modules, cache, false));
    reader->root = root;
}

static void reader_deinit(struct reader *reader)
{
    native_symbols_deinit(&reader->symbols);
    native_modules_deinit(&reader->modules);
}

static struct native_point place_of(struct reader *reader, const void *address)
{
    return mapped_place(&reader->modules, reader->root, (uintptr_t)address - 1);
}

static const struct native_symbol *symbol_of(struct reader *reader, const void *address)
{
    const struct native_symbol *symbol =
        native_place_symbol(&reader->symbols, place_of(reader, address));
    assert_non_null(symbol);
    return symbol;
}

static const struct native_module *module_of(struct reader *reader, const void *address)
{
    return native_modules_get(&reader->modules, place_of(reader, address).module);
}

/* --- libraries -----------------------------------------------------------------------------------
 */

__attribute__((format(printf, 1, 2))) static int shell(const char *format, ...)
{
    char command[4096];
    va_list values;
    va_start(values, format);
    vsnprintf(command, sizeof command, format, values);
    va_end(values);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool have(const char *program)
{
    return shell("command -v %s >/dev/null 2>&1", program) == 0;
}

static const char *in_folder(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* Compiles the C library as FOLDER/NAME. */
static const char *compile(const char *name, const char *options)
{
    const char *path = in_folder(name);
    assert_int_equal(shell("cc -shared -fPIC -Wl,--build-id %s %s -o %s", options, C_SOURCE, path),
                     0);
    return path;
}

static const void *captured[CAPTURES];
static unsigned captured_count;

__attribute__((noinline)) static void capture(void)
{
    if (captured_count < CAPTURES)
        captured[captured_count++] = __builtin_extract_return_addr(__builtin_return_address(0));
}

/* Loads a library and lets it call capture() from everywhere. */
static void *load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail_msg("%s", dlerror());
    void (*exercise)(capture_function *) = (void (*)(capture_function *))dlsym(library, "exercise");
    assert_non_null(exercise);
    captured_count = 0;
    exercise(capture);
    return library;
}

/* The line of the source that has the comment. */
static uint32_t line_with(const char *source, const char *comment)
{
    char line[256], c[64], cpp[64];
    FILE *file = fopen(source, "r");
    assert_non_null(file);
    snprintf(c, sizeof c, "/* %s */", comment);
    snprintf(cpp, sizeof cpp, "// %s\n", comment);
    uint32_t number = 1;
    while (fgets(line, sizeof line, file) && !strstr(line, c) && !strstr(line, cpp))
        number++;
    assert_false(feof(file));
    fclose(file);
    return number;
}

static void check_call(const struct native_call *call, const char *function, const char *source,
                       const char *comment)
{
    assert_non_null(call->function);
    assert_string_equal(call->function, function);
    if (!source) {
        assert_null(call->file);
        assert_int_equal(call->line, 0);
        return;
    }
    assert_non_null(call->file);
    assert_string_equal(call->file, source);
    assert_int_equal(call->line, line_with(source, comment));
}

/* All that DWARF has of the C library. */
static void check_all(struct reader *reader)
{
    assert_int_equal(captured_count, 3);
    const struct native_symbol *symbol = symbol_of(reader, captured[0]);
    assert_int_equal(symbol->count, 3);
    check_call(&symbol->calls[0], "innermost", C_SOURCE, "innermost");
    check_call(&symbol->calls[1], "middle", C_SOURCE, "middle");
    check_call(&symbol->calls[2], "outer", C_SOURCE, "outer");
    symbol = symbol_of(reader, captured[1]);
    assert_int_equal(symbol->count, 1);
    check_call(&symbol->calls[0], "hidden", C_SOURCE, "hidden");
    symbol = symbol_of(reader, captured[2]);
    assert_int_equal(symbol->count, 1);
    check_call(&symbol->calls[0], "exercise", C_SOURCE, "exercise");
}

/* What a symbol table has of it; a null name: nothing. */
static void check_names(struct reader *reader, const char *const names[3])
{
    for (unsigned i = 0; i < 3; i++) {
        const struct native_symbol *symbol = symbol_of(reader, captured[i]);
        assert_int_equal(symbol->count, 1);
        if (names[i])
            check_call(&symbol->calls[0], names[i], NULL, NULL);
        else
            assert_null(symbol->calls[0].function);
    }
}

static const char *const table_names[] = {"outer", "hidden", "exercise"};
static const char *const dynamic_names[] = {"outer", NULL, "exercise"};

/* --- sources of names ----------------------------------------------------------------------------
 */

static void test_debug_information(void **state)
{
    static const char *const ways[] = {
        "-g -O1",
        "-g -O2",
        "-g -O2 -gdwarf-4",
        "-g -O3 -flto",
        "-g -O2 -fomit-frame-pointer -ffunction-sections -Wl,--gc-sections",
        "-g -O2 -gz",
        "-g -O2 -Wl,-z,noseparate-code",
    };
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct reader reader;
        void *library = load(compile("way.so", ways[i]));
        reader_init(&reader, root_own(), NULL);
        check_all(&reader);
        assert_null(module_of(&reader, captured[0])->note);
        reader_deinit(&reader);
        dlclose(library);
    }
}

static void check_file(const char *path, const char *const names[3])
{
    struct reader reader;
    void *library = load(path);
    reader_init(&reader, root_own(), NULL);
    check_names(&reader, names);
    reader_deinit(&reader);
    dlclose(library);
}

static void test_symbol_tables(void **state)
{
    (void)state;
    check_file(compile("table.so", "-g0 -O2"), table_names);
    const char *path = compile("stripped.so", "-g -O2");
    assert_int_equal(shell("strip %s", path), 0);
    check_file(path, dynamic_names);
}

static void test_an_instruction_is_not_a_return_address(void **state)
{
    struct reader reader;
    void *library = load(compile("start.so", "-g -O2"));
    uintptr_t start = (uintptr_t)dlsym(library, "exercise");
    (void)state;
    reader_init(&reader, root_own(), NULL);
    struct native_point place = mapped_place(&reader.modules, reader.root, start);
    const struct native_symbol *symbol = native_place_symbol(&reader.symbols, place);
    assert_string_equal(symbol->calls[0].function, "exercise");
    struct native_point before = place_of(&reader, (const void *)start);
    assert_int_equal(before.module, place.module);
    assert_int_equal(before.offset, place.offset - 1);
    symbol = native_place_symbol(&reader.symbols, before);
    assert_true(!symbol->calls[0].function || strcmp(symbol->calls[0].function, "exercise") != 0);
    reader_deinit(&reader);
    dlclose(library);
}

static void test_cpp(void **state)
{
    struct reader reader;
    const char *path = in_folder("library-cpp.so");
    (void)state;
    if (!have("g++"))
        skip();
    assert_int_equal(shell("g++ -shared -fPIC -g -O2 %s -o %s", CPP_SOURCE, path), 0);
    void *library = load(path);
    assert_int_equal(captured_count, 4);
    reader_init(&reader, root_own(), NULL);
    check_call(&symbol_of(&reader, captured[0])->calls[0], "shapes::Box<int>::grow", CPP_SOURCE,
               "grow");
    const struct native_symbol *symbol = symbol_of(&reader, captured[1]);
    assert_int_equal(symbol->count, 2);
    check_call(&symbol->calls[0], "shapes::Box<int>::shrink", CPP_SOURCE, "shrink");
    check_call(&symbol->calls[1], "exercise", CPP_SOURCE, "exercise shrink");
    check_call(&symbol_of(&reader, captured[2])->calls[0], "(anonymous namespace)::local",
               CPP_SOURCE, "local");
    check_call(&symbol_of(&reader, captured[3])->calls[0], "exercise::{lambda(int)#1}::operator()",
               CPP_SOURCE, "lambda");
    reader_deinit(&reader);
    dlclose(library);
}

static void check_rust(const char *options)
{
    struct reader reader;
    const char *path = in_folder("library-rs.so");
    assert_int_equal(shell("rustc --crate-type=cdylib -g -O %s %s -o %s 2>/dev/null", options,
                           RUST_SOURCE, path),
                     0);
    void *library = load(path);
    assert_int_equal(captured_count, 2);
    reader_init(&reader, root_own(), NULL);
    const struct native_symbol *symbol = symbol_of(&reader, captured[0]);
    const char *name = symbol->calls[0].function;
    assert_true(strcmp(name, "library::shapes::grow") == 0 ||
                strcmp(name, "library::shapes::grow::<u8>") == 0);
    check_call(&symbol->calls[0], name, RUST_SOURCE, "grow");
    symbol = symbol_of(&reader, captured[1]);
    assert_int_equal(symbol->count, 2);
    check_call(&symbol->calls[0], "library::shapes::shrink", RUST_SOURCE, "shrink");
    check_call(&symbol->calls[1], "exercise", RUST_SOURCE, "exercise shrink");
    reader_deinit(&reader);
    dlclose(library);
}

static void test_rust(void **state)
{
    (void)state;
    if (shell("rustc --version >/dev/null 2>&1") != 0)
        skip();
    check_rust("");
    check_rust("-C symbol-mangling-version=v0");
}

static void test_demangling(void **state)
{
    static const char *const names[][2] = {
        {"_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int, std::allocator<int> >::push_back"},
        {"_ZN3foo3barEv.constprop.0", "foo::bar"},
        {"_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE", "core::fmt::Formatter::write_str"},
        {"_RNvCs1234_7mycrate3foo", "mycrate::foo"},
        {"__pyx_pw_6mtrand_11RandomState_17random_sample", "mtrand.RandomState.random_sample"},
        {"__pyx_pf_3pkg_3mod_plain", "pkg.mod.plain"},
        {"__pyx_pf_3pkg_3mod_1C___init__.isra.0", "pkg.mod.C.__init__"},
        {"__pyx_pw_3pkg_3mod_1C_1__init__", "pkg.mod.C.__init__"},
        {"__pyx_gb_3mod_5outer_2generator", "mod.outer.generator"},
        {"__pyx_f_3mod_fast", "mod.fast"},
        {"__pyx_fuse_0__pyx_pw_3mod_5take", "mod.take"},
        {"__pyx_pw_3mod_86__pyx_fuse_3pad", "mod.pad"},
        {"__pyx_tp_new_3mod_Thing", "mod.Thing (new)"},
        {"__pyx_pymod_exec_mod", "mod (module)"},
        {"__pyx_pw_", NULL},
        {"__pyx_pw_3mod_", NULL},
        {"__pyx_pw_99999999999999999999mod_f", NULL},
        {"__pyx_fuse_", NULL},
        {"__Pyx_PyObject_Call", NULL},
        {"plain", NULL},
        {"_Zbroken", NULL},
        {"_R", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *name = demangle(names[i][0]);
        if (names[i][1])
            assert_string_equal(name, names[i][1]);
        else
            assert_null(name);
        free(name);
    }
}

/* f<T>, where T is C<T, T> of what it was a level before: few letters, 2^levels names. */
static char *demangle_doubled(unsigned levels)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    char symbol[1024] = "_Z1fI", name[] = "S?_E";
    for (unsigned i = 0; i < levels; i++)
        strcat(symbol, "1CI");
    strcat(symbol, "1AI1BE");
    for (unsigned i = 0; i < levels; i++) {
        name[1] = digits[levels + 2 + i];
        strcat(symbol, name);
    }
    strcat(symbol, "Evv");
    return demangle(symbol);
}

static void test_demangling_is_bounded(void **state)
{
    (void)state;
    char *name = demangle_doubled(2);
    assert_string_equal(name, "f<C<C<A<B>, A<B> >, C<A<B>, A<B> > > >");
    free(name);
    assert_null(demangle_doubled(16));
}

/* --- separate debug files ------------------------------------------------------------------------
 */

/* Moves a library's debug information to FOLDER/DEBUG, with a link to its name. */
static void split(const char *path, const char *debug)
{
    assert_int_equal(shell("objcopy --only-keep-debug %s %s && strip %s && "
                           "cd %s && objcopy --add-gnu-debuglink=%s %s",
                           path, debug, path, folder, debug, path),
                     0);
}

static void check_split(const char *path, bool is_found)
{
    struct reader reader;
    void *library = load(path);
    reader_init(&reader, root_own(), NULL);
    if (is_found)
        check_all(&reader);
    else
        check_names(&reader, dynamic_names);
    const char *note = module_of(&reader, captured[0])->note;
    if (is_found)
        assert_null(note);
    else
        assert_string_equal(note, "a debug file that was found is of another build");
    reader_deinit(&reader);
    dlclose(library);
}

static void test_debug_links(void **state)
{
    (void)state;
    const char *path = compile("linked.so", "-g -O2");
    const char *debug = in_folder("linked.debug");
    split(path, debug);
    check_split(path, true);
    assert_int_equal(shell("mkdir %s/.debug && mv %s %s/.debug", folder, debug, folder), 0);
    check_split(path, true);
    /* Another build's file under the same name. */
    const char *other = compile("other.so", "-g -O1");
    assert_int_equal(shell("objcopy --only-keep-debug %s %s/.debug/linked.debug", other, folder),
                     0);
    check_split(path, false);
}

static void test_debug_links_by_checksum(void **state)
{
    (void)state;
    const char *path = compile("summed.so", "-g -O2 -Wl,--build-id=none");
    const char *debug = in_folder("summed.debug");
    split(path, debug);
    check_split(path, true);
    assert_int_equal(shell("echo >>%s", debug), 0);
    check_split(path, false);
}

/* The library's build-id as a path: first byte, slash, the others. */
static void read_build_id(const char *path, char *id, int size)
{
    char command[512];
    snprintf(command, sizeof command,
             "readelf -n %s | sed -n 's/.*Build ID: \\(..\\)\\(.*\\)/\\1\\/\\2/p'", path);
    FILE *notes = popen(command, "r");
    assert_non_null(fgets(id, size, notes));
    pclose(notes);
    id[strcspn(id, "\n")] = 0;
}

/* A root folder that has the library under the path it has here, and what DEBUG is copied to. */
static int make_root(const char *path, const char *debug)
{
    char root[256], id[128] = "";
    snprintf(root, sizeof root, "%s/root", folder);
    read_build_id(path, id, sizeof id);
    assert_int_equal(shell("mkdir -p %s%s %s/usr/lib/debug/.build-id/%.2s && ln -f %s %s%s && "
                           "cp %s %s/usr/lib/debug/.build-id/%s.debug",
                           root, folder, root, id, path, root, path, debug, root, id),
                     0);
    int descriptor = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(descriptor >= 0);
    return descriptor;
}

static void test_debug_files_by_build_id_in_the_process_root(void **state)
{
    struct reader reader;
    (void)state;
    const char *path = compile("rooted.so", "-g -O2");
    const char *debug = in_folder("rooted.dbg");
    split(path, debug);
    int root = make_root(path, debug);
    unlink(debug);
    void *library = load(path);
    reader_init(&reader, root, in_folder("rooted-cache"));
    check_all(&reader);
    reader_deinit(&reader);
    /* Whoever has a root of its own could say anything. */
    assert_int_equal(access(in_folder("rooted-cache"), F_OK), -1);
    close(root);
    dlclose(library);
}

static void test_shared_debug_files(void **state)
{
    struct reader reader;
    (void)state;
    if (!have("dwz"))
        skip();
    const char *one = compile("one.so", "-g -O2 -gdwarf-4 -DONE");
    const char *two = compile("two.so", "-g -O2 -gdwarf-4 -DTWO");
    const char *shared = in_folder("shared.debug");
    assert_int_equal(shell("dwz -m %s %s %s", shared, one, two), 0);
    assert_int_equal(shell("readelf -SW %s | grep -q gnu_debugaltlink", one), 0);
    void *library = load(one);
    reader_init(&reader, root_own(), NULL);
    check_all(&reader);
    reader_deinit(&reader);
    /* Without it there is the symbol table. */
    unlink(shared);
    reader_init(&reader, root_own(), NULL);
    check_names(&reader, table_names);
    assert_string_equal(module_of(&reader, captured[0])->note,
                        "the file that its debug information is shared in was not found");
    reader_deinit(&reader);
    dlclose(library);
}

/* Asked in a child: some libraries leave this process's leak checker confused. */
static bool can_load(const char *library)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(dlopen(library, RTLD_NOW) ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status == 0;
}

static void test_downloads(void **state)
{
    struct reader reader;
    char id[128], url[512];
    (void)state;
    if (!can_load("libdebuginfod.so.1"))
        skip();
    const char *path = compile("served.so", "-g -O2");
    const char *debug = in_folder("served.dbg");
    split(path, debug);
    read_build_id(path, id, sizeof id);
    assert_int_equal(shell("mkdir -p %s/server/buildid/%.2s%s && mv %s %s/server/buildid/%.2s%s/"
                           "debuginfo",
                           folder, id, id + 3, debug, folder, id, id + 3),
                     0);
    snprintf(url, sizeof url, "file://%s/server", folder);
    setenv("DEBUGINFOD_URLS", url, 1);
    setenv("DEBUGINFOD_CACHE_PATH", in_folder("downloads"), 1);
    void *library = load(path);
    reader_init(&reader, root_own(), NULL); /* nobody has asked for downloads */
    check_names(&reader, dynamic_names);
    reader_deinit(&reader);
    reader_init(&reader, root_own(), NULL);
    reader.symbols.download = true;
    check_all(&reader);
    reader_deinit(&reader);
    dlclose(library);
}

/* --- mappings that change ------------------------------------------------------------------------
 */

/* Maps all of a file as code at a fixed place, as a loader that found the place free again. */
static void map_over(void *at, const char *path, size_t bytes)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    assert_ptr_equal(mmap(at, bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, file, 0), at);
    close(file);
}

/* The offset in the file of a dynamic symbol's code. */
static uint64_t file_offset(const char *path, const char *symbol)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    Dl_info info;
    assert_true(dladdr(dlsym(library, symbol), &info));
    uint64_t offset = (uintptr_t)info.dli_saddr - (uintptr_t)info.dli_fbase;
    dlclose(library);
    return offset;
}

static void test_another_library_at_the_same_place(void **state)
{
    struct reader reader;
    const size_t bytes = 16384;
    const char *way = "-g -O2 -Wl,-z,noseparate-code";
    char first[256], second[256];
    (void)state;
    snprintf(first, sizeof first, "%s", compile("first.so", way));
    snprintf(second, sizeof second, "%s", compile("second.so", way));
    uint64_t offset = file_offset(first, "outer");
    unsigned char *at =
        mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    reader_init(&reader, root_own(), NULL);
    uint32_t modules[4];
    for (int round = 0; round < 4; round++) {
        map_over(at, round % 2 ? second : first, bytes);
        struct native_point place = place_of(&reader, at + offset + 1);
        modules[round] = place.module;
        assert_string_equal(native_modules_get(&reader.modules, place.module)->path,
                            round % 2 ? second : first);
        const struct native_symbol *symbol = native_place_symbol(&reader.symbols, place);
        assert_string_equal(symbol->calls[symbol->count - 1].function, "outer");
    }
    assert_int_equal(modules[0], modules[2]);
    assert_int_equal(modules[1], modules[3]);
    assert_int_not_equal(modules[0], modules[1]);
    munmap(at, bytes);
    reader_deinit(&reader);
}

static void test_a_library_that_was_written_over(void **state)
{
    struct reader reader;
    const char *path = compile("changed.so", "-g -O2");
    (void)state;
    void *library = load(path);
    reader_init(&reader, root_own(), NULL);
    struct native_point before = place_of(&reader, captured[0]);
    const struct native_symbol *known = native_place_symbol(&reader.symbols, before);
    int file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(file, "x", 1), 1);
    close(file);
    /* What was asked before stays. */
    assert_ptr_equal(native_place_symbol(&reader.symbols, before), known);
    assert_int_equal(known->count, 3);
    assert_int_not_equal(place_of(&reader, captured[0]).module, before.module);
    reader_deinit(&reader);
    /* Changed between the mapping and the first question: no names. */
    reader_init(&reader, root_own(), NULL);
    before = place_of(&reader, captured[1]);
    assert_int_equal(truncate(path, 20000), 0);
    assert_null(native_place_symbol(&reader.symbols, before)->calls[0].function);
    assert_string_equal(native_modules_get(&reader.modules, before.module)->note,
                        "its file has been changed");
    reader_deinit(&reader);
    shell("rm %s", path);
    (void)library; /* its pages are gone: it cannot be closed */
}

/* With a question on its way: its answer is not taken for that to the next one. */
static void test_a_library_that_is_written_over_meanwhile(void **state)
{
    struct reader reader;
    const char *path = compile("rewritten.so", "-g -O2");
    (void)state;
    void *library = load(path);
    reader_init(&reader, root_own(), NULL);
    symbol_of(&reader, captured[2]);
    struct native_point early = place_of(&reader, captured[0]);
    struct native_point late = place_of(&reader, captured[1]);
    assert_true(native_symbols_ask(&reader.symbols, early));
    native_symbols_work(&reader.symbols, 0);
    int file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(file, "x", 1), 1);
    close(file);
    assert_true(native_symbols_ask(&reader.symbols, late));
    while (native_symbols_work(&reader.symbols, -1))
        ;
    const struct native_symbol *symbol = native_symbols_get(&reader.symbols, early);
    assert_string_equal(symbol->calls[symbol->count - 1].function, "outer");
    assert_null(native_symbols_get(&reader.symbols, late)->calls[0].function);
    assert_string_equal(native_modules_get(&reader.modules, late.module)->note,
                        "its file has been changed");
    reader_deinit(&reader);
    dlclose(library);
}

static bool can_open_mappings(void)
{
    char line[512], link[96];
    struct stat status;
    unsigned long long start, end;
    FILE *maps = fopen("/proc/self/maps", "r");
    do
        assert_non_null(fgets(line, sizeof line, maps));
    while (!strchr(line, '/'));
    fclose(maps);
    assert_int_equal(sscanf(line, "%llx-%llx", &start, &end), 2);
    snprintf(link, sizeof link, "/proc/self/map_files/%llx-%llx", start, end);
    int file = root_file_open_link(link, &status);
    if (file >= 0)
        close(file);
    return file >= 0;
}

static void test_a_deleted_library(void **state)
{
    struct reader reader;
    const char *path = compile("deleted.so", "-g -O2");
    (void)state;
    void *library = load(path);
    unlink(path);
    reader_init(&reader, root_own(), NULL);
    const struct native_module *module = module_of(&reader, captured[0]);
    assert_true(module->is_deleted);
    assert_string_equal(module->path, path);
    if (can_open_mappings()) {
        check_all(&reader);
    } else {
        static const char *const none[3];
        check_names(&reader, none);
    }
    reader_deinit(&reader);
    /* Another file has the name now: its names would be wrong. */
    compile("deleted.so", "-g0 -O1");
    reader_init(&reader, root_own(), NULL);
    assert_true(module_of(&reader, captured[0])->is_deleted);
    if (can_open_mappings())
        check_all(&reader);
    reader_deinit(&reader);
    dlclose(library);
}

static void test_names_that_look_escaped_or_deleted(void **state)
{
    static const char *const names[] = {"a\nb.so", "a\\012b.so", "c (deleted)"};
    const char *plain = compile("plain.so", "-g -O2");
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct reader reader;
        const char *path = in_folder(names[i]);
        assert_int_equal(shell("cp %s '%s'", plain, path), 0);
        void *library = load(path);
        reader_init(&reader, root_own(), NULL);
        check_all(&reader);
        assert_false(module_of(&reader, captured[0])->is_deleted);
        reader_deinit(&reader);
        dlclose(library);
    }
}

/* --- what is no library --------------------------------------------------------------------------
 */

static void test_other_code(void **state)
{
    struct reader reader;
    (void)state;
    reader_init(&reader, root_own(), NULL);
    unsigned char *code =
        mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const struct native_module *module = module_of(&reader, code + 100);
    assert_int_equal(module->kind, NATIVE_MODULE_ANONYMOUS);
    assert_int_equal(place_of(&reader, code + 100).offset, (uintptr_t)code + 99);
    assert_null(symbol_of(&reader, code + 100)->calls[0].function);
    /* A file that is no ELF, mapped as code. */
    map_over(code, C_SOURCE, 4096);
    module = module_of(&reader, code + 100);
    assert_int_equal(module->kind, NATIVE_MODULE_RAW);
    assert_string_equal(module->path, C_SOURCE);
    assert_int_equal(place_of(&reader, code + 100).offset, 99);
    assert_null(symbol_of(&reader, code + 100)->calls[0].function);
    /* Nothing at all. */
    munmap(code, 8192);
    struct native_point place = place_of(&reader, code + 100);
    assert_int_equal(place.module, 0);
    assert_int_equal(place.offset, (uintptr_t)code + 99);
    assert_null(native_place_symbol(&reader.symbols, place)->calls[0].function);
    reader_deinit(&reader);
}

/* As many mappings as a program has that maps each of its arrays. */
static void test_long_mappings(void **state)
{
    enum { PAGES = 20000 };
    struct reader reader;
    (void)state;
    unsigned char *pages =
        mmap(NULL, (size_t)PAGES * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < PAGES; i += 2)
        assert_int_equal(
            mprotect(pages + i * 4096, 4096, i % 64 ? PROT_NONE : PROT_READ | PROT_EXEC), 0);
    void *library = load(compile("among.so", "-g -O2"));
    reader_init(&reader, root_own(), NULL);
    check_all(&reader);
    assert_int_equal(module_of(&reader, pages + 64 * 4096 + 1)->kind, NATIVE_MODULE_ANONYMOUS);
    assert_int_equal(module_of(&reader, pages + (size_t)(PAGES / 64 - 1) * 64 * 4096 + 1)->kind,
                     NATIVE_MODULE_ANONYMOUS);
    reader_deinit(&reader);
    munmap(pages, (size_t)PAGES * 4096);
    dlclose(library);
}

/* --- damage --------------------------------------------------------------------------------------
 */

/* Files are kept open, as they may be gone later; but not all that a process can name. */
static void test_more_files_than_may_be_open(void **state)
{
    (void)state;
    struct native_modules modules;
    assert_true(native_modules_init(&modules));
    assert_true(modules.files_max > 0);
    modules.files_max = 1;
    const char *const paths[] = {"/bin/sh", "/bin/ls", "/bin/sh", "/bin/ls"};
    uint32_t numbers[4];
    for (unsigned i = 0; i < 4; i++) {
        const struct native_mapping mapping = {.start = 4096, .path = paths[i]};
        numbers[i] = native_modules_add(&modules, 0, root_own(), &mapping);
    }
    const struct native_module *kept = native_modules_get(&modules, numbers[0]);
    const struct native_module *left = native_modules_get(&modules, numbers[1]);
    assert_true(kept->file >= 0);
    assert_int_equal(left->file, -1);
    assert_string_equal(left->note, "too many files of native code are open");
    assert_int_equal(numbers[2], numbers[0]);
    assert_int_equal(numbers[3], numbers[1]);
    native_modules_deinit(&modules);
}

/* What can be read of a file of these bytes, asked everywhere; returns how many have a name. */
static unsigned read_everywhere(const uint8_t *data, size_t bytes)
{
    struct native_modules modules;
    struct native_symbols symbols;
    char path[256];
    unsigned named = 0;
    snprintf(path, sizeof path, "%s", in_folder("damaged.so"));
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(file, data, bytes), bytes);
    const struct native_mapping mapping = {.path = path};
    assert_true(native_modules_init(&modules));
    assert_true(native_symbols_init(&symbols, &modules, NULL, false));
    uint32_t number = native_modules_add(&modules, getpid(), root_own(), &mapping);
    const struct native_module *module = native_modules_get(&modules, number);
    for (uint64_t at = 0; at < 65536; at += 16) {
        struct native_point place = {.module = number};
        if (native_place_offset(module, 0, 0, at, &place.offset))
            assert_true(native_symbols_ask(&symbols, place));
    }
    while (native_symbols_work(&symbols, -1))
        ;
    for (uint64_t at = 0; at < 65536; at += 16) {
        struct native_point place = {.module = number};
        if (native_place_offset(module, 0, 0, at, &place.offset)) {
            const struct native_symbol *symbol = native_symbols_get(&symbols, place);
            assert_non_null(symbol);
            named += symbol->calls[0].function != NULL;
        }
    }
    native_symbols_deinit(&symbols);
    native_modules_deinit(&modules);
    close(file);
    unlink(path);
    return named;
}

static void test_cut_files(void **state)
{
    static uint8_t data[65536];
    (void)state;
    FILE *file = fopen(compile("cut.so", "-g -O2"), "rb");
    size_t bytes = fread(data, 1, sizeof data, file);
    fclose(file);
    assert_true(read_everywhere(data, bytes) > 3);
    for (size_t length = 0; length < bytes; length += bytes / 23)
        read_everywhere(data, length);
}

static pid_t worker_of(const struct reader *reader)
{
    char path[96];
    int keeper = (int)reader->symbols.process.keeper_pid, worker = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", keeper, keeper);
    FILE *list = fopen(path, "r");
    if (!list)
        skip(); /* a kernel without such lists */
    assert_int_equal(fscanf(list, "%d", &worker), 1);
    fclose(list);
    return worker;
}

static void test_a_worker_that_dies_idle_is_replaced(void **state)
{
    struct reader reader;
    (void)state;
    void *library = load(compile("lost.so", "-g -O2"));
    reader_init(&reader, root_own(), NULL);
    for (int i = 0; i < 3; i++) {
        symbol_of(&reader, captured[i]);
        assert_int_equal(kill(worker_of(&reader), SIGKILL), 0);
        struct pollfd end = {.fd = reader.symbols.process.worker};
        assert_int_equal(poll(&end, 1, -1), 1);
    }
    check_all(&reader);
    assert_null(module_of(&reader, captured[0])->note);
    reader_deinit(&reader);
    dlclose(library);
}

/* Asks, and kills the worker before it can answer. */
static void ask_and_kill(struct reader *reader, const void *address)
{
    pid_t worker = worker_of(reader);
    assert_int_equal(kill(worker, SIGSTOP), 0);
    assert_true(native_symbols_ask(&reader->symbols, place_of(reader, address)));
    assert_true(native_symbols_work(&reader->symbols, 0));
    assert_int_equal(kill(worker, SIGKILL), 0);
}

static void test_a_module_that_kills_workers_is_read_less_deeply(void **state)
{
    struct reader reader;
    (void)state;
    void *library = load(compile("deadly.so", "-g -O2"));
    reader_init(&reader, root_own(), NULL);
    symbol_of(&reader, (const void *)capture);
    ask_and_kill(&reader, captured[0]);
    const struct native_symbol *symbol = symbol_of(&reader, captured[0]);
    assert_int_equal(symbol->count, 1);
    check_call(&symbol->calls[0], "outer", NULL, NULL);
    assert_string_equal(module_of(&reader, captured[0])->note,
                        "its debug information could not be read");
    ask_and_kill(&reader, captured[1]);
    assert_null(symbol_of(&reader, captured[1])->calls[0].function);
    assert_string_equal(module_of(&reader, captured[0])->note, "its symbols could not be read");
    /* Nobody is asked any more, and others are read as ever. */
    assert_null(symbol_of(&reader, captured[2])->calls[0].function);
    assert_non_null(symbol_of(&reader, (const uint8_t *)capture + 1)->calls[0].function);
    reader_deinit(&reader);
    dlclose(library);
}

/* --- the cache -----------------------------------------------------------------------------------
 */

/* Reads the library with the cache; nobody may be asked when `from_cache`. */
static void check_cached(const char *cache, bool from_cache)
{
    struct reader reader;
    reader_init(&reader, root_own(), cache);
    if (from_cache)
        symbol_process_stop(&reader.symbols.process);
    check_all(&reader);
    reader_deinit(&reader);
}

static void test_cache(void **state)
{
    char cache[256], command[600];
    (void)state;
    snprintf(cache, sizeof cache, "%s/cache/symbols", folder);
    void *library = load(compile("cached.so", "-g -O2"));
    check_cached(cache, false);
    check_cached(cache, true);
    struct stat status;
    assert_int_equal(stat(cache, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    /* Any change makes a file worthless; it is then made anew. */
    snprintf(command, sizeof command,
             "for at in 0 8 20 30 40 60; do "
             "for file in %s/*; do cp $file %s/copy; "
             "printf '\\377' | dd of=$file bs=1 seek=$at conv=notrunc status=none; done; done",
             cache, folder);
    assert_int_equal(system(command), 0);
    check_cached(cache, false);
    check_cached(cache, true);
    /* As does a cut. */
    assert_int_equal(shell("for file in %s/*; do truncate -s 50 $file; done", cache), 0);
    check_cached(cache, false);
    check_cached(cache, true);
    dlclose(library);
}

static void test_cache_folder(void **state)
{
    (void)state;
    setenv("HOME", "/home/somebody", 1);
    unsetenv("XDG_CACHE_HOME");
    char *path = symbol_cache_folder();
    assert_string_equal(path, "/home/somebody/.cache/heapline/symbols");
    free(path);
    setenv("XDG_CACHE_HOME", "/somewhere", 1);
    path = symbol_cache_folder();
    assert_string_equal(path, "/somewhere/heapline/symbols");
    free(path);
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    assert_null(symbol_cache_folder());
}

/* --- the frame -----------------------------------------------------------------------------------
 */

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return shell("rm -r %s", folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_debug_information),
        cmocka_unit_test(test_symbol_tables),
        cmocka_unit_test(test_an_instruction_is_not_a_return_address),
        cmocka_unit_test(test_cpp),
        cmocka_unit_test(test_rust),
        cmocka_unit_test(test_demangling),
        cmocka_unit_test(test_demangling_is_bounded),
        cmocka_unit_test(test_debug_links),
        cmocka_unit_test(test_debug_links_by_checksum),
        cmocka_unit_test(test_debug_files_by_build_id_in_the_process_root),
        cmocka_unit_test(test_shared_debug_files),
        cmocka_unit_test(test_downloads),
        cmocka_unit_test(test_another_library_at_the_same_place),
        cmocka_unit_test(test_a_library_that_was_written_over),
        cmocka_unit_test(test_a_library_that_is_written_over_meanwhile),
        cmocka_unit_test(test_a_deleted_library),
        cmocka_unit_test(test_names_that_look_escaped_or_deleted),
        cmocka_unit_test(test_other_code),
        cmocka_unit_test(test_long_mappings),
        cmocka_unit_test(test_cut_files),
        cmocka_unit_test(test_a_worker_that_dies_idle_is_replaced),
        cmocka_unit_test(test_a_module_that_kills_workers_is_read_less_deeply),
        cmocka_unit_test(test_more_files_than_may_be_open),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_cache_folder),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
