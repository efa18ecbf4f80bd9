/*
 * ptio tree --json: the value as Python sees it after loading, one node a value.
 *
 *     {"t":"dict","id":0,"v":[[{"t":"str","v":"w"},{"t":"tensor","id":1,"cls":"torch.Tensor",...}]]}
 *
 * A value with an identity has an "id", counted by first appearance; met again it is {"t":"ref","id":n}. Storages are numbered
 * likewise. What Python makes anew at every look has a new id each time: the dict of an object's attributes, the parts of a
 * sparse tensor, the tensors of a module's state_dict.
 *
 * Objects tell more than Python does: "args" and the like, what they were made of. A value met there first is told in full a second
 * time where it stands among the contents, under the same id; so leaving the arguments out leaves a whole tree.
 *
 * The walk keeps its own stack, so any depth is fine.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/hash.h"
#include "cli/json_out.h"
#include "cli/seen.h"
#include "cli/tree_leaf.h"

/* What a frame on the stack is busy with. */
typedef enum work {
    ITEMS,        /* "v" or "items": item `next`                                                        */
    ENTRIES,      /* "v" of a dict: key and value of entry `next` / 2                                    */
    ATTRIBUTES,   /* a dict made anew of the attributes that count: entries                              */
    SLOTS,        /* {"name": node}: value of entry `next`                                               */
    STATE_DICT,   /* of a module: entry `next`                                                           */
    PARTS,        /* of a composed tensor                                                                */
    COMPONENTS,   /* of a nested tensor                                                                  */
    NODE_ENTRIES, /* entries set on an object that is no dict                                            */
    OBJECT        /* an object: its parts, by `next`                                                     */
} work;

/* What stands behind the contents of a frame. */
typedef enum ending {
    CLOSE_LIST,   /* ]} */
    CLOSE_DICT,   /* ] and then the attributes of the dict, its slots, } */
    CLOSE_ARRAY,  /* ] */
    CLOSE_BRACE,  /* } */
    CLOSE_TENSOR, /* hash, attributes and slots of a tensor, } */
    CLOSE_OWNER,  /* the slots of a tensor or dict, } */
    CLOSE_NOTHING
} ending;

typedef struct frame {
    const ptio_value *value;
    union {
        const ptio_tensor *tensor;    /* PARTS, COMPONENTS */
        const ptio_value *attributes; /* ATTRIBUTES        */
        ptio_module *module;          /* STATE_DICT        */
    };
    size_t next;
    uint8_t work, ending;
    bool first;    /* nothing was written between the brackets yet */
    bool argument; /* leaving this frame leaves the arguments      */
} frame;

/* How a tensor is told. */
typedef enum view {
    AS_VALUE,    /* as it is                                      */
    AS_DETACHED, /* detach() of it: a new object without gradient */
    AS_PART      /* a part of another                             */
} view;

typedef struct tree {
    const cli_options *options;
    const ptio_checkpoint *ckpt;
    frame *frames;
    size_t depth, capacity;
    seen ids, storages;
    uint64_t next_id, next_storage;
    bool zip;         /* torch.load makes typed storages of all that it finds in an archive */
    size_t arguments; /* frames of arguments that the walk is inside of */
    ptio_error err;
} tree;

static bool failed(const tree *t)
{
    return t->err.status != PTIO_OK || out_failed();
}

static void fail_memory(tree *t)
{
    if (t->err.status == PTIO_OK) {
        t->err = (ptio_error){.status = PTIO_ERR_MEMORY, .reason = "memory", .offset = PTIO_NO_OFFSET};
        (void)strcpy(t->err.message, "no memory for the walk");
    }
}

static frame *push(tree *t, frame f)
{
    if (t->depth == t->capacity) {
        size_t capacity = t->capacity ? t->capacity + t->capacity / 2 : 256;
        frame *moved = capacity <= SIZE_MAX / sizeof f ? realloc(t->frames, capacity * sizeof f) : NULL;
        if (!moved) {
            fail_memory(t);
            return NULL;
        }
        t->frames = moved;
        t->capacity = capacity;
    }
    f.first = true;
    t->frames[t->depth] = f;
    return &t->frames[t->depth++];
}

