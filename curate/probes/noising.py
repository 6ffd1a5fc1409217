"""Labels made wrong on purpose, to see how much noise a task bears: uniform, by class, or by row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.probes.plan import Noise
from curate.probes.probe import Pool

__all__ = ["noised"]

Ints = npt.NDArray[np.int32]


def noised(pool: Pool, rows: Ints, label: Ints, now: Noise, seed: int) -> Ints:
    """Labels of which a share is another one. int32 [n]. A higher rate of one seed makes wrong what a lower one did, and more.

    uniform: any other class is as likely.
    """
    if len(pool.classes) < 2:
        raise InputError("arms.noise", "there are no labels to make wrong", "Take noise out, or give a column the role label")
    del rows
    if now.kind != "uniform":
        raise InputError("arms.noise.kind", f"{now.kind} is not there yet", "Take uniform")
    rng = np.random.default_rng([seed, 3])
    wrong = rng.permutation(len(label)) < round(now.rate * len(label))
    step = rng.integers(1, len(pool.classes), len(label))
    return np.where(wrong & (label >= 0), (label + step) % len(pool.classes), label).astype(np.int32)
