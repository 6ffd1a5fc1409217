"""The part of a recipe that says which generated rows may enter: limits of the synthetic gate, the reading it asks for, the cap on shares."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from curate.part import Part

__all__ = ["CHECKS", "FLOOR", "Admission", "CheckName"]

CheckName = Literal[
    "exact", "near", "semantic", "rouge", "contamination", "length", "format", "phrases", "perplexity", "label", "grounding", "personal", "license"
]
CHECKS: tuple[CheckName, ...] = get_args(CheckName)
FLOOR = 0.5
"""The least similarity that is measured between two generated rows, so the lowest limit."""
Alike = Annotated[float, Field(ge=FLOOR, le=1)]
Span = tuple[float, float]


class Admission(Part):
    """When a generated row may enter (`curate.synthetic.checks` says what each check measures), and when a whole batch may.

    off: checks that are not made; the gate says so. near, semantic, rouge: from which likeness on a row is a copy. copies_of: texts that are
    compared by themselves, beside the whole row (a response of few words is not); rouge_of: the one text that ROUGE-L compares, those where not given.
    contamination: the share of an evaluation row that may be held. evaluation: files of evaluation rows, beside those of the signal contamination. length:
    words of the response (characters where its script has no spaces), and perplexity, from and to;
    where not given the band of the dataset's own rows, of which `band` lies outside at either end.
    grounding: the least share of the response's triples of words that the context holds; the low end of the same band where not given. label: how likely the
    given label must be to a classifier that learnt the dataset's, as a share of the likeliest's probability. pass_rate: the share of read rows that must be
    good. rows: that are read of a batch. share: of generated rows among all of the dataset, the most, in each source or label (`per`; all for all together).
    """

    off: tuple[CheckName, ...] = ()
    near: Alike = 0.8
    semantic: Alike = 0.95
    rouge: Alike = 0.7
    rouge_of: Literal["prompt", "response", "text"] | None = None
    copies_of: tuple[Literal["prompt", "response"], ...] = ("prompt", "response")
    contamination: float = Field(default=0.5, gt=0, le=1)
    evaluation: tuple[str, ...] = ()
    length: Span | None = None
    perplexity: Span | None = None
    grounding: float | None = Field(default=None, ge=0, le=1)
    label: float = Field(default=0.5, ge=0, le=1)
    band: float = Field(default=0.005, ge=0, lt=0.5)
    pass_rate: float = Field(default=0.9, gt=0, le=1)
    rows: int = Field(default=60, ge=1)
    share: float = Field(default=0.3, ge=0, lt=1)
    per: Literal["source", "label", "all"] = "source"
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        for name in ("length", "perplexity"):
            span: Span | None = getattr(self, name)
            if span is not None and span[0] > span[1]:
                raise ValueError(f"{name}: the low limit {span[0]} lies above the high one {span[1]}")
        return self
