"""Another dataset to compare with: an evaluation set, or an earlier version. It is read and never changed."""

from __future__ import annotations

from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from curate.errors import InputError
from curate.load import load
from curate.located import ends
from curate.readers.file import find_files, is_hub_name
from curate.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_reference"]


def read_reference(paths: Sequence[str], of: str) -> pl.DataFrame:
    """The rows of files, folders, patterns or hub names, in the order given, of a folder or pattern by name.

    of: the text view that is read; the whole text where a file has no such view. Returns `place` (String): the file's name, with folders before it where two
    have one name, and the row's number in it from 0, as in "test.csv:12"; and `text` (String, null where the row has none). Raises InputError where a file
    cannot be read or has no text.
    """
    import polars as pl

    files = [name for path in paths for name in ([path] if is_hub_name(path) else [str(file.path) for file in find_files([path])])]
    named = ends(list(dict.fromkeys(file for file in files if not is_hub_name(file))))
    parts = [pl.DataFrame(schema={"place": pl.String, "text": pl.String})]
    for file in files:
        text = _texts(file, of)
        place = pl.select(pl.format("{}:{}", pl.lit(named.get(file, file)), pl.int_range(len(text)))).to_series()
        parts.append(pl.DataFrame({"place": place, "text": text}))
    return pl.concat(parts, rechunk=True)


def _texts(path: str, of: str) -> pl.Series:
    """One text view of all rows of a file or hub name."""
    with TemporaryDirectory() as folder:
        found = load(path, Workspace.at(folder))
        view = of if found.has(of) else "text"
        if not found.has(view):
            raise InputError(path, "no column of it is known to hold text", "Name its columns as those of the dataset, such as prompt and response")
        return found.views([view]).collect()[view]
