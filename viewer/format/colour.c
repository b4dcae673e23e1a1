/*
 * Whether to colour (https://no-color.org), and the few colours there are.
 */
#include "viewer/format/colour.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct colours colours_for(int descriptor, bool forbidden)
{
    const char *no_color = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    if (forbidden || (no_color && *no_color) || !terminal || !strcmp(terminal, "dumb") ||
        !isatty(descriptor))
        return (struct colours){"", "", "", "", ""};
    return (struct colours){
        .strong = "\033[1m",
        .number = "\033[36m",
        .faint = "\033[2m",
        .warning = "\033[33m",
        .plain = "\033[0m",
    };
}
