"""Write the kept rows and all that it takes to get them again.

Files: selected.parquet, decisions.parquet, ledger.parquet, recipe.yaml, reviews.jsonl where there are any, a folder for each other format, README.md and
croissant.json that say what it is, .gitattributes, manifest.json last.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate import __version__
from curate.arrangement import Arrangement, arrange
from curate.dataset import Dataset
from curate.describing import describe
from curate.edit import edited_columns, noted
from curate.engine import Engine, on_ray, run_apart
from curate.errors import InputError
from curate.finding import Finding, Gated
from curate.formats.writing import check_formats, write_formats
from curate.gate import check_limits, gated
from curate.grown import accepted_batches
from curate.hold import hold
from curate.ledger.frame import Made, write_ledger
from curate.ledger.read import FILE
from curate.lineage import asked_before, note_written, parent_for
from curate.load import keep_open, load
from curate.located import WEIGHTS, placeless
from curate.longform import with_ratings
from curate.measure import Tell, measure
from curate.noise import noise
from curate.part import ReviewLog
from curate.quarantine import counted
from curate.recipe import Recipe, dump_recipe
from curate.reviews import Review, fold, read_log
from curate.scores import Scores, read_scores
from curate.selected import selected_columns, selection_frame, write_selected
from curate.selection import Selection, select
from curate.signal import reporting
from curate.task import Task
from curate.versions import Version, content_files, manifest_of, name_of, references, room_for, seal
from curate.workspace import Workspace, digest, file_sha256, whole_folder, write_json

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Export", "check_out", "dataset_of", "decide", "export", "run", "scored"]

PACKAGES = (
    *("duckdb", "numba", "numpy", "phonenumbers", "polars", "presidio-analyzer", "pyarrow"),
    *("scikit-learn", "sentence-transformers", "torch", "transformers", "wordllama"),
)


@dataclass(frozen=True)
class Export:
    """What was written. out: the folder. dropped: rows by threshold, each counted alone, so a row may count twice. not_met: of the budget, in words.

    kept: rows that stay. written: lines of the export where rows are repeated by their weight; None where each kept row is one line. findings: what the gate
    found and did not stop: because the recipe has no gate, or because it is overridden. quarantined: rows that a signal could not bear, by signal.
    """

    out: Path
    rows: int
    kept: int
    dropped: Mapping[str, int]
    written: int | None = None
    not_met: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    quarantined: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The object that `curate run --json` prints."""
        more = {"written": self.written, "not_met": [*self.not_met] or None, "findings": {f.name: f.number for f in self.findings} or None}
        told = {k: v for k, v in {**more, "quarantined": dict(self.quarantined) or None}.items() if v is not None}
        return {"rows": self.rows, "kept": self.kept, "dropped": dict(self.dropped), "out": str(self.out), **told}


def run(recipe: Recipe, workspace: Workspace, out: Path | None = None, engine: Engine = "pool", tell: Tell | None = None, key: str | None = None) -> Export:
    """Load, score, select and export. out: a folder that is absent or empty; a Version of the workspace where None. key: of a dataset loaded before."""
    if out is not None:
        check_out(out)
    return run_apart(partial(export, scored(recipe, workspace, engine, tell, key), recipe, out), engine)


def scored(recipe: Recipe, workspace: Workspace, engine: Engine = "pool", tell: Tell | None = None, key: str | None = None, store: str | None = None) -> Scores:
    """Load the dataset of a recipe and measure what the recipe says. Raises InputError where a format cannot be written.

    key: of a dataset loaded before. store: a remote place for workers that share no disk with this process, which then loads by itself.
    """
    key = run_apart(partial(_key, recipe, workspace), engine) if key is None and on_ray(engine) and store is None else key
    dataset = dataset_of(recipe, workspace, key, tell)
    check_formats(recipe.export.formats, dataset, recipe.personal is not None)
    scores = read_scores(dataset, recipe, workspace)
    check_limits(recipe, scores.tasks)
    measure(dataset, scores.tasks, workspace, engine, tell, store)
    return Scores(dataset, workspace, scores.tasks)


def _key(recipe: Recipe, workspace: Workspace, tell: Tell | None = None) -> str:
    """Load the dataset of a recipe; its key."""
    part = recipe.dataset
    return load(part.path, workspace, roles=part.roles, bad_lines=part.bad_lines, progress=tell).key


def decide(recipe: Recipe, workspace: Workspace, key: str | None = None, tell: Tell | None = None) -> Selection:
    """Select from what is measured; what takes long of it is kept in the workspace. key: of a dataset loaded before. Raises InputError as `select` does."""
    scores = read_scores(dataset_of(recipe, workspace, key, tell), recipe, workspace)
    marked = fold(read_log(Path(recipe.reviews.path), recipe.reviews.lines)).marked if recipe.reviews else ()
    with reporting(lambda share: tell("choosing rows", round(100 * share), 100, "%") if tell else None):
        return select(scores, recipe, marked)


