"""What the next rows buy, at a person's prices, whether to stop, and how many clean rows a noisy set is worth: all read off learning curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from curate.probes.by_size import Measured
from curate.probes.learning_curve import Curve, Estimate, estimate
from curate.probes.plan import EVERY, Plan, Price, Stop
from curate.probes.power_law import EXPONENT
from curate.rate import Rate

__all__ = [
    "Bought",
    "bought",
    "break_even",
    "break_even_of_rate",
    "clean_equivalent",
    "curve_words",
    "flat_words",
    "headline",
    "noise_words",
    "numbers",
    "pair_words",
    "run_words",
    "stop_at",
    "verdict",
]

STEP = 1000.0
LITTLE = 0.01  # machine hours for STEP rows, below which a rate by the hour would be an absurd number


@dataclass(frozen=True)
class Bought:
    """What the next rows beyond the largest size buy, at their own rate: a thousand of them, or fewer where the curve may not be read as far.

    In points of accuracy, or nats. rows: that the rate is of. machine_hours, annotation_hours, cost: of 1,000 rows. per_cost: for 100 of the currency, None
    where nothing has a price.
    """

    rows: float
    per_thousand: Estimate
    per_machine_hour: Estimate
    per_annotation_hour: Estimate
    machine_hours: float
    annotation_hours: float
    cost: float
    per_cost: Estimate | None


def _times(given: Estimate, by: float) -> Estimate:
    return Estimate(given.value * by, given.low * by, given.high * by)


def bought(curve: Curve, price: Price) -> Bought:
    """Points by rows, hours and money of the next rows after the largest size."""
    last, given = curve.largest, curve.measured
    rows = min(STEP, curve.reach - last)
    thousand = _times(curve.gain(last, rows), given.scale * STEP / rows)
    machine = STEP / (price.speed or 3600 * last / float(given.seconds[-1]))
    person = STEP / price.rows
    cost = machine * price.hour + person * price.annotation
    each = _times(thousand, 100 / cost) if cost else None
    return Bought(rows, thousand, _times(thousand, 1 / machine), _times(thousand, 1 / person), machine, person, cost, each)


def verdict(curve: Curve, stop: Stop) -> tuple[Literal["stop", "go on", "not sure", "not told"], Estimate | None]:
    """What the rule says, and what its rows buy in points or nats; "not told" where the rule has no limit, or its rows lie beyond what may be read.

    Where no gain is seen, what they buy is read off a line in log rows.
    """
    if (curve.law is None and curve.fall is None) or curve.largest + stop.rows > curve.reach:
        return "not told", None
    gain = _times(curve.gain(curve.largest, stop.rows), curve.measured.scale)
    if stop.gain is None:
        return "not told", gain
    return ("stop" if gain.high <= stop.gain else "go on" if gain.low > stop.gain else "not sure"), gain


def stop_at(curve: Curve, stop: Stop) -> Estimate | None:
    """From how many rows on the rule says stop, by bisection in each draw; None where the rule has no limit. Raises ValueError where there is no curve."""
    if curve.law is None:
        raise ValueError(f"there is no curve: {curve.refused}")
    if stop.gain is None:
        return None
    law, limit = curve.law, stop.gain / curve.measured.scale
    low, high = np.zeros(len(law.a)), np.full(len(law.a), 12.0)
    for _ in range(60):
        rows = 10 ** ((low + high) / 2)
        buys = law.b * (rows**-law.c - (rows + stop.rows) ** -law.c) > limit
        low, high = np.where(buys, (low + high) / 2, low), np.where(buys, high, (low + high) / 2)
    return estimate(np.where(high > 11.9, np.inf, 10**high))


def clean_equivalent(noisy: Curve, clean: Curve) -> Estimate:
    """How many rows of the clean arm give the error that all rows of the noisy one give; infinite bounds where no number of them does.

    Raises ValueError where the clean one has no curve, or the noisy one no interval.
    """
    if clean.law is None or noisy.now is None:
        raise ValueError("the clean arm needs a curve, and the noisy one several seeds")
    return estimate(clean.law.rows(noisy.now))


def break_even(noisy: Curve, clean: Curve) -> tuple[Estimate, Estimate]:
    """What cleaning all rows buys, in points or nats, and how many further rows as noisy would buy as much; infinite where none would or no gain is seen.

    Raises ValueError where the clean one has no curve, or the noisy one no interval.
    """
    if clean.law is None or noisy.now is None:
        raise ValueError("the clean arm needs a curve, and the noisy one several seeds")
    last = noisy.largest
    then = clean.law.error(last)
    more = np.full(len(then), np.inf) if noisy.law is None else noisy.law.rows(then) - last
    return estimate(noisy.measured.scale * (noisy.now - then)), estimate(more)


def break_even_of_rate(curve: Curve, noise: Rate) -> Estimate:
    """How many further rows as noisy cleaning is worth at least, from a judged noise rate alone: as if a wrong label were only a row less.

    Raises ValueError where nothing was judged.
    """
    if noise.value is None:
        raise ValueError("no row was judged")
    value, low, high = (curve.largest * rate / (1 - rate) if rate < 1 else np.inf for rate in (noise.value, noise.low, noise.high))
    return Estimate(value, low, high)


def digits_of(given: Estimate) -> int:
    """Decimals that tell two digits of an interval's larger end, from 2 to 5."""
    most = max(abs(given.low), abs(given.high), 1e-9)
    return int(min(5, max(2, 1 - np.floor(np.log10(most)))))


