/*
 * How far a command is, for people who wait: a line on standard error, where that is a terminal and there is much to do.
 */
#ifndef PTIO_CLI_PROGRESS_H
#define PTIO_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    bool shown;       /* on a terminal                    */
    bool begun;       /* the line is there now            */
    unsigned percent; /* that it shows, and one; 0: none  */
} progress;

void progress_begin(progress *p);

/** `done` of `total` bytes. */
void progress_tell(progress *p, uint64_t done, uint64_t total);

/** Take the line away: at the end, and before anything else is written. */
void progress_clear(progress *p);

#endif
