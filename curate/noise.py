"""The noise rate: which rows a stratified random sample draws, and what people's judgements of them say of all rows, with its interval.

Only rows that were drawn count: rows that someone looked up, or that a queue brought, are no random sample. Judgements are entries of the log: "sample" holds
the drawn rows and the column of its strata, "judge" one person's word on one row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.agreement import Agreement, Ratings, agreement
from curate.rate import Information, Rate, information, kish, stratified, wilson
from curate.reviews import Review, places
from curate.scores import Scores
from curate.selection import Selection
from curate.view import as_text

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "KINDS",
    "JudgedRows",
    "Noise",
    "coded",
    "draw",
    "drawn",
    "effective_size",
    "judged_rows",
    "judgements",
    "noise",
    "rank_signal",
    "strata",
    "worth",
]

Bools = npt.NDArray[np.bool_]
KINDS = ("wrong label", "wrong answer", "not grounded", "duplicate", "off topic", "badly written", "other")
"""Which kind of bad a row is. A judgement is "good", "unsure", "bad", or "bad: " and a kind."""
ALL = "all rows"
MOST = 50
"""Strata that a sample may have; the smallest beyond are drawn from together."""


@dataclass(frozen=True)
class Noise:
    """What judgements of a sample say of all rows that are asked about.

    rate: of all. by: rate of each stratum. sizes: rows of each. kinds: bad rows by kind. unsure: judged rows that nobody could tell; they count neither way.
    drawn: rows of the sample; judged: those with a word. judges: by name. agreement: of two judges and more, on rows that both judged; empty where none.
    lost: the column that the sample was drawn within, where it is not there any more: then what a judged row stands for is not known, and neither is the rate.
    """

    rate: Rate
    by: Mapping[str, Rate]
    sizes: Mapping[str, int]
    kinds: Mapping[str, int]
    unsure: int
    drawn: int
    judged: int
    judges: tuple[str, ...]
    agreement: tuple[Agreement, ...]
    lost: str = ""


def strata(scores: Scores, column: str) -> pl.Series:
    """The stratum of each row: its value in a column, role or score as text, the smallest beyond MOST as "other"; one for all where `column` is empty.

    String [rows]. Raises InputError where there is no such column.
    """
    import polars as pl

    if not column:
        return pl.Series("stratum", [ALL]).new_from_index(0, scores.dataset.rows)
    text = as_text(scores.column(column, "strata")).fill_null("none").alias("stratum")
    common = text.value_counts().sort(["count", "stratum"], descending=[True, False])["stratum"]
    return (
        text
        if len(common) <= MOST
        else text.to_frame().select(pl.when(pl.col("stratum").is_in(common.head(MOST - 1).implode())).then("stratum").otherwise(pl.lit("other")))["stratum"]
    )


def draw(stratum: pl.Series, rows: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """Positions of a stratified random sample in random order: in proportion, but two rows of each stratum at least. int64 [rows or a few more]."""
    rng = np.random.default_rng(seed)
    _, code = _coded(stratum)
    sizes = np.bincount(code)
    wanted = np.minimum(sizes, np.maximum(2, np.floor(sizes / max(1, sizes.sum()) * rows).astype(np.int64)))
    order = rng.permutation(len(code))
    by = order[np.argsort(code[order], kind="stable")]
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    taken = by[np.arange(len(by)) - first < np.repeat(wanted, sizes)]
    rest = np.setdiff1d(order, taken, assume_unique=True)
    found = np.concatenate([taken, rng.permutation(rest)[: max(0, min(rows, len(code)) - len(taken))]])
    return rng.permutation(found)


def drawn(marked: Sequence[Review]) -> Review | None:
    """The sample that holds: the last one drawn."""
    return next((r for r in reversed(marked) if r.action == "sample"), None)


def _words(marked: Sequence[Review], rows: frozenset[str]) -> dict[str, dict[str, str]]:
    """Each judge's last word by row, of rows in the sample."""
    found: dict[str, dict[str, str]] = {}
    for review in marked:
        if review.action == "judge" and review.value:
            found.setdefault(review.by or "you", {}).update({row: review.value for row in review.rows if row in rows})
    return {name: said for name, said in found.items() if said}


