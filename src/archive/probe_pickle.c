/*
 * Pickles, told from text and from other binary files.
 *
 * From protocol 2 on a pickler begins with 80 and the protocol. Older pickles, and those that are made by hand, begin with any opcode, so
 * the first ones are stepped through: one that needs what is not on the stack, a line that is not what its opcode wants, or a byte that
 * is no opcode means that it is something else. This knows just enough for that; the pickle layer has the real table.
 *
 * Source: CPython Lib/pickletools.py
 */
#include <string.h>

#include "archive/probe.h"
#include "base/cursor.h"
#include "base/text.h"

/* The magic number 0x1950A86A20F9469CFC6C as an opcode LONG1, LONG, and STOP; from protocol 4 on in a frame. */
static const char magic_binary[] = "\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19.";
static const char magic_text[] = "L119547037146038801333356L\n.";
static const char magic_frame[] = "\x95\x0D\0\0\0\0\0\0\0";

/* Whether the bytes begin with `mark`, or end inside it. */
static bool matches(const uint8_t *bytes, size_t size, const char *mark, size_t mark_size)
{
    return memcmp(bytes, mark, size < mark_size ? size : mark_size) == 0;
}

#define LEAST_OF_A_CUT_ONE 4

bool ptio_looks_like_legacy(const uint8_t *bytes, size_t size)
{
    if (size < LEAST_OF_A_CUT_ONE)
        return false;
    if (matches(bytes, size, magic_text, sizeof magic_text - 1))
        return true;
    if (bytes[0] != 0x80 || bytes[1] > 5)
        return false;
    const uint8_t *rest = bytes + 2;
    size_t left = size - 2, frame = sizeof magic_frame - 1;
    if (bytes[1] >= 4 && rest[0] == 0x95) {
        if (!matches(rest, left, magic_frame, frame))
            return false;
        if (left <= frame)
            return true;
        rest += frame;
        left -= frame;
    }
    return matches(rest, left, magic_binary, sizeof magic_binary - 1);
}

/* A pickle in hand. `base` has the stack's height at each open mark, one bit for each: only a few opcodes are stepped through. */
typedef struct scan {
    ptio_cursor c;
    unsigned height;
    unsigned marks[32];
    unsigned mark_count;
    unsigned puts;
} scan;

#define OPCODES_ENOUGH 24

static bool is_identifier(const uint8_t *line, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t c = line[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
        if (!letter && !(i && ((c >= '0' && c <= '9') || c == '.' || c == '<' || c == '>')) && c != '<')
            return false;
    }
    return size > 0;
}

static bool is_number(const uint8_t *line, size_t size, const char *more)
{
    bool digit = false;
    for (size_t i = 0; i < size; i++) {
        bool is_digit = line[i] >= '0' && line[i] <= '9';
        digit = digit || is_digit;
        if (!is_digit && !(line[i] == '-' && !i) && !strchr(more, line[i]))
            return false;
    }
    return digit;
}

/* FLOAT of protocol 0: also inf and nan. */
static bool is_float(const uint8_t *line, size_t size)
{
    ptio_text text = {(const char *)line, size};
    return is_number(line, size, "+-.eE") || ptio_text_is(text, "inf") || ptio_text_is(text, "-inf") || ptio_text_is(text, "nan");
}

static bool is_quoted(const uint8_t *line, size_t size)
{
    return size >= 2 && (line[0] == '\'' || line[0] == '"') && line[size - 1] == line[0];
}

static const uint8_t *take_line(scan *s, size_t *size)
{
    return ptio_cursor_line(&s->c, 1 << 16, size);
}

/* The text argument of an opcode. Where the sample ends inside it, the cursor says so, and the caller decides. */
static bool line_is_right(scan *s, uint8_t op)
{
    size_t size;
    const uint8_t *line = take_line(s, &size);
    if (!line)
        return true;
    switch (op) {
    case 'I': return is_number(line, size, "");
    case 'L': return is_number(line, size, "L");
    case 'F': return is_float(line, size);
    case 'S': return is_quoted(line, size);
    case 'p':
    case 'g': return is_number(line, size, "");
    case 'c':
    case 'i':
        if (!is_identifier(line, size))
            return false;
        line = take_line(s, &size);
        return !line || is_identifier(line, size);
    default: return true;
    }
}

static bool pop(scan *s, unsigned n)
{
    unsigned floor = s->mark_count ? s->marks[s->mark_count - 1] : 0;
    if (s->height < floor + n)
        return false;
    s->height -= n;
    return true;
}

static bool push(scan *s)
{
    s->height++;
    return true;
}

static bool mark(scan *s)
{
    if (s->mark_count == sizeof s->marks / sizeof *s->marks)
        return true;
    s->marks[s->mark_count++] = s->height;
    return true;
}

static bool pop_mark(scan *s)
{
    if (!s->mark_count)
        return false;
    s->height = s->marks[--s->mark_count];
    return true;
}

