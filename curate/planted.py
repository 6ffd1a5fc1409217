"""Rows with planted, known defects, at any size, and the truth about them. `data/README.md` says what each defect is and how the truth reads.

A row is a pure function of (seed, position): memory is bounded, and a smaller set is the beginning of a larger one. Rows come in blocks of 100 with one plan
(`PLAN`); a copy in block b is of a row of block b // 2, and no row is copied twice, so every pair of alike rows is in the truth.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from random import Random
from typing import Any

from curate.defects import GARBLED, IMPERSONAL, PERSONAL, RESPELLED, edit_to, jaccard, shingles
from curate.errors import InputError
from curate.phrases import TOPICS, Story, draw_story, draw_values, facts_told, question_told
from curate.workspace import write_file

__all__ = ["LEVELS", "PLAN", "Claim", "Example", "generate", "planted"]

LEVELS = {0.5: "replaced", 0.6: "replaced", 0.7: "replaced", 0.8: "replaced", 0.85: "replaced", 0.9: "extended", 0.95: "shortened", 0.98: "extended"}
"""Least similarity of near duplicates → how they are made."""

_COPIES = (
    *(("exact_duplicate", kind) for kind in RESPELLED),
    *(("near_duplicate", str(level)) for level in LEVELS),
    *[("semantic_duplicate", "paraphrase")] * 4,
)

PLAN: tuple[tuple[str, str], ...] = (
    *[("", "plain")] * (2 * len(_COPIES)),
    *_COPIES,
    ("near_duplicate", "chain"),
    *(("garbled", kind) for kind in GARBLED),
    *[("wrong_label", "topic")] * 5,
    *(("personal_data", kind) for kind in PERSONAL),
    *(("not_personal_data", kind) for kind in IMPERSONAL),
    *[("ungrounded", "number"), ("ungrounded", "name")] * 2,
    *[("", "grounded")] * 20,
    *[("", "plain")] * 6,
)
"""(defect, kind) of each place in a block; no defect in a clean row."""

_FIRST_COPY = 2 * len(_COPIES)
_CHAINED = PLAN.index(("near_duplicate", "0.8"))

_BATCH = 10_000
_SOURCES = ("letters", "ledgers", "diaries", "reports")
_LICENSES = ("CC0-1.0", "CC-BY-4.0", "CC-BY-NC-4.0", None)


@dataclass(frozen=True)
class Example:
    """A row of the set."""

    id: str
    prompt: str
    context: str | None
    response: str
    label: str
    source: str
    license: str | None


@dataclass(frozen=True)
class Claim:
    """One thing known of one row; see `data/README.md` for each field."""

    row: int
    id: str
    defect: str
    kind: str
    of: int | None = None
    of_id: str | None = None
    jaccard: float | None = None
    column: str | None = None
    start: int | None = None
    end: int | None = None
    value: str | None = None


def generate(path: Path, rows: int, seed: int = 0) -> Path:
    """Write a planted set and, beside it, the truth, whose path is returned: `name.truth.jsonl` for `name.jsonl`.

    rows: how many, from 1. seed: another one gives other rows with the same plan.
    Raises InputError where the path ends in neither .jsonl nor .parquet, and on no rows or a negative seed.
    """
    if path.suffix not in (".jsonl", ".parquet"):
        raise InputError(str(path), f"a planted set cannot be written as {path.suffix or 'a file without extension'}", "Name it .jsonl or .parquet")
    if rows < 1 or seed < 0:
        raise InputError("planted set", f"{rows} rows with seed {seed} cannot be made", "Give at least 1 row and a seed from 0")
    truth = path.with_name(f"{path.stem}.truth{path.suffix}")
    write_file(path, lambda data: write_file(truth, lambda claims: _write(data, claims, rows, seed, path.suffix)))
    return truth


def planted(seed: int, row: int) -> tuple[Example, tuple[Claim, ...]]:
    """The row at a position, and all that is claimed of it."""
    defect, kind = PLAN[row % len(PLAN)]
    if not defect:
        return _original(seed, row)[0], ()
    return _MAKERS[defect](seed, row, kind)


def _own(seed: int, row: int) -> tuple[dict[str, Any], Random]:
    """What no copy takes over from its original, and the row's source of chance."""
    rng = Random(seed << 40 | row)
    return {"id": _id(row), "source": rng.choice(_SOURCES), "license": rng.choice(_LICENSES)}, rng


def _original(seed: int, row: int) -> tuple[Example, Story, Random]:
    """The row without its defect, the story that it tells, and the source of chance for what follows."""
    own, rng = _own(seed, row)
    defect, kind = PLAN[row % len(PLAN)]
    grounded = kind == "grounded" or defect == "ungrounded"
    story = draw_story(rng, 4 if grounded else 6)
    told = facts_told(story, 0)
    context, answer = (" ".join(told), facts_told(story, 1)[:2]) if grounded else (None, told)
    return Example(prompt=question_told(story, 0), context=context, response=" ".join(answer), label=story.topic, **own), story, rng


def _copied(row: int) -> int:
    """The row that a copy is made of."""
    block, place = divmod(row, len(PLAN))
    if PLAN[place][1] == "chain":
        return block * len(PLAN) + _CHAINED
    return block // 2 * len(PLAN) + block % 2 * len(_COPIES) + place - _FIRST_COPY


def _id(row: int) -> str:
    return f"p{row:07}"


