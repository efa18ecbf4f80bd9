/*
 * JSON of indexes and headers, over jansson: one door for parsing, and numbers that are checked.
 */
#ifndef PTIO_TORCH_JSON_H
#define PTIO_TORCH_JSON_H

#include <jansson.h>

#include "torch/checkpoint.h"

/** Parse a JSON object that is all of `bytes`; keys must differ. The caller gives *ret back with json_decref(). Errors tell the byte.
 *
 *  jansson takes its memory from the C library; so the text may have at most a 64th of limits->heap_bytes. */
ptio_status ptio_json_parse(ptio_text bytes, const ptio_limits *limits, json_t **ret, ptio_error *err);

/** An integer from 0 to 2^63 - 1. False for anything else, NULL too. */
bool ptio_json_size(const json_t *value, int64_t *ret);

/** The text of a string; no text for anything else. */
ptio_text ptio_json_text(const json_t *value);

#endif
