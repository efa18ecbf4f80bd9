/*
 * Zip archives that open: every way in which PyTorch and others write them, and what is told about them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "archive/archive.h"
#include "base/text.h"
#include "open_zip.h"

static zip_file zip;

static void every_form_opens(void **state)
{
    (void)state;
    for (unsigned options = 0; options < 32; options++) {
        zip_small(&zip, options);
        ptio_error err = {0};
        assert_int_equal(use_archive(zip.bytes, zip.size, NULL, NULL, &err), PTIO_OK);
    }
}

typedef struct opened {
    ptio_source *source;
    ptio_archive *archive;
} opened;

static opened open_zip(uint64_t offset)
{
    opened o = {0};
    assert_int_equal(ptio_source_from_memory(zip.bytes, zip.size, NULL, &o.source, NULL), PTIO_OK);
    assert_int_equal(ptio_archive_open(o.source, offset, NULL, NULL, NULL, &o.archive, NULL), PTIO_OK);
    return o;
}

static void close_zip(opened o)
{
    ptio_archive_free(o.archive);
    ptio_source_free(o.source);
}

static void records_are_described(void **state)
{
    (void)state;
    zip_small(&zip, ZIP_DESCRIBED | ZIP_END64);
    opened o = open_zip(0);
    assert_int_equal(ptio_archive_count(o.archive), 4);
    assert_true(ptio_text_is(o.archive->root, "archive"));
    size_t index = ptio_archive_find(o.archive, "archive/data/0");
    assert_int_equal(index, 1);
    ptio_record record;
    assert_true(ptio_archive_record(o.archive, index, &record));
    assert_int_equal(record.offset, PTIO_NO_OFFSET);
    assert_int_equal(record.header_offset, zip.parts[1].local);
    assert_int_equal(record.size, 32);
    assert_true(record.has_crc32);
    char bytes[32];
    assert_int_equal(ptio_archive_read(o.archive, index, 0, bytes, 32, NULL), PTIO_OK);
    assert_memory_equal(bytes, "0123456789abcdef0123456789abcdef", 32);
    assert_true(ptio_archive_record(o.archive, index, &record));
    assert_int_equal(record.offset, zip.parts[1].content);
    assert_false(ptio_archive_record(o.archive, 4, &record));
    close_zip(o);
}

static void names_are_found_exactly(void **state)
{
    (void)state;
    zip_small(&zip, 0);
    opened o = open_zip(0);
    for (size_t i = 0; i < zip.count; i++)
        assert_int_equal(ptio_archive_find(o.archive, zip.parts[i].name), i);
    const char *absent[] = {"ARCHIVE/DATA.PKL",
                            "archive/data/00",
                            "archive/data/2",
                            "archive/data/",
                            "archive/data/+1",
                            "archive/DATA/0",
                            "archive",
                            "archive/data/1x",
                            "archive\\data/0",
                            "",
                            "archive/data/99999999999999999999"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        assert_true(ptio_archive_find(o.archive, absent[i]) == SIZE_MAX);
    assert_true(ptio_archive_find(o.archive, NULL) == SIZE_MAX);
    assert_true(ptio_archive_find(NULL, "archive/data/0") == SIZE_MAX);
    assert_int_equal(ptio_archive_lookup_in_root(o.archive, PTIO_TEXT("version")), 3);
    assert_int_equal(ptio_archive_lookup_in_root(o.archive, PTIO_TEXT("data/1")), 2);
    assert_true(ptio_archive_lookup_in_root(o.archive, PTIO_TEXT("archive/version")) == SIZE_MAX);
    close_zip(o);
}

static void reading_beyond_a_record_is_refused(void **state)
{
    (void)state;
    zip_small(&zip, 0);
    opened o = open_zip(0);
    char bytes[64];
    ptio_error err = {0};
    assert_int_equal(ptio_archive_read(o.archive, 1, 1, bytes, 32, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "argument.range");
    assert_string_equal(err.record, "archive/data/0");
    err = (ptio_error){0};
    assert_int_equal(ptio_archive_read(o.archive, 1, UINT64_MAX, bytes, 2, &err), PTIO_ERR_ARGUMENT);
    err = (ptio_error){0};
    assert_int_equal(ptio_archive_read(o.archive, 4, 0, bytes, 0, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "argument.index");
    close_zip(o);
}

static void an_archive_may_begin_later(void **state)
{
    (void)state;
    zip_small(&zip, ZIP_END64);
    insert(&zip, 0, "prefix", 6);
    opened o = open_zip(6);
    char bytes[2];
    assert_int_equal(ptio_archive_read(o.archive, 3, 0, bytes, 2, NULL), PTIO_OK);
    assert_memory_equal(bytes, "3\n", 2);
    close_zip(o);
    expect_zip(&zip, PTIO_ERR_FORMAT, "not.unknown", 0);
}

/* Sizes and offsets in zip64 fields, though they would fit: as Python's zipfile does on request, and PyTorch beyond 4 GiB. */
static void zip64_fields_may_be_forced(void **state)
{
    (void)state;
    static const char local[] = "\1\0\x10\0\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0";
    static const char central[] = "\1\0\x18\0\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    zip = (zip_file){.options = ZIP_END64};
    zip_add(&zip, (zip_part){.name = "a/version",
                             .data = "3\n",
                             .size = 2,
                             .local_extra = local,
                             .local_extra_size = 20,
                             .central_extra = central,
                             .central_extra_size = 28});
    poke(&zip, zip.parts[0].local + 18, UINT64_MAX, 8);
    zip_finish(&zip);
    size_t at = zip.parts[0].central;
    expect_zip(&zip, PTIO_OK, NULL, 0); /* all three values repeated, none needed */
    poke(&zip, at + 20, UINT64_MAX, 8);
    expect_zip(&zip, PTIO_OK, NULL, 0); /* two needed, three there */
    poke(&zip, at + 42, UINT32_MAX, 4);
    expect_zip(&zip, PTIO_OK, NULL, 0); /* all needed */
}

