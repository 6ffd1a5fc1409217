"""The ledger: each row's every decision, as the selection and the export made it, and how it is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from curate.__main__ import main
from curate.arrangement import arrange
from curate.export import export, run
from curate.ledger.frame import Made, ledger_frame
from curate.ledger.read import counts, read_ledger, ways
from curate.ledger.way import way_of
from curate.load import load
from curate.part import LinkThreshold
from curate.recipe import parse_recipe
from curate.reviews import Review, append
from curate.scores import Scores
from curate.selection import select
from curate.workspace import Workspace
from tests.small import measured, recipe, write

MAIL, CARD = "kim@example.org", "4532276644577020"
ROLES = {"prompt": "prompt", "response": "response", "source": "source", "label": "label", "license": "license"}


def _rows() -> list[dict[str, Any]]:
    """Twelve rows: 6 repeats 0, 7 nearly repeats 1, 2 and 3 hold personal data, 4 has a licence that is denied, 5 is short of quality."""
    words = [*"abcdefghijklmnop"]
    said = [" ".join(words[(i * 5 + j * (i + 1)) % 16] + f"word{(i + 3 * j) % 7}" for j in range(24)) for i in range(12)]
    said[6], said[7] = said[0], said[1] + " more"
    said[2] += f" write to {MAIL}"
    said[3] += f" card {CARD} and {MAIL}"
    rows = [{"prompt": "Say", "response": text, "source": "ab"[i % 2], "label": "x", "license": "CC0-1.0", "quality": i / 10} for i, text in enumerate(said)]
    rows[4]["license"], rows[5]["quality"] = "CC-BY-NC-4.0", -1.0
    return rows


def _asked(folder: Path, **parts: Any) -> dict[str, Any]:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in _rows()), encoding="utf-8")
    return {
        "dataset": {"path": str(path), "roles": ROLES},
        "signals": {"near_duplicate": {}, "license": {}, "pii": {}},
        "thresholds": {"quality": {"keep": "above", "limit": 0.0}, "near_duplicate": {"limit": 0.8, "keeper": "first"}},
        "licenses": {"commercial": True},
        "personal": {"treat": "redact"},
        "rank": {"score": "max(quality, 0)"},
        "budget": {"rows": 6, "per": "source", "quota": {"b": 2}},
        "export": {"order": "rank", "weight": "score"},
        **parts,
    }


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A Version of the twelve rows after every kind of decision, and the ids of its input. Row 11 is kept by hand, 10 dropped, 8 labelled, 9 edited."""
    folder = tmp_path_factory.mktemp("ledger")
    asked = _asked(folder)
    workspace = Workspace.at(folder / "workspace")
    ids = load(asked["dataset"]["path"], workspace).scan().collect()["row_id"].to_list()
    log = folder / "log.jsonl"
    append(log, Review("keep", "s", "Ann", (ids[5], ids[4]), at="2026-01-02T03:04:05.000+00:00"))
    append(log, Review("drop", "s", "Ben", (ids[10],), why="bulk"))
    append(log, Review("label", "s", "Ann", (ids[8],), "y"))
    append(log, Review("edit", "s", "Ann", (ids[9],), "said anew", column="response"))
    lines = append(log, Review("spare", "s", "Ann", (ids[3],), "EMAIL_ADDRESS"))
    out = run(parse_recipe({**asked, "reviews": {"path": str(log), "lines": lines}}, "r"), workspace, folder / "out", "inline").out
    return out, ids


def _entries(out: Path) -> list[dict[str, Any]]:
    return pl.read_parquet(out / "ledger.parquet").to_dicts()


