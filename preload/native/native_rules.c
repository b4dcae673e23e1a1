/*
 * Asking libunwind.
 *
 * A cursor is initialized with an address space of our own, whose accessors hand out registers and
 * memory. The registers are far from all real addresses; what is read near them is a value that
 * names its register and offset. After one step the caller's registers tell how they came about:
 * an address near a register is that register plus an offset, a named value was loaded from there.
 * What tells nothing (registers other than sp and bp, arithmetic on what was loaded) makes no rule.
 *
 * libunwind allocates and maps memory. While it is asked the guard says so, and the hooks take that
 * for a part of the call at hand. Only one thread asks at a time.
 *
 * The table is read without a lock: an entry's key is taken out before it changes and put in after.
 */
#include "preload/native/native_rules.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>

#include "preload/arch/unwinding.h"
#include "preload/base/lock.h"
#include "preload/base/memory.h"
#include "preload/base/memory_copy.h"
#include "preload/base/shim.h"
#include "preload/native/debugger_lists.h"
#include "preload/native/made_code.h"
#include "preload/native/native_function.h"
#include "preload/native/native_modules.h"

#define LOG2_SLOTS 15u
#define SLOTS      (1u << LOG2_SLOTS)

/* Bits 63..60 say what a made-up value is. */
#define WHAT_SHIFT   60
#define NEAR_STACK   1u
#define NEAR_FRAME   2u
#define NEAR_OTHERS  3u
#define LOADED       8u /* added to one of those */
#define OFFSET_SHIFT 32
#define OFFSET_BITS  24
#define OFFSET_MASK  ((UINT64_C(1) << OFFSET_BITS) - 1)
#define OFFSET_HALF  (UINT64_C(1) << (OFFSET_BITS - 1))
/* In the low half, far from both ends: what is added to a loaded value shows. */
#define LOADED_MARK UINT64_C(0x40000000)

struct slot {
    _Atomic uintptr_t ip; /* 0: free */
    struct native_rule rule;
};

/* One question: what the caller's registers are, made up, or real ones of the check build. */
struct question {
    uintptr_t ip;
    const struct native_registers *real; /* null: made up */
    uintptr_t limit;                     /* of the real stack */
    struct native_function function;
    bool is_without_information;
    bool is_made; /* code that the program has made, or such was met on the way */
};

static struct {
    unw_addr_space_t (*create_addr_space)(unw_accessors_t *, int);
    int (*set_caching_policy)(unw_addr_space_t, unw_caching_policy_t);
    int (*init_remote)(unw_cursor_t *, unw_addr_space_t, void *);
    int (*step)(unw_cursor_t *);
    int (*get_reg)(unw_cursor_t *, int, unw_word_t *);
    int (*search_unwind_table)(unw_addr_space_t, unw_word_t, unw_dyn_info_t *, unw_proc_info_t *,
                               int, void *);
} library;

_Atomic uint32_t native_rules_changes;

static unw_addr_space_t space;
static struct slot *slots;
static struct lock asking;
static struct native_function interpreter, evaluation; /* the first is all its code */
static uintptr_t recursion_check;

/* --- what libunwind asks --- */

/* The table of .eh_frame_hdr, in the one encoding that linkers write (LSB core, "Exception frame
 * header"): version 1, pcrel sdata4, udata4, datarel sdata4. */
static bool is_searchable(const unsigned char *header)
{
    return header[0] == 1 && header[1] == 0x1b && header[2] == 0x03 && header[3] == 0x3b;
}

/* A table for code that has none, with one function in it. */
static struct {
    int32_t function, entry; /* from where the function begins */
} made_table;

static bool set_made_table(unw_dyn_info_t *table, uintptr_t ip)
{
    const struct frame_section frames = made_code_frames(ip);
    struct frame_entry entry;
    if (!frames.bytes || !frame_search(&frames, ip, &entry))
        return false;
    made_table.entry = (int32_t)(entry.at - entry.start);
    *table = (unw_dyn_info_t){
        .start_ip = entry.start,
        .end_ip = entry.end,
        .format = UNW_INFO_FORMAT_REMOTE_TABLE,
        .u.rti = {.segbase = entry.start,
                  .table_data = (unw_word_t)(uintptr_t)&made_table,
                  .table_len = sizeof made_table / sizeof(unw_word_t)},
    };
    return entry.start + (uintptr_t)(intptr_t)made_table.entry == entry.at;
}

