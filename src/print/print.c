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
#include "base/number_text.h"
#include "base/text.h"
#include "print/form_word.h"
#include "print/repr_masked.h"

/* What belongs to an object, in the order in which it is shown. */
typedef enum part { ARGUMENTS_PART, KEYWORDS_PART, ITEMS_PART, ENTRIES_PART, STATE_PART, SLOTS_PART, END_PART } part;

#define FREE_NODES 1000000u
#define NODES_FACTOR 16u

#define NEWEST_PYTHON 314u

void ptio_printer_fail(ptio_printer *p, ptio_status status)
{
    if (p->status == PTIO_OK)
        p->status = status;
}

/* How much more may be written. */
static uint64_t budget_left(const ptio_printer *p)
{
    uint64_t most = p->budget;
    if (!most && (!ptio_mul_u64(p->met, NODES_FACTOR, &most) || !ptio_add_u64(most, FREE_NODES, &most)))
        most = UINT64_MAX;
    return most > p->written ? most - p->written : 0;
}

static void spend(ptio_printer *p, uint64_t nodes)
{
    uint64_t left = budget_left(p);
    if (nodes <= left) {
        p->written += nodes;
        return;
    }
    ptio_printer_fail(p, ptio_fail(p->out->err, PTIO_ERR_LIMIT, "limit.walk", PTIO_NO_OFFSET,
                                   "it expands to more than %llu nodes (walk_nodes)", (unsigned long long)(p->written + left)));
}

/* ---- containers ---- */

static bool has_class(const ptio_value *value, const char *name)
{
    return ptio_text_is(ptio_value_class(value), name);
}

static ptio_shape dict_shape(const ptio_printer *p, const ptio_value *value)
{
    if (has_class(value, "builtins.dict"))
        return PTIO_SHAPE_DICT;
    if (has_class(value, "collections.OrderedDict"))
        return p->python < 312 ? PTIO_SHAPE_PAIRS : PTIO_SHAPE_ORDERED;
    if (has_class(value, "collections.Counter"))
        return PTIO_SHAPE_COUNTER;
    if (has_class(value, "collections.defaultdict"))
        return PTIO_SHAPE_DEFAULT;
    return PTIO_SHAPE_CLASS;
}

static ptio_shape object_shape(const ptio_printer *p, const ptio_value *value, uint16_t *row)
{
    if (has_class(value, "collections.deque"))
        return PTIO_SHAPE_DEQUE;
    if (ptio_form_of(value, row))
        return PTIO_SHAPE_FORM;
    if (ptio_value_is_module(value))
        return PTIO_SHAPE_MODULE;
    return ptio_is_optimizer(p, value) ? PTIO_SHAPE_OPTIMIZER : PTIO_SHAPE_OBJECT;
}

/* The shape of a value that has contents, and the row of its form; false for all others. */
static bool shape_of(const ptio_printer *p, const ptio_value *value, ptio_shape *ret, uint16_t *row)
{
    ptio_ndarray_info array;
    switch (ptio_value_kind(value)) {
    case PTIO_KIND_LIST: *ret = PTIO_SHAPE_LIST; return true;
    case PTIO_KIND_TUPLE: *ret = PTIO_SHAPE_TUPLE; return true;
    case PTIO_KIND_SET: *ret = PTIO_SHAPE_SET; return true;
    case PTIO_KIND_FROZENSET: *ret = PTIO_SHAPE_FROZENSET; return true;
    case PTIO_KIND_SIZE: *ret = PTIO_SHAPE_SIZE; return true;
    case PTIO_KIND_DICT: *ret = dict_shape(p, value); return true;
    case PTIO_KIND_NDARRAY:
        *ret = ptio_is_masked(value) ? PTIO_SHAPE_OBJECT : PTIO_SHAPE_ARRAY;
        return ptio_is_masked(value) ? !ptio_masked_has_text(value) : ptio_value_ndarray(value, &array) && array.is_object;
    case PTIO_KIND_OBJECT: *ret = object_shape(p, value, row); return true;
    default: return false;
    }
}

