"""What is asked for: from targets to single asks, each with the rows that it starts from; and from answers to the rows of a batch.

All of it follows from the dataset, the kept rows and the seed, so that the same question has the same name and goes on where it stopped.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from curate.measure import Tell
from curate.roles import Role
from curate.scores import Scores
from curate.signal import VIEWS
from curate.synthetic.batch import FORM
from curate.synthetic.generator import Ask, Generator, Options, Parent
from curate.synthetic.making import Line
from curate.synthetic.prompt import Prompt
from curate.synthetic.targets import Target, allot
from curate.view import as_text
from curate.workspace import digest

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Question", "batch_rows", "joined_license", "questions", "without_personal"]

FIELDS = tuple(name for name in VIEWS if name != "text")


@dataclass(frozen=True)
class Question:
    """One row that is wanted, before its parents are read. target: its place among the targets. rows: positions of the parents, the one drawn in turn first."""

    target: int
    rows: tuple[int, ...]
    seed: int


def questions(scores: Scores, targets: Sequence[Target], shots: int, seed: int) -> list[Question]:
    """What is wanted, targets mixed by what they want, so that a batch that ends early has some of each. shots: parents a question has at most.

    Every parent has its turn before one has a second. The others are drawn at random, of the same label where there are labels, but for a gap.
    """
    labels = _column(scores, Role.LABEL) if scores.dataset.has(Role.LABEL) else None
    found = []
    for number, target in enumerate(targets):
        chance = random.Random(digest([seed, target.name]))
        label = {p: labels[p] if labels is not None and target.kind != "gap" else None for p in target.parents}
        alike: dict[Any, list[int]] = {}
        for parent in target.parents:
            alike.setdefault(label[parent], []).append(parent)
        turns: list[int] = []
        for i in range(target.wanted):
            turns = turns or chance.sample(target.parents, len(target.parents))
            first = turns.pop()
            pool = alike[label[first]]
            drawn = chance.sample(pool, min(shots, len(pool)))
            others = [p for p in drawn if p != first][: shots - 1]
            found.append(((i + 0.5) / target.wanted, number, Question(number, (first, *others), chance.randrange(1 << 31))))
    return [question for *_, question in sorted(found, key=lambda f: f[:2])]


def _column(scores: Scores, role: str) -> pl.Series:
    return as_text(scores.dataset.views([role]).collect().to_series())


def read_parents(scores: Scores, rows: Sequence[int]) -> dict[int, Parent]:
    """Parents by position."""
    wanted = sorted({*rows})
    there = [*(name for name in (*FIELDS, Role.LABEL, Role.SOURCE, Role.LICENSE) if scores.dataset.has(name))]
    views = scores.dataset.rows_at(wanted, [*there])
    ids = scores.dataset.rows_at(wanted)["row_id"].to_list()
    texts = {name: as_text(views[name]).to_list() for name in there}
    none = [None] * len(wanted)
    columns = [texts.get(name, none) for name in (*FIELDS, Role.LABEL, Role.SOURCE, Role.LICENSE)]
    return {row: Parent(*values) for row, *values in zip(wanted, ids, *columns, strict=True)}


def without_personal(
    scores: Scores, found: Sequence[Target], rows: int | None, shots: int, seed: int, tell: Tell | None = None
) -> tuple[list[Question], tuple[Target, ...], list[str]]:
    """Questions none of whose parents hold personal data, keys or passwords; the targets without those rows; what was left out, one sentence each.

    Only rows that would be sent are looked through, and looked through anew where others take their turn. What a target without any row left would have had
    goes to the others. found: targets before rows are allotted to them; rows: as `curate.synthetic.targets.allot` has them.
    """
    clean, held, lost = set[int](), set[int](), list[str]()
    left = tuple(found)
    while True:
        now = allot(left, rows) if left and (rows is not None or not lost or any(t.lacks for t in left)) else ()
        asked = questions(scores, now, shots, seed)
        unseen = sorted({row for question in asked for row in question.rows} - clean)
        fresh = set[int]()
        for at in range(0, len(unseen), 256):
            if tell:
                tell("looking for personal data", len(clean) + len(held) + at, len(clean) + len(held) + len(unseen))
            fresh |= _personal(scores, unseen[at : at + 256])
        if not fresh:
            return asked, now, [f"{len(held):,} rows are not sent: personal data, keys or passwords are found in them"] * bool(held) + lost
        held |= fresh
        clean |= {*unseen} - fresh
        rest = [replace(t, parents=tuple(p for p in t.parents if p not in held)) for t in left]
        lost += [f"{t.name}: no row to start from is left without them; --personal sends them" for t in rest if not t.parents]
        left = tuple(t for t in rest if t.parents)


def _personal(scores: Scores, rows: Sequence[int]) -> set[int]:
    """Those of some rows in whose text personal data is found."""
    if not rows:
        return set()
    from curate.recogniser import REGIONS, TYPES
    from curate.signals.pii import find

    found = find(scores.dataset.rows_at(rows, ["text"])["text"], TYPES, 0.4, REGIONS)
    return {row for row, places in zip(rows, found, strict=True) if places}


def asks_of(scores: Scores, targets: Sequence[Target], asked: Sequence[Question], generator: Generator, prompts: Mapping[str, Prompt]) -> list[Ask]:
    """Questions with their parents read. A text is asked for where the first parent has it."""
    parents = read_parents(scores, [row for question in asked for row in question.rows])
    found = []
    for number, question in enumerate(asked):
        target, own = targets[question.target], tuple(parents[row] for row in question.rows)
        fields = tuple(name for name in FIELDS if (getattr(own[0], name) or "").strip())
        found.append(Ask(number, target.name, target.kind, target.value, own, fields, prompts[generator.prompts[target.kind]], question.seed))
    return found


def name_of(scores: Scores, asks: Sequence[Ask], generator: Generator, options: Options) -> str:
    """The name of a batch: a digest of all that decides what is asked. A limit, a price or a time changes it not."""
    told = [[a.target, [p.row_id for p in a.parents], a.fields, a.prompt.hash, a.seed] for a in asks]
    return digest([FORM, scores.dataset.key, generator.name, options.deciding, told])


def joined_license(licenses: Sequence[str | None]) -> str | None:
    """The licence of a row that was made from rows with these: theirs, all of which must be kept to. None where one of them is not known."""
    from curate.license import parse, together

    distinct = [*dict.fromkeys(licenses)]
    if len(distinct) == 1:
        return distinct[0]
    known = [parse(name) for name in distinct]
    return None if None in known else together([name for name in known if name])


def batch_rows(wanted: Sequence[Ask], lines: Sequence[Line], generator: Generator) -> list[dict[str, Any]]:
    """Rows of a batch from the answers that gave one, in the order of the asks: the columns of `curate.synthetic.batch.schema` but synthetic_id.

    An edit keeps its parent's label; what a model writes has the one that it was told, and none for a gap.
    """
    answers = {line["number"]: line for line in lines if "texts" in line}
    found = []
    for ask in wanted:
        line = answers.get(ask.number)
        if line is None:
            continue
        used, first = ask.parents[: line["starts"]], ask.parents[0]
        texts: dict[str, Any] = {name: line["texts"].get(name) for name in FIELDS}
        given = {
            "label": ask.label if generator.asks else first.label,
            "source": ask.value if ask.kind == "source" else first.source,
            "license": joined_license([p.license for p in used]),
        }
        who = {"target": ask.target, "generator": generator.name, "model": line["model"], "prompt_hash": ask.prompt.hash, "parents": [p.row_id for p in used]}
        found.append({**texts, **given, **who, "made": datetime.fromisoformat(line["at"]), "seconds": line["seconds"], "cost": line["cost"]})
    return found
