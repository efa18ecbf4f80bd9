#include "pickle/run.h"

#include <inttypes.h>

#include "base/text.h"

static const ptio_limits large = {.pickle_bytes = 1 << 30, .line_bytes = 64 << 10, .name_bytes = 1 << 10};

static void fill_limits(ptio_limits *limits)
{
    if (!limits->pickle_bytes)
        limits->pickle_bytes = large.pickle_bytes;
    if (!limits->line_bytes)
        limits->line_bytes = large.line_bytes;
    if (!limits->name_bytes)
        limits->name_bytes = large.name_bytes;
}

void run_begin(run *r, const void *bytes, size_t size)
{
    fill_limits(&r->limits);
    counted_memory_init(&r->memory);
    r->bytes = malloc(size ? size : 1);
    assert_non_null(r->bytes);
    if (size)
        memcpy(r->bytes, bytes, size);
    r->size = size;
    assert_int_equal(ptio_report_new(NULL, &r->report, NULL), PTIO_OK);
    ptio_heap_init(&r->heap, &r->memory.hooks, r->heap_limit);
    ptio_arena_init(&r->arena, &r->heap);
    r->graph = (ptio_graph){.arena = &r->arena};
    r->err = (ptio_error){0};
    assert_int_equal(ptio_codec_new(r->encoding, r->errors, &r->heap, &r->codec, &r->err), PTIO_OK);
    r->memory.calls = 0;
    r->memory.fail_at = r->fail_at ? r->fail_at - 1 : UINT64_MAX;
    ptio_vm_options options = {.limits = &r->limits,
                               .report = r->report,
                               .record = PTIO_TEXT("test.pkl"),
                               .codec = r->codec,
                               .codec_must_fit = !r->may_not_fit};
    r->status = ptio_vm_run(r->bytes, size, &options, &r->heap, &r->graph, &r->err);
    if (r->status == PTIO_OK)
        r->status = ptio_graph_index_keys(&r->graph, &r->heap, &r->err);
    assert_int_equal(r->status, r->err.status);
    assert_true(r->status == PTIO_OK || (r->err.reason && r->err.message[0]));
}

void run_end(run *r)
{
    ptio_codec_free(r->codec);
    ptio_arena_free(&r->arena);
    ptio_report_free(r->report);
    free(r->bytes);
    assert_int_equal(r->heap.used, 0);
    assert_int_equal(r->memory.held, 0);
}

bool run_found(const run *r, const char *reason)
{
    for (size_t i = 0; i < ptio_report_count(r->report); i++)
        if (strcmp(ptio_report_finding(r->report, i)->reason, reason) == 0)
            return true;
    return false;
}

/* ---- text ---- */

static char text[4096];
static size_t used;

static void put(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text + used, sizeof text - used, format, arguments);
    va_end(arguments);
    used += (size_t)n;
    assert_true(used < sizeof text);
}

static void put_value(const ptio_value *value);

static void put_items(const char *open, const ptio_value *const *items, size_t count, const char *close)
{
    put("%s", open);
    for (size_t i = 0; i < count; i++) {
        if (i)
            put(", ");
        put_value(items[i]);
    }
    put("%s", close);
}

static void put_list(const char *open, const ptio_value *value, const char *close)
{
    const ptio_node_list *list = PTIO_NODE(list, value);
    put_items(open, list->block ? list->block->items : NULL, value->count, close);
}

static void put_dict(const ptio_node_dict *dict)
{
    put("{");
    for (size_t i = 0; i < ptio_dict_count(dict); i++) {
        if (i)
            put(", ");
        put_value(ptio_dict_key(dict, i));
        put(": ");
        put_value(ptio_dict_value(dict, i));
    }
    put("}");
}

static void put_int(const ptio_value *value)
{
    const ptio_node_int *node = PTIO_NODE(int, value);
    if (value->flags & PTIO_NODE_BIG) {
        put("0x");
        for (size_t i = value->count; i-- > 0;)
            put("%02x", node->u.bytes[i]);
    } else {
        put("%" PRId64, node->u.value);
    }
    if (value->flags & PTIO_NODE_LONG)
        put("L");
}

static void put_text(const char *prefix, ptio_text bytes)
{
    put("%s'%s'", prefix, ptio_quote(bytes).text);
}

