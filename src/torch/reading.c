/*
 * Reading all storages at once, which is what torch.load() does by itself and a load of ptio when it is asked to, and verifying all records.
 *
 * Threads take one storage or record after another, in the order of the file. Each is read by one thread, so that its CRC is computed over
 * bytes that are in that thread's cache.
 */
#include "torch/reading.h"

#include "tensor/device.h"

#define STEP ((uint64_t)16 << 20)
#define WORTH_A_THREAD ((uint64_t)1 << 20)

bool ptio_reading_tell(ptio_reading *reading, uint64_t piece, uint64_t done, uint64_t total)
{
    if (!reading->progress || (done != total && done / STEP == (done - piece) / STEP))
        return true;
    ptio_mutex_lock(&reading->lock);
    int stop = reading->progress(reading->ctx, done, total);
    ptio_mutex_unlock(&reading->lock);
    return !stop;
}

static bool step_of_one(void *ctx, uint64_t piece, uint64_t done, uint64_t total)
{
    return total < WORTH_A_THREAD || ptio_reading_tell(ctx, piece, done, total);
}

ptio_status ptio_reading_begin(ptio_checkpoint *ckpt, const ptio_load_options *options, ptio_error *err)
{
    if (!options->progress && options->threads <= 1)
        return PTIO_OK;
    ptio_reading *reading = ptio_arena_alloc(&ckpt->arena, sizeof *reading);
    if (!reading)
        return ptio_heap_fail(&ckpt->heap, err, "reading");
    *reading = (ptio_reading){.watch = {step_of_one, reading},
                              .progress = options->progress,
                              .ctx = options->progress_ctx,
                              .threads = options->threads};
    if (!ptio_mutex_init(&reading->lock))
        return ptio_fail_memory(err, "reading");
    ckpt->reading = reading;
    if (reading->progress)
        ckpt->own_pool.watch = &reading->watch;
    return PTIO_OK;
}

void ptio_reading_end(ptio_checkpoint *ckpt)
{
    if (ckpt->reading)
        ptio_mutex_destroy(&ckpt->reading->lock);
    ckpt->reading = NULL;
}

unsigned ptio_reading_threads(const ptio_checkpoint *ckpt, uint64_t bytes)
{
    unsigned most = ckpt->reading && ckpt->reading->threads ? ckpt->reading->threads : 1;
    if (most == PTIO_ALL_THREADS)
        most = ptio_os_processors();
    uint64_t worth = bytes / WORTH_A_THREAD;
    return worth < 1 ? 1 : worth < most ? (unsigned)worth : most;
}

/* ---- many in a row ---- */

/* What the threads share. */
typedef struct row {
    ptio_reading *reading; /* may be NULL */
    bool (*take)(struct row *row, size_t index, const ptio_watch *watch, uint64_t *size);
    size_t count;
    uint64_t total;
    _Atomic(size_t) next;
    _Atomic(bool) ended;
    ptio_mutex lock; /* of what follows */
    uint64_t done;
    ptio_status status;
    ptio_error error;

    const ptio_storage **storages; /* of ptio_checkpoint_read() */
    ptio_archive *archive;         /* of ptio_reading_verify()  */
    bool *whole;
} row;

typedef struct place {
    row *row;
    uint64_t counted; /* bytes of this storage or record */
} place;

/* Under the lock. The first to say why it ends has said it. */
static void end_with(row *r, ptio_status status, const ptio_error *error)
{
    if (atomic_exchange(&r->ended, true))
        return;
    r->status = status;
    r->error = *error;
}

static void end(row *r, ptio_status status, const ptio_error *error)
{
    ptio_mutex_lock(&r->lock);
    end_with(r, status, error);
    ptio_mutex_unlock(&r->lock);
}

/* False: it has ended. Nobody is told anything from then on. */
static bool count_bytes(row *r, uint64_t piece)
{
    ptio_mutex_lock(&r->lock);
    r->done += piece;
    if (piece && r->reading && !atomic_load(&r->ended) && !ptio_reading_tell(r->reading, piece, r->done, r->total)) {
        ptio_error error = {0};
        end_with(r, ptio_fail(&error, PTIO_ERR_CANCELLED, "cancelled", PTIO_NO_OFFSET, "the caller stopped the reading"), &error);
    }
    bool ended = atomic_load(&r->ended);
    ptio_mutex_unlock(&r->lock);
    return !ended;
}

