/*
 * A member of a ZIP archive.
 */
#ifndef HEAPLINE_COLLECTOR_ZIP_MEMBER_H
#define HEAPLINE_COLLECTOR_ZIP_MEMBER_H

#include <stddef.h>

/* The text of the member `name` of the archive that is open as `file`, which may have something in
 * front of it, NUL-terminated; *bytes is its size. To be freed. Null when the file is no archive,
 * has no such member, or one that is longer than `most`, damaged or packed in another way than by
 * deflation. What the file says is not trusted. */
char *zip_member_read(int file, const char *name, size_t most, size_t *bytes);

#endif
