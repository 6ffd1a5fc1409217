"""Pictures of a run of probes: metric against compute, arms beside their controls, curves over training, the worth of slices. A title says the finding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go
import polars as pl
import streamlit as st

from curate.errors import InputError
from curate.probes.compare import SAME, TOO_FEW, WHOLE, Measured, Metric, comparisons, is_subset, levels, subset_names
from curate.probes.datamodel import datamodel, has_subsets
from curate.probes.results import curves, trained
from curate.probes.verdict import amount_of, difference
from ui.charts import CATEGORIES, DROPPED, HAND, KEPT, escape, show, style
from ui.escape import plain
from ui.widgets import count

__all__ = ["beside_controls", "on_the_way", "over_compute", "told_apart", "utilities"]

RANDOM = "drawn at random"
NAMED = 36  # characters of a name beside a picture
WIDE = 64  # characters of a title's line, on a narrow screen too
COLOURS = {"better": KEPT, "worse": HAND, "no difference seen": DROPPED, SAME: DROPPED}
UNITS = {"accuracy": "accuracy", "loss": "loss, nats"}
DASHES = ("solid", "dash", "dot")


def told_apart(names: Iterable[str], most: int = NAMED) -> Mapping[str, str]:
    """Names as they are shown: cut to about `most` characters in the middle, or to where they differ, so that no two read alike."""
    cut = {name: name if len(name) <= most else f"{name[: most - most // 2 - 1]}…{name[-(most // 2) :]}" for name in dict.fromkeys(names)}
    found: dict[str, str] = {}
    for name, shown in cut.items():
        alike = [other for other, as_shown in cut.items() if as_shown == shown]
        if len(alike) > 1:
            start = max(0, next(i for i, letters in enumerate(zip_longest(*alike)) if len({*letters}) > 1) - 8)
            shown = f"{'…' if start else ''}{name[start : start + most]}{'…' if len(name) > start + most else ''}"
        number = 1
        while (told := shown if number == 1 else f"{shown} ({number})") in found.values():
            number += 1
        found[name] = told
    return found


def _arms(held: Measured) -> dict[str | None, str]:
    return dict[str | None, str]([(None, RANDOM), *told_apart(arm.name for arm in held.run.plan.arms).items()])


def _titled(title: str, height: int, **more: Any) -> dict[str, Any]:
    """The house's layout with a title of as many lines as it needs."""
    lines = wrap(title, WIDE) or [""]
    found = style("<br>".join(map(escape, lines)), height + 20 * (len(lines) - 1), **more)
    found["margin"] = {**found["margin"], "t": 44 + 20 * (len(lines) - 1)}
    return found


def _colours(held: Measured) -> Mapping[str | None, str]:
    others = [c for c in CATEGORIES if c != HAND]
    return {None: DROPPED, **{arm.name: others[i % len(others)] for i, arm in enumerate(a for a in held.run.plan.arms if not is_subset(a))}}


def _on(domain: str) -> str:
    return f" on {domain[:40]}" if domain else ""


def _best(table: pl.DataFrame, metric: Metric) -> Mapping[str, Any]:
    return table.sort("value", descending=metric == "accuracy").row(0, named=True)


