"""What projected slopes of rows say of validation domains: the cosine of directions, and influence with an inverse Hessian in closed form.

cosine: TracIn (Pruthi et al. 2020) at one checkpoint, with slopes brought to length 1 as LESS does (Xia et al. 2024): a short response has a long slope, and
would be favoured else. datainf: Kwon et al. 2024, DataInf (ICLR), equation 5: the mean of inverses in the place of the inverse of the mean, layer by layer,
H⁻¹ v ≈ 1 / (n λ) Σᵢ (v - gᵢᵀv / (λ + |gᵢ|²) gᵢ), λ a tenth of the mean squared component of the layer's slopes; of rows' slopes of length 1 too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["cosines", "datainf", "unit"]

Floats = npt.NDArray[np.float32]


def unit(slopes: Floats) -> Floats:
    """Slopes [rows, layers, size] brought to length 1 over all layers; 0 stays."""
    length = np.sqrt((slopes.astype(np.float64) ** 2).sum((1, 2), keepdims=True))
    return np.asarray(np.divide(slopes, length, out=np.zeros_like(slopes, np.float64), where=length > 0), np.float32)


def cosines(rows: Floats, domains: Floats) -> Floats:
    """Cosine of each row with each domain's direction. rows: float32 [n, layers, size]; domains: [domains, layers, size]. float32 [domains, n]."""
    return np.asarray(unit(domains).reshape(len(domains), -1) @ unit(rows).reshape(len(rows), -1).T, np.float32)


def datainf(rows: Floats, domains: Floats, components: npt.NDArray[np.int64]) -> Floats:
    """How much each row's direction lowers each domain's loss, by DataInf. components: int64 [layers], of a slope before it was projected.

    float32 [domains, n]; above 0 the row helps.
    """
    scored, found = unit(rows), np.zeros((len(domains), len(rows)))
    for layer in range(rows.shape[1]):
        g, v = rows[:, layer].astype(np.float64), domains[:, layer].astype(np.float64)
        squared = (g**2).sum(1)
        weight = 0.1 * squared.mean() / components[layer]
        if weight == 0:
            continue
        share = (v @ g.T) / (weight + squared)
        found += ((v - share @ g / len(g)) / weight) @ scored[:, layer].astype(np.float64).T
    return np.asarray(found, np.float32)
