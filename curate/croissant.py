"""Croissant metadata of a Version: JSON-LD that says what its files hold, by MLCommons' format 1.0 and its vocabulary for responsible AI (RAI) 1.0.

Source: docs.mlcommons.org/croissant/docs/croissant-spec.html and croissant-rai-spec.html. What is not known is left out rather than invented: who made the
data, when it was published, its address.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from curate.contents import Contents
from curate.license import is_known, leaves
from curate.rate import percent
from curate.roles import Role
from curate.signal import column_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["croissant"]

CONTEXT: Mapping[str, Any] = {
    "@language": "en", "@vocab": "https://schema.org/", "citeAs": "cr:citeAs", "column": "cr:column", "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/", "data": {"@id": "cr:data", "@type": "@json"}, "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/", "equivalentProperty": "cr:equivalentProperty", "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract", "field": "cr:field", "fileObject": "cr:fileObject", "fileProperty": "cr:fileProperty", "fileSet": "cr:fileSet",
    "format": "cr:format", "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath", "key": "cr:key", "md5": "cr:md5",
    "parentField": "cr:parentField", "path": "cr:path", "rai": "http://mlcommons.org/croissant/RAI/", "recordSet": "cr:recordSet",
    "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace", "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/", "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField", "transform": "cr:transform",
}  # fmt: skip
KINDS = {
    ".parquet": "application/x-parquet",
    ".jsonl": "application/jsonlines",
    ".json": "application/json",
    ".arrow": "application/vnd.apache.arrow.file",
}
TABLES = (("rows", "selected.parquet", "The kept rows."), ("decisions", "decisions.parquet", "Every row of the input with what was decided about it."))


def croissant(told: Contents, files: Mapping[str, str]) -> dict[str, Any]:
    """The metadata as plain data. files: SHA-256 by file of the Version."""
    data = [n for n in sorted(files) if PurePath(n).suffix in KINDS and n != "reviews.jsonl"]  # a log of people's decisions is no data, and may stay at home
    given = [_file(told, name, files[name]) for name in data]
    licences = [_license(one) for one in told.licences or () if one]
    return {
        "@context": {**CONTEXT},
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": f"{told.title}, curated",
        "description": f"{told.written:,} rows for fine-tuning, selected from {told.manifest['dataset']['rows']:,} with Curate.",
        **({"license": licences} if licences else {}),
        **({"inLanguage": [*told.languages]} if told.languages else {}),
        "keywords": ["fine-tuning", "curate"],
        **_responsible(told),
        "distribution": given,
        "recordSet": [_table(told, *table) for table in TABLES],
    }


def _file(told: Contents, name: str, sha: str) -> dict[str, Any]:
    size = f"{(told.folder / name).stat().st_size} B"
    kind = KINDS[PurePath(name).suffix]
    return {"@type": "cr:FileObject", "@id": name, "name": name, "contentUrl": name, "contentSize": size, "encodingFormat": kind, "sha256": sha}


def _license(spdx: str) -> str:
    """Its page at SPDX for one licence of theirs, else what was said."""
    one = leaves(spdx) == [spdx] and is_known(spdx) and not spdx.startswith("LicenseRef-")
    return f"https://spdx.org/licenses/{spdx}.html" if one else spdx


def _table(told: Contents, name: str, file: str, about: str) -> dict[str, Any]:
    import pyarrow.parquet as pq

    schema = told.schema if file == "selected.parquet" else pq.read_schema(told.folder / file)
    back = {column: own for own, column in dict(told.manifest.get("columns", {})).items()}
    fields = [one for f in schema for one in _fields(f"{name}/{f.name}", f, file, back.get(f.name, f.name))]
    named = told.column("row_id") or "row_id" if name == "rows" else "row_id"
    repeated = name == "rows" and told.written != told.manifest["kept"]  # then a row_id stands in several lines
    key = {} if repeated else {"key": {"@id": f"{name}/{named}"}}
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "description": about, **key, "field": fields}


def _fields(place: str, field: pa.Field, file: str, own: str) -> Iterator[dict[str, Any]]:
    """A column as a field, a column of structs with its parts; none where the format has no type for it."""
    kind, repeated = _kind(field.type)
    parts = _parts(field)
    if kind is None and not parts:
        return
    about, source = column_of(own), {"fileObject": {"@id": file}, "extract": {"column": field.name}}
    yield {
        "@type": "cr:Field",
        "@id": place,
        "name": place,
        **({"description": f"{about.about} Unit: {about.unit}."} if about else {}),
        **({"repeated": True} if repeated else {}),
        **({"dataType": kind, "source": source} if kind else {"subField": [_part(place, part, source) for part in parts]}),
    }


def _parts(field: pa.Field) -> list[pa.Field]:
    """The parts of a struct, or of a list of structs, that have a type in the format."""
    import pyarrow as pa

    inner = field.type.value_type if pa.types.is_list(field.type) or pa.types.is_large_list(field.type) else field.type
    return [part for part in inner if _kind(part.type)[0]] if pa.types.is_struct(inner) else []


def _part(place: str, part: pa.Field, source: Mapping[str, Any]) -> dict[str, Any]:
    kind, repeated = _kind(part.type)
    name, many = f"{place}/{part.name}", {"repeated": True} if repeated else {}
    return {"@type": "cr:Field", "@id": name, "name": name, "dataType": kind, **many, "source": {**source, "transform": {"jsonPath": part.name}}}


def _kind(kind: pa.DataType) -> tuple[str | None, bool]:
    """The type of a column in Croissant's words, and whether a row holds several; None where it has none: structs and lists of lists."""
    import pyarrow as pa

    types = pa.types
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        inner, several = _kind(kind.value_type)
        return (None if several else inner), True
    for name, test in (
        *(("sc:Boolean", types.is_boolean), ("sc:Integer", types.is_integer), ("sc:Float", types.is_floating), ("sc:Float", types.is_decimal)),
        *(("sc:DateTime", types.is_timestamp), ("sc:Date", types.is_date), ("sc:Time", types.is_time)),
        *((("sc:Text", t)) for t in (types.is_string, types.is_large_string, types.is_string_view, types.is_dictionary)),
    ):
        if test(kind):
            return name, False
    return None, False


