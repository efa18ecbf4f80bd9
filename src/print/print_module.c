/*
 * Whole modules and optimizers, as PyTorch prints them:
 *
 *     Sequential(                                                   the name of the class
 *       (0): Linear(in_features=2, out_features=3, bias=True)       children, each by its name, set in by two columns
 *       (1-2): 2 x ReLU()                                           in a ModuleList equal ones that follow each other are told once
 *     )
 *
 * A module's own line is made from its state by a form (modules.def); with no children it stands in the parentheses. What is a module
 * is told by its state, so one of the user's own class shows its name and children, too.
 *
 * The stages of a module's frame (part): its line is being written, and held; then its children, until none is left.
 * Source: torch/nn/modules/module.py and container.py, __repr__; torch/optim/optimizer.py, __repr__.
 */
#include "base/text.h"
#include "print/printer.h"

#include <stdlib.h>

typedef enum kind {
    PLAIN,
    LIST,      /* ModuleList                                       */
    PACKED,    /* packed parameters are no children                */
    PACKED_RNN /* and no ModuleLists                               */
} kind;

static const struct module_row {
    const char *name, *title;
    kind kind;
    const char *form;
} rows[] = {
#define MODULE(name, title, kind, form) {name, title, kind, form},
#include "print/modules.def"
#undef MODULE
};

#define ROWS (sizeof rows / sizeof *rows)
#define NO_ROW UINT16_MAX
#define INDENT 2

typedef enum stage { LINE_STAGE, CHILDREN_STAGE, LIST_STAGE } stage;

/* Beside the stage in frame.part: the outermost module, which brought the layer that sets lines in. */
#define OWNS_LAYER 0x80u
#define STAGE_MASK 0x7Fu

/* Where classes with a line of their own are from, and what modules.def calls that. The first that fits counts. */
static const char *const spaces[][2] = {
    {"torch.nn.modules.", "nn/"},
    {"torch.ao.nn.qat.", "nn/"},
    {"torch.nn.qat.", "nn/"},
    {"torch.ao.nn.intrinsic.qat.", "fused/"},
    {"torch.nn.intrinsic.qat.", "fused/"},
    {"torch.ao.nn.quantized.dynamic.", "dynamic/"},
    {"torch.nn.quantized.dynamic.", "dynamic/"},
    {"torch.ao.nn.intrinsic.quantized.dynamic.", "dynamic/"},
    {"torch.nn.intrinsic.quantized.dynamic.", "dynamic/"},
    {"torch.ao.nn.quantized.reference.", "reference/"},
    {"torch.nn.quantized._reference.", "reference/"},
    {"torch.ao.nn.quantized.", "quantized/"},
    {"torch.nn.quantized.", "quantized/"},
    {"torch.ao.nn.intrinsic.quantized.", "quantized/"},
    {"torch.nn.intrinsic.quantized.", "quantized/"},
    {"torch.ao.nn.quantizable.", "quantizable/"},
    {"torch.nn.quantizable.", "quantizable/"},
    {"torch.ao.quantization.observer.", "observer/"},
    {"torch.quantization.observer.", "observer/"},
    {"torch.ao.quantization.fake_quantize.", "observer/"},
    {"torch.quantization.fake_quantize.", "observer/"},
    {"torch.jit._script.", "script/"},
};

static int compare_name(const void *key, const void *row)
{
    return strcmp(key, ((const struct module_row *)row)->name);
}

static uint16_t find_row(ptio_text class_name)
{
    char name[96];
    ptio_text last = ptio_last_name(class_name);
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
        size_t space = strlen(spaces[i][1]);
        if (!ptio_text_starts(class_name, spaces[i][0]) || last.size + space >= sizeof name)
            continue;
        memcpy(name, spaces[i][1], space);
        memcpy(name + space, last.bytes, last.size);
        name[space + last.size] = '\0';
        const struct module_row *found = bsearch(name, rows, ROWS, sizeof *rows, compare_name);
        return found ? (uint16_t)(found - rows) : NO_ROW;
    }
    return NO_ROW;
}

const char *ptio_module_form(uint16_t row)
{
    return rows[row].form;
}

static kind kind_of(const ptio_frame *f)
{
    return f->row == NO_ROW ? PLAIN : rows[f->row].kind;
}

/* Children, as many as the module has. */
static const ptio_value *children(const ptio_printer *p, const ptio_value *module)
{
    return ptio_attribute_of(p, module, "_modules");
}

static bool is_packed(const ptio_value *child)
{
    ptio_text name = ptio_last_name(ptio_value_class(child));
    return ptio_text_is(name, "LinearPackedParams") || ptio_text_is(name, "EmbeddingPackedParams") ||
           ptio_text_is(name, "PackedParameter");
}

