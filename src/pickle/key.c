/*
 * The hashes of keys, and their equality.
 *
 * Hashes are keyed, so that a file cannot choose keys that collide. The hash of a tuple or frozenset is kept beside it, so that
 * forty tuples of two times the one before cost forty steps; comparing such tuples has a budget, which only a hostile file meets.
 */
#include "pickle/key.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "pickle/number.h"

/* Items of keys that are hashed or compared, for each byte of the pickle. */
#define STEPS_PER_BYTE 64

/* ---- classes ---- */

static ptio_key_class class_of_object(ptio_kind seen)
{
    switch (seen) {
    case PTIO_KIND_BYTES: return PTIO_KEY_BYTES;
    case PTIO_KIND_DEVICE: return PTIO_KEY_DEVICE;
    case PTIO_KIND_LAYOUT: return PTIO_KEY_LAYOUT;
    case PTIO_KIND_SIZE: return PTIO_KEY_TUPLE;
    case PTIO_KIND_FROZENSET: return PTIO_KEY_FROZENSET;
    case PTIO_KIND_BYTEARRAY:
    case PTIO_KIND_SET:
    case PTIO_KIND_NDARRAY: return PTIO_KEY_UNHASHABLE;
    default: return PTIO_KEY_IDENTITY;
    }
}

ptio_key_class ptio_key_class_of(const ptio_value *key)
{
    switch ((ptio_node_type)key->type) {
    case PTIO_NODE_TYPE_BOOL:
    case PTIO_NODE_TYPE_INT:
    case PTIO_NODE_TYPE_FLOAT: return PTIO_KEY_NUMBER;
    case PTIO_NODE_TYPE_STR: return PTIO_KEY_STR;
    case PTIO_NODE_TYPE_BYTES: return PTIO_KEY_BYTES;
    case PTIO_NODE_TYPE_PY2STR: return key->seen == PTIO_KIND_STR ? PTIO_KEY_STR : PTIO_KEY_BYTES;
    case PTIO_NODE_TYPE_TUPLE: return PTIO_KEY_TUPLE;
    case PTIO_NODE_TYPE_FROZENSET: return PTIO_KEY_FROZENSET;
    case PTIO_NODE_TYPE_GLOBAL: return PTIO_KEY_GLOBAL;
    case PTIO_NODE_TYPE_BYTEARRAY:
    case PTIO_NODE_TYPE_LIST:
    case PTIO_NODE_TYPE_SET:
    case PTIO_NODE_TYPE_DICT: return PTIO_KEY_UNHASHABLE;
    case PTIO_NODE_TYPE_REDUCED: return class_of_object((ptio_kind)key->seen);
    case PTIO_NODE_TYPE_NONE:
    case PTIO_NODE_TYPE_PERSISTENT: break;
    }
    return PTIO_KEY_IDENTITY;
}

static bool has_items(ptio_key_class class)
{
    return class == PTIO_KEY_TUPLE || class == PTIO_KEY_FROZENSET;
}

ptio_text ptio_key_text(const ptio_value *key)
{
    return key->type == PTIO_NODE_TYPE_REDUCED ? *(const ptio_text *)PTIO_NODE(reduced, key)->meaning : ptio_node_str_of(key);
}

static const ptio_value *const *items_of(const ptio_value *key, uint32_t *count)
{
    if (key->type == PTIO_NODE_TYPE_REDUCED)
        key = PTIO_NODE(reduced, key)->meaning;
    size_t items;
    const ptio_value *const *list = ptio_node_items(key, &items);
    *count = (uint32_t)items;
    return list;
}

/* ---- keys without items ---- */

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

