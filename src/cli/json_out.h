/*
 * JSON as it is written: pure ASCII, so it is valid whatever the file holds, and safe on a terminal.
 */
#ifndef PTIO_CLI_JSON_OUT_H
#define PTIO_CLI_JSON_OUT_H

#include "cli/out.h"

/** "text". Lone surrogates stand as \udXXX; bytes that are no UTF-8 as \ufffd. */
void out_json_string(ptio_text text);

/** A C string. */
void out_json_word(const char *word);

/** ,"key": with the comma left out in front of the first of an object. */
void out_json_key(bool first, const char *key);

/** [1, 2, 3] */
void out_json_ints(const int64_t *values, size_t count);

/** "00ff": bytes in hexadecimal, quoted. */
void out_json_hex(const void *bytes, size_t size);

/** "true" or "false". */
void out_json_bool(bool value);

/** The path of an entry: an array of strings, and of numbers for indexes and int keys. */
void out_json_path(const ptio_tensor_list *list, size_t index);

#endif
