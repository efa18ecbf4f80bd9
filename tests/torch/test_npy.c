/*
 * .npy and .npz files: NumPy's own, and headers made here.
 */
#include "torch/files.h"

static const char head[] = "\x93NUMPY\x01\x00";

/* A .npy file of version 1.0: the header, padded as NumPy does not need it to be, and `size` bytes 0, 1, 2, ... */
static bytes npy(const char *header, size_t size)
{
    bytes b = {0};
    put(&b, head, sizeof head - 1);
    put_number(&b, strlen(header) + 1, 2);
    put_string(&b, header);
    put_string(&b, "\n");
    for (size_t i = 0; i < size; i++)
        put_number(&b, i, 1);
    return b;
}

static void files_of_numpy(void **state)
{
    (void)state;
    static const int64_t shape[] = {2, 3};
    ptio_checkpoint *ckpt = load(EXTRA "pickles/array.npy");
    const ptio_value *root = ptio_root(ckpt);
    assert_int_equal(ptio_value_kind(root), PTIO_KIND_NDARRAY);
    expect_text(ptio_value_name(root), "<f4");
    expect_text(ptio_value_class(root), "numpy.ndarray");
    expect_shape(root, 2, shape);
    expect_ramp(root, PTIO_FLOAT32, 6, 0, 1);
    ptio_checkpoint_free(ckpt);

    ckpt = load(EXTRA "pickles/fortran.npy");
    root = ptio_root(ckpt);
    unsigned char found[48], want[48] = {0};
    expect_text(ptio_value_name(root), ">f8");
    assert_null(ptio_value_tensor(root));
    assert_int_equal(ptio_ndarray_copy(root, found, sizeof found, NULL), PTIO_OK);
    for (unsigned i = 1; i < 6; i++) { /* big-endian doubles 0 to 5 */
        static const unsigned char two[][2] = {{0x3F, 0xF0}, {0x40, 0}, {0x40, 0x08}, {0x40, 0x10}, {0x40, 0x14}};
        memcpy(want + 8 * (size_t)i, two[i - 1], 2);
    }
    assert_memory_equal(found, want, sizeof want);
    ptio_checkpoint_free(ckpt);
}

static void mapped(void **state)
{
    (void)state;
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .mmap = true};
    ptio_checkpoint *ckpt = NULL;
    assert_int_equal(ptio_load(EXTRA "pickles/array.npy", &options, &ckpt, NULL), PTIO_OK);
    expect_ramp(ptio_root(ckpt), PTIO_FLOAT32, 6, 0, 1);
    ptio_checkpoint_free(ckpt);
}

static void archives(void **state)
{
    (void)state;
    ptio_checkpoint *ckpt = load(EXTRA "pickles/arrays.npz");
    ptio_checkpoint_info info;
    ptio_checkpoint_describe(ckpt, &info);
    assert_int_equal(info.container, PTIO_CONTAINER_NPZ);
    assert_int_equal(ptio_value_count(ptio_root(ckpt)), 2);
    expect_ramp(ptio_at(ckpt, "w"), PTIO_FLOAT32, 4, 1, 0);
    expect_ramp(ptio_at(ckpt, "b"), PTIO_INT64, 3, 0, 1);
    ptio_checkpoint_free(ckpt);
    ckpt = load(EXTRA "pickles/compressed.npz");
    expect_ramp(ptio_at(ckpt, "w"), PTIO_FLOAT32, 400, 0, 0);
    ptio_checkpoint_free(ckpt);
}

static void archive_that_lies(void **state)
{
    (void)state;
    zip z = {.count = 0};
    bytes array = npy("{'descr': '<i2', 'fortran_order': False, 'shape': (9,), }", 4);
    zip_add(&z, "a.npy", array.data, array.size);
    free(array.data);
    refused_made(zip_end(&z), PTIO_ERR_FORMAT, "cut-off");
    z = (zip){.count = 0};
    zip_add_string(&z, "a.npy", "PK and no array");
    refused_made(zip_end(&z), PTIO_ERR_FORMAT, "npy.magic");
}