static bool is_mapping(ptio_shape s)
{
    return s == PTIO_SHAPE_DICT || s == PTIO_SHAPE_PAIRS || s == PTIO_SHAPE_ORDERED || s == PTIO_SHAPE_COUNTER ||
           s == PTIO_SHAPE_DEFAULT || s == PTIO_SHAPE_CLASS;
}

/* What stands for a container whose contents are not shown. */
static void write_dots(ptio_printer *p, const ptio_value *value, ptio_shape s, uint16_t row)
{
    static const char *const dots[] = {
        [PTIO_SHAPE_LIST] = "[...]",  [PTIO_SHAPE_TUPLE] = "(...)",
        [PTIO_SHAPE_SET] = "{...}",   [PTIO_SHAPE_FROZENSET] = "frozenset({...})",
        [PTIO_SHAPE_DICT] = "{...}",  [PTIO_SHAPE_PAIRS] = "...",
        [PTIO_SHAPE_ORDERED] = "...", [PTIO_SHAPE_COUNTER] = "Counter({...})",
        [PTIO_SHAPE_CLASS] = "{...}", [PTIO_SHAPE_SIZE] = "torch.Size([...])",
        [PTIO_SHAPE_DEQUE] = "[...]", [PTIO_SHAPE_ARRAY] = "array(..., dtype=object)",
    };
    if (s == PTIO_SHAPE_DEFAULT) {
        ptio_out_string(p->out, "defaultdict(");
        ptio_write_value(p, ptio_value_factory(value));
        ptio_out_string(p->out, ", {...})");
    } else if (s < PTIO_SHAPE_OBJECT) {
        ptio_out_string(p->out, dots[s]);
    } else if (s == PTIO_SHAPE_FORM) {
        ptio_form_dots(p, row);
    } else if (s == PTIO_SHAPE_OBJECT) {
        ptio_out_string(p->out, "<ptio object ");
        ptio_repr_escaped(p->out, ptio_value_class(value));
        ptio_out_string(p->out, " ...>");
    } else {
        ptio_repr_escaped(p->out, ptio_last_name(ptio_value_class(value)));
        ptio_out_string(p->out, "(...)");
    }
}

static void write_opening(ptio_printer *p, const ptio_value *value, ptio_shape s)
{
    ptio_out *out = p->out;
    bool empty = ptio_value_count(value) == 0;
    switch (s) {
    case PTIO_SHAPE_LIST: ptio_out_char(out, '['); return;
    case PTIO_SHAPE_TUPLE: ptio_out_char(out, '('); return;
    case PTIO_SHAPE_SET: ptio_out_string(out, empty ? "set(" : "{"); return;
    case PTIO_SHAPE_FROZENSET: ptio_out_string(out, empty ? "frozenset(" : "frozenset({"); return;
    case PTIO_SHAPE_DICT: ptio_out_char(out, '{'); return;
    case PTIO_SHAPE_PAIRS: ptio_out_string(out, empty ? "OrderedDict(" : "OrderedDict(["); return;
    case PTIO_SHAPE_ORDERED: ptio_out_string(out, empty ? "OrderedDict(" : "OrderedDict({"); return;
    case PTIO_SHAPE_COUNTER: ptio_out_string(out, empty ? "Counter(" : "Counter({"); return;
    case PTIO_SHAPE_DEFAULT: ptio_out_string(out, "defaultdict("); return;
    case PTIO_SHAPE_SIZE: ptio_out_string(out, "torch.Size(["); return;
    case PTIO_SHAPE_DEQUE: ptio_out_string(out, "deque(["); return;
    case PTIO_SHAPE_ARRAY: return;
    case PTIO_SHAPE_KEYS:
        ptio_out_string(out, has_class(value, "collections.OrderedDict") ? "odict_keys([" : "dict_keys([");
        return;
    default: break;
    }
    ptio_out_string(out, s == PTIO_SHAPE_CLASS ? "<ptio dict " : "<ptio object ");
    ptio_repr_escaped(out, ptio_is_masked(value) ? PTIO_TEXT("numpy.ma.MaskedArray") : ptio_value_class(value));
    if (s == PTIO_SHAPE_CLASS)
        ptio_out_string(out, " {");
}

