"""The duplicates page: controls of one kind, the curve, who stays for whom, two rows side by side."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from hashlib import blake2b
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import streamlit as st

from curate import groups
from curate.contradiction import settling
from curate.groups import Curve, Hand, Outcome
from curate.links import Links, Rule
from curate.part import LinkThreshold
from curate.scores import Scores
from curate.selection import links_of, row_tokens
from ui import measuring, state
from ui.charts import DROPPED, HAND, KEPT, layout, show
from ui.keepers import keeper_control
from ui.shown import Shown
from ui.slide import Stops, slide
from ui.widgets import count, empty, key_of, likeness_text, share

__all__ = ["controls", "kind", "picture", "put", "shown", "why_nothing"]

KINDS = {"Exact": "exact_duplicate", "Near": "near_duplicate", "Semantic": "semantic_duplicate"}
RULES = {
    "cover": "Cover: a row goes only if a row that stays is at least this alike.",
    "group": "Group: rows linked through others form a group, and one row of it stays; long chains can swallow unlike rows.",
}

HEIGHT = 470  # pixels; of the picture, as high as the controls beside it

Bools = npt.NDArray[np.bool_]


def kind() -> str:
    """Let the person choose the kind of duplicates; returns its signal. The choice is in the page's address."""
    chosen = st.segmented_control("Kind", list(KINDS), default="Near", required=True, key="kind", bind="query-params", label_visibility="collapsed")
    return KINDS[chosen or "Near"]


def _threshold(name: str) -> LinkThreshold:
    """What the recipe says, else what the person last set here, else the proposal."""
    found = state.recipe().thresholds.get(name) or st.session_state.get(f"off-limit-{name}")
    if isinstance(found, LinkThreshold):
        return found
    task = measuring.task_of(name)
    return LinkThreshold(limit=groups.proposal(task)[0] if task else 1.0)


@st.cache_resource(max_entries=8, show_spinner=False)
def _hand(key: str, keeper: str, _scores: Scores, _inside: Bools, _pinned: Bools) -> Hand:
    del key
    return groups.hand(_scores, keeper, _inside, _pinned)


def shown(name: str) -> Shown:
    """The kind as it stands: rows that come to its threshold, and what happens to them."""
    measured, selection = state.scores(), state.selection()
    threshold, on = _threshold(name), name in selection.gives_way
    inside = groups.in_hand(selection, name)
    said = state.decided().marked
    pinned = groups.pinned_rows(measured, said)
    tasks = " ".join(t.key for t in measured.measured.values())
    key = blake2b(tasks.encode() + np.packbits(inside).tobytes() + np.packbits(pinned).tobytes(), digest_size=12).hexdigest()
    key = f"{key} {name} {threshold.keeper}"
    hand = replace(_hand(key, threshold.keeper, measured, inside, pinned), how=settling(measured, name, threshold, said))
    links = links_of(measured, name, said)
    key += " ".join([threshold.conflicts, *(r.id for r in said if r.action in ("cut", "label"))])
    found = Outcome(hand, threshold, selection.gives_way[name], selection.drops[name]) if on else groups.outcome(links, hand, threshold)
    return Shown(measured.measured[name], links, threshold, on, found, key)


def _set(name: str, field: Literal["rule", "keeper"], key: str) -> None:
    """A control moved."""
    put(name, field, st.session_state[key])


def _moved(name: str, limits: tuple[float, ...]) -> None:
    put(name, "limit", limits[0])


def put(name: str, field: str, value: object) -> None:
    """A limit that is moved turns the threshold on; rule and keeper hold once it is on."""
    new = LinkThreshold.model_validate({**_threshold(name).model_dump(), field: value})
    if field == "limit" or name in state.recipe().thresholds:
        state.set_threshold(name, new)
    else:
        st.session_state[f"off-limit-{name}"] = new


def _switch(name: str, key: str) -> None:
    now = _threshold(name)
    st.session_state[f"off-limit-{name}"] = now
    state.set_threshold(name, now if st.session_state[key] else None)


