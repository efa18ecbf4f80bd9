/*
 * What classes of Python's library show: fractions, arrays, addresses, paths, patterns, exceptions.
 *
 * Paths are saved as their parts, a UUID as an int, flags as bits. Source: CPython, Lib/fractions.py, Modules/arraymodule.c, Lib/pathlib,
 * Modules/_sre/sre.c, Objects/exceptions.c.
 */
#include "print/form_word.h"

#include <stdio.h>

#include "base/text.h"
#include "print/cell.h"
#include "print/repr.h"

/* ---- numbers ---- */

/* Fractions were saved as text before they were saved as two ints. */
static void put_fraction(ptio_printer *p, const ptio_value *object, const char *between)
{
    const ptio_value *arguments = ptio_arguments_of(p, object), *above = ptio_item_of(p, arguments, 0);
    const ptio_value *below = ptio_item_of(p, arguments, 1);
    if (ptio_value_kind(above) == PTIO_KIND_STR) {
        ptio_text text = ptio_value_str(above);
        const char *slash = memchr(text.bytes, '/', text.size);
        size_t size = slash ? (size_t)(slash - text.bytes) : text.size;
        ptio_repr_escaped(p->out, (ptio_text){text.bytes, size});
        if (!slash && *between == '/')
            return;
        ptio_out_string(p->out, between);
        ptio_repr_escaped(p->out, slash ? (ptio_text){slash + 1, text.size - size - 1} : PTIO_TEXT("1"));
        return;
    }
    int64_t whole;
    ptio_write_value(p, above);
    if (*between == '/' && ptio_value_int(below, &whole) && whole == 1)
        return;
    ptio_out_string(p->out, between);
    if (below)
        ptio_write_value(p, below);
    else
        ptio_out_char(p->out, '1');
}

static void fraction_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)argument;
    put_fraction(p, object, ", ");
}

static void ratio_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)argument;
    put_fraction(p, object, "/");
}

/* ---- array.array ---- */

/* Text is one str. */
static void put_array_text(ptio_printer *p, const ptio_value *items)
{
    if (!ptio_push_layer(p, true))
        return;
    for (size_t i = 0; i < ptio_value_count(items); i++)
        ptio_out_text(p->out, ptio_value_str(ptio_item_of(p, items, i)));
    ptio_held held = ptio_take_layer(p);
    ptio_repr_str(p->out, (ptio_text){held.text, held.size});
    ptio_heap_free(&p->heap, held.text, held.capacity);
}

/* An element as bits: of `size` bytes, from the least or from the most significant one. */
static uint64_t element_bits(const char *bytes, size_t size, bool big)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < size; i++)
        bits |= (uint64_t)(unsigned char)bytes[i] << 8 * (big ? size - 1 - i : i);
    return bits;
}

static void put_element(ptio_printer *p, char kind, size_t size, uint64_t bits)
{
    uint32_t half = (uint32_t)bits;
    double value;
    float single;
    if (kind == 'u') {
        ptio_out_u64(p->out, bits);
    } else if (kind == 'i') {
        uint64_t sign = (uint64_t)1 << (8 * size - 1);
        ptio_out_i64(p->out, (int64_t)((bits ^ sign) - sign));
    } else if (size == sizeof single) {
        memcpy(&single, &half, sizeof single);
        ptio_repr_float(p->out, (double)single);
    } else {
        memcpy(&value, &bits, sizeof value);
        ptio_repr_float(p->out, value);
    }
}

static void put_characters(ptio_printer *p, ptio_text bytes, bool big)
{
    if (!ptio_push_layer(p, true))
        return;
    for (size_t i = 0; i + 4 <= bytes.size; i += 4) {
        char letter[4];
        uint32_t code = (uint32_t)element_bits(bytes.bytes + i, 4, big);
        if (code <= 0x10FFFF)
            ptio_out_bytes(p->out, letter, ptio_utf8_encode(code, letter));
    }
    ptio_held held = ptio_take_layer(p);
    ptio_repr_str(p->out, (ptio_text){held.text, held.size});
    ptio_heap_free(&p->heap, held.text, held.capacity);
}