def _settled(words: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """One word by row: what most judges said, "unsure" where as many say good as bad."""
    found: dict[str, str] = {}
    for row in dict.fromkeys(row for said in words.values() for row in said):
        each = [said[row] for said in words.values() if row in said]
        good, bad = sum(w == "good" for w in each), [w for w in each if w.startswith("bad")]
        found[row] = "unsure" if good == len(bad) else "good" if good > len(bad) else max(sorted(set(bad)), key=bad.count)
    return found


def judgements(marked: Sequence[Review]) -> dict[str, str]:
    """What judges say of each row, sampled or not: "good", "unsure" or "bad" with its kind, as most say."""
    return _settled(_words(marked, frozenset(row for r in marked if r.action == "judge" for row in r.rows)))


def _coded(stratum: pl.Series) -> tuple[list[str], npt.NDArray[np.int32]]:
    """The strata in order of their names, and the number of each row's. int32 [rows]."""
    names = sorted(stratum.unique().to_list())
    return names, (stratum.rank("dense").to_numpy().astype(np.int32) - 1 if len(stratum) else np.zeros(0, np.int32))


def coded(scores: Scores, column: str) -> tuple[list[str], npt.NDArray[np.int32]]:
    """The strata of a column (`strata`) in order of their names, and the number of each row's. int32 [rows]."""
    return scores.once(("strata", column), lambda: _coded(strata(scores, column)))


def _drawn_within(scores: Scores, sample: Review, column: str = "") -> tuple[str, list[str], npt.NDArray[np.int32], dict[str, int]]:
    """The column that a sample was drawn within where it is there no more, else ""; strata and each row's number, of all rows then; places of its rows."""
    lost = sample.value if sample.value and not scores.has(sample.value) else ""
    place = scores.once(("sample", sample.id), lambda: places(sample.rows, scores.frame["row_id"]))
    return lost, *coded(scores, "" if lost else sample.value or column), place


def noise(scores: Scores, marked: Sequence[Review], among: Bools | None = None, column: str = "") -> Noise | None:
    """The noise rate of all rows, or of those in `among` (bool [rows]), by the sample that holds; None where none was drawn.

    column: strata that rates are told of where the sample was drawn from all rows at once: rows drawn at random are so within each stratum. Strata with fewer
    than one judged row leave the rate of all unknown.
    """
    sample = drawn(marked)
    if sample is None:
        return None
    lost, names, code, place = _drawn_within(scores, sample, column)
    words = _words(marked, frozenset(sample.rows))
    settled = {row: word for row, word in _settled(words).items() if row in place and (among is None or among[place[row]])}
    sized = np.bincount(code if among is None else code[among], minlength=len(names))
    sizes = {name: int(n) for name, n in zip(names, sized, strict=True) if n}
    counts = {name: [0, 0] for name in sizes}
    kinds: dict[str, int] = {}
    for row, word in settled.items():
        if word != "unsure":
            bad = word.startswith("bad")
            counts[names[code[place[row]]]][0] += bad
            counts[names[code[place[row]]]][1] += 1
            kind = word.partition(": ")[2] or "not said"
            kinds |= {kind: kinds.get(kind, 0) + 1} if bad else {}
    rate = Rate(0, 0, None, 0.0, 1.0) if lost else stratified({name: (sizes[name], bad, n) for name, (bad, n) in counts.items()})
    unsure = sum(word == "unsure" for word in settled.values())
    by = {} if lost else {name: wilson(bad, n) for name, (bad, n) in counts.items()}
    return Noise(rate, by, {} if lost else sizes, kinds, unsure, len(sample.rows), len(settled), tuple(words), _agree(words), lost)


@dataclass(frozen=True)
class JudgedRows:
    """Rows of the sample that people could tell. at: int64 [judged], positions; bad: bool [judged]. names, code: strata and each row's, int32 [rows]."""

    at: npt.NDArray[np.int64]
    bad: Bools
    names: tuple[str, ...]
    code: npt.NDArray[np.int32]


def judged_rows(scores: Scores, marked: Sequence[Review]) -> JudgedRows | None:
    """The rows of the sample that holds which were judged good or bad; None where none was drawn or judged, or the column of its strata is gone."""
    sample = drawn(marked)
    if sample is None:
        return None
    lost, names, code, place = _drawn_within(scores, sample)
    if lost:
        return None
    told = {place[r]: w.startswith("bad") for r, w in _settled(_words(marked, frozenset(sample.rows))).items() if r in place and w != "unsure"}
    at = np.array(sorted(told), np.int64)
    return JudgedRows(at, np.array([told[i] for i in at.tolist()], np.bool_), tuple(names), code) if len(at) else None


def _agree(words: Mapping[str, Mapping[str, str]]) -> tuple[Agreement, ...]:
    """Agreement on good, bad and unsure among rows with two judges."""
    rows = [row for row in dict.fromkeys(r for said in words.values() for r in said) if sum(row in said for said in words.values()) > 1]
    if not rows:
        return ()
    values = ("bad", "good", "unsure")
    code = np.array([[values.index(said[row].partition(":")[0]) if row in said else -1 for said in words.values()] for row in rows], np.int32)
    return tuple(a for a in agreement(Ratings(code, values, tuple(words))) if a.value is not None)


def rank_signal(keep: Bools, signal: npt.NDArray[np.float64] | None) -> npt.NDArray[np.float64] | None:
    """The rank score of the kept rows where it lies within 0 and 1, float64 [kept]; else None, and every row's signal is 1. signal: without the bonus."""
    inside = signal[keep] if signal is not None and keep.any() else None
    usable = inside is not None and bool(np.isfinite(inside).all()) and float(inside.min()) >= 0 and float(inside.max()) <= 1
    return inside if usable else None


def effective_size(selection: Selection) -> tuple[float, bool]:
    """Kish's effective size of the kept rows, and whether the rank score weighs them: else all weigh the same, as where one is negative or infinite."""
    weights = selection.score[selection.keep] if selection.score is not None else None
    if weights is None or not len(weights) or not bool(np.isfinite(weights).all() and (weights >= 0).all()):
        return float(selection.kept), False
    return kish(weights), True


def worth(scores: Scores, keep: Bools, signal: npt.NDArray[np.float64] | None, found: Noise | None) -> tuple[Information, dict[str, Any]]:
    """Effective information of the kept rows, and what it rests on: rows × (1 - noise rate) × mean signal.

    The mean signal is that of the recipe's rank score, without its bonus, where it lies within 0 and 1, else 1. found: the noise rate among the kept rows.
    """
    rows, inside = int(keep.sum()), rank_signal(keep, signal)
    mean = 1.0 if inside is None else float(inside.mean())
    rate = found.rate if found is not None else Rate(0, 0, None, 0.0, 1.0)
    about = {"rows": scores.dataset.rows, "kept": rows, "mean_signal": mean, "signal": "none" if inside is None else "rank score", "judged": rate.judged}
    return information(rows, rate, mean), about
