/*
 * The keys of dicts: which values are one key, and tables to find them by.
 *
 * As in Python, 1, 1.0 and True are one key, NaN equals only itself, and a str never equals bytes. Tuples are compared by their
 * items, globals by module and name; objects, persistent ids and frozensets are keys by identity.
 *
 * Hashes are keyed, so that a file cannot choose keys that collide. A tuple's hash is kept beside the tuple, so that forty
 * tuples of two times the one before cost forty steps; comparing such tuples has a budget, which only a hostile file meets.
 */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "pickle/machine.h"

/* A dict of no more entries is searched one by one. */
#define SMALL 8

/* Comparisons of keys inside tuples, for each byte of the pickle. */
#define STEPS_PER_BYTE 64

/* ---- scalars ---- */

/* What a key is compared by: numbers of all types are one class. */
typedef enum key_class { KEY_IDENTITY, KEY_NUMBER, KEY_STR, KEY_BYTES, KEY_TUPLE, KEY_GLOBAL, KEY_UNHASHABLE } key_class;

static inline key_class class_of(const ptio_value *key)
{
    static const uint8_t classes[] = {
        [PTIO_NODE_TYPE_NONE] = KEY_IDENTITY,
        [PTIO_NODE_TYPE_BOOL] = KEY_NUMBER,
        [PTIO_NODE_TYPE_INT] = KEY_NUMBER,
        [PTIO_NODE_TYPE_FLOAT] = KEY_NUMBER,
        [PTIO_NODE_TYPE_STR] = KEY_STR,
        [PTIO_NODE_TYPE_BYTES] = KEY_BYTES,
        [PTIO_NODE_TYPE_BYTEARRAY] = KEY_UNHASHABLE,
        [PTIO_NODE_TYPE_PY2STR] = KEY_BYTES,
        [PTIO_NODE_TYPE_TUPLE] = KEY_TUPLE,
        [PTIO_NODE_TYPE_LIST] = KEY_UNHASHABLE,
        [PTIO_NODE_TYPE_SET] = KEY_UNHASHABLE,
        [PTIO_NODE_TYPE_FROZENSET] = KEY_IDENTITY,
        [PTIO_NODE_TYPE_DICT] = KEY_UNHASHABLE,
        [PTIO_NODE_TYPE_GLOBAL] = KEY_GLOBAL,
        [PTIO_NODE_TYPE_PERSISTENT] = KEY_IDENTITY,
        [PTIO_NODE_TYPE_REDUCED] = KEY_IDENTITY,
    };
    if (key->type == PTIO_NODE_TYPE_PY2STR && key->seen == PTIO_KIND_STR)
        return KEY_STR;
    return (key_class)classes[key->type];
}

/* A number in the one form that equal numbers share. */
typedef struct number {
    enum { NUMBER_SMALL, NUMBER_BIG, NUMBER_FLOAT, NUMBER_NAN } form;
    int64_t small;        /* whole and of 64 bits                                    */
    const uint8_t *bytes; /* whole and larger: two's complement in the fewest bytes  */
    size_t size;
    double real;       /* not whole, or infinite */
    uint8_t room[136]; /* of the bytes of a large float: 1024 bits and a sign        */
} number;

/* The bytes of a whole float of 2^63 and more. */
static void large_float(double value, number *ret)
{
    int exponent;
    uint64_t mantissa = (uint64_t)ldexp(frexp(fabs(value), &exponent), 53);
    size_t shift = (size_t)exponent - 53, at = shift / 8;
    memset(ret->room, 0, sizeof ret->room);
    mantissa <<= shift % 8; /* 53 and 7 bits */
    for (size_t i = 0; i < 8; i++)
        ret->room[at + i] = (uint8_t)(mantissa >> 8 * i);
    unsigned carry = 1;
    for (size_t i = 0; value < 0 && i < sizeof ret->room; i++) {
        carry += (uint8_t)~ret->room[i];
        ret->room[i] = (uint8_t)carry;
        carry >>= 8;
    }
    ret->form = NUMBER_BIG;
    ret->bytes = ret->room;
    ret->size = ptio_int_fewest(ret->room, sizeof ret->room);
}

