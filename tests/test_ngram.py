"""Models of hashed n-grams: by hand on a tiny corpus, against a plain dictionary, and a planted domain ranked above the rest of real data."""

from __future__ import annotations

import csv
import gzip
import json
import math
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import InputError
from curate.export import run
from curate.load import load
from curate.measure import measure
from curate.ngram import ADDING, ngram_losses
from curate.normalise import normalise
from curate.recipe import load_recipe
from curate.scores import Scores
from curate.signals.importance import SIGNAL
from curate.task import plan
from curate.workspace import Workspace

BUCKETS, MIXING = 1 << 20, 0.25


def _grams(text: str | None) -> list[tuple[str, ...]]:
    """Words and pairs of neighbours, told apart as the kernel does: runs of letters and digits, runs of signs."""
    own = normalise(pl.Series([text], dtype=pl.String))[0] or ""
    words = re.findall(r"[0-9a-z_\u0080-\U0010ffff]+|[^0-9a-z_\u0080-\U0010ffff ]+", own)
    return [(w,) for w in words] + list(pairwise(words))


def _plain(texts: list[str | None], gold: list[bool]) -> list[tuple[float, float] | None]:
    """The same losses by dictionaries, where no two n-grams share a bucket."""
    rows = [_grams(t) for t in texts]
    base, wanted = Counter(g for row in rows for g in row), Counter(g for row, is_gold in zip(rows, gold, strict=True) if is_gold for g in row)
    found: list[tuple[float, float] | None] = []
    for row, is_gold in zip(rows, gold, strict=True):
        own = Counter(row)
        left, known = base.total() - len(row) + ADDING * BUCKETS, wanted.total() - (len(row) if is_gold else 0)
        one = other = 0.0
        for gram in row:
            likely = (base[gram] - own[gram] + ADDING) / left
            one -= math.log(likely)
            if known:
                likely = MIXING * likely + (1 - MIXING) * (wanted[gram] - (own[gram] if is_gold else 0)) / known
            other -= math.log(likely)
        found.append((one / len(row), other / len(row)) if row else None)
    return found


def test_two_texts_by_hand() -> None:
    """Base without row 1 ("b"): counts a 2, aa 1, of 3; reference: row 0, the same counts."""
    found = ngram_losses(pl.Series(["a a", "b"]), np.array([True, False]), 1000, 0.5)
    assert found.ngrams.tolist() == [3, 1]
    assert found.base[1] == pytest.approx(-math.log(0.1 / (3 + 100)))
    assert found.reference[1] == pytest.approx(-math.log(0.1 / (3 + 100) / 2))
    assert found.base[0] == pytest.approx(-math.log(0.1 / (1 + 100)))
    assert found.reference[0] == found.base[0], "the reference is this row alone, which does not speak for itself"


pieces = st.lists(st.sampled_from(["the", "cat", "Sat", "on", "a-mat", "(x)", "é", "ﬁn"]), max_size=6).map(" ".join) | st.none()


@settings(max_examples=80)
@given(st.lists(st.tuples(pieces, st.booleans()), max_size=8))
def test_losses_are_those_of_plain_dictionaries(rows: list[tuple[str | None, bool]]) -> None:
    texts, gold = [t for t, _ in rows], [g for _, g in rows]
    found = ngram_losses(pl.Series(texts, dtype=pl.String), np.array(gold, np.bool_), BUCKETS, MIXING)
    for i, expected in enumerate(_plain(texts, gold)):
        if expected is None:
            assert math.isnan(found.base[i])
            assert found.ngrams[i] == 0
        else:
            assert (found.base[i], found.reference[i]) == pytest.approx(expected)


@settings(max_examples=30)
@given(st.lists(pieces, min_size=1, max_size=8), st.lists(pieces, max_size=4))
def test_a_file_of_other_texts_is_a_slice_that_is_not_in_the_base(own: list[str | None], reference: list[str | None]) -> None:
    found = ngram_losses(pl.Series(own, dtype=pl.String), pl.Series(reference, dtype=pl.String), BUCKETS, MIXING)
    wanted, base = Counter(g for t in reference for g in _grams(t)), _plain(own, [False] * len(own))
    plain = ngram_losses(pl.Series(own, dtype=pl.String), np.zeros(len(own), np.bool_), BUCKETS, MIXING)
    np.testing.assert_allclose(found.base, plain.base)
    for i, text in enumerate(own):
        if base[i] is not None and wanted:
            likely = [math.exp(-a) for a in _each(own, i)]
            mixed = [MIXING * p + (1 - MIXING) * wanted[g] / wanted.total() for p, g in zip(likely, _grams(text), strict=True)]
            assert found.reference[i] == pytest.approx(-np.log(mixed).mean())


