/*
 * The rules of weights_only by release, what the caller allows, the lines of Python that allow the rest, and the list of unsafe globals.
 */
#include "pickle/opcode.h"
#include "torch/weights_only.h"

#include "support/exercise.h"
#include "support/build.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

typedef struct checked {
    ptio_check_result result;
    ptio_report *report;
} checked;

/* A zip around the words of a pickle. */
static void make(bytes *file, const char *words)
{
    bytes pickle = {0};
    put_words(&pickle, "proto2 ");
    put_words(&pickle, words);
    put_words(&pickle, ".");
    usual_zip(file, &pickle);
    bytes_free(&pickle);
}

static checked check(const char *words, const char *rules, const ptio_safe_global *allow, size_t count)
{
    checked c = {0};
    bytes file = {0};
    ptio_source *source = NULL;
    ptio_error err = {0};
    make(&file, words);
    assert_int_equal(ptio_report_new(NULL, &c.report, NULL), PTIO_OK);
    assert_int_equal(ptio_source_from_memory(file.data, file.size, NULL, &source, NULL), PTIO_OK);
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .report = c.report, .rules = rules, .allow = allow, .allow_count = count};
    if (ptio_check_source(source, &options, &c.result, &err) != PTIO_OK)
        fail_msg("%s: %s", words, err.message);
    if (c.result.verdict != PTIO_WHOLE)
        fail_msg("%s: %s", words, ptio_verdict_name(c.result.verdict));
    ptio_source_free(source);
    bytes_free(&file);
    return c;
}

/* That these rules and names take it, or refuse it for this reason. */
static void assert_rule(const char *words, const char *rules, const ptio_safe_global *allow, size_t count, const char *reason)
{
    checked c = check(words, rules, allow, count);
    if (c.result.weights_only_loads == (reason != NULL))
        fail_msg("%s by %s: %s", words, rules, c.result.weights_only_loads ? "loads" : "is refused");
    bool found = !reason;
    for (size_t i = 0; i < ptio_report_count(c.report); i++)
        found = found || strcmp(ptio_report_finding(c.report, i)->reason, reason) == 0;
    if (!found)
        fail_msg("%s by %s is not %s", words, rules, reason);
    ptio_report_free(c.report);
}

