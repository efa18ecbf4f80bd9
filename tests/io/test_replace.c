/*
 * What a path may lead to and what is kept of the file that was there: links, modes, attributes, names, backups, folders that one
 * may not write to, and what is no regular file.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#if defined(__linux__)
#include <sys/xattr.h>
#endif
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "io/sink_kind.h"

static char folder[64];
static char path[400];  /* folder/file */
static char other[400]; /* folder/other */

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/ptio_replace_XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof path, "%s/file", folder);
    (void)snprintf(other, sizeof other, "%s/other", folder);
    return 0;
}

/* Also says how much was in it. */
static size_t empty_folder(const char *name)
{
    size_t n = 0;
    DIR *dir = opendir(name);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        n++;
        if (unlinkat(dirfd(dir), entry->d_name, 0) != 0)
            assert_int_equal(unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR), 0);
    }
    (void)closedir(dir);
    return n;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)empty_folder(folder);
    return rmdir(folder);
}

static void put_file(const char *name, const char *content, mode_t mode)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static void expect_file(const char *name, const char *content)
{
    char read[256] = "";
    FILE *file = fopen(name, "rb");
    assert_non_null(file);
    read[fread(read, 1, sizeof read - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    assert_string_equal(read, content);
}

static mode_t mode_of(const char *name)
{
    struct stat about;
    assert_int_equal(lstat(name, &about), 0);
    return about.st_mode;
}

static ptio_status save_with(const ptio_calls *calls, const char *name, const ptio_sink_options *options, ptio_error *err)
{
    ptio_sink *sink = NULL;
    ptio_status status = ptio_sink_open_with(calls, name, options, &sink, err);
    if (status == PTIO_OK)
        status = ptio_sink_write(sink, "new", 3, err);
    if (status == PTIO_OK)
        status = ptio_sink_finish(sink, err);
    ptio_sink_free(sink);
    return status;
}

static ptio_status save(const char *name, const ptio_sink_options *options, ptio_error *err)
{
    return save_with(&ptio_calls_system, name, options, err);
}

static void expect_refused(const char *name, const ptio_sink_options *options, ptio_status status, const char *reason)
{
    ptio_error err = {0};
    assert_int_equal(save(name, options, &err), status);
    assert_string_equal(err.reason, reason);
    assert_true(err.message[0]);
}

static const ptio_sink_options new_only = {PTIO_SINK_OPTIONS, .no_replace = true};
static const ptio_sink_options with_backup = {PTIO_SINK_OPTIONS, .backup = ".bak"};
static const ptio_sink_options not_durable = {PTIO_SINK_OPTIONS, .not_durable = true};

/* ---- modes ---- */

static void new_files_obey_umask(void **state)
{
    (void)state;
    static const mode_t masks[] = {0, 022, 027, 077};
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        mode_t before = umask(masks[i]);
        ptio_status status = save(path, NULL, NULL);
        (void)umask(before);
        assert_int_equal(status, PTIO_OK);
        assert_int_equal(mode_of(path), S_IFREG | (0666 & ~masks[i]));
        assert_int_equal(unlink(path), 0);
    }
}

static void modes_are_kept(void **state)
{
    (void)state;
    static const mode_t modes[] = {0600, 0640, 0604, 0666, 0755, 0200, 01644};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        put_file(path, "old", modes[i]);
        assert_int_equal(save(path, NULL, NULL), PTIO_OK);
        assert_int_equal(mode_of(path), S_IFREG | modes[i]);
        assert_int_equal(unlink(path), 0);
    }
}

