"""Adapters on a language model with random weights: cheap steps are those of plain peft, and a cache changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from curate.errors import InputError
from curate.loader import row_losses
from curate.probes.ladder.lora import begin
from curate.probes.probe import Lesson, Look, Pool
from curate.tuning.adapting import Asked
from tests.tiny import tiny_language_model

pytestmark = pytest.mark.usefixtures("one_thread")

WORDS = ["the", "array", "of", "values", "and", "shape", "is", "a", "sum", "over", "an", "axis", "or", "none", "where", "each", "row", "has"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_language_model(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def capped(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_language_model(tmp_path_factory.mktemp("capped"), "gemma2"))


def _frame(many: int, seed: int, responds: bool) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    prompts = [" ".join(rng.choice(WORDS, rng.integers(1, 9))) for _ in range(many)]
    responses = [" ".join(rng.choice(WORDS, rng.integers(1, 9))) for _ in range(many)] if responds else [None] * many
    texts = {
        "prompt": prompts,
        "context": [None] * many,
        "response": responses,
        "text": [f"{p}\n{r}" if r else p for p, r in zip(prompts, responses, strict=True)],
    }
    return pl.DataFrame(
        {"row_id": [f"{seed}-{i}" for i in range(many)], **texts, "domain": [None] * many, "label": [int("array" in p) for p in prompts], "tokens": [4] * many},
        schema={"row_id": pl.String, **dict.fromkeys(texts, pl.String), "domain": pl.String, "label": pl.Int32, "tokens": pl.Int32},
    )


def _pool(folder: Path, responds: bool = True, rows: int = 24) -> Pool:
    folder.mkdir(exist_ok=True)
    _frame(rows, 1, responds).write_parquet(folder / "pool.parquet")
    _frame(9, 2, responds).write_parquet(folder / "validation.parquet")
    return Pool(folder, () if responds else ("no", "yes"))


def _lesson(pool: Pool, **other: Any) -> Lesson:
    many = len(pool.rows)
    ones = np.ones(many, np.float32)
    label = pool.rows["label"].to_numpy()
    return replace(Lesson(np.arange(many, dtype=np.int32), label, ones, 0 * ones, False, 2 * many, 3, 3, {}), **other)


def _probe(pool: Pool, model: str, **parameters: Any) -> Any:
    return begin(pool, **{"model": model, "layers": 1, "batch": 5, "precision": "fp32", "rate": 0.01, **parameters})


def _same(one: list[Look], other: list[Look], within: float = 1e-5) -> None:
    assert [look.seen for look in one] == [look.seen for look in other]
    for a, b in zip(one, other, strict=True):
        assert a.train_loss == pytest.approx(b.train_loss, rel=within)
        np.testing.assert_allclose(a.loss, b.loss, rtol=within, atol=within)
        np.testing.assert_array_equal(a.tokens, b.tokens)


def _plain(model: str, trainer: Any, lesson: Lesson, top: list[int]) -> tuple[list[float], list[torch.Tensor]]:
    """The loss of each step of a plain loop with peft's own model, and the adapters after it, as peft's own tutorial has it."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from curate.tuning.halves import renew

    config = LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"], layers_to_transform=top)
    plain = get_peft_model(AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32), config)
    trained = [p for p in plain.parameters() if p.requires_grad]
    renew(trainer.halves, lesson.seed)
    with torch.no_grad():
        for mine, ours in zip(trained, trainer.halves.parameters, strict=True):
            mine.copy_(ours)
    optimizer = torch.optim.AdamW(trained, lr=0.01, weight_decay=0.0)
    rows, losses = trainer._rows(lesson), []
    for epoch in lesson.schedule():
        for part in np.split(epoch, range(5, len(epoch), 5)):
            batch = [rows[i] for i in part]
            width = max(len(row.passage.tokens) for row in batch)
            ids, labels, mask = torch.zeros(len(batch), width, dtype=torch.long), torch.full((len(batch), width), -100), torch.zeros(len(batch), width)
            for at, row in enumerate(batch):
                tokens, start = torch.tensor(row.passage.tokens), row.passage.start
                ids[at, : len(tokens)], mask[at, : len(tokens)], labels[at, start : len(tokens)] = tokens, 1, tokens[start:]
            weight, smoothing = (torch.tensor([getattr(row, n) for row in batch]) for n in ("weight", "smoothing"))
            loss, counts = row_losses(plain(input_ids=ids, attention_mask=mask).logits, labels, smoothing)
            step = (loss * weight).sum() / (counts * weight).sum()
            optimizer.zero_grad()
            step.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(float(step.detach()))
    return losses, trained


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft asks for it
@pytest.mark.parametrize(("kind", "layers", "top"), [("tiny", 1, [1]), ("tiny", 2, [0, 1]), ("capped", 1, [1])])
def test_steps_are_those_of_plain_peft(kind: str, layers: int, top: list[int], tmp_path: Path, tiny: str, capped: str) -> None:
    pool = _pool(tmp_path / "run")
    rng = np.random.default_rng(0)
    weight, smoothing = rng.uniform(0, 3, 24).astype(np.float32), rng.uniform(0, 0.5, 24).astype(np.float32)
    trainer = _probe(pool, {"tiny": tiny, "capped": capped}[kind], layers=layers)
    lesson = _lesson(pool, weight=weight, smoothing=smoothing, looks=1000)
    losses, after = _plain({"tiny": tiny, "capped": capped}[kind], trainer, lesson, top)
    looks = list(trainer.train(lesson))
    assert [look.train_loss for look in looks] == pytest.approx(losses, rel=1e-4)
    for mine, ours in zip(after, trainer.halves.parameters, strict=True):
        torch.testing.assert_close(mine, ours, rtol=1e-3, atol=1e-4)
    assert losses[-1] < losses[0]
    assert trainer.halves.cut == (kind == "tiny" and layers == 1)
    assert ("note" in trainer.about()) == (kind == "capped")


