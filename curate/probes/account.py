"""All that is said of a run: what it found, what it rests on, what it took, for the command line and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curate.contamination import MOST
from curate.errors import InputError
from curate.probes.compare import SUBSET, Measured, comparisons, measured
from curate.probes.datamodel import Datamodel, datamodel, has_subsets
from curate.probes.learning_curve import curves_of
from curate.probes.overfitting import overfitting
from curate.probes.results import trained
from curate.probes.run import Run
from curate.probes.stopping import headline
from curate.probes.verdict import caution, finding, lost_words, sentence
from curate.workspace import read_json

__all__ = ["account", "by_lot", "leakage", "lines", "mixed", "noise_before", "slice_lines", "spent", "standing", "turned"]

LISTED = 8  # trainings that began to learn by heart, told one by one
WORST = 3  # domains of each
SUSPECT = 0.01
"""Share of suspected labels from which on it is said."""


def standing(run: Run) -> tuple[int, int]:
    """Trainings that are done, and all that the plan asks for; equal ones count once."""
    every = {*run.keys.values()}
    return sum((run.folder / "cells" / key / "cell.json").exists() for key in every), len(every)


def spent(run: Run) -> Mapping[str, Any]:
    """What the trainings took: seconds, cpu_seconds, tokens; cost, None without a price an hour; hardware: each different machine with its versions."""
    notes = [read_json(path) for key in {*run.keys.values()} if (path := run.folder / "cells" / key / "cell.json").exists()]
    machines: list[Mapping[str, Any]] = []
    for note in notes:
        if note["hardware"] not in machines:
            machines.append(note["hardware"])
    seconds = float(sum(note["seconds"] for note in notes))
    price = run.plan.price.hour
    found: dict[str, Any] = {"trainings": len(notes), "seconds": seconds, "cpu_seconds": float(sum(n["cpu_seconds"] for n in notes))}
    found |= {"cost": seconds / 3600 * price if price else None, "currency": run.plan.price.currency, "hardware": machines}
    return {**found, "trainer": notes[0]["trainer"] if notes else {}}


def leakage(run: Run) -> str:
    """What was done so that the validation rows tell the truth, in words."""
    held = run.about["validation"]
    whose = "held out of the rows" if held["own"] else f"of {held['name']}"
    bare = f", {held['bare']:,} for they lack what the probe needs" if held.get("bare") else ""
    kinds = {"exact": "its words", "near": "nearly its words", "semantic": "nearly its meaning"}
    leaked = ", ".join(f"{held[kind]:,} with {what}" for kind, what in kinds.items() if held.get(kind)) or "none is like one"
    leaked += f" ({held['edited']:,} of them only as people edited them)" if held.get("edited") else ""
    cut, unread = held.get("cut", 0), held.get("unread", 0)
    more = f" The search was cut short for {cut:,} row{'s' * (cut > 1)}: compared with {MOST} of the validation rows that share words with them." if cut else ""
    as_edited = "edited rows was not compared as they were edited" if unread > 1 else "edited row was not compared as it was edited"
    more += f" The meaning of {unread:,} {as_edited}." if unread else ""
    untaught = held.get("untaught", 0)
    more += f" {untaught:,} validation row{'s have' if untaught > 1 else ' has'} a label that no row is trained with." if untaught else ""
    passed = f"none with the words of another ({held.get('twins', 0):,} passed over{bare})"
    return f"Measured by {held['rows']:,} rows {whose}, {passed}. Rows not trained on for they are like one of them: {leaked}.{more}"


def by_lot(run: Run) -> Sequence[str]:
    """Of each arm between quantiles in which rows of one value stand on both sides of a bound, a sentence that says so."""
    drawn = {name: one["lots"] for name, one in run.about["arms"].items() if one.get("lots")}
    return [f"{name}: {many:,} of its rows have a value that rows outside have too, so which of them are inside is by lot" for name, many in drawn.items()]


def mixed(hardware: Sequence[Mapping[str, Any]]) -> str:
    """A warning that trainings which are compared ran on different devices, "" where they did not. hardware: that of `spent`."""
    devices = list(dict.fromkeys(str(one.get("device")) for one in hardware))
    if len(devices) < 2:
        return ""
    return f"Trainings ran on different devices ({', '.join(devices)}), which round differently: a small difference may be theirs"


def turned(found: Sequence[Mapping[str, Any]], most: int | None = None) -> Sequence[str]:
    """Warnings that probes began to learn by heart, a line for each training with its worst domains; arms before controls, those that rose most first.

    found: rows of `curate.probes.overfitting`. most: lines; how many more there are is said in another.
    """
    by: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for one in found:
        by.setdefault((one["arm"], one["control"], one["size"], one["amount"]), []).append(one)
    groups = sorted(by.values(), key=lambda mine: (mine[0]["control"] or mine[0]["arm"].startswith(SUBSET), -max(one["rise"] for one in mine)))
    said = [_turned(mine) for mine in groups[:most]]
    left = len(groups) - len(said)
    return [*said, *([f"and {left:,} training{'s' * (left > 1)} more: all stand on the page Probes and under `overfitting` of --json"] if left else [])]


def _turned(mine: Sequence[Mapping[str, Any]]) -> str:
    """One training's line."""
    one = next((one for one in mine if not one["domain"]), None)
    domains = sorted((o for o in mine if o["domain"]), key=lambda o: -o["rise"])
    places = ", ".join(f"{o['domain']} {o['rise']:.4f}" for o in domains[:WORST]) + (f" and {len(domains) - WORST} more" if len(domains) > WORST else "")
    head = f"{mine[0]['arm']}{' (random control)' if mine[0]['control'] else ''}, {mine[0]['size']:,} rows, {mine[0]['amount']}: validation loss rises"
    if one is None:
        return f"{head} on {places}"
    return f"{head} since {one['since']:,} rows seen by {one['rise']:.4f} ({one['low']:.4f} to {one['high']:.4f}){f'; most on {places}' if places else ''}"


