/*
 * The tar files of PyTorch 0.1: a few members with fixed names, one after another, each a header block and its data in blocks of
 * 512 bytes, then at least two blocks of zeros.
 *
 *       0  name (100)        124  size (12, octal)      156  type (1)         257  magic (8): "ustar\0" "00" or "ustar  \0"
 *     100  mode, ids (24)    136  time (12)             157  link (100)       345  prefix (155), not in GNU's form
 *                            148  checksum (8)
 *
 * Of all that tar can do, only what those files use is taken: regular members called sys_info, storages, tensors and pickle. Python
 * puts a pax header with a fractional time before each, which is skipped; pax records that would change what a member is are
 * refused, like links, sparse files, long names and sizes in base 256.
 *
 * Source: torch/serialization.py, legacy_load; POSIX pax interchange format
 */
#include <string.h>

#include "archive/probe.h"
#include "archive/table.h"
#include "base/cursor.h"
#include "base/report.h"
#include "base/text.h"

#define BLOCK 512
#define PAX_MOST 8192

static const char *const members[] = {"sys_info", "storages", "tensors", "pickle"};

static ptio_status bad(const char *reason, uint64_t offset, const char *what, ptio_error *err)
{
    return ptio_fail(err, PTIO_ERR_FORMAT, reason, offset, "%s", what);
}

/* An octal number: digits, perhaps behind spaces, ended by a space, a NUL or the end of the field. */
static bool octal(const uint8_t *field, size_t size, uint64_t *ret)
{
    size_t i = 0, digits = 0;
    uint64_t value = 0;
    while (i < size && field[i] == ' ')
        i++;
    for (; i < size && field[i] >= '0' && field[i] <= '7'; i++, digits++)
        value = value << 3 | (uint64_t)(field[i] - '0');
    *ret = value;
    return digits && (i == size || field[i] == ' ' || field[i] == '\0');
}

bool ptio_tar_is_header(const uint8_t *block)
{
    uint64_t said;
    if (!octal(block + 148, 8, &said))
        return false;
    uint64_t sum = 8 * ' ';
    for (size_t i = 0; i < BLOCK; i++)
        sum += i < 148 || i >= 156 ? block[i] : 0;
    return sum == said;
}

static bool is_zero(const uint8_t *block)
{
    for (size_t i = 0; i < BLOCK; i++)
        if (block[i])
            return false;
    return true;
}

/* Pax records are lines "LENGTH KEY=VALUE\n", where LENGTH counts itself. Only times may stand there. */
static ptio_status check_pax(const uint8_t *bytes, size_t size, uint64_t offset, ptio_error *err)
{
    ptio_cursor c = ptio_cursor_over(bytes, size);
    while (ptio_cursor_left(&c)) {
        size_t start = ptio_cursor_offset(&c), length = 0;
        uint8_t digit = ptio_cursor_u8(&c);
        for (; digit >= '0' && digit <= '9' && length <= PAX_MOST; digit = ptio_cursor_u8(&c))
            length = length * 10 + (size_t)(digit - '0');
        size_t head = ptio_cursor_offset(&c) - start;
        const uint8_t *record = digit == ' ' && length > head ? ptio_cursor_take(&c, length - head) : NULL;
        if (!record || record[length - head - 1] != '\n')
            return bad("tar.pax", offset + start, "a pax record of the tar file is malformed", err);
        ptio_text text = {(const char *)record, length - head};
        if (!ptio_text_starts(text, "mtime=") && !ptio_text_starts(text, "atime=") && !ptio_text_starts(text, "ctime="))
            return ptio_fail(err, PTIO_ERR_UNSUPPORTED, "tar.pax-key", offset + start,
                             "the pax record '%s' would change what the next member is", ptio_quote(text).text);
    }
    return PTIO_OK;
}

static ptio_status read_pax(const ptio_archive *archive, uint64_t offset, uint64_t size, ptio_error *err)
{
    if (size > PAX_MOST)
        return bad("tar.pax", offset, "a pax header of the tar file is longer than any that PyTorch's have", err);
    uint8_t bytes[PAX_MOST];
    ptio_status status = ptio_source_read(archive->source, offset, bytes, (size_t)size, err);
    return status == PTIO_OK ? check_pax(bytes, (size_t)size, offset, err) : status;
}

static ptio_status add_member(ptio_archive *archive, const uint8_t *block, uint64_t offset, uint64_t size, ptio_error *err)
{
    const uint8_t *ended = memchr(block, '\0', 100);
    ptio_text name = {(const char *)block, ended ? (size_t)(ended - block) : 100};
    bool is_gnu = memcmp(block + 257, "ustar  ", 8) == 0;
    bool known = is_gnu || !block[345];
    if (known) {
        known = false;
        for (size_t i = 0; i < sizeof members / sizeof *members; i++)
            known = known || ptio_text_is(name, members[i]);
    }
    if (!known)
        return ptio_fail(err, PTIO_ERR_FORMAT, "tar.member", offset,
                         "it is a tar file, but not one of PyTorch: those hold no member '%s'", ptio_quote(name).text);
    return ptio_archive_add(archive, name, offset + BLOCK, size, err);
}

