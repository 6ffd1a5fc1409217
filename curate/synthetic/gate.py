"""The synthetic gate: which generated rows pass by the limits of a recipe, and why the others do not. A pure function of what was measured.

workspace/synthetic/<batch>/   gate.parquet (`synthetic_id`, `passes`, `fail_<check>`, the values), gate.json (last): limits, counts, drift

`fail_<check>` is null where the check was not made. Of generated rows that are alike the first stays that passes everything else: nobody is refused for the
sake of a row that is refused itself. Each written anew where limits changed; gate.json names the hash of the gate.parquet that it tells of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.admission import CHECKS, Admission, CheckName
from curate.denied import denied_sources
from curate.errors import InputError
from curate.measure import Tell, measure
from curate.part import LicensePolicy
from curate.rate import percent
from curate.recipe import Recipe
from curate.refusal import unknown_words
from curate.reviews import fold, read_log
from curate.scores import Scores
from curate.synthetic.batch import Batch, alone
from curate.synthetic.checks import COPIES
from curate.synthetic.drift import Drift, drift
from curate.synthetic.fitness import QUANTILES
from curate.synthetic.measured import Measured, measure_batch
from curate.workspace import Workspace, file_sha256, read_json, write_file, write_json

if TYPE_CHECKING:
    import polars as pl

__all__ = ["BUSY", "Gated", "band", "counts", "gate", "judge", "read_gate", "reasons", "unheard"]

Bools = npt.NDArray[np.bool_]
BUSY = "is being checked or accepted"


@dataclass(frozen=True)
class Gated:
    """What the gate said of a batch. rows: gate.parquet. limits: in force then. skipped: why a check was not made. told: the rest of gate.json."""

    rows: pl.DataFrame
    admission: Admission
    skipped: Mapping[str, str]
    limits: Mapping[str, Any]
    drift: tuple[Drift, ...]
    recipe: Mapping[str, Any]


def band(measured: Measured, admission: Admission, check: str) -> tuple[float, float] | None:
    """From and to of length and perplexity, and the least of grounding: as the recipe says, else the band of the dataset's own rows; None where neither is."""
    given = getattr(admission, check)
    if given is not None:
        return (given, float("inf")) if check == "grounding" else given
    own = measured.own.get(check)
    if not own:
        return None
    low, high = (float(np.interp(q, QUANTILES, own)) for q in (admission.band, 1 - admission.band))
    return (low, float("inf")) if check == "grounding" else (low, high)


def judge(measured: Measured, admission: Admission, policy: LicensePolicy | None, barred: Collection[str] = ()) -> pl.DataFrame:
    """`synthetic_id`, `passes`, and `fail_<check>` of each check (Boolean; null where it was not made) with what was measured.

    barred: ids of rows from which none may be made (`curate.denied.denied_sources`).
    A null value, where a check does not apply to a row, passes. A licence that the policy would have reviewed passes, as it does in the funnel.
    """
    import polars as pl

    values = measured.values
    asked = [c for c in CHECKS if c in values.columns and c not in admission.off]
    judged = {c: _fails(c, values[c], measured, admission, policy) for c in asked}
    fails = {c: f for c, f in judged.items() if f is not None}
    if "license" in fails:
        values = values.with_columns(license_said=pl.col("license_parents").list.filter(pl.element().is_in([*barred])).list.first())
        fails["license"] = fails["license"] | values["license_said"].is_not_null().to_numpy()
    own = [f for name, f in fails.items() if name not in COPIES]
    clean = ~np.logical_or.reduce([np.zeros(len(values), np.bool_), *own])
    twins = _twins(measured.pairs, fails, clean, admission)
    found = values.with_columns(pl.Series(f"fail_{c}", fails[c] if c in fails else [None] * len(values), pl.Boolean) for c in CHECKS)
    found = found.with_columns(pl.Series(f"{check}_twin", names, pl.String) for check, names in _named(twins, values["synthetic_id"]).items())
    bad = [pl.col(f"fail_{check}").fill_null(False) for check in CHECKS]
    return found.select("synthetic_id", (~pl.any_horizontal(bad)).alias("passes"), pl.exclude("synthetic_id"))


