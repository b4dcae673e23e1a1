/*
 * A clock that moves by as much as it is told to whenever heapline looks at it, whatever time it
 * is: preloaded by tests/integration/test_progress.py, with the step in milliseconds in CLOCK_STEP.
 */
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t which, struct timespec *time)
{
    static long long now_ms = 1000000;
    (void)which;
    now_ms += atoll(getenv("CLOCK_STEP"));
    *time = (struct timespec){now_ms / 1000, now_ms % 1000 * 1000000};
    return 0;
}
