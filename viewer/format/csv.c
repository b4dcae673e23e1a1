/*
 * Quoting as RFC 4180 has it.
 */
#include "viewer/format/csv.h"

#include <string.h>

void csv_put(FILE *stream, const char *text)
{
    if (!text)
        return;
    if (!text[strcspn(text, ",\"\r\n")]) {
        fputs(text, stream);
        return;
    }
    fputc('"', stream);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', stream);
        fputc(*text, stream);
    }
    fputc('"', stream);
}
