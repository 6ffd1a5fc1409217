"""The weights page: the factors, what their product does to rows, sources and labels, and what the weighted rows are worth."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import polars as pl
import streamlit as st

from curate.curriculum import code_of
from curate.deciding import supported
from curate.errors import InputError
from curate.groups import proposal
from curate.part import LinkThreshold
from curate.rate import kish
from curate.recipe import group_limit
from curate.roles import Role
from curate.training import Smoothing, Weights
from curate.weighting import Weighted, fitted, weigh
from ui import state
from ui.charts import DROPPED, HAND, KEPT, escape, layout, show
from ui.escape import plain
from ui.rows import in_hand, row_link, row_text
from ui.widgets import beside, count, empty, key_of, share

__all__ = ["controls", "factors", "facts", "picture", "rows", "switch", "wait", "weighted"]

Floats = npt.NDArray[np.float64]
SAID = {"keep": "read and kept", "label": "read and labelled", "good": "judged good", "bad": "judged bad", "unsure": "nobody could tell"}
MOST = 12  # values that get a number of trust, and bars of means


def _now() -> Weights:
    """The recipe's weights, without a score that is not there any more."""
    return supported(state.recipe()).weights or Weights()


def _change(given: dict[str, Any]) -> None:
    new = Weights.model_validate({**_now().model_dump(), **given})
    state.change(state.recipe().model_copy(update={"weights": new}))


def _put(field: str, key: str, made: Callable[[Any], Any] = lambda value: value) -> None:
    _change({field: made(st.session_state[key])})


def _switch(key: str) -> None:
    now = state.recipe()
    export = now.export.model_copy(update={"weight": "weights" if st.session_state[key] else "none"})
    state.change(now.model_copy(update={"weights": _now(), "export": export}))


def switch() -> None:
    """Whether the export has these weights."""
    on = state.recipe().export.weight == "weights"
    key = key_of("weights-on", on)
    st.toggle("Export these weights", on, key, on_change=_switch, args=(key,), help="The column weight and one column a factor")


def _select(label: str, name: str, options: list[Any], value: Any, put: Callable[[str], None], **more: Any) -> None:
    options = options if value in options else [*options, value]
    key = key_of(f"weights-{name}", value)
    st.selectbox(label, options, options.index(value), key=key, on_change=put, args=(key,), format_func=lambda n: "no" if n is None else str(n), **more)


def _number(label: str, name: str, value: float, put: Callable[[str], None], low: float = 0.0, high: float | None = None, **more: Any) -> None:
    key = key_of(f"weights-{name}", float(value))
    st.number_input(label, low, high, float(value), 0.05, key=key, on_change=put, args=(key,), **more)


def _columns() -> list[Any]:
    roles = (Role.SOURCE, Role.LABEL, Role.LICENSE, Role.SYNTHETIC)
    return [None, *(str(r) for r in roles if state.scores().dataset.has(r))]


def controls() -> None:
    """The factors, the limits, smoothing and repeats; each is a decision that undo takes back."""
    now = _now()
    key = key_of("weights-score", now.score)
    ranked = state.recipe().rank is not None
    st.toggle("Rank score", now.score, key, on_change=_put, args=("score", key), disabled=not ranked, help="The score of the recipe's rank, scaled to mean 1")
    _trust(now)
    _group(now)
    with st.popover("By what people said", width="stretch"):
        held: dict[str, float] = dict(now.reviews.items())
        for word, called in SAID.items():
            _number(called.capitalize(), f"said-{word}", held.get(word, 1.0), partial(_say, word))
    _select("Balance", "balance", _columns(), now.balance, lambda key: _put("balance", key), help="Classes count the same: 1 / frequency of the value")
    _limits(now)
    _smoothing(now)
    key = key_of("weights-repeat", now.repeat)
    st.segmented_control(
        "Weights as whole numbers",
        ["none", "column", "rows"],
        default=now.repeat,
        key=key,
        on_change=_put,
        args=("repeat", key),
        required=True,
        width="stretch",
        help="For trainers without weights: a column with how often to repeat a row, or so many rows; rounded at random by the seed, so that the mean stays",
    )
    if now.repeat != "none":
        seed = key_of("weights-seed", now.seed)
        st.number_input("Seed", 0, 1 << 31, now.seed, key=seed, on_change=_put, args=("seed", seed))


def _trust(now: Weights) -> None:
    """A number by value of one column."""
    held = next(iter(now.trust), None)
    _select("Trust by", "trust", _columns(), held, lambda key: _put("trust", key, lambda column: {column: {}} if column else {}))
    if held is None:
        return
    code, names = code_of(state.scores(), held, "weights.trust", state.decided().marked)
    by = np.argsort(-np.bincount(code, minlength=len(names)), kind="stable")[:MOST]
    with st.popover("How far each is trusted", width="stretch"):
        for name in dict.fromkeys([*now.trust[held], *(names[i] for i in by)]):
            _number(plain(name[:60]) or "empty", f"trust-{held}-{name}", now.trust[held].get(name, 1.0), partial(_believe, held, name))


