"""Make a run: from a measured dataset and a plan to a folder that holds all that training needs, here or on another machine.

plan.yaml run.json pool.parquet validation.parquet arms.parquet [vectors.npy validation_vectors.npy] recipes/
cells/<key>/    one training each: curve.parquet, rows.parquet, cell.json (`curate.probes.train`)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate import __version__
from curate.dataset import Dataset
from curate.errors import InputError
from curate.export import dataset_of
from curate.load import load
from curate.measure import Tell, measure
from curate.probes.arms import Decided, arm_frame, arm_labels
from curate.probes.held_out import HeldOut, hold_out
from curate.probes.plan import EVERY, Arm, Plan
from curate.probes.probe import VECTORS, Probe, probe_of
from curate.recipe import Recipe, dump_recipe, load_recipe
from curate.reviews import fold, read_log
from curate.roles import Role
from curate.scores import Scores, read_scores
from curate.selection import row_tokens
from curate.task import plan as tasks_of
from curate.view import as_text
from curate.workspace import Workspace, digest, whole_folder, write_json

if TYPE_CHECKING:
    import polars as pl

__all__ = ["dump_plan", "gather"]

Bools = npt.NDArray[np.bool_]
EMBEDDING = "embedding"


def dump_plan(plan: Plan) -> str:
    """A plan as YAML, defaults written out."""
    import yaml

    return str(yaml.safe_dump(plan.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100))


@dataclass(frozen=True)
class _Made:
    """What a run's folder is written from."""

    plan: Plan
    probe: Probe
    decided: Mapping[str, Decided]
    held: HeldOut
    valid: Scores
    free: Bools


def gather(recipe: Recipe, plan: Plan, workspace: Workspace, beside: Path, key: str | None = None, tell: Tell | None = None) -> Path:
    """Measure what is missing, and write the run's folder; the same plan on the same rows is the same folder. beside: what paths of the plan are relative to.

    Raises InputError where the probe, an arm or the validation rows rest on what is not there.
    """
    probe, dataset = probe_of(plan.probe), dataset_of(recipe, workspace, key, tell)
    plan = plan if any(_plain(arm) for arm in plan.arms) else plan.model_copy(update={"arms": (Arm(name=EVERY, rows="all"), *plan.arms)})
    first = _decided(recipe, dataset, workspace, probe, tell)
    decided = {arm.name: first if arm.recipe is None else _other(beside / arm.recipe, first, workspace, probe, tell) for arm in plan.arms}
    other = None if plan.validation.path is None else load(str(beside / plan.validation.path), workspace, roles=plan.validation.roles, progress=tell)
    usable = _usable(first.scores.dataset, probe, plan)
    held = hold_out(first.scores, plan.validation, other, usable)
    valid = first.scores if other is None else _validated(other, first, workspace, probe, tell)
    made = _Made(plan, probe, decided, held, valid, usable & ~held.taken & ~held.leaked)
    folder = workspace.root / "probes" / _name(made)
    if not folder.exists():
        with whole_folder(folder) as into:
            _write(made, into)
    return folder


def _plain(arm: Arm) -> bool:
    return arm.rows == "all" and not (arm.where or arm.between or arm.noise or arm.label)


def _decided(recipe: Recipe, dataset: Dataset, workspace: Workspace, probe: Probe, tell: Tell | None) -> Decided:
    signals = {**recipe.signals, **({EMBEDDING: recipe.signals.get(EMBEDDING, {})} if probe.vectors else {})}
    tasks = read_scores(dataset, recipe.model_copy(update={"signals": signals}), workspace).tasks
    measure(dataset, tasks, workspace, "pool", tell)
    marked = fold(read_log(Path(recipe.reviews.path), recipe.reviews.lines)).marked if recipe.reviews else ()
    return Decided(Scores(dataset, workspace, tasks), recipe, marked)


def _other(path: Path, first: Decided, workspace: Workspace, probe: Probe, tell: Tell | None) -> Decided:
    """Another recipe, which must be over the same rows."""
    recipe = load_recipe(path)
    data = dataset_of(recipe, workspace, None, tell)
    if data.fingerprint != first.scores.dataset.fingerprint:
        raise InputError(str(path), f"is over {data.name}, not over the rows of {first.scores.dataset.name}", "Compare recipes over one dataset")
    return _decided(recipe, data, workspace, probe, tell)


