"""How well a map keeps what is near: measured on a sample of rows among all rows, because a map in two dimensions always lies somewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curate.threads import spread

__all__ = ["AROUND", "NEAR", "Fidelity", "fidelity"]

Floats = npt.NDArray[np.float32]
SAMPLE, LEAST = 500, 100
COSINES = 10**8  # to be looked at; beyond 200,000 rows the sample is smaller, not below LEAST
NEAR, AROUND = 15, 50
AT_ONCE = 16  # rows of the sample whose cosines with all rows are held


@dataclass(frozen=True)
class Fidelity:
    """How true a map is. rows: of the sample.

    trust: in [0, 1], 1 where the NEAR nearest on the map are the nearest in meaning. kept: share of the NEAR nearest in meaning that are among the AROUND
    nearest on the map.
    """

    trust: float
    kept: float
    rows: int


def fidelity(vectors: Floats, places: Floats, seed: int = 0) -> Fidelity | None:
    """Trustworthiness (Venna & Kaski 2001) and kept neighbours of a sample of rows, by ranks among all rows; None up to 2 · AROUND rows.

    vectors: unit, float32 [n, d]. places: float32 [n, 2].
    """
    import torch

    from curate.kernels.fidelity import judge

    n = len(vectors)
    if n <= 2 * AROUND:
        return None
    some = np.sort(np.random.default_rng(seed).permutation(n)[: min(SAMPLE, max(LEAST, COSINES // n))]).astype(np.int32)
    beyond, kept, whole = np.zeros(len(some)), np.zeros(len(some)), torch.from_numpy(vectors)

    def look(first: int) -> None:
        part = slice(first, first + AT_ONCE)
        cosine = (whole[torch.from_numpy(some[part])] @ whole.T).numpy()
        judge(cosine, some[part], places, NEAR, AROUND, beyond[part], kept[part])

    list(spread(look, range(0, len(some), AT_ONCE)))
    trust = 1 - 2 * float(beyond.mean()) / (NEAR * (2 * n - 3 * NEAR - 1))
    return Fidelity(trust, float(kept.mean()) / NEAR, len(some))
