/*
 * What a process held when its program left its own code (book.end), before the interpreter takes
 * itself apart. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_PROGRAM_END_H
#define HEAPLINE_COLLECTOR_PROGRAM_END_H

#include <stdbool.h>

struct book;
struct ledger;

/* Notes the composition of the heap as that at the end of the program's own code: the last time
 * counts, as an interpreter may begin and end again. It costs a look at every counter, so who says
 * it time and again must have something happen between; else it is counted as damage. False: it is.
 */
bool program_end_note(struct ledger *ledger, struct book *book);

#endif
