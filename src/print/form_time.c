/*
 * Dates, times, spans of them and zones, as repr() and str() of datetime's classes have them.
 *
 * They are saved as bytes: year in two, month, day, hour, minute, second, microsecond in three. Source: CPython, Lib/_pydatetime.py.
 */
#include "print/form_word.h"

#include "base/text.h"
#include "print/cell.h"
#include "print/repr.h"

#define MOST_NUMBERS 7

/* The numbers of a date (3), a time (4) or both (7); false where the bytes are not as long. The microseconds are one number. */
static bool read_numbers(const ptio_value *bytes, size_t count, unsigned ret[MOST_NUMBERS])
{
    ptio_text text = ptio_value_bytes(bytes);
    const unsigned char *b = (const unsigned char *)text.bytes;
    if (text.size != (count == 3 ? 4 : count == 4 ? 6 : 10))
        return false;
    size_t n = 0, at = 0;
    if (count != 4) {
        ret[n++] = (unsigned)b[0] << 8 | b[1];
        at = 2;
    }
    while (n < (count == 3 ? 3 : count - 1))
        ret[n++] = b[at++];
    if (count != 3)
        ret[n++] = (unsigned)b[at] << 16 | (unsigned)b[at + 1] << 8 | b[at + 2];
    /* The highest bit of the month, or of a time's hour, is the fold. */
    ret[count == 4 ? 0 : 1] &= 0x7F;
    return true;
}

static bool has_fold(const ptio_value *bytes)
{
    ptio_text text = ptio_value_bytes(bytes);
    return (text.size == 10 && (text.bytes[2] & 0x80)) || (text.size == 6 && (text.bytes[0] & 0x80));
}

static void put_numbers(ptio_printer *p, const ptio_value *bytes, size_t count)
{
    unsigned n[MOST_NUMBERS];
    if (!read_numbers(bytes, count, n)) {
        ptio_write_value(p, bytes);
        return;
    }
    size_t shown = count;
    for (size_t i = 0; i < 2 && count > 3 && !n[shown - 1]; i++)
        shown--; /* microseconds, then seconds */
    for (size_t i = 0; i < shown; i++) {
        if (i)
            ptio_out_string(p->out, ", ");
        ptio_out_u64(p->out, n[i]);
    }
}

static void date_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)object;
    put_numbers(p, argument, 3);
}

static void time_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)object;
    put_numbers(p, argument, 4);
}

static void datetime_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)object;
    put_numbers(p, argument, 7);
}

static void fold_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)object;
    if (has_fold(argument))
        ptio_out_string(p->out, ", fold=1");
}

static bool read_span(const ptio_value *delta, int64_t ret[3])
{
    const ptio_value *arguments = ptio_node_arguments(delta);
    for (size_t i = 0; i < 3; i++)
        if (!ptio_value_int(ptio_value_item(arguments, i), &ret[i]))
            return false;
    return true;
}

static void span_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    static const char *const names[] = {"days=", "seconds=", "microseconds="};
    int64_t n[3];
    (void)argument;
    if (!read_span(object, n)) {
        ptio_word_push(p, ptio_arguments_of(p, object), PTIO_SHAPE_ITEMS, false);
        return;
    }
    bool any = false;
    for (size_t i = 0; i < 3; i++) {
        if (!n[i])
            continue;
        if (any)
            ptio_out_string(p->out, ", ");
        ptio_out_string(p->out, names[i]);
        ptio_out_i64(p->out, n[i]);
        any = true;
    }
    if (!any)
        ptio_out_char(p->out, '0');
}

/* "1 day, 0:00:02.000003" */
static void isospan_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    int64_t n[3];
    (void)argument;
    if (!read_span(object, n))
        return;
    if (n[0]) {
        ptio_out_i64(p->out, n[0]);
        ptio_out_string(p->out, n[0] == 1 || n[0] == -1 ? " day, " : " days, ");
    }
    ptio_word_format(p, "%u:%02u:%02u", (unsigned)(n[1] / 3600), (unsigned)(n[1] / 60 % 60), (unsigned)(n[1] % 60));
    if (n[2])
        ptio_word_format(p, ".%06u", (unsigned)n[2], 0, 0);
}

static bool is_utc(const ptio_value *zone)
{
    int64_t n[3];
    const ptio_value *arguments = ptio_node_arguments(zone);
    return ptio_value_count(arguments) == 1 && read_span(ptio_value_item(arguments, 0), n) && !n[0] && !n[1] && !n[2];
}

static void offset_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)argument;
    if (is_utc(object)) {
        ptio_out_string(p->out, ".utc");
        return;
    }
    ptio_out_char(p->out, '(');
    ptio_word_push(p, ptio_arguments_of(p, object), PTIO_SHAPE_ITEMS, false);
}

static void offsetend_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)argument;
    if (!is_utc(object))
        ptio_out_char(p->out, ')');
}

/* "+01:00" behind an ISO text. What a named zone's offset was on that day, no file tells. */
static void isozone_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    int64_t n[3];
    (void)object;
    if (!ptio_text_is(ptio_value_class(argument), "datetime.timezone") ||
        !read_span(ptio_item_of(p, ptio_arguments_of(p, argument), 0), n))
        return;
    int64_t seconds = n[0] * 86400 + n[1], size = seconds < 0 ? -seconds : seconds;
    ptio_out_char(p->out, seconds < 0 ? '-' : '+');
    ptio_word_format(p, size % 60 ? "%02u:%02u:%02u" : "%02u:%02u", (unsigned)(size / 3600), (unsigned)(size / 60 % 60),
                     (unsigned)(size % 60));
}

/* A zone's name, or UTC and how far it is from there. */
static void zonename_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    const ptio_value *name = ptio_item_of(p, ptio_arguments_of(p, object), 1);
    (void)argument;
    if (name) {
        ptio_write_plain(p, name);
        return;
    }
    ptio_out_string(p->out, "UTC");
    if (!is_utc(object))
        isozone_word(p, object, object);
}

static void zone_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)object;
    if (!argument || ptio_value_kind(argument) == PTIO_KIND_NONE)
        return;
    ptio_out_string(p->out, ", tzinfo=");
    ptio_write_value(p, argument);
}

static void put_iso(ptio_printer *p, const ptio_value *bytes, size_t count)
{
    unsigned n[MOST_NUMBERS], *time = count == 4 ? n : n + 3;
    if (!read_numbers(bytes, count, n))
        return;
    if (count != 4)
        ptio_word_format(p, count == 7 ? "%04u-%02u-%02u " : "%04u-%02u-%02u", n[0], n[1], n[2]);
    if (count == 3)
        return;
    ptio_word_format(p, "%02u:%02u:%02u", time[0], time[1], time[2]);
    if (time[3])
        ptio_word_format(p, ".%06u", time[3], 0, 0);
}

static void isodate_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)object;
    put_iso(p, argument, 3);
}

static void isotime_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)object;
    put_iso(p, argument, 4);
}

static void isodatetime_word(ptio_printer *p, const ptio_value *object, const ptio_value *argument)
{
    (void)object;
    put_iso(p, argument, 7);
}

const ptio_form_row ptio_words_of_time[] = {
    {"date", date_word},
    {"datetime", datetime_word},
    {"fold", fold_word},
    {"isodate", isodate_word},
    {"isodatetime", isodatetime_word},
    {"isospan", isospan_word},
    {"isotime", isotime_word},
    {"isozone", isozone_word},
    {"offset", offset_word},
    {"offsetend", offsetend_word},
    {"span", span_word},
    {"time", time_word},
    {"zone", zone_word},
    {"zonename", zonename_word},
    {NULL, NULL},
};