def dataset_of(recipe: Recipe, workspace: Workspace, key: str | None = None, tell: Tell | None = None) -> Dataset:
    """The dataset of a recipe with its roles and ratings, loaded; or opened by its key where that is known."""
    if key is None:
        key = _key(recipe, workspace, tell)
        hold(workspace, key)
        if not (workspace.dataset(key) / "dataset.json").is_file():  # cleaned between the two
            _key(recipe, workspace, tell)
    return with_ratings(keep_open(workspace, key, recipe.dataset.roles), recipe.annotations, workspace)


def check_out(out: Path) -> None:
    """Raise InputError where a folder is neither absent nor empty."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(str(out), "is not an empty folder", "Choose a folder with --out that is absent or empty")


def export(scores: Scores, recipe: Recipe, out: Path | None = None, parent: Version | None = None) -> Export:
    """Write the selection of a measured dataset into a folder, whole or not at all. The same recipe on the same rows writes the same selected rows.

    out: a Version of the workspace where None; what was written before is not written again. parent: the Version that it comes from; where None the current
    one. Raises Blocked where the recipe's gate stops it.
    """
    check_formats(recipe.export.formats, scores.dataset, recipe.personal is not None)
    log = recipe.reviews
    marked = fold(read_log(Path(log.path), log.lines)).marked if log else ()
    selection = select(scores, recipe, marked)
    gate = gated(scores, recipe, selection, marked)
    gate.raise_blocked()
    decisions, arranged, rests = selection_frame(scores, selection), arrange(scores, recipe, selection, marked), accepted_batches(scores)
    work, asked = scores.workspace, _asked(scores, _full(recipe, scores.dataset), arranged, [r.id for r in marked], gate, rests)
    dropped = {name: int(mask.sum()) for name, mask in selection.drops.items()}
    unmet = selection.spent.not_met if selection.spent is not None else ()
    there = asked_before(work, asked) if out is None else None
    told = selection.kept, dropped, arranged.about.get("written"), unmet, gate.findings, counted(scores.tasks, work)
    result = Export(there or out or work.version(asked), scores.dataset.rows, *told)
    if there is not None:
        return result
    with whole_folder(result.out, None if out else lambda folder: room_for(work, manifest_of(folder)["name"])) as temporary:
        about = _write(Made(scores, recipe, selection, marked, arranged, gate), arranged, decisions, temporary)
        about["gate"] = {**gate.as_json(), **({"accepted": [*rests]} if rests else {})}
        name, data = name_of(about["files"]), scores.dataset
        about |= {"name": name, "parent": parent_for(work, name, data.fingerprint, data.sources) if parent is None else parent.name}
        write_json(temporary / "manifest.json", {**about, "seal": seal(about)})
    if out is None:
        note_written(work, work.version(name), asked)
    return result if out else replace(result, out=work.version(name))


def _write(made: Made, arranged: Arrangement, decisions: pl.DataFrame, folder: Path) -> dict[str, Any]:
    """Write every file but the manifest, and give what that says of them."""
    scores, recipe, marked, log = made.scores, made.recipe, made.marked, made.recipe.reviews
    full, edited = _full(recipe, scores.dataset), edited_columns(marked, decisions["row_id"])
    (decisions if edited is None else decisions.with_columns(edited)).write_parquet(folder / "decisions.parquet")
    write_ledger(made, folder / FILE)
    beside, names = selected_columns(scores, made.selection, decisions, arranged)
    treated = write_selected(scores, recipe, arranged, (beside, names.get("soft_target", "")), folder / "selected.parquet", marked)
    if "jsonl" in recipe.export.formats:
        _write_jsonl(folder / "selected.parquet", folder / "selected.jsonl")
    formats = write_formats(folder, scores.dataset, recipe.export.formats, names)
    if log:
        (folder / "reviews.jsonl").write_bytes(b"".join(line + b"\n" for line in Path(log.path).read_bytes().split(b"\n")[: log.lines]))
        full = full.model_copy(update={"reviews": ReviewLog(path="reviews.jsonl", lines=log.lines)})
    told, places = placeless(full)
    (folder / "recipe.yaml").write_text(dump_recipe(told), encoding="utf-8")
    personal = {} if recipe.personal is None else {"personal": treated.as_json(recipe.personal)}
    more = {**arranged.about, **noted(marked), **personal, "columns": names, **({"formats": formats} if formats else {})}
    lie = {name: scores.workspace.within(path) if _moves(scores.workspace, folder) else path for name, path in places.items()}
    about = {**_manifest(scores, recipe, made.selection, folder), **({"places": lie} if lie else {}), **_judged(scores, made.selection, marked), **more}
    about["files"] |= describe(folder, about)
    return about


def _asked(scores: Scores, full: Recipe, arranged: Arrangement, reviews: list[str], gate: Gated, rests: Sequence[str]) -> str:
    """What an export rests on: digest of the recipe, what each signal measured, the reviews, the row ids that stay, in order, and what the gate says.

    rests: accepted batches that rows come from.
    """
    ids = scores.frame["row_id"].gather(arranged.rows)
    kept = hashlib.sha256("\n".join(ids).encode()).hexdigest()
    part = placeless(full)[0].model_dump(mode="json", exclude={"dataset": {"path", "bad_lines"}, "reviews": True})
    said = [[f.name, f.number] for f in gate.findings], rests
    return digest([__version__, scores.dataset.fingerprint, scores.dataset.key, part, [t.key for t in scores.tasks], reviews, kept, said])


def _full(recipe: Recipe, dataset: Dataset) -> Recipe:
    """The recipe with the recognised roles written out."""
    roles: dict[Any, Any] = {role: names[0] if len(names) == 1 else list(names) for role, names in dataset.roles.items()}
    return recipe.model_copy(update={"dataset": recipe.dataset.model_copy(update={"roles": roles})})


def _moves(workspace: Workspace, folder: Path) -> bool:
    """Whether a folder lies among the workspace's Versions, so that it moves with it."""
    return folder.parent == workspace.root / "versions"


