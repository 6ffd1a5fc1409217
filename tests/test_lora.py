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
from curate.probes.probe import Lesson
from curate.tuning.adapting import Asked
from tests.lessons import assert_same, lesson_of, pool_of, probe_on
from tests.tiny import tiny_language_model

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_language_model(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def capped(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_language_model(tmp_path_factory.mktemp("capped"), "gemma2"))


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
    pool = pool_of(tmp_path / "run")
    rng = np.random.default_rng(0)
    weight, smoothing = rng.uniform(0, 3, 24).astype(np.float32), rng.uniform(0, 0.5, 24).astype(np.float32)
    trainer = probe_on(pool, {"tiny": tiny, "capped": capped}[kind], layers=layers)
    lesson = lesson_of(pool, weight=weight, smoothing=smoothing, looks=1000)
    losses, after = _plain({"tiny": tiny, "capped": capped}[kind], trainer, lesson, top)
    looks = list(trainer.train(lesson))
    assert [look.train_loss for look in looks] == pytest.approx(losses, rel=1e-4)
    for mine, ours in zip(after, trainer.halves.parameters, strict=True):
        torch.testing.assert_close(mine, ours, rtol=1e-3, atol=1e-4)
    assert losses[-1] < losses[0]
    assert trainer.halves.cut == (kind == "tiny" and layers == 1)
    assert ("note" in trainer.about()) == (kind == "capped")


def test_a_cache_changes_nothing_and_is_bounded(tmp_path: Path, tiny: str) -> None:
    pool = pool_of(tmp_path / "run")
    lesson = lesson_of(pool)
    kept, none = probe_on(pool, tiny), probe_on(pool_of(tmp_path / "other"), tiny, cache_gb=0.0)
    some = probe_on(pool_of(tmp_path / "some"), tiny, cache_gb=1e-5)
    first = list(kept.train(lesson))
    for trainer in (none, some):
        assert_same(first, list(trainer.train(lesson)))
    assert kept.about()["cache_bytes"] == sum(len(set_) for set_ in {r.passage.tokens for r in [*kept._rows(lesson), *kept.valid]}) * 32 * 4
    assert kept.about()["cache_bytes_all_rows"] >= kept.about()["cache_bytes"]
    assert "note" not in kept.about()
    assert not list((tmp_path / "other" / "hidden").glob("*/*/part.json"))
    assert "no room" in none.about()["note"]
    assert "no room" in some.about()["note"]


def test_the_same_lesson_gives_the_same_looks_also_in_another_process_and_after_others(tmp_path: Path, tiny: str) -> None:
    pool = pool_of(tmp_path / "run")
    lesson = lesson_of(pool)
    trainer = probe_on(pool, tiny)
    first = list(trainer.train(lesson))
    list(trainer.train(lesson_of(pool, seed=9, seen=10)))
    again = probe_on(pool, tiny)
    assert not again.store.lacks(row.passage.tokens for row in again._rows(lesson))
    for looks in (list(trainer.train(lesson)), list(again.train(lesson))):
        assert_same(first, looks, 0)
    other = list(trainer.train(lesson_of(pool, seed=4)))
    assert not np.array_equal(other[-1].loss, first[-1].loss)


def test_a_weight_of_nothing_is_deletion_and_a_whole_weight_is_repetition(tmp_path: Path, tiny: str) -> None:
    for responds in (True, False):
        pool = pool_of(tmp_path / f"run{responds}", responds)
        trainer = probe_on(pool, tiny)
        rows: list[Asked] = trainer._rows(lesson_of(pool))[:6]
        model = trainer._anew(1)
        weighed = [replace(row, weight=w) for row, w in zip(rows, (0.0, 2.0, 1.0, 0.0, 3.0, 1.0), strict=True)]
        repeated = [rows[i] for i in (1, 1, 2, 4, 4, 4, 5)]
        (one, mine), (other, theirs) = model.gradient(weighed), model.gradient(repeated)
        assert one == pytest.approx(other, rel=1e-5)
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
        assert model.gradient([replace(row, weight=0.0) for row in rows]) == (0.0, [None] * len(model.parameters))


def test_only_the_response_counts_and_the_prompt_stands_in_front(tmp_path: Path, tiny: str) -> None:
    pool = pool_of(tmp_path / "run")
    trainer = probe_on(pool, tiny)
    words = trainer.halves.language.tokenizer
    for row, (prompt, response) in zip(trainer._rows(lesson_of(pool)), pool.rows.select("prompt", "response").iter_rows(), strict=True):
        tokens, start = row.passage.tokens, row.passage.start
        assert words.decode(tokens[:start]) == f"{prompt}\n"
        assert words.decode(tokens[start:-1]) == response
        assert tokens[-1] == trainer.halves.language.body.config.eos_token_id
        assert row.counts == len(tokens) - start


def test_long_rows_are_cut_and_counted_and_edits_are_read(tmp_path: Path, tiny: str) -> None:
    pool = pool_of(tmp_path / "run")
    trainer = probe_on(pool, tiny, longest=16)
    rows = trainer._rows(lesson_of(pool, texts={3: (None, "the sum"), 4: ("of", "a")}))
    assert max(len(row.passage.tokens) for row in rows) == 16
    assert 0 < trainer.about()["rows_cut"] <= 24
    words = trainer.halves.language.tokenizer
    assert words.decode(rows[3].passage.tokens[rows[3].passage.start : -1]) == "the sum"
    assert words.decode(rows[4].passage.tokens[:-1]) == "of\na"


def test_rows_that_cannot_be_measured_have_no_loss(tmp_path: Path, tiny: str) -> None:
    pool = pool_of(tmp_path / "run")
    empty = pl.read_parquet(tmp_path / "run" / "validation.parquet").with_columns(
        *(pl.when(pl.int_range(pl.len()) == 2).then(None).otherwise(pl.col(n)).alias(n) for n in ("prompt", "response", "text"))
    )
    empty.write_parquet(tmp_path / "run" / "validation.parquet")
    last = list(probe_on(pool, tiny).train(lesson_of(pool, seen=5)))[-1]
    assert np.isnan(last.loss).tolist() == [i == 2 for i in range(9)]


def test_time_is_told_before(tmp_path: Path, tiny: str) -> None:
    pool = pool_of(tmp_path / "run")
    trainer = probe_on(pool, tiny)
    few, many = lesson_of(pool), lesson_of(pool, seen=4800)
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
        probe_on(pool_of(tmp_path / "run"), tiny, **wrong)
