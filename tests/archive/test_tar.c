/*
 * Tar files of PyTorch 0.1, and what is refused in them.
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

#define BLOCK 512

typedef struct tar_file {
    unsigned char bytes[64 * BLOCK];
    size_t size;
} tar_file;

static tar_file tar;

static void seal(unsigned char *header)
{
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < BLOCK; i++)
        sum += header[i];
    (void)snprintf((char *)header + 148, 8, "%06o", sum);
}

/* Gives where the header is. */
static size_t add(const char *name, char type, const void *data, size_t size)
{
    size_t at = tar.size;
    unsigned char *header = tar.bytes + at;
    memset(header, 0, BLOCK);
    memcpy(header, name, strlen(name));
    (void)snprintf((char *)header + 124, 12, "%011o", (unsigned)size);
    header[156] = (unsigned char)type;
    memcpy(header + 257,
           "ustar\0"
           "00",
           8);
    seal(header);
    memcpy(header + BLOCK, data, size);
    tar.size += BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
    return at;
}

static void end(void)
{
    tar.size += 2 * BLOCK;
}

static void small(void)
{
    tar = (tar_file){0};
    add("sys_info", '0', "one", 3);
    add("storages", '0', "two", 3);
    add("tensors", '\0', "", 0);
    add("pickle", '0', "four", 4);
    end();
}

static void expect(ptio_status status, const char *reason, uint64_t offset)
{
    expect_bytes(tar.bytes, tar.size, status, reason, offset);
}

static void members_are_records(void **state)
{
    (void)state;
    small();
    ptio_source *source;
    ptio_archive *archive;
    ptio_record record;
    char bytes[4];
    assert_int_equal(ptio_source_from_memory(tar.bytes, tar.size, NULL, &source, NULL), PTIO_OK);
    assert_int_equal(ptio_archive_open(source, 0, NULL, NULL, NULL, &archive, NULL), PTIO_OK);
    assert_int_equal(ptio_archive_count(archive), 4);
    assert_int_equal(ptio_archive_find(archive, "pickle"), 3);
    assert_true(ptio_archive_find(archive, "PICKLE") == SIZE_MAX);
    assert_true(ptio_archive_record(archive, 3, &record));
    assert_int_equal(record.offset, 6 * BLOCK);
    assert_int_equal(record.size, 4);
    assert_false(record.has_crc32);
    assert_int_equal(ptio_archive_read(archive, 3, 1, bytes, 3, NULL), PTIO_OK);
    assert_memory_equal(bytes, "our", 3);
    ptio_archive_free(archive);
    ptio_source_free(source);
}

static void gnus_form_is_taken(void **state)
{
    (void)state;
    tar = (tar_file){0};
    size_t at = add("pickle", '0', "four", 4);
    memcpy(tar.bytes + at + 257, "ustar  ", 8);
    tar.bytes[at + 345] = 'x'; /* an access time there, not a prefix */
    seal(tar.bytes + at);
    end();
    expect(PTIO_OK, NULL, 0);
}

static void times_in_pax_headers_are_skipped(void **state)
{
    (void)state;
    tar = (tar_file){0};
    add("./PaxHeader", 'x', "23 mtime=1480000000.25\n18 atime=12345678\n12 ctime=-1\n", 53);
    add("pickle", '0', "four", 4);
    end();
    expect(PTIO_OK, NULL, 0);
}

static void other_pax_records_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        ptio_status status;
        const char *reason;
    } records[] = {
        {"10 size=1\n", PTIO_ERR_UNSUPPORTED, "tar.pax-key"},
        {"15 path=pickle\n", PTIO_ERR_UNSUPPORTED, "tar.pax-key"},
        {"14 linkpath=x\n", PTIO_ERR_UNSUPPORTED, "tar.pax-key"},
        {"12 mtime=123\n", PTIO_ERR_FORMAT, "tar.pax"},
        {"99 mtime=123\n", PTIO_ERR_FORMAT, "tar.pax"},
        {"0 mtime=1\n", PTIO_ERR_FORMAT, "tar.pax"},
        {"2 \n", PTIO_ERR_FORMAT, "tar.pax"},
        {"x mtime=1\n", PTIO_ERR_FORMAT, "tar.pax"},
        {"99999999999999999999 mtime=1\n", PTIO_ERR_FORMAT, "tar.pax"},
    };
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        tar = (tar_file){0};
        add("./PaxHeader", 'x', records[i].text, strlen(records[i].text));
        add("pickle", '0', "four", 4);
        end();
        expect(records[i].status, records[i].reason, BLOCK);
    }
    static char long_one[8193];
    tar = (tar_file){0};
    add("./PaxHeader", 'x', long_one, sizeof long_one);
    add("pickle", '0', "four", 4);
    end();
    expect(PTIO_ERR_FORMAT, "tar.pax", BLOCK);
}

