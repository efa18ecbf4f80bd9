/* The calibrator. See limits.h. */
#include "limits.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { END_SIZE = 22, END64_LOCATOR_SIZE = 20, END64_SIZE = 56, CHUNK = 256 << 10 };

static void require(int condition, const char *what)
{
    if (condition)
        return;
    perror(what);
    exit(1);
}

static uint64_t little(const uint8_t *bytes, int count)
{
    uint64_t x = 0;
    for (int i = count - 1; i >= 0; i--)
        x = x << 8 | bytes[i];
    return x;
}

static int open_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    require(fd >= 0, path);
    return fd;
}

/* The end records as torch.save() writes them: no comment, ZIP64 only where the counts need it. */
static span find_directory(int fd, uint64_t file_size)
{
    uint8_t tail[END64_SIZE + END64_LOCATOR_SIZE + END_SIZE];
    require(pread(fd, tail, sizeof tail, (off_t)(file_size - sizeof tail)) == (ssize_t)sizeof tail, "end records");
    const uint8_t *locator = tail + END64_SIZE, *end = locator + END64_LOCATOR_SIZE;
    if (memcmp(locator, "PK\6\7", 4) == 0)
        return (span){little(tail + 48, 8), little(tail + 40, 8)};
    return (span){little(end + 16, 4), little(end + 12, 4)};
}

void target_open(target *t, const char *path, size_t buffer_size)
{
    struct stat status;
    int fd = open_file(path);
    require(fstat(fd, &status) == 0, path);
    *t = (target){.path = path, .size = (uint64_t)status.st_size};
    t->directory = find_directory(fd, t->size);
    close(fd);
    t->buffer_size = buffer_size;
    t->buffer = malloc(t->buffer_size);
    require(t->buffer != NULL, "buffer");
    memset(t->buffer, 1, t->buffer_size);
}

void target_close(target *t)
{
    free(t->buffer);
    *t = (target){0};
}

static uint64_t pass_entries(const uint8_t *p, const uint8_t *end)
{
    uint64_t sum = 0;
    while (end - p >= 46) {
        sum += little(p + 42, 4);
        p += 46 + little(p + 28, 2) + little(p + 30, 2) + little(p + 32, 2);
    }
    return sum;
}

/* Pass over a pickle of protocol 2. Opcodes without an entry here have no argument. */
static uint64_t pass_opcodes(const uint8_t *p, const uint8_t *end)
{
    static const uint8_t fixed[256] = {
        ['J'] = 4, ['K'] = 1, ['M'] = 2, ['G'] = 8, ['q'] = 1, ['r'] = 4, ['h'] = 1, ['j'] = 4, [0x80] = 1};
    uint64_t count = 0;
    while (p < end) {
        uint8_t op = *p++;
        count++;
        switch (op) {
        case 'X': p += 4 + little(p, 4); break;
        case 0x8a: p += 1 + p[0]; break;
        case 'c':
            for (int lines = 0; lines < 2; lines++)
                p = (const uint8_t *)memchr(p, '\n', (size_t)(end - p)) + 1;
            break;
        default: p += fixed[op];
        }
    }
    return count;
}

static void read_span(const target *t, int fd, span s)
{
    require(s.size <= t->buffer_size && pread(fd, t->buffer, (size_t)s.size, (off_t)s.offset) == (ssize_t)s.size, t->path);
}

uint64_t limit_list(const target *t)
{
    int fd = open_file(t->path);
    read_span(t, fd, t->directory);
    uint64_t result = pass_entries(t->buffer, t->buffer + t->directory.size);
    read_span(t, fd, t->pickle);
    result += pass_opcodes(t->buffer, t->buffer + t->pickle.size);
    close(fd);
    return result;
}

uint64_t count_opcodes(const target *t)
{
    int fd = open_file(t->path);
    read_span(t, fd, t->pickle);
    close(fd);
    return pass_opcodes(t->buffer, t->buffer + t->pickle.size);
}

uint64_t limit_pread(const target *t, const span *spans, size_t count)
{
    int fd = open_file(t->path);
    for (size_t i = 0; i < count; i++)
        read_span(t, fd, spans[i]);
    close(fd);
    return t->buffer[0];
}

uint64_t limit_stream(const target *t)
{
    static uint8_t chunk[CHUNK];
    uint64_t done = 0;
    ssize_t n;
    int fd = open_file(t->path);
    while ((n = pread(fd, chunk, sizeof chunk, (off_t)done)) > 0)
        done += (uint64_t)n;
    close(fd);
    return done;
}

uint64_t limit_mapped(const target *t)
{
    int fd = open_file(t->path);
    uint8_t *map = mmap(NULL, (size_t)t->size, PROT_READ, MAP_PRIVATE, fd, 0);
    require(map != MAP_FAILED, t->path);
    size_t quarter = (size_t)t->size / sizeof(uint64_t) / 4;
    const uint64_t *a = (const uint64_t *)(const void *)map, *b = a + quarter, *c = b + quarter, *d = c + quarter;
    uint64_t w = 0, x = 0, y = 0, z = 0;
    for (size_t i = 0; i < quarter; i++) {
        w += a[i];
        x += b[i];
        y += c[i];
        z += d[i];
    }
    munmap(map, (size_t)t->size);
    close(fd);
    return w ^ x ^ y ^ z;
}

uint64_t limit_memcpy(void *to, const void *from, size_t size)
{
    memcpy(to, from, size);
    return ((const uint8_t *)to)[size - 1];
}
