/*
 * The functions that rebuild tensors, of every era: with the arguments that writers give them, and with each wrong one.
 */
#include <math.h>

#include "support/build.h"

#define V2 "c:torch._utils:_rebuild_tensor_v2 "
#define V3 "c:torch._utils:_rebuild_tensor_v3 "
#define ARGUMENTS "rebuild.arguments"

static const ptio_tensor *tensor_of(const loaded *l)
{
    const ptio_tensor *tensor = ptio_value_tensor(l->root);
    if (!tensor)
        fail_msg("the root is no tensor but %s", ptio_kind_name(ptio_value_kind(l->root)));
    assert_int_equal(ptio_value_kind(l->root), PTIO_KIND_TENSOR);
    return tensor;
}

static void assert_dims(const ptio_tensor *tensor, size_t ndim, const int64_t *shape, const int64_t *stride)
{
    assert_int_equal(ptio_tensor_ndim(tensor), ndim);
    for (size_t i = 0; i < ndim; i++) {
        assert_int_equal(ptio_tensor_shape(tensor)[i], shape[i]);
        assert_int_equal(ptio_tensor_stride(tensor)[i], stride[i]);
    }
}

static double first_element(const ptio_tensor *tensor)
{
    double all[64];
    assert_true(ptio_tensor_numel(tensor) <= 64);
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_FLOAT64, all, ptio_tensor_numel(tensor) * 8, NULL), PTIO_OK);
    return all[0];
}

/* ---- strided ---- */

static void v1_has_four_arguments(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "c:torch._utils:_rebuild_tensor ( " FLOATS "3 2 4 2t 4 1 2t t R");
    const ptio_tensor *t = tensor_of(&l);
    assert_dims(t, 2, (int64_t[]){2, 4}, (int64_t[]){4, 1});
    assert_int_equal(ptio_tensor_storage_offset(t), 3);
    assert_int_equal(ptio_tensor_numel(t), 8);
    assert_int_equal(ptio_tensor_dtype(t), PTIO_FLOAT32);
    assert_int_equal(ptio_tensor_layout(t), PTIO_STRIDED);
    assert_true(first_element(t) == 1.5);
    assert_false(ptio_tensor_requires_grad(t));
    assert_text(ptio_value_class(l.root), "torch.Tensor");
    loaded_free(&l);
}

static void v2_has_grad_and_metadata(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, V2 "( " FLOATS "0 ) ) True " HOOKS "t R");
    assert_dims(tensor_of(&l), 0, NULL, NULL);
    assert_true(ptio_tensor_requires_grad(tensor_of(&l)));
    assert_int_equal(ptio_tensor_numel(tensor_of(&l)), 1);
    load(&l, V2 "( " FLOATS "1 2 1t 1 1t False N N t R");
    assert_false(ptio_tensor_is_neg(tensor_of(&l)));
    load(&l, V2 "( " FLOATS "1 2 1t 1 1t False N } t R");
    assert_false(ptio_tensor_is_neg(tensor_of(&l)));
    load(&l, V2 "( " FLOATS "1 2 1t 1 1t False " HOOKS "} 'neg' True s t R");
    assert_true(ptio_tensor_is_neg(tensor_of(&l)));
    assert_true(first_element(tensor_of(&l)) == -0.5);
    load(&l, V2 "( ( 'storage' c:torch:ComplexFloatStorage '0' 'cpu' 8 t Q 1 2 1t 1 1t False N } ( 'neg' False 'conj' True 'x' "
                "True u t R");
    assert_true(ptio_tensor_is_conj(tensor_of(&l)));
    assert_false(ptio_tensor_is_neg(tensor_of(&l)));
    float pair[4];
    assert_int_equal(ptio_tensor_copy(tensor_of(&l), PTIO_COMPLEX64, pair, sizeof pair, NULL), PTIO_OK);
    assert_true(pair[0] == 1.0F && pair[1] == -1.5F);
    loaded_free(&l);
}

static void v3_names_its_dtype(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, V3 "( " RAW "1 3 1t 2 1t False " HOOKS "c:torch:uint16 t R");
    assert_int_equal(ptio_tensor_dtype(tensor_of(&l)), PTIO_UINT16);
    assert_true(first_element(tensor_of(&l)) == 0x0302);
    load(&l, V3 "( " RAW "4 3 1t 2 1t False " HOOKS "c:torch:float8_e5m2 } t R");
    assert_int_equal(ptio_tensor_dtype(tensor_of(&l)), PTIO_FLOAT8_E5M2);
    loaded_free(&l);
}

