/*
 * heapline tree: what was held, by call path.
 *
 * In the text a branch that only leads to one other stands above it without being indented, so that
 * deep stacks stay readable; the programs' formats are flat lists in the order of the text.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/say.h"
#include "viewer/base/terminal.h"
#include "viewer/cli/query_options.h"
#include "viewer/commands/commands.h"
#include "viewer/format/csv.h"
#include "viewer/format/json_values.h"
#include "viewer/format/names.h"
#include "viewer/format/table.h"
#include "viewer/question/key_name.h"
#include "viewer/question/tree.h"

#define COMMAND_NAME  "heapline tree"
#define LEAST_DEFAULT 0.01
/* A name is not squeezed into less, however deep it stands. */
#define NAME_COLUMNS_MIN 24u

enum {
    OPTION_INVERTED = 1,
    OPTION_FUNCTION,
    OPTION_MIN,
};

static const struct option_spec specs[] = {
    QUERY_SPEC_AT,
    QUERY_SPEC_BETWEEN,
    QUERY_SPEC_TEMPORARY,
    {0, "inverted", NULL, "innermost frames first, their callers below", OPTION_INVERTED},
    {0, "function", "NAME", "the callers of a function, and what it called", OPTION_FUNCTION},
    {0, "min", "SHARE", "fold branches of less than this share (1%)", OPTION_MIN},
    QUERY_SPECS_FILTERS,
    FORM_SPEC_JSON("print JSON"),
    FORM_SPEC_CSV("print the branches as CSV"),
    FORM_SPEC_NO_COLOR,
    FORM_SPEC_HELP,
};

struct tree_request {
    const char *function;
    bool has_least; /* else it is LEAST_DEFAULT */
    double least;
    bool inverted;
};

static bool take_least(struct tree_request *request, const struct options *options)
{
    char *rest;
    const char *text = options->value;
    double number = strtod(text, &rest);
    if (strspn(text, "0123456789.") == (size_t)(rest - text) && rest > text &&
        (!*rest || !strcmp(rest, "%")) && number <= 100) {
        request->least = number / 100;
        return request->has_least = true;
    }
    options_wrong(options, "--min needs a share like 5%%, not '%s'", text);
    return false;
}

static bool take_option(struct request *request, int option, struct options *options)
{
    struct tree_request *own = request->own;
    switch (option) {
    case OPTION_INVERTED:
        return own->inverted = true;
    case OPTION_FUNCTION:
        own->function = options->value;
        return true;
    default:
        return take_least(own, options);
    }
}

static bool check_request(struct request *request, const struct options *options)
{
    const struct tree_request *own = request->own;
    if (!form_check(&request->form, options))
        return false;
    if (own->inverted && own->function)
        return options_wrong(options, "--function shows both directions; without --inverted"),
               false;
    return query_options_check(&request->query, options);
}

/* --- for programs --- */

/* Takes a branch and where it stands; `parent` is the number of its parent, -1 for the root. */
typedef void branch_visitor(void *context, const struct branch *branch, int64_t parent,
                            uint32_t depth);

static void branch_visit(const struct branch *branch, int64_t parent, uint32_t depth,
                         int64_t *number, branch_visitor *visitor, void *context)
{
    int64_t own = (*number)++;
    visitor(context, branch, parent, depth);
    for (size_t i = 0; i < branch->child_count; i++)
        branch_visit(&branch->children[i], own, depth + 1, number, visitor, context);
}

static void visit_all(const struct tree *tree, branch_visitor *visitor, void *context)
{
    int64_t number = 0;
    branch_visit(&tree->root, -1, 0, &number, visitor, context);
}

