/*
 * Globs over names and the parts that they begin with.
 */
#define _POSIX_C_SOURCE 200809L

#include "cli/select.h"
#include "cli/glob.h"

#include <string.h>

void select_begin(selection *s, const cli_options *options)
{
    *s = (selection){.options = options};
    for (size_t i = 0; i < options->change_count; i++)
        s->selects = s->selects || options->changes[i].kind == CLI_CHANGE_SELECT;
}

/* fnmatch() wants a C string: a NUL stands as it is shown. */
static bool set_name(grown *ret, ptio_text name)
{
    grow_cut(ret, 0);
    for (size_t at = 0; at < name.size;) {
        const char *nul = memchr(name.bytes + at, '\0', name.size - at);
        size_t size = nul ? (size_t)(nul - name.bytes) - at : name.size - at;
        if (!grow_add(ret, name.bytes + at, size) || (nul && !grow_string(ret, "\\x00")))
            return false;
        at += size + (nul != NULL);
    }
    return true;
}

/* The whole name, or what is in front of one of its dots. */
static bool matches(const char *glob, char *name)
{
    if (glob_matches(glob, name))
        return true;
    bool found = false;
    for (char *dot = strchr(name, '.'); dot && !found; dot = strchr(dot + 1, '.')) {
        *dot = '\0';
        found = glob_matches(glob, name);
        *dot = '.';
    }
    return found;
}

bool select_takes(selection *s, ptio_text name, bool *failed)
{
    bool selected = !s->selects, dropped = false;
    char nothing[1] = "";
    *failed = !set_name(&s->name, name);
    if (*failed || !s->options->change_count)
        return !*failed;
    for (size_t i = 0; i < s->options->change_count; i++) {
        const cli_change *change = &s->options->changes[i];
        if (!matches(change->text, s->name.bytes ? s->name.bytes : nothing))
            continue;
        s->matched[i] = true;
        selected = selected || change->kind == CLI_CHANGE_SELECT;
        dropped = dropped || change->kind == CLI_CHANGE_DROP;
    }
    return selected && !dropped;
}

int select_check(const selection *s)
{
    for (size_t i = 0; i < s->options->change_count; i++) {
        const cli_change *change = &s->options->changes[i];
        if (s->matched[i])
            continue;
        ptio_error err = {.status = PTIO_ERR_NOT_FOUND, .reason = "name", .offset = PTIO_NO_OFFSET};
        grown text = {0};
        const char *option = change->kind == CLI_CHANGE_SELECT ? "--select " : "--drop ";
        if (grow_string(&text, option))
            (void)ptio_print_escaped((ptio_text){change->text, strlen(change->text)}, grow_write, &text, NULL);
        (void)snprintf(err.message, sizeof err.message, "%.200s: nothing has such a name", grow_chars(&text));
        grow_free(&text);
        return cli_fail(s->options->file, &err);
    }
    return CLI_GOOD;
}

void select_end(selection *s)
{
    grow_free(&s->name);
}
