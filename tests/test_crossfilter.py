"""Binned columns and their histograms against counting row by row."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from curate.crossfilter import BINS, MISSING, Binned, bin_values, dropped_alone, histograms, numeric_columns, starting_limits
from curate.kernels.crossfilter import crossfilter
from curate.selection import Selection
from curate.signal import Column
from curate.workspace import Workspace
from tests import small

Floats = npt.NDArray[np.float64]
NUMBER = st.one_of(st.floats(-1e9, 1e9), st.just(float("nan")), st.just(float("inf")), st.integers(-5, 5).map(float))


def column(kind: str = "Float32", log: bool = False, limit: float | None = None) -> Column:
    return Column("x", kind, "", "", limit=limit, log=log)


def check(binned: Binned, values: Floats) -> None:
    """Each row with a score stands once, in the bin whose edges hold it; the outer bins hold what lies beyond."""
    last = len(binned.edges) - 2
    assert 1 <= len(binned.counts) == last + 1 <= BINS + 1
    assert (np.diff(binned.edges) > 0).all()
    assert binned.missing == np.isnan(values).sum() == (binned.codes == MISSING).sum()
    assert binned.counts.sum() + binned.missing == len(values)
    for code, value in zip(binned.codes.tolist(), values.tolist(), strict=True):
        if code != MISSING:
            assert code == 0 or value >= binned.edges[code]
            assert code == last or value < binned.edges[code + 1]


@given(arrays(np.float64, st.integers(0, 60), elements=NUMBER), st.booleans(), st.sampled_from([None, 0.0, 1.5, 1e6]))
def test_every_row_lies_in_its_bin(values: Floats, log: bool, limit: float | None) -> None:
    check(bin_values(values, column(log=log, limit=limit)), values)


@given(arrays(np.float64, st.integers(1, 60), elements=st.integers(-1000, 100_000).map(float)), st.booleans())
def test_whole_numbers_are_never_cut_between_two_of_them(values: Floats, log: bool) -> None:
    binned = bin_values(values, column("Int32", log))
    check(binned, values)
    assert (binned.edges % 1 == 0.5).all()


def test_a_few_far_rows_do_not_press_the_others_together() -> None:
    values = np.concatenate([np.linspace(0, 1, 10_000), [1e6]])
    binned = bin_values(values, column())
    assert binned.edges[-1] < 2
    assert binned.counts[-1] > 1, "the far row is counted in the last bin"
    assert bin_values(values, column(limit=5.0)).edges[-1] == 5, "the proposed limit is always on the axis"


def test_limits_without_a_proposal_start_at_the_ends() -> None:
    low, high = starting_limits(bin_values(np.linspace(0, 100, 10_001), column()))
    assert 0 <= low <= 2
    assert 98 <= high <= 100
    for nothing in (np.empty(0), np.full(3, np.nan), np.zeros(3)):
        low, high = starting_limits(bin_values(nothing, column()))
        assert low < high


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("scale", [(1, 0), (1e-7, 0.5), (1e6, -1e9)])
def test_a_slider_stops_at_numbers_that_can_be_said(log: bool, scale: tuple[float, float]) -> None:
    scores = np.random.default_rng(0).lognormal(2, 1, 5_000)
    binned = bin_values(scale[0] * scores + scale[1], column(log=log))
    assert binned.stops == sorted(set(binned.stops))
    assert len(binned.stops) > len(binned.edges) / 2
    assert np.allclose(binned.stops[0], binned.edges[0], atol=(binned.edges[-1] - binned.edges[0]) / 50)
    whole = bin_values(np.floor(scores), column("Int32", log)).stops
    assert all(s % 1 == 0 for s in whole)
    assert whole[-1] == np.floor(scores).max() or not log


@given(st.integers(0, 40_000), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_counts_under_every_other_limit(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    bins = rng.integers(0, 12, (columns, rows)).astype(np.uint8)
    low, high = np.zeros(columns, np.uint8), np.full(columns, 255, np.uint8)
    for c in np.flatnonzero(rng.random(columns) < 0.6).tolist():
        low[c], high[c] = np.sort(rng.integers(0, 12, 2))
    inside = rng.random(rows) < 0.7
    admits = (bins >= low[:, None]) & (bins <= high[:, None])
    found = crossfilter(bins, low, high, inside)
    for c in range(columns):
        rest = inside & np.delete(admits, c, 0).all(0)
        assert (found[c] == np.bincount(bins[c][rest], minlength=256)).all()


def test_histograms_of_kept_rows() -> None:
    rng = np.random.default_rng(0)
    columns = [rng.normal(size=5_000), rng.integers(0, 9, 5_000).astype(np.float64)]
    columns[0][::7] = np.nan
    binned = [bin_values(columns[0], column()), bin_values(columns[1], column("Int32"))]
    keep = rng.random(5_000) < 0.4
    for counts, b in zip(histograms(binned, keep), binned, strict=True):
        assert counts.tolist() == [int((keep & (b.codes == i)).sum()) for i in range(len(b.counts))]
    for counts, b in zip(histograms(binned, np.ones(5_000, np.bool_)), binned, strict=True):
        assert (counts == b.counts).all()
    assert histograms([], keep) == []


@pytest.mark.parametrize("rows", [0, 50])
def test_rows_that_one_threshold_alone_drops(rows: int) -> None:
    rng = np.random.default_rng(1)
    drops = {name: rng.random(rows) < 0.3 for name in ("a", "b", "c")}
    alone = dropped_alone(Selection(drops, {}, None, rows))
    kept = Selection(drops, {}, None, rows).kept
    for name in drops:
        without = Selection({n: d for n, d in drops.items() if n != name}, {}, None, rows)
        assert alone[name] == without.kept - kept


def test_numeric_columns_by_signal_then_the_datasets_own(tmp_path: Path) -> None:
    scores = small.measured(small.write(tmp_path), Workspace.at(tmp_path / "workspace"))
    found = numeric_columns(scores)
    assert [c.name for c in found["exact_duplicate"]] == ["exact_duplicate_count"]
    assert [c.name for c in found["near_duplicate"]] == ["near_duplicate_similarity", "near_duplicate_redundancy"], "flags are no numbers"
    assert [c.name for c in found[""]] == ["confidence"], "nor are texts and nested columns"
