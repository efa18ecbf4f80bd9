/*
 * ptio tree: every value, one line each, set in by depth.
 *
 *     dict, 2 entries
 *       'model': collections.OrderedDict, 4 entries
 *         'fc1.weight': torch.Tensor float32 [5, 10]
 *       'epoch': 7
 */
#include "cli/cli.h"

#include <string.h>

#include "cli/out.h"

#define MOST_INDENT 40 /* levels: deeper ones are told by their number */

typedef struct lines {
    size_t width, max_depth, head; /* 0: no limit */
} lines;

/* A line that is cut at the width of the terminal. */
typedef struct line {
    size_t left; /* columns; SIZE_MAX: any number */
    bool cut;
} line;

static int put(void *ctx, const char *text, size_t size)
{
    line *l = ctx;
    for (size_t i = 0; i < size; i++) {
        bool begins = (text[i] & 0xC0) != 0x80;
        if (l->cut || (begins && l->left == 0)) {
            l->cut = true;
            return -1;
        }
        if (begins && l->left != SIZE_MAX)
            l->left--;
        out_char(text[i]);
    }
    return 0;
}

/* Colours take no columns. Those of a line that is cut end with it. */
static void paint(const line *l, out_paint as)
{
    if (!l->cut)
        out_paint_as(as);
}

static void put_string(line *l, const char *string)
{
    (void)put(l, string, strlen(string));
}

static void put_number(line *l, uint64_t value)
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    (void)put(l, digits, (size_t)size);
}

static void put_escaped(line *l, ptio_text text)
{
    (void)ptio_print_escaped(text, put, l, NULL);
}

/* The class of a value; builtins go without their module. */
static void put_class(line *l, const ptio_value *value)
{
    static const char builtins[] = "builtins.";
    ptio_text name = ptio_value_class(value);
    size_t size = sizeof builtins - 1;
    if (name.size > size && memcmp(name.bytes, builtins, size) == 0)
        name = (ptio_text){name.bytes + size, name.size - size};
    paint(l, OUT_CLASS);
    put_escaped(l, name);
    paint(l, OUT_PLAIN);
}

static void put_short(line *l, const ptio_value *value)
{
    ptio_print_options print = {PTIO_PRINT_OPTIONS, .max_depth = 1, .max_items = 4};
    (void)ptio_print(value, &print, put, l, NULL);
}

static void put_shape(line *l, size_t ndim, const int64_t *shape)
{
    paint(l, OUT_SHAPE);
    put_string(l, " [");
    for (size_t i = 0; i < ndim; i++) {
        put_string(l, i ? ", " : "");
        put_number(l, (uint64_t)shape[i]);
    }
    put_string(l, "]");
    paint(l, OUT_PLAIN);
}

static void put_tensor(line *l, const ptio_value *value)
{
    const ptio_tensor *tensor = ptio_value_tensor(value);
    ptio_layout layout = ptio_tensor_layout(tensor);
    put_class(l, value);
    put_string(l, " ");
    put_string(l, ptio_dtype_name(ptio_tensor_dtype(tensor)));
    if (layout == PTIO_NESTED || layout == PTIO_JAGGED) {
        put_string(l, " nested");
        return;
    }
    put_shape(l, ptio_tensor_ndim(tensor), ptio_tensor_shape(tensor));
    if (layout != PTIO_STRIDED) {
        put_string(l, " ");
        put_string(l, ptio_layout_name(layout));
    }
    if (ptio_tensor_requires_grad(tensor))
        put_string(l, " requires_grad");
}

static void put_count(line *l, size_t count, const char *one, const char *many)
{
    put_string(l, ", ");
    put_number(l, count);
    put_string(l, count == 1 ? one : many);
}

/* A value in a few words; its contents follow on lines of their own. */
static void put_value(line *l, const ptio_value *value)
{
    ptio_ndarray_info array;
    switch (ptio_value_kind(value)) {
    case PTIO_KIND_LIST:
    case PTIO_KIND_TUPLE:
    case PTIO_KIND_SET:
    case PTIO_KIND_FROZENSET:
        paint(l, OUT_CLASS);
        put_string(l, ptio_kind_name(ptio_value_kind(value)));
        paint(l, OUT_PLAIN);
        put_count(l, ptio_value_count(value), " item", " items");
        return;
    case PTIO_KIND_DICT:
        put_class(l, value);
        put_count(l, ptio_value_count(value), " entry", " entries");
        return;
    case PTIO_KIND_OBJECT:
        put_string(l, ptio_value_is_module(value) ? "module " : "object ");
        put_class(l, value);
        return;
    case PTIO_KIND_TENSOR: put_tensor(l, value); return;
    case PTIO_KIND_NDARRAY:
        (void)ptio_value_ndarray(value, &array);
        put_string(l, "numpy.ndarray ");
        put_escaped(l, array.dtype);
        put_shape(l, array.ndim, array.shape);
        return;
    case PTIO_KIND_STORAGE:
        put_class(l, value);
        put_string(l, " ");
        put_number(l, ptio_storage_nbytes(ptio_value_storage(value)));
        put_string(l, " bytes");
        return;
    case PTIO_KIND_GENERATOR: put_string(l, "torch.Generator"); return;
    default: put_short(l, value); return;
    }
}

