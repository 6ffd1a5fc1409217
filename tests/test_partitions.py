"""The near-duplicate search in stages: the same files as in one process, whatever the sizes, after a kill at any task, on any engine."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import curate.staging
from curate import banding
from curate.dataset import Dataset
from curate.links import link, write_links
from curate.load import load
from curate.measure import measure
from curate.partitions.near import near_in_stages
from curate.partitions.plan import Plan, Sizes, joined, keep, mapped
from curate.partitions.tree import forest_of
from curate.signal import check_parameters
from curate.signals.near_duplicate import SIGNAL
from curate.task import plan
from curate.workspace import Workspace
from tests.pairs import random_pairs
from tests.test_near_duplicate import planted, template

FILES = ("scores.parquet", "pairs.parquet", "rows.parquet", "forest.parquet")
SMALL = Sizes(rows=150, classes=100, wide=2, pairs=60, forests=2)


def in_turn(function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
    return map(function, items)


def made(folder: Path, texts: Sequence[str | None]) -> Dataset:
    folder.mkdir()
    pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)}).write_parquet(folder / "rows.parquet")
    return load(str(folder / "rows.parquet"), Workspace.at(folder / "workspace"))


@pytest.fixture(scope="module")
def texts() -> list[str | None]:
    return [*planted(400, 7), None, "", *planted(100, 7), *template(30), "One word", None]


@pytest.fixture(scope="module")
def dataset(texts: list[str | None], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return made(tmp_path_factory.mktemp("data") / "in", texts)


def at_once(dataset: Dataset, folder: Path, **given: Any) -> dict[str, bytes]:
    """The files of one process."""
    folder.mkdir()
    table = dataset.views(["text"]).collect().rename({"text": "of"}).to_arrow()
    scores, pairs = SIGNAL.compute(table, **given)
    frame = pl.from_arrow(scores)
    assert isinstance(frame, pl.DataFrame)
    frame.write_parquet(folder / "scores.parquet")
    write_links(link(SIGNAL.name, pairs), folder)
    return {name: (folder / name).read_bytes() for name in FILES}


def search(dataset: Dataset, folder: Path, sizes: Sizes = SMALL, **given: Any) -> Plan:
    return Plan(dataset, "text", check_parameters(SIGNAL, given), folder, sizes)


def in_stages(given: Plan, run: Any = in_turn) -> dict[str, bytes]:
    whole = given.folder / "whole"
    whole.mkdir(parents=True, exist_ok=True)
    near_in_stages(given, run, whole)
    return {name: (whole / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("sizes", [SMALL, Sizes(), Sizes(rows=100, classes=7_000, wide=1, pairs=1, forests=8)])
def test_stages_write_byte_for_byte_what_one_process_does(dataset: Dataset, tmp_path: Path, sizes: Sizes) -> None:
    assert in_stages(search(dataset, tmp_path / "stages", sizes)) == at_once(dataset, tmp_path / "once")


@pytest.mark.parametrize("given", [{"floor": 0.7, "seed": 5}, {"floor": 0.8, "unit": "character", "ngram": 6}, {"floor": 1.0}])
def test_so_they_do_with_other_parameters(dataset: Dataset, tmp_path: Path, given: dict[str, Any]) -> None:
    assert in_stages(search(dataset, tmp_path / "stages", **given)) == at_once(dataset, tmp_path / "once", **given)


@pytest.mark.parametrize("room", [0, 20_000])
def test_crowds_are_sampled_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    monkeypatch.setattr(banding, "ROOM", room)
    monkeypatch.setattr(banding, "COMPLETE", 30)
    data = made(tmp_path / "in", [*template(200), *planted(200, 3), *template(100)])
    sizes = Sizes(rows=150, classes=200, wide=1, pairs=4_000)
    assert in_stages(search(data, tmp_path / "stages", sizes, floor=0.8)) == at_once(data, tmp_path / "once", floor=0.8)
    assert pl.read_parquet(tmp_path / "once" / "scores.parquet")["near_duplicate_sampled"].sum() >= 200


@pytest.mark.parametrize("texts", [[None, None], ["", " "], ["a"], ["a b c", "a b c"], [f"word{i}" for i in range(9)]])
def test_nothing_to_compare(tmp_path: Path, texts: list[str | None]) -> None:
    data = made(tmp_path / "in", texts)
    assert in_stages(search(data, tmp_path / "stages", floor=0.9)) == at_once(data, tmp_path / "once", floor=0.9)


class Killed(BaseException):
    """Stands for the end of the process."""


def test_a_kill_after_any_task_loses_that_task_only(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed again and again, each time after some tasks more; every task's files are written by one of the runs only."""
    written: list[str] = []

    def noting(path: Path, values: Any) -> None:
        written.append(path.name)
        keep(path, values)

    for room in ("shard", "bucket", "tree"):
        monkeypatch.setattr(f"curate.partitions.{room}.keep", noting)
    given, once = search(dataset, tmp_path / "stages", floor=0.7), at_once(dataset, tmp_path / "once", floor=0.7)
    kills = 0
    while True:
        before = len(written)

        def run(function: Callable[[Any], Any], items: Sequence[Any], before: int = before) -> Iterator[Any]:
            for item in items:
                yield function(item)
                if len(written) > before + 20:
                    raise Killed

        try:
            found = in_stages(given, run)
            break
        except Killed:
            kills += 1
    assert found == once
    assert kills > 5
    assert len(written) == len({*written})


