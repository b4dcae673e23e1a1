/*
 * Colour: escape sequences, or empty strings where they are not wanted.
 */
#ifndef HEAPLINE_VIEWER_FORMAT_COLOUR_H
#define HEAPLINE_VIEWER_FORMAT_COLOUR_H

#include <stdbool.h>

/* What to print before and after a piece of text. Constant strings. */
struct colours {
    const char *strong;
    const char *number;
    const char *faint;
    const char *warning;
    const char *plain; /* back to normal */
};

/* Colours for a terminal, or none: when `forbidden`, when the descriptor is no terminal, when
 * NO_COLOR is set and not empty, or when TERM says that there are none. */
struct colours colours_for(int descriptor, bool forbidden);

#endif
