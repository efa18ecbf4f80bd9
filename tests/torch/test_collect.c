/*
 * ptio_builder_collect(): long edits need no more memory than what is still there, and nothing that can be reached is lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ptio.h"
#include "torch/dlpack.h"

#define CORPUS PTIO_TEST_DATA "/corpus/2.13.0/"

/* ---- memory, counted ---- */

typedef struct counted {
    size_t small, large, calls, fail_at;
} counted;

static void *count_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    counted *c = ctx;
    if (new_size && c->calls++ == c->fail_at)
        return NULL;
    void *moved = NULL;
    if (new_size)
        moved = realloc(ptr, new_size);
    else
        free(ptr);
    if (moved || !new_size)
        c->small += new_size - old_size;
    return moved;
}

static void *count_alloc(void *ctx, size_t size, size_t alignment)
{
    counted *c = ctx;
    if (c->calls++ == c->fail_at)
        return NULL;
    c->large += size;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void count_free(void *ctx, void *ptr, size_t size)
{
    ((counted *)ctx)->large -= size;
    free(ptr);
}

static ptio_builder *begin(counted *c)
{
    ptio_builder *b;
    *c = (counted){.fail_at = SIZE_MAX};
    const ptio_memory memory = {.resize = count_resize, .alloc = count_alloc, .free = count_free, .ctx = c};
    assert_int_equal(ptio_builder_new(&memory, &b, NULL), PTIO_OK);
    return b;
}

static void end(ptio_builder *b, const counted *c)
{
    ptio_error err = {0};
    if (ptio_builder_status(b, &err) != PTIO_OK)
        print_message("%s\n", err.message);
    assert_int_equal(err.status, PTIO_OK);
    ptio_builder_free(b);
    assert_int_equal(c->small, 0);
    assert_int_equal(c->large, 0);
}

static void collect(ptio_builder *b, const ptio_value *root)
{
    ptio_error err = {0};
    assert_int_equal(ptio_builder_collect(b, &root, 1, &err), PTIO_OK);
}

static ptio_checkpoint *load(const char *path)
{
    ptio_checkpoint *ckpt;
    assert_int_equal(ptio_load(path, NULL, &ckpt, NULL), PTIO_OK);
    return ckpt;
}

/* ---- a million replacements ---- */

/* What a long edit replaces: values of a dict under old keys and new ones, tensors, views, casts, attributes, names. */
static void replace(ptio_builder *b, ptio_value *root, ptio_value *object, int i)
{
    char text[32];
    (void)snprintf(text, sizeof text, "step %d", i);
    assert_true(ptio_put(b, root, "text", ptio_new_str(b, text)));
    assert_true(ptio_put(b, root, "number", ptio_new_int(b, 1000 + i)));
    if (i % 5 == 0) {
        assert_true(ptio_put(b, root, text, ptio_new_float(b, i)));
        assert_true(ptio_remove(b, root, ptio_value_count(root) - 1));
        assert_true(ptio_set_attribute(b, object, "epoch", ptio_new_name(b, text)));
    }
    if (i % 10 == 0) {
        float numbers[4] = {(float)i, 1, 2, 3};
        const ptio_value *tensor = ptio_new_tensor(b, PTIO_FLOAT32, 2, (int64_t[]){2, 2}, numbers);
        assert_true(ptio_put(b, root, "tensor", tensor));
        assert_true(ptio_put(b, root, "cast", ptio_new_cast(b, tensor, PTIO_BFLOAT16)));
        assert_true(ptio_put(b, root, "parameter", ptio_new_parameter(b, tensor, true)));
    }
}

static void a_million_replacements(void **state)
{
    (void)state;
    enum { ROUNDS = 1000000 / 2, EACH = 1000 }; /* of each round two values, and more */
    counted c;
    size_t most = 0;
    ptio_builder *b = begin(&c);
    ptio_value *root = ptio_new_ordered_dict(b);
    ptio_value *object = (ptio_value *)(uintptr_t)ptio_new_object(b, ptio_new_global(b, "run", "State"), NULL, NULL);
    for (int i = 0; i < 20; i++) { /* so many keys that they are found by a table */
        char key[16];
        (void)snprintf(key, sizeof key, "key %d", i);
        assert_true(ptio_put(b, root, key, ptio_new_none(b)));
    }
    assert_true(ptio_put(b, root, "object", object));
    for (int i = 0; i < ROUNDS; i++) {
        replace(b, root, object, i);
        if (i % EACH == EACH - 1) {
            collect(b, root);
            most = c.small > most ? c.small : most;
            assert_int_equal(c.large, 4 * sizeof(float));
        }
    }
    assert_true(most < 500000);
    assert_int_equal(ptio_value_count(root), 26);
    int64_t number;
    assert_true(ptio_value_int(ptio_value_get(root, "number"), &number) && number == 1000 + ROUNDS - 1);
    float read[4];
    const ptio_value *tensor = ptio_value_get(root, "cast");
    assert_int_equal(ptio_tensor_copy(ptio_value_tensor(tensor), PTIO_FLOAT32, read, sizeof read, NULL), PTIO_OK);
    assert_true(read[3] == 3);
    end(b, &c);
}

/* A loaded value, and a built one, that are replaced by another each time: the chain of those between goes. */
static void replaced_again_and_again(void **state)
{
    (void)state;
    counted c;
    ptio_builder *b = begin(&c);
    ptio_checkpoint *ckpt = load(CORPUS "state_dict_batchnorm.pt");
    const ptio_value *loaded = ptio_value_item(ptio_root(ckpt), 0), *built = ptio_new_str(b, "built");
    ptio_value *root = ptio_new_list(b);
    const ptio_value *last[2] = {loaded, built};
    assert_true(ptio_append(b, root, loaded) && ptio_append(b, root, built));
    for (int i = 0; i < 20000; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d", i);
        const ptio_value *by[2] = {ptio_new_str(b, text), ptio_new_str(b, text)};
        assert_true(ptio_replace_value(b, last[0], by[0]) && ptio_replace_value(b, last[1], by[1]));
        assert_true(ptio_replace_value(b, loaded, by[1]));
        last[0] = by[0];
        last[1] = by[1];
        if (i % 100)
            continue;
        assert_int_equal(ptio_builder_collect(b, (const ptio_value *[]){root, last[0], last[1]}, 3, NULL), PTIO_OK);
        assert_true(c.small < 200000);
    }
    assert_ptr_equal(ptio_edited(b, loaded), last[1]);
    assert_ptr_equal(ptio_edited(b, built), last[1]);
    end(b, &c);
    ptio_checkpoint_free(ckpt);
}

/* ---- nothing is lost ---- */

#define HANDS 12

/** One of two builders that do the same; one of them collects. */
typedef struct world {
    ptio_builder *b;
    ptio_value *root;
    const ptio_value *loaded;
    const ptio_value *hands[HANDS]; /* what the program points to beside */
    uint32_t random;
} world;

static uint32_t next(world *w, uint32_t below)
{
    w->random = w->random * 1664525u + 1013904223u;
    return (w->random >> 8) % below;
}

static const ptio_value *some_tensor(world *w)
{
    const ptio_value *at = w->hands[next(w, HANDS)];
    float numbers[6] = {(float)next(w, 100), 2, 3, 4, 5, 6};
    return ptio_value_tensor(at) ? at : ptio_new_tensor(w->b, PTIO_FLOAT32, 2, (int64_t[]){2, 3}, numbers);
}

static const ptio_value *some_view(world *w)
{
    const ptio_value *tensor = some_tensor(w);
    const ptio_storage *storage = ptio_tensor_storage(ptio_value_tensor(tensor));
    if (!storage || ptio_storage_nbytes(storage) < 16)
        return tensor;
    ptio_dtype dtype = ptio_storage_dtype(storage);
    return ptio_new_view(w->b, storage, dtype, 1, (int64_t[]){1}, NULL, (int64_t)next(w, 2), false);
}

static const ptio_value *some_cast(world *w)
{
    static const ptio_dtype dtypes[] = {PTIO_FLOAT64, PTIO_BFLOAT16, PTIO_INT32};
    const ptio_value *tensor = some_tensor(w);
    return ptio_tensor_layout(ptio_value_tensor(tensor)) == PTIO_STRIDED ? ptio_new_cast(w->b, tensor, dtypes[next(w, 3)])
                                                                         : tensor;
}

static const ptio_value *some_sparse(world *w)
{
    ptio_builder *b = w->b;
    const int64_t numbers[] = {0, (int64_t)next(w, 4)};
    const ptio_value *indices = ptio_new_tensor(b, PTIO_INT64, 2, (int64_t[]){1, 2}, numbers);
    const ptio_value *values = ptio_new_tensor(b, PTIO_INT64, 1, (int64_t[]){2}, numbers);
    return ptio_new_sparse_coo(b, indices, values, 1, (int64_t[]){5}, false);
}

static const ptio_value *some_quantized(world *w)
{
    const ptio_storage *storage = ptio_new_storage_copy(w->b, PTIO_QUINT8, "\5\6", 2);
    const ptio_quantizer quantizer = {.scheme = PTIO_PER_TENSOR_AFFINE, .scale = next(w, 9) + 0.5, .zero_point = 3};
    return ptio_new_quantized(w->b, storage, 1, (int64_t[]){2}, &quantizer, NULL, NULL);
}

static const ptio_value *some_container(world *w)
{
    ptio_builder *b = w->b;
    const ptio_value *items[] = {w->hands[next(w, HANDS)], ptio_new_int(b, 1000 + next(w, 100)), w->hands[next(w, HANDS)]};
    const ptio_value *keys[] = {ptio_new_str(b, "a"), ptio_new_int(b, 300), ptio_new_bytes(b, "xyz", 3)};
    ptio_value *made;
    switch (next(w, 6)) {
    case 0: return ptio_new_tuple(b, items, 3);
    case 1: return ptio_new_frozenset(b, keys, 3);
    case 2: return ptio_new_set(b, keys, 3);
    case 3: made = ptio_new_list(b); return ptio_append(b, made, items[0]) ? made : NULL;
    case 4: made = ptio_new_dict(b); return ptio_put_key(b, made, keys[next(w, 3)], items[1]) ? made : NULL;
    default: made = ptio_new_ordered_dict(b); return ptio_put(b, made, "w", items[2]) ? made : NULL;
    }
}

static const ptio_value *some_value(world *w)
{
    ptio_builder *b = w->b;
    char text[16];
    const ptio_value *object;
    (void)snprintf(text, sizeof text, "text %u", (unsigned)next(w, 20));
    switch (next(w, 16)) {
    case 0: return ptio_new_str(b, text);
    case 1: return ptio_new_name(b, text);
    case 2: return ptio_new_int_bytes(b, "\1\2\3\4\5\6\7\10\11\12", 10);
    case 3: return ptio_new_complex(b, 1.5, next(w, 9));
    case 4: return ptio_new_size(b, 2, (int64_t[]){3, (int64_t)next(w, 9)});
    case 5: return ptio_new_device(b, "cuda:1");
    case 6:
        object = ptio_new_object(b, ptio_new_global(b, "m", "C"), NULL, ptio_new_dict(b));
        return ptio_set_attribute(b, (ptio_value *)(uintptr_t)object, text, w->hands[next(w, HANDS)]) ? object : NULL;
    case 7: return ptio_new_bytearray(b, text, 6);
    case 8: return some_sparse(w);
    case 9: return some_quantized(w);
    case 10: return some_tensor(w);
    case 11: return some_view(w);
    case 12: return some_cast(w);
    default: return some_container(w);
    }
}

/* A value of the loaded checkpoint: the state dict, its attribute, one of its tensors. */
static const ptio_value *some_loaded(world *w)
{
    size_t count = ptio_value_count(w->loaded);
    return next(w, 4) ? ptio_value_item(w->loaded, next(w, (uint32_t)count)) : w->loaded;
}

static void edit_loaded(world *w, const ptio_value *value)
{
    const ptio_value *loaded = some_loaded(w), *now = ptio_edited(w->b, loaded);
    switch (next(w, 3)) {
    case 0:
        if (loaded != w->loaded && ptio_value_kind(value) == PTIO_KIND_TENSOR && now != ptio_edited(w->b, value))
            assert_true(ptio_replace_value(w->b, next(w, 2) ? loaded : now, value));
        break;
    case 1:
        if (ptio_value_kind(now) == PTIO_KIND_TENSOR)
            assert_true(ptio_set_attribute(w->b, ptio_edit(w->b, loaded), "note", ptio_new_int(w->b, next(w, 1000))));
        break;
    default: assert_true(ptio_put(w->b, ptio_edit(w->b, w->loaded), "new", value)); break;
    }
}

static void step(world *w)
{
    char key[16];
    const ptio_value *value = some_value(w);
    ptio_error err = {0};
    if (ptio_builder_status(w->b, &err) != PTIO_OK)
        print_message("%s\n", err.message);
    assert_non_null(value);
    (void)snprintf(key, sizeof key, "key %u", (unsigned)next(w, 30));
    w->hands[next(w, HANDS)] = value;
    size_t count = ptio_value_count(w->root);
    switch (next(w, 5)) {
    case 0: assert_true(!count || ptio_remove(w->b, w->root, next(w, (uint32_t)count))); break;
    case 1: (void)(count && ptio_rename(w->b, w->root, next(w, (uint32_t)count), ptio_new_str(w->b, key))); break;
    case 2: edit_loaded(w, value); break;
    default: assert_true(ptio_put(w->b, w->root, key, value)); break;
    }
}

static world new_world(counted *c, const ptio_checkpoint *ckpt, uint32_t seed)
{
    world w = {.b = begin(c), .random = seed};
    w.root = ptio_new_dict(w.b);
    w.loaded = ptio_root(ckpt);
    assert_true(ptio_put(w.b, w.root, "loaded", w.loaded));
    for (size_t i = 0; i < HANDS; i++)
        w.hands[i] = ptio_new_none(w.b);
    return w;
}

static void collect_world(world *w)
{
    const ptio_value *keep[HANDS + 1];
    memcpy(keep, w->hands, sizeof w->hands);
    keep[HANDS] = w->root;
    assert_int_equal(ptio_builder_collect(w->b, keep, HANDS + 1, NULL), PTIO_OK);
}

static ptio_sink *saved(const world *w)
{
    ptio_error err = {0};
    ptio_sink *sink;
    ptio_value *all = ptio_new_list(w->b);
    for (size_t i = 0; i < HANDS; i++)
        assert_true(ptio_append(w->b, all, w->hands[i]));
    assert_true(ptio_append(w->b, all, w->root));
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, &err), PTIO_OK);
    ptio_save_options options = {PTIO_SAVE_OPTIONS, .edits = w->b};
    if (ptio_save_sink(all, sink, &options, &err) != PTIO_OK)
        print_message("%s\n", err.message);
    assert_int_equal(err.status, PTIO_OK);
    return sink;
}

