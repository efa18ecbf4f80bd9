/*
 * Reading the chunks of a tensor and putting each in its place. May be done by any thread, since every read opens what it needs.
 */
#include "torch/child.h"
#include "torch/dcp.h"

#include "tensor/convert.h"

#define MOST_CHUNKS 4096 /* of one tensor: they are compared with one another */
#define PIECE 65536

/* ---- every element once ---- */

static bool overlap(const ptio_dcp_tensor *tensor, const ptio_dcp_chunk *a, const ptio_dcp_chunk *b)
{
    for (size_t i = 0; i < tensor->ndim; i++) {
        if (a->at[i] >= b->at[i] + b->sizes[i] || b->at[i] >= a->at[i] + a->sizes[i])
            return false;
    }
    return a->nbytes && b->nbytes;
}

/* All chunks are inside the tensor and have as many elements as it together. So where no two overlap, they are all of it. */
static ptio_status check_disjoint(const ptio_dcp_tensor *tensor, ptio_error *err)
{
    if (tensor->chunk_count > MOST_CHUNKS)
        return ptio_fail(err, PTIO_ERR_LIMIT, "limit.chunks", PTIO_NO_OFFSET, "the tensor is in %zu chunks, more than %d",
                         tensor->chunk_count, MOST_CHUNKS);
    for (size_t i = 0; i < tensor->chunk_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (overlap(tensor, &tensor->chunks[i], &tensor->chunks[j]))
                return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "dcp.overlap", PTIO_NO_OFFSET,
                                 "chunks %zu and %zu of the tensor overlap", j, i);
        }
    }
    return PTIO_OK;
}

/* ---- putting in place ---- */

/* The elements of a chunk come in C order, in pieces of any size; runs of them lie together in the tensor. */
typedef struct scatter {
    const ptio_dcp_tensor *tensor;
    const ptio_dcp_chunk *chunk;
    uint8_t *out;
    size_t outer;        /* dimensions that are walked: those before the ones that lie together */
    uint64_t run, first; /* bytes of a run; of `out` before the chunk's first element           */
    uint64_t done;       /* bytes of the chunk so far                                           */
} scatter;

static void start_scatter(scatter *s)
{
    uint64_t step = ptio_dtype_rows[s->tensor->dtype].itemsize;
    bool together = true;
    s->run = step;
    s->first = 0;
    s->outer = 0;
    for (size_t i = s->tensor->ndim; i-- > 0;) {
        s->first += (uint64_t)s->chunk->at[i] * step;
        step *= (uint64_t)s->tensor->shape[i];
        if (together)
            s->run *= (uint64_t)s->chunk->sizes[i];
        if (together && s->chunk->sizes[i] != s->tensor->shape[i]) {
            together = false;
            s->outer = i;
        }
    }
}

/* Where run number `run` begins in `out`. */
static uint64_t place_of(const scatter *s, uint64_t run)
{
    uint64_t step = ptio_dtype_rows[s->tensor->dtype].itemsize, at = s->first;
    for (size_t i = s->tensor->ndim; i-- > 0;) {
        if (i < s->outer) {
            at += run % (uint64_t)s->chunk->sizes[i] * step;
            run /= (uint64_t)s->chunk->sizes[i];
        }
        step *= (uint64_t)s->tensor->shape[i];
    }
    return at;
}

static ptio_status take_piece(void *ctx, const void *bytes, size_t size, ptio_error *err)
{
    scatter *s = ctx;
    const uint8_t *from = bytes;
    if (size > s->chunk->nbytes - s->done)
        return ptio_fail(err, PTIO_ERR_FORMAT, "dcp.chunk", PTIO_NO_OFFSET, "a chunk has more bytes than its sizes need");
    while (size) {
        uint64_t in_run = s->done % s->run, left = s->run - in_run;
        size_t now = left < size ? (size_t)left : size;
        memcpy(s->out + place_of(s, s->done / s->run) + in_run, from, now);
        from += now;
        size -= now;
        s->done += now;
    }
    return PTIO_OK;
}

/* ---- reading ---- */

