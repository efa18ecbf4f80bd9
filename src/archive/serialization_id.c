/*
 * Two models of std::unordered_set<std::string>: how it hashes, and in which order it is walked.
 *
 * Both libraries keep all elements in one linked list, those of a bucket beside each other, and a table which gives for each
 * bucket the element before its first one:
 *
 *     front ──► c ──► a ──► e ──► b          before[bucket of c] = front, before[bucket of a and e] = c, …
 *
 * An element that comes first in its bucket goes to the front of the list, any other one to the front of its bucket. They differ
 * in the hash, in the number of buckets, and in how they move the elements to a larger table.
 *
 * Source: libstdc++ bits/hashtable.h, hash_bytes.cc, hashtable_c++0x.cc; libc++ __hash_table, __functional/hash.h.
 * The hashes are MurmurHash64A by Austin Appleby and CityHash64 by Geoff Pike and Jyrki Alakuijala.
 */
#include "archive/serialization_id.h"

#include <string.h>

#include "base/error.h"

/* ---- hashes ---- */

static uint64_t load_part(const uint8_t *p, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

static inline uint64_t load64(const uint8_t *p)
{
    uint64_t value;
    memcpy(&value, p, 8);
    return PTIO_HOST_BIG_ENDIAN ? ptio_swap64(value) : value;
}

static inline uint64_t smear(uint64_t x)
{
    return x ^ (x >> 47);
}

static uint64_t murmur_hash(const uint8_t *p, size_t size)
{
    const uint64_t m = 0xC6A4A7935BD1E995u;
    uint64_t hash = 0xC70F6907u ^ ((uint64_t)size * m);
    for (; size >= 8; size -= 8, p += 8)
        hash = (hash ^ smear(load64(p) * m) * m) * m;
    if (size)
        hash = (hash ^ load_part(p, size)) * m;
    return smear(smear(hash) * m);
}

#define K0 0xC3A5C85C97CB3127u
#define K1 0xB492B66FBE98F273u
#define K2 0x9AE16A3B2F90404Fu
#define K3 0xC949D7C7509E6557u

typedef struct pair {
    uint64_t first, second;
} pair;

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return bits ? x >> bits | x << (64 - bits) : x;
}

static uint64_t fold_pair(uint64_t u, uint64_t v)
{
    const uint64_t m = 0x9DDFEA08EB382D69u;
    return smear((v ^ smear((u ^ v) * m)) * m) * m;
}

static uint64_t city_to_16(const uint8_t *p, size_t size)
{
    if (size > 8) {
        uint64_t a = load64(p), b = load64(p + size - 8);
        return fold_pair(a, rotate(b + size, (unsigned)size)) ^ b;
    }
    if (size >= 4)
        return fold_pair(size + (uint32_t)(load_part(p, 4) << 3), load_part(p + size - 4, 4));
    if (!size)
        return K2;
    uint32_t y = p[0] + ((uint32_t)p[size / 2] << 8), z = (uint32_t)size + ((uint32_t)p[size - 1] << 2);
    return smear(y * K2 ^ z * K3) * K2;
}

static uint64_t city_to_32(const uint8_t *p, size_t size)
{
    uint64_t a = load64(p) * K1, b = load64(p + 8), c = load64(p + size - 8) * K2, d = load64(p + size - 16) * K0;
    return fold_pair(rotate(a - b, 43) + rotate(c, 30) + d, a + rotate(b ^ K3, 20) - c + size);
}

static pair city_mix4(uint64_t a, uint64_t b, uint64_t second, uint64_t third)
{
    uint64_t c = rotate(a + b, 52) + rotate(a, 37);
    a += second;
    c += rotate(a, 7);
    a += third;
    return (pair){a + b, c + rotate(a, 31)};
}

static uint64_t city_to_64(const uint8_t *p, size_t size)
{
    const uint8_t *end = p + size;
    uint64_t z = load64(p + 24), a = load64(p) + (size + load64(end - 16)) * K0;
    pair v = city_mix4(a, z, load64(p + 8), load64(p + 16));
    z += load64(end - 8);
    a = load64(p + 16) + load64(end - 32);
    pair w = city_mix4(a, z, load64(end - 24), load64(end - 16));
    uint64_t r = smear((v.first + w.second) * K2 + (w.first + v.second) * K0);
    return smear(r * K0 + v.second) * K2;
}

