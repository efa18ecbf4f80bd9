/*
 * The state of the pickle machine, shared by its loop (vm.c) and by the opcodes that are not worth a place in it: those that
 * fill and complete objects (machine.c) and those whose argument is text or a Python 2 string (literal.c).
 *
 * The stack holds pointers to nodes. A mark is a place in it: `floor` is the place above the newest one, and what lies below
 * is out of reach until the mark is taken away. Invariants: stack <= floor <= top <= stack_end; start <= pos <= end <= limit.
 */
#ifndef PTIO_PICKLE_MACHINE_H
#define PTIO_PICKLE_MACHINE_H

#include "pickle/memo.h"
#include "pickle/number.h"
#include "pickle/opcode.h"
#include "pickle/vm.h"

typedef struct ptio_machine {
    /* The loop keeps these in variables of its own; it writes them here before it calls, and reads them again after. */
    const uint8_t *pos, *end; /* the next byte; the end of the frame, or of all    */
    ptio_value **top, **floor, **stack_end;

    const uint8_t *op; /* the opcode that runs                                            */
    const uint8_t *start, *limit;
    ptio_value **stack; /* never NULL while the loop runs */
    size_t stack_capacity;
    size_t *marks; /* for each mark the place of the one below it, that is, the floor before */
    size_t mark_count, mark_capacity;
    ptio_memo memo;

    ptio_graph *graph;
    const ptio_vm_options *options;
    ptio_heap *heap;
    ptio_error *err;
    bool in_frame;
    bool cut;       /* `limit` is where pickle_bytes ends, not the input */
    bool has_proto; /* of the findings that are told once                */
    bool told_proto, told_frame;
} ptio_machine;

/** What a handler returns where it failed; vm.c adds the opcode's name. */
ptio_status ptio_machine_fail(ptio_machine *m, ptio_status status, const char *reason, const char *format, ...) PTIO_PRINTF(4, 5);
ptio_status ptio_machine_memory(ptio_machine *m);
ptio_status ptio_machine_truncated(ptio_machine *m);
ptio_status ptio_machine_underflow(ptio_machine *m, size_t need);
ptio_status ptio_machine_no_mark(ptio_machine *m);

/** Room for one more on the stack, the marks; for `need` in all in the list of objects. */
ptio_status ptio_machine_grow_stack(ptio_machine *m);
ptio_status ptio_machine_grow_marks(ptio_machine *m);
ptio_status ptio_machine_grow_objects(ptio_machine *m, size_t need);

ptio_status ptio_machine_push(ptio_machine *m, ptio_value *value);

/** The same of a node that was made for it. */
ptio_status ptio_machine_push_new(ptio_machine *m, ptio_value *value);

ptio_status ptio_machine_put(ptio_machine *m, uint64_t number);
ptio_status ptio_machine_get(ptio_machine *m, uint64_t number);

/** Push an int of `size` bytes of two's complement, which stay where they are. */
ptio_status ptio_machine_push_long(ptio_machine *m, const uint8_t *bytes, size_t size, unsigned flags);

/** Make a reduced node of a callable and arguments, and note it as an object. */
ptio_status ptio_machine_reduce(ptio_machine *m, ptio_value *callable, ptio_value *arguments, ptio_node_reduced **ret);
ptio_status ptio_machine_global(ptio_machine *m, const ptio_value *module, const ptio_value *name, ptio_value **ret);
ptio_status ptio_machine_check_name(ptio_machine *m, ptio_text module, ptio_text name);
ptio_status ptio_machine_persistent(ptio_machine *m, ptio_value *id, unsigned flags, ptio_value **ret);

/** No run has so many bytes. */
#define PTIO_TENSOR_RUN_MOST 256

/** At a mark that another one follows: do the opcodes up to the REDUCE that makes a tensor, and the PUT behind it, where they are
 *  as torch.save writes them. False where they are not, or there is no room; then nothing has changed. */
bool ptio_machine_tensor_run(ptio_machine *m);

/* Opcodes. Their arguments begin at m->pos. */
ptio_status ptio_do_pop(ptio_machine *m);
ptio_status ptio_do_append(ptio_machine *m);
ptio_status ptio_do_appends(ptio_machine *m);
ptio_status ptio_do_additems(ptio_machine *m);
ptio_status ptio_do_setitem(ptio_machine *m);
ptio_status ptio_do_setitems(ptio_machine *m);
ptio_status ptio_do_list(ptio_machine *m);
ptio_status ptio_do_dict(ptio_machine *m);
ptio_status ptio_do_frozenset(ptio_machine *m);
ptio_status ptio_do_build(ptio_machine *m);
ptio_status ptio_do_newobj_ex(ptio_machine *m);
ptio_status ptio_do_obj(ptio_machine *m);
ptio_status ptio_do_stack_global(ptio_machine *m);
ptio_status ptio_do_proto(ptio_machine *m);
ptio_status ptio_do_frame(ptio_machine *m);
ptio_status ptio_do_stop(ptio_machine *m);

ptio_status ptio_do_int(ptio_machine *m);
ptio_status ptio_do_long(ptio_machine *m);
ptio_status ptio_do_float(ptio_machine *m);
ptio_status ptio_do_unicode(ptio_machine *m);
ptio_status ptio_do_string(ptio_machine *m);
ptio_status ptio_do_put(ptio_machine *m);
ptio_status ptio_do_get(ptio_machine *m);
ptio_status ptio_do_persid(ptio_machine *m);
ptio_status ptio_do_global(ptio_machine *m);
ptio_status ptio_do_inst(ptio_machine *m);

/** Push a Python 2 string of these bytes, decoded where it decodes. */
ptio_status ptio_machine_push_py2str(ptio_machine *m, const char *bytes, size_t size);

#endif
