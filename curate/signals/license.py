"""Under which licence each row stands, as an SPDX expression, and what that permits.

What is said comes from the column with the role `license`; where a row says nothing, from a table of sources; else from a default. `curate.license` says how it
is read, where terms come from (the licence index of license-expression and a few stated rules), and what they miss: they are no legal advice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.errors import InputError
from curate.signal import Column, Signal

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["SIGNAL"]

NAMES = ("spdx", "commercial", "share_alike", "unknown", "origin")


def _table(given: object) -> dict[str, str]:
    """A table source → licence. Raises InputError where it is none."""
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(text, str) for pair in given.items() for text in pair):
        raise InputError("signals.license.by_source", "is no table of sources and their licences", "Write it like {stackoverflow: CC-BY-SA-4.0}")
    return given


def _read(said: pl.Series) -> tuple[list[str | None], list[bool | None], list[bool | None], list[bool | None]]:
    """Expression, terms, and whether no licence is called so, of what is said."""
    from curate.license import is_known, leaves, parse, terms_of

    spdx = [parse(text) for text in said]
    known = [None if s is None else terms_of(s) for s in spdx]
    unknown = [None if s is None else not all(is_known(leaf) for leaf in leaves(s)) for s in spdx]
    return spdx, [None if t is None else t[0] for t in known], [None if t is None else t[1] for t in known], unknown


def compute(batch: pa.RecordBatch, *, default: str = "", by_source: dict[str, str] | None = None) -> pa.RecordBatch:
    """The licence of each row, its terms, and where it was said; null where nothing is said.

    default: the licence of rows that have none by column or source. by_source: source → licence. Raises InputError on a table that is none.
    """
    import polars as pl
    import pyarrow as pa

    from curate.license import parse
    from curate.view import as_text

    own, source = (as_text(pl.Series(name, batch.column(name))).cast(pl.String) for name in ("license", "source"))
    table = {name: text for name, text in _table(by_source).items() if parse(text) is not None}
    silent = [text for text in own.drop_nulls().unique() if parse(text) is None]
    ways = [
        pl.struct(said=pl.when(~pl.col("own").is_in(silent)).then("own"), origin=pl.lit("column")),
        pl.struct(said=pl.col("source").replace_strict(table, default=None, return_dtype=pl.String), origin=pl.lit("source")),
        pl.struct(said=pl.lit(default if parse(default) is not None else None, pl.String), origin=pl.lit("default")),
    ]
    way = pl.coalesce(*(pl.when(w.struct.field("said").is_not_null()).then(w) for w in ways)).alias("way")
    rows = pl.DataFrame({"own": own, "source": source}).select(way).unnest("way")
    unlike = rows["said"].drop_nulls().unique()
    schema = {"said": pl.String, "spdx": pl.String, "commercial": pl.Boolean, "share_alike": pl.Boolean, "unknown": pl.Boolean}
    told = pl.DataFrame([unlike.to_list(), *_read(unlike)], schema=schema)
    found = rows.join(told, on="said", how="left", maintain_order="left").select(pl.col(name).alias(f"license_{name}") for name in NAMES)
    table = found.to_arrow(compat_level=pl.CompatLevel.oldest())
    return pa.RecordBatch.from_arrays([pa.concat_arrays(c.chunks) if c.chunks else pa.array([], c.type) for c in table.columns], names=table.column_names)


SIGNAL = Signal(
    name="license",
    version=1,
    about="Under which licence each row stands, and what that permits.",
    source="SPDX licence list and ScanCode's categories, by license-expression; the rules of curate.license for Creative Commons and model licences",
    inputs=("license", "source"),
    needs=(("license", "source", "default"),),
    columns=(
        Column("license_spdx", "String", "SPDX expression", "The licence; what no known licence is called stays as LicenseRef-…; null where nothing is said."),
        Column("license_commercial", "Boolean", "yes or no", "Whether commercial use is permitted; null where that is not known.", keep="above"),
        Column("license_share_alike", "Boolean", "yes or no", "Whether copies must be shared under the same licence; null where that is not known."),
        Column("license_unknown", "Boolean", "yes or no", "Whether something is said that no known licence is called; null where nothing is said."),
        Column("license_origin", "String", "place", "Where the licence was said: in the column, by the row's source, or as the default."),
    ),
    scope="row",
    compute=compute,
    cost=500_000,
)