/* What is to be written behind something else. */
static void push_ending(tree *t, ending what)
{
    (void)push(t, (frame){.work = ITEMS, .ending = (uint8_t)what});
}

/* ---- identity ---- */

/* Numbers in `ids` are id * 2, plus 1 where the value was told among the contents, not only among arguments. */
static bool told_before(tree *t, const ptio_value *value, uint64_t *id)
{
    bool fresh;
    const void *identity = value;
    if (ptio_value_kind(value) == PTIO_KIND_STORAGE)
        identity = ptio_value_storage(value);
    else if (ptio_value_kind(value) == PTIO_KIND_TENSOR)
        identity = ptio_value_tensor(value);
    seen_entry *entry = seen_find(&t->ids, identity, &fresh);
    if (!entry) {
        fail_memory(t);
        *id = 0;
        return true;
    }
    if (fresh)
        entry->number = t->next_id++ * 2;
    *id = entry->number / 2;
    bool told = !fresh && ((entry->number & 1) || t->arguments);
    if (!t->arguments)
        entry->number |= 1;
    return told;
}

static uint64_t storage_number(tree *t, const ptio_storage *storage)
{
    bool fresh;
    seen_entry *entry = seen_find(&t->storages, storage, &fresh);
    if (!entry) {
        fail_memory(t);
        return 0;
    }
    if (fresh)
        entry->number = t->next_storage++;
    return entry->number;
}

static void write_ref(uint64_t id)
{
    out_string("{\"t\":\"ref\",\"id\":");
    out_u64(id);
    out_char('}');
}

static void begin(const char *kind, uint64_t id)
{
    out_string("{\"t\":\"");
    out_string(kind);
    out_string("\",\"id\":");
    out_u64(id);
}

/* ---- attributes ---- */

static bool starts(ptio_text text, const char *prefix)
{
    return text.size >= strlen(prefix) && memcmp(text.bytes, prefix, strlen(prefix)) == 0;
}

/* Which attributes count: of a tensor those that are no internals, of a dict all but those of OrderedDict's old form. */
static bool counts(const ptio_value *owner, const ptio_value *key)
{
    ptio_text name = ptio_value_str(key);
    switch (ptio_value_kind(owner)) {
    case PTIO_KIND_TENSOR: return !starts(name, "_");
    case PTIO_KIND_DICT: return !starts(name, "_OrderedDict__");
    default: return true;
    }
}

static bool any_counts(const ptio_value *owner, const ptio_value *attributes)
{
    size_t count = ptio_value_count(attributes);
    for (size_t i = 0; i < count; i++)
        if (counts(owner, ptio_value_key(attributes, i)))
            return true;
    return false;
}

/* "attrs" or "state": a dict made anew. Nothing where no attribute counts. */
static void begin_attributes(tree *t, const char *key, const ptio_value *owner)
{
    const ptio_value *attributes = ptio_value_attributes(owner);
    if (!attributes || !any_counts(owner, attributes))
        return;
    out_json_key(false, key);
    begin("dict", t->next_id++);
    out_json_key(false, "v");
    out_char('[');
    (void)push(t, (frame){.value = owner, .attributes = attributes, .work = ATTRIBUTES, .ending = CLOSE_LIST});
}

static void begin_slots(tree *t, const ptio_value *owner)
{
    if (!ptio_value_slots(owner))
        return;
    out_json_key(false, "slots");
    out_char('{');
    (void)push(t, (frame){.value = owner, .work = SLOTS, .ending = CLOSE_BRACE});
}

/* What stands behind the contents of a tensor or dict: "attrs", "slots" and }. */
static void end_owner(tree *t, const ptio_value *owner)
{
    if (push(t, (frame){.value = owner, .work = ITEMS, .ending = CLOSE_OWNER, .next = SIZE_MAX}))
        begin_attributes(t, "attrs", owner);
}

/* ---- tensors ---- */