/* deque([…], maxlen=5) is saved as its class called with ([], 5). */
static void write_maxlen(ptio_printer *p, const ptio_value *deque)
{
    const ptio_value *arguments = ptio_arguments_of(p, deque);
    int64_t most;
    if (ptio_node_item_count(arguments) == 2 && ptio_value_int(ptio_node_item(arguments, 1), &most)) {
        ptio_out_string(p->out, ", maxlen=");
        ptio_out_i64(p->out, most);
    }
}

static void write_closing(ptio_printer *p, const ptio_frame *f)
{
    ptio_out *out = p->out;
    size_t count = ptio_value_count(f->value);
    switch ((ptio_shape)f->shape) {
    case PTIO_SHAPE_LIST: ptio_out_char(out, ']'); return;
    case PTIO_SHAPE_TUPLE: ptio_out_string(out, count == 1 ? ",)" : ")"); return;
    case PTIO_SHAPE_SET: ptio_out_char(out, count ? '}' : ')'); return;
    case PTIO_SHAPE_DICT: ptio_out_char(out, '}'); return;
    case PTIO_SHAPE_PAIRS: ptio_out_string(out, count ? "])" : ")"); return;
    case PTIO_SHAPE_FROZENSET:
    case PTIO_SHAPE_ORDERED:
    case PTIO_SHAPE_COUNTER: ptio_out_string(out, count ? "})" : ")"); return;
    case PTIO_SHAPE_DEFAULT: ptio_out_string(out, "})"); return;
    case PTIO_SHAPE_KEYS:
    case PTIO_SHAPE_SIZE: ptio_out_string(out, "])"); return;
    case PTIO_SHAPE_DEQUE:
        ptio_out_char(out, ']');
        write_maxlen(p, f->value);
        ptio_out_char(out, ')');
        return;
    case PTIO_SHAPE_CLASS: ptio_out_string(out, "}>"); return;
    case PTIO_SHAPE_OBJECT: ptio_out_char(out, '>'); return;
    default: return; /* these write their own end */
    }
}

/* Values directly inside a container, for the budget: each counts as met once. */
static uint64_t contents(const ptio_value *value, ptio_shape s)
{
    if (s >= PTIO_SHAPE_OBJECT)
        return (uint64_t)ptio_value_count(value) + ptio_node_item_count(value) + 2 * (uint64_t)ptio_node_entry_count(value) + 8;
    return (uint64_t)ptio_value_count(value) * (is_mapping(s) ? 2 : 1) + 1;
}

ptio_frame *ptio_push_frame(ptio_printer *p, const ptio_value *value, ptio_shape shape)
{
    if (p->depth == p->capacity) {
        void *moved = ptio_heap_grow(&p->heap, p->frames, &p->capacity, p->depth + 1, sizeof *p->frames);
        if (!moved) {
            ptio_printer_fail(p, ptio_heap_fail(&p->heap, p->out->err, "printing"));
            return NULL;
        }
        p->frames = moved;
    }
    p->frames[p->depth] = (ptio_frame){.value = value, .shape = (uint8_t)shape};
    return &p->frames[p->depth++];
}

void ptio_pop_frame(ptio_printer *p)
{
    p->depth--;
}

void ptio_open_container(ptio_printer *p, const ptio_value *value, ptio_shape s, uint16_t row)
{
    if (p->max_depth && p->depth >= p->max_depth && contents(value, s) > 1) {
        write_dots(p, value, s, row);
        return;
    }
    ptio_visit_state state = ptio_visited_enter(&p->visited, value);
    if (state == PTIO_VISIT_CYCLE) {
        write_dots(p, value, s, row);
        return;
    }
    if (state == PTIO_VISIT_FIRST)
        p->met += contents(value, s);
    if (state == PTIO_VISIT_FAILED) {
        ptio_printer_fail(p, ptio_heap_fail(&p->heap, p->out->err, "printing"));
        return;
    }
    if (s == PTIO_SHAPE_COUNTER && !ptio_push_count_order(p, value))
        return;
    ptio_frame *f = ptio_push_frame(p, value, s);
    if (!f)
        return;
    f->row = row;
    if (s == PTIO_SHAPE_MODULE)
        ptio_open_module(p, f);
    else if (s == PTIO_SHAPE_OPTIMIZER)
        ptio_open_optimizer(p, value);
    else if (s == PTIO_SHAPE_ARRAY)
        ptio_open_objects(p, f);
    else if (s != PTIO_SHAPE_FORM)
        write_opening(p, value, s);
}