def _copy(row: int, of: int, defect: str, kind: str, base: Example, example: Example) -> Claim:
    similarity = jaccard(shingles(f"{base.prompt}\n{base.response}"), shingles(f"{example.prompt}\n{example.response}"))
    return Claim(row, _id(row), defect, kind, of, _id(of), similarity)


def _exact_duplicate(seed: int, row: int, kind: str) -> tuple[Example, tuple[Claim, ...]]:
    of, (own, _) = _copied(row), _own(seed, row)
    base = _original(seed, of)[0]
    example = replace(base, prompt=RESPELLED[kind](base.prompt), response=RESPELLED[kind](base.response), **own)
    return example, (_copy(row, of, "exact_duplicate", kind, base, example),)


def _near_duplicate(seed: int, row: int, kind: str) -> tuple[Example, tuple[Claim, ...]]:
    of, (own, rng) = _copied(row), _own(seed, row)
    base = planted(seed, of)[0]
    level = 0.8 if kind == "chain" else float(kind)
    spare = " ".join(facts_told(draw_story(rng, 12), 0)).split()
    question = base.prompt.split()
    words = edit_to(level, LEVELS[level], question + base.response.split(), spare, rng)
    example = replace(base, prompt=" ".join(words[: len(question)]), response=" ".join(words[len(question) :]), **own)
    if kind != "chain":
        return example, (_copy(row, of, "near_duplicate", LEVELS[level], base, example),)
    first = _copied(of)
    return example, tuple(_copy(row, end, "near_duplicate", kind, planted(seed, end)[0], example) for end in (of, first))


def _semantic_duplicate(seed: int, row: int, kind: str) -> tuple[Example, tuple[Claim, ...]]:
    of, (own, _) = _copied(row), _own(seed, row)
    base, story, _ = _original(seed, of)
    example = replace(base, prompt=question_told(story, 1), response=" ".join(facts_told(story, 1)), **own)
    return example, (_copy(row, of, "semantic_duplicate", kind, base, example),)


def _garbled(seed: int, row: int, kind: str) -> tuple[Example, tuple[Claim, ...]]:
    example, _, rng = _original(seed, row)
    return replace(example, response=GARBLED[kind](example.response, rng)), (Claim(row, example.id, "garbled", kind, column="response"),)


def _wrong_label(seed: int, row: int, kind: str) -> tuple[Example, tuple[Claim, ...]]:
    example, story, rng = _original(seed, row)
    wrong = rng.choice([topic for topic in TOPICS if topic != story.topic])
    return replace(example, label=wrong), (Claim(row, example.id, "wrong_label", kind, column="label", value=story.topic),)


def _with_value(seed: int, row: int, kind: str) -> tuple[Example, tuple[Claim, ...]]:
    example, story, rng = _original(seed, row)
    defect = PLAN[row % len(PLAN)][0]
    sentence, make = (PERSONAL if defect == "personal_data" else IMPERSONAL)[kind]
    value = make(rng, story.facts[0][1]["who"])
    start = len(example.response) + 1 + sentence.index("{}")
    claim = Claim(row, example.id, defect, kind, column="response", start=start, end=start + len(value), value=value)
    return replace(example, response=f"{example.response} {sentence.format(value)}"), (claim,)


def _ungrounded(seed: int, row: int, kind: str) -> tuple[Example, tuple[Claim, ...]]:
    example, story, rng = _original(seed, row)
    slot = {"number": "n", "name": "who"}[kind]
    value = story.facts[0][1][slot]
    while value in f"{example.prompt} {example.context} {example.response}":
        value = draw_values(rng, story.topic)[slot]
    (which, values), *others = story.facts
    told = facts_told(replace(story, facts=((which, {**values, slot: value}), *others)), 1)
    response = " ".join(told[:2])
    start = response.index(value)
    claim = Claim(row, example.id, "ungrounded", kind, column="response", start=start, end=start + len(value), value=value)
    return replace(example, response=response), (claim,)


_MAKERS: dict[str, Callable[[int, int, str], tuple[Example, tuple[Claim, ...]]]] = {
    "exact_duplicate": _exact_duplicate,
    "near_duplicate": _near_duplicate,
    "semantic_duplicate": _semantic_duplicate,
    "garbled": _garbled,
    "wrong_label": _wrong_label,
    "personal_data": _with_value,
    "not_personal_data": _with_value,
    "ungrounded": _ungrounded,
}


def _write(data: Path, truth: Path, rows: int, seed: int, suffix: str) -> None:
    with ExitStack() as stack:
        examples, claims = stack.enter_context(_sink(data, Example, suffix)), stack.enter_context(_sink(truth, Claim, suffix))
        for start in range(0, rows, _BATCH):
            batch = [planted(seed, row) for row in range(start, min(start + _BATCH, rows))]
            examples([vars(example) for example, _ in batch])
            claims([vars(claim) for _, found in batch for claim in found])


@contextmanager
def _sink(path: Path, kind: type[Example | Claim], suffix: str) -> Iterator[Callable[[Sequence[dict[str, Any]]], object]]:
    """What takes batches of records and writes them to a file, as long as the block lasts."""
    if suffix == ".jsonl":
        with path.open("w", encoding="utf-8", newline="\n") as file:
            yield lambda records: file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        types = {"str": pa.string(), "int": pa.int64(), "float": pa.float64()}
        schema = pa.schema([(field.name, types[str(field.type).partition(" ")[0]]) for field in fields(kind)])
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            yield lambda records: writer.write_table(pa.Table.from_pylist(records, schema))
