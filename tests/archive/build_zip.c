/*
 * See build_zip.h. The layout is APPNOTE.TXT's, written down a second time on purpose.
 */
#include "build_zip.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

void put_bytes(zip_file *zip, const void *bytes, size_t size)
{
    if (size > sizeof zip->bytes - zip->size)
        abort();
    if (size)
        memcpy(zip->bytes + zip->size, bytes, size);
    zip->size += size;
}

void put(zip_file *zip, uint64_t value, size_t size)
{
    zip->size += size;
    poke(zip, zip->size - size, value, size);
}

void poke(zip_file *zip, size_t offset, uint64_t value, size_t size)
{
    if (offset + size > sizeof zip->bytes)
        abort();
    for (size_t i = 0; i < size; i++)
        zip->bytes[offset + i] = (unsigned char)(i < 8 ? value >> 8 * i : 0);
}

uint64_t peek(const zip_file *zip, size_t offset, size_t size)
{
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;)
        value = value << 8 | zip->bytes[offset + i];
    return value;
}

static void move(size_t *place, size_t offset, size_t size)
{
    if (*place >= offset)
        *place += size;
}

void insert(zip_file *zip, size_t offset, const void *bytes, size_t size)
{
    if (size > sizeof zip->bytes - zip->size)
        abort();
    memmove(zip->bytes + offset + size, zip->bytes + offset, zip->size - offset);
    memcpy(zip->bytes + offset, bytes, size);
    zip->size += size;
    for (size_t i = 0; i < zip->count; i++) {
        move(&zip->parts[i].local, offset, size);
        move(&zip->parts[i].content, offset, size);
        move(&zip->parts[i].behind, offset, size);
        move(&zip->parts[i].central, offset, size);
    }
    move(&zip->directory, offset, size);
    move(&zip->end64, offset, size);
    move(&zip->locator, offset, size);
    move(&zip->end, offset, size);
}

static uint32_t crc_of(const zip_file *zip, const zip_part *part)
{
    return zip->options & ZIP_NO_CRC || !part->size ? 0 : libdeflate_crc32(0, part->data, part->size);
}

static unsigned flags_of(const zip_file *zip, const zip_part *part)
{
    return 0x0800u | (zip->options & ZIP_DESCRIBED && part->size ? 0x0008u : 0u);
}

static unsigned method_of(const zip_file *zip)
{
    return zip->options & ZIP_DEFLATED ? 8 : 0;
}

static void put_content(zip_file *zip, zip_part *part)
{
    size_t start = zip->size;
    if (zip->options & ZIP_DEFLATED) {
        z_stream z = {0};
        if (deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
            abort();
        z.next_in = (Bytef *)(uintptr_t)part->data;
        z.avail_in = (uInt)part->size;
        z.next_out = zip->bytes + zip->size;
        z.avail_out = (uInt)(sizeof zip->bytes - zip->size);
        if (deflate(&z, Z_FINISH) != Z_STREAM_END)
            abort();
        zip->size += z.total_out;
        (void)deflateEnd(&z);
    } else {
        put_bytes(zip, part->data, part->size);
    }
    part->stored_size = zip->size - start;
}

static void put_descriptor(zip_file *zip, const zip_part *part)
{
    size_t width = zip->options & ZIP_LONG_DESCRIBED ? 8 : 4;
    put_bytes(zip, "PK\7\10", 4);
    put(zip, crc_of(zip, part), 4);
    put(zip, part->stored_size, width);
    put(zip, part->size, width);
}

void zip_add(zip_file *zip, zip_part part)
{
    if (!part.name_size)
        part.name_size = strlen(part.name);
    unsigned flags = flags_of(zip, &part);
    part.local = zip->size;
    put_bytes(zip, "PK\3\4", 4);
    put(zip, 0, 2);
    put(zip, flags, 2);
    put(zip, method_of(zip), 2);
    put(zip, 0, 4);
    put(zip, flags & 8 ? 0 : crc_of(zip, &part), 4);
    size_t sizes = zip->size;
    put(zip, 0, 8);
    put(zip, part.name_size, 2);
    put(zip, part.local_extra_size, 2);
    put_bytes(zip, part.name, part.name_size);
    put_bytes(zip, part.local_extra, part.local_extra_size);
    part.content = zip->size;
    put_content(zip, &part);
    part.behind = zip->size;
    if (flags & 8) {
        put_descriptor(zip, &part);
    } else {
        poke(zip, sizes, part.stored_size, 4);
        poke(zip, sizes + 4, part.size, 4);
    }
    zip->parts[zip->count++] = part;
}

static void put_central(zip_file *zip, zip_part *part)
{
    part->central = zip->size;
    put_bytes(zip, "PK\1\2", 4);
    put(zip, 0, 4);
    put(zip, flags_of(zip, part), 2);
    put(zip, method_of(zip), 2);
    put(zip, 0, 4);
    put(zip, crc_of(zip, part), 4);
    put(zip, part->stored_size, 4);
    put(zip, part->size, 4);
    put(zip, part->name_size, 2);
    put(zip, part->central_extra_size, 2);
    put(zip, 0, 10);
    put(zip, part->local, 4);
    put_bytes(zip, part->name, part->name_size);
    put_bytes(zip, part->central_extra, part->central_extra_size);
}

static void put_end64(zip_file *zip, size_t directory_size)
{
    zip->end64 = zip->size;
    put_bytes(zip, "PK\6\6", 4);
    put(zip, 44, 8);
    put(zip, 0x002D031E, 4);
    put(zip, 0, 8);
    put(zip, zip->count, 8);
    put(zip, zip->count, 8);
    put(zip, directory_size, 8);
    put(zip, zip->directory, 8);
    zip->locator = zip->size;
    put_bytes(zip, "PK\6\7", 4);
    put(zip, 0, 4);
    put(zip, zip->end64, 8);
    put(zip, 1, 4);
}

void zip_finish(zip_file *zip)
{
    zip->directory = zip->size;
    for (size_t i = 0; i < zip->count; i++)
        put_central(zip, &zip->parts[i]);
    size_t directory_size = zip->size - zip->directory;
    if (zip->options & ZIP_END64)
        put_end64(zip, directory_size);
    zip->end = zip->size;
    put_bytes(zip, "PK\5\6", 4);
    put(zip, 0, 4);
    put(zip, zip->count, 2);
    put(zip, zip->count, 2);
    put(zip, directory_size, 4);
    put(zip, zip->directory, 4);
    put(zip, 0, 2);
}

void zip_small(zip_file *zip, unsigned options)
{
    zip->size = zip->count = 0;
    zip->options = options;
    zip_add(zip, (zip_part){.name = "archive/data.pkl", .data = "\x80\x02}q\0.", .size = 6});
    zip_add(zip, (zip_part){.name = "archive/data/0", .data = "0123456789abcdef0123456789abcdef", .size = 32});
    zip_add(zip, (zip_part){.name = "archive/data/1", .data = "", .size = 0});
    zip_add(zip, (zip_part){.name = "archive/version", .data = "3\n", .size = 2});
    zip_finish(zip);
}