/* Whether a child is written: dynamic and quantized modules hide how they keep their weights. */
static bool is_shown(const ptio_frame *f, const ptio_value *child)
{
    switch (kind_of(f)) {
    case PACKED: return !is_packed(child);
    case PACKED_RNN: return !is_packed(child) && !ptio_text_is(ptio_last_name(ptio_value_class(child)), "ModuleList");
    default: return true;
    }
}

static size_t skip_hidden(const ptio_printer *p, const ptio_frame *f, size_t index)
{
    const ptio_value *all = children(p, f->value);
    while (index < ptio_value_count(all) && !is_shown(f, ptio_item_of(p, all, index)))
        index++;
    return index;
}

static bool has_line(const ptio_frame *f)
{
    return f->row != NO_ROW && *rows[f->row].form;
}

static void set_stage(ptio_frame *f, stage next)
{
    f->part = (uint8_t)((f->part & OWNS_LAYER) | next);
}

void ptio_open_module(ptio_printer *p, ptio_frame *f)
{
    const ptio_value *module = f->value;
    ptio_text class_name = ptio_value_class(module);
    f->row = find_row(class_name);
    if (f->row != NO_ROW)
        ptio_out_string(p->out, rows[f->row].title);
    else
        ptio_repr_escaped(p->out, ptio_last_name(class_name));
    ptio_out_char(p->out, '(');
    if (!p->layers) {
        if (!ptio_push_layer(p, false))
            return;
        f->part = OWNS_LAYER;
    }
    set_stage(f, kind_of(f) == LIST ? LIST_STAGE : LINE_STAGE);
    if (!has_line(f) || !ptio_push_layer(p, true))
        return;
    uint16_t row = f->row;
    ptio_frame *line = ptio_push_frame(p, module, PTIO_SHAPE_EXTRA);
    if (line)
        line->row = row;
}

static void close_module(ptio_printer *p)
{
    const ptio_frame *f = &p->frames[p->depth - 1];
    bool owns_layer = (f->part & OWNS_LAYER) != 0;
    ptio_out_char(p->out, ')');
    ptio_visited_leave(&p->visited, f->value);
    ptio_pop_frame(p);
    if (owns_layer)
        ptio_pop_layer(p);
}

static void close_lines(ptio_printer *p)
{
    ptio_layer_indent(p, -INDENT);
    ptio_out_char(p->out, '\n');
    close_module(p);
}

/* The line is complete: it stands in the parentheses, or begins the lines of the module. */
static void place_line(ptio_printer *p, ptio_frame *f)
{
    ptio_held line = {0};
    if (has_line(f))
        line = ptio_take_layer(p);
    bool parent = skip_hidden(p, f, 0) < ptio_value_count(children(p, f->value));
    bool lines = parent || (line.size && memchr(line.text, '\n', line.size));
    if (lines)
        ptio_layer_indent(p, INDENT);
    if (lines && line.size)
        ptio_out_char(p->out, '\n');
    if (line.size)
        ptio_out_bytes(p->out, line.text, line.size);
    ptio_heap_free(&p->heap, line.text, line.capacity);
    if (lines)
        set_stage(f, CHILDREN_STAGE);
    else
        close_module(p);
}

static void go_on_children(ptio_printer *p, ptio_frame *f)
{
    const ptio_value *all = children(p, f->value);
    size_t index = skip_hidden(p, f, f->next);
    if (index >= ptio_value_count(all)) {
        close_lines(p);
        return;
    }
    ptio_out_char(p->out, '\n');
    if (ptio_at_most_items(p, index)) {
        ptio_out_string(p->out, "...");
        close_lines(p);
        return;
    }
    f->next = index + 1;
    ptio_out_char(p->out, '(');
    ptio_write_plain(p, ptio_value_key(all, index));
    ptio_out_string(p->out, "): ");
    ptio_write_value(p, ptio_value_item(all, index));
}

/* ---- ModuleList ---- */

/* Write the held children: "(2): text", or "(0-1): 2 x text". */
static void write_group(ptio_printer *p)
{
    ptio_layer *held = p->layers;
    if (!held->group_count)
        return;
    ptio_out *out = held->below;
    ptio_out_string(out, "\n(");
    ptio_out_u64(out, held->group_first);
    if (held->group_count > 1) {
        ptio_out_char(out, '-');
        ptio_out_u64(out, held->group_first + held->group_count - 1);
    }
    ptio_out_string(out, "): ");
    if (held->group_count > 1) {
        ptio_out_u64(out, held->group_count);
        ptio_out_string(out, " x ");
    }
    ptio_out_bytes(out, held->text, held->size);
}

