"""Make a run: from a measured dataset and a plan to a folder that holds all that training needs, here or on another machine.

plan.yaml run.json pool.parquet validation.parquet arms.parquet [vectors.npy validation_vectors.npy] recipes/
cells/<key>/    one training each: curve.parquet, rows.parquet, cell.json (`curate.probes.train`)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
from curate.part import meant
from curate.probes.arms import Decided, arm_frame, arm_labels, edited, in_order, joined, lots, sizes_left
from curate.probes.beforehand import needed
from curate.probes.columns import Code, coder, texts
from curate.probes.held_out import HeldOut, hold_out, without_alike, without_edited
from curate.probes.noising import check_noise, suspected
from curate.probes.plan import EVERY, Arm, Plan
from curate.probes.probe import VECTORS, Pool, Probe, probe_of
from curate.probes.run import model_of
from curate.probes.usable import EMBEDDING, check_roles, unit_rows, usable
from curate.recipe import Recipe, dump_recipe, load_recipe
from curate.reviews import fold, read_log
from curate.roles import Role
from curate.scores import Scores, read_scores
from curate.task import plan as tasks_of
from curate.view import as_text
from curate.workspace import Workspace, digest, whole_folder, write_file, write_json

if TYPE_CHECKING:
    import polars as pl

__all__ = ["decided", "dump_plan", "gather"]

Bools = npt.NDArray[np.bool_]
PLAN = "plan.yaml"
MOST_DOMAINS = 200


def dump_plan(plan: Plan) -> str:
    """A plan as YAML, defaults written out."""
    import yaml

    return str(yaml.safe_dump(plan.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100))


@dataclass(frozen=True)
class _Made:
    """What a run's folder is written from. lacking: how many rows of the dataset lack what the probe needs, by what that is.

    model: the identity of the model that the probe trains, None where it trains none.
    """

    plan: Plan
    probe: Probe
    decided: Mapping[str, Decided]
    held: HeldOut
    valid: Scores
    free: Bools
    lacking: Mapping[str, int]
    model: str | None

    @property
    def first(self) -> Decided:
        """An arm's; all are over the same rows."""
        return next(iter(self.decided.values()))


def gather(recipe: Recipe, plan: Plan, workspace: Workspace, beside: Path, key: str | None = None, tell: Tell | None = None) -> Path:
    """Measure what is missing, and write the run's folder; the same plan on the same rows is the same folder. beside: what paths of the plan are relative to.

    Raises InputError where the probe, an arm or the validation rows rest on what is not there.
    """
    dataset = dataset_of(recipe, workspace, key, tell)
    probe = probe_of(plan.probe).asked(dataset, plan.parameters)
    check_roles(dataset, probe)
    plan = plan.whole
    embed = probe.vectors or plan.validation.semantic is not None
    first = decided(recipe, dataset, workspace, embed, tell)
    every = {arm.name: first if arm.recipe is None else _other(beside / arm.recipe, first, embed, tell) for arm in plan.arms}
    other = None if plan.validation.path is None else load(str(beside / plan.validation.path), workspace, roles=plan.validation.roles, progress=tell)
    valid = first.scores if other is None else _validated(other, first, embed, tell)
    here = usable(dataset, probe, arm_labels(first, Arm(name=EVERY, rows="all")), unit_rows(first.scores) if embed else None)
    there = usable(valid.dataset, probe, _truth(first, valid, plan, probe), unit_rows(valid) if embed else None)
    held = hold_out(first.scores, plan.validation, other, there.rows & here.rows if other is None else there.rows)
    if plan.validation.semantic is not None:
        held = without_alike(held, unit_rows(first.scores), unit_rows(valid), plan.validation.semantic)
    held = _without_edited(held, [every[arm.name] for arm in plan.arms if arm.rows == "kept" and not arm.of], plan)
    free = here.rows & ~held.taken & ~held.leaked
    plan = sizes_left(plan, every, free)
    made = _Made(plan, probe, every, held, valid, free, here.lacking, model_of(plan))
    folder = workspace.root / "probes" / _name(made)
    if not folder.exists():
        with whole_folder(folder) as into:
            _write(made, into)
    elif (folder / PLAN).read_text(encoding="utf-8") != dump_plan(plan):  # what it costs, when to stop and what is asked are no part of the name
        write_file(folder / PLAN, lambda path: path.write_text(dump_plan(plan), encoding="utf-8"))
    return folder


def decided(recipe: Recipe, dataset: Dataset, workspace: Workspace, embed: bool, tell: Tell | None) -> Decided:
    """A recipe over its dataset, with what it needs measured, and embeddings where they are asked for."""
    tasks = read_scores(dataset, needed(recipe, embed), workspace).tasks
    measure(dataset, tasks, workspace, "pool", tell)
    marked = fold(read_log(Path(recipe.reviews.path), recipe.reviews.lines)).marked if recipe.reviews else ()
    return Decided(Scores(dataset, workspace, tasks), recipe, marked)


