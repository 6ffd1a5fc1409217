"""The licences page: what rows say, the policy on it, what it leaves, and free copies of strict rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import polars as pl
import streamlit as st
from pydantic import ValidationError

from curate import groups
from curate.conflict import conflicts
from curate.part import LicensePolicy, LinkThreshold
from curate.policy import VERDICTS, verdict, verdicts
from curate.roles import Role
from curate.scores import Scores
from curate.signal import check_parameters
from curate.signals.license import SIGNAL
from curate.view import as_text
from ui import measuring, state
from ui.browsing import version
from ui.escape import plain
from ui.rows import in_hand, row_diff, row_text
from ui.widgets import attempt, correct_roles, count, empty, likeness_text, need, share

__all__ = ["contradictions", "counts", "given", "listed", "policy"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]
SAYS = {"allow": "allowed", "review": "to review", "deny": "denied"}
SILENT = "nothing said"
MOST = 2_000  # sources in the table, those with most rows first
TERMS = {
    "commercial": ("commercial use", "forbid commercial use"),
    "share_alike": ("share-alike", "ask for share-alike"),
}


@st.cache_resource(max_entries=4, show_spinner=False)
def _sources(name: str, _scores: Scores) -> pl.Series | None:
    del name
    return as_text(_scores.dataset.views([Role.SOURCE]).collect().to_series()) if _scores.dataset.has(Role.SOURCE) else None


def _source() -> pl.Series | None:
    """The source of each row as text, String [rows]; None where no column has that role."""
    found: pl.Series | None = _sources(version(state.scores()), state.scores())
    return found


def given() -> None:
    """Say where licences come from: the role, a licence for each source, a default. Stops the page where nothing of it is there, or while it is measured."""
    data, held = state.scores().dataset, state.recipe().signals.get(SIGNAL.name, {})
    default, table = str(held.get("default", "")), dict(held.get("by_source") or {})
    role = data.roles.get(Role.LICENSE, ())
    bare = not role and not default and not table
    with st.expander("Where licences are said", expanded=bare, icon=":material/edit_note:"):
        st.text(f"The column {role[0]} says it." if role else "No column has the role license. Give one on the page Open, or say it here.")
        if not role:
            correct_roles()
        with st.form("licence-given", border=False):
            said = st.text_input(
                "Licence of rows that say nothing", default, placeholder="CC-BY-4.0, or what the dataset's card says", key=f"default-{default}"
            )
            edited = _table(table)
            asked = st.form_submit_button("Use these")
        if asked and attempt(lambda: _use(said.strip(), edited)):
            st.rerun()
    task = measuring.task_of(SIGNAL.name)
    if bare and (task is None or task.skip):
        empty("No row says its licence", "Name above the licence of the dataset or of its sources, or give the role license to a column on the page Open.")
        correct_roles()
        st.stop()
    need(SIGNAL.name)


def _table(held: Mapping[str, str]) -> Mapping[str, str]:
    """A licence for each source, to be edited."""
    source = _source()
    if source is None:
        st.text("No column has the role source, so licences cannot be said by source.")
        return held
    counted = source.drop_nulls().value_counts(name="rows").sort(["rows", "source"], descending=[True, False]).head(MOST)
    names = [*counted["source"], *(name for name in held if name not in {*counted["source"]})]
    rows = dict(counted.iter_rows())
    table = pl.DataFrame(
        {"source": names, "rows": [rows.get(n, 0) for n in names], "licence": [held.get(n) for n in names]}, schema_overrides={"licence": pl.String}
    )
    key = f"by-source-{sorted(held.items())}"
    edited = cast(pl.DataFrame, st.data_editor(table, disabled=["source", "rows"], hide_index=True, key=key, height=260))
    return {name: text.strip() for name, text in edited.select("source", "licence").iter_rows() if text and text.strip()}


def _use(default: str, table: Mapping[str, str]) -> None:
    now = state.recipe()
    said = check_parameters(SIGNAL, {"default": default, "by_source": dict(table) or None})
    state.change(now.model_copy(update={"signals": {**now.signals, SIGNAL.name: said}}))
    measuring.measure([SIGNAL.name])


def _spdx() -> pl.Series:
    return state.scores().frame["license_spdx"]


def policy() -> None:
    """What is allowed; set, it drops denied rows, and goes into the recipe."""
    now = state.recipe().licenses
    held = now or LicensePolicy(commercial=True)
    keys = _choices(held)
    ways = {"allow": "allow", "review": "review", "deny": "deny"}
    kept = {"keep": "keep", "review": "review", "drop": "drop"}
    with st.form(f"policy-{held.model_dump_json()}", border=False):
        commercial = st.toggle("Commercial use", held.commercial, help="Licences that forbid it are denied")
        alike = st.selectbox("Share-alike", list(ways), list(ways).index(held.share_alike), help="Licences by which copies and what is made of them stay free")
        unknown = st.selectbox(
            "Nothing or nothing known", list(kept), list(kept).index(held.unknown), help="Rows without a licence, or whose terms are not known"
        )
        more: dict[str, list[str]] = {}
        for name, about in (("deny", "Always deny"), ("allow", "Always allow"), ("review", "Always review")):
            more[name] = st.multiselect(about, keys, list(getattr(held, name)), accept_new_options=True, help="SPDX keys; * stands for any letters, CC-BY-NC-*")
        others = st.selectbox("All others", list(kept), list(kept).index(held.others), help="Licences that nothing above speaks of")
        asked = st.form_submit_button("Apply the policy" if now is None else "Change the policy", type="primary")
    if asked:
        _set({**more, "commercial": commercial, "share_alike": alike, "unknown": unknown, "others": others})
    if now is not None:
        st.button("Take the policy off", on_click=state.change, args=(state.recipe().model_copy(update={"licenses": None}),), key="policy-off")
    st.caption("A reading aid and no legal advice. A row to review is kept.")


def _choices(held: LicensePolicy) -> list[str]:
    """Licences that rows here have, and those that the policy names."""
    from curate.license import leaves

    found = {leaf for spdx in _spdx().drop_nulls().unique() for leaf in leaves(spdx)}
    return sorted(found | {*held.allow, *held.deny, *held.review})


def _set(given: Mapping[str, Any]) -> None:
    """Let a policy hold, or say what it contradicts."""
    try:
        wanted = LicensePolicy.model_validate(given)
    except ValidationError as error:
        st.error(plain(error.errors()[0]["msg"].removeprefix("Value error, ")), icon=":material/error:")
        return
    state.change(state.recipe().model_copy(update={"licenses": wanted}))
    st.rerun()


def counts() -> Bools | None:
    """Rows by licence and source with what the policy says; returns the rows of the line that is chosen, bool [rows], or None."""
    frame, source, now = state.scores().frame, _source(), state.recipe().licenses
    _metrics(now)
    rows = frame.select(licence=pl.col("license_spdx").fill_null(SILENT), spdx="license_spdx", said="license_origin", commercial="license_commercial",
                        share_alike="license_share_alike", unknown="license_unknown")  # fmt: skip
    if source is not None:
        rows = rows.with_columns(source.alias("source"))
    by = [c for c in rows.columns if c != "rows"]
    table = rows.group_by(by).len("rows").sort(["rows", *by], descending=[True, *[False] * len(by)])
    words = {True: "yes", False: "no", None: "not known"}
    shown = {"licence": table["licence"], "rows": table["rows"]}
    if source is not None:
        shown["source"] = table["source"]
    if now is not None:
        shown["policy"] = pl.Series([SAYS[verdict(s, now)] for s in table["spdx"]], dtype=pl.String)
    shown |= {TERMS[t][0]: pl.Series([words[v] for v in table[t]], dtype=pl.String) for t in TERMS}
    shown["said by"] = table["said"].fill_null("")
    shown["known"] = pl.Series([{True: "no such licence known", False: "yes", None: ""}[v] for v in table["unknown"]], dtype=pl.String)
    config = {"rows": st.column_config.NumberColumn(format="localized")}
    look: dict[str, Any] = {"hide_index": True, "on_select": "rerun", "selection_mode": "single-row", "height": min(420, 75 + 35 * len(table))}
    event = st.dataframe(pl.DataFrame(shown), key=f"licences-{version(state.scores())}-{now}", column_config=config, **look)
    silent = int(frame["license_spdx"].null_count())
    if silent:
        st.caption(f"{count(silent, 'rows')} say nothing: give a column the role license, or say above the licence of their source or of the dataset.")
    if not event.selection.rows:
        return None
    line = table.row(event.selection.rows[0], named=True)
    mine = rows["licence"].eq(line["licence"]) & rows["said"].eq_missing(line["said"])
    return np.asarray((mine & rows["source"].eq_missing(line["source"]) if source is not None else mine).to_numpy(), np.bool_)


def _metrics(now: LicensePolicy | None) -> None:
    """Licences, rows that say nothing known, and what the policy says of how many rows."""
    frame = state.scores().frame
    total, unclear = len(frame), int((frame["license_unknown"].fill_null(True)).sum())
    with st.container(horizontal=True, gap="medium"):
        st.metric("Licences", count(frame["license_spdx"].n_unique() - (frame["license_spdx"].null_count() > 0)), width="content")
        if now is None:
            no = int((~frame["license_commercial"]).sum())
            st.metric("Forbid commercial use", count(no), share(no, total), delta_color="off", delta_arrow="off", width="content")
        else:
            said = np.bincount(verdicts(frame["license_spdx"], now), minlength=len(VERDICTS))
            for name, rows in zip(VERDICTS, said.tolist(), strict=True):
                st.metric(SAYS[name].capitalize(), count(rows), share(rows, total), delta_color="off", delta_arrow="off", width="content")
        st.metric("No known licence", count(unclear), share(unclear, total), delta_color="off", delta_arrow="off", width="content")


def listed(mine: Bools | None) -> None:
    """The rows of the chosen line; else those that the policy denies or asks to review."""
    now = state.recipe().licenses
    if mine is None:
        worst = None if now is None else verdicts(_spdx(), now)
        mine = _spdx().is_null().to_numpy() if worst is None else worst > 0
        rows = np.flatnonzero(mine) if worst is None else np.flatnonzero(mine)[np.argsort(-worst[mine], kind="stable")]
        title = "that say nothing" if now is None else "denied or to review"
    else:
        rows, title = np.flatnonzero(mine), "of the line that is chosen"
    st.subheader(f"{count(len(rows), 'rows')} {title}")
    if not len(rows):
        st.text("Choose a line of the table to read its rows.")
        return
    with in_hand(rows.astype(np.int32), "licences", ["license_spdx"]) as row:
        row_text(row, 300)


def contradictions() -> None:
    """Rows under a free licence that are copies of rows under a stricter one, both side by side."""
    st.subheader("Copies whose licences contradict each other")
    measured = state.scores()
    if not measured.links:
        st.text("No duplicates are measured yet; copies under two licences show here when they are.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = str(st.selectbox("Copies by", list(measured.links), format_func=lambda n: n.replace("_", " "), key="conflict-links", persist_state="session"))
        term = str(st.selectbox("Copies of rows that", list(TERMS), format_func=lambda t: TERMS[t][1], key="conflict-term", persist_state="session"))
    held = state.recipe().thresholds.get(name)
    limit = held.limit if isinstance(held, LinkThreshold) else groups.proposal(measured.measured[name])[0]
    origin = "the recipe's limit" if isinstance(held, LinkThreshold) else "the proposed limit; the recipe has none"
    found = _conflicts(f"{version(measured)} {name} {limit} {term}", measured, name, limit, term)
    other = "forbids commercial use" if term == "commercial" else "asks for share-alike"
    st.caption(
        f"{count(len(found), 'rows')} whose licence does not, but that are at least {likeness_text(limit)} alike to a row whose licence {other} ({origin})."
    )
    if found.is_empty():
        return
    rows: Ints = found["row"].to_numpy()
    more = {"alike": found["similarity"].to_numpy(), "to row": found["other"].to_numpy()}
    with in_hand(rows, f"conflict-{name}-{term}", ["license_spdx"], more, (1, 1)) as row:
        copy = int(found["other"][found["row"].index_of(row) or 0])
        spdx = _spdx()
        st.text(f"Row {count(row)}: {spdx[row]}\nRow {count(copy)}: {spdx[copy]}")
        row_diff(row, copy)


@st.cache_resource(max_entries=8, show_spinner=False)
def _conflicts(key: str, _scores: Scores, name: str, limit: float, term: str) -> pl.DataFrame:
    del key
    known = _scores.frame[f"license_{term}"]
    free, strict = (known, ~known) if term == "commercial" else (~known, known)
    sides = [np.asarray(side.fill_null(False).to_numpy(), np.bool_) for side in (free, strict)]
    return conflicts(_scores.links[name].pairs, limit, sides[0], sides[1])