def test_a_cache_changes_nothing_and_is_bounded(tmp_path: Path, tiny: str) -> None:
    pool = _pool(tmp_path / "run")
    lesson = _lesson(pool)
    kept, none = _probe(pool, tiny), _probe(_pool(tmp_path / "other"), tiny, cache_gb=0.0)
    some = _probe(_pool(tmp_path / "some"), tiny, cache_gb=1e-5)
    first = list(kept.train(lesson))
    for trainer in (none, some):
        _same(first, list(trainer.train(lesson)))
    assert kept.about()["cache_bytes"] == sum(len(set_) for set_ in {r.passage.tokens for r in [*kept._rows(lesson), *kept.valid]}) * 32 * 4
    assert kept.about()["cache_bytes_all_rows"] >= kept.about()["cache_bytes"]
    assert "note" not in kept.about()
    assert not list((tmp_path / "other" / "hidden").glob("*/*/part.json"))
    assert "no room" in none.about()["note"]
    assert "no room" in some.about()["note"]


def test_the_same_lesson_gives_the_same_looks_also_in_another_process_and_after_others(tmp_path: Path, tiny: str) -> None:
    pool = _pool(tmp_path / "run")
    lesson = _lesson(pool)
    trainer = _probe(pool, tiny)
    first = list(trainer.train(lesson))
    list(trainer.train(_lesson(pool, seed=9, seen=10)))
    again = _probe(pool, tiny)
    assert not again.store.lacks(row.passage.tokens for row in again._rows(lesson))
    for looks in (list(trainer.train(lesson)), list(again.train(lesson))):
        _same(first, looks, 0)
    other = list(trainer.train(_lesson(pool, seed=4)))
    assert not np.array_equal(other[-1].loss, first[-1].loss)


def test_a_weight_of_nothing_is_deletion_and_a_whole_weight_is_repetition(tmp_path: Path, tiny: str) -> None:
    for responds in (True, False):
        pool = _pool(tmp_path / f"run{responds}", responds)
        trainer = _probe(pool, tiny)
        rows: list[Asked] = trainer._rows(_lesson(pool))[:6]
        model = trainer._anew(1)
        weighed = [replace(row, weight=w) for row, w in zip(rows, (0.0, 2.0, 1.0, 0.0, 3.0, 1.0), strict=True)]
        repeated = [rows[i] for i in (1, 1, 2, 4, 4, 4, 5)]
        (one, mine), (other, theirs) = model.gradient(weighed), model.gradient(repeated)
        assert one == pytest.approx(other, rel=1e-5)
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
        assert model.gradient([replace(row, weight=0.0) for row in rows]) == (0.0, [None] * len(model.parameters))


def test_only_the_response_counts_and_the_prompt_stands_in_front(tmp_path: Path, tiny: str) -> None:
    pool = _pool(tmp_path / "run")
    trainer = _probe(pool, tiny)
    words = trainer.halves.language.tokenizer
    for row, (prompt, response) in zip(trainer._rows(_lesson(pool)), pool.rows.select("prompt", "response").iter_rows(), strict=True):
        tokens, start = row.passage.tokens, row.passage.start
        assert words.decode(tokens[:start]) == f"{prompt}\n"
        assert words.decode(tokens[start:-1]) == response
        assert tokens[-1] == trainer.halves.language.body.config.eos_token_id
        assert row.counts == len(tokens) - start


def test_long_rows_are_cut_and_counted_and_edits_are_read(tmp_path: Path, tiny: str) -> None:
    pool = _pool(tmp_path / "run")
    trainer = _probe(pool, tiny, longest=16)
    rows = trainer._rows(_lesson(pool, texts={3: (None, "the sum"), 4: ("of", "a")}))
    assert max(len(row.passage.tokens) for row in rows) == 16
    assert 0 < trainer.about()["rows_cut"] <= 24
    words = trainer.halves.language.tokenizer
    assert words.decode(rows[3].passage.tokens[rows[3].passage.start : -1]) == "the sum"
    assert words.decode(rows[4].passage.tokens[:-1]) == "of\na"