/* Four words into two seeds. */
static pair city_weak(const uint8_t *p, uint64_t a, uint64_t b)
{
    uint64_t last = load64(p + 24);
    a += load64(p);
    b = rotate(b + a + last, 21);
    uint64_t c = a;
    a += load64(p + 8) + load64(p + 16);
    b += rotate(a, 44);
    return (pair){a + last, b + c};
}

static uint64_t city_long(const uint8_t *p, size_t size)
{
    const uint8_t *end = p + size;
    uint64_t x = load64(end - 40), y = load64(end - 16) + load64(end - 56);
    uint64_t z = fold_pair(load64(end - 48) + size, load64(end - 24));
    pair v = city_weak(end - 64, size, z), w = city_weak(end - 32, y + K1, x);
    x = x * K1 + load64(p);
    for (size_t left = (size - 1) & ~(size_t)63; left; left -= 64, p += 64) {
        x = rotate(x + y + v.first + load64(p + 8), 37) * K1;
        y = rotate(y + v.second + load64(p + 48), 42) * K1;
        x ^= w.second;
        y += v.first + load64(p + 40);
        z = rotate(z + w.first, 33) * K1;
        v = city_weak(p, v.second * K1, x + w.first);
        w = city_weak(p + 32, z + w.second, y + load64(p + 16));
        uint64_t swap = z;
        z = x;
        x = swap;
    }
    return fold_pair(fold_pair(v.first, w.first) + smear(y) * K1 + z, fold_pair(v.second, w.second) + x);
}

static uint64_t city_hash(const uint8_t *p, size_t size)
{
    if (size <= 16)
        return city_to_16(p, size);
    if (size <= 32)
        return city_to_32(p, size);
    return size <= 64 ? city_to_64(p, size) : city_long(p, size);
}

uint64_t ptio_cxx_hash(ptio_cxx_library library, const void *bytes, size_t size)
{
    return library == PTIO_LIBCXX ? city_hash(bytes, size) : murmur_hash(bytes, size);
}

/* ---- the set ---- */

#define NOWHERE UINT32_MAX

/* Elements are numbers, in the order of insertion; the number `front` stands for the head of the list. */
typedef struct cxx_set {
    ptio_cxx_library library;
    const uint64_t *hashes;
    uint32_t *next;   /* behind each element, and behind `front`; NOWHERE at the end */
    uint32_t *before; /* of each bucket's first element; NOWHERE where it is empty */
    uint32_t front, bucket_count;
    size_t capacity; /* of `before` */
} cxx_set;

static inline uint32_t bucket_of(const cxx_set *set, uint32_t element)
{
    uint64_t hash = set->hashes[element];
    uint32_t count = set->bucket_count;
    /* libc++ takes the low bits where it has a power of two; there it is the same number. */
    return (uint32_t)(hash < count ? hash : hash % count);
}

static void insert_front(cxx_set *set, uint32_t element, uint32_t bucket)
{
    uint32_t first = set->next[set->front];
    set->next[element] = first;
    set->next[set->front] = element;
    set->before[bucket] = set->front;
    if (first != NOWHERE)
        set->before[bucket_of(set, first)] = element;
}

static void insert_behind(cxx_set *set, uint32_t element, uint32_t place)
{
    set->next[element] = set->next[place];
    set->next[place] = element;
}

static void insert(cxx_set *set, uint32_t element)
{
    uint32_t bucket = bucket_of(set, element);
    if (set->before[bucket] == NOWHERE)
        insert_front(set, element, bucket);
    else
        insert_behind(set, element, set->before[bucket]);
}

/* libstdc++: take the list apart and insert all anew. */
static void rehash_libstdcxx(cxx_set *set)
{
    uint32_t element = set->next[set->front];
    set->next[set->front] = NOWHERE;
    while (element != NOWHERE) {
        uint32_t following = set->next[element];
        insert(set, element);
        element = following;
    }
}