static void strided_tensors_refuse_wrong_arguments(void **state)
{
    (void)state;
    refused(PTIO_ERR_FORMAT, ARGUMENTS, "c:torch._utils:_rebuild_tensor ( " FLOATS "0 1 1t t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, "c:torch._utils:_rebuild_tensor ( " FLOATS "0 1 1t 1 1t N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V2 ") @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V2 "( " FLOATS "0 1 1t 1 1t False t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V2 "( " FLOATS "0 1 1t 1 1t False N N N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V2 "( '0' 0 1 1t 1 1t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V2 "( " TENSOR(0, 4) "0 1 1t 1 1t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V2 "( " FLOATS "f0 1 1t 1 1t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V2 "( " FLOATS "True 1 1t 1 1t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V2 "( " FLOATS "x8A09000000000000000001 1 1t 1 1t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V2 "( " FLOATS "0 1 1 1t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V2 "( " FLOATS "0 True 1t 1 1t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V2 "( " FLOATS "0 '1' 1t 1 1t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V2 "( " FLOATS "0 1 1t 1 1 2t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V2 "( " FLOATS "0 1 1t N False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V2 "( " FLOATS "0 1 1t f1 1t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V2 "( " FLOATS "0 1 1t 1 1t N N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V2 "( " FLOATS "0 1 1t 1 1t False N 'conj' t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V3 "( " RAW "0 1 1t 1 1t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V3 "( " RAW "0 1 1t 1 1t False N 'float32' t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V3 "( " RAW "0 1 1t 1 1t False N c:torch:float32 N N t @ R");
    refused(PTIO_ERR_FORMAT, "pickle.type", V2 "N @ R");
}

static void strided_tensors_lie_in_their_storage(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, V2 "( " FLOATS "15 1 1t 1 1t False N t R");
    load(&l, V2 "( " FLOATS "1 4 2 2t 4 2 2t False N t R"); /* 1 + 12 + 2 */
    load(&l, V2 "( " FLOATS "99 0 3 2t 1 1 2t False N t R");
    assert_int_equal(ptio_tensor_numel(tensor_of(&l)), 0);
    load(&l, V2 "( " FLOATS "15 1000 1t 0 1t False N t R");
    load(&l, V2 "( " FLOATS "0 1 1t 9999 1t False N t R");
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, "tensor.bounds", V2 "( " FLOATS "16 1 1t 1 1t False N t @ R");
    refused(PTIO_ERR_FORMAT, "tensor.bounds", V2 "( " FLOATS "2 4 2 2t 4 2 2t False N t @ R");
    refused(PTIO_ERR_FORMAT, "tensor.bounds", V2 "( " FLOATS "16 ) ) False N t @ R");
    refused(PTIO_ERR_FORMAT, "tensor.bounds", V2 "( " FLOATS "-1 1 1t 1 1t False N t @ R");
    refused(PTIO_ERR_FORMAT, "tensor.bounds", V2 "( " FLOATS "-1 0 1t 1 1t False N t @ R");
    refused(PTIO_ERR_FORMAT, "tensor.size", V2 "( " FLOATS "0 -1 1t 1 1t False N t @ R");
    refused(PTIO_ERR_FORMAT, "tensor.size", V2 "( " FLOATS "0 0 -1 2t 1 1 2t False N t @ R");
    refused(PTIO_ERR_FORMAT, "tensor.stride", V2 "( " FLOATS "4 2 1t -1 1t False N t @ R");
    refused(PTIO_ERR_FORMAT, "tensor.overflow", V2 "( " FLOATS "0 4611686018427387904 4 2t 0 0 2t False N t @ R");
    refused(PTIO_ERR_FORMAT, "tensor.overflow", V2 "( " FLOATS "0 3 1t 4611686018427387904 1t False N t @ R");
    refused(PTIO_ERR_FORMAT, "tensor.overflow", V2 "( " FLOATS "9223372036854775807 1 1t 1 1t False N t @ R");
    refused(PTIO_ERR_FORMAT, "tensor.bounds", V3 "( " RAW "0 9 1t 1 1t False N c:torch:uint16 t @ R");
    refused(PTIO_ERR_FORMAT, "tensor.conj", V2 "( " FLOATS "0 1 1t 1 1t False N } 'conj' True s t @ R");
    refused(PTIO_ERR_FORMAT, "tensor.neg",
            V2 "( ( 'storage' c:torch:BoolStorage '2' 'cpu' 16 t Q 0 1 1t 1 1t False N } 'neg' True s t @ R");
}

static void dimensions_end_at_64(void **state)
{
    (void)state;
    char dims[400] = "";
    for (int i = 0; i < 64; i++)
        strcat(dims, "1 ");
    loaded l = {0};
    load(&l, V2 "( " FLOATS "0 ( %st ( %st False N t R", dims, dims);
    assert_int_equal(ptio_tensor_ndim(tensor_of(&l)), 64);
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, ARGUMENTS, V2 "( " FLOATS "0 ( 1 %st ( 1 %st False N t @ R", dims, dims);
    refused(PTIO_ERR_FORMAT, ARGUMENTS,
            "c:torch._utils:_rebuild_meta_tensor_no_storage ( c:torch:int8 ( 1 %st ( 1 %st False t @ R", dims, dims);
}

/* ---- persistent ids ---- */

static void ids_say_what_the_record_holds(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "( 'storage' c:torch:FloatStorage '0' 'cuda:0' 16 t Q");
    assert_int_equal(ptio_value_kind(l.root), PTIO_KIND_STORAGE);
    assert_text(ptio_storage_location(ptio_value_storage(l.root)), "cuda:0");
    assert_text(ptio_storage_key(ptio_value_storage(l.root)), "0");
    assert_int_equal(ptio_storage_nbytes(ptio_value_storage(l.root)), 64);
    assert_false(ptio_storage_is_untyped(ptio_value_storage(l.root)));
    load(&l, "( b'storage' c:torch.cuda:FloatStorage s'0' s'cpu' 16 t Q");
    load(&l, "( 'storage' c:torch.storage:UntypedStorage '2' 'cpu' 16 t Q");
    assert_true(ptio_storage_is_untyped(ptio_value_storage(l.root)));
    assert_int_equal(ptio_storage_dtype(ptio_value_storage(l.root)), PTIO_UINT8);
    loaded_free(&l);
    /* numel lies */
    refused(PTIO_ERR_FORMAT, "storage.size", "( 'storage' c:torch:FloatStorage '0' 'cpu' 15 t @ Q");
    refused(PTIO_ERR_FORMAT, "storage.size", "( 'storage' c:torch:FloatStorage '0' 'cpu' 17 t @ Q");
    refused(PTIO_ERR_FORMAT, "storage.size", "( 'storage' c:torch:FloatStorage '0' 'cpu' 268435456 t @ Q");
    refused(PTIO_ERR_FORMAT, "storage.size", "( 'storage' c:torch:FloatStorage '0' 'cpu' 0 t @ Q");
    refused(PTIO_ERR_FORMAT, "storage.size", "( 'storage' c:torch:DoubleStorage '0' 'cpu' 16 t @ Q");
    refused(PTIO_ERR_FORMAT, "storage.overflow", "( 'storage' c:torch:FloatStorage '0' 'cpu' 4611686018427387905 t @ Q");
    /* one key, two sizes; the same bytes as another dtype are no clash */
    refused(PTIO_ERR_AMBIGUOUS, "storage.two-sizes", FLOATS "( 'storage' c:torch:FloatStorage '0' 'cpu' 15 t @ Q 2t");
    load(&l, FLOATS "( 'storage' c:torch:LongStorage '0' 'cpu' 8 t Q 2t");
    assert_ptr_equal(ptio_value_storage(ptio_value_item(l.root, 0)), ptio_value_storage(ptio_value_item(l.root, 1)));
    assert_int_equal(ptio_storage_dtype(ptio_value_storage(ptio_value_item(l.root, 1))), PTIO_FLOAT32);
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, "storage.missing", "( 'storage' c:torch:FloatStorage '3' 'cpu' 16 t @ Q");
    refused(PTIO_ERR_FORMAT, "storage.missing", "( 'storage' c:torch:FloatStorage '../0' 'cpu' 16 t @ Q");
    refused(PTIO_ERR_FORMAT, "storage.missing", "( 'storage' c:torch:FloatStorage '0\\x00' 'cpu' 16 t @ Q");
}

static void ids_have_one_form(void **state)
{
    (void)state;
    static const char form[] = "persistent-id.form";
    refused(PTIO_ERR_FORMAT, form, "'0' @ Q");
    refused(PTIO_ERR_FORMAT, form, "7 @ Q");
    refused(PTIO_ERR_FORMAT, form, ") @ Q");
    refused(PTIO_ERR_FORMAT, form, "( 'storage' c:torch:FloatStorage '0' 'cpu' t @ Q");
    refused(PTIO_ERR_FORMAT, form, "( 'storage' c:torch:FloatStorage '0' 'cpu' 16 N N t @ Q");
    refused(PTIO_ERR_FORMAT, form, "( 'module' c:torch:FloatStorage '0' 'cpu' 16 t @ Q");
    refused(PTIO_ERR_FORMAT, form, "( 'storage' c:torch:FloatTensor '0' 'cpu' 16 t @ Q");
    refused(PTIO_ERR_FORMAT, form, "( 'storage' 'FloatStorage' '0' 'cpu' 16 t @ Q");
    refused(PTIO_ERR_FORMAT, form, "( 'storage' c:torch:FloatStorage N 'cpu' 16 t @ Q");
    refused(PTIO_ERR_FORMAT, form, "( 'storage' c:torch:FloatStorage -1 'cpu' 16 t @ Q");
    refused(PTIO_ERR_FORMAT, form, "( 'storage' c:torch:FloatStorage '0' N 16 t @ Q");
    refused(PTIO_ERR_FORMAT, form, "( 'storage' c:torch:FloatStorage '0' 0 16 t @ Q");
    refused(PTIO_ERR_FORMAT, form, "( 'storage' c:torch:FloatStorage '0' 'cpu' f16 t @ Q");
    refused(PTIO_ERR_FORMAT, form, "( 'storage' c:torch:FloatStorage '0' 'cpu' True t @ Q");
    refused(PTIO_ERR_FORMAT, form, "( 'storage' c:torch:FloatStorage '0' 'cpu' -16 t @ Q");
    refused(PTIO_ERR_FORMAT, form, "( 'storage' c:torch:FloatStorage '0' 'cpu' x8A09000000000000000001 t @ Q");
}

/* ---- parameters ---- */

#define PARAMETER "c:torch._utils:_rebuild_parameter "
#define STATEFUL "c:torch._utils:_rebuild_parameter_with_state "

static void parameters_have_their_own_flag(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, PARAMETER TENSOR(0, 4) "True " HOOKS "3t R");
    assert_true(ptio_tensor_is_parameter(tensor_of(&l)));
    assert_true(ptio_tensor_requires_grad(tensor_of(&l)));
    assert_text(ptio_value_class(l.root), "torch.nn.parameter.Parameter");
    load(&l, PARAMETER V2 "( " FLOATS "0 4 1t 1 1t True N t R False N 3t R");
    assert_true(ptio_tensor_is_parameter(tensor_of(&l)));
    assert_false(ptio_tensor_requires_grad(tensor_of(&l)));
    load(&l, STATEFUL "( " TENSOR(0, 4) "False " HOOKS "} 'tag' 7 s t R");
    int64_t tag = 0;
    assert_true(ptio_value_int(ptio_value_attribute(l.root, "tag"), &tag));
    assert_int_equal(tag, 7);
    load(&l, STATEFUL "( " TENSOR(0, 4) "False " HOOKS "N t R");
    assert_null(ptio_value_attributes(l.root));
    load(&l, STATEFUL "( " TENSOR(0, 4) "False " HOOKS "} 'tag' 7 s } 2t t R");
    assert_non_null(ptio_value_attribute(l.root, "tag"));
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, ARGUMENTS, PARAMETER TENSOR(0, 4) "True 2t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, PARAMETER "( " TENSOR(0, 4) "True N N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, PARAMETER FLOATS "True N 3t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, PARAMETER "N True N 3t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, PARAMETER TENSOR(0, 4) "'yes' N 3t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, STATEFUL TENSOR(0, 4) "True N 3t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, STATEFUL "( " TENSOR(0, 4) "True N 7 t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, STATEFUL "( " TENSOR(0, 4) "True N } } } 3t t @ R");
}

static void old_parameters_have_states(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "c:torch.nn.parameter:Parameter " TENSOR(2, 4) "1t NEW True False " HOOKS "3t b");
    assert_true(ptio_tensor_is_parameter(tensor_of(&l)) && ptio_tensor_requires_grad(tensor_of(&l)));
    assert_true(first_element(tensor_of(&l)) == 1);
    load(&l, "c:torch.autograd.variable:Variable " TENSOR(2, 4) "1t NEW False False " HOOKS "3t b");
    assert_false(ptio_tensor_is_parameter(tensor_of(&l)) || ptio_tensor_requires_grad(tensor_of(&l)));
    load(&l, "c:torch.nn.parameter:Parameter ) NEW ( " TENSOR(2, 4) "N " HOOKS "True False t b");
    assert_true(ptio_tensor_is_parameter(tensor_of(&l)) && ptio_tensor_requires_grad(tensor_of(&l)));
    load(&l, "c:torch.nn.parameter:Parameter " TENSOR(2, 4) "False 2t R");
    assert_true(ptio_tensor_is_parameter(tensor_of(&l)));
    assert_false(ptio_tensor_requires_grad(tensor_of(&l)));
    /* Of nothing: an object like any other. */
    load(&l, "c:torch.nn.parameter:Parameter ) NEW");
    assert_int_equal(ptio_value_kind(l.root), PTIO_KIND_OBJECT);
    /* Its own data. */
    load(&l, "c:torch.nn.parameter:Parameter ) NEW p1 ( g1 N N True False t b");
    assert_int_equal(ptio_value_kind(l.root), PTIO_KIND_OBJECT);
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, ARGUMENTS, "c:torch.nn.parameter:Parameter " TENSOR(2, 4) "1t @ NEW 'x' False " HOOKS "3t b");
}

static void typed_tensors_have_their_view_as_state(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "c:torch:FloatTensor ) NEW ( " FLOATS "2 3 1t 4 1t t b");
    assert_dims(tensor_of(&l), 1, (int64_t[]){3}, (int64_t[]){4});
    assert_true(first_element(tensor_of(&l)) == 1);
    load(&l, "c:torch.cuda:LongTensor ) NEW ( " LONGS "2 3 1t 1 1t t b");
    assert_int_equal(ptio_tensor_dtype(tensor_of(&l)), PTIO_INT64);
    load(&l, "c:torch:FloatTensor ) NEW");
    assert_int_equal(ptio_value_kind(l.root), PTIO_KIND_OBJECT);
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, ARGUMENTS, "c:torch:FloatTensor ) @ NEW ( N 2 3 1t 4 1t t b");
    refused(PTIO_ERR_FORMAT, "tensor.bounds", "c:torch:FloatTensor ) @ NEW ( " FLOATS "8 3 1t 4 1t t b");
}

