"""The jobs of saving by PyTorch and the C pickler.

    python save_peers.py FOLDER [SECONDS]

Like peers.py. What is saved goes to a new file each time; the one before is removed outside the time.
"""

import io
import os
import pickle
import sys

import torch
from peers import measure


def save_durable(value, path):
    with open(path, "wb") as file:
        torch.save(value, file)
        file.flush()
        os.fsync(file.fileno())


def rename_key(source, path):
    value = torch.load(source)
    torch.save({"first0.weight" if key == "layer0.weight" else key: tensor for key, tensor in value.items()}, path)


def main(folder, seconds):
    out = f"{folder}/saved-by-torch.pt"

    def fresh():
        if os.path.exists(out):
            os.remove(out)

    for job, name in (("5c.b", "b"), ("5c.e", "e"), ("5a", "a")):
        value = torch.load(f"{folder}/{name}.pt", weights_only=False)
        measure(f"{job}.torch", lambda: torch.save(value, out), seconds, fresh)
    measure("5b.torch", lambda: save_durable(value, out), seconds, fresh)
    del value
    measure("13.torch", lambda: rename_key(f"{folder}/a.pt", out), seconds, fresh)
    fresh()
    value = torch.load(f"{folder}/c.pt", weights_only=False)
    measure("7b.torch", lambda: torch.save(value, io.BytesIO()), seconds)
    measure("7b.cpickle", lambda: pickle.dumps(value, 2), seconds)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 4)
