#!/bin/sh
# The sources are laid out as .clang-format says. Other releases of clang-format lay out differently, so only release 14 decides.
#
#     format.sh [--fix]

set -eu
release=14
for tool in clang-format-$release clang-format none; do
    if [ $tool = none ]; then
        echo "format: not checked, since there is no clang-format $release"
        exit 0
    fi
    if $tool --version 2>/dev/null | grep -q "version $release\."; then
        break
    fi
done

files=$(find include src python tests fuzz bench examples -name '*.[ch]' ! -path 'tests/data/*')
if [ "${1:-}" = --fix ]; then
    $tool -i --style=file $files
else
    $tool --dry-run -Werror --style=file $files
    echo "format: $(echo "$files" | wc -l) files"
fi
