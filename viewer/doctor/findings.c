/*
 * A list of findings.
 */
#include "viewer/doctor/findings.h"

#include <stdarg.h>
#include <stdlib.h>

#include "viewer/base/memory.h"

const char *const finding_names[] = {
    [FINDING_OK] = "ok", [FINDING_NOTE] = "note", [FINDING_PROBLEM] = "problem"};

void findings_deinit(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        free(findings->list[i].text);
    free(findings->list);
}

void findings_add(struct findings *findings, enum finding_kind kind, const char *subject,
                  const char *advice, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    findings->list = memory_room(findings->list, findings->count, sizeof *findings->list);
    findings->list[findings->count++] = (struct finding){
        .subject = subject,
        .kind = kind,
        .text = memory_print_list(format, arguments),
        .advice = advice,
    };
    va_end(arguments);
}

bool findings_have_problem(const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        if (findings->list[i].kind == FINDING_PROBLEM)
            return true;
    return false;
}
