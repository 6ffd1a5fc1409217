"""Contamination: every measure against brute force, planted leaks found, and the evaluation rows that Banking77 trains on."""

from __future__ import annotations

import json
import random
import unicodedata
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.contamination import MOST, Evidence, closest_vectors, compare, hold
from curate.errors import InputError
from curate.export import run
from curate.load import load
from curate.measure import measure
from curate.recipe import dump_recipe, load_recipe, parse_recipe
from curate.scores import Scores
from curate.signal import check_parameters
from curate.signals.contamination import SIGNAL
from curate.task import plan
from curate.workspace import Workspace

NGRAM, LEAST, FLOOR = 5, 3, 0.4
texts = st.lists(st.lists(st.sampled_from(["a", "b", "c", "D.", "e-f"]), max_size=9).map(" ".join) | st.none(), max_size=8)


def _words(text: str | None) -> list[str]:
    folded = unicodedata.normalize("NFKC", text or "").casefold()
    return "".join(" " if unicodedata.category(c)[0] in "PS" else c for c in folded).split()


def _grams(words: list[str], size: int) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + size]) for i in range(max(1, len(words) - size + 1))} if words else set()


def _overlap(row: list[str], test: list[str]) -> float:
    if len(test) < LEAST:
        return 0.0
    size = min(NGRAM, len(test))
    return len(_grams(row, size) & _grams(test, size)) / len(_grams(test, size))


def _jaccard(row: list[str], test: list[str]) -> float:
    a, b = _grams(row, 3), _grams(test, 3)
    return len(a & b) / len(a | b) if a and b else 0.0


def _check_side(found: Evidence, mine: list[list[str]], others: list[list[str]], turned: bool) -> None:
    for i, words in enumerate(mine):
        pairs = [(o, words) if turned else (words, o) for o in others]
        overlap, jaccard = [_overlap(*p) for p in pairs], [_jaccard(*p) for p in pairs]
        jaccard = [j if np.float32(j) >= np.float32(FLOOR) else 0.0 for j in jaccard]
        same = [k for k, o in enumerate(others) if words and o == words]
        assert found.exact[i] == (same[0] if same else -1)
        assert found.none[i] == (not words)
        for values, score, row in ((overlap, found.overlap, found.overlap_row), (jaccard, found.jaccard, found.jaccard_row)):
            best = max(values, default=0.0) if words else 0.0
            assert score[i] == np.float32(best)
            assert row[i] == (values.index(best) if best > 0 else -1), "of equal ones the first"


@settings(deadline=None, max_examples=200)
@given(texts, texts)
def test_words_are_compared_as_by_brute_force(rows: list[str | None], tests: list[str | None]) -> None:
    held = hold(pl.Series(tests, dtype=pl.String), NGRAM, LEAST, FLOOR)
    mine, theirs = compare(pl.Series(rows, dtype=pl.String), held)
    own, other = [_words(t) for t in rows], [_words(t) for t in tests]
    _check_side(mine, own, other, turned=False)
    _check_side(theirs, other, own, turned=True)


def test_runs_of_rows_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(0)
    rows, tests = ([" ".join(rng.choices("abcdefgh", k=rng.randint(1, 30))) for _ in range(n)] for n in (300, 60))
    whole = compare(pl.Series(rows), hold(pl.Series(tests), NGRAM, LEAST, FLOOR))
    monkeypatch.setattr("curate.shingle.CHUNK", 500)
    parted = compare(pl.Series(rows), hold(pl.Series(tests), NGRAM, LEAST, FLOOR))
    for one, two in zip(whole, parted, strict=True):
        assert all((getattr(one, name) == getattr(two, name)).all() for name in Evidence.__annotations__)
    _check_side(parted[1], [_words(t) for t in tests], [_words(t) for t in rows], turned=True)


