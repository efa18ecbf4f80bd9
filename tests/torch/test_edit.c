/*
 * Changes to dicts and lists, of any size: keys are found after any mixture of changes, as in Python.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ptio.h"

static ptio_builder *begin(void)
{
    ptio_builder *b;
    assert_int_equal(ptio_builder_new(NULL, &b, NULL), PTIO_OK);
    return b;
}

static void end(ptio_builder *b)
{
    ptio_error err = {0};
    if (ptio_builder_status(b, &err) != PTIO_OK)
        print_message("%s\n", err.message);
    assert_int_equal(err.status, PTIO_OK);
    ptio_builder_free(b);
}

static uint32_t next(uint32_t *random, uint32_t below)
{
    *random = *random * 1664525u + 1013904223u;
    return (*random >> 8) % below;
}

/* ---- dicts, beside a list of numbered keys that is searched from end to end ---- */

#define MOST 64
#define KEYS 40

/** What the dict should be. Keys 0 to KEYS - 1 are strs, those above ints. */
typedef struct model {
    uint32_t keys[MOST];
    int64_t values[MOST];
    size_t count;
} model;

static const ptio_value *key_of(ptio_builder *b, uint32_t key)
{
    char text[16];
    (void)snprintf(text, sizeof text, "key %u", (unsigned)key);
    return key < KEYS ? ptio_new_str(b, text) : ptio_new_int(b, key);
}

static size_t find(const model *m, uint32_t key)
{
    size_t i = 0;
    while (i < m->count && m->keys[i] != key)
        i++;
    return i;
}

static void take_out(model *m, size_t index)
{
    for (m->count--; index < m->count; index++) {
        m->keys[index] = m->keys[index + 1];
        m->values[index] = m->values[index + 1];
    }
}

static bool is_odd(void *ctx, const ptio_value *key, const ptio_value *item)
{
    int64_t number;
    (void)ctx;
    (void)key;
    return ptio_value_int(item, &number) && number % 2;
}

static void put(ptio_builder *b, ptio_value *dict, model *m, uint32_t key, int64_t value)
{
    size_t at = find(m, key);
    assert_true(ptio_put_key(b, dict, key_of(b, key), ptio_new_int(b, value)));
    if (at == m->count)
        m->keys[m->count++] = key;
    m->values[at] = value;
}

static void rename_one(ptio_builder *b, ptio_value *dict, model *m, size_t index, uint32_t key)
{
    size_t other = find(m, key);
    bool is_free = other == m->count || other == index;
    assert_true(ptio_rename(b, dict, index, key_of(b, key)) == is_free);
    if (is_free)
        m->keys[index] = key;
}

static void step(ptio_builder *b, ptio_value *dict, model *m, uint32_t *random)
{
    uint32_t key = next(random, 3 * KEYS / 2);
    size_t index = m->count ? next(random, (uint32_t)m->count) : 0;
    uint32_t what = next(random, 40);
    if (what < 20 || !m->count) {
        put(b, dict, m, key, 1000 + next(random, 1000));
    } else if (what < 30) {
        rename_one(b, dict, m, index, key);
    } else if (what < 38) {
        assert_true(ptio_remove(b, dict, index));
        take_out(m, index);
    } else {
        size_t before = m->count;
        for (size_t i = m->count; i-- > 0;)
            if (m->values[i] % 2)
                take_out(m, i);
        assert_int_equal(ptio_remove_if(b, dict, is_odd, NULL), before - m->count);
    }
}

static void assert_same(const ptio_value *dict, const model *m)
{
    assert_int_equal(ptio_value_count(dict), m->count);
    for (size_t i = 0; i < m->count; i++) {
        char text[16];
        int64_t number;
        (void)snprintf(text, sizeof text, "key %u", (unsigned)m->keys[i]);
        ptio_text key = ptio_value_str(ptio_value_key(dict, i));
        if (m->keys[i] < KEYS)
            assert_true(key.size == strlen(text) && memcmp(key.bytes, text, key.size) == 0);
        else
            assert_true(ptio_value_int(ptio_value_key(dict, i), &number) && number == m->keys[i]);
        assert_true(ptio_value_int(ptio_value_item(dict, i), &number) && number == m->values[i]);
    }
}

/* A dict, an OrderedDict, and what ptio_edit() gives of one that another builder made: as loaded, so that no key was looked for yet. */
static void random_changes(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (int i = 0; i < 300; i++) {
        ptio_builder *b = begin(), *other = begin();
        model m = {.count = 0};
        ptio_value *dict = i % 2 ? ptio_new_dict(other) : ptio_new_ordered_dict(other);
        for (uint32_t j = 0; j < (uint32_t)i % KEYS; j++)
            put(other, dict, &m, j, j);
        dict = ptio_edit(b, dict);
        for (int j = 0; j < 100; j++) {
            step(b, dict, &m, &random);
            assert_same(dict, &m);
        }
        end(b);
        end(other);
    }
}

/* Many keys are renamed, and many names made, in linear time: this would take minutes otherwise. */
static void many_keys(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    ptio_builder *b = begin();
    ptio_value *dict = ptio_new_dict(b);
    char text[32];
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(text, sizeof text, "module.%d", i);
        assert_true(ptio_put(b, dict, text, ptio_new_none(b)));
    }
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        assert_true(ptio_rename(b, dict, (size_t)i, ptio_new_name(b, text)));
        assert_ptr_equal(ptio_new_name(b, text), ptio_value_key(dict, (size_t)i));
    }
    assert_true(ptio_put(b, dict, "77", ptio_new_bool(b, true)));
    assert_int_equal(ptio_value_count(dict), COUNT);
    assert_true(ptio_value_bool(ptio_value_item(dict, 77)));
    end(b);
}

/* What takes items out is asked about what stands there now. */
static void replaced_items_are_removed_as_what_they_are(void **state)
{
    (void)state;
    ptio_builder *b;
    assert_int_equal(ptio_builder_new(NULL, &b, NULL), PTIO_OK);
    ptio_value *list = ptio_new_list(b), *dict = ptio_new_dict(b);
    const ptio_value *even = ptio_new_str(b, "two"), *odd = ptio_new_str(b, "three");
    assert_true(ptio_append(b, list, even) && ptio_append(b, list, odd));
    assert_true(ptio_put(b, dict, "even", even) && ptio_put(b, dict, "odd", odd));
    assert_true(ptio_replace_value(b, even, ptio_new_int(b, 2)) && ptio_replace_value(b, odd, ptio_new_int(b, 3)));
    assert_int_equal(ptio_remove_if(b, list, is_odd, NULL), 1);
    assert_int_equal(ptio_remove_if(b, dict, is_odd, NULL), 1);
    assert_ptr_equal(ptio_value_item(list, 0), even);
    assert_ptr_equal(ptio_value_get(dict, "even"), even);
    ptio_builder_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes),
        cmocka_unit_test(many_keys),
        cmocka_unit_test(replaced_items_are_removed_as_what_they_are),
    };
    return cmocka_run_group_tests_name("torch/edit", tests, NULL, NULL);
}
