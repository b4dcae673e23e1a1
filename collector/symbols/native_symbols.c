/*
 * Questions stand in one line: [0, answered) are done, [answered, sent) lie with the worker, the
 * rest waits. The worker answers in order, so when it dies the first of the sent ones was what it
 * died of: that module is read less deeply from then on, at last not at all, and the others are
 * sent again to its successor.
 */
#include "collector/symbols/native_symbols.h"

#include <stdlib.h>
#include <string.h>

#include "collector/symbols/symbol_cache.h"

#define SENT_MAX 64u /* questions that lie with the worker; they fit into the socket's buffer */

struct point_result {
    struct native_point point;
    struct native_symbol *symbol; /* null: not known yet */
};

struct module_state {
    enum module_depth depth;
    bool is_known;  /* the cache has been looked into */
    bool is_open;   /* the worker has its files */
    bool has_dwarf; /* the worker has found debug information, or the cache was made with it */
    bool has_news;  /* there is what the cache does not have */
};

static struct point_result *result_at(const struct native_symbols *symbols, uint32_t number)
{
    return (struct point_result *)symbols->results.data + number;
}

static struct module_state *state_of(const struct native_symbols *symbols, uint32_t module)
{
    return (struct module_state *)symbols->states.data + module;
}

bool native_symbols_init(struct native_symbols *symbols, struct native_modules *modules,
                         const char *cache_folder, bool download)
{
    *symbols = (struct native_symbols){.modules = modules, .download = download, .count = 1};
    symbols->cache_folder = cache_folder ? strdup(cache_folder) : NULL;
    symbol_process_start(&symbols->process);
    return vector_reserve(&symbols->results, 1, sizeof(struct point_result)) &&
           index_init(&symbols->by_point);
}

/* --- results -------------------------------------------------------------------------------------
 */

/* The number of a point's result, else 0 and the key that it gets: another point of the same hash
 * moves it on to the next. */
static uint32_t find_result(const struct native_symbols *symbols, struct native_point point,
                            uint64_t *key)
{
    const uint64_t numbers[] = {point.module, point.offset};
    uint32_t number;
    for (*key = index_key(&symbols->by_point, 0, numbers, sizeof numbers);
         (number = index_find(&symbols->by_point, *key)); ++*key) {
        const struct native_point *known = &result_at(symbols, number)->point;
        if (known->module == point.module && known->offset == point.offset)
            return number;
    }
    return 0;
}

/* The number of a point's result, made when it is new; 0: no memory. */
static uint32_t make_result(struct native_symbols *symbols, struct native_point point)
{
    uint64_t key;
    uint32_t number = find_result(symbols, point, &key);
    if (number ||
        !vector_reserve(&symbols->results, symbols->count + 1, sizeof(struct point_result)))
        return number;
    uint32_t *value = index_at(&symbols->by_point, key);
    if (!value)
        return 0;
    *value = number = symbols->count++;
    result_at(symbols, number)->point = point;
    return number;
}

struct cache_context {
    struct native_symbols *symbols;
    uint32_t module;
};

static void take_cached(void *context, uint64_t offset, struct native_symbol *symbol)
{
    const struct cache_context *cache = context;
    const struct native_point point = {.module = cache->module, .offset = offset};
    uint32_t number = make_result(cache->symbols, point);
    struct point_result *result = number ? result_at(cache->symbols, number) : NULL;
    if (result && !result->symbol)
        result->symbol = symbol;
    else
        native_symbol_free(symbol);
}

static bool expects_dwarf(const struct native_symbols *symbols, const struct native_module *module)
{
    return !module->debug.is_unusable &&
           (symbols->download || module->facts.has_dwarf || module->debug.own >= 0);
}

/* Is its debug information nowhere but, may be, on a server? */
static bool is_for_servers(const struct native_symbols *symbols, const struct native_module *module)
{
    return symbols->download && !module->facts.has_dwarf && module->debug.own < 0;
}

/* Whoever has a root of its own, a container, can give a file any build-id: what is read there
 * stays out of what later runs believe. */
static const char *cache_folder(const struct native_symbols *symbols,
                                const struct native_module *module)
{
    return module->is_ours ? symbols->cache_folder : NULL;
}

/* A module's state, with all that the cache knows of it; null: no memory. */
static struct module_state *know_module(struct native_symbols *symbols, uint32_t number,
                                        struct native_module *module)
{
    if (!vector_reserve(&symbols->states, number + 1, sizeof(struct module_state)))
        return NULL;
    if (symbols->state_count <= number)
        symbols->state_count = number + 1;
    struct module_state *state = state_of(symbols, number);
    if (state->is_known)
        return state;
    struct cache_context context = {symbols, number};
    bool needs_dwarf = expects_dwarf(symbols, module);
    state->is_known = true;
    state->depth = module->debug.is_unusable ? MODULE_WITH_TABLE
                   : symbols->download       ? MODULE_WITH_DOWNLOAD
                                             : MODULE_WITH_DWARF;
    const char *folder = cache_folder(symbols, module);
    bool is_cached =
        folder && symbol_cache_read(folder, module, needs_dwarf, take_cached, &context);
    if (is_cached && is_for_servers(symbols, module))
        module->note = NULL;
    return state;
}

