"""Compiled loops (numba, cached on disk). Import these modules inside functions: importing one loads numba."""

from __future__ import annotations

import hashlib
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

TORN = pickle.UnpicklingError, EOFError, OSError, AttributeError, ImportError, LookupError, TypeError, ValueError, MemoryError


class _Blind(pickle.Unpickler):
    """Reads an index without the types that it names."""

    def find_class(self, module: str, name: str) -> Any:
        del module
        return type(name, (), {"__new__": lambda cls, *_, **__: object.__new__(cls), "__setstate__": lambda *_: None})


def drop_outdated(folder: Path) -> list[str]:
    """Remove the indexes of loops that were compiled from other sources than those here; returns their names.

    numba unpickles an index before it sees that it is out of date, and fails where the index names a type that has gone: after an upgrade, for instance.
    """
    dropped = []
    for index in sorted(folder.glob("__pycache__/*.nbi")):
        source = folder / f"{index.name.split('.')[0]}.py"
        if not source.exists() or _stamp(index) not in (b"", hashlib.sha256(source.read_bytes()).digest()):
            index.unlink(missing_ok=True)
            dropped.append(index.name)
    return dropped


def _stamp(index: Path) -> bytes | None:
    """What the source was when it was compiled; b"" where this version of numba notes something else; None where the index cannot be read."""
    try:
        with index.open("rb") as file:
            pickle.load(file)  # numba's version
            stamp = _Blind(file).load()[0]
    except TORN:  # numba would fail on it too
        return None
    return stamp if isinstance(stamp, bytes) else b""


with suppress(OSError):  # a folder that cannot be written is not numba's cache
    drop_outdated(Path(__file__).parent)
