"""Near duplicates against brute force, real articles, shapes that break other tools, and laws."""

import itertools
import random
import re
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import banding
from curate.errors import InputError
from curate.kernels import minhash
from curate.signal import Pairs
from curate.signals.near_duplicate import SIGNAL, near_pairs

Found = dict[tuple[int, int], np.float32]


def grams(text: str, n: int = 3, unit: str = "word") -> frozenset[tuple[str, ...]]:
    plain = unicodedata.normalize("NFKC", text).casefold().split()
    parts = plain if unit == "word" else list(" ".join(plain))
    return frozenset(tuple(parts[i : i + n]) for i in range(max(1, len(parts) - n + 1)))


def brute(texts: list[str], n: int = 3, unit: str = "word") -> dict[tuple[int, int], np.float32]:
    """Jaccard of every two rows that share anything, by an inverted index."""
    sets = [grams(text, n, unit) for text in texts]
    holders = defaultdict(list)
    for row, one in enumerate(sets):
        for gram in one:
            holders[gram].append(row)
    shared = Counter(pair for rows in holders.values() for pair in itertools.combinations(rows, 2))
    return {(a, b): np.float32(k / (len(sets[a]) + len(sets[b]) - k)) for (a, b), k in shared.items()}


def unfold(pairs: Pairs) -> Found:
    """The pairs of rows that pairs of classes stand for."""
    members = defaultdict(list)
    for row, first in enumerate(pairs.twin.tolist()):
        members[first].append(row)
    found = {pair: np.float32(1) for first, rows in members.items() if first >= 0 for pair in itertools.combinations(rows, 2)}
    for a, b, similarity in zip(pairs.a.tolist(), pairs.b.tolist(), pairs.similarity, strict=True):
        for one, other in itertools.product(members[a], members[b]):
            found[min(one, other), max(one, other)] = similarity
    return found


def planted(rows: int, seed: int) -> list[str]:
    """Texts of a skewed vocabulary; a half are copies of an earlier one with up to a fifth of the words replaced, some whole, many at about half alike."""
    rng = random.Random(seed)
    words = [f"w{i}" for i in range(3000)]
    weight = [1 / (i + 3) for i in range(3000)]
    texts: list[str] = []
    while len(texts) < rows:
        base = texts[rng.randrange(len(texts))].split() if texts and rng.random() < 0.5 else rng.choices(words, weight, k=rng.randint(3, 90))
        for at in rng.sample(range(len(base)), int(len(base) * rng.choice([0, 0.03, 0.08, 0.12, 0.15, 0.2]))):
            base[at] = rng.choice(words)
        texts.append(" ".join(base))
    return texts


@pytest.mark.parametrize(("n", "unit"), [(3, "word"), (1, "word"), (6, "character")])
def test_every_similarity_is_exact_and_nearly_none_is_missed(n: int, unit: str) -> None:
    texts = planted(2000, 7) if unit == "word" and n == 3 else planted(400, 8)
    truth = {pair: share for pair, share in brute(texts, n, unit).items() if share >= 0.5}
    found = unfold(near_pairs(pl.Series(texts), 0.5, n, unit)[0])
    assert len(truth) > 300
    assert {pair: truth.get(pair) for pair in found} == found, "no false pair, no similarity off by a bit"
    assert len(found) >= 0.999 * len(truth)
    assert all(share < 0.7 for pair, share in truth.items() if pair not in found)


def test_scores_are_the_highest_of_a_row() -> None:
    texts = ["a b c d e f", None, "A b  c\nd e f", "a b c d e x", "nothing of that kind", "", "one", "ONE"]
    table, pairs = SIGNAL.compute(pa.table({"of": pa.array(texts)}))
    assert table["near_duplicate_similarity"].to_pylist() == [1, None, 1, np.float32(0.6), 0, None, 1, 1]
    assert table["near_duplicate_sampled"].to_pylist() == [False, None, False, False, False, None, False, False]
    assert pairs.twin.tolist() == [0, -1, 0, 3, 4, -1, 6, 6]
    assert (pairs.a.tolist(), pairs.b.tolist()) == ([0], [3])