/* From protocol 3 on the elements are bytes, in a format by its number; odd ones, and not 1, are big-endian. */
static void put_packed(ptio_printer *p, int64_t format, ptio_text bytes)
{
    static const struct {
        char kind;
        size_t size;
    } formats[] = {{'u', 2}, {'i', 2}, {'u', 4}, {'i', 4}, {'u', 8}, {'i', 8}, {'f', 4}, {'f', 8}, {'w', 2}, {'w', 4}};
    char kind = format ? 'i' : 'u';
    size_t size = 1;
    if (format >= 2) {
        kind = formats[(format - 2) / 2].kind;
        size = formats[(format - 2) / 2].size;
    }
    if (kind == 'w') {
        put_characters(p, bytes, format & 1);
        return;
    }
    ptio_out_char(p->out, '[');
    for (size_t i = 0; i + size <= bytes.size; i += size) {
        ptio_out_string(p->out, i ? ", " : "");
        put_element(p, kind, size, element_bits(bytes.bytes + i, size, format > 1 && format & 1));
    }
    ptio_out_char(p->out, ']');
}

/* 'd', [0.5] of array(…): saved as a letter and a list, or as class, letter, format and bytes. */
static void array_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    const ptio_value *items = ptio_item_of(p, argument, 1), *letter = ptio_item_of(p, argument, 0);
    ptio_text bytes = ptio_value_bytes(ptio_item_of(p, argument, 3));
    int64_t format = -1;
    (void)object;
    if (ptio_value_count(argument) == 4 && ptio_value_int(ptio_item_of(p, argument, 2), &format) && format >= 0 && format < 22 &&
        (format & ~1) != 18) { /* UTF-16, of no machine that runs Python 3 */
        ptio_write_value(p, items);
        if (bytes.size) {
            ptio_out_string(p->out, ", ");
            put_packed(p, format, bytes);
        }
        return;
    }
    bool list = ptio_value_kind(items) == PTIO_KIND_LIST;
    ptio_write_value(p, letter);
    if (!items || (list && !ptio_value_count(items)))
        return;
    ptio_out_string(p->out, ", ");
    if (list && (ptio_text_is(ptio_value_str(letter), "u") || ptio_text_is(ptio_value_str(letter), "w")))
        put_array_text(p, items);
    else
        ptio_write_value(p, items);
}

/* An address is saved as an int. */
static void ipv4_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    int64_t address = 0;
    (void)object;
    if (!ptio_value_int(argument, &address)) {
        ptio_write_plain(p, argument);
        return;
    }
    for (int shift = 24; shift >= 0; shift -= 8) {
        ptio_out_u64(p->out, (uint64_t)address >> shift & 255);
        if (shift)
            ptio_out_char(p->out, '.');
    }
}

/* The longest run of at least two zeros, the first of equal ones: it is left out. */
static size_t longest_zeros(const unsigned groups[8], size_t *begin)
{
    size_t longest = 1;
    for (size_t i = 0, run = 0; i < 8; i++) {
        run = groups[i] ? 0 : run + 1;
        if (run > longest) {
            longest = run;
            *begin = i + 1 - run;
        }
    }
    return longest > 1 ? longest : 0;
}

/* Eight groups of 16 bits; since Python 3.13 the last two of an address of IPv4 as that. */
static void put_ipv6(ptio_printer *p, const unsigned groups[8])
{
    size_t begin = 8, size = longest_zeros(groups, &begin), count = 8;
    bool mapped = p->python >= 313 && begin == 0 && size == 5 && groups[5] == 0xFFFF;
    if (mapped)
        count = 6;
    for (size_t i = 0; i < count; i++) {
        if (i == begin) {
            ptio_out_string(p->out, "::");
            i += size - 1;
            continue;
        }
        ptio_word_format(p, i && i != begin + size ? ":%x" : "%x", groups[i], 0, 0);
    }
    if (mapped) {
        ptio_word_format(p, ":%u.%u", groups[6] >> 8, groups[6] & 255, 0);
        ptio_word_format(p, ".%u.%u", groups[7] >> 8, groups[7] & 255, 0);
    }
}