static void float_number(double value, number *ret)
{
    if (isnan(value)) {
        ret->form = NUMBER_NAN;
    } else if (isinf(value)) {
        ret->form = NUMBER_FLOAT;
        ret->real = value;
    } else if (value >= -9223372036854775808.0 && value < 9223372036854775808.0) {
        ret->form = (double)(int64_t)value == value ? NUMBER_SMALL : NUMBER_FLOAT;
        ret->small = (int64_t)value;
        if (ret->form == NUMBER_FLOAT)
            ret->real = value;
    } else {
        large_float(value, ret);
    }
}

static void number_of(const ptio_value *key, number *ret)
{
    if (key->type == PTIO_NODE_TYPE_FLOAT) {
        float_number(PTIO_NODE(float, key)->value, ret);
    } else if (ptio_node_int64(key, &ret->small)) {
        ret->form = NUMBER_SMALL;
    } else {
        ret->form = NUMBER_BIG;
        ret->bytes = PTIO_NODE(int, key)->u.bytes;
        ret->size = key->count;
    }
}

static bool numbers_equal(const ptio_value *a, const ptio_value *b)
{
    number x, y;
    number_of(a, &x);
    number_of(b, &y);
    if (x.form != y.form)
        return false;
    switch (x.form) {
    case NUMBER_SMALL: return x.small == y.small;
    case NUMBER_BIG: return x.size == y.size && memcmp(x.bytes, y.bytes, x.size) == 0;
    case NUMBER_FLOAT: return x.real == y.real;
    case NUMBER_NAN: return false;
    }
    return false;
}

/* Equal, but for tuples, which are compared by equal_keys(). */
static bool equal_plain(const ptio_value *a, const ptio_value *b)
{
    if (a == b)
        return true;
    key_class class = class_of(a);
    if (class != class_of(b))
        return false;
    switch (class) {
    case KEY_NUMBER: return numbers_equal(a, b);
    case KEY_STR:
    case KEY_BYTES: return ptio_text_equal(ptio_node_str_of(a), ptio_node_str_of(b));
    case KEY_GLOBAL: {
        const ptio_node_global *x = PTIO_NODE(global, a), *y = PTIO_NODE(global, b);
        return ptio_text_equal(ptio_node_str_of(x->module), ptio_node_str_of(y->module)) &&
               ptio_text_equal(ptio_node_str_of(x->name), ptio_node_str_of(y->name));
    }
    case KEY_IDENTITY:
    case KEY_TUPLE:
    case KEY_UNHASHABLE: return false;
    }
    return false;
}

static uint64_t hash_text(uint64_t key, key_class class, ptio_text text)
{
    return ptio_hash(key + (uint64_t) class, text.bytes, text.size);
}

static uint64_t hash_int(uint64_t key, int64_t value)
{
    return ptio_hash(key + KEY_NUMBER, &value, sizeof value);
}

static uint64_t hash_address(uint64_t key, const void *pointer)
{
    return ptio_hash(key + KEY_IDENTITY, &pointer, sizeof pointer);
}

static uint64_t hash_number(uint64_t key, const ptio_value *value)
{
    number n;
    number_of(value, &n);
    switch (n.form) {
    case NUMBER_SMALL: return hash_int(key, n.small);
    case NUMBER_BIG: return ptio_hash(key + KEY_NUMBER, n.bytes, n.size);
    case NUMBER_FLOAT: return ptio_hash(key + KEY_NUMBER, &n.real, sizeof n.real);
    case NUMBER_NAN: break;
    }
    return hash_address(key, value);
}

static uint64_t hash_plain(uint64_t key, const ptio_value *value)
{
    key_class class = class_of(value);
    switch (class) {
    case KEY_NUMBER: return hash_number(key, value);
    case KEY_STR:
    case KEY_BYTES: return hash_text(key, class, ptio_node_str_of(value));
    case KEY_GLOBAL: {
        const ptio_node_global *global = PTIO_NODE(global, value);
        uint64_t module = hash_text(key, class, ptio_node_str_of(global->module));
        return hash_text(key ^ module, class, ptio_node_str_of(global->name));
    }
    case KEY_IDENTITY:
    case KEY_TUPLE:
    case KEY_UNHASHABLE: break;
    }
    return hash_address(key, value);
}

/* ---- tuples ---- */

