/*
 * What the tests of the torch layer stand on: pickles written as words, files of every container around them, and memory that is counted.
 *
 * A pickle is written as its disassembly would read, each word one opcode:
 *
 *     7 -1 70000            BININT1, BININT, …; as large as 64 bits         N True False    constants
 *     f1.5                  BINFLOAT                                        ( ) ] }         MARK, EMPTY_TUPLE, EMPTY_LIST, EMPTY_DICT
 *     'text'                BINUNICODE                                      t 1t 2t 3t      TUPLE, TUPLE1, TUPLE2, TUPLE3
 *     b'text' s'text'       SHORT_BINBYTES, SHORT_BINSTRING                 R NEW b Q       REDUCE, NEWOBJ, BUILD, BINPERSID
 *     c:module:name         GLOBAL                                          a e s u         APPEND, APPENDS, SETITEM, SETITEMS
 *     p3 g3                 BINPUT, BINGET                                  . proto2        STOP, PROTO
 *     x9A0B                 these bytes                                     @               no opcode: notes the offset of the next
 *
 * In texts, \xNN is a byte and \q a quote.
 */
#ifndef PTIO_TESTS_TORCH_BUILD_H
#define PTIO_TESTS_TORCH_BUILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ptio.h"

/* ---- bytes ---- */

/** Ready when zeroed. */
typedef struct bytes {
    uint8_t *data;
    size_t size, capacity;
    size_t mark; /* where the last @ was */
} bytes;

void put(bytes *out, const void *data, size_t size);
void put_le(bytes *out, uint64_t value, size_t size);
void bytes_free(bytes *b);

/** Append a pickle's words. The format is printf's. */
void pickle(bytes *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- files ---- */

typedef struct record {
    const char *name; /* below the root: "data/0" */
    const void *data;
    size_t size;
} record;

/** A zip as torch.save writes it, but for alignment: archive/data.pkl, archive/byteorder, archive/version and the records. */
void zip_file(bytes *out, const bytes *data_pkl, const record *records, size_t count);

/** The three pickles before the object's. */
void legacy_header(bytes *out);

/** A member of a tar, and its end. */
void tar_member(bytes *out, const char *name, const bytes *content);
void tar_end(bytes *out);

/* ---- loading ---- */

/** The records that the zips of most tests have. */
extern const float floats[16];   /* data/0: 0.0, 0.5, 1.0 …  */
extern const int64_t longs[8];   /* data/1: 0, 1, 2 …         */
extern const uint8_t octets[16]; /* data/2: 0, 1, 2 …         */

/** Persistent ids of those. */
#define FLOATS "( 'storage' c:torch:FloatStorage '0' 'cpu' 16 t Q "
#define LONGS "( 'storage' c:torch:LongStorage '1' 'cpu' 8 t Q "
#define OCTETS "( 'storage' c:torch:ByteStorage '2' 'cpu' 16 t Q "
#define RAW "( 'storage' c:torch.storage:UntypedStorage '2' 'cpu' 16 t Q "
#define HOOKS "c:collections:OrderedDict ) R "

/** A float32 tensor of data/0 from element `offset` on, with one dimension. */
#define TENSOR(offset, size) "c:torch._utils:_rebuild_tensor_v2 ( " FLOATS #offset " " #size " 1t 1 1t False " HOOKS "t R "
#define LONG_TENSOR(offset, size) "c:torch._utils:_rebuild_tensor_v2 ( " LONGS #offset " " #size " 1t 1 1t False " HOOKS "t R "

/** A loaded file and what it was loaded from. Zeroed before its first use; loaded_free() makes it so again. */
typedef struct loaded {
    ptio_checkpoint *ckpt;
    const ptio_value *root;
    bytes pickle, file;
    ptio_error err;
} loaded;

/** Load a zip around a pickle of these words; the test fails where that fails. */
void load(loaded *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void loaded_free(loaded *l);

/** That a zip around such a pickle is refused so, at the opcode behind @ if there is one. */
void refused(ptio_status status, const char *reason, const char *format, ...) __attribute__((format(printf, 3, 4)));

/** Load bytes; the status is for the caller to look at. */
ptio_status load_bytes(loaded *l, const bytes *file, const ptio_load_options *options);

bool text_is(ptio_text text, const char *string);
#define assert_text(text, string) assert_true(text_is((text), (string)))

#endif
