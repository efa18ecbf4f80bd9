/*
 * The run of opcodes that torch.save writes for each tensor, done in one go.
 *
 *     callable (('storage', class, key, location, numel) as persistent id, offset, size, stride, bool, class()) REDUCE
 *
 * Some thirty opcodes of always the same order, a twenty-thousand-fold repetition in the pickle of a large state dict. Here they
 * are first read, without a trace; where all is as expected, the nodes are made in one piece of memory. Where anything differs, the
 * loop goes on as if nothing had been tried, and so does it for the last bytes of a pickle, which spares a look at the end at every
 * step. The graph is the same either way: nodes, flags, offsets, memo, order of the objects.
 */
#include <string.h>

#include "base/cursor.h"
#include "pickle/machine.h"

enum { MOST_DIMS = 8, LONGEST_KEY = 48 };

/* What a run leaves open, as it was read. */
typedef struct run {
    const ptio_value *storage, *class, *key, *location, *state_class;
    const uint8_t *key_bytes; /* of a key that is written here, whose `key` is NULL */
    uint32_t key_size;
    int32_t numel, offset;
    int32_t dims[2][MOST_DIMS]; /* size and stride */
    size_t ndim[2];
    bool flag;
    size_t big_ints; /* those that are no constants */
    const uint8_t *persistent_op, *state_op, *tensor_op, *end;
} run;

/* Where the reading is. */
typedef struct place {
    const uint8_t *pos;
    uint64_t put; /* LONG_BINPUT of the next number, as five bytes */
} place;

#define PUT_MASK 0xFFFFFFFFFFu

PTIO_INLINE bool take_op(place *at, ptio_opcode op)
{
    return *at->pos++ == op;
}

PTIO_INLINE bool take_put(place *at)
{
    bool next = (ptio_load_u64(at->pos) & PUT_MASK) == at->put;
    at->pos += 5;
    at->put += 1 << 8;
    return next;
}

PTIO_INLINE bool take_get(const ptio_memo *memo, place *at, const ptio_value **ret)
{
    size_t number;
    if (*at->pos == PTIO_OP_BINGET) {
        number = at->pos[1];
        at->pos += 2;
    } else if (*at->pos == PTIO_OP_LONG_BINGET) {
        number = ptio_load_u32(at->pos + 1);
        at->pos += 5;
    } else {
        return false;
    }
    *ret = number < memo->flat_count ? memo->flat[number] : NULL;
    return *ret != NULL;
}

PTIO_INLINE bool take_int(place *at, int32_t *ret, size_t *big_ints)
{
    if (PTIO_LIKELY(*at->pos == PTIO_OP_BININT1)) {
        *ret = at->pos[1];
        at->pos += 2;
        return true;
    }
    if (*at->pos == PTIO_OP_BININT2) {
        *ret = ptio_load_u16(at->pos + 1);
        at->pos += 3;
    } else if (*at->pos == PTIO_OP_BININT) {
        *ret = (int32_t)ptio_load_u32(at->pos + 1);
        at->pos += 5;
    } else {
        return false;
    }
    *big_ints += *ret < 0 || *ret > 255;
    return true;
}

/* The shape or the strides: a tuple of up to eight ints. */
PTIO_INLINE bool take_dims(place *at, int32_t *dims, size_t *count, size_t *big_ints)
{
    size_t n = 0;
    bool marked = *at->pos == PTIO_OP_MARK;
    *count = 0;
    if (*at->pos == PTIO_OP_EMPTY_TUPLE)
        return take_op(at, PTIO_OP_EMPTY_TUPLE);
    at->pos += marked;
    while (n < MOST_DIMS && take_int(at, &dims[n], big_ints))
        n++;
    *count = n;
    if (marked)
        return n && take_op(at, PTIO_OP_TUPLE) && take_put(at);
    return n && n <= 3 && *at->pos++ == PTIO_OP_TUPLE1 + n - 1 && take_put(at); /* TUPLE1, TUPLE2, TUPLE3 are neighbours */
}

PTIO_INLINE bool take_key(const ptio_memo *memo, place *at, run *r)
{
    if (*at->pos != PTIO_OP_BINUNICODE)
        return take_get(memo, at, &r->key);
    r->key = NULL;
    r->key_size = ptio_load_u32(at->pos + 1);
    r->key_bytes = at->pos + 5;
    if (r->key_size > LONGEST_KEY)
        return false;
    unsigned seen = 0;
    for (uint32_t i = 0; i < r->key_size; i++)
        seen |= r->key_bytes[i];
    at->pos = r->key_bytes + r->key_size;
    return seen < 0x80 && take_put(at);
}