static void releases_differ(void **state)
{
    (void)state;
    static const char *const releases[] = {"2.6", "2.9", "2.13", "2.14"};
    static const struct {
        const char *words;
        unsigned first; /* the release that takes it; 4: none */
    } rows[] = {
        {"c:torch:float32", 0},
        {"c:torch:uint16", 0},
        {"c:torch:uint7", 1},
        {"c:torch:int1", 1},
        {"c:torch:float8_e8m0fnu", 1},
        {"c:torch:float4_e2m1fn_x2", 1},
        {"c:torch:bcomplex32", 3},
        {"c:torch.distributed._mesh_layout:_MeshLayout", 2},
        {"c:torch.distributed._mesh_layout:_FlatLayout", 2},
        {"c:torch._dynamo.decorators:_DimRange", 0},
        {"c:torch._dynamo.decorators:_DimRange ) NEW } 'dim' 1 s b", 0},
        {"c:torch._dynamo.decorators:_DimRange ) NEW ] 1 a b", 2},
        {"c:torch.distributed.tensor:DTensor", 0},
        {"c:torch.distributed.tensor._dtensor_spec:ShardOrderEntry", 2},
        {"c:exceptions:ValueError", 3},
        {"c:exceptions:StandardError", 3},
        {"c:builtins:ValueError 'x' 1t R", 3},
        {"c:builtins:ExceptionGroup", 3},
        {"c:builtins:eval", 4},
        {"c:exceptions:eval", 4},
        {"c:traceback:StackSummary ) NEW c:traceback:FrameSummary ) NEW a", 3},
        {"c:collections:defaultdict N 1t R", 4},
        {"c:os:system", 4},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        for (unsigned release = 0; release < 4; release++) {
            checked c = check(rows[i].words, releases[release], NULL, 0);
            if (c.result.weights_only_loads != (release >= rows[i].first))
                fail_msg("%s by %s: %s", rows[i].words, releases[release], c.result.weights_only_loads ? "loads" : "is refused");
            ptio_report_free(c.report);
        }
    assert_rule("c:torch:bcomplex32", NULL, NULL, 0, "weights-only.global");
}

static void rules_must_be_known(void **state)
{
    (void)state;
    static const char *const unknown[] = {"2.8", "2.13.0", "", "2", "main"};
    bytes file = {0};
    make(&file, "1");
    for (size_t i = 0; i < COUNT(unknown); i++) {
        ptio_load_options options = {PTIO_LOAD_OPTIONS, .rules = unknown[i]};
        ptio_error err = {0};
        ptio_checkpoint *ckpt = NULL;
        assert_int_equal(ptio_load_memory(file.data, file.size, &options, &ckpt, &err), PTIO_ERR_ARGUMENT);
        assert_string_equal(err.reason, "weights-only.rules");
        assert_null(ckpt);
    }
    ptio_safe_global nameless = {NULL, "a.b"};
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .allow = &nameless, .allow_count = 1};
    ptio_check_result result;
    ptio_source *source = NULL;
    ptio_error err = {0};
    assert_int_equal(ptio_source_from_memory(file.data, file.size, NULL, &source, NULL), PTIO_OK);
    assert_int_equal(ptio_check_source(source, &options, &result, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "weights-only.allow");
    ptio_source_free(source);
    bytes_free(&file);
}

#define NET "c:__main__:Net ) NEW } 'a' 1 s b"

#define META_AS "c:torch._tensor:_rebuild_from_type_v2 ( c:torch._utils:_rebuild_meta_tensor_no_storage "
#define META_ARGUMENTS "( c:torch:float32 3 1t 1 1t False t "

static void what_is_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        ptio_safe_global item;
        const char *reason; /* NULL: it loads */
    } rows[] = {
        {NET, {"__main__.Net", NULL}, NULL},
        {NET, {"my.models.Net", "__main__.Net"}, NULL},
        {NET, {"__main__.Net", "my.Net"}, "weights-only.global"},
        {NET, {"__main__.Ne", NULL}, "weights-only.global"},
        {NET, {"__main__.Net.x", NULL}, "weights-only.global"},
        {"c:__builtin__:getattr", {"getattr", NULL}, NULL},
        {"c:builtins:getattr", {"builtins.getattr", NULL}, NULL},
        {"c:my:getattr", {"getattr", NULL}, "weights-only.global"},
        {"c:os:system", {"os.system", NULL}, "weights-only.blocked"},
        {"c:nt:system", {"nt.system", NULL}, "weights-only.blocked"},
        /* a dict that is not of the three classes */
        {"c:my:Dict ) NEW 'a' 1 s", {"my.Dict", NULL}, "weights-only.setitem"},
        {"c:my:Dict ) NEW 'a' 1 s", {"collections.OrderedDict", "my.Dict"}, NULL},
        {"c:my:List ) NEW 1 a", {"my.List", NULL}, "weights-only.append"},
        {"c:collections:defaultdict N 1t R", {"collections.defaultdict", NULL}, NULL},
        {"c:collections:defaultdict N 1t R 'a' 1 s", {"collections.defaultdict", NULL}, "weights-only.setitem"},
        /* NEWOBJ of a function; what was made of a class that nobody named */
        {"c:numpy.core.multiarray:_reconstruct c:torch:Size 0 1t s'b' 3t NEW",
         {"numpy.core.multiarray._reconstruct", NULL},
         "weights-only.newobj"},
        {"c:numpy:dtype 'f4' False True 3t R ( 3 '<' N N N -1 -1 0 t b", {"numpy.dtype", NULL}, "weights-only.build"},
        {"c:numpy:dtype 'f4' False True 3t R", {"numpy.dtype", NULL}, NULL},
        {"c:torch.contiguous_format:x", {"torch.contiguous_format.x", NULL}, NULL},
        /* a tensor's class may restore itself of anything; PyTorch's own take attributes */
        {META_AS "c:my:T " META_ARGUMENTS "'state' t R", {"my.T", NULL}, NULL},
        {META_AS "c:torch:Tensor " META_ARGUMENTS "'state' t R", {"my.T", NULL}, "weights-only.call"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_rule(rows[i].words, "2.13", &rows[i].item, 1, rows[i].reason);
    ptio_safe_global one[] = {{"my.Dict", NULL}};
    assert_rule("c:my:Dict ) NEW 'a' 1 s", "2.9", one, 1, NULL);
    ptio_safe_global list[] = {{"my.List", NULL}};
    assert_rule("c:my:List ) NEW 1 a", "2.14", list, 1, NULL);
    ptio_safe_global two[] = {{"numpy.dtype", NULL}, {"numpy.dtypes.Float32DType", NULL}};
    assert_rule("c:numpy:dtype 'f4' False True 3t R ( 3 '<' N N N -1 -1 0 t b", "2.13", two, 2, NULL);
}

/* What PyTorch finds out by calling: arguments, states and keys. */
static void what_python_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *words, *reason; /* NULL: it loads */
    } rows[] = {
        {TENSOR(0, 4) ") b", NULL},
        {TENSOR(0, 4) "'a' 1t b", "weights-only.build"},
        {TENSOR(0, 4) "} 'a' 1 s b", "weights-only.build"},
        {"c:torch._utils:_rebuild_parameter " TENSOR(0, 4) "True " HOOKS "3t R False N N 3t b", NULL},
        {"c:torch._utils:_rebuild_parameter " TENSOR(0, 4) "True " HOOKS "3t R } b", "weights-only.build"},
        {"c:torch._utils:_rebuild_parameter " TENSOR(0, 4) "1 " HOOKS "3t R", "weights-only.call"},
        {"c:torch._utils:_rebuild_parameter " LONG_TENSOR(0, 4) "False " HOOKS "3t R", NULL},
        {"c:torch._utils:_rebuild_parameter " LONG_TENSOR(0, 4) "True " HOOKS "3t R", "weights-only.call"},
        {"c:torch._utils:_rebuild_parameter_with_state ( " TENSOR(0, 4) "True " HOOKS "} 'a' 1 s t R", NULL},
        {"c:torch._utils:_rebuild_parameter_with_state ( " TENSOR(0, 4) "True " HOOKS "} 1 1 s t R", "weights-only.call"},
        {"c:torch.nn.parameter:Parameter " TENSOR(0, 4) "True N 3t NEW", "weights-only.call"},
        {HOOKS "N b", "weights-only.build"},
        {HOOKS "'a' b", "weights-only.build"},
        {HOOKS "( 1 2 t 1t b", NULL},
        {"c:collections:Counter ) R 5 b", "weights-only.build"},
        {"c:collections:Counter ) R N } 1 1 s 2t b", "weights-only.build"},
        {"c:torch:device 'a' 1t R", "weights-only.call"},
        {"c:torch:device 'cuda:' 1t R", "weights-only.call"},
        {"c:builtins:bytearray s'ab' 1t R", "weights-only.call"},
        {"c:builtins:bytearray ) R", NULL},
        {"c:torch:Tensor 3 1t R", "weights-only.call"},
        {"c:torch:FloatStorage ) R", "weights-only.reduce"},
        {"c:torch:FloatStorage ) NEW", "weights-only.newobj"},
        {"c:torch.distributed._mesh_layout:_MeshLayout ) NEW", NULL},
        {"c:torch.distributed._mesh_layout:_MeshLayout ( 1 t 1t R", "weights-only.call"},
        {"} " HOOKS "1 s", "weights-only.key"},
        {"c:builtins:set ] " HOOKS "a 1t R", "weights-only.key"},
        {"} " TENSOR(0, 4) "1 s", NULL},
        {"s'\\xFF'", "weights-only.text"},
        {"s'\\xC3\\xA9'", NULL},
        {"( 'storage' c:torch:FloatStorage '0' 'cpu' 16 N t Q", "weights-only.persistent-id"},
        {"c:torch:half", "weights-only.global"},
        {"c:torch:ComplexFloatTensor", "weights-only.global"},
        {"c:torch:nn.parameter.Parameter", "weights-only.split-name"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_rule(rows[i].words, "2.13", NULL, 0, rows[i].reason);
}

/* A load that is refused tells all that weights_only would refuse, where the caller gave a report. */
static void a_refused_load_tells_its_findings(void **state)
{
    (void)state;
    bytes file = {0};
    ptio_checkpoint *ckpt = NULL;
    ptio_report *report = NULL;
    make(&file, NET);
    assert_int_equal(ptio_report_new(NULL, &report, NULL), PTIO_OK);
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .weights_only = true, .report = report};
    assert_int_equal(ptio_load_memory(file.data, file.size, &options, &ckpt, NULL), PTIO_ERR_DENIED);
    const ptio_finding *found = ptio_report_finding(report, 0);
    assert_non_null(found);
    assert_string_equal(found->reason, "weights-only.global");
    assert_int_equal(found->name.size, strlen("Net"));
    assert_memory_equal(found->name.bytes, "Net", found->name.size);
    ptio_report_free(report);
    bytes_free(&file);
}