def controls(now: Shown) -> None:
    """Limit, rule and keeper of one kind, and the count that they give."""
    name, threshold = now.name, now.threshold
    about = "On: the rows are dropped. Off: the page shows what would go."
    key = key_of(f"on-{name}", now.on)
    st.toggle("Drop duplicates", now.on, key, about, on_change=_switch, args=(name, key))
    came = len(now.found.hand.order)
    gone = now.links.rows - came
    note = f"{count(gone, 'rows')} went by other decisions before they came to this threshold" if gone else None
    verb = "Rows dropped" if now.on else "Rows it would drop"
    st.metric(verb, count(now.dropped), f"{share(now.dropped, came)} of {count(came)}", "off", help=note, delta_arrow="off")
    if groups.floor(now.task) == 1:
        st.caption(f"Limit 1.00: {groups.proposal(now.task)[1]}")
    else:
        _limit(now)
        key = key_of(f"rule-{name}", threshold.rule)
        rules, about = get_args(Rule), "\n\n".join(RULES.values())
        st.segmented_control(
            "Rule",
            rules,
            default=threshold.rule,
            required=True,
            key=key,
            format_func=str.capitalize,
            on_change=_set,
            args=(name, "rule", key),
            help=about,
            width="stretch",
        )
    keeper_control(now, put)


def _limit(now: Shown) -> None:
    name, limit, floor = now.name, now.threshold.limit, groups.floor(now.task)
    limit = min(max(limit, floor), 1.0)
    given = now.task.parameters
    unit = f"Jaccard similarity of {given['unit']} {given['ngram']}-grams" if "ngram" in given else "cosine of the two embeddings"
    rows = _both(now)[now.threshold.rule].rows.tolist()
    goes = {float(f"{t:.2f}"): n for t, n in zip(groups.curve_limits(floor), rows, strict=True)} | {limit: now.dropped}
    stops = Stops([floor, *goes], likeness_text, {t: f"{count(n)} go" for t, n in goes.items()}, floor, 1.0, 0.01, unit)
    slide(f"slide-{name}", "Drop rows at least this alike", stops, [limit], partial(_moved, name))
    proposed, why = groups.proposal(now.task)
    used = limit == proposed and now.on
    st.button(f"Use the proposed {proposed:.2f}", key=f"propose-{name}", on_click=put, args=(name, "limit", proposed), width="stretch", help=why, disabled=used)


@st.cache_data(max_entries=32, show_spinner=False)
def _curves(key: str, floor: float, _links: Links, _hand: Hand) -> dict[Rule, Curve]:
    del key
    limits, tokens = groups.curve_limits(floor), row_tokens(state.scores())
    return {rule: groups.curve(_links, _hand, rule, limits, tokens) for rule in get_args(Rule)}


def _both(now: Shown) -> dict[Rule, Curve]:
    """The curve of either rule."""
    counted = "tokens" if row_tokens(state.scores()) is not None else ""
    return _curves(f"{now.key} {counted}", groups.floor(now.task), now.links, now.found.hand)


def _told(found: Curve) -> list[str]:
    """What each limit drops, beyond the rows."""
    tokens = [""] * len(found.rows) if found.tokens is None else [f"<br>{t:,} tokens" for t in found.tokens.tolist()]
    return [f"{t}<br>{g:,} groups, the largest of {m:,} rows" for t, g, m in zip(tokens, found.groups.tolist(), found.largest.tolist(), strict=True)]


def picture(now: Shown) -> None:
    """Rows dropped at each limit by both rules, the hand's place on it; for exact duplicates, how many copies there are of how many texts."""
    if groups.floor(now.task) < 1:
        _curve(now)
    elif now.dropped:
        _copies(now)
    else:
        empty("Nothing goes", why_nothing(now))


def _said(now: Shown) -> str:
    return f"{count(now.dropped)} of {count(len(now.found.hand.order))} rows {'go' if now.on else 'would go'}"


