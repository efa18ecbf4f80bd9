/*
 * The walks over what is to be saved: the first leaves out, the second casts and renames what stays. Each dict is decided on while its
 * contents are walked, and changed when they are done: only then is it known whether something below an entry was selected.
 *
 * A walk follows the changes that were made already (ptio_edited()), so a module that became a state_dict is walked as one. It goes
 * through dicts, lists and tuples; everything else has a name, but nothing in it has.
 */
#include "cli/edit.h"

#include <stdlib.h>
#include <string.h>

#include "cli/out.h"

/** What becomes of an entry of a dict. */
typedef struct fate {
    bool keep;
    char *key;      /* the new one, or NULL                        */
    size_t size;    /* of it                                       */
    uint64_t moved; /* bits: by which renames to the end           */
} fate;

/** A container whose contents are being walked. */
typedef struct level {
    const ptio_value *value;
    size_t next, count;
    size_t path_size; /* of its own name                            */
    bool selected;    /* with all that is in it                     */
    bool any;         /* something in it was                        */
    bool is_dict;
    fate *fates;  /* of a dict, one for each entry              */
    grown *names; /* its own name after each rename             */
} level;

typedef struct walk {
    editor *ed;
    level *levels;
    size_t depth, capacity;
} walk;

/* ---- telling ---- */

static int to_stderr(void *ctx, const char *text, size_t size)
{
    (void)ctx;
    return fwrite(text, 1, size, stderr) == size ? 0 : -1;
}

bool edit_fail(editor *ed, int code, const char *name, size_t size, const char *what)
{
    (void)fputs("ptio: ", stderr);
    const char *file = strcmp(ed->options->file, "-") == 0 ? "standard input" : ed->options->file;
    (void)ptio_print_escaped((ptio_text){file, strlen(file)}, to_stderr, NULL, NULL);
    (void)fputs(": ", stderr);
    if (size) {
        (void)ptio_print_escaped((ptio_text){name, size}, to_stderr, NULL, NULL);
        (void)fputs(": ", stderr);
    }
    (void)fprintf(stderr, "%s\n", what);
    ed->code = code;
    return false;
}

bool edit_no_memory(editor *ed)
{
    return edit_fail(ed, CLI_LIMIT, "", 0, "out of memory");
}

bool edit_builder_fail(editor *ed, ptio_text name)
{
    ptio_error err = {0};
    ptio_status status = ptio_builder_status(ed->builder, &err);
    return edit_fail(ed, cli_exit_code(status), name.bytes, name.size, err.message);
}

void edit_tell(const editor *ed, const char *what, ptio_text name, const char *arrow, ptio_text other)
{
    if (!ed->options->dry_run)
        return;
    out_string(what);
    out_spaces(8 - strlen(what));
    out_escaped(name);
    if (arrow) {
        out_string(arrow);
        out_escaped(other);
    }
    out_char('\n');
}

static ptio_text nothing(void)
{
    return (ptio_text){"", 0};
}

/* ---- names ---- */

/* A key as it stands in a name. A NUL would end the name for those who match it. */
static bool add_key(editor *ed, const ptio_value *key, grown *ret)
{
    ptio_text text = ptio_value_str(key);
    if (ptio_value_kind(key) != PTIO_KIND_STR)
        return ptio_print(key, NULL, grow_write, ret, NULL) == PTIO_OK || edit_no_memory(ed);
    for (size_t at = 0; at < text.size;) {
        const char *nul = memchr(text.bytes + at, '\0', text.size - at);
        size_t piece = nul ? (size_t)(nul - text.bytes) - at : text.size - at;
        if (!grow_add(ret, text.bytes + at, piece) || (nul && !grow_string(ret, "\\x00")))
            return edit_no_memory(ed);
        at += piece + (nul != NULL);
    }
    return true;
}

