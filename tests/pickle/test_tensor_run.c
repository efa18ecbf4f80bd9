/*
 * The run of opcodes that makes a tensor: done in one go it gives the graph that the opcodes give one by one.
 *
 * The last bytes of a pickle are never done in one go, so the same pickle with and without bytes behind its STOP takes both ways.
 */
#include <stdlib.h>

#include "base/cursor.h"
#include "pickle/machine.h"
#include "pickle/run.h"
#include "support/share.h"

enum { NODES = 4096, TEXT = 1 << 17 };

/* ---- all of a graph as text: nodes by number, with flags, kinds and offsets ---- */

typedef struct writing {
    const ptio_value *nodes[NODES];
    size_t count;
    char text[TEXT];
    size_t used;
} writing;

static void put(writing *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(w->text + w->used, TEXT - w->used, format, arguments);
    va_end(arguments);
    w->used += (size_t)n;
    assert_true(w->used < TEXT);
}

static void put_node(writing *w, const ptio_value *value);

static void put_items(writing *w, const ptio_block *block, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put_node(w, block->items[i]);
}

static void put_contents(writing *w, const ptio_value *value)
{
    const ptio_node_reduced *reduced = PTIO_NODE(reduced, value);
    switch ((ptio_node_type)value->type) {
    case PTIO_NODE_TYPE_INT:
        if (!(value->flags & PTIO_NODE_BIG))
            put(w, " %lld", (long long)PTIO_NODE(int, value)->u.value);
        break;
    case PTIO_NODE_TYPE_STR:
    case PTIO_NODE_TYPE_BYTES: put(w, " '%s'", ptio_quote(ptio_node_text_of(value)).text); break;
    case PTIO_NODE_TYPE_TUPLE:
        for (size_t i = 0; i < value->count; i++)
            put_node(w, ptio_tuple_item(value, i));
        break;
    case PTIO_NODE_TYPE_LIST:
    case PTIO_NODE_TYPE_SET:
    case PTIO_NODE_TYPE_FROZENSET: put_items(w, PTIO_NODE(list, value)->block, value->count); break;
    case PTIO_NODE_TYPE_DICT: put_items(w, PTIO_NODE(dict, value)->block, 2 * (size_t)value->count); break;
    case PTIO_NODE_TYPE_PERSISTENT: put_node(w, PTIO_NODE(persistent, value)->id); break;
    case PTIO_NODE_TYPE_REDUCED:
        put_node(w, reduced->callable);
        put_node(w, reduced->arguments);
        if (reduced->more) {
            put_items(w, reduced->more->items.block, reduced->more->items.head.count);
            put_items(w, reduced->more->entries.block, 2 * (size_t)reduced->more->entries.head.count);
            put_items(w, reduced->more->states.block, reduced->more->states.head.count);
        }
        assert_null(reduced->meaning);
        break;
    default: break;
    }
}

static void put_node(writing *w, const ptio_value *value)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->nodes[i] == value) {
            put(w, " #%zu", i);
            return;
        }
    assert_true(w->count < NODES);
    put(w, " (#%zu %u %u %u %u %u", w->count, value->type, value->seen, value->flags, value->opcode, value->count);
    w->nodes[w->count++] = value;
    put_contents(w, value);
    put(w, ")\n");
}

static void write_run(writing *w, const run *r)
{
    w->count = w->used = 0;
    if (r->status != PTIO_OK) {
        put(w, "%d %s %s %llu %s", r->status, r->err.reason, r->err.context, (unsigned long long)r->err.offset, r->err.message);
        return;
    }
    put_node(w, r->graph.root);
    put(w, " objects");
    for (size_t i = 0; i < r->graph.object_count; i++)
        put_node(w, r->graph.objects[i]);
    put(w, " size %zu", r->graph.size);
}

/* ---- pickles ---- */

typedef struct pickle {
    uint8_t bytes[1 << 16];
    size_t size;
    uint32_t next_put;
} pickle;

static void add(pickle *p, const void *bytes, size_t size)
{
    assert_true(p->size + size < sizeof p->bytes);
    memcpy(p->bytes + p->size, bytes, size);
    p->size += size;
}

static void add_put(pickle *p)
{
    uint8_t op[5] = {PTIO_OP_LONG_BINPUT, (uint8_t)p->next_put, (uint8_t)(p->next_put >> 8)};
    p->next_put++;
    add(p, op, sizeof op);
}

static void add_text(pickle *p, const char *text)
{
    uint8_t op[5] = {PTIO_OP_BINUNICODE, (uint8_t)strlen(text)};
    add(p, op, sizeof op);
    add(p, text, strlen(text));
    add_put(p);
}

