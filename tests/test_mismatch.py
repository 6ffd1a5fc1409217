"""Two losses of a row: under a second model and under a LoRA adapter as plain loops give them, and what they say together."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from curate.adapter import merge_adapter
from curate.errors import InputError
from curate.load import load
from curate.measure import measure
from curate.mismatch import CORNERS, LEAST, corners, numbered, octaves, terciles, z_scores
from curate.models import LanguageModel, language_model
from curate.recipe import load_recipe
from curate.scores import Scores
from curate.signals.mismatch import SIGNAL
from curate.task import plan
from curate.workspace import Workspace
from tests.tiny import tiny_language_model

TEXTS = ["the array", "of values\nand the shape", None, "", "é <b> the the the"]


def _measure(texts: list[str | None], **parameters: Any) -> list[dict[str, Any]]:
    batch = pa.record_batch({"of": pa.array(texts, pa.large_string())})
    found = SIGNAL.compute(batch, **{"max_tokens": 64, "precision": "fp32", **parameters}).to_pylist()
    return [{name.removeprefix("mismatch_"): value for name, value in row.items()} for row in found]


def _total(model: LanguageModel, text: str) -> tuple[float, int]:
    """Nats of all tokens of a text after a newline, and how many there are, by one plain pass."""
    head, tail = (model.tokenizer.encode(t, add_special_tokens=False).ids for t in ("\n", text))
    ids = [*model.start, *head, *tail]
    with torch.inference_mode():
        logits = model.head(model.body(torch.tensor([ids]))[0])[0]
    first = len(ids) - len(tail)
    return float(torch.nn.functional.cross_entropy(logits[first - 1 : -1], torch.tensor(ids[first:]), reduction="sum")), len(tail)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_language_model(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Another model that puts a token before each text."""
    folder = tiny_language_model(tmp_path_factory.mktemp("other"), start=True)
    model = language_model(str(folder)).body
    torch.manual_seed(3)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn_like(weight)
    return str(folder)


