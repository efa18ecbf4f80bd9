/*
 * What the files share that write values: the stack of what is being written, and where its text goes.
 *
 * print.c runs the loop and writes Python's containers; form.c writes objects by forms; print_module.c modules and optimizers;
 * layer.c sets lines in and holds texts back.
 */
#ifndef PTIO_PRINT_PRINTER_H
#define PTIO_PRINT_PRINTER_H

#include "print/repr.h"
#include "print/repr_tensor.h"
#include "print/visited.h"

typedef enum ptio_shape {
    PTIO_SHAPE_LIST,
    PTIO_SHAPE_TUPLE,
    PTIO_SHAPE_SET,
    PTIO_SHAPE_FROZENSET,
    PTIO_SHAPE_DICT,
    PTIO_SHAPE_PAIRS,   /* OrderedDict([('a', 1)]), up to Python 3.11   */
    PTIO_SHAPE_ORDERED, /* OrderedDict({'a': 1})                        */
    PTIO_SHAPE_COUNTER, /* Counter({'a': 2}): the most common first     */
    PTIO_SHAPE_DEFAULT, /* defaultdict(factory, {…})                    */
    PTIO_SHAPE_CLASS,   /* <ptio dict CLASS {…}>                        */
    PTIO_SHAPE_SIZE,
    PTIO_SHAPE_DEQUE,
    PTIO_SHAPE_ARRAY, /* of Python objects                              */
    PTIO_SHAPE_OBJECT,
    PTIO_SHAPE_FORM,  /* an object by its form                          */
    PTIO_SHAPE_EXTRA, /* a module's own line, by its form               */
    PTIO_SHAPE_ITEMS, /* the items of a tuple without parentheses       */
    PTIO_SHAPE_NAMES, /* the entries of a dict as name=value            */
    PTIO_SHAPE_MODULE,
    PTIO_SHAPE_OPTIMIZER,
    PTIO_SHAPE_GROUP, /* of an optimizer's parameters                    */
    PTIO_SHAPE_KEYS   /* of a dict: odict_keys(['a'])                    */
} ptio_shape;

/* A value being written. 24 bytes, since there may be millions. */
typedef struct ptio_frame {
    const ptio_value *value;
    size_t
        next; /* items and keys written: 2n before key n, 2n + 1 before its value; of lists n; of forms the place in the text */
    uint8_t shape, part;
    uint16_t row; /* of the table of forms or modules */
} ptio_frame;

/* The order of the entries of a dict that is being written sorted; the innermost first. */
typedef struct ptio_order {
    struct ptio_order *outer;
    size_t count;
    size_t index[];
} ptio_order;

/* Text on its way out: set in, or held back. See layer.c. */
typedef struct ptio_layer {
    struct ptio_layer *outer;
    ptio_out out;
    ptio_out *below;
    size_t indent;
    bool held;
    ptio_status failure; /* to hold text: no memory */
    char *text;
    size_t size, capacity;
    ptio_heap *heap;
    size_t group_first, group_count; /* of a list of modules: the children whose text is held */
} ptio_layer;

typedef struct ptio_printer {
    ptio_out *out;
    ptio_heap heap;
    ptio_visited visited;
    ptio_frame *frames;
    size_t depth, capacity;
    ptio_order *orders;
    ptio_layer *layers;
    struct ptio_objects *objects; /* the arrays of objects that are being written; the innermost first */
    size_t max_depth, max_items;
    unsigned python; /* 311 is Python 3.11 */
    bool raw;        /* bare strings unescaped */
    uint64_t budget; /* fixed; 0: by what was met          */
    uint64_t met, written;
    const ptio_builder *edits; /* changes to what is written, or NULL */
    ptio_tensor_style tensors;
    ptio_status status;
} ptio_printer;

void ptio_printer_fail(ptio_printer *p, ptio_status status);

/** What stands in the place of a value. ptio_write_value() and ptio_write_plain() ask themselves; who looks into a value asks before. */
static inline const ptio_value *ptio_as_edited(const ptio_printer *p, const ptio_value *value)
{
    return ptio_edited(p->edits, value);
}

/** An item, the arguments, the attributes, or an attribute, as it was edited. */
static inline const ptio_value *ptio_item_of(const ptio_printer *p, const ptio_value *value, size_t index)
{
    return ptio_as_edited(p, ptio_value_item(value, index));
}

static inline const ptio_value *ptio_arguments_of(const ptio_printer *p, const ptio_value *object)
{
    return ptio_as_edited(p, ptio_node_arguments(object));
}

static inline const ptio_value *ptio_attributes_of(const ptio_printer *p, const ptio_value *object)
{
    return ptio_as_edited(p, ptio_value_attributes(object));
}

static inline const ptio_value *ptio_attribute_of(const ptio_printer *p, const ptio_value *object, const char *name)
{
    return ptio_as_edited(p, ptio_value_get(ptio_attributes_of(p, object), name));
}

