/*
 * Names as the programmer wrote them, from symbols of C++ (Itanium ABI), Rust (both schemes) and
 * Cython.
 */
#ifndef HEAPLINE_COLLECTOR_DEMANGLE_H
#define HEAPLINE_COLLECTOR_DEMANGLE_H

/* The function's name with its scopes and template arguments, without parameters and hash. To be
 * freed. Null when `symbol` is not mangled, or its name would be longer than a few thousand
 * characters. */
char *demangle(const char *symbol);

#endif