@pytest.mark.parametrize("floor", [0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
def test_real_articles(shared: Path, floor: float) -> None:
    folder = shared / "minhash-articles"
    rows = [line.split(" ", 1) for line in (folder / "articles_100.train").read_text(encoding="utf-8").splitlines()]
    row_of = {name: row for row, (name, _) in enumerate(rows)}
    truth = {tuple(sorted(row_of[name] for name in line.split())) for line in (folder / "articles_100.truth").read_text(encoding="utf-8").splitlines()}
    found = unfold(near_pairs(pl.Series([text for _, text in rows]), floor)[0])
    assert len(truth) == 5
    for limit in np.arange(floor, 0.955, 0.05).astype(np.float32):
        assert {pair for pair, share in found.items() if share >= limit} == truth


def test_copies_make_no_pairs() -> None:
    pairs, sampled = near_pairs(pl.Series(["The same words, again and again."] * 50_000))
    assert not pairs.twin.any()
    assert len(pairs.a) == 0
    assert not sampled.any()


def template(rows: int) -> list[str]:
    """One text of 40 words with another word changed in each row: every two are alike."""
    words = [f"w{i}" for i in range(40)]
    return [" ".join([*words[: row % 40], f"x{row}", *words[row % 40 + 1 :]]) for row in range(rows)]


def test_a_template_is_compared_whole_up_to_its_room() -> None:
    texts = template(600)
    pairs, sampled = near_pairs(pl.Series(texts))
    assert len(pairs.a) == 600 * 599 // 2
    assert not sampled.any()


def test_beyond_the_room_pairs_are_bounded_and_the_rows_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(banding, "ROOM", 0)
    texts = [*template(3000), *planted(500, 3)]
    truth = brute(texts[3000:])
    pairs, sampled = near_pairs(pl.Series(texts))
    assert sampled[:3000].all()
    assert not sampled[3000:].any()
    inside = pairs.b < 3000
    assert inside.sum() < 3000 * 300
    assert set(pairs.b[(pairs.a == 0) & inside].tolist()) == set(range(1, 3000)), "the first of a template meets all the others"
    found = {pair: share for pair, share in unfold(pairs).items() if pair[0] >= 3000}
    assert found == {(a + 3000, b + 3000): share for (a, b), share in truth.items() if share >= 0.5}, "the others are not touched"


def test_nothing_to_compare() -> None:
    for texts in ([], [None], ["", " "], ["a"], ["a", "b"]):
        pairs, _ = near_pairs(pl.Series("of", texts, dtype=pl.String))
        assert len(pairs.twin) == len(texts)
        assert len(pairs.a) == 0


TEXTS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", "é", "  ", "\n", "Ａ"]), max_size=9).map(" ".join), min_size=1, max_size=14)


@settings(max_examples=40)
@given(TEXTS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_names_only(texts: list[str], shuffle: random.Random) -> None:
    order = list(range(len(texts)))
    shuffle.shuffle(order)
    found = unfold(near_pairs(pl.Series([texts[row] for row in order]))[0])
    assert {(min(order[a], order[b]), max(order[a], order[b])): share for (a, b), share in found.items()} == unfold(near_pairs(pl.Series(texts))[0])


@settings(max_examples=40)
@given(TEXTS)
def test_an_unrelated_row_changes_nothing(texts: list[str]) -> None:
    assert unfold(near_pairs(pl.Series([*texts, "nothing like them at all"]))[0]) == unfold(near_pairs(pl.Series(texts))[0])


@settings(max_examples=40)
@given(TEXTS)
def test_pairs_of_small_texts_are_true(texts: list[str]) -> None:
    found = unfold(near_pairs(pl.Series(texts))[0])
    known = [grams(text) if text.split() else frozenset() for text in texts]
    for (a, b), share in found.items():
        assert share == np.float32(len(known[a] & known[b]) / len(known[a] | known[b]))
    equal = {(a, b) for a, b in itertools.combinations(range(len(texts)), 2) if known[a] and known[a] == known[b]}
    assert {pair for pair, share in found.items() if share == 1} == equal


@pytest.mark.parametrize("floor", [0.05, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_bands_hold_the_promised_recall(floor: float) -> None:
    bands, width = banding.banding(floor)
    assert bands * width <= 128
    assert (1 - floor**width) ** bands <= banding.MISS
    assert banding.banding(0.5) == (42, 3)


def test_each_loop_is_compiled_once() -> None:
    minhash.warm()
    SIGNAL.compute(pa.table({"of": pa.array(["a b c d", "a b c d e", None, "é"])}))
    for loop in (minhash.shingles, minhash.band_keys, minhash.crowded, minhash.meet, minhash.similarities):
        assert len(loop.signatures) == 1, loop


@pytest.mark.parametrize(
    ("parameters", "said"),
    [({"floor": 0.0}, "above 0"), ({"floor": 1.5}, "1.5"), ({"ngram": 0}, "1 or more"), ({"unit": "line"}, "word or character")],
)
def test_bad_parameters_say_what_to_do(parameters: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        SIGNAL.compute(pa.table({"of": ["a"]}), **parameters)
