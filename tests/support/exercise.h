/*
 * What the tests over whole files and the fuzz targets share: memory that is counted and can be made to fail, and everything that a
 * program may do with a loaded checkpoint, folded into one number.
 *
 * All functions are inline, so that a test program takes only what it uses and links nothing more.
 */
#ifndef PTIO_TESTS_SUPPORT_EXERCISE_H
#define PTIO_TESTS_SUPPORT_EXERCISE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptio.h"

/* ---- memory ---- */

/* Hooks that count what is held, prove that sizes are given back as they were asked for, and fail at the call `fail_at`. */
typedef struct counted_memory {
    ptio_memory hooks;
    uint64_t calls;   /* that ask for memory                         */
    uint64_t fail_at; /* number of the call that fails; UINT64_MAX   */
    size_t held;      /* bytes, of both hooks                        */
    size_t most;      /* of those                                    */
    size_t budget;    /* an allocation beyond it fails; 0: no budget */
} counted_memory;

/* In front of each block: its size. */
#define BLOCK_HEADER 64

static inline void broken_memory(const char *what)
{
    fprintf(stderr, "memory hooks: %s\n", what);
    abort();
}

static inline bool may_allocate(counted_memory *m, size_t more)
{
    if (m->calls++ == m->fail_at)
        return false;
    return !m->budget || (more <= m->budget && m->held <= m->budget - more);
}

static inline void count_held(counted_memory *m, size_t less, size_t more)
{
    m->held = m->held - less + more;
    if (m->held > m->most)
        m->most = m->held;
}

static inline void *counted_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    counted_memory *m = ctx;
    unsigned char *block = ptr ? (unsigned char *)ptr - BLOCK_HEADER : NULL;
    if (block && *(size_t *)(void *)block != old_size)
        broken_memory("a block is given back with another size");
    if (!block && old_size)
        broken_memory("no block has a size");
    if (!new_size) {
        count_held(m, old_size, 0);
        free(block);
        return NULL;
    }
    if (!may_allocate(m, new_size > old_size ? new_size - old_size : 0))
        return NULL;
    /* Always moved, and fresh memory is never zero: who relies on either is found out. */
    unsigned char *moved = malloc(BLOCK_HEADER + new_size);
    if (!moved)
        return NULL;
    memset(moved + BLOCK_HEADER, 0xA5, new_size);
    *(size_t *)(void *)moved = new_size;
    if (block) {
        memcpy(moved + BLOCK_HEADER, ptr, old_size < new_size ? old_size : new_size);
        free(block);
    }
    count_held(m, old_size, new_size);
    return moved + BLOCK_HEADER;
}

static inline void *counted_alloc(void *ctx, size_t size, size_t alignment)
{
    counted_memory *m = ctx;
    if (!alignment || (alignment & (alignment - 1)) || !size)
        broken_memory("a storage without size or with an odd alignment");
    if (!may_allocate(m, size))
        return NULL;
    size_t whole = (size + alignment - 1) / alignment * alignment;
    void *block = aligned_alloc(alignment, whole);
    if (!block)
        return NULL;
    memset(block, 0xA5, whole);
    count_held(m, 0, size);
    return block;
}

static inline void counted_free(void *ctx, void *ptr, size_t size)
{
    counted_memory *m = ctx;
    if (ptr)
        count_held(m, size, 0);
    free(ptr);
}

static inline void counted_memory_init(counted_memory *m)
{
    *m = (counted_memory){.fail_at = UINT64_MAX};
    m->hooks = (ptio_memory){.resize = counted_resize, .alloc = counted_alloc, .free = counted_free, .ctx = m};
}

/* ---- folding ---- */

/* FNV-1a. */
typedef struct fold {
    uint64_t value;
    uint64_t bytes;
} fold;

#define FOLD_BEGIN ((fold){.value = 0xCBF29CE484222325U})

static inline void fold_bytes(fold *f, const void *bytes, size_t size)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < size; i++)
        f->value = (f->value ^ b[i]) * 0x100000001B3U;
    f->bytes += size;
}

