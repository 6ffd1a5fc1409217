"""The gate before an export: what it finds among kept rows, against plain loops, and what it stops."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curate.errors import InputError
from curate.finding import MOST
from curate.gate import unchecked
from curate.policy import verdict
from curate.selection import select
from curate.workspace import file_sha256, write_json
from tests.gated import MAIL, NC, PHONE, PLAIN, House, rows_of, text_of


def test_personal_data_is_resolved_by_treatment_by_sparing_and_by_dropping(tmp_path: Path) -> None:
    rows = rows_of(author=[MAIL, "nobody", "nobody"])
    for i, value in ((0, MAIL), (1, PHONE), (2, f"{MAIL} {PHONE}")):
        rows[i]["response"] += f" write to {value} soon"
    house = House(tmp_path, rows, {"pii": {}})
    found = house.look()["personal"]
    assert (found.number, house.at(found), found.limit) == (3, [0, 1, 2], 0)
    assert "(EMAIL_ADDRESS 2, PHONE_NUMBER 2)" in found.what
    assert house.at(house.look(personal={"treat": "redact"})["personal"]) == [0]  # the address stands in `author` too
    assert house.look(personal={"treat": "redact", "columns": ["author"]}) == {}
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
    rows = rows_of(10, license=said)
    rows[1]["response"], rows[1]["prompt"] = rows[0]["response"], rows[0]["prompt"]  # MIT, a copy of a denied row
    rows[5]["response"], rows[5]["prompt"] = rows[4]["response"], rows[4]["prompt"]  # MIT, a copy of a row that says nothing
    rows[2]["response"] = rows[3]["response"] + " more"  # nearly the same as a denied row
    rows[2]["prompt"] = rows[3]["prompt"]
    parents: list[list[str]] = [[]] * 6 + [[f"{3:016x}", "f" * 16], [f"{6:016x}"], ["f" * 16], [f"{1:016x}"]]
    rows = [{**row, "row_id": f"{i:016x}", "parents": named or None} for i, (row, named) in enumerate(zip(rows, parents, strict=True))]
    house = House(tmp_path, rows, {"license": {}, "exact_duplicate": {}, "near_duplicate": {}}, {"license": "license"})
    found = house.look(licenses=NC)["license"]
    assert house.at(found) == [1, 2, 6, 7, 9]  # 7 was made from 6, which was made from the denied 3; 9 from 1, which copies a denied row
    assert (
        "1 alike to a denied row by exact_duplicate, 1 alike to a denied row by near_duplicate, 3 made from a denied row, or from a copy of one" in found.what
    )
    assert house.at(house.look(house.said("keep", 0), licenses=NC)["license"]) == [0, 1, 2, 6, 7, 9]
    assert house.at(house.look(licenses={**NC, "unknown": "drop"})["license"]) == [1, 2, 6, 7]  # to say nothing is no licence that is denied
    assert house.at(house.look(licenses=NC, thresholds={"near_duplicate": {"limit": 1.0}})["license"]) == [1, 6, 7, 9]
    assert house.look() == {}
    assert "no policy" in unchecked(house.scores, house.recipe())["license"]


def test_copies_of_denied_rows_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    texts = [text_of(i).split() for i in range(12)]
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
    rows = rows_of(8)
    (tmp_path / "eval.jsonl").write_text("".join(json.dumps({"prompt": rows[i]["prompt"], "response": rows[i]["response"]}) + "\n" for i in (2, 5)))
    house = House(tmp_path, rows, {"contamination": {"reference": [str(tmp_path / "eval.jsonl")], "semantic": False}})
    found = house.look()["contamination"]
    assert house.at(found) == [2, 5]
    assert "eval.jsonl:0" in found.what
    threshold = {"contamination_similarity": {"keep": "below", "limit": 0.7}}
    assert house.look(thresholds=threshold) == {}
    assert house.at(house.look(house.said("keep", 5), thresholds=threshold)["contamination"]) == [5]


def test_synthetic_rows_are_to_be_read_or_of_an_accepted_batch(tmp_path: Path) -> None:
    rows = rows_of(8, made=["yes", "no", "yes", None, "yes", "no"], synthetic_id=[None, None, None, "a" * 16, "b" * 16])
    house = House(tmp_path, rows, PLAIN, {"synthetic": "made"})
    assert house.at(house.look()["synthetic"]) == [0, 2, 3, 4]
    read = [house.said("keep", 0), house.said("judge", 2, value="good", by="anna")]
    assert house.at(house.look(*read)["synthetic"]) == [3, 4]
    bulk, unsure = house.said("keep", 0, why="bulk"), house.said("judge", 2, value="unsure", by="anna")
    assert house.at(house.look(bulk, unsure)["synthetic"]) == [0, 2, 3, 4]
    assert house.at(house.look(*read, house.said("clear", 0))["synthetic"]) == [0, 3, 4]
    batch = house.workspace.root / "synthetic" / "one"
    batch.mkdir(parents=True)
    told = pl.DataFrame([{**rows[4], "synthetic_id": "b" * 16}])
    told.write_parquet(batch / "accepted.parquet")
    assert house.at(house.look(*read)["synthetic"]) == [3, 4], "a kill came before the batch was accepted"
    write_json(batch / "accepted.json", {"files": {"accepted.parquet": file_sha256(batch / "accepted.parquet")}})
    assert house.at(house.look(*read)["synthetic"]) == [3]
    told.with_columns(response=pl.lit("another answer")).write_parquet(batch / "accepted.parquet")
    assert house.at(house.look(*read)["synthetic"]) == [3, 4], "what was accepted was edited"
    write_json(batch / "accepted.json", {"files": {"accepted.parquet": file_sha256(batch / "accepted.parquet")}})
    assert house.at(house.look(*read)["synthetic"]) == [3, 4], "a row with other texts is not the one that was accepted"
    assert "synthetic" not in House(tmp_path, rows_of(3), PLAIN).look()


def test_limits_of_noise_copies_shares_and_rows(tmp_path: Path) -> None:
    rows = rows_of(60, source=["a"] * 40 + ["b"] * 20)
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


def test_a_finding_names_some_rows_and_counts_all(tmp_path: Path) -> None:
    house = House(tmp_path, rows_of(MOST + 30, made=["yes"] * (MOST + 20)), PLAIN, {"synthetic": "made"})
    found = house.look()["synthetic"]
    assert (len(found.rows), found.number) == (MOST, MOST + 20)
