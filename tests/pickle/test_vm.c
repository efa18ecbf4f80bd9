/*
 * The machine: identity, cycles, dialect, findings, and that each refusal has its code, reason, offset and opcode.
 */
#include "pickle/run.h"

/* ---- what is refused ---- */

#define BAD(bytes, status, reason, offset, context)                          \
    {                                                                        \
        bytes, sizeof(bytes) - 1, PTIO_ERR_##status, reason, offset, context \
    }

static const struct {
    const char *bytes;
    size_t size;
    ptio_status status;
    const char *reason;
    uint64_t offset;
    const char *context;
} bad[] = {
    BAD("", FORMAT, "pickle.truncated", 0, ""),
    BAD("\x80\2", FORMAT, "pickle.truncated", 2, ""),
    BAD("\x80", FORMAT, "pickle.truncated", 0, "PROTO"),
    BAD("NJ\0\0", FORMAT, "pickle.truncated", 1, "BININT"),
    BAD("K", FORMAT, "pickle.truncated", 0, "BININT1"),
    BAD("M\0", FORMAT, "pickle.truncated", 0, "BININT2"),
    BAD("G\0\0\0\0\0\0\0", FORMAT, "pickle.truncated", 0, "BINFLOAT"),
    BAD("X\0\0\0", FORMAT, "pickle.truncated", 0, "BINUNICODE"),
    BAD("X\2\0\0\0a", FORMAT, "pickle.truncated", 0, "BINUNICODE"),
    BAD("X\xff\xff\xff\xff.", FORMAT, "pickle.truncated", 0, "BINUNICODE"),
    BAD("B\xff\xff\xff\xff.", FORMAT, "pickle.truncated", 0, "BINBYTES"),
    BAD("\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", FORMAT, "pickle.truncated", 0, "BINUNICODE8"),
    BAD("\x8e\0\0\0\0\0\0\0\x80.", FORMAT, "pickle.truncated", 0, "BINBYTES8"),
    BAD("\x96\2\0\0\0\0\0\0\0.", FORMAT, "pickle.truncated", 0, "BYTEARRAY8"),
    BAD("T\xff\xff\xff\xff.", FORMAT, "pickle.length", 0, "BINSTRING"),
    BAD("T\2\0\0\0a", FORMAT, "pickle.truncated", 0, "BINSTRING"),
    BAD("U\2a", FORMAT, "pickle.truncated", 0, "SHORT_BINSTRING"),
    BAD("\x8b\0\0\0\x80.", FORMAT, "pickle.length", 0, "LONG4"),
    BAD("\x8b\xff\xff\xff\x7f.", FORMAT, "pickle.truncated", 0, "LONG4"),
    BAD("\x8a\2\1", FORMAT, "pickle.truncated", 0, "LONG1"),
    BAD("I12", FORMAT, "pickle.truncated", 0, "INT"),
    BAD("cmod\nname", FORMAT, "pickle.truncated", 0, "GLOBAL"),
    BAD("N\x84\1\0", FORMAT, "pickle.truncated", 1, "EXT4"),
    BAD("\x80\6N.", UNSUPPORTED, "pickle.protocol", 0, "PROTO"),
    BAD("\x80\2\xff.", FORMAT, "pickle.opcode", 2, ""),
    BAD("\x82\1.", UNSUPPORTED, "pickle.extension", 0, "EXT1"),
    BAD("\x97.", UNSUPPORTED, "pickle.buffer", 0, "NEXT_BUFFER"),
    /* the stack */
    BAD(".", FORMAT, "pickle.stack", 0, "STOP"),
    BAD("N(.", FORMAT, "pickle.stack", 2, "STOP"),
    BAD("0N.", FORMAT, "pickle.stack", 0, "POP"),
    BAD("2N.", FORMAT, "pickle.stack", 0, "DUP"),
    BAD("N(2.", FORMAT, "pickle.stack", 2, "DUP"),
    BAD("NN\x87.", FORMAT, "pickle.stack", 2, "TUPLE3"),
    BAD("N(N\x86.", FORMAT, "pickle.stack", 3, "TUPLE2"),
    BAD("(\x85.", FORMAT, "pickle.stack", 1, "TUPLE1"),
    BAD("]a.", FORMAT, "pickle.stack", 1, "APPEND"),
    BAD("}Ns.", FORMAT, "pickle.stack", 2, "SETITEM"),
    BAD("Nb.", FORMAT, "pickle.stack", 1, "BUILD"),
    BAD(")R.", FORMAT, "pickle.stack", 1, "REDUCE"),
    BAD(")\x81.", FORMAT, "pickle.stack", 1, "NEWOBJ"),
    BAD(")}\x92.", FORMAT, "pickle.stack", 2, "NEWOBJ_EX"),
    BAD("Q.", FORMAT, "pickle.stack", 0, "BINPERSID"),
    BAD("\x8c\1a\x93.", FORMAT, "pickle.stack", 3, "STACK_GLOBAL"),
    BAD("q\0.", FORMAT, "pickle.stack", 0, "BINPUT"),
    BAD("\x94.", FORMAT, "pickle.stack", 0, "MEMOIZE"),
    BAD("p0\n.", FORMAT, "pickle.stack", 0, "PUT"),
    BAD("(o.", FORMAT, "pickle.stack", 1, "OBJ"),
    BAD("(e.", FORMAT, "pickle.stack", 1, "APPENDS"),
    BAD("N((u.", FORMAT, "pickle.stack", 3, "SETITEMS"),
    BAD("Nt.", FORMAT, "pickle.mark", 1, "TUPLE"),
    BAD("Nl.", FORMAT, "pickle.mark", 1, "LIST"),
    BAD("d.", FORMAT, "pickle.mark", 0, "DICT"),
    BAD("]e.", FORMAT, "pickle.mark", 1, "APPENDS"),
    BAD("}u.", FORMAT, "pickle.mark", 1, "SETITEMS"),
    BAD("\x8f\x90.", FORMAT, "pickle.mark", 1, "ADDITEMS"),
    BAD("\x91.", FORMAT, "pickle.mark", 0, "FROZENSET"),
    BAD("o.", FORMAT, "pickle.mark", 0, "OBJ"),
    BAD("ia\nb\n.", FORMAT, "pickle.mark", 0, "INST"),
    BAD("1.", FORMAT, "pickle.mark", 0, "POP_MARK"),
    /* types */
    BAD(")Na.", FORMAT, "pickle.type", 2, "APPEND"),
    BAD("\x8f(Ne.", FORMAT, "pickle.type", 3, "APPENDS"),
    BAD("ca\nb\nNa.", FORMAT, "pickle.type", 6, "APPEND"),
    BAD("NQNa.", FORMAT, "pickle.type", 3, "APPEND"),
    BAD("](N\x90.", FORMAT, "pickle.type", 3, "ADDITEMS"),
    BAD("]NNs.", FORMAT, "pickle.type", 3, "SETITEM"),
    BAD("N(NNu.", FORMAT, "pickle.type", 4, "SETITEMS"),
    BAD("}Nb.", FORMAT, "pickle.type", 2, "BUILD"),
    BAD("ca\nb\nNb.", FORMAT, "pickle.type", 6, "BUILD"),
    BAD("NQNb.", FORMAT, "pickle.type", 3, "BUILD"),
    BAD("N)R.", FORMAT, "pickle.type", 2, "REDUCE"),
    BAD("ca\nb\n]R.", FORMAT, "pickle.type", 6, "REDUCE"),
    BAD("])\x81.", FORMAT, "pickle.type", 2, "NEWOBJ"),
    BAD("ca\nb\n)N\x92.", FORMAT, "pickle.type", 7, "NEWOBJ_EX"),
    BAD("(No.", FORMAT, "pickle.type", 2, "OBJ"),
    BAD("N\x8c\1a\x93.", FORMAT, "pickle.type", 4, "STACK_GLOBAL"),
    BAD("\x8c\1aC\1a\x93.", FORMAT, "pickle.type", 6, "STACK_GLOBAL"),
    BAD("}(Nu.", FORMAT, "pickle.odd", 3, "SETITEMS"),
    BAD("(NNNd.", FORMAT, "pickle.odd", 4, "DICT"),
    /* keys */
    BAD("}]Ns.", FORMAT, "pickle.unhashable-key", 3, "SETITEM"),
    BAD("}(NN}Nu.", FORMAT, "pickle.unhashable-key", 6, "SETITEMS"),
    BAD("(\x8fNd.", FORMAT, "pickle.unhashable-key", 3, "DICT"),
    BAD("\x8f(\x96\0\0\0\0\0\0\0\0\x90.", FORMAT, "pickle.unhashable-key", 11, "ADDITEMS"),
    BAD("(]\x91.", FORMAT, "pickle.unhashable-key", 2, "FROZENSET"),
    BAD("}N]\x85\x85\x86Ns.", FORMAT, "pickle.unhashable-key", 7, "SETITEM"),
    BAD("ca\nb\n)R]Ns.", FORMAT, "pickle.unhashable-key", 9, "SETITEM"),
    /* the memo */
    BAD("h\0.", FORMAT, "pickle.memo", 0, "BINGET"),
    BAD("Nq\1h\0.", FORMAT, "pickle.memo", 3, "BINGET"),
    BAD("Nr\xff\xff\xff\xffj\xfe\xff\xff\xff.", FORMAT, "pickle.memo", 6, "LONG_BINGET"),
    BAD("g5\n.", FORMAT, "pickle.memo", 0, "GET"),
    BAD("Np-1\n.", FORMAT, "pickle.memo-text", 1, "PUT"),
    BAD("Np\n.", FORMAT, "pickle.memo-text", 1, "PUT"),
    BAD("Np1x\n.", FORMAT, "pickle.memo-text", 1, "PUT"),
    BAD("Np18446744073709551616\n.", FORMAT, "pickle.memo-text", 1, "PUT"),
    BAD("Np000000000000000000001\n.", FORMAT, "pickle.memo-text", 1, "PUT"),
    /* texts */
    BAD("X\1\0\0\0\xff.", FORMAT, "pickle.utf8", 0, "BINUNICODE"),
    BAD("X\2\0\0\0\xc0\x80.", FORMAT, "pickle.utf8", 0, "BINUNICODE"),
    BAD("\x8c\4\xf4\x90\x80\x80.", FORMAT, "pickle.utf8", 0, "SHORT_BINUNICODE"),
    BAD("\x8d\1\0\0\0\0\0\0\0\x80.", FORMAT, "pickle.utf8", 0, "BINUNICODE8"),
    BAD("c\xff\na\n.", FORMAT, "pickle.utf8", 0, "GLOBAL"),
    BAD("P\xff\n.", FORMAT, "pickle.utf8", 0, "PERSID"),
    BAD("U\1\xff.", FORMAT, "codec.invalid", 0, "SHORT_BINSTRING"),
    BAD("S'a\n.", FORMAT, "pickle.quotes", 0, "STRING"),
    BAD("Sa\n.", FORMAT, "pickle.quotes", 0, "STRING"),
    BAD("S'\n.", FORMAT, "pickle.quotes", 0, "STRING"),
    BAD("S'a\"\n.", FORMAT, "pickle.quotes", 0, "STRING"),
    BAD("S'\\x4'\n.", FORMAT, "pickle.escape", 0, "STRING"),
    BAD("S'\\'\n.", FORMAT, "pickle.escape", 0, "STRING"),
    BAD("V\\u12\n.", FORMAT, "pickle.escape", 0, "UNICODE"),
    BAD("V\\U00110000\n.", FORMAT, "pickle.escape", 0, "UNICODE"),
    /* numbers */
    BAD("I\n.", FORMAT, "pickle.int-text", 0, "INT"),
    BAD("I010\n.", FORMAT, "pickle.int-text", 0, "INT"),
    BAD("I+1\n.", FORMAT, "pickle.int-text", 0, "INT"),
    BAD("I0x1\n.", FORMAT, "pickle.int-text", 0, "INT"),
    BAD("I1L\n.", FORMAT, "pickle.int-text", 0, "INT"),
    BAD("LL\n.", FORMAT, "pickle.int-text", 0, "LONG"),
    BAD("L-\n.", FORMAT, "pickle.int-text", 0, "LONG"),
    BAD("F1e999\n.", FORMAT, "pickle.float-text", 0, "FLOAT"),
    BAD("F0x1p3\n.", FORMAT, "pickle.float-text", 0, "FLOAT"),
    BAD("F1,5\n.", FORMAT, "pickle.float-text", 0, "FLOAT"),
    BAD("F\n.", FORMAT, "pickle.float-text", 0, "FLOAT"),
    /* frames */
    BAD("\x80\4\x95\2\0\0\0\0\0\0", FORMAT, "pickle.truncated", 2, "FRAME"),
    BAD("\x80\4\x95\2\0\0\0\0\0\0\0N", FORMAT, "pickle.truncated", 2, "FRAME"),
    BAD("\x80\4\x95\xff\xff\xff\xff\xff\xff\xff\xffN.", FORMAT, "pickle.truncated", 2, "FRAME"),
    BAD("\x80\4\x95\1\0\0\0\0\0\0\0K\1.", FORMAT, "pickle.frame-straddled", 11, "BININT1"),
    BAD("\x80\4\x95\2\0\0\0\0\0\0\0I1\n.", FORMAT, "pickle.frame-straddled", 11, "INT"),
    BAD("\x80\4\x95\14\0\0\0\0\0\0\0N\x95\1\0\0\0\0\0\0\0NN.", FORMAT, "pickle.frame-nested", 12, "FRAME"),
};

