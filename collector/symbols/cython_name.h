/*
 * Names as the programmer wrote them, from the symbols of Cython's C.
 */
#ifndef HEAPLINE_COLLECTOR_CYTHON_NAME_H
#define HEAPLINE_COLLECTOR_CYTHON_NAME_H

/* "pkg.module.Class.method" of __pyx_pw_3pkg_6module_5Class_3method. To be freed. Null when
 * `symbol` is no name of a function of a Cython module, or memory is short. */
char *cython_name(const char *symbol);

#endif
