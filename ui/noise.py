"""The noise page: a random sample drawn within strata, each row judged by a key, the rates with their intervals, and what the rows are worth."""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl
import streamlit as st

from curate.audit import audit
from curate.example import examples
from curate.noise import KINDS, Noise, draw, drawn, effective_size, noise, strata, worth
from curate.rate import more_to_halve, percent
from curate.report import report_page
from curate.roles import Role
from curate.saturation import ALIKE, copies
from curate.stratum import by_stratum
from ui import state
from ui.charts import HAND, KEPT, escape, layout, show
from ui.keys import KEYS, numbered
from ui.reader import name_box, reader
from ui.rows import row_link, row_text
from ui.widgets import attempt, beside, count, empty, share

__all__ = ["begin", "hand", "rates", "report", "value"]

WHOLE = "no strata"


def _columns() -> dict[str, str]:
    """Columns that strata can be made of: roles and the cluster, by how they are called."""
    data, frame = state.scores().dataset, state.scores().frame
    found = {WHOLE: ""} | {str(role): str(role) for role in (Role.SOURCE, Role.LABEL, Role.SPLIT, Role.LICENSE) if role in data.roles}
    return found | ({"cluster": "cluster_number"} if "cluster_number" in frame.columns else {})


def _draw() -> None:
    column, rows = _columns()[st.session_state["noise-strata"]], int(st.session_state["noise-rows"])

    def taken() -> None:
        at = draw(strata(state.scores(), column), rows, int(st.session_state["noise-seed"]))
        state.mark("sample", state.scores().frame["row_id"].gather(at).to_list(), column)

    attempt(taken)


def begin() -> None:
    """How the sample is drawn, and who judges."""
    held = drawn(state.decided().marked)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name_box("Two judges of the same rows give an agreement")
        with st.popover("Draw another sample" if held else "Draw a sample", icon=":material/casino:"):
            st.selectbox("Within", list(_columns()), key="noise-strata", help="Rows are drawn from each value in proportion, two at least")
            st.number_input("Rows", 10, 100_000, 100, key="noise-rows")
            st.number_input("Seed", 0, 1 << 31, 0, key="noise-seed")
            st.button("Draw", on_click=_draw, type="primary", key="noise-draw")
            if held:
                st.caption("What was judged of the old sample counts where the new one draws the same rows.")
    if held is None:
        empty("No sample is drawn yet", "A noise rate comes from rows drawn at random and judged by people. 100 rows tell a rate to about ten points.")
        value()
        report()
        st.stop()


def _say(row_id: str, word: str) -> None:
    state.mark("judge", [row_id], word, reader())


def hand() -> None:
    """The next row of the sample that this judge has not judged, and the keys."""
    said, who = state.decided().marked, reader()
    sample = drawn(said)
    assert sample is not None
    mine = {row for r in said if r.action == "judge" and r.by == who for row in r.rows}
    left = [row for row in sample.rows if row not in mine]
    st.progress(
        1 - len(left) / max(1, len(sample.rows)), f"{count(len(sample.rows) - len(left))} of {count(len(sample.rows), 'rows')} judged by {who or 'you'}"
    )
    ids = state.scores().frame["row_id"]
    at = next((i for row in left if (i := ids.index_of(row)) is not None), None)
    if at is None:
        empty("Every row of the sample is judged", "Draw a larger sample, or let a second person judge these rows under another name.")
        return
    row = str(ids[at])
    with st.container(horizontal=True, gap="small"):
        st.button("Good", key="judge-good", on_click=_say, args=(row, "good"), shortcut=KEYS["good"], type="primary")
        st.button("Bad", key="judge-bad", on_click=_say, args=(row, "bad"), shortcut=KEYS["bad"])
        st.button("Unsure", key="judge-unsure", on_click=_say, args=(row, "unsure"), shortcut=KEYS["skip"], help="Counts neither way")
        row_link(at, "All about this row")
    with st.container(horizontal=True, gap="xsmall"):
        for number, kind in enumerate(KINDS, 1):
            st.button(kind, key=f"judge-{number}", on_click=_say, args=(row, f"bad: {kind}"), shortcut=numbered(number), help="Bad, and of this kind")
    measured = state.scores()
    if measured.dataset.has(Role.LABEL):
        st.text(f"Label: {measured.dataset.rows_at([at], [Role.LABEL]).item()}")
    row_text(at, 260)


def _rates_figure(found: Noise) -> None:
    """The rate of all and of each stratum, with intervals."""
    rate = found.rate
    by = found.by if len(found.by) > 1 else {}
    names, each = ["all", *by], [rate, *by.values()]
    told = [(n, r) for n, r in zip(names, each, strict=True) if r.value is not None]
    figure = go.Figure()
    x = [float(r.value or 0) for _, r in told]
    figure.add_scatter(
        x=x,
        y=[escape(n[:40]) for n, _ in told],
        mode="markers",
        marker={"color": KEPT, "size": 10},
        error_x={
            "array": [r.high - v for v, (_, r) in zip(x, told, strict=True)],
            "arrayminus": [v - r.low for v, (_, r) in zip(x, told, strict=True)],
            "color": HAND,
        },
        customdata=[[r.low, r.high, r.bad, r.judged] for _, r in told],
        hovertemplate="%{y}: %{x:.1%}, 95 % interval %{customdata[0]:.1%} to %{customdata[1]:.1%}; %{customdata[2]} bad of %{customdata[3]}<extra></extra>",
    )
    unknown = f"{count(sum(r.value is None for r in each[1:]), 'strata')} without a judged row: the rate of all is not known yet"
    title = unknown if rate.value is None else f"{percent(rate.value)} of rows are bad, between {percent(rate.low)} and {percent(rate.high)}"
    layout(figure, title, 100 + 30 * max(2, len(told)))
    figure.update_xaxes(title="share of bad rows, Wilson's 95 % interval", tickformat=".0%", range=[-0.02, 1.02])
    figure.update_yaxes(autorange="reversed", type="category")
    show(figure, "noise")


