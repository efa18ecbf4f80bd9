/*
 * Tensors, as PyTorch prints them:
 *
 *     tensor([[ 0.1000, -2.0000],       prefix and body: the elements, or the parts of a composed tensor
 *             [ 3.0000,  0.5000]],
 *            dtype=torch.float64,       suffixes: what is not as usual, broken at 80 columns
 *            requires_grad=True)
 *
 * Only the elements that are shown are looked at. Where PyTorch has no text (dtypes without arithmetic, tensors without memory) the
 * body is "...". Composed tensors are one level deep: their parts are strided. Source: torch/_tensor_str.py.
 */
#include "base/number_text.h"
#include "print/repr_tensor.h"

#include "archive/archive.h"
#include "base/text.h"
#include "print/cell.h"
#include "print/window.h"
#include "tensor/pieces.h"

/* A piece of the text of a tensor. `column` counts from the last line break, as the suffixes are set by it. */
typedef struct job {
    ptio_out *out;
    const ptio_tensor_style *style;
    size_t column;
    ptio_status status;
} job;

static void put(job *j, const char *string)
{
    ptio_out_string(j->out, string);
    j->column += strlen(string);
}

static void break_line(job *j, size_t indent)
{
    ptio_out_char(j->out, '\n');
    ptio_out_repeat(j->out, ' ', indent);
    j->column = indent;
}

static ptio_status fail(job *j, ptio_status status)
{
    if (j->status == PTIO_OK)
        j->status = status;
    return j->status;
}

/* ---- the elements of a strided tensor ---- */

static bool is_quantized(const ptio_tensor *tensor)
{
    return ptio_tensor_quantizer(tensor).scheme != PTIO_NOT_QUANTIZED;
}

static void write_grid(job *j, ptio_grid *grid, ptio_cells *cells, size_t indent)
{
    uint64_t shown = ptio_grid_shown(grid);
    if (shown > j->style->most) {
        (void)fail(j, ptio_fail(j->out->err, PTIO_ERR_LIMIT, "limit.walk", PTIO_NO_OFFSET,
                                "a tensor would show %llu elements, more than walk_nodes allows", (unsigned long long)shown));
        return;
    }
    if (!ptio_cells_fit(cells, grid))
        return;
    ptio_grid_style style = {.indent = indent, .width = ptio_cells_width(cells), .cell = ptio_cells_text, .ctx = cells};
    style.line_width = j->style->line_width;
    j->column = ptio_grid_write(grid, &style, j->out);
}

/* Where the brackets of a tensor are written: the ctx of write_shown(). */
typedef struct place {
    job *j;
    ptio_cells *cells;
    size_t indent;
} place;

static void write_shown(void *ctx, ptio_grid *grid)
{
    place *at = ctx;
    write_grid(at->j, grid, at->cells, at->indent);
}

static bool has_elements(const ptio_tensor *tensor)
{
    return ptio_tensor_storage(tensor) && (is_quantized(tensor) || ptio_cells_can_show(ptio_tensor_dtype(tensor)));
}

/* The brackets of a strided tensor. `indent` is the column they begin at in the layout; the text may really stand elsewhere. */
static void body(job *j, const ptio_tensor *tensor, size_t indent)
{
    if (!ptio_tensor_numel(tensor)) {
        put(j, "[]");
        return;
    }
    if (!has_elements(tensor)) {
        put(j, "...");
        return;
    }
    ptio_grid grid = {.edge = j->style->edge, .cut = ptio_tensor_numel(tensor) > j->style->threshold};
    ptio_cells cells = {.dtype = ptio_tensor_dtype(tensor), .format = j->style->format};
    ptio_storage_pieces pieces;
    if (is_quantized(tensor))
        cells.dtype = PTIO_FLOAT32; /* the numbers that the ints stand for */
    if (is_quantized(tensor) || ptio_tensor_in_pieces(tensor, &pieces)) {
        place at = {j, &cells, indent};
        (void)fail(j, ptio_window_show(tensor, cells.dtype, &grid, j->style->heap, write_shown, &at, j->out->err));
        return;
    }
    const void *data;
    ptio_status status = ptio_tensor_data(tensor, &data, j->out->err);
    if (status != PTIO_OK) {
        (void)fail(j, status);
        return;
    }
    grid.base = data;
    cells.conj = ptio_tensor_is_conj(tensor);
    cells.neg = ptio_tensor_is_neg(tensor);
    ptio_grid_shape(&grid, tensor, ptio_tensor_stride(tensor), ptio_dtype_itemsize(cells.dtype));
    write_grid(j, &grid, &cells, indent);
}

