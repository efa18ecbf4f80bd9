/*
 * The system behind os.h: a random key, and memory.
 *
 * Large blocks come straight from mmap(), aligned to a huge page and with MADV_HUGEPAGE: fresh pages of 4 KiB cost
 * about 2 us each to touch on virtual machines, which is most of the time of a load that only lists tensors. Such a block grows by its
 * pages being moved, not its bytes.
 */
#define _GNU_SOURCE
#include "base/os.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/random.h>
#endif

uint64_t ptio_os_random(void)
{
    uint64_t value = 0;
#if defined(__linux__)
    if (getrandom(&value, sizeof value, GRND_NONBLOCK) == (ssize_t)sizeof value)
        return value;
#endif
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_nsec << 32) ^ (uint64_t)now.tv_sec ^ (uint64_t)getpid() << 17 ^ (uint64_t)(uintptr_t)&now;
}

void *ptio_os_library_open(const char *name, char *why, size_t size)
{
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    const char *reason = library ? NULL : dlerror();
    if (!library)
        (void)snprintf(why, size, "%s", reason ? reason : name);
    return library;
}

bool ptio_os_library_find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);
    /* POSIX has functions and objects of one size; C knows no cast between pointers to them. */
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

void ptio_os_library_close(void *library)
{
    (void)dlclose(library);
}

unsigned ptio_os_processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 1 ? (unsigned)count : 1;
}

typedef struct thread_work {
    void (*work)(void *ctx);
    void *ctx;
} thread_work;

static void *run_work(void *argument)
{
    const thread_work *w = argument;
    w->work(w->ctx);
    return NULL;
}

/* A handler of the caller's must not run in a thread that the caller does not know of, unless the thread itself is the cause. */
static void block_signals(sigset_t *ret)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    (void)sigfillset(ret);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        (void)sigdelset(ret, own[i]);
}

void ptio_os_run_threads(unsigned count, void (*work)(void *ctx), void *ctx)
{
    thread_work w = {work, ctx};
    pthread_t threads[PTIO_MOST_THREADS - 1];
    sigset_t blocked, before;
    unsigned started = 0;
    block_signals(&blocked);
    (void)pthread_sigmask(SIG_BLOCK, &blocked, &before);
    while (started + 1 < count && started < PTIO_MOST_THREADS - 1 && pthread_create(&threads[started], NULL, run_work, &w) == 0)
        started++;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    work(ctx);
    while (started)
        (void)pthread_join(threads[--started], NULL);
}

#define HUGE_PAGE ((size_t)2 << 20)

/* From here on a block is worth a huge page of its own: clearing one takes as long as some 150 faults of small pages. */
#define WORTH_A_HUGE_PAGE ((size_t)640 << 10)

static bool is_huge(size_t size)
{
    return size >= WORTH_A_HUGE_PAGE;
}

static size_t huge_size(size_t size)
{
    return (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
}

static void *huge_map(size_t size)
{
    if (size > SIZE_MAX - 2 * HUGE_PAGE)
        return NULL;
    size_t length = huge_size(size), whole = length + HUGE_PAGE;
    char *map = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    /* Give back what lies before and behind the aligned part. */
    size_t before = (HUGE_PAGE - ((uintptr_t)map & (HUGE_PAGE - 1))) & (HUGE_PAGE - 1);
    if (before)
        (void)munmap(map, before);
    if (whole - before - length)
        (void)munmap(map + before + length, whole - before - length);
#ifdef MADV_HUGEPAGE
    /* A short rest behind the last whole page costs less in small ones. */
    size_t rest = size % HUGE_PAGE;
    if (rest >= WORTH_A_HUGE_PAGE)
        rest = 0;
    if (size > rest)
        (void)madvise(map + before, rest ? size - rest : length, MADV_HUGEPAGE);
#endif
    return map + before;
}

static void huge_unmap(void *ptr, size_t size)
{
    (void)munmap(ptr, huge_size(size));
}

/* Give the pages of a block that grows to its new place, one huge page at a time, since a block may consist of several mappings. */
static bool move_pages(char *to, char *from, size_t size)
{
#if defined(__linux__)
    for (size_t done = 0; done < size; done += HUGE_PAGE)
        if (mremap(from + done, HUGE_PAGE, HUGE_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + done) == MAP_FAILED) {
            if (done == 0)
                return false;
            /* The system has no room for one more mapping: the rest is copied. */
            memcpy(to + done, from + done, size - done);
            (void)munmap(from + done, size - done);
            return true;
        }
    return true;
#else
    (void)to, (void)from, (void)size;
    return false;
#endif
}

void *ptio_os_resize(void *ptr, size_t old_size, size_t new_size)
{
    bool was_huge = ptr && is_huge(old_size);
    if (!new_size) {
        if (was_huge)
            huge_unmap(ptr, old_size);
        else
            free(ptr);
        return NULL;
    }
    if (!was_huge && !is_huge(new_size))
        return realloc(ptr, new_size);
    if (was_huge && is_huge(new_size) && huge_size(old_size) == huge_size(new_size))
        return ptr;
    void *fresh = is_huge(new_size) ? huge_map(new_size) : malloc(new_size);
    if (!fresh)
        return NULL;
    if (was_huge && new_size > old_size && move_pages(fresh, ptr, huge_size(old_size)))
        return fresh;
    if (ptr) {
        memcpy(fresh, ptr, old_size < new_size ? old_size : new_size);
        (void)ptio_os_resize(ptr, old_size, 0);
    }
    return fresh;
}

void *ptio_os_alloc(size_t size, size_t alignment)
{
    if (is_huge(size) && alignment <= HUGE_PAGE)
        return huge_map(size);
    void *ptr = NULL;
    if (alignment < sizeof(void *))
        alignment = sizeof(void *);
    return posix_memalign(&ptr, alignment, size ? size : 1) == 0 ? ptr : NULL;
}

void ptio_os_free(void *ptr, size_t size)
{
    if (ptr && is_huge(size))
        huge_unmap(ptr, size);
    else
        free(ptr);
}
