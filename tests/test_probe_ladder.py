"""The cheap probes: a softmax head near scikit-learn's optimum, and a counting language model against plain dictionaries."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import InputError
from curate.probes.backoff import Counted, Vocabulary
from curate.probes.probe import VECTORS, Lesson, Look, Pool, ladder, probe_of

RNG = np.random.default_rng(0)


def frame(texts: list[str | None], label: Any = None, response: list[str | None] | None = None) -> pl.DataFrame:
    """Rows as a pool has them."""
    none = pl.Series([None] * len(texts), dtype=pl.String)
    return pl.DataFrame(
        {
            "row_id": [str(i) for i in range(len(texts))],
            "prompt": texts if response is None else none,
            "context": none,
            "response": none if response is None else pl.Series(response, dtype=pl.String),
            "text": pl.Series(texts, dtype=pl.String),
            "label": np.full(len(texts), -1, np.int32) if label is None else np.asarray(label, np.int32),
            "domain": none,
            "tokens": np.ones(len(texts), np.int32),
        }
    ).cast({"prompt": pl.String})


def pool_at(folder: Path, rows: pl.DataFrame, validation: pl.DataFrame, vectors: tuple[Any, Any] | None = None, classes: tuple[str, ...] = ()) -> Pool:
    """A pool in a folder."""
    folder.mkdir(exist_ok=True)
    rows.write_parquet(folder / "pool.parquet")
    validation.write_parquet(folder / "validation.parquet")
    for name, values in zip(VECTORS, vectors or (), strict=False):
        np.save(folder / name, np.asarray(values, np.float32))
    return Pool(folder, classes)


def lesson_of(size: int, label: Any = None, seen: int | None = None, /, **parts: Any) -> Lesson:
    """All rows, once, with weight 1."""
    ones = np.ones(size, np.float32)
    made = Lesson(np.arange(size, dtype=np.int32), np.zeros(size, np.int32), ones, 0 * ones, False, seen or size, 0, 4, {})
    return replace(made, label=made.label if label is None else np.asarray(label, np.int32), **parts)


def end(pool: Pool, lesson: Lesson, probe: str, **parameters: Any) -> Look:
    """The last look."""
    return [*probe_of(probe).begin(pool, **parameters).train(lesson)][-1]


def clouds(rows: int, wide: int = 4, seed: int = 0) -> tuple[Any, Any]:
    """Unit vectors round one centre a label, overlapping."""
    rng = np.random.default_rng(seed)
    centre = np.random.default_rng(9).normal(size=(wide, 32))
    label = rng.integers(0, wide, rows).astype(np.int32)
    found = centre[label] + rng.normal(size=(rows, 32)) * 2.2
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32), label


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pool, Any, Any, Any]:
    """3,000 rows of which 20 % have another label, 1,000 clean ones."""
    vectors, label = clouds(3000)
    test, truth = clouds(1000, seed=1)
    noisy = np.where(np.random.default_rng(2).random(3000) < 0.2, (label + 1) % 4, label)
    folder = tmp_path_factory.mktemp("head")
    return pool_at(folder, frame(["x"] * 3000, noisy), frame(["y"] * 1000, truth), (vectors, test), ("a", "b", "c", "d")), label, noisy, truth


def test_the_head_ends_near_the_optimum_and_fits_noise_no_better(labelled: tuple[Pool, Any, Any, Any]) -> None:
    """Ten epochs: its loss on clean rows within .02 nats of scikit-learn's optimum, its accuracy within a point, no matter which labels it learns."""
    from sklearn.linear_model import LogisticRegression

    pool, right, noisy, truth = labelled
    rows, test = pool.vectors
    for label in (right, noisy):
        best = LogisticRegression(C=1.0, max_iter=500).fit(rows, label)
        look = end(pool, lesson_of(3000, label, 30_000), "head")
        optimum = -best.predict_log_proba(test)[np.arange(1000), truth].mean()
        assert look.loss.mean() == pytest.approx(optimum, abs=0.02)
        assert look.predicted is not None
        assert (look.predicted == truth).mean() == pytest.approx(best.score(test, truth), abs=0.01)
        assert look.train_loss >= best_train(best, rows, label) - 0.02, "it learns noise by heart no better than the optimum"


