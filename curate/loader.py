"""Training on an export: a `transformers` Trainer that counts each row by its `weight` and smooths it by its `label_smoothing`, in the `order` of the file.

The loss of a token, or of a row that is classified, is (1 - ε) · NLL + ε · the mean of -log p over the vocabulary or the classes (Szegedy et al. 2016); with a
`soft_target` q it is - Σ q log p. That of a step is Σ weight · loss / Σ weight, over the tokens of responses (labels other than -100; so a prompt counts
nothing), or over rows. So a weight of 0 is as if the row were not there, and a weight of 2 as if it stood there twice; without weights and ε it is what
`transformers` trains on. A step is all that one move of the weights sees: over gradient accumulation and over processes too.

    from curate.loader import encode, pad, weighted_trainer, written_columns
    names = written_columns("kept")
    rows = [encode(r["prompt"], r["response"], tokenizer) | {c: r[column] for c, column in names.items()} for r in exported]
    weighted_trainer()(model=model, args=arguments, train_dataset=rows, data_collator=pad).train()

Where a dataset has a column `weight` or `order` of its own, that of the export has another name, which the manifest tells and `written_columns` reads.
With several processes `accelerate` deals out the batches of one order in turns, so that a step of P processes trains on the next P batches: the order holds by
step, where each process reads the same file. A step of one row has nothing to weigh it against: give divisor="rows", which divides by what the rows would
count with weight 1; it is unbiased for weights with mean 1, as those of an export are, and then a weight of 0 still takes its place in the batch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from curate.errors import InputError

if TYPE_CHECKING:
    import torch

__all__ = ["InOrder", "encode", "in_order", "pad", "row_losses", "weighted_trainer", "written_columns"]

MASKED = -100
TRAINED = ("weight", "label_smoothing", "soft_target")
"""Columns of an export that the loss reads."""
ORDERED = ("order", "phase")


def written_columns(export: str | Path) -> dict[str, str]:
    """The columns of an export that say how its rows are trained on, by the name that the trainer knows: order, phase, weight, label_smoothing, soft_target.

    export: the folder that `curate run` wrote. A column of the dataset's own that is called the same is never meant. Raises InputError where it is no export.
    """
    path = Path(export) / "manifest.json"
    try:
        columns = json.loads(path.read_text(encoding="utf-8"))["columns"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(str(path), "does not tell which columns were written", "Give a folder that `curate run` wrote, or write it anew") from error
    return {name: columns[name] for name in (*ORDERED, *TRAINED) if name in columns}


def encode(prompt: str, response: str, tokenizer: Any, longest: int | None = None) -> dict[str, list[int]]:
    """`input_ids` and `labels` of a row; the labels of the prompt are -100. The end token closes the response. longest: tokens, cut at the end."""
    before = tokenizer(prompt)["input_ids"]
    after = [*tokenizer(response, add_special_tokens=False)["input_ids"], *([tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else [])]
    return {"input_ids": [*before, *after][:longest], "labels": [*([MASKED] * len(before)), *after][:longest]}


def pad(rows: Sequence[Mapping[str, Any]], token: int = 0) -> dict[str, torch.Tensor]:
    """A batch of rows: texts padded at the end with a token that no attention sees, labels with -100; a class is a label of one number."""
    import torch

    longest = max(len(row["input_ids"]) for row in rows)

    def padded(name: str, fill: int) -> torch.Tensor:
        return torch.tensor([[*row[name], *([fill] * (longest - len(row[name])))] for row in rows])

    classes = not isinstance(rows[0]["labels"], Sequence)
    batch = {"input_ids": padded("input_ids", token), "labels": torch.tensor([row["labels"] for row in rows]) if classes else padded("labels", MASKED)}
    batch["attention_mask"] = torch.tensor([[1] * len(row["input_ids"]) + [0] * (longest - len(row["input_ids"])) for row in rows])
    return batch | {name: torch.tensor([row[name] for row in rows], dtype=torch.float32) for name in TRAINED if name in rows[0]}


def row_losses(
    logits: torch.Tensor, labels: torch.Tensor, smoothing: torch.Tensor | None = None, target: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of each row summed over what counts in it, and how many tokens that is (1 where a row is classified). Both float32 [rows].

    logits: [rows, tokens, vocabulary] of a causal language model, labels int64 [rows, tokens]; or [rows, classes] and [rows]. Labels of -100 count nothing.
    smoothing: ε, float [rows]. target: float [rows, classes], which comes before label and ε.
    """
    import torch

    if logits.dim() == 3:
        logits, labels = logits[:, :-1], labels[:, 1:]
    else:
        logits, labels = logits[:, None], labels[:, None]
    likely = torch.log_softmax(logits.float(), -1)
    counts = labels.ne(MASKED)
    loss = -likely.gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    if smoothing is not None:
        epsilon = smoothing.to(loss)[:, None]
        loss = (1 - epsilon) * loss - epsilon * likely.mean(-1)
    if target is not None:
        loss = -(target.to(likely)[:, None] * likely).sum(-1)
    return torch.where(counts, loss, 0.0).sum(1), counts.sum(1).float()


