"""The page on Versions: the tree of them, and of the chosen one what it is, whether it is whole, its tags, the way back to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from curate.errors import CurateError
from curate.jobs import Job, jobs, output
from curate.lineage import Node, roll_back, tag, tree, untag
from curate.recipe import load_recipe
from curate.reviews import fold, read_log
from curate.versions import Version, unreadable
from ui import formats, state
from ui.charts import DROPPED, HAND, KEPT, escape, layout, show
from ui.escape import plain
from ui.person import allowed, may
from ui.widgets import attempt, beside, count, empty, share
from ui.work import start

__all__ = ["about", "act", "broken", "choose", "files", "known", "picture", "title"]

CHOSEN = "version"
PICTURE = "version-tree"
FULL = 60  # Versions in the picture; the list has all
MARK = 22  # pixels of a Version in the picture


def known() -> tuple[Node, ...]:
    """Versions of this workspace, each after the one that it comes from."""
    return tree(state.workspace())


def broken() -> None:
    """Name the Versions that cannot be read."""
    for line in unreadable(state.workspace()):
        st.warning(plain(line), icon=":material/broken_image:")


def when(version: Version) -> str:
    """When it was written, to the minute, in UTC."""
    return version.created[:16].replace("T", " ")


def title(node: Node) -> str:
    """A Version in a few words: its tags or the first digits of its name, when, how many rows."""
    said = [*node.tags, node.version.name[:7], when(node.version), count(node.version.kept, "rows")]
    return " · ".join([*said, "current"] if node.current else said)


def choose(nodes: Sequence[Node]) -> Node:
    """Choose a Version; the current one of the dataset in hand where none is chosen."""
    named = {node.version.name: node for node in nodes}
    data = state.dataset()
    mine = [n for n in nodes if data is not None and n.version.fingerprint == data.fingerprint]
    first = next((n for n in [*mine, *nodes] if n.current), nodes[-1]).version.name
    if st.session_state.get(CHOSEN) not in named:
        given = st.query_params.get(CHOSEN)
        st.session_state[CHOSEN] = given if given in named else first
    ordered = sorted(named, key=lambda name: named[name].version.created, reverse=True)
    found = str(st.selectbox("Version", ordered, key=CHOSEN, format_func=lambda name: title(named[name])))
    st.query_params[CHOSEN] = found
    return named[found]


def picture(nodes: Sequence[Node]) -> None:
    """The tree: Versions from left to right as they were written, each joined to what it comes from. A click chooses one."""
    shown = sorted(nodes, key=lambda n: n.version.created)[-FULL:]  # of one second the parent comes first, as in the tree
    lanes = _lanes(shown)
    place = {node.version.name: (i, lanes[node.version.name]) for i, node in enumerate(shown)}
    figure = go.Figure()
    lines: tuple[list[Any], list[Any]] = ([], [])
    for node in shown:
        if node.version.parent in place and node.version.parent != node.version.name:
            (x, y), (u, v) = place[node.version.name], place[str(node.version.parent)]
            for line, values in zip(lines, ((u, x, None), (v, y, None)), strict=True):
                line += values
    figure.add_scatter(x=lines[0], y=lines[1], mode="lines", line={"color": DROPPED, "width": 2}, hoverinfo="skip", showlegend=False)
    now = st.session_state.get(CHOSEN)
    for name, colour, wanted in (("earlier", DROPPED, False), ("current", KEPT, True)):
        _marks(figure, [n for n in shown if n.current == wanted and n.version.name != now], place, (name, colour))
    _marks(figure, [n for n in shown if n.version.name == now], place, ("chosen", HAND))
    deep = max(lanes.values(), default=0) + 1
    layout(figure, _finding(nodes), 120 + 62 * deep, hovermode="closest", clickmode="event+select")
    figure.update_xaxes(visible=False, range=[-0.6, max(3, len(shown)) - 0.4])
    figure.update_yaxes(visible=False, range=[deep - 0.35, -0.65])
    show(figure, PICTURE, on_select=_clicked, selection_mode="points")
    if len(nodes) > len(shown):
        st.caption(f"The newest {FULL} of {count(len(nodes))} Versions.")


def _lanes(shown: Sequence[Node]) -> dict[str, int]:
    """The height at which each Version is drawn: that of its parent, or a free one where another came from the same before."""
    lanes: dict[str, int] = {}
    taken: set[str] = set()
    for node in shown:
        above = node.version.parent
        if above in lanes and above not in taken:
            lanes[node.version.name] = lanes[above]
            taken.add(above)
        else:
            lanes[node.version.name] = max(lanes.values(), default=-1) + 1
    return lanes


def _finding(nodes: Sequence[Node]) -> str:
    now = [node for node in nodes if node.current]
    said = f"{count(len(nodes), 'Versions')} in this workspace"
    if len(now) == 1:
        one = now[0].version
        return f"{said}; the current one keeps {share(one.kept, one.rows)} of {count(one.rows, 'rows')}"
    return f"{said} of {count(len(now))} datasets"


def _marks(figure: go.Figure, nodes: Sequence[Node], place: dict[str, tuple[int, int]], look: tuple[str, str]) -> None:
    labels = [escape(node.tags[0] if node.tags else node.version.name[:7]) for node in nodes]
    told = [
        f"{escape(', '.join(node.tags) or node.version.name)}<br>{when(node.version)} UTC<br>{count(node.version.kept)} of {count(node.version.rows, 'rows')}"
        for node in nodes
    ]
    figure.add_scatter(
        x=[place[n.version.name][0] for n in nodes],
        y=[place[n.version.name][1] for n in nodes],
        mode="markers+text",
        text=[f"{label}<br>{count(n.version.kept)}" for label, n in zip(labels, nodes, strict=True)],
        textposition="bottom center",
        marker={"size": MARK, "color": look[1], "line": {"width": 0}},
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
        customdata=[[n.version.name, said] for n, said in zip(nodes, told, strict=True)],
        hovertemplate="%{customdata[1]}<extra></extra>",
        name=look[0],
        showlegend=bool(nodes),
    )


def _clicked() -> None:
    points = st.session_state[PICTURE]["selection"]["points"]
    if points and points[0].get("customdata"):
        st.session_state[CHOSEN] = str(points[0]["customdata"][0])


def about(node: Node, nodes: Sequence[Node]) -> None:
    """What a Version is: rows, when, what it comes from, what it was made of."""
    one = node.version
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(one.name, width="content")
        if node.current:
            st.badge("current", icon=":material/check:", color="blue")
        for name in node.tags:
            told = "Take this tag off"
            st.button(plain(name), key=f"untag-{name}", icon=":material/close:", icon_position="right", help=told, on_click=_untag, args=(name,))
    above = next((n for n in nodes if n.version.name == one.parent), None)
    come = "comes from no other" if one.parent is None else f"comes from {one.parent}, which is not here" if above is None else f"comes from {title(above)}"
    size = sum(f.stat().st_size for f in one.folder.rglob("*") if f.is_file())
    st.text(f"{count(one.kept)} of {count(one.rows, 'rows')}, {share(one.kept, one.rows)}; {_size(size)}; written {when(one)} UTC; {come}")
    for path, _ in one.inputs[:5]:
        st.text(f"made of {path}")
    for line in formats.said(str(one.folder)):
        st.text(line)


def _size(size: float) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.0f} kB"


def files(version: Version) -> None:
    """What the funnel left step by step, the files with their hashes, and the folder."""
    with st.expander("Funnel, files and hashes"):
        left, right = beside("version-files", 2, 3)
        number = st.column_config.NumberColumn(format="localized")
        left.dataframe(version.manifest.get("funnel", []), hide_index=True, column_config={"dropped": number, "left": number})
        right.dataframe([{"file": name, "SHA-256": sha} for name, sha in version.files.items()], hide_index=True)
        st.code(str(version.folder), language=None, wrap_lines=True)


def act(node: Node) -> None:
    """Verify, replay, tag, roll back."""
    one = node.version
    with st.container(horizontal=True, vertical_alignment="bottom"):
        told = "Hash every file again and name what was changed, added or is missing"
        st.button("Verify", icon=":material/verified:", help=told, on_click=_job, args=("verify", "Verifying", one.name))
        told = "Load and measure everything again, in the background, and hold what comes out against this Version"
        st.button("Replay", icon=":material/replay:", help=told, on_click=_job, args=("replay", "Replaying", one.name))
        told = "It becomes the current Version again, and its recipe the one in hand, which undo takes back. Nothing is deleted."
        st.button(
            "Roll back to it", icon=":material/history:", help=told, key="version-back", on_click=_back, args=(one,), disabled=node.current or not may("ship")
        )
        with st.form("version-tag", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.text_input("Tag", placeholder="paper-1", key="version-tag-name", max_chars=64)
            asked = st.form_submit_button("Tag it", icon=":material/sell:")
    if asked and name.strip() and allowed("ship") and attempt(lambda: tag(state.workspace(), one, name.strip())):
        st.rerun()
    if failed := st.session_state.pop("version-failed", None):
        st.error(plain(failed), icon=":material/error:")
    for command in ("verify", "replay"):
        _result(command, one)


def _untag(name: str) -> None:
    if allowed("ship"):
        untag(state.workspace(), name)


def _job(command: str, label: str, name: str) -> None:
    start(state.workspace(), [command, name, "--json"], f"{label} a Version", name)


def _back(version: Version) -> None:
    """Roll back, and take the Version's recipe in hand where it is of the dataset in hand."""
    if not allowed("ship"):
        return
    try:
        roll_back(state.workspace(), version)
        data = state.dataset()
        if data is not None and data.fingerprint == version.fingerprint:
            recipe = load_recipe(version.folder / "recipe.yaml")
            state.change(recipe.model_copy(update={"dataset": state.recipe().dataset, "reviews": None}))
            log = recipe.reviews
            held = {r.id for r in fold(read_log(Path(log.path), log.lines)).marked} if log else set()
            since = sum(r.id not in held for r in state.decided().marked)
            more = f" {count(since, 'decisions')} by hand since then stay: undo takes them back one by one." if since else ""
            st.session_state["version-back-told"] = f"The recipe in hand is that of {version.name[:7]}.{more}"
        else:
            st.session_state["version-back-told"] = f"{version.name[:7]} is the current Version. The recipe in hand is of another dataset and stays as it is."
    except CurateError as error:
        st.session_state["version-failed"] = str(error)


