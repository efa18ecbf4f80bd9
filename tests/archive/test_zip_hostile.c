/*
 * Zip archives that are refused: one flaw each, and for each the status, the reason and the place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "open_zip.h"

#define AMBIGUOUS PTIO_ERR_AMBIGUOUS
#define FORMAT PTIO_ERR_FORMAT
#define UNSUPPORTED PTIO_ERR_UNSUPPORTED

static zip_file zip;

/* ---- flaws of one field ---- */

/* Where a field counts from, and where a failure is told; in headers of records these are the second record's. */
typedef enum place { LOCAL, LOCAL_NAME, BOTH_HEADERS, END64, LOCATOR, END } place;

typedef struct flaw {
    size_t offset; /* from the place; that of BOTH_HEADERS is of the local one */
    size_t size;
    uint64_t value;
    ptio_status status;
    const char *reason;
} flaw;

static size_t start_of(place where)
{
    switch (where) {
    case LOCAL:
    case BOTH_HEADERS: return zip.parts[1].local;
    case LOCAL_NAME: return zip.parts[1].local + 30;
    case END64: return zip.end64;
    case LOCATOR: return zip.locator;
    case END: return zip.end;
    }
    return SIZE_MAX;
}

/* An archive with each flaw in turn is refused. */
static void expect_flaws(const flaw *flaws, size_t count, unsigned options, place where, place told)
{
    for (const flaw *f = flaws; f < flaws + count; f++) {
        zip_small(&zip, options);
        poke(&zip, start_of(where) + f->offset, f->value, f->size);
        if (where == BOTH_HEADERS) /* the directory's header has one field more in front */
            poke(&zip, zip.parts[1].central + 2 + f->offset, f->value, f->size);
        expect_zip(&zip, f->status, f->reason, start_of(told));
    }
}

#define EXPECT_FLAWS(flaws, options, where, told) expect_flaws(flaws, sizeof(flaws) / sizeof *(flaws), options, where, told)

/* ---- the local header says something else than the directory ---- */

static void local_headers_must_agree(void **state)
{
    (void)state;
    static const flaw flaws[] = {
        {0, 4, 0x04034B51, FORMAT, "zip.local-header"},       /* signature                         */
        {6, 2, 0x0801, AMBIGUOUS, "zip.local-mismatch"},      /* encrypted                         */
        {6, 2, 0x0840, AMBIGUOUS, "zip.local-mismatch"},      /* encrypted, the strong way         */
        {6, 2, 0x2800, AMBIGUOUS, "zip.local-mismatch"},      /* masked                            */
        {8, 2, 8, AMBIGUOUS, "zip.local-mismatch"},           /* method                            */
        {14, 4, 0x12345678, AMBIGUOUS, "zip.local-mismatch"}, /* CRC                               */
        {14, 4, 0, AMBIGUOUS, "zip.local-mismatch"},          /* no CRC, and none behind the data  */
        {18, 4, 31, AMBIGUOUS, "zip.local-mismatch"},         /* stored size                       */
        {18, 4, 0, AMBIGUOUS, "zip.local-mismatch"},
        {22, 4, 33, AMBIGUOUS, "zip.local-mismatch"}, /* size                               */
        {22, 4, UINT32_MAX, AMBIGUOUS, "zip.local-mismatch"},
        {26, 2, 0, AMBIGUOUS, "zip.name-mismatch"},
    };
    EXPECT_FLAWS(flaws, 0, LOCAL, LOCAL);
    static const flaw names[] = {
        {26, 2, 13, AMBIGUOUS, "zip.name-mismatch"},  /* shorter      */
        {30, 1, 'A', AMBIGUOUS, "zip.name-mismatch"}, /* another case */
    };
    EXPECT_FLAWS(names, 0, LOCAL, LOCAL_NAME);
    /* The extra field's length reaches into the next record. */
    zip_small(&zip, 0);
    poke(&zip, zip.parts[1].local + 28, 1, 2);
    expect_zip(&zip, AMBIGUOUS, "zip.overlap", zip.parts[1].local);
    zip_small(&zip, 0);
    poke(&zip, zip.parts[1].local + 28, 0xFFFF, 2);
    expect_zip(&zip, AMBIGUOUS, "zip.overlap", PTIO_NO_OFFSET);
}

