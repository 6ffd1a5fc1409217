"""Exact duplicates: what is the same text, and which row stands for it."""

import csv
import unicodedata
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.normalise import normalise
from curate.signals.exact_duplicate import SIGNAL

LETTERS = st.sampled_from("aAzZ bß\t\n\u00a0\u2028\x1cΣςİﬁ①é.…") | st.characters(exclude_categories=["Cs"])
TEXTS = st.lists(st.none() | st.text(LETTERS, max_size=12), max_size=12)


def plain(text: str | None) -> str | None:
    return " ".join(unicodedata.normalize("NFKC", text or "").casefold().split()) or None


def measure(texts: list[str | None], **parameters: object) -> tuple[list[int | None], list[int]]:
    table, pairs = SIGNAL.compute(pa.table({"of": pa.array(texts, pa.large_string())}), **parameters)
    assert len(pairs.a) == len(pairs.b) == len(pairs.similarity) == 0
    return table["exact_duplicate_count"].to_pylist(), pairs.twin.tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A  b\tc ", "a b c"),
        ("STRASSE", "Straße"),
        ("ΟΔΟΣ", "οδος"),
        ("\ufb01ne \u2460", "FINE 1"),
        ("cafe\u0301", "CAF\u00c9"),
        ("a\u00a0b\u2003c\u2028d\x1ce", "a b c d e"),
        ("ｆｕｌｌ", "full"),
    ],
)
def test_spellings_of_one_text(one: str, other: str) -> None:
    assert measure(["else", one, other]) == ([1, 2, 2], [0, 1, 1])


def test_what_differs_stays_apart() -> None:
    texts = ["why", "why?", "w hy", "résumé", "resume", "x > 0", "x < 0"]
    assert measure([*texts]) == ([1] * 7, list(range(7)))


def test_punctuation_may_be_ignored() -> None:
    assert measure(["Why?", "why", "“Why…”", "w-hy", "?!"], punctuation=False) == ([3, 3, 3, 1, None], [0, 0, 0, 3, -1])


def test_rows_without_text_are_in_no_class() -> None:
    assert measure([None, "a", "", " \n", "A", None]) == ([None, 2, None, None, 2, None], [-1, 1, -1, -1, 1, -1])
    assert measure([]) == ([], [])
    assert measure([None]) == ([None], [-1])


@given(TEXTS)
def test_the_quick_way_is_the_plain_line(texts: list[str | None]) -> None:
    column = pl.Series("of", texts, dtype=pl.String)
    assert normalise(column).to_list() == [plain(text) for text in texts]
    assert column.to_list() == texts, "what is given stays as it is"


@given(TEXTS)
def test_classes_are_those_of_a_dictionary(texts: list[str | None]) -> None:
    first: dict[str, int] = {}
    keys = [plain(text) for text in texts]
    twin = [-1 if key is None else first.setdefault(key, row) for row, key in enumerate(keys)]
    assert measure(texts) == ([None if key is None else keys.count(key) for key in keys], twin)


def test_banking77(shared: Path) -> None:
    with (shared / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        texts: list[str | None] = [row["text"] for row in csv.DictReader(file)]
    for punctuation, known in ((True, 4), (False, 31)):
        _, twin = measure(texts, punctuation=punctuation)
        assert sum(first != row for row, first in enumerate(twin)) == known
