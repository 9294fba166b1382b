"""What `git diff` shows of a tensor: a few lines of text that differ when the file does."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kvcs.npy import Array

LFS = b"version https://git-lfs.github.com/spec/"
MAX_TEXT = 1024  # no LFS pointer is longer
MAX_HEADER = 1 << 16  # more is no shape and no dtype that a person could read
BLOCK = 1 << 20  # bytes in memory at a time
SAMPLE = 1 << 16  # elements whose quantiles are taken
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class _Header:
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass
class _Sums:
    """What one pass over a tensor adds up."""

    finite: int = 0
    zeros: int = 0
    nans: int = 0
    least: float = math.inf
    most: float = -math.inf
    mean: float = 0.0
    squares: float = 0.0  # of the distances from the mean

    def add(self, values: Array) -> None:
        """Add a block of numbers in double precision."""
        self.zeros += values.size - int(np.count_nonzero(values))
        self.nans += int(np.count_nonzero(np.isnan(values)))
        values = values[np.isfinite(values)]
        if not values.size:
            return
        self.least = min(self.least, float(values.min()))
        self.most = max(self.most, float(values.max()))
        mean = float(values.mean())
        apart = values - mean
        both = self.finite + values.size
        step = mean - self.mean
        # Chan, Golub and LeVeque (1979): sums of squares alone would lose the digits that count.
        self.squares += float(np.dot(apart, apart)) + step * step * self.finite * values.size / both
        self.mean += step * values.size / both
        self.finite = both


def described(file: str | os.PathLike[str]) -> list[str]:
    """Describe a `.npy` file for a text diff, in lines that depend on its bytes alone.

    What is no `.npy` file is described all the same: an LFS pointer by itself, anything else by
    what is wrong with it.
    """
    place = Path(file)
    with place.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        start = stream.read(MAX_TEXT)
        if start.startswith(LFS) and size < MAX_TEXT:
            return start.decode("utf-8", "replace").splitlines()
        stream.seek(0)
        try:
            header = _header(stream)
        except Exception as error:  # NumPy reads headers, and raises what it likes
            said = " ".join(str(error).split())[:200]
            return [f"not a .npy file: {said}", f"size: {size:,} bytes", _digest(stream)]
        lines = [f"dtype: {header.dtype}", f"shape: {_shape(header.shape)}", _digest(stream)]
        return [*lines, *_values(stream, header, size)]


def _header(stream: BinaryIO) -> _Header:
    version = np.lib.format.read_magic(stream)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"version {version[0]}.{version[1]} of the format")
    shape, _, dtype = read(stream, max_header_size=MAX_HEADER)
    return _Header(dtype, shape, stream.tell())


def _shape(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))})"


def _digest(stream: BinaryIO) -> str:
    stream.seek(0)
    found = hashlib.sha256()
    while block := stream.read(BLOCK):
        found.update(block)
    return f"sha256: {found.hexdigest()[:16]}"


def _values(stream: BinaryIO, header: _Header, size: int) -> Iterator[str]:
    expected = header.offset + header.size * header.dtype.itemsize
    if header.dtype.hasobject:
        yield f"pickled objects, which are not read; size: {size:,} bytes"
    elif size != expected:
        yield f"damaged: {size:,} bytes where the header promises {expected:,}"
    elif header.dtype.kind in "fiubc" and header.size:
        yield from _statistics(stream, header)


def _statistics(stream: BinaryIO, header: _Header) -> Iterator[str]:
    sums, sample = _Sums(), []
    step = -(-header.size // SAMPLE)
    with np.errstate(all="ignore"):
        for at, values in _blocks(stream, header):
            sums.add(values)
            sample.append(values[-at % step :: step])
    name = "magnitude" if header.dtype.kind == "c" else "values"
    if sums.finite:
        deviation = math.sqrt(sums.squares / sums.finite)
        yield f"{name}: min {_number(sums.least)}, max {_number(sums.most)}"
        yield f"mean: {_number(sums.mean)}, std: {_number(deviation)}"
        yield _quantiles(np.concatenate(sample), step)
    counts = {"zeros": sums.zeros, "NaN": sums.nans}
    counts["infinite"] = header.size - sums.finite - sums.nans
    told = [f"{name}: {many:,}" for name, many in counts.items() if many or name == "zeros"]
    yield f"{', '.join(told)} of {header.size:,}"


def _blocks(stream: BinaryIO, header: _Header) -> Iterator[tuple[int, Array]]:
    """Yield the values in double precision, and at which element they begin."""
    stream.seek(header.offset)
    many = BLOCK // header.dtype.itemsize
    for at in range(0, header.size, many):
        data = stream.read(min(many, header.size - at) * header.dtype.itemsize)
        values = np.frombuffer(data, header.dtype)
        yield at, (np.abs(values) if header.dtype.kind == "c" else values).astype(np.float64)


def _quantiles(sample: Array, step: int) -> str:
    found = np.quantile(sample[np.isfinite(sample)], QUANTILES, method="inverted_cdf")
    parts = [
        f"{share:.0%} {_number(float(value))}"
        for share, value in zip(QUANTILES, found, strict=True)
    ]
    return f"quantiles: {', '.join(parts)}{f' (one value in {step:,})' if step > 1 else ''}"


def _number(value: float) -> str:
    return f"{value:.6g}"