static void each_refusal_says_where_and_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        run r = {.fail_at = 0};
        run_begin(&r, bad[i].bytes, bad[i].size);
        if (r.status != bad[i].status || strcmp(r.err.reason, bad[i].reason) != 0 || r.err.offset != bad[i].offset ||
            strcmp(r.err.context, bad[i].context) != 0)
            fail_msg("row %zu: %d %s at %llu in %s: %s", i, r.status, r.err.reason ? r.err.reason : "-",
                     (unsigned long long)r.err.offset, r.err.context, r.err.message);
        run_end(&r);
    }
}

static void sentences(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *message;
    } rows[] = {
        {"NN\x87.", "TUPLE3 needs 3 values, the stack has 2"},
        {"N(Q.", "BINPERSID needs 1 value, the stack has 0 above its mark"},
        {")Na.", "APPEND needs a list or object to append to, but the stack has a tuple"},
        {"}(Nu.", "SETITEMS needs keys and values in pairs, the mark has 1 values above it"},
        {"Nh\7.", "the memo has nothing under 7"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run r = {.fail_at = 0};
        run_begin(&r, rows[i].bytes, strlen(rows[i].bytes));
        assert_string_equal(r.err.message, rows[i].message);
        run_end(&r);
    }
}

/* ---- identity ---- */

