/* The jobs of saving, on the public API alone. */
#ifndef PTIO_BENCH_SAVE_H
#define PTIO_BENCH_SAVE_H

/** All jobs of saving, on the files of make_files.py; what is written goes to the same folder and is removed. */
void run_save_jobs(const char *folder);

/** Load a file and save it as another, to count the instructions and the memory of it; `to` NULL: load it only. */
void save_once(const char *from, const char *to);

/** Build what job 5c saves, or the value of job 7b, `what` being "b", "e" or "c", and save it to memory, or, without `save`, build it only. */
void save_built(const char *what, int save);

#endif