/* The name of what is in the topmost level, at `index`. Gives in *key where its last part begins. */
static bool name_item(walk *w, size_t index, size_t *key)
{
    editor *ed = w->ed;
    const level *top = &w->levels[w->depth - 1];
    grow_cut(&ed->path, top->path_size);
    if (!grow_string(&ed->path, top->path_size ? "." : ""))
        return edit_no_memory(ed);
    *key = ed->path.size;
    if (top->is_dict)
        return add_key(ed, ptio_value_key(top->value, index), &ed->path);
    char number[24];
    (void)snprintf(number, sizeof number, "%zu", index);
    return grow_string(&ed->path, number) || edit_no_memory(ed);
}

static bool fail_rename(editor *ed, const char *before, const grown *after, const char *why)
{
    grown what = {0};
    bool made = !after->size ? grow_string(&what, "would have no name")
                             : grow_string(&what, "would become ") &&
                                   ptio_print_escaped(grow_text(after), grow_write, &what, NULL) == PTIO_OK &&
                                   grow_string(&what, ", ") && grow_string(&what, why);
    if (!made)
        edit_no_memory(ed);
    else
        edit_fail(ed, CLI_USAGE, before, strlen(before), what.bytes);
    grow_free(&what);
    return false;
}

/* What the renames make of a name below `top`, step by step: its last part stays in the container's own name. `names` takes the whole
 * name after each rename, and may be NULL; ed->text ends as the last. *moved tells which renames move the entry to the end. */
static bool rename_below(editor *ed, const level *top, size_t key, grown *names, uint64_t *moved, size_t *key_ret)
{
    const char *before = grow_chars(&ed->path);
    size_t rename = 0;
    *moved = 0;
    grow_cut(&ed->text, 0);
    if (!grow_add(&ed->text, ed->path.bytes, ed->path.size))
        return edit_no_memory(ed);
    for (size_t i = 0; i < ed->step_count; i++) {
        edit_step *step = &ed->steps[i];
        bool hit;
        if (!edit_is_rename(step))
            continue;
        const grown *parent = &top->names[rename];
        if (!edit_rename(ed, step, grow_chars(&ed->text), key, parent, &ed->more, &hit))
            return false;
        key = parent->size + (parent->size > 0);
        if (ed->more.size < key || strncmp(grow_chars(&ed->more), grow_chars(parent), parent->size) != 0 ||
            (parent->size && ed->more.bytes[parent->size] != '.'))
            return fail_rename(ed, before, &ed->more, "which is outside of the dict that it is in");
        if (hit && step->kind == CLI_CHANGE_STRIP_PREFIX)
            *moved |= (uint64_t)1 << rename;
        step->matched += hit;
        grown other = ed->text;
        ed->text = ed->more;
        ed->more = other;
        if (names && !grow_add(&names[rename], ed->text.bytes, ed->text.size))
            return edit_no_memory(ed);
        rename++;
    }
    *key_ret = key;
    return true;
}

/* ---- levels ---- */

static void free_level(const editor *ed, level *top)
{
    for (size_t i = 0; top->fates && i < top->count; i++)
        free(top->fates[i].key);
    for (size_t i = 0; top->names && i < ed->rename_count; i++)
        grow_free(&top->names[i]);
    free(top->fates);
    free(top->names);
}

static bool is_walked(ptio_kind kind)
{
    return kind == PTIO_KIND_DICT || kind == PTIO_KIND_LIST || kind == PTIO_KIND_TUPLE;
}

/** The number of a value that was walked: how often in vain, and from DONE on no more. */
enum { MOST_WALKS = 16, DONE = 1000 };

/* A container or tensor that was changed is not changed again under another name. */
static bool mark_done(editor *ed, const ptio_value *value)
{
    bool fresh;
    seen_entry *entry = seen_find(&ed->visited, value, &fresh);
    if (!entry)
        return edit_no_memory(ed);
    entry->number = DONE;
    return true;
}

/* Whether a container has to be walked: the first time, and again where nothing in it was selected yet. No more often than so, since
 * containers in containers could make it endless. */
static bool is_due(editor *ed, const ptio_value *value, bool *due)
{
    bool fresh;
    seen_entry *entry = seen_find(&ed->visited, value, &fresh);
    if (!entry)
        return edit_no_memory(ed);
    if (fresh)
        entry->number = 0;
    *due = entry->number < MOST_WALKS;
    entry->number += *due ? DONE : 0;
    return true;
}

