/*
 * ptio: torch.save and torch.load in C.
 *
 * This header is the whole public interface, in the order in which a program needs it:
 *
 *     1  conventions, version, errors        7  tensors and storages
 *     2  memory and limits                   8  lists of tensors, whole modules
 *     3  sources: where bytes come from      9  records: the archive below the pickle
 *     4  loading                            10  the pickle itself: disassembly
 *     5  values: what was saved             11  checking a file
 *     6  paths and walks                    12  printing
 *                                           13  sinks: where bytes go
 *                                           14  writing archives
 *                                           15  saving
 *                                           16  building and editing
 *                                           17  location tags and devices
 *
 * A first program:
 *
 *     ptio_error err = {0};
 *     ptio_checkpoint *ckpt = NULL;
 *     if (ptio_load("model.pth", NULL, &ckpt, &err) != PTIO_OK) {
 *         fprintf(stderr, "%s: byte %llu: %s\n", err.record, (unsigned long long)err.offset, err.message);
 *         return 1;
 *     }
 *     const ptio_tensor *w = ptio_value_tensor(ptio_at(ckpt, "fc1.weight"));
 *     float weight[5 * 10];
 *     if (!w || ptio_tensor_copy(w, PTIO_FLOAT32, weight, sizeof weight, &err) != PTIO_OK)
 *         return 1;
 *     ptio_checkpoint_free(ckpt);
 *
 * Nothing that a file holds is ever executed, imported or looked up. A class is a label: an object of a class that ptio
 * does not know keeps its class, arguments, state and items, and can be walked and printed.
 */
#ifndef PTIO_H
#define PTIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PTIO_VERSION_MAJOR 0
#define PTIO_VERSION_MINOR 1
#define PTIO_VERSION_PATCH 0

#ifndef PTIO_API
#if defined(__GNUC__)
#define PTIO_API __attribute__((visibility("default")))
#else
#define PTIO_API
#endif
#endif

/* ------------------------------------------------------------------------------------------------------------------
 * 1  Conventions, version, errors
 *
 * Functions that can fail return a ptio_status and take a ptio_error last. The caller owns the error, usually on its
 * stack; NULL is welcome. Results come before it and are written on success only. Getters never fail: they give zero,
 * false or NULL where a value is not of the kind they ask for, and accept NULL as the value. A key, name or path that is NULL
 * names nothing.
 *
 * Sizes and positions in files are uint64_t bytes; shapes, strides and storage offsets are int64_t elements.
 * What *_load, *_open and *_new give is the caller's, and its *_free takes NULL too. What a getter gives is borrowed
 * from the checkpoint and lives as long as it does.
 *
 * A loaded checkpoint is read-only: any number of threads may use it at once. There is no global state.
 * ------------------------------------------------------------------------------------------------------------------ */

/** Every status: name, text. A status is something to branch on; what is particular is in ptio_error. */
#define PTIO_STATUS_LIST(X)                                                      \
    X(OK, "success")                                                             \
    X(ERR_FORMAT, "not a checkpoint, or damaged")                                \
    X(ERR_AMBIGUOUS, "it can be read in two ways, and readers could disagree")   \
    X(ERR_UNSUPPORTED, "a valid file of a kind that this library does not read") \
    X(ERR_DENIED, "it names something outside the allowed set")                  \
    X(ERR_LIMIT, "it needs more than a limit allows")                            \
    X(ERR_MEMORY, "out of memory")                                               \
    X(ERR_IO, "reading or writing failed")                                       \
    X(ERR_ARGUMENT, "the call is wrong")                                         \
    X(ERR_NOT_FOUND, "there is no such thing")                                   \
    X(ERR_CANCELLED, "cancelled by the caller")

typedef enum ptio_status {
#define PTIO_STATUS_ENUM(name, text) PTIO_##name,
    PTIO_STATUS_LIST(PTIO_STATUS_ENUM)
#undef PTIO_STATUS_ENUM
} ptio_status;

#define PTIO_NO_OFFSET UINT64_MAX

/** What went wrong. Zero it before use; the first failure stays. Nothing in it needs freeing. All texts are escaped. */
typedef struct ptio_error {
    ptio_status status; /* why, as a code to branch on                                             */
    const char *reason; /* a stable id, such as "zip.overlap"; never NULL after a failure          */
    uint64_t offset;    /* byte offset in `record`, or PTIO_NO_OFFSET                              */
    char record[96];    /* "archive/data.pkl", a file's name, or ""                                */
    char context[48];   /* opcode, tensor key or header field, or ""                               */
    char message[256];  /* one sentence: what was found, what was expected                         */
} ptio_error;

/** The text of a status, such as "out of memory". Never NULL. */
PTIO_API const char *ptio_status_text(ptio_status status);

/** The version of the library that is running, such as "0.1.0". */
PTIO_API const char *ptio_version(void);

/** Bytes with a length: not terminated, may hold NULs. `bytes` is NULL only where there is no text at all. */
typedef struct ptio_text {
    const char *bytes;
    size_t size;
} ptio_text;

/* ------------------------------------------------------------------------------------------------------------------
 * 2  Memory and limits
 * ------------------------------------------------------------------------------------------------------------------ */

/**
 * Where memory comes from. NULL in the options means the C library.
 *
 * resize   all small memory: arenas, tables, buffers. ptr NULL allocates, new_size 0 frees; old_size is what was asked for
 * alloc    the bytes of storages, aligned to `alignment` (a power of two); free gets the same size back
 *
 * Either pair may be left NULL. Maps, and what zlib needs to inflate a record, bypass both; docs/memory.md lists them.
 */
typedef struct ptio_memory {
    void *(*resize)(void *ctx, void *ptr, size_t old_size, size_t new_size);
    void *(*alloc)(void *ctx, size_t size, size_t alignment);
    void (*free)(void *ctx, void *ptr, size_t size);
    void *ctx;
} ptio_memory;

/** Storages that ptio allocates begin at a multiple of this many bytes. */
#define PTIO_STORAGE_ALIGN 64

/**
 * What a file may cost. Zero in a field means its default. Reaching one is PTIO_ERR_LIMIT, and the message names the field.
 */
typedef struct ptio_limits {
    uint64_t pickle_bytes;    /* one pickle                                                 1 GiB                  */
    uint64_t heap_bytes;      /* all small memory of a load                                 4 GiB                  */
    uint64_t heap_per_byte;   /* small memory for each byte of pickle, beyond 1 MiB         32                     */
    uint64_t directory_bytes; /* a zip's central directory, a tar's headers                 256 MiB                */
    uint64_t stream_bytes;    /* a source that can only be read forwards, kept in memory    16 GiB                 */
    uint64_t storage_bytes;   /* one storage, once read                                     no limit               */
    uint64_t expand_factor;   /* elements of a copied tensor for each element of storage    16                     */
    uint64_t line_bytes;      /* one text line of a pickle                                  64 KiB                 */
    uint64_t name_bytes;      /* module and name of a global, together                      1 KiB                  */
    uint64_t walk_nodes;      /* nodes visited by a walk or printed                         16 x distinct + 10^6   */
} ptio_limits;

/* ------------------------------------------------------------------------------------------------------------------
 * 3  Sources
 *
 * One kind of thing that bytes are read from, by position. Reading by position leaves the position of an fd or FILE
 * alone where the system can (pread); where it cannot, the object is used under a lock.
 * ------------------------------------------------------------------------------------------------------------------ */

typedef struct ptio_source ptio_source;

/** The caller's own input. read gives the bytes read (0 at the end, fewer than asked is fine) or -1; seek 0 or -1. */
typedef struct ptio_source_callbacks {
    int64_t (*read)(void *ctx, void *buffer, size_t size);
    int (*seek)(void *ctx, uint64_t offset); /* from the start; NULL: the source can only be read forwards        */
    int64_t (*tell)(void *ctx);              /* the position now; NULL: 0                                         */
    int64_t (*size)(void *ctx);              /* bytes in all; NULL: found by reading to the end                   */
    void (*close)(void *ctx);                /* called by ptio_source_free(); may be NULL                         */
} ptio_source_callbacks;

enum {
    PTIO_SOURCE_MAP = 1,       /* map the file privately; storages become views. See ptio_load_options.mmap       */
    PTIO_SOURCE_MAP_SHARED = 2 /* map it so that what is written goes to the file, which is opened for writing    */
};

/**
 * Open a file for reading.
 *
 * A directory is PTIO_ERR_ARGUMENT with reason "io.directory". A FIFO, a terminal or anything else that cannot be read by
 * position is read to its end first (limits->stream_bytes).
 *
 * Options    flags: 0, PTIO_SOURCE_MAP or PTIO_SOURCE_MAP_SHARED. memory and limits may be NULL
 * Errors     PTIO_ERR_IO with the system's text; PTIO_ERR_LIMIT; PTIO_ERR_MEMORY
 * Ownership  *ret is the caller's, released by ptio_source_free() after every checkpoint and archive that uses it
 */
PTIO_API ptio_status ptio_source_open(const char *path, unsigned flags, const ptio_memory *memory, const ptio_limits *limits,
                                      ptio_source **ret, ptio_error *err);

/** Like ptio_source_open(), over an open descriptor. It is not closed, and offset 0 is its beginning, not its position. */
PTIO_API ptio_status ptio_source_from_fd(int fd, unsigned flags, const ptio_memory *memory, const ptio_limits *limits,
                                         ptio_source **ret, ptio_error *err);

/** Like ptio_source_open(), over a stdio stream, which is not closed. Its position is used under the stream's own lock. */
PTIO_API ptio_status ptio_source_from_file(FILE *file, const ptio_memory *memory, const ptio_limits *limits, ptio_source **ret,
                                           ptio_error *err);

/** Over bytes of the caller, which must outlive the source. Storages may be views of them. */
PTIO_API ptio_status ptio_source_from_memory(const void *data, size_t size, const ptio_memory *memory, ptio_source **ret,
                                             ptio_error *err);

/** Over the caller's functions. They are called by one thread at a time. Without `seek` all is read at once, here. */
PTIO_API ptio_status ptio_source_from_callbacks(const ptio_source_callbacks *callbacks, void *ctx, const ptio_memory *memory,
                                                const ptio_limits *limits, ptio_source **ret, ptio_error *err);

/** Bytes in the source. */
PTIO_API uint64_t ptio_source_size(const ptio_source *source);

/** Release a source, after every checkpoint and archive that uses it. NULL is fine. */
PTIO_API void ptio_source_free(ptio_source *source);

/* ------------------------------------------------------------------------------------------------------------------
 * 4  Loading
 * ------------------------------------------------------------------------------------------------------------------ */

typedef struct ptio_checkpoint ptio_checkpoint;

/** Findings: what a load or a check noticed without stopping. See section 11. */
typedef struct ptio_report ptio_report;

typedef enum ptio_byte_order { PTIO_LITTLE_ENDIAN = 0, PTIO_BIG_ENDIAN = 1, PTIO_NATIVE_ENDIAN = 2 } ptio_byte_order;

#define PTIO_ALL_THREADS (~0u)

typedef struct ptio_value ptio_value;

/**
 * What a load asks of the caller, as torch.load() asks its pickle_module. Functions may be NULL. They are called by the thread that
 * loads; anything but PTIO_OK ends the load with that status, and the message says at which byte of which pickle. None runs with
 * weights_only, as in PyTorch (PTIO_ERR_ARGUMENT).
 */
typedef struct ptio_hooks {
    /** Unpickler.find_class(): a global is named. Write other texts, and it is loaded as that one is: a class that moved as the one of
     *  today, a subclass of dict as a dict. They are copied. Files that are written `as` they were keep the name they have. */
    ptio_status (*find_class)(void *ctx, ptio_text *module, ptio_text *name);
    /** Unpickler.persistent_load(): an id that names no storage. Without this function it is an error, but in plain pickles. */
    ptio_status (*persistent_load)(void *ctx, const ptio_value *id, void **user);
    /** An object (PTIO_KIND_OBJECT), after all the objects that it is made of, but for those that hold itself. */
    ptio_status (*build)(void *ctx, const ptio_value *object, void **user);
    /** Once for each `user` that was given and is not NULL: when the checkpoint is freed, or the load fails. */
    void (*release)(void *ctx, void *user);
    void *ctx;
} ptio_hooks;

/** A class or function that weights_only shall take: an item of torch.serialization.add_safe_globals(). */
typedef struct ptio_safe_global {
    const char *
        name; /* "module.name": what the object calls itself, __module__ and __qualname__ ("m.Outer.Inner", "m.Class.method", where
                          files reach it by getattr(), which is to be allowed, too); without a dot: of builtins */
    const char *alias; /* what files call it, as in the pair (object, "module.name"); NULL: the same                         */
} ptio_safe_global;
typedef struct ptio_storage ptio_storage; /* section 7 */

/** Which location tags there are, and what becomes of storages that have them. See section 17. */
typedef struct ptio_registry ptio_registry;

/** Values of the caller's own, and changes to loaded ones. See section 16. */
typedef struct ptio_builder ptio_builder;

/** Where a storage goes: one of the two, or all zero, which leaves it to others. */
typedef struct ptio_placement {
    const char *location;        /* "cpu", "meta", "cuda:1", …, as if it had been saved there                         */
    const ptio_storage *storage; /* what takes its place, of any checkpoint or builder that lives longer than this one. The
                                    storage itself: it is on the CPU                                                       */
} ptio_placement;

/** Asked for one storage, which is on the CPU and can be read, and its location tag. What is pointed to need not outlive the load, but for
 *  storages. Anything but PTIO_OK ends the load with that status; *err may be filled in then. */
typedef ptio_status (*ptio_place)(void *ctx, const ptio_storage *storage, ptio_text tag, ptio_placement *ret, ptio_error *err);

/**
 * torch.load(map_location=…): where storages go that were saved elsewhere. At most one of the fields is set:
 *
 *     {.device = "cpu"}                                        map_location="cpu" or torch.device("cpu"): all of them
 *     {.table = (const char *[][2]){{"cuda:1", "cuda:0"}},
 *      .table_count = 1}                                       map_location={"cuda:1": "cuda:0"}: those with that tag
 *     {.callback = place, .ctx = &mine}                        map_location=place: as it answers, once for each storage
 *     {0}                                                      map_location=None: where they were saved
 *
 * What a table does not have, and what a callback leaves to others, goes where it was saved. Then the registry says what each place is:
 * "cpu"; "meta", where tensors have shapes but no elements, and nothing is read; devices. To name one that is not here is an error,
 * as it is in PyTorch, which tells the tag, the first tensor that has it, and what to do.
 *
 * Values that have no storage in the file (arrays, torch.device) stay as they are.
 */
typedef struct ptio_map_location {
    const char *device;
    const char *const (*table)[2];
    size_t table_count;
    ptio_place callback;
    void *ctx;
} ptio_map_location;