def _other(path: Path, first: Decided, embed: bool, tell: Tell | None) -> Decided:
    """Another recipe, which must be over the same rows."""
    recipe, workspace = load_recipe(path), first.scores.workspace
    data = dataset_of(recipe, workspace, None, tell)
    if data.fingerprint != first.scores.dataset.fingerprint:
        raise InputError(str(path), f"is over {data.name}, not over the rows of {first.scores.dataset.name}", "Compare recipes over one dataset")
    return decided(recipe, data, first.scores.workspace, embed, tell)


def _without_edited(held: HeldOut, every: Iterable[Decided], plan: Plan) -> HeldOut:
    """With the rows that leak as people edited them in any of the arms' logs. Of an edited text no meaning is measured; how many there are is told."""
    logs = {tuple(r.id for r in found.marked): found for found in every if found.marked}
    rows = set[int]()
    for found in logs.values():
        mine, text = edited(found)
        held = without_edited(held, mine, text, plan.validation.near) if len(mine) else held
        rows |= {*mine[~(held.taken | held.leaked)[mine]].tolist()}
    return replace(held, unread=len(rows) if plan.validation.semantic is not None else 0)


def _validated(other: Dataset, first: Decided, embed: bool, tell: Tell | None) -> Scores:
    """The scores of another file's rows that the probe needs: embeddings by the same model."""
    task = first.scores.measured.get(EMBEDDING)
    tasks = tasks_of(other, {EMBEDDING: task.parameters} if embed and task else {})
    measure(other, tasks, first.scores.workspace, "pool", tell)
    return Scores(other, first.scores.workspace, tasks)


def _truth(first: Decided, valid: Scores, plan: Plan, probe: Probe) -> pl.Series | None:
    """Labels of the dataset that validates; as people corrected them where it is the one that is trained on. None where the probe needs none and none is."""
    asked = plan.validation.label
    if asked is not None:
        return valid.column(asked, "validation.label")
    if valid is first.scores:
        return arm_labels(first, Arm(name=EVERY))
    if valid.dataset.has(Role.LABEL):
        return valid.dataset.views([Role.LABEL]).collect().to_series()
    if "label" in probe.needs:
        raise InputError("validation", "no column of it has the role label", "Give it in validation.roles, or name one with validation.label")
    return None


def _name(made: _Made) -> str:
    """The run's name: of the plan, the rows, and all that decides what the arms hold."""
    data = made.held.dataset
    arms = {n: [d.recipe.model_dump(mode="json"), [r.id for r in d.marked], [t.key for t in d.scores.tasks]] for n, d in made.decided.items()}
    one = made.first.scores.dataset
    said = made.plan.model_dump(mode="json", exclude={"about", "price", "stop", "margin"})
    roles, model = {str(k): v for k, v in data.roles.items()}, [made.model] if made.model else []
    return digest([said, arms, one.key, one.fingerprint, data.key, data.fingerprint, roles, made.probe.version, *model])


def _write(made: _Made, into: Path) -> None:
    first, held, domain = made.first, made.held, made.plan.domain
    data, names = first.scores.dataset, _classes(made)
    code, free = coder(names), np.flatnonzero(made.free)
    given, truth = arm_labels(first, Arm(name=EVERY, rows="all")), _truth(first, made.valid, made.plan, made.probe)
    _check_domain(made)
    _check_rows(made, names)
    texts(data, free, first.scores, domain, None if given is None else code(given)).write_parquet(into / "pool.parquet")
    texts(held.dataset, held.at, made.valid, domain, None if truth is None else code(truth)).write_parquet(into / "validation.parquet")
    if made.probe.vectors:
        np.save(into / VECTORS[0], unit_rows(first.scores)[free])
        np.save(into / VECTORS[1], unit_rows(made.valid)[held.at])
    arms = _write_arms(made, free, code, into)
    _check_noise(made.plan, names, into)
    (into / PLAN).write_text(dump_plan(made.plan), encoding="utf-8")
    (into / "recipes").mkdir()
    for at, (name, found) in enumerate(made.decided.items()):
        (into / "recipes" / f"{at}.yaml").write_text(f"# {name.encode('unicode_escape').decode()}\n{dump_recipe(found.recipe)}", encoding="utf-8")
    told = _told(made, names, arms, _untaught(made, names, into))
    noisy = any(arm.noise is not None for arm in made.plan.arms)
    write_json(into / "run.json", {**told, **({"suspected": suspected(Pool(into, tuple(names)))} if noisy else {})})