static bool is_nested(const ptio_tensor *tensor)
{
    ptio_layout layout = ptio_tensor_layout(tensor);
    return layout == PTIO_NESTED || layout == PTIO_JAGGED;
}

static bool is_component(const char *name)
{
    return name[0] >= '0' && name[0] <= '9';
}

static void write_hash(tree *t, const ptio_tensor *tensor)
{
    uint8_t hash[HASH_BYTES];
    out_json_key(false, "sha256");
    if (!hash_is_packed(ptio_tensor_dtype(tensor)) && hash_tensor(tensor, hash, &t->err) == PTIO_OK)
        out_json_hex(hash, sizeof hash);
    else
        out_string("null");
}

static void write_place(tree *t, const ptio_tensor *tensor)
{
    out_json_key(false, "stride");
    out_json_ints(ptio_tensor_stride(tensor), ptio_tensor_ndim(tensor));
    out_json_key(false, "offset");
    out_i64(ptio_tensor_storage_offset(tensor));
    const ptio_storage *storage = ptio_tensor_storage(tensor);
    if (!storage)
        return;
    out_json_key(false, "storage");
    out_u64(storage_number(t, storage));
    out_json_key(false, "storage_nbytes");
    out_u64(ptio_storage_nbytes(storage));
    if (ptio_tensor_is_conj(tensor))
        out_string(",\"conj\":true");
    if (ptio_tensor_is_neg(tensor))
        out_string(",\"neg\":true");
}

static void write_quantizer(const ptio_quantizer *q)
{
    out_json_key(false, "qscheme");
    out_json_word(ptio_qscheme_name(q->scheme));
    if (q->scheme == PTIO_PER_TENSOR_AFFINE) {
        out_json_key(false, "scale");
        out_char('"');
        tree_float_text(q->scale);
        out_char('"');
        out_json_key(false, "zero_point");
        out_i64(q->zero_point);
    } else {
        out_json_key(false, "axis");
        out_i64(q->axis);
    }
}

/* The class of a tensor; detached, a Parameter is a plain tensor. */
static ptio_text tensor_class(const ptio_value *value, view how)
{
    ptio_text name = ptio_value_class(value);
    bool parameter = starts(name, "torch.nn.parameter.");
    if (how == AS_PART || !name.size || (how == AS_DETACHED && parameter) || starts(name, "numpy."))
        return (ptio_text){"torch.Tensor", strlen("torch.Tensor")};
    return name;
}

static void write_tensor_head(const ptio_tensor *tensor, ptio_text class_name, bool requires_grad, uint64_t id)
{
    begin("tensor", id);
    out_json_key(false, "cls");
    out_json_string(class_name);
    out_json_key(false, "dtype");
    out_json_word(ptio_dtype_name(ptio_tensor_dtype(tensor)));
    out_json_key(false, "shape");
    if (is_nested(tensor))
        out_string("null");
    else
        out_json_ints(ptio_tensor_shape(tensor), ptio_tensor_ndim(tensor));
    out_json_key(false, "device");
    out_json_string(ptio_tensor_device(tensor));
    out_json_key(false, "requires_grad");
    out_json_bool(requires_grad);
    out_json_key(false, "layout");
    out_json_word(ptio_layout_name(ptio_tensor_layout(tensor)));
}

/* What follows the parts of a tensor. `value` is NULL where it has no attributes of its own. */
static void end_tensor(tree *t, const ptio_tensor *tensor, const ptio_value *value)
{
    if (ptio_tensor_storage(tensor))
        write_hash(t, tensor);
    if (!value) {
        out_char('}');
        return;
    }
    end_owner(t, value);
}

