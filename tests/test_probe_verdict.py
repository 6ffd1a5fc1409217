"""How a run's findings are worded: what holds first, small differences as small, equal trainings once, overfitting in a line each."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from curate.probes.account import account, lines, turned
from curate.probes.compare import comparisons, measured
from curate.probes.verdict import caution, difference, finding
from tests import probed
from tests.test_probe_compare import PLAN


def _rows(*given: tuple[str, str, float, float, float | None], metric: str = "accuracy", margin: float = 0.01) -> pl.DataFrame:
    """Comparisons with the base: arm, verdict, low, high, p after Holm."""
    head = {"size": 50, "amount": "3 epochs", "against": "base", "other": "all rows", "other_size": 50, "domain": "", "metric": metric, "seeds": 3}
    return pl.DataFrame(
        [
            {
                **head,
                "arm": arm,
                "verdict": verdict,
                "low": low,
                "high": high,
                "delta": (low + high) / 2,
                "holm": p,
                "other_value": 2.5,
                "margin": margin,
                "again": False,
            }
            for arm, verdict, low, high, p in given
        ]
    )


def test_what_holds_comes_first_and_what_does_not_is_no_headline() -> None:
    unsure, sure = ("a", "better", 0.01, 0.05, 0.4), ("b", "worse", -0.2, -0.1, 0.001)
    said = finding(_rows(unsure), ["a"])
    assert said.startswith("No difference holds after Holm's correction")
    assert "seen, but not after Holm's correction: better: a than all rows" in said
    assert finding(_rows(unsure, sure), ["a", "b"]).startswith("Worse: b than all rows; seen, but not after Holm's correction: better: a")
    assert finding(_rows(("a", "better", 0.001, 0.005, 0.001)), ["a"]).endswith("too small to matter: better: a than all rows")
    assert caution(_rows(unsure, sure)).startswith("2 comparisons at 95 %: 2 differ, where chance alone would make less than one differ; 1 holds after Holm's")
    assert caution(_rows(unsure)).startswith("1 comparison at 95 %: 1 differs, where chance alone would make less than one differ; none holds after")
    assert caution(_rows(("a", "no difference seen", -1, 1, 1.0))) == "1 comparison at 95 %: none differs."


def test_a_difference_of_loss_is_told_as_a_share_of_it_and_against_the_margin() -> None:
    one = _rows(("a", "worse", 0.0002, 0.0018, 0.001), metric="loss", margin=0.025).row(0, named=True)
    assert difference(one) == "worse by 0.0010 nats (0.0002 to 0.0018), 0.04% of the loss, less than the 1 % of the loss that matters"
    assert "that matters" not in difference({**one, "margin": 0.001})


def test_the_same_two_trainings_are_compared_once(tmp_path: Path) -> None:
    noisy = {"name": "noisy", "rows": "all", "noise": {"kind": "uniform", "rate": 0.4}}
    run = probed.made(tmp_path, {**PLAN, "arms": [{"name": "no noise", "rows": "all"}, noisy], "sizes": [], "seeds": 2, "base": "no noise"})
    table = comparisons(measured(run))
    assert dict(table.select("against", "again").iter_rows()) == {"control": True, "base": False}
    assert table["holm"].to_list() == table["p"].to_list()
    assert caution(table).startswith("1 comparison at")
    told = account(run)
    assert sum("noisy, " in line and "against" in line for line in lines(told)) == 1
    assert "than random" not in told["finding"]
    assert told["suspected"].startswith("At least ")
    assert any(told["suspected"] == line for line in lines(told))


def test_overfitting_is_a_line_a_training() -> None:
    head = {"control": False, "size": 10, "amount": "3 epochs", "since": 5, "low": 0.1, "high": 0.3}
    found = [{**head, "arm": f"arm {i}", "domain": d, "rise": 0.01 * i + len(d) / 1000} for i in range(12) for d in ("", "a", "bb", "ccc", "dddd")]
    told = turned(found, 8)
    assert len(told) == 9
    assert told[0].startswith("arm 11, 10 rows, 3 epochs: validation loss rises since 5 rows seen by 0.1100")
    assert told[0].endswith("most on dddd 0.1140, ccc 0.1130, bb 0.1120 and 1 more")
    assert told[-1].startswith("and 4 trainings more")
    assert len(turned(found)) == 12
