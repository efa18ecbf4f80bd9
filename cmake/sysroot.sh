#!/bin/sh
# Unpack the dependencies of another architecture into a folder, for Debian's cross compilers.
#
#     sysroot.sh s390x build/sysroot-s390x
#
# They do not install beside this machine's own, so apt gets lists and a cache of its own here, and the system stays as it is.

set -eu
architecture=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
packages="libc6-dev libgcc-s1 zlib1g-dev libdeflate-dev libjansson-dev libutf8proc-dev nettle-dev libcmocka-dev"

[ ! -e "$folder/complete" ] || exit 0
mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial"
: >"$folder/apt/status"

apt() {
    apt-get -q -o Dir::State="$folder/apt" -o Dir::State::status="$folder/apt/status" -o Dir::Cache="$folder/apt/cache" \
        -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" -o APT::Sandbox::User="$(id -un)" \
        -o Acquire::Languages=none "$@"
}
# Other sources than the distribution's may not know the architecture, so only the packages themselves decide.
apt update || echo "sysroot: not every package list could be read" >&2
# To apt this is an empty machine, so it brings what these depend on too.
apt install -y --no-install-recommends --download-only $packages
for package in "$folder"/apt/cache/archives/*.deb; do
    dpkg -x "$package" "$folder"
done
rm -rf "$folder/apt"
: >"$folder/complete"