/* ---- subclasses and attributes ---- */

#define FROM_TYPE "c:torch._tensor:_rebuild_from_type_v2 "

static void subclasses_are_their_function_and_type(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, FROM_TYPE "( " V2 "c:my.kinds:Points ( " FLOATS "2 3 1t 1 1t True " HOOKS "t } 'scale' f2.5 s t R");
    assert_text(ptio_value_class(l.root), "my.kinds.Points");
    assert_true(ptio_tensor_requires_grad(tensor_of(&l)));
    double scale = 0;
    assert_true(ptio_value_float(ptio_value_attribute(l.root, "scale"), &scale));
    assert_true(scale == 2.5);
    load(&l, "c:torch.tensor:_rebuild_from_type ( " V2 "c:torch:Tensor ( " FLOATS "2 3 1t 1 1t True " HOOKS "t } t R");
    assert_text(ptio_value_class(l.root), "torch.Tensor");
    load(&l, FROM_TYPE "( c:my.kinds:make c:my.kinds:Points ) N t R");
    assert_int_equal(ptio_value_kind(l.root), PTIO_KIND_OBJECT);
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, ARGUMENTS, FROM_TYPE "( " V2 "c:torch:Tensor ) t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, FROM_TYPE "( 'f' c:torch:Tensor ) N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, FROM_TYPE "( " V2 "'T' ) N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, FROM_TYPE "( " V2 "c:torch:Tensor ] N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, FROM_TYPE "( " V2 "c:torch:Tensor ) N t @ R");
    refused(PTIO_ERR_FORMAT, "tensor.bounds", FROM_TYPE "( " V2 "c:torch:Tensor ( " FLOATS "16 1 1t 1 1t False N t N t @ R");
}

