#define _GNU_SOURCE
#include "io/saving.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "io/disk.h"
#include "io/sink_kind.h"

const saving savings[] = {
    {.title = "a new file", .size = 700},
    {.title = "a new file of many writes", .size = 900000},
    {.title = "an old file replaced", .size = 700, .had_old = true},
    {.title = "an old file replaced by many writes", .size = 900000, .had_old = true},
    {.title = "an old file replaced by threads", .size = 900000, .had_old = true, .by_threads = true},
    {.title = "a file behind a link", .size = 700, .had_old = true, .by_link = true},
    {.title = "an old file kept", .size = 700, .had_old = true, .backup = true},
    {.title = "an old file kept instead of an older one", .size = 700, .had_old = true, .had_backup = true, .backup = true},
    {.title = "an old file kept where files have one name",
     .size = 700,
     .had_old = true,
     .had_backup = true,
     .backup = true,
     .never = "linkat",
     .never_number = EPERM},
    {.title = "nothing to keep", .size = 700, .backup = true},
    {.title = "a file that must be new", .size = 700, .no_replace = true},
    {.title = "a file that must be new where rename cannot tell",
     .size = 700,
     .no_replace = true,
     .never = "rename_new",
     .never_number = EINVAL},
    {.title = "an old file replaced, not durably", .size = 700, .had_old = true, .not_durable = true},
    {.title = NULL},
};

static const char *root;
static char folder[96];
static char paths[3][128];
enum { TARGET, BACKUP, LINK };

static const char old_bytes[] = "the old file, which is whole";
static const char older_bytes[] = "an older one";

const char *saving_path(void)
{
    return paths[TARGET];
}

ptio_text saving_old_bytes(void)
{
    return PTIO_TEXT(old_bytes);
}

ptio_text saving_older_bytes(void)
{
    return PTIO_TEXT(older_bytes);
}

static void must(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    abort();
}

static void put_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "wb");
    must(file && fputs(content, file) >= 0 && fclose(file) == 0, path);
}

/* ---- the folder ---- */

static void name_paths(void)
{
    static const char *const names[] = {"target", "target.bak", "link"};
    for (int i = 0; i < 3; i++)
        (void)snprintf(paths[i], sizeof *paths, "%s/%s", folder, names[i]);
}

static void empty_folder(void)
{
    DIR *dir = opendir(folder);
    must(dir, folder);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            must(unlinkat(dirfd(dir), entry->d_name, 0) == 0, entry->d_name);
    (void)closedir(dir);
}

void saving_root(const char *path)
{
    root = path;
    folder[0] = '\0';
}

void saving_begin(const saving *s)
{
    if (!folder[0]) {
        /* In memory where that is to be had: a disk is asked to write whenever a file takes another's place. */
        bool in_memory = access("/dev/shm", W_OK | X_OK) == 0;
        (void)snprintf(folder, sizeof folder, "%s/ptio_saving_XXXXXX", root ? root : in_memory ? "/dev/shm" : "/tmp");
        must(mkdtemp(folder), folder);
        name_paths();
    }
    empty_folder();
    if (s->had_old) {
        put_file(paths[TARGET], old_bytes);
        must(chmod(paths[TARGET], 0640) == 0, "chmod");
    }
    if (s->had_backup)
        put_file(paths[BACKUP], older_bytes);
    if (s->by_link)
        must(symlink("target", paths[LINK]) == 0, "symlink");
}

void saving_end(void)
{
    if (!folder[0])
        return;
    empty_folder();
    must(rmdir(folder) == 0, folder);
    folder[0] = '\0';
}

static bool is_temporary(const char *name)
{
    ptio_text text = ptio_text_of(name);
    return ptio_text_starts(text, ".target.") && ptio_text_ends(text, ".ptio-tmp");
}

static bool is_known(const char *name)
{
    return strcmp(name, "target") == 0 || strcmp(name, "target.bak") == 0 || strcmp(name, "link") == 0 ||
           strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static size_t count(bool (*is_one)(const char *name))
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    must(dir, folder);
    for (struct dirent *entry; (entry = readdir(dir));)
        n += is_one(entry->d_name);
    (void)closedir(dir);
    return n;
}

static bool is_strange(const char *name)
{
    return !is_known(name) && !is_temporary(name);
}

size_t saving_temporaries(void)
{
    return count(is_temporary);
}

size_t saving_strangers(void)
{
    return count(is_strange);
}

/* ---- saving ---- */

#define MOST ((size_t)1000000)

static unsigned char bytes[MOST];
static FILE *file_of_bytes;

