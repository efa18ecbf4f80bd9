/*
 * The keys of a state dict, by name.
 *
 * A prefix is taken off as PyTorch does it, key by key in the order of the dict: the entry goes to the end under its new name, or
 * replaces the one that has that name already.
 *
 * Source: torch/nn/modules/utils.py: consume_prefix_in_state_dict_if_present
 */
#include "torch/meaning.h"
#include "torch/state_dict.h"

static ptio_status no_memory(const ptio_state_keys *keys, ptio_error *err)
{
    return ptio_heap_fail(keys->heap, err, "the keys of a state dict");
}

/* Add an entry, or give another value to the one of this name. */
static ptio_status set_key(ptio_state_keys *keys, ptio_text name, const ptio_value *value, ptio_error *err)
{
    ptio_state_key *old = ptio_state_keys_find(keys, name);
    if (old) {
        old->value = value;
        return PTIO_OK;
    }
    if (keys->count == keys->capacity) {
        ptio_state_key *grown = ptio_heap_grow(keys->heap, keys->keys, &keys->capacity, keys->count + 1, sizeof *grown);
        if (!grown)
            return no_memory(keys, err);
        keys->keys = grown;
    }
    if (!ptio_text_map_put(&keys->places, keys->heap, name, (uint32_t)keys->count))
        return no_memory(keys, err);
    keys->keys[keys->count++] = (ptio_state_key){.name = name, .value = value};
    return PTIO_OK;
}

ptio_state_key *ptio_state_keys_find(const ptio_state_keys *keys, ptio_text name)
{
    uint32_t place;
    return ptio_text_map_get(&keys->places, name, &place) && !keys->keys[place].gone ? &keys->keys[place] : NULL;
}

static ptio_text class_of(const ptio_value *value)
{
    ptio_text name = ptio_value_class(value);
    if (ptio_text_starts(name, "builtins."))
        name = (ptio_text){name.bytes + 9, name.size - 9};
    return name;
}

static ptio_status read_dict(ptio_state_keys *keys, const ptio_value *dict, ptio_error *err)
{
    ptio_status status = PTIO_OK;
    for (size_t i = 0, count = ptio_value_count(dict); i < count && status == PTIO_OK; i++) {
        const ptio_value *key = ptio_value_key(dict, i);
        ptio_text name = ptio_value_str(key);
        if (ptio_value_kind(key) != PTIO_KIND_STR || !name.bytes)
            return ptio_fail(err, PTIO_ERR_ARGUMENT, "statedict.key", PTIO_NO_OFFSET,
                             "key %zu of the state dict is no str, but of <class '%s'>", i, ptio_quote(class_of(key)).text);
        status = set_key(keys, name, ptio_value_item(dict, i), err);
    }
    return status;
}

static ptio_status read_module(ptio_state_keys *keys, const ptio_checkpoint *ckpt, const ptio_value *value, ptio_error *err)
{
    ptio_status status = ptio_module_open(ckpt, value, &keys->module, err);
    for (size_t i = 0; status == PTIO_OK && i < ptio_module_state_count(keys->module); i++) {
        const ptio_module_state *state = ptio_module_state_at(keys->module, i);
        status = set_key(keys, state->name, state->value, err);
    }
    return status;
}

static ptio_status take_off_prefix(ptio_state_keys *keys, const char *prefix, ptio_error *err)
{
    size_t size = strlen(prefix);
    for (size_t i = 0, count = keys->count; size && i < count; i++) {
        ptio_state_key key = keys->keys[i];
        /* An entry that replaced one under the new name of another has its place in the order, so none is seen twice. */
        if (key.gone || !ptio_text_starts(key.name, prefix))
            continue;
        keys->keys[i].gone = true;
        ptio_status status = set_key(keys, (ptio_text){key.name.bytes + size, key.name.size - size}, key.value, err);
        if (status != PTIO_OK)
            return status;
    }
    return PTIO_OK;
}

ptio_status ptio_state_keys_open(ptio_state_keys *keys, ptio_heap *heap, const ptio_checkpoint *ckpt, const ptio_value *value,
                                 const char *prefix, ptio_error *err)
{
    ptio_status status;
    *keys = (ptio_state_keys){.heap = heap, .places = {.hash_key = ptio_os_random()}};
    if (ptio_value_kind(value) == PTIO_KIND_DICT)
        status = read_dict(keys, value, err);
    else if (ptio_value_is_module(value))
        status = read_module(keys, ckpt, value, err);
    else
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "statedict.kind", PTIO_NO_OFFSET,
                         "Expected state_dict to be dict-like, got <class '%s'>.", ptio_quote(class_of(value)).text);
    return status == PTIO_OK && prefix ? take_off_prefix(keys, prefix, err) : status;
}

void ptio_state_keys_free(ptio_state_keys *keys)
{
    ptio_text_map_free(&keys->places, keys->heap);
    ptio_heap_free(keys->heap, keys->keys, keys->capacity * sizeof *keys->keys);
    ptio_module_free(keys->module);
}

bool ptio_state_dict_version(const ptio_value *state_dict, const char *module, int64_t *ret)
{
    const ptio_value *metadata = ptio_value_attribute(state_dict, "_metadata");
    return ptio_value_int(ptio_value_get(ptio_value_get(metadata, module), "version"), ret);
}
