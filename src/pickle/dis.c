/*
 * Disassembly: one line for each opcode, for eyes and for files that do not load. Nothing is run; only the depth of the stack is
 * followed, by the effects in opcodes.def.
 *
 *     offset  depth  opcode            argument
 *          0      0  PROTO             2
 *          2      0  EMPTY_DICT
 *          3      1  BINPUT            0
 *
 * The depth is that before the opcode, marks not counted. Arguments are quoted and escaped, long ones cut.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/number_text.h"
#include "pickle/opcode.h"
#include "pickle/vm.h"

/* The depth of the stack at each open mark. */
typedef struct depths {
    ptio_heap *heap;
    size_t depth;
    size_t *marks;
    size_t mark_count, mark_capacity;
} depths;

static bool push_mark(depths *d)
{
    if (d->mark_count == d->mark_capacity) {
        size_t *grown = ptio_heap_grow(d->heap, d->marks, &d->mark_capacity, d->mark_count + 1, sizeof *grown);
        if (!grown)
            return false;
        d->marks = grown;
    }
    d->marks[d->mark_count++] = d->depth;
    return true;
}

static void pop_mark(depths *d)
{
    d->depth = d->mark_count ? d->marks[--d->mark_count] : 0;
}

static void pop(depths *d, size_t count)
{
    d->depth = d->depth > count ? d->depth - count : 0;
}

/* Follow an effect such as "list | item ... -> list". */
static bool follow(depths *d, const char *effect)
{
    bool right = false, above_mark = false;
    size_t taken = 0;
    for (const char *word = effect; *word;) {
        size_t size = strcspn(word, " ");
        if (size == 2 && memcmp(word, "->", 2) == 0) {
            pop(d, taken);
            right = true;
        } else if (*word == '|') {
            above_mark = !right;
            if (right && !push_mark(d))
                return false;
            if (!right)
                pop_mark(d);
        } else if (right) {
            d->depth++;
        } else if (!above_mark) {
            taken++;
        }
        word += size;
        word += strspn(word, " ");
    }
    return true;
}

static bool step(depths *d, const ptio_instruction *instruction)
{
    bool mark_on_top = d->mark_count && d->marks[d->mark_count - 1] == d->depth;
    if (instruction->byte == PTIO_OP_POP && mark_on_top) {
        pop_mark(d);
        return true;
    }
    return follow(d, instruction->info->effect);
}

/* ---- lines ---- */

#define LINE_SIZE 512

static size_t quoted(char *out, size_t size, ptio_text text)
{
    ptio_quoted escaped = ptio_quote(text);
    return (size_t)snprintf(out, size, "\"%s\"", escaped.text);
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* As Python writes it, in every locale. */
static size_t number(char *out, size_t size, double value)
{
    char text[PTIO_FORMAT_ROOM];
    size_t used = ptio_format_float(text, value);
    return (size_t)snprintf(out, size, "%.*s", (int)used, text);
}

static size_t write_argument(char *out, size_t size, const ptio_instruction *instruction)
{
    size_t used = 0;
    switch ((ptio_opcode_form)instruction->info->form) {
    case PTIO_FORM_NONE: out[0] = '\0'; return 0;
    case PTIO_FORM_U1:
    case PTIO_FORM_U2:
    case PTIO_FORM_U4:
    case PTIO_FORM_U8: return (size_t)snprintf(out, size, "%" PRIu64, instruction->number);
    case PTIO_FORM_I4: return (size_t)snprintf(out, size, "%" PRId64, (int64_t)instruction->number);
    case PTIO_FORM_F8: return number(out, size, double_of(instruction->number));
    case PTIO_FORM_BYTES1:
    case PTIO_FORM_BYTES4:
    case PTIO_FORM_BYTES8:
    case PTIO_FORM_SIGNED4:
    case PTIO_FORM_LINE: return quoted(out, size, instruction->text);
    case PTIO_FORM_LINES:
        used = quoted(out, size, instruction->text);
        out[used++] = ' ';
        return used + quoted(out + used, size - used, instruction->second);
    }
    return 0;
}

static bool write_line(const ptio_instruction *instruction, size_t depth, ptio_write write, void *ctx)
{
    char line[LINE_SIZE];
    int prefix = snprintf(line, sizeof line, "%8zu %6zu  %-16s ", instruction->offset, depth, instruction->info->name);
    size_t used = (size_t)prefix;
    used += write_argument(line + used, sizeof line - used - 1, instruction);
    while (line[used - 1] == ' ')
        used--;
    line[used++] = '\n';
    return write(ctx, line, used) == 0;
}

static ptio_status cut_off(size_t size, const ptio_instruction *instruction, ptio_error *err)
{
    if (!instruction->info)
        return ptio_fail(err, PTIO_ERR_FORMAT, "pickle.truncated", size, "the pickle ends without STOP");
    ptio_status status = ptio_fail(err, PTIO_ERR_FORMAT, "pickle.truncated", instruction->offset,
                                   "the pickle is cut off in the argument of %s", instruction->info->name);
    return ptio_error_in_context(err, status, ptio_text_of(instruction->info->name));
}

ptio_status ptio_pickle_disassemble(const uint8_t *bytes, size_t size, ptio_heap *heap, ptio_write write, void *ctx, size_t *end,
                                    ptio_error *err)
{
    depths d = {.heap = heap};
    ptio_instruction instruction = {.byte = PTIO_OP_MARK};
    ptio_status status = PTIO_OK;
    size_t at = 0;
    while (status == PTIO_OK && instruction.byte != PTIO_OP_STOP) {
        uint64_t need;
        status = ptio_opcode_read(bytes, size, at, UINT64_MAX, &instruction, &need, err);
        if (status == PTIO_OK && need)
            status = cut_off(size, &instruction, err);
        if (status != PTIO_OK)
            break;
        if (!write_line(&instruction, d.depth, write, ctx))
            status = ptio_fail(err, PTIO_ERR_CANCELLED, "cancelled", instruction.offset, "the writer stopped the disassembly");
        else if (!step(&d, &instruction))
            status = ptio_heap_fail(heap, err, "the marks of the pickle");
        at = instruction.end;
    }
    ptio_heap_free(heap, d.marks, d.mark_capacity * sizeof *d.marks);
    *end = at;
    return status;
}