/** Write a value, or begin to: what it contains is written by the frames that are pushed. */
void ptio_write_value(ptio_printer *p, const ptio_value *value);

/** The same as str() has it: a str without quotes. */
void ptio_write_plain(ptio_printer *p, const ptio_value *value);

/** A str as print() has it; controls are escaped but with p->raw. */
void ptio_write_bare_text(ptio_printer *p, ptio_text text);

/** Put a frame on the stack. NULL after a failure. */
ptio_frame *ptio_push_frame(ptio_printer *p, const ptio_value *value, ptio_shape shape);

/** Take the innermost one off, of a shape that wrote its own end. */
void ptio_pop_frame(ptio_printer *p);

/** Whether the limit of items is reached. */
bool ptio_at_most_items(ptio_printer *p, size_t index);

/* ---- layer.c ---- */

/** Text goes through a new layer from now on. held: it is kept. NULL after a failure. */
ptio_layer *ptio_push_layer(ptio_printer *p, bool held);

/** Text goes where it went before. What was held is gone. */
void ptio_pop_layer(ptio_printer *p);

/** Columns that lines are set in by, from the next line on. */
void ptio_layer_indent(ptio_printer *p, int columns);

/** What a layer held; the caller's to free. */
typedef struct ptio_held {
    char *text;
    size_t size, capacity;
} ptio_held;

/** As ptio_pop_layer(), with what was held. */
ptio_held ptio_take_layer(ptio_printer *p);

/* ---- form.c ---- */

/** In the row of a NAMES frame: the entries are written in the order of their names; those that are no identifiers follow in braces. */
#define PTIO_NAMES_SORTED 1u
#define PTIO_NAMES_SPLIT 2u

/** In the row of an ITEMS frame: each stands on a line of its own. */
#define PTIO_ITEMS_IN_LINES 1

/** The row of a class that is written by a form; false for others. */
bool ptio_form_of(const ptio_value *object, uint16_t *row);

/** Go on with the innermost frame, a FORM, an EXTRA, ITEMS or NAMES. */
void ptio_go_on_form(ptio_printer *p);

/** What stands for an object whose contents are not shown: Name(...). */
void ptio_form_dots(ptio_printer *p, uint16_t row);

/** Write str() of an object where that is not its repr(). */
bool ptio_form_plain(ptio_printer *p, const ptio_value *object);

/** The form that a frame is written by. */
const char *ptio_form_text(const ptio_frame *frame);

/** The attribute of an object or module by its name, or NULL. */
const ptio_value *ptio_form_attribute(const ptio_printer *p, const ptio_value *object, ptio_text name);

/** What writes a word of a form, such as "date". */
typedef void (*ptio_form_word)(ptio_printer *p, const ptio_value *object, const ptio_value *argument);
ptio_form_word ptio_find_word(ptio_text name);

/* ---- print_module.c ---- */

/** The form of a module's own line. */
const char *ptio_module_form(uint16_t row);

void ptio_open_module(ptio_printer *p, ptio_frame *frame);
void ptio_go_on_module(ptio_printer *p);
bool ptio_is_optimizer(const ptio_printer *p, const ptio_value *value);
void ptio_open_optimizer(ptio_printer *p, const ptio_value *value);
void ptio_go_on_optimizer(ptio_printer *p);
void ptio_go_on_group(ptio_printer *p);

/* ---- print_array.c ---- */

/** Write an array that is not of Python objects, as repr() or str() has it. */
void ptio_write_array(ptio_printer *p, const ptio_value *array);
void ptio_write_plain_array(ptio_printer *p, const ptio_value *array);

/** A scalar of NumPy as str() has it. */
void ptio_write_plain_scalar(ptio_printer *p, const ptio_value *scalar);

/** Begin an array of Python objects, whose frame is the innermost; row: as str() has it. */
void ptio_open_objects(ptio_printer *p, ptio_frame *frame);
void ptio_go_on_objects(ptio_printer *p);
void ptio_end_objects(ptio_printer *p);

/* ---- print.c, for print_module.c and print_array.c ---- */

/** Begin a container, or write the dots that stand for one too many. row: of its form; of an array, whether as str() has it. */
void ptio_open_container(ptio_printer *p, const ptio_value *value, ptio_shape shape, uint16_t row);

/** How many elements may be shown of something that has `bytes` bytes of its own: those count as met. */
void ptio_allow_elements(ptio_printer *p, uint64_t bytes);

/* ---- print_order.c ---- */

/** Remember the entries of a dict in the order of their keys' text, or of the counts of a Counter, the largest first; where these are no
 *  numbers, as they stand. False after a failure. */
bool ptio_push_key_order(ptio_printer *p, const ptio_value *dict);
bool ptio_push_count_order(ptio_printer *p, const ptio_value *counter);
void ptio_pop_order(ptio_printer *p);

/* ---- print_single.c ---- */

/** Write a value that contains no others. */
void ptio_write_single(ptio_printer *p, const ptio_value *value);

#endif
