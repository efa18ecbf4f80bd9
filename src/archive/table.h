/*
 * The table of an archive's records, for those who fill it.
 */
#ifndef PTIO_ARCHIVE_TABLE_H
#define PTIO_ARCHIVE_TABLE_H

#include "archive/archive.h"

/** Longest name of a record. */
#define PTIO_NAME_MOST 4096

/** Names of a zip meet where readers could take one for the other: in lower case, with every backslash a slash. `out` has room for
 *  `size` bytes. */
void ptio_table_fold(char *out, const char *name, size_t size);

/** Whether two names are the same once folded. */
bool ptio_table_same(ptio_text a, ptio_text b);

/** Room for `count` entries in all, and for their names in the hash table. Not for a zip. */
ptio_status ptio_table_reserve(ptio_archive *archive, size_t count, ptio_error *err);

/**
 * Put entry `index`, which is filled in, into the table. Gives SIZE_MAX, or the index of an entry of the same name; in a
 * zip, also of one whose name differs only in the case of ASCII letters or in the direction of slashes.
 */
size_t ptio_table_insert(ptio_archive *archive, size_t index);

/** The quick part of that, for names ROOT/data/NUMBER. False where the name is another, or is taken already. */
bool ptio_table_insert_number(ptio_archive *archive, size_t index);

/** Make the hash table of a zip, for the `count` entries that have no number. */
ptio_status ptio_table_make(ptio_archive *archive, size_t count, ptio_error *err);

#endif