def _adapter(folder: Path, modules: dict[str, tuple[int, int]], rank: int = 4, seed: int = 0, **config: Any) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Save an adapter as PEFT does. modules: (in, out) by name. Returns A and B by name."""
    from safetensors.torch import save_file

    rng = torch.Generator().manual_seed(seed)
    halves = {n: (torch.randn(rank, i, generator=rng), torch.randn(o, rank, generator=rng)) for n, (i, o) in modules.items()}
    weights = {f"base_model.model.{n}.lora_{half}.weight": t for n, pair in halves.items() for half, t in zip("AB", pair, strict=True)}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "adapter_model.safetensors")
    said = {"peft_type": "LORA", "r": rank, "lora_alpha": 8, "bias": "none", "target_modules": ["q_proj"], "fan_in_fan_out": False, **config}
    (folder / "adapter_config.json").write_text(json.dumps(said))
    return halves


Q, UP = "model.layers.1.self_attn.q_proj", "model.layers.0.mlp.up_proj"


def test_a_second_model_is_as_a_plain_loop_gives_it(tiny: str, other: str) -> None:
    base, compared = language_model(tiny), language_model(other)
    for text, row in zip(TEXTS, _measure(TEXTS, model=tiny, reference_model=other), strict=True):
        if not text:
            assert all(value is None for value in row.values())
            continue
        (own, tokens), (wanted, _) = _total(base, text), _total(compared, text)
        expected = {"base": own / tokens, "reference": wanted / tokens, "difference": (own - wanted) / tokens, "tokens": tokens, "truncated": False}
        assert row == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_a_row_is_measured_the_same_alone(tiny: str, other: str) -> None:
    together = _measure(TEXTS, model=tiny, reference_model=other)
    for text, row in zip(TEXTS, together, strict=True):
        assert _measure([text], model=tiny, reference_model=other) == [{n: v and pytest.approx(v, abs=1e-4) for n, v in row.items()}]


def test_without_a_reference_nothing_is_told(tiny: str) -> None:
    assert all(value is None for row in _measure(TEXTS, model=tiny) for value in row.values())


def test_a_model_beside_itself_does_not_differ(tiny: str) -> None:
    for row in _measure([t for t in TEXTS if t], model=tiny, reference_model=tiny):
        assert row["difference"] == 0


def test_a_long_text_is_cut_where_both_models_read_it(tiny: str, other: str) -> None:
    text = "abcdefghijklmnop" * 20
    (row,) = _measure([text], model=tiny, reference_model=other, max_tokens=16)
    own, wanted = (_total(language_model(m), text[: row["tokens"]])[0] / row["tokens"] for m in (tiny, other))
    assert (row["truncated"], row["tokens"]) == (True, 14), "a newline, and a token before the text in one of them"
    assert (row["base"], row["reference"]) == pytest.approx((own, wanted), rel=1e-4)


@pytest.mark.parametrize(
    ("config", "scale"),
    [({}, 8 / 4), ({"use_rslora": True}, 8 / 2), ({"lora_alpha": 16}, 4), ({"alpha_pattern": {"q_proj": 2}}, 0.5), ({"alpha_pattern": {"v_proj": 2}}, 2)],
)
def test_an_adapter_adds_its_product(tiny: str, tmp_path: Path, config: dict[str, Any], scale: float) -> None:
    halves = _adapter(tmp_path, {Q: (32, 32), UP: (32, 64)}, **config)
    before = {n: p.clone() for n, p in language_model(tiny).body.named_parameters()}
    after = dict(language_model(tiny, False, str(tmp_path)).body.named_parameters())
    for name, (down, up) in halves.items():
        key = f"{name.removeprefix('model.')}.weight"
        by = scale if name == Q else config.get("lora_alpha", 8) / (2 if config.get("use_rslora") else 4)
        torch.testing.assert_close(after[key] - before[key], by * up @ down, rtol=1e-4, atol=1e-4)
    changed = {n for n in after if not torch.equal(after[n], before[n])}
    assert changed == {f"{n.removeprefix('model.')}.weight" for n in halves}


def test_a_layer_of_turned_weights_gets_the_turned_product(tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=16, n_positions=8))
    halves = _adapter(tmp_path, {"transformer.h.0.attn.c_attn": (8, 24)}, fan_in_fan_out=True)
    before = model.transformer.h[0].attn.c_attn.weight.clone()
    (down, up), weight = halves["transformer.h.0.attn.c_attn"], merge_adapter(model, str(tmp_path)).transformer.h[0].attn.c_attn.weight
    torch.testing.assert_close(weight - before, 2 * (up @ down).T)


def test_a_merged_adapter_gives_the_output_of_the_layer_beside_it(tmp_path: Path) -> None:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.top = torch.nn.Embedding(2, 2), torch.nn.Linear(6, 5)

        def get_input_embeddings(self) -> torch.nn.Module:
            return self.words

    model = Model()
    (down, up), x = _adapter(tmp_path, {"top": (6, 5)}, rank=2, lora_alpha=3)["top"], torch.randn(7, 6)
    expected = model.top(x) + 1.5 * (x @ down.T) @ up.T
    torch.testing.assert_close(merge_adapter(model, str(tmp_path)).top(x), expected)


def test_the_adapter_is_the_reference(tiny: str, tmp_path: Path) -> None:
    _adapter(tmp_path, {Q: (32, 32)}, lora_alpha=1)
    merged = language_model(tiny, False, str(tmp_path))
    (row,) = _measure(["the array of values"], model=tiny, adapter=str(tmp_path))
    own, wanted = (_total(m, "the array of values") for m in (language_model(tiny), merged))
    assert (row["base"], row["reference"]) == pytest.approx((own[0] / own[1], wanted[0] / own[1]), rel=1e-4)
    assert row["base"] != pytest.approx(row["reference"], rel=1e-3)


@pytest.mark.parametrize(
    ("modules", "config", "what"),
    [
        ({"model.layers.9.self_attn.q_proj": (32, 32)}, {}, "which the model has not"),
        ({Q: (32, 31)}, {}, r"\(31, 32\) and the model's \(32, 32\)"),
        ({Q: (32, 32)}, {"use_dora": True}, "use_dora"),
        ({Q: (32, 32)}, {"bias": "all"}, "bias"),
        ({Q: (32, 32)}, {"peft_type": "IA3"}, "IA3"),
        ({"model.embed_tokens": (320, 32)}, {}, "embedding's too"),
        ({}, {}, "adapts nothing"),
    ],
)
def test_what_cannot_be_merged_is_refused(tiny: str, tmp_path: Path, modules: dict[str, tuple[int, int]], config: dict[str, Any], what: str) -> None:
    _adapter(tmp_path, modules, **config)
    with pytest.raises(InputError, match=what):
        language_model(tiny, False, str(tmp_path))


def test_a_folder_without_an_adapter_and_a_pickled_one_are_refused(tiny: str, tmp_path: Path) -> None:
    torch.save({}, tmp_path / "adapter_model.bin")
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match=r"adapter_model\.safetensors"):
        _measure(["a"], model=tiny, adapter=str(tmp_path))


def test_a_recipe_names_an_adapter_from_its_folder(tiny: str, tmp_path: Path) -> None:
    _adapter(tmp_path / "adapters" / "one", {Q: (32, 32)})
    rows = [{"response": f"the {'array ' * (i % 9 + 1)}{i}", "source": "ab"[i % 2]} for i in range(120)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"dataset: {{path: train.jsonl, roles: {{response: response, source: source}}}}\n"
        f"signals: {{mismatch: {{model: {tiny}, adapter: adapters/one, max_tokens: 32}}, surprise: {{}}}}\n"
    )
    asked, workspace = load_recipe(recipe), Workspace.at(tmp_path / "workspace")
    assert asked.signals["mismatch"]["adapter"] == str(tmp_path / "adapters" / "one")
    data = load(str(tmp_path / "train.jsonl"), workspace, roles=asked.dataset.roles)
    tasks = plan(data, asked.signals)
    measure(data, tasks, workspace, "inline")
    frame = Scores(data, workspace, tasks).frame
    assert frame["surprise_tercile"].value_counts().sort("count")["count"].to_list() == [40, 40, 40]
    head, tail = (frame.filter(pl.col("surprise_tercile") == name)["mismatch_reference"] for name in ("head", "tail"))
    assert head.to_numpy().max() < tail.to_numpy().min()
    assert frame["surprise_z"].drop_nulls().mean() == pytest.approx(0, abs=1e-5)
    _adapter(tmp_path / "adapters" / "one", {Q: (32, 32)}, seed=1)
    assert plan(data, asked.signals)[0].key != tasks[0].key, "what the adapter holds decides the scores"
    lacking = plan(data, {"surprise": {}})[-1].skip or ""
    assert "needs the parameter reference_model" in lacking
    assert "adapter" in lacking


def test_z_scores_by_hand() -> None:
    values = np.array([*range(20), *range(100, 140, 2), 7, math.nan], np.float64)
    source = numbered(pl.Series(["a"] * 20 + ["b"] * 20 + ["c", "a"]))
    z = z_scores(values, source)
    assert z[0] == pytest.approx(-9.5 / np.sqrt((400 - 1) / 12))
    np.testing.assert_allclose(z[:20], z[20:40])
    assert np.isnan(z[40:]).all(), "one row is no group, and what is not measured stands nowhere"
    assert np.isnan(z_scores(np.ones(50))).all(), "rows that do not differ have no deviation"
    assert octaves(np.array([0, 1, 2, 3, 4, 7, 8])).tolist() == [0, 0, 1, 1, 2, 2, 3]


floats = hnp.arrays(np.float64, st.integers(0, 60), elements=st.floats(-5, 5) | st.just(math.nan))


@given(floats)
def test_terciles_are_thirds(values: np.ndarray[Any, Any]) -> None:
    found, known = terciles(values), values[~np.isnan(values)]
    assert ((found < 0) == np.isnan(values)).all()
    for low, high in ((0, 1), (1, 2)):
        if (found == low).any() and (found == high).any():
            assert values[found == low].max() < values[found == high].min()
    if len(np.unique(known)) == len(known) and len(known) >= 3:
        counts = np.bincount(found[found >= 0], minlength=3)
        assert counts.max() - counts.min() <= 1


@given(floats, st.floats(-5, 5), st.floats(-5, 5))
def test_every_measured_row_is_in_one_corner(base: np.ndarray[Any, Any], a: float, b: float) -> None:
    reference = base[::-1].copy()
    found = corners(base, reference, (a, b))
    assert [*found] == [*CORNERS]
    there = np.sum([*found.values()], axis=0)
    assert (there == ~np.isnan(base + reference)).all()
    assert all(base[i] > a and reference[i] <= b for i in np.flatnonzero(found["learnt"]))


@given(hnp.arrays(np.float64, st.integers(LEAST, 60), elements=st.floats(0, 9)), st.integers(1, 3))
def test_z_scores_of_a_group_have_mean_0_and_deviation_1(values: np.ndarray[Any, Any], groups: int) -> None:
    number = np.arange(len(values), dtype=np.int32) % groups
    z = z_scores(values, number)
    for group in range(groups):
        own = z[number == group]
        if not np.isnan(own).any():
            assert (own.mean(), own.std()) == pytest.approx((0, 1), abs=1e-6)
