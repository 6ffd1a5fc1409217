"""Prompts and responses by themselves: a row whose prompt or whose response is another's is a copy, however new the rest of it is.

A response of fewer than SHORT words, such as a label or a number, is compared only as a part of the whole row. By meaning a text is compared with the NEAR
texts that static word vectors find closest to it and with those of its parents, each by the model of the dataset's embedding: to embed every prompt and
every response of a large dataset would take hours. A text with the meaning of one that shares few words with it is missed so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.synthetic.copies import Vectors, by_meaning, embedded
from curate.synthetic.rouge import WORD

if TYPE_CHECKING:
    import polars as pl

__all__ = ["NEAR", "SHORT", "closest_meaning", "highest", "long_enough"]

SHORT, NEAR = 8, 8
"""Words of the shortest response that may be a copy by itself; texts that a text's meaning is compared with, beside its parents'."""
STATIC = "wordllama"
Found = tuple["pl.DataFrame", "pl.DataFrame"]


def long_enough(texts: pl.Series, of: str) -> pl.Series:
    """Texts that may be copies by themselves; null for the others."""
    import polars as pl

    name = texts.name
    there = pl.col(name).str.strip_chars() != ""
    if of == "response":
        there &= pl.col(name).str.extract_all(WORD).list.len() >= SHORT
    return texts.to_frame().select(pl.when(there).then(name).alias(name)).to_series()


def highest(found: Mapping[str, Found], checks: Sequence[str]) -> Found:
    """Of what was found of several texts of each row, the highest value of each check, with its row and `<check>_of`: which text, the first of equal ones."""
    import polars as pl

    columns = []
    for check in checks:
        parts = {of: frame.select(check, f"{check}_row") for of, (frame, _) in found.items()}
        every = pl.concat([part.rename({check: f"{of} value", f"{check}_row": f"{of} row"}) for of, part in parts.items()], how="horizontal")
        every = every.with_columns(pl.max_horizontal(f"{of} value" for of in parts).alias("best"))
        mine = {of: pl.col(f"{of} value") == pl.col("best") for of in parts}
        row = pl.coalesce(pl.when(is_it).then(f"{of} row") for of, is_it in mine.items())
        which = pl.coalesce(pl.when(is_it).then(pl.lit(of)) for of, is_it in mine.items())
        columns.append(every.select(pl.col("best").alias(check), row.alias(f"{check}_row"), which.alias(f"{check}_of")))
    pairs = pl.concat([pairs for _, pairs in found.values()])
    return pl.concat(columns, how="horizontal"), pairs.group_by("check", "a", "b").agg(pl.col("similarity").max()).sort("check", "b", "a")


def closest_meaning(texts: pl.Series, pool: pl.DataFrame, static: Vectors, parents: Sequence[Sequence[str]], given: Mapping[str, Any]) -> Found:
    """`semantic` of texts with those of the pool's second column. static: of the pool, by word vectors. given: parameters of the embedding that counts."""
    import polars as pl

    mine = embedded(texts, given)
    if given["model"] == STATIC:
        return by_meaning(mine, static, pool["name"], len(texts))
    coarse = embedded(texts, {**given, "model": STATIC})
    own = pool["name"].is_in([*{p for names, text in zip(parents, texts, strict=True) if text for p in names}]).arg_true().to_numpy()
    at = np.unique(np.concatenate([_candidates(coarse.unit, static), own.astype(np.int32)]))
    held = embedded(pool.to_series(1).gather(pl.Series(at)), given)
    return by_meaning(mine, Vectors(at[held.at].astype(np.int32), held.unit), pool["name"], len(texts))


def _candidates(unit: npt.NDArray[np.float32], pool: Vectors) -> npt.NDArray[np.int32]:
    """Places of the NEAR closest of the pool to each vector."""
    import torch

    if not len(unit) or not len(pool.at):
        return np.empty(0, np.int32)
    right, most = torch.from_numpy(np.ascontiguousarray(pool.unit)).T, min(NEAR, len(pool.at))
    found = [(torch.from_numpy(unit[first : first + 256]) @ right).topk(most, dim=1).indices.numpy() for first in range(0, len(unit), 256)]
    return np.asarray(pool.at[np.unique(np.concatenate([f.ravel() for f in found]))], np.int32)
