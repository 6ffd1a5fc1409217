"""Coverage: planted gaps are found and none where there is none; the closest rows are those of brute force; balance by hand."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.advice import next_steps
from curate.coverage import Gap, across, balance, chance_limit, gaps, heavy, lack, thin
from curate.errors import InputError
from curate.load import load
from curate.measure import measure
from curate.recipe import load_recipe, parse_recipe
from curate.scores import Scores
from curate.selection import select
from curate.signals.coverage import SIGNAL
from curate.task import plan
from curate.workspace import Workspace
from tests.vectors import as_column, planted

STATIC = {"embedding": {"model": "wordllama"}}
ABOUT = {
    "garden": "Water the {} roses in the garden bed on day {} before noon",
    "music": "Play the {} violin sonata at the evening concert number {}",
    "engine": "Repair the {} engine brake in the mechanic's garage, order {}",
    "soup": "Cook the {} onion soup with pepper in the kitchen, recipe {}",
}
LIKE = ("old", "red", "small", "quiet", "second", "tall", "plain", "early", "worn", "good")


def _texts(kinds: list[str], each: int, start: int = 0) -> list[str]:
    return [ABOUT[kind].format(LIKE[i % len(LIKE)], start + i) for kind in kinds for i in range(each)]


def _write(path: Path, texts: list[str]) -> str:
    path.write_text("".join(json.dumps({"response": text}) + "\n" for text in texts))
    return str(path)


def _measured(folder: Path, own: list[str], reference: list[str], **given: Any) -> Scores:
    data = load(_write(folder / "own.jsonl", own), Workspace.at(folder / "workspace"), roles={"response": "response"})
    tasks = plan(data, {**STATIC, "coverage": {"reference": _write(folder / "wanted.jsonl", reference), **given}})
    measure(data, tasks, Workspace.at(folder / "workspace"), "inline")
    return Scores(data, Workspace.at(folder / "workspace"), tasks)


def _gaps(scores: Scores) -> list[Gap]:
    table = scores.attached("coverage", "reference")
    assert table is not None
    limit = chance_limit(table["own"].to_numpy())
    assert limit is not None
    return [g for g in gaps(table, limit) if g.lacks]


def test_a_planted_gap_is_found_and_named(tmp_path: Path) -> None:
    scores = _measured(tmp_path, _texts(["garden", "engine", "soup"], 60, 1000), _texts([*ABOUT], 40), count=4)
    found = _gaps(scores)
    assert len(found) == 1
    assert "violin" in found[0].name or "concert" in found[0].name or "sonata" in found[0].name
    assert (found[0].rows, found[0].missing) == (40, 40)
    table = scores.attached("coverage", "reference")
    assert table is not None
    assert all("violin" in table["text"][row] for row in found[0].examples)
    told = lack(table)
    assert told is not None
    assert (told.rows, told.clusters, told.gaps) == (160, 4, (found[0],))
    assert told.missing >= 40
    assert lack(table.head(19)) is None
    (said,) = next_steps(scores, parse_recipe({"dataset": {"path": "x"}}, "recipe"), select(scores, parse_recipe({"dataset": {"path": "x"}}, "recipe")), None)
    assert f"Rows like these would help most: {found[0].name} (40 of 40)" in said


def test_where_nothing_lacks_there_is_no_gap(tmp_path: Path) -> None:
    assert not _gaps(_measured(tmp_path, _texts([*ABOUT], 60, 1000), _texts([*ABOUT], 40), count=4))


def test_intents_that_are_left_out_are_found_in_real_data(tmp_path: Path, shared: Path) -> None:
    def read(name: str) -> list[tuple[str, str]]:
        with (shared / "banking77" / name).open(encoding="utf-8") as file:
            return [(row["text"], row["category"]) for row in csv.DictReader(file)]

    train, test = read("train.csv")[::2], read("test.csv")[::2]
    out = {"exchange_rate", "exchange_charge", "exchange_via_app", "age_limit"}
    whole = _measured(tmp_path, [text for text, _ in train], [text for text, _ in test])
    assert not _gaps(whole)
    (tmp_path / "less").mkdir()
    less = _measured(tmp_path / "less", [text for text, kind in train if kind not in out], [text for text, _ in test])
    found, kinds = _gaps(less), dict(test)
    table = less.attached("coverage", "reference")
    assert table is not None
    assert found
    said = [kinds[table["text"][row]] for gap in found for row in gap.examples]
    assert np.mean([kind in out for kind in said]) >= 0.8


def test_both_sides_are_those_of_brute_force() -> None:
    vectors, reference = planted(5000, 16, 30, 0.5)[0], planted(4200, 16, 30, 0.5, seed=1)[0]
    near, cosine, back, alike = across(vectors, reference)
    product = vectors @ reference.T
    np.testing.assert_allclose(cosine, product.max(1), atol=1e-6)
    np.testing.assert_allclose(alike, product.max(0), atol=1e-6)
    np.testing.assert_allclose(product[np.arange(5000), near], product.max(1), atol=1e-6)
    np.testing.assert_allclose(product[back, np.arange(4200)], product.max(0), atol=1e-6)
    nothing = np.empty((0, 16), np.float32)
    assert [part.tolist() for part in across(nothing, reference[:2])] == [[], [], [-1, -1], [-1, -1]]


def test_positions_are_those_of_the_file_and_the_embedding_is_the_datasets(tmp_path: Path) -> None:
    texts = _texts(["garden", "music"], 20)
    scores = _measured(tmp_path, [*texts[::-1], ""], [texts[0], "", texts[0].upper(), *texts[1:]])
    task = scores.measured["coverage"]
    assert task.parameters["model"] == "wordllama"
    assert task.manifest(scores.workspace)["notes"] == {"reference rows": 40}
    place = scores.frame["coverage_position"].to_list()
    assert place == [*range(41, 2, -1), 0, None]
    np.testing.assert_allclose(scores.frame["coverage_similarity"].to_list()[:-1], 1, atol=1e-5)
    other = plan(scores.dataset, {"embedding": {}, "coverage": dict(task.parameters) | {"model": ""}})[-1]
    assert other.parameters["model"] == "all-minilm-l6-v2"
    assert other.key != task.key


def test_a_recipe_names_the_reference_from_its_folder(tmp_path: Path) -> None:
    _write(tmp_path / "own.jsonl", ["a row"])
    _write(tmp_path / "wanted.jsonl", ["a row"])
    (tmp_path / "r.yaml").write_text("dataset: {path: own.jsonl}\nsignals: {coverage: {reference: wanted.jsonl}}\n")
    assert load_recipe(tmp_path / "r.yaml").signals["coverage"]["reference"] == str(tmp_path / "wanted.jsonl")
    data = load(str(tmp_path / "own.jsonl"), Workspace.at(tmp_path / "workspace"), roles={"response": "response"})
    assert plan(data, {"coverage": {}})[-1].skip == "needs the parameter reference: a dataset that this one should cover"


def test_an_embedding_of_another_width_is_refused(tmp_path: Path) -> None:
    column = as_column(planted(10, 16)[0])
    with pytest.raises(InputError, match="gives 256 numbers a row"):
        SIGNAL.compute(_table(column), reference=_write(tmp_path / "w.jsonl", ["some words"]), model="wordllama")


def test_a_reference_without_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.jsonl").write_text('{"response": " "}\n')
    with pytest.raises(InputError, match="no row of it has text"):
        SIGNAL.compute(_table(as_column(planted(10, 256)[0])), reference=str(tmp_path / "w.jsonl"), model="wordllama")


def _table(column: Any) -> Any:
    import pyarrow as pa

    return pa.table({"embedding_vector": column})


def test_gaps_by_hand() -> None:
    table = pl.DataFrame(
        {
            "cluster": [0] * 10 + [1] * 10 + [2] * 2,
            "name": ["far"] * 10 + ["loose"] * 10 + ["few"] * 2,
            "similarity": [0.1 + 0.01 * i for i in range(10)] + [0.2] * 10 + [0.9, 0.2],
            "own": [0.9] * 10 + [0.2] * 10 + [0.9] * 2,
        }
    )
    far, loose, few = gaps(table, 0.5)
    assert (far.name, far.rows, far.missing, far.own, far.lacks, far.examples) == ("far", 10, 10, 0.0, True, (0, 1, 2, 3, 4))
    assert far.chance == pytest.approx(0.05**10)
    assert (loose.name, loose.share, loose.own, loose.lacks) == ("loose", 1.0, 1.0, False), "its rows are as far from one another"
    assert (few.share, few.lacks, few.examples) == (0.5, False, (21,)), "one of two is no surprise"
    assert few.chance == pytest.approx(1 - 0.95**2)
    assert chance_limit(np.arange(21, dtype=np.float32)) == 1
    assert chance_limit(np.ones(19, np.float32)) is None


def test_balance_by_hand() -> None:
    found = balance(pl.Series(["a", "b", "a", None, "a", "b"]), np.array([1, 1, 0, 0, 0, 0], bool), np.array([5, 1, 2, 3, 4, 6]))
    assert [(g.name, g.rows, g.kept, g.tokens, g.kept_tokens) for g in found.groups] == [("a", 3, 1, 11, 5), ("b", 2, 1, 7, 1), ("(none)", 1, 0, 3, 0)]
    shares = (3 / 6, 2 / 6, 1 / 6)
    assert found.evenness == pytest.approx(-sum(s * math.log(s) for s in shares) / math.log(3))
    assert found.kept_evenness == pytest.approx(math.log(2) / math.log(3))
    assert (found.ratio, found.kept_ratio) == (3, 1)
    assert balance(pl.Series(["a"]), np.ones(1, bool)).evenness is None
    assert balance(pl.Series([], dtype=pl.String), np.ones(0, bool)).ratio is None


def test_thin_and_heavy_by_hand() -> None:
    assert (thin([100, 100, 10]), heavy([100, 100, 10])) == ([2], [])
    assert heavy([70, 20, 10]) == [0]
    assert heavy([50, *[5] * 9]) == [0]
    assert (heavy([40]), thin([40]), thin([]), heavy([])) == ([], [], [], [])


@given(st.lists(st.sampled_from("abcd"), max_size=30), st.integers(0, 5))
def test_balance_counts_every_row_once(values: list[str], seed: int) -> None:
    keep = np.random.default_rng(seed).random(len(values)) < 0.5
    found = balance(pl.Series(values, dtype=pl.String), keep)
    assert sum(g.rows for g in found.groups) == len(values)
    assert sum(g.kept for g in found.groups) == keep.sum()
    assert found.evenness is None or -1e-9 <= found.evenness <= 1 + 1e-9
