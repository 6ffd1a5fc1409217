"""Drift as a picture: generated rows beside as many of the dataset's own, measure by measure."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
import polars as pl
import streamlit as st

from curate.synthetic.drift import Drift
from ui.charts import DROPPED, HAND, KEPT, layout, show
from ui.widgets import count, empty

__all__ = ["drift_picture"]


def drift_picture(found: Sequence[Drift]) -> None:
    """Each measure of the generated rows as a share of what random draws of the dataset give, with the range of the draws; before and after beneath."""
    if not found:
        empty("Too few rows to tell", "Drift is told from five rows on that pass the gate, and five of the dataset.")
        return
    names, base = [d.words for d in found], [d.middle or 1.0 for d in found]
    above = [d.high / b - 1 for d, b in zip(found, base, strict=True)]
    below = [1 - d.low / b for d, b in zip(found, base, strict=True)]
    figure = go.Figure()
    figure.add_scatter(
        x=[1.0] * len(found),
        y=names,
        mode="markers",
        name="as many of the dataset's own",
        marker={"color": DROPPED, "size": 9},
        error_x={"array": above, "arrayminus": below, "color": DROPPED, "thickness": 6, "width": 0},
        customdata=[[d.middle, d.low, d.high] for d in found],
        hovertemplate="%{y}, random draws: %{customdata[0]:.3f}, %{customdata[1]:.3f} to %{customdata[2]:.3f}<extra></extra>",
    )
    figure.add_scatter(
        x=[d.generated / b for d, b in zip(found, base, strict=True)],
        y=names,
        mode="markers",
        name="generated",
        marker={"color": [HAND if d.collapsed else KEPT for d in found], "size": 12, "symbol": "diamond"},
        customdata=[[d.generated] for d in found],
        hovertemplate="%{y}, generated rows: %{customdata[0]:.3f}<extra></extra>",
    )
    fell = sum(d.collapsed for d in found)
    said = f"Generated rows are less various, by {fell} of {len(found)} measures" if fell else "Generated rows are as various"
    layout(figure, said, 150 + 36 * len(found), legend={"orientation": "h", "x": 0, "y": -0.3, "yanchor": "top"})
    figure.update_xaxes(title=f"as a share of random draws of {count(found[0].rows, 'rows')}", tickformat=".0%", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", type="category")
    show(figure, "synthetic-drift")
    table = pl.DataFrame({"measure": names, "dataset": [d.before for d in found], "with these rows": [d.after for d in found]})
    number = st.column_config.NumberColumn(format="%.3f")
    st.dataframe(table, hide_index=True, column_config={"dataset": number, "with these rows": number})
    st.caption(f"Equal numbers of rows before and after; generated ones would be {found[0].share:.0%} of all. Higher is more various.")
