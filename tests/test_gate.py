"""The gate before an export: what it finds among kept rows, against plain loops, and what it stops."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from curate.errors import Blocked, InputError
from curate.export import export, run
from curate.finding import MOST, Finding
from curate.gate import check, gated, unchecked
from curate.load import load
from curate.measure import measure
from curate.policy import verdict
from curate.recipe import Recipe, dump_recipe, load_recipe, parse_recipe
from curate.reviews import Action, Review
from curate.scores import Scores
from curate.selection import select
from curate.task import plan
from curate.workspace import Workspace
from tests.commanded import curate
from tests.small import WORDS

MAIL, PHONE = "anna.berg@mail.example.com", "+1 415-555-2671"
NC = {"commercial": True}
PLAIN: dict[str, dict[str, Any]] = {"exact_duplicate": {}}


def _text(i: int) -> str:
    return " ".join(WORDS[(i * 5 + j * (i + 3)) % len(WORDS)] + str(i + j) for j in range(12))


def _rows(count: int = 12, **columns: Sequence[Any]) -> list[dict[str, Any]]:
    """Unlike rows with more columns, given from the first row on and null beyond."""
    more = [{name: values[i] if i < len(values) else None for name, values in columns.items()} for i in range(count)]
    return [{"prompt": f"Question {i}?", "response": _text(i), **beside} for i, beside in enumerate(more)]


class House:
    """Rows measured under a recipe, in a workspace of their own."""

    def __init__(self, folder: Path, rows: Sequence[Mapping[str, Any]], signals: Mapping[str, Any], roles: Mapping[str, Any] | None = None) -> None:
        self.path = folder / "rows.parquet"
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(self.path)
        self.roles = {"prompt": "prompt", "response": "response", **(roles or {})}
        self.signals, self.workspace = signals, Workspace.at(folder / "workspace")
        dataset = load(str(self.path), self.workspace, roles=self.roles)
        tasks = plan(dataset, signals)
        measure(dataset, tasks, self.workspace, "inline")
        self.scores = Scores(dataset, self.workspace, tasks)
        self.ids = self.scores.frame["row_id"].to_list()

    def recipe(self, **parts: Any) -> Recipe:
        return parse_recipe({"dataset": {"path": str(self.path), "roles": self.roles}, "signals": self.signals, **parts}, "recipe")

    def look(self, *marked: Review, **parts: Any) -> dict[str, Finding]:
        """Findings by name."""
        recipe = self.recipe(**parts)
        return {f.name: f for f in check(self.scores, recipe, select(self.scores, recipe, marked), marked)}

    def at(self, finding: Finding) -> list[int]:
        """Positions of its rows."""
        return [self.ids.index(row) for row in finding.rows]

    def said(self, action: Action, *rows: int, **given: Any) -> Review:
        return Review(action, "test", rows=tuple(self.ids[i] for i in rows), **given)


def test_personal_data_is_resolved_by_treatment_by_sparing_and_by_dropping(tmp_path: Path) -> None:
    rows = _rows(author=[MAIL, "nobody", "nobody"])
    for i, value in ((0, MAIL), (1, PHONE), (2, f"{MAIL} {PHONE}")):
        rows[i]["response"] += f" write to {value} soon"
    house = House(tmp_path, rows, {"pii": {}})
    found = house.look()["personal"]
    assert (found.number, house.at(found), found.limit) == (3, [0, 1, 2], 0)
    assert "(EMAIL_ADDRESS 2, PHONE_NUMBER 2)" in found.what
    assert house.at(house.look(personal={"treat": "redact"})["personal"]) == [0]  # the address stands in `author` too
    assert not house.look(personal={"treat": "redact", "columns": ["author"]})
    left = house.look(personal={"treat": "mask", "types": ["EMAIL_ADDRESS"], "columns": ["author"]})["personal"]
    assert house.at(left) == [1, 2]
    assert "EMAIL" not in left.what
    assert house.look(house.said("spare", 0, 1, 2)) == {}
    assert house.at(house.look(house.said("spare", 0, 2, value="EMAIL_ADDRESS"))["personal"]) == [1, 2]
    assert house.look(personal={"treat": "drop"}) == {}
    assert house.at(house.look(house.said("keep", 1), personal={"treat": "drop"})["personal"]) == [1]
    assert "personal" not in house.look(gate={"personal": 3})
    assert house.look(gate={"personal": 2})["personal"].value == 3


def test_denied_licences_are_found_by_hand_by_copies_and_by_parents(tmp_path: Path) -> None:
    said = ["cc-by-nc-4.0", "MIT", "MIT", "cc-by-nc-4.0", None, "MIT", "MIT", "MIT OR cc-by-nc-4.0"]
    rows = _rows(10, license=said)
    rows[1]["response"], rows[1]["prompt"] = rows[0]["response"], rows[0]["prompt"]  # MIT, a copy of a denied row
    rows[5]["response"], rows[5]["prompt"] = rows[4]["response"], rows[4]["prompt"]  # MIT, a copy of a row that says nothing
    rows[2]["response"] = rows[3]["response"] + " more"  # nearly the same as a denied row
    rows[2]["prompt"] = rows[3]["prompt"]
    parents: list[list[str]] = [[]] * 6 + [[f"{3:016x}", "f" * 16], [f"{6:016x}"], ["f" * 16], []]
    rows = [{**row, "row_id": f"{i:016x}", "parents": named or None} for i, (row, named) in enumerate(zip(rows, parents, strict=True))]
    house = House(tmp_path, rows, {"license": {}, "exact_duplicate": {}, "near_duplicate": {}}, {"license": "license"})
    found = house.look(licenses=NC)["license"]
    assert house.at(found) == [1, 2, 6, 7]  # 7 was made from 6, which was made from the denied 3
    assert "1 alike to a denied row by exact_duplicate, 1 alike to a denied row by near_duplicate, 2 made from a denied row" in found.what
    assert house.at(house.look(house.said("keep", 0), licenses=NC)["license"]) == [0, 1, 2, 6, 7]
    assert house.at(house.look(licenses={**NC, "unknown": "drop"})["license"]) == [1, 2, 6, 7]  # to say nothing is no licence that is denied
    assert house.at(house.look(licenses=NC, thresholds={"near_duplicate": {"limit": 1.0}})["license"]) == [1, 6, 7]
    assert house.look() == {}
    assert "no policy" in unchecked(house.scores, house.recipe())["license"]


def test_copies_of_denied_rows_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    texts = [_text(i).split() for i in range(12)]
    rows = []
    for i in range(90):
        words = list(texts[rng.integers(12)])
        for _ in range(rng.integers(3)):
            words[rng.integers(len(words))] = "other"
        rows.append({"prompt": "Say it", "response": " ".join(words), "license": ["MIT", "cc-by-nc-4.0", None, "apache-2.0"][rng.integers(4)], "n": i})
    house = House(tmp_path, rows, {"license": {}, "near_duplicate": {}}, {"license": "license"})
    recipe = house.recipe(licenses=NC)
    assert recipe.licenses is not None
    spdx = house.scores.frame["license_spdx"].to_list()
    denied = [s is not None and verdict(s, recipe.licenses) == "deny" for s in spdx]
    kept = select(house.scores, recipe).keep
    grams = [{tuple(w[j : j + 3]) for j in range(len(w) - 2)} for w in (f"Say it\n{row['response']}".lower().replace("?", "").split() for row in rows)]
    alike = [[len(a & b) / len(a | b) >= 0.8 for b in grams] for a in grams]
    wanted = [i for i in range(90) if kept[i] and any(denied[j] and alike[i][j] for j in range(90))]
    found = house.look(licenses=NC)["license"]
    assert 0 < len(wanted) < kept.sum()
    assert house.at(found) == wanted


def test_contamination_and_its_limit(tmp_path: Path) -> None:
    rows = _rows(8)
    (tmp_path / "eval.jsonl").write_text("".join(json.dumps({"prompt": rows[i]["prompt"], "response": rows[i]["response"]}) + "\n" for i in (2, 5)))
    house = House(tmp_path, rows, {"contamination": {"reference": [str(tmp_path / "eval.jsonl")], "semantic": False}})
    found = house.look()["contamination"]
    assert house.at(found) == [2, 5]
    assert "eval.jsonl:0" in found.what
    threshold = {"contamination_similarity": {"keep": "below", "limit": 0.7}}
    assert house.look(thresholds=threshold) == {}
    assert house.at(house.look(house.said("keep", 5), thresholds=threshold)["contamination"]) == [5]


def test_synthetic_rows_are_to_be_read_or_of_an_accepted_batch(tmp_path: Path) -> None:
    rows = _rows(8, made=["yes", "no", "yes", None, "yes", "no"], synthetic_id=[None, None, None, "a" * 16, "b" * 16])
    house = House(tmp_path, rows, PLAIN, {"synthetic": "made"})
    assert house.at(house.look()["synthetic"]) == [0, 2, 3, 4]
    read = [house.said("keep", 0), house.said("judge", 2, value="good", by="anna")]
    assert house.at(house.look(*read)["synthetic"]) == [3, 4]
    bulk, unsure = house.said("keep", 0, why="bulk"), house.said("judge", 2, value="unsure", by="anna")
    assert house.at(house.look(bulk, unsure)["synthetic"]) == [0, 2, 3, 4]
    assert house.at(house.look(*read, house.said("clear", 0))["synthetic"]) == [0, 3, 4]
    batch = house.workspace.root / "synthetic" / "one"
    batch.mkdir(parents=True)
    pl.DataFrame({"synthetic_id": ["b" * 16, "c" * 16]}).write_parquet(batch / "accepted.parquet")
    assert house.at(house.look(*read)["synthetic"]) == [3]
    many = House(tmp_path, _rows(MOST + 30, made=["yes"] * (MOST + 20)), PLAIN, {"synthetic": "made"}).look()["synthetic"]
    assert (len(many.rows), many.number) == (MOST, MOST + 20)  # some are named, all are counted
    assert "synthetic" not in House(tmp_path, _rows(3), PLAIN).look()


def test_limits_of_noise_copies_shares_and_rows(tmp_path: Path) -> None:
    rows = _rows(60, source=["a"] * 40 + ["b"] * 20)
    for i in range(6):
        rows[59 - i] = {**rows[i], "source": "b"}
    house = House(tmp_path, rows, PLAIN, {"source": "source"})
    assert house.look(gate={}) == {}
    copies = house.look(gate={"duplicates": {"exact_duplicate": 0.05}})["duplicates.exact_duplicate"]
    assert (copies.value, house.at(copies)) == (0.1, list(range(54, 60)))
    assert house.look(gate={"duplicates": {"exact_duplicate": 0.1}}) == {}
    assert house.look(gate={"duplicates": {"exact_duplicate": 0}}, thresholds={"exact_duplicate": {"limit": 1}}) == {}
    share = house.look(gate={"share": {"source": 0.5}})["share.source"]
    assert (share.number, share.value) == (40, 40 / 60)
    assert house.look(gate={"share": {"source": 0.67}}) == {}
    assert house.look(gate={"min_rows": 61})["min_rows"].value == 60
    assert house.look(gate={"min_rows": 60}) == {}
    assert house.look(gate={"noise_rate": 0.9})["noise_rate"].value == 1
    judged = [house.said("sample", *range(60)), house.said("judge", *range(2, 60), value="good", by="a"), house.said("judge", 0, 1, value="bad", by="a")]
    assert 2 / 60 < house.look(*judged, gate={"noise_rate": 0.05})["noise_rate"].value < 0.12
    assert house.look(*judged, gate={"noise_rate": 0.12}) == {}
    with pytest.raises(InputError, match=r"gate\.share\.nothing"):
        house.look(gate={"share": {"nothing": 0.5}})


def _blocked(folder: Path, **parts: Any) -> Path:
    """A recipe file whose kept rows hold an address and one synthetic row."""
    rows = _rows(10, made=["yes"])
    rows[3]["response"] += f" write to {MAIL}"
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    roles = {"prompt": "prompt", "response": "response", "synthetic": "made"}
    (folder / "r.yaml").write_text(yaml.safe_dump({"dataset": {"path": "rows.jsonl", "roles": roles}, "signals": {"pii": {}}, **parts}), encoding="utf-8")
    return folder / "r.yaml"


def test_without_a_gate_findings_are_told_and_nothing_is_stopped(tmp_path: Path) -> None:
    done = curate("run", str(_blocked(tmp_path)), "--out", "kept", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["findings"] == {"personal": 1, "synthetic": 1}
    told = json.loads((tmp_path / "kept" / "manifest.json").read_text())["gate"]
    assert told["blocks"] is False
    assert [f["name"] for f in told["findings"]] == ["personal", "synthetic"]
    assert {*told["not_checked"]} == {"license", "contamination"}


def test_with_a_gate_nothing_is_written_until_each_finding_has_a_reason(tmp_path: Path) -> None:
    path = _blocked(tmp_path, gate={"override": {"names": ["synthetic"], "reason": "read on paper"}})
    done = curate("run", str(path), "--out", "kept", "--json", folder=tmp_path)
    assert done.returncode == 1
    assert "personal: 1 of 10 kept rows hold personal data" in done.stderr
    assert "synthetic" not in done.stderr
    assert json.loads(done.stdout)["out"] is None
    assert not (tmp_path / "kept").exists()
    for wrong in (["--override", "personal"], ["--reason", "why"], ["--override", "personal", "--reason", " "], ["--override", "none", "--reason", "why"]):
        assert curate("run", str(path), "--out", "kept", *wrong, folder=tmp_path).returncode == 2
    done = curate("run", str(path), "--out", "kept", "--override", "personal", "--reason", "a public list", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "kept" / "manifest.json").read_text())["gate"]
    assert told["blocks"] is True
    assert {f["name"]: f["overridden"] for f in told["findings"]} == {"personal": "a public list", "synthetic": "read on paper"}
    again = load_recipe(tmp_path / "kept" / "recipe.yaml")
    assert parse_recipe(yaml.safe_load(dump_recipe(again)), "again").gate == again.gate
    other = run(again, Workspace.at(tmp_path / "elsewhere"), tmp_path / "same")
    assert pl.read_parquet(other.out / "selected.parquet").equals(pl.read_parquet(tmp_path / "kept" / "selected.parquet"))
    bare = curate("run", str(_blocked(tmp_path)), "--override", "personal", "--reason", "why", folder=tmp_path)
    assert (bare.returncode, "has no gate" in bare.stderr) == (2, True)


def test_check_is_the_same_gate_for_ci(tmp_path: Path) -> None:
    path = _blocked(tmp_path)
    done = curate("check", str(path), "--json", folder=tmp_path)
    told = json.loads(done.stdout)
    assert (done.returncode, told["failed"], told["kept"]) == (1, ["personal", "synthetic"], 10)
    assert curate("check", str(path), "--fail-on", "synthetic", "--json", folder=tmp_path).returncode == 1
    for names, says in (
        ("contamination", "needs the parameter reference"),
        ("license", "license needs the role license"),
        ("typo", "is no finding of the gate"),
        ("noise_rate", "has no limit for it"),
        ("", "is no finding"),
    ):
        done = curate("check", str(path), "--fail-on", names, folder=tmp_path)
        assert done.returncode == 2, names
        assert says in done.stderr
        assert "Traceback" not in done.stderr
    idle = {"names": ["personal"], "reason": "a public list"}
    path = _blocked(tmp_path, signals={}, personal={"treat": "redact"}, gate={"synthetic": 1, "min_rows": 5, "override": idle})
    done = curate("check", str(path), "--fail-on", "personal,synthetic,min_rows", folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "personal: overridden, and nothing of it is found" in done.stdout
    path = _blocked(tmp_path, signals={}, gate={"synthetic": 1, "min_rows": 50})
    done = curate("check", str(path), "--fail-on", "personal", "--json", folder=tmp_path)  # measures what it asks for
    assert (done.returncode, json.loads(done.stdout)["failed"]) == (1, ["personal"])
    assert [f["name"] for f in json.loads(done.stdout)["findings"]] == ["personal", "min_rows"]


@pytest.mark.parametrize(
    ("gate", "says"),
    [
        ({"override": {"names": ["personal"], "reason": "  "}}, "needs a reason in words"),
        ({"override": {"names": [], "reason": "x"}}, "override"),
        ({"override": {"names": ["typo"], "reason": "x"}}, "is no finding of the gate"),
        ({"override": {"names": ["personal"]}}, "gate.override"),
        ({"override": [{"names": ["personal"], "reason": "x"}, {"names": ["personal"], "reason": "y"}]}, "overridden twice"),
        ({"personal": True}, "gate.personal"),
        ({"noise_rate": 1.5}, "gate.noise_rate"),
        ({"duplicates": {"tokens": 0.1}}, "finds no duplicates"),
        ({"licence": 0}, "Valid ones are personal, license"),
    ],
)
def test_a_gate_that_says_nothing_is_refused(gate: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_recipe({"dataset": {"path": "x.jsonl"}, "gate": gate}, "recipe")
    assert says in str(caught.value)


def test_an_empty_gate_is_a_gate_and_limits_bring_their_signals(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("dataset: {path: x.jsonl}\ngate:\n", encoding="utf-8")
    assert load_recipe(tmp_path / "r.yaml").gate is not None
    found = parse_recipe({"dataset": {"path": "x.jsonl"}, "gate": {"personal": 0, "duplicates": {"near_duplicate": 0.1}}}, "recipe")
    assert {"pii", "near_duplicate"} <= {*found.signals}


def test_what_a_limit_asks_for_and_cannot_be_known_is_bad_input(tmp_path: Path) -> None:
    house = House(tmp_path, _rows(4), {"exact_duplicate": {}})
    for gate in ({"contamination": 0}, {"license": 0}, {"personal": 0}):
        recipe = house.recipe(gate=gate)
        with pytest.raises(InputError, match="cannot be checked"):
            gated(house.scores, recipe, select(house.scores, recipe))
    with pytest.raises(Blocked, match="min_rows"):
        export(house.scores, house.recipe(gate={"min_rows": 5}), tmp_path / "out")
    assert not (tmp_path / "out").exists()
