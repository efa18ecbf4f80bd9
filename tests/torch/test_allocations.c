/*
 * Want of memory: for files of every container, the n-th allocation of a load and of all that follows fails, n = 0, 1, 2 … Each time the
 * status is PTIO_ERR_MEMORY, nothing leaks, and no file becomes another one.
 */
#include "support/exercise.h"
#include "support/build.h"

#define DTYPE(code, order) "c:numpy:dtype '" code "' False True 3t R ( 3 '" order "' N N N -1 -1 0 t b "
#define ARRAY "c:numpy.core.multiarray:_reconstruct c:numpy:ndarray 0 1t b'b' 3t R "

/* What a program does with a file: the status, and a number made of all it was told. */
static ptio_status use(const bytes *file, const ptio_memory *memory, bool strict, uint64_t *told, ptio_error *err)
{
    ptio_checkpoint *ckpt = NULL;
    ptio_module *module = NULL;
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .memory = memory, .weights_only = strict};
    ptio_walk_options walk = {PTIO_WALK_OPTIONS, .arguments = true, .memory = memory};
    exercise x = {.fold = FOLD_BEGIN};
    ptio_status status = ptio_load_memory(file->data, file->size, &options, &ckpt, err);
    x.ckpt = ckpt;
    if (status == PTIO_OK)
        status = ptio_walk(ptio_root(ckpt), &walk, exercise_visit, &x, err);
    if (status == PTIO_OK && x.status != PTIO_OK) {
        status = x.status;
        *err = x.err;
    }
    if (status == PTIO_OK && ptio_value_is_module(ptio_root(ckpt)))
        status = ptio_module_open(ckpt, ptio_root(ckpt), &module, err);
    *told = x.fold.value;
    ptio_module_free(module);
    ptio_checkpoint_free(ckpt);
    return status;
}

static void fail_each(const char *what, const bytes *file, bool strict, ptio_status expected)
{
    uint64_t whole = 0;
    ptio_error err = {0};
    counted_memory m;
    counted_memory_init(&m);
    if (use(file, &m.hooks, strict, &whole, &err) != expected)
        fail_msg("%s: %s", what, err.message);
    assert_int_equal(m.held, 0);
    uint64_t calls = m.calls;
    assert_true(calls > 5);
    for (uint64_t n = 0; n < calls; n++) {
        uint64_t told = 0;
        err = (ptio_error){0};
        counted_memory_init(&m);
        m.fail_at = n;
        ptio_status status = use(file, &m.hooks, strict, &told, &err);
        if (status == expected && told == whole && expected == PTIO_OK) /* it did without: a table that grows may stay small */
            continue;
        if (status != PTIO_ERR_MEMORY || err.status != PTIO_ERR_MEMORY)
            fail_msg("%s, allocation %llu of %llu: %s, %s", what, (unsigned long long)n, (unsigned long long)calls,
                     ptio_status_text(status), err.message);
        if (m.held)
            fail_msg("%s, allocation %llu: %zu bytes leak", what, (unsigned long long)n, m.held);
    }
}

static void fail_zip(const char *what, bool strict, ptio_status expected, const char *words)
{
    bytes data_pkl = {0}, file = {0};
    pickle(&data_pkl, "proto2 %s .", words);
    usual_zip(&file, &data_pkl);
    fail_each(what, &file, strict, expected);
    bytes_free(&data_pkl);
    bytes_free(&file);
}

static void zips(void **state)
{
    (void)state;
    fail_zip("a state dict", true, PTIO_OK,
             "c:collections:OrderedDict ) R ( 'w' " TENSOR(0, 4) "'v' " LONG_TENSOR(
                 0, 4) "u } '_metadata' c:collections:OrderedDict ) R s b");
    fail_zip("values", false, PTIO_OK,
             "] ( 'x' b'y' s'z' s'\\xff' c:builtins:complex 1 2 2t R c:builtins:set ] 1 a 1t R c:_codecs:encode '\\xc3\\xbf' "
             "'latin1' 2t R "
             "c:collections:OrderedDict ] ] ( 'a' 1 e a 1t R c:torch:Size 1 1t 1t R c:torch:device 'cpu' 1t R c:my:K 1 1t R 7 b "
             "c:__builtin__:getattr c:my:Outer 'Inner' 2t R c:builtins:type N 1t R } ( 1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8 9 9 ( 1 2 "
             "t 3 u e");
    fail_zip("a module", false, PTIO_OK,
             "c:my:Net ) NEW } ( 'training' True '_parameters' } 'w' " TENSOR(
                 0, 4) "s '_buffers' } '_modules' } 'fc' c:my:Fc ) NEW } ( "
                       "'_parameters' } 'w' 1 s '_buffers' } 'b' 2 s '_modules' } u b s u b");
    fail_zip("parameters", true, PTIO_OK, "c:torch._utils:_rebuild_parameter_with_state ( " TENSOR(0, 4) "True N } 'a' 1 s t R");
    fail_zip("a subclass", false, PTIO_OK,
             "c:torch._tensor:_rebuild_from_type_v2 ( c:torch._utils:_rebuild_tensor_v2 c:my:T ( " FLOATS
             "0 1 1t 1 1t False N t N t R");
}