static inline bool is_callable(const ptio_value *value)
{
    return value->type == PTIO_NODE_TYPE_GLOBAL || value->type == PTIO_NODE_TYPE_PERSISTENT ||
           value->type == PTIO_NODE_TYPE_REDUCED;
}

/* From the second mark on. */
PTIO_INLINE bool read_run(const ptio_machine *m, run *r)
{
    const ptio_memo *memo = &m->memo;
    place at = {m->pos, PTIO_OP_LONG_BINPUT | (uint64_t)memo->count << 8};
    size_t big = 0;
    if (!take_op(&at, PTIO_OP_MARK) || !take_get(memo, &at, &r->storage) || !take_get(memo, &at, &r->class) ||
        !take_key(memo, &at, r) || !take_get(memo, &at, &r->location) || !take_int(&at, &r->numel, &big) ||
        !take_op(&at, PTIO_OP_TUPLE) || !take_put(&at))
        return false;
    r->persistent_op = at.pos;
    if (!take_op(&at, PTIO_OP_BINPERSID) || !take_int(&at, &r->offset, &big) || !take_dims(&at, r->dims[0], &r->ndim[0], &big) ||
        !take_dims(&at, r->dims[1], &r->ndim[1], &big))
        return false;
    r->flag = *at.pos == PTIO_OP_NEWTRUE;
    if (*at.pos != PTIO_OP_NEWFALSE && !r->flag)
        return false;
    at.pos++;
    if (!take_get(memo, &at, &r->state_class) || !is_callable(r->state_class) || !take_op(&at, PTIO_OP_EMPTY_TUPLE))
        return false;
    r->state_op = at.pos;
    if (!take_op(&at, PTIO_OP_REDUCE) || !take_put(&at) || !take_op(&at, PTIO_OP_TUPLE) || !take_put(&at))
        return false;
    r->tensor_op = at.pos;
    r->big_ints = big;
    bool reduced = take_op(&at, PTIO_OP_REDUCE) && take_put(&at);
    r->end = at.pos;
    return reduced;
}

/* ---- making the nodes ---- */

enum { ID_ITEMS = 5, ARGUMENTS = 6, MEMOIZED_ONCE = PTIO_NODE_MEMOIZED | PTIO_NODE_ONCE };

/* What a node takes of the piece of memory: nodes lie at multiples of 8. Where pointers have four bytes, not every size is one. */
#define ROOM(size) (((size) + 7) & ~(size_t)7)

static inline size_t tuple_size(size_t count)
{
    return count ? sizeof(ptio_node_tuple) + count * sizeof(ptio_value *) : 0;
}

static inline size_t nodes_size(const run *r)
{
    return (r->key ? 0 : ROOM(sizeof(ptio_node_text))) + ROOM(tuple_size(ID_ITEMS)) + ROOM(sizeof(ptio_node_persistent)) +
           ROOM(tuple_size(r->ndim[0])) + ROOM(tuple_size(r->ndim[1])) + ROOM(tuple_size(ARGUMENTS)) +
           2 * ROOM(sizeof(ptio_node_reduced)) + r->big_ints * ROOM(sizeof(ptio_node_int));
}

PTIO_INLINE void *take(char **memory, size_t size)
{
    void *taken = *memory;
    *memory += ROOM(size);
    return taken;
}

PTIO_INLINE const ptio_value *make_int(char **memory, int32_t value)
{
    if (value >= 0 && value < 256)
        return &ptio_small_ints[value].head;
    ptio_node_int *node = take(memory, sizeof *node);
    node->head = (ptio_value){.type = PTIO_NODE_TYPE_INT, .seen = PTIO_KIND_INT, .flags = PTIO_NODE_ONCE};
    node->u.value = value;
    return &node->head;
}

PTIO_INLINE ptio_node_tuple *make_tuple(char **memory, size_t count)
{
    ptio_node_tuple *node = take(memory, tuple_size(count));
    node->head =
        (ptio_value){.type = PTIO_NODE_TYPE_TUPLE, .seen = PTIO_KIND_TUPLE, .flags = MEMOIZED_ONCE, .count = (uint32_t)count};
    return node;
}

PTIO_INLINE const ptio_value *make_dims(char **memory, const int32_t *dims, size_t count, ptio_value ***put)
{
    if (!count)
        return &ptio_empty_tuple.head;
    ptio_node_tuple *tuple = make_tuple(memory, count);
    for (size_t i = 0; i < count; i++)
        tuple->items[i] = make_int(memory, dims[i]);
    *(*put)++ = &tuple->head;
    return &tuple->head;
}