/** Options of a load. Begin with PTIO_LOAD_OPTIONS, so that later versions of ptio know which fields you know. */
typedef struct ptio_load_options {
    size_t struct_size;         /* set by PTIO_LOAD_OPTIONS or ptio_load_options_init()                              */
    bool weights_only;          /* refuse what torch.load(weights_only=True) refuses (see `rules`): PTIO_ERR_DENIED */
    bool mmap;                  /* map the file privately; a storage is a view of the map. For files that nobody cuts
                                        or rewrites meanwhile: a page that vanished is a SIGBUS. Default: read            */
    const char *encoding;       /* of Python 2 strings: "utf-8" (default), "ascii", "latin1", "bytes", or any of iconv */
    const char *errors;         /* "strict" (default), "ignore", "replace", "surrogateescape", "backslashreplace",
                                        "surrogatepass"                                                                   */
    ptio_byte_order byte_order; /* of archives without a byteorder record                                            */
    uint64_t offset;            /* where the checkpoint begins in the source                                         */
    const ptio_limits *limits;  /* NULL: the defaults                                                                */
    const ptio_memory *memory;  /* NULL: the C library                                                               */
    ptio_report *report;        /* NULL, or where findings go                                                        */
    bool mmap_shared;           /* with mmap: what is written by ptio_storage_writable() goes to the file            */
    unsigned threads;           /* that ptio_checkpoint_read() and ptio_check() may use, up to 64; 0: the caller's;
                                        PTIO_ALL_THREADS: as many as there are processors                                 */
    /** Called while storages are read, every 16 MiB or so, by one thread at a time, with the bytes read and those there are: of the one
     *  storage that is asked for, or of all in ptio_checkpoint_read(). Anything but 0 ends the call: PTIO_ERR_CANCELLED. */
    int (*progress)(void *ctx, uint64_t done, uint64_t total);
    void *progress_ctx;
    const ptio_hooks *hooks; /* NULL: none. Copied                                                            */
    /* Of weights_only, and of ptio_check(), which tells its verdict in any case. */
    const ptio_safe_global *allow; /* what the caller trusts, `allow_count` of them: add_safe_globals(), safe_globals()  */
    size_t allow_count;
    const char *rules; /* whose verdict: "2.6", "2.9", "2.13" (default) or "2.14"                                   */
    /** NULL, and no registry either: every storage is on the CPU, whatever its location tag says, so that files open on any machine. */
    const ptio_map_location *map_location;
    const ptio_registry *registry; /* NULL: the entries that PyTorch has. Given without map_location: as with {0}       */
    bool no_crc32; /* take records as they are, whatever their checksums say, as torch.load() does, which compares none */
} ptio_load_options;

#define PTIO_LOAD_OPTIONS .struct_size = sizeof(ptio_load_options)

/** For languages and compilers without designated initialisers: all defaults. */
PTIO_API void ptio_load_options_init(ptio_load_options *options);

/**
 * Load what torch.save() wrote: the zip container (1.6 on), the legacy stream (0.1.10 on), the tar of 0.1; Python 2 files too.
 *
 * Also opens, as data: TorchScript archives (their attributes), .pt2 and torch.package archives, plain pickles of tensors and
 * NumPy arrays, .npy and .npz files, distributed checkpoints (the directory, or its .metadata file), the index of a sharded
 * Hugging Face checkpoint (*.index.json), and safetensors files by their name (*.safetensors), as PyTorch does.
 *
 * Reads the archive's directory and runs its pickle program. The bytes of a storage are read when first asked for, by
 * ptio_storage_data() or any function that needs elements.
 *
 * Options    NULL means all defaults
 * Errors     PTIO_ERR_FORMAT not a checkpoint (then the message says what it is instead), or damaged; PTIO_ERR_AMBIGUOUS;
 *            PTIO_ERR_UNSUPPORTED; PTIO_ERR_DENIED with weights_only; PTIO_ERR_LIMIT; PTIO_ERR_IO; PTIO_ERR_MEMORY. With map_location
 *            or a registry: PTIO_ERR_UNSUPPORTED "location.unknown", "location.no-device", "location.index",
 *            "location.not-registered", "location.meta"; PTIO_ERR_ARGUMENT "map-location", "location.device"
 * Ownership  *ret is the caller's, released by ptio_checkpoint_free(); all that is got from it is borrowed
 * Threads    any number of loads at once; a loaded checkpoint is read-only and may be shared
 * Source     torch/serialization.py: load, _load, _legacy_load
 */
PTIO_API ptio_status ptio_load(const char *path, const ptio_load_options *options, ptio_checkpoint **ret, ptio_error *err);

/** Like ptio_load(), from a source, which must outlive the checkpoint. Sidecar files (shards) are not looked for. */
PTIO_API ptio_status ptio_load_source(ptio_source *source, const ptio_load_options *options, ptio_checkpoint **ret,
                                      ptio_error *err);

/**
 * Like torch.load() of an open file: load the object that begins where the stream stands, and leave it right behind the object, where
 * the next one of a legacy stream begins. (An archive is found from the end of the file, so behind it is the end.)
 *
 * What can only be read forwards, a pipe, is read to its end and kept (limits->stream_bytes). It has no position: for the further
 * objects in it make a source once, and give ptio_load_source() the end_offset of the object before.
 *
 * Options    `offset` counts from the position; `mmap` needs a descriptor of a file. After a failure the position is as it was
 * Ownership  the stream stays the caller's, and open as long as the checkpoint lives: storages are read from it when first asked for
 */
PTIO_API ptio_status ptio_load_file(FILE *file, const ptio_load_options *options, ptio_checkpoint **ret, ptio_error *err);

/** Like ptio_load_file(), of a descriptor. */
PTIO_API ptio_status ptio_load_fd(int fd, const ptio_load_options *options, ptio_checkpoint **ret, ptio_error *err);

/** Like ptio_load(), from memory of the caller, which must outlive the checkpoint. */
PTIO_API ptio_status ptio_load_memory(const void *data, size_t size, const ptio_load_options *options, ptio_checkpoint **ret,
                                      ptio_error *err);

/** Release a checkpoint and all that was got from it. NULL is fine. */
PTIO_API void ptio_checkpoint_free(ptio_checkpoint *ckpt);

typedef enum ptio_container {
    PTIO_CONTAINER_ZIP,         /* torch.save since 1.6                                    */
    PTIO_CONTAINER_LEGACY,      /* torch.save 0.1.10 to 1.5, and since by option           */
    PTIO_CONTAINER_TAR,         /* torch.save before 0.1.10                                */
    PTIO_CONTAINER_TORCHSCRIPT, /* torch.jit.save: a zip with constants.pkl                */
    PTIO_CONTAINER_PT2,         /* torch.export.save                                       */
    PTIO_CONTAINER_PACKAGE,     /* torch.package                                           */
    PTIO_CONTAINER_PICKLE,      /* pickle.dump                                             */
    PTIO_CONTAINER_NPY,         /* numpy.save                                              */
    PTIO_CONTAINER_NPZ,         /* numpy.savez                                             */
    PTIO_CONTAINER_DCP,         /* a folder of torch.distributed.checkpoint                */
    PTIO_CONTAINER_SHARDS,      /* an index of shards (Hugging Face)                       */
    PTIO_CONTAINER_SAFETENSORS  /* by the name of the file, as PyTorch 2.13 opens it       */
} ptio_container;

/** What there is to say about a checkpoint as a whole. Texts are borrowed; an empty text means the file does not say. */
typedef struct ptio_checkpoint_info {
    ptio_container container;
    const char *container_name; /* "zip", "legacy", "tar", "torchscript", "pt2", ...                                   */
    const char *era;            /* releases that write files like this, such as "PyTorch 2.7 or newer"                */
    ptio_text root;             /* the folder in the archive                                                           */
    ptio_text format_version;   /* records of the archive, without a final newline                                     */
    ptio_text archive_version;
    ptio_text serialization_id;
    uint64_t alignment;         /* of records: the largest power of two up to 4096 that all of them obey; 0: no archive */
    ptio_byte_order byte_order; /* of the storages in the file                                                         */
    bool byte_order_recorded;   /* the file says so itself                                                             */
    unsigned protocol;          /* of the pickle                                                                       */
    uint64_t source_bytes;      /* the file                                                                            */
    uint64_t pickle_bytes;      /* the pickle of the object                                                            */
    uint64_t opcodes;           /* in that pickle                                                                      */
    uint64_t records;           /* in the archive                                                                      */
    uint64_t storages;          /* distinct                                                                            */
    uint64_t storage_bytes;     /* in all of them                                                                      */
    uint64_t end_offset;        /* right behind the object: the next one of a legacy stream begins here                */
    uint64_t heap_bytes;        /* small memory in use                                                                 */
} ptio_checkpoint_info;

/** Describe a checkpoint. Reads nothing. */
PTIO_API void ptio_checkpoint_describe(const ptio_checkpoint *ckpt, ptio_checkpoint_info *ret);

/** Like ptio_checkpoint_describe(), without the two that take time in a large file: `opcodes` and `alignment` are 0. */
PTIO_API void ptio_checkpoint_describe_briefly(const ptio_checkpoint *ckpt, ptio_checkpoint_info *ret);

/* ------------------------------------------------------------------------------------------------------------------
 * 5  Values: what was saved
 *
 * A value is one Python object. Two pointers are equal exactly when the file says that it is one object: in `[a, a]` both
 * items are the same pointer. (None, booleans, empty tuples and small ints have no identity, in Python neither. A bare storage,
 * or a tensor of a tar file, is named by a key each time it occurs: compare what ptio_value_storage() or ptio_value_tensor() gives.)
 * Values may contain themselves.
 *
 * Getters take NULL, and give it on: a chain of them needs one check, at its end. Texts have a length and no NUL behind them.
 *
 *     const ptio_value *optimizer = ptio_value_get(ptio_root(ckpt), "optimizer");
 *     const ptio_value *groups = ptio_value_get(optimizer, "param_groups"), *state = ptio_value_get(optimizer, "state");
 *     for (size_t i = 0; i < ptio_value_count(groups); i++) {
 *         const ptio_value *group = ptio_value_item(groups, i), *params = ptio_value_get(group, "params");
 *         double lr = 0;
 *         ptio_value_float(ptio_value_get(group, "lr"), &lr);
 *         for (size_t k = 0; k < ptio_value_count(params); k++) {
 *             const ptio_value *moments = ptio_value_get_value(state, ptio_value_item(params, k));
 *             const ptio_tensor *average = ptio_value_tensor(ptio_value_get(moments, "exp_avg"));
 *         }
 *     }
 *     for (size_t i = 0; i < ptio_value_count(dict); i++)         every entry of a dict, in the order of the file
 *         use(ptio_value_key(dict, i), ptio_value_item(dict, i));
 * ------------------------------------------------------------------------------------------------------------------ */

typedef struct ptio_tensor ptio_tensor;

/** Every kind of value: name, and the word that `ptio tree` prints for it. */
#define PTIO_KIND_LIST(X)                                                                                             \
    X(MISSING, "missing") /* what getters say of NULL */                                                              \
    X(NONE, "none")                                                                                                   \
    X(BOOL, "bool")                                                                                                   \
    X(INT, "int") /* of any size */                                                                                   \
    X(FLOAT, "float")                                                                                                 \
    X(COMPLEX, "complex")                                                                                             \
    X(STR, "str") /* a Python 2 byte string is one too, if it is text in options.encoding */                          \
    X(BYTES, "bytes")                                                                                                 \
    X(BYTEARRAY, "bytearray")                                                                                         \
    X(LIST, "list")                                                                                                   \
    X(TUPLE, "tuple")                                                                                                 \
    X(SET, "set")                                                                                                     \
    X(FROZENSET, "frozenset")                                                                                         \
    X(DICT, "dict")     /* and OrderedDict, Counter, defaultdict, subclasses: ptio_value_class() */                   \
    X(GLOBAL, "global") /* a class or function, by name */                                                            \
    X(OBJECT, "object") /* an object of any other class */                                                            \
    X(TENSOR, "tensor")                                                                                               \
    X(STORAGE, "storage") /* a bare one */                                                                            \
    X(SIZE, "size")       /* torch.Size; its items are ints */                                                        \
    X(DTYPE, "dtype")                                                                                                 \
    X(DEVICE, "device")                                                                                               \
    X(LAYOUT, "layout")                                                                                               \
    X(QSCHEME, "qscheme")                                                                                             \
    X(MEMORY_FORMAT, "memory_format")                                                                                 \
    X(GENERATOR, "generator") /* torch.Generator */                                                                   \
    X(NDARRAY, "ndarray")     /* numpy.ndarray; ptio_value_tensor() gives its elements where PyTorch has the dtype */ \
    X(NPSCALAR, "npscalar")   /* a NumPy scalar */                                                                    \
    X(NPDTYPE, "npdtype")     /* numpy.dtype */

typedef enum ptio_kind {
#define PTIO_KIND_ENUM(name, word) PTIO_KIND_##name,
    PTIO_KIND_LIST(PTIO_KIND_ENUM)
#undef PTIO_KIND_ENUM
} ptio_kind;

/** The word for a kind, such as "dict". */
PTIO_API const char *ptio_kind_name(ptio_kind kind);

/** What was saved. Never NULL. */
PTIO_API const ptio_value *ptio_root(const ptio_checkpoint *ckpt);

/** The kind of a value; PTIO_KIND_MISSING of NULL. */
PTIO_API ptio_kind ptio_value_kind(const ptio_value *value);

/** The value of a bool; false for every other kind. */
PTIO_API bool ptio_value_bool(const ptio_value *value);

/** The value of an int or bool. False where it is another kind or needs more than 64 bits; then *ret is not touched. */
PTIO_API bool ptio_value_int(const ptio_value *value, int64_t *ret);

/** An int of any size: two's complement, little-endian, with the fewest bytes that keep the sign (none for 0), written to
 *  `buffer` of `size` bytes. Gives the bytes it needs, also where that is more than `size`; then nothing is written. */
PTIO_API size_t ptio_value_int_bytes(const ptio_value *value, void *buffer, size_t size);

/** The value of a float, and of ints and bools as Python's float() of them. False for other kinds. */
PTIO_API bool ptio_value_float(const ptio_value *value, double *ret);

/** The parts of a complex number. False for other kinds. */
PTIO_API bool ptio_value_complex(const ptio_value *value, double *real, double *imag);

/** Text of a str: UTF-8, in which lone surrogates stand as three bytes each, as Python's "surrogatepass" has them. */
PTIO_API ptio_text ptio_value_str(const ptio_value *value);

/** Bytes of a bytes, bytearray or NumPy scalar, or of a Python 2 string as it stands in the file. */
PTIO_API ptio_text ptio_value_bytes(const ptio_value *value);

/** Whether the value is a byte string of Python 2 (opcodes STRING, BINSTRING, SHORT_BINSTRING), whatever kind it is seen as. */
PTIO_API bool ptio_value_is_py2str(const ptio_value *value);

