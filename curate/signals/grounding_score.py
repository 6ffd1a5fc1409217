"""The measures of grounding as one, fitted to rows that people rated: ridge regression on their ranks (`curate.grounding`), or formulas given by slice.

The ratings are the column with the role `rating`; it rests on those rows and means what they mean. A rated row is told by a fit to other contexts, so its score
may be compared with its rating. A context of fewer than three words supports nothing and refutes nothing: such rows get what rated rows of their kind got, by a
fit to other prompts.
Without ratings there is no score: no mix of these measures is right in every domain.

`fits` stand instead of that column: formulas fitted to rows that people rated on the page (`curate.calibration`), each for a slice or for all rows;
what becomes of short contexts they say themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.signal import Column, Signal, note

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["SIGNAL"]

MEASURES = ("grounding_unigram", "grounding_bigram", "grounding_trigram", "grounding_new", "grounding_shared", "grounding_cosine_best")
MORE = ("grounding_cosine_mean", "grounding_unsupported", "grounding_gain", "grounding_nli_mean", "grounding_nli_least", "grounding_nli_contradicted")
"""Measures that only a formula reads; a slow one is measured only where one names it."""
SLICES = ("source", "label", "split", "license")
LEAST = 3  # words of a context


def _by_formula(frame: pl.DataFrame, fits: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """What the first formula whose slice holds a row says of it. float32 [rows], NaN where none does. Raises InputError where one cannot be used."""
    import polars as pl

    from curate.fit import parse_fit
    from curate.rank import rank_score
    from curate.view import as_text

    where, found, left = "signals.grounding_score.fits", np.full(len(frame), np.nan, np.float32), np.ones(len(frame), np.bool_)

    def values(name: str) -> npt.NDArray[np.float64]:
        if name not in (*MEASURES, *MORE):
            raise InputError(where, f"{name} is no measure of grounding", f"Measures: {', '.join((*MEASURES, *MORE))}")
        return frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()

    for text in fits:
        fit = parse_fit(text, where)
        name, _, value = (side.strip() for side in fit.slice.partition("="))
        if name and name not in SLICES:
            raise InputError(where, f"{name} cannot part rows", f"Give one of the roles {', '.join(SLICES)}")
        if name and frame[name].null_count() == len(frame) > 0:
            raise InputError(where, f"no row has the role {name}, by which {fit.slice} is told", "Give a column that role, or take the formula out")
        inside = left & (as_text(frame[name]) == value).fill_null(False).to_numpy() if name else left
        if inside.any():
            found[inside] = rank_score(fit.formula, values, len(frame))[inside]
        left &= ~inside
    return found


def compute(table: pa.Table, *, fits: tuple[str, ...] = (), seed: int = 0) -> pa.Table:
    """The rating to be expected of each row; null where it has no measure, and in all rows where fewer than twenty are rated, which is noted.

    fits: "column=value: formula", or a formula for all other rows, where no column has ratings. Raises InputError where one of them cannot be used.
    """
    import polars as pl
    import pyarrow as pa

    from curate.grounding import FEWEST, calibrated

    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    measures = frame.select(pl.col(MEASURES).cast(pl.Float64)).to_numpy().copy()
    there = ~np.isnan(measures).all(1)
    if fits:
        said = _by_formula(frame, fits)
        return pa.table({"grounding_score": pa.array(said, mask=~there | np.isnan(said))})
    measures[(frame["grounding_context_words"].fill_null(0) < LEAST).to_numpy()] = np.nan
    rating = frame["rating"].cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy().copy()
    rating[~there] = np.nan
    told = pl.col("grounding_context_words").fill_null(0) >= LEAST
    shared = pl.when(told).then(pl.lit("context\0") + pl.col("context").fill_null("")).otherwise(pl.lit("prompt\0") + pl.col("prompt").fill_null(""))
    group = frame.select(shared.rank("dense")).to_series().to_numpy()
    found = calibrated(measures, rating, group, seed)
    rated = int(np.isfinite(rating).sum())
    note("rated rows", rated)
    if found is None:
        note("not scored", f"{rated} rows with a context are rated; a fit needs {FEWEST}, of two contexts and with two ratings")
        return pa.table({"grounding_score": pa.nulls(len(frame), pa.float32())})
    if rated > 2:
        from scipy.stats import spearmanr

        on = np.isfinite(rating)
        note("rank correlation with ratings", round(float(spearmanr(found[on], rating[on])[0]), 3))
    return pa.table({"grounding_score": pa.array(found.astype(np.float32), mask=~there)})


SIGNAL = Signal(
    name="grounding_score",
    version=1,
    about="The measures of grounding as one, fitted to rated rows.",
    source="Ridge regression on ranks (Hoerl & Kennard 1970), fitted across contexts",
    inputs=("rating", "prompt", "context", *SLICES, *MEASURES, *MORE, "grounding_context_words"),
    needs=(("rating", "fits"), "context", "grounding_trigram"),
    optional=tuple((name, "fits") for name in (*SLICES, *MORE)),
    columns=(Column("grounding_score", "Float32", "rating", "The rating that the measures lead one to expect, in the ratings' own unit.", keep="above"),),
    scope="dataset",
    compute=compute,
    cost=20_000,
)
