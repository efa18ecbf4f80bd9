/*
 * The verdict of weights_only: the opcodes that its unpickler knows, the globals that it allows, and its rules for NEWOBJ, REDUCE,
 * BUILD, items and persistent ids, applied to the whole pickle. PyTorch stops at the first offender, here all are told: of an object whose
 * class is not allowed also what would be refused once it were.
 *
 * Source: torch/_weights_only_unpickler.py of 2.6, 2.9, 2.13 and 2.14
 */
#include "torch/weights_only.h"

#include <stdio.h>

#include "pickle/opcode.h"
#include "torch/safe_globals.h"
#include "torch/weights_calls.h"

/* What a callable is to weights_only. */
typedef struct called {
    const ptio_value *callable;
    uint8_t safety;  /* ptio_safety: of what is no global, unsafe */
    uint8_t handler; /* ptio_handler                              */
} called;

#define LATEST 4u

typedef struct verdict {
    const ptio_checkpoint *ckpt;
    const ptio_pickle_part *part;
    ptio_safe_rules rules;
    ptio_report *report;
    ptio_error *err;
    bool loads;
    called latest[LATEST]; /* most objects of a file are calls of a few callables */
} verdict;

static const ptio_text no_text = {"", 0};

/* `module` and `name` are those of the global that would have to be allowed. */
static void refuse_global(verdict *v, const char *reason, uint64_t offset, ptio_text module, ptio_text name, const char *message)
{
    v->loads = false;
    ptio_text record = v->part ? v->part->record : no_text;
    ptio_report_global(v->report, PTIO_REFUSED, reason, record, offset, module, name, message);
    if (v->err && v->err->status == PTIO_OK) {
        (void)ptio_fail(v->err, PTIO_ERR_DENIED, reason, offset, "weights_only refuses the file: %s", message);
        if (v->part)
            (void)ptio_error_in_record(v->err, PTIO_ERR_DENIED, record);
    }
}

static void refuse(verdict *v, const char *reason, uint64_t offset, const char *message)
{
    refuse_global(v, reason, offset, no_text, no_text, message);
}

/* ---- opcodes ---- */

bool ptio_weights_only_opcode(uint8_t opcode)
{
    /* PROTO STOP MARK NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINSTRING EMPTY_TUPLE TUPLE TUPLE1-3
     * EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS EMPTY_SET BINGET LONG_BINGET BINPUT LONG_BINPUT GLOBAL NEWOBJ REDUCE BUILD BINPERSID */
    static const char known[] = "\x80.(N\x88\x89JKM\x8aGXU)t\x85\x86\x87]ae}su\x8fhjqrc\x81RbQ";
    return memchr(known, opcode, sizeof known - 1) != NULL;
}

/* A SHORT_BINSTRING that no encoding was given for. */
static void judge_byte_string(verdict *v, size_t at)
{
    const char *argument = (const char *)v->part->graph.bytes + at + 1;
    if (!ptio_utf8_valid(argument + 1, (uint8_t)argument[0], false))
        refuse(v, "weights-only.text", at, "a byte string of Python 2 is no UTF-8, and no other encoding was asked for");
}

static void refuse_opcode(verdict *v, size_t at)
{
    char message[160];
    uint8_t opcode = v->part->graph.bytes[at];
    (void)snprintf(message, sizeof message, "Unsupported operand %u (opcode %s, first met here)", opcode,
                   ptio_opcode_name(opcode));
    refuse(v, "weights-only.opcode", at, message);
}

static void judge_opcodes(verdict *v)
{
    bool passes[256];
    const ptio_graph *graph = &v->part->graph;
    if (!graph->dialect.unusual) /* weights_only knows all the others */
        return;
    for (unsigned opcode = 0; opcode < 256; opcode++)
        passes[opcode] = ptio_weights_only_opcode((uint8_t)opcode) && !(opcode == PTIO_OP_SHORT_BINSTRING && v->rules.utf8);
    for (size_t at = 0; at < graph->size; at = ptio_opcode_pass(graph->bytes, graph->size, at)) {
        uint8_t opcode = graph->bytes[at];
        if (passes[opcode])
            continue;
        if (opcode == PTIO_OP_SHORT_BINSTRING) {
            judge_byte_string(v, at);
            continue;
        }
        refuse_opcode(v, at);
        passes[opcode] = true;
    }
}

