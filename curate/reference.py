"""Another dataset that this one is compared with: its texts, read as this one's are. Nothing of it is kept, changed or dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.errors import InputError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["reference_texts"]


def reference_texts(reference: str, of: str) -> pl.Series:
    """A text view of the reference's rows, of the whole text where it has no such view; no row without a reference. String [rows].

    reference: a file, folder, pattern or hub name. Raises InputError where it cannot be read or no column of it is known to hold text.
    """
    import polars as pl

    if not reference:
        return pl.Series("of", [], pl.String)
    from tempfile import TemporaryDirectory

    from curate.load import load
    from curate.workspace import Workspace

    with TemporaryDirectory() as folder:
        found = load(reference, Workspace.at(folder))
        view = of if found.has(of) else "text"
        if not found.has(view):
            raise InputError(reference, "no column of it is known to hold text", "Name its columns as those of the dataset, such as prompt and response")
        return found.views([view]).collect()[view]
