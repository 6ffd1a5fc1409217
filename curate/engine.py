"""Where batches run. A batch function is the only unit of heavy work: `RecordBatch → RecordBatch`. Nothing else knows where it runs."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Literal, TypeVar

from curate.threads import cores

__all__ = ["Engine", "run_batches"]

Engine = Literal["inline", "pool"]
In = TypeVar("In")
Out = TypeVar("Out")


def run_batches(function: Callable[[In], Out], batches: Iterable[In], engine: Engine) -> Iterator[Out]:
    """Map a function over batches, in order. What a call raises is raised here.

    inline: in this process. pool: one process a processor, at most two batches each in flight, so that memory stays bounded; `function` must be picklable.
    """
    if engine == "inline":
        yield from map(function, batches)
        return
    # spawn, not fork: threads of Polars, torch and numba do not survive a fork
    with ProcessPoolExecutor(cores(), mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting: deque[Future[Out]] = deque()
        try:
            for batch in batches:
                waiting.append(pool.submit(function, batch))
                if len(waiting) >= 2 * cores():
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
