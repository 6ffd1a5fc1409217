"""What generated rows bring with them is read by what it is called here: as JSON text in CSV, as `synthetic_parents` beside parents of the dataset's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from curate.added import added_columns, row_ids
from curate.errors import InputError
from curate.export import run
from curate.grown import denied_parents
from curate.ledger.read import read_ledger, ways
from curate.load import load
from curate.recipe import load_recipe, parse_recipe
from curate.synthetic.accept import accept
from curate.synthetic.batch import read_rows
from curate.synthetic.columns import in_columns
from curate.synthetic.gate import gate
from curate.synthetic.review import reading, say
from curate.workspace import Workspace
from tests import grown

OFF = ["semantic", "label", "rouge", "near", "exact", "grounding", "length", "format"]


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("own", [{}, {"parents": "Anna and Bert", "model": "T-34"}])
def test_a_denied_parent_bars_an_accepted_row_and_the_ledger_names_it_in_files_of_any_kind(kind: str, own: dict[str, str], tmp_path: Path) -> None:
    given = [{**{k: v for k, v in row.items() if k != "n"}, **own} for row in grown.rows(20)]
    frame, path = pl.DataFrame(given), tmp_path / f"train.{kind}"
    write: dict[str, Callable[[Path], Any]] = {"csv": frame.write_csv, "parquet": frame.write_parquet, "jsonl": frame.write_ndjson}
    write[kind](path)
    recipe = parse_recipe({"dataset": {"path": str(path)}, "synthetic": {"off": OFF, "rows": 1, "share": 0.5, "per": "all"}}, "r")
    scores = grown.scored(recipe, Workspace.at(tmp_path / "w"))
    source = scores.frame["row_id"][3]
    batch = grown.made(scores, [{**row, "parents": [source], "model": "tiny"} for row in grown.sound(2)])
    for row in reading(batch, gate(scores, recipe, batch)).rows:
        say(batch, row, "good")
    after = load_recipe(Path(accept(scores, recipe, batch).recipe))
    both = grown.scored(after, scores.workspace)
    assert denied_parents(both, np.arange(22) == 3).tolist() == [False] * 20 + [True] * 2
    assert not denied_parents(both, np.arange(22) == 4).any()
    told = ways(read_ledger(run(after, scores.workspace, None, "inline").out), [0, 20], scores.workspace)
    assert [s.text for s in told[1].steps if s.column == "synthetic"] == [f"made by planted (tiny) from {source}; passed its gate, and was accepted"]
    assert not [s for s in told[0].steps if s.column == "synthetic"], "a model and parents of the dataset's own say nothing"


def test_parents_are_read_from_lists_from_json_and_from_one_id() -> None:
    assert row_ids(pl.Series(['["a", "b"]', None, "c", "", "12"])).to_list() == [["a", "b"], None, ["c"], None, ["12"]]
    assert row_ids(pl.Series([["a"], None])).to_list() == [["a"], None]
    assert row_ids(pl.Series([1, 2])).to_list() == [None, None]
    assert added_columns(["parents", "model"]) == {}
    assert added_columns(["synthetic_id", "parents", "synthetic_parents", "model"]) == {
        "synthetic_id": "synthetic_id",
        "parents": "synthetic_parents",
        "model": "model",
    }


@pytest.mark.parametrize("more", [{"synthetic_model": "x"}, {"model": "y", "synthetic_model": "x"}])
def test_a_column_that_would_be_taken_for_what_curate_says_is_refused(more: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    pl.DataFrame([{k: v for k, v in row.items() if k != "n"} | more for row in grown.rows(6)]).write_parquet(path)
    scores = grown.scored(parse_recipe({"dataset": {"path": str(path)}}, "r"), Workspace.at(tmp_path / "w"))
    batch = grown.made(scores, grown.sound(1))
    with pytest.raises(InputError, match="'synthetic_model'"):
        in_columns(load(str(path), scores.workspace), read_rows(batch).with_columns(synthetic_reviewed=pl.lit(True)))
