"""The map: what it shows, what it sends, and what cannot happen to it."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
import plotly.graph_objects as go
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from curate.region import Region
from curate.view import as_text
from ui.charts import CATEGORIES, DROPPED, KEPT
from ui.map.colour import OTHER, Groups, Scale, _by_topic, _group, _scale, kept_or_dropped, rgb
from ui.map.figure import SVG, WEBGL, Hover, Scene, draw
from ui.map.hover import MOST, spread, texts
from ui.map.names import LARGER, LETTER, LINE, place_names
from ui.map.raster import HEIGHT, LEVELS, WIDTH, paint

Pair = tuple[np.ndarray, np.ndarray]


def cloud(rows: int, seed: int = 0) -> Pair:
    """Places of rows, float32, in [0, 1]."""
    x, y = np.random.default_rng(seed).random((2, rows)).astype(np.float32)
    return x, y


def scene(rows: int, colouring: Groups | Scale | None = None, hover: Hover | None = None) -> Scene:
    """Rows anywhere, one in five dropped."""
    keep = np.arange(rows) % 5 > 0
    place = cloud(rows)
    shown = hover or Hover(np.arange(min(rows, 3)), ("a", "b", "c")[:rows])
    return Scene(place, colouring or kept_or_dropped(keep), "it", keep, ~keep, "dropped", (0.0, 1.0, 0.0, 1.0), (), shown, Region(), False)


def drawn(figure: go.Figure) -> dict[str, int]:
    """Rows by type of trace, without the hover's."""
    found: dict[str, int] = {}
    for trace in figure.data[:-1]:
        found[trace.type] = found.get(trace.type, 0) + len([v for v in trace.x if v is not None])
    return found