def _believe(column: str, name: str, key: str) -> None:
    held = _now().trust
    _change({"trust": {**held, column: {**held.get(column, {}), name: st.session_state[key]}}})


def _say(word: str, key: str) -> None:
    every: dict[str, float] = {**dict(_now().reviews.items()), word: st.session_state[key]}
    _change({"reviews": {w: v for w, v in every.items() if v != 1.0}})


def _group(now: Weights) -> None:
    """Whose groups count as one row, and from which likeness on."""
    asked, held = now.links, {n: t.limit for n, t in state.recipe().thresholds.items() if isinstance(t, LinkThreshold)}

    def put(key: str) -> None:
        name = st.session_state[key]
        _change({"group": None if name is None else {"links": name, "limit": held.get(name) or proposal(state.scores().measured[name])[0]}})

    _select("One for each group of", "group", [None, *state.scores().links], asked.links if asked else None, put, help="1 / kept rows of the group")
    if asked is not None:
        limit = asked.limit if asked.limit is not None else held.get(asked.links, 1.0)
        low = float(state.recipe().signals.get(asked.links, {}).get("floor", 0.0))
        _number("Alike from", "alike", limit, lambda key: _change({"group": {"links": asked.links, "limit": st.session_state[key]}}), low, 1.0)


def _limits(now: Weights) -> None:
    on = key_of("weights-clipped", now.clip is not None)
    st.toggle("Clip", now.clip is not None, on, on_change=_put, args=("clip", on, lambda value: (0.1, 10.0) if value else None))
    if now.clip is not None:
        low, high = now.clip
        with st.container(horizontal=True):
            _number("At least", "low", low, lambda key: _change({"clip": (st.session_state[key], high)}), 0.0, 1.0)
            _number("At most", "high", high, lambda key: _change({"clip": (low, st.session_state[key])}), 1.0)


def _smoothing(now: Weights) -> None:
    there = now.smoothing is not None or "label_issue_self_confidence" in state.scores().frame.columns
    on = key_of("weights-smoothing", now.smoothing is not None)
    told = "ε by row from how likely its label is by other rows" if there else "Measure the signal label issue first"
    st.toggle(
        "Smooth labels",
        now.smoothing is not None,
        on,
        on_change=_put,
        args=("smoothing", on, lambda value: Smoothing().model_dump() if value else None),
        disabled=not there,
        help=told,
    )
    if now.smoothing is not None:
        held = now.smoothing.model_dump()
        with st.container(horizontal=True):
            for label, field in (("Highest ε", "most"), ("ε if reviewed", "reviewed")):
                _number(label, field, held[field], partial(_smooth, field), 0.0, 0.95)
        soft = key_of("weights-soft", held["soft"])
        st.toggle("Soft targets", held["soft"], soft, on_change=_smooth, args=("soft", soft), help="Over the classes")


def _smooth(field: str, key: str) -> None:
    held = _now().smoothing or Smoothing()
    _change({"smoothing": {**held.model_dump(), field: st.session_state[key]}})


def weighted() -> Weighted:
    """The weights in hand, made anew only where something changed. Raises InputError where a factor rests on what is not there."""
    measured, selection, said = state.scores(), state.selection(), state.decided().marked
    recipe = state.recipe().model_copy(update={"weights": _now()})
    key = (recipe.model_dump_json(include={"weights", "thresholds", "signals"}), tuple(r.id for r in said))
    held = st.session_state.get("weighted")
    if held is None or held[0] is not measured or held[1] is not selection or held[2] != key:
        held = st.session_state["weighted"] = (measured, selection, key, weigh(measured, recipe, selection, said))
    found: Weighted = held[3]
    return found


def wait() -> bool:
    """Whether weights wait for the limit of the groups that count as one row; says so."""
    try:
        group_limit(state.recipe())
    except InputError as error:
        st.info(
            plain(f"Weights change no row yet: {error.where}, {error.what}. Type a limit at Alike from, or set the threshold."), icon=":material/hourglass:"
        )
        return True
    return False


