/*
 * Objects of known classes, written by forms: a form is the text that Python would print, with places to fill in.
 *
 *     "slice({#0!}, {#1!}, {#2!})"            {path}   str() of a value        {path!}  its repr()
 *     "{in_features}, bias={bias?}"           {path?}  True or False: whether there is such a value and it is not None
 *     "range({#0!}, {#1!}<#2/1:, {#2!}>)"     <path CONDITION:…>  only where it holds: + true, - None, /x not x, =x x, *x not all x
 *     "functools.partial({%more $1})"         {%word path}  what form_word.c writes
 *     "Normal({&loc scale})"                  {&names}  those attributes that there are: name: value, or the shape of a tensor
 *     "{<}Uninitialized…{>}"                  {<} and {>}  these characters
 *
 * A path begins with an attribute by its name (of a module also a parameter, buffer or child), #n argument n, # all arguments,
 * $n item n of the state, @ all attributes; ".name" and ".n" lead on from there.
 *
 * The classes stand in forms.def, sorted by name; the texts of modules in modules.def.
 */
#include "base/text.h"
#include "print/form_word.h"

#include <stdlib.h>

typedef struct form {
    const char *class_name;
    const char *repr;
    const char *str; /* where str() is not repr(), else NULL */
} form;

static const form forms[] = {
#define FORM(class_name, repr, str) {class_name, repr, str},
#include "print/forms.def"
#undef FORM
};

#define FORMS (sizeof forms / sizeof *forms)

static int compare_class(const void *key, const void *row)
{
    const ptio_text *name = key;
    const char *other = ((const form *)row)->class_name;
    size_t size = strlen(other), shorter = name->size < size ? name->size : size;
    int order = memcmp(name->bytes, other, shorter);
    return order ? order : name->size < size ? -1 : name->size > size;
}

bool ptio_form_of(const ptio_value *object, uint16_t *row)
{
    ptio_text name = ptio_value_class(object);
    uint64_t flags;
    const form *found = name.size ? bsearch(&name, forms, FORMS, sizeof *forms, compare_class) : NULL;
    if (ptio_text_is(name, "_operator.or_") && !ptio_regex_flags(object, &flags)) /* a|b of whatever else has that operator */
        return false;
    if (found)
        *row = (uint16_t)(found - forms);
    return found != NULL;
}

const char *ptio_form_text(const ptio_frame *frame)
{
    if (frame->shape == PTIO_SHAPE_EXTRA)
        return ptio_module_form(frame->row);
    return frame->part ? forms[frame->row].str : forms[frame->row].repr;
}

void ptio_form_dots(ptio_printer *p, uint16_t row)
{
    const char *repr = forms[row].repr;
    ptio_out_bytes(p->out, repr, strcspn(repr, "({<\n"));
    ptio_out_string(p->out, "(...)");
}

bool ptio_form_plain(ptio_printer *p, const ptio_value *object)
{
    uint16_t row;
    if (ptio_value_kind(object) != PTIO_KIND_OBJECT || !ptio_form_of(object, &row) || !forms[row].str)
        return false;
    ptio_frame *frame = ptio_push_frame(p, object, PTIO_SHAPE_FORM);
    if (frame) {
        frame->row = row;
        frame->part = 1;
        (void)ptio_visited_enter(&p->visited, object);
    }
    return true;
}

/* ---- paths ---- */

const ptio_value *ptio_form_attribute(const ptio_printer *p, const ptio_value *object, ptio_text name)
{
    static const char *const places[] = {"_parameters", "_buffers", "_modules"};
    const ptio_value *found = ptio_value_get_n(ptio_attributes_of(p, object), name.bytes, name.size);
    for (size_t i = 0; !found && i < sizeof places / sizeof *places; i++)
        found = ptio_value_get_n(ptio_attribute_of(p, object, places[i]), name.bytes, name.size);
    return ptio_as_edited(p, found);
}

