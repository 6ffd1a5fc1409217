"""Write formats beside the selected rows of an export, in one pass over them and in bounded memory; rows that a format cannot hold are listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.dataset import Dataset
from curate.errors import InputError
from curate.formats import FORMATS
from curate.formats.conversation import carried, conversations, kinds
from curate.formats.format import Format, Kinds, Unfit, json_line
from curate.formats.on_disk import check_on_disk, write_on_disk
from curate.roles import Role, turn_fields

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LEFT_OUT", "check_formats", "lacking", "write_formats"]

LEFT_OUT = "left_out.jsonl"
"""The file of an export that lists the rows that a format could not hold: format, row_id, why."""
WHERE = "export.formats"

Put = Callable[[list[dict[str, Any]]], object]


def lacking(name: str, dataset: Dataset) -> str | None:
    """Why a format cannot be made of a dataset, in words that follow its name; None where it can."""
    found = FORMATS.get(name)
    if found is None:
        return check_on_disk(dataset) if name == "datasets" else None
    missing = [n for n in found.needs if not dataset.has(n)]
    if missing:
        return f"needs the role {' and '.join(missing)}, and no column has it"
    schema = dataset.scan().collect_schema()
    turned = [c for r in (Role.MESSAGES, Role.PROMPT, Role.RESPONSE) for c in dataset.roles.get(r, ()) if turn_fields(schema[c])]
    return f"needs prompt and response as columns of text, and {turned[0]} holds turns" if found.flat and turned else None


def check_formats(names: Sequence[str], dataset: Dataset, treated: bool = False) -> None:
    """Raise InputError where one of these formats cannot be made of a dataset. treated: whether personal data is; pii seeks it in no rejected answer."""
    for name in names:
        if treated and name in FORMATS and "rejected" in FORMATS[name].needs:
            hides = "writes rejected answers, in which pii does not look, so personal data in them would stay"
            raise InputError(f"{WHERE}, {name}", hides, "Take the format out, or take `personal` out of the recipe and treat the answers beforehand")
        if (why := lacking(name, dataset)) is not None:
            able = [n for n in ("parquet", "jsonl", "datasets", *FORMATS) if n != name and lacking(n, dataset) is None]
            raise InputError(f"{WHERE}, {name}", why, f"Correct the roles, or take the format out; these can be made: {', '.join(able)}")


@dataclass
class _Told:
    """What was done for one format."""

    rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def as_json(self, made: Format, along: Sequence[str], context: bool) -> dict[str, Any]:
        """What the manifest says."""
        lost = [] if made.carries else [n for n in along if n != "row_id"]
        return {
            "rows": self.rows,
            "left_out": dict(self.left_out.most_common()),
            "carried": [*along] if made.carries else [],
            "not_carried": lost + (["context"] if context else []),
            "note": _note(made, along),
            "read": made.read,
        }


def _note(made: Format, along: Sequence[str]) -> str:
    named = [n for n in along if n != "row_id"]
    return f"{', '.join(named)}: {made.ignores}. The rows stand in the order of the export." if named and made.ignores else ""


def write_formats(folder: Path, dataset: Dataset, names: Sequence[str], written: Mapping[str, str]) -> dict[str, Any]:
    """Make formats of `selected.parquet` in the folder of an export; returns what the manifest says of each: rows, left_out by reason, what is not carried.

    written: the columns of the export that are not the dataset's own, each by the name that it has by itself.
    Raises InputError, with nothing of use written, where a row's value has no place in a format.
    """
    told: dict[str, Any] = {}
    selected = folder / "selected.parquet"
    if "datasets" in names:
        told["datasets"] = write_on_disk(selected, folder / "datasets")
    made = [FORMATS[n] for n in names if n in FORMATS]
    return {**told, **_converted(folder, dataset, carried(written), made)} if made else told


def _converted(folder: Path, dataset: Dataset, beside: Mapping[str, str], made: Sequence[Format]) -> dict[str, Any]:
    import pyarrow.parquet as pq

    selected = folder / "selected.parquet"
    schema = pq.read_schema(selected)
    along, tools = [*beside], "tools" in dict(dataset.columns)
    of = kinds(schema, dataset.roles, beside, tools)
    told = {f.name: _Told() for f in made}
    with ExitStack() as stack:
        puts = {f.name: stack.enter_context(_opened(f, folder, of)) for f in made}
        lost = stack.enter_context((folder / LEFT_OUT).open("wb"))
        for batch in conversations(selected, dataset.roles, beside, tools):
            for one in made:
                rows, out = _rows(one, batch)
                puts[one.name](rows)
                told[one.name].rows += len(rows)
                told[one.name].left_out.update(why for _, why in out)
                lost.writelines(json_line({"format": one.name, "row_id": row, "why": why}) for row, why in out)
    if not any(t.left_out for t in told.values()):
        (folder / LEFT_OUT).unlink()
    for one in made:
        for path, text in (one.beside(along) if one.beside else {}).items():
            (folder / path).write_text(text, encoding="utf-8")
    spoken = of.spoken and Role.CONTEXT in dataset.roles
    return {f.name: told[f.name].as_json(f, along, spoken) for f in made}


def _rows(made: Format, batch: Sequence[tuple[str, Any]]) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    rows, out = [], []
    for row_id, one in batch:
        try:
            if isinstance(one, Unfit):
                raise one
            rows.append(made.row(one))
        except Unfit as why:
            out.append((row_id, str(why)))
    return rows, out


@contextmanager
def _opened(made: Format, folder: Path, of: Kinds) -> Iterator[Put]:
    """A format's file, to be filled batch by batch."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / made.path
    path.parent.mkdir(exist_ok=True)
    if made.schema is None:
        with path.open("wb") as file:
            yield from _as_json(file, made)
        return
    schema = pa.schema(list(made.schema(of).items()))
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:

        def put(rows: list[dict[str, Any]]) -> None:
            if rows:
                writer.write_table(_table(rows, schema, made.name))

        yield put


def _as_json(file: Any, made: Format) -> Iterator[Put]:
    """One object a line, or one list with an object a line."""
    first = [True]

    def put(rows: list[dict[str, Any]]) -> None:
        for line in (_line(row, made.name) for row in rows):
            file.write((b"" if first[0] else b",\n") + line.rstrip(b"\n") if made.kind == "json" else line)
            first[0] = False

    if made.kind == "json":
        file.write(b"[\n")
    yield put
    if made.kind == "json":
        file.write(b"\n]\n")


def _line(row: dict[str, Any], name: str) -> bytes:
    try:
        return json_line(row)
    except ValueError as error:
        raise InputError(f"{WHERE}, {name}", f"a value has no place in JSON ({error})", "Drop the row, or take the format out") from error


def _table(rows: list[dict[str, Any]], schema: pa.Schema, name: str) -> pa.Table:
    import pyarrow as pa

    try:
        return pa.Table.from_pylist(rows, schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        what = f"turns of one row are of another kind than those of the others ({error})"
        raise InputError(f"{WHERE}, {name}", what, "Give prompt, response and rejected as columns of one kind") from error
