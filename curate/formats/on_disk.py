"""A folder that `datasets.load_from_disk` opens: every column of the selected rows with its type, without loading them at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.dataset import Dataset
from curate.workspace import file_sha256

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["check_on_disk", "write_on_disk"]

_ROWS = 4096


def check_on_disk(dataset: Dataset) -> str | None:
    """Why `datasets` cannot hold the columns of a dataset, in words that follow its name; None where it can."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(dataset.folder / "rows.parquet")
    for name in [n for n, _ in dataset.columns]:
        try:
            _features(_plain(schema).field(name))
        except (ValueError, NotImplementedError, TypeError):
            return f"has no type for the column {name}, which is {schema.field(name).type}"
    return None


def _features(field: pa.Field) -> Any:
    import datasets
    import pyarrow as pa

    return datasets.Features.from_arrow_schema(pa.schema([field]))


def _plain(schema: pa.Schema) -> pa.Schema:
    """The schema without dictionaries, which `datasets` does not know, and without what other programs left in its notes."""
    import pyarrow as pa

    return pa.schema([pa.field(f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type) for f in schema])


def write_on_disk(selected: Path, folder: Path) -> dict[str, Any]:
    """Write a Parquet file as a dataset on disk; returns what the manifest says of it. The same rows give the same bytes."""
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets.table import MemoryMappedTable

    spool = folder.with_name(".datasets.arrow")
    with pq.ParquetFile(selected, pre_buffer=False, buffer_size=1 << 20) as file:
        schema = _plain(file.schema_arrow)
        with pa.OSFile(str(spool), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            for batch in file.iter_batches(_ROWS):
                writer.write_table(pa.Table.from_batches([batch]).cast(schema))
    shown = datasets.utils.logging.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        found = datasets.Dataset(MemoryMappedTable.from_file(str(spool)), fingerprint=file_sha256(selected)[:16])
        found.save_to_disk(str(folder))
        rows = len(found)
    finally:
        if shown:
            datasets.enable_progress_bars()
        spool.unlink()
    return {"rows": rows, "left_out": {}, "carried": ["every column"], "not_carried": [], "note": "", "read": 'load_from_disk("datasets")'}