/* ---- devices ---- */

/* Of "cuda" and "mps" PyTorch takes the first device. */
ptio_text ptio_device_shown(ptio_text location)
{
    return ptio_text_is(location, "cuda") ? PTIO_TEXT("cuda:0") : ptio_text_is(location, "mps") ? PTIO_TEXT("mps:0") : location;
}

/* ---- suffixes ---- */

/* Suffixes are set one after the other. `size` of a suffix counts all its bytes, its line breaks too, as PyTorch does. */
typedef struct suffixes {
    job *j;
    size_t indent, column;
    bool force; /* the next one begins a line */
} suffixes;

static suffixes suffixes_begin(job *j, size_t indent, bool force)
{
    return (suffixes){.j = j, .indent = indent, .column = j->column + 2, .force = force};
}

static void suffix_place(suffixes *s, size_t size)
{
    if (s->force || s->column + size + 2 > s->j->style->line_width) {
        ptio_out_char(s->j->out, ',');
        break_line(s->j, s->indent);
        s->column = s->indent + size;
        s->force = false;
    } else {
        ptio_out_string(s->j->out, ", ");
        s->column += size + 2;
    }
}

static void suffix(suffixes *s, const char *name, const char *value)
{
    suffix_place(s, strlen(name) + strlen(value));
    put(s->j, name);
    put(s->j, value);
}

static void suffix_int(suffixes *s, const char *name, int64_t value)
{
    char digits[32];
    (void)snprintf(digits, sizeof digits, "%lld", (long long)value);
    suffix(s, name, digits);
}

static void put_sizes(ptio_out *out, const ptio_tensor *tensor)
{
    for (size_t i = 0; i < ptio_tensor_ndim(tensor); i++) {
        if (i)
            ptio_out_string(out, ", ");
        ptio_out_i64(out, ptio_tensor_shape(tensor)[i]);
    }
}

/* (2, 3), (3,) or () */
static void put_shape(ptio_out *out, const ptio_tensor *tensor)
{
    ptio_out_char(out, '(');
    put_sizes(out, tensor);
    ptio_out_string(out, ptio_tensor_ndim(tensor) == 1 ? ",)" : ")");
}

void ptio_repr_shape(ptio_out *out, const ptio_tensor *tensor)
{
    ptio_out_string(out, "torch.Size([");
    put_sizes(out, tensor);
    ptio_out_string(out, "])");
}

static int count_only(void *ctx, const char *text, size_t size)
{
    (void)text;
    *(size_t *)ctx += size;
    return 0;
}

/* The size of a text, found by writing it to nowhere. */
static ptio_out counter(job *j, size_t *size)
{
    ptio_out out;
    *size = 0;
    ptio_out_init(&out, count_only, size, j->out->err);
    return out;
}

static void suffix_shape(suffixes *s, const ptio_tensor *tensor)
{
    size_t size;
    ptio_out measure = counter(s->j, &size);
    put_shape(&measure, tensor);
    (void)ptio_out_flush(&measure);
    suffix_place(s, size + strlen("size="));
    ptio_out_string(s->j->out, "size=");
    put_shape(s->j->out, tensor);
}

/* Where a tensor was when it was saved, as its storage or that of its first part tells. */
static ptio_text place_of(const ptio_tensor *tensor)
{
    while (!ptio_tensor_storage(tensor) && ptio_tensor_part_count(tensor))
        tensor = ptio_tensor_part(tensor, 0, NULL);
    return ptio_device_shown(ptio_storage_location(ptio_tensor_storage(tensor)));
}

