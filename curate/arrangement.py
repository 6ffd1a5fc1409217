"""What an export holds: which rows, in which order, as often as they are repeated, and the columns that say how they are trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.curriculum import course
from curate.rate import kish
from curate.recipe import Recipe
from curate.reviews import Review
from curate.scores import Scores
from curate.selection import Selection
from curate.smoothing import SoftTargets, soft_targets
from curate.weighting import columns_of, scaled, weigh

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Arrangement", "arrange"]


@dataclass(frozen=True)
class Arrangement:
    """Rows as they are written.

    rows: int32 [written], positions; a row as often as it is repeated, its copies one after another. columns: of these rows, as far as the recipe asks for
    them: order (Int64, from 0), phase (Int32, from 1), weight and weight_<factor> (Float64), label_smoothing (Float64), repeat (Int32). targets: what makes
    the column soft_target, some rows at a time. about: for the manifest: rows written, Kish's effective size, the classes of soft targets and their bytes.
    in_file_order: whether rows stand as in the file, each once.
    """

    rows: npt.NDArray[np.int32]
    columns: pl.DataFrame
    about: dict[str, Any]
    in_file_order: bool
    targets: SoftTargets | None = None


def arrange(scores: Scores, recipe: Recipe, selection: Selection, marked: Sequence[Review] = ()) -> Arrangement:
    """Order, weigh and repeat the kept rows as the recipe says. Raises InputError where that rests on what is not there."""
    import polars as pl

    by, now = recipe.export.order, recipe.curriculum
    found = course(scores, now, selection, marked) if by == "curriculum" and now is not None else None
    rows = selection.order("rank" if by == "rank" else "file") if found is None else found.order
    weights, about, targets = _weights(scores, recipe, selection, marked)
    at, expand = np.arange(len(rows)), "written" in about
    place = (np.cumsum(selection.keep) - 1)[rows]  # among the kept rows in file order
    if expand:
        at = np.repeat(at, weights["repeat"].to_numpy()[place])
    columns = [] if found is None else [pl.Series("phase", found.phase[at])]
    columns = [*([] if by == "file" else [pl.Series("order", np.arange(len(at), dtype=np.int64))]), *columns, *(column.gather(place[at]) for column in weights)]
    if targets is not None:
        about = {**about, "soft_target_bytes": targets.size(len(at))}
    return Arrangement(rows[at], pl.DataFrame(columns), about, by == "file" and not expand, targets)


def _weights(scores: Scores, recipe: Recipe, selection: Selection, marked: Sequence[Review]) -> tuple[pl.DataFrame, dict[str, Any], SoftTargets | None]:
    """The columns on weights of the kept rows in file order, what the manifest says of them, and what makes soft targets."""
    import polars as pl

    now, none = recipe.weights, pl.DataFrame({})
    if recipe.export.weight == "score" and selection.score is not None:
        return pl.DataFrame({"weight": scaled(selection.score[selection.keep])}), {}, None
    if recipe.export.weight != "weights" or now is None:
        return none, {}, None
    found = weigh(scores, recipe, selection, marked)
    about: dict[str, Any] = {"effective_rows": kish(found.weight)}
    targets = None
    if now.smoothing is not None and now.smoothing.soft and found.smoothing is not None:
        targets = soft_targets(scores, found.smoothing, selection.keep, marked)
        about["classes"] = [*targets.classes.names]
    if now.repeat == "rows" and found.repeat is not None:
        about["written"] = int(found.repeat.sum())
    return columns_of(found, now), about, targets