/* _rebuild_from_type_v2 of _rebuild_from_type_v2 of …: arguments nest without objects between them. */
static void chains_of_types_end(void **state)
{
    (void)state;
    for (size_t depth = 1; depth <= 1000000; depth *= 10) {
        loaded l = {0};
        pickle(&l.pickle, "proto2 " FROM_TYPE "p1 c:torch:Tensor p2 x30 ");
        for (size_t i = 0; i < depth; i++)
            pickle(&l.pickle, "( g1 g2 ");
        pickle(&l.pickle, "( " V2 "g2 ( " FLOATS "0 1 1t 1 1t False N t N t ");
        for (size_t i = 0; i < depth; i++)
            pickle(&l.pickle, "N t ");
        pickle(&l.pickle, "R .");
        zip_file(&l.file, &l.pickle, &(record){"data/0", floats, sizeof floats}, 1);
        ptio_status status = load_bytes(&l, &l.file, NULL);
        if (depth == 1) {
            assert_int_equal(status, PTIO_OK);
            assert_int_equal(ptio_tensor_numel(tensor_of(&l)), 1);
        } else {
            assert_int_equal(status, PTIO_ERR_LIMIT);
            assert_string_equal(l.err.reason, "limit.nesting");
        }
        loaded_free(&l);
    }
}

/* ---- quantized ---- */

#define QTENSOR "c:torch._utils:_rebuild_qtensor ( ( 'storage' c:torch:QInt8Storage '2' 'cpu' 16 t Q 0 2 3 2t 3 1 2t "
#define AFFINE "c:torch:per_tensor_affine "
#define CHANNELS "c:torch:per_channel_affine "
#define DOUBLES(numel) "( 'storage' c:torch:DoubleStorage '1' 'cpu' 8 t Q "

static void quantized_per_tensor(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, QTENSOR AFFINE "f0.5 2 3t False " HOOKS "t R");
    ptio_quantizer q = ptio_tensor_quantizer(tensor_of(&l));
    assert_int_equal(q.scheme, PTIO_PER_TENSOR_AFFINE);
    assert_true(q.scale == 0.5);
    assert_int_equal(q.zero_point, 2);
    assert_true(first_element(tensor_of(&l)) == -1);
    assert_int_equal(ptio_tensor_part_count(tensor_of(&l)), 0);
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, "quantizer.scale", QTENSOR AFFINE "f0 2 3t False N t @ R");
    refused(PTIO_ERR_FORMAT, "quantizer.scale", QTENSOR AFFINE "f-1 2 3t False N t @ R");
    refused(PTIO_ERR_FORMAT, "quantizer.scale", QTENSOR AFFINE "finf 2 3t False N t @ R");
    refused(PTIO_ERR_FORMAT, "quantizer.scale", QTENSOR AFFINE "fnan 2 3t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, QTENSOR AFFINE "f1 f2 3t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, QTENSOR AFFINE "'1' 2 3t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, QTENSOR AFFINE "f1 2t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, QTENSOR "N False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, QTENSOR ") False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, QTENSOR "c:torch:per_tensor_symmetric f1 2 3t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, QTENSOR "c:torch:float32 f1 2 3t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, QTENSOR AFFINE "f1 2 3t False t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, QTENSOR AFFINE "f1 2 3t 'no' N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS,
            "c:torch._utils:_rebuild_qtensor ( " FLOATS "0 2 1t 1 1t " AFFINE "f1 2 3t False N t @ R");
    /* free strides read far outside */
    refused(PTIO_ERR_FORMAT, "tensor.bounds",
            "c:torch._utils:_rebuild_qtensor ( ( 'storage' c:torch:QInt8Storage '2' 'cpu' 16 t Q 0 2 1t 1000000 1t " AFFINE
            "f1 2 3t False N t @ R");
    /* a quantized storage in a plain tensor */
    refused(PTIO_ERR_FORMAT, "rebuild.arguments",
            V2 "( ( 'storage' c:torch:QInt8Storage '2' 'cpu' 16 t Q N 2 1t 1 1t False N t @ R");
}

