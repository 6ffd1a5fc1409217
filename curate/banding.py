"""How MinHash values are cut into bands, who shares a band, and who of a crowd is compared with whom: the same in one process and in partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from curate.kernels.minhash import Buckets, Sets

__all__ = ["banding", "bucket_sizes", "buckets_of", "complete_size", "crowds", "equal_sets", "no_crowd", "permutations", "sampled_buckets"]

PERMUTATIONS = 128
MISS = 0.005
COMPLETE = 256
ROOM = 32_000_000  # pairs that share a bucket, summed over all bands

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint32]
Bits = npt.NDArray[np.uint8]


def banding(floor: float) -> tuple[int, int]:
    """(bands, width): the widest bands of PERMUTATIONS values that lose a pair at the floor with a chance of at most MISS."""
    width = max(w for w in range(1, PERMUTATIONS + 1) if w == 1 or (1 - floor**w) ** (PERMUTATIONS // w) <= MISS)
    return PERMUTATIONS // width, width


def permutations(floor: float, seed: int) -> tuple[Keys, Keys, int]:
    """(a, b, width) for `curate.kernels.minhash.band_keys`."""
    bands, width = banding(floor)
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 2**32, bands * width, dtype=np.uint32) | np.uint32(1)
    return a, rng.integers(0, 2**32, bands * width, dtype=np.uint32), width


def equal_sets(sets: Sets, marks: npt.NDArray[np.uint64], rows: Ints) -> tuple[Ints, Ints]:
    """Those of some rows whose set another of them had before, and the first that had it. Equal marks are checked to be equal sets. int32, int32."""
    from curate.kernels.minhash import similarities

    _, at, mark = np.unique(marks[rows], return_index=True, return_inverse=True)
    first = rows[at][mark]
    late = first != rows
    late[late] = similarities(sets, rows[late], first[late]) == 1
    return rows[late], first[late]


def buckets_of(keys: Keys, part: int = 0, parts: int = 1) -> tuple[Ints, Longs]:
    """Classes that share the key of a band, bucket by bucket: members, and int64 [buckets + 1] bounds.

    keys: uint32 [classes], of one band. part: of `parts` equal ranges of keys the one that is looked at.
    """
    from curate.kernels.minhash import crowded

    packed = np.sort(crowded(np.ascontiguousarray(keys), part, parts))
    key = packed >> np.uint64(32)
    joins = key[1:] == key[:-1]
    shared = np.zeros(len(key), np.bool_)
    shared[1:] = joins
    shared[:-1] |= joins
    members, key = packed[shared].astype(np.uint32).view(np.int32), key[shared]
    return members, np.concatenate([np.flatnonzero(np.diff(key, prepend=key[:1] ^ np.uint64(1))), [len(key)]])


def bucket_sizes(bounds: Longs) -> Longs:
    """How many buckets have how many classes. int64 [2, sizes]."""
    return np.stack(np.unique(np.diff(bounds), return_counts=True)).astype(np.int64)


def complete_size(sizes: list[Longs], classes: int) -> int:
    """The most classes of a bucket in which all meet all. sizes: of `bucket_sizes`, of all buckets."""
    size, of = np.unique(np.concatenate([s[0] for s in sizes]), return_inverse=True)
    count = np.zeros(len(size), np.int64)
    np.add.at(count, of, np.concatenate([s[1] for s in sizes]))
    over = size[np.cumsum(count * (size * (size - 1) // 2)) > ROOM]
    return max(COMPLETE, int(over[0]) - 1) if len(over) else classes


def no_crowd(classes: int, bands: int) -> Bits:
    """One bit a class and band, none set. uint8 [classes, bands / 8]."""
    return np.zeros((classes, -(-bands // 8)), np.uint8)


def crowds(bits: Bits, band: int, members: Ints, bounds: Longs, complete: int) -> None:
    """Set the band's bit of each class that stands in a bucket of more than `complete`."""
    size = np.diff(bounds)
    bits[members[np.repeat(size > complete, size)], band >> 3] |= np.uint8(1 << (band & 7))


def sampled_buckets(found: tuple[Ints, Longs], complete: int, keys: Keys, size: Longs, band: int) -> Buckets:
    """Buckets as `meet` takes them: those too many to compare whole in the order that it samples. size: int64 [classes], n-grams."""
    from curate.kernels.minhash import Buckets

    members, bounds = found
    for bucket in np.flatnonzero(np.diff(bounds) > complete):
        stand = slice(bounds[bucket], bounds[bucket + 1])
        members[stand] = _sampling(members[stand], keys, size, band)
    return Buckets(members, bounds, complete)


def _sampling(rows: Ints, keys: Keys, size: Longs, band: int) -> Ints:
    """Anchors ahead (the first and the longest), the others by their key of the next band, then as by chance: neighbours are likely to be the most alike."""
    from curate.kernels.minhash import ANCHORS

    longest = rows[np.argsort(-size[rows], kind="stable")]
    anchors = np.array(list(dict.fromkeys([*rows[: ANCHORS // 2], *longest[:ANCHORS]]))[:ANCHORS], np.int32)
    chance = (rows.astype(np.uint32) + np.uint32(band)) * np.uint32(0x9E3779B1)
    rest = rows[np.lexsort((chance, keys[rows, (band + 1) % keys.shape[1]]))]
    return np.concatenate([anchors, rest[~np.isin(rest, anchors)]])
