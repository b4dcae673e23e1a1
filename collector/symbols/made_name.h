/*
 * Names as the programmer wrote them, from symbols of code that was made at run time.
 */
#ifndef HEAPLINE_COLLECTOR_MADE_NAME_H
#define HEAPLINE_COLLECTOR_MADE_NAME_H

/* "package.module.function.<locals>.inner" of numba's symbols, "scope::function" of those of C++
 * whose names are plain ones, else the symbol itself. UTF-8, to be freed; null when memory is
 * short. */
char *made_name(const char *symbol);

#endif
