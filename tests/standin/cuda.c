/*
 * A stand-in for NVIDIA's driver library: the functions that ptio uses, over the memory of the CPU, for machines without a GPU.
 *
 * It is unkind where the real one may be. An asynchronous copy is done as late as it may be: when somebody waits for its event or stream; until
 * then it reads and writes the pinned buffer where it is. Addresses of devices are no pointers. Every argument is compared with what is
 * alive and with the context that is current in the thread; what is wrong gives CUDA_ERROR_INVALID_VALUE (or what fits) and counts
 * as a misuse. Tests make it fail and look at its counts by the functions of cuda.h.
 */
#include "standin/cuda.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_CONTEXT = 201,
    INVALID_HANDLE = 400
};

enum { DEVICES = 4, MOST = 4096, DEPTH = 16 };

typedef enum kind { NOTHING, MEMORY, HOST, STREAM, EVENT } kind;

/* Anything that was made; its handle is the address of this. */
typedef struct thing {
    kind kind;
    int device;
    unsigned char *bytes;
    size_t size;
    uintptr_t address; /* of MEMORY */
    int recorded;      /* of EVENT: copies of its stream that were started before */
    struct thing *stream;
} thing;

typedef struct copy {
    thing *stream;
    void *to;
    const void *from;
    size_t size;
    thing *memory, *host;
    int number;
} copy;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static standin_state state;
static char first_misuse[128];
static int device_count = 1, initialized, next_number;
static int retained[DEVICES];
static thing things[MOST];
static copy copies[MOST];
static size_t copy_count, pinned;
static uintptr_t next_address = 0x70000;
static struct {
    char function[40];
    unsigned long left;
    int error, armed, any, met;
} trouble;
static __thread int stack[DEPTH], depth; /* devices whose contexts are current in this thread */

/* ---- what every function begins with ---- */

static int misuse(const char *function, int error)
{
    if (!state.misuses++)
        (void)snprintf(first_misuse, sizeof first_misuse, "%s: error %d", function, error);
    return error;
}

static int is_due(const char *function)
{
    state.calls++;
    if (!trouble.armed || (!trouble.any && strcmp(trouble.function, function) != 0) || trouble.left--)
        return 0;
    trouble.armed = 0;
    trouble.met = 1;
    return trouble.error;
}

/* Under the lock, and out of it. */
#define BEGIN(function)                         \
    (void)pthread_mutex_lock(&lock);            \
    int result = is_due(function);              \
    const char *const this_function = function; \
    (void)this_function
#define END                            \
    (void)pthread_mutex_unlock(&lock); \
    return result
#define WRONG(error) misuse(this_function, error)

static int current(void)
{
    return depth ? stack[depth - 1] : -1;
}

/* A handle is one of ours, alive, of this kind and of the current device. */
static thing *find(const void *handle, kind wanted)
{
    for (size_t i = 0; i < MOST; i++)
        if (&things[i] == handle && things[i].kind == wanted && things[i].device == current())
            return &things[i];
    return NULL;
}

static thing *add(kind wanted)
{
    for (size_t i = 0; i < MOST; i++) {
        if (things[i].kind != NOTHING)
            continue;
        things[i] = (thing){.kind = wanted, .device = current()};
        return &things[i];
    }
    return NULL;
}

static thing *find_range(kind wanted, uintptr_t at, size_t size)
{
    for (size_t i = 0; i < MOST; i++) {
        thing *t = &things[i];
        uintptr_t start = wanted == MEMORY ? t->address : (uintptr_t)t->bytes;
        if (t->kind == wanted && at >= start && at - start <= t->size && size <= t->size - (at - start))
            return t;
    }
    return NULL;
}

/* ---- copies ---- */

/* Do those of a stream that were started before `number`. */
static void run(const thing *stream, int number)
{
    size_t kept = 0;
    for (size_t i = 0; i < copy_count; i++) {
        if (copies[i].stream == stream && copies[i].number < number)
            memcpy(copies[i].to, copies[i].from, copies[i].size);
        else
            copies[kept++] = copies[i];
    }
    copy_count = kept;
}

static int is_in_use(const thing *t)
{
    for (size_t i = 0; i < copy_count; i++)
        if (copies[i].memory == t || copies[i].host == t || copies[i].stream == t)
            return 1;
    return 0;
}

