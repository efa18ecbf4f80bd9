/*
 * --add [PATH=]OTHER[:GLOB]: the tensors of another file, by their names there, into the root or the dict at PATH.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/edit.h"
#include "cli/glob.h"

/** What the option says, in one block of memory. */
typedef struct addition {
    char *text;
    const char *path; /* of the dict, or NULL for the root */
    const char *file;
    const char *glob; /* or NULL for all */
    size_t count;
} addition;

static bool is_there(const char *file)
{
    return access(file, F_OK) == 0;
}

/* A file of the whole text comes first, then one of the text up to the last colon; then the same behind the first =. */
static bool find_file(addition *a)
{
    for (;;) {
        if (is_there(a->file))
            return true;
        char *colon = strrchr(a->file, ':');
        if (colon && colon != a->file) {
            *colon = '\0';
            if (is_there(a->file)) {
                a->glob = colon + 1;
                return true;
            }
            *colon = ':';
        }
        char *equals = a->path ? NULL : strchr(a->file, '=');
        if (!equals)
            return false;
        *equals = '\0';
        a->path = a->file;
        a->file = equals + 1;
    }
}

/* The parts of a sparse tensor are listed behind it, but they are no tensors of their own. */
static bool is_part(const ptio_tensor_list *list, size_t index, const ptio_tensor_entry *whole)
{
    const ptio_tensor_entry *entry = ptio_tensor_list_entry(list, index);
    return whole && entry->path_count == whole->path_count + 1 && entry->name.size > whole->name.size &&
           memcmp(entry->name.bytes, whole->name.bytes, whole->name.size) == 0 && entry->name.bytes[whole->name.size] == '.';
}

static bool put(editor *ed, ptio_value *dict, addition *a, const ptio_tensor_entry *entry, ptio_path_key last)
{
    size_t count = ptio_value_count(dict);
    grow_cut(&ed->text, 0);
    if (!grow_add(&ed->text, entry->name.bytes, entry->name.size))
        return edit_no_memory(ed);
    if (a->glob && !glob_matches(a->glob, ed->text.bytes))
        return true;
    if (!entry->name.size)
        return edit_fail(ed, CLI_FINDINGS, a->file, strlen(a->file), "the file is one tensor, which has no name to be added by");
    /* Those of a whole module go by names that are no keys, and come as its state_dict() has them. */
    bool is_of_module = !last.key && !last.is_index;
    const ptio_value *value = is_of_module ? edit_detached(ed->builder, entry->value) : entry->value;
    if (!value || !ptio_put_key(ed->builder, dict, ptio_new_str_n(ed->builder, entry->name.bytes, entry->name.size), value))
        return edit_builder_fail(ed, entry->name);
    if (ptio_value_count(dict) == count)
        return edit_fail(ed, CLI_USAGE, entry->name.bytes, entry->name.size, "it is there already: --drop or --rename it");
    edit_tell(ed, "add", entry->name, "  from ", (ptio_text){a->file, strlen(a->file)});
    a->count++;
    return true;
}

static bool put_all(editor *ed, ptio_value *dict, addition *a, const ptio_checkpoint *other)
{
    ptio_error err = {0};
    ptio_tensor_list *list;
    const ptio_tensor_entry *whole = NULL;
    bool done = true;
    if (ptio_list_tensors(other, NULL, &list, &err) != PTIO_OK) {
        ed->code = cli_fail(a->file, &err);
        return false;
    }
    for (size_t i = 0; done && i < ptio_tensor_list_count(list); i++) {
        const ptio_tensor_entry *entry = ptio_tensor_list_entry(list, i);
        if (is_part(list, i, whole))
            continue;
        whole = ptio_tensor_layout(entry->tensor) == PTIO_STRIDED ? NULL : entry;
        done = put(ed, dict, a, entry, ptio_tensor_list_path(list, i, entry->path_count - 1));
    }
    ptio_tensor_list_free(list);
    if (done && !a->count)
        return edit_fail(ed, CLI_FINDINGS, a->file, strlen(a->file), "no tensor in it has such a name");
    return done;
}

static ptio_walk_next find(void *ctx, const ptio_visit *visit)
{
    return visit->value == ctx ? PTIO_WALK_STOP : PTIO_WALK_ON;
}

/* Whether a value is in what will be saved. */
static bool is_left(const editor *ed, ptio_value *value, ptio_error *err)
{
    ptio_walk_options options = {PTIO_WALK_OPTIONS, .edits = ed->builder};
    return ptio_walk(ed->root, &options, find, value, err) == PTIO_ERR_CANCELLED;
}

/* The dict that takes them, as it is now. */
static ptio_value *target(editor *ed, const addition *a)
{
    const ptio_value *value = a->path ? ptio_edited(ed->builder, ptio_at(ed->file->ckpt, a->path)) : ed->root;
    if (ptio_value_kind(value) != PTIO_KIND_DICT) {
        const char *name = a->path ? a->path : "";
        edit_fail(ed, CLI_FINDINGS, name, strlen(name), value ? "it is no dict, and takes no tensors" : "there is no such dict");
        return NULL;
    }
    ptio_error err = {0};
    ptio_value *dict = ptio_edit(ed->builder, value);
    if (!dict) {
        edit_builder_fail(ed, (ptio_text){"", 0});
    } else if (a->path && !is_left(ed, dict, &err)) {
        const char *why = err.status ? err.message : "it was left out, and takes no tensors";
        edit_fail(ed, err.status ? cli_exit_code(err.status) : CLI_USAGE, a->path, strlen(a->path), why);
        return NULL;
    }
    return dict;
}

bool edit_add(editor *ed, const edit_step *step)
{
    ptio_error err = {0};
    ptio_checkpoint *other;
    ptio_load_options how = ed->options->load;
    addition a = {.text = malloc(strlen(step->text) + 1)};
    how.offset = 0; /* which is about IN */
    if (!a.text)
        return edit_no_memory(ed);
    a.file = strcpy(a.text, step->text);
    bool done = find_file(&a);
    if (!done) {
        edit_fail(ed, CLI_IO, step->text, strlen(step->text), "there is no such file to add from");
    } else if (ptio_load(a.file, &how, &other, &err) != PTIO_OK) {
        ed->code = cli_fail(a.file, &err);
        done = false;
    } else {
        ptio_value *dict = target(ed, &a);
        done = dict && put_all(ed, dict, &a, other);
        ptio_builder_hold(ed->builder, other);
        ptio_checkpoint_free(other);
    }
    free(a.text);
    return done;
}
