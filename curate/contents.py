"""What a Version holds, counted from its files and its manifest: what a card and Croissant say of it, in numbers and in sentences.

Nothing here depends on when or where it is made: the same Version is described by the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from curate.license import parse
from curate.rate import percent
from curate.refusal import KNOWN
from curate.roles import Role
from curate.signal import column_of, discover, owner_of
from curate.view import machine_made

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["OTHERS", "Contents", "read_contents"]

NAMED = 20
"""Values of a mix that are named; the others are one line."""
OTHERS = "all others"
MANY = 6
"""Scores of one signal beyond which only those with a threshold are told."""
SPOKEN = 0.01
"""Share of the rows from which on a language is one of the dataset's."""


@dataclass(frozen=True)
class Contents:
    """A Version as it is described. folder: where its files lie. manifest: what it says, without `files` where it is not yet written. recipe: as written."""

    folder: Path
    manifest: Mapping[str, Any]
    recipe: Mapping[str, Any]

    @property
    def title(self) -> str:
        """What the dataset is called: its first input file, without where it lies."""
        given = self.manifest["input"]
        first = PurePath(str(given[0]["path"]).replace("\\", "/")).name if given else "dataset"
        return first.split(".")[0] or first

    @cached_property
    def rows(self) -> pl.LazyFrame:
        """The rows of `selected.parquet`."""
        import polars as pl

        return pl.scan_parquet(self.folder / "selected.parquet", glob=False)

    @cached_property
    def schema(self) -> pa.Schema:
        """Arrow types of the columns."""
        import pyarrow.parquet as pq

        return pq.read_schema(self.folder / "selected.parquet")

    @cached_property
    def written(self) -> int:
        """Lines of `selected.parquet`: the kept rows, or more where rows are repeated by their weight."""
        import pyarrow.parquet as pq

        return int(pq.read_metadata(self.folder / "selected.parquet").num_rows)

    def column(self, name: str) -> str | None:
        """How a column that Curate added is called in the file; None where it was not written."""
        return dict(self.manifest.get("columns", {})).get(name)

    def role(self, role: Role) -> str | None:
        """The one column of plain values that has a role; None where none or several have it."""
        import pyarrow as pa

        named = (self.recipe["dataset"].get("roles") or {}).get(str(role))
        name = named[0] if isinstance(named, list) and len(named) == 1 else named
        there = isinstance(name, str) and name in self.schema.names
        return name if there and not pa.types.is_nested(self.schema.field(name).type) else None

    def mix(self, role: Role) -> dict[str, int] | None:
        """Rows by value of a role, the most common first; None without such a column. What has no value is ""; what is rare is together."""
        name = self.role(role)
        return None if name is None else self._counted(name)

    def _counted(self, name: str, most: int = NAMED) -> dict[str, int]:
        import polars as pl

        said = pl.col(name).cast(pl.String, strict=False).fill_null("")
        counts = self.rows.group_by(said.alias("value")).agg(pl.len().alias("rows")).collect(engine="streaming").sort("rows", "value", descending=[True, False])
        named = counts.head(most) if counts.height > most + 1 else counts
        rest = counts.height - named.height
        found = {str(value): int(rows) for value, rows in named.iter_rows()}
        return {**found, **({f"{OTHERS} ({rest:,})": self.written - sum(found.values())} if rest else {})}

    @cached_property
    def licences(self) -> dict[str, int] | None:
        """Rows by SPDX expression, "" where nothing is said; by the signal license, else by the role; None where neither is there."""
        if name := self.column("license_spdx"):
            return self._counted(name, 1_000)
        given = self.role(Role.LICENSE)
        if given is None:
            return None
        found: dict[str, int] = {}
        for said, rows in self._counted(given, 10_000).items():
            key = parse(said) or ""
            found[key] = found.get(key, 0) + rows
        return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """ISO 639 codes of the languages of at least one row in a hundred, by text_quality; empty where that was not measured."""
        name = self.column("text_quality_language")
        counts = self._counted(name, 200) if name else {}
        return tuple(code for code, rows in counts.items() if code.isalpha() and code != "zxx" and rows >= SPOKEN * self.written)

    @cached_property
    def synthetic(self) -> int | None:
        """Rows that a column says are synthetic; None where no column says it."""
        name = self.role(Role.SYNTHETIC)
        return None if name is None else int(machine_made(self.rows.select(name).collect().to_series()).sum())

    @cached_property
    def personal(self) -> int | None:
        """Kept rows in which the signal pii found something, before any treatment; None where it was not measured."""
        import polars as pl

        name = self.column("pii_count")
        return None if name is None else int(self.rows.select((pl.col(name) > 0).sum()).collect().item() or 0)

    @cached_property
    def scores(self) -> dict[str, tuple[float, float, float]]:
        """The 5 %, 50 % and 95 % quantile over the kept rows of scores that have a direction, by name; of many of a signal those with a threshold."""
        import polars as pl

        named = {n: c for n, c in dict(self.manifest.get("columns", {})).items() if n == "tokens_text" or ((one := column_of(n)) and one.keep)}
        of = {n: signal.name for n in named if (signal := owner_of(n))}
        many, limited = {s for s, held in Counter(of.values()).items() if held > MANY}, self.recipe.get("thresholds") or {}
        types = self.rows.collect_schema()
        known = {n: c for n, c in named.items() if c in types and types[c].is_numeric() and (n in limited or of.get(n) not in many)}
        found = {}
        for name, column in known.items():
            values = self.rows.select(pl.col(column).cast(pl.Float64).fill_nan(None).drop_nulls()).collect().to_series()
            if len(values):
                low, middle, high = (float(values.quantile(q, "nearest") or 0) for q in (0.05, 0.5, 0.95))
                found[name] = (low, middle, high)
        return found

    def personal_words(self) -> str:
        """What was done about personal data, in one paragraph."""
        done = self.manifest.get("personal")
        if self.personal is None:
            return "Personal data was not sought, so it may be there."
        found = f"The signal pii found something that looks like personal data, a key or a password in {self.personal:,} of {self.written:,} rows."
        missed = "What has no pattern, such as names of people, is found only where a model was named for it." if not self._named_entities() else ""
        if done is None:
            return " ".join(filter(None, (found, "Nothing was done about it: it stands in the rows." if self.personal else "", missed)))
        kinds = ", ".join(f"{kind} {n:,}" for kind, n in done["treated"].items()) or "none"
        spared, left = f"findings that people spared: {done['spared']:,}", f"left, as of other types: {done['left']:,}"
        spoken = f"Treatment: {done['treat']}; treated findings by type: {kinds}; {spared}; {left}."
        return " ".join(filter(None, (found, spoken, missed)))

    def _named_entities(self) -> bool:
        return bool(self.manifest["signals"].get("pii", {}).get("parameters", {}).get("ner"))

    def synthetic_words(self) -> str:
        """How many rows are synthetic, in one sentence."""
        if self.synthetic is None:
            return "No column says which rows are synthetic."
        share = percent(self.synthetic / max(1, self.written))
        return f"{self.synthetic:,} of {self.written:,} rows ({share}) are synthetic by the column {self.role(Role.SYNTHETIC)}."

    def noise_words(self) -> str:
        """The noise rate of the kept rows with its interval, or that it is not known."""
        rate = self.manifest.get("noise_rate")
        if not rate or rate["value"] is None:
            return "The noise rate is not known: no random sample of the rows was judged by people."
        value, low, high = (percent(rate[name]) for name in ("value", "low", "high"))
        rests = f"from {rate['bad']:,} bad of {rate['judged']:,} rows that people judged"
        return f"The noise rate of the kept rows is {value}, between {low} and {high} (95 %), {rests}."

    def limits(self) -> list[str]:
        """What a reader should not take for granted, one sentence each."""
        done, known, found = self.manifest, discover(), []
        absent = [n for n, s in done["signals"].items() if s.get("skipped")]
        for name, why in (
            ("contamination", "Not compared with any evaluation set: rows of one may be among these."),
            ("license", "" if self.licences is not None else "Licences of the rows are not known."),
            ("text_quality", "The language of the rows was not measured."),
        ):
            if why and (name not in done["signals"] or name in absent):
                found.append(why)
        if self.synthetic and (not self.languages or {*self.languages} - {*KNOWN}):
            spoken = f"rows are in {', '.join(self.languages)}" if self.languages else "the language of the rows was not measured"
            found.append(f"Refusals and boilerplate of generated rows are known in {', '.join(KNOWN.values())} only; {spoken}.")
        let = (self.recipe.get("gate") or {}).get("override") or ()
        found += [f"Whatever the gate found of {', '.join(one['names'])} was let through, for this reason: {one['reason']}" for one in let]
        if rejected := done["dataset"]["rejected"]:
            found.append(f"{rejected:,} lines of the input could not be read and were set aside.")
        found += [f"The signal {n} was asked for and not measured: {done['signals'][n]['skipped']}." for n in absent if n in known]
        if done["kept"] != self.written:
            found.append(f"Rows are repeated by their weight: {self.written:,} lines are {done['kept']:,} rows.")
        return [*found, "Thresholds rest on measures, and a measure is not the truth: rows that are good were dropped, and rows that are bad were kept."]


def read_contents(folder: Path, manifest: Mapping[str, Any]) -> Contents:
    """A Version's contents, from its files and what its manifest says. Raises OSError or KeyError where the folder is none."""
    import yaml

    return Contents(folder, manifest, yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8")))
