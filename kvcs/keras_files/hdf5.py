"""The arrays in an HDF5 file, and nothing that the file does not hold itself.

HDF5 can point elsewhere: links into other files, datasets whose bytes stand in one, views of other
datasets. None of it is followed. Every dataset that is read is marked, so that a reader can tell
that it understood the whole file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

import h5py
import numpy as np

from kvcs.errors import RestoreError
from kvcs.keras_files import NeedsKerasError
from kvcs.npy import STORED, Array, true_dtype

# Keras writes what it holds. A dataset that promises far more than it stores is a bomb.
BOMB_FLOOR = 1 << 26
BOMB_FACTOR = 100
MAX_DEPTH = 64


class Arrays:
    """The datasets of an HDF5 file by path; closed with `close`."""

    def __init__(self, file: BinaryIO | str, name: str) -> None:
        """Open a file, and look at all that it holds.

        Raises:
            RestoreError: it is no HDF5 file, is damaged, or points outside of itself.
        """
        self.name = name
        self._described: set[str] = set()
        self._aliases: dict[str, str] = {}
        with _explained(name):
            self._file = h5py.File(file, "r")
            self.attributes = dict(self._file.attrs)
            self._datasets = dict(_datasets(self._file, name))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __contains__(self, path: str) -> bool:
        return self._aliases.get(path, path) in self._datasets

    def alias(self, paths: Mapping[str, str]) -> None:
        """Let datasets also be found by other paths, which `paths` leads to their own."""
        self._aliases |= paths

    def below(self, prefix: str) -> list[str]:
        """Return the paths of the datasets in a group and in the groups below it."""
        paths = [*self._datasets, *self._aliases]
        return [path for path in paths if path.startswith(f"{prefix}/")]

    def attributes_of(self, group: str) -> dict[str, Any]:
        """Return the attributes of a group; none if it is not there."""
        with _explained(self.name):
            return dict(self._file[group].attrs) if group in self._file else {}

    def describe(self, path: str) -> tuple[str, tuple[int, ...]]:
        """Return dtype, by Keras' name, and shape of a dataset, and mark it as read.

        Raises:
            NeedsKerasError: there is none, or its dtype is none that Keras writes.
        """
        dataset = self._dataset(path)
        self._described.add(self._aliases.get(path, path))
        with _explained(self.name):
            return _dtype(dataset, path), tuple(dataset.shape)

    def reader(self, path: str) -> Callable[[], Array]:
        """Return a function that reads a dataset."""
        return lambda: self._read(path)

    def _read(self, path: str) -> Array:
        dataset = self._dataset(path)
        with _explained(self.name):
            array = np.asarray(dataset[()])
        return array.view(true_dtype("bfloat16")) if array.dtype.kind == "V" else array

    def _dataset(self, path: str) -> Any:
        path = self._aliases.get(path, path)
        if path not in self._datasets:
            raise NeedsKerasError(f"{self.name} has no {path}, where Keras would save it")
        return self._datasets[path]

    def left_over(self) -> list[str]:
        """Return the paths that nobody asked for."""
        return sorted(self._datasets.keys() - self._described)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what h5py says of a damaged file, which can be anything, into a sentence."""
    try:
        yield
    except (OSError, RuntimeError, LookupError, TypeError, ValueError) as error:
        raise RestoreError(f"{name} is damaged: its HDF5 cannot be read ({error})") from error


def _dtype(dataset: Any, path: str) -> str:
    if dataset.dtype.kind == "V" and dataset.attrs.get("dtype") == "bfloat16":
        return "bfloat16"
    name = str(dataset.dtype.name)
    if name not in STORED:
        raise NeedsKerasError(f"{path} is of the dtype {dataset.dtype}")
    return name


def _datasets(file: Any, name: str) -> Iterator[tuple[str, Any]]:
    seen: set[int] = set()
    waiting = [("", file, 0)]
    while waiting:
        prefix, group, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise RestoreError(f"{name} is refused: its HDF5 groups are nested too deep")
        for key in group:
            path = prefix + key
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise RestoreError(f"{name} is refused: {path} in it is a link to something else")
            thing = group[key]
            address = h5py.h5o.get_info(thing.id).addr
            if address in seen:
                raise RestoreError(f"{name} is refused: {path} in it stands there twice")
            seen.add(address)
            if isinstance(thing, h5py.Group):
                waiting.append((f"{path}/", thing, depth + 1))
            elif isinstance(thing, h5py.Dataset):
                _check(thing, path, name)
                yield path, thing


def _check(dataset: Any, path: str, name: str) -> None:
    if dataset.external or dataset.is_virtual:
        raise RestoreError(f"{name} is refused: the data of {path} stand in another place")
    if dataset.shape is None or dataset.dtype.hasobject:
        raise RestoreError(f"{name} is refused: {path} in it is no array of numbers")
    if dataset.nbytes > max(BOMB_FLOOR, BOMB_FACTOR * dataset.id.get_storage_size()):
        raise RestoreError(
            f"{name} is refused: {path} promises {dataset.nbytes:,} bytes and stores "
            f"{dataset.id.get_storage_size():,}"
        )
