/*
 * The system calls of saving with trouble: each of them can be made to fail, to end the process, or to find the disk full, and what
 * they did to the disk is noted down.
 */
#ifndef TESTS_IO_DISK_H
#define TESTS_IO_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/calls.h"

/* What a call did to the disk. A file is a number, in the order in which files were first opened or linked. */
typedef enum disk_deed { MADE, WROTE, CUT, CHMODDED, SYNCED, SYNCED_FOLDER, RENAMED, LINKED, UNLINKED } disk_deed;

typedef struct disk_event {
    disk_deed deed;
    uint64_t file;   /* its inode                              */
    uint64_t offset; /* WROTE; the new size: CUT; the mode: CHMODDED               */
    size_t size;     /* WROTE                                  */
    unsigned char *data;
    char name[256], to[256];
} disk_event;

typedef struct disk {
    /* What is to happen. */
    uint64_t fail_at;  /* the call of this number fails; UINT64_MAX: none       */
    bool forever;      /* and all after it                                      */
    int number;        /* errno of those                                        */
    const char *never; /* a call that never works, by name                      */
    int never_number;
    uint64_t kill_at; /* the process ends at this call                         */
    bool kill_after;  /* once it is done; a write is half done otherwise       */
    uint64_t room;    /* bytes that writes take until the disk is full         */
    size_t most;      /* bytes that one write takes at most; 0: all            */
    bool interrupted; /* each call that may be is interrupted once beforehand  */
    bool notes;       /* note events                                           */

    /* What happened. */
    uint64_t calls;
    const char *failed; /* the name of the last call that was made to fail */
    uint64_t last_interrupted;
    int open; /* descriptors that are open now                   */
    disk_event *events;
    size_t event_count, event_capacity;
} disk;

extern disk the_disk;
extern const ptio_calls disk_calls;

/** No trouble, nothing noted. */
void disk_reset(void);

#endif