static bool read_index(const char **at, size_t *ret)
{
    if (**at < '0' || **at > '9')
        return false;
    for (*ret = 0; **at >= '0' && **at <= '9'; ++*at)
        *ret = *ret * 10 + (size_t)(**at - '0');
    return true;
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static const ptio_value *step(const ptio_printer *p, const ptio_value *value, const char **at)
{
    size_t index;
    if (read_index(at, &index))
        return ptio_item_of(p, value, index);
    const char *start = *at;
    while (is_name(**at))
        ++*at;
    return ptio_form_attribute(p, value, (ptio_text){start, (size_t)(*at - start)});
}

/* The value at a path, and where the path ends. NULL where there is none. */
static const ptio_value *resolve(const ptio_printer *p, const ptio_value *object, const char **at)
{
    const ptio_value *value;
    char first = **at;
    size_t index;
    if (first == '@') {
        ++*at;
        value = ptio_attributes_of(p, object);
    } else if (first == '#' || first == '$') {
        ++*at;
        value = ptio_as_edited(p, first == '#' ? ptio_node_arguments(object) : ptio_node_state(object, 0));
        if (read_index(at, &index))
            value = ptio_item_of(p, value, index);
    } else {
        value = step(p, object, at);
    }
    while (**at == '.') {
        ++*at;
        if (**at == '$') {
            ++*at;
            value = ptio_as_edited(p, ptio_node_state(value, 0));
            if (read_index(at, &index))
                value = ptio_item_of(p, value, index);
        } else {
            value = step(p, value, at);
        }
    }
    return value;
}

/* ---- conditions ---- */

static bool is_true(const ptio_value *value)
{
    double number;
    if (ptio_value_float(value, &number))
        return number != 0;
    if (ptio_value_kind(value) == PTIO_KIND_STR)
        return ptio_value_str(value).size > 0;
    return value && ptio_value_kind(value) != PTIO_KIND_NONE;
}

/* Whether a value is what a literal says: None, True, False, a digit, a text or a dtype. */
static bool is_literal(const ptio_value *value, ptio_text literal)
{
    double number;
    switch (ptio_value_kind(value)) {
    case PTIO_KIND_NONE: return ptio_text_is(literal, "None");
    case PTIO_KIND_BOOL:
        if (ptio_text_is(literal, "True") || ptio_text_is(literal, "False"))
            return ptio_value_bool(value) == ptio_text_is(literal, "True");
        return literal.size == 1 && literal.bytes[0] == (ptio_value_bool(value) ? '1' : '0');
    case PTIO_KIND_INT:
    case PTIO_KIND_FLOAT: return ptio_value_float(value, &number) && literal.size == 1 && number == literal.bytes[0] - '0';
    case PTIO_KIND_STR: return ptio_text_equal(ptio_value_str(value), literal);
    case PTIO_KIND_DTYPE: return ptio_text_equal(ptio_value_name(value), literal);
    default: return false;
    }
}

static bool all_are(const ptio_printer *p, const ptio_value *value, ptio_text literal)
{
    if (ptio_value_kind(value) != PTIO_KIND_TUPLE)
        return false;
    for (size_t i = 0; i < ptio_value_count(value); i++)
        if (!is_literal(ptio_item_of(p, value, i), literal))
            return false;
    return true;
}

/* The condition behind a '<'; *at moves behind its colon. */
static bool holds(const ptio_printer *p, const ptio_value *object, const char **at)
{
    const ptio_value *value = resolve(p, object, at);
    char operator= *(*at)++;
    const char *start = *at;
    size_t size = strcspn(start, ":");
    ptio_text literal = {start, size};
    *at += size + 1;
    switch (operator) {
    case '+': return is_true(value);
    case '-': return ptio_value_kind(value) == PTIO_KIND_NONE;
    case '/': return value && !is_literal(value, literal);
    case '=': return is_literal(value, literal);
    case '*': return value && !all_are(p, value, literal);
    default: return false;
    }
}

/* ---- writing ---- */

/* The arguments of a distribution that it was made with; the others it can compute. One number is written as it is. */
static void fill_given(ptio_printer *p, const ptio_value *object, const char *at)
{
    bool any = false;
    while (*at != '}') {
        size_t size = strcspn(at, " }");
        const ptio_value *value = ptio_as_edited(p, ptio_value_get_n(ptio_attributes_of(p, object), at, size));
        const ptio_tensor *tensor = ptio_value_tensor(value);
        if (value) {
            ptio_out_string(p->out, any ? ", " : "");
            ptio_out_bytes(p->out, at, size);
            ptio_out_string(p->out, ": ");
            any = true;
        }
        if (tensor && ptio_tensor_numel(tensor) != 1)
            ptio_repr_shape(p->out, tensor);
        else if (value)
            ptio_write_plain(p, value);
        at += size + (at[size] == ' ');
    }
}

/* What stands in braces. A value that has contents pushes a frame, and the form goes on when that is done. */
static void fill(ptio_printer *p, const ptio_value *object, const char *at)
{
    if (*at == '%') {
        size_t size = strcspn(++at, " }");
        ptio_form_word word = ptio_find_word((ptio_text){at, size});
        at += size;
        const ptio_value *argument = *at == ' ' ? (++at, resolve(p, object, &at)) : NULL;
        word(p, object, argument);
        return;
    }
    if (*at == '<' || *at == '>') {
        ptio_out_char(p->out, *at);
        return;
    }
    if (*at == '&') {
        fill_given(p, object, at + 1);
        return;
    }
    const ptio_value *value = resolve(p, object, &at);
    if (*at == '?')
        ptio_out_string(p->out, value && ptio_value_kind(value) != PTIO_KIND_NONE ? "True" : "False");
    else if (*at == '!')
        ptio_write_value(p, value);
    else
        ptio_write_plain(p, value);
}

static void close_form(ptio_printer *p)
{
    ptio_frame *f = &p->frames[p->depth - 1];
    if (f->shape == PTIO_SHAPE_FORM)
        ptio_visited_leave(&p->visited, f->value);
    ptio_pop_frame(p);
}

/* Up to the next place that is filled in, or the end. */
static void go_on_text(ptio_printer *p)
{
    ptio_frame *f = &p->frames[p->depth - 1];
    const ptio_value *object = f->value;
    const char *text = ptio_form_text(f), *at = text + f->next;
    for (;;) {
        size_t plain = strcspn(at, "{<>");
        ptio_out_bytes(p->out, at, plain);
        at += plain;
        if (!*at) {
            close_form(p);
            return;
        }
        char what = *at++;
        if (what == '<' && !holds(p, object, &at))
            at += strcspn(at, ">");
        if (what != '{')
            continue;
        const char *place = at;
        at += strcspn(at, "}") + 1;
        f->next = (size_t)(at - text);
        fill(p, object, place);
        return;
    }
}

static void go_on_items(ptio_printer *p)
{
    ptio_frame *f = &p->frames[p->depth - 1];
    size_t index = f->next++;
    if (index >= ptio_value_count(f->value)) {
        ptio_pop_frame(p);
        return;
    }
    if (index || f->part)
        ptio_out_string(p->out, f->row == PTIO_ITEMS_IN_LINES ? ",\n    " : ", ");
    ptio_write_value(p, ptio_value_item(f->value, index));
}

static bool is_identifier(ptio_text name)
{
    if (!name.size || (name.bytes[0] >= '0' && name.bytes[0] <= '9'))
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (!is_name(name.bytes[i]) && !((unsigned char)name.bytes[i] & 0x80))
            return false;
    return true;
}

/* In the part of a NAMES frame: something was written, and braces are open. */
#define ANY 1u
#define BRACES 2u

static void close_names(ptio_printer *p, const ptio_frame *f)
{
    if (f->part & BRACES)
        ptio_out_char(p->out, '}');
    if (f->row & PTIO_NAMES_SORTED)
        ptio_pop_order(p);
    ptio_pop_frame(p);
}

/* name=value; with SPLIT twice over the entries, the second time those that are no identifiers. */
static void go_on_names(ptio_printer *p)
{
    ptio_frame *f = &p->frames[p->depth - 1];
    size_t count = ptio_value_count(f->value), index = f->next++;
    bool split = (f->row & PTIO_NAMES_SPLIT) != 0, second = split && index >= count;
    if (index >= (split ? 2 * count : count)) {
        close_names(p, f);
        return;
    }
    size_t place = second ? index - count : index;
    place = f->row & PTIO_NAMES_SORTED ? p->orders->index[place] : place;
    ptio_text name = ptio_value_str(ptio_as_edited(p, ptio_value_key(f->value, place)));
    if (split && is_identifier(name) == second)
        return;
    ptio_out_string(p->out, f->part ? ", " : "");
    if (second && !(f->part & BRACES))
        ptio_out_string(p->out, "**{");
    f->part |= (uint8_t)(second ? ANY | BRACES : ANY);
    if (second)
        ptio_repr_str(p->out, name);
    else
        ptio_repr_escaped(p->out, name);
    ptio_out_string(p->out, second ? ": " : "=");
    ptio_write_value(p, ptio_value_item(f->value, place));
}

void ptio_go_on_form(ptio_printer *p)
{
    switch ((ptio_shape)p->frames[p->depth - 1].shape) {
    case PTIO_SHAPE_ITEMS: go_on_items(p); return;
    case PTIO_SHAPE_NAMES: go_on_names(p); return;
    default: go_on_text(p); return;
    }
}
