/*
 * Giving back what nobody can reach any more.
 *
 * Needed is what the caller names; what takes the place of a value that is needed, or of a loaded one, which may be met in any save;
 * and the few values that the builder shares among those it makes. All of it is found by the builder's cells (base/cells.h). What the
 * builder knows about values beside (which may be changed, where keys are, which casts there are) is not a reason to keep them: it is
 * left out while marking, and made anew for those that stay. Everything that needs memory comes first, so that a failure changes nothing.
 */
#include "base/cells.h"
#include "base/error.h"
#include "torch/builder.h"

typedef struct collection {
    ptio_builder *b;
    ptio_cells *cells;
    ptio_storage **storages; /* of the pool, the newest first */
    size_t storage_count, storage_capacity;
    ptio_pointer_map own, places; /* of what stays */
    const ptio_value **twins;
    size_t twin_count, twin_capacity;
    ptio_known_cast *casts; /* a table as large as before */
    size_t cast_count;
} collection;

/* ---- what there is ---- */

/* Storages are in a chain, so that each would keep all older ones: it is taken apart. False where there is no memory. */
static bool take_storages_apart(collection *c, ptio_storage_pool *pool)
{
    for (ptio_storage *storage = pool->newest; storage; storage = storage->older)
        c->storage_count++;
    if (!c->storage_count)
        return true;
    c->storages = ptio_heap_grow(&c->b->ckpt->heap, NULL, &c->storage_capacity, c->storage_count, sizeof *c->storages);
    if (!c->storages)
        return false;
    ptio_storage *storage = pool->newest;
    for (size_t i = 0; i < c->storage_count; i++) {
        ptio_storage *older = storage->older;
        c->storages[i] = storage;
        storage->older = NULL;
        storage = older;
    }
    pool->newest = NULL;
    return true;
}

/* Chain the storages again: all of them, or those that stay; the bytes of the others are freed. */
static void chain_storages(collection *c, ptio_storage_pool *pool, bool all)
{
    uint32_t count = 0;
    for (size_t i = c->storage_count; i-- > 0;) {
        ptio_storage *storage = c->storages[i];
        if (!all && !ptio_cells_is_needed(c->cells, storage)) {
            ptio_storage_free_bytes(storage);
            continue;
        }
        storage->older = pool->newest;
        pool->newest = storage;
        count = storage->index + 1;
    }
    if (!all)
        pool->count = count; /* the next gets a number that none has */
}

/* ---- what is needed ---- */

/* A value that is needed may have another in its place. */
static void mark_twin(void *ctx, const void *piece)
{
    const collection *c = ctx;
    uint32_t place;
    if (ptio_pointer_map_get(&c->b->places, piece, &place))
        (void)ptio_cells_mark(c->cells, c->b->twins[place]);
}

static void mark_known(collection *c)
{
    ptio_builder *b = c->b;
    const ptio_value *names = b->names;
    b->names = NULL;
    b->loader.latest = (ptio_latest){0};
    ptio_cells_mark_alone(c->cells, b);
    ptio_cells_scan(c->cells, b, sizeof *b);
    ptio_cells_scan(c->cells, b->ckpt, sizeof *b->ckpt);
    b->names = names;
    if (names) {
        ptio_cells_mark_alone(c->cells, names);
        ptio_cells_mark_alone(c->cells, PTIO_NODE(dict, names)->block);
    }
    for (size_t i = 0; i < b->places.slot_count; i++) {
        const void *value = b->places.slots[i].pointer;
        if (value && !ptio_cells_hold(c->cells, value))
            (void)ptio_cells_mark(c->cells, b->twins[b->places.slots[i].number]);
    }
    for (size_t i = 0; i < c->storage_count; i++)
        if (ptio_storage_is_in_use(c->storages[i]))
            (void)ptio_cells_mark(c->cells, c->storages[i]);
}

static bool mark_all(collection *c, const ptio_value *const *keep, size_t count)
{
    ptio_cells_begin(c->cells);
    mark_known(c);
    for (size_t i = 0; i < count; i++)
        if (keep[i] && !ptio_cells_mark(c->cells, keep[i]))
            mark_twin(c, keep[i]);
    return ptio_cells_trace(c->cells, mark_twin, c);
}

/* ---- what is known of it ---- */

/* Chains of values that took each other's place become short, or those between would be kept. */
static void shorten_chains(ptio_builder *b)
{
    for (size_t i = 0; i < b->places.slot_count; i++) {
        const ptio_value *first = b->places.slots[i].pointer;
        const ptio_value *last = ptio_edited(b, first);
        uint32_t place;
        for (const ptio_value *value = first; value != last && ptio_pointer_map_get(&b->places, value, &place);) {
            const ptio_value *next = b->twins[place];
            b->twins[place] = last;
            value = next;
        }
    }
}

