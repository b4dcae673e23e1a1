/*
 * Reading sizes.
 */
#include "size.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool parse_unit(const char *text, double *factor)
{
    static const char letters[] = "KMGT";
    *factor = 1;
    if (!*text || strcasecmp(text, "B") == 0)
        return true;
    const char *letter = strchr(letters, toupper((unsigned char)*text));
    bool decimal = strcasecmp(text + 1, "B") == 0;
    if (!letter || (text[1] && !decimal && strcasecmp(text + 1, "iB")))
        return false;
    for (const char *at = letters; at <= letter; at++)
        *factor *= decimal ? 1000 : 1024;
    return true;
}

bool size_parse(const char *text, uint64_t *bytes)
{
    size_t digits = strspn(text, "0123456789.");
    char *end;
    double factor, number = strtod(text, &end);
    if (digits == 0 || end != text + digits || !parse_unit(end, &factor) ||
        number * factor >= 9.2e18)
        return false;
    *bytes = (uint64_t)(number * factor);
    return true;
}
