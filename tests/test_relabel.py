"""Corrected labels: of the column's own type, the given ones beside them, in any order of the export, and the last word counts."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import InputError
from curate.export import run
from curate.load import load
from curate.recipe import parse_recipe
from curate.reviews import Review, append, fold, labels, read_log
from curate.workspace import Workspace

KINDS = [pa.string(), pa.int8(), pa.dictionary(pa.int32(), pa.string()), pa.bool_()]


def _values(kind: pa.DataType) -> list[object]:
    return [True, False, None, True] if kind == pa.bool_() else [1, 2, None, 1] if pa.types.is_integer(kind) else ["1", "2", None, "1"]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("order", ["file", "rank"])
def test_a_corrected_label_keeps_its_type_and_the_given_one(kind: pa.DataType, order: str, workspace: Workspace, tmp_path: Path) -> None:
    given = pa.array(_values(kind), kind.value_type if pa.types.is_dictionary(kind) else kind)
    given = given.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else given
    pq.write_table(pa.table({"text": ["a", "b", "c", "d"], "label": given, "score": [1.0, 2.0, 3.0, 4.0]}), tmp_path / "rows.parquet")
    data = load(str(tmp_path / "rows.parquet"), workspace)
    ids = data.scan().select("row_id").collect()["row_id"].to_list()
    log = tmp_path / "log.jsonl"
    new = "false" if kind == pa.bool_() else "2"
    for rows, value in [((ids[0],), "wrong"), ((ids[0], ids[2]), new)]:
        append(log, Review("label", "s", rows=rows, value=value))
    assert labels(fold(read_log(log)).marked) == {ids[0]: new, ids[2]: new}
    asked = {
        "dataset": {"path": str(tmp_path / "rows.parquet"), "roles": {"response": "text", "label": "label"}},
        "signals": {},
        "rank": {"score": "score"},
        "export": {"order": order},
        "reviews": {"path": str(log), "lines": 2},
    }
    out = run(parse_recipe(asked, "r"), workspace, tmp_path / "out").out
    table = pq.read_table(out / "selected.parquet")
    place = [ids.index(i) for i in table["row_id"].to_pylist()]
    right = [False, False, False, True] if kind == pa.bool_() else [2, 2, 2, 1] if pa.types.is_integer(kind) else ["2", "2", "2", "1"]
    assert table["label"].to_pylist() == [right[i] for i in place]
    assert table["label_given"].to_pylist() == [_values(kind)[i] for i in place]
    assert table.schema.field("label").type == pq.read_schema(data.folder / "rows.parquet").field("label").type
    assert "drop_review" not in pl.read_parquet(out / "decisions.parquet").columns, "a label says nothing of staying"


def test_a_label_that_does_not_fit_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a", "b"], "label": [1, 2]}), tmp_path / "rows.parquet")
    data = load(str(tmp_path / "rows.parquet"), workspace)
    append(tmp_path / "log.jsonl", Review("label", "s", rows=(data.scan().select("row_id").collect().item(0, 0),), value="spam"))
    asked = {"dataset": {"path": str(tmp_path / "rows.parquet")}, "signals": {}, "reviews": {"path": str(tmp_path / "log.jsonl"), "lines": 1}}
    with pytest.raises(InputError, match="spam"):
        run(parse_recipe(asked, "r"), workspace, tmp_path / "out")
