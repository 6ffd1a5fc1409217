"""The frontier: each measure against its definition, counted prefix by prefix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.diversity import Candidates, plain_order
from curate.frontier import Basis, band, basis_of, marginal, random_order, signal_columns, signal_order, trace, unlike
from curate.nearest import nearest
from curate.noise import JudgedRows, noise
from curate.rate import stratified
from curate.reviews import Review
from curate.scores import Scores
from curate.workspace import Workspace
from tests.small import measured, write
from tests.vectors import planted

N = 300


@pytest.fixture(scope="module")
def basis() -> Basis:
    rng = np.random.default_rng(0)
    near = nearest(planted(N, 16, 10)[0], 4)[0]
    at = np.sort(rng.permutation(N)[:80])
    judged = JudgedRows(at, rng.random(80) < 0.3, ("a", "b"), (np.arange(N) % 3 == 0).astype(np.int32))
    rows = np.flatnonzero(np.arange(N) % 7).astype(np.int32)
    grid = np.unique(np.linspace(0, len(rows), 21).round().astype(np.int64))
    return Basis(rows, grid, rng.integers(0, 90, N), rng.random(N), judged, None, rows, near[rows], None)


def test_every_measure_is_what_it_says(basis: Basis) -> None:
    order = random_order(basis.rows, 3)
    found = trace(basis, order)
    assert basis.tokens is not None
    assert basis.signal is not None
    assert basis.judged is not None
    assert basis.near is not None
    for i, rows in enumerate(basis.grid.tolist()):
        kept = np.zeros(N, bool)
        kept[order[:rows]] = True
        assert found.rows[i] == rows
        assert found.tokens[i] == basis.tokens[kept].sum()
        assert found.signal[i] == pytest.approx(basis.signal[kept].sum())
        covered = kept[basis.rows] | (kept[basis.near] & (basis.near >= 0)).any(1)
        assert found.coverage[i] == pytest.approx(covered.mean())
        told = kept[basis.judged.at]
        code, names = basis.judged.code, basis.judged.names
        at, bad = basis.judged.at, basis.judged.bad & told
        strata = {n: (int((kept & (code == g)).sum()), int((bad & (code[at] == g)).sum()), int((told & (code[at] == g)).sum())) for g, n in enumerate(names)}
        strata = {n: sizes for n, sizes in strata.items() if sizes[0]}
        rate = stratified(strata)
        if rate.value is None:
            assert np.isnan(found.noise[i])
        else:
            assert (found.noise[i], found.noise_low[i], found.noise_high[i]) == pytest.approx((rate.value, rate.low, rate.high))
            assert found.information[i] == pytest.approx(found.signal[i] * (1 - rate.value))
            assert found.information_low[i] <= found.information[i] <= found.information_high[i]


def test_it_grows_where_it_must(basis: Basis) -> None:
    for seed in range(3):
        found = trace(basis, random_order(basis.rows, seed))
        for values in (found.rows, found.tokens, found.signal, found.coverage):
            assert (np.diff(values) >= 0).all()
        assert found.coverage[-1] == 1
        assert found.coverage[0] == found.tokens[0] == 0


def test_without_people_the_probabilities_tell_and_without_both_nothing_does(basis: Basis) -> None:
    chance = np.random.default_rng(1).random(N)
    order = random_order(basis.rows, 0)
    found = trace(replace(basis, judged=None, chance=chance), order)
    assert found.noise[-1] == pytest.approx(chance[basis.rows].mean())
    assert found.information[0] == 0
    assert np.isnan(found.noise_low).all()
    bare = replace(basis, judged=None, tokens=None, signal=None, near=None, covered=None)
    nothing = trace(bare, order)
    assert (bare.noise, bare.coverage) == ("unknown", "unknown")
    assert np.isnan(np.concatenate([nothing.noise, nothing.tokens, nothing.coverage, nothing.information])).all()
    assert (nothing.signal == nothing.rows).all()
    clusters = trace(replace(bare, cluster=(np.arange(N) % 30).astype(np.int32)), order)
    some = len({*(order[: basis.grid[3]] % 30).tolist()})
    assert clusters.coverage[3] == pytest.approx(some / len({*(basis.rows % 30).tolist()}))


def test_the_marginal_gain_adds_up(basis: Basis) -> None:
    found = trace(basis, random_order(basis.rows, 0))
    at, gain = marginal(found.rows, found.tokens)
    assert len(at) == len(gain) == 20
    assert (gain * np.diff(found.rows)).sum() / 1000 == pytest.approx(found.tokens[-1])
    mean, low, high = band([found.tokens, 3 * found.tokens])
    assert (mean == 2 * found.tokens).all()
    assert (low <= high).all()


def test_the_basis_is_read_from_what_is_measured(tmp_path: Path) -> None:
    scores: Scores = measured(write(tmp_path), Workspace.at(tmp_path / "workspace"))
    left = np.arange(40) % 4 > 0
    value = np.linspace(0, 1, 40)
    found = Candidates(left, np.zeros(40, np.bool_), 1.5 * value, None, value)  # a bonus leaves the signal as it is
    ids = scores.frame["row_id"]
    sample = Review("sample", "s", rows=tuple(ids[:10]), value="source")
    marked = (sample, Review("judge", "s", rows=tuple(ids[1:4]), value="good", by="A"), Review("judge", "s", rows=(ids[5],), value="bad: other", by="A"))
    basis = basis_of(scores, found, marked)
    assert (basis.noise, basis.coverage, basis.rows.tolist()) == ("judged", "unknown", np.flatnonzero(left).tolist())
    curve, whole = trace(basis, plain_order(found)), noise(scores, marked, left)
    assert whole is not None
    assert curve.noise[-1] == pytest.approx(whole.rate.value)
    assert curve.signal[-1] == pytest.approx(value[left].sum())
    columns: dict[str, Any] = {c.name: c for c in signal_columns(scores)}
    for column in columns.values():
        order = signal_order(scores, column, basis.rows)
        assert sorted(order.tolist()) == basis.rows.tolist()


def test_a_signal_of_an_order_that_is_drawn_already_is_passed_over(tmp_path: Path) -> None:
    import polars as pl

    from curate.signal import Column

    held = measured(write(tmp_path), Workspace.at(tmp_path / "workspace"))
    rng = np.random.default_rng(0)
    one, two = rng.random(40), rng.random(40)
    held.__dict__["frame"] = held.frame.with_columns(
        pl.Series("a", one), pl.Series("b", 2 * one), pl.Series("c", -one), pl.Series("d", two), pl.Series("e", one * two)
    )
    columns = [Column(n, "Float64", "", "", keep="above") for n in "abcde"]
    rows = np.arange(40, dtype=np.int32)
    own = signal_order(held, columns[3], rows)
    assert unlike(held, columns, rows, own, 2) == (["a", "c"], {"b": "a"})
    assert unlike(held, columns, rows, own, 4) == (["a", "c", "e"], {"b": "a", "d": ""})