def _between(given: Estimate) -> str:
    digits = digits_of(given)
    return f"{given.value:,.{digits}f} ({given.low:,.{digits}f} to {given.high:,.{digits}f})"


def _range(given: Estimate) -> str:
    """A number of rows with its interval, of which any may be infinite: then no number of rows will do."""
    if np.isinf(given.low):
        return "no number of"
    high = f"to {given.high:,.0f}" if np.isfinite(given.high) else "or more, maybe none"
    return f"{given.value:,.0f} ({given.low:,.0f} {high})" if np.isfinite(given.value) else f"no number of (at the least {given.low:,.0f})"


def curve_words(curve: Curve, price: Price, stop: Stop) -> list[str]:
    """What a curve says, in sentences; of one that is refused, why."""
    left = [f"{curve.measured.left}."] if curve.measured.left else []
    if curve.law is None:
        refused = [*left, f"{curve.refused[0].upper()}{curve.refused[1:]}."]
        return refused if curve.fall is None else [*refused, _bought_words(curve, price), _stop_words(curve, stop, curve.measured.unit, curve.largest)]
    given, unit, last = curve.measured, curve.measured.unit, curve.largest
    law = [float(part[0]) for part in (curve.law.a, curve.law.b, curve.law.c)]
    best = min(curve.missed, key=lambda name: curve.missed[name])
    missed = ", ".join(f"{name} {given.scale * miss:.2f}" for name, miss in curve.missed.items())
    fits = f"Fitted without the largest size, each misses it by {missed} {unit}: {best} fits best."
    begins = f" from {curve.start:,.0f} rows on, as no such curve goes through the smaller sizes too" if curve.start > given.sizes[0] else ""
    ends = [f"{end:g}" for end in EXPONENT if abs(law[2] / end - 1) < 1e-3]
    bound = f" Its exponent stands at {ends[0]}, the end of its range: the true curve may bend otherwise." if ends else ""
    return [
        *left,
        f"Error = {law[0]:.4f} + {law[1]:.4g} · rows^-{law[2]:.3f}{begins}; it may be read up to {curve.reach:,} rows.{bound}",
        fits,
        *([flat_words(curve)] if curve.flat else []),
        _bought_words(curve, price),
        _stop_words(curve, stop, unit, last),
    ]


def flat_words(curve: Curve) -> str:
    """From where on no further gain is seen; "" where one is seen to the end."""
    if curve.flat is None:
        return ""
    first, fall = curve.flat
    told = _between(_times(fall, curve.measured.scale))
    return f"Saturated from about {first:,.0f} rows as far as is seen: from there to {curve.largest:,.0f} ten times the rows buy {told} {curve.measured.unit}."


def headline(curves: Sequence[Curve]) -> str:
    """What curves say, in a sentence for each arm; "" without one."""
    found = []
    for one in curves:
        given = one.measured
        if one.law is None:
            said = one.refused
        else:
            said = f"{given.sizes[0]:,.0f} to {one.largest:,.0f} rows bring the error from {_error(given, 0)} to {_error(given, -1)}"
            said += f", and from about {one.flat[0]:,.0f} rows on no further gain is seen" if one.flat else ", and more rows are seen to bring it down further"
        found.append(f"{given.arm}{' (random control)' if given.control else ''}: {said}" if len(curves) > 1 else f"{said[0].upper()}{said[1:]}")
    return ". ".join(found)


def _error(given: Measured, at: int) -> str:
    value = float(given.error.mean(0)[at])
    return f"{value:.1%}" if given.unit == "points" else f"{value:.4f} nats"


def _bought_words(curve: Curve, price: Price) -> str:
    """What the next rows buy, by the hour and by money; where no gain is seen, by the line through the errors."""
    one, unit = bought(curve, price), curve.measured.unit
    hours = f"{_between(one.per_annotation_hour)} {unit} per annotation hour"
    speed = "" if price.speed else " at the probe's own speed"
    told = f"{_between(one.per_machine_hour)} per machine hour{speed}"
    machine = told if one.machine_hours > LITTLE else f"training on them takes {3600 * one.machine_hours:.1g} s{speed}"
    money = f"; {_between(one.per_cost)} per 100 {price.currency}" if one.per_cost else ""
    return f"The next 1,000 rows buy {_between(one.per_thousand)} {unit}: {hours}; {machine}{money}."


