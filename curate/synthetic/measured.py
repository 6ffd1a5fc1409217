"""What the checks measured of a batch, kept beside it, so that limits move without measuring anew.

workspace/synthetic/<batch>/measured-<key>/   values.parquet (a row a row), pairs.parquet (generated rows that are alike), vectors.npz, measured.json (last)

The key is a digest of all that the values rest on: the dataset, its signals, the rows that were accepted before. Limits are no part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curate.admission import CHECKS, Admission
from curate.measure import Tell, measure
from curate.recipe import Recipe
from curate.scores import Scores
from curate.signal import check_parameters, discover
from curate.synthetic.batch import Batch, batches_of, read_rows
from curate.synthetic.checks import MADE, Found, Ground, Skip
from curate.synthetic.copies import PAIRS, Vectors, embedded, whole_text
from curate.synthetic.vectors import embedding_task, pool_vectors
from curate.workspace import digest, file_sha256, read_json, whole_folder, write_json

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Measured", "evaluation_files", "measure_batch", "measured_name", "measured_of"]

VERSION = 4
POOL = ("prompt", "response", "text")


@dataclass(frozen=True)
class Measured:
    """What was measured. values: a row a row, `synthetic_id` and the columns of the checks. pairs: `copies.PAIRS`. skipped: why a check was not made.

    own: the dataset's own values at `fitness.QUANTILES`, by check. folder: where it is kept.
    """

    values: pl.DataFrame
    pairs: pl.DataFrame
    skipped: Mapping[str, str]
    own: Mapping[str, Sequence[float]]
    folder: Path

    @property
    def vectors(self) -> Vectors | None:
        """Vectors of the generated rows; None where they were not asked for."""
        path = self.folder / "vectors.npz"
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as held:
            return Vectors(held["at"], held["unit"])


def _needs_vectors(admission: Admission) -> bool:
    return not {"semantic", "label"} <= {*admission.off}


def _accepted_before(scores: Scores, batch: Batch) -> list[Batch]:
    """Other batches for the same dataset of which rows were accepted: they are not in it yet and count as there."""
    return sorted(
        (b for b in batches_of(scores.workspace, batch.dataset) if b.name != batch.name and (b.folder / "accepted.json").exists()), key=lambda b: b.name
    )


def measured_name(scores: Scores, recipe: Recipe, batch: Batch) -> str:
    """The folder of what is measured of a batch as things stand now. Raises InputError where an evaluation file cannot be read."""
    admission = recipe.synthetic or Admission()
    perplexity = scores.measured.get("perplexity")
    rests = [
        *[VERSION, batch.files["rows.parquet"], scores.dataset.key, sorted((str(r), c) for r, c in scores.dataset.roles.items())],
        *[[b.name, file_sha256(b.folder / "accepted.parquet")] for b in _accepted_before(scores, batch)],
        *[sorted(admission.off), admission.rouge_of, admission.copies_of, admission.seed, _files(admission, recipe)],
        *[check_parameters(discover()[name], recipe.signals.get(name) or {}) for name in ("pii", "license")],
        *[embedding_task(scores, recipe).key if _needs_vectors(admission) else None, perplexity.key if perplexity else None],
    ]
    return f"measured-{digest(rests)}"


def _files(admission: Admission, recipe: Recipe) -> list[str]:
    """Hashes of the evaluation files."""
    from curate.readers.file import hashes

    return hashes(evaluation_files(recipe, admission))


def evaluation_files(recipe: Recipe, admission: Admission | None) -> list[str]:
    """Files of evaluation rows: those of the signal contamination, and those of the gate of generated rows."""
    given = (recipe.signals.get("contamination") or {}).get("reference") or ()
    return [*([given] if isinstance(given, str) else given), *(admission.evaluation if admission else ())]


def measured_of(scores: Scores, recipe: Recipe, batch: Batch) -> Measured | None:
    """What was measured of a batch as things stand now; None where that is to be done."""
    return _read(batch.folder / measured_name(scores, recipe, batch))


def _read(folder: Path) -> Measured | None:
    import polars as pl

    if not (folder / "measured.json").exists():
        return None
    told = read_json(folder / "measured.json")
    return Measured(pl.read_parquet(folder / "values.parquet"), pl.read_parquet(folder / "pairs.parquet"), told["skipped"], told["own"], folder)


def measure_batch(scores: Scores, recipe: Recipe, batch: Batch, tell: Tell | None = None) -> Measured:
    """Measure a batch, and the dataset's embedding where that is not measured; what is kept is only read. Raises InputError where a file cannot be read."""
    import polars as pl

    where = batch.folder / measured_name(scores, recipe, batch)  # as things stand before, for they may change meanwhile
    held = _read(where)
    if held is not None:
        return held
    on, found = _ground(scores, recipe, batch, tell), dict[str, Found]()
    skipped = dict.fromkeys(on.admission.off, "the recipe leaves it out")
    for at, (names, make) in enumerate(MADE.items()):
        if tell:
            tell(f"checking {names[0]}", at, len(MADE), "checks")
        if {*names} <= {*skipped}:
            continue
        try:
            found[names[0]] = make(on)
        except Skip as why:
            skipped |= dict.fromkeys(names, str(why))
    values = pl.concat([on.rows.select("synthetic_id"), *(f.values for f in found.values())], how="horizontal")
    schema = dict(zip(PAIRS, (pl.String, pl.Int32, pl.Int32, pl.Float64), strict=True))
    pairs = pl.concat([pl.DataFrame(schema=schema), *(f.pairs for f in found.values() if f.pairs is not None)])
    with whole_folder(where) as folder:
        values.write_parquet(folder / "values.parquet")
        pairs.write_parquet(folder / "pairs.parquet")
        if on.mine is not None:
            np.savez(folder / "vectors.npz", at=on.mine.at, unit=on.mine.unit)
        own = {name: list(f.own) for name, f in found.items() if f.own}
        write_json(folder / "measured.json", {"skipped": {n: skipped[n] for n in CHECKS if n in skipped}, "own": own, "pool": len(on.pool)})
    again = _read(where)
    assert again is not None
    return again


