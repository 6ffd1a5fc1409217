"""The learning-curve page: a run's errors by size with the curve through them, what the next rows buy at the user's prices, and whether to stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import streamlit as st

from curate.noise import noise
from curate.probes.learning_curve import Curve, Estimate, curves_of
from curate.probes.plan import Price, Stop
from curate.probes.run import Run, open_run, runs
from curate.probes.stopping import bought, clean_equivalent, curve_words, digits_of, noise_words, pair_words, verdict
from curate.rate import information
from ui import state
from ui.charts import show
from ui.curve_figure import figure
from ui.curve_start import go_on
from ui.escape import plain
from ui.widgets import beside, count, empty

__all__ = ["Chosen", "choose", "known", "numbers", "picture", "points", "words"]

NONE = "none"


@dataclass(frozen=True)
class Chosen:
    """What the page shows: a curve of a run, another beside it or None, and the prices and the rule in force."""

    run: Run
    curve: Curve
    other: Curve | None
    price: Price
    stop: Stop


@st.cache_resource(max_entries=16, show_spinner="Fitting the curves")
def _curves(folder: str, done: int) -> list[Curve]:
    del done
    return curves_of(open_run(Path(folder)))


def _done(run: Run) -> int:
    return sum(1 for _ in (run.folder / "cells").glob("[!.]*/cell.json"))


def _missing(run: Run) -> int:
    return _lacking(str(run.folder), _done(run))


@st.cache_resource(max_entries=16, show_spinner="Counting what is left to train")
def _lacking(folder: str, done: int) -> int:
    del done
    run = open_run(Path(folder))
    return len({run.keys[cell] for cell in run.cells if not run.done(cell)})


def known() -> list[Run]:
    """Runs of the dataset in hand whose plan has sizes, the newest first. What is wrong with other folders is said."""
    data = state.scores().dataset
    with st.spinner("Reading the runs of probes in this workspace"):
        found, wrong = runs(state.workspace())
    for why in wrong:
        st.caption(plain(f"A folder is passed over: {why}"))
    return [run for run in found if run.about["dataset"]["fingerprint"] == data.fingerprint and len(run.plan.sizes) > 1]


def _title(run: Run) -> str:
    made = str(run.about["made"])[:16].replace("T", " ")
    return f"{made}, {run.plan.probe}, {len(run.plan.sizes)} sizes up to {max(run.plan.sizes):,}, {run.plan.seeds} seeds"


def _named(one: Curve) -> str:
    return f"{one.measured.arm}{' (random control)' if one.measured.control else ''}, {one.measured.amount}"


def choose(found: Sequence[Run]) -> Chosen | None:
    """The run, the curve, another to compare with, and prices; None where nothing of the run is trained so far."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        titles = {run.name: _title(run) for run in found}
        name = str(st.selectbox("Run", list(titles), format_func=lambda n: titles[n], key="curve-run", persist_state="session"))
        run = next(r for r in found if r.name == name)
        curves = _curves(str(run.folder), _done(run))
        if curves:
            which = list(range(len(curves)))
            mine = int(st.selectbox("Rows", which, format_func=lambda i: _named(curves[i]), key=f"curve-arm-{name}", persist_state="session"))
            others = [NONE, *(str(i) for i in which if i != mine)]
            clean = next((str(i) for i in which if curves[i].measured.arm in _relabelled(run) and i != mine), NONE)
            label, about = "Beside it", "Rows with right labels tell how many of them the noisy ones are worth"
            at = others.index(clean) if clean in others else 0
            told = st.selectbox(label, others, at, lambda i: i if i == NONE else _named(curves[int(i)]), f"curve-other-{name}-{mine}", about)
            other = None if told == NONE else curves[int(str(told))]
        with st.popover("Prices and the rule", icon=":material/payments:"):
            price, stop = _priced(run)
    if not curves:
        empty("Nothing is trained yet", "The curve stands here once two sizes of a seed are trained by this version of the probe.")
        go_on(run, _missing(run))
        return None
    return Chosen(run, curves[mine], other, price, stop)


def _relabelled(run: Run) -> set[str]:
    return {arm.name for arm in run.plan.arms if arm.label is not None}


def _priced(run: Run) -> tuple[Price, Stop]:
    """Prices and the rule, from the run's plan until they are changed here."""
    price, stop, key = run.plan.price, run.plan.stop, f"curve-{run.name}"
    rows = st.number_input("Rows that a person annotates an hour", 0.1, None, price.rows, key=f"{key}-rows", persist_state="session")
    annotation = st.number_input("An hour of a person costs", 0.0, None, price.annotation, key=f"{key}-annotation", persist_state="session")
    about = "All epochs; the probe's own speed where this is left empty"
    speed = st.number_input("Rows that your machine trains on an hour", 0.1, None, price.speed, key=f"{key}-speed", help=about, persist_state="session")
    hour = st.number_input("An hour of the machine costs", 0.0, None, price.hour, key=f"{key}-hour", persist_state="session")
    currency = st.text_input("Currency", price.currency, 8, key=f"{key}-currency", persist_state="session")
    more = st.number_input("Stop where so many further rows", 1, None, stop.rows, key=f"{key}-more", persist_state="session")
    unit = "nats" if run.probe.metric == "loss" else "points"
    least = st.number_input(f"buy no more than, in {unit}", 0.0, None, stop.gain, 0.1, key=f"{key}-gain", persist_state="session")
    given = Price(hour=hour, annotation=annotation, rows=rows, speed=speed, currency=currency or price.currency)
    return given, Stop(rows=int(more), gain=least)


