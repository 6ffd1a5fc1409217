"""What each row is worth to a nearest-neighbour classifier on the labels of validation rows, domain by domain: its Shapley value, in closed form.

It asks what a row adds in the mean over all sets it may come into, where influence asks what it adds to all others; nothing is trained. It sees what cosine of
the embedding sees, and rows far from every validation row are worth nearly nothing whatever their label. Rows that stand in validation, or hold one of its
rows (Jaccard .8 of word 3-grams), are null.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from curate.errors import InputError
from curate.influence import ASKS, Wanted, nothing, told
from curate.signal import Column, Signal

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SIGNAL"]


def compute(
    table: pa.Table,
    *,
    reference: str = "",
    slice: str = "",  # noqa: A002
    share: float = 0.0,
    domain: str = "",
    k: int = 10,
    seed: int = 0,
    of: str = "",
    model: str = "",
    precision: str = "",
) -> pa.Table:
    """Each row's part in the accuracy of k nearest neighbours on each domain, in millionths; null without label or vector. The parts sum to the accuracy.

    reference, slice, share, domain, seed: as in influence. k: neighbours that vote. of, model, precision: as the signal embedding has them where they are
    empty. Raises InputError on a k below 1, and where no validation row is left.
    """
    from curate.shapley import shapley
    from curate.signals.coverage import embed
    from curate.supervised import supervised

    if k < 1:
        raise InputError("signals.influence_shapley.k", f"{k} neighbours cannot vote", "Give 1 or more, such as 10")
    wanted = Wanted(reference, slice, share, domain, seed, of)
    made = {name: value for name, value in (("of", of), ("model", model), ("precision", precision)) if value}
    given = supervised(table, wanted, partial(embed, given=made))
    if given is None:
        return nothing(table.num_rows, ["influence_shapley"])
    number = given.held.domain
    total, touched = shapley(given.vectors, given.code, given.other, given.wanted, number, k)
    many = np.bincount(number[number >= 0], minlength=len(total) - 1)
    found = np.concatenate([total.sum(0, keepdims=True) / len(number), total[:-1] / many[:, None]])
    return told(given.held, given.rows, {"influence_shapley": 1e6 * found}, touched)


SIGNAL = Signal(
    name="influence_shapley",
    version=2,
    about="Which rows help or harm the labels of which validation domain: Shapley values of nearest neighbours.",
    source="Jia et al. 2019, Efficient Task-specific Data Valuation for Nearest Neighbor Algorithms, theorem 1",
    inputs=("text", "label", "embedding_vector", "slice", "domain", "cluster_number"),
    needs=("text", "label", "embedding_vector"),
    optional=(("cluster_number", "domain"),),
    columns=(
        Column(
            "influence_shapley_*",
            "Float32",
            "millionths of accuracy",
            "The row's part in the accuracy of nearest neighbours on a domain's validation rows; below 0 it harms.",
            keep="above",
        ),
    ),
    scope="dataset",
    compute=compute,
    cost=3_000,
    asks=ASKS,
)