static void walked_in_vain(editor *ed, const ptio_value *value)
{
    bool fresh;
    seen_entry *entry = seen_find(&ed->visited, value, &fresh);
    if (entry && entry->number >= DONE)
        entry->number -= DONE - 1;
}

/* `names` is taken over. */
static bool push(walk *w, const ptio_value *value, bool selected, grown *names)
{
    editor *ed = w->ed;
    level top = {
        .value = value, .count = ptio_value_count(value), .path_size = ed->path.size, .selected = selected, .names = names};
    top.is_dict = ptio_value_kind(value) == PTIO_KIND_DICT;
    if (top.is_dict)
        top.fates = calloc(top.count + 1, sizeof *top.fates);
    if (w->depth == w->capacity) {
        size_t capacity = w->capacity ? 2 * w->capacity : 16;
        level *moved = realloc(w->levels, capacity * sizeof *moved);
        if (moved) {
            w->levels = moved;
            w->capacity = capacity;
        }
    }
    if (w->depth == w->capacity || (top.is_dict && !top.fates)) {
        free_level(ed, &top);
        return edit_no_memory(ed);
    }
    w->levels[w->depth++] = top;
    return true;
}

/* ---- changing a dict ---- */

typedef struct removal {
    const fate *fates; /* NULL: all entries go */
    size_t next;
} removal;

static bool goes(void *ctx, const ptio_value *key, const ptio_value *item)
{
    removal *r = ctx;
    (void)key;
    (void)item;
    return !r->fates || !r->fates[r->next++].keep;
}

static ptio_text key_of(const level *top, size_t index)
{
    const fate *f = &top->fates[index];
    return f->key ? (ptio_text){f->key, f->size} : ptio_value_str(ptio_value_key(top->value, index));
}

static bool is_renamed(const level *top)
{
    for (size_t i = 0; i < top->count; i++)
        if (top->fates[i].keep && (top->fates[i].key || top->fates[i].moved))
            return true;
    return false;
}

static bool is_cut(const level *top)
{
    for (size_t i = 0; i < top->count; i++)
        if (!top->fates[i].keep)
            return true;
    return false;
}

/* The entries that stay, in their new order: what a rename moves goes to the end, one rename after another. */
static size_t *new_order(const editor *ed, const level *top, size_t *count)
{
    size_t *order = malloc((2 * top->count + 1) * sizeof *order), *others = order ? order + top->count : NULL;
    *count = 0;
    for (size_t i = 0; order && i < top->count; i++)
        if (top->fates[i].keep)
            order[(*count)++] = i;
    for (size_t rename = 0; order && rename < ed->rename_count; rename++) {
        size_t left = 0, moved = 0;
        for (size_t i = 0; i < *count; i++)
            if (top->fates[order[i]].moved >> rename & 1)
                others[moved++] = order[i];
            else
                order[left++] = order[i];
        memcpy(order + left, others, moved * sizeof *order);
    }
    return order;
}

/* Fill a dict with the entries of a level, of which it may be the twin. `merge`: a key that comes again takes the place of the first. */
static bool fill(editor *ed, ptio_value *dict, const level *top, const size_t *order, size_t count, bool merge)
{
    const ptio_value **entries = malloc((2 * count + 1) * sizeof *entries);
    bool done = entries != NULL;
    for (size_t i = 0; done && i < count; i++) {
        const fate *f = &top->fates[order[i]];
        entries[2 * i] = f->key ? ptio_new_str_n(ed->builder, f->key, f->size) : ptio_value_key(top->value, order[i]);
        entries[2 * i + 1] = ptio_value_item(top->value, order[i]);
    }
    if (!done)
        return edit_no_memory(ed);
    (void)ptio_remove_if(ed->builder, dict, goes, &(removal){NULL, 0});
    for (size_t i = 0; done && i < count; i++) {
        if (!ptio_put_key(ed->builder, dict, entries[2 * i], entries[2 * i + 1]))
            done = edit_builder_fail(ed, nothing());
        else if (!merge && ptio_value_count(dict) != i + 1)
            done = edit_fail(ed, CLI_USAGE, key_of(top, order[i]).bytes, key_of(top, order[i]).size,
                             "two entries would have this name");
    }
    free(entries);
    return done;
}

