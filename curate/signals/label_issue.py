"""Rows whose label is probably not the right one: given against expected labels, by confident learning (Northcutt, Jiang & Chuang, JAIR 2021; cleanlab).

The expected labels are the column of the role `probabilities` where there is one, else they are made here from the embedding: the mean of a logistic regression
learnt from other rows and of the labels of the closest rows. It ranks well and counts badly: where people err on hard rows the flags are a lower bound on the
noise rate, which only a checked random sample tells. Labels of fewer than five rows are not judged.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.signal import Column, Signal, attach, note

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SIGNAL"]

FILTERS = ("prune_by_noise_rate", "both", "confident_learning")
SCORES = ("self_confidence", "normalized_margin")


def compute(table: pa.Table, *, seed: int = 0) -> pa.Table:
    """How likely the given label is, flags by three rules, and the likeliest label with its probability; null without a label or without a vector.

    The probabilities of all labels are a vector; the labels they are for, in their order, are attached as `labels`.
    """
    import polars as pl

    from curate.label import LEAST, classes, expected, given_probabilities
    from curate.nearest import unit_vectors

    code, names = classes(pl.Series("label", table["label"]))
    told = given_probabilities(table["probabilities"], names) if names else None
    if told is not None:
        probabilities, place, names = told
        code = np.append(place, np.int32(-1))[code]
        rows = np.flatnonzero((code >= 0) & np.isfinite(probabilities).all(1)).astype(np.int32)
        found, own = probabilities[rows], code[rows].astype(np.int64)
    else:
        position, vectors = unit_vectors(table["embedding_vector"])
        wide = len(names)
        frequent = np.bincount(code[position][code[position] >= 0], minlength=wide) >= LEAST
        there = (code[position] >= 0) & frequent[code[position]]
        rows = position[there]
        kept, own = np.unique(code[rows], return_inverse=True)
        names, wide = [names[i] for i in kept], len(kept)
        own = own.astype(np.int64)
        found = expected(vectors[there], own.astype(np.int32), wide, seed).astype(np.float64) if wide > 1 else np.zeros((0, wide))
        if wide < 2:
            note("not judged", f"fewer than two labels have {LEAST} rows with an embedding")
            rows, own = rows[:0], own[:0]
    return _told(table.num_rows, rows, found, own, names)


def _told(total: int, rows: npt.NDArray[Any], found: npt.NDArray[np.float64], own: npt.NDArray[np.int64], names: list[str]) -> pa.Table:
    """The columns, null in rows that were not judged."""
    import pyarrow as pa

    attach("labels", pa.table({"label": pa.array(names if len(rows) else [], pa.string())}))
    if not len(rows):
        kinds = {"Float32": pa.float32(), "Boolean": pa.bool_(), "String": pa.string(), "Array(Float32)": pa.list_(pa.float32(), 1)}
        return pa.table({c.name: pa.nulls(total, kinds[c.dtype]) for c in SIGNAL.columns})
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    found = np.clip(found, 0, None) / np.clip(found, 0, None).sum(1, keepdims=True)
    best = found.argmax(1)
    values: dict[str, npt.NDArray[Any]] = {name: get_label_quality_scores(own, found, method=name).astype(np.float32) for name in SCORES}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "May not flag all label issues in class")  # of one row
        values |= {name: find_label_issues(own, found, filter_by=name, n_jobs=1).astype(np.bool_) for name in FILTERS}
    certainty = np.sort(found, axis=1)
    surprise = -(found * np.log(np.where(found > 0, found, 1))).sum(1)
    values["entropy"] = np.clip(surprise / np.log(max(2, found.shape[1])), 0, 1).astype(np.float32)
    values["lead"] = (certainty[:, -1] - (certainty[:, -2] if found.shape[1] > 1 else 0)).astype(np.float32)
    values |= {"suggested": np.array(names, object)[best], "suggested_probability": found[np.arange(len(rows)), best].astype(np.float32)}
    none, columns = np.ones(total, np.bool_), {}
    none[rows] = False
    for name, judged in values.items():
        whole = np.zeros(total, judged.dtype)
        whole[rows] = judged
        columns[f"label_issue_{name}"] = pa.array(whole, pa.string() if judged.dtype == object else None, mask=none)
    every = np.zeros((total, found.shape[1]), np.float32)
    every[rows] = found
    columns["label_issue_probabilities"] = pa.FixedSizeListArray.from_arrays(every.ravel(), found.shape[1], mask=pa.array(none))
    return pa.table(columns)


def _flag(name: str, rule: str) -> Column:
    return Column(f"label_issue_{name}", "Boolean", "yes or no", f"Whether the label is probably wrong, by cleanlab's rule {name}: {rule}.")


SIGNAL = Signal(
    name="label_issue",
    version=4,
    about="Labels that are probably wrong.",
    source="Northcutt, Jiang & Chuang 2021, Confident Learning (cleanlab), on probabilities from other rows",
    inputs=("label", "probabilities", "embedding_vector"),
    needs=("label", ("probabilities", "embedding_vector")),
    columns=(
        Column("label_issue_self_confidence", "Float32", "probability", "How likely the given label is, by other rows.", "above", low=0, high=1),
        Column(
            "label_issue_normalized_margin",
            "Float32",
            "probability",
            "The given label's probability less that of the likeliest other one, scaled to 0 to 1; below .5 another label is likelier.",
            "above",
            0.5,
            0,
            1,
        ),
        _flag("prune_by_noise_rate", "the least likely rows of each pair of labels, as many as are estimated to be confused"),
        _flag("both", "by noise rate and by class"),
        _flag("confident_learning", "another label is confidently likelier"),
        Column("label_issue_entropy", "Float32", "share", "Entropy of the labels' probabilities: 0 one is sure, 1 all are as likely.", low=0, high=1),
        Column("label_issue_lead", "Float32", "probability", "The likeliest label's probability less that of the second.", low=0, high=1),
        Column("label_issue_suggested", "String", "label", "The likeliest label; the given one where nothing speaks against it."),
        Column("label_issue_suggested_probability", "Float32", "probability", "How likely the suggested label is.", low=0, high=1),
        Column("label_issue_probabilities", "Array(Float32)", "probability", "How likely each label is, in the order of the attached labels.", low=0, high=1),
    ),
    scope="dataset",
    compute=compute,
    cost=1_500,
)