def test_a_template_that_all_share_is_told_and_does_not_hide_a_leak() -> None:
    template = " ".join(f"word{i}" for i in range(40))
    rng = random.Random(0)
    tests = [f"{template} {' '.join(f'x{rng.randrange(9999)}' for _ in range(20))}" for _ in range(2 * MOST)]
    found, _ = compare(pl.Series([tests[400], template]), hold(pl.Series(tests)))
    assert found.cut.all(), "they share n-grams with more evaluation rows than are looked at"
    assert found.overlap[0] == 1
    assert found.overlap_row[0] == 400, "its own words are the rarest"
    assert found.overlap[1] == pytest.approx(28 / 48)


def test_cosines_are_those_of_brute_force() -> None:
    rng = np.random.default_rng(0)
    a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (rng.normal(size=(n, 16)).astype(np.float32) for n in (9000, 5000)))
    cosine, place = closest_vectors(a, b)
    some = slice(None, None, 500)
    assert cosine[some] == pytest.approx((a[some] @ b.T).max(1), abs=1e-6)
    assert place[some].tolist() == (a[some] @ b.T).argmax(1).tolist()


def _planted() -> tuple[list[str], list[str], dict[str, range]]:
    """2,000 rows of 60 words over 20,000 words; of 500 evaluation rows the first 400 are leaked: as they are, inside a longer row, with words changed."""
    rng = random.Random(1)

    def said(length: int) -> list[str]:
        return [f"w{int(rng.paretovariate(0.6)) % 20_000}" for _ in range(length)]

    tests, rows = [said(30 + i % 40) for i in range(500)], [said(60) for _ in range(2000)]
    strength = {"same": range(100), "inside": range(100, 200), "one word in 20": range(200, 300), "one word in 4": range(300, 400)}
    for i in strength["same"]:
        rows[i] = [w.upper() + "," for w in tests[i]]
    for i in strength["inside"]:
        rows[i] = said(50) + tests[i] + said(50)
    for name, every in (("one word in 20", 20), ("one word in 4", 4)):
        for i in strength[name]:
            rows[i] = [w if k % every else f"new{i}" for k, w in enumerate(tests[i])]
    return [" ".join(r) for r in rows], [" ".join(t) for t in tests], strength


def test_planted_leaks_are_found_at_every_strength() -> None:
    rows, tests, strength = _planted()
    found, theirs = compare(pl.Series(rows), hold(pl.Series(tests)))
    leaked = found.similarity >= 0.7
    truth = np.arange(len(rows)) < 400
    recall = {name: float(leaked[list(of)].mean()) for name, of in strength.items()}
    assert recall["same"] == recall["inside"] == 1
    assert recall["one word in 20"] == pytest.approx(0.8, abs=0.2), "at the limit: 3 of 20 3-grams and more 13-grams are lost"
    assert recall["one word in 4"] == 0, "no three words stand together any more but one in four: below the limit by design"
    assert truth[leaked].all(), "precision is 1"
    assert (found.row[leaked] == np.flatnonzero(leaked)).all(), "and each names the row it holds"
    looser = found.similarity >= 0.5
    assert looser[list(strength["one word in 20"])].all()
    assert truth[looser].all()
    assert np.flatnonzero(theirs.similarity >= 0.7).tolist() == np.flatnonzero(leaked).tolist()
    kinds = found.kind
    assert (kinds[:100] == 0).all()
    assert (kinds[100:200] == 1).all()


def test_25_test_texts_of_banking77_are_in_train(shared: Path, workspace: Workspace) -> None:
    """25 rows, all with different texts, of 3,080; 7 where punctuation counts."""
    folder = shared / "banking77"
    data = load(str(folder / "train.csv"), workspace)
    asked = {"contamination": {"reference": [str(folder / "test.csv")], "semantic": False}}
    tasks = plan(data, asked)
    assert [t.signal.name for t in tasks] == ["contamination"], "no embedding is made"
    measure(data, tasks, workspace, "inline")
    frame = Scores(data, workspace, tasks).frame
    leaked = frame.filter("contamination_exact")
    assert len(leaked) == 25
    assert leaked["contamination_row"].n_unique() == 25
    assert leaked["contamination_kind"].unique().to_list() == ["exact"]
    assert frame["contamination_cosine"].null_count() == len(frame) == 10_003
    test = pl.read_csv(folder / "test.csv")["text"]
    for at, name in zip(frame["contamination_exact"].arg_true(), leaked["contamination_row"], strict=True):
        assert _words(test[int(name.removeprefix("test.csv:"))]) == _words(data.rows_at([at], ["text"])["text"][0])


