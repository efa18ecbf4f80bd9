/*
 * A file that takes the place of another, so that there is always one of them, whole.
 *
 *     1  the folder of the target is opened, links followed, and kept                                     ptio_target_find()
 *     2  a temporary file is made in it, under a name that nobody else has                                ptio_replace_begin()
 *     3  the bytes are written to it                                                                      by the sink
 *     4  it gets the owner, mode, access list and attributes of the old file                              ptio_replace_commit()
 *     5  fsync of it, and close; both must succeed
 *     6  the old file gets its second name, if a backup is wanted, and fsync of the folder
 *     7  rename
 *     8  fsync of the folder
 *
 * Before step 7 the target is the old file, after it the new one. Any failure before it removes the temporary file.
 */
#ifndef PTIO_IO_REPLACE_H
#define PTIO_IO_REPLACE_H

#include "base/error.h"
#include "base/memory.h"
#include "io/calls.h"

/** No system has longer ones. */
#define PTIO_NAME_SIZE 256
#define PTIO_PATH_SIZE 4096

typedef enum ptio_target_kind {
    PTIO_TARGET_NEW,   /* nothing is there                                           */
    PTIO_TARGET_FILE,  /* a regular file, which is replaced                          */
    PTIO_TARGET_STREAM /* a FIFO, a device, a link of /proc: it is written directly  */
} ptio_target_kind;

typedef struct ptio_target {
    const ptio_calls *calls;
    int folder; /* its descriptor */
    ptio_target_kind kind;
    bool is_link;                     /* the path was a symbolic link */
    bool is_proc_link;                /* and leads where only the system knows */
    bool cannot_sync;                 /* the folder may not be listed */
    struct stat about;                /* of a FILE                    */
    char name[PTIO_NAME_SIZE];        /* in that folder               */
    char folder_name[PTIO_PATH_SIZE]; /* for messages                 */
} ptio_target;

/** Errors     PTIO_ERR_IO "io.parent", "io.open"; PTIO_ERR_ARGUMENT "io.directory" */
ptio_status ptio_target_find(ptio_target *target, const ptio_calls *calls, const char *path, ptio_error *err);

void ptio_target_close(ptio_target *target);

typedef struct ptio_replace {
    ptio_target target;
    ptio_heap *heap;
    int fd; /* the temporary file; -1: closed */
    char temporary[PTIO_NAME_SIZE];
    bool has_temporary;
} ptio_replace;

/** What fails where the folder takes no temporary file: "io.folder". */
ptio_status ptio_replace_no_folder(const ptio_target *target, int number, ptio_error *err);

/** Make the temporary file of a target of kind NEW or FILE. The target's folder belongs to *replace from then on, failure or not. */
ptio_status ptio_replace_begin(ptio_replace *replace, const ptio_target *target, ptio_heap *heap, ptio_error *err);

typedef struct ptio_replace_options {
    bool durable;       /* fsync                                             */
    bool no_replace;    /* fail where there is a file by now                 */
    const char *backup; /* the suffix under which the old one stays, or NULL */
} ptio_replace_options;

/** The bytes are all there: put it in place. */
ptio_status ptio_replace_commit(ptio_replace *replace, const ptio_replace_options *options, ptio_error *err);

/** PTIO_ERR_ARGUMENT "io.exists". */
ptio_status ptio_replace_exists(ptio_error *err);

/** Close what is open, and remove the temporary file if it is not in place. */
void ptio_replace_end(ptio_replace *replace);

#endif