static void write_tensor(tree *t, const ptio_value *value, const ptio_tensor *tensor, view how, bool requires_grad, uint64_t id)
{
    write_tensor_head(tensor, tensor_class(value, how), requires_grad, id);
    ptio_quantizer q = ptio_tensor_quantizer(tensor);
    const ptio_value *owner = how == AS_VALUE ? value : NULL;
    if (is_nested(tensor)) {
        out_json_key(false, "nested");
        out_char('[');
        (void)push(t, (frame){.value = owner, .tensor = tensor, .work = COMPONENTS, .ending = CLOSE_TENSOR});
        return;
    }
    if (ptio_tensor_layout(tensor) == PTIO_SPARSE_COO) {
        out_json_key(false, "coalesced");
        out_json_bool(ptio_tensor_is_coalesced(tensor));
    }
    if (ptio_tensor_layout(tensor) == PTIO_STRIDED)
        write_place(t, tensor);
    if (q.scheme != PTIO_NOT_QUANTIZED)
        write_quantizer(&q);
    (void)push(t, (frame){.value = owner, .tensor = tensor, .work = PARTS, .ending = CLOSE_TENSOR});
}

/* ---- other values with contents ---- */

static void write_storage(tree *t, const ptio_value *value, uint64_t id)
{
    const ptio_storage *storage = ptio_value_storage(value);
    uint8_t hash[HASH_BYTES];
    ptio_error err = {0};
    ptio_status status = hash_storage(storage, hash, &err);
    bool meta = status == PTIO_ERR_ARGUMENT; /* it has no bytes to ask for */
    if (status != PTIO_OK && !meta && t->err.status == PTIO_OK)
        t->err = err;
    begin("storage", id);
    out_json_key(false, "cls");
    out_json_string(ptio_value_class(value));
    out_json_key(false, "nbytes");
    out_u64(ptio_storage_nbytes(storage));
    out_json_key(false, "dtype");
    out_json_word(ptio_dtype_name(ptio_storage_dtype(storage)));
    out_json_key(false, "device");
    out_json_string(ptio_storage_device(storage));
    out_json_key(false, "storage");
    out_u64(storage_number(t, storage));
    out_json_key(false, "sha256");
    if (status == PTIO_OK)
        out_json_hex(hash, sizeof hash);
    else
        out_string("null");
    out_char('}');
}

static void write_ndarray(tree *t, const ptio_value *value, uint64_t id)
{
    ptio_ndarray_info info = {0};
    (void)ptio_value_ndarray(value, &info);
    begin("ndarray", id);
    out_json_key(false, "dtype");
    out_json_string(info.dtype);
    out_json_key(false, "shape");
    out_json_ints(info.shape, info.ndim);
    if (info.is_object) {
        out_json_key(false, "items");
        out_char('[');
        (void)push(t, (frame){.value = value, .work = ITEMS, .ending = CLOSE_LIST});
        return;
    }
    uint8_t hash[HASH_BYTES];
    out_json_key(false, "sha256");
    if (hash_ndarray(value, info.nbytes, hash, &t->err) == PTIO_OK)
        out_json_hex(hash, sizeof hash);
    else
        out_string("null");
    out_char('}');
}

/* get_state() gives a new tensor each time, in memory of its own. */
static void write_generator(tree *t, const ptio_value *value, uint64_t id)
{
    const ptio_value *seed = ptio_value_item(value, 0), *state = ptio_value_item(value, 2);
    begin("generator", id);
    out_json_key(false, "device");
    out_json_string(ptio_value_name(value));
    out_json_key(false, "seed");
    out_char('"');
    (void)ptio_print(seed, NULL, out_write, NULL, NULL);
    out_char('"');
    out_json_key(false, "state");
    const ptio_tensor *tensor = ptio_value_tensor(state);
    if (tensor) {
        push_ending(t, CLOSE_BRACE);
        write_tensor(t, state, tensor, AS_PART, false, t->next_id++);
    } else {
        out_string("{\"t\":\"none\"}}");
    }
}

static void write_bytearray(const ptio_value *value, uint64_t id)
{
    ptio_text bytes = ptio_value_bytes(value);
    begin("bytearray", id);
    out_json_key(false, "hex");
    out_json_hex(bytes.bytes, bytes.size);
    out_char('}');
}

