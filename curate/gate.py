"""The gate before an export: what is wrong with the rows that would be written, as a list, and whether that stops the export.

Personal data: what was found in the text as it was loaded, that nobody spared and the recipe does not treat, and treated values that also stand in a column
that is not treated. A text that a person edited counts as it was found: spare the row once it is clean. Licences: rows that the policy denies and a person
keeps, rows alike to a denied one (each pair by itself, no chains), and synthetic rows made from a denied one. A copy of a row that says no licence is no
finding. Contamination: beyond the recipe's limit, else the proposed one. Synthetic rows: those of the role synthetic, and rows that were grown here, unless
their batch was accepted (`synthetic/<batch>/accepted.parquet` in the workspace) or a person read the row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.added import ID
from curate.audit import beyond
from curate.denied import denied_rows, limit_of
from curate.errors import InputError
from curate.finding import MOST, Finding, Gated
from curate.gating import Gate
from curate.grown import accepted_files, unread
from curate.noise import noise
from curate.part import meant
from curate.personal import untreated
from curate.rate import percent
from curate.recipe import Recipe
from curate.reviews import Review, spared
from curate.roles import Role
from curate.scores import Scores
from curate.selection import Selection, keeper_order, links_of
from curate.signal import column_of
from curate.task import Task
from curate.view import as_text

if TYPE_CHECKING:
    import polars as pl

__all__ = ["check", "check_limits", "gated", "unchecked"]

Bools = npt.NDArray[np.bool_]
SIGNALS = {"personal": "pii", "license": "license", "contamination": "contamination"}
"""Rules that rest on a signal."""


@dataclass(frozen=True)
class _Given:
    """What is looked at: a selection of measured rows."""

    scores: Scores
    recipe: Recipe
    selection: Selection
    marked: Sequence[Review]

    @cached_property
    def gate(self) -> Gate:
        return self.recipe.gate or Gate()

    @cached_property
    def keep(self) -> Bools:
        return self.selection.keep

    @property
    def frame(self) -> pl.DataFrame:
        return self.scores.frame

    @property
    def kept(self) -> str:
        """The kept rows, in words."""
        return f"{self.selection.kept:,} kept rows"

    def found(self, name: str, rows: Bools, what: str, remedy: str) -> tuple[Finding, ...]:
        """The finding that rows make of which a limit of rows speaks; none where it holds. rows: bool [rows]."""
        at, most = np.flatnonzero(rows), getattr(self.gate, name) or 0
        if len(at) <= most:
            return ()
        ids = self.frame["row_id"].gather(at[:MOST]).to_list()
        bar = f" ({most:,} may)" if most else ""
        return (Finding(name, float(most), float(len(at)), tuple(ids), len(at), f"{len(at):,} of {self.kept}{bar} {what}", remedy, at),)


def _personal(given: _Given) -> tuple[Finding, ...]:
    if "pii_spans" not in given.frame.columns:
        return ()
    import polars as pl

    rows, kinds = untreated(given.scores, given.recipe.personal, spared(given.marked))
    rows = rows & given.keep
    spans = given.frame["pii_spans"].filter(pl.Series(rows))
    types = Counter(t for t in spans.list.eval(pl.element().struct.field("type")).explode().drop_nulls().to_list() if kinds is None or t in kinds)
    named = ", ".join(f"{kind} {n:,}" for kind, n in types.most_common(6))
    beside = "" if named else ", in columns that are not treated"
    what = f"hold personal data that the export would leave as it is{f' ({named})' if named else beside}"
    return given.found("personal", rows, what, "Treat it (personal: {treat: redact}; columns: for others than the text), drop the rows, or spare what is none")


def _license(given: _Given) -> tuple[Finding, ...]:
    import polars as pl

    denied = denied_rows(given.scores, given.recipe, given.marked)
    if denied is None:
        return ()
    bad, ways, example = denied.own & given.keep, dict[str, int](), ""
    ways["kept by hand"] = int(bad.sum())
    for name, copies in denied.alike.items():
        alike = copies.filter(~pl.Series(bad).gather(copies["row"]) & pl.Series(given.keep).gather(copies["row"]))
        ways[f"alike to a denied row by {name}"] = len(alike)
        if len(alike) and not example:
            row, other, by = alike.row(0)
            ids = given.frame["row_id"].gather([row, other]).to_list()
            example = f"; {ids[0]} is {by:.2f} alike to {ids[1]}, {given.frame['license_spdx'][other]}"
        bad[alike["row"].to_numpy()] = True
    made = denied.made & given.keep & ~bad
    ways["made from a denied row, or from a copy of one"] = int(made.sum())
    told = ", ".join(f"{n:,} {way}" for way, n in ways.items() if n)
    return given.found("license", bad | made, f"come from rows under a denied licence: {told}{example}", "Drop them, or change the policy")


def _contamination(given: _Given) -> tuple[Finding, ...]:
    column = column_of("contamination_similarity")
    if column is None or column.name not in given.frame.columns:
        return ()
    checked = beyond(given.scores, given.recipe, column)
    if checked is None or checked[1] is None:
        return ()
    bad, limit = checked[0] & given.keep, checked[1].limit
    named = given.frame["contamination_row"].gather(np.flatnonzero(bad)[:1]).to_list() if bad.any() else []
    what = f"hold rows of an evaluation set, similarity above {limit}{f'; the first one holds {named[0]}' if named and named[0] else ''}"
    return given.found("contamination", bad, what, f"Drop them: thresholds: {{contamination_similarity: {{keep: below, limit: {limit}}}}}")


def _synthetic(given: _Given) -> tuple[Finding, ...]:
    rows = unread(given.scores, given.marked)
    what = "are synthetic, of no accepted batch, and read by nobody"
    return () if rows is None else given.found("synthetic", rows & given.keep, what, "Read them on the page Review, or accept their batch after its sample")


def _noise_rate(given: _Given) -> tuple[Finding, ...]:
    most = given.gate.noise_rate
    if most is None:
        return ()
    found = noise(given.scores, given.marked, given.keep)
    rate = None if found is None else found.rate
    high = 1.0 if rate is None else rate.high
    if high <= most:
        return ()
    if rate is None or rate.value is None:
        what = f"the noise rate of the kept rows is not known{': no sample was drawn and judged' if rate is None else ''}"
    else:
        what = (
            f"the noise rate of the kept rows may be {percent(high)} ({percent(rate.value)} of {rate.judged:,} judged, up to {percent(high)} by the interval)"
        )
    remedy = "Judge rows on the page Noise rate, and correct or drop bad ones"
    return (Finding("noise_rate", most, high, (), 0, f"{what}; at most {percent(most)} is wanted", remedy),)


def _duplicates(given: _Given) -> tuple[Finding, ...]:
    scores, found = given.scores, []
    for name, most in (given.gate.duplicates or {}).items():
        if name not in scores.links:
            why = next((t.skip for t in scores.tasks if t.signal.name == name), None)
            raise InputError(f"gate.duplicates.{name}", why or "is not measured", "Give what it needs, or take that limit out")
        order = keeper_order(scores, "first", given.keep, np.zeros(scores.dataset.rows, np.bool_))
        limit = limit_of(given.scores, given.recipe, name)
        twin = links_of(scores, name, given.marked).gives_way(limit, "cover", order) != np.arange(scores.dataset.rows)
        share = int(twin.sum()) / max(1, given.selection.kept)
        if share > most:
            at = np.flatnonzero(twin)
            ids = given.frame["row_id"].gather(at[:MOST]).to_list()
            what = f"{int(twin.sum()):,} of {given.kept} ({percent(share)}) are copies of others, at least {limit:g} alike; at most {percent(most)} may"
            remedy = f"Set a limit: thresholds: {{{name}: {{limit: {limit:g}}}}}"
            found.append(Finding(f"duplicates.{name}", most, share, tuple(ids), len(at), what, remedy, at))
    return tuple(found)


def _share(given: _Given) -> tuple[Finding, ...]:
    import polars as pl

    found = []
    for column, most in (given.gate.share or {}).items():
        name = column if column in [*Role] else meant(column)
        said = as_text(given.scores.column(name, f"gate.share.{column}")).fill_null("none").alias("value").filter(pl.Series(given.keep))
        value, rows = next(said.value_counts().sort(["count", "value"], descending=[True, False]).iter_rows(), ("", 0))
        if rows / max(1, len(said)) > most:
            what = f"{rows:,} of {given.kept} ({percent(rows / len(said))}) have {column} {str(value)[:60]!r}; at most {percent(most)} may"
            found.append(Finding(f"share.{column}", most, rows / len(said), (), rows, what, f"Give it a quota: budget: {{per: {column}, quota: …}}"))
    return tuple(found)


def _min_rows(given: _Given) -> tuple[Finding, ...]:
    fewest, kept = given.gate.min_rows or 0, given.selection.kept
    if kept >= fewest:
        return ()
    return (
        Finding("min_rows", float(fewest), float(kept), (), 0, f"{kept:,} rows are kept; at least {fewest:,} are wanted", "Loosen a threshold, or add rows"),
    )


LOOKS: tuple[Callable[[_Given], tuple[Finding, ...]], ...] = (
    *(_personal, _license, _contamination, _synthetic),
    *(_noise_rate, _duplicates, _share, _min_rows),
)


def _skipped(recipe: Recipe, tasks: Sequence[Task]) -> dict[str, str]:
    """What cannot be looked at however long one measures: by name of the finding."""
    skips = {t.signal.name: t.skip for t in tasks}
    found = {name: f"{signal} {why}" for name, signal in SIGNALS.items() if (why := skips.get(signal, "is not in the recipe"))}
    if "license" not in found and recipe.licenses is None:
        found["license"] = "no policy says what is denied (licenses in the recipe)"
    return found


def check_limits(recipe: Recipe, tasks: Sequence[Task]) -> None:
    """Raise InputError where the recipe's gate has a limit on what cannot be known of these tasks' dataset, before anything is measured."""
    _raise_asked(recipe, _skipped(recipe, tasks))


def _raise_asked(recipe: Recipe, lacking: Mapping[str, str]) -> None:
    asked = next((n for n in lacking if recipe.gate is not None and getattr(recipe.gate, n) is not None), None)
    if asked is not None:
        raise InputError(f"gate.{asked}", f"cannot be checked: {lacking[asked]}", "Give what it needs, or take that limit out")


def unchecked(scores: Scores, recipe: Recipe) -> dict[str, str]:
    """What is not looked at, with the reason: by name of the finding."""
    found = _skipped(recipe, scores.tasks)
    waits = {name: f"{signal} is not measured yet" for name, signal in SIGNALS.items() if name not in found and signal not in scores.measured}
    return {name: {**waits, **found}[name] for name in SIGNALS if name in waits or name in found}


def check(scores: Scores, recipe: Recipe, selection: Selection, marked: Sequence[Review] = ()) -> tuple[Finding, ...]:
    """What breaks the limits of the recipe's gate, or of one that lets no row break a rule where the recipe has none. selection: what `select` gives.

    Raises InputError where the recipe has a limit on what cannot be looked at.
    """
    _raise_asked(recipe, unchecked(scores, recipe))
    accepted = tuple((file.parent.name, sha) for file, sha in accepted_files(scores.workspace).items()) if ID in dict(scores.dataset.columns) else ()
    key = ("gate", recipe.model_dump_json(), accepted, *(r.id for r in marked))
    given = _Given(scores, recipe, selection, marked)
    return scores.once(key, lambda: tuple(finding for look in LOOKS for finding in look(given)))


def gated(scores: Scores, recipe: Recipe, selection: Selection, marked: Sequence[Review] = ()) -> Gated:
    """What the gate says of a selection. Raises InputError as `check` does."""
    return Gated(check(scores, recipe, selection, marked), unchecked(scores, recipe), recipe.gate)