static void descriptors_must_agree(void **state)
{
    (void)state;
    for (unsigned options = ZIP_DESCRIBED; options <= (ZIP_DESCRIBED | ZIP_LONG_DESCRIBED); options += ZIP_LONG_DESCRIBED)
        for (size_t field = 0; field < 16; field += 4) {
            zip_small(&zip, options);
            size_t at = zip.parts[1].behind;
            poke(&zip, at + field, peek(&zip, at + field, 4) ^ 1, 4);
            expect_zip(&zip, AMBIGUOUS, "zip.descriptor", at);
        }
    /* None is there, though the header says so. */
    zip_small(&zip, 0);
    poke(&zip, zip.parts[1].local + 6, 0x0808, 2);
    expect_zip(&zip, AMBIGUOUS, "zip.descriptor", zip.parts[1].behind);
}

static void extra_fields_of_local_headers_must_agree(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        ptio_status status;
        const char *reason;
    } extras[] = {
        {"\1\0\10\0\1\0\0\0\0\0\0\0", 12, AMBIGUOUS, "zip.local-mismatch"},                                  /* offset     */
        {"\1\0\4\0\2\0\0\0", 8, AMBIGUOUS, "zip.zip64-extra"},                                               /* short      */
        {"\1\0\x10\0\3\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0", 20, AMBIGUOUS, "zip.local-mismatch"},                 /* size       */
        {"\1\0\x10\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0", 20, AMBIGUOUS, "zip.local-mismatch"},                 /* stored     */
        {"\1\0\x18\0\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", 28, AMBIGUOUS, "zip.local-mismatch"}, /* offset    */
        {"\1\0\10\0\0\0\0\0\0\0\0\0\1\0\10\0\0\0\0\0\0\0\0\0", 24, AMBIGUOUS, "zip.zip64-extra"},            /* twice      */
        {"FB\5\0ZZZZ", 8, FORMAT, "zip.extra"},                                                              /* too long   */
        {"\x75\x70\x0E\0\1\0\0\0\0a/versiox", 18, AMBIGUOUS, "zip.unicode-name"},                            /* other name */
        {"\x75\x70\x03\0\1\0\0", 7, AMBIGUOUS, "zip.unicode-name"},
    };
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++) {
        zip = (zip_file){0};
        zip_add(&zip, (zip_part){.name = "a/version",
                                 .data = "3\n",
                                 .size = 2,
                                 .local_extra = extras[i].bytes,
                                 .local_extra_size = extras[i].size});
        zip_finish(&zip);
        expect_zip(&zip, extras[i].status, extras[i].reason, PTIO_NO_OFFSET);
    }
    /* A name in a Unicode field that is the same is fine. */
    zip = (zip_file){0};
    zip_add(&zip, (zip_part){.name = "a/version",
                             .data = "3\n",
                             .size = 2,
                             .local_extra = "\x75\x70\x0E\0\1\0\0\0\0a/version",
                             .local_extra_size = 18});
    zip_finish(&zip);
    expect_zip(&zip, PTIO_OK, NULL, 0);
}

/* ---- names ---- */

static void bad_name(const char *name, size_t size, const char *reason)
{
    zip = (zip_file){0};
    zip_add(&zip, (zip_part){.name = "a/version", .data = "3\n", .size = 2});
    zip_add(&zip, (zip_part){.name = name, .name_size = size, .data = "x", .size = 1});
    zip_finish(&zip);
    expect_zip(&zip, FORMAT, reason, zip.parts[1].central);
}