def over_compute(held: Measured, metric: Metric, domain: str, compute: str) -> None:
    """Each arm's metric against what it took, with intervals; the control in grey."""
    table = levels(held, metric, domain).filter(~pl.col("arm").is_in(list(subset_names(held.run))))
    keys = ["arm", "control", "size", "amount"]
    took = trained(held.run).group_by(keys).agg(pl.col("seconds").mean())
    table = table.join(took, on=keys, how="left").with_columns(pl.when(~pl.col("control")).then("arm").alias("line"))
    controls = table.filter("control").unique(["size", "amount"], keep="first", maintain_order=True)
    table = pl.concat([controls, table.filter(~pl.col("control"))])
    x = {"rows seen": "seen", "rows drawn": "rows"}.get(compute, "seconds")
    if table[x].n_unique() == 1:
        st.caption(f"All trainings have as many {compute}, {count(table[x][0])}: give several sizes to draw the metric against them.")
        return
    dashes = {amount: DASHES[i % 3] for i, amount in enumerate(table["amount"].unique(maintain_order=True))} if _by_epochs(table) else {}
    colours, shown = _colours(held), _arms(held)
    traces = []
    for (line, amount), part in table.sort(x).group_by(["line", "amount"], maintain_order=True):
        whole, name = (f"{one}, {amount}" if dashes else str(one) for one in (RANDOM if line is None else line, shown[line]))
        hover = [f"{count(s, 'rows')}: {amount_of(v, metric)} ({_ends(lo, hi, metric)})" for s, v, lo, hi in _four(part)]
        bars = {"array": part["high"] - part["value"], "arrayminus": part["value"] - part["low"], "symmetric": False, "thickness": 1.2, "width": 3}
        look = {"color": colours[line], "width": 2, "dash": "dot" if line is None else dashes.get(str(amount), "solid")}
        more = {"customdata": hover, "hovertemplate": f"{_literal(whole)}, %{{customdata}}<extra></extra>", "marker": {"size": 8}}
        traces.append(
            {"type": "scatter", "mode": "lines+markers", "x": part[x], "y": part["value"], "error_y": bars, "name": escape(name), "line": look, **more}
        )
    best = _best(table, metric)
    random = controls.filter((pl.col("size") == best["size"]) & (pl.col("amount") == best["amount"]))["value"]
    beside = f", random {amount_of(random[0], metric)}" if len(random) and best["line"] is not None else ""
    title = f"Best{_on(domain)}: {shown[best['line']]} with {count(best['rows'], 'rows')}, {amount_of(best['value'], metric)}{beside}"
    rows = (1 + len(traces) // 4) * 22
    ticks = {"tickvals": sorted({*table[x]})} if x != "seconds" and table[x].n_unique() <= 8 else {"nticks": 6}
    axes = {
        "xaxis": {"title": f"{compute}{'' if x == 'rows' else ' in training'}", "type": "log", "tickformat": ".3~s", **ticks},
        "yaxis": {"title": UNITS[metric], **_ticks(metric)},
    }
    show(go.Figure({"data": traces, "layout": _titled(title, 380 + rows, **axes, **_legend_below())}), "evidence-compute-plot")


def _ends(low: float | None, high: float | None, metric: Metric) -> str:
    return "too few rows for an interval" if low is None or high is None else f"{amount_of(low, metric)} to {amount_of(high, metric)}"


def _four(part: pl.DataFrame) -> Sequence[tuple[int, float, float | None, float | None]]:
    return list(part.select("rows", "value", "low", "high").iter_rows())


def _by_epochs(table: pl.DataFrame) -> bool:
    return table["amount"].n_unique() > 1


def _ticks(metric: Metric) -> dict[str, Any]:
    return {"tickformat": ".1%"} if metric == "accuracy" else {"tickformat": ".3~f"}


def _legend_below() -> dict[str, Any]:
    return {"legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": -0.22, "yanchor": "top"}, "margin": {"l": 0, "r": 8, "t": 44, "b": 40}}


