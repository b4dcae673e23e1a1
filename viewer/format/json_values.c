/*
 * The beginning of every JSON output.
 */
#include "viewer/format/json_values.h"

#include "store.h"

json_t *json_about(void)
{
    return json_pack("{s:i,s:s}", "format", STORE_FORMAT, "version", HEAPLINE_VERSION);
}
