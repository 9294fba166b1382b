"""How the values of one tensor changed, in numbers; two tensors are in memory at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kvcs.comparison.encoded import Json
from kvcs.npy import Array

# Elements that are converted to double precision at a time: they fit a cache, and are too few for
# the threads of a BLAS, which wait for each other on a busy machine.
CHUNK = 1 << 13
RANK_BLOCK = 1 << 18  # elements of a matrix whose rank is looked for, likewise
SAME_SCALE = 1e-5  # relative error to which a tensor is a multiple of another one
REWRITTEN = 0.2  # cosine below which nothing of the old values is left


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """How a tensor changed.

    Attributes:
        relative: L2 norm of the change by that of the old values; None where that is zero or
            a value is not finite.
        cosine: of the angle between old and new values; None likewise.
        largest: the largest change of one value; None where a value is not finite.
        share: share of the values that are not the same, from 0 to 1.
        labels: what the change certainly is: `not finite`, `rewritten`, `scaled`, `pruned`, `cast`,
            `quantised`.
        histogram: see `kvcs.comparison.histograms`; None where nobody asked for it.
    """

    relative: float | None
    cosine: float | None
    largest: float | None
    share: float
    labels: tuple[str, ...]
    histogram: tuple[int, ...] | None = None

    def to_json(self) -> Json:
        """Return it as JSON, numbers of six digits."""
        found: dict[str, Json] = {
            key: None if value is None else float(f"{value:.6g}")
            for key, value in (
                ("relative", self.relative), ("cosine", self.cosine),
                ("largest", self.largest), ("share", self.share),
            )
        }  # fmt: skip
        if self.labels:
            found["labels"] = list(self.labels)
        if self.histogram is not None:
            found["histogram"] = list(self.histogram)
        return found


@dataclass
class _Sums:
    """What one pass over two tensors adds up."""

    old: float = 0.0
    new: float = 0.0
    change: float = 0.0
    largest: float = 0.0
    different: int = 0
    zeroed: int = 0

    @property
    def product(self) -> float:
        """Of old and new values, by the law of cosines."""
        return (self.old + self.new - self.change) / 2


def statistics(old: Array, new: Array) -> Statistics:
    """Compare two tensors of the same shape."""
    sums = _sums(old, new)
    values = (sums.old, sums.new, sums.change, sums.largest)
    finite = all(math.isfinite(value) for value in values)
    norms = math.sqrt(sums.old), math.sqrt(sums.new)
    cosine = sums.product / (norms[0] * norms[1]) if finite and all(norms) else None
    return Statistics(
        relative=math.sqrt(sums.change) / norms[0] if finite and norms[0] else None,
        cosine=None if cosine is None else max(-1.0, min(1.0, cosine)),
        largest=sums.largest if finite else None,
        share=sums.different / old.size if old.size else 0.0,
        labels=tuple(_labels(old, new, sums, cosine)),
    )


def _sums(old: Array, new: Array) -> _Sums:
    sums = _Sums()
    with np.errstate(all="ignore"):
        for mine, yours in chunks(old.reshape(-1), new.reshape(-1)):
            change = yours - mine
            squares = float(np.dot(change, change))
            sums.old += float(np.dot(mine, mine))
            sums.new += float(np.dot(yours, yours))
            sums.change += squares
            sums.largest = max(sums.largest, float(change.max()), -float(change.min()))
            sums.different += int(np.count_nonzero(mine != yours))
            if not yours.all():
                sums.zeroed += int(np.count_nonzero((yours == 0) & (mine != 0)))
            if math.isnan(squares):
                sums.different -= int(np.count_nonzero(np.isnan(mine) & np.isnan(yours)))
                sums.largest = math.nan
    return sums


def chunks(old: Array, new: Array) -> Iterator[tuple[Array, Array]]:
    """Yield two flat tensors in double precision, a part of each at a time."""
    for start in range(0, old.size, CHUNK):
        part = slice(start, start + CHUNK)
        yield _real(old[part]), _real(new[part])


def _real(values: Array) -> Array:
    if values.dtype.kind == "c":
        values = values.view(values.real.dtype)
    return values.astype(np.float64)


def _labels(old: Array, new: Array, sums: _Sums, cosine: float | None) -> Iterator[str]:
    if not math.isfinite(sums.new) and not _is_finite(new):
        yield "not finite"
        return
    if old.dtype != new.dtype:
        if _is_float(old) and not _is_float(new):
            yield "quantised"
        elif not sums.different or _same_when_cast(old, new):
            yield "cast"
        return
    if sums.zeroed == sums.different and 0 < sums.different < old.size:
        yield "pruned"
    elif cosine is not None and cosine < REWRITTEN and old.size > 16:
        yield "rewritten"
    elif sums.old and sums.new and old.size > 16 and _is_scaled(sums):
        yield "scaled"


def _is_finite(array: Array) -> bool:
    flat = array.reshape(-1)
    parts = range(0, flat.size, CHUNK)
    return all(np.isfinite(_real(flat[start : start + CHUNK])).all() for start in parts)


def _is_float(array: Array) -> bool:
    return "float" in array.dtype.name


def _same_when_cast(old: Array, new: Array) -> bool:
    """Tell whether the new values are the old ones in the new precision, or the other way."""
    mine, yours = old.reshape(-1), new.reshape(-1)
    there = back = True
    with np.errstate(all="ignore"):
        for start in range(0, mine.size, CHUNK):
            one, other = mine[start : start + CHUNK], yours[start : start + CHUNK]
            there = there and one.astype(other.dtype).tobytes() == other.tobytes()
            back = back and other.astype(one.dtype).tobytes() == one.tobytes()
    return there or back


def _is_scaled(sums: _Sums) -> bool:
    factor = sums.product / sums.old
    # What is left when the multiple is taken away, by the Pythagorean theorem.
    rest = sums.new - factor * sums.product
    return abs(rest) <= SAME_SCALE**2 * sums.new and not math.isclose(factor, 1.0, rel_tol=1e-4)


def sketch(array: Array, size: int = 1024) -> Array:
    """Return a few values of a tensor, evenly spread, as a vector of length 1 (or 0)."""
    flat = array.reshape(-1)
    values = _real(flat[:: max(1, flat.size // size)][:size])
    with np.errstate(all="ignore"):
        norm = float(np.sqrt(np.dot(values, values)))
    if not math.isfinite(norm) or not norm:
        return np.zeros_like(values)
    found: np.ndarray[Any, Any] = values / norm
    return found


def is_merged(old: Array, new: Array, first: Array, second: Array, scale: float) -> bool:
    """Tell whether the product of two factors, scaled, was added to a tensor."""
    shape = (*first.shape[:-1], *second.shape[1:])
    if not old.shape == new.shape == shape:
        return False
    left, right = first.astype(np.float64) * scale, second.astype(np.float64)
    step = max(1, RANK_BLOCK // max(1, math.prod(shape[1:])))
    with np.errstate(all="ignore"):
        for start in range(0, shape[0], step):
            part = slice(start, start + step)
            made = old[part].astype(np.float64) + np.tensordot(left[part], right, axes=1)
            if not np.allclose(made, new[part].astype(np.float64), rtol=1e-4, atol=1e-6):
                return False
    return True


def added_rank(old: Array, new: Array, most: int = 64) -> int | None:
    """Return the rank of what was added to a matrix; None if it is not clearly low."""
    if old.ndim != 2 or old.shape != new.shape or min(old.shape) < 8 or max(old.shape) > 4096:
        return None
    most = min(most, min(old.shape) // 4)
    largest = max(float(old.max()), -float(old.min()))
    # Rounding leaves noise of the precision of the weights in all other directions.
    noise = 4 * float(np.finfo(np.float32).eps) * largest * math.sqrt(old.size)
    # A part of a matrix has no higher rank than the whole, and is looked at much faster.
    rows, columns = (max(1, axis // (2 * most)) for axis in old.shape)
    part = _change(old[::rows, ::columns], new[::rows, ::columns])
    if not np.isfinite(part).all() or _rank(part, noise) > most:
        return None
    core = _core(old, new, most + 8)
    rank = _rank(core, noise) if np.isfinite(core).all() else 0
    return rank if 0 < rank <= most else None


def _change(old: Array, new: Array) -> Array:
    found: Array = new.astype(np.float64) - old.astype(np.float64)
    return found


def _core(old: Array, new: Array, size: int) -> Array:
    """Return a matrix of `size` rows with the largest singular values of what was added.

    Halko, Martinsson and Tropp (2011), algorithm 4.1. It takes the matrix twice, a few rows at a
    time, where its whole decomposition would take minutes, and three copies in double precision.
    """
    step = max(1, RANK_BLOCK // old.shape[1])
    parts = [slice(start, start + step) for start in range(0, old.shape[0], step)]
    drawn = np.random.default_rng(0).standard_normal((old.shape[1], size))
    with np.errstate(all="ignore"):
        image = np.concatenate([_change(old[part], new[part]) @ drawn for part in parts])
        if not np.isfinite(image).all():
            return image
        basis = np.linalg.qr(image)[0]
        found = np.zeros((basis.shape[1], old.shape[1]))
        for part in parts:
            found += basis[part].T @ _change(old[part], new[part])
    return found


def _rank(matrix: Array, noise: float) -> int:
    found = np.linalg.svd(matrix, compute_uv=False)
    return int(np.count_nonzero(found > max(noise, 1e-4 * float(found[0]))))
