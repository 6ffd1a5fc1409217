"""Points in what a hand drew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from curate.region import Polygon, Region, in_box, in_polygon, in_region

STAR: Polygon = ((0, 3), (2, -3), (-3, 1), (3, 1), (-2, -3))
coordinates = st.floats(-4, 4, allow_subnormal=False).map(lambda v: round(v, 3))
polygons = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=12).map(tuple)


def crossings(x: float, y: float, polygon: Polygon) -> bool:
    """The even-odd rule, one point and one edge after the other."""
    odd = False
    for i, (x2, y2) in enumerate(polygon):
        x1, y1 = polygon[i - 1]
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * ((x2 - x1) / (y2 - y1)):
            odd = not odd
    return odd


@given(arrays(np.float32, (40, 2), elements=st.floats(-5, 5, width=32, allow_subnormal=False)), polygons)
def test_a_polygon_holds_what_a_ray_from_each_point_says(points: np.ndarray, polygon: Polygon) -> None:
    x, y = points.T
    xs, ys = zip(*polygon, strict=True)
    around = in_box(x, y, (min(xs), max(xs), min(ys), max(ys)))
    expected = [crossings(float(a), float(b), polygon) for a, b in zip(x, y, strict=True)]
    assert (in_polygon(x, y, polygon) == (np.array(expected) & around)).all()


@given(polygons, st.integers(0, 11), st.floats(-3, 3))
def test_where_a_polygon_begins_and_where_it_lies_does_not_matter(polygon: Polygon, turn: int, shift: float) -> None:
    x, y = np.random.default_rng(0).uniform(-4, 4, (2, 200))
    turn %= len(polygon)
    turned = polygon[turn:] + polygon[:turn]
    near_edge = in_polygon(x, y, polygon) != in_polygon(x, y, turned)
    assert near_edge.sum() <= 1, "only rounding on an edge itself may differ"
    moved = tuple((a + shift, b + shift) for a, b in polygon)
    assert (in_polygon(x + shift, y + shift, moved) != in_polygon(x, y, polygon)).sum() <= 1


def test_the_middle_of_a_star_is_outside_by_the_even_odd_rule() -> None:
    x, y = np.array([0.0, 0.0, -2.0, 2.0, 9.0]), np.array([0.0, 2.0, 0.8, 0.8, 9.0])
    assert in_polygon(x, y, STAR).tolist() == [False, True, True, True, False]


def test_a_box_holds_its_edges_and_no_row_without_a_place() -> None:
    x, y = np.array([0.0, 1.0, 1.1, np.nan, 0.5]), np.array([0.0, 2.0, 1.0, 1.0, np.nan])
    assert in_box(x, y, (0, 1, 0, 2)).tolist() == [True, True, False, False, False]
    assert in_polygon(x, y, ((-1, -1), (3, -1), (3, 3), (-1, 3))).tolist() == [True, True, True, False, False]


def test_a_region_is_all_of_its_parts() -> None:
    x, y = np.array([0.0, 5.0, 9.0]), np.array([0.0, 5.0, 9.0])
    region = Region((((-1, -1), (1, -1), (0, 2)),), ((4, 6, 4, 6),))
    assert in_region(x, y, region).tolist() == [True, True, False]
    assert region.bounds == (-1, 6, -1, 6)
    assert not Region()
    assert not in_region(x, y, Region()).any()
    with pytest.raises(ValueError, match="empty"):
        _ = Region().bounds
