"""What a recipe costs at any number of rows, from what it took on samples of three sizes. Pure arithmetic; `docs/scale.md` shows it on an example.

CPU-seconds, memory and disk of a stage are fixed + each × g(rows), g its growth, both parts at least 0, by least squares on the samples. What pairs of alike
rows cost comes on top. A sample of n of N rows holds a pair with the chance (n/N)², so pairs of all are (N/n)² times those seen. Beyond N nobody knows: more
rows in families that do not grow make pairs in proportion to rows, rows drawn again from the same source in proportion to their square. Both are told; what
a stage costs is by the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Fit", "Forecast", "Given", "Machine", "Measured", "Stage", "Where", "bytes_of", "fit", "forecast", "pairs_of"]

Where = Literal["spread", "staged", "alone"]
GROWTH: Mapping[str, tuple[str, Callable[[float], float]]] = {
    "near_duplicate": ("n log n", lambda n: n * math.log2(max(n, 2))),
    "neighbour": ("n^1.15", lambda n: n**1.15),
    "semantic_duplicate": ("n^1.15", lambda n: n**1.15),
}
"""How CPU-seconds of a stage grow where that is not in proportion to rows: sorting by keys, and the search of neighbours (docs/figures.md)."""
ROWS: tuple[str, Callable[[float], float]] = ("n", float)
MOST_ROWS = 2**31 - 1
"""Positions are 32-bit: more rows are several datasets."""
OVERHEAD = 1.5
"""CPU-seconds of work dealt out beside those of one process: 1.49 on two nodes of one core each at 500,000 rows, their start included (`scale-500000.json`)."""
PAIR_MEMORY, PAIR_DISK, PAIRS_HELD = 44, 12, 50_000_000
"""Bytes of a pair: two positions and a similarity; in memory its place in the order and in the graph from both ends too. More than PAIRS_HELD stay on disk."""
STREAMED: Mapping[str, tuple[float, float]] = {"load": (160.0, 1e9), "export": (130.0, math.inf)}
"""Bytes of a row, and at most in all, that stages which pass rows in a stream take beyond the sample: from 100,000 to 1,000,000 rows in benchmarks/results, for
the first rows fill buffers and would tell too much. Loading has a limit of its own."""
ALONE_STAGED = 24
"""Bytes of a row where the stages of a search come together: class, line, gap, forest and order, 4 each, and 4 to spare."""


@dataclass(frozen=True)
class Measured:
    """What a stage took on so many rows. memory: peak of the process, bytes. disk: bytes written."""

    rows: int
    seconds: float
    cpu_seconds: float
    memory: int
    disk: int


@dataclass(frozen=True)
class Fit:
    """fixed + each × g(rows). growth: g in words."""

    fixed: float
    each: float
    growth: str
    g: Callable[[float], float]

    def __call__(self, rows: float) -> float:
        return self.fixed + self.each * self.g(rows)


def fit(points: Sequence[tuple[float, float]], growth: tuple[str, Callable[[float], float]] = ROWS) -> Fit:
    """Least squares of (rows, value), relative to the value, so that a small sample counts as much as a large one; neither part below 0."""
    name, g = growth
    rows = [(g(n), max(v, 1e-9)) for n, v in points]
    weights = [1 / v**2 for _, v in rows]
    total = sum(weights)
    mean_x, mean_y = (sum(w * row[i] for w, row in zip(weights, rows, strict=True)) / total for i in (0, 1))
    spread = sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, rows, strict=True))
    each = sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, rows, strict=True)) / spread if spread else 0.0
    fixed = mean_y - each * mean_x
    if each < 0:
        each, fixed = 0.0, mean_y
    elif fixed < 0:
        each, fixed = sum(w * x * y for w, (x, y) in zip(weights, rows, strict=True)) / sum(w * x * x for w, (x, _) in zip(weights, rows, strict=True)), 0.0
    return Fit(fixed, each, name, g)


@dataclass(frozen=True)
class Machine:
    """A machine of a cluster: cores, and bytes of memory."""

    cores: int
    memory: int


@dataclass(frozen=True)
class Given:
    """What a forecast goes by. driver: bytes of the process that deals out the work. pair: CPU-seconds of a pair."""

    machine: Machine
    hours: float
    driver: float
    pair: float = 0.0


@dataclass(frozen=True)
class Stage:
    """A stage with what it took. where: "spread" over machines, batch by batch; "staged": tasks over files; "alone": on one worker, all rows.

    task: rows that a task of "staged" holds at most.
    """

    name: str
    where: Where
    points: tuple[Measured, ...]
    task: int = 65_536

    def cpu_seconds(self, rows: float) -> float:
        """CPU-seconds in one process."""
        return self._fit("cpu_seconds", GROWTH.get(self.name, ROWS))(rows)

    def seconds(self, rows: float) -> float:
        """Seconds on the cores of the machine that measured."""
        return self._fit("seconds", GROWTH.get(self.name, ROWS))(rows)

    def memory(self, rows: float) -> float:
        """Bytes of one process that does it whole; of batches, as on the largest sample."""
        last = self.points[-1]
        if self.name in STREAMED:
            each, most = STREAMED[self.name]
            return last.memory + min(each * max(0.0, rows - last.rows), most)
        return float(last.memory) if self.where == "spread" else self._fit("memory", ROWS)(rows)

    @property
    def memory_growth(self) -> str:
        """How its memory grows, in words."""
        return "a stream, from benchmarks" if self.name in STREAMED else "a batch" if self.where == "spread" else "n"

    def disk(self, rows: float) -> float:
        """Bytes that it leaves."""
        return self._fit("disk", ROWS)(rows)

    def worker(self, rows: float) -> float:
        """Bytes of the largest worker on Ray."""
        if self.where != "staged":
            return self.memory(rows)
        return max(self.memory(min(rows, self.task)), min(p.memory for p in self.points) + ALONE_STAGED * rows)

    @property
    def growth(self) -> str:
        """How its CPU-seconds grow, in words."""
        return GROWTH.get(self.name, ROWS)[0]

    def _fit(self, what: str, growth: tuple[str, Callable[[float], float]]) -> Fit:
        return fit([(p.rows, float(getattr(p, what))) for p in self.points], growth)


@dataclass(frozen=True)
class Forecast:
    """What so many rows cost. datasets: parts that rows are cut into where one dataset cannot hold them; the rest is of all of them together, memory of one.

    pairs: of alike rows, expected and at most; at_most: CPU-seconds and bytes of disk that the latter would add. seconds, memory: of one process on the machine
    that measured. disk: workspace and export. driver, worker: bytes on Ray. machines: of the given size, to end within the hours; None where no number is
    enough, for what is done on one worker takes `alone_seconds`. said: what does not fit, in words.
    """

    rows: int
    datasets: int
    stages: Mapping[str, Mapping[str, float]]
    pairs: tuple[float, float]
    at_most: tuple[float, float]
    cpu_seconds: float
    seconds: float
    memory: float
    disk: float
    driver: float
    worker: float
    largest: str
    alone_seconds: float
    machines: int | None
    said: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def pairs_of(seen: int, drawn: int, rows: int, target: float) -> tuple[float, float]:
    """Pairs among `target` rows, expected and at most, of which `seen` stood among `drawn` of `rows`.

    At most: the upper end of the exact Poisson interval of 95 %, growing with the square of rows; of fewer rows than there are, in proportion to them.
    """
    from scipy.stats import chi2

    share, times = (rows / drawn) ** 2, target / rows
    high = seen if drawn >= rows else chi2.ppf(0.975, 2 * seen + 2) / 2
    return float(seen * share * min(times, times**2)), float(high * share * max(times, times**2))


def forecast(stages: Sequence[Stage], rows: int, given: Given, pairs: Mapping[str, tuple[float, float]]) -> Forecast:
    """What `rows` rows cost. pairs: expected and at most, by stage."""
    datasets = -(-rows // MOST_ROWS)
    each = rows / datasets
    found: dict[str, dict[str, float]] = {}
    for stage in stages:
        expected = pairs.get(stage.name, (0.0, 0.0))[0]
        held = PAIR_MEMORY * min(expected / datasets, PAIRS_HELD)
        found[stage.name] = {
            "cpu_seconds": datasets * stage.cpu_seconds(each) + given.pair * expected,
            "seconds": datasets * stage.seconds(each) + given.pair * expected,
            "memory": stage.memory(each) + held,
            "worker": stage.worker(each) + held,
            "disk": datasets * stage.disk(each) + PAIR_DISK * expected,
            "alone_seconds": datasets * stage.seconds(each) if stage.where == "alone" else 0.0,
        }
    spread = OVERHEAD * sum(found[s.name]["cpu_seconds"] for s in stages if s.where != "alone")
    total = {what: sum(one[what] for one in found.values()) for what in ("cpu_seconds", "seconds", "disk", "alone_seconds")}
    largest, left = max(found, key=lambda name: found[name]["worker"]), given.hours * 3600 - total["alone_seconds"]
    machines = max(1, math.ceil(spread / (given.machine.cores * left))) if left > 0 else None
    said = _said(stages, found, given, total["alone_seconds"])
    if datasets > 1:
        said = (f"one dataset holds {MOST_ROWS:,} rows, so these are {datasets} datasets; alike rows of two of them are not found", *said)
    likely, most = (sum(p[i] for p in pairs.values()) for i in (0, 1))
    ends = (total["disk"], given.driver, found[largest]["worker"], largest, total["alone_seconds"], machines, said)
    more = ((most - likely) * given.pair, (most - likely) * PAIR_DISK)
    return Forecast(rows, datasets, found, (likely, most), more, total["cpu_seconds"], total["seconds"], max(o["memory"] for o in found.values()), *ends)


def _said(stages: Sequence[Stage], found: Mapping[str, Mapping[str, float]], given: Given, alone: float) -> tuple[str, ...]:
    """What does not fit a machine or the time. alone: seconds."""
    said = [f"{s.name} wants {bytes_of(w)} on one worker" for s in stages if (w := found[s.name]["worker"]) > given.machine.memory]
    batch = max((found[s.name]["worker"] * given.machine.cores for s in stages if s.where == "spread"), default=0.0)
    if batch > given.machine.memory:
        said.append(f"{given.machine.cores} tasks at a time want {bytes_of(batch)} on a machine: run fewer")
    if alone >= given.hours * 3600:
        said.append(
            f"what one worker does alone takes {alone / 3600:,.1f} hours, more than the {given.hours:g} that are given: cut the rows into several datasets"
        )
    return tuple(said)


def bytes_of(size: float) -> str:
    """Bytes in words."""
    for unit, of in (("TB", 1e12), ("GB", 1e9)):
        if size >= of:
            return f"{size / of:,.1f} {unit}"
    return f"{size / 1e6:,.0f} MB"
