/*
 * Layout in columns of characters.
 *
 * Numbers are aligned to the right, two spaces apart, and the text takes what is left. When that is
 * less than it needs, dispensable columns go, from the right.
 */
#include "viewer/format/table.h"

#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/utf8.h"

#define COLUMN_GAP       2u
#define TEXT_COLUMNS_MIN 16u

void table_fit(struct table *table, const struct table_cells *cells)
{
    for (size_t i = 0; i < table->column_count; i++) {
        size_t width = strlen(cells->cells[i].text);
        if (width > table->columns[i].width)
            table->columns[i].width = width;
    }
}

static void table_measure(struct table *table)
{
    table->text_start = 0;
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].width)
            table->text_start += table->columns[i].width + COLUMN_GAP;
}

void table_arrange(struct table *table)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].width < strlen(table->columns[i].title))
            table->columns[i].width = strlen(table->columns[i].title);
    table_measure(table);
    size_t least = table->text_least ? table->text_least : TEXT_COLUMNS_MIN;
    for (size_t i = table->column_count; i-- > 0;) {
        if (table->text_start + least <= table->width)
            break;
        if (table->columns[i].dispensable)
            table->columns[i].width = 0;
        table_measure(table);
    }
    table->text_width = table->width > table->text_start ? table->width - table->text_start : 1;
}

void table_print_titles(const struct table *table, const char *text_title)
{
    fputs(table->colours.faint, table->stream);
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].width)
            fprintf(table->stream, "%*s  ", (int)table->columns[i].width, table->columns[i].title);
    fprintf(table->stream, "%s%s\n", text_title, table->colours.plain);
}

void table_print_row(const struct table *table, const struct table_cells *cells, const char *text)
{
    fputs(table->colours.number, table->stream);
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].width)
            fprintf(table->stream, "%*s  ", (int)table->columns[i].width, cells->cells[i].text);
    CLEANUP(cleanup_free) char *cut = utf8_cut_end(text, table->text_width);
    fprintf(table->stream, "%s%s\n", table->colours.plain, cut);
}

void table_print_more(const struct table *table, const char *colour, const char *text)
{
    CLEANUP(cleanup_free) char *cut = utf8_cut_end(text, table->text_width);
    fprintf(table->stream, "%*s%s%s%s\n", (int)table->text_start, "", colour, cut,
            *colour ? table->colours.plain : "");
}

void print_cut(FILE *stream, size_t width, const char *text)
{
    CLEANUP(cleanup_free) char *cut = utf8_cut_end(text, width);
    fprintf(stream, "%s\n", cut);
}

void print_wrapped(FILE *stream, size_t width, size_t indent, const char *text)
{
    size_t used = 0;
    while (*text) {
        size_t length = strcspn(text, " ");
        CLEANUP(cleanup_free) char *whole = memory_print("%.*s", (int)length, text);
        CLEANUP(cleanup_free) char *word = utf8_cut_end(whole, width - indent);
        size_t columns = utf8_width(word);
        if (used && used + 1 + columns > width) {
            fprintf(stream, "\n%*s", (int)indent, "");
            used = indent;
        } else if (used) {
            fputc(' ', stream);
            used++;
        }
        fputs(word, stream);
        used += columns;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', stream);
}