def _finding(run: Run, main: Any, lost: int, ended: bool) -> str:
    """The finding; where nothing is compared, what the curve says, or that there is nothing to compare."""
    said = finding(main, [arm.name for arm in run.plan.arms], lost)
    if len(main):
        return said
    if len(run.plan.sizes) > 1 and (told := headline(curves_of(run))):
        return told
    return "One arm was trained, so there is nothing to compare" if ended else said


def noise_before(run: Run) -> str:
    """That labels are suspected to be wrong before any noise was put into them, "" where that was not looked for, or few are."""
    share = run.about.get("suspected")
    if not share or share < SUSPECT:
        return ""
    more = "noise was put on top of it, so what it costs is told of rows that are noisy already"
    return f"At least {share:.1%} of the labels are suspected to be wrong as they were given (confident learning, which counts too few): {more}."


def account(run: Run) -> Mapping[str, Any]:
    """The whole account: run, experiment, trainings, done, lost (done, but without a number), finding, comparisons, slices (None without a datamodel),
    refused (why there is none though the plan has subsets of slices, else ""), suspected, overfitting, validation, lots, spent, results.
    """
    found = measured(run)
    table = comparisons(found, domains=found.domains if len(found.domains) <= 20 else [""])
    done, every = standing(run)
    main = table.filter(table["domain"] == "")
    (model, refused), took = _model(found), spent(run)
    return {
        "run": str(run.folder),
        "experiment": run.plan.experiment,
        "about": run.plan.about,
        "trainings": every,
        "done": done,
        "lost": found.lost,
        "finding": _finding(run, main, found.lost, done == every > 0),
        "caution": caution(main),
        "comparisons": [{**one, "said": sentence(one)} for one in table.iter_rows(named=True)],
        "slices": None if model is None else _sliced(model),
        "refused": refused,
        "suspected": noise_before(run),
        "overfitting": overfitting(run).to_dicts(),
        "validation": leakage(run),
        "lots": by_lot(run),
        "spent": took,
        "mixed": mixed(took["hardware"]),
        "results": trained(run).to_dicts(),
    }


def _model(found: Measured) -> tuple[Datamodel | None, str]:
    """The worth of slices; or None, and why it cannot be told."""
    if not has_subsets(found.run):
        return None, ""
    try:
        return datamodel(found), ""
    except InputError as error:
        return None, f"What each slice is worth cannot be told: {error.what}. {error.remedy}."


def _sliced(model: Datamodel) -> Mapping[str, Any]:
    one = model.fitted
    return {"metric": model.metric, "subsets": model.subsets, "r2": one.r2, "correlation": one.correlation, "utility": model.table.to_dicts()}


def slice_lines(slices: Mapping[str, Any]) -> Sequence[str]:
    """What each slice is worth, in words, the best first, and how much the linear model foretells."""
    points = slices["metric"] == "accuracy"
    sign, scale, unit = (1, 100, "points") if points else (-1, 1, "nats")
    found = []
    for one in slices["utility"]:
        if one["utility"] is None or one["utility"] != one["utility"]:
            found.append(f"{one['slice']}: cannot be told apart")
            continue
        gain, low, high = sign * one["utility"] * scale, *sorted((sign * one["low"] * scale, sign * one["high"] * scale))
        word = "worth more than the mean mixture" if low > 0 else "worth less than the mean mixture" if high < 0 else "no difference seen"
        digits = 1 if points else 4
        found.append(f"{one['slice']}: {word}: {gain:+.{digits}f} {unit} ({low:+.{digits}f} to {high:+.{digits}f})")
    told = f"Rank correlation of what is foretold of unseen subsets with what came: {slices['correlation']:.2f}, R² {slices['r2']:.2f}"
    warning = "" if slices["r2"] > 0.2 else " The linear model foretells little: do not trust the order."
    return [*found, f"{told}, over {slices['subsets']:,} subsets.{warning}"]


def lines(told: Mapping[str, Any]) -> Sequence[str]:
    """The account as lines of text: the verdicts in words, and what they rest on."""
    note = told["spent"]
    cost = f", {note['cost']:,.2f} {note['currency']}" if note["cost"] is not None else ""
    found = [told["about"]] if told["about"] else []
    found += [told["finding"] + ".", ""]
    found += [told["suspected"], ""] if told["suspected"] else []
    found += [one["said"] for one in told["comparisons"] if not one["domain"] and not one["again"]]
    found += ["", told["caution"]] if told["comparisons"] else []
    found += ["", *slice_lines(told["slices"])] if told["slices"] else ["", told["refused"]] if told["refused"] else []
    found += ["", *(f"Overfitting: {one}" for one in turned(told["overfitting"], LISTED))] if told["overfitting"] else []
    found += ["", f"{told['mixed']}."] if told["mixed"] else []
    found += ["", *(f"{one}." for one in told["lots"])] if told["lots"] else []
    lost = f", {lost_words(told['lost'])}" if told["lost"] else ""
    found += ["", told["validation"], f"{told['done']:,} of {told['trainings']:,} trainings{lost}, {note['seconds']:,.0f} s{cost}.", told["run"]]
    return found