/* Two builders make the same random steps. Whatever one of them gives back meanwhile, both save the same bytes. */
static void nothing_is_lost(void **state)
{
    (void)state;
    ptio_checkpoint *ckpt = load(CORPUS "state_dict_batchnorm.pt");
    for (uint32_t seed = 1; seed <= 20; seed++) {
        counted c[2];
        world w[2] = {new_world(&c[0], ckpt, seed), new_world(&c[1], ckpt, seed)};
        for (int i = 0; i < 400; i++) {
            step(&w[0]);
            step(&w[1]);
            if (i % 7 == 0)
                collect_world(&w[1]);
            if (i % 50)
                continue;
            ptio_sink *sinks[2] = {saved(&w[0]), saved(&w[1])};
            ptio_text plain = ptio_sink_bytes(sinks[0]), collected = ptio_sink_bytes(sinks[1]);
            assert_int_equal(plain.size, collected.size);
            assert_memory_equal(plain.bytes, collected.bytes, plain.size);
            ptio_sink_free(sinks[0]);
            ptio_sink_free(sinks[1]);
        }
        assert_true(c[1].small < c[0].small);
        end(w[0].b, &c[0]);
        end(w[1].b, &c[1]);
    }
    ptio_checkpoint_free(ckpt);
}

/* A collection that has no memory has given nothing back, and the next one does. */
static void each_allocation_fails(void **state)
{
    (void)state;
    ptio_checkpoint *ckpt = load(CORPUS "state_dict_batchnorm.pt");
    size_t failures = 0;
    ptio_status status = PTIO_ERR_MEMORY;
    for (size_t fail_at = 0; status != PTIO_OK; fail_at++) {
        counted c[2];
        world w[2] = {new_world(&c[0], ckpt, 5), new_world(&c[1], ckpt, 5)};
        for (int i = 0; i < 600; i++) {
            step(&w[0]);
            step(&w[1]);
        }
        ptio_error err = {0};
        const ptio_value *keep[HANDS + 1];
        memcpy(keep, w[1].hands, sizeof w[1].hands);
        keep[HANDS] = w[1].root;
        c[1].calls = 0;
        c[1].fail_at = fail_at;
        status = ptio_builder_collect(w[1].b, keep, HANDS + 1, &err);
        assert_true(status == PTIO_OK || status == PTIO_ERR_MEMORY);
        failures += status != PTIO_OK;
        c[1].fail_at = SIZE_MAX;
        step(&w[0]);
        step(&w[1]);
        collect_world(&w[1]);
        ptio_sink *sinks[2] = {saved(&w[0]), saved(&w[1])};
        ptio_text plain = ptio_sink_bytes(sinks[0]), collected = ptio_sink_bytes(sinks[1]);
        assert_int_equal(plain.size, collected.size);
        assert_memory_equal(plain.bytes, collected.bytes, plain.size);
        ptio_sink_free(sinks[0]);
        ptio_sink_free(sinks[1]);
        end(w[0].b, &c[0]);
        end(w[1].b, &c[1]);
    }
    assert_true(failures >= 4);
    ptio_checkpoint_free(ckpt);
}

