"""The training page: logs and checkpoints that are followed, their validation curves by domain side by side, and what got worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import polars as pl
import streamlit as st

from curate.errors import CurateError
from curate.probes.direction import higher_is_better
from curate.probes.follow import foreign_words, in_words, not_told
from curate.probes.following import Followed, entries, follow, followed, forget
from curate.probes.metrics import ALL
from curate.probes.run import records
from curate.probes.trainer_log import Log
from curate.probes.worsening import Worse, worsening
from ui import state
from ui.charts import CATEGORIES, DROPPED, escape, layout, show
from ui.comparing import typed
from ui.escape import plain
from ui.person import allowed
from ui.widgets import attempt, beside, count, empty
from ui.work import start

__all__ = ["add", "live"]

EVERY = 3.0  # seconds between readings
SHOWN = 3  # trainings side by side at first
NONE = "none of these"
SHOWING = "training-shown"
WORDS = {True: ", more is better", False: ", less is better", None: ""}


def add() -> None:
    """Name a training to follow, and the Version that it is trained on."""
    workspace, known = state.workspace(), followed(state.workspace())
    versions = sorted((p.parent.name for p in (workspace.root / "versions").glob("*/manifest.json")), reverse=True)
    with st.expander("Follow a training", expanded=not known, icon=":material/add:"), st.form("follow", border=False):
        left, right = beside("follow", 3, 2)
        with left:
            path = st.text_input(
                "Log or folder", placeholder="out/checkpoint-500, trainer_state.json, log.jsonl, runs/", help="As the trainer writes it; it is only read"
            )
            name = st.text_input("Called", placeholder="the name of its folder")
        with right:
            version = st.selectbox("Trained on the Version", [NONE, *versions], help="The export that it was trained on, so that curves name their data")
            named = dict(records(workspace))
            told = "The run of probes whose validation rows are taken, where the trainer tells no loss by domain"
            run = st.selectbox("Measure its checkpoints on the validation rows of", [NONE, *named], format_func=lambda n: _validating(n, named), help=told)
            model = st.text_input("Model that the checkpoints adapt", "smollm2-135m")
        if st.form_submit_button("Follow") and path.strip():
            mine = "" if run == NONE else str(run)
            trained_on = None if version == NONE else workspace.version(version)

            def begin() -> None:
                where = Path(typed(path.strip()))
                added = follow(workspace, where, name.strip(), trained_on, mine, model.strip() if mine else "")
                if shown := st.session_state.get(SHOWING):
                    st.session_state[SHOWING] = [*dict.fromkeys([*shown, added.key])]
                if mine:
                    start(workspace, ["follow", str(where), "--run", mine, "--model", model.strip()], "Measuring checkpoints")

            if allowed("measure") and attempt(begin):
                st.rerun()


def _validating(name: str, records: Mapping[str, Mapping[str, Any]]) -> str:
    """A run by what it is measured by."""
    if name == NONE:
        return name
    one = records[name]
    made = str(one["made"])[:16].replace("T", " ")
    return plain(f"{made} · {one['probe']['name']} · {count(one['validation']['rows'], 'rows')} of {one['validation']['name']} · {name[:6]}")


def live() -> None:
    """The curves, read anew every few seconds. Stops the page while nothing is followed."""
    if not followed(state.workspace()):
        empty("No training is followed", "Name above where a trainer writes its log or its checkpoints. The page then draws itself anew as it goes on.")
        st.stop()
    st.fragment(_draw, run_every=EVERY)()


def _draw() -> None:
    every = followed(state.workspace())
    names = {one.key: one for one in every}
    chosen = st.pills(
        "Trainings", [*names], selection_mode="multi", default=[*names][:SHOWN], format_func=lambda k: plain(names[k].name), key=SHOWING, wrap=True
    )
    read = {key: found.rows for key in chosen if (found := _read(names[key])) is not None}
    _facts([names[key] for key in chosen])
    metrics = list(dict.fromkeys(m for log in read.values() for m in log.filter(pl.col("split") == "eval")["metric"]))
    if not metrics:
        empty(
            "No validation curve yet",
            "The logs hold no measure on validation rows, such as eval_loss or eval_<domain>_loss. They are read again every few seconds.",
        )
        return
    metric = (
        st.segmented_control("Measure", metrics, default=metrics[0], required=True, format_func=plain, key="training-metric")
        if len(metrics) > 1
        else metrics[0]
    )
    worse = {key: [w for w in worsening(log) if w.metric == metric] for key, log in read.items()}
    _verdicts(names, read, str(metric), worse)
    _curves(names, read, str(metric), worse)
    _last(names, read, str(metric))


@dataclass
class _Last:
    """What a training's log told when it was last read whole."""

    log: Log | None = None


@st.cache_resource(max_entries=64, show_spinner=False)
def _last_read(workspace: str, key: str) -> _Last:
    del workspace, key
    return _Last()


def _read(one: Followed) -> Log | None:
    """A log; where it cannot be read now it is said why, and it stands as it was last read, None where it never was."""
    held = _last_read(str(state.workspace().root), one.key)
    try:
        held.log = entries(state.workspace(), one)
    except CurateError as error:
        st.error(plain(f"{one.name}: {error}{' Shown as it was last read.' * (held.log is not None)}"), icon=":material/error:")
    if held.log is not None and held.log.foreign:
        st.caption(plain(f"{one.name}: {foreign_words(held.log)}"))
    return held.log


