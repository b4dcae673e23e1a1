/*
 * Every allocating function of the C library, each at a line of its own: the library of
 * tests/integration/test_native_allocators.py, which knows each marked line by the name behind the
 * mark.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define EXPORT __attribute__((visibility("default")))

static void *blocks[32];
static unsigned count;
static size_t line_size;

static void hold(void *block)
{
    blocks[count++] = block;
}

static void require(bool succeeded)
{
    if (!succeeded)
        abort();
}

/* A block in each way, of sizes that depend on `size`. */
EXPORT void allocate_all(size_t size)
{
    void *block;
    hold(malloc(size));                                 /*: malloc */
    hold(calloc(3, size));                              /*: calloc */
    hold(realloc(NULL, size + 1));                      /*: realloc_null */
    block = malloc(size + 2);                           /*: moved */
    hold(realloc(block, 2 * size));                     /*: realloc */
    hold(reallocarray(NULL, 5, size));                  /*: reallocarray_null */
    block = malloc(size + 3);                           /*: moved_array */
    hold(reallocarray(block, 7, size));                 /*: reallocarray */
    require(posix_memalign(&block, 64, size + 4) == 0); /*: posix_memalign */
    hold(block);
    hold(aligned_alloc(128, 128 * size)); /*: aligned_alloc */
    hold(memalign(256, size + 5));        /*: memalign */
    hold(valloc(size + 6));               /*: valloc */
    hold(pvalloc(size + 7));              /*: pvalloc */
}

/* And in those of libc's own functions: texts of `size` characters. */
EXPORT void allocate_texts(size_t size)
{
    char *made = NULL, *text = malloc(size + 1);    /*: text */
    wchar_t *wide = calloc(size + 1, sizeof *wide); /*: wide */
    memset(text, 'x', size);
    text[size] = 0;
    wmemset(wide, L'x', size);
    hold(strdup(text));                        /*: strdup */
    hold(strndup(text, size / 2));             /*: strndup */
    hold(wcsdup(wide));                        /*: wcsdup */
    require(asprintf(&made, "%s!", text) > 0); /*: asprintf */
    hold(made);
    FILE *file = fmemopen(text, size, "r");
    made = NULL;
    line_size = 0;
    require(getline(&made, &line_size, file) > 0); /*: getline */
    hold(made);
    fclose(file);
    free(wide);
    free(text);
}

/* What getline() says that it has allocated. */
EXPORT size_t size_of_line(void)
{
    return line_size;
}

/* Gives everything back, in all the ways there are. */
EXPORT void free_all(void)
{
    void (*free_sized)(void *, size_t) =
        (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
    void (*free_aligned_sized)(void *, size_t, size_t) =
        (void (*)(void *, size_t, size_t))dlsym(RTLD_DEFAULT, "free_aligned_sized");
    for (unsigned i = 0; i < count; i++) {
        size_t size = malloc_usable_size(blocks[i]);
        if (i % 4 == 1 && free_sized)
            free_sized(blocks[i], size);
        else if (i % 4 == 2 && free_aligned_sized)
            free_aligned_sized(blocks[i], 16, size);
        else if (i % 4 == 3)
            blocks[i] = realloc(blocks[i], 0);
        else
            free(blocks[i]);
    }
    count = 0;
}
