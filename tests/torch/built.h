/*
 * What tests of builders share: one that has to end well, and what is saved of its values.
 */
#ifndef PTIO_TESTS_TORCH_BUILT_H
#define PTIO_TESTS_TORCH_BUILT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ptio.h"

static inline ptio_sink *saved(const ptio_value *value, const ptio_save_options *options)
{
    ptio_error err = {0};
    ptio_sink *sink;
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, &err), PTIO_OK);
    if (ptio_save_sink(value, sink, options, &err) != PTIO_OK)
        print_message("%s\n", err.message);
    assert_int_equal(err.status, PTIO_OK);
    return sink;
}

/* The record data.pkl of what is saved has this size and CRC. */
static inline void assert_pickled_by(const ptio_value *value, unsigned protocol, uint64_t size, uint32_t crc32)
{
    ptio_error err = {0};
    ptio_save_options options = {PTIO_SAVE_OPTIONS};
    options.protocol = protocol;
    ptio_sink *sink = saved(value, &options);
    ptio_text bytes = ptio_sink_bytes(sink);
    ptio_source *source;
    ptio_archive *archive;
    ptio_record record;
    assert_int_equal(ptio_source_from_memory(bytes.bytes, bytes.size, NULL, &source, &err), PTIO_OK);
    assert_int_equal(ptio_archive_open(source, 0, NULL, NULL, NULL, &archive, &err), PTIO_OK);
    assert_true(ptio_archive_record(archive, ptio_archive_find(archive, "archive/data.pkl"), &record));
    assert_int_equal(record.size, size);
    assert_int_equal(record.crc32, crc32);
    ptio_archive_free(archive);
    ptio_source_free(source);
    ptio_sink_free(sink);
}

static inline void assert_pickled(const ptio_value *value, uint64_t size, uint32_t crc32)
{
    assert_pickled_by(value, 2, size, crc32);
}

static inline ptio_builder *begin(void)
{
    ptio_builder *b;
    assert_int_equal(ptio_builder_new(NULL, &b, NULL), PTIO_OK);
    return b;
}

static inline void end(ptio_builder *b)
{
    ptio_error err = {0};
    if (ptio_builder_status(b, &err) != PTIO_OK)
        print_message("%s\n", err.message);
    assert_int_equal(err.status, PTIO_OK);
    ptio_builder_free(b);
}

#endif
