"""The curve err = a + b · n^-c through measured errors: the best a ≥ 0, b ≥ 0 and c within a stated range, for many draws of the errors at once.

For a given c the best a and b have a closed form, so c is sought on a grid over its whole range and then finer round the best: no start has to be guessed,
and the least is the least of all. Source: Cortes et al. 1993; Hestness et al. 2017 see exponents of .07 to .35 in deep learning, excess risk of a model with
few parameters falls as 1 / n. It misses curves that fall in steps, or rise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["EXPONENT", "PowerLaw", "fit"]

EXPONENT = 0.05, 1.0
"""The range of c. Below it a curve is straight in log n for all that can be measured; what falls faster than 1 / n at first does not in the long run."""
GRID, FINER, TIMES = 48, 9, 5

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PowerLaw:
    """Fitted curves. a, b, c: float64 [draws], of err = a + b · n^-c with n in rows."""

    a: Doubles
    b: Doubles
    c: Doubles

    def error(self, rows: float) -> Doubles:
        """The error at so many rows, float64 [draws]."""
        return np.asarray(self.a + self.b * rows**-self.c, np.float64)

    def rows(self, error: Doubles) -> Doubles:
        """How many rows give an error, float64 [draws]; infinite where none do, 0 where any do."""
        above = error - self.a
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            found = (self.b / above) ** (1 / self.c)
        return np.where(above <= 0, np.where((above == 0) & (self.b == 0), 0.0, np.inf), found)


def fit(rows: Doubles, error: Doubles, weight: Doubles) -> PowerLaw:
    """Least squares in each draw. rows, weight: float64 [sizes], positive; error: float64 [draws, sizes], at least 0. Raises ValueError for fewer than 3."""
    if len(rows) < 3:
        raise ValueError(f"{len(rows)} sizes are too few for three parameters")
    scale, share = float(np.exp(np.log(rows).mean())), weight / weight.sum()
    grid = np.geomspace(*EXPONENT, GRID)
    found = _best(np.broadcast_to(grid, (len(error), GRID)), rows / scale, error, share)
    step = float(grid[1] / grid[0])
    for _ in range(TIMES):
        near = np.clip(found[2][:, None] * step ** np.linspace(-1, 1, FINER), *EXPONENT)
        found = _best(near, rows / scale, error, share)
        step = step ** (2 / (FINER - 1))
    a, b, c = found
    return PowerLaw(a, b * scale**c, c)


def _best(exponent: Doubles, rows: Doubles, error: Doubles, share: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """The best a, b and c of those given for each draw. exponent: float64 [draws, tried]."""
    x = rows ** -exponent[:, :, None]
    mean, y = x @ share, (error @ share)[:, None]
    xx, xy = np.square(x) @ share, np.einsum("dts,ds,s->dt", x, error, share)
    spread = np.maximum(xx - mean**2, 1e-300)
    b = np.maximum((xy - mean * y) / spread, 0.0)
    b = np.where(y - b * mean < 0, xy / xx, b)
    a = np.maximum(y - b * mean, 0.0)
    miss = np.square(error[:, None, :] - a[:, :, None] - b[:, :, None] * x) @ share
    at = miss.argmin(1)[:, None]
    a, b, exponent = (np.take_along_axis(part, at, 1)[:, 0] for part in (a, b, exponent))
    return a, b, exponent
