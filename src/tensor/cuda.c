/*
 * CUDA devices, through the driver library that is opened at run time.
 *
 * A device is opened when it is first used: its primary context, which it shares with everybody else in the process, a stream, and two
 * pinned buffers. Bytes go through the buffers in turn, so that one is filled while the other is on its way:
 *
 *     to the device      wait for the buffer, copy into it, start the transfer        finish() waits for the last ones
 *     from the device    start the transfer into the next buffer, then wait for the one before and copy out of it
 *
 * One thread at a time uses a device. The context is current only during a call, so that the caller's own stays as it is.
 */
#include <string.h>

#include "tensor/cuda_driver.h"
#include "tensor/device.h"

#define DEFAULT_LIBRARY "libcuda.so.1"

enum { STAGING_BYTES = 4 << 20, BUFFERS = 2, MOST_WHY = 128 };

typedef struct staging {
    void *bytes;
    cuda_object event; /* of the transfer that uses it */
    bool is_used;
} staging;

typedef struct device {
    ptio_mutex lock;
    cuda_device device;
    cuda_object context, stream; /* NULL until it is used */
    staging buffers[BUFFERS];
    unsigned next;
} device;

typedef struct cuda {
    ptio_heap heap;
    ptio_cuda_driver driver;
    device *devices;
    int count;
    char why[MOST_WHY]; /* there are none */
} cuda;

#define CHECK(call, ...) ptio_cuda_check(&c->driver, c->driver.call(__VA_ARGS__), ptio_cuda_name.call, err)

/* ---- opening and closing a device ---- */

static void close_buffers(cuda *c, device *d)
{
    for (size_t i = 0; i < BUFFERS; i++) {
        if (d->buffers[i].event)
            (void)c->driver.free_event(d->buffers[i].event);
        if (d->buffers[i].bytes)
            (void)c->driver.release_host(d->buffers[i].bytes);
        d->buffers[i] = (staging){0};
    }
}

/* The context is current. */
static ptio_status open_buffers(cuda *c, device *d, ptio_error *err)
{
    ptio_status status = CHECK(new_stream, &d->stream, CUDA_NON_BLOCKING);
    for (size_t i = 0; i < BUFFERS && status == PTIO_OK; i++) {
        status = CHECK(allocate_host, &d->buffers[i].bytes, STAGING_BYTES, CUDA_PORTABLE);
        if (status == PTIO_OK)
            status = CHECK(new_event, &d->buffers[i].event, CUDA_NO_TIMING);
    }
    return status;
}

/* The context is current. */
static void close_current(cuda *c, device *d)
{
    if (d->stream)
        (void)c->driver.wait_stream(d->stream);
    close_buffers(c, d);
    if (d->stream)
        (void)c->driver.free_stream(d->stream);
    d->stream = NULL;
}

static void leave(cuda *c)
{
    cuda_object popped;
    (void)c->driver.pop_context(&popped);
}

static void close_device(cuda *c, device *d)
{
    if (d->context && c->driver.push_context(d->context) == 0) {
        close_current(c, d);
        leave(c);
    }
    if (d->context)
        (void)c->driver.release_context(d->device);
    d->context = NULL;
}

static ptio_status open_device(cuda *c, device *d, ptio_error *err)
{
    ptio_status status = CHECK(get_device, &d->device, (int)(d - c->devices));
    if (status == PTIO_OK)
        status = CHECK(retain_context, &d->context, d->device);
    if (status != PTIO_OK) {
        d->context = NULL;
        return status;
    }
    status = CHECK(push_context, d->context);
    if (status == PTIO_OK) {
        status = open_buffers(c, d, err);
        leave(c);
    }
    if (status != PTIO_OK)
        close_device(c, d);
    return status;
}

/* Begin a call: the device is ours and its context current. */
static ptio_status enter(cuda *c, int index, device **ret, ptio_error *err)
{
    device *d = &c->devices[index];
    ptio_mutex_lock(&d->lock);
    ptio_status status = d->context ? PTIO_OK : open_device(c, d, err);
    if (status == PTIO_OK)
        status = CHECK(push_context, d->context);
    if (status != PTIO_OK)
        ptio_mutex_unlock(&d->lock);
    *ret = d;
    return status;
}