static const ptio_value *item(const ptio_value *value, size_t index)
{
    if (value->type == PTIO_NODE_TYPE_TUPLE)
        return ptio_tuple_item(value, index);
    return PTIO_NODE(list, value)->block->items[index];
}

static void one_object_is_one_node(void **state)
{
    (void)state;
    run r = {.fail_at = 0};
    run_begin(&r, PICKLE("](]q\0h\0"
                         "2X\1\0\0\0aq\1h\1X\1\0\0\0ae."));
    const ptio_value *root = r.graph.root;
    assert_int_equal(root->count, 6);
    assert_ptr_equal(item(root, 0), item(root, 1));
    assert_ptr_equal(item(root, 1), item(root, 2));
    assert_ptr_equal(item(root, 3), item(root, 4));
    assert_ptr_not_equal(item(root, 4), item(root, 5)); /* equal, but written twice */
    assert_true(item(root, 0)->flags & PTIO_NODE_MEMOIZED);
    assert_true(item(root, 3)->flags & PTIO_NODE_MEMOIZED);
    assert_false(item(root, 5)->flags & PTIO_NODE_MEMOIZED);
    run_end(&r);
}

static void constants_are_shared_and_stay_clean(void **state)
{
    (void)state;
    run r = {.fail_at = 0};
    run_begin(&r, PICKLE("(K\7q\0)q\1Nq\2\x88q\3J\7\0\0\0t."));
    const ptio_value *root = r.graph.root;
    assert_ptr_equal(item(root, 0), &ptio_small_ints[7]);
    assert_ptr_equal(item(root, 4), &ptio_small_ints[7]);
    assert_ptr_equal(item(root, 1), &ptio_empty_tuple);
    assert_ptr_equal(item(root, 2), &ptio_none);
    assert_ptr_equal(item(root, 3), &ptio_true);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(item(root, i)->flags, PTIO_NODE_CONSTANT);
    run_end(&r);
}

