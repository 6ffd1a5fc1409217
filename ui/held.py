"""Recipes of the log: which of them can be read, and why one cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from curate.dataset import Dataset
from curate.errors import InputError
from curate.recipe import Recipe, parse_recipe
from curate.reviews import BROUGHT, Review, append, fold, read_log, recipes
from curate.signal import discover

__all__ = ["EVERYTHING", "adopt", "bring", "refused", "the_last"]

EVERYTHING: Mapping[str, Any] = {"dataset": {"path": ""}, "signals": {name: {} for name in discover()}}


def adopt(log: Path, asked: Recipe, session: str, by: str) -> str | None:
    """Put an opened recipe, and the reviews it rests on, into the log; what the server was started with only once: what was decided since stays decided.

    Returns why it cannot be read back, so that it does not hold; None where it can.
    """
    held = bring(log, asked)
    given = asked.model_copy(update={"reviews": None}).model_dump(mode="json", exclude_none=True)
    wrong = refused(given)
    if wrong is None and (session != BROUGHT or not any(r.value == BROUGHT and r.recipe == given for r in held)):
        append(log, Review("recipe", session, by, value=BROUGHT if session == BROUGHT else None, recipe=given))
    return wrong


def bring(log: Path, asked: Recipe) -> Sequence[Review]:
    """Put the reviews that an opened recipe rests on into the log, each once; what the log held before."""
    held = read_log(log)
    known = {r.id for r in held}
    if asked.reviews is not None:
        for review in fold(read_log(Path(asked.reviews.path), asked.reviews.lines)).marked:
            if review.id not in known:
                append(log, replace(review, session=BROUGHT))
    return held


def refused(given: Mapping[str, Any]) -> str | None:
    """Why a recipe cannot be read back; None where it can."""
    try:
        parse_recipe({**given}, "the recipe")
    except InputError as error:
        return str(error)
    return None


def _parsed(held: Mapping[str, Any], data: Dataset) -> Recipe:
    """A recipe of the log, for the dataset in hand: the same rows may have been loaded from elsewhere since."""
    path = data.given[0] if len(data.given) == 1 else list(data.given)
    return parse_recipe({**held, "dataset": {**held["dataset"], "path": path, "bad_lines": data.bad_lines}}, "the recipe in the log")


def the_last(held: Mapping[str, Any], log: Sequence[Review], data: Dataset) -> tuple[Recipe, str | None]:
    """The recipe that holds, or else the last one of the log before it that can be read, or else every signal; and why it is not the one that should hold."""
    try:
        return _parsed(held, data), None
    except InputError as error:
        wrong = str(error)
    for before in reversed(recipes(log)):
        try:
            return _parsed(before, data), wrong
        except InputError:
            continue
    return _parsed(EVERYTHING, data), wrong
