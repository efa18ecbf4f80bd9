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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/disk.h"
#include "io/saving.h"
#include "support/exercise.h"

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

static unsigned long run_failing(const saving *s, int number, bool forever)
{
    unsigned long runs = 0;
    for (uint64_t n = 0;; n++, runs++) {
        ptio_error err = {0};
        saving_begin(s);
        disk_reset();
        the_disk.fail_at = n;
        the_disk.number = number;
        the_disk.forever = forever;
        ptio_status status = saving_run(s, NULL, &err);
        bool met = the_disk.calls > n;
        if (!met)
            the_disk.failed = NULL;
        expect_sound(s, status, &err, !forever && met && strcmp(the_disk.failed, "unlinkat") != 0);
        if (!met) {
            assert_int_equal(status, PTIO_OK);
            return runs;
        }
        bool folder_cannot = strcmp(the_disk.failed, "fsync") == 0 && number == EINVAL;
        if (is_needed(the_disk.failed) && !folder_cannot && status == PTIO_OK)
            fail_msg("%s: %s failed with \"%s\" at call %llu, and nobody was told", s->title, the_disk.failed, strerror(number),
                     (unsigned long long)n);
    }
}

static void every_call_fails(void **state)
{
    (void)state;
    unsigned long runs = 0;
    for (const saving *s = savings; s->title; s++)
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
            for (int forever = 0; forever < 2; forever++)
                runs += run_failing(s, numbers[i], forever);
    print_message("%lu failing calls\n", runs);
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

static void the_disk_is_full_at_every_byte(void **state)
{
    (void)state;
    unsigned long runs = 0;
    for (const saving *s = savings; s->title; s++) {
        uint64_t step = s->size / 700;
        ptio_status status = PTIO_ERR_IO;
        for (uint64_t room = 0; status != PTIO_OK; room += step, runs++) {
            ptio_error err = {0};
            saving_begin(s);
            disk_reset();
            the_disk.room = room;
            the_disk.failed = "write";
            status = saving_run(s, NULL, &err);
            expect_sound(s, status, &err, true);
            if (status != PTIO_OK) {
                assert_int_equal(status, PTIO_ERR_IO);
                assert_non_null(strstr(err.message, strerror(ENOSPC)));
            }
        }
    }
    print_message("%lu full disks\n", runs);
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

/* In a process of its own. Gives whether it was killed. */
static bool run_killed(const saving *s, uint64_t at, bool after)
{
    int result = 0;
    pid_t child = fork();
    if (child == 0) {
        disk_reset();
        the_disk.kill_at = at;
        the_disk.kill_after = after;
        the_disk.most = s->size / 40 + 1;
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

static void the_process_is_killed_at_every_call(void **state)
{
    (void)state;
    unsigned long kills = 0;
    for (const saving *s = savings; s->title; s++)
        for (int after = 0; after < 2; after++) {
            bool killed = true;
            for (uint64_t n = 0; killed; n++) {
                const char *why = NULL;
                saving_begin(s);
                killed = run_killed(s, n, after);
                if (!saving_is_sound(s, &why))
                    fail_msg("%s, killed %s call %llu: %s", s->title, after ? "after" : "at", (unsigned long long)n, why);
                if (!killed)
                    assert_int_equal(saving_target(s), NEW);
                kills += killed;
                /* And what it left is in nobody's way. */
                disk_reset();
                saving again = *s;
                again.no_replace = false;
                assert_int_equal(saving_run(&again, NULL, NULL), PTIO_OK);
                assert_int_equal(saving_target(s), NEW);
            }
        }
    print_message("%lu kills\n", kills);
    assert_true(kills > 500);
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
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
