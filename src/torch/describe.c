/*
 * What there is to say about a checkpoint as a whole: container, era, versions, counts.
 */
#include "pickle/opcode.h"
#include "torch/meaning.h"

static const char *const container_names[] = {
    [PTIO_CONTAINER_ZIP] = "zip",       [PTIO_CONTAINER_LEGACY] = "legacy",
    [PTIO_CONTAINER_TAR] = "tar",       [PTIO_CONTAINER_TORCHSCRIPT] = "torchscript",
    [PTIO_CONTAINER_PT2] = "pt2",       [PTIO_CONTAINER_PACKAGE] = "package",
    [PTIO_CONTAINER_PICKLE] = "pickle", [PTIO_CONTAINER_NPY] = "npy",
    [PTIO_CONTAINER_NPZ] = "npz",       [PTIO_CONTAINER_DCP] = "distributed",
    [PTIO_CONTAINER_SHARDS] = "shards", [PTIO_CONTAINER_SAFETENSORS] = "safetensors",
};

static bool has_record(const ptio_checkpoint *ckpt, const char *name)
{
    return ckpt->archive && ptio_archive_lookup_in_root(ckpt->archive, ptio_text_of(name)) != SIZE_MAX;
}

/* Whether a storage is named by a number that counts up, not by an address, and where its record lies. */
static bool has_address_keys(const ptio_checkpoint *ckpt)
{
    for (const ptio_storage *storage = ckpt->pool->newest; storage; storage = storage->older) {
        if (storage->key_size >= 10)
            return true;
    }
    return false;
}

/* The releases that write archives like this one: by which records it has, and how its storages are called. */
static const char *zip_era(const ptio_checkpoint *ckpt)
{
    if (has_record(ckpt, ".storage_alignment"))
        return "PyTorch 2.7 or newer";
    if (has_record(ckpt, ".format_version"))
        return "PyTorch 2.7 (a build before alignments were recorded)";
    if (has_record(ckpt, ".data/serialization_id") || has_record(ckpt, "byteorder"))
        return "PyTorch 2.1 to 2.6";
    if (!ptio_text_is(ckpt->archive_version, "3"))
        return "PyTorch 1.4 or 1.5";
    if (has_address_keys(ckpt))
        return "PyTorch 1.6 or 1.7";
    return "PyTorch 1.8 to 2.0, or another program";
}

static const char *era_of(const ptio_checkpoint *ckpt)
{
    switch (ckpt->container) {
    case PTIO_CONTAINER_ZIP: return zip_era(ckpt);
    case PTIO_CONTAINER_LEGACY:
        return ckpt->parts && ckpt->parts->graph.dialect.python2 ? "PyTorch 0.1.10 to 1.4 on Python 2"
                                                                 : "PyTorch 0.1.10 to 1.5, or later by option";
    case PTIO_CONTAINER_TAR: return "PyTorch before 0.1.10";
    case PTIO_CONTAINER_TORCHSCRIPT: return "torch.jit.save";
    case PTIO_CONTAINER_PT2: return "torch.export.save";
    case PTIO_CONTAINER_PACKAGE: return "torch.package";
    case PTIO_CONTAINER_PICKLE: return "Python's pickle.dump";
    case PTIO_CONTAINER_NPY: return "numpy.save";
    case PTIO_CONTAINER_NPZ: return "numpy.savez";
    case PTIO_CONTAINER_DCP: return "torch.distributed.checkpoint";
    case PTIO_CONTAINER_SHARDS: return "Hugging Face sharded checkpoint";
    case PTIO_CONTAINER_SAFETENSORS: return "safetensors";
    }
    return "";
}

/* The largest power of two up to 4096 that every record located so far begins at a multiple of. */
static uint64_t alignment_of(const ptio_checkpoint *ckpt)
{
    if (!ckpt->archive || ckpt->archive->kind != PTIO_ARCHIVE_ZIP)
        return 0;
    uint64_t bits = 4096;
    for (size_t i = 0; i < ckpt->archive->count; i++) {
        uint64_t offset;
        const ptio_entry *entry = &ckpt->archive->entries[i];
        if (entry->is_folder || ptio_archive_locate(ckpt->archive, i, &offset, NULL) != PTIO_OK)
            continue;
        bits |= offset - ckpt->archive->start;
    }
    return bits & (~bits + 1);
}

/* Counted here, where somebody asks, and not at each load. */
static uint64_t count_opcodes(const ptio_checkpoint *ckpt)
{
    const ptio_graph *graph = &ckpt->parts->graph;
    uint64_t count = 0;
    for (size_t at = 0; at < graph->size; at = ptio_opcode_pass(graph->bytes, graph->size, at))
        count++;
    return count;
}

void ptio_checkpoint_describe_briefly(const ptio_checkpoint *ckpt, ptio_checkpoint_info *ret)
{
    *ret = (ptio_checkpoint_info){
        .container = ckpt->container,
        .container_name = container_names[ckpt->container],
        .era = era_of(ckpt),
        .root = ckpt->archive ? ckpt->archive->root : (ptio_text){NULL, 0},
        .format_version = ckpt->format_version,
        .archive_version = ckpt->archive_version,
        .serialization_id = ckpt->serialization_id,
        .byte_order = ckpt->byte_order,
        .byte_order_recorded = ckpt->byte_order_recorded,
        .source_bytes = ckpt->source ? ptio_source_size(ckpt->source) : 0,
        .records = ckpt->archive ? ckpt->archive->count : 0,
        .end_offset = ckpt->end,
        .heap_bytes = ckpt->heap.used,
    };
    if (ckpt->parts) {
        ret->protocol = ckpt->parts->graph.dialect.protocol;
        ret->pickle_bytes = ckpt->parts->graph.size;
    }
    for (const ptio_storage *storage = ckpt->pool->newest; storage; storage = storage->older) {
        ret->storages++;
        ret->storage_bytes += storage->nbytes;
    }
}

void ptio_checkpoint_describe(const ptio_checkpoint *ckpt, ptio_checkpoint_info *ret)
{
    ptio_checkpoint_describe_briefly(ckpt, ret);
    ret->alignment = alignment_of(ckpt);
    if (ckpt->parts)
        ret->opcodes = count_opcodes(ckpt);
}

ptio_archive *ptio_checkpoint_archive(const ptio_checkpoint *ckpt)
{
    return ckpt->archive;
}
