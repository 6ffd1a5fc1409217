"""What leaving a row out does to the loss of other rows, under a softmax regression: influence functions with nothing left to a sample.

Without row i the weights move, in one Newton step, by H₋ᵢ⁻¹ gᵢ: gᵢ = c xᵢ ⊗ (pᵢ - yᵢ) is its slope, H₋ᵢ = H - c xᵢxᵢᵀ ⊗ Sᵢ the Hessian of the rows that stay,
with Sᵢ = diag pᵢ - pᵢpᵢᵀ. By Woodbury's identity H₋ᵢ⁻¹ gᵢ = H⁻¹ (xᵢ ⊗ c (I - c SᵢAᵢ)⁻¹ (pᵢ - yᵢ)), Aᵢ = (xᵢ ⊗ I)ᵀ H⁻¹ (xᵢ ⊗ I) being the row's leverage: every
step from one inverse (Koh & Liang 2017, Understanding Black-box Predictions via Influence Functions; the leverage as in Pregibon 1981). The losses are told
at the moved weights, not by their slope. Beyond DENSE weights the Hessian is taken class by class, without what holds between classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curate.regression import Wide, ground, learn, one_hot
from curate.threads import spread

__all__ = ["DENSE", "Fitted", "effects", "fit", "losses", "settled"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
DENSE = 4096  # weights: 128 MB of Hessian in float64
CLOSE = 1e-12  # a Newton step's decrement, in the objective's own unit, at which the weights are the optimum
BLOCK = 256
CHUNK = 16_384


@dataclass(frozen=True)
class Fitted:
    """A regression at its optimum. x: float32 [n, d + 1], ones last. weights: float64 [d + 1, classes]. inverse: of the Hessian, float64 [classes, d + 1,
    classes, d + 1], or class by class [classes, d + 1, d + 1]. off: float64 [n, classes], what is foreseen less what is given, c times and the leverage out.
    """

    x: Floats
    weights: Wide
    inverse: Wide
    off: Wide

    @property
    def whole(self) -> bool:
        """Whether the Hessian is whole."""
        return self.inverse.ndim == 4


def _wide(vectors: Floats) -> Floats:
    return np.concatenate([vectors, np.ones((len(vectors), 1), np.float32)], 1)


def _foreseen(x: Floats, weights: Wide) -> Wide:
    logits = x.astype(np.float64) @ weights
    logits -= logits.max(1, keepdims=True)
    found = np.exp(logits)
    return np.asarray(found / found.sum(1, keepdims=True), np.float64)


def _block(x: Floats, weight: Wide) -> Wide:
    """Σ weight x xᵀ. float64 [d + 1, d + 1]."""
    found = np.zeros((x.shape[1], x.shape[1]))
    for at in range(0, len(x), CHUNK):
        part = x[at : at + CHUNK].astype(np.float64)
        found += (part * weight[at : at + CHUNK, None]).T @ part
    return found


def _inverse(x: Floats, p: Wide, c: float) -> Wide:
    """The inverse of the whole Hessian of the objective. float64 [classes, d + 1, classes, d + 1]."""
    d, wide = x.shape[1], p.shape[1]
    found = np.zeros((wide, d, wide, d))
    for k in range(wide):
        for j in range(k, wide):
            found[k, :, j] = found[j, :, k] = c * _block(x, p[:, k] * ((k == j) - p[:, j]))
    whole = found.reshape(d * wide, d * wide)
    whole[np.diag_indices(d * wide)] += np.tile(np.append(np.ones(d - 1), 0), wide)
    found[:, -1, :, -1] += 1  # all intercepts may move together: ½ (Σ intercepts)² holds them and changes nothing that is foreseen
    return np.asarray(np.linalg.inv(whole).reshape(found.shape), np.float64)


def _slope(x: Floats, off: Wide, c: float, weights: Wide) -> Wide:
    found = np.concatenate([weights[:-1], np.full((1, weights.shape[1]), weights[-1].sum())])
    for at in range(0, len(x), CHUNK):
        found = found + c * (x[at : at + CHUNK].astype(np.float64).T @ off[at : at + CHUNK])
    return np.asarray(found)


def settled(x: Floats, target: Wide, c: float, weights: Wide) -> tuple[Wide, Wide]:
    """Newton's steps to the optimum: the weights, and the inverse of the Hessian there. x: with ones last; target: [n, classes]; weights: to begin with."""
    for _ in range(25):
        p = _foreseen(x, weights)
        inverse, slope = _inverse(x, p, c), _slope(x, p - target, c, weights)
        step = np.einsum("kdje,ej->dk", inverse, slope, optimize=True)
        weights = weights - step
        if float((slope * step).sum()) < CLOSE:
            break
    return weights, inverse


