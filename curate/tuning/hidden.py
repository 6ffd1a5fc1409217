"""Hidden states of token sequences after a model's lower layers, computed once and kept in files that are read where they lie.

<folder>/<model, layers, precision, device>/<part>/  hidden.npy [tokens, d], names.npy and lengths.npy of its sequences, part.json

A sequence is named by its tokens, so rows with the same ones share their states, and a row that was edited has its own. Parts are written whole, so a kill
loses none that stood. Where no more may be kept, or the disk has no room, the rest is computed anew each time: slower, and the same.
"""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.language_model import ACCELERATOR, PROCESSOR, batches
from curate.models import device, identity
from curate.threads import spread
from curate.tuning.halves import Halves
from curate.workspace import digest, whole_folder, write_json

if TYPE_CHECKING:
    import torch

__all__ = ["Hidden", "padded"]

TOKENS = 16_384  # of a part
SPARE = 1 << 30  # bytes of the disk that are left alone
Tokens = Sequence[int]
States = npt.NDArray[np.float32] | npt.NDArray[np.uint16]


def padded(sequences: Sequence[Tokens], width: int) -> torch.Tensor:
    """Sequences with zeros at the end, on `device()`. int64 [n, width]."""
    import torch

    ids = torch.zeros(len(sequences), width, dtype=torch.long)
    for row, sequence in zip(ids, sequences, strict=True):
        row[: len(sequence)] = torch.tensor(sequence)
    return ids.to(device())


@dataclass
class Hidden:
    """Hidden states of a model's lower half. folder: where they are kept. most: bytes.

    kept: where the states of a sequence are, by its name. bytes: what they take. full: whether some were not kept for want of room.
    """

    folder: Path
    halves: Halves
    most: int
    kept: dict[bytes, tuple[States, int, int]] = field(default_factory=dict)
    bytes: int = 0
    full: bool = False

    def __post_init__(self) -> None:
        language = self.halves.language
        dtype = "bfloat16" if language.fast else "float32"
        self.folder = self.folder / digest([identity(language.name), language.adapter, self.halves.frozen, dtype, device().type])
        for part in sorted(self.folder.glob("[!.]*/part.json")):
            self._open(part.parent)

    def _open(self, part: Path) -> None:
        states = np.load(part / "hidden.npy", mmap_mode="r", allow_pickle=False)
        ends = np.cumsum(np.load(part / "lengths.npy", allow_pickle=False))
        for name, begin, end in zip(np.load(part / "names.npy", allow_pickle=False), [0, *ends[:-1].tolist()], ends.tolist(), strict=True):
            self.kept[name.tobytes()] = states, begin, end
        self.bytes += states.nbytes

    def takes(self, tokens: float) -> int:
        """Bytes that the states of so many tokens take."""
        return round(tokens * self._wide * (2 if self.halves.language.fast else 4))

    @property
    def _wide(self) -> int:
        return int(self.halves.language.body.config.hidden_size)

    def lacks(self, sequences: Iterable[Tokens]) -> list[Tokens]:
        """Different sequences whose states are not kept, the longest first."""
        new = {_name(s): s for s in sequences if len(s)}
        return sorted((s for name, s in new.items() if name not in self.kept), key=lambda s: (-len(s), s))

    def fill(self, sequences: Iterable[Tokens]) -> None:
        """Compute and keep what is lacking, as far as there is room."""
        for part in _parts(self.lacks(sequences)):
            self.folder.mkdir(parents=True, exist_ok=True)
            need = self.takes(sum(map(len, part)))
            if self.bytes + need > self.most or shutil.disk_usage(self.folder).free < need + SPARE:
                self.full = True
                return
            self._write(part)

    def _write(self, part: Sequence[Tokens]) -> None:
        states = np.concatenate([_as_numpy(s) for s in self.compute(part)])
        path = self.folder / uuid.uuid4().hex[:12]
        with whole_folder(path) as into:
            np.save(into / "hidden.npy", states)
            np.save(into / "names.npy", np.frombuffer(b"".join(map(_name, part)), np.uint8).reshape(len(part), -1))
            np.save(into / "lengths.npy", np.array([len(s) for s in part], np.int64))
            write_json(into / "part.json", {"sequences": len(part), "tokens": len(states)})
        self._open(path)

    def compute(self, part: Sequence[Tokens]) -> list[torch.Tensor]:
        """The states of each sequence, [tokens, d]. Each is padded to a length that depends on its own alone."""
        sizes = PROCESSOR if device().type == "cpu" else ACCELERATOR
        groups = batches([len(s) for s in part], sizes, 1)

        def work(group: Sequence[int]) -> list[torch.Tensor]:
            return self._states([part[i] for i in group], sizes.step)

        found: dict[int, torch.Tensor] = {}
        for group, states in zip(groups, spread(work, groups) if device().type == "cpu" else map(work, groups), strict=True):
            found |= zip(group, states, strict=True)
        return [found[i] for i in range(len(part))]

    def _states(self, sequences: Sequence[Tokens], step: int) -> list[torch.Tensor]:
        width = -(-max(map(len, sequences)) // step) * step
        states = self.halves.lower(padded(sequences, width)).cpu()
        return [one[: len(s)] for one, s in zip(states, sequences, strict=True)]

    def batch(self, sequences: Sequence[Tokens], width: int) -> torch.Tensor:
        """The states of sequences, zeros where they are shorter than width, on `device()`; those that are not kept are computed. [n, width, d]."""
        import torch

        found = torch.zeros(len(sequences), width, self._wide, dtype=torch.bfloat16 if self.halves.language.fast else torch.float32)
        new = [i for i, s in enumerate(sequences) if _name(s) not in self.kept]
        step = (PROCESSOR if device().type == "cpu" else ACCELERATOR).step
        for i, states in zip(new, self._states([sequences[i] for i in new], step) if new else [], strict=True):
            found[i, : len(states)] = states
        for i in set(range(len(sequences))) - set(new):
            part, begin, end = self.kept[_name(sequences[i])]
            found[i, : end - begin] = _as_torch(part[begin:end])
        return found.to(device())


def _name(tokens: Tokens) -> bytes:
    return hashlib.blake2b(np.asarray(tokens, np.int64).tobytes(), digest_size=16).digest()


def _parts(sequences: Sequence[Tokens]) -> Iterator[list[Tokens]]:
    part: list[Tokens] = []
    for sequence in sequences:
        if part and sum(map(len, part)) + len(sequence) > TOKENS:
            yield part
            part = []
        part.append(sequence)
    if part:
        yield part


def _as_numpy(states: torch.Tensor) -> States:
    """Numpy has no bfloat16: its bits, uint16."""
    import torch

    found: States = states.view(torch.int16).numpy().view(np.uint16) if states.dtype == torch.bfloat16 else states.numpy()
    return found


def _as_torch(states: States) -> torch.Tensor:
    import torch

    found = torch.from_numpy(np.array(states.view(np.int16) if states.dtype == np.uint16 else states))
    return found.view(torch.bfloat16) if states.dtype == np.uint16 else found
