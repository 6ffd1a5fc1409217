"""The map's figure: points where they are few, a picture where they are many, names, legend, and a few rows to hover."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from curate.region import Bounds, Region
from ui.charts import DROPPED, HAND, SCALE, escape, layout
from ui.map.colour import Colouring, Groups, Scale, scale_bar
from ui.map.names import Name
from ui.map.raster import paint

__all__ = ["TALL", "Hover", "Scene", "draw"]

Bools = npt.NDArray[np.bool_]
TALL = 600  # pixels
FAINT = 0.35  # opacity of what is dropped or not in view
SVG, WEBGL = 3_000, 20_000  # the most rows that are drawn as points without and with WebGL; beyond, the map is a picture


@dataclass(frozen=True)
class Hover:
    """Rows that answer when pointed at. rows: positions, int64 [shown]. texts: what is said of each, escaped."""

    rows: npt.NDArray[np.int64]
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Scene:
    """All that the map shows. place: x and y, float32 [rows], NaN where a row has none. solid, faint: bool [rows], no row is both.

    called: what colours mean. quiet: what faint rows are. view: the part of the plane. outline: what the hand drew before. dark: the theme.
    """

    place: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
    colouring: Colouring
    called: str
    solid: Bools
    faint: Bools
    quiet: str
    view: Bounds
    names: tuple[Name, ...]
    hover: Hover
    outline: Region
    dark: bool


def draw(scene: Scene, title: str, webgl: bool) -> go.Figure:
    """The figure of a scene. webgl: whether the browser has it.

    Rows to hover stand on a second pair of axes over the first, as a line without width: so a lasso finds no points there, and only its outline travels.
    """
    (x, y), (low, high, bottom, top) = scene.place, scene.view
    inside = (x >= low) & (x <= high) & (y >= bottom) & (y <= top)
    solid, faint = np.flatnonzero(scene.solid & inside), np.flatnonzero(scene.faint & inside)
    shown = len(solid) + len(faint)
    figure = go.Figure()
    kind = go.Scatter if shown <= SVG else go.Scattergl if webgl and shown <= WEBGL else None
    if kind is None:
        _picture(figure, scene)
    for layer in _layers(scene, solid, faint):
        _trace(figure, scene, layer, kind)
    if isinstance(scene.colouring, Scale):
        figure.add_trace(scale_bar(scene.colouring, scene.called))
    _hover(figure, scene)
    ink, halo = ("#ffffff", "#12161c") if scene.dark else ("#1c2430", "#ffffff")
    font = {"size": 12, "color": ink, "weight": 600, "shadow": ", ".join([f"0 0 3px {halo}"] * 3)}
    for name in scene.names:
        size = {"size": 16, "weight": 700} if name.large else {}
        figure.add_annotation(x=name.x, y=name.y, text=escape(name.text), showarrow=False, font=font | size)
    return _frame(figure, scene, title)


@dataclass(frozen=True)
class _Layer:
    """Rows drawn alike, later ones over earlier ones. colour: one for all, or one a row. rank: place in the legend."""

    name: str
    colour: str | npt.NDArray[np.float32]
    opacity: float
    rows: npt.NDArray[np.int64]
    rank: int


def _layers(scene: Scene, solid: npt.NDArray[np.int64], faint: npt.NDArray[np.int64]) -> list[_Layer]:
    """What is drawn, the faintest first; what has no row is left out."""
    colouring = scene.colouring
    code = colouring.code[solid] if isinstance(colouring, Groups) else -np.isnan(colouring.place[solid]).astype(np.int8)
    order = solid[np.argsort(code, kind="stable")]
    groups = len(colouring.names) if isinstance(colouring, Groups) else 1
    nothing, *own = np.split(order, np.cumsum(np.bincount(code + 1, minlength=groups + 1))[:-1])
    layers = [_Layer(scene.quiet, DROPPED, FAINT, faint, 9_002), _Layer("no value", DROPPED, 0.6, nothing, 9_001)]
    if isinstance(colouring, Groups):
        parts = zip(colouring.names, colouring.colours, own, strict=True)
        named = [_Layer(name, colour, 0.8, rows, i) for i, (name, colour, rows) in enumerate(parts, 1_001)]
        layers += [*[replace(layer, opacity=0.45) for layer in named[-1:] if colouring.rest], *(named[:-1] if colouring.rest else named)]
    else:
        layers.append(_Layer("", colouring.place[own[0]], 0.85, own[0], 1_001))
    return [layer for layer in layers if len(layer.rows)]


def _trace(figure: go.Figure, scene: Scene, layer: _Layer, kind: type[Any] | None) -> None:
    """A layer as points, or, where the map is a picture, only its place in the legend."""
    (x, y), short = scene.place, layer.name if len(layer.name) <= 32 else layer.name[:31] + "…"
    look = {"mode": "markers", "name": f"{escape(short)} · {len(layer.rows):,}", "legendrank": layer.rank, "hoverinfo": "skip", "showlegend": bool(short)}
    marker = {"color": layer.colour, "opacity": layer.opacity, "colorscale": SCALE, "cmin": 0, "cmax": 1}
    if kind is not None:
        figure.add_trace(kind(x=x[layer.rows], y=y[layer.rows], marker=marker | {"size": (6 if kind is go.Scatter else 5) - (layer.opacity == FAINT)}, **look))
    elif short:
        figure.add_trace(go.Scatter(x=[None], y=[None], marker=marker | {"size": 8}, **look))


def _picture(figure: go.Figure, scene: Scene) -> None:
    low, high, bottom, top = scene.view
    source = paint(scene.place, scene.colouring, scene.solid, scene.faint, scene.view)
    box = {"xref": "x", "yref": "y", "x": low, "y": top, "sizex": high - low, "sizey": top - bottom, "sizing": "stretch", "layer": "below"}
    figure.add_layout_image(source=source, **box)


def _hover(figure: go.Figure, scene: Scene) -> None:
    x, y = scene.place
    rows = scene.hover.rows
    line = {"mode": "lines", "line": {"width": 0}, "xaxis": "x2", "yaxis": "y2", "showlegend": False}
    label = {"hovertemplate": "%{text}<extra></extra>", "hoverlabel": {"align": "left"}}
    figure.add_trace(go.Scatter(x=x[rows], y=y[rows], text=list(scene.hover.texts), **line, **label))


def _frame(figure: go.Figure, scene: Scene, title: str) -> go.Figure:
    low, high, bottom, top = scene.view
    bare = {"visible": False, "fixedrange": False}
    layout(figure, title, TALL)
    figure.update_layout(
        xaxis={"range": [low, high], "domain": [0, 1], **bare},
        yaxis={"range": [bottom, top], "domain": [0, 1], **bare},
        xaxis2={"matches": "x", "domain": [0, 1], "anchor": "y2", **bare},
        yaxis2={"matches": "y", "domain": [0, 1], "anchor": "x2", **bare},
        legend={"x": 0, "xanchor": "left", "y": -0.02, "yanchor": "top", "itemsizing": "constant", "itemclick": False, "itemdoubleclick": False},
        plot_bgcolor="rgba(0,0,0,0)",  # the second pair of axes brings a background of its own, over the first
        hovermode="closest",
        dragmode="lasso",
        newselection={"line": {"color": HAND, "width": 2, "dash": "solid"}},
        activeselection={"fillcolor": HAND, "opacity": 0.08},
        selections=_outline(scene.outline),
    )
    return figure


def _outline(region: Region) -> list[dict[str, Any]]:
    """What the hand drew before, so that it is still there when the map is drawn anew."""
    on = {"xref": "x2", "yref": "y2", "line": {"color": HAND, "width": 2, "dash": "solid"}}
    paths = [{"type": "path", "path": "M" + "L".join(f"{x},{y}" for x, y in p) + "Z", **on} for p in region.polygons]
    return [*paths, *({"type": "rect", "x0": b[0], "x1": b[1], "y0": b[2], "y1": b[3], **on} for b in region.boxes)]
