/*
 * Objects that are written by forms, and whole modules and optimizers: what Python prints of them.
 */
#include "print/collect.h"
#include "support/build.h"

static const char *text_of(const loaded *l, const ptio_print_options *options, ptio_status expected)
{
    static collected c;
    ptio_error err = {0};
    c.size = 0;
    c.text[0] = '\0';
    ptio_status status = ptio_print(ptio_root(l->ckpt), options, collect, &c, &err);
    if (status != expected)
        fail_msg("%s", err.message);
    return c.text;
}

/* The repr() and the print() of a pickle. */
static void shows(const char *words, const char *repr, const char *bare)
{
    loaded l = {0};
    ptio_print_options options = {PTIO_PRINT_OPTIONS, .bare = true};
    load(&l, "%s", words);
    assert_string_equal(text_of(&l, NULL, PTIO_OK), repr);
    assert_string_equal(text_of(&l, &options, PTIO_OK), bare ? bare : repr);
    loaded_free(&l);
}

static void dates_and_times(void **state)
{
    (void)state;
    shows("c:datetime:date s'\\x07\\xe8\\x02\\x1d' 1t R", "datetime.date(2024, 2, 29)", "2024-02-29");
    shows("c:datetime:datetime s'\\x07\\xe8\\x02\\x1d\\x0c\\x1e\\x01\\x00\\x00\\x05' 1t R",
          "datetime.datetime(2024, 2, 29, 12, 30, 1, 5)", "2024-02-29 12:30:01.000005");
    shows("c:datetime:datetime s'\\x07\\xe8\\x82\\x1d\\x0c\\x00\\x00\\x00\\x00\\x00' 1t R",
          "datetime.datetime(2024, 2, 29, 12, 0, fold=1)", "2024-02-29 12:00:00");
    shows("c:datetime:time s'\\x01\\x02\\x03\\x00\\x00\\x00' 1t R", "datetime.time(1, 2, 3)", "01:02:03");
    shows("c:datetime:timedelta ( 1 2 3 t R", "datetime.timedelta(days=1, seconds=2, microseconds=3)", "1 day, 0:00:02.000003");
    shows("c:datetime:timedelta ( 0 0 0 t R", "datetime.timedelta(0)", "0:00:00");
    shows("c:datetime:timezone c:datetime:timedelta ( 0 0 0 t R 1t R", "datetime.timezone.utc", "UTC");
    shows("c:datetime:time s'\\x01\\x02\\x00\\x00\\x00\\x00' c:datetime:timezone c:datetime:timedelta ( 0 3600 0 t R 'CET' 2t R "
          "2t R",
          "datetime.time(1, 2, tzinfo=datetime.timezone(datetime.timedelta(seconds=3600), 'CET'))", "01:02:00+01:00");
    shows("c:datetime:date s'\\x07' 1t R", "datetime.date('\\x07')", ""); /* no date */
}

