"""The checks of the synthetic gate: what each measures of a generated row. A check that cannot be made says why, and is never passed over in silence.

A check gives a frame with a column of its own name, one value a row (null where it does not apply), and columns beside it: `<check>_row` names the closest row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curate.admission import Admission, CheckName
from curate.recipe import Recipe
from curate.refusal import language_of, phrase_of
from curate.scores import Scores
from curate.signal import check_parameters, discover
from curate.synthetic import copies, fitness
from curate.synthetic.copies import Vectors
from curate.synthetic.parts import closest_meaning, highest, long_enough
from curate.synthetic.vectors import static_vectors

if TYPE_CHECKING:
    import polars as pl

__all__ = ["ABOUT", "COPIES", "MADE", "Found", "Ground", "Skip"]

COPIES: tuple[CheckName, ...] = ("exact", "near", "semantic", "rouge")
"""Checks against other rows, for which generated rows that pass count too."""
ABOUT: Mapping[CheckName, str] = {
    "exact": "The same row, prompt or response as another, but for case and white space",
    "near": "Nearly the words of another row, its prompt or its response: Jaccard similarity of word 3-grams",
    "semantic": "Nearly the meaning of another row, its prompt or its response: cosine of embeddings",
    "rouge": "ROUGE-L with another row's prompt or response, as self-instruct filters prompts",
    "contamination": "Holds a row of an evaluation file: the greater of n-gram overlap and Jaccard similarity",
    "length": "Words of the response, characters where its script has no spaces, beside the dataset's own",
    "format": "A text is empty, cut off or repeats itself, or holds marks of a template",
    "phrases": "A refusal, or what a model says to who asked it, in English, German, French or Spanish",
    "perplexity": "Perplexity of the response, beside the dataset's own",
    "label": "How likely the label is to a classifier that learnt the dataset's, as a share of the likeliest's probability",
    "grounding": "The share of the response's triples of words that its context holds, or its parents' where it has none",
    "personal": "Kinds of personal data, keys and passwords in the text",
    "license": "The licences of all parents together, and of rows that those copy or were made from, by the recipe's policy",
}


class Skip(Exception):
    """A check cannot be made here; says why."""


@dataclass(frozen=True)
class Ground:
    """What checks stand on. rows: of the batch; text: each row's whole text. pool: the rows that are there, `name`, `prompt`, `response`, `text`, the dataset's
    first, then rows that were accepted from other batches. mine, theirs: vectors of both, None where no check asks for them or none can be had."""

    scores: Scores
    recipe: Recipe
    admission: Admission
    rows: pl.DataFrame
    text: pl.Series
    pool: pl.DataFrame
    mine: Vectors | None = None
    theirs: Vectors | None = None

    def given(self, signal: str) -> dict[str, Any]:
        """A signal's parameters, as the recipe has them over the defaults."""
        return check_parameters(discover()[signal], self.recipe.signals.get(signal) or {})

    @property
    def fields(self) -> tuple[str, ...]:
        """Texts that a row of this dataset has and a generated one shall have: the prompt and the response."""
        return tuple(n for n in ("prompt", "response") if self.scores.dataset.has(n))

    @property
    def compared(self) -> tuple[str, ...]:
        """Texts that are compared by themselves, as the recipe says; none where a row is one text."""
        there = [n for n in ("prompt", "context", "response") if self.scores.dataset.has(n)]
        return tuple(n for n in self.admission.copies_of if n in there) if len(there) > 1 else ()

    def texts(self, of: str) -> tuple[pl.Series, pl.DataFrame]:
        """Generated texts of a kind and the pool's (`name` and `of`); null those that are too short to be copies by themselves."""
        if of == "text":
            return self.text, self.pool.select("name", "text")
        return long_enough(self.rows[of], of), self.pool.select("name", long_enough(self.pool[of], of))

    @property
    def said(self) -> str:
        """The text that a generator answers with: the response, or the prompt where rows have no response."""
        return "response" if self.scores.dataset.has("response") else "prompt"


@dataclass(frozen=True)
class Found:
    """What a check found. values: a row a row. pairs: generated rows that are alike. own: the dataset's own values at `fitness.QUANTILES`."""

    values: pl.DataFrame
    pairs: pl.DataFrame | None = None
    own: Sequence[float] = field(default=())


def _words(on: Ground) -> Found:
    return Found(*highest({of: copies.by_words(*on.texts(of), of) for of in ("text", *on.compared)}, ("exact", "near")))


def _semantic(on: Ground) -> Found:
    if on.mine is None or on.theirs is None:
        raise Skip("the dataset has no embedding")
    found = {"text": copies.by_meaning(on.mine, on.theirs, on.pool["name"], len(on.rows))}
    parents = [p or () for p in on.rows["parents"].to_list()]
    for of in on.compared:
        texts, pool = on.texts(of)
        found[of] = closest_meaning(texts, pool, static_vectors(on.scores, on.given("embedding"), pool), parents, on.given("embedding"))
    return Found(*highest(found, ("semantic",)))


def _rouge(on: Ground) -> Found:
    wanted = on.admission.copies_of if on.admission.rouge_of is None else (on.admission.rouge_of,)
    every = [n for n in wanted if n == "text" or on.scores.dataset.has(n)] or ["text"]
    return Found(*highest({of: copies.by_rouge(*on.texts(of), of) for of in every}, ("rouge",)))


def _contamination(on: Ground) -> Found:
    reference = on.given("contamination")["reference"]
    paths = [reference] if isinstance(reference, str) else [*reference]
    if not [*filter(None, paths), *on.admission.evaluation]:
        raise Skip("no evaluation file is named: set synthetic.evaluation, or the reference of the signal contamination")
    return Found(copies.evaluated(on.text, on.admission, [p for p in paths if p]))