static int start_copy(const char *function, uintptr_t device, uintptr_t host, size_t size, void *stream, int to_device)
{
    thing *memory = find_range(MEMORY, device, size), *pinned_memory = find_range(HOST, host, size), *s = find(stream, STREAM);
    if (!memory || !pinned_memory || !s || !size || memory->device != current() || copy_count == MOST)
        return misuse(function, INVALID_VALUE);
    unsigned char *there = memory->bytes + (device - memory->address),
                  *here = pinned_memory->bytes + (host - (uintptr_t)pinned_memory->bytes);
    copies[copy_count++] = (copy){.stream = s,
                                  .to = to_device ? there : here,
                                  .from = to_device ? here : there,
                                  .size = size,
                                  .memory = memory,
                                  .host = pinned_memory,
                                  .number = next_number++};
    state.transfers++;
    return SUCCESS;
}

/* ---- the end of things ---- */

static void end_thing(thing *t)
{
    switch (t->kind) {
    case MEMORY:
        state.memory--;
        state.bytes -= t->size;
        break;
    case HOST:
        state.host--;
        pinned -= t->size;
        break;
    case STREAM:
    case EVENT: state.objects--; break;
    case NOTHING: break;
    }
    free(t->bytes);
    *t = (thing){0};
}

/* All that is left on a device, as when its context ends. */
static int destroy_all(int device)
{
    int count = 0;
    for (size_t i = 0; i < MOST; i++) {
        if (things[i].kind == NOTHING || things[i].device != device)
            continue;
        run(&things[i], next_number);
        end_thing(&things[i]);
        count++;
    }
    return count;
}

/* ---- the functions of the driver ---- */

EXPORT int cuInit(unsigned flags);
EXPORT int cuInit(unsigned flags)
{
    BEGIN("cuInit");
    if (!result && flags)
        result = WRONG(INVALID_VALUE);
    else if (!result && !device_count)
        result = NO_DEVICE;
    initialized |= !result;
    END;
}

EXPORT int cuDeviceGetCount(int *count);
EXPORT int cuDeviceGetCount(int *count)
{
    BEGIN("cuDeviceGetCount");
    if (!result && !initialized)
        result = WRONG(NOT_INITIALIZED);
    if (!result)
        *count = device_count;
    END;
}

EXPORT int cuDeviceGet(int *device, int ordinal);
EXPORT int cuDeviceGet(int *device, int ordinal)
{
    BEGIN("cuDeviceGet");
    if (!result && (!initialized || ordinal < 0 || ordinal >= device_count))
        result = WRONG(INVALID_DEVICE);
    if (!result)
        *device = ordinal + 10; /* no index */
    END;
}

EXPORT int cuDevicePrimaryCtxRetain(void **context, int device);
EXPORT int cuDevicePrimaryCtxRetain(void **context, int device)
{
    BEGIN("cuDevicePrimaryCtxRetain");
    if (!result && (device < 10 || device >= 10 + device_count))
        result = WRONG(INVALID_DEVICE);
    if (!result) {
        *context = &retained[device - 10];
        retained[device - 10]++;
        state.contexts++;
    }
    END;
}

EXPORT int cuDevicePrimaryCtxRelease_v2(int device);
EXPORT int cuDevicePrimaryCtxRelease_v2(int device)
{
    BEGIN("cuDevicePrimaryCtxRelease_v2");
    if (!result && (device < 10 || device >= 10 + DEVICES || !retained[device - 10]))
        result = WRONG(INVALID_CONTEXT);
    if (device >= 10 && device < 10 + DEVICES && retained[device - 10]) {
        retained[device - 10]--;
        state.contexts--;
        if (!retained[device - 10] && destroy_all(device - 10) && !trouble.met)
            (void)WRONG(INVALID_CONTEXT); /* they should have been given back before */
    }
    END;
}

EXPORT int cuCtxPushCurrent_v2(void *context);
EXPORT int cuCtxPushCurrent_v2(void *context)
{
    BEGIN("cuCtxPushCurrent_v2");
    int *found = context;
    if (!result && (found < retained || found >= retained + DEVICES || !*found || depth == DEPTH))
        result = WRONG(INVALID_CONTEXT);
    if (!result) {
        stack[depth++] = (int)(found - retained);
        state.current++;
    }
    END;
}