/* The globals and texts that all tensors share, from number 0 on, and an open list for them. */
static void begin(pickle *p)
{
    static const char *const globals[] = {"ctorch._utils\n_rebuild_tensor_v2\n", "ctorch\nFloatStorage\n",
                                          "ccollections\nOrderedDict\n"};
    p->size = p->next_put = 0;
    add(p, PICKLE("\x80\2"));
    for (size_t i = 0; i < 3; i++) {
        add(p, globals[i], strlen(globals[i]));
        add_put(p);
        add(p, "0", 1);
    }
    add_text(p, "storage");
    add(p, "0", 1);
    add_text(p, "cpu");
    add(p, "0](", 3);
}

/* A tensor of one form or another. */
static void add_tensor(pickle *p, unsigned form)
{
    add(p, PICKLE("h\0((h\3h\1"));
    if (form & 1)
        add_text(p, "12");
    else
        add(p, PICKLE("h\3"));
    add(p, PICKLE("h\4"));
    if (form & 2)
        add(p, PICKLE("M\0\1t"));
    else
        add(p, PICKLE("K\x10t"));
    add_put(p);
    if (form & 4)
        add(p, PICKLE("QK\0(K\1K\2J\0\0\1\0K\4t"));
    else
        add(p, PICKLE("QJ\xff\xff\xff\xffK\1K\x10\x86"));
    add_put(p);
    if (form & 8)
        add(p, PICKLE(")\x88"));
    else {
        add(p, PICKLE("K\x10\x85"));
        add_put(p);
        add(p, PICKLE("\x89"));
    }
    add(p, PICKLE("j\2\0\0\0)R"));
    add_put(p);
    add(p, "t", 1);
    add_put(p);
    add(p, "R", 1);
    add_put(p);
}

static void end(pickle *p)
{
    add(p, "e.", 2);
}

static writing one_by_one, in_one_go;

/* Run a pickle both ways; false where it reads beyond its end. */
static bool both_ways(const uint8_t *bytes, size_t size)
{
    static uint8_t longer[(1 << 16) + PTIO_TENSOR_RUN_MOST];
    run r = {.fail_at = 0};
    run_begin(&r, bytes, size);
    bool whole = r.status == PTIO_OK || strcmp(r.err.reason, "pickle.truncated") != 0;
    write_run(&one_by_one, &r);
    run_end(&r);
    if (!whole)
        return false;
    memcpy(longer, bytes, size);
    memset(longer + size, '.', PTIO_TENSOR_RUN_MOST);
    r = (run){.fail_at = 0};
    run_begin(&r, longer, size + PTIO_TENSOR_RUN_MOST);
    write_run(&in_one_go, &r);
    run_end(&r);
    return true;
}

/* ---- tests ---- */

/* Whether the opcodes behind a tensor's callable are done in one go, asked of the function itself. */
static bool does_run(pickle *p, unsigned form, ptio_arena *arena, ptio_heap *heap)
{
    ptio_graph graph = {.arena = arena};
    ptio_machine m = {.graph = &graph, .heap = heap, .memo = {.heap = heap, .arena = arena}};
    static ptio_node_global callable = {.head = {.type = PTIO_NODE_TYPE_GLOBAL}};
    ptio_value *stack[4] = {&callable.head};
    p->size = 0;
    p->next_put = 5;
    add_tensor(p, form);
    memset(p->bytes + p->size, '.', PTIO_TENSOR_RUN_MOST);
    for (uint64_t i = 0; i < 5; i++)
        assert_true(ptio_memo_put(&m.memo, i, &callable.head));
    assert_int_equal(ptio_machine_grow_objects(&m, 16), PTIO_OK);
    m.start = p->bytes;
    m.pos = p->bytes + 3; /* behind the GET of the callable and the first mark */
    m.end = m.limit = p->bytes + p->size + PTIO_TENSOR_RUN_MOST;
    m.floor = m.stack = stack;
    m.top = stack + 1;
    bool done = ptio_machine_tensor_run(&m);
    assert_true(!done || m.pos == p->bytes + p->size);
    assert_int_equal(m.memo.count, done ? p->next_put : 5);
    ptio_memo_free(&m.memo);
    return done;
}

static void every_form_is_done_in_one_go(void **state)
{
    (void)state;
    static pickle p;
    for (unsigned form = 0; form < 16; form++) {
        ptio_heap heap;
        ptio_arena arena;
        ptio_heap_init(&heap, NULL, 0);
        ptio_arena_init(&arena, &heap);
        assert_true(does_run(&p, form, &arena, &heap));
        ptio_arena_free(&arena);
    }
}

