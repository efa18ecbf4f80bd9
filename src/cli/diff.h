/*
 * What `ptio diff` compares, and what it tells.
 *
 *     cmd_diff.c       opens both files, and tells what it adds up to
 *     diff_values.c    walks both values together: containers by key, what is in them by value
 *     diff_leaf.c      values that hold no others
 *     diff_tensor.c    two tensors, in pieces
 *     diff_tell.c      a difference, as a line for people or for programs
 */
#ifndef PTIO_CLI_DIFF_H
#define PTIO_CLI_DIFF_H

#include "cli/grow.h"
#include "cli/number.h"
#include "cli/pieces.h"
#include "cli/progress.h"
#include "cli/select.h"

/** Of the elements of two tensors of one shape. */
typedef struct diff_worst {
    bool known;
    double size;                      /* of the difference         */
    int64_t place[PIECES_DIMENSIONS]; /* where                     */
    union {
        double real[2]; /* and of complex numbers the other part */
        int64_t integer;
        uint64_t natural;
    } a, b;
} diff_worst;

typedef struct diff_elements {
    uint64_t numel, different; /* by their bits; by their values where the dtypes are two */
    number_class class_;       /* NO_NUMBERS: only bits could be compared */
    bool close;
    bool narrow; /* floats of 32 bits or fewer, which need fewer digits */
    diff_worst absolute, relative;
    size_t ndim;
} diff_elements;

typedef struct differ {
    const cli_options *options;
    cli_file a, b;
    grown path; /* of what is compared now */
    selection selection;
    void *bytes[2], *numbers[2]; /* PIECES_BYTES each */
    const ptio_storage *held[2]; /* that were read last */
    progress progress;
    uint64_t read, total; /* bytes */
    struct {
        uint64_t equal, close, different;
    } tensors, values;
    uint64_t only_a, only_b;
    int code; /* of the first failure, which was told */
} differ;

/** Compare everything. False after a failure (d->code). */
bool diff_values(differ *d);

/** The kind of a value; those that Python's == does not tell apart are one. */
ptio_kind diff_kind(const ptio_value *value);

bool diff_texts_same(ptio_text a, ptio_text b);
bool diff_parts_same(double a, double b);
bool diff_complex_same(const ptio_value *a, const ptio_value *b);

/** Of bools, ints and floats, by value and exactly. */
bool diff_numbers_same(const ptio_value *a, const ptio_value *b);

/** Of two values of one kind that is none of containers, numbers and tensors. False after a failure (d->code). */
bool diff_leaves_same(differ *d, const ptio_value *a, const ptio_value *b, bool *same);

/** Compare the elements of two tensors of one shape that have some. */
bool diff_elements_of(differ *d, const ptio_tensor *a, const ptio_tensor *b, diff_elements *ret);

/** Whether two numbers are as near as the options allow. */
bool diff_is_close(const cli_options *options, double difference, double b);

/** A failure of file a (0) or b (1). Gives false. */
bool diff_fail(differ *d, int which, const ptio_error *err);
bool diff_no_memory(differ *d);

/* Lines. A value or tensor is shown in a few words. */
void diff_tell_only(differ *d, int which, const ptio_value *value, const ptio_tensor *tensor);
void diff_tell_words(differ *d, const char *what, const char *a, const char *b);
void diff_tell_values(differ *d, const char *what, const ptio_value *a, const ptio_value *b);
void diff_tell_shapes(differ *d, const ptio_tensor *a, const ptio_tensor *b);
void diff_tell_elements(differ *d, const diff_elements *elements);
void diff_tell_total(const differ *d);

#endif