/* ---- globals ---- */

static void judge_global(verdict *v, const ptio_value *value)
{
    ptio_text module_text = ptio_node_module(value), name_text = ptio_node_qualname(value);
    uint8_t handler;
    char message[640];
    ptio_safe_name(&v->rules, &module_text, &name_text);
    ptio_safety safety = ptio_safe_global_find(&v->rules, module_text, name_text, &handler);
    if (safety == PTIO_SAFE || safety == PTIO_SAFE_BY_LIST)
        return;
    ptio_quoted module = ptio_quote(module_text), name = ptio_quote(name_text);
    if (safety == PTIO_UNSAFE && ptio_safe_split_elsewhere(&v->rules, module_text, name_text)) {
        (void)snprintf(message, sizeof message, "GLOBAL %s.%s is divided into module and name where no pickler divides it",
                       module.text, name.text);
        refuse(v, "weights-only.split-name", value->count, message);
        return;
    }
    if (safety == PTIO_UNSAFE_BLOCKED) {
        (void)snprintf(message, sizeof message, "Trying to load unsupported GLOBAL %s.%s whose module %s is blocked.",
                       module.text, name.text, module.text);
        refuse(v, "weights-only.blocked", value->count, message);
        return;
    }
    if (safety == PTIO_SAFE_IMPORTED) {
        (void)snprintf(message, sizeof message, "%s must be imported before weights_only takes %s.%s",
                       ptio_safe_import(module_text), module.text, name.text);
        ptio_report_global(v->report, PTIO_NOTE, "weights-only.import", v->part->record, value->count, module_text, name_text,
                           message);
        return;
    }
    bool builtin = ptio_text_is(module_text, "builtins");
    (void)snprintf(
        message, sizeof message,
        "GLOBAL %s%s%s was not an allowed global by default; to allow it: torch.serialization.add_safe_globals([%s%s%s])",
        builtin ? "" : module.text, builtin ? "" : ".", name.text, builtin ? "" : module.text, builtin ? "" : ".", name.text);
    refuse_global(v, "weights-only.global", value->count, module_text, name_text, message);
}

/* ---- objects ---- */

#define NOT_NEW "Can only create new object for nn.Parameter or classes allowlisted via `add_safe_globals` but got"

static called find_called(verdict *v, const ptio_value *callable)
{
    called *place = &v->latest[((uintptr_t)callable / sizeof(ptio_node_global)) % LATEST];
    if (place->callable == callable)
        return *place;
    *place = (called){.callable = callable, .safety = PTIO_UNSAFE};
    ptio_attribute attribute;
    if (ptio_attribute_find(&v->rules, callable, &attribute) && ptio_safe_class_listed(&v->rules, ptio_text_of(attribute.text)))
        place->safety = PTIO_SAFE_BY_LIST;
    if (callable->type != PTIO_NODE_TYPE_GLOBAL)
        return *place;
    ptio_text module = ptio_node_module(callable), name = ptio_node_qualname(callable);
    ptio_safe_name(&v->rules, &module, &name);
    place->safety = (uint8_t)ptio_safe_global_find(&v->rules, module, name, &place->handler);
    return *place;
}

static const char *callable_name(const ptio_value *callable, ptio_quoted *buffer)
{
    const ptio_global *global = ptio_value_global(callable);
    *buffer = ptio_quote(global ? global->full_name : PTIO_TEXT("an object"));
    return buffer->text;
}

static void refuse_called(verdict *v, const char *reason, const ptio_value *value, const char *before)
{
    char message[400];
    ptio_quoted name;
    (void)snprintf(message, sizeof message, "%s %s", before, callable_name(ptio_node_callable(value), &name));
    refuse(v, reason, value->count, message);
}

