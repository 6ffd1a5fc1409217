"""Personal data at export: redacted, masked or given a stand-in in the copies that are written; the dataset itself is never changed.

What the signal `pii` found in a row's text view is changed in the columns that the view is made of, wherever they hold it: turns, lists, nested fields. The
same value at other places of the row's text columns is changed too, with those columns that the recipe names; where it stands in any other column that is
counted, and left. Spans of the types that are treated then name where the treated text stands; `pii_count` stays what was found. What people spared stays as it
was.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.dataset import Dataset
from curate.errors import InputError
from curate.part import Personal
from curate.places import Change, changed, each_string, edited, leaves, replaced
from curate.roles import Role
from curate.scores import Scores
from curate.standin import masked, stand_in

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["TREATMENTS", "Told", "holds", "rehearsed", "replacement", "treated", "untreated"]

TREATMENTS = ("redact", "mask", "pseudonymise", "drop")
TEXTS = (Role.PROMPT, Role.CONTEXT, Role.RESPONSE, Role.REJECTED, Role.MESSAGES)
Spared = Mapping[str, frozenset[str] | None]
_BLOCK = 20_000  # rows whose other columns are read at once


@dataclass(frozen=True)
class Told:
    """What an export did. rows: with something treated. treated: findings by type. spared: findings that people spared. left: findings of types not asked for.

    elsewhere: rows by column in which a treated value also stands in a column that is not treated.
    """

    rows: int = 0
    treated: Counter[str] = field(default_factory=Counter)
    spared: int = 0
    left: int = 0
    elsewhere: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Told) -> Told:
        both = self.treated + other.treated, self.elsewhere + other.elsewhere
        return Told(self.rows + other.rows, both[0], self.spared + other.spared, self.left + other.left, both[1])

    def as_json(self, personal: Personal) -> dict[str, Any]:
        """What the manifest says."""
        return {
            **personal.model_dump(mode="json"),
            "rows": self.rows,
            "treated": dict(self.treated.most_common()),
            "spared": self.spared,
            "left": self.left,
            "elsewhere": dict(self.elsewhere.most_common()),
            "spans": "as found" if personal.treat == "drop" else "places of the treated text",
        }


def wanted(kind: str, personal: Personal, spared: frozenset[str] | None) -> bool:
    """Whether a finding is treated. spared: types that are no personal data in its row, None for all."""
    return spared is not None and kind not in spared and (personal.types == "all" or kind in personal.types)


def holds(spans: pl.Series, row_ids: pl.Series, personal: Personal, spared: Spared) -> npt.NDArray[np.bool_]:
    """Rows in which something of the types is found that nobody spared. bool [rows]. spans: `pii_spans`, row_ids: String [rows]."""
    import polars as pl

    types = spans.list.eval(pl.element().struct.field("type")).fill_null([])
    asked = types.list.len() > 0 if personal.types == "all" else types.list.eval(pl.element().is_in(personal.types)).list.any()
    found = asked.fill_null(False).to_numpy().copy()
    for i in row_ids.is_in([*spared]).arg_true().to_list() if spared else ():
        found[i] = any(wanted(kind, personal, spared[row_ids[i]]) for kind in types[i])
    return np.asarray(found, np.bool_)


def replacement(kind: str, value: str, personal: Personal) -> str:
    """What is written in the place of a value."""
    if personal.treat == "mask":
        return masked(value)
    return stand_in(kind, value, personal.seed) if personal.treat == "pseudonymise" else f"[{kind}]"


def treated(rows: pa.Table, dataset: Dataset, personal: Personal, spared: Spared) -> tuple[pa.Table, Told]:
    """Rows of an export with their personal data treated, and what was done. rows: original columns, `row_id` and `pii_spans`, also with a number behind it.

    Raises InputError where a value stands in a column of text that holds no strings.
    """
    import polars as pl

    name = next(n for n in reversed(rows.column_names) if re.fullmatch(r"pii_spans(_\d+)?", n))
    spans = pl.Series(rows[name])
    found = np.flatnonzero(holds(spans, pl.Series(rows["row_id"], dtype=pl.String), personal, spared))
    let = _spared(rows["row_id"].to_pylist(), spans, spared)
    total = Told(spared=let, left=int(spans.list.len().sum() or 0) - let)
    if personal.treat == "drop" or not len(found):
        return rows, total
    part, told, new = rows.take(found), Told(), dict[str, list[Any]]()
    names = _columns(dataset, personal)
    held = {n: part[n].to_pylist() for n in [*names, name, "row_id"]}
    others = {n: part[n].to_pylist() for n, _ in dataset.columns if n not in names}
    frame = pl.from_arrow(part.select([n for n, _ in dataset.columns]))
    assert isinstance(frame, pl.DataFrame)
    for i, (text, places) in enumerate(leaves(frame, dataset.roles)):
        row = _Row({n: held[n][i] for n in names}, text, places, held[name][i])
        values, row_spans, one = _treat(row, personal, spared.get(held["row_id"][i], frozenset()), {n: v[i] for n, v in others.items()})
        told += one
        for column, value in {**values, name: row_spans}.items():
            new.setdefault(column, []).append(value)
    for column, fresh in new.items():
        rows = rows.set_column(rows.column_names.index(column), rows.schema.field(column), _exchanged(rows[column], found, fresh))
    return rows, Told(told.rows, told.treated, let, total.left - told.treated.total(), told.elsewhere)


def _spared(row_ids: Sequence[str], spans: pl.Series, spared: Spared) -> int:
    """Findings that people spared."""
    mine = [(spared[row], spans[i]) for i, row in enumerate(row_ids) if row in spared]
    return sum(kinds is None or span["type"] in kinds for kinds, found in mine if found is not None for span in found.to_list())


def _columns(dataset: Dataset, personal: Personal) -> list[str]:
    """Columns in which values are treated: those of the text, and those that the recipe names."""
    known = [n for n, _ in dataset.columns]
    unknown = next((c for c in personal.columns if c not in known), None)
    if unknown is not None:
        raise InputError("personal.columns", f"there is no column {unknown!r}", f"The columns are {', '.join(map(repr, known))}")
    return list(dict.fromkeys([*(c for role in TEXTS for c in dataset.roles.get(role, ())), *personal.columns]))


@dataclass(frozen=True)
class _Row:
    """One row. values: by column. text: its view. places: strings that the view is made of. spans: what was found."""

    values: Mapping[str, Any]
    text: str
    places: Sequence[Any]
    spans: Sequence[Mapping[str, Any]]


def _treat(row: _Row, personal: Personal, spared: frozenset[str] | None, others: Mapping[str, Any]) -> tuple[dict[str, Any], list[Any], Told]:
    """A row's columns and spans as they are exported, and what was done."""
    said = [row.text[s["start"] : s["end"]] for s in row.spans]
    mine = [wanted(s["type"], personal, spared) for s in row.spans]
    fresh = {value: replacement(s["type"], value, personal) for s, value, yes in zip(row.spans, said, mine, strict=True) if yes}
    changes = [Change(s["start"], s["end"], fresh[value] if yes else value) for s, value, yes in zip(row.spans, said, mine, strict=True)]
    changes = _with_others(row.text, changes, fresh)
    try:
        values, moved = changed(row.values, row.places, changes)
    except KeyError as error:
        what = f"personal data stands in the column {error.args[0]}, which holds no text to write into"
        raise InputError("personal.treat", what, "Give the column as text, or drop those rows with treat: drop") from error
    seen = {(leaf.column, leaf.path) for leaf in row.places}
    for column in row.values:
        for path, string in each_string(row.values[column]):
            if (column, path) not in seen and next(_occurrences(string, fresh), None):
                values[column] = replaced(values[column], path, partial(_rewritten, fresh=fresh))
    places = {c.start: m for c, m in zip(changes, moved, strict=True)}
    spans = [{"type": s["type"], "start": a, "end": b} for s in row.spans for a, b in [places[s["start"]]]]
    elsewhere = Counter(n for n, value in others.items() if value is not None and next(_occurrences(_as_text(value), fresh), None))
    return values, spans, Told(1, Counter(s["type"] for s, yes in zip(row.spans, mine, strict=True) if yes), elsewhere=elsewhere)