def _curve(now: Shown) -> None:
    floor, limit, rule = groups.floor(now.task), now.threshold.limit, now.threshold.rule
    curves, limits = _both(now), groups.curve_limits(floor)
    figure = go.Figure()
    for name, found in sorted(curves.items(), key=lambda item: item[0] == rule):
        line = {"dash": "solid", "width": 3, "color": KEPT} if name == rule else {"dash": "dot", "width": 1.5, "color": DROPPED}
        text = f"at %{{x:.2f}}: %{{y:,}} rows%{{customdata}}<extra>{name} rule</extra>"
        figure.add_scatter(x=limits, y=found.rows, customdata=_told(found), name=f"{name} rule", mode="lines", line=line, hovertemplate=text)
    figure.add_vline(x=limit, line_color=HAND, line_width=2)
    right = limit > (1 + floor) / 2
    figure.add_annotation(
        x=limit,
        y=1,
        yref="paper",
        text=f"{likeness_text(limit)}: {now.dropped:,} rows",
        showarrow=False,
        xanchor="right" if right else "left",
        xshift=-6 if right else 6,
        font={"color": HAND, "size": 13},
    )
    layout(figure, f"{_said(now)}; what each limit drops", HEIGHT, hovermode="x")
    figure.update_layout(legend={"orientation": "v", "x": 0.01, "xanchor": "left", "y": 0.02, "yanchor": "bottom"})
    figure.update_xaxes(title="similarity at or above which a row goes", tickformat=".2f", range=[floor, 1.004])
    figure.update_yaxes(title="rows dropped", **_counts(max(int(found.rows.max()) for found in curves.values())))
    show(figure, f"curve-{now.name}")


def _counts(most: int) -> dict[str, Any]:
    """An axis of whole rows from 0."""
    return {"tickformat": ",", "range": [0, 1.1 * max(most, 1)], **({"dtick": 1} if most < 6 else {})}


def _copies(now: Shown) -> None:
    sizes = groups.table(now.links, now.found)["size"].to_numpy() + (now.threshold.rule == "cover")
    ends = [2, 3, 4, 5, 6, 11, 101, 1001, 10**9]
    names = ["2", "3", "4", "5", "6–10", "11–100", "101–1,000", "over 1,000"]
    texts = np.histogram(sizes, ends)[0]
    last = int(np.flatnonzero(texts)[-1]) + 1 if texts.any() else 1
    rows = np.histogram(sizes, ends, weights=sizes)[0].astype(int)
    bars = go.Bar(
        x=names[:last],
        y=texts[:last],
        customdata=rows[:last],
        marker_color=KEPT,
        hovertemplate="%{y:,} texts stand %{x} times: %{customdata:,} rows<extra></extra>",
    )
    figure = layout(go.Figure(bars), f"{_said(now)}; how often the same text stands", HEIGHT)
    figure.update_layout(bargap=0.2, xaxis={"title": "times that a text stands", "type": "category"}, yaxis={"title": "texts", "tickformat": ","})
    show(figure, f"copies-{now.name}")


def why_nothing(now: Shown) -> str:
    """Why no group is listed: what is in view, what went before, or how alike the most alike rows are."""
    came = now.found.hand.order
    if now.dropped:
        return "Rows go, but none of them is in view. Take the filter off above."
    if not len(came):
        return "Every row went by other decisions before it came to this threshold."
    limits = groups.curve_limits(groups.floor(now.task))
    reached = limits[groups.curve(now.links, now.found.hand, now.threshold.rule, limits).rows > 0]
    gone = now.links.rows - len(came)
    before = f" {count(gone, 'rows')} went by other decisions before." if gone else ""
    alike = f"No two of the {count(len(came), 'rows')} that come to this threshold are"
    if groups.floor(now.task) == 1:
        twins = now.links.rows - len(np.unique(now.links.pairs.twin[now.links.pairs.twin >= 0])) - int((now.links.pairs.twin < 0).sum())
        others = f" Of all {count(now.links.rows)}, {count(twins)} have an equal row before them: those went already." if twins and gone else ""
        return f"{alike} equal.{before}{others}"
    if not len(reached):
        return f"{alike} at least {limits[0]:.2f} alike.{before}"
    return f"{alike} at least {now.threshold.limit:.4g} alike. The first goes at {reached[-1]:.2f}.{before}"
