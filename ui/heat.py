"""Two measures of each row against one another as a picture of cells: all rows in view faint behind, those that stay in front."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ui.charts import SCALE

__all__ = ["cells_of", "heat"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Placed = tuple[Ints, Floats, Floats]
CELLS = 24, 80  # the fewest and the most across; as many as the root of the rows
GREYS = [[0, "rgba(154,165,177,.2)"], [1, "rgba(154,165,177,.8)"]]


def cells_of(pair: Sequence[Floats], edges: Callable[[Floats, int], Floats]) -> Placed:
    """Cell of each row, int32 [rows], one beyond the last where a value is missing; edges of the cells across and up.

    pair: float64 [rows] across and up, NaN where missing. edges: of the known values and the number of cells; values beyond count in the outer cells.
    """
    known = ~np.isnan(pair[0] + pair[1])
    cells = int(np.clip(np.sqrt(known.sum()), *CELLS))
    across, up = (edges(values[known], cells) for values in pair)
    column, line = (np.clip(np.searchsorted(e, v) - 1, 0, cells - 1) for e, v in zip((across, up), pair, strict=True))
    return np.where(known, line * cells + column, cells * cells).astype(np.int32), across, up


def heat(placed: Placed, seen: Bools, kept: Bools, hover: str) -> list[dict[str, Any]]:
    """Plotly's two heat maps of how many rows lie in each cell, on a logarithmic scale. seen, kept: bool [rows]. hover: what x, y and customdata say."""
    cell, across, up = placed
    cells, data = len(across) - 1, []
    for rows, called, scale in ((seen, "all rows", GREYS), (kept, "kept", SCALE)):
        counts = np.bincount(cell[rows], minlength=cells * cells + 1)[:-1].reshape(cells, cells).astype(np.int32)
        top = max(10, int(counts.max()))
        ticks = {"tickvals": list(range(len(str(top)))), "ticktext": [f"{10**k:,}" for k in range(len(str(top)))]}
        bar = {"title": {"text": "kept rows", "side": "right"}, "thickness": 12, "len": 0.8, "outlinewidth": 0, **ticks}
        z = np.where(counts > 0, np.log10(np.maximum(counts, 1)), np.nan).astype(np.float32)
        look = {"colorscale": scale, "zmin": 0, "zmax": np.log10(top), "showscale": rows is kept, "colorbar": bar, "hoverongaps": False}
        told = f"{hover}<extra>{called}</extra>"
        data.append({"type": "heatmap", "x": across, "y": up, "z": z, "customdata": counts, "hovertemplate": told, "name": called, **look})
    return data
