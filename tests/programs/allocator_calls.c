/*
 * Calls the allocators of CPython's domains by functions that were asked for once, without the
 * context that belongs to them, as Nuitka does. A library for ctypes.PyDLL; with -DMAIN, and linked
 * with a libpython, a program that asks before the interpreter starts.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* PyMemAllocatorEx of cpython/pymem.h. */
struct allocator {
    void *context;
    void *(*malloc)(void *context, size_t size);
    void *(*calloc)(void *context, size_t count, size_t size);
    void *(*realloc)(void *context, void *block, size_t size);
    void (*free)(void *context, void *block);
};
enum { DOMAINS = 3 };

static struct allocator allocators[DOMAINS];
static void *contexts[2]; /* null, and one that is nobody's */

static void *symbol(const char *name)
{
    void *found = dlsym(RTLD_DEFAULT, name);
    if (!found)
        abort();
    return found;
}

void ask(void)
{
    void (*get)(int, struct allocator *) =
        (void (*)(int, struct allocator *))symbol("PyMem_GetAllocator");
    contexts[1] = &allocators;
    for (int domain = 0; domain < DOMAINS; domain++)
        get(domain, &allocators[domain]);
}

static void *filled(void *block, size_t size)
{
    if (!block)
        abort();
    return memset(block, 0x5a, size);
}

static void *grown(const struct allocator *by, void *context, void *block, size_t from, size_t to)
{
    unsigned char *larger = by->realloc(context, block, to);
    for (size_t i = 0; i < from; i++)
        if (!larger || larger[i] != 0x5a)
            abort();
    return filled(larger, to);
}

static void all_calls(const struct allocator *by, void *context)
{
    static const size_t sizes[] = {1, 64, 512, 513, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t size = sizes[i];
        void *block = filled(by->malloc(context, size), size);
        block = grown(by, context, block, size, size * 3);
        by->free(context, block);
        unsigned char *zeros = by->calloc(context, size, 2);
        for (size_t n = 0; n < size * 2; n++)
            if (!zeros || zeros[n])
                abort();
        by->free(context, zeros);
        block = filled(by->realloc(context, NULL, size), size);
        by->free(context, block);
        by->free(context, NULL);
    }
}

/* With the GIL, but for domain 0. */
void call_all(int domain)
{
    for (int i = 0; i < 2; i++)
        all_calls(&allocators[domain], contexts[i]);
}

/* Blocks of CPython's function of that domain go back by the allocator's, and the other way. */
void exchange(int domain)
{
    static const char *const prefixes[DOMAINS] = {"PyMem_Raw", "PyMem_", "PyObject_"};
    char name[32];
    snprintf(name, sizeof name, "%s%s", prefixes[domain], "Malloc");
    void *(*allocate)(size_t) = (void *(*)(size_t))symbol(name);
    snprintf(name, sizeof name, "%s%s", prefixes[domain], "Free");
    void (*release)(void *) = (void (*)(void *))symbol(name);
    const struct allocator *by = &allocators[domain];
    for (size_t size = 100; size < 1000; size += 400) {
        by->free(NULL, grown(by, NULL, filled(allocate(size), size), size, size * 10));
        release(filled(by->malloc(NULL, size), size));
    }
}

/* A block that stays. */
void hold(int domain, size_t size)
{
    filled(allocators[domain].malloc(NULL, size), size);
}

#ifdef MAIN
/* Arguments: a source, and how many of the domains work before the interpreter starts. */
int main(int argc, char **argv)
{
    enum { SIZE = 300 };
    void *early[DOMAINS], *other[DOMAINS];
    int count = argc == 3 ? atoi(argv[2]) : 0;
    ask();
    for (int domain = 0; domain < count; domain++) {
        early[domain] = filled(allocators[domain].malloc(NULL, SIZE), SIZE);
        other[domain] = filled(allocators[domain].malloc(NULL, SIZE), SIZE);
    }
    ((void (*)(void))symbol("Py_Initialize"))();
    for (int domain = 0; domain < count; domain++) {
        const struct allocator *by = &allocators[domain];
        by->free(NULL, grown(by, NULL, early[domain], SIZE, SIZE * 10));
        by->free(NULL, other[domain]);
    }
    for (int domain = 0; domain < DOMAINS; domain++)
        call_all(domain);
    int (*run)(const char *, void *) =
        (int (*)(const char *, void *))symbol("PyRun_SimpleStringFlags");
    int failed = run(argv[1], NULL);
    return ((int (*)(void))symbol("Py_FinalizeEx"))() != 0 || failed;
}
#endif
