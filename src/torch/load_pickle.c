/*
 * Plain pickles: what pickle.dump, joblib and old scripts left. One object, or several one after another, which come out as a list.
 */
#include "torch/handlers.h"

ptio_status ptio_load_pickle(ptio_loader *loader, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ckpt->container = PTIO_CONTAINER_PICKLE;
    /* A plain pickle has no storages of its own: tensors in it hold theirs as bytes. What an id stands for is unknown. */
    loader->persistent_load = ptio_persistent_unknown;
    loader->swap = false;
    uint64_t at = ckpt->start, size = ptio_source_size(ckpt->source);
    ptio_node_list *list = PTIO_NEW(&ckpt->arena, ptio_node_list, 1);
    if (!list)
        return ptio_heap_fail(&ckpt->heap, err, "a list");
    list->head = (ptio_value){.type = PTIO_NODE_TYPE_LIST, .seen = PTIO_KIND_LIST};
    ptio_status status = PTIO_OK;
    do {
        ptio_text bytes;
        ptio_pickle_part *part;
        status = ptio_loader_fetch_pickle(loader, at, &bytes, err);
        if (status != PTIO_OK)
            return status;
        status = ptio_loader_run(loader, bytes, ptio_source_name(ckpt->source), at, &part, err);
        if (status == PTIO_OK)
            status = ptio_interpret(loader, part, err);
        if (status == PTIO_OK && !ptio_block_append(&ckpt->arena, &list->block, list->head.count, &part->graph.root, 1))
            status = ptio_heap_fail(&ckpt->heap, err, "a list");
        if (status != PTIO_OK) {
            if (err && err->offset != PTIO_NO_OFFSET)
                err->offset += at; /* errors of a pickle count from its beginning */
            return status;
        }
        list->head.count++;
        at += bytes.size;
    } while (at < size);
    ckpt->end = at;
    ckpt->root = list->head.count == 1 ? list->block->items[0] : &list->head;
    return PTIO_OK;
}
