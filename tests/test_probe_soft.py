"""Soft targets that a recipe asks for are what probes learn: those that its export writes, class by class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from curate.export import run as export
from curate.probes.gather import gather
from curate.probes.read import parse_plan
from curate.probes.run import open_run
from curate.probes.train import begin
from curate.reviews import Review, append
from tests.test_probe_run import ALL, written

SOFT: dict[str, Any] = {"normalise": "none", "smoothing": {"confidence": "sure", "soft": True}}
ARMS = [ALL, {"name": "kept"}, {"name": "both", "of": {"all rows": 0.5, "kept": 1.0}}, {"name": "unweighted", "weights": False}]
ARMS += [{"name": "noisy", "noise": {"kind": "uniform", "rate": 0.2}}]


def test_what_is_exported_is_what_is_learnt(tmp_path: Path) -> None:
    """Also of a label that only a person gave; the control, arms without weights and arms with planted noise have none."""
    parts: dict[str, Any] = {"signals": {"embedding": {"model": "wordllama"}}, "weights": SOFT, "export": {"formats": ["parquet"], "weight": "weights"}}
    recipe, workspace = written(tmp_path, **parts)
    ids = pl.read_parquet(export(recipe, workspace, tmp_path / "before").out / "decisions.parquet")["row_id"]
    lines = append(tmp_path / "log.jsonl", Review("label", "s", rows=(ids[4],), value="Z"))
    recipe = recipe.model_validate({**recipe.model_dump(), "reviews": {"path": str(tmp_path / "log.jsonl"), "lines": lines}})
    plan = parse_plan({"probe": "head", "arms": ARMS, "validation": {"split": ["test"]}}, "plan")
    run = open_run(gather(recipe, plan, workspace, tmp_path))
    lessons = {(c.arm, c.control): run.lesson(c) for c in run.cells}
    kept = lessons["kept", False]
    assert kept.target is not None
    done = export(recipe, workspace, tmp_path / "out").out
    frame = pl.read_parquet(done / "selected.parquet", columns=["row_id", "soft_target"])
    known = dict(frame.iter_rows())
    assert run.pool.classes == ("Z", "a", "b")
    for row, target in zip(run.pool.rows["row_id"].gather(kept.rows), kept.target, strict=True):
        a, b, z = known[row]
        assert target.tolist() == pytest.approx([z, a, b], abs=1e-6)
        assert abs(target.sum() - 1) < 1e-6
    assert len({tuple(t) for t in kept.target.tolist()}) > 10
    both = lessons["both", False].target
    assert both is not None
    assert np.isnan(both[:, 0]).any() or len(both) == len(kept.rows)
    assert [lessons[name].target for name in (("all rows", False), ("kept", True), ("unweighted", False), ("noisy", False))] == [None] * 4
    assert len({run.key(lessons[name]) for name in (("kept", False), ("unweighted", False))}) == 2
    assert all(np.isfinite(look.loss).all() for look in begin(run).train(kept))
