/*
 * A loaded checkpoint, and the loader that makes one.
 */
#ifndef PTIO_TORCH_CHECKPOINT_H
#define PTIO_TORCH_CHECKPOINT_H

#include "base/report.h"
#include "pickle/vm.h"
#include "tensor/tensor.h"
#include "torch/globals.h"

/** One pickle of a file that belongs to the result, kept for check, weights_only and info. */
typedef struct ptio_pickle_part {
    ptio_graph graph;
    ptio_text record; /* "archive/data.pkl"                                                   */
    uint64_t offset;  /* of its first byte in the source; PTIO_NO_OFFSET where it was inflated */
    struct ptio_pickle_part *next;
} ptio_pickle_part;

struct ptio_checkpoint {
    _Atomic(uint32_t) references; /* the caller's, and those of builders that hold it */
    ptio_heap heap;
    ptio_arena arena;
    ptio_limits limits; /* filled in: no zeros where there is a default                         */
    ptio_source *source;
    bool owns_source;
    ptio_archive *archive;   /* NULL for plain pickles and arrays                                    */
    ptio_storage_pool *pool; /* own_pool, or that of the checkpoint this one is a part of            */
    ptio_storage_pool own_pool;
    ptio_pickle_part *parts; /* the first is the object's own                                        */
    const ptio_value *root;
    ptio_container container;
    ptio_byte_order byte_order; /* of the file                                                          */
    bool byte_order_recorded;
    ptio_text format_version, archive_version, serialization_id;
    uint64_t start, end;              /* in the source                                                        */
    struct ptio_buffer *buffers;      /* pickles and other bytes read from the source                         */
    struct ptio_hooked *hooked;       /* NULL: the caller is asked nothing                                    */
    struct ptio_reading *reading;     /* NULL: nobody is told, and one thread reads                           */
    const struct ptio_builder *edits; /* the builder that this one is of, whose changes are seen through it; else NULL */
    struct ptio_checkpoint *children; /* shards and chunks that this one is made of                           */
    struct ptio_checkpoint *sibling;
};

/** A block of bytes that lives as long as the checkpoint. */
typedef struct ptio_buffer {
    struct ptio_buffer *next;
    size_t size;
    uint8_t bytes[];
} ptio_buffer;

/** What persistent ids mean differs with the container. */
typedef struct ptio_loader ptio_loader;
typedef struct ptio_placing ptio_placing; /* place.h */
typedef ptio_status (*ptio_persistent_load)(ptio_loader *loader, ptio_node_persistent *node, ptio_error *err);

/** What came last, most often the same as what comes next. */
typedef struct ptio_latest {
    const ptio_value *id_word, *id_type, *id_location; /* nodes of a persistent id that were found right */
    const ptio_global *type;
    ptio_text location;
    const ptio_tensor *tensor; /* strided */
} ptio_latest;

/** The state of one load: what is needed while the graph is interpreted, but not afterwards. */
struct ptio_loader {
    ptio_checkpoint *ckpt;
    const ptio_load_options *options; /* filled in                                                            */
    ptio_report *report;
    ptio_codec *codec;
    struct ptio_hooked *hooked; /* the caller's hooks, of the checkpoint that the caller gets; NULL: none       */
    const char *path;           /* of the file, for shards beside it; NULL for sources                  */
    unsigned depth;             /* of files inside files                                                */
    ptio_placing *placing;      /* where storages go; NULL: they stay on the CPU, with the tags that they have */
    /* of the pickle that is being interpreted */
    ptio_pickle_part *part;
    ptio_persistent_load persistent_load;
    void *persistent_context;
    ptio_storage **by_record; /* zip: the storage of each record                                      */
    size_t next_record;       /* zip: the record behind that of the last storage                       */
    ptio_latest latest;
    bool swap;          /* storages are in the other byte order                                 */
    bool map_python2;   /* names of globals: protocol below 3                                   */
    bool keep_python2;  /* written by Python 2: classes keep its names                          */
    bool python2;       /* the whole stream was written by Python 2                                   */
    size_t next_object; /* of the pickle's objects, the first that was not interpreted yet      */
    unsigned nesting;   /* of running ahead                                                     */
    unsigned chained;   /* of types of types of tensors                                         */
};