def _validated(other: Dataset, first: Decided, workspace: Workspace, probe: Probe, tell: Tell | None) -> Scores:
    """The scores of another file's rows that the probe needs: embeddings by the same model."""
    task = first.scores.measured.get(EMBEDDING)
    tasks = tasks_of(other, {EMBEDDING: task.parameters} if probe.vectors and task else {})
    measure(other, tasks, workspace, "pool", tell)
    return Scores(other, workspace, tasks)


def _usable(data: Dataset, probe: Probe, plan: Plan) -> Bools:
    """Rows that have what a probe needs. bool [rows]."""
    found = np.ones(data.rows, np.bool_)
    for need in probe.needs:
        if need == "label" and (any(arm.label for arm in plan.arms) or plan.validation.label) and not data.has(Role.LABEL):
            continue
        if not data.has(need):
            raise InputError(
                f"probe {probe.name}", f"no column has the role {'label' if need == 'label' else 'prompt or response'}", "Give it to one, or take another probe"
            )
        found &= data.views([need]).collect().to_series().is_not_null().to_numpy()
    return found


def _name(made: _Made) -> str:
    """The run's name: of the plan, the rows, and all that decides what the arms hold."""
    data = made.held.dataset
    arms = {n: [d.recipe.model_dump(mode="json"), [r.id for r in d.marked], [t.key for t in d.scores.tasks]] for n, d in made.decided.items()}
    one = next(iter(made.decided.values())).scores.dataset
    said = made.plan.model_dump(mode="json", exclude={"about", "price"})
    return digest([said, arms, one.key, one.fingerprint, data.key, data.fingerprint, {str(k): v for k, v in data.roles.items()}, made.probe.version])


def _write(made: _Made, into: Path) -> None:
    import polars as pl

    first = next(iter(made.decided.values()))
    data, held = first.scores.dataset, made.held
    names = _classes(made)
    code = _coder(names)
    free = np.flatnonzero(made.free)
    given = arm_labels(first, Arm(name=EVERY, rows="all"))
    _texts(data, free, first.scores, made.plan.domain, None if given is None else code(given)).write_parquet(into / "pool.parquet")
    _texts(held.dataset, held.at, made.valid, made.plan.domain, _truth(made, code)).write_parquet(into / "validation.parquet")
    if made.probe.vectors:
        np.save(into / VECTORS[0], _vectors(first.scores)[free])
        np.save(into / VECTORS[1], _vectors(made.valid)[held.at])
    place = np.full(data.rows, -1, np.int32)
    place[free] = np.arange(len(free), dtype=np.int32)
    frames = [(arm, arm_frame(made.decided[arm.name], arm, made.free, code)) for arm in made.plan.arms]
    pl.concat(
        frame.with_columns(pl.lit(arm.name).alias("arm"), pl.Series("row", place[frame["row"].to_numpy()])).select("arm", pl.exclude("arm"))
        for arm, frame in frames
    ).write_parquet(into / "arms.parquet")
    (into / "plan.yaml").write_text(dump_plan(made.plan), encoding="utf-8")
    (into / "recipes").mkdir()
    for at, (name, found) in enumerate(made.decided.items()):
        (into / "recipes" / f"{at}.yaml").write_text(f"# {name.encode('unicode_escape').decode()}\n{dump_recipe(found.recipe)}", encoding="utf-8")
    write_json(into / "run.json", _told(made, names, {arm.name: len(frame) for arm, frame in frames}))


def _told(made: _Made, names: Sequence[str], arms: Mapping[str, int]) -> dict[str, Any]:
    first, held = next(iter(made.decided.values())), made.held
    ordered = {
        a.name: a.order != "random" and (a.by is not None or made.decided[a.name].recipe.export.order != "file") and (a.rows == "kept" or a.by is not None)
        for a in made.plan.arms
    }
    return {
        "curate": __version__,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "dataset": {
            "name": first.scores.dataset.name,
            "key": first.scores.dataset.key,
            "rows": first.scores.dataset.rows,
            "fingerprint": first.scores.dataset.fingerprint,
        },
        "validation": {
            "name": held.dataset.name,
            "fingerprint": held.dataset.fingerprint,
            "own": held.own,
            "twins": held.twins,
            "leaked": int(held.leaked.sum()),
        },
        "probe": {"name": made.probe.name, "version": made.probe.version},
        "classes": list(names),
        "arms": {name: {"rows": rows, "ordered": ordered[name]} for name, rows in arms.items()},
    }