def test_labels_are_learnt_without_a_response(tmp_path: Path, tiny: str) -> None:
    pool = _pool(tmp_path / "run", responds=False, rows=60)
    trainer = _probe(pool, tiny, rate=0.02)
    label = np.where(np.arange(60) % 20 == 0, -1, pool.rows["label"].to_numpy()).astype(np.int32)
    looks = list(trainer.train(_lesson(pool, label=label, seen=600, smoothing=np.full(60, 0.1, np.float32))))
    truth, last = pool.validation["label"].to_numpy(), looks[-1]
    assert last.predicted is not None
    assert (last.predicted == truth).mean() > 0.7
    assert last.tokens.tolist() == [1] * 9
    assert looks[-1].train_loss < looks[0].train_loss
    assert trainer.about()["task"] == "label"


def test_rows_without_a_label_are_not_counted(tmp_path: Path, tiny: str) -> None:
    """Where labels are learnt: the same steps and losses as if the rows were not there, as many rows seen; the loss of training is the weighted mean."""
    pool = _pool(tmp_path / "run", responds=False, rows=30)
    label, weight = pool.rows["label"].to_numpy().copy(), np.random.default_rng(0).uniform(0.2, 3, 30).astype(np.float32)
    label[::3] = -1
    there = np.flatnonzero(label >= 0)
    trainer = _probe(pool, tiny)
    whole = _lesson(pool, label=label, weight=weight, seen=35)
    without = list(trainer.train(replace(whole, rows=there.astype(np.int32), label=label[there], weight=weight[there], smoothing=whole.smoothing[there])))
    _same(list(trainer.train(whole)), without, 0)
    assert without[-1].seen == 35
    assert trainer.seconds([whole]) == trainer.seconds([whole.at(there)])
    first = next(trainer.train(replace(whole, seen=5, looks=1)))
    assert first.train_loss == pytest.approx(np.log(2), rel=1e-5), "a classifier that knows nothing, whatever rows weigh"
    assert not list(trainer.train(replace(whole, label=np.full(30, -1, np.int32))))


def test_soft_targets_are_learnt_in_the_stead_of_labels(tmp_path: Path, tiny: str) -> None:
    """One that is a smoothed label is that label; its gradient is linear in the target; a row without one keeps its label."""
    pool = _pool(tmp_path / "run", responds=False)
    trainer, epsilon = _probe(pool, tiny), np.full(24, 0.3, np.float32)
    lesson = _lesson(pool, smoothing=epsilon)
    target = np.where(np.eye(2)[lesson.label] == 1, 0.85, 0.15).astype(np.float32)
    target[::2] = np.nan
    _same(
        list(trainer.train(lesson)), list(trainer.train(replace(lesson, target=target, smoothing=np.where(np.isnan(target[:, 0]), 0.3, 0).astype(np.float32))))
    )
    model = trainer._anew(1)
    list(trainer.train(_lesson(pool, seen=20)))  # adapters that are not at their beginning
    rows = [replace(row, smoothing=0.0) for row in trainer._rows(lesson)[:4]]
    (_, zero), (_, one) = (model.gradient([replace(row, label=code) for row in rows]) for code in (0, 1))
    _, mixed = model.gradient([replace(row, target=np.array([0.25, 0.75], np.float32)) for row in rows])
    for a, b, both in zip(zero, one, mixed, strict=True):
        torch.testing.assert_close(0.25 * a + 0.75 * b, both, rtol=1e-4, atol=1e-6)
    assert trainer.about()["soft_targets"].startswith("used")


def test_rows_that_cannot_be_measured_have_no_loss(tmp_path: Path, tiny: str) -> None:
    pool = _pool(tmp_path / "run")
    empty = pl.read_parquet(tmp_path / "run" / "validation.parquet").with_columns(
        *(pl.when(pl.int_range(pl.len()) == 2).then(None).otherwise(pl.col(n)).alias(n) for n in ("prompt", "response", "text"))
    )
    empty.write_parquet(tmp_path / "run" / "validation.parquet")
    last = list(_probe(pool, tiny).train(_lesson(pool, seen=5)))[-1]
    assert np.isnan(last.loss).tolist() == [i == 2 for i in range(9)]


def test_time_is_told_before(tmp_path: Path, tiny: str) -> None:
    pool = _pool(tmp_path / "run")
    trainer = _probe(pool, tiny)
    few, many = _lesson(pool), _lesson(pool, seen=4800)
    first = trainer.seconds([few])
    assert trainer.seconds([few, many]) > trainer.seconds([many]) > 10 * first > 0
    assert trainer.seconds([few, many]) == pytest.approx(trainer.seconds([many, few]))
    assert trainer.seconds([few]) == first, "asking changes nothing"
    assert trainer.seconds([]) == 0
    assert trainer.seconds([few, few]) < 2 * first, "the lower layers count once"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"precision": "half"}, "auto or fp32"),
        ({"layers": 0}, "at least 1"),
        ({"longest": 8}, "at least 16"),
        ({"task": "sum"}, "text, label or auto"),
        ({"task": "label"}, "role label"),
        ({"targets": ("nothing",)}, "q_proj"),
    ],
)
def test_wrong_parameters_are_refused(wrong: dict[str, Any], says: str, tmp_path: Path, tiny: str) -> None:
    with pytest.raises(InputError, match=says):
        _probe(_pool(tmp_path / "run"), tiny, **wrong)


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
