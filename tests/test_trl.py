"""TRL itself reads the exports and takes two steps on a small model with random weights."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.export import run
from curate.recipe import parse_recipe
from curate.workspace import Workspace
from tests.tiny import tiny_language_model

TEMPLATE = (
    "{% for m in messages %}{{ '<s>' + m['role'] + ': ' + (m['content'] or '') }}"
    "{% for c in m.get('tool_calls') or [] %}{{ c['function']['name'] }}{% endfor %}{% endfor %}{% if add_generation_prompt %}{{ '<s>assistant: ' }}{% endif %}"
)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of eight rows, and a model with a chat template beside it."""
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("trl")
    rows = [{"q": f"the array {i}?", "a": f"the values {i}\nof \u2028 it", "w": "no"} for i in range(8)]
    pl.DataFrame(rows).write_parquet(folder / "rows.parquet")
    roles = {"prompt": "q", "response": "a", "rejected": "w"}
    asked = {"dataset": {"path": str(folder / "rows.parquet"), "roles": roles}, "export": {"formats": ["trl_sft", "trl_prompt_completion", "trl_dpo"]}}
    made = run(parse_recipe(asked, "r"), Workspace.at(folder / "workspace"), folder / "out", "inline").out
    tiny_language_model(folder / "model")
    words = AutoTokenizer.from_pretrained(folder / "model")
    words.chat_template = TEMPLATE
    words.save_pretrained(folder / "model")
    return made


@pytest.mark.parametrize(("name", "kind"), [("trl_sft", "SFT"), ("trl_prompt_completion", "SFT"), ("trl_dpo", "DPO")])
def test_trl_takes_two_steps(out: Path, tmp_path: Path, name: str, kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other people's packages
        import datasets
        import trl
        from transformers import AutoModelForCausalLM, AutoTokenizer

        words = AutoTokenizer.from_pretrained(out.parent / "model")
        words.pad_token = words.eos_token
        model = AutoModelForCausalLM.from_pretrained(out.parent / "model")
        rows = datasets.load_dataset("parquet", data_files=str(out / name / "train.parquet"), split="train", cache_dir=str(tmp_path / "cache"))
        given: dict[str, Any] = {"max_steps": 2, "per_device_train_batch_size": 2, "logging_steps": 1, "learning_rate": 0.01, "max_length": 96}
        quiet: dict[str, Any] = {"report_to": [], "use_cpu": True, "disable_tqdm": True, "save_strategy": "no", "bf16": False, "gradient_checkpointing": False}
        config = getattr(trl, f"{kind}Config")(output_dir=str(tmp_path / "run"), **given, **quiet)
        trainer = getattr(trl, f"{kind}Trainer")(model=model, args=config, train_dataset=rows, processing_class=words)
        trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 2
    assert all(0 < loss < 100 for loss in losses)
    assert len(rows) == 8