/* A tuple whose items are being looked at, up to `next`. */
typedef struct frame {
    const ptio_value *tuple;
    const ptio_value *other; /* what it is compared with */
    uint64_t hash;
    size_t next;
} frame;

typedef struct frames {
    ptio_heap *heap;
    frame *list;
    size_t count, capacity;
} frames;

static bool push_frame(frames *f, const ptio_value *tuple, const ptio_value *other, uint64_t hash)
{
    if (f->count == f->capacity) {
        frame *grown = ptio_heap_grow(f->heap, f->list, &f->capacity, f->count + 1, sizeof *grown);
        if (!grown)
            return false;
        f->list = grown;
    }
    f->list[f->count++] = (frame){tuple, other, hash, 0};
    return true;
}

static void free_frames(frames *f)
{
    ptio_heap_free(f->heap, f->list, f->capacity * sizeof *f->list);
}

/* The hash of each tuple that was hashed. */
typedef struct tuple_hash {
    const ptio_value *tuple; /* NULL: empty */
    uint64_t hash;
} tuple_hash;

/* What indexing needs beside the dicts. */
typedef struct indexing {
    ptio_heap *heap;
    ptio_arena *arena;
    ptio_error *err;
    uint64_t key;
    uint64_t steps; /* comparisons left */
    frames frames;
    tuple_hash *hashes;
    size_t hash_count, hash_capacity; /* a power of two, or 0 */
} indexing;

static tuple_hash *find_hash(const indexing *x, const ptio_value *tuple)
{
    size_t i = (size_t)hash_address(x->key, tuple);
    for (;; i++) {
        tuple_hash *slot = &x->hashes[i & (x->hash_capacity - 1)];
        if (!slot->tuple || slot->tuple == tuple)
            return slot;
    }
}

static bool known_hash(const indexing *x, const ptio_value *tuple, uint64_t *ret)
{
    const tuple_hash *slot = x->hash_capacity ? find_hash(x, tuple) : NULL;
    if (!slot || !slot->tuple)
        return false;
    *ret = slot->hash;
    return true;
}

static bool grow_hashes(indexing *x)
{
    indexing grown = *x;
    size_t bytes;
    grown.hash_capacity = x->hash_capacity ? x->hash_capacity * 2 : 64;
    if (!ptio_mul_size(grown.hash_capacity, sizeof *grown.hashes, &bytes))
        return false;
    grown.hashes = ptio_heap_resize(x->heap, NULL, 0, bytes);
    if (!grown.hashes)
        return false;
    memset(grown.hashes, 0, bytes);
    for (size_t i = 0; i < x->hash_capacity; i++)
        if (x->hashes[i].tuple)
            *find_hash(&grown, x->hashes[i].tuple) = x->hashes[i];
    ptio_heap_free(x->heap, x->hashes, x->hash_capacity * sizeof *x->hashes);
    x->hashes = grown.hashes;
    x->hash_capacity = grown.hash_capacity;
    return true;
}

static bool keep_hash(indexing *x, const ptio_value *tuple, uint64_t hash)
{
    if (x->hash_count >= x->hash_capacity / 4 * 3 && !grow_hashes(x))
        return false;
    *find_hash(x, tuple) = (tuple_hash){tuple, hash};
    x->hash_count++;
    return true;
}

static uint64_t mix(uint64_t key, uint64_t a, uint64_t b)
{
    uint64_t pair[2] = {a, b};
    return ptio_hash(key + KEY_TUPLE, pair, sizeof pair);
}

/* The hash of a tuple from those of its items, the innermost first. */
static bool hash_tuple(indexing *x, const ptio_value *tuple, uint64_t *ret)
{
    uint64_t hash;
    frames *f = &x->frames;
    f->count = 0;
    if (known_hash(x, tuple, ret))
        return true;
    if (!push_frame(f, tuple, NULL, tuple->count))
        return false;
    while (f->count) {
        frame *top = &f->list[f->count - 1];
        if (top->next == top->tuple->count) {
            if (!keep_hash(x, top->tuple, top->hash))
                return false;
            *ret = top->hash;
            f->count--;
            continue;
        }
        const ptio_value *item = ptio_tuple_item(top->tuple, top->next);
        if (item->type == PTIO_NODE_TYPE_TUPLE && !known_hash(x, item, &hash)) {
            if (!push_frame(f, item, NULL, item->count))
                return false;
            continue; /* and come back to this item, whose hash is known then */
        }
        if (item->type != PTIO_NODE_TYPE_TUPLE)
            hash = hash_plain(x->key, item);
        top->hash = mix(x->key, top->hash, hash);
        top->next++;
    }
    return true;
}

