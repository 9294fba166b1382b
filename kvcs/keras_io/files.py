"""Files that Keras itself writes and reads."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from typing import Any

import h5py
import keras

from kvcs.errors import RestoreError
from kvcs.keras_io import keras2_files
from kvcs.keras_io.words import reason

# What Keras 3.6 to 3.15 say of a custom class or function that is not given.
_UNKNOWN = re.compile(r"Could not (?:locate|deserialize) (?:class|function) '([^']*)'")

# A legacy .h5 file names losses by these words, and Keras 3 looks for classes of that name.
_ALIASES = {
    "mse": keras.losses.mean_squared_error,
    "mae": keras.losses.mean_absolute_error,
    "mape": keras.losses.mean_absolute_percentage_error,
    "msle": keras.losses.mean_squared_logarithmic_error,
}


def load_file(
    path: str,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,  # noqa: A002  (Keras' own word for it)
    safe_mode: bool = True,
) -> Any:
    """Load a `.keras` or `.h5` file with Keras; one of Keras 2 is carried over first.

    Raises:
        RestoreError: Keras cannot load it; the text says why in one line.
    """
    legacy = h5py.is_hdf5(path)
    if not (legacy or zipfile.is_zipfile(path)):
        raise RestoreError(f"{path} is no file that Keras wrote, or it is damaged")
    if keras2_files.wrote(path):
        with keras.saving.CustomObjectScope(dict(custom_objects or {})):
            return keras2_files.load(path, compile=compile)
    try:
        return keras.models.load_model(
            path,
            custom_objects={**(_ALIASES if legacy else {}), **(custom_objects or {})},
            compile=compile,
            safe_mode=safe_mode,
        )
    except Exception as error:  # a damaged file can make Keras, h5py or zipfile say anything
        unknown = _UNKNOWN.search(str(error))
        if unknown:
            raise RestoreError(
                f"{path} needs the custom class or function {unknown[1]!r}, which is not known "
                f"here: pass custom_objects={{{unknown[1]!r}: {unknown[1]}}}, or register it and "
                "import its module first (--import MODULE on the command line)"
            ) from error
        raise RestoreError(f"Keras cannot load {path}: {reason(error)}") from error


def load_weights(model: Any, path: str) -> None:
    """Give a live model the weights in a `.weights.h5` file.

    Raises:
        RestoreError: they are not those of the model, or the file is damaged.
    """
    try:
        model.load_weights(path)
    except Exception as error:  # a damaged file can make Keras and h5py say anything
        raise RestoreError(f"Keras cannot load the weights in {path}: {reason(error)}") from error
