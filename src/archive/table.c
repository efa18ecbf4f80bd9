/*
 * Records by name: one open hash table for each archive, keyed, since the names are the file's choice.
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

/* size is at most PTIO_NAME_MOST; `out` has room for 7 bytes more. */
static void fold(char *out, const char *name, size_t size)
{
    size_t i = 0;
    uint64_t word;
    for (; size - i >= 8; i += 8) {
        memcpy(&word, name + i, 8);
        word = forward(lower(word));
        memcpy(out + i, &word, 8);
    }
    word = 0;
    if (size > i)
        memcpy(&word, name + i, size - i);
    word = forward(lower(word));
    memcpy(out + i, &word, 8);
}

static uint64_t hash_name(const ptio_archive *archive, ptio_text name)
{
    char folded[PTIO_NAME_MOST + 8];
    if (archive->kind != PTIO_ARCHIVE_ZIP || name.size > PTIO_NAME_MOST)
        return ptio_hash(archive->hash_key, name.bytes, name.size);
    fold(folded, name.bytes, name.size);
    return ptio_hash(archive->hash_key, folded, name.size);
}

static bool same_folded(ptio_text a, ptio_text b)
{
    if (a.size != b.size)
        return false;
    char left[16], right[16];
    for (size_t i = 0; i < a.size; i += 8) {
        size_t n = a.size - i < 8 ? a.size - i : 8;
        fold(left, a.bytes + i, n);
        fold(right, b.bytes + i, n);
        if (memcmp(left, right, n) != 0)
            return false;
    }
    return true;
}

static bool clashes(const ptio_archive *archive, ptio_text a, ptio_text b)
{
    return archive->kind == PTIO_ARCHIVE_ZIP ? same_folded(a, b) : ptio_text_equal(a, b);
}

size_t ptio_table_insert(ptio_archive *archive, size_t index)
{
    ptio_text name = ptio_archive_name(archive, index);
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
    if (!archive->count || name.size > PTIO_NAME_MOST)
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

/* A fresh table of at least twice as many slots as entries, filled with those there are. */
static ptio_status rehash(ptio_archive *archive, size_t count, ptio_error *err)
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
    for (size_t i = 0; i < archive->count; i++)
        (void)ptio_table_insert(archive, i);
    return PTIO_OK;
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
    return rehash(archive, count, err);
}
