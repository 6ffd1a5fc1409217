"""The reading of a batch: which of the rows that pass the gate people read, what they said, and the pass rate with its interval.

All rows that pass stand in one line, by target and generator in proportion and by a hash of their ids within each, the first two of each before all others;
its first so many are read. So a larger sample holds the smaller one. For a row of which a reader is unsure the next of its target and generator is read too;
where none is left the unsure ones count as not good: what nobody could tell of is no reason to take a batch.

Words are lines of an append-only log beside the batch (`reviews.jsonl`, as `curate.reviews` writes it), undo another line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from curate.errors import InputError
from curate.rate import Rate, percent, stratified, wilson
from curate.reviews import Review, append, fold, read_log
from curate.synthetic.batch import Batch, read_rows
from curate.synthetic.gate import Gated

if TYPE_CHECKING:
    import polars as pl

__all__ = ["WORDS", "Reading", "order", "read_words", "reading", "sample", "say", "strata", "take_back"]

WORDS = ("good", "bad", "unsure")
State = Literal["to be read", "good enough", "refused"]


@dataclass(frozen=True)
class Reading:
    """How far the reading is. rows: synthetic ids that are drawn. words: what holds of each that was read. rate: of good rows among those that pass the gate.

    by: the same of each stratum. sizes: rows of each. wanted: the pass rate. best: the rate if all that is left were good; None where no row passes.
    unsure: rows of which readers could not tell. not_good: how many of them count as not good, for their stratum has no other row to draw.
    state: refused where `best` is below `wanted`.
    """

    rows: tuple[str, ...]
    words: Mapping[str, str]
    rate: Rate
    by: Mapping[str, Rate]
    sizes: Mapping[str, int]
    wanted: float
    best: float | None
    unsure: int
    not_good: int

    @property
    def left(self) -> tuple[str, ...]:
        """Drawn rows that nobody read."""
        return tuple(r for r in self.rows if r not in self.words)

    @property
    def state(self) -> State:
        """Whether the batch may be accepted."""
        if self.best is not None and self.best < self.wanted - 1e-9:
            return "refused"
        return "to be read" if self.left or self.best is None else "good enough"

    @property
    def said(self) -> str:
        """The pass rate in words."""
        if self.rate.value is None:
            return f"{len(self.words):,} of {len(self.rows):,} rows read, no rate yet"
        all_read = self.rate.judged == sum(self.sizes.values())
        between = "all are read" if all_read else f"between {percent(self.rate.low)} and {percent(self.rate.high)}"
        weighed = ", each target and generator weighted by its rows" if len(self.sizes) > 1 and not all_read else ""
        return (
            f"{percent(self.rate.value)} of rows are good, {between} "
            f"({self.rate.judged - self.rate.bad:,} of {self.rate.judged:,} read{weighed}{self._unsure}); {percent(self.wanted)} are wanted"
        )

    @property
    def _unsure(self) -> str:
        if not self.unsure:
            return ""
        more = f", {self.not_good:,} of which count as not good, for no other row is left to read" if self.not_good else ""
        return f"; of {self.unsure:,} readers were unsure{more}"


def _log(batch: Batch) -> Path:
    return batch.folder / "reviews.jsonl"


def order(name: str, seed: int) -> bytes:
    """Where a row stands in the random order of a seed."""
    return blake2b(f"{seed} {name}".encode(), digest_size=8).digest()


def strata(rows: pl.DataFrame) -> list[str]:
    """The stratum of each row: its target and generator."""
    return [f"{target or 'any'} · {generator or 'unknown'}" for target, generator in rows.select("target", "generator").iter_rows()]


def sample(rows: pl.DataFrame, size: int, seed: int, unsure: Collection[str] = ()) -> tuple[str, ...]:
    """Ids of a stratified sample in random order, `size` and others for the `unsure`. rows: those that pass, `synthetic_id`, `target`, `generator`."""
    by: dict[str, list[str]] = {}
    for name, stratum in zip(rows["synthetic_id"], strata(rows), strict=True):
        by.setdefault(stratum, []).append(name)
    turns = {stratum: sorted(names, key=lambda n: order(n, seed)) for stratum, names in by.items()}
    line = [(-1.0 if i < 2 else (i + 0.5) / len(turn), order(n, seed), stratum) for stratum, turn in turns.items() for i, n in enumerate(turn)]
    first = sum(min(2, len(turn)) for turn in turns.values())
    most = Counter(stratum for *_, stratum in sorted(line)[: max(size, first)])
    taken = [name for stratum, turn in turns.items() for name in _until(turn, most[stratum], unsure)]
    return tuple(sorted(taken, key=lambda n: order(n, seed)))


def _until(turn: Sequence[str], most: int, unsure: Collection[str]) -> Iterator[str]:
    """The first so many that are not unsure, and the unsure ones on the way."""
    for name in turn:
        if most <= 0:
            return
        yield name
        most -= name not in unsure


def read_words(batch: Batch) -> tuple[Review, ...]:
    """What people said that holds, in order."""
    return tuple(r for r in fold(read_log(_log(batch))).marked if r.action == "judge")


def say(batch: Batch, row: str, word: str, by: str = "", session: str = "command") -> None:
    """Keep somebody's word on a row; on disk when this returns. Raises InputError on another word, or where rows were accepted already."""
    if word not in WORDS:
        raise InputError(row, f"{word!r} is no word on a generated row", f"Say {', '.join(WORDS[:-1])} or {WORDS[-1]}")
    if (batch.folder / "accepted.json").exists():
        raise InputError(batch.name, "its rows were accepted already", "Grow another batch")
    append(_log(batch), Review("judge", session, by=by, rows=(row,), value=word))


