"""Two selections beside each other: which rows only one of them keeps, and how the kept rows differ in every score, source and label.

A side is a recipe, measured and applied, or a Version as it was written. Rows are the same where their row ids are.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.arrangement import arrange
from curate.corrected import label_of, role_column
from curate.engine import Engine
from curate.export import dataset_of
from curate.lineage import find_version
from curate.measure import Tell, measure
from curate.recipe import Recipe, load_recipe
from curate.reviews import Review, fold, read_log
from curate.roles import Role
from curate.scores import Scores, read_scores
from curate.selection import Selection, select
from curate.versions import read_version
from curate.view import as_text
from curate.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

__all__ = ["AT", "Comparison", "Shift", "Side", "command", "compare", "distance", "read_side", "side_of", "side_of_version"]

AT = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles that are told of each score."""
GROUPS = (Role.SOURCE, Role.LABEL)
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """One selection. kept: a row for each kept one, with `row_id`, its scores, and source and label as text where rows have them."""

    name: str
    kept: pl.DataFrame


@dataclass(frozen=True)
class Shift:
    """How one score differs. ks: the largest difference of the two distribution functions, in [0, 1]. a, b: quantiles at `AT`.
    rows: of each side, with a value.
    """

    column: str
    ks: float
    a: tuple[float, ...]
    b: tuple[float, ...]
    rows: tuple[int, int]


@dataclass(frozen=True)
class Comparison:
    """Two selections compared. only_a, only_b: row ids, String, in their own order. both: how many rows both keep.

    shifts: scores that both have, the most different first. groups: by "source" and "label" `value`, rows of `a` and `b`, and their shares; the most different
    first.
    """

    a: Side
    b: Side
    only_a: pl.Series
    only_b: pl.Series
    both: int
    shifts: tuple[Shift, ...]
    groups: Mapping[str, pl.DataFrame]

    def as_json(self) -> dict[str, Any]:
        """The object that `curate compare --json` prints."""

        def told(values: tuple[float, ...]) -> dict[str, float]:
            return {f"{at:g}": round(v, 6) for at, v in zip(AT, values, strict=True)}

        return {
            "a": {"name": self.a.name, "kept": len(self.a.kept)},
            "b": {"name": self.b.name, "kept": len(self.b.kept)},
            "both": self.both,
            "only_a": self.only_a.to_list(),
            "only_b": self.only_b.to_list(),
            "signals": [{"column": s.column, "ks": round(s.ks, 6), "rows": [*s.rows], "a": told(s.a), "b": told(s.b)} for s in self.shifts],
            "groups": {name: frame.to_dicts() for name, frame in self.groups.items()},
        }


def side_of(name: str, scores: Scores, recipe: Recipe, selection: Selection, marked: Sequence[Review] = ()) -> Side:
    """The rows that a selection keeps, as they are written: without those that are repeated no time, and with the labels that people corrected."""
    there = [role for role in GROUPS if len(scores.dataset.roles.get(role, ())) == 1]
    views = [as_text(label_of(scores, "compare", marked) if r == Role.LABEL else role_column(scores, r, "compare")).alias(f"\0{r}") for r in there]
    repeated = recipe.weights is not None and recipe.weights.repeat == "rows" and recipe.export.weight == "weights"
    rows = np.unique(arrange(scores, recipe, selection, marked).rows) if repeated else np.flatnonzero(selection.keep)
    return Side(name, scores.frame.hstack(views)[rows])


def side_of_version(folder: Path) -> Side:
    """The rows that a Version holds, each once, with their scores as they were measured then. Raises InputError where the folder is no Version."""
    import polars as pl

    read_version(folder, whole=True)
    roles = load_recipe(folder / "recipe.yaml").dataset.roles or {}
    decided = pl.read_parquet(folder / "decisions.parquet").filter("keep")
    drop = [c for c in decided.columns if c == "keep" or c.startswith("drop_")]
    named = {f"\0{role}": roles[role] for role in GROUPS if isinstance(roles.get(role), str)}
    texts = pl.read_parquet(folder / "selected.parquet", columns=["row_id", *dict.fromkeys(map(str, named.values()))])
    views = texts.select("row_id", *(as_text(texts[str(column)]).alias(name) for name, column in named.items()))
    return Side(folder.name, decided.drop(drop).join(views.unique("row_id"), on="row_id", how="inner", maintain_order="left"))