static bool set_table(unw_dyn_info_t *table, uintptr_t ip)
{
    struct dl_find_object object;
    if (_dl_find_object((void *)ip, &object) != 0 || !object.dlfo_eh_frame ||
        !is_searchable(object.dlfo_eh_frame))
        return false;
    const unsigned char *header = object.dlfo_eh_frame;
    uint32_t count;
    memcpy(&count, header + 8, sizeof count);
    *table = (unw_dyn_info_t){
        .start_ip = (unw_word_t)(uintptr_t)object.dlfo_map_start,
        .end_ip = (unw_word_t)(uintptr_t)object.dlfo_map_end,
        .format = UNW_INFO_FORMAT_REMOTE_TABLE,
        .u.rti = {.segbase = (unw_word_t)(uintptr_t)header,
                  .table_data = (unw_word_t)(uintptr_t)header + 12,
                  .table_len = count * 8 / sizeof(unw_word_t)},
    };
    return true;
}

static bool is_of_module(uintptr_t ip)
{
    struct dl_find_object object;
    return _dl_find_object((void *)ip, &object) == 0;
}

static int find_proc_info(unw_addr_space_t asked, unw_word_t ip, unw_proc_info_t *information,
                          int need, void *argument)
{
    struct question *question = argument;
    unw_dyn_info_t table;
    bool is_made = !is_of_module(ip);
    question->is_made |= is_made;
    if (is_made ? !set_made_table(&table, ip) : !set_table(&table, ip)) {
        question->is_without_information = true;
        return -UNW_ENOINFO;
    }
    int result = library.search_unwind_table(asked, ip, &table, information, need, argument);
    question->is_without_information = result != 0;
    if (result == 0)
        question->function = (struct native_function){(uintptr_t)information->start_ip,
                                                      (uintptr_t)information->end_ip};
    return result;
}

static void put_unwind_info(unw_addr_space_t asked, unw_proc_info_t *information, void *argument)
{
    (void)asked;
    (void)information;
    (void)argument;
}

static int get_dyn_info_list(unw_addr_space_t asked, unw_word_t *list, void *argument)
{
    (void)asked;
    (void)list;
    (void)argument;
    return -UNW_ENOINFO;
}

static bool fits_offset(int64_t offset)
{
    return offset >= -(int64_t)OFFSET_HALF && offset < (int64_t)OFFSET_HALF;
}

/* Unwind tables of modules are there; those of made code, and what a real stack says of itself,
 * need not be. */
static bool read_memory(const struct question *question, unw_word_t address, unw_word_t *value)
{
    const struct native_registers *real = question->real;
    bool is_there = real ? (address >= real->sp - NATIVE_RED_ZONE_BYTES &&
                            address <= question->limit - sizeof address) ||
                               is_of_module(address)
                         : !question->is_made;
    if (!is_there)
        return memory_copy(value, address, sizeof *value);
    memcpy(value, (const void *)(uintptr_t)address, sizeof *value);
    return true;
}

/* Where there is no unwind information libunwind looks at the code instead, and at what it takes
 * for a frame pointer. That is a guess, and the address itself may be none: nothing is read. */
static int access_mem(unw_addr_space_t asked, unw_word_t address, unw_word_t *value, int write,
                      void *argument)
{
    const struct question *question = argument;
    /* What lies just below a made-up register has the bits of the one before. */
    uint64_t what = (address + OFFSET_HALF) >> WHAT_SHIFT;
    (void)asked;
    if (write || question->is_without_information)
        return -UNW_EINVAL;
    if (what == 0)
        return read_memory(question, address, value) ? 0 : -UNW_EINVAL;
    int64_t offset = (int64_t)(address - (what << WHAT_SHIFT));
    if (what < NEAR_STACK || what > NEAR_OTHERS || !fits_offset(offset))
        return -UNW_EINVAL;
    *value = (what + LOADED) << WHAT_SHIFT | ((uint64_t)offset & OFFSET_MASK) << OFFSET_SHIFT |
             LOADED_MARK;
    return 0;
}

static int access_real_reg(const struct native_registers *real, unw_regnum_t number,
                           unw_word_t *value)
{
    *value = number == UNWINDING_IP   ? real->ip
             : number == UNWINDING_SP ? real->sp
             : number == UNWINDING_BP ? real->bp
                                      : 0;
    return 0;
}

