/* Whole processes: their time from start to end, and their peak memory. */
#ifndef PTIO_BENCH_SPAWN_H
#define PTIO_BENCH_SPAWN_H

/**
 * Run a command `runs` times, its output to /dev/null. Prints the lines NAME (times) and NAME.peak (KiB resident at the peak).
 * Gives an exit code: 0 where each run ended with 0.
 */
int spawn(const char *name, int runs, char **command);

#endif
