/*
 * Finding the end of a pickle without running it.
 */
#include "pickle/opcode.h"
#include "pickle/vm.h"

ptio_status ptio_pickle_scan(const uint8_t *bytes, size_t size, const ptio_limits *limits, uint64_t *state, uint64_t *need,
                             ptio_error *err)
{
    ptio_instruction instruction = {.byte = PTIO_OP_MARK};
    while (instruction.byte != PTIO_OP_STOP) {
        ptio_status status = ptio_opcode_read(bytes, size, (size_t)*state, limits->line_bytes, &instruction, need, err);
        if (status)
            return status;
        /* What is missing must fit, too: an argument that claims exabytes is not waited for. */
        if (instruction.end > limits->pickle_bytes || *need > limits->pickle_bytes - instruction.end)
            return ptio_fail(err, PTIO_ERR_LIMIT, "limit.pickle-bytes", instruction.offset,
                             "the pickle is longer than the %llu bytes that pickle_bytes allows",
                             (unsigned long long)limits->pickle_bytes);
        if (*need)
            return PTIO_OK;
        *state = instruction.end;
    }
    return PTIO_OK;
}