/* What NEWOBJ can make an object of. Classes that are not known are taken for such. */
static bool is_class(const called *c)
{
    switch (c->handler) {
    case PTIO_HANDLER_NONE:
    case PTIO_HANDLER_CLASS: return true;
    case PTIO_HANDLER_DEFAULTDICT:
    case PTIO_HANDLER_DEQUE:
    case PTIO_HANDLER_FROZENSET:
    case PTIO_HANDLER_BYTES:
    case PTIO_HANDLER_NUMPY_DTYPE:
    case PTIO_HANDLER_GENERATOR:
    case PTIO_HANDLER_TYPE: return c->safety != PTIO_SAFE;
    case PTIO_HANDLER_OLD_PARAMETER:
    case PTIO_HANDLER_OLD_TENSOR:
    case PTIO_HANDLER_TENSOR_CLASS:
    case PTIO_HANDLER_STORAGE_CLASS:
    case PTIO_HANDLER_SIZE:
    case PTIO_HANDLER_DEVICE:
    case PTIO_HANDLER_SET:
    case PTIO_HANDLER_COMPLEX:
    case PTIO_HANDLER_BYTEARRAY:
    case PTIO_HANDLER_ORDERED_DICT:
    case PTIO_HANDLER_COUNTER: return true;
    default: return false;
    }
}

/* A legacy storage class stands for a name only; untyped and typed storages are classes. */
static bool is_storage_name(const called *c)
{
    return c->handler == PTIO_HANDLER_STORAGE_CLASS && !((const ptio_global *)ptio_value_global(c->callable))->untyped;
}

static bool can_be_called(const called *c)
{
    return c->handler != PTIO_HANDLER_DTYPE && c->handler != PTIO_HANDLER_QSCHEME && c->handler != PTIO_HANDLER_MEMORY_FORMAT &&
           !is_storage_name(c);
}

/* A callable that is no global: what getattr() reaches has to be allowed by its own name. */
static void refuse_attribute(verdict *v, const char *reason, const ptio_value *value, bool of_new)
{
    char message[800];
    ptio_attribute attribute;
    if (!ptio_attribute_find(&v->rules, ptio_node_callable(value), &attribute)) {
        refuse(v, reason, value->count,
               of_new ? NOT_NEW " an object" : "Trying to call reduce for unrecognized function, which is no global");
        return;
    }
    ptio_text module = {attribute.text, attribute.module}, name = ptio_text_of(attribute.text + attribute.module + 1);
    ptio_quoted full = ptio_quote(ptio_text_of(attribute.text)),
                last = ptio_quote(ptio_text_of(attribute.text + attribute.owner + 1)),
                owner = ptio_quote((ptio_text){attribute.text, attribute.owner});
    if (of_new)
        (void)snprintf(message, sizeof message, NOT_NEW " %s; to allow it: torch.serialization.add_safe_globals([%s])", full.text,
                       full.text);
    else
        (void)snprintf(message, sizeof message,
                       "Trying to call reduce for unrecognized function %s which belongs to %s; to allow it: "
                       "torch.serialization.add_safe_globals([%s])",
                       last.text, owner.text, full.text);
    refuse_global(v, reason, value->count, module, name, message);
}

static void judge_call(verdict *v, const ptio_value *value, const called *c)
{
    bool is_global = c->callable->type == PTIO_NODE_TYPE_GLOBAL, listed = c->safety == PTIO_SAFE_BY_LIST;
    if (value->opcode == 0x81 && !is_global && !listed)
        refuse_attribute(v, "weights-only.newobj", value, true);
    else if (value->opcode == 0x81 && (!is_class(c) || is_storage_name(c)))
        refuse_called(v, "weights-only.newobj", value, NOT_NEW);
    const char *fault = c->safety == PTIO_SAFE ? ptio_weights_call_fault(value, c->handler) : NULL;
    if (fault)
        refuse_called(v, "weights-only.call", value, fault);
    if (value->opcode != 'R')
        return;
    if (c->safety == PTIO_SAFE_BY_LIST && c->handler == PTIO_HANDLER_NONE &&
        ptio_text_is(ptio_node_module(c->callable), "torch.distributed._mesh_layout"))
        refuse_called(v, "weights-only.call", value, "its constructor is called, which no file of PyTorch does:");
    if (!is_global && !listed)
        refuse_attribute(v, "weights-only.reduce", value, false);
    else if (!can_be_called(c))
        refuse_called(v, "weights-only.reduce", value, "REDUCE calls what cannot be called:");
}

