#!/bin/sh
# The layers' includes go only downwards, and only base/os.*, base/vector.h and io/ know of compiler builtins and the system.
#
#     layers.sh [SOURCE FOLDER]

set -eu
cd "${1:-.}"
layers="base io archive pickle tensor torch print convert"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
findings=$work/findings
code=$work/code # every line of src/ and python/src/ as FILE:LINE:TEXT, without comments, and with texts emptied but for includes

find src python/src -name '*.[ch]' -o -name '*.def' | sort | while read -r file; do
    awk -v file="$file" '
        {
            line = $0
            if (line !~ /^[ \t]*#[ \t]*include/)
                gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
            text = ""
            while (line != "") {
                if (comment) {
                    end = index(line, "*/")
                    if (!end) break
                    line = substr(line, end + 2); comment = 0
                } else {
                    start = index(line, "/*")
                    if (!start) { text = text line; break }
                    text = text substr(line, 1, start - 1) " "; line = substr(line, start + 2); comment = 1
                }
            }
            sub(/\/\/.*/, "", text)
            print file ":" NR ":" text
        }' "$file"
done >"$code"

# The lines on standard input are findings, and this is why.
wrong() {
    sed "s|\$|    <- $1|" >>"$findings"
}

ours='^[^:]*:[0-9]+:[[:space:]]*#[[:space:]]*include[[:space:]]*"'
below=""
for layer in $layers; do
    below="$below${below:+|}$layer"
    grep "^src/$layer/" "$code" | grep -E "$ours" | grep -vE "\"(($below)/[a-z0-9_]+\.(h|def)|ptio\.h)\"" |
        wrong "$layer includes its own folder and those before it"
done
grep '^src/cli/' "$code" | grep -E "$ours" | grep -vE '"(cli/[a-z0-9_]+\.(h|def)|ptio\.h)"' | wrong "cli includes ptio.h and its own folder"
grep '^python/' "$code" | grep -E "$ours" | grep -vE '"([a-z0-9_]+\.h|ptio\.h)"' | wrong "the Python module includes ptio.h and its own folder"
ls src | grep -vxE "$(echo "$layers" | tr ' ' '|')|cli" | wrong "this is no layer"

# Builtins and attributes of compilers: base/os.h has names for them, and base/vector.h for those that need a certain processor, whose
# header is large and wanted in few files. The pickle machine alone may jump to a label's address, where
# os.h says that the compiler can; the same table makes its switch.
grep -vE '^(src/(base/(os\.|vector\.h)|io/)|python/)' "$code" >"$work/pure" || true
grep -E '__(builtin|sync|atomic)_|__attribute__|__asm' "$work/pure" | wrong "a compiler's builtin outside base/os.h, base/vector.h and io/"
grep -v '^src/pickle/vm\.c:' "$work/pure" | grep -E 'goto[[:space:]]*\*' | wrong "a computed goto outside pickle/vm.c"

# The system: its headers, and the calls that headers of the C language declare. The command is a program of its own, with a
# terminal and signals, and may use them, and so does the Python module.
headers='unistd|fcntl|dirent|poll|termios|dlfcn|signal|pthread|sched|time|locale|sys/[a-z]+|linux/[a-z]+|mach/[a-z]+|windows|io'
calls='fopen|fdopen|freopen|fclose|fread|fwrite|fseek|fseeko|ftell|ftello|fgetc|fgets|fputc|fputs|fflush|printf|puts|putchar|perror|remove'
calls="$calls|rename|tmpfile|malloc|calloc|realloc|free|aligned_alloc|abort|exit|_Exit|atexit|system|getenv|rand|srand|setlocale"
grep -v '^src/cli/' "$work/pure" | grep -E "^[^:]*:[0-9]+:[[:space:]]*#[[:space:]]*include[[:space:]]*<($headers)\.h>" |
    wrong "a header of the system outside base/os.* and io/"
grep -v '^src/cli/' "$work/pure" | grep -E "(^|[^a-zA-Z0-9_>.])($calls)\(" | wrong "a call of the system outside base/os.* and io/"

if [ -s "$findings" ]; then
    cat "$findings"
    exit 1
fi
echo "layers: $(wc -l <"$code") lines, includes go downwards, the system is reached from base/os and io only"