/* A caller of an older version of the library knows nothing of these fields. */
static void old_callers_get_the_default(void **state)
{
    (void)state;
    bytes file = {0};
    ptio_checkpoint *ckpt = NULL;
    ptio_safe_global item = {"__main__.Net", NULL};
    ptio_load_options options = {.struct_size = offsetof(ptio_load_options, allow),
                                 .weights_only = true,
                                 .allow = &item,
                                 .allow_count = 1,
                                 .rules = "of nothing"};
    make(&file, NET);
    assert_int_equal(ptio_load_memory(file.data, file.size, &options, &ckpt, NULL), PTIO_ERR_DENIED);
    options.struct_size = sizeof options;
    options.rules = NULL;
    assert_int_equal(ptio_load_memory(file.data, file.size, &options, &ckpt, NULL), PTIO_OK);
    ptio_checkpoint_free(ckpt);
    bytes_free(&file);
}

/* Each offender has its record, its byte and its name. */
static void all_are_named(void **state)
{
    (void)state;
    checked c = check("( c:my:A c:os:system c:__builtin__:eval x6C", NULL, NULL, 0);
    static const struct {
        const char *reason, *module, *name;
        uint64_t offset;
    } expected[] = {{"weights-only.opcode", "", "", 38},
                    {"weights-only.global", "my", "A", 3},
                    {"weights-only.blocked", "", "", 9},
                    {"weights-only.global", "builtins", "eval", 20}};
    assert_int_equal(ptio_report_count(c.report), COUNT(expected));
    for (size_t i = 0; i < COUNT(expected); i++) {
        const ptio_finding *finding = ptio_report_finding(c.report, i);
        assert_string_equal(finding->reason, expected[i].reason);
        assert_text(finding->record, "archive/data.pkl");
        assert_int_equal(finding->offset, expected[i].offset);
        assert_text(finding->module, expected[i].module);
        assert_text(finding->name, expected[i].name);
    }
    ptio_report_free(c.report);
}