static void end(cuda *c, device *d)
{
    leave(c);
    ptio_mutex_unlock(&d->lock);
}

/* ---- the functions of ptio_device_ops ---- */

static int count(void *ctx, ptio_error *err)
{
    const cuda *c = ctx;
    if (!c->count)
        (void)snprintf(err->message, sizeof err->message, "%s", c->why);
    return c->count;
}

static ptio_status allocate(void *ctx, int index, uint64_t size, uint64_t *address, ptio_error *err)
{
    cuda *c = ctx;
    device *d;
    cuda_address memory = 0;
    if (size > SIZE_MAX)
        return ptio_fail_memory(err, "a storage on a device");
    ptio_status status = enter(c, index, &d, err);
    if (status != PTIO_OK)
        return status;
    status = CHECK(allocate, &memory, (size_t)size);
    end(c, d);
    if (status == PTIO_OK)
        *address = memory;
    return status;
}

static ptio_status wait_stream(cuda *c, device *d, ptio_error *err)
{
    for (size_t i = 0; i < BUFFERS; i++)
        d->buffers[i].is_used = false;
    return CHECK(wait_stream, d->stream);
}

static ptio_status finish(void *ctx, int index, ptio_error *err)
{
    cuda *c = ctx;
    device *d;
    ptio_status status = enter(c, index, &d, err);
    if (status != PTIO_OK)
        return status;
    status = wait_stream(c, d, err);
    end(c, d);
    return status;
}

static void release(void *ctx, int index, uint64_t address, uint64_t size)
{
    cuda *c = ctx;
    device *d;
    (void)size;
    if (enter(c, index, &d, NULL) != PTIO_OK)
        return;
    (void)wait_stream(c, d, NULL); /* nothing may be on its way to it */
    (void)c->driver.release((cuda_address)address);
    end(c, d);
}

/* The buffer whose turn it is, when its last transfer is done. */
static ptio_status next_buffer(cuda *c, device *d, staging **ret, ptio_error *err)
{
    staging *s = &d->buffers[d->next++ % BUFFERS];
    *ret = s;
    if (!s->is_used)
        return PTIO_OK;
    s->is_used = false;
    return CHECK(wait_event, s->event);
}

static ptio_status start(cuda *c, device *d, staging *s, ptio_status status, ptio_error *err)
{
    if (status == PTIO_OK)
        status = CHECK(record_event, s->event, d->stream);
    if (status == PTIO_OK)
        s->is_used = true;
    else
        (void)wait_stream(c, d, NULL); /* it may have been started: the buffer is not ours until it has ended */
    return status;
}

static ptio_status send(cuda *c, device *d, cuda_address to, const void *bytes, size_t size, ptio_error *err)
{
    staging *s;
    ptio_status status = next_buffer(c, d, &s, err);
    if (status != PTIO_OK)
        return status;
    memcpy(s->bytes, bytes, size);
    return start(c, d, s, CHECK(copy_to, to, s->bytes, size, d->stream), err);
}

static ptio_status copy_to(void *ctx, int index, uint64_t address, const void *bytes, size_t size, ptio_error *err)
{
    cuda *c = ctx;
    device *d;
    const char *from = bytes;
    ptio_status status = enter(c, index, &d, err);
    if (status != PTIO_OK)
        return status;
    for (size_t done = 0; done < size && status == PTIO_OK;) {
        size_t n = size - done < STAGING_BYTES ? size - done : STAGING_BYTES;
        status = send(c, d, (cuda_address)address + done, from + done, n, err);
        done += n;
    }
    end(c, d);
    return status;
}

/* Copy out of a buffer when its transfer is done. */
static ptio_status receive(cuda *c, staging *s, void *to, size_t size, ptio_error *err)
{
    s->is_used = false;
    ptio_status status = CHECK(wait_event, s->event);
    if (status == PTIO_OK)
        memcpy(to, s->bytes, size);
    return status;
}

