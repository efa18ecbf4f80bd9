/*
 * Values in Python's syntax.
 *
 * One loop over a stack of frames in memory: a frame is a container that is being written, and how far it has come. No recursion,
 * so that any depth prints on any stack. A value that contains itself ends in "[...]", as in Python; one that is shared is
 * written wherever it stands, and so a budget keeps small files from becoming endless text: 16 times the values of the file
 * and a million, unless limits->walk_nodes says otherwise.
 *
 * What Python would show by running a class's own __repr__ is shown as <ptio object …>, which is not to be taken for it.
 */
#include "base/text.h"
#include "print/repr_array.h"
#include "print/visited.h"

typedef enum shape {
    LIST_SHAPE,
    TUPLE_SHAPE,
    SET_SHAPE,
    FROZENSET_SHAPE,
    DICT_SHAPE,
    PAIRS_SHAPE,   /* OrderedDict([('a', 1)])                 */
    COUNTER_SHAPE, /* Counter({'a': 2}): the most common first */
    DEFAULT_SHAPE, /* defaultdict(factory, {…})               */
    CLASS_SHAPE,   /* <ptio dict CLASS {…}>                    */
    SIZE_SHAPE,
    DEQUE_SHAPE,
    ARRAY_SHAPE, /* of Python objects                        */
    OBJECT_SHAPE
} shape;

/* What belongs to an object, in the order in which it is shown. */
typedef enum part { ARGUMENTS_PART, KEYWORDS_PART, ITEMS_PART, ENTRIES_PART, STATE_PART, SLOTS_PART, END_PART } part;

/* A container being written. 24 bytes, since there may be millions. */
typedef struct frame {
    const ptio_value *value;
    size_t next; /* items and keys written: 2n before key n, 2n + 1 before its value; of lists n */
    uint8_t shape, part;
} frame;

/* The order of the entries of a Counter that is being written; the innermost first. */
typedef struct order {
    struct order *outer;
    size_t count;
    size_t index[];
} order;

typedef struct printer {
    ptio_out *out;
    ptio_heap heap;
    ptio_visited visited;
    frame *frames;
    size_t depth, capacity;
    order *orders;
    size_t max_depth, max_items;
    uint64_t budget; /* fixed; 0: by what was met          */
    uint64_t met, written;
    ptio_tensor_style tensors;
    ptio_status status;
} printer;

#define FREE_NODES 1000000u
#define NODES_FACTOR 16u

static void fail(printer *p, ptio_status status)
{
    if (p->status == PTIO_OK)
        p->status = status;
}

/* How much more may be written. */
static uint64_t budget_left(const printer *p)
{
    uint64_t most = p->budget;
    if (!most && (!ptio_mul_u64(p->met, NODES_FACTOR, &most) || !ptio_add_u64(most, FREE_NODES, &most)))
        most = UINT64_MAX;
    return most > p->written ? most - p->written : 0;
}

static void spend(printer *p, uint64_t nodes)
{
    uint64_t left = budget_left(p);
    if (nodes <= left) {
        p->written += nodes;
        return;
    }
    fail(p, ptio_fail(p->out->err, PTIO_ERR_LIMIT, "limit.walk", PTIO_NO_OFFSET,
                      "it expands to more than %llu nodes (walk_nodes)", (unsigned long long)(p->written + left)));
}

/* ---- containers ---- */

static bool has_class(const ptio_value *value, const char *name)
{
    return ptio_text_is(ptio_value_class(value), name);
}

static shape dict_shape(const ptio_value *value)
{
    if (has_class(value, "builtins.dict"))
        return DICT_SHAPE;
    if (has_class(value, "collections.OrderedDict"))
        return PAIRS_SHAPE;
    if (has_class(value, "collections.Counter"))
        return COUNTER_SHAPE;
    if (has_class(value, "collections.defaultdict"))
        return DEFAULT_SHAPE;
    return CLASS_SHAPE;
}