def _fails(check: CheckName, values: pl.Series, measured: Measured, admission: Admission, policy: LicensePolicy | None) -> Bools | None:
    """Which rows fail one check by their own value; None where nothing says from when on."""
    import polars as pl

    if check == "license":
        return None if policy is None else np.array([_denied(spdx, policy) for spdx in values.to_list()], np.bool_)
    if check in ("length", "perplexity", "grounding"):
        span = band(measured, admission, check)
        return None if span is None else _bools((values < span[0]) | (values > span[1]))
    if check in ("near", "semantic", "rouge", "contamination"):
        return _bools(values >= getattr(admission, check))
    return _bools(values < admission.label) if check == "label" else _bools(values.cast(pl.Float64) > 0)


def _denied(spdx: str | None, policy: LicensePolicy) -> bool:
    from curate.policy import verdict

    return verdict(spdx, policy) == "deny"


def _bools(values: pl.Series) -> Bools:
    return np.array(values.fill_null(False).to_numpy(), np.bool_)


def _twins(pairs: pl.DataFrame, fails: Mapping[CheckName, Bools], clean: Bools, admission: Admission) -> dict[str, dict[int, int]]:
    """Rows that give way to an earlier one that stays, into `fails`; by check which. clean: rows that fail no other check."""
    import polars as pl

    stays, found = clean.copy(), dict[str, dict[int, int]]()
    limits = {c: getattr(admission, c, 1.0) for c in COPIES if c in fails}
    for check in limits:
        stays &= ~fails[check]
    for check, a, b, similarity in pairs.filter(pl.col("check").is_in([*limits])).sort("b", "a").iter_rows():
        if stays[a] and similarity >= limits[check] and b not in found.get(check, {}):
            found.setdefault(check, {})[b] = a
            fails[check][b] = True
            stays[b] = False
    return found


def _named(twins: Mapping[str, Mapping[int, int]], ids: pl.Series) -> dict[str, list[str | None]]:
    return {check: [ids[of[i]] if i in of else None for i in range(len(ids))] for check, of in twins.items()}


def counts(rows: pl.DataFrame) -> dict[str, int]:
    """Rows that fail each check that was made; a row may fail several."""
    return {c: int(rows[f"fail_{c}"].sum()) for c in CHECKS if not rows[f"fail_{c}"].is_null().all()}


def gate(scores: Scores, recipe: Recipe, batch: Batch, tell: Tell | None = None) -> Gated:
    """Measure a batch where that is not done, judge it by the recipe, and keep the outcome.

    Raises InputError where rows of the batch were accepted already, or another process works on it.
    """
    with alone(batch.folder, batch.name, BUSY):
        return _gate(scores, recipe, batch, tell)


def _gate(scores: Scores, recipe: Recipe, batch: Batch, tell: Tell | None) -> Gated:
    if (batch.folder / "accepted.json").exists():
        raise InputError(batch.name, "rows of this batch were accepted already, so what was checked stays as it is", "Grow another batch")
    admission = recipe.synthetic or Admission()
    measured = measure_batch(scores, recipe, batch, tell)
    rows = judge(measured, admission, recipe.licenses, _barred(scores, recipe, tell))
    if tell:
        tell("drift", 0, 1, "comparisons")
    moved = drift(scores, recipe, batch, measured, rows["passes"].to_numpy())
    write_file(batch.folder / "gate.parquet", rows.write_parquet)
    told = {
        "passes": int(rows["passes"].sum()),
        "rows": len(rows),
        "fails": counts(rows),
        "skipped": dict(measured.skipped) | _unjudged(measured, recipe),
        "limits": {c: _finite(band(measured, admission, c)) for c in ("length", "perplexity", "grounding") if c in rows.columns},
        "synthetic": _noted(admission, scores.workspace.within),
        "licenses": None if recipe.licenses is None else recipe.licenses.model_dump(mode="json"),
        "dataset": scores.dataset.key,
        "drift": [d.as_json() for d in moved],
        "measured": measured.folder.name,
        "sha256": file_sha256(batch.folder / "gate.parquet"),
    }
    write_json(batch.folder / "gate.json", told)
    found = read_gate(batch)
    assert found is not None
    return found


def _barred(scores: Scores, recipe: Recipe, tell: Tell | None) -> frozenset[str]:
    """Rows from which none may be made, by the recipe's policy and its Links; what those rest on is measured where it is not."""
    if recipe.licenses is None:
        return frozenset()
    wanted = [t for t in scores.tasks if (t.signal.links or t.signal.name == "license") and not t.skip]
    measure(scores.dataset, wanted, scores.workspace, "inline", tell)
    log = recipe.reviews
    return denied_sources(Scores(scores.dataset, scores.workspace, scores.tasks), recipe, fold(read_log(Path(log.path), log.lines)).marked if log else ())