static void cycles(void **state)
{
    (void)state;
    run r = {.fail_at = 0};
    run_begin(&r, PICKLE("]q\0h\0a."));
    assert_ptr_equal(item(r.graph.root, 0), r.graph.root);
    run_end(&r);
    r = (run){.fail_at = 0};
    run_begin(&r, PICKLE("}q\0K\1h\0s."));
    assert_ptr_equal(ptio_dict_value(PTIO_NODE(dict, r.graph.root), 0), r.graph.root);
    run_end(&r);
    r = (run){.fail_at = 0};
    run_begin(&r, PICKLE("ca\nb\n)\x81q\0h\0b."));
    assert_ptr_equal(PTIO_NODE(reduced, r.graph.root)->more->states.block->items[0], r.graph.root);
    run_end(&r);
}

/* What CPython writes for t = ([],); t[0].append(t): the tuple is made while its item is filled, its first values are popped. */
static void recursive_tuple(void **state)
{
    (void)state;
    run r = {.fail_at = 0};
    run_begin(&r, PICKLE("\x80\2]q\0h\0\x85q\1a0h\1."));
    const ptio_value *tuple = r.graph.root;
    assert_int_equal(tuple->type, PTIO_NODE_TYPE_TUPLE);
    assert_ptr_equal(item(item(tuple, 0), 0), tuple);
    assert_int_equal(ptio_report_count(r.report), 0);
    run_end(&r);
}

