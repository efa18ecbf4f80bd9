/*
 * ptio tree --raw --json: the nodes of the pickle, as its pickler saw them.
 *
 *     {"node":"reduced","id":3,"op":"REDUCE","callable":{...},"args":{...},"items":[...],"entries":[[k,v]],"state":[...]}
 *
 * The library's walk visits node after node; here each visit is put under the right key of its parent. For that one byte a level
 * is kept: the key whose bracket is open.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/json_out.h"
#include "cli/tree_leaf.h"

typedef enum section { NO_SECTION, ITEMS, ENTRIES, STATES, OTHER } section;

typedef struct raw {
    uint8_t *sections;
    size_t capacity;
    bool no_memory;
} raw;

static section section_of(ptio_role role)
{
    switch (role) {
    case PTIO_ROLE_ITEM: return ITEMS;
    case PTIO_ROLE_KEY:
    case PTIO_ROLE_VALUE: return ENTRIES;
    case PTIO_ROLE_STATE: return STATES;
    default: return OTHER;
    }
}

/* Room for the children of a node at `depth`. */
static bool make_room(raw *r, size_t depth)
{
    if (depth + 2 < r->capacity)
        return true;
    size_t capacity = r->capacity ? r->capacity * 2 : 256;
    uint8_t *moved = realloc(r->sections, capacity);
    if (!moved) {
        r->no_memory = true;
        return false;
    }
    r->sections = moved;
    r->capacity = capacity;
    return true;
}

static void close_section(section open)
{
    if (open == ITEMS || open == ENTRIES || open == STATES)
        out_char(']');
}

/* What stands between the last child of the parent and this one. */
static void write_joint(raw *r, const ptio_visit *visit)
{
    if (visit->role == PTIO_ROLE_ROOT)
        return;
    section open = (section)r->sections[visit->depth], wanted = section_of(visit->role);
    r->sections[visit->depth] = (uint8_t)wanted;
    if (visit->role == PTIO_ROLE_VALUE) {
        out_char(',');
        return;
    }
    if (open == wanted && wanted != OTHER) {
        out_char(',');
    } else {
        close_section(open);
        static const char *const keys[] = {[ITEMS] = "items", [ENTRIES] = "entries", [STATES] = "state"};
        if (wanted == OTHER)
            out_json_key(false, visit->role == PTIO_ROLE_CALLABLE   ? "callable"
                                : visit->role == PTIO_ROLE_KEYWORDS ? "kwargs"
                                                                    : "args");
        else
            out_json_key(false, keys[wanted]);
        if (wanted != OTHER)
            out_char('[');
    }
    if (wanted == ENTRIES)
        out_char('[');
}

static bool has_contents(const ptio_value *value)
{
    switch (ptio_node_view(value)) {
    case PTIO_NODE_SEQUENCE:
    case PTIO_NODE_MAPPING:
    case PTIO_NODE_PERSISTENT:
    case PTIO_NODE_REDUCED: return true;
    default: return false;
    }
}

static const char *sequence_name(const ptio_value *value)
{
    switch (ptio_value_kind(value)) {
    case PTIO_KIND_TUPLE: return "tuple";
    case PTIO_KIND_SET: return "set";
    case PTIO_KIND_FROZENSET: return "frozenset";
    default: return "list";
    }
}

static void write_head(const ptio_visit *visit)
{
    const ptio_value *value = visit->value;
    switch (ptio_node_view(value)) {
    case PTIO_NODE_SEQUENCE:
        out_string("{\"node\":\"");
        out_string(sequence_name(value));
        out_char('"');
        break;
    case PTIO_NODE_MAPPING: out_string("{\"node\":\"dict\""); break;
    case PTIO_NODE_PERSISTENT:
    case PTIO_NODE_REDUCED:
        out_string(ptio_node_view(value) == PTIO_NODE_REDUCED ? "{\"node\":\"reduced\"" : "{\"node\":\"persistent\"");
        out_json_key(false, "op");
        out_json_word(ptio_node_opcode(value));
        out_json_key(false, "seen");
        out_json_word(ptio_kind_name(ptio_value_kind(value)));
        break;
    case PTIO_NODE_GLOBAL:
        out_string("{\"node\":\"global\"");
        out_json_key(false, "module");
        out_json_string(ptio_node_module(value));
        out_json_key(false, "name");
        out_json_string(ptio_node_qualname(value));
        out_char('}');
        return;
    default:
        out_string("{\"node\":");
        if (!tree_leaf(value))
            out_string("null");
        out_char('}');
        return;
    }
    out_json_key(false, "id");
    out_u64(visit->number);
}

static ptio_walk_next visit_node(void *ctx, const ptio_visit *visit)
{
    raw *r = ctx;
    if (out_failed() || !make_room(r, visit->depth))
        return PTIO_WALK_STOP;
    if (visit->leaving) {
        close_section((section)r->sections[visit->depth + 1]);
        out_char('}');
    } else {
        write_joint(r, visit);
        if (visit->again && has_contents(visit->value)) {
            out_string("{\"node\":\"ref\",\"id\":");
            out_u64(visit->number);
            out_char('}');
        } else {
            write_head(visit);
        }
        r->sections[visit->depth + 1] = NO_SECTION;
    }
    bool ended = visit->leaving || visit->again || !has_contents(visit->value);
    if (ended && visit->role == PTIO_ROLE_VALUE)
        out_char(']');
    return PTIO_WALK_ON;
}

int cli_tree_raw_json(const cli_options *options, const cli_file *file)
{
    raw r = {0};
    ptio_error err = {0};
    ptio_walk_options walk = {PTIO_WALK_OPTIONS, .raw = true, .arguments = true, .limits = options->load.limits};
    ptio_status status = ptio_walk(file->value, &walk, visit_node, &r, &err);
    out_char('\n');
    free(r.sections);
    if (status == PTIO_OK || out_failed())
        return CLI_GOOD;
    (void)out_end(CLI_GOOD);
    if (r.no_memory)
        err.status = PTIO_ERR_MEMORY;
    return cli_fail(options->file, &err);
}
