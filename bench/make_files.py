"""Write the files that the jobs of the bench are about.

    python make_files.py FOLDER

    a   200 tensors, 1 GiB in all                   e   a list of 100,000 tensors of 4 floats, each with its own storage
    b   20,000 tensors of 1 KiB                     f   a list of 100,000 views of one storage
    c   200,000 scalars, each under a string        r   records of 64, 512 and 2^20 bytes, for the CRC
    p   a tensor of 1,000,000 floats, to be printed

Each is a .pt by torch.save; a and b also a .safetensors. Files that are there already are kept.
"""

import os
import sys

import torch
from safetensors.torch import save_file


def big():
    return {f"layer{i}.weight": torch.rand(1310, 1024) for i in range(200)}


def small():
    return {f"block{i // 4}.part{i % 4}.weight": torch.rand(16, 16) for i in range(20_000)}


def scalars():
    """About 600,000 opcodes."""
    return {f"value{i}": (i, i / 7, i % 2 == 0)[i % 3] for i in range(200_000)}


def tiny():
    return [torch.rand(4) for _ in range(100_000)]


def views():
    return list(torch.rand(1_600_000).split(16))


def printed():
    return torch.randn(1_000_000)


def records():
    return [torch.zeros(n, dtype=torch.uint8).random_() for n in (64, 512, 1 << 20)]


def main(folder):
    os.makedirs(folder, exist_ok=True)
    torch.manual_seed(0)
    for name, make, flat in (
        ("a", big, True),
        ("b", small, True),
        ("c", scalars, False),
        ("e", tiny, False),
        ("f", views, False),
        ("r", records, False),
        ("p", printed, False),
    ):
        path = os.path.join(folder, name)
        if os.path.exists(path + ".pt") and (not flat or os.path.exists(path + ".safetensors")):
            continue
        value = make()
        torch.save(value, path + ".pt")
        if flat:
            save_file(value, path + ".safetensors")


if __name__ == "__main__":
    main(sys.argv[1])
