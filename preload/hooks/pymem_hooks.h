/*
 * The hooks on CPython's allocator domains (PyMem_SetAllocator).
 */
#ifndef HEAPLINE_PRELOAD_PYMEM_HOOKS_H
#define HEAPLINE_PRELOAD_PYMEM_HOOKS_H

#include <stdbool.h>

#include "preload/python/python_layout.h"

/* Finds CPython's functions and wraps the three domains. Before the interpreter starts, or inside
 * its first calls of malloc. False: this is no CPython. */
bool pymem_hooks_install(symbol_lookup *lookup, void *handle);

/* Wraps again what start-up has replaced (-X dev, PYTHONMALLOC). True when the domains now wrapped
 * are those with CPython's debug headers: then a block that the raw domain is just asking malloc
 * for will be known by another address. */
bool pymem_hooks_renew(void);

/* True when the raw domain had CPython's debug headers from the start: see pymem_hooks_renew(). */
bool pymem_hooks_began_with_headers(void);

/* Py_IsInitialized(). */
bool pymem_hooks_initialized(void);

#endif
