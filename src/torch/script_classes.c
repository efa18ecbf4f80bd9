/*
 * Reading the classes of TorchScript sources: one pass over the lines of a file, when the first class of it is asked for.
 */
#include "torch/script_classes.h"

#include "base/cursor.h"

#include <stdio.h>

static ptio_status no_memory(const ptio_script_classes *c, ptio_error *err)
{
    return ptio_heap_fail(&c->loader->ckpt->heap, err, "the classes of TorchScript");
}

/* ---- the table of classes ---- */

static uint32_t *slot_of(const ptio_script_classes *c, ptio_text name, bool is_file)
{
    size_t at = (size_t)ptio_hash(c->hash_key + is_file, name.bytes, name.size) & (c->slot_count - 1);
    while (c->slots[at]) {
        const ptio_script_class *row = &c->rows[c->slots[at] - 1];
        if (row->is_file == is_file && ptio_text_equal(row->full_name, name))
            break;
        at = (at + 1) & (c->slot_count - 1);
    }
    return &c->slots[at];
}

static ptio_script_class *find(const ptio_script_classes *c, ptio_text name, bool is_file)
{
    uint32_t row = c->slot_count ? *slot_of(c, name, is_file) : 0;
    return row ? &c->rows[row - 1] : NULL;
}

static bool grow_slots(ptio_script_classes *c)
{
    ptio_heap *heap = &c->loader->ckpt->heap;
    size_t wanted = c->slot_count ? c->slot_count * 2 : 64;
    uint32_t *slots = ptio_heap_resize(heap, NULL, 0, wanted * sizeof *slots);
    if (!slots)
        return false;
    memset(slots, 0, wanted * sizeof *slots);
    ptio_heap_free(heap, c->slots, c->slot_count * sizeof *slots);
    if (!c->slot_count)
        c->hash_key = ptio_os_random();
    c->slots = slots;
    c->slot_count = wanted;
    for (size_t i = 0; i < c->count; i++)
        *slot_of(c, c->rows[i].full_name, c->rows[i].is_file) = (uint32_t)i + 1;
    return true;
}

/* A new row; the first of a name stays. NULL where there is no memory. Rows move when others are added. */
static ptio_script_class *add(ptio_script_classes *c, ptio_text name, bool is_file)
{
    ptio_script_class *known = find(c, name, is_file);
    if (known)
        return known;
    if (c->count == c->capacity) {
        ptio_script_class *moved = ptio_heap_grow(&c->loader->ckpt->heap, c->rows, &c->capacity, c->count + 1, sizeof *c->rows);
        if (!moved)
            return NULL;
        c->rows = moved;
    }
    if (c->count * 2 >= c->slot_count && !grow_slots(c))
        return NULL;
    c->rows[c->count++] = (ptio_script_class){.full_name = name, .is_file = is_file};
    *slot_of(c, name, is_file) = (uint32_t)c->count;
    return &c->rows[c->count - 1];
}

/* ---- lines ---- */

static ptio_text after(ptio_text line, const char *prefix)
{
    size_t size = strlen(prefix);
    return ptio_text_starts(line, prefix) ? (ptio_text){line.bytes + size, line.size - size} : (ptio_text){NULL, 0};
}

/* The next string of a list ["weight", "bias", ], as it stands between its quotes. */
static bool next_string(ptio_cursor *c, ptio_text *ret)
{
    const uint8_t *letter;
    do
        letter = ptio_cursor_take(c, 1);
    while (letter && (*letter == ' ' || *letter == ','));
    if (!letter || *letter != '"')
        return false;
    const uint8_t *start = c->pos;
    while ((letter = ptio_cursor_take(c, 1)) != NULL && *letter != '"') {
        if (*letter == '\\')
            (void)ptio_cursor_take(c, 1);
    }
    *ret = (ptio_text){(const char *)start, letter ? (size_t)(letter - start) : 0};
    return letter != NULL;
}

/* Escapes are of quotes and backslashes: attributes are names. Gives no bytes where there is no memory. */
static ptio_text unescaped(ptio_arena *arena, ptio_text string)
{
    char *name = ptio_arena_alloc(arena, string.size + 1);
    size_t size = 0;
    for (size_t i = 0; name && i < string.size; i++) {
        if (string.bytes[i] == '\\' && i + 1 < string.size)
            i++;
        name[size++] = string.bytes[i];
    }
    return (ptio_text){name, size};
}