static void both_ways_give_one_graph(void **state)
{
    (void)state;
    static pickle p;
    for (unsigned form = 0; form < 16; form++) {
        begin(&p);
        add_tensor(&p, form);
        end(&p);
        assert_true(both_ways(p.bytes, p.size));
        assert_true(strstr(one_by_one.text, " objects") != NULL);
        assert_string_equal(one_by_one.text, in_one_go.text);
    }
}

/* Each byte of a tensor in every other way: refused, or read, alike. */
static void both_ways_refuse_the_same(void **state)
{
    (void)state;
    static pickle p;
    uint64_t tried = 0;
    size_t all = 0, all_compared = 0;
    for (unsigned form = 0; form < 16; form++) {
        begin(&p);
        size_t from = p.size, compared = 0, changed = 0;
        add_tensor(&p, form);
        end(&p);
        for (size_t at = from; at < p.size; at++) {
            uint8_t right = p.bytes[at];
            if (!test_wants(tried++))
                continue;
            changed++;
            for (unsigned byte = 0; byte < 256; byte++) {
                p.bytes[at] = (uint8_t)byte;
                if (!both_ways(p.bytes, p.size))
                    continue;
                compared++;
                assert_string_equal(one_by_one.text, in_one_go.text);
            }
            p.bytes[at] = right;
        }
        all += changed;
        all_compared += compared;
    }
    assert_true(all_compared > 100 * all);
}

/* What could be taken for a run. */
static void what_looks_alike(void **state)
{
    (void)state;
    static const struct {
        const char *before_put, *behind; /* of the PUT of the size */
        size_t before_size, behind_size;
    } others[] = {
        {"K\1K\2K\3K\4\x88", "K\1\x85", 9, 3},     /* four ints and no tuple    */
        {"(K\1K\2\x86", "K\1\x85", 6, 3},          /* a mark that stays open    */
        {"(t", "K\1\x85", 2, 3},                   /* no ints                   */
        {"K\1\x85", "K\1K\2K\3K\4K\5\x87", 3, 11}, /* a tuple of some of the ints */
    };
    static pickle p;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        begin(&p);
        add(&p, PICKLE("h\0((h\3h\1h\3h\4K\1t"));
        add_put(&p);
        add(&p, PICKLE("QK\0"));
        add(&p, others[i].before_put, others[i].before_size);
        add_put(&p);
        add(&p, others[i].behind, others[i].behind_size);
        add_put(&p);
        add(&p, PICKLE("\x89h\2)R"));
        add_put(&p);
        add(&p, "t", 1);
        add_put(&p);
        add(&p, "R", 1);
        add_put(&p);
        end(&p);
        assert_true(both_ways(p.bytes, p.size));
        assert_string_equal(one_by_one.text, in_one_go.text);
    }
}

/* A number of the memo far off, which sends all that follows one by one. */
#define FAR              \
    "Nr\xf0\xff\xff\xff" \
    "0"
#define NEAR  \
    "N0N0K\0" \
    "0"

static void many_tensors(void **state)
{
    (void)state;
    static pickle p, q;
    static writing w;
    begin(&p);
    for (unsigned i = 0; i < 100; i++)
        add_tensor(&p, i);
    end(&p);
    for (size_t i = 0; i < 2; i++) {
        run r = {.fail_at = 0};
        q.size = 0;
        add(&q, i ? FAR : NEAR, sizeof FAR - 1);
        add(&q, p.bytes, p.size);
        run_begin(&r, q.bytes, q.size);
        assert_int_equal(r.status, PTIO_OK);
        write_run(i ? &in_one_go : &w, &r);
        run_end(&r);
    }
    assert_string_equal(w.text, in_one_go.text);
}

static void memory_that_fails(void **state)
{
    (void)state;
    static pickle p;
    begin(&p);
    for (unsigned i = 0; i < 200; i++)
        add_tensor(&p, i);
    end(&p);
    for (uint64_t n = 1;; n++) {
        run r = {.fail_at = n};
        run_begin(&r, p.bytes, p.size);
        ptio_status status = r.status;
        run_end(&r);
        if (status == PTIO_OK) {
            assert_true(n > 5);
            return;
        }
        assert_int_equal(status, PTIO_ERR_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_done_in_one_go),
        cmocka_unit_test(both_ways_give_one_graph),
        cmocka_unit_test(both_ways_refuse_the_same),
        cmocka_unit_test(what_looks_alike),
        cmocka_unit_test(many_tensors),
        cmocka_unit_test(memory_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
