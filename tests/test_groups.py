"""Curves and tables of duplicates against the rules applied limit by limit."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.groups import (
    Hand,
    Outcome,
    across,
    compared,
    curve,
    curve_limits,
    floor,
    hand,
    in_hand,
    likeness,
    members,
    outcome,
    pinned_rows,
    proposal,
    table,
    weakest_link,
    what_if,
)
from curate.links import Links, Rule, link
from curate.part import LinkThreshold
from curate.reviews import Review
from curate.scores import Scores
from curate.selection import select
from curate.signal import Pairs
from curate.workspace import Workspace
from tests import small
from tests.pairs import components, make_pairs, matrix, some_pairs

RULES: tuple[Rule, ...] = ("cover", "group")


def some_in_hand(links: Links, random: Random, pinned: int = 0) -> Hand:
    """Two rows in three, in any order, the first ones pinned."""
    rows = list(range(links.rows))
    random.shuffle(rows)
    order = np.array(rows[: 1 + 2 * len(rows) // 3], np.int32)
    inside, stays = np.zeros(links.rows, np.bool_), np.zeros(links.rows, np.bool_)
    inside[order], stays[order[:pinned]] = True, True
    return Hand(order, inside, stays)


@pytest.mark.parametrize("rule", RULES)
@given(pairs=some_pairs(), random=st.randoms(use_true_random=False), pinned=st.integers(0, 4))
def test_the_curve_counts_what_the_rule_drops_at_each_limit(rule: Rule, pairs: Pairs, random: Random, pinned: int) -> None:
    links = link("x", pairs)
    hand = some_in_hand(links, random, pinned)
    limits = curve_limits(0.5)
    tokens = np.arange(links.rows, dtype=np.int64) ** 2
    found = curve(links, hand, rule, limits, tokens)
    drops = [outcome(links, hand, LinkThreshold(limit=float(t), rule=rule)).drops for t in limits]
    assert found.rows.tolist() == [int(d.sum()) for d in drops]
    assert found.tokens is not None
    assert found.tokens.tolist() == [int(tokens[d].sum()) for d in drops]
    for limit, many, largest in zip(limits, found.groups, found.largest, strict=True):
        if rule == "group":
            sizes = np.bincount(components(pairs, float(limit))[hand.inside])
        else:
            done = outcome(links, hand, LinkThreshold(limit=float(limit), rule=rule))
            sizes = np.bincount(done.gives_way[done.drops], minlength=1) + 1
        assert many == (sizes > 1).sum()
        assert largest == (sizes.max() if (sizes > 1).any() else 0)


def test_limits_of_a_curve_are_the_hundredths_that_a_recipe_names() -> None:
    assert len(curve_limits(0.5)) == 51
    for least in (0.0, 0.3, 0.5, 0.73, 1.0):
        limits = curve_limits(least)
        assert len(limits) <= 63
        assert limits[0] >= np.float32(least)
        assert limits[-1] == 1
    assert curve_limits(0.554)[0] == np.float32(0.56), "below the floor nothing is known"
    assert all(t == np.float32(h / 100) for t, h in zip(curve_limits(0.5), range(50, 101), strict=True))


@given(some_pairs(), st.randoms(use_true_random=False), st.integers(0, 4), st.integers(50, 100))
def test_the_cover_table_names_each_dropped_row_once(pairs: Pairs, random: Random, pinned: int, hundredths: int) -> None:
    links = link("x", pairs)
    found = outcome(links, some_in_hand(links, random, pinned), LinkThreshold(limit=hundredths / 100, rule="cover"))
    shown = table(links, found)
    assert shown["size"].sum() == found.drops.sum()
    alike = matrix(pairs)
    for kept, size, weakest in shown.iter_rows():
        gone = np.flatnonzero((found.gives_way == kept) & found.drops)
        assert size == len(gone)
        assert weakest == alike[gone, kept].min() >= np.float32(hundredths / 100)
        listed = members(links, found, kept)
        assert listed.filter("dropped")["row"].sort().to_list() == gone.tolist()
        assert listed["similarity"].to_list() == sorted(alike[listed["row"].to_numpy(), kept], reverse=True)


@given(some_pairs(), st.randoms(use_true_random=False), st.integers(0, 4), st.integers(50, 100))
def test_the_group_table_is_the_components_of_the_rows_in_hand(pairs: Pairs, random: Random, pinned: int, hundredths: int) -> None:
    links = link("x", pairs)
    hand = some_in_hand(links, random, pinned)
    found = outcome(links, hand, LinkThreshold(limit=hundredths / 100, rule="group"))
    component = np.where(hand.inside, components(pairs, hundredths / 100), -1)
    sizes = np.bincount(component[hand.inside])
    shown = table(links, found)
    assert shown["size"].to_list() == sorted(sizes[sizes > 1].tolist(), reverse=True)
    for kept, size, weakest in shown.iter_rows():
        rows = np.flatnonzero(component == component[kept])
        assert hand.order[np.isin(hand.order, rows)][0] == kept, "the keeper's favourite stays"
        assert len(members(links, found, kept)) == size - 1
        assert len(set(components(pairs, weakest)[rows].tolist())) == 1, "the weakest link still holds the group"
        assert len(set(components(pairs, float(np.nextafter(np.float32(weakest), np.float32(2))))[rows].tolist())) > 1, "and no stronger one does"


def chain() -> tuple[Links, Outcome]:
    """Rows 0-1-2 in a chain at .9 and .8, and 3-4 equal: the group rule swallows row 2, which is not alike to row 0."""
    links = link("x", make_pairs([0, 1, 2, 3, 3], {(0, 1): 0.9, (1, 2): 0.8}))
    everything = Hand(np.arange(5, dtype=np.int32), np.ones(5, np.bool_), np.zeros(5, np.bool_))
    return links, outcome(links, everything, LinkThreshold(limit=0.8, rule="group"))


def test_a_chain_shows_its_weakest_link_and_what_has_no_link_of_its_own() -> None:
    links, found = chain()
    assert table(links, found).rows() == [(0, 3, pytest.approx(0.8)), (3, 2, 1.0)]
    assert table(links, found, "weakest")["kept"].to_list() == [0, 3]
    assert members(links, found, 0).rows() == [(1, pytest.approx(0.9), True), (2, None, True)]
    cover = outcome(links, found.hand, LinkThreshold(limit=0.8, rule="cover"))
    assert cover.drops.tolist() == [False, True, False, False, True]
    assert table(links, cover).rows() == [(0, 1, pytest.approx(0.9)), (3, 1, 1.0)]


def test_likeness_of_rows_that_are_no_pair_is_not_known() -> None:
    links, _ = chain()
    found = likeness(links, np.array([0, 0, 4, 3], np.int32), np.array([1, 2, 3, 0], np.int32))
    assert np.isnan(found).tolist() == [False, True, False, True]
    assert found[[0, 2]].tolist() == [pytest.approx(0.9), 1.0]


def test_no_rows_in_hand() -> None:
    links, found = chain()
    nobody = Hand(np.empty(0, np.int32), np.zeros(5, np.bool_), np.zeros(5, np.bool_))
    for rule in RULES:
        none = outcome(links, nobody, LinkThreshold(limit=0.8, rule=rule))
        assert table(links, none).is_empty()
        assert not curve(links, nobody, rule, curve_limits(0.5)).rows.any()
    assert found.drops.sum() == 3


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    folder = tmp_path_factory.mktemp("groups")
    return small.measured(small.write(folder), Workspace.at(folder / "workspace"))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("keeper", ["first", "longest", "best:confidence"])
@pytest.mark.parametrize("pinned", [(), (31, 6), (0, 30)])
def test_the_page_shows_what_the_selection_does(scores: Scores, rule: Rule, keeper: str, pinned: tuple[int, ...]) -> None:
    marked = (Review("keep", "s", rows=tuple(scores.frame["row_id"].gather(list(pinned)))), Review("drop", "s", rows=tuple(scores.frame["row_id"].gather([9]))))
    before = {"confidence": {"keep": "above", "limit": 0.04}, "near_duplicate": {"limit": 0.7, "rule": rule, "keeper": keeper}}
    recipe = small.recipe(file_of(scores), thresholds={**before, "exact_duplicate": {"limit": 1.0}})
    selection = select(scores, recipe, marked)
    for name, threshold in recipe.thresholds.items():
        if isinstance(threshold, LinkThreshold):
            rows = hand(scores, threshold.keeper, in_hand(selection, name), pinned_rows(scores, marked))
            found = outcome(scores.links[name], rows, threshold)
            assert (found.gives_way == selection.gives_way[name]).all()
            assert (found.drops == selection.drops[name]).all()
            counted = curve(scores.links[name], rows, threshold.rule, np.array([threshold.limit], np.float32))
            assert counted.rows.tolist() == [selection.drops[name].sum()]


def test_a_threshold_that_is_off_is_shown_as_it_would_be_if_added(scores: Scores) -> None:
    path = file_of(scores)
    off = select(scores, small.recipe(path, thresholds={"exact_duplicate": {"limit": 1.0}}, budget={"rows": 33}))
    on = select(scores, small.recipe(path, thresholds={"exact_duplicate": {"limit": 1.0}, "near_duplicate": {"limit": 0.8}}, budget={"rows": 33}))
    rows = hand(scores, "longest", in_hand(off, "near_duplicate"), pinned_rows(scores, ()))
    found = outcome(scores.links["near_duplicate"], rows, LinkThreshold(limit=0.8))
    assert (found.gives_way == on.gives_way["near_duplicate"]).all()
    assert found.drops.sum() == 5


@given(pairs=some_pairs(), random=st.randoms(use_true_random=False), hundredths=st.integers(50, 100))
def test_a_cut_parts_a_group_at_its_weakest_link(pairs: Pairs, random: Random, hundredths: int) -> None:
    links, limit = link("x", pairs), hundredths / 100
    everyone = Hand(np.arange(links.rows, dtype=np.int32), np.ones(links.rows, np.bool_), np.zeros(links.rows, np.bool_))
    threshold = LinkThreshold(limit=limit, rule="group")
    found = outcome(links, everyone, threshold)
    kept = random.randrange(links.rows)
    ends = weakest_link(links, found, int(found.gives_way[kept]))
    if ends is None:
        return
    whole = found.gives_way == found.gives_way[kept]
    after = outcome(links.cut([ends[:2]]), everyone, threshold)
    assert len(set(after.gives_way[whole].tolist())) == 2
    assert (after.gives_way[~whole] == found.gives_way[~whole]).all()
    side = after.gives_way == after.gives_way[ends[0]]
    alike = matrix(pairs)
    assert alike[np.ix_(whole & side, whole & ~side)].max() == np.float32(ends[2]), "nothing across the cut is more alike"
    assert alike[ends[0], ends[1]] == np.float32(ends[2]), "the link is one of two rows that are that alike"
    limits = curve_limits(0.5)
    counted = curve(links.cut([ends[:2]]), everyone, "group", limits)
    assert counted.rows.tolist() == [outcome(links.cut([ends[:2]]), everyone, LinkThreshold(limit=float(t), rule="group")).drops.sum() for t in limits]
    cover = LinkThreshold(limit=limit, rule="cover")
    assert (outcome(links.cut([ends[:2]]), everyone, cover).gives_way == outcome(links, everyone, cover).gives_way).all()


@given(pairs=some_pairs(), random=st.randoms(use_true_random=False), hundredths=st.integers(50, 100))
def test_the_weakest_link_may_lead_over_rows_that_went_before(pairs: Pairs, random: Random, hundredths: int) -> None:
    links, alike = link("x", pairs), matrix(pairs)
    found = outcome(links, some_in_hand(links, random), LinkThreshold(limit=hundredths / 100, rule="group"))
    shown = table(links, found)
    for kept, _, weakest in shown.iter_rows():
        a, b, similarity = weakest_link(links, found, kept) or (0, 0, 0.0)
        assert similarity == np.float32(weakest)
        assert alike[a, b] == np.float32(similarity)
        assert components(pairs, hundredths / 100)[a] == components(pairs, hundredths / 100)[kept]


def test_a_chain_is_as_long_as_its_links() -> None:
    links = link("x", make_pairs(list(range(7)), {(i, i + 1): 0.9 for i in range(5)}))
    assert across(links, np.arange(6, dtype=np.int32), 0.8) == 5
    assert across(links, np.array([6], np.int32), 0.8) == 0


def test_a_cut_is_a_decision_like_any_other(scores: Scores) -> None:
    ids = scores.frame["row_id"]
    recipe = small.recipe(file_of(scores), thresholds={"near_duplicate": {"limit": 0.8, "rule": "group"}})
    before = select(scores, recipe)
    row = int(np.flatnonzero(before.drops["near_duplicate"])[0])
    cut = Review("cut", "s", rows=(ids[row], ids[int(before.gives_way["near_duplicate"][row])]), value="near_duplicate")
    after = select(scores, recipe, (cut,))
    assert after.keep[row]
    assert "review" not in after.drops
    assert after.kept == before.kept + 1


def test_what_each_keeper_would_keep(scores: Scores) -> None:
    threshold = LinkThreshold(limit=0.8, keeper="longest")
    everyone = hand(scores, "longest", np.ones(scores.dataset.rows, np.bool_), pinned_rows(scores, ()))
    policies = ["longest", "first", "best:confidence"]
    found = what_if(scores, scores.links["near_duplicate"], threshold, everyone, policies)
    for policy, kept, _, others in found.iter_rows():
        stays = [select(scores, small.recipe(file_of(scores), thresholds={"near_duplicate": {"limit": 0.8, "keeper": k}})).keep for k in (policy, "longest")]
        assert kept == stays[0].sum()
        assert others == (stays[0] & ~stays[1]).sum()
    assert found["keeper"].to_list() == policies
    assert found["others"][0] == 0


def test_proposed_limits_lie_in_reach(scores: Scores) -> None:
    for task in scores.tasks:
        limit, why = proposal(task)
        assert floor(task) <= limit <= 1
        assert why
        assert compared(task) == "text"


def file_of(scores: Scores) -> Path:
    """The file that the scores were measured on."""
    return Path(scores.dataset.sources[0][0])
