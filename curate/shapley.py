"""What each row is worth to a nearest-neighbour classifier: its Shapley value, in closed form (Jia et al. 2019, Efficient Task-specific Data Valuation for
Nearest Neighbor Algorithms, theorem 1).

The utility of a set of rows is the mean, over the validation rows, of the share of its k nearest rows by cosine that have the label, k being divided by
even where a set has fewer. A row's value is what it adds to a set, in the mean over all orders in which rows may come. The values of all rows sum to the
utility of all rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from curate.signal import follow
from curate.threads import cores, spread
from curate.touched import Touched

__all__ = ["shapley"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
AT_ONCE = 1 << 24  # cosines of a block: 64 MB


def shapley(vectors: Floats, code: Ints, other: Floats, wanted: Ints, domain: Ints, k: int) -> tuple[npt.NDArray[np.float64], Touched]:
    """The sum of each row's values over the validation rows of each domain, float64 [domains, n], and which of those it is worth most and least to.

    vectors: unit, float32 [n, d]; code: int32 [n]. other, wanted: the same of validation rows. domain: int32 [validation], from 0; -1 for none, which has the
    last row of the result to itself.
    """
    import torch

    from curate.kernels.shapley import value

    n, many = len(code), int(domain.max(initial=-1)) + 2
    order = np.argsort(domain, kind="stable").astype(np.int32)
    every, asked = torch.from_numpy(vectors), torch.from_numpy(other[order])
    step = max(1, min(64, AT_ONCE // max(n, 1)))
    parts = [part for part in np.array_split(np.arange(len(order)), cores()) if len(part)]

    def work(part: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float64], Touched]:
        """The values by a part of the validation rows."""
        total, touched = np.zeros((many, n)), Touched.none(n)
        for group in np.split(part, np.flatnonzero(np.diff(domain[order[part]])) + 1):
            for at in range(int(group[0]), int(group[-1]) + 1, step):
                stop = min(at + step, int(group[-1]) + 1)
                cosine = (asked[at:stop] @ every.T).numpy()
                kept = (touched.helped_by, touched.helped, touched.harmed_by, touched.harmed)
                value(cosine, code, wanted[order[at:stop]], k, total[int(domain[order[at]])], *kept, at)
        return total, touched

    found = follow(spread(work, parts), len(parts), 0.1, 1.0)
    touched = Touched.merged([t for _, t in found]).renumbered(order)
    return np.asarray(np.sum([t for t, _ in found], axis=0)), touched
