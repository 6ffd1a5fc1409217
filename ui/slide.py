"""The hand on a limit: a slider with stops, the limit as a number to be typed, and what each stop would do, told while the hand moves.

Streamlit's own slider waits 200 ms before it tells a move, and loses one that comes while its answer is on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

__all__ = ["Stops", "slide"]

HERE = Path(__file__)


@dataclass(frozen=True)
class Stops:
    """Where a hand can stop. at: ascending. said: each as text. counts: what each would do, shown while the hand moves; none where that is not known.

    least, most: bounds of what may be typed; None where there is none. unit: of the limit, in words.
    """

    at: Sequence[float]
    said: Sequence[str]
    counts: Sequence[str] | None = None
    least: float | None = None
    most: float | None = None
    unit: str = ""


@cache
def _component() -> Callable[..., Any]:
    css, js = (HERE.with_suffix(f".{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return st.components.v2.component("curate_slide", html="<section></section>", css=css, js=js)


def slide(key: str, label: str, stops: Stops, limits: Sequence[float], moved: Callable[[tuple[float, ...]], None], *, quiet: bool = False) -> None:
    """Show the hand at one limit, or at two.

    moved: is told the limits, ascending, when a person moved one. quiet: the label is for those who hear the page only.
    """
    before = (st.session_state.get(key) or {}).get("moved") or {"moves": 0}

    def take() -> None:
        moved(tuple(float(v) for v in st.session_state[key]["moved"]["values"]))

    data = {
        "label": label,
        "help": stops.unit,
        "visible": not quiet,
        "stops": list(stops.at),
        "said": list(stops.said),
        "counts": None if stops.counts is None else list(stops.counts),
        "least": stops.least,
        "most": stops.most,
        "values": [float(v) for v in limits],
        "moves": before["moves"],
    }
    _component()(key=key, data=data, on_moved_change=take)
