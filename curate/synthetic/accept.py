"""Acceptance: the rows of a batch that passed the gate and the reading, written once in the dataset's own columns, and the recipe that lists them.

workspace/synthetic/<batch>/   accepted.parquet, the same in the format of the dataset's files (a dataset is read from files of one kind), recipe.yaml,
                               accepted.json (last): rows, the pass rate, rows over the cap

Beside the dataset's columns stand `synthetic` (true; or the column that has that role), `synthetic_id`, `synthetic_reviewed` (whether a person read this very
row), and of the batch generator, model, prompt_hash, parents, target, made, seconds, cost; as `synthetic_<name>` where the dataset has a column of that name.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.added import ID
from curate.admission import Admission
from curate.dataset import Dataset
from curate.errors import InputError
from curate.grown import generated
from curate.located import within
from curate.part import ReviewLog
from curate.readers.columnar import schema_of
from curate.readers.file import find_files, is_hub_name
from curate.recipe import Recipe, dump_recipe
from curate.reviews import fold, read_log
from curate.roles import Role
from curate.scores import Scores
from curate.share import per_of, room
from curate.synthetic.batch import Batch, alone, batches_of, read_rows
from curate.synthetic.columns import in_columns
from curate.synthetic.gate import BUSY, Gated, read_gate
from curate.synthetic.measured import measured_name
from curate.synthetic.review import Reading, order, reading
from curate.view import as_text
from curate.workspace import file_sha256, read_json, write_file, write_json

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["Accepted", "accept", "accepted_of", "over_cap", "stale"]

FILES = {"json": "jsonl", "csv": "csv", "parquet": "parquet", "arrow": "arrow"}


@dataclass(frozen=True)
class Accepted:
    """What was accepted. rows: how many. file: what a recipe lists. recipe: the file of the recipe with these rows. over: rows over the cap, by source or
    label. read_bad: rows that passed the gate and that a reader found bad. said: the pass rate in words. beside: batches accepted earlier that it lists too."""

    rows: int
    file: str
    recipe: str
    over: dict[str, int]
    read_bad: int
    said: str
    beside: tuple[str, ...] = ()


def accepted_of(batch: Batch) -> Accepted | None:
    """What was accepted of a batch; None where that is not decided."""
    path = batch.folder / "accepted.json"
    if not path.exists():
        return None
    told = read_json(path)
    where = {n: str(batch.folder / told[n]) for n in ("file", "recipe")}
    return Accepted(told["rows"], **where, over=told["over"], read_bad=told["read_bad"], said=told["said"], beside=tuple(told.get("beside", ())))


def stale(scores: Scores, recipe: Recipe, batch: Batch, gated: Gated) -> str:
    """Why the gate's outcome does not hold for a recipe any more; "" where it does."""
    policy = None if recipe.licenses is None else recipe.licenses.model_dump(mode="json")
    if gated.recipe["dataset"] != scores.dataset.key:
        return "it was checked beside another dataset"
    if (recipe.synthetic or Admission()) != gated.admission:
        return "the recipe's limits changed since it was checked"
    if policy != gated.recipe["licenses"]:
        return "the recipe's policy on licences changed since it was checked"
    try:
        now = measured_name(scores, recipe, batch)
    except InputError as error:
        return str(error).rstrip(".")
    if gated.recipe["measured"] != now:
        return "what the checks rest on changed since: evaluation files, rows accepted from other batches, signals or roles"
    return ""


def accept(scores: Scores, recipe: Recipe, batch: Batch, log: Path | None = None) -> Accepted:
    """Write the accepted rows of a batch. What was accepted before is told again.

    log: the dataset's reviews, which the new recipe then rests on too. Raises InputError where the batch is not checked by this recipe, not read, or refused,
    or another process works on it or accepts rows of another batch, which count against the same cap.
    """
    with alone(batch.folder, batch.name, BUSY), alone(batch.folder.parent, batch.name, "waits: rows of a batch are being accepted"):
        return _accept(scores, recipe, batch, log)


