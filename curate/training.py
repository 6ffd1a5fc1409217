"""The parts of a recipe that say in which order rows are trained on, and how much each counts."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from curate.part import Part

__all__ = ["Curriculum", "Grouping", "Smoothing", "Weights"]


class Curriculum(Part):
    """The order in which rows are trained on (`curate.curriculum`); it holds where export.order is curriculum.

    by: a numeric score or column, or "rank", the rank score; only random goes without. easy: the end of it that is easy; the good
    one where left out, or the low one of what has none. pacing: how fast harder rows join,
    from the share `start` on (Platanios et al. 2019 take .01); step has no use for it. within: how the rows of a phase stand. missing: rows without a value are
    spread evenly or come last. interleave: a column or role whose values take turns within each phase. seed: of ties, of shuffling and of random.
    """

    by: str | None = None
    easy: Literal["low", "high"] | None = None
    direction: Literal["easy_first", "hard_first", "random"] = "easy_first"
    pacing: Literal["linear", "root", "step", "geometric"] = "linear"
    start: float = Field(default=0.01, gt=0, le=1)
    phases: int = Field(default=5, ge=1, le=1000)
    within: Literal["sorted", "shuffled"] = "sorted"
    missing: Literal["spread", "last"] = "spread"
    interleave: str | None = None
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _told(self) -> Self:
        if self.by is None and self.direction != "random":
            raise ValueError(f"{self.direction} needs `by`: a numeric score or column, or rank")
        return self


_Factor = Annotated[float, Field(ge=0)]
_Word = Literal["keep", "label", "good", "bad", "unsure"]
_Text = Annotated[str, Field(coerce_numbers_to_str=True)]


class Grouping(Part):
    """Groups of alike rows. links: the name of a Links. limit: from which similarity on; that of the recipe's threshold where it is left out."""

    links: str
    limit: float | None = Field(default=None, ge=0, le=1)


class Smoothing(Part):
    """Label smoothing by row. confidence: a column with the probability of the given label. most: the highest ε; .5 leaves a label half of its mass.

    reviewed: ε of rows that a person read and kept, labelled or judged good. soft: write soft targets too.
    """

    confidence: str = "label_issue_self_confidence"
    most: float = Field(default=0.5, ge=0, lt=1)
    reviewed: float = Field(default=0.0, ge=0, lt=1)
    soft: bool = False


class Weights(Part):
    """How much a row counts (`curate.weighting`): the product of factors; it holds where export.weight is weights.

    score: the rank score. trust: a factor by value, of columns or roles; 1 for what is not named. group: 1 / rows of the group that are kept. reviews: a factor
    by what people said, row by row. balance: 1 / frequency of the value of a column or role. clip: the least and the most, of what is above 0. normalise: to
    mean 1 over what is above 0. repeat: the weight as whole numbers, in a column, or as so many rows. seed: of their rounding.
    """

    score: bool = False
    trust: dict[str, dict[_Text, _Factor]] = Field(default={})
    group: str | Grouping | None = None
    reviews: dict[_Word, _Factor] = Field(default={})
    balance: str | None = None
    clip: tuple[_Factor, _Factor] | None = None
    normalise: Literal["mean", "none"] = "mean"
    smoothing: Smoothing | None = None
    repeat: Literal["none", "column", "rows"] = "none"
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.clip is not None and not (self.clip[0] <= self.clip[1] and self.clip[1] > 0):
            raise ValueError(f"clip takes two limits, [low, high], not {list(self.clip)}")
        if self.clip is not None and self.normalise == "mean" and not self.clip[0] <= 1 <= self.clip[1]:
            raise ValueError(f"no weights within {list(self.clip)} have the mean 1; widen clip or set normalise: none")
        return self

    @property
    def links(self) -> Grouping | None:
        """Whose groups count, written whole; None without."""
        return Grouping(links=self.group) if isinstance(self.group, str) else self.group
