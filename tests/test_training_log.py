"""Logs of trainers are read as one frame, what got worse is found, and a training is followed with the Version it was trained on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from curate.__main__ import main
from curate.errors import InputError
from curate.probes.checkpoints import checkpoints, measure_checkpoints, measured
from curate.probes.following import entries, follow, followed, forget
from curate.probes.plan import Arm, Plan
from curate.probes.run import Run
from curate.probes.trainer_log import find_log, named, read_log
from curate.versions import name_of
from curate.workspace import Workspace
from tests.tiny import tiny_language_model

HISTORY = [
    {"step": 10, "epoch": 0.5, "loss": 2.0, "learning_rate": 1e-4, "grad_norm": 3.0},
    {"step": 10, "epoch": 0.5, "eval_loss": 1.9, "eval_code_loss": 1.5, "eval_code_accuracy": 0.5, "eval_runtime": 3.1, "eval_steps_per_second": 9},
    {"step": 20, "epoch": 1.0, "loss": 1.5},
    {"step": 20, "epoch": 1.0, "eval_loss": 1.7, "eval_code_loss": float("nan")},
]


def _state(folder: Path, history: list[dict[str, float]] = HISTORY) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "trainer_state.json"
    path.write_text(json.dumps({"log_history": history}))
    return path


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("loss", ("train", "", "loss")),
        ("eval_loss", ("eval", "", "loss")),
        ("eval_my_code_loss", ("eval", "my_code", "loss")),
        ("eval/code_loss", ("eval", "code", "loss")),
        ("eval_code_mean_token_accuracy", ("eval", "code", "mean_token_accuracy")),
        ("val_macro_f1", ("eval", "", "macro_f1")),
        ("train/loss", ("train", "", "loss")),
        ("eval_rewards", ("eval", "", "rewards")),
        ("learning_rate", None),
        ("eval_runtime", None),
        ("train_samples_per_second", None),
        ("grad_norm", None),
        ("reward", None),
    ],
)
def test_names_say_split_domain_and_metric(key: str, said: tuple[str, str, str] | None) -> None:
    assert named(key) == said


def test_every_kind_of_log_says_the_same(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    state = read_log(_state(tmp_path / "run" / "checkpoint-20")).rows
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in HISTORY))
    writer = SummaryWriter(str(tmp_path / "events"))
    for entry in HISTORY:
        for name, value in entry.items():
            if name not in ("step", "epoch"):
                writer.add_scalar(name.replace("eval_", "eval/"), value, int(entry["step"]))
    writer.close()
    assert state.rows() == [
        (10, 0.5, "train", "", "loss", 2.0),
        (10, 0.5, "eval", "", "loss", 1.9),
        (10, 0.5, "eval", "code", "loss", 1.5),
        (10, 0.5, "eval", "code", "accuracy", 0.5),
        (20, 1.0, "train", "", "loss", 1.5),
        (20, 1.0, "eval", "", "loss", 1.7),
        (20, 1.0, "eval", "code", "loss", None),
    ]
    assert read_log(tmp_path / "run").rows.equals(state)
    assert read_log(tmp_path / "log.jsonl").rows.equals(state)
    events = read_log(tmp_path / "events").rows
    assert events.drop("epoch", "value").rows() == state.drop("epoch", "value").rows()
    np.testing.assert_allclose(events["value"].drop_nulls(), state["value"].drop_nulls(), rtol=1e-6)


def test_a_log_that_is_being_written(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1, "eval_loss": 2.0}\n{"step": 2, "eval_lo')
    assert read_log(path).rows["step"].to_list() == [1]
    path.write_text('{"step": 1, "eval_loss": 2.0}\n{"step": 2, "domain": "code", "loss": 1.0}')
    assert read_log(path).rows.select("step", "split", "domain", "value").rows() == [(1, "eval", "", 2.0), (2, "eval", "code", 1.0)]
    path.write_text('{"step": 1, "eval_loss": 2.0}\n{"step": 1, "eval_loss": 3.0}\n')
    assert read_log(path).rows["value"].to_list() == [3.0]
    assert read_log(_state(tmp_path / "new", [])).rows.is_empty()


@pytest.mark.parametrize(
    ("text", "match"),
    [("{}\nno\n{}\n", "tells a step"), ('{"loss": 1}\n', "tells a step"), ("", "tells a step"), ("3\n4\n", "tells a step"), ("null\n", "tells a step")],
)
def test_a_log_that_is_none_is_told(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=match):
        read_log(path)


def test_a_folder_without_a_log_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds neither"):
        find_log(tmp_path)
    with pytest.raises(InputError, match="is not there"):
        find_log(tmp_path / "none")
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text("{}\n")
    with pytest.raises(InputError, match="2 files of lines"):
        find_log(tmp_path)
    (tmp_path / "trainer_state.json").write_text("{}")
    with pytest.raises(InputError, match=r"no trainer_state\.json"):
        read_log(tmp_path)


def test_a_training_is_followed_with_its_version(tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    version = tmp_path / "kept"
    version.mkdir()
    said = {"created": "2026-01-02", "dataset": {"rows": 10, "fingerprint": "f"}, "kept": 4, "input": [], "files": {}}
    with pytest.raises(InputError, match="is no Version"):
        follow(workspace, _state(tmp_path / "run"), version=version)
    (version / "manifest.json").write_text(json.dumps(said))
    one = follow(workspace, tmp_path / "run" / "trainer_state.json", "mine", version)
    assert followed(workspace) == [one]
    assert one.trained_on == {"folder": "kept", "name": name_of({}), "rows": 10, "kept": 4, "fingerprint": "f", "created": "2026-01-02"}
    assert entries(workspace, one).rows.height == 7
    _state(tmp_path / "run", [{"step": 10 * i, "eval_loss": value} for i, value in enumerate([3, 2.4, 2, 1.8, 1.7, 1.62, 1.7, 2.3, 3.5])])
    arguments = ["follow", str(tmp_path / "run"), "--once", "--workspace", str(workspace.root), "--version", str(version)]
    assert main(arguments) == 1
    assert "The loss of all rows is worse since step" in capsys.readouterr().out
    assert main([*arguments, "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["name"], said["version"]["kept"], said["worse"][0]["lasting"]) == ("run", 4, True)
    forget(workspace, one)
    assert len(followed(workspace)) == 1


def _run(folder: Path) -> Run:
    folder.mkdir(parents=True)
    rows = {"prompt": ["the array", "the shape", "a"], "context": [None] * 3, "response": ["of the values", "of the array", None], "domain": ["a", "b", "b"]}
    kinds = {"prompt": pl.String, "context": pl.String, "response": pl.String, "domain": pl.String}
    frame = pl.DataFrame(rows, schema=kinds).with_columns(pl.lit("x").alias("text"), pl.lit(-1, pl.Int32).alias("label"))
    frame.write_parquet(folder / "validation.parquet")
    return Run(folder, Plan(probe="head", arms=(Arm(name="a"),)), {"classes": []})


def test_checkpoints_are_measured_by_domain(tmp_path: Path) -> None:
    """Two whole checkpoints, and one that is being written; the loss of a domain is that of a plain pass over its rows."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    for step in (20, 3):
        tiny_language_model(tmp_path / "out" / f"checkpoint-{step}")
    assert checkpoints(tmp_path / "out") == [], "they may still grow"
    for step in (20, 3):
        (tmp_path / "out" / f"checkpoint-{step}" / "trainer_state.json").write_text("{}")
    (tmp_path / "out" / "checkpoint-30").mkdir()
    assert [step for step, _ in checkpoints(tmp_path / "out")] == [3, 20]
    run, into = _run(tmp_path / "run"), tmp_path / "into"
    assert list(measure_checkpoints(run, tmp_path / "out", into, "")) == [3, 20]
    assert list(measure_checkpoints(run, tmp_path / "out", into, "")) == []
    found = measured(into)
    assert found["step"].to_list() == [3] * 3 + [20] * 3
    words = AutoTokenizer.from_pretrained(tmp_path / "out" / "checkpoint-3")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out" / "checkpoint-3")
    head, said = (words(t, add_special_tokens=False)["input_ids"] for t in ("the array\n", "of the values"))
    with torch.no_grad():
        log = torch.log_softmax(model(torch.tensor([[*head, *said]])).logits[0].float(), -1)
    plain = -float(sum(log[len(head) - 1 + i, t] for i, t in enumerate(said))) / len(said)
    assert found.filter((pl.col("step") == 3) & (pl.col("domain") == "a"))["value"].item() == pytest.approx(plain, rel=1e-4)


