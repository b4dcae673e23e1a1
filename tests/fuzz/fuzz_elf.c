/*
 * What the collector itself reads of an ELF file, before it leaves the rest to a process of its own
 * (fuzz_native_symbols.c); and the table of symbols, in this process, so that an engine sees its
 * way.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collector/symbols/elf_facts.h"
#include "collector/symbols/symbol_table.h"
#include "driver.h"
#include "failing.h"

#define STEP 61 /* bytes between the addresses asked for */

static void check_facts(const struct elf_facts *facts)
{
    char text[2 * BUILD_ID_BYTES_MAX + 1];
    if (facts->build_id.size > BUILD_ID_BYTES_MAX || facts->alternate_id.size > BUILD_ID_BYTES_MAX)
        abort();
    if (!memchr(facts->debug_link, 0, sizeof facts->debug_link) ||
        !memchr(facts->alternate_link, 0, sizeof facts->alternate_link))
        abort();
    if (build_id_text(&facts->build_id, text) && strlen(text) != 2u * facts->build_id.size)
        abort();
}

static void read_table(int file, uint32_t type)
{
    struct symbol_table table = {0};
    Elf *elf = elf_begin(file, ELF_C_READ, NULL);
    uint32_t count = elf ? symbol_table_read(&table, elf, type) : 0;
    for (uint64_t address = 0; count && address < 4096; address += STEP) {
        const char *name = symbol_table_find(&table, address);
        if (name && strlen(name) > (size_t)1 << 20)
            abort();
    }
    symbol_table_deinit(&table);
    elf_end(elf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct elf_facts facts;
    int file = memfd_create("elf", MFD_CLOEXEC);
    if (file < 0 || write(file, data, size) != (ssize_t)size || elf_version(EV_CURRENT) == EV_NONE)
        abort();
    failing_begin(data, size);
    if (elf_facts_read(file, &facts))
        check_facts(&facts);
    read_table(file, SHT_SYMTAB);
    read_table(file, SHT_DYNSYM);
    failing_end();
    close(file);
    return 0;
}
