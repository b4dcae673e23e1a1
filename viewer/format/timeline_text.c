/*
 * The heap is an area, resident memory a line above it, where it is above it. Each cell has eight
 * levels. The axis on the left names every fourth line, the one below the beginning, the peak, and
 * the end.
 */
#include "viewer/format/timeline_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/size.h"

#define LINES        12u
#define LEVELS       8u /* of a cell */
#define LABEL        9u /* columns of a size */
#define LINES_A_NAME 4u

size_t drawing_columns(size_t width)
{
    return width - LABEL - 2;
}

static uint64_t largest(const struct drawing *drawing)
{
    uint64_t most = 1;
    for (size_t i = 0; i < drawing->columns; i++) {
        most = drawing->heap[i] > most ? drawing->heap[i] : most;
        most = drawing->resident[i] > most ? drawing->resident[i] : most;
    }
    return most;
}

/* How high a value stands, in levels of cells; what is not nothing shows. */
static size_t height_of(uint64_t value, uint64_t most)
{
    return (size_t)ceil((double)value / (double)most * LINES * LEVELS);
}

/* The cell of a column whose lowest level is `floor`. */
static const char *cell(const struct drawing *drawing, size_t column, uint64_t most, size_t floor)
{
    static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    size_t heap = height_of(drawing->heap[column], most);
    size_t resident = height_of(drawing->resident[column], most);
    if (heap > floor)
        return blocks[heap - floor < LEVELS ? heap - floor : LEVELS];
    return resident > floor && resident <= floor + LEVELS ? "─" : " ";
}

static void print_line(FILE *stream, const struct drawing *drawing, struct colours colours,
                       uint64_t most, size_t line)
{
    bool named = line % LINES_A_NAME == 0;
    uint64_t value = (uint64_t)((double)most / LINES * (double)line);
    fprintf(stream, "%*s %s", (int)LABEL, named ? size_format(value).text : "", named ? "┤" : "│");
    const char *before = "";
    for (size_t i = 0; i < drawing->columns; i++) {
        const char *text = cell(drawing, i, most, (line - 1) * LEVELS);
        const char *colour = !strcmp(text, "─") ? colours.warning : colours.number;
        if (strcmp(colour, before))
            fprintf(stream, "%s%s", *before ? colours.plain : "", colour);
        before = colour;
        fputs(text, stream);
    }
    fprintf(stream, "%s\n", *before ? colours.plain : "");
}

static void print_axis(FILE *stream, const struct drawing *drawing)
{
    size_t peak = drawing->columns;
    if (!isnan(drawing->peak_time) && drawing->seconds > 0)
        peak = (size_t)(drawing->peak_time / drawing->seconds * (double)drawing->columns);
    fprintf(stream, "%*s └", (int)LABEL, size_format(0).text);
    for (size_t i = 0; i < drawing->columns; i++)
        fputs(i == peak || (peak >= drawing->columns && !isnan(drawing->peak_time) &&
                            i + 1 == drawing->columns)
                  ? "▲"
                  : "─",
              stream);
    CLEANUP(cleanup_free) char *end = memory_copy(seconds_format(drawing->seconds).text);
    fprintf(stream, "\n%*s%-*s%s\n", (int)LABEL + 2, "", (int)(drawing->columns - strlen(end)),
            "0 s", end);
}

void drawing_print(FILE *stream, const struct drawing *drawing, struct colours colours)
{
    uint64_t most = largest(drawing);
    for (size_t line = LINES; line >= 1; line--)
        print_line(stream, drawing, colours, most, line);
    print_axis(stream, drawing);
}