def rates() -> None:
    """The rate in all and in each stratum with intervals, kinds, agreement, and how many more rows would halve the interval."""
    found = noise(state.scores(), state.decided().marked)
    assert found is not None
    rate = found.rate
    if found.lost:
        what = f"It was drawn within {found.lost.replace('_', ' ')}, which is no column here now, so what each judged row stands for is not known. "
        empty("The sample has lost its strata", f"{what}Bring that column back, or draw another sample: words on rows that it draws again still count.")
        return
    if not found.judged:
        empty("No row is judged yet", "The rate and its interval stand here from the first judgement on.")
        return
    _rates_figure(found)
    more = more_to_halve(rate)
    parts = [f"{rate.bad} bad of {rate.judged} judged rows", f"{found.unsure} unsure, counted neither way"]
    parts += [f"{count(more, 'more rows')} would halve the interval"] if more is not None else []
    parts += [f"{kind}: {n}" for kind, n in sorted(found.kinds.items(), key=lambda k: -k[1])]
    st.caption(" · ".join(parts))
    for a in found.agreement:
        st.caption(f"Agreement of {len(found.judges)} judges, {a.measure.replace('_', ' ')}: {a.value:.3f}")


def value() -> None:
    """What the kept rows are worth, in all and by stratum."""
    held, measured = state.selection(), state.scores()
    found, about = worth(measured, held.keep, held.signal, state.noise_kept())
    st.subheader("What the rows are worth")
    cells = beside("noise-worth", 1, 1, 1, 1)
    cells[0].metric("Rows kept", count(held.kept), f"{share(held.kept, held.rows)} of {count(held.rows)}", "off", delta_arrow="off")
    twins = copies(measured, state.applied(), state.decided().marked)
    limit = "at the recipe's limits" if held.gives_way else f"one of each group at {ALIKE:g}: no limit is set"
    left = ("–", "not measured") if twins is None else (count(held.rows - twins), limit)
    cells[1].metric("After duplicates", *left, "off", delta_arrow="off", help="Rows of the dataset without those that give way to a twin")
    said = "–" if found.value is None else count(found.value)
    cells[2].metric("Effective information", said, f"{count(found.low)} to {count(found.high)}", "off", delta_arrow="off")
    size, weighed = effective_size(held)
    cells[3].metric("Kish's effective size", count(size), "weights by score" if weighed else "equal weights", "off", delta_arrow="off")
    signal = "the rank score" if about["signal"] != "none" else "no rank score within 0 and 1, so 1"
    st.caption(f"Rows kept × (1 − noise rate among them) × mean signal ({about['mean_signal']:.2f}; {signal}).")
    _by_stratum()


def _by_stratum() -> None:
    """The same for each source, label or cluster, or whatever the sample was drawn within."""
    column, found = by_stratum(state.scores(), state.applied(), state.selection(), state.decided().marked)
    if not found:
        st.caption("By source, label or cluster it is told once a column has such a role, or clusters are measured.")
        return
    whole = {"rows": [s.rows for s in found], "kept": [s.kept for s in found], "after duplicates": [s.unique for s in found]}
    shares = {"signal": [s.signal for s in found], "noise": [s.noise.value for s in found]}
    worths: dict[str, list[float | None]] = {
        "worth": [s.worth.value for s in found],
        "low": [s.worth.low for s in found],
        "high": [s.worth.high for s in found],
    }
    ends = {name: [None if v is None else round(v) for v in values] for name, values in worths.items()}
    size, judged = {"Kish's size": [round(s.size) for s in found]}, {"judged": [s.noise.judged for s in found]}
    names = {column.replace("_", " "): [s.name for s in found]}
    table = pl.DataFrame({**names, **whole, **size, **shares, **judged, **ends}, schema_overrides={"after duplicates": pl.Int64, "worth": pl.Int64})
    number = st.column_config.NumberColumn
    config = {n: number(format="localized") for n in (*whole, *size, *ends)} | {"signal": number(format="%.2f"), "noise": number(format="percent")}
    st.dataframe(table, hide_index=True, column_config=config, placeholder="–")


def report() -> None:
    """The audit as one file that opens without a network; what the recipe waits for is left out of it."""
    measured, said, now = state.scores(), state.decided().marked, state.applied()
    name = measured.dataset.name
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.popover("What the report holds", icon=":material/tune:"):
            rows = int(st.number_input("Rows quoted of each check", 0, 1000, 0, key="report-rows", help="The most extreme first; 0 quotes none"))
            raw = st.toggle("Leave personal data as it is", key="report-personal", help="Else what is found of it is redacted")

        def page() -> bytes:
            return report_page(name, audit(measured, now, said), examples(measured, now, rows, raw, said), raw).encode()

        icon = ":material/description:"
        st.download_button("Download the audit report", page, f"{name}-audit.html", "text/html", icon=icon, on_click="ignore", key="report")
    quoted = f"Up to {count(rows, 'rows')} of each check are quoted" if rows else "No row is quoted"
    st.caption(f"Counts and rates with their intervals. {quoted}; personal data {'stays as it is' if raw else 'is redacted'}.")