/* --- asking --------------------------------------------------------------------------------------
 */

static bool set_unknown(struct native_symbols *symbols, uint32_t number)
{
    struct point_result *result = result_at(symbols, number);
    if (!result->symbol)
        result->symbol = native_symbol_new(0);
    return result->symbol;
}

bool native_symbols_ask(struct native_symbols *symbols, struct native_point point)
{
    uint64_t key;
    struct native_module *module = native_modules_get(symbols->modules, point.module);
    if (find_result(symbols, point, &key))
        return true;
    bool is_file = module && module->kind == NATIVE_MODULE_FILE;
    if (is_file && !know_module(symbols, point.module, module))
        return false;
    uint32_t number = make_result(symbols, point);
    if (!number)
        return false;
    if (result_at(symbols, number)->symbol)
        return true;
    if (!is_file)
        return set_unknown(symbols, number);
    if (!vector_reserve(&symbols->questions, symbols->asked + 1, sizeof number))
        return set_unknown(symbols, number);
    ((uint32_t *)symbols->questions.data)[symbols->asked++] = number;
    return true;
}

static uint32_t question_at(const struct native_symbols *symbols, uint32_t position)
{
    return ((const uint32_t *)symbols->questions.data)[position];
}

/* --- sending -------------------------------------------------------------------------------------
 */

static const char *const depth_notes[] = {
    [MODULE_WITH_TABLE] = "its debug information could not be read",
    [MODULE_UNREADABLE] = "its symbols could not be read",
};

/* Gives the worker the module's files, unless it has them. What is written over is not read any
 * more: the worker has not read all of it. False: not now. */
static bool open_module(struct native_symbols *symbols, struct native_module *module,
                        uint32_t number)
{
    struct module_state *state = state_of(symbols, number);
    const struct module_files files = {module->file, module->debug.own, module->debug.shared};
    if (state->depth != MODULE_UNREADABLE && native_module_has_changed(module)) {
        if (symbols->sent > symbols->answered)
            return false; /* what was asked before is answered first */
        module->note = "its file has been changed";
        state->depth = MODULE_UNREADABLE;
    }
    if (state->is_open || state->depth == MODULE_UNREADABLE)
        return true;
    state->is_open = symbol_process_open(&symbols->process, number, &files, state->depth);
    return state->is_open;
}

/* Sends the next question. False: not now. */
static bool send_next(struct native_symbols *symbols)
{
    const struct native_point *point =
        &result_at(symbols, question_at(symbols, symbols->sent))->point;
    struct native_module *module = native_modules_get(symbols->modules, point->module);
    return open_module(symbols, module, point->module) &&
           (state_of(symbols, point->module)->depth == MODULE_UNREADABLE ||
            symbol_process_ask(&symbols->process, point->module, point->offset));
}

/* --- answers -------------------------------------------------------------------------------------
 */

/* The worker is gone; what it has not answered is to be sent again. */
static void begin_again(struct native_symbols *symbols)
{
    for (uint32_t i = 0; i < symbols->state_count; i++)
        state_of(symbols, i)->is_open = false;
    symbols->sent = symbols->answered;
}

static struct module_state *first_state(const struct native_symbols *symbols)
{
    uint32_t number = question_at(symbols, symbols->answered);
    return state_of(symbols, result_at(symbols, number)->point.module);
}

/* The worker died of the first open question. */
static void blame_first(struct native_symbols *symbols)
{
    uint32_t number = question_at(symbols, symbols->answered);
    struct module_state *state = first_state(symbols);
    state->depth = state->depth < MODULE_WITH_TABLE ? MODULE_WITH_TABLE : MODULE_UNREADABLE;
    native_modules_get(symbols->modules, result_at(symbols, number)->point.module)->note =
        depth_notes[state->depth];
}

/* What the worker has found, or has not. */
static void note_answer(const struct native_symbols *symbols, struct native_module *module,
                        const struct module_state *state)
{
    bool was_asked_for = state->depth == MODULE_WITH_DOWNLOAD && is_for_servers(symbols, module);
    if (was_asked_for)
        module->note = state->has_dwarf ? NULL : "no server has its debug information";
    else if (!state->has_dwarf && !module->note && expects_dwarf(symbols, module))
        module->note = "its debug information is damaged or too large";
}

