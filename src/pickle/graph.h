/*
 * The value graph: what a pickle holds, as its pickler saw it.
 *
 * A node is one object. Its header is 8 bytes; what follows depends on its kind. Nodes lie in an arena and never move, so a
 * pointer is an identity. Scalars that Python itself shares (None, True, False, (), ints from 0 to 255) are constants.
 *
 *   INT       the value, or (PTIO_NODE_BIG) its two's complement bytes, little-endian
 *   TEXT      str, bytes, bytearray, Python 2 str: bytes in the pickle itself or in the arena
 *   TUPLE     `count` items right behind the header
 *   LIST      `count` items in a block that doubles;  SET, FROZENSET too
 *   DICT      `count` entries in such a block, in the order of the file, equal keys not merged
 *   GLOBAL    module and name
 *   PERSISTENT  the id, and what it stands for
 *   REDUCED   an object that a callable made of arguments; later items, entries and states hang on it in `more`
 *
 * The kind is what the pickle says. `seen` is what the layer above makes of it (ptio_kind): it alone may set it, together with
 * the one pointer `meaning` of GLOBAL, PERSISTENT and REDUCED nodes. Nothing here knows of tensors. Keys alone look at what objects
 * mean (key.c): of those seen as BYTES, DEVICE and LAYOUT a ptio_text, as SIZE and FROZENSET the node with the items.
 */
#ifndef PTIO_PICKLE_GRAPH_H
#define PTIO_PICKLE_GRAPH_H

#include "base/memory.h"
#include "base/text.h"
#include "ptio.h"

typedef enum ptio_node_type {
    PTIO_NODE_TYPE_NONE,
    PTIO_NODE_TYPE_BOOL,
    PTIO_NODE_TYPE_INT,
    PTIO_NODE_TYPE_FLOAT,
    PTIO_NODE_TYPE_STR,
    PTIO_NODE_TYPE_BYTES,
    PTIO_NODE_TYPE_BYTEARRAY,
    PTIO_NODE_TYPE_PY2STR,
    PTIO_NODE_TYPE_TUPLE,
    PTIO_NODE_TYPE_LIST,
    PTIO_NODE_TYPE_SET,
    PTIO_NODE_TYPE_FROZENSET,
    PTIO_NODE_TYPE_DICT,
    PTIO_NODE_TYPE_GLOBAL,
    PTIO_NODE_TYPE_PERSISTENT,
    PTIO_NODE_TYPE_REDUCED
} ptio_node_type;

/* Flags of a node. Two numbers that are alike are never of one type of node. */
enum {
    PTIO_NODE_CONSTANT = 1,  /* static, shared by all graphs: never written to                                     */
    PTIO_NODE_BIG = 2,       /* INT of more than 64 bits                                                            */
    PTIO_NODE_LONG = 4,      /* INT written by LONG, LONG1 or LONG4: a `long` of Python 2                           */
    PTIO_NODE_MEMOIZED = 8,  /* a PUT named it: Python 2 does so only for objects that are used twice               */
    PTIO_NODE_TEXT_ID = 16,  /* PERSISTENT written by PERSID: its id is a line of text                              */
    PTIO_NODE_FLEETING = 2,  /* TUPLE, PERSISTENT, REDUCED that a reducer has made for one visit: nobody meets it again        */
    PTIO_NODE_ITSELF = 4,    /* STR, GLOBAL of a reducer: it is what is written for it                                        */
    PTIO_NODE_INTERNED = 16, /* STR of a builder: it is the one of its text, of PyTorch's own words too                       */
    PTIO_NODE_HASHABLE = 16, /* TUPLE that holds no list, dict, set or bytearray, at any depth; set once that was asked */
    PTIO_NODE_ONCE = 32,     /* made by the machine and not taken up again, by GET or DUP: one place of the graph holds it */
    /* 64 is the interpreter's */
    PTIO_NODE_LATE_KEY = 128 /* TUPLE or SET that holds an object or frozenset, DICT with such a key: see key.h */
};

/** Every node begins so. */
struct ptio_value {
    uint8_t type; /* ptio_node_type                                                                      */
    uint8_t seen; /* ptio_kind                                                                           */
    uint8_t flags;
    uint8_t opcode; /* REDUCED: the opcode that made it                                                    */
    uint32_t count; /* items, entries, bytes of a text; of GLOBAL, PERSISTENT and REDUCED: offset of the
                                 opcode in the pickle                                                                */
};

typedef struct ptio_node_int {
    ptio_value head;
    union {
        int64_t value;
        const uint8_t *bytes; /* head.count of them */
    } u;
} ptio_node_int;

typedef struct ptio_node_float {
    ptio_value head;
    double value;
} ptio_node_float;

typedef struct ptio_node_text {
    ptio_value head;
    const char *bytes; /* head.count of them; the file's own bytes, not decoded */
} ptio_node_text;