def best_train(model: Any, rows: Any, label: Any) -> float:
    """scikit-learn's loss on what it learnt from."""
    return float(-model.predict_log_proba(rows)[np.arange(len(label)), label].mean())


def test_weights_and_smoothing_reach_the_head(labelled: tuple[Pool, Any, Any, Any]) -> None:
    pool, right, noisy, _ = labelled
    weight = (right == noisy).astype(np.float32)
    plain, weighed = (end(pool, lesson_of(3000, noisy, 30_000, **p), "head").loss.mean() for p in ({}, {"weight": weight}))
    assert weighed < plain - 0.05, "rows of weight 0 teach nothing"
    smooth = end(pool, lesson_of(3000, right, 30_000, smoothing=np.full(3000, 0.5, np.float32)), "head")
    assert np.quantile(np.exp(-smooth.loss), 0.95) < 0.75, "half of each label is spread over all four: no more than .625 is to be learnt"


def test_the_head_learns_soft_targets(labelled: tuple[Pool, Any, Any, Any]) -> None:
    """A target that is a smoothed label is that label; rows without one keep theirs; and what all targets say is what is foretold."""
    pool, right, _, _ = labelled
    smoothing = np.full(3000, 0.4, np.float32)
    target = (0.6 * np.eye(4)[right] + 0.1).astype(np.float32)
    target[1::2] = np.nan
    one, other = (end(pool, lesson_of(3000, right, 6000, smoothing=smoothing, **more), "head").loss for more in ({}, {"target": target}))
    assert other == pytest.approx(one, abs=2e-3), "but for the rounding that Adam begins with"
    said = np.tile(np.array([0.1, 0.2, 0.3, 0.4], np.float32), (3000, 1))
    assert end(pool, lesson_of(3000, right, 15_000, target=said), "head").predicted.tolist() == [3] * 1000  # type: ignore[union-attr]


def test_the_head_learns_in_the_order_it_is_given(labelled: tuple[Pool, Any, Any, Any]) -> None:
    pool, right, _, _ = labelled
    by_label = np.argsort(right, kind="stable").astype(np.int32)
    one = lesson_of(3000, right[by_label], rows=by_label, ordered=True, looks=8)
    looks = [*probe_of("head").begin(pool).train(one)]
    assert [look.seen for look in looks] == sorted({look.seen for look in looks})
    assert looks[-1].seen == 3000
    first = looks[0].predicted
    assert first is not None
    assert (first == 0).mean() > 0.9, "it has seen one label only"
    again = [*probe_of("head").begin(pool).train(one)]
    assert all((a.loss == b.loss).all() for a, b in zip(looks, again, strict=True))


def test_rows_without_a_vector_are_never_zeros(tmp_path: Path) -> None:
    vectors, label = clouds(100)
    test = vectors[:20].copy()
    test[3] = np.nan
    vectors[7] = np.nan
    pool = pool_at(tmp_path, frame(["x"] * 100, label), frame(["y"] * 20, label[:20]), (vectors, test), ("a", "b", "c", "d"))
    with pytest.raises(InputError, match="1 rows have no label or no embedding"):
        end(pool, lesson_of(100, label), "head")
    rest = np.setdiff1d(np.arange(100), [7]).astype(np.int32)
    look = end(pool, lesson_of(99, label[rest], rows=rest), "head")
    assert np.flatnonzero(np.isnan(look.loss)).tolist() == [3]
    assert look.predicted is not None
    assert look.predicted[3] == -1