static ptio_status read_names(ptio_script_classes *c, ptio_text list, const ptio_node_dict **ret, ptio_error *err)
{
    ptio_loader *loader = c->loader;
    ptio_cursor cursor = ptio_cursor_over(list.bytes, list.size);
    ptio_node_dict *names;
    ptio_text string;
    ptio_status status = ptio_make_dict(loader, &names, err);
    while (status == PTIO_OK && next_string(&cursor, &string)) {
        const ptio_value *key = NULL;
        ptio_text name = unescaped(&loader->ckpt->arena, string);
        status = name.bytes ? ptio_make_str(loader, name, &key, err) : no_memory(c, err);
        if (status == PTIO_OK)
            status = ptio_make_entry(loader, names, key, &ptio_true, err);
    }
    if (status == PTIO_OK)
        status = ptio_make_index(loader, names, err);
    *ret = names;
    return status;
}

/* "class Small(Module):" */
static ptio_status read_class(ptio_script_classes *c, ptio_text module, ptio_text rest, size_t *row, ptio_error *err)
{
    size_t size = 0;
    while (size < rest.size && rest.bytes[size] != '(' && rest.bytes[size] != ':')
        size++;
    char *name = ptio_arena_alloc(&c->loader->ckpt->arena, module.size + 1 + size);
    if (!name)
        return no_memory(c, err);
    memcpy(name, module.bytes, module.size);
    name[module.size] = '.';
    memcpy(name + module.size + 1, rest.bytes, size);
    ptio_script_class *class = add(c, (ptio_text){name, module.size + 1 + size}, false);
    if (!class)
        return no_memory(c, err);
    class->is_module = ptio_text_starts((ptio_text){rest.bytes + size, rest.size - size}, "(Module)");
    *row = (size_t)(class - c->rows);
    return PTIO_OK;
}

static ptio_status read_source(ptio_script_classes *c, ptio_text module, ptio_text source, ptio_error *err)
{
    ptio_cursor cursor = ptio_cursor_over(source.bytes, source.size);
    const uint8_t *start;
    size_t size, row = SIZE_MAX;
    ptio_status status = PTIO_OK;
    while (status == PTIO_OK && (start = ptio_cursor_line(&cursor, source.size, &size)) != NULL) {
        ptio_text line = {(const char *)start, size}, class = after(line, "class ");
        ptio_text parameters = after(line, "  __parameters__ = ["), buffers = after(line, "  __buffers__ = [");
        if (class.bytes)
            status = read_class(c, module, class, &row, err);
        else if (size && line.bytes[0] != ' ')
            row = SIZE_MAX;
        else if (parameters.bytes && row != SIZE_MAX)
            status = read_names(c, parameters, &c->rows[row].parameters, err);
        else if (buffers.bytes && row != SIZE_MAX)
            status = read_names(c, buffers, &c->rows[row].buffers, err);
    }
    return status;
}

/* code/__torch__/scripted.py of the module __torch__.scripted */
static size_t record_of(const ptio_script_classes *c, ptio_text module)
{
    char name[1100];
    if (module.size > 1024)
        return SIZE_MAX;
    int size = snprintf(name, sizeof name, "code/%.*s.py", (int)module.size, module.bytes);
    for (int i = 5; i < 5 + (int)module.size; i++) {
        if (name[i] == '.')
            name[i] = '/';
    }
    return ptio_archive_lookup_in_root(c->loader->ckpt->archive, (ptio_text){name, (size_t)size});
}

static ptio_status read_file(ptio_script_classes *c, ptio_text module, ptio_error *err)
{
    size_t record = record_of(c, module);
    ptio_text source;
    if (!add(c, module, true))
        return no_memory(c, err);
    if (record == SIZE_MAX)
        return PTIO_OK;
    ptio_status status = ptio_loader_read_record(c->loader, record, &source, err);
    return status == PTIO_OK ? read_source(c, module, source, err) : status;
}

ptio_status ptio_script_class_find(ptio_script_classes *c, const ptio_global *global, const ptio_script_class **ret,
                                   ptio_error *err)
{
    *ret = NULL;
    if (!ptio_text_starts(global->module, "__torch__"))
        return PTIO_OK;
    ptio_status status = find(c, global->module, true) ? PTIO_OK : read_file(c, global->module, err);
    if (status == PTIO_OK)
        *ret = find(c, global->full_name, false);
    return status;
}

void ptio_script_classes_free(ptio_script_classes *c)
{
    ptio_heap *heap = &c->loader->ckpt->heap;
    ptio_heap_free(heap, c->rows, c->capacity * sizeof *c->rows);
    ptio_heap_free(heap, c->slots, c->slot_count * sizeof *c->slots);
}