EXPORT int cuCtxPopCurrent_v2(void **context);
EXPORT int cuCtxPopCurrent_v2(void **context)
{
    BEGIN("cuCtxPopCurrent_v2");
    if (!result && !depth)
        result = WRONG(INVALID_CONTEXT);
    if (depth) {
        *context = &retained[stack[--depth]];
        state.current--;
    }
    END;
}

EXPORT int cuMemAlloc_v2(uintptr_t *address, size_t size);
EXPORT int cuMemAlloc_v2(uintptr_t *address, size_t size)
{
    BEGIN("cuMemAlloc_v2");
    if (!result && (current() < 0 || !size))
        result = WRONG(INVALID_CONTEXT);
    thing *made = result ? NULL : add(MEMORY);
    if (!result && (!made || !(made->bytes = malloc(size))))
        result = OUT_OF_MEMORY;
    if (!result) {
        memset(made->bytes, 0xA5, size);
        made->size = size;
        made->address = next_address;
        next_address += (size + 255) / 256 * 256 + 256;
        *address = made->address;
        state.memory++;
        state.bytes += size;
    }
    END;
}

EXPORT int cuMemFree_v2(uintptr_t address);
EXPORT int cuMemFree_v2(uintptr_t address)
{
    BEGIN("cuMemFree_v2");
    thing *found = find_range(MEMORY, address, 0);
    if (!result && (!found || found->address != address || found->device != current() || is_in_use(found)))
        result = WRONG(INVALID_VALUE);
    if (found && !is_in_use(found) && found->address == address) /* what fails on demand is done all the same */
        end_thing(found);
    END;
}

EXPORT int cuMemHostAlloc(void **memory, size_t size, unsigned flags);
EXPORT int cuMemHostAlloc(void **memory, size_t size, unsigned flags)
{
    BEGIN("cuMemHostAlloc");
    if (!result && (current() < 0 || !size || flags & ~7u))
        result = WRONG(INVALID_VALUE);
    thing *made = result ? NULL : add(HOST);
    if (!result && (!made || !(made->bytes = malloc(size))))
        result = OUT_OF_MEMORY;
    if (!result) {
        made->size = size;
        *memory = made->bytes;
        state.host++;
        pinned += size;
        state.most_pinned = pinned > state.most_pinned ? pinned : state.most_pinned;
    }
    END;
}

EXPORT int cuMemFreeHost(void *memory);
EXPORT int cuMemFreeHost(void *memory)
{
    BEGIN("cuMemFreeHost");
    thing *found = find_range(HOST, (uintptr_t)memory, 0);
    if (!result && (!found || found->bytes != memory || is_in_use(found)))
        result = WRONG(INVALID_VALUE);
    if (found && !is_in_use(found) && found->bytes == memory)
        end_thing(found);
    END;
}

EXPORT int cuMemcpyHtoDAsync_v2(uintptr_t to, const void *from, size_t size, void *stream);
EXPORT int cuMemcpyHtoDAsync_v2(uintptr_t to, const void *from, size_t size, void *stream)
{
    BEGIN("cuMemcpyHtoDAsync_v2");
    if (!result)
        result = start_copy(this_function, to, (uintptr_t)from, size, stream, 1);
    END;
}

EXPORT int cuMemcpyDtoHAsync_v2(void *to, uintptr_t from, size_t size, void *stream);
EXPORT int cuMemcpyDtoHAsync_v2(void *to, uintptr_t from, size_t size, void *stream)
{
    BEGIN("cuMemcpyDtoHAsync_v2");
    if (!result)
        result = start_copy(this_function, from, (uintptr_t)to, size, stream, 0);
    END;
}

/* A stream or an event. */
static int make(const char *function, void **ret, kind wanted, unsigned flags, unsigned known)
{
    BEGIN(function);
    if (!result && (current() < 0 || flags & ~known))
        result = WRONG(INVALID_VALUE);
    thing *made = result ? NULL : add(wanted);
    if (!result && !made)
        result = OUT_OF_MEMORY;
    if (!result) {
        *ret = made;
        state.objects++;
    }
    END;
}

