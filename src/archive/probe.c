/*
 * What is this file? By its first bytes alone (and, for a format that has its mark there, its last), never by its name.
 *
 * The order matters where formats look alike: marks of many bytes first, then pickles, whose opcodes are letters, then text.
 */
#include "archive/probe.h"

#include <string.h>

#include "base/cursor.h"
#include "base/text.h"

#define HEAD ((size_t)4096)
#define TAIL ((size_t)64)

static void set_format(ptio_probe *ret, ptio_format format)
{
    *ret = (ptio_probe){.format = format};
}

static void set_foreign(ptio_probe *ret, const char *reason, const char *what, unsigned long long number)
{
    *ret = (ptio_probe){.format = PTIO_FORMAT_FOREIGN, .status = PTIO_ERR_FORMAT, .reason = reason};
    (void)snprintf(ret->what, sizeof ret->what, what, number);
}

static bool begins(const ptio_sample *s, const char *mark, size_t size)
{
    return s->size >= size && memcmp(s->head, mark, size) == 0;
}

static bool name_container(const ptio_sample *s, ptio_probe *ret)
{
    if (begins(s, "PK\3\4", 4))
        set_format(ret, PTIO_FORMAT_ZIP);
    else if (begins(s, "\x93NUMPY", 6))
        set_format(ret, PTIO_FORMAT_NPY);
    else if (ptio_looks_like_legacy(s->head, s->size))
        set_format(ret, PTIO_FORMAT_LEGACY);
    else if (s->size >= 512 && ptio_tar_is_header(s->head))
        set_format(ret, PTIO_FORMAT_TAR);
    else
        return false;
    return true;
}

static bool name_nothing(const ptio_sample *s, ptio_probe *ret)
{
    bool blank = true;
    for (size_t i = 0; i < s->size; i++)
        blank = blank && (s->head[i] == ' ' || (s->head[i] >= '\t' && s->head[i] <= '\r'));
    if (!s->whole)
        set_foreign(ret, "not.empty", "it is empty", 0);
    else if (s->whole <= s->size && blank)
        set_foreign(ret, "not.blank", s->whole == 1 ? "it holds one blank or newline" : "it holds %llu blanks and newlines",
                    s->whole);
    else if (s->whole == 1)
        set_foreign(ret, "not.one-byte", "it is cut off at byte 1: 0x%02llx is all there is", s->head[0]);
    else if (s->only_zeros)
        set_foreign(ret, "not.zeros",
                    s->whole <= s->size ? "it holds %llu bytes, all zero: a file that was made and never written"
                                        : "it has %llu bytes and begins with zeros alone: a file that was made and never written",
                    s->whole);
    else
        return false;
    return true;
}

static void name_unknown(const ptio_sample *s, ptio_probe *ret)
{
    *ret = (ptio_probe){.format = PTIO_FORMAT_FOREIGN, .status = PTIO_ERR_FORMAT, .reason = "not.unknown"};
    char bytes[32] = "";
    for (size_t i = 0; i < s->size && i < 8; i++)
        (void)snprintf(bytes + 3 * i, sizeof bytes - 3 * i, " %02x", s->head[i]);
    (void)snprintf(ret->what, sizeof ret->what, "it is of no kind that is known here: it begins with the bytes%s", bytes);
}

static void name(const ptio_sample *s, ptio_probe *ret)
{
    if (name_container(s, ret) || ptio_name_format(s, ret) || name_nothing(s, ret))
        return;
    if (ptio_looks_like_pickle(s->head, s->size, s->whole <= s->size))
        set_format(ret, PTIO_FORMAT_PICKLE);
    else if (!ptio_name_text(s, ret))
        name_unknown(s, ret);
}

/* All of a file of up to HEAD bytes; beginning and end of a longer one. */
ptio_status ptio_probe_source(ptio_source *source, uint64_t offset, ptio_probe *ret, ptio_error *err)
{
    uint64_t end = ptio_source_size(source);
    if (offset > end)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.offset", end, "the offset %llu is beyond the end at byte %llu",
                         (unsigned long long)offset, (unsigned long long)end);
    uint8_t head[HEAD], tail[TAIL];
    ptio_sample s = {.head = head, .tail = tail, .whole = end - offset};
    s.size = s.whole < HEAD ? (size_t)s.whole : HEAD;
    s.tail_size = s.whole < TAIL ? (size_t)s.whole : TAIL;
    ptio_status status = ptio_source_read(source, offset, head, s.size, err);
    if (status == PTIO_OK)
        status = ptio_source_read(source, end - s.tail_size, tail, s.tail_size, err);
    if (status != PTIO_OK)
        return status;
    s.only_zeros = s.size > 0;
    for (size_t i = 0; i < s.size && s.only_zeros; i++)
        s.only_zeros = !head[i];
    for (size_t i = 0; i < s.tail_size && s.only_zeros; i++)
        s.only_zeros = !tail[i];
    name(&s, ret);
    return PTIO_OK;
}
