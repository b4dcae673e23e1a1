/*
 * The beginning of every JSON output, and the parts of large ones.
 */
#include "viewer/format/json_values.h"

#include "store.h"

json_t *json_about(void)
{
    return json_pack("{s:i,s:s}", "format", STORE_FORMAT, "version", HEAPLINE_VERSION);
}

void json_print(FILE *stream, json_t *value)
{
    json_dumpf(value, stream,
               JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(JSON_SECONDS_DIGITS));
    json_decref(value);
}
