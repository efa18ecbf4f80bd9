"""The names of torch.serialization."""

from ._ptio import (
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
    get_unsafe_globals_in_checkpoint,
    load,
    save,
)