def beside_controls(held: Measured, metric: Metric, domain: str) -> None:
    """The difference of each arm to its control and to the base, with intervals; right is better."""
    table = comparisons(held, metric, [domain]).filter(pl.col("verdict") != SAME)
    if (table["verdict"] == TOO_FEW).any():
        st.caption(plain(f"Too few validation rows{f' on {domain[:40]}' if domain else ''} to tell arms from their controls."))
        return
    if table.is_empty():
        return
    sign, scale = (1, 100) if metric == "accuracy" else (-1, 1)
    several = table["amount"].n_unique() > 1
    rows = [one for one in table.iter_rows(named=True) if one["size"] in _largest(table, one["arm"])]
    rows = rows[:40][::-1]
    shown = _arms(held)
    names = [_label(one, several, shown) for one in rows]
    colours = [COLOURS[one["verdict"]] for one in rows]
    value = [sign * scale * one["delta"] for one in rows]
    ends = [sorted((sign * scale * one["low"], sign * scale * one["high"])) for one in rows]
    traces = [_interval(v, end, at, colour, one) for at, (v, end, colour, one) in enumerate(zip(value, ends, colours, rows, strict=True))]
    counted = {word: sum(one["verdict"] == word for one in rows) for word in ("better", "worse", "no difference seen")}
    title = f"At their most rows{_on(domain)}: {', '.join(f'{n} {word}' for word, n in counted.items() if n) or 'nothing to compare'}"
    unit = "points of accuracy" if metric == "accuracy" else "nats of loss saved"
    zero = [{"type": "line", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "yref": "paper", "line": {"color": DROPPED, "width": 1, "dash": "dot"}}]
    axes = {"xaxis": {"title": f"{unit}, right is better", "zeroline": False}, "yaxis": _lines(names), "shapes": zero}
    show(go.Figure({"data": traces, "layout": _titled(title, 130 + 26 * len(rows), showlegend=False, **axes)}), "evidence-control-plot")


def _largest(table: pl.DataFrame, arm: str) -> list[int]:
    return [int(table.filter(table["arm"] == arm)["size"].max() or 0)]  # type: ignore[arg-type]


def _literal(name: str) -> str:
    """A name inside a hover template, where %{…} would be filled in."""
    return escape(name).replace("%", "&#37;")


def _lines(names: Sequence[str]) -> dict[str, Any]:
    """An axis of one line a name, the first at the bottom; lines are told by their place, so that names that read alike keep their own."""
    return {"tickvals": list(range(len(names))), "ticktext": names, "range": [-0.7, len(names) - 0.3], "automargin": True, "zeroline": False}


def _label(one: Mapping[str, Any], several: bool, shown: Mapping[str | None, str]) -> str:
    """An arm and what it is beside; `shown`: names as they are shown."""
    other = shown.get(str(one["other"]), str(one["other"]))
    against = "random" if one["against"] == "control" else f"all of {other}" if one["against"] == WHOLE else other
    return escape(f"{shown[str(one['arm'])]} / {against}{', ' + one['amount'] if several else ''}")


def _interval(value: float, ends: Sequence[float], place: int, colour: str, one: Mapping[str, Any]) -> dict[str, Any]:
    bars = {"array": [ends[1] - value], "arrayminus": [value - ends[0]], "symmetric": False, "thickness": 2, "width": 0}
    against = "random" if one["against"] == "control" else str(one["other"])
    hover = f"{_literal(str(one['arm']))} / {_literal(against)}: {escape(difference(one))}<extra></extra>"
    return {"type": "scatter", "mode": "markers", "x": [value], "y": [place], "error_x": bars, "marker": {"color": colour, "size": 9}, "hovertemplate": hover}


