"""The reading of a batch: which of the rows that pass the gate people read, what they said, and the pass rate with its interval.

The rows are drawn by target and generator, in proportion and two of each at least, by a hash of their ids: so a larger sample holds the smaller one, and limits
that move keep what was read. Words are lines of an append-only log beside the batch (`reviews.jsonl`, as `curate.reviews` writes it), undo another line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    by: the same of each stratum. sizes: rows of each. wanted: the pass rate. state: refused where the rate of all is below it, or can no longer reach it.
    """

    rows: tuple[str, ...]
    words: Mapping[str, str]
    rate: Rate
    by: Mapping[str, Rate]
    sizes: Mapping[str, int]
    wanted: float

    @property
    def left(self) -> tuple[str, ...]:
        """Drawn rows that nobody read."""
        return tuple(r for r in self.rows if r not in self.words)

    @property
    def state(self) -> State:
        """Whether the batch may be accepted."""
        if self.rate.judged and self.rate.high < self.wanted:
            return "refused"
        if self.left or not self.rows or self.rate.value is None:
            return "to be read"
        return "good enough" if self.rate.value >= self.wanted else "refused"

    @property
    def said(self) -> str:
        """The pass rate in words."""
        if self.rate.value is None:
            return f"{len(self.words):,} of {len(self.rows):,} rows read, no rate yet"
        return (
            f"{percent(self.rate.value)} of rows are good, between {percent(self.rate.low)} and {percent(self.rate.high)} "
            f"({self.rate.judged - self.rate.bad:,} of {self.rate.judged:,} read); {percent(self.wanted)} are wanted"
        )


def _log(batch: Batch) -> Path:
    return batch.folder / "reviews.jsonl"


def order(name: str, seed: int) -> bytes:
    """Where a row stands in the random order of a seed."""
    return blake2b(f"{seed} {name}".encode(), digest_size=8).digest()


def strata(rows: pl.DataFrame) -> list[str]:
    """The stratum of each row: its target and generator."""
    return [f"{target or 'any'} · {generator or 'unknown'}" for target, generator in rows.select("target", "generator").iter_rows()]


def sample(rows: pl.DataFrame, size: int, seed: int) -> tuple[str, ...]:
    """Ids of a stratified sample in random order. rows: those that pass, `synthetic_id`, `target`, `generator`."""
    by: dict[str, list[str]] = {}
    for name, stratum in zip(rows["synthetic_id"], strata(rows), strict=True):
        by.setdefault(stratum, []).append(name)
    taken = list[str]()
    for names in by.values():
        names.sort(key=lambda n: order(n, seed))
        taken += names[: max(2, len(names) * size // max(1, len(rows)))]
    rest = sorted({*rows["synthetic_id"]} - {*taken}, key=lambda n: order(n, seed))
    return tuple(sorted([*taken, *rest[: max(0, size - len(taken))]], key=lambda n: order(n, seed)))


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
    drawn, settled = sample(rows, gated.admission.rows, gated.admission.seed), _settled(read_words(batch))
    words = {row: settled[row] for row in drawn if row in settled}
    of = dict(zip(rows["synthetic_id"], strata(rows), strict=True))
    sizes, counts = dict[str, int](), dict[str, list[int]]()
    for stratum in of.values():
        sizes[stratum] = sizes.get(stratum, 0) + 1
        counts.setdefault(stratum, [0, 0])
    for row, word in words.items():
        if word != "unsure":
            counts[of[row]][0] += word == "bad"
            counts[of[row]][1] += 1
    bad = stratified({name: (sizes[name], wrong, judged) for name, (wrong, judged) in counts.items()}) if sizes else wilson(0, 0)
    by = {name: _good(wilson(wrong, judged)) for name, (wrong, judged) in counts.items()}
    return Reading(drawn, words, _good(bad), by, sizes, gated.admission.pass_rate)


def _good(bad: Rate) -> Rate:
    """The rate of good rows from that of bad ones; `bad` and `judged` stay counts of bad and of all."""
    return Rate(bad.bad, bad.judged, None if bad.value is None else 1 - bad.value, 1 - bad.high, 1 - bad.low)