/* ---- the lines of Python ---- */

static int collect(void *ctx, const char *text, size_t size)
{
    put(ctx, text, size);
    return 0;
}

static int stop(void *ctx, const char *text, size_t size)
{
    (void)ctx, (void)text, (void)size;
    return 1;
}

static void assert_lines(const char *words, const char *expected)
{
    checked c = check(words, NULL, NULL, 0);
    bytes lines = {0};
    assert_int_equal(ptio_print_allowing(c.report, collect, &lines, NULL), PTIO_OK);
    put(&lines, "", 1);
    assert_string_equal((const char *)lines.data, expected);
    bytes_free(&lines);
    ptio_report_free(c.report);
}

static void lines_of_python(void **state)
{
    (void)state;
    assert_lines("1", "");
    assert_lines("c:os:system", "");
    assert_lines(NET, "import __main__\ntorch.serialization.add_safe_globals([__main__.Net])\n");
    assert_lines("c:__builtin__:getattr", "torch.serialization.add_safe_globals([getattr])\n");
    assert_lines("( c:my.a:B c:my.a:C c:my.a:B c:torch:Generator t",
                 "import my.a\ntorch.serialization.add_safe_globals([my.a.B, my.a.C, torch.Generator])\n");
    assert_lines("c:numpy.core.multiarray:scalar",
                 "import numpy._core.multiarray\ntorch.serialization.add_safe_globals([(numpy._core.multiarray.scalar, "
                 "\"numpy.core.multiarray.scalar\")])\n");
    assert_lines("c:torch:contiguous_format", "torch.serialization.add_safe_globals([(torch.contiguous_format, "
                                              "\"torch.contiguous_format\")])\n");
    assert_lines("c:numpy:dtype 'i8' False True 3t R ( 3 '<' N N N -1 -1 0 t b",
                 "import numpy, numpy.dtypes\ntorch.serialization.add_safe_globals([numpy.dtype, numpy.dtypes.Int64DType])\n");
    assert_lines("c:torch._dynamo.decorators:_DimRange", "import torch._dynamo\n");
    assert_lines("( c:torch.distributed.tensor:DTensor c:torch.distributed.tensor.placement_types:Shard t",
                 "import torch.distributed.tensor\n");
    /* what no Python has for a name */
    assert_lines("( c:my:a-b c:my:1 c:my:a..b c::a c:my:\xC3\xA9 c:my:_ t",
                 "import my\ntorch.serialization.add_safe_globals([my._])\n");
}

