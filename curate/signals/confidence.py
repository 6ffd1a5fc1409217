"""How sure a model is of what the row teaches, and how uncertain, from the best source that there is; which one that is, is noted.

1. The column of the role `confidence`, a probability, or a share of `scale`. It says of two outcomes, right or wrong: uncertainty is their entropy.
2. The probability of the given label by other rows, as `label_issue` measures it; uncertainty and margin are over all labels.
3. The mean token probability of the response given its prompt under a language model: exp of minus the mean loss, the geometric mean, from `perplexity`, which
   names the model. The loss keeps no distribution, so uncertainty is one less the value, and there is no margin.

All rows are told by one source, so they can be compared; a row that it does not tell is null. A model is sure of what it has seen often: high confidence is no
proof of truth, and low confidence is no error by itself.
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

Floats = npt.NDArray[np.float64]
Told = tuple[str, Floats, Floats, Floats]
SLACK = 1e-6  # of a share that was rounded


def _of_column(confidence: Floats, scale: float) -> Told:
    """Of a column of shares: value, entropy of right and wrong, and how far the likelier one leads."""
    share = confidence / scale
    if len(share) and (np.nanmin(share) < -SLACK or np.nanmax(share) > 1 + SLACK):
        low, high = np.nanmin(confidence), np.nanmax(confidence)
        note("not used", f"the column of the role confidence goes from {low:,.6g} to {high:,.6g}, not from 0 to {scale:,.6g}: set signals.confidence.scale")
        share = np.full(len(share), np.nan)
    share = np.clip(share, 0, 1)
    both = np.stack([share, 1 - share])
    with np.errstate(invalid="ignore"):
        entropy = np.abs((both * np.log2(np.where(both > 0, both, 1))).sum(0))
    return "the column of the role confidence", share, entropy, np.abs(2 * share - 1)


def _told(frame: pl.DataFrame, model: str, scale: float) -> Told:
    """The source, and value, uncertainty and margin by it. float64 [rows] each, NaN where it does not tell the row."""
    import polars as pl

    def column(name: str) -> Floats:
        return frame[name].cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy().copy()

    confidence, own, perplexity = column("confidence"), column("label_issue_self_confidence"), column("perplexity_response")
    if not np.isnan(confidence).all():
        return _of_column(confidence, scale)
    if not np.isnan(own).all():
        return "the probability of the given label by other rows (label_issue)", own, column("label_issue_entropy"), column("label_issue_lead")
    share = 1 / perplexity
    return f"the mean token probability of the response under {model or 'the language model'} (perplexity)", share, 1 - share, np.full(len(share), np.nan)


def compute(table: pa.Table, *, scale: float = 1.0, model: str = "") -> pa.Table:
    """Confidence, uncertainty and margin of each row; null where the source does not tell the row.

    scale: what the column of the role confidence calls certain, such as 100. model: the language model of perplexity, which is read and not run here. Raises
    InputError on a scale that is not above 0.
    """
    import polars as pl
    import pyarrow as pa

    if not scale > 0:
        raise InputError("signals.confidence.scale", f"{scale:g} is not above 0", "Give what the column calls certain, such as 1 or 100")
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    source, *values = _told(frame, model, scale)
    if not np.isnan(values[0]).all():
        note("source", source)
    elif np.isnan(frame["confidence"].cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()).all():
        note("not known", "no row has a confidence, a label that other rows tell, or a response to a prompt")
    names = ("confidence_value", "confidence_uncertainty", "confidence_margin")
    return pa.table({name: pa.array(v.astype(np.float32), mask=np.isnan(v)) for name, v in zip(names, values, strict=True)})


SIGNAL = Signal(
    name="confidence",
    version=1,
    about="How sure a model is of what the row teaches, by a column, by other rows' labels or by a language model.",
    source="Shannon 1948 (entropy); Settles 2009, Active Learning Literature Survey (margin, least confidence)",
    inputs=("confidence", "label_issue_self_confidence", "label_issue_entropy", "label_issue_lead", "perplexity_response"),
    needs=(("confidence", "label_issue_self_confidence", "label_issue_entropy", "label_issue_lead", "perplexity_response"),),
    columns=(
        Column("confidence_value", "Float32", "probability", "How sure the source is of the label or response that the row gives.", "above", low=0, high=1),
        Column(
            "confidence_uncertainty",
            "Float32",
            "share",
            "Entropy of all labels, or of right and wrong: 0 sure, 1 as good as a guess; of a response one less its confidence.",
            low=0,
            high=1,
        ),
        Column("confidence_margin", "Float32", "probability", "How far the likeliest outcome leads the next; null of a response.", low=0, high=1),
    ),
    scope="dataset",
    compute=compute,
    cost=1_000_000,
)
