/*
 * A stand-in for stdin, for archives that were not compiled for shared objects (python/CMakeLists.txt, --wrap=stdin): they may use data of
 * this object only. What would compare a file with it is never called.
 */
#include "module.h"

extern void *__wrap_stdin;
void *__wrap_stdin;
