/*
 * The names of a zip's records: which are refused, and the reason of each.
 *
 * A name is scanned once, eight bytes at a time, for anything that needs a closer look: that is no plain lower or upper case
 * path. Nearly all pass there.
 */
#include <string.h>

#include "archive/table.h"
#include "archive/zip.h"
#include "base/text.h"

#define ONES 0x0101010101010101u
#define HIGHS 0x8080808080808080u

/* High bits where a byte of the word is 0; false ones only above a true one. */
static inline uint64_t zeros(uint64_t word)
{
    return (word - ONES) & ~word & HIGHS;
}

static inline uint64_t bytes_equal(uint64_t word, uint8_t byte)
{
    return zeros(word ^ byte * ONES);
}

/* Not zero where one of the bytes needs a closer look: a control character, not ASCII, a backslash, a colon. */
static inline uint64_t suspicious(uint64_t word)
{
    uint64_t control = (word - 0x20 * ONES) & ~word;
    return ((control | word) & HIGHS) | bytes_equal(word, '\\') | bytes_equal(word, ':') | bytes_equal(word, 0x7F);
}

static inline uint64_t load(const char *bytes, size_t size)
{
    uint64_t word = 'x' * ONES;
    memcpy(&word, bytes, size);
    return word;
}

/* Parts that are empty, "." or "..": they begin with a slash or dot at the start or behind a slash. */
static inline bool has_odd_part(ptio_text name)
{
    if (name.bytes[0] == '/' || name.bytes[0] == '.')
        return true;
    for (const char *at = name.bytes, *end = at + name.size; (at = memchr(at, '/', (size_t)(end - at))) && ++at < end;)
        if (*at == '/' || *at == '.')
            return true;
    return false;
}

static ptio_status bad(const char *reason, uint64_t offset, ptio_text name, const char *why, ptio_error *err)
{
    return ptio_fail(err, PTIO_ERR_FORMAT, reason, offset, "the name '%s' %s", ptio_quote(name).text, why);
}

static bool is_separator(char c)
{
    return c == '/' || c == '\\';
}

static ptio_status check_parts(ptio_text name, uint64_t offset, ptio_error *err)
{
    for (size_t start = 0; start < name.size;) {
        size_t end = start;
        while (end < name.size && !is_separator(name.bytes[end]))
            end++;
        ptio_text part = {name.bytes + start, end - start};
        if (ptio_text_is(part, ".."))
            return bad("zip.name-parent", offset, name, "leads out of its folder", err);
        if (!part.size || ptio_text_is(part, "."))
            return bad("zip.name-path", offset, name, "has a part that is empty or '.'", err);
        start = end + 1;
    }
    return PTIO_OK;
}

static ptio_status check_bytes(ptio_text name, uint64_t offset, ptio_error *err)
{
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = (unsigned char)name.bytes[i];
        if (!c)
            return bad("zip.name-nul", offset, name, "holds a NUL byte", err);
        if (c < 0x20 || c == 0x7F)
            return bad("zip.name-control", offset, name, "holds a control character", err);
    }
    return PTIO_OK;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static ptio_status check_closely(ptio_text name, unsigned flags, uint64_t offset, bool *odd, ptio_error *err)
{
    ptio_status status = check_bytes(name, offset, err);
    if (status != PTIO_OK)
        return status;
    if (is_separator(name.bytes[0]))
        return bad("zip.name-absolute", offset, name, "is an absolute path", err);
    if (name.size >= 2 && is_letter(name.bytes[0]) && name.bytes[1] == ':')
        return bad("zip.name-drive", offset, name, "begins with a drive letter", err);
    if (!ptio_utf8_valid(name.bytes, name.size, false)) {
        /* Without the flag, the encoding is whatever the writer's machine used: the bytes are kept as they are. */
        if (flags & PTIO_ZIP_UTF8)
            return bad("zip.name-utf8", offset, name, "is not the UTF-8 that its flag says", err);
        *odd = true;
    }
    return check_parts(name, offset, err);
}

ptio_status ptio_zip_check_name(ptio_text name, unsigned flags, uint64_t offset, bool *odd, ptio_error *err)
{
    if (name.size > PTIO_NAME_MOST)
        return bad("zip.name-long", offset, name, "has more than 4096 bytes", err);
    return ptio_zip_check_path(name, flags, offset, odd, err);
}

ptio_status ptio_zip_check_path(ptio_text name, unsigned flags, uint64_t offset, bool *odd, ptio_error *err)
{
    if (!name.size)
        return bad("zip.name-empty", offset, name, "is empty", err);
    uint64_t found = 0;
    size_t i = 0;
    for (; name.size - i >= 8; i += 8)
        found |= suspicious(load(name.bytes + i, 8));
    found |= suspicious(load(name.bytes + i, name.size - i));
    if (!found && !has_odd_part(name))
        return PTIO_OK;
    return check_closely(name, flags, offset, odd, err);
}