def pixels(uri: str) -> np.ndarray:
    """The picture's bytes, uint8 [height, width, 4]."""
    return np.asarray(Image.open(BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGBA"))


@given(st.lists(st.sampled_from("abcdefghijklmno"), min_size=0, max_size=120))
def test_groups_hold_every_row_the_largest_first_in_ten_colours(values: list[str]) -> None:
    groups = _group(pl.Series("v", [*values, None], dtype=pl.String))
    assert groups.code[-1] == -1
    assert (groups.code[:-1] >= 0).all()
    sizes = np.bincount(groups.code[:-1], minlength=len(groups.names))
    own = sizes[:-1] if groups.rest else sizes
    assert (np.diff(own) <= 0).all()
    assert len(groups.names) == len(groups.colours) == min(len(set(values)), 10)
    assert len(set(groups.colours)) == len(groups.colours)
    assert groups.rest == (len(set(values)) > 10)
    if groups.rest:
        assert groups.colours[-1] == CATEGORIES[OTHER]
        assert groups.names[-1] == f"{len(set(values)) - 9} smaller"


@pytest.mark.parametrize("topics", [1, 9, 10, 14])
def test_topics_have_a_colour_each_while_there_are_enough(topics: int) -> None:
    number = [*range(topics), None]
    names = [None if n is None else f"topic {n}" for n in number]
    groups = _by_topic(pl.DataFrame({"cluster_topic": pl.Series(number, dtype=pl.Int32), "cluster_topic_name": names}))
    assert groups.code.tolist() == [*(min(n, 9) for n in range(topics)), -1]
    assert len(groups.names) == len(set(groups.colours)) == min(topics, 10)
    assert groups.rest == (topics > 10)
    assert (CATEGORIES[OTHER] in groups.colours) == (topics >= 10)


def test_a_group_may_be_a_list_or_a_struct() -> None:
    assert as_text(pl.Series("x", [["a", "b"], None])).to_list() == ["a\nb", None]
    assert _group(pl.Series("x", [{"a": 1}, {"a": 1}, {"a": 2}])).names == ('{"a":1}', '{"a":2}')
    assert _group(pl.Series("x", [[1, 2], [3], [3]])).names == ("[3]", "[1,2]")


def test_booleans_are_said_in_words() -> None:
    assert _group(pl.Series([True, False, True, None])).names == ("yes", "no")


@example([0.0, 6e-06, -66874.0], False)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.booleans())
def test_a_scale_orders_rows_as_their_values_do(values: list[float], log: bool) -> None:
    given_values = np.array([*values, np.nan])
    scale = _scale(given_values, log)
    assert np.isnan(scale.place[-1])
    known = given_values[:-1] if not log else given_values[:-1][given_values[:-1] >= 0]
    place = scale.place[:-1] if not log else scale.place[:-1][given_values[:-1] >= 0]
    assert ((place >= 0) & (place <= 1)).all()
    order = np.argsort(known, kind="stable")
    assert (np.diff(place[order]) >= 0).all()
    assert scale.at(0) == pytest.approx(scale.low)
    assert scale.at(1) == pytest.approx(scale.high)


def test_a_pixel_has_the_colour_of_its_most_frequent_group_and_is_denser_with_more_rows() -> None:
    x = np.array([0.1] * 5 + [0.5] * 200 + [0.9, np.nan], np.float32)
    y = np.full(len(x), 0.5, np.float32)
    code = np.array([0, 0, 0, 1, 1, *[1] * 200, 0, 0], np.int8)
    solid = np.ones(len(x), np.bool_)
    solid[-2] = False
    groups = Groups(code, ("a", "b"), ("#ff0000", "#0000ff"))
    image = pixels(paint((x, y), groups, solid, ~solid, (0.0, 1.0, 0.0, 1.0)))
    assert image.shape == (HEIGHT, WIDTH, 4)
    few, many, grey = (image[HEIGHT // 2, int(c * WIDTH)] for c in (0.1, 0.5, 0.9))
    assert few[:3].tolist() == [255, 0, 0]
    assert many[:3].tolist() == [0, 0, 255]
    assert grey[:3].tolist() == list(rgb(DROPPED))
    assert many[3] > few[3] > grey[3] > 0
    assert (image[..., 3] > 0).sum() == 27, "three dots of nine pixels"


def test_a_pixel_on_a_scale_has_the_mean_of_its_rows() -> None:
    x, y = np.array([0.2, 0.2, 0.2, 0.7], np.float32), np.full(4, 0.5, np.float32)
    scale = Scale(np.array([0.0, 1.0, np.nan, 1.0], np.float32), 0.0, 1.0, False)
    image = pixels(paint((x, y), scale, np.ones(4, np.bool_), np.zeros(4, np.bool_), (0.0, 1.0, 0.0, 1.0)))
    assert image[HEIGHT // 2, int(0.2 * WIDTH), :3].tolist() == list(rgb(scale.colours[8]))
    assert image[HEIGHT // 2, int(0.7 * WIDTH), :3].tolist() == list(rgb(scale.colours[15]))
    assert LEVELS * 17 + 1 == 256, "a palette has 256 inks"


@pytest.mark.parametrize(("rows", "webgl", "kind"), [(SVG, False, "scatter"), (SVG + 1, True, "scattergl"), (WEBGL, True, "scattergl")])
def test_few_rows_are_points(rows: int, webgl: bool, kind: str) -> None:
    figure = draw(scene(rows), "t", webgl)
    assert drawn(figure) == {kind: rows}
    assert not figure.layout.images
    assert [t.marker.color for t in figure.data[:-1]] == [DROPPED, KEPT], "faint rows lie under the kept ones"


@pytest.mark.parametrize(("rows", "webgl"), [(SVG + 1, False), (WEBGL + 1, True)])
def test_many_rows_are_a_picture(rows: int, webgl: bool) -> None:
    figure = draw(scene(rows), "t", webgl)
    assert drawn(figure) == {"scatter": 0}
    assert len(figure.layout.images) == 1
    assert [t.name for t in figure.data[:-1]] == [f"dropped · {-(-rows // 5):,}", f"kept · {rows * 4 // 5:,}"]


def test_a_million_rows_are_less_than_a_megabyte() -> None:
    rows = 1_000_000
    place = cloud(rows)
    shown = spread(place, np.ones(rows, np.bool_), (0.0, 1.0, 0.0, 1.0))
    hover = Hover(shown, texts([f"row {r:,} · a cluster, of, words · kept" for r in shown], ["x" * 79 + "…"] * len(shown)))
    assert len(draw(scene(rows, hover=hover), "t", True).to_json()) < 1_000_000


def test_a_lasso_sends_no_points_back() -> None:
    """Plotly looks for points among traces with markers on the axes that were drawn on: those lie below, the rows to hover are a line without width."""
    figure = draw(scene(500), "t", True)
    *below, hover = figure.data
    assert (hover.xaxis, hover.yaxis, hover.mode, hover.line.width) == ("x2", "y2", "lines", 0)
    assert {(t.xaxis, t.yaxis) for t in below} == {(None, None)}
    assert (figure.layout.xaxis2.matches, figure.layout.yaxis2.matches) == ("x", "y")


def test_rows_without_a_value_are_grey_on_a_scale() -> None:
    place = np.array([0.5, np.nan, 0.1], np.float32)
    figure = draw(scene(3, Scale(place, 1.0, 9.0, False)), "t", True)
    assert [t.name for t in figure.data if t.showlegend] == ["dropped · 1", "no value · 1"]


@settings(deadline=None)
@given(st.integers(0, 5_000), st.integers(0, 9))
def test_rows_to_hover_are_rows_in_view_and_few(rows: int, seed: int) -> None:
    x, y = cloud(rows, seed)
    wanted = np.arange(rows) % 3 > 0
    view = (0.1, 0.9, 0.2, 1.0)
    inside = wanted & (x >= 0.1) & (x <= 0.9) & (y >= 0.2) & (y <= 1.0)
    found = spread((x, y), wanted, view)
    assert len(found) == min(MOST, inside.sum())
    assert inside[found].all()
    assert (np.diff(found) > 0).all()


def test_thin_places_answer_too() -> None:
    crowd, lone = np.full(50_000, 0.5, np.float32), np.linspace(0, 1, 8, dtype=np.float32)
    x = np.concatenate([crowd, lone])
    assert set(range(50_000, 50_008)) <= set(spread((x, x), np.ones(len(x), np.bool_), (0.0, 1.0, 0.0, 1.0)).tolist())


def test_texts_of_rows_cannot_bring_html() -> None:
    (said,) = texts(["<script>"], ["<img src=x> & more"])
    assert said == "<b>&lt;script&gt;</b><br>&lt;img src=x&gt; &amp; more"
    figure = draw(scene(9, Groups(np.zeros(9, np.int8), ("<b>x</b>",), (KEPT,))), "t", True)
    assert figure.data[1].name == "&lt;b&gt;x&lt;/b&gt; · 7"


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(0, 50))
def test_no_name_lies_over_another_and_the_largest_is_there(clusters: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    number = np.minimum(random.geometric(0.2, 2_000) - 1, clusters - 1).astype(np.int32)
    middles = random.uniform(0.2, 0.8, (clusters, 2))
    place = (middles[number] + random.normal(0, 0.01, (2_000, 2))).astype(np.float32)
    names = [f"name {i}" for i in range(clusters)]
    topic = (number % 3).astype(np.int32)
    found = place_names((place[:, 0], place[:, 1]), [(topic, ["x", "y", "z"]), (number, names)], (0.0, 1.0, 0.0, 1.0), (1000, 500))
    assert found[0].text == "xyz"[int(np.argmax(np.bincount(topic)))]
    assert [n.large for n in found] == sorted((n.text in "xyz" for n in found), reverse=True)
    size = {True: LARGER, False: 1.0}
    for i, a in enumerate(found):
        for b in found[:i]:
            wide = (len(a.text) * size[a.large] + len(b.text) * size[b.large]) * LETTER / 2
            assert abs(a.x - b.x) * 1000 >= wide or abs(a.y - b.y) * 500 >= LINE * (size[a.large] + size[b.large]) / 2


def test_a_name_of_a_cluster_in_two_parts_lies_on_one_of_them() -> None:
    x = np.array([0.1] * 6 + [0.9] * 5, np.float32)
    (name,) = place_names((x, x), [(np.zeros(11, np.int32), ["a"])], (0.0, 1.0, 0.0, 1.0), (1000, 500))
    assert (name.x, name.y) == pytest.approx((0.1, 0.1))
