"""The demo dataset: the docstrings of installed packages as a code-documentation fine-tuning set. Real text, nothing committed, no network.

One row a public name. The same installed versions give the same file, byte for byte.
"""

from __future__ import annotations

import gc
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from curate.docstring import Docstring, Kind, public_docstrings
from curate.engine import run_batches
from curate.errors import InputError
from curate.normalise import normalise
from curate.workspace import write_file

if TYPE_CHECKING:
    from curate.measure import Tell

__all__ = ["PACKAGES", "build_demo", "subset"]

Row = dict[str, Any]

PACKAGES = (
    *("transformers", "torch", "sympy", "plotly", "numba", "scipy", "pandas", "polars", "streamlit", "scikit-learn", "altair", "networkx", "numpy"),
    *("huggingface-hub", "datasets", "narwhals", "pygments", "sentence-transformers", "duckdb", "rich", "pydantic", "mpmath", "pillow", "jinja2"),
    *("websockets", "fsspec", "protobuf", "anyio", "llvmlite", "watchdog", "click", "requests", "httpx2", "urllib3", "multiprocess"),
    *("markdown-it-py", "joblib", "packaging", "pyarrow", "filelock", "tqdm", "pydantic-core", "model2vec", "psutil", "sortedcontainers"),
)
"""Distributions that are read where they are installed, those that take longest first."""

_QUESTIONS: dict[Kind, tuple[str, ...]] = {
    "function": ("Write the docstring of the function `{}`.", "What does the function `{}` do, and how is it called?", "Document the function `{}`."),
    "method": ("Write the docstring of the method `{}`.", "What does the method `{}` do?", "Document the method `{}` for its users."),
    "property": ("Write the docstring of the property `{}`.", "What does the property `{}` hold?", "Describe the property `{}`."),
    "class": ("Write the docstring of the class `{}`.", "What is the class `{}` for, and how is it used?", "Document the class `{}`."),
}

_RECIPE = """\
dataset:
  path: demo.jsonl
  roles: {prompt: prompt, response: response, source: source, license: license}
signals:
  exact_duplicate: {of: response}
  near_duplicate: {of: response}
  semantic_duplicate: {}
  embedding: {of: response}
  neighbour: {}
  projection: {}
  cluster: {}
  perplexity: {max_tokens: 128}
  text_quality: {}
  tokens: {}
thresholds:
  near_duplicate: {limit: 0.8, keeper: longest, rule: cover}
"""


def build_demo(folder: Path, rows: int | None = None, tell: Tell | None = None, packages: Sequence[str] = PACKAGES) -> Path:
    """Write `demo.jsonl` and, last, its recipe `demo.yaml`, whose path is returned.

    rows: about how many (see `subset`), all where None. Raises InputError where none of the packages is installed with its Python sources.
    """
    found, absent = _read_all(packages, tell)
    if not found:
        raise InputError("demo", "none of its packages is installed with Python sources", f"Install one of {', '.join(packages[:5])}")
    chosen = found if rows is None else subset(found, rows)
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in chosen]
    write_file(folder / "demo.jsonl", lambda path: path.write_text("".join(lines), encoding="utf-8"))
    recipe = folder / "demo.yaml"
    write_file(recipe, lambda path: path.write_text(_recipe(chosen, absent), encoding="utf-8"))
    return recipe


def subset(rows: Sequence[Row], count: int) -> list[Row]:
    """About `count` rows, in the order they had: each source in proportion, rows with equal responses (`curate.normalise`) all or none of them.

    Hashes decide, so the same rows give the same subset. Within 1 % of `count` where groups of equal responses leave room for that.
    """
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for position, text in enumerate(_normalised(rows)):
        groups[text].append(position)
    strata: defaultdict[str, list[list[int]]] = defaultdict(list)
    for text in sorted(groups, key=_hash):
        strata[rows[groups[text][0]]["source"]].append(groups[text])
    kept: list[int] = []
    passed = 0
    for source in sorted(strata):
        passed += sum(map(len, strata[source]))
        due = round(count * passed / len(rows))
        for group in strata[source]:
            if len(kept) + len(group) <= due:
                kept += group
    return [rows[position] for position in sorted(kept)]


def _read_all(packages: Sequence[str], tell: Tell | None) -> tuple[list[Row], list[str]]:
    """All rows, sorted by source and name, and the packages that are not installed."""
    found: dict[str, list[Row] | None] = {}
    for name, rows in zip(packages, run_batches(_read, packages, "pool"), strict=True):
        found[name] = rows
        if tell:
            tell("read docstrings", len(found), len(packages), "packages")
    return [row for name in sorted(found) for row in found[name] or ()], sorted(name for name in found if found[name] is None)


def _read(package: str) -> list[Row] | None:
    """The rows of one package, None where it is not installed."""
    gc.disable()  # parsing makes no cycles: a third less time
    try:
        installed = distribution(package)
        license_name = _license(installed)
        return [_row(one, package, installed.version, license_name) for one in public_docstrings(installed)]
    except PackageNotFoundError:
        return None
    finally:
        gc.enable()


def _row(one: Docstring, package: str, version: str, license_name: str | None) -> Row:
    return {
        "prompt": _question(one),
        "response": one.text,
        "source": package,
        "license": license_name,
        "version": version,
        "kind": one.kind,
        "name": one.name,
        "parameters": one.parameters,
        "file": one.file,
        "line": one.line,
        "deprecated": one.deprecated,
    }


def _question(one: Docstring) -> str:
    """What is asked about a name: one of its kind's questions, by the hash of the name."""
    forms = _QUESTIONS[one.kind]
    shown = ", ".join(one.parameters)
    if len(shown) > 80:
        shown = shown[:80].rpartition(", ")[0] + ", …"
    bare = one.kind == "property" or (one.kind == "class" and not one.parameters)
    return forms[_hash(one.name)[0] % len(forms)].format(one.name if bare else f"{one.name}({shown})")


def _normalised(rows: Sequence[Row]) -> list[str]:
    """Responses as the signal exact_duplicate compares them."""
    import polars as pl

    return normalise(pl.Series([row["response"] for row in rows], dtype=pl.String)).fill_null("").to_list()


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def _license(installed: Distribution) -> str | None:
    """What a package's metadata says of its licence: the expression, else the short name, else the classifiers; None where it says nothing."""
    said: dict[str, Any] = installed.metadata.json
    name = said.get("license", "")
    short = name if "\n" not in name and len(name) <= 60 else None
    classifiers = [one.rpartition(" :: ")[2] for one in said.get("classifier", []) if one.startswith("License :: ")]
    return said.get("license_expression") or short or " AND ".join(classifiers) or None


def _recipe(rows: Sequence[Row], absent: Sequence[str]) -> str:
    """The recipe as text; the comments at its head tell what the data holds."""
    count = Counter((row["source"], row["version"]) for row in rows)
    repeated = len(rows) - len(set(_normalised(rows)))
    packages = ", ".join(f"{source} {version} ({number:,})" for (source, version), number in count.most_common())
    about = [
        f"{len(rows):,} public docstrings of {len(count)} installed packages, {repeated:,} of them exact duplicates of an earlier one.",
        f"Rows by package: {packages}.",
        f"Not installed, so absent: {', '.join(absent) or 'none'}.",
    ]
    return "".join(f"# {line}\n" for text in about for line in wrap(text, 140)) + _RECIPE