static void lines_can_fail(void **state)
{
    (void)state;
    checked c = check(NET, NULL, NULL, 0);
    ptio_error err = {0};
    assert_int_equal(ptio_print_allowing(c.report, stop, NULL, &err), PTIO_ERR_CANCELLED);
    assert_int_equal(err.status, PTIO_ERR_CANCELLED);
    ptio_report_free(c.report);
    assert_int_equal(ptio_print_allowing(NULL, stop, NULL, NULL), PTIO_OK);
}

/* ---- the list ---- */

static ptio_status list_of(const bytes *file, const ptio_load_options *options, ptio_global_list **ret, ptio_error *err)
{
    ptio_source *source = NULL;
    assert_int_equal(ptio_source_from_memory(file->data, file->size, NULL, &source, NULL), PTIO_OK);
    ptio_status status = ptio_list_unsafe_globals_source(source, options, ret, err);
    ptio_source_free(source);
    return status;
}

static void the_list_is_sorted(void **state)
{
    (void)state;
    static const char *const expected[] = {"a.b.c", "builtins.eval", "my.A", "os.system", "z.z"};
    bytes file = {0};
    ptio_global_list *list = NULL;
    make(&file, "( c:z:z c:my:A c:os:system c:__builtin__:eval c:torch:Size c:my:A c:a.b:c c:a:b.c t");
    assert_int_equal(list_of(&file, NULL, &list, NULL), PTIO_OK);
    assert_int_equal(ptio_global_list_count(list), COUNT(expected));
    for (size_t i = 0; i < COUNT(expected); i++)
        assert_text(ptio_global_list_name(list, i), expected[i]);
    assert_null(ptio_global_list_name(list, COUNT(expected)).bytes);
    ptio_global_list_free(list);
    /* a blocked module is left out where the caller allows it, though no load takes it */
    ptio_safe_global allow[] = {{"os.system", NULL}, {"my.A", NULL}, {"x.y", "z.z"}};
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .allow = allow, .allow_count = COUNT(allow)};
    assert_int_equal(list_of(&file, &options, &list, NULL), PTIO_OK);
    assert_int_equal(ptio_global_list_count(list), 2);
    assert_text(ptio_global_list_name(list, 0), "a.b.c");
    assert_text(ptio_global_list_name(list, 1), "builtins.eval");
    ptio_global_list_free(list);
    bytes_free(&file);
    assert_int_equal(ptio_global_list_count(NULL), 0);
    assert_null(ptio_global_list_name(NULL, 0).bytes);
    ptio_global_list_free(NULL);
}

/* It is not run: a pickle that no load takes is listed all the same. */
static void what_is_listed_need_not_load(void **state)
{
    (void)state;
    bytes file = {0};
    ptio_global_list *list = NULL;
    make(&file, "a R c:my:A u");
    assert_int_equal(list_of(&file, NULL, &list, NULL), PTIO_OK);
    assert_int_equal(ptio_global_list_count(list), 1);
    ptio_global_list_free(list);
    bytes_free(&file);
}

