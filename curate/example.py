"""Rows that an audit's checks find, to be read: the most extreme of each check, what is found of personal data in them redacted unless asked otherwise.

Personal data is what the patterns of pii find at their defaults, and what the signal pii measured beside, whatever it was told to seek. Names of people and
places have no pattern: they are found only where pii was measured with a model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.audit import beyond
from curate.links import Links
from curate.part import ScoreThreshold
from curate.recipe import Recipe
from curate.reviews import Review
from curate.roles import Role
from curate.saturation import gives_way
from curate.scores import Scores
from curate.selection import score_values, threshold_mask
from curate.signal import Column
from curate.view import as_text

__all__ = ["Example", "examples", "hidden", "redacted"]

READ = 1500  # characters of a row that are quoted
LEAST = 5  # characters of a value that is sought at its other places

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """One row of a check. position: its place in the dataset. value: what the check found, in words. text: the row's text, its first 1,500 characters."""

    position: int
    row_id: str
    value: str
    text: str


def redacted(text: str, spans: Sequence[Mapping[str, Any]]) -> str:
    """A text with its type in the place of each span, and of its value at other places. spans: {type, start, end} in characters, in order, none overlapping."""
    parts, at, values = [], 0, dict[str, str]()
    for span in spans:
        start, end, kind = int(span["start"]), int(span["end"]), f"[{span['type']}]"
        parts += [text[at:start], kind]
        values |= {text[start:end]: kind} if end - start >= LEAST else {}
        at = end
    parts.append(text[at:])
    for i in range(0, len(parts), 2):
        for value, kind in sorted(values.items(), key=lambda v: -len(v[0])):
            parts[i] = parts[i].replace(value, kind)
    return "".join(parts)


def _found(texts: Sequence[str], known: Sequence[Sequence[Mapping[str, Any]]] | None = None) -> list[list[dict[str, Any]]]:
    """Spans of personal data by patterns at their defaults, and those that are known beside; of those that overlap the longest stays."""
    import polars as pl

    from curate.recogniser import REGIONS, TYPES, Found, resolve
    from curate.signals.pii import find

    places = find(pl.Series("text", texts, pl.String), TYPES, 0.4, REGIONS)
    beside = [[Found(s["type"], s["start"], s["end"], 1.0) for s in spans] for spans in known or [()] * len(texts)]
    every = [resolve([*(row or ()), *more]) for row, more in zip(places, beside, strict=True)]
    return [[{"type": f.type, "start": f.start, "end": f.end} for f in row] for row in every]


def _distance(values: Floats, limit: ScoreThreshold) -> Floats:
    """How far each value lies beyond a limit. float64 [rows], NaN where there is no value."""
    if isinstance(limit.limit, tuple):
        return np.maximum(limit.limit[0] - values, values - limit.limit[1])
    return values - limit.limit if limit.keep == "below" else limit.limit - values


def _worst(scores: Scores, column: Column, siblings: Sequence[Column], recipe: Recipe, most: int) -> list[tuple[int, str]]:
    """Positions of the most extreme rows that a score's check finds, with the value in words; of a flag, by the signal's first score with a direction."""
    checked = beyond(scores, recipe, column)
    if checked is None:
        return []
    rows = np.flatnonzero(checked[0])
    by = next((c for c in siblings if c.keep is not None and c.name in scores.frame.columns), None)
    if checked[1] is not None:
        far = _distance(score_values(scores, column.name)[rows], checked[1])
    else:
        far = np.zeros(len(rows)) if by is None else score_values(scores, by.name)[rows] * (1 if by.keep == "below" else -1)
    order = rows[np.argsort(-np.nan_to_num(far, nan=-np.inf), kind="stable")][:most].tolist()
    told = column.name if checked[1] is not None or by is None else by.name
    values = score_values(scores, told)
    return [(i, f"{told.replace('_', ' ')} {values[i]:,.4g}" if checked[1] is not None or by is not None else "marked") for i in order]


def _alike(links: Links, keeper: npt.NDArray[np.int32], most: int) -> list[tuple[int, str]]:
    """Rows that give way to a twin, the most alike first, with the row they give way to."""
    rows = np.flatnonzero(keeper != np.arange(len(keeper)))
    order = rows[np.argsort(-links.nearest[rows], kind="stable")][:most].tolist()
    return [(i, f"{links.nearest[i]:.3f} alike to its nearest row; it gives way to row {keeper[i]:,}") for i in order]


