/*
 * The options that change, read: which names they are about, and what they make of them.
 *
 * Globs are those of the shell, in which * stands for dots too. A rename is about whole names and whole parts of them; a regular
 * expression is extended POSIX, and all its matches are replaced.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>

#include "cli/edit.h"
#include "cli/glob.h"

#define GROUPS 10 /* \0 to \9 */

static bool usage(editor *ed, const char *what, const edit_step *step)
{
    ed->code = cli_usage("save", what, step->text);
    return false;
}

/* ---- reading ---- */

/* OLD=NEW, at the first = that has no backslash in front. In a name \= is a =; a regular expression is read by its own rules. */
static bool split(editor *ed, edit_step *step)
{
    const char *equals = step->text, *piece = step->text;
    bool is_name = step->kind == CLI_CHANGE_RENAME;
    for (; *equals && *equals != '='; equals += *equals == '\\' && equals[1] ? 2 : 1) {
        if (!is_name || *equals != '\\' || equals[1] != '=')
            continue;
        if (!grow_add(&step->glob, piece, (size_t)(equals - piece)))
            return edit_no_memory(ed);
        piece = equals + 1;
    }
    if (!*equals || equals == step->text)
        return usage(ed, "this is no OLD=NEW:", step);
    step->by = equals + 1;
    return grow_add(&step->glob, piece, (size_t)(equals - piece)) || edit_no_memory(ed);
}

static bool read_regex(editor *ed, edit_step *step)
{
    char why[128];
    if (!split(ed, step))
        return false;
    int error = regcomp(&step->regex, step->glob.bytes, REG_EXTENDED);
    if (error) {
        (void)regerror(error, &step->regex, why, sizeof why);
        ed->code = cli_usage("save", why, step->text);
        return false;
    }
    step->has_regex = true;
    for (const char *at = strchr(step->by, '\\'); at; at = strchr(at + 2, '\\')) {
        bool is_group = at[1] >= '0' && at[1] <= '9';
        if (!at[1] || (!is_group && at[1] != '\\'))
            return usage(ed, "behind a backslash comes the number of a group, or another:", step);
        if (is_group && (size_t)(at[1] - '0') > step->regex.re_nsub)
            return usage(ed, "there is no group of this number:", step);
    }
    return true;
}

static ptio_dtype dtype_called(const char *name)
{
    static const struct {
        const char *name;
        ptio_dtype dtype;
    } others[] = {{"half", PTIO_FLOAT16},  {"float", PTIO_FLOAT32}, {"double", PTIO_FLOAT64},   {"short", PTIO_INT16},
                  {"int", PTIO_INT32},     {"long", PTIO_INT64},    {"cfloat", PTIO_COMPLEX64}, {"cdouble", PTIO_COMPLEX128},
                  {"bf16", PTIO_BFLOAT16}, {"fp16", PTIO_FLOAT16},  {"fp32", PTIO_FLOAT32},     {"fp64", PTIO_FLOAT64}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(others[i].name, name) == 0)
            return others[i].dtype;
    return ptio_dtype_from_name(name);
}

/* The floats that can be computed with, or the complex ones. */
static bool is_float(ptio_dtype dtype)
{
    const char *name = ptio_dtype_name(dtype);
    return (strncmp(name, "float", 5) == 0 || strncmp(name, "bfloat", 6) == 0) && dtype != PTIO_FLOAT4_E2M1FN_X2;
}

static bool is_complex(ptio_dtype dtype)
{
    return strstr(ptio_dtype_name(dtype), "complex") != NULL;
}

/* DTYPE, or DTYPE:GLOB */
static bool read_cast(editor *ed, edit_step *step)
{
    const char *colon = strchr(step->text, ':');
    grown name = {0};
    if (!grow_add(&name, step->text, colon ? (size_t)(colon - step->text) : strlen(step->text)))
        return edit_no_memory(ed);
    step->dtype = dtype_called(name.bytes);
    grow_free(&name);
    if (step->dtype == PTIO_NO_DTYPE)
        return usage(ed, "there is no such dtype:", step);
    if (!colon && !is_float(step->dtype) && !is_complex(step->dtype))
        return usage(ed, "without :GLOB only floats are cast, to other floats; it is missing behind", step);
    return !colon || grow_string(&step->glob, colon + 1) || edit_no_memory(ed);
}

static bool read_step(editor *ed, edit_step *step)
{
    switch (step->kind) {
    case CLI_CHANGE_RENAME: return split(ed, step);
    case CLI_CHANGE_RENAME_REGEX: return read_regex(ed, step);
    case CLI_CHANGE_CAST: return read_cast(ed, step);
    case CLI_CHANGE_ADD: return true;
    default: return grow_string(&step->glob, step->text) || edit_no_memory(ed);
    }
}

bool edit_read_steps(editor *ed)
{
    ed->cuts = ed->options->data_only;
    static const char *const options[] = {"--select",       "--drop", "--rename", "--rename-regex",
                                          "--strip-prefix", "--cast", "--add"};
    for (size_t i = 0; i < ed->options->change_count; i++) {
        const cli_change *change = &ed->options->changes[i];
        edit_step *step = &ed->steps[ed->step_count++];
        *step = (edit_step){.kind = change->kind, .option = options[change->kind], .text = change->text};
        if (!*step->text)
            return usage(ed, "an empty value is not understood, of", &(edit_step){.text = step->option});
        if (!read_step(ed, step))
            return false;
        ed->selects = ed->selects || step->kind == CLI_CHANGE_SELECT;
        ed->cuts = ed->cuts || step->kind == CLI_CHANGE_SELECT || step->kind == CLI_CHANGE_DROP;
        ed->changes = ed->changes || step->kind == CLI_CHANGE_CAST || edit_is_rename(step);
        ed->rename_count += edit_is_rename(step);
    }
    return true;
}

