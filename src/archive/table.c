/*
 * Records by name: one open hash table for each archive, keyed, since the names are the file's choice.
 *
 * Nearly all records of a checkpoint are called ROOT/data/NUMBER, the numbers from 0 on. These are found in an array by their
 * number, which takes a tenth of the time; numbers that are not below the number of records go into the hash table like other names.
 *
 * Names of a zip are hashed as if they were lower case, with every backslash a slash. So names that some readers take for the
 * same meet in one slot, and are found while the table is filled; a lookup then compares exactly.
 */
#include "archive/table.h"

#include <string.h>

#include "base/text.h"

#define ONES 0x0101010101010101u
#define HIGHS 0x8080808080808080u

/* Eight bytes: A-Z become a-z. */
static inline uint64_t lower(uint64_t word)
{
    uint64_t low = word & ~HIGHS;
    uint64_t above_z = low + (0x7F - 'Z') * ONES, from_a = low + (0x80 - 'A') * ONES;
    return word | ((~word & HIGHS & (from_a ^ above_z)) >> 2);
}

/* Eight bytes: backslashes become slashes. */
static inline uint64_t forward(uint64_t word)
{
    uint64_t same = word ^ '\\' * ONES;
    uint64_t hit = ~(((same & ~HIGHS) + ~HIGHS) | same) & HIGHS;
    return word ^ (hit >> 7) * ('\\' ^ '/');
}

void ptio_table_fold(char *out, const char *name, size_t size)
{
    size_t i = 0;
    uint64_t word;
    for (; size - i >= 8; i += 8) {
        memcpy(&word, name + i, 8);
        word = forward(lower(word));
        memcpy(out + i, &word, 8);
    }
    word = 0;
    memcpy(&word, name + i, size - i);
    word = forward(lower(word));
    memcpy(out + i, &word, size - i);
}

static uint64_t hash_name(const ptio_archive *archive, ptio_text name)
{
    char folded[PTIO_NAME_MOST];
    if (archive->kind != PTIO_ARCHIVE_ZIP || name.size > PTIO_NAME_MOST)
        return ptio_hash(archive->hash_key, name.bytes, name.size);
    ptio_table_fold(folded, name.bytes, name.size);
    return ptio_hash(archive->hash_key, folded, name.size);
}

bool ptio_table_same(ptio_text a, ptio_text b)
{
    if (a.size != b.size)
        return false;
    char left[8], right[8];
    for (size_t i = 0; i < a.size; i += 8) {
        size_t n = a.size - i < 8 ? a.size - i : 8;
        ptio_table_fold(left, a.bytes + i, n);
        ptio_table_fold(right, b.bytes + i, n);
        if (memcmp(left, right, n) != 0)
            return false;
    }
    return true;
}

static bool clashes(const ptio_archive *archive, ptio_text a, ptio_text b)
{
    return archive->kind == PTIO_ARCHIVE_ZIP ? ptio_table_same(a, b) : ptio_text_equal(a, b);
}

/* The number behind the prefix: plain digits, no zero in front. SIZE_MAX where there is none, or none in the array. */
static inline size_t number_behind(const ptio_archive *archive, ptio_text name)
{
    size_t size = archive->prefix.size, digits = name.size - size, number = 0;
    const char *at = name.bytes + size;
    if (digits > 9 || (at[0] == '0' && digits > 1))
        return SIZE_MAX;
    for (size_t i = 0; i < digits; i++) {
        unsigned digit = (unsigned)(unsigned char)at[i] - '0';
        if (digit > 9)
            return SIZE_MAX;
        number = number * 10 + digit;
    }
    return number < archive->number_count ? number : SIZE_MAX;
}

static inline bool has_prefix(const ptio_archive *archive, ptio_text name)
{
    size_t size = archive->prefix.size;
    if (!size || name.size <= size)
        return false;
    if (size < 8)
        return memcmp(name.bytes, archive->prefix.bytes, size) == 0;
    /* Words of 8 bytes, the last of which may overlap the one before: quicker than a call for so few. */
    uint64_t differ = 0, a, b;
    for (size_t i = 0; i < size; i += 8) {
        size_t at = size - i < 8 ? size - 8 : i;
        memcpy(&a, name.bytes + at, 8);
        memcpy(&b, archive->prefix.bytes + at, 8);
        differ |= a ^ b;
    }
    return !differ;
}

/* The same for a name that may be written in another way. */
static size_t number_of(const ptio_archive *archive, ptio_text name)
{
    size_t size = archive->prefix.size;
    if (!size || name.size <= size || !ptio_table_same(archive->prefix, (ptio_text){name.bytes, size}))
        return SIZE_MAX;
    return number_behind(archive, name);
}

