"""Links against what they stand for: connected components and the greedy rule, computed directly."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.kernels import forest
from curate.links import Links, link, read_links, write_links
from curate.signal import Pairs
from tests.pairs import Ints, components, make_pairs, matrix, random_pairs, some_pairs

LIMITS = [float(x) for x in np.linspace(0.5, 1.0, 50)]


def same_partition(a: Ints, b: Ints) -> bool:
    """Whether two labellings put the same rows together."""
    return len({*zip(a.tolist(), b.tolist(), strict=True)}) == len({*a.tolist()}) == len({*b.tolist()})


def greedy(pairs: Pairs, limit: float, order: Ints) -> Ints:
    """The cover rule, written as it is said. The kept row that came first of those alike is named; a class settles at its first row."""
    alike = matrix(pairs) >= np.float32(limit)
    out = np.arange(len(pairs.twin), dtype=np.int32)
    kept: list[int] = []
    for row in order.tolist():
        twins = [k for k in kept if alike[row, k]]
        if twins:
            out[row] = twins[0]
        elif pairs.twin[row] >= 0:
            kept.append(row)
    return out


@pytest.fixture(scope="module")
def big() -> Links:
    return link("near_duplicate", random_pairs(400, 500, 1))


@pytest.fixture(scope="module")
def order() -> Ints:
    """A keeper's order of nine rows in ten."""
    return np.random.default_rng(2).permutation(400)[:360].astype(np.int32)


@pytest.mark.parametrize("limit", LIMITS)
def test_groups_are_connected_components(big: Links, limit: float) -> None:
    assert same_partition(big.labels(limit), components(big.pairs, limit))


@pytest.mark.parametrize("limit", LIMITS)
def test_the_cover_rule_keeps_its_two_laws(big: Links, order: Ints, limit: float) -> None:
    to = big.gives_way(limit, "cover", order)
    alike = matrix(big.pairs) >= np.float32(limit)
    in_hand = np.isin(np.arange(big.rows), order)
    kept = np.flatnonzero((to == np.arange(big.rows)) & in_hand & (big.pairs.twin >= 0))
    gone = np.flatnonzero(to != np.arange(big.rows))
    assert not (alike[np.ix_(kept, kept)] & ~np.eye(len(kept), dtype=bool)).any(), "no two kept rows are within the limit"
    assert alike[gone, to[gone]].all(), "each dropped row names a row within the limit"
    assert np.isin(to[gone], kept).all(), "which is kept"
    place = np.full(big.rows, big.rows)
    place[order] = np.arange(len(order))
    assert (place[to[gone]] < place[gone]).all(), "and which the keeper prefers"
    assert in_hand[gone].all()


@pytest.mark.parametrize("limit", LIMITS)
def test_pinned_rows_stay_and_others_give_way_to_them(big: Links, order: Ints, limit: float) -> None:
    to = big.gives_way(limit, "cover", order, 40)
    alike = matrix(big.pairs) >= np.float32(limit)
    pinned = np.isin(np.arange(big.rows), order[:40])
    stays = np.isin(np.arange(big.rows), order) & (big.pairs.twin >= 0) & ((to == np.arange(big.rows)) | pinned)
    free = np.flatnonzero(stays & ~pinned)
    assert not (alike[np.ix_(free, np.flatnonzero(stays))] & (free[:, None] != np.flatnonzero(stays))).any(), "no free row stays beside one that is alike"
    gone = np.flatnonzero((to != np.arange(big.rows)) & ~pinned)
    assert alike[gone, to[gone]].all()
    assert stays[to[gone]].all()


@pytest.mark.parametrize("limit", LIMITS)
def test_the_group_rule_keeps_the_favourite_of_each_component(big: Links, order: Ints, limit: float) -> None:
    to = big.gives_way(limit, "group", order)
    component = components(big.pairs, limit)
    expected = np.arange(big.rows, dtype=np.int32)
    for c in range(component.max() + 1):
        hand = [row for row in order.tolist() if component[row] == c]
        expected[hand] = hand[0] if hand else 0
    assert (to == expected).all()


