"""Labelled vectors on both sides: rows that may be learnt from, and validation rows that their labels are told of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.influence import ValidationRows, Wanted, hold_out
from curate.signal import note

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["Supervised", "supervised"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Embed = Callable[["pl.Series"], tuple[Ints, Floats]]


@dataclass(frozen=True)
class Supervised:
    """rows: int32 [n], those that may be learnt from; vectors: unit, float32 [n, d]; code: int32 [n], of `labels`. other, wanted: the same of validation."""

    held: ValidationRows
    labels: tuple[str, ...]
    rows: Ints
    vectors: Floats
    code: Ints
    other: Floats
    wanted: Ints


def supervised(table: pa.Table, asked: Wanted, embed: Embed) -> Supervised | None:
    """Both sides of a table with label and embedding_vector; None where no validation is asked for, or no two labels are there to be told apart.

    asked: how validation rows are chosen, of those that have both. embed: places and unit vectors of the texts of another file. Validation rows with a
    label that no row has are left out, and noted.
    """
    import polars as pl

    from curate.label import classes
    from curate.nearest import unit_vectors

    code, labels = classes(pl.Series("label", table["label"]))
    position, vectors = unit_vectors(table["embedding_vector"])
    there = np.zeros(table.num_rows, np.bool_)
    there[position] = True
    held = hold_out(table, asked, there & (code >= 0)) if len(labels) > 1 else None
    if held is None:
        if len(labels) < 2:
            note("not measured", "fewer than two labels")
        return None
    place = np.full(table.num_rows, -1, np.int32)
    place[position] = np.arange(len(position), dtype=np.int32)
    if held.own:
        at = place[held.frame["position"].to_numpy()]
        other = np.where((at >= 0)[:, None], vectors[at], np.float32(np.nan))
    else:
        other = _embedded(held, embed, vectors.shape[1])
    wanted = held.frame["label"].replace_strict([*labels], list(range(len(labels))), default=-1, return_dtype=pl.Int32).fill_null(-1).to_numpy()
    known = (wanted >= 0) & np.isfinite(other).all(1)
    rows = np.flatnonzero(there & (code >= 0) & ~held.out).astype(np.int32)
    seen, narrow = np.unique(code[rows], return_inverse=True)
    known &= np.isin(wanted, seen)
    if len(seen) < 2:
        raise InputError("validation", "of the rows that are left fewer than two labels can be learnt", "Hold out fewer rows")
    held, names = held.kept(known), tuple(labels[i] for i in seen)
    return Supervised(
        held, names, rows, vectors[place[rows]], narrow.astype(np.int32), other[known].astype(np.float32), np.searchsorted(seen, wanted[known]).astype(np.int32)
    )


def _embedded(held: ValidationRows, embed: Embed, width: int) -> Floats:
    """Unit vectors of validation rows of another file, NaN in rows without. float32 [validation, d]."""
    place, vectors = embed(held.frame["of"])
    if vectors.shape[1] != width:
        raise InputError("model", f"gives {vectors.shape[1]} numbers a row, and the dataset's embedding has {width}", "Leave it out: it is the embedding's")
    found = np.full((len(held.frame), width), np.nan, np.float32)
    found[place] = vectors
    return found