/* A byte of an array that changed is found by the checksum of its record. */
static void archive_with_damage(void **state)
{
    (void)state;
    bytes b = read_bytes(EXTRA "pickles/arrays.npz");
    replace(&b, "\0\0\x80?\0\0\x80?\0\0\x80?\0\0\x80?", "\0\0\x80?\0\0\x80?\0\0\x81?\0\0\x80?", 16, 1);
    refused_made(b, PTIO_ERR_FORMAT, "zip.crc");
}

/* Names as numpy.lib.format reads them and str() shows them, by NumPy 2.2. */
static void headers(void **state)
{
    (void)state;
    static const struct {
        const char *header, *name;
        size_t nbytes;
    } good[] = {
        {"{'descr': '|i1', 'fortran_order': False, 'shape': (), }", "|i1", 1},
        {"{'shape': (2L, 3L), 'fortran_order': True, 'descr': '<f8'}", "<f8", 48},
        {"{ 'descr' : \"|b1\" , 'fortran_order':False,'shape':(4,)}", "|b1", 4},
        {"{'descr': '<U2', 'fortran_order': False, 'shape': (2,), }", "<U2", 16},
        {"{'descr': '<M8[25us]', 'fortran_order': False, 'shape': (2,), }", "<M8[25us]", 16},
        {"{'descr': '|V5', 'fortran_order': False, 'shape': (0, 7), }", "|V5", 0},
        {"{'descr': [('a', '|i1'), ('b', '|b1'), ('c', '|S3'), ('e', '<f4', (2, 3))], 'fortran_order': False, 'shape': (2,), }",
         "[('a', 'i1'), ('b', '?'), ('c', 'S3'), ('e', '<f4', (2, 3))]", 58},
        {"{'descr': [('a', '|i1'), ('', '|V3'), ('b', '<f4', (2,))], 'fortran_order': False, 'shape': (2,), }",
         "{'names': ['a', 'b'], 'formats': ['i1', ('<f4', (2,))], 'offsets': [0, 4], 'itemsize': 12}", 24},
        {"{'descr': [(('T', 'a'), '|i1'), ('f', [('x', '>f8'), ('y', [('z', '<i2')])]), ('g', '<U1')], 'fortran_order': False, "
         "'shape': (1,), }",
         "[(('T', 'a'), 'i1'), ('f', [('x', '>f8'), ('y', [('z', '<i2')])]), ('g', '<U1')]", 15},
        {"{'descr': [], 'fortran_order': False, 'shape': (4,), }", "[]", 0},
        {"{'descr': [('a', []), ('b', '<f4', ())], 'fortran_order': False, 'shape': (1,), }", "[('a', []), ('b', '<f4')]", 4},
        {"{'descr': [('b', [('p', '|i1'), ('', '|V3'), ('q', '<f4')])], 'fortran_order': False, 'shape': (1,), }",
         "[('b', {'names': ['p', 'q'], 'formats': ['i1', '<f4'], 'offsets': [0, 4], 'itemsize': 8})]", 8}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        bytes b = npy(good[i].header, good[i].nbytes);
        ptio_checkpoint *ckpt = load_made(b);
        ptio_ndarray_info info = {0};
        unsigned char found[64];
        assert_true(ptio_value_ndarray(ptio_root(ckpt), &info));
        expect_text(info.dtype, good[i].name);
        assert_int_equal(info.nbytes, good[i].nbytes);
        assert_int_equal(ptio_ndarray_copy(ptio_root(ckpt), found, info.nbytes, NULL), PTIO_OK);
        assert_true(!info.nbytes || found[0] == 0);
        ptio_checkpoint_free(ckpt);
        free(b.data);
    }
}

