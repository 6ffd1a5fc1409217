"""The grammar of a score: what it reads, where it says a mistake stands, and that nothing comes out of any text but a finite score or that message."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curate.errors import InputError, PlacedError
from curate.expression import FUNCTIONS, names_in, parse, spelt
from curate.rank import Given, rank_score, score_of
from curate.waterfall import waterfall

ROWS = 7
COLUMNS = {
    "a": np.array([0.5, -2, np.nan, 0, 1e9, 3, 3]),
    "b": np.array([1, 1, 1, 1, 1, 1, 1.0]),
    "my column": np.array([np.nan, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
    "empty": np.full(ROWS, np.nan),
    "wild": np.array([np.inf, -np.inf, np.nan, 0, 1e308, -1e308, 5e-324]),
}


def _values(name: str) -> npt.NDArray[np.float64]:
    if name not in COLUMNS:
        raise InputError(name, "is no score or column here", "Did you mean a?")
    return COLUMNS[name]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("2 - 3 - 4", -5), ("8 / 4 / 2", 1), ("-2 ** 2", -4), ("2 ** -1", 0.5), ("2 ** 3 ** 2", 512), ("--3", 3),
        ("min(2, 3) - max(2, 3)", -1), ("clip(5, 0, 1)", 1), ("abs(-1.5e1)", 15), (".5 + 2.", 2.5), ("exp(log(3))", 3), ("  1\n+\t1 ", 2), ("1e-3", 0.001),
    ],
)  # fmt: skip
def test_it_reads_as_people_do(text: str, meant: float) -> None:
    assert score_of(text, Given(_values, ROWS)).tolist() == pytest.approx([meant] * ROWS)


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("a + ", (4, 4), "ends where a value should stand"),
        ("", (0, 0), "is empty"),
        ("a b", (2, 3), "'b' cannot stand here"),
        ("a + * b", (4, 5), r"'\*' stands where a value should"),
        ("a * (b + 1", (4, 5), "this parenthesis is not closed"),
        ("a)", (1, 2), r"'\)' cannot stand here"),
        ("rnak(a)", (0, 4), r"there is no function rnak\. Did you mean rank\?"),
        ("1 + rank(a, b)", (4, 14), r"rank takes 1 values, not 2\. Write rank\(a\)"),
        ("rank()", (0, 6), "takes 1 values, not 0"),
        ("prior(1, 2)", (6, 7), "the name of a column first"),
        ("prior(a, b)", (9, 10), "a plain number second"),
        ("1 + wrong", (4, 9), r"wrong is no score or column here\. Did you mean a\?"),
        ("a $ b", (2, 3), r"'\$' is not allowed"),
        ("`a + 1", (0, 1), "a backtick is not closed"),
        ("a\n + #", (5, 6), "'#' is not allowed"),
        ("1e999", (0, 5), "too large"),
        ("über + ☃", (7, 8), "is not allowed"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(text: str, place: tuple[int, int], says: str) -> None:
    with pytest.raises(PlacedError, match=says) as caught:
        score_of(text, Given(_values, ROWS))
    assert (caught.value.start, caught.value.end) == place
    assert f"rank.score, character {place[0] + 1}:" in str(caught.value)


def test_any_name_can_be_written() -> None:
    for name in ("my column", "a-b", "rank", "2nd", "with ` tick", "`", "ünï", "class", 'say "hi"', "x.y"):
        assert names_in(parse(f"1 + {spelt(name)}")) == (name,)
    assert spelt("plain_1") == "plain_1"
    assert names_in(parse("rank(rank) + class")) == ("rank", "class")


def test_a_function_s_name_may_be_a_column_s() -> None:
    assert names_in(parse("rank + 1")) == ("rank",)


def test_long_chains_and_deep_nests_are_refused_in_words() -> None:
    for text in ("1+" * 900 + "1", "(" * 500 + "1" + ")" * 500, "-" * 900 + "1", "2**" * 600 + "1", "abs(" * 300 + "1" + ")" * 300):
        with pytest.raises(PlacedError, match=r"operations within one another|nested more than"):
            parse(text)
    assert parse("+".join(["a"] * 90))


words = st.sampled_from(
    [*COLUMNS, "`my column`", "teacher", *FUNCTIONS, *(f"{name}(" for name in FUNCTIONS), "prior(a,", "0.5", "1e3", "1e308", "0", "+", "-", "*", "/", "**",
     "(", ")", ",", " ", "\n", "`", ".", "__import__", "lambda", "'", "[", "]", "=", ":", ";", "a.b", "\x00", "٣", "é"]
)  # fmt: skip
leaves = st.sampled_from(["a", "b", "`my column`", "wild", "0", "1", "0.5", "3", "prior(a, -1)", "prior(empty, 0.5)", "1e308"])
built = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner).map(lambda x: f"({x[0]} {x[1]} {x[2]})"),
        st.tuples(st.sampled_from(["rank", "quantile", "log", "exp", "abs", "-"]), inner).map(lambda x: f"{x[0]}({x[1]})"),
        st.tuples(inner, inner, inner).map(lambda x: f"clip({x[0]}, {x[1]}, {x[2]})"),
    ),
    max_leaves=8,
)


def _check_finite_or_told(text: str, bare: float | None) -> None:
    found = Given(_values, ROWS, bare=bare)
    try:
        score = score_of(text, found, ("a", 0.4, 1.5))
    except InputError:
        return
    assert score.shape == (ROWS,)
    assert np.isfinite(score).all()
    for row in range(ROWS):
        assert waterfall(text, found, row, ("a", 0.4, 1.5))[-1].after == score[row]


@example("1+" * 40 + "1")
@example("rank(wild)")
@given(st.one_of(st.text(max_size=60), st.lists(words, max_size=16).map("".join), st.lists(words, max_size=16).map(" ".join), built))
def test_no_text_gives_anything_but_a_finite_score_or_a_message(text: str) -> None:
    _check_finite_or_told(text, None)


@given(built)
def test_a_row_s_parts_end_at_its_score(text: str) -> None:
    _check_finite_or_told(text, 0.5)
    _check_finite_or_told(text[1:-1], 0.5)


def test_python_is_not_run() -> None:
    for text in (
        "__import__('os').system('x')",
        "(lambda: 1)()",
        "a if b else 1",
        "[1][0]",
        "a := 1",
        "f'{a}'",
        "a.__class__",
        "1_000",
        "0x10",
        "1j",
        "a @ b",
        "~a",
    ):
        with pytest.raises(InputError):
            rank_score(text, _values, ROWS)
