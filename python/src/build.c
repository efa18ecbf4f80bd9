/*
 * A loaded graph as Python objects, made as the unpickler would make them: in the order of the file, each object once.
 *
 * The graph is walked by a stack of frames, one for each value that is being made. A list, dict or object is in the memo from the
 * moment it exists, before its contents are made, so that what holds itself finds it there; a tuple or the arguments of a call come
 * when they are complete. A value that is met again meanwhile, through a list, is begun again: whichever is complete first stays. So does
 * a pickler: a dict that it was given a copy of, as argument of a call, is met once, and full when the call is made.
 *
 * Plain tensors and Parameters, which most of a checkpoint is, are made at once, without making their arguments first.
 */
#include "build.h"

#include <stdlib.h>
#include <string.h>

typedef enum stage { BEGIN, CALLABLE, ARGUMENTS, KEYWORDS, MAKE, ITEMS, KEYS, VALUES, STATES, DONE } stage;

typedef struct frame {
    const ptio_value *value;
    PyObject *object;   /* what it is so far: a list of the items of a tuple, or the object itself */
    PyObject *callable; /* of a reduced one */
    PyObject *arguments, *keywords;
    PyObject *key; /* whose value is awaited */
    size_t index;
    stage stage;
} frame;

/* ---- values ---- */

static PyObject *get(builder *b, const ptio_value *value);

/* Those that are made at once. NULL without an exception: it takes a frame. */
static PyObject *at_once(builder *b, const ptio_value *value)
{
    if (!b->torch && is_bare(value))
        return make_bare(b, value);
    switch (ptio_node_view(value)) {
    case PTIO_NODE_NONE: return Py_NewRef(Py_None);
    case PTIO_NODE_SCALAR: return make_scalar(b, value);
    case PTIO_NODE_TEXT: return make_text(value);
    case PTIO_NODE_GLOBAL:
        if (!b->torch)
            return find_bare(b, value);
        return find_class(b->state, ptio_node_module(value), ptio_node_qualname(value), b->options->allowed, b->map_names);
    default: break;
    }
    ptio_kind kind = ptio_value_kind(value);
    if (kind == PTIO_KIND_STORAGE && ptio_value_storage(value))
        return typed_of(b, ptio_value_storage(value));
    if (kind != PTIO_KIND_TENSOR || !b->torch)
        return NULL;
    const ptio_tensor *t = plain_tensor(b, value);
    if (t)
        return make_tensor(b, value, t);
    const ptio_value *data = ptio_node_view(value) == PTIO_NODE_REDUCED ? parameter_data(b, value) : NULL;
    PyObject *tensor = data ? get(b, data) : NULL, *made = tensor ? make_parameter(b, value, tensor) : NULL;
    Py_XDECREF(tensor);
    return made;
}

static PyObject *take_made(builder *b)
{
    PyObject *made = b->made;
    b->made = NULL;
    b->made_of = NULL;
    return made;
}

/* Where it is found again: what is met once waits for the frame below, which asks for it next; all else is in the memo. */
static bool keep(builder *b, const ptio_value *value, PyObject *object)
{
    if (!ptio_node_is_single(value))
        return memo_put(&b->memo, value, object);
    Py_XDECREF(b->made);
    b->made_of = value;
    b->made = Py_NewRef(object);
    return true;
}

/* What holds itself finds it while it is filled. */
static bool keep_open(builder *b, const ptio_value *value, PyObject *object)
{
    return ptio_node_is_single(value) || memo_put(&b->memo, value, object);
}

/* The object of a value, if it is there or made at once; NULL without an exception where it takes a frame. */
static PyObject *get(builder *b, const ptio_value *value)
{
    ptio_node_kind view = ptio_node_view(value);
    if (view == PTIO_NODE_NONE)
        return Py_NewRef(Py_None);
    if (view == PTIO_NODE_SCALAR)
        return make_scalar(b, value);
    if (ptio_node_is_single(value))
        return b->made_of == value ? take_made(b) : view == PTIO_NODE_TEXT ? make_text(value) : at_once(b, value);
    PyObject *object = memo_get(&b->memo, value);
    if (object)
        return Py_NewRef(object);
    object = at_once(b, value);
    if (object && !memo_put(&b->memo, value, object))
        Py_CLEAR(object);
    return object;
}

static bool push(builder *b, const ptio_value *value)
{
    if (b->depth == b->room) {
        size_t room = b->room ? b->room * 2 : 64;
        frame *frames = realloc(b->frames, room * sizeof *frames);
        if (!frames)
            return PyErr_NoMemory(), false;
        b->frames = frames;
        b->room = room;
    }
    b->frames[b->depth++] = (frame){.value = value};
    return true;
}