@given(some_pairs(), st.integers(50, 100), st.randoms(use_true_random=False))
def test_both_rules_as_they_are_said(pairs: Pairs, hundredths: int, random: Random) -> None:
    links, limit = link("x", pairs), hundredths / 100
    rows = list(range(links.rows))
    random.shuffle(rows)
    order = np.array(rows[: 1 + len(rows) // 2], np.int32)
    assert (links.gives_way(limit, "cover", order) == greedy(pairs, limit, order)).all()
    assert same_partition(links.labels(limit), components(pairs, limit))


@given(some_pairs(), st.integers(50, 99))
def test_a_looser_limit_never_keeps_more_under_the_group_rule(pairs: Pairs, hundredths: int) -> None:
    links = link("x", pairs)
    order = np.arange(links.rows, dtype=np.int32)
    loose, tight = (links.gives_way(h / 100, "group", order) == order for h in (hundredths, hundredths + 1))
    assert not (loose & ~tight).any()


@given(some_pairs())
def test_the_curve_of_removed_rows_counts_what_the_group_rule_drops(pairs: Pairs) -> None:
    links = link("x", pairs)
    order = np.arange(links.rows, dtype=np.int32)
    limits = np.asarray(np.arange(50, 101) / 100, np.float32)
    assert links.removed(limits).tolist() == [int((links.gives_way(float(t), "group", order) != order).sum()) for t in limits]


def spanning(pairs: Pairs) -> dict[tuple[int, int], float]:
    """The pairs of the maximum spanning forest."""
    order = np.lexsort((pairs.b, pairs.a, -pairs.similarity))
    taken = forest.spanning(len(pairs.twin), pairs.a, pairs.b, order)
    return {(int(pairs.a[e]), int(pairs.b[e])): float(pairs.similarity[e]) for e in taken}


@given(some_pairs(), st.integers(0, 2**40))
@settings(max_examples=200)
def test_forests_of_parts_merge_into_the_forest_of_the_whole(pairs: Pairs, split: int) -> None:
    twin = pairs.twin.tolist()
    edges = {(int(a), int(b)): float(s) for a, b, s in zip(pairs.a, pairs.b, pairs.similarity, strict=True)}
    parts: tuple[dict[tuple[int, int], float], ...] = ({}, {})
    for i, (ab, s) in enumerate(edges.items()):
        parts[split >> i & 1][ab] = s
    merged = make_pairs(twin, spanning(make_pairs(twin, parts[0])) | spanning(make_pairs(twin, parts[1])))
    assert spanning(merged) == spanning(pairs)
    whole, from_parts = link("x", pairs), link("x", merged)
    for name in ("line", "gap", "joins"):
        assert (getattr(whole, name) == getattr(from_parts, name)).all(), name


@given(some_pairs(), st.randoms(use_true_random=False))
def test_links_do_not_depend_on_the_order_of_the_pairs(pairs: Pairs, random: Random) -> None:
    shuffled = list(range(len(pairs.a)))
    random.shuffle(shuffled)
    other = link("x", Pairs(pairs.twin, pairs.a[shuffled], pairs.b[shuffled], pairs.similarity[shuffled]))
    assert (link("x", pairs).line == other.line).all()


def test_rows_alike_to_one_row(big: Links) -> None:
    alike = matrix(big.pairs)
    for row in range(0, big.rows, 7):
        expected = [(i, alike[row, i]) for i in range(big.rows) if i != row and alike[row, i] >= np.float32(0.7)]
        assert big.of_row(row, 0.7) == sorted(expected, key=lambda pair: (-pair[1], pair[0]))


def test_rows_without_text_neither_link_nor_go() -> None:
    links = link("x", make_pairs([0, -1, 0, -1], {}))
    for rule in ("cover", "group"):
        assert links.gives_way(0.5, rule, np.arange(4, dtype=np.int32)).tolist() == [0, 1, 0, 3]
    assert links.of_row(1, 0.5) == []
    assert links.labels(1.0).tolist().count(links.labels(1.0)[0]) == 2


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_no_pairs_at_all(rows: int) -> None:
    links = link("x", make_pairs(list(range(rows)), {}))
    order = np.arange(rows, dtype=np.int32)
    for limit in (0.0, 0.5, 1.0):
        assert len(set(links.labels(limit).tolist())) == rows
        for rule in ("cover", "group"):
            assert links.gives_way(limit, rule, order).tolist() == order.tolist()


def test_links_survive_the_disk(big: Links, tmp_path: Path) -> None:
    write_links(big, tmp_path)
    back = read_links(big.name, tmp_path)
    for name in ("line", "gap", "joins"):
        assert (getattr(back, name) == getattr(big, name)).all(), name
    for name in ("twin", "a", "b", "similarity"):
        assert (getattr(back.pairs, name) == getattr(big.pairs, name)).all(), name
