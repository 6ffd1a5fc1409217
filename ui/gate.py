"""The gate on the page Export: what it found, whether that stops the export, and what is let through for a written reason."""

from __future__ import annotations

from typing import Any

import streamlit as st

from curate.errors import InputError
from curate.finding import Finding, Gated
from curate.gate import gated
from curate.gating import Gate, Override
from ui import state
from ui.escape import plain
from ui.widgets import count

__all__ = ["gate"]

SHOWN = 5
"""Rows of a finding that are named on the page."""
TITLES = {
    "personal": "Personal data",
    "license": "Denied licences",
    "contamination": "Contamination",
    "synthetic": "Unread synthetic rows",
    "noise_rate": "Noise rate",
    "duplicates": "Copies left",
    "share": "Share of one value",
    "min_rows": "Too few rows",
}
PAGES = {
    "personal": ("audit/personal", "Personal data"),
    "license": ("audit/licences", "Licences"),
    "contamination": ("audit/contamination", "Contamination"),
    "synthetic": ("decide/review", "Review"),
    "noise_rate": ("audit/noise", "Noise rate"),
    "duplicates": ("decide/thresholds", "Thresholds"),
    "share": ("decide/budget", "Budget"),
    "min_rows": ("decide/thresholds", "Thresholds"),
}
"""Where a finding is looked into."""


def _title(name: str) -> str:
    base, _, which = name.partition(".")
    return f"{TITLES[base]}: {which.replace('_', ' ')}" if which else TITLES[base]


def gate() -> bool:
    """Draw what the gate says of the kept rows; whether they may be exported."""
    try:
        with st.spinner("Looking for what should not be exported", show_time=False):
            found = gated(state.scores(), state.applied(), state.selection(), state.decided().marked)
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return False
    stops = found.gate is not None
    with st.container(border=True, key="gate", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{_headline(found)}**", width="stretch")
            st.toggle("Stop exports", stops, key=f"gate-stops-{stops}", on_change=_set_gate, args=(None if stops else Gate(),), help=HELP)
        for one in found.findings:
            _finding(found, one)
        for name in found.idle:
            _idle(found, name)
        if found.unchecked:
            st.caption(plain("Not checked: " + "; ".join(f"{_title(name).lower()} ({why})" for name, why in found.unchecked.items()) + "."))
        if found.gate is not None:
            _limits(found.gate)
            if found.blocking:
                _override(found.blocking)
    return not found.blocking


HELP = "The recipe gets a gate: while something is found that nobody overrode, neither this page nor curate run writes the rows"


def _headline(found: Gated) -> str:
    more = f"; not checked: {', '.join(_title(name).lower() for name in found.unchecked)}" if found.unchecked else ""
    if found.blocking:
        return f":material/block: The gate stops this export: {count(len(found.blocking), 'findings')}{more}"
    if found.open:
        return f":material/warning: {count(len(found.open), 'findings')} in the kept rows; nothing is stopped{more}"
    if found.findings:
        return f":material/lock_open: {count(len(found.findings), 'findings')}, overridden{more}"
    if found.unchecked:
        return f":material/help: Nothing is found in what was checked{more}"
    return ":material/verified_user: Nothing is found that should stop an export"


def _finding(found: Gated, one: Finding) -> None:
    """One finding: what, what to do, its first rows, and the page to look into it; its reason where it is let through."""
    reason, (page, label) = found.reason(one), PAGES[one.name.partition(".")[0]]
    said, act = st.columns([5, 1], vertical_alignment="center")
    said.markdown(f"**{plain(_title(one.name))}.** {plain(one.what[:1].upper() + one.what[1:])}.")
    if reason is not None:
        said.caption(f"Overridden: {plain(reason)}")
        act.button("Take back", key=f"gate-back-{one.name}", on_click=_take_back, args=(one.name,))
        return
    more = f" and {count(one.number - min(SHOWN, len(one.rows)))} more" if one.number > SHOWN else ""
    rows = f" Rows {', '.join(one.rows[:SHOWN])}{more}." if one.rows else ""
    said.caption(plain(f"{one.remedy}.{rows}"))
    act.page_link(f"pages/{page}.py", label=label, icon=":material/arrow_forward:")


def _idle(found: Gated, name: str) -> None:
    """An override that lets nothing through now: it would as soon as something is found."""
    said, act = st.columns([5, 1], vertical_alignment="center")
    reason = found.gate.reason(name) if found.gate is not None else None
    said.caption(plain(f"{_title(name)}: nothing is found now, and would be let through: {reason}"))
    act.button("Take back", key=f"gate-back-{name}", on_click=_take_back, args=(name,))


def _set_gate(new: Gate | None) -> None:
    state.change(state.recipe().model_copy(update={"gate": new}))


def _changed(**given: Any) -> None:
    _set_gate(Gate.model_validate({**(state.recipe().gate or Gate()).model_dump(), **given}))


def _take_back(name: str) -> None:
    """Take a finding off the overrides, also where a wider name let it through."""
    names = {name, name.partition(".")[0]}
    held = (state.recipe().gate or Gate()).override
    _changed(override=[{**one.model_dump(), "names": left} for one in held if (left := [n for n in one.names if n not in names])])


def _override(blocking: tuple[Finding, ...]) -> None:
    """Let findings through for a reason; kept in the recipe and in the manifest."""
    with st.form(f"gate-override-{[f.name for f in blocking]}", border=False):
        names = st.multiselect("Let through", [f.name for f in blocking], format_func=_title, placeholder="choose findings")
        reason = st.text_area("Why", placeholder="The addresses are those of a public mailing list, which permits it.", height=80)
        asked = st.form_submit_button("Override", icon=":material/lock_open:")
    if asked and not (names and reason.strip()):
        st.error("Choose what is let through and write why: the manifest holds both.", icon=":material/error:")
    elif asked:
        held = (state.recipe().gate or Gate()).override
        _changed(override=[*(one.model_dump() for one in held), Override(names=names, reason=reason).model_dump()])
        st.rerun()


def _limits(held: Gate) -> None:
    """Limits beside the four rules."""
    with st.expander("Limits of the gate"), st.form(f"gate-limits-{held.model_dump_json()}", border=False):
        noise = st.number_input("Noise rate, upper bound, at most %", 0.0, 100.0, None if held.noise_rate is None else 100 * held.noise_rate, 1.0)
        copies = (held.duplicates or {}).get("near_duplicate")
        share = st.number_input("Copies left by near duplicates, at most %", 0.0, 100.0, None if copies is None else 100 * copies, 1.0)
        fewest = st.number_input("Rows kept, at least", 0, None, held.min_rows)
        asked = st.form_submit_button("Set the limits")
        st.caption("Empty: no limit. A recipe can also hold limits of rows for each rule, and gate.share by column.")
    if asked:
        others = {name: limit for name, limit in (held.duplicates or {}).items() if name != "near_duplicate"}
        duplicates = others if share is None else {**others, "near_duplicate": share / 100}
        _changed(noise_rate=None if noise is None else noise / 100, duplicates=duplicates or None, min_rows=fewest)
        st.rerun()