static void write_dict(tree *t, const ptio_value *value, uint64_t id)
{
    ptio_text class_name = ptio_value_class(value);
    begin("dict", id);
    if (!(class_name.size == strlen("builtins.dict") && starts(class_name, "builtins.dict"))) {
        out_json_key(false, "cls");
        out_json_string(class_name);
    }
    const ptio_value *factory = ptio_value_factory(value);
    if (factory) {
        out_json_key(false, "factory");
        if (!tree_leaf(factory))
            out_string("{\"t\":\"none\"}");
    }
    out_json_key(false, "v");
    out_char('[');
    (void)push(t, (frame){.value = value, .work = ENTRIES, .ending = CLOSE_DICT});
}

/* "modules" and then the state_dict, which Python makes anew. */
static bool write_module(tree *t, const ptio_value *value)
{
    ptio_module *module = NULL;
    if (ptio_module_open(t->ckpt, value, &module, &t->err) != PTIO_OK)
        return false;
    out_json_key(false, "modules");
    out_char('[');
    for (size_t i = 0; i < ptio_module_count(module); i++) {
        const ptio_module_entry *m = ptio_module_entry_at(module, i);
        out_string(i ? ",[" : "[");
        out_json_string(m->name);
        out_char(',');
        out_json_string(m->class_name);
        out_char(',');
        out_json_bool(m->training);
        out_char(']');
    }
    out_char(']');
    push_ending(t, CLOSE_BRACE);
    out_json_key(false, "state_dict");
    begin("dict", t->next_id++);
    out_json_key(false, "cls");
    out_json_word("collections.OrderedDict");
    out_json_key(false, "v");
    out_char('[');
    if (!push(t, (frame){.value = value, .module = module, .work = STATE_DICT, .ending = CLOSE_LIST}))
        ptio_module_free(module);
    return true;
}

static void write_object(tree *t, const ptio_value *value, uint64_t id)
{
    begin("object", id);
    out_json_key(false, "cls");
    out_json_string(ptio_value_class(value));
    if (ptio_value_is_module(value) && write_module(t, value))
        return;
    (void)push(t, (frame){.value = value, .work = OBJECT, .ending = CLOSE_BRACE});
}

static void write_sequence(tree *t, const ptio_value *value, ptio_kind kind, uint64_t id)
{
    begin(ptio_kind_name(kind), id);
    out_json_key(false, "v");
    out_char('[');
    (void)push(t, (frame){.value = value, .work = ITEMS, .ending = CLOSE_LIST});
}

static void write_value(tree *t, const ptio_value *value)
{
    uint64_t id;
    if (tree_leaf(value))
        return;
    if (told_before(t, value, &id)) {
        write_ref(id);
        return;
    }
    ptio_kind kind = ptio_value_kind(value);
    switch (kind) {
    case PTIO_KIND_BYTEARRAY: write_bytearray(value, id); return;
    case PTIO_KIND_TENSOR: {
        const ptio_tensor *tensor = ptio_value_tensor(value);
        write_tensor(t, value, tensor, AS_VALUE, ptio_tensor_requires_grad(tensor), id);
        return;
    }
    case PTIO_KIND_STORAGE: write_storage(t, value, id); return;
    case PTIO_KIND_NDARRAY: write_ndarray(t, value, id); return;
    case PTIO_KIND_GENERATOR: write_generator(t, value, id); return;
    case PTIO_KIND_DICT: write_dict(t, value, id); return;
    case PTIO_KIND_OBJECT: write_object(t, value, id); return;
    default: write_sequence(t, value, kind, id); return;
    }
}

/* ---- going on ---- */

static void free_frame(const frame *f)
{
    if (f->work == STATE_DICT)
        ptio_module_free(f->module);
}

static void pop(tree *t)
{
    frame f = t->frames[--t->depth];
    if (f.argument)
        t->arguments--;
    free_frame(&f);
    switch ((ending)f.ending) {
    case CLOSE_LIST: out_string("]}"); return;
    case CLOSE_ARRAY: out_char(']'); return;
    case CLOSE_BRACE: out_char('}'); return;
    case CLOSE_NOTHING: return;
    case CLOSE_DICT:
        out_char(']');
        end_owner(t, f.value);
        return;
    case CLOSE_OWNER:
        push_ending(t, CLOSE_BRACE);
        begin_slots(t, f.value);
        return;
    case CLOSE_TENSOR:
        if (f.work == COMPONENTS)
            out_char(']');
        end_tensor(t, f.tensor, f.value);
        return;
    }
}

