"""Curate's own steps as cases: a function that prepares and returns the work to be timed."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.dataset import Dataset
from curate.export import export
from curate.load import load
from curate.measure import measure
from curate.planted import generate
from curate.recipe import parse_recipe
from curate.scores import Scores
from curate.signal import discover
from curate.task import plan
from curate.workspace import Workspace

Work = Callable[[], dict[str, Any] | None]
Case = Callable[[int, Path], Work]
Floats = npt.NDArray[np.float32]

STATIC = {"embedding": {"model": "wordllama"}}  # what is affordable at a million rows


def rows_file(rows: int, folder: Path) -> Path:
    """Generated rows, made once."""
    path = folder / f"rows-{rows}.jsonl"
    if not path.exists():
        generate(path, rows)
    return path


def loaded(rows: int, folder: Path) -> tuple[Dataset, Workspace]:
    """The generated rows in a workspace that the cases of a size share."""
    workspace = Workspace.at(folder / f"workspace-{rows}")
    return load(str(rows_file(rows, folder)), workspace), workspace


def case_load(rows: int, folder: Path) -> Work:
    """Read JSONL into a fresh workspace."""
    path, fresh = rows_file(rows, folder), folder / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    return lambda: {"megabytes": round(path.stat().st_size / 1e6, 1), "read": load(str(path), Workspace.at(fresh)).rows}


def signal_case(name: str) -> Case:
    """Measure one signal; those it needs are measured before, untimed, with the static embedding."""

    def prepare(rows: int, folder: Path) -> Work:
        dataset, workspace = loaded(rows, folder)
        tasks = {t.signal.name: t for t in plan(dataset, {**STATIC, name: {}})}
        task = tasks[name]
        measure(dataset, task.needs, workspace)
        shutil.rmtree(task.folder(workspace), ignore_errors=True)

        def work() -> dict[str, Any]:
            measure(dataset, [task], workspace)
            return {"parameters": dict(task.parameters)}

        return work

    return prepare


def scores_of(rows: int, folder: Path) -> Scores:
    """Generated rows with near duplicates and tokens measured."""
    dataset, workspace = loaded(rows, folder)
    tasks = plan(dataset, {"near_duplicate": {}, "tokens": {}})
    measure(dataset, tasks, workspace)
    return Scores(dataset, workspace, tasks)


def case_threshold(rows: int, folder: Path) -> Work:
    """Change the near-duplicate threshold 40 times, by both rules."""
    scores = scores_of(rows, folder)
    links, order = scores.links["near_duplicate"], np.lexsort((-scores.lengths.to_numpy().astype(np.int64),)).astype(np.int32)
    for rule in ("cover", "group"):
        links.gives_way(0.8, rule, order)

    def work() -> dict[str, Any]:
        found: dict[str, Any] = {"pairs": len(links.pairs.a)}
        for rule in ("cover", "group"):
            times = []
            for limit in np.linspace(0.5, 1, 20):
                start = time.perf_counter()
                links.gives_way(float(limit), rule, order)
                times.append(1e3 * (time.perf_counter() - start))
            found[f"{rule}_median_ms"] = round(statistics.median(times), 2)
        return found

    return work


def case_export(rows: int, folder: Path) -> Work:
    """Write the export of a near-duplicate threshold."""
    scores = scores_of(rows, folder)
    path = str(rows_file(rows, folder))
    recipe = parse_recipe({"dataset": {"path": path}, "signals": {"near_duplicate": {}, "tokens": {}}, "thresholds": {"near_duplicate": {"limit": 0.8}}}, "r")
    shutil.rmtree(folder / "out", ignore_errors=True)
    return lambda: {"kept": export(scores, recipe, folder / "out").kept}


def case_embedding_static(rows: int, folder: Path) -> Work:
    """Embed with the static model."""
    dataset, workspace = loaded(rows, folder)
    task = plan(dataset, STATIC)[0]
    shutil.rmtree(task.folder(workspace), ignore_errors=True)
    return lambda: measure(dataset, [task], workspace)


def case_near_duplicate(rows: int, folder: Path) -> Work:
    """Pairs and forest of texts in memory, as the peers get them; their likeness at every limit from .5 is known then."""
    from curate.links import link
    from curate.signals.near_duplicate import near_pairs

    dataset, _ = loaded(rows, folder)
    text = dataset.views(["text"]).collect()["text"]
    near_pairs(text[:2000])

    def work() -> dict[str, Any]:
        pairs, sampled = near_pairs(text)
        link("near_duplicate", pairs)
        return {"pairs": len(pairs.a), "sampled_rows": int(sampled.sum())}

    return work


def adversarial(shape: str) -> Case:
    """Near duplicates of rows that are all equal, all empty, or one template with one word changed."""

    def prepare(rows: int, folder: Path) -> Work:
        del folder
        import polars as pl

        from curate.signals.near_duplicate import near_pairs

        words = [f"word{i}" for i in range(60)]
        near_pairs(pl.Series([" ".join(words)] * 2))
        if shape == "template":
            rng = np.random.default_rng(0)
            made = [" ".join([*words[:at], f"filling{i}", *words[at + 1 :]]) for i, at in enumerate(rng.integers(0, 60, rows).tolist())]
        else:
            made = [" ".join(words) if shape == "equal" else ""] * rows
        text = pl.Series(made)

        def work() -> dict[str, Any]:
            pairs, sampled = near_pairs(text)
            return {"pairs": len(pairs.a), "classes": len(np.unique(pairs.twin)), "sampled_rows": int(sampled.sum())}

        return work

    return prepare


def after(work: Work, check: Callable[[], dict[str, Any]]) -> Work:
    """Work whose result is checked when it is no longer timed."""
    CHECKS.append(check)
    return work


CHECKS: list[Callable[[], dict[str, Any]]] = []


def case_crossfilter(rows: int, folder: Path) -> Work:
    """All histograms of 15 columns under a filter, 20 times."""
    from curate.crossfilter import bin_values, histograms
    from curate.signal import Column

    rng = np.random.default_rng(0)
    binned = [bin_values(rng.normal(size=rows), Column(f"c{i}", "Float64", "", "")) for i in range(15)]
    keeps = [rng.random(rows) < share for share in np.linspace(0.05, 0.95, 20)]
    histograms(binned, keeps[0])

    def work() -> dict[str, Any]:
        return {"columns": 15, "median_ms": _median_ms([partial(histograms, binned, keep) for keep in keeps])}

    return work


def _median_ms(works: Sequence[Callable[[], object]]) -> float:
    times = []
    for work in works:
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return round(statistics.median(times), 3)


def case_search(rows: int, folder: Path) -> Work:
    """Search the text for words, and the rows for what is close in meaning, once the vectors are held."""
    from curate.browse import closeness, meanings, search_rows

    dataset, workspace = loaded(rows, folder)
    tasks = plan(dataset, STATIC)
    measure(dataset, tasks, workspace)
    scores = Scores(dataset, workspace, tasks)
    held = meanings(scores)
    closeness(scores, "a word", held)

    def work() -> dict[str, Any]:
        words = ("river", "open garden", "zzz", "the", "Market")
        return {
            "words_ms": _median_ms([partial(search_rows, dataset, w) for w in words]),
            "meaning_ms": _median_ms([partial(closeness, scores, w, held) for w in words]),
        }

    return work


def case_forest(rows: int, folder: Path) -> Work:
    """Forest and line order of 4.2 random pairs a row, then every label, the curve and the cover rule."""
    from curate.groups import Hand, curve, curve_limits
    from curate.links import link
    from curate.signal import Pairs

    rng = np.random.default_rng(0)
    ends = np.sort(rng.integers(0, rows, (int(4.2 * rows), 2)).astype(np.int32), axis=1)
    _, first = np.unique(ends[:, 0].astype(np.int64) << 32 | ends[:, 1], return_index=True)
    ends = ends[first][ends[first, 0] < ends[first, 1]]
    alike = (0.5 + 0.5 * rng.random(len(ends)) ** 2).astype(np.float32)
    pairs = Pairs(np.arange(rows, dtype=np.int32), np.ascontiguousarray(ends[:, 0]), np.ascontiguousarray(ends[:, 1]), alike)
    order = rng.permutation(rows).astype(np.int32)
    everyone = Hand(order, np.ones(rows, np.bool_), np.zeros(rows, np.bool_))
    link("x", Pairs(np.arange(4, dtype=np.int32), pairs.a[:0], pairs.b[:0], pairs.similarity[:0]))

    def work() -> dict[str, Any]:
        start = time.perf_counter()
        links = link("x", pairs)
        build = time.perf_counter() - start
        links.gives_way(0.9, "cover", order)
        limits = np.linspace(0.5, 1, 20)
        return {
            "pairs": len(alike),
            "build_s": round(build, 3),
            "labels_ms": _median_ms([partial(links.labels, float(t)) for t in limits]),
            "curve_500_ms": _median_ms([partial(links.removed, np.linspace(0.5, 1, 500).astype(np.float32))] * 5),
            "cover_ms": _median_ms([partial(links.gives_way, float(t), "cover", order) for t in limits]),
            "cover_curve_ms": _median_ms([partial(curve, links, everyone, "cover", curve_limits(0.5))] * 3),
        }

    return work


OTHERWISE = {
    "contamination",
    "coverage",
    "confidence",
    "embedding",
    "grounding",
    "grounding_cosine",
    "grounding_gain",
    "grounding_score",
    "importance",
    "license",
    "machine_written",
    "mismatch",
    "near_duplicate",
    "neighbour",
    "perplexity",
    "reference_duplicate",
    "surprise",
}
"""Signals with a case of their own, or that need what generated rows have not."""

CASES: dict[str, Case] = {
    "load": case_load,
    **{name: signal_case(name) for name in discover() if name not in OTHERWISE},
    "near_duplicate": case_near_duplicate,
    **{f"near_{shape}": adversarial(shape) for shape in ("equal", "empty", "template")},
    "embedding_static": case_embedding_static,
    "crossfilter": case_crossfilter,
    "forest": case_forest,
    "search": case_search,
    "threshold": case_threshold,
    "export": case_export,
}