static inline void fold_u64(fold *f, uint64_t value)
{
    unsigned char b[8];
    for (int i = 0; i < 8; i++)
        b[i] = (unsigned char)(value >> (8 * i));
    fold_bytes(f, b, sizeof b);
}

static inline void fold_text(fold *f, ptio_text text)
{
    fold_u64(f, text.size);
    fold_bytes(f, text.bytes, text.size);
}

static inline void fold_string(fold *f, const char *string)
{
    fold_text(f, (ptio_text){string, strlen(string)});
}

static inline int fold_write(void *ctx, const char *text, size_t size)
{
    fold_bytes(ctx, text, size);
    return 0;
}

/* ---- everything that can be done with a checkpoint ---- */

#define EXERCISE_MOST ((uint64_t)1 << 20) /* bytes of one tensor that are copied */

/* Keeps the first failure; after one, nothing more is worth doing. */
typedef struct exercise {
    fold fold;
    ptio_status status;
    ptio_error err;
    const ptio_checkpoint *ckpt;
} exercise;

static inline bool exercise_ok(exercise *x, ptio_status status)
{
    if (x->status == PTIO_OK)
        x->status = status;
    return status == PTIO_OK;
}

static inline void exercise_storage(exercise *x, const ptio_storage *storage)
{
    const void *data = NULL;
    uint64_t offset = 0, nbytes = 0;
    if (!storage)
        return;
    fold_text(&x->fold, ptio_storage_location(storage));
    fold_u64(&x->fold, ptio_storage_nbytes(storage));
    fold_string(&x->fold, ptio_dtype_name(ptio_storage_dtype(storage)));
    (void)ptio_storage_range(storage, &offset, &nbytes);
    if (exercise_ok(x, ptio_storage_data(storage, &data, &x->err)) && ptio_storage_nbytes(storage) <= EXERCISE_MOST)
        fold_bytes(&x->fold, data, (size_t)ptio_storage_nbytes(storage));
}

static inline void exercise_elements(exercise *x, const ptio_tensor *tensor)
{
    uint64_t nbytes = ptio_tensor_numel(tensor) * ptio_dtype_itemsize(ptio_tensor_dtype(tensor));
    const void *data = NULL;
    if (!ptio_tensor_storage(tensor) || ptio_tensor_numel(tensor) > EXERCISE_MOST || nbytes > EXERCISE_MOST)
        return;
    void *copy = malloc(nbytes ? (size_t)nbytes : 1);
    if (!copy)
        abort();
    if (exercise_ok(x, ptio_tensor_copy(tensor, ptio_tensor_dtype(tensor), copy, nbytes, &x->err)) &&
        exercise_ok(x, ptio_tensor_data(tensor, &data, &x->err)))
        fold_bytes(&x->fold, copy, (size_t)nbytes);
    free(copy);
}

static inline void exercise_tensor(exercise *x, const ptio_tensor *tensor)
{
    const int64_t *shape = ptio_tensor_shape(tensor), *stride = ptio_tensor_stride(tensor);
    ptio_quantizer q = ptio_tensor_quantizer(tensor);
    fold_string(&x->fold, ptio_dtype_name(ptio_tensor_dtype(tensor)));
    fold_string(&x->fold, ptio_layout_name(ptio_tensor_layout(tensor)));
    for (size_t i = 0; shape && i < ptio_tensor_ndim(tensor); i++)
        fold_u64(&x->fold, (uint64_t)shape[i]);
    for (size_t i = 0; stride && i < ptio_tensor_ndim(tensor); i++)
        fold_u64(&x->fold, (uint64_t)stride[i]);
    fold_u64(&x->fold, (uint64_t)ptio_tensor_storage_offset(tensor));
    fold_u64(&x->fold, (uint64_t)ptio_tensor_requires_grad(tensor));
    fold_u64(&x->fold, (uint64_t)ptio_tensor_is_conj(tensor) * 4 + (uint64_t)ptio_tensor_is_neg(tensor) * 2 +
                           (uint64_t)ptio_tensor_is_coalesced(tensor));
    fold_string(&x->fold, ptio_qscheme_name(q.scheme));
    fold_bytes(&x->fold, &q.scale, sizeof q.scale);
    fold_u64(&x->fold, (uint64_t)q.zero_point);
    fold_u64(&x->fold, (uint64_t)q.axis);
    exercise_storage(x, ptio_tensor_storage(tensor));
    exercise_elements(x, tensor);
}