/* device='cuda:0' */
static void suffix_device(suffixes *s, const ptio_tensor *tensor)
{
    ptio_text where = ptio_tensor_device(tensor);
    if (ptio_text_is(where, "cpu") && s->j->style->devices)
        where = place_of(tensor);
    if (!where.size || ptio_text_is(where, "cpu"))
        return;
    size_t size;
    ptio_out measure = counter(s->j, &size);
    ptio_repr_str(&measure, where);
    (void)ptio_out_flush(&measure);
    suffix_place(s, size + strlen("device="));
    ptio_out_string(s->j->out, "device=");
    ptio_repr_str(s->j->out, where);
}

/* tensor([...], dtype=...): the scales and zero points of a channel. */
static void put_small(job *j, const ptio_tensor *tensor)
{
    put(j, "tensor(");
    body(j, tensor, strlen("tensor("));
    ptio_dtype dtype = ptio_tensor_dtype(tensor);
    suffixes s = suffixes_begin(j, strlen("tensor("), false);
    bool meta = ptio_tensor_is_meta(tensor);
    suffix_device(&s, tensor);
    if (meta || !j->style->edge)
        suffix_shape(&s, tensor);
    if (dtype != PTIO_FLOAT32 && (dtype != PTIO_INT64 || meta || !ptio_tensor_numel(tensor)))
        suffix(&s, "dtype=torch.", ptio_dtype_name(dtype));
    put(j, ")");
}

static void suffix_tensor(suffixes *s, const char *name, const ptio_tensor *tensor)
{
    size_t size;
    ptio_out measure = counter(s->j, &size);
    job dry = {.out = &measure, .style = s->j->style};
    put_small(&dry, tensor);
    (void)ptio_out_flush(&measure);
    suffix_place(s, size + strlen(name));
    ptio_out_string(s->j->out, name);
    job wet = {.out = s->j->out, .style = s->j->style};
    put_small(&wet, tensor);
    (void)fail(s->j, wet.status);
}

static const ptio_tensor *part(const ptio_tensor *tensor, const char *wanted)
{
    size_t count = ptio_tensor_part_count(tensor);
    for (size_t i = 0; i < count; i++) {
        const char *name = "";
        const ptio_tensor *found = ptio_tensor_part(tensor, i, &name);
        if (strcmp(name, wanted) == 0)
            return found;
    }
    return NULL;
}

static void quantizer_suffixes(suffixes *s, const ptio_tensor *tensor)
{
    ptio_quantizer q = ptio_tensor_quantizer(tensor);
    suffix(s, "quantization_scheme=", ptio_qscheme_name(q.scheme));
    if (q.scheme == PTIO_PER_TENSOR_AFFINE) {
        char scale[32];
        (void)ptio_format_float(scale, q.scale);
        suffix(s, "scale=", scale);
        suffix_int(s, "zero_point=", q.zero_point);
        return;
    }
    const ptio_tensor *scales = part(tensor, "scales"), *zero_points = part(tensor, "zero_points");
    if (scales && zero_points) {
        suffix_tensor(s, "scale=", scales);
        suffix_tensor(s, "zero_point=", zero_points);
    }
    suffix_int(s, "axis=", q.axis);
}

static bool is_usual(ptio_dtype dtype)
{
    return dtype == PTIO_FLOAT32 || dtype == PTIO_COMPLEX64 || dtype == PTIO_INT64 || dtype == PTIO_BOOL;
}

/* ---- the kinds of tensors ---- */

static bool is_sparse(const ptio_tensor *tensor)
{
    ptio_layout layout = ptio_tensor_layout(tensor);
    return layout >= PTIO_SPARSE_COO && layout <= PTIO_SPARSE_BSC;
}

static bool is_nested(const ptio_tensor *tensor)
{
    ptio_layout layout = ptio_tensor_layout(tensor);
    return layout == PTIO_NESTED || layout == PTIO_JAGGED;
}