def _write(path: Path, texts: list[str | None]) -> Path:
    path.write_text("".join(json.dumps({"prompt": text, "n": 1}) + "\n" for text in texts))
    return path


def test_a_recipe_drops_what_several_files_hold(tmp_path: Path) -> None:
    rows = [" ".join(f"w{i}x{j}" for j in range(20)) for i in range(30)]
    _write(tmp_path / "train.jsonl", [*rows, None])
    (tmp_path / "held").mkdir()
    _write(tmp_path / "held" / "a.jsonl", ["nothing of it", rows[3].upper()])
    (tmp_path / "held" / "b.csv").write_text(f"text,n\n{rows[9]}!,1\n")
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "dataset: {path: train.jsonl}\nsignals: {contamination: {reference: [held/a.jsonl, held/b.csv], semantic: false}}\n"
        "thresholds: {contamination_similarity: {keep: below, limit: 0.7}}\n"
    )
    recipe, work = load_recipe(path), Workspace.at(tmp_path / "workspace")
    out = run(recipe, work, tmp_path / "out", "inline")
    assert out.dropped == {"contamination_similarity": 2}
    decisions = pl.read_parquet(out.out / "decisions.parquet")
    assert decisions["contamination_row"].to_list()[3::6][:2] == ["a.jsonl:1", "b.csv:0"]
    assert decisions["contamination_similarity"].to_list()[-1] is None
    assert parse_recipe(recipe.model_dump(mode="json", exclude_none=True), "r") == recipe
    (tmp_path / "again.yaml").write_text(dump_recipe(recipe))
    assert load_recipe(tmp_path / "again.yaml") == recipe
    data = load(str(tmp_path / "train.jsonl"), work)
    task = plan(data, recipe.signals)[0]
    _write(tmp_path / "held" / "a.jsonl", ["nothing"])
    assert plan(data, recipe.signals)[0].key != task.key
    (tmp_path / "held" / "b.csv").unlink()
    assert "cannot read its reference" in str(plan(data, recipe.signals)[0].skip)
    assert plan(data, {"contamination": {}})[-1].skip == "needs the parameter reference: evaluation files"


def test_a_paraphrase_is_named_and_is_no_leak(tmp_path: Path, workspace: Workspace) -> None:
    _write(tmp_path / "train.jsonl", ["How can I reset my password?", "The weather in Paris is mild in spring."])
    held = _write(tmp_path / "held.jsonl", ["How do I reset a password?", "Bananas are yellow"])
    data = load(str(tmp_path / "train.jsonl"), workspace)
    asked = {"contamination": {"reference": str(held)}, "embedding": {"model": "all-minilm-l6-v2"}}
    tasks = plan(data, asked)
    assert tasks[-1].parameters["model"] == "all-minilm-l6-v2"
    measure(data, tasks, workspace, "inline")
    row = Scores(data, workspace, tasks).frame.row(0, named=True)
    assert row["contamination_similarity"] == 0
    assert row["contamination_cosine"] > 0.9
    assert (row["contamination_kind"], row["contamination_row"]) == ("semantic", "held.jsonl:0")
    with pytest.raises(InputError, match="made by wordllama"):
        plan(data, {"contamination": {"reference": str(held), "model": "other"}, "embedding": {"model": "wordllama"}})


def test_parameters_out_of_range_are_refused() -> None:
    table = pa.table({"of": ["a"], "embedding_vector": pa.nulls(1, pa.string())})
    with pytest.raises(InputError, match="ngram"):
        SIGNAL.compute(table, ngram=0)
    with pytest.raises(InputError, match="floor"):
        SIGNAL.compute(table, floor=0.0)
    with pytest.raises(InputError, match="is not a text or a list of texts"):
        check_parameters(SIGNAL, {"reference": 3})
