"""The order in which rows are taken: by score, or by score and by how much each differs from those taken before. A prefix of it serves every budget.

Facility location (Nemhauser, Wolsey & Fisher 1978; lazily evaluated, Minoux 1978) covers each row by the most alike of the kept ones, among its nearest
neighbours only: a row further away counts as no cover at all. k-centre (Gonzalez 1985) takes the row that lies farthest from those taken, at distance
√((1 - cosine) / 2), every distance exact. Either is mixed with the score's rank among the rows at hand: (1 - share) × rank + share × (rows newly covered, or
distance). The mix of facility location is monotone and submodular, so what a prefix reaches is at least 1 - 1/e of the best subset of its size (on the graph).
The order pays no heed to quotas; they are filled from it. Rows without a vector are told apart by their score alone.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.part import Diversity
from curate.scores import Scores
from curate.signal import report
from curate.threads import spread
from curate.workspace import digest, write_file

__all__ = ["MOMENT", "Candidates", "facility_order", "kcentre_order", "neighbour_lists", "order_of", "plain_order", "reach_of", "seconds_of", "unit_rank"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
MOMENT = 0.5
"""Seconds from which on an order is kept on disk, and made in the background by the app."""
BLOCK = 4096
AHEAD = 1024  # rows among which centres are chosen before all others are compared with them
SAME = 1e-6  # of a cosine: rounding
KEPT = 40  # orders in the workspace
LEAST = 1024  # centres that are chosen at least


@dataclass(frozen=True)
class Candidates:
    """What comes to the budget. left, pinned: bool [rows]. score: float64 [rows], higher is better, or None. tokens: int64 [rows], None while not measured.

    signal: float64 [rows], the score without its bonus for uncertain rows.
    """

    left: Bools
    pinned: Bools
    score: Floats | None
    tokens: npt.NDArray[np.int64] | None
    signal: Floats | None = None


def plain_order(candidates: Candidates) -> Ints:
    """Positions of the rows that come to the budget: pinned ones first, then by score, then in file order. int32."""
    rows = np.flatnonzero(candidates.left).astype(np.int32)
    worse = np.zeros(len(rows)) if candidates.score is None else -candidates.score[rows]
    return rows[np.lexsort((rows, worse, ~candidates.pinned[rows]))]


def unit_rank(score: Floats | None, rows: Ints) -> Floats:
    """Each row's place by score among these, scaled to [0, 1], ties at their mean; 0 where there is no score. float64 [len(rows)]."""
    from scipy.stats import rankdata

    if score is None or not len(rows):
        return np.zeros(len(rows))
    return np.asarray((rankdata(score[rows]) - 1) / max(len(rows) - 1, 1), np.float64)


def neighbour_lists(scores: Scores) -> tuple[Ints, Singles]:
    """Positions of each row's nearest rows, -1 where there is none or the row has no vector, and their cosines. int32, float32 [rows, k]."""

    def read() -> tuple[Ints, Singles]:
        """Both from the workspace, with what stands for none filled in."""
        found = []
        for name, kind, none in (("neighbour_rows", np.int32, -1), ("neighbour_similarity", np.float32, 0)):
            column: Any = scores.vectors("neighbour", name).to_arrow()
            k = column.type.list_size
            values = np.full((len(column), k), none, kind)
            values[column.is_valid().to_numpy(zero_copy_only=False)] = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, k)
            found.append(values)
        return found[0], found[1]

    return scores.once("neighbour lists", read)


def facility_order(lists: tuple[Ints, Singles], rows: Ints, value: Floats, share: float, pinned: Ints) -> tuple[Ints, Floats]:
    """All of some rows by lazy greedy facility location over the graph of their nearest neighbours, either way; and the gain of each.

    lists: as `neighbour_lists` gives them. rows: int32 [m], positions, ascending. value: float64 [m]. pinned: places among them that come first. Returns places
    among the rows, int32 [m], and float64 [m].
    """
    from curate.kernels.budget import Graph, facility, symmetric

    place = np.full(len(lists[0]), -1, np.int32)
    place[rows] = np.arange(len(rows), dtype=np.int32)
    near, alike = lists[0][rows], lists[1][rows]
    start, to, weight = symmetric(near, alike, place)
    own = np.asarray((near >= 0).any(1), np.float32)
    found: tuple[Ints, Floats] = facility(Graph(start, to, weight, own), value, float(share), pinned)
    return found