def _own(scores: Scores, recipe: Recipe, most: int) -> dict[str, list[tuple[int, str]]]:
    """Rows beyond a limit on a column of the dataset itself, the furthest first."""
    found = {}
    for name, held in recipe.thresholds.items():
        if isinstance(held, ScoreThreshold) and name not in scores.frame.columns:
            values = score_values(scores, name)
            rows = np.flatnonzero(threshold_mask(values, held.model_copy(update={"missing": "keep"})))
            order = rows[np.argsort(-_distance(values[rows], held), kind="stable")][:most].tolist()
            found[name] = [(i, f"{name} {values[i]:,.4g}") for i in order]
    return found


def examples(scores: Scores, recipe: Recipe, most: int, personal: bool = False, marked: Sequence[Review] = ()) -> dict[str, list[Example]]:
    """Up to `most` rows of each check that finds any, the most extreme first; none where rows have no text. personal: leave what is found of it in them raw."""
    import polars as pl

    if most < 1 or not scores.dataset.has("text"):
        return {}
    found: dict[str, list[tuple[int, str]]] = {}
    for own in scores.columns.values():
        columns = [c for c in own if c.name in scores.frame.columns]
        found |= {c.name: _worst(scores, c, columns, recipe, most) for c in columns}
    found |= _own(scores, recipe, most)
    found |= {name: _alike(scores.links[name], keeper, most) for name, keeper in gives_way(scores, recipe, marked).items()}
    at = sorted({i for rows in found.values() for i, _ in rows})
    texts: list[str] = scores.dataset.rows_at(at, ["text"])["text"].fill_null("").to_list()
    labels = _labels(scores, at)
    if not personal:
        known = scores.frame["pii_spans"].gather(at).fill_null([]) if "pii_spans" in scores.frame.columns else None
        spans = _found(texts, None if known is None else known.to_list())
        texts = [redacted(text, places) for text, places in zip(texts, spans, strict=True)]
        labels = [redacted(text, places) for text, places in zip(labels, _found(labels), strict=True)]
    read = dict(zip(at, (t if len(t) <= READ else t[:READ] + "…" for t in texts), strict=True))
    label = dict(zip(at, labels, strict=True))
    ids = dict(zip(at, scores.frame["row_id"].gather(pl.Series(at, dtype=pl.Int64)).to_list(), strict=True))

    def told(name: str, i: int, value: str) -> Example:
        return Example(i, ids[i], f"{value}; {label[i]}" if name.startswith("label_issue") and label[i] else value, read[i])

    return {name: [told(name, i, value) for i, value in rows] for name, rows in found.items() if rows}


def _labels(scores: Scores, at: Sequence[int]) -> list[str]:
    """The label of each row with the one that is expected, in words; empty where labels are not judged."""
    if "label_issue_suggested" not in scores.frame.columns or not scores.dataset.has(Role.LABEL):
        return [""] * len(at)
    given, expected = as_text(scores.dataset.rows_at(at, [Role.LABEL]).to_series()), scores.frame["label_issue_suggested"].gather(list(at))
    return [f"given {own}, expected {other}" if other is not None else "" for own, other in zip(given, expected, strict=True)]


def _strings(value: Any) -> Iterator[str]:
    """Every text in plain data, names of its parts included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield name
            yield from _strings(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _strings(part)


def hidden(found: Mapping[str, Any]) -> dict[str, Any]:
    """An audit with what looks like personal data in the names of sources, labels, licences and people redacted; each name stays one of its own."""
    said = list(dict.fromkeys(_strings(found)))
    new = {text: redacted(text, spans) for text, spans in zip(said, _found(said), strict=True) if spans}
    names: dict[str, str] = {}
    taken, common = {*said}, Counter(new.values())
    for text, name in new.items():
        free = chain([name] if common[name] == 1 else [], (f"{name} {i}" for i in count(1)))
        names[text] = next(n for n in free if n not in taken)
        taken.add(names[text])

    def renamed(value: Any) -> Any:
        if isinstance(value, str):
            return names.get(value, value)
        if isinstance(value, Mapping):
            return {names.get(name, name): renamed(part) for name, part in value.items()}
        return [renamed(part) for part in value] if isinstance(value, list | tuple) else value

    return dict(renamed(found))
