"""The cover rule over pairs on disk: what it says in memory, in any stretches; and pairs that stay in their file."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate import cover, links
from curate.cover import StoredPairs, cover_rule_on_disk, nearest_on_disk
from curate.links import Links, link, read_links, write_links
from curate.signal import Pairs
from tests.pairs import Ints, random_pairs, some_pairs
from tests.test_links import greedy


def on_disk(pairs: Pairs, folder: Path) -> StoredPairs:
    write_links(link("x", pairs), folder)
    return StoredPairs(pairs.twin, folder / "pairs.parquet")


def both(pairs: Pairs, folder: Path, limit: float, order: Ints, pins: int = 0) -> tuple[Ints, Ints]:
    """By memory and by disk."""
    held, stored = link("x", pairs), on_disk(pairs, folder)
    near = nearest_on_disk(stored)
    assert (near == held.nearest).all()
    return held.gives_way(limit, "cover", order, pins), cover_rule_on_disk(order, pins, near, stored, limit)


@pytest.mark.parametrize("held", [1, 2, 7, 4_000_000])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some_pairs(), st.integers(50, 100), st.randoms(use_true_random=False))
def test_disk_says_what_memory_and_the_rule_say(tmp_path: Path, held: int, pairs: Pairs, hundredths: int, random: Random) -> None:
    rows = list(range(len(pairs.twin)))
    random.shuffle(rows)
    order = np.array(rows[: random.randint(0, len(rows))], np.int32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cover, "HELD", held)
        pins = random.randint(0, len(order))
        memory, disk = both(pairs, tmp_path, hundredths / 100, order, pins)
        assert (memory == disk).all()
        memory, disk = both(pairs, tmp_path, hundredths / 100, order)
        assert (disk == memory).all()
    assert (disk == greedy(pairs, hundredths / 100, order)).all()


@pytest.mark.parametrize("held", [50, 1_000, 100_000])
@pytest.mark.parametrize("group", [1 << 18, 64])
def test_ranges_and_row_groups_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int, group: int) -> None:
    monkeypatch.setattr(cover, "HELD", held)
    monkeypatch.setattr(links, "GROUP", group)
    pairs, rng = random_pairs(1_500, 9_000, 4), np.random.default_rng(5)
    for limit in (0.0, 0.5, 0.72, 0.9, 1.0):
        order = rng.permutation(1_500)[: int(rng.integers(1, 1_500))].astype(np.int32)
        memory, disk = both(pairs, tmp_path, max(limit, 1e-30), order, 30)
        assert (memory == disk).all()
        assert (disk != np.arange(1_500)).any()


def test_many_pairs_stay_in_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = random_pairs(500, 3_000, 6)
    whole = link("x", pairs)
    write_links(whole, tmp_path)
    monkeypatch.setattr(links, "HELD", 100)
    read = read_links("x", tmp_path)
    order = np.random.default_rng(1).permutation(500).astype(np.int32)
    assert isinstance(read.pairs, StoredPairs)
    same(read, whole, order)
    assert not {"a", "b", "similarity"} & {*vars(read.pairs)}, "the rules have read no whole column"
    cut = [(int(read.line[3]), int(read.line[40]))]
    same(read.cut(cut), whole.cut(cut), order)
    assert (read.pairs.a == pairs.a).all()
    assert (read.pairs.similarity == pairs.similarity).all()
    assert read.of_row(3, 0.5) == whole.of_row(3, 0.5)


def same(read: Links, whole: Links, order: Ints) -> None:
    for limit in (0.5, 0.8, 1.0):
        for rule in ("cover", "group"):
            assert (read.gives_way(limit, rule, order, 5) == whole.gives_way(limit, rule, order, 5)).all()
        assert (read.labels(limit) == whole.labels(limit)).all()


@pytest.mark.parametrize("group", [1, 3, 1 << 18])
def test_chunks_do_not_show_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int) -> None:
    monkeypatch.setattr(links, "GROUP", group)
    pairs, found = random_pairs(60, 40, 2), []
    held = link("x", pairs)
    for number, cuts in enumerate(([], [1], [0, 5, 5, 17])):
        folder = tmp_path / str(number)
        folder.mkdir()
        columns = [np.split(c, cuts) for c in (pairs.a, pairs.b, pairs.similarity)]
        links.write_arrays(folder, zip(*columns, strict=True), pairs.twin, held.line, held.gap, held.joins)
        found.append((folder / "pairs.parquet").read_bytes())
    assert len({*found}) == 1
    assert (read_links("x", tmp_path / "0").pairs.b == pairs.b).all()