static void close_container(ptio_printer *p)
{
    ptio_frame *f = &p->frames[p->depth - 1];
    write_closing(p, f);
    ptio_visited_leave(&p->visited, f->value);
    if (f->shape == PTIO_SHAPE_COUNTER)
        ptio_pop_order(p);
    ptio_pop_frame(p);
}

/* How many elements may be shown of something that has `bytes` bytes of its own: those count as met. */
void ptio_allow_elements(ptio_printer *p, uint64_t bytes)
{
    if (!ptio_add_u64(budget_left(p), bytes, &p->tensors.most))
        p->tensors.most = UINT64_MAX;
}

void ptio_write_value(ptio_printer *p, const ptio_value *value)
{
    ptio_shape s;
    uint16_t row = 0;
    value = ptio_as_edited(p, value);
    /* Lines that are set in deeply cost as many bytes. */
    spend(p, 1 + (p->layers ? p->layers->indent / 16 : 0));
    if (p->status != PTIO_OK)
        return;
    if (shape_of(p, value, &s, &row))
        ptio_open_container(p, value, s, row);
    else
        ptio_write_single(p, value);
}

/* ---- going on in a container ---- */

bool ptio_at_most_items(ptio_printer *p, size_t index)
{
    return p->max_items && index >= p->max_items;
}

/* Whether the limit of items is reached: then dots are written and the container ends. */
static bool at_most_items(ptio_printer *p, const ptio_frame *f, size_t index)
{
    if (!ptio_at_most_items(p, index))
        return false;
    ptio_out_string(p->out, f->next ? ", ..." : "...");
    return true;
}

static void go_on_items(ptio_printer *p, ptio_frame *f)
{
    size_t index = f->next;
    if (index >= ptio_value_count(f->value) || at_most_items(p, f, index)) {
        close_container(p);
        return;
    }
    if (index)
        ptio_out_string(p->out, ", ");
    f->next++;
    ptio_write_value(p, f->shape == PTIO_SHAPE_KEYS ? ptio_value_key(f->value, index) : ptio_value_item(f->value, index));
}

/* Entry `index` in the order in which it is shown. */
static size_t entry_place(const ptio_printer *p, const ptio_frame *f, size_t index)
{
    return f->shape == PTIO_SHAPE_COUNTER ? p->orders->index[index] : index;
}