static bool hash_key(indexing *x, const ptio_value *key, uint64_t *ret)
{
    if (key->type == PTIO_NODE_TYPE_TUPLE)
        return hash_tuple(x, key, ret);
    *ret = hash_plain(x->key, key);
    return true;
}

/* Give in *ret whether two tuples have equal items. */
static ptio_status equal_tuples(indexing *x, const ptio_value *a, const ptio_value *b, bool *ret)
{
    frames *f = &x->frames;
    f->count = 0;
    *ret = a->count == b->count;
    if (*ret && !push_frame(f, a, b, 0))
        return ptio_heap_fail(x->heap, x->err, "comparing keys");
    while (*ret && f->count) {
        frame *top = &f->list[f->count - 1];
        if (top->next == top->tuple->count) {
            f->count--;
            continue;
        }
        if (!x->steps--) {
            x->steps = 0;
            return ptio_fail(x->err, PTIO_ERR_LIMIT, "limit.key-steps", PTIO_NO_OFFSET,
                             "comparing the keys of its dicts takes more than %d steps for each byte of the pickle",
                             STEPS_PER_BYTE);
        }
        const ptio_value *p = ptio_tuple_item(top->tuple, top->next), *q = ptio_tuple_item(top->other, top->next);
        top->next++;
        if (p != q && p->type == PTIO_NODE_TYPE_TUPLE && q->type == PTIO_NODE_TYPE_TUPLE && p->count == q->count) {
            if (!push_frame(f, p, q, 0))
                return ptio_heap_fail(x->heap, x->err, "comparing keys");
        } else {
            *ret = equal_plain(p, q);
        }
    }
    return PTIO_OK;
}

static ptio_status equal_keys(indexing *x, const ptio_value *a, const ptio_value *b, bool *ret)
{
    if (a != b && a->type == PTIO_NODE_TYPE_TUPLE && b->type == PTIO_NODE_TYPE_TUPLE)
        return equal_tuples(x, a, b, ret);
    *ret = equal_plain(a, b);
    return PTIO_OK;
}

/* The tuples that are found hashable are marked, so that each is looked at once however often it is used. */
static void mark_hashable(const ptio_value *tuple)
{
    if (!(tuple->flags & PTIO_NODE_CONSTANT))
        ((ptio_value *)(uintptr_t)tuple)->flags |= PTIO_NODE_HASHABLE;
}

ptio_status ptio_key_check(ptio_heap *heap, const ptio_value *key, bool *ret, ptio_error *err)
{
    frames f = {.heap = heap};
    *ret = class_of(key) != KEY_UNHASHABLE;
    bool room = key->type != PTIO_NODE_TYPE_TUPLE || (key->flags & PTIO_NODE_HASHABLE) || push_frame(&f, key, NULL, 0);
    while (room && *ret && f.count) {
        frame *top = &f.list[f.count - 1];
        if (top->next == top->tuple->count) {
            mark_hashable(top->tuple);
            f.count--;
            continue;
        }
        const ptio_value *item = ptio_tuple_item(top->tuple, top->next++);
        *ret = class_of(item) != KEY_UNHASHABLE;
        if (item->type == PTIO_NODE_TYPE_TUPLE && !(item->flags & PTIO_NODE_HASHABLE))
            room = push_frame(&f, item, NULL, 0);
    }
    free_frames(&f);
    return room ? PTIO_OK : ptio_heap_fail(heap, err, "checking a key");
}

/* ---- indexes ---- */

static const ptio_value *entry_key(const ptio_block *block, size_t entry)
{
    return block->items[2 * entry];
}

/* At most half of the slots are used: more would save memory, and cost a wrong guess of the processor for most keys. */
static size_t slots_for(size_t entries)
{
    size_t slots = 16;
    while (slots / 2 < entries)
        slots *= 2;
    return slots;
}