static void numbers_and_names(void **state)
{
    (void)state;
    shows("c:decimal:Decimal '1.50' 1t R", "Decimal('1.50')", "1.50");
    shows("c:fractions:Fraction '3/7' 1t R", "Fraction(3, 7)", "3/7");
    shows("c:fractions:Fraction 2 1 2t R", "Fraction(2, 1)", "2");
    shows("c:uuid:UUID ) NEW } 'int' 5 s b", "UUID('00000000-0000-0000-0000-000000000005')",
          "00000000-0000-0000-0000-000000000005");
    shows("c:pathlib:PosixPath '/' 'a' 'b.txt' 3t R", "PosixPath('/a/b.txt')", "/a/b.txt");
    shows("c:pathlib:PureWindowsPath 'C:\\x5c' 'a' 'b' 3t R", "PureWindowsPath('C:/a/b')", "C:\\a\\b");
    shows("c:pathlib:PosixPath ) R", "PosixPath('.')", ".");
    shows("c:builtins:slice 1 N 2 3t R", "slice(1, None, 2)", NULL);
    shows("c:builtins:range 0 3 1 3t R", "range(0, 3)", NULL);
    shows("c:re:_compile 'a+' 34 2t R", "re.compile('a+', re.IGNORECASE)", NULL);
    shows("c:argparse:Namespace ) NEW } ( 'lr' f0.5 'n' 'x' u b", "Namespace(lr=0.5, n='x')", NULL);
    shows("c:types:SimpleNamespace ) R } b", "namespace()", NULL);
    shows("c:functools:partial c:builtins:int 1t R ( c:builtins:int ) } 'base' 2 s N t b",
          "functools.partial(<class 'int'>, base=2)", NULL);
    shows("c:builtins:bytearray b'it\\qs' 1t R", "bytearray(b\"it\\'s\")", NULL);
    shows("c:my:Net.forward", "<ptio function my.Net.forward>", NULL);
    shows("c:torch.nn.functional:relu", "<ptio function torch.nn.functional.relu>", NULL);
    shows("c:datetime:datetime", "<class 'datetime.datetime'>", NULL);
    shows("c:torch.cuda:default_stream", "<ptio global torch.cuda.default_stream>",
          NULL); /* a function; a class may be called so */
    shows("c:numpy:float32", "<class 'numpy.float32'>", NULL);
    shows("c:argparse:Namespace ) NEW } ( 'a-b' 1 'lr' 2 'c d' ] u b", "Namespace(lr=2, **{'a-b': 1, 'c d': []})", NULL);
    shows("c:array:array 'u' ] ( 'a' 'b' e 2t R", "array('u', 'ab')", NULL);
    shows("c:array:array 'b' ] 2t R", "array('b')", NULL);
    shows("c:array:array 'd' ] ( f0.5 e 2t R", "array('d', [0.5])", NULL);
    shows("c:array:_array_reconstructor ( c:array:array 'h' 5 b'\\x00\\x01\\xff\\xff' t R", "array('h', [1, -1])", NULL);
    shows("c:re:RegexFlag 10 1t R", "re.IGNORECASE|re.MULTILINE", NULL);
    const char *flag = "c:__builtin__:getattr c:re:RegexFlag 'MULTILINE' 2t R";
    shows(flag, "re.MULTILINE", NULL);
    char both[300];
    (void)snprintf(both, sizeof both, "c:_operator:or_ %s c:__builtin__:getattr c:re:RegexFlag 'IGNORECASE' 2t R 2t R", flag);
    shows(both, "re.IGNORECASE|re.MULTILINE", NULL);
    shows("c:_operator:or_ c:_operator:or_ c:re:RegexFlag 16 1t R 8 2t R 2 2t R", "re.IGNORECASE|re.MULTILINE|re.DOTALL", NULL);
    shows("c:_operator:or_ 'x' 1 2t R", "<ptio object _operator.or_ args=('x', 1)>", NULL);
    shows("c:ipaddress:IPv4Address 2130706433 1t R", "IPv4Address('127.0.0.1')", "127.0.0.1");
    shows("c:ipaddress:IPv6Address 0 1t R", "IPv6Address('::')", "::");
    shows("c:ipaddress:IPv6Address 29465 1t R", "IPv6Address('::7319')", "::7319");
    shows("c:ipaddress:IPv6Address 281470698652420 1t R", "IPv6Address('::ffff:1.2.3.4')", "::ffff:1.2.3.4");
    shows("c:ipaddress:IPv6Address 4294967296 1t R", "IPv6Address('::1:0:0')", "::1:0:0");
    shows("c:ipaddress:IPv6Address 'fe80::1%3' 1t R", "IPv6Address('fe80::1%3')", "fe80::1%3");
    shows("c:ipaddress:IPv6Network '1::/64' 1t R", "IPv6Network('1::/64')", "1::/64");
    shows("c:collections:ChainMap ) NEW } 'maps' ] ( } } e s b", "ChainMap({}, {})", NULL);
    shows("c:datetime:timezone c:datetime:timedelta ( 0 -3600 0 t R 1t R", "datetime.timezone(datetime.timedelta(seconds=-3600))",
          "UTC-01:00");
    shows("c:my:Outer.Inner", "<class 'my.Outer.Inner'>", NULL);
    shows("c:torch:device 'cuda' 1 2t R", "device(type='cuda', index=1)", "cuda:1");
}

