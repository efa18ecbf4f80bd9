"""ptio as it is where PyTorch cannot be imported, in a process that has PyTorch."""
import contextlib
import importlib
import sys


@contextlib.contextmanager
def hidden():
    """No PyTorch here."""
    before = sys.modules.get("torch")
    sys.modules["torch"] = None
    try:
        yield
    finally:
        if before is None:
            del sys.modules["torch"]
        else:
            sys.modules["torch"] = before


class Bare:
    """A module ptio of its own, with a state of its own, whose functions never see PyTorch."""

    def __init__(self):
        names = [name for name in sys.modules if name == "ptio" or name.startswith("ptio.")]
        before = {name: sys.modules.pop(name) for name in names}
        try:
            self._module = importlib.import_module("ptio")
        finally:
            for name in [name for name in sys.modules if name == "ptio" or name.startswith("ptio.")]:
                del sys.modules[name]
            sys.modules.update(before)

    def __getattr__(self, name):
        member = getattr(self._module, name)
        if isinstance(member, type) or not callable(member):
            return member

        def call(*arguments, **keywords):
            with hidden():
                return member(*arguments, **keywords)

        return call


def memory():
    """KiB of memory that this process has."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4