/** "torch.float32" of a dtype, "cuda:1" of a device, "torch.strided" of a layout, "cpu" of a generator, "<f4" of a NumPy dtype, array
 *  or scalar ("[('a', '<i4')]" of a structured one); else no text. */
PTIO_API ptio_text ptio_value_name(const ptio_value *value);

/** Full name of the class of any value, such as "builtins.dict", "collections.OrderedDict", "torch.nn.parameter.Parameter"
 *  or "__main__.Net"; of a global its own full name. Modules are named as the file names them; only Python 2's names of builtins
 *  are given as Python 3's. */
PTIO_API ptio_text ptio_value_class(const ptio_value *value);

/**
 * How many items a value has: those of a list, tuple, set, frozenset, size, deque or array of objects; the entries of a dict; the
 * items of an object that is a list or tuple of its own class; seed, offset and state of a generator. 0 for other kinds.
 *
 * As in Python, equal keys of a dict are one, and so are equal items of a set.
 */
PTIO_API size_t ptio_value_count(const ptio_value *value);

/** Item `index` of those; the value of entry `index` of a dict. NULL beyond the end. */
PTIO_API const ptio_value *ptio_value_item(const ptio_value *value, size_t index);

/** Key `index` of a dict. NULL beyond the end. */
PTIO_API const ptio_value *ptio_value_key(const ptio_value *value, size_t index);

/** The value under a str key of a dict, or NULL. Takes O(1). Python 2 strings are found by their bytes. */
PTIO_API const ptio_value *ptio_value_get(const ptio_value *dict, const char *key);

/** Like ptio_value_get(), for keys that hold NULs. */
PTIO_API const ptio_value *ptio_value_get_n(const ptio_value *dict, const char *key, size_t size);

/** The value under an int key of a dict, or NULL. As in Python, 1, 1.0 and True are the same key. */
PTIO_API const ptio_value *ptio_value_get_int(const ptio_value *dict, int64_t key);

/**
 * The value under a key of any kind, or NULL: the one that Python's dict[key] gives. `key` may be of another checkpoint.
 *
 * Numbers are equal by value (1, 1.0 and True), texts and bytes by theirs, tuples and torch.Size by their items, frozensets by
 * theirs in any order, dtypes, devices and globals by name. Any other object, complex numbers and NumPy's too, is found by itself
 * only. Takes O(1) and no memory; in return, a tuple or frozenset that is nested deeper than 64, or has more than a million items
 * in all, is not found.
 *
 * For a dict {(1, 2): a, "pair": (1.0, 2)}, ptio_value_get_value(dict, ptio_value_get(dict, "pair")) is a.
 */
PTIO_API const ptio_value *ptio_value_get_value(const ptio_value *dict, const ptio_value *key);

/** The attributes that a value carries beside its contents: `_metadata` of a state dict, attributes of a Parameter, the
 *  state of an object where it is a dict of names. A dict, or NULL where there are none. */
PTIO_API const ptio_value *ptio_value_attributes(const ptio_value *value);

/** One attribute of those, by name, or NULL. */
PTIO_API const ptio_value *ptio_value_attribute(const ptio_value *value, const char *name);

/** The attributes that are __slots__ of the class of an object, tensor or dict, which are saved apart: a dict, or NULL. */
PTIO_API const ptio_value *ptio_value_slots(const ptio_value *value);

/** default_factory of a defaultdict: a global or None. NULL for other values. */
PTIO_API const ptio_value *ptio_value_factory(const ptio_value *value);

/** What options->hooks made of an object or a persistent id, or NULL. */
PTIO_API void *ptio_value_user(const ptio_checkpoint *ckpt, const ptio_value *value);

/**
 * How a value stands in the pickle: the view of the pickler, below what sections 5 and 7 make of it.
 *
 * A tensor, for example, is a REDUCED node whose callable is the global torch._utils._rebuild_tensor_v2. Identity and order
 * are those of the file; equal keys of a dict and equal items of a set are not merged.
 */
typedef enum ptio_node_kind {
    PTIO_NODE_NONE,       /* None                                                                                    */
    PTIO_NODE_SCALAR,     /* bool, int, float                                                                        */
    PTIO_NODE_TEXT,       /* str, bytes, bytearray, Python 2 string                                                  */
    PTIO_NODE_SEQUENCE,   /* list, tuple, set, frozenset: items                                                      */
    PTIO_NODE_MAPPING,    /* dict: keys and items                                                                    */
    PTIO_NODE_GLOBAL,     /* module and name                                                                         */
    PTIO_NODE_PERSISTENT, /* a persistent id: ptio_node_arguments() is the id                                        */
    PTIO_NODE_REDUCED     /* callable, arguments, then list items, entries and state                                 */
} ptio_node_kind;

/** How a value stands in the pickle; PTIO_NODE_NONE of NULL. */
PTIO_API ptio_node_kind ptio_node_view(const ptio_value *value);

/** The opcode that built a reduced or persistent node: "REDUCE", "NEWOBJ", "NEWOBJ_EX", "OBJ", "INST", "BINPERSID", "PERSID".
 *  NULL for other nodes. */
PTIO_API const char *ptio_node_opcode(const ptio_value *value);

/** What a reduced node calls: a global nearly always. */
PTIO_API const ptio_value *ptio_node_callable(const ptio_value *value);

/** The arguments of a reduced node: a tuple nearly always; the id of a persistent one. */
PTIO_API const ptio_value *ptio_node_arguments(const ptio_value *value);

/** The keyword arguments of NEWOBJ_EX: a dict. NULL for other nodes. */
PTIO_API const ptio_value *ptio_node_keywords(const ptio_value *value);

/** How many states BUILD gave a reduced node (more than one only in odd files), and each of them. */
PTIO_API size_t ptio_node_state_count(const ptio_value *value);
PTIO_API const ptio_value *ptio_node_state(const ptio_value *value, size_t index);

/** The items of a sequence; of a reduced node those that were appended to it. */
PTIO_API size_t ptio_node_item_count(const ptio_value *value);
PTIO_API const ptio_value *ptio_node_item(const ptio_value *value, size_t index);

/** The entries of a mapping; of a reduced node those that were set on it. */
PTIO_API size_t ptio_node_entry_count(const ptio_value *value);
PTIO_API const ptio_value *ptio_node_entry_key(const ptio_value *value, size_t index);
PTIO_API const ptio_value *ptio_node_entry_value(const ptio_value *value, size_t index);

/**
 * The same as one array, for those who go over all of them: the items of ptio_node_item(); key, value, key, value … of the entries,
 * so that `*count` entries have twice as many pointers. The array is borrowed; where there is nothing, *count is 0.
 *
 *     size_t count;
 *     const ptio_value *const *entries = ptio_node_entry_array(dict, &count);
 *     for (size_t i = 0; i < count; i++)
 *         use(entries[2 * i], entries[2 * i + 1]);
 */
PTIO_API const ptio_value *const *ptio_node_item_array(const ptio_value *value, size_t *count);
PTIO_API const ptio_value *const *ptio_node_entry_array(const ptio_value *value, size_t *count);

/**
 * Whether one place of its file holds a value, so that who translates a graph need not remember what became of it: nothing names
 * it again. Most values are such: of a state dict all keys and tensors. False where it may be met twice, of constants such as None, and
 * of what a builder made. What edits and ptio_builder put elsewhere is not counted.
 */
PTIO_API bool ptio_node_is_single(const ptio_value *value);

/** Module and name of a global, as the file has them. */
PTIO_API ptio_text ptio_node_module(const ptio_value *value);
PTIO_API ptio_text ptio_node_qualname(const ptio_value *value);

/* ------------------------------------------------------------------------------------------------------------------
 * 6  Paths and walks
 * ------------------------------------------------------------------------------------------------------------------ */

/**
 * The value at a path, or NULL: "model.fc1.weight", "optimizer.state.0.exp_avg", "layers[3]", "['a.b'].c".
 *
 * Names are joined by dots. A part names a key of a dict (a str, or an int), an index of a list or tuple, an attribute, or a
 * tensor of a whole module by its name in the state_dict. Since keys hold dots themselves, the longest key that fits is
 * taken. Brackets hold an index, or a key in quotes, in which a backslash stands before a quote or a backslash. A path of more
 * than 4096 bytes names nothing.
 */
PTIO_API const ptio_value *ptio_at(const ptio_checkpoint *ckpt, const char *path);

/** Like ptio_at(), from a value inside the checkpoint. */
PTIO_API const ptio_value *ptio_value_at(const ptio_checkpoint *ckpt, const ptio_value *from, const char *path);

/** What a visited value is to the value that contains it. */
typedef enum ptio_role {
    PTIO_ROLE_ROOT,       /* the value that the walk began at                                                */
    PTIO_ROLE_ITEM,       /* of a sequence; `index` is its place                                             */
    PTIO_ROLE_KEY,        /* of entry `index`                                                                */
    PTIO_ROLE_VALUE,      /* of entry `index`; `key` is its key                                              */
    PTIO_ROLE_FACTORY,    /* of a defaultdict                                                                */
    PTIO_ROLE_PART,       /* of a composed tensor, array or generator; `name` says which: "indices", "scales" */
    PTIO_ROLE_ATTRIBUTES, /* ptio_value_attributes()                                                         */
    PTIO_ROLE_STATE,      /* the state of an object, where it is not a dict of attributes                    */
    PTIO_ROLE_SLOTS,      /* ptio_value_slots()                                                              */
    PTIO_ROLE_CALLABLE,   /* of an object: only with options.raw or options.arguments                        */
    PTIO_ROLE_ARGUMENTS,  /* the same                                                                        */
    PTIO_ROLE_KEYWORDS    /* the same                                                                        */
} ptio_role;

/** One step of a walk. */
typedef struct ptio_visit {
    const ptio_value *value;  /* never NULL                                                                           */
    const ptio_value *parent; /* what it is in; NULL for the root                                                     */
    const ptio_value *key;    /* of PTIO_ROLE_VALUE, else NULL                                                        */
    ptio_role role;           /* what it is to its parent                                                             */
    const char *name;         /* of PTIO_ROLE_PART, else NULL                                                         */
    size_t index;             /* its place among the parent's items, entries or parts                                 */
    size_t depth;             /* 0 for the root                                                                       */
    uint64_t number;          /* of values that can be shared: the how manyth of them, from 0, by first visit         */
    bool again;               /* visited before: its contents are not walked again                                    */
    bool leaving;             /* the second visit of a value that has contents, after all of them                     */
} ptio_visit;

typedef enum ptio_walk_next {
    PTIO_WALK_ON,   /* go on, into the contents of this value           */
    PTIO_WALK_SKIP, /* go on, but leave out the contents of this value  */
    PTIO_WALK_STOP  /* end the walk; it returns PTIO_ERR_CANCELLED      */
} ptio_walk_next;

/** Called for each visit. What it points to is the walk's: keep values, not visits. */
typedef ptio_walk_next (*ptio_walk_visitor)(void *ctx, const ptio_visit *visit);

typedef struct ptio_walk_options {
    size_t struct_size;        /* set by PTIO_WALK_OPTIONS                                                            */
    bool raw;                  /* walk the nodes of the pickle (ptio_node_view) instead of what they mean             */
    bool arguments;            /* also visit callable and arguments of objects, after their contents; what is first met
                                  there counts as not met when the object is left                                     */
    const ptio_limits *limits; /* NULL: the defaults. heap_bytes and walk_nodes count                                 */
    const ptio_memory *memory; /* NULL: the C library                                                                 */
    const ptio_builder *edits; /* visit what a save with these edits writes, see section 16; NULL: what was loaded     */
} ptio_walk_options;

#define PTIO_WALK_OPTIONS .struct_size = sizeof(ptio_walk_options)

/**
 * Visit a value and everything in it, depth first, each shared value's contents once. Takes no stack: any depth is fine.
 *
 * A dict {"a": [1]} gives: the dict (ROOT), "a" (KEY), the list (VALUE, key "a"), 1 (ITEM), the list leaving, the dict leaving.
 * A program that counts the tensors below a value:
 *
 *     static ptio_walk_next count(void *ctx, const ptio_visit *visit)
 *     {
 *         if (!visit->again && !visit->leaving && ptio_value_kind(visit->value) == PTIO_KIND_TENSOR)
 *             ++*(size_t *)ctx;
 *         return PTIO_WALK_ON;
 *     }
 *
 *     size_t tensors = 0;
 *     ptio_walk(ptio_root(ckpt), NULL, count, &tensors, &err);
 *
 * Options    NULL means all defaults
 * Errors     PTIO_ERR_ARGUMENT `from` is NULL; PTIO_ERR_LIMIT (walk_nodes, heap_bytes); PTIO_ERR_MEMORY; PTIO_ERR_CANCELLED after
 *            PTIO_WALK_STOP
 */
PTIO_API ptio_status ptio_walk(const ptio_value *from, const ptio_walk_options *options, ptio_walk_visitor visitor, void *ctx,
                               ptio_error *err);

/* ------------------------------------------------------------------------------------------------------------------
 * 7  Tensors and storages
 * ------------------------------------------------------------------------------------------------------------------ */

/* clang-format off */
/** Every dtype: name, as in torch.NAME without the prefix. Sizes and classes are in the documentation, docs/dtypes.md. */
#define PTIO_DTYPE_LIST(X)                                                                                          \
    X(FLOAT64, float64) X(FLOAT32, float32) X(FLOAT16, float16) X(BFLOAT16, bfloat16)                               \
    X(INT64, int64) X(INT32, int32) X(INT16, int16) X(INT8, int8) X(UINT8, uint8) X(BOOL, bool)                     \
    X(COMPLEX64, complex64) X(COMPLEX128, complex128) X(COMPLEX32, complex32) X(BCOMPLEX32, bcomplex32)             \
    X(UINT16, uint16) X(UINT32, uint32) X(UINT64, uint64)                                                           \
    X(FLOAT8_E4M3FN, float8_e4m3fn) X(FLOAT8_E5M2, float8_e5m2)                                                     \
    X(FLOAT8_E4M3FNUZ, float8_e4m3fnuz) X(FLOAT8_E5M2FNUZ, float8_e5m2fnuz)                                         \
    X(FLOAT8_E8M0FNU, float8_e8m0fnu) X(FLOAT4_E2M1FN_X2, float4_e2m1fn_x2)                                         \
    X(QINT8, qint8) X(QUINT8, quint8) X(QINT32, qint32) X(QUINT4X2, quint4x2) X(QUINT2X4, quint2x4)                 \
    X(BITS8, bits8) X(BITS16, bits16) X(BITS1X8, bits1x8) X(BITS2X4, bits2x4) X(BITS4X2, bits4x2)                   \
    X(UINT1, uint1) X(UINT2, uint2) X(UINT3, uint3) X(UINT4, uint4) X(UINT5, uint5) X(UINT6, uint6) X(UINT7, uint7) \
    X(INT1, int1) X(INT2, int2) X(INT3, int3) X(INT4, int4) X(INT5, int5) X(INT6, int6) X(INT7, int7)