/* What PyTorch calls the parts: "crow" of the file is "crow_indices". */
static const char *part_title(const char *name)
{
    static const char *const titles[][2] = {{"crow", "crow_indices=tensor("},
                                            {"col", "col_indices=tensor("},
                                            {"ccol", "ccol_indices=tensor("},
                                            {"row", "row_indices=tensor("},
                                            {"indices", "indices=tensor("}};
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (strcmp(titles[i][0], name) == 0)
            return titles[i][1];
    return "values=tensor(";
}

static void sparse_body(job *j, const ptio_tensor *tensor, size_t indent)
{
    size_t count = ptio_tensor_part_count(tensor);
    for (size_t i = 0; i < count; i++) {
        const char *name = "";
        const ptio_tensor *p = ptio_tensor_part(tensor, i, &name);
        if (i) {
            ptio_out_char(j->out, ',');
            break_line(j, indent);
        }
        const char *title = part_title(name);
        put(j, title);
        body(j, p, indent + strlen(title));
        if (ptio_tensor_is_meta(p) || !ptio_tensor_numel(p)) {
            put(j, ", size=");
            uint64_t start = ptio_out_position(j->out);
            put_shape(j->out, p);
            j->column += (size_t)(ptio_out_position(j->out) - start);
        }
        put(j, ")");
    }
}

static int64_t sparse_nnz(const ptio_tensor *tensor)
{
    size_t count = ptio_tensor_part_count(tensor);
    const ptio_tensor *indices = count >= 2 ? ptio_tensor_part(tensor, count - 2, NULL) : NULL;
    size_t ndim = ptio_tensor_ndim(indices);
    return ndim ? ptio_tensor_shape(indices)[ndim - 1] : 0;
}

/* Everything in the parentheses of a tensor that is not nested, and the last of them. */
static void inside(job *j, const ptio_tensor *tensor, size_t indent)
{
    bool sparse = is_sparse(tensor), meta = ptio_tensor_is_meta(tensor);
    ptio_dtype dtype = ptio_tensor_dtype(tensor);
    bool shown = sparse || (ptio_tensor_numel(tensor) && has_elements(tensor));
    if (sparse)
        sparse_body(j, tensor, indent);
    else if (meta)
        put(j, "...");
    else
        body(j, tensor, indent);
    suffixes s = suffixes_begin(j, indent, ptio_tensor_layout(tensor) == PTIO_SPARSE_COO);
    suffix_device(&s, tensor);
    bool empty = !sparse && !meta && !ptio_tensor_numel(tensor);
    if (sparse || is_quantized(tensor) || !shown || !j->style->edge)
        if (!empty || ptio_tensor_ndim(tensor) != 1 || is_quantized(tensor))
            suffix_shape(&s, tensor);
    if (sparse && !meta)
        suffix_int(&s, "nnz=", sparse_nnz(tensor));
    if (shown || is_quantized(tensor) ? !is_usual(dtype) : dtype != PTIO_FLOAT32)
        suffix(&s, "dtype=torch.", ptio_dtype_name(dtype));
    if (is_quantized(tensor))
        quantizer_suffixes(&s, tensor);
    if (sparse)
        suffix(&s, "layout=", ptio_layout_name(ptio_tensor_layout(tensor)));
    /* torch.load() makes compressed tensors by an operation, of which they are results; Parameters are not. */
    bool result = sparse && ptio_tensor_layout(tensor) != PTIO_SPARSE_COO && !ptio_tensor_is_parameter(tensor);
    if (ptio_tensor_requires_grad(tensor) && result)
        suffix(&s, "grad_fn=", "<SparseCompressedTensorBackward0>");
    else if (ptio_tensor_requires_grad(tensor))
        suffix(&s, "requires_grad=", "True");
    put(j, ")");
}

/* Lines set in by two columns. */
static int indented(void *ctx, const char *text, size_t size)
{
    ptio_out *out = ctx;
    for (size_t i = 0; i < size; i++) {
        ptio_out_char(out, text[i]);
        if (text[i] == '\n')
            ptio_out_string(out, "  ");
    }
    return out->status == PTIO_OK ? 0 : -1;
}

