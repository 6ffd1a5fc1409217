"""The page on probes: what is to be tried is chosen, its cost told before it starts, and runs are listed as the records that they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import streamlit as st

from curate.corrected import column_of
from curate.errors import InputError
from curate.probes.command import held_in
from curate.probes.experiment import EXPERIMENTS, SLICES, Asked, experiment, kept_recipe, plan_of
from curate.probes.gather import dump_plan
from curate.probes.plan import EVERY, Amount, Arm, Plan, Price, Validation
from curate.probes.probe import ladder, suited
from curate.probes.run import Run
from curate.recipe import load_recipe
from curate.roles import Role
from curate.view import as_text
from ui import probing, state
from ui.escape import plain
from ui.measuring import duration
from ui.widgets import count, empty

__all__ = ["chosen", "start"]

OWN = "own"
KINDS = {"": "all three", "uniform": "uniform", "class": "by class", "instance": "by row"}


def start() -> None:
    """Choose an experiment or arms, see what it would take, and start it."""
    names = [*EXPERIMENTS, OWN]
    picked = str(
        st.selectbox("Experiment", names, key="probe-experiment", format_func=lambda n: EXPERIMENTS[n].title if n in EXPERIMENTS else "Slices of my choice")
    )
    asks = EXPERIMENTS[picked].asks if picked in EXPERIMENTS else "Are the rows that I choose worth more than as many others?"
    st.caption(asks)
    try:
        plan = _plan(picked)
        trained, nothing = probing.distinct(plan)
        took, before = probing.expected(trained)
    except InputError as error:
        empty("Cannot start yet", str(error))
        return
    if plan.about not in ("", asks):
        st.caption(plain(plan.about.removeprefix(asks).strip()))
    if nothing:
        st.warning(nothing, icon=":material/content_copy:")
    speed = "at the speed of the last run here" if took.measured else "at this probe's usual speed on two cores"
    first = f", after {duration(before)} of measuring embeddings" if before else ""
    cost = f", {took.cost:,.2f} {plan.price.currency}" if took.cost is not None else ""
    st.text(f"At most {count(took.trainings, 'trainings')}, {count(took.seen, 'rows')} seen: about {duration(took.seconds)}{cost} {speed}{first}.")
    running = probing.job() is not None
    st.button("Start", key="probe-start", type="primary", on_click=_begin, args=(plan,), disabled=running, width="stretch")
    if running:
        st.caption("A run is under way; cancel it in the frame, or wait for it.")
    with st.expander("Plan, and the command that does the same"):
        st.code(probing.command(plan), language="bash", wrap_lines=True)
        st.code(dump_plan(plan), language="yaml", height=260)


def _begin(plan: Plan) -> None:
    """Start a run, and show the newest one."""
    probing.begin(plan)
    st.session_state.pop("probe-run", None)


def _plan(picked: str) -> Plan:
    """The plan of what is chosen. Raises InputError where it lacks something."""
    by = against = None
    if pending := state.waiting():
        raise InputError("recipe", f"what the recipe keeps is not known yet: {'; '.join(pending.values())}", "Measure it, or take that part off")
    if picked in EXPERIMENTS and experiment(picked).by:
        by = _by(picked)
    if picked == "recipes":
        typed = str(st.text_input("The other recipe", key="probe-against", placeholder="other.yaml"))
        against = probing.seen(typed) if typed.strip() else None
    arms = _arms() if picked == OWN else ()
    asked = _asked(picked, by, against)
    if picked != OWN:
        return plan_of(picked, probing.in_hand(), asked)
    if not arms:
        raise InputError("arms", "no slice is chosen", "Choose at least one above")
    kept = plan_of("kept", probing.in_hand(), asked)
    return kept.model_copy(update={"experiment": "", "about": "", "arms": (Arm(name=EVERY, rows="all"), *arms), "amounts": (Amount(epochs=asked.times),)})


def _by(picked: str) -> str | None:
    """What an experiment goes by: a numeric column, one of few values, or a kind of noise."""
    measured = state.scores()
    title = experiment(picked).by.capitalize()
    if picked == "noise":
        return str(st.selectbox(title, list(KINDS), key="probe-kind", format_func=KINDS.__getitem__)) or None
    frame, columns = measured.frame, dict(measured.dataset.columns)
    numbers = [n for n, kind in frame.schema.items() if kind.is_numeric()]
    if picked in ("curriculum", "deciles"):
        options = [*numbers, *(n for n, kind in measured.dataset.scan().collect_schema().items() if kind.is_numeric() and n != "row_id")]
        return _chosen(title, options, f"probe-by-{picked}")
    if picked == "learning-curve":
        return _chosen(title, [*columns], f"probe-by-{picked}", None)
    roles = [str(r) for r in (Role.SOURCE, Role.LABEL, Role.SYNTHETIC, Role.SPLIT) if measured.dataset.has(r)]
    cluster = ["cluster"] if "cluster_number" in frame.columns else []
    return _chosen(title, list(dict.fromkeys([*roles, *cluster, *columns])), f"probe-by-{picked}")


def _chosen(title: str, options: Sequence[str], key: str, first: int | None = 0) -> str | None:
    found = st.selectbox(title, options, key=key, format_func=lambda n: n.replace("_", " "), index=first if options else None)
    return None if found is None else str(found)


def _arms() -> tuple[Arm, ...]:
    """Slices as checkboxes: kept rows, another recipe, values of a column, deciles of a score."""
    found, measured = list[Arm](), state.scores()
    if st.checkbox("Kept rows", True, key="probe-kept"):
        found.append(Arm(name="kept rows"))
    typed = str(st.text_input("What another recipe keeps", key="probe-other", placeholder="other.yaml")).strip()
    if typed:
        place = probing.seen(typed)
        found.append(Arm(name=f"other recipe: {place.stem}"[:60], recipe=kept_recipe(load_recipe(place), measured.workspace)))
    by = _by("slices")
    if by is not None:
        values = as_text(column_of(measured, by, "probes", state.decided().marked)).drop_nulls().value_counts(sort=True).head(SLICES)
        with st.container(height=170, border=True, gap="xxsmall"):
            for at, (value, rows) in enumerate(values.iter_rows()):
                if st.checkbox(plain(f"{value[:60]} · {count(rows)}"), key=f"probe-value-{by}-{at}"):
                    found.append(Arm(name=f"{by} {value}", where={by: value}))
    score = _chosen("Score, for its deciles", ["", *(n for n, kind in measured.frame.schema.items() if kind.is_numeric())], "probe-score")
    if score:
        for i in st.pills("Deciles", range(1, 11), selection_mode="multi", key="probe-deciles", wrap=True):
            found.append(Arm(name=f"{score} decile {i}", rows="all", between={score: ((i - 1) / 10, i / 10)}))
    return tuple(found)


def _asked(picked: str, by: str | None, against: Path | None) -> Asked:
    """Probe, sizes, seeds, epochs, validation, price."""
    names = suited(state.scores().dataset)
    if not names:
        raise InputError("probe", "no probe can learn from these rows: they have no label", "Give a column the role label")
    probe = str(st.selectbox("Probe", names, key="probe-name", format_func=lambda n: f"{n}: {ladder()[n].about.lower()}", help=ladder()[names[0]].source))
    own = EXPERIMENTS["kept" if picked == OWN else picked]
    told = "Three tell little: intervals shrink fast up to about ten"
    seeds = int(st.number_input("Seeds", 1, 50, own.seeds, key=f"probe-seeds-{own.seeds}", help=told))
    with st.expander("Rows, epochs, validation, price"):
        sizes = str(st.text_input("Rows of each arm", key="probe-sizes", placeholder="left to the experiment", help="Several, as 1000 4000; else all"))
        epochs = float(st.number_input("Epochs", 0.1, 100.0, own.epochs, key=f"probe-epochs-{own.epochs:g}"))
        validation = _validation()
        price = float(st.number_input("Price of a machine hour", 0.0, key="probe-price", help="0 where it costs nothing"))
    return Asked(probe, by, against, _sizes(sizes), seeds, epochs, None, validation, Price(hour=price))


def _sizes(typed: str) -> tuple[int, ...] | None:
    parts = typed.replace(",", " ").split()
    if not all(part.isdigit() and int(part) for part in parts):
        raise InputError("sizes", f"{typed!r} are no numbers of rows", "Write them as 1000 4000")
    return tuple(sorted({int(part) for part in parts})) or None


def _validation() -> Validation | None:
    typed = str(st.text_input("Validation rows", key="probe-validation", placeholder="the split, else a tenth", help="A file with the same columns")).strip()
    return held_in(probing.seen(typed), state.full_recipe()) if typed else None


def chosen() -> Run | None:
    """The run that is looked at, the newest unless another is chosen; None where there is none. All of them as records beneath."""
    found, wrong = probing.records()
    for why in wrong:
        st.caption(plain(f"A folder is passed over: {why}"))
    if not found:
        running = probing.job()
        if running is not None:
            empty("The run is being prepared", "It measures what it needs and takes its validation rows. This page fills by itself.")
        else:
            empty("Nothing was tried yet", "Choose an experiment and start it. It trains small and cheap, beside a control of as many rows drawn at random.")
        return None
    names = {run.name: run for run in found}
    picked = st.selectbox("Run", list(names), key=f"probe-run-{found[0].name}", format_func=lambda n: _title(names[n]))
    with st.expander(f"All {count(len(found), 'runs')}"):
        st.dataframe(pl.DataFrame([_record(run) for run in found]), hide_index=True)
    return names[str(picked)]


def _title(run: Run) -> str:
    one = _record(run)
    return f"{one['made (UTC)']} · {one['experiment']} · {run.plan.probe} · {count(probing.done(run), 'trainings')} · {run.name[:6]}"


def _record(run: Run) -> dict[str, str | int]:
    named = EXPERIMENTS[run.plan.experiment].title if run.plan.experiment in EXPERIMENTS else "own plan"
    made = str(run.about["made"]).replace("T", " ").removesuffix("+00:00")
    return {
        "made (UTC)": made,
        "experiment": named,
        "probe": run.plan.probe,
        "trainings done": probing.done(run),
        "arms": len(run.plan.arms),
        "about": run.plan.about,
        "name": run.name,
    }
