/*
 * Paths: "model.fc1.weight", "layers[3]", "['a.b'].c". Keys of state dicts hold dots themselves, so at each dict the longest
 * key that fits is taken.
 */
#include "torch/meaning.h"

#include <string.h>

/* Keys are tried at every dot of the rest, so the time grows with the cube of the length. */
#define LONGEST_PATH 4096

/* A decimal int of at most 18 digits. */
static bool read_int(ptio_text text, int64_t *ret)
{
    bool negative = text.size > 1 && text.bytes[0] == '-';
    size_t i = negative;
    if (i == text.size || text.size > 18)
        return false;
    int64_t number = 0;
    for (; i < text.size; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
        number = number * 10 + (text.bytes[i] - '0');
    }
    *ret = negative ? -number : number;
    return true;
}

static const ptio_value *item_at(const ptio_value *value, int64_t index)
{
    if (ptio_value_entries(value))
        return ptio_value_get_int(value, index);
    int64_t count = (int64_t)ptio_value_count(value);
    return index < count && index >= -count ? ptio_value_item(value, (size_t)(index < 0 ? index + count : index)) : NULL;
}

/* What a whole module calls so: a parameter, a buffer, a child, any other attribute. */
static const ptio_value *module_member(const ptio_builder *edits, const ptio_value *module, ptio_text name)
{
    const ptio_value *attributes = ptio_edited(edits, ptio_value_attributes(module));
    static const char *const dicts[] = {"_parameters", "_buffers", "_modules"};
    for (size_t i = 0; i < 3; i++) {
        const ptio_value *found =
            ptio_value_get_n(ptio_edited(edits, ptio_value_get(attributes, dicts[i])), name.bytes, name.size);
        if (found)
            return found;
    }
    return NULL;
}

static const ptio_value *part_of(const ptio_value *value, ptio_text name)
{
    const ptio_tensor *tensor = value->seen == PTIO_KIND_TENSOR ? ptio_meaning(value) : NULL;
    for (size_t i = 0; tensor && tensor->extra && i < tensor->extra->part_count; i++) {
        if (ptio_text_is(name, tensor->extra->parts[i].name))
            return tensor->extra->parts[i].value;
    }
    return NULL;
}

static const ptio_value *member(const ptio_builder *edits, const ptio_value *value, ptio_text name)
{
    int64_t index;
    const ptio_value *found = ptio_value_entries(value) ? ptio_value_get_n(value, name.bytes, name.size) : NULL;
    if (!found && ptio_value_is_module(value))
        found = module_member(edits, value, name);
    if (!found && read_int(name, &index))
        found = item_at(value, index);
    if (!found)
        found = part_of(value, name);
    if (!found)
        found = ptio_value_get_n(ptio_edited(edits, ptio_value_attributes(value)), name.bytes, name.size);
    return found ? found : ptio_value_get_n(ptio_edited(edits, ptio_value_slots(value)), name.bytes, name.size);
}

/* The longest name at the start of `rest` that is a member; *used is its length. */
static const ptio_value *longest_member(const ptio_builder *edits, const ptio_value *value, ptio_text rest, size_t *used)
{
    for (size_t end = rest.size;; end--) {
        if (end == rest.size || rest.bytes[end] == '.' || rest.bytes[end] == '[') {
            const ptio_value *found = member(edits, value, (ptio_text){rest.bytes, end});
            if (found) {
                *used = end;
                return found;
            }
        }
        if (!end)
            return NULL;
    }
}

/* [3], [-1], ['key'] or ["key"]; *used is the length up to and with the bracket. */
static const ptio_value *bracketed(const ptio_value *value, ptio_text rest, size_t *used)
{
    char key[LONGEST_PATH];
    size_t size = 0, i = 1;
    if (rest.size > 1 && (rest.bytes[1] == '\'' || rest.bytes[1] == '"')) {
        char quote = rest.bytes[1];
        for (i = 2; i < rest.size && rest.bytes[i] != quote; i++) {
            if (rest.bytes[i] == '\\' && i + 1 < rest.size)
                i++;
            key[size++] = rest.bytes[i];
        }
        if (i + 1 >= rest.size || rest.bytes[i + 1] != ']')
            return NULL;
        *used = i + 2;
        return ptio_value_get_n(value, key, size);
    }
    const char *close = memchr(rest.bytes, ']', rest.size);
    int64_t index;
    if (!close || !read_int((ptio_text){rest.bytes + 1, (size_t)(close - rest.bytes) - 1}, &index))
        return NULL;
    *used = (size_t)(close - rest.bytes) + 1;
    return item_at(value, index);
}

const ptio_value *ptio_value_at(const ptio_checkpoint *ckpt, const ptio_value *from, const char *path)
{
    const ptio_builder *edits = ckpt ? ckpt->edits : NULL;
    ptio_text rest = ptio_text_of(path);
    if (!path || rest.size > LONGEST_PATH)
        return NULL;
    from = ptio_edited(edits, from);
    while (from && rest.size) {
        size_t used = 0;
        from = rest.bytes[0] == '[' ? bracketed(from, rest, &used) : longest_member(edits, from, rest, &used);
        from = ptio_edited(edits, from);
        rest.bytes += used;
        rest.size -= used;
        if (from && rest.size && rest.bytes[0] == '.') {
            rest.bytes++;
            rest.size--;
        }
    }
    return from;
}

const ptio_value *ptio_at(const ptio_checkpoint *ckpt, const char *path)
{
    return ptio_value_at(ckpt, ckpt->root, path);
}
