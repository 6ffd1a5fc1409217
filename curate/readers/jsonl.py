"""JSON lines, and JSON files as the lines of their items. Two passes: what types there are and which lines are bad, then the rows.

DuckDB parses; Python looks only at lines that DuckDB refuses and at blocks where DuckDB would pass over something: numbers beyond 64 bits (they would become
inexact) and keys that stand twice in one object (all but one would vanish). Strings stay strings: nothing is taken for a date. Blank lines are ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.readers.file import InputFile, Tell, silent
from curate.readers.item import items, layout
from curate.readers.line import Block, blocks
from curate.readers.reading import Reading, Rows, check_names
from curate.readers.shape import Shape, columns, conflict, disputed, grow, notes, records

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_lines"]

_BLANK = r"ltrim(text, E' \t\r\n') = ''"


def read_lines(files: Sequence[InputFile], reading: Reading) -> Rows:
    """Rows of JSON files. Raises InputError where a file cannot be read on; bad lines go to `reading.rejects`."""
    import pyarrow as pa

    kinds = [layout(file) for file in files]

    def passes(tell: Tell) -> Iterator[Block]:
        for file, kind in zip(files, kinds, strict=True):
            yield from (blocks(file, tell) if kind == "lines" else items(file, kind, tell))

    shape = Shape()
    for block in passes(reading.tell):
        for structure, lines, _ in _survey(block, reading):
            grow(shape, structure, lines)
    if disputed(shape):
        shape = _settle(passes(silent), shape, reading)
    if not shape.fields:
        raise reading.rejects.nothing(files[0])
    check_names([*shape.fields], files[0].shown)
    spec = json.dumps({name: columns(part) for name, part in shape.fields.items()}, ensure_ascii=False)
    objects = [*records(shape)]

    def batches() -> Iterator[pa.RecordBatch]:
        for block in passes(reading.tell):
            yield from _rows(block, spec, objects, reading)

    none = pa.table({"place": pa.array([], pa.int64()), "text": pa.array([], pa.string())})
    return Rows(_transform(none, spec, reading).schema, batches, tuple(notes(shape)))


def _settle(found: Iterator[Block], shape: Shape, reading: Reading) -> Shape:
    """The shape without the lines whose types conflict with it; they are bad lines."""
    settled = Shape()
    for block in found:
        for structure, lines, places in _survey(block, reading, keep_places=True):
            why = conflict(shape, structure)
            if why is None:
                grow(settled, structure, lines)
            else:
                for at in places:
                    reading.rejects.add(block.reject(at, _twice(block.text[at].as_py()) or why))
    return settled


def _survey(block: Block, reading: Reading, keep_places: bool = False) -> list[tuple[Any, int, list[int]]]:
    """The structures of a block's lines in order of appearance: structure, how many lines, their places where asked for. Bad lines are set down."""
    for reject in block.bad.values():
        reading.rejects.add(reject)
    for at in _beyond_64_bits(block):
        reading.rejects.add(block.reject(at, "a whole number beyond 64 bits; write it as a string"))
    reading.con.register("block", _without(block, reading.rejects.of(block.file)))
    places = "list(place)" if keep_places else "[]"
    found = reading.con.sql(f"""
        select s, count(*), if(s is null, list(place), {places}) from (
            select place, try(json_structure(text))::varchar v, if(v like '{{%' or v = '"JSON"', v, null) s from block where not {_BLANK}
        ) group by s order by min(place)""").fetchall()
    for at in [at for s, _, places in found if s is None for at in places]:
        reading.rejects.add(block.reject(at, _fault(block.text[at].as_py(), reading)))
    return [(json.loads(s), lines, places) for s, lines, places in found if s is not None]


def _without(block: Block, bad: set[int]) -> pa.Table:
    """The lines of a block that are not bad: their place in it and their text, in batches that DuckDB reads at the same time."""
    import pyarrow as pa

    table = pa.table({"place": np.arange(len(block.text)), "text": block.text})
    if bad:
        table = table.filter(pa.array(~np.isin(block.number, [*bad])))
    return pa.Table.from_batches(table.to_batches(max_chunksize=4096), table.schema)


