"""The published quantities of text quality, and the language.

Sources: Gopher (Rae et al. 2021, appendix A.1: quality and repetition), C4 (Raffel et al. 2020), FineWeb (Penedo et al. 2024); limits are those the papers
give. Language: langid.py's model as py3langid ships it, on the first 1,000 characters. Misses: truth, taste, and languages written without spaces, whose
"words" are whole clauses. The limits were made for web pages: short answers and code break many of them and are none the worse.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal

from curate.signal import Column, Signal

if TYPE_CHECKING:
    import pyarrow as pa

HEAD = 1000  # characters that tell the language


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def compute(batch: pa.RecordBatch, *, of: str = "text") -> pa.RecordBatch:
    """Measure each text; null where it is null or blank."""
    import pyarrow as pa

    from curate.quality import quantities

    del of
    found: list[dict[str, Any]] = []
    for text in batch.column("of").to_pylist():
        if text is None or not text.strip():
            found.append({})
            continue
        language, confidence = _identifier().classify(text[:HEAD])
        found.append({**quantities(text), "language": language, "language_confidence": float(confidence)})
    kinds = {"Int32": pa.int32(), "Float32": pa.float32(), "Boolean": pa.bool_(), "String": pa.large_string()}
    short = [(c.name, c.name.removeprefix("text_quality_"), kinds[c.dtype]) for c in SIGNAL.columns]
    casts = {pa.int32(): int, pa.bool_(): bool}
    columns = {}
    for name, key, kind in short:
        cast = casts.get(kind, lambda value: value)
        columns[name] = pa.array([cast(row[key]) if row else None for row in found], kind)
    return pa.record_batch(columns)


def _column(name: str, about: str, keep: Literal["below", "above"] | None = None, limit: float | None = None, **more: Any) -> Column:
    settings: dict[str, Any] = {"dtype": "Float32", "unit": "share", "low": 0, "high": 1, **more}
    return Column(f"text_quality_{name}", about=about, keep=keep, limit=limit, **settings)


_COUNT: dict[str, Any] = {"dtype": "Int32", "high": None}
_FLAG: dict[str, Any] = {"dtype": "Boolean", "unit": "yes or no", "low": None, "high": None}
_REPEATED = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
_TOP = {2: 0.20, 3: 0.18, 4: 0.16}

SIGNAL = Signal(
    name="text_quality",
    version=1,
    about="Lengths, symbols, repetition and language of a text.",
    source="Gopher, C4 and FineWeb; language by py3langid",
    inputs=("of",),
    columns=(
        _column("words", "Words between white space. Gopher keeps 50 to 100,000.", "above", 50, unit="words", log=True, **_COUNT),
        _column("characters", "Characters.", unit="characters", log=True, **_COUNT),
        _column("mean_word_length", "Mean length of a word. Gopher keeps 3 to 10.", "below", 10, unit="characters", high=None),
        _column("symbol_ratio", "Hashes and ellipses to words. Gopher.", "below", 0.1, unit="ratio", high=None),
        _column("bullet_lines", "Lines that begin with a bullet. Gopher.", "below", 0.9),
        _column("ellipsis_lines", "Lines that end with an ellipsis. Gopher.", "below", 0.3),
        _column("alphabetic_words", "Words with at least one letter. Gopher.", "above", 0.8),
        _column("stop_words", "Different words of the, be, to, of, and, that, have, with. Gopher.", "above", 2, unit="words", **_COUNT),
        _column("punctuated_lines", "Lines that end with punctuation. FineWeb.", "above", 0.12),
        _column("short_lines", "Lines of at most 30 characters. FineWeb.", "below", 0.67),
        _column("duplicate_lines", "Lines that repeat an earlier one. Gopher.", "below", 0.30),
        _column("duplicate_line_characters", "Characters in lines that repeat an earlier one. FineWeb has .1, Gopher .2.", "below", 0.20),
        _column("duplicate_paragraphs", "Paragraphs that repeat an earlier one. Gopher.", "below", 0.30),
        _column("duplicate_paragraph_characters", "Characters in paragraphs that repeat an earlier one. Gopher.", "below", 0.20),
        *(_column(f"top_{n}gram", f"Characters in the most frequent sequence of {n} words. Gopher.", "below", limit) for n, limit in _TOP.items()),
        *(_column(f"duplicate_{n}grams", f"Characters in repeated sequences of {n} words. Gopher.", "below", limit) for n, limit in _REPEATED.items()),
        _column("upper_case", "Upper-case letters among all characters."),
        _column("digits", "Digits among all characters."),
        _column("non_ascii", "Characters outside ASCII."),
        _column("urls", "Characters inside URLs."),
        _column("curly_brackets", "Whether there is a curly bracket. C4 drops such pages, for they are often code.", **_FLAG),
        _column("lorem_ipsum", "Whether it says lorem ipsum. C4.", **_FLAG),
        _column("javascript", "Whether it says JavaScript. C4 drops such lines.", **_FLAG),
        _column("language", "Likeliest language.", dtype="String", unit="ISO 639-1 code", low=None, high=None),
        _column("language_confidence", "Probability of that language. FineWeb keeps English above .65.", "above", 0.65),
    ),
    scope="row",
    compute=compute,
    batch=4096,
    cost=1_500,
)
