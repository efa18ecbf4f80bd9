/*
 * Globs over names: those of the shell, in which * stands for dots too, and ? for one character, however many bytes it has.
 */
#ifndef PTIO_CLI_GLOB_H
#define PTIO_CLI_GLOB_H

#include <stdbool.h>

/** Whether the whole name is what the glob says. */
bool glob_matches(const char *glob, const char *name);

#endif