static int access_reg(unw_addr_space_t asked, unw_regnum_t number, unw_word_t *value, int write,
                      void *argument)
{
    const struct question *question = argument;
    (void)asked;
    if (write)
        return 0;
    if (question->real)
        return access_real_reg(question->real, number, value);
    switch (number) {
    case UNWINDING_IP:
        *value = question->ip;
        break;
    case UNWINDING_SP:
        *value = (uint64_t)NEAR_STACK << WHAT_SHIFT;
        break;
    case UNWINDING_BP:
        *value = (uint64_t)NEAR_FRAME << WHAT_SHIFT;
        break;
    default:
        *value = (uint64_t)NEAR_OTHERS << WHAT_SHIFT;
    }
    return 0;
}

static int access_fpreg(unw_addr_space_t asked, unw_regnum_t number, unw_fpreg_t *value, int write,
                        void *argument)
{
    (void)asked;
    (void)number;
    (void)value;
    (void)write;
    (void)argument;
    return -UNW_EBADREG;
}

static int answer_resume(unw_addr_space_t asked, unw_cursor_t *cursor, void *argument)
{
    (void)asked;
    (void)cursor;
    (void)argument;
    return -UNW_EINVAL;
}

static int get_proc_name(unw_addr_space_t asked, unw_word_t address, char *name, size_t size,
                         unw_word_t *offset, void *argument)
{
    (void)asked;
    (void)address;
    (void)name;
    (void)size;
    (void)offset;
    (void)argument;
    return -UNW_ENOINFO;
}

/* --- what the answer says --- */

/* Where a value of the caller comes from. */
struct origin {
    unsigned base; /* NEAR_STACK or NEAR_FRAME, 0: unknown */
    bool loaded;
    int32_t offset;
};

static int32_t sign_extend(uint64_t offset)
{
    return (int32_t)((uint32_t)offset << (32 - OFFSET_BITS)) >> (32 - OFFSET_BITS);
}

static struct origin origin_of(uint64_t value)
{
    unsigned what = (unsigned)((value + OFFSET_HALF) >> WHAT_SHIFT);
    struct origin origin = {.base = what & (LOADED - 1), .loaded = what & LOADED};
    int64_t offset = (int64_t)(value - ((uint64_t)what << WHAT_SHIFT));
    if (origin.loaded)
        origin.offset = sign_extend(value >> OFFSET_SHIFT & OFFSET_MASK);
    else
        origin.offset = (int32_t)offset;
    bool is_exact = origin.loaded ? (value & UINT32_MAX) == LOADED_MARK : fits_offset(offset);
    if (!is_exact || (origin.base != NEAR_STACK && origin.base != NEAR_FRAME))
        origin.base = 0;
    return origin;
}

static bool set_saved(struct native_rule *rule, struct origin bp)
{
    rule->saved = bp.loaded ? bp.offset : NATIVE_KEPT;
    rule->saved_at_frame = bp.base == NEAR_FRAME;
    return bp.base && (bp.loaded || (bp.base == NEAR_FRAME && bp.offset == 0));
}

static bool is_ordinary_return(struct origin sp, struct origin ip)
{
    int32_t below = sp.offset - (int32_t)NATIVE_RETURN_BYTES;
    return sp.base && !sp.loaded && ip.loaded && ip.base == sp.base && ip.offset == below;
}

/* Where the return address lies below a caller's sp that is itself loaded, nothing names it. */
static struct native_rule make_rule(struct origin sp, struct origin ip, struct origin bp)
{
    struct native_rule rule = {.caller = sp.offset, .ip = ip.offset};
    if (!set_saved(&rule, bp))
        return rule;
    if (is_ordinary_return(sp, ip))
        rule.kind = sp.base == NEAR_STACK ? NATIVE_RULE_STACK : NATIVE_RULE_FRAME;
    else if (sp.loaded && ip.loaded && bp.loaded && sp.base == NEAR_STACK &&
             ip.base == NEAR_STACK && bp.base == NEAR_STACK && sp.offset >= 0 && ip.offset >= 0 &&
             bp.offset >= 0)
        rule.kind = NATIVE_RULE_SIGNAL;
    else if (sp.loaded && sp.base == NEAR_FRAME)
        rule.kind = NATIVE_RULE_FRAME_LOADED;
    return rule;
}

