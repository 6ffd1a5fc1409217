"""The page of generated rows: which batch, what the gate says and why, the reading by key, drift, and acceptance."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import partial
from typing import Any

import plotly.graph_objects as go
import polars as pl
import streamlit as st

from curate.admission import CHECKS, Admission, CheckName
from curate.denied import denied_sources
from curate.grown import accepted_batches
from curate.jobs import Job, jobs
from curate.rate import percent
from curate.recipe import keep_recipe
from curate.synthetic.accept import accepted_of, stale
from curate.synthetic.batch import Batch, batches_of, read_rows
from curate.synthetic.checks import ABOUT, COPIES
from curate.synthetic.gate import Gated, counts, judge, read_gate, reasons, unheard
from curate.synthetic.measured import measured_of
from curate.synthetic.review import Reading
from ui import state
from ui.charts import DROPPED, escape, layout, show
from ui.rows import text_diff
from ui.widgets import amount, count, empty, key_of, share
from ui.work import start

__all__ = ["choose", "facts", "gate_of", "limits", "picture", "refused", "rows_of", "texts"]

CHOSEN = "synthetic-batch"
GROW = "curate grow recipe.yaml --generator rules --rows 200"
SLIDERS: Mapping[CheckName, str] = {
    "near": "Nearly the same words from",
    "semantic": "Nearly the same meaning from",
    "rouge": "ROUGE-L from",
    "label": "Label as likely as the likeliest, at least",
}
TEXTS = ("prompt", "context", "response")
LOOKED_AT = "embedding", "pii", "license", "contamination"
"""Signals whose parameters the gate reads, measured or not."""


@st.cache_data(max_entries=32, show_spinner=False)
def _rows(folder: str, name: str, _batch: Batch) -> pl.DataFrame:
    del folder, name
    return read_rows(_batch)


def rows_of(batch: Batch) -> pl.DataFrame:
    """The rows of a batch, kept for the next run."""
    return _rows(str(batch.folder), batch.files["rows.parquet"], batch)


def choose() -> Batch:
    """The batch in hand; the page stops where there is none."""
    data = state.dataset()
    assert data is not None
    found = batches_of(state.workspace(), data.key)
    if not found:
        _none_here()
        st.stop()
    names = [b.name for b in found]
    wanted = st.session_state.get(CHOSEN)
    shown = wanted if wanted in names else names[0]
    called = {b.name: f"{b.ended[:16].replace('T', ' ')} · {count(b.rows, 'rows')} by {b.model or b.generator}" for b in found}
    key = key_of("synthetic-chosen", shown)
    st.selectbox("Batch", names, names.index(shown), lambda n: called[n], key, on_change=_want, args=(key,), width=520)
    return found[names.index(shown)]


def _none_here() -> None:
    """No batch is for the dataset in hand: of rows that it holds of accepted ones, the way back to what they were grown for; else how to make one."""
    held = accepted_batches(state.scores())
    for batch in (b for b in batches_of(state.workspace()) if b.name in held):
        told = f"Rows of the batch {batch.name} are part of this dataset. It was checked and read beside the dataset that it was grown for."
        empty("Accepted rows are in this dataset", told, "Open that dataset", partial(state.open_key, batch.dataset), f"synthetic-back-{batch.name}")
    if not held:
        empty("No generated rows yet", "A generator writes rows where the dataset is thin, as a batch. None of them is used before it passed this page.")
    st.caption("Make a batch from a recipe of this dataset; it appears here:")
    st.code(f"{GROW} --workspace {shlex.quote(str(state.workspace().root))}", language="bash", wrap_lines=True)


def _want(key: str) -> None:
    st.session_state[CHOSEN] = st.session_state[key]


def _job(batch: Batch) -> Job | None:
    """The newest check of a batch."""
    return next((j for j in jobs(state.workspace()) if j.args[0] == "grow" and batch.name in j.args), None)


def _check(batch: Batch) -> None:
    now, given = state.full_recipe(), state.recipe().signals
    now = now.model_copy(update={"signals": {**now.signals, **{n: given[n] for n in LOOKED_AT if n in given}}})
    path = keep_recipe(now, state.workspace())
    key = str(st.session_state["dataset"])
    start(state.workspace(), ["grow", str(path), "--check", batch.name, "--key", key], "Checking generated rows", key)


def gate_of(batch: Batch) -> Gated:
    """What the gate said; the page stops while it is not checked, is being checked, or the check failed."""
    gated, job = read_gate(batch), _job(batch)
    if job is not None and job.state == "running":
        now = job.progress
        done = f"{now.stage}, {amount(now)}" if now.total else now.stage
        empty("Checking the rows", f"{done}. It runs in the background; this page fills by itself. You can go on working.")
        st.stop()
    if job is not None and job.state in ("failed", "stopped") and gated is None:
        why = job.message or "The process ended without a word; it may have run out of memory. What it had finished is kept."
        empty("The check failed", why, "Try again", partial(_check, batch), "synthetic-check")
        st.stop()
    if gated is None:
        about = f"{count(batch.rows, 'rows')} wait. They are compared with every row of the dataset and with one another, in {len(CHECKS)} checks."
        empty("Not checked yet", about, "Check the rows", partial(_check, batch), "synthetic-check")
        st.stop()
    why = "" if accepted_of(batch) is not None else stale(state.scores(), state.recipe(), batch, gated)
    if why:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.warning(f"This is the outcome of an earlier check: {why}.", icon=":material/update:")
            st.button("Check again", on_click=_check, args=(batch,), key="synthetic-again", type="primary")
    return gated


def facts(batch: Batch, gated: Gated, read: Reading) -> None:
    """How many rows are where."""
    cells = st.columns(4)
    cells[0].metric("Rows made", count(batch.rows), f"{share(batch.rows, batch.asked)} of {count(batch.asked)} asked", "off", delta_arrow="off")
    passes = int(gated.recipe["passes"])
    cells[1].metric("Pass the gate", count(passes), share(passes, batch.rows), "off", delta_arrow="off")
    cells[2].metric("Read", count(len(read.words)), f"of {count(len(read.rows))} drawn", "off", delta_arrow="off")
    rate = read.rate
    told = "–" if rate.value is None else percent(rate.value)
    cells[3].metric("Pass rate", told, f"{percent(rate.low)} to {percent(rate.high)}, {percent(read.wanted)} wanted", "off", delta_arrow="off")


def limits(batch: Batch) -> None:
    """The limits that people move most, each with the rows it would refuse; the whole part stands in the recipe."""
    now = state.recipe()
    admission, measured = now.synthetic or Admission(), measured_of(state.scores(), now, batch)
    with st.popover("Limits", icon=":material/tune:", width=360):
        if measured is None:
            st.caption("What the checks rest on has changed; check again, then limits move live.")
            return
        barred = denied_sources(state.scores(), now, state.decided().marked)
        fails = counts(judge(measured, admission, now.licenses, barred))
        for name, label in SLIDERS.items():
            if name not in fails:
                continue
            low = 0.0 if name == "label" else 0.5
            key = key_of(f"synthetic-{name}", getattr(admission, name))
            refuses = f"{ABOUT[name]}."
            st.slider(label, low, 1.0, getattr(admission, name), 0.01, key=key, on_change=_limit, args=(name, key), help=refuses)
            st.caption(f"refuses {count(fails[name], 'rows')}")
        st.caption("All limits stand in the recipe, under `synthetic`.")


def _limit(name: str, key: str) -> None:
    now = state.recipe()
    admission = (now.synthetic or Admission()).model_copy(update={name: float(st.session_state[key])})
    state.change(now.model_copy(update={"synthetic": admission}))


def picture(gated: Gated) -> None:
    """Rows refused by each check, and the checks that were not made."""
    fails = gated.recipe["fails"]
    names = sorted((c for c in CHECKS if fails.get(c)), key=lambda c: -fails[c])
    rows = int(gated.recipe["rows"])
    if names:
        figure = go.Figure()
        told = [escape(ABOUT[n]) for n in names]
        figure.add_bar(
            y=names,
            x=[fails[n] for n in names],
            orientation="h",
            marker_color=DROPPED,
            customdata=told,
            hovertemplate="%{customdata}: %{x:,} rows<extra></extra>",
            texttemplate="%{x:,}",
            textposition="outside",
            cliponaxis=False,
        )
        title = f"{names[0].capitalize()} refuses most"
        layout(figure, title, 90 + 26 * len(names), bargap=0.3, margin={"l": 0, "r": 40, "t": 44, "b": 0})
        figure.update_xaxes(title="rows refused; a row may fail several checks", tickformat=",", rangemode="tozero")
        figure.update_yaxes(autorange="reversed", type="category")
        show(figure, "synthetic-gate")
    else:
        st.markdown(f"**All {count(rows, 'rows')} pass**")
    if said := unheard(gated):
        st.caption(f"Phrases: {said}.")
    if gated.skipped:
        with st.expander(f"{count(len(gated.skipped), 'checks')} not made", icon=":material/info:"):
            for name, why in gated.skipped.items():
                st.text(f"{name}: {why}.")


def refused(batch: Batch, gated: Gated) -> None:
    """Every row with its outcome; the one in hand beside the row that it copies."""
    rows, passing = rows_of(batch), gated.rows["passes"]
    every = st.segmented_control("Rows", ["Refused", "Passing", "All"], default="Refused", key="synthetic-rows", label_visibility="collapsed")
    keep = pl.Series([True] * len(rows)) if every == "All" else passing if every == "Passing" else ~passing
    at = keep.arg_true().to_list()
    if not at:
        st.text("No row is refused." if every != "Passing" else "No row passes.")
        return
    why = [", ".join(c for c in CHECKS if gated.rows[f"fail_{c}"][i]) or "passes" for i in at]
    names = [n for n in ("target", *TEXTS, "label") if not rows[n].is_null().all()]
    line = pl.all().str.slice(0, 240).str.replace_all(r"\s+", " ")
    table = pl.DataFrame({"outcome": why}).hstack(rows[at].select(names).select(line))
    told = "The checks that refuse it; choose the row for the reasons in words"
    config = {"outcome": st.column_config.TextColumn(width=150, pinned=True, help=told)} | {n: st.column_config.TextColumn(width=220) for n in TEXTS}
    event = st.dataframe(table, hide_index=True, height=330, row_height=62, on_select="rerun", selection_mode="single-row", column_config=config,
                         key=f"synthetic-list-{batch.name}-{every}", placeholder="")  # fmt: skip
    chosen = event.selection.rows
    place = at[chosen[0]] if chosen and chosen[0] < len(at) else at[0]
    _one(rows.row(place, named=True), gated.rows.row(place, named=True), gated, batch)


def _one(row: dict[str, Any], said: dict[str, Any], gated: Gated, batch: Batch) -> None:
    """A generated row, beside the closest row where it is a copy."""
    found = reasons(said, gated)
    st.text(f"{row['synthetic_id']} · {row['target'] or 'any'} · " + ("; ".join(found) if found else "passes"))
    copied = next((c for c in COPIES if said[f"fail_{c}"]), None)
    other = _other(said, copied, batch) if copied else None
    if other is None:
        texts(row)
        return
    name, theirs = other
    text_diff(["generated", name], {n: (row[n], theirs.get(n)) for n in TEXTS if row[n] or theirs.get(n)})


def _other(said: dict[str, Any], copied: str, batch: Batch) -> tuple[str, dict[str, str | None]] | None:
    """The row that one copies, called and by text: generated like it, or of the dataset."""
    twin, closest = said.get(f"{copied}_twin"), said.get(f"{copied}_row")
    if twin:
        mate = rows_of(batch).row(by_predicate=pl.col("synthetic_id") == twin, named=True)
        return f"generated too: {twin}", {n: mate[n] for n in TEXTS}
    scores = state.scores()
    at = scores.frame["row_id"].index_of(closest) if closest else None
    if at is None:
        return None
    names = [n for n in TEXTS if scores.dataset.has(n)]
    return f"row {count(at)} of the dataset", scores.dataset.rows_at([at], names).row(0, named=True)


def texts(row: dict[str, Any], height: int | None = None) -> None:
    """A generated row's texts, and what it was made from."""
    for name in TEXTS:
        if row[name]:
            st.caption(name)
            text = row[name]
            st.code(text, language=None, wrap_lines=True, height=height if height and len(text) > 900 else "content")
    told = [f"{n}: {row[n]}" for n in ("label", "source", "license") if row[n]]
    st.text(" · ".join([*told, f"made by {row['model'] or row['generator']} from {count(len(row['parents'] or ()), 'rows')}"]))