/** An empty checkpoint; NULL where there is no memory for it. Both arguments may be NULL. */
ptio_checkpoint *ptio_checkpoint_new(const ptio_memory *memory, const ptio_limits *limits);

/** The options of a caller that may know fewer fields than this library; the others are zero. NULL: all defaults. */
ptio_load_options ptio_load_options_known(const ptio_load_options *given);

/** Limits with the defaults in place of zeros. */
void ptio_limits_fill(ptio_limits *limits, const ptio_limits *given);

/** A new buffer of `size` bytes, owned by the checkpoint. NULL where there is no memory. */
uint8_t *ptio_checkpoint_buffer(ptio_checkpoint *ckpt, size_t size);

/** Read a record whole, inflated and its CRC checked: a view of the source where there is one, else a buffer. */
ptio_status ptio_loader_read_record(ptio_loader *loader, size_t record, ptio_text *ret, ptio_error *err);

/** Run the pickle at the start of `bytes`, index its keys and add it to the checkpoint. Errors name `record`. */
ptio_status ptio_loader_run(ptio_loader *loader, ptio_text bytes, ptio_text record, uint64_t offset, ptio_pickle_part **ret,
                            ptio_error *err);

/**
 * Find the pickle that begins at `offset` of the source, which tells no length: in the source's memory, or read into a buffer.
 * Gives exactly its bytes.
 */
ptio_status ptio_loader_fetch_pickle(ptio_loader *loader, uint64_t offset, ptio_text *ret, ptio_error *err);

/**
 * Interpret all objects of a pickle: fill in `seen` and `meaning`. persistent_load and the context fields are set by the caller.
 */
ptio_status ptio_interpret(ptio_loader *loader, ptio_pickle_part *part, ptio_error *err);

/** Only its globals and persistent ids, before the rest: for streams whose storages come after the pickle that names them. */
ptio_status ptio_interpret_ids(ptio_loader *loader, ptio_pickle_part *part, ptio_error *err);

/** How its files are opened: PTIO_SOURCE_MAP … */
unsigned ptio_map_flags(const ptio_load_options *options);

/** Look at what the checkpoint's source is, and load it by the function of its container. */
ptio_status ptio_load_any(ptio_loader *loader, ptio_error *err);

/* One function for each container, called by ptio_load_source(). */
ptio_status ptio_load_zip(ptio_loader *loader, ptio_error *err);
ptio_status ptio_load_legacy(ptio_loader *loader, ptio_error *err);
ptio_status ptio_load_tar(ptio_loader *loader, ptio_error *err);
ptio_status ptio_load_pickle(ptio_loader *loader, ptio_error *err);
ptio_status ptio_load_npy(ptio_loader *loader, ptio_error *err);
ptio_status ptio_load_npz(ptio_loader *loader, ptio_error *err);
ptio_status ptio_load_pt2(ptio_loader *loader, ptio_error *err);
ptio_status ptio_load_package(ptio_loader *loader, ptio_error *err);
ptio_status ptio_load_torchscript(ptio_loader *loader, ptio_error *err);

/** The parts of loading a zip that its kinds share: read the small records, then run and interpret a pickle of the archive. */
ptio_status ptio_zip_prepare(ptio_loader *loader, ptio_error *err);
ptio_status ptio_zip_run_record(ptio_loader *loader, const char *name, ptio_pickle_part **ret, ptio_error *err);

/** A distributed checkpoint, whose folder or .metadata file is loader->path. */
ptio_status ptio_load_dcp(ptio_loader *loader, ptio_error *err);
/** The index of a sharded checkpoint: loader->path is the JSON file. */
ptio_status ptio_load_shards(ptio_loader *loader, ptio_error *err);

/**
 * Run and interpret the legacy stream that lies in `bytes` of a pickle (torch.storage._load_from_bytes). Gives what it holds.
 */
ptio_status ptio_load_embedded(ptio_loader *loader, ptio_text bytes, const ptio_value **ret, ptio_error *err);

#endif
