/*
 * Why this is safe in the middle of an allocation: CPython's containers change what they point to
 * only after the memory for it has come, so what can be reached is whole then. Reallocations are
 * the exception, and are left alone. Up to 3.12 the function that finds sys.modules makes a string
 * for a moment, which is no object that a garbage collection could begin with; otherwise nothing is
 * allocated, nor freed.
 */
#include "preload/python/python_objects.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "preload/base/shim.h"
#include "preload/python/python_frame.h"
#include "preload/python/python_thread.h"
#include "preload/thread/hook_call.h"

/* Of a dictionary's entries so many are looked at: among the latest, and in all. */
#define LATEST_ENTRIES 64
#define ENTRIES_MAX    8192u

static struct {
    void *(*sys_object)(const char *name);
    void *(*error)(void);
    int (*dictionary_next)(void *dictionary, intptr_t *position, void **key, void **value);
    intptr_t (*dictionary_size)(void *dictionary);
    void *(*module_dictionary)(void *module);
    intptr_t (*tuple_size)(void *tuple);
    void *(*tuple_item)(void *tuple, intptr_t index);
    intptr_t (*list_size)(void *list);
    void *(*list_item)(void *list, intptr_t index);
    long (*integer_value)(void *integer, int *overflow);
    void *(*type_attribute)(void *type, void *name);
    void *(*attribute)(void *object, void *name, void *dictionary, int suppress);
    void (*give_back)(void *object);
    const void *integer_type;
    const void *dictionary_type, *module_type, *tuple_type, *list_type;
    const void *none;
    bool is_known;
} python;

/* --- a string --- */

/* The word `_name`, as the interpreter has words in its own data: it lasts for ever. To have one
 * made would mean to free one where there is such a one already. */
static _Alignas(16) unsigned char name_memory[128];
#define NAME "_name"
/* Less than 0 in 32 bits, which lasts from 3.12 on; before, a number that is not used up. */
#define STATIC_REFERENCES UINT64_C(0xc0000000)
#define TEXT_HASH_AT      24
/* Kind 1, compact, ascii; then, up to 3.11, ready, and later: static. */
#define STATIC_TEXT_STATE (1u | 1u << 3 | 1u << 4 | 1u << 5)

static void make_name(void)
{
    const uint64_t references = STATIC_REFERENCES, no_hash = UINT64_MAX, length = strlen(NAME);
    const uint32_t state = STATIC_TEXT_STATE << PYTHON_TEXT_KIND_SHIFT;
    memcpy(name_memory, &references, sizeof references);
    memcpy(name_memory + python_layout.at.object_type, &python_layout.text_type, sizeof(void *));
    memcpy(name_memory + python_layout.at.text_length, &length, sizeof length);
    memcpy(name_memory + TEXT_HASH_AT, &no_hash, sizeof no_hash);
    memcpy(name_memory + python_layout.at.text_state, &state, sizeof state);
    memcpy(name_memory + python_layout.at.text_ascii_data, NAME, sizeof NAME);
}

void python_objects_init(symbol_lookup *lookup, void *handle)
{
    const struct {
        void *pointer;
        const char *name;
    } wanted[] = {
        {&python.sys_object, "PySys_GetObject"},
        {&python.error, "PyErr_Occurred"},
        {&python.dictionary_next, "PyDict_Next"},
        {&python.dictionary_size, "PyDict_Size"},
        {&python.module_dictionary, "PyModule_GetDict"},
        {&python.tuple_size, "PyTuple_Size"},
        {&python.tuple_item, "PyTuple_GetItem"},
        {&python.list_size, "PyList_Size"},
        {&python.list_item, "PyList_GetItem"},
        {&python.integer_value, "PyLong_AsLongAndOverflow"},
        {&python.integer_type, "PyLong_Type"},
        {&python.dictionary_type, "PyDict_Type"},
        {&python.module_type, "PyModule_Type"},
        {&python.tuple_type, "PyTuple_Type"},
        {&python.list_type, "PyList_Type"},
        {&python.none, "_Py_NoneStruct"},
    };
    bool known = python_layout_is_known();
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        void *found = lookup(handle, wanted[i].name);
        memcpy(wanted[i].pointer, &found, sizeof found);
        known = known && found;
    }
    python.is_known = known;
    if (!python_layout.rules.debug_watches_deaths || !lookup(handle, "_Py_NegativeRefcount"))
        *(void **)&python.type_attribute = lookup(handle, "_PyType_Lookup");
    *(void **)&python.attribute = lookup(handle, "_PyObject_GenericGetAttrWithDict");
    *(void **)&python.give_back = lookup(handle, "Py_DecRef");
    if (known)
        make_name();
}

bool python_objects_begin(struct python_asking *asking)
{
    if (!python.is_known || shim_thread.interruptions || !hook_at_hand()->is_held ||
        (*python_layout.may_finalize && python_teardown_begun()) ||
        !python_thread_holds_interpreter())
        return false;
    asking->saved_errno = errno;
    asking->guard = shim_guard_set_library();
    if (!python.error())
        return true;
    python_objects_end(asking);
    return false;
}

void python_objects_end(const struct python_asking *asking)
{
    shim_guard_set(asking->guard);
    errno = asking->saved_errno;
}

