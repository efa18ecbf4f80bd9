/*
 * Making nodes and reading the simplest of them. What the machine makes in its loop it makes itself, in the same form.
 */
#include "pickle/graph.h"

#define CONSTANT(kind, number)                                                                                  \
    {                                                                                                           \
        .type = PTIO_NODE_TYPE_##kind, .seen = PTIO_KIND_##kind, .flags = PTIO_NODE_CONSTANT, .count = (number) \
    }

const ptio_value ptio_none = CONSTANT(NONE, 0);
const ptio_value ptio_true = CONSTANT(BOOL, 1);
const ptio_value ptio_false = CONSTANT(BOOL, 0);
const ptio_node_tuple ptio_empty_tuple = {CONSTANT(TUPLE, 0)};

#define INT(n)            \
    {                     \
        CONSTANT(INT, 0), \
        {                 \
            (n)           \
        }                 \
    }
#define INTS4(n) INT(n), INT((n) + 1), INT((n) + 2), INT((n) + 3)
#define INTS16(n) INTS4(n), INTS4((n) + 4), INTS4((n) + 8), INTS4((n) + 12)
#define INTS64(n) INTS16(n), INTS16((n) + 16), INTS16((n) + 32), INTS16((n) + 48)
const ptio_node_int ptio_small_ints[256] = {INTS64(0), INTS64(64), INTS64(128), INTS64(192)};

bool ptio_node_int64(const ptio_value *value, int64_t *ret)
{
    if (value->type == PTIO_NODE_TYPE_BOOL) {
        *ret = value == &ptio_true;
        return true;
    }
    if (value->type != PTIO_NODE_TYPE_INT || (value->flags & PTIO_NODE_BIG))
        return false;
    *ret = PTIO_NODE(int, value)->u.value;
    return true;
}

ptio_value *ptio_node_new_int(ptio_arena *arena, int64_t value)
{
    ptio_node_int *node = ptio_arena_alloc(arena, sizeof *node);
    if (!node)
        return NULL;
    *node = (ptio_node_int){{.type = PTIO_NODE_TYPE_INT, .seen = PTIO_KIND_INT}, {value}};
    return &node->head;
}

static ptio_kind kind_of_text(ptio_node_type type)
{
    return type == PTIO_NODE_TYPE_STR ? PTIO_KIND_STR : type == PTIO_NODE_TYPE_BYTEARRAY ? PTIO_KIND_BYTEARRAY : PTIO_KIND_BYTES;
}

ptio_value *ptio_node_new_text(ptio_arena *arena, ptio_node_type type, const char *bytes, size_t size)
{
    bool python2 = type == PTIO_NODE_TYPE_PY2STR;
    if (size > UINT32_MAX)
        return NULL;
    ptio_node_text *node = ptio_arena_alloc(arena, python2 ? sizeof(ptio_node_py2str) : sizeof *node);
    if (!node)
        return NULL;
    *node = (ptio_node_text){{.type = (uint8_t)type, .seen = (uint8_t)kind_of_text(type), .count = (uint32_t)size}, bytes};
    if (python2)
        ((ptio_node_py2str *)(void *)node)->decoded = (ptio_text){NULL, 0};
    return &node->head;
}

ptio_node_tuple *ptio_node_new_tuple(ptio_arena *arena, size_t count)
{
    if (count > UINT32_MAX || count > (SIZE_MAX - sizeof(ptio_node_tuple)) / sizeof(ptio_value *))
        return NULL;
    ptio_node_tuple *node = ptio_arena_alloc(arena, sizeof *node + count * sizeof(ptio_value *));
    if (node)
        node->head = (ptio_value){.type = PTIO_NODE_TYPE_TUPLE, .seen = PTIO_KIND_TUPLE, .count = (uint32_t)count};
    return node;
}

ptio_node_dict *ptio_node_new_dict(ptio_arena *arena)
{
    ptio_node_dict *node = ptio_arena_alloc(arena, sizeof *node);
    if (node)
        *node = (ptio_node_dict){{.type = PTIO_NODE_TYPE_DICT, .seen = PTIO_KIND_DICT}, NULL};
    return node;
}

static size_t block_size(size_t capacity)
{
    return (sizeof(ptio_block) + capacity * sizeof(ptio_value *) + 7) & ~(size_t)7;
}

/* The first block is as large as what it is made for: most containers are filled by one opcode. Then it doubles, which makes all
 * blocks of a container together at most four times its items; those that are left serve as memory for nodes. */
static ptio_block *grow_block(ptio_arena *arena, ptio_block *block, size_t used, size_t need)
{
    size_t capacity = block && block->capacity * 2 > need ? block->capacity * 2 : need;
    if (capacity > (SIZE_MAX - sizeof(ptio_block) - 7) / sizeof(ptio_value *))
        return NULL;
    ptio_block *grown = ptio_arena_alloc(arena, block_size(capacity));
    if (!grown)
        return NULL;
    grown->capacity = capacity;
    grown->index = NULL;
    if (used)
        memcpy(grown->items, block->items, used * sizeof(ptio_value *));
    if (block)
        ptio_arena_give_back(arena, block, block_size(block->capacity));
    return grown;
}

bool ptio_block_append(ptio_arena *arena, ptio_block **block, size_t used, const ptio_value *const *items, size_t count)
{
    if (count > SIZE_MAX / 4 / sizeof(ptio_value *) - used)
        return false;
    if (!*block || (*block)->capacity - used < count) {
        ptio_block *grown = grow_block(arena, *block, used, used + count);
        if (!grown)
            return false;
        *block = grown;
    }
    memcpy((*block)->items + used, items, count * sizeof(ptio_value *));
    return true;
}
