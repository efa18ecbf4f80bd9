#!/bin/sh
# ptio.h stands alone, as C11, C17, C++11 and C++20, without a warning. The first program in its comment compiles too.

set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings="-Wall -Wextra -pedantic -Werror"

echo '#include "ptio.h"' >"$work/alone.c"
cp "$work/alone.c" "$work/alone.cc"
for standard in c11 c17; do
    ${CC:-cc} -std=$standard $warnings -Wstrict-prototypes -Iinclude -fsyntax-only "$work/alone.c"
done
for standard in c++11 c++20; do
    ${CXX:-c++} -std=$standard $warnings -Wold-style-cast -Iinclude -fsyntax-only "$work/alone.cc"
done

{
    echo '#include "ptio.h"'
    echo 'int main(void) {'
    sed -n '/^ \* A first program:/,/^ \* Nothing that/p' include/ptio.h | sed -n 's/^ \*     //p'
    echo '    return 0; }'
} >"$work/first.c"
[ "$(wc -l <"$work/first.c")" -gt 8 ]
${CC:-cc} -std=c11 $warnings -Iinclude -fsyntax-only "$work/first.c"
echo "header: C11, C17, C++11, C++20 and the first program"
