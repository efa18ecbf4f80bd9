/*
 * Tensors: the proof that each lies inside its storage, and the getters.
 *
 * The proof: the product of the sizes fits an int64_t, no size, stride or offset is negative, and the last element,
 *
 *     storage_offset + sum of (size[i] - 1) * stride[i],
 *
 * computed in checked arithmetic, is one that the storage has. A tensor of no elements may have any offset.
 */
#include "tensor/tensor.h"

#include "base/error.h"

#define REFUSE(err, reason, ...) ptio_fail((err), PTIO_ERR_FORMAT, (reason), PTIO_NO_OFFSET, __VA_ARGS__)

/* As PyTorch multiplies: in order, so that sizes whose product overflows before a 0 are refused. */
static ptio_status count_elements(const ptio_tensor_spec *spec, uint64_t *ret, ptio_error *err)
{
    int64_t numel = 1;
    for (size_t i = 0; i < spec->ndim; i++) {
        if (spec->shape[i] < 0)
            return REFUSE(err, "tensor.size", "size %zu of a tensor is negative: %lld", i, (long long)spec->shape[i]);
        if (!ptio_mul_i64(numel, spec->shape[i], &numel))
            return REFUSE(err, "tensor.overflow", "the sizes of a tensor multiply to more than 2^63 elements");
    }
    *ret = (uint64_t)numel;
    return PTIO_OK;
}

/* Strides in C order, in which a dimension of size 0 counts as 1. */
static ptio_status contiguous_strides(size_t ndim, const int64_t *shape, int64_t *stride, ptio_error *err)
{
    int64_t step = 1;
    for (size_t i = ndim; i-- > 0;) {
        stride[i] = step;
        if (shape[i] > 1 && !ptio_mul_i64(step, shape[i], &step))
            return REFUSE(err, "tensor.overflow", "the strides of a tensor are more than 2^63");
    }
    return PTIO_OK;
}

/* The element with the highest place in the storage, of a tensor that has elements. */
static bool last_element(size_t ndim, const int64_t *shape, const int64_t *stride, int64_t storage_offset, int64_t *ret)
{
    int64_t last = storage_offset, span;
    for (size_t i = 0; i < ndim; i++)
        if (!ptio_mul_i64(shape[i] - 1, stride[i], &span) || !ptio_add_i64(last, span, &last))
            return false;
    *ret = last;
    return true;
}

/* Elements of the dtype in a storage. Bytes behind the last whole one are in none. */
static uint64_t elements_in(const ptio_storage *storage, ptio_dtype dtype)
{
    uint64_t elements = storage->nbytes / ptio_dtype_rows[dtype].itemsize;
    return ptio_mul_u64(elements, ptio_dtype_per_byte(dtype), &elements) ? elements : UINT64_MAX;
}

static ptio_status check_strides(const ptio_tensor *tensor, const int64_t *stride, ptio_error *err)
{
    for (size_t i = 0; i < tensor->ndim; i++)
        if (stride[i] < 0)
            return REFUSE(err, "tensor.stride", "stride %zu of a tensor is negative: %lld", i, (long long)stride[i]);
    return PTIO_OK;
}

/* Whether a storage has the element, where that can be told without a division. */
static bool plainly_has(const ptio_storage *storage, ptio_dtype dtype, int64_t last)
{
    uint64_t bytes;
    return ptio_dtype_per_byte(dtype) == 1 && ptio_mul_u64((uint64_t)last + 1, ptio_dtype_rows[dtype].itemsize, &bytes) &&
           bytes <= storage->nbytes;
}

static ptio_status check_bounds(const ptio_tensor *tensor, const int64_t *stride, ptio_error *err)
{
    int64_t last = 0, bytes;
    ptio_dtype dtype = (ptio_dtype)tensor->dtype;
    if (tensor->storage_offset < 0)
        return REFUSE(err, "tensor.bounds", "the storage offset of a tensor is negative: %lld",
                      (long long)tensor->storage_offset);
    if (!ptio_mul_i64(tensor->storage_offset, ptio_dtype_rows[dtype].itemsize, &bytes))
        return REFUSE(err, "tensor.overflow", "the storage offset of a tensor is more than 2^63 bytes");
    if (tensor->numel == 0)
        return PTIO_OK;
    if (!last_element(tensor->ndim, tensor->dims, stride, tensor->storage_offset, &last))
        return REFUSE(err, "tensor.overflow", "the last element of a tensor is more than 2^63 elements away");
    if (tensor->storage && !plainly_has(tensor->storage, dtype, last) && (uint64_t)last >= elements_in(tensor->storage, dtype))
        return REFUSE(err, "tensor.bounds", "a tensor of %s reaches to element %lld, its storage of %llu bytes has %llu",
                      ptio_dtype_rows[dtype].name, (long long)last, (unsigned long long)tensor->storage->nbytes,
                      (unsigned long long)elements_in(tensor->storage, dtype));
    return PTIO_OK;
}

