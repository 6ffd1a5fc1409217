"""Training adapters: plain peft over all layers beside the probe `lora`."""

from __future__ import annotations

import csv
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.cases import Case, Work
from curate.probes.probe import Lesson, Pool

if TYPE_CHECKING:
    import polars as pl

__all__ = ["ADAPTERS", "lesson_of", "pool_of"]

BANKING = Path(__file__).parents[2] / "shared" / "data" / "banking77" / "train.csv"
BATCH, ROUNDS = 16, 3


def _frame(rows: Sequence[tuple[str, str]]) -> pl.DataFrame:
    import polars as pl

    prompts, responses = zip(*rows, strict=True)
    found = pl.DataFrame({"prompt": prompts, "response": responses}).with_row_index("row_id").with_columns(pl.col("row_id").cast(pl.String))
    return found.with_columns(
        pl.lit(None, pl.String).alias("context"),
        pl.concat_str("prompt", "response", separator="\n").alias("text"),
        pl.lit(None, pl.String).alias("domain"),
        pl.lit(-1, pl.Int32).alias("label"),
        pl.lit(0, pl.Int32).alias("tokens"),
    )


def pool_of(folder: Path, rows: Sequence[tuple[str, str]], held: Sequence[tuple[str, str]]) -> Pool:
    folder.mkdir(parents=True, exist_ok=True)
    _frame(rows).write_parquet(folder / "pool.parquet")
    _frame(held).write_parquet(folder / "validation.parquet")
    return Pool(folder, ())


def lesson_of(rows: npt.NDArray[Any], seen: int, seed: int) -> Lesson:
    ones = np.ones(len(rows), np.float32)
    return Lesson(rows.astype(np.int32), np.full(len(rows), -1, np.int32), ones, 0 * ones, False, seen, seed, 1, {})


def case_lora(rows: int, folder: Path) -> Work:
    """Steps of 16 rows of Banking77 (message, intent): peft over all layers in both precisions, on one thread and on all, against the probe, in turns."""
    if not BANKING.exists() or rows > 10_000:
        return lambda: {"skipped": "no data, or more rows than there are"}
    import torch

    from curate.probes.ladder.lora import PROBE

    with BANKING.open(encoding="utf-8", newline="") as file:
        read = [(one["text"], one["category"].replace("_", " ")) for one in csv.DictReader(file)]
    order = np.random.default_rng(0).permutation(len(read))
    few = [read[i] for i in order[: min(rows, 320)]]
    trainer: Any = PROBE.begin(pool_of(folder / "lora", few, few[:8]))
    begun = time.perf_counter(), time.process_time()
    trainer._fill(trainer._rows(lesson_of(np.arange(len(few)), 1, 0)))
    filled = time.perf_counter() - begun[0], time.process_time() - begun[1]
    six: Any = PROBE.begin(trainer.pool, layers=6)
    six._fill(six._rows(lesson_of(np.arange(len(few)), 1, 0)))
    ways: dict[str, tuple[int, Callable[[int], None]]] = {"lora": (8, _ours(trainer, len(few))), "lora 6 layers": (8, _ours(six, len(few)))}
    threads = torch.get_num_threads()
    for dtype, many in itertools.product((torch.float32, torch.bfloat16), sorted({1, threads})):
        ways[f"peft {str(dtype).removeprefix('torch.')} {many} threads"] = 2, _peft(trainer, dtype, many)

    def work() -> dict[str, Any]:
        taken: dict[str, list[tuple[float, float, float | None]]] = {name: [] for name in ways}
        for turn in range(ROUNDS):
            for name, (steps, step) in ways.items():
                taken[name].append(_timed(step, [steps * turn + i for i in range(steps)]))
        found: dict[str, Any] = {"filled_rows_s": round(len(few) / filled[0], 1), "filled_rows_cpu_s": round(len(few) / filled[1], 1)}
        for name, turns in taken.items():
            wall, cpu, peak = (statistics.median(t[i] or 0 for t in turns) for i in range(3))
            found[name] = {"rows_s": round(BATCH / wall, 2), "rows_cpu_s": round(BATCH / cpu, 2), "step_mb": round(peak)}
        peers = [found[name] for name in ways if name.startswith("peft")]
        times = {f"times_best_peft_{unit}": round(found["lora"][unit] / max(one[unit] for one in peers), 1) for unit in ("rows_s", "rows_cpu_s")}
        return {**found, **times, "probe": dict(trainer.about())}

    return work


def _timed(step: Callable[[int], None], turns: Sequence[int]) -> tuple[float, float, float | None]:
    """Wall and CPU-seconds of a step, a mean, and the most memory that a step took beyond what stood before it, MB."""
    step(turns[0])  # the first of a turn finds the other way's memory
    clear, held = Path("/proc/self/clear_refs"), _held("VmRSS")
    if clear.exists():
        clear.write_text("5")
    wall, cpu = time.perf_counter(), time.process_time()
    for turn in turns:
        step(turn)
    wall, cpu = (time.perf_counter() - wall) / len(turns), (time.process_time() - cpu) / len(turns)
    most = _held("VmHWM")
    return wall, cpu, None if most is None or held is None else most - held


def _held(what: str) -> float | None:
    """Memory of this process, MB, where the system tells it."""
    status = Path("/proc/self/status")
    return next((int(line.split()[1]) / 1024 for line in status.read_text().splitlines() if line.startswith(what)), None) if status.exists() else None


def _ours(trainer: Any, many: int) -> Callable[[int], None]:
    import torch

    model, rows = trainer._anew(0), trainer._rows(lesson_of(np.arange(many), 1, 0))
    optimizer = torch.optim.AdamW(model.parameters, lr=1e-3)

    def step(turn: int) -> None:
        at = turn * BATCH % (many - BATCH)
        model.step(optimizer, rows[at : at + BATCH])

    return step


def _peft(trainer: Any, dtype: Any, threads: int) -> Callable[[int], None]:
    """A plain step: rows padded together, logits at all places, as a tutorial has it."""
    import torch
    from peft import LoraConfig, inject_adapter_in_model

    from curate.models import own_language_model

    language = own_language_model(trainer.halves.language.name)
    language.body.to(dtype)
    head = language.head.to(dtype)
    inject_adapter_in_model(LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"]), language.body)
    trained = [p for name, p in language.body.named_parameters() if p.requires_grad_("lora_" in name).requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    passages = [passage for passage, _ in trainer.read.values()]

    def step(turn: int) -> None:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        at = turn * BATCH % (len(passages) - BATCH)
        batch = passages[at : at + BATCH]
        width = max(len(p.tokens) for p in batch)
        ids, labels, mask = torch.zeros(BATCH, width, dtype=torch.long), torch.full((BATCH, width), -100), torch.zeros(BATCH, width, dtype=torch.long)
        for row, p in enumerate(batch):
            tokens = torch.tensor(p.tokens)
            ids[row, : len(tokens)], mask[row, : len(tokens)], labels[row, p.start : len(tokens)] = tokens, 1, tokens[p.start :]
        logits = head(language.body(input_ids=ids, attention_mask=mask, use_cache=False)[0])
        loss = torch.nn.functional.cross_entropy(logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        torch.set_num_threads(before)

    return step


ADAPTERS: dict[str, Case] = {"lora": case_lora}
