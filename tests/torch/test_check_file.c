/*
 * Checks of whole files: every verdict, what is found on the way, how many records were read, and the verdict of weights_only.
 */
#include "support/build.h"

typedef struct checked {
    ptio_check_result result;
    ptio_report *report;
} checked;

static checked check(const bytes *file, const ptio_limits *limits)
{
    checked c = {.result = {.verdict = (ptio_verdict)99}};
    ptio_source *source = NULL;
    ptio_error err = {0};
    assert_int_equal(ptio_report_new(NULL, &c.report, NULL), PTIO_OK);
    assert_int_equal(ptio_source_from_memory(file->data, file->size, NULL, &source, NULL), PTIO_OK);
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .report = c.report, .limits = limits};
    if (ptio_check_source(source, &options, &c.result, &err) != PTIO_OK)
        fail_msg("%s", err.message);
    ptio_source_free(source);
    return c;
}

/* The finding of this reason, or NULL. */
static const ptio_finding *finding(const checked *c, const char *reason)
{
    for (size_t i = 0; i < ptio_report_count(c->report); i++)
        if (strcmp(ptio_report_finding(c->report, i)->reason, reason) == 0)
            return ptio_report_finding(c->report, i);
    return NULL;
}

/* That a zip around such a pickle has this verdict, and an error of this reason; NULL: none. */
__attribute__((format(printf, 4, 5))) static void assert_verdict(ptio_verdict verdict, bool weights_only, const char *reason,
                                                                 const char *format, ...)
{
    loaded l = {0};
    va_list arguments;
    va_start(arguments, format);
    put_words(&l.pickle, "proto2 ");
    pickle_va(&l.pickle, format, arguments);
    put_words(&l.pickle, ".");
    va_end(arguments);
    usual_zip(&l.file, &l.pickle);
    checked c = check(&l.file, NULL);
    if (c.result.verdict != verdict || (reason && !finding(&c, reason)))
        fail_msg("%s (%s), not %s (%s)", ptio_verdict_name(c.result.verdict),
                 ptio_report_count(c.report) ? ptio_report_finding(c.report, 0)->reason : "", ptio_verdict_name(verdict), reason);
    assert_int_equal(c.result.weights_only_loads, weights_only);
    ptio_report_free(c.report);
    loaded_free(&l);
}

static void a_whole_file_is_whole(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "} 'w' " TENSOR(0, 4) "s");
    checked c = check(&l.file, NULL);
    assert_int_equal(c.result.verdict, PTIO_WHOLE);
    assert_true(c.result.weights_only_loads);
    assert_int_equal(c.result.records_verified, 6);
    assert_int_equal(c.result.records_without_crc, 0);
    assert_int_equal(c.result.bytes_read, l.pickle.size + 6 + 2 + sizeof floats + sizeof longs + sizeof octets);
    assert_int_equal(ptio_report_count(c.report), 0);
    ptio_report_free(c.report);
    loaded_free(&l);
    assert_string_equal(ptio_verdict_name(PTIO_WHOLE), "whole");
    assert_string_equal(ptio_verdict_name(PTIO_UNREADABLE), "unreadable");
    assert_string_equal(ptio_verdict_name((ptio_verdict)77), "unknown");
}

/* One bit anywhere in a record or header makes the file something else than whole. */
static void every_flipped_bit_is_found(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "} 'w' " TENSOR(0, 4) "s");
    size_t unseen = 0;
    for (size_t i = 0; i < l.file.size; i++) {
        l.file.data[i] ^= 0x10;
        checked c = check(&l.file, NULL);
        if (c.result.verdict == PTIO_WHOLE) /* versions, times, attributes: no reader looks at them */
            unseen++;
        ptio_report_free(c.report);
        l.file.data[i] ^= 0x10;
    }
    /* For each of six records: 5 bytes of versions and times twice, and of its attributes; 4 of the end record. */
    assert_true(unseen <= 6 * 30 + 8);
    loaded_free(&l);
}

static void damage_in_a_storage(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, TENSOR(0, 4));
    size_t offset = 0;
    while (memcmp(l.file.data + offset, floats, sizeof floats) != 0)
        offset++;
    l.file.data[offset + 40] ^= 1;
    checked c = check(&l.file, NULL);
    assert_int_equal(c.result.verdict, PTIO_DAMAGED);
    assert_int_equal(c.result.records_verified, 5);
    const ptio_finding *f = finding(&c, "zip.crc");
    assert_non_null(f);
    assert_int_equal(f->severity, PTIO_REFUSED);
    assert_int_equal(f->status, PTIO_ERR_FORMAT);
    assert_text(f->record, "archive/data/0");
    assert_true(c.result.weights_only_loads);
    ptio_report_free(c.report);
    loaded_free(&l);
}

