"""Ways out of a SQL filter (`tests.escapes`): none is open, and what has no end is stopped in bounded memory. The usual ones: test_query.py."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curate.errors import InputError
from curate.query import filter_rows
from curate.scores import Scores
from tests.escapes import ENDLESS, ESCAPES, VALUES
from tests.test_query import measured

ROWS = 300


@pytest.fixture(scope="module")
def walled(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    at = range(ROWS)
    rows = pl.DataFrame({"question": [f"What is {i}?" for i in at], "answer": ["it"] * ROWS, "size": list(at), "row_id": [f"{i:016x}" for i in at]})
    return measured(tmp_path_factory.mktemp("walled"), rows, pl.DataFrame({"made_score": [0.5] * ROWS}))


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_every_way_out_that_was_tried_is_closed(walled: Scores, tmp_path: Path) -> None:
    file = walled.dataset.folder / "rows.parquet"
    before, out, said = file.read_bytes(), tmp_path / "out", dict[str, str]()
    for where in ESCAPES:
        try:
            filter_rows(walled, np.zeros(ROWS, np.bool_), where.replace("{out}", str(out)).replace("{rows}", str(file)))
        except InputError as error:
            said[where] = str(error)
    assert [where for where in ESCAPES if not said.get(where, "").startswith("SQL filter: ")] == []
    assert file.read_bytes() == before
    assert not out.exists()


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_what_has_no_end_is_stopped_in_bounded_memory(walled: Scores) -> None:
    for where in ENDLESS:
        began, said = time.monotonic(), ""
        try:
            filter_rows(walled, np.zeros(ROWS, np.bool_), where, seconds=5, memory=256 << 20)
        except InputError as error:
            said = str(error)
        assert len(said) < 2_000, "a message that is itself too much"
        assert time.monotonic() - began < 20, where
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 700 << 10


@pytest.mark.parametrize("where", [VALUES[2], "error(repeat('x', 20000000))"])
def test_functions_that_are_of_no_row_are_refused(walled: Scores, where: str) -> None:
    with pytest.raises(InputError, match=r"^SQL filter: ") as caught:
        filter_rows(walled, np.zeros(ROWS, np.bool_), where)
    assert len(str(caught.value)) < 2_000
