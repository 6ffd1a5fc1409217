"""Each quantity of text quality on a text made by hand, and the quick ways against plain ones."""

import pickle
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.quality import _kinds, quality, repeated_ngrams, repetition
from curate.signals.text_quality import SIGNAL

PROSE = "The cat, with all of its kittens, sat on the mat and purred."
LIST = "# Notes\n\n- one\n- two...\n* three\n-4 is a number\n\nwhat remains…"
REPEAT = "a b c\nx y\na b c\n\na b c\nx y\n\nx y"  # lines: a b c ×3, x y ×3; paragraphs are all different
TWICE = "one two\nthree\n\nfour\n\n one two \nthree"
CODE = "const X1 = {Y: 'Lorem Ipsum'} // JavaScript http://a.bc/d WWW.e.fg"


@pytest.mark.parametrize(
    ("text", "name", "known"),
    [
        (PROSE, "words", 13),
        (PROSE, "characters", 60),
        (PROSE, "mean_word_length", 48 / 13),
        (PROSE, "stop_words", 4),  # the (twice), with, of, and
        (PROSE, "alphabetic_words", 1),
        (PROSE, "punctuated_lines", 1),
        (PROSE, "short_lines", 0),
        (PROSE, "upper_case", 1 / 45),
        (PROSE, "top_2gram", 0),
        ("other then band bet", "stop_words", 0),
        ("x1 42 -- ok é", "alphabetic_words", 3 / 5),
        (LIST, "hashes_per_word", 1 / 14),
        (LIST, "ellipses_per_word", 2 / 14),
        (LIST, "bullet_lines", 3 / 6),
        (LIST, "ellipsis_lines", 2 / 6),
        (LIST, "punctuated_lines", 2 / 6),
        (LIST, "short_lines", 1),
        ("He said: “Yes.”\nNo\n" + "x" * 30, "punctuated_lines", 1 / 3),
        ("He said: “Yes.”\nNo\n" + "x" * 30, "short_lines", 2 / 3),
        (REPEAT, "duplicate_lines", 4 / 6),
        (REPEAT, "duplicate_line_characters", 16 / 31),
        (REPEAT, "duplicate_paragraphs", 0),
        (TWICE, "duplicate_paragraphs", 1 / 3),
        (TWICE, "duplicate_paragraph_characters", 13 / 36),
        ("aa b aa b aa c", "top_2gram", 6 / 9),  # aa b, twice, and b aa, twice: both 6 of 9
        ("a a a a", "top_2gram", 1),  # three places that overlap: no character twice
        ("to be or not to be", "top_2gram", 8 / 13),
        ("to be or not to be", "top_3gram", 0),
        ("1 2 3 x 1 2 3 y 1 2", "top_3gram", 6 / 10),
        ("1 2 3 4 x 1 2 3 4", "top_4gram", 8 / 9),
        ("1 2 3 4 5 x 1 2 3 4 5 y", "duplicated_5grams", 10 / 12),
        ("1 2 3 4 5 6 x 1 2 3 4 5 6 y", "duplicated_5grams", 12 / 14),
        ("1 2 3 4 5 6 x 1 2 3 4 5 6 y", "duplicated_6grams", 12 / 14),
        ("1 2 3 4 5 6 x 1 2 3 4 5 6 y", "duplicated_7grams", 0),
        ("1 2 3 4 5 6 7 " * 2, "duplicated_7grams", 1),
        ("1 2 3 4 5 6 7 8 " * 2, "duplicated_8grams", 1),
        ("1 2 3 4 5 6 7 8 9 " * 2, "duplicated_9grams", 1),
        ("1 2 3 4 5 6 7 8 9 " * 2, "duplicated_10grams", 0),
        ("la " * 20, "duplicated_10grams", 1),
        (CODE, "curly_brace", True),
        (CODE, "lorem_ipsum", True),
        (CODE, "javascript", True),
        (PROSE, "curly_brace", False),
        (PROSE, "lorem_ipsum", False),
        (PROSE, "javascript", False),
        (CODE, "digits", 1 / 66),
        (CODE, "urls", 21 / 66),
        ("ÄB cd é", "upper_case", 2 / 5),
        ("ÄB cd é", "non_ascii", 2 / 7),
        ("42", "upper_case", 0),
    ],
)
def test_known_answers(text: str, name: str, known: float) -> None:
    found = quality(text)
    assert found is not None
    assert found[name] == pytest.approx(known, abs=1e-12)