static void tell_changes(walk *w, const level *top)
{
    editor *ed = w->ed;
    size_t key;
    if (!ed->options->dry_run)
        return;
    for (size_t i = 0; i < top->count; i++) {
        const fate *f = &top->fates[i];
        if (f->keep && !f->key)
            continue;
        if (!name_item(w, i, &key))
            return;
        edit_tell(ed, f->keep ? "rename" : "drop", grow_text(&ed->path), f->keep ? " -> " : NULL,
                  f->keep ? (ptio_text){f->key, f->size} : nothing());
    }
}

/* ---- _metadata ----
 *
 * An OrderedDict of a module has an attribute with a version for each module, by its name. They are renamed with the keys of their
 * parameters, and go with them. */

/* Notes of every name of a module in front of a key, "a" and "a.b" for "a.b.weight", in a dict of them. */
static bool note_modules(editor *ed, ptio_value *modules, ptio_text key)
{
    if (!key.bytes)
        return true;
    for (size_t size = key.size; size-- > 0;)
        if (key.bytes[size] == '.' &&
            !ptio_put_key(ed->builder, modules, ptio_new_str_n(ed->builder, key.bytes, size), ptio_new_none(ed->builder)))
            return edit_builder_fail(ed, nothing());
    return true;
}

/* Whether a name is in such a dict: it would not grow by it. */
static bool is_noted(editor *ed, ptio_value *modules, ptio_text name)
{
    size_t count = ptio_value_count(modules);
    const ptio_value *key = ptio_new_str_n(ed->builder, name.bytes, name.size);
    if (!ptio_put_key(ed->builder, modules, key, ptio_new_none(ed->builder)) || ptio_value_count(modules) == count)
        return true;
    return !ptio_remove(ed->builder, modules, count);
}

/* A module goes where it, or the nearest one around it that had parameters, has none left. */
static bool stays(editor *ed, ptio_value *before, ptio_value *after, ptio_text module)
{
    while (module.size) {
        if (is_noted(ed, before, module))
            return is_noted(ed, after, module);
        while (module.size && module.bytes[module.size - 1] != '.')
            module.size--;
        module.size -= module.size > 0;
    }
    return true;
}

static bool choose_modules(editor *ed, const level *dict, level *metadata)
{
    ptio_value *before = ptio_new_dict(ed->builder), *after = ptio_new_dict(ed->builder);
    for (size_t i = 0; i < dict->count; i++) {
        ptio_text key = ptio_value_str(ptio_value_key(dict->value, i));
        if (!note_modules(ed, before, key) || (dict->fates[i].keep && !note_modules(ed, after, key)))
            return false;
    }
    for (size_t i = 0; i < metadata->count; i++) {
        ptio_text name = ptio_value_str(ptio_value_key(metadata->value, i));
        metadata->fates[i].keep = !name.bytes || stays(ed, before, after, name);
    }
    return ptio_builder_status(ed->builder, NULL) == PTIO_OK || edit_builder_fail(ed, nothing());
}

/* "a.b" is renamed as the front of "a.b.weight" is. */
static bool rename_module(editor *ed, const level *dict, ptio_text name, fate *ret)
{
    size_t key = dict->path_size + (dict->path_size > 0), end;
    size_t matched[CLI_MOST_CHANGES];
    if (!name.bytes || !name.size || memchr(name.bytes, '\0', name.size))
        return true;
    grow_cut(&ed->path, dict->path_size);
    if (!grow_string(&ed->path, key ? "." : "") || !grow_add(&ed->path, name.bytes, name.size) || !grow_string(&ed->path, "."))
        return edit_no_memory(ed);
    for (size_t i = 0; i < ed->step_count; i++)
        matched[i] = ed->steps[i].matched;
    if (!rename_below(ed, dict, key, NULL, &ret->moved, &key))
        return false;
    for (size_t i = 0; i < ed->step_count; i++) /* only keys count */
        ed->steps[i].matched = matched[i];
    end = ed->text.size;
    end -= end > key && ed->text.bytes[end - 1] == '.';
    if (end - key == name.size && memcmp(ed->text.bytes + key, name.bytes, name.size) == 0)
        return true;
    ret->size = end - key;
    ret->key = malloc(ret->size + 1);
    if (!ret->key)
        return edit_no_memory(ed);
    memcpy(ret->key, ed->text.bytes + key, ret->size);
    return true;
}

