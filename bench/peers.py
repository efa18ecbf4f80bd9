"""The same jobs by PyTorch (default and mmap=True, each with weights_only True and False), safetensors and the C unpickler.

    python peers.py FOLDER [SECONDS]
    python peers.py --fresh FOLDER      job 4a as the first load of a process, once

Prints the lines of bench/timing.h. Each measurement is repeated for SECONDS (10), at least twice and at most 15 times; results
are freed outside the time.
"""

import os
import pickle
import sys
import time
import zipfile

import torch
from safetensors import safe_open

MODES = {
    "torch": {},
    "torch.unrestricted": {"weights_only": False},
    "torch.mmap": {"mmap": True},
    "torch.mmap.unrestricted": {"mmap": True, "weights_only": False},
}
PICKED_BIG = ["layer100.weight"]
PICKED_SMALL = [f"block{n // 4}.part{n % 4}.weight" for n in (i * 7919 % 20_000 for i in range(1000))]


def measure(name, job, seconds, before=lambda: None):
    before()
    job()
    times = []
    end = time.monotonic() + seconds
    while len(times) < 2 or (len(times) < 15 and time.monotonic() < end):
        before()
        start = time.perf_counter_ns()
        result = job()
        times.append(time.perf_counter_ns() - start)
        del result
    times.sort()
    print(name, times[0], times[len(times) // 2], times[-1], len(times), sep="\t", flush=True)


def listed(tensors):
    """Every dtype, shape, stride and offset, as the job of ptio reads them."""
    for tensor in tensors:
        tensor.dtype, tensor.shape, tensor.stride(), tensor.storage_offset()
    return tensors


def torch_list(path, mode):
    value = torch.load(path, **mode)
    return listed(value.values() if isinstance(value, dict) else value)


def torch_copy(path, mode, names):
    value = torch.load(path, **mode)
    return [value[name].clone() for name in names]


def safetensors_list(path):
    with safe_open(path, framework="pt") as file:
        slices = [file.get_slice(name) for name in file.keys()]
        return [(s.get_shape(), s.get_dtype()) for s in slices]


def safetensors_copy(path, names):
    with safe_open(path, framework="pt") as file:
        return [file.get_tensor(name).clone() for name in names]


def forget_pages(path):
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def casts(seconds):
    floats = torch.arange(1 << 22, dtype=torch.float32) / 7 - 1000
    dtypes = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
    for kind in ("f32.f16", "f32.bf16", "f16.f32", "bf16.f32"):
        start, end = (dtypes[name] for name in kind.split("."))
        source, target = floats.to(start), torch.empty(1 << 22, dtype=end)
        measure(f"8.{kind}.torch", lambda: target.copy_(source), min(seconds, 1))


def statistics(folder, seconds):
    """What `ptio stats` tells, by as many calls as PyTorch needs for it; and the mean alone. The tensors are in memory."""
    tensors = list(torch.load(f"{folder}/a.pt").values())
    calls = (torch.aminmax, torch.mean, torch.std, torch.count_nonzero, lambda t: torch.isfinite(t).all())
    measure("10a.torch", lambda: [call(t) for t in tensors for call in calls], seconds)
    measure("10a.torch.mean", lambda: [t.mean() for t in tensors], seconds)
    values = torch.load(f"{folder}/p.pt").tolist()
    measure("10b.python", lambda: "\n".join(map(repr, values)), min(seconds, 4))


def main(folder, seconds):
    torch.set_num_threads(1)
    for job, file in (("1a", "a"), ("1b", "b"), ("7", "c"), ("1c.e", "e"), ("1c.f", "f")):
        path = f"{folder}/{file}.pt"
        run = torch_list if job[0] == "1" else lambda path, mode: torch.load(path, **mode)
        for name, mode in MODES.items():
            measure(f"{job}.{name}", lambda: run(path, mode), seconds)
    for job, file, names in (("4a", "a", PICKED_BIG), ("4b", "b", PICKED_SMALL)):
        for name, mode in MODES.items():
            measure(f"{job}.{name}", lambda: torch_copy(f"{folder}/{file}.pt", mode, names), seconds)
        measure(f"{job}.safetensors", lambda: safetensors_copy(f"{folder}/{file}.safetensors", names), seconds)
    for job, file in (("1a", "a"), ("1b", "b")):
        measure(f"{job}.safetensors", lambda: safetensors_list(f"{folder}/{file}.safetensors"), seconds)
    with zipfile.ZipFile(f"{folder}/c.pt") as archive:
        program = archive.read("c/data.pkl")
    measure("7.cpickle", lambda: pickle.loads(program), seconds)
    casts(seconds)
    statistics(folder, seconds)


def fresh(folder, work):
    """A first load takes its memory from the system, as a load of ptio does; later ones find what earlier ones gave back."""
    path = f"{folder}/a.pt"
    torch.set_num_threads(1)
    torch_list(f"{folder}/r.pt", {})  # whatever PyTorch itself does on its first use
    if work == "cold":
        forget_pages(path)
    start = time.perf_counter_ns()
    if work == "copy":
        torch_copy(path, {}, PICKED_BIG)
    else:
        kept = torch.load(path, weights_only=False)  # noqa: F841, since freeing it is no part
    print(time.perf_counter_ns() - start)


if __name__ == "__main__":
    if sys.argv[1] == "--fresh":
        fresh(sys.argv[2], sys.argv[3])
    else:
        main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 10)