static void what_cannot_be_listed(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        ptio_status status;
        const char *reason;
        uint64_t offset;
    } rows[] = {{"c:my:A b'x'", PTIO_ERR_DENIED, "weights-only.opcode", 8},
                {"c:my:\xFF", PTIO_ERR_FORMAT, "pickle.text", 2},
                {"x58FFFFFF7F", PTIO_ERR_FORMAT, "cut-off", 8}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        bytes file = {0};
        ptio_global_list *list = NULL;
        ptio_error err = {0};
        make(&file, rows[i].words);
        assert_int_equal(list_of(&file, NULL, &list, &err), rows[i].status);
        assert_string_equal(err.reason, rows[i].reason);
        assert_int_equal(err.offset, rows[i].offset);
        assert_string_equal(err.record, "archive/data.pkl");
        assert_null(list);
        bytes_free(&file);
    }
    bytes stream = {0}, pickle = {0};
    ptio_global_list *list = NULL;
    ptio_error err = {0};
    legacy_header(&stream);
    assert_int_equal(list_of(&stream, NULL, &list, &err), PTIO_ERR_UNSUPPORTED);
    assert_string_equal(err.reason, "weights-only.container");
    bytes_free(&stream);
    bytes_free(&pickle);
    assert_int_equal(ptio_list_unsafe_globals("no/such/file.pth", NULL, &list, NULL), PTIO_ERR_IO);
    assert_null(list);
}

/* Every allocation of a list, and of the lines of Python, fails in turn. */
static void want_of_memory(void **state)
{
    (void)state;
    bytes file = {0};
    make(&file, "( c:my:A c:os:system c:your:B c:my:C t");
    ptio_status status = PTIO_ERR_MEMORY;
    for (uint64_t n = 0; status != PTIO_OK; n++) {
        counted_memory m;
        counted_memory_init(&m);
        m.fail_at = n;
        ptio_load_options options = {PTIO_LOAD_OPTIONS, .memory = &m.hooks};
        ptio_global_list *list = NULL;
        status = list_of(&file, &options, &list, NULL);
        assert_true(status == PTIO_OK || status == PTIO_ERR_MEMORY);
        assert_int_equal(status == PTIO_OK, m.calls <= n);
        ptio_global_list_free(list);
        assert_int_equal(m.held, 0);
    }
    status = PTIO_ERR_MEMORY;
    for (uint64_t n = 0; status != PTIO_OK; n++) {
        counted_memory m;
        counted_memory_init(&m);
        m.fail_at = UINT64_MAX;
        ptio_load_options options = {PTIO_LOAD_OPTIONS};
        ptio_check_result result;
        ptio_source *source = NULL;
        bytes lines = {0};
        assert_int_equal(ptio_report_new(&m.hooks, &options.report, NULL), PTIO_OK);
        assert_int_equal(ptio_source_from_memory(file.data, file.size, NULL, &source, NULL), PTIO_OK);
        assert_int_equal(ptio_check_source(source, &options, &result, NULL), PTIO_OK);
        m.fail_at = m.calls + n;
        status = ptio_print_allowing(options.report, collect, &lines, NULL);
        assert_true(status == PTIO_OK || (status == PTIO_ERR_MEMORY && !lines.size));
        ptio_source_free(source);
        ptio_report_free(options.report);
        bytes_free(&lines);
        assert_int_equal(m.held, 0);
    }
    bytes_free(&file);
}