static bool change_metadata(editor *ed, const level *dict, level *metadata)
{
    size_t count;
    if (!choose_modules(ed, dict, metadata))
        return false;
    for (size_t i = 0; ed->changing && ed->rename_count && i < metadata->count; i++)
        if (!rename_module(ed, dict, ptio_value_str(ptio_value_key(metadata->value, i)), &metadata->fates[i]))
            return false;
    if (!is_renamed(metadata) && !is_cut(metadata))
        return true;
    ptio_value *twin = ptio_edit(ed->builder, metadata->value);
    if (!twin)
        return edit_builder_fail(ed, nothing());
    size_t *order = new_order(ed, metadata, &count);
    bool done = order ? fill(ed, twin, metadata, order, count, true) : edit_no_memory(ed);
    free(order);
    return done;
}

static bool keep_metadata(editor *ed, const level *dict)
{
    level metadata = {.value = ptio_edited(ed->builder, ptio_value_attribute(dict->value, "_metadata"))};
    if (ptio_value_kind(metadata.value) != PTIO_KIND_DICT)
        return true;
    metadata.count = ptio_value_count(metadata.value);
    metadata.fates = calloc(metadata.count + 1, sizeof *metadata.fates);
    bool done = metadata.fates ? change_metadata(ed, dict, &metadata) : edit_no_memory(ed);
    free_level(ed, &metadata);
    return done;
}

/* ---- the end of a dict ---- */

static bool change_dict(walk *w, const level *top)
{
    editor *ed = w->ed;
    bool renamed = is_renamed(top), done = true;
    if (!renamed && !is_cut(top))
        return true;
    tell_changes(w, top);
    if (!keep_metadata(ed, top))
        return false;
    ptio_value *twin = ptio_edit(ed->builder, top->value);
    if (!twin)
        return edit_builder_fail(ed, (ptio_text){grow_chars(&ed->path), top->path_size});
    if (!mark_done(ed, twin))
        return false;
    if (renamed) {
        size_t count, *order = new_order(ed, top, &count);
        done = order ? fill(ed, twin, top, order, count, false) : edit_no_memory(ed);
        free(order);
    } else {
        (void)ptio_remove_if(ed->builder, twin, goes, &(removal){top->fates, 0});
    }
    return done;
}

static bool pop(walk *w)
{
    level *top = &w->levels[w->depth - 1];
    editor *ed = w->ed;
    bool kept = top->selected || top->any, done = true;
    if (!kept)
        walked_in_vain(ed, top->value);
    if (top->is_dict && (kept || w->depth == 1))
        done = change_dict(w, top);
    free_level(ed, top);
    w->depth--;
    if (w->depth && kept) {
        level *outer = &w->levels[w->depth - 1];
        outer->any = true;
        if (outer->is_dict)
            outer->fates[outer->next - 1].keep = true;
    }
    return done;
}

/* ---- the walk ---- */

static bool cast(editor *ed, const ptio_value *value)
{
    const ptio_tensor *tensor = ptio_value_tensor(value);
    ptio_dtype dtype = edit_dtype(ed, grow_chars(&ed->path), tensor), from = ptio_tensor_dtype(tensor);
    bool fresh;
    seen_entry *entry = seen_find(&ed->visited, value, &fresh);
    if (!entry)
        return edit_no_memory(ed);
    if (fresh)
        entry->number = 0;
    if (entry->number >= DONE || dtype == PTIO_NO_DTYPE || dtype == from)
        return true;
    const ptio_value *by = ptio_new_cast(ed->builder, value, dtype);
    if (!by || !ptio_replace_value(ed->builder, value, by))
        return edit_builder_fail(ed, grow_text(&ed->path));
    if (!mark_done(ed, by))
        return false;
    grow_cut(&ed->text, 0);
    if (!grow_string(&ed->text, ptio_dtype_name(from)) || !grow_string(&ed->text, " -> ") ||
        !grow_string(&ed->text, ptio_dtype_name(dtype)))
        return edit_no_memory(ed);
    edit_tell(ed, "cast", grow_text(&ed->path), "  ", grow_text(&ed->text));
    return true;
}

