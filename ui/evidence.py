"""What a run found: the verdicts in words first, then pictures, then every comparison, then what it rests on and the folder that travels."""

from __future__ import annotations

import shlex
from typing import Any

import polars as pl
import streamlit as st

from curate.probes.account import slice_lines, turned
from curate.probes.compare import SAME, TOO_FEW, Metric, comparisons
from curate.probes.run import Run
from curate.probes.verdict import difference
from curate.probes.whole import aside
from ui import probing
from ui.curves import beside_controls, on_the_way, over_compute, utilities
from ui.escape import plain
from ui.measuring import duration
from ui.widgets import attempt, count, empty

__all__ = ["found", "pictures", "record", "table", "watch"]

SAID = 6  # sentences that are shown unasked
MARKS = {
    "better": ":material/arrow_upward:",
    "worse": ":material/arrow_downward:",
    "no difference seen": ":material/drag_handle:",
    SAME: ":material/content_copy:",
    TOO_FEW: ":material/question_mark:",
}


def watch(run: Run | None) -> None:
    """While a run is under way, show it anew as trainings come."""
    if probing.job() is not None:
        st.fragment(_poll, run_every=3.0)(None if run is None else run.name, len(probing.records()[0]), -1 if run is None else probing.done(run))


def _poll(name: str | None, runs: int, done: int) -> None:
    found = probing.records()[0]
    mine = next((run for run in found if run.name == name), None)
    if len(found) != runs or (mine is not None and probing.done(mine) != done) or probing.job() is None:
        st.rerun(scope="app")


def found(run: Run) -> None:
    """The finding, and its sentences."""
    told, (done, every) = probing.told(run)
    if not told["comparisons"] and not done:
        empty("Nothing is trained yet", f"{count(every, 'trainings')} are to come.")
    else:
        st.subheader(plain(str(told["finding"])))
        st.text(run.plan.about)
    if len(run.plan.sizes) > 1 and done:
        st.page_link("pages/prove/curve.py", label="What more rows would buy, by its curve", icon=":material/show_chart:")
    if lost := aside(run):
        st.warning(f"{count(len(lost), 'trainings')} could not be read and {'are' if len(lost) > 1 else 'is'} kept aside: go on, and they are trained again.")
    if done < every:
        st.caption(f"{count(done)} of {count(every, 'trainings')} are done: intervals are wider than they will be.")
        if probing.job() is None:
            st.button("Go on", key="probe-go-on", on_click=probing.go_on, args=(run,), help="What is trained is not trained again")
    if told["suspected"]:
        st.warning(told["suspected"], icon=":material/label_off:")
    said = [one for one in told["comparisons"] if not one["domain"] and not one["again"]]
    said.sort(key=lambda one: (-one["size"], one["verdict"] in ("no difference seen", SAME)))
    with st.container(gap="xxsmall"):
        for one in said[:SAID]:
            _sentence(one)
    if len(said) > SAID:
        with st.expander(f"{count(len(said) - SAID)} more comparisons in words"), st.container(gap="xxsmall"):
            for one in said[SAID:]:
                _sentence(one)
    if said:
        st.caption(plain(str(told["caution"])))
    if told["slices"]:
        st.markdown("**What each slice is worth**")
        st.text("\n".join(slice_lines(told["slices"])))


def _sentence(one: dict[str, Any]) -> None:
    st.markdown(f"{MARKS[one['verdict']]} {plain(one['said'])}")


def pictures(run: Run) -> None:
    """Metric against compute, arms beside their controls, curves over training, and the worth of slices."""
    held = probing.held(run)
    if not held.cells:
        return
    metrics = list(held.metrics)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        metric = st.segmented_control("Metric", metrics, default=metrics[0], required=True, key=f"evidence-metric-{run.name}")
        compute = st.segmented_control("Compute", ["rows seen", "rows drawn", "seconds"], default="rows seen", required=True, key="evidence-compute")
        domains = held.domains
        domain = st.selectbox("Domain", domains, key=f"evidence-domain-{run.name}", format_func=lambda d: d or "all rows") if len(domains) > 1 else ""
    chosen: Metric = "accuracy" if metric == "accuracy" else "loss"
    over_compute(held, chosen, str(domain), str(compute))
    beside_controls(held, chosen, str(domain))
    on_the_way(held, chosen, str(domain))
    utilities(held, chosen, str(domain))


