/*
 * Passes for a CPython of a version that does not exist: it exports what the shim asks for, and
 * allocates a block that can be told from all others.
 */
#include <stdio.h>
#include <stdlib.h>

struct allocator {
    void *context, *malloc, *calloc, *realloc, *free;
};
static struct allocator allocators[3];

const unsigned long Py_Version = 0x037f00f0;
const char _PyRuntime[4096] = "no cookie";
int PyCode_Type, PyUnicode_Type, PyBytes_Type;

void PyMem_GetAllocator(int domain, struct allocator *allocator)
{
    *allocator = allocators[domain];
}

void PyMem_SetAllocator(int domain, struct allocator *allocator)
{
    allocators[domain] = *allocator;
}

void PyMem_SetupDebugHooks(void)
{
}

int Py_IsInitialized(void)
{
    return 1;
}

void *PyThreadState_GetUnchecked(void)
{
    return NULL;
}

void *PyGILState_GetThisThreadState(void)
{
    return NULL;
}

void *volatile kept;

int main(void)
{
    kept = malloc(1234567);
    puts("ran");
    return 3;
}
