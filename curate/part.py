"""The parts of a recipe: frozen, checked as they are read, no key beyond those named."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from curate.roles import Role

__all__ = [
    "Annotations",
    "Budget",
    "DatasetPart",
    "Diversity",
    "Export",
    "FormatName",
    "LicensePolicy",
    "LinkThreshold",
    "Part",
    "Personal",
    "Rank",
    "ReviewLog",
    "ScoreThreshold",
    "Threshold",
    "Uncertain",
    "covers",
    "meant",
]


def meant(name: str) -> str:
    """The column that a part means by a name: `cluster` is the measured number of a row's cluster."""
    return "cluster_number" if name == "cluster" else name


class Part(BaseModel):
    """What every part is: frozen, without unknown keys or numbers that are none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DatasetPart(Part):
    """Which rows. path: a file, several, a folder, a glob or a hub name; relative to the recipe's folder.

    roles: role → column or columns; recognised where absent.
    bad_lines: "stop" at lines that cannot be read, or set them "aside" into rejected.jsonl.
    """

    path: str | list[str]
    roles: dict[Role, str | list[str]] | None = None
    bad_lines: Literal["stop", "aside"] = "stop"


class Annotations(Part):
    """Ratings in long form, a line for each item, rater and value (`curate.longform`); they come before the role annotations.

    path: a file of them, relative to the recipe's folder; without it the dataset's own rows are the ratings. item, rater, value: the columns that say who
    said what of which item. key: the dataset's column that holds the items of the file, where it is called otherwise than `item`.
    """

    path: str | None = None
    item: str
    rater: str
    value: str
    key: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len({self.item, self.rater, self.value}) < 3:
            raise ValueError("item, rater and value are three different columns")
        if self.path is None and self.key is not None:
            raise ValueError("key joins the items of a file; without path the dataset's own rows are the ratings, and item names their column")
        return self


class LinkThreshold(Part):
    """A limit on Links: rows at least this alike do not stay together.

    limit: similarity in [0, 1]. keeper: who stays: "first" in the file, the "longest" text, or "best:<score>": the highest, or the lowest where
    the score is one to keep below (`curate signals` says so). rule: see `curate.links`. conflicts: who stays where alike rows have different labels or answers
    (`curate.contradiction`): the "keeper" whatever it says, or one that says what most do ("vote"), what the best rated does ("rating"), or the latest by a
    column ("latest:<column>").
    """

    limit: float = Field(ge=0, le=1)
    keeper: str = Field(default="longest", pattern=r"^(first|longest|best:[^:]+)$")
    rule: Literal["cover", "group"] = "cover"
    conflicts: str = Field(default="keeper", pattern=r"^(keeper|vote|rating|latest:.+)$")


class ScoreThreshold(Part):
    """A limit on one score column.

    keep: rows "below" or "above" the limit (the limit itself stays), or "between" two limits, both included. missing: what happens to rows without a score.
    """

    keep: Literal["below", "above", "between"]
    limit: float | tuple[float, float]
    missing: Literal["keep", "drop"] = "keep"

    @model_validator(mode="after")
    def _shape(self) -> Self:
        if (self.keep == "between") != isinstance(self.limit, tuple):
            raise ValueError("keep: between takes two limits, [low, high]; below and above take one")
        if isinstance(self.limit, tuple) and self.limit[0] > self.limit[1]:
            raise ValueError(f"the low limit {self.limit[0]} lies above the high one {self.limit[1]}")
        return self


Threshold = LinkThreshold | ScoreThreshold


class Uncertain(Part):
    """Rows whose `column` lies above a limit have their score multiplied by `factor`."""

    column: str
    above: float
    factor: float = Field(default=1.5, gt=0)


class Rank(Part):
    """score: an expression over numeric columns (`curate.rank`), higher is better."""

    score: str
    uncertain: Uncertain | None = None

    @property
    def doubt(self) -> tuple[str, float, float] | None:
        """Column, limit and factor of the bonus for uncertain rows; None without one."""
        return (self.uncertain.column, self.uncertain.above, self.uncertain.factor) if self.uncertain else None


class Diversity(Part):
    """How much the kept rows should differ from one another (`curate.diversity`).

    by: "facility": every row should have a kept row close to it; "kcentre": no row should lie far from the kept ones. share: of the choice, in [0, 1]: 0 is the
    order of the score alone, 1 looks at no score. seed: of the row that kcentre begins with.
    """

    by: Literal["facility", "kcentre"] = "facility"
    share: float = Field(default=0.3, ge=0, le=1)
    seed: int = Field(default=0, ge=0)


Amounts = dict[str, Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0, le=1)]]


class Budget(Part):
    """The most that is kept, the best by rank first; one of rows, tokens and share.

    per: the budget holds within each value of this column, not over all rows. With quota or floor the budget is that of all rows together, and `per` is the
    column whose values they name: the most and the least of each, a whole number in the budget's unit (rows, or tokens) or a fraction of the whole budget; the
    name * stands for every value that has none of its own. diversity: kept rows differ from one another.
    """

    rows: int | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    share: float | None = Field(default=None, ge=0, le=1)
    per: str | None = None
    quota: Amounts | None = None
    floor: Amounts | None = None
    diversity: Diversity | None = None

    @property
    def parted(self) -> bool:
        """Whether values of a column have a quota or a floor."""
        return bool(self.quota or self.floor)

    @field_validator("quota", "floor", mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        """YAML reads some names of values as numbers, or as true and false."""
        if not isinstance(given, dict):
            return given
        return {{True: "yes", False: "no"}[name] if isinstance(name, bool) else str(name): amount for name, amount in given.items()}

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(value is not None for value in (self.rows, self.tokens, self.share)) != 1:
            raise ValueError("give exactly one of rows, tokens and share")
        if self.parted and self.per is None:
            raise ValueError("quota and floor are of the values of a column: name it with per")
        for name, least in (self.floor or {}).items():
            most = (self.quota or {}).get(name)
            if most is not None and type(most) is type(least) and least > most:
                raise ValueError(f"the floor of {name}, {least}, lies above its quota, {most}")
        return self


class LicensePolicy(Part):
    """What becomes of a row by its licence.

    deny, allow, review: SPDX keys, with * for any letters ("CC-BY-NC-*"); looked at in this order and before all else. commercial: licences that forbid
    commercial use are denied. share_alike: of licences that ask for it. unknown: rows without a licence, and licences of which a term that this policy asks
    about is not known. others: what no part speaks of; "review" keeps a row and shows it.
    """

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    review: tuple[str, ...] = ()
    commercial: bool = False
    share_alike: Literal["allow", "review", "deny"] = "allow"
    unknown: Literal["keep", "review", "drop"] = "review"
    others: Literal["keep", "review", "drop"] = "keep"

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if found := self._contradiction():
            raise ValueError(found)
        return self

    def _contradiction(self) -> str | None:
        """What two parts say against each other; None where nothing does."""
        from curate.license import is_known, leaves, parse, terms

        lists = {"deny": self.deny, "allow": self.allow, "review": self.review}
        for name, keys in lists.items():
            for key in keys:
                meant = parse(key)
                if "*" not in key and (meant != key or leaves(key) != [key.partition(" WITH ")[0]]):
                    right = meant if meant and " " not in meant and is_known(meant) else "one key of spdx.org/licenses, or LicenseRef-… as the rows have it"
                    return f"{name} names {key!r}; write {right}"
        for first, second in (("deny", "allow"), ("deny", "review"), ("allow", "review")):
            if lost := next((key for key in lists[second] if any(covers(k, key) for k in lists[first])), None):
                return f"{second} names {lost}, which {first} takes before it"
        for key in self.allow:
            commercial, share_alike = terms(key)
            if self.commercial and commercial is False:
                return f"allow names {key}, which forbids the commercial use that is asked for"
            if self.share_alike == "deny" and share_alike:
                return f"allow names {key}, which asks for the share-alike that is denied"
        return None


def covers(pattern: str, key: str) -> bool:
    """Whether a pattern of a policy, with * for any letters, means a key or another pattern; case counts for nothing."""
    return fnmatchcase(key.lower(), pattern.lower().replace("[", "[[]"))


class Personal(Part):
    """What an export does about personal data (`curate.personal`).

    treat: "redact" puts the type in its place, "mask" stars, "pseudonymise" a stand-in; "drop" drops the row. types: of those that the signal pii seeks, or
    "all". columns: others, beside those of the text, in which the same values are treated. seed: of the stand-ins; the same one gives the same ones in every
    export.
    """

    treat: Literal["redact", "mask", "pseudonymise", "drop"]
    types: Literal["all"] | list[str] = "all"
    columns: list[str] = []
    seed: str = "curate"


class ReviewLog(Part):
    """The log of human decisions. path: relative to the recipe's folder. lines: how many of its lines count; the log only grows, so they never change."""

    path: str
    lines: int = Field(ge=0)


FormatName = Literal[
    "parquet",
    "jsonl",
    "datasets",
    "trl_sft",
    "trl_prompt_completion",
    "trl_dpo",
    "axolotl",
    "axolotl_alpaca",
    "llama_factory",
    "llama_factory_alpaca",
    "openai",
]


class Export(Part):
    """formats: files of the selected rows (`curate.formats`); Parquet is always among them. order: of the
    rows in the file: as they came, best rank first, or by the curriculum.

    weight: none, the rank score scaled to mean 1, or what the part weights says.
    """

    formats: list[FormatName] = Field(default=["parquet"], min_length=1)
    order: Literal["file", "rank", "curriculum"] = "file"
    weight: Literal["none", "score", "weights"] = "none"
