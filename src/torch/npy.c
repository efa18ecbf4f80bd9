/*
 * The value of a .npy file: an array over its bytes, or what the pickle in it holds, where its elements are objects.
 */
#include "torch/npy.h"

#include "torch/child.h"

/* numpy.save pickles an array of objects whole, dtype and shape once more: they must be those of the header. */
static ptio_status check_objects(const ptio_npy *npy, const ptio_value *root, uint64_t offset, ptio_error *err)
{
    const ptio_ndarray *array = root->seen == PTIO_KIND_NDARRAY ? ptio_meaning(root) : NULL;
    bool same = array && array->items && array->ndim == npy->ndim && array->fortran == npy->fortran;
    for (size_t i = 0; same && i < npy->ndim; i++)
        same = array->shape[i] == npy->shape[i];
    if (same)
        return PTIO_OK;
    return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "npy.objects", offset, "the pickle holds another array than the header tells of");
}

static ptio_status load_objects(ptio_loader *loader, const ptio_npy *npy, ptio_text data, ptio_text record, uint64_t offset,
                                const ptio_value **ret, uint64_t *used, ptio_error *err)
{
    ptio_pickle_part *part;
    loader->persistent_load = ptio_persistent_none;
    ptio_status status = ptio_loader_run(loader, data, record, offset, &part, err);
    if (status == PTIO_OK)
        status = ptio_interpret(loader, part, err);
    if (status != PTIO_OK) {
        if (err && err->offset != PTIO_NO_OFFSET)
            err->offset += offset; /* errors of a pickle count from its beginning */
        return status;
    }
    *ret = part->graph.root;
    *used = part->graph.size;
    return check_objects(npy, *ret, offset, err);
}

ptio_status ptio_npy_value(ptio_maker *maker, const ptio_npy *npy, ptio_text data, ptio_text record, uint64_t offset,
                           const ptio_value **ret, uint64_t *used, ptio_error *err)
{
    ptio_loader *loader = maker->loader;
    if (npy->dtype->is_object)
        return load_objects(loader, npy, data, record, offset, ret, used, err);
    if (npy->nbytes > data.size)
        return ptio_fail(err, PTIO_ERR_FORMAT, "cut-off", offset + data.size,
                         "it is cut off at byte %llu: the elements need %llu bytes from byte %llu on",
                         (unsigned long long)(offset + data.size), (unsigned long long)npy->nbytes, (unsigned long long)offset);
    ptio_ndarray *array = PTIO_NEW(&loader->ckpt->arena, ptio_ndarray, 1);
    if (!array)
        return ptio_heap_fail(&loader->ckpt->heap, err, "an array");
    *array = (ptio_ndarray){.dtype = npy->dtype,
                            .ndim = npy->ndim,
                            .shape = npy->shape,
                            .fortran = npy->fortran,
                            .data = {data.bytes, (size_t)npy->nbytes}};
    ptio_status status = ptio_ndarray_finish(loader, array, err);
    if (status == PTIO_ERR_FORMAT)
        return ptio_fail(err, PTIO_ERR_FORMAT, "npy.header", offset, "the shape of the array does not fit its dtype and bytes");
    *used = npy->nbytes;
    return status == PTIO_OK ? ptio_make_array(maker, array, ret, err) : status;
}