/* The next child's text is complete: it is one more of the held ones, or takes their place. */
static void take_child(ptio_printer *p, size_t index)
{
    ptio_held text = ptio_take_layer(p);
    ptio_layer *held = p->layers;
    if (held->group_count && held->size == text.size && memcmp(held->text, text.text, text.size) == 0) {
        held->group_count++;
        ptio_heap_free(&p->heap, text.text, text.capacity);
        return;
    }
    write_group(p);
    ptio_heap_free(&p->heap, held->text, held->capacity);
    held->text = text.text;
    held->size = text.size;
    held->capacity = text.capacity;
    held->group_first = index;
    held->group_count = 1;
}

static void end_list(ptio_printer *p, bool cut)
{
    write_group(p);
    if (cut)
        ptio_out_string(p->layers->below, "\n...");
    ptio_pop_layer(p);
    close_lines(p);
}

static void go_on_list(ptio_printer *p, ptio_frame *f)
{
    const ptio_value *all = children(p, f->value);
    size_t count = ptio_value_count(all), index = f->next;
    if (!count) {
        close_module(p);
        return;
    }
    if (!index) {
        ptio_layer_indent(p, INDENT);
        if (!ptio_push_layer(p, true))
            return;
    } else {
        take_child(p, index - 1);
    }
    bool cut = index < count && ptio_at_most_items(p, index);
    if (index == count || cut) {
        end_list(p, cut);
        return;
    }
    f->next++;
    if (ptio_push_layer(p, true))
        ptio_write_value(p, ptio_value_item(all, index));
}

void ptio_go_on_module(ptio_printer *p)
{
    ptio_frame *f = &p->frames[p->depth - 1];
    switch ((stage)(f->part & STAGE_MASK)) {
    case LINE_STAGE: place_line(p, f); return;
    case CHILDREN_STAGE: go_on_children(p, f); return;
    case LIST_STAGE: go_on_list(p, f); return;
    }
}

/* ---- optimizers ---- */

bool ptio_is_optimizer(const ptio_printer *p, const ptio_value *value)
{
    const ptio_value *attributes = ptio_attributes_of(p, value);
    return ptio_value_count(attributes) >= 3 && ptio_value_get(attributes, "defaults") && ptio_value_get(attributes, "state") &&
           ptio_value_kind(ptio_attribute_of(p, value, "param_groups")) == PTIO_KIND_LIST;
}

void ptio_open_optimizer(ptio_printer *p, const ptio_value *value)
{
    ptio_repr_escaped(p->out, ptio_last_name(ptio_value_class(value)));
    ptio_out_string(p->out, " (");
}

void ptio_go_on_optimizer(ptio_printer *p)
{
    ptio_frame *f = &p->frames[p->depth - 1];
    const ptio_value *groups = ptio_attribute_of(p, f->value, "param_groups");
    size_t index = f->next++;
    bool cut = index < ptio_value_count(groups) && ptio_at_most_items(p, index);
    if (index >= ptio_value_count(groups) || cut) {
        ptio_out_string(p->out, cut ? "\n...\n)" : ")");
        ptio_visited_leave(&p->visited, f->value);
        ptio_pop_frame(p);
        return;
    }
    ptio_out_string(p->out, "\nParameter Group ");
    ptio_out_u64(p->out, index);
    ptio_out_char(p->out, '\n');
    const ptio_value *group = ptio_item_of(p, groups, index);
    if (ptio_value_kind(group) == PTIO_KIND_DICT && ptio_push_key_order(p, group))
        (void)ptio_push_frame(p, group, PTIO_SHAPE_GROUP);
}

/* part: a value was written, and its line is open. */
void ptio_go_on_group(ptio_printer *p)
{
    ptio_frame *f = &p->frames[p->depth - 1];
    if (f->part)
        ptio_out_char(p->out, '\n');
    f->part = 0;
    if (f->next >= ptio_value_count(f->value)) {
        ptio_pop_order(p);
        ptio_pop_frame(p);
        return;
    }
    size_t place = p->orders->index[f->next++];
    const ptio_value *key = ptio_as_edited(p, ptio_value_key(f->value, place));
    if (ptio_text_is(ptio_value_str(key), "params"))
        return;
    f->part = 1;
    ptio_out_string(p->out, "    ");
    ptio_write_plain(p, key);
    ptio_out_string(p->out, ": ");
    ptio_write_plain(p, ptio_value_item(f->value, place));
}