static void exceptions(void **state)
{
    (void)state;
    shows("c:builtins:ValueError 'bad' 3 2t R", "ValueError('bad', 3)", "('bad', 3)");
    shows("c:builtins:ValueError 'bad' 1t R", "ValueError('bad')", "bad");
    shows("c:builtins:OSError 13 'no' 2t R", "PermissionError(13, 'no')", "[Errno 13] no");
    shows("c:builtins:OSError 'no' 1t R", "OSError('no')", "no");
    shows("c:builtins:KeyError 'k' 1t R", "KeyError('k')", "'k'");
    shows("c:builtins:FileNotFoundError 2 'none' 'f' 3t R", "FileNotFoundError(2, 'none')", "[Errno 2] none: 'f'");
    shows("c:builtins:Exception ) R", "Exception()", "");
}

/* Controls are escaped but with raw; backslashes stand for themselves. */
static void bare_texts(void **state)
{
    (void)state;
    loaded l = {0};
    ptio_print_options options = {PTIO_PRINT_OPTIONS, .bare = true};
    load(&l, "'a\\x1b[2J\\x5cn\\x0a'");
    assert_string_equal(text_of(&l, &options, PTIO_OK), "a\\x1b[2J\\n\\n");
    options.raw = true;
    assert_string_equal(text_of(&l, &options, PTIO_OK), "a\x1b[2J\\n\n");
    loaded_free(&l);
}

/* print(d.keys()) */
static void keys_of_dicts(void **state)
{
    (void)state;
    loaded l = {0};
    ptio_print_options options = {.struct_size = sizeof options, .keys = true};
    load(&l, "c:collections:OrderedDict ) R 'a' 1 s 'b' 2 s");
    assert_string_equal(text_of(&l, &options, PTIO_OK), "odict_keys(['a', 'b'])");
    load(&l, "} ( 1 N u");
    assert_string_equal(text_of(&l, &options, PTIO_OK), "dict_keys([1])");
    load(&l, "] ( 1 e");
    (void)text_of(&l, &options, PTIO_ERR_ARGUMENT);
    loaded_free(&l);
}

static void versions_of_python(void **state)
{
    (void)state;
    loaded l = {0};
    ptio_print_options options = {PTIO_PRINT_OPTIONS, .python = 311};
    load(&l, "c:collections:OrderedDict ) R 'a' 1 s");
    assert_string_equal(text_of(&l, &options, PTIO_OK), "OrderedDict([('a', 1)])");
    options.python = 312;
    assert_string_equal(text_of(&l, &options, PTIO_OK), "OrderedDict({'a': 1})");
    options =
        (ptio_print_options){.struct_size = offsetof(ptio_print_options, python), .python = 311}; /* a field it does not know */
    assert_string_equal(text_of(&l, &options, PTIO_OK), "OrderedDict({'a': 1})");
    loaded_free(&l);
}

#define MODULE(class, state, modules) \
    "c:" class " ) NEW } ( " state " '_parameters' } '_buffers' } '_modules' } ( " modules "u u b "
#define LINEAR "'in_features' 2 'out_features' 3 'bias' N"
#define RELU MODULE("torch.nn.modules.activation:ReLU", "'inplace' False", "")
#define LIST "torch.nn.modules.container:ModuleList"

