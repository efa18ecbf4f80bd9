/*
 * What differs between compilers and systems, in one place. Only this file, vector.h and src/io/ name a builtin or a system call.
 */
#ifndef PTIO_BASE_OS_H
#define PTIO_BASE_OS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define PTIO_LIKELY(x) __builtin_expect(!!(x), 1)
#define PTIO_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define PTIO_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define PTIO_INLINE static inline __attribute__((always_inline))
#define PTIO_NOINLINE __attribute__((noinline))
#define PTIO_PREFETCH(pointer) __builtin_prefetch(pointer)
#define PTIO_MOVE(to, from, constant_size) __builtin_memcpy(to, from, constant_size)
#define PTIO_HAVE_COMPUTED_GOTO 1
#else
#define PTIO_LIKELY(x) (x)
#define PTIO_UNLIKELY(x) (x)
#define PTIO_PRINTF(text, first)
#define PTIO_INLINE static inline
#define PTIO_NOINLINE
#define PTIO_PREFETCH(pointer) ((void)(pointer))
#define PTIO_MOVE(to, from, constant_size) memcpy(to, from, constant_size)
#define PTIO_HAVE_COMPUTED_GOTO 0
#endif

/* PTIO_MOVE is a load or a store once compiled. Why not memcpy(): a fortified one keeps clang from making vectors of a loop. */

/* Checked arithmetic: false and *ret untouched where the result does not fit. */

#define PTIO_CHECKED(name, type, builtin)              \
    static inline bool name(type a, type b, type *ret) \
    {                                                  \
        type result;                                   \
        if (builtin(a, b, &result))                    \
            return false;                              \
        *ret = result;                                 \
        return true;                                   \
    }
PTIO_CHECKED(ptio_add_u64, uint64_t, __builtin_add_overflow)
PTIO_CHECKED(ptio_mul_u64, uint64_t, __builtin_mul_overflow)
PTIO_CHECKED(ptio_add_i64, int64_t, __builtin_add_overflow)
PTIO_CHECKED(ptio_mul_i64, int64_t, __builtin_mul_overflow)
PTIO_CHECKED(ptio_add_size, size_t, __builtin_add_overflow)
PTIO_CHECKED(ptio_mul_size, size_t, __builtin_mul_overflow)
#undef PTIO_CHECKED

static inline uint16_t ptio_swap16(uint16_t x)
{
    return __builtin_bswap16(x);
}
static inline uint32_t ptio_swap32(uint32_t x)
{
    return __builtin_bswap32(x);
}
static inline uint64_t ptio_swap64(uint64_t x)
{
    return __builtin_bswap64(x);
}

/** Bits needed to write x: 0 for 0, 64 for 2^63 and more. */
static inline unsigned ptio_bit_width(uint64_t x)
{
    return x ? 64u - (unsigned)__builtin_clzll(x) : 0;
}

#if defined(__SIZEOF_INT128__)
__extension__ typedef unsigned __int128 ptio_u128;

/** Lower half of a * b; the upper half is *high. */
static inline uint64_t ptio_mul_wide(uint64_t a, uint64_t b, uint64_t *high)
{
    ptio_u128 product = (ptio_u128)a * b;
    *high = (uint64_t)(product >> 64);
    return (uint64_t)product;
}
#else
static inline uint64_t ptio_mul_wide(uint64_t a, uint64_t b, uint64_t *high)
{
    uint64_t a0 = a & UINT32_MAX, a1 = a >> 32, b0 = b & UINT32_MAX, b1 = b >> 32;
    uint64_t low = a0 * b0, cross = a1 * b0 + (low >> 32), other = a0 * b1 + (cross & UINT32_MAX);
    *high = a1 * b1 + (cross >> 32) + (other >> 32);
    return other << 32 | (low & UINT32_MAX);
}
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define PTIO_HOST_BIG_ENDIAN 1
#else
#define PTIO_HOST_BIG_ENDIAN 0
#endif

typedef pthread_mutex_t ptio_mutex;

static inline bool ptio_mutex_init(ptio_mutex *mutex)
{
    return pthread_mutex_init(mutex, NULL) == 0;
}
static inline void ptio_mutex_lock(ptio_mutex *mutex)
{
    (void)pthread_mutex_lock(mutex);
}
static inline void ptio_mutex_unlock(ptio_mutex *mutex)
{
    (void)pthread_mutex_unlock(mutex);
}
static inline void ptio_mutex_destroy(ptio_mutex *mutex)
{
    (void)pthread_mutex_destroy(mutex);
}

#define PTIO_MOST_THREADS 64

/** Run `work` in `count` threads at once, PTIO_MOST_THREADS at most, of which the caller's is one, and wait for all. Where the system has no
 *  more threads there are fewer. Signals go to threads of the caller. */
void ptio_os_run_threads(unsigned count, void (*work)(void *ctx), void *ctx);

/** Processors that threads can run on, at least 1. */
unsigned ptio_os_processors(void);

/** A shared library. NULL where it cannot be opened; then `why` of `size` bytes says the system's reason. */
void *ptio_os_library_open(const char *name, char *why, size_t size);

/** Find a function in it: `function` points to a function pointer. False where it has none of that name. */
bool ptio_os_library_find(void *library, const char *name, void *function);

void ptio_os_library_close(void *library);

/** A number that differs between processes and loads, to key hashes with. */
uint64_t ptio_os_random(void);

/** malloc, realloc and free in one; big blocks in pages that cost few faults. */
void *ptio_os_resize(void *ptr, size_t old_size, size_t new_size);

/** Memory for a storage; NULL where there is none. `alignment` is a power of two. */
void *ptio_os_alloc(size_t size, size_t alignment);
void ptio_os_free(void *ptr, size_t size);

#endif
