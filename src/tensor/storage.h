/*
 * A storage: a flat run of bytes that tensors share. Where the bytes come from is its origin; they are read when first asked for.
 */
#ifndef PTIO_TENSOR_STORAGE_H
#define PTIO_TENSOR_STORAGE_H

#include <stdatomic.h>

#include "archive/read_ahead.h"
#include "base/pointer_map.h"
#include "tensor/dtype.h"

/** How a kind of origin gives bytes. All functions may be called by any thread. */
typedef struct ptio_storage_origin {
    /** Fill `buffer` with the storage's nbytes, as they stand in the file. NULL for slices, which have no bytes of their own. */
    ptio_status (*read)(const ptio_storage *storage, void *buffer, const ptio_watch *watch, ptio_error *err);
    /** The bytes where they are in memory anyway, or NULL. *err is set where that fails. May be NULL itself. */
    const void *(*view)(const ptio_storage *storage, ptio_error *err);
    /** As ptio_storage_range(). May be NULL. */
    bool (*range)(const ptio_storage *storage, uint64_t *offset, uint64_t *nbytes);
    /** What view() gives bytes of, and place() is in. NULL: they are in no source. */
    const ptio_source *(*source)(const ptio_storage *storage);
    /** Where the bytes lie in the source as they are, which may be another file than that of range(). False where they are not in
     *  one piece. May be NULL. */
    bool (*place)(const ptio_storage *storage, uint64_t *offset);
} ptio_storage_origin;

/** Where the bytes of a storage stand in a source, as they are: stored, in the byte order of this machine. */
typedef struct ptio_storage_place {
    ptio_source *source;
    uint64_t offset;
    const uint8_t
        *bytes;     /* they were read already, with others, and are here until the next is found; NULL: only `offset` is known */
    bool has_crc32; /* of exactly these bytes */
    uint32_t crc32;
} ptio_storage_place;

/** False where they are in memory already, or have to be inflated, swapped or made; then ptio_storage_data() gives them. */
bool ptio_storage_find(const ptio_storage *storage, ptio_read_ahead *ahead, ptio_storage_place *ret);

/** Where any byte of a storage can be read without the others. */
typedef struct ptio_storage_pieces {
    ptio_source *source;
    uint64_t offset;  /* of the first byte                                           */
    size_t swap_unit; /* bytes to be reversed together, from the first on; 1: none   */
} ptio_storage_pieces;

/** False where ptio_storage_data() is the better way: the bytes are in memory already, or few, or have to be inflated or made. */
bool ptio_storage_in_pieces(const ptio_storage *storage, ptio_storage_pieces *ret);

/** While a storage is pinned, ptio_storage_drop() leaves its bytes where they are. Any thread may call these. */
void ptio_storage_pin(const ptio_storage *storage);
void ptio_storage_unpin(const ptio_storage *storage);

/** Hand over bytes that the pool's hooks allocated, to a new storage of memory: they are freed with the pool, and not dropped before. */
void ptio_storage_own(ptio_storage *storage, void *bytes);

/** Free bytes that were handed over so, unless somebody else has pinned them; the storage is of zeros then. False for other storages. */
bool ptio_storage_disown(ptio_storage *storage);

/** Bytes that are reversed together when they are read from the file; 1: none. */
size_t ptio_storage_read_unit(const ptio_storage *storage);

/** The bytes where they are the caller's, given to a builder, in the byte order of this machine: no lock is taken. NULL otherwise. */
const void *ptio_storage_given(const ptio_storage *storage);

/** The record that the bytes are, as they stand in it. False where they are none, or have to be swapped. */
bool ptio_storage_record(const ptio_storage *storage, ptio_archive **archive, size_t *index);

/** The same, where the bytes may have to be swapped: by ptio_storage_read_unit(). */
bool ptio_storage_in_record(const ptio_storage *storage, ptio_archive **archive, size_t *index);

/** Where a slice begins in the storage that it is cut from at last; 0 of other storages. */
uint64_t ptio_storage_offset_in_whole(const ptio_storage *storage);

/** The storage that a slice is cut from at last; any other storage itself, and a slice that is not inside what it is cut from. */
const ptio_storage *ptio_storage_whole(const ptio_storage *storage);

/** Whether the bytes are in memory that ptio_storage_drop() would give back. */
bool ptio_storage_is_resident(const ptio_storage *storage);

/** Bytes that are reversed together when its elements are written to a file of this byte order; 1: none. */
size_t ptio_storage_swap_unit(const ptio_storage *storage, bool to_big_endian);

/** A record of an archive: `origin_index` is its index, `origin_data` the archive. */
extern const ptio_storage_origin ptio_storage_of_record;
/** Bytes that are in memory for as long as the pool: `origin_data` points to them. */
extern const ptio_storage_origin ptio_storage_of_memory;
/** A slice of another storage: `origin_data` is that storage, `origin_index` the first byte. The other is read and swapped whole. */
extern const ptio_storage_origin ptio_storage_of_slice;
/** Zeros. */
extern const ptio_storage_origin ptio_storage_of_zeros;
/** The memory of a device, in the byte order of this machine: device.c. What it was before is kept there. */
extern const ptio_storage_origin ptio_storage_of_device;

