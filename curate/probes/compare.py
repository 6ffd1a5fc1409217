"""What a run says: each arm beside its random control and beside the base, overall and by domain, with intervals and a verdict in words.

Differences are of one seed each and over the same validation rows, so what all trainings find hard cancels out (`curate.probes.interval` for the source).
A difference is told as one where its 95 % interval leaves 0 out; `holm` says what stands if no false difference is to be among all that are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from curate.probes.interval import DRAWS, FEWEST, Resampled, holm
from curate.probes.plan import Arm
from curate.probes.results import cell_rows
from curate.probes.run import Cell, Run
from curate.workspace import read_json

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "SAME",
    "SUBSET",
    "TOO_FEW",
    "WHOLE",
    "Measured",
    "Metric",
    "Side",
    "base_of",
    "comparisons",
    "is_subset",
    "levels",
    "measured",
    "subset_names",
]

Metric = Literal["loss", "accuracy"]
Bools = npt.NDArray[np.bool_]
WHOLE = "all of the base"
SAME = "same training"
TOO_FEW = "too few rows to tell"
ENOUGH = 60  # draws for each comparison, so that the least p is small enough for Holm's correction of them all
SUBSET = "subset "
"""How arms of other arms are called that are random subsets of slices, told by `curate.probes.datamodel` only."""


@dataclass(frozen=True)
class Side:
    """Trainings that differ in their seed only. size: of the arm, beside which a control may have other rows. amount: in words."""

    arm: str
    control: bool
    size: int
    amount: str


@dataclass(frozen=True)
class Measured:
    """All that is trained of a run, over its validation rows. loss: float64 [trainings, rows], sums over tokens; tokens: float64 [rows]; right: whether the
    label was predicted, or None. Rows that a training could not measure are left out of all. trained: rows that each was trained on. lost: trainings that are
    done and gave no number at all, as one that diverged.
    """

    run: Run
    cells: Sequence[Cell]
    loss: npt.NDArray[np.float64]
    tokens: npt.NDArray[np.float64]
    right: Bools | None
    domain: pl.Series
    trained: Sequence[int]
    lost: int

    @cached_property
    def sides(self) -> Mapping[Side, Mapping[int, int]]:
        """Place of each training by its seed, by what it is a training of."""
        found: dict[Side, dict[int, int]] = {}
        for at, cell in enumerate(self.cells):
            found.setdefault(Side(cell.arm, cell.control, cell.size, str(cell.amount)), {})[cell.seed] = at
        return found

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What can be told, the probe's own first."""
        if self.right is None:
            return ("loss",)
        return ("accuracy", "loss") if self.run.probe.metric == "accuracy" else ("loss", "accuracy")

    @property
    def domains(self) -> list[str]:
        """The domains with at least two rows, "" for all rows first."""
        counted = self.domain.drop_nulls().value_counts(sort=True)
        return ["", *sorted(name for name in counted.filter(counted["count"] > 1)[self.domain.name] if name)]

    def resampled(self, metric: Metric, domain: str = "", draws: int = DRAWS) -> Resampled:
        """The metric of every training, and over other validation rows."""
        mine = np.ones(len(self.tokens), np.bool_) if domain == "" else (self.domain == domain).fill_null(False).to_numpy()
        if metric == "loss":
            return Resampled.of(self.loss[:, mine], self.tokens[mine], draws=draws)
        assert self.right is not None
        return Resampled.of(self.right[:, mine].astype(np.float64), np.ones(int(mine.sum())), draws=draws)


