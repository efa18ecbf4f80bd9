/*
 * Text that is set in or held back on its way out.
 *
 * The lines of a module stand two columns further in than those of the module around it: a layer adds the blanks behind each newline.
 * And two texts are needed before they can be written: a module's own line, since only then it is known whether the module takes one
 * line; and a child of a ModuleList, which is written once where the next ones read the same. These are held in memory.
 */
#include "print/printer.h"

static int keep(ptio_layer *layer, const char *text, size_t size)
{
    size_t need;
    if (!ptio_add_size(layer->size, size, &need))
        return -1;
    if (need > layer->capacity) {
        void *moved = ptio_heap_grow(layer->heap, layer->text, &layer->capacity, need, 1);
        if (!moved) {
            layer->failure = ptio_heap_fail(layer->heap, layer->out.err, "printing");
            return -1;
        }
        layer->text = moved;
    }
    memcpy(layer->text + layer->size, text, size);
    layer->size = need;
    return 0;
}

static int put(ptio_layer *layer, const char *text, size_t size)
{
    if (layer->held)
        return keep(layer, text, size);
    ptio_out_bytes(layer->below, text, size);
    return layer->below->status == PTIO_OK ? 0 : -1;
}

static int put_blanks(ptio_layer *layer, size_t count)
{
    static const char blanks[] = "                                ";
    while (count) {
        size_t n = count < sizeof blanks - 1 ? count : sizeof blanks - 1;
        if (put(layer, blanks, n) != 0)
            return -1;
        count -= n;
    }
    return 0;
}

static int pass(void *ctx, const char *text, size_t size)
{
    ptio_layer *layer = ctx;
    while (size) {
        const char *newline = memchr(text, '\n', size);
        size_t n = newline ? (size_t)(newline - text) + 1 : size;
        if (put(layer, text, n) != 0 || (newline && put_blanks(layer, layer->indent) != 0))
            return -1;
        text += n;
        size -= n;
    }
    return 0;
}

ptio_layer *ptio_push_layer(ptio_printer *p, bool held)
{
    ptio_layer *layer = ptio_heap_resize(&p->heap, NULL, 0, sizeof *layer);
    if (!layer) {
        ptio_printer_fail(p, ptio_heap_fail(&p->heap, p->out->err, "printing"));
        return NULL;
    }
    layer->outer = p->layers;
    layer->below = p->out;
    layer->indent = 0;
    layer->held = held;
    layer->text = NULL;
    layer->size = layer->capacity = 0;
    layer->group_first = layer->group_count = 0;
    layer->failure = PTIO_OK;
    layer->heap = &p->heap;
    ptio_out_init(&layer->out, pass, layer, p->out->err);
    p->layers = layer;
    p->out = &layer->out;
    return layer;
}

static void flush(ptio_printer *p)
{
    ptio_layer *layer = p->layers;
    ptio_status status = ptio_out_flush(&layer->out);
    if (layer->failure != PTIO_OK)
        status = layer->failure;
    else if (layer->below->status != PTIO_OK)
        status = layer->below->status;
    if (status != PTIO_OK)
        ptio_printer_fail(p, status);
}

ptio_held ptio_take_layer(ptio_printer *p)
{
    ptio_layer *layer = p->layers;
    flush(p);
    ptio_held held = {layer->text, layer->size, layer->capacity};
    p->out = layer->below;
    p->layers = layer->outer;
    ptio_heap_free(&p->heap, layer, sizeof *layer);
    return held;
}

void ptio_pop_layer(ptio_printer *p)
{
    ptio_held held = ptio_take_layer(p);
    ptio_heap_free(&p->heap, held.text, held.capacity);
}

void ptio_layer_indent(ptio_printer *p, int columns)
{
    flush(p);
    p->layers->indent = (size_t)((ptrdiff_t)p->layers->indent + columns);
}