def _accept(scores: Scores, recipe: Recipe, batch: Batch, log: Path | None) -> Accepted:
    held = accepted_of(batch)
    if held is not None:
        return held
    gated = read_gate(batch)
    if gated is None or (why := stale(scores, recipe, batch, gated)):
        what = "is not checked yet" if gated is None else why
        raise InputError(batch.name, what, f"Run `curate grow --check {batch.name}`, or check it on the page Synthetic rows")
    told = reading(batch, gated)
    if told.state == "to be read":
        what = f"{len(told.left):,} of {len(told.rows):,} drawn rows are not read" if told.rows else "no row passes the gate"
        raise InputError(batch.name, what, "Read the drawn rows on the page Synthetic rows" if told.rows else "See the reasons on the page Synthetic rows")
    if told.state == "refused":
        raise InputError(batch.name, f"the batch is refused: {told.said}", "Change the prompts and grow again")
    rows = _chosen(batch, gated, told)
    over = over_cap(scores, rows, gated.admission, batch)
    by = ["all"] * int(over.sum()) if gated.admission.per == "all" else rows.filter(over)[gated.admission.per]
    bad = sum(word == "bad" for word in told.words.values())
    about = {"over": dict(Counter(v or "none" for v in by)), "read_bad": bad, "said": told.said, "rate": asdict(told.rate)}
    return _write(scores, recipe, batch, rows.filter(~over), {**about, "synthetic": gated.recipe["synthetic"]}, log)


def _chosen(batch: Batch, gated: Gated, told: Reading) -> pl.DataFrame:
    """Rows that pass and that no reader found bad, with the licence that they inherit and whether they were read."""
    import polars as pl

    bad = [row for row, word in told.words.items() if word == "bad"]
    good = [row for row, word in told.words.items() if word == "good"]
    rows = read_rows(batch)
    if "license" in gated.rows.columns:
        rows = rows.with_columns(license=pl.coalesce(gated.rows["license"].cast(pl.String), "license"))
    rows = rows.with_columns(synthetic_reviewed=pl.col("synthetic_id").is_in(good))
    return rows.filter(pl.Series(gated.rows["passes"]) & ~rows["synthetic_id"].is_in(bad))


def over_cap(scores: Scores, rows: pl.DataFrame, admission: Admission, batch: Batch) -> pl.Series:
    """Rows beyond the most that a source or label may hold of generated ones, Boolean [rows]; targets take turns, in random order within each.

    Generated rows that the dataset holds, or that were accepted from other batches, count. A value that no row of the dataset has leaves room for none.
    """
    import polars as pl

    data, per = scores.dataset, per_of(scores, admission)
    own = data.views([per] if per else []).collect()[per].cast(pl.String) if per else pl.Series("all", ["all"] * data.rows)
    known = generated(scores)
    made = pl.Series(np.zeros(data.rows, np.bool_) if known is None else known)
    others = _beside(scores, batch)
    before = Counter([*own.filter(made), *(v for o in others for v in (o[per] if per else ["all"] * len(o)))])
    beside = Counter(own.filter(~made))
    left = dict(zip(beside, room(admission.share, np.array([*beside.values()], np.int64)).tolist(), strict=True))
    left = {value: most - before[value] for value, most in left.items()}
    turn: Counter[str | None] = Counter()
    ranked = []
    for i in sorted(range(len(rows)), key=lambda i: order(rows["synthetic_id"][i], admission.seed)):
        turn[rows["target"][i]] += 1
        ranked.append((turn[rows["target"][i]], i))
    over = [True] * len(rows)
    for _, i in sorted(ranked, key=lambda r: r[0]):
        value = rows[per][i] if per else "all"
        if left.get(value, 0) > 0:
            left[value] -= 1
            over[i] = False
    return pl.Series("over", over, pl.Boolean)


def _beside(scores: Scores, batch: Batch) -> list[pl.DataFrame]:
    """Rows accepted from other batches for the same dataset that it does not hold yet."""
    import polars as pl

    own = as_text(scores.column(ID, "synthetic.share")).to_list() if ID in dict(scores.dataset.columns) else []
    return [read_rows(b).filter(pl.col(ID).is_in(_ids(b).implode()) & ~pl.col(ID).is_in(own)) for b in _accepted_others(scores, batch)]


