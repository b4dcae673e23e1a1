/*
 * The buffers grow to what the largest blob so far has needed, and stay.
 */
#include "packing.h"

#include <stdlib.h>
#include <zstd.h>

/* Makes room for `size` bytes; what was there is lost. */
static bool make_room(uint8_t **buffer, size_t *capacity, size_t size)
{
    if (size <= *capacity)
        return true;
    uint8_t *bigger = malloc(size);
    if (!bigger)
        return false;
    free(*buffer);
    *buffer = bigger;
    *capacity = size;
    return true;
}

bool packer_init(struct packer *packer)
{
    *packer = (struct packer){.context = ZSTD_createCCtx()};
    if (!packer->context)
        return false;
    ZSTD_CCtx_setParameter(packer->context, ZSTD_c_compressionLevel, 1);
    ZSTD_CCtx_setParameter(packer->context, ZSTD_c_checksumFlag, 1);
    return true;
}

void packer_deinit(struct packer *packer)
{
    ZSTD_freeCCtx(packer->context);
    free(packer->packed);
    *packer = (struct packer){0};
}

void packer_rest(struct packer *packer)
{
    struct packer fresh;
    if (packer_init(&fresh)) {
        packer_deinit(packer);
        *packer = fresh;
    }
}

size_t packer_pack(struct packer *packer, const void *plain, size_t size, const uint8_t **data)
{
    if (!make_room(&packer->packed, &packer->capacity, ZSTD_compressBound(size)))
        return 0;
    size_t packed = ZSTD_compress2(packer->context, packer->packed, packer->capacity, plain, size);
    *data = packer->packed;
    return ZSTD_isError(packed) ? 0 : packed;
}

bool unpacker_init(struct unpacker *unpacker)
{
    *unpacker = (struct unpacker){.context = ZSTD_createDCtx()};
    return unpacker->context;
}

void unpacker_deinit(struct unpacker *unpacker)
{
    ZSTD_freeDCtx(unpacker->context);
    free(unpacker->plain);
    *unpacker = (struct unpacker){0};
}

bool unpacker_unpack(struct unpacker *unpacker, const void *data, size_t size, size_t most,
                     size_t *plain_size)
{
    /* Unknown sizes and errors are the largest numbers. */
    unsigned long long announced = ZSTD_getFrameContentSize(data, size);
    if (announced > most ||
        !make_room(&unpacker->plain, &unpacker->capacity, announced ? (size_t)announced : 1))
        return false;
    *plain_size =
        ZSTD_decompressDCtx(unpacker->context, unpacker->plain, unpacker->capacity, data, size);
    return !ZSTD_isError(*plain_size);
}