void edit_free_steps(editor *ed)
{
    for (size_t i = 0; i < ed->step_count; i++) {
        grow_free(&ed->steps[i].glob);
        if (ed->steps[i].has_regex)
            regfree(&ed->steps[i].regex);
    }
}

bool edit_check_steps(editor *ed)
{
    for (size_t i = 0; i < ed->step_count; i++) {
        const edit_step *step = &ed->steps[i];
        if (step->matched)
            continue;
        grow_cut(&ed->text, 0);
        if (!grow_string(&ed->text, step->option) || !grow_string(&ed->text, " ") || !grow_string(&ed->text, step->text))
            return edit_no_memory(ed);
        return edit_fail(ed, CLI_FINDINGS, ed->text.bytes, ed->text.size,
                         ptio_value_is_module(ed->root)  ? "a module has no names: --data-only makes it its state_dict"
                         : step->kind == CLI_CHANGE_CAST ? "there is no such tensor"
                                                         : "nothing has such a name");
    }
    return true;
}

/* ---- matching ---- */

static bool matches(edit_step *step, const char *name)
{
    if (!glob_matches(step->glob.bytes, name))
        return false;
    step->matched++;
    return true;
}

/* All globs are asked, so that one that another covers counts as used too. */
static bool any_matches(editor *ed, cli_change_kind kind, const char *name)
{
    bool found = false;
    for (size_t i = 0; i < ed->step_count; i++)
        if (ed->steps[i].kind == kind && matches(&ed->steps[i], name))
            found = true;
    return found;
}

bool edit_is_selected(editor *ed, const char *name)
{
    return any_matches(ed, CLI_CHANGE_SELECT, name);
}

bool edit_is_dropped(editor *ed, const char *name)
{
    return any_matches(ed, CLI_CHANGE_DROP, name);
}

/* The last cast that is about the tensor counts. */
ptio_dtype edit_dtype(editor *ed, const char *name, const ptio_tensor *tensor)
{
    ptio_dtype found = PTIO_NO_DTYPE, from = ptio_tensor_dtype(tensor);
    for (size_t i = 0; i < ed->step_count; i++) {
        edit_step *step = &ed->steps[i];
        if (step->kind != CLI_CHANGE_CAST)
            continue;
        bool is_alike = is_float(step->dtype) ? is_float(from) : is_complex(from);
        if (step->glob.bytes ? !matches(step, name) : !is_alike)
            continue;
        step->matched++;
        found = step->dtype;
    }
    return found;
}

/* ---- renaming ---- */

/* Of a whole name, or of its first parts. */
static bool rename_part(edit_step *step, const char *name, grown *ret, bool *hit)
{
    size_t size = step->glob.size;
    bool ends_in_dot = step->glob.bytes[size - 1] == '.';
    *hit = strncmp(name, step->glob.bytes, size) == 0 && (ends_in_dot || !name[size] || name[size] == '.');
    return *hit ? grow_string(ret, step->by) && grow_string(ret, name + size) : grow_string(ret, name);
}

/* NEW, with the groups of a match. */
static bool put_groups(const edit_step *step, const char *name, const regmatch_t *groups, grown *ret)
{
    for (const char *at = step->by; *at; at++) {
        if (*at != '\\') {
            if (!grow_add(ret, at, 1))
                return false;
            continue;
        }
        at++;
        const regmatch_t *group = *at == '\\' ? NULL : &groups[*at - '0'];
        if (!group ? !grow_add(ret, at, 1)
                   : group->rm_so >= 0 && !grow_add(ret, name + group->rm_so, (size_t)(group->rm_eo - group->rm_so)))
            return false;
    }
    return true;
}

static bool rename_matches(edit_step *step, const char *name, grown *ret, bool *hit)
{
    regmatch_t groups[GROUPS];
    int flags = 0;
    while (regexec(&step->regex, name, GROUPS, groups, flags) == 0) {
        *hit = true;
        if (!grow_add(ret, name, (size_t)groups[0].rm_so) || !put_groups(step, name, groups, ret))
            return false;
        bool is_empty = groups[0].rm_eo == groups[0].rm_so;
        name += groups[0].rm_eo;
        flags = REG_NOTBOL;
        if (!*name)
            return true;
        if (is_empty && !grow_add(ret, name++, 1))
            return false;
    }
    return grow_string(ret, name);
}

/* As consume_prefix_in_state_dict_if_present(): the prefix of the key. The module that the prefix is about has its name without the dot. */
static bool strip_prefix(edit_step *step, const grown *parent, const char *key, grown *ret, bool *hit)
{
    *hit = strncmp(key, step->glob.bytes, step->glob.size) == 0;
    return grow_add(ret, grow_chars(parent), parent->size) && grow_string(ret, parent->size ? "." : "") &&
           grow_string(ret, key + (*hit ? step->glob.size : 0));
}

bool edit_rename(editor *ed, edit_step *step, const char *name, size_t key, const grown *parent, grown *ret, bool *hit)
{
    *hit = false;
    grow_cut(ret, 0);
    bool done = step->kind == CLI_CHANGE_RENAME         ? rename_part(step, name, ret, hit)
                : step->kind == CLI_CHANGE_STRIP_PREFIX ? strip_prefix(step, parent, name + key, ret, hit)
                                                        : rename_matches(step, name, ret, hit);
    return done || edit_no_memory(ed);
}
