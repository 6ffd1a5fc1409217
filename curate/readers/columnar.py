"""Parquet and Arrow files, and with them datasets that Hugging Face saved to disk: batches as they are, every type kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from curate.errors import InputError
from curate.readers.file import InputFile
from curate.readers.reading import Reading, Rows, check_names, told

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_columnar", "schema_of"]

_BATCH_BYTES = 32 << 20


def read_columnar(files: Sequence[InputFile], reading: Reading) -> Rows:
    """Rows of Parquet and Arrow files. Raises InputError where a file is damaged, the files' types do not go together, or a type cannot be kept.

    Files of a dataset with splits get a column `split`, unless they have one.
    """
    import pyarrow as pa

    schemas = [schema_of(file) for file in files]
    try:
        schema = pa.unify_schemas(schemas, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InputError(", ".join(file.shown for file in files), f"mixed types: {error}", "Give a column the same type in all files") from error
    inside = [i for i, c in enumerate(schema) if "dictionary<" in str(c.type) and not pa.types.is_dictionary(c.type)]
    for i in inside:
        schema = schema.set(i, schema.field(i).with_type(_plain(schema.field(i).type)))
    splits = any(file.split for file in files) and "split" not in schema.names
    if splits:
        schema = schema.append(pa.field("split", pa.string()))

    def batches() -> Iterator[pa.RecordBatch]:
        """The rows of all files, with one schema."""
        for file in files:
            seen, rows, size = 0, _count(file), file.path.stat().st_size
            for batch in _batches(file):
                seen += len(batch)
                reading.tell(file, size * seen // rows if rows else 0)  # of a stream only its end is known; a person may stop here all the same
                with _whole(file):
                    fitting = _fit(batch.append_column("split", pa.array([file.split] * len(batch), pa.string())) if splits else batch, schema)
                yield fitting
            if file.format == "parquet" and seen != rows:
                raise InputError(file.shown, f"is damaged: it says that it holds {rows:,} rows, and holds {seen:,}", "Fetch or write it again")
            reading.tell(file, size)

    return Rows(schema, batches, tuple(_notes(files, schemas, schema)))


@contextmanager
def _whole(file: InputFile) -> Iterator[None]:
    """Says of a file that cannot be read that it is damaged."""
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        what = f"cannot be read as {file.format.capitalize()}; it is cut short, damaged or of another kind ({str(error).partition(chr(10))[0]})"
        raise InputError(file.shown, what, "Fetch or write it again") from error


def schema_of(file: InputFile) -> pa.Schema:
    """The columns of a Parquet or Arrow file. Raises InputError where it is damaged, or a type cannot be kept."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _whole(file):
        if file.format == "parquet":
            found = pq.ParquetFile(file.path).schema_arrow
        else:
            with pa.memory_map(str(file.path)) as source:
                found = _arrow(source).schema
        schema: pa.Schema = found.remove_metadata()
        names = schema.names  # here, where names that are not UTF-8 are damage, those inside a type too
        rare = next(
            (f"the column '{told(c.name)}' has the type {told(str(c.type))}, which not every part of Curate can read" for c in schema if not _kept(c.type)), ""
        )
    check_names(names, file.shown)
    if rare:
        raise InputError(file.shown, rare, "Cast it to a more usual type")
    return schema


def _kept(kind: pa.DataType) -> bool:
    """Whether DuckDB, Polars and Parquet all know a type; fields of a struct need names that SQL tells apart."""
    from pyarrow import types

    rare = types.is_float16, types.is_decimal256, types.is_list_view, types.is_large_list_view, types.is_interval, types.is_union, types.is_run_end_encoded
    fields = [kind.field(i) for i in range(kind.num_fields)]
    if any(test(kind) for test in rare) or (types.is_decimal(kind) and not 0 <= kind.scale <= kind.precision):
        return False
    if types.is_struct(kind):
        told = {field.name.casefold() for field in fields}
        if not fields or len(told) < len(fields) or any(not name or "\0" in name for name in told):
            return False
    return all(_kept(field.type) for field in fields)


def _plain(kind: pa.DataType) -> pa.DataType:
    """A type without dictionaries inside, which DuckDB does not read of empty lists."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_dictionary(kind):
        return _plain(kind.value_type)
    if types.is_struct(kind):
        return pa.struct([kind.field(i).with_type(_plain(kind.field(i).type)) for i in range(kind.num_fields)])
    if types.is_map(kind):
        return pa.map_(_plain(kind.key_type), kind.item_field.with_type(_plain(kind.item_type)), kind.keys_sorted)
    if types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(_plain(kind.value_type)), kind.list_size)
    if types.is_list(kind) or types.is_large_list(kind):
        return (pa.list_ if types.is_list(kind) else pa.large_list)(kind.value_field.with_type(_plain(kind.value_type)))
    return kind


def _arrow(source: pa.NativeFile) -> pa.RecordBatchFileReader | pa.RecordBatchStreamReader:
    import pyarrow as pa

    is_file = source.read(6) == b"ARROW1"
    source.seek(0)
    return pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)


def _count(file: InputFile) -> int:
    """Rows of a file, 0 where only reading it would tell."""
    import pyarrow.parquet as pq

    return int(pq.read_metadata(file.path).num_rows) if file.format == "parquet" else 0


def _batches(file: InputFile) -> Iterator[pa.RecordBatch]:
    """The batches of a file, each of a size that fits in memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _whole(file):
        if file.format == "parquet":
            parquet = pq.ParquetFile(file.path)
            size = sum(parquet.metadata.row_group(i).total_byte_size for i in range(parquet.num_row_groups))
            rows = max(1, min(65_536, _BATCH_BYTES * parquet.metadata.num_rows // max(1, size)))
            yield from map(_sound, parquet.iter_batches(batch_size=rows))
            return
        with pa.memory_map(str(file.path)) as source:
            reader = _arrow(source)
            whole = (reader.get_batch(i) for i in range(reader.num_record_batches)) if isinstance(reader, pa.RecordBatchFileReader) else reader
            for batch in map(_sound, whole):
                rows = max(1, _BATCH_BYTES * len(batch) // max(1, batch.nbytes))
                yield from (batch.slice(start, rows) for start in range(0, len(batch), rows))


def _sound(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch, checked: Arrow trusts offsets and text that a file brings, and would read beyond them."""
    batch.validate(full=True)
    return batch


def _fit(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    names = batch.schema.names
    columns = [batch.column(f.name).cast(f.type) if f.name in names else pa.nulls(len(batch), f.type) for f in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _notes(files: Sequence[InputFile], schemas: Sequence[pa.Schema], schema: pa.Schema) -> Iterator[str]:
    for column in schema:
        lacking = [file.shown for file, s in zip(files, schemas, strict=True) if column.name not in s.names and not (column.name == "split" and file.split)]
        if lacking:
            yield f"{lacking[0]}{f' and {len(lacking) - 1} more files have' if len(lacking) > 1 else ' has'} no column '{column.name}': null there"
        found = {str(s.field(column.name).type) for s in schemas if column.name in s.names}
        if len(found) > 1:
            yield f"'{column.name}' has the types {', '.join(sorted(found))}: all are {column.type}"