def test_each_kind_of_decision_is_told(version: tuple[Path, list[str]]) -> None:
    out, ids = version
    every = _entries(out)
    assert [e["row_id"] for e in every] == ids
    assert every[5]["threshold_quality"] == {"value": -1.0, "at_least": 0.0, "at_most": None, "passed": False, "dropped": False}, "kept by hand"
    assert every[5]["review"] == {"said": "keep", "by": "Ann", "at": "2026-01-02T03:04:05.000+00:00", "action": "keep", "why": None}
    assert (every[4]["license"]["verdict"], every[4]["license"]["dropped"]) == ("deny", False)
    assert (every[10]["review"]["said"], every[10]["review"]["by"], every[10]["review"]["why"]) == ("drop", "Ben", "bulk")
    assert every[10]["threshold_near_duplicate"]["passed"] is None, "it was gone before"
    assert {k: every[6]["threshold_near_duplicate"][k] for k in ("passed", "keeper", "similarity")} == {"passed": False, "keeper": ids[0], "similarity": 1.0}
    assert 0.8 < every[7]["threshold_near_duplicate"]["similarity"] < 1
    assert every[0]["threshold_near_duplicate"]["stands_for"] == 1
    assert (every[8]["label"]["given"], every[8]["label"]["now"], every[8]["label"]["by"]) == ("x", "y", "Ann")
    assert every[9]["edit"]["columns"] == "response"
    assert every[0]["label"] is None
    assert (every[2]["personal"]["found"], every[2]["personal"]["kinds"]) == (1, "EMAIL_ADDRESS")
    assert (every[3]["personal"]["found"], every[3]["personal"]["spared"], every[3]["personal"]["kinds"]) == (2, 1, "CREDIT_CARD")
    assert every[0]["personal"] is None
    assert every[11]["budget"] == {"of": "b", "quota": 2, "floor": 0, "place": 2, "passed": True, "dropped": False}, "after row 5, which is kept by hand"
    assert every[9]["budget"] == {"of": "b", "quota": 2, "floor": 0, "place": 3, "passed": False, "dropped": True}
    assert every[9]["written"] is None


def test_the_ledger_says_what_was_written(version: tuple[Path, list[str]]) -> None:
    out, _ = version
    book, decided, selected = (pl.read_parquet(out / f"{name}.parquet") for name in ("ledger", "decisions", "selected"))
    assert book["row_id"].equals(decided["row_id"])
    assert book["keep"].equals(decided["keep"])
    for name in ("threshold_quality", "threshold_near_duplicate", "license", "budget"):
        drop = decided[f"drop_{name.removeprefix('threshold_')}"]
        assert book[name].struct.field("dropped").equals(drop.alias("dropped")), name
    assert book["threshold_near_duplicate"].struct.field("keeper").to_list() == decided["near_duplicate_keeper"].to_list()
    written = book.unnest("written").drop_nulls("place").sort("place")
    assert written["row_id"].equals(selected["row_id"])
    assert written["weight"].equals(selected["weight"])
    manifest = json.loads((out / "manifest.json").read_text())
    kept = book.filter("keep")["personal"].struct
    assert kept.field("treated").sum() == sum(manifest["personal"]["treated"].values())
    assert kept.field("spared").sum() == manifest["personal"]["spared"]
    steps = {s["column"]: n for s, n in counts(read_ledger(out))}
    assert [steps[n]["dropped"] for n in ("threshold_quality", "license", "review")] == [0, 0, 1]


def test_no_text_of_a_row_stands_in_it(version: tuple[Path, list[str]]) -> None:
    said = json.dumps(_entries(version[0]))
    assert not [word for word in (MAIL, CARD, "said anew", "aword", "bword") if word in said]


def test_a_ways_words_name_value_limit_and_keeper(version: tuple[Path, list[str]]) -> None:
    out, ids = version
    book = read_ledger(out)
    told = {step.column: step for step in ways(book, [6])[0].steps}
    assert told["threshold_near_duplicate"].text == f"1.000 alike to {ids[0]}, its near duplicate that stays (limit 0.8, cover, first)"
    assert told["threshold_near_duplicate"].keeper == ids[0]
    assert told["budget"].outcome == "gone"
    fifth = ways(book, [5])[0]
    assert [(s.column, s.outcome) for s in fifth.steps][:2] == [("review", "passed"), ("threshold_quality", "fails")]
    assert fifth.steps[0].text == "kept by Ann, 2026-01-02 03:04 UTC, so no limit drops it"
    assert fifth.steps[1].text == "-1; at least 0 is asked for"
    assert fifth.dropped_by is None
    tenth = ways(book, [10])[0]
    assert tenth.dropped_by is not None
    assert tenth.dropped_by.column == "review"


LIMITS = some.builds(
    lambda low, near, rule, rows, order: {
        "thresholds": {"confidence": {"keep": "above", "limit": low}, "near_duplicate": {"limit": near, "rule": rule}},
        "budget": {"rows": rows, "per": "source"},
        "rank": {"score": "confidence"},
        "export": {"order": order},
    },
    some.floats(0, 1),
    some.floats(0.5, 1),
    some.sampled_from(["cover", "group"]),
    some.integers(0, 20),
    some.sampled_from(["file", "rank"]),
)


@pytest.fixture(scope="module")
def forty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Scores]:
    folder = tmp_path_factory.mktemp("forty")
    path = write(folder)
    return path, measured(path, Workspace.at(folder / "workspace"))


