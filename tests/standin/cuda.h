/*
 * The controls of the stand-in for NVIDIA's driver library (cuda.c). Tests find these functions in the library by name.
 */
#ifndef PTIO_TESTS_STANDIN_CUDA_H
#define PTIO_TESTS_STANDIN_CUDA_H

#include <stddef.h>

typedef struct standin_state {
    unsigned long calls;     /* of functions of the driver                                                  */
    unsigned long misuses;   /* calls with wrong arguments, in a wrong state, or out of order               */
    unsigned long transfers; /* asynchronous copies that were started                                       */
    unsigned long waits;     /* for events and streams                                                      */
    unsigned long contexts;  /* references to primary contexts                                              */
    unsigned long current;   /* contexts that calls of all threads have left current                        */
    unsigned long memory;    /* allocations on devices that are alive                                       */
    unsigned long host;      /* of pinned memory                                                            */
    unsigned long objects;   /* streams and events                                                          */
    size_t bytes;            /* on devices                                                                  */
    size_t most_pinned;      /* bytes of pinned memory at once                                              */
} standin_state;

/** Begin anew with so many devices; what is alive stays alive. */
void standin_begin(int devices);

/** The call of `function` after `count` more calls of it fails with this error; NULL: of any function. Once. */
void standin_fail(const char *function, unsigned long count, int error);

standin_state standin_look(void);

/** What the first misuse was, or "". */
const char *standin_misuse(void);

/** The bytes of an allocation, where ADDRESS is in it; NULL where there is none. */
unsigned char *standin_memory(unsigned long long address, size_t *size);

#endif