def take_back(batch: Batch, by: str = "", session: str = "command") -> bool:
    """Take back the last word of a person; whether there was one."""
    last = next((r for r in reversed(read_words(batch)) if r.by == by), None)
    if last is None or (batch.folder / "accepted.json").exists():
        return False
    append(_log(batch), Review("undo", session, of=last.id))
    return True


def _settled(said: Sequence[Review]) -> dict[str, str]:
    """One word a row: each person's last, and of several the worst."""
    last: dict[tuple[str, str], str] = {}
    for review in said:
        last |= {(row, review.by): review.value or "" for row in review.rows}
    found: dict[str, str] = {}
    for (row, _), word in last.items():
        found[row] = word if row not in found else next(w for w in ("bad", "unsure", "good") if w in (word, found[row]))
    return found


def reading(batch: Batch, gated: Gated) -> Reading:
    """How far the reading of a batch is, by the gate's outcome."""
    import polars as pl

    rows = read_rows(batch).select("synthetic_id", "target", "generator").filter(pl.Series(gated.rows["passes"]))
    settled, admission = _settled(read_words(batch)), gated.admission
    doubted = {row for row, word in settled.items() if word == "unsure"}
    drawn = sample(rows, admission.rows, admission.seed, doubted)
    words = {row: settled[row] for row in drawn if row in settled}
    of = dict(zip(rows["synthetic_id"], strata(rows), strict=True))
    sizes, drawn_of = Counter(of.values()), Counter(of[row] for row in drawn)
    unsure = Counter(of[row] for row, word in words.items() if word == "unsure")
    asked = Counter(of[row] for row in sample(rows, admission.rows, admission.seed))
    short = {name for name in unsure if drawn_of[name] - unsure[name] < asked[name]}
    counted = {row: word for row, word in words.items() if word != "unsure" or of[row] in short}
    told = {name: (sum(of[r] == name and w != "good" for r, w in counted.items()), sum(of[r] == name for r in counted)) for name in sizes}
    bad = stratified({name: (sizes[name], *t) for name, t in told.items()}) if sizes else wilson(0, 0)
    open_ = Counter(of[row] for row in drawn if row not in words)
    best = stratified({name: (sizes[name], wrong, judged + open_[name]) for name, (wrong, judged) in told.items()}).value if sizes else None
    by = {name: _good(wilson(*t), sizes[name]) for name, t in told.items()}
    best = None if best is None else 1 - best
    unjudged = sum(unsure[name] for name in short)
    return Reading(drawn, words, _good(bad, len(rows)), by, sizes, admission.pass_rate, best, unsure.total(), unjudged)


def _good(bad: Rate, rows: int) -> Rate:
    """The rate of good rows from that of bad ones; `bad` and `judged` stay counts of bad and of all. Where all `rows` are judged nothing is left to chance."""
    if bad.value is None:
        return Rate(bad.bad, bad.judged, None, 1 - bad.high, 1 - bad.low)
    good = 1 - bad.value
    return Rate(bad.bad, bad.judged, good, *((good, good) if bad.judged == rows else (1 - bad.high, 1 - bad.low)))
