"""Ratings as datasets give them: a column a person, lists of values, lists of who said what."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from curate.agreement import alpha
from curate.annotation import ratings
from curate.errors import InputError
from curate.load import load
from curate.workspace import Workspace

SAID: list[tuple[int | None, int | None, int | None]] = [(1, 1, 2), (3, None, 3), (2, 2, 2), (None, None, None)]


def _read(frame: pl.DataFrame, names: list[str], workspace: Workspace, folder: Path) -> tuple[list[list[int]], tuple[object, ...], tuple[str, ...]]:
    frame.with_columns(text=pl.lit("a text")).write_parquet(folder / "rows.parquet")
    found = ratings(load(str(folder / "rows.parquet"), workspace, roles={"response": "text", "annotations": names}))
    assert found is not None
    return found.code.tolist(), found.values, found.raters


CODES = [[0, 0, 1], [2, -1, 2], [1, 1, 1], [-1, -1, -1]]


def test_a_column_for_each_person(workspace: Workspace, tmp_path: Path) -> None:
    frame = pl.DataFrame(SAID, schema={"ann": pl.Int8, "bob": pl.Int64, "cy": pl.Float32}, orient="row")
    assert _read(frame, ["ann", "bob", "cy"], workspace, tmp_path) == (CODES, (1.0, 2.0, 3.0), ("ann", "bob", "cy"))


def test_texts_are_values_in_their_order(workspace: Workspace, tmp_path: Path) -> None:
    frame = pl.DataFrame([tuple(None if v is None else "xyz"[v - 1] for v in row) for row in SAID], schema=["ann", "bob", "cy"], orient="row")
    assert _read(frame, ["ann", "bob", "cy"], workspace, tmp_path) == (CODES, ("x", "y", "z"), ("ann", "bob", "cy"))


def test_lists_of_who_said_what(workspace: Workspace, tmp_path: Path) -> None:
    lists = [[{"annotator": w, "label": v} for w, v in zip(("ann", "bob", "cy"), row, strict=True) if v is not None] for row in SAID]
    kind = pl.List(pl.Struct({"annotator": pl.String, "label": pl.Int64}))
    assert _read(pl.DataFrame({"votes": pl.Series(lists, dtype=kind)}), ["votes"], workspace, tmp_path) == (CODES, (1.0, 2.0, 3.0), ("ann", "bob", "cy"))


def test_lists_of_values_have_places_for_raters(workspace: Workspace, tmp_path: Path) -> None:
    frame = pl.DataFrame({"votes": [[1, 1, 2], [3, 3], [], None]}, schema={"votes": pl.List(pl.Int64)})
    code, values, raters = _read(frame, ["votes"], workspace, tmp_path)
    assert code == [[0, 0, 1], [2, 2, -1], [-1, -1, -1], [-1, -1, -1]]
    assert (values, raters) == ((1.0, 2.0, 3.0), ("rating 1", "rating 2", "rating 3"))


def test_arrays_are_lists_too(workspace: Workspace, tmp_path: Path) -> None:
    frame = pl.DataFrame({"votes": [[1, 1], [1, 2]]}, schema={"votes": pl.Array(pl.Int64, 2)})
    assert _read(frame, ["votes"], workspace, tmp_path)[0] == [[0, 0], [0, 1]]


def test_what_holds_no_ratings_is_refused_or_none(workspace: Workspace, tmp_path: Path) -> None:
    frame = pl.DataFrame({"votes": [[{"x": 1}], [{"x": 2}]]})
    with pytest.raises(InputError, match="lists entries of x"):
        _read(frame, ["votes"], workspace, tmp_path)
    with pytest.raises(InputError, match="lists stand beside"):
        _read(pl.DataFrame({"a": [[1], [2]], "b": [1, 2]}), ["a", "b"], workspace, tmp_path)
    pl.DataFrame({"response": ["a", "b"]}).write_parquet(tmp_path / "bare.parquet")
    assert ratings(load(str(tmp_path / "bare.parquet"), workspace)) is None


def test_nobody_rated(workspace: Workspace, tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [None, None], "b": [None, None], "text": ["x", "y"]}, schema={"a": pl.Int64, "b": pl.Int64, "text": pl.String})
    frame.write_parquet(tmp_path / "rows.parquet")
    found = ratings(load(str(tmp_path / "rows.parquet"), workspace, roles={"response": "text", "annotations": ["a", "b"]}))
    assert found is not None
    assert alpha(found, "nominal") is None


def test_more_people_and_rows_than_fit_are_refused(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.annotation.MOST", 11)
    frame = pl.DataFrame(SAID, schema={"ann": pl.Int8, "bob": pl.Int64, "cy": pl.Float32}, orient="row")
    with pytest.raises(InputError, match="3 people and 4 rows are more than"):
        _read(frame, ["ann", "bob", "cy"], workspace, tmp_path)


def test_a_person_twice_in_a_list_counts_once(workspace: Workspace, tmp_path: Path) -> None:
    votes = [[{"annotator": "ann", "label": 1}, {"annotator": "ann", "label": 2}], [{"annotator": "bob", "label": 1}]]
    pl.DataFrame({"votes": votes, "text": ["a", "b"]}).write_parquet(tmp_path / "rows.parquet")
    found = ratings(load(str(tmp_path / "rows.parquet"), workspace, roles={"response": "text", "annotations": "votes"}))
    assert found is not None
    assert found.lost.repeated == 1
    assert found.values[found.code[0, 0]] == 2.0