/* The rule at an instruction. */
static struct native_rule ask_unwinder(struct question *question)
{
    unw_cursor_t cursor;
    unw_word_t sp = 0, bp = 0, caller_ip = 0;
    struct native_rule rule = {.kind = NATIVE_RULE_NONE};
    if (library.init_remote(&cursor, space, question) != 0)
        return rule;
    int result = library.step(&cursor);
    if (question->is_without_information || result < 0)
        return rule;
    if (result == 0)
        rule.kind = NATIVE_RULE_END;
    else if (library.get_reg(&cursor, UNWINDING_SP, &sp) == 0 &&
             library.get_reg(&cursor, UNWINDING_BP, &bp) == 0 &&
             library.get_reg(&cursor, UNWINDING_IP, &caller_ip) == 0)
        rule = make_rule(origin_of(sp), origin_of(caller_ip), origin_of(bp));
    return rule;
}

/* Functions begin with nothing but the return address on the stack; what compilers have split off
 * one begins with its whole frame. */
static bool is_split_off(const struct native_function *function)
{
    struct question question = {.ip = function->start};
    struct native_rule rule = ask_unwinder(&question);
    return rule.kind != NATIVE_RULE_STACK || rule.caller != (int32_t)NATIVE_RETURN_BYTES;
}

/* Is it the evaluation function, or the part of it that is seldom executed and lies elsewhere? */
static bool is_evaluation(const struct native_function *function)
{
    if (!evaluation.start || function->start < interpreter.start || function->end > interpreter.end)
        return false;
    return function->start == evaluation.start ||
           (is_split_off(function) && native_function_jumps_into(function, &evaluation));
}

static struct native_rule ask_for_return(uintptr_t ip)
{
    /* The call is before the address that it returns to, and that may be another function's. */
    struct question question = {.ip = ip - 1};
    struct dl_find_object object;
    struct native_rule rule = ask_unwinder(&question);
    rule.is_made = _dl_find_object((void *)question.ip, &object) != 0;
    if (rule.is_made)
        made_code_announce(question.ip);
    else
        native_module_announce(&object);
    rule.is_interpreter = ip >= interpreter.start && ip < interpreter.end;
    if (rule.kind != NATIVE_RULE_NONE) {
        rule.is_evaluation = is_evaluation(&question.function);
        rule.is_recursion_check = question.function.start == recursion_check;
    }
    return rule;
}

/* --- the table --- */

static struct slot *slot_of(uintptr_t ip)
{
    return &slots[(ip * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - LOG2_SLOTS)];
}

static void slot_put(struct slot *slot, uintptr_t ip, struct native_rule rule)
{
    atomic_store(&slot->ip, 0);
    slot->rule = rule;
    atomic_store(&slot->ip, ip);
}

static bool slot_get(const struct slot *slot, uintptr_t ip, struct native_rule *rule)
{
    if (SHIM_UNLIKELY(atomic_load_explicit(&slot->ip, memory_order_acquire) != ip))
        return false;
    *rule = slot->rule;
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&slot->ip, memory_order_relaxed) == ip;
}

struct native_rule native_rule_of(uintptr_t ip, bool *is_new)
{
    struct slot *slot = slot_of(ip);
    struct native_rule rule;
    *is_new = false;
    if (SHIM_LIKELY(slot_get(slot, ip, &rule))) {
        if (SHIM_LIKELY(!rule.is_made))
            return rule;
        native_rules_check_made();
        if (slot_get(slot, ip, &rule))
            return rule;
    }
    if (shim_is_sealed()) /* libunwind makes system calls */
        return (struct native_rule){0};
    int saved = errno;
    uintptr_t guard = shim_guard_set_library();
    lock_take(&asking);
    rule = ask_for_return(ip);
    slot_put(slot, ip, rule);
    lock_release(&asking);
    shim_guard_set(guard);
    errno = saved;
    *is_new = true;
    return rule;
}

void native_rule_mark_evaluation(uintptr_t ip)
{
    struct slot *slot = slot_of(ip);
    lock_take(&asking);
    if (atomic_load(&slot->ip) == ip) {
        struct native_rule rule = slot->rule;
        rule.is_evaluation = true;
        slot_put(slot, ip, rule);
    }
    atomic_fetch_add(&native_rules_changes, 1);
    lock_release(&asking);
}