/* The shape of a value that has contents; false for all others. */
static bool shape_of(const ptio_value *value, shape *ret)
{
    ptio_ndarray_info array;
    switch (ptio_value_kind(value)) {
    case PTIO_KIND_LIST: *ret = LIST_SHAPE; return true;
    case PTIO_KIND_TUPLE: *ret = TUPLE_SHAPE; return true;
    case PTIO_KIND_SET: *ret = SET_SHAPE; return true;
    case PTIO_KIND_FROZENSET: *ret = FROZENSET_SHAPE; return true;
    case PTIO_KIND_SIZE: *ret = SIZE_SHAPE; return true;
    case PTIO_KIND_DICT: *ret = dict_shape(value); return true;
    case PTIO_KIND_NDARRAY: *ret = ARRAY_SHAPE; return ptio_value_ndarray(value, &array) && array.is_object;
    case PTIO_KIND_OBJECT: *ret = has_class(value, "collections.deque") ? DEQUE_SHAPE : OBJECT_SHAPE; return true;
    default: return false;
    }
}

static bool is_mapping(shape s)
{
    return s == DICT_SHAPE || s == PAIRS_SHAPE || s == COUNTER_SHAPE || s == DEFAULT_SHAPE || s == CLASS_SHAPE;
}

/* What stands for a container whose contents are not shown. */
static void write_dots(printer *p, const ptio_value *value, shape s)
{
    static const char *const dots[] = {
        [LIST_SHAPE] = "[...]",
        [TUPLE_SHAPE] = "(...)",
        [SET_SHAPE] = "{...}",
        [FROZENSET_SHAPE] = "frozenset({...})",
        [DICT_SHAPE] = "{...}",
        [PAIRS_SHAPE] = "...",
        [COUNTER_SHAPE] = "Counter({...})",
        [DEFAULT_SHAPE] = "defaultdict(...)",
        [CLASS_SHAPE] = "{...}",
        [SIZE_SHAPE] = "torch.Size([...])",
        [DEQUE_SHAPE] = "[...]",
        [ARRAY_SHAPE] = "array(...)",
    };
    if (s != OBJECT_SHAPE) {
        ptio_out_string(p->out, dots[s]);
        return;
    }
    ptio_out_string(p->out, "<ptio object ");
    ptio_repr_escaped(p->out, ptio_value_class(value));
    ptio_out_string(p->out, " ...>");
}

/* The count of a Counter's entry, as a number. */
static bool counter_number(const ptio_value *counter, size_t index, double *ret)
{
    return ptio_value_float(ptio_value_item(counter, index), ret);
}

/* Stable, falling: a merge of sorted runs, from the bottom. `other` is as large as `index`. */
static void sort_by_count(const ptio_value *counter, size_t *index, size_t *other, size_t count)
{
    for (size_t run = 1; run < count; run *= 2) {
        for (size_t from = 0; from < count; from += 2 * run) {
            size_t a = from, middle = from + run < count ? from + run : count, b = middle;
            size_t end = middle + run < count ? middle + run : count;
            for (size_t i = from; i < end; i++) {
                double left = 0, right = 0;
                bool take_left = a < middle;
                if (take_left && b < end) {
                    (void)counter_number(counter, index[a], &left);
                    (void)counter_number(counter, index[b], &right);
                    take_left = left >= right;
                }
                other[i] = take_left ? index[a++] : index[b++];
            }
        }
        memcpy(index, other, count * sizeof *index);
    }
}

static bool push_order(printer *p, const ptio_value *counter)
{
    size_t count = ptio_value_count(counter), bytes;
    order *made = NULL;
    if (ptio_mul_size(count, 2 * sizeof *made->index, &bytes) && ptio_add_size(bytes, sizeof *made, &bytes))
        made = ptio_heap_resize(&p->heap, NULL, 0, bytes);
    if (!made)
        return false;
    made->outer = p->orders;
    made->count = count;
    bool numbers = true;
    double number;
    for (size_t i = 0; i < count; i++) {
        made->index[i] = i;
        numbers = numbers && counter_number(counter, i, &number);
    }
    if (numbers)
        sort_by_count(counter, made->index, made->index + count, count);
    p->orders = made;
    return true;
}

static void pop_order(printer *p)
{
    order *gone = p->orders;
    p->orders = gone->outer;
    ptio_heap_free(&p->heap, gone, sizeof *gone + 2 * gone->count * sizeof *gone->index);
}

