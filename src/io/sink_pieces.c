/*
 * Writing by several threads at once, each at a place of its own in the target.
 *
 * Threads take one piece after another. A piece is looked at and written in blocks that stay in the cache of one core meanwhile, as the
 * archive writer does it with one thread. The first failure ends them all, and is the sink's.
 */
#include <stdatomic.h>

#include "base/os.h"
#include "io/sink_kind.h"

#define BLOCK ((size_t)512 << 10)
#define THREADS_OF_A_FILE 4

typedef struct work {
    ptio_sink *sink;
    const ptio_sink_pieces *pieces;
    size_t piece, block; /* bytes of each                                  */
    uint64_t origin;     /* of the first byte, in the sink                 */
    uint8_t *blocks;     /* of a source: BLOCK bytes for each thread        */
    unsigned threads;    /* that there are blocks for                       */
    _Atomic(unsigned) started;
    _Atomic(uint64_t) next; /* the next piece, counted from the first byte */
    uint64_t first;         /* where piece 1 begins                        */
    _Atomic(bool) ended;
    ptio_mutex lock; /* of the sink's position, watcher and failure */
} work;

bool ptio_sink_likes_pieces(const ptio_sink *sink, unsigned threads, uint64_t size)
{
    return sink->kind->begin_pieces && threads > 1 && size >= 2 * PTIO_SINK_THREAD_PIECE;
}

/* ---- pieces ---- */

static void end_with(work *w, ptio_status status, const ptio_error *error, ptio_text record)
{
    ptio_mutex_lock(&w->lock);
    if (!atomic_exchange(&w->ended, true)) {
        w->sink->failure = *error;
        ptio_error_in_record(&w->sink->failure, status, record);
    }
    ptio_mutex_unlock(&w->lock);
}

/* A block in memory, in *ret. */
static ptio_status block_at(const ptio_sink_pieces *p, uint64_t at, size_t size, uint8_t *block, const uint8_t **ret,
                            ptio_error *err)
{
    *ret = p->bytes ? p->bytes + at : block;
    if (p->bytes)
        return PTIO_OK;
    ptio_status status = ptio_source_read(p->source, p->offset + at, block, size, err);
    return status ? ptio_error_in_record(err, status, ptio_source_name(p->source)) : PTIO_OK;
}

static ptio_status write_piece(work *w, size_t number, uint64_t begin, size_t size, uint8_t *block, ptio_error *err)
{
    const ptio_sink_kind *kind = w->sink->kind;
    const ptio_sink_pieces *p = w->pieces;
    ptio_status status = PTIO_OK;
    for (size_t n, done = 0; status == PTIO_OK && done < size && !atomic_load(&w->ended); done += n) {
        const uint8_t *bytes;
        n = size - done < w->block ? size - done : w->block;
        status = block_at(p, begin + done, n, block, &bytes, err);
        if (status == PTIO_OK && p->look)
            p->look(p->ctx, number, bytes, n);
        if (status == PTIO_OK)
            status = kind->write_at(w->sink, w->origin + begin + done, bytes, n, err);
    }
    if (status == PTIO_OK && kind->sync_at && !atomic_load(&w->ended))
        status = kind->sync_at(w->sink, w->origin + begin, size, err);
    return status;
}

/* Nobody is told anything once all has ended. */
static void count_piece(work *w, size_t size)
{
    ptio_mutex_lock(&w->lock);
    w->sink->position += size;
    if (!atomic_load(&w->ended) && ptio_sink_tell_watcher(w->sink) != PTIO_OK)
        atomic_store(&w->ended, true);
    ptio_mutex_unlock(&w->lock);
}

static void write_some(void *ctx)
{
    work *w = ctx;
    uint8_t *block = w->blocks ? w->blocks + w->block * atomic_fetch_add(&w->started, 1) : NULL;
    uint64_t size = w->pieces->size, begin;
    while (!atomic_load(&w->ended) && (begin = atomic_fetch_add(&w->next, w->piece)) < size) {
        ptio_error error = {0};
        size_t piece = size - begin < w->piece ? (size_t)(size - begin) : w->piece;
        ptio_status status = write_piece(w, (size_t)((begin - w->first) / w->piece) + 1, begin, piece, block, &error);
        if (status == PTIO_OK)
            count_piece(w, piece);
        else
            end_with(w, status, &error, ptio_sink_name(w->sink));
    }
}