def read_side(path: Path, workspace: Workspace, engine: Engine = "pool", tell: Tell | None = None) -> Side:
    """A side by its path: a recipe, which is measured and applied; else a Version, by all that it may be called."""
    if not path.is_file() and path.suffix not in (".yaml", ".yml"):
        return side_of_version(find_version(path, workspace).folder)
    recipe = load_recipe(path)
    dataset = dataset_of(recipe, workspace, None, tell)
    tasks = read_scores(dataset, recipe, workspace).tasks
    measure(dataset, tasks, workspace, engine, tell)
    scores, log = Scores(dataset, workspace, tasks), recipe.reviews
    marked: tuple[Review, ...] = fold(read_log(Path(log.path), log.lines)).marked if log else ()
    return side_of(path.name, scores, recipe, select(scores, recipe, marked), marked)


def distance(a: Floats, b: Floats) -> float:
    """Kolmogorov-Smirnov distance of two samples: the largest difference of their distribution functions, in [0, 1]; 0 where either is empty."""
    if not len(a) or not len(b):
        return 0.0
    a, b = np.sort(a), np.sort(b)
    both = np.concatenate([a, b])
    return float(np.abs(np.searchsorted(a, both, side="right") / len(a) - np.searchsorted(b, both, side="right") / len(b)).max())


def _values(side: Side, column: str) -> Floats:
    import polars as pl

    found = side.kept[column].cast(pl.Float64).drop_nulls().to_numpy()
    return np.asarray(found[np.isfinite(found)], np.float64)


def _shifts(a: Side, b: Side) -> tuple[Shift, ...]:
    import polars as pl

    found = []
    for name, kind in a.kept.schema.items():
        other = b.kept.schema.get(name)
        if other is None or not all(k.is_numeric() or k == pl.Boolean for k in (kind, other)):
            continue
        one, two = _values(a, name), _values(b, name)
        if len(one) and len(two):
            at = [tuple(float(v) for v in np.quantile(v, AT)) for v in (one, two)]
            found.append(Shift(name, distance(one, two), at[0], at[1], (len(one), len(two))))
    return tuple(sorted(found, key=lambda s: (-s.ks, s.column)))


def _groups(a: Side, b: Side) -> dict[str, pl.DataFrame]:
    import polars as pl

    found = {}
    for role in GROUPS:
        column = f"\0{role}"
        if column in a.kept.columns and column in b.kept.columns:
            counts = [side.kept.group_by(pl.col(column).fill_null("").alias("value")).agg(pl.len().alias(n)) for n, side in (("a", a), ("b", b))]
            both = counts[0].join(counts[1], on="value", how="full", coalesce=True).fill_null(0)
            shares = both.with_columns((pl.col(n) / pl.col(n).sum()).fill_nan(0.0).alias(f"{n}_share") for n in ("a", "b"))
            apart = (pl.col("a_share") - pl.col("b_share")).abs()
            found[str(role)] = shares.sort([apart, pl.col("value")], descending=[True, False])
    return found


def compare(a: Side, b: Side) -> Comparison:
    """Compare two selections. Scores are compared where both have a column of the name, each by its own measurement."""
    one, two = a.kept["row_id"], b.kept["row_id"]
    only_a, only_b = one.filter(~one.is_in(two.implode())), two.filter(~two.is_in(one.implode()))
    return Comparison(a, b, only_a, only_b, len(one) - len(only_a), _shifts(a, b), _groups(a, b))


def command(args: Namespace, tell: Tell | None) -> int:
    """`curate compare`: both sides compared, to stdout."""
    a, b = (read_side(path, Workspace.at(args.workspace), args.engine, tell) for path in (args.a, args.b))
    found = compare(a, b)
    if args.json:
        print(json.dumps(found.as_json(), ensure_ascii=False))
        return 0
    print(f"{found.both:>12,} rows kept by both\n{len(found.only_a):>12,} only by A, {a.name}\n{len(found.only_b):>12,} only by B, {b.name}")
    for shift in found.shifts[:10]:
        print(f"{shift.ks:>12.3f} {shift.column}: median {shift.a[2]:,.4g} in A, {shift.b[2]:,.4g} in B")
    return 0
