/*
 * What one traced process has mapped where: from the address of an instruction to a module and an
 * offset in it.
 *
 * Read from /proc/PID/maps: at first when an address is asked for, again when one is in none of the
 * known mappings, and when address_space_renew() says so, which whoever learns that libraries were
 * loaded or unloaded must call before the next address from after that. What was found before stays
 * found. A process that has ended, that has become another program, or that runs on another host is
 * not read; what is known of it stays. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_ADDRESS_SPACE_H
#define HEAPLINE_COLLECTOR_ADDRESS_SPACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "native_modules.h"
#include "vector.h"

struct address_space {
    pid_t pid;            /* as our /proc knows it; 0: it does not */
    int pidfd;            /* -1 without; not owned */
    int root;             /* see root_file.h; not owned */
    struct vector ranges; /* struct address_range, ascending */
    uint32_t count;
    uint32_t fruitless; /* looks in a row that did not find the address */
    uint32_t to_pass;   /* unknown addresses until the next look */
};

/* An instruction's place. Equal places are one for native_symbols.h. */
struct native_place {
    uint32_t module; /* number in native_modules; 0: unknown */
    uint64_t offset; /* in it; the address itself when the module is unknown */
};

enum native_address_kind {
    NATIVE_ADDRESS_INSTRUCTION, /* it is executed next: the innermost frame of a signal */
    NATIVE_ADDRESS_RETURN,      /* behind a call: the place is that of the call */
};

void address_space_init(struct address_space *space, pid_t pid, int pidfd, int root);
void address_space_deinit(struct address_space *space);

/* Reads the mappings anew. False: there was nothing to read; all stays as it was. */
bool address_space_renew(struct address_space *space, const struct native_modules *modules);

struct native_place address_space_find(struct address_space *space, struct native_modules *modules,
                                       uint64_t address, enum native_address_kind kind);

#endif