/* PyTorch behind 4 GiB: the sizes are 0 beside a zip64 field, which may hold the offset alone. */
static void pytorchs_zip64_fields_are_taken(void **state)
{
    (void)state;
    static const char offset_only[] = "\1\0\10\0\0\0\0\0\0\0\0\0FB\2\0ZZ";
    static const char sizes[] = "\1\0\x18\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    zip = (zip_file){.options = ZIP_DESCRIBED | ZIP_LONG_DESCRIBED};
    zip_add(&zip, (zip_part){.name = "a/version", .data = "3\n", .size = 2, .local_extra = offset_only, .local_extra_size = 18});
    zip_finish(&zip);
    expect_zip(&zip, PTIO_OK, NULL, 0);
    zip = (zip_file){.options = ZIP_DESCRIBED | ZIP_LONG_DESCRIBED};
    zip_add(&zip, (zip_part){.name = "a/version", .data = "3\n", .size = 2, .local_extra = sizes, .local_extra_size = 28});
    zip_finish(&zip);
    expect_zip(&zip, PTIO_OK, NULL, 0);
}

static void descriptors_may_lack_their_signature(void **state)
{
    (void)state;
    for (unsigned form = 0; form < 2; form++) {
        zip = (zip_file){.options = ZIP_DESCRIBED | (form ? ZIP_LONG_DESCRIBED : 0)};
        zip_add(&zip, (zip_part){.name = "a/version", .data = "3\n", .size = 2});
        memmove(zip.bytes + zip.parts[0].behind, zip.bytes + zip.parts[0].behind + 4, form ? 20 : 12);
        zip.size -= 4;
        zip_finish(&zip);
        expect_finding(zip.bytes, zip.size, PTIO_NOTE, NULL, 0);
    }
}

static void the_order_of_the_directory_is_free(void **state)
{
    (void)state;
    zip_small(&zip, ZIP_DESCRIBED);
    zip_part first = zip.parts[0];
    zip.size = zip.directory;
    zip.parts[0] = zip.parts[3];
    zip.parts[3] = first;
    zip_finish(&zip);
    opened o = open_zip(0);
    assert_non_null(o.archive->order);
    assert_int_equal(ptio_archive_find(o.archive, "archive/data.pkl"), 3);
    close_zip(o);
    expect_zip(&zip, PTIO_OK, NULL, 0);
}

