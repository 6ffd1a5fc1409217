"""Which rows each arm of a plan trains on, in which order, with which labels, weights and smoothing: what a recipe decides of rows that may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.arrangement import arrange
from curate.corrected import column_of, label_of
from curate.errors import InputError
from curate.probes.plan import Arm, Plan
from curate.recipe import Recipe
from curate.reviews import Review, edits
from curate.roles import Role
from curate.scores import Scores
from curate.selection import score_values, select
from curate.smoothing import SoftTargets

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Decided", "arm_frame", "arm_labels", "edited", "in_order", "joined", "lots", "narrowed", "same_as_all", "sizes_left"]

Bools = npt.NDArray[np.bool_]
Code = Callable[["pl.Series"], "pl.Series"]


@dataclass(frozen=True)
class Decided:
    """A recipe over the measured dataset, with what people said."""

    scores: Scores
    recipe: Recipe
    marked: Sequence[Review]


def in_order(arm: Arm, recipe: Recipe) -> bool:
    """Whether an arm's rows are trained on in their order, epoch by epoch: by a score, or by the recipe's export where that is not the file's order."""
    return arm.by is not None or (arm.order == "recipe" and arm.rows == "kept" and not arm.of and recipe.export.order != "file")


def arm_labels(found: Decided, arm: Arm) -> pl.Series | None:
    """The label of every row as an arm has it: its own column's, the role's as people corrected it, or as given where all rows are taken; None without."""
    if arm.label is not None:
        return found.scores.column(arm.label, f"arms.{arm.name}.label")
    if not found.scores.dataset.has(Role.LABEL):
        return None
    return label_of(found.scores, f"arms.{arm.name}", found.marked if arm.rows == "kept" else ())


def arm_frame(found: Decided, arm: Arm, free: Bools, code: Code) -> pl.DataFrame:
    """An arm's rows in the order of training: row (Int32, position), label (Int32, -1 for none), weight, smoothing (Float32), target (List(Float32), of each
    class; null where the recipe asks for no soft targets), prompt, response (edited; null).

    free: bool [rows], that may be trained on. code: labels to their codes. A row that a recipe repeats stands as often. Raises InputError naming the arm.
    """
    import polars as pl

    where, scores = f"arms.{arm.name}", found.scores
    wanted = free & narrowed(found, arm, where)
    rows, columns, targets = np.flatnonzero(wanted).astype(np.int32), pl.DataFrame({}), None
    if arm.rows == "kept":
        arranged = arrange(scores, found.recipe, select(scores, found.recipe, found.marked), found.marked)
        mine, targets = wanted[arranged.rows], arranged.targets if arm.weights and arm.label is None and arm.noise is None else None
        rows, columns = arranged.rows[mine], arranged.columns.filter(mine) if arranged.columns.width else arranged.columns
    if arm.by is not None and arm.order in ("easy_first", "hard_first"):
        value = score_values(scores, arm.by)[rows]
        by = np.argsort(value if arm.order == "easy_first" else -value, kind="stable")
        rows, columns = rows[by], columns[by] if columns.width else columns
    label = arm_labels(found, arm)
    ones = np.ones(len(rows), np.float32)
    weight = columns["weight"].cast(pl.Float32) if arm.weights and "weight" in columns.columns else ones
    smoothing = columns["label_smoothing"].cast(pl.Float32) if arm.weights and "label_smoothing" in columns.columns else 0 * ones
    frame = pl.DataFrame(
        {
            "row": rows.astype(np.int32),
            "label": pl.Series([-1] * len(rows), dtype=pl.Int32) if label is None else code(label.gather(rows)),
            "weight": weight,
            "smoothing": smoothing,
            "target": pl.Series([None] * len(rows), dtype=pl.List(pl.Float32)) if targets is None else _by_class(targets, rows, code),
        }
    )
    return _with_edits(found if arm.rows == "kept" else replace(found, marked=()), frame)


def _by_class(targets: SoftTargets, rows: npt.NDArray[np.int32], code: Code) -> pl.Series:
    """Soft targets with their classes in the order of their codes, List(Float32), null without a label. code: as of `arm_frame`."""
    import polars as pl

    at, found = code(pl.Series("label", targets.classes.names, dtype=pl.String)).to_numpy(), targets.of(rows)
    there, known = found.is_not_null(), np.flatnonzero(at >= 0)
    if not len(known) or not there.any():
        return pl.Series([None] * len(rows), dtype=pl.List(pl.Float32))
    given = found.filter(there).list.to_array(len(at)).to_numpy()[:, known]
    each = np.zeros((len(given), int(at.max()) + 1), np.float32)
    each[:, at[known]] = given / given.sum(1, keepdims=True)
    place = np.full(len(rows), len(each))
    place[there.to_numpy()] = np.arange(len(each))
    return pl.concat([pl.Series(each).cast(pl.List(pl.Float32)), pl.Series([None], dtype=pl.List(pl.Float32))]).gather(place)