bool ptio_key_int64(const ptio_value *key, int64_t *ret)
{
    number n;
    if (ptio_key_class_of(key) != PTIO_KEY_NUMBER)
        return false;
    number_of(key, &n);
    *ret = n.form == NUMBER_SMALL ? n.small : *ret;
    return n.form == NUMBER_SMALL;
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

static bool globals_equal(const ptio_value *a, const ptio_value *b)
{
    const ptio_node_global *x = PTIO_NODE(global, a), *y = PTIO_NODE(global, b);
    return ptio_text_equal(ptio_node_str_of(x->module), ptio_node_str_of(y->module)) &&
           ptio_text_equal(ptio_node_str_of(x->name), ptio_node_str_of(y->name));
}

/* Equal, but for keys that have items. */
static bool equal_plain(const ptio_value *a, const ptio_value *b)
{
    if (a == b)
        return true;
    ptio_key_class class = ptio_key_class_of(a);
    if (class != ptio_key_class_of(b))
        return false;
    switch (class) {
    case PTIO_KEY_NUMBER: return numbers_equal(a, b);
    case PTIO_KEY_STR:
    case PTIO_KEY_BYTES:
    case PTIO_KEY_DEVICE:
    case PTIO_KEY_LAYOUT: return ptio_text_equal(ptio_key_text(a), ptio_key_text(b));
    case PTIO_KEY_GLOBAL: return globals_equal(a, b);
    case PTIO_KEY_IDENTITY:
    case PTIO_KEY_TUPLE:
    case PTIO_KEY_FROZENSET:
    case PTIO_KEY_UNHASHABLE: break;
    }
    return false;
}

uint64_t ptio_key_hash_text(uint64_t hash_key, ptio_key_class class, ptio_text text)
{
    return ptio_hash(hash_key + (uint64_t) class, text.bytes, text.size);
}

uint64_t ptio_key_hash_int(uint64_t hash_key, int64_t value)
{
    return ptio_hash(hash_key + PTIO_KEY_NUMBER, &value, sizeof value);
}

static uint64_t hash_address(uint64_t hash_key, const void *pointer)
{
    return ptio_hash(hash_key + PTIO_KEY_IDENTITY, &pointer, sizeof pointer);
}

static uint64_t hash_number(uint64_t hash_key, const ptio_value *key)
{
    number n;
    number_of(key, &n);
    switch (n.form) {
    case NUMBER_SMALL: return ptio_key_hash_int(hash_key, n.small);
    case NUMBER_BIG: return ptio_hash(hash_key + PTIO_KEY_NUMBER, n.bytes, n.size);
    case NUMBER_FLOAT: return ptio_hash(hash_key + PTIO_KEY_NUMBER, &n.real, sizeof n.real);
    case NUMBER_NAN: break;
    }
    return hash_address(hash_key, key);
}

static uint64_t hash_global(uint64_t hash_key, const ptio_value *key)
{
    const ptio_node_global *global = PTIO_NODE(global, key);
    uint64_t module = ptio_key_hash_text(hash_key, PTIO_KEY_GLOBAL, ptio_node_str_of(global->module));
    return ptio_key_hash_text(hash_key ^ module, PTIO_KEY_GLOBAL, ptio_node_str_of(global->name));
}

static uint64_t hash_plain(uint64_t hash_key, const ptio_value *key)
{
    ptio_key_class class = ptio_key_class_of(key);
    switch (class) {
    case PTIO_KEY_NUMBER: return hash_number(hash_key, key);
    case PTIO_KEY_STR:
    case PTIO_KEY_BYTES:
    case PTIO_KEY_DEVICE:
    case PTIO_KEY_LAYOUT: return ptio_key_hash_text(hash_key, class, ptio_key_text(key));
    case PTIO_KEY_GLOBAL: return hash_global(hash_key, key);
    case PTIO_KEY_IDENTITY:
    case PTIO_KEY_TUPLE:
    case PTIO_KEY_FROZENSET:
    case PTIO_KEY_UNHASHABLE: break;
    }
    return hash_address(hash_key, key);
}

/* ---- work ---- */

void ptio_key_work_begin(ptio_key_work *work, ptio_heap *heap, uint64_t hash_key, size_t size, ptio_error *err)
{
    *work = (ptio_key_work){.heap = heap, .err = err, .hash_key = hash_key, .steps = ((uint64_t)size + 64) * STEPS_PER_BYTE};
}

void ptio_key_work_end(ptio_key_work *work)
{
    ptio_heap_free(work->heap, work->frames, work->frame_capacity * sizeof *work->frames);
    ptio_heap_free(work->heap, work->hashes, work->hash_capacity * sizeof *work->hashes);
}

static ptio_status no_memory(ptio_key_work *w)
{
    return ptio_heap_fail(w->heap, w->err, "the keys of a dict");
}

ptio_status ptio_key_take_steps(ptio_key_work *w, uint64_t steps)
{
    if (steps <= w->steps) {
        w->steps -= steps;
        return PTIO_OK;
    }
    w->steps = 0;
    return ptio_fail(w->err, PTIO_ERR_LIMIT, "limit.key-steps", PTIO_NO_OFFSET,
                     "telling the keys of its dicts and sets apart takes more than %d steps for each byte of the pickle",
                     STEPS_PER_BYTE);
}

static ptio_status push_frame(ptio_key_work *w, const ptio_value *key, const ptio_value *other)
{
    if (w->depth == w->frame_capacity) {
        if (!w->heap)
            return PTIO_ERR_LIMIT;
        ptio_key_frame *grown = ptio_heap_grow(w->heap, w->frames, &w->frame_capacity, w->depth + 1, sizeof *grown);
        if (!grown)
            return no_memory(w);
        w->frames = grown;
    }
    uint32_t count;
    ptio_key_frame *top = &w->frames[w->depth++];
    *top = (ptio_key_frame){.key = key, .any_order = ptio_key_class_of(key) == PTIO_KEY_FROZENSET};
    top->others = other ? items_of(other, &count) : NULL;
    top->items = items_of(key, &top->count);
    return PTIO_OK;
}

/* ---- hashes of keys with items ---- */

static ptio_key_hash_slot *find_hash(const ptio_key_work *w, const ptio_value *key)
{
    size_t i = (size_t)hash_address(w->hash_key, key);
    for (;; i++) {
        ptio_key_hash_slot *slot = &w->hashes[i & (w->hash_capacity - 1)];
        if (!slot->key || slot->key == key)
            return slot;
    }
}

static bool known_hash(const ptio_key_work *w, const ptio_value *key, uint64_t *ret)
{
    const ptio_key_hash_slot *slot = w->hash_capacity ? find_hash(w, key) : NULL;
    if (!slot || !slot->key)
        return false;
    *ret = slot->hash;
    return true;
}

static bool grow_hashes(ptio_key_work *w)
{
    ptio_key_work grown = *w;
    size_t bytes;
    grown.hash_capacity = w->hash_capacity ? w->hash_capacity * 2 : 64;
    if (!ptio_mul_size(grown.hash_capacity, sizeof *grown.hashes, &bytes))
        return false;
    grown.hashes = ptio_heap_resize(w->heap, NULL, 0, bytes);
    if (!grown.hashes)
        return false;
    memset(grown.hashes, 0, bytes);
    for (size_t i = 0; i < w->hash_capacity; i++)
        if (w->hashes[i].key)
            *find_hash(&grown, w->hashes[i].key) = w->hashes[i];
    ptio_heap_free(w->heap, w->hashes, w->hash_capacity * sizeof *w->hashes);
    w->hashes = grown.hashes;
    w->hash_capacity = grown.hash_capacity;
    return true;
}

static ptio_status keep_hash(ptio_key_work *w, const ptio_value *key, uint64_t hash)
{
    if (!w->heap)
        return PTIO_OK;
    if (w->hash_count >= w->hash_capacity / 4 * 3 && !grow_hashes(w))
        return no_memory(w);
    ptio_key_hash_slot *slot = find_hash(w, key);
    w->hash_count += !slot->key;
    *slot = (ptio_key_hash_slot){key, hash};
    return PTIO_OK;
}

/* Begin with a key's items. Until its hash is known it has that of an object: a frozenset that holds itself, which an odd file can
 * make, meets it. */
static ptio_status begin_hash(ptio_key_work *w, const ptio_value *key)
{
    ptio_status status = keep_hash(w, key, hash_address(w->hash_key, key));
    return status ? status : push_frame(w, key, NULL);
}

static uint64_t mix(uint64_t hash_key, ptio_key_class class, uint64_t a, uint64_t b)
{
    uint64_t pair[2] = {a, b};
    return ptio_hash(hash_key + (uint64_t) class, pair, sizeof pair);
}

static void add_item_hash(const ptio_key_work *w, ptio_key_frame *frame, uint64_t hash)
{
    frame->hash = frame->any_order ? frame->hash + hash : mix(w->hash_key, PTIO_KEY_TUPLE, frame->hash, hash);
    frame->next++;
}

/* The hash of a key whose items are all looked at. */
static uint64_t finish(const ptio_key_work *w, const ptio_key_frame *frame)
{
    return mix(w->hash_key, frame->any_order ? PTIO_KEY_FROZENSET : PTIO_KEY_TUPLE, frame->hash, frame->count);
}

/* From the hashes of the items, the innermost first. */
static ptio_status hash_items(ptio_key_work *w, const ptio_value *key, uint64_t *ret)
{
    w->depth = 0;
    if (known_hash(w, key, ret))
        return PTIO_OK;
    ptio_status status = begin_hash(w, key);
    while (status == PTIO_OK && w->depth) {
        ptio_key_frame *top = &w->frames[w->depth - 1];
        if (top->next == top->count) {
            *ret = finish(w, top);
            status = keep_hash(w, top->key, *ret);
            if (--w->depth)
                add_item_hash(w, top - 1, *ret);
            continue;
        }
        const ptio_value *item = top->items[top->next];
        uint64_t hash;
        if ((status = ptio_key_take_steps(w, 1)) != PTIO_OK)
            return status;
        if (!has_items(ptio_key_class_of(item)))
            add_item_hash(w, top, hash_plain(w->hash_key, item));
        else if (known_hash(w, item, &hash))
            add_item_hash(w, top, hash);
        else
            status = begin_hash(w, item);
    }
    return status;
}

ptio_status ptio_key_hash_any(ptio_key_work *work, const ptio_value *key, uint64_t *ret)
{
    if (has_items(ptio_key_class_of(key)))
        return hash_items(work, key, ret);
    *ret = hash_plain(work->hash_key, key);
    return PTIO_OK;
}

/* ---- equality of keys with items ---- */

static bool same_shape(const ptio_value *a, const ptio_value *b)
{
    ptio_key_class class = ptio_key_class_of(a);
    uint32_t x, y;
    if (!has_items(class) || class != ptio_key_class_of(b))
        return false;
    (void)items_of(a, &x);
    (void)items_of(b, &y);
    return x == y;
}

/* An item of the top frame was compared: go on to the next one, or, in a frozenset, to another that it may equal. False where the
 * keys of the frame are not equal. */
static bool take_result(ptio_key_frame *top, bool equal)
{
    top->item_compared = false;
    if (equal) {
        top->next++;
        top->tried = 0;
        return true;
    }
    return top->any_order && ++top->tried < top->count;
}

/* Sets that are equal nearly always have one order: the search for an item begins at its own place. */
static const ptio_value *other_item(const ptio_key_frame *top)
{
    return top->others[((uint64_t)top->next + top->tried) % top->count];
}

static ptio_status compare_items(ptio_key_work *w, const ptio_value *a, const ptio_value *b, bool *equal)
{
    w->depth = 0;
    *equal = true;
    ptio_status status = push_frame(w, a, b);
    while (status == PTIO_OK && w->depth) {
        ptio_key_frame *top = &w->frames[w->depth - 1];
        if (top->item_compared && !take_result(top, *equal)) {
            *equal = false;
            w->depth--;
            continue;
        }
        if (top->next == top->count) {
            *equal = true;
            w->depth--;
            continue;
        }
        const ptio_value *item = top->items[top->next], *other = other_item(top);
        top->item_compared = true;
        status = ptio_key_take_steps(w, 1);
        if (status == PTIO_OK && item != other && same_shape(item, other))
            status = push_frame(w, item, other); /* its result is in *equal when it is gone */
        else
            *equal = equal_plain(item, other);
    }
    return status;
}

ptio_status ptio_key_equal(ptio_key_work *work, const ptio_value *a, const ptio_value *b, bool *ret)
{
    if (a != b && same_shape(a, b))
        return compare_items(work, a, b, ret);
    *ret = equal_plain(a, b);
    return PTIO_OK;
}

/* ---- keys that may be ---- */

/* Whether a tuple needs no look: what it holds is known to be hashable, and to stay so. */
static bool is_checked(const ptio_value *tuple, bool settled)
{
    return (tuple->flags & PTIO_NODE_HASHABLE) && !(settled && (tuple->flags & PTIO_NODE_LATE_KEY));
}

static void mark(const ptio_value *tuple, bool settled, bool late)
{
    ptio_value *node = (ptio_value *)(uintptr_t)tuple; /* the graph is its maker's until the load ends */
    if (node->flags & PTIO_NODE_CONSTANT)
        return;
    node->flags |= PTIO_NODE_HASHABLE;
    if (settled)
        node->flags &= (uint8_t)~PTIO_NODE_LATE_KEY;
    else if (late)
        node->flags |= PTIO_NODE_LATE_KEY;
}

ptio_status ptio_key_check(ptio_heap *heap, const ptio_value *key, bool settled, bool *ret, ptio_error *err)
{
    ptio_key_work w = {.heap = heap, .err = err};
    ptio_status status = PTIO_OK;
    *ret = ptio_key_class_of(key) != PTIO_KEY_UNHASHABLE;
    if (key->type == PTIO_NODE_TYPE_TUPLE && !is_checked(key, settled))
        status = push_frame(&w, key, NULL);
    while (status == PTIO_OK && *ret && w.depth) {
        ptio_key_frame *top = &w.frames[w.depth - 1];
        if (top->next == top->count) {
            mark(top->key, settled, top->late);
            if (--w.depth)
                top[-1].late |= top->late;
            continue;
        }
        const ptio_value *item = top->items[top->next++];
        *ret = ptio_key_class_of(item) != PTIO_KEY_UNHASHABLE;
        top->late |= ptio_key_is_late(item);
        if (item->type == PTIO_NODE_TYPE_TUPLE && !is_checked(item, settled))
            status = push_frame(&w, item, NULL);
    }
    ptio_key_work_end(&w);
    return status;
}