static ptio_status set_strides(const ptio_tensor *tensor, int64_t *stride, const ptio_tensor_spec *spec, ptio_error *err)
{
    if (!spec->stride)
        return contiguous_strides(tensor->ndim, tensor->dims, stride, err);
    if (tensor->ndim)
        memcpy(stride, spec->stride, tensor->ndim * sizeof *stride);
    return check_strides(tensor, stride, err);
}

static bool is_component(const ptio_tensor_part_row *part)
{
    return part->name && part->name[0] >= '0' && part->name[0] <= '9';
}

static ptio_status count_components(const ptio_tensor_spec *spec, uint64_t *ret, ptio_error *err)
{
    uint64_t numel = 0;
    for (size_t i = 0; spec->extra && i < spec->extra->part_count; i++) {
        const ptio_tensor_part_row *part = &spec->extra->parts[i];
        if (is_component(part) && !ptio_add_u64(numel, ptio_tensor_numel(part->tensor), &numel))
            return REFUSE(err, "tensor.overflow", "the components of a nested tensor have more than 2^64 elements");
    }
    *ret = numel;
    return PTIO_OK;
}

static bool is_nested(ptio_layout layout)
{
    return layout == PTIO_NESTED || layout == PTIO_JAGGED;
}

/* Only what PyTorch can conjugate or negate; it refuses the rest too, some of it later. */
static ptio_status check_math_bits(const ptio_tensor_spec *spec, ptio_error *err)
{
    const ptio_dtype_row *row = &ptio_dtype_rows[spec->dtype];
    bool negatable = row->class_ == PTIO_DTYPE_COMPLEX || row->class_ == PTIO_DTYPE_INTEGER ||
                     (row->class_ == PTIO_DTYPE_REAL && row->itemsize > 1);
    if (spec->flags & PTIO_TENSOR_CONJ && row->class_ != PTIO_DTYPE_COMPLEX)
        return REFUSE(err, "tensor.conj", "a tensor of %s has the conj bit, which is for complex numbers", row->name);
    if (spec->flags & PTIO_TENSOR_NEG && !negatable)
        return REFUSE(err, "tensor.neg", "a tensor of %s has the neg bit, but there is no negative of it", row->name);
    return PTIO_OK;
}

static ptio_status check_spec(const ptio_tensor_spec *spec, ptio_error *err)
{
    if (spec->ndim > PTIO_MOST_DIMENSIONS)
        return REFUSE(err, "tensor.ndim", "a tensor has %zu dimensions; %d are the most", spec->ndim, PTIO_MOST_DIMENSIONS);
    if (spec->dtype <= PTIO_NO_DTYPE || spec->dtype >= PTIO_DTYPE_COUNT)
        return REFUSE(err, "tensor.dtype", "a tensor has no dtype");
    if (spec->layout == PTIO_STRIDED && !spec->storage && !(spec->flags & (PTIO_TENSOR_META | PTIO_TENSOR_WRAPPER)))
        return REFUSE(err, "tensor.storage", "a tensor has no storage");
    if (spec->flags & (PTIO_TENSOR_CONJ | PTIO_TENSOR_NEG))
        return check_math_bits(spec, err);
    return PTIO_OK;
}

static ptio_tensor of_spec(const ptio_tensor_spec *spec, uint64_t numel, const int64_t *dims)
{
    return (ptio_tensor){.dtype = (uint8_t)spec->dtype,
                         .layout = (uint8_t)spec->layout,
                         .flags = (uint8_t)spec->flags,
                         .ragged = spec->ragged,
                         .ndim = (uint32_t)spec->ndim,
                         .storage_offset = spec->storage_offset,
                         .numel = numel,
                         .storage = spec->storage,
                         .extra = spec->extra,
                         .dims = dims};
}

/* Its sizes and strides were checked with the tensor that it is like. */
static ptio_status new_alike(ptio_arena *arena, const ptio_tensor_spec *spec, const ptio_tensor **ret, ptio_error *err)
{
    ptio_tensor *tensor = ptio_arena_alloc(arena, sizeof *tensor);
    if (!tensor)
        return ptio_heap_fail(arena->heap, err, "a tensor");
    *tensor = of_spec(spec, spec->alike->numel, spec->alike->dims);
    ptio_status status = check_bounds(tensor, tensor->dims + tensor->ndim, err);
    if (status == PTIO_OK)
        *ret = tensor;
    return status;
}