static bool begin_index(indexing *x, const ptio_node_dict *dict, ptio_key_index **ret)
{
    size_t slots = slots_for(dict->head.count), bytes;
    if (!ptio_mul_size(slots, sizeof(uint32_t), &bytes) || !ptio_add_size(bytes, sizeof(ptio_key_index), &bytes))
        return false;
    ptio_key_index *index = ptio_arena_zeroed(x->arena, 1, bytes);
    if (!index)
        return false;
    index->hash_key = x->key;
    index->slot_count = slots;
    index->place_bits = ptio_bit_width(dict->head.count);
    *ret = index;
    return true;
}

/* From the first key that is there already on, order and values differ from the entries. */
static bool begin_merging(indexing *x, ptio_key_index *index, size_t entries)
{
    index->order = PTIO_NEW(x->arena, uint32_t, entries);
    index->values = PTIO_NEW(x->arena, uint32_t, entries);
    if (!index->order || !index->values)
        return false;
    for (uint32_t i = 0; i < index->distinct; i++)
        index->order[i] = index->values[i] = i;
    return true;
}

static const ptio_value *key_at(const ptio_block *block, const ptio_key_index *index, size_t place)
{
    return entry_key(block, index && index->order ? index->order[place] : place);
}

/* A slot for a place: the low bits say which, the others are the hash's. */
static inline uint32_t place_mask(const ptio_key_index *index)
{
    return (uint32_t)(((uint64_t)1 << index->place_bits) - 1);
}

static inline bool may_hold(uint32_t slot, uint64_t hash, uint32_t mask)
{
    return ((slot ^ (uint32_t)(hash >> 32)) & ~mask) == 0;
}

static ptio_status add_entry(indexing *x, const ptio_node_dict *dict, ptio_key_index *index, uint32_t entry, uint64_t hash)
{
    const uint32_t mask = place_mask(index);
    for (size_t i = (size_t)hash;; i++) {
        uint32_t *slot = &index->slots[i & (index->slot_count - 1)];
        bool equal = false;
        if (!*slot) {
            if (index->order)
                index->order[index->distinct] = index->values[index->distinct] = entry;
            *slot = ((uint32_t)(hash >> 32) & ~mask) | ++index->distinct;
            return PTIO_OK;
        }
        if (!may_hold(*slot, hash, mask))
            continue;
        size_t place = (*slot & mask) - 1;
        ptio_status status = equal_keys(x, key_at(dict->block, index, place), entry_key(dict->block, entry), &equal);
        if (status)
            return status;
        if (!equal)
            continue;
        if (!index->order && !begin_merging(x, index, dict->head.count))
            return ptio_heap_fail(x->heap, x->err, "the keys of a dict");
        index->values[place] = entry;
        return PTIO_OK;
    }
}

/* Some keys are hashed, then put into the table: each loop alone is short enough for the processor to work on many at once. */
#define BATCH 64

static ptio_status build_index(indexing *x, ptio_node_dict *dict)
{
    ptio_key_index *index;
    uint64_t hashes[BATCH];
    if (!begin_index(x, dict, &index))
        return ptio_heap_fail(x->heap, x->err, "the keys of a dict");
    for (uint32_t first = 0; first < dict->head.count; first += BATCH) {
        uint32_t count = dict->head.count - first < BATCH ? dict->head.count - first : BATCH;
        for (uint32_t i = 0; i < count; i++)
            if (!hash_key(x, entry_key(dict->block, first + i), &hashes[i]))
                return ptio_heap_fail(x->heap, x->err, "the keys of a dict");
        for (uint32_t i = 0; i < count; i++) {
            ptio_status status = add_entry(x, dict, index, first + i, hashes[i]);
            if (status)
                return status;
        }
    }
    dict->block->index = index;
    return PTIO_OK;
}

static ptio_status has_equal_keys(indexing *x, const ptio_node_dict *dict, bool *ret)
{
    *ret = false;
    for (size_t i = 1; i < dict->head.count; i++)
        for (size_t j = 0; j < i; j++) {
            ptio_status status = equal_keys(x, entry_key(dict->block, i), entry_key(dict->block, j), ret);
            if (status || *ret)
                return status;
        }
    return PTIO_OK;
}

