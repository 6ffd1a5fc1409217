"""What people said of rows, as columns of the ledger: labels, edits, links that were cut, and whether a row stays. Empty columns are left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from curate.reviews import Review, edits, labels, last_marks
from curate.roles import Role
from curate.scores import Scores
from curate.view import as_text

if TYPE_CHECKING:
    import polars as pl

__all__ = ["people_columns"]


def people_columns(scores: Scores, marked: Sequence[Review], ids: pl.Series) -> Iterator[tuple[dict[str, Any], pl.Series]]:
    """Each decision that people made of any row: its kind, and its column for the rows with these ids."""
    import polars as pl

    for kind, said in (("label", _labels(scores, marked, ids)), ("edit", _edits(marked)), ("cut", _cuts(marked))):
        if said:
            yield {"kind": kind}, _joined(ids, kind, pl.DataFrame(said, infer_schema_length=None))
    stays, by = last_marks(marked, scores.frame["row_id"])
    told = {i: {"by_entry": i, **_who(marked[i]), "action": marked[i].action, "why": marked[i].why} for i in sorted({*by[stays != 0].tolist()})}
    if told:
        every = scores.frame.select("row_id").with_columns(said=stays, by_entry=by).filter(pl.col("said") != 0)
        types = {"by_entry": pl.Int32, "by": pl.String, "at": pl.String, "action": pl.String, "why": pl.String}
        frame = every.join(pl.DataFrame([*told.values()], schema=types), on="by_entry", how="left", maintain_order="left").drop("by_entry")
        word = pl.when(pl.col("said") > 0).then(pl.lit("keep")).otherwise(pl.lit("drop"))
        yield {"kind": "review"}, _joined(ids, "review", frame.with_columns(word.alias("said")))


def _joined(ids: pl.Series, name: str, said: pl.DataFrame) -> pl.Series:
    """What is said of some rows, by `row_id`, as a struct for each of these ids; null for the others."""
    import polars as pl

    fields = [c for c in said.columns if c != "row_id"]
    frame = ids.to_frame().join(said.with_columns(there=True), on="row_id", how="left", maintain_order="left")
    return frame.select(pl.when("there").then(pl.struct(fields)).alias(name)).to_series()


def _who(review: Review) -> dict[str, str | None]:
    return {"by": review.by or None, "at": review.at}


def _last(marked: Sequence[Review], action: str) -> Mapping[str, Review]:
    """By row id, the last entry of an action, or that settles."""
    return {row: review for review in marked if review.action in (action, "settle") for row in review.rows}


def _columns(rows: Sequence[str], said: Mapping[str, Review]) -> dict[str, Any]:
    import polars as pl

    return {name: pl.Series([_who(said[row])[name] for row in rows], dtype=pl.String) for name in ("by", "at")}


def _labels(scores: Scores, marked: Sequence[Review], ids: pl.Series) -> dict[str, Any]:
    """The right labels that people gave, beside the given ones where one column has them."""
    import polars as pl

    asked = {*ids} if len(ids) < scores.dataset.rows else None
    now = {row: value for row, value in labels(marked).items() if asked is None or row in asked}
    if not now:
        return {}
    rows, held = [*now], scores.dataset.roles.get(Role.LABEL, ())
    given = pl.Series([None] * len(rows), dtype=pl.String)
    if len(held) == 1:
        column = as_text(scores.dataset.scan().select(held[0]).collect().to_series())
        there = scores.frame["row_id"].is_in(rows)
        known = dict(zip(scores.frame["row_id"].filter(there), column.filter(there), strict=True))
        given = pl.Series([known.get(row) for row in rows], dtype=pl.String)
    return {"row_id": rows, "given": given, "now": [*now.values()], **_columns(rows, _last(marked, "label"))}


def _edits(marked: Sequence[Review]) -> dict[str, Any]:
    said = edits(marked)
    rows = [*said]
    return {"row_id": rows, "columns": [", ".join(said[row]) for row in rows], **_columns(rows, _last(marked, "edit"))} if rows else {}


def _cuts(marked: Sequence[Review]) -> dict[str, Any]:
    """Links that people parted at a row, named once each."""
    links: dict[str, dict[str, None]] = {}
    last: dict[str, Review] = {}
    for review in marked:
        for row in review.rows if review.action == "cut" and review.value else ():
            links.setdefault(row, {})[str(review.value)] = None
            last[row] = review
    return {"row_id": [*links], "links": [", ".join(names) for names in links.values()], **_columns([*links], last)} if links else {}