/* clang-format on */

typedef enum ptio_dtype {
    PTIO_NO_DTYPE,
#define PTIO_DTYPE_ENUM(id, name) PTIO_##id,
    PTIO_DTYPE_LIST(PTIO_DTYPE_ENUM)
#undef PTIO_DTYPE_ENUM
        PTIO_DTYPE_COUNT
} ptio_dtype;

/** "float32"; "" for PTIO_NO_DTYPE. */
PTIO_API const char *ptio_dtype_name(ptio_dtype dtype);

/** The dtype called `name`, with or without "torch.", or PTIO_NO_DTYPE. */
PTIO_API ptio_dtype ptio_dtype_from_name(const char *name);

/** Bytes of one element. Elements of the packed dtypes (quint4x2, float4_e2m1fn_x2, …) are bytes. */
PTIO_API size_t ptio_dtype_itemsize(ptio_dtype dtype);

typedef enum ptio_layout {
    PTIO_STRIDED,
    PTIO_SPARSE_COO, /* parts: indices, values              */
    PTIO_SPARSE_CSR, /* parts: crow, col, values            */
    PTIO_SPARSE_CSC, /* parts: ccol, row, values            */
    PTIO_SPARSE_BSR, /* as CSR                              */
    PTIO_SPARSE_BSC, /* as CSC                              */
    PTIO_NESTED,     /* parts: one for each component tensor, and those it was saved with: buffer, sizes, strides, offsets */
    PTIO_JAGGED      /* the same                            */
} ptio_layout;

/** "torch.strided", "torch.sparse_coo", …; nested tensors are "torch.strided" and "torch.jagged", as in PyTorch. */
PTIO_API const char *ptio_layout_name(ptio_layout layout);

/** The tensor that a value is, or NULL. A Parameter is a tensor; so is a NumPy array whose dtype PyTorch knows. */
PTIO_API const ptio_tensor *ptio_value_tensor(const ptio_value *value);

PTIO_API ptio_dtype ptio_tensor_dtype(const ptio_tensor *tensor);
PTIO_API ptio_layout ptio_tensor_layout(const ptio_tensor *tensor);

/** Number of dimensions; 0 for a scalar. */
PTIO_API size_t ptio_tensor_ndim(const ptio_tensor *tensor);

/** `ndim` sizes in elements, outermost first. Nested tensors have none: ndim is 0 and this is NULL. */
PTIO_API const int64_t *ptio_tensor_shape(const ptio_tensor *tensor);

/** `ndim` strides in elements of the storage; NULL but for the strided layout. Never negative, may be 0. */
PTIO_API const int64_t *ptio_tensor_stride(const ptio_tensor *tensor);

/** Where element [0, …, 0] is in the storage, in elements. */
PTIO_API int64_t ptio_tensor_storage_offset(const ptio_tensor *tensor);

/** Elements in all: the product of the shape; 1 for a scalar. */
PTIO_API uint64_t ptio_tensor_numel(const ptio_tensor *tensor);

PTIO_API bool ptio_tensor_requires_grad(const ptio_tensor *tensor);
PTIO_API bool ptio_tensor_is_parameter(const ptio_tensor *tensor);
PTIO_API bool ptio_tensor_is_conj(const ptio_tensor *tensor);       /* the storage holds the conjugate            */
PTIO_API bool ptio_tensor_is_neg(const ptio_tensor *tensor);        /* the storage holds the negative             */
PTIO_API bool ptio_tensor_is_contiguous(const ptio_tensor *tensor); /* in C order, without gaps                   */
PTIO_API bool ptio_tensor_is_meta(const ptio_tensor *tensor);       /* has a shape but no elements                */
PTIO_API bool ptio_tensor_is_coalesced(const ptio_tensor *tensor);  /* of a COO tensor                            */

/** The storage, which other tensors may share; NULL for meta tensors and composed layouts. */
PTIO_API const ptio_storage *ptio_tensor_storage(const ptio_tensor *tensor);

/** t.device: where the elements are: "cpu", "meta", "cuda:1". Of a sparse or nested tensor that of its values. */
PTIO_API ptio_text ptio_tensor_device(const ptio_tensor *tensor);

/** How many parts a composed tensor has, and each of them with its name; the name and value are borrowed.
 *  Quantized per channel: "scales" and "zero_points". Strided tensors have none. */
PTIO_API size_t ptio_tensor_part_count(const ptio_tensor *tensor);
PTIO_API const ptio_tensor *ptio_tensor_part(const ptio_tensor *tensor, size_t index, const char **name);
PTIO_API const ptio_value *ptio_tensor_part_value(const ptio_tensor *tensor, size_t index);

typedef enum ptio_qscheme {
    PTIO_NOT_QUANTIZED,
    PTIO_PER_TENSOR_AFFINE,
    PTIO_PER_CHANNEL_AFFINE,
    PTIO_PER_CHANNEL_AFFINE_FLOAT_QPARAMS
} ptio_qscheme;

/** How a quantized tensor maps its ints q to numbers: scale * (q - zero_point), the same for all or along `axis`. */
typedef struct ptio_quantizer {
    ptio_qscheme scheme;
    double scale; /* per tensor                                     */
    int64_t zero_point;
    int64_t axis; /* per channel; see the parts scales, zero_points */
} ptio_quantizer;

PTIO_API ptio_quantizer ptio_tensor_quantizer(const ptio_tensor *tensor);

/** "torch.per_tensor_affine" … */
PTIO_API const char *ptio_qscheme_name(ptio_qscheme scheme);

/**
 * Copy the elements into the caller's memory: in C order, cast to `dtype`, in the byte order of this machine.
 *
 * Strides are followed and the conj and neg bits resolved. Casts go as in PyTorch: to nearest even, NaN to NaN, complex to real
 * drops the imaginary part, float to int truncates. Quantized tensors give their stored ints unless dtype is a float, which
 * dequantizes. Sparse tensors give what to_dense() does: values of one place are summed, and the parts are checked before.
 *
 * Shapes     any; `size` must be numel * itemsize(dtype) exactly
 * Errors     PTIO_ERR_ARGUMENT wrong size, a meta or nested tensor, or a cast that has no meaning (bits16 to float32);
 *            PTIO_ERR_LIMIT expand_factor, which for sparse tensors counts their values; PTIO_ERR_FORMAT sparse parts that do not fit
 *            together; what ptio_storage_data() gives
 */
PTIO_API ptio_status ptio_tensor_copy(const ptio_tensor *tensor, ptio_dtype dtype, void *buffer, uint64_t size, ptio_error *err);

/** A slice of one dimension, as in Python: start:stop:step. Negative places count from the end, and what is beyond an end is at it;
 *  `step` is 1 or more. The rest of a dimension from its third last on is {-3, INT64_MAX, 1}; one index `i` is {i, i + 1, 1}, and -1 is
 *  {-1, INT64_MAX, 1}. */
typedef struct ptio_slice {
    int64_t start, stop, step;
} ptio_slice;

/** The whole of a dimension: `:` */
#define PTIO_SLICE_ALL  \
    {                   \
        0, INT64_MAX, 1 \
    }

/** The shape of a part: `ndim` sizes into `shape`. PTIO_ERR_ARGUMENT where a step is 0 or negative ("slice.step"). */
PTIO_API ptio_status ptio_tensor_slice_shape(const ptio_tensor *tensor, const ptio_slice *slices, int64_t *shape,
                                             ptio_error *err);

/**
 * Like ptio_tensor_copy(), of a part of the tensor: t[0:2, ::10] is
 *
 *     float part[2 * 50];
 *     ptio_tensor_copy_slice(t, (ptio_slice[]){{0, 2, 1}, {0, INT64_MAX, 10}}, PTIO_FLOAT32, part, sizeof part, &err);
 *
 * Of a storage that was not read yet only the bytes that are needed are read, in the order of the file, where it has them as they
 * are: one row of a matrix of 100 GB costs one row. Checksums are of whole records, so they are not compared then. Compressed ones,
 * and those of up to 64 KiB, are read whole and kept, as by ptio_storage_data(). A sparse tensor is made dense first.
 *
 * Shapes     `slices` has one for each of the `ndim` dimensions, NULL means all of all; `size` is the product of
 *            ptio_tensor_slice_shape() * itemsize(dtype)
 * Errors     as ptio_tensor_copy(); PTIO_ERR_ARGUMENT "slice.step"
 */
PTIO_API ptio_status ptio_tensor_copy_slice(const ptio_tensor *tensor, const ptio_slice *slices, ptio_dtype dtype, void *buffer,
                                            uint64_t size, ptio_error *err);

/** Where the first element is in memory, for tensors whose strides the caller follows itself. Reads the storage if need be. */
PTIO_API ptio_status ptio_tensor_data(const ptio_tensor *tensor, const void **ret, ptio_error *err);

/* Defined by dlpack.h, the header of DLPack, which may be included before or after this one. */
struct DLManagedTensor;
struct DLManagedTensorVersioned;

/**
 * Hand a tensor to another library, as tensor.__dlpack__() does: a view of the storage, which is read if need be.
 *
 *     struct DLManagedTensorVersioned *dl = NULL;
 *     if (ptio_tensor_to_dlpack(w, false, &dl, &err) == PTIO_OK) {
 *         ptio_checkpoint_free(ckpt);
 *         … dl->dl_tensor.data, .shape, .strides …
 *         dl->deleter(dl);
 *     }
 *
 * In Python it becomes a capsule named "dltensor_versioned", which torch.from_dlpack(), numpy.from_dlpack() and others take.
 *
 * Options    `writable`: as ptio_storage_writable(), and the flag that forbids writing is not set
 * Shapes     as the tensor's, strides in elements; `data` is the first element and byte_offset 0; the device is the CPU
 * Errors     PTIO_ERR_ARGUMENT "dlpack.tensor": composed, or the conj or neg bit is set, or a dtype that DLPack does not have (quantized,
 *            bits8, bcomplex32 …), "tensor.meta"; what ptio_storage_data() and ptio_storage_writable() give; PTIO_ERR_MEMORY
 * Ownership  *ret is whose it is handed to, who calls its `deleter` once. It keeps the checkpoint, which the caller may free before,
 *            and the bytes, which ptio_storage_drop() leaves alone meanwhile. The caller's source, memory and memory hooks must outlive it
 * Threads    the deleter may be called by any thread
 */
PTIO_API ptio_status ptio_tensor_to_dlpack(const ptio_tensor *tensor, bool writable, struct DLManagedTensorVersioned **ret,
                                           ptio_error *err);

/** Like ptio_tensor_to_dlpack(), for who takes the structure of DLPack before 1.0 only ("dltensor"). It cannot forbid writing, so the
 *  storage is made writable. */
PTIO_API ptio_status ptio_tensor_to_dlpack_unversioned(const ptio_tensor *tensor, struct DLManagedTensor **ret, ptio_error *err);

/** What there is to know of a NumPy array. */
typedef struct ptio_ndarray_info {
    size_t ndim;
    const int64_t *shape; /* `ndim` sizes                                                            */
    ptio_text dtype;      /* as ptio_value_name() gives it                                            */
    uint64_t itemsize;    /* bytes of an element                                                      */
    uint64_t nbytes;      /* of all elements                                                          */
    bool is_object;       /* an array of Python objects: ptio_value_item() gives them, in C order     */
    bool is_fortran;      /* its elements lie in the order of Fortran, the first index fastest        */
} ptio_ndarray_info;

/** Describe a NumPy array. False for other kinds. */
PTIO_API bool ptio_value_ndarray(const ptio_value *value, ptio_ndarray_info *ret);

/** Copy the bytes of a NumPy array, in C order, in the byte order of its dtype. `size` must be its nbytes. Not for arrays of objects. */
PTIO_API ptio_status ptio_ndarray_copy(const ptio_value *value, void *buffer, uint64_t size, ptio_error *err);

/** The storage that a value is (kind STORAGE), or that its tensor has, or NULL. */
PTIO_API const ptio_storage *ptio_value_storage(const ptio_value *value);

/** The key in the file: "0" of the record data/0. */
PTIO_API ptio_text ptio_storage_key(const ptio_storage *storage);

/** The location tag: as saved, "cpu", "cuda:0", "meta"; with options.map_location or a registry where it is now. */
PTIO_API ptio_text ptio_storage_location(const ptio_storage *storage);

/** Where it is indeed: "cpu", whatever the tag says, "meta", or the device that it went to (section 17). */
PTIO_API ptio_text ptio_storage_device(const ptio_storage *storage);

PTIO_API ptio_dtype ptio_storage_dtype(const ptio_storage *storage); /* uint8 for an UntypedStorage               */
PTIO_API bool ptio_storage_is_untyped(const ptio_storage *storage);
PTIO_API uint64_t ptio_storage_nbytes(const ptio_storage *storage);

/** Number of the storage in its checkpoint, from 0, in order of first appearance. */
PTIO_API uint64_t ptio_storage_index(const ptio_storage *storage);

/**
 * The bytes of a storage, in the byte order of this machine. The first call reads them; they stay until the checkpoint is freed.
 *
 * Errors     PTIO_ERR_FORMAT damaged (CRC, size, inflate); PTIO_ERR_IO; PTIO_ERR_LIMIT (storage_bytes); PTIO_ERR_MEMORY;
 *            PTIO_ERR_ARGUMENT for a meta storage
 * Threads    several threads may ask for one storage; it is read once
 */
PTIO_API ptio_status ptio_storage_data(const ptio_storage *storage, const void **ret, ptio_error *err);

/**
 * The bytes of a storage, to be written. What reads, copies, prints and saves later sees what was written.
 *
 * Of a private map (options.mmap) the pages that are written become the process's own, and the file stays as it is; of a shared
 * one (options.mmap_shared) the file changes, but not the checksum of the record: a load that reads such a file is refused ("zip.crc"), but
 * not one that maps it or has no_crc32, nor PyTorch; a save writes it anew. Bytes that were read are written where they are. Those in
 * memory of the caller are copied first: pointers that ptio_storage_data() gave before show the old ones.
 *
 * Errors     what ptio_storage_data() gives; PTIO_ERR_ARGUMENT "storage.not-shared" where a shared map does not show the bytes as they
 *            are (deflated, or in another byte order), "storage.on-device"
 * Threads    no other thread may use the storage now
 */
PTIO_API ptio_status ptio_storage_writable(const ptio_storage *storage, void **ret, ptio_error *err);

/** Where the bytes lie in the source, for those who read or map them themselves. False where they are compressed, or not in
 *  one piece, or need a byte swap. */
PTIO_API bool ptio_storage_range(const ptio_storage *storage, uint64_t *offset, uint64_t *nbytes);

/**
 * Read the bytes of all storages now, as torch.load() does, so that later calls find them in memory; nothing is done for those that
 * are in memory or mapped. By options->threads threads of the load, no more than there are MiB to read.
 *
 * Errors     the first of what ptio_storage_data() gives; what was read until then stays
 */
