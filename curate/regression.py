"""Softmax regression on vectors, of soft targets and weighted rows, begun where it stood before: what is learnt anew after each few answers.

The objective is scikit-learn's `LogisticRegression`: c × Σ weight × cross-entropy + ½ |weights|², the intercept free. L-BFGS walks in the coordinates of a
bound of the Hessian (Böhning 1992, Multinomial logistic regression algorithm), where it needs a quarter of the steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["Ground", "back", "foreseen", "forward", "ground", "learn", "newton", "one_hot"]

Floats = npt.NDArray[np.float32]
Wide = npt.NDArray[np.float64]
F = TypeVar("F", np.float32, np.float64)
SCALED = 10_000  # rows that the bound is made of at most
STEPS = 60


@dataclass(frozen=True)
class Ground:
    """What a regression is learnt on. vectors: float32 [n, d]. c: inverse strength of the penalty. root, inverse: float64 [d + 1, d + 1], the bound's
    lower root and its inverse."""

    vectors: Floats
    c: float
    root: Wide
    inverse: Wide


def ground(vectors: Floats, c: float = 1.0) -> Ground:
    """The vectors with what makes learning on them quick. vectors: float32 [n, d]."""
    some = vectors[:: max(1, len(vectors) // SCALED)]
    wide = np.concatenate([some, np.ones((len(some), 1), np.float32)], 1)
    bound = _product(wide.T, wide).astype(np.float64) * (c / 8 * len(vectors) / max(1, len(some)))  # half of Böhning's: p is rarely .5
    bound[np.diag_indices(len(bound))] += np.append(np.ones(vectors.shape[1]), 1e-6)
    root = np.linalg.cholesky(bound)
    return Ground(vectors, c, np.asarray(root, np.float64), np.asarray(np.linalg.inv(root), np.float64))


def one_hot(code: npt.NDArray[np.integer], wide: int) -> Floats:
    """1 at each row's code, nothing where it is -1. float32 [rows, wide]."""
    return np.asarray(np.concatenate([np.eye(wide, dtype=np.float32), np.zeros((1, wide), np.float32)])[code])


def _product(one: npt.NDArray[F], other: npt.NDArray[F]) -> npt.NDArray[F]:
    """A product on the threads that `spread` allows, where numpy would take all and let them spin."""
    import torch

    found: npt.NDArray[F] = (torch.from_numpy(one) @ torch.from_numpy(other)).numpy()
    return found


def forward(vectors: Floats, weights: Wide) -> Floats:
    """The logit of each class. float32 [rows, classes]."""
    narrow = weights.astype(np.float32)
    return np.asarray(_product(vectors, narrow[:-1]) + narrow[-1])


def back(vectors: Floats, of: Floats) -> Wide:
    """The slope in the weights of what has the slope `of` in the logits. float64 [d + 1, classes]."""
    return np.concatenate([_product(vectors.T, of), of.sum(0, keepdims=True)]).astype(np.float64)


def foreseen(vectors: Floats, weights: Wide) -> Floats:
    """Probability of each class. float32 [rows, classes]."""
    found = forward(vectors, weights)
    found -= found.max(1, keepdims=True)
    np.exp(found, out=found)
    return np.asarray(found / found.sum(1, keepdims=True))


def learn(on: Ground, target: Floats, weight: Floats | None = None, start: Wide | None = None, tolerance: float = 2e-2) -> Wide:
    """Weights of each class, the intercept last, of several regressions at once. target: float32 [n, classes], of sum 1 where a row says something.

    weight: of each row in each regression, float32 [n, m]; one of all rows alike where left out. start: weights of regressions like them. tolerance: largest
    gradient at the end, in the bound's coordinates. float64 [m, d + 1, classes].
    """
    import torch
    from scipy.optimize import minimize

    n, wide, many = len(on.vectors), target.shape[1], 1 if weight is None else weight.shape[1]
    shape = (on.vectors.shape[1] + 1, many * wide)
    x, inverse, wanted = torch.from_numpy(on.vectors), torch.from_numpy(on.inverse), torch.from_numpy(target)[:, None]
    counts = torch.ones(n, 1) if weight is None else torch.from_numpy(weight)

    def loss(flat: Wide) -> tuple[float, Wide]:
        """The loss and its slope."""
        weights = inverse.T @ torch.from_numpy(flat).reshape(shape)
        narrow = weights.float()
        log = torch.log_softmax(torch.addmm(narrow[-1], x, narrow[:-1]).view(n, many, wide), -1)
        missed = -float(((log * wanted).sum(-1) * counts).sum(dtype=torch.float64))
        off = ((log.exp_() - wanted) * counts[:, :, None]).view(n, many * wide)
        slope = on.c * torch.cat([x.T @ off, off.sum(0, keepdim=True)]).double()
        slope[:-1] += weights[:-1]
        return on.c * missed + 0.5 * float((weights[:-1] ** 2).sum()), (inverse @ slope).numpy().ravel()

    first = np.zeros(shape) if start is None else _product(on.root.T, np.concatenate([*start], 1))
    done = minimize(loss, first.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": STEPS, "gtol": tolerance, "ftol": 1e-7})
    return np.stack(np.split(_product(on.inverse.T, done.x.reshape(shape)), many, 1))


def newton(on: Ground, probabilities: Floats, slope: Wide, steps: int = 15) -> Wide:
    """H⁻¹ slope, H the Hessian where the model gives these probabilities, by conjugate gradients. slope, result: float64 [d + 1, classes]."""

    def turned(by: Wide) -> Wide:
        """The Hessian times a step."""
        moved = forward(on.vectors, by)
        moved = probabilities * (moved - (probabilities * moved).sum(1, keepdims=True))
        out = on.c * back(on.vectors, moved)
        out[:-1] += by[:-1]
        out[-1] += 1e-6 * by[-1]  # all intercepts may move together
        return out

    found, left = np.zeros_like(slope), slope.copy()
    eased = _product(on.inverse.T, _product(on.inverse, left))
    along, size = eased, float((left * eased).sum())
    for _ in range(steps):
        if np.linalg.norm(left) <= 1e-3 * np.linalg.norm(slope) or size == 0:
            break
        image = turned(along)
        pace = size / float((along * image).sum())
        found, left = found + pace * along, left - pace * image
        eased = _product(on.inverse.T, _product(on.inverse, left))
        size, before = float((left * eased).sum()), size
        along = eased + size / before * along
    return found