static void clear_frame(frame *f)
{
    Py_CLEAR(f->object);
    Py_CLEAR(f->callable);
    Py_CLEAR(f->arguments);
    Py_CLEAR(f->keywords);
    Py_CLEAR(f->key);
}

/* What a step came to. */
typedef enum step { FAILED, WAITS, GOES_ON } step;

/* The object of a part of the top frame; WAITS where a frame was pushed for it. */
static step part(builder *b, const ptio_value *value, PyObject **ret)
{
    *ret = get(b, value);
    if (*ret)
        return GOES_ON;
    if (PyErr_Occurred())
        return FAILED;
    return push(b, value) ? WAITS : FAILED;
}

/* ---- keys ---- */

/* A tuple has no hash in store: one in which the same tuple is twice, and so on for forty levels, would be hashed for years. Whether
 * hashing a key takes a bounded time: no more than so many items, no deeper than so many levels. */
#define KEY_ITEMS 1000000
#define KEY_DEPTH 64

static bool is_nested(const ptio_value *value)
{
    ptio_kind kind = ptio_node_view(value) == PTIO_NODE_SEQUENCE ? ptio_value_kind(value) : PTIO_KIND_MISSING;
    return kind == PTIO_KIND_TUPLE || kind == PTIO_KIND_FROZENSET;
}

static bool is_bounded(builder *b, const ptio_value *key)
{
    struct {
        const ptio_value *value;
        size_t index;
    } levels[KEY_DEPTH] = {{key, 0}};
    size_t depth = is_nested(key) ? 1 : 0, items = 0;
    while (depth) {
        const ptio_value *item = ptio_node_item(levels[depth - 1].value, levels[depth - 1].index++);
        if (!item) {
            depth--;
        } else if (++items > KEY_ITEMS || (is_nested(item) && depth == KEY_DEPTH)) {
            PyErr_SetString(b->state->unpickling_error, "a key of a dict or item of a set is too large to be hashed");
            return false;
        } else if (is_nested(item)) {
            levels[depth].value = item;
            levels[depth++].index = 0;
        }
    }
    return true;
}

/* set([…]), OrderedDict([[…, …]]) and their like hash what the list has. */
static bool argument_is_bounded(builder *b, const ptio_value *value)
{
    const ptio_value *list = ptio_node_item(ptio_node_arguments(value), 0), *item;
    for (size_t i = 0; (item = ptio_node_item(list, i)); i++)
        if (!is_bounded(b, item) || !is_bounded(b, ptio_node_item(item, 0)))
            return false;
    return true;
}

/* ---- sequences ---- */

static step begin_sequence(builder *b, frame *f)
{
    ptio_kind kind = ptio_value_kind(f->value);
    f->stage = ITEMS;
    f->object = kind == PTIO_KIND_SET ? PySet_New(NULL) : PyList_New(0);
    if (!f->object)
        return FAILED;
    if ((kind == PTIO_KIND_SET || kind == PTIO_KIND_LIST) && !keep_open(b, f->value, f->object))
        return FAILED;
    return GOES_ON;
}

static step sequence_items(builder *b, frame *f)
{
    ptio_kind kind = ptio_value_kind(f->value);
    bool is_hashed = kind == PTIO_KIND_SET || kind == PTIO_KIND_FROZENSET;
    size_t depth = b->depth - 1, count;
    const ptio_value *const *items = ptio_node_item_array(f->value, &count);
    for (; f->index < count; f->index++) {
        PyObject *item;
        if (is_hashed && !is_bounded(b, items[f->index]))
            return FAILED;
        step next = part(b, items[f->index], &item);
        f = &b->frames[depth]; /* which may have moved */
        if (next != GOES_ON)
            return next;
        int failed = kind == PTIO_KIND_SET ? PySet_Add(f->object, item) : PyList_Append(f->object, item);
        Py_DECREF(item);
        if (failed)
            return FAILED;
    }
    if (kind == PTIO_KIND_FROZENSET)
        set_reference(&f->object, PyFrozenSet_New(f->object));
    else if (kind != PTIO_KIND_LIST && kind != PTIO_KIND_SET)
        set_reference(&f->object, PyList_AsTuple(f->object));
    f->stage = DONE;
    return f->object ? GOES_ON : FAILED;
}

/* ---- entries ---- */

#define BATCH 256

/* Never takes a frame. */
static bool is_plain(const ptio_value *value)
{
    ptio_node_kind view = ptio_node_view(value);
    return view == PTIO_NODE_NONE || view == PTIO_NODE_SCALAR || view == PTIO_NODE_TEXT;
}