def on_the_way(held: Measured, metric: Metric, domain: str) -> None:
    """The metric over training, each arm at its most rows, the mean over seeds."""
    every = curves(held.run)
    mine = every.filter((pl.col("domain") == domain) & ~pl.col("arm").is_in(list(subset_names(held.run)))).drop_nulls(metric)
    if mine.is_empty():
        return
    first = mine["amount"][0]
    if mine.group_by("arm", "control", "size", "amount", "seed").len()["len"].max() == 1:  # looked at once, at the end: there is no way to draw
        return
    mine = mine.filter((pl.col("amount") == first) & (pl.col("size") == pl.col("size").max().over("arm")))
    mean = mine.group_by("arm", "control", "seen", maintain_order=True).agg(
        pl.col(metric).mean(), pl.col(metric).min().alias("low"), pl.col(metric).max().alias("high")
    )
    control = mean.filter("control")
    control = control.filter(pl.col("arm") == control["arm"][-1]) if len(control) else control
    colours, shown, traces = _colours(held), _arms(held), []
    for name, part in [(None, control), *((str(arm), p) for (arm,), p in mean.filter(~pl.col("control")).group_by(["arm"], maintain_order=True))]:
        if len(part):
            part = part.sort("seen")
            look = {"color": colours.get(name, DROPPED), "width": 2, "dash": "solid" if name else "dot"}
            told = [
                f"{amount_of(v, metric)} (seeds {amount_of(lo, metric)} to {amount_of(hi, metric)})"
                for v, lo, hi in part.select(metric, "low", "high").iter_rows()
            ]
            hover = {"customdata": told, "hovertemplate": f"{_literal(name or RANDOM)}, %{{x:,}} rows seen: %{{customdata}}<extra></extra>"}
            traces.append({"type": "scatter", "mode": "lines", "x": part["seen"], "y": part[metric], "name": escape(shown[name]), "line": look, **hover})
    last = mean.filter(~pl.col("control")).sort("seen").group_by("arm").last()
    best = last.sort(metric, descending=metric == "accuracy").row(0, named=True)
    word = "highest accuracy" if metric == "accuracy" else "lowest loss"
    title = f"The {word}{_on(domain)} at the end is that of {shown[str(best['arm'])]}: {amount_of(best[metric], metric)}"
    axes = {
        "xaxis": {"title": f"rows seen ({first}), mean over seeds", "tickformat": "~s", "rangemode": "tozero"},
        "yaxis": {"title": UNITS[metric], **_ticks(metric)},
    }
    show(go.Figure({"data": traces, "layout": _titled(title, 380 + 22 * (1 + len(traces) // 5), **axes, **_legend_below())}), "evidence-way-plot")


def utilities(held: Measured, metric: Metric, domain: str) -> None:
    """What each slice is worth by the linear datamodel, with intervals."""
    if not has_subsets(held.run):
        return
    try:
        model = datamodel(held, metric, domain)
    except InputError as error:
        st.caption(plain(f"What each slice is worth{_on(domain)} cannot be told: {error.what}. {error.remedy}."))
        return
    sign, scale, unit = (1, 100, "points of accuracy") if metric == "accuracy" else (-1, 1, "nats of loss saved")
    table = model.table.filter(pl.col("utility").is_not_null() & pl.col("utility").is_not_nan())[::-1]
    if table.is_empty():
        st.caption(plain(f"What each slice is worth{_on(domain)} cannot be told: in the subsets no slice can be told apart from the others."))
        return
    traces, shown = list[dict[str, Any]](), told_apart(model.table["slice"])
    for place, one in enumerate(table.iter_rows(named=True)):
        value = sign * scale * one["utility"]
        low, high = sorted((sign * scale * one["low"], sign * scale * one["high"]))
        colour = KEPT if low > 0 else HAND if high < 0 else DROPPED
        bars = {"array": [high - value], "arrayminus": [value - low], "symmetric": False, "thickness": 2, "width": 0}
        hover = f"{_literal(one['slice'])}, {count(one['rows'], 'rows')}: {value:+.3g} ({low:+.3g} to {high:+.3g})<extra></extra>"
        traces.append(
            {"type": "scatter", "mode": "markers", "x": [value], "y": [place], "error_x": bars, "marker": {"color": colour, "size": 9}, "hovertemplate": hover}
        )
    best = model.table.row(0, named=True)
    title = f"Worth most{_on(domain)} by the datamodel: {shown[best['slice']]}; correlation on unseen subsets {model.fitted.correlation:.2f}"
    zero = [{"type": "line", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "yref": "paper", "line": {"color": DROPPED, "width": 1, "dash": "dot"}}]
    axes = {
        "xaxis": {"title": f"{unit} if only this slice were seen, beside the mean mixture"},
        "yaxis": _lines([escape(shown[name]) for name in table["slice"]]),
        "shapes": zero,
    }
    show(go.Figure({"data": traces, "layout": _titled(title, 130 + 26 * len(traces), showlegend=False, **axes)}), "evidence-slices-plot")
