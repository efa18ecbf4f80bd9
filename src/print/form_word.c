/*
 * The words of forms: what is not one value written as it is. Here are those of any object and of PyTorch's; the other files of words are
 * in form_word.h.
 */
#include "print/form_word.h"

#include <stdio.h>

#include "base/text.h"
#include "print/cell.h"
#include "print/repr.h"

/* ---- what they share ---- */

void ptio_word_format(ptio_printer *p, const char *format, unsigned a, unsigned b, unsigned c)
{
    char text[64];
    (void)snprintf(text, sizeof text, format, a, b, c);
    ptio_out_string(p->out, text);
}

/* ---- the items of a tuple and the entries of a dict ---- */

void ptio_word_push(ptio_printer *p, const ptio_value *value, ptio_shape shape, bool more)
{
    ptio_frame *f = ptio_push_frame(p, value, shape);
    if (f)
        f->part = more;
}

static void items_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)object;
    ptio_word_push(p, argument, PTIO_SHAPE_ITEMS, false);
}

static void more_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)object;
    ptio_word_push(p, argument, PTIO_SHAPE_ITEMS, true);
}

static void parts_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)object;
    ptio_frame *f = ptio_push_frame(p, argument, PTIO_SHAPE_ITEMS);
    if (f)
        f->row = PTIO_ITEMS_IN_LINES;
}

/* Namespaces were sorted before Python 3.9. */
static void attributes_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    const ptio_value *attributes = ptio_attributes_of(p, object);
    bool sorted = p->python < 309 && attributes;
    (void)argument;
    if (sorted && !ptio_push_key_order(p, attributes))
        return;
    ptio_frame *f = ptio_push_frame(p, attributes, PTIO_SHAPE_NAMES);
    if (f)
        f->row = sorted ? PTIO_NAMES_SORTED : 0;
}

/* Names that are no identifiers follow as **{'a-b': 1}. */
static void namespace_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    attributes_word(p, object, argument);
    if (p->status == PTIO_OK && p->depth && p->frames[p->depth - 1].shape == PTIO_SHAPE_NAMES)
        p->frames[p->depth - 1].row |= PTIO_NAMES_SPLIT;
}

static void morenames_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)object;
    ptio_word_push(p, argument, PTIO_SHAPE_NAMES, true);
}

/* ---- torch ---- */

static void qscheme_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)object;
    ptio_out_string(p->out, ptio_qscheme_name(ptio_tensor_quantizer(ptio_value_tensor(argument)).scheme));
}

/* The class that TorchScript compiled. */
static void script_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)argument;
    ptio_repr_escaped(p->out, ptio_last_name(ptio_value_class(ptio_node_callable(object))));
}

/* "torch.FloatTensor" of torch.float32. */
static void put_type_name(ptio_printer *p, ptio_dtype dtype)
{
    static const struct {
        ptio_dtype dtype;
        const char *name;
    } names[] = {{PTIO_FLOAT32, "Float"},
                 {PTIO_FLOAT64, "Double"},
                 {PTIO_FLOAT16, "Half"},
                 {PTIO_BFLOAT16, "BFloat16"},
                 {PTIO_INT64, "Long"},
                 {PTIO_INT32, "Int"},
                 {PTIO_INT16, "Short"},
                 {PTIO_INT8, "Char"},
                 {PTIO_UINT8, "Byte"},
                 {PTIO_BOOL, "Bool"},
                 {PTIO_COMPLEX64, "ComplexFloat"},
                 {PTIO_COMPLEX128, "ComplexDouble"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].dtype == dtype) {
            ptio_out_string(p->out, "torch.");
            ptio_out_string(p->out, names[i].name);
            ptio_out_string(p->out, "Tensor");
            return;
        }
    ptio_out_string(p->out, ptio_dtype_name(dtype));
}

static void put_parameter(ptio_printer *p, const ptio_value *value, bool typed)
{
    const ptio_tensor *tensor = ptio_value_tensor(value);
    if (!tensor) {
        ptio_text name =
            ptio_value_kind(value) == PTIO_KIND_NONE ? PTIO_TEXT("NoneType") : ptio_last_name(ptio_value_class(value));
        ptio_out_string(p->out, "Object of type: ");
        ptio_repr_escaped(p->out, name);
        return;
    }
    ptio_out_string(p->out, ptio_tensor_is_parameter(tensor) ? "Parameter" : "Tensor");
    ptio_out_string(p->out, " containing: [");
    if (typed) {
        put_type_name(p, ptio_tensor_dtype(tensor));
    } else {
        ptio_out_string(p->out, "torch.");
        ptio_out_string(p->out, ptio_dtype_name(ptio_tensor_dtype(tensor)));
    }
    ptio_out_string(p->out, " of size ");
    for (size_t i = 0; i < ptio_tensor_ndim(tensor); i++) {
        if (i)
            ptio_out_char(p->out, 'x');
        ptio_out_i64(p->out, ptio_tensor_shape(tensor)[i]);
    }
    ptio_out_char(p->out, ']');
}

/* A line for each entry of a ParameterList or ParameterDict: the former counts them, the latter keeps their names in _keys. */
static void parameters_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    const ptio_value *keys = ptio_attribute_of(p, object, "_keys"), *parameters = ptio_attribute_of(p, object, "_parameters");
    int64_t size = 0;
    (void)argument;
    if (!keys && !ptio_value_int(ptio_attribute_of(p, object, "_size"), &size))
        size = (int64_t)ptio_value_count(parameters);
    uint64_t count = keys ? ptio_value_count(keys) : (uint64_t)size;
    for (uint64_t i = 0; i < count && p->status == PTIO_OK && p->out->status == PTIO_OK; i++) {
        char number[24];
        (void)snprintf(number, sizeof number, "%llu", (unsigned long long)i);
        ptio_text name = keys ? ptio_value_str(ptio_value_key(keys, (size_t)i)) : ptio_text_of(number);
        const ptio_value *entry = ptio_form_attribute(p, object, name);
        if (!entry)
            return;
        ptio_out_string(p->out, i ? "\n  (" : "  (");
        ptio_write_bare_text(p, name);
        ptio_out_string(p->out, "): ");
        put_parameter(p, entry, keys != NULL);
    }
}

static const ptio_form_row words[] = {
    {"attributes", attributes_word},
    {"items", items_word},
    {"more", more_word},
    {"morenames", morenames_word},
    {"namespace", namespace_word},
    {"parameters", parameters_word},
    {"parts", parts_word},
    {"qscheme", qscheme_word},
    {"script", script_word},
    {NULL, NULL},
};

static const ptio_form_row *const tables[] = {words, ptio_words_of_time, ptio_words_of_library};

/* Every form's words are there: a test sees to it. */
ptio_form_word ptio_find_word(ptio_text name)
{
    const ptio_form_row *const *table = tables;
    const ptio_form_row *row = *table;
    while (!row->name || !ptio_text_is(name, row->name))
        row = row->name ? row + 1 : *++table;
    return row->word;
}
