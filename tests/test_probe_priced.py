"""Prices and the rule at the command line, effective information beside the curves, and a curve that is the whole finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.__main__ import main
from curate.probes.account import account
from curate.probes.plan import EVERY
from tests import probed


def test_prices_at_the_command_line_and_effective_information(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arms = [{"name": EVERY, "rows": "all"}, {"name": "clean labels", "rows": "all", "label": "label"}]
    plan = {"probe": "words", "arms": arms, "sizes": [10, 20, 40, 80], "seeds": 2, "looks": 1, "amounts": [{"epochs": 1}], "validation": {"share": 0.3}}
    run = probed.made(tmp_path, plan)
    given = ["probe", str(run.folder), "--workspace", str(tmp_path / "w"), "--price", "annotation=30", "rows=60", "currency=EUR", "--stop", "rows=20", "gain=9"]
    assert main(given) == 0
    said = capsys.readouterr().out
    assert "per 100 EUR" in said
    assert "the limit of 9." in said
    assert (
        f"Effective information of {len(run.pool.rows):,} rows of all rows, 0.0% of them with another label than clean labels: {len(run.pool.rows):,} rows."
        in said
    )
    for bad, what in ((["--price", "hours=2"], "the keys are hour, annotation"), (["--stop", "gain=much"], "gain"), (["--margin", "0"], "not above 0")):
        assert main(["probe", str(run.folder), "--workspace", str(tmp_path / "w"), *bad]) == 2
        assert what in capsys.readouterr().err


def test_a_curve_alone_is_the_finding(tmp_path: Path) -> None:
    plan = {"probe": "words", "arms": [{"name": EVERY, "rows": "all"}], "sizes": [10, 20, 40, 80], "seeds": 2, "looks": 1, "validation": {"share": 0.3}}
    told = account(probed.made(tmp_path, plan))
    assert not told["comparisons"]
    assert "to 80 rows" in told["finding"]
