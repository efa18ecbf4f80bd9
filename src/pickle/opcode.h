/*
 * Opcodes as a table, and one opcode with its argument read from a pickle. The scanner and the disassembler see pickles so; the
 * machine reads its arguments itself, for speed, and takes only bytes and names from here.
 */
#ifndef PTIO_PICKLE_OPCODE_H
#define PTIO_PICKLE_OPCODE_H

#include "base/cursor.h"
#include "base/error.h"

typedef enum ptio_opcode {
#define OP(name, byte, form, effect, protocol) PTIO_OP_##name = (byte),
#include "pickle/opcodes.def"
#undef OP
} ptio_opcode;

/** Forms of an argument. All binary integers are little-endian. */
typedef enum ptio_opcode_form {
    PTIO_FORM_NONE,
    PTIO_FORM_U1,
    PTIO_FORM_U2,
    PTIO_FORM_U4,
    PTIO_FORM_U8,
    PTIO_FORM_I4,
    PTIO_FORM_F8,      /* IEEE double, big-endian                  */
    PTIO_FORM_BYTES1,  /* a length of 1, 4, 8 bytes, then the bytes */
    PTIO_FORM_BYTES4,  /*                                           */
    PTIO_FORM_BYTES8,  /*                                           */
    PTIO_FORM_SIGNED4, /* likewise, the length signed               */
    PTIO_FORM_LINE,    /* text up to a newline                      */
    PTIO_FORM_LINES    /* two of them                               */
} ptio_opcode_form;

typedef struct ptio_opcode_info {
    const char *name; /* NULL: no opcode */
    const char *effect;
    uint8_t form; /* ptio_opcode_form */
    uint8_t protocol;
} ptio_opcode_info;

extern const ptio_opcode_info ptio_opcodes[256];

/** One opcode of a pickle. */
typedef struct ptio_instruction {
    uint8_t byte;
    const ptio_opcode_info *info;
    size_t offset, end; /* in the pickle, with the argument                         */
    uint64_t number;    /* argument of U1, U2, U4, U8, and of I4 as 64-bit two's complement; bits of F8 */
    ptio_text text;     /* of BYTES and SIGNED4; the first line                     */
    ptio_text second;   /* the second line                                          */
} ptio_instruction;

/**
 * Read the opcode at `offset`.
 *
 * *need is 0 and *ret filled in, or *need says how many bytes are missing at least; then *ret has only byte, info and offset,
 * where the opcode itself is there.
 *
 * Errors     PTIO_ERR_FORMAT no opcode, or a negative length; PTIO_ERR_LIMIT a line of more than `line_bytes`
 */
ptio_status ptio_opcode_read(const uint8_t *bytes, size_t size, size_t offset, uint64_t line_bytes, ptio_instruction *ret,
                             uint64_t *need, ptio_error *err);

/** Those that CPython writes at protocol 2 in Python 3: what nearly every file of torch.save() is made of. */
extern const bool ptio_opcode_usual[256];

/** Bytes of the argument of each opcode; PTIO_ARGUMENT_VARIES of those that differ. */
extern const uint8_t ptio_opcode_arguments[256];
#define PTIO_ARGUMENT_VARIES 255

/** Where the opcode at `offset` ends, of a pickle of `size` bytes that has run: `size` where it cannot be read. */
size_t ptio_opcode_end_of(const uint8_t *bytes, size_t size, size_t offset);

/** The same, for going over all of them: several times as fast as reading each. */
PTIO_INLINE size_t ptio_opcode_pass(const uint8_t *program, size_t size, size_t offset)
{
    uint8_t argument = ptio_opcode_arguments[program[offset]];
    if (PTIO_LIKELY(argument != PTIO_ARGUMENT_VARIES))
        return offset + 1 + argument;
    if (PTIO_LIKELY(program[offset] == PTIO_OP_BINUNICODE && size - offset > 5))
        return offset + 5 + ptio_load_u32(program + offset + 1);
    return ptio_opcode_end_of(program, size, offset);
}

#endif
