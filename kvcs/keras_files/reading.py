"""A file that Keras saved, opened as a described model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from kvcs.keras_files import NeedsKerasError, archive, tables
from kvcs.keras_files import legacy as legacy_file
from kvcs.keras_files.describing import Described, described
from kvcs.keras_files.hdf5 import Arrays

HDF5 = b"\x89HDF\r\n\x1a\n"
# What walking through a config raises where that is not what it should be.
STRANGE = (LookupError, TypeError, ValueError, AttributeError, RecursionError)
OLDEST = (3, 6)


@contextmanager
def opened(path: str, *, optimizer: bool = True) -> Iterator[Described]:
    """Open a file that Keras saved; arrays are read from it one by one, on call.

    Args:
        path: a `.keras` or legacy `.h5` file.
        optimizer: also describe the optimizer's variables, where there are any.

    Raises:
        RestoreError: it is no such file, is damaged, or was made to do harm.
        NeedsKerasError: only Keras can tell what it holds.
    """
    with ExitStack() as stack:
        found = stack.enter_context(_archive(path))
        try:
            model = described(
                found.config,
                found.keras_version,
                found.arrays,
                found.assets,
                optimizer=optimizer,
            )
        except STRANGE as error:
            raise NeedsKerasError(f"its config is not as Keras writes it ({error!r})") from error
        yield model


def is_hdf5(path: str) -> bool:
    """Tell a legacy `.h5` file by its first bytes."""
    with Path(path).open("rb") as file:
        return file.read(len(HDF5)) == HDF5


@contextmanager
def _archive(path: str) -> Iterator[archive.Archive]:
    if not is_hdf5(path):
        with archive.opened(path) as found:
            _check_version(found.keras_version)
            yield found
        return
    arrays = Arrays(path, path)
    with closing(arrays):
        version = str(arrays.attributes.get("keras_version"))
        if "model_config" in arrays.attributes:
            _check_version(version)
        try:
            config = legacy_file.config_of(arrays, path)
        except STRANGE as error:
            raise NeedsKerasError(f"its config is not as Keras writes it ({error!r})") from error
        yield archive.Archive(config, version, arrays, {})


def _check_version(text: str) -> None:
    """What a newer Keras numbers anew, the tables cannot know."""
    if not OLDEST <= tables.version_of(text) <= tables.keras_version():
        raise NeedsKerasError(f"it was written by Keras {text}")
