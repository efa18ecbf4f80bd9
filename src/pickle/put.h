/*
 * A pickle on its way: what the pickler's loop and what writes opcodes share.
 *
 *     pickler.c      the loop: which value comes next
 *     put.c          opcodes: bytes and frames, the memo, atoms, texts
 *     put_tensor.c   all opcodes of a plain tensor at once
 */
#ifndef PTIO_PICKLE_PUT_H
#define PTIO_PICKLE_PUT_H

#include "base/cursor.h"
#include "pickle/known.h"
#include "pickle/opcode.h"
#include "pickle/pickler.h"

#define PTIO_FRAME_TARGET 65536u /* a frame is closed once it has so many bytes  */
#define PTIO_FRAME_HEADER 9u
#define PTIO_NO_FRAME SIZE_MAX

/* An object that is begun. */
typedef struct ptio_open_object {
    const ptio_value *object; /* what the memo knows it by   */
    const ptio_value *node;   /* what is written for it      */
    size_t next;              /* of its items in this phase  */
    unsigned phase;
} ptio_open_object;

typedef struct ptio_pickling {
    const ptio_pickler_options *options;
    ptio_heap *heap;
    ptio_error *err;
    ptio_pickled out; /* the caller's, which gets it back at the end */
    size_t frame;     /* where the open frame's header is, or PTIO_NO_FRAME */
    bool framing;
    ptio_open_object *stack;
    size_t depth, capacity;
    ptio_known known;
    uint32_t next_number;
} ptio_pickling;

static inline bool ptio_put_is_binary(const ptio_pickling *p)
{
    return p->options->protocol >= 1;
}

/** PTIO_ERR_MEMORY. */
ptio_status ptio_put_no_memory(ptio_pickling *p);

/** Room for `more` bytes behind those that there are. */
ptio_status ptio_put_grow(ptio_pickling *p, size_t more);

/** Room for `size` bytes; a frame is begun where one is due. Its header is filled in when it is closed. */
PTIO_INLINE ptio_status ptio_put_reserve(ptio_pickling *p, size_t size, uint8_t **ret)
{
    if (PTIO_UNLIKELY(p->out.capacity - p->out.size < size + PTIO_FRAME_HEADER) || size > SIZE_MAX - PTIO_FRAME_HEADER) {
        ptio_status status =
            size > SIZE_MAX - PTIO_FRAME_HEADER ? ptio_put_no_memory(p) : ptio_put_grow(p, size + PTIO_FRAME_HEADER);
        if (status)
            return status;
    }
    if (p->framing && p->frame == PTIO_NO_FRAME) {
        p->frame = p->out.size;
        p->out.size += PTIO_FRAME_HEADER;
    }
    *ret = p->out.bytes + p->out.size;
    p->out.size += size;
    return PTIO_OK;
}

PTIO_INLINE ptio_status ptio_put_op(ptio_pickling *p, uint8_t opcode)
{
    uint8_t *at;
    ptio_status status = ptio_put_reserve(p, 1, &at);
    if (PTIO_LIKELY(status == PTIO_OK))
        *at = opcode;
    return status;
}

ptio_status ptio_put_bytes(ptio_pickling *p, const void *bytes, size_t size);

/** The same opcode several times. */
ptio_status ptio_put_ops(ptio_pickling *p, uint8_t opcode, size_t count);

/** End the frame, if one is open. */
void ptio_put_close_frame(ptio_pickling *p);

/* The memo. */
static inline bool ptio_put_is_known(const ptio_pickling *p, const ptio_value *object)
{
    return !(object->flags & PTIO_NODE_FLEETING) && ptio_known_find(&p->known, object);
}

/** Number an object: every one but atoms, or those that the file remembered. */
ptio_status ptio_put_memo(ptio_pickling *p, const ptio_value *object);

ptio_status ptio_put_get(ptio_pickling *p, uint32_t number);

/* Atoms and texts, without memo. */
ptio_status ptio_put_op_u8(ptio_pickling *p, uint8_t opcode, uint8_t number);
ptio_status ptio_put_bool(ptio_pickling *p, bool value);
ptio_status ptio_put_int(ptio_pickling *p, const ptio_value *node);
ptio_status ptio_put_float(ptio_pickling *p, double value);
ptio_status ptio_put_str(ptio_pickling *p, ptio_text text);
ptio_status ptio_put_py2str(ptio_pickling *p, ptio_text text);
ptio_status ptio_put_byte_string(ptio_pickling *p, ptio_text text);
ptio_status ptio_put_bytearray(ptio_pickling *p, ptio_text text);

/** An opcode and the lines of a global's module and name. */
ptio_status ptio_put_lines(ptio_pickling *p, uint8_t opcode, const ptio_node_global *global);

/** PTIO_ERR_UNSUPPORTED "pickle.protocol". */
ptio_status ptio_put_not_in_protocol(ptio_pickling *p, const char *what, unsigned least);

/** A str and its PUT, in the protocols that nearly all files have: 1 to 3. */
ptio_status ptio_put_str_and_memo(ptio_pickling *p, const ptio_value *object, ptio_text text);

/** Write a node, or put it on the stack. `object` is what the memo knows it by. */
ptio_status ptio_pickle_begin(ptio_pickling *p, const ptio_value *object, const ptio_value *node);

/** Write a tensor as the caller's options tell it; *written is false where they do not. Protocols 2 and 3. */
ptio_status ptio_put_tensor(ptio_pickling *p, const ptio_value *object, bool *written);

#endif
