"""Orders that make kept rows differ: against plain greedy, the best of all subsets, and what they promise."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.budget import seconds_to_spend, spend
from curate.diversity import Candidates, facility_order, kcentre_order, order_of, plain_order, seconds_of, unit_rank
from curate.errors import InputError
from curate.load import load
from curate.measure import measure
from curate.nearest import nearest
from curate.part import Budget, Diversity
from curate.scores import Scores
from curate.task import plan
from curate.workspace import Workspace
from tests import small
from tests.vectors import Floats, planted

Array = npt.NDArray[Any]
NONE = np.empty(0, np.int32)


def _all(n: int) -> Array:
    return np.arange(n, dtype=np.int32)


def covered(similarity: Array, kept: Array) -> float:
    """The whole facility location objective: how alike each row is to the most alike kept one."""
    return float(np.maximum(similarity[:, kept].max(1), 0).sum()) if len(kept) else 0.0


def greedy(similarity: Array, value: Array, share: float, count: int) -> list[int]:
    """Plain greedy facility location, every row tried at every step."""
    best, taken = np.zeros(len(value)), list[int]()
    for _ in range(count):
        gain = (1 - share) * value + share * np.maximum(similarity - best[:, None], 0).sum(0)
        gain[taken] = -1
        taken.append(int(gain.argmax()))
        best = np.maximum(best, similarity[:, taken[-1]])
    return taken


def _exact(vectors: Floats) -> Array:
    found = np.maximum((vectors @ vectors.T).astype(np.float64), 0)
    np.fill_diagonal(found, 1)
    return found


@pytest.mark.parametrize("share", [0.2, 0.7, 1.0])
def test_lazy_greedy_reaches_what_plain_greedy_does(share: float) -> None:
    vectors, _ = planted(120, 16, 12, 0.6)
    value = unit_rank(np.random.default_rng(1).random(120), _all(120))
    order, gain = facility_order(nearest(vectors, 119), _all(120), value, share, NONE)
    plain, exact = greedy(_exact(vectors), value, share, 40), _exact(vectors)
    for k in (1, 5, 40):
        mine, theirs = ((1 - share) * value[some].sum() + share * covered(exact, some) for some in (order[:k], np.array(plain[:k])))
        assert mine == pytest.approx(theirs, rel=1e-3)
    assert (np.diff(gain) <= 1e-6).all(), "what a row adds never grows"
    assert gain.sum() == pytest.approx((1 - share) * value.sum() + share * covered(exact, order), rel=1e-4)
    assert sorted(order.tolist()) == list(range(120))


def test_greedy_keeps_its_promise_on_small_sets() -> None:
    """At least 1 - 1/e of the best subset (Nemhauser, Wolsey & Fisher 1978), and half the best radius (Gonzalez 1985)."""
    for seed in range(6):
        vectors, _ = planted(12, 4, 5, 0.7, seed)
        value, exact = unit_rank(np.random.default_rng(seed).random(12), _all(12)), _exact(vectors)
        order, _ = facility_order(nearest(vectors, 11), _all(12), value, 0.6, NONE)
        far = np.sqrt(np.maximum(1 - vectors @ vectors.T, 0) / 2)
        centre, _ = kcentre_order((_all(12), vectors), value, Diversity(by="kcentre", share=1, seed=seed), NONE, 12)
        for k in (1, 3, 5):
            every = [np.array(c) for c in combinations(range(12), k)]
            best = max(0.4 * value[c].sum() + 0.6 * covered(exact, c) for c in every)
            assert 0.4 * value[order[:k]].sum() + 0.6 * covered(exact, order[:k]) >= (1 - 1 / np.e) * best
            assert far[:, centre[:k]].min(1).max() <= 2 * min(far[:, c].min(1).max() for c in every) + 1e-6


def test_few_neighbours_come_close_to_all() -> None:
    """What fifteen neighbours lose, by the whole objective of a tenth of the rows; the figure that the docs give."""
    ratios = []
    for seed in range(3):
        vectors, _ = planted(600, 32, 30, 0.5, seed)
        order, _ = facility_order(nearest(vectors, 15), _all(600), np.zeros(600), 1.0, NONE)
        exact = _exact(vectors)
        ratios.append(covered(exact, order[:60]) / covered(exact, np.array(greedy(exact, np.zeros(600), 1.0, 60))))
        random = np.random.default_rng(seed).permutation(600)[:60]
        assert covered(exact, order[:60]) > covered(exact, random)
    assert min(ratios) > 0.9


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_k_centre_by_blocks_is_k_centre_one_by_one(share: float) -> None:
    vectors, _ = planted(3000, 24, 60, 0.4)
    value = unit_rank(np.random.default_rng(2).random(3000), _all(3000))
    order, apart = kcentre_order((_all(3000), vectors), value, Diversity(by="kcentre", share=share, seed=5), NONE, 500)
    far, free, plain = np.ones(3000), np.ones(3000, bool), [int(order[0])]
    for _ in range(500):
        far = np.minimum(far, np.sqrt(np.maximum(1 - vectors @ vectors[plain[-1]], 0) / 2))
        free[plain[-1]] = False
        plain.append(int(np.where(free, (1 - share) * value + share * far, -1).argmax()))
    worth = (1 - share) * value[plain[:500]].sum()
    assert np.mean(np.array(plain[:500]) == order[:500]) > 0.98
    assert (1 - share) * value[order[:500]].sum() == pytest.approx(worth, rel=1e-3)
    if share == 1:
        assert (np.diff(apart[:500]) <= 1e-5).all(), "the radius never grows"
    assert sorted(order.tolist()) == list(range(3000))


def test_copies_add_nothing() -> None:
    vectors, _ = planted(50, 16, 50, 0.3)
    copies = np.repeat(vectors, 4, axis=0)
    for order in (
        facility_order(nearest(copies, 15), _all(200), np.zeros(200), 1.0, NONE)[0],
        kcentre_order((_all(200), copies), np.zeros(200), Diversity(by="kcentre", share=1), NONE, 200)[0],
    ):
        assert len({*(order[:50] // 4).tolist()}) == 50


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.data())
def test_share_none_is_the_order_of_the_score(score: list[int], data: Any) -> None:
    n = len(score)
    left = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    pinned = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    given_ = Candidates(left, pinned, np.array(score, np.float64), None)
    rows = np.flatnonzero(left).astype(np.int32)
    plain = plain_order(given_)
    first = np.searchsorted(rows, plain[: int((left & pinned).sum())]).astype(np.int32)
    value = unit_rank(given_.score, rows)
    vectors, _ = planted(n, 8, 4)
    lists = nearest(vectors, 3)
    for by in ("facility", "kcentre"):
        some = Diversity.model_validate({"by": by, "share": 0})
        if by == "facility":
            found = facility_order(lists, rows, value, 0.0, first)[0]
        elif len(first):
            found = kcentre_order((_all(len(rows)), vectors[rows]), value, some, first, len(rows))[0]
        else:
            continue  # its first row is drawn among the best
        assert rows[found].tolist() == plain.tolist()


def test_rows_without_a_vector_come_by_their_score() -> None:
    vectors, _ = planted(20, 8, 4)
    value = np.linspace(1, 0, 30)
    order, _ = kcentre_order((_all(20), vectors), value, Diversity(by="kcentre", share=0.5), NONE, 30)
    assert sorted(order.tolist()) == list(range(30))
    last = [i for i in order.tolist() if i >= 20]
    assert last == sorted(last)


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    import polars as pl

    folder = tmp_path_factory.mktemp("diverse")
    words = ("river", "engine", "violin", "garden", "soup", "letter")
    text = [f"Some words about the {words[i % 6]} and day {i}, of the {words[i * i % 6]}" for i in range(60)]
    pl.DataFrame({"text": text, "worth": [i / 60 for i in range(60)]}).write_parquet(folder / "rows.parquet")
    workspace = Workspace.at(folder / "workspace")
    data = load(str(folder / "rows.parquet"), workspace)
    tasks = plan(data, {"embedding": {"model": "wordllama"}, "neighbour": {}})
    measure(data, tasks, workspace, "inline")
    return Scores(data, workspace, tasks)


def _candidates(scores: Scores, left: Array | None = None) -> Candidates:
    every = np.ones(scores.dataset.rows, np.bool_)
    return Candidates(every if left is None else left, ~every, np.arange(scores.dataset.rows) / 60.0, None)


@pytest.mark.parametrize("by", ["facility", "kcentre"])
def test_an_order_is_kept_and_made_anew_when_its_rows_change(scores: Scores, by: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.diversity.MOMENT", -1.0)
    made = list[int]()
    import curate.diversity as room

    real = room._made

    def counted(search: Any) -> Any:
        made.append(1)
        return real(search)

    monkeypatch.setattr(room, "_made", counted)
    budget = Budget(rows=12, diversity=Diversity(by=by, share=0.6))
    found, less = _candidates(scores), _candidates(scores, np.arange(60) % 3 > 0)
    assert seconds_of(scores, budget.diversity, found, 12) > 0
    kept = [spend(scores, budget.model_copy(update={"rows": n}), found).keep for n in (6, 12, 20)]
    assert made == [1], "another budget needs no other order"
    assert [int(k.sum()) for k in kept] == [6, 12, 20]
    assert not (kept[0] & ~kept[1]).any()
    again = Scores(scores.dataset, scores.workspace, scores.tasks)
    assert (order_of(again, budget.diversity, found, 12) == order_of(scores, budget.diversity, found, 12)).all()
    assert made == [1], "it is read from the workspace"
    assert seconds_of(scores, budget.diversity, found, 12) == 0
    spend(scores, budget, less)
    assert made == [1, 1]


def test_what_it_rests_on_is_asked_for(scores: Scores) -> None:
    bare = Scores(scores.dataset, scores.workspace, ())
    with pytest.raises(InputError, match="neighbour is not measured"):
        order_of(bare, Diversity(), _candidates(scores), 5)


@pytest.mark.parametrize("parts", [{"rows": 3}, {"rows": 15, "quota": {"*": 3}}, {"rows": 15, "quota": {"a": 0, "b": 0, "c": 0, "*": 5}}])
def test_centres_are_unlike_in_every_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: dict[str, Any]) -> None:
    """Thirty texts, each twice, in six values of ten rows: three of each are different texts."""
    monkeypatch.setattr("curate.diversity.LEAST", 2)
    words = "river engine violin garden soup letter winter doctor pencil castle forest bridge market planet camera spider candle pepper ticket guitar "
    words += "island rocket button mirror carpet ladder helmet cheese tiger desert"
    rows = [{"text": f"about the {word}", "label": "abcdef"[i % 6]} for i, word in enumerate(words.split()) for _ in range(2)]
    signals = {"embedding": {"model": "wordllama"}}
    _, workspace, data = small.recipe_file(tmp_path, rows, {"response": "text", "label": "label"}, signals)
    held = Scores(data, workspace, plan(data, signals))
    every = np.ones(60, np.bool_)
    monkeypatch.setattr("curate.diversity.MOMENT", -1.0)
    budget, came = Budget.model_validate({"per": "label", "diversity": {"by": "kcentre", "share": 1.0}, **parts}), Candidates(every, ~every, None, None)
    told = seconds_to_spend(held, budget, came)
    spent = spend(held, budget, came)
    reaches = [2 << i for i in range(6)]
    took = sum(384 * 2 * 60 * min(60, r) / 5e10 for r in reaches if seconds_of(held, budget.diversity, came, min(60, r)) == 0)
    assert told >= 0.9 * took > 0, "every wider search counts"
    assert seconds_to_spend(held, budget, came) == 0
    assert spent.kept == parts["rows"] or int(spent.keep.sum()) == 18
    assert len({rows[i]["text"] for i in np.flatnonzero(spent.keep)}) == int(spent.keep.sum())