/* The same of a node of the pickle. */
static void put_node(line *l, const ptio_value *value)
{
    switch (ptio_node_view(value)) {
    case PTIO_NODE_SEQUENCE:
        put_string(l, "sequence");
        put_count(l, ptio_node_item_count(value), " item", " items");
        return;
    case PTIO_NODE_MAPPING:
        put_string(l, "mapping");
        put_count(l, ptio_node_entry_count(value), " entry", " entries");
        return;
    case PTIO_NODE_GLOBAL:
        put_string(l, "global ");
        put_escaped(l, ptio_node_module(value));
        put_string(l, " ");
        put_escaped(l, ptio_node_qualname(value));
        return;
    case PTIO_NODE_PERSISTENT:
    case PTIO_NODE_REDUCED:
        put_string(l, ptio_node_opcode(value));
        put_string(l, " seen as ");
        put_string(l, ptio_kind_name(ptio_value_kind(value)));
        return;
    default: put_short(l, value); return;
    }
}

static bool has_contents(const ptio_value *value)
{
    return ptio_node_view(value) >= PTIO_NODE_SEQUENCE && ptio_node_view(value) != PTIO_NODE_GLOBAL;
}

static void put_role(line *l, const ptio_visit *visit)
{
    switch (visit->role) {
    case PTIO_ROLE_ITEM:
        put_string(l, "[");
        put_number(l, visit->index);
        put_string(l, "] ");
        return;
    case PTIO_ROLE_VALUE:
        put_short(l, visit->key);
        put_string(l, ": ");
        return;
    case PTIO_ROLE_KEY: put_string(l, "key "); return;
    case PTIO_ROLE_FACTORY: put_string(l, "factory: "); return;
    case PTIO_ROLE_PART:
        put_string(l, visit->name ? visit->name : "part");
        put_string(l, ": ");
        return;
    case PTIO_ROLE_ATTRIBUTES: put_string(l, "attributes: "); return;
    case PTIO_ROLE_STATE: put_string(l, "state: "); return;
    case PTIO_ROLE_SLOTS: put_string(l, "slots: "); return;
    case PTIO_ROLE_CALLABLE: put_string(l, "callable: "); return;
    case PTIO_ROLE_ARGUMENTS: put_string(l, "args: "); return;
    case PTIO_ROLE_KEYWORDS: put_string(l, "kwargs: "); return;
    case PTIO_ROLE_ROOT: return;
    }
}

static void put_again(line *l)
{
    paint(l, OUT_FAINT);
    put_string(l, " (again)");
    paint(l, OUT_PLAIN);
}

static void write_line(const lines *all, const ptio_visit *visit, bool raw)
{
    line l = {.left = all->width ? all->width : SIZE_MAX};
    for (size_t i = 0; i < visit->depth && i < MOST_INDENT; i++)
        put_string(&l, "  ");
    if (visit->depth > MOST_INDENT) {
        put_string(&l, "(level ");
        put_number(&l, visit->depth);
        put_string(&l, ") ");
    }
    paint(&l, OUT_KEY);
    put_role(&l, visit);
    paint(&l, OUT_PLAIN);
    if (raw)
        put_node(&l, visit->value);
    else
        put_value(&l, visit->value);
    if (visit->again && has_contents(visit->value))
        put_again(&l);
    if (l.cut)
        out_paint_as(OUT_PLAIN);
    out_char('\n');
}

static ptio_walk_next visit_value(const lines *all, const ptio_visit *visit, bool raw)
{
    if (out_failed())
        return PTIO_WALK_STOP;
    if (visit->leaving)
        return PTIO_WALK_ON;
    if (visit->role == PTIO_ROLE_KEY && !has_contents(visit->value))
        return PTIO_WALK_SKIP; /* it stands in front of its value */
    bool many = visit->role == PTIO_ROLE_ITEM || visit->role == PTIO_ROLE_KEY || visit->role == PTIO_ROLE_VALUE;
    if (all->head && many && visit->index >= all->head)
        return PTIO_WALK_SKIP;
    write_line(all, visit, raw);
    return all->max_depth && visit->depth + 1 >= all->max_depth ? PTIO_WALK_SKIP : PTIO_WALK_ON;
}

static ptio_walk_next visit_meaning(void *ctx, const ptio_visit *visit)
{
    return visit_value(ctx, visit, false);
}

static ptio_walk_next visit_node(void *ctx, const ptio_visit *visit)
{
    return visit_value(ctx, visit, true);
}

static int tree_text(const cli_options *options, const cli_file *file)
{
    lines all = {.width = out_terminal_width(), .max_depth = (size_t)options->max_depth, .head = (size_t)options->head};
    ptio_walk_options walk = {PTIO_WALK_OPTIONS, .raw = options->raw, .arguments = true, .limits = options->load.limits};
    ptio_error err = {0};
    ptio_status status = ptio_walk(file->value, &walk, options->raw ? visit_node : visit_meaning, &all, &err);
    if (status == PTIO_OK || out_failed())
        return CLI_GOOD;
    (void)out_end(CLI_GOOD);
    return cli_fail(options->file, &err);
}

int cmd_tree(const cli_options *options)
{
    cli_file file;
    int code = cli_open(options, &file);
    if (code != CLI_GOOD)
        return code;
    code = !options->json ? tree_text(options, &file)
           : options->raw ? cli_tree_raw_json(options, &file)
                          : cli_tree_json(options, &file);
    cli_close(&file);
    return code;
}
