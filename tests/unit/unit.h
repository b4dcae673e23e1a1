/* What every unit test includes: cmocka with its prerequisites. */
#ifndef HEAPLINE_TESTS_UNIT_H
#define HEAPLINE_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
