/*
 * Lines of text that fit the terminal: a table of numbers with a free text behind them, and wrapped
 * sentences. Every string that goes in is escaped (utf8.h).
 */
#ifndef HEAPLINE_VIEWER_FORMAT_TABLE_H
#define HEAPLINE_VIEWER_FORMAT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "viewer/base/size.h"
#include "viewer/format/colour.h"

#define TABLE_COLUMNS_MAX 9u

struct table_column {
    const char *title;
    bool dispensable; /* left out when the terminal is narrow; the last such column first */
    size_t width;     /* set by table_fit() */
};

/* One row's cells, one for each column. */
struct table_cells {
    struct size_text cells[TABLE_COLUMNS_MAX];
};

struct table {
    FILE *stream; /* not owned */
    size_t width; /* of a line */
    struct colours colours;
    struct table_column columns[TABLE_COLUMNS_MAX];
    size_t column_count;
    size_t text_least; /* columns for the text, before dispensable ones are kept; 0: a few */
    size_t text_start; /* where the free text begins; set by table_arrange() */
    size_t text_width;
};

/* Makes the columns wide enough for these cells. For all rows, before table_arrange(). */
void table_fit(struct table *table, const struct table_cells *cells);
/* Decides which columns there is room for. */
void table_arrange(struct table *table);

void table_print_titles(const struct table *table, const char *text_title);
void table_print_row(const struct table *table, const struct table_cells *cells, const char *text);
/* A further line of a row's text. */
void table_print_more(const struct table *table, const char *colour, const char *text);

/* Prints sentences, wrapped at the line's width; lines after the first are indented. */
void print_wrapped(FILE *stream, size_t width, size_t indent, const char *text);
/* Prints one line, cut at its end. */
void print_cut(FILE *stream, size_t width, const char *text);

#endif
