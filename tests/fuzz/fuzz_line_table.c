/*
 * The line-table decoder against any bytes; the first chooses the format.
 */
#include <stdlib.h>

#include "collector/python/line_table.h"
#include "driver.h"

#define UNITS 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int32_t lines[UNITS];
    if (size == 0)
        return 0;
    enum wire_line_table kind = (enum wire_line_table)(data[0] % WIRE_LINES_COUNT);
    if (line_table_units(kind, data + 1, size - 1) > LINE_UNITS_MAX)
        abort();
    line_table_decode(kind, data + 1, size - 1, 1, lines, UNITS);
    for (int i = 0; i < UNITS; i++)
        if (lines[i] < 0)
            abort();
    return 0;
}