static void odd_names_are_refused(void **state)
{
    (void)state;
    static char longest[4097];
    memset(longest, 'n', sizeof longest);
    longest[1] = '/';
    bad_name("a/b\0c", 5, "zip.name-nul");
    bad_name("a/b\nc", 5, "zip.name-control");
    bad_name("a/0123456789\x7F", 13, "zip.name-control");
    bad_name("a/b\xFF", 4, "zip.name-utf8");
    bad_name("a/\xED\xA0\x80", 5, "zip.name-utf8");
    bad_name("a/../b", 6, "zip.name-parent");
    bad_name("..", 2, "zip.name-parent");
    bad_name("a/..", 4, "zip.name-parent");
    bad_name("a\\..\\b", 6, "zip.name-parent");
    bad_name("/a/b", 4, "zip.name-absolute");
    bad_name("\\a\\b", 4, "zip.name-absolute");
    bad_name("C:/b", 4, "zip.name-drive");
    bad_name("a/./b", 5, "zip.name-path");
    bad_name("a//b", 4, "zip.name-path");
    bad_name("./a/b", 5, "zip.name-path");
    bad_name(longest, 4097, "zip.name-long");
    /* The longest that is taken, and parts that only look odd. */
    zip = (zip_file){0};
    zip_add(&zip, (zip_part){.name = longest, .name_size = 4096, .data = "x", .size = 1});
    zip_add(&zip, (zip_part){.name = "n/..b/.c/d..", .data = "x", .size = 1});
    zip_finish(&zip);
    expect_zip(&zip, PTIO_OK, NULL, 0);
    /* No name at all. */
    zip_small(&zip, 0);
    poke(&zip, zip.parts[3].central + 28, 0, 2);
    poke(&zip, zip.parts[3].central + 32, 15, 2);
    expect_zip(&zip, FORMAT, "zip.name-empty", zip.parts[3].central);
}

static void twins(const char *first, const char *second, const char *reason)
{
    zip = (zip_file){0};
    zip_add(&zip, (zip_part){.name = "a/version", .data = "3\n", .size = 2});
    zip_add(&zip, (zip_part){.name = first, .data = "x", .size = 1});
    zip_add(&zip, (zip_part){.name = second, .data = "x", .size = 1});
    zip_finish(&zip);
    expect_zip(&zip, AMBIGUOUS, reason, zip.parts[2].central);
}

static void names_must_differ(void **state)
{
    (void)state;
    twins("a/x", "a/x", "zip.duplicate");
    twins("a/data/0", "a/data/0", "zip.duplicate");
    twins("a/data.pkl", "a/DATA.PKL", "zip.case-twin");
    twins("a/data/1", "A/data/1", "zip.case-twin");
    twins("a/Data/1", "a/data/1", "zip.case-twin");
    twins("a/long/name/of/a/record.Bin", "a/long/name/of/a/record.bin", "zip.case-twin");
    twins("a/b/c", "a/b\\c", "zip.slash-twin");
    twins("a/data/2", "a/data\\2", "zip.slash-twin");
    twins("a/data\\2", "a/data/2", "zip.slash-twin");
    /* Not twins: a caret and a tilde are as far from one another as upper and lower case. */
    zip = (zip_file){0};
    zip_add(&zip, (zip_part){.name = "a/^@[", .data = "x", .size = 1});
    zip_add(&zip, (zip_part){.name = "a/~`{", .data = "x", .size = 1});
    zip_finish(&zip);
    expect_zip(&zip, PTIO_OK, NULL, 0);
}

static void one_root_with_a_checkpoint(void **state)
{
    (void)state;
    static const char *outside[] = {"b/data.pkl", "readme.txt", "__MACOSX/a/._data.pkl", "ab/x"};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        zip = (zip_file){0};
        zip_add(&zip, (zip_part){.name = "a/data.pkl", .data = "N.", .size = 2});
        zip_add(&zip, (zip_part){.name = outside[i], .data = "x", .size = 1});
        zip_finish(&zip);
        expect_zip(&zip, AMBIGUOUS, "zip.two-roots", zip.parts[1].local);
    }
}

/* ---- ranges ---- */