static void objects_and_dicts_are_listed_in_order(void **state)
{
    (void)state;
    run r = {.fail_at = 0};
    run_begin(&r, PICKLE("}q\0(ca\nb\nq\1)RK\1K\2sK\3Qh\1}K\1K\1su."));
    assert_int_equal(r.graph.object_count, 3);
    assert_int_equal(r.graph.objects[0]->type, PTIO_NODE_TYPE_GLOBAL);
    assert_int_equal(r.graph.objects[0]->count, 4);
    assert_int_equal(r.graph.objects[1]->type, PTIO_NODE_TYPE_REDUCED);
    assert_int_equal(r.graph.objects[1]->count, 12);
    assert_int_equal(r.graph.objects[2]->type, PTIO_NODE_TYPE_PERSISTENT);
    assert_int_equal(r.graph.objects[2]->count, 20);
    /* Those of `more`, and no empty ones. */
    assert_int_equal(r.graph.dict_count, 3);
    const ptio_node_reduced *reduced = PTIO_NODE(reduced, r.graph.objects[1]);
    assert_ptr_equal(r.graph.dicts[0], &reduced->more->entries);
    assert_ptr_equal(r.graph.dicts[2], r.graph.root);
    run_end(&r);
}

static void kinds_are_set(void **state)
{
    (void)state;
    run r = {.fail_at = 0};
    run_begin(&r, PICKLE("(NK\1\x88"
                         "F1\n\x8c\0C\0\x96\0\0\0\0\0\0\0\0)]}\x8f(\x91U\0ca\nb\nNQca\nb\n)Rt."));
    static const ptio_kind kinds[] = {PTIO_KIND_NONE, PTIO_KIND_INT,    PTIO_KIND_BOOL,      PTIO_KIND_FLOAT,
                                      PTIO_KIND_STR,  PTIO_KIND_BYTES,  PTIO_KIND_BYTEARRAY, PTIO_KIND_TUPLE,
                                      PTIO_KIND_LIST, PTIO_KIND_DICT,   PTIO_KIND_SET,       PTIO_KIND_FROZENSET,
                                      PTIO_KIND_STR,  PTIO_KIND_GLOBAL, PTIO_KIND_OBJECT,    PTIO_KIND_OBJECT};
    assert_int_equal(r.graph.root->count, sizeof kinds / sizeof *kinds);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        assert_int_equal(item(r.graph.root, i)->seen, kinds[i]);
    run_end(&r);
}

/* ---- memo ---- */

static void memo_with_holes(void **state)
{
    (void)state;
    /* MEMOIZE takes the number of numbers in use; a second PUT of a number replaces the first. */
    assert_pickle(PICKLE("K\1q\5K\2\x94h\1\x87."), "(1, 2, 2)");
    assert_pickle(PICKLE("K\1q\5K\2q\5h\5\x87."), "(1, 2, 2)");
    assert_pickle(PICKLE("K\1r\xff\xff\xff\xffK\2p18446744073709551615\nj\xff\xff\xff\xff\x87."), "(1, 2, 1)");
    assert_pickle(PICKLE("(K\1r\xff\xff\xff\xffK\2r\xff\xff\xff\xffK\3\x94h\1j\xff\xff\xff\xfft."), "(1, 2, 3, 3, 2)");
}

