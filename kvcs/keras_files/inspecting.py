"""A file that only Keras can read, looked into before Keras does: for what would do harm."""

from __future__ import annotations

import os
import zipfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from kvcs.errors import RestoreError
from kvcs.keras_files.archive import CONFIG, WEIGHTS, checked_members, explained, parsed, weights
from kvcs.keras_files.declared import FACTOR, FLOOR, check_settings
from kvcs.keras_files.hdf5 import Arrays
from kvcs.keras_files.reading import is_hdf5

# Where a legacy file has what an archive has in its config.
ATTRIBUTES = ("model_config", "training_config")


def inspected(path: str) -> list[dict[str, Any]]:
    """Return what Keras would build and compile a model from; nothing is unpacked or built.

    Raises:
        RestoreError: it is no file that Keras wrote, is damaged, or was made to do harm: it holds
            what stands in another file, promises more than it holds, or has two contents.
    """
    legacy, packed = is_hdf5(path), zipfile.is_zipfile(path)
    if not (legacy or packed):
        raise RestoreError(f"{path} is no file that Keras wrote, or it is damaged")
    # Keras goes by the name, and a file can be both: so as not to look into another one than it.
    if legacy == packed or legacy != path.endswith((".h5", ".hdf5")):
        raise RestoreError(f"{path} is refused: it is not, or not only, what its name says")
    if legacy:
        return _attributes(path)
    with ExitStack() as stack, explained(path):
        file = stack.enter_context(Path(path).open("rb"))
        archive = stack.enter_context(zipfile.ZipFile(file))
        members = checked_members(archive, path)
        if CONFIG not in members:
            raise RestoreError(f"{path} is no file that Keras wrote: it holds no {CONFIG}")
        config = parsed(archive.read(CONFIG), f"{CONFIG} in {path}")
        if WEIGHTS in members:
            content = weights(archive, members[WEIGHTS], file, path)
            Arrays(content, path).close()
        _check_sizes([config], sum(info.file_size for info in members.values()), path)
    return [config]


def check_arrays(path: str | os.PathLike[str]) -> None:
    """Look into an HDF5 file of weights alone.

    Raises:
        RestoreError: it is no such file, is damaged, or was made to do harm.
    """
    name = os.fspath(path)
    if not is_hdf5(name):
        raise RestoreError(f"{name} is no file of weights that Keras wrote, or it is damaged")
    Arrays(name, name).close()


def _attributes(path: str) -> list[dict[str, Any]]:
    with closing(Arrays(path, path)) as arrays:
        found = {key: arrays.attributes.get(key) for key in ATTRIBUTES}
    configs = [
        parsed(text if isinstance(text, bytes) else str(text), f"{key} in {path}")
        for key, text in found.items()
        if text is not None
    ]
    _check_sizes(configs, Path(path).stat().st_size, path)
    return configs


def _check_sizes(configs: list[dict[str, Any]], size: int, path: str) -> None:
    for config in configs:
        check_settings(config, FLOOR + FACTOR * size, path)