static void nested_inside(job *j, const ptio_tensor *tensor)
{
    ptio_out_char(j->out, '[');
    size_t count = ptio_tensor_part_count(tensor), shown = 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = "";
        const ptio_tensor *component = ptio_tensor_part(tensor, i, &name);
        if (name[0] < '0' || name[0] > '9')
            continue; /* what it was saved with: the components tell the same */
        ptio_out_string(j->out, shown++ ? ",\n  " : "\n  ");
        ptio_out inner;
        ptio_out_init(&inner, indented, j->out, j->out->err);
        job part_job = {.out = &inner, .style = j->style};
        put(&part_job, "tensor(");
        inside(&part_job, component, strlen("tensor("));
        (void)ptio_out_flush(&inner);
        (void)fail(j, part_job.status);
    }
    ptio_out_string(j->out, shown ? "\n]" : "\n\n]");
    j->column = 1;
    suffixes s = suffixes_begin(j, strlen("nested_tensor("), false);
    suffix_device(&s, tensor);
    /* torch.load() makes it by an operation on its buffer; a Parameter is no result. */
    if (ptio_tensor_requires_grad(tensor) && ptio_tensor_is_parameter(tensor))
        suffix(&s, "requires_grad=", "True");
    else if (ptio_tensor_requires_grad(tensor))
        suffix(&s, "grad_fn=", "<NestedViewFromBufferBackward0>");
    put(j, ")");
}

/* NestedTensor(size=(2, j1), offsets=tensor([0, 2, 5]), contiguous=True): j1 stands for the lengths, which differ. PyTorch counts such
 * symbols while a process runs; here each is the first. */
static void jagged(job *j, const ptio_tensor *tensor)
{
    const ptio_tensor *values = part(tensor, "values"), *offsets = part(tensor, "offsets");
    size_t ragged = tensor->ragged;
    put(j, "NestedTensor(size=(");
    ptio_out_i64(j->out, ptio_tensor_numel(offsets) ? (int64_t)ptio_tensor_numel(offsets) - 1 : 0);
    for (size_t i = 0; i < ptio_tensor_ndim(values); i++) {
        ptio_out_string(j->out, i == ragged ? ", j1" : ", ");
        if (i != ragged)
            ptio_out_i64(j->out, ptio_tensor_shape(values)[i]);
    }
    put(j, "), offsets=");
    put_small(j, offsets);
    put(j, ptio_tensor_requires_grad(tensor) ? ", requires_grad=True" : "");
    bool contiguous = !part(tensor, "lengths") && ptio_tensor_is_contiguous(values);
    put(j, contiguous ? ", contiguous=True)" : ", contiguous=False)");
}

/* "MyTensor" of "__main__.MyTensor". */
static ptio_text last_name(ptio_text name)
{
    size_t start = name.size;
    while (start > 0 && name.bytes[start - 1] != '.')
        start--;
    return (ptio_text){name.bytes + start, name.size - start};
}

static bool is_plain_class(ptio_text name)
{
    return !name.size || ptio_text_is(name, "torch.Tensor") || ptio_text_starts(name, "torch.nn.parameter.") ||
           ptio_text_starts(name, "numpy.");
}

ptio_status ptio_repr_tensor(ptio_out *out, const ptio_tensor *tensor, ptio_text class_name, const ptio_tensor_style *style)
{
    job j = {.out = out, .style = style};
    bool plain = is_plain_class(class_name), parameter = ptio_tensor_is_parameter(tensor);
    if (parameter)
        ptio_out_string(out, plain ? "Parameter containing:\n" : "Parameter(");
    uint64_t start = ptio_out_position(out);
    if (ptio_tensor_layout(tensor) == PTIO_JAGGED) {
        jagged(&j, tensor);
    } else if (is_nested(tensor)) {
        put(&j, "nested_tensor(");
        nested_inside(&j, tensor);
    } else {
        if (plain)
            ptio_out_string(out, "tensor");
        else
            ptio_repr_escaped(out, last_name(class_name));
        ptio_out_char(out, '(');
        j.column = (size_t)(ptio_out_position(out) - start);
        inside(&j, tensor, j.column);
    }
    if (parameter && !plain)
        ptio_out_char(out, ')');
    return j.status;
}
