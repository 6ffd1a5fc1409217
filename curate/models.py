"""Loads embedding and language models, as `curate.classifier` loads classifiers; `curate.weights` finds them. Code that comes with a model never runs."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.adapter import merge_adapter
from curate.errors import InputError
from curate.threads import spread
from curate.weights import REMEDY, WHEELS, cache, first_line, identity, locate
from curate.workspace import digest, read_json, whole_folder, write_json

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

__all__ = [
    "LanguageModel",
    "device",
    "embedding_model",
    "fast_dtype",
    "forget",
    "identity",
    "language_model",
    "loaded",
    "own_language_model",
    "prepare",
    "speaking_model",
    "tokenizer",
]

UNLOADABLE = OSError, ValueError, KeyError, ImportError, RuntimeError, AttributeError  # what the libraries raise on a folder that is no such model


def device() -> torch.device:
    """The accelerator where there is one, else the CPU."""
    import torch

    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found or torch.device("cpu")


@functools.cache
def fast_dtype() -> torch.dtype:
    """bfloat16 where products in it take less than 0.7 of their time in float32, else float32. Measured once a machine and kept in the cache folder."""
    import torch

    path = cache() / f"dtype-{digest([_processor(), str(device()), torch.__version__])}.json"
    if not path.exists():
        seconds = list(spread(_product_seconds, [torch.float32, torch.bfloat16] * 5))
        full, half = min(seconds[::2]), min(seconds[1::2])
        write_json(path, {"dtype": "bfloat16" if half < 0.7 * full else "float32", "float32 seconds": full, "bfloat16 seconds": half})
    return torch.bfloat16 if read_json(path)["dtype"] == "bfloat16" else torch.float32


def _processor() -> str:
    """What the processor is and can: two machines that share a cache folder may differ."""
    cpu = Path("/proc/cpuinfo")
    kinds = {line for line in cpu.read_text().splitlines() if line.startswith(("model name", "flags"))} if cpu.exists() else set()
    return digest(sorted(kinds) or [os.uname().machine])


def _product_seconds(dtype: torch.dtype) -> float:
    import torch

    where = device()
    x = torch.ones(1024, 768, dtype=dtype, device=where)
    w = torch.full((768, 768), 1 / 768, dtype=dtype, device=where)
    torch.nn.functional.linear(x, w)
    start = time.perf_counter()
    for _ in range(8):
        x = torch.nn.functional.linear(x, w)
    if where.type != "cpu":
        torch.accelerator.synchronize()
    return time.perf_counter() - start


@functools.cache
def embedding_model(name: str, fast: bool = False) -> Any:
    """A loaded embedding model: a `SentenceTransformer`, or a `model2vec.StaticModel` where its vectors are static. Kept in the process.

    fast: linear layers hold bfloat16 weights, for use under autocast. Raises InputError where it cannot be loaded.
    """
    if name == "wordllama":
        return _wordllama(WHEELS[name].files)
    model = loaded(name, locate, _embedding_model)
    return _with_fast_products(model) if fast and hasattr(model, "modules") else model


def _with_fast_products(model: Any, but: Any = None) -> Any:
    """The same model, its linear layers (but one) with bfloat16 weights: under autocast they need no conversion, and all else stays in float32."""
    import torch

    for part in model.modules():
        if isinstance(part, torch.nn.Linear) and part is not but:
            part.to(torch.bfloat16)
    return model


def _wordllama(files: Path) -> Any:
    from model2vec import StaticModel
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    # its own loader looks for the tokenizer in a folder that the package does not have, and downloads
    vectors = load_file(files / "weights" / "l2_supercat_256.safetensors")["embedding.weight"].astype("float32")
    return StaticModel(vectors, Tokenizer.from_file(str(files / "tokenizers" / "l2_supercat_tokenizer_config.json")), max_length=None)


def _embedding_model(folder: Path) -> Any:
    from model2vec import StaticModel
    from sentence_transformers import SentenceTransformer

    modules, config = (path.read_text(encoding="utf-8") if path.exists() else "" for path in (folder / "modules.json", folder / "config.json"))
    if '"model2vec"' in config or ("StaticEmbedding" in modules and config):
        return StaticModel.from_pretrained(folder, force_download=False, max_length=None)
    if not modules:  # sentence-transformers would guess a pooling
        raise ValueError("it has no modules.json, so how its tokens are pooled is not known")
    return SentenceTransformer(str(folder), device=str(device()), local_files_only=True, trust_remote_code=False, model_kwargs={"use_safetensors": True})


def loaded(name: str, locate: Callable[[str], Path], load: Callable[[Path], Any]) -> Any:
    """What `load` makes of the folder where `locate` finds a model. Raises InputError where it is no such model, naming the kind by `load`'s own name."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # ours are the only ones on stderr
    folder = locate(name)
    try:
        return load(folder)
    except UNLOADABLE as error:
        kind = load.__name__.strip("_").replace("_", " ")
        raise InputError(f"model {name}", f"cannot be loaded as {kind} ({first_line(error)})", REMEDY) from error


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model on `device()`, in the parts that losses need.

    tokenizer: `tokenizers.Tokenizer`. body, head: what gives hidden states [n, t, d], and the linear layer that makes them logits; where a model does more than
    that to its logits (scales or caps them), body gives logits and head is None. start: ids that the tokenizer puts before a text, none for many models.
    longest: most tokens that the model was made for. fast: the body's linear layers hold bfloat16 weights, for use under autocast; all else is float32.
    adapter: the folder of a LoRA adapter that is merged into its weights, "" for none.
    """

    name: str
    tokenizer: Tokenizer
    body: Any
    head: Any
    start: tuple[int, ...]
    longest: int
    fast: bool
    adapter: str = ""


def language_model(name: str, fast: bool = False, adapter: str = "") -> LanguageModel:
    """A loaded language model with its tokenizer. Kept in the process. Raises InputError where it or its adapter cannot be loaded."""
    return _held_language_model(name, fast, adapter)


@functools.cache
def _held_language_model(name: str, fast: bool, adapter: str) -> LanguageModel:
    return own_language_model(name, fast, adapter)


def own_language_model(name: str, fast: bool = False, adapter: str = "") -> LanguageModel:
    """As `language_model`, loaded anew and not kept: one that may be changed and trained."""
    text = tokenizer(name)
    model = loaded(name, _language_folder, _language_model)
    if adapter:
        model = merge_adapter(model, adapter)
    first = text.encode("a")
    start = tuple(first.ids[: first.special_tokens_mask.index(0)])
    longest = getattr(model.config, "max_position_embeddings", None) or 1 << 30
    linear, head = _head_is_linear(model), model.get_output_embeddings()
    if fast:
        _with_fast_products(model, but=head)
    return LanguageModel(name, text, model.get_decoder() if linear else model, head if linear else None, start, longest, fast, adapter)


def forget() -> None:
    """Let go of the language models that are kept in the process."""
    _held_language_model.cache_clear()


def _head_is_linear(model: Any) -> bool:
    import torch

    ids, head = torch.arange(8, device=device())[None], model.get_output_embeddings()
    with torch.inference_mode():
        return head.bias is None and torch.allclose(head(model.get_decoder()(ids)[0]), model(ids)[0], rtol=1e-4, atol=1e-4)


def _language_model(folder: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    model, info = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False, output_loading_info=True
    )
    if info["missing_keys"]:  # the library would fill them with random numbers
        raise ValueError(f"its files lack {len(info['missing_keys'])} weights, such as {min(info['missing_keys'])}")
    return model.eval().to(device())


@functools.cache
def tokenizer(name: str) -> Tokenizer:
    """The tokenizer of a language model: neither cuts nor pads. Kept in the process. Raises InputError where it cannot be loaded."""
    found: Tokenizer = loaded(name, _language_folder, _tokenizer)
    return found


def _tokenizer(folder: Path) -> Tokenizer:
    from transformers import AutoTokenizer

    found: Tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False).backend_tokenizer
    found.no_truncation()
    found.no_padding()
    return found


def speaking_model(name: str) -> tuple[Any, Any]:
    """A language model that writes: the transformers model on `device()` and its whole tokenizer, with the chat template where it has one. Not kept."""
    return loaded(name, _language_folder, _language_model), loaded(name, _language_folder, _whole_tokenizer)


def _whole_tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False, padding_side="left")


def _language_folder(name: str) -> Path:
    source = locate(name)
    if source.suffix != ".gguf":
        return source
    folder = cache() / identity(name)
    if not folder.exists():
        _convert(source, folder)
    return folder


def _convert(file: Path, folder: Path) -> None:
    """Write a GGUF file's weights as safetensors in float32, beside its tokenizer. Processes may do it at once; the first to finish wins."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    config = AutoConfig.from_pretrained(file.parent, gguf_file=file.name, trust_remote_code=False)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, trust_remote_code=False)
    weights = load_gguf_checkpoint(str(file), return_tensors=True, model_to_load=model)["tensors"]
    model.load_state_dict(weights, strict=False)  # the head is tied to the embedding and not stored
    with whole_folder(folder) as into:
        model.save_pretrained(into)
        AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, trust_remote_code=False).save_pretrained(into)


def prepare() -> None:
    """Do once, at set-up, what would make the first person wait: convert the default language model, measure `fast_dtype`."""
    tokenizer("smollm2-135m")
    fast_dtype()
