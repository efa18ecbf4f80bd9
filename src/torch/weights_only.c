/*
 * The verdict of weights_only: the opcodes that its unpickler knows, the globals that it allows, and its rules for NEWOBJ, REDUCE,
 * BUILD, items and persistent ids, applied to the whole pickle.
 *
 * Source: torch/_weights_only_unpickler.py of 2.13
 */
#include "torch/weights_only.h"

#include <stdio.h>

#include "pickle/opcode.h"

typedef struct verdict {
    const ptio_checkpoint *ckpt;
    const ptio_pickle_part *part;
    ptio_report *report;
    ptio_error *err;
    bool loads;
} verdict;

static void refuse(verdict *v, const char *reason, uint64_t offset, const char *message)
{
    v->loads = false;
    ptio_text record = v->part ? v->part->record : (ptio_text){NULL, 0};
    ptio_report_add(v->report, PTIO_REFUSED, reason, record, offset, "%s", message);
    if (v->err && v->err->status == PTIO_OK) {
        (void)ptio_fail(v->err, PTIO_ERR_DENIED, reason, offset, "weights_only refuses the file: %s", message);
        if (v->part)
            (void)ptio_error_in_record(v->err, PTIO_ERR_DENIED, record);
    }
}

/* ---- opcodes ---- */

static bool is_known_opcode(uint8_t opcode)
{
    /* PROTO STOP MARK NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINSTRING EMPTY_TUPLE TUPLE TUPLE1-3
     * EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS EMPTY_SET BINGET LONG_BINGET BINPUT LONG_BINPUT GLOBAL NEWOBJ REDUCE BUILD BINPERSID */
    static const char known[] = "\x80.(N\x88\x89JKM\x8aGXU)t\x85\x86\x87]ae}su\x8fhjqrc\x81RbQ";
    return memchr(known, opcode, sizeof known - 1) != NULL;
}

static void judge_opcodes(verdict *v)
{
    bool told[256] = {false};
    const ptio_graph *graph = &v->part->graph;
    ptio_instruction instruction;
    uint64_t need;
    for (size_t at = 0; at < graph->size; at = instruction.end) {
        /* The pickle ran, so its opcodes can be read. */
        if (ptio_opcode_read(graph->bytes, graph->size, at, v->ckpt->limits.line_bytes, &instruction, &need, NULL) != PTIO_OK ||
            need)
            return;
        if (is_known_opcode(instruction.byte) || told[instruction.byte])
            continue;
        told[instruction.byte] = true;
        char message[160];
        (void)snprintf(message, sizeof message, "Unsupported operand %u (opcode %s, first met here)", instruction.byte,
                       instruction.info->name);
        refuse(v, "weights-only.opcode", at, message);
    }
}

/* ---- globals ---- */

/* The names that this unpickler maps from Python 2 are fewer than those of the other, and it maps them at any protocol. */
static void map_name(ptio_text *module, ptio_text *name)
{
    static const char *const modules[] = {"__builtin__", "copy_reg",   "Queue",   "repr",     "_abcoll",   "UserDict",
                                          "UserList",    "UserString", "whichdb", "StringIO", "cStringIO", "itertools"};
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        if (ptio_text_is(*module, modules[i])) {
            ptio_python3_name(module, name);
            return;
        }
    }
    if (ptio_text_is(*module, "exceptions") && ptio_text_is(*name, "StandardError"))
        ptio_python3_name(module, name);
}

static bool is_blocked_module(ptio_text module)
{
    return ptio_text_is(module, "sys") || ptio_text_is(module, "os") || ptio_text_is(module, "posix") ||
           ptio_text_is(module, "nt");
}

static void judge_global(verdict *v, const ptio_value *value)
{
    ptio_text module_text = ptio_node_module(value), name_text = ptio_node_qualname(value);
    map_name(&module_text, &name_text);
    if (ptio_global_is_safe(module_text, name_text))
        return;
    char message[1024];
    ptio_quoted module = ptio_quote(module_text), name = ptio_quote(name_text);
    if (is_blocked_module(module_text)) {
        (void)snprintf(message, sizeof message, "Trying to load unsupported GLOBAL %s.%s whose module %s is blocked.",
                       module.text, name.text, module.text);
        refuse(v, "weights-only.blocked", value->count, message);
        return;
    }
    if (ptio_text_is(module_text, "torch._dynamo.decorators") && ptio_text_is(name_text, "_DimRange")) {
        ptio_report_add(v->report, PTIO_NOTE, "weights-only.import", v->part->record, value->count,
                        "torch.nested and torch._dynamo must be imported before weights_only loads nested jagged tensors");
        return;
    }
    bool builtin = ptio_text_is(module_text, "builtins");
    (void)snprintf(
        message, sizeof message,
        "GLOBAL %s%s%s was not an allowed global by default; to allow it: torch.serialization.add_safe_globals([%s%s%s])",
        builtin ? "" : module.text, builtin ? "" : ".", name.text, builtin ? "" : module.text, builtin ? "" : ".", name.text);
    refuse(v, "weights-only.global", value->count, message);
}