/* Numbers of four bytes that count up, behind each opcode that does such a PUT along with itself. */
static void numbers_that_count_up(void **state)
{
    (void)state;
    static const char pickle[] = "(X\1\0\0\0ar\0\0\0\0X\1\0\0\0br\1\0\0\0)\x85r\2\0\0\0))\x86r\3\0\0\0)))\x87r\4\0\0\0"
                                 "(Ntr\5\0\0\0cm\nn\n)Rr\6\0\0\0j\6\0\0\0h\5h\4h\3h\2h\1h\0t.";
    run r = {.fail_at = 0};
    run_begin(&r, PICKLE(pickle));
    assert_int_equal(r.status, PTIO_OK);
    assert_false(r.graph.dialect.sparse_memo);
    for (size_t i = 0; i < 7; i++) {
        assert_ptr_equal(item(r.graph.root, i), item(r.graph.root, 13 - i));
        assert_true(item(r.graph.root, i)->flags & PTIO_NODE_MEMOIZED);
    }
    run_end(&r);
}

static bool is_sparse(const void *bytes, size_t size)
{
    run r = {.fail_at = 0};
    run_begin(&r, bytes, size);
    bool sparse = r.graph.dialect.sparse_memo;
    run_end(&r);
    return sparse;
}

static void sparse_memo_is_noted(void **state)
{
    (void)state;
    assert_false(is_sparse(PICKLE("]q\0]q\1\x86.")));
    assert_true(is_sparse(PICKLE("]q\1.")));
    assert_true(is_sparse(PICKLE("]q\0q\0.")));
    assert_true(is_sparse(PICKLE("]q\0]r\xff\xff\xff\xff\x86.")));
}

/* ---- dialect and findings ---- */

static void dialect(void **state)
{
    (void)state;
    run r = {.fail_at = 0};
    run_begin(&r, PICKLE("\x80\4\x95\4\0\0\0\0\0\0\0U\1a.trailing"));
    assert_int_equal(r.status, PTIO_OK);
    assert_int_equal(r.graph.dialect.protocol, 4);
    assert_true(r.graph.dialect.framed);
    assert_true(r.graph.dialect.python2);
    assert_int_equal(r.graph.size, 15);
    assert_int_equal(ptio_report_count(r.report), 0);
    run_end(&r);
}

static void oddities_are_findings(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *reason;
        uint64_t offset;
    } rows[] = {
        {PICKLE("\x80\2\x80\3\x80\4N."), "pickle.second-proto", 2},
        {PICKLE("\x80\2\x95\1\0\0\0\0\0\0\0N\x95\1\0\0\0\0\0\0\0."), "pickle.frame-protocol", 2},
        {PICKLE("NN."), "pickle.values-left", 2},
        {PICKLE("(N."), "pickle.mark-left", 2},
        {PICKLE("\x80\4\x95\3\0\0\0\0\0\0\0N.N"), "pickle.frame-left", 12},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run r = {.fail_at = 0};
        run_begin(&r, rows[i].bytes, rows[i].size);
        if (r.status != PTIO_OK)
            fail_msg("row %zu: %s", i, r.err.message);
        assert_int_equal(ptio_report_count(r.report), 1);
        const ptio_finding *finding = ptio_report_finding(r.report, 0);
        assert_string_equal(finding->reason, rows[i].reason);
        assert_int_equal(finding->offset, rows[i].offset);
        assert_int_equal(finding->severity, PTIO_WARNING);
        run_end(&r);
    }
}

/* ---- Python 2's strings ---- */

