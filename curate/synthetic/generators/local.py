"""A language model on this machine: a local folder, a hub name, or the small one that comes with Curate. Rows do not leave the machine.

It writes on from the examples and reads its own tags, by the file `small.md`: models of this size follow a form better than an instruction. Rows go together,
eight at a time, always the same ones; the same seed gives the same rows on the same machine. The small default model (135 million weights) writes rows that are
short, plain and often wrong: most should fail the gate, and it is there to try the way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from curate.synthetic.generator import Ask, Generator, Opened, Options, Written, told
from curate.synthetic.limits import Purse, Stop
from curate.synthetic.prompt import read_answer, tagged

__all__ = ["GENERATOR"]

DEFAULT = "smollm2-135m"
TAIL = 16  # tokens in which the end of an answer is sought


def _opening(ask: Ask) -> str:
    """What the answer begins with: the tag of the first text."""
    return tagged({ask.fields[0]: "\0"}).partition("\0")[0]


def _closed(text: str, fields: Sequence[str]) -> str:
    """An answer up to where its last text ends."""
    end = f"</{fields[-1]}>"
    return text.partition(end)[0] + end if end in text else text


@contextmanager
def _one_thread() -> Iterator[None]:
    """Products of one row a step gain little by threads, which wait for one another for minutes where other work runs beside them."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class _Writer:
    """model, text: what `speaking_model` gives. longest: most tokens that the model was made for."""

    model: Any
    text: Any
    options: Options

    @property
    def longest(self) -> int:
        """Tokens that the model can hold, those that it writes among them."""
        return int(getattr(self.model.config, "max_position_embeddings", None) or 1 << 30)

    def asked(self, ask: Ask) -> str:
        """What the model goes on from: the prompt file in its chat template where it has one, then the tag that the answer begins with."""
        said = told(ask)
        if self.text.chat_template:
            said = str(self.text.apply_chat_template([{"role": "user", "content": said}], tokenize=False, add_generation_prompt=True))
        else:
            said += "\n\n"
        return said + _opening(ask)

    def write_on(self, asked: Sequence[str], ends: Sequence[Sequence[str]], seed: int) -> list[str]:
        """What follows each text, up to and with the first of its ends, or as long as an answer may be."""
        import torch

        from curate.models import device

        pad = self.text.pad_token_id if self.text.pad_token_id is not None else self.text.eos_token_id
        ids = [self.text(said, add_special_tokens=not self.text.chat_template)["input_ids"] for said in asked]
        width = max(map(len, ids))
        given = torch.tensor([[pad] * (width - len(i)) + i for i in ids], device=device())
        seen = torch.tensor([[0] * (width - len(i)) + [1] * len(i) for i in ids], device=device())

        def ended(now: torch.Tensor, scores: object, **more: object) -> torch.Tensor:
            del scores, more
            tails = self.text.batch_decode(now[:, max(width, now.shape[1] - TAIL) :])
            return torch.tensor([any(end in tail for end in own) for tail, own in zip(tails, ends, strict=True)], device=now.device)

        sampled = self.options.temperature > 0
        how: dict[str, Any] = {"do_sample": sampled, **({"temperature": self.options.temperature, "top_p": 0.95, "top_k": 0} if sampled else {})}
        with _one_thread(), torch.inference_mode(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            found = self.model.generate(
                input_ids=given, attention_mask=seen, max_new_tokens=self.options.most, pad_token_id=pad, stopping_criteria=[ended], **how
            )
        return [str(text) for text in self.text.batch_decode(found[:, width:], skip_special_tokens=True)]

    def write(self, asks: Sequence[Ask], purse: Purse, stop: Stop) -> list[Written]:
        """One answer each; those whose examples do not fit into the model are not asked."""
        del purse
        stop.wait(0)
        begun, name = time.perf_counter(), self.options.model or DEFAULT
        asked = [self.asked(ask) for ask in asks]
        fits = [i for i, said in enumerate(asked) if len(self.text(said)["input_ids"]) + self.options.most <= self.longest]
        said = self.write_on([asked[i] for i in fits], [[f"</{asks[i].fields[-1]}>"] for i in fits], asks[0].seed) if fits else []
        seconds = (time.perf_counter() - begun) / len(asks)
        found = [Written(failed="the examples are longer than the model reads", model=name)] * len(asks)
        for i, text in zip(fits, said, strict=True):
            texts, why = read_answer(_closed(_opening(asks[i]) + text, asks[i].fields), asks[i].fields)
            found[i] = Written(texts, why, name, seconds)
        return found


def _open(options: Options, texts: Callable[[], Iterable[str]]) -> Opened:
    from curate.models import speaking_model

    del texts
    writer = _Writer(*speaking_model(options.model or DEFAULT), options)
    return Opened(options.model or DEFAULT, writer.write, batch=8)


GENERATOR = Generator(
    "local",
    f"A language model on this machine, {DEFAULT} where none is named",
    dict.fromkeys(("label", "source", "cluster", "gap", "any"), "small"),
    _open,
)
