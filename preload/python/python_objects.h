/*
 * Asking the interpreter, from within a hook, for what only its objects say.
 *
 * Through CPython's own functions, and so that nothing is changed and no code of Python's runs:
 * dictionaries are gone through and not looked into (a key may have an __eq__), what is not of the
 * exact type is passed over, references are borrowed and used at once.
 *
 * Everything here but the first two only between python_objects_begin() and python_objects_end().
 */
#ifndef HEAPLINE_PRELOAD_PYTHON_OBJECTS_H
#define HEAPLINE_PRELOAD_PYTHON_OBJECTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "preload/python/python_layout.h"
#include "preload/python/python_text.h"

/* Looks the functions up; once. Where one is missing nothing can be asked. */
void python_objects_init(symbol_lookup *lookup, void *handle);

struct python_asking {
    uintptr_t guard;
    int saved_errno;
};

/* May the interpreter be asked now? It may in an allocation of the mem or object domain (not in a
 * reallocation, whose caller still has the old block) of a thread that holds it, where no handler
 * has interrupted anything, no exception is set and the interpreter does not end. True: until
 * python_objects_end() calls of the allocator pass through. */
bool python_objects_begin(struct python_asking *asking);
void python_objects_end(const struct python_asking *asking);

/* Where a module was found the last time, or how many there were when it was not. Begins as {0}. */
struct python_finding {
    _Atomic intptr_t at, missed;
};

/* The dictionary that the imported module `module` has under `name`; 0: none. */
uintptr_t python_objects_dictionary(const char *module, const char *name,
                                    struct python_finding *finding);

/* Is this the key that is looked for? */
typedef bool python_key_test(uintptr_t key, void *context);

/* The value of the first key found that passes, among the latest ones of a dictionary, then among
 * its oldest ones; 0: none. */
uintptr_t python_objects_value(uintptr_t dictionary, python_key_test *test, void *context);

/* Item `index` of a tuple of `size` items; 0: it is none. */
uintptr_t python_objects_tuple_item(uintptr_t tuple, intptr_t size, intptr_t index);

/* How many items a list has; -1: it is none. */
intptr_t python_objects_list_size(uintptr_t list);
/* One of them. */
uintptr_t python_objects_list_item(uintptr_t list, intptr_t index);

/* An integer's value; 0 also when it is none, or too large. */
uint64_t python_objects_integer(uintptr_t integer);

/* The attribute `_name` that an object has itself and not by its type; 0: it has none. */
uintptr_t python_objects_name(uintptr_t object);

bool python_objects_is_none(uintptr_t object);

#endif