static void composed_tensors(void **state)
{
    (void)state;
    fail_zip("a sparse tensor", false, PTIO_OK,
             "c:torch._utils:_rebuild_sparse_tensor c:torch.serialization:_get_layout 'torch.sparse_csr' 1t R ( " LONG_TENSOR(
                 0, 3) LONG_TENSOR(0, 2) TENSOR(1, 2) "2 4 2t t 2t R");
    fail_zip("a quantized tensor", false, PTIO_OK,
             "c:torch._utils:_rebuild_qtensor ( ( 'storage' c:torch:QInt8Storage '2' 'cpu' 16 t Q 0 2 3 2t 3 1 2t "
             "( c:torch:per_channel_affine ] ( f0.5 f2 e ] ( 1 3 e 0 t False N t R");
    fail_zip(
        "a jagged tensor", false, PTIO_OK,
        "c:torch.nested._internal.nested_tensor:_rebuild_njt } ( 'values' " TENSOR(0, 6) "'offsets' " LONG_TENSOR(0, 4) "u 1t R");
    fail_zip("a cast tensor", false, PTIO_OK,
             "c:torch._utils:_rebuild_device_tensor_from_cpu_tensor ( " TENSOR(3, 2) "c:torch:int32 'xla:0' False t R");
}

static void arrays(void **state)
{
    (void)state;
    fail_zip("an array", false, PTIO_OK,
             ARRAY "( 1 2 1t " DTYPE("i2", ">") "False c:_codecs:encode '\\xc3\\xbf123' 'latin1' 2t R t b");
    fail_zip("times", false, PTIO_OK,
             ARRAY "( 1 1 1t c:numpy:dtype 'm8' False True 3t R ( 4 '<' N N N -1 -1 0 N ( c:_codecs:encode 'ns' 'latin1' 2t R 1 "
                   "1 1 t 2t t b "
                   "False b'12345678' t b");
    fail_zip("a structured array", false, PTIO_OK,
             ARRAY "( 1 1 1t c:numpy:dtype 'V3' False True 3t R ( 3 '|' N ( 'a' 'b' t } ( 'a' " DTYPE(
                 "i2", "<") "0 2t 'b' " DTYPE("u1", "|") "2 2t u 3 1 16 t b False b'123' t b");
    fail_zip("a scalar", false, PTIO_OK, "c:numpy.core.multiarray:scalar " DTYPE("i2", "<") "b'12' 2t R");
}

static void streams(void **state)
{
    (void)state;
    bytes stream = {0}, plain = {0};
    legacy_header(&stream);
    pickle(&stream, "proto2 ] ( ( 'storage' c:torch:FloatStorage '1' 'cpu' 16 'v' 4 8 3t t Q ( 'storage' c:torch:FloatStorage "
                    "'1' 'cpu' 16 N t Q e .");
    pickle(&stream, "proto2 ] '1' a .");
    put_le(&stream, 16, 8);
    put(&stream, floats, sizeof floats);
    fail_each("a legacy stream", &stream, false, PTIO_OK);
    stream.size = 0;
    legacy_header(&stream);
    pickle(&stream, "proto2 ( 'storage' c:torch:FloatStorage '1' 'cpu' 16 N t Q . proto2 ] '1' a .");
    put_le(&stream, 16, 8);
    put(&stream, floats, sizeof floats);
    pickle(&plain, "proto2 c:torch.storage:_load_from_bytes x42");
    put_le(&plain, stream.size, 4);
    put(&plain, stream.data, stream.size);
    pickle(&plain, "1t R . proto2 'another' .");
    fail_each("a stream in a plain pickle", &plain, false, PTIO_OK);
    bytes_free(&stream);
    bytes_free(&plain);
}

static void a_tar(void **state)
{
    (void)state;
    bytes storages = {0}, tensors = {0}, object = {0}, file = {0};
    pickle(&storages, "proto2 1 . proto2 1 'cpu' c:torch:FloatStorage 3t .");
    put_le(&storages, 16, 8);
    put(&storages, floats, sizeof floats);
    pickle(&storages, "proto2 ] ( 2 1 4 8 t a .");
    pickle(&tensors, "proto2 1 . proto2 3 2 c:torch:FloatTensor 3t .");
    put_le(&tensors, 1, 8);
    put_le(&tensors, 8, 8);
    put_le(&tensors, 1, 8);
    put_le(&tensors, 0, 8);
    pickle(&object, "proto2 3 Q .");
    tar_member(&file, "storages", &storages);
    tar_member(&file, "tensors", &tensors);
    tar_member(&file, "pickle", &object);
    tar_end(&file);
    fail_each("a tar", &file, false, PTIO_OK);
    bytes_free(&storages);
    bytes_free(&tensors);
    bytes_free(&object);
    bytes_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zips),  cmocka_unit_test(composed_tensors), cmocka_unit_test(arrays), cmocka_unit_test(streams),
        cmocka_unit_test(a_tar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