static void records_must_not_overlap(void **state)
{
    (void)state;
    /* Two entries for one header; a header inside another record's data; the same the other way round. */
    zip_small(&zip, 0);
    poke(&zip, zip.parts[3].central + 42, zip.parts[1].local, 4);
    expect_zip(&zip, AMBIGUOUS, "zip.overlap", zip.parts[1].local);
    zip_small(&zip, 0);
    poke(&zip, zip.parts[3].central + 42, zip.parts[1].content, 4);
    expect_zip(&zip, AMBIGUOUS, "zip.overlap", zip.parts[1].content);
    zip_small(&zip, 0);
    poke(&zip, zip.parts[1].central + 20, 64, 4);
    poke(&zip, zip.parts[1].central + 24, 64, 4);
    expect_zip(&zip, AMBIGUOUS, "zip.overlap", zip.parts[2].local);
    /* Into the directory. */
    zip_small(&zip, 0);
    poke(&zip, zip.parts[3].central + 20, 3, 4);
    poke(&zip, zip.parts[3].central + 24, 3, 4);
    expect_zip(&zip, FORMAT, "zip.range", zip.parts[3].central);
    zip_small(&zip, 0);
    poke(&zip, zip.parts[3].central + 42, zip.directory - 4, 4);
    expect_zip(&zip, FORMAT, "zip.range", zip.parts[3].central);
    zip_small(&zip, 0);
    poke(&zip, zip.parts[3].central + 42, 0xFFFFFFFE, 4);
    expect_zip(&zip, FORMAT, "zip.range", zip.parts[3].central);
    /* A descriptor where the next record begins. */
    zip_small(&zip, ZIP_DESCRIBED);
    size_t next = zip.parts[2].local;
    zip.bytes[zip.parts[1].behind] = 'X';
    expect_zip(&zip, AMBIGUOUS, "zip.descriptor", zip.parts[1].behind);
    assert_int_equal(next, zip.parts[1].behind + 16);
}

static void sizes_must_make_sense(void **state)
{
    (void)state;
    zip_small(&zip, 0);
    poke(&zip, zip.parts[1].central + 20, 31, 4);
    expect_zip(&zip, FORMAT, "zip.sizes", zip.parts[1].central);
    zip_small(&zip, 0);
    poke(&zip, zip.parts[1].central + 20, 0, 4);
    poke(&zip, zip.parts[1].central + 10, 8, 2);
    expect_zip(&zip, FORMAT, "zip.sizes", zip.parts[1].central);
    zip = (zip_file){0};
    zip_add(&zip, (zip_part){.name = "a/folder/", .data = "x", .size = 1});
    zip_finish(&zip);
    expect_zip(&zip, AMBIGUOUS, "zip.folder-data", zip.parts[0].central);
}

static void records_must_be_listed(void **state)
{
    (void)state;
    /* The first record is not in the directory. */
    zip_small(&zip, 0);
    size_t gone = zip.parts[1].central - zip.parts[0].central;
    memmove(zip.bytes + zip.directory, zip.bytes + zip.directory + gone, zip.size - zip.directory - gone);
    zip.size -= gone;
    zip.end -= gone;
    poke(&zip, zip.end + 8, 3, 2);
    poke(&zip, zip.end + 10, 3, 2);
    poke(&zip, zip.end + 12, peek(&zip, zip.end + 12, 4) - gone, 4);
    expect_zip(&zip, AMBIGUOUS, "zip.unlisted-header", 0);
    /* One in the middle, found by a look at the gaps; and the last one. */
    for (size_t hidden = 1; hidden < 4; hidden += 2) {
        zip_small(&zip, 0);
        zip_part parts[4];
        memcpy(parts, zip.parts, sizeof parts);
        zip.size = zip.directory;
        zip.count = 0;
        for (size_t i = 0; i < 4; i++)
            if (i != hidden)
                zip.parts[zip.count++] = parts[i];
        zip_finish(&zip);
        expect_zip(&zip, AMBIGUOUS, "zip.unlisted-header", parts[hidden].local);
    }
}

/* ---- the directory and the end records ---- */

