/*
 * The command line: one table of options for all verbs (option_table.c).
 *
 *     --name VALUE    --name=VALUE    --flag    --    then only file and path
 */
#include <stdio.h>
#include <string.h>

#include "cli/option_table.h"
#include "cli/out.h"

static const cli_option *find_row(const cli_verb *verb, const char *name, size_t size)
{
    for (size_t i = 0; i < cli_option_count; i++)
        if ((cli_option_table[i].verbs & verb->bit) && strlen(cli_option_table[i].name) == size &&
            memcmp(cli_option_table[i].name, name, size) == 0)
            return &cli_option_table[i];
    return NULL;
}

static int set_option(const cli_verb *verb, const char *argument, const char *following, bool *took, cli_options *ret)
{
    const char *name = argument + 2, *equals = strchr(name, '=');
    size_t size = equals ? (size_t)(equals - name) : strlen(name);
    const cli_option *row = find_row(verb, name, size);
    if (!row)
        return cli_usage(verb->name, "there is no option", argument);
    if (!row->value && equals)
        return cli_usage(verb->name, "takes no value:", argument);
    const char *value = equals ? equals + 1 : row->value ? following : "";
    *took = row->value && !equals;
    if (!value)
        return cli_usage(verb->name, "a value is missing behind", argument);
    if (ret->change_count == CLI_MOST_CHANGES)
        return cli_usage(verb->name, "these are too many changes at once; 64 are the most:", argument);
    if (cli_option_is_form(row) && ret->forms)
        return cli_usage(verb->name, "only one form can be asked for; this is the second:", argument);
    if (row->set(ret, value))
        return CLI_GOOD;
    char what[64];
    (void)snprintf(what, sizeof what, "this value of --%s is not understood:", row->name);
    return cli_usage(verb->name, what, value);
}

/* Of `new` the first is OUT, and the others are kept at the front of the arguments. */
static int add_array(char **arguments, char *argument, cli_options *ret)
{
    if (!ret->out) {
        ret->file = ret->out = argument;
        return CLI_GOOD;
    }
    ret->arrays = arguments;
    arguments[ret->array_count++] = argument;
    return CLI_GOOD;
}

static int add_operand(const cli_verb *verb, const char *argument, cli_options *ret)
{
    if (!ret->file)
        ret->file = argument;
    else if (!ret->other && verb->bit == CLI_DIFF)
        ret->other = argument;
    else if (!ret->path && (verb->bit & (CLI_DIFF | CLI_SHOW | CLI_LS | CLI_TREE | CLI_STATS | CLI_GET)))
        ret->path = argument;
    else if (!ret->out && verb->bit == CLI_SAVE)
        ret->out = argument;
    else
        return cli_usage(verb->name, "one argument too many:", argument);
    return CLI_GOOD;
}

/* What a stream cannot have, or a file that is written as it was. */
static int check_form(const cli_verb *verb, const cli_options *o)
{
    const ptio_save_options *s = &o->save;
    const char *archive = s->alignment ? "--align" : s->no_crc32 ? "--no-crc" : s->root ? "--root" : NULL;
    const char *other = s->legacy                             ? "--legacy"
                        : s->protocol != 2                    ? "--protocol"
                        : s->byte_order != PTIO_NATIVE_ENDIAN ? "--endian"
                                                              : archive;
    if (o->keep && other)
        return cli_usage(verb->name, "a file that is kept as it was (--profile keep) takes no", other);
    if (s->legacy && archive)
        return cli_usage(verb->name, "a stream (--legacy) is no archive and takes no", archive);
    if (o->sink.backup && o->out && strcmp(o->out, "-") == 0)
        return cli_usage(verb->name, "standard output has no old file for", "--backup");
    return CLI_GOOD;
}

