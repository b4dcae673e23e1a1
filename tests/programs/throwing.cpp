// throwing LIBPYTHON SCRIPT: a program with a Python of its own and allocators of its own, set before
// the interpreter starts, that throw std::bad_alloc for one size. The exception leaves by way of
// PyObject_Malloc() and whatever has been put around the allocator.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <new>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace
{

constexpr std::size_t REFUSED = 123'456;

// As in cpython/pymem.h.
struct Allocator {
    void *context;
    void *(*malloc)(void *context, std::size_t size);
    void *(*calloc)(void *context, std::size_t count, std::size_t size);
    void *(*realloc)(void *context, void *block, std::size_t size);
    void (*free)(void *context, void *block);
};

Allocator reals[3];
void *library;

void refuse(std::size_t size)
{
    if (size == REFUSED)
        throw std::bad_alloc();
}

// Without a context, as most programs have them.
template <int domain> void *own_malloc(void *, std::size_t size)
{
    refuse(size);
    return reals[domain].malloc(reals[domain].context, size);
}

template <int domain> void *own_calloc(void *, std::size_t count, std::size_t size)
{
    refuse(count * size);
    return reals[domain].calloc(reals[domain].context, count, size);
}

template <int domain> void *own_realloc(void *, void *block, std::size_t size)
{
    refuse(size);
    return reals[domain].realloc(reals[domain].context, block, size);
}

template <int domain> void own_free(void *, void *block)
{
    reals[domain].free(reals[domain].context, block);
}

template <typename Function> Function *symbol(const char *name)
{
    void *found = dlsym(library, name);
    if (!found) {
        std::fprintf(stderr, "throwing: %s\n", dlerror());
        std::exit(2);
    }
    return reinterpret_cast<Function *>(found);
}

template <int domain> void set_allocator()
{
    Allocator own = {nullptr, own_malloc<domain>, own_calloc<domain>, own_realloc<domain>, own_free<domain>};
    symbol<void(int, Allocator *)>("PyMem_GetAllocator")(domain, &reals[domain]);
    symbol<void(int, Allocator *)>("PyMem_SetAllocator")(domain, &own);
}

void ask_for(int kind)
{
    static void *block = symbol<void *(std::size_t)>("PyObject_Malloc")(300);
    switch (kind) {
    case 0:
        symbol<void *(std::size_t)>("PyObject_Malloc")(REFUSED);
        break;
    case 1:
        symbol<void *(std::size_t, std::size_t)>("PyObject_Calloc")(1, REFUSED);
        break;
    case 2:
        symbol<void *(void *, std::size_t)>("PyObject_Realloc")(block, REFUSED);
        break;
    default:
        symbol<void *(std::size_t)>("PyMem_Malloc")(REFUSED);
    }
}

__attribute__((noinline)) void *far_below(std::size_t size, int frames)
{
    char room[1024];
    __asm__ volatile("" : : "r"(room) : "memory");
    void *block = frames ? far_below(size, frames - 1) : std::malloc(size);
    __asm__ volatile("" : "+r"(block) : "r"(room) : "memory");
    return block;
}

} // namespace

EXPORT int caught(int kind)
{
    try {
        ask_for(kind);
    } catch (const std::bad_alloc &) {
        return 1;
    }
    return 0;
}

EXPORT int caught_then_hold(int kind, std::size_t size)
{
    int result = caught(kind);
    far_below(size, 3);
    return result;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
    if (!library) {
        std::fprintf(stderr, "throwing: %s\n", dlerror());
        return 2;
    }
    set_allocator<1>(); // mem
    set_allocator<2>(); // object
    char text[8192];
    std::snprintf(text, sizeof text,
                  "path = '%s'\nexec(compile(open(path).read(), path, 'exec'), {'__name__': '__main__'})\n",
                  argv[2]);
    symbol<void()>("Py_Initialize")();
    int failed = symbol<int(const char *, void *)>("PyRun_SimpleStringFlags")(text, nullptr);
    return symbol<int()>("Py_FinalizeEx")() != 0 || failed;
}