static bool skip(scan *s, uint64_t n)
{
    (void)ptio_cursor_take(&s->c, n);
    return true;
}

/* Opcodes of protocol 2 and newer, without a PROTO in front of them. */
static bool step_new(scan *s, uint8_t op)
{
    switch (op) {
    case 0x81: return pop(s, 2) && push(s); /* NEWOBJ */
    case 0x85: return pop(s, 1) && push(s);
    case 0x86: return pop(s, 2) && push(s);
    case 0x87: return pop(s, 3) && push(s);
    case 0x88:
    case 0x89:
    case 0x8F: return push(s);
    case 0x8A:
    case 0x8C:
    case 'C': return skip(s, ptio_cursor_u8(&s->c)) && push(s);
    case 0x8B:
    case 'B': return skip(s, ptio_cursor_u32(&s->c)) && push(s);
    case 0x8D:
    case 0x8E:
    case 0x96: return skip(s, ptio_cursor_u64(&s->c)) && push(s);
    case 0x90: return pop_mark(s) && s->height; /* ADDITEMS */
    case 0x91: return pop_mark(s) && push(s);
    case 0x92: return pop(s, 3) && push(s); /* NEWOBJ_EX */
    case 0x93: return pop(s, 2) && push(s); /* STACK_GLOBAL */
    case 0x94: return s->height && ++s->puts;
    case 0x95: return skip(s, 8); /* FRAME */
    default: return false;
    }
}

/* Step over one opcode. False where it makes no sense here. */
static bool step(scan *s, uint8_t op)
{
    switch (op) {
    case '(': return mark(s);
    case 'N':
    case ')':
    case ']':
    case '}': return push(s);
    case 'I':
    case 'L':
    case 'F':
    case 'S':
    case 'V':
    case 'c': return line_is_right(s, op) && push(s);
    case 'J': return skip(s, 4) && push(s);
    case 'K': return skip(s, 1) && push(s);
    case 'M': return skip(s, 2) && push(s);
    case 'G': return skip(s, 8) && push(s);
    case 'T':
    case 'X': return skip(s, ptio_cursor_u32(&s->c)) && push(s);
    case 'U': return skip(s, ptio_cursor_u8(&s->c)) && push(s);
    case 'p': return line_is_right(s, op) && s->height && ++s->puts;
    case 'q': return skip(s, 1) && s->height && ++s->puts;
    case 'r': return skip(s, 4) && s->height && ++s->puts;
    case 'g': return s->puts && line_is_right(s, op) && push(s);
    case 'h': return s->puts && skip(s, 1) && push(s);
    case 'j': return s->puts && skip(s, 4) && push(s);
    case 't':
    case 'l':
    case 'd': return pop_mark(s) && push(s);
    case 'o': return pop_mark(s) && push(s);
    case 'i': return line_is_right(s, op) && pop_mark(s) && push(s);
    case 'e':
    case 'u': return pop_mark(s) && s->height;
    case 'a': return pop(s, 1) && s->height;
    case 's': return pop(s, 2) && s->height;
    case 'b': return pop(s, 1) && s->height;
    case 'R': return pop(s, 2) && push(s);
    case '0': return pop(s, 1);
    case '1': return pop_mark(s);
    case '2': return s->height && push(s);
    case 'P': return line_is_right(s, op) && push(s);
    case 'Q': return pop(s, 1) && push(s);
    default: return step_new(s, op);
    }
}

/* A text longer than the sample comes first: UNICODE or STRING, a line that does not end, or BINUNICODE, with a length that no text file
 * has, since its last byte is 0. */
static bool is_long_text(const uint8_t *bytes, size_t size)
{
    bool is_line = size > 2 && (bytes[0] == 'V' || (bytes[0] == 'S' && (bytes[1] == '\'' || bytes[1] == '"')));
    if (is_line)
        return memchr(bytes, '\n', size) == NULL;
    return size > 5 && bytes[0] == 'X' && bytes[4] == 0 && memchr(bytes + 5, 0, size - 5) == NULL;
}

bool ptio_looks_like_pickle(const uint8_t *bytes, size_t size, bool is_whole)
{
    if (size >= 2 && bytes[0] == 0x80)
        return bytes[1] <= 5;
    scan s = {.c = ptio_cursor_over(bytes, size)};
    for (unsigned n = 0; n < OPCODES_ENOUGH; n++) {
        uint8_t op = ptio_cursor_u8(&s.c);
        if (s.c.ok && op == '.')
            return s.height == 1 && n >= 1;
        if (s.c.ok && !step(&s, op))
            return false;
        if (!s.c.ok) /* the sample ends, or the file was cut off: what there was made sense */
            return n >= (is_whole ? 3u : 1u) || (!is_whole && is_long_text(bytes, size));
    }
    return true;
}
