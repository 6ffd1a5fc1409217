"""Duplicates of another dataset: against brute force, and as a recipe uses them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.defects import jaccard, shingles
from curate.export import run
from curate.load import load
from curate.recipe import load_recipe
from curate.signals.near_duplicate import near_pairs
from curate.signals.reference_duplicate import SIGNAL, closest_reference
from curate.task import plan
from curate.workspace import Workspace

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi", "omicron", "pi"]
texts = st.lists(st.lists(st.sampled_from(WORDS[:6]), min_size=3, max_size=6).map(" ".join) | st.none(), max_size=9)


@settings(deadline=None, max_examples=60)
@given(texts, texts)
def test_the_closest_reference_row_is_that_of_brute_force(own: list[str | None], reference: list[str | None]) -> None:
    import polars as pl

    pairs, _ = near_pairs(pl.Series([*own, *reference], dtype=pl.String), 0.7)
    similarity, place = closest_reference(pairs, len(own))
    for i, text in enumerate(own):
        alike = [jaccard(shingles(text), shingles(r)) if text and r else 0.0 for r in reference]
        best = max(alike, default=0.0)
        if best >= 0.75:  # MinHash may miss a pair close to its floor
            assert similarity[i] == pytest.approx(best)
            assert alike[place[i]] == best
        elif best < 0.7:
            assert similarity[i] == 0
            assert place[i] == -1


def _write(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"prompt": "say", "response": text}) + "\n" for text in texts))
    return path


def test_a_recipe_drops_what_an_evaluation_set_holds(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [" ".join(rng.choice(WORDS, 20)) for _ in range(60)]
    near = [" ".join([*rows[i].split()[:-1], "changed"]) for i in (3, 9)]
    _write(tmp_path / "train.jsonl", rows)
    held = _write(tmp_path / "held.jsonl", [*near, rows[20], "nothing like it at all here"])
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "dataset: {path: train.jsonl}\nsignals: {reference_duplicate: {reference: held.jsonl}}\n"
        "thresholds: {reference_duplicate_similarity: {keep: below, limit: 0.7}}\n"
    )
    found = run(load_recipe(recipe), Workspace.at(tmp_path / "workspace"), tmp_path / "out", "inline")
    assert found.dropped == {"reference_duplicate_similarity": 3}
    before = held.read_bytes()
    data = load(str(tmp_path / "train.jsonl"), Workspace.at(tmp_path / "workspace"))
    task = plan(data, load_recipe(recipe).signals)[0]
    held.write_bytes(before + before)
    assert plan(data, load_recipe(recipe).signals)[0].key != task.key, "what the reference holds decides the scores"
    held.unlink()
    assert "cannot read its reference" in str(plan(data, load_recipe(recipe).signals)[0].skip)


def test_without_a_reference_it_is_skipped(tmp_path: Path) -> None:
    data = load(str(_write(tmp_path / "train.jsonl", ["a b c"])), Workspace.at(tmp_path / "workspace"))
    assert plan(data, {"reference_duplicate": {}})[0].skip == "needs the parameter reference: a dataset to compare with"
    assert SIGNAL.compute(pa.table({"of": ["a b c d", None]}))["reference_duplicate_similarity"].to_pylist() == [0, None]
