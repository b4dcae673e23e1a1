/*
 * The memory of the mirror, and doubts.
 */
#include "collector/stream/mirror.h"

void mirror_deinit(struct mirror *mirror)
{
    for (unsigned i = 0; i < WIRE_THREAD_SLOTS; i++)
        mirror->slots[i] = thread_mirror_free(mirror->slots[i]);
    native_space_deinit(&mirror->native);
    vector_deinit(&mirror->code_numbers);
    vector_deinit(&mirror->description.data);
    vector_deinit(&mirror->text.data);
}

/* What is on its way has lost a part, or all. */
static void doubt_arriving(struct mirror *mirror)
{
    if (mirror->description.code < mirror->code_numbers_count)
        ((uint32_t *)mirror->code_numbers.data)[mirror->description.code] = 0;
    mirror->description.code = WIRE_CODE_NONE;
    mirror->text.code = WIRE_CODE_NONE;
}

void mirror_doubt(struct mirror *mirror, uint64_t until)
{
    doubt_arriving(mirror);
    mirror->doubted_until = until;
    for (unsigned i = 0; i < WIRE_THREAD_SLOTS; i++) {
        struct thread_mirror *thread = mirror->slots[i];
        if (!thread || thread->depth == MIRROR_DOUBTED)
            continue;
        thread->doubted_depth = thread->depth;
        thread->depth = MIRROR_DOUBTED;
    }
}