static ptio_status receive_all(cuda *c, device *d, char *to, cuda_address from, size_t size, ptio_error *err)
{
    staging *before = NULL;
    size_t at_before = 0, size_before = 0;
    ptio_status status = PTIO_OK;
    for (size_t done = 0; done < size && status == PTIO_OK;) {
        size_t n = size - done < STAGING_BYTES ? size - done : STAGING_BYTES;
        staging *s;
        status = next_buffer(c, d, &s, err);
        if (status == PTIO_OK)
            status = start(c, d, s, CHECK(copy_from, s->bytes, from + done, n, d->stream), err);
        if (status == PTIO_OK && before)
            status = receive(c, before, to + at_before, size_before, err);
        before = s;
        at_before = done;
        size_before = n;
        done += n;
    }
    return status == PTIO_OK && before ? receive(c, before, to + at_before, size_before, err) : status;
}

static ptio_status copy_from(void *ctx, int index, void *bytes, uint64_t address, size_t size, ptio_error *err)
{
    cuda *c = ctx;
    device *d;
    ptio_status status = enter(c, index, &d, err);
    if (status != PTIO_OK)
        return status;
    status = receive_all(c, d, bytes, (cuda_address)address, size, err);
    end(c, d);
    return status;
}

/* ---- opening the driver ---- */

static void close_cuda(void *ctx)
{
    cuda *c = ctx;
    for (int i = 0; c->devices && i < c->count; i++) {
        close_device(c, &c->devices[i]);
        ptio_mutex_destroy(&c->devices[i].lock);
    }
    ptio_cuda_driver_close(&c->driver);
    ptio_heap heap = c->heap;
    ptio_heap_free(&heap, c->devices, (size_t)c->count * sizeof *c->devices);
    ptio_heap_free(&heap, c, sizeof *c);
}

/* Why there are no devices, if there are none. */
static int find_devices(cuda *c, const char *library)
{
    ptio_error own = {0}, *err = &own;
    int found = 0;
    if (!ptio_cuda_driver_open(&c->driver, library, c->why, sizeof c->why))
        return 0;
    if (CHECK(init, 0) != PTIO_OK || CHECK(get_count, &found) != PTIO_OK)
        (void)snprintf(c->why, sizeof c->why, "%.120s", own.message);
    return own.status == PTIO_OK && found > 0 ? found : 0;
}

static ptio_status new_devices(cuda *c, int count, ptio_error *err)
{
    size_t size;
    if (!count)
        return PTIO_OK;
    if (!ptio_mul_size((size_t)count, sizeof *c->devices, &size) || !(c->devices = ptio_heap_resize(&c->heap, NULL, 0, size)))
        return ptio_fail_memory(err, "devices");
    memset(c->devices, 0, size);
    c->count = count;
    for (int i = 0; i < count; i++)
        (void)ptio_mutex_init(&c->devices[i].lock);
    return PTIO_OK;
}

ptio_status ptio_cuda_new(const ptio_memory *memory, const char *library, ptio_device_kind **ret, ptio_error *err)
{
    ptio_heap heap;
    ptio_heap_init(&heap, memory, 0);
    cuda *c = ptio_heap_resize(&heap, NULL, 0, sizeof *c);
    if (!c)
        return ptio_fail_memory(err, "devices");
    *c = (cuda){.heap = heap};
    ptio_status status = new_devices(c, find_devices(c, library ? library : DEFAULT_LIBRARY), err);
    const ptio_device_ops ops = {.struct_size = sizeof ops,
                                 .type = "cuda",
                                 .count = count,
                                 .allocate = allocate,
                                 .release = release,
                                 .copy_to = copy_to,
                                 .copy_from = copy_from,
                                 .finish = finish,
                                 .close = close_cuda,
                                 .ctx = c};
    if (status == PTIO_OK)
        status = ptio_device_kind_new(memory, &ops, ret, err);
    if (status != PTIO_OK)
        close_cuda(c);
    return status;
}
