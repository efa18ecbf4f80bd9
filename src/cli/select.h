/*
 * --select and --drop of the commands that read: which tensors they are about.
 *
 * A glob is about a name as `ptio ls` prints it. It takes what has the name, and all that is below it: "model" takes "model.fc.weight".
 */
#ifndef PTIO_CLI_SELECT_H
#define PTIO_CLI_SELECT_H

#include "cli/cli.h"
#include "cli/grow.h"

typedef struct selection {
    const cli_options *options;
    bool matched[CLI_MOST_CHANGES];
    bool selects; /* whether there is a --select */
    grown name;   /* room */
} selection;

void select_begin(selection *s, const cli_options *options);

/** Whether the options take a name. *failed: there was no memory to look. */
bool select_takes(selection *s, ptio_text name, bool *failed);

/** CLI_GOOD, or has told which option nothing has the name of and gives CLI_FINDINGS. */
int select_check(const selection *s);
void select_end(selection *s);

#endif
