/*
 * The functions in an ELF file's symbol table: address → symbol. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_SYMBOL_TABLE_H
#define HEAPLINE_COLLECTOR_SYMBOL_TABLE_H

#include <libelf.h>
#include <stdint.h>

#include "collector/base/vector.h"

struct symbol_table {
    struct vector symbols; /* struct table_symbol, by address */
    uint32_t count;
};

/* Adds the functions of the file's table of `type` (SHT_SYMTAB, SHT_DYNSYM). Returns how many the
 * table then has. Names stay in `elf`, which must outlive it. */
uint32_t symbol_table_read(struct symbol_table *table, Elf *elf, uint32_t type);
void symbol_table_deinit(struct symbol_table *table);

/* The name of the function that the address is within; null: it is in none, also where a symbol has
 * no size. */
const char *symbol_table_find(const struct symbol_table *table, uint64_t address);

#endif
