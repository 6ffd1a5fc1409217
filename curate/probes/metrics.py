"""What a look at the validation rows says, over all of them and by domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.probes.probe import Look

if TYPE_CHECKING:
    import polars as pl

__all__ = ["ALL", "macro_f1", "told"]

ALL = ""
"""The domain that stands for all rows."""
Ints = npt.NDArray[np.int32]


def macro_f1(truth: Ints, predicted: Ints) -> float:
    """Mean over the classes that occur on either side of 2 tp / (2 tp + fp + fn); NaN without rows."""
    wide = int(max(truth.max(initial=-1), predicted.max(initial=-1))) + 1
    hit = np.bincount(truth[truth == predicted], minlength=wide)
    both = np.bincount(truth, minlength=wide) + np.bincount(predicted, minlength=wide)
    there = both > 0
    return float((2 * hit[there] / both[there]).mean()) if there.any() else float("nan")


def told(look: Look, validation: pl.DataFrame) -> pl.DataFrame:
    """One row for all (domain "") and one a domain: seen, seconds, train_loss, domain, rows, loss, accuracy, f1, perplexity.

    loss: nats a token, or a label; accuracy, f1: null without labels; perplexity: exp of the loss a token, null of labels.
    validation: with label (Int32) and domain. Rows whose loss is NaN do not count.
    """
    import polars as pl

    truth, domain = validation["label"].to_numpy(), validation["domain"]
    there = np.isfinite(look.loss)
    parts = [(ALL, there), *((name, there & (domain == name).fill_null(False).to_numpy()) for name in domain.drop_nulls().unique().sort())]
    found = []
    for name, mine in parts:
        one: dict[str, Any] = {"seen": look.seen, "seconds": look.seconds, "train_loss": look.train_loss, "domain": name, "rows": int(mine.sum())}
        tokens = int(look.tokens[mine].sum())
        one |= {"loss": float(look.loss[mine].sum(dtype=np.float64)) / tokens if tokens else None, "accuracy": None, "f1": None}
        one |= {"perplexity": float(np.exp(one["loss"])) if look.predicted is None and one["loss"] is not None else None}
        if look.predicted is not None and mine.any():
            said = look.predicted[mine]
            one |= {"accuracy": float((said == truth[mine]).mean()), "f1": macro_f1(truth[mine], said)}
        found.append(one)
    kinds = {"seen": pl.Int64, "domain": pl.String, "rows": pl.Int64}
    names = ("seen", "seconds", "train_loss", "domain", "rows", "loss", "accuracy", "f1", "perplexity")
    return pl.DataFrame(found, schema={name: kinds.get(name, pl.Float64) for name in names})