static void headers_that_lie(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        ptio_status status;
        const char *reason;
    } bad[] = {{"{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }", PTIO_ERR_FORMAT, "cut-off"},
               {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", PTIO_ERR_FORMAT, "npy.header"},
               {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", PTIO_ERR_FORMAT, "npy.header"},
               {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", PTIO_ERR_FORMAT, "npy.header"},
               {"{'descr': '<f4', 'fortran_order': False, 'shape': (4), }", PTIO_ERR_FORMAT, "npy.header"},
               {"{'descr': '<f4', 'fortran_order': False, 'shape': [4], }", PTIO_ERR_FORMAT, "npy.header"},
               {"{'descr': '<f4', 'fortran_order': 0, 'shape': (4,), }", PTIO_ERR_FORMAT, "npy.header"},
               {"{'descr': '<f4', 'shape': (4,), }", PTIO_ERR_FORMAT, "npy.header"},
               {"{'descr': '<f4', 'descr': '<i4', 'fortran_order': False, 'shape': (4,), }", PTIO_ERR_FORMAT, "npy.header"},
               {"{'descr': '<f4', 'fortran_order': False, 'shape': (4,), 'more': 1, }", PTIO_ERR_FORMAT, "npy.header"},
               {"{'descr': '<f4', 'fortran_order': False, 'shape': (4,), } ; 1", PTIO_ERR_FORMAT, "npy.header"},
               {"{'descr': '<f4' 'fortran_order': False, 'shape': (4,), }", PTIO_ERR_FORMAT, "npy.header"},
               {"{'descr': '<q9z', 'fortran_order': False, 'shape': (4,), }", PTIO_ERR_FORMAT, "npy.header"},
               {"{'descr': __import__('os'), 'fortran_order': False, 'shape': (4,), }", PTIO_ERR_FORMAT, "npy.header"},
               {"{'descr': [('a')], 'fortran_order': False, 'shape': (4,), }", PTIO_ERR_FORMAT, "npy.header"},
               {"{'descr': [('a', '<f4'], 'fortran_order': False, 'shape': (4,), }", PTIO_ERR_FORMAT, "npy.header"},
               {"{'descr': [('a', '<f4', (9223372036854775807,))], 'fortran_order': False, 'shape': (4,), }", PTIO_ERR_FORMAT,
                "npy.header"},
               {"{'descr': [('a', [('a', [('a', [('a', [('a', [('a', [('a', [('a', [('a', '<f4')])])])])])])])])], "
                "'fortran_order': False, "
                "'shape': (4,), }",
                PTIO_ERR_FORMAT, "npy.header"},
               {"[]", PTIO_ERR_FORMAT, "npy.header"},
               {"{", PTIO_ERR_FORMAT, "npy.header"},
               {"{'descr': '<f4", PTIO_ERR_FORMAT, "npy.header"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused_made(npy(bad[i].header, 16), bad[i].status, bad[i].reason);
    bytes b = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }", 16);
    b.data[6] = 4;
    refused_made(b, PTIO_ERR_UNSUPPORTED, "npy.version");
    b = npy("", 16);
    b.data[6] = 2; /* the size of the header has four bytes now */
    memset(b.data + 8, 0xFF, 4);
    refused_made(b, PTIO_ERR_LIMIT, "limit.npy-header");
}

static void later_versions(void **state)
{
    (void)state;
    static const char header[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }\n";
    for (unsigned version = 2; version <= 3; version++) {
        bytes b = {0};
        put_string(&b, "\x93NUMPY");
        put_number(&b, version, 2);
        put_number(&b, strlen(header), 4);
        put_string(&b, header);
        put(&b, "\1\2\3", 3);
        ptio_checkpoint *ckpt = load_made(b);
        expect_ramp(ptio_root(ckpt), PTIO_UINT8, 3, 1, 1);
        ptio_checkpoint_free(ckpt);
        free(b.data);
    }
}

static void every_prefix(void **state)
{
    (void)state;
    bytes b = read_bytes(EXTRA "pickles/array.npy");
    for (size_t size = 6; size < b.size; size++) {
        ptio_error err = {0};
        ptio_checkpoint *ckpt = NULL;
        assert_int_equal(ptio_load_memory(b.data, size, NULL, &ckpt, &err), PTIO_ERR_FORMAT);
        assert_true(err.offset == PTIO_NO_OFFSET || err.offset <= size);
    }
    free(b.data);
}

static void bytes_behind(void **state)
{
    (void)state;
    bytes b = read_bytes(EXTRA "pickles/array.npy");
    size_t whole = b.size;
    put_string(&b, "more");
    ptio_report *report = NULL;
    ptio_checkpoint *ckpt = NULL;
    assert_int_equal(ptio_report_new(NULL, &report, NULL), PTIO_OK);
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .report = report};
    assert_int_equal(ptio_load_memory(b.data, b.size, &options, &ckpt, NULL), PTIO_OK);
    assert_int_equal(ptio_report_count(report), 1);
    assert_string_equal(ptio_report_finding(report, 0)->reason, "npy.trailing-bytes");
    assert_int_equal(ptio_report_finding(report, 0)->offset, whole);
    ptio_checkpoint_free(ckpt);
    ptio_report_free(report);
    free(b.data);
}

/* numpy.save of array(['x', [1, None]], dtype=object) */
static const char objects[] =
    "\x80\x04\x95\x95\x00\x00\x00\x00\x00\x00\x00\x8c\x16numpy._core.multiarray\x94\x8c\x0c_"
    "reconstruct\x94\x93\x94\x8c\x05numpy\x94"
    "\x8c\x07ndarray\x94\x93\x94K\x00\x85\x94"
    "C\x01"
    "b\x94\x87\x94R\x94(K\x01K\x02\x85\x94h\x03\x8c\x05"
    "dtype\x94\x93\x94\x8c\x02O8\x94\x89\x88\x87\x94R\x94(K\x03\x8c\x01|\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?t\x94"
    "b\x89]\x94(\x8c\x01x\x94]\x94(K\x01Neet\x94"
    "b.";

static void arrays_of_objects(void **state)
{
    (void)state;
    bytes b = npy("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", 0);
    put(&b, objects, sizeof objects - 1);
    ptio_checkpoint *ckpt = load_made(b);
    assert_int_equal(ptio_value_kind(ptio_root(ckpt)), PTIO_KIND_NDARRAY);
    assert_int_equal(ptio_value_count(ptio_root(ckpt)), 2);
    expect_text(ptio_value_str(ptio_value_item(ptio_root(ckpt), 0)), "x");
    expect_int(ptio_at(ckpt, "[1][0]"), 1);
    ptio_checkpoint_free(ckpt);
    free(b.data);

    b = npy("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", 0);
    put(&b, objects, sizeof objects - 1);
    refused_made(b, PTIO_ERR_AMBIGUOUS, "npy.objects");
    b = npy("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", 0);
    put_string(&b, "\x80\x02K\x07.");
    refused_made(b, PTIO_ERR_AMBIGUOUS, "npy.objects");
    b = npy("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", 0);
    put_string(&b, "\x80\x02K\x07Q.");
    refused_made(b, PTIO_ERR_FORMAT, "persistent-id.form");
}

static void failing_memory(void **state)
{
    (void)state;
    expect_clean_failures(EXTRA "pickles/array.npy");
    expect_clean_failures(EXTRA "pickles/arrays.npz");
    expect_clean_failures(EXTRA "pickles/compressed.npz");
    folder f = new_folder();
    bytes b = npy("{'descr': [('a', '|i1'), ('', '|V3'), ('b', [('c', '<f4')])], 'fortran_order': False, 'shape': (2,), }", 16);
    write_in(&f, "a.npy", b);
    expect_clean_failures(path_in(&f, "a.npy"));
    free(b.data);
    free_folder(&f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(files_of_numpy),
                                              cmocka_unit_test(mapped),
                                              cmocka_unit_test(archives),
                                              cmocka_unit_test(archive_that_lies),
                                              cmocka_unit_test(archive_with_damage),
                                              cmocka_unit_test(headers),
                                              cmocka_unit_test(headers_that_lie),
                                              cmocka_unit_test(later_versions),
                                              cmocka_unit_test(every_prefix),
                                              cmocka_unit_test(bytes_behind),
                                              cmocka_unit_test(arrays_of_objects),
                                              cmocka_unit_test(failing_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