/* It was saved as an int before Python 3.11.4, and is as text since. */
static void ipv6_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    unsigned char bytes[17] = {0};
    unsigned groups[8];
    (void)object;
    if (ptio_value_kind(argument) != PTIO_KIND_INT || ptio_value_int_bytes(argument, bytes, sizeof bytes) > sizeof bytes) {
        ptio_write_plain(p, argument);
        return;
    }
    for (size_t i = 0; i < 8; i++)
        groups[i] = bytes[14 - 2 * i] | (unsigned)bytes[15 - 2 * i] << 8;
    put_ipv6(p, groups);
}

static void uuid_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    unsigned char bytes[17] = {0};
    (void)argument;
    if (ptio_value_int_bytes(ptio_attribute_of(p, object, "int"), bytes, sizeof bytes) > sizeof bytes)
        return;
    for (size_t i = 16; i-- > 0;) {
        ptio_word_format(p, "%02x", bytes[i], 0, 0);
        if (i == 12 || i == 10 || i == 8 || i == 6)
            ptio_out_char(p->out, '-');
    }
}

/* ---- paths ---- */

static bool ends_drive(ptio_text part)
{
    char last = part.size ? part.bytes[part.size - 1] : '\0';
    return last == '/' || last == '\\' || last == ':';
}

/* The parts in one text. posix: with '/' everywhere, as repr() has it. */
static void put_parts(ptio_printer *p, const ptio_value *object, bool posix)
{
    const ptio_value *parts = ptio_arguments_of(p, object);
    bool windows = memchr(ptio_value_class(object).bytes, 'W', ptio_value_class(object).size) != NULL;
    size_t count = ptio_value_count(parts);
    for (size_t i = 0; i < count; i++) {
        ptio_text part = ptio_value_str(ptio_item_of(p, parts, i));
        if (i && !(i == 1 && ends_drive(ptio_value_str(ptio_item_of(p, parts, 0)))))
            ptio_out_char(p->out, windows && !posix ? '\\' : '/');
        for (size_t k = 0; k < part.size; k++)
            ptio_out_char(p->out, windows && posix && part.bytes[k] == '\\' ? '/' : part.bytes[k]);
    }
    if (!count)
        ptio_out_char(p->out, '.');
}

static ptio_held held_parts(ptio_printer *p, const ptio_value *object, bool posix)
{
    if (!ptio_push_layer(p, true))
        return (ptio_held){0};
    put_parts(p, object, posix);
    return ptio_take_layer(p);
}

static void path_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)argument;
    ptio_held held = held_parts(p, object, true);
    if (held.text)
        ptio_repr_str(p->out, (ptio_text){held.text, held.size});
    ptio_heap_free(&p->heap, held.text, held.capacity);
}

static void barepath_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)argument;
    ptio_held held = held_parts(p, object, false);
    if (held.text)
        ptio_write_bare_text(p, (ptio_text){held.text, held.size});
    ptio_heap_free(&p->heap, held.text, held.capacity);
}

/* ---- patterns ---- */

#define MOST_PATTERN 200

/* Characters from the beginning of a text. */
static size_t first_characters(ptio_text text, size_t count)
{
    size_t at = 0;
    while (at < text.size && count) {
        at++;
        while (at < text.size && (text.bytes[at] & 0xC0) == 0x80)
            at++;
        count--;
    }
    return at;
}