def _write_arms(made: _Made, free: npt.NDArray[np.int64], code: Code, into: Path) -> dict[str, dict[str, int | bool]]:
    """The rows of all arms; what the manifest says of each. Raises InputError where one has none."""
    import polars as pl

    place = np.full(len(made.free), -1, np.int32)
    place[free] = np.arange(len(free), dtype=np.int32)
    own = {arm.name: arm_frame(made.decided[arm.name], arm, made.free, code) for arm in made.plan.arms if not arm.of}
    frames, told = [], dict[str, dict[str, int | bool]]()
    for arm in made.plan.arms:
        frame = joined(own, arm.of) if arm.of else own[arm.name]
        labelled = frame.filter(pl.col("label") >= 0) if "label" in made.probe.needs else frame
        if not len(labelled):
            why = f"{len(frame):,} rows, none of them with a label" if len(frame) else f"none of the {made.free.sum():,} rows that may be trained on"
            raise InputError(f"arms.{arm.name}", f"has {why}", "Loosen its recipe or what it is narrowed by")
        told[arm.name] = {"rows": len(labelled), "ordered": in_order(arm, made.decided[arm.name].recipe), "unlabelled": len(frame) - len(labelled)}
        told[arm.name] |= {"lots": lots(made.decided[arm.name], arm)} if arm.between else {}
        frames.append(labelled.select(pl.lit(arm.name).alias("arm"), pl.Series("row", place[labelled["row"].to_numpy()]), pl.exclude("row")))
    pl.concat(frames).write_parquet(into / "arms.parquet")
    return told


def _check_noise(plan: Plan, names: Sequence[str], into: Path) -> None:
    """Raises InputError where the labels of an arm do not bear the noise that it asks for."""
    import polars as pl

    given = pl.read_parquet(into / "pool.parquet", columns=["label"])["label"].to_numpy()
    for arm in plan.arms:
        if arm.noise is not None:
            mine = pl.read_parquet(into / "arms.parquet", columns=["arm", "label"]).filter(pl.col("arm") == arm.name)["label"].to_numpy()
            check_noise(names, given, mine, arm.noise, f"arms.{arm.name}.noise")


def _check_domain(made: _Made) -> None:
    """Raises InputError where the rows that validate cannot be told apart by the plan's domain."""
    domain = made.plan.domain
    if domain is None:
        return
    if not made.valid.has(meant(domain)):
        known = ", ".join([*(str(r) for r in made.valid.dataset.roles), *(n for n, _ in made.valid.dataset.columns)])
        raise InputError("domain", f"{domain!r} is no column, role or score of the rows of {made.valid.dataset.name}", f"There are {known}")
    values = as_text(made.valid.column(meant(domain), "domain")).gather(made.held.at).n_unique()
    if values > MOST_DOMAINS:
        raise InputError("domain", f"{domain!r} has {values:,} values among the validation rows", f"Name one of at most {MOST_DOMAINS}")


def _check_rows(made: _Made, names: Sequence[str]) -> None:
    """Raises InputError where no row is left to train on, or no two labels are there to be told apart."""
    if "label" in made.probe.needs and len(names) < 2:
        raise InputError(f"probe {made.probe.name}", "there are fewer than two labels", "Give rows of two labels, or take another probe")
    if not made.free.any():
        held, rows = made.held, len(made.free)
        lacking = "".join(f", {many:,} lack a {what}" for what, many in made.lacking.items())
        told = f"of {rows:,} rows {held.taken.sum():,} validate, {held.leaked.sum():,} are like one of those{lacking}"
        raise InputError("validation", f"no row is left to train on: {told}", "Give more rows, or other rows of validation")


def _untaught(made: _Made, names: Sequence[str], into: Path) -> int:
    """Validation rows with a label that no row has. Raises InputError where that is all of them."""
    import polars as pl

    if "label" not in made.probe.needs:
        return 0
    asked, taught = (pl.read_parquet(into / file, columns=["label"])["label"] for file in ("validation.parquet", "arms.parquet"))
    there = asked.is_in(taught.unique().implode())
    if not there.any():
        mine, theirs = (", ".join(repr(names[i]) for i in found.unique().sort()[:5] if i >= 0) for found in (taught, asked))
        raise InputError("validation", f"its labels are {theirs}, and those that are trained on {mine}", "Give it the dataset's labels")
    return int((~there).sum())


def _told(made: _Made, names: Sequence[str], arms: Mapping[str, Mapping[str, Any]], untaught: int) -> dict[str, Any]:
    data = made.first.scores.dataset
    return {
        "curate": __version__,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "dataset": {"name": data.name, "key": data.key, "rows": data.rows, "fingerprint": data.fingerprint, "lacking": dict(made.lacking)},
        "validation": {**made.held.told(), "untaught": untaught},
        "pool": int(made.free.sum()),
        "probe": {"name": made.probe.name, "version": made.probe.version},
        "model": made.model,
        "classes": list(names),
        "arms": dict(arms),
    }


def _classes(made: _Made) -> list[str]:
    """Every label that an arm or the validation has, in the labels' own order."""
    import polars as pl

    from curate.label import classes

    if not (made.probe.labels or "label" in made.probe.needs):
        return []
    found = [arm_labels(made.decided[arm.name], arm) for arm in made.plan.arms]
    found.append(_truth(made.first, made.valid, made.plan, made.probe))
    given = [column for column in found if column is not None]
    alike = len({column.dtype for column in given}) == 1
    return classes(pl.concat([(c if alike else as_text(c)).alias("label") for c in given]))[1] if given else []
