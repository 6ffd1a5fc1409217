"""A dataset read by position, by batch and by view gives the same rows."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from curate.dataset import Dataset
from curate.errors import InputError
from curate.load import load
from curate.overview import columns
from curate.workspace import Workspace

ROWS = 150_000  # more than one row group, and more runs than are sought out one by one


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("dataset")
    rows = ({"prompt": f"ask {i}", "response": "" if i % 1000 == 0 else f"answer {i}", "rating": i % 5, "none": None} for i in range(ROWS))
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load(str(folder / "a.jsonl"), Workspace.at(folder / "workspace"))


def test_rows_by_position_come_as_asked_for(dataset: Dataset) -> None:
    whole = dataset.scan().collect()
    for positions in ([], [0], [ROWS - 1, 5, 4, 99_999, 100_000, 5], [*range(40_000, 40_050)], [*range(ROWS - 1, 0, -301)]):
        assert dataset.rows_at(positions).equals(whole[positions])
    assert dataset.rows_at([7, 3], ["response", "text", "rating"]).rows() == [("answer 7", "ask 7\nanswer 7", 2), ("answer 3", "ask 3\nanswer 3", 3)]
    for wrong in (-1, ROWS):
        with pytest.raises(InputError, match=f"there is no row {wrong}"):
            dataset.rows_at([3, wrong])


@pytest.mark.parametrize(("rows", "start"), [(4096, 0), (4096, 98_765), (149_999, 0), (200_000, 10), (1000, ROWS)])
def test_batches_are_the_views_in_pieces(dataset: Dataset, rows: int, start: int) -> None:
    names = ["text", "rating"]
    batches = [*dataset.batches(names, rows, start)]
    assert [len(b) for b in batches[:-1]] == [rows] * (len(batches) - 1)
    found = [pl.DataFrame(b) for b in batches]
    wanted = dataset.views(names).slice(start).collect()
    assert (pl.concat(found) if found else wanted).equals(wanted)


def test_problems_are_said(dataset: Dataset) -> None:
    assert dataset.problems() == ["'none' is null in every row", "150 of 150,000 rows have an empty response"]
    assert dataset.with_roles({"rating": "rating"}).problems() == [
        "'none' is null in every row",
        "No column is known to hold text: give a column the role prompt or response",
    ]


def test_a_column_that_holds_nothing_is_called_null(dataset: Dataset) -> None:
    found = {row["column"]: row for row in columns(dataset).iter_rows(named=True)}
    assert (found["none"]["type"], found["none"]["missing"], found["none"]["example"]) == ("null", 150_000, "holds nothing")
    assert [name for name, row in found.items() if row["type"] == "null"] == ["none"]


def test_roles_can_be_changed(dataset: Dataset) -> None:
    other = dataset.with_roles({"response": "prompt", "annotations": ["rating", "response"]})
    assert (other.has("prompt"), other.has("text"), other.has("annotations"), other.has("label")) == (False, True, True, False)
    assert other.views(["text", "annotations"]).slice(1, 1).collect().row(0) == ("ask 1", ["1", "answer 1"])
    assert (other.fingerprint, other.folder) == (dataset.fingerprint, dataset.folder)
    with pytest.raises(InputError, match="no column 'row_id'"):
        dataset.with_roles({"response": "row_id"})


def test_a_row_is_shown_as_turns(dataset: Dataset, workspace: Workspace, tmp_path: Path) -> None:
    assert dataset.turns(3) == [("prompt", "ask 3"), ("response", "answer 3")]
    rows = [{"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": None}]}, {"conversations": None}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    chat = load(str(tmp_path / "a.jsonl"), workspace)
    assert chat.turns(0) == [("human", "hi"), ("gpt", "")]
    assert chat.turns(1) == []
