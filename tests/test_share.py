"""The cap on generated rows holds whatever thresholds and budget drop, and says which rows give way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from curate.errors import InputError
from curate.export import export
from curate.ledger.read import read_ledger, ways
from curate.load import load
from curate.part import Budget
from curate.recipe import Recipe, parse_recipe
from curate.reviews import Review
from curate.scores import Scores, read_scores
from curate.selection import select
from curate.workspace import Workspace

ROLES = {"prompt": "prompt", "synthetic": "made", "source": "source", "label": "label"}


def _given(folder: Path, rows: int = 240, roles: dict[str, str] | None = None, **parts: Any) -> tuple[Scores, Recipe, pl.DataFrame]:
    """Rows of three sources, of which generated ones have the higher quality; c has none that was not generated."""
    rng = np.random.default_rng(3)
    source = rng.choice(["a", "b", "c"], rows, p=[0.5, 0.45, 0.05])
    made = (rng.random(rows) < 0.4) | (source == "c")
    told = {"prompt": [f"ask {i}" for i in range(rows)], "made": made, "source": source, "label": rng.choice(["x", "y"], rows)}
    frame = pl.DataFrame({**told, "quality": rng.random(rows).round(2) + made, "noise": rng.random(rows)})
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in frame.iter_rows(named=True)), encoding="utf-8")
    recipe = parse_recipe({"dataset": {"path": str(path), "roles": ROLES if roles is None else roles}, **parts}, "r")
    work = Workspace.at(folder / "w")
    return read_scores(load(recipe.dataset.path, work, roles=recipe.dataset.roles), recipe, work), recipe, frame


def _holds(frame: pl.DataFrame, keep: Any, share: float, per: str) -> bool:
    kept = frame.filter(pl.Series(keep))
    groups = [kept] if per == "all" else kept.partition_by(per)
    return all(int(g["made"].sum()) <= share * len(g) + 1e-9 for g in groups)


BUDGETS: list[dict[str, Any] | None] = [None, {"rows": 60}, {"share": 0.3, "per": "label"}, {"rows": 80, "per": "source", "quota": {"a": 0.6}}]


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("per", ["source", "label", "all"])
@pytest.mark.parametrize("rank", [{"score": "quality"}, None])
def test_the_share_holds_after_thresholds_and_budget(budget: dict[str, Any] | None, per: str, rank: dict[str, Any] | None, tmp_path: Path) -> None:
    limit = {"noise": {"keep": "above", "limit": 0.4}}
    parts: dict[str, Any] = {"thresholds": limit, **({"budget": budget} if budget else {}), **({"rank": rank} if rank else {})}
    scores, recipe, frame = _given(tmp_path, **parts, synthetic={"share": 0.25, "per": per})
    found, free = select(scores, recipe), select(scores, recipe.model_copy(update={"synthetic": None}))
    assert not _holds(frame, free.keep, 0.25, per), "else the test shows nothing"
    assert _holds(frame, found.keep, 0.25, per)
    assert frame.filter(pl.Series(found.drops["synthetic_share"]))["made"].all()
    assert [name for name, *_ in found.funnel] == ["noise", "synthetic_share", *(["budget"] if budget else [])]
    assert np.array_equal(found.keep, select(scores, recipe).keep)
    left = pl.Series(frame["noise"] >= 0.4)
    for group in (
        frame.with_row_index().filter(left & frame["made"]).partition_by(per) if per != "all" else [frame.with_row_index().filter(left & frame["made"])]
    ):
        line = group.sort("quality", descending=True, maintain_order=True) if rank else group
        gone = [bool(found.drops["synthetic_share"][i]) for i in line["index"]]
        assert gone == sorted(gone), "the lowest score gives way first, then the later row"
    if budget == {"rows": 60}:
        assert found.kept == 60, "rows that give way leave room for others"


def test_what_a_person_keeps_stays_and_counts_and_a_looser_cap_drops_no_more(tmp_path: Path) -> None:
    scores, recipe, frame = _given(tmp_path, synthetic={"share": 0.1, "per": "all"})
    made = frame["made"].arg_true().to_list()
    ids = scores.frame["row_id"].gather(made[-3:]).to_list()
    found = select(scores, recipe, [Review("keep", "s", rows=tuple(ids))])
    assert found.keep[made[-3:]].all()
    assert found.keep[made].sum() == int((~frame["made"]).sum() / 9)
    none = [select(scores, parse_recipe({**recipe.model_dump(), "synthetic": {"share": s}}, "r")).kept for s in (0.0, 0.1, 0.3, 0.9)]
    assert none == sorted(none)
    assert none[0] == int((~frame["made"]).sum())
    scores, recipe, _ = _given(tmp_path, roles={"prompt": "prompt", "source": "source"}, synthetic={})
    assert "synthetic_share" not in select(scores, recipe).drops, "nothing says which rows are generated"
    with pytest.raises(InputError, match="another step of the funnel"):
        _given(tmp_path, thresholds={"synthetic_share": {"keep": "above", "limit": 0}})


def test_the_export_its_ledger_and_the_words_tell_of_it(tmp_path: Path) -> None:
    scores, recipe, frame = _given(tmp_path, synthetic={"share": 0.2}, budget=Budget(rows=100).model_dump(exclude_none=True))
    out = export(scores, recipe, tmp_path / "out").out
    decisions, book = pl.read_parquet(out / "decisions.parquet"), read_ledger(out)
    told = pl.read_parquet(out / "ledger.parquet")["synthetic_share"]
    assert told.is_null().to_list() == (~frame["made"]).to_list()
    assert told.struct.field("dropped").fill_null(False).to_list() == decisions["drop_synthetic_share"].to_list()
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert str(int(decisions["drop_synthetic_share"].sum())) in json.dumps(manifest)
    card = " ".join((out / "README.md").read_text(encoding="utf-8").split())
    assert "are known in English, German, French, Spanish only; the language of the rows was not measured." in card
    first = decisions["drop_synthetic_share"].arg_true()[0]
    (way,) = ways(book, [first])
    assert way.dropped_by is not None
    assert way.dropped_by.column == "synthetic_share"
    assert f"of source {frame['source'][first]!r}; 0.2 of the kept rows may be generated" in way.dropped_by.text
