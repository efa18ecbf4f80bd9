/*
 * Finding the end of a pickle without running it.
 */
#include "base/cursor.h"
#include "pickle/opcode.h"
#include "pickle/vm.h"

/* Step over the opcodes that need no thought: whole, with a short argument of a fixed width or with bytes behind a length. Gives
 * the place of the first one that needs it; STOP is one of these. */
static size_t skip_simple(const uint8_t *bytes, size_t size, size_t at)
{
    while (size - at > 9) {
        const ptio_opcode_info *info = &ptio_opcodes[bytes[at]];
        const uint8_t *argument = bytes + at + 1;
        uint64_t length;
        if (!info->name || bytes[at] == PTIO_OP_STOP)
            return at;
        switch ((ptio_opcode_form)info->form) {
        case PTIO_FORM_NONE: length = 0; break;
        case PTIO_FORM_U1: length = 1; break;
        case PTIO_FORM_U2: length = 2; break;
        case PTIO_FORM_U4:
        case PTIO_FORM_I4: length = 4; break;
        case PTIO_FORM_U8:
        case PTIO_FORM_F8: length = 8; break;
        case PTIO_FORM_BYTES1: length = 1 + (uint64_t)argument[0]; break;
        case PTIO_FORM_BYTES4: length = 4 + (uint64_t)ptio_load_u32(argument); break;
        default: return at;
        }
        if (length > size - at - 1)
            return at;
        at += 1 + (size_t)length;
    }
    return at;
}

ptio_status ptio_pickle_scan(const uint8_t *bytes, size_t size, const ptio_limits *limits, uint64_t *state, uint64_t *need,
                             ptio_error *err)
{
    ptio_instruction instruction = {.byte = PTIO_OP_MARK};
    while (instruction.byte != PTIO_OP_STOP) {
        size_t at = skip_simple(bytes, size, (size_t)*state);
        ptio_status status = ptio_opcode_read(bytes, size, at, limits->line_bytes, &instruction, need, err);
        if (status)
            return status;
        /* What is missing must fit, too: an argument that claims exabytes is not waited for. */
        if (instruction.end > limits->pickle_bytes || *need > limits->pickle_bytes - instruction.end)
            return ptio_fail(err, PTIO_ERR_LIMIT, "limit.pickle-bytes", instruction.offset,
                             "the pickle is longer than the %llu bytes that pickle_bytes allows",
                             (unsigned long long)limits->pickle_bytes);
        *state = at;
        if (*need)
            return PTIO_OK;
        *state = instruction.end;
    }
    return PTIO_OK;
}
