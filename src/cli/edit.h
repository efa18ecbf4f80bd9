/*
 * Changes on the way from IN to OUT: what `ptio save --select, --drop, --rename, --cast, --add …` ask for.
 *
 *     edit.c         walks the value once, decides on each entry, and changes the dicts
 *     edit_steps.c   what the options say: globs, renames, casts
 *     edit_data.c    --data-only: what becomes of a value that is no data
 *     edit_add.c     --add: tensors of another file
 *
 * A name is the path of a value as `ptio ls` prints it: keys and indexes joined by dots. All globs are about names in IN; renames are
 * done in the order of the command line, each on what the one before made.
 */
#ifndef PTIO_CLI_EDIT_H
#define PTIO_CLI_EDIT_H

#include <regex.h>

#include "cli/cli.h"
#include "cli/grow.h"
#include "cli/seen.h"

/** What lies in a container with a longer name than this is refused. A key itself may have any length. */
#define EDIT_LONGEST_NAME 4096

/** One option, read. */
typedef struct edit_step {
    cli_change_kind kind;
    const char *option, *text; /* as they stand on the command line             */
    grown glob;                /* or the name before a rename, or the prefix    */
    const char *by;            /* of a rename: what comes instead               */
    ptio_dtype dtype;          /* of a cast                                     */
    regex_t regex;
    bool has_regex;
    size_t matched;
} edit_step;

typedef struct editor {
    const cli_options *options;
    const cli_file *file;
    ptio_builder *builder;
    const ptio_value *root; /* what will be saved */
    edit_step steps[CLI_MOST_CHANGES];
    size_t step_count, rename_count;
    bool selects, cuts, changes; /* whether there is a --select; and what the first, and the second walk is for */
    bool changing;               /* the second one                                                             */
    seen visited;
    grown path, text, more; /* the name now, and room for making others */
    int code;               /* of the first failure, which was told */
} editor;

/** Do all that options->changes and options->data_only say. *root is what to save, with the builder as options.edits. Gives the exit code,
 *  having told what is wrong. */
int edit_run(editor *ed, const cli_options *options, const cli_file *file, ptio_builder *builder);
void edit_end(editor *ed);

/* For the files of this folder named edit. All give false after a failure, which was told. */

/** "ptio: IN: name: what", and the code. */
bool edit_fail(editor *ed, int code, const char *name, size_t size, const char *what);
bool edit_no_memory(editor *ed);
/** The failure of the builder, about a name. */
bool edit_builder_fail(editor *ed, ptio_text name);

/** A line of --dry-run: "drop", a name, and " -> other" where there is one. */
void edit_tell(const editor *ed, const char *what, ptio_text name, const char *arrow, ptio_text other);

/* edit_steps.c */
bool edit_read_steps(editor *ed);
void edit_free_steps(editor *ed);
bool edit_is_selected(editor *ed, const char *name);
bool edit_is_dropped(editor *ed, const char *name);
/** The dtype that a tensor is cast to, or PTIO_NO_DTYPE. */
ptio_dtype edit_dtype(editor *ed, const char *name, const ptio_tensor *tensor);
/** What a rename makes of a name, in `ret`; the key begins at byte `key`, and `parent` is what it makes of the name in front. `*hit`: it
 *  matched. */
bool edit_rename(editor *ed, edit_step *step, const char *name, size_t key, const grown *parent, grown *ret, bool *hit);

static inline bool edit_is_rename(const edit_step *step)
{
    return step->kind >= CLI_CHANGE_RENAME && step->kind <= CLI_CHANGE_STRIP_PREFIX;
}

/** Fails where a step matched nothing. */
bool edit_check_steps(editor *ed);

/* edit_data.c */
/** A value as data: itself, or what takes its place; NULL: it is none, or a failure (ed->code). Told by its name, unless that is NULL. */
const ptio_value *edit_as_data(editor *ed, const ptio_value *value, const char *name);
/** A tensor without class and gradient, as state_dict() gives it. */
const ptio_value *edit_detached(ptio_builder *builder, const ptio_value *value);

/* edit_add.c */
bool edit_add(editor *ed, const edit_step *step);

#endif