static bool is_a(uintptr_t object, const void *type)
{
    return object &&
           *(const void *const *)(object + python_layout.at.object_type) == (const void *)type;
}

/* Goes on behind *position; the value of the first of at most `most` keys that passes. */
static uintptr_t find_value(uintptr_t dictionary, intptr_t *position, unsigned most,
                            python_key_test *test, void *context)
{
    void *key, *value;
    while (most-- && python.dictionary_next((void *)dictionary, position, &key, &value))
        if (test((uintptr_t)key, context))
            return (uintptr_t)value;
    return 0;
}

uintptr_t python_objects_value(uintptr_t dictionary, python_key_test *test, void *context)
{
    if (!is_a(dictionary, python.dictionary_type))
        return 0;
    intptr_t size = python.dictionary_size((void *)dictionary), position = size - LATEST_ENTRIES;
    position = position < 0 ? 0 : position;
    bool is_all = position == 0;
    uintptr_t value = find_value(dictionary, &position, ENTRIES_MAX, test, context);
    if (value || is_all)
        return value;
    position = 0;
    return find_value(dictionary, &position, ENTRIES_MAX, test, context);
}

static bool is_named(uintptr_t key, void *name)
{
    struct python_text text;
    const struct python_text wanted = {name, strlen(name), 1};
    return python_text_read(key, &text) && python_text_equals(&text, &wanted);
}

/* Where it was the last time, else from the start; where it was not, and as many are there as then,
 * it still is not. */
static uintptr_t find_module(uintptr_t modules, const char *name, struct python_finding *finding)
{
    intptr_t next = atomic_load_explicit(&finding->at, memory_order_relaxed);
    intptr_t size = python.dictionary_size((void *)modules);
    if (size == atomic_load_explicit(&finding->missed, memory_order_relaxed))
        return 0;
    uintptr_t module = find_value(modules, &next, 1, is_named, (void *)(uintptr_t)name);
    if (module)
        return module;
    next = 0;
    module = find_value(modules, &next, ENTRIES_MAX, is_named, (void *)(uintptr_t)name);
    /* PyDict_Next() has gone one further. */
    atomic_store_explicit(&finding->at, module ? next - 1 : 0, memory_order_relaxed);
    atomic_store_explicit(&finding->missed, module ? 0 : size, memory_order_relaxed);
    return module;
}

/* From 3.13 on without a string made of the name: from 3.14 on nothing may be freed where the
 * interpreter does not expect it. */
static uintptr_t find_modules(void)
{
    if (!python_layout.at.modules)
        return (uintptr_t)python.sys_object("modules");
    uintptr_t state = (uintptr_t)python_layout.current_thread_state();
    uintptr_t interpreter = frame_load(state, python_layout.at.thread_interpreter);
    return frame_load(interpreter, python_layout.at.modules);
}

uintptr_t python_objects_dictionary(const char *module, const char *name,
                                    struct python_finding *finding)
{
    uintptr_t modules = find_modules();
    if (!is_a(modules, python.dictionary_type))
        return 0;
    uintptr_t found = find_module(modules, module, finding);
    if (!is_a(found, python.module_type))
        return 0;
    uintptr_t value = python_objects_value((uintptr_t)python.module_dictionary((void *)found),
                                           is_named, (void *)(uintptr_t)name);
    return is_a(value, python.dictionary_type) ? value : 0;
}

uintptr_t python_objects_tuple_item(uintptr_t tuple, intptr_t size, intptr_t index)
{
    return is_a(tuple, python.tuple_type) && python.tuple_size((void *)tuple) == size
               ? (uintptr_t)python.tuple_item((void *)tuple, index)
               : 0;
}

intptr_t python_objects_list_size(uintptr_t list)
{
    return is_a(list, python.list_type) ? python.list_size((void *)list) : -1;
}

uintptr_t python_objects_list_item(uintptr_t list, intptr_t index)
{
    return (uintptr_t)python.list_item((void *)list, index);
}

uint64_t python_objects_integer(uintptr_t integer)
{
    int overflow = 0;
    long value =
        is_a(integer, python.integer_type) ? python.integer_value((void *)integer, &overflow) : 0;
    return overflow || value < 0 ? 0 : (uint64_t)value;
}

/* What the type has would come first, and may be a property. */
static void *find_name(uintptr_t object)
{
    void *type = (void *)frame_load(object, python_layout.at.object_type);
    if (python.type_attribute(type, name_memory))
        return NULL;
    return python.attribute((void *)object, name_memory, NULL, 1);
}

/* The object still holds what is given back. The interpreter's cache of attributes may drop a
 * string for this one. */
uintptr_t python_objects_name(uintptr_t object)
{
    if (!object || !python.type_attribute || !python.attribute || !python.give_back)
        return 0;
    uintptr_t guard = shim_thread.guard;
    shim_guard_set(guard | SHIM_FREES);
    void *name = find_name(object);
    if (name)
        python.give_back(name);
    shim_guard_set(guard);
    return (uintptr_t)name;
}

bool python_objects_is_none(uintptr_t object)
{
    return object == (uintptr_t)python.none;
}
