#include "tensor/world.h"

static void names_and_sizes(void **state)
{
    (void)state;
    for (unsigned i = PTIO_NO_DTYPE + 1; i < PTIO_DTYPE_COUNT; i++) {
        ptio_dtype dtype = (ptio_dtype)i;
        char full[64];
        (void)snprintf(full, sizeof full, "torch.%s", ptio_dtype_name(dtype));
        assert_int_equal(ptio_dtype_from_name(ptio_dtype_name(dtype)), dtype);
        assert_int_equal(ptio_dtype_from_name(full), dtype);
        size_t size = ptio_dtype_itemsize(dtype), unit = ptio_dtype_rows[dtype].swap;
        assert_true(size >= 1 && size <= 16 && unit >= 1 && size % unit == 0);
        assert_int_equal(unit, ptio_dtype_rows[dtype].class_ == PTIO_DTYPE_COMPLEX ? size / 2 : size);
    }
    assert_string_equal(ptio_dtype_name(PTIO_NO_DTYPE), "");
    assert_string_equal(ptio_dtype_name(PTIO_DTYPE_COUNT), "");
    assert_int_equal(ptio_dtype_itemsize(PTIO_NO_DTYPE), 0);
    assert_int_equal(ptio_dtype_itemsize(PTIO_COMPLEX128), 16);
}

static void aliases(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        ptio_dtype dtype;
    } rows[] = {
        {"double", PTIO_FLOAT64},   {"float", PTIO_FLOAT32},      {"half", PTIO_FLOAT16},      {"long", PTIO_INT64},
        {"int", PTIO_INT32},        {"short", PTIO_INT16},        {"cfloat", PTIO_COMPLEX64},  {"cdouble", PTIO_COMPLEX128},
        {"chalf", PTIO_COMPLEX32},  {"torch.half", PTIO_FLOAT16}, {"", PTIO_NO_DTYPE},         {"torch.", PTIO_NO_DTYPE},
        {"Float32", PTIO_NO_DTYPE}, {"float3", PTIO_NO_DTYPE},    {"float321", PTIO_NO_DTYPE}, {"strided", PTIO_NO_DTYPE}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(ptio_dtype_from_name(rows[i].name), rows[i].dtype);
    assert_int_equal(ptio_dtype_from_name(NULL), PTIO_NO_DTYPE);
}

static void classes(void **state)
{
    (void)state;
    assert_int_equal(ptio_dtype_from_storage_class(PTIO_TEXT("FloatStorage")), PTIO_FLOAT32);
    assert_int_equal(ptio_dtype_from_storage_class(PTIO_TEXT("BFloat16Storage")), PTIO_BFLOAT16);
    assert_int_equal(ptio_dtype_from_storage_class(PTIO_TEXT("ComplexDoubleStorage")), PTIO_COMPLEX128);
    assert_int_equal(ptio_dtype_from_storage_class(PTIO_TEXT("QUInt2x4Storage")), PTIO_QUINT2X4);
    assert_int_equal(ptio_dtype_from_tensor_class(PTIO_TEXT("FloatTensor")), PTIO_FLOAT32);
    assert_int_equal(ptio_dtype_from_tensor_class(PTIO_TEXT("ByteTensor")), PTIO_UINT8);
    static const char *const wrong[] = {"UntypedStorage", "TypedStorage", "Storage", "FloatTensor", "Float", "", "FloatStorage2"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(ptio_dtype_from_storage_class(ptio_text_of(wrong[i])), PTIO_NO_DTYPE);
    static const char *const no_tensors[] = {"Tensor", "FloatStorage", "UntypedTensor", "NestedTensor", ""};
    for (size_t i = 0; i < sizeof no_tensors / sizeof *no_tensors; i++)
        assert_int_equal(ptio_dtype_from_tensor_class(ptio_text_of(no_tensors[i])), PTIO_NO_DTYPE);
}

static void every_storage_class_has_one_dtype(void **state)
{
    (void)state;
    for (unsigned i = PTIO_NO_DTYPE + 1; i < PTIO_DTYPE_COUNT; i++) {
        const char *name = ptio_dtype_rows[i].storage_class;
        if (*name)
            assert_int_equal(ptio_dtype_from_storage_class(ptio_text_of(name)), i);
    }
}

static void layouts_and_schemes(void **state)
{
    (void)state;
    assert_string_equal(ptio_layout_name(PTIO_STRIDED), "torch.strided");
    assert_string_equal(ptio_layout_name(PTIO_SPARSE_BSC), "torch.sparse_bsc");
    assert_string_equal(ptio_layout_name(PTIO_NESTED), "torch.strided");
    assert_string_equal(ptio_layout_name(PTIO_JAGGED), "torch.jagged");
    assert_string_equal(ptio_qscheme_name(PTIO_NOT_QUANTIZED), "");
    assert_string_equal(ptio_qscheme_name(PTIO_PER_CHANNEL_AFFINE_FLOAT_QPARAMS), "torch.per_channel_affine_float_qparams");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_sizes),
        cmocka_unit_test(aliases),
        cmocka_unit_test(classes),
        cmocka_unit_test(every_storage_class_has_one_dtype),
        cmocka_unit_test(layouts_and_schemes),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