static void go_on_entries(ptio_printer *p, ptio_frame *f)
{
    bool pairs = f->shape == PTIO_SHAPE_PAIRS;
    if (f->shape == PTIO_SHAPE_DEFAULT && !f->part) {
        f->part = 1;
        ptio_write_value(p, ptio_value_factory(f->value));
        return;
    }
    if (f->shape == PTIO_SHAPE_DEFAULT && f->part == 1) {
        f->part = 2;
        ptio_out_string(p->out, ", {");
    }
    size_t index = f->next / 2;
    if (f->next % 2) {
        ptio_out_string(p->out, pairs ? ", " : ": ");
        f->next++;
        ptio_write_value(p, ptio_value_item(f->value, entry_place(p, f, index)));
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
    ptio_write_value(p, ptio_value_key(f->value, entry_place(p, f, index)));
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
static const ptio_value *single_part(const ptio_printer *p, const ptio_value *object, part which, const char **label)
{
    const ptio_value *found = NULL;
    switch (which) {
    case ARGUMENTS_PART:
        *label = " args=";
        found = ptio_arguments_of(p, object);
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
static void go_on_many(ptio_printer *p, ptio_frame *f, bool entries)
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
    ptio_write_value(p, !entries ? ptio_node_item(object, index)
                        : key    ? ptio_node_entry_key(object, index)
                                 : ptio_node_entry_value(object, index));
}

static void go_on_object(ptio_printer *p, ptio_frame *f)
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
    const ptio_value *found = single_part(p, f->value, which, &label);
    f->part++;
    if (!found)
        return;
    ptio_out_string(p->out, label);
    ptio_write_value(p, found);
}

static void go_on(ptio_printer *p)
{
    ptio_frame *f = &p->frames[p->depth - 1];
    switch ((ptio_shape)f->shape) {
    case PTIO_SHAPE_OBJECT: go_on_object(p, f); return;
    case PTIO_SHAPE_FORM:
    case PTIO_SHAPE_EXTRA:
    case PTIO_SHAPE_ITEMS:
    case PTIO_SHAPE_NAMES: ptio_go_on_form(p); return;
    case PTIO_SHAPE_MODULE: ptio_go_on_module(p); return;
    case PTIO_SHAPE_OPTIMIZER: ptio_go_on_optimizer(p); return;
    case PTIO_SHAPE_GROUP: ptio_go_on_group(p); return;
    case PTIO_SHAPE_ARRAY: ptio_go_on_objects(p); return;
    default:
        if (is_mapping((ptio_shape)f->shape))
            go_on_entries(p, f);
        else
            go_on_items(p, f);
    }
}

static void end(ptio_printer *p)
{
    while (p->layers)
        ptio_pop_layer(p);
    while (p->orders)
        ptio_pop_order(p);
    while (p->objects)
        ptio_end_objects(p);
    ptio_heap_free(&p->heap, p->frames, p->capacity * sizeof *p->frames);
    ptio_visited_free(&p->visited);
}

/* ---- options ---- */

/* A number of the options: 0 stands for the default, and PTIO_PRINT_ZERO for 0. */
static size_t setting(size_t value, size_t standard)
{
    return value == PTIO_PRINT_ZERO ? 0 : value ? value : standard;
}

static void set_up(ptio_printer *p, const ptio_print_options *o)
{
    p->max_depth = o->max_depth;
    p->max_items = o->max_items;
    p->python = o->python ? o->python : NEWEST_PYTHON;
    p->raw = o->raw;
    p->budget = o->limits ? o->limits->walk_nodes : 0;
    p->edits = o->edits;
    ptio_heap_init(&p->heap, o->memory, o->limits ? o->limits->heap_bytes : 0);
    p->visited.heap = p->tensors.heap = &p->heap;
    p->tensors.format = (ptio_number_format){.places = setting(o->precision, 4), .notation = o->notation};
    p->tensors.line_width = setting(o->line_width, 80);
    p->tensors.edge = setting(o->edge_items, 3);
    p->tensors.threshold = o->threshold == SIZE_MAX ? UINT64_MAX : setting(o->threshold, 1000);
    p->tensors.whole_arrays = o->threshold == SIZE_MAX;
    p->tensors.most_items = o->max_items;
    p->tensors.devices = o->devices;
}

ptio_status ptio_print(const ptio_value *value, const ptio_print_options *given, ptio_write write, void *ctx, ptio_error *err)
{
    ptio_print_options options = {PTIO_PRINT_OPTIONS};
    if (given)
        memcpy(&options, given, given->struct_size && given->struct_size < sizeof options ? given->struct_size : sizeof options);
    if (options.precision != PTIO_PRINT_ZERO && options.precision > PTIO_MOST_PLACES)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "print.precision", PTIO_NO_OFFSET, "a precision is at most %d",
                         PTIO_MOST_PLACES);
    value = ptio_edited(options.edits, value);
    if (options.keys && ptio_value_kind(value) != PTIO_KIND_DICT)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "print.keys", PTIO_NO_OFFSET,
                         "only a dict has keys; this value is of the kind %s", ptio_kind_name(ptio_value_kind(value)));
    ptio_out out;
    ptio_out_init(&out, write, ctx, err);
    ptio_printer p = {.out = &out};
    set_up(&p, &options);
    if (options.keys)
        ptio_open_container(&p, value, PTIO_SHAPE_KEYS, 0);
    else if (options.bare && ptio_value_kind(value) != PTIO_KIND_TENSOR)
        ptio_write_plain(&p, value);
    else
        ptio_write_value(&p, value);
    while (p.depth && p.status == PTIO_OK && p.out->status == PTIO_OK)
        go_on(&p);
    end(&p);
    ptio_status flushed = ptio_out_flush(&out);
    return p.status != PTIO_OK ? p.status : flushed;
}