def test_the_columns_are_the_quantities_and_the_language() -> None:
    names = [column.name.removeprefix("text_quality_") for column in SIGNAL.columns]
    assert set(names) == {*(quality(PROSE) or {}), "language", "language_confidence"}
    assert len(names) == len(set(names))


def test_limits_are_the_published_ones() -> None:
    known = {c.name.removeprefix("text_quality_"): (c.keep, c.limit) for c in SIGNAL.columns if c.keep}
    gopher = {
        "words": ("above", 50), "mean_word_length": ("below", 10), "hashes_per_word": ("below", 0.1), "ellipses_per_word": ("below", 0.1),
        "bullet_lines": ("below", 0.9), "ellipsis_lines": ("below", 0.3), "alphabetic_words": ("above", 0.8), "stop_words": ("above", 2),
        "duplicate_lines": ("below", 0.3), "duplicate_line_characters": ("below", 0.2),
        "duplicate_paragraphs": ("below", 0.3), "duplicate_paragraph_characters": ("below", 0.2),
        "top_2gram": ("below", 0.2), "top_3gram": ("below", 0.18), "top_4gram": ("below", 0.16),
        "duplicated_5grams": ("below", 0.15), "duplicated_6grams": ("below", 0.14), "duplicated_7grams": ("below", 0.13),
        "duplicated_8grams": ("below", 0.12), "duplicated_9grams": ("below", 0.11), "duplicated_10grams": ("below", 0.1),
    }  # fmt: skip
    c4 = dict.fromkeys(["curly_brace", "lorem_ipsum", "javascript"], ("below", 0))
    assert known == {**gopher, **c4, "punctuated_lines": ("above", 0.12), "short_lines": ("below", 0.67)}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (PROSE, "en"),
        ("Der Hund schläft im Garten, während die Kinder im Haus spielen.", "de"),
        ("Le petit chien dort dans le jardin pendant que les enfants jouent.", "fr"),
        ("El perro duerme en el jardín mientras los niños juegan en casa.", "es"),
        ("这是一个用来测试语言识别的简单句子。", "zh"),
        ("Это простое предложение для проверки определения языка.", "ru"),
    ],
)
def test_language(text: str, language: str) -> None:
    row = SIGNAL.compute(pa.record_batch({"of": [text]})).to_pylist()[0]
    assert row["text_quality_language"] == language
    assert 0.8 < row["text_quality_language_confidence"] <= 1


def test_rows_without_text_have_no_values() -> None:
    compute = pickle.loads(pickle.dumps(SIGNAL.compute))  # as it goes to a process of the pool
    rows = compute(pa.record_batch({"of": pa.array([None, "", " \n\t", "a"])})).to_pylist()
    assert [row["text_quality_words"] for row in rows] == [None, None, None, 1]
    assert all(value is None for row in rows[:3] for value in row.values())


@given(st.lists(st.sampled_from(["a", "b", "cc"]), min_size=1, max_size=40))
def test_repeated_ngrams_are_those_of_a_counter(words: list[str]) -> None:
    found = dict(repeated_ngrams(words, 10))
    total = sum(map(len, words))
    shares = repetition(words)
    for n in range(2, 11):
        places = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
        count = Counter(places)
        repeated = {gram: [i for i, other in enumerate(places) if other == gram] for gram in count if count[gram] > 1}
        assert sorted(found.get(n, [])) == sorted(repeated.values())
        inside = {i + k for starts in repeated.values() for i in starts for k in range(n)}
        if n > 4:
            assert shares[f"duplicated_{n}grams"] == sum(len(words[i]) for i in inside) / total
        elif repeated:
            most = max(map(len, repeated.values()))
            each = [{i + k for i in starts for k in range(n)} for starts in repeated.values() if len(starts) == most]
            assert shares[f"top_{n}gram"] == max(sum(len(words[i]) for i in one) for one in each) / total


@given(st.text(st.characters(max_codepoint=127), min_size=1))
def test_kinds_of_ascii_characters_are_those_of_the_slow_way(text: str) -> None:
    assert _kinds(text) == tuple(sum(map(kind, text)) for kind in (str.isupper, str.isalpha, str.isdigit))


@given(st.text())
def test_shares_lie_between_none_and_all(text: str) -> None:
    found = quality(text)
    assert (found is None) == (not text.split())
    for column in SIGNAL.columns:
        if column.unit == "share" and found and column.name != "text_quality_language_confidence":
            assert 0 <= found[column.name.removeprefix("text_quality_")] <= 1, column.name
