"""What influence is measured on: the validation rows, their domains, and the tables in which the scores of each domain and the touched rows are told.

Whatever the measure, above 0 a row helps: without it the validation rows of that domain would do worse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.contamination import MOST as CANDIDATES
from curate.errors import InputError
from curate.leak import drawn, leaks, unlike
from curate.roles import Role
from curate.signal import attach, note
from curate.touched import Touched

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["ALL", "ASKS", "ValidationRows", "Wanted", "hold_out", "nothing", "told"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
ALL = "all"
ASKS = (
    ("reference", "a file of validation rows"),
    ("slice", "which rows here are validation, such as split=test"),
    ("share", "of the rows, drawn for validation, such as 0.1"),
)
MOST = 1000  # validation rows, drawn of more
DOMAINS = 50
NEAR = 0.8  # Jaccard of word 3-grams from which a row holds a validation row
READ = 2000  # characters of a validation row that are kept
TEXTS = ("prompt", "context", "response", "text")


@dataclass(frozen=True)
class Wanted:
    """How validation rows are chosen. reference: a file, folder, pattern or hub name; or slice: "column=value"; or share of the rows, drawn by seed.

    domain: the column, role or `cluster_number` that parts them. of: the text view that is embedded.
    """

    reference: str
    slice: str
    share: float
    domain: str
    seed: int
    of: str = ""


@dataclass(frozen=True)
class ValidationRows:
    """frame: validation rows: position (Int32, in this dataset or in the reference), prompt, context, response, text, of, label, domain (String).

    own: whether they are rows of this dataset. out: bool [rows of the dataset], validation rows and those that hold one. names: the domains, most rows first.
    """

    frame: pl.DataFrame
    own: bool
    out: Bools
    names: tuple[str, ...]

    @property
    def domain(self) -> Ints:
        """The number of each validation row's domain, -1 for none. int32 [validation]."""
        place = {name: i for i, name in enumerate(self.names)}
        return np.array([place.get(d, -1) for d in self.frame["domain"].to_list()], np.int32)

    def kept(self, there: Bools) -> ValidationRows:
        """The same without the validation rows that are not `there`; none may be left."""
        if not there.any():
            known = "A file's columns are known by their names: call them prompt, response or label" if not self.own else "Choose other rows"
            raise InputError("validation", "no row of it has a label, vector or response that is known", known)
        if not there.all():
            note("validation rows left out", int((~there).sum()))
        frame = self.frame.filter(there)
        return ValidationRows(frame, self.own, self.out, _domains(frame["domain"]))


def hold_out(table: pa.Table, wanted: Wanted, usable: Bools) -> ValidationRows | None:
    """The validation rows, at most MOST, none with the words of another. table: the inputs of the signal. usable: bool [rows], what may be drawn.

    None where none is asked for. Raises InputError where more than one way is, or where no row is found.
    """
    if bool(wanted.reference) + bool(wanted.slice) + bool(wanted.share) > 1:
        raise InputError("validation", "more than one of reference, slice and share is given", "Give one of them")
    if not (wanted.reference or wanted.slice or wanted.share) or not table.num_rows:
        return None
    rng = np.random.default_rng(wanted.seed)
    every, taken = _chosen(table, wanted, usable, rng)
    at, _ = unlike(every["text"], MOST, rng)
    if not len(at):
        raise InputError("validation", "no row of it has text", "Choose other rows")
    frame = every[at]
    found = leaks(_text(table), frame["text"], NEAR, 0.1)
    holds = found.exact | found.near
    if wanted.share:
        taken[frame["position"].to_numpy()] = True
    note("validation rows", len(frame))
    note("leaked rows", int((holds & ~taken).sum()))
    if found.cut.any():
        note(f"rows compared with {CANDIDATES} of the validation rows that they share words with", int((found.cut & ~taken).sum()))
    return ValidationRows(frame, not wanted.reference, taken | holds, _domains(frame["domain"]))


def _domains(column: pl.Series) -> tuple[str, ...]:
    counted = column.drop_nulls().value_counts().sort(["count", column.name], descending=[True, False])
    if len(counted) > DOMAINS:
        raise InputError("domain", f"the validation rows have {len(counted)} values of it, more than {DOMAINS}", "Name a column with fewer")
    return tuple(counted[column.name].to_list())


def _text(table: pa.Table) -> pl.Series:
    import polars as pl

    return pl.Series("text", table["text"], dtype=pl.String)