static ptio_source *open_source(void)
{
    ptio_source *source = NULL;
    if (!file_of_bytes) {
        for (size_t i = 0; i < MOST; i++)
            bytes[i] = (unsigned char)(i * 31 + i / 509 + 1);
        file_of_bytes = tmpfile();
        must(file_of_bytes && fwrite(bytes, 1, MOST, file_of_bytes) == MOST && fflush(file_of_bytes) == 0, "a source");
    }
    must(ptio_source_from_fd(fileno(file_of_bytes), 0, NULL, NULL, &source, NULL) == PTIO_OK, "a source");
    return source;
}

/* Every way in which bytes come to a sink. */
static ptio_status write_all(ptio_sink *sink, size_t size, bool by_threads, ptio_error *err)
{
    ptio_source *source = open_source();
    ptio_sink_pieces pieces = {.threads = 3, .source = source, .offset = 3, .size = size / 2, .piece = 32768};
    ptio_status status = ptio_sink_write(sink, "head", 4, err);
    if (status == PTIO_OK && by_threads)
        status = ptio_sink_write_pieces(sink, &pieces, err);
    else if (status == PTIO_OK)
        status = ptio_sink_copy(sink, source, 3, size / 2, err);
    if (status == PTIO_OK)
        status = ptio_sink_skip(sink, size / 8, err);
    for (size_t at = 0; at < size / 4 && status == PTIO_OK; at += size / 10)
        status = ptio_sink_write(sink, bytes + at, size / 10, err);
    if (status == PTIO_OK)
        status = ptio_sink_write(sink, "tail", 4, err);
    ptio_source_free(source);
    return status;
}

ptio_status saving_run(const saving *s, const ptio_memory *memory, ptio_error *err)
{
    ptio_sink *sink = NULL;
    ptio_sink_options options = {PTIO_SINK_OPTIONS, .not_durable = s->not_durable, .no_replace = s->no_replace,
                                 .backup = s->backup ? ".bak" : NULL, .memory = memory};
    the_disk.never = s->never;
    the_disk.never_number = s->never_number;
    ptio_status status = ptio_sink_open_with(&disk_calls, paths[s->by_link ? LINK : TARGET], &options, &sink, err);
    if (status == PTIO_OK && !s->unexpected)
        status = ptio_sink_expect(sink, s->size, false, err);
    if (status == PTIO_OK)
        status = write_all(sink, s->size, s->by_threads, err);
    if (status == PTIO_OK)
        status = ptio_sink_finish(sink, err);
    ptio_sink_free(sink);
    return status;
}

/* ---- what is there ---- */

ptio_text saving_new_bytes(const saving *s)
{
    static ptio_sink *sink;
    static size_t size;
    if (!sink || size != s->size) {
        ptio_sink_free(sink);
        must(ptio_sink_to_memory(NULL, &sink, NULL) == PTIO_OK && write_all(sink, s->size, false, NULL) == PTIO_OK,
             "the new bytes");
        size = s->size;
    }
    return ptio_sink_bytes(sink);
}

static saving_content content_of(const saving *s, const char *path)
{
    static char read[2 * MOST];
    FILE *file = fopen(path, "rb");
    if (!file)
        return NOTHING;
    ptio_text text = {read, fread(read, 1, sizeof read, file)};
    (void)fclose(file);
    if (ptio_text_equal(text, saving_new_bytes(s)))
        return NEW;
    return ptio_text_equal(text, saving_old_bytes()) ? OLD : ptio_text_equal(text, saving_older_bytes()) ? OLDER : SOMETHING_ELSE;
}

saving_content saving_target(const saving *s)
{
    return content_of(s, paths[TARGET]);
}

saving_content saving_backup(const saving *s)
{
    return content_of(s, paths[BACKUP]);
}

/* The backup is the older one until the old file is, and that before the new one is in place. */
static bool backup_is_sound(const saving *s, saving_content target)
{
    saving_content backup = saving_backup(s);
    if (s->backup && s->had_old && target == NEW)
        return backup == OLD;
    return backup == (s->had_backup ? OLDER : NOTHING) || (s->backup && s->had_old && backup == OLD);
}

/* Kept, or where something failed, no more for anyone. */
static bool mode_is_sound(const saving *s)
{
    struct stat about;
    if (!s->had_old)
        return true;
    return stat(paths[TARGET], &about) == 0 && ((about.st_mode & 07777) == 0640 || (about.st_mode & 07777) == 0600);
}

bool saving_is_sound(const saving *s, const char **why)
{
    struct stat about;
    saving_content target = saving_target(s);
    if (target != NEW && target != (s->had_old ? OLD : NOTHING))
        *why = "the target is neither the old file nor the new one";
    else if (!backup_is_sound(s, target))
        *why = "the backup is wrong";
    else if (s->by_link && (lstat(paths[LINK], &about) != 0 || !S_ISLNK(about.st_mode)))
        *why = "the link is no link any more";
    else if (target != NOTHING && !mode_is_sound(s))
        *why = "the mode of the file is not kept";
    else if (saving_strangers())
        *why = "there is a file that is nobody's";
    else
        return true;
    return false;
}
