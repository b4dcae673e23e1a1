/* What test_native_symbols.c resolves: lines are found by their comments. Compiled in several ways.
 */
typedef void capture_function(void);

int kept;

static inline __attribute__((always_inline)) void innermost(capture_function *capture)
{
    capture(); /* innermost */
    kept++;
}

static inline __attribute__((always_inline)) void middle(capture_function *capture)
{
    innermost(capture); /* middle */
}

__attribute__((noinline)) void outer(capture_function *capture)
{
    middle(capture); /* outer */
    kept++;
}

static __attribute__((noinline)) void hidden(capture_function *capture)
{
    capture(); /* hidden */
    kept++;
}

void exercise(capture_function *capture)
{
    outer(capture);
    hidden(capture);
    capture(); /* exercise */
    kept++;
}