static void pattern_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)object;
    ptio_kind kind = ptio_value_kind(argument);
    if ((kind != PTIO_KIND_STR && kind != PTIO_KIND_BYTES) || !ptio_push_layer(p, true)) {
        ptio_write_value(p, argument);
        return;
    }
    ptio_write_value(p, argument);
    ptio_held held = ptio_take_layer(p);
    if (held.text)
        ptio_out_bytes(p->out, held.text, first_characters((ptio_text){held.text, held.size}, MOST_PATTERN));
    ptio_heap_free(&p->heap, held.text, held.capacity);
}

#define RE_UNICODE 32u
#define RE_LOCALE 4u
#define RE_ASCII 256u
#define MOST_FLAGS 16

static const struct {
    const char *name;
    uint64_t bit;
} flag_names[] = {{"IGNORECASE", 2},       {"LOCALE", RE_LOCALE}, {"MULTILINE", 8}, {"DOTALL", 16},
                  {"UNICODE", RE_UNICODE}, {"VERBOSE", 64},       {"DEBUG", 128},   {"ASCII", RE_ASCII}};

/* re.IGNORECASE|re.MULTILINE, behind `before` where there are any. */
static void put_flags(ptio_printer *p, uint64_t flags, const char *before)
{
    const char *between = before;
    for (size_t i = 0; i < sizeof flag_names / sizeof *flag_names; i++) {
        if (!(flags & flag_names[i].bit))
            continue;
        ptio_out_string(p->out, between);
        ptio_out_string(p->out, "re.");
        ptio_out_string(p->out, flag_names[i].name);
        flags &= ~flag_names[i].bit;
        between = "|";
    }
    if (flags) {
        char rest[32];
        (void)snprintf(rest, sizeof rest, "0x%llx", (unsigned long long)flags);
        ptio_out_string(p->out, between);
        ptio_out_string(p->out, rest);
    }
}

static void flags_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    int64_t given = 0;
    (void)ptio_value_int(argument, &given);
    uint64_t flags = (uint64_t)given;
    bool text = ptio_value_kind(ptio_item_of(p, ptio_arguments_of(p, object), 0)) == PTIO_KIND_STR;
    if (text && (flags & (RE_LOCALE | RE_UNICODE | RE_ASCII)) == RE_UNICODE)
        flags &= ~(uint64_t)RE_UNICODE; /* of every pattern that is text */
    put_flags(p, flags, ", ");
}

/* One flag, by its name or as a number. */
static bool read_flag(const ptio_value *value, uint64_t *flags)
{
    int64_t number;
    ptio_text name = ptio_value_class(value);
    if (ptio_value_kind(value) == PTIO_KIND_OBJECT && ptio_text_is(ptio_value_class(value), "re.RegexFlag"))
        value = ptio_value_item(ptio_node_arguments(value), 0);
    if (ptio_value_int(value, &number)) {
        *flags |= (uint64_t)number;
        return true;
    }
    if (ptio_value_kind(value) != PTIO_KIND_GLOBAL || !ptio_text_starts(name, PTIO_REGEX_FLAG))
        return false;
    name = (ptio_text){name.bytes + strlen(PTIO_REGEX_FLAG), name.size - strlen(PTIO_REGEX_FLAG)};
    for (size_t i = 0; i < sizeof flag_names / sizeof *flag_names; i++)
        if (ptio_text_is(name, flag_names[i].name)) {
            *flags |= flag_names[i].bit;
            return true;
        }
    return false;
}

/* Python 3.11.0 to 3.11.3 save a sum of flags as (C | B) | A. */
bool ptio_regex_flags(const ptio_value *value, uint64_t *ret)
{
    *ret = 0;
    for (int i = 0; i < MOST_FLAGS && ptio_text_is(ptio_value_class(value), "_operator.or_"); i++) {
        const ptio_value *arguments = ptio_node_arguments(value);
        if (ptio_value_count(arguments) != 2 || !read_flag(ptio_value_item(arguments, 1), ret))
            return false;
        value = ptio_value_item(arguments, 0);
    }
    return read_flag(value, ret);
}

static void regexflags_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    uint64_t flags = 0;
    (void)argument;
    (void)ptio_regex_flags(object, &flags);
    if (flags)
        put_flags(p, flags, "");
    else
        ptio_out_string(p->out, "re.NOFLAG");
}

