/*
 * Text encodings of Python 2's strings: utf-8, ascii and latin1 are ours, the others iconv's.
 */
#ifndef PTIO_PICKLE_CODEC_H
#define PTIO_PICKLE_CODEC_H

#include "base/error.h"
#include "base/memory.h"

typedef enum ptio_codec_errors {
    PTIO_CODEC_STRICT,
    PTIO_CODEC_IGNORE,
    PTIO_CODEC_REPLACE,
    PTIO_CODEC_SURROGATEESCAPE,
    PTIO_CODEC_BACKSLASHREPLACE,
    PTIO_CODEC_SURROGATEPASS
} ptio_codec_errors;

typedef struct ptio_codec ptio_codec;

/** encoding NULL is "utf-8", errors NULL "strict". An unknown one is PTIO_ERR_ARGUMENT. Names are compared as Python does: case
 *  does not count, and all that is no letter, digit or dot is one "_". */
ptio_status ptio_codec_new(const char *encoding, const char *errors, ptio_heap *heap, ptio_codec **ret, ptio_error *err);
void ptio_codec_free(ptio_codec *codec);

/** Whether the encoding is "bytes": leave strings alone. */
bool ptio_codec_is_bytes(const ptio_codec *codec);

/** Decode to UTF-8 (surrogates as three bytes) in the arena, or give `bytes` themselves where they are the same.
 *  Errors     PTIO_ERR_FORMAT "codec.invalid" under strict, with the position of the byte in the message */
ptio_status ptio_codec_decode(ptio_codec *codec, ptio_arena *arena, ptio_text bytes, ptio_text *ret, ptio_error *err);

#endif