static inline void exercise_list(exercise *x)
{
    ptio_tensor_list *list = NULL;
    if (!exercise_ok(x, ptio_list_tensors(x->ckpt, NULL, &list, &x->err)))
        return;
    for (size_t i = 0; i < ptio_tensor_list_count(list); i++) {
        const ptio_tensor_entry *e = ptio_tensor_list_entry(list, i);
        fold_text(&x->fold, e->name);
        fold_u64(&x->fold, (uint64_t)e->storage);
        for (uint32_t k = 0; k < e->path_count; k++) {
            ptio_path_key key = ptio_tensor_list_path(list, i, k);
            fold_u64(&x->fold, key.is_index);
            if (key.is_index)
                fold_u64(&x->fold, (uint64_t)key.index);
            else
                fold_text(&x->fold, key.text);
        }
        exercise_tensor(x, e->tensor);
    }
    ptio_tensor_totals totals = ptio_tensor_list_totals(list);
    fold_u64(&x->fold, totals.elements);
    ptio_tensor_list_free(list);
}

static inline void exercise_module(exercise *x, const ptio_value *value)
{
    ptio_module *module = NULL;
    if (!exercise_ok(x, ptio_module_open(x->ckpt, value, &module, &x->err)))
        return;
    for (size_t i = 0; i < ptio_module_count(module); i++) {
        fold_text(&x->fold, ptio_module_entry_at(module, i)->name);
        fold_text(&x->fold, ptio_module_entry_at(module, i)->class_name);
    }
    for (size_t i = 0; i < ptio_module_state_count(module); i++)
        fold_text(&x->fold, ptio_module_state_at(module, i)->name);
    ptio_module_free(module);
}

static inline void exercise_array(exercise *x, const ptio_value *value)
{
    ptio_ndarray_info info = {0};
    if (!ptio_value_ndarray(value, &info) || info.is_object || info.nbytes > EXERCISE_MOST)
        return;
    void *copy = malloc(info.nbytes ? (size_t)info.nbytes : 1);
    if (!copy)
        abort();
    fold_text(&x->fold, info.dtype);
    if (exercise_ok(x, ptio_ndarray_copy(value, copy, info.nbytes, &x->err)))
        fold_bytes(&x->fold, copy, (size_t)info.nbytes);
    free(copy);
}

/* All getters, of any value: those of other kinds must give nothing. */
static inline void exercise_getters(exercise *x, const ptio_value *value)
{
    int64_t integer = 0;
    double real = 0, imag = 0;
    unsigned char digits[16];
    fold_u64(&x->fold, (uint64_t)ptio_value_kind(value));
    fold_u64(&x->fold, ptio_value_bool(value));
    if (ptio_value_int(value, &integer))
        fold_u64(&x->fold, (uint64_t)integer);
    size_t size = ptio_value_int_bytes(value, digits, sizeof digits);
    fold_bytes(&x->fold, digits, size <= sizeof digits ? size : 0);
    if (ptio_value_float(value, &real) || ptio_value_complex(value, &real, &imag)) {
        fold_bytes(&x->fold, &real, sizeof real);
        fold_bytes(&x->fold, &imag, sizeof imag);
    }
    fold_text(&x->fold, ptio_value_str(value));
    fold_text(&x->fold, ptio_value_bytes(value));
    fold_text(&x->fold, ptio_value_name(value));
    fold_text(&x->fold, ptio_value_class(value));
    size_t count = ptio_value_count(value);
    fold_u64(&x->fold, count);
    if (count && (!ptio_value_item(value, count - 1) || ptio_value_item(value, count)))
        abort();
    (void)ptio_value_get(value, "weight");
    (void)ptio_value_get_int(value, 0);
    for (size_t i = 0; i < count && i < 16; i++) {
        const ptio_value *key = ptio_value_key(value, i), *found = ptio_value_get_value(value, key);
        bool nests = ptio_value_kind(key) == PTIO_KIND_TUPLE || ptio_value_kind(key) == PTIO_KIND_FROZENSET;
        if (key && found != ptio_value_item(value, i) && !(nests && !found))
            abort(); /* every key finds its value, but for those that nest too deep */
    }
    (void)ptio_value_attribute(value, "training");
    (void)ptio_value_slots(value);
    (void)ptio_value_factory(value);
    (void)ptio_node_opcode(value);
    (void)ptio_node_callable(value);
    (void)ptio_node_arguments(value);
    (void)ptio_node_keywords(value);
    (void)ptio_node_state(value, ptio_node_state_count(value));
    (void)ptio_node_entry_key(value, ptio_node_entry_count(value));
    (void)ptio_node_item(value, ptio_node_item_count(value));
    (void)ptio_node_module(value);
    (void)ptio_node_qualname(value);
}

