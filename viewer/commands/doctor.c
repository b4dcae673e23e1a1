/*
 * heapline doctor: whether programs can be traced here, and what to do where they cannot.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/utf8.h"
#include "viewer/commands/commands.h"
#include "viewer/doctor/doctor.h"
#include "viewer/format/colour.h"
#include "viewer/format/json_values.h"

#define COMMAND_NAME "heapline doctor"

static const struct option_spec specs[] = {
    FORM_SPEC_JSON("print JSON"),
    FORM_SPEC_NO_COLOR,
    FORM_SPEC_HELP,
};

static void print_text(const struct findings *findings, bool no_color)
{
    struct colours colours = colours_for(STDOUT_FILENO, no_color);
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->list[i];
        CLEANUP(cleanup_free) char *text = utf8_escape(finding->text);
        printf("%s%-8s%s %s: %s\n", finding->kind == FINDING_OK ? "" : colours.warning,
               finding_names[finding->kind], finding->kind == FINDING_OK ? "" : colours.plain,
               finding->subject, text);
        if (finding->advice)
            printf("         -> %s\n", finding->advice);
    }
    puts(findings_have_problem(findings)
             ? "Tracing does not work: see what is called a problem above."
             : "Tracing works: heapline run -- COMMAND");
}

static void print_json(const struct findings *findings)
{
    json_t *list = json_array();
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->list[i];
        json_t *object = json_object();
        json_put_text(object, "subject", finding->subject);
        json_put_text(object, "verdict", finding_names[finding->kind]);
        json_put_text(object, "text", finding->text);
        json_put_text(object, "advice", finding->advice);
        json_array_append_new(list, object);
    }
    json_t *all = json_pack("{s:o,s:b,s:o}", "heapline", json_about(), "works",
                            !findings_have_problem(findings), "findings", list);
    json_print_file(stdout, all);
}

static int doctor_examine(struct request *request)
{
    static char usual[] = "python3";
    char *const usual_command[] = {usual, NULL};
    char *const *command = *request->command ? request->command : usual_command;
    struct progress progress;
    progress_init(&progress, COMMAND_NAME);
    CLEANUP(findings_deinit) struct findings findings = {.progress = &progress};
    doctor_examine_machine(&findings);
    doctor_examine_environment(&findings);
    if (doctor_examine_python(&findings, command))
        doctor_try(&findings, command);
    if (request->form.json)
        print_json(&findings);
    else
        print_text(&findings, request->form.no_color);
    int status = request_finish(request);
    return findings_have_problem(&findings) ? STATUS_FAILED : status;
}

const struct subcommand command_doctor = {
    .name = COMMAND_NAME,
    .summary = "whether this machine and this Python can be traced",
    .usage =
        "Usage: heapline doctor [OPTION...] [--] [PYTHON [ARG...]]\n\n"
        "Looks whether programs can be traced on this machine, in this container, with this\n"
        "Python (python3), and says what to do where they cannot. The last look is a recording\n"
        "of a program that does nothing. Ends with 0 when tracing works and 1 when it does not.\n",
    .options = OPTION_TABLE(specs, NULL),
    .operands = OPERANDS_COMMAND,
    .perform = doctor_examine,
};