/* How many entries have plain keys and values, up to `most`. */
static size_t count_plain(const ptio_value *const *entries, size_t most)
{
    size_t count = 0;
    while (count < most && is_plain(entries[2 * count]) && is_plain(entries[2 * count + 1]))
        count++;
    return count;
}

/* Plain entries, a batch of them at a time: to make all keys, then all values, then to look for the places of all in the dict asks less
 * of the processor's cache than to do this in turns. */
static bool plain_entries(builder *b, PyObject *dict, const ptio_value *const *entries, size_t count)
{
    PyObject *made[2][BATCH];
    size_t done[2] = {0, 0};
    bool well = true;
    for (size_t part = 0; part < 2 && well; part++)
        for (; done[part] < count && well; done[part] += well)
            well = (made[part][done[part]] = get(b, entries[2 * done[part] + part])) != NULL;
    for (size_t i = 0; i < count && well; i++)
        well = PyObject_Hash(made[0][i]) != -1; /* which a str keeps */
    for (size_t i = 0; i < count && well; i++)
        well = PyDict_SetItem(dict, made[0][i], made[1][i]) == 0;
    for (size_t part = 0; part < 2; part++)
        while (done[part])
            Py_DECREF(made[part][--done[part]]);
    return well;
}

/* All plain entries from where the frame is. */
static bool pass_plain(builder *b, frame *f, const ptio_value *const *entries, size_t count)
{
    size_t plain;
    do {
        size_t left = count - f->index;
        plain = count_plain(entries + 2 * f->index, left < BATCH ? left : BATCH);
        if (!plain_entries(b, f->object, entries + 2 * f->index, plain))
            return false;
        f->index += plain;
    } while (plain);
    return true;
}

static int set_entry(frame *f, PyObject *item)
{
    int failed =
        PyDict_CheckExact(f->object) ? PyDict_SetItem(f->object, f->key, item) : PyObject_SetItem(f->object, f->key, item);
    Py_CLEAR(f->key);
    return failed;
}

static step entries(builder *b, frame *f)
{
    size_t depth = b->depth - 1, count;
    const ptio_value *const *entries = ptio_node_entry_array(f->value, &count);
    while (f->index < count) {
        PyObject *item;
        bool is_key = f->stage == KEYS;
        if (is_key && PyDict_CheckExact(f->object) && !pass_plain(b, f, entries, count))
            return FAILED;
        if (f->index == count)
            break;
        const ptio_value *value = entries[2 * f->index + !is_key];
        if (is_key && !is_bounded(b, value))
            return FAILED;
        step next = part(b, value, &item);
        f = &b->frames[depth];
        if (next != GOES_ON)
            return next;
        if (is_key) {
            f->key = item;
            f->stage = VALUES;
            continue;
        }
        int failed = set_entry(f, item);
        Py_DECREF(item);
        if (failed)
            return FAILED;
        f->index++;
        f->stage = KEYS;
    }
    f->index = 0;
    f->stage = STATES;
    return GOES_ON;
}

/* ---- reduced objects ---- */

static PyObject *text_or_none(const ptio_value *value)
{
    return ptio_node_view(value) == PTIO_NODE_TEXT ? make_text(value) : Py_NewRef(Py_None);
}

/* persistent_load() of the stream of PyTorch before 1.6: ("module", class, source file, source) is the class. */
static step persistent(builder *b, frame *f)
{
    size_t depth = b->depth - 1;
    const ptio_value *id = ptio_node_arguments(f->value);
    ptio_text word = ptio_value_str(ptio_node_item(id, 0));
    if (ptio_node_item_count(id) < 2 || word.size != 6 || memcmp(word.bytes, "module", 6) != 0) {
        PyErr_SetString(b->state->unpickling_error, "unsupported persistent id encountered");
        return FAILED;
    }
    PyObject *class;
    step next = part(b, ptio_node_item(id, 1), &class);
    f = &b->frames[depth];
    if (next != GOES_ON)
        return next;
    f->object = class;
    f->stage = DONE;
    PyObject *file = ptio_node_item_count(id) > 2 ? text_or_none(ptio_node_item(id, 2)) : Py_NewRef(Py_None);
    PyObject *source = ptio_node_item_count(id) > 3 ? text_or_none(ptio_node_item(id, 3)) : Py_NewRef(Py_None);
    bool well = file && source && check_source(b->state, class, file, source);
    Py_XDECREF(file);
    Py_XDECREF(source);
    return well && keep_open(b, f->value, class) ? GOES_ON : FAILED;
}

