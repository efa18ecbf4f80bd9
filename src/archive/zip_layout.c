/*
 * The fields of PyTorch's archives. Records are stored, never packed; dates, attributes and versions are 0.
 *
 *     local header    sizes and CRC are 0: they stand in the descriptor        behind the name: zip64 field, padding field
 *     descriptor      not behind an empty record                               sizes of 8 bytes where there is a zip64 field
 *     directory       all of it                                                no padding field
 *     end records     zip64 end, locator and end, always all three
 *
 * A zip64 field is there where the size or the offset does not fit 32 bits, and has only what does not fit. In a local header it
 * says that the packed size is 0, which is not known yet when miniz writes it.
 *
 * Source: third_party/miniz-3.0.2/miniz.c, mz_zip_writer_add_mem_ex_v2, mz_zip_writer_finalize_archive;
 * caffe2/serialize/inline_container.cc, getPadding
 */
#include "archive/zip_layout.h"

#include <string.h>

#include "archive/zip.h"
#include "base/os.h"

#define LARGE 0xFFFFFFFFu /* from here on a number does not fit its field of 32 bits */

enum {
    ZIP64_TAG = 1,
    PADDING_TAG = 'F' | 'B' << 8,
    END64_SIZE = 44, /* as that record says it: without its first 12 bytes */
    MADE_BY = 0x031E,
    VERSION_ZIP64 = 45
};

static uint8_t *put16(uint8_t *out, unsigned value)
{
    out[0] = (uint8_t)value;
    out[1] = (uint8_t)(value >> 8);
    return out + 2;
}

static uint8_t *put32(uint8_t *out, uint32_t value)
{
    return put16(put16(out, value & 0xFFFF), value >> 16);
}

static uint8_t *put64(uint8_t *out, uint64_t value)
{
    return put32(put32(out, (uint32_t)value), (uint32_t)(value >> 32));
}

static uint32_t clamp32(uint64_t value)
{
    return value < LARGE ? (uint32_t)value : LARGE;
}

static bool is_zip64(const ptio_zip_item *item)
{
    return item->size >= LARGE || item->offset >= LARGE;
}

size_t ptio_zip_central_extra(const ptio_zip_item *item)
{
    if (!is_zip64(item))
        return 0;
    return 4 + (item->size >= LARGE ? 16u : 0) + (item->offset >= LARGE ? 8u : 0);
}

size_t ptio_zip_local_extra(const ptio_zip_item *item, size_t name_size, uint32_t alignment)
{
    size_t fields = ptio_zip_central_extra(item) + 4;
    uint64_t past = (item->offset % alignment + PTIO_ZIP_LOCAL_SIZE + name_size + fields) % alignment;
    return fields + (past ? alignment - (size_t)past : 0);
}

size_t ptio_zip_descriptor_size(const ptio_zip_item *item)
{
    if (!item->size)
        return 0;
    return is_zip64(item) ? PTIO_ZIP_DESCRIPTOR_MOST : 16;
}

bool ptio_zip_record_size(uint64_t position, size_t name_size, uint64_t size, uint32_t alignment, uint64_t *record,
                          uint64_t *directory)
{
    ptio_zip_item item = {.offset = position, .size = size};
    uint64_t around = PTIO_ZIP_LOCAL_SIZE + (uint64_t)name_size + ptio_zip_local_extra(&item, name_size, alignment) +
                      ptio_zip_descriptor_size(&item);
    uint64_t end;
    if (!ptio_add_u64(size, around, record) || !ptio_add_u64(position, *record, &end))
        return false;
    *directory = PTIO_ZIP_CENTRAL_SIZE + (uint64_t)name_size + ptio_zip_central_extra(&item);
    return true;
}

void ptio_zip_measure_add(ptio_zip_measure *m, size_t name_size, uint64_t size)
{
    uint64_t record, directory;
    m->overflow = m->overflow ||
                  !ptio_zip_record_size(m->position, m->prefix_size + name_size, size, m->alignment, &record, &directory) ||
                  !ptio_add_u64(m->position, record, &m->position) || !ptio_add_u64(m->directory, directory, &m->directory);
}