void native_rules_forget(void)
{
    if (!slots)
        return;
    lock_take(&asking);
    for (unsigned i = 0; i < SLOTS; i++)
        if (atomic_load_explicit(&slots[i].ip, memory_order_relaxed))
            atomic_store(&slots[i].ip, 0);
    atomic_fetch_add(&native_rules_changes, 1);
    native_modules_forget();
    debugger_lists_forget_unloaded();
    lock_release(&asking);
}

void native_rules_check_made(void)
{
    if (!debugger_lists_have_changed())
        return;
    lock_take(&asking);
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].rule.is_made)
            atomic_store(&slots[i].ip, 0);
    debugger_lists_renew();
    atomic_fetch_add(&native_rules_changes, 1);
    lock_release(&asking);
}

void native_rules_lock(void)
{
    lock_take(&asking);
}

void native_rules_unlock(void)
{
    lock_release(&asking);
}

/* Where the function begins and ends that has an address. */
static struct native_function function_at(uintptr_t address)
{
    struct question question = {.ip = address};
    unw_proc_info_t information = {0};
    uintptr_t guard = shim_guard_set_library();
    lock_take(&asking);
    find_proc_info(space, address, &information, 0, &question);
    lock_release(&asking);
    shim_guard_set(guard);
    return question.function;
}

void native_rules_set_interpreter(const struct native_interpreter *known)
{
    struct dl_find_object object;
    if (_dl_find_object((void *)known->any, &object) != 0)
        return;
    interpreter =
        (struct native_function){(uintptr_t)object.dlfo_map_start, (uintptr_t)object.dlfo_map_end};
    if (known->evaluation)
        evaluation = function_at(known->evaluation);
    recursion_check = known->recursion_check;
}

static bool look_up(void *handle, void *function, const char *name)
{
    return (*(void **)function = dlsym(handle, name)) != NULL;
}

bool native_rules_init(void)
{
    static unw_accessors_t accessors = {
        .find_proc_info = find_proc_info,
        .put_unwind_info = put_unwind_info,
        .get_dyn_info_list_addr = get_dyn_info_list,
        .access_mem = access_mem,
        .access_reg = access_reg,
        .access_fpreg = access_fpreg,
        .resume = answer_resume,
        .get_proc_name = get_proc_name,
    };
    void *handle = dlopen(UNWINDING_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!handle ||
        !look_up(handle, &library.create_addr_space, UNWINDING_NAME(create_addr_space)) ||
        !look_up(handle, &library.set_caching_policy, UNWINDING_NAME(set_caching_policy)) ||
        !look_up(handle, &library.init_remote, UNWINDING_NAME(init_remote)) ||
        !look_up(handle, &library.step, UNWINDING_NAME(step)) ||
        !look_up(handle, &library.get_reg, UNWINDING_NAME(get_reg)) ||
        !look_up(handle, &library.search_unwind_table, UNWINDING_NAME(dwarf_search_unwind_table)) ||
        !(space = library.create_addr_space(&accessors, 0)))
        return false;
    library.set_caching_policy(space, UNW_CACHE_NONE);
    native_modules_init();
    slots = memory_map(SLOTS * sizeof *slots);
    return slots != NULL;
}

#ifdef HEAPLINE_CHECK_WALK
uint32_t native_walk_plainly(struct native_registers registers, uintptr_t limit, uintptr_t *ips,
                             uint32_t most)
{
    unw_cursor_t cursor;
    unw_word_t ip, sp;
    uint32_t count = 0;
    /* libunwind takes the first address for that of an instruction, and later ones for returns. */
    ips[count++] = registers.ip;
    registers.ip--;
    struct question question = {.ip = registers.ip, .real = &registers, .limit = limit};
    uintptr_t guard = shim_guard_set_library();
    lock_take(&asking);
    if (library.init_remote(&cursor, space, &question) == 0)
        while (count < most && library.step(&cursor) > 0 && !question.is_without_information &&
               library.get_reg(&cursor, UNWINDING_IP, &ip) == 0 &&
               library.get_reg(&cursor, UNWINDING_SP, &sp) == 0 && sp <= limit && ip)
            ips[count++] = ip;
    lock_release(&asking);
    shim_guard_set(guard);
    return count;
}
#endif