/* A class inside a class, a method: getattr() of what the file names. Their own names have to be allowed, too. */
static void what_getattr_reaches(void **state)
{
    (void)state;
    static const ptio_safe_global all[] = {{"getattr", NULL}, {"my.A", NULL}, {"my.A.B", NULL}, {"my.A.B.make", NULL}};
    static const char made[] = "c:__builtin__:getattr ( c:my:A 'B' t R ) NEW } 'x' 1 s b";
    static const char called[] = "c:__builtin__:getattr ( c:__builtin__:getattr ( c:my:A 'B' t R 'make' t R ) R";
    assert_rule(made, "2.13", all, 2, "weights-only.newobj");
    assert_rule(made, "2.13", all, 3, NULL);
    assert_rule(made, "2.13", all + 1, 2, "weights-only.global");
    assert_rule(called, "2.13", all, 3, "weights-only.reduce");
    assert_rule(called, "2.13", all, 4, NULL);
    static const char *const others[] = {
        "c:__builtin__:getattr ( c:my:A 'B.make' t R ) R", "c:__builtin__:getattr ( c:my:A '' t R ) R",
        "c:__builtin__:getattr ( c:my:A 'B' N t R ) R", "c:__builtin__:getattr ( ] 'B' t R ) R", "c:my:A ( c:my:A 'B' t R ) R"};
    for (size_t i = 0; i < COUNT(others); i++)
        assert_rule(others[i], "2.13", all, COUNT(all), "weights-only.reduce");
    checked c = check(called, "2.13", all, 2);
    bytes lines = {0};
    assert_int_equal(ptio_print_allowing(c.report, collect, &lines, NULL), PTIO_OK);
    put(&lines, "", 1);
    assert_string_equal((char *)lines.data, "import my\ntorch.serialization.add_safe_globals([my.A.B.make])\n");
    const ptio_finding *finding = ptio_report_finding(c.report, 0);
    assert_memory_equal(finding->message.bytes, "Trying to call reduce for unrecognized function make which belongs to my.A.B;",
                        76);
    bytes_free(&lines);
    ptio_report_free(c.report);
}

static void put_chars(bytes *out, const char *text)
{
    put(out, text, strlen(text));
}

/* A chain that is longer than any program has, and a name longer than there is room for. */
static void what_getattr_cannot_reach(void **state)
{
    (void)state;
    static const ptio_safe_global get = {"getattr", NULL};
    bytes words = {0};
    for (int i = 0; i < 40; i++)
        put_chars(&words, "c:__builtin__:getattr ( ");
    put_chars(&words, "c:torch:Tensor ");
    for (int i = 0; i < 40; i++)
        put_chars(&words, "'a' t R ");
    put_chars(&words, ") R");
    put(&words, "", 1);
    assert_rule((char *)words.data, "2.13", &get, 1, "weights-only.reduce");
    words.size = 0;
    put_chars(&words, "c:__builtin__:getattr ( c:torch:Tensor '");
    for (int i = 0; i < 600; i++)
        put_chars(&words, "a");
    put_chars(&words, "' t R ) R");
    put(&words, "", 1);
    assert_rule((char *)words.data, "2.13", &get, 1, "weights-only.reduce");
    bytes_free(&words);
}

/* A pickle of usual opcodes is not gone through again. */
static void usual_opcodes_are_taken(void **state)
{
    (void)state;
    for (unsigned opcode = 0; opcode < 256; opcode++)
        if (ptio_opcode_usual[opcode])
            assert_true(ptio_weights_only_opcode((uint8_t)opcode));
    assert_false(ptio_opcode_usual[PTIO_OP_SHORT_BINSTRING]); /* its bytes are looked at */
    assert_rule("'a'", "2.13", NULL, 0, NULL);
    assert_rule("b'a'", "2.13", NULL, 0, "weights-only.opcode");
    assert_rule("s'a'", "2.13", NULL, 0, NULL);
    assert_rule("s'\\xff'", "2.13", NULL, 0, "weights-only.text");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(releases_differ),
        cmocka_unit_test(rules_must_be_known),
        cmocka_unit_test(what_is_allowed),
        cmocka_unit_test(what_python_refuses),
        cmocka_unit_test(a_refused_load_tells_its_findings),
        cmocka_unit_test(old_callers_get_the_default),
        cmocka_unit_test(all_are_named),
        cmocka_unit_test(lines_of_python),
        cmocka_unit_test(lines_can_fail),
        cmocka_unit_test(what_getattr_reaches),
        cmocka_unit_test(what_getattr_cannot_reach),
        cmocka_unit_test(the_list_is_sorted),
        cmocka_unit_test(what_is_listed_need_not_load),
        cmocka_unit_test(what_cannot_be_listed),
        cmocka_unit_test(usual_opcodes_are_taken),
        cmocka_unit_test(want_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
