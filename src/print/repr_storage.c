/*
 * Bare storages: their elements one a line, then class, dtype, device and size. Source: torch/storage.py, __repr__.
 */
#include "archive/archive.h"
#include "print/repr_tensor.h"
#include "print/window.h"
#include "tensor/pieces.h"

static bool is_of_zip(const ptio_storage *storage)
{
    const ptio_archive *archive = storage->origin == &ptio_storage_of_record ? storage->origin_data : NULL;
    return archive && archive->kind == PTIO_ARCHIVE_ZIP;
}

/* The elements of a storage as they are shown: a line for each. */
typedef struct lines {
    ptio_out *out;
    ptio_dtype dtype;
} lines;

static void put_run(void *ctx, const char *first, int64_t step, size_t count)
{
    lines *l = ctx;
    for (size_t i = 0; i < count; i++) {
        ptio_out_char(l->out, ' ');
        ptio_repr_element(l->out, l->dtype, first + (int64_t)i * step);
        ptio_out_char(l->out, '\n');
    }
}

static void put_lines(void *ctx, ptio_grid *grid)
{
    (void)ptio_grid_visit(grid, put_run, ctx);
}

static ptio_status storage_lines(ptio_out *out, const ptio_storage *storage, uint64_t count, const ptio_tensor_style *style)
{
    uint64_t shown = style->most_items && style->most_items < count ? style->most_items : count;
    int64_t dims[2] = {(int64_t)shown, 1};
    ptio_dtype dtype = ptio_storage_dtype(storage);
    ptio_tensor tensor = {.dtype = (uint8_t)dtype, .ndim = 1, .numel = shown, .storage = storage, .dims = dims};
    lines l = {out, dtype};
    ptio_grid grid = {.ndim = 1};
    ptio_storage_pieces pieces;
    ptio_status status;
    if (ptio_tensor_in_pieces(&tensor, &pieces)) {
        status = ptio_window_show(&tensor, dtype, &grid, style->heap, put_lines, &l, out->err);
    } else {
        const void *data;
        status = ptio_storage_data(storage, &data, out->err);
        grid.base = data;
        ptio_grid_shape(&grid, &tensor, NULL, ptio_dtype_itemsize(dtype));
        if (status == PTIO_OK)
            put_lines(&l, &grid);
    }
    if (shown < count)
        ptio_out_string(out, " ...\n");
    return status;
}

/* Every element is shown. Of a zip archive torch.load() makes an UntypedStorage one of bytes. */
ptio_status ptio_repr_storage(ptio_out *out, const ptio_storage *storage, const ptio_tensor_style *style)
{
    ptio_dtype dtype = ptio_storage_dtype(storage);
    size_t itemsize = ptio_dtype_itemsize(dtype);
    uint64_t count = itemsize ? ptio_storage_nbytes(storage) / itemsize : 0;
    bool meta = ptio_storage_is_meta(storage);
    ptio_text place = style->devices ? ptio_device_shown(ptio_storage_location(storage)) : PTIO_TEXT("cpu");
    if (meta)
        place = PTIO_TEXT("meta");
    if (meta || !count) {
        ptio_out_string(out, meta ? "...\n" : " \n");
    } else {
        ptio_status status = storage_lines(out, storage, count, style);
        if (status != PTIO_OK)
            return status;
    }
    if (ptio_storage_is_untyped(storage) && !is_of_zip(storage)) {
        ptio_out_string(out, "[torch.storage.UntypedStorage(");
    } else {
        ptio_out_string(out, "[torch.storage.TypedStorage(dtype=torch.");
        ptio_out_string(out, ptio_dtype_name(dtype));
        ptio_out_string(out, ", ");
    }
    ptio_text device = ptio_storage_device(storage);
    ptio_out_string(out, "device=");
    ptio_repr_escaped(out, ptio_text_is(device, "cpu") ? place : device);
    ptio_out_string(out, ") of size ");
    ptio_out_u64(out, count);
    ptio_out_char(out, ']');
    return PTIO_OK;
}
