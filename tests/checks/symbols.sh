#!/bin/sh
# The shared library exports the functions of ptio.h and nothing else; the static one defines no name without ptio_. It takes nothing from
# the C library that depends on the locale.
#
#     symbols.sh libptio.so libptio.a
#
# The header's functions are found by preprocessing it, which is another way than the one that made the version script.

set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A function of the header is a name before a parenthesis that ends a declaration marked with the word below.
${CC:-cc} -std=c11 -E -P -DPTIO_API=ptio_exported -Iinclude include/ptio.h | tr '\n' ' ' | tr ';{}' '\n\n\n' |
    sed -n 's/^.*ptio_exported [^(]*[ *]\(ptio_[a-z0-9_]*\)(.*/\1/p' | sort >"$work/header"
nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$work/exported"

status=0
if [ ! -s "$work/header" ] || ! diff -u "$work/header" "$work/exported"; then
    echo "symbols: $1 does not export what ptio.h declares (- declared, + exported)"
    status=1
fi
nm -g --defined-only "$2" 2>/dev/null | awk 'NF == 3 && $3 !~ /^_?ptio_/ { print $3 }' | sort -u >"$work/foreign"
if [ -s "$work/foreign" ]; then
    echo "symbols: $2 defines names that are not ours to take:"
    cat "$work/foreign"
    status=1
fi
# Nothing depends on the locale: no function that reads numbers, knows letters or compares texts by it, no float through printf.
nm -D --undefined-only "$1" | awk '{ sub(/@.*/, "", $2); print $2 }' |
    grep -xE '(strto|wcsto|ato)[a-z]+|(is|to)(w)?[a-z]+|__ctype_.*|set_?locale|localeconv|strcoll|strxfrm|nl_langinfo|.*scanf' |
    grep -vxE 'isatty|is(inf|nan)' >"$work/locale" || true
grep -rnE 'printf\(.*%[-+ #0]*[0-9.*]*[lL]?[aefgAEFG]' src --include='*.c' | grep -v '^src/cli/' >>"$work/locale" || true
if [ -s "$work/locale" ]; then
    echo "symbols: these depend on the locale:"
    cat "$work/locale"
    status=1
fi
# Every function that is declared in the header is marked.
if tr '\n' ' ' <include/ptio.h | sed 's|/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/||g' | tr ';{}' '\n\n\n' |
    grep -E '(^|[ *])ptio_[a-z0-9_]+\(' | grep -vE 'PTIO_API|typedef|#define'; then
    echo "symbols: ptio.h declares this without PTIO_API"
    status=1
fi
[ $status -ne 0 ] || echo "symbols: $(wc -l <"$work/header") functions, exported exactly"
exit $status
