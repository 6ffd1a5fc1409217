"""How likely each label is for each row, from rows other than itself: what disagreement between given and expected labels rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.errors import InputError

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["LEAST", "classes", "expected", "given_probabilities", "listed"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
LEAST = 5  # rows of a label, below which nothing can be learnt of it
FOLDS = 5
LEARNT = 50_000  # rows that a fold learns from at most
NEAR = 50  # rows whose labels are counted, or half of a label's rows where it is rarer


def classes(label: pl.Series) -> tuple[Ints, list[str]]:
    """Number of each row's label and the labels as text, in their own order; -1 for null. int32 [rows]."""
    import polars as pl

    from curate.view import as_text

    values = label.drop_nulls().unique().sort()
    names = as_text(values).to_list()
    code = as_text(label).replace_strict(names, list(range(len(names))), default=-1, return_dtype=pl.Int32) if names else pl.Series([-1] * len(label))
    return code.fill_null(-1).to_numpy().astype(np.int32), [str(name) for name in names]


def given_probabilities(column: pa.ChunkedArray, names: list[str]) -> tuple[npt.NDArray[np.float64], Ints, list[str]] | None:
    """Probabilities of a column, float64 [rows, columns], NaN where null; the column of each label, int32 [labels]; what each column stands for.

    An object is by label. A list goes by whole numbers from 0 where the labels are such, else by the labels' order. None without one. Raises InputError where
    labels and probabilities do not fit.
    """
    import polars as pl

    values = pl.Series(column)
    if values.dtype == pl.Null or values.dtype == pl.String or values.null_count() == len(values):
        return None
    inorder = np.arange(len(names), dtype=np.int32)
    if values.dtype.is_nested() and isinstance(values.dtype, pl.Struct):
        frame = values.struct.unnest()
        lacking = [name for name in names if name not in frame.columns]
        if lacking:
            raise InputError("probabilities", f"there is none for the label {lacking[0]!r}", f"They are for {', '.join(frame.columns[:20])}")
        return frame.select(pl.col(names).cast(pl.Float64)).to_numpy(), inorder, names
    lists = values.cast(pl.List(pl.Float64))
    wide = listed(lists.list.len(), names)
    found = np.array([row if row is not None else [np.nan] * wide for row in lists.to_list()], np.float64)
    if _numbered(names, wide):
        return found, np.array([int(name) for name in names], np.int32), [str(i) for i in range(wide)]
    return found, inorder, names


def _numbered(names: list[str], wide: int) -> bool:
    return bool(names) and all(name.isdecimal() and int(name) < wide for name in names)


def listed(lengths: pl.Series, names: list[str]) -> int:
    """How many probabilities each row lists. lengths: of the lists, null for none. Raises InputError where rows differ, or labels do not fit."""
    known = lengths.drop_nulls().to_numpy()
    wide = int(known.max(initial=0))
    if (known != wide).any():
        raise InputError("probabilities", f"rows have {known.min()} to {wide} of them", "Give each row one for each label, in the same order")
    if not _numbered(names, wide) and wide != len(names):
        raise InputError(
            "probabilities", f"there are {wide} for {len(names)} labels", "Give one for each label in sorted order, or labels as whole numbers from 0"
        )
    return wide


def folds(code: Ints, seed: int) -> Ints:
    """A fold for each row, labels spread evenly over them. int32 [rows], from 0 to FOLDS - 1."""
    order = np.random.default_rng(seed).permutation(len(code))
    order = order[np.argsort(code[order], kind="stable")]
    found = np.empty(len(code), np.int32)
    found[order] = np.arange(len(code)) % FOLDS
    return found


def fitted(vectors: Floats, code: Ints, wide: int, seed: int) -> Floats:
    """Probability of each label by logistic regression learnt from the other folds. float32 [rows, labels]."""
    from sklearn.linear_model import LogisticRegression

    found, fold, rng = np.zeros((len(code), wide), np.float32), folds(code, seed), np.random.default_rng(seed)
    for number in range(FOLDS):
        learn, tell = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        learn = np.sort(rng.permutation(learn)[:LEARNT])
        model = LogisticRegression(max_iter=300).fit(vectors[learn], code[learn])
        found[np.ix_(tell, model.classes_)] = model.predict_proba(vectors[tell])
    return found


def counted(vectors: Floats, code: Ints, wide: int) -> Floats:
    """Share of each label among the rows closest to each row, itself left out, smoothed by one row like all rows. float32 [rows, labels]."""
    from curate.nearest import nearest

    common = np.bincount(code, minlength=wide)
    k = int(np.clip(np.median(common[common > 0]) // 2, 5, NEAR))
    rows, _ = nearest(vectors, min(k, max(1, len(code) - 1)))
    row, at = np.nonzero(rows >= 0)
    place = row * wide + code[rows[row, at]]
    votes = np.bincount(place, minlength=len(code) * wide).reshape(len(code), wide) + common / max(1, len(code))
    return np.asarray(votes / votes.sum(1, keepdims=True), np.float32)


def expected(vectors: Floats, code: Ints, wide: int, seed: int) -> Floats:
    """Probability of each label: the mean of what logistic regression and the closest rows say. vectors: unit, float32 [n, d]. float32 [n, labels]."""
    return np.asarray((fitted(vectors, code, wide, seed) + counted(vectors, code, wide)) / 2, np.float32)
