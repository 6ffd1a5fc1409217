"""Files that trainers read, made of the selected rows: each format in a folder of its own inside an export, beside the Parquet file it is made of."""

from __future__ import annotations

from collections.abc import Mapping

from curate.formats import axolotl, llama_factory, openai, trl
from curate.formats.format import Format

__all__ = ["FORMATS"]

FORMATS: Mapping[str, Format] = {f.name: f for f in (*trl.FORMATS, *axolotl.FORMATS, *llama_factory.FORMATS, *openai.FORMATS)}
"""Formats made row by row, by name. Beside them stand "parquet", "jsonl" and "datasets", which hold every column as it is."""