def test_the_page_shows_curves_and_what_got_worse(tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CURATE_OPEN", raising=False)
    monkeypatch.setenv("CURATE_WORKSPACE", str(workspace.root))
    app = AppTest.from_file(str(Path(__file__).parent.parent / "app.py"), default_timeout=60)
    app.switch_page("pages/prove/training.py").run()
    assert "No training is followed" in " ".join(m.value for m in app.main.markdown)
    app.main.text_input[0].set_value(str(tmp_path / "nowhere.jsonl"))
    app.main.button[0].click().run()
    assert not app.exception
    assert "no such file" in app.main.error[0].value
    values = [3, 2.4, 2, 1.8, 1.7, 1.62, 1.7, 2.3, 3.5]
    _state(tmp_path / "<b>run", [{"step": 10 * i, "eval_loss": 1 / (i + 1), "eval_code_loss": v, "loss": v} for i, v in enumerate(values)])
    next(w for w in app.main.text_input if w.label == "Log or folder").set_value(str(tmp_path / "<b>run"))
    next(b for b in app.main.button if b.label == "Follow").click().run()
    assert not app.exception
    assert not app.error
    (warning,) = app.main.warning
    assert "loss of code is worse since step" in warning.value
    (tmp_path / "<b>run" / "trainer_state.json").write_text("no")
    app.run()
    assert "is no trainer" in app.main.error[0].value
    assert "as it was last read" in app.main.error[0].value
    assert "loss of code is worse" in app.main.warning[0].value, "the curve and its marks stay"
    assert not app.exception
