"""The funnel: rows in, what each threshold drops of those that come to it, what is left."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from curate.crossfilter import dropped_alone
from curate.selection import Selection
from ui import state
from ui.charts import DROPPED, KEPT, escape, show, style
from ui.frame import in_words
from ui.widgets import count, share

__all__ = ["funnel"]

COLUMNS = (76, 156, 236)  # pixels right of the bars where each column of numbers ends
ROW = 42  # pixels; a line of words and a bar


def funnel(selection: Selection) -> None:
    """A bar for each threshold in order; beside it the rows left, those it drops, and those that it alone drops."""
    steps, alone, thresholds = selection.funnel, dropped_alone(selection), state.recipe().thresholds
    words = {"review": "decided by hand", "license": "policy on licences", "personal": "personal data"}
    words |= {"synthetic_share": "cap on generated rows", "budget": "budget"}
    names = ["all rows", *(escape(words.get(n) or in_words(n, thresholds[n])) for n, _, _ in steps)]
    numbers = [(count(selection.rows), "", ""), *((count(rest), f"−{gone:,}", f"{alone[n]:,}") for n, gone, rest in steps)]
    place = list(range(len(names)))
    bars = {"type": "bar", "orientation": "h", "y": place, "width": 0.4}
    left, gone = [selection.rows, *(rest for _, _, rest in steps)], [0, *(dropped for _, dropped, _ in steps)]
    kept = {**bars, "x": left, "marker": {"color": KEPT}, "hovertemplate": "%{x:,} rows left<extra></extra>"}
    lost = {**bars, "x": gone, "marker": {"color": DROPPED}, "hovertemplate": "%{x:,} rows dropped<extra></extra>"}
    notes = [_note(name, y, 0, yshift=17) for y, name in zip(place, names, strict=True)]
    notes += [_note(text, y, shift) for y, texts in zip(place, numbers, strict=True) for shift, text in zip(COLUMNS, texts, strict=True)]
    head = {"left": "Rows left after it", "dropped": "Rows it drops of those that come to it", "by it alone": "Rows that no other threshold drops"}
    notes += [_note(text, 0, shift, yshift=17, hovertext=about) for shift, (text, about) in zip(COLUMNS, head.items(), strict=True) if steps]
    more: dict[str, Any] = {
        "barmode": "stack",
        "margin": {"l": 0, "r": COLUMNS[-1] + 6, "t": 36, "b": 0},
        "xaxis": {"visible": False, "range": [0, max(1, selection.rows)]},
        "yaxis": {"visible": False, "range": [len(names) - 0.6, -0.75]},
        "annotations": notes,
        "showlegend": False,
    }
    title = f"{count(selection.kept)} of {count(selection.rows)} rows are kept ({share(selection.kept, selection.rows)})"
    show(go.Figure({"data": [kept, lost], "layout": style(title, 40 + ROW * len(names), **more)}), "funnel")


def _note(text: str, y: int, shift: int, **more: Any) -> dict[str, Any]:
    """Text beside a bar, ending `shift` pixels right of the bars; at 0 it begins where they begin."""
    side = {"x": 1, "xanchor": "right"} if shift else {"x": 0, "xanchor": "left"}
    return {**side, "xref": "paper", "xshift": shift, "y": y, "text": text, "showarrow": False, "font": {"size": 12}, **more}