static void comma(frame *f)
{
    if (!f->first)
        out_char(',');
    f->first = false;
}

static void go_on_items(tree *t, frame *f)
{
    if (f->next >= ptio_value_count(f->value)) {
        pop(t);
        return;
    }
    comma(f);
    size_t index = f->next++;
    write_value(t, ptio_value_item(f->value, index));
}

/* [key,value] pairs: `next` is even before a key and odd before its value. */
typedef const ptio_value *(*getter)(const ptio_value *value, size_t index);

static void go_on_pairs(tree *t, frame *f, const ptio_value *dict, size_t count, getter key, getter value)
{
    size_t index = f->next / 2;
    if (f->next % 2) {
        out_char(',');
        f->next++;
        write_value(t, value(dict, index));
        return;
    }
    if (!f->first)
        out_char(']');
    while (f->work == ATTRIBUTES && index < count && !counts(f->value, key(dict, index)))
        index++;
    if (index >= count) {
        pop(t);
        return;
    }
    comma(f);
    out_char('[');
    f->next = 2 * index + 1;
    write_value(t, key(dict, index));
}

static void go_on_slots(tree *t, frame *f)
{
    const ptio_value *slots = ptio_value_slots(f->value);
    if (f->next >= ptio_value_count(slots)) {
        pop(t);
        return;
    }
    comma(f);
    size_t index = f->next++;
    out_json_string(ptio_value_str(ptio_value_key(slots, index)));
    out_char(':');
    write_value(t, ptio_value_item(slots, index));
}

/* [{…}, : the names of a module that Python 2 wrote are byte strings. */
static void write_state_name(const ptio_value *module, ptio_text name)
{
    bool python2 = ptio_value_is_py2str(ptio_value_key(ptio_value_attributes(module), 0));
    out_string(python2 ? "[{\"t\":\"py2str\",\"hex\":" : "[{\"t\":\"str\",\"v\":");
    if (python2)
        out_json_hex(name.bytes, name.size);
    else
        out_json_string(name);
    out_string("},");
}

static void go_on_state_dict(tree *t, frame *f)
{
    const ptio_module *module = f->module;
    /* Values stand between brackets that are closed when the next entry begins. */
    if (f->next)
        out_char(']');
    if (f->next >= ptio_module_state_count(module)) {
        pop(t);
        return;
    }
    comma(f);
    const ptio_module_state *entry = ptio_module_state_at(module, f->next++);
    write_state_name(f->value, entry->name);
    const ptio_tensor *tensor = ptio_value_kind(entry->value) == PTIO_KIND_TENSOR ? ptio_value_tensor(entry->value) : NULL;
    if (tensor)
        write_tensor(t, entry->value, tensor, AS_DETACHED, false, t->next_id++);
    else
        write_value(t, entry->value);
}

static void go_on_parts(tree *t, frame *f)
{
    const ptio_tensor *tensor = f->tensor;
    bool nested = f->work == COMPONENTS;
    const char *name = "";
    while (f->next < ptio_tensor_part_count(tensor)) {
        (void)ptio_tensor_part(tensor, f->next, &name);
        if (!nested || is_component(name))
            break;
        f->next++;
    }
    if (f->next >= ptio_tensor_part_count(tensor)) {
        pop(t);
        return;
    }
    size_t index = f->next++;
    const ptio_tensor *part = ptio_tensor_part(tensor, index, &name);
    if (nested)
        comma(f);
    else
        out_json_key(false, name);
    write_tensor(t, NULL, part, AS_PART, nested && ptio_tensor_requires_grad(tensor), t->next_id++);
}

/* The parts of an object, one after the other. */
enum { OBJECT_ITEMS, OBJECT_STATE, OBJECT_SLOTS, OBJECT_ENTRIES, OBJECT_ARGUMENTS, OBJECT_KEYWORDS, OBJECT_END };

