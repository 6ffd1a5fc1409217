"""Where batches run. A batch function is the only unit of heavy work: `RecordBatch → RecordBatch`. Nothing else knows where it runs.

inline: in this process. pool: a process for each core. ray: tasks of Ray, on a Ray of this run's own, or on the one that RAY_ADDRESS names;
ray://HOST:PORT: on that one. Work that a dead worker or a dead node had in hand is given to another.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

from curate.errors import InputError, WorkerError
from curate.threads import cores

__all__ = ["Engine", "engine_named", "join", "on_ray", "run_apart", "run_batches"]

Engine = str
"""inline, pool, ray or ray://HOST:PORT."""
In = TypeVar("In")
Out = TypeVar("Out")
DEATHS = 3
"""Workers that may die over the same work before it is given up."""


def engine_named(given: str) -> Engine:
    """The engine of this name. Raises InputError where there is none."""
    if given in ("inline", "pool", "ray") or re.fullmatch(r"ray://[^/@\s]+:\d+", given):
        return given
    raise InputError("--engine", f"{given!r} is no engine", "Valid ones are inline, pool, ray and ray://HOST:PORT")


def on_ray(engine: Engine) -> bool:
    """Whether the batches run on Ray."""
    return engine.startswith("ray")


def run_batches(function: Callable[[In], Out], batches: Iterable[In], engine: Engine, warm: bool = False) -> Iterator[Out]:
    """Map a function over batches, in order. What a call raises is raised here; WorkerError where a batch ends each worker that takes it.

    A few batches a worker are in flight, so that memory stays bounded. `function` and batches must be picklable, but for inline. A batch may run twice, where a
    worker died: what it writes must be whole and the same each time. warm: on Ray, processes that live as long as the work, so that a model is loaded once.
    """
    if engine == "inline":
        yield from map(function, batches)
    elif on_ray(engine):
        yield from _on_ray(function, batches, engine, warm)
    else:
        yield from _in_pool(function, batches)


def run_apart(work: Callable[[], Out], engine: Engine) -> Out:
    """What `work` returns, on Ray in a worker with all cores of a node, so that the memory of this process stays what it is; else here."""
    if not on_ray(engine):
        return work()
    join(engine)
    import ray

    many = _cores_of_a_node()
    alike = {"env_vars": {"OMP_NUM_THREADS": str(many)}}  # so workers of its own: one that was a batch's keeps its one thread, and sums would round otherwise
    found: Out = _got(ray.remote(max_retries=DEATHS, num_cpus=many, runtime_env=alike)(_call).remote(_without_batch, work))
    return found


def _without_batch(work: Callable[[], Out]) -> Out:
    return work()


def _in_pool(function: Callable[[In], Out], batches: Iterable[In]) -> Iterator[Out]:
    pool, given, deaths = _pool(), iter(batches), 0
    waiting: deque[tuple[In, Future[Out] | None]] = deque()
    try:
        while True:
            waiting.extend((item, None) for _, item in zip(range(2 * cores() - len(waiting)), given, strict=False))
            if not waiting:
                return
            try:
                waiting = deque((item, future or pool.submit(function, item)) for item, future in waiting)
                head = waiting[0][1]
                assert head is not None
                found = head.result()
            except BrokenProcessPool:
                deaths += 1
                if deaths > DEATHS:
                    raise WorkerError(deaths) from None
                pool.shutdown(wait=False)
                pool = _pool()
                waiting = deque((item, future if future is not None and _ended(future) else None) for item, future in waiting)
                continue
            waiting.popleft()
            deaths = 0
            yield found
    finally:
        pool.shutdown(cancel_futures=True)


def _pool() -> ProcessPoolExecutor:
    # spawn, not fork: threads of Polars, torch and numba do not survive a fork
    return ProcessPoolExecutor(cores(), mp_context=multiprocessing.get_context("spawn"))


def _ended(future: Future[Any]) -> bool:
    """Whether a call came to its own end before its worker died."""
    return future.done() and not future.cancelled() and not isinstance(future.exception(), BrokenProcessPool)


def _on_ray(function: Callable[[In], Out], batches: Iterable[In], engine: Engine, warm: bool) -> Iterator[Out]:
    """As `run_batches`. One task a batch, or calls of warm actors by turns."""
    join(engine)
    import ray

    held = ray.put(function)
    actors = _warm_actors() if warm else []
    task = ray.remote(max_retries=DEATHS, num_cpus=1)(_call)
    most = 2 * len(actors) if warm else max(64, 4 * int(ray.cluster_resources().get("CPU", 1)))
    waiting: deque[Any] = deque()
    try:
        for at, item in enumerate(batches):
            waiting.append(actors[at % len(actors)].call.remote(held, item) if warm else task.remote(held, item))
            if len(waiting) >= most:
                yield _got(waiting.popleft())
        while waiting:
            yield _got(waiting.popleft())
    finally:
        for one in waiting:
            ray.cancel(one)
        for actor in actors:
            ray.kill(actor)


def _call(function: Callable[[In], Out], item: In) -> Out:
    return function(item)


class _Warm:
    """A process that keeps what it loaded from call to call."""

    def call(self, function: Callable[[In], Out], item: In) -> Out:
        """`function(item)`, here."""
        return function(item)


def _cores_of_a_node() -> int:
    """Cores of the node that has the fewest, of those that work."""
    import ray

    return max(1, min((int(node["Resources"]["CPU"]) for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")), default=1))


def _warm_actors() -> list[Any]:
    """One for each accelerator of the cluster; without any one for each node, with all its cores, which a model fills."""
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    accelerators = int(sum(node.get("GPU", 0) for node in nodes))
    needs = {"num_gpus": 1} if accelerators else {"num_cpus": _cores_of_a_node()}
    # tries while an actor begins anew count as retries, so restarts are what is bounded
    made = ray.remote(max_restarts=DEATHS, max_task_retries=-1, scheduling_strategy="SPREAD", **needs)(_Warm)
    return [made.remote() for _ in range(accelerators or max(1, sum(bool(node.get("CPU")) for node in nodes)))]


def _got(reference: Any) -> Any:
    """What a task returned; what it raised is raised as it was."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        return ray.get(reference)
    except RayTaskError as error:
        raise (error.cause if isinstance(error.cause, Exception) else error) from None
    except RayError as error:
        raise WorkerError(DEATHS + 1, str(error).strip().splitlines()[0]) from None


def _token() -> bool:
    """Whether a token for Ray is known here."""
    told = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    return told or (Path.home() / ".ray" / "auth_token").is_file()


def join(engine: Engine) -> None:
    """Start or join Ray, once a process. Raises InputError where it is not installed or does not answer."""
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # read at import too: it would tell of dead workers on stdout, among the results
    if engine.startswith("ray://") and "ray" not in sys.modules and _token():
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # read at import; a client sends no token of itself, as a Ray of one's own does
    try:
        import ray
    except ImportError as error:
        raise InputError(f"--engine {engine}", "Ray is not installed", "Install it with: pip install 'curate[ray]'") from error
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # of batches that nobody waits for any more
    address = engine if engine.startswith("ray://") else os.environ.get("RAY_ADDRESS") or "local"
    # a Ray of our own listens on the machine's address, and cannot be told not to; who calls must know the token that it makes (its default)
    own = {"num_cpus": cores(), "include_dashboard": False} if address == "local" else {}
    here = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **own)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            address, f"no Ray can be used there ({said})", "Check address, token (RAY_AUTH_TOKEN) and that Ray runs there in this version"
        ) from error
    finally:
        if here:
            signal.signal(signal.SIGTERM, before)  # Ray sets its own, which would keep a command from ending as it should
