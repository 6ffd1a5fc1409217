"""What is tried: a plan is a small file that says which rows are trained on, by which probe, how much, how often, and what they are measured by."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from curate.part import Part
from curate.roles import Role

__all__ = ["EVERY", "Amount", "Arm", "Noise", "Plan", "Price", "Stop", "Validation"]

EVERY = "all rows"
"""The arm that deltas are told to where a plan names no other."""
_Text = Annotated[str, Field(coerce_numbers_to_str=True)]
_Share = Annotated[float, Field(ge=0, le=1)]


class Noise(Part):
    """Labels made wrong on purpose (`curate.probes.noising`). rate: of the rows of an arm.

    confusions: of the kind class: by label, how often it is taken for each other one (`curate.probes.noising.confusions`); the most alike where left out.
    """

    kind: Literal["uniform", "class", "instance"] = "uniform"
    rate: float = Field(ge=0, lt=1)
    confusions: dict[_Text, dict[_Text, Annotated[float, Field(ge=0)]]] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.confusions is not None and self.kind != "class":
            raise ValueError(f"confusions go with the kind class, not {self.kind}")
        return self


class Arm(Part):
    """Rows that are tried. They are those that a recipe keeps, narrowed by what else is said.

    recipe: a path, relative to the plan's folder; the probed recipe where left out. rows: "kept" by it, or "all". where: value by column, role or score.
    between: from which quantile up to which, in [0, 1], by numeric column or score; a score decile is {score: [0.9, 1]}. Rows of one value are ranked by lot,
    the same in every arm, so that slices side by side share no row and are as large as they say. order: "recipe" is that of its
    export, shuffled where that is the file's; two go by `by`, low values being easy. weights: whether its weights and its label smoothing count. label: a
    column of labels in the place of the role's. of: other arms that it joins in the place of all that, each with the share of its rows that is taken, in
    (0, 1]; arms of the kind are compared with one another, so they have no control.
    """

    name: str = Field(min_length=1)
    recipe: str | None = None
    rows: Literal["kept", "all"] = "kept"
    where: dict[str, _Text] = Field(default={})
    between: dict[str, tuple[_Share, _Share]] = Field(default={})
    order: Literal["recipe", "random", "easy_first", "hard_first"] = "recipe"
    by: str | None = None
    weights: bool = True
    label: str | None = None
    noise: Noise | None = None
    of: dict[str, Annotated[float, Field(gt=0, le=1)]] = Field(default={})

    @property
    def whole(self) -> bool:
        """Whether it takes any row, so that it is drawn of the same rows as its control."""
        return self.rows == "all" and not (self.where or self.between or self.of)

    @property
    def like_control(self) -> bool:
        """Whether it is what a control is, rows drawn of all as they were given, so that there is nothing to compare."""
        return self.whole and self.order in ("recipe", "random") and not (self.noise or self.label)

    @model_validator(mode="after")
    def _told(self) -> Self:
        if self.order in ("easy_first", "hard_first") and self.by is None:
            raise ValueError(f"{self.order} needs `by`: a numeric score or column")
        own = self.model_fields_set - {"name", "of", "noise"}
        if self.of and any(getattr(self, name) != type(self).model_fields[name].get_default() for name in own):
            raise ValueError("an arm of other arms takes their rows as they are; say nothing but noise beside `of`")
        if reversed_ := next((name for name, (low, high) in self.between.items() if not low < high), None):
            raise ValueError(f"between of {reversed_} goes from {self.between[reversed_][0]:g} up to {self.between[reversed_][1]:g}, which holds nothing")
        if self.by is not None and self.order not in ("easy_first", "hard_first"):
            raise ValueError(f"`by` goes with order easy_first or hard_first, not {self.order}")
        return self


class Amount(Part):
    """How long is trained: so many times over the rows, or until so many rows were seen, which makes arms of different sizes equal in compute."""

    epochs: float | None = Field(default=None, gt=0)
    seen: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.epochs is None) == (self.seen is None):
            raise ValueError("give exactly one of epochs and seen")
        return self

    def rows(self, size: int) -> int:
        """Rows that are seen in all, of an arm of so many rows."""
        return self.seen if self.seen is not None else max(1, round(size * (self.epochs or 0)))

    def __str__(self) -> str:
        return f"{self.seen:,} rows seen" if self.seen is not None else f"{self.epochs:g} epochs"


class Validation(Part):
    """Rows that are never trained on, the same for every arm.

    path: another file, relative to the plan's folder, with its roles; else split: values of the role split; else share of the rows, drawn by seed. most: rows
    that are taken of them, none with the words of another. label: a column of labels in the place of the role's. near: rows of the dataset that are at least
    this alike a row of validation (Jaccard, word 3-grams), or have its words, are not trained on. semantic: nor those whose embedding has at least this cosine
    with one; not looked at where left out. Of a split no row is trained on; of a share, the rows beyond `most` are.
    """

    path: str | None = None
    roles: dict[Role, str | list[str]] | None = None
    split: tuple[_Text, ...] = ()
    share: float = Field(default=0.1, gt=0, lt=1)
    most: int = Field(default=2000, ge=2)
    seed: int = Field(default=0, ge=0)
    label: str | None = None
    near: float = Field(default=0.8, gt=0, le=1)
    semantic: float | None = Field(default=None, gt=0, le=1)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.path is not None and self.split:
            raise ValueError("path and split are both given; give one of them")
        return self


class Price(Part):
    """What things cost, in any one currency. hour: of the machine that trains for real. annotation: an hour of a person. rows: that person's rows an hour.

    speed: rows that the machine trains on in an hour, all epochs; as fast as the probe was where left out.
    """

    hour: float = Field(default=0.0, ge=0)
    annotation: float = Field(default=0.0, ge=0)
    rows: float = Field(default=120.0, gt=0)
    speed: float | None = Field(default=None, gt=0)
    currency: str = "USD"


class Stop(Part):
    """The rule by which no more rows are annotated: where the next `rows` buy at most `gain`, in points of accuracy, or nats; none where that is left out."""

    rows: int = Field(default=10_000, ge=1)
    gain: float | None = Field(default=None, ge=0)


class Plan(Part):
    """A run of probes. Each arm is trained at each size, for each amount and seed, and so is a control of equal rows or tokens drawn at random of all rows.

    about: what is asked, in a sentence. experiment: the preset that made it, "" for none. probe, parameters: of `curate.probes.ladder`. sizes: rows drawn of
    each arm; the whole arm where empty, and for those that are larger than it. base: the arm that deltas are told to, beside the control. domain: column, role
    or score whose values the metrics are told by. looks: how often the validation rows are measured on the way. margin: below which a difference does not
    matter, in points of accuracy, or percent of the loss.
    """

    about: str = ""
    experiment: str = ""
    probe: str
    parameters: dict[str, Any] = Field(default={})
    arms: tuple[Arm, ...] = Field(min_length=1)
    sizes: tuple[Annotated[int, Field(ge=1)], ...] = ()
    amounts: tuple[Amount, ...] = Field(default=(Amount(epochs=3),), min_length=1)
    seeds: int = Field(default=3, ge=1, le=100)
    control: Literal["rows", "tokens"] = "rows"
    base: str | None = None
    domain: str | None = None
    looks: int = Field(default=8, ge=1, le=1000)
    validation: Validation = Validation()
    price: Price = Price()
    stop: Stop = Stop()
    margin: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _named(self) -> Self:
        names = [arm.name for arm in self.arms]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two arms are called {twice!r}")
        taken = next((arm for arm in self.arms if arm.name == EVERY), None)
        if taken is not None and self.whole is not self:
            raise ValueError(f"an arm that is called {EVERY!r} takes all rows as they were given, with no other order, noise or label; call it otherwise")
        simple = {arm.name for arm in self.arms if not arm.of}
        for arm in self.arms:
            if unknown := {*arm.of} - simple:
                raise ValueError(f"{arm.name} joins {min(unknown)!r}, which is no arm of its own rows; there are {', '.join(sorted(simple))}")
        if self.base is not None and self.base not in names:
            raise ValueError(f"base names {self.base!r}, which is no arm; there are {', '.join(names)}")
        return self

    @property
    def whole(self) -> Plan:
        """The plan with an arm of all rows as they were given, which is added where none is."""
        if any(arm.like_control for arm in self.arms):
            return self
        return self.model_copy(update={"arms": (Arm(name=EVERY, rows="all"), *self.arms)})
