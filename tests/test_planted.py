"""Every claim of the planted truth, checked by other code than what made it, and that nothing is missing from the truth."""

import json
import re
import subprocess
import sys
import unicodedata
from collections import Counter, defaultdict
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import InputError
from curate.phrases import FACTS, QUESTIONS, WORDS
from curate.planted import LEVELS, PLAN, generate, planted

DATA = Path(__file__).parent.parent / "data"
ROWS = 3000
NAME = re.compile(f"(?:{'|'.join(WORDS['first'])}) (?:{'|'.join(WORDS['last'])})")
NUMBER = re.compile(r"\d+")

Row = dict[str, Any]


def read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    path = tmp_path_factory.mktemp("planted") / "set.jsonl"
    truth = generate(path, ROWS)
    found = read(path)
    for row in found:
        row["claims"] = []
    for claim in read(truth):
        found[claim["row"]]["claims"].append(claim)
    return found


def claimed(rows: list[Row], *defects: str) -> list[tuple[Row, Row]]:
    return [(row, claim) for row in rows for claim in row["claims"] if claim["defect"] in defects]


def text(row: Row) -> str:
    return "\n".join(row[part] for part in ("prompt", "context", "response") if row.get(part) is not None)


def plain(value: str) -> list[str]:
    return unicodedata.normalize("NFKC", value).casefold().split()


def grams(row: Row) -> set[str]:
    words = plain(text(row))
    return {" ".join(words[i : i + 3]) for i in range(max(1, len(words) - 2))}


def test_the_committed_set_is_what_the_generator_makes(tmp_path: Path) -> None:
    truth = generate(tmp_path / "planted.jsonl", 200)
    assert (tmp_path / "planted.jsonl").read_bytes() == (DATA / "planted.jsonl").read_bytes()
    assert truth.read_bytes() == (DATA / "planted.truth.jsonl").read_bytes()
    assert sum(path.stat().st_size for path in DATA.iterdir() if path.suffix == ".jsonl") < 300_000


def test_each_block_has_the_plan(rows: list[Row]) -> None:
    assert len(PLAN) == 100
    assert len({row["id"] for row in rows}) == ROWS
    for position, row in enumerate(rows):
        defect = PLAN[position % 100][0]
        assert {(claim["row"], claim["id"], claim["defect"]) for claim in row["claims"]} == ({(position, row["id"], defect)} if defect else set())
        for claim in row["claims"]:
            assert claim["of"] is None or (claim["of"] < position and rows[claim["of"]]["id"] == claim["of_id"])


@pytest.mark.parametrize("view", ["prompt", "response", "text"])
def test_exact_duplicates_are_exact_and_all_are_claimed(rows: list[Row], view: str) -> None:
    groups = defaultdict(list)
    for position, row in enumerate(rows):
        groups[" ".join(plain(text(row) if view == "text" else row[view]))].append(position)
    pairs = {pair for group in groups.values() for pair in combinations(group, 2)}
    truth = {(claim["of"], claim["row"]) for _, claim in claimed(rows, "exact_duplicate")}
    assert truth <= pairs if view == "prompt" else truth == pairs


def test_each_spelling_differs_as_it_says(rows: list[Row]) -> None:
    seen = {
        "verbatim": r"",
        "case": r"[A-Z]{5}",
        "width": "[！-～]{3}",
        "ligature": "[ﬀ-ﬆßſ]",
        "white space": "\t.*\u00a0.*\u2003.*\n",
        "mixed": "[A-Z]{3}(.|\n)*\t(.|\n)*[！-～]{3}",
    }
    for row, claim in claimed(rows, "exact_duplicate"):
        base = rows[claim["of"]]["response"]
        assert (row["response"] == base) == (claim["kind"] == "verbatim")
        assert re.search(seen[claim["kind"]], row["response"]), claim
        assert claim["jaccard"] == 1


def test_stated_similarities_are_those_of_the_sets_and_no_pair_is_missing(rows: list[Row]) -> None:
    sets = [grams(row) for row in rows]
    holders = defaultdict(list)
    for position, one in enumerate(sets):
        for gram in one:
            holders[gram].append(position)
    shared = Counter(pair for group in holders.values() for pair in combinations(group, 2))
    found = {(a, b): count / (len(sets[a]) + len(sets[b]) - count) for (a, b), count in shared.items()}
    truth = {(claim["of"], claim["row"]): claim["jaccard"] for row in rows for claim in row["claims"] if claim["of"] is not None}
    assert {pair: found.get(pair, 0.0) for pair in truth} == truth
    assert max(value for pair, value in found.items() if pair not in truth) < 0.15