def _accepted_others(scores: Scores, batch: Batch) -> list[Batch]:
    """Other batches for the same dataset of which rows were accepted, the oldest first."""
    return [b for b in reversed(batches_of(scores.workspace, batch.dataset)) if b.name != batch.name and (b.folder / "accepted.json").exists()]


def _ids(batch: Batch) -> pl.Series:
    import polars as pl

    return pl.read_parquet(batch.folder / "accepted.parquet", columns=["synthetic_id"])["synthetic_id"]


def _write(scores: Scores, recipe: Recipe, batch: Batch, rows: pl.DataFrame, told: dict[str, Any], log: Path | None) -> Accepted:
    """The files, accepted.json last."""
    import polars as pl
    import pyarrow.parquet as pq

    data = scores.dataset
    if any(is_hub_name(given) for given in data.given):
        raise InputError(data.name, "comes from the hub, beside which no file can be listed", "Save it as a file and open that")
    if not len(rows):
        raise InputError(batch.name, "no row of it may enter: none passed, or the cap leaves no room", "See the reasons, or raise synthetic.share")
    table = in_columns(data, rows)
    arrow = table.to_arrow(compat_level=pl.CompatLevel.oldest())
    write_file(batch.folder / "accepted.parquet", lambda p: pq.write_table(arrow, p))
    kind = FILES[find_files(data.given)[0].format]
    path = batch.folder / f"accepted.{kind}"
    if kind == "jsonl":
        write_file(path, lambda p: p.write_text("".join(json.dumps(r, default=str, ensure_ascii=False) + "\n" for r in table.iter_rows(named=True)), "utf-8"))
    elif kind == "csv":
        flat = table.with_columns(pl.col(n).map_elements(lambda v: json.dumps(list(v)), pl.String) for n, t in table.schema.items() if isinstance(t, pl.List))
        write_file(path, lambda p: flat.write_csv(p))
    elif kind == "arrow":
        write_file(path, lambda p: _write_arrow(_fitted(arrow, schema_of(find_files(data.given)[0])), p))
    there = {file.path.resolve() for file in find_files(data.given)}
    before = {b.name: done.file for b in _accepted_others(scores, batch) if (done := accepted_of(b)) and Path(done.file).resolve() not in there}
    new = _listing(data, recipe, [*before.values(), str(path)], log)
    write_file(batch.folder / "recipe.yaml", lambda p: p.write_text(dump_recipe(within(new, scores.workspace)), encoding="utf-8"))
    hashes = {n: file_sha256(batch.folder / n) for n in ("accepted.parquet", path.name)}
    write_json(
        batch.folder / "accepted.json",
        {"rows": len(table), "file": path.name, "recipe": "recipe.yaml", "beside": [*before], **told, "files": hashes, "dataset": data.key},
    )
    found = accepted_of(batch)
    assert found is not None
    return found


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the types of a file that it shall stand beside, where values can have them: strings are of several types, which do not go together."""
    import pyarrow as pa

    for at, name in enumerate(table.column_names):
        if name in schema.names:
            with suppress(pa.ArrowNotImplementedError, pa.ArrowInvalid):
                table = table.set_column(at, schema.field(name), table.column(name).cast(schema.field(name).type))
    return table


def _write_arrow(table: pa.Table, path: Path) -> None:
    import pyarrow as pa

    with pa.ipc.new_file(str(path), table.schema) as writer:  # without its end the file is none
        writer.write_table(table)


def _listing(data: Dataset, recipe: Recipe, paths: list[str], log: Path | None) -> Recipe:
    """The recipe with the files of accepted rows beside the dataset's files, the reviews that stand in a log, and the cap, which holds from now on."""
    roles: dict[Role, list[str]] = {role: [*names] for role, names in data.roles.items()}
    roles.setdefault(Role.SYNTHETIC, ["synthetic"])
    part = recipe.dataset.model_copy(update={"path": [*data.given, *paths], "roles": roles})
    lines = log.read_bytes().count(b"\n") if log is not None and log.exists() else 0
    reviews = ReviewLog(path=str(log), lines=lines) if log is not None and fold(read_log(log)).marked else recipe.reviews
    return recipe.model_copy(update={"dataset": part, "reviews": reviews, "synthetic": recipe.synthetic or Admission()})