/* The class of a NumPy dtype's object, which weights_only asks for when it is built. Names of NumPy 1.25 and newer. */
static ptio_text numpy_dtype_class(const ptio_npdtype *dtype)
{
    static const struct {
        char kind;
        uint8_t itemsize; /* 0: any */
        ptio_text name;
    } rows[] = {{'b', 1, {"BoolDType", 9}},         {'i', 1, {"Int8DType", 9}},        {'i', 2, {"Int16DType", 10}},
                {'i', 4, {"Int32DType", 10}},       {'i', 8, {"Int64DType", 10}},      {'u', 1, {"UInt8DType", 10}},
                {'u', 2, {"UInt16DType", 11}},      {'u', 4, {"UInt32DType", 11}},     {'u', 8, {"UInt64DType", 11}},
                {'f', 2, {"Float16DType", 12}},     {'f', 4, {"Float32DType", 12}},    {'f', 8, {"Float64DType", 12}},
                {'f', 0, {"LongDoubleDType", 15}},  {'c', 8, {"Complex64DType", 14}},  {'c', 16, {"Complex128DType", 15}},
                {'c', 0, {"CLongDoubleDType", 16}}, {'O', 0, {"ObjectDType", 11}},     {'S', 0, {"BytesDType", 10}},
                {'U', 0, {"StrDType", 8}},          {'M', 0, {"DateTime64DType", 15}}, {'m', 0, {"TimeDelta64DType", 16}}};
    char kind = dtype->code.size > 1 && !dtype->is_structured ? dtype->code.bytes[1] : 'V';
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].kind == kind && (!rows[i].itemsize || rows[i].itemsize == dtype->itemsize))
            return rows[i].name;
    return PTIO_TEXT("VoidDType");
}

/* A class that BUILD meets, and that the file does not name: what a function made. */
static void judge_made_class(verdict *v, const ptio_value *value, ptio_text module, ptio_text name)
{
    char full[192], message[800];
    ptio_quoted quoted_module = ptio_quote(module), quoted_name = ptio_quote(name);
    (void)snprintf(full, sizeof full, "%.*s.%.*s", (int)module.size, module.bytes, (int)name.size, name.bytes);
    if (ptio_safe_class_listed(&v->rules, ptio_text_of(full)))
        return;
    (void)snprintf(message, sizeof message,
                   "Can only build Tensor, Parameter, OrderedDict or types allowlisted via `add_safe_globals`, but got %s.%s; to "
                   "allow it: torch.serialization.add_safe_globals([%s.%s])",
                   quoted_module.text, quoted_name.text, quoted_module.text, quoted_name.text);
    refuse_global(v, "weights-only.build", value->count, module, name, message);
}

/* Types of the default list. */
static bool may_be_built(const ptio_value *value, const called *c)
{
    switch (c->handler) {
    case PTIO_HANDLER_ORDERED_DICT:
    case PTIO_HANDLER_COUNTER:
    case PTIO_HANDLER_SET:
    case PTIO_HANDLER_SIZE:
    case PTIO_HANDLER_DEVICE:
    case PTIO_HANDLER_COMPLEX:
    case PTIO_HANDLER_BYTEARRAY: return true;
    default: return value->seen == PTIO_KIND_TENSOR;
    }
}