static inline ptio_walk_next exercise_visit(void *ctx, const ptio_visit *visit)
{
    exercise *x = ctx;
    if (visit->leaving)
        return PTIO_WALK_ON;
    fold_u64(&x->fold, (uint64_t)visit->role);
    fold_u64(&x->fold, visit->number);
    exercise_getters(x, visit->value);
    if (visit->again)
        return PTIO_WALK_ON;
    if (ptio_value_kind(visit->value) == PTIO_KIND_STORAGE)
        exercise_storage(x, ptio_value_storage(visit->value));
    if (ptio_value_kind(visit->value) == PTIO_KIND_NDARRAY)
        exercise_array(x, visit->value);
    if (ptio_value_is_module(visit->value))
        exercise_module(x, visit->value);
    return PTIO_WALK_ON;
}

static inline void exercise_walks(exercise *x, const ptio_limits *limits, const ptio_memory *memory)
{
    ptio_walk_options walk = {PTIO_WALK_OPTIONS, .arguments = true, .limits = limits, .memory = memory};
    (void)exercise_ok(x, ptio_walk(ptio_root(x->ckpt), &walk, exercise_visit, x, &x->err));
    walk.raw = true;
    walk.arguments = false;
    (void)exercise_ok(x, ptio_walk(ptio_root(x->ckpt), &walk, exercise_visit, x, &x->err));
}

/* Do everything with a checkpoint. What was told is in x->fold, the first failure in x->status. */
static inline void exercise_checkpoint(exercise *x, const ptio_checkpoint *ckpt, const ptio_limits *limits,
                                       const ptio_memory *memory)
{
    ptio_checkpoint_info info;
    ptio_print_options print = {PTIO_PRINT_OPTIONS, .limits = limits, .memory = memory};
    *x = (exercise){.fold = FOLD_BEGIN, .ckpt = ckpt};
    ptio_checkpoint_describe(ckpt, &info);
    exercise_list(x);
    exercise_walks(x, limits, memory);
    (void)exercise_ok(x, ptio_print(ptio_root(ckpt), &print, fold_write, &x->fold, &x->err));
    (void)ptio_at(ckpt, "model.fc1.weight[0]['a'].b");
}

/* ---- files ---- */

typedef struct blob {
    unsigned char *data;
    size_t size;
} blob;

/* The whole of a file, in memory of exactly its size. `data` is NULL where it cannot be read. */
static inline blob blob_read(const char *path)
{
    blob b = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        return b;
    long end = fseek(file, 0, SEEK_END) ? -1 : ftell(file);
    if (end >= 0 && !fseek(file, 0, SEEK_SET)) {
        b.size = (size_t)end;
        b.data = malloc(b.size ? b.size : 1);
    }
    if (b.data && fread(b.data, 1, b.size, file) != b.size) {
        free(b.data);
        b.data = NULL;
    }
    (void)fclose(file);
    return b;
}

#endif
