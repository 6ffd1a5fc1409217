"""Training on an export: weights, smoothing, masked prompts and the order, on a model of a second."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from curate.errors import InputError
from curate.export import run
from curate.loader import InOrder, encode, in_order, pad, row_losses, weighted_trainer, written_columns
from curate.recipe import parse_recipe
from curate.workspace import Workspace
from tests import small
from tests.tiny import tiny_language_model, tiny_pair_model

TEXTS = [("the shape", " of the array"), ("an array", " holds values and more values"), ("what is it", " a shape"), ("and the", " values of it")]


@pytest.fixture(scope="module")
def language(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[dict[str, Any]]]:
    """A tiny language model and four encoded rows."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tiny_language_model(tmp_path_factory.mktemp("model"))
    words = AutoTokenizer.from_pretrained(folder)
    return AutoModelForCausalLM.from_pretrained(folder).eval(), [dict(encode(p, r, words)) for p, r in TEXTS]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[dict[str, Any]]]:
    """A tiny classifier of three classes and four encoded rows."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = tiny_pair_model(tmp_path_factory.mktemp("classes"), ("x", "y", "z"))
    words = AutoTokenizer.from_pretrained(folder)
    rows = [{"input_ids": words(p + r)["input_ids"], "labels": i % 3} for i, (p, r) in enumerate(TEXTS)]
    return AutoModelForSequenceClassification.from_pretrained(folder).eval(), rows


def _trainer(model: Any, rows: Any, folder: Path, batch: int = 4, accumulate: int = 1, **more: Any) -> Any:
    from transformers import TrainingArguments

    settings: dict[str, Any] = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": accumulate, "report_to": "none", "use_cpu": True}
    settings |= {"save_strategy": "no", "logging_strategy": "no", "disable_tqdm": True, "optim": "sgd", "dataloader_pin_memory": False}
    arguments = TrainingArguments(output_dir=str(folder), num_train_epochs=1, **settings)
    return weighted_trainer()(model=model, args=arguments, train_dataset=rows, data_collator=pad, **more)


def _gradient(model: Any, rows: list[dict[str, Any]], folder: Path, **more: Any) -> torch.Tensor:
    """The gradient of one step over some rows."""
    model.zero_grad()
    _trainer(model, rows, folder, **more).compute_loss(model, pad(rows)).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def _with(rows: list[dict[str, Any]], weights: list[float], epsilon: float = 0.0) -> list[dict[str, Any]]:
    return [{**row, "weight": w, "label_smoothing": epsilon} for row, w in zip(rows, weights, strict=True)]


@pytest.mark.parametrize("kind", ["language", "classifier"])
@pytest.mark.parametrize("epsilon", [0.0, 0.2])
def test_weight_zero_is_deletion_and_a_whole_weight_is_repetition(kind: str, epsilon: float, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    model, rows = request.getfixturevalue(kind)
    weighed = _gradient(model, _with(rows, [1, 0, 3, 2], epsilon), tmp_path)
    repeated = _gradient(model, _with([rows[0], rows[2], rows[2], rows[2], rows[3], rows[3]], [1] * 6, epsilon), tmp_path)
    torch.testing.assert_close(weighed, repeated, rtol=1e-4, atol=5e-5)  # sums in another order
    assert weighed.abs().max() > 1e-3
    assert not torch.allclose(weighed, _gradient(model, _with(rows, [1, 1, 1, 1], epsilon), tmp_path), rtol=1e-2)


@pytest.mark.parametrize("kind", ["language", "classifier"])
def test_without_weights_it_is_the_loss_of_transformers(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    model, rows = request.getfixturevalue(kind)
    batch = pad(rows)
    torch.testing.assert_close(_trainer(model, rows, tmp_path).compute_loss(model, dict(batch)), model(**batch).loss)


def test_smoothing_is_its_closed_form_by_hand() -> None:
    logits = torch.log(torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.2, 0.7], [0.3, 0.3, 0.4]]]))
    labels = torch.tensor([[-100, 1, 2]])
    loss, tokens = row_losses(logits, labels, torch.tensor([0.3]))
    first = 0.7 * -np.log(0.25) + 0.3 * -np.log([0.5, 0.25, 0.25]).mean()
    second = 0.7 * -np.log(0.7) + 0.3 * -np.log([0.1, 0.2, 0.7]).mean()
    assert loss.tolist() == pytest.approx([first + second], rel=1e-5)
    assert tokens.tolist() == [2]
    one = torch.log(torch.tensor([[0.2, 0.5, 0.3]]))
    assert row_losses(one, torch.tensor([1]), torch.tensor([0.1]))[0].tolist() == pytest.approx([0.9 * -np.log(0.5) + 0.1 * -np.log([0.2, 0.5, 0.3]).mean()])
    torch.testing.assert_close(
        row_losses(one, torch.tensor([1]), torch.tensor([0.1]))[0][0], torch.nn.functional.cross_entropy(one, torch.tensor([1]), label_smoothing=0.1)
    )
    soft = row_losses(one, torch.tensor([1]), torch.tensor([0.9]), torch.tensor([[0.0, 0.6, 0.4]]))[0].tolist()
    assert soft == pytest.approx([-0.6 * np.log(0.5) - 0.4 * np.log(0.3)], rel=1e-5)


def test_prompt_tokens_are_masked(language: tuple[Any, list[dict[str, Any]]], tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    words = AutoTokenizer.from_pretrained(tiny_language_model(tmp_path / "model"))
    row = encode("the shape", " of the array", words)
    prompt = len(words("the shape")["input_ids"])
    assert row["labels"][:prompt] == [-100] * prompt
    assert row["labels"][prompt:] == row["input_ids"][prompt:]
    assert words.decode(row["labels"][prompt:-1]) == " of the array"
    assert row["labels"][-1] == words.eos_token_id
    assert encode("the shape", " of the array", words, prompt) == {"input_ids": row["input_ids"][:prompt], "labels": [-100] * prompt}
    model, rows = language
    logits = model(input_ids=torch.tensor([rows[0]["input_ids"]])).logits.detach().requires_grad_()
    loss, _ = row_losses(logits, torch.tensor([rows[0]["labels"]]))
    here = torch.autograd.grad(loss.sum(), logits)[0][0].abs().sum(1) > 0
    first = rows[0]["labels"].index(next(x for x in rows[0]["labels"] if x != -100))
    assert here.tolist() == [first - 1 <= i < len(rows[0]["labels"]) - 1 for i in range(len(here))]
    nothing = pad(_with(rows[:2], [0, 0]))
    assert _trainer(model, rows, tmp_path).compute_loss(model, nothing).item() == 0


def test_accumulated_steps_are_one_step(language: tuple[Any, list[dict[str, Any]]], tmp_path: Path) -> None:
    model, rows = language
    before = {name: value.clone() for name, value in model.state_dict().items()}
    moved = []
    weighed = [{**row, "order": i} for i, row in enumerate(_with(rows, [0.5, 2, 1, 0.5]))]
    for batch, accumulate in ((4, 1), (1, 4), (2, 2)):
        model.load_state_dict(before)
        _trainer(model, weighed, tmp_path, batch, accumulate).train()
        moved.append(torch.cat([(value - before[name]).flatten() for name, value in model.state_dict().items()]))
    model.load_state_dict(before)
    assert moved[0].abs().max() > 0
    for other in moved[1:]:
        torch.testing.assert_close(moved[0], other, rtol=1e-3, atol=1e-7)


def test_rows_come_in_order_over_epochs(language: tuple[Any, list[dict[str, Any]]], tmp_path: Path) -> None:
    model, rows = language
    placed = [{**row, "order": o, "phase": 1 + (o > 1), "weight": 1.0} for row, o in zip(rows, [2, 0, 3, 1], strict=True)]
    trainer = _trainer(model, placed, tmp_path, 2)
    loader = trainer.get_train_dataloader()
    for _ in range(2):
        seen = [row for batch in loader for row in batch["input_ids"].tolist()]
        assert [s[: len(rows[i]["input_ids"])] == rows[i]["input_ids"] for s, i in zip(seen, [1, 3, 0, 2], strict=True)] == [True] * 4
    steps = _trainer(model, placed, tmp_path, 2, cumulative=True).get_train_dataloader()
    assert sum(len(batch["labels"]) for batch in steps) == 6
    assert in_order([2, 0, 3, 1], [2, 1, 2, 1], True).tolist() == [1, 3, 1, 3, 0, 2]
    assert [*InOrder([1, 0])] == [1, 0]
    with pytest.raises(InputError, match="phase by phase"):
        in_order([0, 1], None, True)


def test_an_export_is_trained_on_as_it_was_written(language: tuple[Any, list[dict[str, Any]]], tmp_path: Path, workspace: Workspace) -> None:
    import polars as pl
    from datasets import Dataset
    from transformers import AutoTokenizer

    parts: dict[str, Any] = {
        "curriculum": {"by": "confidence", "phases": 2},
        "weights": {"trust": {"source": {"a": 0}}, "smoothing": {"confidence": "confidence"}},
    }
    recipe = small.recipe(small.write(tmp_path), **parts, budget={"rows": 8}, export={"order": "curriculum", "weight": "weights"})
    exported = pl.read_parquet(run(recipe, workspace, tmp_path / "out", "inline").out / "selected.parquet").to_dicts()
    words, columns = AutoTokenizer.from_pretrained(tiny_language_model(tmp_path / "model")), {**written_columns(tmp_path / "out"), "source": "source"}
    rows = [encode(row["prompt"], row["response"], words, 100) | {name: row[column] for name, column in columns.items()} for row in exported[::-1]]
    trainer = _trainer(language[0], Dataset.from_list(rows), tmp_path, 4)
    batches = [*trainer.get_train_dataloader()]
    assert [w for batch in batches for w in batch["weight"].tolist()] == pytest.approx([row["weight"] for row in exported])
    assert {row["weight"] for row in exported} == {0.0, 1.0}
    assert [e for batch in batches for e in batch["label_smoothing"].tolist()] == pytest.approx([row["label_smoothing"] for row in exported])
    assert trainer.train().global_step == 2


@pytest.mark.parametrize("order", ["file", "curriculum"])
def test_a_datasets_own_weight_and_order_are_not_the_written_ones(tmp_path: Path, workspace: Workspace, order: str) -> None:
    import polars as pl

    own = {"weight": -1.0, "order": "last", "weight_2": 0, "soft_target": "none", "label": "x"}
    (tmp_path / "own.jsonl").write_text("".join(json.dumps({**row, **own, "label": "xy"[i % 2]}) + "\n" for i, row in enumerate(small.rows())))
    weights: dict[str, Any] = {"trust": {"source": {"a": 0.5}}, "smoothing": {"confidence": "confidence", "soft": True}}
    given: dict[str, Any] = {"path": str(tmp_path / "own.jsonl"), "roles": {"prompt": "prompt", "response": "response", "source": "source", "label": "label"}}
    asked: dict[str, Any] = {"dataset": given, "curriculum": {"by": "confidence"}, "weights": weights, "budget": {"rows": 6}}
    asked["export"] = {"order": order, "weight": "weights", "formats": ["trl_prompt_completion"]}
    out = run(parse_recipe(asked, "r"), workspace, tmp_path / "out", "inline").out
    names, frame = written_columns(out), pl.read_parquet(out / "selected.parquet")
    order_2 = {"order": "order_2", "phase": "phase"} if order == "curriculum" else {}
    assert names == {**order_2, "weight": "weight_3", "label_smoothing": "label_smoothing", "soft_target": "soft_target_2"}
    assert frame.select(list(own)).drop("label").unique().to_dicts() == [{name: value for name, value in own.items() if name != "label"}]
    assert frame["weight_3"].mean() == pytest.approx(1)
    assert frame["soft_target_2"].list.sum().to_list() == pytest.approx([1.0] * 6)
    told = pl.read_parquet(out / "trl_prompt_completion" / "train.parquet")
    for name, column in names.items():
        assert told[name].to_list() == frame[column].to_list(), name
    with pytest.raises(InputError, match="does not tell"):
        written_columns(tmp_path)


def test_several_processes_take_the_batches_of_one_order_in_turns() -> None:
    from accelerate.data_loader import BatchSamplerShard
    from torch.utils.data import BatchSampler

    batches = BatchSampler(InOrder([3, 2, 1, 0, 7, 6, 5, 4]), 2, False)
    dealt = [[*BatchSamplerShard(batches, 2, process)] for process in (0, 1)]
    assert [row for step in zip(*dealt, strict=True) for batch in step for row in batch] == [3, 2, 1, 0, 7, 6, 5, 4]


def test_a_step_of_one_row_cannot_be_weighed(language: tuple[Any, list[dict[str, Any]]], tmp_path: Path) -> None:
    model, rows = language
    with pytest.raises(InputError, match="divisor='rows'"):
        _trainer(model, rows, tmp_path, 1)
    one, other = (_gradient(model, _with(rows[:1], [w]), tmp_path, batch=1, divisor="rows") for w in (1, 2))
    torch.testing.assert_close(2 * one, other)