def measured(run: Run) -> Measured:
    """Read what is trained so far; a training that measured no row at all is counted, and passed over."""
    read = [(cell, *cell_rows(run, cell)) for cell in run.cells if run.done(cell)]
    lost = len({run.keys[one[0]] for one in read if not np.isfinite(one[1]).any()})
    read = [one for one in read if np.isfinite(one[1]).any()]
    trained = [int(read_json(run.cell_folder(one[0]) / "cell.json")["rows"]) for one in read]
    valid = run.pool.validation
    there = np.ones(len(valid), np.bool_)
    for one in read:
        there &= np.isfinite(one[1])
    truth = valid["label"].to_numpy()[there]
    said = [one[3] for one in read]
    right = np.stack([p[there] == truth for p in said if p is not None]) if said and all(p is not None for p in said) else None
    loss = np.stack([one[1][there] for one in read]).astype(np.float64) if read else np.zeros((0, int(there.sum())))
    tokens = read[0][2][there].astype(np.float64) if read else np.ones(int(there.sum()))
    return Measured(run, [one[0] for one in read], loss, tokens, right, valid["domain"].filter(there), trained, lost)


def levels(found: Measured, metric: Metric, domain: str = "") -> pl.DataFrame:
    """One row for each arm, control, size and amount: value, low, high (over rows and seeds), seeds; seen and rows of its trainings.

    size: of the arm; rows: that were trained on, the mean over seeds, which is another of a control of equal tokens. low, high: null with too few validation
    rows.
    """
    import polars as pl

    drawn = found.resampled(metric, domain)
    rows = []
    for side, seeds in found.sides.items():
        told = drawn.interval(list(seeds.values()))
        cell, mine = found.cells[next(iter(seeds.values()))], _rows(found, [*seeds.values()])
        head = {"arm": side.arm, "control": side.control, "size": side.size, "amount": side.amount, "seen": cell.amount.rows(mine), "rows": mine}
        rows.append({**head, "value": told.value, "low": told.low, "high": told.high, "seeds": told.seeds})
    names = {"arm": pl.String, "control": pl.Boolean, "size": pl.Int64, "amount": pl.String, "seen": pl.Int64, "rows": pl.Int64}
    table = pl.DataFrame(rows, schema={**names, **dict.fromkeys(("value", "low", "high"), pl.Float64), "seeds": pl.Int64})
    return table.with_columns(pl.col("low", "high").fill_nan(None))


def _rows(found: Measured, places: Sequence[int]) -> int:
    return round(sum(found.trained[i] for i in places) / len(places))


def is_subset(arm: Arm) -> bool:
    """Whether an arm is a random subset of slices; a slice may be called as one, but is no arm of other arms."""
    return bool(arm.of) and arm.name.startswith(SUBSET)


def subset_names(run: Run) -> set[str]:
    """The arms of a run that are random subsets of slices."""
    return {arm.name for arm in run.plan.arms if is_subset(arm)}


def base_of(run: Run) -> str | None:
    """The arm that others are told against: the plan's, else the first that is drawn of all rows."""
    return run.plan.base or next((arm.name for arm in run.plan.arms if arm.like_control), None)


def _pairs(found: Measured) -> Iterator[tuple[Side, Side, str]]:
    """What is compared: an arm, what it is told against, and how that is called."""
    base, sides = base_of(found.run), found.sides
    arms = {arm.name: arm for arm in found.run.plan.arms}
    for side in sides:
        if side.control or is_subset(arms[side.arm]):
            continue
        control = Side(side.arm, True, side.size, side.amount)
        if control in sides and not arms[side.arm].like_control:
            yield side, control, "control"
        if base is None or side.arm == base:
            continue
        others = sorted((s for s in sides if s.arm == base and not s.control and s.amount == side.amount), key=lambda s: s.size)
        if others:
            yield side, next((s for s in others if s.size >= side.size), others[-1]), "base"
            if found.run.plan.experiment == "quality" and others[-1].size > side.size:
                yield side, others[-1], WHOLE