static ptio_status check_entries(indexing *x, const ptio_node_dict *dict)
{
    for (size_t i = 0; i < dict->head.count; i++) {
        bool hashable;
        key_class class = class_of(entry_key(dict->block, i));
        if (class != KEY_TUPLE && class != KEY_UNHASHABLE)
            continue;
        ptio_status status = ptio_key_check(x->heap, entry_key(dict->block, i), &hashable, x->err);
        if (status)
            return status;
        if (!hashable)
            return ptio_fail(x->err, PTIO_ERR_FORMAT, "pickle.unhashable-key", PTIO_NO_OFFSET,
                             "a key of a dict is or holds a list, dict, set or bytearray");
    }
    return PTIO_OK;
}

static ptio_status index_dict(indexing *x, ptio_node_dict *dict)
{
    if (!dict->block || dict->block->index)
        return PTIO_OK;
    bool needed = dict->head.count > SMALL;
    ptio_status status = check_entries(x, dict);
    if (status == PTIO_OK && !needed)
        status = has_equal_keys(x, dict, &needed);
    return status == PTIO_OK && needed ? build_index(x, dict) : status;
}

ptio_status ptio_graph_index_keys(ptio_graph *graph, ptio_heap *heap, ptio_error *err)
{
    indexing x = {.heap = heap, .arena = graph->arena, .err = err, .key = graph->hash_key, .frames = {.heap = heap}};
    x.steps = ((uint64_t)graph->size + 64) * STEPS_PER_BYTE;
    ptio_status status = PTIO_OK;
    for (size_t i = 0; i < graph->dict_count && status == PTIO_OK; i++)
        status = index_dict(&x, graph->dicts[i]);
    free_frames(&x.frames);
    ptio_heap_free(heap, x.hashes, x.hash_capacity * sizeof *x.hashes);
    return status;
}

/* ---- finding ---- */

static const ptio_key_index *index_of(const ptio_node_dict *dict)
{
    return dict->block ? dict->block->index : NULL;
}

size_t ptio_dict_count(const ptio_node_dict *dict)
{
    const ptio_key_index *index = index_of(dict);
    return index ? index->distinct : dict->head.count;
}

const ptio_value *ptio_dict_key(const ptio_node_dict *dict, size_t place)
{
    return key_at(dict->block, index_of(dict), place);
}

const ptio_value *ptio_dict_value(const ptio_node_dict *dict, size_t place)
{
    const ptio_key_index *index = index_of(dict);
    return dict->block->items[2 * (index && index->values ? index->values[place] : place) + 1];
}

/* A key to be found: a text or an int. */
typedef struct wanted {
    key_class class;
    ptio_text text;
    int64_t number;
} wanted;

static bool is_wanted(const wanted *w, const ptio_value *key)
{
    if (class_of(key) != w->class)
        return false;
    if (w->class == KEY_STR)
        return ptio_text_equal(ptio_node_str_of(key), w->text);
    if (w->class == KEY_BYTES)
        return key->type == PTIO_NODE_TYPE_PY2STR && ptio_text_equal(ptio_node_text_of(key), w->text);
    number n;
    number_of(key, &n);
    return n.form == NUMBER_SMALL && n.small == w->number;
}

static size_t find(const ptio_node_dict *dict, const wanted *w)
{
    const ptio_key_index *index = index_of(dict);
    if (!index) {
        for (size_t i = 0; i < dict->head.count; i++)
            if (is_wanted(w, entry_key(dict->block, i)))
                return i;
        return SIZE_MAX;
    }
    const uint32_t mask = place_mask(index);
    uint64_t hash = w->class == KEY_NUMBER ? hash_int(index->hash_key, w->number) : hash_text(index->hash_key, w->class, w->text);
    for (size_t i = (size_t)hash;; i++) {
        uint32_t slot = index->slots[i & (index->slot_count - 1)];
        size_t place = (slot & mask) - 1;
        if (!slot)
            return SIZE_MAX;
        if (may_hold(slot, hash, mask) && is_wanted(w, key_at(dict->block, index, place)))
            return place;
    }
}

size_t ptio_dict_find_text(const ptio_node_dict *dict, ptio_text key)
{
    size_t place = find(dict, &(wanted){.class = KEY_STR, .text = key});
    return place != SIZE_MAX ? place : find(dict, &(wanted){.class = KEY_BYTES, .text = key});
}

size_t ptio_dict_find_int(const ptio_node_dict *dict, int64_t key)
{
    return find(dict, &(wanted){.class = KEY_NUMBER, .number = key});
}
