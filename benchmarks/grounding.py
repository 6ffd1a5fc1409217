"""Grounding with truth: 360 answers that people rated against their context, and 4,507 answers without a context, of which 815 were found to be invented.

What a panel of 30 ratings is worth is simulated: 30 rows drawn, the best measure chosen on them, or all fitted to them, and looked at on all other rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.cases import Work
from benchmarks.news import SHARED

__all__ = ["case_closed_book", "case_grounding"]

Floats = npt.NDArray[np.float64]
PANEL, DRAWS = 30, 200
LOSSES = 600  # answers without a context that a language model reads


def _measured(views: Mapping[str, list[str]], gain: bool) -> dict[str, Floats]:
    """Every measure of grounding, higher is better."""
    import pyarrow as pa

    from curate.signal import discover

    found: dict[str, Floats] = {}
    for name in ("grounding", "grounding_cosine", *(("grounding_gain",) if gain else ())):
        signal = discover()[name]
        batch = signal.compute(pa.record_batch({n: pa.array(views[n], pa.large_string()) for n in signal.inputs}))
        for column in signal.columns:
            if column.keep is not None:
                values = np.array([np.nan if v is None else v for v in batch.column(column.name).to_pylist()], np.float64)
                found[column.name] = values if column.keep == "above" else -values
    return found


def _panels(measures: Mapping[str, Floats], good: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Mean area on the rows that a panel did not hold: of what it chose, of all fitted to it, of each row's best in hindsight."""
    from curate.calibration import area, combination, formula
    from curate.rank import rank_score

    rng, rows, names = np.random.default_rng(0), len(good), [*measures]
    chosen, fitted, choice = [], [], []
    ranks = {n: rank_score(f"rank({n})", measures.__getitem__, rows) for n in names}
    for _ in range(DRAWS):
        at = rng.permutation(rows)[:PANEL]
        rest = np.setdiff1d(np.arange(rows), at)
        if good[at].all() or not good[at].any():
            continue
        areas = {n: area(np.nan_to_num(measures[n][at]), good[at])[0] or 0.0 for n in names}
        best = max(areas, key=areas.__getitem__)
        text = formula(names, measures.__getitem__, rows, at, good[at])
        told = rank_score(text, measures.__getitem__, rows)
        chosen.append(area(np.nan_to_num(measures[best][rest]), good[rest])[0] or 0.0)
        fitted.append(area(told[rest], good[rest])[0] or 0.0)
        together = area(combination({n: r[at] for n, r in ranks.items()}, good[at], np.arange(PANEL)), good[at])[0] or 0.0
        choice.append(fitted[-1] if together >= areas[best] else chosen[-1])
    return {"best_of_panel": float(np.mean(chosen)), "all_fitted": float(np.mean(fitted)), "higher_of_both": float(np.mean(choice))}


def case_grounding(rows: int, folder: Path) -> Work:
    """Rank correlation with people's ratings of each measure and of the fitted score, and what panels of 30 ratings choose."""
    del folder
    path = SHARED / "topical-chat-usr" / "topical_chat.json"
    if rows != 10_000 or not path.exists():
        return lambda: {"skipped": "it is one set of 360 rows, beside the project"}
    import pyarrow as pa
    from scipy.stats import spearmanr

    from curate.calibration import area
    from curate.signals import grounding, grounding_score

    read = json.loads(path.read_text(encoding="utf-8"))
    views = {"prompt": [r["source"] for r in read], "context": [r["context"] for r in read], "response": [r["system_output"] for r in read]}
    rating = np.array([r["scores"]["groundedness"] for r in read], np.float64)
    told = np.array([not r["context"].startswith("_nofact") for r in read])

    def work() -> dict[str, Any]:
        measures = _measured(views, gain=True)
        plain = grounding.SIGNAL.compute(pa.record_batch({n: pa.array(views[n], pa.large_string()) for n in grounding.SIGNAL.inputs}))
        columns = {**views, "rating": rating, "grounding_context_words": plain.column("grounding_context_words")}
        columns |= {n: measures[n] for n in grounding_score.SIGNAL.inputs if n in measures}
        score = np.array(grounding_score.SIGNAL.compute(pa.table({n: columns[n] for n in grounding_score.SIGNAL.inputs if n in columns}))["grounding_score"])
        correlation = {n: round(float(spearmanr(v, rating)[0]), 3) for n, v in {**measures, "grounding_score": score}.items()}
        where = {n: round(float(spearmanr(v[told], rating[told])[0]), 3) for n, v in {**measures, "grounding_score": score}.items()}
        good = rating >= 0.5
        areas = {n: round(area(v, good)[0] or 0, 3) for n, v in measures.items()}
        return {
            "spearman": correlation,
            "spearman_with_a_context": where,
            "rows_with_a_context": int(told.sum()),
            "auroc": areas,
            "panel": _panels(measures, good),
        }

    return work


def case_closed_book(rows: int, folder: Path) -> Work:
    """Answers without a context: what measures of grounding say with the question in its place, beside length and perplexity: AUROC with its interval."""
    del folder
    path = next(iter((SHARED / "halueval-general").glob("*.json*")), Path())
    if rows != 10_000 or not path.is_file():
        return lambda: {"skipped": "it is one set of 4,507 rows, beside the project"}
    import gzip

    import pyarrow as pa

    from curate.calibration import area
    from curate.signals.perplexity import SIGNAL as PERPLEXITY

    text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode()
    read = [json.loads(line) for line in text.splitlines() if line.strip()]
    good = np.array([r["hallucination"] != "yes" for r in read])
    views = {"prompt": [""] * len(read), "context": [r["user_query"] for r in read], "response": [r["chatgpt_response"] for r in read]}

    def work() -> dict[str, Any]:
        measures = _measured(views, gain=False) | {"shorter": -np.array([float(len(r)) for r in views["response"]])}
        found = {n: [round(float(v or 0), 3) for v in area(values[~np.isnan(values)], good[~np.isnan(values)])] for n, values in measures.items()}
        at = np.random.default_rng(0).permutation(len(read))[:LOSSES]
        asked = {"prompt": [views["context"][i] for i in at], "response": [views["response"][i] for i in at]}
        asked["context"] = [""] * len(at)
        asked["text"] = ["\n".join(both) for both in zip(asked["prompt"], asked["response"], strict=True)]
        losses = PERPLEXITY.compute(pa.record_batch({n: pa.array(asked[n], pa.large_string()) for n in PERPLEXITY.inputs}))
        for name in ("perplexity_response", "perplexity_ifd"):
            values = np.array([np.nan if v is None else -v for v in losses.column(name).to_pylist()], np.float64)
            found[name] = [round(float(v or 0), 3) for v in area(values[~np.isnan(values)], good[at][~np.isnan(values)])]
        return {"answers": len(read), "read_by_the_model": LOSSES, "invented": int((~good).sum()), "auroc": found}

    return work