PTIO_INLINE ptio_node_reduced *make_reduced(char **memory, const ptio_value *callable, const ptio_value *arguments, size_t offset)
{
    ptio_node_reduced *node = take(memory, sizeof *node);
    node->head = (ptio_value){.type = PTIO_NODE_TYPE_REDUCED,
                              .seen = PTIO_KIND_OBJECT,
                              .flags = MEMOIZED_ONCE,
                              .opcode = PTIO_OP_REDUCE,
                              .count = (uint32_t)offset};
    node->callable = callable;
    node->arguments = arguments;
    node->more = NULL;
    node->meaning = NULL;
    return node;
}

PTIO_INLINE const ptio_value *make_key(char **memory, const run *r, ptio_value ***put)
{
    if (r->key)
        return r->key;
    ptio_node_text *key = take(memory, sizeof *key);
    key->head = (ptio_value){.type = PTIO_NODE_TYPE_STR, .seen = PTIO_KIND_STR, .flags = MEMOIZED_ONCE, .count = r->key_size};
    key->bytes = (const char *)r->key_bytes;
    *(*put)++ = &key->head;
    return &key->head;
}

static void note_gets(const run *r)
{
    const ptio_value *const fetched[] = {r->storage, r->class, r->location, r->state_class, r->key ? r->key : r->storage};
    for (size_t i = 0; i < sizeof fetched / sizeof *fetched; i++)
        ptio_node_met_again((ptio_value *)(uintptr_t)fetched[i]);
}

/* Whether one of those that the memo gave was met once so far: in the first run only. */
PTIO_INLINE bool has_new_gets(const run *r)
{
    return (r->storage->flags | r->class->flags | r->location->flags | r->state_class->flags | (r->key ? r->key->flags : 0)) &
           PTIO_NODE_ONCE;
}

static void make_nodes(ptio_machine *m, const run *r, char *memory)
{
    ptio_value **put = m->memo.flat + m->memo.count;
    const ptio_value **object = m->graph->objects + m->graph->object_count;

    const ptio_value *key = make_key(&memory, r, &put);
    ptio_node_tuple *id = make_tuple(&memory, ID_ITEMS);
    id->items[0] = r->storage;
    id->items[1] = r->class;
    id->items[2] = key;
    id->items[3] = r->location;
    id->items[4] = make_int(&memory, r->numel);
    *put++ = &id->head;

    ptio_node_persistent *storage = take(&memory, sizeof *storage);
    storage->head = (ptio_value){.type = PTIO_NODE_TYPE_PERSISTENT,
                                 .seen = PTIO_KIND_OBJECT,
                                 .flags = PTIO_NODE_ONCE,
                                 .opcode = PTIO_OP_BINPERSID,
                                 .count = (uint32_t)(r->persistent_op - m->start)};
    storage->id = &id->head;
    storage->meaning = NULL;
    *object++ = &storage->head;

    const ptio_value *offset = make_int(&memory, r->offset);
    const ptio_value *size = make_dims(&memory, r->dims[0], r->ndim[0], &put);
    const ptio_value *stride = make_dims(&memory, r->dims[1], r->ndim[1], &put);
    ptio_node_reduced *state = make_reduced(&memory, r->state_class, &ptio_empty_tuple.head, (size_t)(r->state_op - m->start));
    *put++ = &state->head;
    *object++ = &state->head;

    ptio_node_tuple *arguments = make_tuple(&memory, ARGUMENTS);
    arguments->items[0] = &storage->head;
    arguments->items[1] = offset;
    arguments->items[2] = size;
    arguments->items[3] = stride;
    arguments->items[4] = r->flag ? &ptio_true : &ptio_false;
    arguments->items[5] = &state->head;
    *put++ = &arguments->head;

    ptio_node_reduced *tensor = make_reduced(&memory, m->top[-1], &arguments->head, (size_t)(r->tensor_op - m->start));
    *put++ = &tensor->head;
    *object++ = &tensor->head;
    m->top[-1] = &tensor->head;
    m->memo.flat_count = m->memo.count = (size_t)(put - m->memo.flat);
    m->graph->object_count += 3;
}

bool ptio_machine_tensor_run(ptio_machine *m)
{
    enum { MOST_PUTS = 7, OBJECTS = 3 };
    run r;
    if ((size_t)(m->end - m->pos) < PTIO_TENSOR_RUN_MOST || m->top == m->floor || !is_callable(m->top[-1]) ||
        m->memo.straight_most < m->memo.count + MOST_PUTS || m->graph->object_capacity - m->graph->object_count < OBJECTS ||
        !read_run(m, &r))
        return false;
    char *memory = ptio_arena_alloc(m->graph->arena, nodes_size(&r));
    if (!memory)
        return false;
    if (PTIO_UNLIKELY(has_new_gets(&r)))
        note_gets(&r);
    make_nodes(m, &r, memory);
    m->pos = r.end;
    return true;
}
