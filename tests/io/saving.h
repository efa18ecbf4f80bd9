/*
 * Saves into a folder of their own, and what must be true after each, however it ended.
 */
#ifndef TESTS_IO_SAVING_H
#define TESTS_IO_SAVING_H

#include "io/sink.h"

/* One way of saving. */
typedef struct saving {
    const char *title;
    size_t size;     /* about so many bytes are written       */
    bool had_old;    /* there is a file to be replaced        */
    bool had_backup; /* and an older backup                   */
    bool by_link;    /* the path is a symbolic link to it     */
    bool backup;     /* the old one is to be kept             */
    bool no_replace;
    bool not_durable;
    bool by_threads;
    bool unexpected;   /* the sink is not told how much there will be */
    const char *never; /* a system call that never works        */
    int never_number;
} saving;

/* Every way that takes different calls. Ends with a title that is NULL. */
extern const saving savings[];

/* Where the folder is to be made from now on, instead of where it is otherwise. */
void saving_root(const char *path);

/* Make the folder, of a name of its own, and fill it as `s` says. */
void saving_begin(const saving *s);

/* Save with disk_calls. The error says what went wrong. */
ptio_status saving_run(const saving *s, const ptio_memory *memory, ptio_error *err);

/* What the new file holds. */
ptio_text saving_new_bytes(const saving *s);
ptio_text saving_old_bytes(void);
ptio_text saving_older_bytes(void);

/* What is there now. */
typedef enum saving_content { NOTHING, OLD, NEW, OLDER, SOMETHING_ELSE } saving_content;
saving_content saving_target(const saving *s);
saving_content saving_backup(const saving *s);

/* Files in the folder with the name of a temporary one, and with a name that is nobody's. */
size_t saving_temporaries(void);
size_t saving_strangers(void);

/* Whether the target is wholly the old file or wholly the new one, and nothing else is wrong; otherwise *why says what is. */
bool saving_is_sound(const saving *s, const char **why);

const char *saving_path(void);

/* Remove the folder and all in it. */
void saving_end(void);

#endif
