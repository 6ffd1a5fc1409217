"""Known answers for the published quantities of text quality."""

from __future__ import annotations

import pyarrow as pa
import pytest

from curate.quality import quantities
from curate.signal import discover


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("one two three", "words", 3),
        ("one two three", "characters", 13),
        ("ab abcd", "mean_word_length", 3),
        ("a # b ... c …", "symbol_ratio", 3 / 6),
        ("- one\n* two\nthree\n\n• four", "bullet_lines", 3 / 4),
        ("more...\nand so on…\nend.", "ellipsis_lines", 2 / 3),
        ("abc 123 4d !!", "alphabetic_words", 2 / 4),
        ("The cat and the dog have been with us", "stop_words", 4),
        ('One.\ntwo\n"Three"\nfour?', "punctuated_lines", 3 / 4),
        ("short\n" + "x" * 30 + "\n" + "x" * 31, "short_lines", 2 / 3),
        ("a line\nb\na line\na line", "duplicate_lines", 2 / 4),
        ("aaaa\nb\naaaa", "duplicate_line_characters", 4 / 9),
        ("p one\n\np two\n\np one", "duplicate_paragraphs", 1 / 3),
        ("pppp\n\nq\n\npppp", "duplicate_paragraph_characters", 4 / 9),
        ("a b c a b", "top_2gram", 4 / 5),
        ("a b c d", "top_2gram", 0),
        ("a b c x a b c", "top_3gram", 6 / 7),
        ("a b c d e a b c d e", "duplicate_5grams", 5 / 10),
        ("a b c d e f a b c d e f", "duplicate_5grams", 6 / 12),
        ("a b c d e a b c d e", "duplicate_6grams", 0),
        ("AbCd", "upper_case", 2 / 4),
        ("a1b2", "digits", 2 / 4),
        ("naïf", "non_ascii", 1 / 4),
        ("see https://a.b now", "urls", 11 / 19),
        ("x = {1}", "curly_brackets", 1),
        ("Lorem ipsum dolor", "lorem_ipsum", 1),
        ("Enable JavaScript please", "javascript", 1),
    ],
)
def test_known_answers(text: str, name: str, value: float) -> None:
    assert quantities(text)[name] == pytest.approx(value)


def test_languages_and_blanks() -> None:
    texts = ["The committee will meet tomorrow to discuss the budget of the year.", "Le comité se réunira demain pour discuter du budget.", " \n", None]
    found = discover()["text_quality"].compute(pa.record_batch({"of": pa.array(texts, pa.large_string())}))
    assert found["text_quality_language"].to_pylist() == ["en", "fr", None, None]
    assert found["text_quality_language_confidence"][0].as_py() > 0.9
    assert all(found[name][3].as_py() is None and found[name][2].as_py() is None for name in found.schema.names)


def test_garbled_text_lies_beyond_the_papers_limits() -> None:
    repeated = quantities("buy now cheap deals here today\n" * 20)
    assert repeated["duplicate_lines"] > 0.3
    assert repeated["duplicate_10grams"] > 0.1
    assert repeated["top_2gram"] > 0.2