def test_a_task_cut_off_leaves_nothing_that_is_taken_for_whole(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stage's task is ended once between its files."""
    ended: set[str] = set()

    def ending(path: Path, values: Any) -> None:
        kind = path.name.partition("-")[0]
        if kind not in ended and path.name.endswith("1.npy"):
            ended.add(kind)
            raise Killed
        keep(path, values)

    for room in ("shard", "bucket", "tree"):
        monkeypatch.setattr(f"curate.partitions.{room}.keep", ending)
    given, once = search(dataset, tmp_path / "stages", floor=0.7), at_once(dataset, tmp_path / "once", floor=0.7)
    while True:
        before = len(ended)
        try:
            found = in_stages(given)
            break
        except Killed:
            assert len(ended) > before
    assert found == once
    assert {"length", "equal", "column", "bound", "pair", "ordered", "forest"} <= ended


def test_tasks_can_go_to_other_processes(dataset: Dataset, tmp_path: Path) -> None:
    """As they do on an engine: by name and by value."""

    def elsewhere(function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        for item in items:
            there, given = pickle.loads(pickle.dumps((function, item)))
            yield pickle.loads(pickle.dumps(there(given)))

    assert in_stages(search(dataset, tmp_path / "stages", floor=0.8), elsewhere) == at_once(dataset, tmp_path / "once", floor=0.8)


@pytest.mark.parametrize("engine", ["inline", "pool"])
def test_measure_takes_stages_where_rows_are_many(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Any) -> None:
    monkeypatch.setattr(curate.staging, "STAGED_FROM", 300)
    workspace, told = Workspace.at(tmp_path / "work"), []
    (task,) = plan(dataset, {"near_duplicate": {"floor": 0.8}})
    measure(dataset, [task], workspace, engine, lambda _stage, done, _total, _unit="rows", /: told.append(done))
    folder = task.folder(workspace)
    assert {f.name for f in folder.iterdir()} == {*FILES, "manifest.json"}
    assert {name: (folder / name).read_bytes() for name in FILES} == at_once(dataset, tmp_path / "once", floor=0.8)
    assert told[1:] == sorted(told[1:])
    assert told[-1] == 100
    assert task.manifest(workspace)["columns"][0] == "near_duplicate_similarity"
    assert [f.name for f in folder.parent.iterdir()] == [folder.name], "the stages' files are gone"


def test_the_forest_of_a_part_needs_no_other_rows() -> None:
    pairs = random_pairs(300, 600, 3)
    key = pairs.a.astype(np.uint64) << np.uint64(32) | pairs.b.astype(np.uint64)
    whole = forest_of(key, pairs.similarity)
    assert len(whole) > 50
    part = np.random.default_rng(1).integers(0, 5, len(key))
    forests = np.concatenate([forest_of(key[part == p], pairs.similarity[part == p]) for p in range(5)])
    assert len(forests) > len(whole)
    assert (forest_of(np.ascontiguousarray(forests["pair"]), np.ascontiguousarray(forests["similarity"])) == whole).all()
    assert (link("x", pairs).joins[-len(whole) :] == whole["similarity"]).all()


def test_arrays_join_on_disk(tmp_path: Path) -> None:
    parts = [np.arange(6, dtype=np.uint32).reshape(2, 3), np.empty((0, 3), np.uint32), np.arange(3, dtype=np.uint32).reshape(1, 3)]
    for number, part in enumerate(parts):
        keep(tmp_path / f"{number}.npy", part)
    joined([tmp_path / f"{number}.npy" for number in range(3)], tmp_path / "whole.npy")
    assert (mapped(tmp_path / "whole.npy") == np.concatenate(parts)).all()
