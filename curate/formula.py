"""What a score can be made of: the columns that it may name, formulas to start from, and the one that is proposed where a recipe has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from curate.crossfilter import numeric_columns
from curate.expression import spelt
from curate.part import Rank, Uncertain
from curate.rank import columns_of
from curate.roles import Role
from curate.scores import Scores
from curate.selection import score_values
from curate.signal import Column, owner_of

__all__ = ["FORMULAS", "UNREPEATED", "Formula", "Signalled", "lacking", "nameable", "proposal", "signals_of"]

NUMBERS = (Role.CONFIDENCE, Role.RATING, Role.VOTES)
DOUBT = "confidence_uncertainty"
FACTOR = 1.5
UNREPEATED = "(1 - near_duplicate_redundancy)"
"""1 for a row that repeats none of those that stay, else less."""
MOST_DOUBTFUL = 0.8  # quantile above which the proposal calls a row uncertain: the most uncertain fifth


@dataclass(frozen=True)
class Formula:
    """A formula to start from. about: what it prefers, in one sentence. uncertain: whether rows of which the model is uncertain get a bonus."""

    name: str
    score: str
    about: str
    uncertain: bool = False


FORMULAS: tuple[Formula, ...] = (
    Formula(
        "Prioritised sampling",
        f"confidence_value * {UNREPEATED}",
        "Rows that a model is sure of and that repeat no other, with a bonus where it is uncertain.",
        True,
    ),
    Formula("Sure labels", "rank(confidence_value)", "Rows whose label or response the model is surest of."),
    Formula("Plain language", "1 - rank(perplexity_response)", "Responses of low perplexity under the language model named in the recipe."),
    Formula("Hard to follow", "quantile(clip(perplexity_ifd, 0, 1))", "Responses that the prompt hardly helps to foresee (IFD, up to 1)."),
    Formula("Like the wanted text", "rank(importance_weight)", "Rows by how much likelier their n-grams are in the reference than here (DSIR)."),
    Formula("Gold by a second model", "rank(mismatch_difference)", "Rows that the reference model finds likelier than the base does."),
    Formula(
        "Well formed",
        "rank(text_quality_alphabetic_words) - rank(text_quality_duplicate_line_characters) - rank(text_quality_top_3gram)",
        "Texts of words, without repeated lines and phrases.",
    ),
    Formula("Human rating", "quantile(rating)", "The column of the role rating; rows without one get its median."),
    Formula("Votes", "rank(votes)", "The column of the role votes, by order: one row of ten thousand votes stretches nothing."),
    Formula(
        "Several together", "(rank(confidence_value) + rank(text_quality_alphabetic_words) + 1 - near_duplicate_redundancy) / 3", "The mean of three signals."
    ),
)


@dataclass(frozen=True)
class Signalled:
    """A column that a score may name. text: its name as a score holds it. signal: what measures it, "" for the dataset's own. role: where `text` is one's."""

    text: str
    column: Column
    signal: str
    role: str = ""


def nameable(scores: Scores) -> tuple[Signalled, ...]:
    """Every column that a score may name: measured ones, the dataset's own numbers, and the roles whose column is one."""
    found = [Signalled(spelt(c.name), c, signal) for signal, columns in numeric_columns(scores).items() for c in columns]
    own = {s.column.name: s.column for s in found if not s.signal}
    for role in NUMBERS:
        name = scores.dataset.roles.get(role, ("",))[0]
        if name in own and role not in dict(scores.dataset.columns):
            found.append(Signalled(str(role), Column(str(role), own[name].dtype, "", "The column of this role."), "", str(role)))
    return tuple(found)


def _empty(scores: Scores, name: str) -> bool:
    return bool(np.isnan(score_values(scores, name)).all())


def lacking(scores: Scores, score: str) -> str | None:
    """The first column of a formula that is not there, or has no value in any row; None where the formula can be used."""
    have = {s.column.name for s in nameable(scores)}
    for name in columns_of(score):
        if name not in have:
            return name
        if scores.once(("empty", name), partial(_empty, scores, name)) and scores.dataset.rows:
            return name
    return None


def proposal(scores: Scores, formula: Formula = FORMULAS[0]) -> Rank | None:
    """A formula as the recipe holds it; None where one of its columns is not there.

    The bonus begins at the uncertainty that a fifth of the rows lie above; there is none where uncertainty is not known, or the same for all rows.
    """
    if lacking(scores, formula.score) is not None:
        return None
    if not formula.uncertain or lacking(scores, DOUBT) is not None:
        return Rank(score=formula.score)
    values = score_values(scores, DOUBT)
    known = values[~np.isnan(values)]
    above = float(f"{np.quantile(known, MOST_DOUBTFUL):.3g}")
    return Rank(score=formula.score, uncertain=Uncertain(column=DOUBT, above=above, factor=FACTOR) if (known > above).any() else None)


def signals_of(score: str) -> Mapping[str, str]:
    """Signals that measure the columns of a formula, by column; columns of the dataset are left out."""
    return {name: owner.name for name in columns_of(score) if (owner := owner_of(name)) is not None}
