"""Work spread over the cores: tasks that release the GIL, each with one thread of its own for matrix products.

One pool of threads with single-threaded products inside beats parallel products and parallel loops by turns: those wait for one another by spinning, which
costs ten times the work itself as soon as anything else runs on the machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["cores", "spread"]

Task = TypeVar("Task")
Done = TypeVar("Done")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(work: Callable[[Task], Done], tasks: Iterable[Task], products: bool = True) -> Iterator[Done]:
    """`work(task)` of each task on all cores, in the tasks' order. Tasks not begun are dropped where the caller stops or a task raises.

    products: whether the work has torch multiply matrices; where it has not, torch need not be imported.
    """
    pool = ThreadPoolExecutor(cores(), initializer=_one_thread if products else None)
    try:
        for future in [pool.submit(work, task) for task in tasks]:
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)  # sets it for the calling thread only
