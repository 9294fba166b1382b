"""Files that Keras itself writes and reads."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import keras

from kvcs.errors import RefusedError, RestoreError
from kvcs.keras_io import keras2_files
from kvcs.keras_io.allowing import met_classes, trusting
from kvcs.keras_io.words import reason
from kvcs.trust import check_config

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
    configs: Sequence[Mapping[str, Any]],
    *,
    custom_objects: Mapping[str, Any] | None = None,
    allow: Sequence[str] = (),
    compile: bool = True,  # noqa: A002  (Keras' own word for it)
    safe_mode: bool = True,
) -> Any:
    """Load a `.keras` or `.h5` file with Keras; one of Keras 2 is carried over first.

    Args:
        path: the file, which `kvcs.keras_files.inspecting` has looked into.
        configs: what it found: the JSON that Keras would build and compile the model from.
        custom_objects: classes and functions by name.
        allow: modules whose classes are admitted as well, and imported for it.
        compile: compile the model as it was.
        safe_mode: refuse whatever is neither Keras' own nor given.

    Raises:
        RefusedError: something in it is neither known nor given; the text names the place.
        RestoreError: Keras cannot load it; the text says why in one line.
    """
    legacy = h5py.is_hdf5(path)
    if not (legacy or zipfile.is_zipfile(path)):
        raise RestoreError(f"{path} is no file that Keras wrote, or it is damaged")
    known = {**(_ALIASES if legacy else {}), **(custom_objects or {})}
    if keras2_files.wrote(path):
        with trusting(custom_objects, allow, safe_mode=safe_mode) as trust:
            return keras2_files.load(path, trust, compile=compile)
    with trusting(known, allow, safe_mode=safe_mode) as trust:
        try:
            for config in configs:
                if trust is not None:
                    check_config(config, trust)
        except RefusedError as error:
            raise RefusedError(f"{path}: {error}") from None
        with met_classes(trust):
            return _loaded(path, known, compile, safe_mode)


def _loaded(path: str, known: Mapping[str, Any], compiled: bool, safe_mode: bool) -> Any:
    try:
        return keras.models.load_model(
            path, custom_objects=dict(known), compile=compiled, safe_mode=safe_mode
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
