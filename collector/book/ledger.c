/*
 * The ledger's memory.
 */
#include "collector/book/ledger.h"

bool ledger_init(struct ledger *ledger)
{
    return chunk_writer_init(&ledger->chunk);
}

void ledger_deinit(struct ledger *ledger)
{
    chunk_writer_deinit(&ledger->chunk);
    vector_deinit(&ledger->peak.left);
    vector_deinit(&ledger->touched.left);
    absences_deinit(&ledger->absences);
}