static void crcs_may_be_absent(void **state)
{
    (void)state;
    zip_small(&zip, ZIP_NO_CRC | ZIP_DESCRIBED);
    expect_finding(zip.bytes, zip.size, PTIO_NOTE, "zip.crc-absent", zip.directory);
    opened o = open_zip(0);
    ptio_record record;
    assert_true(ptio_archive_record(o.archive, 1, &record));
    assert_false(record.has_crc32);
    close_zip(o);
    /* Those of the storages alone, as skip_data() leaves them. */
    zip_small(&zip, ZIP_DESCRIBED);
    poke(&zip, zip.parts[1].central + 16, 0, 4);
    poke(&zip, zip.parts[1].behind + 4, 0, 4);
    expect_finding(zip.bytes, zip.size, PTIO_NOTE, "zip.crc-absent", zip.directory);
    /* That of any other record is wrong. */
    zip_small(&zip, ZIP_DESCRIBED);
    poke(&zip, zip.parts[3].central + 16, 0, 4);
    poke(&zip, zip.parts[3].behind + 4, 0, 4);
    expect_zip(&zip, PTIO_ERR_FORMAT, "zip.crc", zip.parts[3].content);
}

static void what_does_not_matter_is_told(void **state)
{
    (void)state;
    zip_small(&zip, 0);
    size_t size = zip.size;
    put_bytes(&zip, "\0\0\0\0junk", 8);
    expect_finding(zip.bytes, zip.size, PTIO_WARNING, "zip.trailing-bytes", size);
    /* A comment is part of the archive. */
    poke(&zip, zip.end + 20, 8, 2);
    expect_finding(zip.bytes, zip.size, PTIO_NOTE, NULL, 0);
    /* Between two records. */
    zip = (zip_file){0};
    zip_add(&zip, (zip_part){.name = "a/version", .data = "3\n", .size = 2});
    size = zip.size;
    put_bytes(&zip, "\0\0\0", 3);
    zip_add(&zip, (zip_part){.name = "a/data.pkl", .data = "N.", .size = 2});
    zip_finish(&zip);
    expect_finding(zip.bytes, zip.size, PTIO_WARNING, "zip.gap", size);
    /* Behind the last record. */
    zip = (zip_file){0};
    zip_add(&zip, (zip_part){.name = "a/version", .data = "3\n", .size = 2});
    size = zip.size;
    put_bytes(&zip, "gap", 3);
    zip_finish(&zip);
    expect_finding(zip.bytes, zip.size, PTIO_WARNING, "zip.gap", size);
}

static void folders_are_entries(void **state)
{
    (void)state;
    zip = (zip_file){0};
    zip_add(&zip, (zip_part){.name = "a/", .data = ""});
    zip_add(&zip, (zip_part){.name = "a/version", .data = "3\n", .size = 2});
    zip_finish(&zip);
    expect_finding(zip.bytes, zip.size, PTIO_NOTE, "zip.folders", PTIO_NO_OFFSET);
    opened o = open_zip(0);
    assert_true(o.archive->entries[0].is_folder);
    close_zip(o);
}

static void names_need_not_be_ascii(void **state)
{
    (void)state;
    zip = (zip_file){0};
    zip_add(&zip, (zip_part){.name = "mod\xC3\xA8le/data/0", .data = "x", .size = 1});
    zip_add(&zip, (zip_part){.name = "mod\xC3\xA8le/version", .data = "3\n", .size = 2});
    zip_finish(&zip);
    expect_finding(zip.bytes, zip.size, PTIO_NOTE, NULL, 0);
    /* In another encoding, where no flag says UTF-8. */
    zip = (zip_file){0};
    zip_add(&zip, (zip_part){.name = "modele/\x8A", .data = "3\n", .size = 2});
    zip_finish(&zip);
    poke(&zip, zip.parts[0].central + 8, 0, 2);
    expect_finding(zip.bytes, zip.size, PTIO_NOTE, "zip.name-encoding", zip.directory);
}

static void an_archive_may_have_no_root(void **state)
{
    (void)state;
    zip = (zip_file){0};
    zip_add(&zip, (zip_part){.name = "x.npy", .data = "x", .size = 1});
    zip_add(&zip, (zip_part){.name = "y/z.npy", .data = "y", .size = 1});
    zip_finish(&zip);
    opened o = open_zip(0);
    assert_int_equal(o.archive->root.size, 0);
    assert_int_equal(ptio_archive_lookup_in_root(o.archive, PTIO_TEXT("x.npy")), 0);
    close_zip(o);
}