def _chosen(table: pa.Table, wanted: Wanted, usable: Bools, rng: np.random.Generator) -> tuple[pl.DataFrame, Bools]:
    """The rows that validation is drawn from, and which rows of the dataset it takes so far: all of the slice, whether drawn or not."""
    import polars as pl

    from curate.view import as_text

    taken = np.zeros(table.num_rows, np.bool_)
    if wanted.reference:
        return _read(wanted), taken
    if wanted.slice:
        name, equals, value = wanted.slice.partition("=")
        inside = as_text(pl.Series(table["slice"])) == value.strip()
        taken = np.asarray(inside.fill_null(False).to_numpy(), np.bool_)
        if not equals or not name.strip() or not taken.any():
            raise InputError("slice", f"no row has {wanted.slice}", "Give a column and a value that it has, such as split=test")
        rows = np.flatnonzero(taken)
    else:
        if not 0 < wanted.share < 1:
            raise InputError("share", f"{wanted.share:g} is no share", "Give more than 0 and less than 1, such as 0.1")
        rows = drawn(np.flatnonzero(usable), wanted.share, rng)
    parted = "cluster_number" if wanted.domain == "cluster_number" else "domain"
    names = {**{n: n for n in TEXTS}, "of": wanted.of or "text", "label": "label", "domain": parted}
    columns = {to: as_text(pl.Series(to, table[name])) if name in table.column_names else pl.Series(to, [None] * table.num_rows) for to, name in names.items()}
    frame = pl.DataFrame([column.cast(pl.String).alias(to) for to, column in columns.items()])
    return frame.with_row_index("position").with_columns(pl.col("position").cast(pl.Int32))[rows], taken


def _read(wanted: Wanted) -> pl.DataFrame:
    """The rows of another file with the columns that `ValidationRows.frame` has."""
    import polars as pl

    from curate.load import load
    from curate.view import as_text
    from curate.workspace import Workspace

    with TemporaryDirectory() as folder:
        found = load(wanted.reference, Workspace.at(folder))
        views = [*(n for n in TEXTS if found.has(n)), *([Role.LABEL] if found.has(Role.LABEL) else [])]
        if not found.has("text"):
            raise InputError(wanted.reference, "no column of it is known to hold text", "Name its columns as those of the dataset, such as prompt and response")
        frame = found.views(views).collect()
        column = wanted.domain if wanted.domain in dict(found.columns) else None
        if column is None and wanted.domain in [*Role] and Role(wanted.domain) in found.roles:
            column = found.roles[Role(wanted.domain)][0]
        if wanted.domain and column is None:
            raise InputError(wanted.reference, f"has no column or role {wanted.domain!r} to part it by", f"It has {', '.join(n for n, _ in found.columns)}")
        domain = found.scan().select(column).collect().to_series() if column else pl.Series([None] * found.rows, dtype=pl.String)
    texts = [(frame[n] if n in frame.columns else pl.Series([None] * len(frame), dtype=pl.String)).alias(n) for n in TEXTS]
    label = as_text(frame["label"]) if "label" in frame.columns else pl.Series([None] * len(frame), dtype=pl.String)
    of = frame[wanted.of] if wanted.of in frame.columns else frame["text"]
    whole = [pl.Series("position", range(len(frame)), pl.Int32), *texts, of.alias("of"), label.alias("label"), as_text(domain).cast(pl.String).alias("domain")]
    return pl.DataFrame(whole)


def columns_of(names: Sequence[str]) -> list[str]:
    """What the columns of domains end in: letters, digits and underlines, none twice, none that reads as another signal's."""
    found: list[str] = [ALL]
    for name in names:
        slug = re.sub(r"[^0-9a-z]+", "_", name.casefold()).strip("_") or "other"
        slug = f"domain_{slug}" if slug.split("_")[0] in (ALL, "shapley", "gradient") else slug
        taken, number = slug, 2
        while slug in found:
            slug, number = f"{taken}_{number}", number + 1
        found.append(slug)
    return found


def nothing(rows: int, starts: Sequence[str]) -> pa.Table:
    """The columns of no domain, all null."""
    import pyarrow as pa

    return pa.table({f"{start}_{ALL}": pa.nulls(rows, pa.float32()) for start in starts})


def told(held: ValidationRows, rows: Ints, found: Mapping[str, npt.NDArray[Any]], touched: Touched | None) -> pa.Table:
    """The score columns, null in rows that were not measured; attaches the domains, the validation rows, and which of them each row touches.

    rows: int32, those that were measured. found: by the columns' beginning, [1 + domains, len(rows)], all validation rows first. touched: of those rows.
    """
    import polars as pl
    import pyarrow as pa

    total = len(held.out)
    ends, none, columns = columns_of(held.names), np.ones(total, np.bool_), {}
    none[rows] = False
    for start, values in found.items():
        for end, row in zip(ends, values, strict=True):
            whole = np.zeros(total, np.float32)
            whole[rows] = row
            columns[f"{start}_{end}"] = pa.array(whole, mask=none)
    counts = [len(held.frame), *((held.frame["domain"] == name).sum() for name in held.names)]
    attach("domains", pa.table({"ending": ends, "domain": pa.array([None, *held.names], pa.string()), "rows": counts}))
    kept = held.frame.select("position", pl.lit(held.own).alias("own"), pl.col("text").str.slice(0, READ), "label", "domain")
    attach("validation", kept.to_arrow(compat_level=pl.CompatLevel.oldest()))
    if touched is not None:
        attach("touched", _arrays(touched.among(rows, total)))
    return pa.table(columns)


def _arrays(touched: Touched) -> pa.Table:
    import pyarrow as pa

    sides = {name: getattr(touched, name) for name in ("helped", "helped_by", "harmed", "harmed_by")}
    return pa.table({n: pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(v).ravel()), v.shape[1]) for n, v in sides.items()})