/* BUILD goes by the exact type of the object. */
static void judge_state(verdict *v, const ptio_value *value, const called *c)
{
    if (!ptio_node_state_count(value))
        return;
    if (c->safety == PTIO_SAFE) {
        if (!may_be_built(value, c)) {
            refuse_called(v, "weights-only.build", value,
                          "Can only build Tensor, Parameter, OrderedDict or types allowlisted via `add_safe_globals`, but got");
            return;
        }
        for (size_t i = 0; i < ptio_node_state_count(value); i++) {
            const char *fault = ptio_weights_build_fault(value, c->handler, ptio_node_state(value, i));
            if (fault)
                refuse_called(v, "weights-only.build", value, fault);
        }
        return;
    }
    /* _DimRange has slots since 2.13, and then a list for a state, which sets no attributes before. */
    if (c->safety == PTIO_SAFE_IMPORTED && v->rules.release < PTIO_RULES_2_13 &&
        ptio_node_state(value, 0)->seen == PTIO_KIND_LIST && ptio_value_count(ptio_node_state(value, 0)))
        refuse_called(v, "weights-only.build", value, "the state is that of a newer release:");
    const ptio_global *global = ptio_value_global(c->callable);
    if (value->seen == PTIO_KIND_NPDTYPE) {
        judge_made_class(v, value, PTIO_TEXT("numpy.dtypes"), numpy_dtype_class(ptio_meaning(value)));
    } else if (global && c->handler == PTIO_HANDLER_CLASS && !ptio_text_equal(global->result, global->full_name)) {
        const char *dot = global->result.bytes + global->result.size;
        while (dot > global->result.bytes && dot[-1] != '.')
            dot--;
        size_t module = dot > global->result.bytes ? (size_t)(dot - global->result.bytes) - 1 : 0;
        judge_made_class(v, value, (ptio_text){global->result.bytes, module},
                         (ptio_text){dot, (size_t)(global->result.bytes + global->result.size - dot)});
    }
}

/* Items and entries. 2.6 and 2.9 set items of anything that Python sets them of; 2.14 appends to lists of classes that are allowed. */
static void judge_contents(verdict *v, const ptio_value *value, const called *c)
{
    bool dict = c->handler == PTIO_HANDLER_ORDERED_DICT || c->handler == PTIO_HANDLER_COUNTER;
    bool other = c->safety != PTIO_SAFE && (c->handler == PTIO_HANDLER_NONE || c->handler == PTIO_HANDLER_CLASS);
    bool lax_dict = v->rules.release < PTIO_RULES_2_13 && (other || c->handler == PTIO_HANDLER_DEFAULTDICT);
    /* One is set by SETITEM or APPEND, as picklers write it, more by SETITEMS or APPENDS. */
    uint64_t entries = ptio_node_entry_count(value), items = ptio_node_item_count(value);
    if (items && !(v->rules.release >= PTIO_RULES_2_14 && other))
        refuse_called(v, "weights-only.append", value,
                      items == 1 ? "Can only append to lists, but got" : "Can only extend lists, but got");
    if (entries && !dict && !lax_dict)
        refuse_called(v, "weights-only.setitem", value,
                      entries == 1 ? "Can only SETITEM for dict, collections.OrderedDict, collections.Counter, but got"
                                   : "Can only SETITEMS for dict, collections.OrderedDict, collections.Counter, but got");
}

static void judge_reduced(verdict *v, const ptio_value *value)
{
    called c = find_called(v, ptio_node_callable(value));
    judge_call(v, value, &c);
    if ((c.callable->type != PTIO_NODE_TYPE_GLOBAL && c.safety != PTIO_SAFE_BY_LIST) || c.safety == PTIO_UNSAFE_BLOCKED)
        return;
    judge_contents(v, value, &c); /* in the order in which picklers write them */
    judge_state(v, value, &c);
    if (c.handler == PTIO_HANDLER_NESTED &&
        ptio_tensor_ndim(ptio_value_tensor(ptio_value_item(ptio_node_arguments(value), 1))) != 2)
        refuse(v, "weights-only.nested", value->count,
               "PyTorch cannot read a nested tensor without components, weights_only or not");
}

