"""Rows in 8 bits: products of them take half of bfloat16's time where the processor multiplies bytes, and find candidates as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

__all__ = ["STEP", "Bytes", "byte_scale", "products", "to_bytes", "whole_steps"]

Bytes = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float32]

STEP = 64  # rows of a product are rounded up to it: every new shape costs milliseconds to prepare


def whole_steps(rows: int) -> int:
    """A number of rows rounded up to whole steps."""
    return -(-rows // STEP) * STEP


def byte_scale(vectors: Floats) -> np.float32:
    """One scale for all numbers, from a sample: the few largest are cut, as a tenth of a thousandth of them say little."""
    sample = vectors[:: max(1, len(vectors) // 2000)]
    return np.float32(127 / max(float(np.quantile(np.abs(sample), 0.9999)), 1e-12))


def to_bytes(rows: Floats, scale: np.float32, out: Bytes) -> None:
    """Rows times the scale as whole numbers from -127 to 127, into `out`."""
    from curate.kernels.nearest import round_to_bytes

    round_to_bytes(rows, scale, out)


def products(query: torch.Tensor, target: torch.Tensor) -> npt.NDArray[np.int32]:
    """Products of 8-bit rows, int32 [queries, targets]: exact, without the processor's own way up to 1,040 dimensions, beyond to some units."""
    import torch

    if torch.cpu.get_capabilities().get("avx512_vnni"):
        return np.asarray(torch._int_mm(query, target.T).numpy())
    return np.asarray((query.float() @ target.float().T).int().numpy())  # sums below 2²⁴ are exact
