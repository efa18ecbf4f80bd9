/*
 * Elements of NumPy's arrays that are no numbers: texts in UTF-32, bytes, and bytes without a meaning.
 */
#include "base/text.h"
#include "print/numpy_cell.h"
#include "print/repr.h"

/* Texts of elements that are no numbers are written to memory first, and cut where they are long. */
typedef struct short_text {
    char *text;
    size_t used;
} short_text;

static int keep(void *ctx, const char *text, size_t size)
{
    short_text *s = ctx;
    size_t room = PTIO_CELL_ROOM - 4 - s->used, n = size < room ? size : room;
    memcpy(s->text + s->used, text, n);
    s->used += n;
    if (n == size)
        return 0;
    memcpy(s->text + s->used, "...", 3);
    s->used += 3;
    return -1;
}

/* Four bytes for each character, filled up with NULs. */
static void put_characters(ptio_out *out, const ptio_npcells *cells, const char *element)
{
    char text[PTIO_CELL_ROOM];
    size_t used = 0, size = cells->itemsize;
    for (size_t i = 0; i + 4 <= size && used + 4 <= sizeof text; i += 4) {
        uint32_t character;
        memcpy(&character, element + i, 4);
        if (cells->code.swapped)
            character = ptio_swap32(character);
        if (character > 0x10FFFF)
            break;
        used += ptio_utf8_encode(character, text + used);
    }
    while (used && !text[used - 1])
        used--;
    ptio_repr_str(out, (ptio_text){text, used});
}

/* Bytes without a meaning: each by its number. */
static void put_void(ptio_out *out, const char *element, size_t size)
{
    ptio_out_string(out, "b'");
    for (size_t i = 0; i < size; i++) {
        ptio_out_string(out, "\\x");
        ptio_out_char(out, "0123456789ABCDEF"[(unsigned char)element[i] >> 4]);
        ptio_out_char(out, "0123456789ABCDEF"[(unsigned char)element[i] & 15]);
    }
    ptio_out_char(out, '\'');
}

size_t ptio_npcells_other(const ptio_npcells *cells, const char *element, char *text)
{
    short_text s = {.text = text};
    ptio_out out;
    ptio_out_init(&out, keep, &s, NULL);
    if (cells->code.kind == 'U') {
        put_characters(&out, cells, element);
    } else if (cells->code.kind == 'V') {
        put_void(&out, element, cells->itemsize < PTIO_CELL_ROOM ? cells->itemsize : PTIO_CELL_ROOM);
    } else {
        size_t size = cells->itemsize < PTIO_CELL_ROOM ? cells->itemsize : PTIO_CELL_ROOM;
        while (cells->code.kind == 'S' && size && !element[size - 1])
            size--;
        ptio_out_char(&out, 'b');
        ptio_repr_bytes(&out, (ptio_text){element, size});
    }
    (void)ptio_out_flush(&out);
    return s.used;
}