static void quantized_per_channel(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, QTENSOR "( " CHANNELS "] ( f0.5 f2 e ] ( 1 3 e 0 t False " HOOKS "t R");
    ptio_quantizer q = ptio_tensor_quantizer(tensor_of(&l));
    assert_int_equal(q.scheme, PTIO_PER_CHANNEL_AFFINE);
    assert_int_equal(q.axis, 0);
    const char *name = NULL;
    assert_int_equal(ptio_tensor_part_count(tensor_of(&l)), 2);
    const ptio_tensor *scales = ptio_tensor_part(tensor_of(&l), 0, &name);
    assert_string_equal(name, "scales");
    assert_int_equal(ptio_tensor_dtype(scales), PTIO_FLOAT64);
    assert_true(first_element(scales) == 0.5);
    assert_int_equal(ptio_tensor_dtype(ptio_tensor_part(tensor_of(&l), 1, &name)), PTIO_INT64);
    assert_string_equal(name, "zero_points");
    assert_true(first_element(tensor_of(&l)) == -0.5);
    /* tensors; axis 1 */
    load(&l, QTENSOR "( " CHANNELS TENSOR(1, 3) LONG_TENSOR(0, 3) "1 t False N t R");
    assert_int_equal(ptio_tensor_quantizer(tensor_of(&l)).scheme, PTIO_PER_CHANNEL_AFFINE);
    assert_int_equal(ptio_value_kind(ptio_tensor_part_value(tensor_of(&l), 1)), PTIO_KIND_TENSOR);
    /* float zero points tell the third scheme */
    load(&l, QTENSOR "( " CHANNELS TENSOR(1, 3) TENSOR(1, 3) "1 t False N t R");
    assert_int_equal(ptio_tensor_quantizer(tensor_of(&l)).scheme, PTIO_PER_CHANNEL_AFFINE_FLOAT_QPARAMS);
    load(&l, QTENSOR "( c:torch:per_channel_affine_float_qparams ] ( 1 2 e ] ( f0.5 0 e 0 t False N t R");
    assert_int_equal(ptio_tensor_dtype(ptio_tensor_part(tensor_of(&l), 0, NULL)), PTIO_FLOAT32);
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, "quantizer.axis", QTENSOR "( " CHANNELS TENSOR(1, 2) LONG_TENSOR(0, 2) "2 t False N t @ R");
    refused(PTIO_ERR_FORMAT, "quantizer.axis", QTENSOR "( " CHANNELS TENSOR(1, 2) LONG_TENSOR(0, 2) "-1 t False N t @ R");
    refused(PTIO_ERR_FORMAT, "quantizer.shape", QTENSOR "( " CHANNELS TENSOR(1, 3) LONG_TENSOR(0, 2) "0 t False N t @ R");
    refused(PTIO_ERR_FORMAT, "quantizer.shape", QTENSOR "( " CHANNELS TENSOR(1, 2) LONG_TENSOR(0, 3) "0 t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, QTENSOR "( " CHANNELS TENSOR(1, 2) LONG_TENSOR(0, 2) "t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, QTENSOR "( " CHANNELS "] ( 'a' 'b' e ] ( 1 3 e 0 t False N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, QTENSOR "( " CHANNELS "N N 0 t False N t @ R");
}

/* ---- sparse ---- */

#define SPARSE "c:torch._utils:_rebuild_sparse_tensor c:torch.serialization:_get_layout 'torch.sparse_%s' 1t R ( "
#define LONGS_2D(offset, rows, columns, stride) \
    "c:torch._utils:_rebuild_tensor_v2 ( " LONGS #offset " " #rows " " #columns " 2t " #stride " 1 2t False N t R "
#define SIZE(words) "c:torch:Size ( " words "t 1t R "

static void sparse_layouts(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, SPARSE LONGS_2D(0, 2, 3, 3) TENSOR(1, 3) SIZE("9 9 ") "t 2t R", "coo");
    assert_int_equal(ptio_tensor_layout(tensor_of(&l)), PTIO_SPARSE_COO);
    assert_int_equal(ptio_tensor_ndim(tensor_of(&l)), 2);
    assert_int_equal(ptio_tensor_shape(tensor_of(&l))[1], 9);
    assert_null(ptio_tensor_stride(tensor_of(&l)));
    assert_null(ptio_tensor_storage(tensor_of(&l)));
    assert_false(ptio_tensor_is_coalesced(tensor_of(&l)));
    assert_int_equal(ptio_tensor_numel(tensor_of(&l)), 81);
    load(&l, SPARSE LONGS_2D(0, 2, 3, 3) TENSOR(1, 3) SIZE("9 9 ") "True t 2t R", "coo");
    assert_true(ptio_tensor_is_coalesced(tensor_of(&l)));
    load(&l, SPARSE LONG_TENSOR(0, 3) LONG_TENSOR(0, 2) TENSOR(1, 2) "2 4 2t t 2t R", "csr");
    assert_int_equal(ptio_tensor_layout(tensor_of(&l)), PTIO_SPARSE_CSR);
    const char *name = NULL;
    (void)ptio_tensor_part(tensor_of(&l), 1, &name);
    assert_string_equal(name, "col");
    load(&l, SPARSE LONG_TENSOR(0, 5) LONG_TENSOR(0, 2) TENSOR(1, 2) SIZE("2 4 ") "t 2t R", "csc");
    (void)ptio_tensor_part(tensor_of(&l), 0, &name);
    assert_string_equal(name, "ccol");
    load(&l, "c:torch._utils:_rebuild_sparse_csr_tensor c:torch.serialization:_get_layout 'torch.sparse_csr' 1t R ( " LONG_TENSOR(
                 0, 3) LONG_TENSOR(0, 2) TENSOR(1, 2) SIZE("2 4 ") "t 2t R");
    assert_int_equal(ptio_tensor_layout(tensor_of(&l)), PTIO_SPARSE_CSR);
    loaded_free(&l);
}

static void sparse_tensors_fit_together(void **state)
{
    (void)state;
    refused(PTIO_ERR_FORMAT, "sparse.shape", SPARSE LONGS_2D(0, 2, 3, 3) TENSOR(1, 2) SIZE("9 9 ") "t 2t @ R", "coo");
    refused(PTIO_ERR_FORMAT, "sparse.shape", SPARSE LONG_TENSOR(0, 3) TENSOR(1, 3) SIZE("9 9 ") "t 2t @ R", "coo");
    refused(PTIO_ERR_FORMAT, "sparse.dtype", SPARSE TENSOR(1, 3) TENSOR(1, 3) SIZE("9 9 ") "t 2t @ R", "coo");
    refused(PTIO_ERR_FORMAT, "sparse.shape", SPARSE LONGS_2D(0, 2, 3, 3) TENSOR(1, 3) SIZE("9 ") "t 2t @ R", "coo");
    refused(PTIO_ERR_FORMAT, "tensor.size", SPARSE LONGS_2D(0, 2, 3, 3) TENSOR(1, 3) SIZE("9 -9 ") "t 2t @ R", "coo");
    refused(PTIO_ERR_FORMAT, "tensor.overflow",
            SPARSE LONGS_2D(0, 2, 3, 3) TENSOR(1, 3) SIZE("4611686018427387904 4 ") "t 2t @ R", "coo");
    refused(PTIO_ERR_FORMAT, "sparse.shape", SPARSE LONG_TENSOR(0, 4) LONG_TENSOR(0, 2) TENSOR(1, 2) SIZE("2 4 ") "t 2t @ R",
            "csr");
    refused(PTIO_ERR_FORMAT, "sparse.shape", SPARSE LONG_TENSOR(0, 3) LONG_TENSOR(0, 2) TENSOR(1, 3) SIZE("2 4 ") "t 2t @ R",
            "csr");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, SPARSE LONG_TENSOR(0, 3) LONG_TENSOR(0, 2) TENSOR(1, 2) "t 2t @ R", "csr");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, SPARSE LONG_TENSOR(0, 3) "N " TENSOR(1, 2) SIZE("2 4 ") "t 2t @ R", "csr");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, SPARSE LONGS_2D(0, 2, 3, 3) TENSOR(1, 3) "'9' t 2t @ R", "coo");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, SPARSE LONGS_2D(0, 2, 3, 3) TENSOR(1, 3) "9 'x' 2t t 2t @ R", "coo");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, SPARSE LONGS_2D(0, 2, 3, 3) TENSOR(1, 3) SIZE("9 9 ") "t 2t @ R", "mkldnn");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, "c:torch._utils:_rebuild_sparse_tensor 'torch.sparse_coo' ) 2t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS,
            "c:torch._utils:_rebuild_sparse_tensor c:torch.serialization:_get_layout 'torch.sparse_coo' 1t R 1t @ R");
    char dims[400] = "";
    for (int i = 0; i < 65; i++)
        strcat(dims, "1 ");
    refused(PTIO_ERR_FORMAT, "tensor.ndim", SPARSE LONGS_2D(0, 2, 3, 3) TENSOR(1, 3) "( %st t 2t @ R", "coo", dims);
}

