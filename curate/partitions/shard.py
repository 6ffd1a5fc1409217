"""Rows → sets of n-grams → classes of rows with equal sets → MinHash keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from curate.banding import equal_sets, permutations
from curate.kernels.minhash import band_keys
from curate.normalise import normalise
from curate.partitions.plan import Plan, joined, keep, mapped, spans
from curate.shingle import chunks, sets_of

__all__ = ["find_equal", "join_sets", "key_parts", "make_classes", "make_keys", "make_sets"]

_READ = 8_192
_KINDS = ("shingle", "size", "mark", "length")


def make_sets(plan: Plan, number: int) -> None:
    """Sets, their sizes and hashes, and the characters of a shard's rows."""
    if plan.file("length", number).exists() or plan.file("length").exists():
        return
    start = number * plan.sizes.rows
    made: dict[str, list[npt.NDArray[Any]]] = {kind: [] for kind in _KINDS}
    for begin, end in spans(min(plan.rows, start + plan.sizes.rows) - start, _READ):
        text = plan.text(start + begin, start + end)
        made["length"].append(text.str.len_chars().fill_null(0).to_numpy().astype(np.uint32))
        for rows in chunks(text):
            sets, mark = sets_of(normalise(text[rows]), plan.parameters["ngram"], plan.parameters["unit"] == "word")
            for kind, values in (("shingle", sets.shingle), ("size", np.diff(sets.first)), ("mark", mark)):
                made[kind].append(values)
    for kind, arrays in made.items():
        keep(plan.file(kind, number), np.concatenate(arrays))


def join_sets(plan: Plan, kind: str) -> None:
    """The shards' arrays of one kind as one; of the sizes where each row's set begins."""
    numbers = range(len(spans(plan.rows, plan.sizes.rows)))
    parts = [plan.file(kind, number) for number in numbers]
    whole = plan.file("first" if kind == "size" else kind)
    if not whole.exists():
        if kind == "size":
            keep(whole, np.concatenate([[0], np.cumsum(np.concatenate([np.load(p, allow_pickle=False) for p in parts]), dtype=np.int64)]))
        else:
            joined(parts, whole)
    if kind != "length":  # whose last part says that a shard is done
        for part in parts:
            part.unlink(missing_ok=True)


def find_equal(plan: Plan, item: tuple[int, int]) -> None:
    """Rows whose set another had before, and the first that had it. item: (part, of how many equal ranges of hashes)."""
    part, parts = item
    if plan.file("equal", part).exists():
        return
    marks, first, found = mapped(plan.file("mark")), mapped(plan.file("first")), []
    for start, stop in spans(plan.rows, plan.sizes.classes * plan.sizes.wide):
        mine = (marks[start:stop] >> np.uint64(32)) * np.uint64(parts) >> np.uint64(32) == part
        found.append(start + np.flatnonzero(mine & (np.diff(first[start : stop + 1]) > 0)))
    keep(plan.file("equal", part), np.stack(equal_sets(plan.sets, marks, np.concatenate(found).astype(np.int32))))


def make_classes(plan: Plan, parts: int) -> None:
    """The first row of each row's class, -1 without text; and the first rows of all classes."""
    if plan.file("class").exists():
        return
    twin = np.arange(plan.rows, dtype=np.int32)
    twin[np.diff(mapped(plan.file("first"))) == 0] = -1
    for part in range(parts):
        late, first = np.load(plan.file("equal", part), allow_pickle=False)
        twin[late] = first
    keep(plan.file("twin"), twin)
    keep(plan.file("class"), np.flatnonzero(twin == np.arange(plan.rows)).astype(np.int32))


def make_keys(plan: Plan, number: int) -> None:
    """The keys of a shard of classes, class by class and band by band."""
    if plan.file("column", number).exists():
        return
    start = number * plan.sizes.classes
    a, b, width = permutations(plan.parameters["floor"], plan.parameters["seed"])
    keys = band_keys(plan.sets, mapped(plan.file("class"))[start : start + plan.sizes.classes], a, b, width)
    keep(plan.file("key", number), keys)
    keep(plan.file("column", number), keys.T.copy())


def key_parts(plan: Plan) -> int:
    """Shards of classes."""
    return len(spans(len(mapped(plan.file("class"))), plan.sizes.classes))
