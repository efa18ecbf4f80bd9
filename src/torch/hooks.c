/*
 * The caller's hooks: names that it takes for others, persistent ids that it knows, objects that it makes its own of.
 *
 * A pickle_module of Python makes the objects themselves. Here they stay what they are, and what the caller makes of one stands beside
 * it, in a map from values to pointers.
 */
#include "torch/hooks.h"

#include <string.h>

ptio_status ptio_hooks_begin(ptio_loader *loader, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    if (!loader->options->hooks)
        return PTIO_OK;
    if (loader->options->weights_only)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "hooks.weights-only", PTIO_NO_OFFSET,
                         "hooks cannot be used with weights_only, which vouches for PyTorch's own names alone");
    ckpt->hooked = PTIO_NEW(&ckpt->arena, ptio_hooked, 1);
    if (!ckpt->hooked)
        return ptio_heap_fail(&ckpt->heap, err, "hooks");
    *ckpt->hooked = (ptio_hooked){.hooks = *loader->options->hooks, .ckpt = ckpt};
    loader->hooked = ckpt->hooked;
    return PTIO_OK;
}

void ptio_hooks_end(ptio_checkpoint *ckpt)
{
    ptio_hooked *hooked = ckpt->hooked;
    if (!hooked)
        return;
    for (size_t i = 0; i < hooked->users.slot_count; i++) {
        const ptio_pointer_slot *slot = &hooked->users.slots[i];
        if (slot->pointer && hooked->hooks.release)
            hooked->hooks.release(hooked->hooks.ctx, (void *)(uintptr_t)slot->number);
    }
    ptio_pointer_map_free(&hooked->users, &ckpt->heap);
    ckpt->hooked = NULL;
}

void *ptio_value_user(const ptio_checkpoint *ckpt, const ptio_value *value)
{
    if (!ckpt || !value || !ckpt->hooked || !ckpt->hooked->users.slot_count)
        return NULL;
    const ptio_pointer_map *users = &ckpt->hooked->users;
    return (void *)(uintptr_t)ptio_pointer_slot_of(users->slots, users->slot_count, value)->number;
}

/* Where there is no memory to keep it, the caller gets back what it made. */
static ptio_status keep(ptio_hooked *hooked, const ptio_value *value, void *user, ptio_error *err)
{
    ptio_heap *heap = &hooked->ckpt->heap;
    uint64_t number;
    bool is_new;
    if (!user || ptio_pointer_map_add(&hooked->users, heap, value, (uintptr_t)user, &number, &is_new))
        return PTIO_OK;
    if (hooked->hooks.release)
        hooked->hooks.release(hooked->hooks.ctx, user);
    return ptio_heap_fail(heap, err, "hooks");
}

static bool copy_text(ptio_arena *arena, ptio_text *text, ptio_text found)
{
    if (text->bytes == found.bytes && text->size == found.size)
        return true;
    *text = ptio_arena_text(arena, *text);
    return text->bytes != NULL;
}

ptio_status ptio_hook_find_class(ptio_loader *loader, const ptio_value *node, ptio_text *module, ptio_text *name, ptio_error *err)
{
    ptio_hooked *hooked = loader->hooked;
    if (!hooked || !hooked->hooks.find_class)
        return PTIO_OK;
    ptio_text found_module = *module, found_name = *name;
    ptio_status status = hooked->hooks.find_class(hooked->hooks.ctx, module, name);
    if (status != PTIO_OK)
        return ptio_fail_node(loader, node, status, "hook.find-class", err, "the caller refuses %s of the module %s",
                              ptio_quote(found_name).text, ptio_quote(found_module).text);
    if (!copy_text(&loader->ckpt->arena, module, found_module) || !copy_text(&loader->ckpt->arena, name, found_name))
        return ptio_heap_fail(&loader->ckpt->heap, err, "a global");
    return PTIO_OK;
}

static const ptio_text unknown_id = {"persistent id", 13};

