"""A tensor: NumPy reads the same from the file, and writing it gives the same bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np

from fuzz import models
from kvcs import npy
from kvcs.errors import FormatError


def examples() -> Iterator[bytes]:
    """Yield the tensors of the golden model."""
    yield from (data for path, data in models.golden().items() if path.endswith(".npy"))


def one_input(data: bytes) -> None:
    """Read a tensor as each dtype that can be stored in this way."""
    try:
        header = npy.parse_header(data, len(data))
    except FormatError:
        return
    stored = np.load(io.BytesIO(data), allow_pickle=False)
    assert (stored.dtype, stored.shape) == (np.dtype(header.descr), header.shape)
    for dtype, descr in npy.STORED.items():
        if descr == header.descr:
            array = npy.decode(data, dtype)
            assert b"".join(npy.encode(array)) == data
