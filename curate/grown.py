"""Rows of a dataset that a machine wrote: which nobody read, and which were made from rows that are denied. What grown rows bring stands in `curate.added`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.added import ID, added_columns, row_ids
from curate.reading import word_of
from curate.reviews import Review, places
from curate.roles import Role
from curate.scores import Scores
from curate.view import as_text, available, machine_made, view
from curate.workspace import Workspace, file_sha256, read_json

__all__ = ["accepted_batches", "accepted_files", "denied_parents", "generated", "read_rows", "unread"]

if TYPE_CHECKING:
    import polars as pl

Bools = npt.NDArray[np.bool_]


def accepted_batches(scores: Scores) -> tuple[str, ...]:
    """Names of the accepted batches of the workspace that rows of a dataset come from."""
    if ID not in dict(scores.dataset.columns):
        return ()
    own = {*as_text(scores.column(ID, "gate.synthetic")).drop_nulls()}
    return tuple(batch for batch, names in _accepted(scores.workspace).items() if not own.isdisjoint(names))


def _accepted(workspace: Workspace) -> dict[str, list[str]]:
    import polars as pl

    return {file.parent.name: pl.read_parquet(file, columns=[ID])[ID].drop_nulls().to_list() for file in accepted_files(workspace)}


def accepted_files(workspace: Workspace) -> dict[Path, str]:
    """The rows of each batch that was accepted to the end, accepted.json being written last, where they are what was written then; SHA-256 by file."""
    said = sorted(workspace.root.glob("synthetic/*/accepted.json"))
    written = {note.with_suffix(".parquet"): read_json(note)["files"][note.with_suffix(".parquet").name] for note in said}
    return {file: sha for file, sha in written.items() if file.is_file() and file_sha256(file) == sha}


def _unchanged(scores: Scores) -> Bools:
    """Rows of accepted batches whose texts and label are still those that were accepted, but for white space at their ends. bool [rows]."""
    import polars as pl

    data = scores.dataset
    names = [n for n in ("prompt", "context", "response", Role.LABEL) if data.has(n)]
    known = set[tuple[str, ...]]()
    for file in accepted_files(scores.workspace):
        frame = pl.scan_parquet(file, glob=False)
        schema = frame.collect_schema()
        if all(available(n, data.roles, schema) and {*data.roles.get(Role(n), ())} <= {*schema} for n in names):
            known |= {*_texts(frame.select(ID, *(view(n, data.roles, schema).alias(f"{n} here") for n in names)).collect())}
    own = data.views(names).collect().select(pl.all().name.suffix(" here")).select(scores.column(ID, "gate.synthetic").alias(ID), pl.all())
    return np.array([row in known for row in _texts(own)], np.bool_)


def _texts(frame: pl.DataFrame) -> list[tuple[str, ...]]:
    return [*zip(*(as_text(column).fill_null("").str.strip_chars() for column in frame.get_columns()), strict=True)]


def read_rows(marked: Sequence[Review]) -> frozenset[str]:
    """Ids of the rows that a person read and said a word of, good or bad; taking the marks off takes that off."""
    found = set[str]()
    for review in marked:
        if review.action == "clear":
            found.difference_update(review.rows)
        elif word_of(review) is not None or (review.action == "judge" and review.value not in (None, "unsure")):
            found.update(review.rows)
    return frozenset(found)


def generated(scores: Scores) -> Bools | None:
    """Rows that a machine wrote: those of the role synthetic that say so, and rows that were grown here. bool [rows]; None where nothing says it."""
    import polars as pl

    own = ID in dict(scores.dataset.columns)
    if not own and not scores.dataset.has(Role.SYNTHETIC):
        return None

    def find() -> Bools:
        """Read once."""
        made = pl.Series([False]).new_from_index(0, scores.dataset.rows)
        if scores.dataset.has(Role.SYNTHETIC):
            made |= machine_made(scores.column(Role.SYNTHETIC, "gate.synthetic"))
        if own:
            made |= scores.column(ID, "gate.synthetic").is_not_null()
        return np.asarray(made.to_numpy(), np.bool_)

    return scores.once("generated rows", find)


def unread(scores: Scores, marked: Sequence[Review]) -> Bools | None:
    """Synthetic rows that nobody read, and that are not as they were accepted in a batch. bool [rows]; None where nothing says which rows are synthetic."""
    import polars as pl

    made = generated(scores)
    if made is None:
        return None
    read = scores.frame["row_id"].is_in([*read_rows(marked)])
    if ID in dict(scores.dataset.columns):
        read |= pl.Series(_unchanged(scores))
    return made & ~np.asarray(read.to_numpy(), np.bool_)


def denied_parents(scores: Scores, denied: Bools) -> Bools:
    """Rows that were made from a denied row, or from one that was, and so on. denied, and what is returned: bool [rows].

    A parent that is no row of this dataset tells nothing: the licence that the row itself brought counts.
    """
    import polars as pl

    names = [n for n, _ in scores.dataset.columns]
    column = added_columns(names).get("parents", "parents")
    if column not in names:
        return np.zeros(len(denied), np.bool_)
    named = row_ids(scores.dataset.scan().select(column).collect().to_series()).alias("parent")
    table = pl.DataFrame([pl.int_range(len(named), eager=True).alias("row"), named]).explode("parent").drop_nulls()
    at = places(tuple(table["parent"].unique()), scores.frame["row_id"])
    edges = [(int(row), at[parent]) for row, parent in table.iter_rows() if parent in at]
    bad = denied.copy()
    while fresh := [row for row, parent in edges if bad[parent] and not bad[row]]:
        bad[fresh] = True
    return bad & ~denied
