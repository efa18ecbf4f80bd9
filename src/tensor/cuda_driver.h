/*
 * NVIDIA's driver library as far as it is needed: its functions, found by name when the library is opened, and its numbers.
 *
 * Nothing of it is known when ptio is built. Names with _v2 are those of the interface that has been there since CUDA 4; the address of
 * memory on a device is as large as a pointer.
 *
 * Source: the manual of the CUDA driver API
 */
#ifndef PTIO_TENSOR_CUDA_DRIVER_H
#define PTIO_TENSOR_CUDA_DRIVER_H

#include "base/error.h"

typedef int cuda_result; /* 0: success */
typedef int cuda_device;
typedef void *cuda_object; /* a context, a stream, an event */
typedef uintptr_t cuda_address;

enum { CUDA_OUT_OF_MEMORY = 2, CUDA_PORTABLE = 1, CUDA_NON_BLOCKING = 1, CUDA_NO_TIMING = 2 };

/* clang-format off */
#define PTIO_CUDA_FUNCTIONS(X)                                                                                         \
    X(init,            "cuInit",                       (unsigned flags))                                               \
    X(get_count,       "cuDeviceGetCount",             (int *count))                                                   \
    X(get_device,      "cuDeviceGet",                  (cuda_device *device, int ordinal))                             \
    X(retain_context,  "cuDevicePrimaryCtxRetain",     (cuda_object *context, cuda_device device))                     \
    X(release_context, "cuDevicePrimaryCtxRelease_v2", (cuda_device device))                                           \
    X(push_context,    "cuCtxPushCurrent_v2",          (cuda_object context))                                          \
    X(pop_context,     "cuCtxPopCurrent_v2",           (cuda_object *context))                                         \
    X(allocate,        "cuMemAlloc_v2",                (cuda_address *address, size_t size))                           \
    X(release,         "cuMemFree_v2",                 (cuda_address address))                                         \
    X(allocate_host,   "cuMemHostAlloc",               (void **memory, size_t size, unsigned flags))                   \
    X(release_host,    "cuMemFreeHost",                (void *memory))                                                 \
    X(copy_to,         "cuMemcpyHtoDAsync_v2",         (cuda_address to, const void *from, size_t size, cuda_object stream)) \
    X(copy_from,       "cuMemcpyDtoHAsync_v2",         (void *to, cuda_address from, size_t size, cuda_object stream)) \
    X(new_stream,      "cuStreamCreate",               (cuda_object *stream, unsigned flags))                          \
    X(wait_stream,     "cuStreamSynchronize",          (cuda_object stream))                                           \
    X(free_stream,     "cuStreamDestroy_v2",           (cuda_object stream))                                           \
    X(new_event,       "cuEventCreate",                (cuda_object *event, unsigned flags))                           \
    X(record_event,    "cuEventRecord",                (cuda_object event, cuda_object stream))                        \
    X(wait_event,      "cuEventSynchronize",           (cuda_object event))                                            \
    X(free_event,      "cuEventDestroy_v2",            (cuda_object event))                                            \
    X(error_name,      "cuGetErrorName",               (cuda_result error, const char **name))
/* clang-format on */

typedef struct ptio_cuda_driver {
    void *library;
#define PTIO_CUDA_MEMBER(member, name, arguments) cuda_result(*member) arguments;
    PTIO_CUDA_FUNCTIONS(PTIO_CUDA_MEMBER)
#undef PTIO_CUDA_MEMBER
} ptio_cuda_driver;

/** What they are called. */
typedef struct ptio_cuda_names {
#define PTIO_CUDA_MEMBER(member, name, arguments) const char *member;
    PTIO_CUDA_FUNCTIONS(PTIO_CUDA_MEMBER)
#undef PTIO_CUDA_MEMBER
} ptio_cuda_names;
extern const ptio_cuda_names ptio_cuda_name;

/** Open the library. False where it is none, or lacks a function; `why` says so. */
bool ptio_cuda_driver_open(ptio_cuda_driver *driver, const char *library, char *why, size_t size);
void ptio_cuda_driver_close(ptio_cuda_driver *driver);

/** Fail with the name of an error: "cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY". PTIO_OK for success. */
ptio_status ptio_cuda_check(const ptio_cuda_driver *driver, cuda_result result, const char *function, ptio_error *err);

#endif