static bool copy_own(collection *c)
{
    ptio_builder *b = c->b;
    for (size_t i = 0; i < b->own.slot_count; i++) {
        const void *value = b->own.slots[i].pointer;
        if (value && ptio_cells_is_needed(c->cells, value) && !ptio_pointer_map_put(&c->own, &b->ckpt->heap, value, 0))
            return false;
    }
    return true;
}

static bool copy_twins(collection *c)
{
    ptio_builder *b = c->b;
    for (size_t i = 0; i < b->places.slot_count; i++) {
        const void *value = b->places.slots[i].pointer;
        if (!value || !ptio_cells_is_needed(c->cells, value))
            continue;
        if (c->twin_count == c->twin_capacity) {
            const ptio_value **grown =
                ptio_heap_grow(&b->ckpt->heap, c->twins, &c->twin_capacity, c->twin_count + 1, sizeof *grown);
            if (!grown)
                return false;
            c->twins = grown;
        }
        if (!ptio_pointer_map_put(&c->places, &b->ckpt->heap, value, (uint32_t)c->twin_count))
            return false;
        c->twins[c->twin_count++] = b->twins[b->places.slots[i].number];
    }
    return true;
}

/* The last step that can fail. */
static bool copy_casts(collection *c)
{
    ptio_builder *b = c->b;
    if (!b->cast_capacity)
        return true;
    c->casts = ptio_casts_new(&b->ckpt->heap, b->cast_capacity);
    if (!c->casts)
        return false;
    for (size_t i = 0; i < b->cast_capacity; i++) {
        const ptio_known_cast *cast = &b->casts[i];
        if (!cast->storage || !ptio_cells_is_needed(c->cells, cast->storage) || !ptio_cells_is_needed(c->cells, cast->tensor))
            continue;
        ptio_casts_put(c->casts, b->cast_capacity, cast);
        c->cast_count++;
    }
    return true;
}

/* The names that are still in use. */
static void keep_names(collection *c)
{
    ptio_node_dict *names = (ptio_node_dict *)(uintptr_t)c->b->names;
    uint32_t left = 0;
    for (uint32_t i = 0; names && i < names->head.count; i++) {
        const ptio_value *name = names->block->items[2 * (size_t)i];
        if (!ptio_cells_is_needed(c->cells, name))
            continue;
        names->block->items[2 * (size_t)left] = name;
        names->block->items[2 * (size_t)left++ + 1] = name;
    }
    if (names)
        names->head.count = left;
}

/* Put what was copied in the place of what was there, which end() then frees. */
static void exchange(collection *c)
{
    ptio_builder *b = c->b;
    collection before = *c;
    c->own = b->own;
    c->places = b->places;
    c->twins = b->twins;
    c->twin_capacity = b->twin_capacity;
    c->casts = b->casts;
    b->own = before.own;
    b->places = before.places;
    b->twins = before.twins;
    b->twin_count = before.twin_count;
    b->twin_capacity = before.twin_capacity;
    b->casts = before.casts;
    b->cast_count = before.cast_count;
}

static void end(collection *c)
{
    ptio_heap *heap = &c->b->ckpt->heap;
    ptio_pointer_map_free(&c->own, heap);
    ptio_pointer_map_free(&c->places, heap);
    ptio_heap_free(heap, c->twins, c->twin_capacity * sizeof *c->twins);
    ptio_heap_free(heap, c->casts, c->b->cast_capacity * sizeof *c->casts);
    ptio_heap_free(heap, c->storages, c->storage_capacity * sizeof *c->storages);
}

ptio_status ptio_builder_collect(ptio_builder *b, const ptio_value *const *keep, size_t count, ptio_error *err)
{
    ptio_status status = ptio_builder_status(b, err);
    /* A checkpoint inside bytes of this builder reads from them, where no mark can follow. */
    if (status != PTIO_OK || b->ckpt->children)
        return status;
    collection c = {.b = b, .cells = b->ckpt->arena.cells};
    ptio_storage_pool *pool = b->ckpt->pool;
    if (!take_storages_apart(&c, pool))
        return ptio_heap_fail(&b->ckpt->heap, err, "giving memory back");
    shorten_chains(b);
    bool good = mark_all(&c, keep, count) && copy_own(&c) && copy_twins(&c) && copy_casts(&c);
    chain_storages(&c, pool, !good);
    if (good) {
        keep_names(&c);
        ptio_builder_forget_keys(b);
        exchange(&c);
        ptio_cells_sweep(c.cells);
    }
    end(&c);
    return good ? PTIO_OK : ptio_heap_fail(&b->ckpt->heap, err, "giving memory back");
}
