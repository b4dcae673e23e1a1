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

#define CURVE_LINES   12u
#define CELL_LEVELS   8u /* of a cell */
#define LABEL_COLUMNS 9u /* columns of a size */
#define LINES_A_NAME  4u

size_t drawing_columns(size_t width)
{
    return width - LABEL_COLUMNS - 2;
}

static uint64_t largest_value(const struct drawing *drawing)
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
    return (size_t)ceil((double)value / (double)most * CURVE_LINES * CELL_LEVELS);
}

/* The cell of a column whose lowest level is `floor`. */
static const char *cell_text(const struct drawing *drawing, size_t column, uint64_t most,
                             size_t floor)
{
    static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    size_t heap = height_of(drawing->heap[column], most);
    size_t resident = height_of(drawing->resident[column], most);
    if (heap > floor)
        return blocks[heap - floor < CELL_LEVELS ? heap - floor : CELL_LEVELS];
    return resident > floor && resident <= floor + CELL_LEVELS ? "─" : " ";
}

static void print_line(FILE *stream, const struct drawing *drawing, struct colours colours,
                       uint64_t most, size_t line)
{
    bool named = line % LINES_A_NAME == 0;
    uint64_t value = (uint64_t)((double)most / CURVE_LINES * (double)line);
    fprintf(stream, "%*s %s", (int)LABEL_COLUMNS, named ? size_format(value).text : "",
            named ? "┤" : "│");
    const char *before = "";
    for (size_t i = 0; i < drawing->columns; i++) {
        const char *text = cell_text(drawing, i, most, (line - 1) * CELL_LEVELS);
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
    fprintf(stream, "%*s └", (int)LABEL_COLUMNS, size_format(0).text);
    for (size_t i = 0; i < drawing->columns; i++)
        fputs(i == peak || (peak >= drawing->columns && !isnan(drawing->peak_time) &&
                            i + 1 == drawing->columns)
                  ? "▲"
                  : "─",
              stream);
    CLEANUP(cleanup_free) char *end = memory_copy(seconds_format(drawing->seconds).text);
    fprintf(stream, "\n%*s%-*s%s\n", (int)LABEL_COLUMNS + 2, "",
            (int)(drawing->columns - strlen(end)), "0 s", end);
}

void drawing_print(FILE *stream, const struct drawing *drawing, struct colours colours)
{
    uint64_t most = largest_value(drawing);
    for (size_t line = CURVE_LINES; line >= 1; line--)
        print_line(stream, drawing, colours, most, line);
    print_axis(stream, drawing);
}