def fit(vectors: Floats, code: Ints, wide: int, c: float = 1.0) -> Fitted:
    """The regression of codes on vectors, with what leave-one-out steps need. vectors: float32 [n, d]; code: int32 [n], from 0 to wide - 1."""
    target, x = one_hot(code, wide), _wide(vectors)
    if x.shape[1] * wide <= DENSE:
        weights, inverse = settled(x, target.astype(np.float64), c, learn(ground(vectors, c), target)[0])
        p = _foreseen(x, weights)
    else:
        weights = learn(ground(vectors, c), target, tolerance=2e-3)[0]
        p = _foreseen(x, weights)
        inverse = np.stack([np.linalg.inv(c * _block(x, p[:, k] * (1 - p[:, k])) + np.diag(np.append(np.ones(x.shape[1] - 1), 1e-6))) for k in range(wide)])
    return Fitted(x, weights, inverse, _corrected(c * (p - target), p, c * _leverage(x, inverse)))


def _leverage(x: Floats, inverse: Wide) -> Wide:
    """Of each row, float64 [n, classes, classes]."""
    wide = len(inverse)
    found = np.zeros((len(x), wide, wide))
    for at in range(0, len(x), CHUNK):
        part = x[at : at + CHUNK].astype(np.float64)
        for k in range(wide):
            if inverse.ndim == 3:
                found[at : at + CHUNK, k, k] = ((part @ inverse[k]) * part).sum(1)
            else:
                for j in range(k, wide):
                    found[at : at + CHUNK, k, j] = found[at : at + CHUNK, j, k] = ((part @ inverse[k, :, j]) * part).sum(1)
    return found


def _corrected(off: Wide, p: Wide, leverage: Wide) -> Wide:
    """(I - S A)⁻¹ of each row's `off`. float64 [n, classes]."""
    found = np.empty_like(off)
    for at in range(0, len(off), CHUNK):
        here = p[at : at + CHUNK]
        spread_ = np.eye(p.shape[1]) * here[:, :, None] - here[:, :, None] * here[:, None, :]
        found[at : at + CHUNK] = np.linalg.solve(np.eye(p.shape[1]) - spread_ @ leverage[at : at + CHUNK], off[at : at + CHUNK, :, None])[:, :, 0]
    return found


def losses(at: Fitted, vectors: Floats, code: Ints) -> Wide:
    """The loss of rows in nats. float64 [rows]."""
    return np.asarray(-np.log(_foreseen(_wide(vectors), at.weights)[np.arange(len(code)), code]))


def effects(at: Fitted, vectors: Floats, code: Ints) -> Iterator[tuple[int, Floats]]:
    """What leaving out each row of the fit adds to the loss of each of other rows, in nats: the first row of a block, and float32 [block, other rows].

    Above 0 the row helps. vectors: float32 [m, d]; code: int32 [m], from 0.
    """
    import torch

    other, wide = _wide(vectors), at.weights.shape[1]
    d, inverse, own = at.x.shape[1], torch.from_numpy(at.inverse.astype(np.float32)), torch.from_numpy(code.astype(np.int64))
    likely, y = torch.from_numpy(_foreseen(other, at.weights).astype(np.float32)), torch.from_numpy(other)
    apart = None if at.whole else torch.matmul(inverse, y.T)  # [classes, d + 1, m]
    flat = inverse.reshape(wide * d, wide * d) if at.whole else None

    def work(start: int) -> tuple[int, Floats]:
        """The effects of a block of rows."""
        x = torch.from_numpy(at.x[start : start + BLOCK])
        off = torch.from_numpy(at.off[start : start + BLOCK].astype(np.float32))
        many = len(x)
        if flat is not None:
            step = (off[:, :, None] * x[:, None, :]).reshape(many, wide * d) @ flat
            moved = (step.reshape(many * wide, d) @ y.T).reshape(many, wide, -1)
        else:
            assert apart is not None
            moved = torch.stack([(x @ apart[k]) * off[:, k, None] for k in range(wide)], 1)
        more = torch.log1p((torch.expm1(moved) * likely.T).sum(1))  # exact for changes far below what a loss itself is rounded to
        found: Floats = (more - moved.gather(1, own[None, None].expand(many, 1, -1))[:, 0]).numpy()
        return start, found

    yield from spread(work, range(0, len(at.x), BLOCK))
