"""Does "stop" hold? Learning curves of the head on news that people labelled, as given and all right, and on Banking77: from the first sizes the later ones
are foretold, and measured. And how many clean rows the noisy news are worth."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import Work
from benchmarks.news import NEWS, SHARED, SKIPPED, read_news
from curate.probes.learning_curve import FEWEST, Curve, curve, curves_of, estimate, learning_curve_plan
from curate.probes.plan import Price, Stop, Validation
from curate.probes.stopping import break_even, clean_equivalent, curve_words, pair_words, verdict
from curate.roles import Role

__all__ = ["case_curves"]

BANKING = SHARED / "banking77"
LIMIT = 1.0  # points


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _curves(folder: Path, name: str, rows: list[dict[str, str]], tested: list[dict[str, str]], clean: str | None) -> list[Curve]:
    """The curves of a run of the preset on some rows, measured by others."""
    from curate.probes.gather import gather
    from curate.probes.run import open_run
    from curate.probes.train import train
    from curate.recipe import parse_recipe
    from curate.workspace import Workspace

    _write(folder / f"{name}.jsonl", rows)
    _write(folder / f"{name}-test.jsonl", tested)
    roles: dict[Role, str | list[str]] = {Role.PROMPT: "text", Role.LABEL: "label"}
    asked = {
        "dataset": {"path": str(folder / f"{name}.jsonl"), "roles": {str(k): v for k, v in roles.items()}},
        "signals": {"embedding": {"model": "wordllama"}},
    }
    validation = Validation(path=f"{name}-test.jsonl", roles=roles, most=4000)
    plan = learning_curve_plan(len(rows), "head", clean, validation)
    run = open_run(gather(parse_recipe(asked, "recipe"), plan, Workspace.at(folder / "curves"), folder))
    train(run)
    return curves_of(run)


def _foretold(whole: Curve) -> dict[str, Any]:
    """Each later size from the first ones, and what a rule of LIMIT points for these rows would say of going on to it."""
    found = [_one(whole, part, at) for n in range(FEWEST, len(whole.measured.sizes)) for part in [curve(whole.measured.first(n))] if part.law
             for at in range(n, len(whole.measured.sizes))]  # fmt: skip
    sums = dict[str, Any]()
    for name, mine in (("may_be_read", [f for f in found if f["may_be_read"]]), ("beyond", [f for f in found if not f["may_be_read"]])):
        if mine:
            off = round(float(np.mean([abs(f["off_points"]) for f in mine])), 2)
            sums[name] = {"foretold": len(mine), "mean_off_points": off, **{n: sum(f[n] for f in mine) for n in ("held", "gain_held")}}
    stopped = [f for f in found if f["said"] == "stop"]
    sums["said_stop"] = {"times": len(stopped), "bought_no_more_than_the_limit": sum(f["bought_points"] <= LIMIT for f in stopped)}
    return {**sums, "refused": [int(n) for n in range(FEWEST, len(whole.measured.sizes)) if curve(whole.measured.first(n)).refused], "each": found}


def _one(whole: Curve, part: Curve, at: int) -> dict[str, Any]:
    """A later size, foretold and measured: how far off, in points, and whether the interval of the difference, in the same draws, holds 0."""
    assert part.law is not None
    assert whole.resampled is not None
    size, last = float(whole.measured.sizes[at]), len(part.measured.sizes) - 1
    seen, told = whole.resampled[:, at], part.law.error(size)
    bought, gain = whole.resampled[:, last] - seen, part.law.error(part.largest) - told
    rule = Stop(rows=int(size - part.largest), gain=LIMIT)
    return {
        "from": int(part.largest),
        "to": int(size),
        "may_be_read": bool(size <= part.reach),
        "off_points": round(100 * float(told[0] - seen[0]), 2),
        "held": _holds(told - seen),
        "gain_points": {name: round(100 * value, 2) for name, value in asdict(estimate(gain)).items()},
        "bought_points": round(100 * float(bought[0]), 2),
        "gain_held": _holds(gain - bought),
        "said": verdict(part, rule)[0],
    }


def _holds(off: Any) -> bool:
    """Whether the interval of what was measured less what was foretold, in the same draws, holds 0."""
    found = estimate(off)
    return bool(found.low <= 0 <= found.high)


def _told(whole: Curve) -> dict[str, Any]:
    law = whole.law
    fitted = {} if law is None else {name: round(float(getattr(law, name)[0]), 5) for name in "abc"}
    errors = {"mean": whole.measured.error.mean(0).round(4).tolist(), "deviation": whole.measured.error.std(0, ddof=1).round(4).tolist()}
    words = curve_words(whole, Price(), Stop())
    return {"sizes": whole.measured.sizes.astype(int).tolist(), "errors": errors, "law": fitted, "words": words, "foretold": _foretold(whole)}


def case_curves(rows: int, folder: Path) -> Work:
    """Curves, what the first sizes foretell of the later ones, and the clean-equivalent size of 10,000 noisy news."""
    read = read_news(rows)
    if read is None or not BANKING.exists():
        return lambda: {**SKIPPED}
    import gzip

    with gzip.open(NEWS / "samplesTest.csv.gz", "rt", encoding="utf-8") as file:
        tested = [{"text": row["text"], "label": row["gt"]} for row in csv.DictReader(file)]
    banking = []
    for name in ("train", "test"):
        with (BANKING / f"{name}.csv").open(encoding="utf-8") as lines:
            banking.append([{"text": row["text"], "label": row["category"]} for row in csv.DictReader(lines)])

    def work() -> dict[str, Any]:
        news = [{name: row[name] for name in ("text", "label", "gt")} for row in read]
        noisy, clean = _curves(folder, "news", news, tested, "gt")
        (intents,) = _curves(folder, "banking", banking[0], banking[1], None)
        pair: dict[str, Any] = {"words": pair_words(noisy, clean, Price())}
        if not (noisy.refused or clean.refused):
            gain, more = break_even(noisy, clean)
            pair |= {"clean_equivalent": asdict(clean_equivalent(noisy, clean)), "cleaning_buys_points": asdict(gain), "further_noisy_rows": asdict(more)}
        wrong = float(np.mean([row["label"] != row["gt"] for row in read]))
        pair |= {"noise_rate": wrong, "effective_information": round(len(read) * (1 - wrong))}
        return {"news_as_given": _told(noisy), "news_all_right": _told(clean), "banking77": _told(intents), "noisy_against_clean": _finite(pair)}

    return work


def _finite(value: Any) -> Any:
    """Infinite numbers as None, which JSON has."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    return None if isinstance(value, float) and not np.isfinite(value) else value