static void modules(void **state)
{
    (void)state;
    shows(MODULE("torch.nn.modules.linear:Linear", LINEAR, ""), "Linear(in_features=2, out_features=3, bias=False)", NULL);
    shows(MODULE("my:Net", "", "'fc' " MODULE("torch.nn.modules.linear:Linear", LINEAR, "") "'none' N "),
          "Net(\n  (fc): Linear(in_features=2, out_features=3, bias=False)\n  (none): None\n)", NULL);
    shows(MODULE("my:Net", "", ""), "Net()", NULL);
    shows(MODULE(LIST, "", ""), "ModuleList()", NULL);
    shows(MODULE(LIST, "", "'0' " RELU "'1' " RELU "'2' N '3' " RELU),
          "ModuleList(\n  (0-1): 2 x ReLU()\n  (2): None\n  (3): ReLU()\n)", NULL);
    shows(MODULE(LIST, "", "'0' " MODULE("my:A", "", "'b' " RELU) "'1' " MODULE("my:A", "", "'b' " RELU)),
          "ModuleList(\n  (0-1): 2 x A(\n    (b): ReLU()\n  )\n)", NULL);
    shows(MODULE("torch.nn.modules.conv:Conv1d",
                 "'in_channels' 1 'out_channels' 2 'kernel_size' 3 1t 'stride' 1 1t 'padding' 'same' 'dilation' 1 1t "
                 "'output_padding' 0 1t "
                 "'groups' 1 'bias' 1 'padding_mode' 'zeros'",
                 ""),
          "Conv1d(1, 2, kernel_size=(3,), stride=(1,), padding=same)", NULL);
    /* What a file leaves out is told, and what it puts in a wrong place is written all the same. */
    shows(MODULE("torch.nn.modules.linear:Linear", "'in_features' ] ( 1 e", "'x' 5 "),
          "Linear(\n  in_features=[1], out_features=<ptio nothing>, bias=False\n  (x): 5\n)", NULL);
}

/* Quantized modules and those of quantization aware training, by the names of every release. */
static void quantized_modules(void **state)
{
    (void)state;
    shows(MODULE("torch.ao.nn.qat.modules.linear:Linear", LINEAR, ""), "Linear(in_features=2, out_features=3, bias=False)", NULL);
    shows(MODULE("torch.nn.intrinsic.qat.modules.linear_relu:LinearReLU", LINEAR, "'q' " RELU),
          "LinearReLU(\n  in_features=2, out_features=3, bias=False\n  (q): ReLU()\n)", NULL);
    shows(MODULE("torch.ao.nn.quantized.reference.modules.linear:Linear", LINEAR, ""),
          "QuantizedLinear(Reference)(in_features=2, out_features=3, bias=False)", NULL);
    shows(MODULE("torch.nn.quantized.modules.activation:Hardswish", "", ""), "QuantizedHardswish()", NULL);
    shows(MODULE("torch.quantization.observer:MinMaxObserver", "'min_val' f0.5 'max_val' f2.0", ""),
          "MinMaxObserver(min_val=0.5, max_val=2.0)", NULL);
    shows(MODULE("torch.ao.quantization.observer:NoopObserver", "", ""), "NoopObserver()", NULL);
}

/* What a distribution was made with is told, and what it computes is not. */
static void distributions(void **state)
{
    (void)state;
    shows("c:torch.distributions.normal:Normal ) NEW } ( 'scale' f1.0 'loc' f0.5 u b", "Normal(loc: 0.5, scale: 1.0)", NULL);
    shows("c:torch.distributions.bernoulli:Bernoulli ) NEW } 'logits' f0.5 s b", "Bernoulli(logits: 0.5)", NULL);
    shows("c:torch.distributions.beta:Beta ) NEW } b", "Beta()", NULL);
    shows("c:torch.distributions.transforms:ComposeTransform ) NEW } 'parts' ] ( c:torch.distributions.transforms:ExpTransform ) "
          "NEW "
          "} b c:torch.distributions.transforms:AbsTransform ) NEW } b e s b",
          "ComposeTransform(\n    ExpTransform(),\n    AbsTransform()\n)", NULL);
    shows("c:torch.distributions.constraints:_Interval ) NEW } ( 'lower_bound' 0 'upper_bound' 1 u b",
          "Interval(lower_bound=0, upper_bound=1)", NULL);
    shows("c:torch.nn.parameter:UninitializedBuffer N N N 3t R", "<UninitializedBuffer>", NULL);
}