static void a_local_header_is_told_once(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "} 'w' " TENSOR(0, 4) "s");
    uint8_t *name = l.file.data; /* that of the local header: the directory follows */
    while (memcmp(name, "data/0", 6) != 0)
        name++;
    name[5] = '9';
    checked c = check(&l.file, NULL);
    assert_int_equal(c.result.verdict, PTIO_DISPUTED);
    size_t told = 0;
    for (size_t i = 0; i < ptio_report_count(c.report); i++)
        told += ptio_report_finding(c.report, i)->severity == PTIO_REFUSED &&
                strncmp(ptio_report_finding(c.report, i)->reason, "zip.", 4) == 0;
    assert_int_equal(told, 1);
    ptio_report_free(c.report);
    loaded_free(&l);
}

static void verdicts_follow_the_first_failure(void **state)
{
    (void)state;
    assert_verdict(PTIO_DAMAGED, false, "tensor.bounds", TENSOR(16, 4));
    assert_verdict(PTIO_DAMAGED, false, "pickle.mark", "t");
    assert_verdict(PTIO_DISPUTED, false, "storage.two-sizes", FLOATS "( 'storage' c:torch:FloatStorage '0' 'cpu' 15 t Q 2t");
    ptio_limits limits = {.pickle_bytes = 20};
    loaded l = {0};
    load(&l, TENSOR(0, 4));
    checked c = check(&l.file, &limits);
    assert_int_equal(c.result.verdict, PTIO_OVER_LIMIT);
    assert_non_null(finding(&c, "limit.pickle-bytes"));
    ptio_report_free(c.report);
    loaded_free(&l);
    static const char *const others[] = {"%PDF-1.7 and so on and on and on", "<html><body>not found</body></html>", "", "x"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        put(&l.file, others[i], strlen(others[i]));
        c = check(&l.file, NULL);
        assert_int_not_equal(c.result.verdict, PTIO_WHOLE);
        if (i < 2)
            assert_int_equal(c.result.verdict, PTIO_UNREADABLE);
        assert_false(c.result.weights_only_loads);
        assert_true(ptio_report_count(c.report) > 0);
        ptio_report_free(c.report);
        loaded_free(&l);
    }
}

#define SPARSE_COO(size)                                                                                 \
    "c:torch._utils:_rebuild_sparse_tensor c:torch.serialization:_get_layout 'torch.sparse_coo' 1t R ( " \
    "c:torch._utils:_rebuild_tensor_v2 ( " LONGS "0 2 3 2t 3 1 2t False N t R " TENSOR(1, 3) size "t 2t R "

/* Elements of sparse and quantized tensors are looked at wherever the tensor is. */
static void elements_are_looked_at_everywhere(void **state)
{
    (void)state;
    assert_verdict(PTIO_WHOLE, true, NULL, SPARSE_COO("6 6 2t "));
    assert_verdict(PTIO_DAMAGED, true, "sparse.index", SPARSE_COO("6 5 2t "));
    assert_verdict(PTIO_DAMAGED, true, "sparse.index", "} 'a' ] " SPARSE_COO("6 5 2t ") "a s");
    assert_verdict(PTIO_DAMAGED, false, "sparse.index", "c:my:K " SPARSE_COO("6 5 2t ") "1t R");
    assert_verdict(PTIO_DAMAGED, true, "sparse.index", "} " SPARSE_COO("6 5 2t ") "1 s");
    assert_verdict(PTIO_DAMAGED, false, "sparse.index",
                   "c:my:Net ) NEW } ( '_parameters' } '_buffers' } '_modules' } '_hidden' " SPARSE_COO("6 5 2t ") "u b");
    assert_verdict(PTIO_DAMAGED, true, "quantizer.scale",
                   "c:torch._utils:_rebuild_qtensor ( ( 'storage' c:torch:QInt8Storage '2' 'cpu' 16 t Q 0 2 3 2t 3 1 2t "
                   "( c:torch:per_channel_affine " TENSOR(0, 2) LONG_TENSOR(0, 2) "0 t False N t R");
}