def _length(on: Ground) -> Found:
    own = fitness.quantiles(fitness.length_of(on.scores.dataset.views([on.said]).collect()[on.said]))
    return Found(fitness.length_of(on.rows[on.said]).alias("length").to_frame(), own=own)


def _format(on: Ground) -> Found:
    import polars as pl

    found = [fitness.faults(row, on.fields) for row in on.rows.iter_rows(named=True)]
    return Found(
        pl.DataFrame({"format": [len(f) for f in found], "format_said": ["; ".join(f) or None for f in found]}, {"format": pl.Int32, "format_said": pl.String})
    )


def _phrases(on: Ground) -> Found:
    import polars as pl

    found, spoken = [phrase_of(row) for row in on.rows.iter_rows(named=True)], [language_of(text) for text in on.text.to_list()]
    told = {"phrases": [f is not None for f in found], "phrases_said": found, "phrases_language": spoken}
    return Found(pl.DataFrame(told, {"phrases": pl.Boolean, "phrases_said": pl.String, "phrases_language": pl.String}))


def _perplexity(on: Ground) -> Found:
    task = on.scores.measured.get("perplexity")
    if task is None:
        raise Skip("perplexity is not measured of the dataset: add it to the recipe's signals and measure it")
    name = f"perplexity_{'response' if 'prompt' in on.fields and 'response' in on.fields else 'text'}"
    found = fitness.perplexities(on.rows, on.text, task.parameters)
    return Found(found.select(perplexity=name), own=fitness.quantiles(on.scores.frame[name]))


def _label(on: Ground) -> Found:
    import polars as pl

    from curate.label import LEAST

    if not on.scores.dataset.has("label"):
        raise Skip("the dataset has no labels")
    if on.mine is None or on.theirs is None:
        raise Skip("the dataset has no embedding")
    labels = on.scores.dataset.views(["label"]).collect()["label"]
    own = Vectors(on.theirs.at[on.theirs.at < len(labels)], on.theirs.unit[on.theirs.at < len(labels)])
    found = fitness.label_fit(on.mine, on.rows["label"], own, labels, on.admission.seed)
    if found is None:
        raise Skip(f"there is nothing to learn labels from: fewer than two have {LEAST} rows and more")
    share, said = found
    return Found(pl.DataFrame({"label": share, "label_said": said}, {"label": pl.Float64, "label_said": pl.String}))


def _grounding(on: Ground) -> Found:
    import polars as pl

    data = on.scores.dataset
    if not data.has("context") or not data.has("response"):
        raise Skip("rows here have no context")
    views = data.views(["prompt", "context", "response"] if data.has("prompt") else ["context", "response"]).collect()
    views = views if "prompt" in views.columns else views.with_columns(prompt=pl.lit(None, pl.String))
    held = dict(zip(on.scores.frame["row_id"], views["context"], strict=True))
    parents = ["\n".join(c for p in names or () if (c := held.get(p))) for names in on.rows["parents"].to_list()]
    contexts = [own or given or None for own, given in zip(on.rows["context"], parents, strict=True)]
    some = views.filter(pl.col("context").fill_null("") != "")
    some = some.sample(min(len(some), 2000), seed=on.admission.seed)
    own = fitness.quantiles(pl.Series("own", fitness.grounded(some, some["context"].to_list()), pl.Float64))
    return Found(pl.DataFrame({"grounding": fitness.grounded(on.rows, contexts)}, {"grounding": pl.Float64}), own=own)


def _personal(on: Ground) -> Found:
    import polars as pl

    found = fitness.personal_types(on.text, on.given("pii"))
    told = {"personal": [len(f) for f in found], "personal_said": [", ".join(f) or None for f in found]}
    return Found(pl.DataFrame(told, {"personal": pl.Int32, "personal_said": pl.String}))


def _license(on: Ground) -> Found:
    import polars as pl
    import pyarrow as pa

    from curate.signals.license import SIGNAL

    data, wanted = on.scores.dataset, {p for names in on.rows["parents"].to_list() for p in names or ()}
    at = on.scores.frame["row_id"].is_in([*wanted]).arg_true().to_list()
    names = [n for n in ("license", "source") if data.has(n)]
    frame = data.rows_at(at, names) if names else pl.DataFrame()
    columns = {n: pa.array(frame[n].to_list() if n in names else [None] * len(at), None if n in names and at else pa.string()) for n in ("license", "source")}
    spdx = SIGNAL.compute(pa.record_batch(columns), **on.given("license")).column("license_spdx").to_pylist()
    held = dict(zip(on.scores.frame["row_id"].gather(at), spdx, strict=True))
    found = fitness.inherited([p or () for p in on.rows["parents"].to_list()], on.rows["license"].to_list(), held)
    parents = pl.Series("license_parents", on.rows["parents"], pl.List(pl.String))
    return Found(pl.DataFrame({"license": found, "license_parents": parents}, {"license": pl.String, "license_parents": pl.List(pl.String)}))


MADE: Mapping[tuple[CheckName, ...], Callable[[Ground], Found]] = {
    ("exact", "near"): _words,
    ("semantic",): _semantic,
    ("rouge",): _rouge,
    ("contamination",): _contamination,
    ("length",): _length,
    ("format",): _format,
    ("phrases",): _phrases,
    ("perplexity",): _perplexity,
    ("label",): _label,
    ("grounding",): _grounding,
    ("personal",): _personal,
    ("license",): _license,
}
"""What measures which checks."""