PTIO_API ptio_status ptio_checkpoint_read(const ptio_checkpoint *ckpt, ptio_error *err);

/**
 * Compare the checksum of the record that a storage is in with its bytes, of which nothing is kept: for those that a map shows, or that are
 * read in parts (ptio_tensor_copy_slice()), which are not compared otherwise. Done once for each storage, and not after ptio_storage_data()
 * has read it; nothing is done where there is no checksum. What was written into a shared map does not fit it.
 *
 * Errors     PTIO_ERR_FORMAT "zip.crc"; PTIO_ERR_CANCELLED by options->progress; PTIO_ERR_IO; PTIO_ERR_MEMORY
 * Threads    as ptio_storage_data()
 */
PTIO_API ptio_status ptio_storage_verify(const ptio_storage *storage, ptio_error *err);

/** Give back the bytes that ptio_storage_data() read; the next call reads them again, as they are in the source. No other thread may
 *  use them now. */
PTIO_API void ptio_storage_drop(const ptio_storage *storage);

/* ------------------------------------------------------------------------------------------------------------------
 * 8  Lists of tensors, whole modules
 * ------------------------------------------------------------------------------------------------------------------ */

/** One place where a tensor occurs. */
typedef struct ptio_tensor_entry {
    ptio_text name;            /* keys from the root, joined by dots: "model.fc1.weight"; for paths, ptio_tensor_list_path() */
    const ptio_tensor *tensor; /* never NULL                                                                                 */
    const ptio_value *value;   /* the value it is the tensor of; NULL for a part that has none                               */
    int64_t storage;           /* number by first appearance in this list; -1: none. Equal numbers share memory              */
    bool requires_grad;        /* as listed: tensors of a whole module are those of its state_dict, which have none          */
    uint32_t path_count;       /* keys of its path                                                                           */
} ptio_tensor_entry;

/**
 * One key of a path. `text` is what the name of the entry is joined of, and does not tell the key "None" from None; `key` does:
 *
 *     if (k.key)           an entry of a dict, or an attribute: ptio_value_get_value(dict, k.key)
 *     else if (k.is_index) an item of a list, tuple or set: ptio_value_item(list, k.index)
 *     else                 a name: of a part ("indices"), of a tensor in a module's state_dict ("fc1.weight")
 */
typedef struct ptio_path_key {
    const ptio_value *key; /* the key itself; NULL for indexes and names                                              */
    bool is_index;         /* an index, or an int key of 64 bits                                                      */
    int64_t index;         /* that                                                                                    */
    ptio_text text;        /* a str key or name as it is; any other as Python prints it: "3", "None", "(1, 'a')"      */
} ptio_path_key;

typedef struct ptio_tensor_list ptio_tensor_list;

/**
 * Every occurrence of a tensor in a value, in order: one that is used twice is listed twice. A container that occurs again is not
 * walked again.
 *
 *     ptio_tensor_list *list;
 *     if (ptio_list_tensors(ckpt, NULL, &list, &err) == PTIO_OK) {
 *         for (size_t i = 0; i < ptio_tensor_list_count(list); i++) {
 *             const ptio_tensor_entry *entry = ptio_tensor_list_entry(list, i);
 *             printf("%.*s %s\n", (int)entry->name.size, entry->name.bytes, ptio_dtype_name(ptio_tensor_dtype(entry->tensor)));
 *         }
 *         ptio_tensor_list_free(list);
 *     }
 *
 * (Names come from the file: ptio_print_escaped() makes them safe for a terminal.)
 *
 * The tensors of a whole module go by their names in its state_dict. The parts of composed tensors (sparse, nested) follow the
 * tensor as entries of their own: "w", "w.indices", "w.values". NumPy arrays are not listed.
 *
 * Options    from NULL: the whole checkpoint
 * Errors     PTIO_ERR_LIMIT names take too much memory together, or heap_bytes; PTIO_ERR_MEMORY
 * Ownership  *ret is the caller's, released by ptio_tensor_list_free() before the checkpoint
 */
PTIO_API ptio_status ptio_list_tensors(const ptio_checkpoint *ckpt, const ptio_value *from, ptio_tensor_list **ret,
                                       ptio_error *err);

/** Entries of a list. */
PTIO_API size_t ptio_tensor_list_count(const ptio_tensor_list *list);

/** Entry `index`, or NULL beyond the end. */
PTIO_API const ptio_tensor_entry *ptio_tensor_list_entry(const ptio_tensor_list *list, size_t index);

/** Key `index` of the path of an entry; all zero beyond its path_count. */
PTIO_API ptio_path_key ptio_tensor_list_path(const ptio_tensor_list *list, size_t entry, size_t index);

/** What the tensors of a list add up to. A storage counts once; a tensor that occurs twice counts once. */
typedef struct ptio_tensor_totals {
    uint64_t tensors;       /* distinct                                                                    */
    uint64_t elements;      /* of all distinct tensors: the number of parameters of a state dict           */
    uint64_t tensor_bytes;  /* the same in bytes                                                           */
    uint64_t storages;      /* distinct                                                                    */
    uint64_t storage_bytes; /* of all distinct storages, whole                                             */
    uint64_t shared;        /* storages that two or more distinct tensors or names use (tied weights)      */
} ptio_tensor_totals;

PTIO_API ptio_tensor_totals ptio_tensor_list_totals(const ptio_tensor_list *list);

PTIO_API void ptio_tensor_list_free(ptio_tensor_list *list);

/** Whether a value is a whole torch.nn.Module (an object whose state has _parameters, _buffers and _modules). */
PTIO_API bool ptio_value_is_module(const ptio_value *value);

typedef struct ptio_module ptio_module;

/** One module of named_modules(). */
typedef struct ptio_module_entry {
    ptio_text name;          /* "" for the module itself, then "features.0", …         */
    ptio_text class_name;    /* "torch.nn.modules.linear.Linear"                       */
    const ptio_value *value; /* the object; its attributes tell in_features, eps, …    */
    bool training;           /* false after eval()                                     */
} ptio_module_entry;

/** One entry of state_dict(): a parameter, a persistent buffer, or an extra state. */
typedef struct ptio_module_state {
    ptio_text name;          /* "features.0.weight"                                    */
    const ptio_value *value; /* a tensor but for extra states: ptio_value_tensor()     */
} ptio_module_state;

/**
 * A whole module seen as PyTorch sees it: its named_modules() and its state_dict().
 *
 *     ptio_module *module;
 *     if (ptio_module_open(ckpt, ptio_root(ckpt), &module, &err) == PTIO_OK) {
 *         for (size_t i = 0; i < ptio_module_state_count(module); i++) {
 *             const ptio_module_state *state = ptio_module_state_at(module, i);
 *             const ptio_tensor *weight = ptio_value_tensor(state->value);
 *         }
 *         ptio_module_free(module);
 *     }
 *
 * Ownership  *ret is the caller's, released by ptio_module_free() before the checkpoint
 * Errors     PTIO_ERR_ARGUMENT the value is no module; PTIO_ERR_MEMORY; PTIO_ERR_LIMIT
 */
PTIO_API ptio_status ptio_module_open(const ptio_checkpoint *ckpt, const ptio_value *value, ptio_module **ret, ptio_error *err);

/** The modules, in the order of named_modules(). NULL beyond the last. */
PTIO_API size_t ptio_module_count(const ptio_module *module);
PTIO_API const ptio_module_entry *ptio_module_entry_at(const ptio_module *module, size_t index);

/** The entries of the state_dict, in its order. NULL beyond the last. */
PTIO_API size_t ptio_module_state_count(const ptio_module *module);
PTIO_API const ptio_module_state *ptio_module_state_at(const ptio_module *module, size_t index);

PTIO_API void ptio_module_free(ptio_module *module);

/**
 * A parameter or buffer of a model in C: what load_state_dict() fills. Names are those that the module would have in PyTorch:
 * "fc1.weight" is the weight of the module "fc1".
 */
typedef struct ptio_parameter {
    const char *name;
    ptio_dtype dtype;
    size_t ndim;
    const int64_t *shape;
    void *data;                /* numel * itemsize(dtype) bytes, in C order. NULL: as on the meta device, nothing is copied */
    const ptio_tensor *tensor; /* set by ptio_load_state_dict(): what was loaded, borrowed from the checkpoint; NULL: nothing   */
} ptio_parameter;

typedef struct ptio_state_dict_options {
    size_t struct_size;     /* set by PTIO_STATE_DICT_OPTIONS                                                                */
    bool strict;            /* missing and unexpected keys are errors                                                        */
    bool assign;            /* nothing is copied: each parameter becomes the tensor of the checkpoint                        */
    const char *prefix;     /* taken off the keys that begin with it, such as "module." of DataParallel; NULL: none          */
    const char *class_name; /* of the model, for the text of errors; NULL: "Module"                                          */
} ptio_state_dict_options;

#define PTIO_STATE_DICT_OPTIONS .struct_size = sizeof(ptio_state_dict_options), .strict = true

/** For languages and compilers without designated initialisers: all defaults. */
PTIO_API void ptio_state_dict_options_init(ptio_state_dict_options *options);

/** What did not fit. Names are as in the file; in texts they are safe for a terminal. */
typedef struct ptio_incompatible {
    const ptio_text *missing; /* keys that the model has and the state dict lacks                                            */
    size_t missing_count;
    const ptio_text *unexpected; /* and the other way round                                                                  */
    size_t unexpected_count;
    const ptio_text *errors; /* size mismatches and what could not be copied, a text each                                   */
    size_t error_count;
    const char *text; /* the message of PyTorch's RuntimeError: "Error(s) in loading state_dict for Net:\n\t…"; "" for none */
} ptio_incompatible;

/**
 * module.load_state_dict(state_dict, strict, assign): fill the caller's parameters from the tensors of those names.
 *
 *     float weight[5][10], bias[5];
 *     ptio_parameter net[] = {{"fc1.weight", PTIO_FLOAT32, 2, (int64_t[]){5, 10}, weight, NULL},
 *                             {"fc1.bias", PTIO_FLOAT32, 1, (int64_t[]){5}, bias, NULL}};
 *     ptio_state_dict_options options = {PTIO_STATE_DICT_OPTIONS, .class_name = "Net"};
 *     const ptio_incompatible *keys = NULL;
 *     if (ptio_load_state_dict(ckpt, ptio_at(ckpt, "model"), net, 2, &options, &keys, &err) != PTIO_OK)
 *         fprintf(stderr, "%s\n", keys ? keys->text : err.message);
 *     ptio_incompatible_free(keys);
 *
 * Elements are cast to the dtype of the parameter, as param.copy_(tensor) does, and shapes have to be equal (a tensor of one element
 * fits a scalar, as PyTorch 0.3 saved those). As in PyTorch everything is tried: what fits is loaded even where something else does
 * not, and all of that is told together, in PyTorch's words and order (that of modules whose children come in the order of names).
 * With all `data` NULL it is a check that reads no element.
 *
 * With options.assign a parameter takes the dtype of its tensor, and `data` points to the elements in the checkpoint, where they are in
 * C order as they are, else it is NULL and `tensor` tells more. They are not to be written: see ptio_storage_writable().
 *
 * Options    `state_dict` NULL: the root; a dict, or a whole module, whose state_dict() is taken. options NULL: strict, copied
 * Errors     PTIO_ERR_ARGUMENT with reason "statedict.mismatch", and then *ret is given all the same; with "statedict.kind" (no dict),
 *            "statedict.key" (a key is no str), "statedict.parameter" (a name twice or NULL, no such dtype, a negative size); what
 *            reading gives, then the key is in err->context, and parameters may have been filled before. PTIO_ERR_MEMORY
 * Ownership  *ret, which may be NULL, is released by ptio_incompatible_free(), also after the checkpoint
 * Source     torch/nn/modules/module.py: load_state_dict, _load_from_state_dict
 */
PTIO_API ptio_status ptio_load_state_dict(const ptio_checkpoint *ckpt, const ptio_value *state_dict, ptio_parameter *parameters,
                                          size_t count, const ptio_state_dict_options *options, const ptio_incompatible **ret,
                                          ptio_error *err);

PTIO_API void ptio_incompatible_free(const ptio_incompatible *incompatible);

/** state_dict._metadata[module]["version"], by which modules tell older forms of their state ("" is the whole model). False where
 *  there is none; then *ret is not touched. */
PTIO_API bool ptio_state_dict_version(const ptio_value *state_dict, const char *module, int64_t *ret);

/* ------------------------------------------------------------------------------------------------------------------
 * 9  Records: the archive below the pickle
 *
 * Zip archives, tar files and legacy streams alike are records with names. Those of a legacy stream are its storages, named
 * "data/KEY" here; its pickles are read by ptio_disassemble().
 * ------------------------------------------------------------------------------------------------------------------ */

typedef struct ptio_archive ptio_archive;

typedef struct ptio_record {
    ptio_text name;         /* with the root folder: "archive/data/0"                        */
    uint64_t offset;        /* of the data in the source; PTIO_NO_OFFSET until it was used   */
    uint64_t header_offset; /* of the local header                                           */
    uint64_t stored_size;   /* bytes in the source                                           */
    uint64_t size;          /* bytes once inflated                                           */
    uint32_t crc32;         /* as the archive has it                                         */
    bool has_crc32;         /* false: the container has none, or all are 0 by design         */
    bool is_deflated;
    bool is_folder;
} ptio_record;

/**
 * Open a zip or tar archive without looking at any pickle.
 *
 * Options    offset: where it begins in the source; limits, memory and report may be NULL
 * Errors     PTIO_ERR_FORMAT no zip or tar, or damaged; PTIO_ERR_AMBIGUOUS; PTIO_ERR_UNSUPPORTED; PTIO_ERR_LIMIT (directory_bytes);
 *            PTIO_ERR_IO; PTIO_ERR_MEMORY
 * Ownership  *ret is the caller's, released by ptio_archive_free(); the source must outlive it
 */
PTIO_API ptio_status ptio_archive_open(ptio_source *source, uint64_t offset, const ptio_limits *limits, const ptio_memory *memory,
                                       ptio_report *report, ptio_archive **ret, ptio_error *err);

/** The archive of a checkpoint, borrowed; NULL for containers that have none. */
PTIO_API ptio_archive *ptio_checkpoint_archive(const ptio_checkpoint *ckpt);

/** Records in the archive. */
PTIO_API size_t ptio_archive_count(const ptio_archive *archive);

/** Describe record `index`. False beyond the end. */
PTIO_API bool ptio_archive_record(const ptio_archive *archive, size_t index, ptio_record *ret);

/** Index of the record `name` (with the root folder), or SIZE_MAX. Takes O(1). */
PTIO_API size_t ptio_archive_find(const ptio_archive *archive, const char *name);

/**
 * Read part of a record, inflated.
 *
 * Checks its local header first. A CRC is checked where the whole record is read in one call.
 *
 * Errors     PTIO_ERR_FORMAT damaged; PTIO_ERR_UNSUPPORTED encrypted or another method; PTIO_ERR_ARGUMENT beyond the end; PTIO_ERR_IO
 */
