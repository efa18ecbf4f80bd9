#!/bin/sh
# Show what ptio does, on a checkpoint of a small classifier of handwritten digits (train.py).
#
#     demo.sh PTIO PREDICT        paths of the built command and of the built predict.c
set -eu

if [ $# -ne 2 ]; then
    echo "usage: $0 PTIO PREDICT" >&2
    exit 2
fi
# Absolute, since the rest runs in this folder.
case $1 in /*) ptio=$1 ;; *) ptio=$PWD/$1 ;; esac
case $2 in /*) predict=$2 ;; *) predict=$PWD/$2 ;; esac
cd "$(dirname "$0")"

ptio() { "$ptio" "$@"; }
predict() { "$predict" "$@"; }

say() { printf '\n# %s\n' "$1"; }

# Show a command as one would type it, then run it.
run() {
    printf '$ %s\n' "$*"
    "$@"
}

say "digits.pth was written by torch.save(). What kind of file is it?"
run ptio info digits.pth

say "Which tensors are in it? (model: two linear layers; optimizer: two moments of Adam for each weight)"
run ptio ls digits.pth

say "All that is in it, as a tree: dictionaries, numbers and texts too"
run ptio tree digits.pth

say "Every byte read and every checksum compared: is it whole, and would PyTorch's weights_only take it?"
run ptio check digits.pth

say "A C program of less than 80 lines loads the weights with libptio and recognises images that the training never saw"
run predict digits.pth images.pth

say "What PyTorch measured on the same images"
run cat expected.txt

if ! predict digits.pth images.pth | grep -qxF "$(cat expected.txt)"; then
    echo "the demo failed: predict and PyTorch differ" >&2
    exit 1
fi
printf '\nEqual. The program is examples/digits/predict.c; the manual is include/ptio.h.\n'