def _classes(made: _Made) -> list[str]:
    """Every label that an arm or the validation has, in the labels' own order."""
    import polars as pl

    from curate.label import classes

    if not (made.probe.labels or "label" in made.probe.needs):
        return []
    found = [arm_labels(made.decided[arm.name], arm) for arm in made.plan.arms]
    truth = made.valid.dataset
    where = "validation.label"
    found += [made.valid.column(made.plan.validation.label, where)] if made.plan.validation.label else []
    found += [truth.views([Role.LABEL]).collect().to_series()] if truth.has(Role.LABEL) else []
    texts = [column for column in found if column is not None]
    alike = len({column.dtype for column in texts}) == 1
    return classes(pl.concat([(c if alike else as_text(c)).alias("label") for c in texts]))[1] if texts else []


def _coder(names: Sequence[str]) -> Callable[[pl.Series], pl.Series]:
    import polars as pl

    def code(labels: pl.Series) -> pl.Series:
        """Codes of labels, Int32, -1 for none or a label that no one asked for."""
        if not names:
            return pl.Series([-1] * len(labels), dtype=pl.Int32)
        return as_text(labels).replace_strict([*names], list(range(len(names))), default=-1, return_dtype=pl.Int32).fill_null(-1)

    return code


def _truth(made: _Made, code: Callable[[pl.Series], pl.Series]) -> pl.Series | None:
    """Codes of the validation dataset's labels; as people corrected them where it is the dataset that is trained on."""
    asked = made.plan.validation.label
    if asked is not None:
        return code(made.valid.column(asked, "validation.label"))
    if not made.valid.dataset.has(Role.LABEL):
        if "label" in made.probe.needs:
            raise InputError("validation", "no column of it has the role label", "Give it in validation.roles, or name one with validation.label")
        return None
    first = next(iter(made.decided.values()))
    found = arm_labels(first, Arm(name=EVERY)) if made.held.own else made.valid.dataset.views([Role.LABEL]).collect().to_series()
    return None if found is None else code(found)


def _texts(data: Dataset, rows: npt.NDArray[Any], scores: Scores, domain: str | None, label: pl.Series | None) -> pl.DataFrame:
    """The columns of a pool, of rows by position."""
    import polars as pl

    views = [name for name in ("prompt", "context", "response", "text") if data.has(name)]
    frame = pl.concat([data.scan().select("row_id").collect(), data.views(views).collect()], how="horizontal")
    frame = frame.with_columns(pl.lit(None, pl.String).alias(n) for n in ("prompt", "context", "response", "text") if n not in views)
    tokens = row_tokens(scores)
    counted = pl.Series("tokens", tokens) if tokens is not None else (frame["text"].fill_null("").str.count_matches(r"\S+")).alias("tokens")
    value = (
        as_text(scores.column("cluster_number" if domain == "cluster" else domain, "domain"))
        if domain and scores.has("cluster_number" if domain == "cluster" else domain)
        else None
    )
    found = frame.with_columns(
        (label if label is not None else pl.Series([-1] * len(frame), dtype=pl.Int32)).alias("label"),
        (value if value is not None else pl.Series([None] * len(frame), dtype=pl.String)).alias("domain"),
        counted.cast(pl.Int32),
    )
    return found.select("row_id", "prompt", "context", "response", "text", "label", "domain", "tokens")[rows]


def _vectors(scores: Scores) -> npt.NDArray[np.float32]:
    """Unit embeddings of all rows, NaN in those without. float32 [rows, d]. Raises InputError where they are not measured."""
    import pyarrow as pa

    from curate.nearest import unit_vectors

    if EMBEDDING not in scores.measured:
        raise InputError("probe", "embeddings are not measured", "Add signals.embedding to the recipe; it needs a column of text")
    at, vectors = unit_vectors(pa.chunked_array([scores.vectors(EMBEDDING, "embedding_vector").to_arrow()]))
    found = np.full((scores.dataset.rows, vectors.shape[1]), np.nan, np.float32)
    found[at] = vectors
    return found