def _distance(cosine: Any) -> Any:
    """Half the distance between unit vectors, in [0, 1]: a metric, unlike 1 - cosine."""
    apart = 1 - cosine
    apart[apart < SAME] = 0
    return np.sqrt(np.minimum(apart / 2, 1), dtype=np.float32)


def _approach(vectors: Singles, rows: Ints, new: Ints, far: Singles) -> None:
    """Let `far`, float32 [m], be no more than the distance to the new centres, in place. vectors: those of `rows`, which are places in `far`."""
    import torch

    whole = torch.from_numpy(vectors)
    target = whole[torch.from_numpy(new.astype(np.int64))].T

    def look(first: int) -> None:
        some = rows[first : first + BLOCK]
        far[some] = np.minimum(far[some], _distance((whole[first : first + BLOCK] @ target).max(1).values.numpy()))

    for _ in spread(look, range(0, len(vectors), BLOCK)):
        pass


class _Centres:
    """Centres as they are taken, and how far each row lies from them.

    places: of the rows that have a vector, int32; unit: the vectors, float32 [m, d]; value: float64 [n]. order, apart: the centres and their distances, [n].
    """

    def __init__(self, vectors: tuple[Ints, Singles], value: Floats, share: float) -> None:
        n = len(value)
        self.places, self.unit = vectors
        self.value, self.share, self.count = value, float(share), 0
        self.far, self.index, self.free = np.zeros(n, np.float32), np.full(n, -1, np.int32), np.ones(n, np.bool_)
        self.far[self.places], self.index[self.places] = 1, np.arange(len(self.places), dtype=np.int32)
        self.order, self.apart = np.empty(n, np.int32), np.zeros(n, np.float32)

    def worth(self, rows: Ints) -> Floats:
        """What rows would be worth next. float64."""
        return np.asarray((1 - self.share) * self.value[rows] + self.share * self.far[rows].astype(np.float64), np.float64)

    def put(self, new: Ints, distance: Singles) -> None:
        """Take rows, at these distances from those before them."""
        here = slice(self.count, self.count + len(new))
        self.order[here], self.apart[here], self.free[new] = new, distance, False
        self.count += len(new)

    def take(self, new: Ints, distance: Singles) -> None:
        """Take rows, and let every row know how far it lies from them."""
        self.put(new, distance)
        known = self.index[new][self.index[new] >= 0]
        if len(known):
            _approach(self.unit, self.places, known, self.far)

    def step(self, most: int) -> None:
        """Take the next centres, up to `most`: among those worth most, as long as none of the others can be worth more."""
        from curate.kernels.budget import pick_far

        some = np.flatnonzero(self.free).astype(np.int32)
        worth = self.worth(some)
        whole = len(some) <= AHEAD + 1
        top = np.arange(len(some)) if whole else np.argpartition(-worth, AHEAD)[: AHEAD + 1]
        ahead = np.sort(some[top])
        known = self.index[ahead] >= 0
        held, gram = self.unit[self.index[ahead][known]], np.eye(len(ahead), dtype=np.float32)
        gram[np.ix_(known, known)] = held @ held.T
        found, distance = pick_far(self.far[ahead], self.value[ahead], self.share, -1.0 if whole else float(worth[top].min()), _distance(gram), most)
        one = some[[int(np.argmax(worth))]]
        self.take(*((ahead[found], distance) if len(found) else (one, self.far[one])))


def kcentre_order(vectors: tuple[Ints, Singles], value: Floats, diversity: Diversity, pinned: Ints, reach: int) -> tuple[Ints, Singles]:
    """All rows: the first `reach` by greedy k-centre, then the others by what they would be worth next; and each one's distance to those before it.

    vectors: places of the rows that have one, int32, and the unit vectors, float32 [m, d]. value: float64 [n]. Many centres are chosen between two looks at all
    rows, as long as none of the others can lie farther: the same centres as one by one. Returns int32, float32 [n].
    """
    found, n = _Centres(vectors, value, diversity.share), len(value)
    every = np.arange(n, dtype=np.int32)
    if len(pinned):
        found.take(pinned, found.far[pinned])
    elif n:
        worth = found.worth(every)
        one = np.random.default_rng(diversity.seed).permutation(every[worth == worth.max()])[:1]
        found.take(one, found.far[one])
    while found.count < min(reach, n) and found.far[found.free].any():
        found.step(min(reach, n) - found.count)
        report(found.count / min(reach, n))
    some = every[found.free]
    rest = some[np.lexsort((some, -found.worth(some)))]
    found.put(rest, found.far[rest])
    return found.order, found.apart


