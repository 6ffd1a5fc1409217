"""The probe `lora` on labels: a linear layer on the hidden state of the last token."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from tests.lessons import WORDS, assert_same, lesson_of, pool_of, probe_on
from tests.tiny import tiny_language_model

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_language_model(tmp_path_factory.mktemp("tiny")))


def test_labels_are_learnt_without_a_response(tmp_path: Path, tiny: str) -> None:
    pool = pool_of(tmp_path / "run", responds=False, rows=60)
    trainer = probe_on(pool, tiny, rate=0.02)
    label = np.where(np.arange(60) % 20 == 0, -1, pool.rows["label"].to_numpy()).astype(np.int32)
    looks = list(trainer.train(lesson_of(pool, label=label, seen=600, smoothing=np.full(60, 0.1, np.float32))))
    truth, last = pool.validation["label"].to_numpy(), looks[-1]
    assert last.predicted is not None
    assert (last.predicted == truth).mean() > 0.7
    assert last.tokens.tolist() == [1] * 9
    assert looks[-1].train_loss < looks[0].train_loss
    assert trainer.about()["task"] == "label"


def test_rows_without_a_label_are_not_counted(tmp_path: Path, tiny: str) -> None:
    """Where labels are learnt: the same steps and losses as if the rows were not there, as many rows seen; the loss of training is the weighted mean."""
    pool = pool_of(tmp_path / "run", responds=False, rows=30)
    label, weight = pool.rows["label"].to_numpy().copy(), np.random.default_rng(0).uniform(0.2, 3, 30).astype(np.float32)
    label[::3] = -1
    there = np.flatnonzero(label >= 0)
    trainer = probe_on(pool, tiny)
    whole = lesson_of(pool, label=label, weight=weight, seen=35)
    without = list(trainer.train(replace(whole, rows=there.astype(np.int32), label=label[there], weight=weight[there], smoothing=whole.smoothing[there])))
    assert_same(list(trainer.train(whole)), without, 0)
    assert without[-1].seen == 35
    assert trainer.seconds([whole]) == trainer.seconds([whole.at(there)])
    first = next(trainer.train(replace(whole, seen=5, looks=1)))
    assert first.train_loss == pytest.approx(np.log(2), rel=1e-5), "a classifier that knows nothing, whatever rows weigh"
    assert not list(trainer.train(replace(whole, label=np.full(30, -1, np.int32))))


def test_soft_targets_are_learnt_in_the_stead_of_labels(tmp_path: Path, tiny: str) -> None:
    """One that is a smoothed label is that label; its gradient is linear in the target; a row without one keeps its label."""
    pool = pool_of(tmp_path / "run", responds=False)
    trainer, epsilon = probe_on(pool, tiny), np.full(24, 0.3, np.float32)
    lesson = lesson_of(pool, smoothing=epsilon)
    target = np.where(np.eye(2)[lesson.label] == 1, 0.85, 0.15).astype(np.float32)
    target[::2] = np.nan
    assert_same(
        list(trainer.train(lesson)), list(trainer.train(replace(lesson, target=target, smoothing=np.where(np.isnan(target[:, 0]), 0.3, 0).astype(np.float32))))
    )
    model = trainer._anew(1)
    list(trainer.train(lesson_of(pool, seen=20)))  # adapters that are not at their beginning
    rows = [replace(row, smoothing=0.0) for row in trainer._rows(lesson)[:4]]
    (_, zero), (_, one) = (model.gradient([replace(row, label=code) for row in rows]) for code in (0, 1))
    _, mixed = model.gradient([replace(row, target=np.array([0.25, 0.75], np.float32)) for row in rows])
    for a, b, both in zip(zero, one, mixed, strict=True):
        torch.testing.assert_close(0.25 * a + 0.75 * b, both, rtol=1e-4, atol=1e-6)
    assert trainer.about()["soft_targets"].startswith("used")


def test_a_run_learns_labels_where_there_is_no_response_and_goes_on_where_it_stood(tmp_path: Path, tiny: str) -> None:
    from curate.probes.gather import gather
    from curate.probes.plan import Amount, Arm, Plan, Validation
    from curate.probes.results import trained
    from curate.probes.run import open_run
    from curate.probes.train import train
    from tests.small import recipe_file

    kinds = ["even" if i % 2 else "odd" for i in range(40)]
    rows = [{"asked": f"the {WORDS[i % 17]} of {WORDS[i % 13]} {WORDS[i % 7]} {i}", "kind": kind if i % 8 else None} for i, kind in enumerate(kinds)]
    recipe, workspace, _ = recipe_file(tmp_path, rows, {"prompt": "asked", "label": "kind"}, {})
    parameters = {"model": tiny, "layers": 1, "precision": "fp32"}
    plan = Plan(
        probe="lora",
        parameters=parameters,
        arms=(Arm(name="all rows", rows="all"),),
        sizes=(10,),
        amounts=(Amount(epochs=1),),
        seeds=1,
        validation=Validation(share=0.2),
    )
    run = open_run(gather(recipe, plan, workspace, tmp_path))
    assert run.pool.classes == ("even", "odd")
    assert (run.pool.rows["label"] >= 0).all(), "rows without a label are neither trained on nor drawn as a control"
    assert run.about["dataset"]["lacking"] == {"label": 5}
    train(run)
    found = trained(run)
    assert found["accuracy"].null_count() == 0
    first = run.cell_folder(run.cells[0])
    before = pl.read_parquet(first / "rows.parquet")
    first.rename(tmp_path / "lost")
    train(run)
    again = pl.read_parquet(first / "rows.parquet")
    assert again.equals(before)
