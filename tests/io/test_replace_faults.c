/*
 * Saving a path with trouble at every system call: each fails, once and from then on, with every errno that it may have; the disk
 * gets full at every byte; memory runs out; the process is killed before, in and after each call. The target is the old file or the
 * new one afterwards, whole, and the call says which.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#if defined(__linux__)
#include <sched.h>
#include <sys/mount.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/disk.h"
#include "io/saving.h"
#include "support/exercise.h"
#include "support/share.h"

static const int numbers[] = {EIO, ENOSPC, EDQUOT, EACCES, EINVAL, EROFS, ENOSYS};

static int clean_up(void **state)
{
    (void)state;
    saving_end();
    disk_reset();
    return 0;
}

/* What a save left behind, and what it said. */
static void expect_sound(const saving *s, ptio_status status, const ptio_error *err, bool unlinks)
{
    const char *why = NULL;
    saving_content target = saving_target(s);
    if (!saving_is_sound(s, &why))
        fail_msg("%s, %s failing at call %llu: %s", s->title, the_disk.failed ? the_disk.failed : "nothing",
                 (unsigned long long)the_disk.fail_at, why);
    bool is_new = target == NEW;
    bool says_new = status == PTIO_OK || (err->reason && strcmp(err->reason, "io.directory-sync") == 0);
    if (is_new != says_new)
        fail_msg("%s, %s failing at call %llu: status %d, %s: %s, but the target is %s", s->title, the_disk.failed,
                 (unsigned long long)the_disk.fail_at, (int)status, err->reason, err->message, is_new ? "new" : "old");
    if (unlinks && saving_temporaries())
        fail_msg("%s, %s failing at call %llu: a temporary file is left", s->title, the_disk.failed,
                 (unsigned long long)the_disk.fail_at);
    assert_int_equal(the_disk.open, 0);
    if (status != PTIO_OK) {
        assert_int_equal(err->status, status);
        assert_non_null(err->reason);
        assert_non_null(strstr(err->record, s->by_link ? "/link" : "/target"));
    }
}

static void every_way_works(void **state)
{
    (void)state;
    for (const saving *s = savings; s->title; s++) {
        ptio_error err = {0};
        saving_begin(s);
        disk_reset();
        assert_int_equal(saving_run(s, NULL, &err), PTIO_OK);
        expect_sound(s, PTIO_OK, &err, true);
        assert_int_equal(saving_target(s), NEW);
    }
}

/* The calls without which nothing may be said to be saved. */
static bool is_needed(const char *call)
{
    return strcmp(call, "fsync") == 0 || strcmp(call, "renameat") == 0 || strcmp(call, "fchmod") == 0;
}

/* How many calls a save makes. */
static uint64_t calls_of(const saving *s, size_t most)
{
    saving_begin(s);
    disk_reset();
    the_disk.most = most;
    assert_int_equal(saving_run(s, NULL, NULL), PTIO_OK);
    return the_disk.calls;
}

static void run_failing(const saving *s, uint64_t n, int number, bool forever)
{
    ptio_error err = {0};
    saving_begin(s);
    disk_reset();
    the_disk.fail_at = n;
    the_disk.number = number;
    the_disk.forever = forever;
    ptio_status status = saving_run(s, NULL, &err);
    assert_non_null(the_disk.failed);
    expect_sound(s, status, &err, !forever && strcmp(the_disk.failed, "unlinkat") != 0);
    bool folder_cannot = strcmp(the_disk.failed, "fsync") == 0 && number == EINVAL;
    if (is_needed(the_disk.failed) && !folder_cannot && status == PTIO_OK)
        fail_msg("%s: %s failed with \"%s\" at call %llu, and nobody was told", s->title, the_disk.failed, strerror(number),
                 (unsigned long long)n);
}

static void every_call_fails(void **state)
{
    (void)state;
    uint64_t runs = 0;
    for (const saving *s = savings; s->title; s++) {
        uint64_t calls = calls_of(s, 0);
        for (size_t i = 0; i < 2 * sizeof numbers / sizeof *numbers; i++)
            for (uint64_t n = 0; n < calls; n++)
                if (test_wants(runs++))
                    run_failing(s, n, numbers[i / 2], i % 2);
    }
    print_message("%llu failing calls\n", (unsigned long long)runs);
    assert_true(runs > 2000);
}