/* What others hold stays: bytes that DLPack handed over, until it is done; and edits of loaded values, whoever names them. */
static void what_is_held_stays(void **state)
{
    (void)state;
    counted c;
    ptio_builder *b = begin(&c);
    ptio_checkpoint *ckpt = load(CORPUS "state_dict_batchnorm.pt");
    const float numbers[] = {1, 2, 3};
    struct DLManagedTensorVersioned *handed;
    const ptio_value *tensor = ptio_new_tensor(b, PTIO_FLOAT32, 1, (int64_t[]){3}, numbers);
    assert_int_equal(ptio_tensor_to_dlpack(ptio_value_tensor(tensor), false, &handed, NULL), PTIO_OK);
    const ptio_value *loaded = ptio_root(ckpt), *kept = ptio_new_tensor(b, PTIO_FLOAT32, 1, (int64_t[]){3}, numbers);
    assert_true(ptio_put(b, ptio_edit(b, loaded), "kept", kept));
    assert_non_null(ptio_new_tensor(b, PTIO_FLOAT32, 1, (int64_t[]){3}, numbers));
    size_t before = c.large;
    assert_int_equal(ptio_builder_collect(b, NULL, 0, NULL), PTIO_OK);
    assert_int_equal(c.large, before - sizeof numbers);
    assert_memory_equal(handed->dl_tensor.data, numbers, sizeof numbers);
    handed->deleter(handed);
    assert_int_equal(ptio_builder_collect(b, NULL, 0, NULL), PTIO_OK);
    assert_int_equal(c.large, sizeof numbers);
    assert_ptr_equal(ptio_value_get(ptio_edited(b, loaded), "kept"), kept);
    float read[3];
    assert_int_equal(ptio_tensor_copy(ptio_value_tensor(kept), PTIO_FLOAT32, read, sizeof read, NULL), PTIO_OK);
    assert_memory_equal(read, numbers, sizeof numbers);
    end(b, &c);
    ptio_checkpoint_free(ckpt);
}

/* A builder that failed says so, and nothing happens. */
static void failures_stay(void **state)
{
    (void)state;
    counted c;
    ptio_error err = {0};
    ptio_builder *b = begin(&c);
    assert_null(ptio_new_tuple(b, (const ptio_value *[]){NULL}, 1));
    assert_int_equal(ptio_builder_collect(b, NULL, 0, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "builder.none");
    ptio_builder_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_replacements), cmocka_unit_test(replaced_again_and_again), cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(each_allocation_fails),  cmocka_unit_test(what_is_held_stays),       cmocka_unit_test(failures_stay),
    };
    return cmocka_run_group_tests_name("torch/collect", tests, NULL, NULL);
}