static void add_branch(void *context, const struct branch *branch, int64_t parent, uint32_t depth)
{
    json_t *list = context, *object = json_object();
    json_object_set_new(object, "parent", parent < 0 ? json_null() : json_integer(parent));
    json_put_count(object, "depth", depth);
    json_put_text(object, "file", branch->frame ? branch->frame->file : NULL);
    bool has_line = branch->frame && branch->frame->file;
    json_object_set_new(object, "line", has_line ? json_integer(branch->frame->line) : json_null());
    json_put_text(object, "function", branch->frame ? branch->frame->function : NULL);
    json_put_count(object, "bytes", branch->total.bytes);
    json_put_count(object, "blocks", branch->total.blocks);
    json_put_count(object, "own_bytes", branch->own.bytes);
    json_put_count(object, "own_blocks", branch->own.blocks);
    json_put_count(object, "folded", branch->folded_count);
    json_put_count(object, "folded_bytes", branch->folded.bytes);
    json_put_count(object, "folded_blocks", branch->folded.blocks);
    json_array_append_new(list, object);
}

static json_t *tree_to_json(const struct tree *tree)
{
    json_t *list = json_array();
    visit_all(tree, add_branch, list);
    return list;
}

static void print_json(const struct tree *trees, size_t count, const char *const *names)
{
    json_t *all =
        json_pack("{s:o,s:I,s:I}", "heapline", json_about(), "bytes",
                  (json_int_t)trees[0].whole.bytes, "blocks", (json_int_t)trees[0].whole.blocks);
    for (size_t i = 0; i < count; i++)
        json_object_set_new(all, names[i], tree_to_json(&trees[i]));
    json_print_file(stdout, all);
}

static void print_csv_branch(void *context, const struct branch *branch, int64_t parent,
                             uint32_t depth)
{
    printf("%s,", (const char *)context);
    if (parent >= 0)
        printf("%" PRId64, parent);
    printf(",%" PRIu32 ",", depth);
    csv_put(stdout, branch->frame ? branch->frame->file : NULL);
    putchar(',');
    if (branch->frame && branch->frame->file)
        printf("%" PRId32, branch->frame->line);
    putchar(',');
    csv_put(stdout, branch->frame ? branch->frame->function : NULL);
    printf(",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%zu,%" PRIu64 ",%" PRIu64 "\n",
           branch->total.bytes, branch->total.blocks, branch->own.bytes, branch->own.blocks,
           branch->folded_count, branch->folded.bytes, branch->folded.blocks);
}

static void print_csv(const struct tree *trees, size_t count, const char *const *names)
{
    puts("tree,parent,depth,file,line,function,bytes,blocks,own_bytes,own_blocks,folded,"
         "folded_bytes,folded_blocks");
    for (size_t i = 0; i < count; i++)
        visit_all(&trees[i], print_csv_branch, (void *)(uintptr_t)names[i]);
}

/* --- for people --- */

struct page {
    const struct recording *recording;
    struct table table;
    uint64_t whole;
};

static struct table_cells cells_of(const struct page *page, const struct row *total,
                                   const struct row *own)
{
    return (struct table_cells){{size_format(total->bytes), share_format(total->bytes, page->whole),
                                 own ? size_format(own->bytes) : (struct size_text){""},
                                 count_format(total->blocks)}};
}

static void fit_branch(struct page *page, const struct branch *branch)
{
    struct table_cells cells = cells_of(page, &branch->total, &branch->own);
    table_fit(&page->table, &cells);
    for (size_t i = 0; i < branch->child_count; i++)
        fit_branch(page, &branch->children[i]);
}

static void print_branch(const struct page *page, const struct branch *branch, const char *prefix,
                         const char *mark)
{
    size_t taken = strlen(prefix) / 2, room = page->table.text_width;
    room = room > taken + NAME_COLUMNS_MIN ? room - taken : NAME_COLUMNS_MIN;
    CLEANUP(cleanup_free)
    char *name = branch->frame ? name_of_frame(page->recording, branch->frame, GROUP_BY_LINE, room)
                               : memory_copy("all");
    CLEANUP(cleanup_free) char *text = memory_print("%s%s%s", prefix, mark, name);
    struct table_cells cells = cells_of(page, &branch->total, &branch->own);
    table_print_row(&page->table, &cells, text);
}

static void print_rest(const struct page *page, const struct row *rest, const char *prefix,
                       const char *mark, const char *what)
{
    CLEANUP(cleanup_free) char *text = memory_print("%s%s%s", prefix, mark, what);
    struct table_cells cells = cells_of(page, rest, NULL);
    table_print_row(&page->table, &cells, text);
}