/* ---- nested ---- */

#define NESTED "c:torch._utils:_rebuild_nested_tensor ( "

static void nested_tensors_have_components(void **state)
{
    (void)state;
    loaded l = {0};
    /* sizes [[1, 2], [3, 4]], strides [[1, 1], [1, 1]] are not what data/1 holds: strides from there too, 0 to 3 */
    load(&l, NESTED TENSOR(0, 16) LONGS_2D(1, 2, 2, 2) LONGS_2D(0, 2, 2, 2) LONG_TENSOR(0, 2) "t R");
    const ptio_tensor *t = tensor_of(&l);
    const char *name = NULL;
    assert_int_equal(ptio_tensor_layout(t), PTIO_NESTED);
    assert_int_equal(ptio_tensor_ndim(t), 0);
    assert_null(ptio_tensor_shape(t));
    assert_int_equal(ptio_tensor_part_count(t), 6);
    const ptio_tensor *second = ptio_tensor_part(t, 1, &name);
    assert_string_equal(name, "1");
    assert_dims(second, 2, (int64_t[]){3, 4}, (int64_t[]){2, 3});
    assert_int_equal(ptio_tensor_storage_offset(second), 1);
    (void)ptio_tensor_part(t, 2, &name);
    assert_string_equal(name, "buffer");
    assert_int_equal(ptio_tensor_numel(t), 14);
    load(&l, NESTED TENSOR(0, 16) LONGS_2D(1, 2, 2, 2) LONGS_2D(0, 2, 2, 2) "] ( 0 2 e t R");
    assert_int_equal(ptio_tensor_part_count(tensor_of(&l)), 5);
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, "tensor.bounds",
            NESTED TENSOR(0, 16) LONGS_2D(1, 2, 2, 2) LONGS_2D(2, 2, 2, 2) LONG_TENSOR(0, 2) "t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, NESTED TENSOR(0, 16) LONGS_2D(1, 2, 2, 2) LONGS_2D(0, 2, 1, 2) LONG_TENSOR(0, 2) "t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, NESTED TENSOR(0, 16) LONGS_2D(1, 2, 2, 2) LONGS_2D(0, 2, 2, 2) LONG_TENSOR(0, 1) "t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, NESTED TENSOR(0, 16) LONGS_2D(1, 2, 2, 2) LONGS_2D(0, 2, 2, 2) "] ( 0 'x' e t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, NESTED TENSOR(0, 16) LONGS_2D(1, 2, 2, 2) "N " LONG_TENSOR(0, 2) "t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, NESTED TENSOR(0, 16) LONGS_2D(1, 2, 2, 2) LONGS_2D(0, 2, 2, 2) "t @ R");
    refused(PTIO_ERR_FORMAT, "tensor.bounds", NESTED TENSOR(0, 16) LONGS_2D(1, 2, 2, 2) LONGS_2D(0, 2, 2, 2) "] ( 0 -1 e t @ R");
}