def joined(frames: Mapping[str, pl.DataFrame], of: Mapping[str, float]) -> pl.DataFrame:
    """The rows of several arms as one, each row once, in the order of the dataset. of: the share of each arm's rows that is drawn, the same at each call."""
    import polars as pl

    parts = []
    for at, (name, share) in enumerate(sorted(of.items())):
        frame = frames[name]
        drawn = np.random.default_rng([at, 5]).permutation(len(frame))[: round(share * len(frame))]
        parts.append(frame[np.sort(drawn)])
    return pl.concat(parts).unique("row", keep="first", maintain_order=True).sort("row", maintain_order=True)


def narrowed(found: Decided, arm: Arm, where: str) -> Bools:
    """True for the rows that an arm's conditions leave. bool [rows]. Rows of one value are ranked by lot, the same at each call (`Arm.between`)."""
    from curate.view import as_text

    left = np.ones(found.scores.dataset.rows, np.bool_)
    for name, value in arm.where.items():
        column = column_of(found.scores, name, f"{where}.where", found.marked)
        mine = (as_text(column) == value).fill_null(False).to_numpy()
        if not mine.any():
            some = ", ".join(map(repr, as_text(column).drop_nulls().unique().sort()[:20]))
            raise InputError(f"{where}.where", f"no row has {name} = {value!r}", f"There are {some}")
        left &= mine
    for name, (low, high) in arm.between.items():
        score = score_values(found.scores, name)
        left &= _within(score, low, high)
    return left


def sizes_left(plan: Plan, found: Mapping[str, Decided], free: Bools) -> Plan:
    """The plan with sizes that are all rows of an arm as they are once some may not be trained on, so that arms beside it get as many. free: bool [rows]."""
    left = dict[int, int]()
    for arm in plan.arms:
        if not arm.of:
            mine, one = narrowed(found[arm.name], arm, f"arms.{arm.name}"), found[arm.name]
            mine = mine & select(one.scores, one.recipe, one.marked).keep if arm.rows == "kept" else mine
            left[int(mine.sum())] = int((mine & free).sum())
    sizes = {left.get(size, size) for size in plan.sizes}
    return plan.model_copy(update={"sizes": tuple(sorted(size for size in sizes if size))})


def same_as_all(arm: Arm, found: Decided) -> bool:
    """Whether an arm of the recipe in hand is trained on all rows as they were given: the recipe keeps every row, and changes no label, order or weight."""
    recipe = found.recipe
    plain = arm.rows == "kept" and not (arm.recipe or arm.where or arm.between or arm.of or arm.label or arm.noise or found.marked)
    weighed = arm.weights and (recipe.weights is not None or recipe.export.weight != "none")
    if not plain or weighed or in_order(arm, recipe):
        return False
    return bool(select(found.scores, recipe, found.marked).keep.all())


def lots(found: Decided, arm: Arm) -> int:
    """Rows within an arm's quantiles that have the value of a row outside: which of them are inside is by lot."""
    drawn = np.zeros(found.scores.dataset.rows, np.bool_)
    for name, (low, high) in arm.between.items():
        score = score_values(found.scores, name)
        inside = _within(score, low, high)
        drawn |= inside & np.isin(score, score[~inside])
    return int(drawn.sum())


def _within(score: npt.NDArray[np.float64], low: float, high: float) -> Bools:
    """True from one quantile up to another, 1 included. Rows without a value have none."""
    known = np.flatnonzero(~np.isnan(score))
    lot, place = np.random.default_rng([0, 13]).permutation(len(known)), np.full(len(score), np.nan)
    place[known[np.lexsort((lot, score[known]))]] = (np.arange(len(known)) + 0.5) / max(1, len(known))
    return np.asarray((place >= low) & (place < high if high < 1 else place <= high), np.bool_)


def edited(found: Decided) -> tuple[npt.NDArray[np.int32], pl.Series]:
    """The rows whose prompt or response people edited, int32 [n], positions; and the text of each as it would be trained on, String [n]."""
    import polars as pl

    said, data, ids = edits(found.marked), found.scores.dataset, found.scores.frame["row_id"]
    rows = ids.is_in([*said]).arg_true().to_numpy().astype(np.int32) if said else np.empty(0, np.int32)
    new = _with_edits(found, pl.DataFrame({"row": rows}))
    mine = new.select(pl.any_horizontal(pl.col("prompt", "response").is_not_null())).to_series()
    rows, new, names = rows[mine.to_numpy()], new.filter(mine), [n for n in ("prompt", "context", "response") if data.has(n)]
    given = data.rows_at(rows.tolist(), names) if len(rows) else pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    both = given.with_columns(pl.coalesce(new[n], pl.col(n)).alias(n) for n in names if n != "context")
    return rows, both.select(pl.concat_str(names, separator="\n", ignore_nulls=True).alias("text")).to_series()


def _with_edits(found: Decided, frame: pl.DataFrame) -> pl.DataFrame:
    """Texts of prompt and response as people edited them, null in rows that were not."""
    import polars as pl

    said, roles, texts = edits(found.marked), found.scores.dataset.roles, dict[str, pl.Series]()
    mine: list[str] = found.scores.frame["row_id"].gather(frame["row"]).to_list() if said else []
    for part in (Role.PROMPT, Role.RESPONSE):
        columns = roles.get(part, ())
        there = said and len(columns) == 1
        texts[str(part)] = pl.Series([said.get(i, {}).get(columns[0]) for i in mine] if there else [None] * len(frame), dtype=pl.String)
    return frame.with_columns(**texts)
