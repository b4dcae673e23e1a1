/* What made_code.c loads: OUTER calls INNER, which allocates. Their names are those of symbols. */
typedef unsigned long size;

static __attribute__((noinline, used)) void *outer(void *(*allocate)(size),
                                                   size bytes) __asm__(OUTER);
static __attribute__((noinline, used)) void *inner(void *(*allocate)(size),
                                                   size bytes) __asm__(INNER);

static void *outer(void *(*allocate)(size), size bytes)
{
    void *volatile block = inner(allocate, bytes);
    return block;
}

static void *inner(void *(*allocate)(size), size bytes)
{
    void *volatile block = allocate(bytes);
    return block;
}