@dataclass(frozen=True)
class _Search:
    """One order that is asked for. reach: how many rows it is greedy for."""

    scores: Scores
    diversity: Diversity
    candidates: Candidates
    rows: int
    reach: int

    @property
    def seconds(self) -> float:
        """Rough seconds on two cores."""
        return 6e-6 * self.rows if self.diversity.by == "facility" else 384 * 2 * self.rows * self.reach / 5e10

    @cached_property
    def path(self) -> Path:
        """Its file; the name holds all that decides the order."""
        left, pinned, score = self.candidates.left, self.candidates.pinned, self.candidates.score
        told = hashlib.blake2b(np.packbits(left).tobytes() + np.packbits(pinned & left).tobytes(), digest_size=16)
        told.update(b"" if score is None else score[left].tobytes())
        key = self.scores.measured[_needs(self.diversity)].key
        name = digest(["order 1", key, self.diversity.model_dump(), self.reach, score is None, told.hexdigest()])
        return self.scores.workspace.root / "orders" / f"{name}.npy"


def _needs(diversity: Diversity) -> str:
    return "neighbour" if diversity.by == "facility" else "embedding"


def reach_of(rows: int, wanted: int) -> int:
    """How many rows a k-centre order is greedy for: a power of two, so that a budget can be moved without another search, or all."""
    return min(rows, 1 << (max(LEAST, wanted) - 1).bit_length())


def _search(scores: Scores, diversity: Diversity, candidates: Candidates, wanted: int) -> _Search:
    """What is asked for: k-centre by `reach_of`, facility location to the last row."""
    if _needs(diversity) not in scores.measured:
        name = _needs(diversity)
        raise InputError("budget.diversity", f"the signal {name} is not measured", f"Add the signal {name} to the recipe, or take diversity out")
    rows = int(candidates.left.sum())
    reach = rows if diversity.by == "facility" else reach_of(rows, wanted)
    return _Search(scores, diversity, candidates, rows, reach)


def _made(search: _Search) -> Ints:
    import pyarrow as pa

    from curate.nearest import unit_vectors

    scores, diversity, candidates = search.scores, search.diversity, search.candidates
    rows = np.flatnonzero(candidates.left).astype(np.int32)
    value = unit_rank(candidates.score, rows)
    plain = plain_order(candidates)
    pinned = np.searchsorted(rows, plain[: int((candidates.left & candidates.pinned).sum())]).astype(np.int32)
    if diversity.by == "facility":
        return rows[facility_order(neighbour_lists(scores), rows, value, diversity.share, pinned)[0]]
    position, vectors = unit_vectors(pa.chunked_array([scores.vectors("embedding", "embedding_vector").to_arrow()]))
    there = candidates.left[position]
    position, vectors = position[there], vectors if there.all() else vectors[there]
    return rows[kcentre_order((np.searchsorted(rows, position).astype(np.int32), vectors), value, diversity, pinned, search.reach)[0]]


def _kept(search: _Search) -> Ints:
    """An order from the workspace, made and put there where it is absent; the oldest beyond KEPT go."""
    with suppress(OSError, ValueError):
        return np.asarray(np.load(search.path, allow_pickle=False), np.int32)
    found = _made(search)

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.save(file, found)

    write_file(search.path, write)
    every = [(path.stat().st_mtime, path) for path in search.path.parent.glob("[!.]*.npy")]
    for _, old in sorted(every, reverse=True)[KEPT:]:
        old.unlink(missing_ok=True)
    return found


def order_of(scores: Scores, diversity: Diversity | None, candidates: Candidates, wanted: int) -> Ints:
    """Positions of the rows that come to the budget, in the order in which they are taken. int32. Kept for as long as nothing it rests on changes.

    wanted: rows that the budget asks for, about. Raises InputError where the order rests on what is not measured.
    """
    if diversity is None or not diversity.share:
        return plain_order(candidates)
    search = _search(scores, diversity, candidates, wanted)
    return scores.once(search.path.name, lambda: _kept(search) if search.seconds > MOMENT else _made(search))


def seconds_of(scores: Scores, diversity: Diversity | None, candidates: Candidates, wanted: int) -> float:
    """Rough seconds until `order_of` answers: 0 where the order is kept."""
    if diversity is None or not diversity.share:
        return 0.0
    search = _search(scores, diversity, candidates, wanted)
    return 0.0 if search.seconds <= MOMENT or search.path.exists() else search.seconds