def _stop_words(curve: Curve, stop: Stop, unit: str, last: float) -> str:
    said, gain = verdict(curve, stop)
    if gain is None:
        return f"What {stop.rows:,} rows more buy cannot be told: {last + stop.rows:,.0f} rows lie beyond {curve.reach:,}, up to which the curve may be read."
    text = f"the next {stop.rows:,} rows buy {_between(gain)} {unit}"
    if stop.gain is None:
        return f"{text[0].upper()}{text[1:]}; no limit is set at which to stop."
    why = {"stop": "no more than", "go on": "more than", "not sure": "the interval holds"}[said]
    met = None if curve.law is None else stop_at(curve, stop)
    since = "" if met is None else f" The rule is met from {_range(met)} rows on."
    return f"{said.capitalize()}: {text}; {why} the limit of {stop.gain:g}.{since}"


def pair_words(noisy: Curve, clean: Curve, price: Price) -> list[str]:
    """What two curves say of each other: the clean-equivalent size, and whether to clean or to annotate more."""
    last, unit = noisy.largest, noisy.measured.unit
    if clean.law is None or noisy.now is None:
        arm, why = (clean.measured.arm, clean.refused) if clean.law is None else (noisy.measured.arm, noisy.refused)
        return [f"{noisy.measured.arm} and {clean.measured.arm} cannot be weighed: of {arm}, {why}."]
    size, (gain, more) = clean_equivalent(noisy, clean), break_even(noisy, clean)
    inside = clean.start <= size.value <= clean.largest
    where = "" if inside else "; that lies outside the sizes that its curve goes through"
    found = [f"{last:,.0f} rows of {noisy.measured.arm} are worth {_range(size)} of {clean.measured.arm}{where}."]
    hours = last / price.rows
    text = f"Looking through all {last:,.0f} rows takes {hours:,.0f} annotation hours and buys {_between(gain)} {unit}"
    if gain.low <= 0:
        return [*found, f"{text}: no difference seen, so no break-even is told."]
    guess = np.isfinite(more.low) and last + more.value > noisy.reach
    beyond = f", read beyond {noisy.reach:,} rows, where the curve is no more than a guess" if guess else ""
    pays = "cleaning is cheaper" if more.low > last else "annotating more is cheaper" if more.high < last else "neither is seen to be cheaper"
    return [*found, f"{text}; {_range(more)} further rows as they are would buy as much{beyond}. At one price a row, {pays}."]


def run_words(curves: Sequence[Curve], plan: Plan) -> list[str]:
    """What all curves of a run say, arm by arm, and its base against each other arm that has the same rows with other labels."""
    found = []
    for one in curves:
        given = one.measured
        head = f"{given.arm}{' (random control)' if given.control else ''}, {given.amount}"
        found += [f"{head}: {line}" for line in curve_words(one, plan.price, plan.stop)]
    labelled = {arm.name for arm in plan.arms if arm.label is not None and arm.rows == "all"}
    for noisy in curves:
        others = [c for c in curves if c.measured.arm in labelled and c.measured.amount == noisy.measured.amount]
        if noisy.measured.arm == EVERY:
            found += [line for clean in others for line in pair_words(noisy, clean, plan.price)]
    return found


def noise_words(curve: Curve, noise: Rate) -> str:
    """The break-even from a judged noise rate, where there is no clean arm."""
    more = break_even_of_rate(curve, noise)
    rate = f"{noise.value:.1%} of rows judged bad"
    return f"{rate}: cleaning all is worth {_range(more)} further rows as they are at least, as if a wrong label did no more harm than a missing row."


def numbers(curves: Sequence[Curve], price: Price, stop: Stop) -> list[dict[str, Any]]:
    """Every curve as numbers: errors are shares, or nats; what is bought is in points, or nats."""
    found = []
    for one in curves:
        given = one.measured
        told: dict[str, Any] = {"arm": given.arm, "control": given.control, "amount": given.amount, "sizes": given.sizes.tolist()}
        told |= {"errors": [None if np.isnan(e) else e for e in given.error.mean(0).tolist()], "unit": given.unit, "refused": one.refused, "left": given.left}
        said, gain = verdict(one, stop)
        told |= {"stop": said, "gain": gain and asdict(gain)}
        if one.law is not None:
            told |= {name: estimate(getattr(one.law, name)).__dict__ for name in "abc"}
            told |= {
                "start": one.start,
                "reach": one.reach,
                "flat": one.flat and {"from": one.flat[0], "buys": asdict(_times(one.flat[1], given.scale))},
                "missed": dict(one.missed),
                "bought": asdict(bought(one, price)),
                "stop": said,
                "gain": gain and asdict(gain),
            }
        found.append(told)
    return found