static void put_reduced(const ptio_node_reduced *node)
{
    const ptio_more *more = node->more;
    put("%s(", ptio_opcode_name(node->head.opcode));
    put_value(node->callable);
    put(", ");
    put_value(node->arguments);
    if (more && more->keywords) {
        put(", ");
        put_value(more->keywords);
    }
    put(")");
    if (more && more->items.head.count)
        put_list("+[", &more->items.head, "]");
    if (more && more->entries.head.count) {
        put("+");
        put_dict(&more->entries);
    }
    for (size_t i = 0; more && i < more->states.head.count; i++) {
        put("=");
        put_value(more->states.block->items[i]);
    }
}

static void put_value(const ptio_value *value)
{
    switch ((ptio_node_type)value->type) {
    case PTIO_NODE_TYPE_NONE: put("None"); break;
    case PTIO_NODE_TYPE_BOOL: put(value == &ptio_true ? "True" : "False"); break;
    case PTIO_NODE_TYPE_INT: put_int(value); break;
    case PTIO_NODE_TYPE_FLOAT: put("%.17g", PTIO_NODE(float, value)->value); break;
    case PTIO_NODE_TYPE_STR: put_text("", ptio_node_text_of(value)); break;
    case PTIO_NODE_TYPE_BYTES: put_text("b", ptio_node_text_of(value)); break;
    case PTIO_NODE_TYPE_BYTEARRAY: put_text("B", ptio_node_text_of(value)); break;
    case PTIO_NODE_TYPE_PY2STR: put_text(value->seen == PTIO_KIND_STR ? "s" : "sb", ptio_node_str_of(value)); break;
    case PTIO_NODE_TYPE_TUPLE:
        put_items("(", PTIO_NODE(tuple, value)->items, value->count, value->count == 1 ? ",)" : ")");
        break;
    case PTIO_NODE_TYPE_LIST: put_list("[", value, "]"); break;
    case PTIO_NODE_TYPE_SET: put_list("set{", value, "}"); break;
    case PTIO_NODE_TYPE_FROZENSET: put_list("frozenset{", value, "}"); break;
    case PTIO_NODE_TYPE_DICT: put_dict(PTIO_NODE(dict, value)); break;
    case PTIO_NODE_TYPE_GLOBAL:
        put("<%s %s>", ptio_quote(ptio_node_str_of(PTIO_NODE(global, value)->module)).text,
            ptio_quote(ptio_node_str_of(PTIO_NODE(global, value)->name)).text);
        break;
    case PTIO_NODE_TYPE_PERSISTENT:
        put("pid(");
        put_value(PTIO_NODE(persistent, value)->id);
        put(")");
        break;
    case PTIO_NODE_TYPE_REDUCED: put_reduced(PTIO_NODE(reduced, value)); break;
    }
}

const char *run_text(const ptio_value *value)
{
    used = 0;
    put_value(value);
    return text;
}

/* ---- assertions ---- */

static int drop(void *ctx, const char *piece, size_t size)
{
    (void)ctx;
    (void)piece;
    (void)size;
    return 0;
}

void assert_pickle(const void *bytes, size_t size, const char *expected)
{
    run r = {.fail_at = 0};
    run_begin(&r, bytes, size);
    if (r.status != PTIO_OK)
        fail_msg("%s: %s", r.err.reason, r.err.message);
    assert_string_equal(run_text(r.graph.root), expected);
    uint64_t state = 0, need = 1;
    size_t end = 0;
    assert_int_equal(ptio_pickle_scan(r.bytes, r.size, &r.limits, &state, &need, &r.err), PTIO_OK);
    assert_int_equal(need, 0);
    assert_int_equal(state, r.graph.size);
    assert_int_equal(ptio_pickle_disassemble(r.bytes, r.size, &r.heap, drop, NULL, &end, &r.err), PTIO_OK);
    assert_int_equal(end, r.graph.size);
    run_end(&r);
}

void assert_refused(const void *bytes, size_t size, ptio_status status, const char *reason, uint64_t offset)
{
    run r = {.fail_at = 0};
    run_begin(&r, bytes, size);
    assert_int_equal(r.status, status);
    assert_string_equal(r.err.reason, reason);
    assert_int_equal(r.err.offset, offset);
    run_end(&r);
}
