"""Which rows pull a fine-tuned language model the way that validation rows of a domain do: slopes of a LoRA adapter, compared by direction.

An adapter of the top blocks is warmed up for some steps, then each row's slope on its response tokens, the end token among them, is projected
(`curate.tuning.gradient`) and compared with the mean direction of each domain's validation rows (`curate.datainf`): by cosine, as TracIn and LESS do, and by
DataInf. Slopes are brought to length 1 first, for the raw product favours short responses. It looks at one checkpoint of a small model near its beginning; what
a large model learns late is not seen. Rows that stand in validation, or hold one of its rows (Jaccard .8 of word 3-grams), are null.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.influence import ASKS, ValidationRows, Wanted, hold_out, nothing, told
from curate.signal import Column, Signal, note

if TYPE_CHECKING:
    import pyarrow as pa

    from curate.language_model import Passage
    from curate.models import LanguageModel

__all__ = ["SIGNAL"]

STARTS = ("influence_gradient_cosine", "influence_gradient_datainf")
PIECES = "prompt", "context", "response"
Texts = Sequence[str | None]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


def compute(
    table: pa.Table,
    *,
    reference: str = "",
    slice: str = "",  # noqa: A002
    share: float = 0.0,
    domain: str = "",
    model: str = "smollm2-135m",
    top: int = 6,
    rank: int = 8,
    steps: int = 60,
    size: int = 128,
    max_tokens: int = 256,
    precision: str = "auto",
    seed: int = 0,
) -> pa.Table:
    """Cosine with each domain, and DataInf's influence in no unit; null without a response.

    reference, slice, share, domain, seed: as in influence. top: blocks that are adapted. rank: of the adapter. steps: of 16 rows that it is warmed up for.
    size: numbers that a layer's slope is projected to. max_tokens: of a row that are read.
    precision: auto, bfloat16 where the machine is faster at it, or fp32.
    Raises InputError on a number out of range, and where no row is left.
    """
    from curate.models import fast_dtype, own_language_model
    from curate.tuning.gradient import adapted, components, gradients, warm_up

    if min(top, rank, size) < 1 or steps < 0 or max_tokens < 16 or precision not in ("auto", "fp32"):
        numbers = "Give top, rank and size 1 or more, steps 0 or more, max_tokens 16 or more"
        raise InputError("signals.influence_gradient", "a parameter is out of range", f"{numbers}, precision auto or fp32")
    said = np.array([bool(t and t.strip()) for t in table["response"].to_pylist()], np.bool_)
    held = hold_out(table, Wanted(reference, slice, share, domain, seed), said)
    if held is None or not said.any():
        return nothing(table.num_rows, STARTS)
    language = own_language_model(model, precision == "auto" and fast_dtype().itemsize == 2)
    most = min(max_tokens, language.longest)
    asked = _read(language, most, *(held.frame[n].to_list() for n in PIECES))
    held = held.kept(np.array([bool(a.tokens) for a in asked], np.bool_))
    rows, learnt = _learnt(held, _read(language, most, *(table[n].to_pylist() for n in PIECES)))
    note("precision", "bfloat16" if language.fast else "float32")
    with tempfile.TemporaryDirectory() as folder:
        tuned = adapted(language, top, rank, seed, Path(folder))
        note("loss after warming up", round(warm_up(tuned, learnt, steps, seed, (0.0, 0.1)), 4))
        other = gradients(tuned, [a for a in asked if a.tokens], size, seed, (0.1, 0.2))
        return _compared(held, rows, gradients(tuned, learnt, size, seed, (0.2, 1.0)), other, components(tuned))


def _learnt(held: ValidationRows, own: Sequence[Passage]) -> tuple[npt.NDArray[np.int32], list[Passage]]:
    """The rows that are measured, and their tokens."""
    rows = np.array([i for i, a in enumerate(own) if a.tokens and not held.out[i]], np.int32)
    if not len(rows):
        raise InputError("validation", "no row is left to measure", "Hold out fewer rows")
    return rows, [own[i] for i in rows]


def _compared(held: ValidationRows, rows: npt.NDArray[np.int32], mine: Floats, other: Floats, components: npt.NDArray[np.int64]) -> pa.Table:
    from curate.datainf import cosines, datainf, unit
    from curate.touched import Touched

    each, number = unit(other), held.domain
    domains = np.stack([each.mean(0), *(each[number == i].mean(0) for i in range(len(held.names)))])
    touched, flat, single = Touched.none(len(rows)), each.reshape(len(each), -1), unit(mine).reshape(len(mine), -1)
    for at in range(0, len(rows), 1024):
        touched.see(at, np.ascontiguousarray(single[at : at + 1024] @ flat.T))
    return told(held, rows, dict(zip(STARTS, (cosines(mine, domains), datainf(mine, domains, components)), strict=True)), touched)


def _read(language: LanguageModel, most: int, prompts: Texts, contexts: Texts, responses: Texts) -> list[Passage]:
    """The tokens of each row, at most `most`; without any where it has no response."""
    from curate.tuning.passages import Reader

    said = (r if r and r.strip() else None for r in responses)
    return [passage for passage, _ in Reader(language, "text", most).read((p, c, r, None) for p, c, r in zip(prompts, contexts, said, strict=True))]


SIGNAL = Signal(
    name="influence_gradient",
    version=2,
    about="Which rows pull a language model the way that a validation domain does: slopes of a LoRA adapter.",
    source="Pruthi et al. 2020, TracIn; Xia et al. 2024, LESS; Kwon et al. 2024, DataInf; projection: Kane & Nelson 2014",
    inputs=("text", "prompt", "context", "response", "slice", "domain", "cluster_number"),
    needs=("response",),
    optional=(("cluster_number", "domain"),),
    columns=(
        Column(
            "influence_gradient_cosine_*",
            "Float32",
            "cosine",
            "Of the row's slope with the mean direction of a domain's validation rows; below 0 it pulls the other way.",
            keep="above",
            low=-1,
            high=1,
        ),
        Column(
            "influence_gradient_datainf_*",
            "Float32",
            "no unit",
            "How much a step along the row's direction lowers the loss of a domain's validation rows, by DataInf; below 0 it harms.",
            keep="above",
        ),
    ),
    scope="dataset",
    compute=compute,
    model=True,
    cost=8,
    asks=ASKS,
)