bool ptio_table_insert_number(ptio_archive *archive, size_t index)
{
    ptio_text name = ptio_archive_name(archive, index);
    size_t number = has_prefix(archive, name) ? number_behind(archive, name) : SIZE_MAX;
    if (number == SIZE_MAX || archive->numbers[number])
        return false;
    archive->numbers[number] = (uint32_t)index + 1;
    archive->entries[index].is_numbered = true;
    return true;
}

size_t ptio_table_insert(ptio_archive *archive, size_t index)
{
    ptio_text name = ptio_archive_name(archive, index);
    size_t number = number_of(archive, name);
    if (number != SIZE_MAX) {
        if (archive->numbers[number])
            return archive->numbers[number] - 1;
        archive->numbers[number] = (uint32_t)index + 1;
        return SIZE_MAX;
    }
    size_t mask = archive->slot_count - 1, slot = (size_t)hash_name(archive, name) & mask;
    for (; archive->slots[slot]; slot = (slot + 1) & mask) {
        size_t other = archive->slots[slot] - 1;
        if (clashes(archive, name, ptio_archive_name(archive, other)))
            return other;
    }
    archive->slots[slot] = (uint32_t)index + 1;
    return SIZE_MAX;
}

size_t ptio_archive_lookup(const ptio_archive *archive, ptio_text name)
{
    if (name.size > PTIO_NAME_MOST)
        return SIZE_MAX;
    size_t number = has_prefix(archive, name) ? number_behind(archive, name) : number_of(archive, name);
    if (number != SIZE_MAX) {
        uint32_t found = archive->numbers[number];
        return found && ptio_text_equal(name, ptio_archive_name(archive, found - 1)) ? found - 1 : SIZE_MAX;
    }
    if (!archive->slot_count)
        return SIZE_MAX;
    size_t mask = archive->slot_count - 1, slot = (size_t)hash_name(archive, name) & mask;
    for (; archive->slots[slot]; slot = (slot + 1) & mask)
        if (ptio_text_equal(name, ptio_archive_name(archive, archive->slots[slot] - 1)))
            return archive->slots[slot] - 1;
    return SIZE_MAX;
}

size_t ptio_archive_lookup_in_root(const ptio_archive *archive, ptio_text name)
{
    char whole[PTIO_NAME_MOST];
    size_t root = archive->root.size;
    if (!root)
        return ptio_archive_lookup(archive, name);
    if (name.size >= sizeof whole || root + 1 > sizeof whole - name.size)
        return SIZE_MAX;
    memcpy(whole, archive->root.bytes, root);
    whole[root] = '/';
    if (name.size)
        memcpy(whole + root + 1, name.bytes, name.size);
    return ptio_archive_lookup(archive, (ptio_text){whole, root + 1 + name.size});
}

/* A fresh hash table of at least twice as many slots as names, unless there is one. */
static ptio_status make_slots(ptio_archive *archive, size_t count, ptio_error *err)
{
    size_t slot_count = 16;
    while (slot_count / 2 < count)
        slot_count *= 2;
    if (slot_count <= archive->slot_count)
        return PTIO_OK;
    uint32_t *slots = ptio_heap_resize(archive->heap, NULL, 0, slot_count * sizeof *slots);
    if (!slots)
        return ptio_heap_fail(archive->heap, err, "the table of records");
    memset(slots, 0, slot_count * sizeof *slots);
    ptio_heap_free(archive->heap, archive->slots, archive->slot_count * sizeof *slots);
    archive->slots = slots;
    archive->slot_count = slot_count;
    return PTIO_OK;
}

ptio_status ptio_table_make(ptio_archive *archive, size_t count, ptio_error *err)
{
    return make_slots(archive, count, err);
}

ptio_status ptio_table_reserve(ptio_archive *archive, size_t count, ptio_error *err)
{
    if (count > UINT32_MAX / 4)
        return ptio_fail(err, PTIO_ERR_LIMIT, "limit.records", PTIO_NO_OFFSET, "%zu records are more than this library takes",
                         count);
    if (count > archive->capacity) {
        void *moved = ptio_heap_grow(archive->heap, archive->entries, &archive->capacity, count, sizeof *archive->entries);
        if (!moved)
            return ptio_heap_fail(archive->heap, err, "the table of records");
        archive->entries = moved;
    }
    size_t before = archive->slot_count;
    ptio_status status = make_slots(archive, count, err);
    for (size_t i = 0; status == PTIO_OK && archive->slot_count != before && i < archive->count; i++)
        (void)ptio_table_insert(archive, i);
    return status;
}