static void modules_in_themselves(void **state)
{
    (void)state;
    shows("c:my:Net ) NEW p1 } ( '_parameters' } '_buffers' } '_modules' } 'me' g1 s u b", "Net(\n  (me): Net(...)\n)", NULL);
    shows("c:" LIST " ) NEW p1 } ( '_parameters' } '_buffers' } '_modules' } '0' g1 s u b",
          "ModuleList(\n  (0): ModuleList(...)\n)", NULL);
}

static void modules_have_limits(void **state)
{
    (void)state;
    loaded l = {0};
    ptio_print_options options = {PTIO_PRINT_OPTIONS, .max_items = 1};
    load(&l, MODULE("my:Net", "", "'a' " RELU "'b' " RELU));
    assert_string_equal(text_of(&l, &options, PTIO_OK), "Net(\n  (a): ReLU()\n  ...\n)");
    load(&l, MODULE(LIST, "", "'0' " RELU "'1' " RELU));
    assert_string_equal(text_of(&l, &options, PTIO_OK), "ModuleList(\n  (0): ReLU()\n  ...\n)");
    options = (ptio_print_options){PTIO_PRINT_OPTIONS, .max_depth = 1};
    assert_string_equal(text_of(&l, &options, PTIO_OK), "ModuleList(\n  (0-1): 2 x ReLU(...)\n)");
    options = (ptio_print_options){PTIO_PRINT_OPTIONS, .precision = 61};
    (void)text_of(&l, &options, PTIO_ERR_ARGUMENT);
    loaded_free(&l);
}

static void optimizers(void **state)
{
    (void)state;
    shows("c:my:Opt ) NEW } ( 'defaults' } 'state' } 'param_groups' ] } ( 'params' ] 'lr' f0.5 'betas' 1 2 2t 'mode' 'a' u a u b",
          "Opt (\nParameter Group 0\n    betas: (1, 2)\n    lr: 0.5\n    mode: a\n)", NULL);
    shows("c:my:Opt ) NEW } ( 'defaults' } 'state' } 'param_groups' ] u b", "Opt ()", NULL);
}

static int drop(void *ctx, const char *text, size_t size)
{
    (void)ctx, (void)text, (void)size;
    return 0;
}

/* Every module's text, each of which holds the next, is written with as many blanks: the budget ends that. */
static void deep_modules_end(void **state)
{
    (void)state;
    enum { DEPTH = 100000 };
    const char *head = "c:my:N ) NEW } ( '_parameters' } '_buffers' } '_modules' } 'a' ", *tail = "s u b ";
    size_t head_size = strlen(head), tail_size = strlen(tail), size = 0;
    char *words = malloc(DEPTH * (head_size + tail_size) + 8);
    assert_non_null(words);
    for (int i = 0; i < DEPTH; i++, size += head_size)
        memcpy(words + size, head, head_size);
    memcpy(words + size, "N ", 2);
    size += 2;
    for (int i = 0; i < DEPTH; i++, size += tail_size)
        memcpy(words + size, tail, tail_size);
    words[size] = '\0';
    loaded l = {0};
    ptio_error err = {0};
    load(&l, "%s", words);
    free(words);
    assert_int_equal(ptio_print(ptio_root(l.ckpt), NULL, drop, NULL, &err), PTIO_ERR_LIMIT);
    assert_string_equal(err.reason, "limit.walk");
    loaded_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_and_times),
        cmocka_unit_test(numbers_and_names),
        cmocka_unit_test(exceptions),
        cmocka_unit_test(bare_texts),
        cmocka_unit_test(keys_of_dicts),
        cmocka_unit_test(versions_of_python),
        cmocka_unit_test(modules),
        cmocka_unit_test(quantized_modules),
        cmocka_unit_test(distributions),
        cmocka_unit_test(modules_in_themselves),
        cmocka_unit_test(modules_have_limits),
        cmocka_unit_test(optimizers),
        cmocka_unit_test(deep_modules_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