def _each(texts: list[str | None], row: int) -> list[float]:
    """The base's loss of each n-gram of a row."""
    counts = Counter(g for i, t in enumerate(texts) if i != row for g in _grams(t))
    return [-math.log((counts[g] + ADDING) / (counts.total() + ADDING * BUCKETS)) for g in _grams(texts[row])]


def _table(texts: list[str], source: list[str] | None = None) -> pa.Table:
    none = pa.nulls(len(texts), pa.string())
    return pa.table({"of": pa.array(texts, pa.large_string()), "source": none, "slice": pa.array(source) if source else none})


def _auroc(truth: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth, weight))


def test_a_planted_domain_is_ranked_above_the_rest(shared: Path) -> None:
    with (shared / "banking77" / "train.csv").open(encoding="utf-8") as file:
        bank = [row["text"] for row in csv.DictReader(file)][:2000]
    code = [f"{r['instruction']}\n{r['output']}" for r in json.loads((shared / "code-alpaca" / "code_alpaca_2k.json").read_text())]
    gold = ["gold" if i % 20 == 0 and i < len(bank) else "raw" for i in range(len(bank) + len(code))]
    weight = SIGNAL.compute(_table([*bank, *code], gold), slice="source=gold")["importance_weight"].to_numpy()
    rest = np.array(gold) == "raw"
    assert _auroc((np.arange(len(gold)) < len(bank))[rest], weight[rest]) > 0.995


def test_news_of_one_kind_by_a_hundred_of_them(shared: Path) -> None:
    with gzip.open(shared / "noisyag-news" / "samples10000valMed.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kind, found = np.array([int(row["gt"]) for row in rows]), []
    for wanted in range(4):
        source = np.full(len(rows), "raw", object)
        source[np.random.default_rng(wanted).permutation(np.flatnonzero(kind == wanted))[:100]] = "gold"
        weight = SIGNAL.compute(_table([row["text"] for row in rows], source.tolist()), slice="source=gold")["importance_weight"].to_numpy()
        found.append(_auroc((kind == wanted)[source == "raw"], weight[source == "raw"]))
    assert np.mean(found) > 0.86


def test_a_recipe_names_a_file_or_a_slice(tmp_path: Path) -> None:
    rows = [{"prompt": "say", "response": f"{'river boat' if i % 2 else 'engine brake'} {i}", "origin": "gold" if i < 4 else "raw"} for i in range(40)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "gold.jsonl").write_text("".join(json.dumps({"prompt": "say", "response": "river boat"}) + "\n" for _ in range(5)))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "dataset: {path: train.jsonl}\nsignals: {importance: {reference: gold.jsonl}}\nthresholds: {importance_weight: {keep: above, limit: 0}}\n"
    )
    workspace = Workspace.at(tmp_path / "workspace")
    assert run(load_recipe(recipe), workspace, tmp_path / "out", "inline").kept == 20
    data = load(str(tmp_path / "train.jsonl"), workspace)
    (one,), (other,) = (plan(data, {"importance": given}) for given in ({"reference": str(tmp_path / "gold.jsonl")}, {"slice": "origin=gold"}))
    assert one.key != other.key
    measure(data, [other], workspace)
    assert other.manifest(workspace)["notes"] == {"reference rows": 4}
    assert Scores(data, workspace, (other,)).frame["importance_tercile"].is_in(["head", "middle", "tail"]).all()
    lacking = plan(data, {"importance": {}})[0].skip or ""
    assert lacking.startswith("needs the parameter reference")
    assert "slice" in lacking
    assert "no" in (plan(data, {"importance": {"slice": "nothing=1"}})[0].skip or "")


def test_what_cannot_be_is_refused() -> None:
    table = _table(["a b", "c"], ["x", "y"])
    for parameters, what in (
        ({"slice": "source"}, "is no slice"),
        ({"slice": "source=z"}, "no row has source=z"),
        ({"buckets": 0}, "out of range"),
        ({"smoothing": 0.0}, "is no share"),
        ({"slice": "source=x", "reference": "gold.jsonl"}, "both"),
    ):
        with pytest.raises(InputError, match=what):
            SIGNAL.compute(table, **parameters)
    with pytest.raises(InputError, match="no row of it has a word"):
        SIGNAL.compute(_table(["a b", ""], ["x", "y"]), slice="source=y")