_BEGIN = re.compile(r"(?<![^\W_])(?=\S)")


def _occurrences(text: str, fresh: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """Where a text holds one of the values, not inside of a longer word, the longest first."""
    lengths, at = sorted({len(value) for value in fresh}, reverse=True), 0
    for begin in _BEGIN.finditer(text):
        i = begin.start()
        found = next((i + n for n in lengths if text[i : i + n] in fresh and not text[i + n : i + n + 1].isalnum()), None) if i >= at else None
        if found is not None:
            at = found
            yield i, at


def _with_others(text: str, changes: list[Change], fresh: Mapping[str, str]) -> list[Change]:
    """The changes, which are in order, and those of the same values at other places of the view, in order."""
    starts = [c.start for c in changes]
    free = []
    for start, end in _occurrences(text, fresh):
        at = bisect_right(starts, start)
        if not (at and changes[at - 1].end > start) and not (at < len(starts) and starts[at] < end):
            free.append(Change(start, end, fresh[text[start:end]]))
    return sorted([*changes, *free], key=lambda c: c.start)


def _rewritten(text: str, fresh: Mapping[str, str]) -> str:
    return edited(text, [(start, end, fresh[text[start:end]]) for start, end in _occurrences(text, fresh)])


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _exchanged(column: pa.ChunkedArray, rows: npt.NDArray[np.int64], fresh: Sequence[Any]) -> pa.ChunkedArray:
    """A column with new values in some rows, of the same type."""
    import pyarrow as pa

    dictionary = pa.types.is_dictionary(column.type)
    plain = pa.chunked_array([c.dictionary_decode() for c in column.chunks], column.type.value_type) if dictionary else column
    at = np.arange(len(plain))
    at[rows] = len(plain) + np.arange(len(rows))
    found = pa.chunked_array([*plain.chunks, pa.array(fresh, plain.type)], plain.type).take(pa.array(at))
    return found.dictionary_encode().cast(column.type) if dictionary else found


def rehearsed(scores: Scores, positions: Sequence[int], personal: Personal, spared: Spared) -> tuple[pl.DataFrame, Told]:
    """Rows as an export would hold them, `row_id` and `pii_spans` among the columns, and what would be done. positions: of rows, in any order."""
    import polars as pl

    dataset = scores.dataset
    taken = {n for n, _ in dataset.columns}
    name = next(n for n in ("pii_spans", *(f"pii_spans_{i}" for i in range(2, len(taken) + 3))) if n not in taken)
    found = dataset.rows_at(positions).with_columns(scores.frame["pii_spans"].gather(list(positions)).alias(name))
    table, told = treated(found.to_arrow(compat_level=pl.CompatLevel.oldest()), dataset, personal, spared)
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame.rename({name: "\0"}).drop([n for n in ("pii_spans",) if n in taken]).rename({"\0": "pii_spans"}), told


def untreated(scores: Scores, personal: Personal | None, spared: Spared) -> tuple[npt.NDArray[np.bool_], frozenset[str] | None]:
    """Rows that would be exported with personal data in them: of types that are not treated, or, treated in the text, in a column that is not.

    bool [rows], and the types that are not treated, None for all. Where the recipe drops such rows, those that are kept all the same hold theirs untreated.
    """
    spans, row_ids = scores.frame["pii_spans"], scores.frame["row_id"]
    if personal is None or personal.treat == "drop":
        return holds(spans, row_ids, Personal(treat="redact"), spared), None
    let = tuple(sorted((row, *sorted(kinds or ("\0",))) for row, kinds in spared.items()))
    beside = scores.once(("elsewhere", personal.model_dump_json(), let), lambda: _elsewhere(scores, personal, spared))
    found = set() if personal.types == "all" else {s["type"] for s in spans.explode().drop_nulls().unique().to_list()}
    left = sorted(found.difference(personal.types))
    if not left:
        return beside, frozenset()
    return holds(spans, row_ids, Personal(treat="redact", types=left), spared) | beside, frozenset(left)


def _elsewhere(scores: Scores, personal: Personal, spared: Spared) -> npt.NDArray[np.bool_]:
    """Rows in which a value that is treated also stands in a column that is not. bool [rows]."""
    dataset, names = scores.dataset, _columns(scores.dataset, personal)
    others, found = [n for n, _ in dataset.columns if n not in names], np.zeros(scores.dataset.rows, np.bool_)
    asked = np.flatnonzero(holds(scores.frame["pii_spans"], scores.frame["row_id"], personal, spared)) if others else np.empty(0, np.int64)
    for at in range(0, len(asked), _BLOCK):
        part = asked[at : at + _BLOCK].tolist()
        frame, texts, spans = dataset.rows_at(part)[others], dataset.rows_at(part, ["text"])["text"], scores.frame["pii_spans"].gather(part)
        for row, text, mine, values in zip(part, texts, spans, frame.iter_rows(), strict=True):
            let = spared.get(scores.frame["row_id"][row], frozenset())
            fresh = {text[s["start"] : s["end"]]: "" for s in mine.to_list() if wanted(s["type"], personal, let)}
            found[row] = any(value is not None and next(_occurrences(_as_text(value), fresh), None) for value in values)
    return found
