"""What several annotators of a row should have said, and how sure that is: CROWDLAB (Goh, Tkachenko & Mueller 2022; cleanlab).

It weighs each annotator and a model's probabilities by how well they agree with the others. The probabilities are the column of the role `probabilities`
where there is one, else they are made here as label_issue makes them, with the majority's values for labels: from the embedding, each row told by other rows
(label_issue keeps two probabilities of a row only, and knows the column of labels rather than the annotators). It misses what annotators and model err in
alike. Each value needs five rows where probabilities are made here, else the model gives it none.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.signal import Column, Signal, attach, note

if TYPE_CHECKING:
    import pyarrow as pa

    from curate.agreement import Ratings

__all__ = ["SIGNAL"]

Floats = npt.NDArray[np.float64]
MOST = 50_000_000
"""Rows times people that cleanlab is given: some 2 GB, most of them in its own frames."""


def compute(table: pa.Table, *, seed: int = 0) -> pa.Table:
    """Consensus label, its quality and the share of annotators who gave it; null in rows without ratings or without probabilities.

    Attaches `annotators`: `annotator`, `rated`, `quality`, `agreement` with the consensus (float64, in [0, 1]) and `worst`, the value they get wrong most.
    Raises InputError where probabilities do not fit the values of the ratings.
    """
    import polars as pl

    from curate.annotation import ratings_of
    from curate.label import given_probabilities

    given = ratings_of(pl.Series("ratings", table["ratings"]))
    names = list(given.names)
    told = given_probabilities(table["probabilities"], names) if names else None
    code = given.code
    if told is not None:
        found, place, names = told
        code, found = np.append(place, np.int32(-1))[code], np.clip(found, 0, None)
    else:
        found = _expected(given, table["embedding_vector"], seed)
    rows = np.flatnonzero((code >= 0).any(1) & np.isfinite(found).all(1) & (found.sum(1) > 0))
    people = np.flatnonzero((code[rows] >= 0).any(0))
    lacking = _lacking(code[np.ix_(rows, people)], names)
    if lacking:
        note("not judged", lacking)
        return _told(table.num_rows, rows[:0], {})
    said = np.where(code >= 0, code, np.nan)[np.ix_(rows, people)]
    values, stats = _crowdlab(said, found[rows], names, seed)
    attach("annotators", stats.with_columns(annotator=pl.Series([given.raters[people[i]] for i in stats["annotator"]], dtype=pl.String)).to_arrow())
    return _told(table.num_rows, rows, values)


def _lacking(code: npt.NDArray[Any], names: list[str]) -> str:
    """What is missing for a consensus, in words; empty where nothing is."""
    if code.size > MOST:
        return f"{code.shape[0]:,} rows × {code.shape[1]:,} people are more than cleanlab holds here, {MOST:,}"
    if not len(code):
        return "no row has both ratings and probabilities"
    if (code >= 0).sum(1).max() < 2:
        return "no row with probabilities was rated twice"
    return "fewer than two values were given" if len(names) < 2 else ""


def _expected(given: Ratings, vector: pa.ChunkedArray, seed: int) -> Floats:
    """Probability of each value by rows other than itself, learnt from the majority's values; float64 [rows, values], NaN in rows without a vector."""
    from curate.consensus import majority
    from curate.label import LEAST, expected
    from curate.nearest import unit_vectors

    label, found = majority(given), np.full((len(given.code), len(given.values)), np.nan)
    if not len(given.values):
        return found
    position, vectors = unit_vectors(vector)
    own = label[position]
    frequent = np.bincount(own[own >= 0], minlength=len(given.values)) >= LEAST
    there = (own >= 0) & frequent[own]
    kept, learnt = np.unique(own[there], return_inverse=True)
    if len(kept) > 1:
        rows = position[there]
        found[rows] = 0
        found[np.ix_(rows, kept)] = expected(vectors[there], learnt.astype(np.int32), len(kept), seed)
    return found


def _crowdlab(said: Floats, found: Floats, names: list[str], seed: int) -> tuple[dict[str, npt.NDArray[Any]], Any]:
    """The columns of rows with ratings, and a frame of annotators by place. said: float64 [rows, annotators], NaN for nothing. found: [rows, values]."""
    import polars as pl
    from cleanlab.multiannotator import get_label_quality_multiannotator

    drawn = np.random.get_state()
    np.random.seed(seed)  # ties that neither the model nor the annotators settle are drawn
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Annotators do not agree on any example")
            warnings.filterwarnings("ignore", "breaking ties of examples")
            told = get_label_quality_multiannotator(said, found / found.sum(1, keepdims=True), verbose=False)
    finally:
        np.random.set_state(drawn)
    rows, people = told["label_quality"], told["annotator_stats"]
    values = {
        "consensus": np.array(names, object)[rows["consensus_label"].to_numpy()],
        "quality": rows["consensus_quality_score"].to_numpy().astype(np.float32),
        "agreement": rows["annotator_agreement"].to_numpy().astype(np.float32),
    }
    stats = {
        "annotator": people.index.to_numpy().astype(np.int64),
        "rated": people["num_examples_labeled"].to_numpy().astype(np.int64),
        "quality": people["annotator_quality"].to_numpy().astype(np.float64),
        "agreement": people["agreement_with_consensus"].to_numpy().astype(np.float64),
        "worst": [names[int(i)] for i in people["worst_class"]],
    }
    return values, pl.DataFrame(stats)


def _told(total: int, rows: npt.NDArray[np.int64], values: dict[str, npt.NDArray[Any]]) -> pa.Table:
    """The columns, null in rows that were not judged."""
    import pyarrow as pa

    none, columns = np.ones(total, np.bool_), {}
    none[rows] = False
    for column in SIGNAL.columns:
        kind = {"String": pa.string(), "Float32": pa.float32()}[column.dtype]
        whole = np.zeros(total, object if column.dtype == "String" else np.float32)
        whole[rows] = values.get(column.name.removeprefix("multiannotator_"), whole[rows])
        columns[column.name] = pa.array(whole, kind, mask=none)
    return pa.table(columns)


SIGNAL = Signal(
    name="multiannotator",
    version=1,
    about="What several annotators of a row should have said, by their skill and by a model's probabilities.",
    source="Goh, Tkachenko & Mueller 2022, CROWDLAB (cleanlab)",
    inputs=("ratings", "probabilities", "embedding_vector"),
    needs=("ratings", ("probabilities", "embedding_vector")),
    columns=(
        Column("multiannotator_consensus", "String", "label", "The value that annotators and model together find likeliest."),
        Column("multiannotator_quality", "Float32", "probability", "How likely the consensus is right.", "above", low=0, high=1),
        Column("multiannotator_agreement", "Float32", "share", "Share of the row's annotators who gave the consensus.", "above", low=0, high=1),
    ),
    scope="dataset",
    compute=compute,
    cost=1_500,
)
