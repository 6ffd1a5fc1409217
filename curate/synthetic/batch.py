"""A batch: rows that one generator wrote for some targets, kept whole in a folder that never changes.

workspace/synthetic/<batch>/   rows.parquet, the prompt files that the generator was told (*.md), batch.json (last)
workspace/synthetic/<batch>.parts/   made.jsonl while it is made: an answer is on disk before the next is counted, so a kill loses none that was paid for

The name is a digest of what was asked for (`curate.synthetic.asked`): the same question goes on where it stopped, and answers at once when it is done.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import InputError
from curate.workspace import Workspace, digest, file_sha256, read_json, whole_folder, write_json

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "TEXTS",
    "Batch",
    "TargetCount",
    "alone",
    "batches_of",
    "find_batch",
    "folder_of",
    "read_batch",
    "read_rows",
    "schema",
    "synthetic_id",
    "write_batch",
]

TEXTS = "prompt", "context", "response", "label"
"""What makes a row the same as another."""
FORM = 1
LEAST = 4  # first digits of a name


@dataclass(frozen=True)
class TargetCount:
    """What was wanted for a target and made. kind: label, source, cluster, gap or any. parents: rows of the dataset that it may start from."""

    name: str
    kind: str
    wanted: int
    made: int
    parents: int


@dataclass(frozen=True)
class Batch:
    """What a batch is. name: of its folder. dataset: key of the dataset that it is for. recipe: as YAML, what chose the rows that it starts from.

    generator, model: who wrote; model is "" where none did. prompts: hash (16 hex digits) by name of each prompt file beside it; a row has its own.
    asked: rows that were wanted. rows: rows there are, of distinct content. failed: answers that gave no row, by reason. repeated: equal to an earlier one.
    seconds: of all answers. cost: of all whose price is known, in what the prices were given in; unknown_cost: answers whose price is not known.
    spent: the most that all tries together may have cost, those too to which no answer or no usable one came; 0 where no price is given.
    began, ended: UTC, ISO 8601. options: what else was asked for (temperature, …).
    """

    name: str
    dataset: str
    recipe: str
    generator: str
    model: str
    prompts: Mapping[str, str]
    seed: int
    asked: int
    rows: int
    targets: tuple[TargetCount, ...]
    failed: Mapping[str, int]
    repeated: int
    seconds: float
    cost: float
    unknown_cost: int
    began: str
    ended: str
    options: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path()
    spent: float = 0.0


def schema() -> dict[str, pl.DataType]:
    """Columns of rows.parquet. Of texts null is a role that the row has not; of `license` one that is not known; of `cost` a price that is not known."""
    import polars as pl

    text = ("synthetic_id", "prompt", "context", "response", "label", "source", "license", "target", "generator", "model", "prompt_hash")
    found: dict[str, pl.DataType] = dict.fromkeys(text, pl.String())
    return {**found, "parents": pl.List(pl.String()), "made": pl.Datetime("us", "UTC"), "seconds": pl.Float64(), "cost": pl.Float64()}


def synthetic_id(row: Mapping[str, Any]) -> str:
    """The name of a row: 16 hex digits of its texts and label."""
    return digest([row.get(name) for name in TEXTS])


def folder_of(workspace: Workspace, name: str) -> Path:
    """Where a batch is kept."""
    return workspace.root / "synthetic" / name


@contextmanager
def alone(folder: Path, name: str, busy: str) -> Iterator[None]:
    """Keep a folder to this process, until the block or the process ends. Raises InputError, saying of `name` that it is `busy`, where another has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(name, f"{busy} by another process", "Wait for it, and try again") from None
        yield


def batches_of(workspace: Workspace, dataset: str | None = None) -> tuple[Batch, ...]:
    """Whole batches, of one dataset where its key is given, the newest first."""
    found = [read_batch(path.parent) for path in (workspace.root / "synthetic").glob("[!.]*/batch.json")]
    return tuple(sorted((b for b in found if dataset in (None, b.dataset)), key=lambda b: (b.ended, b.name), reverse=True))


def find_batch(named: str, workspace: Workspace) -> Batch:
    """A batch by its folder, its name or the first digits of it, at least four. Raises InputError naming what there is."""
    folder = Path(named).expanduser()
    if (folder / "batch.json").is_file() or (folder.is_dir() and folder.parent != Path()):
        return read_batch(folder)
    names = [b.name for b in batches_of(workspace)]
    found = [n for n in names if n == named] or [n for n in names if len(named) >= LEAST and n.startswith(named)]
    if len(found) == 1:
        return read_batch(folder_of(workspace, found[0]))
    if found:
        raise InputError(f"batch {named}", f"may be {' or '.join(found)}", "Give more of its name")
    there = f"There are {', '.join(names[:8])}" if names else "It has no batch yet: `curate grow RECIPE.yaml` makes one"
    raise InputError(f"batch {named}", f"is neither a folder of a batch nor one of {workspace.root}", there)


def read_batch(folder: Path) -> Batch:
    """A batch from its folder. Raises InputError where there is none, or its batch.json is not one."""
    if not (folder / "batch.json").is_file():
        raise InputError(str(folder), "is no batch: it has no batch.json", "Name the folder of a batch, or make it again with `curate grow`")
    given = read_json(folder / "batch.json")
    try:
        form = given.pop("form")
        targets = tuple(TargetCount(**target) for target in given.pop("targets"))
        found = Batch(**given, targets=targets, folder=folder)
    except (TypeError, KeyError, AttributeError) as error:
        raise InputError(str(folder / "batch.json"), f"is not what `curate grow` writes ({error})", "Delete the folder and grow again") from error
    if form != FORM:
        raise InputError(str(folder / "batch.json"), f"has the form {form}, and this Curate reads {FORM}", "Use the Curate that wrote it")
    return found


def read_rows(batch: Batch) -> pl.DataFrame:
    """The rows of a batch in the order in which they were asked for: the columns of `schema`. Raises InputError where the file is not what was written."""
    import polars as pl

    path = batch.folder / "rows.parquet"
    if not path.is_file() or file_sha256(path) != batch.files.get("rows.parquet"):
        raise InputError(str(path), "is not the file that was written", "Delete the folder of the batch and grow again")
    return pl.read_parquet(path, glob=False)


def write_batch(batch: Batch, rows: Sequence[Mapping[str, Any]], prompts: Mapping[str, str]) -> Batch:
    """Write a batch whole into its `folder`, batch.json last; counts and hashes of files are filled in. rows: what `schema` names, but `synthetic_id`.

    Of rows with the same content the first stays. Another writer who was first wins. prompts: text of each prompt file by its name, without .md.
    """
    import polars as pl

    named: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        named.setdefault(synthetic_id(row), row)
    kept = [{"synthetic_id": name, **row} for name, row in named.items()]
    made = {target.name: sum(row["target"] == target.name for row in kept) for target in batch.targets}
    targets = [asdict(target) | {"made": made[target.name]} for target in batch.targets]
    with whole_folder(batch.folder) as into:
        pl.DataFrame(kept, schema=schema(), orient="row").write_parquet(into / "rows.parquet")
        for name, text in prompts.items():
            (into / f"{name}.md").write_text(text, encoding="utf-8", newline="")
        files = {name: file_sha256(into / name) for name in ("rows.parquet", *(f"{name}.md" for name in prompts))}
        told = {k: v for k, v in asdict(batch).items() if k != "folder"}
        told |= {"form": FORM, "targets": targets, "rows": len(kept), "repeated": len(rows) - len(kept), "files": files}
        write_json(into / "batch.json", told)
    return read_batch(batch.folder)