def _unjudged(measured: Measured, recipe: Recipe) -> dict[str, str]:
    """Checks that were measured and of which nothing says from when on a row fails."""
    admission, why = recipe.synthetic or Admission(), {"license": "the recipe has no policy on licences"} if recipe.licenses is None else {}
    why |= {
        c: "no limit is given, and the dataset has no values of its own" for c in ("length", "perplexity", "grounding") if band(measured, admission, c) is None
    }
    return {c: said for c, said in why.items() if c in measured.values.columns and c not in admission.off}


def _finite(span: tuple[float, float] | None) -> list[float | None] | None:
    return None if span is None else [v if np.isfinite(v) else None for v in span]


def _noted(admission: Admission, place: Callable[[str], str]) -> dict[str, Any]:
    """The recipe's part with its evaluation files named by `Workspace.within`, or placed again, so that a check holds where the workspace is moved to."""
    told: dict[str, Any] = admission.model_dump(mode="json")
    return {**told, "evaluation": tuple(place(path) for path in admission.evaluation)}


def read_gate(batch: Batch) -> Gated | None:
    """What the gate said of a batch; None where it was not checked, or a kill left the two files apart. Raises InputError where gate.json cannot be read."""
    import polars as pl

    path = batch.folder / "gate.json"
    if not path.exists():
        return None
    told, read = read_json(path), (batch.folder / "gate.parquet").read_bytes()
    if told["sha256"] != sha256(read).hexdigest():
        return None
    moved = tuple(Drift.of(d) for d in told["drift"])
    place = Workspace(batch.folder.parent.parent).place
    return Gated(pl.read_parquet(read), Admission(**_noted(Admission(**told["synthetic"]), place)), told["skipped"], told["limits"], moved, told)


def unheard(gated: Gated) -> str:
    """How many rows are in a language of which no refusal or boilerplate is known, in words; "" where none is."""
    return unknown_words(gated.rows["phrases_language"].to_list()) if "phrases_language" in gated.rows.columns else ""


def reasons(row: Mapping[str, Any], gated: Gated) -> list[str]:
    """Why a row does not pass, in words, one sentence part a check. row: of gate.parquet, by column."""
    return [_words(check, row, gated) for check in CHECKS if row[f"fail_{check}"]]


def _words(check: CheckName, row: Mapping[str, Any], gated: Gated) -> str:
    value: Any = row.get(check)
    twin = row.get(f"{check}_twin")
    if check in COPIES:
        part = "" if twin or row.get(f"{check}_of") in (None, "text") else f"the {row[f'{check}_of']} of "
        other = part + (f"the generated row {twin}" if twin else f"row {row.get(f'{check}_row')}")
        kind = {"exact": "the same text as", "near": "nearly the words of", "semantic": "nearly the meaning of", "rouge": "much of the wording of"}[check]
        much = "" if check == "exact" or twin else f", {value:.2f} where {getattr(gated.admission, check):g} is the limit"
        return f"{kind} {other}{much}"
    if check in ("length", "perplexity"):
        return _outside(check, value, gated.limits[check])
    told = row.get(f"{check}_said")
    return {
        "contamination": lambda: f"holds {percent(value)} of the evaluation row {row['contamination_row']}",
        "format": lambda: str(told),
        "phrases": lambda: f"says {told!r}",
        "label": lambda: f"its label is {value:.2f} times as likely as {told!r}" if told else "no row of the dataset has its label",
        "grounding": lambda: f"{percent(value)} of its triples of words stand in the context, less than {percent(gated.limits['grounding'][0])}",
        "personal": lambda: f"holds personal data: {told}",
        "license": lambda: (
            f"made from {told}, denied by its licence, as a copy of a denied row, or as made from one"
            if told
            else f"the policy denies {value or 'a licence that is not known'}"
        ),
    }[check]()


def _outside(check: str, value: float, span: Sequence[float | None]) -> str:
    """A value outside a band, an end of which is None where it is open. Lengths are whole, so the band's least and most whole numbers are told."""
    whole = check == "length"
    low, high = (end if end is None or not whole else to(end) for end, to in zip(span, (math.ceil, math.floor), strict=True))
    unit = " (words; characters where a script has no spaces)" if whole else ""
    return f"{check} {value:,.4g}{unit}, " + (f"under {low:,.4g}" if low is not None and value < low else f"over {high:,.4g}")