static void write_opening(printer *p, const ptio_value *value, shape s)
{
    ptio_out *out = p->out;
    bool empty = ptio_value_count(value) == 0;
    switch (s) {
    case LIST_SHAPE: ptio_out_char(out, '['); return;
    case TUPLE_SHAPE: ptio_out_char(out, '('); return;
    case SET_SHAPE: ptio_out_string(out, empty ? "set(" : "{"); return;
    case FROZENSET_SHAPE: ptio_out_string(out, empty ? "frozenset(" : "frozenset({"); return;
    case DICT_SHAPE: ptio_out_char(out, '{'); return;
    case PAIRS_SHAPE: ptio_out_string(out, empty ? "OrderedDict(" : "OrderedDict(["); return;
    case COUNTER_SHAPE: ptio_out_string(out, empty ? "Counter(" : "Counter({"); return;
    case DEFAULT_SHAPE: ptio_out_string(out, "defaultdict("); return;
    case SIZE_SHAPE: ptio_out_string(out, "torch.Size(["); return;
    case DEQUE_SHAPE: ptio_out_string(out, "deque(["); return;
    case ARRAY_SHAPE: ptio_out_string(out, "array(["); return;
    case CLASS_SHAPE:
    case OBJECT_SHAPE: break;
    }
    ptio_out_string(out, s == CLASS_SHAPE ? "<ptio dict " : "<ptio object ");
    ptio_repr_escaped(out, ptio_value_class(value));
    if (s == CLASS_SHAPE)
        ptio_out_string(out, " {");
}

/* deque([…], maxlen=5) is saved as its class called with ([], 5). */
static void write_maxlen(printer *p, const ptio_value *deque)
{
    const ptio_value *arguments = ptio_node_arguments(deque);
    int64_t most;
    if (ptio_node_item_count(arguments) == 2 && ptio_value_int(ptio_node_item(arguments, 1), &most)) {
        ptio_out_string(p->out, ", maxlen=");
        ptio_out_i64(p->out, most);
    }
}

static void write_closing(printer *p, const frame *f)
{
    ptio_out *out = p->out;
    size_t count = ptio_value_count(f->value);
    switch ((shape)f->shape) {
    case LIST_SHAPE: ptio_out_char(out, ']'); return;
    case TUPLE_SHAPE: ptio_out_string(out, count == 1 ? ",)" : ")"); return;
    case SET_SHAPE: ptio_out_char(out, count ? '}' : ')'); return;
    case DICT_SHAPE: ptio_out_char(out, '}'); return;
    case PAIRS_SHAPE: ptio_out_string(out, count ? "])" : ")"); return;
    case FROZENSET_SHAPE:
    case COUNTER_SHAPE: ptio_out_string(out, count ? "})" : ")"); return;
    case DEFAULT_SHAPE: ptio_out_string(out, "})"); return;
    case SIZE_SHAPE: ptio_out_string(out, "])"); return;
    case DEQUE_SHAPE:
        ptio_out_char(out, ']');
        write_maxlen(p, f->value);
        ptio_out_char(out, ')');
        return;
    case ARRAY_SHAPE:
        ptio_out_char(out, ']');
        ptio_repr_array_end(out, f->value, 0, false);
        return;
    case CLASS_SHAPE: ptio_out_string(out, "}>"); return;
    case OBJECT_SHAPE: ptio_out_char(out, '>'); return;
    }
}

/* Values directly inside a container, for the budget: each counts as met once. */
static uint64_t contents(const ptio_value *value, shape s)
{
    if (s == OBJECT_SHAPE)
        return (uint64_t)ptio_value_count(value) + ptio_node_item_count(value) + 2 * (uint64_t)ptio_node_entry_count(value) + 8;
    return (uint64_t)ptio_value_count(value) * (is_mapping(s) ? 2 : 1) + 1;
}

static bool push(printer *p, const ptio_value *value, shape s)
{
    if (p->depth == p->capacity) {
        void *moved = ptio_heap_grow(&p->heap, p->frames, &p->capacity, p->depth + 1, sizeof *p->frames);
        if (!moved)
            return false;
        p->frames = moved;
    }
    if (s == COUNTER_SHAPE && !push_order(p, value))
        return false;
    p->frames[p->depth++] = (frame){.value = value, .shape = (uint8_t)s};
    return true;
}

static void open_container(printer *p, const ptio_value *value, shape s)
{
    if (p->max_depth && p->depth >= p->max_depth && contents(value, s) > 1) {
        write_dots(p, value, s);
        return;
    }
    ptio_visit_state state = ptio_visited_enter(&p->visited, value);
    if (state == PTIO_VISIT_CYCLE) {
        write_dots(p, value, s);
        return;
    }
    if (state == PTIO_VISIT_FIRST)
        p->met += contents(value, s);
    if (state == PTIO_VISIT_FAILED || !push(p, value, s)) {
        fail(p, ptio_heap_fail(&p->heap, p->out->err, "printing"));
        return;
    }
    write_opening(p, value, s);
}

