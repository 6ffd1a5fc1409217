"""One spelling for texts that read alike: NFKC, case folded, white space as single spaces."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

__all__ = ["normalise"]

CHUNK = 65_536

# What str.split() takes for white space below U+0080, and the capitals.
_SPACE = b"\t\n\v\f\r\x1c\x1d\x1e\x1f"
_FOLD = bytes.maketrans(_SPACE + bytes(range(ord("A"), ord("Z") + 1)), b" " * len(_SPACE) + bytes(range(ord("a"), ord("z") + 1)))


def normalise(text: pl.Series, punctuation: bool = True) -> pl.Series:
    """NFKC, then casefold, then runs of white space as one space and none at the ends.

    text: String [rows]. punctuation: False takes punctuation and symbols (Unicode P and S) for white space. Returns String [rows]; null where nothing is left.
    Equals `" ".join(NFKC(text).casefold().split())` for every text: rows of ASCII take a path without Python, the others that very line.
    Works through CHUNK rows at a time, so that only the result is held whole.
    """
    import polars as pl

    parts = [_normalise(text.slice(at, CHUNK), punctuation) for at in range(0, len(text), CHUNK)]
    return pl.concat(parts) if parts else text.clear()


def _normalise(text: pl.Series, punctuation: bool) -> pl.Series:
    import polars as pl
    import pyarrow as pa

    foreign = (text.str.len_bytes() != text.str.len_chars()).arg_true()
    if len(foreign):
        text = text.scatter(foreign, [" ".join(unicodedata.normalize("NFKC", row).casefold().split()) for row in text.gather(foreign)])
    flat = text.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    null, start, data = flat.buffers()
    folded = pa.py_buffer(data.to_pybytes().translate(_FOLD) if data else b"")
    rows = pl.Series(text.name, pa.LargeStringArray.from_buffers(len(flat), start, folded, null, flat.null_count, flat.offset))
    if not punctuation:
        rows = rows.str.replace_all(r"[\p{P}\p{S}]", " ")
    rows = rows.str.replace_all(" {2,}", " ").str.strip_chars(" ")
    return rows.set(rows == "", None)
