"""What a person's answers so far tell of the rows that nobody has seen: the queue's priorities by a model of the labels.

Before the first answer the model is what label_issue measured. From then on, where embedding and neighbour are measured, it learns from each batch of answers
(`curate.rerank`); else it stays as measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.reviews import Review, labels, marks

if TYPE_CHECKING:
    from curate.scores import Scores

__all__ = ["LEARNS", "MODELLED", "answers", "modelled"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
MODELLED = ("expected_gain", "self_confidence", "least_confidence", "margin", "entropy", "badge")
"""Kinds of `curate.acquisition` that look at probabilities of labels."""
LEARNS = ("embedding", "neighbour")
"""Signals without which nothing is learnt from answers."""


def answers(scores: Scores, marked: Sequence[Review], names: Sequence[str], given: Ints) -> Ints:
    """The right label of each row that a person answered, by its place in `names`: the one they named, or the given one where they kept the row; -1 for others.

    given: int32 [rows]. A label that nobody gave before is not known here.
    """
    ids, code = scores.frame["row_id"], {name: i for i, name in enumerate(names)}
    right = np.where(marks(marked, ids) == 1, given, -1).astype(np.int32)
    said = {row: code[label] for row, label in labels(marked).items() if label in code}
    there = ids.is_in(list(said)).arg_true()
    right[there.to_numpy()] = [said[row] for row in ids.gather(there)]
    return right


def _measured(scores: Scores) -> tuple[Ints, npt.NDArray[np.float32]]:
    """Given labels and the probability of each label as label_issue has them: int32 [rows], -1 for none; float32 [rows, labels], NaN where unknown."""
    import polars as pl

    table, given = scores.attached("label_issue", "labels"), scores.column("label", "queue")
    names = [] if table is None else table["label"].to_list()
    held = scores.vectors("label_issue", "label_issue_probabilities")
    wide = max(1, len(names))
    there = held.is_not_null().to_numpy()
    found = np.full((len(held), wide), np.nan, np.float32)
    found[there] = held.drop_nulls().explode().to_numpy().reshape(-1, wide)
    from curate.view import as_text

    code = as_text(given).replace_strict(names, list(range(len(names))), default=-1, return_dtype=pl.Int32).fill_null(-1)
    return code.to_numpy(), found


def modelled(kind: str, scores: Scores, marked: Sequence[Review], seed: int = 0) -> Floats:
    """The priority of each row by one of `MODELLED`, highest first. float64 [rows], NaN in rows that were answered or that have no label or text.

    Raises InputError for badge and expected_gain without the signal embedding.
    """
    from curate.acquisition import priorities
    from curate.rerank import believe, pool_of

    learns = all(name in scores.measured for name in LEARNS)
    if not learns:
        label, known = scores.once(("queue", "measured"), lambda: _measured(scores))
        return priorities(kind, known, label, None, (), seed)
    position, pool, names = scores.once(("queue", "pool"), lambda: pool_of(scores))
    given = np.full(scores.dataset.rows, -1, np.int32)
    given[position] = pool.given
    right = answers(scores, marked, names, given)[position]
    answered = right >= 0
    if answered.any():
        belief = scores.once(("queue", "belief", right.tobytes()), lambda: believe(pool, right, believe(pool, right, None, seed), seed)).probabilities
    else:
        belief = scores.once(("queue", "measured"), lambda: _measured(scores))[1][position]
    found = np.full(scores.dataset.rows, np.nan)
    found[position] = priorities(kind, belief, np.where(answered, right, pool.given), pool.vectors, (), seed)
    found[position[answered]] = np.nan
    return found
