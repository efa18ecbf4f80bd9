/*
 * Every archive of the corpus that PyTorch wrote, from 1.5 on, is made again from its own records: byte for byte the same.
 *
 * What decides the bytes is taken from the file: its root, its records in order, their alignment, and whether they have a CRC. Not made
 * again are archives with packed records (the code of TorchScript), which the writer does not make, damaged ones, and those of other tools.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ftw.h>

#include <cmocka.h>

#include "archive/archive.h"
#include "archive/zip_writer.h"
#include "base/text.h"
#include "support/exercise.h"

static size_t same, different, others;

typedef struct original {
    blob bytes;
    ptio_source *source;
    ptio_archive *archive;
    uint32_t alignment;
    bool has_crc32;
} original;

/* Whether the first local header is that of PyTorch's writer: with a padding field, without dates and sizes. */
static bool is_of_pytorch(const blob *file)
{
    static const unsigned char zeros[16];
    if (file->size < 100 || memcmp(file->data, "PK\3\4", 4) != 0 || memcmp(file->data + 10, zeros, 16) != 0)
        return false;
    size_t name_size = file->data[26] + 256u * file->data[27];
    return 32 + name_size < file->size && memcmp(file->data + 30 + name_size, "FB", 2) == 0;
}

/* False for what the writer does not make. */
static bool take(original *o)
{
    ptio_record record;
    char digits[16] = {0};
    o->alignment = 64;
    if (ptio_archive_open(o->source, 0, NULL, NULL, NULL, &o->archive, NULL) != PTIO_OK || !o->archive->root.size)
        return false;
    for (size_t i = 0; ptio_archive_record(o->archive, i, &record); i++) {
        if (record.is_deflated)
            return false;
        o->has_crc32 |= record.crc32 != 0;
    }
    size_t at = ptio_archive_lookup_in_root(o->archive, PTIO_TEXT(".storage_alignment"));
    if (at != SIZE_MAX && ptio_archive_record(o->archive, at, &record) && record.size < sizeof digits) {
        assert_int_equal(ptio_archive_read(o->archive, at, 0, digits, (size_t)record.size, NULL), PTIO_OK);
        o->alignment = (uint32_t)strtoul(digits, NULL, 10);
    }
    return o->alignment != 0;
}

/* Half of the records by their CRC, the other half by their bytes; those without a CRC among others are the holes of skip_data(). */
static void copy_record(const original *o, ptio_zip_writer *writer, size_t i)
{
    ptio_record record;
    ptio_error err = {0};
    uint64_t offset = 0;
    assert_true(ptio_archive_record(o->archive, i, &record));
    assert_int_equal(ptio_archive_locate(o->archive, i, &offset, &err), PTIO_OK);
    size_t root = o->archive->root.size + 1;
    ptio_text name = {record.name.bytes + root, record.name.size - root};
    assert_int_equal(ptio_zip_writer_begin(writer, name, record.size, &err), PTIO_OK);
    if (o->has_crc32 && !record.crc32)
        assert_int_equal(ptio_zip_writer_skip(writer, &err), PTIO_OK);
    else
        assert_int_equal(ptio_zip_writer_copy(writer, o->source, offset, record.size, i % 2 ? &record.crc32 : NULL, &err),
                         PTIO_OK);
    assert_int_equal(ptio_zip_writer_end_record(writer, &err), PTIO_OK);
}

/* The id of the file is the one that the writer makes of the records before it: of the wheel for Linux. */
static void expect_id(const original *o, ptio_zip_writer *writer, size_t i)
{
    char found[41] = {0}, made[41] = {0};
    ptio_error err = {0};
    if (i != ptio_archive_lookup_in_root(o->archive, PTIO_TEXT(".data/serialization_id")))
        return;
    assert_int_equal(ptio_archive_read(o->archive, i, 0, found, 40, &err), PTIO_OK);
    assert_int_equal(ptio_zip_writer_serialization_id(writer, PTIO_LIBSTDCXX, made, &err), PTIO_OK);
    assert_string_equal(made, found);
}

/* Up to the end of the archive: in one file there are bytes behind it. */
static ptio_text without_rest(const blob *file)
{
    size_t end = file->size - 22;
    while (end && memcmp(file->data + end, "PK\5\6", 4) != 0)
        end--;
    return (ptio_text){(const char *)file->data, end + 22};
}

static void rebuild(const char *path, const original *o)
{
    ptio_heap heap;
    ptio_sink *sink = NULL;
    ptio_zip_writer *writer = NULL;
    ptio_zip_writer_spec spec = {.root = o->archive->root, .alignment = o->alignment, .crc32 = o->has_crc32};
    ptio_heap_init(&heap, NULL, 0);
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_zip_writer_new(sink, &spec, &heap, &writer, NULL), PTIO_OK);
    for (size_t i = 0; i < ptio_archive_count(o->archive); i++) {
        expect_id(o, writer, i);
        copy_record(o, writer, i);
    }
    assert_int_equal(ptio_zip_writer_finish(writer, NULL), PTIO_OK);
    ptio_text bytes = ptio_sink_bytes(sink);
    bool equal = ptio_text_equal(bytes, without_rest(&o->bytes));
    if (!equal)
        print_message("%s is made differently\n", path);
    same += equal;
    different += !equal;
    ptio_zip_writer_free(writer);
    ptio_sink_free(sink);
}

static int visit(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about;
    (void)place;
    if (kind != FTW_F)
        return 0;
    original o = {.bytes = blob_read(path)};
    assert_non_null(o.bytes.data);
    if (is_of_pytorch(&o.bytes)) {
        assert_int_equal(ptio_source_from_memory(o.bytes.data, o.bytes.size, NULL, &o.source, NULL), PTIO_OK);
        if (take(&o))
            rebuild(path, &o);
        else
            others++;
        ptio_archive_free(o.archive);
        ptio_source_free(o.source);
    }
    free(o.bytes.data);
    return 0;
}

static void files_of_the_corpus(void **state)
{
    (void)state;
    assert_int_equal(nftw(PTIO_TEST_DATA "/corpus", visit, 16, FTW_PHYS), 0);
    print_message("%zu the same, %zu different, %zu with packed records or damaged\n", same, different, others);
    assert_int_equal(different, 0);
    assert_true(same >= 742);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(files_of_the_corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
