"""The measures of grounding as one, fitted to rows that people rated: ridge regression on their ranks (`curate.grounding`).

The ratings are the column with the role `rating`; it rests on those rows and means what they mean. A rated row is told by a fit to other contexts, so its score
may be compared with its rating. A context of fewer than three words supports nothing and refutes nothing: such rows get what rated rows of their kind got.
Without ratings there is no score: no mix of these measures is right in every domain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curate.signal import Column, Signal, note

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SIGNAL"]

MEASURES = ("grounding_unigram", "grounding_bigram", "grounding_trigram", "grounding_new", "grounding_shared", "grounding_cosine_best")
LEAST = 3  # words of a context


def compute(table: pa.Table, *, seed: int = 0) -> pa.Table:
    """The rating to be expected of each row; null where it has no measure, and in all rows where fewer than twenty are rated, which is noted."""
    import polars as pl
    import pyarrow as pa

    from curate.grounding import FEWEST, calibrated

    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    measures = frame.select(pl.col(MEASURES).cast(pl.Float64)).to_numpy().copy()
    there = ~np.isnan(measures).all(1)
    measures[(frame["grounding_context_words"].fill_null(0) < LEAST).to_numpy()] = np.nan
    rating = frame["rating"].cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy().copy()
    rating[~there] = np.nan
    group = frame.select(pl.concat_str([pl.col("context").fill_null(""), pl.col("prompt").fill_null("")], separator="\0").rank("dense")).to_series().to_numpy()
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
    inputs=("rating", "prompt", "context", *MEASURES, "grounding_context_words"),
    needs=("rating", "context", "grounding_trigram"),
    columns=(Column("grounding_score", "Float32", "rating", "The rating that the measures lead one to expect, in the ratings' own unit.", keep="above"),),
    scope="dataset",
    compute=compute,
    cost=20_000,
)
