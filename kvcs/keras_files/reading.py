"""A file that Keras saved, opened as a described model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kvcs.keras_files import NeedsKerasError, archive, tables
from kvcs.keras_files.describing import Described, described

HDF5 = b"\x89HDF\r\n\x1a\n"
OLDEST = (3, 6)


@contextmanager
def opened(path: str, *, optimizer: bool = True) -> Iterator[Described]:
    """Open a file that Keras saved; arrays are read from it one by one, on call.

    Args:
        path: a `.keras` file.
        optimizer: also describe the optimizer's variables, where there are any.

    Raises:
        RestoreError: it is no such file, is damaged, or was made to do harm.
        NeedsKerasError: only Keras can tell what it holds.
    """
    with Path(path).open("rb") as file:
        hdf5 = file.read(len(HDF5)) == HDF5
    if hdf5:
        raise NeedsKerasError("it is a legacy HDF5 file")
    with archive.opened(path) as found:
        _check_version(found.keras_version)
        try:
            model = described(
                found.config,
                found.keras_version,
                found.arrays,
                found.assets,
                optimizer=optimizer,
            )
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise NeedsKerasError(f"its config is not as Keras writes it ({error!r})") from error
        yield model


def _check_version(text: str) -> None:
    """What a newer Keras numbers anew, the tables cannot know."""
    steps = text.split(".")[:2]
    version = tuple(int(step) for step in steps if step.isdigit())
    if not OLDEST <= version <= tables.keras_version():
        raise NeedsKerasError(f"it was written by Keras {text}")
