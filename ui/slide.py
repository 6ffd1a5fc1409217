"""The hand on a limit: a slider with stops, the limit as a number to be typed, and what each stop would do, told while the hand moves.

Streamlit's own slider waits 200 ms before it tells a move, and loses one that comes while its answer is on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

__all__ = ["Stops", "slide"]

HERE = Path(__file__)


@dataclass(frozen=True)
class Stops:
    """Where a hand can stop. at: limits. say: a limit as text. counts: what a limit would do, shown while the hand moves; of some limits, or of none.

    least, most: bounds of what may be typed; None where there is none. step: of the number's arrows. unit: of the limit, in words.
    """

    at: Iterable[float]
    say: Callable[[float], str]
    counts: Mapping[float, str] | None = None
    least: float | None = None
    most: float | None = None
    step: float | str = "any"
    unit: str = ""


@cache
def _component() -> Callable[..., Any]:
    css, js = (HERE.with_suffix(f".{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return st.components.v2.component("curate_slide", html="<section></section>", css=css, js=js)


def _all_stops(key: str, stops: Stops, limits: Sequence[float]) -> list[float]:
    """The stops and every limit there was among them: a slider whose stops change under the hand jumps."""
    base = tuple(sorted({*stops.at}))
    before, seen = st.session_state.get(f"stops-{key}", (base, frozenset()))
    seen = (seen if before == base else frozenset()) | {*limits}
    st.session_state[f"stops-{key}"] = base, seen
    return sorted({*base, *seen})


def slide(key: str, label: str, stops: Stops, limits: Sequence[float], moved: Callable[[tuple[float, ...]], None], *, quiet: bool = False) -> None:
    """Show the hand at one limit, or at two.

    moved: is told the limits, ascending, when a person moved one. quiet: the label is for those who hear the page only.
    """
    before = (st.session_state.get(key) or {}).get("moved") or {"moves": 0}
    limits = [float(v) for v in limits]
    at = _all_stops(key, stops, limits)

    def take() -> None:
        moved(tuple(float(v) for v in st.session_state[key]["moved"]["values"]))

    data = {
        "label": label,
        "unit": stops.unit,
        "visible": not quiet,
        "stops": at,
        "said": [stops.say(v) for v in at],
        "counts": None if stops.counts is None else [stops.counts.get(v, "") for v in at],
        "least": stops.least,
        "most": stops.most,
        "step": stops.step,
        "values": limits,
        "moves": before["moves"],
    }
    _component()(key=key, data=data, on_moved_change=take)