/* Many components cost memory in proportion to the file, not to the pickle. */
static void nested_tensors_of_many_components(void **state)
{
    (void)state;
    enum { COUNT = 30000 };
    int64_t *numbers = calloc(COUNT, sizeof *numbers);
    assert_non_null(numbers);
    for (int i = 0; i < COUNT; i++)
        *(uint8_t *)&numbers[i] = 1; /* little-endian, as in files */
    loaded l = {0};
    pickle(&l.pickle,
           "proto2 " NESTED TENSOR(0, 16) "c:torch._utils:_rebuild_tensor_v2 ( ( 'storage' c:torch:LongStorage '1' 'cpu' %d t "
                                          "Q 0 %d 1 2t 1 1 2t False N t R p1 g1 c:torch._utils:_rebuild_tensor_v2 ( ( 'storage' "
                                          "c:torch:LongStorage '1' 'cpu' %d t Q 0 %d 1t "
                                          "1 1t False N t R t R .",
           COUNT, COUNT, COUNT, COUNT);
    zip_file(&l.file, &l.pickle, (record[]){{"data/0", floats, sizeof floats}, {"data/1", numbers, COUNT * sizeof *numbers}}, 2);
    if (load_bytes(&l, &l.file, NULL) != PTIO_OK)
        fail_msg("%s", l.err.message);
    assert_int_equal(ptio_tensor_part_count(tensor_of(&l)), COUNT + 4);
    loaded_free(&l);
    free(numbers);
}

#define JAGGED "c:torch.nested._internal.nested_tensor:_rebuild_njt } ( "

static void jagged_tensors_have_components(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, JAGGED "'values' " TENSOR(0, 6) "'offsets' " LONG_TENSOR(0, 4) "u 1t R");
    const ptio_tensor *t = tensor_of(&l);
    assert_int_equal(ptio_tensor_layout(t), PTIO_JAGGED);
    assert_int_equal(ptio_tensor_part_count(t), 5);
    assert_int_equal(ptio_tensor_numel(ptio_tensor_part(t, 2, NULL)), 1);
    assert_int_equal(ptio_tensor_storage_offset(ptio_tensor_part(t, 2, NULL)), 2);
    assert_text(ptio_value_class(l.root), "torch.nested._internal.nested_tensor.NestedTensor");
    assert_false(ptio_tensor_requires_grad(t));
    load(&l, JAGGED "'values' " TENSOR(0, 6) "'offsets' " LONG_TENSOR(0, 4) "'requires_grad' True u 1t R");
    assert_true(ptio_tensor_requires_grad(tensor_of(&l)));
    load(&l,
         JAGGED "'values' " TENSOR(0, 6) "'offsets' " LONG_TENSOR(0, 3) "'lengths' " LONG_TENSOR(0, 2) "'_ragged_idx' 1 u 1t R");
    assert_int_equal(ptio_tensor_numel(ptio_tensor_part(tensor_of(&l), 0, NULL)), 0);
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, ARGUMENTS, JAGGED "'values' " TENSOR(0, 2) "'offsets' " LONG_TENSOR(0, 4) "u 1t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, JAGGED "'values' " TENSOR(0, 6) "'offsets' " LONG_TENSOR(0, 0) "u 1t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, JAGGED "'values' " TENSOR(0, 6) "u 1t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, JAGGED "'offsets' " LONG_TENSOR(0, 4) "u 1t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS,
            JAGGED "'values' " TENSOR(0, 6) "'offsets' " LONG_TENSOR(0, 4) "'lengths' " LONG_TENSOR(0, 2) "u 1t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS,
            JAGGED "'values' " TENSOR(0, 6) "'offsets' " LONG_TENSOR(0, 4) "'lengths' " LONG_TENSOR(3, 3) "u 1t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS,
            JAGGED "'values' " TENSOR(0, 6) "'offsets' " LONG_TENSOR(0, 4) "'_ragged_idx' 2 u 1t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS,
            JAGGED "'values' " TENSOR(0, 6) "'offsets' " LONG_TENSOR(0, 4) "'_ragged_idx' 0 u 1t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, "c:torch.nested._internal.nested_tensor:_rebuild_njt N 1t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, "c:torch.nested._internal.nested_tensor:_rebuild_njt ) @ R");
}

/* ---- without storage ---- */

#define META "c:torch._utils:_rebuild_meta_tensor_no_storage ( "
#define WRAPPER "c:torch._utils:_rebuild_wrapper_subclass ( "

static void meta_tensors_have_no_elements(void **state)
{
    (void)state;
    loaded l = {0};
    float one;
    load(&l, META "c:torch:bfloat16 1000000 1000000 2t 1000000 1 2t True t R");
    assert_true(ptio_tensor_is_meta(tensor_of(&l)));
    assert_true(ptio_tensor_requires_grad(tensor_of(&l)));
    assert_int_equal(ptio_tensor_numel(tensor_of(&l)), 1000000000000);
    assert_null(ptio_tensor_storage(tensor_of(&l)));
    assert_int_equal(ptio_tensor_copy(tensor_of(&l), PTIO_FLOAT32, &one, sizeof one, NULL), PTIO_ERR_ARGUMENT);
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, ARGUMENTS, META "c:torch:bfloat16 1 1t 1 1t t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, META "'bfloat16' 1 1t 1 1t False t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, META "c:torch:bfloat16 1 1t ) False t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, META "c:torch:bfloat16 1 1t 1 1t 'no' t @ R");
    refused(PTIO_ERR_FORMAT, "tensor.size", META "c:torch:bfloat16 -1 1t 1 1t False t @ R");
    refused(PTIO_ERR_FORMAT, "tensor.overflow", META "c:torch:bfloat16 4611686018427387904 4 2t 1 1 2t False t @ R");
}