/* The new key of an entry, if it gets one; `names` the whole name after each rename. */
static bool rename_entry(walk *w, size_t index, size_t key, grown *names)
{
    editor *ed = w->ed;
    level *top = &w->levels[w->depth - 1];
    uint64_t moved;
    size_t key_after;
    if (!rename_below(ed, top, key, names, &moved, &key_after))
        return false;
    size_t size = ed->text.size - key_after;
    if (size == ed->path.size - key && memcmp(ed->text.bytes + key_after, ed->path.bytes + key, size) == 0) {
        if (top->is_dict)
            top->fates[index].moved = moved;
        return true;
    }
    if (!top->is_dict || ptio_value_kind(ptio_value_key(top->value, index)) != PTIO_KIND_STR)
        return fail_rename(ed, ed->path.bytes, &ed->text, "but only keys that are texts can be renamed");
    if (!size || (ed->text.bytes[key_after] == '.' && ed->path.bytes[key] != '.'))
        return fail_rename(ed, ed->path.bytes, &ed->text,
                           size ? "which begins with a dot: rename or strip the prefix with its dot" : "and have no name");
    fate *f = &top->fates[index];
    f->moved = moved;
    f->size = size;
    f->key = malloc(size);
    if (!f->key)
        return edit_no_memory(ed);
    memcpy(f->key, ed->text.bytes + key_after, size);
    return true;
}

/* The first walk: whether an item stays, and as what. *value is what it is then; *selected holds for all that is in it. */
static bool choose(walk *w, size_t index, const ptio_value **value, bool *selected, bool *dropped)
{
    editor *ed = w->ed;
    level *top = &w->levels[w->depth - 1];
    const char *name = grow_chars(&ed->path);
    *selected = (top->is_dict && edit_is_selected(ed, name)) || top->selected;
    *dropped = top->is_dict && edit_is_dropped(ed, name);
    if (!*dropped && ed->options->data_only) {
        const ptio_value *data = edit_as_data(ed, *value, *selected ? name : NULL);
        if (ed->code)
            return false;
        *dropped = !data && top->is_dict;
        if (!data && !top->is_dict)
            data = ptio_new_none(ed->builder);
        if (data && data != *value && !ptio_replace_value(ed->builder, *value, data))
            return edit_builder_fail(ed, grow_text(&ed->path));
        *value = data ? data : *value;
    }
    if (top->is_dict)
        top->fates[index].keep = *selected && !*dropped;
    top->any = top->any || (*selected && !*dropped);
    return true;
}

static void free_names(const editor *ed, grown *names)
{
    for (size_t i = 0; names && i < ed->rename_count; i++)
        grow_free(&names[i]);
    free(names);
}

/* Names are made anew for each item, so those in a deep nest of containers would take for ever. */
static bool check_depth(editor *ed, const ptio_value *value)
{
    enum { SHOWN = 60 };
    return ed->path.size <= EDIT_LONGEST_NAME || !ptio_value_count(value) ||
           edit_fail(ed, CLI_LIMIT, ed->path.bytes, SHOWN,
                     "what is below has names of more than 4096 bytes, too many to change it or leave it out");
}

static bool go_into(walk *w, const ptio_value *value, bool selected, grown *names)
{
    bool due = false;
    if (is_walked(ptio_value_kind(value)) && (!is_due(w->ed, value, &due) || (due && !check_depth(w->ed, value)))) {
        free_names(w->ed, names);
        return false;
    }
    if (due)
        return push(w, value, selected, names);
    free_names(w->ed, names);
    return true;
}