static void directories_must_be_whole(void **state)
{
    (void)state;
    zip_small(&zip, 0);
    poke(&zip, zip.parts[1].central, 0x02014B51, 4);
    expect_zip(&zip, FORMAT, "zip.directory-header", zip.parts[1].central);
    zip_small(&zip, 0);
    poke(&zip, zip.parts[3].central + 32, 1, 2);
    expect_zip(&zip, FORMAT, "zip.directory-cut", zip.parts[3].central);
    zip_small(&zip, 0);
    poke(&zip, zip.parts[3].central + 28, 0xFFFF, 2);
    expect_zip(&zip, FORMAT, "zip.directory-cut", zip.parts[3].central);
    /* Fewer and more records than the directory has. */
    zip_small(&zip, 0);
    poke(&zip, zip.end + 8, 3, 2);
    poke(&zip, zip.end + 10, 3, 2);
    expect_zip(&zip, AMBIGUOUS, "zip.count", zip.parts[3].central);
    zip_small(&zip, 0);
    poke(&zip, zip.end + 8, 5, 2);
    poke(&zip, zip.end + 10, 5, 2);
    expect_zip(&zip, FORMAT, "zip.directory-header", zip.end);
    zip_small(&zip, 0);
    poke(&zip, zip.end + 8, 0xFFFE, 2);
    poke(&zip, zip.end + 10, 0xFFFE, 2);
    expect_zip(&zip, FORMAT, "zip.count", zip.end);
    zip = (zip_file){0};
    put_bytes(&zip, "PK\3\4", 4);
    zip.directory = zip.size;
    zip_finish(&zip);
    expect_zip(&zip, FORMAT, "zip.empty", zip.end);
}

