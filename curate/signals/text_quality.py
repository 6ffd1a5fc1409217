"""Whether a text looks like prose that somebody wrote: the quantities by which Gopher, C4 and FineWeb chose web pages, and its language.

| quantity | kept, by | source |
|---|---|---|
| words; mean word length | 50 to 100,000; 3 to 10 | Gopher: Rae et al. 2021, Scaling Language Models, appendix A.1.1 |
| hashes, ellipses per word | at most .1 each | Gopher |
| bullet lines, ellipsis lines; alphabetic words; stop words | at most .9, .3; at least .8; 2 of its 8 | Gopher |
| duplicate lines, paragraphs; their characters | at most .3; .2 | Gopher, table A1 |
| top 2, 3, 4-gram; duplicated 5- to 10-grams | at most .20, .18, .16; .15, .14 … .10 | Gopher, table A1 |
| curly brace, lorem ipsum, javascript | none | C4: Raffel et al. 2020, Exploring the Limits of Transfer Learning, § 2.2 |
| lines that end in punctuation; short lines | at least .12; at most .67 | FineWeb: Penedo et al. 2024, § 3.6 (duplicate lines' characters: .1) |

The limits are for web pages in English: on short answers, code or other languages read the distribution first. The other columns have no published limit.
Language is py3langid's of the first LANGUAGE_CHARACTERS characters; its confidence is low for a few words and for code. It misses whether what is said is true.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal

from curate.signal import Column, Signal

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SIGNAL", "identifier"]

LANGUAGE_CHARACTERS = 300  # py3langid takes half of the whole time at this length


@functools.cache
def identifier() -> Any:
    """py3langid's model, loaded once: `classify` gives a code and its probability."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def compute(batch: pa.RecordBatch, *, of: str = "text") -> pa.RecordBatch:
    """Every quantity of each text; null in all columns where the text is null or blank."""
    import pyarrow as pa

    from curate.quality import quality

    types = {"Float32": pa.float32(), "Int32": pa.int32(), "Boolean": pa.bool_(), "String": pa.string()}
    rows = []
    for text in batch.column("of").to_pylist():
        found: dict[str, Any] = quality(text or "") or {}
        if found:
            found["language"], found["language_confidence"] = identifier().classify(text[:LANGUAGE_CHARACTERS])
        rows.append(found)
    names = {column.name: column.name.removeprefix("text_quality_") for column in SIGNAL.columns}
    return pa.record_batch({c.name: pa.array([row.get(names[c.name]) for row in rows], types[c.dtype]) for c in SIGNAL.columns})


def _share(name: str, about: str, keep: Literal["below", "above"] | None = None, limit: float | None = None, unit: str = "share") -> Column:
    return Column(f"text_quality_{name}", "Float32", unit, about, keep, limit, low=0, high=1 if unit == "share" else None)


def _count(name: str, about: str, keep: Literal["below", "above"] | None = None, limit: float | None = None) -> Column:
    return Column(f"text_quality_{name}", "Int32", name.replace("_", " "), about, keep, limit, low=0, log=name != "stop_words")


def _flag(name: str, about: str) -> Column:
    return Column(f"text_quality_{name}", "Boolean", "yes or no", about, "below", 0)


COLUMNS = (
    _count("words", "Words, parted by white space; Gopher keeps 50 to 100,000.", "above", 50),
    _count("characters", "Characters, white space included."),
    _share("mean_word_length", "Mean length of a word; Gopher keeps 3 to 10.", "below", 10, unit="characters"),
    _share("hashes_per_word", "Number signs per word; Gopher keeps up to 0.1.", "below", 0.1, unit="per word"),
    _share("ellipses_per_word", "Ellipses (… or three full stops) per word; Gopher keeps up to 0.1.", "below", 0.1, unit="per word"),
    _share("alphabetic_words", "Words with at least one letter; Gopher keeps from 0.8.", "above", 0.8),
    _count("stop_words", "How many of the, be, to, of, and, that, have, with occur; Gopher keeps from 2.", "above", 2),
    _share("bullet_lines", "Lines that start with a bullet; Gopher keeps up to 0.9.", "below", 0.9),
    _share("ellipsis_lines", "Lines that end with an ellipsis; Gopher keeps up to 0.3.", "below", 0.3),
    _share("punctuated_lines", "Lines that end a sentence or a quotation; FineWeb keeps from 0.12.", "above", 0.12),
    _share("short_lines", "Lines of less than 30 characters; FineWeb keeps up to 0.67.", "below", 0.67),
    _share("duplicate_lines", "Lines that stood before; Gopher keeps up to 0.3.", "below", 0.3),
    _share("duplicate_line_characters", "Characters in lines that stood before; Gopher keeps up to 0.2, FineWeb up to 0.1.", "below", 0.2),
    _share("duplicate_paragraphs", "Paragraphs that stood before; Gopher keeps up to 0.3.", "below", 0.3),
    _share("duplicate_paragraph_characters", "Characters in paragraphs that stood before; Gopher keeps up to 0.2.", "below", 0.2),
    *(
        _share(f"top_{n}gram", f"Characters in the most frequent {n} words in a row; 0 where none occur twice; Gopher keeps up to {limit}.", "below", limit)
        for n, limit in ((2, 0.2), (3, 0.18), (4, 0.16))
    ),
    *(
        _share(f"duplicated_{n}grams", f"Characters in {n} words in a row that occur twice or more; Gopher keeps up to {limit}.", "below", limit)
        for n, limit in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.1))
    ),
    _flag("curly_brace", "Has a curly brace, as code does; C4 drops it."),
    _flag("lorem_ipsum", "Has the placeholder text lorem ipsum; C4 drops it."),
    _flag("javascript", "Has the word javascript; C4 drops the line."),
    _share("upper_case", "Capitals among the letters."),
    _share("digits", "Digits among the characters."),
    _share("non_ascii", "Characters beyond ASCII."),
    _share("urls", "Characters in URLs."),
    Column("text_quality_language", "String", "ISO 639 code", "The most likely language; zxx where it is none."),
    _share("language_confidence", "Probability of that language."),
)

SIGNAL = Signal(
    name="text_quality",
    version=1,
    about="Lengths, symbols, repetition and language, as Gopher, C4 and FineWeb measure web pages.",
    source="Rae et al. 2021 (Gopher), Raffel et al. 2020 (C4), Penedo et al. 2024 (FineWeb); language by py3langid",
    inputs=("of",),
    columns=COLUMNS,
    scope="row",
    compute=compute,
    cost=6_000,
)