static void a_mode_that_is_changed_meanwhile_is_kept_too(void **state)
{
    (void)state;
    ptio_sink *sink;
    put_file(path, "old", 0600);
    assert_int_equal(ptio_sink_open(path, NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
    ptio_sink_free(sink);
    assert_int_equal(mode_of(path), S_IFREG | 0644);
}

/* A file that is removed meanwhile is made again, with the mode it had for its owner and everyone. */
static void files_removed_meanwhile_are_made_again(void **state)
{
    (void)state;
    ptio_sink *sink;
    put_file(path, "old", 0604);
    assert_int_equal(ptio_sink_open(path, NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ptio_sink_write(sink, "new", 3, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
    ptio_sink_free(sink);
    assert_int_equal(mode_of(path) & 0707, 0604);
    expect_file(path, "new");
}

/* ---- owners, access lists, attributes: by a table that tells of some and notes what is given ---- */

static struct {
    const char *names; /* of the old file, each with its NUL */
    size_t names_size;
    const char *never; /* an attribute that cannot be given */
    bool foreign;      /* the old file is another user's    */
    bool may_give;     /* and the new one may become his    */
    bool may_give_group;
    char given[256];
    uid_t owner;
    gid_t group;
} told;

static int told_fstatat(int from, const char *name, struct stat *ret, int flags)
{
    int result = ptio_calls_system.fstatat(from, name, ret, flags);
    if (result == 0 && told.foreign) {
        ret->st_uid += 1000;
        ret->st_gid += 1000;
    }
    return result;
}

static int told_fchown(int fd, uid_t owner, gid_t group)
{
    (void)fd;
    bool may = owner == (uid_t)-1 ? told.may_give_group : told.may_give;
    if (may) {
        told.owner = owner;
        told.group = group;
    }
    errno = EPERM;
    return may ? 0 : -1;
}

static ssize_t told_flistxattr(int fd, char *names, size_t size)
{
    (void)fd;
    assert_true(size >= told.names_size);
    memcpy(names, told.names, told.names_size);
    return (ssize_t)told.names_size;
}

static ssize_t told_fgetxattr(int fd, const char *name, void *value, size_t size)
{
    (void)fd, (void)size;
    for (const char *n = told.names; n < told.names + told.names_size; n += strlen(n) + 1)
        if (strcmp(n, name) == 0) {
            memcpy(value, "v", 1);
            return 1;
        }
    errno = ENODATA;
    return -1;
}

static int told_fsetxattr(int fd, const char *name, const void *value, size_t size)
{
    (void)fd;
    assert_memory_equal(value, "v", size);
    if (told.never && strcmp(name, told.never) == 0) {
        errno = EPERM;
        return -1;
    }
    (void)snprintf(told.given + strlen(told.given), sizeof told.given - strlen(told.given), "%s ", name);
    return 0;
}

static int told_fremovexattr(int fd, const char *name)
{
    (void)fd;
    (void)snprintf(told.given + strlen(told.given), sizeof told.given - strlen(told.given), "-%s ", name);
    return 0;
}

static ptio_calls telling(void)
{
    ptio_calls calls = ptio_calls_system;
    calls.fstatat = told_fstatat;
    calls.fchown = told_fchown;
    calls.flistxattr = told_flistxattr;
    calls.fgetxattr = told_fgetxattr;
    calls.fsetxattr = told_fsetxattr;
    calls.fremovexattr = told_fremovexattr;
    return calls;
}

static void save_told(mode_t mode)
{
    ptio_calls calls = telling();
    put_file(path, "old", mode);
    assert_int_equal(save_with(&calls, path, NULL, NULL), PTIO_OK);
    expect_file(path, "new");
}

#define NAMES "user.mine\0security.selinux\0security.capability\0security.ima\0trusted.overlay.x\0btrfs.compression\0user.b\0"

static void what_is_the_users_is_kept_and_what_vouches_for_bytes_is_not(void **state)
{
    (void)state;
    memset(&told, 0, sizeof told);
    told.names = NAMES "system.posix_acl_access";
    told.names_size = sizeof NAMES "system.posix_acl_access";
    save_told(0660);
    assert_string_equal(told.given, "user.mine security.selinux user.b system.posix_acl_access ");
    assert_int_equal(mode_of(path) & 07777, 0660);
}

static void an_attribute_that_cannot_be_given_is_left_out(void **state)
{
    (void)state;
    memset(&told, 0, sizeof told);
    told.names = NAMES;
    told.names_size = sizeof NAMES - 1;
    told.never = "security.selinux";
    save_told(0660);
    assert_string_equal(told.given, "user.mine user.b -system.posix_acl_access ");
    assert_int_equal(mode_of(path) & 07777, 0660);
}

static void an_access_list_that_cannot_be_given_allows_the_group_no_more(void **state)
{
    (void)state;
    memset(&told, 0, sizeof told);
    told.names = "system.posix_acl_access";
    told.names_size = sizeof "system.posix_acl_access";
    told.never = "system.posix_acl_access";
    save_told(0664);
    assert_int_equal(mode_of(path) & 07777, 0644);
}

static void owner_and_group_are_kept_where_one_may(void **state)
{
    (void)state;
    memset(&told, 0, sizeof told);
    told.names = "";
    told.foreign = true;
    told.may_give = true;
    save_told(04664);
    assert_int_equal(told.owner, geteuid() + 1000);
    assert_int_equal(told.group, getegid() + 1000);
    assert_int_equal(mode_of(path) & 07777, 04664);
    told.may_give = false;
    told.may_give_group = true;
    save_told(04664);
    assert_int_equal(told.owner, (uid_t)-1);
    assert_int_equal(mode_of(path) & 07777, 0664); /* nobody becomes the saver by running it */
    told.may_give_group = false;
    save_told(0660);
    assert_int_equal(mode_of(path) & 07777, 0600); /* nor does the saver's group get what another one had */
    save_told(0654);
    assert_int_equal(mode_of(path) & 07777, 0644);
}

#if defined(__linux__)
/* By the system's own calls, where the file system of /tmp has such attributes. */
static void attributes_are_kept(void **state)
{
    (void)state;
    char value[8] = "";
    put_file(path, "old", 0600);
    if (setxattr(path, "user.ptio", "kept", 4, 0) != 0) {
        assert_int_equal(errno, ENOTSUP);
        return;
    }
    assert_int_equal(save(path, NULL, NULL), PTIO_OK);
    expect_file(path, "new");
    assert_int_equal(getxattr(path, "user.ptio", value, sizeof value), 4);
    assert_string_equal(value, "kept");
}
#endif

/* ---- links ---- */

static void links_are_followed(void **state)
{
    (void)state;
    char far[80], from_far[420];
    (void)snprintf(far, sizeof far, "%s/far", folder);
    (void)snprintf(from_far, sizeof from_far, "%s/far/link", folder);
    assert_int_equal(mkdir(far, 0700), 0);
    put_file(path, "old", 0600);
    assert_int_equal(symlink("../file", from_far), 0);
    assert_int_equal(symlink(from_far, other), 0);
    assert_int_equal(save(other, NULL, NULL), PTIO_OK);
    assert_true(S_ISLNK(mode_of(other)) && S_ISLNK(mode_of(from_far)));
    expect_file(path, "new");
    /* One that leads nowhere yet leads to the new file. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(save(other, NULL, NULL), PTIO_OK);
    assert_true(S_ISREG(mode_of(path)));
    expect_refused(other, &new_only, PTIO_ERR_ARGUMENT, "io.exists");
    assert_int_equal(unlink(path), 0);
    expect_refused(other, &new_only, PTIO_ERR_ARGUMENT, "io.exists");
    /* The backup lies beside the file, not beside the link. */
    put_file(path, "old", 0600);
    assert_int_equal(save(other, &with_backup, NULL), PTIO_OK);
    (void)snprintf(from_far, sizeof from_far, "%s.bak", path);
    expect_file(from_far, "old");
    assert_int_equal(empty_folder(far), 1);
}

static void links_of_others_in_a_folder_of_everyones_are_not_followed(void **state)
{
    (void)state;
    ptio_error err = {0};
    ptio_calls calls = ptio_calls_system;
    memset(&told, 0, sizeof told);
    calls.fstatat = told_fstatat;
    put_file(path, "old", 0600);
    assert_int_equal(symlink("file", other), 0);
    assert_int_equal(chmod(folder, 01777), 0);
    told.foreign = true;
    assert_int_equal(save_with(&calls, other, NULL, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.open");
    assert_non_null(strstr(err.message, strerror(EACCES)));
    expect_file(path, "old");
    told.foreign = false; /* one's own */
    assert_int_equal(save_with(&calls, other, NULL, NULL), PTIO_OK);
    told.foreign = true; /* where everyone may remove them too, or only a group puts them */
    assert_int_equal(chmod(folder, 0777), 0);
    assert_int_equal(save_with(&calls, other, NULL, NULL), PTIO_OK);
    assert_int_equal(chmod(folder, 01770), 0);
    assert_int_equal(save_with(&calls, other, NULL, NULL), PTIO_OK);
    expect_file(path, "new");
}

static void links_in_a_circle_lead_nowhere(void **state)
{
    (void)state;
    ptio_error err = {0};
    assert_int_equal(symlink("other", path), 0);
    assert_int_equal(symlink("file", other), 0);
    assert_int_equal(save(path, NULL, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.open");
    assert_non_null(strstr(err.message, strerror(ELOOP)));
}

static void other_names_of_the_file_keep_the_old_bytes(void **state)
{
    (void)state;
    put_file(path, "old", 0600);
    assert_int_equal(link(path, other), 0);
    assert_int_equal(save(path, NULL, NULL), PTIO_OK);
    expect_file(path, "new");
    expect_file(other, "old");
}

/* ---- what is no regular file ---- */

static void pipes_are_written_directly(void **state)
{
    (void)state;
    char read_bytes[8] = "";
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    assert_int_equal(save(path, NULL, NULL), PTIO_OK);
    assert_int_equal(read(reader, read_bytes, sizeof read_bytes), 3);
    assert_memory_equal(read_bytes, "new", 3);
    assert_int_equal(read(reader, read_bytes, sizeof read_bytes), 0);
    assert_int_equal(close(reader), 0);
    assert_true(S_ISFIFO(mode_of(path)));
    expect_refused(path, &new_only, PTIO_ERR_ARGUMENT, "io.exists");
    expect_refused(path, &with_backup, PTIO_ERR_ARGUMENT, "io.backup");
}

static void devices_are_written_directly(void **state)
{
    (void)state;
    ptio_error err = {0};
    assert_int_equal(save("/dev/null", NULL, NULL), PTIO_OK);
    assert_true(S_ISCHR(mode_of("/dev/null")));
    assert_int_equal(save("/dev/full", NULL, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.write");
    assert_string_equal(err.record, "/dev/full");
    assert_non_null(strstr(err.message, strerror(ENOSPC)));
}

static void sockets_cannot_be_opened(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", folder);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    expect_refused(address.sun_path, NULL, PTIO_ERR_IO, "io.open");
    assert_int_equal(close(fd), 0);
}

#if defined(__linux__)
static int never(int fd)
{
    (void)fd;
    errno = EIO;
    return -1;
}

static int close_badly(int fd)
{
    (void)ptio_calls_system.close(fd);
    return never(fd);
}

/* As /dev/stdout does. */
static void links_of_proc_lead_to_what_is_open(void **state)
{
    (void)state;
    int ends[2];
    char link_name[64], read_bytes[8] = "";
    assert_int_equal(pipe(ends), 0);
    (void)snprintf(link_name, sizeof link_name, "/proc/self/fd/%d", ends[1]);
    assert_int_equal(symlink(link_name, other), 0);
    assert_int_equal(save(other, NULL, NULL), PTIO_OK);
    assert_int_equal(read(ends[0], read_bytes, sizeof read_bytes), 3);
    (void)close(ends[0]);
    (void)close(ends[1]);
    /* A file that is open there stays the same file, and nothing of its old bytes is left. */
    struct stat before, after;
    put_file(path, "old bytes", 0600);
    int fd = open(path, O_WRONLY);
    assert_int_equal(fstat(fd, &before), 0);
    (void)snprintf(link_name, sizeof link_name, "/proc/self/fd/%d", fd);
    assert_int_equal(save(link_name, NULL, NULL), PTIO_OK);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    expect_file(path, "new");
    /* What the disk says of it is told. */
    ptio_calls calls = ptio_calls_system;
    ptio_error err = {0};
    calls.fsync = never;
    assert_int_equal(save_with(&calls, link_name, NULL, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.sync");
    assert_int_equal(save_with(&calls, link_name, &not_durable, NULL), PTIO_OK);
    calls.close = close_badly;
    err = (ptio_error){0};
    assert_int_equal(save_with(&calls, link_name, &not_durable, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.close");
    (void)close(fd);
    /* A folder that is open there stays one. */
    fd = open(folder, O_RDONLY);
    (void)snprintf(link_name, sizeof link_name, "/proc/self/fd/%d", fd);
    expect_refused(link_name, NULL, PTIO_ERR_ARGUMENT, "io.directory");
    (void)close(fd);
}
#endif

static void directories_are_no_files(void **state)
{
    (void)state;
    char name[80];
    expect_refused(folder, NULL, PTIO_ERR_ARGUMENT, "io.directory");
    expect_refused("/", NULL, PTIO_ERR_ARGUMENT, "io.directory");
    expect_refused(".", NULL, PTIO_ERR_ARGUMENT, "io.directory");
    (void)snprintf(name, sizeof name, "%s/", folder);
    expect_refused(name, NULL, PTIO_ERR_ARGUMENT, "io.directory");
    assert_int_equal(symlink(folder, other), 0);
    expect_refused(other, NULL, PTIO_ERR_ARGUMENT, "io.directory");
}

/* ---- folders ---- */

static void a_missing_folder_is_named(void **state)
{
    (void)state;
    char name[100], message[256];
    ptio_error err = {0};
    (void)snprintf(name, sizeof name, "%s/no/such/file.pt", folder);
    (void)snprintf(message, sizeof message, "Parent directory %s/no/such does not exist.", folder);
    assert_int_equal(save(name, NULL, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.parent");
    assert_string_equal(err.message, message);
    assert_string_equal(err.record, name);
}

static void odd_paths_are_refused(void **state)
{
    (void)state;
    char name[5000];
    expect_refused(NULL, NULL, PTIO_ERR_ARGUMENT, "argument.null");
    expect_refused("", NULL, PTIO_ERR_IO, "io.open");
    put_file(path, "old", 0600);
    (void)snprintf(name, sizeof name, "%s/below", path);
    expect_refused(name, NULL, PTIO_ERR_IO, "io.open");
    (void)snprintf(name, sizeof name, "%s/%0256d", folder, 1);
    expect_refused(name, NULL, PTIO_ERR_IO, "io.open");
    memset(name, '/', sizeof name);
    memcpy(name + sizeof name - 2, "x", 2);
    expect_refused(name, NULL, PTIO_ERR_IO, "io.open");
}

/* What `act` does as a user who is not root. */
static void as_somebody(void (*act)(void))
{
    int result = 0;
    assert_int_equal(chmod(folder, 0777), 0);
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(1);
        act();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
}

static void must(bool good)
{
    if (!good)
        _exit(2);
}

static void save_to_what_is_protected(void)
{
    ptio_error err = {0};
    char inner[100], file[120], link_name[100];
    (void)snprintf(inner, sizeof inner, "%s/inner", folder);
    (void)snprintf(file, sizeof file, "%s/inner/file", folder);
    (void)snprintf(link_name, sizeof link_name, "%s/link", folder);
    must(mkdir(inner, 0700) == 0 && symlink("inner/file", link_name) == 0);
    must(save(file, NULL, NULL) == PTIO_OK);
    /* A folder that takes no new names. */
    must(chmod(inner, 0555) == 0);
    must(save(file, NULL, &err) == PTIO_ERR_IO);
    must(strcmp(err.reason, "io.folder") == 0 && strstr(err.message, inner) && strstr(err.message, strerror(EACCES)));
    /* One that may not be listed: it cannot be synced. */
    must(chmod(inner, 0333) == 0);
    err = (ptio_error){0};
    must(save(file, NULL, &err) == PTIO_ERR_IO && strcmp(err.reason, "io.directory-sync") == 0);
    must(save(file, &not_durable, NULL) == PTIO_OK);
    /* One that may not be entered. */
    must(chmod(inner, 0600) == 0);
    err = (ptio_error){0};
    must(save(link_name, NULL, &err) == PTIO_ERR_IO && strcmp(err.reason, "io.open") == 0);
    must(chmod(inner, 0700) == 0);
    /* A file that is protected. */
    must(chmod(file, 0444) == 0);
    err = (ptio_error){0};
    must(save(file, NULL, &err) == PTIO_ERR_IO && strcmp(err.reason, "io.open") == 0 && strstr(err.message, strerror(EACCES)));
    /* A file that is written but not read: its access list is not known. */
    must(chmod(file, 0260) == 0);
    must(save(file, NULL, NULL) == PTIO_OK);
    struct stat about;
    must(stat(file, &about) == 0 && (about.st_mode & 0777) == 0200);
    must(unlink(file) == 0 && rmdir(inner) == 0 && unlink(link_name) == 0);
}

static void what_is_protected_stays(void **state)
{
    (void)state;
    as_somebody(save_to_what_is_protected);
}

/* The folder is held from the beginning on, wherever it or the process goes. */
static void folders_may_move(void **state)
{
    (void)state;
    char before[100], after[100], file[120];
    ptio_sink *sink;
    (void)snprintf(before, sizeof before, "%s/before", folder);
    (void)snprintf(after, sizeof after, "%s/after", folder);
    int here = open(".", O_RDONLY | O_DIRECTORY);
    assert_int_equal(mkdir(before, 0700), 0);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(ptio_sink_open("file", NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(fchdir(here), 0);
    assert_int_equal(close(here), 0);
    assert_int_equal(rename(before, after), 0);
    assert_int_equal(ptio_sink_write(sink, "new", 3, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
    ptio_sink_free(sink);
    (void)snprintf(file, sizeof file, "%s/file", after);
    expect_file(file, "new");
    assert_int_equal(empty_folder(after), 1);
}

/* ---- temporary files ---- */

/* The name of the one file of the folder that ends in .ptio-tmp. */
static void find_temporary(char name[300])
{
    DIR *dir = opendir(folder);
    name[0] = '\0';
    for (struct dirent *entry; (entry = readdir(dir));)
        if (ptio_text_ends(ptio_text_of(entry->d_name), ".ptio-tmp"))
            (void)snprintf(name, 300, "%s", entry->d_name);
    (void)closedir(dir);
}

static void temporary_files_can_be_told(void **state)
{
    (void)state;
    char name[300], full[400];
    ptio_sink *sink;
    assert_int_equal(ptio_sink_open(path, NULL, &sink, NULL), PTIO_OK);
    find_temporary(name);
    assert_int_equal(strlen(name), strlen(".file.0123456789abcdef.ptio-tmp"));
    assert_memory_equal(name, ".file.", 6);
    assert_int_equal(strspn(name + 6, "0123456789abcdef"), 16);
    /* And that somebody is at it. */
    (void)snprintf(full, sizeof full, "%s/%s", folder, name);
    int fd = open(full, O_RDONLY);
    assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), -1);
    ptio_sink_free(sink);
    assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(access(full, F_OK), -1);
    assert_int_equal(access(path, F_OK), -1);
}

static void temporary_names_fit(void **state)
{
    (void)state;
    char name[400], temporary[300];
    ptio_sink *sink;
    int size = snprintf(name, sizeof name, "%s/", folder);
    size += snprintf(name + size, sizeof name - (size_t)size, "ab");
    for (int i = 0; i < 84; i++)
        size += snprintf(name + size, sizeof name - (size_t)size, "\xE2\x82\xAC"); /* 254 bytes with all the euro signs */
    assert_int_equal(ptio_sink_open(name, &with_backup, &sink, NULL), PTIO_OK);
    find_temporary(temporary);
    assert_true(ptio_utf8_valid(temporary, strlen(temporary), false));
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
    ptio_sink_free(sink);
    /* The backup's name would be too long, and then there is no saving without it. */
    expect_refused(name, &with_backup, PTIO_ERR_IO, "io.backup");
    find_temporary(temporary);
    assert_string_equal(temporary, "");
}

static bool refuses_long_names;

static int short_openat(int from, const char *name, int flags, mode_t mode)
{
    if (refuses_long_names && flags & O_CREAT && strlen(name) > 40) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return ptio_calls_system.openat(from, name, flags, mode);
}

/* Some file systems have shorter names than others. */
static void temporary_names_get_shorter(void **state)
{
    (void)state;
    ptio_calls calls = ptio_calls_system;
    char name[200];
    calls.openat = short_openat;
    refuses_long_names = true;
    (void)snprintf(name, sizeof name, "%s/a-name-of-some-forty-bytes-as-names-go.pt", folder);
    assert_int_equal(save_with(&calls, name, NULL, NULL), PTIO_OK);
    expect_file(name, "new");
}

static int taken;

static int taken_openat(int from, const char *name, int flags, mode_t mode)
{
    if (flags & O_CREAT && taken-- > 0) {
        errno = EEXIST;
        return -1;
    }
    return ptio_calls_system.openat(from, name, flags, mode);
}

static void temporary_names_that_are_taken_are_left_alone(void **state)
{
    (void)state;
    ptio_calls calls = ptio_calls_system;
    ptio_error err = {0};
    calls.openat = taken_openat;
    taken = 20;
    assert_int_equal(save_with(&calls, path, NULL, NULL), PTIO_OK);
    taken = INT32_MAX;
    assert_int_equal(save_with(&calls, path, NULL, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.folder");
}

/* ---- not replacing, and keeping ---- */

static void files_that_are_there_are_not_replaced(void **state)
{
    (void)state;
    ptio_sink *sink;
    ptio_error err = {0};
    put_file(path, "old", 0600);
    expect_refused(path, &new_only, PTIO_ERR_ARGUMENT, "io.exists");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ptio_sink_open(path, &new_only, &sink, NULL), PTIO_OK);
    put_file(path, "quicker", 0600);
    assert_int_equal(ptio_sink_finish(sink, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "io.exists");
    ptio_sink_free(sink);
    expect_file(path, "quicker");
    assert_int_equal(empty_folder(folder), 1);
}

/* The file comes between the last look and the renaming. */
static int late_fstatat(int from, const char *name, struct stat *ret, int flags)
{
    (void)from, (void)name, (void)ret, (void)flags;
    errno = ENOENT;
    return -1;
}

static int no_rename_new(int from, const char *name, const char *to)
{
    (void)from, (void)name, (void)to;
    errno = EINVAL;
    return -1;
}

static void files_that_come_last_are_not_replaced(void **state)
{
    (void)state;
    ptio_calls calls = ptio_calls_system;
    ptio_error err = {0};
    calls.fstatat = late_fstatat;
    put_file(path, "quicker", 0600);
    assert_int_equal(save_with(&calls, path, &new_only, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "io.exists");
    calls.rename_new = no_rename_new;
    err = (ptio_error){0};
    assert_int_equal(save_with(&calls, path, &new_only, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "io.exists");
    expect_file(path, "quicker");
    assert_int_equal(empty_folder(folder), 1);
}

static void what_has_become_something_else_is_not_replaced(void **state)
{
    (void)state;
    ptio_sink *sink;
    ptio_error err = {0};
    assert_int_equal(ptio_sink_open(path, NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(ptio_sink_finish(sink, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.changed");
    ptio_sink_free(sink);
    assert_true(S_ISFIFO(mode_of(path)));
    assert_int_equal(empty_folder(folder), 1);
}

static void backups_are_the_old_file(void **state)
{
    (void)state;
    char backup[410];
    struct stat before, after;
    (void)snprintf(backup, sizeof backup, "%s.bak", path);
    put_file(path, "old", 0640);
    put_file(backup, "older", 0600);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(save(path, &with_backup, NULL), PTIO_OK);
    expect_file(path, "new");
    expect_file(backup, "old");
    assert_int_equal(stat(backup, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(after.st_nlink, 1);
    /* As after a save that ended between the two steps. */
    assert_int_equal(unlink(backup), 0);
    assert_int_equal(link(path, backup), 0);
    assert_int_equal(save(path, &with_backup, NULL), PTIO_OK);
    expect_file(backup, "new");
    assert_int_equal(stat(backup, &after), 0);
    assert_int_equal(after.st_nlink, 1);
    assert_int_equal(empty_folder(folder), 2);
}

static int no_link(int from, const char *name, const char *another)
{
    (void)from, (void)name, (void)another;
    errno = EPERM;
    return -1;
}

static void backups_are_copies_where_files_have_one_name(void **state)
{
    (void)state;
    char backup[410];
    ptio_calls calls = ptio_calls_system;
    calls.linkat = no_link;
    (void)snprintf(backup, sizeof backup, "%s.bak", path);
    put_file(path, "old", 0640);
    put_file(backup, "older", 0604);
    assert_int_equal(save_with(&calls, path, &with_backup, NULL), PTIO_OK);
    expect_file(path, "new");
    expect_file(backup, "old");
    assert_int_equal(mode_of(backup), S_IFREG | 0640);
    assert_int_equal(empty_folder(folder), 2);
}

static void without_the_backup_the_old_file_stays(void **state)
{
    (void)state;
    char backup[410];
    ptio_error err = {0};
    (void)snprintf(backup, sizeof backup, "%s.bak", path);
    put_file(path, "old", 0640);
    assert_int_equal(mkdir(backup, 0700), 0);
    assert_int_equal(save(path, &with_backup, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.backup");
    expect_file(path, "old");
    assert_int_equal(empty_folder(folder), 2);
}

static void suffixes_are_checked(void **state)
{
    (void)state;
    ptio_sink_options options = {PTIO_SINK_OPTIONS, .backup = ""};
    expect_refused(path, &options, PTIO_ERR_ARGUMENT, "io.backup");
    options.backup = "/../elsewhere";
    expect_refused(path, &options, PTIO_ERR_ARGUMENT, "io.backup");
    options.backup = "~";
    put_file(path, "old", 0600);
    assert_int_equal(save(path, &options, NULL), PTIO_OK);
    /* A caller that knows fewer options. */
    options = (ptio_sink_options){.struct_size = offsetof(ptio_sink_options, backup), .backup = "/not seen"};
    assert_int_equal(save(path, &options, NULL), PTIO_OK);
    assert_int_equal(empty_folder(folder), 2);
}

/* ---- the end ---- */

static void without_finishing_nothing_has_happened(void **state)
{
    (void)state;
    ptio_sink *sink;
    put_file(path, "old", 0600);
    assert_int_equal(ptio_sink_open(path, NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_write(sink, "new", 3, NULL), PTIO_OK);
    ptio_sink_free(sink);
    expect_file(path, "old");
    assert_int_equal(empty_folder(folder), 1);
}

static void finished_is_finished(void **state)
{
    (void)state;
    ptio_sink *sink;
    ptio_error err = {0};
    assert_int_equal(ptio_sink_open(path, NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_write(sink, "new", 3, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_write(sink, "more", 4, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "io.finished");
    assert_string_equal(err.record, path);
    ptio_sink_free(sink);
    expect_file(path, "new");
}

static int close_of_a_file(int fd)
{
    struct stat about;
    bool is_file = fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    (void)ptio_calls_system.close(fd);
    errno = EDQUOT;
    return is_file ? -1 : 0;
}

/* As network file systems tell what did not fit. */
static void a_failing_close_is_a_failure(void **state)
{
    (void)state;
    ptio_error err = {0};
    ptio_calls calls = ptio_calls_system;
    calls.close = close_of_a_file;
    for (int durable = 0; durable < 2; durable++) {
        err = (ptio_error){0};
        assert_int_equal(save_with(&calls, path, durable ? NULL : &not_durable, &err), PTIO_ERR_IO);
        assert_string_equal(err.reason, "io.close");
        assert_string_equal(err.record, path);
        assert_non_null(strstr(err.message, strerror(EDQUOT)));
        assert_int_equal(empty_folder(folder), 0);
    }
}

static int no_allocate(int fd, off_t size)
{
    (void)fd, (void)size;
    errno = ENOSPC;
    return -1;
}

static void there_must_be_room(void **state)
{
    (void)state;
    ptio_sink *sink;
    ptio_error err = {0};
    ptio_calls calls = ptio_calls_system;
    calls.allocate = no_allocate;
    put_file(path, "old", 0600);
    assert_int_equal(ptio_sink_open_with(&calls, path, NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_expect(sink, 1000, false, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.room");
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_ERR_IO);
    ptio_sink_free(sink);
    expect_file(path, "old");
    assert_int_equal(empty_folder(folder), 1);
}

/* Room that was asked for and not used is given back. */
static void room_is_given_back(void **state)
{
    (void)state;
    struct stat about;
    ptio_sink *sink;
    assert_int_equal(ptio_sink_open(path, NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_expect(sink, 10000000, false, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_write(sink, "new", 3, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
    ptio_sink_free(sink);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_size, 3);
    assert_true(about.st_blocks < 1000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(new_files_obey_umask),
        TEST(modes_are_kept),
        TEST(a_mode_that_is_changed_meanwhile_is_kept_too),
        TEST(files_removed_meanwhile_are_made_again),
        TEST(what_is_the_users_is_kept_and_what_vouches_for_bytes_is_not),
        TEST(an_attribute_that_cannot_be_given_is_left_out),
        TEST(an_access_list_that_cannot_be_given_allows_the_group_no_more),
        TEST(owner_and_group_are_kept_where_one_may),
#if defined(__linux__)
        TEST(attributes_are_kept),
#endif
        TEST(links_are_followed),
        TEST(links_of_others_in_a_folder_of_everyones_are_not_followed),
        TEST(links_in_a_circle_lead_nowhere),
        TEST(other_names_of_the_file_keep_the_old_bytes),
        TEST(pipes_are_written_directly),
        TEST(sockets_cannot_be_opened),
        TEST(devices_are_written_directly),
#if defined(__linux__)
        TEST(links_of_proc_lead_to_what_is_open),
#endif
        TEST(directories_are_no_files),
        TEST(a_missing_folder_is_named),
        TEST(odd_paths_are_refused),
        TEST(what_is_protected_stays),
        TEST(folders_may_move),
        TEST(temporary_files_can_be_told),
        TEST(temporary_names_fit),
        TEST(temporary_names_get_shorter),
        TEST(temporary_names_that_are_taken_are_left_alone),
        TEST(files_that_are_there_are_not_replaced),
        TEST(files_that_come_last_are_not_replaced),
        TEST(what_has_become_something_else_is_not_replaced),
        TEST(backups_are_the_old_file),
        TEST(backups_are_copies_where_files_have_one_name),
        TEST(without_the_backup_the_old_file_stays),
        TEST(suffixes_are_checked),
        TEST(without_finishing_nothing_has_happened),
        TEST(finished_is_finished),
        TEST(a_failing_close_is_a_failure),
        TEST(there_must_be_room),
        TEST(room_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