bool ptio_zip_measure_total(const ptio_zip_measure *m, uint64_t *ret)
{
    return !m->overflow && ptio_add_u64(m->position, m->directory, ret) && ptio_add_u64(*ret, PTIO_ZIP_ENDS_SIZE, ret);
}

static unsigned flags_of(const ptio_zip_item *item)
{
    return PTIO_ZIP_UTF8 | (item->size ? PTIO_ZIP_DESCRIBED : 0);
}

void ptio_zip_put_local(uint8_t *out, const ptio_zip_item *item, size_t name_size, size_t extra)
{
    memset(out, 0, PTIO_ZIP_LOCAL_SIZE);
    put32(out, PTIO_ZIP_LOCAL);
    put16(out + 6, flags_of(item));
    put16(out + 26, (unsigned)name_size);
    put16(out + 28, (unsigned)extra);
}

static uint8_t *put_zip64(uint8_t *out, const ptio_zip_item *item, uint64_t packed_size)
{
    if (!is_zip64(item))
        return out;
    out = put16(out, ZIP64_TAG);
    out = put16(out, (unsigned)ptio_zip_central_extra(item) - 4);
    if (item->size >= LARGE)
        out = put64(put64(out, item->size), packed_size);
    return item->offset >= LARGE ? put64(out, item->offset) : out;
}

void ptio_zip_put_local_extra(uint8_t *out, const ptio_zip_item *item, size_t extra)
{
    size_t padding = extra - ptio_zip_central_extra(item) - 4;
    out = put_zip64(out, item, 0);
    out = put16(out, PADDING_TAG);
    out = put16(out, (unsigned)padding);
    memset(out, 'Z', padding);
}

size_t ptio_zip_put_descriptor(uint8_t *out, const ptio_zip_item *item)
{
    if (!item->size)
        return 0;
    out = put32(put32(out, PTIO_ZIP_DESCRIPTOR), item->crc32);
    if (is_zip64(item))
        put64(put64(out, item->size), item->size);
    else
        put32(put32(out, (uint32_t)item->size), (uint32_t)item->size);
    return ptio_zip_descriptor_size(item);
}

void ptio_zip_put_central(uint8_t *out, const ptio_zip_item *item, size_t name_size)
{
    memset(out, 0, PTIO_ZIP_CENTRAL_SIZE);
    put32(out, PTIO_ZIP_CENTRAL);
    put16(out + 8, flags_of(item));
    put32(out + 16, item->crc32);
    put32(out + 20, clamp32(item->size));
    put32(out + 24, clamp32(item->size));
    put16(out + 28, (unsigned)name_size);
    put16(out + 30, (unsigned)ptio_zip_central_extra(item));
    put32(out + 42, clamp32(item->offset));
}

size_t ptio_zip_put_central_extra(uint8_t *out, const ptio_zip_item *item)
{
    return (size_t)(put_zip64(out, item, item->size) - out);
}

void ptio_zip_put_ends(uint8_t *out, uint64_t count, uint64_t offset, uint64_t size)
{
    unsigned count16 = count < 0xFFFF ? (unsigned)count : 0xFFFF;
    out = put64(put32(out, PTIO_ZIP_END64), END64_SIZE);
    out = put16(put16(out, MADE_BY), VERSION_ZIP64);
    out = put32(put32(out, 0), 0);
    out = put64(put64(out, count), count);
    out = put64(put64(out, size), offset);

    out = put32(put32(out, PTIO_ZIP_LOCATOR), 0);
    out = put32(put64(out, offset + size), 1);

    out = put32(put32(out, PTIO_ZIP_END), 0);
    out = put16(put16(out, count16), count16);
    put16(put32(put32(out, clamp32(size)), clamp32(offset)), 0);
}
