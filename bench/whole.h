/*
 * The jobs on the bytes of a whole checkpoint: loads of everything, warm and cold, and elements converted in memory.
 */
#ifndef PTIO_BENCH_WHOLE_H
#define PTIO_BENCH_WHOLE_H

/** Jobs 2a, 2b, 2c, 3, 8 and 9b with two threads, on file a of the folder. */
void run_whole_jobs(const char *folder);

#endif
