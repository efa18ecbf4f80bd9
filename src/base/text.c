#include "base/text.h"

#include <stdio.h>

#include "base/cursor.h"

bool ptio_text_starts(ptio_text text, const char *prefix)
{
    size_t n = strlen(prefix);
    return text.size >= n && memcmp(text.bytes, prefix, n) == 0;
}

bool ptio_text_ends(ptio_text text, const char *suffix)
{
    size_t n = strlen(suffix);
    return text.size >= n && memcmp(text.bytes + (text.size - n), suffix, n) == 0;
}

/* SipHash-1-3. Source: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", 2012; one compression round and three
 * finalisation rounds are enough for hash tables. */

typedef struct sip {
    uint64_t v0, v1, v2, v3;
} sip;

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(sip *s)
{
    s->v0 += s->v1, s->v1 = rotate(s->v1, 13) ^ s->v0, s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3, s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3, s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1, s->v1 = rotate(s->v1, 17) ^ s->v2, s->v2 = rotate(s->v2, 32);
}

/* The last `left` < 8 of `size` bytes as a number, by words that overlap what was read before, or each other. */
static inline uint64_t rest_of(const unsigned char *p, size_t left, size_t size)
{
    if (!left)
        return 0;
    if (size >= 8)
        return ptio_load_u64(p + left - 8) >> (64 - 8 * left);
    if (left >= 4)
        return ptio_load_u32(p) | (uint64_t)ptio_load_u32(p + left - 4) << (8 * (left - 4));
    return p[0] | (uint64_t)p[left / 2] << (8 * (left / 2)) | (uint64_t)p[left - 1] << (8 * (left - 1));
}

uint64_t ptio_hash(uint64_t key, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    uint64_t key1 = key * 0x9E3779B97F4A7C15u;
    sip s = {key ^ 0x736F6D6570736575u, key1 ^ 0x646F72616E646F6Du, key ^ 0x6C7967656E657261u, key1 ^ 0x7465646279746573u};
    size_t left = size;
    for (; left >= 8; left -= 8, p += 8) {
        uint64_t word = ptio_load_u64(p);
        s.v3 ^= word;
        sip_round(&s);
        s.v0 ^= word;
    }
    uint64_t last = (uint64_t)size << 56 | rest_of(p, left, size);
    s.v3 ^= last;
    sip_round(&s);
    s.v0 ^= last;
    s.v2 ^= 0xFF;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

size_t ptio_utf8_decode(const char *bytes, size_t size, uint32_t *code)
{
    const unsigned char *p = (const unsigned char *)bytes;
    uint32_t first = p[0];
    *code = first;
    if (first < 0x80)
        return 1;
    size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || length > size)
        return 0;
    uint32_t value = first & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (p[i] & 0x3Fu);
    }
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (value < least[length] || value > 0x10FFFF)
        return 0;
    *code = value;
    return length;
}

size_t ptio_utf8_encode(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    static const unsigned mark[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    out[0] = (char)(mark[length] | code);
    return length;
}

bool ptio_utf8_valid(const char *bytes, size_t size, bool surrogates)
{
    size_t i = 0;
    while (i < size) {
        /* Eight bytes of ASCII at a time: nearly all keys and names are. */
        uint64_t word;
        if (size - i >= 8 && (memcpy(&word, bytes + i, 8), (word & 0x8080808080808080u) == 0)) {
            i += 8;
            continue;
        }
        if ((unsigned char)bytes[i] < 0x80) {
            i++;
            continue;
        }
        uint32_t code;
        size_t length = ptio_utf8_decode(bytes + i, size - i, &code);
        if (!length || (!surrogates && code >= 0xD800 && code < 0xE000))
            return false;
        i += length;
    }
    return true;
}

static size_t escape_one(char *out, uint32_t code, bool valid)
{
    switch (code) {
    case '\n': return (size_t)sprintf(out, "\\n");
    case '\r': return (size_t)sprintf(out, "\\r");
    case '\t': return (size_t)sprintf(out, "\\t");
    case '\\': return (size_t)sprintf(out, "\\\\");
    default: break;
    }
    if (code >= 0x20 && code < 0x7F) {
        out[0] = (char)code;
        return 1;
    }
    const char *format = !valid || code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x";
    return (size_t)sprintf(out, format, code);
}

void ptio_escape_into(char *out, size_t size, ptio_text text)
{
    size_t used = 0, last_fit = 0;
    for (size_t i = 0; i < text.size;) {
        uint32_t code;
        size_t length = ptio_utf8_decode(text.bytes + i, text.size - i, &code);
        char piece[16];
        size_t n = escape_one(piece, code, length > 0);
        if (used + 4 <= size)
            last_fit = used;
        if (used + n + 1 > size) {
            memcpy(out + last_fit, "...", 4);
            return;
        }
        memcpy(out + used, piece, n);
        used += n;
        i += length ? length : 1;
    }
    out[used] = '\0';
}