static void what_weights_only_refuses_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *words, *reason;
    } rows[] = {
        {"c:os:system 'x' 1t R", "weights-only.blocked"},
        {"c:my:Net ) NEW", "weights-only.global"},
        {"c:numpy:dtype 'f4' False True 3t R", "weights-only.global"},
        {"c:__builtin__:bytes ) R", "weights-only.global"},
        {"c:builtins:frozenset ] 1t R", "weights-only.global"},
        {"c:torch._utils:_rebuild_sparse_csr_tensor", "weights-only.global"},
        {"c:torch.contiguous_format:x", "weights-only.global"},
        {"b'x'", "weights-only.opcode"},
        {"x8B0100000005", "weights-only.opcode"},
        {"1 x30 2", "weights-only.opcode"},
        {"1 x32 2t", "weights-only.opcode"},
        {"x8C0161", "weights-only.opcode"},
        {"c:collections:defaultdict N 1t R", "weights-only.global"},
        {"c:torch.serialization:_get_layout 'torch.strided' 1t NEW", "weights-only.newobj"},
        {"c:torch:Size ) R } 'a' 1 s b", "weights-only.build"},
        {"c:torch:device 'cpu' 1t R 'a' 1 s", "weights-only.setitem"},
        {"c:torch:device 'cpu' 1t R 1 a", "weights-only.append"},
        {"c:collections:OrderedDict ) R ) R", "weights-only.reduce"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        loaded l = {0};
        pickle(&l.pickle, "proto2 %s .", rows[i].words);
        usual_zip(&l.file, &l.pickle);
        checked c = check(&l.file, NULL);
        if (c.result.weights_only_loads || !finding(&c, rows[i].reason))
            fail_msg("%s is not %s", rows[i].words, rows[i].reason);
        if (c.result.verdict == PTIO_WHOLE) {
            assert_int_equal(finding(&c, rows[i].reason)->severity, PTIO_REFUSED);
            ptio_load_options strict = {PTIO_LOAD_OPTIONS, .weights_only = true};
            assert_int_equal(load_bytes(&l, &l.file, &strict), PTIO_ERR_DENIED);
            assert_string_equal(l.err.reason, rows[i].reason);
            assert_string_equal(l.err.record, "archive/data.pkl");
        }
        ptio_report_free(c.report);
        loaded_free(&l);
    }
}

static void what_weights_only_takes(void **state)
{
    (void)state;
    static const char *const words[] = {
        "c:collections:OrderedDict ) R 'w' " TENSOR(0, 4) "s } '_metadata' c:collections:OrderedDict ) R s b",
        "c:_codecs:encode 'a' 'latin1' 2t R",
        "c:__builtin__:set ] 1 a 1t R",
        "x8F",
        "s'python 2'",
        "c:torch.nn.parameter:Parameter " TENSOR(0, 4) "1t NEW",
        "c:collections:Counter } 'a' 1 s 1t R",
        "c:torch:Size 2 3 2t 1t R",
        "c:torch:uint7",
        "c:torch:per_tensor_affine",
        "c:torch.cuda:FloatStorage",
        "c:torch:Size ) R } b",
        "c:collections:Counter ) R N } 'a' 1 s 2t b",
        "c:collections:OrderedDict ) R 'a' 1 2t 1t b",
        "c:torch:device 'cuda:1' 1t R",
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        loaded l = {0};
        load(&l, "%s", words[i]);
        ptio_load_options strict = {PTIO_LOAD_OPTIONS, .weights_only = true};
        if (load_bytes(&l, &l.file, &strict) != PTIO_OK)
            fail_msg("%s: %s", words[i], l.err.message);
        loaded_free(&l);
    }
}

/* Only what keeps it from checking is an error. */
static void files_that_are_not_there(void **state)
{
    (void)state;
    ptio_check_result result = {.verdict = (ptio_verdict)99};
    ptio_error err = {0};
    assert_int_equal(ptio_check("no/such/file.pth", NULL, &result, &err), PTIO_ERR_IO);
    assert_int_equal(err.status, PTIO_ERR_IO);
    assert_int_equal(result.verdict, 99);
    assert_int_equal(ptio_check("no/such/file.pth", NULL, &result, NULL), PTIO_ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file_is_whole),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(damage_in_a_storage),
        cmocka_unit_test(a_local_header_is_told_once),
        cmocka_unit_test(verdicts_follow_the_first_failure),
        cmocka_unit_test(elements_are_looked_at_everywhere),
        cmocka_unit_test(what_weights_only_refuses_is_named),
        cmocka_unit_test(what_weights_only_takes),
        cmocka_unit_test(files_that_are_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