/** A byte string of Python 2. `seen` is PTIO_KIND_STR where `decoded` is its text, PTIO_KIND_BYTES where it stays bytes. */
typedef struct ptio_node_py2str {
    ptio_node_text raw;
    ptio_text decoded;
} ptio_node_py2str;

typedef struct ptio_node_tuple {
    ptio_value head;
    const ptio_value *items[];
} ptio_node_tuple;

/**
 * A hash table over the keys of a dict, made when the load ends.
 *
 * A slot holds the position of a key in the merged order + 1 in its low `place_bits`, above them as many bits of the key's hash as
 * fit; 0 is empty. Four bytes for each, so that the table of 200,000 keys stays in the processor's cache while it is filled.
 */
typedef struct ptio_key_index {
    uint64_t hash_key; /* of ptio_hash()                                                            */
    size_t slot_count; /* a power of two                                                            */
    uint32_t distinct; /* entries once equal keys are merged: the last value stays at the first place */
    uint32_t place_bits;
    uint32_t *order;  /* entry whose key counts, for each of those; NULL where nothing merged      */
    uint32_t *values; /* entry whose value counts                                                  */
    uint32_t slots[];
} ptio_key_index;

/** The items of a list or set, the entries of a dict (key, value, key, value …). */
typedef struct ptio_block {
    size_t capacity; /* in pointers */
    union {
        /* Of a dict; NULL for small ones without equal keys: they are searched. It is here and not in the node so that a flood of
         * empty dicts stays within 32 bytes each. */
        ptio_key_index *index;
        /* Of a set: a LIST of its items, each once; NULL where no two are equal. */
        const struct ptio_node_list *distinct;
    };
    const ptio_value *items[];
} ptio_block;

typedef struct ptio_node_list {
    ptio_value head;
    ptio_block *block; /* NULL while empty */
} ptio_node_list;

typedef struct ptio_node_dict {
    ptio_value head;
    ptio_block *block; /* 2 * head.count pointers; NULL while empty */
} ptio_node_dict;

typedef struct ptio_node_global {
    ptio_value head;
    const ptio_value *module, *name; /* STR nodes; of STACK_GLOBAL the file's own */
    const void *meaning;
} ptio_node_global;

typedef struct ptio_node_persistent {
    ptio_value head;
    const ptio_value *id;
    const void *meaning;
} ptio_node_persistent;

/** What is done to a reduced object after it was made, in the order list items, entries, state, as picklers write it. */
typedef struct ptio_more {
    ptio_node_list items;       /* a LIST node that is not on its own in the graph */
    ptio_node_dict entries;     /* a DICT node likewise                            */
    ptio_node_list states;      /* BUILDs                                          */
    const ptio_value *keywords; /* of NEWOBJ_EX                                    */
} ptio_more;

typedef struct ptio_node_reduced {
    ptio_value head;
    const ptio_value *callable;
    const ptio_value *arguments; /* a TUPLE node in every stream that a pickler wrote */
    ptio_more *more;
    const void *meaning;
} ptio_node_reduced;

/** How the pickle was written, so that it can be written again. */
typedef struct ptio_dialect {
    uint8_t protocol; /* of the first PROTO; 0 without one                     */
    bool framed;      /* FRAME was used                                        */
    bool python2;     /* Python 2's strings occur                              */
    bool sparse_memo; /* memo numbers do not count up from 0                   */
    bool unusual;     /* an opcode occurs that is not in ptio_opcode_usual[]   */
} ptio_dialect;

/** One pickle, run. */
typedef struct ptio_graph {
    ptio_arena *arena;
    const uint8_t *bytes; /* the pickle; texts point into it, so it lives as long  */
    size_t size;          /* up to and with STOP                                   */
    const ptio_value *root;
    ptio_dialect dialect;
    uint64_t hash_key;          /* of all key indexes                                    */
    const ptio_value **objects; /* every GLOBAL, PERSISTENT and REDUCED node, in the order in which they were made */
    size_t object_count, object_capacity;
    ptio_node_dict **dicts; /* every DICT node with entries, those in `more` too     */
    size_t dict_count, dict_capacity;
    ptio_node_list **sets; /* every SET and FROZENSET node with items               */
    size_t set_count, set_capacity;
    uint64_t steps; /* spent on the items of sets that are calls            */
} ptio_graph;

/* Constants. */
extern const ptio_value ptio_none, ptio_true, ptio_false;
extern const ptio_node_tuple ptio_empty_tuple;
extern const ptio_node_int ptio_small_ints[256];

/* Reading nodes. Callers have checked the type. */

#define PTIO_NODE(type, value) ((const ptio_node_##type *)(const void *)(value))

static inline ptio_text ptio_node_text_of(const ptio_value *value)
{
    return (ptio_text){PTIO_NODE(text, value)->bytes, value->count};
}

