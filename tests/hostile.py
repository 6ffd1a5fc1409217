"""A room whose every word is hostile: texts, values, names of columns, files, arms, tags and metrics that would run or load something were they ever more than
read; and a recipe that uses every part of the house on them."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import yaml

from curate.dataset import Dataset
from curate.export import run
from curate.lineage import roll_back
from curate.load import load
from curate.measure import measure
from curate.probes.following import follow
from curate.probes.gather import gather
from curate.probes.read import parse_plan
from curate.probes.run import open_run
from curate.probes.train import train
from curate.recipe import Recipe, load_recipe
from curate.reviews import Action, Review, append
from curate.scores import read_scores
from curate.synthetic.gate import gate
from curate.task import plan
from curate.versions import read_version
from curate.workspace import Workspace
from tests.grown import made

EVIL = "evil.invalid"
TEXTS = [
    f'<img src="http://{EVIL}/img.png" onerror="window.ran=1">',
    f"![picture](http://{EVIL}/markdown.png) [link](javascript:window.ran=2) <http://{EVIL}/auto>",
    f"<script>window.ran=3</script><svg onload=window.ran=4><style>@import url(http://{EVIL}/a.css); * {{ display: none }}</style>",
    f'</div></span><iframe srcdoc="<script>parent.ran=5</script>"></iframe><link rel=stylesheet href=//{EVIL}/b.css>',
    f'&lt;img src=//{EVIL}/c.png&gt; &#60;img src=//{EVIL}/d.png&#62; " onmouseover="window.ran=6" \' `',
    f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=//{EVIL}/e.png onerror=window.ran=7&gt;'>",
    f":material/home: :red[red] $\\href{{http://{EVIL}/tex}}{{x}}$ | a | b |\n|---|---|\n```\n</code></pre><img src=//{EVIL}/f.png>",
    "user\u202ereversed\u202c zero\u200bwidth \u2066isolate bell\x07 escape\x1b[31m nul\x00 delete\x7f c1\x85\x9b bom\ufeff",
    "x" * 30_000,
    "שלום עולם مرحبا 你好 e\u0301 👩‍👩‍👧",
    '=HYPERLINK("http://evil.invalid/x","y")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
]
"""The worst that a cell may hold."""

_IMAGE = f"![n](http://{EVIL}/%s.png)<img src=//{EVIL}/%s.gif onerror=window.ran=8>"


def _name(word: str) -> str:
    """A column's name of SQL, Markdown and HTML."""
    return f"{word}\"; DROP TABLE rows; -- {_IMAGE % (word, word)} ' `{word}` $x$ <b>{word}</b>"


NAMES = {word: _name(word) for word in ("prompt", "context", "response", "label", "source", "licence", "split", "number", "confidence", "rater_1", "rater_2")}
ROLES: dict[str, Any] = {role: NAMES[role] for role in ("prompt", "context", "response", "label", "source", "split", "confidence")}
ROLES |= {"license": NAMES["licence"], "annotations": [NAMES["rater_1"], NAMES["rater_2"]]}