static ptio_status run(work *w)
{
    if (!ptio_mutex_init(&w->lock))
        return ptio_fail_memory(&w->sink->failure, "threads that write");
    ptio_os_run_threads(w->threads, write_some, w);
    ptio_mutex_destroy(&w->lock);
    return w->sink->failure.status;
}

/* ---- one after another ---- */

/* Up to `end`, as a part of piece 0. */
static ptio_status write_plain(work *w, uint64_t begin, uint64_t end)
{
    const ptio_sink_pieces *p = w->pieces;
    ptio_error *err = &w->sink->failure;
    ptio_status status = PTIO_OK;
    for (size_t n; status == PTIO_OK && begin < end; begin += n) {
        const uint8_t *bytes;
        n = end - begin < w->block ? (size_t)(end - begin) : w->block;
        status = block_at(p, begin, n, w->blocks, &bytes, err);
        if (status == PTIO_OK && p->look)
            p->look(p->ctx, 0, bytes, n);
        if (status == PTIO_OK)
            status = ptio_sink_write(w->sink, bytes, n, NULL);
    }
    return status;
}

/* ---- all ---- */

/* The first bytes go as usual, up to where the file system takes them fastest: that is piece 0. */
static ptio_status write_all(work *w)
{
    ptio_sink *sink = w->sink;
    size_t border = w->piece < PTIO_SINK_BUFFER ? w->piece : PTIO_SINK_BUFFER;
    uint64_t size = w->pieces->size, head = border - (sink->base + sink->position) % border;
    bool can = false;
    w->first = head < size ? head : size;
    ptio_status status = write_plain(w, 0, w->first);
    if (status == PTIO_OK)
        status = ptio_sink_empty_buffer(sink);
    if (status == PTIO_OK)
        status = sink->kind->begin_pieces(sink, size - w->first, &can, &sink->failure);
    if (status != PTIO_OK || !can)
        return status ? status : write_plain(w, w->first, size);
    atomic_store(&w->next, w->first);
    status = run(w);
    return status ? status : sink->kind->end_pieces(sink, size - w->first, &sink->failure);
}

/* Most file systems let one thread at a time write into a file. The others can read and look at their blocks meanwhile, for which few
 * are enough. */
static unsigned threads_for(const ptio_sink *sink, const ptio_sink_pieces *pieces, size_t piece)
{
    uint64_t worth = pieces->size / piece + 1;
    unsigned most = pieces->threads == PTIO_ALL_THREADS ? ptio_os_processors() : pieces->threads;
    unsigned useful = sink->fd >= 0 ? THREADS_OF_A_FILE : PTIO_MOST_THREADS;
    most = most < useful ? most : useful;
    return worth < most ? (unsigned)worth : most;
}

/* They are kept for the next storage: fresh memory costs as much as the reading. */
static ptio_status reserve_blocks(work *w)
{
    ptio_sink *sink = w->sink;
    const ptio_memory *hooks = &sink->heap.hooks;
    size_t size = w->threads * w->block;
    if (size > sink->blocks_size) {
        ptio_sink_free_blocks(sink);
        sink->blocks = hooks->alloc(hooks->ctx, size, PTIO_STORAGE_ALIGN);
        if (!sink->blocks)
            return ptio_fail_memory(&sink->failure, "blocks of what is copied");
        sink->blocks_size = size;
    }
    w->blocks = sink->blocks;
    return PTIO_OK;
}

ptio_status ptio_sink_write_pieces(ptio_sink *sink, const ptio_sink_pieces *pieces, ptio_error *err)
{
    work w = {.sink = sink, .pieces = pieces, .piece = pieces->piece ? pieces->piece : PTIO_SINK_THREAD_PIECE};
    w.block = w.piece < BLOCK ? w.piece : BLOCK;
    w.origin = sink->position;
    w.threads = threads_for(sink, pieces, w.piece);
    ptio_status status = ptio_sink_may_grow(sink, pieces->size);
    if (status == PTIO_OK && !pieces->bytes)
        status = reserve_blocks(&w);
    if (status == PTIO_OK)
        status = write_all(&w);
    return ptio_sink_tell(sink, status, err);
}

void ptio_sink_free_blocks(ptio_sink *sink)
{
    const ptio_memory *hooks = &sink->heap.hooks;
    if (sink->blocks)
        hooks->free(hooks->ctx, sink->blocks, sink->blocks_size);
    sink->blocks = NULL;
    sink->blocks_size = 0;
}