ptio_status ptio_tensor_new(ptio_arena *arena, const ptio_tensor_spec *spec, const ptio_tensor **ret, ptio_error *err)
{
    uint64_t numel = 0;
    ptio_status status = check_spec(spec, err);
    if (status == PTIO_OK && spec->alike)
        return new_alike(arena, spec, ret, err);
    if (status == PTIO_OK)
        status = is_nested(spec->layout) ? count_components(spec, &numel, err) : count_elements(spec, &numel, err);
    if (status != PTIO_OK)
        return status;
    size_t dim_count = spec->ndim * (spec->layout == PTIO_STRIDED ? 2 : 1);
    ptio_tensor *tensor = ptio_arena_alloc(arena, sizeof *tensor + dim_count * sizeof(int64_t));
    if (!tensor)
        return ptio_heap_fail(arena->heap, err, "a tensor");
    int64_t *dims = (int64_t *)(void *)(tensor + 1);
    *tensor = of_spec(spec, numel, dims);
    if (spec->ndim)
        memcpy(dims, spec->shape, spec->ndim * sizeof *dims);
    if (spec->layout == PTIO_STRIDED) {
        status = set_strides(tensor, dims + spec->ndim, spec, err);
        if (status == PTIO_OK)
            status = check_bounds(tensor, dims + spec->ndim, err);
    }
    if (status == PTIO_OK)
        *ret = tensor;
    return status;
}

/* The components of a nested tensor are made by unbind(), and require grad as it does. They are strided, and have no components. */
static bool copy_components(ptio_arena *arena, ptio_tensor *nested, unsigned set, unsigned clear)
{
    if (!nested->extra)
        return true;
    size_t count = nested->extra->part_count;
    ptio_tensor_extra *extra = ptio_arena_alloc(arena, sizeof *extra);
    ptio_tensor_part_row *parts = PTIO_NEW(arena, ptio_tensor_part_row, count);
    if (!extra || !parts)
        return false;
    for (size_t i = 0; i < count; i++) {
        parts[i] = nested->extra->parts[i];
        if (is_component(&parts[i]) && !(parts[i].tensor = ptio_tensor_with_flags(arena, parts[i].tensor, set, clear)))
            return false;
    }
    *extra = *nested->extra;
    extra->parts = parts;
    nested->extra = extra;
    return true;
}

const ptio_tensor *ptio_tensor_with_flags(ptio_arena *arena, const ptio_tensor *tensor, unsigned set, unsigned clear)
{
    ptio_tensor *copy = ptio_arena_alloc(arena, sizeof *copy);
    if (!copy)
        return NULL;
    *copy = *tensor;
    copy->flags = (uint8_t)((tensor->flags & ~clear) | set);
    bool nested = tensor->layout == PTIO_NESTED || tensor->layout == PTIO_JAGGED;
    return !nested || copy_components(arena, copy, set & PTIO_TENSOR_REQUIRES_GRAD, clear & PTIO_TENSOR_REQUIRES_GRAD) ? copy
                                                                                                                       : NULL;
}

/* ---- getters ---- */

ptio_dtype ptio_tensor_dtype(const ptio_tensor *tensor)
{
    return tensor ? (ptio_dtype)tensor->dtype : PTIO_NO_DTYPE;
}

ptio_layout ptio_tensor_layout(const ptio_tensor *tensor)
{
    return tensor ? (ptio_layout)tensor->layout : PTIO_STRIDED;
}

size_t ptio_tensor_ndim(const ptio_tensor *tensor)
{
    return tensor ? tensor->ndim : 0;
}

const int64_t *ptio_tensor_shape(const ptio_tensor *tensor)
{
    return tensor && !is_nested((ptio_layout)tensor->layout) ? tensor->dims : NULL;
}

const int64_t *ptio_tensor_stride(const ptio_tensor *tensor)
{
    return tensor && tensor->layout == PTIO_STRIDED ? tensor->dims + tensor->ndim : NULL;
}

int64_t ptio_tensor_storage_offset(const ptio_tensor *tensor)
{
    return tensor ? tensor->storage_offset : 0;
}

uint64_t ptio_tensor_numel(const ptio_tensor *tensor)
{
    return tensor ? tensor->numel : 0;
}

static bool has_flag(const ptio_tensor *tensor, unsigned flag)
{
    return tensor && tensor->flags & flag;
}

bool ptio_tensor_requires_grad(const ptio_tensor *tensor)
{
    return has_flag(tensor, PTIO_TENSOR_REQUIRES_GRAD);
}

