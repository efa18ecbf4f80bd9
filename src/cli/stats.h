/*
 * What `ptio stats` counts: the elements of one tensor at a time.
 *
 * One pass over the data, in pieces: memory does not grow with a tensor. Integers keep their exact smallest and largest; means and
 * deviations are those of float64.
 */
#ifndef PTIO_CLI_STATS_H
#define PTIO_CLI_STATS_H

#include "cli/cli.h"
#include "cli/moments.h"
#include "cli/number.h"
#include "cli/progress.h"
#include "cli/seen.h"

typedef struct stats_facts {
    number_class class_;
    bool singles; /* of REALS: float32 has them all */
    tally tally;
    uint64_t least, most; /* of INTEGERS, see stats_signed(), and UNSIGNED */
} stats_facts;

typedef struct stats_work {
    const cli_options *options;
    const ptio_tensor_list *list;
    size_t *chosen; /* entries of the list */
    size_t count;
    stats_facts *facts; /* of each chosen one */
    seen done;          /* tensors, and which of the chosen they are */
    void *buffer;
    const ptio_storage *held; /* that was read last */
    progress progress;
    uint64_t bytes, total; /* read, and in all */
    size_t name;           /* width of columns */
    size_t zeros;
} stats_work;

/** Count the elements of the chosen tensor `index` into its facts. One that is tied to another is counted once. */
ptio_status stats_count(stats_work *w, size_t index, ptio_error *err);

/** The integer that `least` or `most` of INTEGERS stands for: they are kept as places among all integers of 64 bits. */
int64_t stats_signed(uint64_t place);

#endif
