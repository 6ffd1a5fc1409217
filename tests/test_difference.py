"""Word-level differences: what they say is true, and no shorter way to say it is missed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import difference as module
from curate.difference import Line, Piece, difference, folded, side_by_side

TEXT = st.text(st.sampled_from("ab c.\n"), max_size=40) | st.text(max_size=30)


def said(first: str, second: str) -> list[tuple[str, str]]:
    return [(p.side, p.text) for p in difference(first, second)]


def test_words_not_letters_differ() -> None:
    assert said("Compute a rolling quantile.", "Compute a rolling min.") == [
        ("both", "Compute a rolling "),
        ("first", "quantile"),
        ("second", "min"),
        ("both", "."),
    ]


def test_a_space_between_two_changed_words_is_changed_with_them() -> None:
    assert said("one red fox, ran", "one blue dog, ran") == [("both", "one "), ("first", "red fox"), ("second", "blue dog"), ("both", ", ran")]


def test_an_added_line_is_a_line() -> None:
    assert said("a\nb", "a\nnew\nb") == [("both", "a\n"), ("second", "new\n"), ("both", "b")]


@pytest.mark.parametrize("text", ["", "same", "two\nlines\n"])
def test_equal_texts_have_no_difference(text: str) -> None:
    assert said(text, text) == ([("both", text)] if text else [])


@given(TEXT, TEXT)
def test_pieces_make_both_texts(first: str, second: str) -> None:
    pieces = difference(first, second)
    assert "".join(p.text for p in pieces if p.side != "second") == first
    assert "".join(p.text for p in pieces if p.side != "first") == second
    assert all(p.text for p in pieces)


@given(st.lists(st.sampled_from("abc"), max_size=14), st.lists(st.sampled_from("abc"), max_size=14))
def test_no_longer_common_part_exists(first: list[str], second: list[str]) -> None:
    """Against the textbook table, where every unit is a word of its own so that nothing is merged."""
    known = module._common(first, second)
    assert known is not None
    in_a, in_b = known
    assert [w for w, k in zip(first, in_a, strict=True) if k] == [w for w, k in zip(second, in_b, strict=True) if k]
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
    assert in_a.sum() == table[-1][-1]


def test_texts_that_differ_too_much_are_compared_by_line_then_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 4)
    first, second = "same\none two three four\nend", "same\nfive six seven eight\nend"
    assert said(first, second) == [("both", "same\n"), ("first", "one two three four\n"), ("second", "five six seven eight\n"), ("both", "end")]
    monkeypatch.setattr(module, "MOST", 0)
    assert said(first, second) == [("first", first), ("second", second)]


def test_a_long_text_with_few_changes_is_compared_by_word() -> None:
    words = [f"w{i % 97}" for i in range(60_000)]
    changed = [*words]
    for at in (10, 30_000, 59_990):
        changed[at] = "other"
    assert sum(p.side != "both" for p in difference(" ".join(words), " ".join(changed))) == 6


@given(TEXT, TEXT)
def test_lines_hold_each_text_in_order(first: str, second: str) -> None:
    lines = side_by_side(difference(first, second))
    for text, side in ((first, 0), (second, 1)):
        shown = "".join(p.text for line in lines for p in (line.first, line.second)[side])
        assert re.sub("\n", "", shown) == re.sub("\n", "", text)


def test_lines_stand_beside_each_other() -> None:
    lines = side_by_side(difference("a\nb c\nd", "a\nnew\nb x\nd"))
    texts = [("".join(p.text for p in line.first), "".join(p.text for p in line.second)) for line in lines]
    assert texts == [("a", "a"), ("", "new"), ("b c", "b x"), ("d", "d")]


@given(st.lists(st.booleans(), max_size=30), st.integers(0, 3))
def test_folding_hides_only_alike_lines_and_counts_them(alike: list[bool], around: int) -> None:
    lines = [Line((Piece("both" if a else "first", str(i)),), ()) for i, a in enumerate(alike)]
    shown = folded(lines, around)
    assert sum(line.hidden or 1 for line in shown) == len(lines)
    assert [line for line in shown if not line.alike] == [line for line in lines if not line.alike]
    if not all(alike):
        for i, line in enumerate(lines):
            near = any(not lines[j].alike for j in range(max(0, i - around), min(len(lines), i + around + 1)))
            assert line in shown or not near