static int check_operands(const cli_verb *verb, cli_options *ret)
{
    if (!ret->file)
        return cli_usage(verb->name, verb->bit == CLI_NEW ? "the file to write is missing" : "a file is missing", NULL);
    if (verb->bit == CLI_NEW && !ret->array_count)
        return cli_usage(verb->name, "there is nothing to put into", ret->out);
    if (verb->bit == CLI_DIFF && !ret->other)
        return cli_usage(verb->name, "the second file is missing", NULL);
    if (verb->bit == CLI_DIFF && strcmp(ret->file, "-") == 0 && strcmp(ret->other, "-") == 0)
        return cli_usage(verb->name, "only one of the files can be standard input", NULL);
    int code = verb->bit & SAVING ? check_form(verb, ret) : CLI_GOOD;
    if (verb->bit != CLI_SAVE || code != CLI_GOOD)
        return code;
    if (ret->in_place && ret->out)
        return cli_usage(verb->name, "with --in-place there is no other file to write:", ret->out);
    if (ret->in_place && strcmp(ret->file, "-") == 0)
        return cli_usage(verb->name, "standard input cannot be written in place", NULL);
    if (ret->in_place)
        ret->out = ret->file;
    if (!ret->out && !ret->dry_run)
        return cli_usage(verb->name, "the file to write is missing", NULL);
    return CLI_GOOD;
}

int cli_parse(const cli_verb *verb, int count, char **arguments, cli_options *ret)
{
    *ret = (cli_options){.load = {PTIO_LOAD_OPTIONS},
                         .save = {PTIO_SAVE_OPTIONS},
                         .sink = {.struct_size = sizeof ret->sink},
                         .rtol = 1e-5,
                         .atol = 1e-8};
    ret->load.limits = &ret->limits;
    bool only_operands = false;
    for (int i = 0; i < count; i++) {
        const char *argument = arguments[i];
        bool took = false;
        int code;
        if (!only_operands && strcmp(argument, "--") == 0) {
            only_operands = true;
            continue;
        }
        if (!only_operands && strcmp(argument, "-h") == 0)
            code = (ret->help = true, CLI_GOOD);
        else if (!only_operands && strcmp(argument, "-o") == 0)
            code = set_option(verb, "--output", i + 1 < count ? arguments[i + 1] : NULL, &took, ret);
        else if (!only_operands && strncmp(argument, "--", 2) == 0)
            code = set_option(verb, argument, i + 1 < count ? arguments[i + 1] : NULL, &took, ret);
        else if (!only_operands && argument[0] == '-' && argument[1])
            code = cli_usage(verb->name, "there is no option", argument);
        else
            code = verb->bit == CLI_NEW ? add_array(arguments, arguments[i], ret) : add_operand(verb, argument, ret);
        if (code != CLI_GOOD)
            return code;
        i += took;
    }
    return ret->help ? CLI_GOOD : check_operands(verb, ret);
}

int cli_help(const cli_verb *verb)
{
    out_string("usage: ptio ");
    out_string(verb->name);
    out_string(" [OPTIONS] ");
    out_string(verb->arguments);
    out_string("\n\n");
    out_string(verb->text);
    out_string(verb->bit == CLI_DIFF ? "\n\nA or B may be - for standard input.\n"
               : verb->bit & SAVING  ? "\n\nA file may be - for standard input or output.\n"
                                     : "\n\nFILE may be - for standard input.\n");
    out_string("\noptions:\n");
    for (size_t i = 0; i < cli_option_count; i++) {
        if (!(cli_option_table[i].verbs & verb->bit))
            continue;
        size_t used =
            4 + strlen(cli_option_table[i].name) + (cli_option_table[i].value ? 1 + strlen(cli_option_table[i].value) : 0);
        out_string("  --");
        out_string(cli_option_table[i].name);
        if (cli_option_table[i].value) {
            out_char(' ');
            out_string(cli_option_table[i].value);
        }
        out_spaces(used < 24 ? 24 - used : 1);
        out_string(cli_option_table[i].help);
        out_char('\n');
    }
    out_string("\nexample:\n  ");
    out_string(verb->example);
    out_char('\n');
    return CLI_GOOD;
}
