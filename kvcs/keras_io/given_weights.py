"""Weights for a model that was built from JSON: arrays in `.npy` files, or a file of Keras."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from kvcs.errors import RestoreError
from kvcs.keras_io import keras2_files
from kvcs.keras_io.keras2_weights import load_weights
from kvcs.keras_io.words import reason
from kvcs.npy import Array


def load_arrays(model: Any, paths: Sequence[Path]) -> None:
    """Give a model its weights from one `.npy` file each, in the order of `get_weights()`.

    Raises:
        RestoreError: they are too many, too few, or do not fit; the text names file and layer.
    """
    _check_built(model)
    owners = [(layer, variable) for layer in _layers(model) for variable in layer.weights]
    if [id(variable) for _, variable in owners] != [id(each) for each in model.weights]:
        raise RestoreError("the weights of this model have no plain order: give a .h5 file")
    if len(paths) < len(owners):
        layer, variable = owners[len(paths)]
        raise RestoreError(
            f"{len(paths)} files for {len(owners)} weights: there is none for {variable.name} of "
            f"layer {layer.name!r}, and those behind it"
        )
    if len(paths) > len(owners):
        raise RestoreError(
            f"{len(paths)} files for {len(owners)} weights: {paths[len(owners)]} is one too many"
        )
    for path, (layer, variable) in zip(paths, owners, strict=True):
        place = f"{path} does not fit {variable.name} of layer {layer.name!r}"
        variable.assign(_fitting(_read(path), variable, place))
    for layer in _layers(model):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()


def load_file(model: Any, path: Path) -> None:
    """Give a model the weights of an `.h5` file of Keras, whole or of weights alone.

    Raises:
        RestoreError: they are not those of this model, or the file is damaged.
    """
    _check_built(model)
    if not h5py.is_hdf5(path):
        raise RestoreError(f"{path} is no file of weights that Keras wrote, or it is damaged")
    if keras2_files.wrote(str(path)):
        with h5py.File(path) as file:
            load_weights(file, model, str(path))
        return
    try:
        model.load_weights(path)
    except Exception as error:  # h5py and Keras may say anything
        raise RestoreError(f"Keras cannot load the weights of {path}: {reason(error)}") from error


def _check_built(model: Any) -> None:
    if not model.built:
        raise RestoreError(
            f"model {model.name!r} has no weights yet, for the JSON says nothing of its input: add "
            "an 'input_shape' to its first layer"
        )


def _layers(model: Any) -> list[Any]:
    """Return the layers in order, those of models inside in the place of these."""
    found = []
    for layer in model.layers:
        found += _layers(layer) if isinstance(layer, keras.Model) else [layer]
    return found


def _read(path: Path) -> Array:
    try:
        # A map of a file is never larger than the file, whatever its header says.
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError, OverflowError) as error:
        raise RestoreError(f"{path} is no array of numbers in NumPy's format: {error}") from None


def _fitting(array: Array, variable: Any, place: str) -> Array:
    if tuple(array.shape) != tuple(variable.shape):
        raise RestoreError(
            f"{place}: it has shape {list(array.shape)} instead of {list(variable.shape)}"
        )
    if array.dtype.kind not in "biuf":
        raise RestoreError(f"{place}: it holds {array.dtype}, which are no numbers")
    dtype = keras.ops.convert_to_numpy(variable).dtype
    found = array.astype(dtype)
    if not np.array_equal(found.astype(array.dtype), array, equal_nan=True):
        raise RestoreError(f"{place}: its {array.dtype} values cannot be stored as {dtype}")
    return found
