/*
 * Sixteen threads: each with loads of its own, and all over one checkpoint that is read for the first time by all of them. Every thread
 * must be told what one alone is told. ThreadSanitizer sees what is written without order.
 */
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "support/exercise.h"
#include "support/share.h"

enum { THREADS = 16, MOST_FILES = 1024 };

#define CORPUS PTIO_TEST_DATA "/corpus/"

static char *paths[MOST_FILES];
static size_t path_count;

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The files of a release. */
static void find_files(const char *folder)
{
    char path[512];
    struct dirent *entry;
    (void)snprintf(path, sizeof path, CORPUS "%s", folder);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    while ((entry = readdir(directory))) {
        size_t size = strlen(entry->d_name);
        if (size < 4 || strcmp(entry->d_name + size - 3, ".pt") != 0 || path_count == MOST_FILES)
            continue;
        (void)snprintf(path, sizeof path, CORPUS "%s/%s", folder, entry->d_name);
        paths[path_count++] = strdup(path);
    }
    (void)closedir(directory);
}

/* PTIO_TEST_SHARE of the files, evenly taken, and at least one. */
static void keep_share(void)
{
    double part = test_share();
    size_t kept = 0;
    qsort(paths, path_count, sizeof *paths, by_name);
    for (size_t i = 0; i < path_count; i++) {
        if ((size_t)((double)(i + 1) * part) > (size_t)((double)i * part) || (!kept && i + 1 == path_count))
            paths[kept++] = paths[i];
        else
            free(paths[i]);
    }
    path_count = kept;
}

/* What a load and everything after it told. */
static uint64_t told_of(const char *path, bool mmap)
{
    exercise x;
    ptio_error err = {0};
    ptio_checkpoint *ckpt;
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .mmap = mmap};
    ptio_status status = ptio_load(path, &options, &ckpt, &err);
    if (status != PTIO_OK)
        return (uint64_t)status;
    exercise_checkpoint(&x, ckpt, NULL, NULL);
    ptio_checkpoint_free(ckpt);
    return x.fold.value ^ (uint64_t)x.status;
}

/* ---- loads of their own ---- */

static uint64_t expected[MOST_FILES];

typedef struct worker {
    pthread_t thread;
    size_t number;
    size_t wrong;
    const ptio_checkpoint *ckpt;
    uint64_t told;
    pthread_barrier_t *start;
} worker;

static void *load_all(void *argument)
{
    worker *w = argument;
    for (size_t i = 0; i < path_count; i++) {
        size_t k = (i + w->number) % path_count; /* some at the same file, some not */
        w->wrong += told_of(paths[k], (w->number + i) % 2) != expected[k];
    }
    return NULL;
}

static void loads_at_once_are_as_one(void **state)
{
    (void)state;
    worker workers[THREADS];
    assert_true(path_count > 0);
    for (size_t i = 0; i < path_count; i++)
        expected[i] = told_of(paths[i], false);
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (worker){.number = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, load_all, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].wrong, 0);
    }
}

/* ---- one checkpoint ---- */

static void *use(void *argument)
{
    worker *w = argument;
    exercise x;
    ptio_error err = {0};
    (void)pthread_barrier_wait(w->start);
    if (w->number % 4 == 3)
        (void)ptio_checkpoint_read(w->ckpt, &err);
    exercise_checkpoint(&x, w->ckpt, NULL, NULL);
    w->told = x.fold.value ^ (uint64_t)x.status;
    return NULL;
}

static void one_checkpoint_serves_all(void **state)
{
    (void)state;
    size_t served = 0;
    for (size_t k = 0; k < path_count; k++) {
        worker workers[THREADS];
        pthread_barrier_t start;
        ptio_checkpoint *ckpt;
        if (ptio_load(paths[k], NULL, &ckpt, NULL) != PTIO_OK)
            continue;
        assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
        for (size_t i = 0; i < THREADS; i++) {
            workers[i] = (worker){.number = i, .ckpt = ckpt, .start = &start};
            assert_int_equal(pthread_create(&workers[i].thread, NULL, use, &workers[i]), 0);
        }
        for (size_t i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
            assert_true(workers[i].told == expected[k]);
        }
        ptio_checkpoint_free(ckpt);
        assert_int_equal(pthread_barrier_destroy(&start), 0);
        served++;
    }
    assert_true(served * 10 >= path_count * 9); /* the others are files that are refused */
}

int main(void)
{
    static const char *const folders[] = {"2.13.0", "1.5.1", "extra/rezip"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        find_files(folders[i]);
    keep_share();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_at_once_are_as_one),
        cmocka_unit_test(one_checkpoint_serves_all),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t i = 0; i < path_count; i++)
        free(paths[i]);
    return failed;
}