static void take_answer(struct native_symbols *symbols, const struct symbol_answer *answer)
{
    uint32_t number = question_at(symbols, symbols->answered++);
    struct point_result *result = result_at(symbols, number);
    struct module_state *state = state_of(symbols, result->point.module);
    struct native_module *module = native_modules_get(symbols->modules, result->point.module);
    if (result->symbol)
        native_symbol_free(answer->symbol);
    else
        result->symbol = answer->symbol;
    set_unknown(symbols, number);
    state->has_news = true;
    state->has_dwarf = answer->has_dwarf;
    note_answer(symbols, module, state);
}

/* The first open question stays without an answer. */
static void take_nothing(struct native_symbols *symbols)
{
    set_unknown(symbols, question_at(symbols, symbols->answered++));
}

/* Nobody will answer any more. */
static void give_up(struct native_symbols *symbols)
{
    while (symbols->answered < symbols->asked)
        take_nothing(symbols);
    symbols->sent = symbols->asked;
}

/* --- moving --------------------------------------------------------------------------------------
 */

/* A worker may also have died while it had nothing to do: that is nobody's fault once. */
static void send_questions(struct native_symbols *symbols)
{
    while (symbols->sent < symbols->asked && symbols->sent - symbols->answered < SENT_MAX) {
        if (!symbol_process_hire(&symbols->process)) {
            give_up(symbols);
            return;
        }
        if (send_next(symbols)) {
            symbols->sent++;
        } else if (symbols->sent > symbols->answered) {
            return;
        } else {
            symbol_process_dismiss(&symbols->process);
            begin_again(symbols);
            if (symbols->is_second_try)
                blame_first(symbols);
            symbols->is_second_try = true;
        }
    }
}

/* Deals with the first of the sent questions. False: its answer is not here yet. */
static bool receive_answer(struct native_symbols *symbols, int wait_ms)
{
    if (first_state(symbols)->depth == MODULE_UNREADABLE) {
        take_nothing(symbols);
        return true;
    }
    struct symbol_answer answer = symbol_process_answer(&symbols->process, wait_ms);
    if (answer.kind == SYMBOL_ANSWER) {
        take_answer(symbols, &answer);
        symbols->is_second_try = false;
    } else if (answer.kind == SYMBOL_ANSWER_GONE) {
        begin_again(symbols);
        blame_first(symbols);
    }
    return answer.kind != SYMBOL_ANSWER_NONE;
}

bool native_symbols_work(struct native_symbols *symbols, int wait_ms)
{
    for (;;) {
        send_questions(symbols);
        if (symbols->sent == symbols->answered || !receive_answer(symbols, wait_ms))
            break;
        wait_ms = 0;
    }
    if (symbols->answered < symbols->asked)
        return true;
    symbols->asked = symbols->sent = symbols->answered = 0;
    return false;
}

const struct native_symbol *native_symbols_get(const struct native_symbols *symbols,
                                               struct native_point point)
{
    uint64_t key;
    uint32_t number = find_result(symbols, point, &key);
    return number ? result_at(symbols, number)->symbol : NULL;
}

/* --- the end -------------------------------------------------------------------------------------
 */

static void write_module(const struct native_symbols *symbols, uint32_t number,
                         struct symbol_cache_writer *writer)
{
    const struct module_state *state = state_of(symbols, number);
    for (uint32_t i = 1; i < symbols->count; i++) {
        const struct point_result *result = result_at(symbols, i);
        if (result->point.module == number && result->symbol &&
            !symbol_cache_add(writer, result->point.offset, result->symbol))
            break;
    }
    symbol_cache_write(writer, symbols->cache_folder, native_modules_get(symbols->modules, number),
                       state->has_dwarf);
}

/* What was read less deeply than it could be is not kept. */
static void write_cache(const struct native_symbols *symbols)
{
    struct symbol_cache_writer writer = {0};
    for (uint32_t i = 1; symbols->cache_folder && i < symbols->state_count; i++) {
        const struct module_state *state = state_of(symbols, i);
        const struct native_module *module = native_modules_get(symbols->modules, i);
        bool is_whole = state->depth < MODULE_WITH_TABLE &&
                        (state->has_dwarf || symbols->download || !expects_dwarf(symbols, module));
        if (state->has_news && is_whole && cache_folder(symbols, module))
            write_module(symbols, i, &writer);
    }
}

void native_symbols_deinit(struct native_symbols *symbols)
{
    write_cache(symbols);
    symbol_process_stop(&symbols->process);
    for (uint32_t i = 1; i < symbols->count; i++)
        native_symbol_free(result_at(symbols, i)->symbol);
    vector_deinit(&symbols->results);
    vector_deinit(&symbols->states);
    vector_deinit(&symbols->questions);
    index_deinit(&symbols->by_point);
    free(symbols->cache_folder);
}