def table(run: Run) -> None:
    """Every comparison as a row, over all rows and by domain."""
    held, (account, (done, every)) = probing.held(run), probing.told(run)
    if not held.cells or (done == every and not account["comparisons"]):
        return
    st.subheader("Every comparison")
    by_domain = len(held.domains) > 1 and st.toggle("By domain too", key="evidence-by-domain")
    compared = comparisons(held, None, held.domains if by_domain else [""])
    if compared.is_empty():
        empty("Nothing to compare yet", "An arm and its control must both be trained with one seed.")
        return
    rows = [
        {
            "arm": one["arm"],
            "rows": one["size"],
            "trained": one["amount"],
            "against": "random" if one["against"] == "control" else one["other"],
            "its rows": one["other_size"],
            "domain": one["domain"] or "all rows",
            "verdict": difference(one),
            "after Holm": None if one["holm"] is None else one["holm"],
            "seeds": one["seeds"],
        }
        for one in compared.iter_rows(named=True)
    ]
    number = st.column_config.NumberColumn(format="localized")
    told = "The chance of a difference as large if there were none, raised for all comparisons made; below 0.05 it stands"
    config = {"rows": number, "its rows": number, "after Holm": st.column_config.NumberColumn("p after Holm", format="%.3f", help=told)}
    st.dataframe(pl.DataFrame(rows), hide_index=True, column_config={**config, "verdict": st.column_config.TextColumn(width=380)})


def record(run: Run) -> None:
    """What the run rests on, what it took, and how its folder leaves and comes back."""
    told, _ = probing.told(run)
    spent = told["spent"]
    st.subheader("What it rests on")
    st.text(told["validation"])
    if told["overfitting"]:
        lines = turned(told["overfitting"])
        st.warning(f"{count(len(lines), 'trainings')} began to learn by heart.", icon=":material/trending_up:")
        with st.expander("Which, and since when"):
            st.text("\n".join(lines))
    for one in told.get("lots", ()):
        st.caption(plain(f"{one}."))
    if told["mixed"]:
        st.warning(plain(f"{told['mixed']}."), icon=":material/memory:")
    cost = f", {spent['cost']:,.2f} {spent['currency']}" if spent["cost"] is not None else ""
    st.text(f"{count(spent['trainings'], 'trainings')} took {duration(spent['seconds'])}, {duration(spent['cpu_seconds'])} of processor{cost}.")
    for one in spent["hardware"]:
        versions = ", ".join(f"{k} {v}" for k, v in one.items() if k not in ("host", "cores", "cpus", "device") and v is not None)
        st.caption(plain(f"{one['device']}, {one['cores']} of {one['cpus']} cores, {one['host']}; {versions}"))
    trainer = ", ".join(f"{k}: {v}" for k, v in spent["trainer"].items())
    arms = "; ".join(f"{name}: {count(one['rows'], 'rows')}" for name, one in run.about["arms"].items())
    st.caption(plain(f"Probe {run.plan.probe} {run.about['probe']['version']}{f' ({trainer})' if trainer else ''}. {arms}."))
    with st.expander("Train it elsewhere, and take it back"):
        _travel(run)


def _travel(run: Run) -> None:
    st.text("The folder is all that another machine needs. Its texts are those of the dataset.")
    st.code(f"curate probe {shlex.quote(run.name)}", language="bash")
    st.text(str(run.folder))
    st.download_button("Download the folder", probing.packed(run), f"probe-{run.name}.zip", "application/zip", on_click="ignore", icon=":material/folder_zip:")
    typed = st.text_input("Folder or zip file that comes back", key=f"probe-back-{run.name}", placeholder="/media/stick/run.zip")
    if st.button("Take its trainings", key="probe-take", disabled=not str(typed or "").strip()):
        said: list[str] = []
        if attempt(lambda: said.append(probing.bring_back(run, str(typed)))):
            st.session_state["probe-taken"] = said[0]
            st.rerun()
    if "probe-taken" in st.session_state:
        st.text(str(st.session_state.pop("probe-taken")))