def _told(given: Estimate, unit: str = "", digits: int | None = None) -> tuple[str, str]:
    """A number and its interval, for a metric."""
    digits = digits_of(given) if digits is None else digits
    ends = [f"{end:,.{digits}f}" if end < 1e12 else "without end" for end in (given.low, given.high)]
    value = f"{given.value:,.{digits}f} {unit}" if given.value < 1e12 else "no number"
    return value.strip(), " to ".join(ends)


def numbers(now: Chosen) -> None:
    """What the next rows buy, what the rule says, and what the rows are worth in clean ones beside their effective information."""
    cells = beside("curve-numbers", 1, 1, 1, 1)
    unit = now.curve.measured.unit
    if now.curve.law is None:
        cells[0].metric("Next 1,000 rows buy", "not told", "no gain is seen" if now.curve.fall else "no curve", "off", delta_arrow="off")
    else:
        cells[0].metric("Next 1,000 rows buy", *_told(bought(now.curve, now.price).per_thousand, unit), "off", delta_arrow="off")
    said, gain = verdict(now.curve, now.stop)
    limit = "no limit is set yet" if now.stop.gain is None else f"the limit is {now.stop.gain:g} {unit}"
    below = f"{_told(gain)[1]} {unit}" if gain else "too far to read" if now.curve.reach else "no curve"
    cells[1].metric("The rule says", said, below, "off", delta_arrow="off", help=f"What {count(now.stop.rows, 'further rows')} buy; {limit}")
    both = now.other is not None and now.other.law is not None and now.curve.now is not None
    worth = _told(clean_equivalent(now.curve, now.other), "", 0) if both and now.other is not None else ("–", "no curve beside it")
    cells[2].metric("Worth in rows of the other", *worth, "off", delta_arrow="off", help="Rows of the curve beside it that give the same error")
    rate = noise(state.scores(), state.decided().marked)
    found = information(now.curve.largest, rate.rate) if rate else None
    told = _told(Estimate(found.value, found.low, found.high), "", 0) if found and found.value is not None else ("–", "no row is judged")
    cells[3].metric("Effective information", *told, "off", delta_arrow="off", help="Rows × (1 − the noise rate that people judged); see Noise rate")


def picture(now: Chosen) -> None:
    """Measured errors with their seeds, the fitted curve with its band, how far it may be read, and where the rule is met."""
    show(figure(now.curve, now.other, now.stop), "curve")


def words(now: Chosen) -> None:
    """What the curves say, in sentences."""
    found = curve_words(now.curve, now.price, now.stop)
    found += pair_words(now.curve, now.other, now.price) if now.other is not None else []
    rate = noise(state.scores(), state.decided().marked)
    if now.other is None and rate is not None and rate.rate.value is not None and now.curve.law is not None:
        found.append(noise_words(now.curve, rate.rate))
    st.text("\n".join(found))
    missing = _missing(now.run)
    if missing > 0:
        st.caption(f"{count(missing, 'trainings')} of this run are not done; the curve is of those that are.")
        go_on(now.run, missing)


def points(now: Chosen) -> None:
    """The errors behind the picture, one row a size."""
    parts = []
    for one in [now.curve, *([now.other] if now.other else [])]:
        given, error = one.measured, one.measured.error
        labels = given.unit == "points"
        ends = [None] * len(given.sizes), [None] * len(given.sizes)
        if one.resampled is not None:
            ends = tuple(pl.DataFrame(one.resampled[1:]).quantile(q, "nearest").row(0) for q in (0.025, 0.975))  # type: ignore[assignment]
        parts.append(
            pl.DataFrame(
                {
                    "rows of": [_named(one)] * len(given.sizes),
                    "size": given.sizes.astype(int).tolist(),
                    "seeds": [len(error)] * len(given.sizes),
                    "error": error.mean(0).tolist(),
                    "low": pl.Series(ends[0], dtype=pl.Float64),
                    "high": pl.Series(ends[1], dtype=pl.Float64),
                    "fitted": [None if one.law is None or n < one.start else float(one.law.error(float(n))[0]) for n in given.sizes],
                }
            )
        )
    number = st.column_config.NumberColumn
    form = number(format="percent") if labels else number(format="%.4f")
    st.dataframe(
        pl.concat(parts, how="vertical_relaxed"),
        hide_index=True,
        placeholder="not fitted",
        column_config={"size": number(format="localized"), **dict.fromkeys(("error", "low", "high", "fitted"), form)},
    )
