"""The contract of a signal, held for every one of them."""

from __future__ import annotations

import functools
import re
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from curate.errors import InputError
from curate.signal import Signal, check_parameters, column_of, discover, owner_of, parameters

SENTENCES = [
    "The quick brown fox jumps over the lazy dog while the farmer sleeps under an old tree.",
    "Return the mean of the array elements along the given axis, ignoring missing values.",
    None,
    "Return the mean of the array elements along the given axis, ignoring missing values.",
    "",
    "Bonjour tout le monde, je voudrais réserver une table pour deux personnes ce soir.",
    "How do I reset my card's PIN code if I have forgotten it?\nPlease answer in one line.",
]
VIEWS = {
    "text": SENTENCES,
    "of": SENTENCES,
    "response": SENTENCES,
    "prompt": ["Say something.", None, None, "Document numpy.mean.", "", "En français ?", "Help me."],
    "context": [None] * len(SENTENCES),
    "rating": [None] * len(SENTENCES),
    "source": ["wiki", "code", None, "code", None, "wiki", "code"],
    "slice": ["gold", "raw", None, "gold", None, "raw", "raw"],
    "domain": ["one", "two", None, "two", None, "one", "two"],
    "license": ["MIT", "cc by-nc 4.0", None, "MIT OR GPL-3.0", "", "my own terms", "apache 2"],
    "label": ["a", "b", None, "a", "b", "a", "b"],
    "split": [None] * len(SENTENCES),
    "probabilities": [None] * len(SENTENCES),
    "ratings": [None] * len(SENTENCES),
    "confidence": [None] * len(SENTENCES),
}
ALL = sorted(discover())


def _owner(column: str) -> Signal:
    found = owner_of(column)
    assert found is not None
    return found


def _table(signal: Signal, rows: slice = slice(None)) -> pa.Table:
    columns = {}
    for name in signal.inputs:
        columns[name] = pa.array(VIEWS[name], pa.large_string()) if name in VIEWS else _measured(_owner(name).name)[name].combine_chunks()
    whole = pa.table(columns)
    start, stop, _ = rows.indices(len(SENTENCES))
    return whole.slice(start, stop - start)


def _run(signal: Signal, table: pa.Table) -> pa.Table:
    if signal.scope == "row":
        batches = table.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
        return pa.Table.from_batches([signal.compute(batches[0])])
    found = signal.compute(table)
    return found[0] if signal.links else found


@functools.cache
def _measured(name: str) -> pa.Table:
    signal = discover()[name]
    return _run(signal, _table(signal))


def _values(table: pa.Table) -> list[dict[str, Any]]:
    return [{k: pytest.approx(v, abs=2e-3, nan_ok=True) if isinstance(v, float | list) else v for k, v in row.items()} for row in table.to_pylist()]


@pytest.mark.parametrize("name", ALL)
def test_it_says_what_it_is(name: str) -> None:
    signal = discover()[name]
    assert signal.name == name
    assert signal.version >= 1
    assert signal.about.endswith(".")
    assert signal.source
    assert re.fullmatch(r"[a-z_]+", name)
    for column in signal.columns:
        assert column.name == name or column.name.startswith(f"{name}_"), "columns are <signal>_<quantity>"
        assert column.unit
        assert column.about.endswith(".")
        assert column.keep is not None or column.limit is None, "a proposed limit has a direction"
        assert isinstance(pl.Series("of no row", [], column.polars()).dtype, pl.DataType)


def _as_declared(signal: Signal, found: pa.Table) -> None:
    """Every declared column is there, one with `*` at least once, each has one owner, and no name is left for a beginning to stand for."""
    assert found.column_names == [c.name for c in signal.among(found.column_names)]
    assert all(any(c.named(name) for name in found.column_names) for c in signal.columns)
    assert all(owner_of(name) is signal and column_of(name) is not None for name in found.column_names)
    assert not any(name.endswith("*") for name in found.column_names)


@pytest.mark.parametrize("name", ALL)
def test_a_column_whose_name_is_not_known_before_is_of_a_dataset(name: str) -> None:
    signal = discover()[name]
    starred = [c for c in signal.columns if c.starred]
    assert not starred or signal.scope == "dataset"
    assert all(c.name.count("*") == 1 and c.name.startswith(f"{name}_") and not c.vector for c in starred)


@pytest.mark.parametrize("name", ALL)
def test_its_columns_and_rows_are_as_declared(name: str) -> None:
    found = _measured(name)
    _as_declared(discover()[name], found)
    assert found.num_rows == len(SENTENCES)


@pytest.mark.parametrize("name", ALL)
def test_null_in_null_out(name: str) -> None:
    row = _measured(name).to_pylist()[2]
    assert all(value is None for value in row.values()), row


@pytest.mark.parametrize("name", ALL)
def test_it_is_deterministic(name: str) -> None:
    signal = discover()[name]
    assert _run(signal, _table(signal)).equals(_measured(name))


@pytest.mark.parametrize("name", ALL)
def test_it_takes_no_rows(name: str) -> None:
    signal = discover()[name]
    found = _run(signal, _table(signal, slice(0, 0)))
    assert found.num_rows == 0
    _as_declared(signal, found)


@pytest.mark.parametrize("name", [n for n in ALL if discover()[n].scope == "row"])
def test_batches_are_independent(name: str) -> None:
    signal = discover()[name]
    parts = [_run(signal, _table(signal, slice(i, i + 1))) for i in range(len(SENTENCES))]
    assert [row for part in parts for row in part.to_pylist()] == _values(_measured(name))


@pytest.mark.parametrize("name", [n for n in ALL if discover()[n].links])
def test_its_pairs_are_verified_and_named_once(name: str) -> None:
    signal = discover()[name]
    table, pairs = signal.compute(_table(signal))
    assert len(pairs.twin) == table.num_rows
    assert pairs.twin[2] == -1
    assert pairs.twin[3] == 1, "rows 1 and 3 are the same text"
    assert all(pairs.twin[pairs.a] == pairs.a)
    assert all(pairs.twin[pairs.b] == pairs.b)
    assert all(pairs.a < pairs.b)
    assert len({*zip(pairs.a.tolist(), pairs.b.tolist(), strict=True)}) == len(pairs.a)


@pytest.mark.parametrize("name", ALL)
def test_an_unknown_parameter_is_named_with_the_valid_ones(name: str) -> None:
    signal = discover()[name]
    assert check_parameters(signal, {}) == parameters(signal)
    with pytest.raises(InputError, match="no such parameter"):
        check_parameters(signal, {"flor": 1})
