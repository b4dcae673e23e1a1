/*
 * What has to be known of an ELF file before its symbols are asked for: its build-id, and where the
 * rest of its debug information is said to be.
 */
#ifndef HEAPLINE_COLLECTOR_ELF_FACTS_H
#define HEAPLINE_COLLECTOR_ELF_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#define BUILD_ID_BYTES_MAX 64

struct build_id {
    uint8_t size; /* 0: there is none */
    uint8_t bytes[BUILD_ID_BYTES_MAX];
};

struct elf_facts {
    struct build_id build_id;
    bool has_dwarf;
    char debug_link[256]; /* name of the file with the debug information; "" without */
    uint32_t debug_link_check;
    char
        alternate_link[1024]; /* path of the file that debug information is shared in; "" without */
    struct build_id alternate_id;
};

/* False when `file` is no ELF file of the kinds that have symbols. The descriptor stays the
 * caller's. */
bool elf_facts_read(int file, struct elf_facts *facts);

bool build_id_is_same(const struct build_id *one, const struct build_id *other);

/* Writes it in hexadecimal. False: there is none. */
bool build_id_text(const struct build_id *id, char text[2 * BUILD_ID_BYTES_MAX + 1]);

#endif
