"""Ratings in long form: the published tables through a file and through the dataset's own rows, what does not count, and what cannot be joined."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import given as sampled
from hypothesis import settings
from hypothesis import strategies as st

from curate.__main__ import main
from curate.agreement import Level, Lost, Ratings, alpha, fleiss_kappa
from curate.annotation import ratings, ratings_column, ratings_of
from curate.errors import InputError
from curate.export import dataset_of
from curate.load import load
from curate.longform import with_ratings
from curate.part import Annotations
from curate.recipe import dump_recipe, load_recipe, parse_recipe
from curate.roles import Role
from curate.workspace import Workspace
from tests.test_agreement import CODERS, FLEISS

LINES: list[dict[str, Any]] = [{"id": f"unit {i}", "who": "abcd"[c], "value": int(CODERS[i, c])} for i in range(len(CODERS)) for c in range(4) if CODERS[i, c]]
FORM = {"item": "id", "rater": "who", "value": "value"}


def _file(folder: Path, lines: list[dict[str, Any]], name: str) -> str:
    frame, path = pl.DataFrame(lines, infer_schema_length=None), folder / name
    getattr(frame, {".csv": "write_csv", ".jsonl": "write_ndjson", ".parquet": "write_parquet"}[path.suffix])(path)
    return str(path)


def _rows(folder: Path, names: list[Any], column: str = "id") -> str:
    return _file(folder, [{column: name, "text": f"The text of {name}"} for name in names], "rows.parquet")


def _joined(folder: Path, workspace: Workspace, lines: list[dict[str, Any]], names: list[Any], **more: Any) -> Ratings:
    part = Annotations(path=_file(folder, lines, "ratings.csv"), **{**FORM, **more})
    found = ratings(with_ratings(load(_rows(folder, names), workspace), part, workspace))
    assert found is not None
    return found


def _own(folder: Path, workspace: Workspace, lines: list[dict[str, Any]]) -> Ratings:
    path = _file(folder, [{**line, "text": f"The text of {line['id']}"} for line in lines], "own.parquet")
    found = ratings(with_ratings(load(path, workspace), Annotations(**FORM), workspace))
    assert found is not None
    return found


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_krippendorffs_four_coders_in_a_file(ending: str, workspace: Workspace, tmp_path: Path) -> None:
    part = Annotations(path=_file(tmp_path, LINES, f"ratings{ending}"), **FORM)
    data = with_ratings(load(_rows(tmp_path, [f"unit {i}" for i in range(12)]), workspace), part, workspace)
    found = ratings(data)
    assert found is not None
    known: dict[Level, float] = {"nominal": 0.743, "ordinal": 0.815, "interval": 0.849, "ratio": 0.797}
    for level, value in known.items():
        assert alpha(found, level) == pytest.approx(value, abs=5e-4)
    order = [found.raters.index(name) for name in "abcd"]
    assert found.code[:, order].tolist() == (CODERS - 1).tolist()
    assert found.lost == Lost()


def test_krippendorffs_four_coders_as_the_datasets_own_rows(workspace: Workspace, tmp_path: Path) -> None:
    found = _own(tmp_path, workspace, LINES)
    assert alpha(found, "nominal") == pytest.approx(0.743, abs=5e-4)
    assert alpha(found, "interval") == pytest.approx(0.849, abs=5e-4)
    assert len(found.code) == 41
    assert int((found.counts.sum(1) > 0).sum()) == 12, "the ratings of an item stand on its first row"


def test_fleiss_table_in_both_places(workspace: Workspace, tmp_path: Path) -> None:
    said = [np.repeat(np.arange(5), row) for row in FLEISS]
    lines = [{"id": i, "who": f"r{c}", "value": "abcde"[v]} for i, row in enumerate(said) for c, v in enumerate(row)]
    assert fleiss_kappa(_joined(tmp_path, workspace, lines, list(range(10)))) == pytest.approx(0.210, abs=5e-4)
    assert fleiss_kappa(_own(tmp_path, workspace, lines)) == pytest.approx(0.210, abs=5e-4)


def test_what_does_not_count_is_counted(workspace: Workspace, tmp_path: Path) -> None:
    more: list[dict[str, Any]] = [
        {"id": "unit 0", "who": "a", "value": 2},
        {"id": "unit 0", "who": "a", "value": 4},
        {"id": "elsewhere", "who": "a", "value": 1},
        {"id": "elsewhere", "who": "b", "value": 1},
        {"id": "far", "who": "b", "value": 1},
        {"id": None, "who": "b", "value": 1},
        {"id": "unit 1", "who": None, "value": 1},
    ]
    found = _joined(tmp_path, workspace, LINES + more, [*(f"unit {i}" for i in range(12)), "unit 3", "unit 3", None])
    assert found.lost == Lost(blank=2, unknown=3, unknown_items=2, repeated=2, shared=2)
    assert found.values[found.code[0, found.raters.index("a")]] == 4.0, "the last counts"
    assert int((found.code >= 0).sum()) == 41
    assert (found.code[12:] == -1).all()
    again = _own(tmp_path, workspace, LINES + more)
    assert again.lost == Lost(blank=2, repeated=2)


@pytest.mark.parametrize(("given", "keys"), [([1.0, 2.0, None], [1, 2, 3]), ([1, 2, 3], ["1", "2", "x"]), ([1, 2, 3], [1.0, 2.0, 2.5])])
def test_items_meet_as_text(given: list[Any], keys: list[Any], workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "ratings.parquet"
    pl.DataFrame({"id": given, "who": [7, 7, 7], "value": [1, 0, 1]}).write_parquet(path)
    found = ratings(with_ratings(load(_rows(tmp_path, keys), workspace), Annotations(path=str(path), **FORM), workspace))
    assert found is not None
    assert found.code[:2].tolist() == [[1], [0]]
    assert found.raters == ("7",)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"item": "item"}, r"annotations\.item: there is no column 'item' in .*ratings\.csv\. Its columns are 'id', 'who', 'value'"),
        ({"value": "vote"}, r"annotations\.value: there is no column 'vote'"),
        ({"key": "number"}, r"annotations\.key: there is no column 'number' in rows\.parquet\. Its columns are 'id', 'text'"),
        ({"key": "text"}, r"no row has an item of the 41 ratings .* Here 'text' holds 'The text of unit 0', there 'id' holds 'unit 0'"),
        ({"path": "absent.csv"}, "absent.csv: no such file"),
    ],
)
def test_what_cannot_be_joined_is_named(more: dict[str, str], says: str, workspace: Workspace, tmp_path: Path) -> None:
    data = load(_rows(tmp_path, [f"unit {i}" for i in range(12)]), workspace)
    with pytest.raises(InputError, match=says):
        with_ratings(data, Annotations(**{"path": _file(tmp_path, LINES, "ratings.csv"), **FORM, **more}), workspace)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"item": "id", "rater": "who"}, "annotations.value"),
        ({**FORM, "columm": "x"}, "Valid ones are path, item, rater, value, key"),
        ({**FORM, "rater": "id"}, "three different columns"),
        ({**FORM, "key": "id"}, "without path the dataset's own rows are the ratings"),
    ],
)
def test_a_recipe_that_is_wrong_says_where(given: dict[str, str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_recipe({"dataset": {"path": "x"}, "annotations": given}, "r.yaml")


def test_a_file_that_changed_is_read_again_and_the_role_gives_way(workspace: Workspace, tmp_path: Path) -> None:
    lists = [{"id": f"unit {i}", "text": "t", "votes": [1, 2]} for i in range(12)]
    data = load(_file(tmp_path, lists, "rows.parquet"), workspace, roles={"response": "text", "annotations": "votes"})
    part = Annotations(path=_file(tmp_path, LINES, "ratings.csv"), **FORM)
    one = with_ratings(data, part, workspace)
    assert Role.ANNOTATIONS not in one.roles
    assert with_ratings(data, part, workspace) == one
    _file(tmp_path, LINES[1:], "ratings.csv")
    other = with_ratings(data, part, workspace)
    assert other.ratings != one.ratings
    assert [int((r.code >= 0).sum()) for d in (one, other) if (r := ratings(d))] == [41, 40]


def test_the_audit_tells_the_same_from_every_form(workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wide = [{"id": f"unit {i}", "text": f"t {i}", **{f"coder_{c}": int(v) or None for c, v in zip("abcd", row, strict=True)}} for i, row in enumerate(CODERS)]
    _file(tmp_path, LINES, "ratings.csv")
    own = _file(tmp_path, [{**line, "text": f"t {line['id']}"} for line in LINES], "own.jsonl")
    forms: list[dict[str, Any]] = [
        {"dataset": {"path": _file(tmp_path, wide, "wide.jsonl"), "roles": {"response": "text", "annotations": [f"coder_{c}" for c in "abcd"]}}},
        {"dataset": {"path": _rows(tmp_path, [f"unit {i}" for i in range(12)])}, "annotations": {"path": "ratings.csv", **FORM}},
        {"dataset": {"path": own, "roles": {"response": "text"}}, "annotations": FORM},
    ]
    told = []
    for form in forms:
        (tmp_path / "r.yaml").write_text(yaml.safe_dump(form), encoding="utf-8")
        assert main(["audit", str(tmp_path / "r.yaml"), "--workspace", str(workspace.root), "--json", "--out", str(tmp_path / "report.html")]) == 0
        told.append(json.loads(capsys.readouterr().out))
    for one in told:
        agreed = one["agreement"]
        assert {k: agreed[k] for k in ("raters", "items", "items_rated_twice", "ratings")} == {"raters": 4, "items": 12, "items_rated_twice": 11, "ratings": 41}
        assert agreed["left_out"] == {"blank": 0, "unknown": 0, "unknown_items": 0, "repeated": 0, "shared": 0}
        assert agreed["alpha_nominal"] == pytest.approx(0.743, abs=5e-4)
        assert agreed["intervals"] == told[0]["agreement"]["intervals"]
        assert one["consensus"]["majority"] == told[0]["consensus"]["majority"]
        assert one["consensus"]["dawid_skene"] == told[0]["consensus"]["dawid_skene"]
    assert "4 raters gave 41 ratings of 12 items; 11 have two and more." in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_an_export_keeps_the_long_form(workspace: Workspace, tmp_path: Path) -> None:
    _file(tmp_path, LINES, "ratings.csv")
    _rows(tmp_path, [f"unit {i}" for i in range(12)])
    (tmp_path / "r.yaml").write_text(yaml.safe_dump({"dataset": {"path": "rows.parquet"}, "annotations": {"path": "ratings.csv", **FORM}}), encoding="utf-8")
    assert main(["run", str(tmp_path / "r.yaml"), "--workspace", str(workspace.root), "--out", str(tmp_path / "out")]) == 0
    again = load_recipe(tmp_path / "out" / "recipe.yaml")
    assert again.annotations == Annotations(path=str(tmp_path / "ratings.csv"), **FORM)
    assert parse_recipe(yaml.safe_load(dump_recipe(again)), "r") == again
    found = ratings(dataset_of(again, workspace))
    assert found is not None
    assert alpha(found, "nominal") == pytest.approx(0.743, abs=5e-4)


said = st.lists(st.lists(st.sampled_from([None, 1, 2, 5]), min_size=3, max_size=3), min_size=2, max_size=6)


@settings(max_examples=15)
@sampled(said.filter(lambda rows: any(v for r in rows for v in r)))
def test_every_form_gives_the_same_ratings(tmp_path_factory: pytest.TempPathFactory, rows: list[list[int | None]]) -> None:
    folder = tmp_path_factory.mktemp("forms")
    workspace = Workspace.at(folder / "workspace")
    wide = pl.DataFrame(rows, schema={"ann": pl.Int64, "bob": pl.Int64, "cy": pl.Int64}, orient="row").with_columns(
        id=pl.int_range(len(rows)), text=pl.lit("t")
    )
    wide.write_parquet(folder / "wide.parquet")
    data = load(str(folder / "wide.parquet"), workspace, roles={"response": "text", "annotations": ["ann", "bob", "cy"]})
    one = ratings(data)
    assert one is not None
    lines = wide.unpivot(["ann", "bob", "cy"], index="id", variable_name="who").drop_nulls().sample(fraction=1, shuffle=True, seed=3)
    lines.write_parquet(folder / "long.parquet")
    joined = ratings(with_ratings(data, Annotations(path=str(folder / "long.parquet"), **FORM), workspace))
    assert joined is not None
    listed = ratings_of(ratings_column(data))

    def told(found: Ratings) -> dict[tuple[int, str], float | str]:
        return {(int(r), found.raters[c]): found.values[found.code[r, c]] for r, c in zip(*np.nonzero(found.code >= 0), strict=True)}

    assert told(one) == told(joined) == told(listed)