def _result(command: str, version: Version) -> None:
    """What the last verify or replay of a Version said."""
    job = next((j for j in jobs(state.workspace()) if j.args[:2] == (command, version.name)), None)
    if told := st.session_state.pop("version-back-told", None):
        st.success(plain(told), icon=":material/history:")
    if job is None:
        return
    if job.state == "running":
        st.info(f"{job.label} in the background; what comes of it stands here.", icon=":material/hourglass:")
    elif job.state == "done":
        _said(command, job)
    elif job.state != "cancelled":
        again = partial(_job, command, job.label.removesuffix(" a Version"), version.name)
        empty(f"{job.label} failed", job.message or "The process ended without a word.", "Try again", again, f"again-{command}")


def _said(command: str, job: Job) -> None:
    found = json.loads(output(state.workspace(), job))
    good = found["ok"] if command == "verify" else found["same"]
    words = {
        ("verify", True): "Every file is as it was written",
        ("verify", False): "Not as it was written",
        ("replay", True): "The same rows came out again",
        ("replay", False): "Not the same",
    }
    at = _clock(job.started)
    (st.success if good else st.error)(f"{words[command, bool(good)]}, {at}", icon=":material/verified:" if good else ":material/error:")
    if found["lines"]:
        st.text("\n".join(found["lines"]))


def _clock(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