ptio_status ptio_persistent_unknown(ptio_loader *loader, ptio_node_persistent *node, ptio_error *err)
{
    ptio_object *object = PTIO_NEW(&loader->ckpt->arena, ptio_object, 1);
    if (!object)
        return ptio_heap_fail(&loader->ckpt->heap, err, "an object");
    object->class_name = unknown_id;
    node->head.seen = PTIO_KIND_OBJECT;
    node->meaning = object;
    return PTIO_OK;
}

static bool is_unknown(const ptio_node_persistent *node)
{
    if (node->head.seen != PTIO_KIND_OBJECT)
        return false;
    const ptio_object *object = node->meaning;
    return object && object->class_name.bytes == unknown_id.bytes;
}

ptio_status ptio_hook_persistent(ptio_loader *loader, ptio_node_persistent *node, ptio_error *err)
{
    ptio_hooked *hooked = loader->hooked;
    if (!hooked || !hooked->hooks.persistent_load)
        return loader->persistent_load(loader, node, err);
    ptio_error why = {0};
    void *user = NULL;
    ptio_status status = loader->persistent_load(loader, node, &why);
    if (status == PTIO_ERR_FORMAT && why.reason && strcmp(why.reason, "persistent-id.form") == 0)
        status = ptio_persistent_unknown(loader, node, &why);
    if (status != PTIO_OK) {
        if (err && err->status == PTIO_OK)
            *err = why;
        return status;
    }
    if (!is_unknown(node))
        return PTIO_OK;
    status = hooked->hooks.persistent_load(hooked->hooks.ctx, node->id, &user);
    if (status != PTIO_OK)
        return ptio_fail_node(loader, &node->head, status, "hook.persistent-load", err, "the caller refuses a persistent id");
    return keep(hooked, &node->head, user, err);
}

/* ---- objects ---- */

typedef struct building {
    ptio_hooked *hooked;
    const ptio_value *arrived; /* an object that may have nothing inside: then nothing is left */
    ptio_status status;
    ptio_error *err;
} building;

static bool build(building *b, const ptio_value *object)
{
    ptio_hooked *hooked = b->hooked;
    void *user = NULL;
    if (object->type == PTIO_NODE_TYPE_PERSISTENT)
        return true;
    b->status = hooked->hooks.build(hooked->hooks.ctx, object, &user);
    if (b->status == PTIO_OK)
        b->status = keep(b->hooked, object, user, b->err);
    else
        b->status =
            ptio_fail(b->err, b->status, "hook.build", object->type >= PTIO_NODE_TYPE_GLOBAL ? object->count : PTIO_NO_OFFSET,
                      "the caller refuses an object of the class %s", ptio_quote(ptio_value_class(object)).text);
    return b->status == PTIO_OK;
}

static ptio_walk_next visit_object(void *ctx, const ptio_visit *visit)
{
    building *b = ctx;
    const ptio_value *before = b->arrived;
    b->arrived = NULL;
    bool is_inside = before && visit->parent == before;
    if (before && !is_inside && !(visit->leaving && visit->value == before) && !build(b, before))
        return PTIO_WALK_STOP;
    if (ptio_value_kind(visit->value) != PTIO_KIND_OBJECT || visit->again)
        return PTIO_WALK_ON;
    if (!visit->leaving)
        b->arrived = visit->value;
    else if (!build(b, visit->value))
        return PTIO_WALK_STOP;
    return PTIO_WALK_ON;
}

ptio_status ptio_hook_build(ptio_checkpoint *ckpt, ptio_error *err)
{
    if (!ckpt->hooked || !ckpt->hooked->hooks.build || !ckpt->root)
        return PTIO_OK;
    building b = {.hooked = ckpt->hooked, .err = err};
    ptio_walk_options options = {
        .struct_size = sizeof options, .arguments = true, .limits = &ckpt->limits, .memory = &ckpt->heap.hooks};
    ptio_error why = {0};
    ptio_status status = ptio_walk(ckpt->root, &options, visit_object, &b, &why);
    if (b.status != PTIO_OK)
        return b.status;
    if (status != PTIO_OK) {
        if (err && err->status == PTIO_OK)
            *err = why;
        return status;
    }
    if (b.arrived)
        (void)build(&b, b.arrived);
    return b.status;
}