enum {
    PTIO_STORAGE_LOCKS = 16,
    PTIO_LOCK_OF_TRANSFERS = PTIO_STORAGE_LOCKS, /* one storage at a time goes to a device       */
    PTIO_LOCK_OF_DEVICES,                        /* of the tables below that tell of devices     */
    PTIO_POOL_LOCKS,
    PTIO_MOST_LOCATIONS = 128, /* distinct location tags of one checkpoint */
    PTIO_MOST_DEVICES = 32     /* distinct devices that its storages go to */
};

/** A device that storages go to. */
typedef struct ptio_pool_device {
    struct ptio_device_kind *kind; /* held */
    int index;
    char name[48]; /* "cuda:1" */
} ptio_pool_device;

/** What the storages of one checkpoint have in common. */
typedef struct ptio_storage_pool {
    ptio_memory hooks;      /* filled in: no NULLs; called by several threads at once */
    uint64_t storage_limit; /* bytes of one storage; 0: none                          */
    uint64_t expand_factor;
    bool map_is_shared;      /* what is written to a storage has to reach the file */
    const ptio_watch *watch; /* told while bytes are read; NULL: nobody */
    _Atomic(uint32_t) owned; /* storages whose bytes were allocated                    */
    uint32_t count;          /* storages made so far                                   */
    uint32_t location_count;
    ptio_text locations[PTIO_MOST_LOCATIONS]; /* distinct location tags               */
    ptio_mutex locks[PTIO_POOL_LOCKS];        /* the first 16 of reading: storage index modulo 16 */
    uint8_t device_count;
    ptio_pool_device devices[PTIO_MOST_DEVICES];
    ptio_pointer_map blocks; /* the memory that storages have on devices: device.c */
    ptio_heap device_heap;
    ptio_storage *newest; /* all storages, for freeing what they read */
} ptio_storage_pool;

enum {
    PTIO_STORAGE_UNTYPED = 1,
    PTIO_STORAGE_META = 2,     /* has a size but no bytes                                */
    PTIO_STORAGE_SWAP = 4,     /* the file's byte order is not that of this machine      */
    PTIO_STORAGE_OWNED = 8,    /* `data` was allocated                                   */
    PTIO_STORAGE_VERIFIED = 16 /* its checksum was compared                           */
};

struct ptio_storage {
    ptio_storage_pool *pool;
    _Atomic(const ptio_storage_origin *) origin;
    const void *origin_data;
    uint64_t origin_index;
    uint64_t nbytes;
    _Atomic(const void *) data; /* NULL until read                                        */
    ptio_storage *older;
    const char *key;
    uint32_t key_size;
    uint32_t index;         /* number in the pool                                     */
    uint16_t location;      /* index in pool->locations                               */
    _Atomic(uint32_t) pins; /* what was handed over and still points to the bytes     */
    uint8_t dtype;
    _Atomic(uint8_t) flags;
    _Atomic(uint8_t) device; /* where it goes: 0 the CPU, else a place in pool->devices, from 1 */
    uint8_t swap; /* unit of the swap, where PTIO_STORAGE_SWAP; 0: that of `dtype`. Set by the first tensor of an untyped one */
};

/** Whether it has a size but no bytes. A location tag "meta" alone does not make it so. */
static inline bool ptio_storage_is_meta(const ptio_storage *storage)
{
    return atomic_load_explicit(&storage->flags, memory_order_relaxed) & PTIO_STORAGE_META;
}

/** False where the system has no locks left; then there is nothing to free. `hooks` and `limits` may be NULL or have NULLs and zeros. */
bool ptio_storage_pool_init(ptio_storage_pool *pool, const ptio_memory *hooks, const ptio_limits *limits);

/**
 * Read the bytes straight into a buffer of their size, in the byte order of this machine, where they are neither read already nor in
 * memory anyway. Then *done is true, and the storage is as it was; otherwise ptio_storage_data() has them for the asking.
 */
ptio_status ptio_storage_read_into(const ptio_storage *storage, void *buffer, bool *done, ptio_error *err);

/** Like ptio_storage_data(), with another watch. */
ptio_status ptio_storage_fetch(const ptio_storage *storage, const ptio_watch *watch, const void **ret, ptio_error *err);

/** Free what was read. The storages themselves are in the arena. */
void ptio_storage_pool_free(ptio_storage_pool *pool);

/** Whether its bytes are in use by others than the tensors over it: handed over by DLPack, or on a device. */
bool ptio_storage_is_in_use(const ptio_storage *storage);

/** Free what was read of one storage that nobody will ask for again. */
void ptio_storage_free_bytes(ptio_storage *storage);

/** The number of a location tag in the pool, added if it is new; the text must live as long as the pool. More than
 *  PTIO_MOST_LOCATIONS tags are PTIO_ERR_LIMIT "storage.locations". */
ptio_status ptio_storage_pool_location(ptio_storage_pool *pool, ptio_text tag, uint16_t *ret, ptio_error *err);

/** A new storage in the arena, numbered; the caller fills in the rest. NULL where there is no memory. */
ptio_storage *ptio_storage_new(ptio_storage_pool *pool, ptio_arena *arena);

#endif