def test_near_duplicates_reach_their_level_and_do_not_fall_below(rows: list[Row]) -> None:
    levels = {str(level): (level, kind) for level, kind in LEVELS.items()}
    assert len(levels) == 8
    for row, claim in claimed(rows, "near_duplicate"):
        _, aim = PLAN[claim["row"] % 100]
        if aim != "chain":
            level, kind = levels[aim]
            assert claim["kind"] == kind
            assert level <= claim["jaccard"] < min(level + 0.1, 1)
        assert row["label"] == rows[claim["of"]]["label"]


def test_a_chain_has_a_far_end(rows: list[Row]) -> None:
    chains = [row["claims"] for row in rows if row["claims"] and row["claims"][0]["kind"] == "chain"]
    assert len(chains) == ROWS // 100
    for link, end in chains:
        assert {claim["of"] for claim in rows[link["of"]]["claims"]} == {end["of"]}
        assert end["jaccard"] < 0.8 <= link["jaccard"]


def test_paraphrases_say_the_same_with_other_words(rows: list[Row]) -> None:
    for row, claim in claimed(rows, "semantic_duplicate"):
        base = rows[claim["of"]]
        assert claim["jaccard"] < 0.15
        for pattern in (NUMBER, NAME, re.compile("|".join((*WORDS["place"], *WORDS["adjective"], *WORDS["month"], *WORDS[row["label"]])))):
            assert Counter(pattern.findall(text(row))) == Counter(pattern.findall(text(base)))


def test_garbled_text_is_garbled_as_it_says(rows: list[Row]) -> None:
    for row, claim in claimed(rows, "garbled"):
        response = row[claim["column"]]
        match claim["kind"]:
            case "mojibake":
                assert "Ã" in response
                assert re.search("[äéö]", response.encode("cp1252").decode("utf-8"))
            case "noise":
                assert not set(plain(response)) & {"of", "from", "on", "in"}
            case "repeated lines":
                lines = response.split("\n")
                assert 8 <= len(lines) <= 15
                assert len(set(lines)) == 1
            case kind:
                assert kind == "keyboard mash"
                assert set(response) <= set("asdfghjkl; ")


def test_labels_are_right_but_for_the_claimed_ones(rows: list[Row]) -> None:
    topic_of = {noun: topic for topic in FACTS for noun in WORDS[topic]}
    for row in rows:
        if row["claims"] and row["claims"][0]["defect"] == "near_duplicate":
            continue  # their replaced words may come from another topic
        ((topic, _),) = Counter(topic_of[word] for word in re.findall("[a-z]+", " ".join(plain(row["prompt"]))) if word in topic_of).most_common(1)
        wrong = [claim for claim in row["claims"] if claim["defect"] == "wrong_label"]
        assert topic == (wrong[0]["value"] if wrong else row["label"])
        assert (row["label"] != topic) == bool(wrong)


def luhn(number: str) -> bool:
    """By the table: every second digit from the right doubled, its digits summed."""
    return sum([0, 2, 4, 6, 8, 1, 3, 5, 7, 9][int(d)] if i % 2 else int(d) for i, d in enumerate(reversed(number))) % 10 == 0


def mod97(iban: str) -> bool:
    """Digit by digit, as on paper."""
    rest = 0
    for char in iban[4:] + iban[:4]:
        rest = (rest * (100 if char.isalpha() else 10) + int(char, 36)) % 97
    return rest == 1


SHAPES = {
    "email": re.compile(r"[\w.-]+@example\.(?:com|net|org)"),
    "phone": re.compile(r"\+1 \(212\) 555-01\d\d|\+44 20 7946 0\d{3}|\+49 30 23125 \d{3}"),
    "card": re.compile(r"\b4000(?:[ -]?\d{4}){3}\b"),
    "iban": re.compile(r"\b(?:GB\d\d ?TEST(?: ?\d{4}){3} ?\d\d|DE\d\d(?: ?\d{4}){4} ?\d\d)\b"),
}


def test_the_oracles_know_published_numbers() -> None:
    assert luhn("4111111111111111")
    assert luhn("79927398713")
    assert not luhn("79927398710")
    assert mod97("GB82WEST12345698765432")
    assert mod97("DE89370400440532013000")
    assert not mod97("DE88370400440532013000")


def test_personal_data_stands_where_it_is_said_and_nowhere_else(rows: list[Row]) -> None:
    truth, found = set(), set()
    for position, row in enumerate(rows):
        for claim in row["claims"]:
            if claim["defect"] in ("personal_data", "not_personal_data"):
                assert row[claim["column"]][claim["start"] : claim["end"]] == claim["value"]
                truth.add((position, claim["defect"], claim["kind"], claim["value"]))
        if row["claims"] and row["claims"][0]["defect"] == "garbled":
            continue
        for kind, shape in SHAPES.items():
            for match in shape.findall(text(row)):
                bare = re.sub("[ -]", "", match)
                valid = luhn(bare) if kind == "card" else mod97(bare) if kind == "iban" else True
                found.add((position, "personal_data" if valid else "not_personal_data", kind, match))
    assert found == truth
    assert len(truth) == 6 * ROWS // 100