/* ---- objects ---- */

static const char *callable_name(const ptio_value *callable, ptio_quoted *buffer)
{
    const ptio_global *global = ptio_value_global(callable);
    *buffer = ptio_quote(global ? global->full_name : PTIO_TEXT("an object"));
    return buffer->text;
}

/* Classes in the default list: only they may be made by NEWOBJ. */
static bool is_safe_class(const ptio_global *global)
{
    switch (global ? global->handler : PTIO_HANDLER_NONE) {
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
    case PTIO_HANDLER_COUNTER: return global->safe;
    default: return false;
    }
}

/* What BUILD may be done to: Tensor, Parameter, OrderedDict, Counter, set; all by their exact type. */
static bool may_be_built(const ptio_value *value)
{
    if (value->seen == PTIO_KIND_TENSOR || value->seen == PTIO_KIND_SET)
        return true;
    const ptio_global *global = ptio_value_global(ptio_node_callable(value));
    return global && (global->handler == PTIO_HANDLER_ORDERED_DICT || global->handler == PTIO_HANDLER_COUNTER);
}

static void judge_reduced(verdict *v, const ptio_value *value)
{
    char message[512];
    ptio_quoted name;
    const ptio_value *callable = ptio_node_callable(value);
    const ptio_global *global = ptio_value_global(callable);
    if (value->opcode == 0x81 && callable->type == PTIO_NODE_TYPE_GLOBAL && global->safe && !is_safe_class(global)) {
        (void)snprintf(message, sizeof message,
                       "Can only create new object for nn.Parameter or classes allowlisted via `add_safe_globals` but got %s",
                       callable_name(callable, &name));
        refuse(v, "weights-only.newobj", value->count, message);
    }
    if (value->opcode == 'R' && callable->type != PTIO_NODE_TYPE_GLOBAL)
        refuse(v, "weights-only.reduce", value->count, "Trying to call reduce for unrecognized function, which is no global");
    /* What hangs on an object of a class that is refused anyway says no more. */
    if (!global || !global->safe)
        return;
    if (ptio_node_state_count(value) && !may_be_built(value)) {
        (void)snprintf(message, sizeof message,
                       "Can only build Tensor, Parameter, OrderedDict or types allowlisted via `add_safe_globals`, but got %s",
                       callable_name(callable, &name));
        refuse(v, "weights-only.build", value->count, message);
    }
    if (global->handler == PTIO_HANDLER_NESTED &&
        ptio_tensor_ndim(ptio_value_tensor(ptio_value_item(ptio_node_arguments(value), 1))) != 2)
        refuse(v, "weights-only.nested", value->count,
               "PyTorch cannot read a nested tensor without components, weights_only or not");
    bool dict = global->handler == PTIO_HANDLER_ORDERED_DICT || global->handler == PTIO_HANDLER_COUNTER;
    if (ptio_node_entry_count(value) && !dict)
        refuse(v, "weights-only.setitem", value->count,
               "Can only SETITEM for dict, collections.OrderedDict, collections.Counter");
    if (ptio_node_item_count(value))
        refuse(v, "weights-only.append", value->count, "Can only append to lists");
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
    else if (id->type != PTIO_NODE_TYPE_TUPLE && id->type != PTIO_NODE_TYPE_INT)
        refuse(v, "weights-only.persistent-id", value->count, "persistent_load id must be tuple or int");
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
        default: judge_reduced(v, value); break;
        }
    }
}

bool ptio_weights_only_loads(const ptio_checkpoint *ckpt, ptio_report *report, ptio_error *err)
{
    verdict v = {.ckpt = ckpt, .report = report, .err = err, .loads = true};
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

ptio_status ptio_weights_only_enforce(ptio_checkpoint *ckpt, ptio_error *err)
{
    return ptio_weights_only_loads(ckpt, NULL, err) ? PTIO_OK : PTIO_ERR_DENIED;
}