static step make_object(builder *b, frame *f)
{
    /* What its arguments hold may have made it meanwhile. */
    PyObject *made = ptio_node_is_single(f->value) ? NULL : memo_get(&b->memo, f->value);
    if (made) {
        f->object = Py_NewRef(made);
        f->stage = DONE;
        return GOES_ON;
    }
    if (PyType_Check(f->callable) && !argument_is_bounded(b, f->value))
        return FAILED;
    f->object = make_reduced(b->state, ptio_node_opcode(f->value), f->callable, f->arguments, f->keywords);
    f->stage = ITEMS;
    f->index = 0;
    return f->object && keep_open(b, f->value, f->object) ? GOES_ON : FAILED;
}

static step append_items(builder *b, frame *f)
{
    size_t depth = b->depth - 1, count;
    const ptio_value *const *items = ptio_node_item_array(f->value, &count);
    bool is_list = PyList_CheckExact(f->object), is_set = !is_list && PyAnySet_Check(f->object);
    for (; f->index < count; f->index++) {
        PyObject *item;
        step next = part(b, items[f->index], &item);
        f = &b->frames[depth];
        if (next != GOES_ON)
            return next;
        PyObject *done = NULL;
        if (is_list || is_set) {
            int failed = is_list ? PyList_Append(f->object, item) : PySet_Add(f->object, item);
            done = failed ? NULL : Py_NewRef(Py_None);
        } else {
            done = PyObject_CallMethodObjArgs(f->object, NAME(b->state, append), item, NULL);
        }
        Py_DECREF(item);
        Py_XDECREF(done);
        if (!done)
            return FAILED;
    }
    f->stage = KEYS;
    f->index = 0;
    return GOES_ON;
}

static step states(builder *b, frame *f)
{
    size_t depth = b->depth - 1, count = ptio_node_state_count(f->value);
    for (; f->index < count; f->index++) {
        PyObject *state;
        step next = part(b, ptio_node_state(f->value, f->index), &state);
        f = &b->frames[depth];
        if (next != GOES_ON)
            return next;
        int failed = set_state(b->state, f->object, state);
        Py_DECREF(state);
        if (failed)
            return FAILED;
    }
    f->stage = DONE;
    return GOES_ON;
}

/* The part that the next stage needs first, kept in the frame. */
static step needed(builder *b, frame *f, const ptio_value *value, size_t field, stage after)
{
    size_t depth = b->depth - 1;
    PyObject *object;
    step next = part(b, value, &object);
    f = &b->frames[depth];
    if (next != GOES_ON)
        return next;
    *(PyObject **)((char *)f + field) = object;
    f->stage = after;
    return GOES_ON;
}

static step begin(builder *b, frame *f)
{
    switch (ptio_node_view(f->value)) {
    case PTIO_NODE_SEQUENCE: return begin_sequence(b, f);
    case PTIO_NODE_MAPPING:
        f->stage = KEYS;
        f->object = PyDict_New();
        return f->object && keep_open(b, f->value, f->object) ? GOES_ON : FAILED;
    case PTIO_NODE_PERSISTENT: return persistent(b, f);
    default: f->stage = CALLABLE; return GOES_ON;
    }
}

static step advance(builder *b, frame *f)
{
    const ptio_value *value = f->value, *keywords;
    switch (f->stage) {
    case BEGIN: return begin(b, f);
    case CALLABLE: return needed(b, f, ptio_node_callable(value), offsetof(frame, callable), ARGUMENTS);
    case ARGUMENTS: return needed(b, f, ptio_node_arguments(value), offsetof(frame, arguments), KEYWORDS);
    case KEYWORDS:
        keywords = ptio_node_keywords(value);
        if (keywords)
            return needed(b, f, keywords, offsetof(frame, keywords), MAKE);
        f->stage = MAKE;
        return GOES_ON;
    case MAKE: return make_object(b, f);
    case ITEMS: return ptio_node_view(value) == PTIO_NODE_SEQUENCE ? sequence_items(b, f) : append_items(b, f);
    case KEYS:
    case VALUES: return entries(b, f);
    case STATES: return states(b, f);
    case DONE: break;
    }
    return GOES_ON;
}

PyObject *build(builder *b, const ptio_value *root)
{
    PyObject *object = get(b, root);
    if (object || PyErr_Occurred())
        return object;
    if (!push(b, root))
        return NULL;
    while (b->depth) {
        frame *f = &b->frames[b->depth - 1];
        if (f->stage == DONE) {
            if (!keep(b, f->value, f->object))
                return NULL;
            clear_frame(f);
            b->depth--;
        } else if (advance(b, f) == FAILED) {
            return NULL;
        }
    }
    return get(b, root);
}

void release_frames(builder *b)
{
    for (size_t i = 0; i < b->depth; i++)
        clear_frame(&b->frames[i]);
    free(b->frames);
    Py_XDECREF(b->made);
}