def _rows(block: Block, spec: str, objects: Sequence[str], reading: Reading) -> Iterator[pa.RecordBatch]:
    """The rows of a block's good lines. Keys that stand twice are looked for among the few different lists of keys, and only then line by line."""
    lines = _without(block, reading.rejects.of(block.file))
    reading.con.register("block", lines)
    keys = [f"json_keys(text, {_literal(path)}) k{i}" for i, path in enumerate(objects)]
    some, each = (", ".join(form.format(i) for i in range(len(objects))) for form in ("any_value(k{})", "k{}::varchar"))
    lists = reading.con.sql(f"select {some} from (select {', '.join(keys)} from block where not {_BLANK}) group by {each}").fetchall()
    if any(_repeats(list_) for row in lists for list_ in row):
        for at in lines.column("place").to_pylist():
            if why := _twice(block.text[at].as_py()):
                reading.rejects.add(block.reject(at, why))
        lines = _without(block, reading.rejects.of(block.file))
    yield from _transform(lines, spec, reading).to_batches()


def _transform(lines: pa.Table, spec: str, reading: Reading) -> pa.Table:
    """Types have been checked, so that the lenient json_transform loses nothing; the strict one refuses missing keys."""
    reading.con.register("block", lines)
    return reading.con.sql(f"select unnest(c) from (select json_transform(text, {_literal(spec)}) c from block where not {_BLANK})").to_arrow_table()


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _repeats(keys: Any) -> bool:
    """Whether one of the lists of keys, which may be nested, holds one twice."""
    if not keys:
        return False
    return any(map(_repeats, keys)) if isinstance(keys[0], list) else len(set(keys)) < len(keys)


class _TooLong(ValueError):
    pass


def _within_64_bits(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**63:
        raise _TooLong
    return int(digits)


def _beyond_64_bits(block: Block) -> Iterator[int]:
    """Places of lines that hold a whole number outside int64. Only lines with 19 digits in a row are parsed."""
    _, offsets, data = block.text.buffers()
    if data is None:
        return
    run = (np.frombuffer(data, np.uint8) - 48) < 10
    for shift in (1, 2, 4, 8, 3):  # runs of 2, 4, 8, 16, 19
        run = run[:-shift] & run[shift:]
    starts = np.frombuffer(offsets, np.int32)[: len(block.text)]
    for at in np.unique(np.searchsorted(starts, np.flatnonzero(run), side="right") - 1):
        try:
            json.loads(block.text[at].as_py(), parse_int=_within_64_bits)
        except _TooLong:
            yield int(at)
        except (ValueError, RecursionError):
            continue  # broken in another way, which DuckDB finds


class _RepeatedKey(ValueError):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKey(next(key for key in keys if keys.count(key) > 1))
    return found


def _twice(text: str) -> str | None:
    """The fault of a line in which a key stands twice in one object, None where there is no such key."""
    try:
        json.loads(text, object_pairs_hook=_once)
    except _RepeatedKey as error:
        return f"the key '{error}' stands twice in one object"
    except (ValueError, RecursionError):
        return None
    return None


def _fault(text: str, reading: Reading) -> str:
    """Why DuckDB does not take a line for an object."""
    import duckdb

    try:
        value = json.loads(text)
    except RecursionError:
        return "the JSON is nested too deep"
    except json.JSONDecodeError as error:
        hint = "; a JSON array's file must end in .json" if text.strip() in ("[", "{") else ""
        return f"broken JSON: {error.msg} at character {error.pos + 1}{hint}"
    if not isinstance(value, dict):
        names = {list: "a list", str: "text", int: "a number", float: "a number", bool: "true or false", type(None): "null"}
        return f"not an object but {names[type(value)]}; each line must be one {{…}}"
    try:
        reading.con.execute("select json_structure($1)", [text]).fetchall()
    except duckdb.InvalidInputException as error:
        found = re.search(r"at byte (\d+) of input: (.*?)\.  Input", str(error), re.DOTALL)
        return f"broken JSON: {found[2]} at byte {found[1]}" if found else "the JSON is nested too deep"
    return "the JSON cannot be read"
