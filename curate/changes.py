"""What changed from one Version to another: rows that came in, rows that went out, values that differ, and for each the decision that changed it.

A row that only one of them writes is told by what drops it in the other: a threshold that was set or moved, another keeper, a person, a budget, or that the
other's input does not hold it. A row's name is made from its content, so a row that was changed in its file is one that went and one that came.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import InputError
from curate.recipe import Recipe, load_recipe
from curate.reviews import Review, edits, fold, labels, marks, read_log
from curate.roles import Role
from curate.versions import Version
from curate.whys import Side, why_changed, why_dropped

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Decision", "Diff", "diff", "side"]

ORDER = "order", "phase"


@dataclass(frozen=True)
class Decision:
    """What one decision did. kind: "threshold", "keeper", "review", "budget", "input", "edit", … name: its threshold, column or part. why: in words.
    rows_in, rows_out: rows that it let in and put out; changed: rows of which it changed a value.
    """

    kind: str
    name: str
    why: str
    rows_in: int = 0
    rows_out: int = 0
    changed: int = 0


@dataclass(frozen=True)
class Diff:
    """From Version a to Version b.

    out, into: rows that only a, only b writes, a line for each decision: `row_id`, `kind`, `name`, `why`, `keeper` (the row that the row gives way to, in the
    Version that drops it), String, null where there is none. changed: `row_id`, `column`, `kind`, `name`, `why` of each value that differs. moved: rows of
    both that stand elsewhere among the rows of both. both: rows that both write. inputs: (path, "added", "taken out" or "changed"). columns: (name, "added",
    "taken out" or its other type).
    """

    a: Version
    b: Version
    out: pl.DataFrame
    into: pl.DataFrame
    changed: pl.DataFrame
    moved: int
    both: int
    inputs: tuple[tuple[str, str], ...]
    columns: tuple[tuple[str, str], ...]

    @property
    def rows_out(self) -> int:
        """Rows that only a writes."""
        return int(self.out["row_id"].n_unique())

    @property
    def rows_in(self) -> int:
        """Rows that only b writes."""
        return int(self.into["row_id"].n_unique())

    @property
    def rows_changed(self) -> int:
        """Rows that both write, with another value."""
        return int(self.changed["row_id"].n_unique())

    @property
    def same(self) -> bool:
        """Whether both hold the same rows in the same order with the same values and columns."""
        return not (len(self.out) or len(self.into) or len(self.changed) or self.moved or self.columns)

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """Every decision that changed rows, the one of most rows first; a row may count with several."""
        import polars as pl

        counts: dict[tuple[str, str, str], dict[str, int]] = {}
        for column, frame in (("rows_in", self.into), ("rows_out", self.out), ("changed", self.changed)):
            for kind, name, why, rows in frame.group_by("kind", "name", "why").agg(pl.col("row_id").n_unique()).iter_rows():
                counts.setdefault((kind, name, why), {})[column] = rows
        found = [Decision(*said, *(rows.get(n, 0) for n in ("rows_in", "rows_out", "changed"))) for said, rows in counts.items()]
        return tuple(sorted(found, key=lambda d: (-d.rows_in - d.rows_out - d.changed, d.kind, d.name, d.why)))

    def summary(self) -> dict[str, Any]:
        """Counts, decisions, inputs and columns that differ, without the rows."""
        counts = {"in": self.rows_in, "out": self.rows_out, "changed": self.rows_changed, "moved": self.moved, "both": self.both}
        return {
            "a": self.a.name,
            "b": self.b.name,
            "same": self.same,
            "rows": counts,
            "decisions": [{**vars(d)} for d in self.decisions],
            "inputs": [{"path": path, "what": what} for path, what in self.inputs],
            "columns": [{"column": name, "what": what} for name, what in self.columns],
        }

    def as_json(self) -> dict[str, Any]:
        """The object that `curate diff --json` prints: the summary, and the rows that are in, out and changed."""
        return {**self.summary(), **{name: frame.to_dicts() for name, frame in (("in", self.into), ("out", self.out), ("changed", self.changed))}}


def side(version: Version, later: bool = False) -> Side:
    """What a diff reads of a Version: its recipe, its decisions, what people said. Raises InputError where its recipe cannot be read."""
    import polars as pl

    recipe = load_recipe(version.folder / "recipe.yaml")
    log = recipe.reviews
    marked: tuple[Review, ...] = fold(read_log(Path(log.path), log.lines)).marked if log else ()
    table = pl.scan_parquet(version.folder / "decisions.parquet", glob=False)
    names = [n for n in table.collect_schema().names() if n in ("row_id", "keep", *recipe.thresholds) or n.startswith("drop_") or n.endswith("_keeper")]
    decided = table.select(names).collect()
    written = pl.scan_parquet(version.folder / "selected.parquet", glob=False).select("row_id").unique(maintain_order=True).collect()["row_id"]
    said = pl.Series("said", marks(marked, decided["row_id"])) if marked else pl.Series("said", [0] * len(decided), pl.Int8)
    return Side(version, recipe, marked, decided.with_columns(said), written, later)


def diff(a: Version, b: Version) -> Diff:
    """Compare two Versions, column by column, in the memory of one. Raises InputError where one cannot be read."""
    from polars.exceptions import PolarsError

    try:
        one, two = side(a), side(b, later=True)
        out, into = _only(one, two), _only(two, one)
        inputs = _inputs(a, b)
        changed, moved, columns, both = _values(one, two, bool(inputs))
    except (PolarsError, OSError) as error:
        what = str(error).splitlines()[0]
        raise InputError(f"{a.folder} and {b.folder}", f"cannot be compared ({what})", "Verify both: `curate verify` names the file that is broken") from error
    return Diff(a, b, out, into, changed, moved, both, inputs, columns)


def _inputs(a: Version, b: Version) -> tuple[tuple[str, str], ...]:
    before, after = dict((*a.inputs, *a.references)), dict((*b.inputs, *b.references))
    gone = [(path, "taken out") for path, sha in before.items() if path not in after and sha not in after.values()]
    come = [(path, "added") for path, sha in after.items() if path not in before and sha not in before.values()]
    return (*gone, *come, *((path, "changed") for path, sha in after.items() if before.get(path, sha) != sha))


def _only(mine: Side, other: Side) -> pl.DataFrame:
    """Rows that only `mine` writes, with what drops each in `other`."""
    import polars as pl

    rows = pl.DataFrame({"row_id": mine.written.filter(~mine.written.is_in(other.written.implode()))})
    known = rows.join(other.decided, on="row_id", how="left", maintain_order="left")
    here = rows.join(mine.decided, on="row_id", how="left", maintain_order="left")
    parts = []
    for mask, kind, name, why, keeper in why_dropped(here, known, mine, other):
        words = [pl.lit(text, pl.String).alias(column) for column, text in (("kind", kind), ("name", name), ("why", why))]
        found = known.filter(mask)
        parts.append(found.select("row_id", *words, (pl.col(keeper) if keeper in found.columns else pl.lit(None, pl.String)).alias("keeper")))
    return pl.concat([_nothing("keeper"), *parts]).unique(maintain_order=True)


def _nothing(*more: str) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(schema=dict.fromkeys(["row_id", "kind", "name", "why", *more], pl.String))


def _values(one: Side, two: Side, inputs: bool) -> tuple[pl.DataFrame, int, tuple[tuple[str, str], ...], int]:
    """Values that differ of rows that both write, how many of those rows moved, columns that differ, rows of both."""
    import polars as pl

    schemas = [pl.read_parquet_schema(s.version.folder / "selected.parquet") for s in (one, two)]
    gone = [(name, "taken out") for name in schemas[0] if name not in schemas[1]]
    come = [(name, "added") for name in schemas[1] if name not in schemas[0]]
    at = _places(one, two)
    kinds, parts = [], []
    for name in [n for n in schemas[0] if n in schemas[1] and n != "row_id"]:
        if schemas[0][name] != schemas[1][name]:
            kinds.append((name, f"{schemas[0][name]} → {schemas[1][name]}"))
        if one.own(name) in ORDER and two.own(name) in ORDER:
            continue  # counted as rows that moved: one row that goes moves the number of all that follow
        differ = _differ(*(_column(s, name).gather(at[place]) for s, place in ((one, "a"), (two, "b"))))
        found = at.filter(differ)
        if len(found):
            parts += _told(found, name, one, two, inputs)
    changed = pl.concat([_nothing("column"), *parts])
    return changed.select("row_id", "column", "kind", "name", "why"), _moved(at["b"].to_list()), (*gone, *come, *kinds), len(at)


def _moved(places: Sequence[int]) -> int:
    """The least number of rows that one takes out to leave the others in order: all but those of the longest ascending run of places (patience sorting)."""
    tops: list[int] = []
    for place in places:
        if not tops or place > tops[-1]:
            tops.append(place)
        else:
            tops[bisect_left(tops, place)] = place
    return len(places) - len(tops)


def _places(one: Side, two: Side) -> pl.DataFrame:
    """`row_id` of the rows that both write, and the first line of each: `a`, `b`."""
    import polars as pl

    frames = []
    for name, s in (("a", one), ("b", two)):
        ids = pl.scan_parquet(s.version.folder / "selected.parquet", glob=False).select("row_id").with_row_index(name)
        frames.append(ids.unique("row_id", keep="first", maintain_order=True).collect())
    return frames[0].join(frames[1], on="row_id", how="inner", maintain_order="left")


def _column(of: Side, name: str) -> pl.Series:
    import polars as pl

    return pl.read_parquet(of.version.folder / "selected.parquet", columns=[name], glob=False)[name]


def _differ(a: pl.Series, b: pl.Series) -> pl.Series:
    """Where two columns differ; null equals null. Boolean."""
    import polars as pl

    from curate.view import as_text

    if a.dtype != b.dtype or isinstance(a.dtype, pl.Object):
        a, b = as_text(a), as_text(b)
    return a.ne_missing(b)


def _told(found: pl.DataFrame, column: str, one: Side, two: Side, inputs: bool) -> list[pl.DataFrame]:
    """Rows whose value in a column differs, with the decision that changed it."""
    import polars as pl

    parts, rest = [], found
    given = column.split("_given")[0]
    touched = [(kind, _rows_of(kind, given, one) | _rows_of(kind, given, two)) for kind in ("edit", "label")]
    for kind, rows in touched:
        here = rest["row_id"].is_in(list(rows))
        if here.any():
            parts.append(rest.filter(here).with_columns(_words("review" if kind == "label" else kind, column, f"{kind} by hand")))
            rest = rest.filter(~here)
    if len(rest):
        parts.append(rest.with_columns(_words(*why_changed(column, one, two, inputs))))
    return [part.select("row_id", "kind", "name", "why", pl.lit(column, pl.String).alias("column")) for part in parts]


def _words(kind: str, name: str, why: str) -> list[pl.Expr]:
    import polars as pl

    return [pl.lit(text, pl.String).alias(column) for column, text in (("kind", kind), ("name", name), ("why", why))]


def _rows_of(kind: str, column: str, of: Side) -> set[str]:
    """Rows whose text in a column, or whose label, people changed."""
    if kind == "edit":
        return {row for row, texts in edits(of.marked).items() if column in texts}
    return {*labels(of.marked)} if column in _named(of.recipe, Role.LABEL) else set()


def _named(recipe: Recipe, role: Role) -> Sequence[str]:
    roles: Mapping[Role, str | list[str]] = recipe.dataset.roles or {}
    held = roles.get(role, [])
    return [held] if isinstance(held, str) else held