def _facts(shown: Sequence[Followed]) -> None:
    for at, one in enumerate(shown):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f":{('blue', 'orange', 'green', 'red', 'violet', 'yellow')[at % 6]}-badge[{plain(one.name)}]")  # st.badge would escape it twice
            about = one.trained_on
            kept = f", {count(about['kept'], 'rows')}" if about and about.get("kept") else ""
            st.text(f"trained on {about['folder']}{kept}" if about else "no Version named", width="content")
            st.text(one.path, width="content")
            st.button(
                "Forget",
                key=f"forget-{one.key}",
                on_click=_forget,
                args=(one,),
                type="tertiary",
                help="It is no longer followed; its log stays",
            )


def _forget(one: Followed) -> None:
    if allowed("measure"):
        forget(state.workspace(), one)


def _verdicts(names: dict[str, Followed], read: dict[str, pl.DataFrame], metric: str, found: dict[str, list[Worse]]) -> None:
    """What got worse, in words."""
    for key, log in read.items():
        lasting = [w for w in found[key] if w.lasting]
        for worse in lasting:
            st.warning(plain(f"{names[key].name}: {in_words(worse)}"), icon=":material/trending_down:")
        unsure = not_told(log.filter(pl.col("metric") == metric), found[key])
        for said in unsure:
            st.text(f"{names[key].name}: {said}")
        if not lasting and not unsure:
            st.text(f"{names[key].name}: nothing lies behind its best by more than it strays from look to look.")


def _domains(read: dict[str, pl.DataFrame], metric: str) -> list[str]:
    found = {d for log in read.values() for d in log.filter((pl.col("split") == "eval") & (pl.col("metric") == metric))["domain"]}
    return sorted(found, key=lambda d: (d != ALL, d))


def _curves(names: dict[str, Followed], read: dict[str, pl.DataFrame], metric: str, found: dict[str, list[Worse]]) -> None:
    """One small chart a domain, a line a training."""
    domains = _domains(read, metric)
    for first in range(0, len(domains), 3):
        row = domains[first : first + 3]
        for place, domain in zip(beside(f"curves-{first}", *([1.0] * min(3, len(domains)))), row, strict=False):
            with place:
                here = {key: [w for w in mine if w.domain == domain] for key, mine in found.items()}
                show(_curve(names, read, metric, domain, here), f"training-{first}-{domain}")


def _curve(names: dict[str, Followed], read: dict[str, pl.DataFrame], metric: str, domain: str, found: dict[str, list[Worse]]) -> go.Figure:
    """A domain's curves. found: where each training got worse on it."""
    figure, behind = go.Figure(), 0
    for at, (key, log) in enumerate(read.items()):
        colour, called = CATEGORIES[at % len(CATEGORIES)], escape(names[key].name)
        mine = log.filter((pl.col("metric") == metric) & pl.col("value").is_not_null())
        if domain == ALL:
            trained = mine.filter(pl.col("split") == "train")
            figure.add_scatter(
                x=trained["step"],
                y=trained["value"],
                mode="lines",
                line={"color": DROPPED, "width": 1},
                name=f"{called}, on what it trains on",
                showlegend=False,
            )
        part = mine.filter((pl.col("split") == "eval") & (pl.col("domain") == domain))
        figure.add_scatter(x=part["step"], y=part["value"], mode="lines+markers", line={"color": colour}, marker={"size": 4}, name=called, showlegend=False)
        for worse in found[key]:
            marked = part.filter(pl.col("step").is_in(worse.marked))
            behind += worse.lasting
            figure.add_scatter(
                x=marked["step"],
                y=marked["value"],
                mode="markers",
                marker={"color": colour, "size": 9, "symbol": "x"},
                name="behind its best",
                showlegend=False,
            )
    said = f": {count(behind, 'trainings')} behind {'its' if behind == 1 else 'their'} best" if behind else ""
    layout(figure, f"{escape(domain) if domain else 'All rows'}{said}", 270)
    figure.update_xaxes(title="step", tickformat=",")
    figure.update_yaxes(title=f"{escape(metric.replace('_', ' '))}{WORDS[higher_is_better(metric)]}")
    return figure


def _last(names: dict[str, Followed], read: dict[str, pl.DataFrame], metric: str) -> None:
    """The last value of every domain, trainings beside one another."""
    domains = _domains(read, metric)
    frame = pl.DataFrame({"domain": [d or "all rows" for d in domains]})
    for key, log in read.items():
        mine = log.filter((pl.col("split") == "eval") & (pl.col("metric") == metric)).group_by("domain", maintain_order=True).last()
        held = dict(zip(mine["domain"], mine["value"], strict=True))
        called = names[key].name if names[key].name not in frame.columns else f"{names[key].name} ({key[:4]})"
        frame = frame.with_columns(pl.Series(called, [held.get(d) for d in domains], pl.Float64))
    config = {name: st.column_config.NumberColumn(format="%.4f") for name in frame.columns[1:]}
    st.dataframe(frame, hide_index=True, column_config=config, key="training-last")