static void close_container(printer *p)
{
    frame *f = &p->frames[p->depth - 1];
    write_closing(p, f);
    ptio_visited_leave(&p->visited, f->value);
    if (f->shape == COUNTER_SHAPE)
        pop_order(p);
    p->depth--;
}

/* How many elements may be shown of something that has `bytes` bytes of its own: those count as met. */
static void allow_elements(printer *p, uint64_t bytes)
{
    if (!ptio_add_u64(budget_left(p), bytes, &p->tensors.most))
        p->tensors.most = UINT64_MAX;
}

/* ---- single values ---- */

static void write_device(printer *p, ptio_text name)
{
    size_t colon = 0;
    while (colon < name.size && name.bytes[colon] != ':')
        colon++;
    ptio_out_string(p->out, "device(type=");
    ptio_repr_str(p->out, (ptio_text){name.bytes, colon});
    if (colon < name.size) {
        ptio_out_string(p->out, ", index=");
        ptio_repr_escaped(p->out, (ptio_text){name.bytes + colon + 1, name.size - colon - 1});
    }
    ptio_out_char(p->out, ')');
}

/* Classes of builtins go without their module; its functions are no classes. */
static void write_global(printer *p, ptio_text name)
{
    static const char *const functions[] = {
        "abs",        "all",  "any",    "ascii",   "bin",     "callable", "chr",  "compile",   "delattr", "dir",   "divmod",
        "eval",       "exec", "format", "getattr", "globals", "hasattr",  "hash", "hex",       "id",      "input", "isinstance",
        "issubclass", "iter", "len",    "locals",  "max",     "min",      "next", "oct",       "open",    "ord",   "pow",
        "print",      "repr", "round",  "setattr", "sorted",  "sum",      "vars", "__import__"};
    bool builtin = ptio_text_starts(name, "builtins."), function = false;
    if (builtin)
        name = (ptio_text){name.bytes + strlen("builtins."), name.size - strlen("builtins.")};
    for (size_t i = 0; builtin && i < sizeof functions / sizeof *functions; i++)
        function = function || ptio_text_is(name, functions[i]);
    ptio_out_string(p->out, function ? "<built-in function " : "<class '");
    ptio_repr_escaped(p->out, name);
    ptio_out_string(p->out, function ? ">" : "'>");
}

static void write_tensor(printer *p, const ptio_value *value)
{
    const ptio_tensor *tensor = ptio_value_tensor(value);
    allow_elements(p, ptio_storage_nbytes(ptio_tensor_storage(tensor)));
    fail(p, ptio_repr_tensor(p->out, tensor, ptio_value_class(value), &p->tensors));
}

static void write_array(printer *p, const ptio_value *value)
{
    ptio_ndarray_info info = {.nbytes = 0};
    (void)ptio_value_ndarray(value, &info);
    allow_elements(p, info.nbytes);
    fail(p, ptio_repr_array(p->out, value, &p->tensors));
}

static void write_generator(printer *p, const ptio_value *value)
{
    ptio_out_string(p->out, "<ptio torch.Generator device=");
    ptio_repr_str(p->out, ptio_value_name(value));
    ptio_out_string(p->out, " seed=");
    fail(p, ptio_repr_int(p->out, ptio_value_item(value, 0), &p->heap));
    ptio_out_char(p->out, '>');
}