def _write_jsonl(source: Path, path: Path) -> None:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("COPY (SELECT * FROM read_parquet($source)) TO $path (FORMAT JSON)", {"source": str(source), "path": str(path)})


def _manifest(scores: Scores, recipe: Recipe, selection: Selection, folder: Path) -> dict[str, Any]:
    from curate.weights import identity

    def signal(task: Task) -> dict[str, Any]:
        model = {f"{name}_identity": identity(str(task.parameters[name])) for name in WEIGHTS if task.parameters.get(name)}
        state = {"skipped": task.skip} if task.skip else {}
        held = task.manifest(scores.workspace) if task.done(scores.workspace) else {}
        said = {name: held[name] for name in ("notes", "quarantined") if held.get(name)}
        return {"version": task.signal.version, "parameters": dict(task.parameters), **model, **state, **said}

    dataset = scores.dataset
    return {
        "curate": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "name": None,
        "parent": None,
        "input": [{"path": scores.workspace.within(path) if _moves(scores.workspace, folder) else path, "sha256": sha} for path, sha in dataset.sources],
        **({} if dataset.ratings is None else {"ratings": {"path": str((recipe.annotations and recipe.annotations.path) or ""), "key": dataset.ratings.name}}),
        **({"references": beside} if (beside := references({t.signal.name: t.parameters for t in scores.tasks}, _ratings(recipe))) else {}),
        "dataset": {"fingerprint": dataset.fingerprint, "rows": dataset.rows, "rejected": dataset.rejected},
        "funnel": [{"threshold": name, "dropped": dropped, "left": left} for name, dropped, left in selection.funnel],
        **({} if selection.spent is None else {"budget": selection.spent.as_json()}),
        "kept": selection.kept,
        "signals": {task.signal.name: signal(task) for task in scores.tasks},
        "seeds": {t.signal.name: t.parameters["seed"] for t in scores.tasks if "seed" in t.parameters} | _seeds(recipe),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "files": {name: file_sha256(file) for name, file in content_files(folder).items()},
    }


def _judged(scores: Scores, selection: Selection, marked: Sequence[Review]) -> dict[str, Any]:
    """The noise rate of the kept rows with its interval, where people judged a sample of them."""
    found = noise(scores, marked, selection.keep)
    return {"noise_rate": asdict(found.rate)} if found is not None and found.rate.judged else {}


def _seeds(recipe: Recipe) -> dict[str, int | str]:
    """Seeds of the parts of a recipe that are in force."""
    order, weight = recipe.export.order == "curriculum", recipe.export.weight == "weights"
    drawn = {
        "curriculum": recipe.curriculum if order else None,
        "weights": recipe.weights if weight else None,
        "diversity": recipe.budget.diversity if recipe.budget else None,
        "personal": recipe.personal,
    }
    return {name: part.seed for name, part in drawn.items() if part is not None}


def _ratings(recipe: Recipe) -> list[str]:
    return [recipe.annotations.path] if recipe.annotations and recipe.annotations.path else []
