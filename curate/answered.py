"""What a person's answers so far tell of the rows that nobody has seen: the queue's priorities by a model of the labels.

Before the first answer the model is what label_issue measured. From then on, where embedding and neighbour are measured, it learns from each batch of answers
(`curate.rerank`); else it stays as measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.acquisition import LEARNS, priorities
from curate.label import classes
from curate.reading import confirmed, dropped
from curate.reviews import Review
from curate.roles import Role

if TYPE_CHECKING:
    from curate.rerank import Pool
    from curate.scores import Scores

__all__ = ["answers", "modelled"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]


def answers(scores: Scores, marked: Sequence[Review], names: Sequence[str], given: Ints) -> Ints:
    """The right label of each row that a person made sure (`curate.reading.confirmed`) and nobody dropped, by its place in `names`; -1 for others.

    given: int32 [rows]. A label that nobody gave before is not known here.
    """
    ids, code, sure = scores.frame["row_id"], {name: i for i, name in enumerate(names)}, confirmed(marked)
    for row in dropped(marked) & sure.keys():
        del sure[row]
    right = np.full(len(ids), -1, np.int32)
    there = ids.is_in([*sure]).arg_true()
    for i, row in zip(there, ids.gather(there), strict=True):
        label = sure[row]
        right[i] = given[i] if label is None else code.get(label, -1)
    return right


def _measured(scores: Scores) -> tuple[Ints, npt.NDArray[np.float32], list[str]]:
    """Given labels, the probability of each label as label_issue has it, and the labels in their order: int32 [rows], -1 for none; float32 [rows, labels].

    NaN in rows that were not judged; 0 for a label that was too rare to be learnt.
    """
    table = scores.attached("label_issue", "labels")
    learnt = [] if table is None else table["label"].to_list()
    code, names = classes(scores.dataset.views([Role.LABEL]).collect().to_series())
    held = scores.vectors("label_issue", "label_issue_probabilities")
    there = held.is_not_null().to_numpy()
    found = np.full((len(held), max(1, len(names))), np.nan, np.float32)
    if there.any():
        found[there] = 0
        known = held.drop_nulls().explode().to_numpy().reshape(-1, len(learnt))
        place = {name: i for i, name in enumerate(names)}
        for at, name in enumerate(learnt):
            if name in place:
                found[there, place[name]] = known[:, at]
    return code, found, names


def _believed(scores: Scores, pool: Pool, right: Ints, seed: int) -> npt.NDArray[np.float32]:
    """What the answers tell of every row, learnt anew only where there are others than before, from what was believed then. float32 [rows, labels]."""
    from curate.rerank import updated

    held: dict[str, Any] = scores.once(("queue", "belief"), dict)
    key = f"{seed} {hashlib.sha256(right.tobytes()).hexdigest()}"
    if held.get("key") != key:
        held |= {"key": key, "belief": updated(pool, right, held.get("belief"), seed)}
    found: npt.NDArray[np.float32] = held["belief"].probabilities
    return found


def modelled(kind: str, scores: Scores, marked: Sequence[Review], seed: int = 0) -> Floats:
    """The priority of each row by one of `curate.acquisition.MODELLED`, highest first. float64 [rows], NaN in rows that were answered or that have no label
    or text.

    Raises InputError for badge and expected_gain without the signal embedding.
    """
    from curate.rerank import pool_of, unanswered

    label, known, names = scores.once(("queue", "measured"), lambda: _measured(scores))
    if not all(name in scores.measured for name in LEARNS):
        return priorities(kind, known, label, seed=seed)
    position, pool, _ = scores.once(("queue", "pool"), lambda: pool_of(scores))
    right = answers(scores, marked, names, label)[position]
    found = np.full(scores.dataset.rows, np.nan)
    belief = _believed(scores, pool, right, seed) if (right >= 0).any() else known[position]
    found[position] = unanswered(kind, pool, belief, right, seed)
    return found
