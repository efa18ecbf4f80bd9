/*
 * Values that contain no others, and what str() makes of a value.
 */
#include "base/text.h"
#include "print/cell.h"
#include "print/form_word.h"
#include "print/repr_array.h"
#include "tensor/pieces.h"

static void write_device(ptio_printer *p, ptio_text name)
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

/* Whether a global is a function, as far as names tell: Class.method, and all of torch.nn.functional. */
static bool is_function(ptio_text name)
{
    ptio_text last = ptio_last_name(name);
    if (ptio_text_starts(name, "torch.nn.functional."))
        return true;
    if (last.size + 1 >= name.size || !last.size || (last.bytes[0] >= 'A' && last.bytes[0] <= 'Z'))
        return false;
    ptio_text owner = ptio_last_name((ptio_text){name.bytes, name.size - last.size - 1});
    return owner.size && owner.size + last.size + 1 < name.size && owner.bytes[0] >= 'A' && owner.bytes[0] <= 'Z';
}

/* Whether a global is a class, as far as names tell: those begin with a capital, but for some of the libraries. */
static bool is_class(ptio_text name)
{
    static const char *const modules[] = {"builtins.", "datetime.", "numpy.dtypes.", "itertools."};
    static const char *const classes[] = {"array.array",         "collections.defaultdict",
                                          "collections.deque",   "functools.partial",
                                          "numpy.bool",          "numpy.bool_",
                                          "numpy.bytes_",        "numpy.complex128",
                                          "numpy.complex64",     "numpy.datetime64",
                                          "numpy.dtype",         "numpy.float16",
                                          "numpy.float32",       "numpy.float64",
                                          "numpy.int16",         "numpy.int32",
                                          "numpy.int64",         "numpy.int8",
                                          "numpy.longdouble",    "numpy.matrix",
                                          "numpy.ndarray",       "numpy.object_",
                                          "numpy.recarray",      "numpy.record",
                                          "numpy.str_",          "numpy.timedelta64",
                                          "numpy.uint16",        "numpy.uint32",
                                          "numpy.uint64",        "numpy.uint8",
                                          "numpy.void",          "operator.attrgetter",
                                          "operator.itemgetter", "operator.methodcaller",
                                          "time.struct_time",    "torch.device",
                                          "torch.dtype",         "torch.layout",
                                          "torch.memory_format", "torch.qscheme"};
    ptio_text last = ptio_last_name(name);
    while (last.size && *last.bytes == '_')
        last = (ptio_text){last.bytes + 1, last.size - 1};
    if (last.size && *last.bytes >= 'A' && *last.bytes <= 'Z')
        return true;
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
        if (ptio_text_starts(name, modules[i]))
            return true;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (ptio_text_is(name, classes[i]))
            return true;
    return false;
}

/* Classes of builtins go without their module; its functions are no classes. */
static void write_global(ptio_printer *p, ptio_text name)
{
    static const char *const functions[] = {
        "abs",        "all",  "any",    "ascii",   "bin",     "callable", "chr",  "compile",   "delattr", "dir",   "divmod",
        "eval",       "exec", "format", "getattr", "globals", "hasattr",  "hash", "hex",       "id",      "input", "isinstance",
        "issubclass", "iter", "len",    "locals",  "max",     "min",      "next", "oct",       "open",    "ord",   "pow",
        "print",      "repr", "round",  "setattr", "sorted",  "sum",      "vars", "__import__"};
    bool builtin = ptio_text_starts(name, "builtins."), function = false;
    bool known = is_function(name);
    if (ptio_text_starts(name, PTIO_REGEX_FLAG)) {
        ptio_out_string(p->out, "re.");
        ptio_repr_escaped(p->out, (ptio_text){name.bytes + strlen(PTIO_REGEX_FLAG), name.size - strlen(PTIO_REGEX_FLAG)});
        return;
    }
    if (known || !is_class(name)) {
        ptio_out_string(p->out, known ? "<ptio function " : "<ptio global ");
        ptio_repr_escaped(p->out, name);
        ptio_out_char(p->out, '>');
        return;
    }
    if (builtin)
        name = (ptio_text){name.bytes + strlen("builtins."), name.size - strlen("builtins.")};
    for (size_t i = 0; builtin && i < sizeof functions / sizeof *functions; i++)
        function = function || ptio_text_is(name, functions[i]);
    ptio_out_string(p->out, function ? "<built-in function " : "<class '");
    ptio_repr_escaped(p->out, name);
    ptio_out_string(p->out, function ? ">" : "'>");
}