static void write_single(printer *p, const ptio_value *value)
{
    ptio_out *out = p->out;
    double real = 0, imag = 0;
    switch (ptio_value_kind(value)) {
    case PTIO_KIND_MISSING: ptio_out_string(out, "<ptio nothing>"); return;
    case PTIO_KIND_NONE: ptio_out_string(out, "None"); return;
    case PTIO_KIND_BOOL: ptio_out_string(out, ptio_value_bool(value) ? "True" : "False"); return;
    case PTIO_KIND_INT: fail(p, ptio_repr_int(out, value, &p->heap)); return;
    case PTIO_KIND_FLOAT:
        (void)ptio_value_float(value, &real);
        ptio_repr_float(out, real);
        return;
    case PTIO_KIND_COMPLEX:
        (void)ptio_value_complex(value, &real, &imag);
        ptio_repr_complex(out, real, imag);
        return;
    case PTIO_KIND_STR: ptio_repr_str(out, ptio_value_str(value)); return;
    case PTIO_KIND_BYTES:
        ptio_out_char(out, 'b');
        ptio_repr_bytes(out, ptio_value_bytes(value));
        return;
    case PTIO_KIND_BYTEARRAY:
        ptio_out_string(out, "bytearray(b");
        ptio_repr_bytes(out, ptio_value_bytes(value));
        ptio_out_char(out, ')');
        return;
    case PTIO_KIND_GLOBAL: write_global(p, ptio_value_class(value)); return;
    case PTIO_KIND_TENSOR: write_tensor(p, value); return;
    case PTIO_KIND_STORAGE: fail(p, ptio_repr_storage(out, ptio_value_storage(value), &p->tensors)); return;
    case PTIO_KIND_DEVICE: write_device(p, ptio_value_name(value)); return;
    case PTIO_KIND_DTYPE:
    case PTIO_KIND_LAYOUT:
    case PTIO_KIND_QSCHEME:
    case PTIO_KIND_MEMORY_FORMAT: ptio_repr_escaped(out, ptio_value_name(value)); return;
    case PTIO_KIND_GENERATOR: write_generator(p, value); return;
    case PTIO_KIND_NDARRAY: write_array(p, value); return;
    case PTIO_KIND_NPSCALAR: ptio_repr_npscalar(out, value); return;
    case PTIO_KIND_NPDTYPE: ptio_repr_npdtype(out, value); return;
    case PTIO_KIND_LIST:
    case PTIO_KIND_TUPLE:
    case PTIO_KIND_SET:
    case PTIO_KIND_FROZENSET:
    case PTIO_KIND_DICT:
    case PTIO_KIND_OBJECT:
    case PTIO_KIND_SIZE: return; /* containers */
    }
}

static void write_value(printer *p, const ptio_value *value)
{
    shape s;
    spend(p, 1);
    if (p->status != PTIO_OK)
        return;
    if (shape_of(value, &s))
        open_container(p, value, s);
    else
        write_single(p, value);
}

/* ---- going on in a container ---- */

/* Whether the limit of items is reached: then dots are written and the container ends. */
static bool at_most_items(printer *p, const frame *f, size_t index)
{
    if (!p->max_items || index < p->max_items)
        return false;
    ptio_out_string(p->out, f->next ? ", ..." : "...");
    return true;
}

static void go_on_items(printer *p, frame *f)
{
    size_t index = f->next;
    if (index >= ptio_value_count(f->value) || at_most_items(p, f, index)) {
        close_container(p);
        return;
    }
    if (index)
        ptio_out_string(p->out, ", ");
    f->next++;
    write_value(p, ptio_value_item(f->value, index));
}

/* Entry `index` in the order in which it is shown. */
static size_t entry_place(const printer *p, const frame *f, size_t index)
{
    return f->shape == COUNTER_SHAPE ? p->orders->index[index] : index;
}

static void go_on_entries(printer *p, frame *f)
{
    bool pairs = f->shape == PAIRS_SHAPE;
    if (f->shape == DEFAULT_SHAPE && !f->part) {
        f->part = 1;
        write_value(p, ptio_value_factory(f->value));
        return;
    }
    if (f->shape == DEFAULT_SHAPE && f->part == 1) {
        f->part = 2;
        ptio_out_string(p->out, ", {");
    }
    size_t index = f->next / 2;
    if (f->next % 2) {
        ptio_out_string(p->out, pairs ? ", " : ": ");
        f->next++;
        write_value(p, ptio_value_item(f->value, entry_place(p, f, index)));
        return;
    }
    if (pairs && index)
        ptio_out_char(p->out, ')');
    if (index >= ptio_value_count(f->value) || at_most_items(p, f, index)) {
        close_container(p);
        return;
    }
    if (index)
        ptio_out_string(p->out, ", ");
    if (pairs)
        ptio_out_char(p->out, '(');
    f->next++;
    write_value(p, ptio_value_key(f->value, entry_place(p, f, index)));
}

/* Whether the arguments say more than the class: not if there are none, nor where they are (class, object, None), as protocols 0 and
 * 1 make objects. */