static void other_kinds_of_members_are_refused(void **state)
{
    (void)state;
    for (const char *type = "1234567LKSgDMVAX"; *type; type++) {
        small();
        tar.bytes[2 * BLOCK + 156] = (unsigned char)*type;
        seal(tar.bytes + 2 * BLOCK);
        expect(PTIO_ERR_UNSUPPORTED, "tar.type", 2 * BLOCK + 156);
    }
}

static void other_members_are_refused(void **state)
{
    (void)state;
    static const char *names[] = {"readme", "./pickle", "../pickle", "/pickle", "Pickle", "pickle/", "pickl"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tar = (tar_file){0};
        add("storages", '0', "two", 3);
        size_t at = add(names[i], '0', "x", 1);
        end();
        expect(PTIO_ERR_FORMAT, "tar.member", at);
    }
    small();
    tar.bytes[345] = 'p';
    seal(tar.bytes);
    expect(PTIO_ERR_FORMAT, "tar.member", 0);
    tar = (tar_file){0};
    add("pickle", '0', "x", 1);
    add("pickle", '0', "x", 1);
    end();
    expect(PTIO_ERR_AMBIGUOUS, "archive.duplicate", 3 * BLOCK);
}

static void sizes_are_octal_and_inside(void **state)
{
    (void)state;
    static const char *sizes[] = {"-0000000001", "00000000008", "\x80\0\0\0\0\0\0\0\0\0\0\3", "", "0x3", "3.0"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        small();
        memset(tar.bytes + 2 * BLOCK + 124, 0, 12);
        memcpy(tar.bytes + 2 * BLOCK + 124, sizes[i], sizes[i][0] == '\x80' ? 12 : strlen(sizes[i]));
        seal(tar.bytes + 2 * BLOCK);
        expect(PTIO_ERR_FORMAT, "tar.size", 2 * BLOCK + 124);
    }
    small();
    memcpy(tar.bytes + 2 * BLOCK + 124, "77777777777", 12);
    seal(tar.bytes + 2 * BLOCK);
    expect(PTIO_ERR_FORMAT, "tar.cut", 2 * BLOCK);
    /* Spaces around the number are an old habit. */
    small();
    memcpy(tar.bytes + 2 * BLOCK + 124, "         3 \0", 12);
    seal(tar.bytes + 2 * BLOCK);
    expect(PTIO_OK, NULL, 0);
}

static void headers_have_a_checksum(void **state)
{
    (void)state;
    small();
    tar.bytes[2 * BLOCK + 100] ^= 1;
    expect(PTIO_ERR_FORMAT, "tar.checksum", 2 * BLOCK);
}

static void the_end_is_two_blocks_of_zeros(void **state)
{
    (void)state;
    small();
    tar.size -= BLOCK;
    expect(PTIO_ERR_FORMAT, "tar.end", tar.size - BLOCK);
    tar.size -= BLOCK;
    expect(PTIO_ERR_FORMAT, "tar.end", tar.size);
    small();
    tar.bytes[tar.size - 1] = 1;
    expect(PTIO_ERR_FORMAT, "tar.end", tar.size - 2 * BLOCK);
    /* Zeros up to 10 KiB are usual. */
    small();
    size_t size = tar.size;
    tar.size = 20 * BLOCK;
    expect_finding(tar.bytes, tar.size, PTIO_NOTE, NULL, 0);
    tar.bytes[tar.size - 1] = 1;
    expect_finding(tar.bytes, tar.size, PTIO_WARNING, "tar.trailing-bytes", size);
    tar.bytes[tar.size - 1] = 0;
    expect_finding(tar.bytes, size + 3, PTIO_WARNING, "tar.trailing-bytes", size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_records),
        cmocka_unit_test(gnus_form_is_taken),
        cmocka_unit_test(times_in_pax_headers_are_skipped),
        cmocka_unit_test(other_pax_records_are_refused),
        cmocka_unit_test(other_kinds_of_members_are_refused),
        cmocka_unit_test(other_members_are_refused),
        cmocka_unit_test(sizes_are_octal_and_inside),
        cmocka_unit_test(headers_have_a_checksum),
        cmocka_unit_test(the_end_is_two_blocks_of_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