/* libc++: leave the first of each bucket where it is, and move the others to it. */
static void rehash_libcxx(cxx_set *set)
{
    uint32_t last = set->next[set->front];
    if (last == NOWHERE)
        return;
    uint32_t last_bucket = bucket_of(set, last);
    set->before[last_bucket] = set->front;
    for (uint32_t element; (element = set->next[last]) != NOWHERE;) {
        uint32_t bucket = bucket_of(set, element);
        if (bucket != last_bucket && set->before[bucket] != NOWHERE) {
            set->next[last] = set->next[element];
            insert_behind(set, element, set->before[bucket]);
            continue;
        }
        if (bucket != last_bucket)
            set->before[bucket] = last;
        last = element;
        last_bucket = bucket;
    }
}

static uint32_t next_libstdcxx(uint32_t count)
{
    static const uint32_t primes[] = {13,      29,      59,      127,      257,      541,      1109,      2357,
                                      5087,    10273,   20753,   42043,    85229,    172933,   351061,    712697,
                                      1447153, 2938679, 5967347, 12117689, 24607243, 49969847, 101473717, 206062531};
    size_t i = 0;
    while (i + 1 < sizeof primes / sizeof *primes && primes[i] <= count)
        i++;
    return primes[i];
}

static bool is_prime(uint32_t n)
{
    for (uint32_t d = 3; d <= n / d; d += 2)
        if (n % d == 0)
            return false;
    return n % 2 != 0 || n == 2;
}

static uint32_t next_libcxx(uint32_t count)
{
    if (count < 2)
        return 2;
    uint32_t want = 2 * count + 1;
    while (!is_prime(want))
        want++;
    return want;
}

/* A set grows when it has as many elements as buckets. */
static ptio_status grow(cxx_set *set, ptio_heap *heap, ptio_error *err)
{
    bool libcxx = set->library == PTIO_LIBCXX;
    uint32_t wanted = libcxx ? next_libcxx(set->bucket_count) : next_libstdcxx(set->bucket_count);
    if (wanted > set->capacity) {
        uint32_t *moved = ptio_heap_grow(heap, set->before, &set->capacity, wanted, sizeof *moved);
        if (!moved)
            return ptio_heap_fail(heap, err, "the serialization id");
        set->before = moved;
    }
    set->bucket_count = wanted;
    memset(set->before, 0xFF, wanted * sizeof *set->before);
    if (libcxx)
        rehash_libcxx(set);
    else
        rehash_libstdcxx(set);
    return PTIO_OK;
}

static ptio_status fill(cxx_set *set, uint32_t count, ptio_heap *heap, ptio_error *err)
{
    set->next[set->front] = NOWHERE;
    for (uint32_t i = 0; i < count; i++) {
        if (i == set->bucket_count) {
            ptio_status status = grow(set, heap, err);
            if (status != PTIO_OK)
                return status;
        }
        insert(set, i);
    }
    return PTIO_OK;
}

/* Neither table can grow beyond this many elements without the numbers of buckets leaving 32 bits. A directory of 4 GiB, the most
 * there is, has fewer. */
#define MOST_ELEMENTS 100000000u

ptio_status ptio_id_of_names(ptio_cxx_library library, const uint64_t *hashes, uint32_t count, ptio_heap *heap, uint64_t *ret,
                             ptio_error *err)
{
    if (count > MOST_ELEMENTS)
        return ptio_fail(err, PTIO_ERR_LIMIT, "zip.directory", PTIO_NO_OFFSET, "%u records are more than an archive can have",
                         (unsigned)count);
    cxx_set set = {.library = library, .hashes = hashes, .front = count};
    set.next = ptio_heap_resize(heap, NULL, 0, ((size_t)count + 1) * sizeof *set.next);
    if (!set.next)
        return ptio_heap_fail(heap, err, "the serialization id");
    ptio_status status = fill(&set, count, heap, err);
    if (status == PTIO_OK) {
        uint64_t mixed = 0;
        for (uint32_t i = set.next[set.front]; i != NOWHERE; i = set.next[i])
            mixed = ptio_id_mix(mixed, hashes[i]);
        *ret = mixed;
    }
    ptio_heap_free(heap, set.before, set.capacity * sizeof *set.before);
    ptio_heap_free(heap, set.next, ((size_t)count + 1) * sizeof *set.next);
    return status;
}
