"""Learning curves whose truth is known: do the intervals hold it? Each is measured as a run measures one: nested draws of a pool, seeds, validation rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import Work
from curate.probes.learning_curve import Measured, curve

__all__ = ["case_planted_curves", "planted"]

LAWS = {"steep": (0.1, 6.0, 0.6), "slow": (0.05, 0.7, 0.15), "at its floor": (0.15, 60.0, 1.0), "without a floor": (0.0, 2.0, 0.3)}
SIZES = np.array([100, 200, 400, 800, 1600, 3200, 6400], np.float64)
POOL = 6400
TIMES = 100


def planted(law: tuple[float, float, float], seed: int, seeds: int = 3, rows: int = 2000) -> Measured:
    """A run's errors under a + b · n^-c. A draw of n rows is off by √(error (1 - error)) / √n; each validation row is as hard for all trainings."""
    from scipy.stats import norm

    a, b, c = law
    rng = np.random.default_rng([seed, 5])
    own, hard = rng.standard_normal(POOL), rng.standard_normal(rows)
    wrong = np.zeros((seeds, len(SIZES), rows))
    for s in range(seeds):
        means = np.cumsum(own[rng.permutation(POOL)]) / np.arange(1, POOL + 1)
        for k, n in enumerate(SIZES):
            error = a + b * float(n) ** -c
            error += (error * (1 - error)) ** 0.5 * means[int(n) - 1]
            wrong[s, k] = 0.9**0.5 * hard + 0.1**0.5 * rng.standard_normal(rows) < norm.ppf(min(max(error, 1e-3), 0.999))
    return Measured("planted", False, "3 epochs", SIZES, POOL, wrong, np.ones(rows), 100.0, "points", np.ones(len(SIZES)))


def _covered(law: tuple[float, float, float], seeds: int) -> dict[str, Any]:
    a, b, c = law
    last, held, off, wide, refused = SIZES[-1], np.zeros(4), [], [], 0
    for seed in range(TIMES):
        found = curve(planted(law, seed, seeds), 200)
        if found.refused:
            refused += 1
            continue
        told = [found.error(last), found.error(2 * last), found.error(4 * last), found.gain(last, last)]
        true = [a + b * n**-c for n in (last, 2 * last, 4 * last)]
        true.append(true[0] - true[1])
        held += [one.low <= value <= one.high for one, value in zip(told, true, strict=True)]
        off.append(abs(told[3].value - true[3]))
        wide.append(told[3].high - told[3].low)
    names = ("at_largest", "at_double", "at_fourfold", "gain_of_doubling")
    covered = dict(zip(names, (held / max(1, TIMES - refused)).round(3).tolist(), strict=True))
    return {**covered, "gain_points": round(100 * float(true[3]), 3), "off_points": round(100 * float(np.median(off)), 3),
            "interval_points": round(100 * float(np.median(wide)), 3), "refused": refused}  # fmt: skip


def case_planted_curves(rows: int, folder: Path) -> Work:
    """Share of 100 planted runs in which the 95 % interval holds the truth, by law and seeds."""
    del folder
    if rows != 10_000:
        return lambda: {"skipped": "its sizes are its own"}
    return lambda: {"runs": TIMES, "covered": {f"{name}, {seeds} seeds": _covered(law, seeds) for name, law in LAWS.items() for seeds in (3, 5)}}
