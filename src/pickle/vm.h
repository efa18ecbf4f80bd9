/*
 * The pickle machine: runs the opcodes of one pickle and makes its graph. It executes nothing: a global is a name, REDUCE and
 * BUILD only note what was asked for. No recursion; memory and time are linear in the input.
 */
#ifndef PTIO_PICKLE_VM_H
#define PTIO_PICKLE_VM_H

#include "base/error.h"
#include "base/report.h"
#include "pickle/codec.h"
#include "pickle/graph.h"

typedef struct ptio_vm_options {
    const ptio_limits *limits; /* filled in: no zeros               */
    ptio_report *report;       /* findings: values left over, a second PROTO, FRAME below protocol 4 …       */
    ptio_text record;          /* name for findings                 */
    ptio_codec *codec;         /* of Python 2's strings; NULL leaves them bytes                              */
    bool codec_must_fit;       /* a string that does not decode is an error; otherwise it is seen as bytes   */
} ptio_vm_options;

/**
 * Run the pickle at the beginning of `bytes`. What follows its STOP is not looked at; graph->size is where it ended.
 *
 * `graph` is zeroed, but for `arena`, before the call. `bytes` must live as long as the graph.
 *
 * Errors     PTIO_ERR_FORMAT with the offset of the opcode and its name as context; PTIO_ERR_UNSUPPORTED (EXT opcodes, buffers);
 *            PTIO_ERR_LIMIT; PTIO_ERR_MEMORY. The graph must not be used then
 */
ptio_status ptio_vm_run(const uint8_t *bytes, size_t size, const ptio_vm_options *options, ptio_heap *heap, ptio_graph *graph,
                        ptio_error *err);

/**
 * Find where the pickle at the beginning of `bytes` ends, without running it. For streams, whose pickles tell no length.
 *
 * *state begins at 0 and lets a later call with more of the same bytes go on where this one stopped.
 * *need is 0 when *state is the end of the pickle; otherwise at least so many bytes more are needed.
 */
ptio_status ptio_pickle_scan(const uint8_t *bytes, size_t size, const ptio_limits *limits, uint64_t *state, uint64_t *need,
                             ptio_error *err);

/** Disassemble; see ptio_disassemble(). Writes what it can before it fails; *end is how far it came. The depths at open marks
 *  are kept in the heap meanwhile. */
ptio_status ptio_pickle_disassemble(const uint8_t *bytes, size_t size, ptio_heap *heap, ptio_write write, void *ctx, size_t *end,
                                    ptio_error *err);

/** The name of an opcode, or NULL. */
const char *ptio_opcode_name(uint8_t opcode);

#endif