def test_parameters_out_of_range_are_refused(tmp_path: Path) -> None:
    pool = pool_at(tmp_path, frame(["a b"]), frame(["a"]), (np.ones((1, 2)), np.ones((1, 2))), ("a", "b"))
    for probe, wrong in (("head", {"batch": 0}), ("head", {"c": 0.0}), ("words", {"order": 4}), ("words", {"bits": 21}), ("words", {"half_life": -1})):
        with pytest.raises(InputError):
            probe_of(probe).begin(pool, **wrong)
    with pytest.raises(InputError, match="fewer than two labels"):
        probe_of("head").begin(Pool(tmp_path, ("a",)))
    with pytest.raises(InputError, match="no row of it has a word"):
        probe_of("words").begin(pool_at(tmp_path / "none", frame(["a b"]), frame([" ", None])))
    assert next(iter(ladder())) == "words", "the cheapest first"


def plain_loss(train: list[tuple[str, float, float]], text: str, order: int, bits: int) -> float:
    """Witten & Bell by dictionaries, over words told apart by spaces."""
    counts: dict[Any, float] = defaultdict(float)
    held: dict[Any, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row, weight, smoothing in train:
        words = row.split()
        for t, word in enumerate(words):
            for o in range(min(t + 1, order)):
                h = tuple(words[t - o : t])
                held[h][1] += (weight > 0 and counts[h, word] == 0) + weight * smoothing
                counts[h, word] += weight * (1 - smoothing)
                held[h][0] += weight * (1 - smoothing)
    words, loss = text.split(), 0.0
    for t, word in enumerate(words):
        likely = 2.0**-bits
        for o in range(min(t + 1, order)):
            h = tuple(words[t - o : t])
            seen, back = held[h]
            likely = (counts[h, word] + back * likely) / (seen + back) if seen + back else likely
        loss -= math.log(likely)
    return loss


said = st.lists(st.sampled_from(["the", "cat", "sat", "on", "mats", "é"]), max_size=7).map(" ".join)


@settings(max_examples=60)
@given(st.lists(st.tuples(said, st.sampled_from([0.0, 0.5, 1.0, 2.0]), st.sampled_from([0.0, 0.1])), max_size=6), st.lists(said, max_size=4), st.integers(1, 3))
def test_losses_are_those_of_plain_dictionaries(train: list[tuple[str, float, float]], judged: list[str], order: int) -> None:
    text = pl.Series(judged, dtype=pl.String)
    words = Vocabulary([text], order, 20)
    rows, tests = words.encode(pl.Series([t for t, _, _ in train], dtype=pl.String)), words.encode(text)
    model = Counted(words)
    weight, smoothing = (np.array([row[i] for row in train], np.float32) for i in (1, 2))
    for at in range(len(train)):  # one after another, as looks on the way have it
        model.add(rows, np.array([at], np.int32), weight[at : at + 1], smoothing[at : at + 1])
    exact = [(t, w, float(np.float32(s))) for t, w, s in train]
    assert model.losses(tests, np.arange(len(judged), dtype=np.int32)) == pytest.approx([plain_loss(exact, t, order, 20) for t in judged], abs=1e-6)


def test_probabilities_of_all_words_sum_to_one() -> None:
    """Words in 16 buckets: the losses of "a" followed by a word of each bucket."""
    names = [f"w{i}" for i in range(300)]
    probe = Vocabulary([pl.Series(names)], 1, 4)
    bucket = probe.encode(pl.Series(names)).grams
    one_each = [names[i] for i in np.unique(bucket, return_index=True)[1]]
    assert len(one_each) == 16
    for order in (1, 2, 3):
        judged = pl.Series([f"w0 w1 {w}" for w in one_each] + ["w0 w1"])
        words = Vocabulary([judged], order, 4)
        train, tests = words.encode(pl.Series(["w0 w1 w2 w3", "w1 w2", "w5 w0 w1 w9"])), words.encode(judged)
        model = Counted(words)
        model.add(train, np.arange(3, dtype=np.int32), np.array([1, 0.3, 2], np.float32), np.array([0, 0.2, 0], np.float32))
        loss = model.losses(tests, np.arange(17, dtype=np.int32))
        assert np.exp(-(loss[:16] - loss[16])).sum() == pytest.approx(1)


def test_order_epochs_and_weights_of_words(tmp_path: Path) -> None:
    texts = [f"{a} {b} {a}" for a in ("red", "blue", "green") for b in ("sky", "sea", "tree", "sky")]
    pool = pool_at(tmp_path, frame(list(texts)), frame(["red sky", "blue tree", None]))
    whole = lesson_of(12)
    other = replace(whole, rows=whole.rows[::-1].copy(), ordered=True, seen=36)
    one, two = end(pool, whole, "words"), end(pool, other, "words")
    assert one.loss[:2] == pytest.approx(two.loss[:2]), "neither order nor epochs matter to counts"
    assert np.isnan(one.loss[2])
    assert one.tokens.tolist() == [2, 2, 0]
    twice = lesson_of(13, rows=np.append(whole.rows, whole.rows[-1]))
    weight = np.ones(12, np.float32)
    weight[-1] = 2
    assert end(pool, twice, "words").loss[:2] == pytest.approx(end(pool, replace(whole, weight=weight), "words").loss[:2])
    orders = [[*range(4), *range(8, 12), *range(4, 8)], [*range(4, 8), *range(4), *range(8, 12)]]
    late, early = (end(pool, replace(whole, rows=whole.rows[r], ordered=True), "words", half_life=2).loss[1] for r in orders)
    assert late < early, "with a half-life what came last tells most"
    far = end(pool, replace(whole, seen=12_000), "words", half_life=1)
    assert np.isfinite(far.loss[:2]).all(), "a thousand halvings"


def test_the_response_is_learnt_where_there_is_one_and_edits_count(tmp_path: Path) -> None:
    pool = pool_at(tmp_path, frame(["a\nblue sky", "b\nred sea"], response=["blue sky", "red sea"]), frame(["c\ngreen tree"], response=["green tree"]))
    given, edited = (end(pool, lesson_of(2, texts=t), "words") for t in ({}, {1: (None, "green tree")}))
    assert given.tokens.tolist() == [2]
    assert edited.loss[0] < given.loss[0] - 5
    bare = pool_at(tmp_path / "bare", frame(["blue sky", "red sea"]), frame(["green tree"]))
    as_if = pool_at(tmp_path / "as", frame(["green tree", "red sea"]), frame(["green tree"]))
    edited = end(bare, lesson_of(2, texts={0: ("green tree", None)}), "words")
    assert edited.loss[0] == pytest.approx(end(as_if, lesson_of(2), "words").loss[0])


def test_a_model_of_banking_tells_banking_from_code(shared: Path, tmp_path: Path) -> None:
    with (shared / "banking77" / "train.csv").open(encoding="utf-8") as file:
        bank = [row["text"] for row in csv.DictReader(file)][:3000]
    code = pl.read_json(shared / "code-alpaca" / "code_alpaca_2k.json")["instruction"].to_list()
    pool = pool_at(tmp_path, frame([*bank[500:], *code[200:]]), frame([*bank[:500], *code[:200]]))
    size = len(pool.rows)
    own, other = (end(pool, lesson_of(len(r), rows=r), "words") for r in (np.arange(1500, dtype=np.int32), np.arange(size - 1500, size, dtype=np.int32)))

    def perplexity(look: Look, rows: slice) -> float:
        return float(np.exp(np.nansum(look.loss[rows]) / look.tokens[rows].sum()))

    assert perplexity(own, slice(500)) < 0.2 * perplexity(other, slice(500))
    assert perplexity(other, slice(500, 700)) < 0.5 * perplexity(own, slice(500, 700))
    trainer = probe_of("words").begin(pool)
    assert 0 < trainer.seconds([lesson_of(size)]) < 10
    assert trainer.about()["order of rows matters"] is False