static void interruptions_and_short_writes_do_no_harm(void **state)
{
    (void)state;
    for (const saving *s = savings; s->title; s++)
        for (size_t most = 0; most < 3; most++) {
            ptio_error err = {0};
            saving_begin(s);
            disk_reset();
            the_disk.interrupted = true;
            the_disk.most = most * (s->size / 100);
            assert_int_equal(saving_run(s, NULL, &err), PTIO_OK);
            expect_sound(s, PTIO_OK, &err, true);
        }
}

static void run_full(const saving *s, uint64_t room)
{
    ptio_error err = {0};
    saving_begin(s);
    disk_reset();
    the_disk.room = room;
    the_disk.failed = "write";
    ptio_status status = saving_run(s, NULL, &err);
    expect_sound(s, status, &err, true);
    if (status == PTIO_OK)
        return;
    assert_int_equal(status, PTIO_ERR_IO);
    assert_non_null(strstr(err.message, strerror(ENOSPC)));
}

static void the_disk_is_full_at_every_byte(void **state)
{
    (void)state;
    uint64_t runs = 0;
    for (const saving *s = savings; s->title; s++)
        for (uint64_t room = 0; room <= saving_new_bytes(s).size; room += s->size / 700)
            if (test_wants(runs++))
                run_full(s, room);
    print_message("%llu full disks\n", (unsigned long long)runs);
}

static void memory_runs_out(void **state)
{
    (void)state;
    for (const saving *s = savings; s->title; s++) {
        ptio_status status = PTIO_ERR_MEMORY;
        for (uint64_t n = 0; status != PTIO_OK; n++) {
            ptio_error err = {0};
            counted_memory memory;
            counted_memory_init(&memory);
            memory.fail_at = n;
            saving_begin(s);
            disk_reset();
            status = saving_run(s, &memory.hooks, &err);
            expect_sound(s, status, &err, true);
            assert_int_equal(memory.held, 0);
            if (status != PTIO_OK)
                assert_int_equal(status, PTIO_ERR_MEMORY);
        }
    }
}

/* Many short writes, so that there are many moments. */
static size_t pieces_of(const saving *s)
{
    return s->size / 90 + 1;
}

/* In a process of its own. Gives whether it was killed. */
static bool run_killed(const saving *s, uint64_t at, bool after)
{
    int result = 0;
    pid_t child = fork();
    if (child == 0) {
        disk_reset();
        the_disk.kill_at = at;
        the_disk.kill_after = after;
        the_disk.most = pieces_of(s);
        _exit(saving_run(s, NULL, NULL) == PTIO_OK ? 0 : 1);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &result, 0), child);
    if (WIFSIGNALED(result)) {
        assert_int_equal(WTERMSIG(result), SIGKILL);
        return true;
    }
    assert_int_equal(WEXITSTATUS(result), 0);
    return false;
}

static void run_to_its_end(const saving *s, uint64_t at, bool after)
{
    const char *why = NULL;
    saving_begin(s);
    assert_true(run_killed(s, at, after));
    if (!saving_is_sound(s, &why))
        fail_msg("%s, killed %s call %llu: %s", s->title, after ? "after" : "at", (unsigned long long)at, why);
    /* And what it left is in nobody's way. */
    disk_reset();
    saving again = *s;
    again.no_replace = false;
    assert_int_equal(saving_run(&again, NULL, NULL), PTIO_OK);
    assert_int_equal(saving_target(s), NEW);
}

static void the_process_is_killed_at_every_call(void **state)
{
    (void)state;
    uint64_t kills = 0;
    for (const saving *s = savings; s->title; s++) {
        uint64_t calls = calls_of(s, pieces_of(s));
        for (uint64_t n = 0; n < 2 * calls; n++)
            if (test_wants(kills++))
                run_to_its_end(s, n / 2, n % 2);
    }
    print_message("%llu kills\n", (unsigned long long)kills);
    assert_true(kills > 2000);
}

