"""Search, order, page: what is shown is what is there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate import browse
from curate.browse import Place, closeness, find_row, meanings, neighbours, ordered, place, search_rows, sortable
from curate.dataset import Dataset
from curate.errors import InputError
from curate.load import load
from curate.measure import measure
from curate.scores import Scores
from curate.task import plan
from curate.workspace import Workspace

ROWS = [
    {"prompt": "What is Ärger?", "response": "Anger (.*) [a-z]", "size": 3, "group": "b", "nested": {"a": 1}},
    {"prompt": "Nothing", "response": "a new\nline of text", "size": None, "group": None, "nested": {"a": 2}},
    {"prompt": None, "response": "ANGER and text", "size": -1, "group": "a", "nested": None},
    {"prompt": "text", "response": None, "size": 3, "group": "b", "nested": None},
    {"prompt": "", "response": '"quoted" text', "size": 10, "group": "c", "nested": None},
]


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    folder = tmp_path_factory.mktemp("browse")
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    work = Workspace.at(folder / "w")
    return Scores(load(str(path), work), work, ())


def found(dataset: Dataset, words: str) -> list[int]:
    return [int(i) for i in np.flatnonzero(search_rows(dataset, words))]


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("anger", [0, 2]),
        ("TEXT anger", [2]),
        ("what anger", [0]),
        ("ärger", [0]),
        (".*", [0]),
        ("[A-Z]", [0]),
        ('"of text"', [1]),
        ('"text of"', []),
        ('"new\nline"', [1]),
        ('"anger and" text', [2]),
        ('text "', [1, 2, 3, 4]),
        ("\\", []),
        ("none", []),
    ],
)
def test_search_finds_rows_that_hold_every_word(scores: Scores, words: str, rows: list[int]) -> None:
    assert found(scores.dataset, words) == rows


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.text(st.sampled_from('aenTR.*[]\\^$ \t(?i)"'), max_size=6))
def test_search_equals_a_plain_loop(scores: Scores, words: str) -> None:
    texts = scores.dataset.views(["text"]).collect()["text"].to_list()
    parts = [[part] if i % 2 else part.split() for i, part in enumerate(words.lower().split('"'))]
    wanted = [w for part in parts for w in part if w.strip()]
    expected = [i for i, text in enumerate(texts) if all(w in (text or "").lower() for w in wanted)]
    assert found(scores.dataset, words) == expected


def test_search_in_pieces_is_the_same(scores: Scores, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [found(scores.dataset, words) for words in ("text", "a", "none")]
    assert any(whole)
    for piece in (1, 2, 3):
        monkeypatch.setattr(browse, "PIECE", piece)
        assert [found(scores.dataset, words) for words in ("text", "a", "none")] == whole


def test_a_search_has_a_length_and_a_time(scores: Scores) -> None:
    search_rows(scores.dataset, "é" * browse.LONGEST)
    search_rows(scores.dataset, "a " * browse.MOST_WORDS)
    for words, wrong in (("a" * (browse.LONGEST + 1), "longer than 1,000 characters"), ("a " * (browse.MOST_WORDS + 1), "asks for 51 words")):
        with pytest.raises(InputError, match=f"search: .*{wrong}"):
            search_rows(scores.dataset, words)
    with pytest.raises(InputError, match="search: took longer than 0 s and was stopped at row 0"):
        search_rows(scores.dataset, "a", 0)


def test_search_reads_turns(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    chats = [[("user", "Hello there"), ("assistant", "General")], [("user", "Bye"), ("assistant", "there"), ("user", "thanks")]]
    path.write_text("".join(json.dumps({"messages": [{"role": r, "content": c} for r, c in chat]}) + "\n" for chat in chats), encoding="utf-8")
    dataset = load(str(path), Workspace.at(tmp_path / "w"))
    assert found(dataset, "there") == [0, 1]
    assert found(dataset, "THANKS there") == [1]


def test_order_puts_missing_last_and_keeps_ties_in_file_order(scores: Scores) -> None:
    assert ordered(scores, "size").tolist() == [2, 0, 3, 4, 1]
    assert ordered(scores, "size", descending=True).tolist() == [4, 0, 3, 2, 1]
    assert ordered(scores, "group").tolist() == [2, 0, 3, 4, 1]
    assert ordered(scores, "group", descending=True).tolist() == [4, 0, 3, 2, 1]


def test_nested_columns_have_no_order(scores: Scores) -> None:
    assert sortable(scores) == ["prompt", "response", "size", "group"]
    for name in ("nested", "row_id", "absent"):
        with pytest.raises(InputError, match="rows cannot be ordered by it"):
            ordered(scores, name)


def test_a_row_is_found_by_its_id(scores: Scores) -> None:
    ids = scores.frame["row_id"].to_list()
    assert [find_row(scores, f" {row_id}\n") for row_id in ids] == [0, 1, 2, 3, 4]
    assert find_row(scores, "0" * 16) is None


def test_place_counts_the_scored_rows_below() -> None:
    values = np.array([1.0, np.nan, 2.0, 2.0, 5.0])
    codes = np.array([0, 255, 1, 1, 3], np.uint8)
    assert place(values, codes, 0) == Place(1.0, 0.0, 0)
    assert place(values, codes, 3) == Place(2.0, 0.25, 1)
    assert place(values, codes, 4) == Place(5.0, 0.75, 3)
    assert place(values, codes, 1) == Place(None, None, None)


def test_neighbours_leave_out_the_row_itself_and_empty_places() -> None:
    rows = pl.Series("rows", [[1, 2, -1], [0, 1, 2], None], dtype=pl.Array(pl.Int32, 3))
    near = pl.Series("near", [[0.9, 0.5, 0.0], [0.9, 1.0, 0.25], None], dtype=pl.Array(pl.Float32, 3))
    assert neighbours(rows, near, 0) == [(1, pytest.approx(0.9)), (2, 0.5)]
    assert neighbours(rows, near, 1) == [(0, pytest.approx(0.9)), (2, 0.25)]
    assert neighbours(rows, near, 2) == []


def test_the_closest_in_meaning_come_first(tmp_path: Path) -> None:
    animals, money = ["a cat sleeps on the sofa", "the dog runs after a ball"], ["how do I pay my bank loan", "the interest rate of a credit card"]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in [*animals, None, *money]))
    work = Workspace.at(tmp_path / "workspace")
    data = load(str(path), work)
    tasks = plan(data, {"embedding": {"model": "wordllama"}})
    measure(data, tasks, work, "inline")
    scores = Scores(data, work, tasks)
    near = closeness(scores, "kitten and puppy", meanings(scores))
    assert np.isnan(near[2])
    assert min(near[:2]) > max(near[3:])
    exact = scores.vectors("embedding", "embedding_vector")
    asked = tasks[0].signal.compute(pa.record_batch({"of": pa.array(["kitten and puppy"], pa.large_string())}), **tasks[0].parameters)["embedding_vector"]
    assert near[0] == pytest.approx(float(np.dot(exact[0].to_numpy(), np.array(asked[0].as_py()))), abs=0.01)
    assert np.isnan(closeness(scores, " ", meanings(scores))).all()
