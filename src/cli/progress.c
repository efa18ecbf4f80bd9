/*
 * One line that is written over: "42 % of 1024 MiB".
 */
#define _POSIX_C_SOURCE 200809L

#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#define WORTH_TELLING ((uint64_t)256 << 20)

void progress_begin(progress *p)
{
    *p = (progress){.shown = isatty(STDERR_FILENO)};
}

void progress_tell(progress *p, uint64_t done, uint64_t total)
{
    if (!p->shown || total < WORTH_TELLING)
        return;
    unsigned percent = (unsigned)(done < total ? (double)done * 100 / (double)total : 100);
    if (p->begun && p->percent == percent + 1)
        return;
    (void)fprintf(stderr, "\r%3u %% of %llu MiB", percent, (unsigned long long)(total >> 20));
    p->percent = percent + 1;
    p->begun = true;
}

void progress_clear(progress *p)
{
    if (p->begun)
        (void)fprintf(stderr, "\r%*s\r", 40, "");
    p->begun = false;
}