PTIO_API ptio_status ptio_archive_read(ptio_archive *archive, size_t index, uint64_t offset, void *buffer, size_t size,
                                       ptio_error *err);

/** Release an archive that ptio_archive_open() gave. NULL is fine. */
PTIO_API void ptio_archive_free(ptio_archive *archive);

/* ------------------------------------------------------------------------------------------------------------------
 * 10  The pickle itself
 * ------------------------------------------------------------------------------------------------------------------ */

/** Takes text as it is made. Anything but 0 stops the maker, which then gives PTIO_ERR_CANCELLED. */
typedef int (*ptio_write)(void *ctx, const char *text, size_t size);

/** A ptio_write for a stdio stream: ptio_print(value, NULL, ptio_write_file, stdout, &err). */
PTIO_API int ptio_write_file(void *file, const char *text, size_t size);

/**
 * Disassemble the pickle of a file: one line for each opcode with its offset, the depth of the stack, its argument, escaped.
 *
 * Works on files that do not load: what can be read of the pickle is written before the error.
 *
 * Options    record: another record of an archive that holds a pickle, such as "constants.pkl"; NULL: the object's own.
 *            options: offset, limits and memory of a load; may be NULL
 * Errors     PTIO_ERR_CANCELLED by `write`; PTIO_ERR_NOT_FOUND no such record; otherwise as ptio_load_source()
 */
PTIO_API ptio_status ptio_disassemble(ptio_source *source, const char *record, const ptio_load_options *options, ptio_write write,
                                      void *ctx, ptio_error *err);

/* ------------------------------------------------------------------------------------------------------------------
 * 11  Checking a file
 * ------------------------------------------------------------------------------------------------------------------ */

typedef enum ptio_severity {
    PTIO_NOTE,    /* worth knowing, nothing wrong: "CRC absent"                         */
    PTIO_WARNING, /* odd, but of one meaning: bytes after the end of the archive        */
    PTIO_REFUSED  /* what weights_only refuses, or an error                             */
} ptio_severity;

typedef struct ptio_finding {
    ptio_severity severity;
    ptio_status status; /* of an error; PTIO_OK for notes and warnings            */
    const char *reason; /* a stable id, such as "zip.trailing-bytes"              */
    ptio_text record;   /* escaped; may be empty                                  */
    uint64_t offset;    /* in that record, or PTIO_NO_OFFSET                      */
    ptio_text message;  /* one sentence, escaped                                  */
    /* What must be allowed or imported, as weights_only calls it: a global ("weights-only.global", "weights-only.import"), a class that a
     * function made ("weights-only.build"), what getattr() reaches ("weights-only.reduce", "weights-only.newobj": my, A.B). Empty in other
     * findings. It comes from the file and is not escaped. */
    ptio_text module, name;
} ptio_finding;

/** A new, empty report. memory may be NULL. */
PTIO_API ptio_status ptio_report_new(const ptio_memory *memory, ptio_report **ret, ptio_error *err);

/** The findings, in the order in which they were made. NULL beyond the last; they are borrowed from the report. */
PTIO_API size_t ptio_report_count(const ptio_report *report);
PTIO_API const ptio_finding *ptio_report_finding(const ptio_report *report, size_t index);
PTIO_API void ptio_report_free(ptio_report *report);

typedef enum ptio_verdict {
    PTIO_WHOLE,      /* everything was read and is right                                       */
    PTIO_DAMAGED,    /* the report says where                                                  */
    PTIO_DISPUTED,   /* it can be read in two ways; the report says why                        */
    PTIO_OVER_LIMIT, /* a limit stopped the check                                              */
    PTIO_UNREADABLE  /* no checkpoint, or of a kind that ptio does not read                    */
} ptio_verdict;

typedef struct ptio_check_result {
    ptio_verdict verdict;
    bool weights_only_loads;   /* torch.load(weights_only=True) takes it, by options->rules and options->allow        */
    uint64_t bytes_read;       /* of the source                                                                       */
    uint64_t records_verified; /* read whole, and their CRC compared where there is one                               */
    uint64_t records_without_crc;
} ptio_check_result;

/** "whole", "damaged", … */
PTIO_API const char *ptio_verdict_name(ptio_verdict verdict);

/**
 * Read everything in a file and say whether it is whole.
 *
 * Compares every local header with the directory, every CRC with its bytes, every storage with its record, every view with its
 * storage, every invariant of sparse and quantized tensors; runs the pickle; names everything that weights_only would refuse.
 * It never says PTIO_WHOLE when it did not read everything.
 *
 * Errors     only for what kept it from checking: PTIO_ERR_IO, PTIO_ERR_MEMORY, PTIO_ERR_ARGUMENT. What is wrong with the file is
 *            a verdict, and findings in options->report
 */
PTIO_API ptio_status ptio_check(const char *path, const ptio_load_options *options, ptio_check_result *ret, ptio_error *err);

/** Like ptio_check(), of a source. */
PTIO_API ptio_status ptio_check_source(ptio_source *source, const ptio_load_options *options, ptio_check_result *ret,
                                       ptio_error *err);

/**
 * Write the lines of Python that allow what a report of ptio_check() says weights_only refuses:
 *
 *     import argparse, numpy._core.multiarray
 *     torch.serialization.add_safe_globals([argparse.Namespace, (numpy._core.multiarray.scalar, "numpy.core.multiarray.scalar")])
 *
 * They name each global once, in the order of the report, and as a pair where the object calls itself other than the file does. Nothing
 * is written where there is nothing to allow. Names that are not dotted identifiers of ASCII letters are left out.
 *
 * Errors     PTIO_ERR_CANCELLED by `write`; PTIO_ERR_MEMORY
 */
PTIO_API ptio_status ptio_print_allowing(const ptio_report *report, ptio_write write, void *ctx, ptio_error *err);

/** Names of globals, sorted, each once. */
typedef struct ptio_global_list ptio_global_list;

/**
 * What torch.serialization.get_unsafe_globals_in_checkpoint() gives: the globals that a zip checkpoint names and weights_only would refuse,
 * but for those in options->allow. Only the pickle is read, and not run.
 *
 * Options    NULL means all defaults
 * Errors     PTIO_ERR_UNSUPPORTED a TorchScript archive, or no zip (PyTorch refuses both; ptio_check() takes all);
 *            PTIO_ERR_DENIED an opcode that weights_only does not know; what ptio_load() gives of the archive
 * Ownership  *ret is the caller's, released by ptio_global_list_free()
 * Source     torch/serialization.py: get_unsafe_globals_in_checkpoint
 */
PTIO_API ptio_status ptio_list_unsafe_globals(const char *path, const ptio_load_options *options, ptio_global_list **ret,
                                              ptio_error *err);

/** Like ptio_list_unsafe_globals(), of a source, which must outlive the list. */
PTIO_API ptio_status ptio_list_unsafe_globals_source(ptio_source *source, const ptio_load_options *options,
                                                     ptio_global_list **ret, ptio_error *err);

/** How many there are, and each as "module.name", from the file and not escaped. No text beyond the last. */
PTIO_API size_t ptio_global_list_count(const ptio_global_list *list);
PTIO_API ptio_text ptio_global_list_name(const ptio_global_list *list, size_t index);
PTIO_API void ptio_global_list_free(ptio_global_list *list);

/* ------------------------------------------------------------------------------------------------------------------
 * 12  Printing
 * ------------------------------------------------------------------------------------------------------------------ */

/** How floats of tensors are written: torch.set_printoptions(sci_mode=None, True or False). */
typedef enum ptio_print_notation {
    PTIO_PRINT_BY_SIZE,    /* with an exponent where the numbers need one */
    PTIO_PRINT_SCIENTIFIC, /* always                                      */
    PTIO_PRINT_FIXED       /* never                                       */
} ptio_print_notation;

/** Stands for 0 in fields of ptio_print_options in which 0 is the default. */
#define PTIO_PRINT_ZERO (SIZE_MAX - 1)

typedef struct ptio_print_options {
    size_t struct_size; /* set by PTIO_PRINT_OPTIONS                                              */
    size_t max_depth;   /* deeper contents are shown as "..."; 0: no limit                       */
    size_t max_items;   /* of each container; 0: all                                             */
    size_t edge_items;  /* of each end of a dimension of a big tensor; 0: 3                      */
    size_t threshold;   /* a tensor of more elements than this is big; 0: 1000; SIZE_MAX: none is, nor any array */
    const ptio_limits *limits;
    const ptio_memory *memory;
    size_t precision;  /* places of floats, up to 60; 0: 4                                       */
    size_t line_width; /* columns of tensors; 0: 80                                              */
    ptio_print_notation notation;
    unsigned python;           /* whose syntax: 311 is that of Python 3.11; 0: the newest, 3.14          */
    bool bare;                 /* as print() has it, not as repr(): a str without quotes                 */
    bool raw;                  /* with `bare`: its control characters unescaped                          */
    bool devices;              /* tell where tensors were when they were saved: device='cuda:0'; else as on the CPU */
    bool keys;                 /* of a dict print(d.keys()): odict_keys(['a', 'b'])                  */
    const ptio_builder *edits; /* show what a save with these edits would write; see section 16. NULL: the values as they are */
} ptio_print_options;

#define PTIO_PRINT_OPTIONS .struct_size = sizeof(ptio_print_options)

/**
 * Write a value in Python's syntax: what repr() gives in PyTorch 2.13, where the file tells it.
 *
 * Whole modules and optimizers are written as PyTorch does it, and so are the classes of Python's library that are often saved. An
 * object of any other class is <ptio object CLASS state={…}>, where Python would run code of that class or show a memory address.
 * Control characters and invisible ones are escaped, but with `raw`.
 *
 * The settings of tensors are PyTorch's; NumPy's arrays have their own, which are fixed: eight places, 75 columns, and of more than a
 * thousand elements three of each end.
 *
 * Of a tensor that was not read yet no more is read than is shown: of a big one the edges, and of all elements (`threshold`) some
 * 64 KiB at a time, where the file has them as they are (see ptio_tensor_copy_slice()). The text of any number of values needs no
 * more memory than that.
 *
 * Options    NULL means all defaults
 * Errors     PTIO_ERR_LIMIT (walk_nodes), PTIO_ERR_CANCELLED by `write`; PTIO_ERR_ARGUMENT for `keys` of what is no dict; what
 *            ptio_storage_data() gives
 */
PTIO_API ptio_status ptio_print(const ptio_value *value, const ptio_print_options *options, ptio_write write, void *ctx,
                                ptio_error *err);

/** Python's repr() of the text: quoted and escaped. */
PTIO_API ptio_status ptio_print_str(ptio_text text, ptio_write write, void *ctx, ptio_error *err);

/** Text made safe for a terminal, without quotes: control and invisible characters, and bytes that are not UTF-8, are escaped. */
PTIO_API ptio_status ptio_print_escaped(ptio_text text, ptio_write write, void *ctx, ptio_error *err);

/* ------------------------------------------------------------------------------------------------------------------
 * 13  Sinks: where bytes go
 * ------------------------------------------------------------------------------------------------------------------ */

typedef struct ptio_sink ptio_sink;

/** The caller's own output. write gives the bytes taken (at least one, fewer than given is fine) or -1; flush 0 or -1. */
typedef struct ptio_sink_callbacks {
    int64_t (*write)(void *ctx, const void *data, size_t size);
    int (*flush)(void *ctx);  /* called once, by ptio_sink_finish(); may be NULL */
    void (*close)(void *ctx); /* called by ptio_sink_free(); may be NULL         */
} ptio_sink_callbacks;

/** How a path is written. NULL in the calls below means all zeros. */
typedef struct ptio_sink_options {
    size_t struct_size; /* set by PTIO_SINK_OPTIONS                                                      */
    bool not_durable;   /* leave out fsync: after a power loss the path may hold neither file, or a torn one */
    bool no_replace;    /* PTIO_ERR_ARGUMENT "io.exists" where there is a file already                     */
    const char *backup; /* keep the file that was there under its name and this suffix, such as ".bak"     */
    const ptio_memory *memory;
    bool dry_run; /* look whether the path can be written, and count the bytes, but make and change nothing */
} ptio_sink_options;

#define PTIO_SINK_OPTIONS .struct_size = sizeof(ptio_sink_options)

/**
 * Write a file, all or nothing.
 *
 * The bytes go to a temporary file in the same folder, which ptio_sink_finish() puts in the place of `path`: there is the whole old
 * file until then, and the whole new one after, whatever happens to the process or the machine. Mode, owner, access list and
 * attributes are those of the old file, where one may set them. A symbolic link is followed, the file behind it replaced; other hard
 * links to it keep the old bytes. What is no regular file (a FIFO, a device, /dev/stdout) is written to directly, without any
 * promise. docs/saving.md tells all of it.
 *
 * Errors     PTIO_ERR_IO with the system's text: "io.parent" there is no such folder, "io.folder" it takes no new files, "io.open" the
 *            file is protected by its mode; PTIO_ERR_ARGUMENT a folder, or options->no_replace; PTIO_ERR_MEMORY
 * Ownership  *ret is the caller's, released by ptio_sink_free()
 * Threads    one at a time for each sink. After a failure a sink gives the same failure for everything; so it does when a save or an
 *            archive (ptio_writer) in it failed on the way, since a file of which a part is missing must not take the path's place
 */
PTIO_API ptio_status ptio_sink_open(const char *path, const ptio_sink_options *options, ptio_sink **ret, ptio_error *err);

/** Like ptio_sink_open(), over an open descriptor, from its position on. It need not be able to seek, is not synced and not closed.
 *  A pipe without reader sends SIGPIPE, as to any program; one that ignores it gets PTIO_ERR_IO. */
PTIO_API ptio_status ptio_sink_from_fd(int fd, const ptio_memory *memory, ptio_sink **ret, ptio_error *err);

/** Over a stdio stream, which is flushed by ptio_sink_finish() but not closed. An interrupted write of it is a failure. */
PTIO_API ptio_status ptio_sink_from_file(FILE *file, const ptio_memory *memory, ptio_sink **ret, ptio_error *err);

/** Over memory that grows; ptio_sink_bytes() gives what was written. */
PTIO_API ptio_status ptio_sink_to_memory(const ptio_memory *memory, ptio_sink **ret, ptio_error *err);

/** Over the caller's functions. */
PTIO_API ptio_status ptio_sink_from_callbacks(const ptio_sink_callbacks *callbacks, void *ctx, const ptio_memory *memory,
                                              ptio_sink **ret, ptio_error *err);

/** Write bytes. Short and interrupted writes go on; small ones are gathered, so ptio_sink_finish() writes the last of them. */
PTIO_API ptio_status ptio_sink_write(ptio_sink *sink, const void *data, size_t size, ptio_error *err);

/**
 * Say how many bytes are still to come: a path asks for the room at once, so that a full disk fails before anything is written and blocks
 * lie side by side; memory is taken at once; progress knows the end. More or fewer may come. With `holes` no room is asked for. Saves do it
 * by themselves; it is for archives that are written record by record.
 */
