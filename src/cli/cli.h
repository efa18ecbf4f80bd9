/*
 * What the verbs of the command share: options, output, errors.
 *
 * Layers: main.c picks a verb from its table; options.c reads the command line into a cli_options; open.c loads; a cmd_*.c
 * does the work, over out.c and json_out.c. Only ptio.h of the library is used.
 */
#ifndef PTIO_CLI_CLI_H
#define PTIO_CLI_CLI_H

#include "ptio.h"

/** Exit codes. */
enum { CLI_GOOD = 0, CLI_FINDINGS = 1, CLI_REFUSED = 2, CLI_IO = 3, CLI_USAGE = 4, CLI_LIMIT = 5, CLI_INTERRUPTED = 130 };

/** Verbs, as bits, for the table of options. */
enum {
    CLI_SHOW = 1,
    CLI_LS = 2,
    CLI_TREE = 4,
    CLI_INFO = 8,
    CLI_DIS = 16,
    CLI_CHECK = 32,
    CLI_SAVE = 64,
    CLI_NEW = 128,
    CLI_STATS = 256,
    CLI_GET = 512,
    CLI_DIFF = 1024,
    CLI_ALL = 2047
};

/** What `ptio save` changes, in the order of the command line. Renames stand side by side. */
typedef enum cli_change_kind {
    CLI_CHANGE_SELECT,
    CLI_CHANGE_DROP,
    CLI_CHANGE_RENAME,
    CLI_CHANGE_RENAME_REGEX,
    CLI_CHANGE_STRIP_PREFIX,
    CLI_CHANGE_CAST,
    CLI_CHANGE_ADD
} cli_change_kind;

typedef struct cli_change {
    cli_change_kind kind;
    const char *text;
} cli_change;

enum {
    CLI_MOST_CHANGES = 64,
    CLI_MOST_ALLOWED = 256,
    CLI_MOST_PAIRS = 64 /* of --map-location */
};

/** The form in which `ptio get` gives a value. */
typedef enum cli_form { CLI_FORM_PRINTED, CLI_FORM_RAW, CLI_FORM_NPY, CLI_FORM_TEXT, CLI_FORM_JSON } cli_form;

/** Whether there are colours. */
typedef enum cli_color { CLI_COLOR_AUTO, CLI_COLOR_ALWAYS, CLI_COLOR_NEVER } cli_color;

/** Everything that can stand on a command line. */
typedef struct cli_options {
    const char *file;  /* "-": standard input */
    const char *other; /* of diff: the second file */
    const char *path;  /* inside the file, or NULL */
    const char *out;   /* of save, get: where to; "-": standard output */
    bool help, json, hash, raw, all, keep, devices, keys;
    bool data_only, in_place, dry_run; /* of save */
    bool finite;                       /* of stats */
    cli_color color;
    cli_form form;  /* of get */
    unsigned forms; /* options that say so */
    const char *slice;
    ptio_dtype cast;
    double rtol, atol; /* of diff */
    bool tolerant;     /* one of them was given */
    cli_change changes[CLI_MOST_CHANGES];
    size_t change_count;
    ptio_map_location map;
    const char *pairs[CLI_MOST_PAIRS][2]; /* of its table */
    char **arrays;                        /* of new: NAME=FILE */
    size_t array_count;
    uint64_t max_depth, head;
    const char *record;
    ptio_safe_global allowed[CLI_MOST_ALLOWED];
    ptio_load_options load;
    ptio_save_options save;
    ptio_sink_options sink;
    ptio_print_options print;
    ptio_limits limits;
} cli_options;

/** A verb. */
typedef struct cli_verb {
    const char *name;
    unsigned bit;
    const char *arguments; /* "FILE [PATH]" */
    const char *summary;   /* one line */
    const char *text;      /* what it does, for --help */
    const char *example;
    int (*run)(const cli_options *options);
} cli_verb;

/** Read the arguments behind the verb. Gives CLI_GOOD, or has told what is wrong and gives CLI_USAGE. */
int cli_parse(const cli_verb *verb, int count, char **arguments, cli_options *ret);

/** Print the help of a verb. */
int cli_help(const cli_verb *verb);

/** "ptio: file: record: byte N: message" on standard error. Gives the exit code. */
int cli_fail(const char *file, const ptio_error *err);

/** "ptio: file: nothing is at path". Gives the exit code. */
int cli_no_path(const char *file, const char *path);

/** A mistake on the command line. Gives CLI_USAGE. */
int cli_usage(const char *verb, const char *what, const char *argument);

/** What a status exits with. */
int cli_exit_code(ptio_status status);

/** A loaded file. */
typedef struct cli_file {
    ptio_source *source; /* of standard input, else NULL */
    ptio_checkpoint *ckpt;
    const ptio_value *value; /* the root, or what options->path names */
} cli_file;

/** Load options->file. Gives CLI_GOOD, or has told what is wrong and gives the exit code. */
int cli_open(const cli_options *options, cli_file *ret);
void cli_close(cli_file *file);

/** The source of options->file, for verbs that do not load. */
int cli_open_source(const cli_options *options, ptio_source **ret);

/** Whether an interrupt came while cli_wait_when_interrupted(true) held; without that, one ends the command. */
bool cli_interrupted(void);
void cli_wait_when_interrupted(bool wait);

/** Write a value to options->out. Gives the exit code, having told what is wrong. */
int cli_save(const cli_options *options, const ptio_value *value, const ptio_save_options *save);

int cmd_show(const cli_options *options);
int cmd_ls(const cli_options *options);
int cmd_tree(const cli_options *options);
int cmd_info(const cli_options *options);
int cmd_dis(const cli_options *options);
int cmd_check(const cli_options *options);
int cmd_save(const cli_options *options);
int cmd_new(const cli_options *options);
int cmd_diff(const cli_options *options);
int cmd_get(const cli_options *options);
int cmd_stats(const cli_options *options);

/** How options->print and the options beside it print a value. */
void cli_print_options(const cli_options *options, ptio_print_options *ret);

/** `ptio tree --json` of a value. */
int cli_tree_json(const cli_options *options, const cli_file *file);
/** `ptio tree --raw --json`. */
int cli_tree_raw_json(const cli_options *options, const cli_file *file);

#endif