/* Prints what is below a branch. */
static void print_below(const struct page *page, const struct branch *branch, const char *prefix)
{
    bool no_frame = !branch->frame && branch->own.blocks;
    bool alone = branch->child_count == 1 && !branch->folded_count && !branch->own.blocks;
    for (size_t i = 0; i < branch->child_count; i++) {
        const struct branch *child = &branch->children[i];
        bool last = i + 1 == branch->child_count && !branch->folded_count && !no_frame;
        print_branch(page, child, prefix, alone ? "" : last ? "└ " : "├ ");
        CLEANUP(cleanup_free)
        char *deeper = memory_print("%s%s", prefix, alone ? "" : last ? "  " : "│ ");
        print_below(page, child, deeper);
    }
    if (no_frame)
        print_rest(page, &branch->own, prefix, branch->folded_count ? "├ " : "└ ",
                   NAME_OF_NO_FRAME);
    if (branch->folded_count) {
        CLEANUP(cleanup_free) char *what = memory_print("… %zu more", branch->folded_count);
        print_rest(page, &branch->folded, prefix, "└ ", what);
    }
}

static void print_text(const struct recording *recording, const struct tree *tree,
                       const char *title, bool no_color)
{
    struct page page = {
        .recording = recording,
        .whole = tree->whole.bytes,
        .table = {.stream = stdout,
                  .width = terminal_columns(STDOUT_FILENO),
                  .colours = colours_for(STDOUT_FILENO, no_color),
                  .columns = {{"size", false, 0},
                              {"share", true, 0},
                              {"own", true, 0},
                              {"blocks", true, 0}},
                  .column_count = 4},
    };
    fit_branch(&page, &tree->root);
    table_arrange(&page.table);
    table_print_titles(&page.table, title);
    print_branch(&page, &tree->root, "", "");
    print_below(&page, &tree->root, "");
}

/* --- the command --- */

static int show_answer(const struct request *request, const struct recording *recording,
                       const struct answer *answer)
{
    const struct tree_request *own = request->own;
    double least = own->has_least ? own->least : LEAST_DEFAULT;
    static const char *const both[] = {"callers", "callees"};
    const char *const one[] = {own->inverted ? "inverted" : "tree"};
    struct tree trees[2];
    size_t count = own->function ? 2 : 1;
    for (size_t i = 0; i < count; i++) {
        enum tree_direction direction = own->inverted ? TREE_INVERTED : TREE_FROM_ABOVE;
        if (own->function)
            direction = i == 0 ? TREE_CALLERS : TREE_CALLEES;
        tree_init(&trees[i], answer, direction, own->function, least);
    }
    const char *const *names = own->function ? both : one;
    if (request->form.json)
        print_json(trees, count, names);
    else if (request->form.csv)
        print_csv(trees, count, names);
    else
        for (size_t i = 0; i < count; i++)
            print_text(recording, &trees[i], names[i], request->form.no_color);
    bool found = trees[0].root.total.blocks;
    for (size_t i = 0; i < count; i++)
        tree_deinit(&trees[i]);
    if (own->function && !found)
        say(COMMAND_NAME, "nothing was held by a function called %s", own->function);
    return request_finish(request);
}

static int tree_show(struct request *request, struct recording *recording)
{
    request->query.by = GROUP_BY_STACK;
    request->query.limit = 0;
    CLEANUP(answer_deinit) struct answer answer;
    if (!answer_init(&answer, recording, &request->query))
        return request_fail_reading(request, recording);
    return show_answer(request, recording, &answer);
}

const struct subcommand command_tree = {
    .name = COMMAND_NAME,
    .summary = "by call path, callers above callees or inverted",
    .usage =
        "Usage: heapline tree [OPTION...] [RUN]\n\n"
        "Prints what was held by call path. Every branch is what was allocated while it was on\n"
        "the stack: its own part, the branches below it, and what was too little to show.\n",
    .options = OPTION_TABLE(specs, NULL),
    .files_most = 1,
    .own_size = sizeof(struct tree_request),
    .take = take_option,
    .check = check_request,
    .show = tree_show,
};