def test_answers_stand_in_their_context_but_for_the_claimed_spans(rows: list[Row]) -> None:
    for row in rows:
        if row["context"] is None:
            continue
        spans = [(claim["start"], claim["end"], claim["value"]) for claim in row["claims"]]
        found = [m for pattern in (NUMBER, NAME) for m in pattern.finditer(row["response"]) if m[0] not in pattern.findall(row["context"])]
        assert [(m.start(), m.end(), m[0]) for m in found] == spans
    assert sum(row["context"] is not None for row in rows) == 24 * ROWS // 100
    assert len(claimed(rows, "ungrounded")) == 4 * ROWS // 100


def test_no_wording_has_three_words_of_its_own_in_a_row() -> None:
    for wording in (wording for both in (*QUESTIONS, *(fact for facts in FACTS.values() for fact in facts)) for wording in both):
        fixed = [not re.search(r"\{\w+\}", word) for word in wording.split()]
        assert not any(a and b and c for (a, b), (_, c) in pairwise(pairwise(fixed))), wording


def test_parquet_holds_what_jsonl_holds(tmp_path: Path) -> None:
    a, b = generate(tmp_path / "a.jsonl", 250, seed=5), generate(tmp_path / "b.parquet", 250, seed=5)
    assert b.name == "b.truth.parquet"
    assert pl.read_parquet(tmp_path / "b.parquet").to_dicts() == read(tmp_path / "a.jsonl")
    assert pl.read_parquet(b).to_dicts() == read(a)


def test_a_smaller_set_begins_a_larger_one_and_a_seed_makes_another(tmp_path: Path, rows: list[Row]) -> None:
    generate(tmp_path / "small.jsonl", 137)
    generate(tmp_path / "other.jsonl", 137, seed=1)
    small, other = read(tmp_path / "small.jsonl"), read(tmp_path / "other.jsonl")
    assert small == [{k: v for k, v in row.items() if k != "claims"} for row in rows[:137]]
    assert not {row["response"] for row in small} & {row["response"] for row in other}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**64), st.integers(0, 10**9))
def test_claims_hold_for_any_seed_and_position(seed: int, row: int) -> None:
    example, claims = planted(seed, row)
    assert (example, claims) == planted(seed, row)
    for claim in claims:
        if claim.of is not None:
            a, b = grams(vars(example)), grams(vars(planted(seed, claim.of)[0]))
            assert claim.jaccard == len(a & b) / len(a | b)
        if claim.start is not None:
            assert example.response[claim.start : claim.end] == claim.value


def test_the_paraphrases_by_hand_are_told_right() -> None:
    rows, truth = read(DATA / "paraphrases.jsonl"), read(DATA / "paraphrases.truth.jsonl")
    assert len(rows) == 90
    assert Counter(claim["defect"] for claim in truth) == {"semantic_duplicate": 30, "not_duplicate": 30}
    for claim in truth:
        a, b = grams(rows[claim["of"]]), grams(rows[claim["row"]])
        assert claim["jaccard"] == len(a & b) / len(a | b)
        assert (claim["id"], claim["of_id"]) == (rows[claim["row"]]["id"], rows[claim["of"]]["id"])
        assert (claim["jaccard"] == 0) or claim["defect"] == "not_duplicate"


@pytest.mark.parametrize(("name", "count", "seed", "said"), [("a.csv", 5, 0, ".jsonl"), ("a.jsonl", 0, 0, "at least 1"), ("a.jsonl", 5, -1, "seed")])
def test_bad_requests_say_what_to_do(tmp_path: Path, name: str, count: int, seed: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        generate(tmp_path / name, count, seed)
    assert list(tmp_path.iterdir()) == []


def test_the_script_makes_a_set_and_refuses_without_a_traceback(tmp_path: Path) -> None:
    def run(name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, DATA / "generate.py", tmp_path / name, "--rows", "3"], capture_output=True, text=True, check=False)

    done = run("a.jsonl")
    assert (done.returncode, done.stdout.split()) == (0, [str(tmp_path / "a.jsonl"), str(tmp_path / "a.truth.jsonl")])
    bad = run("a.csv")
    assert bad.returncode == 2
    assert "Traceback" not in bad.stderr
    assert len(bad.stderr.splitlines()) == 1