static bool is_telling(const ptio_value *object, const ptio_value *arguments)
{
    size_t count = ptio_value_count(arguments);
    if (ptio_value_kind(arguments) == PTIO_KIND_TUPLE && !count)
        return false;
    return !(count == 3 && ptio_value_kind(ptio_value_item(arguments, 2)) == PTIO_KIND_NONE &&
             has_class(ptio_node_callable(object), "copyreg._reconstructor"));
}

/* One part of an object that is one value. NULL: the object has no such part. */
static const ptio_value *single_part(const ptio_value *object, part which, const char **label)
{
    const ptio_value *found = NULL;
    switch (which) {
    case ARGUMENTS_PART:
        *label = " args=";
        found = ptio_node_arguments(object);
        return is_telling(object, found) ? found : NULL;
    case KEYWORDS_PART: *label = " kwargs="; return ptio_node_keywords(object);
    case STATE_PART:
        *label = " state=";
        found = ptio_value_attributes(object);
        if (!found && !ptio_value_slots(object) && ptio_node_state_count(object))
            found = ptio_node_state(object, 0);
        return found;
    case SLOTS_PART: *label = " slots="; return ptio_value_slots(object);
    default: return NULL;
    }
}

/* The items of an object, or the entries that were set on it. The class's own items stand in the arguments already where it is
 * made of them. */
static void go_on_many(printer *p, frame *f, bool entries)
{
    const ptio_value *object = f->value;
    size_t count = entries ? ptio_node_entry_count(object) : ptio_node_item_count(object);
    size_t index = entries ? f->next / 2 : f->next;
    if (index >= count) {
        if (count)
            ptio_out_char(p->out, entries ? '}' : ']');
        f->part++;
        f->next = 0;
        return;
    }
    if (!f->next)
        ptio_out_string(p->out, entries ? " entries={" : " items=[");
    else if (!entries || f->next % 2 == 0)
        ptio_out_string(p->out, ", ");
    else
        ptio_out_string(p->out, ": ");
    bool key = entries && f->next % 2 == 0;
    f->next++;
    write_value(p, !entries ? ptio_node_item(object, index)
                   : key    ? ptio_node_entry_key(object, index)
                            : ptio_node_entry_value(object, index));
}

static void go_on_object(printer *p, frame *f)
{
    part which = (part)f->part;
    if (which == END_PART) {
        close_container(p);
        return;
    }
    if (which == ITEMS_PART || which == ENTRIES_PART) {
        go_on_many(p, f, which == ENTRIES_PART);
        return;
    }
    const char *label = "";
    const ptio_value *found = single_part(f->value, which, &label);
    f->part++;
    if (!found)
        return;
    ptio_out_string(p->out, label);
    write_value(p, found);
}

static void go_on(printer *p)
{
    frame *f = &p->frames[p->depth - 1];
    if (f->shape == OBJECT_SHAPE)
        go_on_object(p, f);
    else if (is_mapping((shape)f->shape))
        go_on_entries(p, f);
    else
        go_on_items(p, f);
}

static void end(printer *p)
{
    while (p->orders)
        pop_order(p);
    ptio_heap_free(&p->heap, p->frames, p->capacity * sizeof *p->frames);
    ptio_visited_free(&p->visited);
}

ptio_status ptio_print(const ptio_value *value, const ptio_print_options *options, ptio_write write, void *ctx, ptio_error *err)
{
    static const ptio_print_options defaults;
    const ptio_print_options *o = options ? options : &defaults;
    ptio_out out;
    ptio_out_init(&out, write, ctx, err);
    printer p = {.out = &out, .max_depth = o->max_depth, .max_items = o->max_items};
    ptio_heap_init(&p.heap, o->memory, o->limits ? o->limits->heap_bytes : 0);
    p.visited.heap = p.tensors.heap = &p.heap;
    p.budget = o->limits ? o->limits->walk_nodes : 0;
    p.tensors.edge = o->edge_items ? o->edge_items : 3;
    p.tensors.threshold = o->threshold ? o->threshold : 1000;
    write_value(&p, value);
    while (p.depth && p.status == PTIO_OK && out.status == PTIO_OK)
        go_on(&p);
    end(&p);
    ptio_status flushed = ptio_out_flush(&out);
    return p.status != PTIO_OK ? p.status : flushed;
}