static void strings_that_do_not_decode(void **state)
{
    (void)state;
    run r = {.may_not_fit = true};
    run_begin(&r, PICKLE("(U\1\xffU\1at."));
    assert_string_equal(run_text(r.graph.root), "(sb'\\xff', s'a')");
    assert_int_equal(item(r.graph.root, 0)->seen, PTIO_KIND_BYTES);
    run_end(&r);
    r = (run){.encoding = "latin1"};
    run_begin(&r, PICKLE("U\1\xff."));
    assert_string_equal(run_text(r.graph.root), "s'\\xff'");
    assert_int_equal(ptio_node_str_of(r.graph.root).size, 2);
    assert_int_equal(ptio_node_text_of(r.graph.root).size, 1);
    run_end(&r);
    r = (run){.encoding = "bytes"};
    run_begin(&r, PICKLE("U\1a."));
    assert_string_equal(run_text(r.graph.root), "sb'a'");
    run_end(&r);
    r = (run){.encoding = "bytes"};
    run_begin(&r, PICKLE("U\1aU\1b\x93."));
    assert_string_equal(r.err.reason, "pickle.type");
    run_end(&r);
}

/* ---- prefixes ---- */

static const char sample[] =
    "\x80\4\x95\56\0\0\0\0\0\0\0}\x94(\x8c\1a\x94]\x94(K\1M\0\1J\xff\xff\xff\xffG?\xf0\0\0\0\0\0\0e\x8c\1b\x94U\2xyK\5L5L\nu.";
static const char text_sample[] =
    "(dp0\nVname\np1\n(lp2\nI1\naL2L\naF1.5\nasS'x\\n'\np3\n(imod\nCls\np4\nsVk\ncmod\nf\n(I01\ntRI5\nbs.";

static void check_prefixes(const char *bytes, size_t size)
{
    for (size_t n = 0; n < size; n++) {
        run r = {.fail_at = 0};
        run_begin(&r, bytes, n);
        assert_int_equal(r.status, PTIO_ERR_FORMAT);
        assert_true(r.err.offset <= n);
        uint64_t at = 0, need = 0;
        assert_int_equal(ptio_pickle_scan(r.bytes, n, &r.limits, &at, &need, NULL), PTIO_OK);
        assert_true(need > 0 && at <= n);
        run_end(&r);
    }
}

static void every_prefix_is_refused(void **state)
{
    (void)state;
    check_prefixes(PICKLE(sample));
    check_prefixes(PICKLE(text_sample));
}

/* ---- failing allocations ---- */

static void check_failing(const char *bytes, size_t size)
{
    uint64_t n = 1;
    for (;; n++) {
        run r = {.fail_at = n};
        run_begin(&r, bytes, size);
        bool done = r.status == PTIO_OK && r.memory.calls < n;
        if (!done && r.status != PTIO_ERR_MEMORY)
            fail_msg("allocation %llu: %s %s", (unsigned long long)n, r.err.reason, r.err.message);
        run_end(&r);
        if (done)
            break;
    }
    assert_true(n > 3);
}

/* An index, merged keys, tuples as keys; then a far memo number, additions, states, a set, text forms. */
static void every_allocation_may_fail(void **state)
{
    (void)state;
    check_failing(PICKLE(sample));
    check_failing(PICKLE(text_sample));
    check_failing(PICKLE("}(K\1NK\2NK\3NK\4NK\5NK\6NK\7NK\10NK\11NK\1NK\1\x85NK\1\x85\x85NK\1\x85\x85Nu."));
    check_failing(
        PICKLE("(Nr\xff\xff\xff\xff"
               "ca\nb\n)RNaNNsNb\x8f(K\1\x90(K\1\x91L99999999999999999999999L\nF1.5\nV\\u0041\n"
               "S'\\n'\nPa\nNQ(ca\nb\no(im\nn\n\x8c\1a\x8c\1b\x93)}\x92}(K\1NK\1NuJ\xff\xff\xff\xffG?\xf0\0\0\0\0\0\0t."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_refusal_says_where_and_why),
        cmocka_unit_test(sentences),
        cmocka_unit_test(one_object_is_one_node),
        cmocka_unit_test(constants_are_shared_and_stay_clean),
        cmocka_unit_test(cycles),
        cmocka_unit_test(recursive_tuple),
        cmocka_unit_test(objects_and_dicts_are_listed_in_order),
        cmocka_unit_test(kinds_are_set),
        cmocka_unit_test(memo_with_holes),
        cmocka_unit_test(numbers_that_count_up),
        cmocka_unit_test(sparse_memo_is_noted),
        cmocka_unit_test(dialect),
        cmocka_unit_test(oddities_are_findings),
        cmocka_unit_test(strings_that_do_not_decode),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