@settings(max_examples=25)
@given(parts=LIMITS, kept=some.sets(some.integers(0, 39), max_size=4), gone=some.sets(some.integers(0, 39), max_size=4))
def test_ways_end_where_the_selection_does(forty: tuple[Path, Scores], parts: dict[str, Any], kept: set[int], gone: set[int]) -> None:
    path, scores = forty
    asked, ids = recipe(path, **parts), scores.frame["row_id"]
    marked = tuple(Review(a, "s", rows=tuple(ids[i] for i in sorted(rows))) for a, rows in (("drop", gone), ("keep", kept)) if rows)  # type: ignore[arg-type]
    selection = select(scores, asked, marked)
    made = Made(scores, asked, selection, marked, arrange(scores, asked, selection, marked))
    frame, steps = ledger_frame(made)
    found = [way_of(entry, steps) for entry in frame.to_dicts()]
    assert [way.keep for way in found] == selection.keep.tolist()
    first = [name for name, _, _ in selection.funnel]
    for i, way in enumerate(found):
        drops = [s for s in way.steps if s.outcome == "dropped"]
        assert way.keep == (not drops), way
        due = next((n for n in first if selection.drops[n][i]), None)
        assert (way.dropped_by.column.removeprefix("threshold_") if way.dropped_by else None) == due
        lost = next((s for s in drops if s.column == "threshold_near_duplicate"), None)
        if lost is not None:
            alike = dict(scores.links["near_duplicate"].of_row(i, 0.0))
            keeper = find_at(ids, lost.keeper)
            assert lost.values["similarity"] is None or lost.values["similarity"] == pytest.approx(alike[keeper], abs=1e-6)
            threshold = asked.thresholds["near_duplicate"]
            assert isinstance(threshold, LinkThreshold)
            assert threshold.rule == "group" or lost.values["similarity"] >= np.float32(threshold.limit)
    some_rows = np.array(sorted(kept | gone) or [0], np.int64)
    assert ledger_frame(made, some_rows)[0].equals(frame[some_rows.tolist()]), "a few rows alone are told as among all"


def find_at(ids: pl.Series, row_id: str | None) -> int:
    at = ids.index_of(row_id)
    assert at is not None
    return int(at)


def test_repeated_rows_name_their_first_place(tmp_path: Path, workspace: Workspace) -> None:
    asked = {"weights": {"trust": {"source": {"a": 3.0}}, "repeat": "rows"}, "export": {"weight": "weights"}}
    out = export(measured(write(tmp_path), workspace), recipe(write(tmp_path), **asked), tmp_path / "out").out
    book, selected = pl.read_parquet(out / "ledger.parquet").unnest("written"), pl.read_parquet(out / "selected.parquet")
    times = selected.group_by("row_id", maintain_order=True).agg(pl.len().cast(pl.Int32).alias("times"))
    found = book.drop_nulls("place").sort("place")
    assert found.select("row_id", "times").equals(times)
    assert all(selected["row_id"][place] == row for place, row in zip(found["place"], found["row_id"], strict=True))


def _curate(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    code = main([str(a) for a in args])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_command_tells_rows_by_id_place_and_line(version: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    out, ids = version
    code, said, _ = _curate(capsys, "ledger", out, ids[6], "--row", 5, "--line", "rows.jsonl:1", "--json")
    found = json.loads(said)
    assert code == 0
    assert [(w["row"], w["keep"]) for w in found] == [(6, False), (5, True), (0, True)]
    assert found[0]["dropped_by"] == "threshold_near_duplicate"
    code, said, wrong = _curate(capsys, "ledger", out, ids[0], "0" * 16)
    assert code == 1
    assert said.startswith(f"{ids[0]}, row 0 of the input: kept\n")
    assert "no row of the input is 0000000000000000" in wrong
    code, said, _ = _curate(capsys, "ledger", out, "--step", "threshold_near_duplicate")
    assert (code, said.split()) == (0, [ids[6], ids[7]])
    told = json.loads(_curate(capsys, "ledger", out, "--json")[1])
    assert (told["rows"], told["steps"][-1]["step"]) == (12, "written")
    assert told["kept"] == told["steps"][-1]["rows"]
    for args, says in ((("--step", "rank"), "is no decision that drops rows here"), (("--row", 12), "there is no row 12"), (("--line", 13), "became no row")):
        code, _, wrong = _curate(capsys, "ledger", out, *args)
        assert code == 2
        assert says in wrong