def comparisons(found: Measured, metric: Metric | None = None, domains: Sequence[str] = ("",)) -> pl.DataFrame:
    """One row for each comparison and domain: what is compared, the difference, its interval, and a verdict.

    arm, size, amount, against ("control", "base" or "all of the base"), other, other_size, domain, seeds (those that both have), value, other_value, delta =
    value - other_value with low and high (95 %), p, holm (p raised for all comparisons of one domain); verdict: "better", "worse", "no difference seen",
    "same training" where both were trained on the same rows in the same way, or "too few rows to tell", with neither interval nor p, of a domain with fewer
    than 20 validation rows. other_size: of a control, the rows that it was trained on, the mean over seeds. margin: the plan's, in the metric's own unit.
    again: whether it compares the same two trainings as another row, as where the base is the control; such are counted once for Holm.
    """
    import polars as pl

    metric = metric or found.metrics[0]
    rows, pairs = [], [*_pairs(found)]
    for domain in domains:
        drawn = found.resampled(metric, domain, max(DRAWS, ENOUGH * len(pairs)))
        told = _once([one for pair in pairs if (one := _told(found, metric, drawn, pair)) is not None])
        counts = [i for i, one in enumerate(told) if not one["again"] and one["verdict"] not in (SAME, TOO_FEW)]
        raised = np.full(len(told), np.nan)
        raised[counts] = holm(np.array([told[i]["p"] for i in counts]))
        by = {one["trainings"]: raised[i] for i, one in enumerate(told) if not one["again"]}
        raised = np.array([by[one["trainings"]] for one in told])
        rows += [{**one, "domain": domain, "metric": metric, "holm": None if np.isnan(h) else float(h)} for one, h in zip(told, raised, strict=True)]
    texts = ("arm", "amount", "against", "other", "domain", "metric", "verdict")
    names = (
        "arm",
        "size",
        "amount",
        "against",
        "other",
        "other_size",
        "domain",
        "metric",
        "seeds",
        "value",
        "other_value",
        "delta",
        "low",
        "high",
        "p",
        "holm",
        "margin",
    )
    kinds = {**dict.fromkeys(texts, pl.String), **dict.fromkeys(("size", "other_size", "seeds"), pl.Int64), "again": pl.Boolean}
    schema = {name: kinds.get(name, pl.Float64) for name in [*names, "again", "verdict"]}
    return pl.DataFrame([{name: one[name] for name in schema} for one in rows], schema=schema)


def _once(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With `again` in each but the first of the same trainings, those against the base before those against a control."""
    seen, found = set[Any](), dict[int, bool]()
    for i in sorted(range(len(told)), key=lambda i: (told[i]["against"] == "control", i)):
        found[i] = told[i]["trainings"] in seen
        seen.add(told[i]["trainings"])
    return [{**one, "again": found[i]} for i, one in enumerate(told)]


def _told(found: Measured, metric: Metric, drawn: Resampled, pair: tuple[Side, Side, str]) -> dict[str, Any] | None:
    side, other, against = pair
    mine, theirs = found.sides[side], found.sides[other]
    seeds = sorted({*mine} & {*theirs})
    if not seeds:
        return None
    a, b = [mine[s] for s in seeds], [theirs[s] for s in seeds]
    keys = found.run.keys
    same = all(keys[found.cells[i]] == keys[found.cells[j]] for i, j in zip(a, b, strict=True))
    told = drawn.interval(a, b)
    none = told.low <= 0 <= told.high
    head = {"arm": side.arm, "size": side.size, "amount": side.amount, "against": against, "other": other.arm, "seeds": told.seeds}
    head["other_size"] = _rows(found, b) if other.control else other.size
    values: dict[str, Any] = {"value": float(drawn.value[a].mean()), "other_value": float(drawn.value[b].mean())}
    values["margin"] = found.run.plan.margin / 100 * (1 if metric == "accuracy" else values["other_value"])
    values["trainings"] = tuple((keys[found.cells[i]], keys[found.cells[j]]) for i, j in zip(a, b, strict=True))
    if drawn.rows < FEWEST:
        return {**head, **values, "delta": told.value, "low": None, "high": None, "p": None, "verdict": SAME if same else TOO_FEW}
    verdict = SAME if same else "no difference seen" if none else "better" if (told.value > 0) == (metric == "accuracy") else "worse"
    return {**head, **values, "delta": told.value, "low": told.low, "high": told.high, "p": told.p, "verdict": verdict}