/* Bytes of a safetensors file: the elements as they are. */
static ptio_status read_raw(scatter *s, ptio_source *source, ptio_error *err)
{
    _Alignas(16) uint8_t piece[PIECE / 8];
    uint64_t left = s->chunk->nbytes, at = s->chunk->place.offset;
    size_t unit = ptio_dtype_rows[s->tensor->dtype].swap;
    ptio_status status = PTIO_OK;
    while (left && status == PTIO_OK) {
        size_t now = left < sizeof piece ? (size_t)left : sizeof piece;
        status = ptio_source_read(source, at, piece, now, err);
        if (status != PTIO_OK)
            break;
        if (PTIO_HOST_BIG_ENDIAN && unit > 1)
            ptio_swap_bytes(piece, now / unit, unit);
        status = take_piece(s, piece, now, err);
        at += now;
        left -= now;
    }
    return status;
}

static ptio_status check_tensor(const scatter *s, const ptio_tensor *found, ptio_error *err)
{
    bool same = found && found->layout == PTIO_STRIDED && found->storage && found->dtype == s->tensor->dtype &&
                found->ndim == s->tensor->ndim;
    for (size_t i = 0; same && i < s->tensor->ndim; i++)
        same = found->dims[i] == s->chunk->sizes[i];
    if (same)
        return PTIO_OK;
    return ptio_fail(err, PTIO_ERR_FORMAT, "dcp.chunk", s->chunk->place.offset,
                     "the item is no tensor of the dtype and sizes that .metadata tells");
}

/* A torch.save file of one tensor. */
static ptio_status read_saved(scatter *s, ptio_source *source, ptio_error *err)
{
    const ptio_checkpoint *ckpt = s->tensor->ckpt;
    const ptio_dcp_place *place = &s->chunk->place;
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .limits = &ckpt->limits, .memory = &ckpt->heap.hooks};
    ptio_source *window;
    ptio_status status = ptio_window_open(source, place->offset, place->length, &ckpt->heap.hooks, &window, err);
    if (status != PTIO_OK)
        return status;
    ptio_checkpoint *item = NULL;
    status = ptio_load_source(window, &options, &item, err);
    if (status == PTIO_OK) {
        const ptio_tensor *found = ptio_value_tensor(item->root);
        status = check_tensor(s, found, err);
        if (status == PTIO_OK)
            status = ptio_tensor_stream(found, take_piece, s, err);
    }
    ptio_checkpoint_free(item);
    ptio_source_free(window);
    return status;
}

static ptio_status read_chunk(const ptio_dcp_tensor *tensor, const ptio_dcp_chunk *chunk, void *buffer, ptio_error *err)
{
    const ptio_dcp_file *file = chunk->place.file;
    scatter s = {.tensor = tensor, .chunk = chunk, .out = buffer};
    ptio_source *source;
    if (!chunk->nbytes)
        return PTIO_OK;
    ptio_status status = ptio_source_open(file->path, 0, &tensor->ckpt->heap.hooks, &tensor->ckpt->limits, &source, err);
    if (status != PTIO_OK)
        return status;
    start_scatter(&s);
    status = file->is_safetensors ? read_raw(&s, source, err) : read_saved(&s, source, err);
    ptio_source_free(source);
    if (status == PTIO_OK && s.done != chunk->nbytes)
        status = ptio_fail(err, PTIO_ERR_FORMAT, "dcp.chunk", chunk->place.offset, "a chunk has fewer bytes than its sizes need");
    return status;
}

static ptio_status chunks_read(const ptio_storage *storage, void *buffer, const ptio_watch *watch, ptio_error *err)
{
    (void)watch;
    const ptio_dcp_tensor *tensor = storage->origin_data;
    ptio_error own = {0}; /* the record of a failure is the file, not what lies in it */
    ptio_status status = check_disjoint(tensor, &own);
    for (size_t i = 0; i < tensor->chunk_count && status == PTIO_OK; i++) {
        status = read_chunk(tensor, &tensor->chunks[i], buffer, &own);
        if (status != PTIO_OK) {
            own.record[0] = '\0';
            status = ptio_error_in_record(&own, status, tensor->chunks[i].place.file->name);
        }
    }
    if (status != PTIO_OK)
        (void)ptio_error_in_context(&own, status, tensor->name);
    if (status != PTIO_OK && err && err->status == PTIO_OK)
        *err = own;
    return status;
}

const ptio_storage_origin ptio_storage_of_chunks = {chunks_read, NULL, NULL, NULL, NULL};