def _responsible(told: Contents) -> dict[str, Any]:
    """The fields of responsible AI that Curate knows something of."""
    done = told.manifest
    inputs = ", ".join(PurePath(str(one["path"])).name for one in done["input"])
    steps = [f"{s['threshold']}: {s['dropped']:,} rows dropped, {s['left']:,} left." for s in done["funnel"]]
    models = sorted({PurePath(str(s["parameters"][n])).name for s in done["signals"].values() for n in ("model", "ner") if s.get("parameters", {}).get(n)})
    edited = done.get("edits")
    changed = [f"People edited the text of {edited['rows']:,} rows."] if edited else []
    treated = done.get("personal")
    changed += [f"Personal data: {treated['treat']}, in {treated['rows']:,} rows."] if treated else []
    said = {
        "dataCollection": f"Rows of {inputs or 'a dataset'}, selected by the recipe in recipe.yaml. How they came to be is not known to Curate.",
        "dataCollectionType": ["Secondary Data analysis", *(["Manual Human Curation"] if told.recipe.get("reviews") else [])],
        "dataPreprocessingProtocol": steps,
        "dataManipulationProtocol": " ".join(changed),
        "dataAnnotationAnalysis": [told.noise_words()],
        "machineAnnotationTools": models,
        "dataBiases": _biases(told),
        "dataLimitations": [*told.limits(), told.synthetic_words()],
        "dataUseCases": ["Fine-tuning of language models and classifiers."],
        "personalSensitiveInformation": [told.personal_words()],
    }
    return {f"rai:{name}": value for name, value in said.items() if value}


def _biases(told: Contents) -> list[str]:
    """How the kept rows are spread over sources, labels and languages, by the largest share of each."""
    from curate.example import hidden

    named = hidden({"source": told.mix(Role.SOURCE), "label": told.mix(Role.LABEL)})
    found = []
    for of, counts in named.items():
        if counts:
            name, most = next(iter(counts.items()))
            found.append(f"By {of}: {len(counts):,} values, the most common, {name or 'not said'}, in {percent(most / max(1, told.written))} of the rows.")
    return [*found, *([f"Languages: {', '.join(told.languages)}."] if told.languages else [])]
