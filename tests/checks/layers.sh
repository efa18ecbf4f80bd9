#!/bin/sh
# The layers' includes go only downwards, and only base/os.* and io/ know of compiler builtins and the system.
#
#     layers.sh [SOURCE FOLDER]

set -eu
cd "${1:-.}"
layers="base io archive pickle tensor torch print convert"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
findings=$work/findings
code=$work/code # every line of src/ as FILE:LINE:TEXT, without comments, and with texts emptied but for includes

find src -name '*.[ch]' -o -name '*.def' | sort | while read -r file; do
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
ls src | grep -vxE "$(echo "$layers" | tr ' ' '|')|cli" | wrong "this is no layer"

# Builtins and attributes of compilers: base/os.h has names for them.
grep -vE '^src/(base/os\.|io/)' "$code" | grep -E '__(builtin|sync|atomic)_|__attribute__|__asm|goto[[:space:]]*\*' |
    wrong "a compiler's builtin outside base/os.h and io/"

# Headers and calls of the system. The command is a program of its own, with a terminal and signals, and may use them.
headers='unistd|fcntl|dirent|poll|termios|dlfcn|signal|pthread|sched|sys/[a-z]+|linux/[a-z]+|mach/[a-z]+|windows|io'
calls='open|openat|close|read|pread|write|pwrite|lseek|stat|fstat|opendir|readdir|fopen|fread|fwrite|fseek|fseeko|ftell|ftello|fileno'
calls="$calls|mmap|munmap|madvise|fork|vfork|exec[vl][pe]*|system|popen|dlopen|socket|connect|getenv|setlocale|abort|exit|_exit"
calls="$calls|printf|puts|perror|malloc|calloc|realloc|free|rand|random|time|clock"
grep -vE '^src/(base/os\.|io/|cli/)' "$code" >"$work/pure" || true
grep -E "^[^:]*:[0-9]+:[[:space:]]*#[[:space:]]*include[[:space:]]*<($headers)\.h>" "$work/pure" |
    wrong "a header of the system outside base/os.* and io/"
grep -E "(^|[^a-zA-Z0-9_>.])($calls)\(" "$work/pure" | wrong "a call of the system outside base/os.* and io/"

if [ -s "$findings" ]; then
    cat "$findings"
    exit 1
fi
echo "layers: $(wc -l <"$code") lines, includes go downwards, the system is reached from base/os and io only"