static void write_argument(tree *t, const char *key, const ptio_value *value)
{
    out_json_key(false, key);
    t->arguments++;
    /* A frame of its own, so that leaving it leaves the arguments. */
    if (push(t, (frame){.work = ITEMS, .ending = CLOSE_NOTHING, .argument = true}))
        write_value(t, value);
}

static void write_state(tree *t, const ptio_value *value)
{
    if (ptio_value_attributes(value)) {
        begin_attributes(t, "state", value);
    } else if (!ptio_value_slots(value) && ptio_node_state_count(value)) {
        out_json_key(false, "state");
        write_value(t, ptio_node_state(value, 0));
    }
}

/* An object made by NEWOBJ, with nothing in it, may be an empty list or tuple of its own class: told as such. A deque is one always. */
static bool may_have_items(const ptio_value *value)
{
    const char *opcode = ptio_node_opcode(value);
    ptio_text class_name = ptio_value_class(value);
    bool deque = class_name.size == 17 && memcmp(class_name.bytes, "collections.deque", 17) == 0;
    return ptio_value_count(value) || deque || (opcode && strcmp(opcode, "NEWOBJ") == 0 && !ptio_value_slots(value));
}

static void go_on_object(tree *t, frame *f)
{
    const ptio_value *value = f->value;
    const ptio_value *arguments = ptio_node_arguments(value);
    switch (f->next++) {
    case OBJECT_ITEMS:
        if (may_have_items(value)) {
            out_json_key(false, "items");
            out_char('[');
            (void)push(t, (frame){.value = value, .work = ITEMS, .ending = CLOSE_ARRAY});
        }
        return;
    case OBJECT_STATE: write_state(t, value); return;
    case OBJECT_SLOTS: begin_slots(t, value); return;
    case OBJECT_ENTRIES:
        if (ptio_node_entry_count(value)) {
            out_json_key(false, "entries");
            out_char('[');
            (void)push(t, (frame){.value = value, .work = NODE_ENTRIES, .ending = CLOSE_ARRAY});
        }
        return;
    case OBJECT_ARGUMENTS:
        if (ptio_value_count(arguments))
            write_argument(t, "args", arguments);
        return;
    case OBJECT_KEYWORDS:
        if (ptio_node_keywords(value))
            write_argument(t, "kwargs", ptio_node_keywords(value));
        return;
    default: pop(t); return;
    }
}

static void go_on(tree *t)
{
    frame *f = &t->frames[t->depth - 1];
    switch ((work)f->work) {
    case ITEMS: go_on_items(t, f); return;
    case ENTRIES: go_on_pairs(t, f, f->value, ptio_value_count(f->value), ptio_value_key, ptio_value_item); return;
    case ATTRIBUTES: go_on_pairs(t, f, f->attributes, ptio_value_count(f->attributes), ptio_value_key, ptio_value_item); return;
    case NODE_ENTRIES:
        go_on_pairs(t, f, f->value, ptio_node_entry_count(f->value), ptio_node_entry_key, ptio_node_entry_value);
        return;
    case SLOTS: go_on_slots(t, f); return;
    case STATE_DICT: go_on_state_dict(t, f); return;
    case PARTS:
    case COMPONENTS: go_on_parts(t, f); return;
    case OBJECT: go_on_object(t, f); return;
    }
}

int cli_tree_json(const cli_options *options, const cli_file *file)
{
    tree t = {.options = options, .ckpt = file->ckpt};
    ptio_checkpoint_info info;
    ptio_checkpoint_describe(file->ckpt, &info);
    t.zip = info.container == PTIO_CONTAINER_ZIP;
    write_value(&t, file->value);
    while (t.depth && !failed(&t))
        go_on(&t);
    while (t.depth) /* after a failure */
        free_frame(&t.frames[--t.depth]);
    out_char('\n');
    hash_uses(NULL);
    free(t.frames);
    seen_free(&t.ids);
    seen_free(&t.storages);
    if (t.err.status == PTIO_OK)
        return CLI_GOOD;
    (void)out_end(CLI_GOOD);
    return cli_fail(options->file, &t.err);
}