/* Take the member at *offset, and step behind it. *ended is set at the blocks of zeros. */
static ptio_status take_member(ptio_archive *archive, uint64_t *offset, bool *ended, ptio_error *err)
{
    uint8_t block[BLOCK];
    uint64_t size, left = archive->end - *offset;
    if (left < BLOCK)
        return bad("tar.end", *offset, "the tar file is cut off: it does not end in two blocks of zeros", err);
    ptio_status status = ptio_source_read(archive->source, *offset, block, BLOCK, err);
    if (status != PTIO_OK)
        return status;
    left -= BLOCK;
    if (is_zero(block)) {
        status = left < BLOCK ? PTIO_OK : ptio_source_read(archive->source, *offset + BLOCK, block, BLOCK, err);
        if (status == PTIO_OK && (left < BLOCK || !is_zero(block)))
            status = bad("tar.end", *offset, "the tar file does not end in two blocks of zeros", err);
        *ended = true;
        *offset += 2 * BLOCK;
        return status;
    }
    if (!ptio_tar_is_header(block))
        return bad("tar.checksum", *offset, "the header of a member of the tar file does not have the checksum it says", err);
    if (!octal(block + 124, 12, &size))
        return bad("tar.size", *offset + 124, "the size of a member of the tar file is no octal number", err);
    if (size > left)
        return ptio_fail(err, PTIO_ERR_FORMAT, "tar.cut", *offset,
                         "a member of the tar file has %llu bytes, but only %llu are left", (unsigned long long)size,
                         (unsigned long long)left);
    if (block[156] == 'x')
        status = read_pax(archive, *offset + BLOCK, size, err);
    else if (block[156] == '0' || block[156] == '\0')
        status = add_member(archive, block, *offset, size, err);
    else
        status = ptio_fail(err, PTIO_ERR_UNSUPPORTED, "tar.type", *offset + 156,
                           "a member of the tar file is no regular file: its type is '%s'",
                           ptio_quote((ptio_text){(const char *)block + 156, 1}).text);
    uint64_t padded = (size + BLOCK - 1) & ~(uint64_t)(BLOCK - 1);
    *offset += BLOCK + (padded < left ? padded : left);
    return status;
}

/* Bytes behind the end blocks: zeros up to a multiple of 10 KiB are usual, anything else is worth a word. */
static ptio_status check_rest(ptio_archive *archive, uint64_t offset, ptio_error *err)
{
    uint8_t block[BLOCK];
    uint64_t left = archive->end - offset;
    bool odd = left > 20 * BLOCK;
    for (uint64_t at = offset; !odd && archive->end - at >= BLOCK; at += BLOCK) {
        ptio_status status = ptio_source_read(archive->source, at, block, BLOCK, err);
        if (status != PTIO_OK)
            return status;
        odd = !is_zero(block);
    }
    if (odd || left % BLOCK)
        ptio_report_add(archive->report, PTIO_WARNING, "tar.trailing-bytes", PTIO_TEXT(""), offset,
                        "%llu bytes behind the end of the tar file belong to nothing", (unsigned long long)left);
    archive->end = offset;
    return PTIO_OK;
}

static ptio_status open_tar(ptio_archive *archive, const ptio_limits *limits, ptio_error *err)
{
    uint64_t offset = archive->start, headers = 0;
    uint64_t limit = limits && limits->directory_bytes ? limits->directory_bytes : (uint64_t)256 << 20;
    for (bool ended = false; !ended; headers += BLOCK) {
        if (headers > limit)
            return ptio_fail(err, PTIO_ERR_LIMIT, "limit.directory", offset,
                             "the tar file's headers have more than the %llu bytes of directory_bytes",
                             (unsigned long long)limit);
        ptio_status status = take_member(archive, &offset, &ended, err);
        if (status != PTIO_OK)
            return status;
    }
    if (!archive->count)
        return bad("tar.empty", archive->start, "it is a tar file without members", err);
    return check_rest(archive, offset, err);
}

ptio_status ptio_tar_open(ptio_source *source, uint64_t offset, const ptio_limits *limits, ptio_heap *heap, ptio_report *report,
                          ptio_archive **ret, ptio_error *err)
{
    ptio_archive *archive;
    ptio_status status = ptio_archive_new(source, offset, heap, report, &archive, err);
    if (status != PTIO_OK)
        return status;
    archive->kind = PTIO_ARCHIVE_TAR;
    status = open_tar(archive, limits, err);
    if (status == PTIO_OK)
        *ret = archive;
    else
        ptio_archive_close(archive);
    return status;
}