def rows(many: int = 96) -> list[dict[str, Any]]:
    """Each text eight times, near copies among them, under hostile labels, sources, licences, splits and ratings."""
    found = []
    for i in range(many):
        text, values = TEXTS[i % len(TEXTS)], [f"{TEXTS[j]} {j}" for j in range(4)]
        said = {"prompt": text, "context": f"{text} and {TEXTS[(i + 1) % 7]}", "response": f"{text} some more words that stand at the end {i // 24}"}
        said |= {"label": values[(i + (i % 9 == 0)) % 3], "source": values[i % 4], "licence": values[3] if i % 5 else "CC-BY-4.0", "split": values[i // 48]}
        more = {"number": float(i), "confidence": (i + 1) / many, "rater_1": values[i % 3], "rater_2": values[(i + (i % 7 == 0)) % 3]}
        found.append({NAMES[word]: value for word, value in {**said, **more}.items()})
    return found


def pages() -> dict[str, str]:
    """The path of each page → its title, as app.py names them."""
    found = {}
    for node in ast.walk(ast.parse((Path(__file__).parent.parent / "app.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "Page":
            given = {k.arg: ast.literal_eval(k.value) for k in node.keywords}
            found[given.get("url_path", "")] = given["title"]
    return found


def recipe_of(folder: Path, model: Path) -> Path:
    """The rows as a file and a recipe over them."""
    name = f"![f](http:||{EVIL}|file.png)<img src=x onerror=window.ran=9>.jsonl".replace("|", "\\")
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    reference = folder / f"![r](http:||{EVIL}|reference.png).jsonl".replace("|", "\\")
    reference.write_text("".join(json.dumps({"text": f"{text} and {text} some words of the evaluation set"}) + "\n" for text in TEXTS), encoding="utf-8")
    tiny = {"model": str(model), "max_tokens": 32}
    signals: dict[str, Any] = {
        name: {} for name in ("exact_duplicate", "near_duplicate", "neighbour", "semantic_duplicate", "text_quality", "pii", "grounding")
    }
    signals |= {name: {} for name in ("label_issue", "multiannotator", "machine_written", "license", "confidence", "coverage")}
    signals |= {"embedding": {"model": "wordllama"}, "projection": {"epochs": 20}, "cluster": {"count": 3}, "tokens": {"model": str(model)}, "perplexity": tiny}
    signals |= {"contamination": {"reference": [str(reference)], "ngram": 3, "semantic": False}, "influence": {"share": 0.2, "domain": "source"}}
    signals |= {"mismatch": {**tiny, "reference_model": str(model)}, "reference_duplicate": {"reference": str(reference)}}
    asked = {
        "dataset": {"path": str(folder / name), "roles": ROLES},
        "signals": signals,
        "thresholds": {
            "near_duplicate": {"limit": 0.97, "keeper": "first"},
            NAMES["number"]: {"keep": "below", "limit": 90},
            "text_quality_words": {"keep": "below", "limit": 90_000},
        },
        "rank": {"score": "`" + NAMES["number"].replace("`", "``") + "` + confidence"},
        "budget": {"share": 0.9, "per": "source", "floor": {f"{TEXTS[0]} 0": 2}},
        "curriculum": {"by": NAMES["number"], "interleave": "source"},
        "weights": {"balance": "source", "trust": {NAMES["source"]: {f"{TEXTS[0]} 0": 0.5}}},
        "personal": {"treat": "redact"},
        "licenses": {"unknown": "keep"},
        "export": {"formats": ["parquet", "jsonl"], "order": "curriculum", "weight": "weights"},
    }
    (folder / "hostile.yaml").write_text(yaml.safe_dump(asked, allow_unicode=True), encoding="utf-8")
    return folder / "hostile.yaml"


def room(folder: Path, model: Path) -> tuple[Path, Workspace, Dataset]:
    """The recipe; a workspace in which all that it names is measured, two Versions are written, people decided, rows were generated, and trainings are told."""
    path, work = recipe_of(folder, model), Workspace.at(folder / "workspace")
    recipe = load_recipe(path)
    data = load(recipe.dataset.path, work, roles=recipe.dataset.roles)
    measure(data, plan(data, recipe.signals), work, "inline")
    ids = data.scan().select("row_id").collect()["row_id"].to_list()
    log = work.reviews(data.fingerprint)
    append(log, Review("recipe", "s", recipe=recipe.model_dump(mode="json", exclude_none=True)))
    told: list[tuple[Action, int, str | None]] = [("label", 5, TEXTS[2]), ("tag", 6, TEXTS[3]), ("judge", 7, "bad"), ("judge", 8, "good"), ("drop", 9, None)]
    for action, row, value in told:
        append(log, Review(action, "s", by=f"{TEXTS[0]} reader", rows=(ids[row],), value=value, why=TEXTS[1]))
    append(log, Review("edit", "s", by=TEXTS[1], rows=(ids[10],), column=NAMES["response"], value=TEXTS[4], given=rows()[10][NAMES["response"]]))
    _versions(work, path)
    _training(work, folder)
    _probe(work, path)
    _generated(work, recipe, data)
    return path, work, data


def _versions(work: Workspace, path: Path) -> None:
    recipe = load_recipe(path)
    first = run(recipe, work, None, "inline").out
    run(recipe.with_threshold("text_quality_words", None), work, None, "inline")
    roll_back(work, read_version(first), f"{TEXTS[0]} {TEXTS[1]}")


def _training(work: Workspace, folder: Path) -> None:
    named = f"eval_{TEXTS[0]}_loss"
    history = [{"step": 10 * i, "loss": value, named: value} for i, value in enumerate([3, 2.4, 2, 1.8, 1.7, 1.62, 1.7, 2.3, 3.5])]
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": history}), encoding="utf-8")
    follow(work, folder / "trainer_state.json", f"{TEXTS[0]} {TEXTS[1]}")


def _probe(work: Workspace, path: Path) -> None:
    arms = [{"name": f"{TEXTS[i]} arm", "rows": "all", **({"where": {NAMES["source"]: f"{TEXTS[0]} 0"}} if i else {})} for i in range(2)]
    asked = {"probe": "head", "about": f"{TEXTS[1]} {TEXTS[0]}", "arms": arms, "sizes": [12], "amounts": [{"epochs": 2}], "seeds": 2, "domain": "source"}
    train(open_run(gather(load_recipe(path), parse_plan({**asked, "looks": 2, "validation": {"share": 0.3, "seed": 1}}, "plan"), work, path.parent)))


def _generated(work: Workspace, recipe: Recipe, data: Dataset) -> None:
    scores = read_scores(data, recipe, work)
    said = [{"prompt": f"{text} {i}", "response": f"{text} made {i}", "label": f"{TEXTS[0]} 0", "source": f"{TEXTS[0]} 0"} for i, text in enumerate(TEXTS)]
    gate(scores, recipe, made(scores, said))