/** The text of a str as it is seen: of a Python 2 string its decoded one. */
static inline ptio_text ptio_node_str_of(const ptio_value *value)
{
    return value->type == PTIO_NODE_TYPE_PY2STR && value->seen == PTIO_KIND_STR ? PTIO_NODE(py2str, value)->decoded
                                                                                : ptio_node_text_of(value);
}

static inline bool ptio_node_is_str(const ptio_value *value, const char *text)
{
    return value && (value->type == PTIO_NODE_TYPE_STR || value->type == PTIO_NODE_TYPE_PY2STR) &&
           ptio_text_is(ptio_node_text_of(value), text);
}

static inline const ptio_value *ptio_tuple_item(const ptio_value *tuple, size_t index)
{
    return PTIO_NODE(tuple, tuple)->items[index];
}

/** A second place of the graph holds it from now on. */
static inline void ptio_node_met_again(ptio_value *value)
{
    if (value->flags & PTIO_NODE_ONCE) /* constants, which are never written to, have it not */
        value->flags &= (uint8_t)~PTIO_NODE_ONCE;
}

/** The items of a TUPLE, LIST, SET or FROZENSET node, those of sets each once; NULL and 0 for other nodes. */
static inline const ptio_value *const *ptio_node_items(const ptio_value *node, size_t *count)
{
    static const ptio_value *const none[1] = {NULL};
    *count = 0;
    if (node->type < PTIO_NODE_TYPE_TUPLE || node->type > PTIO_NODE_TYPE_FROZENSET)
        return NULL;
    *count = node->count;
    if (node->type == PTIO_NODE_TYPE_TUPLE)
        return PTIO_NODE(tuple, node)->items;
    if (!node->count)
        return none;
    const ptio_node_list *list = PTIO_NODE(list, node);
    if (node->type != PTIO_NODE_TYPE_LIST && list->block->distinct) {
        list = list->block->distinct;
        *count = list->head.count;
    }
    return list->block->items;
}

/** Whether a value is an int (or bool) of 64 bits; then *ret is it. */
bool ptio_node_int64(const ptio_value *value, int64_t *ret);

/* Finding keys. As in Python, 1, 1.0 and True are one key; objects are keys by identity. */

/**
 * Index all dicts of a graph and merge the equal items of its sets.
 *
 * Objects are taken by identity here; once they were interpreted, ptio_graph_settle_keys() does again what depends on them.
 *
 * Errors     PTIO_ERR_FORMAT a key cannot be hashed (list, dict, set, bytearray; those of a pickle the machine has refused
 *            already, with their offset); PTIO_ERR_LIMIT hashing and comparing takes more than 64 steps for each
 *            byte of the pickle
 */
ptio_status ptio_graph_index_keys(ptio_graph *graph, ptio_heap *heap, ptio_error *err);
ptio_status ptio_graph_settle_keys(ptio_graph *graph, ptio_heap *heap, ptio_error *err);

/** Items as those of a set: all must be hashable. Gives in *ret a LIST of them, each once; NULL where no two are equal. All calls
 *  for one graph together may take 64 steps for each byte of the pickle. */
ptio_status ptio_graph_distinct_items(ptio_graph *graph, const ptio_value *const *items, size_t count, ptio_heap *heap,
                                      const ptio_node_list **ret, ptio_error *err);

/** Entries of a dict with equal keys merged; key and value of the index-th of them. */
size_t ptio_dict_count(const ptio_node_dict *dict);
const ptio_value *ptio_dict_key(const ptio_node_dict *dict, size_t index);
const ptio_value *ptio_dict_value(const ptio_node_dict *dict, size_t index);

/** The merged position of a str key (or Python 2 str) of these bytes, or of an int key; SIZE_MAX where there is none. */
size_t ptio_dict_find_text(const ptio_node_dict *dict, ptio_text key);
size_t ptio_dict_find_int(const ptio_node_dict *dict, int64_t key);

/** The same of any key, also one of another graph. Takes no memory: tuples and frozensets that are nested deeper than this, or
 *  take more steps, are not found. */
#define PTIO_FIND_DEPTH 64
#define PTIO_FIND_STEPS 1000000
size_t ptio_dict_find_value(const ptio_node_dict *dict, const ptio_value *key);

/* Making nodes, for the machine and for interpreters that need values of their own. NULL where there is no memory. */

ptio_value *ptio_node_new_int(ptio_arena *arena, int64_t value);
ptio_value *ptio_node_new_text(ptio_arena *arena, ptio_node_type type, const char *bytes, size_t size);
ptio_node_tuple *ptio_node_new_tuple(ptio_arena *arena, size_t count);
ptio_node_dict *ptio_node_new_dict(ptio_arena *arena);

/** Append to a block of a list, set or dict: `count` pointers. False where there is no memory. */
bool ptio_block_append(ptio_arena *arena, ptio_block **block, size_t used, const ptio_value *const *items, size_t count);

#endif
