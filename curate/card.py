"""The dataset card of a Version: README.md with the header in YAML that the hub reads, then figures, the recipe and what is not known.

The header follows the hub's specification of dataset cards. Texts that come from the data are escaped, and what looks like personal data in names of sources,
labels and licences is redacted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from curate.contents import Contents
from curate.license import ALIASES
from curate.rate import percent
from curate.roles import Role
from curate.signal import column_of, discover

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["card", "features", "hub_license"]

SIZES = (
    *((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"), (10**8, "10M<n<100M")),
    *((10**9, "100M<n<1B"), (10**10, "1B<n<10B"), (10**11, "10B<n<100B"), (10**12, "100B<n<1T")),
)
HUB_LICENSES = frozenset({
    "apache-2.0", "mit", "openrail", "bigscience-openrail-m", "creativeml-openrail-m", "bigscience-bloom-rail-1.0", "bigcode-openrail-m", "afl-3.0",
    "artistic-2.0", "bsl-1.0", "bsd", "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear", "c-uda", "cc", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0",
    "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cdla-sharing-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "wtfpl", "ecl-2.0", "epl-1.0",
    "epl-2.0", "etalab-2.0", "eupl-1.1", "eupl-1.2", "agpl-3.0", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "lgpl", "lgpl-2.1", "lgpl-3.0", "isc", "lppl-1.3c",
    "ms-pl", "apple-ascl", "mpl-2.0", "odc-by", "odbl", "osl-3.0", "postgresql", "ofl-1.1", "ncsa", "unlicense", "zlib", "pddl", "llama2", "llama3",
    "llama3.1", "llama3.2", "llama3.3", "llama4", "gemma",
})  # fmt: skip
"""What the hub calls the licences that it knows (huggingface.co/docs/hub/repositories-licenses)."""


def hub_license(key: str) -> str | None:
    """What the hub calls a licence by its SPDX key; None where it knows none such, or the key is an expression of several."""
    called = {spdx: slug for slug, spdx in ALIASES.items() if slug in HUB_LICENSES}
    plain = re.sub(r"-(only|or-later)$", "", key.lower())
    return next((name for name in (called.get(key, ""), plain, plain.removesuffix("-1.0")) if name in HUB_LICENSES), None)


def features(schema: pa.Schema) -> list[dict[str, Any]] | None:
    """The columns as the header names their types, as the library `datasets` does; None where it has no name for one of them."""
    try:
        return [{"name": field.name, **_feature(field.type)} for field in schema]
    except TypeError:
        return None


def _feature(kind: pa.DataType) -> dict[str, Any]:
    import pyarrow as pa

    types = pa.types
    if types.is_struct(kind):
        return {"struct": [{"name": f.name, **_feature(f.type)} for f in kind]}
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        inner = _feature(kind.value_type)
        name = "large_list" if types.is_large_list(kind) else "list"
        held = inner["struct"] if "struct" in inner else inner.get("dtype", inner)
        return {name: held, **({"length": kind.list_size} if types.is_fixed_size_list(kind) else {})}
    if types.is_nested(kind) or types.is_dictionary(kind):
        raise TypeError(str(kind))
    return {"dtype": _dtype(kind)}


def _dtype(kind: pa.DataType) -> str:
    import pyarrow as pa

    alike = {pa.float16(): "float16", pa.float32(): "float32", pa.float64(): "float64", pa.date32(): "date32", pa.date64(): "date64"}
    return alike.get(kind, str(kind).replace("halffloat", "float16"))


def _size(rows: int) -> str:
    return next((name for most, name in SIZES if rows < most), "n>1T")


def _licences(found: Mapping[str, int] | None) -> dict[str, Any]:
    """The keys of the header that speak of licences."""
    if not found:
        return {"license": "unknown"}
    names = {spdx: hub_license(spdx) if spdx else "unknown" for spdx in found}
    given = list(dict.fromkeys(name or "other" for name in names.values()))
    other = [spdx for spdx, name in names.items() if name is None]
    return {"license": given[0] if len(given) == 1 else given, **({"license_details": ", ".join(other)} if other else {})}


def _configs(told: Contents) -> list[dict[str, Any]]:
    """What the hub's viewer and `load_dataset` read: without it they would take the decisions for rows of the same table."""
    from curate.formats import FORMATS

    made = [(n, FORMATS[n].path) for n in told.manifest.get("formats", {}) if n in FORMATS]
    given = [("default", "selected.parquet"), ("decisions", "decisions.parquet"), *made]
    return [{"config_name": name, "data_files": [{"split": "train", "path": path}], **({"default": True} if name == "default" else {})} for name, path in given]


