"""Do once, at set-up, what would make the first person wait: compile the kernels and convert the language model. `python -m curate.warm`."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import time

__all__ = ["warm"]


def warm() -> None:
    """Compile every kernel module's loops into the disk cache and put the default language model into the model cache."""
    import curate.kernels as folder
    from curate import models

    for module in pkgutil.iter_modules(folder.__path__):
        start = time.time()
        importlib.import_module(f"curate.kernels.{module.name}").warm()
        print(f"compiled {module.name} in {time.time() - start:.1f} s", file=sys.stderr)
    start = time.time()
    models.prepare()
    print(f"models ready in {time.time() - start:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    warm()
