"""Logs of trainers are read as one frame, what got worse is found, and a training is followed with the Version it was trained on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from curate.__main__ import main
from curate.errors import InputError
from curate.probes.checkpoints import checkpoints, measure_checkpoints, measured
from curate.probes.direction import higher_is_better
from curate.probes.following import entries, follow, followed, forget
from curate.probes.plan import Arm, Plan
from curate.probes.run import Run
from curate.probes.trainer_log import find_log, named, read_log
from curate.probes.worsening import untold, worsening
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


def _log(values: Sequence[float | None], metric: str = "loss", domain: str = "code") -> pl.DataFrame:
    steps = [10 * i for i in range(len(values))]
    return pl.DataFrame({"step": steps, "split": "eval", "domain": domain, "metric": metric, "value": values}, schema_overrides={"value": pl.Float64})


def test_what_rises_is_marked() -> None:
    falls = [3.0, 2.4, 2.01, 1.8, 1.69, 1.62]
    (worse,) = worsening(_log([*falls, 1.7, 2.3, 3.5, 5.0]))
    assert (worse.domain, worse.metric, worse.best_step, worse.best, worse.last) == ("code", "loss", 50, 1.62, 5.0)
    assert worse.lasting
    assert worse.since in (70, 80)
    assert worse.by == pytest.approx(3.38)
    assert not worsening(_log(falls))
    (up,) = worsening(_log([1 - v / 10 for v in [*falls, 1.7, 2.3, 3.5, 5.0]], "accuracy"))
    assert up.lasting
    assert up.by == pytest.approx(0.338)
    (peak,) = worsening(_log([3.0, 2.4, 2.01, 1.8, 9.0, 1.62, 1.5, 1.4]))
    assert not peak.lasting
    assert peak.marked == (40,)


@pytest.mark.parametrize(("metric", "values"), [("accuracy", [0.9, 0.91, 0.5, 0.4]), ("loss", [1.2, 1.0, 2.0, 3.0]), ("loss", [1.0, 3.0]), ("f1", [0.9, 0.4])])
def test_of_few_looks_what_is_plain_is_marked(metric: str, values: list[float]) -> None:
    (worse,) = worsening(_log(values, metric))
    assert worse.lasting
    assert np.isnan(worse.noise)
    assert worse.last == values[-1]


@pytest.mark.parametrize("values", [[1.2, 1.0, 1.1, 1.25], [1.0], [2.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
def test_of_few_looks_what_may_be_chance_is_told_to_be_open(values: list[float]) -> None:
    assert not worsening(_log(values))
    assert untold(_log(values)) == [("code", "loss", len(values))]


def test_a_stray_of_nothing_is_no_measure() -> None:
    """Rounded logs stray by 0: what differs by less than a hundredth is no worsening, what differs by more is."""
    assert not worsening(_log([0.9] * 5 + [0.898], "accuracy"))
    (worse,) = worsening(_log([0.9] * 5 + [0.88], "accuracy"))
    assert worse.lasting
    assert not worse.strays


@pytest.mark.parametrize("metric", ["loss", "reward"])
def test_a_training_that_diverged_is_dead(metric: str) -> None:
    (worse,) = worsening(_log([2.0, None, None], metric))
    assert (worse.dead, worse.lasting, worse.since) == (True, True, 10)
    (never,) = worsening(_log([None], metric))
    assert (never.dead, never.since) == (True, 0)
    found = worsening(_log([2.0, None, 1.8, 1.7], metric))
    assert [(w.dead, w.lasting, w.marked) for w in found] == ([(False, False, (10,))] if metric == "loss" else [])
    trained = _log([2.0, None], "loss", "").with_columns(split=pl.lit("train"))
    assert [(w.split, w.dead) for w in worsening(trained)] == [("train", True)]
    assert not worsening(_log([2.0, 9.0], "loss", "").with_columns(split=pl.lit("train")))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("auc", ("", "auc", True)),
        ("roc_auc", ("", "roc_auc", True)),
        ("code_recall", ("code", "recall", True)),
        ("my_code_f1_macro", ("my_code", "f1_macro", True)),
        ("recall@5", ("", "recall@5", True)),
        ("top_5_accuracy", ("", "top_5_accuracy", True)),
        ("rougeLsum", ("", "rougeLsum", True)),
        ("de_sacrebleu", ("de", "sacrebleu", True)),
        ("wer", ("", "wer", False)),
        ("law_perplexity", ("law", "perplexity", False)),
        ("rewards_chosen", ("", "rewards_chosen", None)),
        ("heatmap", ("", "heatmap", None)),
        ("answer", ("", "answer", None)),
        ("problem", ("", "problem", None)),
    ],
)
def test_which_way_a_metric_is_better(name: str, said: tuple[str, str, bool | None]) -> None:
    assert named(f"eval_{name}") == ("eval", *said[:2])
    assert higher_is_better(said[1]) is said[2]


def test_chance_is_seldom_marked_as_lasting() -> None:
    """Curves that fall and stray: fewer than one in twenty ends behind its best."""
    rng = np.random.default_rng(0)
    marked = [any(w.lasting for w in worsening(_log((1 + np.exp(-np.arange(20) / 5) + 0.02 * rng.standard_normal(20)).tolist()))) for _ in range(300)]
    assert np.mean(marked) < 0.05


@given(st.lists(st.floats(-1e6, 1e6), max_size=30))
def test_any_curve_can_be_read(values: list[float]) -> None:
    for worse in worsening(_log(values)):
        assert worse.marked
        assert worse.lasting == (worse.marked[-1] == 10 * (len(values) - 1))
        assert worse.best_step <= worse.since


def test_a_training_is_followed_with_its_version(tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    version = tmp_path / "kept"
    version.mkdir()
    with pytest.raises(InputError, match="is no Version"):
        follow(workspace, _state(tmp_path / "run"), version=version)
    (version / "manifest.json").write_text('{"rows": 10, "kept": 4, "fingerprint": "f"}')
    one = follow(workspace, tmp_path / "run" / "trainer_state.json", "mine", version)
    assert followed(workspace) == [one]
    assert one.trained_on == {"folder": "kept", "rows": 10, "kept": 4, "fingerprint": "f"}
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
