"""Which validation rows each row helps and harms most: of each row the few most extreme ones, found while all are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["KEPT", "Touched"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
KEPT = 5


@dataclass(frozen=True)
class Touched:
    """helped, harmed: int32 [n, KEPT], validation rows, the most helped and the most harmed first, -1 for none. helped_by, harmed_by: float32 [n, KEPT], by how
    much, above 0 on both sides; 0 for none.
    """

    helped: Ints
    helped_by: Floats
    harmed: Ints
    harmed_by: Floats

    @classmethod
    def none(cls, rows: int) -> Touched:
        """Nothing found yet."""
        who, much = np.full((rows, KEPT), -1, np.int32), np.zeros((rows, KEPT), np.float32)
        return cls(who, much, who.copy(), much.copy())

    def see(self, first: int, found: Floats) -> None:
        """Keep the most extreme of what a block of rows does to every validation row, in place. first: of the block. found: float32 [block, validation]."""
        from curate.kernels.shapley import keep_extreme

        keep_extreme(found, first, self.helped_by, self.helped, self.harmed_by, self.harmed)

    @classmethod
    def merged(cls, parts: Sequence[Touched]) -> Touched:
        """The most extreme of several, of equals that of the lower validation row."""
        sides = []
        for who, by in (("helped", "helped_by"), ("harmed", "harmed_by")):
            at, much = (np.concatenate([getattr(p, name) for p in parts], 1) for name in (who, by))
            order = np.lexsort((at, -much))[:, :KEPT]
            sides += [np.take_along_axis(at, order, 1), np.take_along_axis(much, order, 1)]
        return cls(*sides)

    def renumbered(self, order: Ints) -> Touched:
        """The same of validation rows that were looked at in another order: the i-th was order[i]."""
        places = np.append(order, np.int32(-1))
        return Touched(places[self.helped], self.helped_by, places[self.harmed], self.harmed_by)

    def among(self, rows: Ints, total: int) -> Touched:
        """The same, of rows that are these among `total` ones; the others touch none."""
        found = Touched.none(total)
        for name in ("helped", "helped_by", "harmed", "harmed_by"):
            getattr(found, name)[rows] = getattr(self, name)
        return found
