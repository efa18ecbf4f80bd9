/*
 * Whole processes. See spawn.h.
 *
 * A child counts the memory of the process that it was spawned from as its own until it calls exec, so this must run in a
 * program that is smaller than what it measures: ptio_bench, freshly started.
 */
#include "spawn.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "timing.h"

extern char **environ;

int spawn(const char *name, int runs, char **command)
{
    series times = {0};
    long peak = 0;
    char line[64];
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    for (int i = 0; i <= runs; i++) {
        pid_t child;
        int status;
        struct rusage usage;
        uint64_t start = clock_ns();
        if (posix_spawnp(&child, command[0], &quiet, NULL, command, environ) != 0 || wait4(child, &status, 0, &usage) != child ||
            status != 0) {
            fprintf(stderr, "%s failed\n", command[0]);
            return 1;
        }
        if (i > 0) /* the first warms up */
            series_add(&times, clock_ns() - start);
        peak = usage.ru_maxrss > peak ? usage.ru_maxrss : peak;
    }
    posix_spawn_file_actions_destroy(&quiet);
    series_print(&times, name);
    snprintf(line, sizeof line, "%s.peak", name);
    count_print(line, (uint64_t)peak);
    return 0;
}