def facts(found: Weighted) -> None:
    """What the weighted rows are worth, and how far weights go apart."""
    worth, rows = kish(found.weight), len(found.weight)
    with st.container(horizontal=True):
        st.metric("Effective rows (Kish)", count(worth), f"{share(worth, rows)} of {count(rows)}", "off", delta_arrow="off", help="(Σ weight)² / Σ weight²")
        above = found.weight[found.weight > 0]
        st.metric("Lightest", f"{above.min():.3g}" if len(above) else "–", f"{count(rows - len(above), 'rows')} at 0", "off", delta_arrow="off")
        st.metric("Heaviest", f"{above.max():.3g}" if len(above) else "–", f"mean {above.mean():.3g}" if len(above) else None, "off", delta_arrow="off")
        if found.smoothing is not None and rows:
            st.metric("Mean ε", f"{found.smoothing.mean():.3f}", f"highest {found.smoothing.max():.3f}", "off", delta_arrow="off")
        if found.repeat is not None:
            st.metric("Rows where repeated", count(int(found.repeat.sum())), f"{count(int((found.repeat == 0).sum()))} left out", "off", delta_arrow="off")
    if not found.factors:
        st.caption("No factor is chosen: every row counts the same.")


def picture(found: Weighted) -> None:
    """How weights are spread, and their mean by source and label."""
    if not len(found.weight):
        empty("No row is kept", "Loosen a threshold, or undo.")
        return
    left, right = beside("weights-picture", 1, 1)
    counts, edges = np.histogram(found.weight, 40)
    width = np.diff(edges)
    bars = go.Bar(x=edges[:-1] + width / 2, y=counts, width=width, marker={"color": KEPT}, hovertemplate="weight %{x:.3g}: %{y:,} rows<extra></extra>")
    figure = layout(go.Figure(bars), "Rows by weight; 1 is marked")
    figure.add_vline(x=1, line={"color": HAND, "width": 1.5, "dash": "dot"})
    figure.update_xaxes(title="weight")
    figure.update_yaxes(title="rows", tickformat=",")
    with left:
        show(figure, "weights-spread")
    with right:
        _means(found)


def _means(found: Weighted) -> None:
    columns = [c for c in _columns() if c]
    if not columns:
        empty("Nothing tells rows apart", "Give a column the role source or label for the mean weight of each.")
        return
    column = str(st.selectbox("Mean weight by", columns, key="weights-by", label_visibility="collapsed", persist_state="session"))
    code, names = code_of(state.scores(), column, "column", state.decided().marked)
    mine = code[state.selection().keep]
    rows, total = np.bincount(mine, minlength=len(names)), np.bincount(mine, found.weight, len(names))
    at = [int(i) for i in np.argsort(-rows, kind="stable")[:MOST] if rows[i]][::-1]
    told = "%{y}: mean weight %{x:.3g}, %{customdata:,} rows<extra></extra>"
    labels = [escape(names[i][:30]) for i in at]
    bars = go.Bar(x=[total[i] / rows[i] for i in at], y=labels, customdata=[int(rows[i]) for i in at], orientation="h", hovertemplate=told)
    figure = layout(go.Figure(bars.update(marker={"color": DROPPED})), f"Mean weight by {escape(column)}", max(220, 80 + 24 * len(at)), bargap=0.3)
    figure.add_vline(x=1, line={"color": HAND, "width": 1.5, "dash": "dot"})
    figure.update_yaxes(type="category")
    show(figure, "weights-means")


def factors(found: Weighted) -> None:
    """What each factor does by itself, and what the rows would be worth without it."""
    now, told = _now(), []
    for name, factor in found.factors.items():
        rest = [f for other, f in found.factors.items() if other != name]
        product = np.prod(rest, 0) if rest else np.ones(len(factor))
        without = kish(fitted(np.asarray(product, np.float64), now.clip, now.normalise == "mean"))
        spread = [float(v) for v in (factor.min(), factor.mean(), factor.max())] if len(factor) else [0.0] * 3
        told.append([name.replace("_", " "), *spread, kish(factor), without])
    if told:
        names = ["factor", "lowest", "mean", "highest", "effective rows by it alone", "effective rows without it"]
        look = {n: st.column_config.NumberColumn(format="%.3g" if i < 3 else "localized") for i, n in enumerate(names[1:])}
        st.dataframe(pl.DataFrame(told, names, orient="row").with_columns(pl.col(names[4:]).round(0)), hide_index=True, column_config=look)


def rows(found: Weighted) -> None:
    """The heaviest or the lightest rows, with what each factor says of them."""
    kept = np.flatnonzero(state.selection().keep).astype(np.int32)
    if not len(kept):
        return
    first = st.segmented_control("Rows", ["heaviest", "lightest"], default="heaviest", required=True, key="weights-first", persist_state="session")
    by = np.argsort(-found.weight if first == "heaviest" else found.weight, kind="stable")
    more = {} if found.smoothing is None else {"ε": found.smoothing[by]}
    extra = {"weight": found.weight[by], **{n.replace("_", " "): f[by] for n, f in found.factors.items()}, **more}
    with in_hand(kept[by], f"weights-{first}", beside={n: np.round(v, 4) for n, v in extra.items()}) as position:
        row_link(position, "All about this row")
        row_text(position, 240)