/* The system's own way of saying no: a process may not make files longer than so much. */
static void files_may_not_be_longer(void **state)
{
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    for (const saving *s = savings; s->title; s++) {
        uint64_t step = s->size / 50, whole = saving_new_bytes(s).size;
        for (uint64_t most = step; most < whole + 2 * step; most += step) {
            ptio_error err = {0};
            saving_begin(s);
            disk_reset();
            the_disk.failed = "write";
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){most, before.rlim_max}), 0);
            ptio_status status = saving_run(s, NULL, &err);
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
            expect_sound(s, status, &err, true);
            assert_int_equal(status, most < whole ? PTIO_ERR_IO : PTIO_OK);
        }
    }
    (void)signal(SIGXFSZ, handler);
}

#if defined(__linux__)

#define PAGES 24

/* A save into a file system of so many pages; exits with 0 if all is as it should be. */
static void save_in_pages(const char *mounted, int pages, bool unexpected)
{
    static const saving s = {.title = "a full file system", .size = 40000, .had_old = true, .backup = true};
    saving now = s;
    char size[32];
    ptio_error err = {0};
    const char *why = "";
    now.unexpected = unexpected;
    (void)snprintf(size, sizeof size, "size=%ld", pages * sysconf(_SC_PAGESIZE));
    if (mount("ptio", mounted, "tmpfs", 0, size) != 0)
        _exit(77);
    saving_root(mounted);
    saving_begin(&now);
    disk_reset();
    ptio_status status = saving_run(&now, NULL, &err);
    bool is_sound = saving_is_sound(&now, &why) && (saving_target(&now) == NEW) == (status == PTIO_OK) && !saving_temporaries();
    bool is_told = status == PTIO_OK || strstr(err.message, strerror(ENOSPC));
    bool fits = (size_t)pages * (size_t)sysconf(_SC_PAGESIZE) > 2 * now.size;
    _exit(is_sound && is_told && (status == PTIO_OK || !fits) && (status != PTIO_OK || pages > 2) ? 0 : 2);
}

static bool write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    bool good = file && fputs(text, file) >= 0;
    return file && fclose(file) == 0 && good;
}

/* So that this process may mount, which root may anyway. */
static bool enter_namespace(void)
{
    char users[64], groups[64];
    if (geteuid() == 0)
        return unshare(CLONE_NEWNS) == 0;
    (void)snprintf(users, sizeof users, "0 %u 1", (unsigned)geteuid());
    (void)snprintf(groups, sizeof groups, "0 %u 1", (unsigned)getegid());
    return unshare(CLONE_NEWNS | CLONE_NEWUSER) == 0 && write_text("/proc/self/setgroups", "deny") &&
           write_text("/proc/self/uid_map", users) && write_text("/proc/self/gid_map", groups);
}

static int in_own_namespace(const char *mounted, int pages, bool unexpected)
{
    int result = 0;
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (!enter_namespace() || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0)
            _exit(77);
        save_in_pages(mounted, pages, unexpected);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    return WEXITSTATUS(result);
}

/* A real one, wherever the system lets a process mount any. Where it does not, there are the disks and the limits above. */
static void a_file_system_is_full_at_every_page(void **state)
{
    (void)state;
    char mounted[] = "/tmp/ptio_mounted_XXXXXX";
    assert_non_null(mkdtemp(mounted));
    int first = in_own_namespace(mounted, PAGES, false);
    for (int pages = 2; pages <= PAGES && first != 77; pages++)
        for (int unexpected = 0; unexpected < 2; unexpected++)
            assert_int_equal(in_own_namespace(mounted, pages, unexpected), 0);
    assert_int_equal(rmdir(mounted), 0);
    print_message("%s\n", first == 77 ? "no file system can be mounted here" : "mounted");
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_works),
        cmocka_unit_test(every_call_fails),
        cmocka_unit_test(interruptions_and_short_writes_do_no_harm),
        cmocka_unit_test(the_disk_is_full_at_every_byte),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(the_process_is_killed_at_every_call),
        cmocka_unit_test(files_may_not_be_longer),
#if defined(__linux__)
        cmocka_unit_test(a_file_system_is_full_at_every_page),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
