/*
 * The width of the output.
 */
#include "viewer/base/terminal.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "viewer/base/options.h"

#define COLUMNS_ELSEWHERE 100u
#define COLUMNS_MAX       10000

size_t terminal_columns(int descriptor)
{
    int64_t columns = COLUMNS_ELSEWHERE;
    const char *text = getenv("COLUMNS");
    struct winsize size;
    if (!text || !options_number(text, 1, COLUMNS_MAX, &columns))
        if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
            columns = size.ws_col;
    return columns < TERMINAL_COLUMNS_MIN ? TERMINAL_COLUMNS_MIN : (size_t)columns;
}
