/*
 * The options of the command line, one row for each. option_table.c has what they do, options.c reads them.
 */
#ifndef PTIO_CLI_OPTION_TABLE_H
#define PTIO_CLI_OPTION_TABLE_H

#include "cli/cli.h"

typedef struct cli_option {
    const char *name;
    const char *value;                                    /* what it takes; NULL for a flag                                  */
    unsigned verbs;                                       /* that have it                                                    */
    bool (*set)(cli_options *options, const char *value); /* false: not understood        */
    const char *help;
} cli_option;

extern const cli_option cli_option_table[];
extern const size_t cli_option_count;

/** Whether it says in which form something is written, of which there can be one. */
bool cli_option_is_form(const cli_option *option);

#define SAVING (CLI_SAVE | CLI_NEW)

#endif
