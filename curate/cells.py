"""Cells: unit vectors parted by the centre they are closest to, after k-means by cosine (Dhillon & Modha, Concept decompositions, 2001)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.coarse import byte_scale, products, to_bytes, whole_steps
from curate.threads import spread

if TYPE_CHECKING:
    import torch

__all__ = ["Cells", "Floats", "Ints", "Tell", "centres", "closest", "improve", "make_cells", "screen_dtype"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Tell = Callable[[float], None] | None

BLOCK = 4096
SAMPLE = 64  # rows a centre is learnt from


@dataclass(frozen=True)
class Cells:
    """Rows parted into cells.

    member: int32 [rows], cell by cell. start: int64 [cells + 1], where each cell stands in it.
    probe: int32 [rows, probes], the cells to search for each row, its own first.
    """

    member: Ints
    start: npt.NDArray[np.int64]
    probe: Ints

    def queries(self, rank: int) -> Iterator[tuple[int, Ints]]:
        """(cell, the rows whose probe of this rank it is), for each cell that has both; each row stands once."""
        order = np.argsort(self.probe[:, rank], kind="stable").astype(np.int32)
        bound = np.searchsorted(self.probe[order, rank], np.arange(len(self.start)))
        yield from ((c, order[bound[c] : bound[c + 1]]) for c in range(len(self.start) - 1) if bound[c] < bound[c + 1] and self.start[c] < self.start[c + 1])


def screen_dtype() -> torch.dtype:
    """What products that only find candidates are computed in: bfloat16 where the processor multiplies it, else float32 (it would be emulated)."""
    import torch

    can = torch.cpu.get_capabilities()
    return torch.bfloat16 if can.get("avx512_bf16") or can.get("amx_bf16") else torch.float32


def closest(vectors: Floats, centre: Floats, dtype: torch.dtype | None = None, tell: Tell = None) -> tuple[Ints, Floats]:
    """The closest centre of each row and its cosine. vectors: [n, d]; centre: [c, d]; both unit. Returns int32, float32 [n].

    tell: is told the share done, as it goes.
    """
    import torch

    target = torch.from_numpy(centre).to(dtype or torch.float32).T
    near, cosine = np.empty(len(vectors), np.int32), np.empty(len(vectors), np.float32)

    def find(first: int) -> None:  # keeps nothing of its own: a small result pins the large block beside it in a thread's heap
        score = (torch.from_numpy(vectors[first : first + BLOCK]).to(target.dtype) @ target).float()
        top = score.max(1)
        near[first : first + BLOCK], cosine[first : first + BLOCK] = top.indices.numpy(), top.values.numpy()

    _told(find, len(vectors), tell)
    return near, cosine


def _told(find: Callable[[int], None], rows: int, tell: Tell) -> None:
    blocks = range(0, rows, BLOCK)
    for done, _ in enumerate(spread(find, blocks), 1):
        if tell:
            tell(done / len(blocks))


def _probes(vectors: Floats, centre: Floats, probes: int, tell: Tell) -> Ints:
    """The closest centres of each row by products of 8 bits, closest first. int32 [n, probes]."""
    import torch

    from curate.kernels.nearest import highest_columns

    scale = byte_scale(vectors)
    target = np.zeros((whole_steps(len(centre)), vectors.shape[1]), np.int8)
    to_bytes(centre, scale, target)
    near = np.empty((len(vectors), probes), np.int32)

    def find(first: int) -> None:
        some = vectors[first : first + BLOCK]
        query = np.zeros((whole_steps(len(some)), some.shape[1]), np.int8)
        to_bytes(some, scale, query)
        highest_columns(products(torch.from_numpy(query), torch.from_numpy(target)), len(centre), near[first : first + BLOCK])

    _told(find, len(vectors), tell)
    return near


def improve(sample: Floats, centre: Floats, rounds: int, dtype: torch.dtype | None = None) -> Floats:
    """Centres after some rounds of k-means by cosine on a sample; a centre that no row is closest to stays where it is. float32 [c, d], unit."""
    for _ in range(rounds):
        own = closest(sample, centre, dtype)[0]
        order = np.argsort(own, kind="stable")
        there, first = np.unique(own[order], return_index=True)
        total = np.add.reduceat(sample[order], first)
        length = np.linalg.norm(total, axis=1, keepdims=True)
        centre = centre.copy()
        centre[there] = np.where(length > 0, total / np.maximum(length, 1e-12), centre[there])
    return centre


def centres(vectors: Floats, count: int, seed: int) -> Floats:
    """Centres of about `count` cells, learnt from a sample. float32 [cells, d], unit."""
    rng = np.random.default_rng(seed)
    sample = vectors[np.sort(rng.permutation(len(vectors))[: count * SAMPLE])]
    return improve(sample, sample[np.sort(rng.permutation(len(sample))[:count])], 5, screen_dtype())


def make_cells(vectors: Floats, centre: Floats, probes: int, tell: Tell = None) -> Cells:
    """Cells round some centres, each row with the `probes` cells it is closest to; the same cells for any number of probes.

    A cell of more than four times the mean (a crowd of nearly equal rows) is cut into pieces: the search stays linear, and any piece holds rows as close as
    the others do.
    """
    probe = _probes(vectors, centre, min(probes, len(centre)), tell)
    order = np.argsort(probe[:, 0], kind="stable").astype(np.int32)
    size = np.bincount(probe[:, 0], minlength=len(centre))
    pieces = np.maximum(1, -(-size // (4 * len(vectors) // len(centre) + 1)))
    first = np.concatenate([[0], np.cumsum(pieces)]).astype(np.int32)
    place = np.empty(len(vectors), np.int64)
    place[order] = np.arange(len(order)) - np.repeat(np.cumsum(size) - size, size)
    own = probe[:, 0]
    cut = first[probe] + (np.arange(len(vectors))[:, None] % pieces[probe]).astype(np.int32)
    cut[:, 0] = first[own] + place * pieces[own] // np.maximum(size[own], 1)
    member = np.argsort(cut[:, 0], kind="stable").astype(np.int32)
    return Cells(member, np.searchsorted(cut[member, 0], np.arange(first[-1] + 1)), cut.astype(np.int32))