def in_order(order: npt.ArrayLike, phase: npt.ArrayLike | None = None, cumulative: bool = False) -> npt.NDArray[np.int64]:
    """Places of rows in the order of training, int64. order: of each row. phase: of each row.

    cumulative: baby steps, phase k goes through the rows of phases 1 to k, so that easy rows come again. Raises InputError where that lacks a phase.
    """
    by = np.argsort(np.asarray(order), kind="stable")
    if not cumulative:
        return by
    if phase is None:
        raise InputError("cumulative", "baby steps go phase by phase, and the rows have none", "Export with order: curriculum")
    of = np.asarray(phase)[by]
    return np.concatenate([by[of <= k] for k in np.unique(of)]) if len(by) else by


class InOrder:
    """A sampler for `torch.utils.data.DataLoader`: the rows in order, the same in every epoch."""

    def __init__(self, order: npt.ArrayLike, phase: npt.ArrayLike | None = None, cumulative: bool = False) -> None:
        self.places = in_order(order, phase, cumulative)

    def __iter__(self) -> Iterator[int]:
        return iter(self.places.tolist())

    def __len__(self) -> int:
        return len(self.places)


def _column(rows: Any, name: str) -> list[Any] | None:
    """A column of a dataset, or of a list of rows; None where there is none."""
    names = getattr(rows, "column_names", None)
    if names is not None:
        return list(rows[name]) if name in names else None
    return [row[name] for row in rows] if len(rows) and isinstance(rows[0], Mapping) and name in rows[0] else None


def _counts(batch: Mapping[str, Any], divisor: str) -> torch.Tensor:
    """What the loss of a batch is divided by."""
    labels = batch["labels"]
    tokens = (labels[:, 1:] if labels.dim() == 2 else labels[:, None]).ne(MASKED).sum(1).float()
    weight = batch.get("weight") if divisor == "weights" else None
    found: torch.Tensor = (tokens if weight is None else tokens * weight.float()).sum()
    return found


def _check_step(args: Any, divisor: str) -> None:
    """Raise InputError where a step has one row and is divided by its weight. args: of a Trainer."""
    if args.train_batch_size * args.gradient_accumulation_steps * args.world_size == 1 and divisor == "weights":
        raise InputError("WeightedTrainer", "a step of one row has no other to be weighed against", "Take more rows a step, or divisor='rows'")


def _weighted_loss(model: Any, inputs: dict[str, Any], divisor: Literal["weights", "rows"], counted: Any, processes: int) -> tuple[Any, Any]:
    """The loss of a batch, divided by what it counts, or by what the whole step counts where that is told; and what the model gave."""
    import torch

    given = {name: inputs[name] for name in ("labels", *TRAINED) if name in inputs}
    outputs = model(**{name: value for name, value in inputs.items() if name not in given})
    loss, _ = row_losses(outputs["logits"], given["labels"], given.get("label_smoothing"), given.get("soft_target"))
    total = (loss if "weight" not in given else loss * given["weight"].to(loss)).sum()
    divided = _counts(given, divisor) if counted is None else counted
    found = total / divided.to(total).clamp(min=torch.finfo(total.dtype).tiny)
    return found if counted is None else found * processes, outputs  # gradients are averaged over processes


@cache
def weighted_trainer() -> type[Any]:
    """The Trainer's class, a subclass of `transformers.Trainer`; for causal language models and for classifiers of sequences.

    Beside its arguments it takes divisor: "weights" or "rows", what a step is divided by; cumulative: whether phases come again as baby steps. It keeps the
    column `order` where the dataset has one. Raises InputError where a step has one row and is divided by its weight.
    """
    import torch
    from transformers import Trainer

    class WeightedTrainer(Trainer):  # type: ignore[misc]
        """See `weighted_trainer`."""

        loss_is_scaled_for_ga = True

        def __init__(self, *args: Any, divisor: Literal["weights", "rows"] = "weights", cumulative: bool = False, **more: Any) -> None:
            super().__init__(*args, **more)
            self.divisor, self.cumulative = divisor, cumulative
            _check_step(self.args, divisor)

        def _set_signature_columns_if_needed(self) -> None:
            super()._set_signature_columns_if_needed()
            self._signature_columns: list[str] = list(dict.fromkeys([*self._signature_columns, *TRAINED]))

        def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> Any:
            found = torch.stack([_counts(batch, self.divisor) for batch in batch_samples]).sum().to(device) if batch_samples else None
            return found if found is None or self.args.world_size == 1 else self.accelerator.gather(found).sum()

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            order = _column(self.train_dataset, "order")
            if order is None:
                return super()._get_train_sampler(train_dataset)
            return InOrder(order, _column(self.train_dataset, "phase"), self.cumulative)

        def compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
            """The loss of a batch, divided by what the whole step counts where that is told."""
            found, outputs = _weighted_loss(model, inputs, self.divisor, num_items_in_batch, self.accelerator.num_processes)
            return (found, outputs) if return_outputs else found

    return WeightedTrainer
