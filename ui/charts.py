"""How every chart looks: one meaning a colour, one layout. Streamlit's theme gives fonts and backgrounds in light and dark."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas  # noqa: F401  Plotly looks for it in sys.modules, and falls over it half imported by another session's thread
import plotly.graph_objects as go
import polars  # noqa: F401  the same
import streamlit as st

__all__ = ["CATEGORIES", "DROPPED", "HAND", "KEPT", "SCALE", "escape", "layout", "log_ticks", "show", "style"]

KEPT = "#2f6fde"
DROPPED = "#9aa5b1"
HAND = "#e07b39"
CATEGORIES = ("#2f6fde", "#e07b39", "#3a9d6e", "#b8558f", "#8a6fd1", "#c7a12b", "#2a9db0", "#d1495b", "#6c757d", "#7f9c3b")
SCALE = "Cividis"  # sequential, survives colour blindness and both themes


def escape(text: str) -> str:
    """Text of the data made safe for a title, a label or a hover, which read some HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def style(title: str, height: int = 330, **more: Any) -> dict[str, Any]:
    """A layout with the house's title, margins, legend and number formats; `more` is Plotly's. A figure made of it at once takes a tenth of the time."""
    return {
        "title": {"text": title, "font": {"size": 15}, "x": 0, "xanchor": "left"},
        "height": height,
        "margin": {"l": 0, "r": 8, "t": 44, "b": 0},
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom", "title": {"text": ""}},
        "separators": ".,",
        "bargap": 0,
        **more,
    }


def layout(figure: go.Figure, title: str, height: int = 330, **more: Any) -> go.Figure:
    """Give a figure the house's title, margins, legend and number formats; `more` goes to Plotly's layout."""
    return figure.update_layout(style(title, height, **more))


def log_ticks(low: float, high: float, wide: bool = True) -> dict[str, Any]:
    """A logarithmic axis with ticks at 1, 2 and 5 of each power of ten where there is room for them, each with its whole number. wide: room for some 15."""
    few = not (low > 0 and np.log10(high / low) >= (5 if wide else 2.5))
    return {"type": "log", "dtick": "D2" if few else 1, "tickformat": ",~g"}


def show(figure: go.Figure, key: str, **more: Any) -> Any:
    """Draw a figure at full width; `more` goes to `st.plotly_chart`, whose answer is returned."""
    return st.plotly_chart(figure, width="stretch", key=key, config={"displayModeBar": False, "displaylogo": False}, **more)