static int destroy(const char *function, void *object, kind wanted)
{
    BEGIN(function);
    thing *found = find(object, wanted);
    if (!result && (!found || is_in_use(found)))
        result = WRONG(INVALID_HANDLE);
    if (found && !is_in_use(found))
        end_thing(found);
    END;
}

EXPORT int cuStreamCreate(void **stream, unsigned flags);
EXPORT int cuStreamCreate(void **stream, unsigned flags)
{
    return make("cuStreamCreate", stream, STREAM, flags, 1);
}

EXPORT int cuStreamDestroy_v2(void *stream);
EXPORT int cuStreamDestroy_v2(void *stream)
{
    return destroy("cuStreamDestroy_v2", stream, STREAM);
}

EXPORT int cuEventCreate(void **event, unsigned flags);
EXPORT int cuEventCreate(void **event, unsigned flags)
{
    return make("cuEventCreate", event, EVENT, flags, 7);
}

EXPORT int cuEventDestroy_v2(void *event);
EXPORT int cuEventDestroy_v2(void *event)
{
    return destroy("cuEventDestroy_v2", event, EVENT);
}

EXPORT int cuStreamSynchronize(void *stream);
EXPORT int cuStreamSynchronize(void *stream)
{
    BEGIN("cuStreamSynchronize");
    thing *found = find(stream, STREAM);
    if (!result && !found)
        result = WRONG(INVALID_HANDLE);
    if (found) { /* what fails has ended all the same */
        run(found, next_number);
        state.waits++;
    }
    END;
}

EXPORT int cuEventRecord(void *event, void *stream);
EXPORT int cuEventRecord(void *event, void *stream)
{
    BEGIN("cuEventRecord");
    thing *found = find(event, EVENT), *of = find(stream, STREAM);
    if (!result && (!found || !of))
        result = WRONG(INVALID_HANDLE);
    if (!result) {
        found->stream = of;
        found->recorded = next_number;
    }
    END;
}

EXPORT int cuEventSynchronize(void *event);
EXPORT int cuEventSynchronize(void *event)
{
    BEGIN("cuEventSynchronize");
    thing *found = find(event, EVENT);
    if (!result && !found)
        result = WRONG(INVALID_HANDLE);
    if (!result) {
        run(found->stream, found->recorded);
        state.waits++;
    }
    END;
}

EXPORT int cuGetErrorName(int error, const char **name);
EXPORT int cuGetErrorName(int error, const char **name)
{
    static const struct {
        int error;
        const char *name;
    } names[] = {{INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"},
                 {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY"},
                 {NO_DEVICE, "CUDA_ERROR_NO_DEVICE"},
                 {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE"},
                 {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT"},
                 {719, "CUDA_ERROR_LAUNCH_FAILED"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].error == error) {
            *name = names[i].name;
            return SUCCESS;
        }
    return INVALID_VALUE;
}

/* ---- the controls ---- */

EXPORT void standin_begin(int devices)
{
    (void)pthread_mutex_lock(&lock);
    device_count = devices;
    state.calls = state.misuses = state.transfers = state.waits = 0;
    state.most_pinned = 0;
    first_misuse[0] = '\0';
    trouble.armed = trouble.met = 0;
    (void)pthread_mutex_unlock(&lock);
}

EXPORT void standin_fail(const char *function, unsigned long count, int error)
{
    (void)pthread_mutex_lock(&lock);
    (void)snprintf(trouble.function, sizeof trouble.function, "%s", function ? function : "");
    trouble.any = !function;
    trouble.left = count;
    trouble.error = error;
    trouble.armed = 1;
    (void)pthread_mutex_unlock(&lock);
}

EXPORT standin_state standin_look(void)
{
    (void)pthread_mutex_lock(&lock);
    standin_state now = state;
    (void)pthread_mutex_unlock(&lock);
    return now;
}

EXPORT const char *standin_misuse(void)
{
    return first_misuse;
}

EXPORT unsigned char *standin_memory(unsigned long long address, size_t *size)
{
    (void)pthread_mutex_lock(&lock);
    thing *found = find_range(MEMORY, (uintptr_t)address, 0);
    unsigned char *bytes = NULL;
    if (found) {
        bytes = found->bytes + ((uintptr_t)address - found->address);
        *size = found->size - ((uintptr_t)address - found->address);
    }
    (void)pthread_mutex_unlock(&lock);
    return bytes;
}