/* Where a storage was is only a tag: with bytes it has elements, without a record it is refused as any other. */
static void storages_tagged_meta_have_elements(void **state)
{
    (void)state;
    loaded l = {0};
    const void *data = NULL;
    double four[4];
    load(&l, V2 "( ( 'storage' c:torch:FloatStorage '0' 'meta' 16 t Q 0 4 1t 1 1t False N t R");
    assert_false(ptio_tensor_is_meta(tensor_of(&l)));
    assert_text(ptio_storage_location(ptio_value_storage(l.root)), "meta");
    assert_int_equal(ptio_tensor_copy(tensor_of(&l), PTIO_FLOAT64, four, sizeof four, NULL), PTIO_OK);
    assert_true(four[3] == 1.5);
    load(&l, "( 'storage' c:torch:FloatStorage '0' 'meta' 16 t Q");
    assert_int_equal(ptio_storage_data(ptio_value_storage(l.root), &data, NULL), PTIO_OK);
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, "storage.missing", "( 'storage' c:torch:FloatStorage '9' 'meta' 16 t @ Q");
    refused(PTIO_ERR_FORMAT, "storage.size", "( 'storage' c:torch:FloatStorage '0' 'meta' 15 t @ Q");
}

static void wrappers_have_a_class(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, WRAPPER "c:my.kinds:Wrapped c:torch:float32 2 3 2t 3 1 2t 5 c:torch.serialization:_get_layout 'torch.strided' 1t R "
                     "c:torch:device 'cpu' 1t R True t R");
    assert_text(ptio_value_class(l.root), "my.kinds.Wrapped");
    assert_dims(tensor_of(&l), 2, (int64_t[]){2, 3}, (int64_t[]){3, 1});
    assert_int_equal(ptio_tensor_storage_offset(tensor_of(&l)), 5);
    assert_null(ptio_tensor_storage(tensor_of(&l)));
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, ARGUMENTS, WRAPPER "c:my.kinds:Wrapped c:torch:float32 2 1t 1 1t 5 N N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, WRAPPER "c:my.kinds:Wrapped c:torch:float32 2 1t 1 1t 'x' N N True t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS, WRAPPER "c:my.kinds:Wrapped N 2 1t 1 1t 5 N N True t @ R");
}

/* ---- devices that are saved from the CPU ---- */

static void device_tensors_are_what_they_were_on_the_cpu(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "c:torch._utils:_rebuild_device_tensor_from_cpu_tensor ( " TENSOR(3, 2) "c:torch:float32 'xla:0' True t R");
    assert_true(first_element(tensor_of(&l)) == 1.5);
    assert_true(ptio_tensor_requires_grad(tensor_of(&l)));
    load(&l, "c:torch._utils:_rebuild_device_tensor_from_cpu_tensor ( " TENSOR(3, 2) "c:torch:int32 'xla:0' False t R");
    assert_int_equal(ptio_tensor_dtype(tensor_of(&l)), PTIO_INT32);
    assert_true(first_element(tensor_of(&l)) == 1);
    load(&l, "c:torch._utils:_rebuild_xla_tensor ( c:numpy.core.multiarray:_reconstruct c:numpy:ndarray 0 1t b'b' 3t R ( 1 2 1t "
             "c:numpy:dtype 'i2' "
             "False True 3t R ( 3 '<' N N N -1 -1 0 t b False b'\\x05\\x00\\x06\\x00' t b c:torch:bfloat16 'xla:0' False t R");
    assert_int_equal(ptio_tensor_dtype(tensor_of(&l)), PTIO_BFLOAT16);
    assert_true(first_element(tensor_of(&l)) == 5);
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, ARGUMENTS,
            "c:torch._utils:_rebuild_device_tensor_from_cpu_tensor ( N c:torch:int32 'xla:0' False t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS,
            "c:torch._utils:_rebuild_device_tensor_from_cpu_tensor ( " TENSOR(3, 2) "N 'xla:0' False t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS,
            "c:torch._utils:_rebuild_device_tensor_from_cpu_tensor ( " TENSOR(3, 2) "c:torch:int32 'xla:0' N t @ R");
    refused(PTIO_ERR_FORMAT, ARGUMENTS,
            "c:torch._utils:_rebuild_device_tensor_from_cpu_tensor ( " TENSOR(3, 2) "c:torch:int32 'xla:0' t @ R");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v1_has_four_arguments),
        cmocka_unit_test(v2_has_grad_and_metadata),
        cmocka_unit_test(v3_names_its_dtype),
        cmocka_unit_test(strided_tensors_refuse_wrong_arguments),
        cmocka_unit_test(strided_tensors_lie_in_their_storage),
        cmocka_unit_test(dimensions_end_at_64),
        cmocka_unit_test(ids_say_what_the_record_holds),
        cmocka_unit_test(ids_have_one_form),
        cmocka_unit_test(parameters_have_their_own_flag),
        cmocka_unit_test(old_parameters_have_states),
        cmocka_unit_test(typed_tensors_have_their_view_as_state),
        cmocka_unit_test(subclasses_are_their_function_and_type),
        cmocka_unit_test(chains_of_types_end),
        cmocka_unit_test(quantized_per_tensor),
        cmocka_unit_test(quantized_per_channel),
        cmocka_unit_test(sparse_layouts),
        cmocka_unit_test(sparse_tensors_fit_together),
        cmocka_unit_test(nested_tensors_have_components),
        cmocka_unit_test(nested_tensors_of_many_components),
        cmocka_unit_test(jagged_tensors_have_components),
        cmocka_unit_test(meta_tensors_have_no_elements),
        cmocka_unit_test(storages_tagged_meta_have_elements),
        cmocka_unit_test(wrappers_have_a_class),
        cmocka_unit_test(device_tensors_are_what_they_were_on_the_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