PTIO_API ptio_status ptio_sink_expect(ptio_sink *sink, uint64_t size, bool holes, ptio_error *err);

/** How many bytes were written into a sink so far. */
PTIO_API uint64_t ptio_sink_position(const ptio_sink *sink);

/** What a sink of memory holds, until the next write or ptio_sink_free(). No bytes for other sinks. */
PTIO_API ptio_text ptio_sink_bytes(const ptio_sink *sink);

/**
 * All is written: flush, and put the new file in place.
 *
 * Errors     PTIO_ERR_IO: the path holds the old file still; only with reason "io.directory-sync" it holds the new one already,
 *            but a power loss may bring the old one back
 */
PTIO_API ptio_status ptio_sink_finish(ptio_sink *sink, ptio_error *err);

/** Without ptio_sink_finish() before, nothing has happened to the path. */
PTIO_API void ptio_sink_free(ptio_sink *sink);

/* ------------------------------------------------------------------------------------------------------------------
 * 14  Writing archives
 * ------------------------------------------------------------------------------------------------------------------ */

typedef struct ptio_writer ptio_writer;

typedef struct ptio_writer_options {
    size_t struct_size; /* set by PTIO_WRITER_OPTIONS                                                          */
    const char *root;   /* folder of the records; NULL: as torch.save() names it after the path of the sink     */
    uint32_t alignment; /* of the data of each record, 1 to 65504; 0: 64                                        */
    bool no_crc32;      /* all CRC fields 0, as torch.serialization.set_crc32_options(False)                    */
    bool libcxx_id;     /* the serialization id as the macOS wheels make it, not as the Linux ones              */
    const ptio_memory *memory;
    unsigned threads; /* that may write a large record of ptio_writer_add() at once; as in ptio_save_options */
} ptio_writer_options;

#define PTIO_WRITER_OPTIONS .struct_size = sizeof(ptio_writer_options)

/**
 * Write an archive record by record, as PyTorchFileWriter does. It begins where the sink is now, and is only written forwards.
 *
 * The root of NULL is the last part of the path up to its last dot; "archive" for a sink without a path, or a path that is not ASCII.
 *
 * Errors     PTIO_ERR_ARGUMENT a path that names no root, such as ".pt"; a root with a slash; an alignment out of range; PTIO_ERR_MEMORY
 * Ownership  *ret is the caller's, released by ptio_writer_free(); the sink must outlive it
 * Source     caffe2/serialize/inline_container.cc: PyTorchStreamWriter
 */
PTIO_API ptio_status ptio_writer_open(ptio_sink *sink, const ptio_writer_options *options, ptio_writer **ret, ptio_error *err);

/**
 * Add a record, stored. Its name goes without the root: "data/0". One called ".data/serialization_id" is left out, since
 * ptio_writer_finish() makes it.
 *
 * Errors     PTIO_ERR_ARGUMENT a name that is no plain path, has more than 65,535 bytes with its root, or is taken ("A" takes "a" too,
 *            since readers do not tell them apart): then nothing is written and the next record may follow. PTIO_ERR_LIMIT where the
 *            directory would have more than 2^32 - 1 bytes; PTIO_ERR_MEMORY; PTIO_ERR_IO of the sink
 */
PTIO_API ptio_status ptio_writer_add(ptio_writer *writer, const char *name, const void *data, uint64_t size, ptio_error *err);

/** Add a record whose `size` bytes `read` gives, in pieces: fewer bytes than asked is fine, 0 or -1 is a failure, after which neither the
 *  archive nor the sink can be finished. */
PTIO_API ptio_status ptio_writer_add_from(ptio_writer *writer, const char *name, uint64_t size,
                                          int64_t (*read)(void *ctx, void *buffer, size_t size), void *ctx, ptio_error *err);

/** Add a record whose `size` bytes are left out, as PyTorchFileWriter.write_record_metadata() does for skip_data: they are read as zeros
 *  until somebody writes them. In a file they take no room where it can have holes. */
PTIO_API ptio_status ptio_writer_add_hole(ptio_writer *writer, const char *name, uint64_t size, ptio_error *err);

/** Write the records "version" and "byteorder" if there are none, and ".data/serialization_id", then the directory. The sink is the
 *  caller's to finish. */
PTIO_API ptio_status ptio_writer_finish(ptio_writer *writer, ptio_error *err);

/** Before the sink's end. An archive that was begun and not finished: then the sink cannot be finished either ("zip.unfinished"). */
PTIO_API void ptio_writer_free(ptio_writer *writer);

/* ------------------------------------------------------------------------------------------------------------------
 * 15  Saving
 * ------------------------------------------------------------------------------------------------------------------ */

/** Whose files are written: the record set, the order of the storages, the root folder and the forms of the pickle. */
typedef enum ptio_profile {
    PTIO_PROFILE_2_7,  /* PyTorch 2.7 and newer, checked with 2.13                         */
    PTIO_PROFILE_2_1,  /* 2.1 to 2.6: without .format_version and .storage_alignment       */
    PTIO_PROFILE_1_13, /* without byteorder and serialization_id                           */
    PTIO_PROFILE_1_10, /* 1.10 to 1.12: the root folder is always "archive"                */
    PTIO_PROFILE_1_6,  /* 1.6 to 1.9: the same; storages were named by memory addresses    */
    PTIO_PROFILE_2_0   /* the records of 1.13, the forms of 2.1 but of COO tensors         */
} ptio_profile;

/** Options of a save. Begin with PTIO_SAVE_OPTIONS, so that later versions of ptio know which fields you know. */
typedef struct ptio_save_options {
    size_t struct_size;         /* set by PTIO_SAVE_OPTIONS or ptio_save_options_init()                               */
    unsigned protocol;          /* of the pickle, 0 to 5; PTIO_SAVE_OPTIONS sets PyTorch's default, 2                 */
    ptio_byte_order byte_order; /* of the storages; PTIO_SAVE_OPTIONS sets PTIO_NATIVE_ENDIAN                         */
    ptio_profile profile;
    bool legacy;               /* the stream of PyTorch before 1.6: _use_new_zipfile_serialization=False             */
    bool no_crc32;             /* CRC fields are 0: torch.serialization.set_crc32_options(False)                     */
    bool no_byteorder;         /* _disable_byteorder_record=True                                                     */
    bool skip_data;            /* storages are holes: torch.serialization.skip_data(). Not in a stream               */
    bool libcxx_id;            /* serialization_id as the macOS wheels make it, not as the Linux ones                */
    uint32_t alignment;        /* of the data of each record, 1 to 65504; 0: 64                                      */
    const char *root;          /* the folder of the records, up to 510 bytes; NULL: as PyTorch names it after the path */
    const ptio_text *keys;     /* what the storages are called, in the order in which they first appear; NULL, or as */
    size_t key_count;          /*    far as they do not reach: "0", "1", …                                           */
    const ptio_checkpoint *as; /* write the pickle as this checkpoint had it, and archive or stream too, in place of all
                                   options above; `value` must be its root. NULL: as PyTorch writes it now            */
    const ptio_builder *edits; /* changes to the values that are saved; see section 16 */
    const ptio_limits *limits;
    const ptio_memory *memory;
    ptio_report *report; /* NULL, or where findings go                                                         */
    bool compact;        /* of each storage only the bytes from the first to the last that its tensors use     */
    /** Called for every 16 MiB or so, with the bytes written into the sink and those there will be (0: not known yet: a stream of which
     *  the object alone is so large). Anything but 0 ends the save: PTIO_ERR_CANCELLED. NULL: not called. */
    int (*progress)(void *ctx, uint64_t done, uint64_t total);
    void *progress_ctx;
    const ptio_registry *registry; /* whose taggers say the location tags; what none of them knows keeps its own. NULL: all do */
    /** That may write a large storage at once: up to 64 into memory, up to 4 into a file, which takes little from more. 0: the caller's
     *  alone; PTIO_ALL_THREADS: as many as there are processors. Any of them calls `progress` then, one at a time. */
    unsigned threads;
} ptio_save_options;

#define PTIO_SAVE_OPTIONS .struct_size = sizeof(ptio_save_options), .protocol = 2, .byte_order = PTIO_NATIVE_ENDIAN

/** For languages and compilers without designated initialisers: all defaults. */
PTIO_API void ptio_save_options_init(ptio_save_options *options);

/**
 * Save a value as torch.save() does: the file is, byte for byte, what PyTorch writes for the same object.
 *
 * For a loaded value that is torch.save(torch.load(file), path): tensors of every era are written in the form of today, whole modules
 * and other objects as they were found. The path is replaced all or nothing; see ptio_sink_open(). Storages are copied from the file
 * they were loaded from, piece by piece.
 *
 * PyTorch writes all of a storage for a small view of it. With options.compact the part that is used is written: what is shared stays
 * shared, and a storage that is a value itself stays whole. The report tells how much less that is ("save.compact").
 *
 * Options    NULL means all defaults
 * Errors     PTIO_ERR_ARGUMENT a value or option that PyTorch refuses too, or that it could not read back; PTIO_ERR_IO;
 *            PTIO_ERR_LIMIT; PTIO_ERR_MEMORY; PTIO_ERR_CANCELLED by options.progress; what ptio_storage_data() gives
 * Source     torch/serialization.py: save, _save, _legacy_save
 */
PTIO_API ptio_status ptio_save(const ptio_value *value, const char *path, const ptio_save_options *options, ptio_error *err);

/** Like ptio_save(), to a sink, which is the caller's to finish. A stream may hold several objects, one behind another. */
PTIO_API ptio_status ptio_save_sink(const ptio_value *value, ptio_sink *sink, const ptio_save_options *options, ptio_error *err);

/* ------------------------------------------------------------------------------------------------------------------
 * 16  Building and editing
 *
 * A builder holds values of the caller's own, and changes to loaded ones. `x = tensor([0, 1, 2, 3, 4]); save(x)` is
 *
 *     ptio_builder *b = NULL;
 *     ptio_builder_new(NULL, &b, &err);
 *     const ptio_value *x = ptio_new_tensor(b, PTIO_INT64, 1, (int64_t[]){5}, (int64_t[]){0, 1, 2, 3, 4});
 *     ptio_save(x, "tensor.pt", NULL, &err);
 *     ptio_builder_free(b);
 *
 * Makers give NULL where they fail, and take NULL for what another failed to make; the first failure stays in the builder, and
 * ptio_builder_status() tells it. So a program may look once, at the end: a save of NULL fails.
 *
 * Memory of what was replaced or removed is given back with the builder, or by ptio_builder_collect(): a program that changes things for
 * hours calls it now and then, and needs no more memory than what is still there.
 *
 * What is put in twice is one object. A value may be put into values of the same builder, and loaded values into any. All getters
 * of sections 5 to 8 and printing work on built values.
 *
 * One thread at a time may use a builder.
 * ------------------------------------------------------------------------------------------------------------------ */

/** An empty builder. memory may be NULL. */
PTIO_API ptio_status ptio_builder_new(const ptio_memory *memory, ptio_builder **ret, ptio_error *err);

/** Free the builder and all its values, and let go of the checkpoints that it holds. */
PTIO_API void ptio_builder_free(ptio_builder *builder);

/** PTIO_OK, or the first failure of a maker. */
PTIO_API ptio_status ptio_builder_status(const ptio_builder *builder, ptio_error *err);

/** The builder as a checkpoint, for what asks for one: ptio_list_tensors(), ptio_value_at() and ptio_module_open(), of its values and of
 *  those that it edits. They see what a save with options.edits writes: the tensors that there will be are
 *
 *      ptio_list_tensors(ptio_builder_checkpoint(b), ptio_root(ckpt), &list, &err);
 *
 *  Its root is None. Borrowed. */
PTIO_API const ptio_checkpoint *ptio_builder_checkpoint(const ptio_builder *builder);

/** Keep a checkpoint, whose values were put in, until the builder is freed: ptio_checkpoint_free() may be called before. */
PTIO_API void ptio_builder_hold(ptio_builder *builder, ptio_checkpoint *ckpt);

/**
 * Give back the memory of all values that can no longer be reached: not from the `count` values of `keep`, and not from what ptio_edit()
 * or ptio_replace_value() put in the place of a loaded value, or of one that can be reached. The others stay where they are.
 *
 *     for (long i = 0; i < steps; i++) {
 *         ptio_put(b, root, "step", ptio_new_int(b, i));
 *         ptio_put(b, root, "w", ptio_new_tensor(b, PTIO_FLOAT32, 1, (int64_t[]){4}, w[i]));
 *         if (i % 1000 == 999)
 *             ptio_builder_collect(b, (const ptio_value *[]){root}, 1, &err);
 *     }
 *
 * Values, tensors and storages of this builder that the program still points to must be among what is kept or in it; so must those
 * that lists of tensors, modules and other checkpoints use, which live longer than this call. Storages that DLPack has handed over,
 * or that are on a device, stay. It takes as long as looking at each word that the builder holds.
 *
 * Errors     PTIO_ERR_MEMORY, PTIO_ERR_LIMIT: nothing was given back, and the builder can be used as before; its first failure
 */
PTIO_API ptio_status ptio_builder_collect(ptio_builder *builder, const ptio_value *const *keep, size_t count, ptio_error *err);

/* Python's own types. Texts and bytes are copied. A tuple and a frozenset are complete when they are made. */

PTIO_API const ptio_value *ptio_new_none(ptio_builder *builder);
PTIO_API const ptio_value *ptio_new_bool(ptio_builder *builder, bool value);
PTIO_API const ptio_value *ptio_new_int(ptio_builder *builder, int64_t value);
/** An int of any size, as ptio_value_int_bytes() gives it. */
PTIO_API const ptio_value *ptio_new_int_bytes(ptio_builder *builder, const void *bytes, size_t size);
PTIO_API const ptio_value *ptio_new_float(ptio_builder *builder, double value);
PTIO_API const ptio_value *ptio_new_complex(ptio_builder *builder, double real, double imag);
/** Each call makes a str of its own, as formatting does in Python; equal ones are written twice. */
PTIO_API const ptio_value *ptio_new_str(ptio_builder *builder, const char *text);
/** UTF-8 with NULs, or lone surrogates of three bytes. */
PTIO_API const ptio_value *ptio_new_str_n(ptio_builder *builder, const char *text, size_t size);
/** The one str of this text in the builder, as names and literals are in Python. In a file it is one with PyTorch's own words, such as
 *  "cpu", too. */