/* The second walk: casts and new names of what stays. */
static bool change_item(walk *w, size_t index, size_t key, const ptio_value *value)
{
    editor *ed = w->ed;
    level *top = &w->levels[w->depth - 1];
    if (top->is_dict)
        top->fates[index].keep = true;
    if (ptio_value_kind(value) == PTIO_KIND_TENSOR && !cast(ed, value))
        return false;
    if (!ed->rename_count)
        return go_into(w, value, true, NULL);
    grown *names = calloc(ed->rename_count, sizeof *names);
    if (!names || !rename_entry(w, index, key, names)) {
        bool told = names != NULL;
        free_names(ed, names);
        return told ? false : edit_no_memory(ed);
    }
    return go_into(w, value, true, names);
}

/* Decide on item `index` of the topmost level, and go into it where it is a container. */
static bool visit(walk *w, size_t index)
{
    editor *ed = w->ed;
    level *top = &w->levels[w->depth - 1];
    size_t key;
    bool selected, dropped;
    const ptio_value *value = ptio_edited(ed->builder, ptio_value_item(top->value, index));
    if (!name_item(w, index, &key))
        return false;
    if (ed->changing)
        return change_item(w, index, key, value);
    if (!choose(w, index, &value, &selected, &dropped))
        return false;
    return dropped ? true : go_into(w, value, selected, NULL);
}

static bool walk_all(editor *ed, bool changing)
{
    walk w = {.ed = ed};
    bool due, done;
    seen_free(&ed->visited);
    ed->changing = changing;
    grow_cut(&ed->path, 0);
    done = is_due(ed, ed->root, &due);
    grown *names = changing && ed->rename_count ? calloc(ed->rename_count, sizeof *names) : NULL;
    if (done && changing && ed->rename_count && !names)
        done = edit_no_memory(ed);
    if (done)
        done = push(&w, ed->root, changing || !ed->selects, names);
    while (done && w.depth) {
        level *top = &w.levels[w.depth - 1];
        done = top->next < top->count ? visit(&w, top->next++) : pop(&w);
    }
    while (w.depth)
        free_level(ed, &w.levels[--w.depth]);
    free(w.levels);
    return done;
}

static bool begin_root(editor *ed)
{
    if (ed->options->data_only) {
        const ptio_value *data = edit_as_data(ed, ed->root, "");
        if (!data)
            return ed->code == CLI_GOOD ? edit_fail(ed, CLI_REFUSED, "", 0, "nothing in the file is data") : false;
        ed->root = data;
    }
    if (ptio_value_kind(ed->root) != PTIO_KIND_TENSOR)
        return true;
    if (!cast(ed, ed->root))
        return false;
    ed->root = ptio_edited(ed->builder, ed->root);
    return true;
}

static bool add_all(editor *ed)
{
    for (size_t i = 0; i < ed->step_count; i++)
        if (ed->steps[i].kind == CLI_CHANGE_ADD) {
            if (!edit_add(ed, &ed->steps[i]))
                return false;
            ed->steps[i].matched++;
        }
    return true;
}

int edit_run(editor *ed, const cli_options *options, const cli_file *file, ptio_builder *builder)
{
    *ed = (editor){.options = options, .file = file, .builder = builder, .root = file->value};
    bool done = edit_read_steps(ed) && begin_root(ed);
    if (done && is_walked(ptio_value_kind(ed->root))) {
        if (ed->cuts)
            done = walk_all(ed, false);
        ed->root = ptio_edited(builder, ed->root);
        if (done && ed->changes)
            done = walk_all(ed, true);
    }
    if (done)
        done = add_all(ed) && edit_check_steps(ed);
    if (done && ptio_builder_status(builder, NULL) != PTIO_OK)
        done = edit_builder_fail(ed, nothing());
    return done ? CLI_GOOD : ed->code;
}

void edit_end(editor *ed)
{
    edit_free_steps(ed);
    seen_free(&ed->visited);
    grow_free(&ed->path);
    grow_free(&ed->text);
    grow_free(&ed->more);
}
