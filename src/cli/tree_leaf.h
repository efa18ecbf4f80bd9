/*
 * The values without contents, as `ptio tree --json` tells them.
 */
#ifndef PTIO_CLI_TREE_LEAF_H
#define PTIO_CLI_TREE_LEAF_H

#include "cli/cli.h"

/** Write a value that is no container, tensor, storage, array or object. False for all others: nothing is written then. */
bool tree_leaf(const ptio_value *value);

/** "0.1": the text of a double, as Python's repr() has it. */
void tree_float_text(double value);

#endif
