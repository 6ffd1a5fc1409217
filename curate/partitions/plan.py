"""What every task of a staged search knows, and its arrays on disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from curate.dataset import Dataset
from curate.workspace import digest, write_file

if TYPE_CHECKING:
    import polars as pl

    from curate.kernels.minhash import Sets

__all__ = ["Plan", "Run", "Sizes", "joined", "keep", "mapped", "spans"]

Array = npt.NDArray[Any]
In = TypeVar("In")
Out = TypeVar("Out")


class Run(Protocol):
    """Maps a picklable function over items on an engine, in order."""

    def __call__(self, function: Callable[[In], Out], items: Sequence[In], /) -> Iterator[Out]: ...


@dataclass(frozen=True)
class Sizes:
    """How much a task takes. rows: of a shard. classes: of a shard of classes, and of a range of keys or hashes `wide` times as many. pairs: of a range.

    forests: merged at once.
    """

    rows: int = 32_768
    classes: int = 65_536
    wide: int = 64
    pairs: int = 4_000_000
    forests: int = 8


@dataclass(frozen=True)
class Plan:
    """One staged search. view: the text view that is compared. parameters: of the signal. folder: where files go, which all workers see."""

    dataset: Dataset
    view: str
    parameters: Mapping[str, Any]
    folder: Path
    sizes: Sizes = Sizes()

    @property
    def rows(self) -> int:
        """Rows of the dataset."""
        return self.dataset.rows

    def text(self, start: int, stop: int) -> pl.Series:
        """The texts of some rows. String [stop - start]."""
        return self.dataset.views([self.view]).slice(start, stop - start).collect().to_series()

    def file(self, kind: str, number: int | str | None = None) -> Path:
        """The file of an array, whole or a part of it. Files of other sizes are other files."""
        name = kind if number is None else f"{kind}-{number:08}" if isinstance(number, int) else f"{kind}-{number}"
        return self.folder / digest(astuple(self.sizes)) / f"{name}.npy"

    @property
    def sets(self) -> Sets:
        """Sets of all rows, mapped."""
        from curate.kernels.minhash import Sets

        return Sets(mapped(self.file("shingle")), mapped(self.file("first")))


def keep(path: Path, values: Array) -> None:
    """Write an array, whole or not at all."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.save(file, values)

    write_file(path, write)


def mapped(path: Path) -> Array:
    """An array on disk: pages are read when they are looked at, and can be dropped again. It may be written to, but the file does not change.

    Writable, for a loop is compiled once more for arrays that are not.
    """
    found: Array = np.load(path, mmap_mode="c", allow_pickle=False).view(np.ndarray)
    return found


def joined(parts: Iterable[Path], path: Path) -> None:
    """Write arrays one after the other as one, in bounded memory."""
    files = list(parts)
    shape, kind = _shape(files), np.load(files[0], mmap_mode="r", allow_pickle=False).dtype

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.lib.format.write_array_header_2_0(file, {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape})
            for part in files:
                with part.open("rb") as one:
                    one.seek(part.stat().st_size - np.load(part, mmap_mode="r", allow_pickle=False).nbytes)
                    shutil.copyfileobj(one, file, 1 << 20)

    write_file(path, write)


def _shape(files: Sequence[Path]) -> tuple[int, ...]:
    """Of arrays one after the other."""
    shapes = [np.load(file, mmap_mode="r", allow_pickle=False).shape for file in files]
    return (sum(s[0] for s in shapes), *shapes[0][1:])


def spans(total: int, each: int) -> list[tuple[int, int]]:
    """(start, stop) of runs of `each`; one at least."""
    return [(at, min(total, at + each)) for at in range(0, total, each)] or [(0, 0)]