def _ground(scores: Scores, recipe: Recipe, batch: Batch, tell: Tell | None) -> Ground:
    import polars as pl

    admission, rows, data = recipe.synthetic or Admission(), read_rows(batch), scores.dataset
    text = whole_text(rows)
    names = [n for n in POOL if data.has(n)]
    lacking = [pl.lit(None, pl.String).alias(n) for n in POOL if n not in names]
    there = data.views(names).collect().with_columns(*lacking, name=data.scan().select("row_id").collect()["row_id"]).select("name", *POOL)
    before = [_pool_of(b) for b in _accepted_before(scores, batch)]
    on = Ground(scores, recipe, admission, rows, text, pl.concat([there, *before]))
    task = embedding_task(scores, recipe)
    if not _needs_vectors(admission) or task.skip:
        return on
    measure(data, [task], scores.workspace, "inline", tell)
    theirs, given = pool_vectors(scores, recipe), dict(task.parameters)
    assert theirs is not None
    if before:
        more = embedded(on.pool["text"].slice(len(there)), given)
        theirs = Vectors(np.concatenate([theirs.at, more.at + np.int32(len(there))]), np.concatenate([theirs.unit, more.unit]))
    return replace(on, mine=embedded(text, given), theirs=theirs)


def _pool_of(batch: Batch) -> pl.DataFrame:
    """The accepted rows of another batch, as rows of the pool."""
    import polars as pl

    kept = pl.read_parquet(batch.folder / "accepted.parquet", columns=["synthetic_id"])["synthetic_id"]
    rows = read_rows(batch).filter(pl.col("synthetic_id").is_in(kept.implode()))
    return rows.select(name="synthetic_id", prompt="prompt", response="response").with_columns(text=whole_text(rows))
