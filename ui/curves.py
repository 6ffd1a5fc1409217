"""Pictures of a run of probes: metric against compute, arms beside their controls, curves over training, the worth of slices. A title says the finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

__all__ = ["beside_controls", "on_the_way", "over_compute", "utilities"]

RANDOM = "drawn at random"
COLOURS = {"better": KEPT, "worse": HAND, "no difference seen": DROPPED, SAME: DROPPED}
UNITS = {"accuracy": "accuracy", "loss": "loss, nats"}
DASHES = ("solid", "dash", "dot")


def _colours(held: Measured) -> Mapping[str, str]:
    others = [c for c in CATEGORIES if c != HAND]
    return {arm.name: others[i % len(others)] for i, arm in enumerate(a for a in held.run.plan.arms if not is_subset(a))}


def _on(domain: str) -> str:
    return f" on {escape(domain[:40])}" if domain else ""


def _best(table: pl.DataFrame, metric: Metric) -> Mapping[str, Any]:
    return table.sort("value", descending=metric == "accuracy").row(0, named=True)


def over_compute(held: Measured, metric: Metric, domain: str, compute: str) -> None:
    """Each arm's metric against what it took, with intervals; the control in grey."""
    table = levels(held, metric, domain).filter(~pl.col("arm").is_in(list(subset_names(held.run))))
    keys = ["arm", "control", "size", "amount"]
    took = trained(held.run).group_by(keys).agg(pl.col("seconds").mean())
    table = table.join(took, on=keys, how="left").with_columns(pl.when("control").then(pl.lit(RANDOM)).otherwise("arm").alias("line"))
    controls = table.filter("control").unique(["size", "amount"], keep="first", maintain_order=True)
    table = pl.concat([controls, table.filter(~pl.col("control"))])
    x = {"rows seen": "seen", "rows drawn": "rows"}.get(compute, "seconds")
    if table[x].n_unique() == 1:
        st.caption(f"All trainings have as many {compute}, {count(table[x][0])}: give several sizes to draw the metric against them.")
        return
    dashes = {amount: DASHES[i % 3] for i, amount in enumerate(table["amount"].unique(maintain_order=True))} if _by_epochs(table) else {}
    colours = {RANDOM: DROPPED, **_colours(held)}
    traces = []
    for (line, amount), part in table.sort(x).group_by(["line", "amount"], maintain_order=True):
        name = f"{line}, {amount}" if dashes else str(line)
        hover = [f"{count(s, 'rows')}: {amount_of(v, metric)} ({_ends(lo, hi, metric)})" for s, v, lo, hi in _four(part)]
        bars = {"array": part["high"] - part["value"], "arrayminus": part["value"] - part["low"], "symmetric": False, "thickness": 1.2, "width": 3}
        look = {"color": colours[str(line)], "width": 2, "dash": "dot" if line == RANDOM else dashes.get(str(amount), "solid")}
        more = {"customdata": hover, "hovertemplate": f"{_literal(name)}, %{{customdata}}<extra></extra>", "marker": {"size": 8}}
        traces.append(
            {"type": "scatter", "mode": "lines+markers", "x": part[x], "y": part["value"], "error_y": bars, "name": escape(name), "line": look, **more}
        )
    best = _best(table, metric)
    whose = escape(str(best["line"]))
    random = controls.filter((pl.col("size") == best["size"]) & (pl.col("amount") == best["amount"]))["value"]
    beside = f", random {amount_of(random[0], metric)}" if len(random) and best["line"] != RANDOM else ""
    title = f"Best{_on(domain)}: {whose} with {count(best['rows'], 'rows')}, {amount_of(best['value'], metric)}{beside}"
    rows = (1 + len(traces) // 4) * 22
    ticks = {"tickvals": sorted({*table[x]})} if x != "seconds" and table[x].n_unique() <= 8 else {"nticks": 6}
    axes = {
        "xaxis": {"title": f"{compute}{'' if x == 'rows' else ' in training'}", "type": "log", "tickformat": ".3~s", **ticks},
        "yaxis": {"title": UNITS[metric], **_ticks(metric)},
    }
    show(go.Figure({"data": traces, "layout": style(title, 380 + rows, **axes, **_legend_below())}), "evidence-compute-plot")


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
    names = [_label(one, several) for one in rows]
    colours = [COLOURS[one["verdict"]] for one in rows]
    value = [sign * scale * one["delta"] for one in rows]
    ends = [sorted((sign * scale * one["low"], sign * scale * one["high"])) for one in rows]
    traces = [_interval(v, end, name, colour, one) for v, end, name, colour, one in zip(value, ends, names, colours, rows, strict=True)]
    counted = {word: sum(one["verdict"] == word for one in rows) for word in ("better", "worse", "no difference seen")}
    title = f"At their most rows{_on(domain)}: {', '.join(f'{n} {word}' for word, n in counted.items() if n) or 'nothing to compare'}"
    unit = "points of accuracy" if metric == "accuracy" else "nats of loss saved"
    zero = [{"type": "line", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "yref": "paper", "line": {"color": DROPPED, "width": 1, "dash": "dot"}}]
    axes = {"xaxis": {"title": f"{unit}, right is better", "zeroline": False}, "yaxis": {"type": "category", "automargin": True}, "shapes": zero}
    show(go.Figure({"data": traces, "layout": style(title, 130 + 26 * len(rows), showlegend=False, **axes)}), "evidence-control-plot")


def _largest(table: pl.DataFrame, arm: str) -> list[int]:
    return [int(table.filter(table["arm"] == arm)["size"].max() or 0)]  # type: ignore[arg-type]


def _literal(name: str) -> str:
    """A name inside a hover template, where %{…} would be filled in."""
    return escape(name).replace("%", "&#37;")


def _label(one: Mapping[str, Any], several: bool) -> str:
    against = "random" if one["against"] == "control" else f"all of {one['other']}" if one["against"] == WHOLE else one["other"]
    return escape(f"{str(one['arm'])[:36]} / {str(against)[:30]}{', ' + one['amount'] if several else ''}")


def _interval(value: float, ends: Sequence[float], name: str, colour: str, one: Mapping[str, Any]) -> dict[str, Any]:
    bars = {"array": [ends[1] - value], "arrayminus": [value - ends[0]], "symmetric": False, "thickness": 2, "width": 0}
    hover = f"{name}: {escape(difference(one))}<extra></extra>"
    return {"type": "scatter", "mode": "markers", "x": [value], "y": [name], "error_x": bars, "marker": {"color": colour, "size": 9}, "hovertemplate": hover}


def on_the_way(held: Measured, metric: Metric, domain: str) -> None:
    """The metric over training, each arm at its most rows, the mean over seeds."""
    every = curves(held.run)
    mine = every.filter((pl.col("domain") == domain) & ~pl.col("arm").is_in(list(subset_names(held.run)))).drop_nulls(metric)
    if mine.is_empty():
        return
    first = mine["amount"][0]
    mine = mine.filter((pl.col("amount") == first) & (pl.col("size") == pl.col("size").max().over("arm")))
    mean = mine.group_by("arm", "control", "seen", maintain_order=True).agg(
        pl.col(metric).mean(), pl.col(metric).min().alias("low"), pl.col(metric).max().alias("high")
    )
    control = mean.filter("control")
    control = control.filter(pl.col("arm") == control["arm"][-1]) if len(control) else control
    colours, traces = _colours(held), []
    for name, part in [(RANDOM, control), *((str(arm), p) for (arm,), p in mean.filter(~pl.col("control")).group_by(["arm"], maintain_order=True))]:
        if len(part):
            part = part.sort("seen")
            look = {"color": colours.get(name, DROPPED), "width": 2, "dash": "dot" if name == RANDOM else "solid"}
            told = [
                f"{amount_of(v, metric)} (seeds {amount_of(lo, metric)} to {amount_of(hi, metric)})"
                for v, lo, hi in part.select(metric, "low", "high").iter_rows()
            ]
            hover = {"customdata": told, "hovertemplate": f"{_literal(name)}, %{{x:,}} rows seen: %{{customdata}}<extra></extra>"}
            traces.append({"type": "scatter", "mode": "lines", "x": part["seen"], "y": part[metric], "name": escape(name), "line": look, **hover})
    last = mean.filter(~pl.col("control")).sort("seen").group_by("arm").last()
    best = last.sort(metric, descending=metric == "accuracy").row(0, named=True)
    word = "highest accuracy" if metric == "accuracy" else "lowest loss"
    title = f"The {word}{_on(domain)} at the end is that of {escape(str(best['arm'])[:50])}: {amount_of(best[metric], metric)}"
    axes = {
        "xaxis": {"title": f"rows seen ({first}), mean over seeds", "tickformat": "~s", "rangemode": "tozero"},
        "yaxis": {"title": UNITS[metric], **_ticks(metric)},
    }
    show(go.Figure({"data": traces, "layout": style(title, 380 + 22 * (1 + len(traces) // 5), **axes, **_legend_below())}), "evidence-way-plot")


def utilities(held: Measured, metric: Metric, domain: str) -> None:
    """What each slice is worth by the linear datamodel, with intervals."""
    if not has_subsets(held.run):
        return
    try:
        model = datamodel(held, metric, domain)
    except InputError:
        return
    sign, scale, unit = (1, 100, "points of accuracy") if metric == "accuracy" else (-1, 1, "nats of loss saved")
    table = model.table.filter(pl.col("utility").is_not_null() & pl.col("utility").is_not_nan())[::-1]
    traces = []
    for one in table.iter_rows(named=True):
        value = sign * scale * one["utility"]
        low, high = sorted((sign * scale * one["low"], sign * scale * one["high"]))
        colour = KEPT if low > 0 else HAND if high < 0 else DROPPED
        bars = {"array": [high - value], "arrayminus": [value - low], "symmetric": False, "thickness": 2, "width": 0}
        hover = f"{_literal(one['slice'])}, {count(one['rows'], 'rows')}: {value:+.3g} ({low:+.3g} to {high:+.3g})<extra></extra>"
        name = escape(one["slice"][:50])
        traces.append(
            {"type": "scatter", "mode": "markers", "x": [value], "y": [name], "error_x": bars, "marker": {"color": colour, "size": 9}, "hovertemplate": hover}
        )
    best = model.table.row(0, named=True)
    title = f"Worth most{_on(domain)} by the datamodel: {escape(best['slice'][:50])}; correlation on unseen subsets {model.fitted.correlation:.2f}"
    zero = [{"type": "line", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "yref": "paper", "line": {"color": DROPPED, "width": 1, "dash": "dot"}}]
    axes = {
        "xaxis": {"title": f"{unit} if only this slice were seen, beside the mean mixture"},
        "yaxis": {"type": "category", "automargin": True},
        "shapes": zero,
    }
    show(go.Figure({"data": traces, "layout": style(title, 130 + 26 * len(traces), showlegend=False, **axes)}), "evidence-slices-plot")