def header(told: Contents) -> str:
    """The header in YAML, without the lines that enclose it."""
    from huggingface_hub import DatasetCardData

    kinds = features(told.schema)
    size = (told.folder / "selected.parquet").stat().st_size
    splits = [{"name": "train", "num_bytes": size, "num_examples": told.written}]
    info = [{"config_name": "default", "features": kinds, "splits": splits, "download_size": size, "dataset_size": size}] if kinds else None
    more: dict[str, Any] = {**_licences(told.licences), "dataset_info": info}
    labelled = told.role(Role.LABEL) is not None
    data = DatasetCardData(
        pretty_name=f"{told.title}, curated",
        language=list(told.languages) or None,
        size_categories=_size(told.written),
        task_categories=["text-classification" if labelled else "text-generation"],
        tags=["curate", "croissant", *(["synthetic"] if told.synthetic else [])],
        configs=_configs(told),
        **{k: v for k, v in more.items() if v is not None},
    )
    return str(data.to_yaml(line_break="\n")).rstrip("\n")


def _plain(text: object) -> str:
    """A text of the data as Markdown shows it and nothing else: no markup, no HTML, no picture, one line."""
    said = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    said = re.sub(r"([\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])|^[#+=-])", r"\\\1", said)
    return re.sub(r"(?i)(?<=:)//|(?<=\bwww)\.", lambda found: f"&#{ord(found[0][0])};{found[0][1:]}", said)  # else an address becomes a link


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    names = list(head)
    lines = [[_plain(f"{v:,}" if isinstance(v, int) else f"{v:,.4g}" if isinstance(v, float) else v) for v in row] for row in rows]
    return [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}", *(f"| {' | '.join(line)} |" for line in lines), ""]


def _mix(head: str, counts: Mapping[str, int], total: int) -> list[str]:
    return _table((head, "rows", "share"), ((name or "not said", n, percent(n / max(1, total))) for name, n in counts.items()))


def _funnel(told: Contents) -> list[str]:
    done = told.manifest
    steps = [("read", "", done["dataset"]["rows"]), *((s["threshold"], s["dropped"], s["left"]) for s in done["funnel"])]
    return [
        "## Figures",
        "",
        f"{done['kept']:,} of {done['dataset']['rows']:,} rows are kept. {told.noise_words()}",
        "",
        *_table(("step", "dropped", "left"), steps),
    ]


def _signals(told: Contents) -> list[str]:
    known, done = discover(), told.manifest["signals"]
    about = [(n, _model(s), f"not measured: {s['skipped']}" if s.get("skipped") else known[n].about if n in known else "") for n, s in sorted(done.items())]
    parts = ["## What was measured", "", *_table(("signal", "model", "what it tells"), about)] if about else []
    scores = [(n, *found, column.unit if (column := column_of(n)) else "") for n, found in sorted(told.scores.items())]
    return [*parts, *(["Over the kept rows:", "", *_table(("score", "5 %", "median", "95 %", "unit"), scores)] if scores else [])]


def _model(signal: Mapping[str, Any]) -> str:
    """The model that a signal measured with, without where it lies."""
    named = [signal.get("parameters", {}).get(n) for n in ("model", "ner")]
    return ", ".join(PurePath(str(n)).name for n in named if n)


def _without_places(value: Any) -> Any:
    """A recipe with the names of files in the place of their absolute paths: where they lie is nobody's business."""
    if isinstance(value, Mapping):
        return {k: _without_places(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_places(v) for v in value]
    absolute = isinstance(value, str) and "\n" not in value and (value.startswith("/") or re.match(r"[A-Za-z]:[\\/]", value))
    return PurePath(value.replace("\\", "/")).name if absolute else value


def _recipe(told: Contents) -> list[str]:
    import yaml

    text = yaml.safe_dump(_without_places(told.recipe), sort_keys=False, allow_unicode=True, width=120).rstrip("\n")
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    said = "Files are named without where they lie. `curate run recipe.yaml` makes the same rows again."
    return ["## The recipe", "", said, "", f"{fence}yaml", text, fence, ""]


def _treated(told: Contents) -> list[str]:
    parts = ["## Personal data", "", _plain(told.personal_words()), "", "## Synthetic rows", "", _plain(told.synthetic_words()), ""]
    edited = told.manifest.get("edits")
    return [*parts, "## Edits", "", f"People edited the text of {edited['rows']:,} rows; scores are of the text as it was given.", ""] if edited else parts


def card(told: Contents) -> str:
    """The whole README.md of a Version."""
    from curate.example import hidden

    named = hidden({"source": told.mix(Role.SOURCE), "label": told.mix(Role.LABEL), "licence": told.licences})
    lines = ["---", header(told), "---", "", f"# {_plain(told.title)}, curated", ""]
    lines += ["Rows for fine-tuning, selected with Curate. Every decision stands in `decisions.parquet`, hashes of all files in `manifest.json`.", ""]
    lines += ['    datasets.load_dataset("parquet", data_files="selected.parquet")', "", *_funnel(told)]
    for head in ("source", "label"):
        if named[head]:
            lines += [f"## Rows by {head}", "", *_mix(head, named[head], told.written)]
    lines += ["## Licences", "", *(_mix("licence", named["licence"], told.written) if named["licence"] else ["Not known: no column says them.", ""])]
    lines += [*_signals(told), *_treated(told), "## Known limits", "", *(f"- {_plain(one)}" for one in told.limits()), "", *_recipe(told)]
    return "\n".join(lines)