bool ptio_tensor_is_parameter(const ptio_tensor *tensor)
{
    return has_flag(tensor, PTIO_TENSOR_PARAMETER);
}

bool ptio_tensor_is_conj(const ptio_tensor *tensor)
{
    return has_flag(tensor, PTIO_TENSOR_CONJ);
}

bool ptio_tensor_is_neg(const ptio_tensor *tensor)
{
    return has_flag(tensor, PTIO_TENSOR_NEG);
}

bool ptio_tensor_is_coalesced(const ptio_tensor *tensor)
{
    return has_flag(tensor, PTIO_TENSOR_COALESCED);
}

ptio_text ptio_tensor_device(const ptio_tensor *tensor)
{
    if (!tensor)
        return (ptio_text){NULL, 0};
    if (tensor->flags & PTIO_TENSOR_META)
        return PTIO_TEXT("meta");
    const ptio_tensor *part = ptio_tensor_part_named(tensor, tensor->layout == PTIO_NESTED ? "buffer" : "values");
    const ptio_storage *storage = tensor->storage ? tensor->storage : part ? part->storage : NULL;
    return storage ? ptio_storage_device(storage) : PTIO_TEXT("cpu");
}

bool ptio_tensor_is_meta(const ptio_tensor *tensor)
{
    return has_flag(tensor, PTIO_TENSOR_META) || (tensor && tensor->storage && ptio_storage_is_meta(tensor->storage));
}

/* As PyTorch: strides of dimensions of size 1 do not matter, and no elements are always contiguous. */
bool ptio_tensor_is_contiguous(const ptio_tensor *tensor)
{
    const int64_t *stride = ptio_tensor_stride(tensor);
    if (!stride)
        return false;
    int64_t step = 1;
    for (size_t i = tensor->ndim; tensor->numel > 0 && i-- > 0;) {
        if (tensor->dims[i] == 1)
            continue;
        if (stride[i] != step)
            return false;
        step *= tensor->dims[i];
    }
    return true;
}

const ptio_storage *ptio_tensor_storage(const ptio_tensor *tensor)
{
    return tensor ? tensor->storage : NULL;
}

size_t ptio_tensor_part_count(const ptio_tensor *tensor)
{
    return tensor && tensor->extra ? tensor->extra->part_count : 0;
}

const ptio_tensor *ptio_tensor_part(const ptio_tensor *tensor, size_t index, const char **name)
{
    if (index >= ptio_tensor_part_count(tensor))
        return NULL;
    if (name)
        *name = tensor->extra->parts[index].name;
    return tensor->extra->parts[index].tensor;
}

const ptio_tensor *ptio_tensor_part_named(const ptio_tensor *tensor, const char *name)
{
    for (size_t i = 0; i < ptio_tensor_part_count(tensor); i++)
        if (strcmp(tensor->extra->parts[i].name, name) == 0)
            return tensor->extra->parts[i].tensor;
    return NULL;
}

const ptio_value *ptio_tensor_part_value(const ptio_tensor *tensor, size_t index)
{
    return index < ptio_tensor_part_count(tensor) ? tensor->extra->parts[index].value : NULL;
}

ptio_quantizer ptio_tensor_quantizer(const ptio_tensor *tensor)
{
    return tensor && tensor->extra ? tensor->extra->quantizer : (ptio_quantizer){.scheme = PTIO_NOT_QUANTIZED};
}

const char *ptio_layout_name(ptio_layout layout)
{
    switch (layout) {
    case PTIO_STRIDED:
    case PTIO_NESTED: return "torch.strided";
    case PTIO_SPARSE_COO: return "torch.sparse_coo";
    case PTIO_SPARSE_CSR: return "torch.sparse_csr";
    case PTIO_SPARSE_CSC: return "torch.sparse_csc";
    case PTIO_SPARSE_BSR: return "torch.sparse_bsr";
    case PTIO_SPARSE_BSC: return "torch.sparse_bsc";
    case PTIO_JAGGED: return "torch.jagged";
    }
    return "";
}

const char *ptio_qscheme_name(ptio_qscheme scheme)
{
    switch (scheme) {
    case PTIO_NOT_QUANTIZED: return "";
    case PTIO_PER_TENSOR_AFFINE: return "torch.per_tensor_affine";
    case PTIO_PER_CHANNEL_AFFINE: return "torch.per_channel_affine";
    case PTIO_PER_CHANNEL_AFFINE_FLOAT_QPARAMS: return "torch.per_channel_affine_float_qparams";
    }
    return "";
}