static void write_tensor(ptio_printer *p, const ptio_value *value)
{
    const ptio_tensor *tensor = ptio_value_tensor(value);
    ptio_allow_elements(p, ptio_storage_nbytes(ptio_tensor_storage(tensor)));
    ptio_printer_fail(p, ptio_repr_tensor(p->out, tensor, ptio_value_class(value), &p->tensors));
}

static void write_generator(ptio_printer *p, const ptio_value *value)
{
    ptio_out_string(p->out, "<ptio torch.Generator device=");
    ptio_repr_str(p->out, ptio_value_name(value));
    ptio_out_string(p->out, " seed=");
    ptio_printer_fail(p, ptio_repr_int(p->out, ptio_value_item(value, 0), &p->heap));
    ptio_out_char(p->out, '>');
}

void ptio_write_single(ptio_printer *p, const ptio_value *value)
{
    ptio_out *out = p->out;
    double real = 0, imag = 0;
    switch (ptio_value_kind(value)) {
    case PTIO_KIND_MISSING: ptio_out_string(out, "<ptio nothing>"); return;
    case PTIO_KIND_NONE: ptio_out_string(out, "None"); return;
    case PTIO_KIND_BOOL: ptio_out_string(out, ptio_value_bool(value) ? "True" : "False"); return;
    case PTIO_KIND_INT: ptio_printer_fail(p, ptio_repr_int(out, value, &p->heap)); return;
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
    case PTIO_KIND_BYTEARRAY: ptio_repr_bytearray(out, ptio_value_bytes(value)); return;
    case PTIO_KIND_GLOBAL: write_global(p, ptio_value_class(value)); return;
    case PTIO_KIND_TENSOR: write_tensor(p, value); return;
    case PTIO_KIND_STORAGE: ptio_printer_fail(p, ptio_repr_storage(out, ptio_value_storage(value), &p->tensors)); return;
    case PTIO_KIND_DEVICE: write_device(p, ptio_value_name(value)); return;
    case PTIO_KIND_DTYPE:
    case PTIO_KIND_LAYOUT:
    case PTIO_KIND_QSCHEME:
    case PTIO_KIND_MEMORY_FORMAT: ptio_repr_escaped(out, ptio_value_name(value)); return;
    case PTIO_KIND_GENERATOR: write_generator(p, value); return;
    case PTIO_KIND_NDARRAY: ptio_write_array(p, value); return;
    case PTIO_KIND_NPSCALAR: ptio_repr_npscalar(out, value, &p->heap); return;
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

void ptio_write_bare_text(ptio_printer *p, ptio_text text)
{
    if (p->raw)
        ptio_out_text(p->out, text);
    else
        ptio_repr_bare(p->out, text);
}

/* A tensor of no dimensions is formatted as its element. */
static bool write_item(ptio_printer *p, const ptio_value *value)
{
    const ptio_tensor *tensor = ptio_value_tensor(value);
    char element[16];
    ptio_dtype dtype = ptio_tensor_dtype(tensor);
    ptio_quantizer q = ptio_tensor_quantizer(tensor);
    if (ptio_tensor_ndim(tensor) || ptio_tensor_is_parameter(tensor) || ptio_tensor_layout(tensor) != PTIO_STRIDED || q.scheme ||
        ptio_tensor_is_meta(tensor) || !ptio_cells_can_show(dtype) ||
        ptio_tensor_copy_only(tensor, NULL, dtype, element, ptio_dtype_itemsize(dtype), NULL) != PTIO_OK)
        return false;
    ptio_repr_element(p->out, dtype, element);
    return true;
}

void ptio_write_plain(ptio_printer *p, const ptio_value *value)
{
    value = ptio_as_edited(p, value);
    switch (ptio_value_kind(value)) {
    case PTIO_KIND_STR: ptio_write_bare_text(p, ptio_value_str(value)); return;
    case PTIO_KIND_DEVICE: ptio_repr_escaped(p->out, ptio_value_name(value)); return;
    case PTIO_KIND_NDARRAY: ptio_write_plain_array(p, value); return;
    case PTIO_KIND_NPSCALAR: ptio_write_plain_scalar(p, value); return;
    case PTIO_KIND_NPDTYPE: ptio_str_npdtype(p->out, value); return;
    case PTIO_KIND_TENSOR:
        if (!write_item(p, value))
            ptio_write_value(p, value);
        return;
    default:
        if (!ptio_form_plain(p, value))
            ptio_write_value(p, value);
    }
}
