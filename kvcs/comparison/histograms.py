"""How the change of a tensor's values is spread."""

from __future__ import annotations

import numpy as np

from kvcs.comparison.statistics import Statistics, chunks
from kvcs.npy import Array

BINS = 41  # an odd number, so that the smallest changes share a bin, whatever their sign


def histogram(old: Array, new: Array, found: Statistics) -> tuple[int, ...] | None:
    """Count the values that changed, in bins of one width from minus to plus the largest change.

    Args:
        old, new: the tensors, of the same shape.
        found: their statistics.

    Returns:
        The counts, the same for the same two tensors on every machine; None where no value
        changed, or one is not finite.
    """
    if not found.largest:
        return None
    largest, mine, yours = found.largest, old.reshape(-1), new.reshape(-1)
    return tuple(_counts(mine, yours, largest).tolist())


def _counts(old: Array, new: Array, largest: float) -> Array:
    counts: Array = np.zeros(BINS, np.int64)
    for mine, yours in chunks(old, new):
        change = yours - mine
        # Divided first: the width of a bin can be too small for a number.
        places = (change[change != 0] / largest + 1) * (BINS / 2)
        counts += np.bincount(np.minimum(places.astype(np.intp), BINS - 1), minlength=BINS)
    return counts