PTIO_API const ptio_value *ptio_new_name(ptio_builder *builder, const char *text);
PTIO_API const ptio_value *ptio_new_bytes(ptio_builder *builder, const void *data, size_t size);
PTIO_API const ptio_value *ptio_new_bytearray(ptio_builder *builder, const void *data, size_t size);
PTIO_API const ptio_value *ptio_new_tuple(ptio_builder *builder, const ptio_value *const *items, size_t count);
PTIO_API const ptio_value *ptio_new_set(ptio_builder *builder, const ptio_value *const *items, size_t count);
PTIO_API const ptio_value *ptio_new_frozenset(ptio_builder *builder, const ptio_value *const *items, size_t count);
PTIO_API ptio_value *ptio_new_list(ptio_builder *builder);
PTIO_API ptio_value *ptio_new_dict(ptio_builder *builder);
PTIO_API ptio_value *ptio_new_ordered_dict(ptio_builder *builder);

/** A class or function, by name. */
PTIO_API const ptio_value *ptio_new_global(ptio_builder *builder, const char *module, const char *name);

/* Objects of any class, as their __reduce_ex__ tells of them. `arguments` is a tuple; `state` is restored: a dict of attributes, or what the
 * __setstate__ of the class takes; NULL: none. Attributes can be set afterwards, too. */

/** callable(*arguments). What ptio knows becomes what it means: "torch", "Size" with a tuple of a tuple of ints is a torch.Size. */
PTIO_API const ptio_value *ptio_new_call(ptio_builder *builder, const ptio_value *callable, const ptio_value *arguments,
                                         const ptio_value *state);

/** class_.__new__(class_, *arguments), as for most classes. arguments NULL: none. */
PTIO_API const ptio_value *ptio_new_object(ptio_builder *builder, const ptio_value *class_, const ptio_value *arguments,
                                           const ptio_value *state);

/* Values of torch. */

PTIO_API const ptio_value *ptio_new_size(ptio_builder *builder, size_t ndim, const int64_t *shape);
PTIO_API const ptio_value *ptio_new_dtype(ptio_builder *builder, ptio_dtype dtype);
/** "cpu", "cuda:1" */
PTIO_API const ptio_value *ptio_new_device(ptio_builder *builder, const char *name);
PTIO_API const ptio_value *ptio_new_layout(ptio_builder *builder, ptio_layout layout);

/**
 * A storage of `nbytes`, for tensors to share. `data` is the caller's and must stay as it is until the last save, in the byte order
 * of this machine; NULL: zeros. `location` is the tag that is saved, such as "cuda:0"; NULL: "cpu".
 */
PTIO_API const ptio_storage *ptio_new_storage(ptio_builder *builder, ptio_dtype dtype, const void *data, uint64_t nbytes,
                                              const char *location);

/** The same over a copy of the bytes. */
PTIO_API const ptio_storage *ptio_new_storage_copy(ptio_builder *builder, ptio_dtype dtype, const void *data, uint64_t nbytes);

/** Give the bytes back that were copied into a storage by ptio_new_storage_copy() or ptio_new_tensor(), when the tensors over it were
 *  replaced or removed: from then on it is of zeros, as one without data, for casts of these tensors too. False, and nothing happens, for
 *  any other storage, and while DLPack has handed the bytes over. */
PTIO_API bool ptio_builder_release(ptio_builder *builder, const ptio_storage *storage);

/** A tensor of its own storage, contiguous; the elements are copied. `data` NULL: zeros. */
PTIO_API const ptio_value *ptio_new_tensor(ptio_builder *builder, ptio_dtype dtype, size_t ndim, const int64_t *shape,
                                           const void *data);

/** A tensor over a storage, which may be a loaded one: `stride` NULL is contiguous. All in elements. */
PTIO_API const ptio_value *ptio_new_view(ptio_builder *builder, const ptio_storage *storage, ptio_dtype dtype, size_t ndim,
                                         const int64_t *shape, const int64_t *stride, int64_t storage_offset, bool requires_grad);

/** A tensor on the meta device. */
PTIO_API const ptio_value *ptio_new_meta(ptio_builder *builder, ptio_dtype dtype, size_t ndim, const int64_t *shape);

/** torch.nn.Parameter of a plain tensor. */
PTIO_API const ptio_value *ptio_new_parameter(ptio_builder *builder, const ptio_value *tensor, bool requires_grad);

/** A sparse COO tensor: indices (int64, [sparse_dim, nnz]) and values are tensors. */
PTIO_API const ptio_value *ptio_new_sparse_coo(ptio_builder *builder, const ptio_value *indices, const ptio_value *values,
                                               size_t ndim, const int64_t *shape, bool is_coalesced);

/** A compressed sparse tensor; `compressed` are the row pointers of CSR and BSR, the column pointers of CSC and BSC. */
PTIO_API const ptio_value *ptio_new_sparse_compressed(ptio_builder *builder, ptio_layout layout, const ptio_value *compressed,
                                                      const ptio_value *plain, const ptio_value *values, size_t ndim,
                                                      const int64_t *shape);

/** A quantized tensor over a storage of a quantized dtype, contiguous. scales and zero_points: of the schemes per channel, else NULL. */
PTIO_API const ptio_value *ptio_new_quantized(ptio_builder *builder, const ptio_storage *storage, size_t ndim,
                                              const int64_t *shape, const ptio_quantizer *quantizer, const ptio_value *scales,
                                              const ptio_value *zero_points);

/**
 * A tensor in another dtype, as tensor.to(dtype) makes it: the elements are read and converted when they are asked for, and a save
 * holds those of one storage at a time.
 *
 * A Parameter stays one, requires_grad stays where the dtype is a float or complex one, and so do attributes. Strides stay where the
 * elements lie side by side in some order. Tensors that show the same elements, as tied weights do, transposed or not, share the
 * storage of their casts. Of a sparse or nested tensor the values are cast. The value itself is given where it has the dtype; a NumPy array becomes a tensor.
 *
 * Errors     as ptio_tensor_copy(): of casts without meaning, and of jagged tensors
 */
PTIO_API const ptio_value *ptio_new_cast(ptio_builder *builder, const ptio_value *tensor, ptio_dtype dtype);

/* Filling and changing lists, dicts, OrderedDicts and objects that the builder made, or that ptio_edit() gave. They return false
 * where they failed. */

PTIO_API bool ptio_append(ptio_builder *builder, ptio_value *list, const ptio_value *value);
/** dict[key] = value; a new key goes behind the others. */
PTIO_API bool ptio_put(ptio_builder *builder, ptio_value *dict, const char *key, const ptio_value *value);
/** The same with a key of any kind that can be hashed. */
PTIO_API bool ptio_put_key(ptio_builder *builder, ptio_value *dict, const ptio_value *key, const ptio_value *value);
/** Give entry `index` another key, at its place. False, and no failure, where the dict has that key already. */
PTIO_API bool ptio_rename(ptio_builder *builder, ptio_value *dict, size_t index, const ptio_value *key);
/** Replace item `index` of a list, or the value of entry `index` of a dict. */
PTIO_API bool ptio_put_at(ptio_builder *builder, ptio_value *value, size_t index, const ptio_value *item);
/** Take out item or entry `index`. */
PTIO_API bool ptio_remove(ptio_builder *builder, ptio_value *value, size_t index);
/** Take out every entry, or item of a list (then key is NULL), of which `goes` says so; gives how many. It is asked about keys and items as
 *  they were edited. Linear in their number, where ptio_remove() for each would be quadratic. */
PTIO_API size_t ptio_remove_if(ptio_builder *builder, ptio_value *value,
                               bool (*goes)(void *ctx, const ptio_value *key, const ptio_value *item), void *ctx);
/** setattr(): an attribute of an object, an OrderedDict, a tensor or a Parameter. */
PTIO_API bool ptio_set_attribute(ptio_builder *builder, ptio_value *value, const char *name, const ptio_value *attribute);

/**
 * A loaded list, dict, OrderedDict, object or tensor, to be changed: every place that holds it holds what is made of it, in saves with
 * options.edits. The loaded value itself stays as it is. The same value gives the same result each time; a built one itself.
 */
PTIO_API ptio_value *ptio_edit(ptio_builder *builder, const ptio_value *value);

/** Write `by` wherever `value`, a loaded or built object, is met. */
PTIO_API bool ptio_replace_value(ptio_builder *builder, const ptio_value *value, const ptio_value *by);

/** What ptio_edit() or ptio_replace_value() has put in the place of a value, or the value itself. Getters know nothing of edits:
 *  what they give of a value, ask for it here. Walks and printing have options.edits; for lists, paths and modules see
 *  ptio_builder_checkpoint(). */
PTIO_API const ptio_value *ptio_edited(const ptio_builder *builder, const ptio_value *value);

/* ------------------------------------------------------------------------------------------------------------------
 * 17  Location tags and devices
 *
 * A registry is what torch.serialization.register_package() fills: entries with a priority, of which each may tag storages when they are
 * saved, and take storages of some tags when they are loaded. The lower priority is asked first, and of two with the same one the older.
 * PyTorch's own are in every registry:
 *
 *     10  "cpu"             22  "meta"                     25  "xpu"
 *     20  "cuda", "cuda:N"  23  "privateuseone", "…:N"     26  "mtia"
 *     21  "mps"             24  "hpu", "hpu:N"
 *
 *     ptio_registry *registry;
 *     ptio_registry_new(NULL, &registry, &err);
 *     ptio_registry_add(registry, &(ptio_registry_entry){.priority = 5, .deserializer = take_my_tags}, &err);
 *     ptio_load(path, &(ptio_load_options){PTIO_LOAD_OPTIONS, .registry = registry}, &ckpt, &err);
 *     ptio_registry_free(registry);
 *
 * Threads    any number of loads and saves may use a registry at once, while nothing is added
 * ------------------------------------------------------------------------------------------------------------------ */

/** What is asked with a priority; either function may be NULL. */
typedef struct ptio_registry_entry {
    int priority;
    /** The tag that a storage is saved with. False: not mine. It must be UTF-8 with a NUL behind it, in the `size` bytes of `tag`. */
    bool (*tagger)(void *ctx, const ptio_storage *storage, char *tag, size_t size);
    /** Where a storage with this tag goes; all zero: not mine. A location that it answers is looked up in PyTorch's own entries. */
    ptio_place deserializer;
    void *ctx;
} ptio_registry_entry;

/** Room for a tag, and its NUL. */
#define PTIO_MOST_TAG 128

/** A registry of PyTorch's entries. memory may be NULL. */
PTIO_API ptio_status ptio_registry_new(const ptio_memory *memory, ptio_registry **ret, ptio_error *err);

/** Add an entry, which is copied. What its functions use must live as long as the checkpoints that were loaded with it. */
PTIO_API ptio_status ptio_registry_add(ptio_registry *registry, const ptio_registry_entry *entry, ptio_error *err);

/** Let go of a registry. Checkpoints that were loaded with it keep what they need. NULL is fine. */
PTIO_API void ptio_registry_free(ptio_registry *registry);

/**
 * A kind of device with memory of its own: how bytes get there and back. ptio has cuda; this is for others.
 *
 * Functions that can fail return a status, and may fill in err->message. `index` is less than count() gave. An address is
 * whatever the device makes of 64 bits; ptio adds to it. Calls come from any thread, several at once.
 */
typedef struct ptio_device_ops {
    size_t struct_size; /* set by PTIO_DEVICE_OPS                                                                     */
    const char *type;   /* what is in front of the colon of its tags; up to 31 bytes, without digits. Copied          */
    int (*count)(void *ctx, ptio_error *err); /* devices that are there; 0: none, and err->message may say why        */
    int (*current)(void *ctx);                /* the index that the type alone stands for; NULL: 0                    */
    ptio_status (*allocate)(void *ctx, int index, uint64_t size, uint64_t *address, ptio_error *err); /* size is not 0 */
    void (*release)(void *ctx, int index, uint64_t address, uint64_t size);
    /** It may return before the bytes have arrived, but does not look at `bytes` any more. */
    ptio_status (*copy_to)(void *ctx, int index, uint64_t address, const void *bytes, size_t size, ptio_error *err);
    ptio_status (*copy_from)(void *ctx, int index, void *bytes, uint64_t address, size_t size, ptio_error *err);
    ptio_status (*finish)(void *ctx, int index, ptio_error *err); /* all bytes have arrived; NULL: they always have   */
    void (*close)(void *ctx);                                     /* nobody will call again; may be NULL              */
    void *ctx;
} ptio_device_ops;

#define PTIO_DEVICE_OPS .struct_size = sizeof(ptio_device_ops)

/**
 * Add a kind of device. One that PyTorch's entries name already ("xpu") keeps their priority, and takes the place of what was there.
 *
 * The functions are called until the registry and all checkpoints that used it are freed; then ops->close is.
 *
 * Errors     PTIO_ERR_ARGUMENT "device.ops" no type, or a function is missing
 */
PTIO_API ptio_status ptio_registry_add_device(ptio_registry *registry, int priority, const ptio_device_ops *ops, ptio_error *err);

/**
 * Open NVIDIA's driver library now. A registry does so itself when it meets the first tag of cuda; this is for a library that is called
 * otherwise, and to know why there is no device. `library` NULL: libcuda.so.1, found as the system finds libraries.
 *
 * Devices are those of cuDeviceGetCount(), in its order, and used with their primary context, as by PyTorch and the CUDA runtime.
 *
 * Errors     PTIO_ERR_UNSUPPORTED "location.no-device": no library, or no device; the message has the driver's name for it
 */
PTIO_API ptio_status ptio_registry_open_cuda(ptio_registry *registry, const char *library, ptio_error *err);

/*
 * A storage that belongs on a device goes there when somebody asks for its bytes there, or for all (ptio_checkpoint_read()). Nothing
 * more than a few MiB of it is in the memory of the CPU then. From then on the device has the storage. ptio_storage_data() and all that
 * needs elements use a copy in the memory of the CPU, made once; after ptio_storage_drop() it is made anew, as the device has it then.
 * Saves take the bytes from the device, piece by piece.
 */

/**
 * Where the bytes of a storage are on its device: a CUdeviceptr. Brings them there first if need be. 0 of an empty storage.
 *
 * Errors     PTIO_ERR_ARGUMENT "device.none": it is on the CPU; PTIO_ERR_MEMORY, PTIO_ERR_IO "cuda.failed" with the driver's name for
 *            it, "device.failed"; what ptio_storage_data() gives
 * Threads    several threads may ask; it is brought once
 */
PTIO_API ptio_status ptio_storage_device_data(const ptio_storage *storage, uint64_t *address, ptio_error *err);

/**
 * storage.to(device): bring a storage to a device, from one to another, or back ("cpu"). The tag goes with it. A slice of another storage
 * takes that along. registry NULL: devices on which storages of the checkpoint are already.
 *
 * Errors     PTIO_ERR_UNSUPPORTED "location.no-device", "location.index"; PTIO_ERR_ARGUMENT "location.device", "storage.meta"; what
 *            ptio_storage_device_data() gives. The storage is then where it was, or on the CPU
 * Threads    no other thread may use the storage now; addresses that were told before are no longer valid
 */
PTIO_API ptio_status ptio_storage_to(const ptio_storage *storage, const ptio_registry *registry, const char *device,
                                     ptio_error *err);

#ifdef __cplusplus
}
#endif

#endif
