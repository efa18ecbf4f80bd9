/*
 * Standard output.
 *
 * The one thing of the command that is a global, since standard output is one too. Numbers are formatted here: printf would take
 * half the time of listing 20,000 tensors.
 */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE /* TIOCGWINSZ */

#include "cli/out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ROOM 65536

static struct {
    char bytes[ROOM];
    size_t used;
    int failure; /* errno of the first write that failed */
    bool colors;
    ptio_sink *sink; /* where it goes to, NULL: standard output */
    ptio_error err;  /* of the sink                          */
} out;

static void flush(void)
{
    size_t done = 0;
    if (out.sink) {
        if (ptio_sink_write(out.sink, out.bytes, out.used, &out.err) != PTIO_OK)
            out.failure = EIO;
        out.used = 0;
        return;
    }
    while (done < out.used && !out.failure) {
        ssize_t n = write(STDOUT_FILENO, out.bytes + done, out.used - done);
        if (n < 0 && errno != EINTR)
            out.failure = errno;
        else if (n > 0)
            done += (size_t)n;
    }
    out.used = 0;
}

void out_bytes(const char *bytes, size_t size)
{
    if (size < ROOM - out.used) {
        memcpy(out.bytes + out.used, bytes, size);
        out.used += size;
        return;
    }
    while (size) {
        size_t n = ROOM - out.used < size ? ROOM - out.used : size;
        memcpy(out.bytes + out.used, bytes, n);
        out.used += n;
        bytes += n;
        size -= n;
        if (out.used == ROOM)
            flush();
    }
}

void out_string(const char *string)
{
    out_bytes(string, strlen(string));
}

void out_char(char c)
{
    out.bytes[out.used++] = c;
    if (out.used == ROOM)
        flush();
}

void out_u64(uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    out_bytes(digits + at, sizeof digits - at);
}

void out_i64(int64_t value)
{
    if (value < 0)
        out_char('-');
    out_u64(value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void out_spaces(size_t count)
{
    static const char spaces[] = "                                ";
    for (; count > sizeof spaces - 1; count -= sizeof spaces - 1)
        out_bytes(spaces, sizeof spaces - 1);
    out_bytes(spaces, count);
}

/* Eight bytes at once. In `word - low` and the like a byte's highest bit is set where it is below; carries reach only bytes above one
 * that is itself set, so the answer for all eight is right. */
static bool is_plain_word(uint64_t word)
{
    const uint64_t each = 0x0101010101010101u, high = each * 0x80;
    uint64_t control = word - each * 0x20, deleted = word + each, quote = word ^ each * '"', slash = word ^ each * '\\';
    return !((word | control | deleted | (quote - each) | (slash - each)) & high);
}

static bool is_plain_byte(char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

bool out_is_plain(ptio_text text)
{
    size_t i = 0;
    for (; i + 8 <= text.size; i += 8) {
        uint64_t word;
        memcpy(&word, text.bytes + i, 8);
        if (!is_plain_word(word))
            break;
    }
    while (i < text.size && is_plain_byte(text.bytes[i]))
        i++;
    return i == text.size;
}

void out_escaped(ptio_text text)
{
    if (out_is_plain(text))
        out_bytes(text.bytes, text.size);
    else
        (void)ptio_print_escaped(text, out_write, NULL, NULL);
}

void out_hex(const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < size; i++) {
        out_char("0123456789abcdef"[p[i] >> 4]);
        out_char("0123456789abcdef"[p[i] & 15]);
    }
}

void out_size(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    uint64_t whole = bytes, rest = 0;
    while (whole >= 1024) {
        rest = whole % 1024;
        whole /= 1024;
        unit++;
    }
    out_u64(whole);
    if (unit && whole < 100) {
        out_char('.');
        out_u64(rest * 10 / 1024);
    }
    out_char(' ');
    out_string(units[unit]);
}

int out_write(void *ctx, const char *text, size_t size)
{
    (void)ctx;
    out_bytes(text, size);
    return out.failure ? -1 : 0;
}

void out_to(ptio_sink *sink)
{
    flush();
    out.sink = sink;
}

ptio_status out_from_sink(ptio_error *err)
{
    flush();
    out.sink = NULL;
    out.failure = 0;
    *err = out.err;
    return err->status;
}

void out_show(void)
{
    if (!out.sink && isatty(STDOUT_FILENO))
        flush();
}

bool out_failed(void)
{
    return out.failure != 0;
}

int out_end(int code)
{
    flush();
    if (!out.failure)
        return code;
    if (out.failure != EPIPE)
        (void)fprintf(stderr, "ptio: standard output: %s\n", strerror(out.failure));
    return CLI_IO;
}

size_t out_terminal_width(void)
{
    struct winsize size;
    if (!isatty(STDOUT_FILENO))
        return 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
        return size.ws_col;
    return 80;
}

void out_set_colors(cli_color when)
{
    const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");
    if (when == CLI_COLOR_AUTO)
        out.colors = !out.sink && isatty(STDOUT_FILENO) && !(none && *none) && !(terminal && strcmp(terminal, "dumb") == 0);
    else
        out.colors = when == CLI_COLOR_ALWAYS;
}

void out_paint_as(out_paint paint)
{
    static const char *const codes[] = {[OUT_PLAIN] = "\x1b[0m", [OUT_BOLD] = "\x1b[1m",   [OUT_FAINT] = "\x1b[2m",
                                        [OUT_KEY] = "\x1b[36m",  [OUT_CLASS] = "\x1b[33m", [OUT_SHAPE] = "\x1b[32m"};
    if (out.colors)
        out_string(codes[paint]);
}
