/*
 * Running a pickle in a test: in memory of exactly its size, with counted hooks, and the graph as one line of text.
 */
#ifndef PTIO_TESTS_PICKLE_RUN_H
#define PTIO_TESTS_PICKLE_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pickle/vm.h"
#include "support/exercise.h"

typedef struct run {
    /* Set before run_begin(), or left 0. */
    const char *encoding, *errors; /* of Python 2 strings; encoding NULL: utf-8 */
    bool may_not_fit;              /* strings that do not decode stay bytes      */
    ptio_limits limits;            /* 0: large                                   */
    uint64_t heap_limit;
    uint64_t fail_at; /* allocation that fails, counted from 1; 0: none */

    counted_memory memory;
    ptio_heap heap;
    ptio_arena arena;
    ptio_graph graph;
    ptio_codec *codec;
    ptio_report *report;
    ptio_error err;
    ptio_status status;
    uint8_t *bytes;
    size_t size;
} run;

/** Run a pickle and index its keys. run_end() must follow. */
void run_begin(run *r, const void *bytes, size_t size);

/** Free all, and prove that all was freed. */
void run_end(run *r);

/**
 * The graph from a value on, such as [1, 'a', (2L,)]: str in quotes, b'' bytes, B'' bytearray, s'' a Python 2 string that is
 * seen as text, sb'' one that is not, <module name> a global, pid(id), REDUCE(callable, arguments) with what was added to it
 * behind: items +[..], entries +{..}, states =.
 * Only for graphs without cycles.
 */
const char *run_text(const ptio_value *value);

/** Whether a finding with this reason was told. */
bool run_found(const run *r, const char *reason);

/** Assert that a pickle gives this text, that scanning finds the same end, and that disassembling reaches it. */
void assert_pickle(const void *bytes, size_t size, const char *text);

/** Assert that a pickle is refused with this status, reason and offset. */
void assert_refused(const void *bytes, size_t size, ptio_status status, const char *reason, uint64_t offset);

#define PICKLE(literal) (literal), sizeof(literal) - 1

#endif
