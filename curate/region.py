"""Which points lie in what a hand drew on a plane: polygons and boxes. Only the outline travels; points are found here."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

__all__ = ["Bounds", "Polygon", "Region", "in_box", "in_polygon", "in_region"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating]
Bounds = tuple[float, float, float, float]
"""x low, x high, y low, y high."""
Polygon = tuple[tuple[float, float], ...]
"""Corners in order; the last is joined to the first."""


@dataclass(frozen=True)
class Region:
    """What a hand drew: a point in any of its parts is in it. polygons: of three corners or more. boxes: edges included."""

    polygons: tuple[Polygon, ...] = ()
    boxes: tuple[Bounds, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.polygons or self.boxes)

    @property
    def bounds(self) -> Bounds:
        """The smallest box round all parts. Raises ValueError where there is none."""
        xs = [x for p in self.polygons for x, _ in p] + [x for b in self.boxes for x in b[:2]]
        ys = [y for p in self.polygons for _, y in p] + [y for b in self.boxes for y in b[2:]]
        return min(xs), max(xs), min(ys), max(ys)


def in_box(x: Floats, y: Floats, box: Bounds) -> Bools:
    """True for points in a box, its edges included. x, y: float [points], NaN lies nowhere; bool [points]."""
    low, high, bottom, top = box
    return np.asarray((x >= low) & (x <= high) & (y >= bottom) & (y <= top), np.bool_)


def in_polygon(x: Floats, y: Floats, polygon: Polygon) -> Bools:
    """True for points in a polygon by the even-odd rule, as Plotly's own lasso has it. x, y: float [points], NaN lies nowhere; bool [points].

    Points are laid out by y, so that an edge meets only those at its height: the work is points × edges crossed by a level line, not points × edges.
    """
    xs, ys = [c[0] for c in polygon], [c[1] for c in polygon]
    near = np.flatnonzero(in_box(x, y, (min(xs), max(xs), min(ys), max(ys))))
    near = near[np.argsort(y[near])]
    px, py = x[near].astype(np.float64), y[near].astype(np.float64)
    odd = np.zeros(len(near), np.bool_)
    for (x1, y1), (x2, y2) in pairwise((*polygon, polygon[0])):
        if y1 != y2:
            start, stop = np.searchsorted(py, (min(y1, y2), max(y1, y2)))  # half-open: a corner belongs to one of its edges
            odd[start:stop] ^= px[start:stop] < x1 + (py[start:stop] - y1) * ((x2 - x1) / (y2 - y1))
    inside = np.zeros(len(x), np.bool_)
    inside[near] = odd
    return inside


def in_region(x: Floats, y: Floats, region: Region) -> Bools:
    """True for points in any part of a region. x, y: float [points], NaN lies nowhere; bool [points]."""
    inside = np.zeros(len(x), np.bool_)
    for polygon in region.polygons:
        inside |= in_polygon(x, y, polygon)
    for box in region.boxes:
        inside |= in_box(x, y, box)
    return inside