static void extra_fields_of_the_directory_must_agree(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        ptio_status status;
        const char *reason;
        unsigned open; /* 1: size and stored size are all ones, 2: the offset, 4: the disk */
    } extras[] = {
        {"\1\0\x10\0\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0", 20, PTIO_OK, NULL, 1},
        {"\1\0\x10\0\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0", 20, PTIO_OK, NULL, 0},
        {"\1\0\10\0\0\0\0\0\0\0\0\0", 12, PTIO_OK, NULL, 2},
        {"\1\0\0\0", 4, PTIO_OK, NULL, 0},
        {"\1\0\4\0\0\0\0\0", 8, PTIO_OK, NULL, 4},
        {"\1\0\4\0\1\0\0\0", 8, UNSUPPORTED, "zip.multi-disk", 4},
        {"\1\0\0\0", 4, AMBIGUOUS, "zip.zip64-extra", 1},
        {"", 0, AMBIGUOUS, "zip.zip64-extra", 1},
        {"", 0, AMBIGUOUS, "zip.zip64-extra", 2},
        {"\1\0\10\0\2\0\0\0\0\0\0\0", 12, AMBIGUOUS, "zip.zip64-extra", 1},
        {"\1\0\10\0\3\0\0\0\0\0\0\0", 12, AMBIGUOUS, "zip.zip64-extra", 0},
        {"\1\0\x10\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0", 20, AMBIGUOUS, "zip.zip64-extra", 0},
        {"\1\0\x13\0\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\0\0\0", 23, AMBIGUOUS, "zip.zip64-extra", 0},
        {"\1\0\x20\0\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 36, AMBIGUOUS, "zip.zip64-extra", 0},
        {"\1\0\0\0\1\0\0\0", 8, AMBIGUOUS, "zip.zip64-extra", 0},
        {"\1\0\x10\0\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\1\0\x10\0\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0", 40, AMBIGUOUS, "zip.zip64-extra",
         1},
        {"\1\0\x10\0\2\0\0\0\0\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 20, FORMAT, "zip.sizes", 1},
        {"\1\0\x10\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 20, FORMAT, "zip.range", 1},
        {"\1\0\10\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 12, FORMAT, "zip.range", 2},
        {"xy\5\0abc", 7, FORMAT, "zip.extra", 0},
        {"\x75\x70\x0E\0\1\0\0\0\0a/versiox", 18, AMBIGUOUS, "zip.unicode-name", 0},
        {"\x75\x70\x0E\0\1\0\0\0\0a/version", 18, PTIO_OK, NULL, 0},
    };
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++) {
        zip = (zip_file){0};
        zip_add(&zip, (zip_part){.name = "a/version",
                                 .data = "3\n",
                                 .size = 2,
                                 .central_extra = extras[i].bytes,
                                 .central_extra_size = extras[i].size});
        zip_finish(&zip);
        size_t central = zip.parts[0].central;
        if (extras[i].open & 1)
            poke(&zip, central + 20, UINT64_MAX, 8);
        if (extras[i].open & 2)
            poke(&zip, central + 42, UINT32_MAX, 4);
        if (extras[i].open & 4)
            poke(&zip, central + 34, 0xFFFF, 2);
        expect_zip(&zip, extras[i].status, extras[i].reason, central);
    }
}

static void end_records_must_agree(void **state)
{
    (void)state;
    static const flaw end[] = {
        {4, 2, 1, UNSUPPORTED, "zip.multi-disk"},  {6, 2, 1, UNSUPPORTED, "zip.multi-disk"},
        {8, 2, 3, AMBIGUOUS, "zip.end-records"},   {10, 2, 3, AMBIGUOUS, "zip.end-records"},
        {12, 4, 47, AMBIGUOUS, "zip.end-records"}, {16, 4, 1, AMBIGUOUS, "zip.end-records"},
        {20, 2, 1, FORMAT, "zip.comment"},
    };
    EXPECT_FLAWS(end, ZIP_END64, END, END);
    /* All ones say: see the zip64 record. */
    zip_small(&zip, ZIP_END64);
    poke(&zip, zip.end + 4, UINT64_MAX, 8);
    poke(&zip, zip.end + 12, UINT64_MAX, 8);
    expect_zip(&zip, PTIO_OK, NULL, 0);
    zip_small(&zip, 0);
    poke(&zip, zip.end + 12, UINT64_MAX, 8);
    expect_zip(&zip, FORMAT, "zip.directory-range", zip.end);

    static const flaw end64[] = {
        {0, 4, 0, AMBIGUOUS, "zip.zip64-locator"},
        {4, 8, 45, AMBIGUOUS, "zip.zip64-locator"},
        {4, 8, 43, AMBIGUOUS, "zip.zip64-locator"},
        {4, 8, UINT64_MAX, AMBIGUOUS, "zip.zip64-locator"},
    };
    EXPECT_FLAWS(end64, ZIP_END64, END64, LOCATOR);
    static const flaw fields64[] = {
        {16, 4, 1, UNSUPPORTED, "zip.multi-disk"},         {20, 4, 1, UNSUPPORTED, "zip.multi-disk"},
        {24, 8, 3, AMBIGUOUS, "zip.end-records"},          {32, 8, 5, AMBIGUOUS, "zip.end-records"},
        {40, 8, 46, AMBIGUOUS, "zip.end-records"},         {48, 8, 0, AMBIGUOUS, "zip.end-records"},
        {48, 8, UINT64_MAX, AMBIGUOUS, "zip.end-records"},
    };
    EXPECT_FLAWS(fields64, ZIP_END64, END64, END);
    static const flaw locator[] = {
        {4, 4, 1, UNSUPPORTED, "zip.multi-disk"},
        {16, 4, 2, UNSUPPORTED, "zip.multi-disk"},
        {8, 8, 0, AMBIGUOUS, "zip.zip64-locator"},
        {8, 8, UINT64_MAX, AMBIGUOUS, "zip.zip64-locator"},
    };
    EXPECT_FLAWS(locator, ZIP_END64, LOCATOR, LOCATOR);
    /* Without the locator's signature the zip64 record is bytes that belong to nothing, between directory and end. */
    zip_small(&zip, ZIP_END64);
    poke(&zip, zip.locator, 0, 4);
    expect_zip(&zip, AMBIGUOUS, "zip.directory-place", zip.end);
}

static void end_records_must_fit(void **state)
{
    (void)state;
    zip_small(&zip, 0);
    poke(&zip, zip.end + 16, zip.directory + 1, 4);
    expect_zip(&zip, FORMAT, "zip.directory-range", zip.end);
    zip_small(&zip, 0);
    poke(&zip, zip.end + 16, zip.directory - 1, 4);
    expect_zip(&zip, AMBIGUOUS, "zip.directory-place", zip.end);
    zip_small(&zip, 0);
    poke(&zip, zip.end + 8, 3, 2);
    expect_zip(&zip, AMBIGUOUS, "zip.end-records", zip.end);
    zip_small(&zip, 0);
    poke(&zip, zip.end + 4, 1, 2);
    expect_zip(&zip, UNSUPPORTED, "zip.multi-disk", zip.end);
    zip_small(&zip, 0);
    poke(&zip, zip.parts[0].central + 34, 1, 2);
    expect_zip(&zip, UNSUPPORTED, "zip.multi-disk", zip.parts[0].central);
}

/* A second archive behind the first, in its comment, or whose directory was put behind the first's. */
static void there_is_one_archive(void **state)
{
    (void)state;
    static zip_file second;
    for (unsigned options = 0; options <= ZIP_END64; options += ZIP_END64) {
        zip_small(&zip, options);
        zip_small(&second, options);
        put_bytes(&zip, second.bytes, second.size);
        expect_zip(&zip, AMBIGUOUS, options ? "zip.zip64-locator" : "zip.directory-place", PTIO_NO_OFFSET);
        poke(&zip, zip.end + 20, second.size, 2);
        expect_zip(&zip, AMBIGUOUS, options ? "zip.zip64-locator" : "zip.directory-place", PTIO_NO_OFFSET);
    }
    zip_small(&zip, 0);
    size_t first_end = zip.end, first_directory = zip.directory;
    zip_finish(&zip);
    poke(&zip, first_end + 20, zip.size - first_end - 22, 2);
    expect_zip(&zip, AMBIGUOUS, "zip.unlisted-header", first_directory);
    /* An archive that lies inside a record means nothing. */
    zip_small(&second, ZIP_END64);
    zip = (zip_file){0};
    zip_add(&zip, (zip_part){.name = "a/data/0", .data = (const char *)second.bytes, .size = second.size});
    zip_add(&zip, (zip_part){.name = "a/version", .data = "3\n", .size = 2});
    zip_finish(&zip);
    expect_zip(&zip, PTIO_OK, NULL, 0);
}

/* ---- contents ---- */

static void what_cannot_be_read_is_named(void **state)
{
    (void)state;
    static const flaw flaws[] = {
        {6, 2, 0x0801, UNSUPPORTED, "zip.encrypted"},
        {6, 2, 0x0840, UNSUPPORTED, "zip.encrypted"},
        {6, 2, 0x0820, UNSUPPORTED, "zip.patched"},
        {8, 2, 12, UNSUPPORTED, "zip.method"},
    };
    EXPECT_FLAWS(flaws, 0, BOTH_HEADERS, LOCAL);
    zip_small(&zip, 0);
    poke(&zip, zip.parts[1].central + 8, 0x2800, 2);
    expect_zip(&zip, UNSUPPORTED, "zip.encrypted", zip.parts[1].central);
}

static void every_byte_is_covered_by_its_crc(void **state)
{
    (void)state;
    for (size_t i = 0; i < 32; i++) {
        zip_small(&zip, ZIP_DESCRIBED);
        zip.bytes[zip.parts[1].content + i] ^= 0x10;
        expect_zip(&zip, FORMAT, "zip.crc", zip.parts[1].content);
    }
    zip_small(&zip, ZIP_DEFLATED);
    poke(&zip, zip.parts[1].central + 16, 1, 4);
    poke(&zip, zip.parts[1].local + 14, 1, 4);
    expect_zip(&zip, FORMAT, "zip.crc", zip.parts[1].content);
}

/* One deflated record of these bytes, said to become `size`. */
static void deflated(const char *stored, size_t stored_size, size_t size, const char *reason)
{
    static const char zeros[100000];
    zip = (zip_file){0};
    zip_add(&zip, (zip_part){.name = "a/version", .data = stored, .size = stored_size});
    zip_finish(&zip);
    size_t local = zip.parts[0].local, central = zip.parts[0].central;
    uint32_t crc = (uint32_t)crc32(0, (const Bytef *)zeros, (uInt)(size < sizeof zeros ? size : 0));
    poke(&zip, local + 8, 8, 2);
    poke(&zip, central + 10, 8, 2);
    poke(&zip, local + 14, crc, 4);
    poke(&zip, central + 16, crc, 4);
    poke(&zip, local + 22, size, 4);
    poke(&zip, central + 24, size, 4);
    expect_zip(&zip, reason ? FORMAT : PTIO_OK, reason, PTIO_NO_OFFSET);
}

static void deflated_data_must_be_exact(void **state)
{
    (void)state;
    static const char two_zeros[] = "\1\2\0\xFD\xFF\0\0"; /* one stored block, the last */
    deflated(two_zeros, 7, 2, NULL);
    deflated(two_zeros, 7, 1, "zip.deflate-long");
    deflated(two_zeros, 7, 3, "zip.deflate-short");
    deflated(two_zeros, 6, 2, "zip.deflate-cut");
    deflated(two_zeros, 3, 2, "zip.deflate-cut");
    deflated("\1\2\0\xFD\xFF\0\0x", 8, 2, "zip.deflate-trailing");
    deflated("\1\2\0\xFD\xFE\0\0", 7, 2, "zip.deflate");
    deflated("\7xxxxxx", 7, 2, "zip.deflate");
    deflated("\0\2\0\xFD\xFF\0\0", 7, 2, "zip.deflate-cut"); /* no block is the last */
    deflated(two_zeros, 7, 9000, "zip.ratio");
    /* Blocks of nothing, which cost five bytes each. */
    static char empty[40007];
    for (size_t i = 0; i < 40000; i += 5)
        memcpy(empty + i, "\0\0\0\xFF\xFF", 5);
    memcpy(empty + 40000, two_zeros, 7);
    deflated(empty, sizeof empty, 2, NULL);
    deflated(empty, 40000, 2, "zip.deflate-cut");
}

static void limits_are_kept(void **state)
{
    (void)state;
    zip_small(&zip, 0);
    size_t directory = zip.end - zip.directory;
    for (size_t less = 0; less < 2; less++) {
        ptio_source *source;
        ptio_archive *archive = NULL;
        ptio_error err = {0};
        ptio_limits limits = {.directory_bytes = directory - less};
        assert_int_equal(ptio_source_from_memory(zip.bytes, zip.size, NULL, &source, NULL), PTIO_OK);
        ptio_status status = ptio_archive_open(source, 0, &limits, NULL, NULL, &archive, &err);
        assert_int_equal(status, less ? PTIO_ERR_LIMIT : PTIO_OK);
        if (less)
            assert_string_equal(err.reason, "limit.directory");
        ptio_archive_free(archive);
        archive = NULL;
        err = (ptio_error){0};
        limits = (ptio_limits){.heap_bytes = 400};
        assert_int_equal(ptio_archive_open(source, 0, &limits, NULL, NULL, &archive, &err), PTIO_ERR_LIMIT);
        assert_string_equal(err.reason, "limit.heap");
        ptio_source_free(source);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_headers_must_agree),
        cmocka_unit_test(descriptors_must_agree),
        cmocka_unit_test(extra_fields_of_local_headers_must_agree),
        cmocka_unit_test(odd_names_are_refused),
        cmocka_unit_test(names_must_differ),
        cmocka_unit_test(one_root_with_a_checkpoint),
        cmocka_unit_test(records_must_not_overlap),
        cmocka_unit_test(sizes_must_make_sense),
        cmocka_unit_test(records_must_be_listed),
        cmocka_unit_test(directories_must_be_whole),
        cmocka_unit_test(extra_fields_of_the_directory_must_agree),
        cmocka_unit_test(end_records_must_agree),
        cmocka_unit_test(end_records_must_fit),
        cmocka_unit_test(there_is_one_archive),
        cmocka_unit_test(what_cannot_be_read_is_named),
        cmocka_unit_test(every_byte_is_covered_by_its_crc),
        cmocka_unit_test(deflated_data_must_be_exact),
        cmocka_unit_test(limits_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