static void judge_persistent(verdict *v, const ptio_value *value)
{
    const ptio_value *id = ptio_node_arguments(value);
    if (value->seen == PTIO_KIND_GLOBAL)
        refuse(v, "weights-only.persistent-id", value->count,
               "Only persistent_load of storage is allowed, but got a class of modules");
    else if (v->ckpt->container == PTIO_CONTAINER_LEGACY && value->seen == PTIO_KIND_STORAGE &&
             ptio_storage_is_untyped(ptio_meaning(value)))
        refuse(v, "weights-only.untyped", value->count,
               "PyTorch cannot read an UntypedStorage in a legacy stream, weights_only or not");
    else if (id->type == PTIO_NODE_TYPE_TUPLE && id->count != (v->ckpt->container == PTIO_CONTAINER_LEGACY ? 6u : 5u))
        refuse(v, "weights-only.persistent-id", value->count,
               "the id of a storage has another number of items than PyTorch unpacks");
    else if (id->type != PTIO_NODE_TYPE_TUPLE && id->type != PTIO_NODE_TYPE_INT)
        refuse(v, "weights-only.persistent-id", value->count, "persistent_load id must be tuple or int");
}

/* Keys and items of sets that are made by calls: those of opcodes the loader has refused. */
static void judge_key(verdict *v, const ptio_value *key)
{
    if (key->type == PTIO_NODE_TYPE_REDUCED && ptio_weights_unhashable(key))
        refuse_called(v, "weights-only.key", key, "a key or item of a set cannot be hashed:");
}

static void judge_keys(verdict *v, const ptio_graph *graph)
{
    for (size_t i = 0; i < graph->dict_count; i++)
        for (size_t k = 0; k < graph->dicts[i]->head.count; k++)
            judge_key(v, graph->dicts[i]->block->items[2 * k]);
}

/* set([…]) */
static void judge_set(verdict *v, const ptio_value *value)
{
    for (size_t i = 0; value->seen == PTIO_KIND_SET && i < ptio_value_count(value); i++)
        judge_key(v, ptio_value_item(value, i));
}

static void judge_part(verdict *v, const ptio_pickle_part *part)
{
    v->part = part;
    judge_opcodes(v);
    for (size_t i = 0; i < part->graph.object_count; i++) {
        const ptio_value *value = part->graph.objects[i];
        switch (value->type) {
        case PTIO_NODE_TYPE_GLOBAL: judge_global(v, value); break;
        case PTIO_NODE_TYPE_PERSISTENT: judge_persistent(v, value); break;
        default:
            judge_reduced(v, value);
            judge_set(v, value);
            break;
        }
    }
    judge_keys(v, &part->graph);
}

bool ptio_weights_only_loads(const ptio_checkpoint *ckpt, const ptio_safe_rules *rules, ptio_report *report, ptio_error *err)
{
    verdict v = {.ckpt = ckpt, .rules = *rules, .report = report, .err = err, .loads = true};
    switch (ckpt->container) {
    case PTIO_CONTAINER_ZIP:
    case PTIO_CONTAINER_LEGACY:
        for (const ptio_pickle_part *part = ckpt->parts; part; part = part->next)
            judge_part(&v, part);
        break;
    case PTIO_CONTAINER_SAFETENSORS: break; /* no pickle; torch.load opens it by its name */
    case PTIO_CONTAINER_TAR:
        refuse(&v, "weights-only.container", PTIO_NO_OFFSET,
               "Cannot use weights_only=True with files saved in the legacy .tar format.");
        break;
    case PTIO_CONTAINER_TORCHSCRIPT:
        refuse(&v, "weights-only.container", PTIO_NO_OFFSET,
               "Cannot use weights_only=True with TorchScript archives passed to torch.load.");
        break;
    default: refuse(&v, "weights-only.container", PTIO_NO_OFFSET, "torch.load does not read this container"); break;
    }
    return v.loads;
}