static void many_names_are_all_found(void **state)
{
    (void)state;
    static char names[600][32];
    zip = (zip_file){0};
    for (size_t i = 0; i < 600; i++) {
        (void)snprintf(names[i], sizeof names[i], i % 2 ? "r/data/%zu" : "r/tensors/%zu", i * 7);
        zip.count = 0; /* only the bytes are wanted; the directory is written here */
        zip_add(&zip, (zip_part){.name = names[i], .data = "", .size = 0});
    }
    zip.directory = zip.size;
    for (size_t i = 0, at = 0; i < 600; i++) {
        size_t n = strlen(names[i]);
        put_bytes(&zip, "PK\1\2", 4);
        put(&zip, 0, 4);
        put(&zip, 0x800, 2);
        for (size_t k = 0; k < 18; k++)
            put(&zip, 0, 1);
        put(&zip, n, 2);
        put(&zip, 0, 8);
        put(&zip, 0, 4);
        put(&zip, at, 4);
        put_bytes(&zip, names[i], n);
        at += 30 + n;
    }
    size_t size = zip.size - zip.directory;
    put_bytes(&zip, "PK\5\6", 4);
    put(&zip, 0, 4);
    put(&zip, 600, 2);
    put(&zip, 600, 2);
    put(&zip, size, 4);
    put(&zip, zip.directory, 4);
    put(&zip, 0, 2);
    opened o = open_zip(0);
    for (size_t i = 0; i < 600; i++)
        assert_int_equal(ptio_archive_find(o.archive, names[i]), i);
    close_zip(o);
}

/* The zip by callbacks that count. */
typedef struct counted {
    size_t at, reads, bytes;
} counted;

static int64_t counted_read(void *ctx, void *buffer, size_t size)
{
    counted *c = ctx;
    size_t n = size < zip.size - c->at ? size : zip.size - c->at;
    memcpy(buffer, zip.bytes + c->at, n);
    c->at += n;
    c->reads++;
    c->bytes += n;
    return (int64_t)n;
}

static int counted_seek(void *ctx, uint64_t offset)
{
    ((counted *)ctx)->at = (size_t)offset;
    return 0;
}

static int64_t counted_size(void *ctx)
{
    (void)ctx;
    return (int64_t)zip.size;
}

/* A small record is read with its header and descriptor at once, a larger one takes little more than its own bytes. */
static void little_is_read_beside_the_records(void **state)
{
    (void)state;
    static const ptio_source_callbacks callbacks = {.read = counted_read, .seek = counted_seek, .size = counted_size};
    static char data[9000], read[9000];
    static const size_t sizes[] = {0, 1, 1000, 3900, 4097, 9000};
    counted c = {0};
    ptio_source *source;
    ptio_archive *archive;
    memset(data, 'd', sizeof data);
    memset(&zip, 0, sizeof zip);
    zip.options = ZIP_DESCRIBED;
    char names[sizeof sizes / sizeof *sizes][16];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snprintf(names[i], sizeof names[i], "a/data/%zu", i);
        zip_add(&zip, (zip_part){.name = names[i], .data = data, .size = sizes[i]});
    }
    zip_finish(&zip);
    assert_int_equal(ptio_source_from_callbacks(&callbacks, &c, NULL, NULL, &source, NULL), PTIO_OK);
    assert_int_equal(ptio_archive_open(source, 0, NULL, NULL, NULL, &archive, NULL), PTIO_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        c.reads = c.bytes = 0;
        assert_int_equal(ptio_archive_read(archive, i, 0, read, sizes[i], NULL), PTIO_OK);
        assert_memory_equal(read, data, sizes[i]);
        assert_true(c.bytes <= sizes[i] + 200);
        assert_true(c.reads <= (sizes[i] < 4000 ? 1 : 3));
        c.reads = c.bytes = 0;
        assert_int_equal(ptio_archive_read(archive, i, 0, read, sizes[i], NULL), PTIO_OK);
        assert_int_equal(c.bytes, sizes[i]);
    }
    ptio_archive_free(archive);
    ptio_source_free(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_opens),
        cmocka_unit_test(records_are_described),
        cmocka_unit_test(names_are_found_exactly),
        cmocka_unit_test(reading_beyond_a_record_is_refused),
        cmocka_unit_test(an_archive_may_begin_later),
        cmocka_unit_test(zip64_fields_may_be_forced),
        cmocka_unit_test(pytorchs_zip64_fields_are_taken),
        cmocka_unit_test(descriptors_may_lack_their_signature),
        cmocka_unit_test(the_order_of_the_directory_is_free),
        cmocka_unit_test(crcs_may_be_absent),
        cmocka_unit_test(what_does_not_matter_is_told),
        cmocka_unit_test(folders_are_entries),
        cmocka_unit_test(names_need_not_be_ascii),
        cmocka_unit_test(an_archive_may_have_no_root),
        cmocka_unit_test(many_names_are_all_found),
        cmocka_unit_test(little_is_read_beside_the_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