static bool step_of_many(void *ctx, uint64_t piece, uint64_t done, uint64_t total)
{
    place *p = ctx;
    (void)done;
    (void)total;
    p->counted += piece;
    return count_bytes(p->row, piece);
}

static void take_some(void *ctx)
{
    row *r = ctx;
    size_t i;
    while (!atomic_load(&r->ended) && (i = atomic_fetch_add(&r->next, 1)) < r->count) {
        place p = {.row = r};
        ptio_watch watch = {step_of_many, &p};
        uint64_t size;
        if (r->take(r, i, &watch, &size) && size > p.counted) /* some tell nothing while they are read */
            (void)count_bytes(r, size - p.counted);
    }
}

static ptio_status run(row *r, const ptio_checkpoint *ckpt, ptio_error *err)
{
    r->reading = ckpt->reading;
    if (!ptio_mutex_init(&r->lock))
        return ptio_fail_memory(err, "reading");
    ptio_os_run_threads(ptio_reading_threads(ckpt, r->total), take_some, r);
    ptio_mutex_destroy(&r->lock);
    if (r->status != PTIO_OK && err && err->status == PTIO_OK)
        *err = r->error;
    return r->status;
}

/* ---- storages ---- */

static bool take_storage(row *r, size_t index, const ptio_watch *watch, uint64_t *size)
{
    ptio_error error = {0};
    const void *data;
    const ptio_storage *storage = r->storages[index];
    *size = storage->nbytes;
    ptio_status status = atomic_load(&storage->device) ? ptio_storage_bring(storage, watch, &error)
                                                       : ptio_storage_fetch(storage, watch, &data, &error);
    if (status != PTIO_OK)
        end(r, status, &error);
    return status == PTIO_OK;
}

/* A slice has the bytes of another. */
static bool has_own_bytes(const ptio_storage *storage)
{
    return storage->origin && storage->origin != &ptio_storage_of_slice && storage->nbytes && !ptio_storage_is_meta(storage) &&
           storage->origin != &ptio_storage_of_device && (atomic_load(&storage->device) || !ptio_storage_is_resident(storage));
}

/* The pool has the newest first, the file most often the oldest: the list is filled from its end. */
static void collect(row *r, const ptio_storage_pool *pool)
{
    size_t i = r->count; /* others may read some meanwhile: then there are fewer */
    for (const ptio_storage *storage = pool->newest; storage; storage = storage->older) {
        if (!i || !has_own_bytes(storage))
            continue;
        r->storages[--i] = storage;
        r->total += storage->nbytes;
    }
    atomic_store(&r->next, i);
}

ptio_status ptio_checkpoint_read(const ptio_checkpoint *ckpt, ptio_error *err)
{
    if (!ckpt)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.null", PTIO_NO_OFFSET, "there is no checkpoint");
    ptio_heap heap;
    ptio_heap_init(&heap, &ckpt->heap.hooks, 0);
    row r = {.take = take_storage};
    for (const ptio_storage *storage = ckpt->pool->newest; storage; storage = storage->older)
        r.count += has_own_bytes(storage);
    size_t size = r.count * sizeof *r.storages;
    if (!size)
        return PTIO_OK;
    r.storages = ptio_heap_resize(&heap, NULL, 0, size);
    if (!r.storages)
        return ptio_fail_memory(err, "the list of storages");
    collect(&r, ckpt->pool);
    ptio_status status = run(&r, ckpt, err);
    ptio_heap_free(&heap, r.storages, size);
    return status;
}

/* ---- records ---- */

static bool take_record(row *r, size_t index, const ptio_watch *watch, uint64_t *size)
{
    *size = r->archive->entries[index].size;
    r->whole[index] = ptio_archive_verify(r->archive, index, watch, NULL) == PTIO_OK;
    return true;
}

ptio_status ptio_reading_verify(const ptio_checkpoint *ckpt, ptio_archive *archive, bool *whole, ptio_error *err)
{
    row r = {.take = take_record, .archive = archive, .whole = whole, .count = archive->count};
    for (size_t i = 0; i < archive->count; i++)
        if (archive->entries[i].size < UINT64_MAX / 2 - r.total)
            r.total += archive->entries[i].size;
    return run(&r, ckpt, err);
}