/* ---- exceptions ---- */

static void message_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)object;
    if (ptio_value_count(argument) == 1)
        ptio_write_plain(p, ptio_item_of(p, argument, 0));
    else if (ptio_value_count(argument))
        ptio_write_value(p, argument);
}

static void keymessage_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    if (ptio_value_count(argument) == 1)
        ptio_write_value(p, ptio_item_of(p, argument, 0));
    else
        message_word(p, object, argument);
}

/* Whether the arguments are an errno, a text and a file: then the two alone are shown, and the number chooses a subclass of OSError. */
static bool has_errno(const ptio_value *arguments, int64_t *number)
{
    size_t count = ptio_value_count(arguments);
    return count >= 2 && count <= 5 && ptio_value_int(ptio_value_item(arguments, 0), number);
}

static void osclass_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    static const struct {
        const char *name;
        unsigned char numbers[4]; /* of Linux */
    } classes[] = {{"PermissionError", {1, 13}},   {"FileNotFoundError", {2}},        {"ProcessLookupError", {3}},
                   {"InterruptedError", {4}},      {"ChildProcessError", {10}},       {"BlockingIOError", {11, 114, 115}},
                   {"FileExistsError", {17}},      {"NotADirectoryError", {20}},      {"IsADirectoryError", {21}},
                   {"BrokenPipeError", {32, 108}}, {"ConnectionAbortedError", {103}}, {"ConnectionResetError", {104}},
                   {"TimeoutError", {110}},        {"ConnectionRefusedError", {111}}};
    int64_t number;
    const char *name = "OSError";
    (void)argument;
    if (has_errno(ptio_arguments_of(p, object), &number))
        for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
            for (size_t k = 0; k < 4; k++)
                if (number && classes[i].numbers[k] == number)
                    name = classes[i].name;
    ptio_out_string(p->out, name);
}

static void osarguments_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    const ptio_value *arguments = ptio_arguments_of(p, object);
    int64_t number;
    (void)argument;
    if (!has_errno(arguments, &number) || ptio_value_count(arguments) == 2 ||
        ptio_value_kind(ptio_item_of(p, arguments, 1)) != PTIO_KIND_STR) {
        ptio_word_push(p, arguments, PTIO_SHAPE_ITEMS, false);
        return;
    }
    ptio_out_i64(p->out, number);
    ptio_out_string(p->out, ", ");
    ptio_write_value(p, ptio_item_of(p, arguments, 1));
}

/* [Errno 2] text: 'file' */
static void oserror_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    size_t count = ptio_value_count(argument);
    int64_t number;
    if (count < 2 || !ptio_value_int(ptio_item_of(p, argument, 0), &number) ||
        ptio_value_kind(ptio_item_of(p, argument, 1)) != PTIO_KIND_STR) {
        message_word(p, object, argument);
        return;
    }
    ptio_out_string(p->out, "[Errno ");
    ptio_out_i64(p->out, number);
    ptio_out_string(p->out, "] ");
    ptio_write_plain(p, ptio_item_of(p, argument, 1));
    if (count > 2) {
        ptio_out_string(p->out, ": ");
        ptio_write_value(p, ptio_item_of(p, argument, 2));
    }
}

const ptio_form_row ptio_words_of_library[] = {
    {"array", array_word},
    {"barepath", barepath_word},
    {"flags", flags_word},
    {"fraction", fraction_word},
    {"ipv4", ipv4_word},
    {"ipv6", ipv6_word},
    {"keymessage", keymessage_word},
    {"message", message_word},
    {"osarguments", osarguments_word},
    {"osclass", osclass_word},
    {"oserror", oserror_word},
    {"path", path_word},
    {"pattern", pattern_word},
    {"ratio", ratio_word},
    {"regexflags", regexflags_word},
    {"uuid", uuid_word},
    {NULL, NULL},
};
